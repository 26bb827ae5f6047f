package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Balances are a merchant's main accounts at one moment.
type Balances struct {
	AsOfSequence int64      `json:"as_of_sequence"`
	Balances     []*Balance `json:"balances"`
}

// Balance is a merchant's money of one currency, minor units.
type Balance struct {
	Currency  string `json:"currency"`
	Available int64  `json:"available"`
	Pending   int64  `json:"pending"`  // captured, not settled
	Reserved  int64  `json:"reserved"` // held back for what is not final
	Returns   int64  `json:"returns"`  // payouts that came back and were not credited
}

// Balances reads the main accounts as one snapshot: now, or (at not zero) of a
// past instant.
func (c *Client) Balances(ctx context.Context, at time.Time) (*Balances, error) {
	q := url.Values{}
	if !at.IsZero() {
		q.Set("at", at.UTC().Format(time.RFC3339))
	}
	return fetch[Balances](ctx, c, "/v1/balances", q)
}

// Account is a place for money: a main account of a currency, or a sub-account.
type Account struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Kind          string            `json:"kind"` // main or sub
	Currency      string            `json:"currency"`
	Balance       int64             `json:"balance"`
	AllowNegative bool              `json:"allow_negative"`
	Closed        bool              `json:"closed"`
	Metadata      map[string]string `json:"metadata"`
	Created       int64             `json:"created"`
	CreatedAt     string            `json:"created_at"`
	Livemode      bool              `json:"livemode"`
	Version       int64             `json:"version"`
}

// AccountCreate asks for a sub-account.
type AccountCreate struct {
	Name          string            `json:"name"`
	Currency      string            `json:"currency"`
	AllowNegative bool              `json:"allow_negative,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
}

// AccountsSnapshot are several accounts at one sequence.
type AccountsSnapshot struct {
	AsOfSequence int64      `json:"as_of_sequence"`
	Accounts     []*Account `json:"accounts"`
}

// Entry is one side of a posting on an account.
type Entry struct {
	Sequence  int64  `json:"sequence"` // of the ledger transaction
	Amount    int64  `json:"amount"`   // greater than 0: credit
	Balance   int64  `json:"balance"`  // after it
	Created   int64  `json:"created"`
	CreatedAt string `json:"created_at"`
}

// Accounts are the routes of accounts.
type Accounts struct {
	objects[Account, AccountCreate]
}

// Snapshot reads up to 100 accounts at one sequence.
func (r Accounts) Snapshot(ctx context.Context, ids ...string) (*AccountsSnapshot, error) {
	return fetch[AccountsSnapshot](ctx, r.c, r.path, url.Values{"ids": {strings.Join(ids, ",")}})
}

// Close closes an empty sub-account.
func (r Accounts) Close(ctx context.Context, id string, o ...Option) (*Account, error) {
	return r.act(ctx, id, "close", nil, o)
}

// Entries reads the statement of an account, newest first.
func (r Accounts) Entries(ctx context.Context, id string) iter.Seq2[*Entry, error] {
	return list[Entry](ctx, r.c, one(r.path, id, "entries"), url.Values{"limit": {"100"}})
}

// LedgerTransaction are postings made together, a link of the hash chain.
type LedgerTransaction struct {
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"`
	Cause     string    `json:"cause"`
	Currency  string    `json:"currency"`
	Source    string    `json:"source"` // the movement that caused it
	Postings  []Posting `json:"postings"`
	Hash      string    `json:"hash"`
	Created   int64     `json:"created"`
	CreatedAt string    `json:"created_at"`
}

// Posting is one debit and one credit of one amount.
type Posting struct {
	Debit  string `json:"debit"`
	Credit string `json:"credit"`
	Amount int64  `json:"amount"`
}

// TrialBalance are the sums of all debit and credit balances.
type TrialBalance struct {
	Sequence   int64  `json:"sequence"`
	Hash       string `json:"hash"`
	Currencies []struct {
		Currency string `json:"currency"`
		Debits   int64  `json:"debits"`
		Credits  int64  `json:"credits"`
	} `json:"currencies"`
}

// Ledger are the routes of the ledger.
type Ledger struct{ c *Client }

// Transactions reads all ledger transactions, newest first.
func (r Ledger) Transactions(ctx context.Context) iter.Seq2[*LedgerTransaction, error] {
	return list[LedgerTransaction](ctx, r.c, "/v1/ledger/transactions", url.Values{"limit": {"100"}})
}

// Transaction reads one.
func (r Ledger) Transaction(ctx context.Context, id string) (*LedgerTransaction, error) {
	return fetch[LedgerTransaction](ctx, r.c, one("/v1/ledger/transactions", id), nil)
}

// TrialBalance reads the sums of the key's books; with the admin token those of
// the whole installation.
func (r Ledger) TrialBalance(ctx context.Context) (*TrialBalance, error) {
	return fetch[TrialBalance](ctx, r.c, "/v1/ledger/trial_balance", nil)
}

// Test are the routes of the sandbox: test keys only.
type Test struct{ c *Client }

// Fund puts money into a balance.
func (r Test) Fund(ctx context.Context, currency string, amount int64, o ...Option) (*Account, error) {
	return send[Account](ctx, r.c, Request{Method: http.MethodPost, Path: "/v1/test/fund", Body: struct {
		Currency string `json:"currency"`
		Amount   int64  `json:"amount"`
	}{currency, amount}}, o)
}

// Move moves a movement by hand, as if its rail had called: kind is charges,
// refunds, payouts or transfers, outcome for example "failed:account_closed".
func (r Test) Move(ctx context.Context, kind, id, outcome string, o ...Option) (*Movement, error) {
	return send[Movement](ctx, r.c, Request{Method: http.MethodPost, Path: one("/v1/test", kind, id, outcome), Body: struct{}{}}, o)
}

// RailLine is what the sandbox rail was asked about one instruction, and did.
type RailLine struct {
	Instruction string `json:"instruction"`
	Object      string `json:"object"`
	Kind        string `json:"kind"`
	Submits     int64  `json:"submits"`
	Lookups     int64  `json:"lookups"`
	Done        bool   `json:"done"`
	At          string `json:"at"`
}

// RailLog reads the sandbox rail's log, in order.
func (r Test) RailLog(ctx context.Context) iter.Seq2[*RailLine, error] {
	return list[RailLine](ctx, r.c, "/v1/test/rail/log", url.Values{"limit": {"1000"}})
}

// TestData is what test mode holds.
type TestData struct {
	Status             string     `json:"status"` // ready, or wiping: test mode refuses requests until it is gone
	Charges            int64      `json:"charges"`
	Refunds            int64      `json:"refunds"`
	Payouts            int64      `json:"payouts"`
	Transfers          int64      `json:"transfers"`
	LedgerTransactions int64      `json:"ledger_transactions"`
	WipedAt            *time.Time `json:"wiped_at"`
}

// Data reads what test mode holds.
func (r Test) Data(ctx context.Context) (*TestData, error) {
	return fetch[TestData](ctx, r.c, "/v1/test/data", nil)
}

// Wipe begins to remove the merchant's test data, and returns what there was. It
// goes on by itself; Data says when it is over.
func (r Test) Wipe(ctx context.Context, o ...Option) (*TestData, error) {
	return send[TestData](ctx, r.c, Request{Method: http.MethodPost, Path: "/v1/test/wipe", Body: struct{}{}}, o)
}

// Clock is the merchant's test clock.
type Clock struct {
	Now   time.Time `json:"now"`
	State string    `json:"state"` // running, frozen or waiting
	Ahead int64     `json:"ahead"` // seconds before the real time
	Fired []struct {
		Object string `json:"object"`
		Kind   string `json:"kind"`
	} `json:"fired"` // what became due and has run
}

// Clock reads the test clock.
func (r Test) Clock(ctx context.Context) (*Clock, error) {
	return fetch[Clock](ctx, r.c, "/v1/test/clock", nil)
}

// Advance puts the test clock forward and waits for what becomes due.
func (r Test) Advance(ctx context.Context, by time.Duration, o ...Option) (*Clock, error) {
	return send[Clock](ctx, r.c, Request{Method: http.MethodPost, Path: "/v1/test/clock", Body: struct {
		Advance string `json:"advance"`
	}{by.String()}}, o)
}

// Freeze stops the test clock, until Advance puts it forward or Reset ends that.
func (r Test) Freeze(ctx context.Context, o ...Option) (*Clock, error) {
	return send[Clock](ctx, r.c, Request{Method: http.MethodPost, Path: "/v1/test/clock", Body: struct {
		Freeze bool `json:"freeze"`
	}{true}}, o)
}

// Reset makes the test clock show the real time again. Where it is ahead it waits
// for the real time to come.
func (r Test) Reset(ctx context.Context, o ...Option) (*Clock, error) {
	return send[Clock](ctx, r.c, Request{Method: http.MethodPost, Path: "/v1/test/clock", Body: struct {
		Reset bool `json:"reset"`
	}{true}}, o)
}
