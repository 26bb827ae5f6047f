package store

import (
	"context"
	"encoding/binary"

	"github.com/jackc/pgx/v5"

	"giro"
	"giro/ledger"
	"giro/money"
)

// postgresProver reads a snapshot for the quick half of Verify. It takes the
// columns as the protocol brings them, in binary.
type postgresProver struct {
	postgresAudit
	words map[string]string
	data  []byte // of the event at hand
}

func newPostgresProver(ctx context.Context, tx pgx.Tx) *postgresProver {
	return &postgresProver{postgresAudit: postgresAudit{ctx, tx}, words: map[string]string{}, data: make([]byte, packingSize)}
}

// raw reads a row's columns in order; they are valid until the next row.
type raw struct {
	columns [][]byte
	words   map[string]string
}

func (r *raw) bytes() []byte {
	b := r.columns[0]
	r.columns = r.columns[1:]
	return b
}

func (r *raw) int() int64 {
	if b := r.bytes(); len(b) == 8 {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *raw) bool() bool {
	b := r.bytes()
	return len(b) == 1 && b[0] != 0
}

func (r *raw) id() (u giro.UUID) {
	copy(u[:], r.bytes())
	return u
}

// placeColumns are those that place reads, on both databases.
const placeColumns = "book, currency, role, name"

func (r *raw) place() place {
	at := place{book: giro.Book(r.int()), currency: money.Currency(r.word()), role: giro.Role(r.word())}
	if name := r.bytes(); at.role == giro.RoleClearing {
		at.name = string(name)
	}
	return at
}

// word reads a text that recurs, which is made once.
func (r *raw) word() string {
	b := r.bytes()
	if s, known := r.words[string(b)]; known {
		return s
	}
	if len(r.words) > 1<<12 {
		clear(r.words)
	}
	s := string(b)
	r.words[s] = s
	return s
}

// filled runs a query whose rows fill a page.
func (p *postgresProver) filled(each func(i int, r *raw), sql string, arguments ...any) (n int, err error) {
	err = p.run(func(r *raw) error { each(n, r); n++; return nil }, sql, arguments...)
	return n, err
}

// run hands over row by row, without keeping them.
func (p *postgresProver) run(each func(*raw) error, sql string, arguments ...any) error {
	rows, err := p.tx.Query(p.ctx, sql, append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, arguments...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if all := rows.FieldDescriptions(); len(all) > 0 && all[0].Format != pgx.BinaryFormatCode {
		return unsound("the connection brings rows as text")
	}
	for r := (raw{words: p.words}); rows.Next(); {
		r.columns = rows.RawValues()
		if err := each(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *postgresProver) accountPage(page []pageAccount, first giro.UUID) (int, error) {
	return p.filled(func(i int, r *raw) {
		page[i] = pageAccount{id: r.id(), place: r.place(), balance: r.int(), negative: r.bool(), damaged: !mapOfTexts(r.bytes())}
	}, "SELECT id, "+placeColumns+", balance, negative, metadata FROM account WHERE id >= $1 ORDER BY id LIMIT $2", all16(first), len(page))
}

func (p *postgresProver) places(ids []giro.UUID, each func(giro.UUID, place)) error {
	return p.run(func(r *raw) error { each(r.id(), r.place()); return nil },
		"SELECT id, "+placeColumns+" FROM account WHERE id = ANY($1::uuid[])", column(ids, all16))
}

func (p *postgresProver) balancesBefore(ids []giro.UUID, sequence int64, each func(giro.UUID, int64)) error {
	return p.run(func(r *raw) error { each(r.id(), r.int()); return nil },
		`SELECT a.id, e.balance FROM unnest($1::uuid[]) AS a (id) CROSS JOIN LATERAL
			(SELECT balance FROM entry WHERE account = a.id AND sequence < $2 ORDER BY sequence DESC, n DESC LIMIT 1) AS e`,
		column(ids, all16), sequence)
}

// everyEntry reads the table as it lies, which costs a fifth of reading one
// account after the other.
func (p *postgresProver) everyEntry(each func(*giro.Entry) error) error {
	var e giro.Entry
	return p.run(func(r *raw) error {
		e = giro.Entry{Account: r.id(), Sequence: r.int(), N: int(r.int()), Amount: r.int(), Balance: r.int(), At: r.int()}
		return each(&e)
	}, "SELECT "+pgEntryColumns+" FROM entry")
}

// all16 is an id as an argument, of which zero is not the absent one.
func all16(u giro.UUID) [16]byte { return u }

func (p *postgresProver) movementPage(page []pageMovement, book giro.Book, kind giro.Kind, first, last giro.UUID) (int, error) {
	return p.filled(func(i int, r *raw) {
		m := &page[i]
		m.Movement = giro.Movement{
			Book: book, Kind: kind, ID: r.id(), Status: giro.Status(r.word()), Deleted: r.bool(),
			Amount: r.int(), Captured: r.int(), Refunded: r.int(), Fee: r.int(), Reserved: r.int(), Currency: money.Currency(r.word()),
			Created: r.int(), Updated: r.int(), Parent: r.id(), Peer: giro.Book(r.int()),
		}
		m.damaged = giro.DecodeDetailCore(r.bytes(), &m.Detail) != nil
	}, "SELECT id, status, deleted, amount, amount_captured, amount_refunded, fee, reserved, currency, created, updated, parent, peer, detail"+
		" FROM movement WHERE book = $1 AND kind = $2 AND id >= $3 AND id <= $4 ORDER BY id LIMIT $5",
		int64(book), string(kind), all16(first), all16(last), len(page))
}

func (p *postgresProver) transactionPage(page []pageTransaction, book giro.Book, first, last int64) (int, error) {
	return p.filled(func(i int, r *raw) {
		t := &page[i]
		t.Book, t.Sequence, t.ID, t.At, t.Cause, t.Object = int64(book), r.int(), r.id(), r.int(), r.word(), r.id()
		t.Kind, t.Currency = giro.Kind(r.word()), r.word()
		var err error
		t.Postings, err = ledger.DecodePostings(t.Postings[:0], r.bytes())
		t.damaged = copy(t.Hash[:], r.bytes()) != len(t.Hash) || err != nil
		t.sides = sides{r.int(), r.int()}
	}, "SELECT sequence, id, at, cause, object, kind, currency, postings, hash, debits, credits FROM ledger_transaction WHERE book = $1 AND sequence >= $2 AND sequence <= $3 ORDER BY sequence LIMIT $4",
		int64(book), first, last, len(page))
}

func (p *postgresProver) eventPage(page []pageEvent, book giro.Book, first, last int64) (int, error) {
	return p.filled(func(i int, r *raw) {
		e := &page[i]
		e.sequence, e.at, e.object = r.int(), r.int(), r.id()
		e.show(p.data, r.bytes())
	}, "SELECT sequence, at, object, data FROM event WHERE book = $1 AND sequence >= $2 AND sequence <= $3 ORDER BY sequence LIMIT $4",
		int64(book), first, last, len(page))
}

// value reads one number; false: there is no row.
func (p *postgresProver) value(sql string, book giro.Book, sequence int64) (v int64, ok bool, err error) {
	n, err := p.filled(func(_ int, r *raw) { v = r.int() }, sql, int64(book), sequence)
	return v, n > 0, err
}

func (p *postgresProver) transactionAt(book giro.Book, sequence int64) (int64, bool, error) {
	return p.value("SELECT at FROM ledger_transaction WHERE book = $1 AND sequence = $2", book, sequence)
}

func (p *postgresProver) eventAt(book giro.Book, sequence int64) (int64, bool, error) {
	return p.value("SELECT at FROM event WHERE book = $1 AND sequence = $2", book, sequence)
}

func (p *postgresProver) otherKinds(book giro.Book) (found bool, err error) {
	_, err = p.filled(func(_ int, r *raw) { found = r.bool() }, otherKinds("$1"), int64(book))
	return found, err
}

func (p *postgresProver) movementsOf(book giro.Book, kinds []giro.Kind, ids []giro.UUID) (found []auditedMovement, err error) {
	err = stream(p.postgresAudit, scanMovement, func(m *giro.Movement, err error) error {
		found = append(found, auditedMovement{Movement: m, err: err})
		return nil
	}, "SELECT "+pgMovementColumns+" FROM movement WHERE book = $1 AND kind = ANY($2) AND id = ANY($3::uuid[])",
		int64(book), column(kinds, func(k giro.Kind) string { return string(k) }), column(ids, func(u giro.UUID) uuid { return uuid(u) }))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found, p.related(found)
}

func (p *postgresProver) receivedBy(book giro.Book, kind giro.Kind, ids []giro.UUID) (found []giro.UUID, err error) {
	_, err = p.filled(func(_ int, r *raw) { found = append(found, r.id()) },
		"SELECT id FROM movement WHERE peer = $1 AND peer <> 0 AND kind = $2 AND id = ANY($3::uuid[])", int64(book), string(kind), column(ids, func(u giro.UUID) uuid { return uuid(u) }))
	return found, err
}
