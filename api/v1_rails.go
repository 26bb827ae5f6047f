package api

import (
	"net/http"
	"net/url"
	"strings"

	"giro"
)

var railReadOnly = []string{"object", "merchant", "rail", "created", "created_at", "updated_at", "version"}

// railPutSchema: what is not sent stays as it was.
var railPutSchema = &schema{kind: kindObject, name: "RailAccountPut", readOnly: railReadOnly, fields: []field{
	{name: "base_url", schema: &schema{kind: kindURL, min: 1, max: 2048, refuse: giro.CodeURLForbidden, length: giro.CodeURLForbidden, example: "https://api.example.com"}, about: "The provider's address: what stands before /oauth2/token."},
	{name: "client_id", schema: text(1, 255)},
	{name: "client_secret", schema: text(1, 255), about: "Kept encrypted, never answered."},
	{name: "notify_url", schema: &schema{kind: kindURL, min: 1, max: 250, refuse: giro.CodeURLForbidden, length: giro.CodeURLForbidden, example: "https://pay.example.com"}, about: "Where the provider reaches this giro: an address, to which the path of the notifications is added, or a whole URL with a path of its own that leads there."},
	{name: "absent_after", schema: &schema{kind: kindInteger, min: 1, max: 7 * 24 * 3600}, about: "Seconds after which an instruction that the provider does not know is taken never to have arrived, and may be sent again; 120 if it was never sent."},
}}

var railAnswer = &schema{kind: kindObject, name: "RailAccount", fields: []field{
	{name: "object", schema: oneOf("rail_account")}, {name: "merchant", schema: idOf("mer")}, {name: "rail", schema: plainText}, {name: "base_url", schema: plainText},
	{name: "client_id", schema: plainText}, {name: "notify_url", schema: plainText, about: "As it is told to the provider."}, {name: "absent_after", schema: plainInteger, about: "Seconds."},
	{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "updated_at", schema: answerTime}, {name: "version", schema: plainInteger},
}}

// railRoutes are the accounts that merchants have at the providers behind live
// rails, and the door for what those providers tell.
var railRoutes = []*route{
	{method: "PUT", path: "/v1/merchants/{id}/rails/{rail}", id: "putRailAccount", tag: "rails", summary: "Set a merchant's account at the provider behind a live rail", access: accessAdmin, body: railPutSchema, status: 200, answer: railAnswer,
		about:  "What is not sent stays. Which movements go to the rail is said by the merchant's rails.",
		errors: []giro.Code{giro.CodeNotFound, giro.CodeMissingField, giro.CodeURLForbidden, giro.CodePreconditionFailed, giro.CodeNothingToUpdate}, handler: putRailAccount},
	{method: "GET", path: "/v1/merchants/{id}/rails/{rail}", id: "retrieveRailAccount", tag: "rails", summary: "Retrieve a merchant's account at a provider", access: accessAdmin, status: 200, answer: railAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			m, err := c.merchant()
			if err != nil {
				return err
			}
			a, err := c.engine().RailAccount(c.ctx, m, c.path[1])
			if err != nil {
				return err
			}
			c.w.Header()["Etag"] = []string{etag(a.Version)}
			c.sendJSON(http.StatusOK, appendRailAccount(nil, m, a))
			return nil
		}},
	{method: "DELETE", path: "/v1/merchants/{id}/rails/{rail}", id: "deleteRailAccount", tag: "rails", summary: "Forget a merchant's account at a provider", access: accessAdmin, status: 200, answer: messageAnswer,
		about: "Refused while the merchant's rails send anything there.", errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState},
		handler: func(c *call) error {
			m, err := c.merchant()
			if err != nil {
				return err
			}
			if err := c.engine().DeleteRailAccount(c.ctx, &giro.Call{Merchant: m, Admin: true, RequestID: c.rid}, m, c.path[1]); err != nil {
				return err
			}
			return c.deleted("rail account")
		}},
	{method: "POST", path: "/v1/rails/{rail}/{merchant}/notifications", id: "railNotification", tag: "rails", summary: "Take a provider's notification", access: accessPublic, body: anyObject, raw: true, noKey: true, status: 202, media: "text/plain",
		about:  "For providers: signed as the provider signs, with SmartFastPay-Signature or Jump-Signature. It is kept as it came, and the provider is asked about what it announces. The same one again changes nothing.",
		errors: []giro.Code{giro.CodeUnauthenticated, giro.CodeNotFound, giro.CodeBodyTooLarge, giro.CodeUnavailable},
		handler: func(c *call) error {
			// A path that leads to no merchant is answered like a bad signature: the
			// door is open to anyone.
			bad := giro.Refuse(giro.CodeUnauthenticated, "SmartFastPay-Signature", "the signature is missing or not the provider's")
			id, ok := giro.ParseID("mer", c.path[1])
			if !ok {
				return bad
			}
			if c.r.ContentLength > bodyMax {
				return c.tooLarge()
			}
			if err := c.readAll(); err != nil {
				return err
			}
			m, err := c.engine().MerchantByID(c.ctx, id)
			if giro.Is(err, giro.CodeNotFound) {
				return bad
			}
			if err != nil {
				return err
			}
			if err := c.engine().Heard(c.ctx, m, c.path[0], c.r.Header.Get, c.raw); err != nil {
				return err
			}
			c.send(http.StatusAccepted, []string{"text/plain; charset=utf-8"}, []byte("ok\n"))
			return nil
		}},
}

// anyObject describes a body whose reader is the handler.
var anyObject = &schema{kind: kindAny, about: "As the provider writes it."}

func putRailAccount(c *call) error {
	if c.doc.nodes[0].count == 0 {
		return giro.Refuse(giro.CodeNothingToUpdate, "", "send at least one field")
	}
	version, err := ifMatch(c.r.Header)
	if err != nil {
		return err
	}
	hooks, err := c.webhooks()
	if err != nil {
		return err
	}
	m, err := c.merchant()
	if err != nil {
		return err
	}
	return c.command(func(v any) giro.Answer {
		return giro.Answer{Status: http.StatusOK, Body: appendRailAccount(nil, m, v.(*giro.RailAccount))}
	}, func(g *giro.Call) (any, error) {
		a, err := c.railAccount(m, version, hooks)
		if err != nil {
			return nil, err
		}
		return c.engine().PutRailAccount(c.ctx, g, m, *a)
	})
}

// railAccount is the account in the path as the body changes it.
func (c *call) railAccount(m *giro.Merchant, version int64, hooks *Webhooks) (*giro.RailAccount, error) {
	a, err := c.engine().RailAccount(c.ctx, m, c.path[1])
	if giro.Is(err, giro.CodeNotFound) {
		a, err = &giro.RailAccount{Rail: c.path[1], AbsentAfterSeconds: giro.AbsentAfterDefault}, nil
	}
	if err != nil {
		return nil, err
	}
	if version > 0 && version != a.Version {
		return nil, giro.Refuse(giro.CodePreconditionFailed, "If-Match", "the object has changed since it was read")
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"base_url", &a.BaseURL}, {"client_id", &a.ClientID}, {"client_secret", &a.ClientSecret}} {
		switch {
		case c.body.has(f.name):
			*f.into = c.body.text(f.name)
		case a.Version == 0:
			return nil, giro.Refuse(giro.CodeMissingField, "/"+f.name, "is required")
		}
	}
	if c.body.has("base_url") {
		if err := hooks.CheckURL(a.BaseURL); err != nil {
			return nil, at(err, "/base_url")
		}
	}
	if c.body.has("notify_url") {
		u, err := url.Parse(c.body.text("notify_url"))
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, giro.Refuse(giro.CodeURLForbidden, "/notify_url", "must be an http or https URL without user, query and fragment")
		}
		a.NotifyURL = c.body.text("notify_url")
		if strings.Trim(u.Path, "/") == "" {
			a.NotifyURL = strings.TrimRight(a.NotifyURL, "/") + "/v1/rails/" + a.Rail + "/" + m.ID.ID("mer") + "/notifications"
		}
		if len(a.NotifyURL) > 250 {
			return nil, giro.Refuse(giro.CodeTooLong, "/notify_url", "must be short enough for 250 characters with the path of the notifications")
		}
	} else if a.NotifyURL == "" {
		return nil, giro.Refuse(giro.CodeMissingField, "/notify_url", "is required")
	}
	if c.body.has("absent_after") {
		a.AbsentAfterSeconds = c.body.integer("absent_after")
	}
	return a, nil
}

func appendRailAccount(b []byte, m *giro.Merchant, v *giro.RailAccount) []byte {
	a := appender{b: b}
	a.text("object", "rail_account")
	a.text("merchant", m.ID.ID("mer"))
	a.text("rail", v.Rail)
	a.text("base_url", v.BaseURL)
	a.text("client_id", v.ClientID)
	a.text("notify_url", v.NotifyURL)
	a.number("absent_after", v.AbsentAfterSeconds)
	a.times(v.Created, v.Updated)
	a.number("version", v.Version)
	return a.close()
}
