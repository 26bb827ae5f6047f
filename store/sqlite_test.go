package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"giro"
	"giro/store"
)

// tamper runs statements on a database behind the store's back.
func tamper(t *testing.T, dir, script string) {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(dir, "giro.db"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, statement := range []string{"PRAGMA ignore_check_constraints = ON", "PRAGMA foreign_keys = OFF", script} {
		if err := sqlitex.ExecuteTransient(c, statement, nil); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if !strings.HasPrefix(script, "PRAGMA") && c.Changes() == 0 {
		t.Fatalf("%s: changes nothing", script)
	}
}

// sound writes books with one of everything and returns their folder.
func sound(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := openSQLite(t, dir)
	k := newBooks(t, s, 1)
	charge := k.charge(1000)
	k.sent(k.payout(200))
	k.payout(50)
	k.refund(charge, 100)
	k.audit()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	data, err := os.ReadFile(filepath.Join(dir, "giro.db"))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "giro.db"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func report(t *testing.T, dir string) *giro.Report {
	t.Helper()
	o := options()
	o.ReadOnly = true
	s, err := store.OpenSQLite(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return verified(t, s)
}

// anyone: the fault belongs to no ledger transaction in particular.
const anyone = int64(-1)

// tamperings change one thing each, in SQLite's words; sequence is what the
// first fault has to name.
var tamperings = []struct {
	script   string
	sequence int64
}{
	{"UPDATE ledger_transaction SET book = 77 WHERE sequence = 3", anyone},
	{"UPDATE ledger_transaction SET sequence = 99 WHERE sequence = 6", 6},
	{"UPDATE ledger_transaction SET id = randomblob(16) WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET at = at + 1 WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET at = 0 WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET cause = 'gift' WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET object = randomblob(16) WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET object = NULL WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET kind = 'refund' WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET kind = 'gift' WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET kind = '' WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET currency = 'USD' WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET debits = debits + 1 WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET credits = credits + 1 WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET postings = CAST(substr(postings, 1, 41) || x'07' AS BLOB) WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET postings = x'00' WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET postings = x'0000' WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET hash = zeroblob(32) WHERE sequence = 3", 3},
	{"UPDATE ledger_transaction SET hash = zeroblob(32) WHERE sequence = 6", 6},
	{"DELETE FROM ledger_transaction WHERE sequence = 3", 3},
	{"DELETE FROM ledger_transaction WHERE sequence = 6", 6},
	{"UPDATE entry SET account = randomblob(16) WHERE sequence = 3 AND n = 0", 3},
	{"UPDATE entry SET sequence = 99 WHERE sequence = 3 AND n = 0", 3},
	{"UPDATE entry SET n = 9 WHERE sequence = 3 AND n = 0", 3},
	{"UPDATE entry SET amount = amount + 1 WHERE sequence = 3 AND n = 0", 3},
	{"UPDATE entry SET balance = balance + 1 WHERE sequence = 3 AND n = 0", 3},
	{"UPDATE entry SET at = at + 1 WHERE sequence = 3 AND n = 0", 3},
	{"UPDATE entry SET balance = balance + 1", 1},
	{"UPDATE entry SET balance = balance + 1 WHERE sequence >= 4", 4},
	{"UPDATE entry SET amount = amount + 1, balance = balance + 1 WHERE sequence = 6", 6},
	{"UPDATE entry SET n = 1 - n WHERE sequence = 3", 3},
	{"DELETE FROM entry WHERE sequence = 6", 6},
	{"INSERT INTO entry (account, sequence, n, amount, balance, at) SELECT account, 99, 0, 0, balance, 0 FROM entry WHERE sequence = 6 AND n = 0", 99},
	{"UPDATE account SET id = randomblob(16) WHERE role = 'available'", 1},
	{"UPDATE account SET book = book + 2 WHERE role = 'available'", 1},
	{"UPDATE account SET currency = 'USD' WHERE role = 'available'", 1},
	{"UPDATE account SET role = 'sub' WHERE role = 'reserved'", anyone},
	{"UPDATE account SET role = 'sub' WHERE role = 'clearing'", anyone},
	{"UPDATE account SET balance = balance + 1 WHERE role = 'available'", 0},
	{"UPDATE account SET balance = -balance WHERE role = 'available'", 0},
	{"UPDATE account SET balance = balance + 4611686018427387904 WHERE role = 'available'", 0},
	{"UPDATE account SET balance = balance + CASE role WHEN 'available' THEN 1 ELSE -1 END WHERE role IN ('available', 'clearing')", 0},
	{"UPDATE account SET metadata = '{' WHERE role = 'available'", 0},
	{"DELETE FROM account WHERE role = 'clearing'", 1},
	{"UPDATE movement SET book = book + 2 WHERE kind = 'charge'", anyone},
	{"UPDATE movement SET kind = 'transfer' WHERE kind = 'charge'", anyone},
	{"UPDATE movement SET id = randomblob(16) WHERE kind = 'charge'", anyone},
	{"UPDATE movement SET status = 'failed' WHERE kind = 'charge'", 1},
	{"UPDATE movement SET status = 'canceled' WHERE kind = 'payout' AND reserved > 0", 4},
	{"UPDATE movement SET amount = amount + 1 WHERE kind = 'charge'", 1},
	{"UPDATE movement SET amount_captured = amount_captured - 1 WHERE kind = 'charge'", 1},
	{"UPDATE movement SET amount_captured = amount_captured + 1 WHERE kind = 'charge'", 1},
	{"UPDATE movement SET amount_refunded = amount_refunded + 1 WHERE kind = 'charge'", 1},
	{"UPDATE movement SET amount_refunded = amount_refunded + 1 WHERE kind = 'refund'", 1},
	{"UPDATE movement SET amount_refunded = -1 WHERE kind = 'refund'", 1},
	{"UPDATE movement SET amount_captured = 0 WHERE kind = 'payout' AND amount_captured > 0", 2},
	{"UPDATE movement SET fee = fee + 1 WHERE kind = 'charge'", 1},
	{"UPDATE movement SET reserved = reserved + 1 WHERE kind = 'charge'", 1},
	{"UPDATE movement SET reserved = 0 WHERE reserved > 0", 4},
	{"UPDATE movement SET currency = 'USD' WHERE kind = 'charge'", 1},
	{"UPDATE movement SET parent = randomblob(16) WHERE kind = 'refund'", anyone},
	{"UPDATE movement SET peer = 9 WHERE kind = 'charge'", anyone},
	{"UPDATE movement SET deleted = 1 WHERE kind = 'charge'", anyone},
	{"UPDATE movement SET detail = '[]' WHERE kind = 'charge'", anyone},
	{"DELETE FROM movement WHERE kind = 'charge'", 1},
	{"UPDATE book SET sequence = sequence - 1", 6},
	{"UPDATE book SET sequence = sequence + 1", 7},
	{"UPDATE book SET hash = zeroblob(32)", 6},
	{"UPDATE book SET ledger_at = ledger_at + 1", 6},
	{"UPDATE book SET events = events + 1", anyone},
	{"UPDATE book SET charges = charges + 1", anyone},
	{"UPDATE book SET refunds = 0", anyone},
	{"UPDATE book SET payouts = 0", anyone},
	{"UPDATE book SET transfers = 1", anyone},
	{"DELETE FROM book", anyone},
	{"DELETE FROM event WHERE sequence = 2", anyone},
	{"DELETE FROM event WHERE sequence = (SELECT max(sequence) FROM event)", anyone},
	{"UPDATE rollup SET n = n + 1 WHERE status = 'succeeded' AND kind = 'payout' AND hour = 0", anyone},
	{"UPDATE rollup SET captured = captured - 1 WHERE kind = 'charge' AND hour > 0", anyone},
	{"UPDATE rollup SET reason = 'declined' WHERE kind = 'refund'", anyone},
	{"DELETE FROM rollup WHERE kind = 'payout'", anyone},
}

func TestVerifyFindsEveryTampering(t *testing.T) {
	t.Parallel()
	dir := sound(t)
	r := report(t, copyOf(t, dir))
	if !r.OK || r.LedgerTransactions != 6 || r.Entries != 12 || r.Movements != 4 {
		t.Fatalf("sound books: %+v", r)
	}
	for _, c := range tamperings {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			changed := copyOf(t, dir)
			tamper(t, changed, c.script)
			r := report(t, changed)
			if r.OK || len(r.Faults) == 0 {
				t.Fatal("not found")
			}
			f := r.Faults[0]
			if c.sequence != anyone && f.Sequence != c.sequence {
				t.Errorf("the first fault names sequence %d, want %d: %+v", f.Sequence, c.sequence, r.Faults)
			}
			named := strings.HasPrefix(f.Merchant, "mer_") || strings.Contains(c.script, "DELETE FROM book")
			if !named || f.Mode != "test" || f.Message == "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestOneProcessWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openSQLite(t, dir)
	if _, err := store.OpenSQLite(dir, options()); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("a second writer: %v", err)
	}
	k := newBooks(t, first, 1)
	k.charge(100)
	o := options()
	o.ReadOnly = true
	reader, err := store.OpenSQLite(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	k.charge(100)
	r, err := reader.Verify(ctx)
	if err != nil || !r.OK || r.Movements != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := reader.Update(ctx, &giro.Keys{}, func(*giro.Batch) error { return nil }); err == nil {
		t.Error("a read-only store wrote")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openSQLite(t, dir)
}

// TestAFileThatIsNoDatabase: the store says so and lets the folder go.
func TestAFileThatIsNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "giro.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s, err := store.OpenSQLite(dir, options()); err == nil || errors.Is(err, store.ErrLocked) {
			s.Close()
			t.Fatalf("error %v", err)
		}
	}
}

func TestReadOnlyOpensOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	o := options()
	o.ReadOnly = true
	dir := t.TempDir()
	if _, err := store.OpenSQLite(dir, o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestReopenBesideAChild: a process that is being started has a copy of each open
// file for a moment, the lock's as well.
func TestReopenBesideAChild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSQLite(t, dir)
	child := exec.CommandContext(t.Context(), "cat")
	child.ExtraFiles = []*os.File{s.Lock()}
	end, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openSQLite(t, dir)
	if err := errors.Join(end.Close(), child.Wait()); err != nil {
		t.Error(err)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSQLite(t, dir)
	k := newBooks(t, s, 1)
	k.charge(100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	k.s = openSQLite(t, dir)
	k.payout(40)
	k.audit()
}

// TestLoadingIsSeenByReaders: commits that are not synced reach everybody all
// the same.
func TestLoadingIsSeenByReaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options()
	o.Loading = true
	s, err := store.OpenSQLite(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	k := newBooks(t, s, 1)
	for range 20 {
		k.sent(k.payout(k.charge(1000).Amount / 10))
		k.audit()
	}
	if r := report(t, dir); !r.OK || r.Movements != 40 {
		t.Errorf("beside the loading store: %+v", r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if r := report(t, dir); !r.OK || r.Movements != 40 {
		t.Errorf("after it: %+v", r)
	}
}

func TestBackupWhileWriting(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, t.TempDir())
	k := newBooks(t, s, 1)
	k.charge(100)
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		for range 30 {
			k.charge(1)
		}
	}()
	to := t.TempDir()
	for i := range 3 {
		dir := filepath.Join(to, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "giro.db")
		if err := s.Backup(ctx, path); err != nil {
			t.Fatal(err)
		}
		if err := s.Backup(ctx, path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a backup over another: %v", err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*.part*")); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	}
	wait.Wait()
	for i := range 3 {
		dir := filepath.Join(to, fmt.Sprint(i))
		restored := openSQLite(t, dir)
		r, err := restored.Verify(ctx)
		if err != nil || !r.OK || r.Movements < 1 {
			t.Errorf("backup %d: %+v, %v", i, r, err)
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	path := filepath.Join(to, "never.db")
	if err := s.Backup(canceled, path); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup that nobody waits for: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it left a file: %v", err)
	}
}

func TestADatabaseOfALaterBinaryOpens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSQLite(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, dir, "INSERT INTO migration (version, name, at) VALUES (900, '0900_later.sql', 0)")
	s = openSQLite(t, dir)
	newBooks(t, s, 1).charge(1)
}

func TestReservedSidesOfBeforeAreRefused(t *testing.T) {
	t.Parallel()
	for _, tampering := range []string{
		"role = 'sub', id = unhex(substr(hex(id), 1, 31) || 'B')",
		"role = 'sub_reserved', id = unhex(substr(hex(id), 1, 12) || '8' || substr(hex(id), 14))",
	} {
		dir := sound(t)
		tamper(t, dir, "UPDATE account SET "+tampering+" WHERE id = (SELECT min(id) FROM account)")
		tamper(t, dir, "DELETE FROM migration WHERE version >= (SELECT version FROM migration WHERE name = '0021_reserved_side.sql')")
		if s, err := store.OpenSQLite(dir, options()); err == nil {
			s.Close()
			t.Errorf("%s: opened", tampering)
		} else if !strings.Contains(err.Error(), "before the first release") {
			t.Errorf("%s: %v", tampering, err)
		}
	}
}

// What the writer knows of an account is what is stored: nothing of a batch that
// was not committed, and a row that somebody else has changed is not written over.
func TestKnownAccountsAreTheStoredOnes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSQLite(t, dir)
	defer s.Close()
	id := giro.UUIDs()(clock)
	keys := &giro.Keys{Accounts: []giro.UUID{id}}
	// add changes the account as a decision does, and returns how it was loaded.
	add := func(amount int64, refusal error) (was giro.Account, err error) {
		err = s.Update(ctx, keys, func(b *giro.Batch) error {
			b.Accounts(func(a *giro.Account) {
				was = *a
				a.Balance, a.Version, a.Dirty = a.Balance+amount, a.Version+1, true
			})
			return refusal
		})
		return was, err
	}
	err := s.Update(ctx, keys, func(b *giro.Batch) error {
		b.PutAccount(&giro.Account{ID: id, Book: 2, Currency: "BRL", Role: giro.RoleSub, Balance: 5, Version: 1, New: true})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	for _, c := range []struct {
		name    string
		before  func()
		amount  int64
		refusal error
		balance int64 // as loaded
		fails   bool
	}{
		{name: "first", amount: 1, balance: 5},
		{name: "refused", amount: 1, refusal: refused, balance: 6, fails: true},
		{name: "below the floor", amount: -7, balance: 6, fails: true},
		{name: "after both", amount: 2, balance: 6},
		{name: "changed by another", before: func() { tamper(t, dir, "UPDATE account SET balance = 50, version = version + 1") }, amount: 1, balance: 8, fails: true},
		{name: "read again", amount: 1, balance: 50},
	} {
		if c.before != nil {
			c.before()
		}
		was, err := add(c.amount, c.refusal)
		if was.Balance != c.balance || (err != nil) != c.fails {
			t.Errorf("%s: loaded with %d (%v), want %d", c.name, was.Balance, err, c.balance)
		}
	}
}

// That there is no such account is known until a batch makes it; one that
// somebody else has made is not written over.
func TestMissingAccountsAreMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSQLite(t, dir)
	defer s.Close()
	newID := giro.UUIDs()
	first, second := newID(clock), newID(clock)
	// batch makes accounts, and returns whether there were the two before.
	batch := func(refusal error, made ...giro.UUID) (was [2]bool, err error) {
		made = append(made, newID(clock)) // a batch that writes nothing is not committed
		err = s.Update(ctx, &giro.Keys{Accounts: []giro.UUID{first, second}}, func(b *giro.Batch) error {
			b.Accounts(func(a *giro.Account) { was[0], was[1] = was[0] || a.ID == first, was[1] || a.ID == second })
			for _, id := range made {
				b.PutAccount(&giro.Account{ID: id, Book: 2, Currency: "BRL", Role: giro.RoleSub, Version: 1, New: true})
			}
			return refusal
		})
		return was, err
	}
	refused := errors.New("refused")
	for _, c := range []struct {
		name    string
		before  func()
		make    []giro.UUID
		refusal error
		were    [2]bool
		fails   bool
	}{
		{name: "none"},
		{name: "refused", make: []giro.UUID{first}, refusal: refused, fails: true},
		{name: "made", make: []giro.UUID{first}},
		{name: "one", were: [2]bool{true, false}},
		{name: "made by another", before: func() {
			tamper(t, dir, fmt.Sprintf("INSERT INTO account SELECT X'%x', book, currency, role, parent, name, balance, negative, closed, created, version, metadata FROM account LIMIT 1", second[:]))
		}, make: []giro.UUID{second}, were: [2]bool{true, false}, fails: true},
		{name: "read again", were: [2]bool{true, true}},
	} {
		if c.before != nil {
			c.before()
		}
		were, err := batch(c.refusal, c.make...)
		if were != c.were || (err != nil) != c.fails {
			t.Errorf("%s: there were %v (%v), want %v", c.name, were, err, c.were)
		}
	}
}
