package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"giro"
	"giro/internal/storetest"
	"giro/rail"
	"giro/store"
	"giro/webhook"
)

// site is an engine with a dispatcher and one merchant.
type site struct {
	*giro.Engine
	t        testing.TB
	call     *giro.Call
	accounts []giro.UUID // of the benchmarks

	stop func() // ends the dispatcher and the engine, as a shutdown does
}

// onBoth runs a test on an empty store of each kind. open opens it again.
func onBoth(t *testing.T, test func(t *testing.T, open func() giro.Store)) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		test(t, func() giro.Store { return d.Open(t, store.Options{}) })
	})
}

// run starts an engine and a dispatcher over s. The merchant is made where
// there is none.
func run(t testing.TB, s giro.Store, config webhook.Config, prepare ...func(*webhook.Dispatcher)) *site {
	t.Helper()
	e := engine(t, s)
	d := &webhook.Dispatcher{Engine: e, Client: webhook.NewClient(config), Logf: e.Logf}
	for _, p := range prepare {
		p(d)
	}
	e.Start()
	m, err := e.Merchant(context.Background(), 1)
	if giro.Is(err, giro.CodeNotFound) {
		m, err = e.CreateMerchant(context.Background(), nil, giro.Merchant{Name: "Loja", Currency: "BRL"})
	}
	if err != nil {
		t.Fatal(err)
	}
	sending, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(sending)
	}()
	var once sync.Once
	p := &site{Engine: e, t: t, call: &giro.Call{Merchant: m}}
	p.stop = func() {
		once.Do(func() {
			cancel()
			<-done
			d.Client.Close()
			e.Stop()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(p.stop)
	return p
}

func engine(t testing.TB, s giro.Store) *giro.Engine {
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}}
	if os.Getenv("GIRO_TEST_LOG") != "" {
		e.Logf = t.Logf
	}
	return e
}

var private = webhook.Config{Policy: webhook.Policy{AllowPrivate: true}}

// endpoint makes an endpoint for every event and returns it with its secret.
func (s *site) endpoint(url string, events ...string) (*giro.Endpoint, string) {
	s.t.Helper()
	if len(events) == 0 {
		events = []string{"*"}
	}
	secret := webhook.NewSecret().Reveal()
	p, err := s.CreateEndpoint(context.Background(), s.call, giro.Endpoint{URL: url, Events: events, Enabled: true}, secret)
	if err != nil {
		s.t.Fatal(err)
	}
	return p, secret
}

// charge makes a charge, which is two events.
func (s *site) charge() {
	s.t.Helper()
	_, err := s.CreateCharge(context.Background(), s.call, giro.Request{Amount: 100, Currency: "BRL", Provider: "card", Card: &giro.Card{Token: "tok_ok"}, Capture: true})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) advance(d time.Duration) {
	s.t.Helper()
	if _, err := s.ChangeClock(context.Background(), s.call, giro.ClockChange{Advance: d}); err != nil {
		s.t.Fatal(err)
	}
}

// until waits for a condition that a commit can make true.
func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	giveUp := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-s.Committed():
		case <-time.After(20 * time.Millisecond):
		case <-giveUp:
			s.t.Fatalf("not in 20 s: %s", what)
		}
	}
}

func (s *site) deliveries(p *giro.Endpoint) map[string]*giro.Delivery {
	s.t.Helper()
	list, err := s.Store.Deliveries(context.Background(), giro.DeliveryQuery{Endpoint: p.ID})
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]*giro.Delivery{}
	for _, d := range list {
		all[d.Event.ID("evt")] = d
	}
	return all
}

// message is what a receiver got.
type message struct {
	id, body string
	header   http.Header
	at       time.Time
}

// inbox is a receiver that checks what every message must be.
type inbox struct {
	t      testing.TB
	server *httptest.Server
	answer func(n int, m message) (status int, header map[string]string)

	mu       sync.Mutex
	secret   string
	messages []message
	bodies   map[string]string
	bad      []string
}

func newInbox(t testing.TB, answer func(n int, m message) (int, map[string]string)) *inbox {
	in := &inbox{t: t, answer: answer, bodies: map[string]string{}}
	in.server = httptest.NewServer(in)
	t.Cleanup(in.server.Close)
	return in
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m := message{r.Header.Get("Webhook-Id"), string(body), r.Header, time.Now()}
	in.mu.Lock()
	if in.secret != "" {
		oracle, err := reference.NewWebhook(in.secret)
		if err != nil {
			in.bad = append(in.bad, err.Error())
		} else if err := oracle.Verify(body, r.Header); err != nil {
			in.bad = append(in.bad, fmt.Sprintf("%s: %v", m.id, err))
		}
	}
	if before, seen := in.bodies[m.id]; seen && before != m.body {
		in.bad = append(in.bad, m.id+": other bytes than before")
	}
	in.bodies[m.id] = m.body
	in.messages = append(in.messages, m)
	n := len(in.messages)
	in.mu.Unlock()
	status, header := 204, map[string]string(nil)
	if in.answer != nil {
		status, header = in.answer(n, m)
	}
	for k, v := range header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(status)
}

// trust makes the inbox verify signatures from now on.
func (in *inbox) trust(secret string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.secret = secret
}

func (in *inbox) got() []message {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, b := range in.bad {
		in.t.Error(b)
	}
	in.bad = nil
	return append([]message(nil), in.messages...)
}

// TestDelivered: each event arrives once, signed, as the API shows it.
func TestDelivered(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		s := run(t, open(), private)
		in := newInbox(t, nil)
		s.charge() // before the endpoint: not for it
		p, secret := s.endpoint(in.server.URL + "/hooks?a=b")
		in.trust(secret)
		none, _ := s.endpoint(in.server.URL, "payout.*")
		for range 20 {
			s.charge()
		}
		s.until("40 messages are recorded", func() bool {
			d, err := s.Store.Dispatch(context.Background(), p.ID)
			return err == nil && d.Cursor == 42
		})
		events, err := s.Store.Events(context.Background(), giro.EventQuery{Book: s.call.Book(), After: 2, Ascending: true})
		if err != nil || len(events) != 40 {
			t.Fatal(len(events), err)
		}
		want := map[string]string{}
		for _, e := range events {
			want[e.ID.ID("evt")] = string(e.AppendJSON(nil))
		}
		got := in.got()
		if len(got) != 40 {
			t.Fatalf("%d messages", len(got))
		}
		for _, m := range got {
			if want[m.id] != m.body || !json.Valid([]byte(m.body)) || m.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s\nwant %s", m.id, m.body, want[m.id])
			}
		}
		for id, d := range s.deliveries(p) {
			if d.State != giro.DeliverySucceeded || d.Attempts != 1 || d.Detail.Attempts[0].Status != 204 || want[id] == "" {
				t.Errorf("%+v", d)
			}
		}
		if n := len(s.deliveries(none)); n != 0 {
			t.Errorf("%d deliveries of events that were not asked for", n)
		}
		s.until("the other endpoint's cursor follows", func() bool {
			d, err := s.Store.Dispatch(context.Background(), none.ID)
			return err == nil && d.Cursor == 42
		})
	})
}

// only returns the one delivery of an endpoint.
func (s *site) only(p *giro.Endpoint) *giro.Delivery {
	for _, d := range s.deliveries(p) {
		return d
	}
	return &giro.Delivery{}
}

// bookNow is the time of the site's book, in µs.
func (s *site) bookNow() int64 {
	s.t.Helper()
	at, err := s.Clock(context.Background(), s.call.Book())
	if err != nil {
		s.t.Fatal(err)
	}
	return giro.Micros(at)
}

// TestTriedAgain: a delivery that fails is made again when its book's clock says
// so, and not before, with the same bytes; then it is exhausted, and by hand it
// goes once more.
func TestTriedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		s := run(t, open(), private)
		var fine atomic.Bool
		in := newInbox(t, func(int, message) (int, map[string]string) {
			if fine.Load() {
				return 200, nil
			}
			return 500, nil
		})
		p, secret := s.endpoint(in.server.URL, "charge.created")
		in.trust(secret)
		marks := newInbox(t, nil)
		mark, _ := s.endpoint(marks.server.URL, "payout.failed")
		s.charge()
		event := &giro.Event{}
		// The nominal delays of the schedule; each is ±20 %.
		for n, delay := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour} {
			s.until("an attempt is recorded", func() bool { return s.only(p).Attempts == int64(n+1) })
			d := s.only(p)
			if wait := time.Duration(d.Due-d.At) * time.Microsecond; d.State != giro.DeliveryPending || wait < delay*8/10 || wait > delay*12/10 {
				t.Fatalf("after attempt %d: %s, due in %s", n+1, d.State, wait)
			}
			var err error
			if event, err = s.EventByID(t.Context(), s.call.Book(), d.Event); err != nil {
				t.Fatal(err)
			}
			// Just before it is due everything that is due goes out, and it does not.
			s.advance(time.Duration(d.Due-s.bookNow())*time.Microsecond - 2*time.Second)
			if _, err := s.ResendEvent(t.Context(), s.call, event, []*giro.Endpoint{mark}); err != nil {
				t.Fatal(err)
			}
			s.until("the mark arrives", func() bool { return len(marks.got()) == n+1 })
			if s.bookNow() < d.Due && len(in.got()) != n+1 {
				t.Fatalf("attempt %d was made before it was due", n+2)
			}
			s.advance(2 * time.Second)
		}
		s.until("the delivery is exhausted", func() bool { return s.only(p).State == giro.DeliveryFailed })
		if d := s.only(p); d.Attempts != 10 || d.Due != 0 || len(d.Detail.Attempts) != 10 {
			t.Errorf("%+v", d)
		}
		fine.Store(true)
		if _, err := s.ResendEvent(t.Context(), s.call, event, []*giro.Endpoint{p}); err != nil {
			t.Fatal(err)
		}
		s.until("the delivery succeeds by hand", func() bool { return s.only(p).State == giro.DeliverySucceeded })
		if n := len(in.got()); n != 11 {
			t.Errorf("%d messages", n)
		}
	})
}

// TestGoneDisables: 410 disables an endpoint, with an event that its owner's others are
// told of. Enabled again it gets what happens from then on; what it missed is
// sent when it is recovered.
func TestGoneDisables(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		s := run(t, open(), private)
		var status atomic.Int64
		status.Store(410)
		in := newInbox(t, func(int, message) (int, map[string]string) { return int(status.Load()), nil })
		watch := newInbox(t, nil)
		p, secret := s.endpoint(in.server.URL, "charge.*")
		in.trust(secret)
		s.endpoint(watch.server.URL, "webhook_endpoint.*")
		s.charge()
		s.until("the others are told", func() bool { return len(watch.got()) == 1 })
		var told struct {
			Type string
			Data struct {
				Object struct {
					ID             string
					Enabled        bool
					DisabledReason string `json:"disabled_reason"`
				}
			}
		}
		if err := json.Unmarshal([]byte(watch.got()[0].body), &told); err != nil || told.Type != giro.EventEndpointDisabled ||
			told.Data.Object.ID != p.ID.ID("we") || told.Data.Object.Enabled || told.Data.Object.DisabledReason != giro.DisabledGone {
			t.Errorf("told %s, %v", watch.got()[0].body, err)
		}
		before := len(in.got())
		status.Store(200)
		s.charge()
		s.charge()
		s.advance(48 * time.Hour) // what was under way with the 410 may be due again
		fence(s)
		if n := len(in.got()); n != before {
			t.Errorf("%d messages to a disabled endpoint", n-before)
		}
		if _, err := s.ResendEvent(t.Context(), s.call, &giro.Event{Sequence: 1, Type: "charge.created"}, []*giro.Endpoint{p}); !giro.Is(err, giro.CodeInvalidState) {
			t.Errorf("resend to a disabled endpoint: %v", err)
		}
		enabled, err := s.UpdateEndpoint(t.Context(), s.call, p.ID, 0, func(p *giro.Endpoint, _ int64) error { p.Enabled = true; return nil })
		if err != nil || enabled.DisabledReason != "" {
			t.Fatal(enabled, err)
		}
		s.charge()
		succeeded := func() (n int) {
			for _, d := range s.deliveries(p) {
				if d.State == giro.DeliverySucceeded {
					n++
				}
			}
			return n
		}
		s.until("what happens from then on arrives", func() bool { return succeeded() >= 2 })
		if n, err := s.RecoverEndpoint(t.Context(), s.call, p, 0, s.bookNow()); err != nil || n < 4 {
			t.Fatalf("%d recovered, %v", n, err)
		}
		s.until("everything has arrived", func() bool { return succeeded() == 8 })
		in.got()
	})
}

// fence waits until everything that is due was looked at: a message that was
// asked for after it has arrived.
func fence(s *site) {
	s.t.Helper()
	in := newInbox(s.t, nil)
	mark, _ := s.endpoint(in.server.URL, "payout.failed")
	events, err := s.Store.Events(context.Background(), giro.EventQuery{Book: s.call.Book(), Limit: 1})
	if err != nil || len(events) == 0 {
		s.t.Fatal(len(events), err)
	}
	if _, err := s.ResendEvent(context.Background(), s.call, events[0], []*giro.Endpoint{mark}); err != nil {
		s.t.Fatal(err)
	}
	s.until("the fence is passed", func() bool { return len(in.got()) == 1 })
	if err := s.DeleteEndpoint(context.Background(), s.call, mark.ID); err != nil {
		s.t.Fatal(err)
	}
}

// TestPatience: five days of nothing but failures disable an endpoint; a success
// in between begins them anew.
func TestPatience(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		s := run(t, open(), private)
		var status atomic.Int64
		status.Store(500)
		in := newInbox(t, func(int, message) (int, map[string]string) { return int(status.Load()), nil })
		p, _ := s.endpoint(in.server.URL, "charge.created")
		enabled := func() bool {
			now, err := s.Endpoint(context.Background(), s.call.Book(), p.ID)
			return err == nil && now.Enabled
		}
		attempts := func() (n int64) {
			for _, d := range s.deliveries(p) {
				n += d.Attempts
			}
			return n
		}
		for day := range 9 {
			if day == 3 {
				status.Store(200)
			}
			before := attempts()
			s.charge()
			s.until("the day's charge is told", func() bool { return attempts() > before && len(s.deliveries(p)) == day+1 })
			if day == 3 {
				s.until("a success counts", func() bool {
					d, err := s.Store.Dispatch(context.Background(), p.ID)
					return err == nil && d.Failing == 0
				})
			}
			status.Store(500)
			if day < 8 && !enabled() {
				t.Fatalf("disabled on day %d", day)
			}
			s.advance(24 * time.Hour)
			fence(s)
		}
		s.charge()
		s.until("the endpoint is disabled", func() bool { return !enabled() })
		now, err := s.Endpoint(t.Context(), s.call.Book(), p.ID)
		if err != nil || now.DisabledReason != giro.DisabledFailing || now.DisabledAt == 0 {
			t.Errorf("%+v, %v", now, err)
		}
	})
}

// TestRolledSecret: for a day both secrets sign, then the new one alone.
func TestRolledSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		s := run(t, open(), private)
		in := newInbox(t, nil)
		p, old := s.endpoint(in.server.URL, "charge.created")
		fresh := webhook.NewSecret().Reveal()
		if _, err := s.RollEndpointSecret(t.Context(), s.call, p.ID, fresh, giro.SecretGrace); err != nil {
			t.Fatal(err)
		}
		verifies := func(secret string, m message) bool {
			oracle, err := reference.NewWebhook(secret)
			return err == nil && oracle.Verify([]byte(m.body), m.header) == nil
		}
		s.charge()
		s.until("a message", func() bool { return len(in.got()) == 1 })
		if m := in.got()[0]; !verifies(old, m) || !verifies(fresh, m) {
			t.Errorf("while it is rolled: old %v, new %v", verifies(old, m), verifies(fresh, m))
		}
		s.advance(giro.SecretGrace + time.Second)
		s.charge()
		s.until("another message", func() bool { return len(in.got()) == 2 })
		if m := in.got()[1]; verifies(old, m) || !verifies(fresh, m) {
			t.Errorf("a day later: old %v, new %v", verifies(old, m), verifies(fresh, m))
		}
		d, err := s.Store.Document(t.Context(), giro.DocEndpoint, p.ID)
		if err != nil || bytes.Contains(d.Data, []byte(old[6:20])) || bytes.Contains(d.Data, []byte(fresh[6:20])) {
			t.Errorf("the secret is stored as it is: %v", err)
		}
	})
}

// TestHanging: a receiver that does not answer has at most 16 attempts at once,
// and delays nobody else.
func TestHanging(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		s := run(t, open(), private)
		release := make(chan struct{})
		var under, most atomic.Int64
		hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			n := under.Add(1)
			defer under.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release
		}))
		defer hang.Close()
		bad, _ := s.endpoint(hang.URL, "charge.*")
		in := newInbox(t, nil)
		_, secret := s.endpoint(in.server.URL, "charge.*")
		in.trust(secret)
		for range 30 {
			s.charge()
		}
		s.until("the other endpoint has all", func() bool { return len(in.got()) == 60 })
		s.until("the hanging one has its share", func() bool { return under.Load() == 16 })
		if n := len(s.deliveries(bad)); n != 0 {
			t.Errorf("%d outcomes of a receiver that has not answered", n)
		}
		close(release)
		s.until("the hanging one has all", func() bool { return len(s.deliveries(bad)) == 60 })
		if n := most.Load(); n != 16 {
			t.Errorf("%d attempts at once", n)
		}
	})
}

// TestTwoProcesses share the work on one database; when one of them dies with
// its leases, the other takes over.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	d := storetest.Postgres(t)
	open := func() giro.Store { return d.Open(t, store.Options{}) }
	one := run(t, open(), private)
	two := run(t, open(), private)
	var boxes []*inbox
	for range 6 {
		in := newInbox(t, nil)
		_, secret := one.endpoint(in.server.URL)
		in.trust(secret)
		boxes = append(boxes, in)
	}
	for range 10 {
		one.charge()
		two.charge()
	}
	all := func(n int) func() bool {
		return func() bool {
			for _, in := range boxes {
				if len(in.got()) < n {
					return false
				}
			}
			return true
		}
	}
	one.until("all 40 events are everywhere", all(40))
	for _, in := range boxes {
		if n := len(in.got()); n != 40 {
			t.Errorf("%d messages", n)
		}
	}
	// A process that has leased everything and is gone.
	dead := giro.UUIDs()(time.Now())
	now := giro.Micros(time.Now())
	one.stop()
	two.stop()
	s := open()
	silent := &site{Engine: engine(t, s), t: t, call: one.call}
	silent.Start()
	silent.charge()
	silent.Stop()
	if got, err := s.ClaimDispatches(context.Background(), dead, now, now+2_000_000, 100, nil); err != nil || len(got) != 6 {
		t.Fatal(len(got), err)
	}
	three := run(t, s, private)
	three.until("the leases end and all is sent", all(42))
}

// TestForbidden: no connection is made to what the policy refuses, at a delivery
// and at a test, whatever the endpoint's name says by then.
func TestForbidden(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		var touched atomic.Int64
		inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched.Add(1) }))
		defer inside.Close()
		var asked atomic.Int64
		public := netip.MustParseAddr("93.184.216.34")
		config := webhook.Config{Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			switch host {
			case "rebind.example.com": // public when it was looked at, and inside when it is dialled
				if asked.Add(1) == 1 {
					return []netip.Addr{public}, nil
				}
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			case "mixed.example.com":
				return []netip.Addr{public, netip.MustParseAddr("10.0.0.1")}, nil
			case "mapped.example.com":
				return []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
		}}
		if addrs, _ := config.Resolve(t.Context(), "rebind.example.com"); addrs[0] != public {
			t.Fatal(addrs)
		}
		s := run(t, open(), config)
		d := &webhook.Dispatcher{Engine: s.Engine, Client: webhook.NewClient(config)}
		urls := []string{"https://rebind.example.com/", "https://mixed.example.com/", "https://mapped.example.com/", "https://metadata.example.com/",
			// Stored when the policy was another one.
			inside.URL, "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://metadata.google.internal/", "http://example.com/"}
		var made []*giro.Endpoint
		for _, url := range urls {
			p, _ := s.endpoint(url, "charge.created")
			made = append(made, p)
			r, _, err := d.Test(t.Context(), p)
			if err != nil || r.Detail.Attempts[0].Error != "blocked" || r.State != giro.DeliveryFailed {
				t.Errorf("test of %s: %+v, %v", url, r, err)
			}
		}
		s.charge()
		for i, p := range made {
			s.until("the attempt on "+urls[i]+" is recorded", func() bool { return len(s.deliveries(p)) == 1 })
			if r := s.only(p); r.Detail.Attempts[0].Error != "blocked" || r.State != giro.DeliveryPending {
				t.Errorf("%s: %+v", urls[i], r)
			}
		}
		if touched.Load() != 0 {
			t.Errorf("%d requests got inside", touched.Load())
		}
	})
}

// TestNotices: what a dialect tells beside webhooks goes to the movement's own
// address, with exactly the bytes that were frozen, on the other schedule.
func TestNotices(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() giro.Store) {
		const body = `{"amount":"1.00","é":"\/ \u2028 <&>"}`
		in := newInbox(t, func(n int, _ message) (int, map[string]string) {
			if n == 1 {
				return 410, nil // means nothing special here
			}
			return 200, nil
		})
		s := run(t, open(), private, func(d *webhook.Dispatcher) {
			d.SignNotice = func(book giro.Book, profile string, at time.Time, body []byte) (http.Header, error) {
				return http.Header{webhook.HeaderJumpPag: {webhook.SignSmartFastPay("secret of "+profile, at, body)}}, nil
			}
			d.Engine.Notice = func(m *giro.Movement, typ string) *giro.Notice {
				if typ != "charge.succeeded" {
					return nil
				}
				return &giro.Notice{URL: in.server.URL, Profile: "jumppag", Body: []byte(body)}
			}
		})
		s.charge()
		dispatch := func() *giro.Delivery {
			head, err := s.Store.Dispatch(t.Context(), giro.NoticeEndpoint(s.call.Book()))
			if err != nil || head == nil {
				return &giro.Delivery{}
			}
			return s.only(&giro.Endpoint{ID: head.Endpoint})
		}
		s.until("the first attempt", func() bool { return dispatch().Attempts == 1 })
		d := dispatch()
		if wait := time.Duration(d.Due-d.At) * time.Microsecond; d.State != giro.DeliveryPending || wait < 4*time.Minute || wait > 5*time.Minute {
			t.Errorf("%+v due in %s", d, wait)
		}
		s.advance(6 * time.Minute)
		s.until("the second attempt", func() bool { return dispatch().State == giro.DeliverySucceeded })
		got := in.got()
		if len(got) != 2 || got[0].body != got[1].body || got[0].body != body {
			t.Errorf("%+v", got)
		}
		for _, m := range got {
			if err := webhook.VerifySmartFastPay(m.header.Get(webhook.HeaderJumpPag), []byte(m.body), "secret of jumppag", time.Minute, time.Now()); err != nil {
				t.Error(err)
			}
		}
	})
}
