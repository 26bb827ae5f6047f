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
	eventsEach = 30                     // events are looked for in one sweep of so many
)

// sweepLoop removes what has been kept for long enough, in small steps.
func (e *Engine) sweepLoop() {
	pause := time.Duration(0) // at once after a start
	for n := 0; ; n++ {
		timer := time.NewTimer(pause)
		select {
		case <-e.stopped:
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = sweepEvery
		if e.sweep(context.Background()) {
			pause = sweepPause
		}
		if n%eventsEach == 0 && e.EventsKept > 0 && e.sweepEvents(context.Background()) {
			pause, n = sweepPause, -1
		}
	}
}

// sweep makes one step; more: there may be enough left for another.
func (e *Engine) sweep(ctx context.Context) (more bool) {
	now := e.Now()
	n, err := e.Store.Sweep(ctx, Micros(now.Add(-e.KeysKept)), Micros(now.Add(-batchKept)), sweepStep)
	return e.swept(n, err)
}

// sweepEvents is sweep of old events.
func (e *Engine) sweepEvents(ctx context.Context) (more bool) {
	return e.swept(e.Store.SweepEvents(ctx, Micros(e.Now().Add(-e.EventsKept)), sweepStep))
}

func (e *Engine) swept(n int, err error) (more bool) {
	if err != nil && !errors.Is(err, ErrClosed) {
		e.Logf("sweep: %v", err)
	}
	return err == nil && n >= sweepStep
}
