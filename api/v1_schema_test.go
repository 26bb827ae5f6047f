package api

import (
	"encoding/json"
	"slices"
	"testing"

	"giro"
)

// TestMovementAnswers holds the described answers to what the domain writes:
// every member is described, and every one that is not optional is there.
func TestMovementAnswers(t *testing.T) {
	t.Parallel()
	full := giro.Detail{
		Provider: "bank", Description: "d", Card: &giro.Card{Brand: "visa"}, Mobile: &giro.Mobile{Phone: "+551199999999"}, Bank: &giro.Bank{Method: "pix", Key: "k", KeyType: "email"},
		Recipient: &giro.Party{Name: "n", Document: &giro.Document{Type: "CPF"}}, Next: &giro.NextAction{Type: "pix", BRCode: "b"}, ExpiresAt: 1_000_000,
	}
	for _, k := range giro.Kinds {
		for name, m := range map[string]giro.Movement{
			"bare": {Kind: k, Status: giro.StatusPending, Currency: "USD"},
			"full": {Kind: k, Status: giro.StatusSucceeded, Currency: "BRL", Detail: full},
		} {
			var got any
			if err := json.Unmarshal(m.AppendJSON(nil), &got); err != nil {
				t.Fatal(err)
			}
			conforms(t, string(k)+" "+name, movementAnswers[k], got)
		}
	}
}

func conforms(t *testing.T, at string, s *schema, v any) {
	t.Helper()
	if v == nil {
		if !s.nullable {
			t.Errorf("%s is null", at)
		}
		return
	}
	ok := true
	switch s.kind {
	case kindText:
		_, ok = v.(string)
	case kindID, kindCurrency:
		_, ok = v.(string)
	case kindEnum:
		text, _ := v.(string)
		ok = slices.Contains(s.enum, text)
	case kindAmount, kindInteger:
		_, ok = v.(float64)
	case kindFlag:
		_, ok = v.(bool)
	case kindMetadata:
		_, ok = v.(map[string]any)
	case kindObject:
		object, isObject := v.(map[string]any)
		if ok = isObject; !ok {
			break
		}
		for _, f := range s.fields {
			member, there := object[f.name]
			if !there {
				if !f.optional {
					t.Errorf("%s has no %s", at, f.name)
				}
				continue
			}
			conforms(t, at+"/"+f.name, f.schema, member)
		}
		for name := range object {
			if s.field(name) == nil {
				t.Errorf("%s/%s is not described", at, name)
			}
		}
	default:
		t.Fatalf("%s: kind %d is not expected here", at, s.kind)
	}
	if !ok {
		t.Errorf("%s is %v", at, v)
	}
}

// FuzzDecode: whatever is sent, the decoder answers with a refusal of the closed
// list that does not repeat the value, or with values that its readers can read.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{goodCharge, benchBody, `{"amount":1e400}`, `{"metadata":{"a":[]}}`, `{"customer":{"name":1}}`} {
		f.Add(s)
	}
	schemas := []*schema{chargeCreateSchema, payoutCreateSchema, refundCreateSchema, transferCreateSchema, movementUpdateSchema}
	f.Fuzz(func(t *testing.T, body string) {
		for i, s := range schemas {
			var d document
			err := d.parse([]byte(body))
			if err == nil {
				var o object
				if o, err = s.decode(&d); err == nil && i < len(giro.Kinds) {
					_, err = movementRequest(giro.Kinds[[]int{0, 2, 1, 3}[i]], o)
				}
			}
			if err != nil && explanations[giro.AsError(err).Code].status >= 500 {
				t.Fatalf("%q: %v", body, err)
			}
		}
	})
}
