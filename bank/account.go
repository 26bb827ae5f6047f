package bank

import (
	"regexp"
	"strings"
)

// Account is where a transfer goes in one country. ParseAccount fills and checks it.
type Account struct {
	Country string // alpha-2 or alpha-3; alpha-2 afterwards
	Bank    string // the bank's code in its country: COMPE or ISPB, ABA, IFSC, BIC, …
	Branch  string // BR: without its check digit
	Number  string // the number as the country has it, with its check digit
	Type    string // any usual word for it; afterwards one of checking, savings, payment, salary, or empty

	Scheme  string // out: branch, clabe, phone, cbu, cvu, alias, cci, iban, ach, wallet or local
	Warning string // out: what looks wrong and is no ground to refuse; empty if nothing
}

// ParseAccount checks a destination by the rules of its country and returns it in
// the form in which it is stored. An *Error's Field names what is wrong: country,
// bank_code, branch, account_number or account_type.
//
//	BR  bank of 3 digits (COMPE) or 8 (ISPB), branch of 1–4 digits, number of 1–20 (BCB)
//	MX  CLABE; or a phone of 10 digits with the bank's code. Never a card number
//	AR  CBU or CVU; or an alias of 6–20 characters
//	PE  CCI, whose check digits only warn
//	CO  bank, 5–20 digits; Nequi and Daviplata: a mobile of 10 digits beginning with 3
//	CL  bank of 1–4 digits, 4–20 digits
//	EC, UY, BO  bank of 1–4 digits, 4–20 digits
//	US  routing number, 1–17 letters or digits, type needed (Nacha)
//	IN  IFSC, 9–18 digits (RBI)
//
// Elsewhere the number is an IBAN if the country has them (ISO 13616), else 1–34
// letters or digits.
func ParseAccount(a Account) (Account, error) {
	c, err := ParseCountry(strings.TrimSpace(a.Country))
	if err != nil {
		return Account{}, at("country", err)
	}
	out := Account{Country: c.Alpha2}
	if out.Type, err = accountType(a.Type); err != nil {
		return Account{}, at("account_type", err)
	}
	if out.Bank, err = compact("the bank's code", a.Bank); err != nil {
		return Account{}, at("bank_code", err)
	}
	if out.Branch, err = compact("the branch", a.Branch); err != nil {
		return Account{}, at("branch", err)
	}
	if strings.TrimSpace(a.Number) == "" {
		return Account{}, at("account_number", format("an account number is needed"))
	}
	rule, ok := accountRules[out.Country]
	if !ok {
		rule = elsewhere
	}
	if err := rule(&out, a.Number); err != nil {
		return Account{}, err
	}
	return out, nil
}

var accountRules = map[string]func(out *Account, number string) error{
	"BR": brazil, "MX": mexico, "AR": argentina, "PE": peru, "CO": colombia, "US": unitedStates, "IN": india,
	"CL": local, "EC": local, "UY": local, "BO": local,
}

func accountType(s string) (string, error) {
	if len(s) > longest {
		return "", length("the account type is too long")
	}
	switch strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(strings.TrimSpace(s))) {
	case "":
		return "", nil
	case "checking", "current", "corriente", "cuenta corriente", "corrente", "conta corrente", "cacc", "001", "003":
		return "checking", nil
	case "savings", "saving", "ahorro", "ahorros", "cuenta de ahorros", "poupanca", "poupança", "conta poupança", "svgs", "013":
		return "savings", nil
	case "payment", "conta pagamento", "conta de pagamento", "tran", "vista", "cuenta vista", "electronic deposit", "deposito electronico", "depósito electrónico":
		return "payment", nil
	case "salary", "salario", "salário", "slry":
		return "salary", nil
	}
	return "", unknown("the account type is checking, savings, payment or salary")
}

func brazil(out *Account, number string) error {
	switch {
	case len(out.Bank) == 3 && allDigits(out.Bank) && out.Bank != "000":
	case len(out.Bank) == 8: // letters since API Pix 2.9.0
	default:
		return at("bank_code", format("a Brazilian bank is its code of 3 digits or its ISPB of 8 characters"))
	}
	if len(out.Branch) < 1 || len(out.Branch) > 4 || !allDigits(out.Branch) {
		return at("branch", format("a Brazilian branch is 1 to 4 digits, without its check digit"))
	}
	n, err := compact("the account number", number)
	if err != nil {
		return at("account_number", err)
	}
	// A check digit X counts as 0 in the DICT and in the payment messages.
	if strings.HasSuffix(n, "X") {
		n = n[:len(n)-1] + "0"
	}
	return numbered(out, n, 1, 20, "branch")
}

func mexico(out *Account, number string) error {
	n, err := digits("the account number", number, 1, longest)
	if err != nil {
		return at("account_number", err)
	}
	if len(n) == 10 {
		bank, ok := mexicanBanks[out.Bank]
		if !ok && len(out.Bank) == 5 {
			bank, ok = mexicanBanks[out.Bank[2:]]
			ok = ok && bank.banxico == out.Bank
		}
		if !ok {
			return at("bank_code", unknown("a phone as destination needs the bank's code of 3 or 5 digits"))
		}
		out.Bank, out.Number, out.Scheme = bank.banxico, n, "phone"
		return nil
	}
	if len(n) != 18 {
		return at("account_number", length("a Mexican account is a CLABE of 18 digits or a phone of 10"))
	}
	c, err := ParseCLABE(n)
	if err != nil {
		return at("account_number", err)
	}
	if out.Bank != "" && out.Bank != c.Bank && out.Bank != c.Banxico {
		return at("bank_code", format("the bank is not that of the CLABE"))
	}
	out.Bank, out.Number, out.Scheme = c.Banxico, c.Number, "clabe"
	return nil
}

var aliasForm = regexp.MustCompile(`^[a-z0-9.-]{6,20}$`)

func argentina(out *Account, number string) error {
	alias := lowerASCII(strings.TrimSpace(number))
	// An alias of digits alone would be a CBU cut short.
	if n, err := compact("", alias); err == nil && allDigits(n) {
		c, err := ParseCBU(n)
		if err != nil {
			return at("account_number", err)
		}
		out.Bank, out.Branch, out.Number, out.Scheme = c.Bank, c.Branch, c.Number, "cbu"
		if c.Virtual {
			out.Scheme = "cvu"
		}
		return nil
	}
	if !aliasForm.MatchString(alias) {
		return at("account_number", format("an Argentine account is a CBU or CVU of 22 digits or an alias of 6 to 20 letters, digits, dots and dashes"))
	}
	out.Number, out.Scheme = alias, "alias"
	return nil
}

func peru(out *Account, number string) error {
	c, err := ParseCCI(number)
	if err != nil {
		return at("account_number", err)
	}
	out.Number, out.Scheme, out.Warning = c.Number, "cci", c.Warning
	if out.Bank == "" {
		out.Bank = c.Bank
	}
	if out.Bank != c.Bank && out.Warning == "" {
		out.Warning = "the bank is not that of the CCI"
	}
	return nil
}

func colombia(out *Account, number string) error {
	if err := bankCode(out); err != nil {
		return err
	}
	n, err := digits("the account number", number, 5, 20)
	if err != nil {
		return at("account_number", err)
	}
	out.Number, out.Scheme = n, "local"
	switch out.Bank {
	case "507", "1507", "551", "1551": // Nequi, Daviplata: wallets by phone
		if len(n) != 10 || n[0] != '3' {
			return at("account_number", format("a Nequi or Daviplata account is a mobile of 10 digits beginning with 3"))
		}
		out.Scheme = "wallet"
	}
	return nil
}

func unitedStates(out *Account, number string) error {
	r, err := ParseRouting(out.Bank)
	if err != nil {
		return at("bank_code", err)
	}
	if out.Type != "checking" && out.Type != "savings" {
		return at("account_type", format("a US account is checking or savings"))
	}
	n, err := compact("the account number", number)
	if err != nil {
		return at("account_number", err)
	}
	if len(n) < 1 || len(n) > 17 {
		return at("account_number", length("a US account number has 1 to 17 characters"))
	}
	out.Bank, out.Number, out.Scheme = r, n, "ach"
	return nil
}

var ifscForm = regexp.MustCompile(`^[A-Z]{4}0[A-Z0-9]{6}$`)

func india(out *Account, number string) error {
	if !ifscForm.MatchString(out.Bank) {
		return at("bank_code", format("an Indian bank is its IFSC of 11 characters"))
	}
	n, err := digits("the account number", number, 9, 18)
	if err != nil {
		return at("account_number", err)
	}
	out.Number, out.Scheme = n, "local"
	return nil
}

func local(out *Account, number string) error {
	if err := bankCode(out); err != nil {
		return err
	}
	n, err := compact("the account number", number)
	if err != nil {
		return at("account_number", err)
	}
	return numbered(out, n, 4, 20, "local")
}

func elsewhere(out *Account, number string) error {
	n, err := compactIBAN(number)
	if err != nil {
		return at("account_number", format("an account number is letters and digits"))
	}
	if _, ok := ibanStructures[out.Country]; ok {
		if n, err = ParseIBAN(n); err != nil {
			return at("account_number", err)
		}
		if n[:2] != out.Country {
			return at("account_number", format("the IBAN is of another country"))
		}
		out.Number, out.Scheme = n, "iban"
	} else {
		if len(n) < 1 || len(n) > 34 {
			return at("account_number", length("an account number has 1 to 34 characters"))
		}
		out.Number, out.Scheme = n, "local"
	}
	if len(out.Bank) == 8 || len(out.Bank) == 11 {
		if bic, err := ParseBIC(out.Bank); err == nil {
			out.Bank = bic
		}
	}
	return nil
}

func bankCode(out *Account) error {
	if len(out.Bank) < 1 || len(out.Bank) > 4 || !allDigits(out.Bank) {
		return at("bank_code", format("the bank's code is 1 to 4 digits"))
	}
	return nil
}

func numbered(out *Account, n string, lo, hi int, scheme string) error {
	if !allDigits(n) {
		return at("account_number", format("an account number here is digits only"))
	}
	if len(n) < lo || len(n) > hi {
		return at("account_number", length("the account number has the wrong number of digits"))
	}
	out.Number, out.Scheme = n, scheme
	return nil
}
