package giro

import (
	"errors"
	"strings"

	"giro/bank"
)

// BankMethods lists what Bank.Method may be.
var BankMethods = []string{"pix", "boleto", "spei", "sepa", "ach", "transfer"}

// Check holds a bank object to the rules of its method and writes its numbers
// in the form in which they are stored. A charge needs nothing beside the
// method; a payout (paysOut) needs what its method is addressed by. The rules
// are package bank's; a refusal's Param is at and the JSON name of the member.
//
// Refusals: method_unknown, missing_field, key_invalid, account_invalid.
func (b *Bank) Check(at string, paysOut bool) error {
	need := func(name, value string) error {
		if !paysOut || value != "" {
			return nil
		}
		return Refuse(CodeMissingField, at+"/"+name, "the method "+b.Method+" needs "+name)
	}
	switch b.Method {
	case "pix":
		if err := need("key", b.Key); err != nil {
			return err
		}
		if b.Key != "" {
			key, err := bank.ParsePIXKey(b.Key)
			if err != nil {
				return RefuseNumber(CodeKeyInvalid, at+"/key", err)
			}
			b.Key, b.KeyType = key.Value, string(key.Type)
		}
	case "boleto":
		if paysOut {
			return Refuse(CodeMethodUnknown, at+"/method", "a boleto collects; it pays nothing out")
		}
	case "spei":
		if err := need("account", b.Account); err != nil {
			return err
		}
		if b.Account != "" {
			a, err := bank.ParseAccount(bank.Account{Country: "MX", Number: b.Account, Bank: b.BankCode})
			if err != nil {
				return RefuseNumber(CodeAccountInvalid, at+"/account", err)
			}
			b.Account, b.Country, b.BankCode, b.Warning = a.Number, a.Country, a.Bank, a.Warning
		}
	case "sepa":
		if err := need("iban", b.IBAN); err != nil {
			return err
		}
		if b.IBAN != "" {
			iban, err := bank.ParseIBAN(b.IBAN)
			if err != nil {
				return RefuseNumber(CodeAccountInvalid, at+"/iban", err)
			}
			b.IBAN = iban
		}
		if b.BIC != "" {
			bic, err := bank.ParseBIC(b.BIC)
			if err != nil {
				return RefuseNumber(CodeAccountInvalid, at+"/bic", err)
			}
			b.BIC = bic
		}
	case "ach":
		for _, f := range [][2]string{{"routing_number", b.RoutingNumber}, {"account_number", b.AccountNumber}, {"account_type", b.AccountType}} {
			if err := need(f[0], f[1]); err != nil {
				return err
			}
		}
		if b.RoutingNumber != "" || b.AccountNumber != "" {
			a, err := bank.ParseAccount(bank.Account{Country: "US", Bank: b.RoutingNumber, Number: b.AccountNumber, Type: b.AccountType})
			if err != nil {
				return refuseAccount(at, err, "routing_number")
			}
			b.Country, b.RoutingNumber, b.AccountNumber, b.AccountType, b.Warning = a.Country, a.Bank, a.Number, a.Type, a.Warning
		}
	case "transfer":
		for _, f := range [][2]string{{"country", b.Country}, {"account_number", b.AccountNumber}} {
			if err := need(f[0], f[1]); err != nil {
				return err
			}
		}
		if b.AccountNumber != "" {
			a, err := bank.ParseAccount(bank.Account{Country: b.Country, Bank: b.BankCode, Branch: b.Branch, Number: b.AccountNumber, Type: b.AccountType})
			if err != nil {
				return refuseAccount(at, err, "bank_code")
			}
			b.Country, b.BankCode, b.Branch, b.AccountNumber, b.AccountType, b.Warning = a.Country, a.Bank, a.Branch, a.Number, a.Type, a.Warning
		}
	default:
		return Refuse(CodeMethodUnknown, at+"/method", "must be one of "+strings.Join(BankMethods, ", "))
	}
	return nil
}

// Check holds a party's phone and document to their rules and writes both as
// they are stored. country is that of a document that names none.
//
// Refusals: phone_invalid at at/phone, document_invalid at at/document/number.
func (p *Party) Check(at, country string) error {
	if p.Phone != "" {
		phone, err := bank.ParsePhone(p.Phone)
		if err != nil {
			return RefuseNumber(CodePhoneInvalid, at+"/phone", err)
		}
		p.Phone = phone
	}
	if d := p.Document; d != nil {
		if d.Country == "" {
			d.Country = country
		}
		number, err := bank.ParseDocument(d.Country, d.Type, d.Number)
		if err != nil {
			return RefuseNumber(CodeDocumentInvalid, at+"/document/number", err)
		}
		d.Number = number
	}
	return nil
}

// RefuseNumber turns what package bank says about a number into a refusal. Its
// messages never hold the number.
func RefuseNumber(code Code, param string, err error) error {
	var e *bank.Error
	if errors.As(err, &e) {
		return Refuse(code, param, e.Message)
	}
	return Refuse(code, param, err.Error())
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
		return Refuse(CodeAccountInvalid, at+"/"+name, e.Message)
	}
	return RefuseNumber(CodeAccountInvalid, at+"/account_number", err)
}
