package giro

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"giro/money"
)

// Request is what the creation of a movement asks for. Each kind reads its own
// members; amounts are minor units of Currency and were checked against the
// limits of one request.
type Request struct {
	Amount      int64
	Currency    money.Currency
	Provider    string
	Card        *Card
	Mobile      *Mobile
	Bank        *Bank
	Customer    UUID
	NewCustomer *Party // made together with the charge
	Source      UUID
	Account     UUID // charge, payout: where it goes to or comes from; transfer: from_account
	Destination UUID // transfer
	Charge      UUID // refund
	Recipient   *Party
	Capture     bool // charge
	Pending     bool // transfer: two-phase
	ExpiresAt   int64
	Description string
	Reference   string
	Metadata    map[string]string
	Descriptor  string
	Email       string
	Reason      string
	RetryOf     UUID
	Wire        json.RawMessage

	// CustomerReference names the customer by the caller's own id; on its first
	// use the customer is made, of NewCustomer. Customer is empty then.
	CustomerReference string    `json:",omitempty"`
	Quote             UUID      `json:",omitzero"` // payout: fixes amount, currency and exchange; used at most once
	Notify            *Notify   `json:",omitempty"`
	ExpiresIn         int64     `json:",omitempty"` // charge: seconds; 0: as its method has it
	Hybrid            bool      `json:",omitempty"` // charge by boleto: it can be paid by PIX too
	Exchange          *Exchange `json:"-"`          // follows from the amount and the rate of the moment
}

// fingerprint identifies the data of a request that carries a reference, as it
// was asked; empty: it carries none.
func (r *Request) fingerprint() string {
	if r.Reference == "" {
		return ""
	}
	said := *r
	if r.Notify != nil {
		said.Notify = &Notify{URL: r.Notify.URL} // whichever dialect repeats it
	}
	j, err := json.Marshal(&said)
	if err != nil {
		panic(err) // strings, numbers and ids alone
	}
	s := sha256.Sum256(j)
	return hex.EncodeToString(s[:12])
}

// repeated answers a reference that was used before: the same data gets the
// movement that it made, other data is refused.
func (b *Batch) repeated(book Book, kind Kind, req *Request) (*Result, error) {
	if req.Reference == "" {
		return nil, nil
	}
	id, used := b.references[ReferenceKey{book, kind, req.Reference}]
	if !used {
		return nil, nil
	}
	m := b.movements[id]
	if m == nil || m.Detail.Fingerprint != req.fingerprint() {
		return nil, Refuse(CodeDuplicateReference, "/reference", "this reference belongs to another "+string(kind)+" with other data")
	}
	c := m.clone()
	return &Result{Movement: &c, Existing: true}, nil
}

// draft makes the movement of a request, not yet in the batch and without its
// fingerprint.
func (e *Engine) draft(b *Batch, call *Call, kind Kind, req *Request) *Movement {
	book := call.Book()
	at := b.now(book)
	m := &Movement{
		ID: b.newID(at), Book: book, Kind: kind, Status: StatusPending,
		Amount: req.Amount, Currency: req.Currency, Created: at, Updated: at,
		Customer: req.Customer, Reference: req.Reference,
	}
	m.Detail = Detail{
		Provider: req.Provider, Account: req.Account, Source: req.Source, Card: req.Card, Mobile: req.Mobile, Bank: req.Bank,
		Recipient: req.Recipient, Description: req.Description, Metadata: req.Metadata, Descriptor: req.Descriptor,
		ReceiptEmail: req.Email, Reason: req.Reason, RetryOf: req.RetryOf, Simulate: call.Merchant.fault(call, kind), Publishable: call.Publishable,
		KeyID: call.Key, RequestID: call.RequestID, Wire: req.Wire,
		Exchange: req.Exchange, Quote: req.Quote, Notify: req.Notify,
	}
	if req.Bank != nil {
		m.Detail.Method = req.Bank.Method
	}
	m.Detail.Rail = call.Merchant.rail(call.Live, req.Provider, m.Detail.Method)
	return m
}

// rail returns the name of the rail that carries a movement; "" where there is
// none: live card charges without a card rail.
func (m *Merchant) rail(live bool, provider, method string) string {
	if !live {
		return "sandbox"
	}
	if r := m.Rails[provider+"/"+method]; r != "" {
		return r
	}
	if r := m.Rails[provider]; r != "" {
		return r
	}
	if provider == "card" {
		return ""
	}
	return manual
}

// instruct gives the movement its next instruction.
func (m *Movement) instruct(op Op, amount int64) {
	m.Detail.Steps++
	m.Detail.Step = &Instruction{ID: m.instruction(), Op: op, Amount: amount}
}

// instruction returns the id of the movement's latest instruction.
func (m *Movement) instruction() string {
	return m.ID.ID(m.Kind.Prefix()) + "-" + strconv.Itoa(m.Detail.Steps)
}

// manual is the rail on which nothing is sent: a person moves the money and says
// what became of it.
const manual = "manual"

// queueRail makes the movement's instruction, if it has one, due now.
func (b *Batch) queueRail(m *Movement) {
	if m.Detail.Step == nil {
		return
	}
	b.schedule(*railJob(m), b.now(m.Book))
}

// createKeys names what every creation needs.
func createKeys(call *Call, kind Kind, req *Request, rail string) Keys {
	book := call.Book()
	probe := &Movement{Book: book, Kind: kind, Currency: req.Currency, Detail: Detail{Account: req.Account, Destination: req.Destination, Rail: rail, Exchange: req.Exchange}}
	keys := Keys{Books: []Book{book}, Accounts: sideKeys(call.Merchant, probe)}
	if req.Reference != "" {
		keys.References = []ReferenceKey{{book, kind, req.Reference}}
	}
	if !req.Customer.IsZero() {
		keys.Documents = append(keys.Documents, DocumentKey{Kind: DocCustomer, ID: req.Customer})
	}
	if !req.Source.IsZero() {
		keys.Documents = append(keys.Documents, DocumentKey{Kind: DocSource, ID: req.Source})
	}
	if req.CustomerReference != "" {
		keys.Documents = append(keys.Documents, DocumentKey{Kind: DocCustomer, Lookup: CustomerLookup(book, req.CustomerReference)})
	}
	if !req.Quote.IsZero() {
		keys.Documents = append(keys.Documents, DocumentKey{Kind: DocQuote, ID: req.Quote})
	}
	return keys
}

// owned checks that the customer, source and account of a request are the
// caller's, and reads a saved source into the request.
func (b *Batch) owned(call *Call, req *Request) error {
	book := call.Book()
	if !req.Customer.IsZero() {
		if d := b.document(DocumentKey{Kind: DocCustomer, ID: req.Customer}); d == nil || d.Book != book {
			return Refuse(CodeCustomerUnknown, "/customer", "there is no such customer")
		}
	}
	if req.CustomerReference != "" {
		if d := b.document(DocumentKey{Kind: DocCustomer, Lookup: CustomerLookup(book, req.CustomerReference)}); d != nil {
			req.Customer, req.NewCustomer = d.ID, nil
		}
	}
	if !req.Source.IsZero() {
		d := b.document(DocumentKey{Kind: DocSource, ID: req.Source})
		if d == nil || d.Book != book {
			return Refuse(CodeSourceUnknown, "/source", "there is no such source")
		}
		var s Source
		if err := json.Unmarshal(d.Data, &s); err != nil {
			return err
		}
		req.Provider, req.Card, req.Mobile, req.Bank = s.Provider, s.Card, s.Mobile, s.Bank
		if req.Customer.IsZero() {
			req.Customer = s.Customer
		}
	}
	if !req.Account.IsZero() {
		if _, err := b.ownAccount(call, req.Account, req.Currency, "/account"); err != nil {
			return err
		}
	}
	return nil
}

// ownAccount returns an account that the caller may spend from.
func (b *Batch) ownAccount(call *Call, id UUID, currency money.Currency, param string) (*Account, error) {
	a := b.accounts[id]
	if a == nil || a.Book != call.Book() || a.Role != RoleAvailable && a.Role != RoleSub {
		return nil, Refuse(CodeAccountUnknown, param, "there is no such account")
	}
	if a.Closed {
		return nil, Refuse(CodeAccountClosed, param, "the account is closed")
	}
	if a.Currency != currency {
		return nil, Refuse(CodeCurrencyMismatch, param, "the account is kept in another currency")
	}
	return a, nil
}

// CreatePayout reserves the amount and makes a payout that is pending; a job
// hands it to its rail. Where the merchant allows it a payout that is not
// funded waits on hold with nothing reserved.
func (e *Engine) CreatePayout(ctx context.Context, call *Call, req Request) (*Result, error) {
	return result(e.do(ctx, e.payoutCommand(call, req, e.sendOff)))
}

// payoutCommand makes a payout; send sees to its instruction.
func (e *Engine) payoutCommand(call *Call, req Request, send func(*Batch, *Merchant, *Movement) error) *command {
	keys := createKeys(call, KindPayout, &req, call.Merchant.rail(call.Live, req.Provider, methodOf(req.Bank)))
	return &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		req := req
		if old, err := b.repeated(call.Book(), KindPayout, &req); old != nil || err != nil {
			return old, err
		}
		print := req.fingerprint()
		if err := b.owned(call, &req); err != nil {
			return nil, err
		}
		m := e.draft(b, call, KindPayout, &req)
		m.Detail.Fingerprint = print
		if m.Detail.Rail == "" {
			return nil, Refuse(CodeProviderUnavailable, "/provider", "no rail carries payouts of this provider in live mode")
		}
		if err := m.knowCard(); err != nil {
			return nil, err
		}
		b.head(m.Book, call.Merchant.ID)
		if err := b.useQuote(m); err != nil {
			return nil, err
		}
		if err := b.welcome(call, m, &req); err != nil {
			return nil, err
		}
		if m.Detail.Rail != manual {
			m.instruct(OpPayout, m.Amount)
			e.trace(b, m)
		}
		err := b.reserve(call.Merchant, m, nil, m.Amount)
		switch {
		case Is(err, CodeInsufficientFunds) && call.Merchant.HoldOnMissingFunds:
			m.Status, m.Detail.Unfunded = StatusOnHold, true
		case err != nil:
			return nil, err
		}
		b.insert(m)
		shown := b.emit(m, "created")
		if m.Status == StatusOnHold {
			shown = b.emit(m, "onhold")
		} else if err := send(b, call.Merchant, m); err != nil {
			return nil, err
		}
		c := m.clone()
		return &Result{Movement: &c, shown: shown}, nil
	}}
}

// welcome makes the customer that a creation brings along.
func (b *Batch) welcome(call *Call, m *Movement, req *Request) error {
	if req.NewCustomer == nil {
		return nil
	}
	id, err := b.newCustomer(call, &Customer{Party: *req.NewCustomer, Reference: req.CustomerReference})
	m.Customer = id
	return err
}

func methodOf(b *Bank) string {
	if b == nil {
		return ""
	}
	return b.Method
}

func result(v any, err error) (*Result, error) {
	r, _ := v.(*Result)
	return r, err
}
