package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"giro"
	"giro/client"
)

// noun is a kind of object that commands list and read.
type noun struct {
	one     string // "payout"
	path    string
	columns []column
}

// nouns by the name of their command.
var nouns = map[string]*noun{
	"charges": {"charge", "/v1/charges", []column{plain("ID", "id"), amount("AMOUNT", "amount", "currency"), wide(amount("CAPTURED", "amount_captured", "currency")), wide(amount("REFUNDED", "amount_refunded", "currency")),
		wide(plain("CURRENCY", "currency")), status, text("PROVIDER", "provider"), text("REFERENCE", "reference"), text("REASON", "failure_code"), wide(text("DESCRIPTION", "description")), moment("CREATED", "created")}},
	"refunds": {"refund", "/v1/refunds", []column{plain("ID", "id"), amount("AMOUNT", "amount", "currency"), wide(plain("CURRENCY", "currency")), status, plain("CHARGE", "charge"), text("REASON", "failure_code"), moment("CREATED", "created")}},
	"payouts": {"payout", "/v1/payouts", []column{plain("ID", "id"), amount("AMOUNT", "amount", "currency"), wide(plain("CURRENCY", "currency")), status, text("BENEFICIARY", "recipient.name"), wide(plain("METHOD", "bank.method")),
		text("REFERENCE", "reference"), text("REASON", "failure_code"), wide(text("DESCRIPTION", "description")), moment("CREATED", "created")}},
	"transfers": {"transfer", "/v1/transfers", []column{plain("ID", "id"), amount("AMOUNT", "amount", "currency"), wide(amount("REVERSED", "amount_refunded", "currency")), wide(plain("CURRENCY", "currency")), status,
		wide(plain("FROM", "from_account")), plain("DESTINATION", "destination"), text("REFERENCE", "reference"), moment("CREATED", "created")}},
	"customers": {"customer", "/v1/customers", []column{plain("ID", "id"), text("NAME", "name"), text("EMAIL", "email"), wide(plain("PHONE", "phone")), text("REFERENCE", "reference"), moment("CREATED", "created")}},
	"sources":   {"source", "/v1/sources", []column{plain("ID", "id"), plain("CUSTOMER", "customer"), plain("PROVIDER", "provider"), plain("METHOD", "bank.method"), moment("CREATED", "created")}},
	"accounts":  {"account", "/v1/accounts", []column{plain("ID", "id"), text("NAME", "name"), plain("KIND", "kind"), plain("CURRENCY", "currency"), amount("BALANCE", "balance", "currency"), plain("CLOSED", "closed"), moment("CREATED", "created")}},
	"transactions": {"ledger transaction", "/v1/ledger/transactions", []column{plain("SEQUENCE", "sequence"), plain("ID", "id"), plain("CAUSE", "cause"), plain("SOURCE", "source"),
		{head: "AMOUNT", cell: func(p *printer, row *tree) string {
			sum := int64(0)
			if postings := row.at("postings"); postings != nil {
				for _, m := range postings.members {
					sum += m.at("amount").number()
				}
			}
			return p.money(&tree{kind: '0', text: strconv.FormatInt(sum, 10)}, row.at("currency").string())
		}}, plain("CURRENCY", "currency"), moment("CREATED", "created"), wide(plain("HASH", "hash"))}},
	"keys":        {"key", "/v1/api_keys", []column{plain("ID", "id"), text("NAME", "name"), plain("HINT", "hint"), plain("PUBLISHABLE", "publishable"), text("SCOPES", "scopes"), plain("EXPIRES", "expires_at"), plain("REVOKED", "revoked_at"), plain("USED", "last_used_at"), wide(plain("FROM", "last_used_address")), moment("CREATED", "created")}},
	"clients":     {"client", "/v1/oauth_clients", []column{plain("ID", "id"), plain("CLIENT_ID", "client_id"), plain("PROFILE", "profile"), moment("CREATED", "created")}},
	"views":       {"view", "/v1/views", []column{plain("ID", "id"), text("NAME", "name"), plain("PAGE", "page"), text("QUERY", "query"), plain("SHARED", "shared"), text("BY", "saved_by"), wide(text("COLUMNS", "columns")), moment("CREATED", "created")}},
	"providers":   {"provider", "/v1/providers", []column{plain("NAME", "name"), plain("RAIL", "rail"), plain("SET", "set")}},
	"search":      {"search result", "/v1/search", []column{plain("TYPE", "type"), plain("ID", "id"), text("TITLE", "title"), plain("STATUS", "status"), amount("AMOUNT", "amount", "currency"), wide(plain("CURRENCY", "currency")), wide(plain("MATCH", "match")), moment("CREATED", "created")}},
	"idempotency": {"idempotency key", "/v1/idempotency", []column{plain("KEY", "key"), plain("STATE", "state"), plain("STATUS", "status"), plain("SOURCE", "source"), moment("CREATED", "created")}},
	"faults":      {"faults", "/v1/test/faults", []column{text("CHARGES", "charges"), text("REFUNDS", "refunds"), text("PAYOUTS", "payouts")}},
	"clock":       {"test clock", "/v1/test/clock", []column{plain("NOW", "now"), plain("STATE", "state"), plain("AHEAD", "ahead")}},
	"wipe":        {"test data", "/v1/test/data", []column{plain("STATUS", "status"), plain("CHARGES", "charges"), plain("REFUNDS", "refunds"), plain("PAYOUTS", "payouts"), plain("TRANSFERS", "transfers"), plain("WIPED", "wiped_at")}},
	"rail-log":    {"instruction", "/v1/test/rail/log", []column{plain("INSTRUCTION", "instruction"), plain("KIND", "kind"), plain("SUBMITS", "submits"), plain("LOOKUPS", "lookups"), plain("DONE", "done"), plain("AT", "at")}},
	"rates":       {"rate", "/v1/rates", []column{plain("FROM", "from"), plain("TO", "to"), plain("RATE", "rate")}},
	"users":       {"person", "/v1/people", []column{plain("ID", "id"), text("NAME", "name"), text("EMAIL", "email"), plain("ROLE", "role"), plain("SIGNED IN", "signed_in_at"), moment("SINCE", "created")}},
	"audit":       {"act", "/v1/audit", []column{moment("AT", "created"), text("WHO", "person.email"), plain("ACTION", "action"), plain("TARGET", "target"), plain("LIVE", "livemode"), wide(plain("ADDRESS", "address")), wide(plain("ID", "id"))}},
	"logs": {"request", "/v1/requests", []column{moment("AT", "created"), plain("METHOD", "method"), text("PATH", "path"), plain("STATUS", "status"), text("CODE", "code"),
		{head: "MS", cell: func(_ *printer, row *tree) string { return milliseconds(row.at("took_us").number()) }}, plain("ID", "id"), wide(plain("KEY", "key")), wide(text("ADDRESS", "address"))}},
	"merchants": {"merchant", "/v1/merchants", []column{plain("ID", "id"), text("NAME", "name"), plain("CURRENCY", "currency"), plain("STATUS", "status"), moment("CREATED", "created")}},
}

// prefixes lead from an id to its command.
var prefixes = map[string]string{"ch": "charges", "re": "refunds", "po": "payouts", "tr": "transfers", "cus": "customers", "src": "sources", "acct": "accounts", "ltx": "transactions", "mer": "merchants", "key": "keys"}

// at is the path of one object, or of what lies below it.
func (n *noun) at(id string, below ...string) string {
	path := n.path + "/" + url.PathEscape(id)
	for _, part := range below {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// with is the noun with more columns before its own.
func (n *noun) with(more ...column) *noun {
	return &noun{n.one, n.path, append(more, n.columns...)}
}

// nounOf is the kind that a command is about: its first word. Run takes it as an
// argument.
func nounOf(k *kong.Context) *noun {
	word, _, _ := strings.Cut(k.Command(), " ")
	return nouns[word]
}

// verb is a command's second word, as the API writes it. Run takes it as an
// argument.
type verb string

func verbOf(k *kong.Context) verb {
	words := strings.Fields(k.Command())
	return verb(strings.ReplaceAll(words[1], "-", "_"))
}

// given is a query of those of the values that were given.
func given(values map[string]string) url.Values {
	q := url.Values{}
	for name, v := range values {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// filled is a body without the members that were not given.
func filled(body members) members {
	maps.DeleteFunc(body, func(_ string, v any) bool { return reflect.ValueOf(v).IsZero() })
	return body
}

// times puts those of the times that were given into a query, as the API reads
// them: names and times as people write them, in turn.
func (p *printer) times(q url.Values, namesAndTimes ...string) error {
	for i := 0; i < len(namesAndTimes); i += 2 {
		if namesAndTimes[i+1] == "" {
			continue
		}
		at, err := p.instant(namesAndTimes[i+1])
		if err != nil {
			return err
		}
		q.Set(namesAndTimes[i], at.UTC().Format(time.RFC3339))
	}
	return nil
}

// paging are the flags of lists.
type paging struct {
	Limit  int    `default:"20" help:"How many at most." placeholder:"N"`
	All    bool   `help:"All of them, page by page."`
	Cursor string `help:"Begin where a page ended." placeholder:"CURSOR"`
}

// each reads a list and prints it as it comes. query is the list's own.
func (g *paging) each(s *session, n *noun, query url.Values) error {
	if g.Limit < 1 {
		return exitError{exitUsage, errors.New("--limit must be greater than 0")}
	}
	left := g.Limit
	rows := s.table(n.columns)
	if g.Cursor != "" {
		query.Set("cursor", g.Cursor)
	}
	var next url.Values
	for {
		page := 100
		if !g.All {
			page = min(page, left)
		}
		query.Set("limit", strconv.Itoa(page))
		v, a, err := s.read(n.path, query)
		if err != nil {
			return err
		}
		for _, item := range v.members {
			if err := rows.row(item); err != nil {
				return err
			}
		}
		left -= len(v.members)
		if next = a.Next(); next == nil || !g.All && left <= 0 {
			break
		}
		query = next
	}
	if err := rows.end(); err != nil {
		return err
	}
	if s.people {
		g.footer(s, n, rows.count, query, next)
	}
	return nil
}

// following are the flags of commands that print what comes, until Ctrl-C.
type following struct {
	Every time.Duration `default:"2s" help:"How often to look." placeholder:"2s"`
}

// follow prints what is new in a list since it began, but for what unwanted
// tells. ids of the list grow with time.
func (f *following) follow(s *session, n *noun, query url.Values, unwanted func(*tree) bool) error {
	if f.Every < 100*time.Millisecond {
		return exitError{exitUsage, errors.New("--every is at least 100ms")}
	}
	if s.form == "json" {
		s.form = "jsonl" // there is no end to close an array at
	}
	query.Set("limit", "100")
	seen := ""
	for first := true; ; first = false {
		v, _, err := s.read(n.path, query)
		if err != nil {
			return err
		}
		rows := s.table(n.columns)
		s.o.NoHeaders = s.o.NoHeaders || !first
		newest := seen
		for _, row := range slices.Backward(v.members) {
			id := row.at("id").string()
			if id <= seen {
				continue
			}
			newest = max(newest, id)
			if first || unwanted(row) {
				continue
			}
			if err := rows.row(row); err != nil {
				return err
			}
		}
		if seen = newest; rows.count > 0 {
			if err := rows.end(); err != nil {
				return err
			}
		}
		select {
		case <-s.ctx.Done():
			return nil
		case <-time.After(f.Every):
		}
	}
}

// footer tells a person how much there is, on standard error.
func (g *paging) footer(s *session, n *noun, shown int, query, next url.Values) {
	if next == nil && shown == 0 {
		s.note("there are none")
		return
	}
	if next == nil {
		s.note("%d shown, all there are", shown)
		return
	}
	text := strconv.Itoa(shown) + " shown"
	if _, counted := movementKinds[strings.TrimPrefix(n.path, "/v1/")]; counted {
		total := url.Values{"page": {"1"}, "items_per_page": {"1"}}
		for name, v := range query {
			if name != "cursor" && name != "limit" {
				total[name] = v
			}
		}
		if v, _, err := s.read(n.path, total); err == nil {
			text = strconv.Itoa(shown) + " of " + group(v.at("total_items").string(), s.lang)
			if v.at("total_is_capped").string() == "true" {
				text += "+"
			}
		}
	}
	if c := next.Get("cursor"); c != "" {
		text += " · next: --cursor " + c
	} else {
		text += " · more with --all"
	}
	s.note("%s", text)
}

var movementKinds = func() map[string]giro.Kind {
	m := map[string]giro.Kind{}
	for _, k := range giro.Kinds {
		m[k.Plural()] = k
	}
	return m
}()

type listCommand struct {
	apiFlags
	paging
}

func (c *listCommand) Run(s *session, n *noun) error {
	return c.each(s, n, url.Values{})
}

type retrieveCommand struct {
	apiFlags
	ID string `arg:"" help:"The object's id."`
}

func (c *retrieveCommand) Run(s *session, n *noun) error {
	return s.show(n, c.ID)
}

// show reads and prints one object.
func (s *session) show(n *noun, id string) error {
	return s.act(n, client.Request{Method: http.MethodGet, Path: n.at(id)})
}

type anyCommand struct {
	apiFlags
	ID string `arg:"" help:"An id with its prefix: po_…, ch_…, cus_…"`
}

func (c *anyCommand) Run(s *session) error {
	prefix, _, _ := strings.Cut(c.ID, "_")
	n := nouns[prefixes[prefix]]
	if n == nil {
		return exitError{exitUsage, fmt.Errorf("%q is not an id that giro can look up: it begins with po_, ch_, re_, tr_, cus_, src_, acct_, ltx_, mer_, key_, we_ or evt_", oneLine(c.ID))}
	}
	return s.show(n, c.ID)
}

// said is what the API answers where an object is gone.
var said = &noun{columns: []column{text("MESSAGE", "message")}}

// act sends a request and prints the object that it answers.
func (s *session) act(n *noun, r client.Request) error {
	v, _, err := s.send(r)
	if err != nil {
		return err
	}
	return s.object(v, n.columns)
}

type deleteCommand struct {
	apiFlags
	ID string `arg:"" help:"The object's id."`
	asking
}

func (c *deleteCommand) Run(s *session, n *noun) error {
	if err := s.confirm(c.asking, "delete "+c.ID); err != nil {
		return err
	}
	v, _, err := s.send(client.Request{Method: http.MethodDelete, Path: n.at(c.ID)})
	if err != nil {
		return err
	}
	if s.form == "id" {
		_, err := fmt.Fprintln(s.out, c.ID)
		return err
	}
	return s.object(v, said.columns)
}

// all prints a list that has one page.
func (s *session) all(path string, query url.Values, columns []column) error {
	v, _, err := s.read(path, query)
	if err != nil {
		return err
	}
	return s.list(v.members, columns)
}

// wholeListCommand prints a list that has one page.
type wholeListCommand struct{ apiFlags }

func (c *wholeListCommand) Run(s *session, n *noun) error { return s.all(n.path, nil, n.columns) }

type listAdminCommand struct {
	adminFlags
	paging
}

func (c *listAdminCommand) Run(s *session, n *noun) error {
	return c.each(s, n, url.Values{})
}

type retrieveAdminCommand struct {
	adminFlags
	ID string `arg:"" help:"The merchant's id."`
}

func (c *retrieveAdminCommand) Run(s *session, n *noun) error {
	return s.show(n, c.ID)
}
