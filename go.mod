module giro

go 1.26
