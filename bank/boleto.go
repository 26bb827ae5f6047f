package bank

import (
	"fmt"
	"strings"
	"time"
)

// Boleto is a Brazilian bank payment slip (FEBRABAN, layout of the código de barras
// of cobrança): 44 digits as bars, 47 to type.
type Boleto struct {
	Bank   string    // COMPE code, three digits
	Due    time.Time // a day, UTC; zero where the slip names none
	Amount int64     // centavos, at most ten digits; 0: open
	Free   string    // 25 digits that the bank defines
}

// The factor counts days from 1997-10-07 and has four digits: 9999 was 2025-02-21,
// and the day after began again at 1000 (FEBRABAN, comunicado FB-009/2023).
var boletoEpoch = time.Date(1997, 10, 7, 0, 0, 0, 0, time.UTC)

const boletoCycle = 9000

// Barcode writes the 44 digits of the bars.
func (b Boleto) Barcode() (string, error) {
	switch {
	case len(b.Bank) != 3 || !allDigits(b.Bank) || b.Bank == "000" || b.Bank[0] == '8':
		return "", format("a boleto names its bank by three digits")
	case len(b.Free) != 25 || !allDigits(b.Free):
		return "", format("a boleto's free field is 25 digits")
	case b.Amount < 0 || b.Amount > 9_999_999_999:
		return "", format("the amount does not fit into a boleto")
	}
	factor := 0
	if !b.Due.IsZero() {
		y, m, d := b.Due.Date()
		factor = int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Sub(boletoEpoch) / (24 * time.Hour))
		if factor < 1000 {
			return "", format("a boleto is due after 2000-07-02")
		}
		factor = 1000 + (factor-1000)%boletoCycle
	}
	head, tail := b.Bank+"9", fmt.Sprintf("%04d%010d%s", factor, b.Amount, b.Free)
	return head + boletoCheck(head+tail) + tail, nil
}

// Line writes the 47 digits that people type, without punctuation.
func (b Boleto) Line() (string, error) {
	n, err := b.Barcode()
	if err != nil {
		return "", err
	}
	f1, f2, f3 := n[:4]+n[19:24], n[24:34], n[34:44]
	return f1 + mod10(f1) + f2 + mod10(f2) + f3 + mod10(f3) + n[4:5] + n[5:19], nil
}

// FormatLine writes a line of 47 digits as it is printed:
// 00190.50095 40144.816069 06809.350314 3 37370000000100. Another text is returned
// as it is.
func FormatLine(n string) string {
	if len(n) != 47 {
		return n
	}
	return n[:5] + "." + n[5:10] + " " + n[10:15] + "." + n[15:21] + " " + n[21:26] + "." + n[26:32] + " " + n[32:33] + " " + n[33:]
}

// ParseBoleto reads the 44 digits of the bars or the 47 typed ones, blanks, dots and
// dashes aside. The due date repeats every 9000 days: the one nearest to near is
// meant. Slips of utilities and taxes, which begin with 8, are ParseCollection's.
func ParseBoleto(s string, near time.Time) (Boleto, error) {
	n, err := digits("the boleto", s, 44, 48)
	if err != nil {
		return Boleto{}, err
	}
	if n[0] == '8' {
		return Boleto{}, format("this is a collection slip (arrecadação), not a boleto")
	}
	switch len(n) {
	case 44:
	case 47:
		f1, f2, f3 := n[:9], n[10:20], n[21:31]
		if n[9:10] != mod10(f1) || n[20:21] != mod10(f2) || n[31:32] != mod10(f3) {
			return Boleto{}, checkDigit("the boleto")
		}
		n = n[:4] + n[32:47] + n[4:9] + f2 + f3
	default:
		return Boleto{}, length("a boleto has 44 or 47 digits")
	}
	if n[3] != '9' || n[:3] == "000" {
		return Boleto{}, format("the boleto's bank or currency is unknown")
	}
	if n[4:5] != boletoCheck(n[:4]+n[5:]) {
		return Boleto{}, checkDigit("the boleto")
	}
	b := Boleto{Bank: n[:3], Amount: number(n[9:19]), Free: n[19:]}
	switch factor := int(number(n[5:9])); {
	case factor >= 1000:
		b.Due = boletoEpoch.AddDate(0, 0, factor)
		for next := b.Due.AddDate(0, 0, boletoCycle); distance(next, near) < distance(b.Due, near); next = next.AddDate(0, 0, boletoCycle) {
			b.Due = next
		}
	case factor > 0:
		return Boleto{}, format("the boleto's due date is malformed")
	}
	return b, nil
}

func distance(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

// number reads up to 18 digits.
func number(s string) int64 {
	v := int64(0)
	for i := range len(s) {
		v = v*10 + int64(s[i]-'0')
	}
	return v
}

// boletoCheck is mod 11 with weights 2..9 from the right; 0, 10 and 11 become 1.
func boletoCheck(s string) string {
	switch d := 11 - weighRight(s, 2, 3, 4, 5, 6, 7, 8, 9)%11; d {
	case 0, 10, 11:
		return "1"
	default:
		return digit(d)
	}
}

// mod10 doubles every second digit from the right.
func mod10(s string) string { return digit((10 - luhnSum(s, true)%10) % 10) }

// Collection is a slip of a utility or tax (FEBRABAN, layout padrão de arrecadação):
// 44 digits as bars, 48 to type.
type Collection struct {
	Segment byte   // '1' town hall … '9' bank's own
	Value   byte   // '6' or '8': Amount is in BRL; '7' or '9': it is a quantity
	Amount  int64  // centavos, or the quantity
	Free    string // 29 digits: the company and what it defines
}

// ParseCollection reads the 44 digits of the bars or the 48 typed ones. Values 6 and
// 7 are checked mod 10, 8 and 9 mod 11, in each of four blocks and in the whole.
func ParseCollection(s string) (Collection, error) {
	n, err := digits("the slip", s, 44, 48)
	if err != nil {
		return Collection{}, err
	}
	if n[0] != '8' || n[2] < '6' {
		return Collection{}, format("a collection slip begins with 8, and its third digit is 6 to 9")
	}
	check := mod10
	if n[2] >= '8' {
		check = collectionMod11
	}
	switch len(n) {
	case 44:
	case 48:
		var b strings.Builder
		for i := 0; i < 48; i += 12 {
			if n[i+11:i+12] != check(n[i:i+11]) {
				return Collection{}, checkDigit("the slip")
			}
			b.WriteString(n[i : i+11])
		}
		n = b.String()
	default:
		return Collection{}, length("a collection slip has 44 or 48 digits")
	}
	if n[3:4] != check(n[:3]+n[4:]) {
		return Collection{}, checkDigit("the slip")
	}
	return Collection{Segment: n[1], Value: n[2], Amount: number(n[4:15]), Free: n[15:]}, nil
}

// Barcode writes the 44 digits of the bars.
func (c Collection) Barcode() (string, error) {
	if c.Segment < '1' || c.Segment > '9' || c.Value < '6' || c.Value > '9' || len(c.Free) != 29 || !allDigits(c.Free) || c.Amount < 0 || c.Amount > 99_999_999_999 {
		return "", format("a part of the slip does not fit")
	}
	head, tail := string([]byte{'8', c.Segment, c.Value}), fmt.Sprintf("%011d%s", c.Amount, c.Free)
	return head + c.check(head+tail) + tail, nil
}

// Line writes the 48 digits that people type, without punctuation.
func (c Collection) Line() (string, error) {
	n, err := c.Barcode()
	if err != nil {
		return "", err
	}
	line := ""
	for i := 0; i < 44; i += 11 {
		line += n[i:i+11] + c.check(n[i:i+11])
	}
	return line, nil
}

func (c Collection) check(s string) string {
	if c.Value >= '8' {
		return collectionMod11(s)
	}
	return mod10(s)
}

func collectionMod11(s string) string {
	r := weighRight(s, 2, 3, 4, 5, 6, 7, 8, 9) % 11
	if r < 2 {
		return "0"
	}
	return digit(11 - r)
}
