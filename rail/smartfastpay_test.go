package rail_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giro"
	"giro/bank"
	"giro/rail"
	"giro/webhook"
)

// counter is a provider whose answers a test writes: "METHOD /path" to the
// answers of the first, second, … request; the last one stays.
type counter struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]string // "status body"
	asked   []string
	bodies  []string
	account giro.RailAccount
	now     time.Time
}

const tokenAnswer = `200 {"requestId":"r","data":{"access_token":"oat_1","token_type":"Bearer","expires_in":3600}}`

func newCounter(t *testing.T, answers map[string][]string) (*counter, *rail.SmartFastPay) {
	t.Helper()
	c := &counter{answers: map[string][]string{"POST /oauth2/token": {tokenAnswer}}, now: noon}
	for name, v := range answers {
		c.answers[name] = v
	}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	c.account = giro.RailAccount{Rail: "smartfastpay", BaseURL: c.URL, ClientID: "id", ClientSecret: "secret", NotifyURL: "https://pay.example.com/notes", AbsentAfterSeconds: 60}
	return c, &rail.SmartFastPay{
		HTTP: c.Client(), Verify: webhook.VerifySmartFastPay, Now: func() time.Time { return c.now },
		Account: func(context.Context, giro.Book) (*giro.RailAccount, error) {
			if c.account.ClientID == "" {
				return nil, giro.Refuse(giro.CodeNotFound, "", "none")
			}
			a := c.account
			return &a, nil
		},
	}
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := r.Method + " " + r.URL.Path
	body, _ := io.ReadAll(r.Body)
	c.asked, c.bodies = append(c.asked, name), append(c.bodies, string(body))
	id, secret, basic := r.BasicAuth()
	switch list := c.answers[name]; {
	case name == "POST /oauth2/token" && (!basic || id != "id" || secret != "secret"),
		name != "POST /oauth2/token" && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer oat_"):
		w.WriteHeader(401)
	case len(list) == 0:
		w.WriteHeader(404)
	default:
		if len(list) > 1 {
			c.answers[name] = list[1:]
		}
		status, answer, _ := strings.Cut(list[0], " ")
		if status == "cut" {
			panic(http.ErrAbortHandler)
		}
		var code int
		fmt.Sscan(status, &code)
		w.WriteHeader(code)
		io.WriteString(w, answer)
	}
}

// heard returns what it was asked so far.
func (c *counter) heard() (asked, bodies []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.asked...), append([]string(nil), c.bodies...)
}

var payoutID = giro.UUID{1, 2, 3, 4, 5, 6, 0x77, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}

func instruction(op giro.Op, amount int64, d giro.Detail) giro.Instruction {
	kind := giro.KindPayout
	if op == giro.OpCharge {
		kind = giro.KindCharge
	}
	m := &giro.Movement{ID: payoutID, Kind: kind, Amount: amount, Currency: "BRL", Detail: d}
	if d.Bank != nil {
		m.Detail.Method = d.Bank.Method
	}
	return giro.Instruction{ID: m.ID.ID(kind.Prefix()) + "-1", Op: op, Amount: amount, Currency: "BRL", Movement: m, At: giro.Micros(noon), Now: noon}
}

func person() *giro.Party {
	return &giro.Party{Name: "Maria", Document: &giro.Document{Type: "CPF", Number: bank.Sample("cpf", 1), Country: "BR"}}
}

func pixPayout() giro.Instruction {
	return instruction(giro.OpPayout, 98000, giro.Detail{Bank: &giro.Bank{Method: "pix", Key: "maria@example.com"}, Recipient: person()})
}

func listed(status, amount string) string {
	in := pixPayout()
	return fmt.Sprintf(`200 {"requestId":"r","data":[{"id":"there","customer_id":"c","transaction_id":%q,"amount":%q,"currency":"BRL","status":%q}]}`, in.ID, amount, status)
}

// TestSubmitIsBelievedOnlyWhereItIsProof: what each answer to a submission means.
func TestSubmitIsBelievedOnlyWhereItIsProof(t *testing.T) {
	t.Parallel()
	const taken = `200 {"requestId":"r","data":{"id":"there","status":"pending","payment":{"method":"pix"}}}`
	const refused = `{"requestId":"r","moreInformation":[{"code":"INVALID_REQUEST","message":"is not a key","field":"transfer.value"}]}`
	for name, c := range map[string]struct {
		submit  []string
		list    []string
		verdict giro.Verdict // "": not known
		code    string
		asked   int // requests, tokens included
	}{
		"taken":                      {submit: []string{taken}, verdict: giro.VerdictPending, asked: 2},
		"paid at once":               {submit: []string{`200 {"data":{"id":"x","status":"success"}}`}, verdict: giro.VerdictSucceeded, asked: 2},
		"token ended":                {submit: []string{"401 {}", taken}, verdict: giro.VerdictPending, asked: 4},
		"never let in":               {submit: []string{"401 {}"}, asked: 4},
		"refused, and not there":     {submit: []string{"400 " + refused}, list: []string{`200 {"data":[]}`}, verdict: giro.VerdictFailed, code: "provider_refused", asked: 3},
		"refused, but there":         {submit: []string{"400 " + refused}, list: []string{listed("success", "980.00")}, verdict: giro.VerdictSucceeded, asked: 3},
		"refused, nobody knows":      {submit: []string{"400 " + refused}, list: []string{"500 {}"}, asked: 3},
		"conflict, and there":        {submit: []string{"409 {}"}, list: []string{listed("pending", "980")}, verdict: giro.VerdictPending, asked: 3},
		"conflict, and not there":    {submit: []string{"409 {}"}, list: []string{`200 {"data":[]}`}, asked: 3},
		"unavailable":                {submit: []string{"503 {}"}, asked: 2},
		"too many":                   {submit: []string{"429 {}"}, asked: 2},
		"broken":                     {submit: []string{"500 {}"}, asked: 2},
		"a redirect":                 {submit: []string{"302 {}"}, asked: 2},
		"cut off":                    {submit: []string{"cut"}, asked: 2},
		"not this API":               {submit: []string{"200 <html>"}, asked: 2},
		"no data":                    {submit: []string{`200 {"requestId":"r"}`}, asked: 2},
		"no id":                      {submit: []string{`200 {"data":{"status":"pending"}}`}, asked: 2},
		"a status nobody knows":      {submit: []string{`200 {"data":{"id":"x","status":"paid"}}`}, asked: 2},
		"refused, another amount":    {submit: []string{"400 {}"}, list: []string{listed("success", "98.00")}, asked: 3},
		"refused, and there is more": {submit: []string{"400 {}"}, list: []string{`200 {"data":[{"id":"other","transaction_id":"other","amount":"1","status":"success"}]}`}, verdict: giro.VerdictFailed, code: "provider_refused", asked: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, r := newCounter(t, map[string][]string{"POST /v2/payout": c.submit, "GET /payouts": c.list})
			r.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			o, err := r.Submit(t.Context(), pixPayout())
			if o.Verdict != c.verdict && err == nil || (err == nil) != (c.verdict != "") || o.Code != c.code && err == nil {
				t.Errorf("%+v %v", o, err)
			}
			if asked, _ := p.heard(); len(asked) != c.asked {
				t.Errorf("asked %v", asked)
			}
			if c.code == "provider_refused" && name == "refused, and not there" && !strings.Contains(o.Message, "transfer.value: is not a key") {
				t.Errorf("the reason is lost: %q", o.Message)
			}
		})
	}
}

func TestLookupProves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list    string
		after   time.Duration
		verdict giro.Verdict
	}{
		"pending":                {listed("pending", "980.00"), 0, giro.VerdictPending},
		"on hold there":          {listed("onhold", "980.00"), 0, giro.VerdictPending},
		"success":                {listed("success", "980.00"), 0, giro.VerdictSucceeded},
		"jumppag's amounts":      {listed("success", "980"), 0, giro.VerdictSucceeded},
		"failed":                 {listed("failed", "980.00"), 0, giro.VerdictFailed},
		"returned":               {listed("returned", "980.00"), 0, giro.VerdictReturned},
		"refunded":               {listed("refunded", "980.00"), 0, giro.VerdictRefunded},
		"another word":           {listed("done", "980.00"), 0, ""},
		"a payment's word":       {listed("paid", "980.00"), 0, ""},
		"another amount":         {listed("success", "981.00"), 0, ""},
		"no amount":              {listed("success", ""), 0, ""},
		"unknown, a moment ago":  {`200 {"data":[]}`, 59 * time.Second, ""},
		"unknown, long ago":      {`200 {"data":[]}`, 60 * time.Second, giro.VerdictAbsent},
		"not an answer":          {`200 {"data":{}}`, time.Hour, ""},
		"broken":                 {`500 {}`, time.Hour, ""},
		"there is no such route": {`404 {}`, time.Hour, ""},
		"not let in":             {`401 {}`, time.Hour, ""},
		"twice": {strings.Replace(listed("success", "980.00"), `}]}`, `},`+strings.Replace(strings.SplitN(listed("success", "980.00"), `[`, 2)[1], "there", "again", 1), 1),
			time.Hour, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r := newCounter(t, map[string][]string{"GET /payouts": {c.list}})
			in := pixPayout()
			in.Now = noon.Add(c.after)
			o, err := r.Lookup(t.Context(), in)
			if o.Verdict != c.verdict && err == nil || (err == nil) != (c.verdict != "") {
				t.Errorf("%+v %v", o, err)
			}
		})
	}
	// What was never handed over cannot be proven absent.
	_, r := newCounter(t, map[string][]string{"GET /payouts": {`200 {"data":[]}`}})
	in := pixPayout()
	in.At, in.Now = 0, noon.Add(time.Hour)
	if o, err := r.Lookup(t.Context(), in); err == nil {
		t.Error(o)
	}
	// Without an account nothing is known.
	p, r := newCounter(t, nil)
	p.account = giro.RailAccount{}
	o, err := r.Lookup(t.Context(), pixPayout())
	if asked, _ := p.heard(); err == nil || len(asked) > 0 {
		t.Error(o, err)
	}
}

// TestOrders: what is sent for each way to pay, as the published pages have it.
func TestOrders(t *testing.T) {
	t.Parallel()
	transfer := func(b giro.Bank) giro.Detail {
		b.Method = "transfer"
		return giro.Detail{Bank: &b, Recipient: person()}
	}
	for name, c := range map[string]struct {
		in     giro.Instruction
		path   string
		want   string // members that the body has
		failed string
	}{
		"pix": {in: pixPayout(), path: "/v2/payout", want: `{"country":"BRA","payment_method":"pix","transfer":{"value":"maria@example.com"},"notification_url":"https://pay.example.com/notes"}`},
		"bank account in Peru": {in: instruction(giro.OpPayout, 1850, transfer(giro.Bank{Country: "PE", BankCode: "002", AccountNumber: "00219300123456789012", AccountType: "savings"})), path: "/v2/payout",
			want: `{"country":"PER","payment_method":"bank_transfer","bank_transfer":{"bank_code":"002","bank_account_number":"00219300123456789012","bank_account_type":"SAVINGS"}}`},
		"CLABE": {in: instruction(giro.OpPayout, 1850, giro.Detail{Bank: &giro.Bank{Method: "spei", Account: "032180000118359719"}, Recipient: person()}), path: "/v2/payout",
			want: `{"country":"MEX","payment_method":"bank_transfer","bank_transfer":{"bank_account_number":"032180000118359719"}}`},
		"transfiya": {in: instruction(giro.OpPayout, 1850, giro.Detail{Mobile: &giro.Mobile{Phone: "+573051000002"}, Recipient: person()}), path: "/v2/payout",
			want: `{"country":"COL","payment_method":"transfiya","transfer":{"value":"573051000002"}}`},
		"mobile money": {in: instruction(giro.OpPayout, 1850, giro.Detail{Mobile: &giro.Mobile{Phone: "+593099900000"}, Recipient: person()}), path: "/v2/payout",
			want: `{"country":"ECU","payment_method":"mobile_money","transfer":{"value":"593099900000"}}`},
		"pix pay-in":           {in: instruction(giro.OpCharge, 1850, giro.Detail{Bank: &giro.Bank{Method: "pix"}, Recipient: person()}), path: "/v2/payin", want: `{"country":"BRA","payment_method":"pix"}`},
		"boleto":               {in: instruction(giro.OpCharge, 1850, giro.Detail{Bank: &giro.Bank{Method: "boleto"}, Recipient: person()}), path: "/v2/payin", want: `{"country":"BRA","payment_method":"boleto"}`},
		"nobody":               {in: instruction(giro.OpPayout, 1850, giro.Detail{Bank: &giro.Bank{Method: "pix", Key: "x"}}), failed: "recipient_required"},
		"nobody with a number": {in: instruction(giro.OpPayout, 1850, giro.Detail{Bank: &giro.Bank{Method: "pix", Key: "x"}, Recipient: &giro.Party{Name: "M"}}), failed: "document_required"},
		"sepa":                 {in: instruction(giro.OpPayout, 1850, giro.Detail{Bank: &giro.Bank{Method: "sepa"}, Recipient: person()}), failed: "method_unsupported"},
		"a phone elsewhere":    {in: instruction(giro.OpPayout, 1850, giro.Detail{Mobile: &giro.Mobile{Phone: "+5511987654321"}, Recipient: person()}), failed: "method_unsupported"},
		"a refund":             {in: instruction(giro.OpRefund, 1850, giro.Detail{Bank: &giro.Bank{Method: "pix"}, Recipient: person()}), failed: "operation_unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const answer = `200 {"data":{"id":"there","status":"pending","payment":{"method":"x"}}}`
			p, r := newCounter(t, map[string][]string{"POST /v2/payout": {answer}, "POST /v2/payin": {answer}})
			o, err := r.Submit(t.Context(), c.in)
			asked, bodies := p.heard()
			if c.failed != "" {
				if err != nil || o.Verdict != giro.VerdictFailed || o.Code != c.failed || len(asked) > 0 {
					t.Error(o, err, asked)
				}
				return
			}
			if err != nil || o.Verdict != giro.VerdictPending || o.Reference != "there" || asked[1] != "POST "+c.path {
				t.Fatal(o, err, asked)
			}
			var got, want map[string]any
			if err := json.Unmarshal([]byte(bodies[1]), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			for member, v := range want {
				if !reflect.DeepEqual(got[member], v) {
					t.Errorf("%s is %v, not %v", member, got[member], v)
				}
			}
			if !strings.Contains(bodies[1], `"transaction":{"amount":`) || !strings.Contains(bodies[1], `"id":"`+c.in.ID+`"`) {
				t.Error(bodies[1])
			}
		})
	}
	p, r := newCounter(t, map[string][]string{"POST /v2/payout": {`200 {"data":{"id":"there","status":"pending"}}`}})
	_, err := r.Submit(t.Context(), pixPayout())
	if _, bodies := p.heard(); err != nil || !strings.Contains(bodies[1], `"amount":980.00,`) {
		t.Error("the amount is not exact: ", bodies, err)
	}
}

// TestPayInShowsItsCode: what the payer needs comes from the provider.
func TestPayInShowsItsCode(t *testing.T) {
	t.Parallel()
	_, r := newCounter(t, map[string][]string{"POST /v2/payin": {`200 {"data":{"id":"there","status":"pending","expires_in":1772370000,"payment":{"method":"pix","qr_code":"00020126"}}}`}})
	in := instruction(giro.OpCharge, 1850, giro.Detail{Bank: &giro.Bank{Method: "pix"}, Recipient: person()})
	o, err := r.Submit(t.Context(), in)
	if err != nil || o.Verdict != giro.VerdictPending || o.Next == nil || o.Next.BRCode != "00020126" || o.Next.ExpiresAt != 1772370000 || o.After == 0 {
		t.Errorf("%+v %v", o, err)
	}
	_, r = newCounter(t, map[string][]string{"GET /payments": {strings.ReplaceAll(`200 {"data":[{"id":"there","transaction_id":"ID","amount":"18.50","status":"expired"}]}`, "ID", in.ID)}})
	if o, err := r.Lookup(t.Context(), in); err != nil || o.Verdict != giro.VerdictCanceled {
		t.Errorf("%+v %v", o, err)
	}
}

// TestTokensAreKept: one token serves until it nearly ends, and is asked for
// once by many at once; changed settings take a new one.
func TestTokensAreKept(t *testing.T) {
	t.Parallel()
	p, r := newCounter(t, map[string][]string{"GET /payouts": {listed("pending", "980.00")}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := r.Lookup(t.Context(), pixPayout()); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	tokens := func() (n int) {
		asked, _ := p.heard()
		for _, a := range asked {
			if a == "POST /oauth2/token" {
				n++
			}
		}
		return n
	}
	if tokens() != 1 {
		t.Errorf("%d tokens for 20 requests", tokens())
	}
	p.now = noon.Add(59*time.Minute + time.Second)
	if _, err := r.Lookup(t.Context(), pixPayout()); err != nil || tokens() != 2 {
		t.Error(err, tokens())
	}
	p.account.AbsentAfterSeconds = 61
	if _, err := r.Lookup(t.Context(), pixPayout()); err != nil || tokens() != 3 {
		t.Error(err, tokens())
	}
}

func TestNotificationsAreTheProviders(t *testing.T) {
	t.Parallel()
	in := pixPayout()
	body := []byte(`{"requestId":"there","data":[{"id":"there","transaction_id":"` + in.ID + `","status":"paid"}]}`)
	read := func(r *rail.SmartFastPay, name, value string, body []byte) (giro.Message, error) {
		h := http.Header{}
		if name != "" {
			h.Set(name, value)
		}
		return r.Read(t.Context(), 3, h.Get, body)
	}
	answers := func() map[string][]string {
		return map[string][]string{"GET /webhook/secret": {`200 {"data":{"secret":"s-1"}}`}}
	}
	sign := func(secret string, at time.Time) string {
		if secret == "" { // which package webhook does not sign with
			stamp := strconv.FormatInt(at.UnixMilli(), 10)
			h := hmac.New(sha256.New, nil)
			h.Write([]byte(stamp + "." + string(body)))
			return "t=" + stamp + ",v1=" + hex.EncodeToString(h.Sum(nil))
		}
		return webhook.SignSmartFastPay(secret, at, body)
	}
	_, r := newCounter(t, answers())
	m, err := read(r, "SmartFastPay-Signature", sign("s-1", noon), body)
	if err != nil || len(m.Instructions) != 1 || m.Instructions[0] != in.ID || m.ID == "" {
		t.Error(m, err)
	}
	if again, err := read(r, "Jump-Signature", sign("s-1", noon.Add(time.Minute)), body); err != nil || again.ID != m.ID {
		t.Error(again, err)
	}
	for name, c := range map[string][2]string{
		"none": {"", ""}, "another secret": {"SmartFastPay-Signature", sign("s-2", noon)}, "too old": {"SmartFastPay-Signature", sign("s-1", noon.Add(-6*time.Minute))},
		"too early": {"SmartFastPay-Signature", sign("s-1", noon.Add(6*time.Minute))}, "garbage": {"SmartFastPay-Signature", "v1"}, "no secret at all": {"SmartFastPay-Signature", sign("", noon)},
	} {
		if m, err := read(r, c[0], c[1], body); !giro.Is(err, giro.CodeUnauthenticated) {
			t.Error(name, m, err)
		}
	}
	if m, err := read(r, "SmartFastPay-Signature", sign("s-1", noon), append(body, ' ')); !giro.Is(err, giro.CodeUnauthenticated) {
		t.Error(m, err)
	}
	// A secret that the provider has replaced is asked for again, not too often.
	p, r := newCounter(t, map[string][]string{"GET /webhook/secret": {`200 {"data":{"secret":"s-1"}}`, `200 {"data":{"secret":"s-2"}}`}})
	if _, err := read(r, "SmartFastPay-Signature", sign("s-1", noon), body); err != nil {
		t.Error(err)
	}
	p.now = noon.Add(time.Minute)
	if _, err := read(r, "SmartFastPay-Signature", sign("s-2", noon), body); err != nil {
		t.Error(err)
	}
	before, _ := p.heard()
	for range 10 {
		if _, err := read(r, "SmartFastPay-Signature", sign("s-3", noon), body); !giro.Is(err, giro.CodeUnauthenticated) {
			t.Error(err)
		}
	}
	if after, _ := p.heard(); len(after) > len(before) {
		t.Errorf("anyone can make giro ask the provider: %v", after[len(before):])
	}
	// A provider that cannot be asked, or has no secret, lets nobody in.
	for _, answer := range []string{"500 {}", `200 {"data":{"secret":""}}`} {
		_, r := newCounter(t, map[string][]string{"GET /webhook/secret": {answer}})
		var e *giro.Error
		if m, err := read(r, "SmartFastPay-Signature", sign("", noon), body); !errors.As(err, &e) || e.Code != giro.CodeUnavailable || e.RetryAfter == 0 {
			t.Error(m, err)
		}
	}
	// What nobody can read is the provider's all the same, and is kept.
	odd := []byte("not json")
	_, r = newCounter(t, answers())
	if m, err := read(r, "SmartFastPay-Signature", webhook.SignSmartFastPay("s-1", noon, odd), odd); err != nil || m.ID == "" || len(m.Instructions) > 0 {
		t.Error(m, err)
	}
}
