package bank

// CBU is an Argentine account: a CBU at a bank or a CVU at a payment provider.
type CBU struct {
	Number  string // 22 digits
	Virtual bool   // a CVU
	Bank    string // three digits; 000 for a CVU
	Branch  string // four digits; a CVU's provider
	Account string // thirteen digits
}

// ParseCBU reads 22 digits: bank, branch and a check digit with weights 7,1,3,9;
// account and a check digit with weights 3,9,7,1; mod 10 (BCRA, Com. "A" 2622 for the
// CBU, "A" 6510 for the CVU, which has bank 000).
func ParseCBU(s string) (CBU, error) {
	n, err := digits("the CBU or CVU", s, 22, 22)
	if err != nil {
		return CBU{}, err
	}
	if n[:7] == "0000000" {
		return CBU{}, format("the CBU or CVU names no institution")
	}
	if n[7:8] != cbuBankCheck(n[:7]) || n[21:] != cbuAccountCheck(n[8:21]) {
		return CBU{}, checkDigit("the CBU or CVU")
	}
	return CBU{Number: n, Virtual: n[:3] == "000", Bank: n[:3], Branch: n[3:7], Account: n[8:21]}, nil
}

func cbuBankCheck(s string) string { return digit((10 - weigh(s, 7, 1, 3, 9, 7, 1, 3)%10) % 10) }

func cbuAccountCheck(s string) string {
	return digit((10 - weigh(s, 3, 9, 7, 1)%10) % 10)
}

// CCI is a Peruvian interbank account number.
type CCI struct {
	Number  string // 20 digits
	Bank    string // three digits
	Branch  string // three digits
	Account string // twelve digits
	Warning string // says that a check digit does not match; empty if they do
}

// ParseCCI reads 20 digits. The rule of its two check digits (weights 1,2 from the
// left, digit sums, mod 10, over bank and branch and over the account) is not
// published by the Cámara de Compensación Electrónica; it is known from accounts. So
// a digit that does not match is a warning, not an error.
func ParseCCI(s string) (CCI, error) {
	n, err := digits("the CCI", s, 20, 20)
	if err != nil {
		return CCI{}, err
	}
	if same(n) {
		return CCI{}, format("the CCI repeats one digit")
	}
	c := CCI{Number: n, Bank: n[:3], Branch: n[3:6], Account: n[6:18]}
	if n[18:] != cciCheck(n[:6])+cciCheck(n[6:18]) {
		c.Warning = "the CCI's check digits do not match"
	}
	return c, nil
}

// cciCheck is for an even number of digits: weight 2 stands last.
func cciCheck(s string) string { return digit((10 - luhnSum(s, true)%10) % 10) }
