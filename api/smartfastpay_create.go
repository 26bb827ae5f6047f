package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	"giro"
	"giro/bank"
	"giro/money"
)

// The forms of bodies. A transaction id that was used with one is another
// request in any other.
const (
	formPayout   = "payout"
	formPayment  = "payment"
	formBoleto   = "boleto"
	formPicPay   = "picpay"
	formCard     = "credit_card"
	formCheckout = "checkout"
	formPayIn    = "payin"
	formPayOutV2 = "payout_v2"
	formTrade    = "trade"
)

// The largest amount of a flat body, decimal(10,2), and its smallest, in units
// of a currency with two places.
const (
	flatAmountMax = 99_999_999_99
	flatAmountMin = 2_00
)

// flatAmount reads the amount of a flat body.
func flatAmount(f *reading, o *dialectOrder) {
	if f.err != nil {
		return
	}
	scale := func(v int64) int64 {
		for range 2 - min(o.currency.Exponent(), 2) {
			v /= 10
		}
		return v
	}
	o.req.Amount, o.req.Currency = f.amount("amount", o.currency, scale(flatAmountMin)), o.currency
	if o.req.Amount > scale(flatAmountMax) && o.currency.Exponent() <= 2 {
		f.refuse(giro.CodeAmountTooLarge, "amount", "must be at most 99999999.99")
	}
}

// flatOrder reads what all flat bodies share.
func (c *call) flatOrder(f *reading, form string, documentNeeded bool) *dialectOrder {
	o := &dialectOrder{names: flatNames}
	o.wire.Form = form
	c.where(f, o, "country", "currency", "BRA")
	o.wire.Customer = f.text("customer_id", 1, 255)
	o.wire.Branch = f.text("branch", 0, 255)
	p := giro.Party{Name: f.text("name", 3, 150), Email: f.email("email", true)}
	if documentNeeded || f.has("document") {
		p.Document = o.document(f, "document_type", "document", false)
	}
	flatAmount(f, o)
	o.req.Notify = c.notify(f, "callback")
	o.req.Reference = f.text("transaction.id", 1, 255)
	p.Phone = o.phone(f, "phone", false)
	o.party(p)
	c.exchange(f, o)
	return o
}

// nestedOrder reads what all nested bodies share.
func (c *call) nestedOrder(f *reading, form string, emailNeeded bool) *dialectOrder {
	o := &dialectOrder{names: nestedNames}
	o.wire.Form = form
	currency := "transaction.currency"
	if form == formTrade {
		currency = "" // the quote has it
	}
	c.where(f, o, "country", currency, "")
	o.wire.Customer = f.text("customer.id", 1, 255)
	o.wire.Branch = f.text("branch", 0, 255)
	p := giro.Party{Name: f.text("customer.name", 1, 150), Email: f.email("customer.email", emailNeeded)}
	p.Document = o.document(f, "customer.document.type", "customer.document.number", true)
	p.Phone = o.phone(f, "customer.phone", false)
	o.req.Notify = c.notify(f, "notification_url")
	o.req.Reference = f.text("transaction.id", 1, 255)
	if form == formTrade {
		c.quoted(f, o)
	} else if f.err == nil {
		o.req.Amount, o.req.Currency = f.amount("transaction.amount", o.currency, 1), o.currency
		c.exchange(f, o)
	}
	o.party(p)
	return o
}

// quoted takes amount, currency and exchange from the quote that a body names.
func (c *call) quoted(f *reading, o *dialectOrder) {
	v := f.text("transaction.quote_id", 1, 64)
	if f.err != nil {
		return
	}
	unknown := giro.Refuse(giro.CodeInvalidValue, "/transaction/quote_id", "there is no such quote")
	id, ok := giro.ParseUUID(v)
	if !ok {
		f.err = unknown
		return
	}
	q, err := c.engine().Quote(c.ctx, c.book(), id)
	switch {
	case giro.Is(err, giro.CodeNotFound):
		f.err = unknown
	case err != nil:
		f.err = err
	case q.To != o.rules.currency:
		f.refuse(giro.CodeCurrencyMismatch, "transaction.quote_id", "the quote is for another country's currency")
	default:
		o.currency, o.wire.Currency = q.Currency, string(q.Currency)
		o.req.Amount, o.req.Currency, o.req.Exchange, o.req.Quote = q.Amount, q.Currency, q.Exchange(), q.ID
	}
}

// party names whom the movement is with, and makes the customer of it on the
// first use of its id.
func (o *dialectOrder) party(p giro.Party) {
	o.req.CustomerReference, o.req.NewCustomer = o.wire.Customer, &p
	recipient := p
	o.req.Recipient = &recipient
}

// pays fills in where a payout goes, and has the domain judge it.
func (o *dialectOrder) pays(f *reading, method, key, phone string, account giro.Bank) {
	if f.err != nil {
		return
	}
	o.wire.Method = method
	o.req.Provider = "bank"
	switch method {
	case "pix":
		o.req.Bank = &giro.Bank{Method: "pix", Key: key}
	case "bank_transfer":
		account.Method, account.Country = "transfer", o.country.Alpha2
		if o.country.Alpha2 == "MX" {
			account = giro.Bank{Method: "spei", Account: account.AccountNumber, BankCode: account.BankCode}
		}
		o.req.Bank = &account
	default: // transfiya, mobile_money
		o.req.Provider, o.req.Mobile = "mobile", &giro.Mobile{Phone: phone}
		return
	}
	if err := o.req.Bank.Check("/bank", true); err != nil {
		f.err = o.names.of(err)
	}
}

// createFlatPayout is POST /payout.
func createFlatPayout(c *call) error {
	f := &reading{root: c.body}
	o := c.flatOrder(f, formPayout, true)
	method := strings.ToLower(f.text("payout_method", 0, 40))
	if method == "" { // bodies of the first generation name none
		switch {
		case o.country.Alpha2 == "CO" && !f.has("bank"):
			method = "transfiya"
		case o.country.Alpha2 == "BR" && (f.has("pix.key") || !f.has("bank")):
			method = "pix"
		default:
			method = "bank_transfer"
		}
	}
	if f.err == nil {
		f.choose("payout_method", method, o.rules.payouts)
	}
	key, phone := "", ""
	var account giro.Bank
	switch method {
	case "pix":
		key = f.text("pix.key", 1, 77)
	case "bank_transfer":
		// A branch's check digit, behind a dash, is no part of its number.
		branch, _, _ := strings.Cut(f.text("bank.agency", 0, 20), "-")
		account = giro.Bank{BankCode: f.text("bank.code", 0, 20), Branch: branch, AccountNumber: f.text("bank.account", 1, 64)}
		operation := f.text("bank.account_operation", 0, 40)
		if operation == "" {
			operation = f.text("bank.account_type", 0, 40)
		}
		// Banks have operations of their own; one that is no type is left out.
		if _, err := bank.ParseAccount(bank.Account{Country: "AR", Number: "alias.alias", Type: operation}); err == nil {
			account.AccountType = operation
		}
	default:
		phone = o.phone(f, "phone", true)
	}
	o.pays(f, method, key, phone, account)
	return c.createDialectPayout(f, o)
}

// createNestedPayout is POST /v2/payout and, with a quote, /v2/trade/payout.
func createNestedPayout(form string) func(c *call) error {
	return func(c *call) error {
		f := &reading{root: c.body}
		o := c.nestedOrder(f, form, false)
		method := strings.ToLower(f.text("payment_method", 0, 40))
		if f.err == nil {
			f.choose("payment_method", method, o.rules.payouts)
		}
		key, phone := "", ""
		var account giro.Bank
		switch method {
		case "pix":
			key = f.text("transfer.value", 1, 77)
		case "bank_transfer":
			branch := f.text("bank_transfer.bank_branch", 0, 20)
			if branch == "" {
				branch = f.text("bank_transfer.bank_agency", 0, 20)
			}
			branch, _, _ = strings.Cut(branch, "-")
			account = giro.Bank{
				BankCode: f.text("bank_transfer.bank_code", 0, 20), Branch: branch,
				AccountNumber: f.text("bank_transfer.bank_account_number", 1, 64), AccountType: f.text("bank_transfer.bank_account_type", 0, 40),
			}
		case "mobile_money":
			o.phone(f, "customer.phone", true)
			phone = o.phone(f, "transfer.value", true)
		default:
			phone = o.phone(f, "transfer.value", true)
		}
		o.pays(f, method, key, phone, account)
		return c.createDialectPayout(f, o)
	}
}

// dialectCall is the request as the engine sees it. The dialect has no
// Idempotency-Key: the transaction id is its guard.
func (c *call) dialectCall() (*giro.Call, error) {
	g := &giro.Call{Merchant: c.caller.Merchant, Live: c.caller.Live, Key: c.caller.Key, RequestID: c.rid}
	return g, c.simulate(g)
}

func (o *dialectOrder) keep() error {
	wire, err := json.Marshal(&o.wire)
	o.req.Wire = wire
	return err
}

func (c *call) createDialectPayout(f *reading, o *dialectOrder) error {
	if f.err != nil {
		return f.err
	}
	g, err := c.dialectCall()
	if err != nil {
		return err
	}
	if err := o.keep(); err != nil {
		return err
	}
	r, err := c.engine().CreatePayout(c.ctx, g, o.req)
	if err != nil {
		return o.names.of(err)
	}
	m := r.Movement
	var a appender
	a.text("id", m.ID.String())
	a.text("status", created(r))
	if o.wire.Form == formPayout {
		flatValues(&a, m, "fee")
	} else {
		var p appender
		p.text("method", o.wire.Method)
		a.raw("payment", p.close())
		nestedValues(&a, m, &o.wire)
	}
	return c.sendData(a.close())
}

// created is the status that the first answer of a creation has; a repeated
// request is answered the same, whatever has become of it since.
func created(r *giro.Result) string {
	if !r.Existing && r.Movement.Status == giro.StatusOnHold {
		return "onhold"
	}
	return "pending"
}

// flatValues writes what a flat body's amount comes to.
func flatValues(a *appender, m *giro.Movement, fee string) {
	amount, currency := m.Outside()
	total := money.FormatScale(amount, currency, 2)
	var v appender
	v.text("total", total)
	v.text("subtotal", total)
	v.text("exchange", rateOf(m))
	v.number(fee, 0)
	a.raw("values", v.close())
}

func rateOf(m *giro.Movement) string {
	if x := m.Detail.Exchange; x != nil {
		return x.Rate.String()
	}
	return "1.00"
}

// nestedValues writes what a nested body's amount comes to.
func nestedValues(a *appender, m *giro.Movement, w *dialectWire) {
	amount, currency := m.Outside()
	exchanged := string(currency)
	if m.Detail.Exchange == nil {
		exchanged = w.Currency
	}
	var v appender
	v.text("source_total", money.FormatScale(m.Amount, m.Currency, 8))
	v.text("source_currency", w.Currency)
	v.text("exchanged_total", money.FormatScale(amount, currency, 2))
	v.text("exchanged_currency", exchanged)
	v.text("exchange", rateOf(m))
	v.text("fee", money.FormatScale(m.Fee, m.Currency, 8))
	a.raw("values", v.close())
}

// collects fills in how a payer pays.
func (c *call) collects(f *reading, o *dialectOrder, path, method string) {
	if f.err != nil {
		return
	}
	f.choose(path, method, o.rules.payins)
	if f.err == nil && c.caller.Live && method != "pix" && method != "boleto" && method != "bolepix" && c.caller.Merchant.Rails["bank/transfer"] == "" && c.caller.Merchant.Rails["bank"] == "" {
		f.refuse(giro.CodeProviderUnavailable, path, "no rail of this merchant collects by this method in live mode")
	}
	o.wire.Method = method
	o.req.Provider, o.req.Capture = "bank", true
	switch method {
	case "pix", "boleto":
		o.req.Bank = &giro.Bank{Method: method}
	case "bolepix":
		o.req.Bank, o.req.Hybrid = &giro.Bank{Method: "boleto"}, true
	default:
		o.req.Bank = &giro.Bank{Method: "transfer", Country: o.country.Alpha2}
	}
	// When it expires: a name of giro's own, for want of a published one.
	for _, name := range []string{"expires_in", "transaction.expires_in"} {
		if v := f.text(name, 0, 10); v != "" && f.err == nil {
			d, err := time.ParseDuration(v + "s")
			if seconds := int64(d / time.Second); err != nil || strings.ContainsAny(v, ".-+") || seconds < 60 || seconds > 31*24*3600 {
				f.refuse(giro.CodeInvalidValue, name, "must be 60 to 2678400 seconds")
			} else {
				o.req.ExpiresIn = seconds
			}
		}
	}
}

// createDialectCharge makes the charge of a body, waiting for the codes that a
// rail has yet to give.
func (c *call) createDialectCharge(f *reading, o *dialectOrder) (*giro.Result, error) {
	if f.err != nil {
		return nil, f.err
	}
	g, err := c.dialectCall()
	if err != nil {
		return nil, err
	}
	if err := o.keep(); err != nil {
		return nil, err
	}
	o.req.Recipient = nil // a charge has a payer: its customer
	r, err := c.engine().CreateCharge(c.ctx, g, o.req)
	if err != nil {
		return nil, o.names.of(err)
	}
	return r, c.awaitNext(r)
}

// awaitNext waits a few seconds for what a provider's rail makes for the payer.
func (c *call) awaitNext(r *giro.Result) error {
	if rail := r.Movement.Detail.Rail; rail == "sandbox" || rail == "manual" {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	for r.Movement.Detail.Next == nil && !r.Movement.Status.Final() {
		committed := c.engine().Committed()
		m, err := c.engine().Store.Movement(ctx, r.Movement.Book, r.Movement.Kind, r.Movement.ID)
		if err != nil || m == nil {
			return err
		}
		if r.Movement = m; m.Detail.Next != nil {
			return nil
		}
		select {
		case <-committed:
		case <-ctx.Done():
			return nil // pending, without codes yet
		}
	}
	return nil
}

// createFlatPayment is POST /payment, /boleto, /picpay and /credit_card.
func createFlatPayment(form string) func(c *call) error {
	return func(c *call) error {
		f := &reading{root: c.body}
		o := c.flatOrder(f, form, true)
		path, method := "payment_method", form
		if form == formPayment {
			method = strings.ToLower(f.text("payment_method", 0, 40))
			if method == "" && o.country.Alpha2 == "BR" {
				method = "pix"
			}
		}
		if form == formBoleto {
			c.address(f, "address", true)
		}
		o.wire.Redirect = c.redirect(f, "transaction.redirect.url")
		c.collects(f, o, path, method)
		r, err := c.createDialectCharge(f, o)
		if err != nil {
			return err
		}
		m := r.Movement
		var a appender
		a.text("id", m.ID.String())
		a.text("status", "pending")
		a.number("expires_in", m.Detail.ExpiresAt/1_000_000)
		var p appender
		p.text("method", method)
		a.raw("payment", p.close())
		fee := "fee"
		if form == formBoleto {
			fee = "tax"
		}
		flatValues(&a, m, fee)
		next := m.Detail.Next
		if next == nil {
			next = &giro.NextAction{}
		}
		var d appender
		switch method {
		case "pix":
			d.text("qrcode", next.BRCode)
			d.text("reference", txIDOf(next))
			d.text("beneficiary", c.beneficiary())
			d.text("qrcode_image", imageOf(next))
			a.raw("pix", d.close())
		case "boleto":
			d.text("url", c.checkoutURL(m))
			d.text("code", next.DigitableLine)
			d.text("bar_code", next.BarCode)
			d.text("expired_at", itoa(m.Detail.ExpiresAt/1_000_000))
			a.raw("boleto", d.close())
		case "bank_transfer":
			c.collectingAccount(&d, m)
			a.raw("bank", d.close())
		default:
			d.text("url", c.checkoutURL(m))
			a.raw(method, d.close())
		}
		return c.sendData(a.close())
	}
}

// createPayIn is POST /v2/payin.
func createPayIn(c *call) error {
	f := &reading{root: c.body}
	method := strings.ToLower(f.text("payment_method", 1, 40))
	o := c.nestedOrder(f, formPayIn, method != "pse")
	c.address(f, "customer.address", method == "boleto" || method == "bolepix")
	o.wire.Redirect = c.redirect(f, "redirect_url")
	c.collects(f, o, "payment_method", method)
	r, err := c.createDialectCharge(f, o)
	if err != nil {
		return err
	}
	m := r.Movement
	next := m.Detail.Next
	if next == nil {
		next = &giro.NextAction{}
	}
	var p appender
	p.text("method", method)
	switch {
	case method == "pix":
		p.text("qr_code", next.BRCode)
		p.text("qr_code_image", imageOf(next))
	case method == "boleto" || method == "bolepix":
		p.text("url", c.checkoutURL(m))
		p.text("bar_code", next.BarCode)
		p.text("digitable_line", next.DigitableLine)
		if method == "bolepix" {
			p.text("qr_code", next.BRCode)
			p.text("qr_code_image", imageOf(next))
		}
	case method == "bank_transfer" && o.country.Alpha2 == "BR":
		c.collectingAccount(&p, m)
	default:
		p.text("url", c.checkoutURL(m))
	}
	var a appender
	a.text("id", m.ID.String())
	a.text("status", "pending")
	a.number("expires_in", m.Detail.ExpiresAt/1_000_000)
	a.raw("payment", p.close())
	nestedValues(&a, m, &o.wire)
	return c.sendData(a.close())
}

// createCheckout is POST /transaction/checkout in both generations: a charge
// whose payer chooses the method on a page.
func createCheckout(nested bool) func(c *call) error {
	return func(c *call) error {
		f := &reading{root: c.body}
		var o *dialectOrder
		kind := "URL"
		if nested {
			o = c.nestedOrder(f, formCheckout, true)
			o.wire.Redirect = c.redirect(f, "redirect_url")
			o.wire.Methods = f.texts("payment_method")
		} else {
			o = c.flatOrder(f, formCheckout, false)
			o.wire.Redirect = c.redirect(f, "transaction.redirect.url")
			o.wire.Methods = f.texts("payment.method")
			if v := strings.ToUpper(f.text("transaction.redirect.type", 0, 10)); v != "" {
				kind = v
			}
			if kind != "URL" && kind != "HTML" {
				f.refuse(giro.CodeInvalidValue, "transaction.redirect.type", "must be URL or HTML")
			}
		}
		if f.err == nil {
			for _, method := range o.wire.Methods {
				f.choose(map[bool]string{true: "payment_method", false: "payment.method"}[nested], method, o.rules.payins)
			}
			if len(o.wire.Methods) == 0 {
				o.wire.Methods = o.rules.payins
			}
			c.collects(f, o, "payment_method", o.rules.payins[0])
			// Nothing is chosen yet.
			o.wire.Method, o.req.Hybrid = "", false
			o.req.Bank = &giro.Bank{Method: "transfer", Country: o.country.Alpha2}
		}
		r, err := c.createDialectCharge(f, o)
		if err != nil {
			return err
		}
		m := r.Movement
		url := c.checkoutURL(m)
		var a appender
		if kind == "HTML" {
			a.text("html", `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=`+url+`"><a href="`+url+`">`+url+`</a>`)
		}
		a.text("url", url)
		a.text("id", m.ID.String())
		a.text("transaction_id", m.Reference)
		a.number("expires_in", m.Detail.ExpiresAt/1_000_000)
		return c.sendData(a.close())
	}
}

// address checks the shape of a payer's address, in both spellings that the
// published pages have. giro hands it to nobody and keeps nothing of it.
func (c *call) address(f *reading, at string, needed bool) {
	if !f.has(at) {
		if needed {
			f.refuse(giro.CodeMissingField, at, "the field is required")
		}
		return
	}
	for _, spellings := range [][]string{{"address_1", "addres_1"}, {"address_2", "addres_2"}, {"number"}, {"neighborhood", "neightborhood"}, {"city"}, {"state"}, {"postal_code"}, {"country_code"}} {
		for _, name := range spellings {
			f.text(at+"."+name, 0, 255)
		}
	}
}

// redirect reads where the payer is sent back to.
func (c *call) redirect(f *reading, path string) string {
	v := f.text(path, 0, 250)
	if v != "" && !strings.HasPrefix(v, "https://") && !strings.HasPrefix(v, "http://") {
		f.refuse(giro.CodeInvalidFormat, path, "must be an https URL")
	}
	return v
}

func txIDOf(n *giro.NextAction) string {
	code, err := bank.DecodeBRCode(n.BRCode)
	if err != nil {
		return ""
	}
	return code.TxID
}

// imageOf is the QR code as an image that a page can show as it is.
func imageOf(n *giro.NextAction) string {
	svg, err := bank.QRSVG(n.BRCode)
	if err != nil {
		return "" // a slip without a code
	}
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg))
}

func (c *call) beneficiary() string { return c.caller.Merchant.Name }

// collectingAccount writes the account that the payer sends money to: in test
// mode one that exists nowhere, always the same for one charge.
func (c *call) collectingAccount(a *appender, m *giro.Movement) {
	n := binary.BigEndian.Uint64(m.ID[8:])
	a.text("name", "Banco Sandbox")
	a.text("code", "999")
	a.text("agency", "0001")
	digits := itoa(int64(n % 100_000_000))
	a.text("account", strings.Repeat("0", 8-len(digits))+digits+"-"+itoa(int64(n/100_000_000%10)))
	a.text("account_operation", "Conta Corrente")
	a.text("document", bank.Sample("cnpj", n))
	a.text("beneficiary", c.beneficiary())
}

// createQuote is POST /v2/trade/quote: how much of a currency an amount of
// another is, for five minutes.
func createQuote(c *call) error {
	f := &reading{root: c.body}
	under := ""
	if f.has("transaction") {
		under = "transaction."
	}
	currency := func(names ...string) money.Currency {
		for _, name := range names {
			if v := f.text(under+name, 0, 3); v != "" {
				parsed, _, err := parseDialectCurrency(v, pointerOf(under+name))
				if err != nil && f.err == nil {
					f.err = err
				}
				return parsed
			}
		}
		return ""
	}
	from := currency("source_currency", "currency")
	to := currency("target_currency", "exchanged_currency")
	if from == "" {
		f.refuse(giro.CodeMissingField, under+"source_currency", "the field is required")
	}
	if to == "" {
		to = "BRL"
	}
	if f.err != nil {
		return f.err
	}
	amount := f.amount(under+"amount", from, 1)
	if f.err != nil {
		return f.err
	}
	g, err := c.dialectCall()
	if err != nil {
		return err
	}
	q, err := c.engine().CreateQuote(c.ctx, g, amount, from, to)
	if err != nil {
		return names{"/currency": under + "source_currency", "/amount": under + "amount"}.of(err)
	}
	var a appender
	a.text("id", q.ID.String())
	a.text("quote_id", q.ID.String())
	a.text("source_total", money.FormatScale(q.Amount, q.Currency, 8))
	a.text("source_currency", string(q.Currency))
	a.text("exchanged_total", money.FormatScale(q.Arrives, q.To, 2))
	a.text("exchanged_currency", string(q.To))
	a.text("exchange", q.Rate.String())
	a.number("expires_in", q.Expires/1_000_000)
	a.text("created_at", dialectTime(q.Created))
	a.text("expires_at", dialectTime(q.Expires))
	return c.sendData(a.close())
}
