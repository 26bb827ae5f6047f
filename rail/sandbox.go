// Package rail holds the ways in which money leaves and enters giro. Each is a
// giro.Rail; none knows another, or the store.
package rail

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"giro"
)

// errLost is what a caller sees when the sandbox loses its answer on purpose.
var errLost = errors.New("sandbox: the answer was lost")

// errUnavailable: the sandbox did not take the instruction, and the caller
// cannot know that.
var errUnavailable = errors.New("sandbox: unavailable")

// Memory is where the sandbox keeps what it was asked and what it did, durably
// before Record returns. What it has not heard of is pending and absent.
type Memory interface {
	SandboxRecord(ctx context.Context, in giro.Instruction, change func(*giro.SandboxRow)) (giro.SandboxRow, error)
}

// Sandbox moves no money and behaves like a rail that does. Its outcomes follow
// from what is sent, never from chance: the card's token, the payout's amount,
// or the outcome that the request named.
type Sandbox struct{ Memory Memory }

// settleTime is a little less than the first look-up's delay, so that it finds
// the outcome.
const settleTime = 900 * time.Millisecond

// script is what the sandbox will do with an instruction.
type script struct {
	verdict     giro.Verdict
	code        string
	at          time.Duration // the outcome is known so long after the instruction came
	lost        bool          // the work is done, its answer lost
	lostAbsent  bool          // the answer is lost and the work was never done
	unavailable int64         // so many submissions are lost before they arrive
}

func plan(in giro.Instruction) script {
	if s := in.Movement.Detail.Simulate; s != "" && in.Op != giro.OpCapture && in.Op != giro.OpVoid {
		return simulated(s, in)
	}
	switch in.Op {
	case giro.OpCharge, giro.OpAuthorise, giro.OpCapture, giro.OpVoid:
		return planCard(in)
	case giro.OpRefund:
		if in.Charge != nil && in.Charge.Detail.Card != nil && in.Charge.Detail.Card.Token == "tok_refund_fail" {
			return script{verdict: giro.VerdictFailed, code: "refund_failed", at: settleTime}
		}
		return script{verdict: giro.VerdictSucceeded, at: settleTime}
	}
	return planPayout(in)
}

func good(op giro.Op) giro.Verdict {
	if op == giro.OpAuthorise {
		return giro.VerdictAuthorised
	}
	return giro.VerdictSucceeded
}

func planCard(in giro.Instruction) script {
	token := ""
	if in.Movement.Detail.Card != nil {
		token = in.Movement.Detail.Card.Token
	}
	first := in.Movement.Detail.Steps <= 1
	if !first {
		return script{verdict: good(in.Op)} // what was authorised can be captured
	}
	switch token {
	case "tok_declined", "tok_insufficient_funds", "tok_expired", "tok_fraud":
		return script{verdict: giro.VerdictFailed, code: strings.TrimPrefix(token, "tok_")}
	case "tok_auth":
		return script{verdict: giro.VerdictAuthorised}
	case "tok_pending":
		return script{verdict: giro.VerdictPending}
	case "tok_timeout":
		return script{verdict: good(in.Op), lost: true}
	case "tok_timeout_failed":
		return script{verdict: giro.VerdictFailed, code: "not_done", lostAbsent: true}
	}
	return script{verdict: good(in.Op)}
}

func planPayout(in giro.Instruction) script {
	ok := script{verdict: giro.VerdictSucceeded, at: settleTime}
	unit := int64(1)
	for range in.Currency.Exponent() {
		unit *= 10
	}
	whole := in.Amount / unit
	if whole < 10_000 {
		return ok
	}
	switch whole % 100 {
	case 91:
		return script{verdict: giro.VerdictFailed, code: "account_closed", at: settleTime}
	case 92:
		return script{verdict: giro.VerdictFailed, code: "invalid_key", at: settleTime}
	case 93:
		return script{verdict: giro.VerdictOnHold}
	case 94:
		return script{verdict: giro.VerdictReturned, at: settleTime}
	case 95:
		return script{verdict: giro.VerdictRefunded, at: settleTime}
	case 96:
		return script{verdict: giro.VerdictPending}
	case 97:
		return script{verdict: giro.VerdictSucceeded, lost: true}
	case 98:
		return script{verdict: giro.VerdictFailed, code: "not_done", lostAbsent: true}
	case 99:
		return script{verdict: giro.VerdictSucceeded, unavailable: 2}
	}
	return ok
}

// simulated reads the outcome that a request asked for: "failed:account_closed".
func simulated(s string, in giro.Instruction) script {
	outcome, code, _ := strings.Cut(s, ":")
	switch outcome {
	case "failed":
		if code == "" {
			code = "declined"
		}
		return script{verdict: giro.VerdictFailed, code: code}
	case "onhold":
		return script{verdict: giro.VerdictOnHold}
	case "returned":
		return script{verdict: giro.VerdictReturned, at: settleTime}
	case "refunded":
		return script{verdict: giro.VerdictRefunded, at: settleTime}
	case "pending":
		return script{verdict: giro.VerdictPending}
	case "timeout":
		return script{verdict: good(in.Op), lost: true}
	case "timeout_failed":
		return script{verdict: giro.VerdictFailed, code: "not_done", lostAbsent: true}
	case "unavailable":
		return script{verdict: good(in.Op), unavailable: 2}
	}
	return script{verdict: good(in.Op)}
}

// Submit takes an instruction; the same id is done once however often it comes.
func (s *Sandbox) Submit(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	p := plan(in)
	row, err := s.Memory.SandboxRecord(ctx, in, func(r *giro.SandboxRow) {
		r.Submits++
		if !r.Absent && (r.Done || r.Verdict == giro.VerdictFailed || r.Submits == 1) {
			return // decided before, or by a test call that overtook it
		}
		if r.Submits <= p.unavailable {
			r.Absent = true
			return
		}
		r.Absent = false
		if p.verdict == giro.VerdictOnHold && r.Submits > 1 {
			p = script{verdict: giro.VerdictSucceeded, at: settleTime} // released
		}
		r.Verdict, r.Code = p.verdict, p.code
		r.Ready = giro.Micros(in.Now.Add(p.at))
		r.Done = p.at == 0 && happened(p.verdict)
	})
	if err != nil {
		return giro.Outcome{}, err
	}
	switch {
	case row.Submits <= p.unavailable:
		return giro.Outcome{}, errUnavailable
	case (p.lost || p.lostAbsent) && row.Submits == 1:
		return giro.Outcome{}, errLost
	}
	return answer(row, in), nil
}

// happened reports whether a verdict means that money moved or is held.
func happened(v giro.Verdict) bool {
	switch v {
	case giro.VerdictSucceeded, giro.VerdictAuthorised, giro.VerdictReturned, giro.VerdictRefunded:
		return true
	}
	return false
}

// Lookup says what became of an instruction.
func (s *Sandbox) Lookup(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	row, err := s.Memory.SandboxRecord(ctx, in, func(r *giro.SandboxRow) {
		r.Lookups++
		if r.Ready <= giro.Micros(in.Now) && happened(r.Verdict) && !r.Absent {
			r.Done = true
		}
	})
	if err != nil {
		return giro.Outcome{}, err
	}
	if row.Absent {
		return giro.Outcome{Verdict: giro.VerdictAbsent}, nil
	}
	return answer(row, in), nil
}

func answer(row giro.SandboxRow, in giro.Instruction) giro.Outcome {
	if wait := row.Ready - giro.Micros(in.Now); wait > 0 {
		return giro.Outcome{Verdict: giro.VerdictPending, After: time.Duration(wait) * time.Microsecond}
	}
	return giro.Outcome{Verdict: row.Verdict, Code: row.Code, Message: messages[row.Code], Reference: "sb_" + strconv.FormatInt(row.Number, 10)}
}

// messages are the sandbox's words for its failure codes.
var messages = map[string]string{
	"declined":           "The issuer declined the card.",
	"insufficient_funds": "The card has insufficient funds.",
	"expired":            "The card has expired.",
	"fraud":              "The issuer suspects fraud.",
	"account_closed":     "The recipient's account is closed.",
	"invalid_key":        "The key belongs to no account.",
	"refund_failed":      "The card's issuer did not take the refund.",
	"not_done":           "The rail did not carry the instruction out.",
}

// Manual is the rail of live mode from the first day: nothing is sent; a person
// moves the money and confirms, fails or returns the movement.
type Manual struct{}

// Submit answers that a person acts next.
func (Manual) Submit(context.Context, giro.Instruction) (giro.Outcome, error) {
	return giro.Outcome{Verdict: giro.VerdictPending, Awaits: true}, nil
}

// Lookup answers the same: the person's word comes through the API.
func (Manual) Lookup(context.Context, giro.Instruction) (giro.Outcome, error) {
	return giro.Outcome{Verdict: giro.VerdictPending, Awaits: true}, nil
}

var (
	_ giro.Rail = (*Sandbox)(nil)
	_ giro.Rail = Manual{}
)
