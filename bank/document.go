package bank

import (
	"regexp"
	"strings"
)

// DocumentType is one kind of identity document of a country. The table of them
// drives the checking, the lists that the APIs answer and the documentation.
type DocumentType struct {
	ID           int    // stable
	Country      string // alpha-3
	Abbreviation string // what callers write as type
	Name         string // in the country's own language
	Pattern      string // anchored, of the number as ParseDocument returns it

	parse func(string) (string, error)
	re    *regexp.Regexp
}

// DocumentTypes lists the types of a country (alpha-2 or alpha-3, either case), or
// of all countries for "". The slice is the caller's own; it is empty for a country
// without types of its own.
func DocumentTypes(country string) []DocumentType {
	var types []DocumentType
	want := ""
	if country != "" {
		c, err := ParseCountry(country)
		if err != nil {
			return nil
		}
		want = c.Alpha3
	}
	for _, t := range documentTypes {
		if want == "" || t.Country == want {
			types = append(types, t)
		}
	}
	return types
}

// ParseDocument checks the number of a document and returns it as it is stored: no
// punctuation, letters in upper case; only RUT and NIT keep the dash before the check
// digit. The type's case does not matter. An empty typ means the type whose shape the
// number has, in the table's order: never a passport, and never a type without check
// digits for a number that one with them finds miscopied. An empty country means any
// that has the type; one of the two is needed. For
// a country that has no types in the table any type is taken, with 3 to 35 letters or
// digits.
func ParseDocument(country, typ, number string) (canonical string, err error) {
	c := Country{}
	if country != "" {
		if c, err = ParseCountry(country); err != nil {
			return "", err
		}
	}
	typ = strings.ToUpper(strings.TrimSpace(typ))
	switch typ {
	case "PASS", "PASSPORT", "PASAPORTE", "PASSAPORTE", "PP":
		typ = "PA"
	}
	switch {
	case len(typ) > longest:
		return "", unknown("this type of document is not known")
	case typ == "" && country == "":
		return "", unknown("a document needs its type or its country")
	}
	known, tried := false, false
	for _, t := range documentTypes {
		if c.Alpha3 != "" && t.Country != c.Alpha3 {
			continue
		}
		known = true
		if typ != "" && t.Abbreviation != typ || typ == "" && t.Abbreviation == "PA" {
			continue
		}
		tried = true
		n, refusal := t.check(number)
		if refusal == nil {
			return n, nil
		}
		// The refusal to tell is that of the type whose shape fits best.
		if err == nil || err.(*Error).Kind != CheckDigit && refusal.(*Error).Kind == CheckDigit {
			err = refusal
		}
		if typ == "" && err.(*Error).Kind == CheckDigit {
			break
		}
	}
	switch {
	case !known:
		n, err := compact("the document", number)
		if err == nil && (len(n) < 3 || len(n) > 35) {
			err = length("a document has 3 to 35 letters and digits")
		}
		if err != nil {
			return "", err
		}
		return n, nil
	case !tried:
		return "", unknown("this type of document is not known")
	}
	return "", err
}

func (t DocumentType) check(number string) (string, error) {
	if t.parse != nil {
		return t.parse(number)
	}
	n, err := compact("the document", number)
	if err != nil {
		return "", err
	}
	if !t.re.MatchString(n) {
		return "", format("the number does not have the form of a " + t.Abbreviation)
	}
	return n, nil
}

// ParseCURP reads a Mexican CURP: 18 characters, the last a check digit over the
// alphabet 0-9, A-N, Ñ, O-Z with weights 18..2, mod 10 (RENAPO).
func ParseCURP(s string) (string, error) {
	n, err := compact("the CURP", s)
	if err != nil {
		return "", err
	}
	if len(n) != 18 {
		return "", length("the CURP has 18 characters")
	}
	if !curpForm.MatchString(n) {
		return "", format("the CURP is malformed")
	}
	if n[17:] != curpCheck(n[:17]) {
		return "", checkDigit("the CURP")
	}
	return n, nil
}

const curpPattern = `^[A-Z]{4}[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[HMX][A-Z]{5}[0-9A-Z][0-9]$`

var curpForm = regexp.MustCompile(curpPattern)

func curpCheck(base string) string {
	sum := 0
	for i := range len(base) {
		v := int(base[i] - '0')
		if base[i] >= 'A' {
			v = int(base[i]-'A') + 10
		}
		if base[i] > 'N' {
			v++ // Ñ has a place in the alphabet and none in a CURP
		}
		sum += v * (18 - i)
	}
	return digit((10 - sum%10) % 10)
}

func parseRFC(s string) (string, error) {
	if len(s) > longest {
		return "", length("the RFC is too long")
	}
	n := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s))
	if !rfcForm.MatchString(n) {
		return "", format("the RFC is malformed")
	}
	return n, nil
}

const rfcPattern = `^[A-ZÑ&]{3,4}[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9A-Z]{3}$`

var rfcForm = regexp.MustCompile(rfcPattern)

var documentTypes = func() []DocumentType {
	parseNIT := func(s string) (string, error) {
		base, dv, err := ParseNIT(s)
		if dv != "" {
			base += "-" + dv
		}
		return base, err
	}
	passport := `^[0-9A-Z]{5,12}$`
	types := []DocumentType{
		{1, "BRA", "CPF", "Cadastro de Pessoas Físicas", `^[0-9]{11}$`, ParseCPF, nil},
		{2, "BRA", "CNPJ", "Cadastro Nacional da Pessoa Jurídica", `^[0-9A-Z]{12}[0-9]{2}$`, ParseCNPJ, nil},
		{3, "BRA", "PA", "Passaporte", passport, nil, nil},
		{10, "COL", "CC", "Cédula de ciudadanía", `^[1-9][0-9]{5,9}$`, nil, nil},
		{11, "COL", "CE", "Cédula de extranjería", `^[0-9A-Z]{4,12}$`, nil, nil},
		{12, "COL", "NIT", "Número de identificación tributaria", `^[0-9]{6,10}(-[0-9])?$`, parseNIT, nil},
		{13, "COL", "TI", "Tarjeta de identidad", `^[0-9]{10,11}$`, nil, nil},
		{14, "COL", "PEP", "Permiso especial de permanencia", `^[0-9]{15}$`, nil, nil},
		{15, "COL", "PPT", "Permiso por protección temporal", `^[0-9]{5,15}$`, nil, nil},
		{16, "COL", "PA", "Pasaporte", passport, nil, nil},
		{20, "PER", "DNI", "Documento nacional de identidad", `^[0-9]{8}$`, nil, nil},
		{21, "PER", "RUC", "Registro único de contribuyentes", `^(10|15|16|17|20)[0-9]{9}$`, ParseRUCPeru, nil},
		{22, "PER", "CE", "Carné de extranjería", `^[0-9A-Z]{8,12}$`, nil, nil},
		{23, "PER", "PA", "Pasaporte", passport, nil, nil},
		{30, "ECU", "CC", "Cédula de ciudadanía", `^[0-9]{10}$`, ParseCedula, nil},
		{31, "ECU", "RUC", "Registro único de contribuyentes", `^[0-9]{13}$`, ParseRUCEcuador, nil},
		{32, "ECU", "PA", "Pasaporte", passport, nil, nil},
		{40, "CHL", "RUT", "Rol único tributario", `^[1-9][0-9]{6,7}-[0-9K]$`, ParseRUT, nil},
		{41, "CHL", "RUN", "Rol único nacional", `^[1-9][0-9]{6,7}-[0-9K]$`, ParseRUT, nil},
		{42, "CHL", "PA", "Pasaporte", passport, nil, nil},
		{50, "ARG", "DNI", "Documento nacional de identidad", `^[0-9]{7,8}$`, nil, nil},
		{51, "ARG", "CUIT", "Clave única de identificación tributaria", `^[0-9]{11}$`, ParseCUIT, nil},
		{52, "ARG", "CUIL", "Código único de identificación laboral", `^[0-9]{11}$`, ParseCUIT, nil},
		{53, "ARG", "PA", "Pasaporte", passport, nil, nil},
		{60, "MEX", "CURP", "Clave única de registro de población", curpPattern, ParseCURP, nil},
		{61, "MEX", "RFC", "Registro federal de contribuyentes", rfcPattern, parseRFC, nil},
		{62, "MEX", "PA", "Pasaporte", passport, nil, nil},
		{70, "URY", "CI", "Cédula de identidad", `^[0-9]{8}$`, ParseCI, nil},
		{71, "URY", "RUT", "Registro único tributario", `^[0-9]{12}$`, ParseRUTUruguay, nil},
		{72, "URY", "PA", "Pasaporte", passport, nil, nil},
		{80, "BOL", "CI", "Cédula de identidad", `^[0-9]{5,8}[0-9A-Z]{0,4}$`, nil, nil},
		{81, "BOL", "NIT", "Número de identificación tributaria", `^[0-9]{7,13}$`, nil, nil},
		{82, "BOL", "PA", "Pasaporte", passport, nil, nil},
		{90, "IND", "PAN", "Permanent Account Number", `^[A-Z]{5}[0-9]{4}[A-Z]$`, nil, nil},
		{91, "IND", "ID", "Identity document", `^[0-9A-Z]{4,20}$`, nil, nil},
		{100, "USA", "SSN", "Social Security Number", `^[0-9]{9}$`, nil, nil},
		{101, "USA", "EIN", "Employer Identification Number", `^[0-9]{9}$`, nil, nil},
		{102, "USA", "PA", "Passport", passport, nil, nil},
	}
	for i := range types {
		types[i].re = regexp.MustCompile(types[i].Pattern)
	}
	return types
}()
