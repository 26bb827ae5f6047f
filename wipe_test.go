package giro_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/internal/storetest"
	"giro/store"
)

// wiped waits until a test book has been wiped.
func (b *bank) wiped(t *testing.T) giro.TestData {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		changed := b.Committed()
		now, err := b.TestData(t.Context(), b.call.Book())
		if err != nil {
			t.Fatal(err)
		}
		if now.Wiping == 0 && now.Wiped != 0 {
			return now
		}
		again := time.NewTimer(50 * time.Millisecond) // another process may do it
		select {
		case <-changed:
		case <-again.C:
		case <-deadline:
			t.Fatal("the test data was not wiped in a minute")
		}
		again.Stop()
	}
}

// fill makes some of everything.
func (b *bank) fill(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := b.CreateCharge(ctx, b.call, cardCharge(5000, "tok_ok"))
	must(c, err)
	must(b.CreateRefund(ctx, b.call, giro.Request{Charge: c.Movement.ID, Amount: 2000}))
	for range 20 {
		must(b.CreatePayout(ctx, b.call, pixPayout(1234)))
	}
	a, err := b.CreateAccount(ctx, b.call, "sub", "BRL", false, nil)
	must(a, err)
	must(b.CreateTransfer(ctx, b.call, giro.Request{Amount: 70, Currency: "BRL", Destination: a.ID}))
	must(b.CreateDocument(ctx, b.call, &giro.StoredDocument{Kind: giro.DocCustomer, ID: b.NewID(b.Now()), Book: b.call.Book(), Lookup: giro.CustomerLookup(b.call.Book(), "c-1"), Data: []byte(`{"name":"Ana"}`)},
		func(*giro.StoredDocument) bool { return true }, nil))
	must(b.CreateEndpoint(ctx, b.call, giro.Endpoint{URL: "https://example.com/", Events: []string{"*"}, Enabled: true}, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
}

// TestWipe: a test book is empty after it, begins anew, and nothing else has
// changed; the books add up at any moment.
func TestWipe(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		b.fill(t)
		other := openBank(t, b.Engine)
		other.fill(t)
		if _, err := b.ChangeClock(ctx, b.call, giro.ClockChange{Advance: 72 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		held := b.call.Book()
		beside, err := b.TestData(ctx, other.call.Book())
		if err != nil {
			t.Fatal(err)
		}

		live := *b.call
		live.Live = true
		if _, err := b.Wipe(ctx, &live); !giro.Is(err, giro.CodeTestModeOnly) {
			t.Fatal(err)
		}
		was, err := b.Wipe(ctx, b.call)
		if err != nil || was.Charges != 1 || was.Refunds != 1 || was.Payouts != 20 || was.Transfers != 1 || was.LedgerTransactions == 0 {
			t.Fatal(was, err)
		}
		b.verify(t) // while it goes on
		b.wiped(t)
		b.verify(t)
		for _, kind := range giro.Kinds {
			if left, _, err := b.Store.Movements(ctx, giro.MovementQuery{Book: held, Kind: kind, Limit: 9}); err != nil || len(left) > 0 {
				t.Errorf("%s: %v, %v", kind, left, err)
			}
		}
		h, err := b.Store.Head(ctx, held)
		if err != nil || h.Sequence != 0 || h.Clock != (giro.Clock{}) {
			t.Errorf("%+v, %v", h, err)
		}
		events, err := b.Store.Events(ctx, giro.EventQuery{Book: held, Ascending: true, Limit: 9})
		if err != nil || len(events) != 1 || events[0].Type != giro.EventTestDataWiped || events[0].Sequence != h.Events {
			t.Errorf("%v, %v", events, err)
		}
		for kind, want := range map[giro.DocumentKind]int{giro.DocCustomer: 0, giro.DocEndpoint: 1} {
			if docs, err := b.Store.Documents(ctx, giro.DocumentQuery{Kind: kind, Book: held, Limit: 9}); err != nil || len(docs) != want {
				t.Errorf("%s: %v, %v", kind, docs, err)
			}
		}
		if n, err := b.Store.Rollups(ctx, giro.RollupQuery{Book: held}); err != nil || len(n) != 0 {
			t.Errorf("%v, %v", n, err)
		}
		if jobs, err := b.Store.Jobs(ctx, held, 1<<62, 9); err != nil || len(jobs) != 0 {
			t.Errorf("%v, %v", jobs, err)
		}
		if log, err := b.Store.SandboxLog(ctx, held, 0, 9, false); err != nil || len(log) != 0 {
			t.Errorf("%v, %v", log, err)
		}
		// What was on its way to the rail comes too late for the book as it is now.
		late := giro.Instruction{ID: "late-1", Book: held, Movement: &giro.Movement{Kind: giro.KindPayout, ID: b.NewID(b.Now())}}
		if _, err := b.SandboxRecord(ctx, late, func(r *giro.SandboxRow) { r.Submits++ }); !giro.Is(err, giro.CodeNotFound) {
			t.Errorf("the sandbox took an instruction without a movement: %v", err)
		}
		if log, err := b.Store.SandboxLog(ctx, held, 0, 9, false); err != nil || len(log) != 0 {
			t.Errorf("%v, %v", log, err)
		}
		if n := b.balance(t, giro.RoleAvailable); n != 0 {
			t.Errorf("%d left", n)
		}
		if now, err := b.TestData(ctx, other.call.Book()); err != nil || now.Payouts != beside.Payouts || now.LedgerTransactions < beside.LedgerTransactions {
			t.Errorf("the other merchant has %+v, %v", now, err)
		}

		// It begins anew, with the same main account, and can be wiped again.
		for range 2 {
			if _, err := b.Fund(ctx, b.call, "BRL", 10_000_000); err != nil {
				t.Fatal(err)
			}
			p, err := b.CreatePayout(ctx, b.call, pixPayout(1234))
			if err != nil {
				t.Fatal(err)
			}
			b.until(t, p.Movement, giro.StatusSucceeded)
			b.verify(t)
			if _, err := b.Wipe(ctx, b.call); err != nil {
				t.Fatal(err)
			}
			for { // done since, or refused until it is
				if _, err := b.Fund(ctx, b.call, "BRL", 1); err == nil {
					break
				} else if !giro.Is(err, giro.CodeUnavailable) {
					t.Fatal(err)
				}
				b.wiped(t)
			}
		}
		b.verify(t)
	})
}

// TestWipeUnderLoad: whoever writes meanwhile is answered or refused, in the book
// and beside it, and the engine goes on.
func TestWipeUnderLoad(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		if _, err := b.Fund(ctx, b.call, "BRL", 1_000_000_000); err != nil {
			t.Fatal(err)
		}
		other := openBank(t, b.Engine)
		stop := make(chan struct{})
		var all sync.WaitGroup
		for _, who := range []*bank{b, b, other} {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					p, err := who.CreatePayout(ctx, who.call, pixPayout(1234))
					if err == nil {
						_, err = who.Cancel(ctx, who.call, giro.KindPayout, p.Movement.ID)
					}
					if err == nil || who == b && (giro.Is(err, giro.CodeUnavailable) || giro.Is(err, giro.CodeInsufficientFunds) || giro.Is(err, giro.CodeNotFound)) ||
						giro.Is(err, giro.CodeInvalidState) || giro.Is(err, giro.CodeInFlight) {
						continue
					}
					t.Error(err)
					return
				}
			})
		}
		for range 3 {
			if _, err := b.Wipe(ctx, b.call); err != nil {
				t.Error(err)
				break
			}
			b.verify(t)
			b.wiped(t)
			if _, err := b.Fund(ctx, b.call, "BRL", 1_000_000_000); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		all.Wait()
		if err := b.Healthy(); err != nil {
			t.Fatal(err)
		}
		b.verify(t)
	})
}

// TestWipeGoesOnAfterACrash: an engine that finds a book half wiped ends it.
func TestWipeGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		options := store.Options{}
		var b *bank
		t.Run("first", func(t *testing.T) {
			s := &halfway{Store: d.Open(t, options), gone: make(chan struct{}, 1)}
			b = startEngine(t, newEngine(t, s))
			b.fill(t)
			if _, err := b.Wipe(t.Context(), b.call); err != nil {
				t.Fatal(err)
			}
			<-s.gone
			b.verify(t)
		})
		again := startEngine(t, newEngine(t, d.Open(t, options)))
		again.call, again.merchant = b.call, b.merchant
		again.wiped(t)
		again.verify(t)
	})
}

// halfway is a store that removes a few rows of a wipe and then no more.
type halfway struct {
	giro.Store
	begun atomic.Bool
	gone  chan struct{}
}

func (s *halfway) Wipe(ctx context.Context, book *giro.BookHead, stage, _ int) (int, error) {
	if s.begun.Swap(true) {
		return stage, giro.ErrClosed
	}
	defer func() { s.gone <- struct{}{} }()
	return s.Store.Wipe(ctx, book, stage, 3)
}

// careful is a store that verifies itself after each few rows of a wipe.
type careful struct {
	giro.Store
	t     *testing.T
	steps atomic.Int64
}

func (s *careful) Wipe(ctx context.Context, book *giro.BookHead, stage, _ int) (int, error) {
	next, err := s.Store.Wipe(ctx, book, stage, 25)
	if r, failure := s.Verify(ctx); failure != nil || !r.OK {
		s.t.Errorf("after a step of stage %d: %+v, %v", stage, r, failure)
	}
	s.steps.Add(1)
	return next, err
}

// TestVerifyBesideAWipe: whatever is left of a book that is being wiped, the others
// add up.
func TestVerifyBesideAWipe(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		s := &careful{Store: d.Open(t, store.Options{Doubt: func(err error) { t.Error(err) }}), t: t}
		b := startEngine(t, newEngine(t, s))
		b.fill(t)
		openBank(t, b.Engine).fill(t)
		if _, err := b.Wipe(t.Context(), b.call); err != nil {
			t.Fatal(err)
		}
		b.wiped(t)
		b.verify(t)
		if n := s.steps.Load(); n < 8 {
			t.Errorf("it took %d steps", n)
		}
	})
}

// TestNotEveryBookIsWiped: transfers with another merchant's book keep both.
func TestNotEveryBookIsWiped(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		other := openBank(t, b.Engine)
		to := other.mainAccount(t)
		admin := *b.call
		admin.Admin = true
		if _, err := b.CreateTransfer(t.Context(), &admin, giro.Request{Amount: 70, Currency: "BRL", Destination: to}); err != nil {
			t.Fatal(err)
		}
		for _, call := range []*giro.Call{b.call, other.call} {
			if _, err := b.Wipe(t.Context(), call); !giro.Is(err, giro.CodeInvalidState) {
				t.Error(err)
			}
		}
		// No store lets go of a row that is not being wiped, whoever says that it is.
		for _, book := range []giro.Book{b.call.Book(), giro.BookOf(b.merchant.Number, true), giro.Installation} {
			for _, since := range []int64{0, 1} {
				if _, err := b.Store.Wipe(t.Context(), &giro.BookHead{Book: book, Wiping: since}, 0, 100); err == nil {
					t.Errorf("rows of book %d were removed", book)
				}
			}
		}
		b.verify(t)
	})
}
