package giro_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/internal/storetest"
	"giro/ledger"
	"giro/store"
)

// heldStore begins no batch until it is let, and says how many ledger transactions
// were left to write when all was decided.
type heldStore struct {
	giro.Store
	mu      sync.Mutex
	begun   atomic.Int64 // batches
	left    []int        // of each large one
	refuse  bool         // the next large one fails once it is decided
	refused int
}

func (s *heldStore) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	s.begun.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Update(ctx, keys, func(b *giro.Batch) error {
		if err := decide(b); err != nil {
			return err
		}
		if len(keys.Accounts) > 100 {
			s.left = append(s.left, len(b.Writes().Transactions))
			if s.refuse {
				s.refuse = false
				s.refused++
				return errors.New("the batch is not to be")
			}
		}
		return nil
	})
}

// together runs commands, all but the first in one batch, and returns what each came to.
func (s *heldStore) together(t *testing.T, b *bank, n int, command func(i int) error) []error {
	t.Helper()
	s.mu.Lock()
	errs, begun := make([]error, n), s.begun.Load()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = command(i) })
		for s.begun.Load() == begun { // the first is on its way alone
			<-time.After(time.Millisecond)
		}
	}
	for b.Waiting() < n-1 {
		<-time.After(time.Millisecond)
	}
	s.mu.Unlock()
	all.Wait()
	return errs
}

// TestTheLedgerIsWrittenWhileOthersAreDecided: in a large batch a part of the ledger
// is in the transaction before the last command is decided, and all of it is there in
// the end, or nothing.
func TestTheLedgerIsWrittenWhileOthersAreDecided(t *testing.T) {
	t.Parallel()
	const n = 160
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		ids := giro.UUIDs()
		s := &heldStore{Store: d.Open(t, store.Options{Now: time.Now, NewID: func(at int64) giro.UUID { return ids(giro.TimeOf(at)) }, Salt: giro.Salt,
			Doubt: func(err error) { t.Error(err) }})}
		b := start(t, s)
		subs := make([]*giro.Account, n)
		for i := range subs {
			var err error
			if subs[i], err = b.CreateAccount(t.Context(), b.call, "seller "+string(rune('a'+i%26))+string(rune('a'+i/26)), "BRL", false, nil); err != nil {
				t.Fatal(err)
			}
		}
		const tooMuch = 1_000_000_000
		transfer := func(i int) error {
			amount := int64(100 + i)
			if i%9 == 4 {
				amount = tooMuch
			}
			_, err := b.CreateTransfer(t.Context(), b.call, giro.Request{Amount: amount, Currency: "BRL", Destination: subs[i].ID})
			return err
		}
		// check looks at what n transfers of a round came to; stood says which are to stand.
		paid := make([]int64, n)
		check := func(errs []error, stood func(i int, err error) bool) {
			t.Helper()
			for i, err := range errs {
				if stood(i, err) {
					paid[i] += int64(100 + i)
				}
			}
			as, _, err := b.Store.Accounts(t.Context(), giro.AccountQuery{Book: b.call.Book(), Roles: []giro.Role{giro.RoleSub}})
			if err != nil {
				t.Fatal(err)
			}
			balances := map[giro.UUID]int64{}
			for _, a := range as {
				balances[a.ID] = a.Balance
			}
			for i, a := range subs {
				if balances[a.ID] != paid[i] {
					t.Errorf("sub-account %d holds %d, not %d", i, balances[a.ID], paid[i])
				}
			}
		}
		asAsked := func(i int, err error) bool {
			if i%9 == 4 && !giro.Is(err, giro.CodeInsufficientFunds) || i%9 != 4 && err != nil {
				t.Errorf("transfer %d: %v", i, err)
			}
			return err == nil
		}

		check(s.together(t, b, n, transfer), asAsked)
		if len(s.left) == 0 || s.left[0] > n/2 {
			t.Errorf("%d of %d ledger transactions were left to write when all was decided", s.left, n)
		}
		b.verify(t)

		// What was written of a batch that is not to be is gone; its commands run
		// one by one.
		s.refuse = true
		check(s.together(t, b, n, transfer), asAsked)
		if s.refused != 1 {
			t.Errorf("%d batches were refused, not one", s.refused)
		}
		b.verify(t)

		// So it is where the database refuses a part. Somebody's row stands in the
		// chain's way: up to there each command goes alone, the others are answered
		// that they did not.
		last, err := b.Store.LedgerTransactions(t.Context(), giro.LedgerQuery{Book: b.call.Book(), Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		odd := giro.LedgerTransaction{Kind: giro.KindTransfer, Transaction: ledger.Transaction{
			Book: last[0].Book, Sequence: last[0].Sequence + 120, ID: ids(time.Now()), At: last[0].At, Cause: "odd", Object: ids(time.Now()), Currency: "BRL",
			Postings: []ledger.Posting{{Debit: ids(time.Now()), Credit: ids(time.Now()), Amount: 1}}}}
		err = s.Store.Update(t.Context(), &giro.Keys{}, func(batch *giro.Batch) error {
			w, p := batch.Writes(), odd.Postings[0]
			w.Transactions = append(w.Transactions, odd)
			w.Entries = append(w.Entries, giro.Entry{Account: p.Debit, Sequence: odd.Sequence, Amount: -1, Balance: -1, At: odd.At},
				giro.Entry{Account: p.Credit, Sequence: odd.Sequence, N: 1, Amount: 1, Balance: 1, At: odd.At})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		stood := 0
		check(s.together(t, b, n, transfer), func(i int, err error) bool {
			if err == nil {
				stood++
			} else if !giro.Is(err, giro.CodeInsufficientFunds) && !giro.Is(err, giro.CodeUnavailable) {
				t.Errorf("transfer %d: %v", i, err)
			}
			return err == nil
		})
		if stood != 119 {
			t.Errorf("%d transfers stand before the row at 120", stood)
		}
	})
}
