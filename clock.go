package giro

import (
	"context"
	"time"
)

// Clock is the time of a test book: as much ahead of the real one as it was put
// forward, and never before its floor. So it never goes back: what a book holds
// stays in the order in which it was made.
type Clock struct {
	Ahead int64 // µs
	Floor int64 // µs
}

// A frozen clock is so far behind (µs) that it always shows its floor, and a job
// that waits for it comes due so far from now.
const clockFrozen = -1 << 60

const (
	clockTick = 1000                      // µs: how fine ids are
	clockLeap = 10 * 366 * 24 * time.Hour // how far it goes at once
	clockEnd  = 253_402_300_799_000_000   // µs, the last second of the year 9999
)

// At returns what the clock shows at a real time (both µs).
func (c Clock) At(now int64) int64 { return max(c.Floor, now+c.Ahead) }

// stands reports whether time does not pass on the clock.
func (c Clock) stands(now int64) bool { return c.Floor > now+c.Ahead }

// tick puts a clock that stands a moment forward. Each command that writes
// to a book does, so that what is made one after another stays in this order.
func (c *Clock) tick(now int64) {
	if c.stands(now) {
		c.Floor += clockTick
	}
}

// due returns the real time at which the clock shows at; now, if it does already.
func (c Clock) due(at, now int64) int64 {
	if at <= c.At(now) {
		return min(at-c.Ahead, now)
	}
	return at - c.Ahead
}

// The states of a test clock.
const (
	ClockRunning = "running" // with the real one, or ahead of it
	ClockFrozen  = "frozen"  // it stands until it is put forward or reset
	ClockWaiting = "waiting" // it was reset and stands until the real time has come to where it is
)

// ClockReading is what a test clock shows.
type ClockReading struct {
	Now   time.Time
	Ahead time.Duration // of the real time; below 0: behind
	State string
}

func (c Clock) read(now int64) ClockReading {
	r := ClockReading{Now: TimeOf(c.At(now)), Ahead: time.Duration(c.At(now)-now) * time.Microsecond, State: ClockRunning}
	switch {
	case c.Ahead == clockFrozen:
		r.State = ClockFrozen
	case c.stands(now):
		r.State = ClockWaiting
	}
	return r
}

// ClockChange is what a test clock is told: to go forward, by Advance or to To;
// to stand still, at To if that is set; or to show the real time again.
type ClockChange struct {
	Advance time.Duration
	To      time.Time
	Freeze  bool
	Reset   bool
}

// change returns the clock as it is after a change, and which jobs that makes due.
func (c Clock) change(book Book, to ClockChange, now int64) (Clock, JobShift, error) {
	shown, param := c.At(now), "/advance"
	at := shown + to.Advance.Microseconds()
	if !to.To.IsZero() {
		at, param = Micros(to.To), "/to"
	} else if to.Freeze {
		at += clockTick // what was made just now is older than what comes
	}
	next := Clock{Ahead: at - now}
	switch {
	case to.Reset:
		// It cannot go back: where it is ahead it waits.
		at, next = now, Clock{}
		if shown > now {
			at = shown + clockTick
			next.Floor = at
		}
	case at < shown || at == shown && !to.Freeze:
		return c, JobShift{}, Refuse(CodeInvalidValue, param, "the clock only goes forward")
	case at-shown > clockLeap.Microseconds():
		return c, JobShift{}, Refuse(CodeInvalidValue, param, "the clock goes forward by at most ten years at once")
	case at > clockEnd:
		return c, JobShift{}, Refuse(CodeInvalidValue, param, "the clock ends with the year 9999")
	case to.Freeze || c.Ahead == clockFrozen:
		next = Clock{Ahead: clockFrozen, Floor: at}
	}
	return next, JobShift{Book: book, Until: max(now, at-c.Ahead), Now: now, Earlier: next.Ahead - c.Ahead}, nil
}

// JobShift puts the jobs of a book to another clock: those due at or before Until
// (µs) are due now, the others come so much earlier, or later where that is below 0.
type JobShift struct {
	Book                Book
	Until, Now, Earlier int64
}

func (s JobShift) due(was int64) int64 {
	if was <= s.Until {
		return min(was, s.Now)
	}
	return was - s.Earlier
}

// ChangeClock changes a test book's clock; what becomes due by it runs at once.
func (e *Engine) ChangeClock(ctx context.Context, call *Call, to ClockChange) (ClockReading, error) {
	book := call.Book()
	v, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{book}}, decide: func(b *Batch) (any, error) {
		if book.Live() {
			return nil, Refuse(CodeInvalidState, "", "only test mode has a clock of its own")
		}
		h := b.head(book, call.Merchant.ID)
		clock, shift, err := h.Clock.change(book, to, b.At)
		if err != nil {
			return nil, err
		}
		h.Clock = clock
		b.writes.ShiftJobs = append(b.writes.ShiftJobs, shift)
		// The shift runs before this batch's own jobs are written.
		for i, j := range b.writes.Jobs {
			if j.Book == book && j.Due >= 0 {
				shifted := *j
				shifted.Due = max(shift.due(j.Due), 0)
				b.writes.Jobs[i] = &shifted
			}
		}
		return clock.read(b.At), nil
	}})
	if err == nil {
		e.taken.hurry(book, Micros(e.Now()))
		e.wakeJobs()
	}
	r, _ := v.(ClockReading)
	return r, err
}

// Clock returns the time of a book.
func (e *Engine) Clock(ctx context.Context, book Book) (time.Time, error) {
	c, err := e.clockOf(ctx, book)
	if err != nil {
		return time.Time{}, err
	}
	return TimeOf(c.At(Micros(e.Now()))), nil
}

// ReadClock returns what a book's clock shows.
func (e *Engine) ReadClock(ctx context.Context, book Book) (ClockReading, error) {
	c, err := e.clockOf(ctx, book)
	if err != nil {
		return ClockReading{}, err
	}
	return c.read(Micros(e.Now())), nil
}

func (e *Engine) clockOf(ctx context.Context, book Book) (*Clock, error) {
	if book.Live() {
		return &Clock{}, nil
	}
	h, err := e.Store.Head(ctx, book)
	if err != nil || h == nil {
		return &Clock{}, err
	}
	return &h.Clock, nil
}

// clock returns a book's clock as this batch has it so far.
func (b *Batch) clock(book Book) *Clock {
	c := Clock{}
	if h := b.heads[book]; h != nil {
		c = h.Clock
	}
	return &c
}

// jobsAwaited bounds the jobs that one change of a test clock waits for.
const jobsAwaited = 10_000

// DueWith lists the jobs of a book that are due when its clock has changed.
func (e *Engine) DueWith(ctx context.Context, book Book, to ClockChange) ([]*Job, error) {
	c, err := e.clockOf(ctx, book)
	if err != nil {
		return nil, err
	}
	_, shift, err := c.change(book, to, Micros(e.Now()))
	if err != nil {
		return nil, err
	}
	return e.Store.Jobs(ctx, book, shift.Until, jobsAwaited)
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
			return &Error{Code: CodeUnavailable, Message: "the clock was changed; the caller left before all jobs had run", Err: ctx.Err()}
		case <-giveUp.C:
			again.Stop()
			return &Error{Code: CodeUnavailable, Message: "the clock was changed; some jobs that became due have not run yet", RetryAfter: time.Second}
		}
		again.Stop()
	}
}
