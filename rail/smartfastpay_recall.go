package rail

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"giro"
	"giro/bank"
)

const (
	keptAnswer = 2000 // bytes of an answer that are kept
	keptText   = 200  // characters of one text in it: codes to be paid are longer
)

// EndToEnd implements giro.Witness: the provider names its bank's id nowhere.
func (*SmartFastPay) EndToEnd(giro.Instruction) string { return "" }

// Recall implements giro.Witness. The request is what the instruction says it has
// to be; what only the provider knows was kept.
func (*SmartFastPay) Recall(in giro.Instruction, a giro.Attempt, heard []byte) (request, answer *giro.Spoken) {
	if a.Act == "submit" {
		path, body, missing := order(in, "…") // where giro is told may have changed since
		if missing == "" {
			b, err := json.Marshal(hide(body, secretsOf(in)))
			if err != nil {
				panic(err) // texts and numbers
			}
			request = &giro.Spoken{Method: http.MethodPost, Path: path, Body: b}
		}
	} else {
		request = &giro.Spoken{Method: http.MethodGet, Path: whereFound(in)}
	}
	var k kept
	if heard != nil && json.Unmarshal(heard, &k) == nil {
		answer = &giro.Spoken{Status: k.Status, Body: k.Body}
	}
	return request, answer
}

// kept is an answer as it is stored.
type kept struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"` // what was no JSON, and the beginning of what is long, as a text
}

// keep returns an answer with what is nobody's business masked; nil: there was none.
func keep(in giro.Instruction, t told) []byte {
	if t.status == 0 {
		return nil
	}
	k := kept{Status: t.status}
	var v any
	d := json.NewDecoder(bytes.NewReader(t.body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		v = strings.ToValidUTF8(string(t.body[:min(len(t.body), keptAnswer)]), "�")
	}
	body, err := json.Marshal(hide(v, secretsOf(in)))
	if err != nil {
		panic(err) // it was read as JSON
	}
	if len(body) > keptAnswer {
		if body, err = json.Marshal(strings.ToValidUTF8(string(body[:keptAnswer]), "") + "…"); err != nil {
			panic(err)
		}
	}
	k.Body = body
	b, err := json.Marshal(&k)
	if err != nil {
		panic(err)
	}
	return b
}

// secretsOf are the documents, keys, numbers and addresses of an instruction, and
// what is shown in their place.
func secretsOf(in giro.Instruction) map[string]string {
	masks := map[string]string{}
	number := func(list ...string) {
		for _, n := range list {
			if n != "" && masks[n] == "" {
				masks[n] = bank.MaskNumber(n)
			}
		}
	}
	d := &in.Movement.Detail
	for _, who := range []*giro.Party{d.Recipient, in.Payer} {
		if who == nil {
			continue
		}
		if who.Document != nil {
			// First: as a key it is no more readable.
			masks[who.Document.Number] = bank.MaskDocument(who.Document.Number)
		}
		number(who.Email, who.Phone, strings.TrimPrefix(who.Phone, "+"))
	}
	if b := d.Bank; b != nil {
		number(b.Key, strings.TrimPrefix(b.Key, "+"), b.Account, b.IBAN, b.AccountNumber)
	}
	if d.Mobile != nil {
		number(d.Mobile.Phone, strings.TrimPrefix(d.Mobile.Phone, "+"))
	}
	return masks
}

// tokens are members of which a provider's answer shows nothing.
var tokens = map[string]bool{"access_token": true, "token": true, "secret": true, "client_secret": true, "authorization": true, "password": true}

// hide returns a value of JSON with what is to be masked masked, wherever it
// stands, and long texts cut.
func hide(v any, masks map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name, member := range v {
			if tokens[strings.ToLower(name)] {
				shown[name] = "…"
				continue
			}
			shown[name] = hide(member, masks)
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i, one := range v {
			shown[i] = hide(one, masks)
		}
		return shown
	case json.Number:
		if mask, ok := masks[v.String()]; ok {
			return mask
		}
		return v
	case string:
		if mask, ok := masks[v]; ok {
			return mask
		}
		for secret, mask := range masks {
			if len(secret) >= 6 { // shorter ones stand in other numbers by chance
				v = strings.ReplaceAll(v, secret, mask)
			}
		}
		if r := []rune(v); len(r) > keptText {
			v = string(r[:keptText]) + "…"
		}
		return v
	}
	return v
}
