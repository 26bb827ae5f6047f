package giro_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/internal/storetest"
	"giro/store"
)

// TestAPayoutIsHandedOverWithItsCommit: by the commit that makes it, and then
// submitted once, also where the decision ran twice.
func TestAPayoutIsHandedOverWithItsCommit(t *testing.T) {
	t.Parallel()
	e := newEngine(t, twice{storetest.SQLite(t).Open(t, store.Options{})})
	rail := &slow{make(chan giro.Instruction, 10), make(chan said)}
	e.Rails["sandbox"] = rail
	b := startEngine(t, e)
	p, err := b.CreatePayout(t.Context(), b.call, pixPayout(1234))
	if err != nil {
		t.Fatal(err)
	}
	if m := b.read(t, p.Movement); !m.Sent || m.Detail.Step.At == 0 {
		t.Errorf("sent %v at %d", m.Sent, m.Detail.Step.At)
	}
	if _, err := b.Cancel(t.Context(), b.call, giro.KindPayout, p.Movement.ID); !giro.Is(err, giro.CodeInFlight) {
		t.Errorf("it can be canceled: %v", err)
	}
	<-rail.arrived
	rail.answer <- verdict(giro.VerdictSucceeded)
	b.until(t, p.Movement, giro.StatusSucceeded)
	if len(rail.arrived) > 0 {
		t.Error("it was submitted twice")
	}
	b.verify(t)
}

// failingAt is a store that fails while it is told to: what it is asked it does
// or does not.
type failingAt struct {
	giro.Store
	err  atomic.Pointer[error]
	done bool
}

func (s *failingAt) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	fail := s.err.Load()
	if fail == nil {
		return s.Store.Update(ctx, keys, decide)
	}
	err := s.Store.Update(ctx, keys, func(b *giro.Batch) error {
		if err := decide(b); err != nil || s.done {
			return err
		}
		return errAgain
	})
	if err != nil && !errors.Is(err, errAgain) {
		return err
	}
	return *fail
}

// TestNothingGoesOutWithoutItsCommit: where the commit of a payout fails, or its
// answer is lost, nothing is submitted, and the hands are free again: the engine
// stops at once.
func TestNothingGoesOutWithoutItsCommit(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		s := &failingAt{Store: storetest.SQLite(t).Open(t, store.Options{}), done: done}
		e := newEngine(t, s)
		rail := &script{}
		e.Rails["sandbox"] = rail
		b := startEngine(t, e)
		s.err.Store(&giro.ErrCommitUnknown)
		if _, err := b.CreatePayout(t.Context(), b.call, pixPayout(1234)); !giro.Is(err, giro.CodeUnavailable) {
			t.Fatal(err)
		}
		s.err.Store(nil)
		p, err := b.CreatePayout(t.Context(), b.call, pixPayout(1235))
		if err != nil {
			t.Fatal(err)
		}
		b.until(t, p.Movement, giro.StatusSucceeded)
		if ops, _, ids := rail.log(); len(ops) != 1 || ids[p.Movement.ID.ID("po")+"-1"] == "" {
			t.Errorf("done %v: asked for %v", done, ids)
		}
		b.verify(t)
	}
}

// TestHandsAreFew: what has no hand left, and what stands behind a refusal in its
// bulk, goes out by a job or not at all; each is submitted once.
func TestHandsAreFew(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		rail := &slow{make(chan giro.Instruction, 2000), make(chan said)}
		b.Rails["sandbox"] = rail
		items := make([]giro.BulkItem, 1000)
		for i := range items {
			items[i].Request = pixPayout(100)
			if i%10 == 3 {
				items[i].Request.Amount = 1 << 40 // more than there is
			}
		}
		made, err := b.CreateBulk(t.Context(), b.call, giro.KindPayout, "/payouts", items, false)
		if err != nil {
			t.Fatal(err)
		}
		sent, payouts := 0, []giro.UUID{}
		for _, m := range made {
			if m.Err == nil {
				payouts = append(payouts, m.Result.Movement.ID)
				if m.Result.Movement.Sent {
					sent++
				}
			}
		}
		if len(payouts) != 900 || sent != 512 {
			t.Errorf("%d payouts, %d handed over", len(payouts), sent)
		}
		var submitted []giro.UUID
		for range payouts {
			submitted = append(submitted, (<-rail.arrived).Movement.ID)
			rail.answer <- verdict(giro.VerdictSucceeded)
		}
		order := func(a, b giro.UUID) int { return slices.Compare(a[:], b[:]) }
		slices.SortFunc(payouts, order)
		slices.SortFunc(submitted, order)
		if !slices.Equal(payouts, submitted) {
			t.Error("not each was submitted once")
		}
		for _, id := range payouts {
			b.until(t, &giro.Movement{Book: b.call.Book(), Kind: giro.KindPayout, ID: id}, giro.StatusSucceeded)
		}
	})
}

// TestAnEngineStopsWithItsHandsFull: what is out is waited for.
func TestAnEngineStopsWithItsHandsFull(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t, store.Options{})
	defer s.Close()
	e := newEngine(t, s)
	rail := &slow{make(chan giro.Instruction, 10), make(chan said)}
	e.Rails["sandbox"] = rail
	e.Start()
	p, err := e.CreatePayout(t.Context(), openBank(t, e).call, pixPayout(1234))
	if err != nil {
		t.Fatal(err)
	}
	<-rail.arrived
	stopped := make(chan struct{})
	go func() {
		e.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
		t.Error("stopped with an instruction out")
	case <-time.After(50 * time.Millisecond):
	}
	rail.answer <- verdict(giro.VerdictSucceeded)
	<-stopped
	if now, err := s.Movement(t.Context(), p.Movement.Book, giro.KindPayout, p.Movement.ID); err != nil || now.Status != giro.StatusSucceeded {
		t.Error(now, err)
	}
}
