package client_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/client"
	"giro/internal/storetest"
	"giro/rail"
	"giro/store"
)

// served is a real giro on SQLite with one merchant.
type served struct {
	url                     string
	test, live, publishable string
}

func serve(t *testing.T) served {
	t.Helper()
	s := storetest.SQLite(t).Open(t, store.Options{})
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}}
	e.Start()
	m, err := e.CreateMerchant(t.Context(), nil, giro.Merchant{Name: "First", Currency: "BRL"})
	if err != nil {
		t.Fatal(err)
	}
	test, err := e.CreateKeySet(t.Context(), m, false)
	if err != nil {
		t.Fatal(err)
	}
	live, err := e.CreateKeySet(t.Context(), m, true)
	if err != nil {
		t.Fatal(err)
	}
	h, err := api.New(api.Config{Engine: e, Now: time.Now, NewID: e.NewID, Secret: e.Secret[:], Admin: func(token string) bool { return token == "adm_of_this_test" }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = h.HTTP()
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		e.Stop()
		s.Close()
	})
	return served{server.URL, test.SecretKey, live.SecretKey, test.PublishableKey}
}

func (s served) client(t *testing.T, key string, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(s.url, key, o)
	if err != nil {
		t.Fatal(err)
	}
	c.SetPause(func(ctx context.Context, d time.Duration) error {
		select { // as soon as another goroutine may have got on
		case <-time.After(min(d, 5*time.Millisecond)):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return c
}

func TestMoneyThroughTheClient(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t, s.test, client.Options{})
	ctx := t.Context()

	charge, err := c.Charges.Create(ctx, &client.ChargeCreate{Amount: 100000, Currency: "brl", Provider: "card", Card: &client.Card{Token: "tok_ok"}, Reference: "order-1", Customer: &client.Party{Name: "Ana"}, Metadata: map[string]string{"shop": "1"}})
	if err != nil || charge.Status != "succeeded" || charge.AmountCaptured != 100000 || charge.Customer == "" || charge.Metadata["shop"] != "1" {
		t.Fatal(charge, err)
	}
	again, err := c.Charges.Create(ctx, &client.ChargeCreate{Amount: 100000, Currency: "brl", Provider: "card", Card: &client.Card{Token: "tok_ok"}, Reference: "order-1"})
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Code != "duplicate_reference" || refusal.Status != 409 || refusal.Param != "/reference" || refusal.RequestID == "" {
		t.Error(again, err)
	}
	refund, err := c.Refunds.Create(ctx, &client.RefundCreate{Charge: charge.ID, Amount: 40000})
	if err != nil || refund.Status != "pending" || refund.Charge != charge.ID {
		t.Fatal(refund, err)
	}
	if refund, err = c.Refunds.Await(ctx, refund.ID); err != nil || refund.Status != "succeeded" || !refund.Final() {
		t.Error(refund, err)
	}
	payout, err := c.Payouts.Create(ctx, &client.PayoutCreate{Amount: 20000, Currency: "brl", Provider: "bank", Bank: &client.Bank{Method: "pix", Key: "maria@example.com"}}, client.Simulate("failed:account_closed"))
	if err != nil {
		t.Fatal(err)
	}
	if payout, err = c.Payouts.Await(ctx, payout.ID); err != nil || payout.Status != "failed" || payout.FailureCode != "account_closed" || payout.Bank.KeyType != "email" {
		t.Error(payout, err)
	}
	if next, err := c.Payouts.Retry(ctx, payout.ID, ""); err != nil || next.RetryOf != payout.ID {
		t.Error(next, err)
	} else if _, err := c.Payouts.Await(ctx, next.ID); err != nil {
		t.Error(err)
	}
	account, err := c.Accounts.Create(ctx, &client.AccountCreate{Name: "seller", Currency: "brl"})
	if err != nil {
		t.Fatal(err)
	}
	transfer, err := c.Transfers.Create(ctx, &client.TransferCreate{Amount: 30000, Currency: "brl", Destination: account.ID, Pending: true})
	if err != nil || transfer.Status != "pending" || !transfer.TwoPhase {
		t.Fatal(transfer, err)
	}
	if transfer, err = c.Transfers.Post(ctx, transfer.ID); err != nil || transfer.Status != "succeeded" {
		t.Error(transfer, err)
	}
	if transfer, err = c.Transfers.Reverse(ctx, transfer.ID, 10000); err != nil || transfer.AmountRefunded != 10000 {
		t.Error(transfer, err)
	}
	balances, err := c.Balances(ctx, time.Time{})
	if err != nil || len(balances.Balances) != 1 || balances.Balances[0].Available != 100000-40000-30000+10000-20000 {
		t.Error(balances, err)
	}
	if snapshot, err := c.Accounts.Snapshot(ctx, account.ID); err != nil || snapshot.Accounts[0].Balance != 20000 || snapshot.AsOfSequence != balances.AsOfSequence {
		t.Error(snapshot, err)
	}
	if lines, err := c.Transfers.Ledger(ctx, transfer.ID); err != nil || len(lines) != 3 {
		t.Error(lines, err)
	}
	if story, err := c.Charges.Timeline(ctx, charge.ID); err != nil || len(story) < 3 || story[0].What != "created" {
		t.Error(story, err)
	}
	trial, err := c.Ledger.TrialBalance(ctx)
	if err != nil || len(trial.Currencies) != 1 || trial.Currencies[0].Debits != trial.Currencies[0].Credits {
		t.Error(trial, err)
	}
	text := "for the shelf"
	if charge, err = c.Charges.Update(ctx, charge.ID, &client.Update{Description: &text}, client.IfVersion(charge.Version+100)); !errors.As(err, &refusal) || refusal.Code != "precondition_failed" {
		t.Error(charge, err)
	}
	if err := c.Transfers.Delete(ctx, transfer.ID); err != nil {
		t.Error(err)
	}
	if err := c.Transfers.Delete(ctx, transfer.ID); !errors.As(err, &refusal) || refusal.Status != 404 {
		t.Error(err)
	}
	asked := 0
	for line, err := range c.Test.RailLog(ctx) {
		if err != nil || line.Instruction == "" || line.Submits != 1 || line.Done == (line.Object == payout.ID) {
			t.Fatal(line, err)
		}
		asked++
	}
	if asked == 0 {
		t.Error("the rail was asked nothing")
	}
	if _, err := c.Merchants.Create(ctx, &client.MerchantCreate{Name: "x"}); !errors.As(err, &refusal) || refusal.Code != "forbidden" {
		t.Error(err)
	}
	made, err := s.client(t, "adm_of_this_test", client.Options{}).Merchants.Create(ctx, &client.MerchantCreate{Name: "Second", Currency: "mxn"})
	if err != nil || !strings.HasPrefix(made.Keys["live"].SecretKey, "sk_live_") {
		t.Error(made, err)
	}
	delay, no := int64(3600), false
	admin := s.client(t, "adm_of_this_test", client.Options{})
	if m, err := admin.Merchants.Update(ctx, made.ID, &client.MerchantUpdate{Name: "Third", SettlementDelay: &delay, HoldOnMissingFunds: &no, Rails: map[string]string{"bank/pix": "manual"}}); err != nil || m.Name != "Third" || m.SettlementDelay != delay || m.Currency != "mxn" || m.Rails["bank/pix"] != "manual" {
		t.Error(m, err)
	}
	if m, err := admin.Merchants.Update(ctx, made.ID, &client.MerchantUpdate{Rails: map[string]string{}}); err != nil || m.Name != "Third" || len(m.Rails) != 0 {
		t.Error(m, err)
	}
	key, err := c.Keys.Create(ctx, &client.APIKeyCreate{Name: "reader", Scopes: []string{"payouts:read"}})
	if err != nil || key.Secret == "" {
		t.Fatal(key, err)
	}
	if _, err := s.client(t, key.Secret, client.Options{}).Charges.Retrieve(ctx, charge2(c, ctx)); !errors.As(err, &refusal) || refusal.Status != 403 {
		t.Error(err)
	}
	if key, err = c.Keys.Revoke(ctx, key.ID); err != nil || key.RevokedAt == "" {
		t.Error(key, err)
	}
	customer, err := c.Customers.Create(ctx, &client.CustomerCreate{Name: "Rui", Reference: "c-1"})
	if err != nil {
		t.Fatal(err)
	}
	if customer, err = c.Customers.Update(ctx, customer.ID, &client.CustomerUpdate{Email: "rui@example.com"}); err != nil || customer.Email != "rui@example.com" || customer.Name != "Rui" {
		t.Error(customer, err)
	}
}

// charge2 is the id of any charge.
func charge2(c *client.Client, ctx context.Context) string {
	for ch := range c.Charges.List(ctx, nil) {
		return ch.ID
	}
	return ""
}

func TestListsFollowTheirPages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	requests := atomic.Int64{}
	c := s.client(t, s.test, client.Options{Trace: func(client.Attempt) { requests.Add(1) }})
	ctx := t.Context()
	for n := range 7 {
		if _, err := c.Charges.Create(ctx, &client.ChargeCreate{Amount: int64(100 + n), Currency: "usd", Provider: "card", Card: &client.Card{Token: "tok_ok"}}); err != nil {
			t.Fatal(err)
		}
	}
	requests.Store(0)
	var amounts []int64
	for ch, err := range c.Charges.List(ctx, &client.Filter{Status: []string{"succeeded", "failed"}, AmountMin: 102, PerPage: 2, Since: time.Now().Add(-time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		amounts = append(amounts, ch.Amount)
	}
	if len(amounts) != 5 || amounts[0] != 106 || amounts[4] != 102 || requests.Load() < 3 {
		t.Error(amounts, requests.Load())
	}
	requests.Store(0)
	for range c.Charges.List(ctx, &client.Filter{PerPage: 2}) {
		break
	}
	if requests.Load() != 1 {
		t.Errorf("%d requests for the first item", requests.Load())
	}
	for _, err := range c.Charges.List(ctx, &client.Filter{Currency: "xyz"}) {
		var refusal *client.Error
		if !errors.As(err, &refusal) || refusal.Status != 400 && refusal.Status != 422 {
			t.Error(err)
		}
	}
	var sequences []int64
	for e, err := range c.Events.After(ctx, 0, &client.EventFilter{Types: []string{"charge.succeeded"}}) {
		if err != nil {
			t.Fatal(err)
		}
		sequences = append(sequences, e.Sequence)
		if !bytes.Contains(e.Raw, e.Data.Object) || len(e.Data.Object) == 0 {
			t.Error("an event without its bytes")
		}
	}
	if len(sequences) != 7 || sequences[0] >= sequences[6] {
		t.Error(sequences)
	}
}

// faulty loses answers: before a request is sent, or after it was answered.
type faulty struct {
	fault func(n int64, r *http.Request) string // "", "refuse", "lose", "cut", or a status and a body
	n     atomic.Int64
}

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	fault := f.fault(f.n.Add(1), r)
	if fault == "refuse" {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	if status, body, ok := strings.Cut(fault, " "); ok {
		answer := "HTTP/1.1 " + status + " X\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\nConnection: close\r\n\r\n" + body
		return http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch fault {
	case "lose":
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return nil, errors.New("read: connection reset by peer")
	case "cut":
		resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 10), errReader{}))
	}
	return resp, nil
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

const inProgress = `409 {"code":"idempotency_in_progress","status":409,"detail":"x","request_id":"r"}`

// Whatever is lost, one create makes one object.
func TestRepeatedWithTheSameKey(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, faults := range map[string][]string{
		"never sent":           {"refuse", "refuse"},
		"answer lost":          {"lose"},
		"answer cut":           {"cut", "lose"},
		"gateway":              {"502 bad gateway", "504 {}"},
		"unavailable":          {`503 {"code":"unavailable"}`},
		"limited":              {`429 {"code":"rate_limited"}`},
		"in progress":          {inProgress, inProgress},
		"lost, then in flight": {"lose", inProgress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := map[string]bool{}
			f := &faulty{fault: func(n int64, r *http.Request) string {
				keys[r.Header.Get("Idempotency-Key")] = true
				if int(n) <= len(faults) {
					return faults[n-1]
				}
				return ""
			}}
			waits := []time.Duration{}
			c := s.client(t, s.test, client.Options{HTTP: &http.Client{Transport: f}})
			c.SetPause(func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil })
			account, err := c.Accounts.Create(t.Context(), &client.AccountCreate{Name: name, Currency: "eur"})
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) != 1 || keys[""] || f.n.Load() != int64(len(faults)+1) || len(waits) != len(faults) {
				t.Error(keys, f.n.Load(), waits)
			}
			if strings.HasPrefix(faults[0], "5") || strings.HasPrefix(faults[0], "4") {
				if waits[0] != time.Second {
					t.Errorf("Retry-After: 1 was answered with a wait of %v", waits[0])
				}
			}
			same := 0
			for a, err := range s.client(t, s.test, client.Options{}).Accounts.List(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if a.Name == name {
					same++
					if a.ID != account.ID {
						t.Error("another object was answered")
					}
				}
			}
			if same != 1 {
				t.Errorf("%d objects", same)
			}
		})
	}
}

func TestNotRepeated(t *testing.T) {
	t.Parallel()
	s := serve(t)
	through := func(fault func(int64, *http.Request) string) (*client.Client, *faulty) {
		f := &faulty{fault: fault}
		c := s.client(t, s.test, client.Options{HTTP: &http.Client{Transport: f}})
		return c, f
	}
	always := func(fault string) func(int64, *http.Request) string {
		return func(int64, *http.Request) string { return fault }
	}
	var lost *client.Unanswered
	var refusal *client.Error

	// A route without idempotency is not repeated once it may have arrived.
	c, f := through(always("lose"))
	once := client.Request{Method: "POST", Path: "/v1/webhook_endpoints", Body: map[string]any{"events": []string{"*"}}, Once: true}
	if _, err := c.Send(t.Context(), once); !errors.As(err, &lost) || !lost.Sent || lost.Key != "" || f.n.Load() != 1 {
		t.Error(err, f.n.Load())
	}
	c, f = through(func(n int64, _ *http.Request) string {
		if n == 1 {
			return "refuse"
		}
		return ""
	})
	if _, err := c.Send(t.Context(), once); !errors.As(err, &refusal) || refusal.Status != 503 || f.n.Load() != 2 { // which has no webhooks
		t.Error(err, f.n.Load())
	}
	// Out of attempts: the outcome is unknown, and the key says how to ask.
	c, f = through(always("lose"))
	_, err := c.Accounts.Create(t.Context(), &client.AccountCreate{Name: "lost", Currency: "eur"}, client.Key("my-key"))
	if !errors.As(err, &lost) || !lost.Sent || lost.Key != "my-key" || !strings.Contains(err.Error(), "my-key") || f.n.Load() != 4 {
		t.Error(err, f.n.Load())
	}
	if a, err := s.client(t, s.test, client.Options{}).Accounts.Create(t.Context(), &client.AccountCreate{Name: "lost", Currency: "eur"}, client.Key("my-key")); err != nil || a.Name != "lost" {
		t.Error(a, err)
	}
	// Never reached: nothing can have happened.
	c, _ = through(always("refuse"))
	if _, err := c.Accounts.Create(t.Context(), &client.AccountCreate{Name: "x", Currency: "eur"}); !errors.As(err, &lost) || lost.Sent {
		t.Error(err)
	}
	// Refused for good.
	for _, fault := range []string{`409 {"code":"insufficient_funds"}`, `422 {"code":"missing_field","param":"/amount"}`, `500 {"code":"internal"}`, `301 {}`} {
		c, f = through(always(fault))
		if _, err := c.Balances(t.Context(), time.Time{}); !errors.As(err, &refusal) || f.n.Load() != 1 {
			t.Error(fault, err, f.n.Load())
		}
	}
	// Out of attempts: the last refusal.
	c, f = through(always(`503 {"code":"unavailable"}`))
	if _, err := c.Balances(t.Context(), time.Time{}); !errors.As(err, &refusal) || refusal.Status != 503 || f.n.Load() != 4 {
		t.Error(err, f.n.Load())
	}
	// The caller leaves.
	ctx, cancel := context.WithCancel(t.Context())
	c, f = through(func(int64, *http.Request) string { cancel(); return "lose" })
	if _, err := c.Accounts.Create(ctx, &client.AccountCreate{Name: "left", Currency: "eur"}); !errors.As(err, &lost) || f.n.Load() != 1 {
		t.Error(err, f.n.Load())
	}
	// A DELETE whose answer was lost has deleted, whatever its repetition says.
	customer, err := s.client(t, s.test, client.Options{}).Customers.Create(t.Context(), &client.CustomerCreate{Name: "Gone"})
	if err != nil {
		t.Fatal(err)
	}
	c, f = through(func(n int64, _ *http.Request) string {
		if n == 1 {
			return "lose"
		}
		return ""
	})
	if err := c.Customers.Delete(t.Context(), customer.ID); err != nil || f.n.Load() != 2 {
		t.Error(err, f.n.Load())
	}
}

func TestStreamGoesOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t, s.test, client.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	charge := func() {
		if _, err := c.Charges.Create(ctx, &client.ChargeCreate{Amount: 5, Currency: "usd", Provider: "card", Card: &client.Card{Token: "tok_ok"}}); err != nil {
			t.Error(err)
		}
	}
	charge() // events 1 and 2, before the stream begins
	charge() // 3 and 4
	// Every connection of the stream ends after its first event.
	reader := s.client(t, s.test, client.Options{HTTP: &http.Client{Transport: breaking{}}})
	var got []int64
	for e, err := range reader.Events.Stream(ctx, 2, "charge.*") {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Sequence); len(got) == 6 {
			break
		}
		if len(got)%2 == 0 {
			charge()
		}
	}
	if len(got) != 6 {
		t.Fatal(got)
	}
	for i, sequence := range got {
		if sequence != int64(3+i) {
			t.Fatal(got)
		}
	}
	var refusal *client.Error
	for e, err := range s.client(t, s.publishable, client.Options{}).Events.Stream(ctx, 0) {
		if !errors.As(err, &refusal) || refusal.Status != 403 {
			t.Error(e, err)
		}
	}
}

// breaking ends every answer behind its first event.
type breaking struct{}

func (breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		resp.Body = &oneEvent{ReadCloser: resp.Body}
	}
	return resp, err
}

type oneEvent struct {
	io.ReadCloser
	seen []byte
}

func (o *oneEvent) Read(b []byte) (int, error) {
	if at := bytes.Index(o.seen, []byte("data: ")); at >= 0 && bytes.Contains(o.seen[at:], []byte("\n")) {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := o.ReadCloser.Read(b[:1])
	o.seen = append(o.seen, b[:n]...)
	return n, err
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "localhost:8080", "ftp://x", "http://", "http://u:p@x", "http://x/?a=1"} {
		if _, err := client.New(base, "k", client.Options{}); err == nil {
			t.Errorf("%q was taken", base)
		}
	}
	if _, err := client.New("http://x", "k\nX-Evil: 1", client.Options{}); err == nil {
		t.Error("a key with a line break was taken")
	}
}
