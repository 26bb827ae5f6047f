package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"giro"
)

// The bounds of the request log. Beyond the rates a request is answered and not
// written down; the next line says how many were left out.
const (
	requestsKept    = 30 * 24 * time.Hour
	requestsMax     = 500_000 // lines of the installation
	requestsRate    = 100     // lines a second, after the first burst
	requestsBurst   = 2000
	requestsPause   = time.Second // between writes
	requestsSweep   = 10 * time.Minute
	requestBodyMax  = 8 << 10 // of a body that is kept
	requestsWaiting = 5000    // lines that wait to be written
)

// requestLog gathers what was asked and writes it beside the work, many lines to
// a commit. No answer waits for it.
type requestLog struct {
	writing sync.Mutex // held while lines are on their way into the store
	mu      sync.Mutex
	waiting []*giro.RequestRow
	traffic giro.TrafficCells // of all requests, those that are left out too
	uses    map[giro.UUID]use // the last of each key
	timer   bool
	limiter *rate.Limiter
	left    int64 // out, since the last line
	swept   time.Time
}

// use is the last request of a key, as it is noted.
type use struct {
	at   time.Time
	peer string
}

// requestLine is what a line of the log holds.
type requestLine struct {
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Query     string          `json:"query,omitempty"`
	Operation string          `json:"operation"`
	TookUS    int64           `json:"took_us"`
	Key       giro.UUID       `json:"key,omitzero"`
	Person    string          `json:"person,omitempty"` // e-mail address
	Address   string          `json:"address,omitempty"`
	Agent     string          `json:"agent,omitempty"`
	Code      string          `json:"code,omitempty"`
	Param     string          `json:"param,omitempty"`
	IdemKey   string          `json:"idempotency_key,omitempty"`
	Replayed  bool            `json:"replayed,omitempty"`
	Request   json.RawMessage `json:"request,omitempty"`
	Response  json.RawMessage `json:"response,omitempty"`
	Target    string          `json:"target,omitempty"`
	LeftOut   int64           `json:"left_out,omitempty"`
}

// keep notes a request of a merchant's key, or a change that a person made, in
// the log. What the dashboard only reads is not in it, unless the server failed.
func (s *Server) keep(c *call, took time.Duration) {
	if c.route == nil || c.caller == nil || c.caller.Merchant == nil || s.config.Engine == nil || c.route.media == "text/event-stream" ||
		c.caller.In != nil && c.status < 500 && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) {
		return
	}
	l, book, at := &s.requests, giro.BookOf(c.caller.Merchant.Number, c.caller.Live), giro.Micros(c.at)
	l.mu.Lock()
	for _, step := range trafficSteps {
		l.traffic.At(giro.RequestsOf(book), step, at).Note(c.status, took.Microseconds())
	}
	if !c.caller.Key.IsZero() {
		l.uses[c.caller.Key] = use{c.at, c.r.RemoteAddr}
	}
	s.writeSoon()
	if len(l.waiting) >= requestsWaiting || !l.limiter.AllowN(c.at, 1) {
		l.left++
		l.mu.Unlock()
		return
	}
	left := l.left
	l.left = 0
	l.mu.Unlock()

	line := requestLine{Method: c.r.Method, Path: c.r.URL.Path, Query: c.r.URL.RawQuery, Operation: c.route.id, TookUS: took.Microseconds(), Key: c.caller.Key,
		Address: c.peer(), Agent: shortText(c.r.UserAgent(), 200), IdemKey: c.key, Replayed: c.w.Header().Get("Idempotent-Replayed") != "", LeftOut: left}
	if c.caller.In != nil {
		line.Person = c.caller.In.Person.Email
	}
	cards := c.err != nil && giro.Is(c.err, giro.CodeCardData)
	if cards {
		line.Path, line.Query, line.Agent, line.IdemKey = c.route.path, "", "", "" // one of them may be the card's number
	}
	if c.err != nil {
		e := giro.AsError(c.err)
		line.Code, line.Param = string(e.Code), e.Param
	}
	var object giro.UUID
	// Digits that are no amount and no account, sent where one belongs, may be a
	// card's: a body is looked at again, as it came.
	if c.route.body != nil && len(c.raw) > 0 && len(c.raw) <= requestBodyMax && !cards && c.parsed && !hasCardNumber(string(c.raw)) {
		line.Request = withoutSecrets(c.raw)
	}
	if n := len(c.answered); n > 0 && n <= requestBodyMax && c.answered[0] == '{' {
		line.Response = withoutSecrets(c.answered)
		var made struct{ ID string }
		if json.Unmarshal(c.answered, &made) == nil {
			object, line.Target = anyID(made.ID), made.ID
		}
	}
	if object.IsZero() && len(c.path) > 0 {
		object, line.Target = anyID(c.path[0]), c.path[0]
	}
	if object.IsZero() {
		line.Target = "" // whatever stands there, it is no id
	}
	data, err := json.Marshal(&line)
	if err != nil {
		return
	}
	row := &giro.RequestRow{Book: book, ID: c.id, At: at, Status: c.status, Object: object, Data: data}
	l.mu.Lock()
	l.waiting = append(l.waiting, row)
	s.writeSoon() // what waited was perhaps written meanwhile
	l.mu.Unlock()
}

// writeSoon sees to it that what waits is written. The caller holds the lock.
func (s *Server) writeSoon() {
	if !s.requests.timer {
		s.requests.timer = true
		time.AfterFunc(requestsPause, func() { s.flushRequests(context.Background()) })
	}
}

func shortText(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// anyID reads an id of any kind.
func anyID(s string) giro.UUID {
	prefix, _, _ := strings.Cut(s, "_")
	if id, ok := giro.ParseID(prefix, s); ok {
		return id
	}
	id, _ := giro.ParseUUID(s)
	return id
}

// Flush writes what of the request log still waits; for the end of a server.
func (s *Server) Flush(ctx context.Context) { s.flushRequests(ctx) }

// flushRequests writes what waits, and returns once what somebody else took away
// to write is written too: who asks afterwards finds it. A reader who goes away
// takes no lines with them.
func (s *Server) flushRequests(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	l := &s.requests
	l.writing.Lock()
	l.mu.Lock()
	w := giro.RequestWrites{Rows: l.waiting, Traffic: l.traffic.List(nil)}
	for key, u := range l.uses {
		w.Uses = append(w.Uses, giro.KeyUse{Key: key, At: giro.Micros(u.at), Address: host(u.peer)})
	}
	l.waiting, l.traffic, l.uses, l.timer = nil, giro.TrafficCells{}, map[giro.UUID]use{}, false
	now := s.config.Now()
	sweep := now.Sub(l.swept) > requestsSweep
	if sweep {
		l.swept = now
	}
	l.mu.Unlock()
	store := s.config.Engine.Store
	if len(w.Rows) > 0 || len(w.Traffic) > 0 {
		if err := store.AppendRequests(ctx, w); err != nil && !errors.Is(err, giro.ErrClosed) {
			s.log.Error("write the request log", "lines", len(w.Rows), "error", err)
		}
	}
	l.writing.Unlock()
	if sweep {
		if _, err := store.SweepRequests(ctx, giro.Micros(now.Add(-requestsKept)), requestsMax, 5000); err != nil && !errors.Is(err, giro.ErrClosed) {
			s.log.Error("sweep the request log", "error", err)
		}
		for _, step := range trafficSteps {
			if _, err := store.SweepTraffic(ctx, step, now.Add(-trafficKept[step]).Unix(), 20_000); err != nil && !errors.Is(err, giro.ErrClosed) {
				s.log.Error("sweep the traffic", "error", err)
			}
		}
	}
}

// secretNames are members of bodies that the log does not keep.
var secretNames = []string{"token", "secret", "secret_key", "publishable_key", "client_secret", "password", "old_password", "keys", "access_token", "credential"}

// withoutSecrets returns a body with its secrets left out; nil: it cannot be
// read.
func withoutSecrets(body []byte) json.RawMessage {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return nil
	}
	if !hideSecrets(v) {
		return slices.Clone(body)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

func hideSecrets(v any) (hidden bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if slices.Contains(secretNames, strings.ToLower(name)) {
				v[name] = "…"
				hidden = true
			} else if text, ok := member.(string); ok && strings.Contains(text, "token=") {
				v[name] = "…"
				hidden = true
			} else if hideSecrets(member) {
				hidden = true
			}
		}
	case []any:
		for _, member := range v {
			if hideSecrets(member) {
				hidden = true
			}
		}
	}
	return hidden
}

var requestAnswer = &schema{kind: kindObject, name: "RequestLine", fields: []field{
	{name: "id", schema: plainText, about: "The Request-Id."}, {name: "object", schema: oneOf("request")}, {name: "method", schema: plainText}, {name: "path", schema: plainText}, {name: "query", schema: null(plainText)},
	{name: "operation", schema: plainText}, {name: "status", schema: plainInteger}, {name: "took_us", schema: plainInteger}, {name: "code", schema: null(plainText)}, {name: "param", schema: null(plainText)},
	{name: "key", schema: null(plainText)}, {name: "person", schema: null(plainText)}, {name: "address", schema: null(plainText)}, {name: "user_agent", schema: null(plainText)},
	{name: "idempotency_key", schema: null(plainText)}, {name: "replayed", schema: flagSchema}, {name: "target", schema: null(plainText), about: "The id of the object that the request named or made."},
	{name: "left_out", schema: plainInteger, about: "Requests before this one that were not written down, because there were too many at once."},
	{name: "request", schema: &schema{kind: kindAny}, optional: true, about: "One request alone: its body up to 8 KiB, secrets left out."}, {name: "response", schema: &schema{kind: kindAny}, optional: true},
	{name: "livemode", schema: flagSchema}, {name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime},
}}

// requestsScanned bounds the lines that the filters without an index look at
// per page; a cursor is answered then.
const requestsScanned = 5000

var requestRoutes = []*route{
	{method: "GET", path: "/v1/requests", id: "listRequests", tag: "requests", summary: "What was asked of the API, newest first", access: accessSecret, status: 200, answer: &schema{kind: kindList, item: requestAnswer},
		about: "Requests of keys, and the changes that people made. Kept for 30 days, at most 500,000 lines of the installation; beyond 100 lines a second, after the first 2,000, requests are left out and counted.",
		params: []param{limitParam, cursorParam,
			{name: "status", kind: paramList, max: 1, enum: []string{"2xx", "4xx", "5xx"}, about: "Only answers of this class."},
			{name: "method", kind: paramList, max: 5, enum: []string{"GET", "POST", "PUT", "DELETE"}, about: "Only these methods."},
			{name: "operation", kind: paramText, max: 64, about: "Only this operation."}, {name: "key", kind: paramID, prefix: "key", about: "Only requests of this key."},
			{name: "target", kind: paramText, max: 64, about: "Only requests that named or made this object."},
			{name: "path", kind: paramText, max: 255, about: "Only paths that begin so."}, {name: "address", kind: paramText, max: 64, about: "Only requests from this address."},
			{name: "idempotency_key", kind: paramText, max: 255, about: "Only requests with this Idempotency-Key."},
			createdParam, {name: "took_us", kind: paramAmounts, about: "Only answers that took so many microseconds: took_us[gte], [gt], [lte], [lt]."}},
		handler: listRequests},
	{method: "GET", path: "/v1/requests/{id}", id: "retrieveRequest", tag: "requests", summary: "One request with its bodies", access: accessSecret, status: 200, answer: requestAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			id, ok := giro.ParseUUID(c.path[0])
			if !ok {
				return missing("request")
			}
			c.s.flushRequests(c.ctx)
			rows, err := c.engine().Store.Requests(c.ctx, giro.RequestQuery{Book: c.book(), ID: id, Limit: 1})
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return missing("request")
			}
			var line requestLine
			if err := json.Unmarshal(rows[0].Data, &line); err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, appendRequest(nil, rows[0], &line, true))
			return nil
		}},
}

func listRequests(c *call) error {
	before, err := c.cursor()
	if err != nil {
		return err
	}
	c.s.flushRequests(c.ctx) // who asks sees what came before
	limit := c.query.integer("limit", listLimit)
	q := giro.RequestQuery{Book: c.book(), Before: before, Limit: 500}
	switch c.query.text("status") {
	case "2xx":
		q.From, q.To = 200, 299
	case "4xx":
		q.From, q.To = 400, 499
	case "5xx":
		q.From, q.To = 500, 599
	}
	if v := c.query.text("target"); v != "" {
		if q.Object = anyID(v); q.Object.IsZero() {
			return sendList(c, []int{}, func(b []byte, _ int) []byte { return b })
		}
	}
	if from, to, given := c.query.times("created"); given {
		// The id of a request carries the millisecond at which it came.
		if from > 0 {
			q.Since = giro.FirstUUID(giro.TimeOf(from))
		}
		if end := giro.FirstUUID(giro.TimeOf(max(to, 0)).Add(time.Millisecond)); to < 1<<62 && (before.IsZero() || slices.Compare(before[:], end[:]) > 0) {
			q.Before = end
		}
	}
	fits := c.lineFilter()
	if fits == nil {
		q.Limit = limit + 1
		fits = func(*requestLine) bool { return true }
	}
	b := append(c.buffer[:0], '[')
	sent, seen := 0, 0
	for more := true; more && sent < limit && seen < requestsScanned; {
		rows, err := c.engine().Store.Requests(c.ctx, q)
		if err != nil {
			return err
		}
		more = len(rows) == q.Limit
		for i, r := range rows {
			seen++
			q.Before = r.ID
			var line requestLine
			if err := json.Unmarshal(r.Data, &line); err != nil {
				return err
			}
			if !fits(&line) {
				continue
			}
			if sent > 0 {
				b = append(b, ',')
			}
			b = appendRequest(b, r, &line, false)
			if sent++; sent == limit {
				more = more || i < len(rows)-1
				break
			}
		}
		if !more {
			q.Before = giro.UUID{}
		}
	}
	if !q.Before.IsZero() {
		c.linkNext(q.Before)
	}
	c.buffer = append(b, ']')
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

// lineFilter is what of the query no index knows; nil: nothing.
func (c *call) lineFilter() func(*requestLine) bool {
	var tests []func(*requestLine) bool
	if methods := c.query.list("method"); len(methods) > 0 {
		tests = append(tests, func(l *requestLine) bool { return slices.Contains(methods, l.Method) })
	}
	if c.query.has("key") {
		key, _ := giro.ParseID("key", c.query.text("key"))
		tests = append(tests, func(l *requestLine) bool { return l.Key == key })
	}
	same := func(name string, of func(*requestLine) string) {
		if v := c.query.text(name); v != "" {
			tests = append(tests, func(l *requestLine) bool { return of(l) == v })
		}
	}
	same("operation", func(l *requestLine) string { return l.Operation })
	same("address", func(l *requestLine) string { return l.Address })
	same("idempotency_key", func(l *requestLine) string { return l.IdemKey })
	if v := c.query.text("path"); v != "" {
		tests = append(tests, func(l *requestLine) bool { return strings.HasPrefix(l.Path, v) })
	}
	if low, high, given := c.query.amounts("took_us"); given {
		tests = append(tests, func(l *requestLine) bool { return low <= l.TookUS && l.TookUS <= high })
	}
	return allOf(tests)
}

func appendRequest(b []byte, r *giro.RequestRow, line *requestLine, whole bool) []byte {
	a := appender{b: b}
	a.text("id", r.ID.String())
	a.text("object", "request")
	a.text("method", line.Method)
	a.text("path", line.Path)
	a.maybe("query", line.Query)
	a.text("operation", line.Operation)
	a.number("status", int64(r.Status))
	a.number("took_us", line.TookUS)
	a.maybe("code", line.Code)
	a.maybe("param", line.Param)
	a.maybe("key", idOrEmpty("key", line.Key))
	a.maybe("person", line.Person)
	a.maybe("address", line.Address)
	a.maybe("user_agent", line.Agent)
	a.maybe("idempotency_key", line.IdemKey)
	a.flag("replayed", line.Replayed)
	a.maybe("target", line.Target)
	a.number("left_out", line.LeftOut)
	if whole && len(line.Request) > 0 {
		a.raw("request", line.Request)
	}
	if whole && len(line.Response) > 0 {
		a.raw("response", line.Response)
	}
	a.flag("livemode", r.Book.Live())
	a.created(r.At)
	return a.close()
}
