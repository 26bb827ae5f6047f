package giro

import (
	"context"
	"sync"
)

// trials lets one trial balance of a book be summed at a time. It reads every
// account, and whoever may read it may ask again and again: many who ask at once
// would take all readers.
type trials struct {
	mu   sync.Mutex
	next map[Book]*trialRun // of books that are being summed: for those who have come meanwhile; nil: nobody has
}

// trialRun is a trial balance for all who asked before it began.
type trialRun struct {
	done    chan struct{}
	balance *TrialBalance
	err     error
}

// TrialBalance sums the balances of a book, or of all (Installation), as they are
// committed at some moment after the call. Callers who wait share what is read
// for them, which nobody changes.
func (e *Engine) TrialBalance(ctx context.Context, book Book) (*TrialBalance, error) {
	select {
	case <-e.stopped:
		return e.Store.TrialBalance(ctx, book)
	default:
	}
	e.trials.mu.Lock()
	run, summing := e.trials.next[book]
	if run == nil {
		run = &trialRun{done: make(chan struct{})}
		if summing {
			e.trials.next[book] = run
		} else {
			e.trials.next[book] = nil
			e.inFlight.Add(1)
			go e.trial(book, run)
		}
	}
	e.trials.mu.Unlock()
	select {
	case <-run.done:
		return run.balance, run.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// trial sums a book, and again for those who have asked meanwhile. No caller's
// leaving ends it, but the engine's end does.
func (e *Engine) trial(book Book, run *trialRun) {
	defer e.inFlight.Done()
	for run != nil {
		run.balance, run.err = e.Store.TrialBalance(e.attempts, book)
		close(run.done)
		e.trials.mu.Lock()
		run = e.trials.next[book]
		if run == nil {
			delete(e.trials.next, book)
		} else {
			e.trials.next[book] = nil
		}
		e.trials.mu.Unlock()
	}
}
