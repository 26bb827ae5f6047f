package giro

import (
	"encoding/json"

	"giro/money"
)

// Kind is one of the four movements. They share a model and a life; what
// differs is which accounts they reserve and post (chart.go).
type Kind string

const (
	KindCharge   Kind = "charge"
	KindRefund   Kind = "refund"
	KindPayout   Kind = "payout"
	KindTransfer Kind = "transfer"
)

// Kinds lists the four.
var Kinds = []Kind{KindCharge, KindRefund, KindPayout, KindTransfer}

// Prefix returns the prefix of the kind's ids.
func (k Kind) Prefix() string {
	switch k {
	case KindCharge:
		return "ch"
	case KindRefund:
		return "re"
	case KindPayout:
		return "po"
	}
	return "tr"
}

// Plural returns the noun of routes and lists: "charges".
func (k Kind) Plural() string { return string(k) + "s" }

// Status is where a movement stands. The moves between them are the table in
// state.go.
type Status string

const (
	StatusPending   Status = "pending"   // accepted, not final; a payout's or refund's money is reserved
	StatusOnHold    Status = "onhold"    // waits for a person or a rule
	StatusSucceeded Status = "succeeded" // moved
	StatusFailed    Status = "failed"    // did not happen; reservation released
	StatusCanceled  Status = "canceled"  // withdrawn before it was sent
	StatusReturned  Status = "returned"  // moved, then sent back by the rail
	StatusRefunded  Status = "refunded"  // given back in full
)

// Statuses lists all of them.
var Statuses = []Status{StatusPending, StatusOnHold, StatusSucceeded, StatusFailed, StatusCanceled, StatusReturned, StatusRefunded}

// Movement is a charge, refund, payout or transfer. All amounts are minor units
// of Currency; always 0 ≤ Refunded ≤ Captured ≤ Amount.
type Movement struct {
	ID   UUID
	Book Book // of the merchant that made it
	Kind Kind

	Status  Status
	Sent    bool // an instruction was handed to the rail and has no final outcome
	InDoubt bool // the rail's answer to it is not known
	Deleted bool // hidden from lists and reads; money and history stay

	Amount   int64 // authorised, to give back, to send, to move
	Captured int64 // collected, given back, sent, moved
	Refunded int64 // given back to the payer, bounced back, returned, reversed
	Fee      int64
	Reserved int64 // what the ledger holds back for it now
	Currency money.Currency

	Created int64 // µs, of the book's clock; the id's time is the same
	Updated int64 // µs
	Version int64 // 1 at creation, then counts the changes that events tell

	Customer  UUID   // zero: none
	Reference string // the caller's own id, unique per book and kind; empty: none
	Parent    UUID   // a refund's charge
	Peer      Book   // the other merchant's book of a transfer between merchants; 0: none

	Detail Detail // what no index and no ledger rule needs

	New, Dirty bool // for the store: insert, or update
}

// Detail is the part of a movement that is stored as one JSON value. Zero
// members are left out.
type Detail struct {
	Rail     string `json:"rail,omitempty"`     // name of the rail that carries it
	Provider string `json:"provider,omitempty"` // card, mobile, bank; manual and transfers have none
	Method   string `json:"method,omitempty"`   // of provider bank: pix, boleto, spei, …

	Account       UUID  `json:"account,omitzero"`         // the account it comes from or goes to: available side; zero: the main account
	Destination   UUID  `json:"destination,omitzero"`     // a transfer's target account
	Source        UUID  `json:"source,omitzero"`          // the saved source that was used
	RetryOf       UUID  `json:"retry_of,omitzero"`        // the payout that this one tries again
	TwoPhase      bool  `json:"two_phase,omitempty"`      // a transfer that reserves until posted or voided
	FromPending   int64 `json:"from_pending,omitempty"`   // part of a refund's reservation that came from the pending account
	Unsettled     int64 `json:"unsettled,omitempty"`      // part of a charge that waits in the pending account
	RefundsOpen   int64 `json:"refunds_open,omitempty"`   // sum of a charge's refunds without a final outcome
	Authorised    int64 `json:"authorised,omitempty"`     // what the rail has authorised of a charge, captured part included
	Unfunded      bool  `json:"unfunded,omitempty"`       // on hold for missing funds: nothing is reserved
	ManualCapture bool  `json:"manual_capture,omitempty"` // capture: false at creation

	Card      *Card       `json:"card,omitempty"`
	Mobile    *Mobile     `json:"mobile,omitempty"`
	Bank      *Bank       `json:"bank,omitempty"`
	Recipient *Party      `json:"recipient,omitempty"`
	Next      *NextAction `json:"next_action,omitempty"`
	ExpiresAt int64       `json:"expires_at,omitempty"` // µs; canceled then
	SettleAt  int64       `json:"settle_at,omitempty"`  // µs; pending money becomes available then

	FailureCode    string            `json:"failure_code,omitempty"`
	FailureMessage string            `json:"failure_message,omitempty"`
	Reason         string            `json:"reason,omitempty"` // of a refund
	Description    string            `json:"description,omitempty"`
	Descriptor     string            `json:"statement_descriptor,omitempty"`
	ReceiptEmail   string            `json:"receipt_email,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Simulate       string            `json:"simulate,omitempty"`    // the sandbox outcome that was asked for
	Fingerprint    string            `json:"fingerprint,omitempty"` // of the request, to compare a repeated reference
	Publishable    bool              `json:"publishable,omitempty"` // made with a publishable key
	KeyID          UUID              `json:"key,omitzero"`          // the API key that made it
	RequestID      string            `json:"request_id,omitempty"`

	Steps             int           `json:"steps,omitempty"`              // instructions made so far
	Step              *Instruction  `json:"step,omitempty"`               // the outstanding or next instruction
	Attempts          []Attempt     `json:"attempts,omitempty"`           // what the rail was asked, newest last, at most maxAttempts
	DoubtAt           int64         `json:"doubt_at,omitempty"`           // µs, since when the outcome is unknown
	Voids             []Instruction `json:"voids,omitempty"`              // what the rail is to let go of a card, not confirmed yet; see void.go
	ProviderReference string        `json:"provider_reference,omitempty"` // the rail's own id
	EndToEnd          string        `json:"end_to_end_id,omitempty"`      // by which every bank on the way knows it

	Exchange *Exchange `json:"exchange,omitempty"` // the currency outside, where it is another one
	Quote    UUID      `json:"quote,omitzero"`     // the quote that fixed the amounts
	Notify   *Notify   `json:"notify,omitempty"`   // who is told, beside the merchant's endpoints

	Wire json.RawMessage `json:"wire,omitempty"` // what a dialect keeps to write the object back as its caller wrote it
}

// Card is a card as giro knows it: a token of the rail, never a number.
type Card struct {
	Token string `json:"token"`
	Brand string `json:"brand,omitempty"`
	Last4 string `json:"last4,omitempty"`
}

// Mobile is a mobile-money destination or payer.
type Mobile struct {
	Phone string `json:"phone"` // E.164
}

// Bank is a destination or a way to collect at a bank. Which members are set
// depends on Method.
type Bank struct {
	Method        string `json:"method"`
	Key           string `json:"key,omitempty"`      // PIX or Bre-B key
	KeyType       string `json:"key_type,omitempty"` // cpf, cnpj, phone, email, evp
	Account       string `json:"account,omitempty"`  // CLABE or phone (spei)
	IBAN          string `json:"iban,omitempty"`
	BIC           string `json:"bic,omitempty"`
	RoutingNumber string `json:"routing_number,omitempty"`
	Country       string `json:"country,omitempty"` // ISO 3166 alpha-2
	BankCode      string `json:"bank_code,omitempty"`
	Branch        string `json:"branch,omitempty"`
	AccountNumber string `json:"account_number,omitempty"`
	AccountType   string `json:"account_type,omitempty"`
	Warning       string `json:"warning,omitempty"` // a doubt about the destination that is no reason to refuse
}

// Party is a person or company with an identity document.
type Party struct {
	Name     string    `json:"name,omitempty"`
	Email    string    `json:"email,omitempty"`
	Phone    string    `json:"phone,omitempty"`
	Document *Document `json:"document,omitempty"`
}

// Document is an identity document, canonical as bank.ParseDocument wrote it.
type Document struct {
	Type    string `json:"type"`
	Number  string `json:"number"`
	Country string `json:"country,omitempty"` // ISO 3166 alpha-2
}

// NextAction is what the payer of a pending charge has to do.
type NextAction struct {
	Type          string `json:"type"` // pix, boleto, bank_transfer
	BRCode        string `json:"br_code,omitempty"`
	BarCode       string `json:"bar_code,omitempty"`
	DigitableLine string `json:"digitable_line,omitempty"`
	ExpiresAt     int64  `json:"expires_at,omitempty"` // Unix seconds
}

// Exchange says that a movement is kept in one currency and paid in another: a
// payout that debits dollars and arrives as reais.
type Exchange struct {
	Currency money.Currency `json:"currency"` // in which the rail pays or collects
	Amount   int64          `json:"amount"`   // minor units of it, for the whole movement
	Rate     Rate           `json:"rate"`     // units of it for one unit of the movement's currency
}

// Notify is where one movement's changes are told, in the form of a dialect.
type Notify struct {
	URL     string `json:"url"`
	Dialect string `json:"dialect"` // smartfastpay or jumppag
}

// Outside returns what the rail pays or collects for the whole movement: its
// amount, or what that was exchanged to.
func (m *Movement) Outside() (amount int64, currency money.Currency) {
	if x := m.Detail.Exchange; x != nil {
		return x.Amount, x.Currency
	}
	return m.Amount, m.Currency
}

// Attempt is one time that a rail was asked about a movement's instruction.
type Attempt struct {
	At          int64  `json:"at"` // µs
	Instruction string `json:"instruction"`
	Act         string `json:"act"` // submit or lookup
	Result      string `json:"result"`
	Code        string `json:"code,omitempty"`

	// A charge is carried in steps of different kinds and amounts; whatever else is
	// as its movement says.
	Op     Op    `json:"op,omitempty"`
	Amount int64 `json:"amount,omitempty"`
}

const maxAttempts = 20

// Refundable returns what can still be refunded of a charge: captured, less
// what was given back and what open refunds hold.
func (m *Movement) Refundable() int64 { return m.Captured - m.Refunded - m.Detail.RefundsOpen }

// stamp writes the movement's change time and version, for a change that its
// event tells. What nobody outside can see only marks the movement Dirty.
func (m *Movement) stamp(at int64) {
	m.Updated = at
	m.Version++
	m.Dirty = true
}

// clone returns a copy that shares nothing that a decision changes in place.
func (m *Movement) clone() Movement {
	c := *m
	if m.Detail.Step != nil {
		step := *m.Detail.Step
		c.Detail.Step = &step
	}
	c.Detail.Attempts = append([]Attempt(nil), m.Detail.Attempts...)
	c.Detail.Voids = append([]Instruction(nil), m.Detail.Voids...)
	return c
}
