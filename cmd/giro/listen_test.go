package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"giro"
)

// desk is a receiver on a developer's machine.
type desk struct {
	*httptest.Server
	mu     sync.Mutex
	secret string
	got    []string // ids, in order
	bad    []string
	answer func(n int) int
}

func newDesk(t *testing.T) *desk {
	d := &desk{}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Server.Close)
	return d
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := r.Header.Get("Webhook-Id")
	if oracle, err := reference.NewWebhook(d.secret); err != nil || oracle.Verify(body, r.Header) != nil {
		d.bad = append(d.bad, id)
	}
	var e struct{ ID string }
	if json.Unmarshal(body, &e) != nil || e.ID != id {
		d.bad = append(d.bad, string(body))
	}
	d.got = append(d.got, id)
	if d.answer != nil {
		w.WriteHeader(d.answer(len(d.got)))
	}
}

func (d *desk) list() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

// runListen runs giro listen until stop is called.
func runListen(t *testing.T, c *console, args ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	own := newConsole(t, nil)
	own.env, own.ctx = c.env, ctx
	done := make(chan int, 1)
	go func() { done <- own.giro(append([]string{"listen"}, args...)...) }()
	return func() {
		t.Helper()
		cancel()
		select {
		case code := <-done:
			if code != 0 {
				t.Errorf("giro listen ended with %d\n%s%s", code, own.out.String(), own.err.String())
			}
		case <-time.After(10 * time.Second):
			t.Error("giro listen does not end")
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 40*time.Second {
			t.Fatalf("not in 40 s: %s", what)
		}
	}
}

// TestListenSurvivesKills: the server is killed again and again, giro listen is
// started anew a few times, and the receiver ends with exactly the events of the
// list, in order. What is sent again by hand reaches it too.
//
// GIRO_TEST_LISTEN=20 says how often the server is killed.
func TestListenSurvivesKills(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	// The same port each time, so that the address stays.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	start := func() *server { return serveWith(t, "--data", data, "--listen", address) }
	var s atomic.Pointer[server]
	s.Store(start())
	c := newConsole(t, s.Load())
	d := newDesk(t)
	d.secret = strings.TrimSpace(c.must(0, "listen", "--forward-to", d.URL+"/hooks", "--print-secret"))
	stop := runListen(t, c, "--forward-to", d.URL+"/hooks")
	var wg sync.WaitGroup
	ended := make(chan struct{})
	for worker := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				default:
				}
				s.Load().do("POST", "/charges", c.env["GIRO_API_KEY"], fmt.Sprintf(`{"amount":100,"currency":"usd","provider":"card","card":{"token":"tok_ok"},"reference":"l%d-%d"}`, worker, n))
				time.Sleep(5 * time.Millisecond) // the load is not the matter
			}
		}()
	}
	kills := 5
	if v := os.Getenv("GIRO_TEST_LISTEN"); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	for n := range kills {
		before := len(d.list())
		eventually(t, "events flow", func() bool { return len(d.list()) > before })
		old := s.Load()
		old.cmd.Process.Kill()
		old.cmd.Wait()
		if n%7 == 3 {
			stop()
		}
		s.Store(start())
		if n%7 == 3 {
			stop = runListen(t, c, "--forward-to", d.URL+"/hooks")
		}
	}
	close(ended)
	wg.Wait()
	happened := func() (want []string) {
		for after := 0; ; {
			_, body, err := s.Load().do("GET", fmt.Sprintf("/v1/events?after=%d&limit=100", after), c.env["GIRO_API_KEY"], "")
			if err != nil {
				t.Fatal(err)
			}
			var page []struct {
				ID       string
				Sequence int
			}
			if err := json.Unmarshal(body, &page); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			for _, e := range page {
				want = append(want, e.ID)
				after = e.Sequence
			}
			if len(page) < 100 {
				return want
			}
		}
	}
	// Charges whose request was killed get their outcome a little later, and with
	// it more events.
	var want []string
	t.Cleanup(func() {
		if got := d.list(); t.Failed() {
			t.Logf("%d events had arrived:\n%q\n%d had happened:\n%q", len(got), got, len(want), want)
		}
	})
	eventually(t, "the receiver has exactly the events of the list, in order", func() bool {
		want = happened()
		return slices.Equal(d.list(), want)
	})
	d.mu.Lock()
	if len(d.bad) > 0 {
		t.Errorf("bad messages: %q", d.bad)
	}
	d.mu.Unlock()

	// Sent again by hand.
	c.must(0, "events", "resend", want[3])
	eventually(t, "the event arrives again", func() bool { return slices.Contains(d.list()[len(want):], want[3]) })
	var hook string
	eventually(t, "giro knows the answer", func() bool {
		hook = strings.TrimSpace(c.must(0, "webhooks", "list", "-o", "id"))
		return strings.Contains(c.must(0, "deliveries", "get", want[3], "--endpoint", hook, "--json"), `"state":"succeeded"`)
	})
	stop()
}

// TestListenRetries: what the receiver refuses is handed over again, in this run
// or the next; where nobody answers giro listen waits.
func TestListenRetries(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	d := newDesk(t)
	d.answer = func(n int) int {
		if n == 1 {
			return 500
		}
		return 204
	}
	d.secret = strings.TrimSpace(c.must(0, "listen", "--forward-to", d.URL, "--events", "charge.created", "--print-secret"))
	stop := runListen(t, c, "--forward-to", d.URL, "--events", "charge.created", "--json")
	c.must(0, "trigger", "charge.created")
	eventually(t, "the event arrives", func() bool { return len(d.list()) == 1 })
	c.must(0, "trigger", "charge.created")
	eventually(t, "another arrives meanwhile", func() bool { return len(d.list()) == 2 })
	stop()
	stop = runListen(t, c, "--forward-to", d.URL, "--events", "charge.created")
	eventually(t, "the refused one comes again", func() bool { return len(d.list()) == 3 })
	stop()
	if got := d.list(); got[2] != got[0] || got[1] == got[0] {
		t.Errorf("%q", got)
	}
}

// TestListenIsConnected: giro listen is seen under this machine's name while it
// runs.
func TestListenIsConnected(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.must(0, "listen", "--print-secret")
	listening := func() bool { return !strings.Contains(c.must(0, "webhooks", "list", "--json"), `"connected":null`) }
	if listening() {
		t.Error("before it runs")
	}
	stop := runListen(t, c)
	eventually(t, "it is connected", listening)
	if wide := c.must(0, "webhooks", "list", "--wide"); !strings.Contains(wide, "\t"+machine()+"\t") {
		t.Errorf("%q is not shown\n%s", machine(), wide)
	}
	stop()
	eventually(t, "it is gone", func() bool { return !listening() })
}

// TestTriggers: every event that has a recipe is caused by it.
func TestTriggers(t *testing.T) {
	t.Parallel()
	s := serveWith(t, "--data", t.TempDir(), "--webhook-allow-private")
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, typ := range triggers() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			c := newConsole(t, s)
			args := []string{"trigger", typ, "--json"}
			if strings.HasPrefix(typ, "payout.") && typ != "payout.updated" {
				args = append(args, "--override", "amount=2300", "--override", "bank.key=joao@example.com")
			}
			if code := c.giro(args...); code != 0 {
				t.Errorf("giro trigger %s ended with %d: %s", typ, code, c.err.String())
				return
			}
			var e struct {
				Type string
				Data struct{ Object struct{ Amount int } }
			}
			if err := json.Unmarshal(c.out.Bytes(), &e); err != nil || e.Type != typ || len(args) > 3 && e.Data.Object.Amount != 2300 {
				t.Errorf("giro trigger %s printed %s (%v)", typ, c.out.String(), err)
			}
		}()
	}
	wg.Wait()
	// What has no recipe is what the state table and the decisions never tell.
	for _, m := range giro.Moves {
		for _, k := range giro.Kinds {
			if m.Event == "" || !strings.Contains(m.Kinds, string(k[:1])) && !(k == giro.KindTransfer && strings.Contains(m.Kinds, "t")) || k == giro.KindTransfer && !strings.Contains(m.Kinds, "t") {
				continue
			}
			if typ := string(k) + "." + m.Event; recipes[typ] == nil {
				t.Errorf("%s has no recipe", typ)
			}
		}
	}
}

// TestExam: a receiver as the documentation shows it passes; those that forget
// something do not.
func TestExam(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	verifying := func(w http.ResponseWriter, r *http.Request, tolerance bool) bool {
		body, _ := io.ReadAll(r.Body)
		oracle, err := reference.NewWebhook(secret)
		if err != nil {
			t.Error(err)
		}
		if tolerance {
			err = oracle.Verify(body, r.Header)
		} else {
			err = oracle.VerifyIgnoringTimestamp(body, r.Header)
		}
		if err != nil {
			w.WriteHeader(401)
		}
		return err == nil
	}
	seen := map[string]bool{}
	var mu sync.Mutex
	for _, row := range []struct {
		name  string
		serve http.HandlerFunc
		exit  int
		fails []string
	}{
		{"as it should be", func(w http.ResponseWriter, r *http.Request) { verifying(w, r, true) }, 0, nil},
		{"believes everything", func(http.ResponseWriter, *http.Request) {}, 7, []string{"a bad signature", "another body under a good signature", "no signature", "an old timestamp", "a timestamp of the future"}},
		{"forgets the time", func(w http.ResponseWriter, r *http.Request) { verifying(w, r, false) }, 7, []string{"an old timestamp", "a timestamp of the future"}},
		{"refuses repetitions", func(w http.ResponseWriter, r *http.Request) {
			if verifying(w, r, true) {
				mu.Lock()
				defer mu.Unlock()
				if id := r.Header.Get("Webhook-Id"); seen[id] {
					w.WriteHeader(409)
				} else {
					seen[id] = true
				}
			}
		}, 7, []string{"the last one again"}},
		{"redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, 7, []string{"charge.created", "a bad signature"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewServer(row.serve)
			defer server.Close()
			c := newConsole(t, nil)
			out := c.must(row.exit, "webhooks", "exam", server.URL, "--secret", secret, "--json")
			var lines []struct{ Question, Grade string }
			if err := json.Unmarshal([]byte(out), &lines); err != nil || len(lines) < 50 {
				t.Fatalf("%v: %s", err, out)
			}
			wrong := map[string]bool{}
			for _, l := range lines {
				if l.Grade == "wrong" {
					wrong[l.Question] = true
				}
			}
			for _, f := range row.fails {
				if !wrong[f] {
					t.Errorf("%q is not found wrong", f)
				}
			}
			if row.name != "redirects" && len(wrong) != len(row.fails) {
				t.Errorf("wrong: %v", wrong)
			}
		})
	}
}
