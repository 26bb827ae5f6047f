package api

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"giro"
	"giro/bank"
)

func appendMetadata(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		b = appendString(b, m[k])
	}
	return append(b, '}')
}

// refuseNumber turns what package bank says about a number into a refusal. Its
// messages never hold the number.
func refuseNumber(code giro.Code, param string, err error) error {
	var e *bank.Error
	if errors.As(err, &e) {
		return giro.Refuse(code, param, e.Message)
	}
	return giro.Refuse(code, param, err.Error())
}

// means reads how a movement is paid: provider with card, mobile or bank, or a
// saved source.
func means(body object, req *giro.Request, paysOut bool) error {
	req.Provider = body.text("provider")
	req.Source = body.id("src", "source")
	if !req.Source.IsZero() {
		for _, name := range []string{"provider", "card", "mobile", "bank"} {
			if body.has(name) {
				return giro.Refuse(giro.CodeInvalidValue, "/"+name, "a saved source brings its own; send one or the other")
			}
		}
		return nil
	}
	if req.Provider == "" {
		return giro.Refuse(giro.CodeMissingField, "/provider", "the field provider is required")
	}
	for _, name := range []string{"card", "mobile", "bank"} {
		if name != req.Provider && body.has(name) {
			return giro.Refuse(giro.CodeInvalidValue, "/"+name, "the provider is "+req.Provider)
		}
	}
	return provider(body, req.Provider, "", paysOut, &req.Card, &req.Mobile, &req.Bank)
}

// provider reads the member that a provider needs and checks every number in it.
func provider(body object, name, at string, paysOut bool, card **giro.Card, mobile **giro.Mobile, to **giro.Bank) error {
	member := body.object(name)
	switch name {
	case "card":
		if !member.ok {
			return giro.Refuse(giro.CodeMissingField, at+"/card/token", "the provider card needs card.token")
		}
		*card = &giro.Card{Token: member.text("token")}
	case "mobile":
		if !member.ok {
			return giro.Refuse(giro.CodeMissingField, at+"/mobile/phone", "the provider mobile needs mobile.phone")
		}
		phone, err := bank.ParsePhone(member.text("phone"))
		if err != nil {
			return refuseNumber(giro.CodePhoneInvalid, at+"/mobile/phone", err)
		}
		*mobile = &giro.Mobile{Phone: phone}
	case "bank":
		if !member.ok {
			return giro.Refuse(giro.CodeMissingField, at+"/bank/method", "the provider bank needs bank.method")
		}
		b, err := destination(member, at+"/bank", paysOut)
		if err != nil {
			return err
		}
		*to = b
	}
	return nil
}

// methods lists what bank.method may be.
var methods = []string{"pix", "boleto", "spei", "sepa", "ach", "transfer"}

// destination reads a bank object. A charge needs nothing beside the method; a
// payout needs what its method is addressed by, with right check digits.
func destination(o object, at string, paysOut bool) (*giro.Bank, error) {
	b := &giro.Bank{
		Method: o.text("method"), Key: o.text("key"), Account: o.text("account"), IBAN: o.text("iban"), BIC: o.text("bic"),
		RoutingNumber: o.text("routing_number"), Country: strings.ToUpper(o.text("country")), BankCode: o.text("bank_code"),
		Branch: o.text("branch"), AccountNumber: o.text("account_number"), AccountType: o.text("account_type"),
	}
	need := func(name string) error {
		if o.has(name) {
			return nil
		}
		return giro.Refuse(giro.CodeMissingField, at+"/"+name, "the method "+b.Method+" needs "+name)
	}
	if !slices.Contains(methods, b.Method) {
		message := "must be one of " + strings.Join(methods, ", ")
		if near := nearest(b.Method, methods); near != "" {
			message += "; did you mean " + near + "?"
		}
		return nil, giro.Refuse(giro.CodeMethodUnknown, at+"/method", message)
	}
	switch b.Method {
	case "pix":
		if paysOut {
			if err := need("key"); err != nil {
				return nil, err
			}
		}
		if b.Key != "" {
			key, err := bank.ParsePIXKey(b.Key)
			if err != nil {
				return nil, refuseNumber(giro.CodeKeyInvalid, at+"/key", err)
			}
			b.Key, b.KeyType = key.Value, string(key.Type)
		}
	case "boleto":
		if paysOut {
			return nil, giro.Refuse(giro.CodeMethodUnknown, at+"/method", "a boleto collects; it pays nothing out")
		}
	case "spei":
		if err := needIf(paysOut, need, "account"); err != nil {
			return nil, err
		}
		if b.Account != "" {
			a, err := bank.ParseAccount(bank.Account{Country: "MX", Number: b.Account, Bank: b.BankCode})
			if err != nil {
				return nil, refuseNumber(giro.CodeAccountInvalid, at+"/account", err)
			}
			b.Account, b.Country, b.BankCode, b.Warning = a.Number, a.Country, a.Bank, a.Warning
		}
	case "sepa":
		if err := needIf(paysOut, need, "iban"); err != nil {
			return nil, err
		}
		if b.IBAN != "" {
			iban, err := bank.ParseIBAN(b.IBAN)
			if err != nil {
				return nil, refuseNumber(giro.CodeAccountInvalid, at+"/iban", err)
			}
			b.IBAN = iban
		}
		if b.BIC != "" {
			bic, err := bank.ParseBIC(b.BIC)
			if err != nil {
				return nil, refuseNumber(giro.CodeAccountInvalid, at+"/bic", err)
			}
			b.BIC = bic
		}
	case "ach":
		for _, name := range []string{"routing_number", "account_number", "account_type"} {
			if err := needIf(paysOut, need, name); err != nil {
				return nil, err
			}
		}
		if b.RoutingNumber != "" || b.AccountNumber != "" {
			a, err := bank.ParseAccount(bank.Account{Country: "US", Bank: b.RoutingNumber, Number: b.AccountNumber, Type: b.AccountType})
			if err != nil {
				return nil, refuseAccount(at, err, "routing_number")
			}
			b.Country, b.RoutingNumber, b.AccountNumber, b.AccountType, b.Warning = a.Country, a.Bank, a.Number, a.Type, a.Warning
		}
	case "transfer":
		for _, name := range []string{"country", "account_number"} {
			if err := needIf(paysOut, need, name); err != nil {
				return nil, err
			}
		}
		if b.AccountNumber != "" {
			a, err := bank.ParseAccount(bank.Account{Country: b.Country, Bank: b.BankCode, Branch: b.Branch, Number: b.AccountNumber, Type: b.AccountType})
			if err != nil {
				return nil, refuseAccount(at, err, "bank_code")
			}
			b.Country, b.BankCode, b.Branch, b.AccountNumber, b.AccountType, b.Warning = a.Country, a.Bank, a.Branch, a.Number, a.Type, a.Warning
		}
	}
	return b, nil
}

func needIf(needed bool, need func(string) error, name string) error {
	if !needed {
		return nil
	}
	return need(name)
}

// refuseAccount points at the part of an account that is wrong; bankCode is what
// the bank's code is called here.
func refuseAccount(at string, err error, bankCode string) error {
	var e *bank.Error
	if errors.As(err, &e) && e.Field != "" {
		name := e.Field
		if name == "bank_code" {
			name = bankCode
		}
		return giro.Refuse(giro.CodeAccountInvalid, at+"/"+name, e.Message)
	}
	return refuseNumber(giro.CodeAccountInvalid, at+"/account_number", err)
}

// party reads a person or company; country is used for a document that names
// none.
func party(o object, at, country string) (*giro.Party, error) {
	if !o.ok {
		return nil, nil
	}
	p := &giro.Party{Name: o.text("name"), Email: o.text("email")}
	if v := o.text("phone"); v != "" {
		phone, err := bank.ParsePhone(v)
		if err != nil {
			return nil, refuseNumber(giro.CodePhoneInvalid, at+"/phone", err)
		}
		p.Phone = phone
	}
	if d := o.object("document"); d.ok {
		doc := &giro.Document{Type: strings.ToUpper(d.text("type")), Country: strings.ToUpper(d.text("country"))}
		if doc.Country == "" {
			doc.Country = country
		}
		number, err := bank.ParseDocument(doc.Country, doc.Type, d.text("number"))
		if err != nil {
			return nil, refuseNumber(giro.CodeDocumentInvalid, at+"/document/number", err)
		}
		doc.Number = number
		p.Document = doc
	}
	return p, nil
}
