package giro_test

import (
	"context"
	"testing"
	"time"

	"giro"
	"giro/internal/storetest"
	"giro/rail"
	"giro/store"
)

// recorded is the sandbox's memory that says when an instruction has been kept.
type recorded struct {
	rail.Memory
	kept chan giro.SandboxRow
}

func (r recorded) SandboxRecord(ctx context.Context, in giro.Instruction, change func(*giro.SandboxRow)) (giro.SandboxRow, error) {
	row, err := r.Memory.SandboxRecord(ctx, in, change)
	if err == nil {
		r.kept <- row
	}
	return row, err
}

// takenPayout makes a payout and waits until the sandbox has it.
func takenPayout(t *testing.T, e *giro.Engine) (*bank, *giro.Movement, chan giro.SandboxRow) {
	t.Helper()
	kept := make(chan giro.SandboxRow, 100)
	e.Rails["sandbox"] = &rail.Sandbox{Memory: recorded{e, kept}}
	b := startEngine(t, e)
	p, err := b.CreatePayout(t.Context(), b.call, pixPayout(1234))
	if err != nil {
		t.Fatal(err)
	}
	<-kept
	return b, p.Movement, kept
}

func wantAttempts(t *testing.T, m *giro.Movement, want ...string) {
	t.Helper()
	var got []string
	for _, a := range m.Detail.Attempts {
		got = append(got, a.Act+" "+a.Result)
	}
	if len(got) != len(want) {
		t.Fatalf("the timeline has %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the timeline has %v, want %v", got, want)
		}
	}
}

// TestTakenIsCommittedWithTheNextWord: what a rail says to a submission stands in
// the timeline once it has said more. A test clock that goes forward brings that
// on.
func TestTakenIsCommittedWithTheNextWord(t *testing.T) {
	t.Parallel()
	clock := newSettable()
	e := clock.engine(t, storetest.SQLite(t))
	b, m, _ := takenPayout(t, e)
	if err := b.Drain(t.Context(), giro.Micros(clock.now())); err != nil {
		t.Fatal(err)
	}
	wantAttempts(t, b.read(t, m))
	if _, err := b.ChangeClock(t.Context(), b.call, giro.ClockChange{Advance: time.Second}); err != nil {
		t.Fatal(err)
	}
	now := b.until(t, m, giro.StatusSucceeded)
	wantAttempts(t, now, "submit pending", "lookup succeeded")
	if now.Detail.Attempts[0].At != m.Created || now.Updated != m.Created+time.Second.Microseconds() {
		t.Errorf("created %d: %+v", m.Created, now)
	}
	b.verify(t)
}

// TestATestCallPutsWhatIsInHandInDoubt: a rail's answer to what was asked before
// does not end the doubt; the look-up after it does, a second later.
func TestATestCallPutsWhatIsInHandInDoubt(t *testing.T) {
	t.Parallel()
	for outcome, end := range map[string]giro.Status{"timeout": giro.StatusSucceeded, "timeout_failed": giro.StatusFailed} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			clock := newSettable()
			e := clock.engine(t, storetest.SQLite(t))
			b, m, _ := takenPayout(t, e)
			clock.advance(500 * time.Millisecond)
			if _, err := b.TestOutcome(t.Context(), b.call, giro.KindPayout, m.ID, outcome, ""); err != nil {
				t.Fatal(err)
			}
			clock.advance(450 * time.Millisecond) // what is in hand is asked about again
			if err := b.Drain(t.Context(), giro.Micros(clock.now())); err != nil {
				t.Fatal(err)
			}
			if now := b.read(t, m); !now.InDoubt || now.Status != giro.StatusPending {
				t.Errorf("it is %s, in doubt %v", now.Status, now.InDoubt)
			}
			b.drain(t, clock, time.Second)
			wantAttempts(t, b.until(t, m, end), "submit pending", "lookup "+string(end))
			b.verify(t)
		})
	}
}

// TestAnEngineStopsWithAnswersInHand: it commits them, so that the next one need
// not wait for a lease to end.
func TestAnEngineStopsWithAnswersInHand(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		clock := newSettable()
		first := clock.engine(t, d)
		var b *bank
		var m *giro.Movement
		t.Run("first", func(t *testing.T) { b, m, _ = takenPayout(t, first) }) // its end stops the engine
		again := startEngine(t, clock.engine(t, d))
		wantAttempts(t, again.read(t, m), "submit pending")
		again.drain(t, clock, time.Second)
		wantAttempts(t, again.until(t, m, giro.StatusSucceeded), "submit pending", "lookup succeeded")
		again.call = b.call
		again.verify(t)
	})
}

// TestAProcessDiesWithAnswersInHand: another one asks the rail for what it had
// taken, and submits nothing again.
func TestAProcessDiesWithAnswersInHand(t *testing.T) {
	t.Parallel()
	d := storetest.Postgres(t)
	first := &mortal{Store: d.Open(t, store.Options{})}
	b, m, _ := takenPayout(t, newEngine(t, first))
	first.dead.Store(true)
	s := d.Open(t, store.Options{})
	other := newEngine(t, s)
	kept := make(chan giro.SandboxRow, 100)
	other.Rails["sandbox"] = &rail.Sandbox{Memory: recorded{other, kept}}
	other.Start()
	t.Cleanup(func() {
		other.Stop()
		s.Close()
	})
	row := <-kept
	b.Engine = other
	b.until(t, m, giro.StatusSucceeded)
	if row.Submits != 1 || row.Lookups < 1 || !row.Done {
		t.Errorf("the rail was asked %d times to submit and %d times for the outcome", row.Submits, row.Lookups)
	}
	b.verify(t)
}
