package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"giro"
	"giro/bank"
)

// found is a result of a search.
type found struct{ Type, ID, Title, Match string }

func (o *office) search(q string, headers ...string) []found {
	o.t.Helper()
	var list []found
	headers = append(headers, "Authorization: Bearer "+o.secret)
	if err := json.Unmarshal(o.want(o.ask(nil, "GET", "/v1/search?q="+url.QueryEscape(q), "", headers...), 200, "").body, &list); err != nil {
		o.t.Fatal(err)
	}
	return list
}

// TestSearch finds by everything that people have in their hands.
func TestSearch(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		do := func(path, body string) string {
			t.Helper()
			return o.want(o.ask(nil, "POST", path, body, "Authorization: Bearer "+o.secret), 201, "").text("id")
		}
		cpf := bank.Sample("cpf", 11)
		do("/v1/test/fund", `{"amount":100000,"currency":"brl"}`)
		charge := do("/v1/charges", `{"amount":1000,"currency":"brl","provider":"card","card":{"token":"tok_ok"},"reference":"Order-8812","metadata":{"channel":"Aplicação móvel","order_id":"77-A"}}`)
		payout := do("/v1/payouts", `{"amount":1000,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria.souza@example.com"},"recipient":{"name":"Maria José de Souza","document":{"type":"CPF","number":"`+cpf+`"}}}`)
		customer := do("/v1/customers", `{"name":"Ângela Nuñez","email":"angela@example.com","phone":"+5511987654321","reference":"c-1"}`)
		for i := range 30 {
			do("/v1/charges", fmt.Sprintf(`{"amount":%d,"currency":"brl","provider":"card","card":{"token":"tok_ok"},"reference":"bulk-%02d"}`, i+1, i))
		}
		// Ids, their beginnings, references and customers at once; words when the
		// events have been read.
		for q, want := range map[string]string{charge: charge, charge[:20]: charge, strings.ToUpper(payout): payout, "Order-8812": charge, "angela": customer, "NUNEZ ange": customer, "c-1": customer, customer: customer} {
			if list := o.search(q); len(list) == 0 || list[len(list)-1].ID != want && list[0].ID != want {
				t.Errorf("%q finds %v, not %s", q, list, want)
			}
		}
		for n := 1; n > 0; {
			var err error
			if n, err = o.engine.IndexSome(t.Context(), 500); err != nil {
				t.Fatal(err)
			}
		}
		dotted := cpf[:3] + "." + cpf[3:6] + "." + cpf[6:9] + "-" + cpf[9:]
		for q, want := range map[string]string{
			"order-88": charge, "77-a": charge, "aplicacao MOV": charge, "souza maria": payout, "josé": payout, cpf: payout, cpf[:6]: payout, dotted: payout,
			"maria.souza@": payout, "5511987654321": customer, "+55 11 98765-4321": customer, "angela@example.com": customer,
		} {
			if list := o.search(q); len(list) != 1 || list[0].ID != want {
				t.Errorf("%q finds %v, not %s alone", q, list, want)
			}
		}
		for _, q := range []string{"maria pedro", "zzz", "ch_zzzzzzzz", "po_01h455vb4pex5vsknk084sn02q", "8812", "'; DROP TABLE term;--", "%", "_ord", "\U0010FFFF"} {
			if list := o.search(q); len(list) != 0 {
				t.Errorf("%q finds %v", q, list)
			}
		}
		if list := o.search("bulk"); len(list) != 20 || list[0].Title != "bulk-29" {
			t.Errorf("bulk finds %d, first %v", len(list), list[0])
		}
		// What changes is found by what it is now; what is deleted is not found.
		o.want(o.ask(nil, "PUT", "/v1/charges/"+charge, `{"metadata":{"order_id":"renamed"}}`, "Authorization: Bearer "+o.secret), 200, "")
		o.want(o.ask(nil, "PUT", "/v1/customers/"+customer, `{"name":"Beatriz Lima"}`, "Authorization: Bearer "+o.secret), 200, "")
		o.want(o.ask(nil, "DELETE", "/v1/charges/"+o.search("bulk-07")[0].ID, "", "Authorization: Bearer "+o.secret), 200, "")
		if _, err := o.engine.IndexSome(t.Context(), 500); err != nil {
			t.Fatal(err)
		}
		for q, want := range map[string]int{"renamed": 1, "77-a": 0, "beatriz": 1, "nunez": 0, "bulk-07": 0, "bulk-08": 1} {
			if list := o.search(q); len(list) != want {
				t.Errorf("%q finds %v", q, list)
			}
		}
		// Nobody finds what is somebody else's, or in the other mode, or what their
		// role does not show.
		support := o.person(giro.DutySupport)
		balance := o.want(o.ask(nil, "GET", "/v1/accounts", "", "Authorization: Bearer "+o.secret), 200, "")
		var accounts []found
		if err := json.Unmarshal(balance.body, &accounts); err != nil || len(accounts) == 0 {
			t.Fatal(err)
		}
		if list := o.search(accounts[0].ID); len(list) != 1 || list[0].Type != "account" {
			t.Errorf("the account is %v", list)
		}
		if a := o.want(o.ask(support, "GET", "/v1/search?q="+accounts[0].ID, ""), 200, ""); string(a.body) != "[]" {
			t.Errorf("support finds %s", a.body)
		}
		if a := o.want(o.ask(support, "GET", "/v1/search?q=maria", "", "Giro-Mode: live"), 200, ""); string(a.body) != "[]" {
			t.Errorf("live mode finds %s", a.body)
		}
		o.want(o.ask(support, "GET", "/v1/search?q="+strings.Repeat("4", 1)+"242424242424242", ""), 400, "card_data_forbidden")
		o.want(o.ask(support, "GET", "/v1/search", ""), 400, "invalid_parameter")
	})
}

// TestRequestLog: what a key asked stands in it with its answer, secrets and
// cards do not, and nobody else's.
func TestRequestLog(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		key := "Authorization: Bearer " + o.secret
		developer, support := o.person(giro.DutyDeveloper), o.person(giro.DutySupport)
		charge := o.want(o.ask(nil, "POST", "/v1/charges", `{"amount":1000,"currency":"brl","provider":"card","card":{"token":"tok_ok"},"description":"a thing"}`, key, "Idempotency-Key: k-1", "User-Agent: shop/1"), 201, "")
		o.want(o.ask(nil, "POST", "/v1/charges", `{"amount":0,"currency":"brl"}`, key), 422, "")
		o.want(o.ask(nil, "POST", "/v1/charges", `{"amount":1,"currency":"brl","description":"4242 4242 4242 4242"}`, key), 422, "card_data_forbidden")
		o.want(o.ask(nil, "GET", "/v1/charges?reference=4242424242424242", "", key), 400, "card_data_forbidden")
		o.want(o.ask(nil, "GET", "/v1/charges/"+charge.text("id"), "", key), 200, "")
		made := o.want(o.ask(nil, "POST", "/v1/api_keys", `{"name":"server"}`, key), 201, "")
		o.want(o.ask(developer, "POST", "/v1/webhook_endpoints", `{"url":"https://hooks.example.com/x","events":["*"]}`), 503, "")
		o.want(o.ask(developer, "GET", "/v1/charges", ""), 200, "")         // what people read is not written down
		o.want(o.ask(nil, "POST", "/v1/charges", `{`, key), 400, "")        // after a request whose body was kept
		o.want(o.ask(support, "GET", "/v1/requests", ""), 403, "forbidden") // it is for developers
		type line struct {
			ID, Method, Path, Operation, Code, Person, Key, Target string
			Status                                                 int
			IdemKey                                                string `json:"idempotency_key"`
			Request, Response                                      map[string]any
		}
		list := func(query string) (lines []line) {
			t.Helper()
			if err := json.Unmarshal(o.want(o.ask(developer, "GET", "/v1/requests"+query, ""), 200, "").body, &lines); err != nil {
				t.Fatal(err)
			}
			return lines
		}
		var told []string
		for _, l := range list("") {
			told = append(told, fmt.Sprintf("%s %d", l.Operation, l.Status))
		}
		if got := strings.Join(told, ", "); got != "createCharge 400, createWebhookEndpoint 503, createKey 201, retrieveCharge 200, createCharge 422, createCharge 422, createCharge 201" {
			t.Fatalf("the log tells %s", got)
		}
		about := list("?target=" + charge.text("id"))
		if len(about) != 2 || about[1].IdemKey != "k-1" || about[1].Key == "" || about[1].Person != "" {
			t.Fatalf("about the charge: %+v", about)
		}
		var one line
		a := o.want(o.ask(developer, "GET", "/v1/requests/"+about[1].ID, ""), 200, "")
		if err := json.Unmarshal(a.body, &one); err != nil || one.Request["description"] != "a thing" || one.Response["id"] != charge.text("id") || one.ID != charge.Header.Get("Request-Id") {
			t.Fatalf("%s %v", a.body, err)
		}
		if len(list("?status=4xx")) != 3 || len(list("?status=2xx&method=GET")) != 1 || len(list("?operation=createKey")) != 1 || len(list("?limit=3")) != 3 {
			t.Error("the filters do not filter")
		}
		if about[1].Target != charge.text("id") {
			t.Errorf("the request that made %s names %s", charge.text("id"), about[1].Target)
		}
		now := time.Now().Unix()
		for query, want := range map[string]int{
			"path=/v1/charges/": 1, "path=/v1/ch": 5, "path=charges": 0, "idempotency_key=k-1": 1, "idempotency_key=k-2": 0, "address=192.0.2.1": 7, "address=192.0.2.2": 0,
			"took_us[gte]=0": 7, "took_us[lt]=1": 0, "key=" + about[1].Key: 6, "key=" + made.text("id"): 0,
			fmt.Sprintf("created[gte]=%d", now-3600): 7, fmt.Sprintf("created[lt]=%d", now-3600): 0, fmt.Sprintf("created[gte]=%d&created[lte]=%d&status=5xx", now-3600, now+3600): 1, fmt.Sprintf("created[gt]=%d", now+3600): 0,
		} {
			if n := len(list("?" + query)); n != want {
				t.Errorf("%s: %d lines, want %d", query, n, want)
			}
		}
		// A page of a stretch leads to the rest of the stretch.
		page := o.want(o.ask(developer, "GET", fmt.Sprintf("/v1/requests?limit=4&created[gte]=%d&created[lte]=%d", now-3600, now+3600), ""), 200, "")
		next, _, _ := strings.Cut(strings.TrimPrefix(page.Header.Get("Link"), "<"), ">")
		if a := o.want(o.ask(developer, "GET", next, ""), 200, ""); strings.Count(string(a.body), `"object":"request"`) != 3 {
			t.Errorf("after %s comes %s", next, a.body)
		}
		// A key says when it was last used, and from where.
		type keyLine struct {
			ID      string
			At      *string `json:"last_used_at"`
			Address *string `json:"last_used_address"`
		}
		var keys []keyLine
		if err := json.Unmarshal(o.want(o.ask(developer, "GET", "/v1/api_keys", ""), 200, "").body, &keys); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			known := k.At != nil && k.Address != nil && *k.Address == "192.0.2.1"
			if (k.ID == about[1].Key) != known {
				t.Errorf("of %s the last use is %v", k.ID, k)
			}
		}
		used := o.want(o.ask(developer, "GET", "/v1/api_keys/"+about[1].Key, ""), 200, "")
		if at, err := time.Parse(time.RFC3339, used.text("last_used_at")); err != nil || at.Unix() < now-60 {
			t.Errorf("%s: %v", used.body, err)
		}
		var all strings.Builder
		for _, l := range list("") {
			all.Write(o.want(o.ask(developer, "GET", "/v1/requests/"+l.ID, ""), 200, "").body)
			if l.Operation == "createWebhookEndpoint" && l.Person != "developer@example.com" {
				t.Errorf("the endpoint was made by %q", l.Person)
			}
		}
		for _, secret := range []string{"tok_ok", "4242 4242", "4242424242424242", made.text("secret"), o.secret} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("the log holds %s", secret)
			}
		}
		if len(list("")) != 7 {
			t.Error("reading the log is in the log")
		}
		if a := o.want(o.ask(developer, "GET", "/v1/requests", "", "Giro-Mode: live"), 200, ""); string(a.body) != "[]" {
			t.Errorf("the other mode shows %s", a.body)
		}
		if err := o.engine.Store.Close(); err != nil {
			t.Fatal(err)
		}
		o.ask(nil, "GET", "/v1/charges", "", key) // a log that cannot be written holds nothing up
		o.server.Flush(t.Context())
	})
}
