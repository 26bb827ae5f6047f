package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"giro"
	"giro/bank"
	"giro/internal/storetest"
	"giro/store"
)

// onStores runs a test on both databases.
func onStores(t *testing.T, test func(t *testing.T, s giro.Store)) {
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) { test(t, d.Open(t, store.Options{})) })
}

// profileVars is what a profile writes and reads in payouts.txt.
func profileVars(profile string) map[string]string {
	phone, cpf := strings.TrimPrefix(bank.Sample("phone_co", 1), "+"), bank.Sample("cpf", 1)
	if profile == "smartfastpay" {
		body := `{"customer_id":%q,"name":"Ana Gómez","email":"ana@example.com","document":"1032456789","document_type":"CC","phone":%q,"payout_method":"transfiya","amount":%s,"currency":"COL","country":"COL","callback":"https://example.com/callback","transaction":{"id":%q}}`
		return map[string]string{
			"amount": "98000.00", "other_amount": "30000.00", "currency": "COL", "book_currency": "cop", "total": "98000.00", "transaction_amount": "98000.00", "minor": "9800000",
			"body":             fmt.Sprintf(body, "d9e9557e-11a5-49df-b51b-d513a7f5b348", phone, "98000", "22dd9e47-97c7-4982-af50-3d3e0782d054"),
			"other_body":       fmt.Sprintf(body, "58f0c005-3b7d-4c75-81f3-93b9a6fee864", phone, `"30000.00"`, "b08e3897-6505-4bb4-81a5-6e3a1d29e277"),
			"conflicting_body": fmt.Sprintf(body, "d9e9557e-11a5-49df-b51b-d513a7f5b348", phone, "98000.5", "22dd9e47-97c7-4982-af50-3d3e0782d054"),
		}
	}
	body := `{"customer_id":%q,"name":"João Souza","email":"joao@example.com","document":%q,"document_type":"CPF","payout_method":"pix","pix":{"key":%q},"amount":%s,"currency":"BRL","country":"BRA","callback":"https://example.com/callback","transaction":{"id":%q}}`
	return map[string]string{
		"amount": "980", "other_amount": "300", "currency": "BRL", "book_currency": "brl", "total": "980.00", "transaction_amount": "980.00", "minor": "98000",
		"body":             fmt.Sprintf(body, "d9e9557e-11a5-49df-b51b-d513a7f5b348", cpf, cpf, "980", "22dd9e47-97c7-4982-af50-3d3e0782d054"),
		"other_body":       fmt.Sprintf(body, "58f0c005-3b7d-4c75-81f3-93b9a6fee864", cpf, cpf, `"300"`, "b08e3897-6505-4bb4-81a5-6e3a1d29e277"),
		"conflicting_body": fmt.Sprintf(body, "d9e9557e-11a5-49df-b51b-d513a7f5b348", cpf, cpf, "980.01", "22dd9e47-97c7-4982-af50-3d3e0782d054"),
	}
}

// TestPayoutPages runs the pages' own calls in both profiles, on the root, at
// the mounts and under the hosts, with and without /v1.
func TestPayoutPages(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/smartfastpay/payouts.txt")
	if err != nil {
		t.Fatal(err)
	}
	type way struct{ profile, mount, version, host, credentials string }
	ways := []way{
		{"smartfastpay", "", "", "", "client"},
		{"smartfastpay", "/smartfastpay", "", "", "client"},
		{"smartfastpay", "", "/v1", "", "client"},
		{"smartfastpay", "", "", "sandbox.smartfastpay.com", "jump_client"}, // the host decides
		{"jumppag", "", "", "", "jump_client"},
		{"jumppag", "/jumppag", "/v1", "", "client"}, // the mount decides
		{"jumppag", "", "", "api-uat.jumppag.com", "client"},
		{"jumppag", "", "/v1", "uat-api.jumppag.com:443", "jump_client"},
	}
	onStores(t, func(t *testing.T, s giro.Store) { // one way after the other: each its own merchant would be slow
		for _, w := range ways {
			t.Run(strings.Join([]string{w.profile, w.mount, w.version, w.host}, " "), func(t *testing.T) {
				r, _ := running(t, keepOpen{s})
				maps.Copy(r.Vars, profileVars(w.profile))
				r.Vars["mount"], r.Vars["version"], r.Vars["host"], r.Vars["credentials"] = w.mount, w.version, w.host, r.Vars[w.credentials]
				if err := r.Run("payouts.txt", string(script)); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// keepOpen is a store that several servers use one after the other.
type keepOpen struct{ giro.Store }

func (keepOpen) Close() error { return nil }

// TestSmartFastPayScripts runs the other scripts of the dialect.
func TestSmartFastPayScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/smartfastpay/*.txt")
	if err != nil || len(files) < 2 {
		t.Fatal("no scripts", err)
	}
	onStores(t, func(t *testing.T, s giro.Store) {
		for _, file := range files {
			if filepath.Base(file) == "payouts.txt" {
				continue
			}
			t.Run(filepath.Base(file), func(t *testing.T) {
				script, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				r, _ := running(t, keepOpen{s})
				for i := range uint64(3) {
					for _, kind := range bank.SampleKinds() {
						v := bank.Sample(kind, 100+i)
						r.Vars[fmt.Sprintf("%s%d", kind, i)] = v
						if last := len(v) - 1; i == 0 { // mistyped: the last digit is the next one
							r.Vars["bad"+kind] = v[:last] + string('0'+(v[last]-'0'+1)%10)
						}
					}
				}
				if err := r.Run(file, string(script)); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestSmartFastPayOpenAPI: the dialect's document is valid, and has every route.
func TestSmartFastPayOpenAPI(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t, store.Options{})
	_, server := running(t, s)
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest("GET", "/openapi/smartfastpay.json", nil))
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/payout", "/v1/payout", "/v2/payout", "/payouts", "/v1/payouts", "/v2/payouts", "/payout/{id}", "/payment/{id}", "/payments", "/transaction/{id}", "/transactions", "/balance", "/webhook/secret", "/documents-type",
		"/oauth2/token", "/boleto", "/picpay", "/credit_card", "/transaction/checkout", "/v2/payin", "/v2/payins", "/v2/transaction/checkout", "/v2/trade/payout", "/v2/trade/quote"} {
		if doc.Paths.Value(path) == nil {
			t.Errorf("%s is not in the document", path)
		}
	}
}

// TestOnePayoutPerTransactionID: of many posts at once, through both generations
// and both profiles, one payout is made, for good.
func TestOnePayoutPerTransactionID(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s giro.Store) {
		r, server := running(t, s)
		if err := r.Run("token", "POST /oauth2/token\nAuthorization: Basic {{client}}\n> save token /data/access_token\n\nPOST /v1/test/fund\nAuthorization: Bearer {{secret_key}}\n{\"currency\": \"brl\", \"amount\": 1000000}\n> status 201"); err != nil {
			t.Fatal(err)
		}
		cpf := bank.Sample("cpf", 9)
		flat := `{"customer_id":"c","name":"Ana Souza","email":"ana@example.com","document":"` + cpf + `","country":"BRA","currency":"BRL","payout_method":"pix","pix":{"key":"` + cpf + `"},"amount":10,"callback":"https://example.com/cb","transaction":{"id":"once"}}`
		nested := `{"customer":{"id":"c","name":"Ana Souza","document":{"type":"CPF","number":"` + cpf + `"}},"country":"BRA","payment_method":"pix","notification_url":"https://example.com/cb","transfer":{"value":"` + cpf + `"},"transaction":{"id":"once","currency":"BRL","amount":"10.00"}}`
		type answer struct {
			status int
			id     string
			form   int
		}
		answers := make(chan answer, 60)
		for i := range cap(answers) {
			go func() {
				path, body := []string{"/payout", "/v1/payout", "/jumppag/payout", "/v2/payout"}[i%4], flat
				if i%4 == 3 {
					body = nested
				}
				req := httptest.NewRequest("POST", path, strings.NewReader(body))
				req.Header.Set("Authorization", "Bearer "+r.Vars["token"])
				w := httptest.NewRecorder()
				server.ServeHTTP(w, req)
				var v struct{ Data struct{ ID string } }
				if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
					t.Error(err)
				}
				answers <- answer{w.Code, v.Data.ID, i % 4 / 3}
			}()
		}
		ids, winner, refused := map[string]int{}, -1, 0
		for range cap(answers) {
			switch a := <-answers; a.status {
			case 200:
				ids[a.id]++
				if winner >= 0 && winner != a.form {
					t.Error("both generations made a payout")
				}
				winner = a.form
			case 409:
				refused++
			default:
				t.Errorf("status %d", a.status)
			}
		}
		if len(ids) != 1 || refused != map[int]int{0: 15, 1: 45}[winner] {
			t.Errorf("%d payouts, %d refused; the first was form %d", len(ids), refused, winner)
		}
		if err := r.Run("after", "GET /v1/payouts\nAuthorization: Bearer {{secret_key}}\n> has /0\n> lacks /1"); err != nil {
			t.Error(err)
		}
	})
}

// TestCheckoutPage: the payer chooses on the page, finds the code, and pays.
func TestCheckoutPage(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t, store.Options{})
	r, _ := running(t, s)
	r.Vars["cpf"] = bank.Sample("cpf", 10)
	script := `
POST /oauth2/token
Authorization: Basic {{client}}
> save token /data/access_token

POST /transaction/checkout
Authorization: Bearer {{token}}
{"customer_id":"c","name":"Ana <b>","email":"ana@example.com","amount":"12.34","country":"BRA","currency":"BRL","callback":"https://example.com/cb","transaction":{"id":"k","redirect":{"url":"https://example.com/back?a=1&b=2","type":"HTML"}},"payment":{"method":["pix","boleto","bolepix"]}}
> status 200
> json /data/html ~ checkout
> save url /data/url
> save id /data/id
`
	if err := r.Run("create", script); err != nil {
		t.Fatal(err)
	}
	r.Vars["page"] = strings.TrimPrefix(r.Vars["url"], "http://giro.test")
	script = `
GET {{page}}
> status 200
> header Content-Type ~ ^text/html
> header Content-Security-Policy ~ default-src 'none'.*form-action 'self'
> body ~ BRL 12\.34
> body ~ method-boleto
> body ~ https://example\.com/back\?a=1&amp;b=2

GET {{page}}x
> status 404

POST {{page}}/method-pse
> status 404

# Nobody pays what has no method yet, and the methods are those that were offered.
POST {{page}}/method-bolepix
> status 303
> header Location ~ ^/checkout/

POST {{page}}/method-boleto
> status 409

GET {{page}}
> status 200
> body ~ <svg
> body ~ 000201
> body ~ [0-9]{47}
> body ~ test mode

GET /transaction/{{id}}
Authorization: Bearer {{token}}
> subset {"data": {"status": "pending", "method": "bolepix"}}

POST {{page}}/paid
> status 303

GET {{page}}
> body ~ Paid

GET /payment/{{id}}
Authorization: Bearer {{token}}
> subset {"data": {"status": "paid", "method": "bolepix", "amount": "12.34"}}

GET /v1/charges?reference=k
Authorization: Bearer {{secret_key}}
> subset [{"status": "succeeded", "amount_captured": 1234}]
`
	if err := r.Run("page", script); err != nil {
		t.Error(err)
	}
}
