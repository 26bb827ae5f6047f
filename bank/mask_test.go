package bank_test

import (
	"testing"

	"giro/bank"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"", "", ""}, {"12345", "•••••", "•••••"}, {"123456", "•••4••", "••••••"}, {"12345678909", "•••456789••", "••••8909"},
		{"ana@example.com", "•••@example.c••", "a•••@example.com"}, {"éa@x.br", "•••x.••", "é•••@x.br"}, {"@x", "••", "••"},
	} {
		if a, b := bank.MaskDocument(c[0]), bank.MaskNumber(c[0]); a != c[1] || b != c[2] {
			t.Errorf("%q: %q and %q, want %q and %q", c[0], a, b, c[1], c[2])
		}
	}
}
