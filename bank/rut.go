package bank

import "strings"

// ParseRUT reads a Chilean RUT or RUN, 12.345.678-5 or plain, and returns
// NNNNNNNN-D without leading zeros, K in upper case. Weights 2..7 from the right,
// mod 11 (Servicio de Impuestos Internos).
func ParseRUT(s string) (string, error) {
	n, err := compact("the RUT", s)
	if err != nil {
		return "", err
	}
	n = strings.TrimLeft(n, "0")
	if len(n) < 8 || len(n) > 9 {
		return "", length("a RUT has 7 or 8 digits and a check digit")
	}
	base, dv := n[:len(n)-1], n[len(n)-1:]
	if !allDigits(base) || !allDigits(dv) && dv != "K" {
		return "", format("a RUT is digits, and ends in a digit or K")
	}
	if rutCheck(base) != dv {
		return "", checkDigit("the RUT")
	}
	return base + "-" + dv, nil
}

func rutCheck(base string) string {
	switch r := 11 - weighRight(base, 2, 3, 4, 5, 6, 7)%11; r {
	case 11:
		return "0"
	case 10:
		return "K"
	default:
		return digit(r)
	}
}

// ParseNIT reads a Colombian tax number, 900.373.115-3 or plain. Base and check
// digit come apart, as rails want one or both: dv is empty where s was the base
// alone. Nine digits are a base, ten are base and check digit (DIAN, Orden
// Administrativa 4 of 1989: weights 3, 7, 13, … mod 11); shorter bases need the dash.
func ParseNIT(s string) (base, dv string, err error) {
	s = strings.TrimSpace(s)
	if head, tail, found := strings.Cut(s, "-"); found {
		if base, err = digits("the NIT", head, 6, 10); err != nil {
			return "", "", err
		}
		if dv, err = digits("the NIT's check digit", tail, 1, 1); err != nil {
			return "", "", err
		}
	} else {
		if base, err = digits("the NIT", s, 9, 10); err != nil {
			return "", "", err
		}
		if len(base) == 10 {
			base, dv = base[:9], base[9:]
		}
	}
	if same(base) {
		return "", "", format("the NIT repeats one digit")
	}
	if dv != "" && dv != nitCheck(base) {
		return "", "", checkDigit("the NIT")
	}
	return base, dv, nil
}

func nitCheck(base string) string {
	r := weighRight(base, 3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71) % 11
	if r < 2 {
		return digit(r)
	}
	return digit(11 - r)
}

// ParseCUIT reads an Argentine CUIT or CUIL, 20-12345678-6 or plain, and returns its
// 11 digits. Weights 5,4,3,2,7,6,5,4,3,2, mod 11; a remainder that would give 10 is
// never issued: the prefix changes instead (ARCA).
func ParseCUIT(s string) (string, error) {
	n, err := digits("the CUIT", s, 11, 11)
	if err != nil {
		return "", err
	}
	if !strings.Contains(" 20 23 24 25 26 27 30 33 34 50 51 55 ", " "+n[:2]+" ") {
		return "", format("the CUIT has an unknown prefix")
	}
	if n[10:] != cuitCheck(n[:10]) {
		return "", checkDigit("the CUIT")
	}
	return n, nil
}

// cuitCheck is empty where no check digit exists.
func cuitCheck(base string) string {
	switch r := 11 - weigh(base, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11; r {
	case 11:
		return "0"
	case 10:
		return ""
	default:
		return digit(r)
	}
}

// ParseRUCPeru reads a Peruvian RUC: 11 digits, prefix 10, 15, 16, 17 or 20, the
// CUIT's weights, (11 - sum mod 11) mod 10 (SUNAT).
func ParseRUCPeru(s string) (string, error) {
	n, err := digits("the RUC", s, 11, 11)
	if err != nil {
		return "", err
	}
	if !strings.Contains(" 10 15 16 17 20 ", " "+n[:2]+" ") {
		return "", format("the RUC has an unknown prefix")
	}
	if n[10:] != rucPeruCheck(n[:10]) {
		return "", checkDigit("the RUC")
	}
	return n, nil
}

func rucPeruCheck(base string) string {
	return digit((11 - weigh(base, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11) % 10)
}

// ParseCedula reads an Ecuadorian cédula: 10 digits, province 01–24, 30 (abroad) or
// 50, third digit at most 6, mod 10 (Registro Civil).
func ParseCedula(s string) (string, error) {
	n, err := digits("the cédula", s, 10, 10)
	if err != nil {
		return "", err
	}
	if !province(n) || n[2] > '6' {
		return "", format("the cédula has an unknown province or series")
	}
	if !cedulaChecks(n) {
		return "", checkDigit("the cédula")
	}
	return n, nil
}

func province(n string) bool {
	p := n[:2]
	return p >= "01" && p <= "24" || p == "30" || p == "50"
}

func cedulaChecks(n string) bool { return luhnSum(n[:10], false)%10 == 0 }

// ParseRUCEcuador reads an Ecuadorian RUC: 13 digits, the province as in the cédula,
// and one of three rules by the third digit (SRI). Numbers in use follow the public
// rule with a 9, or the natural rule with a 6, so both are tried.
func ParseRUCEcuador(s string) (string, error) {
	n, err := digits("the RUC", s, 13, 13)
	if err != nil {
		return "", err
	}
	if !province(n) {
		return "", format("the RUC has an unknown province")
	}
	natural := func() bool { return n[10:] != "000" && cedulaChecks(n) }
	public := func() bool { return n[9:] != "0000" && weigh(n[:9], 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0 }
	juridical := func() bool { return n[10:] != "000" && weigh(n[:10], 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0 }
	var ok bool
	switch third := n[2]; {
	case third < '6':
		ok = natural()
	case third == '6':
		ok = public() || natural()
	case third == '9':
		ok = juridical() || public()
	default:
		return "", format("the RUC's third digit is 0 to 6 or 9")
	}
	if !ok {
		return "", checkDigit("the RUC")
	}
	return n, nil
}

// ParseCI reads a Uruguayan cédula de identidad, 1.234.567-2 or plain, 7 or 8 digits,
// and returns 8. Weights 2,9,8,7,6,3,4, mod 10 (DNIC).
func ParseCI(s string) (string, error) {
	n, err := digits("the cédula", s, 7, 8)
	if err != nil {
		return "", err
	}
	if len(n) == 7 {
		n = "0" + n
	}
	if same(n) || n[7:] != ciCheck(n[:7]) {
		return "", checkDigit("the cédula")
	}
	return n, nil
}

func ciCheck(base string) string {
	return digit((10 - weigh(base, 2, 9, 8, 7, 6, 3, 4)%10) % 10)
}

// ParseRUTUruguay reads a Uruguayan company's RUT: 12 digits, of which 01–22 in
// front, 001 behind the number; weights 4,3,2,9,8,7,6,5,4,3,2, mod 11, a result of 10
// is never issued (DGI).
func ParseRUTUruguay(s string) (string, error) {
	n, err := digits("the RUT", s, 12, 12)
	if err != nil {
		return "", err
	}
	if n[:2] < "01" || n[:2] > "22" || n[2:8] == "000000" || n[8:11] != "001" {
		return "", format("the RUT has a part that is never issued")
	}
	if n[11:] != rutUruguayCheck(n[:11]) {
		return "", checkDigit("the RUT")
	}
	return n, nil
}

// rutUruguayCheck is empty where no check digit exists.
func rutUruguayCheck(base string) string {
	r := (11 - weigh(base, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)%11) % 11
	if r == 10 {
		return ""
	}
	return digit(r)
}
