package giro

import (
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
		if n.BRCode, err = code.Encode(); err == nil {
			n.QRSVG, err = bank.QRSVG(n.BRCode)
		}
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
