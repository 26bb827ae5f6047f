package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"

	"giro"
)

const (
	dispatchColumns = "endpoint, book, enabled, cursor, failing"
	deliveryColumns = "endpoint, sequence, book, event, type, state, attempts, failed, due, at, detail"
)

func (r *row) dispatch() *giro.Dispatch {
	return &giro.Dispatch{Endpoint: r.id(), Book: giro.Book(r.int()), On: r.bool(), Cursor: r.int(), Failing: r.int()}
}

func (r *row) delivery() (*giro.Delivery, error) {
	d := &giro.Delivery{
		Endpoint: r.id(), Sequence: r.int(), Book: giro.Book(r.int()), Event: r.id(), Type: r.text(), State: giro.DeliveryState(r.text()),
		Attempts: r.int(), Failed: r.int(), Due: r.int(), At: r.int(),
	}
	err := json.Unmarshal(r.blob(), &d.Detail)
	if err != nil {
		return d, fmt.Errorf("detail of delivery %d of endpoint %s: %w", d.Sequence, d.Endpoint, err)
	}
	return d, nil
}

// dispatchLease is a lease of a single process, which needs none on disk.
type dispatchLease struct {
	owner giro.UUID
	until int64 // µs
	turn  int64 // counts claims
}

// saveDeliveries writes dispatches, then deliveries.
func (s *SQLite) saveDeliveries(c *sqlite.Conn, w *giro.Writes) error {
	for _, d := range w.Dispatches {
		err := s.saveDispatch(c, d)
		if err != nil {
			return fmt.Errorf("write dispatch of endpoint %s: %w", d.Endpoint, err)
		}
	}
	for _, d := range w.Deliveries {
		err := saveDelivery(c, d)
		if err != nil {
			return fmt.Errorf("write delivery %d of endpoint %s: %w", d.Sequence, d.Endpoint, err)
		}
	}
	return nil
}

func (s *SQLite) saveDispatch(c *sqlite.Conn, d *giro.Dispatch) error {
	switch {
	case d.Gone:
		return exec(c, "DELETE FROM dispatch WHERE endpoint = ?", func(a *args) { a.id(d.Endpoint) })
	case d.New:
		return exec(c, "INSERT INTO dispatch ("+dispatchColumns+") VALUES (?, ?, ?, ?, ?) ON CONFLICT (endpoint) DO NOTHING", func(a *args) {
			a.id(d.Endpoint).int(int64(d.Book)).bool(d.On).int(d.Cursor).int(d.Failing)
		})
	case d.Set:
		// Whoever has leased it lets go: what it still records is of the past.
		s.mu.Lock()
		delete(s.dispatches, d.Endpoint)
		s.mu.Unlock()
		return exec(c, "UPDATE dispatch SET enabled = ?, cursor = max(cursor, ?), failing = ? WHERE endpoint = ?", func(a *args) {
			a.bool(d.On).int(d.Cursor).int(d.Failing).id(d.Endpoint)
		})
	}
	s.mu.Lock()
	l, held := s.dispatches[d.Endpoint]
	s.mu.Unlock()
	if !held || l.owner != d.Owner {
		return nil
	}
	return exec(c, "UPDATE dispatch SET cursor = max(cursor, ?), failing = ? WHERE endpoint = ?", func(a *args) {
		a.int(d.Cursor).int(d.Failing).id(d.Endpoint)
	})
}

func saveDelivery(c *sqlite.Conn, d *giro.Delivery) error {
	detail, err := encode(&d.Detail)
	if err != nil {
		return err
	}
	const insert = "INSERT INTO delivery (" + deliveryColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (endpoint, sequence) DO UPDATE SET `
	sql := insert + "state = excluded.state, attempts = excluded.attempts, failed = excluded.failed, due = excluded.due, at = excluded.at, detail = excluded.detail WHERE excluded.attempts > delivery.attempts"
	if d.Again {
		sql = insert + "state = excluded.state, failed = 0, due = excluded.due"
	}
	return exec(c, sql, func(a *args) {
		a.id(d.Endpoint).int(d.Sequence).int(int64(d.Book)).id(d.Event).text(d.Type).text(string(d.State))
		a.int(d.Attempts).int(d.Failed).int(d.Due).int(d.At).text(detail)
	})
}

// Dispatch implements giro.Store.
func (s *SQLite) Dispatch(ctx context.Context, endpoint giro.UUID) (d *giro.Dispatch, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		d, err = one(c, "SELECT "+dispatchColumns+" FROM dispatch WHERE endpoint = ?", func(a *args) { a.id(endpoint) }, plain((*row).dispatch))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read dispatch: %w", err)
	}
	return d, nil
}

// ClaimDispatches implements giro.Store. Leases end with the process, whose
// endpoints are then anybody's.
func (s *SQLite) ClaimDispatches(ctx context.Context, owner giro.UUID, now, until int64, limit int, ended []giro.UUID) ([]*giro.Dispatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ended {
		if l, held := s.dispatches[id]; held && l.owner == owner {
			l.until = 0
			s.dispatches[id] = l
		}
	}
	if limit <= 0 {
		return nil, nil
	}
	var ready []*giro.Dispatch
	err := s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT d.endpoint, d.book, d.enabled, d.cursor, d.failing FROM dispatch d JOIN book b ON b.book = d.book WHERE d.enabled = 1 AND (b.events > d.cursor OR EXISTS"+
			" (SELECT 1 FROM delivery x INDEXED BY delivery_due WHERE x.endpoint = d.endpoint AND x.due > 0 AND x.due <= max(b.clock_floor, ? + b.clock)))",
			func(a *args) { a.int(now) },
			func(r *row) error {
				d := r.dispatch()
				if s.dispatches[d.Endpoint].until <= now {
					ready = append(ready, d)
				}
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("claim dispatches: %w", err)
	}
	slices.SortStableFunc(ready, func(a, b *giro.Dispatch) int {
		return cmp.Compare(s.dispatches[a.Endpoint].turn, s.dispatches[b.Endpoint].turn)
	})
	ready = ready[:min(len(ready), limit)]
	for _, d := range ready {
		s.turns++
		s.dispatches[d.Endpoint] = dispatchLease{owner, until, s.turns}
	}
	return ready, nil
}

// RenewDispatches implements giro.Store.
func (s *SQLite) RenewDispatches(_ context.Context, owner giro.UUID, now, until int64) ([]giro.UUID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var own []giro.UUID
	for id, l := range s.dispatches {
		if l.owner == owner && l.until > now {
			l.until = until
			s.dispatches[id] = l
			own = append(own, id)
		}
	}
	return own, nil
}

// Deliveries implements giro.Store.
func (s *SQLite) Deliveries(ctx context.Context, q giro.DeliveryQuery) (found []*giro.Delivery, err error) {
	w := &where{}
	w.add("endpoint = ?", func(a *args) { a.id(q.Endpoint) })
	index, order := "", " ORDER BY sequence"+direction(q.Ascending)
	w.addSequence(q.Sequence, q.After, q.Before)
	switch q.State {
	case "":
	case giro.DeliveryPending: // each in an index of their own, as the text names the state
		w.add("state = 'pending'", nil)
		index = " INDEXED BY delivery_pending"
	case giro.DeliveryFailed:
		w.add("state = 'failed'", nil)
		index = " INDEXED BY delivery_failed"
	default:
		w.add("state = ?", func(a *args) { a.text(string(q.State)) })
	}
	if q.Due > 0 {
		w.add("due > 0 AND due <= ?", func(a *args) { a.int(q.Due) })
		index, order = " INDEXED BY delivery_due", " ORDER BY due"
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, "SELECT "+deliveryColumns+" FROM delivery"+index+w.String()+order+" LIMIT +?",
			func(a *args) { w.bind(a); a.int(atMost(q.Limit)) }, (*row).delivery)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return found, nil
}

// SweepDeliveries implements giro.Store. It walks from endpoint to endpoint and
// looks at the oldest of each alone, so it needs no index of its own.
func (s *SQLite) SweepDeliveries(ctx context.Context, before int64, limit int) (int, error) {
	total := 0
	err := s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		total = 0
		var last giro.UUID
		for first := true; total < limit; first = false {
			next, err := one(c, "SELECT min(endpoint) FROM delivery WHERE endpoint "+map[bool]string{true: ">=", false: ">"}[first]+" ?", func(a *args) { a.id(last) },
				func(r *row) (*giro.UUID, error) { id := r.id(); return &id, nil })
			if err != nil {
				return false, err
			}
			if next == nil || next.IsZero() {
				break
			}
			last = *next
			err = exec(c, "DELETE FROM delivery WHERE endpoint = ? AND sequence IN (SELECT sequence FROM (SELECT sequence, at, due FROM delivery WHERE endpoint = ? ORDER BY sequence LIMIT +?) WHERE at < ? AND due = 0)",
				func(a *args) { a.id(last).id(last).int(int64(limit - total)).int(before) })
			if err != nil {
				return false, err
			}
			total += c.Changes()
		}
		return total > 0, nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep deliveries: %w", err)
	}
	return total, nil
}
