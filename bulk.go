package giro

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
)

// BulkMax is how many movements one bulk makes at most.
const BulkMax = 1000

// BulkItem is one movement that a bulk asks for. Err refuses it before anything
// is decided: what its reader found wrong.
type BulkItem struct {
	Request Request
	Err     error
}

// BulkResult is what became of an item: a movement, or a refusal.
type BulkResult struct {
	Result *Result
	Err    error
}

// CreateBulk makes payouts or transfers, in their order, in one command: one
// commit, one answer under one Idempotency-Key. Each item succeeds or is refused
// by itself. If atomic, the first refusal refuses the whole and nothing is made.
// at is where the items stand in the request ("/payouts"): it goes in front of
// the pointers of refusals, with the item's number.
func (e *Engine) CreateBulk(ctx context.Context, call *Call, kind Kind, at string, items []BulkItem, atomic bool) ([]BulkResult, error) {
	refused := func(i int, err error) error {
		var r *Error
		if !errors.As(err, &r) || r.Param != "" && (!strings.HasPrefix(r.Param, "/") || strings.HasPrefix(r.Param, at+"/")) {
			return err
		}
		w := *r
		w.Param = at + "/" + itoa(i) + r.Param
		return &w
	}
	var found map[UUID]*Account
	if kind == KindTransfer {
		reqs := make([]Request, 0, len(items))
		for i := range items {
			if items[i].Err == nil {
				reqs = append(reqs, items[i].Request)
			}
		}
		var err error
		if found, err = e.destinations(ctx, reqs...); err != nil {
			return nil, err
		}
	}
	whole := &command{call: call, extra: len(items) - 1}
	parts := make([]*command, len(items))
	early := make([]BulkResult, len(items))
	for i := range items {
		err := items[i].Err
		if err == nil {
			if kind == KindTransfer {
				parts[i], err = e.transferCommand(ctx, call, items[i].Request, found[items[i].Request.Destination])
			} else {
				parts[i] = e.payoutCommand(call, items[i].Request, e.sendOff)
			}
		}
		var r *Error
		if err != nil && (!errors.As(err, &r) || atomic) {
			return nil, refused(i, err)
		}
		if err != nil {
			early[i].Err = refused(i, err)
			continue
		}
		whole.keys.add(&parts[i].keys)
	}
	whole.decide = func(b *Batch) (any, error) {
		results := make([]BulkResult, len(items))
		copy(results, early)
		for i, part := range parts {
			if part == nil {
				continue
			}
			save := b.savepoint()
			v, err := part.decide(b)
			if err != nil {
				var r *Error
				if !errors.As(err, &r) || atomic {
					return nil, refused(i, err)
				}
				b.rollback(save)
				results[i].Err = refused(i, err)
				continue
			}
			results[i].Result = v.(*Result)
		}
		return results, nil
	}
	// The items share most of their rows: each is loaded once.
	slices.Sort(whole.keys.Books)
	whole.keys.Books = slices.Compact(whole.keys.Books)
	slices.SortFunc(whole.keys.Accounts, func(a, b UUID) int { return bytes.Compare(a[:], b[:]) })
	whole.keys.Accounts = slices.Compact(whole.keys.Accounts)
	v, err := e.do(ctx, whole)
	results, _ := v.([]BulkResult)
	return results, err
}
