package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"giro"
	"giro/api"
	"giro/internal/storetest"
	"giro/store"
	"giro/webhook"
)

// forbiddenURLs are the forms of the rules for webhook URLs, by their number.
var forbiddenURLs = []struct {
	row, code string
	urls      []string
}{
	{"174", "card_data_forbidden", []string{"https://example.com/?pan=4242424242424242", "https://example.com/4242424242424242"}},
	{"176", "url_forbidden", []string{"http://example.com/", "http://example.com:80/", "HTTP://example.com/"}},
	{"177", "url_forbidden", []string{
		"https://127.0.0.1/", "https://localhost/", "https://localhost./", "https://a.localhost/", "https://127.1/", "https://2130706433/",
		"https://0x7f000001/", "https://0177.0.0.1/", "https://0.0.0.0/", "https://127.0.0.1:443/", "https://LOCALHOST/", "https://127.0.0.1./",
		"https://0x7f.1/", "https://127.0.0.01/",
	}},
	{"178", "url_forbidden", []string{
		"https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/", "https://[fe80::1%25eth0]/",
		"https://[fe80::1]/", "https://[fd00::1]/", "https://[::]/", "https://[2002:7f00:1::]/", "https://[::127.0.0.1]/", "https://[64:ff9b:1::7f00:1]/",
	}},
	{"179", "url_forbidden", []string{
		"https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://100.64.0.1/",
		"https://100.127.255.255/", "https://169.254.169.254/", "https://192.0.0.8/", "https://198.18.0.1/", "https://198.19.255.255/",
		"https://224.0.0.1/", "https://239.255.255.255/", "https://240.0.0.1/", "https://255.255.255.255/",
	}},
	{"180", "url_forbidden", []string{"https://metadata.google.internal/", "https://METADATA.google.internal/", "https://100.100.100.200/"}},
	{"184", "url_forbidden", []string{"https://a@127.0.0.1/", "https://user:pass@example.com/", "https://example.com#@127.0.0.1/", "https://127.0.0.1\\\\@example.com/"}},
	{"185", "url_forbidden", []string{"file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "unix:///run/x", "data:text/plain,x", "javascript:alert(1)", "//example.com/", "example.com", "/hooks", "https:example.com"}},
	{"186", "port_forbidden", []string{"https://example.com:22/", "https://example.com:25/", "https://example.com:6379/", "https://example.com:5432/", "https://example.com:80/"}},
	{"187", "url_forbidden", []string{"https://giro.example.com/hooks", "https://GIRO.example.com:8443/", "https://203.0.113.7:8443/"}},
	{"188", "url_forbidden", []string{
		"https://example.com/" + strings.Repeat("a", 2029), "https://xn--a/", "https://example.com./", "https://example.com/%00", "https://example.com/a%0d%0ab",
		"https://example.com:/", "https://example.com:0/", "https://example.com:99999/", "https://exa mple.com/", "https://", "https:///x", "https://ex\u00e4mple.com/", "https://-a.example.com/",
	}},
}

// TestForbiddenURLs: each form is refused when an endpoint is made and when it is
// changed, with its code, and leaves no endpoint behind.
func TestForbiddenURLs(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t, store.Options{})
	r, server := running(t, s)
	send := func(method, path, body string) (int, map[string]any) {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+r.Vars["secret_key"])
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, req)
		var answer map[string]any
		json.Unmarshal(w.Body.Bytes(), &answer) // a list has no members to look at
		return w.Code, answer
	}
	status, made := send("POST", "/v1/webhook_endpoints", `{"url": "https://example.com:8443/hooks", "events": ["*"]}`)
	if status != http.StatusCreated {
		t.Fatal(status, made)
	}
	path := "/v1/webhook_endpoints/" + made["id"].(string)
	for _, group := range forbiddenURLs {
		for _, url := range group.urls {
			body := fmt.Sprintf(`{"url": %q, "events": ["*"]}`, url)
			for method, target := range map[string]string{"POST": "/v1/webhook_endpoints", "PUT": path} {
				status, answer := send(method, target, body)
				if status != 422 || answer["code"] != group.code || answer["param"] != "/url" {
					t.Errorf("row %s: %s %.80s: %d %v at %v, want 422 %s at /url", group.row, method, url, status, answer["code"], answer["param"], group.code)
				}
				if text := fmt.Sprint(answer["detail"]); len(url) > 12 && strings.Contains(text, url) {
					t.Errorf("row %s: the answer repeats the URL", group.row)
				}
			}
		}
	}
	if _, now := send("GET", path, ""); now["url"] != "https://example.com:8443/hooks" || now["version"] != 1.0 {
		t.Errorf("the endpoint has changed: %v", now)
	}
}

// TestEndpointLimit: however many are made at once, a merchant has 50 endpoints
// in a mode; the 51st is refused, and a deleted one makes room.
func TestEndpointLimit(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		s := d.Open(t, store.Options{})
		r, server := running(t, s)
		send := func(method, path, key string) *httptest.ResponseRecorder {
			req := httptest.NewRequest(method, path, strings.NewReader(`{"url": "https://example.com/hooks", "events": ["*"]}`))
			req.Header.Set("Authorization", "Bearer "+r.Vars[key])
			req.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			server.ServeHTTP(w, req)
			return w
		}
		var mu sync.Mutex
		statuses := map[int]int{}
		var wg sync.WaitGroup
		for range 55 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				w := send("POST", "/v1/webhook_endpoints", "secret_key")
				mu.Lock()
				defer mu.Unlock()
				statuses[w.Code]++
				if w.Code == 409 && !strings.Contains(w.Body.String(), `"endpoint_limit"`) {
					t.Errorf("%s", w.Body)
				}
			}()
		}
		wg.Wait()
		if statuses[201] != 50 || statuses[409] != 5 {
			t.Fatalf("%v", statuses)
		}
		if w := send("POST", "/v1/webhook_endpoints", "live_key"); w.Code != 201 {
			t.Errorf("the other mode: %d", w.Code)
		}
		var list []struct{ ID string }
		if err := json.Unmarshal(send("GET", "/v1/webhook_endpoints", "secret_key").Body.Bytes(), &list); err != nil || len(list) != 50 {
			t.Fatal(len(list), err)
		}
		if w := send("DELETE", "/v1/webhook_endpoints/"+list[7].ID, "secret_key"); w.Code != 200 {
			t.Fatal(w.Code)
		}
		if w := send("POST", "/v1/webhook_endpoints", "secret_key"); w.Code != 201 {
			t.Errorf("after one was deleted: %d %s", w.Code, w.Body)
		}
	})
}

// TestWebhookRoutesUnderAKey: what is done under an Idempotency-Key is done once,
// and its answer comes again, byte for byte, also when the endpoint is gone by
// then; another request with the key is refused.
func TestWebhookRoutesUnderAKey(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		var messages atomic.Int64
		entered, release := make(chan struct{}, 100), make(chan struct{})
		receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			messages.Add(1)
			entered <- struct{}{}
			<-release
		}))
		defer receiver.Close()
		h := prepare(t, s, folder, func(e *giro.Engine, c *api.Config) {
			c.Webhooks = hooks(e, webhook.Policy{AllowPrivate: true})
		})
		send := func(request, key, body string) wireAnswer {
			t.Helper()
			var headers []string
			if key != "" {
				headers = append(headers, "Idempotency-Key: "+key)
			}
			return h.send(t, request, headers, body)
		}
		replay := func(request, key, body string, first wireAnswer) {
			t.Helper()
			a := send(request, key, body)
			if a.status != first.status || string(a.body) != string(first.body) || a.header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s again: %d %s, replayed %q\nfirst: %d %s", request, a.status, a.body, a.header.Get("Idempotent-Replayed"), first.status, first.body)
			}
		}
		made := func(body string) string {
			t.Helper()
			a := send("POST /v1/webhook_endpoints", "", body)
			if a.status != 201 {
				t.Fatal(a.status, string(a.body))
			}
			return a.text("id")
		}
		id := made(`{"url": "` + receiver.URL + `", "events": ["*"]}`)
		other := made(`{"url": "` + receiver.URL + `", "events": ["*"]}`)
		path := "POST /v1/webhook_endpoints/" + id
		row := func(event string) string {
			t.Helper()
			a := send("GET /v1/webhook_endpoints/"+id+"/deliveries/"+event, "", "")
			if a.status != 200 {
				t.Fatal(a.status, string(a.body))
			}
			return string(a.body)
		}

		// Three at once make one attempt.
		answers := make(chan wireAnswer, 3)
		for range cap(answers) {
			go func() { answers <- h.send(t, path+"/test", []string{"Idempotency-Key: t1"}, "") }()
		}
		<-entered
		close(release)
		first := <-answers
		for range cap(answers) - 1 {
			if a := <-answers; a.status != 200 || string(a.body) != string(first.body) {
				t.Errorf("one at the same time got %d %s\nand another one %s", a.status, a.body, first.body)
			}
		}
		if first.text("state") != "succeeded" || messages.Load() != 1 {
			t.Fatalf("%s; %d messages", first.body, messages.Load())
		}
		replay(path+"/test", "t1", "", first)
		if a := send("POST /v1/webhook_endpoints/"+other+"/test", "t1", ""); a.status != 422 || a.code() != "idempotency_key_reused" {
			t.Errorf("another endpoint with the key: %d %s", a.status, a.body)
		}
		if a := send(path+"/test", "t2", ""); a.status != 200 || string(a.body) == string(first.body) || messages.Load() != 2 {
			t.Errorf("a new key: %d %s; %d messages", a.status, a.body, messages.Load())
		}

		// Nothing is sent here, so what is made due stays as it was made.
		var events []struct{ ID, Type string }
		if err := json.Unmarshal(send("GET /v1/events?after=0", "", "").body, &events); err != nil || len(events) == 0 {
			t.Fatal(err, events)
		}
		event := events[0].ID
		resend, one := "POST /v1/events/"+event+"/resend", `{"endpoint": "`+id+`"}`
		first = send(resend, "s1", one)
		if first.status != 200 || !strings.Contains(string(first.body), event) {
			t.Fatalf("%d %s", first.status, first.body)
		}
		due := row(event)
		replay(resend, "s1", one, first)
		if now := row(event); now != due {
			t.Errorf("a repeated resend changed the delivery from %s to %s", due, now)
		}
		if a := send(resend, "s1", `{"endpoint": "`+other+`"}`); a.status != 422 || a.code() != "idempotency_key_reused" || !strings.Contains(a.text("detail"), "endpoint") {
			t.Errorf("another body with the key: %d %s", a.status, a.body)
		}
		if a := send("POST /v1/events/evt_01h455vb4pex5vsknk084sn02q/resend", "s2", ""); a.status != 404 {
			t.Errorf("an unknown event: %d %s", a.status, a.body)
		}
		if a := send(resend, "s2", ""); a.status != 200 {
			t.Errorf("a key that was used for nothing: %d %s", a.status, a.body)
		}

		since := `{"since": "2020-01-01T00:00:00Z"}`
		first = send(path+"/recover", "r1", since)
		if first.status != 200 || first.text("recovered") == "0" {
			t.Fatalf("%d %s", first.status, first.body)
		}
		due = row(event)
		replay(path+"/recover", "r1", since, first)
		if now := row(event); now != due {
			t.Errorf("a repeated recovery changed the delivery from %s to %s", due, now)
		}

		// A refusal is kept, too.
		off := `{"enabled": false}`
		if a := send("PUT /v1/webhook_endpoints/"+id, "", off); a.status != 200 {
			t.Fatal(a.status, string(a.body))
		}
		for _, c := range []struct{ request, key, body string }{{path + "/test", "d1", ""}, {path + "/recover", "d2", since}, {resend, "d3", one}} {
			a := send(c.request, c.key, c.body)
			if a.status != 409 || a.code() != "invalid_state" {
				t.Errorf("%s of a disabled endpoint: %d %s", c.request, a.status, a.body)
			}
			replay(c.request, c.key, c.body, a)
		}
		if a := send("DELETE /v1/webhook_endpoints/"+id, "", ""); a.status != 200 {
			t.Fatal(a.status, string(a.body))
		}
		replay(path+"/recover", "r1", since, first)
		if a := send(path+"/recover", "r2", since); a.status != 404 {
			t.Errorf("of a deleted endpoint: %d %s", a.status, a.body)
		}
		if messages.Load() != 2 {
			t.Errorf("%d messages", messages.Load())
		}

		id = made(`{"events": ["*"]}`) // a listener
		outcome := "POST /v1/webhook_endpoints/" + id + "/deliveries/" + event + "/outcome"
		first = send(outcome, "o1", `{"status": 500}`)
		if first.status != 200 {
			t.Fatal(first.status, string(first.body))
		}
		replay(outcome, "o1", `{"status": 500}`, first)
		if !strings.Contains(row(event), `"attempts":1,`) {
			t.Errorf("a repeated report is another attempt: %s", row(event))
		}
		if a := send(outcome, "o2", `{"status": 200}`); a.status != 200 || !strings.Contains(row(event), `"attempts":2,`) {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
