package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"giro"
	"giro/bank"
	"giro/money"
)

// The SmartFastPay dialect: other bodies, names and answers for the movements of
// v1. It has two profiles, which differ in how amounts are written and in the
// name of the signature header.
const (
	smartFastPay = "smartfastpay"
	jumpPag      = "jumppag"
	dialectV1    = "v1"
)

// dialectHosts are the names under which clients know the APIs that giro
// stands in for.
var dialectHosts = map[string]string{
	"sandbox.smartfastpay.com": smartFastPay, "api.smartfastpay.com": smartFastPay,
	"sandbox-colombia.smartfastpay.com": smartFastPay, "api-colombia.smartfastpay.com": smartFastPay,
	"api-uat.jumppag.com": jumpPag, "uat-api.jumppag.com": jumpPag, "api.jumppag.com": jumpPag,
	"api.cari.finance": dialectV1,
}

// dialectMounts are the first segments of paths that choose a dialect.
var dialectMounts = map[string]string{smartFastPay: smartFastPay, jumpPag: jumpPag, "cari": dialectV1}

// dialectRoutes is what the server keeps for the dialect.
type dialectRoutes struct {
	routes  *routeNode
	table   []*route
	hosts   map[string]string
	openAPI []byte
}

func newDialectRoutes(hosts map[string]string) (d dialectRoutes, err error) {
	d.hosts = map[string]string{}
	for name, dialect := range dialectHosts {
		d.hosts[name] = dialect
	}
	for name, dialect := range hosts {
		d.hosts[strings.ToLower(name)] = dialect
	}
	d.table = smartFastPayRoutes()
	d.routes = newRouteNode()
	for _, r := range d.table {
		for _, path := range append([]string{r.path}, r.aliases...) {
			if err := d.routes.add(path, r); err != nil {
				return d, err
			}
		}
	}
	d.openAPI = smartFastPayOpenAPI(d.table)
	return d, nil
}

// chooseDialect returns the routes that answer a path, and the path in them:
// by a mount, by the host, else by the path and the credential. Only where both
// dialects have a route does the credential decide.
func (c *call) chooseDialect(path string) (*routeNode, string) {
	d := &c.s.dialect
	first, rest, _ := strings.Cut(path[min(1, len(path)):], "/")
	if name := dialectMounts[first]; name != "" {
		if name == dialectV1 {
			return c.s.routes, "/" + rest
		}
		c.profile, c.chosen = name, true
		return d.routes, "/" + rest
	}
	ours, _, _ := d.routes.find(path, nil)
	host := strings.ToLower(c.r.Host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	switch name := d.hosts[host]; name {
	case "":
	case dialectV1:
		return c.s.routes, path
	default:
		if ours == nil {
			// Health, docs and the like answer under every name.
			if v1, _, _ := c.s.routes.find(path, nil); len(v1) > 0 && v1[0].access == accessPublic {
				return c.s.routes, path
			}
		}
		c.profile, c.chosen = name, true
		return d.routes, path
	}
	token := strings.HasPrefix(c.r.Header.Get("Authorization"), "Bearer "+giro.AccessTokenPrefix)
	if ours == nil && !token {
		return c.s.routes, path
	}
	v1, _, _ := c.s.routes.find(path, nil)
	switch {
	case ours == nil && v1 != nil,
		ours != nil && !token && takes(v1, c.r.Method),
		ours != nil && v1 != nil && !takes(ours, c.r.Method):
		return c.s.routes, path
	}
	c.profile = smartFastPay
	return d.routes, path
}

// takes reports whether one of the routes has the method.
func takes(routes []*route, method string) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return slices.ContainsFunc(routes, func(r *route) bool { return r.method == method })
}

// serveSmartFastPay reads query and body as generously as the dialect's clients
// need, and runs the handler.
func (c *call) serveSmartFastPay() error {
	if err := c.readQuery(); err != nil {
		return err
	}
	if c.route.body != nil {
		if len(c.r.Header["Content-Encoding"]) > 0 && !strings.EqualFold(c.r.Header.Get("Content-Encoding"), "identity") {
			return giro.Refuse(giro.CodeUnsupportedCoding, "Content-Encoding", "send the body without compression")
		}
		if c.r.ContentLength > bodyMax {
			return c.tooLarge()
		}
		if err := c.readAll(); err != nil {
			return err
		}
		if err := c.doc.parse(c.raw); err != nil {
			return err
		}
		if err := c.route.body.findCards(&c.doc, 0); err != nil {
			return err
		}
		c.body = c.doc.root()
	}
	return c.route.handler(c)
}

// readQuery keeps every parameter; of one that stands twice, the last.
func (c *call) readQuery() error {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return giro.Refuse(giro.CodeInvalidParameter, "query", "the query string is not correctly encoded")
	}
	for name, v := range values {
		c.query.names = append(c.query.names, name)
		c.query.values = append(c.query.values, v[len(v)-1])
	}
	return nil
}

// sendData sends the envelope around a JSON value.
func (c *call) sendData(data []byte) error {
	b := append(c.buffer[:0], `{"requestId":"`...)
	b = append(append(b, c.rid...), `","data":`...)
	c.buffer = append(append(b, data...), '}')
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

// smartFastPayStatus is the dialect's word for a refusal, with its status. A
// request that could not be taken is 429 and not 503: clients of this dialect
// post blindly again on 502, 503 and 504.
func smartFastPayStatus(e *giro.Error) (code string, status int) {
	switch statusOf(e) {
	case http.StatusUnauthorized:
		return "UNAUTHORIZED", 401
	case http.StatusForbidden:
		return "FORBIDDEN", 403
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "NOT_FOUND", 404
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "CONFLICT", 409
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "TOO_MANY_REQUESTS", 429
	case http.StatusInternalServerError:
		return "INTERNAL_ERROR", 500
	}
	return "INVALID_REQUEST", 400
}

// refuseSmartFastPay renders an error. It has no member data, not even null:
// clients take its presence for success.
func (c *call) refuseSmartFastPay(e *giro.Error) {
	code, status := smartFastPayStatus(e)
	if after := retryAfter(e); after != "" {
		c.w.Header()["Retry-After"] = []string{after}
	}
	b := append(c.buffer[:0], `{"requestId":"`...)
	b = append(append(b, c.rid...), `","moreInformation":[`...)
	a := appender{b: b}
	a.text("code", code)
	a.text("message", e.Message)
	if field := strings.ReplaceAll(strings.TrimPrefix(e.Param, "/"), "/", "."); field != "" && field != "Authorization" && field != "path" {
		a.text("field", field)
	}
	c.buffer = append(a.close(), ']', '}')
	c.send(status, valueJSON, c.buffer)
}

// issueToken answers clients as they call: the credentials in Authorization:
// Basic, or in a form or JSON body; any Content-Type, and a body or none.
func issueToken(c *call) error {
	id, secret, basic := c.r.BasicAuth()
	if !basic {
		if err := c.readAll(); err != nil {
			return err
		}
		if c.doc.parse(c.raw) == nil {
			body := c.doc.root()
			id, secret = body.text("client_id"), body.text("client_secret")
		} else if form, err := url.ParseQuery(string(c.raw)); err == nil {
			id, secret = form.Get("client_id"), form.Get("client_secret")
		}
	}
	profile := ""
	if c.chosen {
		profile = c.profile
	}
	token, client, err := c.engine().IssueToken(c.ctx, id, secret, profile)
	if err != nil {
		if giro.Is(err, giro.CodeUnauthenticated) {
			c.w.Header()["Www-Authenticate"] = valueBasic
		}
		return err
	}
	if after, ok := c.s.limiter.allow(client.ID, c.at, c.w.Header()); !ok {
		return &giro.Error{Code: giro.CodeRateLimited, Message: "this client has used up its requests", RetryAfter: after}
	}
	var a appender
	a.text("access_token", token)
	a.text("token_type", "Bearer")
	a.number("expires_in", int64(giro.AccessTokenLife.Seconds()))
	return c.sendData(a.close())
}

var valueBasic = []string{`Basic realm="giro"`}

// documentTypes lists what the checks of documents know.
func documentTypes(c *call) error {
	country := c.query.text("country")
	if country == "" && c.profile == jumpPag {
		country = "BRA" // the only one of that profile
	}
	known, err := bank.ParseCountry(country)
	if err != nil {
		return giro.Refuse(giro.CodeInvalidParameter, "country", "country is required: three letters of ISO 3166, such as BRA")
	}
	return c.sendData(appendList(nil, bank.DocumentTypes(known.Alpha3), func(b []byte, t bank.DocumentType) []byte {
		a := appender{b: b}
		a.text("id", itoa(int64(t.ID)))
		a.text("abbreviation", t.Abbreviation)
		a.text("name", t.Name)
		a.text("country", t.Country)
		a.maybe("regex_validation", t.Pattern)
		return a.close()
	}))
}

// webhookSecret answers what signs the notifications.
func webhookSecret(c *call) error {
	var a appender
	a.text("secret", c.engine().Secret.NotifySecret(c.book()))
	return c.sendData(a.close())
}

// smartFastPayBalance lists what is available, per currency.
func smartFastPayBalance(c *call) error {
	accounts, _, err := c.engine().Store.Accounts(c.ctx, giro.AccountQuery{Book: c.book(), Roles: []giro.Role{giro.RoleAvailable}})
	if err != nil {
		return err
	}
	var only money.Currency
	wire := ""
	if v := c.query.text("currency"); v != "" {
		if only, wire, err = parseDialectCurrency(v, "currency"); err != nil {
			return err
		}
	}
	b := []byte{'['}
	add := func(currency money.Currency, wire string, balance int64) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		a := appender{b: b}
		a.text("currency", wire)
		a.raw("balance", []byte(money.FormatScale(balance, currency, 2)))
		b = a.close()
	}
	slices.SortFunc(accounts, func(x, y *giro.Account) int { return strings.Compare(string(x.Currency), string(y.Currency)) })
	for _, a := range accounts {
		switch {
		case only == "":
			add(a.Currency, string(a.Currency), a.Balance)
		case only == a.Currency:
			add(a.Currency, wire, a.Balance)
		}
	}
	if only != "" && len(b) == 1 {
		add(only, wire, 0)
	}
	return c.sendData(append(b, ']'))
}

// parseDialectCurrency reads a currency; wire is how the caller wrote it. COL, a
// country's code that the published examples use, is Colombian pesos here.
func parseDialectCurrency(v, param string) (currency money.Currency, wire string, err error) {
	wire = strings.ToUpper(strings.TrimSpace(v))
	if wire == "COL" {
		return "COP", wire, nil
	}
	if currency, err = money.ParseCurrency(wire); err != nil {
		return "", "", giro.Refuse(giro.CodeCurrencyUnknown, param, "must be a currency of ISO 4217, such as BRL")
	}
	return currency, wire, nil
}
