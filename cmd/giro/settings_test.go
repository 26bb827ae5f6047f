package main

import (
	"errors"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// stop ends the process as an operator does, and waits for it.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// askAs asks with a token and returns the answer.
func askAs(t *testing.T, s *server, path, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// TestAdminToken: a token given later replaces the one before, for good.
func TestAdminToken(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serve(t, data)
	first := s.AdminToken
	if got := askAs(t, s, "/v1/merchants", first).StatusCode; got != 200 {
		t.Fatalf("the first token: %d", got)
	}
	s.stop(t)
	s = serveWith(t, "--data", data, "--admin-token", "second-token")
	for token, want := range map[string]int{first: 401, "second-token": 200} {
		if got := askAs(t, s, "/v1/merchants", token).StatusCode; got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	s.stop(t)
	s = serve(t, data)
	for token, want := range map[string]int{first: 401, "second-token": 200} {
		if got := askAs(t, s, "/v1/merchants", token).StatusCode; got != want {
			t.Errorf("started again without the flag: %d, want %d", got, want)
		}
	}
	s.stop(t)
}

func TestServeLimits(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--idempotency-retention", "1h"}, {"--event-retention", "24h"}, {"--event-retention", "200h", "--idempotency-retention", "300h"}, {"--rate-limit", "-1"},
		{"--admin-token", "two words"}, {"--admin-token", "sk_test_x"}} {
		err := giroCommand(t, append([]string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, args...)...).Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitUsage {
			t.Errorf("%v: %v", args, err)
		}
	}
	s := serveWith(t, "--data", t.TempDir(), "--rate-limit", "1")
	key := s.Keys["test"].SecretKey
	// Forty at once, of which one a second is allowed: however slow the machine,
	// some come too soon.
	answers := make([]*http.Response, 40)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = askAs(t, s, "/v1/charges", key) })
	}
	wg.Wait()
	count := map[int]int{}
	for _, r := range answers {
		count[r.StatusCode]++
		if r.Header.Get("RateLimit-Policy") != `"default";q=2;w=2` || r.Header.Get("RateLimit") == "" || r.StatusCode == 429 && r.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v", r.StatusCode, r.Header)
		}
	}
	if count[200] < 2 || count[429] == 0 || count[200]+count[429] != len(answers) {
		t.Errorf("%v", count)
	}
	if r := askAs(t, s, "/v1/charges", s.Keys["live"].SecretKey); r.StatusCode != 200 {
		t.Errorf("another key: %d", r.StatusCode)
	}
	s.stop(t)
}
