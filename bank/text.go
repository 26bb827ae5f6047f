package bank

import (
	"strings"
	"unicode/utf8"
)

// ASCII writes a name in the letters that payment messages can carry: accents are
// taken off, other letters outside ASCII spelt out where there is a usual way, runs of
// blanks made one, and everything else dropped. At most limit characters are kept.
// (BR Code, CNAB 240 and SPEI count characters and let banks refuse others.)
func ASCII(s string, limit int) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		if b.Len() >= limit {
			break
		}
		text := ""
		switch {
		case r <= ' ' || r == '\u00a0':
			blank = b.Len() > 0
			continue
		case r < utf8.RuneSelf && r != 0x7f:
			text = string(r)
		default:
			text = plain[r]
		}
		if text == "" {
			continue
		}
		if blank {
			text, blank = " "+text, false
		}
		b.WriteString(text)
	}
	return strings.TrimRight(b.String()[:min(b.Len(), limit)], " ")
}

var plain = func() map[rune]string {
	m := map[rune]string{}
	for _, row := range strings.Fields(`AÀÁÂÃÄÅĀĂĄ aàáâãäåāăąª CÇĆĈĊČ cçćĉċč DĎĐÐ dďđð EÈÉÊËĒĔĖĘĚ eèéêëēĕėęě GĜĞĠĢ gĝğġģ HĤĦ hĥħ IÌÍÎÏĨĪĬĮİ iìíîïĩīĭįı
JĴ jĵ KĶ kķ LĹĻĽŁ lĺļľł NÑŃŅŇ nñńņň OÒÓÔÕÖØŌŎŐ oòóôõöøōŏőº RŔŖŘ rŕŗř SŚŜŞŠȘ sśŝşšș TŢŤŦȚ tţťŧț UÙÚÛÜŨŪŬŮŰŲ uùúûüũūŭůűų WŴ wŵ YÝŶŸ yýÿŷ ZŹŻŽ zźżž
'‘’ "“” -‐‑‒–—−`) {
		base, size := utf8.DecodeRuneInString(row)
		for _, r := range row[size:] {
			m[r] = string(base)
		}
	}
	m['ß'], m['Æ'], m['æ'], m['Œ'], m['œ'], m['Þ'], m['þ'] = "ss", "AE", "ae", "OE", "oe", "Th", "th"
	return m
}()
