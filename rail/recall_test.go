package rail_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"giro"
	"giro/bank"
	"giro/rail"
)

// TestProvidersAnswersAreKeptMasked: what a provider answers is kept as it came,
// also where it means nothing, with nothing in it that identifies somebody and in
// bounded size.
func TestProvidersAnswersAreKeptMasked(t *testing.T) {
	t.Parallel()
	in := pixPayout()
	cpf := in.Movement.Detail.Recipient.Document.Number
	for name, c := range map[string]struct {
		answer string
		status int
		want   []string
	}{
		"taken":      {`200 {"requestId":"r-1","data":{"id":"there","status":"pending","customer":{"document":"` + cpf + `","key":"maria@example.com"}}}`, 200, []string{`"requestId":"r-1"`, `"id":"there"`}},
		"number":     {`200 {"data":{"id":"there","status":"pending","document":` + strings.TrimLeft(cpf, "0") + `,"n":9007199254740993}}`, 200, []string{`9007199254740993`}},
		"in a text":  {`503 {"error":"no account of maria@example.com, ` + cpf + `","access_token":"oat_9"}`, 503, []string{"no account of", bank.MaskDocument(cpf), `"access_token":"…"`}},
		"no JSON":    {"502 <h1>Bad Gateway</h1> for " + cpf, 502, []string{"Bad Gateway"}},
		"long texts": {`503 {"qr":"` + strings.Repeat("0", 900) + `"}`, 503, []string{"000…"}},
		"long":       {`503 {"list":[` + strings.Repeat(`"abcdefghij",`, 1000) + `1]}`, 503, []string{"abcdefghij", "…"}},
	} {
		_, r := newCounter(t, map[string][]string{"POST /v2/payout": {c.answer}, "GET /payouts": {`200 {"data":[]}`}})
		out, err := r.Submit(t.Context(), in)
		if (err == nil) != (c.status == 200) {
			t.Fatalf("%s: %v", name, err)
		}
		request, answer := r.Recall(in, giro.Attempt{Act: "submit", Result: string(out.Verdict)}, out.Heard)
		if answer == nil || answer.Status != c.status || !json.Valid(answer.Body) || len(out.Heard) > 5000 {
			t.Fatalf("%s: %s", name, out.Heard)
		}
		for _, want := range c.want {
			if !strings.Contains(string(answer.Body), want) {
				t.Errorf("%s: %s is missing in %s", name, want, answer.Body)
			}
		}
		for _, b := range [][]byte{answer.Body, request.Body} {
			for _, secret := range []string{strings.TrimLeft(cpf, "0"), "maria@example.com", "oat_9", "https://pay.example.com"} {
				if strings.Contains(string(b), secret) {
					t.Errorf("%s: %s is in %s", name, secret, b)
				}
			}
		}
		if request.Path != "/v2/payout" || !strings.Contains(string(request.Body), `"amount":980.00`) || !strings.Contains(string(request.Body), in.ID) {
			t.Errorf("%s: %+v %s", name, request, request.Body)
		}
	}
	_, r := newCounter(t, map[string][]string{"GET /payouts": {listed("success", "980.00")}})
	out, err := r.Lookup(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	request, answer := r.Recall(in, giro.Attempt{Act: "lookup"}, out.Heard)
	if request.Method != "GET" || !strings.HasSuffix(request.Path, in.ID) || !strings.Contains(string(answer.Body), `"status":"success"`) {
		t.Errorf("%+v, %+v %s", request, answer, answer.Body)
	}
	if _, answer := r.Recall(in, giro.Attempt{Act: "lookup", Result: "no answer"}, nil); answer != nil {
		t.Errorf("an answer out of nothing: %+v", answer)
	}
}

// TestTheSandboxSpeaks: every operation of every scheme has a request, and every
// result an answer in valid JSON, without a secret; an end-to-end id never changes.
func TestTheSandboxSpeaks(t *testing.T) {
	t.Parallel()
	s := &rail.Sandbox{}
	card := &giro.Card{Token: "tok_insufficient_funds"}
	accounts := map[string]giro.Detail{
		"card": {Card: card}, "mobile": {Mobile: &giro.Mobile{Phone: "+5511987654321"}},
		"pix":      {Bank: &giro.Bank{Method: "pix", Key: bank.Sample("cpf", 1), KeyType: "cpf"}},
		"spei":     {Bank: &giro.Bank{Method: "spei", Account: bank.Sample("clabe", 1)}},
		"sepa":     {Bank: &giro.Bank{Method: "sepa", IBAN: bank.Sample("iban_de", 1), BIC: "COBADEFFXXX"}},
		"ach":      {Bank: &giro.Bank{Method: "ach", RoutingNumber: bank.Sample("routing", 1), AccountNumber: "000123456789", AccountType: "checking"}},
		"transfer": {Bank: &giro.Bank{Method: "transfer", Country: "CO", BankCode: "007", AccountNumber: "12345678901"}},
		"boleto":   {Bank: &giro.Bank{Method: "boleto"}},
	}
	form := map[string]string{"pix": `^[ED]9999999\d\d{12}[0-9A-Za-z]{11}$`, "spei": `^[0-9A-Z]{27,29}$`, "sepa": `^[0-9A-Z-]{28,35}$`, "ach": `^[0-9A-Z-]{28,35}$`, "transfer": `^[0-9A-Z-]{28,35}$`, "boleto": `^[0-9A-Z-]{28,35}$`}
	results := []giro.Verdict{giro.VerdictPending, giro.VerdictAuthorised, giro.VerdictSucceeded, giro.VerdictFailed, giro.VerdictCanceled, giro.VerdictReturned, giro.VerdictRefunded, giro.VerdictOnHold, giro.VerdictAbsent}
	for name, d := range accounts {
		d.Recipient, d.Description = person(), "Invoice 7"
		for _, op := range []giro.Op{giro.OpCharge, giro.OpAuthorise, giro.OpCapture, giro.OpVoid, giro.OpRefund, giro.OpPayout} {
			in := instruction(op, 98000, d)
			if op == giro.OpRefund {
				in.Charge = in.Movement
				in.Movement = &giro.Movement{ID: payoutID, Kind: giro.KindRefund, Amount: 98000, Currency: "BRL", Created: in.At}
			}
			id := s.EndToEnd(in)
			if want := form[name]; op == giro.OpPayout && (want == "") != (id == "") || id != "" && !regexp.MustCompile(want).MatchString(id) || id != s.EndToEnd(in) {
				t.Errorf("%s %s: end-to-end id %q", name, op, id)
			}
			other := in
			if other.ID = strings.TrimSuffix(in.ID, "1") + "2"; id != "" && s.EndToEnd(other) == id {
				t.Errorf("%s %s: another instruction has the same id", name, op)
			}
			for _, act := range []string{"submit", "lookup", "message"} {
				for _, v := range results {
					request, answer := s.Recall(in, giro.Attempt{At: in.At, Instruction: in.ID, Act: act, Result: string(v), Code: "account_closed"}, nil)
					if (request == nil) != (act == "message") || answer == nil || !json.Valid(answer.Body) || request != nil && request.Body != nil && !json.Valid(request.Body) {
						t.Fatalf("%s %s %s %s: %+v %+v", name, op, act, v, request, answer)
					}
					for _, secret := range []string{card.Token, bank.Sample("cpf", 1), bank.Sample("clabe", 1), bank.Sample("iban_de", 1), "000123456789", "12345678901", "5511987654321"} {
						if strings.Contains(string(answer.Body), secret) || request != nil && strings.Contains(string(request.Body), secret) {
							t.Errorf("%s %s: %s is shown", name, op, secret)
						}
					}
				}
			}
		}
	}
}
