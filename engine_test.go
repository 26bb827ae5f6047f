package giro_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"giro"
	codes "giro/bank"
	"giro/internal/pgtest"
	"giro/internal/storetest"
	"giro/rail"
	"giro/store"
)

// bank is an engine with a merchant on an empty store.
type bank struct {
	*giro.Engine
	merchant *giro.Merchant
	call     *giro.Call
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, b *bank)) {
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		ids := giro.UUIDs()
		options := store.Options{Now: time.Now, NewID: func(at int64) giro.UUID { return ids(giro.TimeOf(at)) }, Salt: giro.Salt,
			Doubt: func(err error) { t.Error(err) }}
		b := start(t, d.Open(t, options))
		test(t, b)
		b.verify(t)
	})
}

func openPostgres(t *testing.T, o store.Options) (giro.Store, error) {
	return store.OpenPostgres(context.Background(), pgtest.Open(t), o)
}

// start runs an engine over s, with a merchant whose test books hold
// 1,000,000.00 BRL.
func start(t *testing.T, s giro.Store) *bank {
	t.Helper()
	return startEngine(t, newEngine(t, s))
}

func startEngine(t *testing.T, e *giro.Engine) *bank {
	t.Helper()
	s := e.Store
	e.Start()
	var once sync.Once
	stop := func() { once.Do(e.Stop) }
	t.Cleanup(func() {
		stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return openBank(t, e)
}

// openBank makes a merchant with money on an engine that runs.
func openBank(t *testing.T, e *giro.Engine) *bank {
	t.Helper()
	m, err := e.CreateMerchant(t.Context(), nil, giro.Merchant{Name: "Loja", Currency: "BRL"})
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{Engine: e, merchant: m, call: &giro.Call{Merchant: m}}
	if _, err := e.Fund(t.Context(), b.call, "BRL", 100_000_000); err != nil {
		t.Fatal(err)
	}
	return b
}

func newEngine(t *testing.T, s giro.Store) *giro.Engine {
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), RailWait: 5 * time.Second}
	if os.Getenv("GIRO_TEST_LOG") != "" {
		e.Logf = t.Logf
	}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}}
	return e
}

func (b *bank) verify(t *testing.T) {
	t.Helper()
	if err := b.Healthy(); err != nil {
		t.Fatal(err)
	}
	r, err := b.Store.Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK {
		t.Fatalf("the books do not add up: %+v", r.Faults)
	}
}

func (b *bank) balance(t *testing.T, role giro.Role) int64 {
	t.Helper()
	as, _, err := b.Store.Accounts(t.Context(), giro.AccountQuery{Book: b.call.Book(), Roles: []giro.Role{role}})
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, a := range as {
		total += a.Balance
	}
	return total
}

func cardCharge(amount int64, token string) giro.Request {
	return giro.Request{Amount: amount, Currency: "BRL", Provider: "card", Card: &giro.Card{Token: token}, Capture: true}
}

func pixPayout(amount int64) giro.Request {
	return giro.Request{Amount: amount, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: "pix", Key: "maria@example.com", KeyType: "email"}}
}

// until reads a movement until it has a status.
func (b *bank) until(t *testing.T, m *giro.Movement, want giro.Status) *giro.Movement {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		changed := b.Committed()
		now, err := b.Store.Movement(ctx, m.Book, m.Kind, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if now.Status == want {
			return now
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s is %s (sent %v, in doubt %v), want %s", m.Kind, now.Status, now.Sent, now.InDoubt, want)
		}
	}
}

func TestChargeOnACard(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		for _, c := range []struct {
			token    string
			status   giro.Status
			captured int64
			code     string
		}{
			{"card_token", giro.StatusSucceeded, 1000, ""},
			{"tok_declined", giro.StatusFailed, 0, "declined"},
			{"tok_insufficient_funds", giro.StatusFailed, 0, "insufficient_funds"},
			{"tok_auth", giro.StatusPending, 0, ""},
			{"tok_pending", giro.StatusPending, 0, ""},
		} {
			before := b.balance(t, giro.RoleAvailable)
			r, err := b.CreateCharge(t.Context(), b.call, cardCharge(1000, c.token))
			if err != nil {
				t.Fatal(c.token, err)
			}
			m := r.Movement
			if m.Status != c.status || m.Captured != c.captured || m.Detail.FailureCode != c.code {
				t.Errorf("%s: %s, captured %d, code %q", c.token, m.Status, m.Captured, m.Detail.FailureCode)
			}
			if got := b.balance(t, giro.RoleAvailable) - before; got != c.captured {
				t.Errorf("%s: available grew by %d, want %d", c.token, got, c.captured)
			}
		}
	})
}

func TestChargeRaisedIsPendingWithTheCapturedPartKept(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		r, err := b.CreateCharge(t.Context(), b.call, cardCharge(1000, "card_token"))
		if err != nil {
			t.Fatal(err)
		}
		amount, pending := int64(1500), giro.StatusPending
		r, err = b.Update(t.Context(), b.call, giro.KindCharge, r.Movement.ID, giro.Change{Amount: &amount, Status: &pending})
		if err != nil {
			t.Fatal(err)
		}
		if m := r.Movement; m.Amount != 1500 || m.Captured != 1000 || m.Status != giro.StatusPending {
			t.Fatalf("amount %d, captured %d, %s", m.Amount, m.Captured, m.Status)
		}
		r, err = b.Capture(t.Context(), b.call, r.Movement.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		if m := r.Movement; m.Captured != 1500 || m.Status != giro.StatusSucceeded {
			t.Fatalf("captured %d, %s", m.Captured, m.Status)
		}
		less := int64(1400)
		if _, err = b.Update(t.Context(), b.call, giro.KindCharge, r.Movement.ID, giro.Change{Amount: &less}); err == nil {
			t.Fatal("a captured charge was lowered")
		}
	})
}

func TestPayoutOutcomesOfTheSandbox(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		var wg sync.WaitGroup
		for _, c := range []struct {
			whole  int64
			status giro.Status
			kept   bool // the money has left or waits
		}{
			{10_000, giro.StatusSucceeded, true},
			{10_091, giro.StatusFailed, false},
			{10_092, giro.StatusFailed, false},
			{10_093, giro.StatusOnHold, true},
			{10_094, giro.StatusReturned, true},
			{10_095, giro.StatusRefunded, false},
			{10_097, giro.StatusSucceeded, true},
			{10_098, giro.StatusFailed, false},
			{10_099, giro.StatusSucceeded, true},
		} {
			wg.Add(1)
			go func() {
				defer wg.Done()
				r, err := b.CreatePayout(t.Context(), b.call, pixPayout(c.whole*100))
				if err != nil {
					t.Error(err)
					return
				}
				if r.Movement.Status != giro.StatusPending {
					t.Errorf("%d: answered %s", c.whole, r.Movement.Status)
				}
				b.until(t, r.Movement, c.status)
			}()
		}
		wg.Wait()
		log, err := b.Store.SandboxLog(t.Context(), b.call.Book(), 0, 1000, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(log) != 9 {
			t.Errorf("the rail knows %d instructions, want 9", len(log))
		}
		want := int64(100_000_000) - (10_000+10_093+10_094+10_097+10_099)*100
		if got := b.balance(t, giro.RoleAvailable); got != want {
			t.Errorf("available %d, want %d", got, want)
		}
	})
}

func TestConcurrentRefundsNeverExceedWhatWasCaptured(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		r, err := b.CreateCharge(t.Context(), b.call, cardCharge(10_000, "card_token"))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var given int64
		for i := range 64 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				amount := rand.New(rand.NewPCG(7, uint64(i))).Int64N(900) + 1
				r, err := b.CreateRefund(t.Context(), b.call, giro.Request{Charge: r.Movement.ID, Amount: amount})
				switch {
				case err == nil:
					mu.Lock()
					given += r.Movement.Amount
					mu.Unlock()
				case !giro.Is(err, giro.CodeRefundExceeds):
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if given > 10_000 || given < 9_000 {
			t.Errorf("%d of 10,000 were given back", given)
		}
	})
}

func TestConcurrentPayoutsNeverOverdraw(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range 64 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := b.CreatePayout(t.Context(), b.call, pixPayout(3_000_000))
				switch {
				case err == nil:
					mu.Lock()
					made++
					mu.Unlock()
				case !giro.Is(err, giro.CodeInsufficientFunds):
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if made != 33 {
			t.Errorf("%d payouts of 30,000.00 were made of 1,000,000.00, want 33", made)
		}
	})
}

func TestOneKeyOneObject(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		for _, kind := range []giro.Kind{giro.KindPayout, giro.KindCharge} {
			answers := make([]giro.Answer, 50)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					call := *b.call
					call.Idempotent = &giro.Idempotent{Key: "once-" + string(kind), Fingerprint: []byte("f"), Render: func(v any, err error) giro.Answer {
						if err != nil {
							return giro.Answer{Status: 409, Body: []byte(err.Error())}
						}
						return giro.Answer{Status: 201, Body: v.(*giro.Result).Movement.AppendJSON(nil)}
					}}
					var err error
					if kind == giro.KindPayout {
						_, err = b.CreatePayout(t.Context(), &call, pixPayout(500))
					} else {
						_, err = b.CreateCharge(t.Context(), &call, cardCharge(500, "card_token"))
					}
					if err != nil {
						t.Error(err)
					}
					answers[i] = call.Answer
				}()
			}
			wg.Wait()
			fresh := 0
			for _, a := range answers {
				if string(a.Body) != string(answers[0].Body) || a.Status != 201 {
					t.Errorf("%s: answers differ: %d %s", kind, a.Status, a.Body)
				}
				if !a.Replayed {
					fresh++
				}
			}
			if fresh != 1 {
				t.Errorf("%s: %d answers are not replays, want 1", kind, fresh)
			}
			page, _, err := b.Store.Movements(t.Context(), giro.MovementQuery{Book: b.call.Book(), Kind: kind, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) != 1 {
				t.Errorf("%d objects were made with one key", len(page))
			}
		}
	})
}

func TestReferenceIsUsedOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		req := pixPayout(700)
		req.Reference = "order-1"
		first, err := b.CreatePayout(t.Context(), b.call, req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.CreatePayout(t.Context(), b.call, req)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Existing || again.Movement.ID != first.Movement.ID {
			t.Error("the same data made another payout")
		}
		req.Amount++
		if _, err := b.CreatePayout(t.Context(), b.call, req); !giro.Is(err, giro.CodeDuplicateReference) {
			t.Errorf("other data: %v", err)
		}
	})
}

func TestTransfers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		sub, err := b.CreateAccount(ctx, b.call, "seller", "BRL", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.CreateTransfer(ctx, b.call, giro.Request{Amount: 5000, Currency: "BRL", Destination: sub.ID})
		if err != nil || r.Movement.Status != giro.StatusSucceeded {
			t.Fatal(r, err)
		}
		if _, err = b.ReverseTransfer(ctx, b.call, r.Movement.ID, 2000); err != nil {
			t.Fatal(err)
		}
		if got := b.balance(t, giro.RoleSub); got != 3000 {
			t.Errorf("the sub-account holds %d, want 3000", got)
		}
		two, err := b.CreateTransfer(ctx, b.call, giro.Request{Amount: 1000, Currency: "BRL", Account: sub.ID, Destination: b.mainAccount(t), Pending: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.balance(t, giro.RoleSubReserved); got != 1000 {
			t.Errorf("the reserved side holds %d, want 1000", got)
		}
		if _, err = b.PostTransfer(ctx, b.call, two.Movement.ID); err != nil {
			t.Fatal(err)
		}
		other, err := b.CreateMerchant(ctx, nil, giro.Merchant{Name: "Outra", Currency: "BRL"})
		if err != nil {
			t.Fatal(err)
		}
		theirs := &bank{Engine: b.Engine, merchant: other, call: &giro.Call{Merchant: other}}
		x, err := b.CreateTransfer(ctx, b.call, giro.Request{Amount: 900, Currency: "BRL", Destination: theirs.mainAccount(t)})
		if err != nil {
			t.Fatal(err)
		}
		if got := theirs.balance(t, giro.RoleAvailable); got != 900 {
			t.Errorf("the receiver holds %d, want 900", got)
		}
		if _, err = b.ReverseTransfer(ctx, b.call, x.Movement.ID, 0); !giro.Is(err, giro.CodeForbidden) {
			t.Errorf("the sender reversed it: %v", err)
		}
		back, err := b.ReverseTransfer(ctx, theirs.call, x.Movement.ID, 0)
		if err != nil || back.Movement.Status != giro.StatusRefunded {
			t.Fatal(back, err)
		}
		if _, err = b.ReverseTransfer(ctx, theirs.call, x.Movement.ID, 0); !giro.Is(err, giro.CodeInvalidState) {
			t.Errorf("reversed twice: %v", err)
		}
	})
}

func (b *bank) mainAccount(t *testing.T) giro.UUID {
	t.Helper()
	as, _, err := b.Store.Accounts(t.Context(), giro.AccountQuery{Book: b.call.Book(), Roles: []giro.Role{giro.RoleAvailable}})
	if err != nil || len(as) == 0 {
		t.Fatal(as, err)
	}
	return as[0].ID
}

func TestManualRailWaitsForAPerson(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		live := &giro.Call{Merchant: b.merchant, Live: true}
		if _, err := b.CreateCharge(ctx, live, cardCharge(1000, "card_token")); !giro.Is(err, giro.CodeProviderUnavailable) {
			t.Errorf("a live card charge without a rail: %v", err)
		}
		r, err := b.CreateCharge(ctx, live, giro.Request{Amount: 90_000, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: "transfer"}, Capture: true})
		if err != nil {
			t.Fatal(err)
		}
		if r, err = b.Confirm(ctx, live, giro.KindCharge, r.Movement.ID); err != nil || r.Movement.Status != giro.StatusSucceeded {
			t.Fatal(r, err)
		}
		p, err := b.CreatePayout(ctx, live, pixPayout(50_000))
		if err != nil {
			t.Fatal(err)
		}
		if p, err = b.Confirm(ctx, live, giro.KindPayout, p.Movement.ID); err != nil {
			t.Fatal(err)
		}
		if p, err = b.Return(ctx, live, giro.KindPayout, p.Movement.ID); err != nil || p.Movement.Status != giro.StatusReturned {
			t.Fatal(p, err)
		}
		if p, err = b.CreditBack(ctx, live, p.Movement.ID); err != nil || p.Movement.Status != giro.StatusRefunded {
			t.Fatal(p, err)
		}
		// A card charge whose rail is a person.
		m := *b.merchant
		m.Rails = map[string]string{"card": "manual"}
		byHand := &giro.Call{Merchant: &m, Live: true}
		if r, err = b.CreateCharge(ctx, byHand, cardCharge(1000, "a-terminal's")); err != nil || r.Movement.Status != giro.StatusPending || r.Movement.Sent {
			t.Fatal(r, err)
		}
		if _, err = b.Capture(ctx, byHand, r.Movement.ID, 400); !giro.Is(err, giro.CodeInvalidState) {
			t.Errorf("a part was captured by hand: %v", err)
		}
		more := int64(1200)
		if r, err = b.Update(ctx, byHand, giro.KindCharge, r.Movement.ID, giro.Change{Amount: &more}); err != nil || r.Movement.Sent {
			t.Fatal(r, err)
		}
		if r, err = b.Capture(ctx, byHand, r.Movement.ID, 0); err != nil || r.Movement.Captured != 1200 {
			t.Fatal(r, err)
		}
		back, err := b.CreateRefund(ctx, byHand, giro.Request{Charge: r.Movement.ID})
		if err != nil {
			t.Fatal(err)
		}
		if back, err = b.Confirm(ctx, byHand, giro.KindRefund, back.Movement.ID); err != nil || back.Movement.Status != giro.StatusSucceeded {
			t.Fatal(back, err)
		}
		lb := &bank{Engine: b.Engine, call: live}
		if got := lb.balance(t, giro.RoleAvailable); got != 90_000 {
			t.Errorf("available %d, want 90,000", got)
		}
	})
}

// TestEveryStateEveryCause: a move is in the table or it is refused, and the
// final states have no way on but those that the table names.
func TestEveryStateEveryCause(t *testing.T) {
	t.Parallel()
	causes := map[giro.Cause]bool{}
	for _, r := range giro.Moves {
		causes[r.Cause] = true
	}
	granted := 0
	for _, kind := range giro.Kinds {
		for _, status := range giro.Statuses {
			for _, sent := range []bool{false, true} {
				for cause := range causes {
					m := &giro.Movement{Kind: kind, Status: status, Sent: sent}
					r, err := m.Next(cause)
					name := fmt.Sprintf("%s %s sent=%v %s", kind, status, sent, cause)
					switch {
					case err == nil:
						granted++
						if r.From != status || r.Sent == "sent" && !sent || r.Sent == "unsent" && sent {
							t.Errorf("%s: granted by a row for another state", name)
						}
						if status == giro.StatusFailed || status == giro.StatusCanceled {
							t.Errorf("%s: a final state has a way on", name)
						}
					case giro.Is(err, giro.CodeInFlight):
						if !sent {
							t.Errorf("%s: in flight without being sent", name)
						}
					case !giro.Is(err, giro.CodeInvalidState):
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		}
	}
	if granted < len(giro.Moves) {
		t.Errorf("%d moves were granted, fewer than the table has rows", granted)
	}
}

func TestPIXAndBoletoChargesCarryWhatThePayerNeeds(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		for _, method := range []string{"pix", "boleto"} {
			r, err := b.CreateCharge(t.Context(), b.call, giro.Request{Amount: 12_345, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: method}, Capture: true})
			if err != nil {
				t.Fatal(err)
			}
			n := r.Movement.Detail.Next
			if method == "pix" {
				code, err := codes.DecodeBRCode(n.BRCode)
				if err != nil || code.Amount != 12_345 {
					t.Errorf("BR Code %q: %+v, %v", n.BRCode, code, err)
				}
			} else {
				slip, err := codes.ParseBoleto(n.DigitableLine, time.Now())
				if err != nil || slip.Amount != 12_345 {
					t.Errorf("boleto %q: %+v, %v", n.DigitableLine, slip, err)
				}
			}
			if r, err = b.TestOutcome(t.Context(), b.call, giro.KindCharge, r.Movement.ID, "succeeded", ""); err != nil || r.Movement.Captured != 12_345 {
				t.Fatal(r, err)
			}
			if _, err := b.CreateCharge(t.Context(), b.call, giro.Request{Amount: 1, Currency: "USD", Provider: "bank", Bank: &giro.Bank{Method: method}}); !giro.Is(err, giro.CodeCurrencyMismatch) {
				t.Errorf("%s in dollars: %v", method, err)
			}
		}
	})
}

// TestTwoProcessesOnOneDatabase: two engines, each with its own connections as
// two processes have, never overdraw one balance and never carry one payout
// twice.
func TestTwoProcessesOnOneDatabase(t *testing.T) {
	t.Parallel()
	d := storetest.Postgres(t)
	open := func() giro.Store { return d.Open(t, store.Options{}) }
	b := start(t, open())
	s := open()
	other := newEngine(t, s)
	other.Start()
	t.Cleanup(func() {
		other.Stop()
		s.Close()
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var made []*giro.Movement
	for i := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			e := b.Engine
			if i%2 == 1 {
				e = other
			}
			r, err := e.CreatePayout(t.Context(), b.call, pixPayout(3_000_000))
			switch {
			case err == nil:
				mu.Lock()
				made = append(made, r.Movement)
				mu.Unlock()
			case !giro.Is(err, giro.CodeInsufficientFunds):
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if len(made) != 33 {
		t.Errorf("%d payouts of 30,000.00 were made of 1,000,000.00, want 33", len(made))
	}
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond) // the other process' commits give no signal here
	defer poll.Stop()
	for _, m := range made {
		for {
			now, err := b.Store.Movement(t.Context(), m.Book, m.Kind, m.ID)
			if err != nil {
				t.Fatal(err)
			}
			if now.Status == giro.StatusSucceeded {
				break
			}
			select {
			case <-poll.C:
			case <-deadline.C:
				t.Fatalf("a payout is stuck: %s, sent %v", now.Status, now.Sent)
			}
		}
	}
	log, err := b.Store.SandboxLog(t.Context(), b.call.Book(), 0, 1000, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(log) != 33 {
		t.Errorf("the rail knows %d instructions, want 33", len(log))
	}
	for _, r := range log {
		if r.Submits != 1 {
			t.Errorf("%s was submitted %d times", r.Instruction, r.Submits)
		}
	}
	b.verify(t)
}
