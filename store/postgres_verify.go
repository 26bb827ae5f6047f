package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"giro"
)

// Verify is giro.Store's. It reads one snapshot and holds nobody up.
func (p *Postgres) Verify(ctx context.Context) (*giro.Report, error) {
	return p.verify(ctx, usualLimits)
}

func (p *Postgres) verify(ctx context.Context, l limits) (report *giro.Report, err error) {
	select {
	case p.verifying <- struct{}{}: // one at a time, for each takes several connections
		defer func() { <-p.verifying }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// One more than elsewhere: while one waits for its server, another has rows.
	err = together(func(f func(prover) error) error { return p.reader(ctx, f) }, p.options.verifiers()+1, func(readers []prover) error {
		report, err = verifyWith(readers, l, p.options.Doubt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	return report, nil
}

// reader runs f with a snapshot of its own.
func (p *Postgres) reader(ctx context.Context, f func(prover) error) error {
	return p.snapshot(ctx, func(tx pgx.Tx) error {
		// It may have to wait for another that has much more to read, and by then
		// holds no locks that anybody else could wait for.
		if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = '1h'"); err != nil {
			return err
		}
		return f(newPostgresProver(ctx, tx))
	})
}

// postgresAudit reads a snapshot for Verify.
type postgresAudit struct {
	ctx context.Context
	tx  pgx.Tx
}

// stream hands over row by row, without keeping them. While it runs the
// connection is taken: each must not query.
func stream[T any](a postgresAudit, scan pgx.RowToFunc[T], each func(T, error) error, sql string, arguments ...any) error {
	rows, err := a.tx.Query(a.ctx, sql, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scan(rows)
		if err != nil && !errors.Is(err, errScan) {
			return err
		}
		if err := each(row, err); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (a postgresAudit) heads(each func(*giro.BookHead) error) error {
	return stream(a, scanHead, func(h *giro.BookHead, err error) error {
		if err != nil {
			return err
		}
		return each(h)
	}, "SELECT "+pgBookColumns+" FROM book ORDER BY book")
}

func (a postgresAudit) accounts(each func(*giro.Account, error) error) error {
	return stream(a, scanAccount, each, "SELECT "+pgAccountColumns+" FROM account ORDER BY book, id")
}

func (a postgresAudit) transactions(book giro.Book, first, last int64, each func(*giro.LedgerTransaction, error) error) error {
	scan := func(row pgx.CollectableRow) (*giro.LedgerTransaction, error) {
		var stored sides
		t, err := scanTransactionAnd(row, &stored.debits, &stored.credits)
		if err != nil {
			return t, err
		}
		if err := checkSides(t, stored); err != nil {
			return t, fmt.Errorf("%w: %w", errScan, err)
		}
		return t, nil
	}
	return stream(a, scan, each,
		"SELECT "+pgTransactionColumns+", debits, credits FROM ledger_transaction WHERE book = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence", int64(book), first, last)
}

// books skips from book to book, instead of reading all their rows.
func (a postgresAudit) books() ([]giro.Book, error) {
	var found []giro.Book
	for _, table := range [...]string{"ledger_transaction", "event", "movement"} {
		books, err := all(a.ctx, a.tx, pgx.RowTo[giro.Book], `WITH RECURSIVE next AS ((SELECT book FROM `+table+` ORDER BY book LIMIT 1)
			UNION ALL SELECT (SELECT t.book FROM `+table+` t WHERE t.book > next.book ORDER BY t.book LIMIT 1) FROM next WHERE next.book IS NOT NULL)
			SELECT book FROM next WHERE book IS NOT NULL`)
		if err != nil {
			return nil, err
		}
		found = append(found, books...)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (a postgresAudit) swept() (map[giro.Book]int64, error) {
	swept := map[giro.Book]int64{}
	rows, err := a.tx.Query(a.ctx, "SELECT book, swept FROM book")
	if err != nil {
		return nil, err
	}
	var book giro.Book
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&book, &n}, func() error { swept[book] = n; return nil })
	return swept, err
}

func (a postgresAudit) entries(account giro.UUID, first, last int64, each func(giro.Entry) error) error {
	row := func(e giro.Entry, err error) error {
		if err != nil {
			return err
		}
		return each(e)
	}
	if account.IsZero() {
		return stream(a, scanEntry, row, "SELECT "+pgEntryColumns+" FROM entry ORDER BY account, sequence, n")
	}
	return stream(a, scanEntry, row,
		"SELECT "+pgEntryColumns+" FROM entry WHERE account = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence, n", uuid(account), first, last)
}

// movements reads a page of movements and then what they all have to agree
// with: a few queries for hundreds of them.
func (a postgresAudit) movements(each func(auditedMovement) error) error {
	const pageSize = 500
	var last giro.Movement
	for {
		var page []auditedMovement
		err := stream(a, scanMovement, func(m *giro.Movement, err error) error {
			page = append(page, auditedMovement{Movement: m, err: err})
			return nil
		}, "SELECT "+pgMovementColumns+" FROM movement WHERE (book, kind, id) > ($1, $2, $3::uuid) ORDER BY book, kind, id LIMIT $4",
			int64(last.Book), string(last.Kind), last.ID.String(), pageSize)
		if err != nil {
			return err
		}
		if err := a.related(page); err != nil {
			return err
		}
		for _, m := range page {
			if err := each(m); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		last = *page[len(page)-1].Movement
	}
}

// related reads what movements have to agree with.
func (a postgresAudit) related(page []auditedMovement) error {
	ids := column(page, func(m auditedMovement) uuid { return uuid(m.ID) })
	transactions := map[giro.UUID][]*giro.LedgerTransaction{}
	err := stream(a, scanTransaction, func(t *giro.LedgerTransaction, _ error) error {
		// What cannot be read was noted along the chain.
		transactions[t.Object] = append(transactions[t.Object], t)
		return nil
	}, "SELECT "+pgTransactionColumns+" FROM ledger_transaction WHERE object = ANY($1::uuid[]) ORDER BY object, book, sequence", ids)
	if err != nil {
		return err
	}
	type key struct {
		book giro.Book
		id   giro.UUID
	}
	refunded := map[key]int64{}
	rows, err := a.tx.Query(a.ctx, "SELECT book, parent, sum(amount_captured - amount_refunded)::bigint FROM movement WHERE kind = 'refund' AND parent = ANY($1::uuid[]) AND book = ANY($2::bigint[]) GROUP BY book, parent",
		ids, a.booksOf(page))
	if err != nil {
		return err
	}
	var k key
	var sum int64
	_, err = pgx.ForEachRow(rows, []any{&k.book, (*uuid)(&k.id), &sum}, func() error { refunded[k] = sum; return nil })
	if err != nil {
		return err
	}
	events := map[key][]byte{}
	rows, err = a.tx.Query(a.ctx, "SELECT DISTINCT ON (object, book) book, object, data FROM event WHERE object = ANY($1::uuid[]) ORDER BY object, book, sequence DESC", ids)
	if err != nil {
		return err
	}
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&k.book, (*uuid)(&k.id), &data}, func() error { events[k] = lastEvent(slices.Clone(data)); return nil })
	if err != nil {
		return err
	}
	for i := range page {
		m := &page[i]
		k := key{m.Book, m.ID}
		m.transactions, m.event = transactions[m.ID], events[k]
		if m.Kind == giro.KindCharge {
			m.refunded = refunded[k]
		}
	}
	return nil
}

func (postgresAudit) booksOf(page []auditedMovement) []int64 {
	books := column(page, func(m auditedMovement) int64 { return int64(m.Book) })
	slices.Sort(books)
	return slices.Compact(books)
}

func (a postgresAudit) orphans(each func(giro.Book, int64) error) error {
	rows, err := a.tx.Query(a.ctx, `SELECT t.book, t.sequence FROM ledger_transaction t WHERE t.object IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM movement m WHERE m.book = t.book AND m.kind = t.kind AND m.id = t.object)
		AND NOT EXISTS (SELECT 1 FROM movement m WHERE m.peer = t.book AND m.peer <> 0 AND m.kind = t.kind AND m.id = t.object)
		ORDER BY t.book, t.sequence`)
	if err != nil {
		return err
	}
	var book giro.Book
	var sequence int64
	_, err = pgx.ForEachRow(rows, []any{&book, &sequence}, func() error { return each(book, sequence) })
	return err
}

func (a postgresAudit) events(book giro.Book) (span eventSpan, err error) {
	err = a.tx.QueryRow(a.ctx, "SELECT count(*), coalesce(min(sequence), 0), coalesce(max(sequence), 0), coalesce((SELECT at FROM event WHERE book = $1 ORDER BY sequence LIMIT 1), 0), coalesce((SELECT swept FROM book WHERE book = $1), 0) FROM event WHERE book = $1", int64(book)).
		Scan(&span.count, &span.first, &span.last, &span.at, &span.swept)
	return span, err
}
