package main

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"giro/client"
)

type webhooksCommand struct {
	Create     webhookCreateCommand `cmd:"" help:"Create an endpoint; its secret is printed once."`
	List       webhookListCommand   `cmd:"" help:"List endpoints, newest first."`
	Get        retrieveCommand      `cmd:"" help:"Show an endpoint."`
	Update     webhookUpdateCommand `cmd:"" help:"Change an endpoint."`
	Pause      webhookSwitchCommand `cmd:"" help:"Disable an endpoint: nothing is sent to it."`
	Resume     webhookSwitchCommand `cmd:"" help:"Enable an endpoint; what it missed is for deliveries recover."`
	RollSecret webhookRollCommand   `cmd:"" help:"Give an endpoint a new secret; the old one signs beside it for a day."`
	Delete     webhookDeleteCommand `cmd:"" help:"Delete an endpoint."`
	Test       webhookTestCommand   `cmd:"" help:"Send a test event now, and show the answer."`
	Exam       examCommand          `cmd:"" help:"Examine a receiver: every type of event, repetitions, forgeries; and grade its answers."`
}

type webhookListCommand struct{ apiFlags }

func (c *webhookListCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	n := nounOf(k)
	v, _, err := s.read(n.path, nil)
	if err != nil {
		return err
	}
	rows := s.table(n.columns)
	for _, item := range v.members {
		if err := rows.row(item); err != nil {
			return err
		}
	}
	return rows.end()
}

type webhookCreateCommand struct {
	apiFlags
	URL         string            `arg:"" help:"Where giro posts: https://example.com/hooks."`
	Events      []string          `required:"" help:"Types and patterns: payout.*,charge.succeeded; * for all."`
	Description string            `help:"What it is for." placeholder:"TEXT"`
	Metadata    map[string]string `help:"key=value." placeholder:"K=V"`
	Disabled    bool              `help:"Make it disabled."`
}

func (c *webhookCreateCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	body := map[string]any{"url": c.URL, "events": c.Events, "enabled": !c.Disabled}
	if c.Description != "" {
		body["description"] = c.Description
	}
	if len(c.Metadata) > 0 {
		body["metadata"] = c.Metadata
	}
	n := *nounOf(k)
	n.columns = append([]column{plain("SECRET", "secret")}, n.columns...)
	return s.act(&n, client.Request{Method: http.MethodPost, Path: n.path, Body: body, Once: true})
}

type webhookUpdateCommand struct {
	apiFlags
	ID          string            `arg:"" help:"The endpoint's id."`
	URL         string            `help:"Where giro posts." placeholder:"URL"`
	Events      []string          `help:"Types and patterns."`
	Description string            `help:"What it is for." placeholder:"TEXT"`
	Metadata    map[string]string `help:"key=value." placeholder:"K=V"`
}

func (c *webhookUpdateCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	body := map[string]any{}
	if c.URL != "" {
		body["url"] = c.URL
	}
	if len(c.Events) > 0 {
		body["events"] = c.Events
	}
	if c.Description != "" {
		body["description"] = c.Description
	}
	if len(c.Metadata) > 0 {
		body["metadata"] = c.Metadata
	}
	n := nounOf(k)
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.path + "/" + url.PathEscape(c.ID), Body: body, Once: true})
}

type webhookSwitchCommand struct {
	apiFlags
	ID string `arg:"" help:"The endpoint's id."`
}

func (c *webhookSwitchCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	n := nounOf(k)
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.path + "/" + url.PathEscape(c.ID), Body: map[string]bool{"enabled": verbOf(k) == "resume"}, Once: true})
}

type webhookRollCommand struct {
	apiFlags
	ID    string        `arg:"" help:"The endpoint's id."`
	Grace time.Duration `default:"24h" help:"For how long the old secret signs beside the new one." placeholder:"24h"`
}

func (c *webhookRollCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	if c.Grace < 0 || c.Grace%time.Second != 0 {
		return exitError{exitUsage, errors.New("--grace is a duration of whole seconds, such as 24h or 0s")}
	}
	n := *nounOf(k)
	n.columns = append([]column{plain("SECRET", "secret")}, n.columns...)
	return s.act(&n, client.Request{Method: http.MethodPost, Path: n.path + "/" + url.PathEscape(c.ID) + "/roll_secret", Body: map[string]int64{"grace_seconds": int64(c.Grace / time.Second)}, Once: true})
}

type webhookDeleteCommand struct {
	apiFlags
	ID string `arg:"" help:"The endpoint's id."`
}

func (c *webhookDeleteCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	v, _, err := s.send(client.Request{Method: http.MethodDelete, Path: nounOf(k).path + "/" + url.PathEscape(c.ID)})
	if err != nil {
		return err
	}
	return s.object(v, []column{plain("MESSAGE", "message")})
}

type webhookTestCommand struct {
	apiFlags
	ID string `arg:"" help:"The endpoint's id."`
}

func (c *webhookTestCommand) Run(t *terminal) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: "/v1/webhook_endpoints/" + url.PathEscape(c.ID) + "/test", Body: struct{}{}, Once: true})
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

func (c *towards) path(more string) string {
	return "/v1/webhook_endpoints/" + url.PathEscape(c.Endpoint) + more
}

type deliveryListCommand struct {
	apiFlags
	paging
	towards
	State string `enum:",pending,succeeded,failed" default:"" help:"pending, succeeded or failed." placeholder:"STATE"`
}

func (c *deliveryListCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	q := url.Values{}
	if c.State != "" {
		q.Set("state", c.State)
	}
	return c.each(s, nounOf(k), c.path("/deliveries"), q)
}

type deliveryGetCommand struct {
	apiFlags
	towards
	Event string `arg:"" help:"The event's id."`
}

func (c *deliveryGetCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	v, _, err := s.read(c.path("/deliveries/"+url.PathEscape(c.Event)), nil)
	if err != nil {
		return err
	}
	return s.object(v, append(nounOf(k).columns, text("REQUEST", "request.body"), text("ANSWER", "response.body")))
}

type deliveryResendCommand struct {
	apiFlags
	towards
	Event string `arg:"" help:"The event's id."`
}

func (c *deliveryResendCommand) Run(t *terminal) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	return s.listed(client.Request{Method: http.MethodPost, Path: "/v1/events/" + url.PathEscape(c.Event) + "/resend", Body: map[string]string{"endpoint": c.Endpoint}, Once: true})
}

type deliveryRecoverCommand struct {
	apiFlags
	towards
	Since string `required:"" help:"From when: a time, a day, or how long ago (36h, 7d)." placeholder:"TIME"`
	Until string `help:"To when; now if absent." placeholder:"TIME"`
}

func (c *deliveryRecoverCommand) Run(t *terminal) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	body := map[string]string{}
	for name, v := range map[string]string{"since": c.Since, "until": c.Until} {
		if v == "" {
			continue
		}
		at, err := s.instant(v)
		if err != nil {
			return err
		}
		body[name] = at.UTC().Format(time.RFC3339)
	}
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: c.path("/recover"), Body: body, Once: true})
	if err != nil {
		return err
	}
	if s.people {
		s.note("%s events are sent again", strconv.FormatInt(v.at("recovered").number(), 10))
	}
	return s.object(v, []column{plain("RECOVERED", "recovered")})
}
