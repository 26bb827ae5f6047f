package api

import (
	"strings"
	"unicode/utf8"

	"giro"
	"giro/money"
)

// Notification is what the dialect tells about an event of a movement: to the
// URL that came with the movement's creation, the outcomes that the published
// pages name. nil: nothing. It is pure, so that it can run inside the deciding
// transaction; the bytes are sent as they are, on every attempt.
//
// Receivers in use check the signature over the JSON that they have decoded and
// encoded again, the PHP way (JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE),
// so the bytes are what that gives: compact, members in order, slashes and
// letters of all scripts as they are, U+2028 and U+2029 escaped, every value a
// string, no newline at the end.
func Notification(m *giro.Movement, typ string) *giro.Notice {
	to := m.Detail.Notify
	if to == nil {
		return nil
	}
	kind, what, _ := strings.Cut(typ, ".")
	switch what {
	case "succeeded", "failed", "canceled":
	case "returned", "refunded":
		if giro.Kind(kind) != giro.KindPayout {
			return nil // a payment that was refunded stays paid
		}
	default:
		return nil
	}
	w := wireOf(m)
	view := viewOf(m, &w)
	name, own := "payment", "payment_status"
	if m.Kind == giro.KindPayout {
		name, own = "payout", "payout_status"
	}
	id := m.ID.String()
	customer := w.Customer
	if customer == "" {
		customer = id
	}
	b := []byte("{")
	member := func(name, v string) {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), '"', ':')
		b = appendPHPString(b, v)
	}
	member("requestId", id)
	b = append(b, `,"data":[{`...)
	member("id", id)
	member("customer_id", customer)
	member("transaction_id", referenceOf(m))
	member("amount", money.FormatScale(m.Amount, m.Currency, 2))
	member("status", view.transaction)
	member("type", name)
	member(own, view.own)
	member("exchange", rateOf(m))
	return &giro.Notice{URL: to.URL, Profile: to.Dialect, Body: append(b, `}]}`...)}
}

// appendPHPString writes a JSON string as PHP's json_encode does with
// JSON_UNESCAPED_SLASHES and JSON_UNESCAPED_UNICODE.
func appendPHPString(b []byte, s string) []byte {
	const hexdigits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\u2028', '\u2029':
			b = append(b, '\\', 'u', '2', '0', '2', hexdigits[r&15])
		default:
			if r < ' ' {
				b = append(b, '\\', 'u', '0', '0', hexdigits[r>>4], hexdigits[r&15])
			} else {
				b = utf8.AppendRune(b, r)
			}
		}
	}
	return append(b, '"')
}
