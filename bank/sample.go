package bank

import (
	"fmt"
	"slices"
)

// SampleKinds lists what Sample can make.
func SampleKinds() []string {
	kinds := make([]string, 0, len(samples))
	for k := range samples {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}

// Sample makes the n-th fictional number of a kind, for demonstrations, the sandbox
// and tests: made up from n alone, always the same, with right check digits. Someone
// may by chance have it: never pay to one. It is empty for a kind that SampleKinds
// does not list.
func Sample(kind string, n uint64) string {
	make, ok := samples[kind]
	if !ok {
		return ""
	}
	// Mixed first, or one number's stream would be its neighbour's, moved by one.
	start := digitsOf{state: n}
	return make(&digitsOf{state: start.next(1<<64 - 1)})
}

// digitsOf is a stream of digits and letters that n decides (SplitMix64).
type digitsOf struct{ state uint64 }

func (d *digitsOf) next(below uint64) uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) % below
}

func (d *digitsOf) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + d.next(10))
	}
	return string(b)
}

func (d *digitsOf) from(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[d.next(uint64(len(alphabet)))]
	}
	return string(b)
}

func (d *digitsOf) of(values ...string) string { return values[d.next(uint64(len(values)))] }

const (
	upper    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	upperNum = "0123456789" + upper
)

var samples = map[string]func(*digitsOf) string{
	"cpf":  func(d *digitsOf) string { b := varied(d, 9); return b + cpfCheck(b) },
	"cnpj": func(d *digitsOf) string { b := varied(d, 8) + "0001"; return b + cnpjCheck(b) },
	"cnpj_alphanumeric": func(d *digitsOf) string {
		b := d.from(1, upper) + d.from(7, upperNum) + "0001"
		return b + cnpjCheck(b)
	},
	"evp": func(d *digitsOf) string {
		h := func(n int) string { return d.from(n, "0123456789abcdef") }
		return h(8) + "-" + h(4) + "-4" + h(3) + "-" + d.of("8", "9", "a", "b") + h(3) + "-" + h(12)
	},
	"phone_br": func(d *digitsOf) string { return "+55" + d.of("11", "21", "31", "41", "51") + "9" + d.digits(8) },
	"phone_co": func(d *digitsOf) string { return "+573" + d.digits(9) },
	"clabe": func(d *digitsOf) string {
		b := d.of("002", "012", "014", "072", "646") + "180" + d.digits(11)
		return b + clabeCheck(b)
	},
	"cbu": func(d *digitsOf) string { return cbuOf(d.of("007", "011", "017", "072")+d.digits(4), d.digits(13)) },
	"cvu": func(d *digitsOf) string { return cbuOf("0000"+d.of("003", "007", "013"), d.digits(13)) },
	"cuit": func(d *digitsOf) string {
		for {
			b := d.of("20", "23", "27", "30") + d.digits(8)
			if c := cuitCheck(b); c != "" {
				return b + c
			}
		}
	},
	"rut":    func(d *digitsOf) string { b := d.from(1, "12") + d.digits(7); return b + "-" + rutCheck(b) },
	"nit":    func(d *digitsOf) string { b := d.of("8", "9") + varied(d, 8); return b + "-" + nitCheck(b) },
	"cc":     func(d *digitsOf) string { return "1" + d.digits(9) },
	"ruc_pe": func(d *digitsOf) string { b := d.of("10", "20") + d.digits(8); return b + rucPeruCheck(b) },
	"dni_pe": func(d *digitsOf) string { return d.from(1, "4567") + d.digits(7) },
	"cci": func(d *digitsOf) string {
		head, account := d.of("002", "003", "009", "011")+d.digits(3), d.digits(12)
		return head + account + cciCheck(head) + cciCheck(account)
	},
	"cedula": cedula,
	"ruc_ec": func(d *digitsOf) string { return cedula(d) + "001" },
	"ci":     func(d *digitsOf) string { b := d.from(1, "12345") + d.digits(6); return b + ciCheck(b) },
	"rut_uy": func(d *digitsOf) string {
		for {
			b := "21" + d.from(1, "123456789") + d.digits(5) + "001"
			if c := rutUruguayCheck(b); c != "" {
				return b + c
			}
		}
	},
	"curp": func(d *digitsOf) string {
		b := d.from(4, upper) + fmt.Sprintf("%02d%02d%02d", 50+d.next(50), 1+d.next(12), 1+d.next(28)) + d.of("H", "M") + d.from(5, upper) + "0"
		return b + curpCheck(b)
	},
	"routing": func(d *digitsOf) string {
		b := "0" + d.from(1, "123456789") + d.digits(6)
		return b + digit((10-weigh(b, 3, 7, 1)%10)%10)
	},
	"iban_de": func(d *digitsOf) string { b := d.digits(18); return "DE" + ibanCheck("DE", b) + b },
	"iban_es": func(d *digitsOf) string { b := d.digits(20); return "ES" + ibanCheck("ES", b) + b },
	"iban_br": func(d *digitsOf) string {
		b := d.digits(23) + d.from(1, "CP") + d.from(1, upperNum)
		return "BR" + ibanCheck("BR", b) + b
	},
}

// varied is n digits that are not all the same.
func varied(d *digitsOf, n int) string {
	for {
		if s := d.digits(n); !same(s) {
			return s
		}
	}
}

func cbuOf(bank, account string) string {
	return bank + cbuBankCheck(bank) + account + cbuAccountCheck(account)
}

func cedula(d *digitsOf) string {
	b := fmt.Sprintf("%02d", 1+d.next(24)) + d.from(1, "012345") + d.digits(6)
	return b + digit((10-luhnSum(b, true)%10)%10)
}
