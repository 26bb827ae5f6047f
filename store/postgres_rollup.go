package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"giro"
)

const pgRollupColumns = "book, kind, currency, hour, status, reason, n, amount, captured, refunded, fee"

func scanRollup(row pgx.CollectableRow) (giro.Rollup, error) {
	var v giro.Rollup
	err := row.Scan(&v.Book, &v.Kind, &v.Currency, &v.Hour, &v.Status, &v.Reason, &v.Count, &v.Amount, &v.Captured, &v.Refunded, &v.Fee)
	return v, err
}

// pgAddRollup adds to the cells. Sums stop at ±2^62: an addition of two such
// numbers stays within bigint, and no figure ever refuses a payment.
var pgAddRollup = func() string {
	const most = "4611686018427387904"
	bounded := func(name string) string {
		return name + " = greatest(-" + most + ", least(" + most + ", rollup." + name + " + excluded." + name + "))"
	}
	return pgInsert("rollup", pgRollupColumns, "bigint text text bigint text text bigint bigint bigint bigint bigint") +
		" ON CONFLICT (book, kind, currency, hour, status, reason) DO UPDATE SET n = rollup.n + excluded.n, " + bounded("amount") + ", " + bounded("captured") + ", " + bounded("refunded") + ", " + bounded("fee")
}()

// writeRollups adds to the cells, whose books the transaction has locked.
func writeRollups(q *pgx.Batch, cells []giro.Rollup) {
	if len(cells) == 0 {
		return
	}
	type T = giro.Rollup
	q.Queue(pgAddRollup,
		column(cells, func(v T) int64 { return int64(v.Book) }),
		column(cells, func(v T) string { return string(v.Kind) }),
		column(cells, func(v T) string { return string(v.Currency) }),
		column(cells, func(v T) int64 { return v.Hour }),
		column(cells, func(v T) string { return string(v.Status) }),
		column(cells, func(v T) string { return v.Reason }),
		column(cells, func(v T) int64 { return v.Count }),
		column(cells, func(v T) int64 { return v.Amount }),
		column(cells, func(v T) int64 { return v.Captured }),
		column(cells, func(v T) int64 { return v.Refunded }),
		column(cells, func(v T) int64 { return v.Fee }))
}

// Rollups is giro.Store's.
func (p *Postgres) Rollups(ctx context.Context, q giro.RollupQuery) ([]giro.Rollup, error) {
	kinds := q.Kinds
	if len(kinds) == 0 {
		kinds = giro.Kinds
	}
	s := new(statement)
	s.add("SELECT "+pgRollupColumns+" FROM rollup WHERE book = ? AND kind = ANY(?::text[])", int64(q.Book), column(kinds, func(k giro.Kind) string { return string(k) }))
	switch {
	case q.Currency != "":
		s.add(" AND currency = ?", string(q.Currency))
	case q.From != 0 || q.To != 0: // by their names, so that the index leads to the hours of each
		s.add(" AND currency = ANY(ARRAY(SELECT DISTINCT currency FROM rollup WHERE book = ? AND hour = 0))", int64(q.Book))
	}
	if q.From == 0 && q.To == 0 {
		s.add(" AND hour = 0")
	} else {
		s.add(" AND hour >= ? AND hour < ? AND hour > 0", q.From, q.To)
	}
	return all(ctx, p.pool, scanRollup, s.String(), s.arguments...)
}

func (a postgresAudit) rollups(each func(giro.Rollup) error) error {
	return stream(a, scanRollup, func(v giro.Rollup, err error) error {
		if err != nil {
			return err
		}
		return each(v)
	}, "SELECT "+pgRollupColumns+" FROM rollup")
}
