package api

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"giro"
	"giro/bank"
	"giro/money"
)

// reading takes a body of the dialect apart: values by dotted path, text as a
// string or a number, members that nobody asks for ignored. The first fault is
// kept, and everything after it reads as empty.
type reading struct {
	root object
	err  error
}

func (f *reading) refuse(code giro.Code, path, message string) {
	if f.err == nil {
		f.err = giro.Refuse(code, pointerOf(path), message)
	}
}

// pointerOf writes a dotted path as the JSON pointer that refusals carry.
func pointerOf(path string) string { return "/" + strings.ReplaceAll(path, ".", "/") }

// node finds a value; absent and null are the same.
func (f *reading) node(path string) (uint32, bool) {
	o := f.root
	for {
		name, rest, deeper := strings.Cut(path, ".")
		i, ok := o.find(name)
		if !ok || !deeper {
			return i, ok
		}
		if o.d.nodes[i].kind != jsonObject {
			f.refuse(giro.CodeInvalidType, strings.TrimSuffix(path, "."+rest), "must be an object")
			return 0, false
		}
		o, path = object{o.d, i, true}, rest
	}
}

func (f *reading) has(path string) bool {
	_, ok := f.node(path)
	return ok
}

// text reads a string, or a number as it was written, of min to max characters.
// min 0: it may be absent.
func (f *reading) text(path string, min, max int) string {
	i, ok := f.node(path)
	if f.err != nil {
		return ""
	}
	v := ""
	if ok {
		switch d := f.root.d; d.nodes[i].kind {
		case jsonString:
			v = d.str(i)
		case jsonNumber:
			v = d.raw(i)
		default:
			f.refuse(giro.CodeInvalidType, path, "must be a string")
			return ""
		}
	}
	switch n := utf8.RuneCountInString(v); {
	case n == 0 && min > 0:
		f.refuse(giro.CodeMissingField, path, "the field is required")
	case n < min || n > max:
		f.refuse(giro.CodeInvalidLength, path, "must have "+strconv.Itoa(min)+" to "+strconv.Itoa(max)+" characters")
	default:
		return v
	}
	return ""
}

// amount reads a number or decimal string as minor units.
func (f *reading) amount(path string, currency money.Currency, least int64) int64 {
	v := f.text(path, 1, 400)
	if f.err != nil {
		return 0
	}
	n, err := money.Parse(v, currency)
	switch {
	case err == nil && n >= least:
		return n
	case err == nil, err == money.ErrTooSmall:
		f.refuse(giro.CodeAmountTooSmall, path, "must be at least "+money.Format(max(least, 1), currency))
	case err == money.ErrPrecision:
		f.refuse(giro.CodeAmountPrecision, path, "has more decimal places than "+string(currency))
	case err == money.ErrTooLarge:
		f.refuse(giro.CodeAmountTooLarge, path, "is too large")
	default:
		f.refuse(giro.CodeAmountFormat, path, "must be a decimal number such as 98000.00")
	}
	return 0
}

// texts reads a list of strings; a single string is a list of one.
func (f *reading) texts(path string) (list []string) {
	i, ok := f.node(path)
	if !ok || f.err != nil {
		return nil
	}
	d := f.root.d
	switch d.nodes[i].kind {
	case jsonString:
		return []string{strings.TrimSpace(d.str(i))}
	case jsonArray:
		for n := i + 1; n < d.nodes[i].next; n = d.nodes[n].next {
			if d.nodes[n].kind != jsonString {
				f.refuse(giro.CodeInvalidType, path, "must be a list of strings")
				return nil
			}
			list = append(list, strings.TrimSpace(d.str(n)))
		}
		return list
	}
	f.refuse(giro.CodeInvalidType, path, "must be a list of strings")
	return nil
}

func (f *reading) email(path string, needed bool) string {
	least := 0
	if needed {
		least = 1
	}
	v := f.text(path, least, 255)
	if v != "" && !isEmail(v) {
		f.refuse(giro.CodeEmailInvalid, path, "must be an e-mail address")
	}
	return v
}

// names are what the domain's refusals point at, in the words of a body.
type names map[string]string

// of translates a refusal of the domain. What it says about the request stands
// under the body's own field.
func (n names) of(err error) error {
	if path, ok := n[giro.AsError(err).Param]; ok {
		return at(err, pointerOf(path))
	}
	return err
}

var flatNames = names{
	"/amount": "amount", "/currency": "currency", "/reference": "transaction.id", "/customer": "customer_id", "/provider": "payment_method",
	"/recipient/document/number": "document", "/recipient/phone": "phone", "/mobile/phone": "phone",
	"/bank/key": "pix.key", "/bank/account": "bank.account", "/bank/account_number": "bank.account", "/bank/bank_code": "bank.code",
	"/bank/branch": "bank.agency", "/bank/account_type": "bank.account_operation", "/bank/country": "country",
}

var nestedNames = names{
	"/amount": "transaction.amount", "/currency": "transaction.currency", "/reference": "transaction.id", "/quote_id": "transaction.quote_id",
	"/customer": "customer.id", "/provider": "payment_method",
	"/recipient/document/number": "customer.document.number", "/recipient/phone": "customer.phone", "/mobile/phone": "transfer.value",
	"/bank/key": "transfer.value", "/bank/account": "bank_transfer.bank_account_number", "/bank/account_number": "bank_transfer.bank_account_number",
	"/bank/bank_code": "bank_transfer.bank_code", "/bank/branch": "bank_transfer.bank_branch", "/bank/account_type": "bank_transfer.bank_account_type",
	"/bank/country": "country",
}

// dialectCountry is what is paid in and out in a country.
type dialectCountry struct {
	currency money.Currency
	payouts  []string
	payins   []string
}

var dialectCountries = map[string]dialectCountry{
	"BR": {"BRL", []string{"pix", "bank_transfer"}, []string{"pix", "boleto", "bolepix", "bank_transfer", "picpay", "credit_card"}},
	"CO": {"COP", []string{"transfiya", "bank_transfer"}, []string{"pse", "nequi", "bancolombia", "transfiya", "efecty", "bank_transfer"}},
	"PE": {"PEN", []string{"bank_transfer"}, []string{"bank_transfer", "wallet", "cip", "credit_card"}},
	"EC": {"USD", []string{"bank_transfer", "mobile_money"}, []string{"bank_transfer", "wallet", "mobile_money"}},
	"CL": {"CLP", []string{"bank_transfer"}, []string{"bank_transfer", "wallet", "credit_card"}},
	"BO": {"BOB", []string{"bank_transfer"}, []string{"wallet", "bank_transfer"}},
	"MX": {"MXN", []string{"bank_transfer"}, []string{"bank_transfer"}},
	"AR": {"ARS", []string{"bank_transfer"}, []string{"bank_transfer"}},
	"IN": {"INR", []string{"bank_transfer"}, []string{"bank_transfer"}},
}

// dialectOrder is what a body of any form asks for.
type dialectOrder struct {
	names    names
	country  bank.Country
	rules    dialectCountry
	currency money.Currency // that the amount is in
	wire     dialectWire
	req      giro.Request
}

// where reads the country, and the currency that the caller's amounts are in.
func (c *call) where(f *reading, o *dialectOrder, countryPath, currencyPath, defaultCountry string) {
	v := f.text(countryPath, 0, 3)
	if v == "" {
		v = defaultCountry
	}
	if f.err != nil {
		return
	}
	if v == "" {
		f.refuse(giro.CodeMissingField, countryPath, "the field is required")
		return
	}
	known, err := bank.ParseCountry(v)
	if err != nil {
		f.refuse(giro.CodeInvalidValue, countryPath, "must be a country of ISO 3166 in three letters, such as BRA")
		return
	}
	rules, served := dialectCountries[known.Alpha2]
	if !served || c.profile == jumpPag && known.Alpha2 != "BR" {
		f.refuse(giro.CodeInvalidValue, countryPath, "nothing is paid in this country")
		return
	}
	o.country, o.rules = known, rules
	if currencyPath == "" {
		return
	}
	v = f.text(currencyPath, 0, 3)
	switch {
	case f.err != nil:
		return
	case v == "" && known.Alpha2 == "BR" && currencyPath == "currency":
		v = "USD" // the published default of flat bodies: dollars, paid as reais
	case v == "":
		f.refuse(giro.CodeMissingField, currencyPath, "the field is required")
		return
	}
	if o.currency, o.wire.Currency, err = parseDialectCurrency(v, pointerOf(currencyPath)); err != nil {
		f.err = err
		return
	}
	if o.wire.Currency == "COL" && known.Alpha2 != "CO" {
		f.refuse(giro.CodeCurrencyUnknown, currencyPath, "COL is Colombian pesos, for Colombia alone")
	}
}

// exchange finds the rate where the amount is not in the country's currency.
func (c *call) exchange(f *reading, o *dialectOrder) {
	if f.err != nil || o.currency == o.rules.currency {
		return
	}
	rate, err := c.engine().Rate(c.ctx, c.book(), o.currency, o.rules.currency)
	if err == nil {
		o.req.Exchange, err = rate.Exchange(o.req.Amount, o.currency, o.rules.currency)
	}
	if err != nil {
		f.err = o.names.of(err)
	}
}

// document reads an identity document of the order's country.
func (o *dialectOrder) document(f *reading, typePath, numberPath string, typed bool) *giro.Document {
	least := 0
	if typed {
		least = 2
	}
	d := &giro.Document{Type: strings.ToUpper(f.text(typePath, least, 100)), Number: f.text(numberPath, 1, 100), Country: o.country.Alpha2}
	if f.err != nil {
		return nil
	}
	canonical, err := bank.ParseDocument(d.Country, d.Type, d.Number)
	if err != nil {
		f.err = giro.RefuseNumber(giro.CodeDocumentInvalid, pointerOf(numberPath), err)
		return nil
	}
	d.Number = canonical
	if d.Type == "" && d.Country == "BR" {
		d.Type = "CPF"
		if len(canonical) == 14 {
			d.Type = "CNPJ"
		}
	}
	return d
}

// phone reads a phone of the order's country, with or without its code.
func (o *dialectOrder) phone(f *reading, path string, needed bool) string {
	least := 0
	if needed {
		least = 1
	}
	v := f.text(path, least, 32)
	if v == "" || f.err != nil {
		return ""
	}
	phone, err := bank.ParsePhoneIn(o.country.Alpha2, v)
	if err != nil {
		f.err = giro.RefuseNumber(giro.CodePhoneInvalid, pointerOf(path), err)
	}
	return phone
}

// notify reads where the outcome is told.
func (c *call) notify(f *reading, path string) *giro.Notify {
	url := f.text(path, 1, 250)
	if f.err != nil {
		return nil
	}
	if err := c.checkURL(url); err != nil {
		f.err = at(err, pointerOf(path))
		return nil
	}
	return &giro.Notify{URL: url, Dialect: c.profile}
}

// checkURL refuses what is no address of the web, or one that nothing may be
// posted to.
func (c *call) checkURL(url string) error {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return giro.Refuse(giro.CodeURLForbidden, "", "must be an https URL")
	}
	if hooks := c.s.config.Webhooks; hooks != nil {
		return hooks.CheckURL(url)
	}
	return nil
}

// choose checks that a method is one of the country's.
func (f *reading) choose(path, method string, from []string) {
	for _, m := range from {
		if m == method {
			return
		}
	}
	if method == "" {
		f.refuse(giro.CodeMissingField, path, "the field is required; it is one of "+strings.Join(from, ", "))
		return
	}
	f.refuse(giro.CodeMethodUnknown, path, "must be one of "+strings.Join(from, ", "))
}
