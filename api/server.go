// Package api speaks HTTP: it authenticates, limits, reads and renders, and
// leaves every rule about money to package giro. One table of routes is the
// source of routing and of the OpenAPI document; the dialects share it.
package api

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"giro"
)

// The limits of a request.
const (
	bodyMax    = 1 << 20
	urlMax     = 16_000 // bytes of the request target
	headersMax = 16_000 // bytes of all header names and values
	tokenMax   = 4096   // bytes of a bearer token; real ones have under 100
)

// Caller is who a valid credential speaks for.
type Caller struct {
	Merchant    *giro.Merchant // nil for the admin token
	Live        bool
	Key         giro.UUID // the API key; zero for the admin token
	Publishable bool      // may create charges and read those that publishable keys made
	Admin       bool      // the installation's admin token
	Scopes      []string  // empty: everything of the merchant and mode
	Dialect     string    // of an OAuth access token: smartfastpay or jumppag

	In   *giro.SignedIn // of a session; nil: a program asks
	Duty giro.Duty      // of the person at Merchant; empty: Merchant is nil
}

// Config is what a Server needs. Now, NewID and Secret are required, and Engine
// or Authenticate.
type Config struct {
	Engine *giro.Engine

	// Admin reports whether a token is the installation's admin token; nil: there
	// is none. It compares in constant time.
	Admin func(token string) bool

	// Ready returns why requests should go elsewhere, or nil.
	Ready func() error

	Now   func() time.Time
	NewID func(at time.Time) giro.UUID
	Log   *slog.Logger // nil: nothing is logged

	// Webhooks checks and tests endpoints; nil: none can be made or changed.
	Webhooks *Webhooks

	// Secret is the installation's key; cursors are sealed with a key that is
	// derived from it.
	Secret []byte

	// Authenticate returns whom a bearer token speaks for; nil: the engine's
	// API keys and Admin. Its refusals are unauthenticated and key_revoked.
	Authenticate func(ctx context.Context, token string) (*Caller, error)

	Version string // shown at /

	// LastBackup returns when the store was last backed up, zero: never; nil: it
	// is not known here.
	LastBackup func() time.Time

	// Secure says that browsers reach this server over TLS though it does not
	// see that itself: the session's cookie is the one for TLS then.
	Secure bool

	// Hosts adds host names to those that choose a dialect: smartfastpay,
	// jumppag or v1.
	Hosts map[string]string

	// URL begins links to this server that leave it, such as checkout pages:
	// "https://pay.example.com". Empty: the host that the request names.
	URL string

	RequestsPerSecond int  // per credential; 0: unlimited
	Burst             int  // requests at once; at least RequestsPerSecond
	RequireKey        bool // POST and PUT need an Idempotency-Key
}

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	config    Config
	routes    *routeNode
	table     []*route
	dialect   dialectRoutes
	limiter   *limiter
	cursors   cursors
	turnstile turnstile
	calls     sync.Pool
	openAPI   []byte
	log       *slog.Logger

	streams  atomic.Int64
	patience time.Duration // with a stream's reader; tests have less
	requests requestLog
	tails    tails
	draining chan struct{} // closed when the server shuts down
	drain    sync.Once

	listeners listeners
}

// access says which credentials a route takes.
type access uint8

const (
	accessPublic      access = iota + 1 // none needed, none read
	accessPublishable                   // secret and publishable keys
	accessSecret                        // secret keys
	accessTest                          // secret test keys
	accessAdmin                         // the admin token
	accessEither                        // a secret key or the admin token
	accessSession                       // a person's session
)

// String says for people which credentials a route takes.
func (a access) String() string {
	switch a {
	case accessPublic:
		return "anyone"
	case accessPublishable:
		return "secret and publishable keys"
	case accessSecret:
		return "secret keys"
	case accessTest:
		return "secret test keys"
	case accessAdmin:
		return "the admin token"
	case accessEither:
		return "secret keys and the admin token"
	case accessSession:
		return "a person's session"
	}
	return ""
}

// route is one operation. The table of them is the only source of routing and
// of the OpenAPI document.
type route struct {
	method  string
	path    string   // "/v1/charges/{id}"
	aliases []string // other paths of the same operation, not shown in OpenAPI
	id      string   // operationId
	tag     string
	summary string
	about   string
	access  access
	body    *schema // nil: the route takes no body
	noKey   bool    // a POST or PUT that ignores Idempotency-Key
	sealed  bool    // its answer shows a secret: what is kept of it under a key is encrypted
	raw     bool    // the handler reads the body itself; body only describes it
	bare    bool    // a body may be missing: {} is meant
	params  []param
	status  int     // of success
	answer  *schema // of success; nil: no JSON
	media   string  // of success, where it is not JSON
	errors  []giro.Code
	handler func(c *call) error
}

// call is one request on its way through a handler.
type call struct {
	s     *Server
	r     *http.Request
	w     http.ResponseWriter
	ctx   context.Context
	route *route
	at    time.Time
	id    giro.UUID
	rid   string // Request-Id
	path  []string
	query query

	profile string // of the SmartFastPay dialect; empty: v1
	chosen  bool   // by the host or the mount, whatever the token says

	caller *Caller
	doc    document
	body   object
	key    string // Idempotency-Key; empty: none was sent
	print  fingerprint

	status  int
	written int
	wiped   int64 // µs, when its test book was wiped last, as the request found it
	err     error
	buffer  []byte // the answer; handlers append to it
	scratch []byte
	raw     []byte

	parsed   bool   // raw is this request's, and JSON
	answered []byte // the body of the answer, until the call is used again
}

// New returns a server of the routes of every part.
func New(config Config) (*Server, error) {
	if config.Now == nil || config.NewID == nil || config.Authenticate == nil && config.Engine == nil || len(config.Secret) < 16 {
		return nil, errors.New("api: Now, NewID, a Secret of at least 16 bytes and Engine or Authenticate are required")
	}
	key, err := hkdf.Key(sha256.New, config.Secret, nil, "giro api cursors", 32)
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, limiter: newLimiter(config.RequestsPerSecond, config.Burst), cursors: cursors{key}, log: config.Log, patience: streamWrite, draining: make(chan struct{}), turnstile: make(turnstile, refusing)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.config.Authenticate == nil {
		s.config.Authenticate = s.keyHolder
	}
	s.requests.traffic, s.requests.uses = giro.TrafficCells{}, map[giro.UUID]use{}
	s.requests.limiter = rate.NewLimiter(requestsRate, requestsBurst)
	s.calls.New = func() any { return &call{s: s} }
	if s.dialect, err = newDialectRoutes(config.Hosts); err != nil {
		return nil, err
	}
	return s, s.setRoutes(routes())
}

// routes is the table of every part.
func routes() []*route {
	return slices.Concat(movementRoutes(), bulkRoutes(), moneyRoutes, peopleRoutes, dashboardRoutes(), webhookRoutes, railRoutes, []*route{streamRoute}, sandboxRoutes, operationRoutes, healthRoutes, docRoutes, dialectSettings, []*route{dialectDocRoute}, checkoutRoutes)
}

// OpenAPI returns the document that a server answers at /openapi.json.
func OpenAPI() []byte { return openAPI(routes()) }

// SmartFastPayOpenAPI returns the document of the SmartFastPay dialect, which a
// server answers at /openapi/smartfastpay.json.
func SmartFastPayOpenAPI() []byte { return smartFastPayOpenAPI(smartFastPayRoutes()) }

// setRoutes builds the routing tree and the OpenAPI document.
func (s *Server) setRoutes(table []*route) error {
	s.table = table
	s.routes = newRouteNode()
	for _, r := range table {
		for _, path := range append([]string{r.path}, r.aliases...) {
			if err := s.routes.add(path, r); err != nil {
				return err
			}
		}
	}
	s.openAPI = openAPI(table)
	return nil
}

// HTTP returns an http.Server with limits fit for the open network. Config its
// address and, for HTTPS, its certificates. Its Shutdown ends open streams.
func (s *Server) HTTP() *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10, // beyond urlMax and headersMax, so that those get a problem document
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(func() { s.drain.Do(func() { close(s.draining) }) })
	return server
}

// Header values that never change are shared: assigning a slice costs nothing.
var (
	valueJSON    = []string{"application/json"}
	valueProblem = []string{"application/problem+json"}
	valueHTML    = []string{"text/html; charset=utf-8"}
	valueNosniff = []string{"nosniff"}
	valueNoStore = []string{"no-store"}
	valueNoRef   = []string{"no-referrer"}
	valuePolicy  = []string{"default-src 'none'; frame-ancestors 'none'"}
	valueClose   = []string{"close"}
	valueTrue    = []string{"true"}
	valueBearer  = []string{`Bearer realm="giro"`}
	valueHSTS    = []string{"max-age=31536000"}
)

// ServeHTTP answers one request: one function after another, in the order in
// which a request may be refused.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.calls.Get().(*call)
	c.r, c.w, c.ctx = r, w, r.Context()
	c.at = s.config.Now()
	c.id = s.config.NewID(c.at)
	c.rid = c.id.String()
	c.route, c.caller, c.body, c.key, c.err = nil, nil, object{}, "", nil
	c.profile, c.chosen = "", false
	c.status, c.written = 0, 0
	c.parsed, c.answered = false, nil
	c.path, c.buffer = c.path[:0], c.buffer[:0]
	c.query.names, c.query.values = c.query.names[:0], c.query.values[:0]
	started := time.Now()
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.Error("panic", "request_id", c.rid, "route", c.routeName(), "panic", p, "stack", string(debug.Stack()))
			c.err = errPanic
			if c.status == 0 {
				c.refuse(c.err)
			}
		}
		took := time.Since(started)
		s.logCall(c, took)
		s.keep(c, took)
		// What was grown by a large request is not kept.
		if cap(c.raw) <= 64<<10 && cap(c.buffer) <= 64<<10 && cap(c.doc.nodes) <= 4096 {
			c.r, c.w, c.ctx = nil, nil, nil
			s.calls.Put(c)
		}
	}()

	h := w.Header()
	h["Request-Id"] = []string{c.rid}
	h["X-Content-Type-Options"] = valueNosniff
	h["Cache-Control"] = valueNoStore
	h["Content-Security-Policy"] = valuePolicy
	h["Referrer-Policy"] = valueNoRef
	if r.TLS != nil {
		h["Strict-Transport-Security"] = valueHSTS
	}
	if err := c.serve(); err != nil {
		if c.status == 0 && c.found(err) {
			err = cmp.Or(c.whole(), err)
		}
		c.err = err
		if c.status == 0 {
			c.refuse(err)
		}
	}
}

var errPanic = errors.New("panic")

func (c *call) serve() error {
	tree, path := c.chooseDialect(c.r.URL.EscapedPath())
	if err := c.checkEnvelope(); err != nil {
		return err
	}
	if err := c.findRoute(tree, path); err != nil {
		return err
	}
	if err := findCardsAround(c.r); err != nil {
		return err
	}
	if c.route.access != accessPublic {
		if err := c.authenticate(); err != nil {
			return err
		}
	}
	if c.route.method == http.MethodGet {
		if err := c.whole(); err != nil {
			return err
		}
	}
	if e := c.engine(); e != nil && c.caller != nil && c.route.method != http.MethodGet {
		if err := c.s.turnstile.admit(e, c.caller.Merchant); err != nil {
			return err
		}
	}
	if c.profile != "" {
		return c.serveSmartFastPay()
	}
	if err := parseQuery(c.r.URL.RawQuery, c.route.params, &c.query); err != nil {
		return err
	}
	if err := c.placed(); err != nil {
		return err
	}
	if c.route.body != nil && !c.route.raw {
		if err := c.readBody(); err != nil {
			return err
		}
	}
	if m := c.route.method; (m == http.MethodPost || m == http.MethodPut) && !c.route.noKey {
		if err := c.readKey(); err != nil {
			return err
		}
	}
	return c.route.handler(c)
}

// whole refuses what a request would read of test data that is being wiped: what
// is left of it would be taken for all. Commands see to it themselves, in their
// commit; what they find before, and refuse by, is answered by this too.
func (c *call) whole() error {
	caller := c.caller
	if c.engine() == nil || caller == nil || caller.Merchant == nil || caller.Live || c.route.access == accessSession || c.route.id == "testData" {
		return nil
	}
	data, err := c.engine().TestData(c.ctx, c.book())
	if err == nil && data.Wiping != 0 {
		err = giro.ErrWiping
	}
	c.wiped = data.Wiped
	return err
}

// found reports whether a command was refused by what is in the book.
func (c *call) found(err error) bool {
	if c.route == nil || c.route.method == http.MethodGet || c.route.id == "wipeTestData" {
		return false
	}
	switch statusOf(giro.AsError(err)) {
	case http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// checkEnvelope refuses what is too large or malformed outside the body.
func (c *call) checkEnvelope() error {
	if len(c.r.RequestURI) >= urlMax || len(c.r.URL.Path)+len(c.r.URL.RawQuery) >= urlMax {
		return giro.Refuse(giro.CodeURITooLong, "", "the URL must have fewer than 16,000 bytes")
	}
	size := 0
	for name, values := range c.r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size > headersMax {
		return giro.Refuse(giro.CodeHeadersTooLarge, "", "the headers must have at most 16,000 bytes together")
	}
	if len(c.r.Header["X-Request-Id"]) > 0 {
		for _, v := range c.r.Header["X-Request-Id"] {
			if len(v) > 255 || !visible(v) {
				return giro.Refuse(giro.CodeInvalidHeader, "X-Request-Id", "must have at most 255 visible ASCII characters")
			}
		}
	}
	return nil
}

// visible reports whether s is printable ASCII.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// findRoute looks the exact path up among the routes of its dialect. Nothing is
// cleaned, redirected or overridden: what is not the path of a route is no
// route.
func (c *call) findRoute(tree *routeNode, path string) error {
	methods, values, err := tree.find(path, c.path[:0])
	c.path = values
	if err != nil {
		return err
	}
	if methods == nil {
		return giro.Refuse(giro.CodeRouteUnknown, "", "there is no such route; the routes stand at /docs")
	}
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, r := range methods {
		if r.method == method {
			c.route = r
			return nil
		}
	}
	c.w.Header()["Allow"] = []string{allow(methods)}
	return giro.Refuse(giro.CodeMethodNotAllowed, "", "this route has the methods "+allow(methods))
}

// allow lists methods for the Allow header.
func allow(methods []*route) string {
	var names []string
	for _, r := range methods {
		names = append(names, r.method)
		if r.method == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// bearer returns the token of the Authorization header.
func bearer(h http.Header) (string, error) {
	refuse := func(message string) (string, error) {
		return "", giro.Refuse(giro.CodeUnauthenticated, "Authorization", message)
	}
	values := h["Authorization"]
	switch {
	case len(values) == 0:
		return refuse("send Authorization: Bearer with an API key or an access token")
	case len(values) > 1:
		return refuse("the header stands more than once")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return refuse("the scheme must be Bearer")
	}
	token = strings.Trim(token, " ")
	if token == "" || len(token) > tokenMax {
		return refuse("the token is missing or too long")
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return refuse("the header must hold one token of visible ASCII characters")
		}
	}
	return token, nil
}

// authenticate finds out who asks, whether that is too often, and whether the
// route is theirs. It runs before the body is read.
func (c *call) authenticate() error {
	var err error
	if c.caller, err = c.identify(); err != nil {
		if giro.Is(err, giro.CodeUnauthenticated) || giro.Is(err, giro.CodeKeyRevoked) {
			c.w.Header()["Www-Authenticate"] = valueBearer
		}
		return err
	}
	if after, ok := c.s.limiter.allow(c.caller.credential(), c.at, c.w.Header()); !ok {
		return &giro.Error{Code: giro.CodeRateLimited, Message: "this credential has used up its requests", RetryAfter: after}
	}
	if c.profile != "" && !c.chosen && c.caller.Dialect != "" {
		c.profile = c.caller.Dialect
	}
	if c.profile == "" && c.caller.Dialect != "" {
		return giro.Refuse(giro.CodeForbidden, "Authorization", "an access token speaks the SmartFastPay dialect; this route needs an API key")
	}
	return c.caller.may(c.route)
}

// identify returns whom the request's credential speaks for now.
func (c *call) identify() (*Caller, error) {
	if session := c.sessionToken(); session != "" && len(c.r.Header["Authorization"]) == 0 && c.profile == "" {
		return c.sessionHolder(session)
	}
	token, err := bearer(c.r.Header)
	if err != nil {
		return nil, err
	}
	return c.s.config.Authenticate(c.ctx, token)
}

// still reports whether a request that takes long would still be let in: its key
// is good, its session open, and its person may what it does.
func (c *call) still() bool {
	now, err := c.identify()
	if err == nil {
		err = now.may(c.route)
	}
	if err != nil {
		switch giro.AsError(err).Code {
		case giro.CodeUnauthenticated, giro.CodeKeyRevoked, giro.CodeForbidden:
			return false
		}
		return true // nobody knows just now: the database is away
	}
	return now.book() == c.book()
}

// keyHolder is the usual Authenticate: API keys, and the admin token.
func (s *Server) keyHolder(ctx context.Context, token string) (*Caller, error) {
	if s.config.Admin != nil && s.config.Admin(token) {
		return &Caller{Admin: true}, nil
	}
	if strings.HasPrefix(token, giro.AccessTokenPrefix) {
		client, merchant, profile, err := s.config.Engine.AccessToken(ctx, token)
		if err != nil {
			return nil, err
		}
		return &Caller{Merchant: merchant, Live: client.Live, Key: client.ID, Dialect: profile}, nil
	}
	key, merchant, err := s.config.Engine.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	return &Caller{Merchant: merchant, Live: key.Live, Key: key.ID, Publishable: key.Publishable, Scopes: key.Scopes}, nil
}

// may refuses a route that the credential is not for.
func (caller *Caller) may(r *route) error {
	forbid := func(message string) error { return giro.Refuse(giro.CodeForbidden, "Authorization", message) }
	if caller.In != nil {
		return caller.personMay(r)
	}
	if r.access == accessSession {
		return forbid("this route belongs to a signed-in person")
	}
	if caller.Admin {
		if r.access == accessAdmin || r.access == accessEither {
			return nil
		}
		return forbid("this route works on one merchant's objects and needs an API key")
	}
	switch {
	case r.access == accessAdmin:
		return forbid("this route needs the installation's admin token")
	case caller.Publishable && r.access != accessPublishable:
		return forbid("this route needs a secret key")
	case r.access == accessTest && caller.Live:
		return giro.Refuse(giro.CodeTestModeOnly, "Authorization", "this route needs a test key")
	}
	if len(caller.Scopes) > 0 && !slices.Contains(caller.Scopes, r.scope()) && !slices.Contains(caller.Scopes, r.group()) {
		return forbid("this key needs the scope " + r.scope())
	}
	return nil
}

// scope returns the scope that a restricted key needs for the route:
// "payouts:read" or "payouts:write"; the tag alone stands for both.
func (r *route) scope() string {
	if r.method == http.MethodGet {
		return r.group() + ":read"
	}
	return r.group() + ":write"
}

// group is what scopes call the route's objects: on every dialect by v1's word.
func (r *route) group() string {
	switch r.tag {
	case "payments", "transactions", "documents":
		return "charges"
	case "webhooks":
		return "webhook_endpoints"
	}
	return r.tag
}

// readBody reads, parses and checks the body. It refuses by the headers alone
// where it can.
func (c *call) readBody() error {
	h := c.r.Header
	if len(h["Content-Encoding"]) > 0 && !strings.EqualFold(h.Get("Content-Encoding"), "identity") {
		return giro.Refuse(giro.CodeUnsupportedCoding, "Content-Encoding", "send the body without compression")
	}
	if c.r.ContentLength > bodyMax {
		return c.tooLarge()
	}
	typed := len(h["Content-Type"]) == 1 && isJSON(h["Content-Type"][0])
	// Where the body may be missing its type may be too: what comes decides, as a
	// sender may announce a body (chunked) and send none.
	if !typed && (!c.route.bare || len(h["Content-Type"]) > 0) {
		return giro.Refuse(giro.CodeUnsupportedMedia, "Content-Type", "send the body as application/json in UTF-8")
	}
	if err := c.readAll(); err != nil {
		return err
	}
	if len(c.raw) == 0 && c.route.bare {
		c.raw = append(c.raw, "{}"...)
	} else if !typed {
		return giro.Refuse(giro.CodeUnsupportedMedia, "Content-Type", "send the body as application/json in UTF-8")
	}
	if err := c.doc.parse(c.raw); err != nil {
		return err
	}
	c.parsed = true
	var err error
	c.body, err = c.route.body.decode(&c.doc)
	return err
}

func (c *call) tooLarge() error {
	// What is left of the body is not read: the connection ends with the answer.
	c.w.Header()["Connection"] = valueClose
	return giro.Refuse(giro.CodeBodyTooLarge, "", "the body must have at most 1 MiB")
}

// readAll reads the body into c.raw.
func (c *call) readAll() error {
	c.raw = c.raw[:0]
	if c.r.Body == nil {
		return nil
	}
	if n := int(c.r.ContentLength); n > 0 {
		c.raw = slices.Grow(c.raw, n+1)
	} else {
		c.raw = slices.Grow(c.raw, 4096)
	}
	for {
		if len(c.raw) == cap(c.raw) {
			c.raw = slices.Grow(c.raw, len(c.raw))
		}
		n, err := c.r.Body.Read(c.raw[len(c.raw):cap(c.raw)])
		c.raw = c.raw[:len(c.raw)+n]
		if len(c.raw) > bodyMax {
			return c.tooLarge()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &giro.Error{Code: giro.CodeInvalidJSON, Message: "the body ended before it was complete", Err: err}
		}
	}
}

// isJSON reports whether a Content-Type is JSON in UTF-8.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, rest, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return false
	}
	for p := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "charset") && !strings.EqualFold(strings.Trim(value, `"`), "utf-8") {
			return false
		}
	}
	return true
}

// readKey reads the Idempotency-Key and makes the request's fingerprint.
func (c *call) readKey() error {
	var err error
	if c.key, err = idempotencyKey(c.r.Header); err != nil {
		return err
	}
	if c.key == "" {
		// Asked of programs, which send again by themselves: a person looks first.
		person := c.caller != nil && c.caller.In != nil
		if !person && (c.s.config.RequireKey || c.caller != nil && c.caller.Merchant != nil && c.caller.Merchant.RequireIdempotencyKey) {
			return giro.Refuse(giro.CodeKeyRequired, "Idempotency-Key", "this merchant requires an Idempotency-Key on every POST and PUT")
		}
		return nil
	}
	if c.route.body == nil {
		c.doc.nodes = c.doc.nodes[:0]
	}
	c.print, c.scratch = c.doc.fingerprint(c.route.method, c.canonicalPath(), c.scratch)
	return nil
}

// canonicalPath returns the route's own path with the values in it, so that a
// path and its alias are the same request.
func (c *call) canonicalPath() string {
	if len(c.path) == 0 {
		return c.route.path
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(c.route.path[1:], "/") {
		b.WriteByte('/')
		if part[0] == '{' {
			part = url.PathEscape(c.path[n])
			n++
		}
		b.WriteString(part)
	}
	return b.String()
}

// shortAnswer is how many bytes of an answer net/http holds back until its
// handler ends, and then says itself how long it is.
const shortAnswer = 2000

// send writes an answer; body is not kept.
func (c *call) send(status int, contentType []string, body []byte) {
	h := c.w.Header()
	h["Content-Type"] = contentType
	// One header less, and those of a payment fit into the smallest of Go's maps.
	if len(body) > shortAnswer || c.r.Method == http.MethodHead {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	c.status, c.answered = status, body
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		c.written, _ = c.w.Write(body) // a reader that has gone away is not our fault
	}
}

// sendJSON writes a JSON answer. The QR codes in it are drawn for the caller alone.
func (c *call) sendJSON(status int, body []byte) {
	c.send(status, valueJSON, giro.WithQR(body))
	c.answered = body
}

// refuse renders an error in the dialect of the request.
func (c *call) refuse(err error) {
	e := giro.AsError(err)
	if c.profile != "" {
		c.refuseSmartFastPay(e)
		return
	}
	if after := retryAfter(e); after != "" {
		c.w.Header()["Retry-After"] = []string{after}
	}
	c.buffer = appendProblem(c.buffer[:0], e, c.rid)
	c.send(statusOf(e), valueProblem, c.buffer)
}

func (c *call) routeName() string {
	if c.route == nil {
		return ""
	}
	return c.route.path
}

// logCall writes the one log line of a request. Paths of unknown routes, query
// strings, bodies and credentials never reach it.
func (s *Server) logCall(c *call, took time.Duration) {
	level := slog.LevelInfo
	if c.status >= 500 {
		level = slog.LevelError
	}
	if !s.log.Enabled(c.ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("request_id", c.rid), slog.String("method", shorten(c.r.Method)),
		slog.String("route", c.routeName()), slog.Int("status", c.status), slog.Int64("took_us", took.Microseconds()), slog.Int("bytes", c.written))
	if c.caller != nil {
		if c.caller.In != nil {
			attrs = append(attrs, slog.String("person", c.caller.In.Person.ID.ID("per")))
		}
		if c.caller.Merchant != nil {
			attrs = append(attrs, slog.String("merchant", c.caller.Merchant.ID.ID("mer")), slog.Bool("live", c.caller.Live), slog.String("key", c.caller.Key.ID("key")))
		} else {
			attrs = append(attrs, slog.Bool("admin", true))
		}
	}
	if c.err != nil {
		e := giro.AsError(c.err)
		attrs = append(attrs, slog.String("code", string(e.Code)), slog.String("param", e.Param))
		if e.Err != nil && c.err != errPanic {
			attrs = append(attrs, slog.String("cause", e.Err.Error()))
		}
	}
	if v := c.r.Header.Get("X-Request-Id"); v != "" && len(v) <= 255 && visible(v) && !hasCardNumber(v) {
		attrs = append(attrs, slog.String("x_request_id", v))
	}
	s.log.LogAttrs(c.ctx, level, "request", attrs...)
}

// routeNode is a segment of the routing tree.
type routeNode struct {
	static  map[string]*routeNode
	param   *routeNode
	methods []*route
}

func newRouteNode() *routeNode { return &routeNode{static: map[string]*routeNode{}} }

func (n *routeNode) add(path string, r *route) error {
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if strings.HasPrefix(part, "{") {
			if n.param == nil {
				n.param = newRouteNode()
			}
			n = n.param
			continue
		}
		next := n.static[part]
		if next == nil {
			next = newRouteNode()
			n.static[part] = next
		}
		n = next
	}
	for _, other := range n.methods {
		if other.method == r.method {
			return errors.New("api: two routes for " + r.method + " " + path)
		}
	}
	n.methods = append(n.methods, r)
	return nil
}

// find returns the routes of an escaped path and the values in it. Static
// segments are compared as sent: an escaped letter is another path.
func (n *routeNode) find(path string, values []string) ([]*route, []string, error) {
	if path == "" || path[0] != '/' {
		return nil, values, nil
	}
	for rest, more := path[1:], true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if next := n.static[part]; next != nil {
			n = next
			continue
		}
		if n.param == nil || part == "" {
			return nil, values, nil
		}
		n = n.param
		if strings.IndexByte(part, '%') >= 0 {
			v, err := url.PathUnescape(part)
			if err != nil || strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) >= 0 {
				return nil, values, giro.Refuse(giro.CodeInvalidID, "path", "the path holds characters that no id has")
			}
			part = v
		}
		values = append(values, part)
	}
	if len(n.methods) == 0 {
		return nil, values, nil
	}
	return n.methods, values, nil
}
