package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"giro"
	"giro/webhook"
)

// receiver is an endpoint's other side. It keeps what it got, and checks what
// each message must be.
type receiver struct {
	kind   string
	server *httptest.Server
	id     string // of the endpoint
	secret string
	oracle *reference.Webhook

	mu   sync.Mutex
	got  map[string][]time.Time // by event
	body map[string][sha256.Size]byte
	bad  []string
	n    int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // cut off by a kill: nothing has arrived
	}
	id := req.Header.Get("Webhook-Id")
	r.mu.Lock()
	if err := r.oracle.Verify(body, req.Header); err != nil {
		r.bad = append(r.bad, fmt.Sprintf("%s: %s: %v", r.kind, id, err))
	}
	if stamp, _ := strconv.ParseInt(req.Header.Get("Webhook-Timestamp"), 10, 64); at.Unix()-stamp > 10 || stamp > at.Unix()+1 {
		r.bad = append(r.bad, fmt.Sprintf("%s: %s: timestamp %d at %d", r.kind, id, stamp, at.Unix()))
	}
	sum := sha256.Sum256(body)
	if before, seen := r.body[id]; seen && before != sum {
		r.bad = append(r.bad, fmt.Sprintf("%s: %s: other bytes than before", r.kind, id))
	}
	r.body[id] = sum
	r.got[id] = append(r.got[id], at)
	r.n++
	n := r.n
	r.mu.Unlock()
	switch r.kind {
	case "seventy":
		if n%10 < 7 {
			w.WriteHeader(500)
		}
	case "reset":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	case "redirect":
		w.Header().Set("Location", "http://"+req.Host+"/elsewhere")
		w.WriteHeader(302)
	case "gone":
		w.WriteHeader(410)
	case "hang":
		<-req.Context().Done()
	case "slow":
		time.Sleep(300 * time.Millisecond) // what a slow receiver is
	}
}

func (r *receiver) count(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got[id])
}

// events returns how many events have arrived, and how many messages.
func (r *receiver) events() (distinct, messages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got), r.n
}

// late reports whether the receiver takes its time with each message.
func (r *receiver) late() bool { return r.kind == "hang" || r.kind == "slow" }

// TestWebhooksSurviveKills: giro is killed again and again while it sends. Every
// event of an enabled endpoint arrives, with its own bytes and a good signature;
// what was recorded is not sent again before it is due.
//
// GIRO_TEST_WEBHOOKS=events,endpoints,seconds makes it larger: 100000,20,2 is
// the full size.
func TestWebhooksSurviveKills(t *testing.T) {
	t.Parallel()
	events, endpoints, between := 300, 8, 700*time.Millisecond
	if size := os.Getenv("GIRO_TEST_WEBHOOKS"); size != "" {
		var seconds int
		if _, err := fmt.Sscanf(size, "%d,%d,%d", &events, &endpoints, &seconds); err != nil {
			t.Fatal(err)
		}
		between = time.Duration(seconds) * time.Second
	}
	few := min(500, events/20) // for receivers that take their time
	// The hanging receiver takes 15 s for 16 messages, some of them repetitions.
	limit := 2*time.Minute + time.Duration(few)*2*time.Second + time.Duration(events*endpoints)*2*time.Millisecond
	data := t.TempDir()
	var s atomic.Pointer[server]
	s.Store(serveWith(t, "--data", data, "--webhook-allow-private"))
	key := s.Load().Keys["test"].SecretKey
	// call repeats a request until it is answered: the server may be dead just now.
	call := func(method, path, body, idempotent string, into any) int {
		t.Helper()
		for began := time.Now(); ; {
			if time.Since(began) > time.Minute {
				t.Fatalf("%s %s is not answered", method, path)
			}
			r, err := http.NewRequest(method, s.Load().URL+path, stringReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+key)
			if body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			if idempotent != "" {
				r.Header.Set("Idempotency-Key", idempotent)
			}
			a, err := http.DefaultClient.Do(r)
			if err == nil {
				b, err := io.ReadAll(a.Body)
				a.Body.Close()
				if err == nil && a.StatusCode < 500 && a.StatusCode != 429 {
					if into != nil {
						if err := json.Unmarshal(b, into); err != nil {
							t.Fatalf("%s %s: %v: %s", method, path, err, b)
						}
					}
					return a.StatusCode
				}
			}
			time.Sleep(20 * time.Millisecond) // the server is being started
		}
	}
	call("POST", "/v1/test/fund", `{"currency":"brl","amount":1000000000}`, "", nil)
	var account struct{ ID string }
	call("POST", "/v1/accounts", `{"name":"seller","currency":"brl"}`, "", &account)
	kinds := []string{"fine", "seventy", "reset", "redirect", "gone", "hang", "slow", "fine"}
	var receivers []*receiver
	for i := range endpoints {
		r := &receiver{kind: kinds[i%len(kinds)], got: map[string][]time.Time{}, body: map[string][sha256.Size]byte{}}
		r.server = httptest.NewServer(r)
		defer r.server.Close()
		defer r.server.CloseClientConnections()
		wants := `"charge.*"`
		if r.late() {
			wants = `"transfer.*"`
		}
		var made struct{ ID, Secret string }
		call("POST", "/v1/webhook_endpoints", `{"url":"`+r.server.URL+`/hooks","events":[`+wants+`]}`, "", &made)
		r.id, r.secret = made.ID, made.Secret
		var err error
		r.mu.Lock() // what is sent from now on waits until it can be verified
		if r.oracle, err = reference.NewWebhook(r.secret); err != nil {
			t.Fatal(err)
		}
		r.mu.Unlock()
		receivers = append(receivers, r)
	}

	defer func() { s.Load().cmd.Process.Kill() }() // before the receivers end, so that none is hung up on

	// The load.
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				n := int(next.Add(1))
				if n > (events-few)/2 {
					return
				}
				call("POST", "/charges", `{"amount":100,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`, fmt.Sprint("c", n), nil)
				if n%10 == 0 { // refused: nobody is told anything
					refused := `{"amount":99999999999999,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria@example.com"}}`
					if status := call("POST", "/v1/payouts", refused, fmt.Sprint("p", n), nil); status != 409 {
						t.Errorf("a payout of more than there is: %d", status)
					}
				}
				if n <= few/2 {
					call("POST", "/v1/transfers", `{"amount":1,"currency":"brl","destination":"`+account.ID+`"}`, fmt.Sprint("t", n), nil)
				}
			}
		}()
	}
	loaded := make(chan struct{})
	go func() { wg.Wait(); close(loaded) }()

	// What was recorded by the time that giro came back, and how often it had
	// been sent by then.
	type recorded struct {
		r  *receiver
		id string
		n  int
	}
	var settled []recorded
	// What was recorded as failed, and until when it must not be sent again.
	type waiting struct {
		r           *receiver
		id          string
		from, until time.Time
	}
	var waits []waiting
	advanced, clock := false, time.Now().Add(time.Hour) // when the test clock went forward
	var kills []time.Time
	type row struct {
		Event, State string
		Next         time.Time `json:"next_attempt_at"`
	}
	disabled := map[*receiver]time.Time{}
	look := func() {
		for _, r := range receivers {
			var rows []row
			call("GET", "/v1/webhook_endpoints/"+r.id+"/deliveries?limit=100&state=succeeded", "", "", &rows)
			for _, d := range rows {
				settled = append(settled, recorded{r, d.Event, r.count(d.Event)})
			}
			if (r.kind == "reset" || r.kind == "redirect") && !advanced {
				rows = nil
				call("GET", "/v1/webhook_endpoints/"+r.id+"/deliveries?limit=100&state=pending", "", "", &rows)
				from := time.Now()
				for _, d := range rows {
					waits = append(waits, waiting{r, d.Event, from, d.Next.Add(-100 * time.Millisecond)})
				}
			}
			if r.kind == "gone" && disabled[r].IsZero() {
				var p struct{ Enabled bool }
				if call("GET", "/v1/webhook_endpoints/"+r.id, "", "", &p); !p.Enabled {
					disabled[r] = time.Now()
				}
			}
		}
	}
	began, starting := time.Now(), time.Duration(0)
	progress := func(doing string) {
		var line strings.Builder
		for _, r := range receivers {
			distinct, messages := r.events()
			fmt.Fprintf(&line, " %s:%d/%d", r.kind, distinct, messages)
		}
		t.Logf("%4.0f s, %s, %d kills, %s to start again, events/messages:%s",
			time.Since(began).Seconds(), doing, len(kills), (starting / time.Duration(max(1, len(kills)))).Round(time.Millisecond), line.String())
	}
	// Killing goes on until everything has arrived at those who answer at once:
	// what a receiver is slow to answer does not come to its end between two kills.
	const perPayment = 2 // events
	quick := func() bool {
		for _, r := range receivers {
			if n, _ := r.events(); r.kind != "gone" && !r.late() && n < (events-few)/2*perPayment {
				return false
			}
		}
		return true
	}
	for done := false; !done || len(kills) < 4 || !quick(); {
		time.Sleep(between) // how often giro is killed
		select {
		case <-loaded:
			done = true
		default:
		}
		old := s.Load()
		old.cmd.Process.Kill()
		kills = append(kills, time.Now())
		old.cmd.Wait()
		again := time.Now()
		s.Store(serveWith(t, "--data", data, "--webhook-allow-private"))
		starting += time.Since(again)
		if len(kills)%4 == 0 {
			look()
		}
		if len(kills)%16 == 0 {
			progress(map[bool]string{true: "delivering", false: "paying"}[done])
		}
		if time.Since(began) > limit {
			t.Fatalf("not everything has arrived after %v", limit)
		}
	}
	wg.Wait()
	progress("killed enough")

	// Now giro lives, and its clock goes on.
	wanted := map[bool][]string{} // by whether they go to the late ones
	for after, more := int64(0), true; more; {
		var page []struct {
			ID, Type string
			Sequence int64
		}
		call("GET", fmt.Sprintf("/v1/events?after=%d&limit=100", after), "", "", &page)
		for _, e := range page {
			if e.Sequence != after+1 {
				t.Fatalf("event %d follows %d", e.Sequence, after)
			}
			after = e.Sequence
			switch kind, _, _ := strings.Cut(e.Type, "."); kind {
			case "charge", "transfer":
				wanted[kind == "transfer"] = append(wanted[kind == "transfer"], e.ID)
			case "payout":
				t.Errorf("%s of a refused payout", e.Type)
			}
		}
		more = len(page) == 100
	}
	t.Logf("%d events, %d kills", len(wanted[false])+len(wanted[true]), len(kills))
	if want := (events - few) / 2 * perPayment; len(wanted[false]) != want {
		t.Errorf("%d events of charges, want %d", len(wanted[false]), want)
	}
	advances := []string{"6s", "7m", "40m", "3h", "7h"}
	alive := time.Now()
	for reported := alive; ; {
		left := 0
		for _, r := range receivers {
			if n, _ := r.events(); r.kind != "gone" {
				left += len(wanted[r.late()]) - n
			}
		}
		if left == 0 && len(advances) == 0 {
			break
		}
		if time.Since(alive) > limit {
			break
		}
		if time.Since(reported) > 15*time.Second {
			reported = time.Now()
			progress("alive")
		}
		if left == 0 {
			if !advanced {
				advanced, clock = true, time.Now()
			}
			call("POST", "/v1/test/clock", `{"advance":"`+advances[0]+`"}`, "", nil)
			advances = advances[1:]
			look()
		}
		time.Sleep(100 * time.Millisecond) // until more has arrived
	}
	progress("at the end")
	for _, r := range receivers {
		n := 0
		for _, id := range wanted[r.late()] {
			if r.count(id) == 0 {
				n++
			}
		}
		if n > 0 && r.kind != "gone" {
			t.Errorf("%s: %d events have not arrived", r.kind, n)
		}
		if distinct, _ := r.events(); distinct > len(wanted[r.late()])-n {
			t.Errorf("%s: %d messages are of no event that it wants", r.kind, distinct-len(wanted[r.late()])+n)
		}
	}
	look()
	for _, r := range receivers {
		r.mu.Lock()
		for _, b := range r.bad {
			t.Error(b)
		}
		if gone, seen := disabled[r]; r.kind == "gone" {
			if !seen {
				t.Error("410 has not disabled its endpoint")
			}
			for id, times := range r.got {
				if last := times[len(times)-1]; last.After(gone) {
					t.Errorf("%s was sent %s after its endpoint was seen to be disabled", id, last.Sub(gone))
				}
			}
		}
		r.mu.Unlock()
	}
	for _, d := range waits {
		d.r.mu.Lock()
		for _, at := range d.r.got[d.id] {
			// A message that was under way when the list was read is seen a moment later.
			if at.After(d.from.Add(300*time.Millisecond)) && at.Before(d.until) && at.Before(clock) {
				t.Errorf("%s: %s was sent again %s before it was due", d.r.kind, d.id, d.until.Sub(at))
			}
		}
		d.r.mu.Unlock()
	}
	if len(waits) == 0 {
		t.Error("no failure had been recorded between the kills")
	}
	for _, d := range settled {
		if n := d.r.count(d.id); n != d.n {
			t.Errorf("%s: %s had been delivered and was sent %d times more", d.r.kind, d.id, n-d.n)
		}
	}
	if len(settled) == 0 {
		t.Error("nothing had been recorded between the kills")
	}
}

// TestOwnAddresses: endpoints of giro itself are refused, under every name that
// it knows of.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	everywhere := &net.TCPAddr{IP: net.IPv4zero, Port: 8443}
	urls := []string{"https://pay.example.com/hooks", "https://PAY.example.com:8443/", "https://localhost:8443/", "https://127.0.0.1:8443/", "https://[::1]:8443/"}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range interfaces {
		if ip := a.(*net.IPNet).IP; !ip.IsLinkLocalUnicast() {
			urls = append(urls, "https://"+net.JoinHostPort(ip.String(), "8443")+"/")
		}
	}
	p := outgoing{AllowPrivate: true}.policy(everywhere, "https://pay.example.com")
	for _, u := range urls {
		if err := webhook.CheckURL(u, p); !giro.Is(err, giro.CodeURLForbidden) {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []string{"https://localhost:3000/", "https://hooks.example.com/", "https://127.0.0.1:8444/"} {
		if err := webhook.CheckURL(u, p); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	p = outgoing{AllowPrivate: true}.policy(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, "http://localhost:9000")
	for u, own := range map[string]bool{"http://127.0.0.1:8080/": true, "http://localhost:9000/": true, "http://localhost:8080/": true, "http://localhost:3000/": false} {
		if err := webhook.CheckURL(u, p); (err != nil) != own {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func stringReader(s string) io.Reader {
	if s == "" {
		return nil
	}
	return strings.NewReader(s)
}
