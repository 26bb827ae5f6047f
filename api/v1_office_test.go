package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"giro"
)

// TestRolesAndRoutes tries one route of each permission with each role, in both
// modes: what a role does not have is 403, and what it has is anything else.
func TestRolesAndRoutes(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		charge := o.want(o.ask(nil, "POST", "/v1/charges", `{"amount":100000,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`, "Authorization: Bearer "+o.secret), 201, "").text("id")
		routes := map[giro.Permission][3]string{
			giro.MayOwn:            {"GET", "/v1/session", ""},
			giro.MayReadPayments:   {"GET", "/v1/charges", ""},
			giro.MayReadBalances:   {"GET", "/v1/balances", ""},
			giro.MayCharge:         {"POST", "/v1/charges", `{"amount":100,"currency":"brl","provider":"mobile","mobile":{"phone":"+5511987654321"}}`},
			giro.MayRefund:         {"POST", "/v1/refunds", `{"charge":"` + charge + `","amount":1}`},
			giro.MayPayOut:         {"POST", "/v1/payouts", `{"amount":1,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"ana@example.com"},"recipient":{"name":"Ana"}}`},
			giro.MayTransfer:       {"POST", "/v1/accounts", `{"name":"Savings","currency":"brl"}`},
			giro.MayKeepCustomers:  {"POST", "/v1/customers", `{"name":"Ana"}`},
			giro.MayDecide:         {"POST", "/v1/payouts/po_01h455vb4pex5vsknk084sn02q/release", ""},
			giro.MayReadDevelopers: {"GET", "/v1/api_keys", ""},
			giro.MayDevelop:        {"DELETE", "/v1/api_keys/key_01h455vb4pex5vsknk084sn02q", ""},
			giro.MayUseSandbox:     {"GET", "/v1/test/clock", ""},
			giro.MayReadTeam:       {"GET", "/v1/people", ""},
			giro.MayManageTeam:     {"DELETE", "/v1/invitations/inv_01h455vb4pex5vsknk084sn02q", ""},
			giro.MaySetUp:          {"PUT", "/v1/providers", `{"rails":{}}`},
			giro.MayReadAudit:      {"GET", "/v1/audit", ""},
			giro.MayShareViews:     {"DELETE", "/v1/views/view_01h455vb4pex5vsknk084sn02q", ""},
			giro.MayVerify:         {"POST", "/v1/ledger/verification", ""},
		}
		if len(routes) != len(giro.Permissions) {
			t.Fatalf("%d of %d permissions are tried", len(routes), len(giro.Permissions))
		}
		cells := 0
		for _, duty := range giro.Duties {
			cookie := o.person(duty)
			for _, p := range giro.Permissions {
				for _, mode := range []string{"test", "live"} {
					r := routes[p]
					a := o.ask(cookie, r[0], r[1], r[2], "Giro-Mode: "+mode)
					code := a.text("code")
					allowed := duty.May(p, mode == "live")
					switch {
					case p == giro.MayUseSandbox && mode == "live":
						if a.StatusCode != 403 {
							t.Errorf("%s uses the sandbox in live mode: %d", duty, a.StatusCode)
						}
					case allowed && (a.StatusCode == 403 || a.StatusCode == 401 || a.StatusCode >= 500):
						t.Errorf("%s in %s mode may %s, and %s %s is %d %s", duty, mode, p, r[0], r[1], a.StatusCode, a.body)
					case !allowed && (a.StatusCode != 403 || code != "forbidden"):
						t.Errorf("%s in %s mode may not %s, and %s %s is %d %s", duty, mode, p, r[0], r[1], a.StatusCode, a.body)
					}
					cells++
				}
			}
		}
		if cells != 7*18*2 {
			t.Errorf("%d cells", cells)
		}
		// Nobody gets around the matrix: a maker does not confirm by an update, a
		// developer makes no live key.
		maker := o.want(o.ask(nil, "POST", "/v1/session", `{"email":"maker@example.com","password":"a long enough maker"}`), 201, "").cookie()
		developer := o.want(o.ask(nil, "POST", "/v1/session", `{"email":"developer@example.com","password":"a long enough developer"}`), 201, "").cookie()
		pending := o.want(o.ask(maker, "POST", "/v1/charges", `{"amount":5000,"currency":"brl","provider":"mobile","mobile":{"phone":"+5511987654321"}}`, "Giro-Mode: live"), 201, "").text("id")
		o.want(o.ask(maker, "PUT", "/v1/charges/"+pending, `{"status":"succeeded"}`, "Giro-Mode: live"), 403, "forbidden")
		o.want(o.ask(maker, "POST", "/v1/charges/"+pending+"/confirm", "", "Giro-Mode: live"), 403, "forbidden")
		o.want(o.ask(developer, "POST", "/v1/api_keys", `{"name":"all"}`, "Giro-Mode: live"), 403, "forbidden")
		o.want(o.ask(developer, "POST", "/v1/api_keys", `{"name":"all","publishable":true}`, "Giro-Mode: live"), 201, "")
		o.want(o.ask(developer, "POST", "/v1/api_keys", `{"name":"all"}`), 201, "")
	})
}

// TestAudit: a line per act, with what changed, in the order in which it was
// done, and no secret in it.
func TestAudit(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner := o.person(giro.DutyOwner)
		charge := o.want(o.ask(owner, "POST", "/v1/charges", `{"amount":1000,"currency":"brl","provider":"card","card":{"token":"tok_auth"}}`), 201, "").text("id")
		o.want(o.ask(owner, "POST", "/v1/charges/"+charge+"/capture", `{"amount":400}`), 200, "")
		o.want(o.ask(owner, "POST", "/v1/charges/"+charge+"/capture", `{"amount":4000}`), 409, "") // leaves no line
		key := o.want(o.ask(owner, "POST", "/v1/api_keys", `{"name":"server"}`), 201, "")
		o.want(o.ask(owner, "PUT", "/v1/merchants/"+o.merchant.ID.ID("mer"), `{"hold_on_missing_funds":true}`, "Giro-Mode: live"), 200, "")
		o.want(o.ask(owner, "POST", "/v1/session/password", `{"old_password":"a long enough owner","password":"a longer owner"}`), 200, "")
		var list []struct {
			Action, Target string
			Livemode       bool
			Request        map[string]any
			Person         struct{ Email string }
			Changes        []struct {
				Kind, ID      string
				Before, After map[string]any
			}
		}
		a := o.want(o.ask(owner, "GET", "/v1/audit", ""), 200, "")
		if err := json.Unmarshal(a.body, &list); err != nil {
			t.Fatal(err)
		}
		var actions []string
		for _, l := range list {
			actions = append(actions, l.Action)
			if l.Person.Email != "owner@example.com" {
				t.Errorf("%s was done by %s", l.Action, l.Person.Email)
			}
		}
		if got := strings.Join(actions, " "); got != "updateMerchant createKey captureCharge createCharge signIn" {
			t.Fatalf("the log tells %s", got)
		}
		if c := list[2]; c.Target != charge || len(c.Changes) != 1 || c.Request["amount"] != 400.0 {
			t.Errorf("the capture is %+v", c)
		}
		if c := list[0]; !c.Livemode || c.Changes[0].After["hold_on_missing_funds"] != true || c.Target != o.merchant.ID.ID("mer") {
			t.Errorf("the setting is %+v", c)
		}
		for _, secret := range []string{key.text("secret"), `"hash"`, `"password"`, "argon2"} {
			if strings.Contains(string(a.body), secret) {
				t.Errorf("the log holds %s", secret)
			}
		}
		// Filters, paging, and the object's own story.
		a = o.want(o.ask(owner, "GET", "/v1/audit?limit=2", ""), 200, "")
		link := a.Header.Get("Link")
		next, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if a = o.want(o.ask(owner, "GET", next, ""), 200, ""); !strings.Contains(string(a.body), "captureCharge") || strings.Contains(string(a.body), "createKey") {
			t.Errorf("the second page is %s", a.body)
		}
		if a = o.want(o.ask(owner, "GET", "/v1/audit?target="+charge, ""), 200, ""); strings.Count(string(a.body), `"object":"act"`) != 2 {
			t.Errorf("about the charge: %s", a.body)
		}
		if a = o.want(o.ask(owner, "GET", "/v1/charges/"+charge+"/timeline", ""), 200, ""); strings.Count(string(a.body), `"type":"act"`) != 2 || !strings.Contains(string(a.body), "owner@example.com") {
			t.Errorf("the story is %s", a.body)
		}
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			o.want(o.ask(owner, method, "/v1/audit", ""), 405, "method_not_allowed")
		}
		// A replayed request is no second act.
		for range 2 {
			o.want(o.ask(owner, "POST", "/v1/charges", `{"amount":7,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`, "Idempotency-Key: once"), 201, "")
		}
		if a = o.want(o.ask(owner, "GET", "/v1/audit?action=createCharge", ""), 200, ""); strings.Count(string(a.body), `"object":"act"`) != 2 {
			t.Errorf("created twice: %s", a.body)
		}
	})
}

func TestViews(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner, maker, viewer := o.person(giro.DutyOwner), o.person(giro.DutyMaker), o.person(giro.DutyViewer)
		shared := o.want(o.ask(maker, "POST", "/v1/views", `{"name":"Failed","page":"payments","query":"status=failed"}`), 201, "").text("id")
		own := o.want(o.ask(maker, "POST", "/v1/views", `{"name":"Mine","page":"payouts","shared":false}`, "Giro-Mode: live"), 201, "").text("id")
		count := func(a reply) int { return strings.Count(string(o.want(a, 200, "").body), `"object":"view"`) }
		if n := count(o.ask(viewer, "GET", "/v1/views", "", "Giro-Mode: live")); n != 1 {
			t.Errorf("a viewer sees %d views", n)
		}
		if n := count(o.ask(maker, "GET", "/v1/views", "")); n != 2 {
			t.Errorf("their maker sees %d views", n)
		}
		if n := count(o.ask(maker, "GET", "/v1/views?page=payouts", "")); n != 1 {
			t.Errorf("%d views of payouts", n)
		}
		o.want(o.ask(viewer, "DELETE", "/v1/views/"+shared, ""), 403, "forbidden")
		// A key is nobody: a view of its own would be seen by nobody.
		o.want(o.ask(nil, "POST", "/v1/views", `{"name":"Of a program","page":"payments","shared":false}`, "Authorization: Bearer "+o.secret), 422, "invalid_value")
		o.want(o.ask(owner, "PUT", "/v1/views/"+own, `{"name":"Theirs"}`), 404, "not_found")
		o.want(o.ask(owner, "PUT", "/v1/views/"+shared, `{"name":"Failed cards","columns":["amount"]}`), 200, "")
		o.want(o.ask(maker, "PUT", "/v1/views/"+own, `{}`), 422, "nothing_to_update")
		o.want(o.ask(maker, "DELETE", "/v1/views/"+own, ""), 200, "")
		o.want(o.ask(maker, "DELETE", "/v1/views/"+own, ""), 404, "not_found")
	})
}

func TestProviders(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner := o.person(giro.DutyOwner)
		o.want(o.ask(owner, "PUT", "/v1/providers", `{"rails":{"bank/pix":"manual","mobile":"manual"}}`), 200, "")
		a := o.want(o.ask(owner, "PUT", "/v1/providers", `{"rails":{"mobile":""}}`), 200, "")
		if !strings.Contains(string(a.body), `{"name":"bank/pix","rail":"manual","set":true}`) || !strings.Contains(string(a.body), `{"name":"card","rail":null,"set":false}`) || !strings.Contains(string(a.body), `{"name":"mobile","rail":"manual","set":false}`) {
			t.Errorf("the providers are %s", a.body)
		}
		for body, param := range map[string]string{`{"rails":{"bank/pix":"sandbox"}}`: "/rails/bank~1pix", `{"rails":{"card":"manual"}}`: "/rails/card", `{"rails":{"cash":"manual"}}`: "/rails/cash"} {
			if a := o.want(o.ask(owner, "PUT", "/v1/providers", body), 422, "invalid_value"); a.text("param") != param {
				t.Errorf("%s: %s", body, a.body)
			}
		}
	})
}

func TestExports(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner, support := o.person(giro.DutyOwner), o.person(giro.DutySupport)
		var ids []string
		for i, reference := range []string{"=HYPERLINK(\"http://evil.example\")", "+1", "-1", "@sum", "\tx", "plain, with \"quotes\"\nand lines"} {
			body, err := json.Marshal(map[string]any{"amount": 100 + i, "currency": "brl", "provider": "card", "card": map[string]string{"token": "tok_ok"}, "reference": reference})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, o.want(o.ask(owner, "POST", "/v1/charges", string(body)), 201, "").text("id"))
		}
		read := func(path string) [][]string {
			t.Helper()
			a := o.want(o.ask(owner, "GET", path, ""), 200, "")
			if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
				t.Fatalf("%v", a.Header)
			}
			rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		rows := read("/v1/exports/charges?columns=reference,amount,amount_decimal")
		if fmt.Sprint(rows[0]) != "[reference amount amount_decimal]" || len(rows) != 7 || rows[6][1] != "100" || rows[6][2] != "1.00" {
			t.Fatalf("%q", rows)
		}
		for i, row := range rows[1:] {
			if dangerous := strings.ContainsAny(row[0][:1], "=+-@\t"); dangerous || i > 0 && row[0][0] != '\'' {
				t.Errorf("a spreadsheet reads %q", row[0])
			}
		}
		if rows := read("/v1/exports/charges?columns=id&ids=" + ids[1] + "," + ids[4] + ",ch_01h455vb4pex5vsknk084sn02q"); len(rows) != 3 || rows[1][0] != ids[1] || rows[2][0] != ids[4] {
			t.Errorf("the selected are %q", rows)
		}
		if rows := read("/v1/exports/charges?amount[gte]=104"); len(rows) != 3 {
			t.Errorf("%d rows of 104 and more", len(rows)-1)
		}
		// Several pages, in the order of the list, none twice.
		call := &giro.Call{Merchant: o.merchant}
		for i := range 503 {
			if _, err := o.engine.CreateCharge(t.Context(), call, giro.Request{Amount: int64(i) + 1000, Currency: "MXN", Provider: "mobile", Mobile: &giro.Mobile{Phone: "+5511987654321"}}); err != nil {
				t.Fatal(err)
			}
		}
		rows = read("/v1/exports/charges?currency=mxn&columns=amount,id")
		seen := map[string]bool{}
		for i, row := range rows[1:] {
			if row[0] != fmt.Sprint(1502-i) || seen[row[1]] {
				t.Fatalf("row %d is %q", i, row)
			}
			seen[row[1]] = true
		}
		if len(seen) != 503 {
			t.Errorf("%d rows", len(seen))
		}
		var accounts []struct{ ID, Currency string }
		if err := json.Unmarshal(o.want(o.ask(owner, "GET", "/v1/accounts", ""), 200, "").body, &accounts); err != nil || len(accounts) == 0 {
			t.Fatal(accounts, err)
		}
		rows = read("/v1/exports/entries?account=" + accounts[0].ID)
		if len(rows) != 7 || rows[1][4] != "615" || rows[6][2] != "100" {
			t.Errorf("the statement is %q", rows)
		}
		// By the parameters of a link; not with a key, which says itself where.
		o.want(o.ask(owner, "GET", "/v1/exports/charges?giro_mode=live&giro_merchant="+o.merchant.ID.ID("mer"), ""), 200, "")
		o.want(o.ask(nil, "GET", "/v1/exports/charges?giro_mode=live", "", "Authorization: Bearer "+o.secret), 400, "invalid_parameter")
		o.want(o.ask(support, "GET", "/v1/exports/entries?account="+accounts[0].ID, ""), 403, "forbidden")
		o.want(o.ask(owner, "GET", "/v1/exports/charges?columns=password", ""), 400, "invalid_parameter")
		o.want(o.ask(owner, "GET", "/v1/exports/charges?ids=po_01h455vb4pex5vsknk084sn02q", ""), 400, "invalid_parameter")
	})
}
