package giro

import "context"

// CreateRefund gives back a part of a charge; amount 0: all that is left. The
// sum of live refunds never exceeds what was captured: the charge is held while
// this is decided, and open refunds count.
func (e *Engine) CreateRefund(ctx context.Context, call *Call, req Request) (*Result, error) {
	unknown := Refuse(CodeChargeUnknown, "/charge", "there is no such charge")
	seen, err := e.Store.Movement(ctx, call.Book(), KindCharge, req.Charge)
	if err != nil {
		return nil, err
	}
	if seen == nil || seen.Deleted {
		return e.refuse(ctx, call, unknown)
	}
	if req.Currency != "" && req.Currency != seen.Currency {
		return nil, Refuse(CodeCurrencyMismatch, "/currency", "a refund has its charge's currency")
	}
	req.Currency, req.Account, req.Provider = seen.Currency, seen.Detail.Account, seen.Detail.Provider
	rail := seen.Detail.Rail
	if r, ok := e.Rails[rail].(Refunder); ok && !r.Refunds() {
		rail = manual // a person gives it back, and says so
	}
	probe := &Movement{Book: seen.Book, Kind: KindRefund, Currency: seen.Currency, Detail: Detail{Account: req.Account, Rail: rail, Exchange: seen.Detail.Exchange}}
	keys := Keys{
		Books: []Book{seen.Book}, Accounts: sideKeys(call.Merchant, probe),
		Movements: []MovementKey{{seen.Book, KindCharge, seen.ID}},
	}
	if req.Reference != "" {
		keys.References = []ReferenceKey{{seen.Book, KindRefund, req.Reference}}
	}
	return result(e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		req := req
		if old, err := b.repeated(seen.Book, KindRefund, &req); old != nil || err != nil {
			return old, err
		}
		charge := b.movement(seen.ID)
		if charge == nil || charge.Deleted {
			return nil, unknown
		}
		print := req.fingerprint()
		left := charge.Refundable()
		switch {
		case charge.Captured == 0:
			return nil, Refuse(CodeChargeNotRefundable, "/charge", "nothing was captured of this charge")
		case charge.Refunded == charge.Captured:
			return nil, Refuse(CodeAlreadyRefunded, "/charge", "the charge is refunded in full")
		case left == 0 || req.Amount > left:
			return nil, Refuse(CodeRefundExceeds, "/amount", "more than what is left to refund of the charge, open refunds included")
		}
		if req.Amount == 0 {
			req.Amount = left
		}
		m := e.draft(b, call, KindRefund, &req)
		m.Parent, m.Customer = charge.ID, charge.Customer
		m.Detail.Rail, m.Detail.Source = rail, UUID{}
		if m.Detail.Exchange, err = charge.Detail.Exchange.share(m.Amount, charge.Captured); err != nil {
			return nil, err
		}
		m.Detail.Fingerprint = print
		if m.Detail.Rail != manual {
			m.instruct(OpRefund, m.Amount)
			e.trace(b, m)
		}
		if err := b.reserve(call.Merchant, m, charge, m.Amount); err != nil {
			return nil, err
		}
		charge.Detail.RefundsOpen += m.Amount
		charge.Dirty = true
		b.insert(m)
		b.emit(m, "created")
		if err := e.sendOff(b, call.Merchant, m); err != nil {
			return nil, err
		}
		c := m.clone()
		return &Result{Movement: &c}, nil
	}}))
}
