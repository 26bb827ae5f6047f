package api

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"giro"
)

// A person's session is a credential of v1: the cookie says who, Giro-Merchant
// and Giro-Mode say where. Where a browser cannot send headers (EventSource,
// downloads) the parameters of placeParams stand for them.
var placeParams = []param{
	{name: "giro_merchant", kind: paramID, prefix: "mer", about: "In place of Giro-Merchant, with a session alone."},
	{name: "giro_mode", kind: paramList, max: 1, enum: []string{"test", "live"}, about: "In place of Giro-Mode, with a session alone."},
}

// placed refuses placeParams beside a key, which says itself where it works.
func (c *call) placed() error {
	if c.caller != nil && c.caller.In == nil && (c.query.has("giro_merchant") || c.query.has("giro_mode")) {
		return giro.Refuse(giro.CodeInvalidParameter, "giro_merchant", "the key says at which merchant and in which mode it works")
	}
	return nil
}

// sessionToken returns the session of the request's cookie. Over TLS only the
// cookie that no plain connection can have set counts.
func (c *call) sessionToken() string {
	name := giro.SessionCookie
	if c.secure() {
		name = giro.SecureSessionCookie
	}
	cookie, err := c.r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (c *call) secure() bool { return c.r.TLS != nil || c.s.config.Secure }

// peer returns the address of who is connected, without its port.
func (c *call) peer() string { return host(c.r.RemoteAddr) }

// host returns an address without its port.
func host(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

func (c *call) from() giro.From { return giro.From{Address: c.peer(), Agent: c.r.UserAgent()} }

// fromHere refuses a request that a page of another host made a browser send.
func (c *call) fromHere() error {
	h := c.r.Header
	if !giro.SameOrigin(c.r.Host, h.Get("Origin"), h.Get("Sec-Fetch-Site")) {
		return giro.Refuse(giro.CodeCSRF, "Origin", "a change with the session's cookie must come from a page of this host; programs use an API key")
	}
	return nil
}

// sessionHolder is who the session speaks for, at the merchant and in the mode
// that the request names.
func (c *call) sessionHolder(token string) (*Caller, error) {
	if c.engine() == nil {
		return nil, giro.Refuse(giro.CodeUnauthenticated, "Cookie", "there are no sessions here")
	}
	of := c.engine().SessionOf
	if c.caller != nil { // the request was let in before, and goes on
		of = c.engine().SessionStill
	}
	in, err := of(c.ctx, token)
	if err != nil {
		return nil, err
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		if err := c.fromHere(); err != nil {
			return nil, err
		}
	}
	caller := &Caller{In: in}
	merchant, mode := c.r.Header.Get("Giro-Merchant"), c.r.Header.Get("Giro-Mode")
	if slices.ContainsFunc(c.route.params, func(p param) bool { return p.name == "giro_merchant" }) {
		if q, err := url.ParseQuery(c.r.URL.RawQuery); err == nil {
			if v := q.Get("giro_merchant"); v != "" {
				merchant = v
			}
			if v := q.Get("giro_mode"); v != "" {
				mode = v
			}
		}
	}
	switch mode {
	case "", "test":
	case "live":
		caller.Live = true
	default:
		return nil, giro.Refuse(giro.CodeInvalidHeader, "Giro-Mode", "must be test or live")
	}
	var at *giro.Member
	if merchant == "" {
		if len(in.Members) == 1 {
			at = in.Members[0]
		}
	} else {
		id, ok := giro.ParseID("mer", merchant)
		for _, m := range in.Members {
			if ok && m.Merchant == id {
				at = m
			}
		}
		if at == nil {
			return nil, giro.Refuse(giro.CodeForbidden, "Giro-Merchant", "you have no place at such a merchant")
		}
	}
	if at == nil {
		return caller, nil
	}
	caller.Duty = at.Duty
	caller.Merchant, err = c.engine().Merchant(c.ctx, at.Number)
	return caller, err
}

// credential is what the rate limit counts by.
func (caller *Caller) credential() giro.UUID {
	if caller.In != nil {
		return caller.In.Session.ID
	}
	return caller.Key
}

// personMay refuses a route that the person's role does not open. What no
// policy names is closed.
func (caller *Caller) personMay(r *route) error {
	forbid := func(message string) error { return giro.Refuse(giro.CodeForbidden, "role", message) }
	switch {
	case r.policy() == giro.MayOwn && r.access == accessSession:
		return nil
	case r.policy() == "" || r.policy() == giro.MayNever || r.access == accessAdmin:
		return forbid("this route is not for people's sessions")
	case caller.Merchant == nil:
		return giro.Refuse(giro.CodeForbidden, "Giro-Merchant", "say with Giro-Merchant at which of your merchants")
	case r.access == accessTest && caller.Live:
		return giro.Refuse(giro.CodeTestModeOnly, "Giro-Mode", "this exists in test mode only")
	case !caller.Duty.May(r.policy(), caller.Live):
		in := ""
		if caller.Live && caller.Duty.May(r.policy(), false) {
			in = " in live mode"
		}
		return forbid("the role " + string(caller.Duty) + " does not have " + string(r.policy()) + in)
	}
	return nil
}

// act is what the audit log keeps of a person's request; nil: no person asks,
// or nothing is changed.
func (c *call) act() *giro.Act {
	if c.caller.In == nil || c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		return nil
	}
	p := c.caller.In.Person
	a := &giro.Act{Person: p.ID, Name: p.Name, Email: p.Email, Action: c.route.id, Address: c.peer(), RequestID: c.rid}
	// What was asked of a movement tells more than what is different at once:
	// the rail's answer comes later. Card tokens are nobody's to read.
	isMovement := slices.ContainsFunc(giro.Kinds, func(k giro.Kind) bool { return c.route.tag == k.Plural() })
	if isMovement && c.route.body != nil && len(c.raw) <= actBodyMax {
		var body map[string]json.RawMessage
		if json.Unmarshal(c.raw, &body) == nil && len(body) > 0 {
			delete(body, "card")
			if b, err := json.Marshal(body); err == nil {
				a.Request = b
			}
		}
	}
	return a
}

// actBodyMax bounds the request that a line of the audit log keeps.
const actBodyMax = 16 << 10

// setCookie hands the browser its session; an empty token takes it away.
func (c *call) setCookie(token string) {
	cookie := &http.Cookie{Name: giro.SessionCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 7 * 24 * 3600}
	if c.secure() {
		cookie.Name, cookie.Secure = giro.SecureSessionCookie, true
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.w, cookie)
}

// mayHoldCookie refuses a sign-in over a connection that others can read.
func (c *call) mayHoldCookie() error {
	if c.secure() || giro.Loopback(c.r.Host) {
		return nil
	}
	return giro.Refuse(giro.CodeForbidden, "Host", "people sign in over https, or on the machine itself; start giro behind TLS with --public-url https://…")
}

var passwordSchema = text(1, giro.PasswordMax)

var (
	signInBody = &schema{kind: kindObject, name: "SignIn", fields: []field{
		{name: "email", schema: emailSchema, required: true}, {name: "password", schema: passwordSchema, required: true},
	}}
	acceptBody = &schema{kind: kindObject, name: "Acceptance", fields: []field{
		{name: "token", schema: text(1, 200), required: true, about: "Of the link."},
		{name: "password", schema: passwordSchema, required: true, about: "A new one of at least 8 characters; of a person who joins another team, theirs."},
		{name: "name", schema: text(1, 255), about: "Of a person whom giro does not know yet."},
		{name: "email", schema: emailSchema, about: "Asked for by the first start's link alone."},
	}}
	passwordBody = &schema{kind: kindObject, name: "PasswordChange", fields: []field{
		{name: "old_password", schema: passwordSchema, required: true}, {name: "password", schema: passwordSchema, required: true},
	}}
	preferencesSchema = &schema{kind: kindMetadata, about: "What a person likes: locale, format, theme, time_zone, density, shortcuts, …; giro keeps them as they are.", example: map[string]any{"locale": "pt-BR", "theme": "dark"}}
	preferencesBody   = &schema{kind: kindObject, name: "PreferencesChange", fields: []field{
		{name: "preferences", schema: preferencesSchema, about: "Those named are set; an empty value takes one away."},
		{name: "name", schema: text(1, 255), about: "The person's own name."},
	}}

	permissionNames = func() []string {
		var names []string
		for _, p := range giro.Permissions {
			names = append(names, string(p))
		}
		return names
	}()
	dutyNames = func() []string {
		var names []string
		for _, d := range giro.Duties {
			names = append(names, string(d))
		}
		return names
	}()
	permissionList = &schema{kind: kindList, item: oneOf(permissionNames...)}

	sessionAnswer = &schema{kind: kindObject, name: "Session", fields: []field{
		{name: "id", schema: idOf("ses")}, {name: "object", schema: oneOf("session")},
		{name: "person", schema: &schema{kind: kindObject, name: "SessionPerson", fields: []field{
			{name: "id", schema: idOf("per")}, {name: "name", schema: plainText}, {name: "email", schema: plainText}, {name: "preferences", schema: preferencesSchema},
		}}},
		{name: "merchants", about: "Where the person has a place, the first one first.", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "SessionMerchant", fields: []field{
			{name: "id", schema: idOf("mer")}, {name: "name", schema: plainText}, {name: "currency", schema: null(plainText)}, {name: "role", schema: oneOf(dutyNames...)},
			{name: "modes", schema: &schema{kind: kindList, item: oneOf("test", "live")}},
			{name: "permissions", schema: &schema{kind: kindObject, name: "ModePermissions", fields: []field{{name: "test", schema: permissionList}, {name: "live", schema: permissionList}}}},
		}}}},
		{name: "merchant", schema: null(plainText), about: "The one that this request named with Giro-Merchant, or the only one."},
		{name: "role", schema: null(plainText), about: "At that merchant."},
		{name: "livemode", schema: flagSchema}, {name: "permissions", schema: permissionList, about: "At that merchant in this mode."},
		{name: "version", schema: plainText, about: "Of giro."},
		{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "expires_at", schema: plainText, about: "Used on, at the latest then."},
	}}
	sessionLine = &schema{kind: kindObject, name: "SessionLine", fields: []field{
		{name: "id", schema: idOf("ses")}, {name: "object", schema: oneOf("session")}, {name: "address", schema: null(plainText)}, {name: "user_agent", schema: null(plainText)},
		{name: "current", schema: flagSchema}, {name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "seen_at", schema: answerTime},
	}}
)

var sessionRoutes = []*route{
	{method: "POST", path: "/v1/session", id: "createSession", tag: "session", summary: "Sign in", access: accessPublic, body: signInBody, noKey: true, status: 201, answer: sessionAnswer,
		about:  "Sets the session's cookie. After a few failures each further attempt has to wait, twice as long each time.",
		errors: []giro.Code{giro.CodeUnauthenticated, giro.CodeCSRF, giro.CodeRateLimited, giro.CodeForbidden}, handler: func(c *call) error {
			if err := c.mayHoldCookie(); err != nil {
				return err
			}
			if err := c.notElsewhere(); err != nil {
				return err
			}
			in, token, err := c.engine().SignIn(c.ctx, c.body.text("email"), c.body.text("password"), c.from())
			if err != nil {
				return err
			}
			return c.begin(in, token)
		}},
	{method: "POST", path: "/v1/session/accept", id: "acceptInvitation", tag: "session", summary: "Follow a link: of the first start, an invitation or a password reset", access: accessPublic, body: acceptBody, noKey: true, status: 201, answer: sessionAnswer,
		about: "Uses the link up, sets the password and signs in.", errors: []giro.Code{giro.CodeLinkInvalid, giro.CodeUnauthenticated, giro.CodeCSRF, giro.CodeRateLimited, giro.CodeForbidden, giro.CodeMissingField}, handler: func(c *call) error {
			if err := c.mayHoldCookie(); err != nil {
				return err
			}
			if err := c.notElsewhere(); err != nil {
				return err
			}
			p, err := c.engine().Accept(c.ctx, giro.Acceptance{Token: c.body.text("token"), Email: c.body.text("email"), Name: c.body.text("name"), Password: c.body.text("password")}, c.from())
			if err != nil {
				return err
			}
			in, token, err := c.engine().Begin(c.ctx, p, c.from())
			if err != nil {
				return err
			}
			return c.begin(in, token)
		}},
	{method: "GET", path: "/v1/session", id: "retrieveSession", tag: "session", summary: "Who is signed in, and what they may do", access: accessSession, status: 200, answer: sessionAnswer,
		handler: func(c *call) error {
			b, err := c.appendSession(c.buffer[:0], c.caller)
			if err != nil {
				return err
			}
			c.buffer = b
			c.sendJSON(http.StatusOK, b)
			return nil
		}},
	{method: "DELETE", path: "/v1/session", id: "deleteSession", tag: "session", summary: "Sign out", access: accessSession, status: 200, answer: messageAnswer,
		handler: func(c *call) error {
			in := c.caller.In
			if err := c.engine().SignOut(c.ctx, nil, in.Person.ID, in.Session.ID); err != nil && !giro.Is(err, giro.CodeNotFound) {
				return err
			}
			c.setCookie("")
			c.w.Header()["Clear-Site-Data"] = []string{`"cache"`}
			c.sendJSON(http.StatusOK, []byte(`{"message":"Signed out"}`))
			return nil
		}},
	{method: "GET", path: "/v1/sessions", id: "listSessions", tag: "session", summary: "One's own sessions, newest first", access: accessSession, status: 200, answer: &schema{kind: kindList, item: sessionLine},
		handler: func(c *call) error {
			in := c.caller.In
			list, err := c.engine().Sessions(c.ctx, in.Person.ID)
			if err != nil {
				return err
			}
			return sendList(c, list, func(b []byte, s *giro.Session) []byte {
				a := appender{b: b}
				a.text("id", s.ID.ID("ses"))
				a.text("object", "session")
				a.maybe("address", s.Address)
				a.maybe("user_agent", s.Agent)
				a.flag("current", s.ID == in.Session.ID)
				a.created(s.Created)
				a.text("seen_at", giro.WireTime(giro.TimeOf(s.Seen)))
				return a.close()
			})
		}},
	{method: "DELETE", path: "/v1/sessions/{id}", id: "endSession", tag: "session", summary: "End one of one's own sessions", access: accessSession, status: 200, answer: messageAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			id, err := c.pathID("ses", "session")
			if err != nil {
				return err
			}
			if err := c.engine().SignOut(c.ctx, nil, c.caller.In.Person.ID, id); err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, []byte(`{"message":"Session ended"}`))
			return nil
		}},
	{method: "POST", path: "/v1/session/password", id: "changePassword", tag: "session", summary: "Change one's own password", access: accessSession, body: passwordBody, noKey: true, status: 200, answer: messageAnswer,
		about: "Ends every other session of the person.", errors: []giro.Code{giro.CodeInvalidValue, giro.CodeInvalidLength, giro.CodeRateLimited}, handler: func(c *call) error {
			if err := c.engine().ChangePassword(c.ctx, nil, c.caller.In, c.body.text("old_password"), c.body.text("password"), c.from()); err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, []byte(`{"message":"Password changed"}`))
			return nil
		}},
	{method: "PUT", path: "/v1/session/preferences", id: "updatePreferences", tag: "session", summary: "Change one's own preferences and name", access: accessSession, body: preferencesBody, status: 200, answer: sessionAnswer,
		errors: []giro.Code{giro.CodeNothingToUpdate, giro.CodeMetadataTooMany}, handler: func(c *call) error {
			if !c.body.has("preferences") && !c.body.has("name") {
				return giro.Refuse(giro.CodeNothingToUpdate, "", "send at least one field")
			}
			return c.command(func(v any) giro.Answer { return giro.Answer{Status: http.StatusOK, Body: v.([]byte)} }, func(g *giro.Call) (any, error) {
				return c.engine().Once(c.ctx, c.own(g), func(ctx context.Context, g *giro.Call) (any, error) {
					caller, in := *c.caller, *c.caller.In
					var err error
					if in.Person, err = c.engine().Prefer(ctx, nil, in.Person.ID, c.body.text("name"), c.body.metadata("preferences")); err != nil {
						return nil, err
					}
					caller.In = &in
					return c.appendSession(nil, &caller)
				})
			})
		}},
}

// own makes a call one of the person's own: its Idempotency-Key is theirs, at
// whichever merchant they are. No key of anybody else has a space in it.
func (c *call) own(g *giro.Call) *giro.Call {
	g.Merchant, g.Act = nil, nil
	if g.Idempotent != nil {
		g.Idempotent.Key = c.caller.In.Person.ID.ID("per") + " " + g.Idempotent.Key
	}
	return g
}

// notElsewhere refuses a sign-in that a page of another host made a browser
// send. Programs, which send neither header, may sign in.
func (c *call) notElsewhere() error {
	if h := c.r.Header; h.Get("Origin") == "" && h.Get("Sec-Fetch-Site") == "" {
		return nil
	}
	return c.fromHere()
}

// begin answers a sign-in with its cookie.
func (c *call) begin(in *giro.SignedIn, token string) error {
	if before := c.sessionToken(); before != "" {
		// The browser's old session ends: nobody shares the one that begins.
		if old, err := c.engine().SessionOf(c.ctx, before); err == nil {
			if err := c.engine().SignOut(c.ctx, nil, old.Person.ID, old.Session.ID); err != nil && !giro.Is(err, giro.CodeNotFound) {
				return err
			}
		}
	}
	c.setCookie(token)
	caller := &Caller{In: in}
	if len(in.Members) == 1 {
		var err error
		if caller.Merchant, err = c.engine().Merchant(c.ctx, in.Members[0].Number); err != nil {
			return err
		}
		caller.Duty = in.Members[0].Duty
	}
	b, err := c.appendSession(nil, caller)
	if err != nil {
		return err
	}
	c.w.Header()["Location"] = []string{"/v1/session"}
	c.sendJSON(http.StatusCreated, b)
	return nil
}

func (c *call) appendSession(b []byte, caller *Caller) ([]byte, error) {
	in := caller.In
	a := appender{b: b}
	a.text("id", in.Session.ID.ID("ses"))
	a.text("object", "session")
	var person appender
	person.text("id", in.Person.ID.ID("per"))
	person.text("name", in.Person.Name)
	person.text("email", in.Person.Email)
	person.key("preferences")
	person.b = appendMetadata(person.b, in.Person.Preferences)
	a.raw("person", person.close())
	a.key("merchants")
	a.b = append(a.b, '[')
	for i, m := range in.Members {
		merchant, err := c.engine().Merchant(c.ctx, m.Number)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			a.b = append(a.b, ',')
		}
		one := appender{b: a.b}
		one.text("id", m.Merchant.ID("mer"))
		one.text("name", merchant.Name)
		one.maybe("currency", strings.ToLower(merchant.Currency))
		one.text("role", string(m.Duty))
		one.raw("modes", []byte(`["test","live"]`))
		one.key("permissions")
		both := appender{b: one.b}
		both.key("test")
		both.b = appendPermissions(both.b, m.Duty, false)
		both.key("live")
		both.b = appendPermissions(both.b, m.Duty, true)
		one.b = both.close()
		a.b = one.close()
	}
	a.b = append(a.b, ']')
	if caller.Merchant != nil {
		a.text("merchant", caller.Merchant.ID.ID("mer"))
	} else {
		a.maybe("merchant", "")
	}
	a.maybe("role", string(caller.Duty))
	a.flag("livemode", caller.Live)
	a.key("permissions")
	a.b = appendPermissions(a.b, caller.Duty, caller.Live)
	a.text("version", c.s.config.Version)
	a.created(in.Session.Created)
	a.text("expires_at", instant(in.Session.Expires()))
	return a.close(), nil
}

func appendPermissions(b []byte, d giro.Duty, live bool) []byte {
	own := slices.DeleteFunc(slices.Clone(giro.Permissions), func(p giro.Permission) bool {
		return d == "" && p != giro.MayOwn || d != "" && !d.May(p, live)
	})
	return appendList(b, own, func(b []byte, p giro.Permission) []byte { return appendString(b, string(p)) })
}
