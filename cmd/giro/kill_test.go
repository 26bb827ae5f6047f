package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"giro/internal/pgtest"
)

// installationArgs are the arguments of processes on one store: an embedded one,
// or a PostgreSQL database that several may share.
func installationArgs(t *testing.T, database string) []string {
	t.Helper()
	args := []string{"--data", filepath.Join(t.TempDir(), "data")}
	if database == "postgres" {
		args = append(args, "--database", pgtest.Open(t))
	}
	return args
}

// send is a request with an Idempotency-Key; simulate names a sandbox outcome.
func (s *server) send(client *http.Client, key, path, idempotency, simulate, body string) (int, []byte, error) {
	r, err := http.NewRequest("POST", s.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", idempotency)
	if simulate != "" {
		r.Header.Set("Giro-Simulate", simulate)
	}
	a, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(a.Body)
	return a.StatusCode, b.Bytes(), err
}

// read fetches JSON that must be there.
func read(t *testing.T, s *server, key, path string, into any) {
	t.Helper()
	status, body, err := s.do("GET", path, key, "")
	if err != nil || status != 200 {
		t.Fatal(path, status, string(body), err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
}

type railRow struct {
	Instruction, Object string
	Submits             int
	Done                bool
}

// TestTwoProcessesOneKey: 50 identical requests at once, to two processes on one
// database, make one object, one instruction at the rail and 50 equal answers.
func TestTwoProcessesOneKey(t *testing.T) {
	t.Parallel()
	args := installationArgs(t, "postgres")
	one := serveWith(t, args...)
	two := serveWith(t, args...)
	key := one.Keys["test"].SecretKey
	if status, body, err := one.do("POST", "/v1/test/fund", key, `{"currency":"brl","amount":10000000}`); err != nil || status >= 300 {
		t.Fatal(status, string(body), err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	for _, c := range []struct{ path, simulate, body string }{
		{"/v1/payouts", "", `{"amount":1234,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria@example.com"}}`},
		{"/v1/charges", "", `{"amount":1234,"currency":"brl","provider":"card","card":{"token":"card_token"}}`},
		{"/v1/charges", "timeout", `{"amount":1235,"currency":"brl","provider":"card","card":{"token":"card_token"}}`},
	} {
		name := c.path + " " + c.simulate
		type answer struct {
			status int
			body   string
		}
		answers := make([]answer, 50)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				s := one
				if i%2 == 1 {
					s = two
				}
				status, body, err := s.send(client, key, c.path, "once"+c.simulate+c.path, c.simulate, c.body)
				if err != nil {
					t.Error(err)
				}
				answers[i] = answer{status, string(body)}
			}()
		}
		wg.Wait()
		for _, a := range answers {
			if a != answers[0] || a.status != 201 {
				t.Fatalf("%s: answered %v and %v", name, a, answers[0])
			}
		}
		var m struct{ ID string }
		if err := json.Unmarshal([]byte(answers[0].body), &m); err != nil {
			t.Fatal(err)
		}
		var page struct {
			TotalItems int `json:"total_items"`
		}
		read(t, two, key, c.path+"?page=1", &page)
		want := 1
		if c.simulate != "" {
			want = 2
		}
		if page.TotalItems != want {
			t.Errorf("%s: %d objects, want %d", name, page.TotalItems, want)
		}
		// The payout's job may not have run yet.
		deadline := time.NewTimer(20 * time.Second)
		defer deadline.Stop()
		for rows := []railRow{}; ; {
			read(t, one, key, "/v1/test/rail/log", &rows)
			found, done := 0, false
			for _, r := range rows {
				if r.Object == m.ID {
					found++
					done = r.Done
					if r.Submits != 1 {
						t.Errorf("%s: submitted %d times", name, r.Submits)
					}
				}
			}
			if found == 1 && done {
				break
			}
			if found > 1 {
				t.Fatalf("%s: %d instructions", name, found)
			}
			select {
			case <-deadline.C:
				t.Fatalf("%s: %d instructions, done %v", name, found, done)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// TestTwoProcessesOneBalance: refunds and payouts sent to two processes at once
// never take more than there is.
func TestTwoProcessesOneBalance(t *testing.T) {
	t.Parallel()
	args := installationArgs(t, "postgres")
	servers := []*server{serveWith(t, args...), serveWith(t, args...)}
	key := servers[0].Keys["test"].SecretKey
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	if status, body, err := servers[0].do("POST", "/v1/test/fund", key, `{"currency":"brl","amount":100000}`); err != nil || status >= 300 {
		t.Fatal(status, string(body), err)
	}
	status, body, err := servers[0].send(client, key, "/v1/charges", "charge", "", `{"amount":10000,"currency":"usd","provider":"card","card":{"token":"card_token"}}`)
	if err != nil || status != 201 {
		t.Fatal(status, string(body), err)
	}
	var charge struct{ ID string }
	if err := json.Unmarshal(body, &charge); err != nil {
		t.Fatal(err)
	}
	var paid, given atomic.Int64
	var wg sync.WaitGroup
	for i := range 128 {
		wg.Add(2)
		amount := rand.Int64N(3000) + 1
		go func() {
			defer wg.Done()
			status, body, err := servers[i%2].send(client, key, "/v1/payouts", fmt.Sprintf("p%d", i), "", fmt.Sprintf(`{"amount":%d,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria@example.com"}}`, amount))
			switch {
			case err == nil && status == 201:
				paid.Add(amount)
			case err != nil || status != 409 || !bytes.Contains(body, []byte(`"insufficient_funds"`)):
				t.Error(status, string(body), err)
			}
		}()
		go func() {
			defer wg.Done()
			part := amount/10 + 1
			status, body, err := servers[i%2].send(client, key, "/v1/refunds", fmt.Sprintf("r%d", i), "", fmt.Sprintf(`{"charge":%q,"amount":%d}`, charge.ID, part))
			switch {
			case err == nil && status == 201:
				given.Add(part)
			case err != nil || status != 409 || !bytes.Contains(body, []byte(`"refund_exceeds_charge"`)):
				t.Error(status, string(body), err)
			}
		}()
	}
	wg.Wait()
	if p, g := paid.Load(), given.Load(); p > 100_000 || p < 97_000 || g > 10_000 || g < 9_700 {
		t.Errorf("%d of 100,000 were paid out and %d of 10,000 given back", p, g)
	}
	stop(t, servers...)
	run(t, append([]string{"verify"}, args...)...)
}

// TestKilledAtAnyMoment: whatever a process was doing when it was killed, every
// answered request is there, none is there twice although its client repeated
// it, nothing is stuck and the books add up.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		database  string
		processes int
	}{{"sqlite", 1}, {"postgres", 2}} {
		t.Run(c.database, func(t *testing.T) {
			t.Parallel()
			args := installationArgs(t, c.database)
			slots := make([]atomic.Pointer[server], c.processes)
			var key string
			for i := range slots {
				s := serveWith(t, args...)
				slots[i].Store(s)
				if i == 0 {
					key = s.Keys["test"].SecretKey
				}
			}
			if status, body, err := slots[0].Load().do("POST", "/v1/test/fund", key, `{"currency":"brl","amount":1000000000}`); err != nil || status >= 300 {
				t.Fatal(status, string(body), err)
			}

			kinds := []struct{ path, body string }{
				{"/v1/payouts", `{"amount":1234,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria@example.com"},"reference":%q}`},
				{"/v1/charges", `{"amount":4321,"currency":"brl","provider":"card","card":{"token":"card_token"},"reference":%q}`},
				{"/v1/payouts", `{"amount":1009700,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria@example.com"},"reference":%q}`}, // answer lost, done
			}
			const workers, kills, perKill = 6, 4, 25
			var mu sync.Mutex
			answered := map[string]string{} // path and reference → id
			var count atomic.Int64
			enough := make(chan struct{})
			reached := make(chan struct{}, 1)
			var wg sync.WaitGroup
			for worker := range workers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
					for n := 0; ; n++ {
						select {
						case <-enough:
							return
						default:
						}
						kind := kinds[n%len(kinds)]
						reference := fmt.Sprintf("w%d-%d", worker, n)
						deadline := time.Now().Add(30 * time.Second)
						for attempt := 0; ; attempt++ {
							s := slots[(worker+attempt)%len(slots)].Load()
							status, body, err := s.send(client, key, kind.path, reference, "", fmt.Sprintf(kind.body, reference))
							if err == nil && status == 201 {
								var m struct{ ID string }
								if err := json.Unmarshal(body, &m); err != nil {
									t.Error(err)
									return
								}
								mu.Lock()
								answered[kind.path+"?reference="+reference] = m.ID
								mu.Unlock()
								break
							}
							if err == nil && status != 503 && status != 409 {
								t.Errorf("%s: %d %s", reference, status, body)
								return
							}
							if time.Now().After(deadline) {
								t.Errorf("%s was not answered: %d %s %v", reference, status, body, err)
								return
							}
							if err != nil {
								<-time.After(5 * time.Millisecond) // the process is gone; its successor comes
							}
						}
						count.Add(1)
						select {
						case reached <- struct{}{}:
						default:
						}
					}
				}()
			}
			// The moment is random: requests stand at every stage whenever one is answered.
			for kill := range kills {
				goal := count.Load() + perKill + rand.Int64N(perKill)
				for count.Load() < goal && !t.Failed() {
					select {
					case <-reached:
					case <-time.After(30 * time.Second):
						t.Fatal("no request is answered any more")
					}
				}
				slot := &slots[kill%len(slots)]
				if kill == kills-1 {
					end(t, slot.Load())
				} else {
					stop(t, slot.Load())
				}
				before := time.Now()
				slot.Store(serveWith(t, args...))
				t.Logf("serves again after %v", time.Since(before).Round(time.Millisecond))
			}
			close(enough)
			wg.Wait()
			if t.Failed() {
				return
			}

			s := slots[0].Load()
			deadline := time.NewTimer(30 * time.Second)
			defer deadline.Stop()
			for _, path := range []string{"/v1/payouts?status=pending,onhold", "/v1/charges?status=pending,onhold"} {
				for open := []json.RawMessage{}; ; {
					if read(t, s, key, path, &open); len(open) == 0 {
						break
					}
					select {
					case <-deadline.C:
						t.Fatalf("stuck: %d, one is %s", len(open), open[0])
					case <-time.After(50 * time.Millisecond):
					}
				}
			}
			want := map[string]int{}
			for path, id := range answered {
				var page []struct{ ID string }
				if read(t, s, key, path, &page); len(page) != 1 || page[0].ID != id {
					t.Errorf("%s was answered as %s and is %v", path, id, page)
				}
				kind, _, _ := strings.Cut(path, "?")
				want[kind]++
			}
			for kind, n := range want {
				var page struct {
					TotalItems int `json:"total_items"`
				}
				if read(t, s, key, kind+"?page=1", &page); page.TotalItems != n {
					t.Errorf("%d requests for %s were answered, and there are %d", n, kind, page.TotalItems)
				}
			}
			var rows []railRow
			read(t, s, key, "/v1/test/rail/log", &rows)
			objects := map[string]bool{}
			for _, r := range rows {
				if r.Submits != 1 || !r.Done || objects[r.Object] {
					t.Errorf("%s of %s: submitted %d times, done %v", r.Instruction, r.Object, r.Submits, r.Done)
				}
				objects[r.Object] = true
			}
			if len(answered) < 1000 && len(rows) != len(answered) {
				t.Errorf("%d instructions for %d requests", len(rows), len(answered))
			}
			for i := range slots {
				stop(t, slots[i].Load())
			}
			run(t, append([]string{"verify"}, args...)...)
		})
	}
}

// end asks a process to end, which it does in its own time and without an error.
func end(t *testing.T, s *server) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// stop kills processes and waits for their end.
func stop(t *testing.T, servers ...*server) {
	t.Helper()
	for _, s := range servers {
		if err := s.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		s.cmd.Wait()
	}
}
