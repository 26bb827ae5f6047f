package giro

import (
	"context"
	"time"
)

// What a rail holds of a card and will never be captured is let go by an
// instruction of its own, a void. Nothing had been posted for it, so nothing is
// posted now, and the charge does not wait for it: it is canceled, failed or
// succeeded already. Like any instruction a void is committed before it goes
// out, keeps its id, and is asked for until its outcome is known.

// voidLookups ends the questions after a void: by then, a week, the card's bank
// has dropped the authorisation itself.
const voidLookups = 1000

// letGo makes the rail give up what it holds of a charge beyond an amount.
func (b *Batch) letGo(m *Movement, keep int64) {
	held := m.Detail.Authorised - max(keep, m.Captured)
	if m.Detail.Card == nil || held <= 0 {
		return
	}
	m.Detail.Authorised -= held
	m.Detail.Steps++
	m.Detail.Voids = append(m.Detail.Voids, Instruction{ID: m.instruction(), Op: OpVoid, Amount: held})
	b.schedule(Job{JobKey: JobKey{m.ID, JobVoid}, Book: m.Book, MovementKind: m.Kind}, b.now(m.Book))
}

// carryVoid takes the oldest void of a charge one step on.
func (e *Engine) carryVoid(ctx context.Context, mer *Merchant, m *Movement) error {
	var void *Instruction
	submit := false
	_, err := e.do(ctx, &command{owed: true, call: machine(mer, m.Book), keys: movementKeys(mer, m), decide: func(b *Batch) (any, error) {
		void, submit = nil, false
		w := b.movement(m.ID)
		if w == nil || len(w.Detail.Voids) == 0 {
			b.drop(JobKey{m.ID, JobVoid})
			return nil, nil
		}
		first := &w.Detail.Voids[0]
		if first.At == 0 {
			first.At, submit = b.now(w.Book), true
			e.lend(b, w, JobVoid)
			w.Dirty = true
		}
		copied := *first
		void = &copied
		return nil, nil
	}})
	if err != nil || void == nil {
		return err
	}
	out, railErr := e.attempt(m, nil, void, !submit, nil)
	keys, heard := movementKeys(mer, m), heardOf(void, !submit, out)
	keys.Documents = append(keys.Documents, heard.keys()...)
	_, err = e.do(ctx, &command{owed: true, call: machine(mer, m.Book), keys: keys, decide: func(b *Batch) (any, error) {
		if w := b.movement(m.ID); w != nil && len(w.Detail.Voids) > 0 && w.Detail.Voids[0].ID == void.ID {
			b.hearVoid(w, !submit, out, railErr)
			b.keepHeard(w, heard)
		}
		return nil, nil
	}})
	return err
}

// hearVoid applies a rail's answer about the oldest void.
func (b *Batch) hearVoid(m *Movement, lookup bool, out Outcome, railErr error) {
	now := b.now(m.Book)
	void := &m.Detail.Voids[0]
	if lookup {
		void.Lookups++
	}
	m.note(m.said(now, void, lookup, out, railErr))
	m.Dirty = true
	after := time.Duration(0)
	switch {
	case railErr != nil || out.Verdict == VerdictPending && !out.Awaits:
		if after = out.After; after == 0 {
			after = lookupDelay(void.Lookups)
		}
	case out.Verdict == VerdictAbsent: // proof: it may be sent again
		void.At = 0
	case out.Verdict == VerdictOnHold: // nothing was done
		void.At, after = 0, lookupDelay(voidLookups)
	default: // done, refused, or left to a person of the rail: final
		m.Detail.Voids = m.Detail.Voids[1:]
	}
	if len(m.Detail.Voids) > 0 && void.Lookups > voidLookups {
		m.Detail.Voids = m.Detail.Voids[1:]
	}
	if len(m.Detail.Voids) == 0 {
		m.Detail.Voids = nil
		b.drop(JobKey{m.ID, JobVoid})
		return
	}
	b.schedule(Job{JobKey: JobKey{m.ID, JobVoid}, Book: m.Book, MovementKind: m.Kind}, now+after.Microseconds())
}
