package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"giro"
)

const (
	pgTermColumns    = "book, term, id, kind"
	pgRequestColumns = "book, id, at, status, object, data"
)

var pgInsertRequest = pgInsert("request", pgRequestColumns, "bigint uuid bigint bigint uuid bytea") + " ON CONFLICT DO NOTHING"

func scanTerm(row pgx.CollectableRow) (giro.Term, error) {
	var t giro.Term
	err := row.Scan(&t.Book, &t.Term, (*uuid)(&t.ID), &t.Kind)
	return t, err
}

func scanRequest(row pgx.CollectableRow) (*giro.RequestRow, error) {
	r := new(giro.RequestRow)
	err := row.Scan(&r.Book, (*uuid)(&r.ID), &r.At, &r.Status, (*uuid)(&r.Object), &r.Data)
	return r, err
}

// pgInsertTerms writes terms; those that exist stay. Rows go in in one order, so
// that two processes never wait for each other.
var pgInsertTerms = pgInsert("term", pgTermColumns, "bigint text uuid text") + " ORDER BY book, term, id ON CONFLICT DO NOTHING"

// termArguments are those of pgInsertTerms.
func termArguments(terms []giro.Term) []any {
	type T = giro.Term
	return []any{
		column(terms, func(t T) int64 { return int64(t.Book) }),
		column(terms, func(t T) string { return t.Term }),
		column(terms, func(t T) uuid { return uuid(t.ID) }),
		column(terms, func(t T) string { return t.Kind }),
	}
}

func writeTerms(q *pgx.Batch, terms []giro.Term) {
	if len(terms) > 0 {
		q.Queue(pgInsertTerms, termArguments(terms)...)
	}
}

// FindTerms is giro.Store's.
func (p *Postgres) FindTerms(ctx context.Context, book giro.Book, prefix string, limit int) (found []giro.Term, err error) {
	err = p.snapshot(ctx, func(tx pgx.Tx) error {
		found, err = all(ctx, tx, scanTerm, "SELECT "+pgTermColumns+" FROM term WHERE book = $1 AND term >= $2 AND term < $3 ORDER BY term, id LIMIT $4",
			int64(book), prefix, prefix+"\U0010FFFF", int64(limit))
		if err != nil {
			return err
		}
		found, err = newestOfLast(found, limit, func(last string, limit int) ([]giro.Term, error) {
			return all(ctx, tx, scanTerm, "SELECT "+pgTermColumns+" FROM term WHERE book = $1 AND term = $2 ORDER BY id DESC LIMIT $3", int64(book), last, int64(limit))
		})
		return err
	})
	return found, err
}

// TermIDs is giro.Store's. Terms are never taken back, so what was read after the
// cursor has all that the cursor says.
func (p *Postgres) TermIDs(ctx context.Context, book giro.Book, terms []string, limit int) (ids []giro.UUID, sequence int64, err error) {
	read, err := first(ctx, p.pool, func(row pgx.CollectableRow) (n *int64, err error) {
		n = new(int64)
		return n, row.Scan(n)
	}, "SELECT sequence FROM term_cursor WHERE book = $1", int64(book))
	if err != nil {
		return nil, 0, err
	}
	if read != nil {
		sequence = *read
	}
	ids, err = all(ctx, p.pool, func(row pgx.CollectableRow) (id giro.UUID, err error) {
		err = row.Scan((*uuid)(&id))
		return id, err
	}, "SELECT found.id FROM unnest($2::text[]) AS word, LATERAL (SELECT id FROM term WHERE book = $1 AND term = word LIMIT $3) found", int64(book), terms, int64(limit))
	return ids, sequence, err
}

// TermBacklogs is giro.Store's.
func (p *Postgres) TermBacklogs(ctx context.Context, limit int) ([]giro.TermBacklog, error) {
	return all(ctx, p.pool, func(row pgx.CollectableRow) (b giro.TermBacklog, err error) {
		err = row.Scan(&b.Book, &b.Sequence, &b.Events)
		return b, err
	}, "SELECT b.book, coalesce(t.sequence, 0), b.events FROM book b LEFT JOIN term_cursor t ON t.book = b.book WHERE b.events > coalesce(t.sequence, 0) ORDER BY b.book LIMIT $1", atMostRows(limit))
}

// AddTerms is giro.Store's. The cursor's row is what two processes that read
// the same events meet at.
func (p *Postgres) AddTerms(ctx context.Context, book giro.Book, from, to int64, terms []giro.Term) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO term_cursor (book, sequence) VALUES ($1, 0) ON CONFLICT DO NOTHING", int64(book)); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE term_cursor SET sequence = $3 WHERE book = $1 AND sequence = $2", int64(book), from, to)
		if err != nil || tag.RowsAffected() == 0 || len(terms) == 0 {
			return err
		}
		_, err = tx.Exec(ctx, pgInsertTerms, termArguments(terms)...)
		return err
	})
}

// AppendRequests is giro.Store's.
func (p *Postgres) AppendRequests(ctx context.Context, w giro.RequestWrites) error {
	rows := w.Rows
	type T = *giro.RequestRow
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		q := new(pgx.Batch)
		q.Queue(pgInsertRequest,
			column(rows, func(r T) int64 { return int64(r.Book) }),
			column(rows, func(r T) uuid { return uuid(r.ID) }),
			column(rows, func(r T) int64 { return r.At }),
			column(rows, func(r T) int64 { return int64(r.Status) }),
			column(rows, func(r T) uuid { return uuid(r.Object) }),
			column(rows, func(r T) []byte { return r.Data }))
		writeTraffic(q, w.Traffic)
		if len(w.Uses) > 0 {
			// In one order, so that two processes never wait for each other.
			uses := slices.SortedFunc(slices.Values(w.Uses), func(a, b giro.KeyUse) int { return slices.Compare(a.Key[:], b.Key[:]) })
			q.Queue("INSERT INTO key_use (key, at, address) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) ON CONFLICT (key) DO UPDATE SET at = excluded.at, address = excluded.address WHERE excluded.at > key_use.at",
				column(uses, func(u giro.KeyUse) uuid { return uuid(u.Key) }),
				column(uses, func(u giro.KeyUse) int64 { return u.At }),
				column(uses, func(u giro.KeyUse) string { return u.Address }))
		}
		return tx.SendBatch(ctx, q).Close()
	})
}

// KeyUses is giro.Store's.
func (p *Postgres) KeyUses(ctx context.Context, keys []giro.UUID) ([]giro.KeyUse, error) {
	return all(ctx, p.pool, func(row pgx.CollectableRow) (u giro.KeyUse, err error) {
		err = row.Scan((*uuid)(&u.Key), &u.At, &u.Address)
		return u, err
	}, "SELECT key, at, address FROM key_use WHERE key = ANY($1::uuid[])", column(keys, func(id giro.UUID) uuid { return uuid(id) }))
}

// Requests is giro.Store's.
func (p *Postgres) Requests(ctx context.Context, q giro.RequestQuery) ([]*giro.RequestRow, error) {
	s := new(statement)
	s.add("SELECT "+pgRequestColumns+" FROM request WHERE book = ?", int64(q.Book))
	if !q.Object.IsZero() {
		s.add(" AND object = ?", uuid(q.Object))
	}
	if !q.ID.IsZero() {
		s.add(" AND id = ?", uuid(q.ID))
	}
	if !q.Before.IsZero() {
		s.add(" AND id < ?", uuid(q.Before))
	}
	if !q.Since.IsZero() {
		s.add(" AND id >= ?", uuid(q.Since))
	}
	if q.From != 0 || q.To != 0 {
		s.add(" AND status BETWEEN ? AND ?", int64(q.From), int64(q.To))
	}
	s.add(" ORDER BY id DESC LIMIT ?", atMostRows(q.Limit))
	return all(ctx, p.pool, scanRequest, s.String(), s.arguments...)
}

// SweepRequests is giro.Store's.
func (p *Postgres) SweepRequests(ctx context.Context, before int64, keep, limit int) (int, error) {
	old, err := p.pool.Exec(ctx, "DELETE FROM request WHERE (book, id) IN (SELECT book, id FROM request WHERE at < $1 ORDER BY at LIMIT $2)", before, int64(limit))
	if err != nil {
		return 0, fmt.Errorf("sweep the request log: %w", err)
	}
	many, err := p.pool.Exec(ctx, "DELETE FROM request WHERE (book, id) IN (SELECT book, id FROM request WHERE at < coalesce((SELECT at FROM request ORDER BY at DESC LIMIT 1 OFFSET $1), 0) ORDER BY at LIMIT $2)", int64(keep), int64(limit))
	if err != nil {
		return 0, fmt.Errorf("sweep the request log: %w", err)
	}
	return int(old.RowsAffected() + many.RowsAffected()), nil
}
