package main

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"giro/client"
)

// settingCommands look after what a merchant has set up.
type settingCommands struct {
	Settings    settingsCommand    `cmd:"" group:"Admin" help:"The settings of the key's own merchant."`
	Providers   providersCommand   `cmd:"" group:"Admin" help:"Which rail carries what in live mode."`
	Views       viewsCommand       `cmd:"" group:"Admin" help:"Saved views of lists, as the dashboard shows them."`
	Clients     clientsCommand     `cmd:"" group:"Develop" help:"Clients of the SmartFastPay dialect: id and secret of an integration."`
	Idempotency idempotencyCommand `cmd:"" group:"Develop" help:"Show what an Idempotency-Key did."`
	Search      searchCommand      `cmd:"" group:"Money" help:"Find objects by id, reference, document, name, e-mail address or metadata."`
}

// merchantFields are what can be set of a merchant.
type merchantFields struct {
	Name                 string            `help:"The merchant's name." placeholder:"NAME"`
	Email                string            `help:"E-mail address." placeholder:"ADDRESS"`
	Phone                string            `help:"E.164." placeholder:"+55…"`
	SettlementDelay      string            `help:"How long captured money waits in pending: 24h, 0s." placeholder:"DURATION"`
	AllowNegative        *bool             `negatable:"" name:"negative-balance" help:"Whether the balance may fall below zero."`
	HoldOnMissingFunds   *bool             `negatable:"" help:"Whether a payout without funds waits instead of being refused."`
	Rail                 map[string]string `help:"What carries live payments: bank/pix=smartfastpay, card=; all of them, in place of what was set. With the admin token." placeholder:"MEANS=RAIL"`
	RequireIdempotentKey *bool             `negatable:"" name:"require-idempotency-key" help:"Whether POST and PUT need an Idempotency-Key."`
}

func (f *merchantFields) update() (*client.MerchantUpdate, error) {
	u := &client.MerchantUpdate{Name: f.Name, Email: f.Email, Phone: f.Phone, NegativeBalanceAllowed: f.AllowNegative,
		HoldOnMissingFunds: f.HoldOnMissingFunds, RequireIdempotencyKey: f.RequireIdempotentKey, Rails: f.Rail}
	maps.DeleteFunc(u.Rails, func(_, rail string) bool { return rail == "" })
	if f.SettlementDelay != "" {
		d, err := time.ParseDuration(f.SettlementDelay)
		if err != nil || d < 0 || d%time.Second != 0 {
			return nil, exitError{exitUsage, errors.New("--settlement-delay is a duration of whole seconds, such as 24h")}
		}
		seconds := int64(d / time.Second)
		u.SettlementDelay = &seconds
	}
	return u, nil
}

type settingsCommand struct {
	Get settingsGetCommand `cmd:"" default:"withargs" help:"Show them."`
	Set settingsSetCommand `cmd:"" help:"Change them; what is not said stays."`
}

// own is the id of the key's own merchant.
func (s *session) own() (string, error) {
	v, _, err := s.read(nouns["merchants"].path, url.Values{"limit": {"2"}})
	if err != nil {
		return "", err
	}
	if len(v.members) != 1 {
		return "", exitError{exitUsage, errors.New("this takes a merchant's API key; with the admin token use giro merchants")}
	}
	return v.members[0].at("id").string(), nil
}

type settingsGetCommand struct{ apiFlags }

func (c *settingsGetCommand) Run(s *session) error {
	id, err := s.own()
	if err != nil {
		return err
	}
	return s.show(nouns["merchants"], id)
}

type settingsSetCommand struct {
	apiFlags
	merchantFields
}

func (c *settingsSetCommand) Run(s *session) error {
	body, err := c.update()
	if err != nil {
		return err
	}
	id, err := s.own()
	if err != nil {
		return err
	}
	n := nouns["merchants"]
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(id), Body: body})
}

type providersCommand struct {
	List providersListCommand `cmd:"" default:"withargs" help:"List what can be paid by, and the rail of each."`
	Set  providersSetCommand  `cmd:"" help:"Choose rails: giro providers set bank/pix=manual; an empty one takes a choice away."`
}

type providersListCommand struct{ apiFlags }

func (c *providersListCommand) Run(s *session, n *noun) error {
	v, _, err := s.read(n.path, nil)
	if err != nil {
		return err
	}
	return s.providers(n, v)
}

// providers prints what is chosen: as the API says it for programs, a line for
// each for people.
func (s *session) providers(n *noun, v *tree) error {
	if s.form == "json" || s.form == "yaml" {
		return s.object(v, n.columns) // with the rails that there are
	}
	if v.at("providers") == nil {
		return errNoJSON
	}
	return s.list(v.at("providers").members, n.columns)
}

type providersSetCommand struct {
	apiFlags
	asking
	Rails map[string]string `arg:"" help:"MEANS=RAIL: card, mobile, bank or bank/METHOD, and what carries it."`
}

func (c *providersSetCommand) Run(s *session, n *noun) error {
	if err := s.confirm(c.asking, "change what carries live payments"); err != nil {
		return err
	}
	v, _, err := s.send(client.Request{Method: http.MethodPut, Path: n.path, Body: members{"rails": c.Rails}})
	if err != nil {
		return err
	}
	return s.providers(n, v)
}

type viewsCommand struct {
	List   viewListCommand   `cmd:"" help:"List views: the team's; the oldest first."`
	Create viewCreateCommand `cmd:"" help:"Save a view."`
	Update viewUpdateCommand `cmd:"" help:"Change a view."`
	Delete deleteCommand     `cmd:"" help:"Delete a view."`
}

type viewListCommand struct {
	apiFlags
	Page string `help:"Only those of this page: payments, payouts, …" placeholder:"PAGE"`
}

func (c *viewListCommand) Run(s *session, n *noun) error {
	return s.all(n.path, given(map[string]string{"page": c.Page}), n.columns)
}

type viewCreateCommand struct {
	apiFlags
	Name    string   `required:"" help:"Name." placeholder:"NAME"`
	Page    string   `required:"" help:"Which list: payments, refunds, payouts, transfers, customers, …" placeholder:"PAGE"`
	Query   string   `help:"Its filters, as in the page's address: status=failed&currency=brl." placeholder:"QUERY"`
	Columns []string `help:"Its columns." placeholder:"A,B"`
}

func (c *viewCreateCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path,
		Body: filled(members{"name": c.Name, "page": c.Page, "query": c.Query, "columns": c.Columns})})
}

type viewUpdateCommand struct {
	apiFlags
	ID      string   `arg:"" help:"The view's id."`
	Name    string   `help:"Name." placeholder:"NAME"`
	Query   *string  `help:"Its filters, as in the page's address." placeholder:"QUERY"`
	Columns []string `help:"Its columns." placeholder:"A,B"`
}

func (c *viewUpdateCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID), Body: filled(members{"name": c.Name, "query": c.Query, "columns": c.Columns})})
}

type clientsCommand struct {
	Create clientCreateCommand `cmd:"" help:"Create a client; its secret is printed once."`
	List   listCommand         `cmd:"" help:"List clients, newest first."`
	Revoke clientRevokeCommand `cmd:"" help:"End a client and its access tokens at once."`
}

type clientCreateCommand struct {
	apiFlags
	Form string `arg:"" optional:"" enum:"smartfastpay,jumppag" default:"smartfastpay" help:"Whose pages the integration was written from: smartfastpay or jumppag."`
}

func (c *clientCreateCommand) Run(s *session, n *noun) error {
	return s.act(n.with(plain("SECRET", "client_secret")), client.Request{Method: http.MethodPost, Path: n.path, Body: members{"profile": c.Form}})
}

type clientRevokeCommand struct {
	apiFlags
	ID string `arg:"" help:"The client's id, oac_…"`
}

func (c *clientRevokeCommand) Run(s *session, n *noun) error {
	return s.act(said, client.Request{Method: http.MethodDelete, Path: n.at(c.ID)})
}

type idempotencyCommand struct {
	apiFlags
	Key string `arg:"" help:"The key, as -v and messages of lost answers tell it."`
}

func (c *idempotencyCommand) Run(s *session, n *noun) error { return s.show(n, c.Key) }

type searchCommand struct {
	apiFlags
	Words []string `arg:"" help:"What is looked for: every word has to fit."`
	Limit int      `default:"20" help:"How many at most, 1 to 50." placeholder:"N"`
}

func (c *searchCommand) Run(s *session, n *noun) error {
	return s.all(n.path, url.Values{"q": {strings.Join(c.Words, " ")}, "limit": {strconv.Itoa(c.Limit)}}, n.columns)
}
