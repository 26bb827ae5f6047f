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
}

func newPostgresProver(ctx context.Context, tx pgx.Tx) *postgresProver {
	return &postgresProver{postgresAudit: postgresAudit{ctx, tx}, words: map[string]string{}}
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
	rows, err := p.tx.Query(p.ctx, sql, append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, arguments...)...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		if n == 0 && rows.FieldDescriptions()[0].Format != pgx.BinaryFormatCode {
			return 0, unsound("the connection brings rows as text")
		}
		each(n, &raw{rows.RawValues(), p.words})
	}
	return n, rows.Err()
}

func (p *postgresProver) accountPage(page []pageAccount, first, last giro.UUID) (int, error) {
	return p.filled(func(i int, r *raw) {
		a := &page[i]
		a.id, a.book, a.currency, a.role = r.id(), giro.Book(r.int()), money.Currency(r.word()), giro.Role(r.word())
		a.balance, a.negative, a.name = r.int(), r.bool(), ""
		if name := r.bytes(); a.role == giro.RoleClearing {
			a.name = string(name)
		}
		a.damaged = !mapOfTexts(r.bytes())
	}, "SELECT id, book, currency, role, balance, negative, name, metadata FROM account WHERE id >= $1 AND id <= $2 ORDER BY id LIMIT $3",
		all16(first), all16(last), len(page))
}

// all16 is an id as an argument, of which zero is not the absent one.
func all16(u giro.UUID) [16]byte { return u }

func (p *postgresProver) entryPage(page []giro.Entry, account giro.UUID, after giro.EntryKey, last giro.UUID) (int, error) {
	return p.filled(func(i int, r *raw) {
		page[i] = giro.Entry{Account: r.id(), Sequence: r.int(), N: int(r.int()), Amount: r.int(), Balance: r.int(), At: r.int()}
	}, "SELECT "+pgEntryColumns+" FROM entry WHERE (account, sequence, n) > ($1, $2::bigint, $3::bigint) AND account <= $4 ORDER BY account, sequence, n LIMIT $5",
		all16(account), after.Sequence, int64(after.N), all16(last), len(page))
}

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
		t.Book, t.Sequence, t.ID, t.At, t.Cause, t.Object = r.int(), r.int(), r.id(), r.int(), r.word(), r.id()
		t.Kind, t.Currency = giro.Kind(r.word()), r.word()
		var err error
		t.Postings, err = ledger.DecodePostings(t.Postings[:0], r.bytes())
		t.damaged = copy(t.Hash[:], r.bytes()) != len(t.Hash) || err != nil
		t.sides = sides{r.int(), r.int()}
	}, "SELECT "+pgTransactionColumns+", debits, credits FROM ledger_transaction WHERE book = $1 AND sequence >= $2 AND sequence <= $3 ORDER BY sequence LIMIT $4",
		int64(book), first, last, len(page))
}

func (p *postgresProver) eventPage(page []pageEvent, book giro.Book, first, last int64) (int, error) {
	return p.filled(func(i int, r *raw) {
		e := &page[i]
		e.sequence, e.at, e.object = r.int(), r.int(), r.id()
		e.size = copy(e.begin[:], r.bytes())
	}, "SELECT sequence, at, object, substr(data, 1, $5) FROM event WHERE book = $1 AND sequence >= $2 AND sequence <= $3 ORDER BY sequence LIMIT $4",
		int64(book), first, last, len(page), showsWithin)
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

func (p *postgresProver) movementsOf(book giro.Book, ids []giro.UUID) (found []auditedMovement, err error) {
	err = stream(p.postgresAudit, scanMovement, func(m *giro.Movement, err error) error {
		found = append(found, auditedMovement{Movement: m, err: err})
		return nil
	}, "SELECT "+pgMovementColumns+" FROM movement WHERE book = $1 AND kind = ANY($2) AND id = ANY($3::uuid[])",
		int64(book), []string{"charge", "payout", "refund", "transfer"}, column(ids, func(u giro.UUID) uuid { return uuid(u) }))
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
