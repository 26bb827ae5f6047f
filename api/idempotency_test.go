package api_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giro"
	"giro/api"
	"giro/internal/webscript"
)

// unkeyed are the operations that take no Idempotency-Key, and why.
var unkeyed = map[string]string{
	"createSession":    "nobody is known yet whose key it could be, and of a password nothing quick to compute is kept",
	"acceptInvitation": "likewise; the link works once",
	"changePassword":   "of a password nothing quick to compute is kept",
	"railNotification": "a provider repeats a message under its own id",
}

// TestEveryKey sends each POST and PUT of the examples twice under one
// Idempotency-Key: the second answer is the first one, byte for byte, whatever
// the first has changed.
func TestEveryKey(t *testing.T) {
	t.Parallel()
	doc := loadOpenAPI(t)
	operations := map[string]api.Operation{}
	for _, o := range api.Operations() {
		if o.Method != http.MethodPost && o.Method != http.MethodPut {
			continue
		}
		operations[o.ID] = o
		takes := false
		for _, p := range doc.Paths.Value(o.Path).GetOperation(o.Method).Parameters {
			takes = takes || p.Value.In == "header" && p.Value.Name == "Idempotency-Key"
		}
		if _, exempt := unkeyed[o.ID]; takes == exempt {
			t.Errorf("%s: the document says that it takes a key: %t", o.ID, takes)
		}
	}
	scripts, err := filepath.Glob("examples/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	onBothKinds(t, func(t *testing.T, open func() (s giro.Store, folder string)) {
		tried := map[string]bool{"returnCharge": true} // which no script can make succeed
		for _, name := range scripts {
			s, folder := open()
			h := prepare(t, s, folder)
			h.inviteOwner(t)
			script, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			r := webscript.Server("http://" + h.address)
			maps.Copy(r.Vars, h.vars)
			r.Do = func(req *http.Request) (*http.Response, error) {
				id := h.server.OperationOf(req.Method, req.URL.EscapedPath())
				o, keyed := operations[id]
				if _, exempt := unkeyed[id]; !keyed || exempt || tried[id] || req.Header.Get("Idempotency-Key") != "" {
					return http.DefaultClient.Do(req)
				}
				var sent []byte
				if req.Body != nil {
					if sent, err = io.ReadAll(req.Body); err != nil {
						return nil, err
					}
				}
				req.Header.Set("Idempotency-Key", id)
				ask := func() (*http.Response, []byte, error) {
					one := req.Clone(t.Context())
					one.Body = io.NopCloser(bytes.NewReader(sent))
					resp, err := http.DefaultClient.Do(one)
					if err != nil {
						return nil, nil, err
					}
					defer resp.Body.Close()
					body, err := io.ReadAll(resp.Body)
					resp.Body = io.NopCloser(bytes.NewReader(body))
					return resp, body, err
				}
				first, want, err := ask()
				if err != nil || first.StatusCode != o.Status {
					return first, err
				}
				tried[id] = true
				again, got, err := ask()
				if err != nil {
					return nil, err
				}
				if again.StatusCode != first.StatusCode || !bytes.Equal(got, want) || again.Header.Get("Idempotent-Replayed") != "true" || again.Header.Get("Location") != first.Header.Get("Location") {
					t.Errorf("%s: %d %s\nagain: %d %s", id, first.StatusCode, want, again.StatusCode, got)
				}
				if first.Header.Get("Idempotent-Replayed") != "" || first.Header.Get("Request-Id") == again.Header.Get("Request-Id") {
					t.Errorf("%s: the first answer is a replay", id)
				}
				return first, nil
			}
			if err := r.Run(name, string(script)); err != nil {
				t.Error(err)
			}
			h.verified(t)
		}
		for id := range operations {
			if _, exempt := unkeyed[id]; !exempt && !tried[id] {
				t.Errorf("%s was not tried", id)
			}
		}
	})
}

// TestOfficeKeys: what the team does happens once under a key, whatever happened
// to it since; a secret is kept sealed; a person's own key is nobody else's.
func TestOfficeKeys(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner, maker := o.person(giro.DutyOwner), o.person(giro.DutyMaker)
		ask := func(cookie *http.Cookie, method, path, body, key string, status int, code string, more ...string) reply {
			t.Helper()
			return o.want(o.ask(cookie, method, path, body, append(more, "Idempotency-Key: "+key)...), status, code)
		}
		same := func(first, again reply) {
			t.Helper()
			if !bytes.Equal(first.body, again.body) || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s\nagain: %s", first.body, again.body)
			}
		}
		kept := func(live bool, key string) *giro.Idempotency {
			t.Helper()
			row, err := o.engine.Store.Idempotency(t.Context(), giro.BookOf(o.merchant.Number, live), key)
			if err != nil {
				t.Fatal(err)
			}
			return row
		}

		client := ask(owner, "POST", "/v1/oauth_clients", `{"profile":"jumppag"}`, "client", 201, "")
		same(client, ask(owner, "POST", "/v1/oauth_clients", `{"profile":"jumppag"}`, "client", 201, ""))
		ask(owner, "POST", "/v1/oauth_clients", `{"profile":"smartfastpay"}`, "client", 422, "idempotency_key_reused")
		if row := kept(false, "client"); row == nil || bytes.Contains(row.Body, []byte(client.text("client_secret"))) || bytes.Contains(row.Body, []byte("{")) {
			t.Errorf("the client's secret is kept: %+v", row)
		}

		// The link was followed meanwhile: the person is in the team.
		invitation := ask(owner, "POST", "/v1/invitations", `{"email":"caio@example.com","role":"approver"}`, "invite", 201, "")
		_, token, _ := strings.Cut(invitation.text("path"), "token=")
		o.want(o.ask(nil, "POST", "/v1/session/accept", `{"token":"`+token+`","name":"Caio","password":"a long enough caio"}`), 201, "")
		same(invitation, ask(owner, "POST", "/v1/invitations", `{"email":"caio@example.com","role":"approver"}`, "invite", 201, ""))
		if row := kept(false, "invite"); row == nil || bytes.Contains(row.Body, []byte(token)) {
			t.Errorf("the link is kept: %+v", row)
		}
		ask(owner, "POST", "/v1/invitations", `{"email":"caio@example.com","role":"approver"}`, "again", 409, "conflict")

		// Gone meanwhile.
		view := ask(maker, "POST", "/v1/views", `{"name":"Mine","page":"payouts"}`, "view", 201, "", "Giro-Mode: live")
		renamed := ask(maker, "PUT", "/v1/views/"+view.text("id"), `{"name":"Ours"}`, "rename", 200, "", "Giro-Mode: live")
		o.want(o.ask(maker, "DELETE", "/v1/views/"+view.text("id"), ""), 200, "")
		same(view, ask(maker, "POST", "/v1/views", `{"name":"Mine","page":"payouts"}`, "view", 201, "", "Giro-Mode: live"))
		same(renamed, ask(maker, "PUT", "/v1/views/"+view.text("id"), `{"name":"Ours"}`, "rename", 200, "", "Giro-Mode: live"))
		ask(maker, "PUT", "/v1/views/"+view.text("id"), `{"name":"Ours"}`, "another", 404, "not_found", "Giro-Mode: live")
		// A key is of the mode in which it was sent, not of the books that it wrote to.
		if kept(true, "view") == nil || kept(false, "view") != nil {
			t.Error("the view's key is of another mode")
		}
		providers := ask(owner, "PUT", "/v1/providers", `{"rails":{"bank/pix":"manual"}}`, "rails", 200, "")
		o.want(o.ask(owner, "PUT", "/v1/providers", `{"rails":{"bank/pix":""}}`), 200, "")
		same(providers, ask(owner, "PUT", "/v1/providers", `{"rails":{"bank/pix":"manual"}}`, "rails", 200, ""))
		if a := o.want(o.ask(owner, "GET", "/v1/providers", ""), 200, ""); strings.Contains(string(a.body), `"name":"bank/pix","rail":"manual","set":true`) {
			t.Errorf("the repetition chose the rail again: %s", a.body)
		}
		if kept(false, "rails") == nil || kept(true, "rails") != nil {
			t.Error("the rails' key is of another mode")
		}

		// One's own.
		likes := ask(owner, "PUT", "/v1/session/preferences", `{"preferences":{"theme":"dark"}}`, "likes", 200, "")
		o.want(o.ask(owner, "PUT", "/v1/session/preferences", `{"preferences":{"theme":"light"},"name":"Bia"}`), 200, "")
		same(likes, ask(owner, "PUT", "/v1/session/preferences", `{"preferences":{"theme":"dark"}}`, "likes", 200, ""))
		if a := o.want(o.ask(owner, "GET", "/v1/session", ""), 200, ""); !strings.Contains(string(a.body), `"preferences":{"theme":"light"}`) || !strings.Contains(string(a.body), `"name":"Bia"`) {
			t.Errorf("the repetition set it again: %s", a.body)
		}
		theirs := ask(maker, "PUT", "/v1/session/preferences", `{"preferences":{"theme":"dark"}}`, "likes", 200, "")
		if theirs.Header.Get("Idempotent-Replayed") != "" || !strings.Contains(string(theirs.body), "maker@example.com") {
			t.Errorf("somebody else's answer: %s", theirs.body)
		}

		// Each act stands in the audit log once.
		a := o.want(o.ask(owner, "GET", "/v1/audit?limit=100", ""), 200, "")
		for action, times := range map[string]int{"createOAuthClient": 1, "createInvitation": 1, "createView": 1, "updateView": 1, "updateProviders": 2} {
			if n := bytes.Count(a.body, []byte(`"action":"`+action+`"`)); n != times {
				t.Errorf("%s stands %d times in the audit log", action, n)
			}
		}
	})
}

// TestRequiredKey: a merchant's rule holds for programs, not for people, who
// could not take it back from the dashboard otherwise.
func TestRequiredKey(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner := o.person(giro.DutyOwner)
		path := "/v1/merchants/" + o.merchant.ID.ID("mer")
		o.want(o.ask(owner, "PUT", path, `{"require_idempotency_key":true}`), 200, "")
		key := "Authorization: Bearer " + o.secret
		o.want(o.ask(nil, "POST", "/v1/customers", `{"name":"Ana"}`, key), 400, "idempotency_key_required")
		o.want(o.ask(nil, "POST", "/v1/rates", `{"from":"usd","to":"brl","rate":"5"}`, key), 400, "idempotency_key_required")
		o.want(o.ask(nil, "POST", "/v1/customers", `{"name":"Ana"}`, key, "Idempotency-Key: one"), 201, "")
		o.want(o.ask(owner, "PUT", "/v1/session/preferences", `{"name":"Bia"}`), 200, "")
		o.want(o.ask(owner, "PUT", path, `{"require_idempotency_key":false}`), 200, "")
		o.want(o.ask(nil, "POST", "/v1/customers", `{"name":"Ana"}`, key), 201, "")
	})
}
