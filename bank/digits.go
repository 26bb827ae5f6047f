package bank

import "strings"

// longest is more than any number of this package has with its punctuation. It is
// checked first, so that no parser copies a megabyte.
const longest = 80

// compact drops blanks and the punctuation that people write into numbers, and
// turns letters to upper case. Whatever else is not a letter or digit is refused.
func compact(what, s string) (string, error) {
	if len(s) > longest {
		return "", length(what + " is too long")
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9' || c >= 'A' && c <= 'Z':
			b = append(b, c)
		case c >= 'a' && c <= 'z':
			b = append(b, c-'a'+'A')
		case c == ' ' || c == '.' || c == '-' || c == '/':
		default:
			return "", format(what + " has a character that does not belong there")
		}
	}
	return string(b), nil
}

// digits is compact for numbers without letters, of lo to hi digits.
func digits(what, s string, lo, hi int) (string, error) {
	n, err := compact(what, s)
	if err != nil {
		return "", err
	}
	if !allDigits(n) {
		return "", format(what + " may hold digits only")
	}
	if len(n) < lo || len(n) > hi {
		return "", length(what + " has the wrong number of digits")
	}
	return n, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func allAlnum(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// same reports whether s repeats one character: such numbers pass many checks and
// are never issued.
func same(s string) bool { return s != "" && strings.Count(s, s[:1]) == len(s) }

func digit(n int) string { return string(rune('0' + n)) }

// weigh is the sum of s's digits times weights, from the left. Where weights are
// fewer they start over.
func weigh(s string, weights ...int) int {
	sum := 0
	for i := range len(s) {
		sum += int(s[i]-'0') * weights[i%len(weights)]
	}
	return sum
}

// weighRight is weigh from the right.
func weighRight(s string, weights ...int) int {
	sum := 0
	for i := range len(s) {
		sum += int(s[len(s)-1-i]-'0') * weights[i%len(weights)]
	}
	return sum
}

// luhnSum is the sum of s's digits, every second one doubled and replaced by its
// digit sum. The rightmost digit is doubled if double is set (ISO/IEC 7812-1 annex B).
func luhnSum(s string, double bool) int {
	sum := 0
	for i := len(s) - 1; i >= 0; i-- {
		d := int(s[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
	}
	return sum
}
