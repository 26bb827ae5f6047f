package giro

import (
	"context"
	"time"

	"giro/money"
)

// Op is what an instruction asks a rail to do.
type Op string

const (
	OpCharge    Op = "charge"    // authorise and capture (card), or collect at once
	OpAuthorise Op = "authorise" // hold without capturing; also the difference when a charge is raised
	OpCapture   Op = "capture"   // collect what was authorised
	OpVoid      Op = "void"      // withdraw what was authorised and not captured
	OpRefund    Op = "refund"    // give back to the payer
	OpPayout    Op = "payout"    // send
)

// Instruction is one thing asked of a rail. Its ID never changes between
// attempts: the rail's guard against doing it twice.
type Instruction struct {
	ID       string         `json:"id"` // movement id and step: "po_…-1"
	Op       Op             `json:"op"`
	Amount   int64          `json:"amount"` // minor units
	Currency money.Currency `json:"-"`
	At       int64          `json:"at,omitempty"`      // µs, when it was handed over first; 0: not yet
	Lookups  int            `json:"lookups,omitempty"` // asked for its outcome so far

	Book     Book      `json:"-"`
	Movement *Movement `json:"-"` // the movement it belongs to; rails read, never write it
	Charge   *Movement `json:"-"` // for a refund: the charge that is given back
	Payer    *Party    `json:"-"` // of a charge with a customer
	Now      time.Time `json:"-"` // the book's clock
}

// Verdict is what a rail says of an instruction.
type Verdict string

const (
	VerdictPending    Verdict = "pending"    // taken; the outcome comes later
	VerdictAuthorised Verdict = "authorised" // held, not captured
	VerdictSucceeded  Verdict = "succeeded"
	VerdictFailed     Verdict = "failed"   // proof that it did not and will not happen
	VerdictCanceled   Verdict = "canceled" // proof that the rail withdrew it
	VerdictReturned   Verdict = "returned" // happened and was sent back
	VerdictRefunded   Verdict = "refunded" // sent back, and credited to the merchant again
	VerdictOnHold     Verdict = "onhold"   // not taken: waits for a person on our side; nothing was done
	VerdictAbsent     Verdict = "absent"   // proof that the rail never got it: may be sent again
)

// final reports whether the rail will say nothing else of the instruction.
func (v Verdict) final() bool {
	switch v {
	case VerdictSucceeded, VerdictFailed, VerdictCanceled, VerdictReturned, VerdictRefunded:
		return true
	}
	return false
}

// Outcome is a rail's answer. An error beside it means that the answer is not
// known, whatever the error says.
type Outcome struct {
	Verdict   Verdict
	Code      string        // failure code: account_closed, declined, …
	Message   string        // for people
	Reference string        // the rail's own id
	After     time.Duration // with VerdictPending: when to ask again, by the book's clock; 0: by the usual schedule
	Awaits    bool          // with VerdictPending: nothing is on its way, the payer or a person acts next; do not ask
	Next      *NextAction   // what the payer has to do
	Heard     []byte        // the answer as it came, what may not be shown masked; nil: it follows from the others. Also beside an error
}

// Rail is a way for money to leave and enter.
//
// Both methods may be called at once and again. An error means "not known":
// never "failed". A rail does at most once whatever is submitted under one
// instruction id, however often it is asked.
type Rail interface {
	// Submit hands the instruction over; safe to repeat with the same id.
	Submit(ctx context.Context, in Instruction) (Outcome, error)
	// Lookup asks what became of an instruction: VerdictAbsent proves that it
	// never arrived.
	Lookup(ctx context.Context, in Instruction) (Outcome, error)
}

// Witness is a rail that tells what was said between it and giro. Neither method
// asks anybody: what they return follows from what they are given.
type Witness interface {
	Rail
	// EndToEnd is the id by which every bank on the way knows what an instruction
	// moves; empty: its scheme has none.
	EndToEnd(in Instruction) string
	// Recall writes the request and the answer of an attempt as they went over the
	// wire, with documents, keys and numbers of accounts masked. heard is what was
	// kept of the answer. nil: nothing was sent, nobody answered, or it is not known
	// any more.
	Recall(in Instruction, a Attempt, heard []byte) (request, answer *Spoken)
}

// Spoken is a request to a rail, or its answer.
type Spoken struct {
	Method, Path string // of a request
	Status       int    // of an answer
	Body         []byte // JSON; nil: none
}

// Listener is a rail whose provider sends messages. They are hints: giro asks
// the rail for what they announce.
type Listener interface {
	Rail
	// Read checks that a message to a merchant is the provider's and says which
	// instructions it is about; CodeUnauthenticated: it is not the provider's.
	Read(ctx context.Context, book Book, header func(name string) string, body []byte) (Message, error)
}

// Message is what a provider has sent unasked.
type Message struct {
	ID           string // the same for the same message, sent again
	Instructions []string
}

// Refunder is a rail that says whether it can give charges back. One that
// cannot leaves their refunds to a person: they go to the manual rail.
type Refunder interface{ Refunds() bool }
