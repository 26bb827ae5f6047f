package api

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"giro"
)

// cardNames are the names under which card data travels. A field of such a name
// is refused wherever it stands and whatever it holds.
var cardNames = map[string]bool{
	"cvv": true, "cvc": true, "cvv2": true, "pin": true, "track1": true, "track2": true, "pan": true, "card_number": true,
}

const cardMessage = "card numbers and card secrets must not be sent here; use a token of the card provider"

// hasCardNumber reports whether a card number stands in s (semantics §5 G).
// Most strings are too short for one, which costs one look at each byte.
func hasCardNumber(s string) bool {
	if len(s) < 13 {
		return false
	}
	digits := 0
	for i := range len(s) {
		// A byte outside ASCII may be part of a digit of another script.
		if c := s[i]; '0' <= c && c <= '9' || c >= 0x80 {
			digits++
		}
	}
	return digits >= 13 && findCardNumber(s)
}

// findCardNumber holds the rule of semantics §5 G row 172: a maximal run of 13 to
// 19 digits, single separators inside it removed, with the prefix of a card
// scheme and a right check digit (Luhn, ISO/IEC 7812-1), that no letter or digit
// touches.
func findCardNumber(s string) bool {
	var digits []byte
	joined, separator := false, false // a letter touches the run; a separator ended it, so far
	isCard := func(after rune) bool {
		touched := joined || !separator && (unicode.IsLetter(after) || unicode.IsDigit(after))
		return !touched && len(digits) >= 13 && len(digits) <= 19 && cardPrefix(digits) && luhn(digits)
	}
	previous := ' '
	for _, r := range s {
		switch digit, ok := decimalDigit(r); {
		case ok:
			if len(digits) == 0 {
				joined = unicode.IsLetter(previous) || unicode.IsDigit(previous)
			}
			digits, separator = append(digits, digit), false
		case len(digits) > 0 && !separator && (r == ' ' || r == '-' || r == '.' || r == '\u00a0' || r == '\u202f'):
			separator = true
		default:
			if isCard(r) {
				return true
			}
			digits, separator = digits[:0], false
		}
		previous = r
	}
	return isCard(' ')
}

// decimalDigit reads an ASCII or full-width digit.
func decimalDigit(r rune) (byte, bool) {
	switch {
	case '0' <= r && r <= '9':
		return byte(r - '0'), true
	case '０' <= r && r <= '９':
		return byte(r - '０'), true
	}
	return 0, false
}

func cardPrefix(d []byte) bool {
	four := int(d[0])*1000 + int(d[1])*100 + int(d[2])*10 + int(d[3])
	return 2221 <= four && four <= 2720 || 3 <= d[0] && d[0] <= 6
}

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i])
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// findCards refuses card data in a node: by the name of a field or by a number
// in a string. Values that a schema judges by type are left alone.
func (s *schema) findCards(d *document, i uint32) error {
	n := &d.nodes[i]
	switch n.kind {
	case jsonString:
		if (s == nil || !s.judged) && hasCardNumber(d.str(i)) {
			return giro.Refuse(giro.CodeCardData, d.pointer(i), cardMessage)
		}
	case jsonArray:
		var item *schema
		if s != nil {
			item = s.item
		}
		for c := i + 1; c < n.next; c = d.nodes[c].next {
			if err := item.findCards(d, c); err != nil {
				return err
			}
		}
	case jsonObject:
		if s != nil && s.kind == kindEither {
			s = s.options[1]
		}
		card := i > 0 && d.key(i) == "card"
		for c := i + 1; c < n.next; c = d.nodes[c].next {
			key := d.key(c)
			if cardNames[strings.ToLower(key)] || card && key == "number" {
				return giro.Refuse(giro.CodeCardData, d.pointer(c), cardMessage)
			}
			if hasCardNumber(key) { // the pointer would repeat it
				return giro.Refuse(giro.CodeCardData, d.pointer(i), cardMessage)
			}
			var member *schema
			if s != nil {
				if f := s.field(key); f != nil {
					member = f.schema
				}
			}
			if err := member.findCards(d, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// findCardsAround refuses card numbers in the URL and in headers, which end up
// in other people's logs before they reach giro. Param names the place without
// a slash: such a refusal is 400, one in the body 422.
func findCardsAround(r *http.Request) error {
	if hasCardNumber(r.URL.Path) || hasCardNumber(r.URL.RawPath) {
		return giro.Refuse(giro.CodeCardData, "path", cardMessage)
	}
	if q := r.URL.RawQuery; len(q) >= 13 {
		if v, err := url.QueryUnescape(q); hasCardNumber(q) || err == nil && hasCardNumber(v) {
			return giro.Refuse(giro.CodeCardData, "query", cardMessage)
		}
	}
	for name, values := range r.Header {
		if name == "Authorization" || name == "Cookie" {
			continue // random, never logged, and compared as a whole
		}
		for _, v := range values {
			if hasCardNumber(v) {
				return giro.Refuse(giro.CodeCardData, name, cardMessage)
			}
		}
	}
	return nil
}
