package api

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"time"

	"giro"
)

var fundBody = &schema{kind: kindObject, name: "Fund", fields: []field{
	{name: "currency", schema: currencySchema, required: true},
	{name: "amount", schema: amountSchema, required: true},
}}

var clockBody = &schema{kind: kindObject, name: "ClockChange", about: "One of the four; to may go with freeze.", fields: []field{
	{name: "advance", schema: text(1, 40), about: "Forward by a duration: 36h, 90m, 30s.", example: "36h"},
	{name: "to", schema: timeSchema, about: "Forward to a time."},
	{name: "freeze", schema: flagSchema, about: "true: it stands still, at to if that is sent, until it is put forward or reset."},
	{name: "reset", schema: flagSchema, about: "true: it shows the real time again. A clock that is ahead cannot go back: it stands until the real time has come to where it is."},
}}

var clockAnswer = &schema{kind: kindObject, name: "Clock", fields: []field{
	{name: "now", schema: answerTime},
	{name: "state", schema: oneOf(giro.ClockRunning, giro.ClockFrozen, giro.ClockWaiting), about: "waiting: it was reset and stands until the real time has come to where it is."},
	{name: "ahead", schema: plainInteger, about: "Seconds before the real time; below 0: behind it."},
	{name: "fired", optional: true, about: "What became due and has run.", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "FiredJob", fields: []field{
		{name: "object", schema: plainText}, {name: "kind", schema: oneOf(string(giro.JobRail), string(giro.JobExpire), string(giro.JobSettle), string(giro.JobVoid))}}}}}}}

// faultKinds are the kinds that a rail carries.
var faultKinds = []giro.Kind{giro.KindCharge, giro.KindRefund, giro.KindPayout}

var (
	faultsBody = &schema{kind: kindObject, name: "FaultsChange", about: "The whole: a kind that is not sent behaves as usual again.", fields: faultFields(func(k giro.Kind) field {
		return field{name: k.Plural(), schema: text(1, 80), about: "succeeded, failed, failed:code, onhold, returned, refunded, pending, timeout, timeout_failed or unavailable.", example: "timeout"}
	})}
	faultsAnswer = &schema{kind: kindObject, name: "Faults", fields: append([]field{{name: "object", schema: oneOf("faults")}}, faultFields(func(k giro.Kind) field {
		return field{name: k.Plural(), schema: null(plainText), about: "What happens to every new " + string(k) + "; null: what its data says."}
	})...)}
)

func faultFields(of func(giro.Kind) field) (list []field) {
	for _, k := range faultKinds {
		list = append(list, of(k))
	}
	return list
}

func renderFaults(faults map[giro.Kind]string) []byte {
	var a appender
	a.text("object", "faults")
	for _, k := range faultKinds {
		a.maybe(k.Plural(), faults[k])
	}
	return a.close()
}

var railLogAnswer = &schema{kind: kindObject, name: "RailLogLine", fields: []field{
	{name: "instruction", schema: plainText}, {name: "object", schema: plainText}, {name: "kind", schema: plainText},
	{name: "submits", schema: plainInteger}, {name: "lookups", schema: plainInteger}, {name: "done", schema: flagSchema}, {name: "at", schema: plainText},
}}

// sandboxRoutes exist for test keys alone.
var sandboxRoutes = []*route{
	{method: "GET", path: "/v1/test/data", id: "testData", tag: "test", summary: "What test mode holds", access: accessTest, status: 200, answer: testDataAnswer,
		handler: func(c *call) error {
			d, err := c.engine().TestData(c.ctx, c.book())
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, renderTestData(d))
			return nil
		}},
	{method: "POST", path: "/v1/test/wipe", id: "wipeTestData", tag: "test", summary: "Wipe the merchant's test data", access: accessTest, body: emptySchema, bare: true, status: 202, answer: testDataAnswer,
		about:  "Movements, the ledger, customers, sub-accounts, events, deliveries, the request log and Idempotency-Keys of test mode go; keys, endpoints, people, rates, views and the audit log stay. The answer says what there was. It goes on by itself; meanwhile test mode refuses requests with 503, and GET /v1/test/data says when it is over.",
		errors: []giro.Code{giro.CodeInFlight, giro.CodeInvalidState},
		handler: func(c *call) error {
			return c.command(func(v any) giro.Answer {
				return giro.Answer{Status: http.StatusAccepted, Body: renderTestData(v.(giro.TestData))}
			}, func(g *giro.Call) (any, error) { return c.engine().Wipe(c.ctx, g) })
		}},
	{method: "POST", path: "/v1/test/fund", id: "testFund", tag: "test", summary: "Put money into a test balance", access: accessTest, body: fundBody, status: 201, answer: accountAnswer,
		handler: func(c *call) error {
			currency, amount := c.body.currency("currency"), c.body.amount("amount")
			return c.command(renderAccount(http.StatusCreated), func(g *giro.Call) (any, error) {
				a, err := c.engine().Fund(c.ctx, g, currency, amount)
				if err == nil && a != nil {
					return *a, nil
				}
				return nil, err
			})
		}},
	{method: "POST", path: "/v1/test/{kind}/{id}/{outcome}", id: "testOutcome", tag: "test", summary: "Move a movement by hand, as if its rail had called", access: accessTest,
		about: "Outcomes: succeeded, failed, failed:code, onhold, returned, refunded, pending, timeout, timeout_failed, unavailable.",
		body:  emptySchema, bare: true, status: 200, answer: &schema{kind: kindAny, about: "The movement."}, errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState},
		handler: func(c *call) error {
			at := slices.IndexFunc(giro.Kinds, func(k giro.Kind) bool { return k.Plural() == c.path[0] || string(k) == c.path[0] })
			if at < 0 {
				return missing("kind of movement")
			}
			k := giro.Kinds[at]
			id, ok := giro.ParseID(k.Prefix(), c.path[1])
			if !ok {
				return missing(string(k))
			}
			if err := knownOutcome(c.path[2], "outcome"); err != nil {
				return err
			}
			outcome, code, _ := strings.Cut(c.path[2], ":")
			return c.command(renderMovement(http.StatusOK), func(g *giro.Call) (any, error) {
				return c.engine().TestOutcome(c.ctx, g, k, id, outcome, code)
			})
		}},
	{method: "GET", path: "/v1/test/rail/log", id: "testRailLog", tag: "test", summary: "What the sandbox rail was asked and did, in order", access: accessTest,
		params: []param{{name: "limit", kind: paramInteger, min: 1, max: 1000, code: giro.CodeInvalidLimit, about: "How many lines; 1,000 if it is not sent."}, cursorParam,
			{name: "newest", kind: paramFlag, about: "true: the last lines, newest first, without a next page."}},
		status: 200, answer: &schema{kind: kindList, item: railLogAnswer},
		handler: func(c *call) error {
			after, err := c.cursor() // a line's number stands in its last bytes
			if err != nil {
				return err
			}
			limit, newest := c.query.integer("limit", 1000), c.query.text("newest") == "true"
			rows, err := c.engine().Store.SandboxLog(c.ctx, c.book(), int64(binary.BigEndian.Uint64(after[8:])), limit+1, newest)
			if err != nil {
				return err
			}
			if len(rows) > limit {
				rows = rows[:limit]
			} else {
				newest = true // nothing follows
			}
			if !newest {
				var next giro.UUID
				binary.BigEndian.PutUint64(next[8:], uint64(rows[limit-1].Number))
				c.linkNext(next)
			}
			return sendList(c, rows, func(b []byte, r *giro.SandboxRow) []byte {
				a := appender{b: b}
				a.text("instruction", r.Instruction)
				a.text("object", r.Object.ID(r.Kind.Prefix()))
				a.text("kind", string(r.Kind))
				a.number("submits", r.Submits)
				a.number("lookups", r.Lookups)
				a.flag("done", r.Done)
				a.text("at", giro.WireTime(giro.TimeOf(r.At)))
				return a.close()
			})
		}},
	{method: "GET", path: "/v1/test/faults", id: "testFaults", tag: "test", summary: "The outcomes that the sandbox gives to whole kinds", access: accessTest, status: 200, answer: faultsAnswer,
		handler: func(c *call) error {
			m, err := c.engine().MerchantByID(c.ctx, c.caller.Merchant.ID)
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, renderFaults(m.Faults))
			return nil
		}},
	{method: "PUT", path: "/v1/test/faults", id: "testSetFaults", tag: "test", summary: "Let the sandbox fail, hold or lose everything of a kind", access: accessTest, body: faultsBody, bare: true, status: 200, answer: faultsAnswer,
		about: "Holds for every charge, refund or payout that is made from now on in test mode, whoever makes it, until it is changed; Giro-Simulate and a call that moves one by hand come before it.",
		handler: func(c *call) error {
			faults := map[giro.Kind]string{}
			for _, k := range faultKinds {
				if !c.body.has(k.Plural()) {
					continue
				}
				outcome := c.body.text(k.Plural())
				if err := knownOutcome(outcome, "/"+k.Plural()); err != nil {
					return err
				}
				faults[k] = outcome
			}
			return again(0, func() error {
				m, err := c.engine().MerchantByID(c.ctx, c.caller.Merchant.ID)
				if err != nil {
					return err
				}
				m.Faults = faults
				return c.command(func(v any) giro.Answer {
					return giro.Answer{Status: http.StatusOK, Body: renderFaults(v.(*giro.Merchant).Faults)}
				}, func(g *giro.Call) (any, error) { return c.engine().UpdateMerchant(c.ctx, g, m) })
			})
		}},
	{method: "GET", path: "/v1/test/clock", id: "testClock", tag: "test", summary: "The test clock", access: accessTest, status: 200, answer: clockAnswer,
		handler: func(c *call) error {
			at, err := c.engine().ReadClock(c.ctx, c.book())
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, renderClock(at, nil))
			return nil
		}},
	{method: "POST", path: "/v1/test/clock", id: "testChangeClock", tag: "test", summary: "Put the test clock forward, freeze or reset it", access: accessTest, body: clockBody, status: 200, answer: clockAnswer,
		about: "Schedules, retries and expiries that become due run before the answer. While the clock stands still nothing becomes due; each command moves it by a millisecond, so that what is made later sorts later.",
		handler: func(c *call) error {
			to, err := c.clockChange()
			if err != nil {
				return err
			}
			var fired []*giro.Job
			return c.command(func(v any) giro.Answer {
				return giro.Answer{Status: http.StatusOK, Body: renderClock(v.(giro.ClockReading), fired)}
			}, func(g *giro.Call) (any, error) {
				due, err := c.engine().DueWith(c.ctx, c.book(), to)
				if err != nil {
					return nil, err
				}
				fired = append([]*giro.Job{}, due...)
				at, err := c.engine().ChangeClock(c.ctx, g, to)
				if err != nil || g.Answer.Status != 0 && g.Answer.Status != http.StatusOK || g.Answer.Replayed {
					return at, err
				}
				return at, c.engine().AwaitJobs(c.ctx, c.book(), fired)
			})
		}},
}

var testDataAnswer = &schema{kind: kindObject, name: "TestData", fields: []field{
	{name: "object", schema: oneOf("test_data")},
	{name: "status", schema: oneOf("ready", "wiping"), about: "wiping: it is being removed, and test mode refuses requests until it is gone."},
	{name: "charges", schema: plainInteger}, {name: "refunds", schema: plainInteger}, {name: "payouts", schema: plainInteger}, {name: "transfers", schema: plainInteger},
	{name: "ledger_transactions", schema: plainInteger},
	{name: "wiped_at", schema: null(answerTime), about: "When it was wiped last."},
}}

func renderTestData(d giro.TestData) []byte {
	var a appender
	a.text("object", "test_data")
	status := "ready"
	if d.Wiping != 0 {
		status = "wiping"
	}
	a.text("status", status)
	a.number("charges", d.Charges)
	a.number("refunds", d.Refunds)
	a.number("payouts", d.Payouts)
	a.number("transfers", d.Transfers)
	a.number("ledger_transactions", d.LedgerTransactions)
	at := ""
	if d.Wiped != 0 {
		at = giro.TimeOf(d.Wiped).Format(time.RFC3339Nano)
	}
	a.maybe("wiped_at", at)
	return a.close()
}

// clockChange reads what a test clock is told.
func (c *call) clockChange() (to giro.ClockChange, err error) {
	said := 0
	for _, name := range []string{"advance", "freeze", "reset"} {
		if c.body.has(name) {
			said++
			if name != "advance" && !c.body.flag(name, false) {
				return to, giro.Refuse(giro.CodeInvalidValue, "/"+name, "must be true")
			}
		}
	}
	if c.body.has("to") {
		to.To = c.body.time("to")
		if !c.body.has("freeze") {
			said++
		}
	}
	if said != 1 {
		return to, giro.Refuse(giro.CodeMissingField, "/advance", "send one of advance, to, freeze and reset")
	}
	to.Freeze, to.Reset = c.body.has("freeze"), c.body.has("reset")
	if c.body.has("advance") {
		if to.Advance, err = time.ParseDuration(c.body.text("advance")); err != nil || to.Advance <= 0 {
			return to, giro.Refuse(giro.CodeInvalidFormat, "/advance", "must be a duration greater than 0, such as 36h or 90m")
		}
	}
	return to, nil
}

// renderClock shows the clock; fired is nil where it was only read.
func renderClock(at giro.ClockReading, fired []*giro.Job) []byte {
	var a appender
	a.text("now", at.Now.UTC().Format(time.RFC3339Nano))
	a.text("state", at.State)
	a.number("ahead", int64(at.Ahead/time.Second))
	if fired == nil {
		return a.close()
	}
	a.key("fired")
	a.b = appendList(a.b, fired, func(b []byte, j *giro.Job) []byte {
		one := appender{b: b}
		one.text("object", j.Object.ID(j.MovementKind.Prefix()))
		one.text("kind", string(j.Kind))
		return one.close()
	})
	return a.close()
}
