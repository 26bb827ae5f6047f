package giro_test

import (
	"bytes"
	"testing"
	"time"

	"giro"
	"giro/internal/storetest"
)

// TestFrozenAndReset: while a test clock stands nothing becomes due, however much
// real time passes; reset, it goes with the real time as soon as that is not
// behind it, and no record is older than the one before it.
func TestFrozenAndReset(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		clock := newSettable()
		e := clock.engine(t, d)
		b := startEngine(t, e)
		var last giro.UUID
		payout := func() *giro.Movement {
			t.Helper()
			p, err := b.CreatePayout(t.Context(), b.call, pixPayout(1234))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Compare(p.Movement.ID[:], last[:]) <= 0 {
				t.Errorf("payout %s sorts before %s, which is older", p.Movement.ID, last)
			}
			last = p.Movement.ID
			b.drain(t, clock, 0) // its instruction is out, and what the rail says to it written
			return p.Movement
		}
		tell := func(to giro.ClockChange, state string, ahead time.Duration) {
			t.Helper()
			due, err := b.DueWith(t.Context(), b.call.Book(), to)
			if err != nil {
				t.Fatal(err)
			}
			at, err := b.ChangeClock(t.Context(), b.call, to)
			if err != nil || at.State != state || at.Ahead.Round(time.Second) != ahead || at.Ahead != at.Now.Sub(clock.now()) {
				t.Fatalf("the clock shows %+v, %v; want it to be %s by %s", at, err, state, ahead)
			}
			if err := b.AwaitJobs(t.Context(), b.call.Book(), due); err != nil {
				t.Fatal(err)
			}
		}
		status := func(m *giro.Movement, want giro.Status) {
			t.Helper()
			if now := b.read(t, m); now.Status != want {
				t.Errorf("the payout is %s, want %s", now.Status, want)
			}
		}

		tell(giro.ClockChange{Freeze: true}, giro.ClockFrozen, 0)
		for range 5 {
			payout()
		}
		p := payout()
		b.drain(t, clock, time.Hour)
		status(p, giro.StatusPending)
		tell(giro.ClockChange{Advance: 2 * time.Second}, giro.ClockFrozen, 2*time.Second-time.Hour)
		status(p, giro.StatusSucceeded)

		// Behind the real time it goes forward to it.
		p = payout()
		tell(giro.ClockChange{Reset: true}, giro.ClockRunning, 0)
		b.drain(t, clock, 2*time.Second)
		status(p, giro.StatusSucceeded)

		// Ahead of it, it waits.
		tell(giro.ClockChange{Advance: 10 * time.Hour}, giro.ClockRunning, 10*time.Hour)
		payout()
		tell(giro.ClockChange{Reset: true}, giro.ClockWaiting, 10*time.Hour)
		p = payout()
		b.drain(t, clock, 9*time.Hour)
		status(p, giro.StatusPending)
		b.drain(t, clock, time.Hour+2*time.Second)
		status(p, giro.StatusSucceeded)
		if at, err := b.ReadClock(t.Context(), b.call.Book()); err != nil || at.State != giro.ClockRunning || at.Ahead != 0 {
			t.Errorf("the clock shows %+v, %v", at, err)
		}

		// Frozen at a time, from where it only goes forward.
		end := clock.now().Add(48 * time.Hour)
		tell(giro.ClockChange{Freeze: true, To: end}, giro.ClockFrozen, 48*time.Hour)
		if _, err := b.ChangeClock(t.Context(), b.call, giro.ClockChange{To: end.Add(-time.Second)}); !giro.Is(err, giro.CodeInvalidValue) {
			t.Error(err)
		}
		live := *b.call
		live.Live = true
		if _, err := b.ChangeClock(t.Context(), &live, giro.ClockChange{Freeze: true}); !giro.Is(err, giro.CodeInvalidState) {
			t.Error(err)
		}
		payout()
		b.verify(t)
	})
}
