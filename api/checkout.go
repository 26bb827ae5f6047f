package api

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"giro"
	"giro/bank"
	"giro/money"
)

// The hosted page of one charge: where its payer chooses the method, finds the
// codes, and in test mode plays the payer's bank. Whoever has the link may look;
// it names the charge under a MAC, so that links are not guessed.
var checkoutRoutes = []*route{
	{method: http.MethodGet, path: "/checkout/{token}", id: "checkoutPage", tag: "docs", access: accessPublic, status: 200, media: "text/html", errors: []giro.Code{giro.CodeNotFound},
		summary: "The page on which a payer pays one charge", handler: showCheckout},
	{method: http.MethodPost, path: "/checkout/{token}/{act}", id: "checkoutAct", tag: "docs", access: accessPublic, status: 303, media: "text/html", noKey: true, errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState},
		summary: "Choose the method on that page, or in test mode pay or decline", handler: actOnCheckout},
}

func (s *Server) checkoutToken(book giro.Book, id giro.UUID) string {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:8], uint64(book))
	copy(b[8:], id[:])
	return base64.RawURLEncoding.EncodeToString(append(s.cursors.mac("checkout", b[:]), b[:]...))
}

// checkoutURL is the link to a charge's page.
func (c *call) checkoutURL(m *giro.Movement) string {
	base := strings.TrimSuffix(c.s.config.URL, "/")
	if base == "" {
		base = "http://"
		if c.r.TLS != nil {
			base = "https://"
		}
		base += c.r.Host
	}
	return base + "/checkout/" + c.s.checkoutToken(m.Book, m.ID)
}

// checkout finds the charge of the link.
func (c *call) checkout() (*giro.Movement, *giro.Merchant, error) {
	position, err := c.s.cursors.open("checkout", c.path[0])
	if err != nil || len(position) != 24 {
		return nil, nil, missing("page")
	}
	book := giro.Book(binary.BigEndian.Uint64(position[:8]))
	m, err := c.engine().Store.Movement(c.ctx, book, giro.KindCharge, giro.UUID(position[8:]))
	if err != nil {
		return nil, nil, err
	}
	if m == nil || m.Deleted {
		return nil, nil, missing("page")
	}
	merchant, err := c.engine().Merchant(c.ctx, book.Merchant())
	return m, merchant, err
}

// checkoutPolicy is pagePolicy with forms that post to this server.
var checkoutPolicy = []string{strings.Replace(pagePolicy[0], "form-action 'none'", "form-action 'self'", 1)}

var methodTitles = map[string]string{
	"pix": "PIX", "boleto": "Boleto", "bolepix": "Boleto or PIX", "bank_transfer": "Bank transfer", "picpay": "PicPay", "credit_card": "Card", "pse": "PSE", "nequi": "Nequi",
	"bancolombia": "Bancolombia", "transfiya": "Transfiya", "efecty": "Efecty", "wallet": "Wallet", "cip": "CIP", "mobile_money": "Mobile money",
}

func showCheckout(c *call) error {
	m, merchant, err := c.checkout()
	if err != nil {
		return err
	}
	w := wireOf(m)
	amount, currency := m.Outside()
	var b strings.Builder
	b.WriteString(`<p>` + html.EscapeString(merchant.Name) + `</p><p><strong>` + string(currency) + ` ` + money.Format(amount, currency) + `</strong></p>`)
	form := func(act, title string) {
		b.WriteString(`<form method="post" action="/checkout/` + c.path[0] + `/` + act + `"><p><button>` + html.EscapeString(title) + `</button></p></form>`)
	}
	switch view := viewOf(m, &w); {
	case view.transaction == "open":
		b.WriteString(`<p>How do you want to pay?</p>`)
		for _, method := range w.Methods {
			form("method-"+method, methodTitles[method])
		}
	case view.own == "paid":
		b.WriteString(`<p>Paid. Thank you.</p>`)
	case view.own == "expired":
		b.WriteString(`<p>The time to pay this has passed.</p>`)
	case view.own == "denied":
		b.WriteString(`<p>This payment was not accepted.</p>`)
	default:
		b.WriteString(`<h2>` + html.EscapeString(methodTitles[methodOf(m, &w)]) + `</h2>`)
		if n := m.Detail.Next; n != nil {
			if svg, err := bank.QRSVG(n.BRCode); err == nil {
				b.WriteString(`<div>` + svg + `</div>`)
			}
			for _, line := range [][2]string{{"PIX code", n.BRCode}, {"Line to type", n.DigitableLine}, {"Bar code", n.BarCode}} {
				if line[1] != "" {
					b.WriteString(`<p>` + line[0] + `</p><pre>` + html.EscapeString(line[1]) + `</pre>`)
				}
			}
		}
		b.WriteString(`<p>Waiting for the payment, until ` + giro.TimeOf(m.Detail.ExpiresAt).Format("2006-01-02 15:04") + ` UTC. Reload this page to see it arrive.</p>`)
		if !m.Book.Live() {
			b.WriteString(`<p>This is test mode: no money moves.</p>`)
			form("paid", "Pay")
			form("declined", "Decline")
		}
	}
	if w.Redirect != "" {
		b.WriteString(`<p><a rel="noreferrer" href="` + html.EscapeString(w.Redirect) + `">Back to ` + html.EscapeString(merchant.Name) + `</a></p>`)
	}
	c.w.Header()["Content-Security-Policy"] = checkoutPolicy
	c.send(http.StatusOK, valueHTML, page("Payment", b.String()))
	return nil
}

func actOnCheckout(c *call) error {
	m, merchant, err := c.checkout()
	if err != nil {
		return err
	}
	g := &giro.Call{Merchant: merchant, Live: m.Book.Live(), RequestID: c.rid}
	w := wireOf(m)
	method, chooses := strings.CutPrefix(c.path[1], "method-")
	switch {
	case chooses && slices.Contains(w.Methods, method):
		if viewOf(m, &w).transaction != "open" {
			return giro.Refuse(giro.CodeInvalidState, "", "the method was chosen already")
		}
		w.Method = method
		wire, err := json.Marshal(&w)
		if err != nil {
			return err
		}
		of := map[string]string{"pix": "pix", "boleto": "boleto", "bolepix": "boleto"}[method]
		if of == "" {
			of = "transfer"
		}
		if _, err := c.engine().ChooseMethod(c.ctx, g, m.ID, of, method == "bolepix", m.Version, wire); err != nil {
			return err
		}
	case !m.Book.Live() && (c.path[1] == "paid" || c.path[1] == "declined"):
		outcome := map[string]string{"paid": "succeeded", "declined": "failed"}[c.path[1]]
		if _, err := c.engine().TestOutcome(c.ctx, g, giro.KindCharge, m.ID, outcome, ""); err != nil {
			return err
		}
	default:
		return missing("page")
	}
	c.w.Header()["Location"] = []string{"/checkout/" + c.path[0]}
	c.w.Header()["Content-Length"] = []string{strconv.Itoa(0)}
	c.status = http.StatusSeeOther
	c.w.WriteHeader(c.status)
	return nil
}
