package api_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

	"context"
	"errors"
	"fmt"
	"giro/store"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/rail"
)

// The rows of the table of bad input that need requests at once, a clock, or
// something broken. Their numbers stand in front of them.

// together sends requests at once and returns their answers.
func (h *hostile) together(t *testing.T, requests ...func() wireAnswer) []wireAnswer {
	t.Helper()
	answers := make([]wireAnswer, len(requests))
	var wg sync.WaitGroup
	for i, request := range requests {
		wg.Go(func() { answers[i] = request() })
	}
	wg.Wait()
	for _, a := range answers {
		if a.status >= 500 {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	}
	return answers
}

// tally counts answers by status and code: "201", "409 in_flight".
func tally(answers []wireAnswer) map[string]int {
	m := map[string]int{}
	for _, a := range answers {
		m[strings.TrimSpace(fmt.Sprint(a.status, " ", a.code()))]++
	}
	return m
}

func (h *hostile) verified(t *testing.T) {
	t.Helper()
	r, err := h.store.Verify(context.Background())
	if err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRowsAtOnce(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder)
		post := func(path, body string) func() wireAnswer {
			return func() wireAnswer { return h.send(t, "POST "+path, nil, body) }
		}
		card := func(amount int, extra string) string {
			return fmt.Sprintf(`{"amount":%d,"currency":"usd","provider":"card","card":{"token":"tok_ok"}%s}`, amount, extra)
		}

		// 102: two refunds of 60 %.
		for range 5 {
			charge := h.send(t, "POST /v1/charges", nil, card(1000, "")).text("id")
			refund := post("/v1/refunds", `{"charge":"`+charge+`","amount":600}`)
			if got := tally(h.together(t, refund, refund)); got["201"] != 1 || got["409 refund_exceeds_charge"] != 1 {
				t.Errorf("row 102: %v", got)
			}
		}

		// 111: a circle of transfers, each for all that there is.
		accounts := make([]string, 3)
		for i := range accounts {
			accounts[i] = h.send(t, "POST /v1/accounts", nil, `{"name":"x","currency":"usd"}`).text("id")
			h.send(t, "POST /v1/transfers", nil, `{"amount":100,"currency":"usd","destination":"`+accounts[i]+`"}`)
		}
		var circle []func() wireAnswer
		for n := range 30 {
			circle = append(circle, post("/v1/transfers", fmt.Sprintf(`{"amount":%d,"currency":"usd","from_account":%q,"destination":%q}`, 100+n%3*50, accounts[n%3], accounts[(n+1)%3])))
		}
		got := tally(h.together(t, circle...))
		if got["201"]+got["409 insufficient_funds"] != len(circle) || got["201"] == 0 {
			t.Errorf("row 111: %v", got)
		}
		sum := int64(0)
		for _, id := range accounts {
			u, _ := giro.ParseID("acct", id)
			list, _, err := s.Accounts(t.Context(), giro.AccountQuery{Book: h.books[0], IDs: []giro.UUID{u}, Limit: 1})
			if err != nil || len(list) != 1 || list[0].Balance < 0 {
				t.Fatal(list, err)
			}
			sum += list[0].Balance
		}
		if sum != 300 {
			t.Errorf("row 111: the circle holds %d", sum)
		}

		// 119: the amount is lowered while it is captured.
		for range 5 {
			charge := h.send(t, "POST /v1/charges", nil, card(1000, `,"capture":false`)).text("id")
			h.together(t,
				post("/v1/charges/"+charge+"/capture", "{}"),
				func() wireAnswer { return h.send(t, "PUT /v1/charges/"+charge, nil, `{"amount":400}`) })
			id, _ := giro.ParseID("ch", charge)
			m, err := s.Movement(t.Context(), h.books[0], giro.KindCharge, id)
			if err != nil || m.Captured > m.Amount || m.Captured != 0 && m.Captured != 400 && m.Captured != 1000 {
				t.Errorf("row 119: %+v, %v", m, err)
			}
		}

		// 47: the sum would leave the range of amounts.
		e := h.engine
		first, err := e.Merchant(t.Context(), h.books[0].Merchant())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Fund(t.Context(), &giro.Call{Merchant: first}, "MXN", math.MaxInt64-500); err != nil {
			t.Fatal(err)
		}
		before := h.state(t)
		for _, r := range []struct{ path, body string }{
			{"/v1/charges", strings.Replace(card(1000, ""), "usd", "mxn", 1)},
			{"/v1/test/fund", `{"currency":"mxn","amount":1000}`},
		} {
			if a := h.send(t, "POST "+r.path, nil, r.body); a.status != 409 || a.code() != "balance_overflow" {
				t.Errorf("row 47: %s: %d %s", r.path, a.status, a.body)
			}
		}
		if after := h.state(t); after != before {
			t.Errorf("row 47: something changed: before\n%safter\n%s", before, after)
		}
		if a := h.send(t, "POST /v1/charges", nil, strings.Replace(card(500, ""), "usd", "mxn", 1)); a.status != 201 || a.text("amount_captured") != "500" {
			t.Errorf("row 47: what just fits: %d %s", a.status, a.body)
		}
		h.verified(t)
	})
}

// heldRail answers a submission once it is let go.
type heldRail struct {
	giro.Rail
	entered, release chan struct{}
}

func (r *heldRail) Submit(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	r.entered <- struct{}{}
	<-r.release
	return r.Rail.Submit(ctx, in)
}

// brokenStore loses its database while broken is set.
type brokenStore struct {
	giro.Store
	broken atomic.Bool
}

func (s *brokenStore) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	if s.broken.Load() {
		return errors.New("the database is away")
	}
	return s.Store.Update(ctx, keys, decide)
}

// slowLog writes lines of the request log once it is let.
type slowLog struct {
	giro.Store
	entered chan struct{}
	let     chan struct{}
}

func (s *slowLog) AppendRequests(ctx context.Context, w giro.RequestWrites) error {
	select {
	case s.entered <- struct{}{}:
		<-s.let
	default: // another one is waited for already
	}
	return s.Store.AppendRequests(ctx, w)
}

// TestRequestsOnTheirWay: whoever asks for a request finds it, though somebody
// else is just about to write it.
func TestRequestsOnTheirWay(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, inner giro.Store, folder string) {
		s := &slowLog{inner, make(chan struct{}, 1), make(chan struct{})}
		h := prepare(t, s, folder)
		made := h.send(t, "POST /v1/customers", nil, `{"name":"Ana"}`)
		<-s.entered // the server writes a second later by itself
		time.AfterFunc(50*time.Millisecond, func() { close(s.let) })
		found := h.send(t, "GET /v1/requests/"+made.header.Get("Request-Id"), nil, "")
		if found.status != 200 {
			t.Errorf("the request that made %s: %d %s", made.text("id"), found.status, found.body)
		}
	})
}

func TestIdempotencyRows(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, inner giro.Store, folder string) {
		s := &brokenStore{Store: inner}
		held := &heldRail{entered: make(chan struct{}, 1), release: make(chan struct{})}
		var hold atomic.Bool
		h := prepare(t, s, folder, func(e *giro.Engine, c *api.Config) {
			e.KeyWait, e.RailWait = 10*time.Millisecond, time.Minute
			e.Rails["sandbox"] = switchedRail{&rail.Sandbox{Memory: e}, held, &hold}
			held.Rail = &rail.Sandbox{Memory: e}
			c.RequestsPerSecond, c.Burst = 1000, 1000
		})
		const body = `{"amount":1000,"currency":"usd","provider":"card","card":{"token":"tok_ok"}}`
		send := func(key string) wireAnswer {
			return h.send(t, "POST /v1/charges", []string{"Idempotency-Key: " + key}, body)
		}

		// 158: the first request is still waiting for its rail.
		hold.Store(true)
		first := make(chan wireAnswer)
		go func() { first <- send("k-158") }()
		<-held.entered
		before := h.state(t)
		if a := send("k-158"); a.status != 409 || a.code() != "idempotency_in_progress" || a.header.Get("Retry-After") != "1" {
			t.Errorf("row 158: %d %s", a.status, a.body)
		}
		if after := h.state(t); after != before {
			t.Errorf("row 158: something changed")
		}
		hold.Store(false)
		held.release <- struct{}{}
		done := <-first
		if done.status != 201 || done.text("status") != "succeeded" {
			t.Fatalf("row 158: %d %s", done.status, done.body)
		}
		if a := send("k-158"); a.status != 201 || string(a.body) != string(done.body) || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("row 158: then %d %s", a.status, a.body)
		}

		// 161: nothing is kept of a 503.
		before = h.state(t)
		s.broken.Store(true)
		if a := send("k-161"); a.status != 503 || a.code() != "unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("row 161: %d %s", a.status, a.body)
		}
		s.broken.Store(false)
		if after := h.state(t); after != before {
			t.Errorf("row 161: something changed")
		}
		if a := send("k-161"); a.status != 201 || a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("row 161: then %d %s", a.status, a.body)
		}

		// 164: the key is forgotten after its time.
		if a := send("k-164"); a.status != 201 {
			t.Fatalf("row 164: %d %s", a.status, a.body)
		}
		if _, err := s.Sweep(t.Context(), giro.Micros(time.Now().Add(time.Hour)), 0, 1000); err != nil {
			t.Fatal(err)
		}
		if a := send("k-164"); a.status != 201 || a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("row 164: %d %s", a.status, a.body)
		}
		h.verified(t)
	})
}

// switchedRail holds submissions back while hold is set.
type switchedRail struct {
	giro.Rail
	held *heldRail
	hold *atomic.Bool
}

func (r switchedRail) Submit(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	if r.hold.Load() {
		return r.held.Submit(ctx, in)
	}
	return r.Rail.Submit(ctx, in)
}

// TestRateRow is row 161 for 429: nothing of the request was kept.
func TestRateRow(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		var late atomic.Int64
		h := prepare(t, s, folder, func(e *giro.Engine, c *api.Config) {
			c.RequestsPerSecond, c.Burst = 1, 1
			c.Now = func() time.Time { return time.Unix(1_800_000_000+late.Load(), 0) }
		})
		send := func() wireAnswer {
			return h.send(t, "POST /v1/charges", []string{"Idempotency-Key: k"}, `{"amount":1000,"currency":"usd","provider":"card","card":{"token":"tok_ok"}}`)
		}
		h.send(t, "GET /v1/charges", nil, "")
		before := h.state(t)
		if a := send(); a.status != 429 || a.code() != "rate_limited" || a.header.Get("Retry-After") != "1" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if after := h.state(t); after != before {
			t.Error("something changed")
		}
		late.Add(5)
		if a := send(); a.status != 201 || a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("then %d %s", a.status, a.body)
		}
	})
}

// TestCursorRows: 204, cursors that are not this list's, and 205, lists that
// grow while they are read.
func TestCursorRows(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder)
		charge := func() string {
			return h.send(t, "POST /v1/charges", nil, `{"amount":5,"currency":"usd","provider":"card","card":{"token":"tok_ok"}}`).text("id")
		}
		var made []string
		for range 5 {
			made = append(made, charge())
		}
		next := func(a wireAnswer) string {
			link, _, _ := strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
			return link
		}
		page := next(h.send(t, "GET /v1/charges?limit=2", nil, ""))
		u, err := url.Parse(page)
		cursor := u.Query().Get("cursor")
		if err != nil || cursor == "" {
			t.Fatal(page, err)
		}
		other := "A"
		if cursor[0] == 'A' {
			other = "B"
		}
		for what, r := range map[string]struct{ target, key string }{
			"one bit":         {"/v1/charges?limit=2&cursor=" + other + cursor[1:], "secret_key"},
			"truncated":       {"/v1/charges?limit=2&cursor=" + cursor[:len(cursor)-2], "secret_key"},
			"longer":          {"/v1/charges?limit=2&cursor=" + cursor + "AA", "secret_key"},
			"other filter":    {"/v1/charges?limit=2&status=pending&cursor=" + cursor, "secret_key"},
			"other list":      {"/v1/payouts?limit=2&cursor=" + cursor, "secret_key"},
			"other merchant":  {"/v1/charges?limit=2&cursor=" + cursor, "second_key"},
			"other mode":      {"/v1/charges?limit=2&cursor=" + cursor, "live_key"},
			"a list of nouns": {"/v1/customers?cursor=" + cursor, "secret_key"},
		} {
			a := h.send(t, "GET "+r.target, []string{"-Authorization", "Authorization: Bearer «" + r.key + "»"}, "")
			if a.status != 400 || a.code() != "invalid_cursor" {
				t.Errorf("row 204, %s: %d %s", what, a.status, a.body)
			}
		}

		var seen []string
		for at := "/v1/charges?limit=2"; at != ""; {
			a := h.send(t, "GET "+at, nil, "")
			for _, part := range strings.Split(string(a.body), `{"id":"`)[1:] {
				id, _, _ := strings.Cut(part, `"`)
				seen = append(seen, id)
			}
			at = next(a)
			charge() // grows at the front while it is read
		}
		slices.Reverse(seen)
		if want := append([]string{h.vars["charge"]}, made...); !slices.Equal(seen, want) {
			t.Errorf("row 205: read %v, want %v", seen, want)
		}
	})
}

// TestChangesAtOnce: updates that name no version do not refuse each other, and
// none is lost; a source does not outlive its customer.
func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder)
		customer := h.send(t, "POST /v1/customers", nil, `{"name":"Ana"}`).text("id")
		for _, path := range []string{"/v1/customers/" + customer, "/v1/merchants/" + h.vars["merchant"]} {
			var puts []func() wireAnswer
			for _, member := range []string{`"name":"Bea"`, `"email":"bea@example.com"`, `"phone":"+5511987654321"`, `"name":"Bea"`} {
				puts = append(puts, func() wireAnswer { return h.send(t, "PUT "+path, nil, "{"+member+"}") })
			}
			if got := tally(h.together(t, puts...)); got["200"] != len(puts) {
				t.Errorf("%s: %v", path, got)
			}
			after := h.send(t, "GET "+path, nil, "")
			if after.text("name") != "Bea" || after.text("email") != "bea@example.com" || after.text("phone") != "+5511987654321" || after.text("version") != "5" {
				t.Errorf("%s: an update was lost: %s", path, after.body)
			}
			first := after.header.Get("ETag")
			put := func() wireAnswer { return h.send(t, "PUT "+path, []string{"If-Match: " + first}, `{"name":"Caio"}`) }
			if got := tally(h.together(t, put, put, put)); got["200"] != 1 || got["412 precondition_failed"] != 2 {
				t.Errorf("%s, with a version: %v", path, got)
			}
		}

		for range 5 {
			customer := h.send(t, "POST /v1/customers", nil, `{"name":"Ana"}`).text("id")
			requests := []func() wireAnswer{func() wireAnswer { return h.send(t, "DELETE /v1/customers/"+customer, nil, "") }}
			for range 6 {
				requests = append(requests, func() wireAnswer {
					return h.send(t, "POST /v1/sources", nil, `{"customer":"`+customer+`","provider":"card","card":{"token":"tok_ok"}}`)
				})
			}
			got := tally(h.together(t, requests...))
			if got["200"] != 1 || got["201"]+got["422 customer_unknown"] != 6 {
				t.Errorf("sources of a deleted customer: %v", got)
			}
			if left := h.send(t, "GET /v1/sources?customer="+customer, nil, ""); string(left.body) != "[]" {
				t.Errorf("left: %s", left.body)
			}
		}
	})
}

// TestSecretsAreSealed: what is answered once, and again under its key, stands
// in the store as a hash or encrypted.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := store.OpenSQLite(folder, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := prepare(t, s, folder)
	admin := []string{"-Authorization", "Authorization: Bearer «admin_token»", "Idempotency-Key: k"}
	first := h.send(t, "POST /v1/merchants", admin, `{"name":"Shop"}`)
	again := h.send(t, "POST /v1/merchants", admin, `{"name":"Shop"}`)
	if first.status != 201 || string(first.body) != string(again.body) || again.header.Get("Idempotent-Replayed") != "true" {
		t.Fatalf("%s\n%s", first.body, again.body)
	}
	key := h.send(t, "POST /v1/api_keys", []string{"Idempotency-Key: k"}, `{"name":"x"}`)
	var shop struct {
		Keys map[string]giro.KeySet `json:"keys"`
	}
	if err := json.Unmarshal(first.body, &shop); err != nil || len(shop.Keys) != 2 {
		t.Fatal(err)
	}
	secrets := []string{key.text("secret")}
	for _, set := range shop.Keys {
		secrets = append(secrets, set.SecretKey, set.PublishableKey, set.ClientSecret)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if len(secret) < 30 || bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds a secret of %d characters", filepath.Base(name), len(secret))
			}
		}
	}
	if row := h.send(t, "GET /v1/idempotency/k", nil, ""); strings.Contains(string(row.body), secrets[0]) || row.text("state") != "answered" {
		t.Errorf("%s", row.body)
	}
}
