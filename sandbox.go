package giro

import (
	"context"
	"errors"
	"time"
)

// SandboxRecord lets the sandbox rail read and change its own memory of one
// instruction, durably before it returns: the outside world does not forget
// either. change runs on the present row, or on a new one.
func (e *Engine) SandboxRecord(ctx context.Context, in Instruction, change func(*SandboxRow)) (SandboxRow, error) {
	record := func(movements ...MovementKey) (SandboxRow, error) {
		v, err := e.do(ctx, &command{owed: true, keys: Keys{Books: []Book{in.Book}, Sandbox: []string{in.ID}, Movements: movements}, decide: func(b *Batch) (any, error) {
			if h := b.heads[in.Book]; b.sandbox[in.ID] == nil && h != nil && h.Wiped != 0 && b.movements[in.Movement.ID] == nil {
				return nil, errNoMovement
			}
			r := b.sandboxRow(in)
			change(r)
			return *r, nil
		}})
		r, _ := v.(SandboxRow)
		return r, err
	}
	r, err := record()
	if errors.Is(err, errNoMovement) {
		// A new one, of a book that was wiped once: it may have been on its way since
		// before, and then its movement is gone.
		r, err = record(MovementKey{in.Book, in.Movement.Kind, in.Movement.ID})
	}
	return r, err
}

var errNoMovement = &Error{Code: CodeNotFound, Message: "the sandbox has no movement of this instruction"}

// sandboxRow returns the sandbox's row of an instruction for writing.
func (b *Batch) sandboxRow(in Instruction) *SandboxRow {
	if r := b.sandbox[in.ID]; r != nil {
		old := *r
		b.undo = append(b.undo, func() { *r = old })
		r.Dirty = true
		return r
	}
	r := &SandboxRow{Instruction: in.ID, Book: in.Book, Kind: in.Movement.Kind, Object: in.Movement.ID, At: b.now(in.Book), Verdict: VerdictPending, Absent: true, Number: b.At + int64(len(b.sandbox)), New: true}
	b.sandbox[in.ID] = r
	b.undo = append(b.undo, func() { delete(b.sandbox, in.ID) })
	return r
}

// TestOutcomes are the outcomes that a test call or Giro-Simulate may name.
var TestOutcomes = []string{"succeeded", "failed", "onhold", "returned", "refunded", "pending", "timeout", "timeout_failed", "unavailable"}

// TestOutcome moves a movement of a test book by hand: the sandbox's memory and
// the movement change in one commit, as if the rail had called.
func (e *Engine) TestOutcome(ctx context.Context, call *Call, kind Kind, id UUID, outcome, code string) (*Result, error) {
	return e.act(ctx, call, kind, id, nil, e.byHand(outcome, code))
}

// CreatePayoutWith is CreatePayout and TestOutcome in one commit: for what fills a
// store. The result is the payout as it was made.
func (e *Engine) CreatePayoutWith(ctx context.Context, call *Call, req Request, outcome, code string) (*Result, error) {
	c := e.payoutCommand(call, req, func(b *Batch, _ *Merchant, m *Movement) error {
		b.queueRail(m)
		return nil
	})
	create, settle := c.decide, e.byHand(outcome, code)
	c.decide = func(b *Batch) (any, error) {
		v, err := create(b)
		if err != nil || v.(*Result).Existing {
			return v, err
		}
		return v, settle(b, call.Merchant, b.movement(v.(*Result).Movement.ID), nil)
	}
	return result(e.do(ctx, c))
}

// byHand is the decision of TestOutcome.
func (e *Engine) byHand(outcome, code string) func(b *Batch, mer *Merchant, m, charge *Movement) error {
	return func(b *Batch, mer *Merchant, m, charge *Movement) error {
		kind := m.Kind
		var row *SandboxRow
		if m.Detail.Step != nil {
			in := *m.Detail.Step
			in.Book, in.Movement = m.Book, m
			row = b.sandboxRow(in)
		}
		settle := func(v Verdict, done bool) {
			if row != nil {
				row.Verdict, row.Code, row.Done, row.Ready, row.Absent = v, code, done, 0, false
			}
		}
		// What is not out yet says when it comes what becomes of it; what is on its
		// way finds this decided.
		undecided := func(v Verdict) {
			settle(v, false)
			if row != nil {
				row.Absent = !m.Sent
			}
		}
		if m.Kind == KindTransfer {
			return e.testTransfer(b, mer, m, outcome)
		}
		switch outcome {
		case "succeeded", "failed", "returned", "refunded":
			v := Verdict(outcome)
			settle(v, v != VerdictFailed)
			if outcome == "refunded" && m.Status == StatusReturned {
				return b.change(mer, m, charge, CauseGiveBack)
			}
			if (outcome == "returned" || outcome == "refunded") && m.Kind == KindCharge {
				return Refuse(CodeInvalidState, "", "a charge is given back by a refund")
			}
			if m.Status.Final() && outcome != "returned" && outcome != "refunded" ||
				(outcome == "returned" || outcome == "refunded") && m.Status != StatusPending && m.Status != StatusOnHold && m.Status != StatusSucceeded {
				return Refuse(CodeInvalidState, "", "a "+string(kind)+" that is "+string(m.Status)+" does not become "+outcome)
			}
			m.note(Attempt{At: b.now(m.Book), Instruction: "test", Act: "message", Result: outcome, Code: code})
			return e.verdict(b, mer, m, charge, Outcome{Verdict: v, Code: code})
		case "onhold":
			undecided(VerdictOnHold)
			b.drop(JobKey{m.ID, JobRail})
			if m.Sent {
				return b.change(mer, m, charge, CauseHeld)
			}
			return b.change(mer, m, charge, CauseHold)
		case "pending":
			undecided(VerdictPending)
			if m.Status == StatusOnHold {
				return b.change(mer, m, charge, CauseRelease)
			}
			if m.Status != StatusPending {
				return Refuse(CodeInvalidState, "", "a "+string(kind)+" that is "+string(m.Status)+" does not become pending")
			}
			if !m.Sent && m.Detail.Step != nil { // also once it is handed over
				m.Detail.Simulate, m.Dirty = "pending", true
			}
			return nil
		case "timeout", "timeout_failed", "unavailable":
			if m.Status != StatusPending || m.Detail.Step == nil {
				return Refuse(CodeInvalidState, "", "no instruction of this "+string(kind)+" is out")
			}
			if !m.Sent {
				if err := b.change(mer, m, nil, CauseSubmit); err != nil {
					return err
				}
				m.Detail.Step.At = b.now(m.Book)
			}
			switch outcome {
			case "timeout":
				settle(VerdictSucceeded, true)
			case "timeout_failed":
				settle(VerdictFailed, false)
				row.Code = "not_done"
			default:
				settle(VerdictPending, false)
				row.Verdict, row.Ready = VerdictSucceeded, b.now(m.Book)+3*time.Second.Microseconds()
			}
			b.schedule(*railJob(m), b.now(m.Book)+lookupDelay(0).Microseconds())
			return b.change(mer, m, charge, CauseLost)
		}
		return Refuse(CodeInvalidValue, "", "an outcome is one of succeeded, failed, onhold, returned, refunded, pending, timeout, timeout_failed, unavailable")
	}
}

// testTransfer: a pending transfer has no rail; only its end can be forced.
func (e *Engine) testTransfer(b *Batch, mer *Merchant, m *Movement, outcome string) error {
	if m.Peer == 0 && outcome == "succeeded" {
		return b.postReserved(mer, mer, m)
	}
	if outcome == "failed" {
		return b.change(mer, m, nil, CauseCancel)
	}
	return Refuse(CodeInvalidState, "", "a transfer has no rail: post, void or reverse it")
}
