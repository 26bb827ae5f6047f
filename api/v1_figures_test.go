package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"giro"
	"giro/api"
)

type sums struct {
	Gross    int64 `json:"gross_volume"`
	Net      int64 `json:"net_volume"`
	Refunded int64
	Charges  int64
	Success  int64 `json:"succeeded"`
	Failed   int64
	Rate     *int64 `json:"success_rate_bps"`
	Sent     int64  `json:"payouts_sent"`
	From, To int64
	Complete bool
}

type figuresReply struct {
	Currency, Interval string
	From, To, Now      int64
	Totals             sums
	Series             []sums
	Previous           struct {
		From, To int64
		Totals   sums
		Series   []sums
	}
	Failures, Open []struct {
		Kind, Status, Reason string
		Count, Amount        int64
	}
	Currencies []string
}

func (o *office) figures(cookieless string) (f figuresReply) {
	o.t.Helper()
	a := o.want(o.ask(nil, "GET", "/v1/figures?"+cookieless, "", "Authorization: Bearer "+o.secret), 200, "")
	if err := json.Unmarshal(a.body, &f); err != nil {
		o.t.Fatal(err)
	}
	return f
}

// TestFigures adds up what happened on two days, and moves it when it changes.
func TestFigures(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		o.stopped.Store(time.Now().Truncate(24 * time.Hour).Add(36*time.Hour + 30*time.Minute).UnixNano()) // after noon: no day ends while it runs
		do := func(method, path, body string, status int) reply {
			t.Helper()
			return o.want(o.ask(nil, method, path, body, "Authorization: Bearer "+o.secret), status, "")
		}
		charge := func(amount int, token string) string {
			return do("POST", "/v1/charges", fmt.Sprintf(`{"amount":%d,"currency":"brl","provider":"card","card":{"token":%q}}`, amount, token), 201).text("id")
		}
		first := charge(1000, "tok_ok")
		charge(2000, "tok_ok")
		charge(500, "tok_declined")
		charge(300, "tok_fraud")
		charge(700, "tok_auth")
		do("POST", "/v1/test/clock", `{"advance":"48h"}`, 200)
		second := charge(4000, "tok_ok")
		do("POST", "/v1/charges", `{"amount":9,"currency":"mxn","provider":"card","card":{"token":"tok_ok"}}`, 201)

		zone := "America/Sao_Paulo"
		place, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		f := o.figures("currency=brl&compare=true&time_zone=" + url.QueryEscape(zone))
		if f.Interval != "day" || len(f.Series) != 30 || len(f.Previous.Series) != 30 || f.Previous.To != f.From {
			t.Fatalf("%s, %d and %d bars, %d to %d", f.Interval, len(f.Series), len(f.Previous.Series), f.Previous.To, f.From)
		}
		if s := f.Totals; s.Gross != 7000 || s.Net != 7000 || s.Charges != 6 || s.Success != 3 || s.Failed != 2 || s.Rate == nil || *s.Rate != 6000 {
			t.Fatalf("the totals are %+v", s)
		}
		if f.Previous.Totals.Rate != nil || f.Previous.Totals.Charges != 0 {
			t.Fatalf("the days before are %+v", f.Previous.Totals)
		}
		// Two bars, two days apart, cut at midnight in São Paulo; the last is not over.
		var bars []int
		for i, s := range f.Series {
			if s.Charges > 0 {
				bars = append(bars, i)
			}
			if begin := time.Unix(s.From, 0).In(place); begin.Hour() != 0 {
				t.Fatalf("bar %d begins at %s", i, begin)
			}
		}
		if len(bars) != 2 || bars[1]-bars[0] != 2 || bars[1] != 29 || f.Series[29].Complete || !f.Series[28].Complete || f.Series[bars[0]].Gross != 3000 || f.Series[29].Gross != 4000 {
			t.Fatalf("the bars are %v of %+v", bars, f.Series)
		}
		reasons := map[string]int64{}
		for _, r := range f.Failures {
			reasons[r.Reason] += r.Amount
		}
		if len(f.Failures) != 2 || reasons["card_declined"]+reasons["declined"] != 500 {
			t.Fatalf("the failures are %+v", f.Failures)
		}
		if len(f.Open) != 1 || f.Open[0].Status != "pending" || f.Open[0].Amount != 700 || len(f.Currencies) != 2 || f.Currencies[0] != "brl" {
			t.Fatalf("open %+v, currencies %v", f.Open, f.Currencies)
		}
		// Only the last hour, bar by bar.
		f = o.figures(fmt.Sprintf("currency=brl&from=%d&to=%d", f.Now-3600, f.Now))
		if f.Interval != "hour" || f.Totals.Gross != 4000 || len(f.Series) > 2 {
			t.Fatalf("the last hour is %+v", f)
		}

		// A refund moves the charge, in the hour in which it was made; what is
		// deleted is gone.
		refund := do("POST", "/v1/refunds", `{"charge":"`+first+`"}`, 201).text("id")
		do("POST", "/v1/test/refunds/"+refund+"/succeeded", "", 200)
		do("DELETE", "/v1/charges/"+second, "", 200)
		f = o.figures("currency=brl")
		if s := f.Totals; s.Gross != 3000 || s.Refunded != 1000 || s.Net != 2000 || s.Charges != 5 || s.Success != 2 {
			t.Fatalf("after the refund and the deletion: %+v", s)
		}

		// The tabs of a list agree with the list, filtered or not.
		for query, want := range map[string]string{
			"":                        `{"object":"counts","all":6,"statuses":{"pending":1,"onhold":0,"succeeded":2,"failed":2,"canceled":0,"returned":0,"refunded":1},"is_capped":false}`,
			"?currency=mxn":           `{"object":"counts","all":1,"statuses":{"pending":0,"onhold":0,"succeeded":1,"failed":0,"canceled":0,"returned":0,"refunded":0},"is_capped":false}`,
			"?amount[gte]=700":        `{"object":"counts","all":3,"statuses":{"pending":1,"onhold":0,"succeeded":1,"failed":0,"canceled":0,"returned":0,"refunded":1},"is_capped":false}`,
			"?created[lt]=1000000000": `{"object":"counts","all":0,"statuses":{"pending":0,"onhold":0,"succeeded":0,"failed":0,"canceled":0,"returned":0,"refunded":0},"is_capped":false}`,
		} {
			if got := do("GET", "/v1/charges/counts"+query, "", 200); string(got.body) != want {
				t.Errorf("%s: %s", query, got.body)
			}
		}
		// The strip above a list agrees with it, of one currency or of all.
		var strip struct {
			Interval, Object string
			From, To         int64
			Series           []struct {
				From, To int64
				Complete bool
				All      int64
				Statuses map[string]int64
			}
		}
		for query, want := range map[string]map[string]int64{
			"": {"pending": 1, "succeeded": 2, "failed": 2, "refunded": 1}, "&currency=mxn": {"succeeded": 1}, "&interval=hour&from=" + fmt.Sprint(f.Now-60*3600): {"pending": 1, "succeeded": 2, "failed": 2, "refunded": 1},
			"&from=" + fmt.Sprint(f.Now-24*3600): {"succeeded": 1}, "&currency=jpy": {},
		} {
			if err := json.Unmarshal(do("GET", "/v1/charges/histogram?time_zone=UTC"+query, "", 200).body, &strip); err != nil || strip.Object != "histogram" || strip.Series[0].From != strip.From || strip.Series[len(strip.Series)-1].To != strip.To {
				t.Fatal(strip, err)
			}
			got := map[string]int64{}
			for i, one := range strip.Series {
				var all int64
				for s, n := range one.Statuses {
					if all += n; n != 0 {
						got[s] += n
					}
				}
				if all != one.All || one.Complete != (one.To <= f.Now) || i > 0 && one.From != strip.Series[i-1].To {
					t.Errorf("%s: bar %d is %+v", query, i, one)
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: the strip counts %v, not %v", query, got, want)
			}
		}
		if got := do("GET", "/v1/refunds/histogram", "", 200); !strings.Contains(string(got.body), `"succeeded":1`) {
			t.Errorf("the refund is in no bar: %s", got.body)
		}
		for query, code := range map[string]string{
			"from=5&to=4": "invalid_time", "from=1000000000&to=1200000000": "invalid_time", "time_zone=Mars/Base": "invalid_parameter", "time_zone=Local": "invalid_parameter",
			"interval=week": "invalid_parameter", "interval=hour": "", "interval=hour&from=1600000000&to=1603000000": "invalid_parameter", "currency=xyz": "invalid_parameter",
		} {
			status := 400
			if code == "" {
				status = 200
			}
			o.want(o.ask(nil, "GET", "/v1/figures?"+query, "", "Authorization: Bearer "+o.secret), status, code)
		}
		// What is busiest comes first, whatever the merchant's own currency is.
		for range 7 {
			do("POST", "/v1/charges", `{"amount":9,"currency":"mxn","provider":"card","card":{"token":"tok_ok"}}`, 201)
		}
		if f = o.figures(""); f.Currency != "mxn" || f.Totals.Gross != 8*9 {
			t.Fatalf("the busiest currency is %s, %+v", f.Currency, f.Totals)
		}
		// Every roll-up is what its movements say.
		r, err := o.engine.Store.Verify(t.Context())
		if err != nil || !r.OK {
			t.Fatal(r, err)
		}
	})
}

// TestAttention shows what waits, and takes it away when it is done.
func TestAttention(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		owner, support := o.person(giro.DutyOwner), o.person(giro.DutySupport)
		types := func(asks string) map[string]int64 {
			t.Helper()
			cookie := owner
			if asks == "support" {
				cookie = support
			}
			var list []struct {
				Type  string
				Count int64
			}
			if err := json.Unmarshal(o.want(o.ask(cookie, "GET", "/v1/attention", ""), 200, "").body, &list); err != nil {
				t.Fatal(err)
			}
			m := map[string]int64{}
			for _, l := range list {
				m[l.Type] += l.Count
			}
			return m
		}
		if got := types("owner"); len(got) != 1 || got["ledger_unverified"] != 1 {
			t.Fatalf("at first: %v", got)
		}
		if got := types("support"); len(got) != 0 {
			t.Fatalf("support sees %v", got)
		}
		o.want(o.ask(support, "POST", "/v1/ledger/verification", ""), 403, "forbidden")
		o.want(o.ask(owner, "POST", "/v1/ledger/verification", ""), 202, "")
		for o.want(o.ask(owner, "GET", "/v1/ledger/verification", ""), 200, "").text("state") != "ok" {
			select {
			case <-o.engine.Committed():
			case <-t.Context().Done():
				t.Fatal("the ledger was never verified")
			case <-time.After(20 * time.Millisecond):
			}
		}
		if got := types("owner"); len(got) != 0 {
			t.Fatalf("after the verification: %v", got)
		}
		o.want(o.ask(owner, "POST", "/v1/test/fund", `{"amount":1000000000,"currency":"brl"}`), 201, "")
		payout := func(amount int) string {
			return o.want(o.ask(owner, "POST", "/v1/payouts", fmt.Sprintf(`{"amount":%d,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"ana@example.com"},"recipient":{"name":"Ana"}}`, amount)), 201, "").text("id")
		}
		payout(10_096_00) // stays pending
		held := payout(500)
		o.want(o.ask(owner, "POST", "/v1/test/payouts/"+held+"/onhold", ""), 200, "")
		if got := types("owner"); got["movements_onhold"] != 1 || got["movements_stuck"] != 0 {
			t.Fatalf("one is held: %v", got)
		}
		o.want(o.ask(owner, "POST", "/v1/test/clock", `{"advance":"25h"}`), 200, "")
		if got := types("owner"); got["movements_onhold"] != 1 || got["movements_stuck"] != 1 {
			t.Fatalf("a day later: %v", got)
		}
		o.want(o.ask(owner, "POST", "/v1/payouts/"+held+"/release", ""), 200, "")
		if got := types("owner"); got["movements_onhold"] != 0 {
			t.Fatalf("released: %v", got)
		}
		// One of which nobody knows what became is found behind any number of others.
		lost := payout(10_096_00)
		for range 4 {
			var bulk []string
			for range 100 {
				bulk = append(bulk, `{"amount":1009600,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"ana@example.com"},"recipient":{"name":"Ana"}}`)
			}
			o.want(o.ask(owner, "POST", "/v1/payouts/bulk", `{"payouts":[`+strings.Join(bulk, ",")+`]}`), 200, "")
		}
		o.want(o.ask(owner, "POST", "/v1/test/payouts/"+lost+"/timeout", ""), 200, "") // late: its rail is asked soon
		if got := types("owner"); got["movements_in_doubt"] != 1 {
			t.Fatalf("one is in doubt: %v", got)
		}
	})
}

// TestActivity: what customers moved is theirs, per currency, and says where it
// is not all; the trend of an account ends with its balance.
func TestActivity(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder, func(e *giro.Engine, _ *api.Config) { e.Paused = nil })
		do := func(request, body string) wireAnswer {
			t.Helper()
			a := h.send(t, request, nil, body)
			if a.status >= 300 {
				t.Fatalf("%s %s: %d %s", request, body, a.status, a.body)
			}
			return a
		}
		ana, bea, eve := do("POST /v1/customers", `{"name":"Ana"}`).text("id"), do("POST /v1/customers", `{"name":"Bea"}`).text("id"), do("POST /v1/customers", `{"name":"Eve"}`).text("id")
		charge := func(customer, currency, token string, amount int) string {
			t.Helper()
			return do("POST /v1/charges", fmt.Sprintf(`{"amount":%d,"currency":%q,"customer":%q,"provider":"card","card":{"token":%q}}`, amount, currency, customer, token)).text("id")
		}
		charge(ana, "brl", "tok_ok", 1000)
		charge(ana, "brl", "tok_declined", 5000)
		charge(ana, "usd", "tok_ok", 70)
		do("POST /v1/test/clock", `{"advance":"48h"}`)
		first := charge(ana, "brl", "tok_ok", 200)
		do("POST /v1/refunds", fmt.Sprintf(`{"charge":%q,"amount":50}`, first))
		for i := range 101 {
			charge(bea, "mxn", "tok_ok", 1+i)
		}
		type volume struct {
			Currency                                   string
			Charges, Captured, Refunded, Payouts, Sent int64
		}
		var list []struct {
			Customer string
			Last     *int64
			Volume   []volume
			Capped   bool `json:"is_capped"`
		}
		read := func() {
			t.Helper()
			list = nil
			if err := json.Unmarshal(do("GET /v1/customers/activity?ids="+ana+","+bea+","+eve+","+"cus_00000000000000000000000000", "").body, &list); err != nil {
				t.Fatal(err)
			}
		}
		// The refund is given back a moment later.
		do("POST /v1/test/clock", `{"advance":"5s"}`)
		read()
		if len(list) != 3 {
			t.Fatalf("%+v", list)
		}
		by := map[string]int{}
		for i, l := range list {
			by[l.Customer] = i
		}
		a, b, e := list[by[ana]], list[by[bea]], list[by[eve]]
		if got, want := fmt.Sprint(a.Volume), fmt.Sprint([]volume{{"brl", 3, 1200, 50, 0, 0}, {"usd", 1, 70, 0, 0, 0}}); got != want || a.Capped || a.Last == nil {
			t.Errorf("Ana moved %s, want %s (%v %v)", got, want, a.Capped, a.Last)
		}
		if !b.Capped || len(b.Volume) != 1 || b.Volume[0].Charges != 100 || b.Volume[0].Captured != 101*102/2-1 {
			t.Errorf("Bea moved %+v", b)
		}
		if e.Capped || len(e.Volume) != 0 || e.Last != nil {
			t.Errorf("Eve moved %+v", e)
		}
		var main []struct {
			ID      string
			Balance int64
		}
		if err := json.Unmarshal(do("GET /v1/accounts?kind=main&limit=100", "").body, &main); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, m := range main {
			ids = append(ids, m.ID)
		}
		var trends []struct {
			Account  string
			Now      int64
			Balances []int64
		}
		if err := json.Unmarshal(do("GET /v1/accounts/trend?ids="+strings.Join(ids, ","), "").body, &trends); err != nil || len(trends) != len(main) {
			t.Fatal(trends, err)
		}
		for _, trend := range trends {
			i := slices.Index(ids, trend.Account)
			if b := trend.Balances; len(b) != 30 || b[29] != main[i].Balance || b[0] != 0 || trend.Now == 0 {
				t.Errorf("%+v of %d", trend, main[i].Balance)
			}
		}
		for _, path := range []string{"/v1/customers/activity", "/v1/customers/activity?ids=acct_1", "/v1/accounts/trend", "/v1/accounts/trend?ids=" + ana} {
			if a := h.send(t, "GET "+path, nil, ""); a.status != 400 {
				t.Errorf("%s: %d", path, a.status)
			}
		}
	})
}
