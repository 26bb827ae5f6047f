package bank

import (
	"regexp"
	"strings"
)

// ParseIBAN reads an IBAN, with blanks and in either case, and returns it compact in
// upper case. Country, length and structure are those of the SWIFT IBAN registry's
// 89 countries; check digits 02–98, mod 97 = 1 (ISO 13616, ISO/IEC 7064).
func ParseIBAN(s string) (string, error) {
	n, err := compactIBAN(s)
	if err != nil {
		return "", err
	}
	if len(n) < 5 {
		return "", length("the IBAN is too short")
	}
	structure, ok := ibanStructures[n[:2]]
	if !ok {
		return "", unknown("the country has no IBAN")
	}
	if !allDigits(n[2:4]) {
		return "", format("an IBAN has two check digits behind its country")
	}
	rest := n[4:]
	total := 0
	for _, part := range structure {
		total += part.count
	}
	if len(rest) != total {
		return "", length("the IBAN has the wrong length for its country")
	}
	for _, part := range structure {
		if !part.holds(rest[:part.count]) {
			return "", format("the IBAN does not have the structure of its country")
		}
		rest = rest[part.count:]
	}
	if n[2:4] != ibanCheck(n[:2], n[4:]) {
		return "", checkDigit("the IBAN")
	}
	return n, nil
}

func compactIBAN(s string) (string, error) {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) > longest {
		return "", length("the IBAN is too long")
	}
	if !allAlnum(s) {
		return "", format("an IBAN is letters and digits")
	}
	return strings.ToUpper(s), nil
}

// ibanCheck is 98 - (bban country 00) mod 97, always 02 to 98.
func ibanCheck(country, bban string) string {
	r := 98 - mod97(bban+country+"00")
	return digit(r/10) + digit(r%10)
}

// mod97 reads letters as 10 to 35.
func mod97(s string) int {
	r := 0
	for i := range len(s) {
		if c := s[i]; c >= 'A' {
			r = (r*100 + int(c-'A') + 10) % 97
		} else {
			r = (r*10 + int(c-'0')) % 97
		}
	}
	return r
}

// ibanPart is count characters of kind n (digits), a (letters) or c (either).
type ibanPart struct {
	count int
	kind  byte
}

func (p ibanPart) holds(s string) bool {
	for i := range len(s) {
		isDigit := s[i] >= '0' && s[i] <= '9'
		if p.kind == 'n' && !isDigit || p.kind == 'a' && isDigit {
			return false
		}
	}
	return true
}

var ibanStructures = func() map[string][]ibanPart {
	m := map[string][]ibanPart{}
	for _, row := range strings.Fields(ibanRegistry) {
		country, structure, _ := strings.Cut(row, ":")
		count := 0
		for _, c := range []byte(structure) {
			if c >= '0' && c <= '9' {
				count = count*10 + int(c-'0')
				continue
			}
			m[country] = append(m[country], ibanPart{count, c})
			count = 0
		}
	}
	return m
}()

// ibanRegistry is each country's part behind the check digits, neighbours of one
// kind added up.
const ibanRegistry = `
AD:8n12c AE:19n AL:8n16c AT:16n AZ:4a20c BA:16n BE:12n BG:4a6n8c BH:4a14c BI:23n BR:23n1a1c BY:4c4n16c CH:5n12c CR:18n
CY:8n16c CZ:20n DE:18n DJ:23n DK:14n DO:4c20n EE:16n EG:25n ES:20n FI:14n FK:2a12n FO:14n FR:10n11c2n GB:4a14n GE:2a16n
GI:4a15c GL:14n GR:7n16c GT:4c20c HN:4a20n HR:17n HU:24n IE:4a14n IL:19n IQ:4a15n IS:22n IT:1a10n12c JO:4a4n18c KW:4a22c
KZ:3n13c LB:4n20c LC:4a24c LI:5n12c LT:16n LU:3n13c LV:4a13c LY:21n MC:10n11c2n MD:2c18c ME:18n MK:3n10c2n MN:16n MR:23n
MT:4a5n18c MU:4a19n3a NI:4a20n NL:4a10n NO:11n OM:3n16c PK:4a16c PL:24n PS:4a21c PT:21n QA:4a21c RO:4a16c RS:18n RU:14n15c
SA:2n18c SC:4a20n3a SD:14n SE:20n SI:15n SK:20n SM:1a10n12c SO:19n ST:21n SV:4a20n TL:19n TN:20n TR:6n16c UA:6n19c VA:18n
VG:4a16n XK:16n YE:4a4n18c`

var bicForm = regexp.MustCompile(`^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$`)

// ParseBIC reads a business identifier code of 8 or 11 characters in either case
// (ISO 9362; the first six letters only, which is stricter than ISO 20022's pattern)
// and returns it in upper case. The branch XXX, the head office, is taken off, so that
// equal offices are equal strings. The country must exist.
func ParseBIC(s string) (string, error) {
	n, err := compactIBAN(s)
	if err != nil {
		return "", format("a BIC is letters and digits")
	}
	if len(n) != 8 && len(n) != 11 {
		return "", length("a BIC has 8 or 11 characters")
	}
	if !bicForm.MatchString(n) {
		return "", format("the BIC is malformed")
	}
	if _, err := ParseCountry(n[4:6]); err != nil {
		return "", unknown("the BIC's country does not exist")
	}
	return strings.TrimSuffix(n, "XXX"), nil
}

// ParseRouting reads a US routing number: 9 digits, the first two 00–12, 21–32,
// 61–72 or 80, weights 3,7,1, mod 10 (ABA Routing Number Policy).
func ParseRouting(s string) (string, error) {
	n, err := digits("the routing number", s, 9, 9)
	if err != nil {
		return "", err
	}
	p := n[:2]
	if !(p <= "12" || p >= "21" && p <= "32" || p >= "61" && p <= "72" || p == "80") || n == "000000000" {
		return "", format("no routing number begins like this")
	}
	if weigh(n, 3, 7, 1)%10 != 0 {
		return "", checkDigit("the routing number")
	}
	return n, nil
}
