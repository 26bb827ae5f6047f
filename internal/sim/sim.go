// Package sim runs giro's engine in a world that goes wrong: a database that
// fails or loses the answer to COMMIT, a process that dies at any operation, a
// rail that loses answers before or after it has done the work. Its clients do
// what good clients do: they repeat a request under its key until they know.
// When all has come to rest, Run compares what giro says with what the rail
// really did.
package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"giro"
	"giro/store"
)

// Fault is one way in which an operation goes wrong.
type Fault int

// The faults of a database; FailBefore and FailAfter are a rail's too.
const (
	None       Fault = iota
	FailBefore       // an error, and nothing was done
	FailAfter        // it was done, and its answer is lost
	DieBefore        // the process ends, and nothing was done
	DieAfter         // it was done, and then the process ends
)

func (f Fault) String() string {
	return [...]string{"no fault", "fails, not done", "answer lost, done", "process dies, not done", "process dies, done"}[f]
}

// Plan says what happens to the n-th operation, counted from 1.
type Plan func(n int) Fault

// Nth lets one operation go wrong.
func Nth(n int, f Fault) Plan {
	return func(i int) Fault {
		if i == n {
			return f
		}
		return None
	}
}

// Config describes one run.
type Config struct {
	Dir      string // of the store
	Database Plan   // nil: no faults
	Rail     Plan
}

// Clock is the run's own.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now returns the run's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *Clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Result is what a run did.
type Result struct {
	DatabaseOperations int // that could have gone wrong
	RailOperations     int
	Restarts           int
}

// counted hands out faults, one per operation.
type counted struct {
	mu    sync.Mutex
	plan  Plan
	n     int
	armed bool
}

func (c *counted) next() Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return None
	}
	c.n++
	if c.plan == nil {
		return None
	}
	return c.plan(c.n)
}

func (c *counted) arm(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = on
}

// world is one run.
type world struct {
	config   Config
	clock    *Clock
	database counted
	rail     *outside

	store    *faulty
	engine   *giro.Engine
	merchant *giro.Merchant
	restarts int
}

// Run plays the scenario with the faults of a configuration. An error says what
// does not add up in the end.
func Run(ctx context.Context, c Config) (Result, error) {
	w := &world{config: c, clock: &Clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	w.database.plan = c.Database
	w.rail = &outside{faults: counted{plan: c.Rail}, known: map[string]*done{}}
	err := w.open()
	if err != nil {
		return Result{}, err
	}
	defer w.close()
	w.merchant, err = w.engine.CreateMerchant(ctx, nil, giro.Merchant{Name: "Sim", Currency: "BRL"})
	if err != nil {
		return Result{}, err
	}
	if _, err = w.engine.Fund(ctx, &giro.Call{Merchant: w.merchant}, "BRL", funds); err != nil {
		return Result{}, err
	}
	w.database.arm(true)
	w.rail.faults.arm(true)
	err = w.scenario(ctx)
	return Result{w.database.n, w.rail.faults.n, w.restarts}, err
}

func (w *world) open() error {
	real, err := store.OpenSQLite(w.config.Dir, store.Options{Now: w.clock.Now})
	if err != nil {
		return err
	}
	w.store = &faulty{Store: real, faults: &w.database}
	w.engine = &giro.Engine{
		Store: w.store, Now: w.clock.Now, NewID: giro.UUIDs(), RailWait: 5 * time.Second,
		Rails: map[string]giro.Rail{"sandbox": w.rail, "manual": w.rail},
	}
	w.engine.Start()
	return nil
}

func (w *world) close() error {
	w.engine.Stop()
	return w.store.Store.Close()
}

// revive starts the process again where it has died.
func (w *world) revive() error {
	if !w.store.dead() {
		return nil
	}
	w.restarts++
	if err := w.close(); err != nil {
		return err
	}
	return w.open()
}

// pass lets some time go by, and what is due happen.
func (w *world) pass(ctx context.Context, d time.Duration) error {
	w.clock.advance(d)
	if err := w.revive(); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := w.engine.Drain(wait, giro.Micros(w.clock.Now()))
	if wait.Err() != nil {
		return fmt.Errorf("jobs are stuck: %w", err)
	}
	return w.revive() // the faults of reading what is due come to nothing
}

var (
	errFault = errors.New("sim: the database failed")
	errDead  = errors.New("sim: the process is gone")
)

// faulty is a store whose operations go wrong as planned. A dead one answers
// nothing any more, as the process that it belonged to.
type faulty struct {
	giro.Store
	faults *counted

	mu   sync.Mutex
	gone bool
}

func (s *faulty) dead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

func (s *faulty) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}

// Update may fail before anything is done, or lose the answer to COMMIT.
func (s *faulty) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	if s.dead() {
		return errDead
	}
	f := s.faults.next()
	switch f {
	case FailBefore:
		return errFault
	case DieBefore:
		s.die()
		return errDead
	}
	err := s.Store.Update(ctx, keys, decide)
	switch f {
	case FailAfter:
		return errors.Join(giro.ErrCommitUnknown, err)
	case DieAfter:
		s.die()
		return errDead
	}
	return err
}

// read runs the faults of an operation that writes nothing.
func (s *faulty) read() error {
	if s.dead() {
		return errDead
	}
	switch s.faults.next() {
	case FailBefore, FailAfter:
		return errFault
	case DieBefore, DieAfter:
		s.die()
		return errDead
	}
	return nil
}

func (s *faulty) Movement(ctx context.Context, book giro.Book, kind giro.Kind, id giro.UUID) (*giro.Movement, error) {
	if err := s.read(); err != nil {
		return nil, err
	}
	return s.Store.Movement(ctx, book, kind, id)
}

func (s *faulty) Head(ctx context.Context, book giro.Book) (*giro.BookHead, error) {
	if err := s.read(); err != nil {
		return nil, err
	}
	return s.Store.Head(ctx, book)
}

// ClaimJobs and NextJob are asked again and again while nothing happens: they
// fail with the process only.
func (s *faulty) ClaimJobs(ctx context.Context, owner giro.UUID, now, lease int64, limit int) ([]*giro.Job, error) {
	if s.dead() {
		return nil, errDead
	}
	return s.Store.ClaimJobs(ctx, owner, now, lease, limit)
}

func (s *faulty) NextJob(ctx context.Context) (int64, error) {
	if s.dead() {
		return 0, nil
	}
	return s.Store.NextJob(ctx)
}

// done is what the outside world knows of one instruction.
type done struct {
	giro.Instruction
	object  giro.UUID
	submits int // that arrived
	verdict giro.Verdict
	ready   time.Time
}

// outside is a rail with a memory of its own, that nothing can roll back.
type outside struct {
	faults counted

	mu    sync.Mutex
	known map[string]*done
	wrong []string
}

var errLost = errors.New("sim: the rail's answer was lost")

// refusedAmount is what the rail refuses to pay out.
const refusedAmount = 666

func (o *outside) Submit(_ context.Context, in giro.Instruction) (giro.Outcome, error) {
	f := o.faults.next()
	if f == FailBefore || f == DieBefore {
		return giro.Outcome{}, errLost
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.known[in.ID]
	if d == nil {
		d = &done{Instruction: in, object: in.Movement.ID, verdict: giro.VerdictSucceeded, ready: in.Now}
		switch {
		case in.Op == giro.OpAuthorise:
			d.verdict = giro.VerdictAuthorised
		case in.Amount == refusedAmount:
			d.verdict = giro.VerdictFailed
		}
		if in.Op == giro.OpPayout || in.Op == giro.OpRefund {
			d.ready = in.Now.Add(900 * time.Millisecond)
		}
		o.known[in.ID] = d
	}
	if d.submits++; d.submits > 1 {
		o.wrong = append(o.wrong, in.ID+" was sent again without proof that it had not arrived")
	}
	if in.Amount != d.Amount || in.Op != d.Op {
		o.wrong = append(o.wrong, in.ID+" changed between two attempts")
	}
	if f != None {
		return giro.Outcome{}, errLost
	}
	return d.answer(in.Now), nil
}

func (d *done) answer(now time.Time) giro.Outcome {
	if wait := d.ready.Sub(now); wait > 0 {
		return giro.Outcome{Verdict: giro.VerdictPending, After: wait}
	}
	return giro.Outcome{Verdict: d.verdict}
}

func (o *outside) Lookup(_ context.Context, in giro.Instruction) (giro.Outcome, error) {
	if o.faults.next() != None {
		return giro.Outcome{}, errLost
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.known[in.ID]
	if d == nil {
		return giro.Outcome{Verdict: giro.VerdictAbsent}, nil
	}
	return d.answer(in.Now), nil
}

// moved is what the rail really moved for a movement, and what it still holds of
// a card.
func (o *outside) moved(object giro.UUID) (amount, held int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.known {
		if d.object != object {
			continue
		}
		switch {
		case d.verdict == giro.VerdictAuthorised:
			held += d.Amount
		case d.verdict != giro.VerdictSucceeded:
		case d.Op == giro.OpVoid:
			held -= d.Amount
		case d.Op == giro.OpCapture:
			held -= d.Amount
			amount += d.Amount
		default:
			amount += d.Amount
		}
	}
	return amount, held
}
