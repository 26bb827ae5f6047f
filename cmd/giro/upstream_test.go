package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giro/bank"
)

// gate stands between two processes and decides what becomes of each request:
// "" it passes, "refuse" it never arrives, "busy" it is turned away, "lose" it
// arrives and its answer does not, "late" it arrives twice, later, and the sender
// believes it lost.
type gate struct {
	*httptest.Server
	target atomic.Pointer[string]
	fate   atomic.Pointer[func(r *http.Request) string]
	late   sync.WaitGroup
}

func newGate(t *testing.T) *gate {
	g := &gate{}
	g.Server = httptest.NewServer(g)
	t.Cleanup(func() {
		g.Server.Close()
		g.late.Wait()
	})
	return g
}

func (g *gate) forward(r *http.Request, body []byte) (*http.Response, error) {
	q, err := http.NewRequest(r.Method, *g.target.Load()+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, v := range r.Header {
		q.Header[name] = v
	}
	return http.DefaultTransport.RoundTrip(q)
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fate := ""
	if f := g.fate.Load(); f != nil {
		fate = (*f)(r)
	}
	switch fate {
	case "refuse":
		panic(http.ErrAbortHandler)
	case "busy":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "late":
		kept := r.Clone(r.Context())
		g.late.Add(1)
		time.AfterFunc(800*time.Millisecond, func() {
			defer g.late.Done()
			for range 2 {
				if a, err := g.forward(kept, body); err == nil {
					a.Body.Close()
				}
			}
		})
		panic(http.ErrAbortHandler)
	}
	a, err := g.forward(r, body)
	if err != nil {
		panic(http.ErrAbortHandler) // the process behind is dead
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(a.Body)
	if err != nil || fate == "lose" {
		panic(http.ErrAbortHandler)
	}
	for name, v := range a.Header {
		w.Header()[name] = v
	}
	w.WriteHeader(a.StatusCode)
	w.Write(answer)
}

// party is one of two installations, started again and again.
type party struct {
	*server
	t    *testing.T
	data string
	door *gate
}

func (p *party) start() {
	p.t.Helper()
	s := &server{cmd: giroCommand(p.t, "serve", "--data", p.data, "--listen", "127.0.0.1:0", "--webhook-allow-private", "--json")}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.cmd.Process.Kill(); s.cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	if p.server != nil {
		s.credentials = p.server.credentials
	}
	if err := json.Unmarshal(line, &s.credentials); err != nil {
		p.t.Fatalf("%v: %s", err, line)
	}
	go io.Copy(io.Discard, out)
	p.server = s
	p.door.target.Store(&s.URL)
}

func (p *party) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// must sends a request to the party itself, not through its door.
func (p *party) must(method, path, key, body string) []byte {
	p.t.Helper()
	status, answer, err := p.do(method, path, key, body)
	if err != nil || status >= 300 {
		p.t.Fatalf("%s %s: %d %s %v", method, path, status, answer, err)
	}
	return answer
}

type wirePayout struct {
	ID        string
	Reference string
	Status    string
	Amount    int64
}

// payouts lists all payouts.
func (p *party) payouts(key string) (all []wirePayout) {
	p.t.Helper()
	for page := 1; ; page++ {
		var v struct{ Payouts []wirePayout }
		if err := json.Unmarshal(p.must("GET", "/v1/payouts?items_per_page=100&page="+strconv.Itoa(page), key, ""), &v); err != nil {
			p.t.Fatal(err)
		}
		all = append(all, v.Payouts...)
		if len(v.Payouts) < 100 {
			return all
		}
	}
}

// outside is what has left a party for good or has come back and is not yet
// credited: what it had, less what it has.
func (p *party) outside(key string, funded int64) int64 {
	p.t.Helper()
	var v struct {
		Balances []struct {
			Currency                              string
			Available, Pending, Reserved, Returns int64
		}
	}
	if err := json.Unmarshal(p.must("GET", "/v1/balances", key, ""), &v); err != nil {
		p.t.Fatal(err)
	}
	for _, b := range v.Balances {
		if b.Currency == "brl" {
			if b.Reserved != 0 || b.Pending != 0 {
				p.t.Errorf("something is still reserved: %+v", b)
			}
			return funded - b.Available - b.Returns
		}
	}
	p.t.Fatal("no balance")
	return 0
}

// TestTwoInstallations: one giro is the other's provider. Answers and requests
// are lost, both are killed, notifications are lost, late and repeated; at the
// end their books agree and nothing was paid twice. GIRO_TEST_PAYOUTS=1000 runs
// it at full size.
func TestTwoInstallations(t *testing.T) {
	t.Parallel()
	count := 48
	if v := os.Getenv("GIRO_TEST_PAYOUTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("GIRO_TEST_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("GIRO_TEST_SEED=%d", seed)
	chance := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	roll := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return chance.IntN(n)
	}
	const funded = 50_000_000_00

	provider := &party{t: t, data: t.TempDir(), door: newGate(t)}
	provider.start()
	theirs := provider.Keys["test"]
	provider.must("POST", "/v1/test/fund", theirs.SecretKey, fmt.Sprintf(`{"currency":"brl","amount":%d}`, funded))

	ours := &party{t: t, data: t.TempDir(), door: newGate(t)}
	ours.start()
	key, admin := ours.Keys["live"].SecretKey, ours.AdminToken
	var charge struct{ ID string }
	if err := json.Unmarshal(ours.must("POST", "/v1/charges", key, fmt.Sprintf(`{"amount":%d,"currency":"brl","provider":"bank","bank":{"method":"transfer"}}`, funded)), &charge); err != nil {
		t.Fatal(err)
	}
	ours.must("POST", "/v1/charges/"+charge.ID+"/confirm", key, "{}")
	account, _ := json.Marshal(map[string]any{"base_url": provider.door.URL + "/smartfastpay", "client_id": theirs.ClientID, "client_secret": theirs.ClientSecret, "notify_url": ours.door.URL, "absent_after": 3})
	ours.must("PUT", "/v1/merchants/"+ours.Merchant+"/rails/smartfastpay", admin, string(account))
	ours.must("PUT", "/v1/merchants/"+ours.Merchant, admin, `{"rails":{"bank/pix":"smartfastpay"}}`)

	// From here on the world is unreliable.
	wild := func(*http.Request) string {
		switch roll(12) {
		case 0, 1:
			return "refuse"
		case 2, 3:
			return "lose"
		case 4:
			return "late"
		case 5:
			return "busy"
		}
		return ""
	}
	calm := func(*http.Request) string { return "" }
	provider.door.fate.Store(&wild)
	ours.door.fate.Store(&wild)

	endings := []int64{91, 92, 94, 95, 97, 98, 99}
	document := bank.Sample("cpf", 4711)
	kills := map[int]*party{count / 5: ours, 2 * count / 5: provider, 3 * count / 5: ours, 4 * count / 5: provider}
	for n := range count {
		amount := int64(1000 + n)
		if n%6 == 0 {
			amount = (10_000 + endings[n/6%len(endings)]) * 100
		}
		body := fmt.Sprintf(`{"amount":%d,"currency":"brl","provider":"bank","bank":{"method":"pix","key":%q},"recipient":{"name":"Maria","document":{"type":"CPF","number":%q}},"reference":"p-%d"}`, amount, document, document, n)
		ours.must("POST", "/v1/payouts", key, body)
		if p := kills[n]; p != nil {
			p.kill()
			p.start()
		}
	}
	time.AfterFunc(2*time.Second, func() {
		provider.door.fate.Store(&calm)
		ours.door.fate.Store(&calm)
	})
	wait := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(3 * time.Minute); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("%s took too long", what)
			}
			<-time.After(100 * time.Millisecond)
		}
	}
	wait("the outcome of every payout", func() bool {
		return string(ours.must("GET", "/v1/payouts?status=pending,onhold&limit=1", key, "")) == "[]"
	})

	// What had arrived comes back after all: only a notification can tell.
	byReference := func() map[string]wirePayout {
		m := map[string]wirePayout{}
		for _, p := range provider.payouts(theirs.SecretKey) {
			if _, twice := m[p.Reference]; twice {
				t.Errorf("the provider has %s twice", p.Reference)
			}
			m[p.Reference] = p
		}
		return m
	}
	there := byReference()
	late := 0
	for _, p := range ours.payouts(key) {
		if p.Status == "succeeded" && late < 3 {
			late++
			provider.must("POST", "/v1/test/payouts/"+there[p.ID+"-1"].ID+"/returned", theirs.SecretKey, "")
			wait("a late return", func() bool {
				var v wirePayout
				return json.Unmarshal(ours.must("GET", "/v1/payouts/"+p.ID, key, ""), &v) == nil && v.Status == "returned"
			})
		}
	}

	there = byReference()
	all := ours.payouts(key)
	if len(all) != count || len(there) != count {
		t.Errorf("%d payouts here and %d at the provider, of %d", len(all), len(there), count)
	}
	states := map[string]int{}
	for _, p := range all {
		states[p.Status]++
		if told := string(ours.must("GET", "/v1/payouts/"+p.ID+"/attempts", key, "")); p.Status == "returned" &&
			(!strings.Contains(told, `"path":"/v2/payout"`) || !strings.Contains(told, `"response":{"status":200,"body":{`) || !strings.Contains(told, `"status":"returned"`)) {
			t.Errorf("what was said of %s is not told: %s", p.ID, told)
		}
		if q := there[p.ID+"-1"]; q.Status != p.Status || q.Amount != p.Amount {
			t.Errorf("%s is %s of %d here and %s of %d at the provider", p.ID, p.Status, p.Amount, q.Status, q.Amount)
		}
	}
	t.Log(states)
	for _, s := range []string{"succeeded", "failed", "returned", "refunded"} {
		if states[s] == 0 {
			t.Errorf("no payout is %s: the test does not show what it should", s)
		}
	}
	if here, at := ours.outside(key, funded), provider.outside(theirs.SecretKey, funded); here != at || here == 0 {
		t.Errorf("%d have left here, %d at the provider", here, at)
	}
	var lines []struct {
		Instruction string
		Done        bool
	}
	if err := json.Unmarshal(provider.must("GET", "/v1/test/rail/log?limit=1000", theirs.SecretKey, ""), &lines); err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for _, l := range lines {
		if object, _, _ := strings.Cut(l.Instruction, "-"); l.Done {
			if done[object]++; done[object] > 1 {
				t.Errorf("the provider's own rail has paid %s twice", object)
			}
		}
	}
	for _, p := range []*party{ours, provider} {
		p.kill()
		var report struct{ OK bool }
		if out := run(t, "verify", "--data", p.data, "--json"); json.Unmarshal([]byte(out), &report) != nil || !report.OK {
			t.Error(out)
		}
	}
}

// TestPayInThroughAProvider: a live PIX charge shows the provider's code and
// follows the provider's word; what is refunded of it, a person gives back.
func TestPayInThroughAProvider(t *testing.T) {
	t.Parallel()
	provider := &party{t: t, data: t.TempDir(), door: newGate(t)}
	provider.start()
	theirs := provider.Keys["test"]
	ours := &party{t: t, data: t.TempDir(), door: newGate(t)}
	ours.start()
	c := newConsole(t, ours.server)
	c.env["GIRO_API_KEY"] = ours.AdminToken
	c.in = theirs.ClientSecret + "\n"
	c.must(0, "rails", "set", ours.Merchant, "smartfastpay", "--base-url", provider.door.URL+"/jumppag", "--client-id", theirs.ClientID, "--client-secret-file", "-", "--notify-url", ours.door.URL)
	if out := c.must(0, "rails", "get", ours.Merchant, "smartfastpay", "--json"); strings.Contains(out, theirs.ClientSecret) || !strings.Contains(out, `"absent_after":120`) {
		t.Error(out)
	}
	c.must(0, "merchants", "update", ours.Merchant, "--rail", "bank/pix=smartfastpay")
	c.must(5, "rails", "remove", ours.Merchant, "smartfastpay", "--json") // in use

	key := ours.Keys["live"].SecretKey
	document := bank.Sample("cpf", 99)
	charge := func(reference string) (id string) {
		t.Helper()
		var v struct {
			ID, Status string
			NextAction struct {
				BRCode string `json:"br_code"`
				QRSVG  string `json:"qr_svg"`
			} `json:"next_action"`
		}
		answer := ours.must("POST", "/v1/charges", key, fmt.Sprintf(`{"amount":1850,"currency":"brl","provider":"bank","bank":{"method":"pix"},"customer":{"name":"Ana Lima","email":"ana@example.com","document":{"type":"CPF","number":%q}},"reference":%q}`, document, reference))
		if err := json.Unmarshal(answer, &v); err != nil || v.Status != "pending" || !strings.HasPrefix(v.NextAction.BRCode, "000201") || !strings.HasPrefix(v.NextAction.QRSVG, "<svg") {
			t.Fatalf("%s %v", answer, err)
		}
		return v.ID
	}
	until := func(kind, id, status string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			var v wirePayout
			if err := json.Unmarshal(ours.must("GET", "/v1/"+kind+"/"+id, key, ""), &v); err != nil {
				t.Fatal(err)
			}
			if v.Status == status {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is %s, not %s", id, v.Status, status)
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	there := func(id string) string {
		t.Helper()
		var list []struct{ ID string }
		if err := json.Unmarshal(provider.must("GET", "/v1/charges?reference="+id+"-1", theirs.SecretKey, ""), &list); err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].ID
	}
	paid, denied := charge("a"), charge("b")
	provider.must("POST", "/v1/test/charges/"+there(paid)+"/succeeded", theirs.SecretKey, "")
	provider.must("POST", "/v1/test/charges/"+there(denied)+"/failed", theirs.SecretKey, "")
	until("charges", paid, "succeeded")
	// What was said is told, and the payer is not.
	told := string(ours.must("GET", "/v1/charges/"+paid+"/attempts", key, ""))
	if !strings.Contains(told, `"path":"/v2/payin"`) || !strings.Contains(told, `"status":"paid"`) || !strings.Contains(told, bank.MaskDocument(document)) || strings.Contains(told, document) || strings.Contains(told, "ana@example.com") {
		t.Errorf("attempts: %s", told)
	}
	until("charges", denied, "failed")

	var refund struct{ ID, Rail string }
	if err := json.Unmarshal(ours.must("POST", "/v1/refunds", key, `{"charge":"`+paid+`"}`), &refund); err != nil || refund.Rail != "manual" {
		t.Fatal(refund, err)
	}
	ours.must("POST", "/v1/refunds/"+refund.ID+"/confirm", key, "{}")
	until("charges", paid, "refunded")

	// A payer without a document cannot be named to the provider: nothing is sent.
	var v struct {
		Status      string
		FailureCode string `json:"failure_code"`
	}
	if err := json.Unmarshal(ours.must("POST", "/v1/charges", key, `{"amount":1850,"currency":"brl","provider":"bank","bank":{"method":"pix"}}`), &v); err != nil || v.Status != "failed" || v.FailureCode != "recipient_required" {
		t.Error(v, err)
	}
	c.must(0, "merchants", "update", ours.Merchant, "--rail", "bank/pix=manual")
	c.must(0, "rails", "remove", ours.Merchant, "smartfastpay")
	c.must(4, "rails", "get", ours.Merchant, "smartfastpay")
}
