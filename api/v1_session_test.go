package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/internal/storetest"
	"giro/rail"
	"giro/store"
)

// office is a server with a clock of its own and a first merchant, whose people
// the tests invite.
type office struct {
	t        *testing.T
	engine   *giro.Engine
	server   *api.Server
	merchant *giro.Merchant
	secret   string       // a test key of the merchant
	ahead    atomic.Int64 // ns that the clock is ahead of the real one
	stopped  atomic.Int64 // Unix ns at which it stands; 0: it goes
}

// onBothOffices runs a test on both databases.
func onBothOffices(t *testing.T, test func(t *testing.T, o *office)) {
	onBothOfficesWith(t, func(s giro.Store) giro.Store { return s }, test)
}

// onBothOfficesWith lets something stand before the store.
func onBothOfficesWith(t *testing.T, before func(giro.Store) giro.Store, test func(t *testing.T, o *office)) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		o := &office{t: t}
		now := func() time.Time {
			at := time.Now()
			if n := o.stopped.Load(); n != 0 {
				at = time.Unix(0, n)
			}
			return at.Add(time.Duration(o.ahead.Load()))
		}
		s := d.Open(t, store.Options{Now: now})
		o.engine = &giro.Engine{Store: before(s), Now: now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
		o.engine.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: o.engine}, "manual": rail.Manual{}}
		o.engine.Start()
		t.Cleanup(func() {
			o.engine.Stop()
			s.Close()
		})
		var err error
		if o.merchant, err = o.engine.CreateMerchant(t.Context(), nil, giro.Merchant{Name: "First", Currency: "BRL"}); err != nil {
			t.Fatal(err)
		}
		keys, err := o.engine.CreateKeySet(t.Context(), o.merchant, false)
		if err != nil {
			t.Fatal(err)
		}
		o.secret = keys.SecretKey
		o.server, err = api.New(api.Config{Engine: o.engine, Now: now, NewID: o.engine.NewID, Secret: o.engine.Secret[:],
			Admin: func(token string) bool { return token == "adm_of_this_test" }})
		if err != nil {
			t.Fatal(err)
		}
		test(t, o)
	})
}

// reply is a response with its body read.
type reply struct {
	*http.Response
	body []byte
}

func (a reply) text(name string) string {
	var m map[string]any
	json.Unmarshal(a.body, &m)
	if s, ok := m[name].(string); ok {
		return s
	}
	return ""
}

func (a reply) cookie() *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == giro.SessionCookie || c.Name == giro.SecureSessionCookie {
			return c
		}
	}
	return nil
}

// ask sends a request as a page of the host itself; headers are "Name: value".
func (o *office) ask(cookie *http.Cookie, method, path, body string, headers ...string) reply {
	o.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	o.server.ServeHTTP(w, r)
	resp := w.Result()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return reply{resp, b}
}

func (o *office) want(a reply, status int, code string) reply {
	o.t.Helper()
	if a.StatusCode != status || code != "" && a.text("code") != code {
		o.t.Fatalf("%d %s instead of %d %s", a.StatusCode, a.body, status, code)
	}
	return a
}

// person invites somebody and signs them in.
func (o *office) person(duty giro.Duty) *http.Cookie {
	o.t.Helper()
	made, err := o.engine.Invite(o.t.Context(), nil, giro.Invitation{Purpose: giro.InviteJoin, Merchant: o.merchant.ID, Number: o.merchant.Number,
		Email: string(duty) + "@example.com", Duty: duty})
	if err != nil {
		o.t.Fatal(err)
	}
	a := o.want(o.ask(nil, "POST", "/v1/session/accept", fmt.Sprintf(`{"token":%q,"name":"A %s","password":"a long enough %s"}`, made.Token, duty, duty)), 201, "")
	c := a.cookie()
	if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		o.t.Fatalf("the cookie is %v", c)
	}
	return c
}

func TestSessions(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		// The first link names its owner and works once.
		made, err := o.engine.Invite(t.Context(), nil, giro.Invitation{Purpose: giro.InviteFirst, Merchant: o.merchant.ID, Number: o.merchant.Number, Duty: giro.DutyOwner})
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"token":%q,"name":"Ana","email":"Ana@Example.com","password":"correct horse battery"}`, made.Token)
		o.want(o.ask(nil, "POST", "/v1/session/accept", strings.Replace(body, "correct horse battery", "short", 1)), 422, "invalid_length")
		o.want(o.ask(nil, "POST", "/v1/session/accept", strings.Replace(body, `"Ana"`, `"Ana","role":"owner"`, 1)), 422, "unknown_field")
		first := o.want(o.ask(nil, "POST", "/v1/session/accept", body), 201, "").cookie()
		o.want(o.ask(nil, "POST", "/v1/session/accept", body), 400, "link_invalid")
		o.want(o.ask(nil, "POST", "/v1/session/accept", strings.Replace(body, made.Token, strings.Repeat("0", 40), 1)), 400, "link_invalid")

		a := o.want(o.ask(first, "GET", "/v1/session", ""), 200, "")
		if a.text("role") != "owner" || !strings.Contains(string(a.body), `"refunds.write"`) || !strings.Contains(string(a.body), `"ana@example.com"`) {
			t.Fatalf("the session is %s", a.body)
		}
		// What the cookie speaks for is the API itself.
		o.want(o.ask(first, "POST", "/v1/charges", `{"amount":1000,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`), 201, "")
		o.want(o.ask(first, "GET", "/v1/charges", ""), 200, "")
		o.want(o.ask(first, "GET", "/v1/charges", "", "Giro-Mode: live"), 200, "")
		o.want(o.ask(first, "GET", "/v1/charges", "", "Giro-Mode: both"), 400, "invalid_header")
		o.want(o.ask(first, "GET", "/v1/charges", "", "Giro-Merchant: mer_01h455vb4pex5vsknk084sn02q"), 403, "forbidden")
		o.want(o.ask(first, "POST", "/v1/test/fund", `{"amount":1000,"currency":"brl"}`, "Giro-Mode: live"), 403, "test_mode_only")
		o.want(o.ask(first, "POST", "/v1/merchants", `{"name":"Mine"}`), 403, "forbidden")

		// Another page's request is refused, and one of which nobody can tell.
		charge := `{"amount":1,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`
		for _, headers := range [][]string{
			{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Sec-Fetch-Site: none"}, {"Sec-Fetch-Site: "},
			{"Sec-Fetch-Site: ", "Origin: http://localhost:3000"}, {"Sec-Fetch-Site: ", "Origin: null"}, {"Sec-Fetch-Site: ", "Origin: https://evil.example"},
		} {
			o.want(o.ask(first, "POST", "/v1/charges", charge, headers...), 403, "csrf")
			o.want(o.ask(first, "DELETE", "/v1/session", "", headers...), 403, "csrf")
		}
		o.want(o.ask(first, "POST", "/v1/charges", charge, "Sec-Fetch-Site: ", "Origin: http://localhost:8080"), 201, "")
		o.want(o.ask(nil, "POST", "/v1/session", `{"email":"ana@example.com","password":"correct horse battery"}`, "Sec-Fetch-Site: cross-site"), 403, "csrf")

		// Signing in again makes another token and ends the one before (fixation).
		second := o.want(o.ask(first, "POST", "/v1/session", `{"email":"ANA@example.com","password":"correct horse battery"}`), 201, "").cookie()
		if second.Value == first.Value {
			t.Fatal("the token stayed")
		}
		o.want(o.ask(first, "GET", "/v1/session", ""), 401, "unauthenticated")
		planted := &http.Cookie{Name: giro.SessionCookie, Value: strings.Repeat("a", 40)}
		third := o.want(o.ask(planted, "POST", "/v1/session", `{"email":"ana@example.com","password":"correct horse battery"}`), 201, "").cookie()
		o.want(o.ask(planted, "GET", "/v1/session", ""), 401, "unauthenticated")

		// A new password ends the other sessions.
		o.want(o.ask(third, "POST", "/v1/session/password", `{"old_password":"wrong","password":"another long one"}`), 422, "invalid_value")
		o.want(o.ask(third, "POST", "/v1/session/password", `{"old_password":"correct horse battery","password":"another long one"}`), 200, "")
		o.want(o.ask(second, "GET", "/v1/session", ""), 401, "unauthenticated")
		o.want(o.ask(third, "GET", "/v1/session", ""), 200, "")
		o.want(o.ask(nil, "POST", "/v1/session", `{"email":"ana@example.com","password":"correct horse battery"}`), 401, "unauthenticated")

		// Preferences stay with the person.
		o.want(o.ask(third, "PUT", "/v1/session/preferences", `{"preferences":{"theme":"dark","locale":"pt-BR"}}`), 200, "")
		a = o.want(o.ask(third, "PUT", "/v1/session/preferences", `{"preferences":{"theme":""},"name":"Ana M."}`), 200, "")
		if !strings.Contains(string(a.body), `"preferences":{"locale":"pt-BR"}`) || !strings.Contains(string(a.body), `"Ana M."`) {
			t.Fatalf("the preferences are %s", a.body)
		}

		// Unused for half a day it ends, and after a week however much it is used.
		o.ahead.Add(int64(11 * time.Hour))
		o.want(o.ask(third, "GET", "/v1/session", ""), 200, "")
		o.ahead.Add(int64(11 * time.Hour))
		o.want(o.ask(third, "GET", "/v1/session", ""), 200, "")
		o.ahead.Add(int64(13 * time.Hour))
		o.want(o.ask(third, "GET", "/v1/session", ""), 401, "unauthenticated")
		last := o.want(o.ask(nil, "POST", "/v1/session", `{"email":"ana@example.com","password":"another long one"}`), 201, "").cookie()
		for range 15 {
			o.want(o.ask(last, "GET", "/v1/session", ""), 200, "")
			o.ahead.Add(int64(11 * time.Hour))
		}
		o.ahead.Add(int64(4 * time.Hour))
		o.want(o.ask(last, "GET", "/v1/session", ""), 401, "unauthenticated")
		last = o.want(o.ask(nil, "POST", "/v1/session", `{"email":"ana@example.com","password":"another long one"}`), 201, "").cookie()
		o.want(o.ask(last, "DELETE", "/v1/session", ""), 200, "")
		o.want(o.ask(last, "GET", "/v1/session", ""), 401, "unauthenticated")

		// Objects in place of strings, endless passwords, plain http from afar.
		o.want(o.ask(nil, "POST", "/v1/session", `{"email":{"$ne":1},"password":"x"}`), 422, "invalid_type")
		o.want(o.ask(nil, "POST", "/v1/session", `{"email":"ana@example.com","password":{"$gt":""}}`), 422, "invalid_type")
		o.want(o.ask(nil, "POST", "/v1/session", `{"email":"ana@example.com","password":"`+strings.Repeat("x", 1_000_000)+`"}`), 422, "")
		r := httptest.NewRequest("POST", "http://pay.example.com/v1/session", strings.NewReader(`{"email":"ana@example.com","password":"another long one"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		o.server.ServeHTTP(w, r)
		if w.Code != 403 || len(w.Result().Cookies()) > 0 {
			t.Fatalf("a session over plain http: %d %v", w.Code, w.Result().Cookies())
		}
		if r = httptest.NewRequest("POST", "https://pay.example.com/v1/session", strings.NewReader(`{"email":"ana@example.com","password":"another long one"}`)); r.TLS == nil {
			t.Fatal("not over TLS")
		}
		r.Header.Set("Content-Type", "application/json")
		w = httptest.NewRecorder()
		o.server.ServeHTTP(w, r)
		if c := (reply{Response: w.Result()}).cookie(); c == nil || c.Name != "__Host-giro_session" || !c.Secure || c.Domain != "" {
			t.Fatalf("the cookie over TLS is %v", c)
		}
	})
}

// Guesses get slower, whoever is right, and one address does not lock everybody
// out.
func TestSignInIsThrottled(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		o.person(giro.DutyViewer)
		o.stopped.Store(time.Now().UnixNano()) // however long a guess takes here
		guess := func(password string) reply {
			return o.ask(nil, "POST", "/v1/session", `{"email":"viewer@example.com","password":"`+password+`"}`)
		}
		for range 5 {
			o.want(guess("a wrong one"), 401, "unauthenticated")
		}
		a := o.want(guess("a long enough viewer"), 429, "rate_limited")
		if a.Header.Get("Retry-After") == "" {
			t.Fatal("no Retry-After")
		}
		o.ahead.Add(int64(10 * time.Second))
		o.want(guess("a long enough viewer"), 201, "")
		o.want(guess("a wrong one"), 401, "unauthenticated") // the count began anew
		// An address that nobody has is slowed in the same way.
		for range 5 {
			o.want(o.ask(nil, "POST", "/v1/session", `{"email":"nobody@example.com","password":"a wrong one"}`), 401, "unauthenticated")
		}
		o.want(o.ask(nil, "POST", "/v1/session", `{"email":"nobody@example.com","password":"a wrong one"}`), 429, "rate_limited")
	})
}

func TestTeam(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner, admin := o.person(giro.DutyOwner), o.person(giro.DutyAdmin)
		people := map[string]string{}
		var team []map[string]any
		if err := json.Unmarshal(o.want(o.ask(owner, "GET", "/v1/people", ""), 200, "").body, &team); err != nil || len(team) != 2 {
			t.Fatal(team, err)
		}
		for _, p := range team {
			people[p["role"].(string)] = p["id"].(string)
		}
		// An admin makes no owners and does not touch them; the last owner stays.
		o.want(o.ask(admin, "PUT", "/v1/people/"+people["owner"], `{"role":"viewer"}`), 403, "forbidden")
		o.want(o.ask(admin, "PUT", "/v1/people/"+people["admin"], `{"role":"owner"}`), 403, "forbidden")
		o.want(o.ask(admin, "POST", "/v1/invitations", `{"email":"x@example.com","role":"owner"}`), 403, "forbidden")
		o.want(o.ask(admin, "POST", "/v1/people/"+people["owner"]+"/reset", ""), 403, "forbidden")
		o.want(o.ask(owner, "PUT", "/v1/people/"+people["owner"], `{"role":"admin"}`), 409, "last_owner")
		o.want(o.ask(owner, "DELETE", "/v1/people/"+people["owner"], ""), 409, "last_owner")
		o.want(o.ask(owner, "PUT", "/v1/people/"+people["admin"], `{"role":"owner"}`), 200, "")
		o.want(o.ask(owner, "PUT", "/v1/people/"+people["owner"], `{"role":"viewer"}`), 200, "")
		// The role holds at once.
		o.want(o.ask(owner, "POST", "/v1/invitations", `{"email":"x@example.com","role":"viewer"}`), 403, "forbidden")

		// An invitation of the API is a link that works once and can be withdrawn.
		made := o.want(o.ask(admin, "POST", "/v1/invitations", `{"email":"eva@example.com","role":"support"}`), 201, "")
		o.want(o.ask(admin, "DELETE", "/v1/invitations/"+made.text("id"), ""), 200, "")
		token := strings.TrimPrefix(made.text("path"), "/app/login?token=")
		o.want(o.ask(nil, "POST", "/v1/session/accept", `{"token":"`+token+`","name":"Eva","password":"eva has a password"}`), 400, "link_invalid")
		made = o.want(o.ask(nil, "POST", "/v1/invitations", `{"email":"eva@example.com","role":"support"}`, "Authorization: Bearer "+o.secret), 201, "")
		token = strings.TrimPrefix(made.text("path"), "/app/login?token=")
		eva := o.want(o.ask(nil, "POST", "/v1/session/accept", `{"token":"`+token+`","name":"Eva","password":"eva has a password"}`), 201, "").cookie()
		o.want(o.ask(admin, "POST", "/v1/invitations", `{"email":"eva@example.com","role":"viewer"}`), 409, "conflict")

		// Another merchant's team is nobody's business, and its invitations neither.
		other, err := o.engine.CreateMerchant(t.Context(), nil, giro.Merchant{Name: "Second"})
		if err != nil {
			t.Fatal(err)
		}
		foreign := o.want(o.ask(nil, "POST", "/v1/invitations", `{"email":"eva@example.com","role":"owner"}`, "Authorization: Bearer adm_of_this_test", "Giro-Merchant: "+other.ID.ID("mer")), 201, "")
		o.want(o.ask(admin, "DELETE", "/v1/invitations/"+foreign.text("id"), ""), 404, "not_found")
		token = strings.TrimPrefix(foreign.text("path"), "/app/login?token=")
		o.want(o.ask(nil, "POST", "/v1/session/accept", `{"token":"`+token+`","password":"not evas password"}`), 401, "unauthenticated")
		both := o.want(o.ask(nil, "POST", "/v1/session/accept", `{"token":"`+token+`","password":"eva has a password"}`), 201, "").cookie()
		o.want(o.ask(both, "GET", "/v1/charges", ""), 403, "forbidden") // at which of the two?
		o.want(o.ask(both, "GET", "/v1/charges", "", "Giro-Merchant: "+other.ID.ID("mer")), 200, "")
		o.want(o.ask(both, "GET", "/v1/balances", "", "Giro-Merchant: "+other.ID.ID("mer")), 200, "")
		o.want(o.ask(both, "GET", "/v1/balances", "", "Giro-Merchant: "+o.merchant.ID.ID("mer")), 403, "forbidden")

		// Her password opens both merchants, so the first one's owner cannot reset it.
		if err := json.Unmarshal(o.want(o.ask(admin, "GET", "/v1/people", ""), 200, "").body, &team); err != nil || len(team) != 3 {
			t.Fatal(team, err)
		}
		id := team[2]["id"].(string)
		o.want(o.ask(admin, "POST", "/v1/people/"+id+"/reset", ""), 403, "forbidden")
		reset := o.want(o.ask(nil, "POST", "/v1/people/"+id+"/reset", "", "Authorization: Bearer adm_of_this_test", "Giro-Merchant: "+o.merchant.ID.ID("mer")), 201, "")
		token = strings.TrimPrefix(reset.text("path"), "/app/login?token=")
		o.want(o.ask(nil, "POST", "/v1/session/accept", `{"token":"`+token+`","password":"evas second one"}`), 201, "")
		o.want(o.ask(nil, "POST", "/v1/session/accept", `{"token":"`+token+`","password":"evas third one"}`), 400, "link_invalid")
		o.want(o.ask(eva, "GET", "/v1/session", ""), 401, "unauthenticated") // from before the reset
		// Whoever is taken out of the team is out at once.
		back := o.want(o.ask(nil, "POST", "/v1/session", `{"email":"eva@example.com","password":"evas second one"}`), 201, "").cookie()
		o.want(o.ask(back, "GET", "/v1/charges", "", "Giro-Merchant: "+o.merchant.ID.ID("mer")), 200, "")
		o.want(o.ask(admin, "DELETE", "/v1/people/"+id, ""), 200, "")
		o.want(o.ask(back, "GET", "/v1/charges", "", "Giro-Merchant: "+o.merchant.ID.ID("mer")), 403, "forbidden")
	})
}
