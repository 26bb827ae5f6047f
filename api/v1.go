package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"

	"giro"
)

// giroCall is the request as the engine sees it. answer renders a result; it may
// run after the caller has left, so it reads nothing of c.
func (c *call) giroCall(answer func(result any) giro.Answer) *giro.Call {
	g := &giro.Call{Merchant: c.caller.Merchant, Live: c.caller.Live, Key: c.caller.Key, Publishable: c.caller.Publishable, Admin: c.caller.Admin, RequestID: c.rid}
	g.Act = c.act()
	if c.key == "" {
		return g
	}
	print, rid := c.print, c.rid
	g.Idempotent = &giro.Idempotent{Key: c.key, Fingerprint: print.hash[:], Members: print.members, Sealed: c.route.sealed, Render: func(result any, err error) giro.Answer {
		if err != nil {
			e := giro.AsError(err)
			return giro.Answer{Status: statusOf(e), Body: appendProblem(nil, e, rid)}
		}
		return answer(result)
	}}
	return g
}

// ofMode makes a call work on one mode's books, whatever the caller's mode. Its
// Idempotency-Key stays the caller's.
func (c *call) ofMode(g *giro.Call, live bool) {
	g.Live = live
	if g.Idempotent != nil {
		g.Idempotent.Book = c.book()
	}
}

// command runs what changes something and sends its answer: the first one, or
// the stored one of a repeated Idempotency-Key. What run reads first may have
// changed since the first request, so whatever the state decides belongs in it.
func (c *call) command(answer func(result any) giro.Answer, run func(g *giro.Call) (any, error)) error {
	g := c.giroCall(answer)
	if err := c.simulate(g); err != nil {
		return err
	}
	result, err := run(g)
	if err != nil && g.Idempotent != nil && !g.Asked() {
		// Refused by what was read before the command: the key may have an answer.
		_, err = c.engine().Refused(c.ctx, g, err)
	}
	if err != nil {
		return err
	}
	a := g.Answer
	if a.Status == 0 {
		a = answer(result)
	}
	h := c.w.Header()
	if a.Location != "" {
		h["Location"] = []string{a.Location}
	}
	if a.Replayed {
		h["Idempotent-Replayed"] = valueTrue
	}
	if a.Status >= 400 {
		c.send(a.Status, valueProblem, a.Body)
		return nil
	}
	c.sendJSON(a.Status, a.Body)
	return nil
}

// simulate reads Giro-Simulate, which names a sandbox outcome.
func (c *call) simulate(g *giro.Call) error {
	v := c.r.Header.Get("Giro-Simulate")
	if v == "" {
		return nil
	}
	if c.caller.Live {
		return giro.Refuse(giro.CodeTestModeOnly, "Giro-Simulate", "outcomes are simulated in test mode only")
	}
	if err := knownOutcome(v, "Giro-Simulate"); err != nil {
		return err
	}
	g.Simulate = v
	return nil
}

// knownOutcome refuses what is no outcome: a name, or failed:code.
func knownOutcome(v, param string) error {
	name, code, coded := strings.Cut(v, ":")
	for _, o := range giro.TestOutcomes {
		if o == name && (!coded || name == "failed" && code != "" && len(code) <= 64 && visible(code)) {
			return nil
		}
	}
	return giro.Refuse(giro.CodeInvalidValue, param, "must be one of "+strings.Join(giro.TestOutcomes, ", ")+", or failed:code")
}

// pathID reads an id in the path. What is no id of the kind is not found, like
// an id of somebody else.
func (c *call) pathID(prefix, noun string) (giro.UUID, error) {
	if id, ok := giro.ParseID(prefix, c.path[0]); ok {
		return id, nil
	}
	return giro.UUID{}, missing(noun)
}

// deletes is the handler of a DELETE by id: do answers not_found for what is not
// the caller's.
func deletes(prefix, noun string, do func(*giro.Engine, context.Context, *giro.Call, giro.UUID) error) func(*call) error {
	return func(c *call) error {
		id, err := c.pathID(prefix, noun)
		if err != nil {
			return err
		}
		if err := do(c.engine(), c.ctx, c.giroCall(nil), id); err != nil {
			return err
		}
		return c.deleted(noun)
	}
}

func missing(noun string) error { return giro.Refuse(giro.CodeNotFound, "", "there is no such "+noun) }

func (c *call) engine() *giro.Engine { return c.s.config.Engine }

// book returns the books of the credential; with the admin token the
// installation's.
func (c *call) book() giro.Book { return c.caller.book() }

func (caller *Caller) book() giro.Book {
	if caller.Merchant == nil {
		return giro.Installation
	}
	return giro.BookOf(caller.Merchant.Number, caller.Live)
}

// bound is what a cursor of this list may be used with.
func (c *call) bound() string {
	return strconv.FormatInt(int64(c.book()), 10) + "|" + c.canonicalPath() + "|" + c.query.filters()
}

// cursor returns the id at which the page begins; zero: at the newest.
func (c *call) cursor() (id giro.UUID, err error) {
	v := c.query.text("cursor")
	if v == "" {
		return id, nil
	}
	position, err := c.s.cursors.open(c.bound(), v)
	if err != nil {
		return id, err
	}
	if len(position) != len(id) {
		return id, giro.Refuse(giro.CodeInvalidCursor, "cursor", "the cursor is not of this list")
	}
	copy(id[:], position)
	return id, nil
}

// linkNext writes the Link header of the page that begins after id. The URL is
// relative: the Host header is nobody's word for it.
func (c *call) linkNext(id giro.UUID) {
	parts := []string{"cursor=" + c.s.cursors.seal(c.bound(), id[:])}
	if f := c.query.filters(); f != "" {
		parts = append(parts, f)
	}
	if v := c.query.text("limit"); v != "" {
		parts = append(parts, "limit="+v)
	}
	c.w.Header()["Link"] = []string{"<" + c.r.URL.EscapedPath() + "?" + strings.Join(parts, "&") + `>; rel="next"`}
}

// sendList sends a bare JSON array.
func sendList[T any](c *call, items []T, appendItem func([]byte, T) []byte) error {
	c.buffer = appendList(c.buffer[:0], items, appendItem)
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

// appendList writes a JSON array.
func appendList[T any](b []byte, items []T, appendItem func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendItem(b, item)
	}
	return append(b, ']')
}

// appender writes a flat JSON object member by member.
type appender struct {
	b     []byte
	begun bool
}

func (a *appender) key(name string) {
	if a.begun {
		a.b = append(a.b, ',')
	} else {
		a.b = append(a.b, '{')
		a.begun = true
	}
	a.b = append(appendString(a.b, name), ':')
}

func (a *appender) text(name, v string) {
	a.key(name)
	a.b = appendString(a.b, v)
}

// maybe writes null for an empty text.
func (a *appender) maybe(name, v string) {
	if v == "" {
		a.raw(name, []byte("null"))
		return
	}
	a.text(name, v)
}

func (a *appender) number(name string, v int64) {
	a.key(name)
	a.b = strconv.AppendInt(a.b, v, 10)
}

// maybeNumber writes null where there is none.
func (a *appender) maybeNumber(name string, v int64, known bool) {
	if !known {
		a.maybe(name, "")
		return
	}
	a.number(name, v)
}

// texts writes an array of texts.
func (a *appender) texts(name string, list []string) {
	a.key(name)
	a.b = appendList(a.b, list, appendString)
}

func (a *appender) flag(name string, v bool) {
	a.key(name)
	a.b = strconv.AppendBool(a.b, v)
}

func (a *appender) raw(name string, v []byte) {
	a.key(name)
	a.b = append(a.b, v...)
}

// created writes created and created_at of microseconds.
func (a *appender) created(micros int64) {
	a.number("created", micros/1_000_000)
	a.text("created_at", giro.WireTime(giro.TimeOf(micros)))
}

// times writes created, created_at and updated_at of microseconds.
func (a *appender) times(created, updated int64) {
	a.created(created)
	a.text("updated_at", giro.WireTime(giro.TimeOf(updated)))
}

func (a *appender) metadata(m map[string]string) {
	a.key("metadata")
	a.b = appendMetadata(a.b, m)
}

func (a *appender) close() []byte { return append(a.b, '}') }

// upper writes a noun with a capital letter.
func upper(noun string) string { return strings.ToUpper(noun[:1]) + noun[1:] }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// operationRoutes are what the machinery around giro asks.
var operationRoutes = []*route{
	{method: http.MethodGet, path: "/", id: "root", tag: "operations", access: accessPublic, status: 200, answer: &schema{kind: kindObject, fields: []field{{name: "name", schema: plainText}, {name: "version", schema: plainText}, {name: "docs", schema: plainText}}},
		summary: "What this is", handler: func(c *call) error {
			var a appender
			a.text("name", "giro")
			a.text("version", cmp.Or(c.s.config.Version, buildVersion))
			a.text("docs", "/docs")
			c.sendJSON(http.StatusOK, a.close())
			return nil
		}},
	{method: http.MethodGet, path: "/livez", id: "livez", tag: "operations", access: accessPublic, status: 200, media: "text/plain",
		summary: "Whether the process answers", handler: func(c *call) error {
			c.send(http.StatusOK, []string{"text/plain; charset=utf-8"}, []byte("ok\n"))
			return nil
		}},
	{method: http.MethodGet, path: "/readyz", id: "readyz", tag: "operations", access: accessPublic, status: 200, media: "text/plain",
		summary: "Whether requests should come here; 503 while starting, migrating or draining", errors: []giro.Code{giro.CodeUnavailable}, handler: func(c *call) error {
			if e := c.engine(); e != nil {
				if err := e.Healthy(); err != nil {
					return &giro.Error{Code: giro.CodeUnavailable, Message: "the books do not add up; an operator has to look", Err: err}
				}
			}
			if e := c.engine(); e != nil {
				if err := e.Store.Ping(c.ctx); err != nil {
					return &giro.Error{Code: giro.CodeUnavailable, Message: "the database does not answer", Err: err}
				}
			}
			if ready := c.s.config.Ready; ready != nil {
				if err := ready(); err != nil {
					return &giro.Error{Code: giro.CodeUnavailable, Message: "not ready", Err: err}
				}
			}
			c.send(http.StatusOK, []string{"text/plain; charset=utf-8"}, []byte("ok\n"))
			return nil
		}},
}
