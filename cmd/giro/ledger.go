package main

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/alecthomas/kong"

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

func (c *accountListCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	n := nounOf(k)
	if len(c.IDs) == 0 {
		return c.each(s, n, n.path, url.Values{})
	}
	ids := ""
	for i, id := range c.IDs {
		if i > 0 {
			ids += ","
		}
		ids += id
	}
	v, _, err := s.read(n.path, url.Values{"ids": {ids}})
	if err != nil {
		return err
	}
	if s.form == "json" || s.form == "yaml" {
		return s.object(v, n.columns) // with the sequence
	}
	rows := s.table(n.columns)
	for _, item := range v.at("accounts").members {
		if err := rows.row(item); err != nil {
			return err
		}
	}
	return rows.end()
}

type accountCreateCommand struct {
	apiFlags
	Name           string            `required:"" help:"Name." placeholder:"NAME"`
	Currency       string            `required:"" help:"ISO 4217." placeholder:"CODE"`
	AllowNegative  bool              `help:"Let it fall below zero."`
	Metadata       map[string]string `help:"key=value; several." placeholder:"K=V"`
	IdempotencyKey string            `help:"Repeats an earlier command safely; made if absent." placeholder:"KEY"`
}

func (c *accountCreateCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	n := nounOf(k)
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Key: c.IdempotencyKey,
		Body: client.AccountCreate{Name: c.Name, Currency: c.Currency, AllowNegative: c.AllowNegative, Metadata: c.Metadata}})
}

type statementCommand struct {
	apiFlags
	ID string `arg:"" help:"The account's id."`
	paging
}

func (c *statementCommand) Run(t *terminal) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	path := "/v1/accounts/" + url.PathEscape(c.ID)
	account, _, err := s.read(path, nil)
	if err != nil {
		return err
	}
	currency := account.at("currency").string()
	sum := func(head, member string) column {
		return column{head: head, cell: func(p *printer, row *tree) string { return p.money(row.at(member), currency) }}
	}
	n := &noun{"entry", path + "/entries", []column{plain("SEQUENCE", "sequence"), sum("AMOUNT", "amount"), sum("BALANCE", "balance"), moment("CREATED", "created")}}
	return c.each(s, n, n.path, url.Values{})
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

func (c *transactionListCommand) Run(t *terminal, k *kong.Context) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	q := url.Values{}
	if c.Before > 0 {
		q.Set("before", strconv.FormatInt(c.Before, 10))
	}
	n := nounOf(k)
	return (&paging{Limit: c.Limit, All: c.All}).each(s, n, n.path, q)
}

type trialBalanceCommand struct{ apiFlags }

func (c *trialBalanceCommand) Run(t *terminal) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	v, _, err := s.read("/v1/ledger/trial_balance", nil)
	if err != nil {
		return err
	}
	if s.form == "json" || s.form == "jsonl" || s.form == "yaml" {
		return s.object(v, nil)
	}
	rows := s.table([]column{plain("CURRENCY", "currency"), amount("DEBITS", "debits", "currency"), amount("CREDITS", "credits", "currency")})
	for _, line := range v.at("currencies").members {
		if err := rows.row(line); err != nil {
			return err
		}
	}
	return rows.end()
}
