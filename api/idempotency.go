package api

import (
	"net/http"

	"giro"
)

const idempotencyKeyMax = 255

// idempotencyKey reads the Idempotency-Key header: bare or in one pair of
// double quotes, 1 to 255 visible ASCII characters; "" if there is none.
func idempotencyKey(h http.Header) (string, error) {
	values := h["Idempotency-Key"]
	if len(values) == 0 {
		return "", nil
	}
	refuse := func(message string) (string, error) {
		return "", giro.Refuse(giro.CodeKeyMalformed, "Idempotency-Key", message)
	}
	if len(values) > 1 {
		return refuse("the header stands more than once")
	}
	key := values[0]
	if len(key) > 0 && key[0] == '"' {
		if len(key) < 2 || key[len(key)-1] != '"' {
			return refuse("the quotes are not a pair")
		}
		key = key[1 : len(key)-1]
	}
	if key == "" {
		return refuse("the key is empty")
	}
	if len(key) > idempotencyKeyMax {
		return refuse("the key has at most 255 characters")
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return refuse("the key consists of visible ASCII characters")
		}
	}
	return key, nil
}
