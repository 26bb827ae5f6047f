package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"giro"
)

const funds = 1_000_000

// client sends requests, each under a key of its own, until it knows.
type client struct {
	w       *world
	n       int
	answers []answered
}

// answered is a request with the first answer that its client got.
type answered struct {
	key  string
	body string
	run  func(*giro.Call) (*giro.Result, error)
}

// attempts after which a client that never knows has found a fault.
const attempts = 40

// call is a request under a key. What its answer says of a movement is the same
// for every attempt.
func (c *client) call(key string) *giro.Call {
	return &giro.Call{Merchant: c.w.merchant, Idempotent: &giro.Idempotent{Key: key, Fingerprint: []byte(key), Render: func(v any, err error) giro.Answer {
		if err != nil {
			return giro.Answer{Status: 409, Body: []byte(giro.AsError(err).Code)}
		}
		return giro.Answer{Status: 201, Body: v.(*giro.Result).Movement.AppendJSON(nil)}
	}}}
}

// ask repeats a request under one key until it is answered, and returns the id
// that the answer names.
func (c *client) ask(ctx context.Context, run func(*giro.Call) (*giro.Result, error)) (*giro.Movement, error) {
	c.n++
	key := fmt.Sprintf("request-%d", c.n)
	for range attempts {
		call := c.call(key)
		r, err := run(call)
		switch {
		case call.Answer.Status == 201, call.Answer.Status == 409 && !giro.Is(err, giro.CodeUnavailable):
			c.answers = append(c.answers, answered{key, string(call.Answer.Body), run})
			if call.Answer.Status == 409 {
				return nil, fmt.Errorf("%s was refused: %s", key, call.Answer.Body)
			}
			if r != nil {
				return r.Movement, nil
			}
			return c.find(ctx, key)
		case err == nil:
			return nil, fmt.Errorf("%s has neither an answer nor an error", key)
		case !giro.Is(err, giro.CodeUnavailable) && !giro.Is(err, giro.CodeKeyInProgress) && !errors.Is(err, errFault) && !errors.Is(err, errDead):
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if err := c.w.pass(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s was never answered", key)
}

// find reads the movement of a replayed answer.
func (c *client) find(ctx context.Context, key string) (*giro.Movement, error) {
	row, err := c.w.store.Store.Idempotency(ctx, giro.BookOf(c.w.merchant.Number, false), key)
	if err != nil {
		return nil, err
	}
	return c.w.store.Store.Movement(ctx, row.Book, row.Kind, row.Object)
}

// until lets time go by until a movement has a status and no instruction.
func (c *client) until(ctx context.Context, m *giro.Movement, s giro.Status) error {
	var now *giro.Movement
	for i := range attempts {
		var err error
		now, err = c.w.store.Store.Movement(ctx, m.Book, m.Kind, m.ID)
		if err != nil {
			return err
		}
		if now.Status == s && now.Detail.Step == nil {
			return nil
		}
		if err := c.w.pass(ctx, time.Duration(i*i)*time.Second); err != nil { // a rail is asked more and more rarely
			return err
		}
	}
	return fmt.Errorf("a %s never became %s: it is %s, sent %v, in doubt %v, asked %v", m.Kind, s, now.Status, now.Sent, now.InDoubt, now.Detail.Attempts)
}

// scenario is a day of a merchant: every kind, every instruction of a rail.
func (w *world) scenario(ctx context.Context) error {
	c := &client{w: w}
	e := func() *giro.Engine { return w.engine } // another one after a restart
	charge := func(amount int64, capture bool) func(*giro.Call) (*giro.Result, error) {
		return func(call *giro.Call) (*giro.Result, error) {
			return e().CreateCharge(ctx, call, giro.Request{Amount: amount, Currency: "BRL", Provider: "card", Card: &giro.Card{Token: "card_token"}, Capture: capture})
		}
	}
	payout := func(amount int64) func(*giro.Call) (*giro.Result, error) {
		return func(call *giro.Call) (*giro.Result, error) {
			return e().CreatePayout(ctx, call, giro.Request{Amount: amount, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: "pix", Key: "maria@example.com", KeyType: "email"}})
		}
	}
	made := 0
	create := func(run func(*giro.Call) (*giro.Result, error)) (*giro.Movement, error) {
		made++
		return c.ask(ctx, run)
	}

	bought, err := create(charge(10_000, true))
	if err != nil {
		return err
	}
	if err := c.until(ctx, bought, giro.StatusSucceeded); err != nil {
		return err
	}
	if _, err := create(func(call *giro.Call) (*giro.Result, error) {
		return e().CreateRefund(ctx, call, giro.Request{Charge: bought.ID, Amount: 4000})
	}); err != nil {
		return err
	}
	for _, amount := range []int64{1500, refusedAmount, 2500} {
		if _, err := create(payout(amount)); err != nil {
			return err
		}
	}
	more := int64(12_000)
	if _, err := c.ask(ctx, func(call *giro.Call) (*giro.Result, error) {
		return e().Update(ctx, call, giro.KindCharge, bought.ID, giro.Change{Amount: &more})
	}); err != nil {
		return err
	}
	if err := c.until(ctx, bought, giro.StatusPending); err != nil {
		return err
	}
	if _, err := c.ask(ctx, func(call *giro.Call) (*giro.Result, error) { return e().Capture(ctx, call, bought.ID, 500) }); err != nil {
		return err
	}
	if err := c.until(ctx, bought, giro.StatusPending); err != nil {
		return err
	}
	if _, err := c.ask(ctx, func(call *giro.Call) (*giro.Result, error) { return e().Cancel(ctx, call, giro.KindCharge, bought.ID) }); err != nil {
		return err
	}
	held, err := create(charge(900, false))
	if err != nil {
		return err
	}
	if err := c.until(ctx, held, giro.StatusPending); err != nil {
		return err
	}
	if _, err := c.ask(ctx, func(call *giro.Call) (*giro.Result, error) { return e().Cancel(ctx, call, giro.KindCharge, held.ID) }); err != nil {
		return err
	}
	return c.rest(ctx, made)
}

// rest waits until nothing is due any more and compares the clients' answers,
// the books and the rail's own memory.
func (c *client) rest(ctx context.Context, made int) error {
	if err := c.w.rest(ctx); err != nil {
		return err
	}
	s := c.w.store.Store
	book := giro.BookOf(c.w.merchant.Number, false)
	found := 0
	for _, kind := range giro.Kinds {
		page, _, err := s.Movements(ctx, giro.MovementQuery{Book: book, Kind: kind, Limit: 100})
		if err != nil {
			return err
		}
		found += len(page)
		for _, m := range page {
			if m.Sent || m.InDoubt || !m.Status.Final() || m.Detail.Step != nil || len(m.Detail.Voids) > 0 {
				return fmt.Errorf("a %s is stuck: %s, sent %v, in doubt %v", kind, m.Status, m.Sent, m.InDoubt)
			}
			says := m.Captured
			moved, held := c.w.rail.moved(m.ID)
			if says != moved || held != 0 {
				return fmt.Errorf("a %s of %d that is %s says that %d moved; the rail moved %d and holds %d", kind, m.Amount, m.Status, says, moved, held)
			}
		}
	}
	if found != made {
		return fmt.Errorf("%d movements were asked for, and there are %d", made, found)
	}
	// Every answer is kept: the same key says the same again.
	for _, a := range c.answers {
		call := c.call(a.key)
		_, err := a.run(call)
		if c.w.store.dead() { // of a fault that was drawn for something that still went on
			if err := c.w.revive(); err != nil {
				return err
			}
			call = c.call(a.key)
			_, err = a.run(call)
		}
		if err != nil && call.Answer.Status == 0 {
			return fmt.Errorf("%s again: %w", a.key, err)
		}
		if string(call.Answer.Body) != a.body {
			return fmt.Errorf("%s was answered\n%s\nand again\n%s", a.key, a.body, call.Answer.Body)
		}
	}
	return nil
}

// rest lets time go by until no job is left. What was begun is finished among
// faults, so that each operation can meet one; only what faults keep from ending
// ends without them.
func (w *world) rest(ctx context.Context) error {
	defer func() {
		w.database.arm(false)
		w.rail.faults.arm(false)
	}()
	for i := range 200 + attempts {
		if i == attempts {
			w.database.arm(false)
			w.rail.faults.arm(false)
		}
		next, err := w.store.Store.NextJob(ctx)
		if err != nil {
			return err
		}
		if next == 0 {
			break
		}
		if err := w.pass(ctx, max(giro.TimeOf(next).Sub(w.clock.Now()), time.Millisecond)); err != nil {
			return err
		}
	}
	next, err := w.store.Store.NextJob(ctx)
	if err != nil {
		return err
	}
	if next != 0 {
		return errors.New("jobs are left that never end")
	}
	if err := w.engine.Healthy(); err != nil {
		return err
	}
	report, err := w.store.Store.Verify(ctx)
	if err != nil {
		return err
	}
	if !report.OK {
		return fmt.Errorf("the books do not add up: %+v", report.Faults)
	}
	w.rail.mu.Lock()
	defer w.rail.mu.Unlock()
	if len(w.rail.wrong) > 0 {
		return fmt.Errorf("the rail was asked wrongly: %v", w.rail.wrong)
	}
	return nil
}
