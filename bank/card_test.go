package bank

import (
	"strings"
	"testing"
)

// withLuhn is prefix, filled with digits and ended by its check digit.
func withLuhn(prefix string, size int, n uint64) string {
	d := &digitsOf{state: n}
	b := prefix + d.digits(size-1-len(prefix))
	return b + mod10(b)
}

func TestFindCardNumber(t *testing.T) {
	t.Parallel()
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, "4242424242424242")
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, "4242424242424242")
	for _, tt := range []struct {
		in   string
		want bool
	}{
		{"4242424242424242", true},
		{"paid with 4242 4242 4242 4242 today", true},
		{"4242-4242-4242-4242", true},
		{"4242.4242.4242.4242", true},
		{"4242\u00a04242\u00a04242\u00a04242", true},
		{"4242–4242–4242–4242", true},
		{"4242\n4242\n4242\n4242", true},
		{"4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2", true},
		{wide, true},
		{arabic, true},
		{"(4242424242424242)", true},
		{"order-4242424242424242", true},
		{"?card=4242424242424242&x=1", true},
		{"first 12, then 4242424242424242.", true},
		{"378282246310005", true},         // American Express
		{"30569309025904", true},          // Diners Club
		{"5555555555554444", true},        // Mastercard
		{"2223003122003222", true},        // Mastercard, series 2
		{"6011111111111117", true},        // Discover
		{"3566002020360505", true},        // JCB
		{"6200000000000005", true},        // UnionPay
		{"4222222222222", true},           // Visa with 13 digits
		{"6362970000457013", true},        // Elo
		{"4000000000000000006", true},     // 19 digits
		{withLuhn("606282", 16, 1), true}, // Hipercard
		{withLuhn("6062", 19, 2), true},
		{withLuhn("509000", 16, 3), true}, // Elo
		{withLuhn("650485", 16, 4), true}, // Elo
		{withLuhn("4", 19, 5), true},
		{withLuhn("4", 13, 6), true},

		{"4242424242424241", false},
		{"x4242424242424242", false},
		{"4242424242424242x", false},
		{"é4242424242424242", false},
		{"a4242424242424242b", false},
		{"42424242424242424242", false},   // 20 digits
		{"4242  4242  4242  4242", false}, // two separators
		{"0000000000000000", false},
		{"1234567812345670", false}, // Luhn, and no network's
		{"7992739871343432", false},
		{"aaaaaaaa-aaaa-4aaa-" + withLuhn("4242", 4+12, 7)[:4] + "-" + withLuhn("4242", 16, 7)[4:], false}, // the end of a UUID
		{"deadbeef4242424242424242", false},
		{"deadbeef-4242-4242-4242-424242424242", false},
		{"00190.50095 40144.816069 06809.350314 3 37370000000100", false},
		{"00190500954014481606906809350314337370000000100", false},
		{Sample("cpf", 1), false},
		{"", false},
		{"1.234.567,89", false},
		{strings.Repeat("4", 1<<20), false},
		{strings.Repeat("4242 ", 1<<16), false},
		{strings.Repeat("aaaaaaaa-aaaa-4aaa-4242-424242424242 ", 1<<15), false},
		{strings.Repeat("aaaaaaaa-aaaa-4aaa-4242-424242424242, ", 9) + "4242424242424242", true},
	} {
		if got := FindCardNumber(tt.in); got != tt.want {
			t.Errorf("FindCardNumber(%.60q) = %v", tt.in, got)
		}
	}
}

// TestCNPJsAreNoCards: the prefix decides. Of fourteen digits only Diners Club's are
// cards, so a CNPJ can be taken for one only if it begins like that.
func TestCNPJsAreNoCards(t *testing.T) {
	t.Parallel()
	luhn := 0
	for n := range uint64(20_000) {
		s := Sample("cnpj", n)
		diners := s[:2] == "36" || s[:2] == "38" || s[:2] == "39" || s[:2] == "30"
		if LuhnValid(s) {
			luhn++
		}
		if FindCardNumber(s) && !diners {
			t.Fatalf("a CNPJ beginning with %s is taken for a card", s[:2])
		}
		if FindCardNumber(FormatCNPJ(s)) {
			t.Fatalf("a formatted CNPJ beginning with %s is taken for a card", s[:2])
		}
		if FindCardNumber(Sample("clabe", n)) && !strings.ContainsAny(Sample("clabe", n)[:1], "3456") {
			t.Fatal("a CLABE is taken for a card")
		}
	}
	if luhn == 0 {
		t.Error("no CNPJ passed Luhn: the test proves nothing")
	}
}

func FuzzFindCardNumber(f *testing.F) {
	f.Add("a", "b")
	f.Add("é", " ")
	f.Fuzz(func(t *testing.T, before, after string) {
		FindCardNumber(before + after)
		// Whatever surrounds it, a card between two blanks on each side is found.
		if !FindCardNumber(before + "  4242 4242 4242 4242  " + after) {
			t.Fatalf("a card between %q and %q is not found", before, after)
		}
	})
}

func BenchmarkFindCardNumber(b *testing.B) {
	for name, s := range map[string]string{"text": strings.Repeat("Invoice of March. ", 25), "digits": strings.Repeat("4242 42 ", 60)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				FindCardNumber(s)
			}
		})
	}
}
