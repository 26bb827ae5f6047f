package store

import (
	"encoding/json"

	"zombiezen.com/go/sqlite"

	"giro"
	"giro/ledger"
	"giro/money"
)

// sqliteProver reads a snapshot for the quick half of Verify. It reads columns
// into memory of its own and makes each text that recurs once.
type sqliteProver struct {
	sqliteAudit
	words words
	last  [32]string // the last word of each column
	blob  []byte
	data  []byte // of the event at hand
}

func newSQLiteProver(c *sqlite.Conn) *sqliteProver {
	return &sqliteProver{sqliteAudit: sqliteAudit{c}, words: words{}, blob: make([]byte, 4096), data: make([]byte, packingSize)}
}

// word reads a text that recurs, most often in the next row.
func (s *sqliteProver) word(r *row) string {
	last := &s.last[r.n]
	if b := r.bytes(&s.blob); string(b) != *last {
		if len(s.words) > 1<<12 {
			clear(s.words)
		}
		*last = s.words.of(b)
	}
	return *last
}

// filled runs a query whose rows fill a page.
func (s *sqliteProver) filled(sql string, bind func(*args), each func(i int, r *row)) (n int, err error) {
	stmt, err := s.c.Prepare(sql)
	if err != nil {
		return 0, err
	}
	bind(&args{stmt: stmt})
	for r := (row{stmt: stmt}); ; n++ {
		more, err := stmt.Step()
		if err != nil {
			stmt.Reset()
			return 0, err
		}
		if !more {
			return n, stmt.Reset()
		}
		r.n = 0
		each(n, &r)
	}
}

func (s *sqliteProver) accountPage(page []pageAccount, first giro.UUID) (int, error) {
	return s.filled("SELECT id, "+placeColumns+", balance, negative, metadata FROM account WHERE id >= +? ORDER BY id LIMIT +?",
		func(a *args) { a.id(first).int(int64(len(page))) },
		func(i int, r *row) {
			page[i] = pageAccount{id: r.id(), place: s.place(r), balance: r.int(), negative: r.bool(), damaged: !mapOfTexts(r.bytes(&s.blob))}
		})
}

func (s *sqliteProver) place(r *row) place {
	at := place{book: giro.Book(r.int()), currency: money.Currency(s.word(r)), role: giro.Role(s.word(r))}
	if name := r.bytes(&s.blob); at.role == giro.RoleClearing {
		at.name = string(name)
	}
	return at
}

func (s *sqliteProver) places(ids []giro.UUID, each func(giro.UUID, place)) error {
	for _, id := range ids {
		_, err := s.filled("SELECT "+placeColumns+" FROM account WHERE id = +?",
			func(a *args) { a.id(id) },
			func(_ int, r *row) { each(id, s.place(r)) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sqliteProver) balancesBefore(ids []giro.UUID, sequence int64, each func(giro.UUID, int64)) error {
	for _, id := range ids {
		_, err := s.filled("SELECT balance FROM entry WHERE account = +? AND sequence < +? ORDER BY sequence DESC, n DESC LIMIT 1",
			func(a *args) { a.id(id).int(sequence) },
			func(_ int, r *row) { each(id, r.int()) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sqliteProver) everyEntry(each func(*giro.Entry) error) error {
	var e giro.Entry
	return query(s.c, "SELECT "+entryColumns+" FROM entry", nil, func(r *row) error {
		e = r.entry()
		return each(&e)
	})
}

// mapOfTexts reports whether stored metadata can be read.
func mapOfTexts(data []byte) bool {
	var texts map[string]string
	return string(data) == "{}" || json.Unmarshal(data, &texts) == nil
}

func (s *sqliteProver) movementPage(page []pageMovement, book giro.Book, kind giro.Kind, first, last giro.UUID) (int, error) {
	return s.filled("SELECT id, status, deleted, amount, amount_captured, amount_refunded, fee, reserved, currency, created, updated, parent, peer, detail"+
		" FROM movement WHERE book = +? AND kind = +? AND id >= +? AND id <= +? ORDER BY id LIMIT +?",
		func(a *args) { a.int(int64(book)).text(string(kind)).id(first).id(last).int(int64(len(page))) },
		func(i int, r *row) {
			m := &page[i]
			m.Movement = giro.Movement{
				Book: book, Kind: kind, ID: r.id(), Status: giro.Status(s.word(r)), Deleted: r.bool(),
				Amount: r.int(), Captured: r.int(), Refunded: r.int(), Fee: r.int(), Reserved: r.int(), Currency: money.Currency(s.word(r)),
				Created: r.int(), Updated: r.int(), Parent: r.id(), Peer: giro.Book(r.int()),
			}
			m.damaged = giro.DecodeDetailCore(r.bytes(&s.blob), &m.Detail) != nil
		})
}

func (s *sqliteProver) transactionPage(page []pageTransaction, book giro.Book, first, last int64) (int, error) {
	return s.filled("SELECT "+transactionColumns+", debits, credits FROM ledger_transaction WHERE book = +? AND sequence >= +? AND sequence <= +? ORDER BY sequence LIMIT +?",
		func(a *args) { a.int(int64(book)).int(first).int(last).int(int64(len(page))) },
		func(i int, r *row) {
			t := &page[i]
			t.Book, t.Sequence, t.ID, t.At, t.Cause, t.Object = r.int(), r.int(), r.id(), r.int(), s.word(r), r.id()
			t.Kind, t.Currency = giro.Kind(s.word(r)), s.word(r)
			var err error
			t.Postings, err = ledger.DecodePostings(t.Postings[:0], r.bytes(&s.blob))
			t.Hash, t.damaged, t.sides = r.hash(), err != nil, sides{r.int(), r.int()}
		})
}

func (s *sqliteProver) eventPage(page []pageEvent, book giro.Book, first, last int64) (int, error) {
	return s.filled("SELECT sequence, at, object, data FROM event WHERE book = +? AND sequence >= +? AND sequence <= +? ORDER BY sequence LIMIT +?",
		func(a *args) { a.int(int64(book)).int(first).int(last).int(int64(len(page))) },
		func(i int, r *row) {
			e := &page[i]
			e.sequence, e.at, e.object = r.int(), r.int(), r.id()
			e.show(s.data, r.bytes(&s.blob))
		})
}

// value reads one number; false: there is no row.
func (s *sqliteProver) value(sql string, book giro.Book, sequence int64) (v int64, ok bool, err error) {
	err = query(s.c, sql, func(a *args) { a.int(int64(book)).int(sequence) }, func(r *row) error { v, ok = r.int(), true; return nil })
	return v, ok, err
}

func (s *sqliteProver) transactionAt(book giro.Book, sequence int64) (int64, bool, error) {
	return s.value("SELECT at FROM ledger_transaction WHERE book = +? AND sequence = +?", book, sequence)
}

func (s *sqliteProver) eventAt(book giro.Book, sequence int64) (int64, bool, error) {
	return s.value("SELECT at FROM event WHERE book = +? AND sequence = +?", book, sequence)
}

func (s *sqliteProver) otherKinds(book giro.Book) (found bool, err error) {
	err = query(s.c, otherKinds("?1"), func(a *args) { a.int(int64(book)) }, func(r *row) error { found = r.bool(); return nil })
	return found, err
}

func (s *sqliteProver) movementsOf(book giro.Book, kinds []giro.Kind, ids []giro.UUID) (found []auditedMovement, err error) {
	for _, id := range ids {
		for _, kind := range kinds {
			err := query(s.c, "SELECT "+movementColumns+" FROM movement WHERE book = +? AND kind = +? AND id = +?",
				func(a *args) { a.int(int64(book)).text(string(kind)).id(id) },
				func(r *row) error {
					m, err := r.movement()
					found = append(found, auditedMovement{Movement: m, err: err})
					return nil
				})
			if err != nil {
				return nil, err
			}
		}
	}
	for i := range found {
		if err := s.related(&found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s *sqliteProver) receivedBy(book giro.Book, kind giro.Kind, ids []giro.UUID) (found []giro.UUID, err error) {
	for _, id := range ids {
		err := query(s.c, "SELECT id FROM movement INDEXED BY movement_peer WHERE peer = +? AND peer <> 0 AND kind = +? AND id = +?",
			func(a *args) { a.int(int64(book)).text(string(kind)).id(id) },
			func(r *row) error { found = append(found, r.id()); return nil })
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
