package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/internal/storetest"
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
	server *api.Server
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
	return &streamed{t: t, url: "http://" + l.Addr().String(), key: keys.SecretKey, engine: e, call: &giro.Call{Merchant: m}, http: &http.Client{Transport: transport}, server: server}
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
	s := storetest.SQLite(t).Open(t, store.Options{})
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
	d := storetest.Postgres(t)
	open := func() giro.Store { return d.Open(t, store.Options{}) }
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

// TestStreamDropsASlowReader: whoever takes nothing is dropped, without a
// message cut in two being taken for one, and goes on where it was.
func TestStreamDropsASlowReader(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, openSQLite(t))
	s.server.DropAfter(50 * time.Millisecond)
	metadata := map[string]string{}
	for i := range 50 {
		metadata[fmt.Sprint("k", i)] = strings.Repeat("x", 500)
	}
	const charges = 300 // 15 MB of events, more than a connection holds
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range charges / 20 {
				_, err := s.engine.CreateCharge(context.Background(), s.call, giro.Request{Amount: 100, Currency: "BRL", Provider: "card", Card: &giro.Card{Token: "tok_ok"}, Capture: true, Metadata: metadata})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	fmt.Fprintf(conn, "GET /v1/stream?after=0 HTTP/1.1\r\nHost: giro.test\r\nAuthorization: Bearer %s\r\n\r\n", s.key)
	// The head comes, so that the stream is open; then nothing more is read.
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	giveUp := time.After(20 * time.Second)
	for s.server.Streams() > 0 {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-giveUp:
			t.Fatal("the reader is still waited for")
		}
	}
	last := 0
	take := func(r *bufio.Reader) bool {
		id := 0
		for {
			line, err := r.ReadString('\n')
			switch {
			case err != nil:
				return false
			case strings.HasPrefix(line, "id: "):
				if _, err := fmt.Sscanf(line, "id: %d", &id); err != nil {
					t.Fatal(err, line)
				}
			case line == "\n" && id > 0: // a message ends with an empty line
				if id != last+1 {
					t.Fatalf("%d follows %d", id, last)
				}
				last = id
				return true
			}
		}
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(resp.Body)
	for take(r) {
	}
	if last == 0 || last >= 2*charges {
		t.Errorf("%d events had been sent to a reader that takes nothing", last)
	}
	s.server.DropAfter(20 * time.Second)
	for again := s.lines("", fmt.Sprint(last)); last < 2*charges; {
		if !take(again) {
			t.Fatalf("the stream ended after %d", last)
		}
	}
}

// openStream opens a stream that must be granted, with a header that says who asks.
func openStream(t *testing.T, url, query, header string) io.ReadCloser {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/v1/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(header, ": ")
	req.Header.Set(name, value)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	return resp.Body
}

// TestStreamEndsWithItsCredential: a stream ends soon after its key is revoked,
// its session signed out or its person taken out of the team; others go on.
func TestStreamEndsWithItsCredential(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		front := httptest.NewServer(o.server)
		t.Cleanup(front.Close)
		open := func(header string) *bufio.Reader {
			t.Helper()
			return bufio.NewReader(openStream(t, front.URL, "", header))
		}
		var made struct{ ID, Secret string }
		a := o.want(o.ask(nil, "POST", "/v1/api_keys", `{"name":"of the stream"}`, "Authorization: Bearer "+o.secret), 201, "")
		if err := json.Unmarshal(a.body, &made); err != nil || made.Secret == "" {
			t.Fatal(err, string(a.body))
		}
		owner, viewer, developer := o.person(giro.DutyOwner), o.person(giro.DutyViewer), o.person(giro.DutyDeveloper)
		var people []struct{ ID, Email string }
		if err := json.Unmarshal(o.want(o.ask(owner, "GET", "/v1/people", ""), 200, "").body, &people); err != nil {
			t.Fatal(err)
		}
		leaves := ""
		for _, p := range people {
			if p.Email == "viewer@example.com" {
				leaves = p.ID
			}
		}
		stays := open("Authorization: Bearer " + o.secret)
		for _, c := range []struct {
			name   string
			stream *bufio.Reader
			end    func()
		}{
			{"a revoked key", open("Authorization: Bearer " + made.Secret), func() {
				o.want(o.ask(nil, "DELETE", "/v1/api_keys/"+made.ID, "", "Authorization: Bearer "+o.secret), 200, "")
			}},
			{"a session that was signed out", open("Cookie: " + developer.Name + "=" + developer.Value), func() {
				o.want(o.ask(developer, "DELETE", "/v1/session", ""), 200, "")
			}},
			{"a person out of the team", open("Cookie: " + viewer.Name + "=" + viewer.Value), func() {
				o.want(o.ask(owner, "DELETE", "/v1/people/"+leaves, ""), 200, "")
			}},
		} {
			ended := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, c.stream)
				ended <- err
			}()
			select {
			case <-ended:
				t.Fatalf("the stream of %s ended before", c.name)
			default:
			}
			c.end()
			began := time.Now()
			select {
			case <-ended:
				t.Logf("the stream of %s ended after %v", c.name, time.Since(began).Round(time.Millisecond))
			case <-time.After(20 * time.Second):
				t.Errorf("the stream of %s goes on", c.name)
			}
		}
		o.want(o.ask(nil, "POST", "/charges", `{"amount":100,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`, "Authorization: Bearer "+o.secret), 201, "")
		for {
			line, err := stays.ReadString('\n')
			if err != nil {
				t.Fatal("a stream whose key is good has ended")
			}
			if strings.HasPrefix(line, "event: charge.created") {
				break
			}
		}
	})
}

// TestListenerIsConnected: the endpoint of a listener tells of it while its stream
// is open, to those who may read endpoints of this book.
func TestListenerIsConnected(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		front := httptest.NewServer(o.server)
		t.Cleanup(front.Close)
		endpoint := func(m *giro.Merchant, p giro.Endpoint) string {
			t.Helper()
			p.Events, p.Enabled = []string{"payout.*"}, true
			made, err := o.engine.CreateEndpoint(t.Context(), &giro.Call{Merchant: m}, p, "whsec_"+strings.Repeat("A", 43)+"=")
			if err != nil {
				t.Fatal(err)
			}
			return made.ID.ID("we")
		}
		key := func(m *giro.Merchant, scopes ...string) string {
			t.Helper()
			made, err := o.engine.CreateKey(t.Context(), &giro.Call{Merchant: m}, m, giro.APIKey{Name: "of this test", Scopes: scopes})
			if err != nil {
				t.Fatal(err)
			}
			return "Authorization: Bearer " + made.Secret
		}
		other, err := o.engine.CreateMerchant(t.Context(), nil, giro.Merchant{Name: "Second", Currency: "BRL"})
		if err != nil {
			t.Fatal(err)
		}
		mine, posted, theirs := endpoint(o.merchant, giro.Endpoint{}), endpoint(o.merchant, giro.Endpoint{URL: "https://example.com/hooks"}), endpoint(other, giro.Endpoint{})
		full, ofOther := key(o.merchant), key(other)

		stream := func(query string) (end func()) {
			t.Helper()
			body := openStream(t, front.URL, query, full)
			return func() { body.Close() }
		}
		type connected struct{ Name, Since *string }
		// name is what the endpoint says of its listener, in the list and alone.
		name := func(id string) string {
			t.Helper()
			type shown struct {
				ID        string
				Connected *connected
			}
			var one shown
			var list []shown
			if err := json.Unmarshal(o.want(o.ask(nil, "GET", "/v1/webhook_endpoints/"+id, "", full), 200, "").body, &one); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(o.want(o.ask(nil, "GET", "/v1/webhook_endpoints", "", full), 200, "").body, &list); err != nil || len(list) != 2 {
				t.Fatal(err, list)
			}
			for _, l := range list {
				if l.ID != id && l.Connected != nil {
					t.Errorf("%s is connected too", l.ID)
				}
			}
			switch c := one.Connected; {
			case c == nil:
				return "nobody"
			case c.Since == nil || *c.Since == "":
				t.Error("connected since never")
				fallthrough
			case c.Name == nil:
				return "nameless"
			default:
				return *c.Name
			}
		}
		becomes := func(want string) {
			t.Helper()
			giveUp := time.After(20 * time.Second)
			for got := name(mine); got != want; got = name(mine) {
				select {
				case <-time.After(5 * time.Millisecond):
				case <-giveUp:
					t.Fatalf("%q, want %q", got, want)
				}
			}
		}

		stream("") // a stream of nobody's
		if got := name(mine); got != "nobody" {
			t.Error(got)
		}
		first := stream("listener=" + mine + "&name=ana-laptop&types=payout.*")
		if got := name(mine); got != "ana-laptop" {
			t.Error(got)
		}
		second := stream("listener=" + mine)
		if got := name(mine); got != "nameless" {
			t.Error(got)
		}
		if a := o.want(o.ask(o.person(giro.DutyDeveloper), "GET", "/v1/webhook_endpoints/"+mine, ""), 200, ""); !strings.Contains(string(a.body), `"connected":{"name":null`) {
			t.Error(string(a.body))
		}
		second()
		becomes("ana-laptop")
		third := stream("listener=" + mine + "&name=third")
		first() // the older one leaves the newer where it is
		becomes("third")
		third()
		becomes("nobody")

		viewer := o.person(giro.DutyViewer)
		o.want(o.ask(viewer, "GET", "/v1/webhook_endpoints", ""), 403, "forbidden")
		o.want(o.ask(viewer, "GET", "/v1/stream?listener="+mine, ""), 403, "forbidden")
		o.want(o.ask(nil, "GET", "/v1/stream?listener="+mine, "", key(o.merchant, "events:read", "webhook_endpoints:read")), 403, "forbidden")
		o.want(o.ask(nil, "GET", "/v1/webhook_endpoints/"+mine, "", ofOther), 404, "not_found")
		o.want(o.ask(nil, "GET", "/v1/stream?listener="+mine, "", ofOther), 404, "not_found")
		o.want(o.ask(nil, "GET", "/v1/stream?listener="+theirs, "", full), 404, "not_found")
		for _, query := range []string{"listener=" + posted, "listener=x", "name=alone", "listener=" + mine + "&name=" + strings.Repeat("a", 65)} {
			o.want(o.ask(nil, "GET", "/v1/stream?"+query, "", full), 400, "invalid_parameter")
		}
		if got := name(mine); got != "nobody" {
			t.Errorf("%q after streams that were refused", got)
		}
	})
}
