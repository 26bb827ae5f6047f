package giro

import (
	"context"
	"encoding/json"
	"time"
)

// pixExpiry is how long a PIX or boleto charge waits for its payer.
const (
	pixExpiry    = 24 * time.Hour
	boletoExpiry = 3 * 24 * time.Hour
)

// CreateCharge makes a charge. On a card it waits for the rail and returns the
// outcome, or the pending charge once RailWait has passed; any other charge is
// pending and carries what its payer has to do, which on a provider's rail is
// waited for in the same way.
func (e *Engine) CreateCharge(ctx context.Context, call *Call, req Request) (*Result, error) {
	keys := createKeys(call, KindCharge, &req, call.Merchant.rail(call.Live, req.Provider, methodOf(req.Bank)))
	card := func(v any) bool {
		r := v.(*Result)
		return !r.Existing && r.Movement.Sent
	}
	// Another request with the same key waits for the answer, not for time.
	defer e.executing.enter(call)()
	// Whoever leaves now, the instruction is about to be out: see it through.
	ctx = context.WithoutCancel(ctx)
	r, err := result(e.do(ctx, &command{call: call, keys: keys, waits: card, decide: func(b *Batch) (any, error) {
		req := req
		if old, err := b.repeated(call.Book(), KindCharge, &req); old != nil || err != nil {
			return old, err
		}
		print := req.fingerprint()
		if err := b.owned(call, &req); err != nil {
			return nil, err
		}
		m := e.draft(b, call, KindCharge, &req)
		m.Detail.Fingerprint = print
		if m.Detail.Rail == "" {
			return nil, Refuse(CodeProviderUnavailable, "/provider", "no rail carries card charges in live mode; configure one for this merchant")
		}
		if err := m.knowCard(); err != nil {
			return nil, err
		}
		m.Detail.ManualCapture = !req.Capture
		b.head(m.Book, call.Merchant.ID)
		to := m.Detail.Account
		if to.IsZero() {
			to = accountID(call.Merchant.ID, m.Book, m.Currency, RoleAvailable, "")
		}
		if to := b.accounts[to]; to != nil {
			if _, err := sum(to.Balance, m.Amount); err != nil {
				return nil, err
			}
		}
		if err := b.welcome(call, m, &req); err != nil {
			return nil, err
		}
		now := b.now(m.Book)
		switch {
		case m.Detail.Rail == manual:
			// A person collects it and says so.
		case m.Detail.Card != nil:
			op := OpCharge
			if m.Detail.ManualCapture {
				op = OpAuthorise
			}
			m.instruct(op, m.Amount)
			// The creating request asks the rail itself; the job asks for the
			// outcome should that request die.
			e.handOver(b, m)
		case m.Detail.Rail != "sandbox":
			// What the payer has to do comes from the rail: the request waits for it.
			m.instruct(OpCharge, m.Amount)
			e.handOver(b, m)
		case m.Detail.Simulate != "":
			m.instruct(OpCharge, m.Amount)
			b.queueRail(m)
		}
		if m.Detail.Bank != nil {
			expiry := pixExpiry
			if m.Detail.Method == "boleto" {
				expiry = boletoExpiry
			}
			m.Detail.ExpiresAt = now + expiry.Microseconds()
			if req.ExpiresIn > 0 {
				m.Detail.ExpiresAt = now + req.ExpiresIn*1_000_000
			}
			if m.Detail.Rail == "sandbox" || m.Detail.Rail == manual {
				next, err := nextAction(m, call.Merchant, req.Hybrid)
				if err != nil {
					return nil, err
				}
				m.Detail.Next = next
			}
			b.schedule(Job{JobKey: JobKey{m.ID, JobExpire}, Book: m.Book, MovementKind: m.Kind}, m.Detail.ExpiresAt)
		}
		b.insert(m)
		b.emit(m, "created")
		c := m.clone()
		return &Result{Movement: &c}, nil
	}}))
	if err != nil || r == nil || !card(r) {
		return r, err
	}
	return e.askRail(ctx, call, r.Movement)
}

// ChooseMethod settles by which bank method a pending charge is paid that left
// it open, and makes what its payer needs. version is the charge's as it was
// read; wire replaces what its dialect keeps.
func (e *Engine) ChooseMethod(ctx context.Context, call *Call, id UUID, method string, hybrid bool, version int64, wire json.RawMessage) (*Result, error) {
	return e.act(ctx, call, KindCharge, id, nil, func(b *Batch, mer *Merchant, m, _ *Movement) error {
		if m.Status != StatusPending || m.Sent || m.Detail.Step != nil || m.Detail.Bank == nil || m.Version != version {
			return Refuse(CodeInvalidState, "", "the method of this charge cannot be chosen any more")
		}
		to := *m.Detail.Bank
		to.Method = method
		m.Detail.Bank, m.Detail.Method, m.Detail.Wire = &to, method, wire
		m.Detail.Rail = mer.rail(call.Live, m.Detail.Provider, method)
		if m.Detail.Rail == "sandbox" || m.Detail.Rail == "manual" {
			next, err := nextAction(m, mer, hybrid)
			if err != nil {
				return err
			}
			m.Detail.Next = next
		} else {
			m.instruct(OpCharge, m.Amount)
			b.queueRail(m)
		}
		m.stamp(b.now(m.Book))
		b.emit(m, "updated")
		return nil
	})
}

// askRail submits the outstanding instruction of a card movement, waits for the
// rail at most RailWait, and completes the call's answer. The outcome is
// committed however long the rail takes and whoever has left.
func (e *Engine) askRail(ctx context.Context, call *Call, m *Movement) (*Result, error) {
	ctx = context.WithoutCancel(ctx)
	said := make(chan *Result, 1) // nil: the outcome is not known yet
	mine := e.busy.begin(JobKey{m.ID, JobRail})
	go func() {
		defer func() {
			// The job became due meanwhile: it does what is left.
			if mine && e.busy.end(JobKey{m.ID, JobRail}) {
				e.busy.end(JobKey{m.ID, JobRail})
				e.retryJob(ctx, m)
			}
		}()
		out, submitErr := e.attempt(m, nil, m.Detail.Step, false, nil)
		r, err := e.applyOutcome(ctx, m, false, out, submitErr)
		if err != nil {
			e.Logf("outcome of %s: %v", m.Detail.Step.ID, err)
			r = nil
		}
		said <- r
	}()
	wait := time.NewTimer(e.RailWait)
	defer wait.Stop()
	var r *Result
	select {
	case r = <-said:
	case <-wait.C:
	}
	if r == nil {
		r = &Result{Movement: m} // pending
	}
	if call.Idempotent == nil {
		return r, nil
	}
	return result(e.finishExecuting(ctx, call, m.Kind, m.ID))
}

// retryJob runs a movement's rail job once more where a claim met it busy.
func (e *Engine) retryJob(ctx context.Context, m *Movement) {
	if err := e.runJob(ctx, railJob(m)); err != nil {
		e.Logf("job of %s: %v", m.ID, err)
	}
}

// Capture collects amount of what a charge has authorised and not captured; 0:
// all of it. It waits for a card's rail as creation does.
func (e *Engine) Capture(ctx context.Context, call *Call, id UUID, amount int64) (*Result, error) {
	waits := func(v any) bool { return v.(*Result).Movement.Sent }
	defer e.executing.enter(call)()
	ctx = context.WithoutCancel(ctx)
	r, err := e.act(ctx, call, KindCharge, id, waits, func(b *Batch, mer *Merchant, m, _ *Movement) error {
		return e.capture(b, mer, m, amount)
	})
	if err != nil || r == nil || !waits(r) {
		return r, err
	}
	return e.askRail(ctx, call, r.Movement)
}

func (e *Engine) capture(b *Batch, mer *Merchant, m *Movement, amount int64) error {
	rest := m.Amount - m.Captured
	if amount == 0 {
		amount = rest
	}
	if m.Detail.Rail == manual {
		if amount != rest {
			return Refuse(CodeInvalidState, "/amount", "a person confirms a charge as a whole; change its amount first")
		}
		return b.change(mer, m, nil, CauseConfirm)
	}
	if m.Detail.Card == nil {
		return Refuse(CodeInvalidState, "", "only a charge on a card is captured; this one is paid by its payer")
	}
	if _, err := m.Next(CauseCapture); err != nil {
		return err
	}
	if amount > rest {
		return Refuse(CodeCaptureExceeds, "/amount", "more than what the charge has authorised and not captured")
	}
	if m.Detail.Authorised < m.Captured+amount && m.Detail.Step != nil {
		return Refuse(CodeInvalidState, "", "the charge is not authorised yet")
	}
	m.instruct(OpCapture, amount)
	if err := b.change(mer, m, nil, CauseCapture); err != nil {
		return err
	}
	e.handOver(b, m)
	return nil
}
