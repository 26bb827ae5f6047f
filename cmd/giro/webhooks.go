package main

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"giro/client"
)

type webhooksCommand struct {
	Create     webhookCreateCommand `cmd:"" help:"Create an endpoint; its secret is printed once."`
	List       wholeListCommand     `cmd:"" help:"List endpoints, newest first."`
	Get        retrieveCommand      `cmd:"" help:"Show an endpoint."`
	Update     webhookUpdateCommand `cmd:"" help:"Change an endpoint."`
	Pause      webhookSwitchCommand `cmd:"" help:"Disable an endpoint: nothing is sent to it."`
	Resume     webhookSwitchCommand `cmd:"" help:"Enable an endpoint; what it missed is for deliveries recover."`
	RollSecret webhookRollCommand   `cmd:"" help:"Give an endpoint a new secret; the old one signs beside it for a day."`
	Delete     webhookDeleteCommand `cmd:"" help:"Delete an endpoint."`
	Test       webhookTestCommand   `cmd:"" help:"Send a test event now, and show the answer."`
	Exam       examCommand          `cmd:"" help:"Examine a receiver: every type of event, repetitions, forgeries; and grade its answers."`
}

type webhookCreateCommand struct {
	apiFlags
	URL         string            `arg:"" help:"Where giro posts: https://example.com/hooks."`
	Events      []string          `required:"" help:"Types and patterns: payout.*,charge.succeeded; * for all."`
	Description string            `help:"What it is for." placeholder:"TEXT"`
	Metadata    map[string]string `help:"key=value." placeholder:"K=V"`
	Disabled    bool              `help:"Make it disabled."`
}

func (c *webhookCreateCommand) Run(s *session, n *noun) error {
	body := filled(members{"url": c.URL, "events": c.Events, "description": c.Description, "metadata": c.Metadata})
	body["enabled"] = !c.Disabled
	return s.act(n.with(plain("SECRET", "secret")), client.Request{Method: http.MethodPost, Path: n.path, Body: body})
}

type webhookUpdateCommand struct {
	apiFlags
	ID          string            `arg:"" help:"The endpoint's id."`
	URL         string            `help:"Where giro posts." placeholder:"URL"`
	Events      []string          `help:"Types and patterns."`
	Description string            `help:"What it is for." placeholder:"TEXT"`
	Metadata    map[string]string `help:"key=value." placeholder:"K=V"`
}

func (c *webhookUpdateCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID),
		Body: filled(members{"url": c.URL, "events": c.Events, "description": c.Description, "metadata": c.Metadata})})
}

type webhookSwitchCommand struct {
	apiFlags
	ID string `arg:"" help:"The endpoint's id."`
}

func (c *webhookSwitchCommand) Run(s *session, n *noun, named verb) error {
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID), Body: members{"enabled": named == "resume"}})
}

type webhookRollCommand struct {
	apiFlags
	ID    string        `arg:"" help:"The endpoint's id."`
	Grace time.Duration `default:"24h" help:"For how long the old secret signs beside the new one." placeholder:"24h"`
}

func (c *webhookRollCommand) Run(s *session, n *noun) error {
	if c.Grace < 0 || c.Grace%time.Second != 0 {
		return exitError{exitUsage, errors.New("--grace is a duration of whole seconds, such as 24h or 0s")}
	}
	return s.act(n.with(plain("SECRET", "secret")), client.Request{Method: http.MethodPost, Path: n.at(c.ID, "roll_secret"), Body: members{"grace_seconds": int64(c.Grace / time.Second)}})
}

type webhookDeleteCommand struct {
	apiFlags
	ID string `arg:"" help:"The endpoint's id."`
}

func (c *webhookDeleteCommand) Run(s *session, n *noun) error {
	return s.act(said, client.Request{Method: http.MethodDelete, Path: n.at(c.ID)})
}

type webhookTestCommand struct {
	apiFlags
	ID string `arg:"" help:"The endpoint's id."`
}

func (c *webhookTestCommand) Run(s *session, n *noun) error {
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: n.at(c.ID, "test"), Body: struct{}{}})
	if err != nil {
		return err
	}
	if err := s.object(v, []column{plain("STATE", "state"), plain("STATUS", "status"), plain("ERROR", "error"), text("ANSWER", "response.body")}); err != nil {
		return err
	}
	if v.at("state").string() != "succeeded" {
		return exitError{exitDeclined, errors.New("the receiver did not take the test event")}
	}
	return nil
}

type deliveriesCommand struct {
	List    deliveryListCommand    `cmd:"" help:"List what was sent to an endpoint, newest event first."`
	Get     deliveryGetCommand     `cmd:"" help:"Show the last request and answer of one event."`
	Resend  deliveryResendCommand  `cmd:"" help:"Send one event to an endpoint again."`
	Recover deliveryRecoverCommand `cmd:"" help:"Send again what an endpoint has not taken of a time range."`
}

// towards names the endpoint of a command.
type towards struct {
	Endpoint string `required:"" help:"The endpoint's id." placeholder:"we_…"`
}

// deliveries is the noun of what was sent to the endpoint.
func (c *towards) deliveries() *noun {
	return &noun{"delivery", nouns["webhooks"].at(c.Endpoint, "deliveries"), nouns["deliveries"].columns}
}

type deliveryListCommand struct {
	apiFlags
	paging
	towards
	State string `enum:",pending,succeeded,failed" default:"" help:"pending, succeeded or failed." placeholder:"STATE"`
}

func (c *deliveryListCommand) Run(s *session) error {
	return c.each(s, c.deliveries(), given(map[string]string{"state": c.State}))
}

type deliveryGetCommand struct {
	apiFlags
	towards
	Event string `arg:"" help:"The event's id."`
}

func (c *deliveryGetCommand) Run(s *session) error {
	n := c.deliveries()
	n.columns = append(slices.Clip(n.columns), text("REQUEST", "request.body"), text("ANSWER", "response.body"))
	return s.show(n, c.Event)
}

type deliveryResendCommand struct {
	apiFlags
	towards
	Event string `arg:"" help:"The event's id."`
}

func (c *deliveryResendCommand) Run(s *session) error {
	return s.listed(client.Request{Method: http.MethodPost, Path: nouns["events"].at(c.Event, "resend"), Body: map[string]string{"endpoint": c.Endpoint}})
}

type deliveryRecoverCommand struct {
	apiFlags
	towards
	Since string `required:"" help:"From when: a time, a day, or how long ago (36h, 7d)." placeholder:"TIME"`
	Until string `help:"To when; now if absent." placeholder:"TIME"`
	Count bool   `help:"Say how many there are, and send none."`
}

func (c *deliveryRecoverCommand) Run(s *session) error {
	q := url.Values{}
	if err := s.times(q, "since", c.Since, "until", c.Until); err != nil {
		return err
	}
	if c.Count {
		v, _, err := s.read(nouns["webhooks"].at(c.Endpoint, "recover"), q)
		if err != nil {
			return err
		}
		return s.object(v, []column{plain("COUNT", "count"), plain("CAPPED", "capped")})
	}
	body := filled(members{"since": q.Get("since"), "until": q.Get("until")})
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: nouns["webhooks"].at(c.Endpoint, "recover"), Body: body})
	if err != nil {
		return err
	}
	if s.people {
		s.note("%s events are sent again", strconv.FormatInt(v.at("recovered").number(), 10))
	}
	return s.object(v, []column{plain("RECOVERED", "recovered")})
}
