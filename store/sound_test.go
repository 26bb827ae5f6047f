package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"giro"
	"giro/rail"
	"giro/store"
)

// lived are two merchants' books with some of everything that moves money.
func lived(t *testing.T, s giro.Store) {
	t.Helper()
	var reads atomic.Int64 // of the clock, which goes a second each time
	e := &giro.Engine{Store: s, Now: func() time.Time { return clock.Add(time.Duration(reads.Add(1)) * time.Second) }, NewID: giro.UUIDs(), RailWait: 5 * time.Second, Paused: func() bool { return true }}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}}
	e.Start()
	defer e.Stop()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	moved := func(r *giro.Result, err error) giro.UUID {
		t.Helper()
		must(err)
		return r.Movement.ID
	}
	var calls [2]*giro.Call
	var main [2]giro.UUID
	for i := range calls {
		m, err := e.CreateMerchant(ctx, nil, giro.Merchant{Name: fmt.Sprintf("Loja %d", i), Currency: "BRL"})
		must(err)
		calls[i] = &giro.Call{Merchant: m}
		a, err := e.Fund(ctx, calls[i], "BRL", 1_000_000)
		must(err)
		_, err = e.Fund(ctx, calls[i], "USD", 1_000_000)
		must(err)
		main[i] = a.ID
	}
	call := calls[0]
	sub, err := e.CreateAccount(ctx, call, "sandbox", "BRL", false, map[string]string{"shelf": "2"})
	must(err)
	outcome := func(kind giro.Kind, id giro.UUID, what, code string) {
		t.Helper()
		_, err := e.TestOutcome(ctx, call, kind, id, what, code)
		must(err)
	}
	pix := &giro.Bank{Method: "pix", Key: "maria@example.com", KeyType: "email"}
	var open []giro.UUID
	for round := range int64(3) {
		moved(e.CreateTransfer(ctx, call, giro.Request{Amount: 1000 + round, Currency: "BRL", Destination: sub.ID, Description: "“quoted” \"text\" <b>"}))
		back := moved(e.CreateTransfer(ctx, call, giro.Request{Amount: 100, Currency: "BRL", Account: sub.ID, Destination: main[0]}))
		moved(e.ReverseTransfer(ctx, call, back, 40+round))
		two := moved(e.CreateTransfer(ctx, call, giro.Request{Amount: 70, Currency: "BRL", Account: sub.ID, Destination: main[0], Pending: true}))
		over := moved(e.CreateTransfer(ctx, call, giro.Request{Amount: 90 + round, Currency: "BRL", Account: sub.ID, Destination: main[1]}))
		if round == 1 {
			moved(e.ReverseTransfer(ctx, calls[1], over, 30))
		}
		if round == 2 {
			moved(e.PostTransfer(ctx, call, two))
		} else if round == 1 {
			moved(e.VoidTransfer(ctx, call, two))
		}
		moved(e.CreateTransfer(ctx, calls[1], giro.Request{Amount: 5, Currency: "BRL", Destination: main[0], Pending: true}))
		for i, ends := range []string{"succeeded", "failed", "returned", ""} {
			id := moved(e.CreatePayout(ctx, call, giro.Request{Amount: 200 + int64(i), Currency: "BRL", Provider: "bank", Bank: pix, Account: []giro.UUID{sub.ID, {}}[i%2], Reference: fmt.Sprintf("r-%d-%d", round, i)}))
			if ends == "returned" {
				outcome(giro.KindPayout, id, "succeeded", "")
			}
			if ends == "" {
				open = append(open, id)
				continue
			}
			code := ""
			if ends == "failed" {
				code = "account_closed"
			}
			outcome(giro.KindPayout, id, ends, code)
		}
		charge := moved(e.CreateCharge(ctx, call, giro.Request{Amount: 900, Currency: "BRL", Provider: "card", Card: &giro.Card{Token: "card_token"}, Capture: true}))
		refund := moved(e.CreateRefund(ctx, call, giro.Request{Charge: charge, Amount: 300, Currency: "BRL"}))
		if round > 0 {
			outcome(giro.KindRefund, refund, "succeeded", "")
		}
		moved(e.CreateCharge(ctx, call, giro.Request{Amount: 800, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: "pix"}}))
		rate, err := giro.ParseRate("5.1")
		must(err)
		x, err := rate.Exchange(50, "USD", "BRL")
		must(err)
		abroad := moved(e.CreatePayout(ctx, call, giro.Request{Amount: 50, Currency: "USD", Provider: "bank", Bank: pix, Exchange: x}))
		if round > 0 {
			outcome(giro.KindPayout, abroad, "succeeded", "")
		}
		if round == 2 {
			outcome(giro.KindPayout, abroad, "returned", "")
		}
	}
	outcome(giro.KindPayout, open[0], "succeeded", "") // long after the others
}

// TestBooksThatLivedAreProvenQuickly: the quick half of Verify, which reads much
// or little at once, suffices for whatever the engine writes.
func TestBooksThatLivedAreProvenQuickly(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		lived(t, s)
		r := verified(t, s) // whose doubt panics
		if !r.OK || r.Movements < 30 || r.Entries < 100 {
			t.Fatalf("%+v", r)
		}
		// The oldest events go, and with them the last ones of some movements.
		n, err := s.SweepEvents(ctx, giro.Micros(clock.Add(100*time.Second)), 25)
		if err != nil || n != 25 {
			t.Fatalf("swept %d: %v", n, err)
		}
		if swept := verified(t, s); !swept.OK {
			t.Errorf("%+v", swept)
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := s.Verify(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("a verification that nobody waits for: %v", err)
		}
	})
}

// TestTheQuickHalfMissesNothing changes single values of books that lived, and
// compares both halves of Verify: where one names a fault the other must not
// have proven that there is none.
func TestTheQuickHalfMissesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSQLite(t, dir)
	lived(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables := map[string]struct{ key, numbers, texts, ids string }{
		"movement":           {"book, kind, id", "amount amount_captured amount_refunded fee reserved deleted created updated peer book", "status currency kind", "id parent"},
		"ledger_transaction": {"book, sequence", "sequence at debits credits book", "cause kind currency", "id object"},
		"entry":              {"account, sequence, n", "sequence n amount balance at", "", "account"},
		"event":              {"book, sequence", "sequence book", "data", "object"},
		"account":            {"id", "book balance", "currency role name", "id"},
		"rollup":             {"book, kind, currency, hour, status, reason", "n amount captured refunded fee hour book", "status currency kind", ""},
		"book":               {"book", "sequence ledger_at events swept charges refunds payouts transfers book", "", ""},
	}
	var scripts []string
	random := rand.New(rand.NewPCG(1, 2))
	for _, table := range []string{"movement", "ledger_transaction", "entry", "event", "account", "rollup", "book"} {
		d := tables[table]
		add := func(column, value string) {
			if value == "another" {
				value = fmt.Sprintf("(SELECT %s FROM %s ORDER BY %[1]s LIMIT 1 OFFSET abs(%[3]d %% (SELECT count(*) FROM %[2]s)))", column, table, random.IntN(1000))
			}
			scripts = append(scripts, fmt.Sprintf("UPDATE %s SET %s = %s WHERE (%s) = (SELECT %[4]s FROM %[1]s ORDER BY %[4]s LIMIT 1 OFFSET abs(%[5]d %% (SELECT count(*) FROM %[1]s)))",
				table, column, value, d.key, random.IntN(1000)))
		}
		for _, column := range strings.Fields(d.numbers) {
			add(column, []string{column + " + 1", "another", "-" + column}[random.IntN(3)])
		}
		for _, column := range strings.Fields(d.texts + " " + d.ids) {
			add(column, "another")
		}
		scripts = append(scripts, fmt.Sprintf("DELETE FROM %s WHERE (%s) = (SELECT %[2]s FROM %[1]s ORDER BY %[2]s LIMIT 1 OFFSET abs(%[3]d %% (SELECT count(*) FROM %[1]s)))", table, d.key, random.IntN(1000)))
	}
	faulty := 0
	for _, script := range scripts {
		changed := copyOf(t, dir)
		if !changes(t, changed, script) {
			continue // the value was the same, or taken
		}
		o := options()
		o.ReadOnly, o.Doubt = true, nil
		s, err := store.OpenSQLite(changed, o)
		if err != nil {
			t.Fatal(err)
		}
		named, err := s.Named(ctx)
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		if r := verified(t, s); r.OK && !named.OK {
			t.Errorf("%s: proven, and yet %+v", script, named.Faults)
		}
		s.Close()
		if !named.OK {
			faulty++
		}
	}
	if faulty < len(scripts)/3 {
		t.Errorf("only %d of %d changes are faults", faulty, len(scripts))
	}
	t.Logf("%d of %d changes are faults", faulty, len(scripts))
}

// changes runs a statement behind the store's back, and reports whether it
// changed anything.
func changes(t *testing.T, dir, script string) bool {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(dir, "giro.db"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := sqlitex.ExecuteTransient(c, "PRAGMA ignore_check_constraints = ON", nil); err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(c, script, nil)
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultOK:
		return c.Changes() > 0
	case sqlite.ResultConstraint:
		return false
	}
	t.Fatalf("%s: %v", script, err)
	return false
}

// TestReadersGoOnWhereTheyAre: each piece is taken once, and whoever has it goes
// on with the next, which costs no balances to be looked up.
func TestReadersGoOnWhereTheyAre(t *testing.T) {
	t.Parallel()
	for pieces := range 40 {
		after := store.Turns(pieces)
		taken := map[int]bool{}
		at, jumps := [3]int{-1, -1, -1}, 0
		for left := len(at); left > 0; {
			for i := range at {
				if at[i] == pieces {
					continue
				}
				next := after(at[i])
				switch {
				case next < 0:
					at[i] = pieces
					left--
					continue
				case taken[next]:
					t.Fatalf("piece %d of %d was taken twice", next, pieces)
				case next != at[i]+1:
					jumps++
				}
				taken[next], at[i] = true, next
			}
		}
		if len(taken) != pieces || jumps > 12 {
			t.Errorf("%d of %d pieces were taken, %d times not the one behind", len(taken), pieces, jumps)
		}
	}
}
