package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"giro"
	"giro/ledger"
	"giro/store"
)

var ctx = context.Background()

// clock is the time of every test store.
var clock = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func options() store.Options {
	return store.Options{Now: func() time.Time { return clock }, Doubt: func(err error) { panic(err) }}
}

// stores opens one of each store; the suite runs on all of them.
var stores = map[string]func(t *testing.T) giro.Store{
	"sqlite": func(t *testing.T) giro.Store { return openSQLite(t, t.TempDir()) },
}

func openSQLite(t *testing.T, dir string) *store.SQLite {
	t.Helper()
	s, err := store.OpenSQLite(dir, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// onAll runs a test on every store.
func onAll(t *testing.T, test func(t *testing.T, s giro.Store)) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// books is one book that a test writes by hand: the store is tested with rows
// that obey the ledger, whoever decides them.
type books struct {
	t        *testing.T
	s        giro.Store
	book     giro.Book
	head     *giro.BookHead
	accounts map[giro.Role]*giro.Account
	written  map[giro.UUID]giro.Movement // as the store has them
	ids      func(time.Time) giro.UUID
	// alter changes what is about to be written; for the tests of refusals.
	alter func(*giro.Writes)
}

func newBooks(t *testing.T, s giro.Store, merchant int64) *books {
	t.Helper()
	k := &books{t: t, s: s, book: giro.BookOf(merchant, false), accounts: map[giro.Role]*giro.Account{}, written: map[giro.UUID]giro.Movement{}, ids: giro.UUIDs()}
	k.head = &giro.BookHead{Book: k.book, Merchant: k.id(), New: true}
	for _, role := range []giro.Role{giro.RoleAvailable, giro.RoleReserved, giro.RoleClearing} {
		k.accounts[role] = &giro.Account{
			ID: k.id(), Book: k.book, Currency: "BRL", Role: role, Name: "sandbox", Negative: role == giro.RoleClearing,
			Created: giro.Micros(clock), Version: 1, New: true,
		}
	}
	return k
}

func (k *books) id() giro.UUID { return k.ids(clock) }

// step is what one batch does to a movement: postings from role to role.
type step struct {
	m     *giro.Movement
	cause string
	parts []part
	event string
}

type part struct {
	debit, credit giro.Role
	amount        int64
}

// write runs one batch and returns its error; the rows in memory are dirty or
// clean afterwards as a store would load them.
func (k *books) write(steps ...step) error {
	k.t.Helper()
	backup := *k.head
	balances := map[giro.Role]int64{}
	for role, a := range k.accounts {
		balances[role] = a.Balance
	}
	restore := func() {
		*k.head = backup
		for role, balance := range balances {
			k.accounts[role].Balance = balance
		}
	}
	keys := &giro.Keys{Books: []giro.Book{k.book}}
	for _, a := range k.accounts {
		keys.Accounts = append(keys.Accounts, a.ID)
	}
	err := k.s.Update(ctx, keys, func(b *giro.Batch) error {
		restore() // it may run again
		w := b.Writes()
		k.head.Dirty = true
		b.PutHead(k.head)
		for _, a := range k.accounts {
			a.Dirty = true
			b.PutAccount(a)
		}
		for _, s := range steps {
			k.apply(b, w, s)
		}
		if k.alter != nil {
			k.alter(w)
		}
		return nil
	})
	if err != nil {
		restore()
		return err
	}
	k.head.New = false
	for _, a := range k.accounts {
		a.New = false
	}
	for _, s := range steps {
		s.m.New = false
		stored := *s.m
		stored.Dirty = false
		k.written[s.m.ID] = stored
	}
	return nil
}

func (k *books) apply(b *giro.Batch, w *giro.Writes, s step) {
	k.t.Helper()
	if s.m.New {
		*k.head.Count(s.m.Kind)++
	}
	if old, ok := k.written[s.m.ID]; ok {
		b.PutMovement(&old)
	}
	s.m.Dirty = true
	b.PutMovement(s.m)
	if len(s.parts) > 0 {
		k.head.Sequence++
		t := ledger.Transaction{
			Book: int64(k.book), Sequence: k.head.Sequence, ID: k.id(), At: giro.Micros(clock) + k.head.Sequence,
			Cause: s.cause, Object: s.m.ID, Currency: string(s.m.Currency),
		}
		for _, p := range s.parts {
			t.Postings = append(t.Postings, ledger.Posting{Debit: k.accounts[p.debit].ID, Credit: k.accounts[p.credit].ID, Amount: p.amount})
		}
		k.head.Hash = ledger.Link(k.head.Hash, &t)
		k.head.LedgerAt = t.At
		w.Transactions = append(w.Transactions, giro.LedgerTransaction{Transaction: t, Kind: s.m.Kind, Hash: k.head.Hash})
		for i, p := range s.parts {
			for side, a := range []*giro.Account{k.accounts[p.debit], k.accounts[p.credit]} {
				amount := p.amount
				if side == 0 {
					amount = -amount
				}
				a.Balance += amount
				w.Entries = append(w.Entries, giro.Entry{Account: a.ID, Sequence: t.Sequence, N: 2*i + side, Amount: amount, Balance: a.Balance, At: t.At})
			}
		}
	}
	k.head.Events++
	w.Events = append(w.Events, giro.Event{
		Book: k.book, Sequence: k.head.Events, ID: k.id(), Type: string(s.m.Kind) + "." + s.event, Object: s.m.ID,
		At: giro.Micros(clock), Data: s.m.AppendJSON(nil),
	})
}

func (k *books) must(steps ...step) {
	k.t.Helper()
	if err := k.write(steps...); err != nil {
		k.t.Fatal(err)
	}
}

// movement returns a new movement, not yet written.
func (k *books) movement(kind giro.Kind, amount int64) *giro.Movement {
	return &giro.Movement{
		ID: k.id(), Book: k.book, Kind: kind, Status: giro.StatusPending, Amount: amount, Currency: "BRL",
		Created: giro.Micros(clock), Updated: giro.Micros(clock), Version: 1,
		Detail: giro.Detail{Rail: "sandbox", Metadata: map[string]string{"order": "n1"}}, New: true,
	}
}

// charge writes a charge that was captured.
func (k *books) charge(amount int64) *giro.Movement {
	k.t.Helper()
	m := k.movement(giro.KindCharge, amount)
	m.Status, m.Captured = giro.StatusSucceeded, amount
	k.must(step{m, "captured", []part{{giro.RoleClearing, giro.RoleAvailable, amount}}, "succeeded"})
	return m
}

// payout writes a payout whose money is reserved.
func (k *books) payout(amount int64) *giro.Movement {
	k.t.Helper()
	m := k.movement(giro.KindPayout, amount)
	m.Reserved = amount
	k.must(step{m, "reserved", []part{{giro.RoleAvailable, giro.RoleReserved, amount}}, "created"})
	return m
}

// sent completes such a payout.
func (k *books) sent(m *giro.Movement) {
	k.t.Helper()
	m.Reserved, m.Captured, m.Status = 0, m.Amount, giro.StatusSucceeded
	m.Version++
	k.must(step{m, "succeeded", []part{{giro.RoleReserved, giro.RoleClearing, m.Amount}}, "succeeded"})
}

// refund writes a refund that was given back, with its charge.
func (k *books) refund(charge *giro.Movement, amount int64) {
	k.t.Helper()
	m := k.movement(giro.KindRefund, amount)
	m.Parent, m.Captured, m.Status = charge.ID, amount, giro.StatusSucceeded
	charge.Refunded += amount
	charge.Version++
	k.must(
		step{m, "reserved", []part{{giro.RoleAvailable, giro.RoleReserved, amount}}, "created"},
		step{m: charge, event: "updated"},
	)
	m.New, m.Version = false, 2
	k.must(step{m, "succeeded", []part{{giro.RoleReserved, giro.RoleClearing, amount}}, "succeeded"})
}

func (k *books) audit() {
	k.t.Helper()
	report := verified(k.t, k.s)
	if !report.OK || len(report.Faults) > 0 {
		k.t.Fatalf("the books do not add up: %+v", report.Faults)
	}
}

// verified is the report of Verify, which says the same however little it reads
// at once.
func verified(t *testing.T, s giro.Store) *giro.Report {
	t.Helper()
	report, err := s.Verify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := s.(interface {
		VerifyTight(context.Context) (*giro.Report, error)
	}); ok {
		tight, err := s.VerifyTight(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tight, report) {
			t.Fatalf("reading little at once finds %+v, and much %+v", tight, report)
		}
	}
	return report
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 7)
		charge := k.charge(1000)
		payout := k.movement(giro.KindPayout, 300)
		payout.Reference, payout.Customer, payout.Reserved = "order-1", k.id(), 300
		payout.Sent, payout.InDoubt = true, true
		payout.Detail.Recipient = &giro.Party{Name: "Ana"}
		payout.Detail.Destination = k.id()
		k.must(step{payout, "reserved", []part{{giro.RoleAvailable, giro.RoleReserved, 300}}, "created"})

		got, err := s.Movement(ctx, k.book, giro.KindPayout, payout.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := *payout
		want.New, want.Dirty = false, false
		if g, w := fmt.Sprintf("%+v %+v", *got, *got.Detail.Recipient), fmt.Sprintf("%+v %+v", want, *want.Detail.Recipient); stripPointers(g) != stripPointers(w) {
			t.Errorf("the payout reads as\n%s\nand was\n%s", g, w)
		}
		if m, err := s.MovementByReference(ctx, k.book, giro.KindPayout, "order-1"); err != nil || m == nil || m.ID != payout.ID {
			t.Errorf("by reference: %v, %v", m, err)
		}
		for name, read := range map[string]func() (*giro.Movement, error){
			"another kind":      func() (*giro.Movement, error) { return s.Movement(ctx, k.book, giro.KindCharge, payout.ID) },
			"another book":      func() (*giro.Movement, error) { return s.Movement(ctx, k.book+1, giro.KindPayout, payout.ID) },
			"the absent book":   func() (*giro.Movement, error) { return s.Movement(ctx, 0, giro.KindPayout, payout.ID) },
			"another reference": func() (*giro.Movement, error) { return s.MovementByReference(ctx, k.book, giro.KindPayout, "order-2") },
			"no reference":      func() (*giro.Movement, error) { return s.MovementByReference(ctx, k.book, giro.KindCharge, "") },
		} {
			if m, err := read(); m != nil || err != nil {
				t.Errorf("%s: %v, %v; want nothing", name, m, err)
			}
		}
		head, err := s.Head(ctx, k.book)
		if err != nil {
			t.Fatal(err)
		}
		if *head != (giro.BookHead{Book: k.book, Merchant: k.head.Merchant, Sequence: 2, Hash: k.head.Hash, LedgerAt: k.head.LedgerAt, Events: 2, Charges: 1, Payouts: 1}) {
			t.Errorf("head %+v", head)
		}
		if head, err := s.Head(ctx, k.book+1); head != nil || err != nil {
			t.Errorf("head of no book: %v, %v", head, err)
		}
		txs, err := s.LedgerTransactions(ctx, giro.LedgerQuery{Book: k.book, Limit: 10})
		if err != nil || len(txs) != 2 || txs[0].Sequence != 2 || txs[0].Hash != k.head.Hash || txs[0].Kind != giro.KindPayout {
			t.Fatalf("ledger transactions %+v, %v", txs, err)
		}
		if link := ledger.Link(txs[1].Hash, &txs[0].Transaction); link != txs[0].Hash {
			t.Error("the stored ledger transaction has another hash than the written one")
		}
		txs, err = s.LedgerTransactions(ctx, giro.LedgerQuery{Book: k.book, Object: charge.ID, Limit: 10})
		if err != nil || len(txs) != 1 || txs[0].Sequence != 1 {
			t.Errorf("ledger transactions of the charge: %+v, %v", txs, err)
		}
		entries, err := s.Entries(ctx, k.accounts[giro.RoleAvailable].ID, giro.EntryKey{}, 10)
		if err != nil || len(entries) != 2 || entries[0].Balance != 700 || entries[1].Balance != 1000 || entries[0].Amount != -300 {
			t.Fatalf("entries %+v, %v", entries, err)
		}
		entries, err = s.Entries(ctx, entries[0].Account, giro.EntryKey{Sequence: entries[0].Sequence, N: entries[0].N}, 10)
		if err != nil || len(entries) != 1 || entries[0].Sequence != 1 {
			t.Errorf("entries below the first: %+v, %v", entries, err)
		}
		balance, err := s.TrialBalance(ctx, k.book)
		if err != nil || len(balance.Currencies) != 1 || balance.Currencies[0] != (giro.TrialLine{Currency: "BRL", Debits: 1000, Credits: 1000}) || balance.Sequence != 2 || balance.Hash != k.head.Hash {
			t.Errorf("trial balance %+v, %v", balance, err)
		}
		k.audit()
	})
}

// stripPointers removes addresses from a printed value.
func stripPointers(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '0' && i+1 < len(s) && s[i+1] == 'x' {
			for i < len(s) && s[i] != ' ' && s[i] != '}' {
				i++
			}
		}
		if i < len(s) {
			out = append(out, s[i])
		}
	}
	return string(out)
}

func TestAccountsAtAnInstant(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		for range 5 {
			k.charge(100)
		}
		k.payout(50)
		at := giro.Micros(clock)
		for _, c := range []struct{ at, available, sequence int64 }{
			{0, 450, 6}, {at, 0, 0}, {at + 1, 100, 1}, {at + 3, 300, 3}, {at + 5, 500, 5}, {at + 6, 450, 6}, {at + 100, 450, 6},
		} {
			got, sequence, err := s.Accounts(ctx, giro.AccountQuery{Book: k.book, Roles: []giro.Role{giro.RoleAvailable}, At: c.at})
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			if got[0].Balance != c.available || sequence != c.sequence {
				t.Errorf("at +%d µs: %d of sequence %d, want %d of %d", c.at-at, got[0].Balance, sequence, c.available, c.sequence)
			}
		}
		all, _, err := s.Accounts(ctx, giro.AccountQuery{Book: k.book, Limit: 2})
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		rest, _, err := s.Accounts(ctx, giro.AccountQuery{Book: k.book, After: all[1].ID})
		if err != nil || len(rest) != 1 {
			t.Fatal(rest, err)
		}
		some, _, err := s.Accounts(ctx, giro.AccountQuery{Book: k.book, IDs: []giro.UUID{rest[0].ID, k.id()}})
		if err != nil || len(some) != 1 || some[0].ID != rest[0].ID {
			t.Error(some, err)
		}
		other := newBooks(t, s, 2)
		other.charge(7)
		both, sequence, err := s.Accounts(ctx, giro.AccountQuery{Book: giro.AllBooks, IDs: []giro.UUID{rest[0].ID, other.accounts[giro.RoleAvailable].ID}})
		if err != nil || len(both) != 2 || sequence != 0 || both[0].Book == both[1].Book {
			t.Error("of every book:", both, sequence, err)
		}
		if none, _, err := s.Accounts(ctx, giro.AccountQuery{Book: k.book, IDs: []giro.UUID{}}); err != nil || len(none) != 0 {
			t.Error("no ids select", none, err)
		}
	})
}

func TestARefusedBatchLeavesNothing(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		k.charge(100)
		refused := giro.Refuse(giro.CodeInsufficientFunds, "", "not enough")
		err := s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error {
			b.PutMovement(k.movement(giro.KindPayout, 5))
			return refused
		})
		if err != error(refused) {
			t.Errorf("got %v, want the decision's own error", err)
		}
		for name, alter := range map[string]func(*giro.Writes){
			"an entry is missing":        func(w *giro.Writes) { w.Entries = w.Entries[1:] },
			"an entry is too much":       func(w *giro.Writes) { w.Entries = append(w.Entries, w.Entries[0]) },
			"an entry's amount differs":  func(w *giro.Writes) { w.Entries[0].Amount-- },
			"an entry's account differs": func(w *giro.Writes) { w.Entries[0].Account = w.Entries[1].Account },
			"a posting's amount differs": func(w *giro.Writes) { w.Transactions[0].Postings[0].Amount++ },
			"a sequence is taken": func(w *giro.Writes) {
				w.Transactions[0].Sequence = 1
				w.Entries[0].Sequence, w.Entries[1].Sequence = 1, 1
			},
			"an event's sequence is taken": func(w *giro.Writes) { w.Events[0].Sequence = 1 },
		} {
			k.alter = alter
			m := k.movement(giro.KindPayout, 5)
			m.Reserved = 5
			if err := k.write(step{m, "reserved", []part{{giro.RoleAvailable, giro.RoleReserved, 5}}, "created"}); err == nil {
				t.Fatalf("%s: written", name)
			}
			if got, err := s.Movement(ctx, k.book, m.Kind, m.ID); got != nil || err != nil {
				t.Errorf("%s: the payout is there: %v, %v", name, got, err)
			}
		}
		k.alter = nil
		k.audit()
		k.payout(5)
		k.audit()
	})
}

// The database itself refuses what no decision may write.
func TestChecksOfTheDatabase(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		k.charge(100)
		first := k.movement(giro.KindCharge, 5)
		first.Reference = "taken"
		k.must(step{m: first, event: "created"})
		for name, change := range map[string]func(*giro.Movement){
			"captured above amount":   func(m *giro.Movement) { m.Captured = m.Amount + 1 },
			"refunded above captured": func(m *giro.Movement) { m.Refunded = 1 },
			"negative refund":         func(m *giro.Movement) { m.Refunded = -1 },
			"negative reservation":    func(m *giro.Movement) { m.Reserved = -1 },
			"unknown status":          func(m *giro.Movement) { m.Status = "done" },
			"unknown kind":            func(m *giro.Movement) { m.Kind = "gift" },
			"reference of another":    func(m *giro.Movement) { m.Reference = "taken" },
		} {
			m := k.movement(giro.KindCharge, 5)
			change(m)
			if err := s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error { b.PutMovement(m); return nil }); err == nil {
				t.Errorf("%s: written", name)
			}
		}
		below := *k.accounts[giro.RoleAvailable]
		below.Balance, below.Dirty = -1, true
		if err := s.Update(ctx, &giro.Keys{Accounts: []giro.UUID{below.ID}}, func(b *giro.Batch) error { b.PutAccount(&below); return nil }); err == nil {
			t.Error("an account below its floor: written")
		}
		lost := below
		lost.ID, lost.Balance, lost.New = k.id(), 0, false
		if err := s.Update(ctx, &giro.Keys{Accounts: []giro.UUID{lost.ID}}, func(b *giro.Batch) error { b.PutAccount(&lost); return nil }); err == nil {
			t.Error("an update of a row that does not exist: written")
		}
		k.audit()
	})
}

func TestListsWalkInOrder(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		customer := k.id()
		var ids []giro.UUID
		for i := range 12 {
			m := k.movement(giro.KindCharge, int64(100-i))
			m.Created, m.Updated = giro.Micros(clock)+int64(i), giro.Micros(clock)+int64(i%3)
			if i%2 == 0 {
				m.Customer, m.Status = customer, giro.StatusFailed
			}
			if i%4 == 0 {
				m.Reference = fmt.Sprintf("r%d", i)
			}
			if i == 11 {
				m.Currency = "USD"
			}
			switch i {
			case 5:
				m.Detail.Metadata = map[string]string{"order": `5 "<&> é`, "a \"\\ key.": "x"}
			case 6:
				m.Detail.Wire = json.RawMessage(`{"order":"5","key":"deep"}`)
			case 2, 9:
				m.Detail.FailureCode = fmt.Sprintf(`code "<%d>`, i)
			case 7:
				m.Detail.Metadata = map[string]string{"failure_code": `code "<9>`}
			}
			k.must(step{m: m, event: "created"})
			ids = append(ids, m.ID)
		}
		payout := k.movement(giro.KindPayout, 95)
		k.must(step{m: payout, event: "created"})
		both := []giro.Kind{giro.KindCharge, giro.KindPayout}
		created := func(i int) int64 {
			m, err := s.Movement(ctx, k.book, giro.KindCharge, ids[i])
			if err != nil || m == nil {
				t.Fatal(m, err)
			}
			return m.Created
		}
		ids = append(ids, payout.ID)
		deleted := k.movement(giro.KindCharge, 1)
		deleted.Deleted = true
		k.must(step{m: deleted, event: "deleted"})

		base := giro.MovementQuery{Book: k.book, Kind: giro.KindCharge, Limit: 100}
		index := func(page []*giro.Movement) (at []int) {
			for _, m := range page {
				at = append(at, slices.Index(ids, m.ID))
			}
			return at
		}
		var scanned, sifted, combined giro.UUID
		amounts := func(a, b giro.UUID) *giro.AmountRange {
			r := giro.AmountRange{From: 1 << 60}
			for _, id := range []giro.UUID{a, b} {
				m, err := s.Movement(ctx, k.book, giro.KindCharge, id)
				if err != nil || m == nil {
					t.Fatal(m, err)
				}
				r.From, r.To = min(r.From, m.Amount), max(r.To, m.Amount)
			}
			return &r
		}
		odd := func(m *giro.Movement) bool { return slices.Index(ids, m.ID)%2 == 1 }
		for name, c := range map[string]struct {
			change func(*giro.MovementQuery)
			want   []int
			more   bool
		}{
			"newest first": {func(q *giro.MovementQuery) { q.Limit = 3 }, []int{11, 10, 9}, true},
			"a full page":  {func(q *giro.MovementQuery) { q.Limit = 12 }, []int{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, false},
			"next page":    {func(q *giro.MovementQuery) { q.Limit, q.Before = 3, ids[9] }, []int{8, 7, 6}, true},
			"last page":    {func(q *giro.MovementQuery) { q.Limit, q.Before = 3, ids[2] }, []int{1, 0}, false},
			"oldest first": {func(q *giro.MovementQuery) { q.Limit, q.Ascending, q.Before = 2, true, ids[3] }, []int{4, 5}, true},
			"one status":   {func(q *giro.MovementQuery) { q.Statuses = []giro.Status{giro.StatusFailed} }, []int{10, 8, 6, 4, 2, 0}, false},
			"two statuses": {func(q *giro.MovementQuery) { q.Statuses, q.Limit = []giro.Status{"failed", "pending"}, 2 }, []int{11, 10}, true},
			"statuses, repeated": {func(q *giro.MovementQuery) {
				q.Statuses, q.Skip, q.Limit = []giro.Status{"failed", "pending", "failed"}, 2, 3
			}, []int{9, 8, 7}, true},
			"status and skip": {func(q *giro.MovementQuery) { q.Statuses, q.Skip, q.Limit = []giro.Status{"failed"}, 4, 3 }, []int{2, 0}, false},
			"status by amount": {func(q *giro.MovementQuery) {
				q.Statuses, q.Sort, q.Limit = []giro.Status{"failed", "pending"}, "amount", 2
			}, []int{0, 1}, true},
			"all at once": {func(q *giro.MovementQuery) {
				q.Statuses, q.Currency, q.Customer, q.References, q.Before = []giro.Status{"failed"}, "BRL", customer, []string{"r0", "r4", "r8"}, ids[8]
			}, []int{4, 0}, false},
			"all at once, counted rows": {func(q *giro.MovementQuery) {
				q.Statuses, q.Currency, q.Customer, q.References, q.Before, q.ScanMax = []giro.Status{"failed"}, "BRL", customer, []string{"r0", "r4", "r8"}, ids[8], 5
			}, []int{4, 0}, false},
			"customer and status, counted rows": {func(q *giro.MovementQuery) {
				q.Customer, q.Statuses, q.ScanMax, q.Scanned = customer, []giro.Status{"pending", "failed"}, 4, &combined
			}, []int{10, 8, 6, 4}, true},
			"status and currency, counted rows": {func(q *giro.MovementQuery) {
				q.Statuses, q.Currency, q.ScanMax = []giro.Status{"pending", "failed", "pending"}, "USD", 100
			}, []int{11}, false},
			"status and currency, some rows": {func(q *giro.MovementQuery) {
				q.Statuses, q.Currency, q.ScanMax, q.Ascending = []giro.Status{"pending"}, "USD", 5, true
			}, nil, true},
			"one filter counts no rows": {func(q *giro.MovementQuery) { q.Statuses, q.ScanMax, q.Limit = []giro.Status{"failed"}, 2, 4 }, []int{10, 8, 6, 4}, true},
			"currency":                  {func(q *giro.MovementQuery) { q.Currency = "USD" }, []int{11}, false},
			"customer":                  {func(q *giro.MovementQuery) { q.Customer, q.Limit = customer, 2 }, []int{10, 8}, true},
			"references":                {func(q *giro.MovementQuery) { q.References = []string{"r0", "r8", "r9", ""} }, []int{8, 0}, false},
			"bounds":                    {func(q *giro.MovementQuery) { q.From, q.To = ids[2], ids[4] }, []int{4, 3, 2}, false},
			"another kind":              {func(q *giro.MovementQuery) { q.Kind = giro.KindPayout }, []int{12}, false},
			"two kinds":                 {func(q *giro.MovementQuery) { q.Kinds, q.Limit = both, 3 }, []int{12, 11, 10}, true},
			"two kinds, skip":           {func(q *giro.MovementQuery) { q.Kinds, q.Skip, q.Limit = both, 11, 3 }, []int{1, 0}, false},
			"two kinds by amount": {func(q *giro.MovementQuery) {
				q.Kinds, q.Sort, q.Skip, q.Limit, q.Ascending = both, "amount", 6, 2, true
			}, []int{5, 12}, true},
			"two kinds, oldest": {func(q *giro.MovementQuery) {
				q.Kinds, q.Statuses, q.Skip, q.Limit, q.Ascending = both, []giro.Status{"pending", "failed"}, 11, 3, true
			}, []int{11, 12}, false},
			"created":             {func(q *giro.MovementQuery) { q.Since, q.Until = created(4), created(6) }, []int{6, 5, 4}, false},
			"created, to the µs":  {func(q *giro.MovementQuery) { q.Since, q.Until = created(4)+1, created(6)-1 }, []int{5}, false},
			"by amount":           {func(q *giro.MovementQuery) { q.Sort, q.Limit = "amount", 2 }, []int{0, 1}, true},
			"by amount, upwards":  {func(q *giro.MovementQuery) { q.Sort, q.Limit, q.Ascending = "amount", 2, true }, []int{11, 10}, true},
			"by change":           {func(q *giro.MovementQuery) { q.Sort, q.Limit = "updated", 5 }, []int{11, 8, 5, 2, 10}, true},
			"by status, upwards":  {func(q *giro.MovementQuery) { q.Sort, q.Limit, q.Ascending = "status", 2, true }, []int{0, 2}, true},
			"skip":                {func(q *giro.MovementQuery) { q.Skip, q.Limit = 3, 2 }, []int{8, 7}, true},
			"skip by amount":      {func(q *giro.MovementQuery) { q.Sort, q.Skip, q.Limit = "amount", 10, 5 }, []int{10, 11}, false},
			"match":               {func(q *giro.MovementQuery) { q.Match, q.Limit = odd, 2 }, []int{11, 9}, true},
			"amounts":             {func(q *giro.MovementQuery) { q.Amounts, q.Limit = amounts(ids[3], ids[6]), 3 }, []int{6, 5, 4}, true},
			"amounts, to the end": {func(q *giro.MovementQuery) { q.Amounts, q.Limit = amounts(ids[3], ids[6]), 4 }, []int{6, 5, 4, 3}, false},
			"amounts and skip": {func(q *giro.MovementQuery) {
				q.Amounts, q.Skip, q.Limit, q.Ascending = amounts(ids[3], ids[6]), 1, 2, true
			}, []int{4, 5}, true},
			"amounts and match": {func(q *giro.MovementQuery) {
				q.Amounts, q.Match = amounts(ids[3], ids[6]), odd
			}, []int{5, 3}, false},
			"amounts, by amount": {func(q *giro.MovementQuery) {
				q.Amounts, q.Sort, q.Limit = amounts(ids[3], ids[6]), "amount", 2
			}, []int{3, 4}, true},
			"amounts, scan a part": {func(q *giro.MovementQuery) {
				q.Amounts, q.ScanMax, q.Scanned = amounts(ids[3], ids[6]), 7, &sifted
			}, []int{6, 5}, true},
			"metadata": {func(q *giro.MovementQuery) { q.Metadata = map[string]string{"order": `5 "<&> é`} }, []int{5}, false},
			"metadata of two": {func(q *giro.MovementQuery) {
				q.Metadata = map[string]string{"order": `5 "<&> é`, "a \"\\ key.": "x"}
			}, []int{5}, false},
			"metadata, both": {func(q *giro.MovementQuery) {
				q.Metadata = map[string]string{"order": `5 "<&> é`, "a \"\\ key.": "y"}
			}, nil, false},
			"metadata, elsewhere": {func(q *giro.MovementQuery) { q.Metadata = map[string]string{"key": "deep"} }, nil, false},
			"metadata, none":      {func(q *giro.MovementQuery) { q.Metadata = map[string]string{"order": ""} }, nil, false},
			"members": {func(q *giro.MovementQuery) {
				codes := []string{`code "<2>`, `code "<9>`}
				q.Members = map[string][]string{"failure_code": codes}
				q.Match = func(m *giro.Movement) bool {
					if m.Detail.FailureCode == "" && m.Detail.Metadata == nil {
						t.Errorf("read what has none of the texts")
					}
					return slices.Contains(codes, m.Detail.FailureCode)
				}
			}, []int{9, 2}, false},
			"match, the last":     {func(q *giro.MovementQuery) { q.Match, q.Limit = odd, 6 }, []int{11, 9, 7, 5, 3, 1}, false},
			"match and skip":      {func(q *giro.MovementQuery) { q.Match, q.Skip, q.Limit = odd, 2, 2 }, []int{7, 5}, true},
			"match, scan exactly": {func(q *giro.MovementQuery) { q.Match, q.ScanMax = odd, 12 }, []int{11, 9, 7, 5, 3, 1}, false},
			"match, scan a part":  {func(q *giro.MovementQuery) { q.Match, q.ScanMax, q.Scanned = odd, 4, &scanned }, []int{11, 9}, true},
		} {
			q := base
			c.change(&q)
			page, more, err := s.Movements(ctx, q)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := index(page); !slices.Equal(got, c.want) || more != c.more {
				t.Errorf("%s: %v, more %v; want %v, %v", name, got, more, c.want, c.more)
			}
		}
		if scanned != ids[8] {
			t.Errorf("scanned to %d, want 8", slices.Index(ids, scanned))
		}
		if combined != ids[4] {
			t.Errorf("looked at the customer's to %d, want 4", slices.Index(ids, combined))
		}
		if sifted != ids[5] {
			t.Errorf("looked at the amounts to %d, want 5", slices.Index(ids, sifted))
		}
		for _, limit := range []int64{5, 12, 50} {
			n, err := s.CountMovements(ctx, base, limit)
			if err != nil || n != min(limit, 12) {
				t.Errorf("counted %d up to %d, %v", n, limit, err)
			}
		}
		q := base
		q.Match = odd
		if n, err := s.CountMovements(ctx, q, 50); err != nil || n != 6 {
			t.Errorf("counted %d matches, %v", n, err)
		}
		q = base
		q.Amounts, q.Limit = amounts(ids[3], ids[6]), 0
		for limit, want := range map[int64]int64{3: 3, 50: 4} {
			if n, err := s.CountMovements(ctx, q, limit); err != nil || n != want {
				t.Errorf("counted %d of these amounts up to %d, %v", n, limit, err)
			}
		}
		q.ScanMax, q.Scanned, scanned = 7, &scanned, giro.UUID{}
		if n, err := s.CountMovements(ctx, q, 50); err != nil || n != 2 || scanned != ids[5] {
			t.Errorf("counted %d of these amounts to %d, %v", n, slices.Index(ids, scanned), err)
		}
		q = base
		q.Sort = "id; DROP TABLE movement"
		if _, _, err := s.Movements(ctx, q); err == nil {
			t.Error("an unknown order was accepted")
		}
	})
}

func TestReceivedTransfersAreListed(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		receiver := giro.BookOf(2, false)
		var ids []giro.UUID
		for i := range 4 {
			m := k.movement(giro.KindTransfer, 5)
			if i%2 == 0 {
				m.Peer = receiver
			}
			k.must(step{m: m, event: "created"})
			ids = append(ids, m.ID)
		}
		page, more, err := s.Movements(ctx, giro.MovementQuery{Book: receiver, Kind: giro.KindTransfer, Limit: 5})
		if err != nil || more || len(page) != 2 || page[0].ID != ids[2] || page[1].ID != ids[0] {
			t.Errorf("the receiver lists %v, %v, %v", page, more, err)
		}
		for status, want := range map[giro.Status]int{giro.StatusPending: 2, giro.StatusFailed: 0} {
			for _, most := range []int{0, 2} {
				q := giro.MovementQuery{Book: receiver, Kind: giro.KindTransfer, Statuses: []giro.Status{status, giro.StatusOnHold}, Limit: 5, ScanMax: most}
				page, more, err := s.Movements(ctx, q)
				n, failed := s.CountMovements(ctx, q, 5)
				if err != nil || failed != nil || more || len(page) != want || n != int64(want) {
					t.Errorf("the receiver lists %d that are %s and counts %d, more %v, %v, %v", len(page), status, n, more, err, failed)
				}
			}
		}
		page, more, err = s.Movements(ctx, giro.MovementQuery{Book: receiver, Kind: giro.KindTransfer, Limit: 5, Skip: 1})
		if err != nil || more || len(page) != 1 || page[0].ID != ids[0] {
			t.Errorf("the receiver's second page: %v, %v, %v", page, more, err)
		}
		page, more, err = s.Movements(ctx, giro.MovementQuery{Book: receiver, Kind: giro.KindTransfer, Limit: 1, Statuses: []giro.Status{"pending", "failed"}})
		if err != nil || !more || len(page) != 1 || page[0].ID != ids[2] {
			t.Errorf("the receiver's pending ones: %v, %v, %v", page, more, err)
		}
		page, _, err = s.Movements(ctx, giro.MovementQuery{Book: k.book, Kind: giro.KindTransfer, Limit: 5})
		if err != nil || len(page) != 4 {
			t.Errorf("the sender lists %v, %v", page, err)
		}
		if m, err := s.Movement(ctx, receiver, giro.KindTransfer, ids[0]); err != nil || m == nil {
			t.Errorf("the receiver reads %v, %v", m, err)
		}
		if m, err := s.Movement(ctx, receiver, giro.KindTransfer, ids[1]); err != nil || m != nil {
			t.Errorf("a stranger reads %v, %v", m, err)
		}
	})
}

func TestEvents(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		charge := k.charge(100)
		payout := k.payout(60)
		k.sent(payout)
		sequences := func(q giro.EventQuery) (found []int64) {
			q.Book = k.book
			events, err := s.Events(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				found = append(found, e.Sequence)
			}
			return found
		}
		for name, c := range map[string]struct {
			q    giro.EventQuery
			want []int64
		}{
			"newest first":   {giro.EventQuery{Limit: 2}, []int64{3, 2}},
			"below":          {giro.EventQuery{Before: 2, Limit: 2}, []int64{1}},
			"from the start": {giro.EventQuery{Ascending: true, Limit: 2}, []int64{1, 2}},
			"after":          {giro.EventQuery{After: 1, Limit: 5}, []int64{2, 3}},
			"one":            {giro.EventQuery{Sequence: 2, Limit: 5}, []int64{2}},
			"of an object":   {giro.EventQuery{Object: payout.ID, Limit: 5}, []int64{3, 2}},
			"of a type":      {giro.EventQuery{Types: []string{"payout.created"}, Limit: 5}, []int64{2}},
			"of types":       {giro.EventQuery{Types: []string{"charge.*", "payout.created"}, Limit: 5}, []int64{2, 1}},
			"of all types":   {giro.EventQuery{Types: []string{"*"}, Limit: 5}, []int64{3, 2, 1}},
			"of no type":     {giro.EventQuery{Types: []string{"pay_ut.*"}, Limit: 5}, nil},
		} {
			if got := sequences(c.q); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		events, err := s.Events(ctx, giro.EventQuery{Book: k.book, Sequence: 1, Limit: 1})
		if err != nil || events[0].Object != charge.ID || string(events[0].Data) != string(charge.AppendJSON(nil)) || events[0].Type != "charge.succeeded" {
			t.Errorf("%+v, %v", events, err)
		}
	})
}

// TestLongReadsTakeTurns: a list that is sorted as a whole, or whose page stands far
// down, waits for the one before it, and no other list does.
func TestLongReadsTakeTurns(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		release := s.(interface{ HoldLong() func() }).HoldLong()
		long := map[string]giro.MovementQuery{
			"sorted by amount": {Sort: "amount"},
			"far down":         {Skip: 20_001, Limit: 10},
			"far down, sifted": {Skip: 20_001, Limit: 10, Members: map[string][]string{"method": {"pix"}}, Match: func(*giro.Movement) bool { return true }},
		}
		list := func(q giro.MovementQuery, within time.Duration) error {
			q.Book, q.Kind = 2, giro.KindPayout
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			_, _, err := s.Movements(ctx, q)
			return err
		}
		for name, q := range long {
			if err := list(q, 20*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: did not wait: %v", name, err)
			}
		}
		if err := list(giro.MovementQuery{Skip: 20_000, Limit: 10}, time.Minute); err != nil {
			t.Error(err)
		}
		release()
		for name, q := range long {
			if err := list(q, time.Minute); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDocuments(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		ids := giro.UUIDs()
		put := func(d giro.StoredDocument) error {
			return s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error {
				w := b.Writes()
				w.Documents = append(w.Documents, &d)
				return nil
			})
		}
		parent := ids(clock)
		var docs []giro.StoredDocument
		for i := range 4 {
			d := giro.StoredDocument{Kind: giro.DocSource, ID: ids(clock), Book: giro.Book(2 + i%2), Version: 1, Created: 5, Updated: 6, Data: []byte(`{"n":1}`)}
			if i < 2 {
				d.Parent = parent
				d.Lookup = fmt.Sprintf("key-%d", i)
			}
			if err := put(d); err != nil {
				t.Fatal(err)
			}
			docs = append(docs, d)
		}
		got, err := s.DocumentByLookup(ctx, giro.DocSource, "key-1")
		if err != nil || got == nil || fmt.Sprint(*got) != fmt.Sprint(docs[1]) {
			t.Errorf("%+v, %v", got, err)
		}
		for _, lookup := range []string{"key-9", ""} {
			if got, err := s.DocumentByLookup(ctx, giro.DocSource, lookup); got != nil || err != nil {
				t.Errorf("lookup %q: %v, %v", lookup, got, err)
			}
		}
		for name, c := range map[string]struct {
			q    giro.DocumentQuery
			want []int
		}{
			"of a book":     {giro.DocumentQuery{Kind: giro.DocSource, Book: 2, Limit: 9}, []int{2, 0}},
			"of every book": {giro.DocumentQuery{Kind: giro.DocSource, Book: giro.AllBooks, Limit: 3}, []int{3, 2, 1}},
			"below":         {giro.DocumentQuery{Kind: giro.DocSource, Book: giro.AllBooks, Before: docs[2].ID, Limit: 9}, []int{1, 0}},
			"above":         {giro.DocumentQuery{Kind: giro.DocSource, Book: giro.AllBooks, Before: docs[2].ID, Ascending: true, Limit: 9}, []int{3}},
			"of a parent":   {giro.DocumentQuery{Kind: giro.DocSource, Book: giro.AllBooks, Parent: parent, Limit: 9}, []int{1, 0}},
			"of a kind":     {giro.DocumentQuery{Kind: giro.DocKey, Book: giro.AllBooks, Limit: 9}, nil},
		} {
			found, err := s.Documents(ctx, c.q)
			if err != nil {
				t.Fatal(err)
			}
			var at []int
			for _, d := range found {
				at = append(at, slices.IndexFunc(docs, func(o giro.StoredDocument) bool { return o.ID == d.ID }))
			}
			if !slices.Equal(at, c.want) {
				t.Errorf("%s: %v, want %v", name, at, c.want)
			}
		}
		thief := docs[2]
		thief.Lookup = "key-0"
		if err := put(thief); err == nil {
			t.Error("two documents share a lookup")
		}
		if d, err := s.Document(ctx, giro.DocSource, docs[0].ID); err != nil || d == nil {
			t.Errorf("the lookup's owner is gone: %v, %v", d, err)
		}
		changed := docs[0]
		changed.Version, changed.Data, changed.Lookup = 2, []byte(`{"n":2}`), ""
		if err := put(changed); err != nil {
			t.Fatal(err)
		}
		if d, err := s.Document(ctx, giro.DocSource, docs[0].ID); err != nil || string(d.Data) != `{"n":2}` || d.Version != 2 {
			t.Errorf("%+v, %v", d, err)
		}
		changed.Gone = true
		if err := put(changed); err != nil {
			t.Fatal(err)
		}
		if d, err := s.Document(ctx, giro.DocSource, docs[0].ID); err != nil || d != nil {
			t.Errorf("a deleted document: %v, %v", d, err)
		}
	})
}

func TestJobs(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		ids := giro.UUIDs()
		owner, other := ids(clock), ids(clock)
		write := func(change func(w *giro.Writes)) {
			t.Helper()
			if err := s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error { change(b.Writes()); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		next := func(want int64) {
			t.Helper()
			if at, err := s.NextJob(ctx); err != nil || at != want {
				t.Errorf("the next job is due at %d, %v; want %d", at, err, want)
			}
		}
		claim := func(owner giro.UUID, now, lease int64, limit int, want ...int64) {
			t.Helper()
			jobs, err := s.ClaimJobs(ctx, owner, now, lease, limit)
			if err != nil {
				t.Fatal(err)
			}
			var due []int64
			for _, j := range jobs {
				due = append(due, j.Due)
				if j.Owner != owner || j.Leased != lease {
					t.Errorf("claimed %+v", j)
				}
			}
			if !slices.Equal(due, want) {
				t.Errorf("claimed the jobs due at %v, want %v", due, want)
			}
		}
		next(0)
		job := func(due int64, book giro.Book) *giro.Job {
			return &giro.Job{JobKey: giro.JobKey{Object: ids(clock), Kind: giro.JobRail}, Book: book, MovementKind: giro.KindPayout, Due: due}
		}
		a, b, c := job(300, 2), job(100, 2), job(200, 4)
		write(func(w *giro.Writes) { w.Jobs = append(w.Jobs, a, b, c, job(-1, 2)) })
		next(100)
		claim(owner, 99, 500, 9)
		claim(owner, 250, 500, 1, 100)
		claim(other, 250, 600, 9, 200)
		claim(owner, 250, 500, 9)
		next(300)
		claim(owner, 500, 900, 9, 100, 300) // the first lease has ended
		next(600)
		again := *c
		again.Due = 700
		write(func(w *giro.Writes) { w.Jobs = append(w.Jobs, &again) })
		next(700) // written anew: no longer leased
		claim(other, 700, 800, 9, 700)
		write(func(w *giro.Writes) { w.DropJobs = append(w.DropJobs, a.JobKey, a.JobKey) })
		write(func(w *giro.Writes) { w.ShiftJobs = []giro.JobShift{{Book: 2, Until: 50, Now: 50, Earlier: 40}} })
		jobs, err := s.Jobs(ctx, 2, 60, 9)
		if err != nil || len(jobs) != 1 || jobs[0].JobKey != b.JobKey || jobs[0].Due != 60 || jobs[0].MovementKind != giro.KindPayout {
			t.Errorf("jobs of the book: %+v, %v", jobs, err)
		}
		write(func(w *giro.Writes) {
			w.DropJobs = append(w.DropJobs, b.JobKey, c.JobKey)
			w.Jobs = append(w.Jobs, b)
		})
		next(100)
	})
}

func TestIdempotencyAndSweep(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		row := giro.Idempotency{Book: 2, Key: "k", Fingerprint: []byte{1}, Members: "amount:1", Executing: true, Owner: giro.UUIDs()(clock), Body: []byte{}, Created: 100}
		put := func(r giro.Idempotency) {
			t.Helper()
			err := s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error {
				w := b.Writes()
				w.Idempotency = append(w.Idempotency, &r)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		put(row)
		row.Executing, row.Status, row.Body, row.Location, row.Kind, row.Object = false, 201, []byte("{}"), "/v1/payouts/x", giro.KindPayout, giro.UUIDs()(clock)
		put(row)
		got, err := s.Idempotency(ctx, 2, "k")
		if err != nil || got == nil || fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", row) {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := s.Idempotency(ctx, 4, "k"); got != nil || err != nil {
			t.Errorf("of another book: %v, %v", got, err)
		}
		old := row
		old.Key, old.Created = "old", 50
		put(old)
		for _, c := range []struct {
			before int64
			limit  int
			want   int
		}{{50, 9, 0}, {101, 1, 1}, {101, 9, 1}} {
			n, err := s.Sweep(ctx, c.before, 0, c.limit)
			if err != nil || n != c.want {
				t.Errorf("swept %d below %d, %v; want %d", n, c.before, err, c.want)
			}
		}
		for _, c := range []struct {
			before int64
			limit  int
			want   int
		}{{giro.Micros(clock), 9, 0}, {giro.Micros(clock) + 1, 2, 2}, {giro.Micros(clock) + 1, 9, 1}} {
			n, err := s.Sweep(ctx, 0, c.before, c.limit)
			if err != nil || n != c.want {
				t.Errorf("swept %d of at most %d batches, %v; want %d", n, c.limit, err, c.want)
			}
		}
		// Keys that began anew do not hide the older ones behind them.
		for _, created := range []int64{10, 200} {
			for i := range 70 {
				again := row
				again.Key, again.Created = fmt.Sprint("again ", i), created
				if created == 10 || i < 66 {
					put(again)
				}
			}
		}
		if n, err := s.Sweep(ctx, 100, 0, 100); err != nil || n != 4 {
			t.Errorf("swept %d, %v; want the 4 that did not begin anew", n, err)
		}
		// An answer that an event holds is kept there alone.
		told := row
		told.Key, told.Body, told.Event = "told", []byte(`{"id":"po_1"}`), 7
		err = s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error {
			w := b.Writes()
			w.Events = append(w.Events, giro.Event{Book: 2, Sequence: 7, ID: giro.UUIDs()(clock), Type: "payout.created", Data: told.Body})
			w.Idempotency = append(w.Idempotency, &told)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err = s.Idempotency(ctx, 2, "told")
		if err != nil || got == nil || fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", told) {
			t.Errorf("%+v, %v", got, err)
		}
		// Every other one is kept as it was, however it is stored.
		for key, body := range map[string]string{
			"bulk":   `{"payouts":[` + strings.Repeat(`{"id":"po_1","object":"payout","amount":2880,"status":"pending"},`, 1000) + "{}]}",
			"sealed": "sealed answer:" + strings.Repeat("7f", 50), "refused": `{"error":{"code":"insufficient_funds"}}`, "odd": "\x01\x02\x03", "none": "",
		} {
			made := row
			made.Key, made.Body = key, []byte(body)
			put(made)
			if got, err := s.Idempotency(ctx, 2, key); err != nil || got == nil || string(got.Body) != body {
				t.Errorf("%s: %+v, %v", key, got, err)
			}
		}
	})
}

func TestSandboxRows(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		r := &giro.SandboxRow{
			Instruction: "po_1-1", Number: 1, Book: 2, Kind: giro.KindPayout, Object: giro.UUIDs()(clock), Submits: 1,
			Verdict: giro.VerdictPending, Code: "slow", Ready: 7, At: 9, New: true,
		}
		put := func() {
			t.Helper()
			if err := s.Update(ctx, &giro.Keys{Sandbox: []string{r.Instruction}}, func(b *giro.Batch) error { b.PutSandbox(r); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		put()
		r.New, r.Dirty, r.Done, r.Absent, r.Lookups, r.Verdict = false, true, true, true, 3, giro.VerdictSucceeded
		put()
		got, err := s.SandboxLog(ctx, 2, 0, 10, false)
		want := *r
		want.Dirty = false
		if err != nil || len(got) != 1 || *got[0] != want {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := s.SandboxLog(ctx, 2, 1, 10, false); err != nil || len(got) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		r.Instruction, r.Number, r.New = "po_2-1", 2, true
		put()
		for newest, want := range map[bool]int64{false: 1, true: 2} {
			if got, err := s.SandboxLog(ctx, 2, 0, 1, newest); err != nil || len(got) != 1 || got[0].Number != want {
				t.Errorf("one line, newest %v: %+v, %v", newest, got, err)
			}
		}
	})
}

func TestUpdateAfterTheCallerLeft(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		gone, cancel := context.WithCancel(ctx)
		m := k.movement(giro.KindCharge, 5)
		err := s.Update(gone, &giro.Keys{}, func(b *giro.Batch) error {
			cancel() // the caller leaves while the batch is being decided
			b.PutMovement(m)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Movement(ctx, k.book, m.Kind, m.ID); got == nil || err != nil {
			t.Errorf("the batch is lost: %v, %v", got, err)
		}
		err = s.Update(gone, &giro.Keys{}, func(*giro.Batch) error { return errors.New("decided") })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a batch of nobody began: %v", err)
		}
	})
}

func TestClosedStore(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		if err := s.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		err := s.Update(ctx, &giro.Keys{}, func(*giro.Batch) error { return nil })
		if !errors.Is(err, giro.ErrClosed) {
			t.Errorf("update: %v", err)
		}
		if err := s.Ping(ctx); !errors.Is(err, giro.ErrClosed) {
			t.Errorf("ping: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
}
