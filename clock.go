package giro

import (
	"context"
	"time"
)

// jobsAwaited bounds the jobs that one advance of a test clock waits for.
const jobsAwaited = 10_000

// DueWithin lists the jobs of a book that are due when its clock has gone
// forward by delta.
func (e *Engine) DueWithin(ctx context.Context, book Book, delta time.Duration) ([]*Job, error) {
	return e.Store.Jobs(ctx, book, Micros(e.Now().Add(delta)), jobsAwaited)
}

// AwaitJobs waits until each of these jobs of a book has run: it is gone, or due
// again later. CodeUnavailable: that took longer than ten seconds.
func (e *Engine) AwaitJobs(ctx context.Context, book Book, jobs []*Job) error {
	open := map[JobKey]bool{}
	for _, j := range jobs {
		open[j.JobKey] = true
	}
	due := Micros(e.Now())
	giveUp := time.NewTimer(10 * time.Second)
	defer giveUp.Stop()
	for {
		committed := e.Committed()
		left, err := e.Store.Jobs(ctx, book, due, jobsAwaited)
		if err != nil {
			return err
		}
		waiting := false
		for _, j := range left {
			waiting = waiting || open[j.JobKey]
		}
		if !waiting {
			return nil
		}
		// Another process may have taken the job: its commit is seen by asking.
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-committed:
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return &Error{Code: CodeUnavailable, Message: "the clock went forward; the caller left before all jobs had run", Err: ctx.Err()}
		case <-giveUp.C:
			again.Stop()
			return &Error{Code: CodeUnavailable, Message: "the clock went forward; some jobs that became due have not run yet", RetryAfter: time.Second}
		}
		again.Stop()
	}
}
