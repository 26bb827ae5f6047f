package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"giro"
)

// Webhooks is what the routes of webhook endpoints need of whoever sends.
type Webhooks struct {
	// CheckURL refuses a URL that nothing may be sent to, with CodeURLForbidden
	// or CodePortForbidden.
	CheckURL func(url string) error
	// LookUp refuses one whose name leads where nothing may be sent to, just now.
	LookUp func(ctx context.Context, url string) error
	// NewSecret makes a signing secret, "whsec_…".
	NewSecret func() string
	// Test sends one event that is not kept, and returns the attempt and the
	// bytes that were sent.
	Test func(ctx context.Context, p *giro.Endpoint) (*giro.Delivery, []byte, error)
}

var endpointReadOnly = []string{"id", "object", "secret", "secret_hint", "old_secrets", "disabled_reason", "disabled_at", "failing_since", "connected", "livemode", "created", "created_at", "updated_at", "version"}

func endpointFields(required bool) []field {
	return []field{
		{name: "url", schema: &schema{kind: kindURL, min: 1, max: 2048, refuse: giro.CodeURLForbidden, length: giro.CodeURLForbidden, example: "https://example.com/hooks"},
			about: "https, on port 443 or 8443 of a public address. An endpoint without a URL is a listener, which fetches its events."},
		{name: "events", schema: listOf(&schema{kind: kindText, min: 1, max: 64, example: "payout.*"}, 1, 50), required: required, about: "Types of events, or patterns with one star: payout.*, *.failed, *."},
		descriptionField, {name: "enabled", schema: flagSchema, about: "true if it is not sent. An endpoint that is enabled again is told of what happens from then on; /recover sends what it has missed."}, metadataField,
	}
}

var (
	endpointCreateSchema = &schema{kind: kindObject, name: "WebhookEndpointCreate", readOnly: endpointReadOnly, fields: endpointFields(true)}
	endpointUpdateSchema = &schema{kind: kindObject, name: "WebhookEndpointUpdate", readOnly: endpointReadOnly, fields: endpointFields(false)}
	endpointRollSchema   = &schema{kind: kindObject, name: "WebhookEndpointRoll", fields: []field{
		{name: "grace_seconds", schema: &schema{kind: kindInteger, min: 0, max: 7 * 24 * 3600}, about: "For how long the old secret signs beside the new one; 86,400 if it is not sent."},
	}}
	endpointRecoverSchema = &schema{kind: kindObject, name: "WebhookEndpointRecover", fields: []field{
		{name: "since", schema: timeSchema, required: true}, {name: "until", schema: timeSchema, about: "Now if it is not sent."},
	}}
	resendSchema = &schema{kind: kindObject, name: "EventResend", fields: []field{
		{name: "endpoint", schema: &schema{kind: kindText, min: 1, max: 64}, about: "Every enabled endpoint that wants the event, if it is not sent."},
	}}
	outcomeSchema = &schema{kind: kindObject, name: "DeliveryOutcome", fields: []field{
		{name: "status", schema: &schema{kind: kindInteger, min: 0, max: 999}, about: "What the receiver answered; 0: it did not.", required: true},
		{name: "answer", schema: text(0, 4096), about: "The beginning of its body."},
		{name: "took_ms", schema: &schema{kind: kindInteger, min: 0, max: 3_600_000}},
	}}

	endpointAnswer = &schema{kind: kindObject, name: "WebhookEndpoint", fields: []field{
		{name: "id", schema: idOf("we")}, {name: "object", schema: oneOf("webhook_endpoint")}, {name: "url", schema: null(plainText)},
		{name: "events", schema: &schema{kind: kindList, item: plainText}}, {name: "description", schema: null(plainText)}, {name: "enabled", schema: flagSchema},
		{name: "disabled_reason", schema: null(oneOf(giro.DisabledGone, giro.DisabledFailing)), about: "Why giro has disabled it: its receiver answered 410, or did nothing but fail for five days."},
		{name: "disabled_at", schema: null(answerTime)}, {name: "livemode", schema: flagSchema}, {name: "metadata", schema: metadataSchema},
		{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "updated_at", schema: answerTime}, {name: "version", schema: plainInteger},
		{name: "failing_since", schema: null(answerTime), about: "Since when every attempt has failed."},
		{name: "connected", schema: &schema{kind: kindObject, name: "WebhookListener", nullable: true, fields: []field{
			{name: "name", schema: null(plainText), about: "What it calls itself."}, {name: "since", schema: answerTime}}},
			about: "The listener whose stream is open just now, at the process that answers: of those at other processes nothing is known here."},
		{name: "secret_hint", schema: null(plainText), about: "The end of its signing secret, to tell it from another one; null for a secret of before giro kept that."},
		{name: "old_secrets", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "WebhookOldSecret", fields: []field{
			{name: "hint", schema: null(plainText)}, {name: "valid_until", schema: answerTime}}}}, about: "What was rolled and still signs beside it, the newest first."},
		{name: "secret", schema: plainText, optional: true, about: "Once: when it is created, and when it is rolled."},
	}}
	deliveryFields = []field{
		{name: "object", schema: oneOf("delivery")}, {name: "endpoint", schema: idOf("we")}, {name: "event", schema: idOf("evt")}, {name: "type", schema: plainText},
		{name: "sequence", schema: plainInteger}, {name: "state", schema: oneOf(string(giro.DeliveryPending), string(giro.DeliverySucceeded), string(giro.DeliveryFailed))},
		{name: "attempts", schema: plainInteger}, {name: "status", schema: null(plainInteger), about: "Of the last answer."}, {name: "error", schema: null(plainText), about: "Why the last attempt got no whole answer: blocked, timeout, connection, tls, dns, answer."},
		{name: "last_attempt_at", schema: null(plainText)}, {name: "next_attempt_at", schema: null(plainText)},
		{name: "target", schema: plainText, optional: true, about: "Where it is read: the id of the object that the event is about, while the event is kept."},
	}
	deliveryAnswer     = &schema{kind: kindObject, name: "Delivery", fields: deliveryFields}
	deliveryFullAnswer = &schema{kind: kindObject, name: "DeliveryDetail", fields: append(deliveryFields[:len(deliveryFields):len(deliveryFields)],
		field{name: "log", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "DeliveryAttempt", fields: []field{
			{name: "at", schema: plainText}, {name: "status", schema: null(plainInteger)}, {name: "error", schema: null(plainText)}, {name: "took_ms", schema: plainInteger}}}}},
		field{name: "request", schema: &schema{kind: kindObject, name: "DeliveryRequest", nullable: true, fields: []field{
			{name: "url", schema: null(plainText)}, {name: "headers", schema: metadataSchema}, {name: "body", schema: plainText}}}},
		field{name: "response", schema: &schema{kind: kindObject, name: "DeliveryResponse", nullable: true, fields: []field{
			{name: "status", schema: plainInteger}, {name: "body", schema: plainText, about: "At most 4 KiB; text, never markup."}}}},
	)}
	eventDeliveriesParam = param{name: "state", kind: paramList, max: 1, enum: []string{string(giro.DeliveryPending), string(giro.DeliverySucceeded), string(giro.DeliveryFailed)}, about: "Only those in this state."}
)

var webhookRoutes = []*route{
	{method: "POST", path: "/v1/webhook_endpoints", id: "createWebhookEndpoint", tag: "webhook_endpoints", summary: "Create a webhook endpoint", access: accessSecret, body: endpointCreateSchema, sealed: true, status: 201, answer: endpointAnswer,
		about: "Its secret is answered this once.", errors: []giro.Code{giro.CodeURLForbidden, giro.CodePortForbidden, giro.CodeEndpointLimit}, handler: createEndpoint},
	{method: "GET", path: "/v1/webhook_endpoints", id: "listWebhookEndpoints", tag: "webhook_endpoints", summary: "List webhook endpoints, newest first", access: accessSecret, status: 200, answer: &schema{kind: kindList, item: endpointAnswer},
		handler: func(c *call) error {
			list, err := c.engine().Endpoints(c.ctx, c.book())
			if err != nil {
				return err
			}
			now, err := c.bookNow()
			if err != nil {
				return err
			}
			shown := make([]json.RawMessage, len(list))
			for i, p := range list {
				d, err := c.engine().Store.Dispatch(c.ctx, p.ID)
				if err != nil {
					return err
				}
				shown[i] = appendEndpoint(p, d, c.s.listeners.of(p.ID), now, "")
			}
			return sendList(c, shown, func(b []byte, one json.RawMessage) []byte { return append(b, one...) })
		}},
	{method: "GET", path: "/v1/webhook_endpoints/{id}", id: "retrieveWebhookEndpoint", tag: "webhook_endpoints", summary: "Retrieve a webhook endpoint", access: accessSecret, status: 200, answer: endpointAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			p, err := c.endpoint()
			if err != nil {
				return err
			}
			render, err := c.renderEndpoint(http.StatusOK, p.ID, "")
			if err != nil {
				return err
			}
			c.w.Header()["Etag"] = []string{etag(p.Version)}
			c.sendJSON(http.StatusOK, render(p).Body)
			return nil
		}},
	{method: "PUT", path: "/v1/webhook_endpoints/{id}", id: "updateWebhookEndpoint", tag: "webhook_endpoints", summary: "Update, enable or disable a webhook endpoint", access: accessSecret, body: endpointUpdateSchema, status: 200, answer: endpointAnswer,
		errors: []giro.Code{giro.CodeNotFound, giro.CodeURLForbidden, giro.CodePortForbidden, giro.CodePreconditionFailed, giro.CodeNothingToUpdate}, handler: updateEndpoint},
	{method: "DELETE", path: "/v1/webhook_endpoints/{id}", id: "deleteWebhookEndpoint", tag: "webhook_endpoints", summary: "Delete a webhook endpoint", access: accessSecret, status: 200, answer: messageAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: deletes("we", "webhook endpoint", (*giro.Engine).DeleteEndpoint)},
	{method: "POST", path: "/v1/webhook_endpoints/{id}/roll_secret", id: "rollWebhookSecret", tag: "webhook_endpoints", summary: "Give a webhook endpoint a new secret", access: accessSecret, body: endpointRollSchema, bare: true, sealed: true, status: 200, answer: endpointAnswer,
		about: "The old secret signs beside the new one for a day, or as long as you say, so that the receiver can change over.", errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			hooks, err := c.webhooks()
			if err != nil {
				return err
			}
			id, err := c.pathID("we", "webhook endpoint")
			if err != nil {
				return err
			}
			grace := giro.SecretGrace
			if c.body.has("grace_seconds") {
				grace = time.Duration(c.body.integer("grace_seconds")) * time.Second
			}
			secret := hooks.NewSecret()
			render, err := c.renderEndpoint(http.StatusOK, id, secret)
			if err != nil {
				return err
			}
			return c.command(render, func(g *giro.Call) (any, error) { return c.engine().RollEndpointSecret(c.ctx, g, id, secret, grace) })
		}},
	{method: "POST", path: "/v1/webhook_endpoints/{id}/test", id: "testWebhookEndpoint", tag: "webhook_endpoints", summary: "Send a test event now", access: accessSecret, body: emptySchema, bare: true, status: 200, answer: deliveryFullAnswer,
		about: "One attempt to post an event of type webhook_endpoint.test, with its outcome. The event is not kept.", errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState},
		handler: func(c *call) error {
			hooks, err := c.webhooks()
			if err != nil {
				return err
			}
			return c.command(okBytes, func(g *giro.Call) (any, error) {
				p, err := c.endpoint()
				if err == nil && (!p.Enabled || p.Listener()) {
					err = giro.Refuse(giro.CodeInvalidState, "", "the endpoint is disabled, or a listener: nothing is posted to it")
				}
				if err != nil {
					return nil, err
				}
				return c.engine().Once(c.ctx, g, func(ctx context.Context, _ *giro.Call) (any, error) {
					d, body, err := hooks.Test(ctx, p)
					if err != nil {
						return nil, err
					}
					return appendDelivery(nil, d, "", body, true), nil
				})
			})
		}},
	{method: "GET", path: "/v1/webhook_endpoints/{id}/recover", id: "countMissedEvents", tag: "webhook_endpoints", summary: "How many events a recovery would send again", access: accessSecret, status: 200,
		params: []param{{name: "since", kind: paramTime, code: giro.CodeInvalidTime, about: "RFC 3339; has to be sent."}, {name: "until", kind: paramTime, code: giro.CodeInvalidTime, about: "Now if it is not sent."}},
		about:  "Sends nothing. Looks at the latest 10,000 events of the time range.",
		answer: &schema{kind: kindObject, name: "Recoverable", fields: []field{{name: "count", schema: plainInteger}, {name: "capped", schema: flagSchema, about: "There may be more: the time range has events that were not looked at."}}}, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			since, until := giro.Micros(c.query.time("since")), int64(math.MaxInt64)
			if !c.query.has("since") {
				return giro.Refuse(giro.CodeInvalidTime, "since", "send the time from which on")
			}
			if c.query.has("until") {
				if until = giro.Micros(c.query.time("until")); until < since {
					return giro.Refuse(giro.CodeInvalidTime, "until", "must not be before since")
				}
			}
			p, err := c.endpoint()
			if err != nil {
				return err
			}
			n, capped, err := c.engine().CountMissed(c.ctx, p, since, until, missedScanned)
			if err != nil {
				return err
			}
			var a appender
			a.number("count", int64(n))
			a.flag("capped", capped)
			c.sendJSON(http.StatusOK, a.close())
			return nil
		}},
	{method: "POST", path: "/v1/webhook_endpoints/{id}/recover", id: "recoverWebhookEndpoint", tag: "webhook_endpoints", summary: "Send again what an endpoint has not taken", access: accessSecret, body: endpointRecoverSchema, status: 200,
		about:  "All events of the time range that it wants and has not taken: failed ones, those that happened while it was disabled or before it was made, and those that are still pending.",
		answer: &schema{kind: kindObject, name: "Recovered", fields: []field{{name: "recovered", schema: plainInteger}}}, errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState},
		handler: func(c *call) error {
			since, until := giro.Micros(c.body.time("since")), int64(math.MaxInt64)
			if c.body.has("until") {
				if until = giro.Micros(c.body.time("until")); until < since {
					return giro.Refuse(giro.CodeInvalidValue, "/until", "must not be before since")
				}
			}
			return c.command(okBytes, func(g *giro.Call) (any, error) {
				p, err := c.endpoint()
				if err != nil {
					return nil, err
				}
				return c.engine().Once(c.ctx, g, func(ctx context.Context, g *giro.Call) (any, error) {
					n, err := c.engine().RecoverEndpoint(ctx, g, p, since, until)
					if err != nil {
						return nil, err
					}
					var a appender
					a.number("recovered", int64(n))
					return a.close(), nil
				})
			})
		}},
	{method: "GET", path: "/v1/webhook_endpoints/{id}/deliveries", id: "listDeliveries", tag: "webhook_endpoints", summary: "List what was sent to an endpoint, by event, newest first", access: accessSecret, status: 200,
		params: []param{limitParam, {name: "before", kind: paramInteger, min: 1, max: 1 << 53, about: "Only events of sequences below."}, eventDeliveriesParam,
			{name: "type", kind: paramText, max: 64, about: "Only events of this type: payout.failed, or payout.* for all of a kind. Looks at 5,000 deliveries per page."},
			{name: "object", kind: paramText, max: 64, about: "Only events of this object."}},
		answer: &schema{kind: kindList, item: deliveryAnswer}, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			p, err := c.endpoint()
			if err != nil {
				return err
			}
			list, next, err := c.deliveries(p.ID)
			if err != nil {
				return err
			}
			if next > 1 {
				c.linkBefore(next)
			}
			return c.sendDeliveries(list)
		}},
	{method: "GET", path: "/v1/webhook_endpoints/{id}/deliveries/{event}", id: "retrieveDelivery", tag: "webhook_endpoints", summary: "What was sent of one event, and what was answered", access: accessSecret, status: 200, answer: deliveryFullAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			p, event, d, err := c.delivery()
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, appendDelivery(nil, d, targetOf(event), event.AppendJSON(nil), !p.Listener()))
			return nil
		}},
	reportRoute,
	{method: "POST", path: "/v1/events/{id}/resend", id: "resendEvent", tag: "events", summary: "Send an event again", access: accessSecret, body: resendSchema, bare: true, status: 200, answer: &schema{kind: kindList, item: deliveryAnswer},
		about: "At once, with a schedule of its own if it fails, also if it was delivered before.", errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState}, handler: resendEvent},
	{method: "GET", path: "/v1/events/{id}/deliveries", id: "listEventDeliveries", tag: "events", summary: "To which endpoints an event was sent", access: accessSecret, status: 200, answer: &schema{kind: kindList, item: deliveryAnswer}, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			event, err := c.event(c.path[0])
			if err != nil {
				return err
			}
			endpoints, err := c.engine().Endpoints(c.ctx, c.book())
			if err != nil {
				return err
			}
			var list []*giro.Delivery
			for _, p := range endpoints {
				found, err := c.engine().Store.Deliveries(c.ctx, giro.DeliveryQuery{Endpoint: p.ID, Sequence: event.Sequence, Limit: 1})
				if err != nil {
					return err
				}
				list = append(list, found...)
			}
			return c.sendDeliveries(list)
		}},
}

var reportRoute = &route{method: "POST", path: "/v1/webhook_endpoints/{id}/deliveries/{event}/outcome", id: "reportDelivery", tag: "webhook_endpoints", summary: "Report what a listener's receiver answered", access: accessSecret, body: outcomeSchema, status: 200, answer: deliveryAnswer,
	about: "For listeners alone, such as giro listen: the event is delivered if the status is 2xx.", errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState}, handler: reportDelivery}

// webhooks returns what sends; a server without it has the reading routes alone.
func (c *call) webhooks() (*Webhooks, error) {
	if h := c.s.config.Webhooks; h != nil {
		return h, nil
	}
	return nil, &giro.Error{Code: giro.CodeUnavailable, Message: "this server sends no webhooks", Err: errors.New("api.Config.Webhooks is not set")}
}

// endpoint reads the endpoint in the path.
func (c *call) endpoint() (*giro.Endpoint, error) {
	id, err := c.pathID("we", "webhook endpoint")
	if err != nil {
		return nil, err
	}
	return c.engine().Endpoint(c.ctx, c.book(), id)
}

// event reads an event of the caller's book.
func (c *call) event(id string) (*giro.Event, error) {
	u, ok := giro.ParseID("evt", id)
	if !ok {
		return nil, missing("event")
	}
	return c.engine().EventByID(c.ctx, c.book(), u)
}

// delivery reads the endpoint, the event and the delivery in the path.
func (c *call) delivery() (*giro.Endpoint, *giro.Event, *giro.Delivery, error) {
	p, err := c.endpoint()
	if err != nil {
		return nil, nil, nil, err
	}
	event, err := c.event(c.path[1])
	if err != nil {
		return nil, nil, nil, err
	}
	found, err := c.engine().Store.Deliveries(c.ctx, giro.DeliveryQuery{Endpoint: p.ID, Sequence: event.Sequence, Limit: 1})
	if err != nil {
		return nil, nil, nil, err
	}
	if len(found) == 0 {
		return nil, nil, nil, missing("delivery of this event to this endpoint")
	}
	return p, event, found[0], nil
}

// setEndpoint takes over what the body has.
func (c *call) setEndpoint(p *giro.Endpoint, hooks *Webhooks) error {
	if c.body.has("url") {
		p.URL = c.body.text("url")
		if err := hooks.CheckURL(p.URL); err != nil {
			return at(err, "/url")
		}
	}
	if c.body.has("events") {
		p.Events = c.body.texts("events")
		for i, pattern := range p.Events {
			if !giro.KnownEvent(pattern) {
				return giro.Refuse(giro.CodeInvalidValue, "/events/"+itoa(int64(i)), "must be a type of event such as payout.succeeded, or a pattern with one star that some type matches, such as payout.* or *.failed")
			}
		}
	}
	if c.body.has("description") {
		p.Description = c.body.text("description")
	}
	if c.body.has("metadata") {
		p.Metadata = c.body.metadata("metadata")
	}
	p.Enabled = c.body.flag("enabled", p.Enabled)
	return nil
}

func createEndpoint(c *call) error {
	hooks, err := c.webhooks()
	if err != nil {
		return err
	}
	p := giro.Endpoint{Enabled: true}
	if err := c.setEndpoint(&p, hooks); err != nil {
		return err
	}
	secret := hooks.NewSecret()
	render, err := c.renderEndpoint(http.StatusCreated, giro.UUID{}, secret)
	if err != nil {
		return err
	}
	return c.command(render, func(g *giro.Call) (any, error) {
		if err := hooks.LookUp(c.ctx, p.URL); err != nil {
			return nil, at(err, "/url")
		}
		return c.engine().CreateEndpoint(c.ctx, g, p, secret)
	})
}

func updateEndpoint(c *call) error {
	hooks, err := c.webhooks()
	if err != nil {
		return err
	}
	id, err := c.pathID("we", "webhook endpoint")
	if err != nil {
		return err
	}
	version, err := ifMatch(c.r.Header)
	if err != nil {
		return err
	}
	if c.doc.nodes[0].count == 0 {
		return giro.Refuse(giro.CodeNothingToUpdate, "", "send at least one field")
	}
	// The body is read before the decision, which may run after the caller left.
	var change giro.Endpoint
	if err := c.setEndpoint(&change, hooks); err != nil {
		return err
	}
	sent := map[string]bool{}
	for _, f := range endpointUpdateSchema.fields {
		sent[f.name] = c.body.has(f.name)
	}
	render, err := c.renderEndpoint(http.StatusOK, id, "")
	if err != nil {
		return err
	}
	set := func(p *giro.Endpoint, _ int64) error {
		if sent["url"] {
			if p.Listener() {
				return giro.Refuse(giro.CodeInvalidState, "/url", "a listener stays one; create an endpoint with this URL")
			}
			p.URL = change.URL
		}
		if sent["events"] {
			p.Events = change.Events
		}
		if sent["description"] {
			p.Description = change.Description
		}
		if sent["metadata"] {
			p.Metadata = change.Metadata
		}
		if sent["enabled"] {
			p.Enabled = change.Enabled
		}
		return nil
	}
	return c.command(render, func(g *giro.Call) (any, error) {
		if err := hooks.LookUp(c.ctx, change.URL); err != nil {
			return nil, at(err, "/url")
		}
		return c.engine().UpdateEndpoint(c.ctx, g, id, version, set)
	})
}

// renderEndpoint renders an endpoint (zero: a new one), also one that a change
// returns. Where the sending to it stands is read before: a change does not touch
// it. secret is shown to who has just made it.
func (c *call) renderEndpoint(status int, id giro.UUID, secret string) (func(any) giro.Answer, error) {
	now, err := c.bookNow()
	if err != nil {
		return nil, err
	}
	var d *giro.Dispatch
	if !id.IsZero() {
		if d, err = c.engine().Store.Dispatch(c.ctx, id); err != nil {
			return nil, err
		}
	}
	return func(v any) giro.Answer {
		p := v.(*giro.Endpoint)
		return giro.Answer{Status: status, Body: appendEndpoint(p, d, c.s.listeners.of(p.ID), now, secret), Location: "/v1/webhook_endpoints/" + p.ID.ID("we")}
	}, nil
}

func appendEndpoint(p *giro.Endpoint, d *giro.Dispatch, live *listener, now int64, secret string) []byte {
	b := p.AppendJSON(nil)
	a := appender{b: b[:len(b)-1], begun: true}
	if d != nil && d.Failing != 0 {
		a.text("failing_since", giro.WireTime(giro.TimeOf(d.Failing)))
	} else {
		a.maybe("failing_since", "")
	}
	a.key("connected")
	if live == nil {
		a.b = append(a.b, "null"...)
	} else {
		l := appender{b: a.b}
		l.maybe("name", live.name)
		l.text("since", giro.WireTime(giro.TimeOf(live.since)))
		a.b = l.close()
	}
	signing := p.Signing(now)
	a.maybe("secret_hint", signing[0].Hint)
	a.key("old_secrets")
	a.b = appendList(a.b, signing[1:], func(b []byte, s giro.EndpointSecret) []byte {
		old := appender{b: b}
		old.maybe("hint", s.Hint)
		old.text("valid_until", giro.WireTime(giro.TimeOf(s.Until)))
		return old.close()
	})
	if secret != "" {
		a.text("secret", secret)
	}
	return a.close()
}

// okBytes answers what a command has rendered itself.
func okBytes(v any) giro.Answer { return giro.Answer{Status: http.StatusOK, Body: v.([]byte)} }

func resendEvent(c *call) error {
	render := func(v any) giro.Answer {
		return giro.Answer{Status: http.StatusOK, Body: appendList(nil, v.([]*giro.Delivery), appendShortDelivery)}
	}
	return c.command(render, func(g *giro.Call) (any, error) {
		event, to, err := c.resent()
		if err != nil {
			return nil, err
		}
		return c.engine().ResendEvent(c.ctx, g, event, to)
	})
}

// resent returns the event that is to be sent again, and to which endpoints.
func (c *call) resent() (*giro.Event, []*giro.Endpoint, error) {
	event, err := c.event(c.path[0])
	if err != nil {
		return nil, nil, err
	}
	if c.body.has("endpoint") {
		id, ok := giro.ParseID("we", c.body.text("endpoint"))
		if !ok {
			return nil, nil, giro.Refuse(giro.CodeNotFound, "/endpoint", "there is no such webhook endpoint")
		}
		p, err := c.engine().Endpoint(c.ctx, c.book(), id)
		return event, []*giro.Endpoint{p}, err
	}
	all, err := c.engine().Endpoints(c.ctx, c.book())
	if err != nil {
		return nil, nil, err
	}
	to := slices.DeleteFunc(all, func(p *giro.Endpoint) bool { return !p.Enabled || !p.Wants(event.Type) })
	return event, to, nil
}

// reportDelivery takes the outcome of what a listener fetched.
func reportDelivery(c *call) error {
	attempt := giro.DeliveryAttempt{At: giro.Micros(c.at), Took: c.body.integer("took_ms") * 1000, Status: int(c.body.integer("status"))}
	answer := c.body.text("answer")
	render := func(v any) giro.Answer {
		return giro.Answer{Status: http.StatusOK, Body: appendShortDelivery(nil, v.(*giro.Delivery))}
	}
	return c.command(render, func(g *giro.Call) (any, error) {
		p, err := c.endpoint()
		if err == nil && !p.Listener() {
			err = giro.Refuse(giro.CodeInvalidState, "", "giro itself posts to this endpoint and knows the outcome")
		}
		var event *giro.Event
		if err == nil {
			event, err = c.event(c.path[1])
		}
		if err != nil {
			return nil, err
		}
		return c.engine().ReportDelivery(c.ctx, g, p, event, attempt, answer)
	})
}

func (c *call) sendDeliveries(list []*giro.Delivery) error {
	targets := map[int64]string{}
	for _, d := range list {
		if _, ok := targets[d.Sequence]; ok {
			continue
		}
		events, err := c.engine().Store.Events(c.ctx, giro.EventQuery{Book: c.book(), Sequence: d.Sequence, Limit: 1})
		if err != nil {
			return err
		}
		targets[d.Sequence] = ""
		if len(events) > 0 {
			targets[d.Sequence] = targetOf(events[0])
		}
	}
	return sendList(c, list, func(b []byte, d *giro.Delivery) []byte { return appendDelivery(b, d, targets[d.Sequence], nil, false) })
}

// targetOf returns the id of the object that an event is about.
func targetOf(e *giro.Event) string {
	var object struct{ ID string }
	if err := json.Unmarshal(e.Data, &object); err != nil {
		return "" // nothing that giro wrote
	}
	return object.ID
}

func appendShortDelivery(b []byte, d *giro.Delivery) []byte {
	return appendDelivery(b, d, "", nil, false)
}

// appendDelivery writes a delivery; with the body of its event also the
// attempts, the last request, if it was posted, and the last answer.
func appendDelivery(b []byte, d *giro.Delivery, target string, body []byte, posted bool) []byte {
	a := appender{b: b}
	a.text("object", "delivery")
	a.text("endpoint", d.Endpoint.ID("we"))
	a.text("event", d.Event.ID("evt"))
	a.text("type", d.Type)
	a.number("sequence", d.Sequence)
	a.text("state", string(d.State))
	a.number("attempts", d.Attempts)
	var last giro.DeliveryAttempt
	if n := len(d.Detail.Attempts); n > 0 {
		last = d.Detail.Attempts[n-1]
	}
	a.status(last.Status)
	a.maybe("error", last.Error)
	a.maybe("last_attempt_at", precise(last.At))
	a.maybe("next_attempt_at", precise(d.Due))
	if target != "" {
		a.text("target", target)
	}
	if body == nil {
		return a.close()
	}
	a.key("log")
	a.b = appendList(a.b, d.Detail.Attempts, func(b []byte, one giro.DeliveryAttempt) []byte {
		l := appender{b: b}
		l.text("at", precise(one.At))
		l.status(one.Status)
		l.maybe("error", one.Error)
		l.number("took_ms", one.Took/1000)
		return l.close()
	})
	a.key("request")
	if posted && d.Detail.URL != "" {
		r := appender{b: a.b}
		r.text("url", d.Detail.URL)
		r.key("headers")
		h := appender{b: r.b}
		h.text("content-type", "application/json")
		h.text("webhook-id", d.Event.ID("evt"))
		h.text("webhook-timestamp", itoa(d.Detail.Timestamp))
		h.text("webhook-signature", d.Detail.Signature)
		r.b = h.close()
		r.text("body", string(body))
		a.b = r.close()
	} else {
		a.b = append(a.b, "null"...)
	}
	a.key("response")
	if last.Status == 0 {
		a.b = append(a.b, "null"...)
		return a.close()
	}
	r := appender{b: a.b}
	r.number("status", int64(last.Status))
	// What a stranger answered: escaped so that it stays text in a page too.
	answer, err := json.Marshal(d.Detail.Answer)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	r.raw("body", answer)
	a.b = r.close()
	return a.close()
}

// status writes a status, or null where there was no answer.
func (a *appender) status(v int) {
	if v == 0 {
		a.maybe("status", "")
		return
	}
	a.number("status", int64(v))
}

// precise is a time to the millisecond, or empty.
func precise(micros int64) string {
	if micros == 0 {
		return ""
	}
	return giro.TimeOf(micros).Format("2006-01-02T15:04:05.000Z")
}

// missedScanned bounds the events that are looked at to say how many of them would
// be sent again.
const missedScanned = 10_000

// deliveriesScanned bounds the deliveries that a filter without an index looks at
// per page.
const deliveriesScanned = 5000

// deliveries reads a page of what was sent to an endpoint, and the sequence before
// which the next one begins; 0: there is none.
func (c *call) deliveries(endpoint giro.UUID) (list []*giro.Delivery, next int64, err error) {
	store, limit := c.engine().Store, c.query.integer("limit", listLimit)
	q := giro.DeliveryQuery{Endpoint: endpoint, Before: int64(c.query.integer("before", 0)), State: giro.DeliveryState(c.query.text("state")), Limit: limit}
	wanted, object := c.query.text("type"), c.query.text("object")
	fits := func(d *giro.Delivery) bool { return wanted == "" || giro.MatchEvent(wanted, d.Type) }
	if object != "" {
		// An object has few events, and they have an index.
		id := anyID(object)
		if id.IsZero() {
			return nil, 0, nil
		}
		events, err := store.Events(c.ctx, giro.EventQuery{Book: c.book(), Object: id, Before: q.Before, Limit: limit})
		if err != nil {
			return nil, 0, err
		}
		for _, event := range events {
			found, err := store.Deliveries(c.ctx, giro.DeliveryQuery{Endpoint: endpoint, Sequence: event.Sequence, Limit: 1})
			if err != nil {
				return nil, 0, err
			}
			for _, d := range found {
				if fits(d) && (q.State == "" || d.State == q.State) {
					list = append(list, d)
				}
			}
		}
		if n := len(events); n == limit {
			next = events[n-1].Sequence
		}
		return list, next, nil
	}
	if wanted != "" {
		q.Limit = 500
	}
	for seen := 0; seen < deliveriesScanned && len(list) < limit; {
		found, err := store.Deliveries(c.ctx, q)
		if err != nil {
			return nil, 0, err
		}
		next = 0
		if len(found) == q.Limit {
			next = found[len(found)-1].Sequence
		}
		for i, d := range found {
			seen++
			if !fits(d) {
				continue
			}
			if list = append(list, d); len(list) == limit && (i < len(found)-1 || next != 0) {
				next = d.Sequence
				break
			}
		}
		if next == 0 {
			break
		}
		q.Before = next
	}
	return list, next, nil
}
