package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"giro"
)

const (
	pgDispatchColumns = "endpoint, book, enabled, cursor, failing"
	pgDeliveryColumns = "endpoint, sequence, book, event, type, state, attempts, failed, due, at, detail"
)

var pgInsertDelivery = pgInsert("delivery", pgDeliveryColumns, "uuid bigint bigint uuid text text bigint bigint bigint bigint text")

func scanDispatch(row pgx.CollectableRow) (*giro.Dispatch, error) {
	d := new(giro.Dispatch)
	err := row.Scan((*uuid)(&d.Endpoint), &d.Book, &d.On, &d.Cursor, &d.Failing)
	return d, err
}

func scanDelivery(row pgx.CollectableRow) (*giro.Delivery, error) {
	d := new(giro.Delivery)
	var detail string
	err := row.Scan((*uuid)(&d.Endpoint), &d.Sequence, &d.Book, (*uuid)(&d.Event), &d.Type, &d.State, &d.Attempts, &d.Failed, &d.Due, &d.At, &detail)
	if err == nil && json.Unmarshal([]byte(detail), &d.Detail) != nil {
		err = fmt.Errorf("%w: detail of delivery %d of endpoint %s", errScan, d.Sequence, d.Endpoint)
	}
	return d, err
}

// writeDeliveries writes dispatches, then deliveries.
func writeDeliveries(q *pgx.Batch, w *giro.Writes) error {
	type T = *giro.Dispatch
	progress := make([]T, 0, len(w.Dispatches))
	for _, d := range w.Dispatches {
		id := (*uuid)(&d.Endpoint)
		switch {
		case d.Gone:
			q.Queue("DELETE FROM dispatch WHERE endpoint = $1", id)
		case d.New:
			q.Queue("INSERT INTO dispatch ("+pgDispatchColumns+", leased, turn) VALUES ($1, $2, $3, $4, $5, 0, 0) ON CONFLICT (endpoint) DO NOTHING",
				id, int64(d.Book), d.On, d.Cursor, d.Failing)
		case d.Set:
			// Whoever has leased it lets go: what it still records is of the past.
			q.Queue("UPDATE dispatch SET enabled = $2, cursor = greatest(cursor, $3), failing = $4, leased = 0, owner = NULL WHERE endpoint = $1",
				id, d.On, d.Cursor, d.Failing)
		default:
			progress = append(progress, d)
		}
	}
	if progress = latest(progress, func(d T) giro.UUID { return d.Endpoint }); len(progress) > 0 {
		q.Queue("UPDATE dispatch SET cursor = greatest(dispatch.cursor, v.cursor), failing = v.failing FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[]) v (endpoint, cursor, failing, owner)"+
			" WHERE dispatch.endpoint = v.endpoint AND dispatch.owner = v.owner",
			column(progress, func(d T) uuid { return uuid(d.Endpoint) }),
			column(progress, func(d T) int64 { return d.Cursor }),
			column(progress, func(d T) int64 { return d.Failing }),
			column(progress, func(d T) uuid { return uuid(d.Owner) }))
	}
	again, attempts := split(w.Deliveries, func(d *giro.Delivery) bool { return d.Again })
	for _, group := range []struct {
		rows     []*giro.Delivery
		conflict string
	}{
		{attempts, "state = excluded.state, attempts = excluded.attempts, failed = excluded.failed, due = excluded.due, at = excluded.at, detail = excluded.detail WHERE excluded.attempts > delivery.attempts"},
		{again, "state = excluded.state, failed = 0, due = excluded.due"},
	} {
		type T = *giro.Delivery
		type key struct {
			endpoint giro.UUID
			sequence int64
		}
		rows := latest(group.rows, func(d T) key { return key{d.Endpoint, d.Sequence} })
		if len(rows) == 0 {
			continue
		}
		details := make([]string, len(rows))
		for i, d := range rows {
			var err error
			if details[i], err = encode(&d.Detail); err != nil {
				return fmt.Errorf("write delivery %d of endpoint %s: %w", d.Sequence, d.Endpoint, err)
			}
		}
		q.Queue(pgInsertDelivery+" ON CONFLICT (endpoint, sequence) DO UPDATE SET "+group.conflict,
			column(rows, func(d T) uuid { return uuid(d.Endpoint) }),
			column(rows, func(d T) int64 { return d.Sequence }),
			column(rows, func(d T) int64 { return int64(d.Book) }),
			column(rows, func(d T) uuid { return uuid(d.Event) }),
			column(rows, func(d T) string { return d.Type }),
			column(rows, func(d T) string { return string(d.State) }),
			column(rows, func(d T) int64 { return d.Attempts }),
			column(rows, func(d T) int64 { return d.Failed }),
			column(rows, func(d T) int64 { return d.Due }),
			column(rows, func(d T) int64 { return d.At }),
			details)
	}
	return nil
}

// Dispatch is giro.Store's.
func (p *Postgres) Dispatch(ctx context.Context, endpoint giro.UUID) (*giro.Dispatch, error) {
	return first(ctx, p.pool, scanDispatch, "SELECT "+pgDispatchColumns+" FROM dispatch WHERE endpoint = $1", uuid(endpoint))
}

// lease changes leases in one transaction, which is not flushed to disk: leases
// that a crash of the database undoes are leases of processes that it cut off.
func (p *Postgres) lease(ctx context.Context, queue func(q *pgx.Batch)) error {
	q := new(pgx.Batch)
	q.Queue("BEGIN")
	q.Queue("SET LOCAL synchronous_commit TO off")
	queue(q)
	q.Queue("COMMIT")
	return p.pool.SendBatch(ctx, q).Close()
}

// ClaimDispatches is giro.Store's. A row that another process holds just now is
// passed over, not waited for.
func (p *Postgres) ClaimDispatches(ctx context.Context, owner giro.UUID, now, lease int64, limit int, ended []giro.UUID) (found []*giro.Dispatch, err error) {
	if limit <= 0 && len(ended) == 0 {
		return nil, nil
	}
	err = p.lease(ctx, func(q *pgx.Batch) {
		if len(ended) > 0 {
			q.Queue("UPDATE dispatch SET leased = 0, owner = NULL WHERE owner = $1 AND endpoint = ANY($2::uuid[])",
				uuid(owner), column(ended, func(id giro.UUID) uuid { return uuid(id) }))
		}
		if limit <= 0 {
			return
		}
		queueLoad(q, scanDispatch, func(d *giro.Dispatch) { found = append(found, d) }, `UPDATE dispatch SET leased = $3, owner = $1, turn = $2 FROM (
			SELECT d.endpoint AS id FROM dispatch d JOIN book b ON b.book = d.book
			WHERE d.enabled AND d.leased <= $2 AND (b.events > d.cursor OR EXISTS (SELECT 1 FROM delivery x WHERE x.endpoint = d.endpoint AND x.due > 0 AND x.due <= greatest(b.clock_floor, $2 + b.clock)))
			ORDER BY d.turn LIMIT $4 FOR UPDATE OF d SKIP LOCKED
		) ready WHERE endpoint = ready.id RETURNING `+pgDispatchColumns, uuid(owner), now, lease, int64(limit))
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// RenewDispatches is giro.Store's.
func (p *Postgres) RenewDispatches(ctx context.Context, owner giro.UUID, now, lease int64) (own []giro.UUID, err error) {
	err = p.lease(ctx, func(q *pgx.Batch) {
		queueLoad(q, func(row pgx.CollectableRow) (id giro.UUID, err error) {
			err = row.Scan((*uuid)(&id))
			return id, err
		}, func(id giro.UUID) { own = append(own, id) }, "UPDATE dispatch SET leased = $3 WHERE owner = $1 AND leased > $2 RETURNING endpoint", uuid(owner), now, lease)
	})
	if err != nil {
		return nil, err
	}
	return own, nil
}

// Deliveries is giro.Store's.
func (p *Postgres) Deliveries(ctx context.Context, q giro.DeliveryQuery) ([]*giro.Delivery, error) {
	s := new(statement)
	s.add("SELECT "+pgDeliveryColumns+" FROM delivery WHERE endpoint = ?", uuid(q.Endpoint))
	s.addSequence(q.Sequence, q.After, q.Before)
	switch q.State {
	case "":
	case giro.DeliveryPending: // each in an index of their own, as the text names the state
		s.add(" AND state = 'pending'")
	case giro.DeliveryFailed:
		s.add(" AND state = 'failed'")
	default:
		s.add(" AND state = ?", string(q.State))
	}
	switch {
	case q.Due > 0:
		s.add(" AND due > 0 AND due <= ? ORDER BY due", q.Due)
	case q.Ascending:
		s.add(" ORDER BY sequence")
	default:
		s.add(" ORDER BY sequence DESC")
	}
	s.add(" LIMIT ?", atMostRows(q.Limit))
	return all(ctx, p.pool, scanDelivery, s.String(), s.arguments...)
}

// SweepDeliveries is giro.Store's. It walks from endpoint to endpoint and looks
// at the oldest of each alone, so it needs no index of its own.
func (p *Postgres) SweepDeliveries(ctx context.Context, before int64, limit int) (int, error) {
	total := 0
	var last giro.UUID
	for total < limit {
		next, err := first(ctx, p.pool, func(row pgx.CollectableRow) (*giro.UUID, error) {
			id := new(giro.UUID)
			return id, row.Scan((*uuid)(id))
		}, "SELECT endpoint FROM delivery WHERE $1::uuid IS NULL OR endpoint > $1 ORDER BY endpoint LIMIT 1", uuid(last))
		if err != nil || next == nil {
			return total, err
		}
		last = *next
		tag, err := p.pool.Exec(ctx, "DELETE FROM delivery WHERE endpoint = $1 AND sequence IN (SELECT sequence FROM (SELECT sequence, at, due FROM delivery WHERE endpoint = $1 ORDER BY sequence LIMIT $2) o WHERE at < $3 AND due = 0)",
			uuid(last), int64(limit-total), before)
		if err != nil {
			return total, err
		}
		total += int(tag.RowsAffected())
	}
	return total, nil
}
