package giro

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the movement as events keep it, and as v1 shows it but for
// the QR code, which WithQR adds: the fields of the seeds 000–002 first, in their
// order and types.
func (m *Movement) AppendJSON(b []byte) []byte {
	d := &m.Detail
	w := writer{b}
	m.appendHead(&w)
	w.opt("failure_code", d.FailureCode)
	w.opt("failure_message", d.FailureMessage)
	w.bool("in_doubt", m.InDoubt)
	w.bool("livemode", m.Book.Live())
	w.time("created_at", m.Created)
	w.time("updated_at", m.Updated)
	w.opt("description", d.Description)
	w.opt("reference", m.Reference)
	w.id("customer", "cus", m.Customer)
	w.any("metadata", orEmpty(d.Metadata))
	w.opt("provider", d.Provider)
	w.num("version", m.Version)
	w.opt("rail", d.Rail)
	if d.EndToEnd != "" {
		w.str("end_to_end_id", d.EndToEnd)
	}
	switch m.Kind {
	case KindCharge:
		w.bool("capture", !d.ManualCapture)
		w.id("account", "acct", d.Account)
		w.opt("statement_descriptor", d.Descriptor)
		w.opt("receipt_email", d.ReceiptEmail)
		var next *NextAction // nothing is left to do once it has ended
		if m.Status == StatusPending {
			next = d.Next
		}
		w.any("next_action", next)
	case KindRefund:
		w.id("charge", "ch", m.Parent)
		w.opt("reason", d.Reason)
	case KindPayout:
		w.id("account", "acct", d.Account)
		w.party("recipient", d.Recipient)
		w.id("retry_of", "po", d.RetryOf)
	case KindTransfer:
		w.id("from_account", "acct", d.Account)
		w.id("destination", "acct", d.Destination)
		w.bool("two_phase", d.TwoPhase)
	}
	if m.Kind == KindCharge || m.Kind == KindPayout {
		w.id("source", "src", d.Source)
		if d.Card != nil {
			w.key("card")
			w.raw('{')
			w.opt("brand", d.Card.Brand)
			w.opt("last4", d.Card.Last4)
			w.raw('}')
		}
		if d.Mobile != nil {
			w.mobile(d.Mobile)
		}
		if d.Bank != nil {
			w.bank(d.Bank)
		}
	}
	if d.ExpiresAt != 0 {
		w.num("expires_at", d.ExpiresAt/1_000_000)
	}
	w.raw('}')
	return w.b
}

// ShowsAs reports whether data, as AppendJSON wrote it, begins as the movement
// does now: the same object, amounts, currency and status. What it says of older
// forms is false. It writes into scratch, which may be nil.
func (m *Movement) ShowsAs(data, scratch []byte) bool {
	w := writer{scratch[:0]}
	m.appendHead(&w)
	return len(data) > len(w.b) && bytes.HasPrefix(data, w.b) && data[len(w.b)] == ','
}

// appendHead appends what every kind shows first.
func (m *Movement) appendHead(w *writer) {
	w.raw('{')
	w.own("id", m.Kind.Prefix(), m.ID)
	w.str("object", string(m.Kind))
	w.num("amount", m.Amount)
	w.num("amount_captured", m.Captured)
	w.num("amount_refunded", m.Refunded)
	w.num("fee", m.Fee)
	w.str("currency", m.Currency.Lower())
	w.num("created", m.Created/1_000_000)
	w.str("status", string(m.Status))
}

// WireTime is the seeds' form of a time: UTC without a zone, whole seconds.
func WireTime(t time.Time) string { return string(appendWireTime(nil, t)) }

// appendWireTime leaves the zone out of RFC 3339, for which time has a short way.
func appendWireTime(b []byte, t time.Time) []byte {
	b = t.UTC().AppendFormat(b, time.RFC3339)
	return b[:len(b)-len("Z")]
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// writer appends a flat JSON object.
type writer struct{ b []byte }

func (w *writer) raw(c byte) { w.b = append(w.b, c) }

func (w *writer) key(k string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, k...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) time(k string, micros int64) {
	w.key(k)
	w.raw('"')
	w.b = appendWireTime(w.b, TimeOf(micros))
	w.raw('"')
}

func (w *writer) str(k, v string) {
	w.key(k)
	w.b = appendJSONString(w.b, v)
}

// opt writes null for an absent text.
func (w *writer) opt(k, v string) {
	w.key(k)
	if v == "" {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = appendJSONString(w.b, v)
}

func (w *writer) id(k, prefix string, v UUID) {
	if v.IsZero() {
		w.opt(k, "")
		return
	}
	w.own(k, prefix, v)
}

// own writes the id of what is written, which is never absent.
func (w *writer) own(k, prefix string, v UUID) {
	w.key(k)
	w.b = append(w.b, '"')
	w.b = append(w.b, prefix...)
	w.b = append(w.b, '_')
	w.b = v.appendBase32(w.b)
	w.b = append(w.b, '"')
}

func (w *writer) num(k string, v int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *writer) bool(k string, v bool) {
	w.key(k)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *writer) any(k string, v any) {
	w.key(k)
	switch t := v.(type) {
	case map[string]string:
		if len(t) == 0 {
			w.b = append(w.b, "{}"...)
			return
		}
	case *NextAction:
		if t == nil {
			w.b = append(w.b, "null"...)
			return
		}
	}
	j, err := json.Marshal(v)
	if err != nil { // only types of this package come here: strings and numbers
		panic(err)
	}
	w.b = append(w.b, j...)
}

// appendJSONString appends a JSON string. Text that needs no escaping, nearly
// all of it, is copied as it is.
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			j, err := json.Marshal(s)
			if err != nil {
				panic(err)
			}
			return append(b, j...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// MarshalText writes the bare UUID: the form inside stored JSON.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads it.
func (u *UUID) UnmarshalText(b []byte) error {
	v, ok := ParseUUID(string(b))
	if !ok {
		return Refuse(CodeInvalidID, "", "not a UUID")
	}
	*u = v
	return nil
}
