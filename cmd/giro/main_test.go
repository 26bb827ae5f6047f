package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// binary builds giro once for all tests of the package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "giro-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "giro")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%v: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func giroCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// run runs a command that must succeed and returns what it printed.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := giroCommand(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("giro %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// server is a real process that serves.
type server struct {
	cmd *exec.Cmd
	credentials
}

func serve(t *testing.T, data string) *server {
	t.Helper()
	return serveWith(t, "--data", data)
}

func serveWith(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{cmd: giroCommand(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--json"}, args...)...)}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill(); s.cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &s.credentials); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	go io.Copy(io.Discard, out)
	return s
}

func (s *server) do(method, path, key, body string) (int, []byte, error) {
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, b, err
}

// TestKilledUnderLoad: what was answered is there after kill -9, nothing is
// there twice, and the books add up.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serve(t, data)
	key := s.Keys["test"].SecretKey
	if status, body, err := s.do("POST", "/v1/test/fund", key, `{"currency":"brl","amount":1000000000}`); err != nil || status >= 300 {
		t.Fatal(status, string(body), err)
	}
	answered := map[string]string{} // reference → id
	for round := range 3 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		enough := make(chan struct{})
		var once sync.Once
		for worker := range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for n := 0; ; n++ {
					reference := fmt.Sprintf("r%d-%d-%d", round, worker, n)
					status, body, err := s.do("POST", "/v1/payouts", key, `{"amount":1234,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria@example.com"},"reference":"`+reference+`"}`)
					if err != nil {
						return // killed
					}
					var m struct{ ID string }
					if json.Unmarshal(body, &m) != nil || status != 201 {
						return // cut off by the kill
					}
					mu.Lock()
					answered[reference] = m.ID
					if len(answered) >= 100*(round+1) {
						once.Do(func() { close(enough) })
					}
					mu.Unlock()
				}
			}()
		}
		<-enough
		s.cmd.Process.Kill()
		wg.Wait()
		s.cmd.Wait()
		s = serve(t, data)
	}
	for reference, id := range answered {
		status, body, err := s.do("GET", "/v1/payouts?reference="+reference, key, "")
		if err != nil || status != 200 {
			t.Fatal(status, string(body), err)
		}
		var page []struct{ ID string }
		if err := json.Unmarshal(body, &page); err != nil || len(page) != 1 || page[0].ID != id {
			t.Errorf("%s was answered as %s and is %s", reference, id, body)
		}
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
	var report struct{ OK bool }
	if out := run(t, "verify", "--data", data, "--json"); json.Unmarshal([]byte(out), &report) != nil || !report.OK {
		t.Error(out)
	}
}

// TestReadmeCommands runs what the README tells a newcomer to run.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "giro-data")
	seen := 0
	for line := range strings.Lines(string(readme)) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "go run ./cmd/giro ")
		if !ok {
			continue
		}
		seen++
		words := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(args, "giro-data", data), "giro-backup.db", filepath.Join(dir, "giro-backup.db")))
		switch words[0] {
		case "serve":
			s := serve(t, data)
			s.cmd.Process.Kill()
			s.cmd.Wait()
		case "demo":
			// Started below with the README's curl lines.
		default:
			run(t, words...)
		}
	}
	if seen < 5 {
		t.Errorf("the README has %d commands of giro, fewer than it should", seen)
	}
	restored := filepath.Join(dir, "restored")
	run(t, "restore", "--data", restored, filepath.Join(dir, "giro-backup.db"))
}

// demo runs giro demo until the test ends or stop is called, and reads its
// address and key.
func demo(t *testing.T, flags ...string) (s server, key string, stop func()) {
	t.Helper()
	cmd := giroCommand(t, append([]string{"demo", "--listen", "127.0.0.1:0"}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	t.Cleanup(stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		for word := range strings.FieldsSeq(lines.Text()) {
			if strings.HasPrefix(word, "http://") && s.URL == "" {
				s.URL = strings.TrimSuffix(word, ";")
			}
			if strings.HasPrefix(word, "sk_test_") && key == "" {
				key = word
			}
		}
		if strings.Contains(lines.Text(), "/docs") || strings.Contains(lines.Text(), "its keys were shown") {
			break
		}
	}
	return s, key, stop
}

// TestDemoGoesOn: a demo whose data is kept makes payments after a restart too,
// and its receivers are told of them where they are then.
func TestDemoGoesOn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, key, stop := demo(t, "--data", folder, "--days", "1")
	get := func(path string, v any) {
		t.Helper()
		status, body, err := s.do("GET", path, key, "")
		if err != nil || status != 200 || json.Unmarshal(body, v) != nil {
			t.Fatal(path, status, string(body), err)
		}
	}
	// newest is the last event that some endpoint has in this state.
	newest := func(state string) (event string) {
		var endpoints []struct{ ID string }
		get("/v1/webhook_endpoints", &endpoints)
		for _, p := range endpoints {
			var list []struct{ Event string }
			get("/v1/webhook_endpoints/"+p.ID+"/deliveries?limit=1&state="+state, &list)
			for _, d := range list {
				event = max(event, d.Event)
			}
		}
		return event
	}
	eventually(t, "a receiver takes events, another refuses some", func() bool { return newest("succeeded") != "" && newest("pending") != "" })
	var waiting []struct{ Type string }
	if get("/v1/attention", &waiting); len(waiting) == 0 {
		t.Error("nothing waits for anybody")
	}
	before := newest("succeeded")
	stop()
	s, _, _ = demo(t, "--data", folder, "--rate", "50")
	count := func(kind string) int {
		var counts struct{ All int }
		get("/v1/"+kind+"/counts", &counts)
		return counts.All
	}
	charges, payouts, transfers := count("charges"), count("payouts"), count("transfers")
	eventually(t, "payments of each kind are made", func() bool {
		return count("charges") > charges && count("payouts") > payouts && count("transfers") > transfers
	})
	eventually(t, "the receivers are told of them", func() bool { return newest("succeeded") > before })
}

func TestDemoAndTheReadmesCurlLines(t *testing.T) {
	t.Parallel()
	s, key, _ := demo(t, "--days", "5")
	status, body, err := s.do("POST", "/charges", key, `{"amount": 1000, "provider": "card", "currency": "usd", "card": {"token": "card_token"}}`)
	if err != nil || status != 201 || !bytes.Contains(body, []byte(`"amount_captured":1000`)) {
		t.Error(status, string(body), err)
	}
	for _, path := range []string{"/v1/transfers", "/v1/balances", "/docs", "/openapi.json"} {
		if status, body, err := s.do("GET", path, key, ""); err != nil || status != 200 || len(body) < 3 {
			t.Error(path, status, string(body), err)
		}
	}
}
