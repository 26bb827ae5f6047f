package giro

import (
	"encoding/json"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"
)

// TestDetailIsStoredAsItsTagsSay: what is appended by hand is what encoding/json
// makes of the same value, whatever stands in it, and reads back.
func TestDetailIsStoredAsItsTagsSay(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewSource(1))
	for i := range 3000 {
		v, ok := quick.Value(reflect.TypeFor[Detail](), random)
		if !ok {
			t.Fatal("no value")
		}
		d := v.Interface().(Detail)
		d.Wire = [...]json.RawMessage{nil, json.RawMessage(`{"a": [1, "<é>"]}`), {}}[i%3]
		if d.Exchange != nil && i%2 == 0 {
			d.Exchange = nil
		}
		// Most members are absent in nearly every movement.
		for f := range v.NumField() {
			if i%4 > 0 && random.Intn(3) > 0 {
				reflect.ValueOf(&d).Elem().Field(f).SetZero()
			}
		}
		want, err := json.Marshal(&d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.AppendJSON(nil)
		if err != nil || string(got) != string(want) {
			t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
		}
		var whole, byHand Detail
		if err := json.Unmarshal(got, &whole); err != nil {
			t.Fatal(err)
		}
		if err := DecodeDetail(got, &byHand); err != nil || !reflect.DeepEqual(whole, byHand) {
			t.Fatalf("%v\n%+v\nwant\n%+v", err, byHand, whole)
		}
	}
	d := Detail{Wire: json.RawMessage(`{`)}
	if got, err := d.AppendJSON(nil); err == nil {
		t.Errorf("JSON that is none was stored: %s", got)
	}
}

// TestPartsAreShownAsTheirTagsSay: the same of what a movement shows of people
// and banks.
func TestPartsAreShownAsTheirTagsSay(t *testing.T) {
	t.Parallel()
	show := func(m *Movement) (shown struct{ Recipient, Bank, Mobile json.RawMessage }) {
		if err := json.Unmarshal(m.AppendJSON(nil), &shown); err != nil {
			t.Fatal(err)
		}
		return shown
	}
	check := func(recipient *Party, bank *Bank, mobile *Mobile) bool {
		shown := show(&Movement{Kind: KindPayout, Detail: Detail{Recipient: recipient, Bank: bank, Mobile: mobile}})
		for _, c := range []struct {
			got  json.RawMessage
			want any
		}{{shown.Recipient, recipient}, {shown.Bank, bank}, {shown.Mobile, mobile}} {
			if reflect.ValueOf(c.want).IsNil() && len(c.got) == 0 {
				continue
			}
			if want, err := json.Marshal(c.want); err != nil || string(c.got) != string(want) {
				t.Logf("%s, want %s", c.got, want)
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}
