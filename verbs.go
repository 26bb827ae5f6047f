package giro

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// act runs a decision on one of the caller's movements, its charge loaded where
// it is a refund.
func (e *Engine) act(ctx context.Context, call *Call, kind Kind, id UUID, waits func(any) bool, decide func(b *Batch, mer *Merchant, m, charge *Movement) error) (*Result, error) {
	seen, err := e.Store.Movement(ctx, call.Book(), kind, id)
	if err != nil {
		return nil, err
	}
	if seen == nil || seen.Deleted {
		return e.refuse(ctx, call, notFound(kind))
	}
	if seen.Book != call.Book() {
		return nil, Refuse(CodeForbidden, "", "only the merchant that made the transfer may do this")
	}
	keys := movementKeys(call.Merchant, seen)
	return result(e.do(ctx, &command{call: call, keys: keys, waits: waits, decide: func(b *Batch) (any, error) {
		m := b.movement(id)
		if m == nil || m.Deleted {
			return nil, notFound(kind)
		}
		var charge *Movement
		if kind == KindRefund {
			charge = b.movement(m.Parent)
		}
		if err := decide(b, call.Merchant, m, charge); err != nil {
			return nil, err
		}
		c := m.clone()
		return &Result{Movement: &c}, nil
	}}))
}

// movementKeys names what a change of an existing movement needs.
func movementKeys(mer *Merchant, m *Movement) Keys {
	keys := standKeys(m)
	keys.Accounts = sideKeys(mer, m)
	if m.Detail.Step != nil {
		keys.Sandbox = []string{m.Detail.Step.ID}
	}
	return keys
}

// standKeys names what a change needs that moves no money.
func standKeys(m *Movement) Keys {
	keys := Keys{Books: []Book{m.Book}, Movements: []MovementKey{{m.Book, m.Kind, m.ID}}}
	if m.Kind == KindRefund {
		keys.Movements = append(keys.Movements, MovementKey{m.Book, KindCharge, m.Parent})
	}
	if m.Peer != 0 {
		keys.Books = append(keys.Books, m.Peer) // it gets the event
	}
	return keys
}

// Cancel withdraws what was not captured or sent.
func (e *Engine) Cancel(ctx context.Context, call *Call, kind Kind, id UUID) (*Result, error) {
	if kind == KindTransfer {
		return e.VoidTransfer(ctx, call, id)
	}
	return e.act(ctx, call, kind, id, nil, func(b *Batch, mer *Merchant, m, charge *Movement) error {
		return b.change(mer, m, charge, CauseCancel)
	})
}

// Release lets a movement that is on hold go on. One held for missing funds
// reserves now, or stays. One in doubt is not sent again: its rail is asked.
func (e *Engine) Release(ctx context.Context, call *Call, kind Kind, id UUID) (*Result, error) {
	return e.act(ctx, call, kind, id, nil, func(b *Batch, mer *Merchant, m, charge *Movement) error {
		if m.Status == StatusOnHold && m.Sent && m.InDoubt {
			b.queueRail(m)
			return nil
		}
		if err := b.change(mer, m, charge, CauseRelease); err != nil {
			return err
		}
		if m.Detail.Step != nil {
			b.queueRail(m)
		}
		if m.Detail.ExpiresAt != 0 { // its job may have come while the movement was on hold
			b.schedule(Job{JobKey: JobKey{m.ID, JobExpire}, Book: m.Book, MovementKind: m.Kind}, m.Detail.ExpiresAt)
		}
		return nil
	})
}

// Confirm, Reject and Return are a person's word on the manual rail.
func (e *Engine) Confirm(ctx context.Context, call *Call, kind Kind, id UUID) (*Result, error) {
	return e.manual(ctx, call, kind, id, CauseConfirm, "")
}

// Reject says that a movement on the manual rail did not happen.
func (e *Engine) Reject(ctx context.Context, call *Call, kind Kind, id UUID, code string) (*Result, error) {
	return e.manual(ctx, call, kind, id, CauseReject, code)
}

// Return says that what a movement on the manual rail sent has come back.
func (e *Engine) Return(ctx context.Context, call *Call, kind Kind, id UUID) (*Result, error) {
	return e.manual(ctx, call, kind, id, CauseSentBack, "")
}

func (e *Engine) manual(ctx context.Context, call *Call, kind Kind, id UUID, cause Cause, code string) (*Result, error) {
	return e.act(ctx, call, kind, id, nil, func(b *Batch, mer *Merchant, m, charge *Movement) error {
		if m.Detail.Rail != manual {
			return Refuse(CodeInvalidState, "", "only a "+string(kind)+" on the manual rail takes a person's word")
		}
		if code != "" {
			m.Detail.FailureCode = code
		}
		return b.change(mer, m, charge, cause)
	})
}

// CreditBack credits a returned payout to the merchant's balance.
func (e *Engine) CreditBack(ctx context.Context, call *Call, id UUID) (*Result, error) {
	return e.act(ctx, call, KindPayout, id, nil, func(b *Batch, mer *Merchant, m, _ *Movement) error {
		return b.change(mer, m, nil, CauseGiveBack)
	})
}

// RetryPayout makes a new payout with the data of one that did not arrive.
// reference "" gives it the old one's with ~2, ~3, … behind it.
func (e *Engine) RetryPayout(ctx context.Context, call *Call, id UUID, reference string) (*Result, error) {
	old, err := e.Store.Movement(ctx, call.Book(), KindPayout, id)
	if err != nil {
		return nil, err
	}
	if old == nil || old.Deleted {
		return e.refuse(ctx, call, notFound(KindPayout))
	}
	switch {
	case old.Sent:
		return e.refuse(ctx, call, Refuse(CodeInFlight, "", "the payout is on its way at the rail; wait for its outcome"))
	case old.Status != StatusFailed && old.Status != StatusCanceled && old.Status != StatusReturned && old.Status != StatusRefunded:
		return e.refuse(ctx, call, Refuse(CodeInvalidState, "", "a payout that is "+string(old.Status)+" is not tried again"))
	}
	if reference == "" && old.Reference != "" {
		base, n := retryBase(old.Reference)
		for n++; ; n++ {
			reference = base + "~" + itoa(n)
			taken, err := e.Store.MovementByReference(ctx, call.Book(), KindPayout, reference)
			if err != nil {
				return nil, err
			}
			if taken == nil || taken.Detail.RetryOf == id {
				break
			}
		}
	}
	d := old.Detail
	return e.CreatePayout(ctx, call, Request{
		Amount: old.Amount, Currency: old.Currency, Provider: d.Provider, Card: d.Card, Mobile: d.Mobile, Bank: d.Bank,
		Customer: old.Customer, Account: d.Account, Recipient: d.Recipient, Description: d.Description, Metadata: d.Metadata,
		Reference: reference, RetryOf: id, Exchange: d.Exchange,
	})
}

// Change is what PUT may set. Absent members are nil.
type Change struct {
	Amount      *int64
	Status      *Status
	Description *string
	Metadata    map[string]string // nil: absent
	Version     int64             // > 0: refused unless it is the present one (If-Match)
}

// Update changes a movement as PUT does: the amount up or down, the status to
// what it may be set to, description and metadata always.
func (e *Engine) Update(ctx context.Context, call *Call, kind Kind, id UUID, ch Change) (*Result, error) {
	waits := func(v any) bool { return v.(*Result).Movement.Sent && v.(*Result).Movement.Detail.Card != nil }
	defer e.executing.enter(call)()
	ctx = context.WithoutCancel(ctx)
	asks := false
	r, err := e.act(ctx, call, kind, id, func(v any) bool { return asks && waits(v) }, func(b *Batch, mer *Merchant, m, charge *Movement) error {
		asks = false
		if ch.Version > 0 && ch.Version != m.Version {
			return Refuse(CodePreconditionFailed, "If-Match", "the object has changed since it was read")
		}
		before, told := m.Version, len(b.writes.Events)
		if ch.Description != nil {
			m.Detail.Description = *ch.Description
		}
		if ch.Metadata != nil {
			m.Detail.Metadata = ch.Metadata
		}
		raised := false
		if ch.Amount != nil && *ch.Amount != m.Amount {
			up := *ch.Amount > m.Amount
			if err := e.resize(b, mer, m, *ch.Amount); err != nil {
				return err
			}
			raised = up && m.Kind == KindCharge
			asks = raised && m.Sent
		}
		if ch.Status != nil && *ch.Status != m.Status {
			switch {
			case *ch.Status == StatusSucceeded && m.Kind == KindCharge && m.Detail.Card != nil:
				if raised {
					return Refuse(CodeInvalidState, "/status", "raise the amount first, then capture it")
				}
				if err := e.capture(b, mer, m, 0); err != nil {
					return err
				}
				asks = true
			case *ch.Status == StatusSucceeded && m.Detail.Rail == manual:
				if err := b.change(mer, m, charge, CauseConfirm); err != nil {
					return err
				}
			case *ch.Status == StatusCanceled:
				if err := b.change(mer, m, charge, CauseCancel); err != nil {
					return err
				}
			default:
				if m.Sent {
					return Refuse(CodeInFlight, "/status", "the "+string(kind)+" is on its way at the rail; wait for its outcome")
				}
				return Refuse(CodeInvalidState, "/status", "a "+string(kind)+" that is "+string(m.Status)+" cannot become "+string(*ch.Status))
			}
		}
		updated := string(kind) + ".updated"
		if (ch.Description != nil || ch.Metadata != nil) && !slices.ContainsFunc(b.writes.Events[told:], func(v Event) bool { return v.Type == updated }) {
			if m.Version == before {
				m.stamp(b.now(m.Book))
			}
			b.emit(m, "updated") // for the words of search too, whatever else the request did
		}
		return nil
	})
	if err != nil || r == nil || !asks || !waits(r) {
		return r, err
	}
	return e.askRail(ctx, call, r.Movement)
}

// resize changes a movement's amount.
func (e *Engine) resize(b *Batch, mer *Merchant, m *Movement, amount int64) error {
	cause := CauseLower
	if amount > m.Amount {
		cause = CauseRaise
	}
	if m.Kind == KindRefund && cause == CauseRaise {
		return Refuse(CodeInvalidState, "/amount", "make another refund instead")
	}
	if m.Detail.Exchange != nil {
		return Refuse(CodeInvalidState, "/amount", "what was exchanged keeps its amount; make another instead")
	}
	r, err := m.Next(cause)
	if err != nil {
		return err
	}
	if m.Kind != KindCharge && m.Status == StatusPending && m.Detail.Step != nil && m.Detail.Step.At != 0 {
		return Refuse(CodeInFlight, "/amount", "the "+string(m.Kind)+" is being handed to its rail again; wait for its outcome")
	}
	delta, event := amount-m.Amount, r.Event
	switch {
	case m.Kind == KindCharge:
		if amount < m.Captured {
			return Refuse(CodeBelowCaptured, "/amount", "less than what was captured")
		}
		if m.Detail.Card == nil && m.Status == StatusSucceeded {
			return Refuse(CodeInvalidState, "/amount", "a charge that its payer has paid is not raised; make another")
		}
		if m.Detail.Step != nil || m.Detail.Card == nil && m.Detail.Steps > 0 {
			return Refuse(CodeInFlight, "/amount", "the rail was told this charge's amount; cancel the charge and make another")
		}
		m.Amount = amount
		m.enter(r)
		switch {
		case m.Detail.Card == nil && m.Detail.Next != nil:
			hybrid := m.Detail.Method == "boleto" && m.Detail.Next != nil && m.Detail.Next.BRCode != ""
			if m.Detail.Next, err = nextAction(m, mer, hybrid); err != nil {
				return err
			}
		case cause == CauseRaise && m.Detail.Card != nil && m.Detail.Rail != manual:
			m.instruct(OpAuthorise, delta)
			e.handOver(b, m)
		case cause == CauseLower:
			b.letGo(m, amount)
		}
		if amount == m.Captured && m.Captured > 0 {
			event = m.settleRest()
		}
	case m.Detail.Unfunded:
		m.Amount = amount
	case delta > 0:
		if err := b.reserve(mer, m, nil, delta); err != nil {
			return err
		}
		m.Amount = amount
	default:
		var charge *Movement
		if m.Kind == KindRefund {
			charge = b.movement(m.Parent)
			charge.Detail.RefundsOpen += delta
			charge.Dirty = true
		}
		if err := b.release(mer, m, charge, -delta, "lowered"); err != nil {
			return err
		}
		m.Amount = amount
	}
	if step := m.Detail.Step; step != nil && m.Kind != KindCharge {
		step.Amount = amount
		if step.At != 0 { // the rail did not take the old amount: this is another instruction
			m.instruct(step.Op, amount)
			e.trace(b, m)
		}
	}
	m.stamp(b.now(m.Book))
	b.emit(m, event)
	return nil
}

// Delete hides a movement and withdraws what was not captured or sent. Money
// that moved, the ledger, events and audit stay.
func (e *Engine) Delete(ctx context.Context, call *Call, kind Kind, id UUID) error {
	_, err := e.act(ctx, call, kind, id, nil, func(b *Batch, mer *Merchant, m, charge *Movement) error {
		if m.Sent {
			return Refuse(CodeInFlight, "", "the "+string(kind)+" is on its way at the rail; wait for its outcome")
		}
		if m.Detail.RefundsOpen > 0 {
			return Refuse(CodeInFlight, "", "a refund of the charge is open; wait for its outcome")
		}
		if !m.Status.Final() {
			if err := b.change(mer, m, charge, CauseCancel); err != nil {
				return err
			}
		}
		m.Deleted = true
		*b.head(m.Book, mer.ID).Count(kind)--
		if m.Peer != 0 {
			b.head(m.Peer, UUID{}).Transfers--
		}
		m.stamp(b.now(m.Book))
		b.emit(m, "deleted")
		return nil
	})
	return err
}

// retryBase splits "ref~3" into "ref" and 3; a plain reference counts as 1.
func retryBase(reference string) (string, int) {
	i := strings.LastIndexByte(reference, '~')
	if i < 0 {
		return reference, 1
	}
	n, err := strconv.Atoi(reference[i+1:])
	if err != nil || n < 2 {
		return reference, 1
	}
	return reference[:i], n
}

func itoa(n int) string { return strconv.Itoa(n) }
