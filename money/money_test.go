package money

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		c    Currency
		want int64
		err  error
	}{
		{"98000.00", "COP", 9800000, nil},
		{"30000.00", "COP", 3000000, nil},
		{"980", "BRL", 98000, nil},
		{"0.5", "BRL", 50, nil},
		{"0.01", "BRL", 1, nil},
		{"18.00000000", "BRL", 1800, nil},
		{"007.10", "BRL", 710, nil},
		{"10.00", "JPY", 10, nil},
		{"1.0005", "CLF", 10005, nil},
		{"1.005", "KWD", 1005, nil},
		{"999999999999.99", "BRL", Max, nil},
		{"99999999999999", "JPY", Max, nil},
		{strings.Repeat("0", 1<<20) + "1", "JPY", 1, nil},

		{"98000.001", "COP", 0, ErrPrecision},
		{"0.001", "BRL", 0, ErrPrecision},
		{"10.50", "JPY", 0, ErrPrecision},
		{"1.0005", "KWD", 0, ErrPrecision},

		{"1,000.00", "BRL", 0, ErrFormat},
		{" 10", "BRL", 0, ErrFormat},
		{"10 ", "BRL", 0, ErrFormat},
		{"+10", "BRL", 0, ErrFormat},
		{"1e3", "BRL", 0, ErrFormat},
		{"0x10", "BRL", 0, ErrFormat},
		{"\u0663", "BRL", 0, ErrFormat},       // Arabic three
		{"\uff11\uff10", "BRL", 0, ErrFormat}, // full-width ten
		{".5", "BRL", 0, ErrFormat},
		{"5.", "BRL", 0, ErrFormat},
		{".", "BRL", 0, ErrFormat},
		{"1.2.3", "BRL", 0, ErrFormat},
		{"1..2", "BRL", 0, ErrFormat},
		{"", "BRL", 0, ErrFormat},
		{"-", "BRL", 0, ErrFormat},
		{"--1", "BRL", 0, ErrFormat},
		{"-.5", "BRL", 0, ErrFormat},
		{"NaN", "BRL", 0, ErrFormat},
		{"1\x00", "BRL", 0, ErrFormat},
		{strings.Repeat("9", 1<<20) + "x", "BRL", 0, ErrFormat},

		{"0", "BRL", 0, ErrTooSmall},
		{"0.00", "BRL", 0, ErrTooSmall},
		{"-0.01", "BRL", 0, ErrTooSmall},
		{"-1", "BRL", 0, ErrTooSmall},
		{"-0", "BRL", 0, ErrTooSmall},

		{"1000000000000.00", "BRL", 0, ErrTooLarge},
		{"100000000000000", "JPY", 0, ErrTooLarge},
		{"9223372036854775808", "JPY", 0, ErrTooLarge},
		{"92233720368547758.08", "BRL", 0, ErrTooLarge},
		{strings.Repeat("9", 400), "BRL", 0, ErrTooLarge},
		{strings.Repeat("9", 1<<20), "BRL", 0, ErrTooLarge},
	} {
		got, err := Parse(tt.in, tt.c)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Parse(%.40q, %s) = %d, %v; want %d, %v", tt.in, tt.c, got, err, tt.want, tt.err)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	for _, in := range []string{strings.Repeat("9", 1<<20), "0." + strings.Repeat("0", 1<<20), "12.34"} {
		if n := testing.AllocsPerRun(3, func() { _, _ = Parse(in, "BRL") }); n != 0 {
			t.Errorf("Parse of %d bytes allocates %v times", len(in), n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { c, _ := ParseCurrency("brl"); _ = c.Lower() }); n != 0 {
		t.Errorf("ParseCurrency and Lower allocate %v times", n)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n     int64
		c     Currency
		scale int
		want  string
	}{
		{123450, "BRL", 2, "1234.50"},
		{-5, "BRL", 2, "-0.05"},
		{0, "BRL", 2, "0.00"},
		{1234, "JPY", 0, "1234"},
		{1, "CLF", 4, "0.0001"},
		{1800, "BRL", 8, "18.00000000"},
		{1234, "JPY", 2, "1234.00"},
		{1800, "BRL", 0, "18"},
		{1850, "BRL", 1, "18.5"},
		{1850, "BRL", 0, "18.50"},
		{1855, "BRL", 1, "18.55"},
		{0, "BRL", 0, "0"},
		{0, "BRL", -3, "0"},
		{100, "JPY", -3, "100"},
		{math.MaxInt64, "BRL", 2, "92233720368547758.07"},
		{math.MinInt64, "BRL", 2, "-92233720368547758.08"},
		{math.MinInt64, "JPY", 0, "-9223372036854775808"},
		{1234, "???", 0, "1234"},
	} {
		if got := FormatScale(tt.n, tt.c, tt.scale); got != tt.want {
			t.Errorf("FormatScale(%d, %s, %d) = %q, want %q", tt.n, tt.c, tt.scale, got, tt.want)
		}
	}
	if got := Format(-5, "BRL"); got != "-0.05" {
		t.Errorf("Format(-5, BRL) = %q", got)
	}
}

func anyCurrency() *rapid.Generator[Currency] {
	return rapid.Custom(func(t *rapid.T) Currency { return rapid.SampledFrom(Currencies()).Draw(t, "currency").Code })
}

func TestFormatParseRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, Max).Draw(t, "n")
		c := anyCurrency().Draw(t, "c")
		scale := rapid.IntRange(-1, 20).Draw(t, "scale")
		for _, s := range []string{Format(n, c), FormatScale(n, c, scale)} {
			if got, err := Parse(s, c); err != nil || got != n {
				t.Fatalf("Parse(%q, %s) = %d, %v; want %d", s, c, got, err, n)
			}
		}
	})
}

func TestArithmeticAgainstBigIntegers(t *testing.T) {
	t.Parallel()
	edge := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 2, math.MaxInt64 - 1, math.MaxInt64}))
	check := func(t *rapid.T, name string, got int64, err error, want *big.Int) {
		if !want.IsInt64() {
			if !errors.Is(err, ErrOverflow) {
				t.Fatalf("%s = %d, %v; want ErrOverflow", name, got, err)
			}
			return
		}
		if err != nil || got != want.Int64() {
			t.Fatalf("%s = %d, %v; want %v", name, got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, den := edge.Draw(t, "a"), edge.Draw(t, "b"), edge.Draw(t, "den")
		A, B, D := big.NewInt(a), big.NewInt(b), big.NewInt(den)
		got, err := Add(a, b)
		check(t, "Add", got, err, new(big.Int).Add(A, B))
		got, err = Sub(a, b)
		check(t, "Sub", got, err, new(big.Int).Sub(A, B))
		if den == 0 {
			if _, err := MulDiv(a, b, 0); !errors.Is(err, ErrOverflow) {
				t.Fatalf("MulDiv by 0: %v", err)
			}
			return
		}
		product := new(big.Int).Mul(A, B)
		// big.Int has Euclidean division; with a positive divisor that is the floor.
		if D.Sign() < 0 {
			D.Neg(D)
			product.Neg(product)
		}
		floor, rem := new(big.Int).DivMod(product, D, new(big.Int))
		got, err = MulDivFloor(a, b, den)
		check(t, "MulDivFloor", got, err, floor)
		nearest := new(big.Int).Set(floor)
		if c := new(big.Int).Lsh(rem, 1).Cmp(D); c > 0 || c == 0 && floor.Bit(0) == 1 {
			nearest.Add(nearest, big.NewInt(1))
		}
		got, err = MulDiv(a, b, den)
		check(t, "MulDiv", got, err, nearest)
	})
}

func TestMulDivHalves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ a, num, den, nearest, floor int64 }{
		{1, 1, 2, 0, 0}, {3, 1, 2, 2, 1}, {5, 1, 2, 2, 2}, {-1, 1, 2, 0, -1}, {-3, 1, 2, -2, -2},
		{10_000, 399, 10_000, 399, 399}, {Max, 1_000_000, 1_000_000, Max, Max}, {7, 1, 3, 2, 2}, {8, 1, 3, 3, 2},
	} {
		n, err1 := MulDiv(tt.a, tt.num, tt.den)
		f, err2 := MulDivFloor(tt.a, tt.num, tt.den)
		if n != tt.nearest || f != tt.floor || err1 != nil || err2 != nil {
			t.Errorf("%d*%d/%d = %d (%v), floor %d (%v); want %d, %d", tt.a, tt.num, tt.den, n, err1, f, err2, tt.nearest, tt.floor)
		}
	}
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	all := Currencies()
	if !slices.IsSortedFunc(all, func(a, b Info) int { return strings.Compare(string(a.Code), string(b.Code)) }) {
		t.Error("not sorted by code")
	}
	// 178 codes are active; 13 of them have no minor unit.
	without := []string{"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"}
	if len(all)+len(without) != 178 {
		t.Errorf("%d currencies", len(all))
	}
	exponents := map[int][]string{}
	numeric := map[string]bool{}
	for _, info := range all {
		exponents[info.Exponent] = append(exponents[info.Exponent], string(info.Code))
		if len(info.Numeric) != 3 || numeric[info.Numeric] || info.Name == "" {
			t.Errorf("%+v: numeric code or name missing or repeated", info)
		}
		numeric[info.Numeric] = true
		c, err := ParseCurrency(string(info.Code))
		if err != nil || c != info.Code || c.Exponent() != info.Exponent || c.Lower() != strings.ToLower(string(info.Code)) {
			t.Errorf("%+v: parsed as %q, %v, exponent %d, %q", info, c, err, c.Exponent(), c.Lower())
		}
	}
	for exp, want := range map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	} {
		if got := strings.Join(exponents[exp], " "); got != want {
			t.Errorf("exponent %d: %s, want %s", exp, got, want)
		}
	}
	for _, s := range append(without, "COL", "BGN", "HRK", "ANG", "CUC", "xyz", "us", "usdd", "", "US ", "ＵＳＤ", "u\u0455d", "UЅD", "\x00SD", "US[") {
		if c, err := ParseCurrency(s); !errors.Is(err, ErrUnknownCurrency) {
			t.Errorf("ParseCurrency(%q) = %q, %v", s, c, err)
		}
	}
	for s, want := range map[string]Currency{"usd": "USD", "UsD": "USD", "xcg": "XCG", "ZWG": "ZWG", "xad": "XAD", "ved": "VED"} {
		if c, err := ParseCurrency(s); err != nil || c != want {
			t.Errorf("ParseCurrency(%q) = %q, %v", s, c, err)
		}
	}
	if Currency("usd").Exponent() != 0 || Currency("QQQ").Lower() != "qqq" {
		t.Error("a code outside the table behaves as if it stood in it")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0.5", "98000.00", "-0.01", "1e3", "99999999999999", ".", "1.0000"} {
		f.Add(s, "BRL")
		f.Add(s, "JPY")
	}
	f.Fuzz(func(t *testing.T, s, code string) {
		c, err := ParseCurrency(code)
		if err != nil {
			return
		}
		n, err := Parse(s, c)
		if err != nil {
			return
		}
		if n < 1 || n > Max {
			t.Fatalf("Parse(%q) = %d", s, n)
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Cmp(new(big.Rat).SetFrac64(n, int64(pow10[c.Exponent()]))) != 0 {
			t.Fatalf("Parse(%q, %s) = %d", s, c, n)
		}
	})
}
