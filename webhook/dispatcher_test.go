package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"giro"
	"giro/internal/pgtest"
	"giro/rail"
	"giro/store"
	"giro/webhook"
)

// site is an engine with a dispatcher and one merchant.
type site struct {
	*giro.Engine
	t    testing.TB
	call *giro.Call
	stop func() // ends the dispatcher and the engine, as a shutdown does
}

// onBoth runs a test on an empty store of each kind. open opens it again.
func onBoth(t *testing.T, test func(t *testing.T, open func() giro.Store)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		test(t, func() giro.Store {
			s, err := store.OpenSQLite(dir, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := pgtest.Open(t)
		test(t, func() giro.Store {
			s, err := store.OpenPostgres(context.Background(), url, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
}

// run starts an engine and a dispatcher over s. The merchant is made where
// there is none.
func run(t testing.TB, s giro.Store, config webhook.Config, prepare ...func(*webhook.Dispatcher)) *site {
	t.Helper()
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}}
	if os.Getenv("GIRO_TEST_LOG") != "" {
		e.Logf = t.Logf
	}
	e.Start()
	m, err := e.Merchant(context.Background(), 1)
	if giro.Is(err, giro.CodeNotFound) {
		m, err = e.CreateMerchant(context.Background(), nil, giro.Merchant{Name: "Loja", Currency: "BRL"})
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &webhook.Dispatcher{Engine: e, Client: webhook.NewClient(config), Logf: e.Logf}
	for _, p := range prepare {
		p(d)
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
	if _, err := s.AdvanceClock(context.Background(), s.call, d); err != nil {
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
