package giro

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Engine runs commands: it gathers what is queued into a batch, lets the store
// load the rows, decides, and answers every caller once the commit is on the disk.
// One batch is decided and written at a time; while it is the next one gathers, so
// there is no timer and an idle server answers after one commit.
//
// The exported fields are set before Start and not changed after it.
type Engine struct {
	Store Store
	Rails map[string]Rail // by name; "sandbox" and "manual" are always there
	Now   func() time.Time
	NewID func(at time.Time) UUID

	RailWait      time.Duration // how long a card's creation or capture waits for its rail
	KeyWait       time.Duration // how long a repeated Idempotency-Key waits for the first request's answer
	DoubtDeadline time.Duration // unknown for so long: a person decides
	KeysKept      time.Duration // how long an Idempotency-Key's answer is kept
	EventsKept    time.Duration // how long events are kept; 0: for good
	QueueMax      int           // commands that may wait; beyond, CodeUnavailable; beyond half of it of one merchant, CodeRateLimited
	QueueWait     time.Duration // once a command has waited for so long its merchant's next ones are refused alike
	BatchMax      int           // movements in one database transaction, but for what the last of its commands has beyond
	Paused        func() bool   // true: jobs wait (benchmarks of creation alone)
	Secret        Secret        // the installation's key
	// Notice says what a dialect tells about an event of a movement beside
	// webhooks; nil: nothing. It runs inside decisions, so it does no I/O.
	Notice func(m *Movement, typ string) *Notice
	Logf   func(format string, args ...any)

	process    UUID
	mu         sync.Mutex
	queue      queue
	patient    []*command // patient ones
	hurried    bool       // which have waited long enough
	closed     bool
	wake       chan struct{}
	committing chan struct{} // holds a token while no batch is gathered, decided or written
	landing    atomic.Int64  // batches that are written and on their way to the disk
	stopped    chan struct{} // no new jobs
	ended      chan struct{} // no new commands
	broken     atomic.Pointer[error]

	executing executions
	merchants sync.Map // number → *cachedMerchant
	commits   broadcast
	jobsWake  chan struct{}
	busy      busyJobs
	hands     chan struct{} // holds a token for each instruction that goes out with its movement's commit
	jobEnded  broadcast
	wipes     chan struct{}
	taken     taken
	claiming  atomic.Bool     // jobs may be leased and not yet among the busy ones
	attempts  context.Context // ends when rails' answers, and sums that are read, are waited for no longer
	giveUp    context.CancelFunc
	keys      keyCache
	targets   targetCache
	clients   clientCache
	sessions  sessionCache
	guesses   throttle
	verifying verifier
	trials    trials
	inFlight  sync.WaitGroup
	batches   atomic.Int64
	commands  atomic.Int64
	endpoints atomic.Int64 // changes of endpoints that this process has committed
}

// Call is who asks, and under which Idempotency-Key.
type Call struct {
	Merchant    *Merchant
	Live        bool
	Key         UUID // the API key; zero for the machinery
	Publishable bool
	Admin       bool
	RequestID   string
	Act         *Act        // what the audit log keeps of it; nil: no person asks
	Idempotent  *Idempotent // nil: no key was sent
	Simulate    string      // the sandbox outcome asked for with Giro-Simulate
	Answer      Answer      // set with Idempotent: what to answer, and whether it is a replay

	asked bool // a command with its Idempotency-Key was queued
	waits bool // for another request with the same key; see executions
}

// Asked reports whether a command with the call's Idempotency-Key was queued.
// What was refused before that the key may have answered already; see Refused.
func (c *Call) Asked() bool { return c.asked }

// Book returns the books that the call works on: the installation's where it
// speaks for no merchant.
func (c *Call) Book() Book {
	if c.Merchant == nil {
		return Installation
	}
	return BookOf(c.Merchant.Number, c.Live)
}

// idempotencyKey names the row of the call's Idempotency-Key.
func (c *Call) idempotencyKey() IdempotencyKey {
	if c.Idempotent.Book != 0 {
		return IdempotencyKey{c.Idempotent.Book, c.Idempotent.Key}
	}
	return IdempotencyKey{c.Book(), c.Idempotent.Key}
}

// Idempotent is an Idempotency-Key with what identifies the request.
type Idempotent struct {
	Key         string
	Book        Book // whose key it is, where that is not the call's book; 0: the call's
	Fingerprint []byte
	Members     string // digests of the body's top-level members: "amount:1a2b3c4d,…"
	// Sealed keeps the answer encrypted: it shows a secret of which nothing else
	// is stored but a hash.
	Sealed bool
	// Render makes the dialect's answer. It runs inside the deciding
	// transaction, so that the answer is stored with what it answers.
	Render func(result any, err error) Answer
}

// Answer is a stored response.
type Answer struct {
	Status   int
	Body     []byte
	Location string
	Replayed bool
}

// Result is what a command on a movement returns.
type Result struct {
	Movement *Movement
	Existing bool // the reference was used before with the same data: nothing was made

	shown []byte // the movement as its last event keeps it, where that is how it is
}

// JSON returns the movement as v1 shows it. Its event may hold the same bytes:
// they are not to be changed.
func (r *Result) JSON() []byte {
	if r.shown != nil {
		return r.shown
	}
	return r.Movement.AppendJSON(make([]byte, 0, 1024))
}

type command struct {
	call   *Call
	keys   Keys
	decide func(*Batch) (any, error)
	waits  func(result any) bool // an idempotency row without an answer yet is written
	// patient: it goes with the next batch, and has one of its own only if there is
	// none soon. Nobody waits for it who could send more, so a commit for it alone
	// would only hold others up.
	patient bool
	finish  bool // the row is there, executing: write its answer
	owed    bool // work begun earlier: taken however long the queue is
	wipes   bool // a book that is being wiped is its own
	extra   int  // of a bulk: its movements beyond the first
	queued  time.Time
	from    *Idempotency // an executing row that nobody executes any more, to be taken over

	result any
	err    error
	answer Answer
	done   chan struct{}
}

// errExecuting: the key's first request is still being answered.
type errExecuting struct{ row *Idempotency }

func (errExecuting) Error() string { return "the first request with this key is being answered" }

// Start begins to run commands and jobs.
func (e *Engine) Start() {
	if e.RailWait == 0 {
		e.RailWait = 10 * time.Second
	}
	if e.KeyWait == 0 {
		e.KeyWait = 5 * time.Second
	}
	if e.KeysKept == 0 {
		e.KeysKept = 30 * 24 * time.Hour
	}
	if e.DoubtDeadline == 0 {
		e.DoubtDeadline = 24 * time.Hour
	}
	if e.QueueMax == 0 {
		e.QueueMax = 8192
	}
	if e.QueueWait == 0 {
		e.QueueWait = 2 * time.Second
	}
	if e.BatchMax == 0 {
		e.BatchMax = 1000
	}
	if e.Logf == nil {
		e.Logf = func(string, ...any) {}
	}
	e.process = e.NewID(e.Now())
	e.wake = make(chan struct{}, 1)
	e.jobsWake = make(chan struct{}, 1)
	e.hands = make(chan struct{}, handsAtOnce)
	e.wipes = make(chan struct{}, 1)
	e.stopped = make(chan struct{})
	e.ended = make(chan struct{})
	e.trials.next = map[Book]*trialRun{}
	e.attempts, e.giveUp = context.WithCancel(context.Background())
	e.committing = make(chan struct{}, 1)
	e.committing <- struct{}{}
	e.inFlight.Add(4 + commitsAtOnce)
	for range commitsAtOnce {
		go e.commitLoop()
	}
	go func() {
		defer e.inFlight.Done()
		e.sweepLoop()
	}()
	go func() {
		defer e.inFlight.Done()
		e.wipeLoop()
	}()
	go e.beatLoop()
	go func() {
		defer e.inFlight.Done()
		e.jobLoop()
		for range handsAtOnce { // nobody gets one any more, and those that are lent come back
			e.hands <- struct{}{}
		}
		e.commitTaken()
		close(e.ended) // after the last job's last commit
	}()
}

// stopWithin is how long a stopping engine waits for rails.
const stopWithin = 5 * time.Second

// Stop lets what is queued finish and then ends the engine. Jobs that are not
// done stay in the store; a rail that has not answered after five seconds is
// asked again by the next engine.
func (e *Engine) Stop() {
	close(e.stopped)
	late := time.AfterFunc(stopWithin, e.giveUp)
	e.inFlight.Wait()
	late.Stop()
	e.giveUp()
}

// Healthy returns the broken invariant that stopped the engine, or nil.
func (e *Engine) Healthy() error {
	if p := e.broken.Load(); p != nil {
		return *p
	}
	return nil
}

// BatchStats returns how many batches were committed and how many commands
// they held, patient ones left out.
func (e *Engine) BatchStats() (batches, commands int64) {
	return e.batches.Load(), e.commands.Load()
}

// Waiting returns how many commands wait for the next batch.
func (e *Engine) Waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queue.waiting
}

// do queues a command and waits for its answer, which is durable then.
func (e *Engine) do(ctx context.Context, c *command) (any, error) {
	if c.idempotent() != nil {
		c.call.asked = true
	}
	var giveUp *time.Timer // nearly no command waits for another's answer
	for {
		c.done = make(chan struct{})
		if err := e.push(c); err != nil {
			return nil, err
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, &Error{Code: CodeUnavailable, Message: "the request was given up before its answer; its outcome stands under its Idempotency-Key", Err: ctx.Err()}
		}
		var executing errExecuting
		if !errors.As(c.err, &executing) {
			if c.call != nil && c.call.Idempotent != nil {
				c.call.Answer = c.answer
			}
			if c.call != nil && c.call.Act != nil && c.err == nil {
				c.call.Act = nil // it is written; what the call goes on to do belongs to it
			}
			return c.result, c.err
		}
		if giveUp == nil {
			giveUp = time.NewTimer(e.KeyWait)
			defer giveUp.Stop()
		}
		select {
		case <-giveUp.C:
			return nil, &Error{Code: CodeKeyInProgress, Param: "Idempotency-Key", Message: "the first request with this key is still being answered", RetryAfter: time.Second}
		default:
		}
		if err := e.awaitExecuting(ctx, c, executing.row); err != nil {
			return nil, &Error{Code: CodeUnavailable, Message: "the database did not say whether the first request with this key is still being answered; send it again", RetryAfter: time.Second, Err: err}
		}
	}
}

// awaitExecuting waits until the first request with the key may have its
// answer. A row whose process is gone gets the answer that its object has now;
// where it has none, c takes it over.
func (e *Engine) awaitExecuting(ctx context.Context, c *command, row *Idempotency) error {
	call := c.call
	var answered <-chan struct{}
	wait := time.Second
	if row.Owner == e.process {
		answered = e.executing.wait(call)
	} else {
		alive := Micros(e.Now())-row.Created < aliveWithin.Microseconds()
		if !alive {
			var err error
			if alive, err = e.Store.Alive(ctx, row.Owner, aliveWithin); err != nil {
				return err
			}
		}
		if alive {
			answered, wait = make(chan struct{}), 50*time.Millisecond
		}
	}
	if answered == nil && row.Object.IsZero() {
		e.executing.resume(call)
		c.from = row
		return nil
	}
	if answered == nil {
		_, err := e.finishExecuting(ctx, call, row.Kind, row.Object)
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-answered:
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil
}

// finishExecuting gives an executing key the answer that its movement has now.
func (e *Engine) finishExecuting(ctx context.Context, call *Call, kind Kind, id UUID) (any, error) {
	book := call.Book()
	return e.do(ctx, &command{
		call: call, finish: true, owed: true,
		keys: Keys{Books: []Book{book}, Movements: []MovementKey{{book, kind, id}}},
		decide: func(b *Batch) (any, error) {
			m := b.movements[id]
			if m == nil {
				return nil, notFound(kind) // wiped meanwhile, and the key with it
			}
			c := m.clone()
			return &Result{Movement: &c}, nil
		},
	})
}

// refuse answers a request that was refused before its command: where its key
// has an answer already, that one.
func (e *Engine) refuse(ctx context.Context, call *Call, refusal *Error) (*Result, error) {
	return result(e.Refused(ctx, call, refusal))
}

// Refused is what a request gets that err has stopped before its command: where
// its Idempotency-Key has an answer already, that one, and else err, which is
// kept as the key's answer if it is a refusal of the kind that is.
func (e *Engine) Refused(ctx context.Context, call *Call, err error) (any, error) {
	var refusal *Error
	if call.Idempotent == nil || !errors.As(err, &refusal) {
		return nil, err
	}
	return e.do(ctx, &command{call: call, decide: func(*Batch) (any, error) { return nil, refusal }})
}

func (e *Engine) push(c *command) error {
	if err := e.Healthy(); err != nil {
		return &Error{Code: CodeUnavailable, Message: "giro has stopped taking requests because its books do not add up; an operator has to look", Err: err}
	}
	if id := c.idempotent(); id != nil {
		c.keys.Idempotency = append(c.keys.Idempotency, c.call.idempotencyKey())
		c.keys.Books = append(c.keys.Books, c.call.idempotencyKey().Book)
	}
	c.queued = e.Now()
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return &Error{Code: CodeUnavailable, Message: "giro is stopping; send the request again", RetryAfter: time.Second}
	}
	if !c.owed {
		if refusal := e.full(c.merchant(), c.queued); refusal != nil {
			e.mu.Unlock()
			return refusal
		}
	}
	if c.patient {
		e.patient = append(e.patient, c)
		if len(e.patient) == 1 {
			time.AfterFunc(patience, e.hurry)
		}
		e.mu.Unlock()
		return nil
	}
	e.queue.push(c)
	e.mu.Unlock()
	e.wakeCommit()
	return nil
}

const (
	patience      = 50 * time.Millisecond // how long a patient command waits for company
	patientsAtOne = 64                    // patient commands in one batch
)

// hurry lets the patient commands have a commit of their own.
func (e *Engine) hurry() {
	e.mu.Lock()
	e.hurried = true
	e.mu.Unlock()
	e.wakeCommit()
}

func (e *Engine) take() []*command {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.queue.take(e.BatchMax)
	if n := min(len(e.patient), patientsAtOne); n > 0 && (len(taken) > 0 || e.hurried || e.isEnded()) {
		taken = append(taken, e.patient[:n]...)
		e.patient = slices.Delete(e.patient, 0, n)
		e.hurried = len(e.patient) > 0 // the rest has waited as long
	}
	return taken
}

func (e *Engine) isEnded() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}

// While a batch is on its way to the disk the store may take the next one, see
// Batch.Committed. What a batch costs beside its commands limits how far that goes.
const (
	commitsAtOnce = 6  // batches under way: one that is decided and written, and those before it
	batchEnough   = 8  // with fewer commands a batch waits for more, or for those before it to be on the disk
	batchAlone    = 20 // with more the next batch begins when this one is on the disk
)

// commitLoop commits one batch after the other, in turn with its like.
func (e *Engine) commitLoop() {
	defer e.inFlight.Done()
	for {
		<-e.committing
		batch := e.gather()
		if batch == nil {
			e.committing <- struct{}{} // the others end likewise
			return
		}
		landing := false
		e.commit(batch, func() {
			landing = true
			e.landing.Add(1)
			e.committing <- struct{}{}
		})
		if !landing {
			e.committing <- struct{}{}
			continue
		}
		e.landing.Add(-1)
		e.wakeCommit()
	}
}

// gather waits for the next batch; nil: there will be none.
func (e *Engine) gather() []*command {
	for {
		ended := e.isEnded()
		if ended || e.landing.Load() == 0 || e.Waiting() >= batchEnough {
			if batch := e.take(); len(batch) > 0 {
				return batch
			}
		}
		if !ended {
			select {
			case <-e.wake:
			case <-e.ended:
			}
			continue
		}
		e.mu.Lock()
		last := e.queue.waiting+len(e.patient) == 0
		e.closed = last
		e.mu.Unlock()
		if last {
			return nil
		}
	}
}

func (e *Engine) wakeCommit() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// commit runs commands in one database transaction and answers them. Where the
// database refuses the whole, each runs alone, so that one poisonous command
// does not take the others with it. next lets the next batch begin; it is called
// once, or not at all.
func (e *Engine) commit(batch []*command, next func()) {
	if err := e.Healthy(); err != nil {
		for _, c := range batch {
			c.err = &Error{Code: CodeUnavailable, Message: "giro has stopped taking requests because its books do not add up", Err: err}
			close(c.done)
		}
		return
	}
	var keys Keys
	patients := 0
	for _, c := range batch {
		keys.add(&c.keys)
		if c.patient {
			patients++
		}
	}
	keys.unite()
	handing := &Batch{}
	err := e.Store.Update(context.Background(), &keys, func(b *Batch) (err error) {
		e.submitHanded(handing, false) // what ran before was not committed
		handing = b
		defer func() {
			if p := recover(); p != nil {
				err = &brokenError{fmt.Errorf("panic in a decision: %v\n%s", p, debug.Stack())}
			}
		}()
		b.notice = e.Notice
		if len(batch) <= batchAlone {
			b.next = next
		}
		for _, c := range batch {
			c.run(e, b)
			b.decided()
		}
		return nil
	})
	e.submitHanded(handing, err == nil)
	var broken *brokenError
	switch {
	case err == nil:
		if n := len(batch) - patients; n > 0 {
			e.batches.Add(1)
			e.commands.Add(int64(n))
		}
	case errors.As(err, &broken):
		cause := error(broken)
		e.broken.Store(&cause)
		e.Logf("the engine stops: %v", err)
	case len(batch) > 1 && !errors.Is(err, ErrCommitUnknown) && !errors.Is(err, ErrUnreachable):
		for _, c := range batch {
			e.commit([]*command{c}, nil)
		}
		return
	}
	for _, c := range batch {
		if err != nil {
			e.Logf("commit: %v", err)
			c.result = nil
			c.err = &Error{Code: CodeUnavailable, Message: "the database did not take the request; send it again with the same Idempotency-Key", RetryAfter: time.Second, Err: err}
		}
		close(c.done)
	}
	if err == nil && patients < len(batch) {
		e.commits.signal()
		if handing.hasJobs() {
			e.wakeJobs()
		}
	}
}

// brokenError is ours: an invariant does not hold.
type brokenError struct{ error }

func (c *command) idempotent() *Idempotent {
	if c.call == nil {
		return nil
	}
	return c.call.Idempotent
}

// run decides one command inside its savepoint.
func (c *command) run(e *Engine, b *Batch) {
	c.result, c.err, c.answer = nil, nil, Answer{}
	id := c.idempotent()
	var key IdempotencyKey
	if id != nil {
		key = c.call.idempotencyKey()
		row := b.idempotency[key]
		if row != nil && row.Created < b.At-e.KeysKept.Microseconds() {
			row = nil // about to be swept
		}
		if row != nil && !(row.Executing && (c.finish || c.from.same(row))) {
			c.replay(e, row, id)
			return
		}
	}
	if !c.wipes {
		if c.err = b.wiping(c.keys.Books); c.err != nil {
			if id != nil {
				c.answer = id.Render(nil, c.err)
			}
			return
		}
	}
	save := b.savepoint()
	b.watch = nil
	if c.call != nil && c.call.Act != nil {
		b.watch = &watch{movements: map[UUID]*Movement{}}
	}
	result, err := c.decide(b)
	if err == nil && b.watch != nil {
		err = b.record(c.call, result)
	}
	b.watch = nil
	if err != nil {
		b.rollback(save)
		var refusal *Error
		if !errors.As(err, &refusal) {
			panic(err)
		}
	}
	c.result, c.err = result, err
	if id == nil {
		return
	}
	waits := err == nil && c.waits != nil && c.waits(result)
	if err != nil && !AsError(err).Code.kept() {
		c.answer = id.Render(nil, err)
		return
	}
	row := &Idempotency{
		Book: key.Book, Key: key.Key, Fingerprint: id.Fingerprint, Members: id.Members,
		Executing: waits, Owner: e.process, Created: b.At, New: b.idempotency[key] == nil,
	}
	if r, ok := result.(*Result); ok && r != nil {
		row.Kind, row.Object = r.Movement.Kind, r.Movement.ID
	}
	if !waits {
		c.answer = id.Render(result, err)
		row.Status, row.Body, row.Location = c.answer.Status, c.answer.Body, c.answer.Location
		if id.Sealed && err == nil {
			row.Body = []byte(sealedAnswer + e.Secret.Seal(sealedAnswer, key.owner(), string(c.answer.Body)))
		}
		row.Event = b.told(key.Book, save.events, row.Body)
	}
	b.idempotency[key] = row
	b.writes.Idempotency = append(b.writes.Idempotency, row)
}

// sealedAnswer stands before an answer that is kept encrypted.
const sealedAnswer = "sealed answer:"

// owner binds a sealed answer to its key.
func (k IdempotencyKey) owner() string { return itoa(int(k.Book)) + "/" + k.Key }

// replay answers from the row, or says what differs.
func (c *command) replay(e *Engine, row *Idempotency, id *Idempotent) {
	if string(row.Fingerprint) != string(id.Fingerprint) {
		c.err = &Error{Code: CodeKeyReused, Param: "Idempotency-Key", Message: "this key was used for another request; " + differing(row.Members, id.Members)}
		c.answer = id.Render(nil, c.err)
		return
	}
	if row.Executing {
		c.err = errExecuting{row}
		return
	}
	c.answer = Answer{Status: row.Status, Body: row.Body, Location: row.Location, Replayed: true}
	if sealed, ok := strings.CutPrefix(string(row.Body), sealedAnswer); ok {
		body, err := e.Secret.Open(sealedAnswer, IdempotencyKey{row.Book, row.Key}.owner(), sealed)
		if err != nil { // another installation's key, or a row that somebody has changed
			c.err = &Error{Code: CodeInternal, Message: "the kept answer cannot be read", Err: err}
			c.answer = id.Render(nil, c.err)
			return
		}
		c.answer.Body = []byte(body)
	}
}

// differing names the members of two digest lists that are not equal.
func differing(then, now string) string {
	parse := func(s string) map[string]string {
		m := map[string]string{}
		for part := range strings.SplitSeq(s, ",") {
			if k, v, ok := strings.Cut(part, ":"); ok {
				m[k] = v
			}
		}
		return m
	}
	a, c := parse(then), parse(now)
	var names []string
	for k, v := range a {
		if c[k] != v {
			names = append(names, k)
		}
	}
	for k := range c {
		if _, ok := a[k]; !ok {
			names = append(names, k)
		}
	}
	if len(names) == 0 {
		return "the method or path differs"
	}
	sort.Strings(names)
	return "the bodies differ in: " + strings.Join(names, ", ")
}

// kept reports whether a refusal is a definite outcome that a repeated key
// answers again: those that business rules made of the present state.
func (c Code) kept() bool {
	switch c {
	case CodeInvalidState, CodeInFlight, CodeInsufficientFunds, CodeBalanceOverflow, CodeDuplicateReference,
		CodeBelowCaptured, CodeRefundExceeds, CodeChargeNotRefundable, CodeAlreadyRefunded, CodeChargeDisputed,
		CodeReversalExceeds, CodeCaptureExceeds, CodeAccountClosed, CodeAccountNotEmpty, CodeEndpointLimit,
		CodeQuoteExpired, CodeQuoteUsed, CodeLastOwner, CodeConflict:
		return true
	}
	return false
}

// Salt returns 32 random bits, for the ids of events and ledger transactions.
func Salt() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// Committed returns a channel that is closed at the next commit of this
// process: how streams and dispatchers wait without polling.
func (e *Engine) Committed() <-chan struct{} { return e.commits.wait() }

type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) signal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
