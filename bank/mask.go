package bank

import (
	"strings"
	"unicode/utf8"
)

// MaskDocument shows of an identity document what tells people apart and
// identifies nobody: its middle, as Brazil writes it, •••456789••.
func MaskDocument(number string) string {
	r := []rune(number)
	if len(r) <= 5 {
		return strings.Repeat("•", len(r))
	}
	return "•••" + string(r[3:len(r)-2]) + "••"
}

// MaskNumber shows of a key, an account or a token its last four characters, and
// of an e-mail address its first and its domain. What is short is not shown.
func MaskNumber(s string) string {
	if at := strings.LastIndexByte(s, '@'); at > 0 {
		_, size := utf8.DecodeRuneInString(s)
		return s[:size] + "•••" + s[at:]
	}
	r := []rune(s)
	if len(r) < 8 {
		return strings.Repeat("•", len(r))
	}
	return "••••" + string(r[len(r)-4:])
}
