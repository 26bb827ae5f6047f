package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/internal/pgtest"
	"giro/rail"
	"giro/store"
)

// streamed is a server on a real port, with its merchant.
type streamed struct {
	t      testing.TB
	url    string
	key    string
	engine *giro.Engine
	call   *giro.Call
	http   *http.Client
}

func serveStreams(t testing.TB, s giro.Store) *streamed {
	t.Helper()
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}}
	e.Start()
	t.Cleanup(func() {
		e.Stop()
		s.Close()
	})
	m, err := e.Merchant(context.Background(), 1)
	if giro.Is(err, giro.CodeNotFound) {
		m, err = e.CreateMerchant(context.Background(), nil, giro.Merchant{Name: "Loja", Currency: "BRL"})
	}
	if err != nil {
		t.Fatal(err)
	}
	keys, err := e.CreateKeySet(context.Background(), m, false)
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Config{Engine: e, Now: time.Now, NewID: e.NewID, Secret: e.Secret[:]})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := server.HTTP()
	go h.Serve(l)
	t.Cleanup(func() { h.Close() })
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &streamed{t: t, url: "http://" + l.Addr().String(), key: keys.SecretKey, engine: e, call: &giro.Call{Merchant: m}, http: &http.Client{Transport: transport}}
}

func (s *streamed) charge(n int) {
	s.t.Helper()
	for range n {
		_, err := s.engine.CreateCharge(context.Background(), s.call, giro.Request{Amount: 100, Currency: "BRL", Provider: "card", Card: &giro.Card{Token: "tok_ok"}, Capture: true})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// lines opens a stream and reads its greeting.
func (s *streamed) lines(query, last string) *bufio.Reader {
	s.t.Helper()
	req, err := http.NewRequest("GET", s.url+"/v1/stream?"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 {
		s.t.Fatalf("%d", resp.StatusCode)
	}
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || line != "retry: 2000\n" {
		s.t.Fatal(line, err)
	}
	return r
}

// next returns the id and type of the next message.
func (s *streamed) next(r *bufio.Reader) (id, typ string) {
	s.t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if v, ok := strings.CutPrefix(line, "id: "); ok {
			id = strings.TrimSpace(v)
		}
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			return id, strings.TrimSpace(v)
		}
	}
}

func openSQLite(t testing.TB) giro.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStreamResumes: from far behind what is kept in memory, with filters, and
// from places that do not exist.
func TestStreamResumes(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, openSQLite(t))
	s.charge(200) // 400 events
	r := s.lines("", "3")
	for want := 4; want <= 400; want++ {
		if id, _ := s.next(r); id != fmt.Sprint(want) {
			t.Fatalf("%s, want %d", id, want)
		}
	}
	s.charge(1)
	for want := 401; want <= 402; want++ {
		if id, _ := s.next(r); id != fmt.Sprint(want) {
			t.Fatalf("%s, want %d", id, want)
		}
	}
	for _, pattern := range []string{"*.succeeded", "charge.s*", "charge.succeeded"} {
		r = s.lines("after=0&types="+pattern, "")
		for want := 2; want <= 402; want += 2 {
			if id, typ := s.next(r); id != fmt.Sprint(want) || typ != "charge.succeeded" {
				t.Fatalf("%s: %s %s, want %d", pattern, id, typ, want)
			}
		}
	}
	// A place that this book has never reached.
	r = s.lines("", "5000")
	if id, typ := s.next(r); id != "402" || typ != "resync" {
		t.Errorf("%s %s, want a resync at 402", id, typ)
	}
	s.charge(1)
	if id, _ := s.next(r); id != "403" {
		t.Errorf("%s after the resync", id)
	}
	// Old events are swept: who was behind them is told so.
	if n, err := s.engine.Store.SweepEvents(context.Background(), giro.Micros(time.Now().Add(time.Hour)), 100); err != nil || n != 100 {
		t.Fatal(n, err)
	}
	r = s.lines("", "3")
	if id, typ := s.next(r); id != "100" || typ != "resync" {
		t.Errorf("%s %s, want a resync at 100", id, typ)
	}
	if id, typ := s.next(r); id != "101" || typ == "resync" {
		t.Errorf("%s %s behind the resync", id, typ)
	}
	if id, _ := s.next(s.lines("after=100", "")); id != "101" {
		t.Errorf("%s behind 100, where nothing is missing", id)
	}
	req, _ := http.NewRequest("GET", s.url+"/v1/stream", nil)
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Last-Event-ID", "x")
	if resp, err := s.http.Do(req); err != nil || resp.StatusCode != 400 {
		t.Error(resp, err)
	}
}

// TestManyStreams: 500 readers get every event, and one that does not read holds
// none of them up.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, openSQLite(t))
	s.charge(1)
	const readers = 500
	streams := make([]*bufio.Reader, readers)
	for i := range streams {
		streams[i] = s.lines("", "")
	}
	s.lines("after=0", "") // is not read
	var wg sync.WaitGroup
	for _, r := range streams {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for want := 3; want <= 42; want++ {
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						t.Error(err)
						return
					}
					if v, ok := strings.CutPrefix(line, "id: "); ok {
						if strings.TrimSpace(v) != fmt.Sprint(want) {
							t.Errorf("%s, want %d", v, want)
						}
						break
					}
				}
			}
		}()
	}
	s.charge(20)
	wg.Wait()
}

// TestStreamOfAnotherProcess: what a second process commits to the same
// database is streamed within a second.
func TestStreamOfAnotherProcess(t *testing.T) {
	t.Parallel()
	url := pgtest.Open(t)
	open := func() giro.Store {
		s, err := store.OpenPostgres(context.Background(), url, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := serveStreams(t, open())
	two := serveStreams(t, open())
	r := one.lines("", "")
	for n := 1; n <= 5; n += 2 {
		two.charge(1)
		began := time.Now()
		if id, _ := one.next(r); id != fmt.Sprint(n) {
			t.Errorf("%s, want %d", id, n)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("an event of another process took %s", took)
		}
		if id, _ := one.next(r); id != fmt.Sprint(n+1) {
			t.Errorf("%s, want %d", id, n+1)
		}
	}
}
