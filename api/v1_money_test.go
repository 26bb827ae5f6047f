package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/bank"
	"giro/internal/storetest"
	"giro/rail"
	"giro/store"
)

// installation is the whole of giro but its process: the store on disk, the
// engine with the sandbox, and the API.
type installation struct {
	t      *testing.T
	engine *giro.Engine
	server *api.Server
	test   giro.KeySet
	live   giro.KeySet
}

const adminToken = "admin_0123456789"

func install(t *testing.T) *installation {
	t.Helper()
	return installOn(t, storetest.SQLite(t).Open(t, store.Options{}))
}

func installOn(t *testing.T, s giro.Store) *installation {
	t.Helper()
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}}
	e.Start()
	t.Cleanup(func() {
		e.Stop()
		s.Close()
	})
	server, err := api.New(api.Config{
		Engine: e, Now: e.Now, NewID: e.NewID, Secret: bytes.Repeat([]byte{9}, 32),
		Admin: func(token string) bool { return token == adminToken },
	})
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{t: t, engine: e, server: server}
	ctx := context.Background()
	m, err := e.CreateMerchant(ctx, &giro.Call{Admin: true}, giro.Merchant{Name: "First", Currency: "BRL"})
	if err != nil {
		t.Fatal(err)
	}
	if i.test, err = e.CreateKeySet(ctx, m, false); err != nil {
		t.Fatal(err)
	}
	if i.live, err = e.CreateKeySet(ctx, m, true); err != nil {
		t.Fatal(err)
	}
	return i
}

// answer is what a request got.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// do sends a request; headers are "Name: value".
func (i *installation) do(key, method, path, body string, headers ...string) answer {
	i.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, v, _ := strings.Cut(h, ": ")
		r.Header.Set(name, v)
	}
	w := httptest.NewRecorder()
	i.server.ServeHTTP(w, r)
	return answer{i.t, w.Code, w.Header(), w.Body.Bytes()}
}

// want fails unless the status is this one and, for a refusal, the code.
func (a answer) want(status int, code ...giro.Code) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if len(code) > 0 && a.text("code") != string(code[0]) {
		a.t.Fatalf("code %s, want %s: %s", a.text("code"), code[0], a.body)
	}
	return a
}

// at returns the value at a path of member names and, as digits, indexes.
func (a answer) at(path string) any {
	a.t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	for _, part := range strings.Split(path, ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[part]
		case []any:
			n := 0
			for _, c := range part {
				n = n*10 + int(c-'0')
			}
			if n >= len(t) {
				return nil
			}
			v = t[n]
		default:
			return nil
		}
	}
	return v
}

func (a answer) text(path string) string {
	a.t.Helper()
	switch v := a.at(path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	case nil:
		return ""
	}
	return "?"
}

func (a answer) has(pairs ...string) answer {
	a.t.Helper()
	for n := 0; n < len(pairs); n += 2 {
		if got := a.text(pairs[n]); got != pairs[n+1] {
			a.t.Errorf("%s is %q, want %q: %s", pairs[n], got, pairs[n+1], a.body)
		}
	}
	return a
}

func (a answer) length() int {
	a.t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(a.body, &list); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return len(list)
}

// next returns the path of the Link header's next page, or "".
func (a answer) next() string {
	link := a.header.Get("Link")
	if link == "" {
		return ""
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	return path
}

func (i *installation) fund(currency, amount string) {
	i.t.Helper()
	i.do(i.test.SecretKey, "POST", "/v1/test/fund", `{"currency":"`+currency+`","amount":`+amount+`}`).want(201)
}

func (i *installation) payout(amount string, headers ...string) answer {
	i.t.Helper()
	return i.do(i.test.SecretKey, "POST", "/v1/payouts",
		`{"amount":`+amount+`,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"ana@example.com"},"recipient":{"name":"Ana"}}`, headers...).want(201)
}

func TestMoney(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) { testMoney(installOn(t, d.Open(t, store.Options{}))) })
}

func testMoney(i *installation) {
	t := i.t
	sk := i.test.SecretKey
	i.fund("BRL", "10000")
	i.fund("usd", "5")
	b := i.do(sk, "GET", "/v1/balances", "").want(200)
	b.has("as_of_sequence", "2", "balances.0.currency", "brl", "balances.0.available", "10000", "balances.0.pending", "0",
		"balances.0.reserved", "0", "balances.0.returns", "0", "balances.1.currency", "usd", "balances.1.available", "5")
	i.do(i.live.SecretKey, "GET", "/v1/balances", "").want(200).has("balances.0.available", "0")
	i.do(sk, "GET", "/v1/balances?at=1", "").want(200).has("as_of_sequence", "0", "balances.0.available", "0")

	sub := i.do(sk, "POST", "/v1/accounts", `{"name":"rent","currency":"brl","metadata":{"a":"1"}}`, "Idempotency-Key: k1").want(201)
	sub.has("object", "account", "name", "rent", "currency", "brl", "balance", "0", "allow_negative", "false", "metadata.a", "1")
	again := i.do(sk, "POST", "/v1/accounts", `{"name":"rent","currency":"brl","metadata":{"a":"1"}}`, "Idempotency-Key: k1").want(201)
	if !bytes.Equal(sub.body, again.body) || again.header.Get("Idempotent-Replayed") != "true" || again.header.Get("Location") != sub.header.Get("Location") {
		t.Errorf("a repeated key answered %s, first %s", again.body, sub.body)
	}
	i.do(sk, "POST", "/v1/accounts", `{"name":"other","currency":"brl"}`, "Idempotency-Key: k1").want(422, giro.CodeKeyReused)
	i.do(sk, "GET", "/v1/idempotency/k1", "").want(200).has("key", "k1", "status", "201", "answer.id", sub.text("id"))
	i.do(i.live.SecretKey, "GET", "/v1/idempotency/k1", "").want(404)
	id := sub.text("id")
	i.do(sk, "POST", "/v1/transfers", `{"amount":2500,"currency":"brl","destination":"`+id+`"}`).want(201).has("status", "succeeded")
	i.do(sk, "GET", "/v1/accounts/"+id, "").want(200).has("balance", "2500")
	i.do(i.live.SecretKey, "GET", "/v1/accounts/"+id, "").want(404, giro.CodeNotFound)
	i.do(sk, "GET", "/v1/accounts/acct_x", "").want(404, giro.CodeNotFound)
	i.do(sk, "GET", "/v1/accounts/"+id+"/entries", "").want(200).has("0.amount", "2500", "0.balance", "2500", "0.sequence", "3")

	list := i.do(sk, "GET", "/v1/accounts", "").want(200)
	if list.length() != 3 {
		t.Fatalf("%d accounts, want two main accounts and one sub-account: %s", list.length(), list.body)
	}
	list.has("0.id", id) // the newest
	var ids []string
	for n := range 3 {
		ids = append(ids, list.text(string(rune('0'+n))+".id"))
	}
	var paged []string
	for path := "/v1/accounts?limit=1"; path != ""; {
		page := i.do(sk, "GET", path, "").want(200)
		paged = append(paged, page.text("0.id"))
		path = page.next()
	}
	if !slices.Equal(paged, ids) {
		t.Errorf("pages of one: %v, all at once: %v", paged, ids)
	}
	snapshot := i.do(sk, "GET", "/v1/accounts?ids="+strings.Join(ids, ","), "").want(200).has("as_of_sequence", "3")
	sum := map[string]string{}
	for n := range 3 {
		at := "accounts." + string(rune('0'+n))
		sum[snapshot.text(at+".id")] = snapshot.text(at + ".balance")
	}
	if sum[id] != "2500" || len(sum) != 3 {
		t.Errorf("a snapshot of three accounts: %v", sum)
	}
	i.do(sk, "GET", "/v1/accounts?ids=x", "").want(400, giro.CodeInvalidParameter)
	i.do(sk, "GET", "/v1/accounts?kind=clearing", "").want(200).has("0.kind", "clearing", "0.name", "sandbox")
	if some := i.do(sk, "GET", "/v1/accounts?kind=main,reserved", "").want(200); bytes.Contains(some.body, []byte(`"sub"`)) {
		t.Errorf("main and reserved accounts: %s", some.body)
	}
	i.do(sk, "GET", "/v1/accounts?kind=wallet", "").want(400, giro.CodeInvalidParameter)
	i.do(sk, "GET", "/v1/accounts?kind=sub&at=1", "").want(200).has("0.id", id, "0.balance", "0")
	i.do(sk, "GET", "/v1/accounts/"+id+"?at=1", "").want(200).has("balance", "0")
	i.do(sk, "POST", "/v1/accounts/"+id+"/close", "").want(409, giro.CodeAccountNotEmpty)
	empty := i.do(sk, "POST", "/v1/accounts", `{"name":"empty","currency":"brl"}`).want(201).text("id")
	i.do(sk, "POST", "/v1/accounts/"+empty+"/close", "").want(200).has("closed", "true")
	i.do(sk, "POST", "/v1/accounts/"+empty+"/close", "").want(409, giro.CodeAccountClosed)
	i.do(sk, "POST", "/v1/transfers", `{"amount":1,"currency":"brl","destination":"`+empty+`"}`).want(409, giro.CodeAccountClosed)

	ledger := i.do(sk, "GET", "/v1/ledger/transactions?limit=2", "").want(200).has("0.sequence", "3", "1.sequence", "2", "0.postings.0.amount", "2500")
	if rest := i.do(sk, "GET", ledger.next(), "").want(200).has("0.sequence", "1"); rest.length() != 1 || rest.next() != "" {
		t.Errorf("the last page is %s, next %q", rest.body, rest.next())
	}
	one := ledger.text("0.id")
	i.do(sk, "GET", "/v1/ledger/transactions/"+one, "").want(200).has("id", one, "hash", ledger.text("0.hash"))
	i.do(i.live.SecretKey, "GET", "/v1/ledger/transactions/"+one, "").want(404)
	i.do(sk, "GET", "/v1/ledger/trial_balance", "").want(200).has("sequence", "3", "hash", ledger.text("0.hash"),
		"currencies.0.currency", "brl", "currencies.0.debits", "10000", "currencies.0.credits", "10000")
	i.do(adminToken, "GET", "/v1/ledger/trial_balance", "").want(200).has("currencies.0.debits", "10000", "currencies.0.credits", "10000")
	i.do(adminToken, "GET", "/v1/balances", "").want(403)
	i.do(i.test.PublishableKey, "GET", "/v1/balances", "").want(403)
}

func TestEntriesPages(t *testing.T) {
	t.Parallel()
	i := install(t)
	for range 5 {
		i.fund("brl", "10")
	}
	sk := i.test.SecretKey
	main := i.do(sk, "GET", "/v1/accounts", "").text("0.id")
	balances := func(path string) (list []string) {
		for path != "" {
			page := i.do(sk, "GET", path, "").want(200)
			for n := range page.length() {
				list = append(list, page.text(string(rune('0'+n))+".balance"))
			}
			path = page.next()
		}
		return list
	}
	path, want := "/v1/accounts/"+main+"/entries?limit=2", []string{"50", "40", "30", "20", "10"}
	if got := balances(path); !slices.Equal(got, want) {
		t.Errorf("the balances of all pages are %v", got)
	}
	// As it stood before more came: on every page.
	then := i.do(sk, "GET", "/v1/test/clock", "").text("now")
	i.do(sk, "POST", "/v1/test/clock", `{"advance":"1h"}`).want(200)
	i.fund("brl", "10")
	if got := balances(path + "&at=" + then); !slices.Equal(got, want) {
		t.Errorf("the balances of then are %v", got)
	}
	if got := balances(path + "&before=4&at=" + then); !slices.Equal(got, want[2:]) {
		t.Errorf("the balances of then, below a sequence, are %v", got)
	}
	if got := balances(path + "&at=2020-01-01T00:00:00Z"); got != nil {
		t.Errorf("the balances before anything happened are %v", got)
	}
	i.do(sk, "GET", path+"&at=yesterday", "").want(400, giro.CodeInvalidTime)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	i := install(t)
	sk := i.test.SecretKey
	i.fund("brl", "10000")
	first := i.payout("100", "Giro-Simulate: pending").text("id")
	second := i.payout("200", "Giro-Simulate: pending").text("id")
	i.do(sk, "POST", "/v1/test/payouts/"+first+"/failed:account_closed", "").want(200).has("status", "failed", "failure_code", "account_closed")
	all := i.do(sk, "GET", "/v1/events", "").want(200)
	all.has("0.type", "payout.failed", "0.sequence", "3", "0.livemode", "false", "0.data.object.id", first, "2.type", "payout.created", "2.data.object.status", "pending")
	up := i.do(sk, "GET", "/v1/events?after=0&limit=2", "").want(200).has("0.sequence", "1", "1.sequence", "2")
	i.do(sk, "GET", up.next(), "").want(200).has("0.sequence", "3")
	i.do(sk, "GET", "/v1/events?types=payout.failed", "").want(200).has("0.sequence", "3", "1", "")
	i.do(sk, "GET", "/v1/events?types=charge.*", "").want(200).has("0", "")
	i.do(sk, "GET", "/v1/events?object="+second, "").want(200).has("0.sequence", "2", "1", "")
	i.do(sk, "GET", "/v1/events?object=nothing", "").want(400, giro.CodeInvalidParameter)
	i.do(sk, "GET", "/v1/events?before=2", "").want(200).has("0.sequence", "1")
	i.do(sk, "GET", "/v1/events?before=2&after=1", "").want(400, giro.CodeInvalidParameter)
	id := all.text("0.id")
	i.do(sk, "GET", "/v1/events/"+id, "").want(200).has("id", id, "type", "payout.failed")
	i.do(i.live.SecretKey, "GET", "/v1/events/"+id, "").want(404)
}

func TestCustomers(t *testing.T) {
	t.Parallel()
	i := install(t)
	sk := i.test.SecretKey
	cpf := bank.Sample("cpf", 7)
	body := `{"name":"Ana","email":"ana@example.com","phone":"+5511987654321","document":{"type":"CPF","number":"` + cpf + `"},"reference":"a-1","metadata":{"k":"v"}}`
	c := i.do(sk, "POST", "/v1/customers", body).want(201)
	c.has("object", "customer", "name", "Ana", "document.type", "CPF", "reference", "a-1", "metadata.k", "v", "livemode", "false", "version", "1")
	id := c.text("id")
	i.do(sk, "POST", "/v1/customers", body).want(200).has("id", id) // the same data: the same customer
	i.do(sk, "POST", "/v1/customers", `{"name":"Bea","reference":"a-1"}`).want(409, giro.CodeDuplicateReference)
	other := i.do(i.live.SecretKey, "POST", "/v1/customers", `{"name":"Bea","reference":"a-1"}`).want(201).text("id")
	second := i.do(sk, "POST", "/v1/customers", `{"name":"Caio"}`).want(201).text("id")
	third := i.do(sk, "POST", "/v1/customers", `{"name":"Davi"}`).want(201).text("id")
	named := i.do(sk, "GET", "/v1/customers?ids="+id+","+third+","+other+",cus_01h455vb4pex5vsknk084sn02q,"+id+"&limit=1", "").want(200)
	named.has("0.id", third, "0.name", "Davi", "1.id", id, "1.name", "Ana", "2", "") // others' are not there, and nothing is twice
	if named.next() != "" {
		t.Errorf("there are more than all: %s", named.next())
	}
	i.do(sk, "GET", "/v1/customers?ids="+second, "").want(200).has("0.name", "Caio", "1", "")
	i.do(sk, "GET", "/v1/customers?ids=nobody", "").want(400, giro.CodeInvalidParameter).has("param", "ids")
	i.do(sk, "GET", "/v1/customers?ids="+strings.Repeat(id+",", 101), "").want(400, giro.CodeTooManyValues)
	wrong := []byte(cpf)
	wrong[10] = '0' + (wrong[10]-'0'+1)%10
	i.do(sk, "POST", "/v1/customers", `{"name":"X","document":{"type":"CPF","number":"`+string(wrong)+`"}}`).want(422, giro.CodeDocumentInvalid).has("param", "/document/number")
	i.do(sk, "POST", "/v1/customers", `{"name":"X","phone":"123"}`).want(422, giro.CodePhoneInvalid)
	i.do(sk, "POST", "/v1/customers", `{"email":"ana@example.com"}`).want(422, giro.CodeMissingField)

	read := i.do(sk, "GET", "/v1/customers/"+id, "").want(200)
	etag := read.header.Get("Etag")
	i.do(sk, "PUT", "/v1/customers/"+id, `{"name":"Ana Lima"}`, "If-Match: "+etag).want(200).has("name", "Ana Lima", "email", "ana@example.com", "version", "2")
	i.do(sk, "PUT", "/v1/customers/"+id, `{"name":"Late"}`, "If-Match: "+etag).want(412, giro.CodePreconditionFailed)
	i.do(sk, "PUT", "/v1/customers/"+id, `{}`).want(422, giro.CodeNothingToUpdate)
	i.do(sk, "PUT", "/v1/customers/"+id, `{"id":"x"}`).want(422, giro.CodeReadOnlyField)
	i.do(i.live.SecretKey, "GET", "/v1/customers/"+id, "").want(404)
	i.do(i.live.SecretKey, "DELETE", "/v1/customers/"+id, "").want(404)

	// A source is of its customer, and goes with it.
	s := i.do(sk, "POST", "/v1/sources", `{"customer":"`+id+`","provider":"bank","bank":{"method":"pix","key":"`+cpf+`"}}`).want(201)
	s.has("object", "source", "customer", id, "provider", "bank", "bank.key", cpf, "bank.key_type", "cpf")
	i.do(sk, "POST", "/v1/sources", `{"customer":"`+id+`","provider":"bank","bank":{"method":"pix","key":"`+string(wrong)+`"}}`).want(422, giro.CodeKeyInvalid).has("param", "/bank/key")
	i.do(sk, "POST", "/v1/sources", `{"customer":"cus_x","provider":"card","card":{"token":"tok_ok"}}`).want(422, giro.CodeCustomerUnknown)
	i.do(sk, "POST", "/v1/sources", `{"customer":"`+id+`","provider":"card"}`).want(422, giro.CodeMissingField).has("param", "/card/token")
	card := i.do(sk, "POST", "/v1/sources", `{"customer":"`+id+`","provider":"card","card":{"token":"tok_ok"}}`).want(201)
	if bytes.Contains(card.body, []byte("tok_ok")) {
		t.Errorf("a source shows its token: %s", card.body)
	}
	i.fund("brl", "1000")
	i.do(sk, "POST", "/v1/payouts", `{"amount":10,"currency":"brl","source":"`+s.text("id")+`"}`).want(201).has("customer", id, "provider", "bank", "bank.key", cpf)
	i.do(i.live.SecretKey, "POST", "/v1/payouts", `{"amount":10,"currency":"brl","source":"`+s.text("id")+`"}`).want(422, giro.CodeSourceUnknown)
	if n := i.do(sk, "GET", "/v1/sources?customer="+id, "").want(200).length(); n != 2 {
		t.Errorf("the customer has %d sources, want 2", n)
	}
	i.do(sk, "DELETE", "/v1/customers/"+id, "").want(200).has("message", "Customer deleted successfully")
	i.do(sk, "DELETE", "/v1/customers/"+id, "").want(404)
	i.do(sk, "GET", "/v1/sources/"+s.text("id"), "").want(404)
	i.do(sk, "POST", "/v1/payouts", `{"amount":10,"currency":"brl","source":"`+s.text("id")+`"}`).want(422, giro.CodeSourceUnknown)
	i.do(sk, "POST", "/v1/customers", body).want(201) // the reference is free again
}

func TestMerchantsAndKeys(t *testing.T) {
	t.Parallel()
	i := install(t)
	sk := i.test.SecretKey
	i.do(sk, "POST", "/v1/merchants", `{"name":"X"}`).want(403, giro.CodeForbidden)
	m := i.do(adminToken, "POST", "/v1/merchants", `{"name":"Second","email":"a@example.com","currency":"usd"}`).want(201)
	m.has("object", "merchant", "name", "Second", "currency", "usd", "status", "active")
	second := m.text("keys.test.secret_key")
	for _, part := range []string{"keys.test.secret_key", "keys.test.publishable_key", "keys.test.client_id", "keys.test.client_secret", "keys.live.secret_key"} {
		if m.text(part) == "" {
			t.Errorf("%s is missing: %s", part, m.body)
		}
	}
	id := m.text("id")
	i.do(second, "GET", "/v1/merchants/"+id, "").want(200).has("id", id, "keys", "")
	i.do(sk, "GET", "/v1/merchants/"+id, "").want(404)
	if n := i.do(second, "GET", "/v1/merchants", "").want(200).length(); n != 1 {
		t.Errorf("a merchant sees %d merchants", n)
	}
	page := i.do(adminToken, "GET", "/v1/merchants?limit=1", "").want(200).has("0.id", id, "1", "")
	if rest := i.do(adminToken, "GET", page.next(), "").want(200).has("0.name", "First"); rest.next() != "" {
		t.Errorf("a page behind the last: %s", rest.next())
	}
	i.do(second, "PUT", "/v1/merchants/"+id, `{"phone":"12"}`).want(422, giro.CodePhoneInvalid)
	i.do(second, "PUT", "/v1/merchants/"+id, `{"require_idempotency_key":true}`).want(200).has("require_idempotency_key", "true", "name", "Second")
	i.do(second, "POST", "/v1/customers", `{"name":"X"}`).want(400, giro.CodeKeyRequired)

	k := i.do(sk, "POST", "/v1/api_keys", `{"name":"reader","scopes":["payouts:read","api_keys"]}`).want(201)
	reader := k.text("secret")
	i.do(reader, "GET", "/v1/payouts", "").want(200)
	i.do(reader, "GET", "/v1/charges", "").want(403, giro.CodeForbidden)
	i.do(reader, "POST", "/v1/api_keys", `{"name":"all"}`).want(403, giro.CodeForbidden)
	i.do(reader, "POST", "/v1/api_keys", `{"scopes":["payouts"]}`).want(403, giro.CodeForbidden)
	i.do(reader, "POST", "/v1/api_keys", `{"scopes":["payouts:read"]}`).want(201)
	i.do(sk, "POST", "/v1/api_keys", `{"scopes":["payout:read"]}`).want(422, giro.CodeInvalidValue)
	i.do(sk, "POST", "/v1/api_keys", `{"expires_at":5}`).want(422, giro.CodeInvalidValue)
	list := i.do(sk, "GET", "/v1/api_keys", "").want(200)
	if bytes.Contains(list.body, []byte(reader)) || bytes.Contains(list.body, []byte("hash")) {
		t.Errorf("the list shows secrets: %s", list.body)
	}
	rolled := i.do(sk, "POST", "/v1/api_keys/"+k.text("id")+"/roll", `{"grace_seconds":3600}`).want(201).has("name", "reader", "scopes.0", "payouts:read")
	i.do(rolled.text("secret"), "GET", "/v1/payouts", "").want(200)
	i.do(reader, "GET", "/v1/payouts", "").want(200) // the grace period
	i.do(sk, "DELETE", "/v1/api_keys/"+k.text("id"), "").want(200)
	i.do(reader, "GET", "/v1/payouts", "").want(401, giro.CodeKeyRevoked)
	i.do(i.live.SecretKey, "DELETE", "/v1/api_keys/"+rolled.text("id"), "").want(404)
	i.do(second, "DELETE", "/v1/api_keys/"+rolled.text("id"), "").want(404)
}

func TestSandboxRoutes(t *testing.T) {
	t.Parallel()
	i := install(t)
	sk := i.test.SecretKey
	i.do(i.live.SecretKey, "POST", "/v1/test/fund", `{"currency":"brl","amount":1}`).want(403, giro.CodeTestModeOnly)
	i.fund("brl", "100000")
	p := i.payout("100", "Giro-Simulate: pending").text("id")
	i.do(sk, "POST", "/v1/test/payouts/"+p+"/exploded", "").want(422, giro.CodeInvalidValue)
	i.do(sk, "POST", "/v1/test/boats/"+p+"/succeeded", "").want(404)
	i.do(sk, "POST", "/v1/test/payouts/"+p+"/succeeded", "").want(200).has("status", "succeeded", "amount_captured", "100")
	i.do(sk, "POST", "/v1/test/payouts/"+p+"/failed", "").want(409, giro.CodeInvalidState)
	i.do(sk, "POST", "/v1/test/payouts/"+p+"/returned", "").want(200).has("status", "returned")
	i.do(sk, "POST", "/v1/test/payouts/"+p+"/refunded", "").want(200).has("status", "refunded")
	i.do(sk, "GET", "/v1/balances", "").want(200).has("balances.0.available", "100000", "balances.0.reserved", "0", "balances.0.returns", "0")

	// What becomes due by the clock has run when the answer comes.
	main := i.do(sk, "POST", "/v1/accounts", `{"name":"x","currency":"brl"}`).text("id")
	tr := i.do(sk, "POST", "/v1/transfers", `{"amount":70,"currency":"brl","destination":"`+main+`","pending":true}`).want(201).has("status", "pending").text("id")
	before := i.do(sk, "GET", "/v1/test/clock", "").want(200)
	i.do(sk, "POST", "/v1/test/clock", `{"advance":"1h"}`).want(200)
	i.do(sk, "GET", "/v1/transfers/"+tr, "").want(200).has("status", "pending")
	i.do(sk, "POST", "/v1/test/clock", `{"advance":"168h"}`).want(200).has("fired.0.object", tr, "fired.0.kind", "expire")
	i.do(sk, "GET", "/v1/transfers/"+tr, "").want(200).has("status", "canceled")
	then, err := time.Parse(time.RFC3339Nano, before.text("now"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := time.Parse(time.RFC3339Nano, i.do(sk, "GET", "/v1/test/clock", "").text("now"))
	if err != nil {
		t.Fatal(err)
	}
	if d := after.Sub(then); d < 169*time.Hour || d > 170*time.Hour {
		t.Errorf("the clock went forward by %s", d)
	}
	for _, body := range []string{`{"advance":"-1h"}`, `{"advance":"soon"}`, `{"to":5}`, `{}`, `{"advance":"1h","to":5}`, `{"freeze":false}`, `{"freeze":true,"reset":true}`, `{"freeze":true,"advance":"1h"}`, `{"reset":true,"to":"2999-01-01T00:00:00Z"}`, `{"freeze":true,"to":"2001-01-01T00:00:00Z"}`, `{"advance":"100000h"}`} {
		i.do(sk, "POST", "/v1/test/clock", body).want(422)
	}
	// It stands, goes on from there, and is reset: not back, so it waits.
	stands := i.do(sk, "POST", "/v1/test/clock", `{"freeze":true}`).want(200).has("state", "frozen").text("now")
	i.do(sk, "GET", "/v1/test/clock", "").want(200).has("state", "frozen", "now", stands)
	i.do(sk, "POST", "/v1/test/clock", `{"advance":"1h"}`).want(200).has("state", "frozen")
	i.do(sk, "POST", "/v1/test/clock", `{"reset":true}`).want(200).has("state", "waiting")
	i.do(sk, "POST", "/v1/test/clock", `{"advance":"1s"}`).want(200).has("state", "running")
	i.do(sk, "POST", "/v1/test/clock", `{"to":"`+after.Add(48*time.Hour).Format(time.RFC3339)+`"}`).want(200)
	log := i.do(sk, "GET", "/v1/test/rail/log", "").want(200)
	seen := 0
	for n := range log.length() {
		if log.text(string(rune('0'+n))+".object") == p {
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("the rail has %d lines about one payout: %s", seen, log.body)
	}
	// Page by page it is the same log; what arrives meanwhile comes at its end.
	for range 3 {
		i.do(sk, "POST", "/v1/charges", `{"amount":500,"currency":"usd","provider":"card","card":{"token":"tok_ok"}}`).want(201)
	}
	var paged []string
	for path := "/v1/test/rail/log?limit=2"; path != ""; {
		page := i.do(sk, "GET", path, "").want(200)
		n := page.length()
		if n == 0 || n > 2 {
			t.Fatalf("a page of %d: %s", n, page.body)
		}
		for k := range n {
			paged = append(paged, page.text(fmt.Sprint(k)+".instruction"))
		}
		if len(paged) == 2 {
			i.do(sk, "POST", "/v1/charges", `{"amount":500,"currency":"usd","provider":"card","card":{"token":"tok_ok"}}`).want(201)
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(page.header.Get("Link"), "<"), ">")
	}
	log = i.do(sk, "GET", "/v1/test/rail/log", "").want(200)
	if log.length() != len(paged) || log.header.Get("Link") != "" {
		t.Fatalf("%d lines in pages, %d at once", len(paged), log.length())
	}
	for k, instruction := range paged {
		if log.text(fmt.Sprint(k)+".instruction") != instruction {
			t.Errorf("line %d is %s in pages: %s", k, instruction, log.body)
		}
	}
	i.do(i.live.SecretKey, "GET", "/v1/test/rail/log", "").want(403)
	i.do(sk, "GET", "/v1/test/rail/log?cursor=AAAA", "").want(400, giro.CodeInvalidCursor)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.do("", "GET", "/", "").want(200).has("name", "giro")
	i.do("", "GET", "/livez", "").want(200)
	i.do("", "GET", "/readyz", "").want(200)
	i.do("", "GET", "/metrics", "").want(404, giro.CodeRouteUnknown)
	i.do(i.test.SecretKey, "GET", "/metrics", "").want(404, giro.CodeRouteUnknown)
	m := i.do(adminToken, "GET", "/metrics", "").want(200)
	for _, name := range []string{"giro_commands_total", "giro_engine_healthy 1", "go_goroutines"} {
		if !bytes.Contains(m.body, []byte(name)) {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestBooksAddUp recomputes everything after all that these routes can do.
func TestBooksAddUp(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.fund("brl", "1000")
	for n, outcome := range []string{"succeeded", "failed", "returned", "onhold"} {
		p := i.payout(string(rune('1'+n))+"0", "Giro-Simulate: pending").text("id")
		i.do(i.test.SecretKey, "POST", "/v1/test/payouts/"+p+"/"+outcome, "").want(200)
	}
	r, err := i.engine.Store.Verify(context.Background())
	if err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}
