package bank

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// checked are the formats with a check digit: how to parse one, which samples it has,
// and which errors it catches by theory: all, or all but a small share where two
// remainders share a digit.
var checked = []struct {
	name     string
	kinds    []string
	parse    func(string) error
	allOne   bool // every single-character error is caught
	allSwaps bool // and every swap of neighbours
	// at most this share of single errors, in 10,000, slips through the two checks
	slip int
}{
	{name: "CPF", kinds: []string{"cpf"}, parse: func(s string) error { _, err := ParseCPF(s); return err }, slip: 60},
	{name: "CNPJ", kinds: []string{"cnpj", "cnpj_alphanumeric"}, parse: func(s string) error { _, err := ParseCNPJ(s); return err }, slip: 120},
	{name: "CLABE", kinds: []string{"clabe"}, parse: func(s string) error { _, err := ParseCLABE(s); return err }, allOne: true},
	{name: "CBU", kinds: []string{"cbu", "cvu"}, parse: func(s string) error { _, err := ParseCBU(s); return err }, allOne: true},
	{name: "CUIT", kinds: []string{"cuit"}, parse: func(s string) error { _, err := ParseCUIT(s); return err }, allOne: true, allSwaps: true},
	{name: "RUT", kinds: []string{"rut"}, parse: func(s string) error { _, err := ParseRUT(s); return err }, allOne: true},
	{name: "NIT", kinds: []string{"nit"}, parse: func(s string) error { _, _, err := ParseNIT(s); return err }, slip: 200},
	{name: "RUC Peru", kinds: []string{"ruc_pe"}, parse: func(s string) error { _, err := ParseRUCPeru(s); return err }, slip: 200},
	{name: "cédula", kinds: []string{"cedula"}, parse: func(s string) error { _, err := ParseCedula(s); return err }, allOne: true},
	{name: "CI", kinds: []string{"ci"}, parse: func(s string) error { _, err := ParseCI(s); return err }, slip: 1500},
	{name: "RUT Uruguay", kinds: []string{"rut_uy"}, parse: func(s string) error { _, err := ParseRUTUruguay(s); return err }, allOne: true},
	{name: "routing", kinds: []string{"routing"}, parse: func(s string) error { _, err := ParseRouting(s); return err }, allOne: true},
	{name: "IBAN", kinds: []string{"iban_de", "iban_es", "iban_br"}, parse: func(s string) error { _, err := ParseIBAN(s); return err }, allOne: true, allSwaps: true},
	{name: "CURP", kinds: []string{"curp"}, parse: func(s string) error { _, err := ParseCURP(s); return err }, slip: 2500},
}

// TestEveryMiscopiedDigit makes a thousand numbers of each format, every other
// digit at every place of them and every swap of neighbours.
func TestEveryMiscopiedDigit(t *testing.T) {
	t.Parallel()
	for _, f := range checked {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			singles, slipped, swaps, swapped := 0, 0, 0, 0
			for n := range uint64(1000) {
				for _, kind := range f.kinds {
					s := Sample(kind, n)
					if err := f.parse(s); err != nil {
						t.Fatalf("sample %d of %s is refused: %v", n, kind, err)
					}
					b := []byte(s)
					for i, was := range b {
						if was < '0' || was > '9' {
							continue
						}
						for c := byte('0'); c <= '9'; c++ {
							if b[i] = c; c != was {
								singles++
								if f.parse(string(b)) == nil {
									slipped++
								}
							}
						}
						b[i] = was
						if i > 0 && b[i-1] >= '0' && b[i-1] <= '9' && b[i-1] != was {
							b[i-1], b[i] = b[i], b[i-1]
							swaps++
							if f.parse(string(b)) == nil {
								swapped++
							}
							b[i-1], b[i] = b[i], b[i-1]
						}
					}
				}
			}
			t.Logf("%d of %d single errors and %d of %d swaps slip through", slipped, singles, swapped, swaps)
			if f.allOne && slipped > 0 {
				t.Errorf("%d of %d single errors are accepted; the rule catches all", slipped, singles)
			}
			if f.allSwaps && swapped > 0 {
				t.Errorf("%d of %d swaps are accepted; the rule catches all", swapped, swaps)
			}
			if slipped*10_000 > singles*f.slip && !f.allOne {
				t.Errorf("%d of %d single errors are accepted", slipped, singles)
			}
		})
	}
}

func TestExamples(t *testing.T) {
	t.Parallel()
	doc := func(country, typ string) func(string) (string, error) {
		return func(s string) (string, error) { return ParseDocument(country, typ, s) }
	}
	for _, tt := range []struct {
		name  string
		parse func(string) (string, error)
		in    string
		want  string
		kind  Kind
	}{
		{"CPF", ParseCPF, "123.456.789-09", "12345678909", 0}, // Banco Central, API Pix
		{"CPF", ParseCPF, "12345678908", "", CheckDigit},
		{"CPF", ParseCPF, "11111111111", "", CheckDigit},
		{"CPF", ParseCPF, "00000000000", "", CheckDigit},
		{"CPF", ParseCPF, "1234567890", "", Length},
		{"CPF", ParseCPF, "1234567890X", "", Format},
		{"CPF", ParseCPF, "１２３４５６７８９０９", "", Format},
		{"CPF", ParseCPF, "", "", Length},
		{"CNPJ", ParseCNPJ, "12.ABC.345/01DE-35", "12ABC34501DE35", 0}, // Receita Federal
		{"CNPJ", ParseCNPJ, "12abc34501de35", "12ABC34501DE35", 0},
		{"CNPJ", ParseCNPJ, "00.000.000/0001-91", "00000000000191", 0}, // Banco do Brasil's own, public
		{"CNPJ", ParseCNPJ, "00000000000000", "", CheckDigit},
		{"CNPJ", ParseCNPJ, "12ABC34501DE3A", "", Format},
		{"RUT", ParseRUT, "12.345.678-5", "12345678-5", 0},
		{"RUT", ParseRUT, "012345678-5", "12345678-5", 0},
		{"RUT", ParseRUT, "12345678-6", "", CheckDigit},
		{"RUC PE", ParseRUCPeru, "20131312955", "20131312955", 0}, // SUNAT's own, public
		{"RUC PE", ParseRUCPeru, "30131312955", "", Format},
		{"CCI length", func(s string) (string, error) { c, err := ParseCCI(s); return c.Number, err }, "123", "", Length},
		{"CI", ParseCI, "1.234.567-2", "12345672", 0},
		{"CURP form", ParseCURP, "1234", "", Length},
		{"DNI", doc("PER", "dni"), "12345678", "12345678", 0},
		{"CPF by shape", doc("BR", ""), "123.456.789-09", "12345678909", 0},
		{"CNPJ by shape", doc("BRA", ""), "12ABC34501DE35", "12ABC34501DE35", 0},
		{"a miscopied CPF is no passport", doc("BRA", ""), "12345678908", "", CheckDigit},
		{"a miscopied cédula is nothing else", doc("ECU", ""), "1700000000", "", CheckDigit},
		{"neither type nor country", doc("", ""), "12345678909", "", Unknown},
		{"CPF without country", doc("", "CPF"), "12345678909", "12345678909", 0},
		{"CPF of its own type", doc("BRA", "CNPJ"), "12345678909", "", Length},
		{"passport of many names", doc("COL", "Passport"), "ab123456", "AB123456", 0},
		{"unknown type", doc("BRA", "XYZ"), "123", "", Unknown},
		{"unknown country", doc("ZZ", "ID"), "123", "", Unknown},
		{"country without types", doc("DE", "ID"), "L01X00T47", "L01X00T47", 0},
		{"IBAN", ParseIBAN, "gb29 nwbk 6016 1331 9268 19", "GB29NWBK60161331926819", 0},
		{"IBAN", ParseIBAN, "GB29NWBK60161331926818", "", CheckDigit},
		{"IBAN", ParseIBAN, "US29NWBK60161331926819", "", Unknown},
		{"IBAN", ParseIBAN, "GB2912345601613319268199", "", Length},
		{"IBAN", ParseIBAN, "GB29123460161331926819", "", Format},
		{"IBAN", ParseIBAN, "", "", Length},
		{"BIC", ParseBIC, "deutdeff", "DEUTDEFF", 0},
		{"BIC", ParseBIC, "DEUTDEFFXXX", "DEUTDEFF", 0},
		{"BIC", ParseBIC, "DEUTDEFF500", "DEUTDEFF500", 0},
		{"BIC", ParseBIC, "DEUTZZFF", "", Unknown},
		{"BIC", ParseBIC, "DEU1DEFF", "", Format},
		{"BIC", ParseBIC, "DEUTDEFF5", "", Length},
		{"routing", ParseRouting, "110000000", "110000000", 0}, // Stripe's test number
		{"routing", ParseRouting, "000000000", "", Format},
		{"routing", ParseRouting, "130000006", "", Format},
		{"CBU with a zero check digit", func(s string) (string, error) { c, err := ParseCBU(s); return c.Number, err }, "0720429088000002339140", "0720429088000002339140", 0},
		{"CBU of zeros", func(s string) (string, error) { c, err := ParseCBU(s); return c.Number, err }, strings.Repeat("0", 22), "", Format},
		{"CLABE of zeros", func(s string) (string, error) { _, err := ParseCLABE(s); return "", err }, strings.Repeat("0", 18), "", Unknown},
		{"phone", ParsePhone, "+55 (11) 91234-5678", "+5511912345678", 0},
		{"phone", ParsePhone, "5511912345678", "", Format},
		{"phone", ParsePhone, "+1234567890123456", "", Length},
		{"phone", ParsePhone, "+0511912345678", "", Format},
		{"phone in CO", func(s string) (string, error) { return ParsePhoneIn("COL", s) }, "573051000002", "+573051000002", 0},
		{"phone in CO", func(s string) (string, error) { return ParsePhoneIn("CO", s) }, "305 100 0002", "+573051000002", 0},
		{"phone in CO", func(s string) (string, error) { return ParsePhoneIn("CO", s) }, "+5511912345678", "", Format},
		{"phone in EC", func(s string) (string, error) { return ParsePhoneIn("ECU", s) }, "5930999000000", "+5930999000000", 0},
		{"phone in BR with area 55", func(s string) (string, error) { return ParsePhoneIn("BR", s) }, "55999998888", "+5555999998888", 0},
	} {
		got, err := tt.parse(tt.in)
		var e *Error
		if tt.kind == 0 && (err != nil || got != tt.want) || tt.kind != 0 && (!errors.As(err, &e) || e.Kind != tt.kind) {
			t.Errorf("%s: %q = %q, %v; want %q, kind %d", tt.name, tt.in, got, err, tt.want, tt.kind)
		}
		if err != nil && len(tt.in) > 5 && strings.Contains(err.Error(), tt.in) {
			t.Errorf("%s: the error repeats the number: %v", tt.name, err)
		}
	}
}

// TestNITExamples: weights and result as the DIAN's example, base 800197268.
func TestNITExamples(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{"800197268-4": {"800197268", "4"}, "800.197.268-4": {"800197268", "4"}, "8001972684": {"800197268", "4"}, "800197268": {"800197268", ""}} {
		if base, dv, err := ParseNIT(in); err != nil || base != want[0] || dv != want[1] {
			t.Errorf("ParseNIT(%q) = %q, %q, %v", in, base, dv, err)
		}
	}
	if _, _, err := ParseNIT("800197268-5"); err == nil {
		t.Error("a wrong check digit is accepted")
	}
}

// TestRUCEcuadorFallbacks: a third digit has more than one rule.
func TestRUCEcuadorFallbacks(t *testing.T) {
	t.Parallel()
	var natural6, public9, juridical9, public6 int
	for n := range 20_000 {
		d := &digitsOf{state: uint64(n) * 0x9e3779b97f4a7c15}
		nine := "17" + d.from(1, "69") + d.digits(6)
		for c := range 10 {
			for _, s := range []string{nine + digit(c) + "001", nine[:8] + digit(c) + "0001"} {
				_, err := ParseRUCEcuador(s)
				if err != nil {
					continue
				}
				pub := weigh(s[:9], 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0
				switch {
				case s[2] == '6' && pub:
					public6++
				case s[2] == '6':
					natural6++
				case weigh(s[:10], 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0:
					juridical9++
				case pub:
					public9++
				default:
					t.Fatalf("%s passes no rule", s)
				}
			}
		}
	}
	if natural6 == 0 || public9 == 0 || juridical9 == 0 || public6 == 0 {
		t.Errorf("one rule is never reached: natural6 %d public6 %d public9 %d juridical9 %d", natural6, public6, public9, juridical9)
	}
	if _, err := ParseRUCEcuador("1770000000001"); err == nil {
		t.Error("third digit 7 is accepted")
	}
}

// TestIBANRegistry holds the registry's published examples.
func TestIBANRegistry(t *testing.T) {
	t.Parallel()
	examples := strings.Fields(`AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201
AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BG80BNBG96611020345678 BH67BMAG00001299123456
BI4210000100010000332045181 BR1800360305000010009795493C1 CH9300762011623852957 CY17002001280000001200527600
CZ6508000000192000145399 DE89370400440532013000 DJ2100010000000154000100186 DK5000400440116243 DO28BAGR00000001212453611324
EE382200221020145685 EG380019000500000000263180002 ES9121000418450200051332 FI2112345600000785 FK88SC123456789012 FO6264600001631634
FR1420041010050500013M02606 GB29NWBK60161331926819 GE29NB0000000101904917 GI75NWBK000000007099453 GL8964710001000206
GR1601101250000000012300695 GT82TRAJ01020000001210029690 HN88CABF00000000000250005469 HR1210010051863000160
HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999 IQ98NBIQ850123456789012 IS140159260076545510730339
IT60X0542811101000000123456 JO94CBJO0010000000000131000302 KW81CBKU0000000000001234560101 KZ86125KZT5004100100
LB62099900000001001901229114 LI21088100002324013AA LT121000011101001000 LU280019400644750000 LV80BANK0000435195001
MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951 MK07250120000058984 MN121234123456789123
MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S MU17BOMM0101101030300200000MUR NI45BAPR00000013000003558124
NL91ABNA0417164300 NO9386011117947 OM810180000001299123456 PK36SCBL0000001123456702 PL61109010140000071219812874
PS92PALS000000000400123456702 PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000
RS35260005601001611379 RU0304452522540817810538091310419 SA0380000000608010167519 SC18SSCB11010000000000001497USD SD2129010501234001
SE4550000000058398257466 SI56263300012039086 SK3112000000198742637541 SM86U0322509800000000270100 SO211000001001000100141
SV62CENR00000000000000700025 TN5910006035183598478831 TR330006100519786457841326 VA59001123000012345678 VG96VPVG0000012345678901
YE15CBYE0001018861234567891234`)
	for _, s := range examples {
		if got, err := ParseIBAN(s); err != nil || got != s {
			t.Errorf("ParseIBAN(%s) = %s, %v", s, got, err)
		}
	}
	if len(ibanStructures) != 89 {
		t.Errorf("%d countries, the registry has 89", len(ibanStructures))
	}
	for country, want := range map[string]int{"BR": 29, "CR": 22, "DO": 28, "GT": 28, "SV": 28, "NI": 28, "HN": 28, "LC": 32, "VG": 24, "FK": 18} {
		got := 4
		for _, p := range ibanStructures[country] {
			got += p.count
		}
		if got != want {
			t.Errorf("%s has %d characters, want %d", country, got, want)
		}
	}
	for _, country := range []string{"MX", "AR", "CL", "CO", "PE", "US"} {
		if _, ok := ibanStructures[country]; ok {
			t.Errorf("%s has no IBAN", country)
		}
	}
}

func TestDocumentTypes(t *testing.T) {
	t.Parallel()
	ids, names := map[int]bool{}, map[string]bool{}
	for _, d := range DocumentTypes("") {
		if ids[d.ID] || names[d.Country+d.Abbreviation] || d.Name == "" || d.Pattern[0] != '^' || d.Pattern[len(d.Pattern)-1] != '$' {
			t.Errorf("%d %s %s: repeated or incomplete", d.ID, d.Country, d.Abbreviation)
		}
		ids[d.ID], names[d.Country+d.Abbreviation] = true, true
		if c, err := ParseCountry(d.Country); err != nil || c.Alpha3 != d.Country {
			t.Errorf("%s is not an alpha-3 code", d.Country)
		}
	}
	if n := len(DocumentTypes("br")); n != 3 || len(DocumentTypes("BRA")) != n || len(DocumentTypes("DE")) != 0 || len(DocumentTypes("ZZ")) != 0 {
		t.Error("the types of one country are not found")
	}
	for _, tt := range []struct{ kind, country, typ string }{
		{"cpf", "BRA", "CPF"}, {"cnpj", "BRA", "CNPJ"}, {"cnpj_alphanumeric", "BRA", "CNPJ"}, {"nit", "COL", "NIT"}, {"cc", "COL", "CC"},
		{"ruc_pe", "PER", "RUC"}, {"dni_pe", "PER", "DNI"}, {"cedula", "ECU", "CC"}, {"ruc_ec", "ECU", "RUC"}, {"rut", "CHL", "RUT"},
		{"cuit", "ARG", "CUIT"}, {"ci", "URY", "CI"}, {"rut_uy", "URY", "RUT"}, {"curp", "MEX", "CURP"},
	} {
		var re *regexp.Regexp
		for _, d := range DocumentTypes(tt.country) {
			if d.Abbreviation == tt.typ {
				re = regexp.MustCompile(d.Pattern)
			}
		}
		for n := range uint64(200) {
			s := Sample(tt.kind, n)
			got, err := ParseDocument(tt.country, tt.typ, s)
			if err != nil || !re.MatchString(got) {
				t.Fatalf("%s %s: %q, %v; the pattern is %s", tt.country, tt.typ, got, err, re)
			}
			if again, err := ParseDocument(tt.country, "", got); err != nil || again == "" {
				t.Fatalf("%s: %q is not found by its shape: %v", tt.country, got, err)
			}
		}
	}
}

func TestPIXKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want PIXKey
		kind Kind
	}{
		{"123.456.789-09", PIXKey{PIXCPF, "12345678909"}, 0},
		{"12ABC34501DE35", PIXKey{PIXCNPJ, "12ABC34501DE35"}, 0},
		{"+5510998765432", PIXKey{PIXPhone, "+5510998765432"}, 0}, // the Banco Central's example: area 10 does not exist
		{"+55 11 91234-5678", PIXKey{PIXPhone, "+5511912345678"}, 0},
		{"Fulano@Example.com", PIXKey{PIXEmail, "fulano@example.com"}, 0},
		{"a@b", PIXKey{PIXEmail, "a@b"}, 0},
		{"+tag@example.com", PIXKey{PIXEmail, "+tag@example.com"}, 0},
		{"123E4567-E12B-12D1-A456-426655440000", PIXKey{PIXEVP, "123e4567-e12b-12d1-a456-426655440000"}, 0},
		{"11912345678", PIXKey{}, CheckDigit}, // eleven bare digits are a CPF
		{"fulano@", PIXKey{}, Format},
		{"joão@exemplo.com", PIXKey{}, Format},
		{"\u212a@example.com", PIXKey{}, Format}, // Kelvin sign
		{strings.Repeat("a", 66) + "@example.com", PIXKey{}, Length},
		{strings.Repeat("a", 1<<20), PIXKey{}, Length},
		{"123e4567-e12b-12d1-a456-42665544000g", PIXKey{}, Format},
		{"", PIXKey{}, Format},
		{"chave", PIXKey{}, Format},
	} {
		got, err := ParsePIXKey(tt.in)
		var e *Error
		if tt.kind == 0 && (err != nil || got != tt.want) || tt.kind != 0 && (!errors.As(err, &e) || e.Kind != tt.kind) {
			t.Errorf("ParsePIXKey(%.40q) = %v, %v", tt.in, got, err)
		}
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	clabe, cbu, cvu := Sample("clabe", 1), Sample("cbu", 1), Sample("cvu", 1)
	cci := Sample("cci", 1)
	wrongCCI := cci[:19] + digit(int(cci[19]-'0'+1)%10)
	for _, tt := range []struct {
		in      Account
		want    Account
		field   string // of the refusal
		warning bool
	}{
		{in: Account{Country: "BRA", Bank: "341", Branch: "1243", Number: "213846-2", Type: "Conta Corrente"}, want: Account{Country: "BR", Bank: "341", Branch: "1243", Number: "2138462", Type: "checking", Scheme: "branch"}},
		{in: Account{Country: "BR", Bank: "00000000", Branch: "1", Number: "1234-X"}, want: Account{Country: "BR", Bank: "00000000", Branch: "1", Number: "12340", Scheme: "branch"}},
		{in: Account{Country: "BR", Bank: "34", Branch: "1", Number: "1"}, field: "bank_code"},
		{in: Account{Country: "BR", Bank: "341", Branch: "12345", Number: "1"}, field: "branch"},
		{in: Account{Country: "BR", Bank: "341", Branch: "1", Number: "12A4"}, field: "account_number"},
		{in: Account{Country: "BR", Bank: "341", Branch: "1", Number: "1", Type: "gold"}, field: "account_type"},
		{in: Account{Country: "MX", Number: clabe}, want: Account{Country: "MX", Bank: mexicanBanks[clabe[:3]].banxico, Number: clabe, Scheme: "clabe"}},
		{in: Account{Country: "MX", Number: clabe, Bank: "058"}, field: "bank_code"},
		{in: Account{Country: "MX", Number: "5512345678"}, field: "bank_code"},
		{in: Account{Country: "MX", Number: "5512345678", Bank: "646"}, want: Account{Country: "MX", Bank: "90646", Number: "5512345678", Scheme: "phone"}},
		{in: Account{Country: "MX", Number: "4242424242424242"}, field: "account_number"},
		{in: Account{Country: "AR", Number: cbu}, want: Account{Country: "AR", Bank: cbu[:3], Branch: cbu[3:7], Number: cbu, Scheme: "cbu"}},
		{in: Account{Country: "AR", Number: cvu}, want: Account{Country: "AR", Bank: "000", Branch: cvu[3:7], Number: cvu, Scheme: "cvu"}},
		{in: Account{Country: "AR", Number: "Mi.Alias.Banco"}, want: Account{Country: "AR", Number: "mi.alias.banco", Scheme: "alias"}},
		{in: Account{Country: "AR", Number: "señal.banco"}, field: "account_number"},
		{in: Account{Country: "AR", Number: "123456"}, field: "account_number"},
		{in: Account{Country: "PER", Bank: cci[:3], Number: cci, Type: "SAVINGS"}, want: Account{Country: "PE", Bank: cci[:3], Number: cci, Type: "savings", Scheme: "cci"}},
		{in: Account{Country: "PE", Number: wrongCCI}, want: Account{Country: "PE", Bank: cci[:3], Number: wrongCCI, Scheme: "cci"}, warning: true},
		{in: Account{Country: "ECU", Bank: "0010", Number: "2200123456", Type: "CHECKING"}, want: Account{Country: "EC", Bank: "0010", Number: "2200123456", Type: "checking", Scheme: "local"}},
		{in: Account{Country: "EC", Number: "2200123456"}, field: "bank_code"},
		{in: Account{Country: "CO", Bank: "1507", Number: "3051000002"}, want: Account{Country: "CO", Bank: "1507", Number: "3051000002", Scheme: "wallet"}},
		{in: Account{Country: "CO", Bank: "1507", Number: "6051000002"}, field: "account_number"},
		{in: Account{Country: "CO", Bank: "1007", Number: "12345678901", Type: "ahorros"}, want: Account{Country: "CO", Bank: "1007", Number: "12345678901", Type: "savings", Scheme: "local"}},
		{in: Account{Country: "US", Bank: "110000000", Number: "000123456789", Type: "checking"}, want: Account{Country: "US", Bank: "110000000", Number: "000123456789", Type: "checking", Scheme: "ach"}},
		{in: Account{Country: "US", Bank: "110000000", Number: "000123456789"}, field: "account_type"},
		{in: Account{Country: "US", Bank: "110000001", Number: "000123456789", Type: "checking"}, field: "bank_code"},
		{in: Account{Country: "DE", Bank: "DEUTDEFFXXX", Number: "de89 3704 0044 0532 0130 00"}, want: Account{Country: "DE", Bank: "DEUTDEFF", Number: "DE89370400440532013000", Scheme: "iban"}},
		{in: Account{Country: "FR", Number: "DE89370400440532013000"}, field: "account_number"},
		{in: Account{Country: "IND", Bank: "HDFC0000001", Number: "12345678901"}, want: Account{Country: "IN", Bank: "HDFC0000001", Number: "12345678901", Scheme: "local"}},
		{in: Account{Country: "JP", Bank: "0001", Number: "1234567"}, want: Account{Country: "JP", Bank: "0001", Number: "1234567", Scheme: "local"}},
		{in: Account{Country: "ZZ", Number: "1"}, field: "country"},
		{in: Account{Country: "CL", Bank: "012", Number: " "}, field: "account_number"},
	} {
		got, err := ParseAccount(tt.in)
		if tt.field != "" {
			var e *Error
			if !errors.As(err, &e) || e.Field != tt.field {
				t.Errorf("%+v: %+v, %v; want a refusal of %s", tt.in, got, err, tt.field)
			}
			continue
		}
		warned := got.Warning != ""
		got.Warning = ""
		if err != nil || got != tt.want || warned != tt.warning {
			t.Errorf("%+v: %+v (warning %v), %v; want %+v", tt.in, got, warned, err, tt.want)
		}
	}
}

func TestEndToEndID(t *testing.T) {
	t.Parallel()
	at := boletoEpoch.AddDate(29, 0, 0)
	s, err := NewEndToEndID("12345678", at, "AbCdEfGhIjK")
	if err != nil || s != "E12345678202610070000AbCdEfGhIjK" {
		t.Fatalf("NewEndToEndID = %q, %v", s, err)
	}
	id, err := ParseEndToEndID(s)
	if err != nil || id.ISPB != "12345678" || !id.At.Equal(at) || id.Sequence != "AbCdEfGhIjK" || id.String() != s {
		t.Errorf("ParseEndToEndID = %+v, %v", id, err)
	}
	if id, err := ParseEndToEndID("D" + s[1:]); err != nil || !id.Return {
		t.Errorf("a return is not read: %+v, %v", id, err)
	}
	for _, bad := range []string{"", "X" + s[1:], s[:31], s + "a", "Eabcdefgh" + s[9:], s[:9] + "202613070000" + s[21:], s[:31] + "-", s[:20] + "é" + s[22:]} {
		if _, err := ParseEndToEndID(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	for _, ispb := range []string{"1234567", "1234567é", "abcdefgh"} {
		if _, err := NewEndToEndID(ispb, at, "AbCdEfGhIjK"); err == nil {
			t.Errorf("ISPB %q is accepted", ispb)
		}
	}
}

func TestSamplesAreStable(t *testing.T) {
	t.Parallel()
	for _, kind := range SampleKinds() {
		seen := map[string]bool{}
		for n := range uint64(1000) {
			s := Sample(kind, n)
			if s != Sample(kind, n) {
				t.Fatalf("%s %d differs from itself", kind, n)
			}
			seen[s] = true
		}
		if len(seen) < 990 {
			t.Errorf("%s: %d of 1000 samples differ", kind, len(seen))
		}
	}
	if Sample("gold", 1) != "" {
		t.Error("an unknown kind has samples")
	}
}

func FuzzParse(f *testing.F) {
	for _, kind := range SampleKinds() {
		f.Add(Sample(kind, 1))
	}
	parsers := []func(string) (string, error){
		ParseCPF, ParseCNPJ, ParseRUT, ParseCUIT, ParseRUCPeru, ParseCedula, ParseRUCEcuador, ParseCI, ParseRUTUruguay, ParseCURP,
		ParseIBAN, ParseBIC, ParseRouting, ParsePhone,
		func(s string) (string, error) { return ParsePhoneIn("CO", s) },
		func(s string) (string, error) { k, err := ParsePIXKey(s); return k.Value, err },
		func(s string) (string, error) { c, err := ParseCLABE(s); return c.Number, err },
		func(s string) (string, error) { c, err := ParseCBU(s); return c.Number, err },
		func(s string) (string, error) { c, err := ParseCCI(s); return c.Number, err },
		func(s string) (string, error) { id, err := ParseEndToEndID(s); return id.String(), err },
		func(s string) (string, error) {
			base, dv, err := ParseNIT(s)
			if dv != "" {
				base += "-" + dv
			}
			return base, err
		},
	}
	for _, t := range DocumentTypes("") {
		parsers = append(parsers, t.check)
	}
	for _, country := range []string{"BR", "MX", "AR", "PE", "CO", "CL", "US", "IN", "DE", "JP"} {
		parsers = append(parsers, func(s string) (string, error) {
			a, err := ParseAccount(Account{Country: country, Bank: "012", Branch: "1", Number: s, Type: "savings"})
			return a.Number, err
		})
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i, parse := range parsers {
			canonical, err := parse(s)
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Kind == 0 || e.Message == "" {
					t.Fatalf("parser %d: %v is no *Error with a kind", i, err)
				}
				continue
			}
			if again, err := parse(canonical); err != nil || again != canonical {
				t.Fatalf("parser %d: %q is canonical and read as %q, %v", i, canonical, again, err)
			}
		}
	})
}
