package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"giro/client"
)

type ledgerCommands struct {
	Accounts     accountsCommand     `cmd:"" group:"Ledger" help:"Main accounts and sub-accounts."`
	Transactions transactionsCommand `cmd:"" group:"Ledger" help:"The ledger's transactions."`
	TrialBalance trialBalanceCommand `cmd:"" group:"Ledger" help:"The sums of all debits and credits."`
}

type accountsCommand struct {
	List      accountListCommand   `cmd:"" help:"List accounts, newest first."`
	Get       retrieveCommand      `cmd:"" help:"Show an account."`
	Create    accountCreateCommand `cmd:"" help:"Open a sub-account."`
	Statement statementCommand     `cmd:"" help:"The entries of an account, newest first."`
	Close     verbCommand          `cmd:"" help:"Close an empty sub-account."`
}

type accountListCommand struct {
	listCommand
	IDs []string `name:"ids" help:"Only these, at one sequence." placeholder:"acct_…,…"`
}

func (c *accountListCommand) Run(s *session, n *noun) error {
	if len(c.IDs) == 0 {
		return c.each(s, n, url.Values{})
	}
	v, _, err := s.read(n.path, url.Values{"ids": {strings.Join(c.IDs, ",")}})
	if err != nil {
		return err
	}
	if s.form == "json" || s.form == "yaml" {
		return s.object(v, n.columns) // with the sequence
	}
	return s.list(v.at("accounts").members, n.columns)
}

type accountCreateCommand struct {
	apiFlags
	Name           string            `required:"" help:"Name." placeholder:"NAME"`
	Currency       string            `required:"" help:"ISO 4217." placeholder:"CODE"`
	AllowNegative  bool              `help:"Let it fall below zero."`
	Metadata       map[string]string `help:"key=value; several." placeholder:"K=V"`
	IdempotencyKey string            `help:"Repeats an earlier command safely; made if absent." placeholder:"KEY"`
}

func (c *accountCreateCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Key: c.IdempotencyKey,
		Body: client.AccountCreate{Name: c.Name, Currency: c.Currency, AllowNegative: c.AllowNegative, Metadata: c.Metadata}})
}

type statementCommand struct {
	apiFlags
	ID string `arg:"" help:"The account's id."`
	paging
}

func (c *statementCommand) Run(s *session, n *noun) error {
	account, _, err := s.read(n.at(c.ID), nil)
	if err != nil {
		return err
	}
	currency := account.at("currency").string()
	sum := func(head, member string) column {
		return column{head: head, cell: func(p *printer, row *tree) string { return p.money(row.at(member), currency) }}
	}
	entries := &noun{"entry", n.at(c.ID, "entries"), []column{plain("SEQUENCE", "sequence"), sum("AMOUNT", "amount"), sum("BALANCE", "balance"), moment("CREATED", "created")}}
	return c.each(s, entries, url.Values{})
}

type transactionsCommand struct {
	List transactionListCommand `cmd:"" help:"List ledger transactions, newest first."`
	Get  retrieveCommand        `cmd:"" help:"Show a ledger transaction."`
}

type transactionListCommand struct {
	apiFlags
	Limit  int   `default:"20" help:"How many at most." placeholder:"N"`
	All    bool  `help:"All of them, page by page."`
	Before int64 `help:"Only sequences below." placeholder:"N"`
}

func (c *transactionListCommand) Run(s *session, n *noun) error {
	q := url.Values{}
	if c.Before > 0 {
		q.Set("before", strconv.FormatInt(c.Before, 10))
	}
	return (&paging{Limit: c.Limit, All: c.All}).each(s, n, q)
}

type trialBalanceCommand struct{ apiFlags }

func (c *trialBalanceCommand) Run(s *session) error {
	v, _, err := s.read("/v1/ledger/trial_balance", nil)
	if err != nil {
		return err
	}
	if s.form == "json" || s.form == "jsonl" || s.form == "yaml" {
		return s.object(v, nil)
	}
	return s.list(v.at("currencies").members, []column{plain("CURRENCY", "currency"), amount("DEBITS", "debits", "currency"), amount("CREDITS", "credits", "currency")})
}
