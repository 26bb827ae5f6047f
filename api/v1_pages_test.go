package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"giro"
	"giro/api"
	"giro/bank"
)

// pagesAre checks pages by number, near and far down, against the ids of the list.
func pagesAre(t *testing.T, h *hostile, kind, filter string, want []string) {
	t.Helper()
	const size = 70
	last := (len(want) + size - 1) / size
	for _, page := range []int{1, 2, 13, 29, 30, last/2 - 1, last / 2, last/2 + 1, last - 30, last - 1, last, last + 1, 1_000_000} {
		if page < 1 {
			continue
		}
		a := h.send(t, fmt.Sprintf("GET /v1/%s?page=%d&items_per_page=%d&%s", kind, page, size, filter), nil, "")
		var got struct {
			Payouts, Transfers []struct{ ID string }
			Total              int  `json:"total_items"`
			Capped             bool `json:"total_is_capped"`
		}
		if err := json.Unmarshal(a.body, &got); a.status != 200 || err != nil {
			t.Fatalf("%s: %d %v %.200s", filter, a.status, err, a.body)
		}
		list := append(got.Payouts, got.Transfers...)
		part := want[min(len(want), (page-1)*size):min(len(want), page*size)]
		if got.Total != len(want) || got.Capped || len(list) != len(part) {
			t.Fatalf("%q page %d: %d of %d, want %d of %d", filter, page, len(list), got.Total, len(part), len(want))
		}
		for i := range part {
			if list[i].ID != part[i] {
				t.Fatalf("%q page %d: the %dth is %s, want %s", filter, page, i, list[i].ID, part[i])
			}
		}
	}
}

// TestPagesFarDownOfOneCurrency: where all that lies ahead is of one currency its
// index is walked, and where something else is among it, it is not left out.
func TestPagesFarDownOfOneCurrency(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder, func(e *giro.Engine, _ *api.Config) { e.Paused = nil })
		make := func(path, body string) {
			t.Helper()
			a := h.send(t, "POST "+path, nil, body)
			if a.status >= 300 {
				t.Fatalf("%s: %d %.300s", path, a.status, a.body)
			}
		}
		make("/v1/test/fund", `{"currency":"brl","amount":1000000}`)
		make("/v1/test/fund", `{"currency":"mxn","amount":1000000}`)
		pix := `{"amount":5,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"ana@example.com"},"recipient":{"name":"Ana"}}`
		spei := `{"amount":5,"currency":"mxn","provider":"bank","bank":{"method":"spei","account":"` + bank.Sample("clabe", 1) + `"},"recipient":{"name":"Ana"}}`
		for hour := range 6 {
			if hour > 0 {
				make("/v1/test/clock", `{"advance":"1h"}`)
			}
			if hour == 3 { // in the middle, which is far from both ends
				make("/v1/payouts", spei)
			}
			make("/v1/payouts/bulk", `{"payouts":[`+strings.Repeat(pix+",", 999)+pix+`]}`)
		}
		var every, ofReal []string
		for next := "/v1/payouts?limit=100"; next != ""; {
			a := h.send(t, "GET "+next, nil, "")
			var some []struct{ ID, Currency string }
			if err := json.Unmarshal(a.body, &some); a.status != 200 || err != nil {
				t.Fatalf("%s: %d %v %.200s", next, a.status, err, a.body)
			}
			for _, o := range some {
				if every = append(every, o.ID); o.Currency == "brl" {
					ofReal = append(ofReal, o.ID)
				}
			}
			next, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
		}
		if len(ofReal) < 6000 || len(every) == len(ofReal) {
			t.Fatalf("%d payouts, %d of them in reais", len(every), len(ofReal))
		}
		pagesAre(t, h, "payouts", "", every)
		pagesAre(t, h, "payouts", "currency=brl", ofReal)
	})
}

// TestPagesFarDown: pages by number are the parts of the list that cursors walk
// through, however far down, and what no index has is found beyond the rows that
// one page looks at.
func TestPagesFarDown(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder, func(e *giro.Engine, _ *api.Config) { e.Paused = nil })
		const hours, each = 11, 1000
		euros := h.send(t, "POST /v1/accounts", nil, `{"currency":"eur","name":"euros"}`).text("id")
		for _, request := range []string{`/v1/test/fund {"currency":"eur","amount":5}`, fmt.Sprintf(`/v1/transfers {"amount":5,"currency":"eur","destination":%q}`, euros)} {
			path, body, _ := strings.Cut(request, " ")
			if a := h.send(t, "POST "+path, nil, body); a.status >= 300 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		for hour := range hours {
			if hour > 0 {
				if a := h.send(t, "POST /v1/test/clock", nil, `{"advance":"90m"}`); a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			items := make([]string, each)
			for i := range items {
				amount := 1 + i%7
				if hour == 0 && i == 3 {
					amount = 50
				}
				items[i] = fmt.Sprintf(`{"amount":%d,"currency":"usd","destination":%q,"pending":%v,"metadata":{"n":"%d"}}`, amount, h.vars["account"], i%25 == 0, hour*each+i)
			}
			a := h.send(t, "POST /v1/transfers/bulk", nil, `{"transfers":[`+strings.Join(items, ",")+`]}`)
			if a.status != 200 || a.text("made") != "1000" {
				t.Fatalf("%d %.300s", a.status, a.body)
			}
		}
		type object struct {
			ID       string
			Status   string
			Currency string
			Type     string
			Metadata map[string]string
		}
		// walk reads a list page by page; it returns how many pages there were, too.
		walk := func(path string) (list []object, pages int) {
			for next := path; next != ""; pages++ {
				a := h.send(t, "GET "+next, nil, "")
				var some []object
				if err := json.Unmarshal(a.body, &some); a.status != 200 || err != nil {
					t.Fatalf("%s: %d %v %.200s", next, a.status, err, a.body)
				}
				list = append(list, some...)
				next, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
			}
			return list, pages
		}
		every, _ := walk("/v1/transfers?limit=100")
		if len(every) != hours*each+1 {
			t.Fatalf("%d transfers", len(every))
		}
		for _, filter := range []string{"", "status=pending", "status=succeeded,pending", "currency=usd&status=succeeded", "currency=eur", "currency=eur&status=succeeded", "currency=eur&status=pending", "customer=cus_00000000000000000000000000"} {
			var want []string
			for _, o := range every {
				if !strings.HasPrefix(filter, "customer") && (!strings.Contains(filter, "status") || strings.Contains(filter, o.Status)) && (!strings.Contains(filter, "currency") || strings.Contains(filter, o.Currency)) {
					want = append(want, o.ID)
				}
			}
			pagesAre(t, h, "transfers", filter, want)
		}
		// Two filters, of which neither index has the other, lead to where the
		// roll-ups know of something.
		for filter, want := range map[string]int{"currency=eur&status=succeeded": 1, "currency=eur&status=pending": 0, "currency=eur&status=pending,succeeded,failed&limit=1": 1} {
			if found, pages := walk("/v1/transfers?" + filter); len(found) != want || pages != 1 {
				t.Errorf("%s: %v on %d pages", filter, found, pages)
			}
		}
		// The oldest thousand stands behind ten thousand others.
		for filter, most := range map[string]int{"amount[gte]=50": 3, "metadata[n]=3": 6} {
			found, pages := walk("/v1/transfers?" + filter)
			if len(found) != 1 || found[0].Metadata["n"] != "3" || pages != most {
				t.Errorf("%s: %v on %d pages", filter, found, pages)
			}
			a := h.send(t, "GET /v1/transfers?page=1&"+filter, nil, "")
			if a.status != 200 || a.text("total_items") != "1" || !strings.Contains(string(a.body), `"n":"3"`) {
				t.Errorf("%s: %d %.300s", filter, a.status, a.body)
			}
		}
		// So do the first events, seen from the newest; and the newest, from the first.
		if found, pages := walk("/v1/events?types=payout.created"); len(found) != 2 || found[0].Type != "payout.created" || pages < 5 || pages > 6 {
			t.Errorf("%v on %d pages", found, pages)
		}
		if a := h.send(t, "POST /v1/payouts", nil, `{"amount":1,"currency":"usd","provider":"bank","bank":{"method":"pix","key":"ana@example.com"},"recipient":{"name":"Ana","document":{"type":"CPF","country":"BR","number":"`+h.vars["cpf"]+`"}}}`); a.status != 201 {
			t.Fatalf("%d %.300s", a.status, a.body)
		}
		if found, pages := walk("/v1/events?types=payout.created&after=100"); len(found) != 1 || found[0].Type != "payout.created" || pages < 5 || pages > 6 {
			t.Errorf("%v on %d pages", found, pages)
		}
	})
}

// TestFiltersWithoutIndex: movements are found by their method, rail, reason,
// the recipient's document and any of several references.
func TestFiltersWithoutIndex(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder)
		make := func(path, body string) {
			t.Helper()
			if a := h.send(t, "POST "+path, nil, body); a.status >= 300 {
				t.Fatalf("%s %s: %d %s", path, body, a.status, a.body)
			}
		}
		make("/v1/test/fund", `{"currency":"brl","amount":1000000}`)
		make("/v1/test/fund", `{"currency":"mxn","amount":1000000}`)
		make("/v1/charges", `{"amount":700,"currency":"brl","provider":"card","card":{"token":"tok_ok"},"reference":"c-1"}`)
		make("/v1/charges", `{"amount":701,"currency":"brl","provider":"card","card":{"token":"tok_insufficient_funds"},"reference":"c-2"}`)
		make("/v1/charges", `{"amount":702,"currency":"brl","provider":"bank","bank":{"method":"pix"},"reference":"c-3"}`)
		number := h.vars["cpf"]
		for i, p := range []struct{ currency, bank, document string }{
			{"brl", `{"method":"pix","key":"ana@example.com"}`, number}, {"brl", `{"method":"pix","key":"ana@example.com"}`, ""}, {"mxn", `{"method":"spei","account":"` + bank.Sample("clabe", 1) + `"}`, ""},
		} {
			document := ""
			if p.document != "" {
				document = `,"document":{"type":"CPF","country":"BR","number":"` + p.document + `"}`
			}
			make("/v1/payouts", fmt.Sprintf(`{"amount":%d,"currency":%q,"provider":"bank","bank":%s,"recipient":{"name":"Ana"%s},"reference":"p-%d"}`, 500+i, p.currency, p.bank, document, i))
		}
		dotted := number[:3] + "." + number[3:6] + "." + number[6:9] + "-" + number[9:]
		for query, want := range map[string]string{
			"charges?provider=card": "c-2 c-1 order-1", "charges?provider=bank": "c-3", "charges?provider=bank,card&status=succeeded": "c-1 order-1", "charges?method=pix": "c-3", "charges?method=boleto,pix": "c-3", "charges?method=ted": "",
			"charges?failure_code=insufficient_funds": "c-2", "charges?failure_code=insufficient_funds&status=succeeded": "", "charges?rail=sandbox": "c-3 c-2 c-1 order-1", "charges?rail=manual": "",
			"charges?references=c-1,c-3,c-9": "c-3 c-1", "charges?references=c-1,c-3&reference=c-3": "c-3", "charges?references=c-1&reference=c-3": "", "charges?references=c-1,c-2&limit=1": "c-2 c-1",
			"payouts?method=spei": "p-2", "payouts?method=pix&currency=brl": "p-1 p-0", "payouts?document=" + number: "p-0", "payouts?document=" + dotted: "p-0", "payouts?document=" + number[1:]: "", "payouts?document=-": "",
		} {
			var got []string
			for next := "/v1/" + query; next != ""; {
				a := h.send(t, "GET "+next, nil, "")
				var some []struct{ Reference string }
				if err := json.Unmarshal(a.body, &some); a.status != 200 || err != nil {
					t.Fatalf("%s: %d %v %.200s", next, a.status, err, a.body)
				}
				for _, o := range some {
					got = append(got, o.Reference)
				}
				next, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s", query, got, want)
			}
			kind, filters, _ := strings.Cut(query, "?")
			if !strings.Contains(filters, "limit") && !strings.Contains(filters, "status") {
				if a := h.send(t, "GET /v1/"+kind+"/counts?"+filters, nil, ""); a.text("all") != fmt.Sprint(len(got)) {
					t.Errorf("%s are counted as %s", query, a.body)
				}
			}
		}
		for _, query := range []string{"refunds?method=pix", "transfers?rail=sandbox", "charges?document=1", "charges?references=" + strings.Repeat("a,", 100) + "a"} {
			if a := h.send(t, "GET /v1/"+query, nil, ""); a.status != 400 {
				t.Errorf("%.60s: %d", query, a.status)
			}
		}
	})
}

// TestFaults: the sandbox gives a whole kind the outcome that was set, unless a
// request names one, and behaves as usual again afterwards.
func TestFaults(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder, func(e *giro.Engine, _ *api.Config) { e.Paused = nil })
		card := `{"amount":700,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`
		charge := func(headers ...string) string {
			t.Helper()
			a := h.send(t, "POST /v1/charges", headers, card)
			if a.status != 201 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			return a.text("status") + " " + a.text("failure_code") + " " + a.text("in_doubt")
		}
		set := func(body, want string) {
			t.Helper()
			for _, a := range []wireAnswer{h.send(t, "PUT /v1/test/faults", nil, body), h.send(t, "GET /v1/test/faults", nil, "")} {
				if a.status != 200 || string(a.body) != want {
					t.Fatalf("%s: %d %s, want %s", body, a.status, a.body, want)
				}
			}
		}
		usual := charge()
		set(`{"charges":"failed:out_of_order","payouts":"onhold"}`, `{"object":"faults","charges":"failed:out_of_order","refunds":null,"payouts":"onhold"}`)
		if got := charge(); got != "failed out_of_order false" {
			t.Errorf("with a fault: %s", got)
		}
		if got := charge("Giro-Simulate: succeeded"); got != usual {
			t.Errorf("a request that names another outcome: %s, usually %s", got, usual)
		}
		set(`{"charges":"onhold"}`, `{"object":"faults","charges":"onhold","refunds":null,"payouts":null}`)
		if got := charge(); !strings.HasPrefix(got, "onhold") {
			t.Errorf("held: %s", got)
		}
		set(`{}`, `{"object":"faults","charges":null,"refunds":null,"payouts":null}`)
		if got := charge(); got != usual {
			t.Errorf("afterwards: %s, usually %s", got, usual)
		}
		for _, body := range []string{`{"charges":"maybe"}`, `{"transfers":"failed"}`, `{"payouts":"failed:"}`} {
			if a := h.send(t, "PUT /v1/test/faults", nil, body); a.status != 422 && a.status != 400 {
				t.Errorf("%s: %d", body, a.status)
			}
		}
		if a := h.send(t, "PUT /v1/test/faults", []string{"-Authorization", "Authorization: Bearer " + h.vars["live_key"]}, `{}`); a.status != 403 {
			t.Errorf("in live mode: %d %s", a.status, a.body)
		}
	})
}
