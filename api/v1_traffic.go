package api

import (
	"math"
	"net/http"
	"slices"
	"time"

	"giro"
)

// trafficSteps are the cells that a request counts in, and trafficKept for how
// long they are kept.
var (
	trafficSteps = []int64{giro.TrafficMinute, giro.TrafficHour}
	trafficKept  = map[int64]time.Duration{giro.TrafficMinute: 3 * 24 * time.Hour, giro.TrafficHour: requestsKept + 24*time.Hour}

	trafficIntervals  = []interval{minutely, tenMinutes, hourly, {"day", 0, requestsKept}}
	deliveryIntervals = trafficIntervals[2:]
)

// dayBefore is where figures of traffic begin: a day with its last hour.
func dayBefore(to time.Time) time.Time {
	return to.Add(-time.Microsecond).Truncate(time.Hour).Add(-23 * time.Hour)
}

var (
	answerFields = []field{
		{name: "count", schema: plainInteger}, {name: "answered_2xx", schema: plainInteger}, {name: "answered_3xx", schema: plainInteger}, {name: "answered_4xx", schema: plainInteger}, {name: "answered_5xx", schema: plainInteger},
		{name: "unanswered", schema: plainInteger, about: "There was no whole answer."},
		{name: "failure_rate_bps", schema: null(plainInteger), about: "What failed of them, in hundredths of a percent: of requests those that were answered 4xx or 5xx, of attempts all that were not answered 2xx."},
		{name: "p50_us", schema: null(plainInteger), about: "Half of them took at most this, in microseconds: as near as the parts tell into which answers are counted, which are a tenth of a millisecond to ten seconds long."},
		{name: "p95_us", schema: null(plainInteger)}, {name: "p99_us", schema: null(plainInteger)},
	}
	deliveredFields = slices.Concat(answerFields, []field{
		{name: "delivered", schema: plainInteger, about: "Deliveries that arrived."},
		{name: "delivered_first", schema: plainInteger, about: "At the first attempt."}, {name: "delivered_second", schema: plainInteger}, {name: "delivered_later", schema: plainInteger, about: "At the third or a later one."},
		{name: "given_up", schema: plainInteger, about: "Deliveries that did not arrive at any attempt; they can be sent again by hand."},
	})
	tookAnswer = &schema{kind: kindObject, name: "TookPart", fields: []field{
		{name: "up_to_us", schema: null(plainInteger), about: "Longer than the part before, and at most this; null: any longer time."}, {name: "count", schema: plainInteger},
	}}
	requestFiguresAnswer = trafficAnswer("Request", answerFields, []string{"minute", "ten_minutes", "hour", "day"}, nil)
	webhookFiguresAnswer = trafficAnswer("Webhook", deliveredFields, []string{"hour", "day"}, func(totals, bars *schema) []field {
		return []field{{name: "endpoints", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "EndpointFigures", fields: []field{
			{name: "endpoint", schema: idOf("we")},
			{name: "next_attempt_at", schema: null(plainText), about: "When the next event is sent again, by the test clock in test mode."},
			{name: "totals", schema: totals}, {name: "series", schema: bars},
		}}}}}
	})
)

// trafficAnswer describes figures of traffic: their totals, bars, and more.
func trafficAnswer(name string, fields []field, intervals []string, more func(totals, bars *schema) []field) *schema {
	totals := &schema{kind: kindObject, name: name + "Totals", fields: fields}
	bars := &schema{kind: kindList, item: &schema{kind: kindObject, name: name + "Bar", fields: slices.Concat(barFields, fields)}}
	all := slices.Concat([]field{{name: "object", schema: oneOf("figures")}}, stretchFields(intervals...), []field{
		{name: "totals", schema: totals}, {name: "series", schema: bars},
		{name: "took", schema: &schema{kind: kindList, item: tookAnswer}, about: "How many took how long, shortest first."},
	})
	if more != nil {
		all = append(all, more(totals, bars)...)
	}
	return &schema{kind: kindObject, name: name + "Figures", fields: all}
}

var trafficRoutes = []*route{
	{method: "GET", path: "/v1/requests/figures", id: "requestFigures", tag: "requests", summary: "How many requests there were, how they were answered and how quickly", access: accessSecret, status: 200, answer: requestFiguresAnswer,
		about:  "All requests that the request log tells of, those too that it leaves out when there are many: requests of keys, and the changes that people made. Counted beside the work, written once a second, by the minute for three days and by the hour for 30.",
		params: spanParams("23 hours before the hour of to, if it is not sent.", "minute", "ten_minutes", "hour", "day"),
		errors: []giro.Code{giro.CodeInvalidTime, giro.CodeInvalidParameter}, handler: requestFigures},
	{method: "GET", path: "/v1/webhook_endpoints/figures", id: "webhookFigures", tag: "webhook_endpoints", summary: "How webhook endpoints answered, and how quickly", access: accessSecret, status: 200, answer: webhookFiguresAnswer,
		about:  "Of all endpoints together and of each, by the real time of the attempts; kept for 30 days. A listener counts what its reader reports.",
		params: slices.Concat([]param{{name: "endpoint", kind: paramID, prefix: "we", about: "This one alone."}}, spanParams("23 hours before the hour of to, if it is not sent.", "hour", "day")),
		errors: []giro.Code{giro.CodeInvalidTime, giro.CodeInvalidParameter, giro.CodeNotFound}, handler: webhookFigures},
}

func requestFigures(c *call) error {
	now := giro.Micros(c.at)
	span, cut, err := c.span(now, dayBefore, trafficIntervals, func(length time.Duration) interval {
		switch {
		case length <= 3*time.Hour:
			return minutely
		case length <= 48*time.Hour:
			return tenMinutes
		case length <= 14*24*time.Hour:
			return hourly
		}
		return trafficIntervals[3]
	})
	if err != nil {
		return err
	}
	c.s.flushRequests(c.ctx) // who asks sees what came before
	bars, _, err := c.engine().Traffic(c.ctx, []giro.UUID{giro.RequestsOf(c.book())}, &span)
	if err != nil {
		return err
	}
	a := appender{b: c.buffer[:0]}
	a.text("object", "figures")
	a.stretch(span, cut, now)
	a.bars(bars, now, (*appender).requests)
	a.took(bars)
	c.buffer = a.close()
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

func webhookFigures(c *call) error {
	now := giro.Micros(c.at)
	span, cut, err := c.span(now, dayBefore, deliveryIntervals, func(length time.Duration) interval {
		if length <= 4*24*time.Hour {
			return hourly
		}
		return deliveryIntervals[1]
	})
	if err != nil {
		return err
	}
	var endpoints []*giro.Endpoint
	if v := c.query.text("endpoint"); v != "" {
		id, _ := giro.ParseID("we", v)
		p, err := c.engine().Endpoint(c.ctx, c.book(), id)
		if err != nil {
			return err
		}
		endpoints = []*giro.Endpoint{p}
	} else if endpoints, err = c.engine().Endpoints(c.ctx, c.book()); err != nil {
		return err
	}
	subjects := make([]giro.UUID, len(endpoints))
	for i, p := range endpoints {
		subjects[i] = p.ID
	}
	all, of, err := c.engine().Traffic(c.ctx, subjects, &span)
	if err != nil {
		return err
	}
	a := appender{b: c.buffer[:0]}
	a.text("object", "figures")
	a.stretch(span, cut, now)
	a.bars(all, now, (*appender).attempts)
	a.took(all)
	a.key("endpoints")
	a.b = append(a.b, '[')
	for i, p := range endpoints {
		if i > 0 {
			a.b = append(a.b, ',')
		}
		one := appender{b: a.b}
		one.text("endpoint", p.ID.ID("we"))
		next, err := c.engine().Store.Deliveries(c.ctx, giro.DeliveryQuery{Endpoint: p.ID, Due: math.MaxInt64, Limit: 1})
		if err != nil {
			return err
		}
		due := ""
		if len(next) > 0 {
			due = precise(next[0].Due)
		}
		one.maybe("next_attempt_at", due)
		one.bars(of[i], now, (*appender).attempts)
		a.b = one.close()
	}
	a.b = append(a.b, ']')
	c.buffer = a.close()
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

// bars writes the bars of a chart of traffic, and what they come to.
func (a *appender) bars(bars []giro.TrafficBar, now int64, show func(*appender, *giro.Traffic)) {
	total := together(bars)
	a.key("totals")
	sum := appender{b: a.b}
	show(&sum, &total)
	a.b = sum.close()
	a.key("series")
	a.b = appendList(a.b, bars, func(b []byte, bar giro.TrafficBar) []byte {
		one := appender{b: b}
		one.bar(bar.At, bar.End, now)
		show(&one, &bar.Traffic)
		return one.close()
	})
}

// took writes into which parts of time the answers of all bars fall.
func (a *appender) took(bars []giro.TrafficBar) {
	total, part := together(bars), 0
	a.key("took")
	a.b = appendList(a.b, total.Took[:], func(b []byte, n int64) []byte {
		one := appender{b: b}
		last := part == len(giro.TookBounds)
		one.maybeNumber("up_to_us", giro.TookBounds[min(part, len(giro.TookBounds)-1)], !last)
		one.number("count", n)
		part++
		return one.close()
	})
}

// together adds bars up.
func together(bars []giro.TrafficBar) (total giro.Traffic) {
	for i := range bars {
		total.Add(&bars[i].Traffic)
	}
	return total
}

// requests writes the traffic of requests.
func (a *appender) requests(t *giro.Traffic) {
	a.answers(t, t.Answers[giro.Answer4xx]+t.Answers[giro.Answer5xx]+t.Answers[giro.AnswerNone])
}

// attempts writes the traffic of an endpoint.
func (a *appender) attempts(t *giro.Traffic) {
	a.answers(t, t.Count()-t.Answers[giro.Answer2xx])
	d := &t.Deliveries
	a.number("delivered", d[giro.DeliveredFirst]+d[giro.DeliveredSecond]+d[giro.DeliveredLater])
	a.number("delivered_first", d[giro.DeliveredFirst])
	a.number("delivered_second", d[giro.DeliveredSecond])
	a.number("delivered_later", d[giro.DeliveredLater])
	a.number("given_up", d[giro.DeliveryGivenUp])
}

func (a *appender) answers(t *giro.Traffic, failed int64) {
	n := t.Count()
	a.number("count", n)
	a.number("answered_2xx", t.Answers[giro.Answer2xx])
	a.number("answered_3xx", t.Answers[giro.Answer3xx])
	a.number("answered_4xx", t.Answers[giro.Answer4xx])
	a.number("answered_5xx", t.Answers[giro.Answer5xx])
	a.number("unanswered", t.Answers[giro.AnswerNone])
	a.maybeNumber("failure_rate_bps", (failed*20_000+n)/max(2*n, 1), n > 0)
	for _, p := range []struct {
		name    string
		percent int64
	}{{"p50_us", 50}, {"p95_us", 95}, {"p99_us", 99}} {
		us, ok := t.Within(p.percent)
		a.maybeNumber(p.name, us, ok)
	}
}
