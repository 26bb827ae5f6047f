package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"giro"
	"giro/api"
	"giro/client"
	"giro/webhook"
)

type developCommands struct {
	Simulate simulateCommand `cmd:"" group:"Develop" help:"Move a test movement by hand, as if its rail had called."`
	Fund     fundCommand     `cmd:"" group:"Develop" help:"Put money into a test balance."`
	Faults   faultsCommand   `cmd:"" group:"Develop" help:"Let the sandbox fail, hold or lose everything of a kind."`
	Clock    clockCommand    `cmd:"" group:"Develop" help:"Show the test clock, put it forward, freeze or reset it."`
	Wipe     wipeCommand     `cmd:"" group:"Develop" help:"Wipe the merchant's test data: movements, ledger, customers, events. Keys, endpoints and people stay."`
	RailLog  railLogCommand  `cmd:"" group:"Develop" help:"What the sandbox rail was asked, and did."`
	Logs     logsCommand     `cmd:"" group:"Develop" help:"What was asked of the API."`
	API      requestCommand  `cmd:"" name:"api" group:"Develop" help:"Send any request of the API."`
	Fixtures fixturesCommand `cmd:"" group:"Develop" help:"Requests of a file, as to set a test up."`
	Sign     signCommand     `cmd:"" group:"Develop" help:"Check the signature of a webhook."`
}

type simulateCommand struct {
	apiFlags
	ID      string        `arg:"" help:"The movement's id."`
	Outcome string        `arg:"" help:"${outcomes}."`
	Code    string        `help:"Why, where it failed." placeholder:"CODE"`
	After   time.Duration `help:"Wait so long first." placeholder:"5s"`
	waiting
}

func (c *simulateCommand) Run(s *session) error {
	prefix, _, _ := strings.Cut(c.ID, "_")
	name := prefixes[prefix]
	if _, ok := movementKinds[name]; !ok {
		return exitError{exitUsage, errors.New("an outcome belongs to a charge, refund, payout or transfer: ch_…, re_…, po_…, tr_…")}
	}
	if !slices.Contains(giro.TestOutcomes, c.Outcome) {
		return exitError{exitUsage, errors.New("outcomes are " + strings.Join(giro.TestOutcomes, ", "))}
	}
	outcome := c.Outcome
	if c.Code != "" {
		outcome += ":" + c.Code
	}
	if c.After > 0 {
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-time.After(c.After):
		}
	}
	n := nouns[name]
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: "/v1/test/" + name + "/" + url.PathEscape(c.ID) + "/" + url.PathEscape(outcome), Body: struct{}{}})
	if err != nil {
		return err
	}
	return c.settle(s, n, v)
}

type fundCommand struct {
	apiFlags
	sum
	Currency string `required:"" help:"ISO 4217." placeholder:"CODE"`
}

func (c *fundCommand) Run(s *session) error {
	minor, err := c.needed(c.Currency)
	if err != nil {
		return err
	}
	return s.act(nouns["accounts"], client.Request{Method: http.MethodPost, Path: "/v1/test/fund", Body: struct {
		Currency string `json:"currency"`
		Amount   int64  `json:"amount"`
	}{c.Currency, minor}})
}

type faultsCommand struct {
	Show stateCommand     `cmd:"" default:"withargs" help:"What the sandbox does to whole kinds."`
	Set  faultsSetCommand `cmd:"" help:"Set it, for everything that is made from now on; a kind that is not named behaves as usual again. Without any: all do."`
}

// stateCommand shows what the sandbox has one of: its clock, its faults.
type stateCommand struct{ apiFlags }

func (c *stateCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodGet, Path: n.path})
}

type faultsSetCommand struct {
	apiFlags
	Charges string `help:"An outcome: failed, failed:CODE, onhold, pending, timeout, timeout_failed, unavailable, …" placeholder:"OUTCOME"`
	Refunds string `help:"The same of refunds." placeholder:"OUTCOME"`
	Payouts string `help:"The same of payouts." placeholder:"OUTCOME"`
}

func (c *faultsSetCommand) Run(s *session, n *noun) error {
	body := filled(members{"charges": c.Charges, "refunds": c.Refunds, "payouts": c.Payouts})
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.path, Body: body})
}

type clockCommand struct {
	Show    stateCommand        `cmd:"" default:"withargs" help:"The time of the merchant's test clock."`
	Advance clockAdvanceCommand `cmd:"" help:"Put it forward by a duration."`
	To      clockToCommand      `cmd:"" help:"Put it forward to a time."`
	Freeze  clockFreezeCommand  `cmd:"" help:"Let it stand still, at a time if one is named."`
	Reset   clockResetCommand   `cmd:"" help:"Let it show the real time again; where it is ahead it waits for that."`
}

type clockAdvanceCommand struct {
	apiFlags
	By string `arg:"" help:"36h, 90m, 30s; days too: 7d."`
}

func (c *clockAdvanceCommand) Run(s *session, n *noun) error {
	by := c.By
	if days, ok := strings.CutSuffix(by, "d"); ok {
		count, err := strconv.Atoi(days)
		if err != nil {
			return exitError{exitUsage, errors.New("a duration is written 36h, 90m or 7d")}
		}
		by = strconv.Itoa(24*count) + "h"
	}
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Body: members{"advance": by}})
}

type clockToCommand struct {
	apiFlags
	Time string `arg:"" help:"A time: 2026-01-31T12:00:00Z, or a day."`
}

func (c *clockToCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Body: members{"to": s.day(c.Time)}})
}

type clockFreezeCommand struct {
	apiFlags
	Time string `arg:"" optional:"" help:"A later time: 2026-01-31T12:00:00Z, or a day; now if none is named."`
}

func (c *clockFreezeCommand) Run(s *session, n *noun) error {
	body := members{"freeze": true}
	if c.Time != "" {
		body["to"] = s.day(c.Time)
	}
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Body: body})
}

type clockResetCommand struct{ apiFlags }

func (c *clockResetCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Body: members{"reset": true}})
}

// day reads a day of the reader's zone as its beginning; the server judges the rest.
func (s *session) day(text string) string {
	if at, err := time.ParseInLocation("2006-01-02", text, s.zone); err == nil {
		return at.UTC().Format(time.RFC3339)
	}
	return text
}

type wipeCommand struct {
	apiFlags
	asking
	Test   bool `help:"Says what is so anyway: no live data is ever wiped."`
	NoWait bool `help:"Do not wait until all of it is gone."`
}

func (c *wipeCommand) Run(s *session, n *noun) error {
	there, _, err := s.read(n.path, nil)
	if err != nil {
		return err
	}
	count := func(name string) string { return strconv.FormatInt(there.at(name).number(), 10) + " " + name }
	if err := s.sure(c.asking, "wipe the test data: "+count("charges")+", "+count("refunds")+", "+count("payouts")+", "+count("transfers")+", and the ledger, customers and events"); err != nil {
		return err
	}
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: "/v1/test/wipe", Body: struct{}{}})
	for err == nil && !c.NoWait && v.at("status").string() == "wiping" {
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		v, _, err = s.read(n.path, nil)
	}
	if err != nil {
		return err
	}
	return s.object(v, n.columns)
}

type railLogCommand struct {
	apiFlags
	Limit  int    `default:"1000" help:"How many lines." placeholder:"N"`
	All    bool   `help:"All of them, page by page."`
	Cursor string `help:"Begin where a page ended." placeholder:"CURSOR"`
}

func (c *railLogCommand) Run(s *session, n *noun) error {
	return (&paging{Limit: c.Limit, All: c.All, Cursor: c.Cursor}).each(s, n, url.Values{})
}

// requestCommand sends a request as it is written: the way to what has no
// command of its own.
type requestCommand struct {
	apiFlags
	asking
	Method         string   `arg:"" help:"get, post, put, patch or delete."`
	Path           string   `arg:"" help:"/v1/payouts?limit=3; /v1 may be left out."`
	Data           []string `short:"d" sep:"none" help:"A member of the body: amount=1000, card[token]=tok_ok; text with :=, as in reference:=007; a whole body as JSON, @FILE, or @- for standard input." placeholder:"K=V"`
	Header         []string `short:"H" sep:"none" help:"A header: Giro-Simulate: failed." placeholder:"NAME: V"`
	IdempotencyKey string   `short:"i" help:"Repeats an earlier request safely; made if absent." placeholder:"KEY"`
	Include        bool     `help:"Show status and headers on standard error."`
}

func (c *requestCommand) Run(s *session) error {
	method := strings.ToUpper(c.Method)
	if !slices.Contains(requestMethods, method) {
		return exitError{exitUsage, errMethod}
	}
	path, query, err := requestPath(c.Path)
	if err != nil {
		return err
	}
	r := client.Request{Method: method, Path: path, Query: query, Key: c.IdempotencyKey, Header: http.Header{}}
	for _, h := range c.Header {
		name, v, ok := strings.Cut(h, ":")
		if !ok {
			return exitError{exitUsage, fmt.Errorf("-H %s: write NAME: VALUE", h)}
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(v))
	}
	if len(c.Data) > 0 || method == "POST" || method == "PUT" {
		body, err := c.body(s.in)
		if err != nil {
			return err
		}
		r.Body = body
	}
	if method != "GET" {
		if err := s.confirm(c.asking, method+" "+path); err != nil {
			return err
		}
	}
	a, err := s.c.Send(s.ctx, r)
	if c.Include && a != nil {
		fmt.Fprintf(s.err, "%d %s\n", a.Status, http.StatusText(a.Status))
		a.Header.Write(s.err)
		fmt.Fprintln(s.err)
	}
	if err != nil {
		return err
	}
	v, err := parseTree(a.Body)
	switch {
	case err != nil:
		_, err = s.out.Write(a.Body)
		return err
	case v.kind == '[' && s.form != "table":
		rows := s.table([]column{plain("ID", "id")})
		for _, item := range v.members {
			if err := rows.row(item); err != nil {
				return err
			}
		}
		return rows.end()
	case s.form == "table":
		return s.json(v.pick(c.Fields), s.outTTY) // there are no columns for what may be anything
	}
	return s.object(v, []column{plain("ID", "id")})
}

var (
	requestMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	errMethod      = errors.New("the method is get, post, put, patch or delete")
)

// requestPath reads a path as people write it.
func requestPath(text string) (path string, query url.Values, err error) {
	path, rest, _ := strings.Cut(text, "?")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if ofV1(path) {
		path = "/v1" + path
	}
	if query, err = url.ParseQuery(rest); err != nil {
		return "", nil, exitError{exitUsage, fmt.Errorf("the query: %w", err)}
	}
	return path, query, nil
}

// readInput reads a file or, by "-", standard input, of at most so many bytes.
func readInput(in io.Reader, file string, most int64) ([]byte, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, exitError{exitUsage, err}
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		err = exitError{exitUsage, fmt.Errorf("%s is larger than %d MiB", file, most>>20)}
	}
	return b, err
}

// ofV1 reports whether a path begins with a noun of v1, whose /v1 may be left
// out.
func ofV1(path string) bool {
	document, err := parseTree(api.OpenAPI())
	if err != nil {
		return false
	}
	noun, _, _ := strings.Cut(path[1:], "/")
	return noun != "" && slices.ContainsFunc(document.at("paths").names, func(p string) bool {
		rest, ok := strings.CutPrefix(p, "/v1/"+noun)
		return ok && (rest == "" || rest[0] == '/')
	})
}

// body makes the request's body of what -d says.
func (c *requestCommand) body(in io.Reader) (json.RawMessage, error) {
	if len(c.Data) == 1 {
		v := c.Data[0]
		var whole []byte
		var err error
		switch {
		case strings.HasPrefix(v, "@"):
			whole, err = readInput(in, v[1:], 2<<20)
		case strings.HasPrefix(v, "{"):
			whole = []byte(v)
		}
		if err != nil {
			return nil, err
		}
		if whole != nil {
			return bytes.TrimSpace(whole), nil // the server says what is wrong with it
		}
	}
	root := &tree{kind: '{'}
	for _, d := range c.Data {
		name, v, ok := strings.Cut(d, "=")
		if !ok {
			return nil, exitError{exitUsage, fmt.Errorf("-d %s: write NAME=VALUE", d)}
		}
		value := &tree{kind: '"', text: v}
		if rest, isText := strings.CutSuffix(name, ":"); isText {
			name = rest
		} else if bare.MatchString(v) || strings.HasPrefix(v, "[") || strings.HasPrefix(v, "{") {
			parsed, err := parseTree([]byte(v))
			if err != nil {
				return nil, exitError{exitUsage, fmt.Errorf("-d %s: the value is not JSON", name)}
			}
			value = parsed
		}
		at := root
		parts := strings.Split(strings.ReplaceAll(strings.TrimSuffix(name, "]"), "][", "["), "[")
		for i, part := range parts {
			next := at.member(part)
			if i == len(parts)-1 {
				next = value
			} else if next == nil {
				next = &tree{kind: '{'}
			} else if next.kind == '{' {
				at = next
				continue
			}
			at.set(part, next)
			at = next
		}
	}
	return root.appendJSON(nil, "", ""), nil
}

// bare values of -d are numbers and words of JSON; everything else is text.
var bare = regexp.MustCompile(`^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?)$`)

type signCommand struct {
	Verify signVerifyCommand `cmd:"" help:"Check a webhook as a receiver does. Exit 11 where the signature is not good."`
}

type signVerifyCommand struct {
	File      string        `arg:"" optional:"" default:"-" help:"The body, byte for byte; - is standard input."`
	SecretEnv string        `default:"GIRO_WEBHOOK_SECRET" help:"The variable that holds the endpoint's secret." placeholder:"NAME"`
	ID        string        `name:"id" help:"The webhook-id header." placeholder:"evt_…"`
	Timestamp string        `help:"The webhook-timestamp header." placeholder:"SECONDS"`
	Signature string        `required:"" help:"The webhook-signature header, or SmartFastPay-Signature or Jump-Signature." placeholder:"v1,…"`
	Tolerance time.Duration `default:"5m" help:"How old it may be." placeholder:"5m"`
}

func (c *signVerifyCommand) Run(t *terminal) error {
	body, err := readInput(t.in, c.File, 2<<20)
	if err != nil {
		return err
	}
	secret := t.getenv(c.SecretEnv)
	if secret == "" {
		return exitError{exitUsage, fmt.Errorf("%s is not set: it holds the secret, so that it does not stand in the list of processes", c.SecretEnv)}
	}
	if strings.HasPrefix(c.Signature, "t=") {
		err = webhook.VerifySmartFastPay(c.Signature, body, secret, c.Tolerance, t.now())
	} else {
		key, e := webhook.ParseSecret(secret)
		if e != nil {
			return exitError{exitUsage, e}
		}
		header := http.Header{}
		header.Set(webhook.HeaderID, c.ID)
		header.Set(webhook.HeaderTimestamp, c.Timestamp)
		header.Set(webhook.HeaderSignature, c.Signature)
		err = webhook.Verify(header, body, []webhook.Secret{key}, c.Tolerance, t.now())
	}
	if err != nil {
		return exitError{exitIntegrity, err}
	}
	_, err = fmt.Fprintln(t.out, "the signature is good")
	return err
}
