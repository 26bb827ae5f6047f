package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"giro"
	"giro/client"
)

type adminCommands struct {
	Merchants merchantsCommand `cmd:"" group:"Admin" help:"The tenants of an installation."`
	Rails     railsCommand     `cmd:"" group:"Admin" help:"Merchants' accounts at the providers behind live rails."`
	Keys      keysCommand      `cmd:"" group:"Develop" help:"API keys of a merchant."`
}

type merchantsCommand struct {
	Create merchantsCreateCommand `cmd:"" help:"Create a merchant and print its keys, once: over the API with the admin token, or in a store that is not served."`
	List   listAdminCommand       `cmd:"" help:"List merchants, newest first; with an API key its own."`
	Get    retrieveAdminCommand   `cmd:"" help:"Show a merchant."`
	Update merchantsUpdateCommand `cmd:"" help:"Change a merchant's settings."`
	Delete merchantDeleteCommand  `cmd:"" help:"Close a merchant for good: its keys end, its books stay. Refused while an account holds money."`
}

// local says where a store lies that is opened without a server.
type local struct {
	Data          string `help:"Folder of a store that is not served meanwhile, instead of the API." placeholder:"DIR" group:"Store"`
	Database      string `help:"postgres:// URL of a store, instead of the API." placeholder:"URL" group:"Store"`
	SecretKeyFile string `help:"File with the installation's key." placeholder:"FILE" group:"Store"`
}

func (l *local) place(t *terminal) *place {
	return &place{Data: firstOf(l.Data, t.getenv("GIRO_DATA"), "giro-data"), Database: firstOf(l.Database, t.getenv("GIRO_DATABASE")),
		SecretKeyFile: firstOf(l.SecretKeyFile, t.getenv("GIRO_SECRET_KEY_FILE"))}
}

type merchantsCreateCommand struct {
	adminFlags
	local
	Name     string `required:"" help:"The merchant's name." placeholder:"NAME"`
	Currency string `help:"Its main currency." default:"USD"`
	Email    string `help:"E-mail address." placeholder:"ADDRESS"`
	Phone    string `help:"E.164." placeholder:"+55…"`
}

func (c *merchantsCreateCommand) Run(s *session, n *noun) error {
	if c.Data == "" && c.Database == "" && s.key != "" {
		return s.act(n, client.Request{Method: http.MethodPost, Path: n.path,
			Body: client.MerchantCreate{Name: c.Name, Currency: c.Currency, Email: c.Email, Phone: c.Phone}})
	}
	return c.place(s.terminal).with(func(ctx context.Context, e *giro.Engine) error {
		m, err := e.CreateMerchant(ctx, nil, giro.Merchant{Name: c.Name, Currency: c.Currency, Email: c.Email, Phone: c.Phone})
		if err != nil {
			return err
		}
		keys := map[string]giro.KeySet{}
		for name, live := range map[string]bool{"test": false, "live": true} {
			if keys[name], err = e.CreateKeySet(ctx, m, live); err != nil {
				return err
			}
		}
		return json.NewEncoder(s.out).Encode(map[string]any{"id": m.ID.ID("mer"), "name": m.Name, "keys": keys})
	})
}

type merchantsUpdateCommand struct {
	adminFlags
	asking
	ID string `arg:"" help:"The merchant's id."`
	merchantFields
}

func (c *merchantsUpdateCommand) Run(s *session, n *noun) error {
	body, err := c.update()
	if err != nil {
		return err
	}
	if err := s.confirm(c.asking, "change the settings of "+c.ID); err != nil {
		return err
	}
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID), Body: body})
}

type merchantDeleteCommand struct {
	adminFlags
	asking
	ID string `arg:"" help:"The merchant's id."`
}

func (c *merchantDeleteCommand) Run(s *session, n *noun) error {
	if err := s.sure(c.asking, "close the merchant "+c.ID+" for good"); err != nil {
		return err
	}
	return s.act(said, client.Request{Method: http.MethodDelete, Path: n.at(c.ID)})
}

type keysCommand struct {
	Create keysCreateCommand `cmd:"" help:"Create an API key; its secret is printed once."`
	List   keysListCommand   `cmd:"" help:"List API keys."`
	Get    retrieveCommand   `cmd:"" help:"Show an API key, without its secret."`
	Roll   keysRollCommand   `cmd:"" help:"Replace an API key."`
	Revoke keysRevokeCommand `cmd:"" help:"End an API key at once."`
	Scopes keysScopesCommand `cmd:"" help:"List the scopes that a key can be restricted to."`
}

// owner names the merchant whose keys are looked after in a store that is opened
// without a server.
type owner struct {
	local
	Merchant string `help:"The merchant's id, to work on a store instead of the API." placeholder:"mer_…" group:"Store"`
}

func (o *owner) merchant(ctx context.Context, e *giro.Engine) (*giro.Merchant, error) {
	id, ok := giro.ParseID("mer", o.Merchant)
	if !ok {
		return nil, exitError{exitUsage, errors.New("--merchant takes an id like mer_…")}
	}
	return e.MerchantByID(ctx, id)
}

type keysCreateCommand struct {
	apiFlags
	owner
	Publishable bool     `help:"A key for browsers: it may create charges only."`
	Name        string   `help:"What the key is for." placeholder:"TEXT"`
	Scopes      []string `help:"What it may do: payouts:read,charges; everything if absent." placeholder:"SCOPE,…"`
	ExpiresIn   string   `help:"When it ends: 720h." placeholder:"DURATION"`
}

func (c *keysCreateCommand) Run(t *terminal, n *noun) error {
	var expires time.Time
	if c.ExpiresIn != "" {
		d, err := time.ParseDuration(c.ExpiresIn)
		if err != nil || d <= 0 {
			return exitError{exitUsage, errors.New("--expires-in is a duration such as 720h")}
		}
		expires = t.now().Add(d)
	}
	if c.Merchant == "" {
		s, err := c.ProvideSession(t)
		if err != nil {
			return err
		}
		body := client.APIKeyCreate{Name: c.Name, Publishable: c.Publishable, Scopes: c.Scopes}
		if !expires.IsZero() {
			body.ExpiresAt = expires.UTC().Format(time.RFC3339)
		}
		return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Body: body})
	}
	if len(c.Scopes) > 0 {
		return exitError{exitUsage, errors.New("a key with scopes is made over the API, which knows them: leave out --merchant")}
	}
	return c.place(t).with(func(ctx context.Context, e *giro.Engine) error {
		m, err := c.merchant(ctx, e)
		if err != nil {
			return err
		}
		key := giro.APIKey{Live: c.Live, Publishable: c.Publishable, Name: c.Name}
		if !expires.IsZero() {
			key.Expires = giro.Micros(expires)
		}
		made, err := e.CreateKey(ctx, &giro.Call{Merchant: m, Live: c.Live}, m, key)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s\t%s\n", made.Key.ID.ID("key"), made.Secret)
		return err
	})
}

type keysListCommand struct {
	listCommand
	owner
}

func (c *keysListCommand) Run(t *terminal, n *noun) error {
	if c.Merchant == "" {
		s, err := c.ProvideSession(t)
		if err != nil {
			return err
		}
		return c.each(s, n, url.Values{})
	}
	return c.place(t).with(func(ctx context.Context, e *giro.Engine) error {
		m, err := c.merchant(ctx, e)
		if err != nil {
			return err
		}
		found, err := e.Store.Documents(ctx, giro.DocumentQuery{Kind: giro.DocKey, Book: giro.BookOf(m.Number, c.Live), Limit: 1000})
		if err != nil {
			return err
		}
		for _, d := range found {
			var k giro.APIKey
			if err := json.Unmarshal(d.Data, &k); err != nil {
				return err
			}
			state := "active"
			if k.Revoked != 0 {
				state = "revoked"
			}
			fmt.Fprintf(t.out, "%s\t%s\t%s\t%s\n", k.ID.ID("key"), k.Hint, state, k.Name)
		}
		return nil
	})
}

type keysRollCommand struct {
	apiFlags
	ID    string        `arg:"" help:"The key's id."`
	Grace time.Duration `help:"For how long the old one still works: 24h." placeholder:"DURATION"`
}

func (c *keysRollCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.at(c.ID, "roll"), Body: struct {
		Grace int64 `json:"grace_seconds,omitempty"`
	}{int64(c.Grace / time.Second)}})
}

type keysRevokeCommand struct {
	apiFlags
	owner
	ID string `arg:"" help:"The key's id."`
}

func (c *keysRevokeCommand) Run(t *terminal, n *noun) error {
	if c.Merchant == "" {
		s, err := c.ProvideSession(t)
		if err != nil {
			return err
		}
		return s.act(n, client.Request{Method: http.MethodDelete, Path: n.at(c.ID)})
	}
	return c.place(t).with(func(ctx context.Context, e *giro.Engine) error {
		m, err := c.merchant(ctx, e)
		if err != nil {
			return err
		}
		id, ok := giro.ParseID("key", c.ID)
		if !ok {
			return exitError{exitUsage, errors.New("the key's id looks like key_…")}
		}
		_, err = e.RevokeKey(ctx, &giro.Call{Merchant: m, Live: c.Live}, giro.BookOf(m.Number, c.Live), id, giro.Micros(e.Now()))
		return err
	})
}

type keysScopesCommand struct{ output }

// Run reads the scopes from the API's own description, so that they are those
// of this binary's routes.
func (c *keysScopesCommand) Run(t *terminal) error {
	p, err := c.printer(t)
	if err != nil {
		return err
	}
	scopes, err := scopes()
	if err != nil {
		return err
	}
	var rows []*tree
	for _, scope := range scopes {
		rows = append(rows, record("id", scope))
	}
	return p.list(rows, []column{plain("SCOPE", "id")})
}
