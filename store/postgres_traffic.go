package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"giro"
)

var trafficInsert = pgInsert("traffic", trafficColumns, "uuid"+strings.Repeat(" bigint", len(trafficNumbers)+2)) + " " + trafficAdds

func writeTraffic(q *pgx.Batch, cells []*giro.Traffic) {
	type T = *giro.Traffic
	if len(cells) == 0 {
		return
	}
	arguments := []any{
		column(cells, func(t T) uuid { return uuid(t.Subject) }),
		column(cells, func(t T) int64 { return t.Step }),
		column(cells, func(t T) int64 { return t.At }),
	}
	of := column(cells, numbers)
	for i := range trafficNumbers {
		arguments = append(arguments, column(of, func(n []*int64) int64 { return *n[i] }))
	}
	q.Queue(trafficInsert, arguments...)
}

// Traffic is giro.Store's.
func (p *Postgres) Traffic(ctx context.Context, q giro.TrafficQuery) ([]*giro.Traffic, error) {
	return all(ctx, p.pool, func(row pgx.CollectableRow) (*giro.Traffic, error) {
		t := new(giro.Traffic)
		into := []any{(*uuid)(&t.Subject), &t.Step, &t.At}
		for _, n := range numbers(t) {
			into = append(into, n)
		}
		return t, row.Scan(into...)
	}, "SELECT "+trafficColumns+" FROM traffic WHERE subject = ANY($1::uuid[]) AND step = $2 AND at >= $3 AND at < $4 ORDER BY subject, at",
		column(q.Subjects, func(id giro.UUID) uuid { return uuid(id) }), q.Step, q.From, q.To)
}

// SweepTraffic is giro.Store's.
func (p *Postgres) SweepTraffic(ctx context.Context, step, before int64, limit int) (int, error) {
	tag, err := p.pool.Exec(ctx, "DELETE FROM traffic WHERE (subject, step, at) IN (SELECT subject, step, at FROM traffic WHERE step = $1 AND at < $2 LIMIT $3)", step, before, int64(limit))
	if err != nil {
		return 0, fmt.Errorf("sweep traffic: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
