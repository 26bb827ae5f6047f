package giro

import (
	"context"
	"errors"
	"time"
)

const (
	batchKept  = 24 * time.Hour // a batch's own row: far longer than a COMMIT can be in doubt
	sweepEvery = 10 * time.Second
	sweepStep  = 2000                   // rows of each table at once, so that no commit waits for long
	sweepPause = 100 * time.Millisecond // between two steps, where one was not enough
)

// sweepLoop removes what has been kept for long enough, in small steps.
func (e *Engine) sweepLoop() {
	pause := time.Duration(0) // at once after a start
	for {
		timer := time.NewTimer(pause)
		select {
		case <-e.stopped:
			timer.Stop()
			return
		case <-timer.C:
		}
		if pause = sweepEvery; e.sweep(context.Background()) {
			pause = sweepPause
		}
	}
}

// sweep makes one step; more: there may be enough left for another.
func (e *Engine) sweep(ctx context.Context) (more bool) {
	now := e.Now()
	n, err := e.Store.Sweep(ctx, Micros(now.Add(-e.KeysKept)), Micros(now.Add(-batchKept)), sweepStep)
	more = n >= sweepStep
	if err == nil && e.EventsKept > 0 {
		n, err = e.Store.SweepEvents(ctx, Micros(now.Add(-e.EventsKept)), sweepStep)
		more = more || n >= sweepStep
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		e.Logf("sweep: %v", err)
		return false
	}
	return more
}
