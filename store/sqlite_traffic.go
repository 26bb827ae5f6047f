package store

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"giro"
)

var addTraffic = newInsertion("traffic", trafficColumns, " "+trafficAdds)

func saveTraffic(c *sqlite.Conn, cells []*giro.Traffic) error {
	err := addTraffic.rows(c, len(cells), func(a *args, i int) {
		t := cells[i]
		a.id(t.Subject).int(t.Step).int(t.At)
		for _, n := range numbers(t) {
			a.int(*n)
		}
	})
	if err != nil {
		return fmt.Errorf("write traffic: %w", err)
	}
	return nil
}

// Traffic implements giro.Store.
func (s *SQLite) Traffic(ctx context.Context, q giro.TrafficQuery) (found []*giro.Traffic, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		for _, subject := range q.Subjects {
			some, err := many(c, "SELECT "+trafficColumns+" FROM traffic WHERE subject = ? AND step = ? AND at >= ? AND at < ? ORDER BY at",
				func(a *args) { a.id(subject).int(q.Step).int(q.From).int(q.To) },
				plain(func(r *row) *giro.Traffic {
					t := &giro.Traffic{TrafficKey: giro.TrafficKey{Subject: r.id(), Step: r.int(), At: r.int()}}
					for _, n := range numbers(t) {
						*n = r.int()
					}
					return t
				}))
			if err != nil {
				return fmt.Errorf("read traffic: %w", err)
			}
			found = append(found, some...)
		}
		return nil
	})
	return found, err
}

// SweepTraffic implements giro.Store.
func (s *SQLite) SweepTraffic(ctx context.Context, step, before int64, limit int) (int, error) {
	total := 0
	err := s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		err := exec(c, "DELETE FROM traffic WHERE (subject, step, at) IN (SELECT subject, step, at FROM traffic WHERE step = ? AND at < ? LIMIT ?)",
			func(a *args) { a.int(step).int(before).int(int64(limit)) })
		total = c.Changes()
		return total > 0, err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep traffic: %w", err)
	}
	return total, nil
}
