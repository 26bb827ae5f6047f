package money

import (
	"errors"
	"slices"
	"strings"
)

// ErrUnknownCurrency is returned for a code in which giro moves no money: not in
// ISO 4217's active list, or in it without minor units (gold, SDR, testing).
var ErrUnknownCurrency = errors.New("unknown currency")

// Currency is an ISO 4217 alphabetic code in upper case, "BRL". A value made by
// ParseCurrency stands in the table; any other behaves as written at each method.
type Currency string

// Info is one row of ISO 4217's active table.
type Info struct {
	Code     Currency
	Exponent int    // decimal places of the minor unit: 0, 2, 3 or 4
	Numeric  string // the three-digit code, with its leading zeros
	Name     string // English, singular
}

// ParseCurrency reads a code of exactly three ASCII letters in either case, and
// fails with ErrUnknownCurrency otherwise. It does not allocate.
func ParseCurrency(s string) (Currency, error) {
	if i, ok := slot(s, true); ok && rows[i] != 0 {
		return table[rows[i]-1].Code, nil
	}
	return "", ErrUnknownCurrency
}

// Exponent is the number of decimal places of c's minor unit as ISO 4217 has it:
// not the habit of a country or of a provider. A code outside the table has 0, so
// that its amounts show in the unit they are stored in.
func (c Currency) Exponent() int {
	if i, ok := slot(string(c), false); ok && rows[i] != 0 {
		return table[rows[i]-1].Exponent
	}
	return 0
}

// Lower is the code in lower case, "brl". For a code of the table it does not
// allocate.
func (c Currency) Lower() string {
	if i, ok := slot(string(c), false); ok && rows[i] != 0 {
		return lower[rows[i]-1]
	}
	return strings.ToLower(string(c))
}

// Currencies lists every currency that ParseCurrency accepts, sorted by code: the
// active table of ISO 4217 but for the codes without minor units. The slice is the
// caller's own.
func Currencies() []Info { return slices.Clone(table) }

// slot places a code of three letters in rows. fold also takes lower case.
func slot(s string, fold bool) (int, bool) {
	if len(s) != 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		b := s[i]
		if fold && 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		if b < 'A' || b > 'Z' {
			return 0, false
		}
		n = n*26 + int(b-'A')
	}
	return n, true
}

// rows holds for each possible code its place in table, counted from 1.
var rows = func() (r [26 * 26 * 26]uint8) {
	for i, info := range table {
		n, _ := slot(string(info.Code), false)
		r[n] = uint8(i + 1)
	}
	return r
}()

var lower = func() []string {
	l := make([]string, len(table))
	for i, info := range table {
		l[i] = strings.ToLower(string(info.Code))
	}
	return l
}()

// table is ISO 4217 list one as of 2026-02-01 (SIX, the maintenance agency). Left
// out are its thirteen codes without minor units: XAG, XAU, XBA, XBB, XBC, XBD,
// XDR, XPD, XPT, XSU, XTS, XUA, XXX. A row whose currency is withdrawn later has to
// stay for as long as a ledger may hold it.
var table = []Info{
	{"AED", 2, "784", "UAE Dirham"},
	{"AFN", 2, "971", "Afghani"},
	{"ALL", 2, "008", "Lek"},
	{"AMD", 2, "051", "Armenian Dram"},
	{"AOA", 2, "973", "Kwanza"},
	{"ARS", 2, "032", "Argentine Peso"},
	{"AUD", 2, "036", "Australian Dollar"},
	{"AWG", 2, "533", "Aruban Florin"},
	{"AZN", 2, "944", "Azerbaijan Manat"},
	{"BAM", 2, "977", "Convertible Mark"},
	{"BBD", 2, "052", "Barbados Dollar"},
	{"BDT", 2, "050", "Taka"},
	{"BHD", 3, "048", "Bahraini Dinar"},
	{"BIF", 0, "108", "Burundi Franc"},
	{"BMD", 2, "060", "Bermudian Dollar"},
	{"BND", 2, "096", "Brunei Dollar"},
	{"BOB", 2, "068", "Boliviano"},
	{"BOV", 2, "984", "Mvdol"},
	{"BRL", 2, "986", "Brazilian Real"},
	{"BSD", 2, "044", "Bahamian Dollar"},
	{"BTN", 2, "064", "Ngultrum"},
	{"BWP", 2, "072", "Pula"},
	{"BYN", 2, "933", "Belarusian Ruble"},
	{"BZD", 2, "084", "Belize Dollar"},
	{"CAD", 2, "124", "Canadian Dollar"},
	{"CDF", 2, "976", "Congolese Franc"},
	{"CHE", 2, "947", "WIR Euro"},
	{"CHF", 2, "756", "Swiss Franc"},
	{"CHW", 2, "948", "WIR Franc"},
	{"CLF", 4, "990", "Unidad de Fomento"},
	{"CLP", 0, "152", "Chilean Peso"},
	{"CNY", 2, "156", "Yuan Renminbi"},
	{"COP", 2, "170", "Colombian Peso"},
	{"COU", 2, "970", "Unidad de Valor Real"},
	{"CRC", 2, "188", "Costa Rican Colon"},
	{"CUP", 2, "192", "Cuban Peso"},
	{"CVE", 2, "132", "Cabo Verde Escudo"},
	{"CZK", 2, "203", "Czech Koruna"},
	{"DJF", 0, "262", "Djibouti Franc"},
	{"DKK", 2, "208", "Danish Krone"},
	{"DOP", 2, "214", "Dominican Peso"},
	{"DZD", 2, "012", "Algerian Dinar"},
	{"EGP", 2, "818", "Egyptian Pound"},
	{"ERN", 2, "232", "Nakfa"},
	{"ETB", 2, "230", "Ethiopian Birr"},
	{"EUR", 2, "978", "Euro"},
	{"FJD", 2, "242", "Fiji Dollar"},
	{"FKP", 2, "238", "Falkland Islands Pound"},
	{"GBP", 2, "826", "Pound Sterling"},
	{"GEL", 2, "981", "Lari"},
	{"GHS", 2, "936", "Ghana Cedi"},
	{"GIP", 2, "292", "Gibraltar Pound"},
	{"GMD", 2, "270", "Dalasi"},
	{"GNF", 0, "324", "Guinean Franc"},
	{"GTQ", 2, "320", "Quetzal"},
	{"GYD", 2, "328", "Guyana Dollar"},
	{"HKD", 2, "344", "Hong Kong Dollar"},
	{"HNL", 2, "340", "Lempira"},
	{"HTG", 2, "332", "Gourde"},
	{"HUF", 2, "348", "Forint"},
	{"IDR", 2, "360", "Rupiah"},
	{"ILS", 2, "376", "New Israeli Sheqel"},
	{"INR", 2, "356", "Indian Rupee"},
	{"IQD", 3, "368", "Iraqi Dinar"},
	{"IRR", 2, "364", "Iranian Rial"},
	{"ISK", 0, "352", "Iceland Krona"},
	{"JMD", 2, "388", "Jamaican Dollar"},
	{"JOD", 3, "400", "Jordanian Dinar"},
	{"JPY", 0, "392", "Yen"},
	{"KES", 2, "404", "Kenyan Shilling"},
	{"KGS", 2, "417", "Som"},
	{"KHR", 2, "116", "Riel"},
	{"KMF", 0, "174", "Comorian Franc"},
	{"KPW", 2, "408", "North Korean Won"},
	{"KRW", 0, "410", "Won"},
	{"KWD", 3, "414", "Kuwaiti Dinar"},
	{"KYD", 2, "136", "Cayman Islands Dollar"},
	{"KZT", 2, "398", "Tenge"},
	{"LAK", 2, "418", "Lao Kip"},
	{"LBP", 2, "422", "Lebanese Pound"},
	{"LKR", 2, "144", "Sri Lanka Rupee"},
	{"LRD", 2, "430", "Liberian Dollar"},
	{"LSL", 2, "426", "Loti"},
	{"LYD", 3, "434", "Libyan Dinar"},
	{"MAD", 2, "504", "Moroccan Dirham"},
	{"MDL", 2, "498", "Moldovan Leu"},
	{"MGA", 2, "969", "Malagasy Ariary"},
	{"MKD", 2, "807", "Denar"},
	{"MMK", 2, "104", "Kyat"},
	{"MNT", 2, "496", "Tugrik"},
	{"MOP", 2, "446", "Pataca"},
	{"MRU", 2, "929", "Ouguiya"},
	{"MUR", 2, "480", "Mauritius Rupee"},
	{"MVR", 2, "462", "Rufiyaa"},
	{"MWK", 2, "454", "Malawi Kwacha"},
	{"MXN", 2, "484", "Mexican Peso"},
	{"MXV", 2, "979", "Mexican Unidad de Inversion (UDI)"},
	{"MYR", 2, "458", "Malaysian Ringgit"},
	{"MZN", 2, "943", "Mozambique Metical"},
	{"NAD", 2, "516", "Namibia Dollar"},
	{"NGN", 2, "566", "Naira"},
	{"NIO", 2, "558", "Cordoba Oro"},
	{"NOK", 2, "578", "Norwegian Krone"},
	{"NPR", 2, "524", "Nepalese Rupee"},
	{"NZD", 2, "554", "New Zealand Dollar"},
	{"OMR", 3, "512", "Rial Omani"},
	{"PAB", 2, "590", "Balboa"},
	{"PEN", 2, "604", "Sol"},
	{"PGK", 2, "598", "Kina"},
	{"PHP", 2, "608", "Philippine Peso"},
	{"PKR", 2, "586", "Pakistan Rupee"},
	{"PLN", 2, "985", "Zloty"},
	{"PYG", 0, "600", "Guarani"},
	{"QAR", 2, "634", "Qatari Rial"},
	{"RON", 2, "946", "Romanian Leu"},
	{"RSD", 2, "941", "Serbian Dinar"},
	{"RUB", 2, "643", "Russian Ruble"},
	{"RWF", 0, "646", "Rwanda Franc"},
	{"SAR", 2, "682", "Saudi Riyal"},
	{"SBD", 2, "090", "Solomon Islands Dollar"},
	{"SCR", 2, "690", "Seychelles Rupee"},
	{"SDG", 2, "938", "Sudanese Pound"},
	{"SEK", 2, "752", "Swedish Krona"},
	{"SGD", 2, "702", "Singapore Dollar"},
	{"SHP", 2, "654", "Saint Helena Pound"},
	{"SLE", 2, "925", "Leone"},
	{"SOS", 2, "706", "Somali Shilling"},
	{"SRD", 2, "968", "Surinam Dollar"},
	{"SSP", 2, "728", "South Sudanese Pound"},
	{"STN", 2, "930", "Dobra"},
	{"SVC", 2, "222", "El Salvador Colon"},
	{"SYP", 2, "760", "Syrian Pound"},
	{"SZL", 2, "748", "Lilangeni"},
	{"THB", 2, "764", "Baht"},
	{"TJS", 2, "972", "Somoni"},
	{"TMT", 2, "934", "Turkmenistan New Manat"},
	{"TND", 3, "788", "Tunisian Dinar"},
	{"TOP", 2, "776", "Pa’anga"},
	{"TRY", 2, "949", "Turkish Lira"},
	{"TTD", 2, "780", "Trinidad and Tobago Dollar"},
	{"TWD", 2, "901", "New Taiwan Dollar"},
	{"TZS", 2, "834", "Tanzanian Shilling"},
	{"UAH", 2, "980", "Hryvnia"},
	{"UGX", 0, "800", "Uganda Shilling"},
	{"USD", 2, "840", "US Dollar"},
	{"USN", 2, "997", "US Dollar (Next day)"},
	{"UYI", 0, "940", "Uruguay Peso en Unidades Indexadas (UI)"},
	{"UYU", 2, "858", "Peso Uruguayo"},
	{"UYW", 4, "927", "Unidad Previsional"},
	{"UZS", 2, "860", "Uzbekistan Sum"},
	{"VED", 2, "926", "Bolívar Soberano (digital)"},
	{"VES", 2, "928", "Bolívar Soberano"},
	{"VND", 0, "704", "Dong"},
	{"VUV", 0, "548", "Vatu"},
	{"WST", 2, "882", "Tala"},
	{"XAD", 2, "396", "Arab Accounting Dinar"},
	{"XAF", 0, "950", "CFA Franc BEAC"},
	{"XCD", 2, "951", "East Caribbean Dollar"},
	{"XCG", 2, "532", "Caribbean Guilder"},
	{"XOF", 0, "952", "CFA Franc BCEAO"},
	{"XPF", 0, "953", "CFP Franc"},
	{"YER", 2, "886", "Yemeni Rial"},
	{"ZAR", 2, "710", "Rand"},
	{"ZMW", 2, "967", "Zambian Kwacha"},
	{"ZWG", 2, "924", "Zimbabwe Gold"},
}
