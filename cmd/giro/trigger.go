package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"giro"
	"giro/client"
)

type triggerCommand struct {
	apiFlags
	Event    string   `arg:"" help:"A type of event: payout.succeeded, charge.refunded, …"`
	Override []string `sep:"none" help:"A member of the movement that is made: amount=2500, bank.key=joao@example.com." placeholder:"PATH=VALUE"`
	Count    int      `default:"1" help:"How many times." placeholder:"N"`
}

// triggerWait is how long an event may take: the sandbox answers after a second.
const triggerWait = 15 * time.Second

// staging makes movements for one event.
type staging struct {
	s        *session
	override []string
	used     bool // the overrides are for the first movement of the wanted kind
	kind     string
}

func (c *triggerCommand) Run(s *session) error {
	if c.Live {
		return exitError{exitUsage, errors.New("events are triggered in test mode alone")}
	}
	if !slices.Contains(giro.EventTypes(), c.Event) {
		return exitError{exitUsage, fmt.Errorf("there is no event %q; the types are %s", c.Event, strings.Join(triggers(), ", "))}
	}
	make := recipes[c.Event]
	if make == nil {
		return exitError{exitUsage, fmt.Errorf("nothing in the sandbox causes %s; what can be triggered: %s", c.Event, strings.Join(triggers(), ", "))}
	}
	if c.Count < 1 {
		return exitError{exitUsage, errors.New("--count must be greater than 0")}
	}
	for range c.Count {
		kind, _, _ := strings.Cut(c.Event, ".")
		object, err := make(&staging{s: s, override: c.Override, kind: kind})
		if err != nil {
			return err
		}
		if err := c.await(s, object); err != nil {
			return err
		}
	}
	return nil
}

// await prints the event when it is there.
func (c *triggerCommand) await(s *session, object string) error {
	giveUp := time.NewTimer(triggerWait)
	defer giveUp.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		v, _, err := s.read("/v1/events", url.Values{"types": {c.Event}, "object": {object}, "limit": {"1"}})
		if err != nil {
			return err
		}
		if len(v.members) > 0 {
			return s.object(v.members[0], nouns["events"].columns)
		}
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-giveUp.C:
			return exitError{exitDeclined, fmt.Errorf("%s was made, and has not caused %s in %s", object, c.Event, triggerWait)}
		case <-tick.C:
		}
	}
}

// triggers are the types that have a recipe, in the order of EventTypes.
func triggers() []string {
	return slices.DeleteFunc(giro.EventTypes(), func(t string) bool { return recipes[t] == nil })
}

type members = map[string]any

// post sends a step and returns the id in its answer.
func (x *staging) post(path string, body members, simulate string) (string, error) {
	if body == nil {
		body = members{}
	}
	if path == "/v1/"+x.kind+"s" && !x.used {
		x.used = true
		for _, o := range x.override {
			if err := setMember(body, o); err != nil {
				return "", err
			}
		}
	}
	r := client.Request{Method: http.MethodPost, Path: path, Body: body}
	if simulate != "" {
		r.Header = http.Header{"Giro-Simulate": {simulate}}
	}
	v, _, err := x.s.send(r)
	if err != nil {
		return "", err
	}
	return v.at("id").string(), nil
}

// setMember sets a member by "a.b=value"; a value that is JSON is taken as such.
func setMember(body members, assignment string) error {
	path, text, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return exitError{exitUsage, errors.New("--override takes path=value, such as amount=2500")}
	}
	var v any = text
	var parsed any
	if json.Unmarshal([]byte(text), &parsed) == nil {
		v = json.RawMessage(text)
	}
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		next, ok := body[name].(members)
		if !ok {
			next = members{}
			body[name] = next
		}
		body = next
	}
	body[names[len(names)-1]] = v
	return nil
}

func (x *staging) charge(token string, more members) (string, error) {
	body := members{"amount": 1500, "currency": "brl", "provider": "card", "card": members{"token": token}}
	for k, v := range more {
		body[k] = v
	}
	return x.post("/v1/charges", body, "")
}

func (x *staging) refund(simulate string) (string, error) {
	charge, err := x.charge("tok_ok", nil)
	if err != nil {
		return "", err
	}
	return x.post("/v1/refunds", members{"charge": charge, "amount": 1000}, simulate)
}

func (x *staging) payout(simulate string) (string, error) {
	if _, err := x.post("/v1/test/fund", members{"currency": "brl", "amount": 1_000_000}, ""); err != nil {
		return "", err
	}
	return x.post("/v1/payouts", members{"amount": 1500, "currency": "brl", "provider": "bank", "bank": members{"method": "pix", "key": "maria@example.com"}}, simulate)
}

func (x *staging) transfer(more members) (string, error) {
	if _, err := x.post("/v1/test/fund", members{"currency": "brl", "amount": 1_000_000}, ""); err != nil {
		return "", err
	}
	account, err := x.post("/v1/accounts", members{"name": "giro trigger", "currency": "brl"}, "")
	if err != nil {
		return "", err
	}
	body := members{"amount": 1500, "currency": "brl", "destination": account}
	for k, v := range more {
		body[k] = v
	}
	return x.post("/v1/transfers", body, "")
}

// recipe makes the movement that causes an event and returns its id.
type recipe func(x *staging) (string, error)

// then does a verb of a movement after it was made.
func (r recipe) then(kind, verb string, body members) recipe {
	return func(x *staging) (string, error) {
		id, err := r(x)
		if err != nil {
			return "", err
		}
		_, err = x.post("/v1/"+kind+"/"+id+"/"+verb, body, "")
		return id, err
	}
}

// with sends another method to the movement itself.
func (r recipe) with(method, kind string, body any) recipe {
	return func(x *staging) (string, error) {
		id, err := r(x)
		if err != nil {
			return "", err
		}
		_, _, err = x.s.send(client.Request{Method: method, Path: "/v1/" + kind + "/" + id, Body: body})
		return id, err
	}
}

// now moves a movement by hand.
func (r recipe) now(kind, outcome string) recipe {
	return func(x *staging) (string, error) {
		id, err := r(x)
		if err != nil {
			return "", err
		}
		_, err = x.post("/v1/test/"+kind+"/"+id+"/"+outcome, nil, "")
		return id, err
	}
}

func charge(token string, more members) recipe {
	return func(x *staging) (string, error) { return x.charge(token, more) }
}

func refund(simulate string) recipe {
	return func(x *staging) (string, error) { return x.refund(simulate) }
}

func payout(simulate string) recipe {
	return func(x *staging) (string, error) { return x.payout(simulate) }
}

func transfer(more members) recipe {
	return func(x *staging) (string, error) { return x.transfer(more) }
}

var (
	authorised = members{"capture": false}
	twoPhase   = members{"pending": true}
	less       = members{"amount": 900}
)

// recipes is how each event is caused. Types that are not here are caused by
// nothing: a transfer asks no rail, so it does not fail.
var recipes = map[string]recipe{
	"charge.created":   charge("tok_pending", nil),
	"charge.captured":  charge("tok_ok", authorised).then("charges", "capture", less),
	"charge.succeeded": charge("tok_ok", nil),
	"charge.failed":    charge("tok_declined", nil),
	"charge.onhold":    charge("tok_pending", nil).now("charges", "onhold"),
	"charge.released":  charge("tok_pending", nil).now("charges", "onhold").then("charges", "release", nil),
	"charge.canceled":  charge("tok_ok", authorised).then("charges", "cancel", nil),
	"charge.refunded": func(x *staging) (string, error) {
		id, err := x.charge("tok_ok", nil)
		if err != nil {
			return "", err
		}
		_, err = x.post("/v1/refunds", members{"charge": id}, "succeeded")
		return id, err
	},
	"charge.updated":  charge("tok_ok", authorised).with(http.MethodPut, "charges", less),
	"charge.deleted":  charge("tok_ok", authorised).with(http.MethodDelete, "charges", nil),
	"charge.in_doubt": charge("tok_timeout", nil),

	"refund.created":   refund("pending"),
	"refund.succeeded": refund("succeeded"),
	"refund.failed":    refund("failed"),
	"refund.onhold":    refund("onhold"),
	"refund.released":  held(refund("onhold"), "refunds").then("refunds", "release", nil),
	"refund.canceled":  held(refund("onhold"), "refunds").then("refunds", "cancel", nil),
	"refund.returned":  refund("returned"),
	"refund.updated":   held(refund("onhold"), "refunds").with(http.MethodPut, "refunds", less),
	"refund.deleted":   held(refund("onhold"), "refunds").with(http.MethodDelete, "refunds", nil),
	"refund.in_doubt":  refund("timeout"),

	"payout.created":   payout("pending"),
	"payout.succeeded": payout("succeeded"),
	"payout.failed":    payout("failed"),
	"payout.onhold":    payout("onhold"),
	"payout.released":  held(payout("onhold"), "payouts").then("payouts", "release", nil),
	"payout.canceled":  held(payout("onhold"), "payouts").then("payouts", "cancel", nil),
	"payout.returned":  payout("returned"),
	"payout.refunded":  payout("refunded"),
	"payout.updated":   held(payout("onhold"), "payouts").with(http.MethodPut, "payouts", less),
	"payout.deleted":   held(payout("onhold"), "payouts").with(http.MethodDelete, "payouts", nil),
	"payout.in_doubt":  payout("timeout"),

	"transfer.created":   transfer(nil),
	"transfer.succeeded": transfer(nil),
	"transfer.canceled":  transfer(twoPhase).then("transfers", "void", nil),
	"transfer.refunded":  transfer(nil).then("transfers", "reverse", nil),
	"transfer.updated":   transfer(nil).then("transfers", "reverse", less),
	"transfer.deleted":   transfer(twoPhase).with(http.MethodDelete, "transfers", nil),

	giro.EventEndpointDisabled: gone,
}

// held waits until a movement is on hold: its rail says so after a second.
func held(r recipe, kind string) recipe {
	return func(x *staging) (string, error) {
		id, err := r(x)
		if err != nil {
			return "", err
		}
		giveUp := time.NewTimer(triggerWait)
		defer giveUp.Stop()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			v, _, err := x.s.read("/v1/"+kind+"/"+id, nil)
			if err != nil || v.at("status").string() == "onhold" {
				return id, err
			}
			select {
			case <-x.s.ctx.Done():
				return "", x.s.ctx.Err()
			case <-giveUp.C:
				return "", exitError{exitDeclined, fmt.Errorf("%s is not on hold after %s", id, triggerWait)}
			case <-tick.C:
			}
		}
	}
}

// gone lets giro disable an endpoint: a receiver of our own answers 410.
func gone(x *staging) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	receiver := &http.Server{ReadHeaderTimeout: triggerWait, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })}
	go receiver.Serve(l)
	endpoint, err := x.post("/v1/webhook_endpoints", members{"url": "http://" + l.Addr().String() + "/gone", "events": []string{"charge.created"}, "description": "giro trigger"}, "")
	var refusal *client.Error
	if errors.As(err, &refusal) && refusal.Code == string(giro.CodeURLForbidden) {
		err = exitError{exitUsage, errors.New("this event needs a receiver on this machine: start giro serve with --webhook-allow-private")}
	}
	if err != nil {
		receiver.Close()
		return "", err
	}
	go func() { // until the event is there, or the command ends
		<-x.s.ctx.Done()
		receiver.Close()
	}()
	_, err = x.charge("tok_ok", nil)
	return endpoint, err
}
