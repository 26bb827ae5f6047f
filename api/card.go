package api

import (
	"net/http"
	"net/url"
	"strings"

	"giro"
	"giro/bank"
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
	return digits >= 13 && bank.FindCardNumber(s)
}

// findCards refuses card data in a node: by the name of a field or by the digits
// of a string or number. Values that a schema judges by type are left alone.
func (s *schema) findCards(d *document, i uint32) error {
	n := &d.nodes[i]
	switch n.kind {
	case jsonString:
		if (s == nil || !s.judged) && hasCardNumber(d.str(i)) {
			return giro.Refuse(giro.CodeCardData, d.pointer(i), cardMessage)
		}
	case jsonNumber:
		// A number where one belongs is bounded by its own rule.
		if (s == nil || s.kind != kindAmount && s.kind != kindInteger && s.kind != kindTime) && hasCardNumber(d.raw(i)) {
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
