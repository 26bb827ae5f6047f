package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"giro"
)

// Verify implements giro.Store. It reads one snapshot and holds nobody up.
func (s *SQLite) Verify(ctx context.Context) (*giro.Report, error) { return s.verify(ctx, usualLimits) }

func (s *SQLite) verify(ctx context.Context, l limits) (report *giro.Report, err error) {
	select {
	case s.verifying <- struct{}{}: // one at a time, for each takes several readers
		defer func() { <-s.verifying }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	err = together(func(f func(prover) error) error {
		return s.snapshot(ctx, func(c *sqlite.Conn) error {
			// Nearly every page is read once; to keep it would only take memory.
			if err := pragma(c, "PRAGMA cache_size = -1024"); err != nil {
				return err
			}
			defer pragma(c, fmt.Sprintf("PRAGMA cache_size = -%d", s.cacheKiB(c)))
			return f(newSQLiteProver(c))
		})
	}, s.options.verifiers(), func(readers []prover) error {
		report, err = verifyWith(readers, l, s.options.Doubt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	return report, nil
}

// sqliteAudit reads a snapshot for Verify.
type sqliteAudit struct{ c *sqlite.Conn }

func (s sqliteAudit) heads(each func(*giro.BookHead) error) error {
	return query(s.c, "SELECT "+headColumns+" FROM book ORDER BY book", nil, func(r *row) error { return each(r.head()) })
}

func (s sqliteAudit) accounts(each func(*giro.Account, error) error) error {
	return query(s.c, "SELECT "+accountColumns+" FROM account ORDER BY book, id", nil, func(r *row) error {
		return each(r.account())
	})
}

func (s sqliteAudit) transactions(book giro.Book, first, last int64, each func(*giro.LedgerTransaction, error) error) error {
	return query(s.c, "SELECT "+transactionColumns+", debits, credits FROM ledger_transaction WHERE book = ? AND sequence BETWEEN ? AND ? ORDER BY sequence",
		func(a *args) { a.int(int64(book)).int(first).int(last) },
		func(r *row) error {
			t, err := r.transaction()
			if err == nil {
				err = checkSides(t, sides{r.int(), r.int()})
			}
			return each(t, err)
		})
}

// books skips from book to book, instead of reading all their rows.
func (s sqliteAudit) books() ([]giro.Book, error) {
	var found []giro.Book
	for _, table := range [...]string{"ledger_transaction", "event", "movement"} {
		for book, more := int64(math.MinInt64), true; more; {
			more = false
			err := query(s.c, "SELECT book FROM "+table+" WHERE book > +? ORDER BY book LIMIT 1", func(a *args) { a.int(book) },
				func(r *row) error {
					book, more = r.int(), true
					found = append(found, giro.Book(book))
					return nil
				})
			if err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (s sqliteAudit) swept() (map[giro.Book]int64, error) {
	swept := map[giro.Book]int64{}
	err := query(s.c, "SELECT book, swept FROM book", nil, func(r *row) error { swept[giro.Book(r.int())] = r.int(); return nil })
	return swept, err
}

func (s sqliteAudit) entries(account giro.UUID, first, last int64, each func(giro.Entry) error) error {
	if account.IsZero() {
		return query(s.c, "SELECT "+entryColumns+" FROM entry ORDER BY account, sequence, n", nil, func(r *row) error { return each(r.entry()) })
	}
	return query(s.c, "SELECT "+entryColumns+" FROM entry WHERE account = ? AND sequence BETWEEN ? AND ? ORDER BY sequence, n",
		func(a *args) { a.id(account).int(first).int(last) },
		func(r *row) error { return each(r.entry()) })
}

func (s sqliteAudit) movements(each func(auditedMovement) error) error {
	return query(s.c, "SELECT "+movementColumns+" FROM movement ORDER BY book, kind, id", nil, func(r *row) error {
		var m auditedMovement
		m.Movement, m.err = r.movement()
		if m.err == nil {
			err := s.related(&m)
			if err != nil {
				return err
			}
		}
		return each(m)
	})
}

// related reads what a movement has to agree with. The plus keeps SQLite from
// planning a statement again for each value that is bound to it, which took two
// thirds of the time.
func (s sqliteAudit) related(m *auditedMovement) (err error) {
	m.transactions, err = many(s.c, "SELECT "+transactionColumns+" FROM ledger_transaction INDEXED BY ledger_transaction_object WHERE object = +? ORDER BY book, sequence",
		func(a *args) { a.id(m.ID) },
		func(r *row) (*giro.LedgerTransaction, error) {
			t, _ := r.transaction() // what cannot be read was noted along the chain
			return t, nil
		})
	if err != nil {
		return err
	}
	if m.Kind == giro.KindCharge {
		err = query(s.c, "SELECT coalesce(sum(amount_captured - amount_refunded), 0) FROM movement INDEXED BY movement_parent WHERE book = ? AND kind = 'refund' AND parent = ?",
			func(a *args) { a.int(int64(m.Book)).id(m.ID) },
			func(r *row) error { m.refunded = r.int(); return nil })
		if err != nil {
			return err
		}
	}
	return query(s.c, "SELECT data FROM event INDEXED BY event_object WHERE object = +? AND book = +? ORDER BY sequence DESC LIMIT 1",
		func(a *args) { a.id(m.ID).int(int64(m.Book)) },
		func(r *row) error { m.event = lastEvent(r.blob()); return nil })
}

func (s sqliteAudit) orphans(each func(giro.Book, int64) error) error {
	return query(s.c, `SELECT t.book, t.sequence FROM ledger_transaction AS t WHERE t.object IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM movement AS m WHERE m.book = t.book AND m.kind = t.kind AND m.id = t.object)
		AND NOT EXISTS (SELECT 1 FROM movement AS m WHERE m.peer = t.book AND m.peer <> 0 AND m.kind = t.kind AND m.id = t.object)
		ORDER BY t.book, t.sequence`, nil, func(r *row) error { return each(giro.Book(r.int()), r.int()) })
}

func (s sqliteAudit) events(book giro.Book) (span eventSpan, err error) {
	err = query(s.c, "SELECT count(*), coalesce(min(sequence), 0), coalesce(max(sequence), 0), coalesce((SELECT at FROM event WHERE book = ?1 ORDER BY sequence LIMIT 1), 0), coalesce((SELECT swept FROM book WHERE book = ?1), 0) FROM event WHERE book = ?1",
		func(a *args) { a.int(int64(book)) },
		func(r *row) error { span = eventSpan{r.int(), r.int(), r.int(), r.int(), r.int()}; return nil })
	return span, err
}
