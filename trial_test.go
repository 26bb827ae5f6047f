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
	"giro/store"
)

// slowSums is a store that hands out a sum when it is told to.
type slowSums struct {
	giro.Store
	sums         atomic.Int64
	summed, give chan struct{}
}

func (s *slowSums) TrialBalance(ctx context.Context, book giro.Book) (*giro.TrialBalance, error) {
	t, err := s.Store.TrialBalance(ctx, book)
	s.sums.Add(1)
	s.summed <- struct{}{}
	<-s.give
	return t, err
}

// TestTrialBalanceIsShared: whoever asks while a book is being summed waits for the
// next sum, which has all that was committed before he asked; one is read for all
// of them. Other books wait for nobody.
func TestTrialBalanceIsShared(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		s := &slowSums{Store: d.Open(t, store.Options{}), summed: make(chan struct{}, 100), give: make(chan struct{})}
		b := start(t, s)
		ask := func(ctx context.Context, book giro.Book) (credits int64) {
			got, err := b.TrialBalance(ctx, book)
			if err != nil || len(got.Currencies) != 1 {
				t.Errorf("%+v, %v", got, err)
				return 0
			}
			return got.Currencies[0].Credits
		}
		first := make(chan int64, 1)
		go func() { first <- ask(t.Context(), b.call.Book()) }()
		<-s.summed
		if _, err := b.Fund(t.Context(), b.call, "BRL", 5); err != nil {
			t.Fatal(err)
		}
		const many = 50
		var asked sync.WaitGroup
		later := make(chan int64, many)
		for range many {
			asked.Add(1)
			go func() {
				asked.Done()
				later <- ask(t.Context(), b.call.Book())
			}()
		}
		asked.Wait()
		gone, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		if _, err := b.TrialBalance(gone, b.call.Book()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who left: %v", err)
		}
		all := make(chan int64, 1)
		go func() { all <- ask(t.Context(), giro.Installation) }()
		<-s.summed // of the installation, while the book waits
		close(s.give)
		was := <-first
		if got := <-all; got < was+5 {
			t.Errorf("%d in all, in one book %d", got, was+5)
		}
		for range many {
			if got := <-later; got != was+5 {
				t.Errorf("credits of %d, before the last payment were %d", got, was)
			}
		}
		if n := s.sums.Load(); n > many/2 {
			t.Errorf("%d sums for %d callers", n, many+3)
		}
	})
}
