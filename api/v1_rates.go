package api

import (
	"net/http"

	"giro"
)

var (
	rateSchema = &schema{kind: kindText, min: 1, max: 20, example: "5.06", about: "A decimal number above 0 with at most 8 places."}
	rateBody   = &schema{kind: kindObject, name: "RateSet", fields: []field{
		{name: "from", schema: currencySchema, required: true}, {name: "to", schema: currencySchema, required: true, example: "brl"},
		{name: "rate", schema: rateSchema, required: true, about: "Units of to for one unit of from."}}}
	rateAnswer = &schema{kind: kindObject, name: "Rate", fields: []field{{name: "object", schema: oneOf("rate")}, {name: "from", schema: plainText}, {name: "to", schema: plainText}, {name: "rate", schema: plainText}}}

	clientCreateSchema = &schema{kind: kindObject, name: "OAuthClientCreate", fields: []field{{name: "profile", schema: oneOf(smartFastPay, jumpPag), about: "That its tokens speak on the root; smartfastpay if it is not sent."}}}
	clientAnswer       = &schema{kind: kindObject, name: "OAuthClient", fields: []field{
		{name: "id", schema: idOf("oac")}, {name: "object", schema: oneOf("oauth_client")}, {name: "client_id", schema: plainText}, {name: "profile", schema: plainText}, {name: "livemode", schema: flagSchema},
		{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "client_secret", schema: plainText, optional: true, about: "Once, when it is created."}}}
)

// dialectSettings are the routes of v1 by which a merchant sets up what the
// SmartFastPay dialect uses.
var dialectSettings = []*route{
	{method: "GET", path: "/v1/rates", id: "listRates", tag: "rates", summary: "List the rates of exchange", access: accessSecret, status: 200, answer: &schema{kind: kindList, item: rateAnswer},
		about: "A payout or payment that is asked for in one currency and paid in another uses them. Test mode has 5.00 for USD to BRL from the beginning.", handler: func(c *call) error {
			list, err := c.engine().Rates(c.ctx, c.book())
			if err != nil {
				return err
			}
			return sendList(c, list, appendRate)
		}},
	{method: "PUT", path: "/v1/rates", id: "setRate", tag: "rates", summary: "Set a rate of exchange", access: accessSecret, body: rateBody, status: 200, answer: rateAnswer, handler: setRate},
	{method: "POST", path: "/v1/rates", id: "createRate", tag: "rates", summary: "Set a rate of exchange", about: "The same as PUT.", access: accessSecret, body: rateBody, status: 200, answer: rateAnswer, handler: setRate},

	{method: "POST", path: "/v1/oauth_clients", id: "createOAuthClient", tag: "oauth_clients", summary: "Create a client of the SmartFastPay dialect", access: accessSecret, body: clientCreateSchema, bare: true, sealed: true, status: 201, answer: clientAnswer,
		about: "Of the same merchant and mode. Its secret is answered this once.", handler: func(c *call) error {
			if err := c.caller.covers(nil); err != nil {
				return err
			}
			profile := c.body.text("profile")
			if profile == "" {
				profile = smartFastPay
			}
			return c.command(func(v any) giro.Answer {
				n := v.(*giro.NewClient)
				return giro.Answer{Status: http.StatusCreated, Body: appendClient(nil, n.Client, n.Secret)}
			}, func(g *giro.Call) (any, error) {
				return c.engine().CreateClient(c.ctx, g, c.caller.Merchant, c.caller.Live, profile)
			})
		}},
	{method: "GET", path: "/v1/oauth_clients", id: "listOAuthClients", tag: "oauth_clients", summary: "List the clients of the SmartFastPay dialect, newest first", access: accessSecret, params: []param{limitParam, cursorParam}, status: 200, answer: &schema{kind: kindList, item: clientAnswer},
		handler: lists(giro.DocClient, func(b []byte, v *giro.OAuthClient) []byte { return appendClient(b, v, "") })},
	{method: "DELETE", path: "/v1/oauth_clients/{id}", id: "revokeOAuthClient", tag: "oauth_clients", summary: "Revoke a client and its access tokens", access: accessSecret, status: 200, answer: messageAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: deletes("oac", "client", (*giro.Engine).RevokeClient)},
}

func setRate(c *call) error {
	rate, err := giro.ParseRate(c.body.text("rate"))
	if err != nil {
		return err
	}
	p := giro.RatePair{From: c.body.currency("from"), To: c.body.currency("to"), Rate: rate}
	return c.command(func(any) giro.Answer { return giro.Answer{Status: http.StatusOK, Body: appendRate(nil, p)} },
		func(g *giro.Call) (any, error) { return nil, c.engine().SetRate(c.ctx, g, p) })
}

func appendRate(b []byte, p giro.RatePair) []byte {
	a := appender{b: b}
	a.text("object", "rate")
	a.text("from", p.From.Lower())
	a.text("to", p.To.Lower())
	a.text("rate", p.Rate.String())
	return a.close()
}

func appendClient(b []byte, v *giro.OAuthClient, secret string) []byte {
	a := appender{b: b}
	a.text("id", v.ID.ID("oac"))
	a.text("object", "oauth_client")
	a.text("client_id", v.ClientID)
	a.text("profile", v.Profile)
	a.flag("livemode", v.Live)
	a.created(v.Created)
	if secret != "" {
		a.text("client_secret", secret)
	}
	return a.close()
}
