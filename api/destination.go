package api

import (
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
			return giro.RefuseNumber(giro.CodePhoneInvalid, at+"/mobile/phone", err)
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

// destination reads a bank object; Check of the domain judges it.
func destination(o object, at string, paysOut bool) (*giro.Bank, error) {
	b := &giro.Bank{
		Method: o.text("method"), Key: o.text("key"), Account: o.text("account"), IBAN: o.text("iban"), BIC: o.text("bic"),
		RoutingNumber: o.text("routing_number"), Country: strings.ToUpper(o.text("country")), BankCode: o.text("bank_code"),
		Branch: o.text("branch"), AccountNumber: o.text("account_number"), AccountType: o.text("account_type"),
	}
	if near := nearest(b.Method, giro.BankMethods); near != "" && near != b.Method {
		return nil, giro.Refuse(giro.CodeMethodUnknown, at+"/method", "must be one of "+strings.Join(giro.BankMethods, ", ")+"; did you mean "+near+"?")
	}
	return b, b.Check(at, paysOut)
}

// party reads a person or company; country is used for a document that names
// none.
func party(o object, at, country string) (*giro.Party, error) {
	if !o.ok {
		return nil, nil
	}
	p := &giro.Party{Name: o.text("name"), Email: o.text("email"), Phone: o.text("phone")}
	if d := o.object("document"); d.ok {
		p.Document = &giro.Document{Type: strings.ToUpper(d.text("type")), Country: strings.ToUpper(d.text("country")), Number: d.text("number")}
	}
	return p, p.Check(at, country)
}
