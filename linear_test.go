package giro_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"giro"
	"giro/internal/storetest"
	"giro/store"
)

// want is what a client asks of two accounts.
type want struct {
	what   string // pay, move, fund, read
	amount int64
	key    int // of pay and move: several clients use the same
}

// got is what it is told.
type got struct {
	ok        bool
	main, sub int64 // of a read
}

// purse is the model: two balances, and what each key has done.
type purse struct {
	main, sub int64
	keys      [keysUsed]int8 // 0: not used, 1: done, 2: refused
}

const keysUsed = 24

var purses = porcupine.Model{
	Init: func() any { return purse{main: 10_000} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(purse), input.(want), output.(got)
		switch in.what {
		case "read":
			return s.main == out.main && s.sub == out.sub, s
		case "fund":
			s.main += in.amount
			return out.ok, s
		}
		if s.keys[in.key] == 0 {
			if s.keys[in.key] = 2; s.main >= in.amount {
				s.keys[in.key] = 1
				s.main -= in.amount
				if in.what == "move" {
					s.sub += in.amount
				}
			}
		}
		return out.ok == (s.keys[in.key] == 1), s
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
}

// TestBalancesAreLinearizable: what concurrent clients are told of one balance
// can be put in one order that obeys their clocks: each payout and transfer
// happens once, at one moment between its request and its answer, and a balance
// that is read is the one of its moment.
func TestBalancesAreLinearizable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		database  func(testing.TB) storetest.Database
		processes int
	}{{"sqlite", storetest.SQLite, 1}, {"postgres", storetest.Postgres, 2}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := c.database(t)
			engine := func() *giro.Engine {
				e := newEngine(t, d.Open(t, store.Options{}))
				e.Paused = func() bool { return true } // payouts stay reserved
				return e
			}
			b := startEngine(t, engine())
			engines := []*giro.Engine{b.Engine}
			for range c.processes - 1 {
				e := engine()
				e.Start()
				t.Cleanup(func() {
					e.Stop()
					e.Store.Close()
				})
				engines = append(engines, e)
			}
			// Accounts of its own: funded with USD alone.
			if _, err := b.Fund(t.Context(), b.call, "USD", 10_000); err != nil {
				t.Fatal(err)
			}
			sub, err := b.CreateAccount(t.Context(), b.call, "sub", "USD", false, nil)
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var history []porcupine.Operation
			var wg sync.WaitGroup
			start := time.Now()
			for client := range 6 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					random := rand.New(rand.NewPCG(uint64(client), 5))
					for range 14 {
						e := engines[random.IntN(len(engines))]
						in := want{what: []string{"pay", "pay", "move", "fund", "read", "read"}[random.IntN(6)], amount: random.Int64N(4000) + 1}
						if in.what == "pay" || in.what == "move" {
							in.key = random.IntN(keysUsed/2) * 2
							if in.what == "move" {
								in.key++
							}
							in.amount = int64(in.key)*150 + 1 // the same request under the same key
						}
						called := time.Since(start)
						out, err := asked(t, b, e, sub, in)
						if err != nil {
							t.Errorf("%+v: %v", in, err)
							return
						}
						mu.Lock()
						history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: int64(called), Output: out, Return: int64(time.Since(start))})
						mu.Unlock()
					}
				}()
			}
			wg.Wait()
			result, info := porcupine.CheckOperationsVerbose(purses, history, 30*time.Second)
			switch result {
			case porcupine.Illegal:
				for _, op := range history {
					t.Logf("%d: %d–%d %s", op.ClientId, op.Call, op.Return, purses.DescribeOperation(op.Input, op.Output))
				}
				t.Errorf("there is no order in which this happened: %d partial ones", len(info.PartialLinearizations()))
			case porcupine.Unknown:
				t.Error("no order was found in half a minute")
			}
			b.verify(t)
		})
	}
}

func asked(t *testing.T, b *bank, e *giro.Engine, sub *giro.Account, in want) (got, error) {
	call := *b.call
	if in.what == "pay" || in.what == "move" {
		call.Idempotent = &giro.Idempotent{Key: fmt.Sprint(in.what, in.key), Fingerprint: []byte("f"), Render: func(_ any, err error) giro.Answer {
			if err != nil {
				return giro.Answer{Status: 409}
			}
			return giro.Answer{Status: 201}
		}}
	}
	var err error
	switch in.what {
	case "read":
		accounts, _, err := e.Store.Accounts(t.Context(), giro.AccountQuery{Book: b.call.Book()})
		var out got
		for _, a := range accounts {
			switch {
			case a.ID == sub.ID:
				out.sub = a.Balance
			case a.Role == giro.RoleAvailable && a.Currency == "USD":
				out.main = a.Balance
			}
		}
		return out, err
	case "fund":
		_, err = e.Fund(t.Context(), &call, "USD", in.amount)
		return got{ok: err == nil}, err
	case "pay":
		_, err = e.CreatePayout(t.Context(), &call, giro.Request{Amount: in.amount, Currency: "USD", Provider: "mobile", Mobile: &giro.Mobile{Phone: "+15005550006"}})
	case "move":
		_, err = e.CreateTransfer(t.Context(), &call, giro.Request{Amount: in.amount, Currency: "USD", Destination: sub.ID})
	}
	if err != nil && !giro.Is(err, giro.CodeInsufficientFunds) {
		return got{}, err
	}
	return got{ok: call.Answer.Status == 201}, nil
}
