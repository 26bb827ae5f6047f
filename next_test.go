package giro

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestWithQR: the codes of charges are drawn, and text that looks like one is
// left alone.
func TestWithQR(t *testing.T) {
	t.Parallel()
	charge := func(status Status, n *NextAction) []byte {
		m := &Movement{Book: 2, Kind: KindCharge, Status: status, Currency: "BRL", Detail: Detail{
			Description: `"next_action":{"type":"pix","br_code":"x"}`,
			Metadata:    map[string]string{`"next_action":{"type":"pix","br_code":"x"`: `,"br_code":"y"`, "br_code": "z", "next_action": "{"},
			Next:        n,
		}}
		return m.AppendJSON(nil)
	}
	code := `00020126 "quoted" \\ & <São>`
	for name, b := range map[string][]byte{
		"pix":                charge(StatusPending, &NextAction{Type: "pix", BRCode: code, ExpiresAt: 5}),
		"boleto with a code": charge(StatusPending, &NextAction{Type: "boleto", BRCode: code, BarCode: "1", DigitableLine: "2"}),
	} {
		drawn := WithQR(b)
		if again := WithQR(drawn); !bytes.Equal(again, drawn) {
			t.Errorf("%s: it is drawn twice", name)
		}
		list := WithQR([]byte("[" + string(b) + "," + string(charge(StatusPending, nil)) + "," + string(b) + "]"))
		if want := "[" + string(drawn) + "," + string(charge(StatusPending, nil)) + "," + string(drawn) + "]"; string(list) != want {
			t.Errorf("%s: in a list it is %s", name, list)
		}
		var was, is map[string]any
		if err := json.Unmarshal(b, &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(drawn, &is); err != nil {
			t.Fatal(err)
		}
		next := is["next_action"].(map[string]any)
		if svg, _ := next["qr_svg"].(string); !strings.HasPrefix(svg, "<svg") || next["br_code"] != code {
			t.Errorf("%s: %v", name, next)
		}
		delete(next, "qr_svg")
		a, _ := json.Marshal(was)
		if b, _ := json.Marshal(is); !bytes.Equal(a, b) {
			t.Errorf("%s: something else has changed: %s", name, drawn)
		}
	}
	for name, b := range map[string][]byte{
		"no code":  charge(StatusPending, &NextAction{Type: "boleto", BarCode: "1"}),
		"too long": charge(StatusPending, &NextAction{Type: "pix", BRCode: strings.Repeat("x", 3000)}),
		"paid":     charge(StatusSucceeded, &NextAction{Type: "pix", BRCode: code}),
		"cut off":  []byte(`{"next_action":{"type":"pix","br_code":"abc`),
		"cut":      []byte(`{"next_action":{"type":"`),
		"nothing":  nil,
	} {
		if got := WithQR(b); !bytes.Equal(got, b) || name == "paid" && !bytes.Contains(got, []byte(`"next_action":null`)) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
