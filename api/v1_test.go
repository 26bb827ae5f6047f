package api_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/internal/storetest"
	"giro/internal/webscript"
	"giro/rail"
	"giro/store"
	"giro/webhook"
)

// hooks is what the server tells webhooks with; nothing is sent but tests.
func hooks(e *giro.Engine, p webhook.Policy) *api.Webhooks {
	d := &webhook.Dispatcher{Engine: e, Client: webhook.NewClient(webhook.Config{Policy: p})}
	return &api.Webhooks{
		CheckURL:  func(url string) error { return webhook.CheckURL(url, p) },
		LookUp:    d.Client.LookUp,
		NewSecret: func() string { return webhook.NewSecret().Reveal() },
		Test:      d.Test,
	}
}

// running is a server on a real engine and store, with one merchant.
func running(t *testing.T, s giro.Store) (*webscript.Runner, *api.Server) {
	t.Helper()
	engine := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
	engine.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: engine}, "manual": rail.Manual{}, "smartfastpay": provider(engine)}
	engine.Start()
	t.Cleanup(func() {
		engine.Stop()
		s.Close()
	})
	merchant, err := engine.CreateMerchant(t.Context(), &giro.Call{Merchant: &giro.Merchant{}, Admin: true}, giro.Merchant{Name: "First"})
	if err != nil {
		t.Fatal(err)
	}
	test, err := engine.CreateKeySet(t.Context(), merchant, false)
	if err != nil {
		t.Fatal(err)
	}
	live, err := engine.CreateKeySet(t.Context(), merchant, true)
	if err != nil {
		t.Fatal(err)
	}
	jump, err := engine.CreateClient(t.Context(), &giro.Call{Merchant: merchant}, merchant, false, "jumppag")
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Config{
		Engine: engine, Now: time.Now, NewID: engine.NewID, Secret: engine.Secret[:],
		Admin:    func(token string) bool { return token == "adm_of_this_test" },
		Webhooks: hooks(engine, webhook.Policy{Own: []string{"giro.example.com", "203.0.113.7:8443"}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := webscript.Handler(server)
	r.Vars = map[string]string{"secret_key": test.SecretKey, "publishable_key": test.PublishableKey, "live_key": live.SecretKey, "admin_token": "adm_of_this_test",
		"client": basic(test.ClientID, test.ClientSecret), "jump_client": basic(jump.Client.ClientID, jump.Secret), "live_client": basic(live.ClientID, live.ClientSecret),
		"client_id": test.ClientID, "client_secret": test.ClientSecret}
	return r, server
}

func basic(id, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
}

// provider is the rail to a provider that no test of this package reaches.
func provider(e *giro.Engine) giro.Rail {
	return &rail.SmartFastPay{Now: time.Now, HTTP: &http.Client{Transport: unreachable{}}, Verify: webhook.VerifySmartFastPay,
		Account: func(ctx context.Context, book giro.Book) (*giro.RailAccount, error) {
			m, err := e.Merchant(ctx, book.Merchant())
			if err != nil {
				return nil, err
			}
			return e.RailAccount(ctx, m, "smartfastpay")
		}}
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to the provider")
}

// TestScripts runs every script of testdata/v1 on both databases.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/v1/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				script, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				r, _ := running(t, d.Fresh(t).Open(t, store.Options{}))
				if err := r.Run(file, string(script)); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestStream reads an event over a live connection, goes on after it, and sees
// the stream end when the server shuts down.
func TestStream(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t, store.Options{})
	r, server := running(t, s)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := server.HTTP()
	go h.Serve(listener)
	open := func(header, value string) *bufio.Scanner {
		req, err := http.NewRequest("GET", "http://"+listener.Addr().String()+"/v1/stream?types=charge.*", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.Vars["secret_key"])
		req.Header.Set(header, value)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatal(resp, err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		lines := bufio.NewScanner(resp.Body)
		lines.Scan() // "retry: …": from here on nothing is missed
		return lines
	}
	next := func(lines *bufio.Scanner, prefix string) string {
		for lines.Scan() {
			if v, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				return v
			}
		}
		t.Fatalf("the stream ended before %q: %v", prefix, lines.Err())
		return ""
	}
	live := open("X-Test", "1")
	const charge = "POST /charges\nAuthorization: Bearer {{secret_key}}\n{\"amount\": 1, \"currency\": \"usd\", \"provider\": \"card\", \"card\": {\"token\": \"tok_ok\"}}\n> status 201"
	if err := r.Run("charge", charge); err != nil {
		t.Fatal(err)
	}
	if id, typ := next(live, "id: "), next(live, "event: "); id != "1" || typ != "charge.created" {
		t.Errorf("first %s %s", id, typ)
	}
	if data := next(live, "data: "); !strings.Contains(data, `"data":{"object":{"id":"ch_`) {
		t.Errorf("data %s", data)
	}
	again := open("Last-Event-ID", "1")
	if id, typ := next(again, "id: "), next(again, "event: "); id != "2" || typ != "charge.succeeded" {
		t.Errorf("resumed at %s %s", id, typ)
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for again.Scan() { // what was on its way, then the end
	}
}
