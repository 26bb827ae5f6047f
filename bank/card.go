package bank

import (
	"regexp"
	"unicode"
	"unicode/utf8"
)

// LuhnValid reports whether s is 12 to 19 ASCII digits, not all zero, that pass the
// Luhn formula (ISO/IEC 7812-1, annex B).
func LuhnValid(s string) bool {
	return len(s) >= 12 && len(s) <= 19 && allDigits(s) && !same(s) && luhnSum(s, false)%10 == 0
}

// FindCardNumber reports whether a text holds what looks like a payment card number:
// a maximal run of digits, single separators taken out, 13 to 19 long, with the prefix
// and length of a card network, right by Luhn, and with no letter or digit directly
// before or after it. Separators are blanks, dashes and dots, also Unicode's; digits
// are ASCII's and Unicode's (full-width, Arabic, …).
//
// So the digits inside a hexadecimal id or a UUID, in a boleto's 47 or 48 digits, in a
// CPF and in most CNPJs are no card. A number spread over two fields is not found.
func FindCardNumber(s string) bool {
	if !manyDigits(s) {
		return false
	}
	var run [20]byte
	n, start, end := 0, 0, 0 // the run's digits, of which at most 20 are kept; its place in s
	before := rune(0)        // the rune before the run
	last := rune(0)
	gap := 0 // separators since the last digit
	var uuids [][]int
	searched := false
	isCard := func(after rune) bool {
		if n < 13 || n > 19 || !cardPrefix(run[:n]) || luhnSum(string(run[:n]), false)%10 != 0 {
			return false
		}
		if gap == 0 && alnum(after) || alnum(before) {
			return false
		}
		if !searched {
			uuids, searched = uuidForm.FindAllStringIndex(s, -1), true
		}
		for len(uuids) > 0 && uuids[0][1] < end { // both are in order: linear in all
			uuids = uuids[1:]
		}
		return len(uuids) == 0 || start < uuids[0][0]
	}
	for i, r := range s {
		d := digitOf(r)
		switch {
		case d >= 0:
			if n == 0 {
				before, start = last, i
			}
			if n < len(run) {
				run[n] = byte('0' + d)
				n++
			}
			gap, end = 0, i+utf8.RuneLen(r)
		case n > 0 && gap == 0 && separator(r):
			gap = 1
		case n > 0:
			if isCard(r) {
				return true
			}
			n, gap = 0, 0
		}
		last = r
	}
	return n > 0 && isCard(0)
}

// manyDigits is the cheap test that nearly every text fails.
func manyDigits(s string) bool {
	n := 0
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' || c >= utf8.RuneSelf {
			if n++; n >= 13 {
				return true
			}
		}
	}
	return false
}

var uuidForm = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

// digitOf is r's decimal value, or -1. Unicode keeps each script's ten digits
// together and in order.
func digitOf(r rune) int {
	if r < utf8.RuneSelf {
		if r >= '0' && r <= '9' {
			return int(r - '0')
		}
		return -1
	}
	if !unicode.Is(unicode.Nd, r) {
		return -1
	}
	if r >= 0x1d7ce && r <= 0x1d7ff { // mathematical digits: five sets in a row
		return int(r-0x1d7ce) % 10
	}
	v := 0
	for v < 9 && unicode.Is(unicode.Nd, r-1) && (r-1)/16 == r/16 {
		r--
		v++
	}
	return v
}

func alnum(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func separator(r rune) bool {
	switch r {
	case '.', '-', ' ', '\u00ad', '\u00b7', '\u2212', '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u3002', '\uff0e':
		return true
	}
	return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r)
}

// cardPrefix reports whether the networks issue cards of this prefix and length.
// Fourteen digits are Diners Club alone, or every third CNPJ would have to pass Luhn
// by luck; thirteen are Visa, Hipercard and old Maestro.
func cardPrefix(n []byte) bool {
	p := 0
	for _, d := range n[:4] {
		p = p*10 + int(d-'0')
	}
	in := func(lo, hi int) bool { return p >= lo && p <= hi }
	long := len(n) >= 16
	switch {
	case in(4000, 4999): // Visa; Elo's 4011, 4312, 4389, 4514, 4576
		return len(n) == 13 || long
	case in(5100, 5599), in(2221, 2720), in(2200, 2204): // Mastercard, Mir
		return long
	case in(3400, 3499), in(3700, 3799): // American Express
		return len(n) == 15
	case in(3000, 3059), in(3090, 3099), in(3600, 3699), in(3800, 3999): // Diners Club
		return len(n) == 14 || long
	case in(3528, 3589): // JCB
		return long
	case in(5018, 5018), in(5020, 5020), in(5038, 5038), in(5893, 5893), in(6304, 6304), in(6759, 6763), in(6062, 6062): // Maestro, Hipercard
		return len(n) == 13 || len(n) == 15 || long
	case in(5000, 5099), in(5600, 6999): // Maestro, Elo, Discover, UnionPay, RuPay
		return long
	case in(8100, 8299): // UnionPay, RuPay
		return long
	}
	return false
}
