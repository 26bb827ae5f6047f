package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"giro"
)

type trafficReply struct {
	Interval      string
	From, To, Now int64
	trafficNumbers
	Totals trafficNumbers
	Series []trafficNumbers
	Took   []struct {
		UpTo  *int64 `json:"up_to_us"`
		Count int64
	}
	Endpoints []struct {
		Endpoint string
		Next     *string `json:"next_attempt_at"`
		Totals   trafficNumbers
		Series   []trafficNumbers
	}
}

type trafficNumbers struct {
	From, To  int64
	Complete  bool
	Count     int64
	C2        int64  `json:"answered_2xx"`
	C3        int64  `json:"answered_3xx"`
	C4        int64  `json:"answered_4xx"`
	C5        int64  `json:"answered_5xx"`
	None      int64  `json:"unanswered"`
	Rate      *int64 `json:"failure_rate_bps"`
	P50       *int64 `json:"p50_us"`
	P95       *int64 `json:"p95_us"`
	P99       *int64 `json:"p99_us"`
	Delivered int64
	First     int64 `json:"delivered_first"`
	Second    int64 `json:"delivered_second"`
	Later     int64 `json:"delivered_later"`
	GivenUp   int64 `json:"given_up"`
}

func (o *office) traffic(path string, headers ...string) (f trafficReply) {
	o.t.Helper()
	a := o.want(o.ask(nil, "GET", path, "", append(headers, "Authorization: Bearer "+o.secret)...), 200, "")
	if err := json.Unmarshal(a.body, &f); err != nil {
		o.t.Fatal(err)
	}
	var took int64
	for i, part := range f.Took {
		if took += part.Count; (part.UpTo == nil) != (i == len(giro.TookBounds)) || part.UpTo != nil && *part.UpTo != giro.TookBounds[i] {
			o.t.Fatalf("%s: %s", path, a.body)
		}
	}
	if took != f.Totals.Count || len(f.Took) != len(giro.TookBounds)+1 {
		o.t.Fatalf("%s: %d took some time, of %d", path, took, f.Totals.Count)
	}
	for i, s := range f.Series {
		if i == 0 && s.From != f.From || i > 0 && s.From != f.Series[i-1].To || s.To <= s.From || s.Complete != (s.To <= f.Now) || s.Count != s.C2+s.C3+s.C4+s.C5+s.None {
			o.t.Fatalf("%s: bar %d is %+v of %d to %d", path, i, s, f.From, f.To)
		}
	}
	return f
}

// TestRequestFigures counts every request of keys and every change of people,
// and nothing else, in the minute in which it came.
func TestRequestFigures(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		begin := time.Now().Truncate(24 * time.Hour).Add(12*time.Hour + 30*time.Minute)
		o.stopped.Store(begin.UnixNano())
		owner, support := o.person(giro.DutyOwner), o.person(giro.DutySupport)
		before := o.traffic("/v1/requests/figures").Totals.Count // what made the people
		for range 3 {
			o.want(o.ask(nil, "GET", "/v1/charges", "", "Authorization: Bearer "+o.secret), 200, "")
		}
		o.want(o.ask(owner, "GET", "/v1/charges", ""), 200, "") // what the dashboard only reads is not counted
		o.stopped.Store(begin.Add(25 * time.Minute).UnixNano())
		o.want(o.ask(nil, "GET", "/v1/charges/ch_01h455vb4pex5vsknk084sn02q", "", "Authorization: Bearer "+o.secret), 404, "not_found")
		o.want(o.ask(owner, "POST", "/v1/customers", `{"name":"Ana"}`), 201, "")

		f := o.traffic("/v1/requests/figures?interval=minute&from=" + fmt.Sprint(begin.Unix()) + "&to=" + fmt.Sprint(begin.Add(30*time.Minute).Unix()))
		// Each request for figures is counted itself, after it was answered.
		if f.Interval != "minute" || len(f.Series) != 30 || f.Totals.Count != before+1+5 || f.Totals.C4 != 1 || f.Totals.C5 != 0 {
			t.Fatalf("%d bars by the %s: %+v; before %d", len(f.Series), f.Interval, f.Totals, before)
		}
		if s := f.Series[25]; s.Count != 2 || s.C2 != 1 || s.C4 != 1 || s.Rate == nil || *s.Rate != 5000 || s.P50 == nil || *s.P50 <= 0 || *s.P50 > *s.P95 || *s.P95 > *s.P99 {
			t.Errorf("the minute is %+v", s)
		}
		if s := f.Series[24]; s.Count != 0 || s.Rate != nil || s.P50 != nil {
			t.Errorf("the minute before is %+v", s)
		}
		f = o.traffic("/v1/requests/figures")
		if f.Interval != "ten_minutes" || f.To-f.From > 24*3600 || f.Totals.C4 != 1 {
			t.Errorf("the day is %s, %d to %d, %+v", f.Interval, f.From, f.To, f.Totals)
		}
		f = o.traffic("/v1/requests/figures?interval=hour")
		if len(f.Series) != 24 || f.Series[23].Count != f.Totals.Count || f.Series[23].Complete {
			t.Errorf("the hours are %d, the last %+v of %+v", len(f.Series), f.Series[len(f.Series)-1], f.Totals)
		}
		if f = o.traffic("/v1/requests/figures?interval=day&time_zone=Asia/Kolkata&from=" + fmt.Sprint(begin.Add(-72*time.Hour).Unix())); f.Totals.C4 != 1 || len(f.Series) != 4 {
			t.Errorf("%d days: %+v", len(f.Series), f.Totals)
		}
		// Another mode is other traffic.
		if a := o.want(o.ask(owner, "GET", "/v1/requests/figures?interval=hour", "", "Giro-Mode: live"), 200, ""); json.Unmarshal(a.body, &f) != nil || f.Totals.C4 != 0 {
			t.Errorf("live: %+v", f.Totals)
		}
		o.want(o.ask(support, "GET", "/v1/requests/figures", ""), 403, "forbidden")
		for _, query := range []string{"interval=minute", "interval=ten_minutes&from=" + fmt.Sprint(begin.Add(-72*time.Hour).Unix()), "interval=year"} {
			o.want(o.ask(nil, "GET", "/v1/requests/figures?"+query, "", "Authorization: Bearer "+o.secret), 400, "invalid_parameter")
		}
	})
}

// TestWebhookFigures: attempts and what became of deliveries, of all endpoints
// and of each.
func TestWebhookFigures(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		begin := time.Now().Truncate(24 * time.Hour).Add(12*time.Hour + 30*time.Minute)
		o.stopped.Store(begin.UnixNano())
		do := func(method, path, body string, status int) reply {
			t.Helper()
			return o.want(o.ask(nil, method, path, body, "Authorization: Bearer "+o.secret), status, "")
		}
		endpoint := func(url string) string {
			t.Helper()
			p, err := o.engine.CreateEndpoint(t.Context(), &giro.Call{Merchant: o.merchant}, giro.Endpoint{URL: url, Events: []string{"*"}, Enabled: true}, "whsec_"+strings.Repeat("A", 32))
			if err != nil {
				t.Fatal(err)
			}
			return p.ID.ID("we")
		}
		one, two := endpoint(""), endpoint("")
		event := func() string {
			t.Helper()
			do("POST", "/v1/customers", `{"name":"Ana"}`, 201)
			do("POST", "/v1/charges", `{"amount":100,"currency":"brl","provider":"card","card":{"token":"tok_auth"}}`, 201)
			var list []struct{ ID string }
			if err := json.Unmarshal(do("GET", "/v1/events?limit=1", "", 200).body, &list); err != nil {
				t.Fatal(err)
			}
			return list[0].ID
		}
		report := func(endpoint, event string, status, tookMS int) {
			t.Helper()
			do("POST", "/v1/webhook_endpoints/"+endpoint+"/deliveries/"+event+"/outcome", fmt.Sprintf(`{"status":%d,"took_ms":%d}`, status, tookMS), 200)
		}
		first, second := event(), event()
		report(one, first, 200, 40)
		report(two, first, 500, 40)
		o.stopped.Store(begin.Add(time.Hour).UnixNano())
		report(two, first, 200, 1)
		report(two, second, 0, 9000)

		f := o.traffic("/v1/webhook_endpoints/figures")
		if f.Interval != "hour" || len(f.Series) != 24 || len(f.Endpoints) != 2 || f.Endpoints[0].Endpoint != two || f.Endpoints[1].Endpoint != one {
			t.Fatalf("%+v", f)
		}
		if s := f.Totals; s.Count != 4 || s.C2 != 2 || s.C5 != 1 || s.None != 1 || *s.Rate != 5000 || s.Delivered != 2 || s.First != 1 || s.Second != 1 || s.Later != 0 || s.GivenUp != 2 {
			t.Errorf("all together: %+v", s)
		}
		if s := f.Endpoints[1].Totals; s.Count != 1 || s.C2 != 1 || *s.P95 <= 25_000 || *s.P95 > 50_000 || f.Endpoints[1].Next != nil {
			t.Errorf("the first: %+v", s)
		}
		hours := f.Endpoints[0].Series
		if len(hours) != 24 || hours[22].Count != 1 || hours[22].C5 != 1 || hours[23].Count != 2 || hours[23].None != 1 || hours[21].Count != 0 {
			t.Errorf("the second's hours: %+v", hours)
		}
		// Deliveries are narrowed by what their events are about.
		var of struct {
			Type string
			Data struct{ Object struct{ ID string } }
		}
		if err := json.Unmarshal(do("GET", "/v1/events/"+first, "", 200).body, &of); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(of.Type, ".")
		for query, want := range map[string]int{
			"": 2, "type=" + of.Type: 2, "type=" + kind + ".*": 2, "type=payout.*": 0, "object=" + of.Data.Object.ID: 1, "object=" + of.Data.Object.ID + "&type=payout.*": 0,
			"object=" + of.Data.Object.ID + "&state=succeeded": 1, "object=" + of.Data.Object.ID + "&state=failed": 0, "object=nobody": 0, "state=failed&type=" + of.Type: 1,
		} {
			var list []struct{ Event, Target string }
			if err := json.Unmarshal(do("GET", "/v1/webhook_endpoints/"+two+"/deliveries?"+query, "", 200).body, &list); err != nil || len(list) != want {
				t.Errorf("deliveries with %s: %v %v, want %d", query, list, err, want)
			}
			for _, d := range list {
				if (d.Event == first) != (d.Target == of.Data.Object.ID) || d.Target == "" {
					t.Errorf("deliveries with %s: %s is about %q", query, d.Event, d.Target)
				}
			}
		}
		page := do("GET", "/v1/webhook_endpoints/"+two+"/deliveries?limit=1&type="+of.Type, "", 200)
		next, _, _ := strings.Cut(strings.TrimPrefix(page.Header.Get("Link"), "<"), ">")
		if a := do("GET", next, "", 200); !strings.Contains(string(a.body), first) || strings.Contains(string(a.body), second) {
			t.Errorf("after the second comes %s", a.body)
		}
		// What is to be sent again says when.
		hooked := endpoint("https://example.com/hooks")
		do("POST", "/v1/events/"+first+"/resend", `{"endpoint":"`+hooked+`"}`, 200)
		f = o.traffic("/v1/webhook_endpoints/figures?interval=day&endpoint=" + hooked)
		if len(f.Endpoints) != 1 || f.Endpoints[0].Next == nil || f.Totals.Count != 0 || f.Totals.Rate != nil {
			t.Errorf("the third: %+v", f)
		}
		if f = o.traffic("/v1/webhook_endpoints/figures?endpoint=" + one); f.Totals.Count != 1 || len(f.Endpoints) != 1 {
			t.Errorf("one alone: %+v", f.Totals)
		}
		o.want(o.ask(nil, "GET", "/v1/webhook_endpoints/figures?endpoint=we_01h455vb4pex5vsknk084sn02q", "", "Authorization: Bearer "+o.secret), 404, "not_found")
		o.want(o.ask(nil, "GET", "/v1/webhook_endpoints/figures?interval=minute", "", "Authorization: Bearer "+o.secret), 400, "invalid_parameter")
		if a := o.want(o.ask(o.person(giro.DutyViewer), "GET", "/v1/webhook_endpoints/figures", ""), 200, ""); json.Unmarshal(a.body, &f) != nil || f.Totals.Count != 4 {
			t.Errorf("a viewer sees %s", a.body)
		}
	})
}
