package bank

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
	"rsc.io/qr/coding"
)

// The Banco Central's own examples (Manual de Padrões para Iniciação do Pix 2.10,
// Manual do BR Code).
const (
	staticCode    = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"
	dynamicCode   = "00020101021226700014br.gov.bcb.pix2548pix.example.com/8b3da2f39a4140d1a91abd93113bd4415204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***630464E4"
	amountAndRec  = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865406100.505802BR5913Fulano de Tal6008BRASILIA62070503***80740014br.gov.bcb.pix2552pix.example.com/rec/2353c790eefb11eaadc10242ac12000263042875"
	recurrence    = "00020126180014br.gov.bcb.pix5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***80740014br.gov.bcb.pix2552pix.example.com/rec/2353c790eefb11eaadc10242ac1200026304F2DA"
	dynamicAndRec = "00020101021226700014br.gov.bcb.pix2548pix.example.com/8b3da2f39a4140d1a91abd93113bd4415204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***80740014br.gov.bcb.pix2552pix.example.com/rec/2353c790eefb11eaadc10242ac1200026304FB42"
	manualOld     = "00020104141234567890123426580014BR.GOV.BCB.PIX0136123e4567-e12b-12d1-a456-42665544000027300012BR.COM.OUTRO011001234567895204000053039865406123.455802BR5917NOME DO RECEBEDOR6008BRASILIA61087007490062190515RP12345678-201980390012BR.COM.OUTRO01190123.ABCD.3456.WXYZ6304AD38"
)

func TestBRCodeExamples(t *testing.T) {
	t.Parallel()
	const key, url, rec = "123e4567-e12b-12d1-a456-426655440000", "pix.example.com/8b3da2f39a4140d1a91abd93113bd441", "pix.example.com/rec/2353c790eefb11eaadc10242ac120002"
	base := BRCode{Name: "Fulano de Tal", City: "BRASILIA"}
	with := func(edit func(*BRCode)) BRCode { c := base; edit(&c); return c }
	for _, tt := range []struct {
		code string
		want BRCode
		emit bool // Encode writes this very text
	}{
		{staticCode, with(func(c *BRCode) { c.Key = key }), true},
		{dynamicCode, with(func(c *BRCode) { c.URL, c.Once = url, true }), true},
		{amountAndRec, with(func(c *BRCode) { c.Key, c.Amount, c.Recurrence = key, 10050, rec }), true},
		{recurrence, with(func(c *BRCode) { c.Recurrence = rec }), false},
		{dynamicAndRec, with(func(c *BRCode) { c.URL, c.Once, c.Recurrence = url, true, rec }), true},
		{manualOld, BRCode{Key: key, Amount: 12345, Name: "NOME DO RECEBEDOR", City: "BRASILIA", CEP: "70074900", TxID: "RP12345678-2019"}, false},
	} {
		got, err := DecodeBRCode(tt.code)
		if err != nil || got != tt.want {
			t.Errorf("DecodeBRCode(%s) = %+v, %v; want %+v", tt.code, got, err, tt.want)
		}
		if lower, err := DecodeBRCode(tt.code[:len(tt.code)-4] + strings.ToLower(tt.code[len(tt.code)-4:])); err != nil || lower != got {
			t.Errorf("a checksum in lower case is refused: %v", err)
		}
		if tt.emit {
			if code, err := tt.want.Encode(); err != nil || code != tt.code {
				t.Errorf("Encode = %s, %v; want %s", code, err, tt.code)
			}
		}
	}
	if crc := crc16("123456789"); crc != 0x29b1 {
		t.Errorf("crc16 of the check text = %04X", crc)
	}
}

// signed ends a code with its right checksum.
func signCode(s string) string { s += "6304"; return s + fmt.Sprintf("%04X", crc16(s)) }

func TestBRCodeRefusals(t *testing.T) {
	t.Parallel()
	body := staticCode[:len(staticCode)-8]
	const account = "26580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-426655440000"
	for name, code := range map[string]string{
		"wrong checksum":         staticCode[:len(staticCode)-1] + "E",
		"one letter changed":     strings.Replace(staticCode, "Fulano", "Fulana", 1),
		"no checksum":            body,
		"empty":                  "",
		"field cut off":          signCode("00020126360014BR.GOV.BCB.PIX0114+551194321432152040000530398654" + "0566.665802BR5907EMPRESA6008BRASILIA62080503***"),
		"field twice":            signCode(body + "5913Outro Fulano "),
		"two accounts":           signCode(strings.Replace(body, account, account+"27"+account[2:], 1)),
		"key and URL":            signCode("00020126450014br.gov.bcb.pix0103a@b2516pix.example.com/5204000053039865802BR5901A6001B"),
		"neither key nor URL":    signCode("00020126180014br.gov.bcb.pix5204000053039865802BR5901A6001B"),
		"not of PIX":             signCode("00020126180014br.gov.bcb.xyz5204000053039865802BR5901A6001B"),
		"other currency":         signCode(strings.Replace(body, "5303986", "5303840", 1)),
		"amount with a comma":    signCode(body + "54041,50"),
		"amount with three":      signCode(body + "54051.234"),
		"negative amount":        signCode(body + "5402-5"),
		"too long":               strings.Repeat("0", 1<<20),
		"letters for a length":   signCode("0002012AXX"),
		"checksum in the middle": signCode(body + "63041D3D"),
	} {
		if c, err := DecodeBRCode(code); err == nil {
			t.Errorf("%s: read as %+v", name, c)
		}
	}
	// An issuer's accents, counted in characters or in bytes.
	for _, name := range []string{"5908Padaria ", "5906Açúcar", "5908Açúcar"} {
		if _, err := DecodeBRCode(signCode(strings.Replace(body, "5913Fulano de Tal", name, 1))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, err := DecodeBRCode(signCode(strings.Replace(body, "6008BRASILIA", "6000", 1))); err != nil || c.City != "" {
		t.Errorf("an empty field is refused: %v", err)
	}
	good := BRCode{Key: "a@example.com", Name: "Fulano", City: "Brasília"}
	for name, c := range map[string]BRCode{
		"no key":        {Name: "F", City: "B"},
		"both":          {Key: "a@b", URL: "pix.example.com/x", Name: "F", City: "B"},
		"bad key":       {Key: "12345678901", Name: "F", City: "B"},
		"no name":       {Key: "a@b", Name: "  ", City: "B"},
		"long name":     {Key: "a@b", Name: strings.Repeat("N", 26), City: "B"},
		"long city":     {Key: "a@b", Name: "F", City: strings.Repeat("C", 16)},
		"bad txid":      {Key: "a@b", Name: "F", City: "B", TxID: "RP-1"},
		"negative":      {Key: "a@b", Name: "F", City: "B", Amount: -1},
		"scheme in URL": {URL: "https://pix.example.com/x", Name: "F", City: "B"},
		"txid with URL": {URL: "pix.example.com/x", Name: "F", City: "B", TxID: "a"},
		"long text":     {Key: "a@b", Name: "F", City: "B", Description: strings.Repeat("x", 80)},
	} {
		if s, err := c.Encode(); err == nil {
			t.Errorf("%s: encoded as %s", name, s)
		}
	}
	if s, err := good.Encode(); err != nil || !strings.Contains(s, "6008Brasilia") {
		t.Errorf("accents: %s, %v", s, err)
	}
}

func TestBRCodeRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := BRCode{
			Name:   rapid.StringMatching(`[A-Za-z][A-Za-z0-9 ]{0,22}[a-z]`).Draw(t, "name"),
			City:   rapid.StringMatching(`[A-Z][a-z]{0,14}`).Draw(t, "city"),
			Amount: rapid.Int64Range(0, maxBRCAmount).Draw(t, "amount"),
			Once:   rapid.Bool().Draw(t, "once"),
		}
		c.Name = ASCII(c.Name, 25)
		if rapid.Bool().Draw(t, "static") {
			c.Key = Sample(rapid.SampledFrom([]string{"cpf", "cnpj", "cnpj_alphanumeric", "evp", "phone_br"}).Draw(t, "kind"), rapid.Uint64().Draw(t, "n"))
			c.TxID = rapid.StringMatching(`[A-Za-z0-9]{0,25}`).Draw(t, "txid")
			c.Description = ASCII(rapid.StringMatching(`[a-z ]{0,20}`).Draw(t, "description"), 20)
		} else {
			c.URL = "pix.example.com/" + rapid.StringMatching(`[a-z0-9/-]{1,50}`).Draw(t, "url")
		}
		code, err := c.Encode()
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if got, err := DecodeBRCode(code); err != nil || got != c {
			t.Fatalf("%s\n%+v, %v\n%+v", code, got, err, c)
		}
	})
}

func FuzzDecodeBRCode(f *testing.F) {
	for _, s := range []string{staticCode, dynamicCode, amountAndRec, recurrence, dynamicAndRec, manualOld} {
		f.Add(s[:len(s)-8])
	}
	f.Fuzz(func(t *testing.T, body string) {
		DecodeBRCode(body)
		c, err := DecodeBRCode(signCode(body))
		if err != nil {
			return
		}
		if code, err := c.Encode(); err == nil {
			if again, err := DecodeBRCode(code); err != nil || again.Amount != c.Amount || again.URL != c.URL {
				t.Fatalf("%+v is encoded as %s and read as %+v, %v", c, code, again, err)
			}
		}
	})
}

func TestASCII(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"São  João d’Água ", 50, "Sao Joao d'Agua"}, {"Straße Ærø", 50, "Strasse AEro"}, {"日本 Café ☕", 50, "Cafe"},
		{"Peña & Hijos S.A.", 6, "Pena &"}, {"a b", 2, "a"}, {"\t\r\nx", 5, "x"}, {"ß", 1, "s"}, {"", 5, ""}, {"\x7f\x00a", 5, "a"},
	} {
		if got := ASCII(tt.in, tt.limit); got != tt.want {
			t.Errorf("ASCII(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

// TestQRSVG: what is drawn has the modules of the code, and a quiet zone of four.
func TestQRSVG(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{staticCode, "x", "0123456789", strings.Repeat("https://example.com/", 20)} {
		svg, err := QRSVG(payload)
		if err != nil || !strings.HasPrefix(svg, "<svg ") || strings.Contains(svg, "\n") {
			t.Fatalf("%q: %.80s, %v", payload, svg, err)
		}
		var drawn struct {
			ViewBox string `xml:"viewBox,attr"`
			Paths   []struct {
				D string `xml:"d,attr"`
			} `xml:"path"`
		}
		if err := xml.Unmarshal([]byte(svg), &drawn); err != nil || len(drawn.Paths) != 2 {
			t.Fatal(svg, err)
		}
		black := map[[2]int]bool{}
		x, y := 0, 0
		for _, part := range regexp.MustCompile(`M(\d+) (\d+)\.5|m(\d+) 0|h(\d+)`).FindAllStringSubmatch(drawn.Paths[1].D, -1) {
			number := func(i int) int { n, _ := strconv.Atoi(part[i]); return n }
			switch part[0][0] {
			case 'M':
				x, y = number(1), number(2)
			case 'm':
				x += number(3)
			case 'h':
				for range number(4) {
					black[[2]int{x, y}] = true
					x++
				}
			}
		}
		text := coding.String(payload)
		version := coding.Version(1)
		for text.Bits(version) > version.DataBytes(coding.M)*8 {
			version++
		}
		plan, err := coding.NewPlan(version, coding.M, 0)
		if err != nil {
			t.Fatal(err)
		}
		code, err := plan.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for y := range code.Size {
			for x := range code.Size {
				if code.Black(x, y) {
					n++
					if !black[[2]int{x + 4, y + 4}] {
						t.Fatalf("%q: module %d, %d is white", payload, x, y)
					}
				}
			}
		}
		side := strconv.Itoa(code.Size + 8)
		if n != len(black) || drawn.ViewBox != "0 0 "+side+" "+side || drawn.Paths[0].D != "M0 0h"+side+"v"+side+"H0z" {
			t.Errorf("%q: %d modules of %d, %s, %s", payload, len(black), n, drawn.ViewBox, drawn.Paths[0].D)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 3000)} {
		if _, err := QRSVG(bad); err == nil {
			t.Errorf("%d bytes are drawn", len(bad))
		}
	}
}

func TestBoletoDates(t *testing.T) {
	t.Parallel()
	near := date(2026, 11, 20)
	for _, tt := range []struct {
		due    time.Time
		factor string
		near   time.Time
	}{
		{date(2026, 11, 20), "1636", near}, {date(2025, 2, 21), "9999", near}, {date(2025, 2, 22), "1000", near},
		{date(2000, 7, 3), "1000", date(2003, 1, 1)}, {date(2049, 10, 13), "9999", date(2048, 1, 1)}, {date(2049, 10, 14), "1000", date(2048, 1, 1)}, {time.Time{}, "0000", near},
		{date(2038, 1, 19), "5714", near},
	} {
		b := Boleto{Bank: "341", Due: tt.due, Amount: 123456, Free: "1234567890123456789012345"}
		bars, err := b.Barcode()
		if err != nil || bars[5:9] != tt.factor {
			t.Errorf("due %v: %s, %v; want factor %s", tt.due, bars, err, tt.factor)
			continue
		}
		line, err := b.Line()
		if err != nil {
			t.Error(err)
		}
		for _, s := range []string{bars, line, FormatLine(line)} {
			if got, err := ParseBoleto(s, tt.near); err != nil || got != b {
				t.Errorf("ParseBoleto(%s) = %+v, %v; want %+v", s, got, err, b)
			}
		}
	}
	if _, err := (Boleto{Bank: "341", Due: date(1999, 1, 1), Free: strings.Repeat("0", 25)}).Barcode(); err == nil {
		t.Error("a due date before the factor's first is written")
	}
}

// TestBoletoExample is Banco do Brasil's published example of a line.
func TestBoletoExample(t *testing.T) {
	t.Parallel()
	b, err := ParseBoleto("00190.50095 40144.816069 06809.350314 3 37370000000100", date(2008, 1, 1))
	if err != nil || b.Bank != "001" || b.Amount != 100 || !b.Due.Equal(date(2007, 12, 31)) {
		t.Errorf("%+v, %v", b, err)
	}
	if bars, err := b.Barcode(); err != nil || bars != "00193373700000001000500940144816060680935031" {
		t.Errorf("Barcode = %s, %v", bars, err)
	}
}

// TestBoletoErrors: each digit of a line stands in a block checked mod 10, which
// catches every single error, or under the general digit, mod 11.
func TestBoletoErrors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := Boleto{Bank: "237", Due: date(2026, 1, 1).AddDate(0, 0, rapid.IntRange(0, 3000).Draw(t, "due")), Amount: rapid.Int64Range(0, 9_999_999_999).Draw(t, "amount"), Free: rapid.StringMatching(`[0-9]{25}`).Draw(t, "free")}
		near := date(2027, 1, 1)
		line, err := b.Line()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseBoleto(line, near); err != nil || got != b {
			t.Fatalf("%s: %+v, %v; want %+v", line, got, err, b)
		}
		i := rapid.IntRange(0, 31).Draw(t, "place") // the three blocks
		bad := []byte(line)
		bad[i] = '0' + (bad[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if got, err := ParseBoleto(string(bad), near); err == nil {
			t.Fatalf("%s for %s is read as %+v", bad, line, got)
		}
	})
}

func TestCollection(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := Collection{Segment: byte('1' + rapid.IntRange(0, 8).Draw(t, "segment")), Value: byte('6' + rapid.IntRange(0, 3).Draw(t, "value")), Amount: rapid.Int64Range(0, 99_999_999_999).Draw(t, "amount"), Free: rapid.StringMatching(`[0-9]{29}`).Draw(t, "free")}
		bars, err1 := c.Barcode()
		line, err2 := c.Line()
		if err1 != nil || err2 != nil || len(bars) != 44 || len(line) != 48 {
			t.Fatal(bars, line, err1, err2)
		}
		for _, s := range []string{bars, line} {
			if got, err := ParseCollection(s); err != nil || got != c {
				t.Fatalf("%s: %+v, %v; want %+v", s, got, err, c)
			}
			if _, err := ParseBoleto(s, date(2026, 1, 1)); err == nil {
				t.Fatal("read as a boleto")
			}
		}
	})
}

func FuzzParseBoleto(f *testing.F) {
	f.Add("00190.50095 40144.816069 06809.350314 3 37370000000100")
	f.Add("8" + strings.Repeat("6", 47))
	f.Fuzz(func(t *testing.T, s string) {
		near := date(2026, 11, 21)
		if b, err := ParseBoleto(s, near); err == nil {
			bars, err := b.Barcode()
			if err != nil {
				if b.Bank[0] == '8' {
					return
				}
				t.Fatalf("%+v is read and not written: %v", b, err)
			}
			if again, err := ParseBoleto(bars, near); err != nil || again != b {
				t.Fatalf("%+v, %+v, %v", b, again, err)
			}
		}
		ParseCollection(s)
	})
}
