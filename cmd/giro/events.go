package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"giro/client"
)

// hookCommands are what integrators of events use.
type hookCommands struct {
	Events     eventsCommand     `cmd:"" group:"Events" help:"What happened, in order."`
	Webhooks   webhooksCommand   `cmd:"" group:"Events" help:"The endpoints that giro tells of events."`
	Deliveries deliveriesCommand `cmd:"" group:"Events" help:"What was sent to an endpoint, and what it answered."`
	Listen     listenCommand     `cmd:"" group:"Develop" help:"Print events as they happen, and post them to a receiver on this machine."`
	Trigger    triggerCommand    `cmd:"" group:"Develop" help:"Make the movement in the sandbox that causes an event."`
}

func init() {
	nouns["events"] = &noun{"event", "/v1/events", []column{plain("SEQUENCE", "sequence"), plain("ID", "id"), plain("TYPE", "type"), plain("OBJECT", "data.object.id"), wide(plain("STATUS", "data.object.status")), moment("CREATED", "created")}}
	nouns["webhooks"] = &noun{"webhook endpoint", "/v1/webhook_endpoints", []column{plain("ID", "id"), text("URL", "url"), text("EVENTS", "events"), plain("ENABLED", "enabled"), wide(text("SECRET", "secret_hint")), text("REASON", "disabled_reason"), wide(plain("FAILING_SINCE", "failing_since")), wide(text("DESCRIPTION", "description")), wide(text("CONNECTED", "connected.name")), moment("CREATED", "created")}}
	nouns["deliveries"] = &noun{"delivery", "/v1/webhook_endpoints", []column{plain("EVENT", "event"), plain("TYPE", "type"), plain("OBJECT", "target"), wide(plain("ENDPOINT", "endpoint")), plain("STATE", "state"), plain("ATTEMPTS", "attempts"), plain("STATUS", "status"), text("ERROR", "error"), plain("LAST", "last_attempt_at"), plain("NEXT", "next_attempt_at")}}
	prefixes["evt"], prefixes["we"] = "events", "webhooks"
}

type eventsCommand struct {
	List   eventListCommand   `cmd:"" help:"List events, newest first; with --after oldest first."`
	Get    retrieveCommand    `cmd:"" help:"Show an event."`
	Resend eventResendCommand `cmd:"" help:"Send an event to its endpoints again."`
	Tail   eventTailCommand   `cmd:"" help:"Print events as they happen."`
}

type eventListCommand struct {
	apiFlags
	paging
	Types  []string `help:"Only these: payout.succeeded, payout.*; several with commas."`
	Object string   `help:"Only those of this movement." placeholder:"ID"`
	After  int64    `default:"-1" help:"Only behind this sequence, oldest first." placeholder:"N"`
}

func (c *eventListCommand) Run(s *session, n *noun) error {
	q := given(map[string]string{"types": strings.Join(c.Types, ","), "object": c.Object})
	if c.After >= 0 {
		q.Set("after", strconv.FormatInt(c.After, 10))
	}
	return c.each(s, n, q)
}

type eventResendCommand struct {
	apiFlags
	ID       string `arg:"" help:"The event's id."`
	Endpoint string `help:"To this endpoint alone; else to every one that wants it." placeholder:"we_…"`
	All      bool   `help:"To every endpoint that wants it; the same as without --endpoint."`
}

func (c *eventResendCommand) Run(s *session, n *noun) error {
	return s.listed(client.Request{Method: http.MethodPost, Path: n.at(c.ID, "resend"), Body: filled(members{"endpoint": c.Endpoint})})
}

// listed sends a request and prints the deliveries that it answers.
func (s *session) listed(r client.Request) error {
	v, _, err := s.send(r)
	if err != nil {
		return err
	}
	if len(v.members) == 0 && s.form == "table" {
		s.note("no endpoint wants this event")
		return nil
	}
	return s.list(v.members, nouns["deliveries"].columns)
}

type eventTailCommand struct {
	apiFlags
	Types []string `aliases:"events" help:"Only these: payout.succeeded, payout.*; several with commas."`
	After int64    `default:"-1" help:"Begin behind this sequence; else with the next event." placeholder:"N"`
	Limit int      `help:"End after so many." placeholder:"N"`
}

func (c *eventTailCommand) Run(s *session) error {
	stream, err := s.streaming()
	if err != nil {
		return err
	}
	n := 0
	for e, err := range stream.Events.Stream(s.ctx, c.After, c.Types...) {
		if err != nil {
			return err
		}
		if e.Type == client.Resync {
			s.note("events up to sequence %d are gone", e.Sequence)
			continue
		}
		if err := s.told(e); err != nil {
			return err
		}
		if n++; n == c.Limit {
			break
		}
	}
	return nil
}

// streaming is the session's client for a stream, which has no end to wait for.
func (s *session) streaming() (*client.Client, error) {
	return client.New(s.url, s.key, client.Options{Agent: "giro-cli/" + version, HTTP: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
}

// told prints an event as it comes: its own JSON, or a line.
func (s *session) told(e *client.Event) error {
	v, err := parseTree(e.Raw)
	if err != nil {
		return err
	}
	switch s.form {
	case "json", "jsonl":
		_, err = fmt.Fprintf(s.out, "%s\n", v.pick(s.o.Fields).appendJSON(nil, "", ""))
	case "id":
		_, err = fmt.Fprintln(s.out, e.ID)
	default:
		at := s.time(time.Unix(e.Created, 0))
		if s.people {
			at = time.Unix(e.Created, 0).In(s.zone).Format("15:04:05")
		}
		_, err = fmt.Fprintf(s.out, "%s\t%d\t%s\t%s\t%s\n", at, e.Sequence, e.ID, e.Type, oneLine(v.at("data.object.id").string()))
	}
	return err
}
