package bank

import "strings"

// dialling is what ITU-T E.164 and the national plans say of one country: its code
// and how many digits follow it. Mexico's and Argentina's mobile 1 and 9 are counted.
type dialling struct {
	code   string
	lo, hi int
}

var diallings = map[string]dialling{
	"AR": {"54", 10, 11}, "BO": {"591", 8, 8}, "BR": {"55", 10, 11}, "CL": {"56", 9, 9},
	"CO": {"57", 10, 10}, "CR": {"506", 8, 8}, "EC": {"593", 8, 10}, "GT": {"502", 8, 8},
	"IN": {"91", 10, 10}, "MX": {"52", 10, 11}, "PA": {"507", 7, 8}, "PE": {"51", 8, 9},
	"PY": {"595", 9, 9}, "US": {"1", 10, 10}, "UY": {"598", 8, 8},
}

// ParsePhone reads an international number with its "+" (ITU-T E.164: 7 to 15 digits,
// none of them a leading zero) and returns "+" and the digits. Blanks, dashes, dots
// and parentheses are taken off.
func ParsePhone(s string) (string, error) {
	n, err := dial(s)
	if err != nil {
		return "", err
	}
	if len(n) < 8 || len(n) > 16 {
		return "", length("a phone number has 7 to 15 digits behind the +")
	}
	if n[1] == '0' {
		return "", format("a phone number begins with the code of its country")
	}
	return n, nil
}

// ParsePhoneIn is ParsePhone for a phone of one country (alpha-2 or alpha-3). There
// the "+", and then the country's code, may be missing: 573051000002 and 3051000002
// are both +573051000002 in Colombia. For a country whose plan is not in the table
// the "+" is needed.
func ParsePhoneIn(country, s string) (string, error) {
	c, err := ParseCountry(country)
	if err != nil {
		return "", err
	}
	d, ok := diallings[c.Alpha2]
	if !ok {
		return ParsePhone(s)
	}
	n := strings.TrimSpace(s)
	plus := strings.HasPrefix(n, "+")
	if !plus {
		n = "+" + n
	}
	if n, err = dial(n); err != nil {
		return "", err
	}
	n = n[1:]
	fits := func(rest string) bool { return len(rest) >= d.lo && len(rest) <= d.hi }
	switch rest, found := strings.CutPrefix(n, d.code); {
	case found && fits(rest):
		return "+" + n, nil
	case plus && !found:
		return "", format("the phone number is of another country")
	case !plus && fits(n):
		return "+" + d.code + n, nil
	}
	return "", length("the phone number has the wrong number of digits")
}

// dial is "+" and the digits of a number that begins with "+".
func dial(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > longest {
		return "", length("the phone number is too long")
	}
	if !strings.HasPrefix(s, "+") {
		return "", format("a phone number begins with + and the code of its country")
	}
	b := []byte{'+'}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			b = append(b, c)
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')':
		default:
			return "", format("the phone number has a character that does not belong there")
		}
	}
	return string(b), nil
}
