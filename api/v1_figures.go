package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"time"
	_ "time/tzdata" // figures are cut by the reader's days wherever the binary runs

	"giro"
	"giro/money"
)

// figuresMax bounds the stretch that figures are asked for.
const figuresMax = 400 * 24 * time.Hour

var (
	statusCounts = &schema{kind: kindObject, name: "StatusCounts", fields: statusFields()}
	sumsFields   = []field{
		{name: "gross_volume", schema: plainInteger, about: "Captured by charges, minor units."},
		{name: "net_volume", schema: plainInteger, about: "Gross volume less refunds and fees."},
		{name: "refunded", schema: plainInteger, about: "Given back of that."}, {name: "fees", schema: plainInteger},
		{name: "charges", schema: plainInteger}, {name: "succeeded", schema: plainInteger, about: "Charges that captured: succeeded, or refunded since."}, {name: "failed", schema: plainInteger},
		{name: "success_rate_bps", schema: null(plainInteger), about: "succeeded ÷ (succeeded + failed), in hundredths of a percent; what is pending counts on neither side."},
		{name: "payouts_sent", schema: plainInteger, about: "Payouts that arrived, minor units."}, {name: "payouts_sent_count", schema: plainInteger},
		{name: "payouts_by_status", schema: statusCounts},
		{name: "refunds_finished", schema: plainInteger},
	}
	sumsAnswer = &schema{kind: kindObject, name: "Sums", fields: sumsFields}
	barFields  = []field{
		{name: "from", schema: plainInteger, about: "Unix seconds."}, {name: "to", schema: plainInteger, about: "Not included."},
		{name: "complete", schema: flagSchema, about: "false: its time is not over."},
	}
	bucketAnswer    = &schema{kind: kindObject, name: "FiguresBucket", fields: slices.Concat(barFields, sumsFields)}
	histogramAnswer = &schema{kind: kindObject, name: "Histogram", fields: slices.Concat([]field{{name: "object", schema: oneOf("histogram")}}, stretchFields("hour", "day"), []field{
		{name: "series", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "HistogramBar", fields: slices.Concat(barFields, []field{{name: "all", schema: plainInteger}, {name: "statuses", schema: statusCounts}})}}},
	})}
	tallyAnswer = &schema{kind: kindObject, name: "Tally", fields: []field{
		{name: "kind", schema: oneOf(kindNames...)}, {name: "status", schema: oneOf(statusNames()...)}, {name: "reason", schema: null(plainText)},
		{name: "count", schema: plainInteger}, {name: "amount", schema: plainInteger}, {name: "amount_captured", schema: plainInteger}, {name: "amount_refunded", schema: plainInteger},
	}}
	figuresAnswer = &schema{kind: kindObject, name: "Figures", fields: slices.Concat([]field{{name: "object", schema: oneOf("figures")}, {name: "currency", schema: plainText}}, stretchFields("hour", "day"), []field{
		{name: "totals", schema: sumsAnswer}, {name: "series", schema: &schema{kind: kindList, item: bucketAnswer}},
		{name: "previous", schema: &schema{kind: kindObject, name: "PreviousFigures", fields: []field{
			{name: "from", schema: plainInteger}, {name: "to", schema: plainInteger}, {name: "totals", schema: sumsAnswer}, {name: "series", schema: &schema{kind: kindList, item: bucketAnswer}},
		}}, optional: true, about: "With compare=true: as many days, or hours, before."},
		{name: "by_status", schema: &schema{kind: kindList, item: tallyAnswer}, about: "Movements created in this stretch, as they stand now."},
		{name: "failures", schema: &schema{kind: kindList, item: tallyAnswer}, about: "Of failed movements, by reason, most first."},
		{name: "open", schema: &schema{kind: kindList, item: tallyAnswer}, about: "What is pending or on hold now, whenever it was created."},
		{name: "currencies", schema: &schema{kind: kindList, item: plainText}, about: "That the merchant has movements in, most first."},
	})}
	countsAnswer = &schema{kind: kindObject, name: "Counts", fields: []field{
		{name: "object", schema: oneOf("counts")}, {name: "all", schema: plainInteger}, {name: "statuses", schema: statusCounts},
		{name: "is_capped", schema: flagSchema, about: "A status has more than it says: each is counted to 10,000 where other filters than currency are set."},
	}}
	attentionAnswer = &schema{kind: kindObject, name: "Attention", fields: []field{
		{name: "type", schema: oneOf(attentionTypes...)}, {name: "level", schema: oneOf("error", "warning", "notice")},
		{name: "kind", schema: null(plainText), about: "Of movement."}, {name: "object", schema: null(plainText), about: "The id of what it is about, if it is one thing."}, {name: "name", schema: null(plainText), about: "How people know that."},
		{name: "count", schema: plainInteger}, {name: "is_capped", schema: flagSchema, about: "There are more than count."}, {name: "currency", schema: null(plainText)}, {name: "amount", schema: null(plainInteger)},
		{name: "since", schema: null(plainInteger), about: "Unix seconds."},
	}}
	faultAnswer        = &schema{kind: kindObject, name: "Fault", fields: []field{{name: "merchant", schema: plainText}, {name: "mode", schema: plainText}, {name: "sequence", schema: plainInteger}, {name: "message", schema: plainText}}}
	verificationAnswer = &schema{kind: kindObject, name: "Verification", fields: []field{
		{name: "object", schema: oneOf("verification")}, {name: "state", schema: oneOf("never", "running", "ok", "faulty", "failed"), about: "failed: it could not be carried out."}, {name: "running", schema: flagSchema},
		{name: "entries", schema: null(plainInteger)}, {name: "ledger_transactions", schema: null(plainInteger)}, {name: "movements", schema: null(plainInteger)},
		{name: "faults", schema: &schema{kind: kindList, item: faultAnswer}, about: "Of this merchant; with the admin token all."}, {name: "started_at", schema: null(plainText)}, {name: "finished_at", schema: null(plainText)}, {name: "took_ms", schema: null(plainInteger)},
		{name: "sequence", schema: plainInteger, about: "Of the merchant's ledger now, in this mode."}, {name: "hash", schema: null(plainText), about: "Of that ledger transaction: the head of the chain."}, {name: "error", schema: null(plainText)},
	}}
)

// stretchFields describe what appender.stretch writes.
func stretchFields(intervals ...string) []field {
	return []field{
		{name: "time_zone", schema: plainText}, {name: "interval", schema: oneOf(intervals...)},
		{name: "from", schema: plainInteger, about: "Unix seconds, at the beginning of a bar."}, {name: "to", schema: plainInteger, about: "Not included."}, {name: "now", schema: plainInteger, about: "Of the test clock, where it is about movements."},
	}
}

var kindNames = func() []string {
	var names []string
	for _, k := range giro.Kinds {
		names = append(names, string(k))
	}
	return names
}()

func statusFields() []field {
	var list []field
	for _, s := range giro.Statuses {
		list = append(list, field{name: string(s), schema: plainInteger})
	}
	return list
}

// What needs attention.
const (
	attentionOnHold     = "movements_onhold"
	attentionStuck      = "movements_stuck"
	attentionInDoubt    = "movements_in_doubt"
	attentionFailing    = "endpoint_failing"
	attentionDisabled   = "endpoint_disabled"
	attentionFaulty     = "ledger_faulty"
	attentionUnverified = "ledger_unverified"
	attentionBackup     = "backup_old"
)

var attentionTypes = []string{attentionOnHold, attentionStuck, attentionInDoubt, attentionFailing, attentionDisabled, attentionFaulty, attentionUnverified, attentionBackup}

var figureRoutes = func() []*route {
	list := []*route{
		{method: "GET", path: "/v1/figures", id: "figures", tag: "figures", summary: "Volume, success, payouts and failures over a stretch of time", access: accessSecret, status: 200, answer: figuresAnswer,
			about: "Adds up hourly roll-ups that are written with every change, by the time of creation: a charge that is refunded later changes the hour in which it was made. Currencies are never added up.",
			params: slices.Concat([]param{{name: "currency", kind: paramCurrency, about: "The one with the most movements if it is not sent; the merchant's own while there are none."}},
				spanParams("Taken back to a whole hour; the day 29 days ago if it is not sent.", "hour", "day"),
				[]param{{name: "compare", kind: paramFlag, about: "With the stretch before."}}),
			errors: []giro.Code{giro.CodeInvalidTime, giro.CodeInvalidParameter}, handler: figures},
		{method: "GET", path: "/v1/attention", id: "attention", tag: "figures", summary: "What needs a person: held and stuck movements, failing endpoints, an unproven ledger", access: accessSecret, status: 200,
			answer: &schema{kind: kindList, item: attentionAnswer}, handler: attention},
		{method: "GET", path: "/v1/ledger/verification", id: "retrieveVerification", tag: "ledger", summary: "When the ledger was last recomputed, and what was found", access: accessEither, status: 200, answer: verificationAnswer, handler: func(c *call) error {
			b, err := c.verification(c.ctx, false)
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, b)
			return nil
		}},
		{method: "POST", path: "/v1/ledger/verification", id: "createVerification", tag: "ledger", summary: "Recompute the whole ledger", access: accessEither, body: emptySchema, bare: true, status: 202, answer: verificationAnswer,
			about: "It runs beside everything else, on one snapshot; read it again until it is no longer running.", handler: func(c *call) error {
				return c.command(func(v any) giro.Answer { return giro.Answer{Status: http.StatusAccepted, Body: v.([]byte)} }, func(g *giro.Call) (any, error) {
					return c.engine().Once(c.ctx, g, func(ctx context.Context, _ *giro.Call) (any, error) { return c.verification(ctx, true) })
				})
			}},
	}
	for _, k := range giro.Kinds {
		var params []param
		for _, p := range movementParamsOf(k) {
			switch p.name {
			case "status", "limit", "cursor", "page", "items_per_page":
			default:
				params = append(params, p)
			}
		}
		list = append(list, &route{method: "GET", path: "/v1/" + k.Plural() + "/counts", id: "count" + upper(string(k)) + "s", tag: k.Plural(), summary: "How many " + k.Plural() + " stand in each status", access: accessSecret,
			params: params, status: 200, answer: countsAnswer, handler: counts(k)},
			&route{method: "GET", path: "/v1/" + k.Plural() + "/histogram", id: "histogramOf" + upper(string(k)) + "s", tag: k.Plural(), summary: "How many " + k.Plural() + " were created when, by the status that they have now", access: accessSecret,
				about:  "From the hourly roll-ups, so that it is quick whatever the number of movements; the list's other filters are not in them.",
				params: slices.Concat([]param{{name: "currency", kind: paramCurrency, about: "Of all currencies together, if it is not sent."}}, spanParams("Taken back to a whole hour; the day 29 days ago if it is not sent.", "hour", "day")),
				errors: []giro.Code{giro.CodeInvalidTime, giro.CodeInvalidParameter}, status: 200, answer: histogramAnswer, handler: histogram(k)})
	}
	return list
}()

// bookNow is the time of the caller's book (µs).
func (c *call) bookNow() (int64, error) {
	at, err := c.engine().Clock(c.ctx, c.book())
	return giro.Micros(at), err
}

// spanParams are the parameters of a stretch of time that is cut into bars.
func spanParams(from string, intervals ...string) []param {
	return []param{
		{name: "from", kind: paramTime, code: giro.CodeInvalidTime, about: from},
		{name: "to", kind: paramTime, code: giro.CodeInvalidTime, about: "Not included; now if it is not sent."},
		{name: "interval", kind: paramList, max: 1, enum: intervals, about: "Of a bar; by the length of the stretch, if it is not sent."},
		{name: "time_zone", kind: paramText, max: 64, about: "Whose days: a name of the IANA database, UTC if it is not sent."},
	}
}

// interval is a length of bars, and how long a stretch of them may be.
type interval struct {
	name string
	step time.Duration // 0: a day
	most time.Duration
}

var (
	minutely   = interval{"minute", time.Minute, 6 * time.Hour}
	tenMinutes = interval{"ten_minutes", 10 * time.Minute, 48 * time.Hour}
	hourly     = interval{"hour", time.Hour, 31 * 24 * time.Hour}
	daily      = interval{"day", 0, figuresMax}
)

// span reads spanParams. begin says where the stretch begins if it is not sent;
// usual, which of the intervals it is cut into.
func (c *call) span(now int64, begin func(to time.Time) time.Time, intervals []interval, usual func(length time.Duration) interval) (p giro.Span, cut interval, err error) {
	p.Zone = time.UTC
	if name := c.query.text("time_zone"); name != "" {
		if p.Zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			return p, cut, giro.Refuse(giro.CodeInvalidParameter, "time_zone", "must be a name of the IANA database, such as America/Sao_Paulo")
		}
	}
	p.To = now + 1
	if c.query.has("to") {
		p.To = giro.Micros(c.query.time("to"))
	}
	if c.query.has("from") {
		p.From = giro.Micros(c.query.time("from"))
	} else {
		p.From = giro.Micros(begin(giro.TimeOf(p.To).In(p.Zone)))
	}
	length := time.Duration(p.To-p.From) * time.Microsecond
	switch {
	case p.From >= p.To:
		return p, cut, giro.Refuse(giro.CodeInvalidTime, "from", "the stretch ends before it begins")
	case p.From < 24*time.Hour.Microseconds()*366:
		return p, cut, giro.Refuse(giro.CodeInvalidTime, "from", "must be after 1970")
	case p.To-p.From > figuresMax.Microseconds():
		return p, cut, giro.Refuse(giro.CodeInvalidTime, "from", "a stretch has at most 400 days")
	}
	if name := c.query.text("interval"); name == "" {
		cut = usual(length)
	} else {
		cut = intervals[slices.IndexFunc(intervals, func(i interval) bool { return i.name == name })]
	}
	if length > cut.most {
		return p, cut, giro.Refuse(giro.CodeInvalidParameter, "interval", "bars of this length are for a shorter stretch: at most "+lengthName(cut.most))
	}
	p.Step = cut.step
	return p, cut, nil
}

// lengthName says a length for people.
func lengthName(d time.Duration) string {
	if d < 48*time.Hour {
		return itoa(int64(d/time.Hour)) + " hours"
	}
	return itoa(int64(d/(24*time.Hour))) + " days"
}

// monthBefore is where figures of movements begin: 30 days with the last one.
func monthBefore(to time.Time) time.Time {
	return time.Date(to.Year(), to.Month(), to.Day()-29, 0, 0, 0, 0, to.Location())
}

// movementIntervals are as fine as the roll-ups of movements.
var movementIntervals = []interval{hourly, daily}

// movementInterval cuts two days by the hour.
func movementInterval(length time.Duration) interval {
	if length <= 48*time.Hour {
		return hourly
	}
	return daily
}

// stretch writes what a span was.
func (a *appender) stretch(p giro.Span, cut interval, now int64) {
	a.text("time_zone", p.Zone.String())
	a.text("interval", cut.name)
	a.number("from", p.From/1_000_000)
	a.number("to", p.To/1_000_000)
	a.number("now", now/1_000_000)
}

// bar begins a bar of a chart.
func (a *appender) bar(at, end, now int64) {
	a.number("from", at/1_000_000)
	a.number("to", end/1_000_000)
	a.flag("complete", end <= now)
}

// histogram answers the strip above a list.
func histogram(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		now, err := c.bookNow()
		if err != nil {
			return err
		}
		span, cut, err := c.span(now, monthBefore, movementIntervals, movementInterval)
		if err != nil {
			return err
		}
		bars, err := c.engine().Histogram(c.ctx, c.book(), k, c.query.currency("currency"), span)
		if err != nil {
			return err
		}
		span.From, span.To = bars[0].At, bars[len(bars)-1].End
		a := appender{b: c.buffer[:0]}
		a.text("object", "histogram")
		a.stretch(span, cut, now)
		a.key("series")
		a.b = appendList(a.b, bars, func(b []byte, h giro.HistogramBar) []byte {
			one := appender{b: b}
			one.bar(h.At, h.End, now)
			var all int64
			for _, n := range h.Counts {
				all += n
			}
			one.number("all", all)
			one.key("statuses")
			one.b = appendStatuses(one.b, h.Counts)
			return one.close()
		})
		c.buffer = a.close()
		c.sendJSON(http.StatusOK, c.buffer)
		return nil
	}
}

func figures(c *call) error {
	now, err := c.bookNow()
	if err != nil {
		return err
	}
	span, cut, err := c.span(now, monthBefore, movementIntervals, movementInterval)
	if err != nil {
		return err
	}
	span.Compare = c.query.text("compare") == "true"
	ever, err := c.engine().Ever(c.ctx, c.book())
	if err != nil {
		return err
	}
	currencies := busiest(ever)
	currency := c.query.currency("currency")
	if currency == "" {
		if len(currencies) > 0 {
			currency = currencies[0]
		} else {
			currency = cmp.Or(money.Currency(c.caller.Merchant.Currency), "USD")
		}
	}
	f, err := c.engine().Figures(c.ctx, c.book(), currency, span)
	if err != nil {
		return err
	}
	a := appender{b: c.buffer[:0]}
	a.text("object", "figures")
	a.text("currency", currency.Lower())
	span.From, span.To = f.Begin, f.End
	a.stretch(span, cut, f.Now)
	a.key("totals")
	a.b = appendSums(appender{b: a.b}, &f.Totals)
	a.key("series")
	a.b = appendBuckets(a.b, f.Series, f.Now)
	if f.PreviousBegin != 0 {
		a.key("previous")
		p := appender{b: a.b}
		p.number("from", f.PreviousBegin/1_000_000)
		p.number("to", f.Begin/1_000_000)
		p.key("totals")
		p.b = appendSums(appender{b: p.b}, &f.Previous)
		p.key("series")
		p.b = appendBuckets(p.b, f.PreviousTimes, f.Now)
		a.b = p.close()
	}
	a.key("by_status")
	a.b = appendTallies(a.b, f.ByStatus)
	a.key("failures")
	a.b = appendTallies(a.b, f.Failures)
	a.key("open")
	a.b = appendTallies(a.b, slices.DeleteFunc(slices.Clone(ever[currency]), func(t giro.Tally) bool {
		return t.Status != giro.StatusPending && t.Status != giro.StatusOnHold
	}))
	a.key("currencies")
	a.b = appendList(a.b, currencies, func(b []byte, one money.Currency) []byte { return appendString(b, one.Lower()) })
	c.buffer = a.close()
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

// busiest orders currencies by the number of their movements.
func busiest(ever map[money.Currency][]giro.Tally) []money.Currency {
	count := map[money.Currency]int64{}
	list := []money.Currency{}
	for currency, tallies := range ever {
		for _, t := range tallies {
			count[currency] += t.Count
		}
		if count[currency] > 0 {
			list = append(list, currency)
		}
	}
	slices.SortFunc(list, func(a, b money.Currency) int {
		if count[a] != count[b] {
			return int(min(max(count[b]-count[a], -1), 1))
		}
		if a < b {
			return -1
		}
		return 1
	})
	return list
}

func appendSums(a appender, s *giro.Sums) []byte {
	a.sums(s)
	return a.close()
}

func (a *appender) sums(s *giro.Sums) {
	a.number("gross_volume", s.Gross)
	a.number("net_volume", s.Net())
	a.number("refunded", s.Refunded)
	a.number("fees", s.Fees)
	a.number("charges", s.Charges)
	a.number("succeeded", s.Succeeded)
	a.number("failed", s.Failed)
	bps, ok := s.SuccessRate()
	a.maybeNumber("success_rate_bps", bps, ok)
	a.number("payouts_sent", s.PayoutsSent)
	a.number("payouts_sent_count", s.PayoutsSentN)
	a.key("payouts_by_status")
	a.b = appendStatuses(a.b, s.Payouts)
	a.number("refunds_finished", s.RefundsFinished)
}

func appendStatuses(b []byte, counts map[giro.Status]int64) []byte {
	a := appender{b: b}
	for _, s := range giro.Statuses {
		a.number(string(s), counts[s])
	}
	return a.close()
}

func appendBuckets(b []byte, list []giro.Bucket, now int64) []byte {
	return appendList(b, list, func(b []byte, one giro.Bucket) []byte {
		a := appender{b: b}
		a.bar(one.At, one.End, now)
		a.sums(&one.Sums)
		return a.close()
	})
}

func appendTallies(b []byte, list []giro.Tally) []byte {
	return appendList(b, list, func(b []byte, t giro.Tally) []byte {
		a := appender{b: b}
		a.text("kind", string(t.Kind))
		a.text("status", string(t.Status))
		a.maybe("reason", t.Reason)
		a.number("count", t.Count)
		a.number("amount", t.Amount)
		a.number("amount_captured", t.Captured)
		a.number("amount_refunded", t.Refunded)
		return a.close()
	})
}

// countMax bounds the counting of each status where roll-ups do not say.
const countMax = 10_000

// counts answers what stands beside the tabs of a list: from the roll-ups where
// nothing but the currency filters, else by counting, each to countMax.
func counts(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		q, _, err := c.movementQuery(k)
		if err != nil {
			return err
		}
		found := map[giro.Status]int64{}
		capped := false
		plain := true
		for _, name := range c.query.names {
			plain = plain && name == "currency"
		}
		if plain {
			ever, err := c.engine().Ever(c.ctx, c.book())
			if err != nil {
				return err
			}
			for currency, tallies := range ever {
				if q.Currency != "" && currency != q.Currency {
					continue
				}
				for _, t := range tallies {
					if t.Kind == k {
						found[t.Status] += t.Count
					}
				}
			}
		} else {
			for _, s := range giro.Statuses {
				one, scanned := q, giro.UUID{}
				one.Statuses, one.Scanned, one.ScanMax = []giro.Status{s}, &scanned, countMax
				if found[s], err = c.engine().Store.CountMovements(c.ctx, one, countMax+1); err != nil {
					return err
				}
				if found[s] > countMax || !scanned.IsZero() {
					found[s], capped = min(found[s], countMax), true
				}
			}
		}
		var all int64
		for _, n := range found {
			all += n
		}
		a := appender{b: c.buffer[:0]}
		a.text("object", "counts")
		a.number("all", all)
		a.key("statuses")
		a.b = appendStatuses(a.b, found)
		a.flag("is_capped", capped)
		c.buffer = a.close()
		c.sendJSON(http.StatusOK, c.buffer)
		return nil
	}
}

// Limits of what needs attention.
const (
	stuckAfter      = 24 * time.Hour
	stuckCounted    = 100
	verifiedWithin  = 36 * time.Hour
	backedUpWithin  = 26 * time.Hour
	endpointsListed = 100
)

// want is a line of what needs attention.
type want struct {
	kind, level, movement, object, name string
	count                               int64
	capped                              bool
	currency                            string
	amount                              int64
	summed                              bool  // there is an amount
	since                               int64 // µs
}

func attention(c *call) error {
	e, book := c.engine(), c.book()
	now, err := c.bookNow()
	if err != nil {
		return err
	}
	var list []want
	ever, err := e.Ever(c.ctx, book)
	if err != nil {
		return err
	}
	for _, currency := range busiest(ever) {
		for _, t := range ever[currency] {
			if t.Status == giro.StatusOnHold {
				list = append(list, want{kind: attentionOnHold, level: "warning", movement: string(t.Kind), count: t.Count, currency: currency.Lower(), amount: t.Amount, summed: true})
			}
		}
	}
	for _, k := range []giro.Kind{giro.KindPayout, giro.KindRefund} {
		q := giro.MovementQuery{Book: book, Kind: k, Statuses: []giro.Status{giro.StatusPending}, To: lastUUID(now - stuckAfter.Microseconds()), Ascending: true, Limit: 1}
		oldest, _, err := e.Store.Movements(c.ctx, q)
		if err != nil {
			return err
		}
		if len(oldest) > 0 {
			q.Limit, q.Ascending = 0, false
			n, err := e.Store.CountMovements(c.ctx, q, stuckCounted+1)
			if err != nil {
				return err
			}
			list = append(list, want{kind: attentionStuck, level: "warning", movement: string(k), count: min(n, stuckCounted), capped: n > stuckCounted, object: oldest[0].ID.ID(k.Prefix()), since: oldest[0].Created})
		}
	}
	doubts, err := e.Store.Doubts(c.ctx, book)
	if err != nil {
		return err
	}
	for _, d := range doubts {
		list = append(list, want{kind: attentionInDoubt, level: "warning", movement: string(d.Kind), count: d.Count, object: d.Newest.ID(d.Kind.Prefix()), since: giro.Micros(d.Oldest.Time())})
	}
	endpoints, err := e.Endpoints(c.ctx, book)
	if err != nil {
		return err
	}
	for _, p := range endpoints[:min(len(endpoints), endpointsListed)] {
		switch d, err := e.Store.Dispatch(c.ctx, p.ID); {
		case err != nil:
			return err
		case !p.Enabled && p.DisabledReason != "":
			list = append(list, want{kind: attentionDisabled, level: "error", count: 1, object: p.ID.ID("we"), name: p.URL, since: p.DisabledAt})
		case p.Enabled && d != nil && d.Failing != 0:
			list = append(list, want{kind: attentionFailing, level: "error", count: 1, object: p.ID.ID("we"), name: p.URL, since: d.Failing})
		}
	}
	if c.caller.Duty == "" || c.caller.Duty.May(giro.MayReadBalances, c.caller.Live) {
		v, running, err := e.LastVerification(c.ctx)
		switch {
		case err != nil:
			return err
		case v != nil && (v.Report == nil || !v.Report.OK):
			list = append(list, want{kind: attentionFaulty, level: "error", count: 1, since: v.Finished})
		case (v == nil || giro.Micros(c.at)-v.Finished > verifiedWithin.Microseconds()) && !running:
			w := want{kind: attentionUnverified, level: "notice", count: 1}
			if v != nil {
				w.since = v.Finished
			}
			list = append(list, w)
		}
		if c.s.config.LastBackup != nil {
			if at := c.s.config.LastBackup(); c.at.Sub(at) > backedUpWithin {
				w := want{kind: attentionBackup, level: "notice", count: 1}
				if !at.IsZero() {
					w.since = giro.Micros(at)
				}
				list = append(list, w)
			}
		}
	}
	rank := []string{"error", "warning", "notice"}
	slices.SortStableFunc(list, func(a, b want) int { return slices.Index(rank, a.level) - slices.Index(rank, b.level) })
	return sendList(c, list, func(b []byte, w want) []byte {
		a := appender{b: b}
		a.text("type", w.kind)
		a.text("level", w.level)
		a.maybe("kind", w.movement)
		a.maybe("object", w.object)
		a.maybe("name", w.name)
		a.number("count", w.count)
		a.flag("is_capped", w.capped)
		a.maybe("currency", w.currency)
		a.maybeNumber("amount", w.amount, w.summed)
		a.maybeNumber("since", w.since/1_000_000, w.since != 0)
		return a.close()
	})
}

// verification shows the last finished run, and begins another.
func (c *call) verification(ctx context.Context, begin bool) ([]byte, error) {
	v, running, err := c.engine().LastVerification(ctx)
	if err != nil {
		return nil, err
	}
	if begin {
		c.engine().VerifyLedger(c.actor())
		running = true
	}
	var a appender
	a.text("object", "verification")
	state := "never"
	switch {
	case running:
		state = "running"
	case v == nil:
	case v.Report == nil:
		state = "failed"
	case v.Report.OK:
		state = "ok"
	default:
		state = "faulty"
	}
	a.text("state", state)
	a.flag("running", running)
	if v != nil && v.Report != nil {
		a.number("entries", v.Report.Entries)
		a.number("ledger_transactions", v.Report.LedgerTransactions)
		a.number("movements", v.Report.Movements)
	} else {
		a.maybe("entries", "")
		a.maybe("ledger_transactions", "")
		a.maybe("movements", "")
	}
	a.key("faults")
	var faults []giro.Fault
	if v != nil && v.Report != nil {
		faults = slices.DeleteFunc(slices.Clone(v.Report.Faults), func(f giro.Fault) bool {
			return c.caller.Merchant != nil && f.Merchant != c.caller.Merchant.ID.ID("mer")
		})
	}
	a.b = appendList(a.b, faults, func(b []byte, f giro.Fault) []byte {
		one := appender{b: b}
		one.text("merchant", f.Merchant)
		one.text("mode", f.Mode)
		one.number("sequence", f.Sequence)
		one.text("message", f.Message)
		return one.close()
	})
	if v != nil {
		a.text("started_at", precise(v.Started))
		a.text("finished_at", precise(v.Finished))
		a.number("took_ms", (v.Finished-v.Started)/1000)
	} else {
		a.maybe("started_at", "")
		a.maybe("finished_at", "")
		a.maybe("took_ms", "")
	}
	head, err := c.engine().Store.Head(ctx, c.book())
	if err != nil {
		return nil, err
	}
	if head != nil {
		a.number("sequence", head.Sequence)
		a.text("hash", hex.EncodeToString(head.Hash[:]))
	} else {
		a.number("sequence", 0)
		a.maybe("hash", "")
	}
	failure := ""
	if v != nil {
		failure = v.Error
	}
	a.maybe("error", failure)
	return a.close(), nil
}
