package bank

// ParseCPF reads a Brazilian natural person's number, plain or as 123.456.789-09,
// and returns its 11 digits. Two check digits, mod 11 (Receita Federal). The ten
// numbers of one repeated digit pass mod 11 and are not issued: refused.
func ParseCPF(s string) (string, error) {
	n, err := digits("the CPF", s, 11, 11)
	if err != nil {
		return "", err
	}
	if same(n) || n[9:] != cpfCheck(n[:9]) {
		return "", checkDigit("the CPF")
	}
	return n, nil
}

func cpfCheck(base string) string {
	d1 := digit(weigh(base, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10)
	return d1 + digit(weigh(base+d1, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)*10%11%10)
}

// ParseCNPJ reads a Brazilian company's number, plain or as 12.ABC.345/01DE-35, and
// returns its 14 characters in upper case. The first twelve are letters or digits,
// the two check digits are digits: mod 11 over each character's ASCII code minus 48
// (Receita Federal, Instrução Normativa 2.229/2024, in force since July 2026; for
// digits alone the same result as ever).
func ParseCNPJ(s string) (string, error) {
	n, err := compact("the CNPJ", s)
	if err != nil {
		return "", err
	}
	if len(n) != 14 {
		return "", length("the CNPJ has 14 characters")
	}
	if !allDigits(n[12:]) {
		return "", format("the CNPJ ends in two digits")
	}
	if same(n) || n[12:] != cnpjCheck(n[:12]) {
		return "", checkDigit("the CNPJ")
	}
	return n, nil
}

func cnpjCheck(base string) string {
	d1 := cnpjDigit(base)
	return d1 + cnpjDigit(base+d1)
}

func cnpjDigit(s string) string {
	r := weighRight(s, 2, 3, 4, 5, 6, 7, 8, 9) % 11
	if r < 2 {
		return "0"
	}
	return digit(11 - r)
}

// FormatCNPJ writes a CNPJ as people read it: 12.ABC.345/01DE-35. Another text is
// returned as it is.
func FormatCNPJ(n string) string {
	if len(n) != 14 {
		return n
	}
	return n[:2] + "." + n[2:5] + "." + n[5:8] + "/" + n[8:12] + "-" + n[12:]
}
