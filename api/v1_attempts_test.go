package api_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"giro"
	"giro/bank"
)

// attempt is what /attempts tells of one.
type attempt struct {
	Instruction, Act, Result, Code string
	Request                        *struct {
		Method, Path string
		Body         map[string]any
	}
	Response *struct {
		Status int
		Body   map[string]any
	}
}

// TestAttempts: what went over the wire to a rail is told in that rail's own form,
// with its end-to-end id, and with nothing in it that identifies somebody.
func TestAttempts(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		key := "Authorization: Bearer " + o.secret
		get := func(path string, into any) string {
			t.Helper()
			a := o.want(o.ask(nil, "GET", path, "", key), 200, "")
			if err := json.Unmarshal(a.body, into); err != nil {
				t.Fatal(err)
			}
			return string(a.body)
		}
		do := func(path, body string) string {
			t.Helper()
			a := o.ask(nil, "POST", path, body, key)
			if a.StatusCode > 201 {
				t.Fatalf("%s: %d %s", path, a.StatusCode, a.body)
			}
			return a.text("id")
		}
		type movement struct {
			Status string `json:"status"`
			E2E    string `json:"end_to_end_id"`
		}
		ended := func(kind, id string) (m movement) {
			t.Helper()
			deadline := time.Now().Add(20 * time.Second)
			for {
				changed := o.engine.Committed()
				get("/v1/"+kind+"/"+id, &m)
				if m.Status != "pending" {
					return m
				}
				do("/v1/test/clock", `{"advance":"1h"}`)
				select {
				case <-changed:
				case <-time.After(time.Until(deadline)):
					t.Fatal("it has not ended")
				}
			}
		}
		cpf := bank.Sample("cpf", 11)
		do("/v1/test/fund", `{"amount":500000000,"currency":"brl"}`)
		do("/v1/test/fund", `{"amount":500000000,"currency":"mxn"}`)
		do("/v1/test/fund", `{"amount":500000000,"currency":"eur"}`)
		payout := func(amount int, currency, destination string) string {
			t.Helper()
			document := ""
			if currency == "brl" {
				document = `,"document":{"type":"CPF","number":"` + cpf + `"}`
			}
			return do("/v1/payouts", fmt.Sprintf(`{"amount":%d,"currency":%q,"provider":"bank","bank":%s,"recipient":{"name":"Maria"%s}}`, amount, currency, destination, document))
		}
		attempts := func(kind, id string) (list []attempt, raw string) {
			t.Helper()
			raw = get("/v1/"+kind+"/"+id+"/attempts", &list)
			for _, secret := range []string{cpf, "maria@example.com", "tok_ok"} {
				if strings.Contains(raw, secret) {
					t.Errorf("%s is shown: %s", secret, raw)
				}
			}
			return list, raw
		}

		// PIX: the id has the standard's form, and is one from the request to the end.
		id := payout(98000, "brl", `{"method":"pix","key":"`+cpf+`"}`)
		m := ended("payouts", id)
		if !regexp.MustCompile(`^E99999999` + time.Now().UTC().Format("2006") + `\d{8}[0-9A-Za-z]{11}$`).MatchString(m.E2E) {
			t.Errorf("end-to-end id %q", m.E2E)
		}
		list, raw := attempts("payouts", id)
		if len(list) < 2 || list[0].Act != "submit" || list[0].Instruction != id+"-1" {
			t.Fatal(raw)
		}
		first, last := list[0], list[len(list)-1]
		if first.Request.Method != "POST" || first.Request.Body["endToEndId"] != m.E2E || first.Request.Body["valor"] != "980.00" || first.Response.Status != 201 || first.Response.Body["status"] != "EM_PROCESSAMENTO" ||
			!strings.Contains(raw, bank.MaskDocument(cpf)) {
			t.Error(raw)
		}
		if last.Act != "lookup" || last.Request.Path != "/v2/pix/pagamentos/"+m.E2E || last.Response.Body["status"] != "REALIZADO" {
			t.Error(raw)
		}
		if a := o.want(o.ask(nil, "GET", "/v1/events?object="+id, "", key), 200, ""); strings.Count(string(a.body), m.E2E) != 2 {
			t.Errorf("not every event has it: %s", a.body)
		}
		failed := payout(1009100, "brl", `{"method":"pix","key":"maria@example.com"}`)
		if m := ended("payouts", failed); m.Status != "failed" {
			t.Fatal(m)
		}
		list, raw = attempts("payouts", failed)
		if last := list[len(list)-1]; last.Code != "account_closed" || last.Response.Body["status"] != "NAO_REALIZADO" || last.Response.Body["motivo"].(map[string]any)["codigo"] != "AC07" {
			t.Error(raw)
		}
		// What a retry sends is another payment to the banks.
		again := o.want(o.ask(nil, "POST", "/v1/payouts/"+failed+"/retry", "", key), 200, "").text("end_to_end_id")
		if again == "" || again == m.E2E {
			t.Errorf("the retry's id is %q", again)
		}

		// An answer that was lost is none.
		lost := payout(1009700, "brl", `{"method":"pix","key":"maria@example.com"}`)
		ended("payouts", lost)
		if list, raw = attempts("payouts", lost); list[0].Result != "no answer" || list[0].Response != nil || list[0].Request == nil {
			t.Error(raw)
		}

		// SPEI and ISO 20022.
		clabe, iban := bank.Sample("clabe", 3), bank.Sample("iban_de", 3)
		id = payout(50000, "mxn", `{"method":"spei","account":"`+clabe+`"}`)
		m = ended("payouts", id)
		list, raw = attempts("payouts", id)
		if len(m.E2E) > 29 || !regexp.MustCompile(`^[0-9A-Z]+$`).MatchString(m.E2E) || list[0].Request.Body["claveRastreo"] != m.E2E || strings.Contains(raw, clabe) || !strings.Contains(raw, `"estado":"LQ"`) {
			t.Error(m.E2E, raw)
		}
		id = payout(50000, "eur", `{"method":"sepa","iban":"`+iban+`"}`)
		m = ended("payouts", id)
		if _, raw = attempts("payouts", id); len(m.E2E) > 35 || !strings.Contains(raw, `"EndToEndId":"`+m.E2E+`"`) || strings.Contains(raw, iban) || !strings.Contains(raw, `"TxSts":"ACSC"`) {
			t.Error(m.E2E, raw)
		}

		// A card has an authorisation code, and steps of its own kinds and amounts.
		charge := do("/v1/charges", `{"amount":1000,"currency":"brl","provider":"card","card":{"token":"tok_auth"},"capture":false}`)
		do("/v1/charges/"+charge+"/capture", `{"amount":400}`)
		list, raw = attempts("charges", charge)
		if len(list) != 2 || list[0].Request.Body["messageType"] != "0100" || list[0].Response.Body["responseCode"] != "00" || !regexp.MustCompile(`^[0-9A-Z]{6}$`).MatchString(fmt.Sprint(list[0].Response.Body["authorizationCode"])) ||
			list[1].Request.Body["messageType"] != "0220" || list[1].Request.Body["amount"].(map[string]any)["value"] != "4.00" {
			t.Error(raw)
		}

		// A PIX charge gets its id from who pays it; what is given back names it.
		charge = do("/v1/charges", `{"amount":1000,"currency":"brl","provider":"bank","bank":{"method":"pix"}}`)
		var before map[string]any
		get("/v1/charges/"+charge, &before)
		if _, known := before["end_to_end_id"]; known {
			t.Error("it is known before it is paid")
		}
		do("/v1/test/charges/"+charge+"/succeeded", "")
		var paid movement
		get("/v1/charges/"+charge, &paid)
		if !strings.HasPrefix(paid.E2E, "E") || len(paid.E2E) != 32 {
			t.Errorf("paid: %q", paid.E2E)
		}
		refund := do("/v1/refunds", `{"charge":"`+charge+`"}`)
		m = ended("refunds", refund)
		list, raw = attempts("refunds", refund)
		if !strings.HasPrefix(m.E2E, "D") || len(m.E2E) != 32 || !strings.Contains(list[0].Request.Path, paid.E2E+"/devolucao/") || list[len(list)-1].Response.Body["rtrId"] != m.E2E {
			t.Error(m.E2E, raw)
		}
		// The word of a test call is nobody's message.
		if list, raw = attempts("charges", charge); len(list) != 1 || list[0].Act != "message" || list[0].Request != nil || list[0].Response != nil {
			t.Error(raw)
		}

		// It is searched by.
		for n := 1; n > 0; {
			var err error
			if n, err = o.engine.IndexSome(t.Context(), 500); err != nil {
				t.Fatal(err)
			}
		}
		for _, e2e := range []string{paid.E2E, strings.ToLower(paid.E2E), paid.E2E[:12], m.E2E, strings.ToLower(m.E2E)} {
			if list := o.search(e2e); len(list) != 1 || !slices.Contains([]string{charge, refund}, list[0].ID) {
				t.Errorf("%s finds %v", e2e, list)
			}
		}

		// Where a person moves the money, nothing is sent.
		owner := o.person(giro.DutyOwner)
		manual := o.want(o.ask(owner, "POST", "/v1/charges", `{"amount":5000,"currency":"brl","provider":"mobile","mobile":{"phone":"+5511987654321"}}`, "Giro-Mode: live"), 201, "").text("id")
		if a := o.want(o.ask(owner, "GET", "/v1/charges/"+manual+"/attempts", "", "Giro-Mode: live"), 200, ""); strings.TrimSpace(string(a.body)) != "[]" {
			t.Errorf("manual: %s", a.body)
		}
		// It is nobody else's.
		o.want(o.ask(owner, "GET", "/v1/payouts/"+id+"/attempts", "", "Giro-Mode: live"), 404, "not_found")
		o.want(o.ask(nil, "GET", "/v1/payouts/"+id+"/attempts", ""), 401, "")
		o.want(o.ask(nil, "GET", "/v1/transfers/"+id+"/attempts", "", key), 404, "")
	})
}
