package store

import (
	"encoding/json"
	"fmt"

	"zombiezen.com/go/sqlite"

	"giro"
	"giro/ledger"
	"giro/money"
)

// args binds a statement's parameters in order.
type args struct {
	stmt *sqlite.Stmt
	n    int
}

func (a *args) int(v int64) *args {
	a.n++
	a.stmt.BindInt64(a.n, v)
	return a
}

func (a *args) bool(v bool) *args {
	a.n++
	a.stmt.BindBool(a.n, v)
	return a
}

func (a *args) text(v string) *args {
	a.n++
	a.stmt.BindText(a.n, v)
	return a
}

func (a *args) blob(v []byte) *args {
	a.n++
	a.stmt.BindBytes(a.n, v)
	return a
}

func (a *args) id(v giro.UUID) *args { return a.blob(v[:]) }

// orNull binds NULL for the absent id.
func (a *args) orNull(v giro.UUID) *args {
	if v.IsZero() {
		a.n++
		a.stmt.BindNull(a.n)
		return a
	}
	return a.blob(v[:])
}

// row reads a result's columns in order.
type row struct {
	stmt *sqlite.Stmt
	n    int
}

func (r *row) int() int64 {
	v := r.stmt.ColumnInt64(r.n)
	r.n++
	return v
}

func (r *row) bool() bool { return r.int() != 0 }

func (r *row) text() string {
	v := r.stmt.ColumnText(r.n)
	r.n++
	return v
}

func (r *row) blob() []byte {
	v := make([]byte, r.stmt.ColumnLen(r.n))
	r.stmt.ColumnBytes(r.n, v)
	r.n++
	return v
}

// bytes reads a blob or text into a buffer, which grows where it has to: what it
// returns is valid until the next one.
func (r *row) bytes(buffer *[]byte) []byte {
	n := r.stmt.ColumnBytes(r.n, *buffer)
	if n == len(*buffer) { // or more
		*buffer = make([]byte, 2*r.stmt.ColumnLen(r.n)+1)
		n = r.stmt.ColumnBytes(r.n, *buffer)
	}
	r.n++
	return (*buffer)[:n]
}

// id reads an id; NULL is the absent one.
func (r *row) id() (v giro.UUID) {
	r.stmt.ColumnBytes(r.n, v[:])
	r.n++
	return v
}

func (r *row) hash() (v [32]byte) {
	r.stmt.ColumnBytes(r.n, v[:])
	r.n++
	return v
}

// query runs a cached statement and hands each row to each, which keeps nothing
// of it and may stop it with an error. Statements of one text do not nest.
func query(c *sqlite.Conn, sql string, bind func(*args), each func(*row) error) error {
	stmt, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	if bind != nil {
		bind(&args{stmt: stmt})
	}
	r := &row{stmt: stmt} // one for all: nobody keeps it
	for {
		more, err := stmt.Step()
		if err != nil {
			stmt.Reset()
			return err
		}
		if !more {
			return stmt.Reset()
		}
		r.n = 0
		err = each(r)
		if err != nil {
			stmt.Reset()
			return err
		}
	}
}

// exec runs a cached statement that returns no rows.
func exec(c *sqlite.Conn, sql string, bind func(*args)) error {
	return query(c, sql, bind, func(*row) error { return nil })
}

const headColumns = "book, merchant, sequence, hash, ledger_at, events, charges, refunds, payouts, transfers, clock, clock_floor, wiping, wiped"

func (r *row) head() *giro.BookHead {
	return &giro.BookHead{
		Book: giro.Book(r.int()), Merchant: r.id(), Sequence: r.int(), Hash: r.hash(), LedgerAt: r.int(), Events: r.int(),
		Charges: r.int(), Refunds: r.int(), Payouts: r.int(), Transfers: r.int(), Clock: giro.Clock{Ahead: r.int(), Floor: r.int()}, Wiping: r.int(), Wiped: r.int(),
	}
}

const accountColumns = "id, book, currency, role, parent, name, balance, negative, closed, created, version, metadata"

func (r *row) account() (*giro.Account, error) {
	a := &giro.Account{
		ID: r.id(), Book: giro.Book(r.int()), Currency: money.Currency(r.text()), Role: giro.Role(r.text()), Parent: r.id(),
		Name: r.text(), Balance: r.int(), Negative: r.bool(), Closed: r.bool(), Created: r.int(), Version: r.int(),
	}
	metadata := r.text()
	if metadata == "{}" {
		return a, nil
	}
	err := json.Unmarshal([]byte(metadata), &a.Metadata)
	if err != nil {
		return a, fmt.Errorf("metadata of account %s: %w", a.ID, err)
	}
	return a, nil
}

const movementColumns = "id, book, kind, status, sent, in_doubt, deleted, amount, amount_captured, amount_refunded, fee, reserved, currency, created, updated, version, customer, reference, parent, peer, detail"

func (r *row) movement() (*giro.Movement, error) {
	m := &giro.Movement{
		ID: r.id(), Book: giro.Book(r.int()), Kind: giro.Kind(r.text()), Status: giro.Status(r.text()),
		Sent: r.bool(), InDoubt: r.bool(), Deleted: r.bool(),
		Amount: r.int(), Captured: r.int(), Refunded: r.int(), Fee: r.int(), Reserved: r.int(), Currency: money.Currency(r.text()),
		Created: r.int(), Updated: r.int(), Version: r.int(),
		Customer: r.id(), Reference: r.text(), Parent: r.id(), Peer: giro.Book(r.int()),
	}
	err := giro.DecodeDetail(r.blob(), &m.Detail)
	if err != nil {
		return m, fmt.Errorf("detail of %s %s: %w", m.Kind, m.ID, err)
	}
	return m, nil
}

const transactionColumns = "book, sequence, id, at, cause, object, kind, currency, postings, hash"

func (r *row) transaction() (*giro.LedgerTransaction, error) {
	t := &giro.LedgerTransaction{Transaction: ledger.Transaction{
		Book: r.int(), Sequence: r.int(), ID: r.id(), At: r.int(), Cause: r.text(), Object: r.id(),
	}}
	t.Kind = giro.Kind(r.text())
	t.Currency = r.text()
	var err error
	t.Postings, err = ledger.DecodePostings(nil, r.blob())
	t.Hash = r.hash()
	if err != nil {
		return t, fmt.Errorf("ledger transaction %d of book %d: %w", t.Sequence, t.Book, err)
	}
	return t, nil
}

const entryColumns = "account, sequence, n, amount, balance, at"

func (r *row) entry() giro.Entry {
	return giro.Entry{Account: r.id(), Sequence: r.int(), N: int(r.int()), Amount: r.int(), Balance: r.int(), At: r.int()}
}

const eventColumns = "book, sequence, id, type, object, at, data, notice"

func (r *row) event() (*giro.Event, error) {
	e := &giro.Event{Book: giro.Book(r.int()), Sequence: r.int(), ID: r.id(), Type: r.text(), Object: r.id(), At: r.int(), Data: r.blob(), Notice: r.blob()}
	return e, unpackData(e)
}

const idempotencyColumns = "book, key, fingerprint, members, executing, owner, status, body, event, location, kind, object, created"

func (r *row) idempotency() *giro.Idempotency {
	return &giro.Idempotency{
		Book: giro.Book(r.int()), Key: r.text(), Fingerprint: r.blob(), Members: r.text(), Executing: r.bool(), Owner: r.id(),
		Status: int(r.int()), Body: r.blob(), Event: r.int(), Location: r.text(), Kind: giro.Kind(r.text()), Object: r.id(), Created: r.int(),
	}
}

const documentColumns = "kind, id, book, lookup, parent, version, created, updated, data"

func (r *row) document() *giro.StoredDocument {
	return &giro.StoredDocument{
		Kind: giro.DocumentKind(r.text()), ID: r.id(), Book: giro.Book(r.int()), Lookup: r.text(), Parent: r.id(),
		Version: r.int(), Created: r.int(), Updated: r.int(), Data: r.blob(),
	}
}

const sandboxColumns = "instruction, number, book, kind, object, submits, lookups, done, verdict, code, ready, absent, at"

func (r *row) sandbox() *giro.SandboxRow {
	return &giro.SandboxRow{
		Instruction: r.text(), Number: r.int(), Book: giro.Book(r.int()), Kind: giro.Kind(r.text()), Object: r.id(),
		Submits: r.int(), Lookups: r.int(), Done: r.bool(), Verdict: giro.Verdict(r.text()), Code: r.text(),
		Ready: r.int(), Absent: r.bool(), At: r.int(),
	}
}

const jobColumns = "object, kind, book, movement_kind, due"

func (r *row) job() *giro.Job {
	return &giro.Job{
		JobKey: giro.JobKey{Object: r.id(), Kind: giro.JobKind(r.text())},
		Book:   giro.Book(r.int()), MovementKind: giro.Kind(r.text()), Due: r.int(),
	}
}
