package giro

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	railTimeout  = 30 * time.Second // for one answer of a rail
	jobLease     = 45 * time.Second // longer than an attempt may take
	jobRetry     = 5 * time.Second  // until a job that failed on our side is tried again
	jobsAtOnce   = 512              // attempts in flight per process
	jobsFew      = jobsAtOnce / 4   // fewer free slots than these wait for more, or for claimPause
	handsAtOnce  = 512              // beside these, instructions that go out with the commit of their movement
	claimPause   = 5 * time.Millisecond
	jobsIdlePoll = time.Second // how soon jobs of another process' commits are seen

)

// lookupDelay is when a rail is asked again after n look-ups: 1, 2, 4 … 60 s,
// then every 10 minutes.
func lookupDelay(n int) time.Duration {
	if n > 6 {
		return 10 * time.Minute
	}
	return min(time.Second<<n, time.Minute)
}

// jobLoop asks again about what is in hand, claims jobs that are due and runs
// them, each in its own goroutine; their commits meet in the engine's batches.
func (e *Engine) jobLoop() {
	slots := make(chan struct{}, jobsAtOnce)
	var running sync.WaitGroup
	defer running.Wait()
	start := func(j *Job, run func(context.Context, *Job) error) {
		if !e.busy.begin(j.JobKey) {
			return
		}
		slots <- struct{}{}
		running.Add(1)
		go func() {
			defer func() {
				<-slots
				running.Done()
				e.jobEnded.signal()
			}()
			e.work(j, run)
		}()
	}
	// The store is asked where it may have something: what is in hand comes due
	// far more often.
	ask, due := true, int64(0)
	for {
		wait, again := jobsIdlePoll, false
		if e.Paused == nil || !e.Paused() {
			free := e.freeSlots(slots)
			e.claiming.Store(true)
			now := Micros(e.Now())
			inHand := e.taken.due(now, free)
			for _, t := range inHand {
				start(railJob(t.m), func(ctx context.Context, _ *Job) error { return e.converse(ctx, t.m, true, t.clock, t.said) })
			}
			if free -= len(inHand); free > 0 && (ask || len(inHand) == 0 || now >= due) {
				jobs, err := e.Store.ClaimJobs(context.Background(), e.process, now, now+jobLease.Microseconds(), free)
				if err != nil && !errors.Is(err, ErrClosed) {
					e.Logf("claim jobs: %v", err)
				}
				for _, j := range jobs {
					start(j, e.runJob)
				}
				ask, due = len(jobs) > 0, now+jobsIdlePoll.Microseconds()
				if !ask {
					if next, err := e.Store.NextJob(context.Background()); err == nil && next > 0 {
						due = min(due, next)
					}
				}
			}
			again = ask
			e.claiming.Store(false)
			wait = min(wait, max(time.Duration(due-now)*time.Microsecond, time.Millisecond))
			if soon := e.taken.next(); soon > 0 {
				wait = min(wait, max(time.Duration(soon-now)*time.Microsecond, time.Millisecond))
			}
		}
		if again {
			select {
			case <-e.stopped:
				return
			default:
				continue
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-e.stopped:
			timer.Stop()
			return
		case <-e.jobsWake:
			ask = true
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (e *Engine) wakeJobs() {
	select {
	case e.jobsWake <- struct{}{}:
	default:
	}
}

// freeSlots waits until there are some. A claim costs the same for one job as for
// many: not one for each slot that comes free. 0: the engine stops.
func (e *Engine) freeSlots(slots chan struct{}) int {
	pause := time.NewTimer(claimPause)
	defer pause.Stop()
	for paused := false; ; {
		ended := e.jobEnded.wait()
		if free := cap(slots) - len(slots); free >= jobsFew || paused && free > 0 {
			return free
		}
		select {
		case <-ended:
		case <-pause.C:
			paused = true
		case <-e.stopped:
			return 0
		}
	}
}

// nextJob returns when the earliest job is due (µs), those in hand included; 0:
// there is none.
func (e *Engine) nextJob(ctx context.Context) (int64, error) {
	next, err := e.Store.NextJob(ctx)
	if soon := e.taken.next(); soon > 0 && (next == 0 || soon < next) {
		next = soon
	}
	return next, err
}

// work runs a busy job, and again for as long as it has become due meanwhile.
func (e *Engine) work(j *Job, run func(context.Context, *Job) error) {
	for again := true; again; again = e.busy.end(j.JobKey) {
		if err := run(context.Background(), j); err != nil && !errors.Is(err, ErrWiping) { // by which the job goes too
			e.Logf("job %s of %s: %v", j.Kind, j.Object, err)
			e.putOff(j)
		}
		run = e.runJob
	}
}

// putOff makes a job that failed due again in a while. Where that fails too its
// lease ends by itself.
func (e *Engine) putOff(j *Job) {
	_, err := e.do(context.Background(), &command{owed: true, keys: Keys{Books: []Book{j.Book}, Jobs: []JobKey{j.JobKey}}, decide: func(b *Batch) (any, error) {
		if old := b.jobs[j.JobKey]; old != nil && old.Due <= b.At {
			b.schedule(*j, b.now(j.Book)+jobRetry.Microseconds())
		}
		return nil, nil
	}})
	if err != nil {
		e.Logf("put off job %s of %s: %v", j.Kind, j.Object, err)
	}
}

// busyJobs are the jobs that this process is running. A job that becomes due
// again while it runs (its own commit made it so) runs once more after that:
// its claim must not be lost.
type busyJobs struct {
	mu sync.Mutex
	m  map[JobKey]bool // true: due again
}

func (b *busyJobs) begin(k JobKey) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, busy := b.m[k]; busy {
		b.m[k] = true
		return false
	}
	if b.m == nil {
		b.m = map[JobKey]bool{}
	}
	b.m[k] = false
	return true
}

// end reports whether the job has to run again; it stays busy then.
func (b *busyJobs) end(k JobKey) (again bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.m[k] {
		b.m[k] = false
		return true
	}
	delete(b.m, k)
	return false
}

// runJob does what is due. A job whose movement has moved on is dropped.
func (e *Engine) runJob(ctx context.Context, j *Job) error {
	m, clock := j.Movement, &j.Clock
	j.Movement = nil // run again, it is read anew
	if m == nil {
		clock = nil
		var err error
		if m, err = e.Store.Movement(ctx, j.Book, j.MovementKind, j.Object); err != nil {
			return err
		}
		if m == nil {
			return fmt.Errorf("the movement is missing")
		}
	}
	mer, err := e.Merchant(ctx, j.Book.Merchant())
	if err != nil {
		return err
	}
	switch j.Kind {
	case JobExpire:
		return e.expire(ctx, mer, m)
	case JobSettle:
		return e.settle(ctx, mer, m)
	case JobVoid:
		return e.carryVoid(ctx, mer, m)
	case JobAsk:
		return e.ask(ctx, mer, m)
	}
	return e.carry(ctx, mer, m, clock)
}

// machine is the call of a job: nobody's key.
func machine(mer *Merchant, book Book) *Call { return &Call{Merchant: mer, Live: book.Live()} }

// carry takes a movement's instruction one step on: hands it over if it was
// not, else asks what became of it. That it is handed over is durable before it
// is: after a crash giro asks, it never sends again unasked.
func (e *Engine) carry(ctx context.Context, mer *Merchant, m *Movement, clock *Clock) error {
	submit := false
	if !m.Sent {
		_, err := e.do(ctx, &command{owed: true, call: machine(mer, m.Book), keys: standKeys(m), decide: func(b *Batch) (any, error) {
			submit = false
			w := b.movement(m.ID)
			if w == nil || w.Status != StatusPending || w.Detail.Step == nil {
				b.drop(JobKey{m.ID, JobRail})
				return nil, nil
			}
			if w.Sent {
				return nil, nil // somebody else hands it over
			}
			if err := b.change(mer, w, nil, CauseSubmit); err != nil {
				return nil, err
			}
			e.handOver(b, w)
			c := w.clone()
			m, submit, clock = &c, true, b.clock(w.Book)
			return nil, nil
		}})
		if err != nil || !submit {
			return err
		}
	}
	return e.converse(ctx, m, !submit, clock)
}

// sendOff hands the instruction of a movement that is being made over with that
// very commit, after which this process submits it: a commit less in its life
// than by a job. Where this process has its hands full, or jobs wait, it is a job.
func (e *Engine) sendOff(b *Batch, mer *Merchant, m *Movement) error {
	if m.Detail.Step == nil {
		return nil
	}
	if !e.lendHand(m) {
		b.queueRail(m)
		return nil
	}
	b.handed = append(b.handed, m)
	b.undo = append(b.undo, func() {
		b.handed = b.handed[:len(b.handed)-1]
		e.freeHand(m)
	})
	if err := b.change(mer, m, nil, CauseSubmit); err != nil {
		return err
	}
	e.handOver(b, m)
	return nil
}

func (e *Engine) lendHand(m *Movement) bool {
	if e.Paused != nil && e.Paused() {
		return false
	}
	select {
	case e.hands <- struct{}{}:
	default:
		return false
	}
	if !e.busy.begin(JobKey{m.ID, JobRail}) {
		<-e.hands // its job, which runs, runs again
		return false
	}
	return true
}

func (e *Engine) freeHand(m *Movement) {
	e.busy.end(JobKey{m.ID, JobRail})
	<-e.hands
}

// submitHanded submits what the decisions of a batch have handed over, once it is
// committed.
func (e *Engine) submitHanded(b *Batch, committed bool) {
	for _, m := range b.handed {
		if !committed {
			e.freeHand(m)
			continue
		}
		c, clock := m.clone(), b.clock(m.Book)
		go func() {
			defer func() {
				<-e.hands
				e.jobEnded.signal()
			}()
			e.work(railJob(&c), func(ctx context.Context, _ *Job) error { return e.converse(ctx, &c, false, clock) })
		}()
	}
	b.handed = nil
}

// railJob is the job of a movement's instruction.
func railJob(m *Movement) *Job {
	return &Job{JobKey: JobKey{m.ID, JobRail}, Book: m.Book, MovementKind: m.Kind}
}

// converse submits the instruction that is handed over, or asks what became of
// it, and commits what the rail says, after what it said before and nobody has
// committed yet. clock is the book's; nil: it has to be read.
func (e *Engine) converse(ctx context.Context, m *Movement, lookup bool, clock *Clock, before ...Attempt) error {
	if m.Detail.Step == nil {
		return fmt.Errorf("%s %s is sent and has no instruction", m.Kind, m.ID)
	}
	var charge *Movement
	if m.Kind == KindRefund {
		var err error
		if charge, err = e.Store.Movement(ctx, m.Book, KindCharge, m.Parent); err != nil {
			return err
		}
	}
	out, railErr := e.attempt(m, charge, m.Detail.Step, lookup, clock)
	if !lookup && railErr == nil && e.keepTaken(m, out, clock) {
		return nil
	}
	_, err := e.applyOutcome(ctx, m, lookup, out, railErr, before...)
	return err
}

const (
	beatBusy = 250 * time.Millisecond // between signs of life while others may wait for this process
	beatIdle = time.Second
	beatDead = 4 * time.Second // without one for so long a process' jobs are anybody's
)

// beatLoop gives this process' signs of life, by which the others that share
// the database know that its jobs and its executing keys are in hand.
func (e *Engine) beatLoop() {
	defer e.inFlight.Done()
	tick := time.NewTicker(beatBusy)
	defer tick.Stop()
	for since := beatIdle; ; since += beatBusy {
		if since >= beatIdle || e.executing.any() || !e.busy.none() {
			if err := e.Store.Beat(context.Background(), e.process, beatDead); err != nil && !errors.Is(err, ErrClosed) {
				e.Logf("sign of life: %v", err)
			}
			since = 0
		}
		select {
		case <-e.ended:
			return
		case <-tick.C:
		}
	}
}

// handOver marks the movement's instruction as handed to the rail by this
// process. Until the outcome is committed the job stays this process' own: no
// other one asks for an instruction that may still be on its way to the rail.
func (e *Engine) handOver(b *Batch, m *Movement) {
	m.Detail.Step.At, m.Sent = b.now(m.Book), true
	e.lend(b, m, JobRail)
}

// lend makes a movement's job due soon, and this process' own for as long as an
// attempt may take.
func (e *Engine) lend(b *Batch, m *Movement, kind JobKind) {
	b.schedule(Job{
		JobKey: JobKey{m.ID, kind}, Book: m.Book, MovementKind: m.Kind,
		Leased: b.At + jobLease.Microseconds(), Owner: e.process,
	}, b.now(m.Book)+lookupDelay(0).Microseconds())
}

// attempt asks the movement's rail about an instruction, outside of any
// transaction. Nobody who leaves ends it; an engine that stops does, in a while.
// clock is the book's; nil: it has to be read.
func (e *Engine) attempt(m, charge *Movement, step *Instruction, lookup bool, clock *Clock) (Outcome, error) {
	ctx, cancel := context.WithTimeout(e.attempts, railTimeout)
	defer cancel()
	rail := e.Rails[m.Detail.Rail]
	if rail == nil {
		return Outcome{}, fmt.Errorf("there is no rail %q", m.Detail.Rail)
	}
	in := m.asked(step.ID, step.Op, step.Amount)
	in.At, in.Lookups, in.Charge = step.At, step.Lookups, charge
	var err error
	if clock == nil {
		if clock, err = e.clockOf(ctx, m.Book); err != nil {
			return Outcome{}, err
		}
	}
	in.Now = TimeOf(clock.At(Micros(e.Now())))
	if in.Payer, _, err = e.payer(ctx, m); err != nil {
		return Outcome{}, err
	}
	if lookup {
		return rail.Lookup(ctx, in)
	}
	return rail.Submit(ctx, in)
}

// applyOutcome commits what a rail said, or that it said nothing, after what it
// had said before.
func (e *Engine) applyOutcome(ctx context.Context, seen *Movement, lookup bool, out Outcome, railErr error, before ...Attempt) (*Result, error) {
	mer, err := e.Merchant(ctx, seen.Book.Merchant())
	if err != nil {
		return nil, err
	}
	step := seen.Detail.Step
	keys := standKeys(seen)
	if railErr == nil && out.Verdict.final() {
		keys.Accounts = sideKeys(mer, seen)
	}
	heard := heardOf(step, lookup, out)
	keys.Documents = append(keys.Documents, heard.keys()...)
	return result(e.do(ctx, &command{owed: true, call: machine(mer, seen.Book), keys: keys, decide: func(b *Batch) (any, error) {
		m := b.movement(seen.ID)
		if m == nil {
			return nil, notFound(seen.Kind)
		}
		var charge *Movement
		if m.Kind == KindRefund {
			charge = b.movement(m.Parent)
		}
		if m.Detail.Step != nil && m.Detail.Step.ID == step.ID {
			for _, said := range before {
				m.note(said)
				m.Dirty = true
			}
			// A doubt that began after the question has its own one planned.
			if !m.InDoubt || seen.InDoubt {
				if err := e.hear(b, mer, m, charge, lookup, out, railErr); err != nil {
					return nil, err
				}
				b.keepHeard(m, heard)
			}
		}
		c := m.clone()
		return &Result{Movement: &c}, nil
	}}))
}

// hear applies a rail's answer about the outstanding instruction.
func (e *Engine) hear(b *Batch, mer *Merchant, m, charge *Movement, lookup bool, out Outcome, railErr error) (err error) {
	if !m.Sent && !(railErr == nil && out.Verdict.final()) {
		// Overtaken by another word: the instruction is not out any more, and its
		// next attempt says anew what only a final word would have said.
		return nil
	}
	now := b.now(m.Book)
	if lookup {
		m.Detail.Step.Lookups++
	}
	m.note(m.said(now, m.Detail.Step, lookup, out, railErr))
	if out.Reference != "" {
		m.Detail.ProviderReference = out.Reference
	}
	again := func(after time.Duration) {
		if after == 0 {
			after = lookupDelay(m.Detail.Step.Lookups)
		}
		b.schedule(*railJob(m), now+after.Microseconds())
		m.Dirty = true
	}
	if railErr != nil {
		if m.Detail.DoubtAt != 0 && now-m.Detail.DoubtAt > e.DoubtDeadline.Microseconds() && m.Status == StatusPending {
			if err := b.change(mer, m, charge, CauseGivenUp); err != nil {
				return err
			}
		} else if err := b.change(mer, m, charge, CauseLost); err != nil {
			return err
		}
		again(0)
		return nil
	}
	switch out.Verdict {
	case VerdictPending:
		version := m.Version
		if out.Next != nil {
			m.Detail.Next = out.Next
			defer func() {
				if err == nil && m.Version == version {
					m.stamp(now)
					b.emit(m, "updated")
				}
			}()
		}
		if out.Awaits {
			m.Detail.Step = nil
			b.drop(JobKey{m.ID, JobRail})
			return b.change(mer, m, charge, CauseAwaits)
		}
		if m.InDoubt || m.Status == StatusOnHold {
			if err := b.change(mer, m, charge, CauseTaken); err != nil {
				return err
			}
		}
		again(out.After)
		return nil
	case VerdictAbsent:
		if err := b.change(mer, m, charge, CauseAbsent); err != nil {
			return err
		}
		b.queueRail(m)
		return nil
	case VerdictOnHold:
		b.drop(JobKey{m.ID, JobRail})
		return b.change(mer, m, charge, CauseHeld)
	}
	return e.verdict(b, mer, m, charge, out)
}

// verdict applies a final word of a rail.
func (e *Engine) verdict(b *Batch, mer *Merchant, m, charge *Movement, out Outcome) error {
	step := m.Detail.Step
	if m.Detail.EndToEnd == "" && (out.Verdict == VerdictSucceeded || out.Verdict == VerdictReturned || out.Verdict == VerdictRefunded) {
		e.trace(b, m)
	}
	switch out.Verdict {
	case VerdictAuthorised:
		if step != nil {
			m.Detail.Authorised += step.Amount
		}
		m.Detail.FailureCode, m.Detail.FailureMessage = "", "" // of an earlier attempt
		b.drop(JobKey{m.ID, JobRail})
		if err := b.change(mer, m, charge, CauseAuthorised); err != nil {
			return err
		}
		m.Detail.Step = nil
		return nil
	case VerdictSucceeded:
		if m.Kind == KindCharge && step != nil && step.Op != OpCapture {
			m.Detail.Authorised += step.Amount
		}
		m.Detail.FailureCode, m.Detail.FailureMessage = "", ""
		if m.Kind == KindCharge && step != nil && m.Captured+step.Amount < m.Amount {
			if err := b.change(mer, m, nil, CausePart); err != nil {
				return err
			}
			m.Detail.Step = nil
			b.drop(JobKey{m.ID, JobRail})
			return nil
		}
		if err := b.change(mer, m, charge, CausePaid); err != nil {
			return err
		}
		e.followUp(b, m)
		return nil
	case VerdictFailed:
		m.Detail.FailureCode, m.Detail.FailureMessage = out.Code, out.Message
		if m.Detail.FailureCode == "" {
			m.Detail.FailureCode = "declined"
		}
		return b.change(mer, m, charge, CauseDeclined)
	case VerdictCanceled:
		return b.change(mer, m, charge, CauseWithdrawn)
	case VerdictReturned, VerdictRefunded:
		if m.Status == StatusPending || m.Status == StatusOnHold {
			if err := b.change(mer, m, charge, CausePaid); err != nil {
				return err
			}
		}
		if m.Status == StatusSucceeded {
			if err := b.change(mer, m, charge, CauseSentBack); err != nil {
				return err
			}
		}
		if out.Verdict == VerdictRefunded && m.Kind == KindPayout {
			return b.change(mer, m, nil, CauseGiveBack)
		}
		return nil
	}
	return Refuse(CodeInvalidState, "", "the rail answered with a verdict that giro does not know")
}

// note keeps an attempt for the timeline.
func (m *Movement) note(a Attempt) {
	m.Detail.Attempts = append(m.Detail.Attempts, a)
	if n := len(m.Detail.Attempts); n > maxAttempts {
		m.Detail.Attempts = m.Detail.Attempts[n-maxAttempts:]
	}
}

// expire cancels what was not paid or posted in time.
func (e *Engine) expire(ctx context.Context, mer *Merchant, m *Movement) error {
	_, err := e.do(ctx, &command{owed: true, call: machine(mer, m.Book), keys: movementKeys(mer, m), decide: func(b *Batch) (any, error) {
		w := b.movement(m.ID)
		if w == nil || w.Status != StatusPending {
			b.drop(JobKey{m.ID, JobExpire})
			return nil, nil
		}
		if w.Sent {
			// The rail has it: ask again in a while, its word decides.
			b.schedule(Job{JobKey: JobKey{m.ID, JobExpire}, Book: m.Book, MovementKind: m.Kind}, b.now(m.Book)+time.Minute.Microseconds())
			return nil, nil
		}
		w.Detail.FailureCode = "expired"
		return nil, b.change(mer, w, nil, CauseExpire)
	}})
	return err
}

// settle makes a charge's pending money available.
func (e *Engine) settle(ctx context.Context, mer *Merchant, m *Movement) error {
	_, err := e.do(ctx, &command{owed: true, call: machine(mer, m.Book), keys: movementKeys(mer, m), decide: func(b *Batch) (any, error) {
		w := b.movement(m.ID)
		b.drop(JobKey{m.ID, JobSettle})
		if w == nil || w.Detail.Unsettled == 0 {
			return nil, nil
		}
		amount := w.Detail.Unsettled
		w.Detail.Unsettled = 0
		w.Dirty = true
		return nil, b.post(w.Book, w, "settled", entry{b.side(mer, w, RolePending), b.side(mer, w, RoleAvailable), amount})
	}})
	return err
}

// Drain returns once no job is due at or before a time (µs, real time), for
// those who move the engine's clock. It waits on commits, not on time.
func (e *Engine) Drain(ctx context.Context, due int64) error {
	for {
		changed, ended := e.Committed(), e.jobEnded.wait()
		next, err := e.nextJob(ctx)
		if err != nil {
			return err
		}
		if (next == 0 || next > due) && !e.claiming.Load() && e.busy.none() {
			return nil
		}
		e.wakeJobs()
		poll := time.NewTimer(20 * time.Millisecond) // another process may have the job
		select {
		case <-changed:
		case <-ended:
		case <-poll.C:
		case <-ctx.Done():
			poll.Stop()
			return ctx.Err()
		}
		poll.Stop()
	}
}

func (b *busyJobs) none() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.m) == 0
}
