package giro_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/internal/storetest"
	"giro/store"
)

// mortal is the store of a process that can be killed: from then on it gets no
// answer from the database, and gives no sign of life.
type mortal struct {
	giro.Store
	dead atomic.Bool
}

var errKilled = errors.New("killed")

func (s *mortal) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	if s.dead.Load() {
		return errKilled
	}
	return s.Store.Update(ctx, keys, decide)
}

func (s *mortal) Beat(ctx context.Context, process giro.UUID, dead time.Duration) error {
	if s.dead.Load() {
		return errKilled
	}
	return s.Store.Beat(ctx, process, dead)
}

func (s *mortal) ClaimJobs(ctx context.Context, owner giro.UUID, now, lease int64, limit int) ([]*giro.Job, error) {
	if s.dead.Load() {
		return nil, errKilled
	}
	return s.Store.ClaimJobs(ctx, owner, now, lease, limit)
}

// TestAProcessDiesAtTheRail: two processes share a database. While the one waits
// for a rail, the other one waits for it with those who repeat the request, and
// asks the rail nothing; once it is dead the other one answers within a second
// or so and brings what it had begun to its end.
func TestAProcessDiesAtTheRail(t *testing.T) {
	t.Parallel()
	d := storetest.Postgres(t)
	open := func() *mortal { return &mortal{Store: d.Open(t, store.Options{})} }
	first := open()
	e := newEngine(t, first)
	never := &slow{make(chan giro.Instruction, 10), make(chan said)}
	e.Rails["sandbox"], e.RailWait = never, time.Minute
	b := startEngine(t, e)

	s := open()
	other := newEngine(t, s)
	rail := &script{}
	other.Rails["sandbox"] = rail
	other.Start()
	t.Cleanup(func() {
		other.Stop()
		s.Close()
	})

	ask := func(e *giro.Engine, key string) (giro.Answer, error) {
		call := *b.call
		call.Idempotent = &giro.Idempotent{Key: key, Fingerprint: []byte("f"), Render: func(v any, err error) giro.Answer {
			if err != nil {
				return giro.Answer{Status: 409}
			}
			return giro.Answer{Status: 201, Body: v.(*giro.Result).Movement.AppendJSON(nil)}
		}}
		_, err := e.CreateCharge(t.Context(), &call, cardCharge(800, "card_token"))
		return call.Answer, err
	}

	// The process lives: the other one waits for its answer.
	answers := make(chan giro.Answer, 2)
	for i, e := range []*giro.Engine{b.Engine, other} {
		go func() {
			a, err := ask(e, "alive")
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
		if i == 0 {
			<-never.arrived
		}
	}
	select {
	case a := <-answers:
		t.Errorf("answered while the rail was being waited for: %s", a.Body)
	case <-time.After(1600 * time.Millisecond): // longer than a dead process is waited for
	}
	never.answer <- verdict(giro.VerdictSucceeded)
	one, two := <-answers, <-answers
	if one.Status != 201 || string(one.Body) != string(two.Body) || one.Replayed == two.Replayed {
		t.Errorf("answered %+v and %+v", one, two)
	}
	if _, acts, _ := rail.log(); len(acts) != 0 {
		t.Errorf("the other process asked the rail: %v", acts)
	}

	// It dies in the middle of a charge and of a payout.
	go ask(b.Engine, "dead")
	charge := (<-never.arrived).Movement
	p, err := b.CreatePayout(t.Context(), b.call, pixPayout(700))
	if err != nil {
		t.Fatal(err)
	}
	rail.say(verdict(giro.VerdictAbsent)) // the payout, or the charge, never arrived
	first.dead.Store(true)
	died := time.Now()
	a, err := ask(other, "dead")
	if err != nil || a.Status != 201 {
		t.Fatal(a, err)
	}
	t.Logf("the dead process' key was answered after %v", time.Since(died).Round(time.Millisecond))
	if again, err := ask(other, "dead"); err != nil || string(again.Body) != string(a.Body) {
		t.Errorf("answered %s and then %s", a.Body, again.Body)
	}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for _, m := range []*giro.Movement{charge, p.Movement} {
		for m = b.read(t, m); m.Status != giro.StatusSucceeded; m = b.read(t, m) {
			select {
			case <-poll.C:
			case <-deadline.C:
				t.Fatalf("a %s is stuck: %s, sent %v", m.Kind, m.Status, m.Sent)
			}
		}
	}
	t.Logf("its jobs were done after %v", time.Since(died).Round(time.Millisecond))
	close(never.answer) // the dead process' requests end
	r, err := s.Store.Verify(t.Context())
	if err != nil || !r.OK {
		t.Fatal(fmt.Sprint(r, err))
	}
}
