package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Movement is what charges, refunds, payouts and transfers share. Amounts are
// minor units of Currency; always 0 ≤ AmountRefunded ≤ AmountCaptured ≤ Amount.
type Movement struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"` // charge, refund, payout, transfer
	Amount         int64             `json:"amount"`
	AmountCaptured int64             `json:"amount_captured"`
	AmountRefunded int64             `json:"amount_refunded"`
	Fee            int64             `json:"fee"`
	Currency       string            `json:"currency"` // lower case
	Created        int64             `json:"created"`  // Unix seconds
	Status         string            `json:"status"`
	FailureCode    string            `json:"failure_code"`
	FailureMessage string            `json:"failure_message"`
	InDoubt        bool              `json:"in_doubt"` // the rail's answer is not known
	Livemode       bool              `json:"livemode"`
	CreatedAt      string            `json:"created_at"` // UTC, without a zone
	UpdatedAt      string            `json:"updated_at"`
	Description    string            `json:"description"`
	Reference      string            `json:"reference"`
	Customer       string            `json:"customer"`
	Metadata       map[string]string `json:"metadata"`
	Provider       string            `json:"provider"`
	Version        int64             `json:"version"`
	Rail           string            `json:"rail"`
	EndToEndID     string            `json:"end_to_end_id"` // by which the banks on the way know it; empty: not told
	ExpiresAt      int64             `json:"expires_at"`    // Unix seconds; 0: never
}

// Final reports whether nothing more is on its way: the movement is neither
// pending nor on hold. What was returned or succeeded can still be moved by
// somebody.
func (m *Movement) Final() bool { return m.Status != "pending" && m.Status != "onhold" }

func (m *Movement) movement() *Movement { return m }

// Charge is money from a payer to the merchant.
type Charge struct {
	Movement
	Capture             bool        `json:"capture"`
	Account             string      `json:"account"`
	StatementDescriptor string      `json:"statement_descriptor"`
	ReceiptEmail        string      `json:"receipt_email"`
	NextAction          *NextAction `json:"next_action"`
	Source              string      `json:"source"`
	Card                *Card       `json:"card"`
	Mobile              *Mobile     `json:"mobile"`
	Bank                *Bank       `json:"bank"`
}

// Refund is money of a charge back to its payer.
type Refund struct {
	Movement
	Charge string `json:"charge"`
	Reason string `json:"reason"`
}

// Payout is money from the merchant to somebody outside.
type Payout struct {
	Movement
	Account   string  `json:"account"`
	Recipient *Party  `json:"recipient"`
	RetryOf   string  `json:"retry_of"`
	Source    string  `json:"source"`
	Card      *Card   `json:"card"`
	Mobile    *Mobile `json:"mobile"`
	Bank      *Bank   `json:"bank"`
}

// Transfer is money between two accounts.
type Transfer struct {
	Movement
	FromAccount string `json:"from_account"`
	Destination string `json:"destination"`
	TwoPhase    bool   `json:"two_phase"`
}

// NextAction is what the payer of a pending charge has to do.
type NextAction struct {
	Type          string `json:"type"`
	BRCode        string `json:"br_code"`
	QRSVG         string `json:"qr_svg"`
	BarCode       string `json:"bar_code"`
	DigitableLine string `json:"digitable_line"`
	ExpiresAt     int64  `json:"expires_at"`
}

// Card is a card: its token in requests, its brand and last digits in answers.
type Card struct {
	Token string `json:"token,omitempty"`
	Brand string `json:"brand,omitempty"`
	Last4 string `json:"last4,omitempty"`
}

// Mobile is a phone that pays or is paid, E.164.
type Mobile struct {
	Phone string `json:"phone"`
}

// Bank is a destination or a way to collect at a bank; Method says which members
// it needs.
type Bank struct {
	Method        string `json:"method"`
	Key           string `json:"key,omitempty"`
	KeyType       string `json:"key_type,omitempty"` // in answers
	Account       string `json:"account,omitempty"`
	IBAN          string `json:"iban,omitempty"`
	BIC           string `json:"bic,omitempty"`
	RoutingNumber string `json:"routing_number,omitempty"`
	Country       string `json:"country,omitempty"`
	BankCode      string `json:"bank_code,omitempty"`
	Branch        string `json:"branch,omitempty"`
	AccountNumber string `json:"account_number,omitempty"`
	AccountType   string `json:"account_type,omitempty"`
	Warning       string `json:"warning,omitempty"` // in answers
}

// Party is a person or company.
type Party struct {
	Name     string    `json:"name,omitempty"`
	Email    string    `json:"email,omitempty"`
	Phone    string    `json:"phone,omitempty"`
	Document *Document `json:"document,omitempty"`
}

// Document is an identity document.
type Document struct {
	Type    string `json:"type"`
	Number  string `json:"number"`
	Country string `json:"country,omitempty"`
}

// ChargeCreate asks for a charge.
type ChargeCreate struct {
	Amount      int64             `json:"amount"`
	Currency    string            `json:"currency"`
	Provider    string            `json:"provider,omitempty"` // card, mobile, bank; or Source
	Card        *Card             `json:"card,omitempty"`
	Mobile      *Mobile           `json:"mobile,omitempty"`
	Bank        *Bank             `json:"bank,omitempty"`
	Source      string            `json:"source,omitempty"`
	Customer    any               `json:"customer,omitempty"` // an id, or *Party to make one
	Account     string            `json:"account,omitempty"`
	Capture     *bool             `json:"capture,omitempty"` // nil: true
	Description string            `json:"description,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Descriptor  string            `json:"statement_descriptor,omitempty"`
	Email       string            `json:"receipt_email,omitempty"`
}

// RefundCreate asks for a refund.
type RefundCreate struct {
	Charge      string            `json:"charge"`
	Amount      int64             `json:"amount,omitempty"` // 0: what is left
	Reason      string            `json:"reason,omitempty"`
	Description string            `json:"description,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// PayoutCreate asks for a payout.
type PayoutCreate struct {
	Amount      int64             `json:"amount"`
	Currency    string            `json:"currency"`
	Provider    string            `json:"provider,omitempty"`
	Card        *Card             `json:"card,omitempty"`
	Mobile      *Mobile           `json:"mobile,omitempty"`
	Bank        *Bank             `json:"bank,omitempty"`
	Source      string            `json:"source,omitempty"`
	Customer    string            `json:"customer,omitempty"`
	Account     string            `json:"account,omitempty"`
	Recipient   *Party            `json:"recipient,omitempty"`
	Description string            `json:"description,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// TransferCreate asks for a transfer.
type TransferCreate struct {
	Amount      int64             `json:"amount"`
	Currency    string            `json:"currency"`
	FromAccount string            `json:"from_account,omitempty"` // "": the main account
	Destination string            `json:"destination"`
	Pending     bool              `json:"pending,omitempty"`    // two-phase
	ExpiresAt   int64             `json:"expires_at,omitempty"` // Unix seconds, of a two-phase one
	Description string            `json:"description,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// Update changes a movement; nil and "" leave a field as it is.
type Update struct {
	Amount      int64             `json:"amount,omitempty"`
	Status      string            `json:"status,omitempty"` // succeeded, canceled, pending
	Description *string           `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// Filter narrows a list of movements. Zero members do not narrow.
type Filter struct {
	Status    []string
	Currency  string
	Customer  string
	Reference string
	Since     time.Time // created at or after
	Until     time.Time // created before
	AmountMin int64
	AmountMax int64
	Metadata  map[string]string
	PerPage   int // objects per request, 1 to 100; 0: 100
}

func (f *Filter) query() url.Values {
	q := url.Values{}
	if f == nil {
		f = &Filter{}
	}
	q.Set("limit", strconv.Itoa(perPage(f.PerPage)))
	set := func(name, v string) {
		if v != "" {
			q.Set(name, v)
		}
	}
	set("status", strings.Join(f.Status, ","))
	set("currency", f.Currency)
	set("customer", f.Customer)
	set("reference", f.Reference)
	if !f.Since.IsZero() {
		q.Set("created[gte]", f.Since.UTC().Format(time.RFC3339))
	}
	if !f.Until.IsZero() {
		q.Set("created[lt]", f.Until.UTC().Format(time.RFC3339))
	}
	if f.AmountMin > 0 {
		q.Set("amount[gte]", strconv.FormatInt(f.AmountMin, 10))
	}
	if f.AmountMax > 0 {
		q.Set("amount[lte]", strconv.FormatInt(f.AmountMax, 10))
	}
	for key, v := range f.Metadata {
		q.Set("metadata["+key+"]", v)
	}
	return q
}

func perPage(n int) int {
	if n == 0 {
		return 100
	}
	return n
}

// Movements are the routes that the four kinds share: T is what they answer, N
// what creates one. A reference that was used before with the same data answers
// the movement that it made.
type Movements[T, N any] struct{ Documents[T, N, Update] }

func movements[T, N any](c *Client, path string) Movements[T, N] {
	return Movements[T, N]{Documents[T, N, Update]{objects[T, N]{c, path}}}
}

// List reads the movements that a filter (nil: all) lets through, newest first.
func (m Movements[T, N]) List(ctx context.Context, f *Filter) iter.Seq2[*T, error] {
	return list[T](ctx, m.c, m.path, f.query())
}

// Ledger reads the postings that a movement made.
func (m Movements[T, N]) Ledger(ctx context.Context, id string) ([]*LedgerTransaction, error) {
	return whole[LedgerTransaction](ctx, m.c, one(m.path, id, "ledger"), nil)
}

// Timeline reads what happened to a movement, oldest first.
func (m Movements[T, N]) Timeline(ctx context.Context, id string) ([]*Moment, error) {
	return whole[Moment](ctx, m.c, one(m.path, id, "timeline"), nil)
}

// Await reads a movement until it is final or the context ends; it returns the
// movement as it was read last beside the context's error.
func (m Movements[T, N]) Await(ctx context.Context, id string) (*T, error) {
	var seen *T
	for wait := 200 * time.Millisecond; ; wait = min(wait*3/2, 5*time.Second) {
		v, err := m.Retrieve(ctx, id)
		if err != nil {
			return seen, err
		}
		seen = v
		if any(v).(interface{ movement() *Movement }).movement().Final() {
			return v, nil
		}
		if err := m.c.pause(ctx, wait); err != nil {
			return seen, err
		}
	}
}

type amountBody struct {
	Amount int64 `json:"amount,omitempty"`
}

type codeBody struct {
	Code string `json:"code,omitempty"`
}

// Moment is one line of an object's story.
type Moment struct {
	At     string `json:"at"`   // RFC 3339
	Type   string `json:"type"` // request, ledger_transaction, attempt, event
	ID     string `json:"id"`
	What   string `json:"what"`
	Detail string `json:"detail"`
}

// Charges are the routes of charges.
type Charges struct {
	Movements[Charge, ChargeCreate]
}

// Capture collects what a charge has authorised, or (amount > 0) a part of it.
func (r Charges) Capture(ctx context.Context, id string, amount int64, o ...Option) (*Charge, error) {
	return r.act(ctx, id, "capture", amountBody{amount}, o)
}

// Cancel withdraws what was not captured.
func (r Charges) Cancel(ctx context.Context, id string, o ...Option) (*Charge, error) {
	return r.act(ctx, id, "cancel", nil, o)
}

// Release lets a charge on hold go on.
func (r Charges) Release(ctx context.Context, id string, o ...Option) (*Charge, error) {
	return r.act(ctx, id, "release", nil, o)
}

// Confirm says that a charge on the manual rail was paid.
func (r Charges) Confirm(ctx context.Context, id string, o ...Option) (*Charge, error) {
	return r.act(ctx, id, "confirm", nil, o)
}

// Fail says that a charge on the manual rail was not paid.
func (r Charges) Fail(ctx context.Context, id, code string, o ...Option) (*Charge, error) {
	return r.act(ctx, id, "fail", codeBody{code}, o)
}

// Refunds are the routes of refunds.
type Refunds struct {
	Movements[Refund, RefundCreate]
}

// Cancel withdraws a refund that was not sent.
func (r Refunds) Cancel(ctx context.Context, id string, o ...Option) (*Refund, error) {
	return r.act(ctx, id, "cancel", nil, o)
}

// Release lets a refund on hold go on.
func (r Refunds) Release(ctx context.Context, id string, o ...Option) (*Refund, error) {
	return r.act(ctx, id, "release", nil, o)
}

// Confirm says that a refund on the manual rail was given back.
func (r Refunds) Confirm(ctx context.Context, id string, o ...Option) (*Refund, error) {
	return r.act(ctx, id, "confirm", nil, o)
}

// Fail says that a refund on the manual rail was not given back.
func (r Refunds) Fail(ctx context.Context, id, code string, o ...Option) (*Refund, error) {
	return r.act(ctx, id, "fail", codeBody{code}, o)
}

// Return says that a refund on the manual rail bounced.
func (r Refunds) Return(ctx context.Context, id string, o ...Option) (*Refund, error) {
	return r.act(ctx, id, "return", nil, o)
}

// Payouts are the routes of payouts.
type Payouts struct {
	Movements[Payout, PayoutCreate]
}

// Cancel withdraws a payout that was not sent.
func (r Payouts) Cancel(ctx context.Context, id string, o ...Option) (*Payout, error) {
	return r.act(ctx, id, "cancel", nil, o)
}

// Release lets a payout on hold go on.
func (r Payouts) Release(ctx context.Context, id string, o ...Option) (*Payout, error) {
	return r.act(ctx, id, "release", nil, o)
}

// Retry makes a new payout with the data of one that did not arrive; reference
// "" counts the old one up.
func (r Payouts) Retry(ctx context.Context, id, reference string, o ...Option) (*Payout, error) {
	return r.act(ctx, id, "retry", struct {
		Reference string `json:"reference,omitempty"`
	}{reference}, o)
}

// CreditBack credits a returned payout to the balance.
func (r Payouts) CreditBack(ctx context.Context, id string, o ...Option) (*Payout, error) {
	return r.act(ctx, id, "credit_back", nil, o)
}

// Confirm says that a payout on the manual rail was paid.
func (r Payouts) Confirm(ctx context.Context, id string, o ...Option) (*Payout, error) {
	return r.act(ctx, id, "confirm", nil, o)
}

// Fail says that a payout on the manual rail was not paid.
func (r Payouts) Fail(ctx context.Context, id, code string, o ...Option) (*Payout, error) {
	return r.act(ctx, id, "fail", codeBody{code}, o)
}

// Return says that a payout on the manual rail came back.
func (r Payouts) Return(ctx context.Context, id string, o ...Option) (*Payout, error) {
	return r.act(ctx, id, "return", nil, o)
}

// Transfers are the routes of transfers.
type Transfers struct {
	Movements[Transfer, TransferCreate]
}

// Reverse gives back a transfer or (amount > 0) a part of it.
func (r Transfers) Reverse(ctx context.Context, id string, amount int64, o ...Option) (*Transfer, error) {
	return r.act(ctx, id, "reverse", amountBody{amount}, o)
}

// Post moves what a two-phase transfer has reserved.
func (r Transfers) Post(ctx context.Context, id string, o ...Option) (*Transfer, error) {
	return r.act(ctx, id, "post", nil, o)
}

// Void gives up what a two-phase transfer has reserved.
func (r Transfers) Void(ctx context.Context, id string, o ...Option) (*Transfer, error) {
	return r.act(ctx, id, "void", nil, o)
}
