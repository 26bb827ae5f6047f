package giro_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	codes "giro/bank"
	"giro/internal/storetest"
	"giro/store"
)

// twice runs every decision a second time on rows of a second load, as
// PostgreSQL does after a serialisation failure.
type twice struct{ giro.Store }

var errAgain = errors.New("again")

func (s twice) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	err := s.Store.Update(ctx, keys, func(b *giro.Batch) error {
		if err := decide(b); err != nil {
			return err
		}
		return errAgain
	})
	if !errors.Is(err, errAgain) {
		return err
	}
	return s.Store.Update(ctx, keys, decide)
}

// script is a rail that answers what a test has put down for it, and then that
// everything went well.
type script struct {
	mu      sync.Mutex
	answers []said
	asked   []giro.Instruction
	acts    []string
}

type said struct {
	out giro.Outcome
	err error
}

func (s *script) next(in giro.Instruction, act string) (giro.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.acts = append(s.asked, in), append(s.acts, act)
	if len(s.answers) == 0 {
		if in.Op == giro.OpAuthorise {
			return giro.Outcome{Verdict: giro.VerdictAuthorised}, nil
		}
		return giro.Outcome{Verdict: giro.VerdictSucceeded}, nil
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a.out, a.err
}

func (s *script) Submit(_ context.Context, in giro.Instruction) (giro.Outcome, error) {
	return s.next(in, "submit")
}

func (s *script) Lookup(_ context.Context, in giro.Instruction) (giro.Outcome, error) {
	return s.next(in, "lookup")
}

func (s *script) say(answers ...said) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
}

func (s *script) log() (ops, acts []string, ids map[string]giro.Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids = map[string]giro.Op{}
	for i, in := range s.asked {
		ops, acts = append(ops, string(in.Op)), append(acts, s.acts[i])
		ids[in.ID] = in.Op
	}
	return ops, acts, ids
}

var errNoAnswer = errors.New("no answer")

func verdict(v giro.Verdict) said { return said{out: giro.Outcome{Verdict: v}} }

// settable is a clock that a test moves.
type settable struct {
	mu sync.Mutex
	at time.Time
}

func newSettable() *settable {
	return &settable{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// engine is one whose time, like that of its store, is the clock's.
func (c *settable) engine(t *testing.T, d storetest.Database) *giro.Engine {
	e := newEngine(t, d.Open(t, store.Options{Now: c.now}))
	e.Now = c.now
	return e
}

func (c *settable) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *settable) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// scripted is a bank on SQLite with its own clock whose test rail is a script.
func scripted(t *testing.T) (*bank, *script, *settable) {
	t.Helper()
	clock := newSettable()
	e := clock.engine(t, storetest.SQLite(t))
	e.DoubtDeadline = 30 * time.Minute
	r := &script{}
	e.Rails["sandbox"] = r
	return startEngine(t, e), r, clock
}

// drain lets all jobs run that are due d from now.
func (b *bank) drain(t *testing.T, clock *settable, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	end := clock.now().Add(d)
	for {
		next, err := b.Store.NextJob(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if next == 0 || next > giro.Micros(end) {
			break
		}
		if next > giro.Micros(clock.now()) {
			clock.advance(giro.TimeOf(next).Sub(clock.now()))
		}
		if err := b.Drain(ctx, giro.Micros(clock.now())); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Drain(ctx, giro.Micros(clock.now())); err != nil {
		t.Fatal(err)
	}
	clock.advance(end.Sub(clock.now()))
}

func (b *bank) read(t *testing.T, m *giro.Movement) *giro.Movement {
	t.Helper()
	now, err := b.Store.Movement(t.Context(), m.Book, m.Kind, m.ID)
	if err != nil || now == nil {
		t.Fatal(now, err)
	}
	return now
}

// TestTransfersBetweenMerchantsInEveryHand: whoever changes a transfer between
// two merchants (its sender, its time), the receiver's book gets the event.
func TestTransfersBetweenMerchantsInEveryHand(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		other, err := b.CreateMerchant(ctx, nil, giro.Merchant{Name: "Outra", Currency: "BRL"})
		if err != nil {
			t.Fatal(err)
		}
		theirs := &bank{Engine: b.Engine, merchant: other, call: &giro.Call{Merchant: other}}
		events := func() int64 {
			h, err := b.Store.Head(ctx, theirs.call.Book())
			if err != nil {
				t.Fatal(err)
			}
			return h.Events
		}
		pending := func() *giro.Movement {
			r, err := b.CreateTransfer(ctx, b.call, giro.Request{Amount: 900, Currency: "BRL", Destination: theirs.mainAccount(t), Pending: true})
			if err != nil {
				t.Fatal(err)
			}
			return r.Movement
		}
		m := pending()
		before := events()
		text := "rent"
		if _, err := b.Update(ctx, b.call, giro.KindTransfer, m.ID, giro.Change{Description: &text}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Update(ctx, theirs.call, giro.KindTransfer, m.ID, giro.Change{Description: &text}); !giro.Is(err, giro.CodeForbidden) {
			t.Errorf("the receiver changed it: %v", err)
		}
		if _, err := b.Cancel(ctx, b.call, giro.KindTransfer, m.ID); err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(ctx, b.call, giro.KindTransfer, m.ID); err != nil {
			t.Fatal(err)
		}
		if got := events() - before; got != 3 {
			t.Errorf("the receiver got %d events of update, cancel and delete", got)
		}
		m = pending()
		due, err := b.DueWith(ctx, b.call.Book(), giro.ClockChange{Advance: 8 * 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.ChangeClock(ctx, b.call, giro.ClockChange{Advance: 8 * 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		if err := b.AwaitJobs(ctx, b.call.Book(), due); err != nil {
			t.Fatal(err)
		}
		if m = b.until(t, m, giro.StatusCanceled); m.Reserved != 0 {
			t.Errorf("an expired transfer reserves %d", m.Reserved)
		}
	})
}

// TestDecisionsRunTwice: a decision keeps nothing of an earlier run.
func TestDecisionsRunTwice(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t, store.Options{})
	b := start(t, twice{s})
	ctx := t.Context()
	m, err := b.MerchantByID(ctx, b.merchant.ID)
	if err != nil {
		t.Fatal(err)
	}
	m.Name = "Loja 2"
	if m, err = b.UpdateMerchant(ctx, b.call, m); err != nil {
		t.Fatal(err)
	}
	m.Name = "Loja 3"
	if m, err = b.UpdateMerchant(ctx, b.call, m); err != nil || m.Version != 3 {
		t.Fatal(m, err)
	}
	if _, err := b.CreateKey(ctx, b.call, m, giro.APIKey{Name: "k"}); err != nil {
		t.Fatal(err)
	}
	r, err := b.CreateCharge(ctx, b.call, cardCharge(5000, "card_token"))
	if err != nil || r.Movement.Status != giro.StatusSucceeded {
		t.Fatal(r, err)
	}
	ref, err := b.CreateRefund(ctx, b.call, giro.Request{Charge: r.Movement.ID, Amount: 2000})
	if err != nil {
		t.Fatal(err)
	}
	b.until(t, ref.Movement, giro.StatusSucceeded)
	p, err := b.CreatePayout(ctx, b.call, pixPayout(1_009_500))
	if err != nil {
		t.Fatal(err)
	}
	b.until(t, p.Movement, giro.StatusRefunded)
	if _, err := b.ChangeClock(ctx, b.call, giro.ClockChange{Advance: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if h, err := b.Store.Head(ctx, b.call.Book()); err != nil || h.Clock.Ahead != time.Hour.Microseconds() {
		t.Error(h, err)
	}
	b.verify(t)
}

// TestUnfundedPayoutMovesOnlyWhatIsCovered: a payout held for missing funds
// reserves nothing, so a person's word that it went out has to be covered first.
func TestUnfundedPayoutMovesOnlyWhatIsCovered(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		m := *b.merchant
		m.HoldOnMissingFunds = true
		for _, live := range []bool{true, false} {
			call := &giro.Call{Merchant: &m, Live: live}
			r, err := b.CreatePayout(ctx, call, pixPayout(200_000_000))
			if err != nil || r.Movement.Status != giro.StatusOnHold || r.Movement.Reserved != 0 {
				t.Fatal(r, err)
			}
			if live {
				_, err = b.Confirm(ctx, call, giro.KindPayout, r.Movement.ID)
			} else {
				_, err = b.TestOutcome(ctx, call, giro.KindPayout, r.Movement.ID, "succeeded", "")
			}
			if !giro.Is(err, giro.CodeInsufficientFunds) {
				t.Errorf("live %v: money that is not there went out: %v", live, err)
			}
			if live {
				continue
			}
			if _, err = b.Release(ctx, call, giro.KindPayout, r.Movement.ID); !giro.Is(err, giro.CodeInsufficientFunds) {
				t.Errorf("released without funds: %v", err)
			}
			less := int64(10_000_000)
			if r, err = b.Update(ctx, call, giro.KindPayout, r.Movement.ID, giro.Change{Amount: &less}); err != nil || r.Movement.Reserved != 0 {
				t.Fatal(r, err)
			}
			if r, err = b.TestOutcome(ctx, call, giro.KindPayout, r.Movement.ID, "succeeded", ""); err != nil || r.Movement.Status != giro.StatusSucceeded {
				t.Fatal(r, err)
			}
		}
	})
}

// TestGivenUpMovementsHearEveryWord: what is on hold because its rail said
// nothing for too long takes whatever the rail then says.
func TestGivenUpMovementsHearEveryWord(t *testing.T) {
	t.Parallel()
	b, rail, clock := scripted(t)
	ctx := t.Context()
	for _, c := range []struct {
		word   said
		status giro.Status // of a payout
		charge giro.Status // of a card charge that was to be authorised
	}{
		{verdict(giro.VerdictSucceeded), giro.StatusSucceeded, giro.StatusSucceeded},
		{verdict(giro.VerdictFailed), giro.StatusFailed, giro.StatusFailed},
		{verdict(giro.VerdictCanceled), giro.StatusCanceled, giro.StatusCanceled},
		{verdict(giro.VerdictOnHold), giro.StatusOnHold, giro.StatusOnHold},
		{said{out: giro.Outcome{Verdict: giro.VerdictPending, Awaits: true}}, giro.StatusPending, giro.StatusPending},
		{verdict(giro.VerdictPending), giro.StatusSucceeded, giro.StatusPending}, // pending, then the script's usual word
		{verdict(giro.VerdictAbsent), giro.StatusSucceeded, giro.StatusPending},  // sent again
		{verdict(giro.VerdictAuthorised), "", giro.StatusPending},
		{verdict(giro.VerdictReturned), giro.StatusReturned, ""},
		{verdict(giro.VerdictRefunded), giro.StatusRefunded, ""},
	} {
		for _, kind := range []giro.Kind{giro.KindPayout, giro.KindCharge} {
			want := c.status
			if kind == giro.KindCharge {
				want = c.charge
			}
			if want == "" {
				continue
			}
			name := string(kind) + " " + string(c.word.out.Verdict)
			lost := make([]said, 50)
			for i := range lost {
				lost[i].err = errNoAnswer
			}
			rail.say(lost...)
			var r *giro.Result
			var err error
			if kind == giro.KindPayout {
				r, err = b.CreatePayout(ctx, b.call, pixPayout(1234))
			} else {
				req := cardCharge(1234, "card_token")
				req.Capture = false
				r, err = b.CreateCharge(ctx, b.call, req)
			}
			if err != nil {
				t.Fatal(err)
			}
			b.drain(t, clock, 45*time.Minute)
			m := b.read(t, r.Movement)
			if m.Status != giro.StatusOnHold || !m.Sent || !m.InDoubt {
				t.Fatalf("%s: after 45 minutes without an answer: %s, sent %v, in doubt %v", name, m.Status, m.Sent, m.InDoubt)
			}
			if _, err := b.Cancel(ctx, b.call, kind, m.ID); !giro.Is(err, giro.CodeInFlight) {
				t.Errorf("%s: canceled while the outcome is unknown: %v", name, err)
			}
			rail.say(c.word)
			b.drain(t, clock, 21*time.Minute)
			m = b.read(t, m)
			if m.Status != want || m.InDoubt || m.Sent {
				t.Errorf("%s: %s, sent %v, in doubt %v; want %s", name, m.Status, m.Sent, m.InDoubt, want)
			}
			if m.Status == giro.StatusOnHold {
				rail.say()
				if _, err := b.Release(ctx, b.call, kind, m.ID); err != nil {
					t.Fatal(err)
				}
				b.drain(t, clock, time.Minute)
				if m = b.read(t, m); m.Sent || m.Status == giro.StatusOnHold {
					t.Errorf("%s: released, and it is %s", name, m.Status)
				}
			}
		}
	}
	_, acts, _ := rail.log()
	if len(acts) < 150 {
		t.Errorf("the rail was asked %d times", len(acts))
	}
	b.verify(t)
}

// TestWhatIsNotCapturedIsLetGo: an authorisation that will not be used is voided
// at the rail, once, by an instruction of its own, whatever becomes of the
// answers; the charge does not wait for it.
func TestWhatIsNotCapturedIsLetGo(t *testing.T) {
	t.Parallel()
	type lost = []said
	noAnswer := said{err: errNoAnswer}
	for name, answers := range map[string]lost{
		"answered":         nil,
		"lost, done":       {noAnswer, noAnswer, verdict(giro.VerdictSucceeded)},
		"lost, not done":   {noAnswer, verdict(giro.VerdictAbsent), verdict(giro.VerdictSucceeded)},
		"taken, then done": {verdict(giro.VerdictPending), verdict(giro.VerdictPending), verdict(giro.VerdictSucceeded)},
		"refused":          {verdict(giro.VerdictFailed)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, rail, clock := scripted(t)
			ctx := t.Context()
			authorise := func(amount int64) *giro.Movement {
				req := cardCharge(amount, "card_token")
				req.Capture = false
				r, err := b.CreateCharge(ctx, b.call, req)
				if err != nil || r.Movement.Status != giro.StatusPending || r.Movement.Sent {
					t.Fatal(r, err)
				}
				return r.Movement
			}
			voided := func() (amount int64, ids map[string]int) {
				ids = map[string]int{}
				rail.mu.Lock()
				defer rail.mu.Unlock()
				for i, in := range rail.asked {
					if in.Op == giro.OpVoid && rail.acts[i] == "submit" {
						if ids[in.ID]++; ids[in.ID] == 1 {
							amount += in.Amount
						}
					}
				}
				return amount, ids
			}
			// Canceled before anything was captured.
			m := authorise(1000)
			rail.say(answers...)
			r, err := b.Cancel(ctx, b.call, giro.KindCharge, m.ID)
			if err != nil || r.Movement.Status != giro.StatusCanceled {
				t.Fatal(r, err)
			}
			if _, err := b.Capture(ctx, b.call, m.ID, 0); !giro.Is(err, giro.CodeInvalidState) {
				t.Errorf("a canceled charge was captured: %v", err)
			}
			b.drain(t, clock, time.Minute)
			if amount, ids := voided(); amount != 1000 || len(ids) != 1 {
				t.Errorf("voided %d under %v", amount, ids)
			}
			if m = b.read(t, m); len(m.Detail.Voids) > 0 || m.Status != giro.StatusCanceled {
				t.Errorf("after its void: %s, %d voids left", m.Status, len(m.Detail.Voids))
			}
			// A part captured, the amount lowered, the rest canceled.
			rail.say()
			m = authorise(1000)
			if _, err = b.Capture(ctx, b.call, m.ID, 300); err != nil {
				t.Fatal(err)
			}
			lower := int64(900)
			if _, err = b.Update(ctx, b.call, giro.KindCharge, m.ID, giro.Change{Amount: &lower}); err != nil {
				t.Fatal(err)
			}
			b.drain(t, clock, time.Minute)
			if amount, _ := voided(); amount != 1100 {
				t.Errorf("voided %d, want the 100 that the amount was lowered by", amount-1000)
			}
			if err := b.Delete(ctx, b.call, giro.KindCharge, m.ID); err != nil {
				t.Fatal(err)
			}
			b.drain(t, clock, time.Minute)
			if amount, _ := voided(); amount != 1700 {
				t.Errorf("voided %d, want the 600 that were left", amount-1100)
			}
			if m = b.read(t, m); m.Status != giro.StatusSucceeded || m.Amount != 300 || m.Captured != 300 {
				t.Errorf("%s, amount %d, captured %d", m.Status, m.Amount, m.Captured)
			}
			// What was captured at once is not let go.
			if _, err = b.CreateCharge(ctx, b.call, cardCharge(700, "card_token")); err != nil {
				t.Fatal(err)
			}
			b.drain(t, clock, time.Hour)
			if amount, ids := voided(); amount != 1700 || len(ids) != 3 {
				t.Errorf("voided %d under %v", amount, ids)
			}
			if next, err := b.Store.NextJob(ctx); next != 0 || err != nil {
				t.Errorf("a job is left: %v %v", next, err)
			}
			b.verify(t)
		})
	}
}

// TestTheSandboxLetsGo: the sandbox's log shows the void.
func TestTheSandboxLetsGo(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		r, err := b.CreateCharge(ctx, b.call, cardCharge(1000, "tok_auth"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Cancel(ctx, b.call, giro.KindCharge, r.Movement.ID); err != nil {
			t.Fatal(err)
		}
		wait, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		for m := b.read(t, r.Movement); len(m.Detail.Voids) > 0; m = b.read(t, m) {
			select {
			case <-b.Committed():
			case <-time.After(50 * time.Millisecond):
			case <-wait.Done():
				t.Fatal("the void is stuck")
			}
		}
		log, err := b.Store.SandboxLog(ctx, b.call.Book(), 0, 10, false)
		if err != nil || len(log) != 2 {
			t.Fatal(log, err)
		}
		for _, row := range log {
			if row.Submits != 1 || !row.Done || row.Object != r.Movement.ID {
				t.Errorf("%+v", row)
			}
		}
	})
}

// TestALoweredPIXChargeShowsItsAmount: the code that the payer scans follows the
// charge's amount.
func TestALoweredPIXChargeShowsItsAmount(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		r, err := b.CreateCharge(t.Context(), b.call, giro.Request{Amount: 12_345, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: "pix"}, Capture: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, amount := range []int64{10_000, 20_000} {
			if r, err = b.Update(t.Context(), b.call, giro.KindCharge, r.Movement.ID, giro.Change{Amount: &amount}); err != nil {
				t.Fatal(err)
			}
			code, err := codes.DecodeBRCode(r.Movement.Detail.Next.BRCode)
			if err != nil || code.Amount != amount {
				t.Errorf("the BR Code asks for %d (%v), the charge for %d", code.Amount, err, amount)
			}
		}
	})
}

// slow is a rail that answers when it is told to.
type slow struct {
	arrived chan giro.Instruction
	answer  chan said
}

func (s *slow) Submit(_ context.Context, in giro.Instruction) (giro.Outcome, error) {
	s.arrived <- in
	a := <-s.answer
	return a.out, a.err
}

func (s *slow) Lookup(context.Context, giro.Instruction) (giro.Outcome, error) {
	return giro.Outcome{}, errors.New("asked while the instruction may still be on its way")
}

// TestASlowRail: past the wait the answer is the pending charge, also for those
// who repeat the request, also when the first caller has left; the outcome is
// taken when it comes, and nobody asks for it while the instruction is out.
func TestASlowRail(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		rail := &slow{make(chan giro.Instruction, 10), make(chan said)}
		b.Rails["sandbox"] = rail
		b.RailWait = 1500 * time.Millisecond
		ctx, leave := context.WithCancel(t.Context())
		answers := make(chan giro.Answer, 8)
		ask := func(ctx context.Context) {
			call := *b.call
			call.Idempotent = &giro.Idempotent{Key: "slow", Fingerprint: []byte("f"), Render: func(v any, err error) giro.Answer {
				if err != nil {
					return giro.Answer{Status: 409}
				}
				return giro.Answer{Status: 201, Body: v.(*giro.Result).Movement.AppendJSON(nil)}
			}}
			b.CreateCharge(ctx, &call, cardCharge(800, "card_token"))
			answers <- call.Answer
		}
		go ask(ctx)
		in := <-rail.arrived
		leave()
		for range 3 {
			go ask(t.Context())
		}
		var first []byte
		for range 4 {
			a := <-answers
			if first == nil {
				first = a.Body
			}
			if a.Status != 201 || string(a.Body) != string(first) {
				t.Errorf("answered %d %s, first %s", a.Status, a.Body, first)
			}
		}
		m, err := b.Store.Movement(t.Context(), b.call.Book(), giro.KindCharge, in.Movement.ID)
		if err != nil || m.Status != giro.StatusPending || m.InDoubt {
			t.Fatal(m, err)
		}
		rail.answer <- verdict(giro.VerdictSucceeded)
		if m = b.until(t, m, giro.StatusSucceeded); m.InDoubt || len(m.Detail.Attempts) != 1 {
			t.Errorf("%+v", m.Detail.Attempts)
		}
	})
}

// endless is a rail that answers nothing before its caller gives up.
type endless struct{ arrived chan giro.Instruction }

func (r *endless) Submit(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	r.arrived <- in
	<-ctx.Done()
	return giro.Outcome{}, ctx.Err()
}

func (r *endless) Lookup(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	return r.Submit(ctx, in)
}

// TestStopWithARailThatDoesNotAnswer: an engine stops nevertheless, and the next
// one asks for what is not known.
func TestStopWithARailThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t, store.Options{})
	e := newEngine(t, s)
	dead := &endless{make(chan giro.Instruction, 10)}
	e.Rails["sandbox"] = dead
	e.Start()
	p, err := e.CreatePayout(t.Context(), openBank(t, e).call, pixPayout(1234))
	if err != nil {
		t.Fatal(err)
	}
	<-dead.arrived
	e.Stop()
	next := newEngine(t, s)
	rail := &script{}
	next.Rails["sandbox"] = rail
	b := startEngine(t, next)
	b.until(t, p.Movement, giro.StatusSucceeded)
	if _, acts, _ := rail.log(); len(acts) != 1 || acts[0] != "lookup" {
		t.Errorf("the next engine asked %v", acts)
	}
}

// failing is a store that holds its first Update until it is told, and fails
// every later one.
type failing struct {
	giro.Store
	arrived, proceed chan struct{}
	calls            atomic.Int32
	err              error
}

func (s *failing) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	if s.calls.Add(1) > 1 {
		return s.err
	}
	close(s.arrived)
	<-s.proceed
	return s.Store.Update(ctx, keys, decide)
}

// TestABatchThatFails: where the database refuses a batch its commands are tried
// one by one, for the sake of those that are not at fault; where it does not
// answer at all, everybody is told so at once.
func TestABatchThatFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		each bool
	}{{"refused", errors.New("a constraint"), true}, {"unreachable", giro.ErrUnreachable, false}, {"unknown", giro.ErrCommitUnknown, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			real, err := store.OpenSQLite(t.TempDir(), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer real.Close()
			s := &failing{Store: real, arrived: make(chan struct{}), proceed: make(chan struct{}), err: c.err}
			e := newEngine(t, s)
			e.Paused = func() bool { return true }
			e.Start()
			defer e.Stop()
			call := &giro.Call{Merchant: &giro.Merchant{ID: e.NewID(e.Now()), Number: 1}}
			const n = 30
			errs := make(chan error, n+1)
			fund := func() {
				_, err := e.Fund(t.Context(), call, "BRL", 1)
				errs <- err
			}
			go fund()
			<-s.arrived
			for range n {
				go fund()
			}
			for e.Waiting() < n { // all have queued
				<-time.After(time.Millisecond)
			}
			close(s.proceed)
			refused := 0
			for range n + 1 {
				if err := <-errs; giro.Is(err, giro.CodeUnavailable) {
					refused++
				} else if err != nil {
					t.Error(err)
				}
			}
			if calls := int(s.calls.Load()); refused != n || c.each != (calls == n+2) || !c.each && calls != 2 {
				t.Errorf("%d of %d were refused, with %d calls of the store", refused, n, calls)
			}
		})
	}
}

// held is a store that holds its first Update until it is told.
type held struct {
	giro.Store
	once             sync.Once
	arrived, proceed chan struct{}
}

func (s *held) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	s.once.Do(func() {
		close(s.arrived)
		<-s.proceed
	})
	return s.Store.Update(ctx, keys, decide)
}

// TestAFullQueueTakesWhatIsOwed: beyond the queue's length callers are refused,
// but not the outcome of what was begun, or it would have to be asked for again.
func TestAFullQueueTakesWhatIsOwed(t *testing.T) {
	t.Parallel()
	real, err := store.OpenSQLite(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	s := &held{Store: real, arrived: make(chan struct{}), proceed: make(chan struct{})}
	e := newEngine(t, s)
	e.QueueMax, e.Paused = 1, func() bool { return true }
	e.Start()
	defer e.Stop()
	m := &giro.Merchant{ID: e.NewID(e.Now()), Number: 1}
	call := &giro.Call{Merchant: m}
	errs := make(chan error, 3)
	fund := func() {
		_, err := e.Fund(t.Context(), call, "BRL", 5)
		errs <- err
	}
	go fund()
	<-s.arrived
	go fund()
	for e.Waiting() < 1 {
		<-time.After(time.Millisecond)
	}
	if _, err := e.Fund(t.Context(), call, "BRL", 5); !giro.Is(err, giro.CodeUnavailable) || giro.AsError(err).RetryAfter <= 0 {
		t.Errorf("a caller beyond the queue: %v", err)
	}
	go func() {
		in := giro.Instruction{ID: "po_x-1", Book: call.Book(), Movement: &giro.Movement{Kind: giro.KindPayout, ID: m.ID}}
		_, err := e.SandboxRecord(t.Context(), in, func(r *giro.SandboxRow) { r.Submits++ })
		errs <- err
	}()
	for e.Waiting() < 2 {
		<-time.After(time.Millisecond)
	}
	close(s.proceed)
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestPendingByHandBeforeTheRailWasTold: a test call decides also what has not
// been handed over yet.
func TestPendingByHandBeforeTheRailWasTold(t *testing.T) {
	t.Parallel()
	clock := newSettable()
	var paused atomic.Bool
	paused.Store(true)
	e := clock.engine(t, storetest.SQLite(t))
	e.Paused = paused.Load
	b := startEngine(t, e)
	p, err := b.CreatePayout(t.Context(), b.call, pixPayout(1234))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.TestOutcome(t.Context(), b.call, giro.KindPayout, p.Movement.ID, "pending", ""); err != nil {
		t.Fatal(err)
	}
	paused.Store(false)
	b.drain(t, clock, time.Minute)
	if m := b.read(t, p.Movement); m.Status != giro.StatusPending || len(m.Detail.Attempts) == 0 {
		t.Errorf("it is %s after %d attempts", m.Status, len(m.Detail.Attempts))
	}
	if _, err := b.TestOutcome(t.Context(), b.call, giro.KindPayout, p.Movement.ID, "failed", "account_closed"); err != nil {
		t.Fatal(err)
	}
	if m := b.read(t, p.Movement); m.Status != giro.StatusFailed || m.Detail.FailureCode != "account_closed" {
		t.Errorf("it is %s: %s", m.Status, m.Detail.FailureCode)
	}
	b.verify(t)
}
