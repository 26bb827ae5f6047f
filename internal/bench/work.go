package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"giro/bank"
)

// world is a server with the accounts and objects that the works need.
type world struct {
	server   *server
	accounts int
	spread   bool
	pool     int
	log      io.Writer

	mu    sync.Mutex
	made  map[string][]string // acknowledged ids by prefix
	subs  []string            // ids of sub-accounts
	main  string
	turn  atomic.Int64 // makes the keys of a run its own
	pools map[string][]string
	deep  string // path of a page far down the list
}

// creates reports whether a work makes something.
func creates(work string) bool {
	switch work {
	case "object", "list", "deep", "balance", "reads":
		return false
	}
	return true
}

// bulkOf is how many transfers one request of the works bulk and atomic makes.
const bulkOf = 100

// objects is how many objects one request of a work makes or reads.
func objects(work string) int {
	if work == "bulk" || work == "atomic" {
		return bulkOf
	}
	return 1
}

// ceilingHas reports whether the ceiling answers this work's requests.
func ceilingHas(work string) bool { return work == "payouts" || work == "transfers" }

func (s *server) get(path, token string) ([]byte, error) {
	body, _, err := s.call("GET", path, token, "")
	return body, err
}

// call sends one request that is not measured; any status but 2xx is an error.
func (s *server) call(method, path, token, body string) ([]byte, http.Header, error) {
	r, err := http.NewRequest(method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, a.Status, text)
	}
	return text, a.Header, err
}

// prepare funds the main account, opens the sub-accounts and puts money into
// them, and makes what the works refund or read.
func (w *world) prepare(ctx context.Context, works []string) error {
	w.made, w.pools = map[string][]string{}, map[string][]string{}
	w.turn.Store(time.Now().UnixMicro()) // another run may have used the keys of this store
	body, _, err := w.server.call("POST", "/v1/test/fund", w.server.key, `{"currency":"brl","amount":90000000000000}`)
	if err != nil {
		return err
	}
	var account struct{ ID string }
	if err := json.Unmarshal(body, &account); err != nil {
		return err
	}
	w.main = account.ID
	n := 2 // a transfer needs a second account
	if w.spread {
		n = w.accounts
	}
	began := time.Now()
	opened, err := w.makeAll(ctx, n, func(b []byte, _, n int) []byte {
		return w.post(b, "/v1/accounts", "", append([]byte(nil), fmt.Sprintf(`{"currency":"brl","name":"account %d"}`, n)...))
	})
	if err != nil {
		return fmt.Errorf("open accounts: %w", err)
	}
	w.subs = opened
	_, err = w.makeAll(ctx, n, func(b []byte, _, n int) []byte {
		return w.post(b, "/v1/transfers", "", []byte(`{"amount":1000000000,"currency":"brl","destination":"`+w.subs[n]+`"}`))
	})
	if err != nil {
		return fmt.Errorf("fund accounts: %w", err)
	}
	for _, work := range works {
		switch work {
		case "refunds":
			w.pools["ch"], err = w.makeAll(ctx, w.pool, func(b []byte, _, _ int) []byte {
				return w.post(b, "/v1/charges", "", []byte(`{"amount":1000000000,"currency":"brl","provider":"card","card":{"token":"card_token"}}`))
			})
		case "object", "list", "deep", "balance", "reads", "mixed":
			if len(w.pools["po"]) == 0 {
				w.pools["po"], err = w.makeAll(ctx, w.pool, w.requests("payouts", true))
			}
		}
		if err != nil {
			return fmt.Errorf("prepare %s: %w", work, err)
		}
	}
	fmt.Fprintf(w.log, "%d accounts in %v\n", n, time.Since(began).Round(time.Millisecond))
	return w.findDeep(works)
}

// findDeep follows the list until its end, at most 50 pages, and keeps the last.
func (w *world) findDeep(works []string) error {
	for _, work := range works {
		if work != "deep" {
			continue
		}
		w.deep = "/v1/payouts?limit=20&status=pending"
		for range 50 {
			_, h, err := w.server.call("GET", w.deep, w.server.key, "")
			if err != nil {
				return err
			}
			next, _, ok := strings.Cut(strings.TrimPrefix(h.Get("Link"), "<"), ">")
			if !ok || next == "" {
				return nil
			}
			w.deep = next
		}
	}
	return nil
}

// makeAll sends n requests on 32 connections and returns the ids in order.
func (w *world) makeAll(ctx context.Context, n int, next request) ([]string, error) {
	ids := make([]string, n)
	var at atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(32, n) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := dial(w.server.address)
			if err != nil {
				failed.Store(&err)
				return
			}
			defer c.Close()
			for i := int(at.Add(1)) - 1; i < n && ctx.Err() == nil && failed.Load() == nil; i = int(at.Add(1)) - 1 {
				c.out = next(c.out[:0], 0, i)
				status, body, err := c.do()
				if ids[i] = createdID(status, body); err == nil && ids[i] == "" {
					err = fmt.Errorf("%d %s", status, body)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		}()
	}
	wg.Wait()
	if p := failed.Load(); p != nil {
		return nil, *p
	}
	return ids, ctx.Err()
}

// post writes a request with a body; key "" sends no Idempotency-Key.
func (w *world) post(b []byte, path, key string, body []byte) []byte {
	b = append(b, "POST "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: giro\r\nAuthorization: Bearer "...)
	b = append(b, w.server.key...)
	if key != "" {
		b = append(b, "\r\nIdempotency-Key: "...)
		b = append(b, key...)
	}
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}

func (w *world) read(b []byte, path string) []byte {
	b = append(b, "GET "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: giro\r\nAuthorization: Bearer "...)
	b = append(b, w.server.key...)
	return append(b, "\r\n\r\n"...)
}

// account chooses a client's n-th account: the main one where all is hot. A
// multiplicative hash visits all of them in no order.
func (w *world) account(hot bool, client, n int) string {
	if hot {
		return w.main
	}
	return w.subs[uint32(client*1_000_003+n*7919)*2654435761%uint32(len(w.subs))]
}

// transfer writes the body of a client's n-th transfer.
func (w *world) transfer(body []byte, hot bool, client, n int) []byte {
	from, to := w.account(hot, client, n), w.account(false, client, n+1)
	if hot {
		to = w.subs[0]
	} else if to == from {
		to = w.main
	}
	body = append(body, `{"amount":`...)
	body = strconv.AppendInt(body, int64(1+n%9), 10)
	body = append(body, `,"currency":"brl","from_account":"`...)
	body = append(body, from...)
	body = append(body, `","destination":"`...)
	body = append(body, to...)
	return append(body, `","description":"Transfer of a benchmark"}`...)
}

// requests returns the source of a work's requests, with keys of its own.
func (w *world) requests(work string, hot bool) request {
	turn := w.turn.Add(1)
	key := func(client, n int) string {
		return "bench-" + strconv.FormatInt(turn, 36) + "-" + strconv.Itoa(client) + "-" + strconv.Itoa(n)
	}
	cpf := bank.Sample("cpf", 1)
	switch work {
	case "payouts", "life":
		return func(b []byte, client, n int) []byte {
			body := make([]byte, 0, 320)
			body = append(body, `{"amount":`...)
			body = strconv.AppendInt(body, int64(100+n%900), 10)
			body = append(body, `,"currency":"brl","provider":"bank","account":"`...)
			body = append(body, w.account(hot, client, n)...)
			body = append(body, `","bank":{"method":"pix","key":"`...)
			body = append(body, cpf...)
			body = append(body, `"},"recipient":{"name":"Beneficiary","document":{"type":"CPF","number":"`...)
			body = append(body, cpf...)
			body = append(body, `"}},"description":"Payout of a benchmark"}`...)
			return w.post(b, "/v1/payouts", key(client, n), body)
		}
	case "transfers":
		return func(b []byte, client, n int) []byte {
			return w.post(b, "/v1/transfers", key(client, n), w.transfer(make([]byte, 0, 256), hot, client, n))
		}
	case "bulk", "atomic":
		return func(b []byte, client, n int) []byte {
			body := make([]byte, 0, 256*bulkOf)
			body = append(body, `{"atomic":`...)
			body = strconv.AppendBool(body, work == "atomic")
			body = append(body, `,"transfers":[`...)
			for i := range bulkOf {
				if i > 0 {
					body = append(body, ',')
				}
				body = w.transfer(body, hot, client, n*bulkOf+i)
			}
			return w.post(b, "/v1/transfers/bulk", key(client, n), append(body, "]}"...))
		}
	case "charges":
		return func(b []byte, client, n int) []byte {
			return w.post(b, "/v1/charges", key(client, n), []byte(`{"amount":1000,"currency":"brl","provider":"card","account":"`+w.account(hot, client, n)+`","card":{"token":"card_token"}}`))
		}
	case "refunds":
		return func(b []byte, client, n int) []byte {
			charge := w.pools["ch"][0]
			if !hot {
				charge = w.pools["ch"][(client*31+n)%len(w.pools["ch"])]
			}
			return w.post(b, "/v1/refunds", key(client, n), []byte(`{"charge":"`+charge+`","amount":1,"reason":"requested_by_customer"}`))
		}
	case "object":
		return func(b []byte, client, n int) []byte {
			pool := w.pools["po"]
			return w.read(b, "/v1/payouts/"+pool[(client*31+n)%len(pool)])
		}
	case "list":
		return func(b []byte, client, n int) []byte { return w.read(b, "/v1/payouts?limit=20&status=pending") }
	case "deep":
		return func(b []byte, client, n int) []byte { return w.read(b, w.deep) }
	case "balance":
		return func(b []byte, client, n int) []byte { return w.read(b, "/v1/accounts/"+w.account(hot, client, n)) }
	}
	// mixed: 70 reads to 30 creations.
	payout, object, list, balance := w.requests("payouts", hot), w.requests("object", hot), w.requests("list", hot), w.requests("balance", hot)
	return func(b []byte, client, n int) []byte {
		switch k := (n*7 + client) % 10; {
		case k < 3:
			return payout(b, client, n)
		case k < 7:
			return object(b, client, n)
		case k < 9:
			return balance(b, client, n)
		}
		return list(b, client, n)
	}
}

// life measures payouts from creation to the end of their settling: all that
// was created, over the time until the last has left pending.
func (w *world) life(ctx context.Context, hot bool, clients, count int, duration time.Duration, r *Result) error {
	before := w.server.figures()
	began := time.Now()
	s, err := drive(ctx, w.server.address, load{clients: clients, count: count, duration: duration}, w.requests("life", hot))
	if err != nil {
		return err
	}
	w.acknowledge(s)
	for {
		body, err := w.server.get("/v1/payouts?status=pending&limit=1", w.server.key)
		if err != nil {
			return err
		}
		if string(body) == "[]" {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.fill(r)
	r.Seconds = round(time.Since(began).Seconds(), 2)
	r.PerSecond = round(float64(len(s.made))/time.Since(began).Seconds(), 1)
	after := w.server.figures()
	r.CPU = round((after.cpu-before.cpu).Seconds()*1e6/float64(len(s.made)), 1)
	r.Batch = round(float64(after.commands-before.commands)/max(1, float64(after.batches-before.batches)), 1)
	r.RSS = round(float64(after.rss)/(1<<20), 1)
	return nil
}

// acknowledge remembers what was created.
func (w *world) acknowledge(s sample) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range s.made {
		prefix, _, _ := strings.Cut(id, "_")
		w.made[prefix] = append(w.made[prefix], id)
	}
}

// everyAcknowledged reads the lists, newest first, until what the run created
// has all been seen once.
func (w *world) everyAcknowledged(ctx context.Context) error {
	paths := map[string]string{"po": "/v1/payouts", "tr": "/v1/transfers", "ch": "/v1/charges", "re": "/v1/refunds"}
	for prefix, ids := range w.made {
		left := make(map[string]bool, len(ids))
		oldest := ids[0]
		for _, id := range ids {
			left[id] = true
			oldest = min(oldest, id)
		}
		if len(left) != len(ids) {
			return fmt.Errorf("%d of %d acknowledged ids stand twice", len(ids)-len(left), len(ids))
		}
		next := paths[prefix] + "?limit=100"
		last := "~" // above every id
		for next != "" && last >= oldest && ctx.Err() == nil {
			body, h, err := w.server.call("GET", next, w.server.key, "")
			if err != nil {
				return err
			}
			var page []struct{ ID string }
			if err := json.Unmarshal(body, &page); err != nil {
				return err
			}
			for _, o := range page {
				if o.ID >= last {
					return fmt.Errorf("the list %s is out of order at %s", paths[prefix], o.ID)
				}
				last = o.ID
				delete(left, o.ID)
			}
			next, _, _ = strings.Cut(strings.TrimPrefix(h.Get("Link"), "<"), ">")
		}
		for id := range left {
			return fmt.Errorf("%d of %d acknowledged objects are missing, %s among them", len(left), len(ids), id)
		}
		fmt.Fprintf(w.log, "%s: all %d acknowledged are there\n", paths[prefix], len(ids))
	}
	return ctx.Err()
}

// trialBalance fails unless debits equal credits in every currency.
func (w *world) trialBalance(ctx context.Context) error {
	body, err := w.server.get("/v1/ledger/trial_balance", w.server.key)
	if err != nil {
		return err
	}
	var t struct {
		Currencies []struct {
			Currency string
			Debits   json.Number
			Credits  json.Number
		}
	}
	if err := json.Unmarshal(body, &t); err != nil {
		return err
	}
	if len(t.Currencies) == 0 {
		return fmt.Errorf("the trial balance is empty: %s", body)
	}
	for _, c := range t.Currencies {
		if c.Debits != c.Credits {
			return fmt.Errorf("%s: debits %s, credits %s", c.Currency, c.Debits, c.Credits)
		}
	}
	return nil
}
