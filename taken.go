package giro

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	takenMax  = 8192        // instructions in hand, 3 KB each
	takenWait = time.Second // what a rail wants to be asked about later is committed
)

// taken are instructions of which a rail has said no more than that it has them
// and wants to be asked in a moment. That is committed together with its next
// answer: one commit, one change of the movement and one claim less in the life
// of each. Until then the job that stands in the store is leased to this process,
// from which others take it when it has died, and ask the rail. In the order in
// which they are due.
type taken struct {
	mu   sync.Mutex
	list []*takenOne
}

type takenOne struct {
	at    int64  // µs, real time: when to ask
	clock *Clock // its book's; nil: it has changed
	m     *Movement
	out   Outcome
	said  Attempt
}

// keepTaken reports whether a rail's answer to a submission waits for the next one.
func (e *Engine) keepTaken(m *Movement, out Outcome, clock *Clock) bool {
	now := Micros(e.Now())
	if out.Verdict != VerdictPending || out.Reference != "" || out.Heard != nil || out.Next != nil || out.Awaits || out.After <= 0 || out.After > takenWait ||
		m.Status != StatusPending || m.InDoubt || clock == nil || clock.stands(now) {
		return false
	}
	one := &takenOne{
		at: now + out.After.Microseconds(), clock: clock, m: m, out: out,
		said: m.said(clock.At(now), m.Detail.Step, false, out, nil),
	}
	kept, first := e.taken.add(one) // its book's clock may be moved from here on
	if first {
		e.wakeJobs() // the job loop may sleep for longer
	}
	return kept
}

// commitTaken commits the answers that are in hand, for an engine that stops.
func (e *Engine) commitTaken() {
	e.taken.mu.Lock()
	left := e.taken.list
	e.taken.list = nil
	e.taken.mu.Unlock()
	var all sync.WaitGroup
	for _, t := range left {
		all.Go(func() {
			if _, err := e.applyOutcome(context.Background(), t.m, false, t.out, nil); err != nil {
				e.Logf("outcome of %s: %v", t.said.Instruction, err)
			}
		})
	}
	all.Wait()
}

// add reports whether there was room for one, and whether it is the first to be due.
func (t *taken) add(one *takenOne) (kept, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) >= takenMax {
		return false, false
	}
	t.insert(one)
	return true, t.list[0] == one
}

func (t *taken) insert(one *takenOne) {
	i, _ := slices.BinarySearchFunc(t.list, one.at+1, func(o *takenOne, at int64) int { return cmp.Compare(o.at, at) }) // mostly at the end
	t.list = slices.Insert(t.list, i, one)
}

// next returns when the first is due; 0: there is none.
func (t *taken) next() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) == 0 {
		return 0
	}
	return t.list[0].at
}

// due hands out those that are due, at most so many.
func (t *taken) due(now int64, most int) []*takenOne {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < min(len(t.list), most) && t.list[n].at <= now {
		n++
	}
	due := slices.Clone(t.list[:n])
	t.list = slices.Delete(t.list, 0, n)
	return due
}

// hurry makes those of a book due whose clock has changed.
func (t *taken) hurry(book Book, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list
	t.list = nil
	for _, one := range list {
		if one.m.Book == book {
			one.at, one.clock = min(one.at, now), nil
		}
		t.insert(one)
	}
}
