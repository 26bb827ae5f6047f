package giro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"giro/bank"
)

// nextAction makes what the payer of a bank charge needs where no provider is
// asked for it: on the sandbox and the manual rail. A PIX charge carries a
// static BR Code (Banco Central, Manual do BR Code) with the charge's amount; a
// boleto its 44-digit bar code and the 47-digit line, and with hybrid the BR Code
// as well.
func nextAction(m *Movement, mer *Merchant, hybrid bool) (*NextAction, error) {
	n := &NextAction{Type: m.Detail.Method, ExpiresAt: m.Detail.ExpiresAt / 1_000_000}
	amount, currency := m.Outside()
	switch m.Detail.Method {
	case "pix", "boleto":
		if currency != "BRL" {
			return nil, Refuse(CodeCurrencyMismatch, "/currency", "PIX and boleto collect Brazilian reais")
		}
	}
	id := m.ID.ID("ch")
	var err error
	if m.Detail.Method == "pix" || hybrid {
		name := bank.ASCII(mer.Name, 25)
		if name == "" {
			name = "GIRO"
		}
		code := bank.BRCode{
			Key: mer.ID.String(), Once: true, Amount: amount, Name: name, City: "SAO PAULO",
			TxID: id[len(id)-25:], // the id's last 25 characters: the first is 0 until the year 10889
		}
		n.BRCode, err = code.Encode()
	}
	if m.Detail.Method == "boleto" && err == nil {
		due := TimeOf(m.Detail.ExpiresAt).Truncate(24 * time.Hour)
		// The free field is the bank's own: here it carries the charge's place
		// in time, so that slips differ. Bank 999 is nobody's.
		slip := bank.Boleto{Bank: "999", Due: due, Amount: amount, Free: fmt.Sprintf("%025d", m.Created)}
		if n.BarCode, err = slip.Barcode(); err == nil {
			n.DigitableLine, err = slip.Line()
		}
	}
	if err != nil {
		return nil, Refuse(CodeInvalidValue, "/amount", "no payment code holds this amount: "+err.Error())
	}
	return n, nil
}

// WithQR returns JSON in which charges stand as AppendJSON wrote them with
// "qr_svg" behind each "br_code": the code drawn, as an SVG. It is drawn when it
// is shown and never kept, being five times as long as the rest of a charge. The
// same JSON gets the same codes; without any it is returned as it is.
func WithQR(b []byte) []byte {
	// No text within a string has unescaped quotes, so this is no text.
	begin, code := []byte(`"next_action":{"type":"`), []byte(`,"br_code":`)
	var drawn []byte
	kept := 0 // what of b is in drawn
	for at := 0; ; {
		i := bytes.Index(b[at:], begin)
		if i < 0 {
			break
		}
		at += i + len(begin)
		at += bytes.IndexByte(b[at:], '"') + 1 // the type is a word
		if !bytes.HasPrefix(b[at:], code) {
			continue
		}
		at += len(code)
		var text string
		from := at
		if at += endOfString(b[at:]); json.Unmarshal(b[from:at], &text) != nil || bytes.HasPrefix(b[at:], []byte(`,"qr_svg":`)) {
			continue
		}
		svg, err := bank.QRSVG(text)
		if err != nil {
			continue // what a provider sent is too long to draw
		}
		drawn = append(append(drawn, b[kept:at]...), `,"qr_svg":`...)
		drawn = appendJSONString(drawn, svg)
		kept = at
	}
	if drawn == nil {
		return b
	}
	return append(drawn, b[kept:]...)
}

// endOfString returns how long the JSON string is that b begins with.
func endOfString(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
