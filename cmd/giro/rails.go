package main

import (
	"errors"
	"net/http"
	"os"
	"strings"

	"giro/client"
)

// railsCommand looks after merchants' accounts at the providers behind live
// rails, with the admin token.
type railsCommand struct {
	Set    railSetCommand    `cmd:"" help:"Set a merchant's account at a provider; what is not said stays."`
	Get    railGetCommand    `cmd:"" help:"Show a merchant's account at a provider, without its secret."`
	Remove railRemoveCommand `cmd:"" help:"Forget a merchant's account at a provider."`
}

// railOf names an account.
type railOf struct {
	Merchant string `arg:"" help:"The merchant's id."`
	Rail     string `arg:"" help:"The rail: smartfastpay."`
}

func (r *railOf) path() string {
	return nouns["merchants"].at(r.Merchant, "rails", r.Rail)
}

var railAccount = &noun{columns: []column{plain("MERCHANT", "merchant"), plain("RAIL", "rail"), text("BASE URL", "base_url"), text("CLIENT ID", "client_id"), text("NOTIFY URL", "notify_url"), plain("ABSENT AFTER", "absent_after")}}

type railSetCommand struct {
	adminFlags
	railOf
	BaseURL          string `name:"base-url" help:"The provider's address, what stands before /oauth2/token." placeholder:"URL"`
	ClientID         string `name:"client-id" help:"The account's client id." placeholder:"ID"`
	ClientSecretFile string `help:"File with its secret; - is standard input." placeholder:"FILE"`
	NotifyURL        string `name:"notify-url" help:"Where the provider reaches this giro: https://pay.example.com." placeholder:"URL"`
	AbsentAfter      int64  `help:"Seconds after which an instruction that the provider does not know has never arrived (120)." placeholder:"N"`
}

func (c *railSetCommand) Run(s *session) error {
	body := filled(members{"base_url": c.BaseURL, "client_id": c.ClientID, "notify_url": c.NotifyURL, "absent_after": c.AbsentAfter})
	if c.ClientSecretFile != "" {
		secret, err := readSecret(s.terminal, c.ClientSecretFile)
		if err != nil {
			return err
		}
		body["client_secret"] = secret
	}
	return s.act(railAccount, client.Request{Method: http.MethodPut, Path: c.path(), Body: body})
}

// readSecret reads a secret from a file or, by "-", a line of standard input.
func readSecret(t *terminal, file string) (string, error) {
	var text string
	if file == "-" {
		line, err := t.line()
		if err != nil {
			return "", exitError{exitUsage, errors.New("the secret is read from standard input, which is empty")}
		}
		text = line
	} else {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", exitError{exitUsage, err}
		}
		text = string(b)
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", exitError{exitUsage, errors.New("the secret is empty")}
	}
	return text, nil
}

type railGetCommand struct {
	adminFlags
	railOf
}

func (c *railGetCommand) Run(s *session) error {
	return s.act(railAccount, client.Request{Method: http.MethodGet, Path: c.path()})
}

type railRemoveCommand struct {
	adminFlags
	railOf
}

func (c *railRemoveCommand) Run(s *session) error {
	return s.act(said, client.Request{Method: http.MethodDelete, Path: c.path()})
}
