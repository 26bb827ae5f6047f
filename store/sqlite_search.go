package store

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"giro"
)

const (
	termColumns    = "book, term, id, kind"
	requestColumns = "book, id, at, status, object, data"
)

var (
	insertTerm    = newInsertion("term", termColumns, " ON CONFLICT DO NOTHING")
	insertRequest = newInsertion("request", requestColumns, " ON CONFLICT DO NOTHING")
	saveKeyUse    = newInsertion("key_use", "key, at, address", " ON CONFLICT (key) DO UPDATE SET at = excluded.at, address = excluded.address WHERE excluded.at > key_use.at")
)

func saveTerms(c *sqlite.Conn, terms []giro.Term) error {
	err := insertTerm.rows(c, len(terms), func(a *args, i int) {
		t := &terms[i]
		a.int(int64(t.Book)).text(t.Term).id(t.ID).text(t.Kind)
	})
	if err != nil {
		return fmt.Errorf("write terms: %w", err)
	}
	return nil
}

const (
	termsFrom = "SELECT " + termColumns + " FROM term WHERE book = ? AND term >= ? AND term < ? ORDER BY term, id LIMIT +?"
	termsOf   = "SELECT " + termColumns + " FROM term WHERE book = ? AND term = ? ORDER BY id DESC LIMIT +?"
)

// FindTerms implements giro.Store. Terms order byte by byte.
func (s *SQLite) FindTerms(ctx context.Context, book giro.Book, prefix string, limit int) (found []giro.Term, err error) {
	term := plain(func(r *row) giro.Term {
		return giro.Term{Book: giro.Book(r.int()), Term: r.text(), ID: r.id(), Kind: r.text()}
	})
	err = s.snapshot(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, termsFrom, func(a *args) {
			a.int(int64(book)).text(prefix).text(prefix + "\U0010FFFF").int(int64(limit))
		}, term)
		if err != nil {
			return err
		}
		found, err = newestOfLast(found, limit, func(last string, limit int) ([]giro.Term, error) {
			return many(c, termsOf, func(a *args) { a.int(int64(book)).text(last).int(int64(limit)) }, term)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find terms: %w", err)
	}
	return found, nil
}

// TermIDs implements giro.Store. Terms are never taken back, so what was read
// after the cursor has all that the cursor says.
func (s *SQLite) TermIDs(ctx context.Context, book giro.Book, terms []string, limit int) (ids []giro.UUID, sequence int64, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		ids, sequence = nil, 0
		err := query(c, "SELECT sequence FROM term_cursor WHERE book = ?", func(a *args) { a.int(int64(book)) }, func(r *row) error { sequence = r.int(); return nil })
		for _, term := range terms {
			if err == nil {
				err = query(c, "SELECT id FROM term WHERE book = ? AND term = ? LIMIT +?", func(a *args) { a.int(int64(book)).text(term).int(int64(limit)) },
					func(r *row) error { ids = append(ids, r.id()); return nil })
			}
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("find objects by terms: %w", err)
	}
	return ids, sequence, nil
}

// TermBacklogs implements giro.Store.
func (s *SQLite) TermBacklogs(ctx context.Context, limit int) (found []giro.TermBacklog, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, "SELECT b.book, coalesce(t.sequence, 0), b.events FROM book b LEFT JOIN term_cursor t ON t.book = b.book WHERE b.events > coalesce(t.sequence, 0) ORDER BY b.book LIMIT ?",
			func(a *args) { a.int(atMost(limit)) },
			plain(func(r *row) giro.TermBacklog {
				return giro.TermBacklog{Book: giro.Book(r.int()), Sequence: r.int(), Events: r.int()}
			}))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list books without terms: %w", err)
	}
	return found, nil
}

// AddTerms implements giro.Store. One process writes, so nobody else has
// written them.
func (s *SQLite) AddTerms(ctx context.Context, book giro.Book, from, to int64, terms []giro.Term) error {
	return s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		var at int64
		err := query(c, "SELECT sequence FROM term_cursor WHERE book = ?", func(a *args) { a.int(int64(book)) }, func(r *row) error { at = r.int(); return nil })
		if err != nil || at != from {
			return false, err
		}
		if err := saveTerms(c, terms); err != nil {
			return false, err
		}
		err = exec(c, "INSERT INTO term_cursor (book, sequence) VALUES (?, ?) ON CONFLICT (book) DO UPDATE SET sequence = excluded.sequence",
			func(a *args) { a.int(int64(book)).int(to) })
		return err == nil, err
	})
}

func (r *row) request() *giro.RequestRow {
	return &giro.RequestRow{Book: giro.Book(r.int()), ID: r.id(), At: r.int(), Status: int(r.int()), Object: r.id(), Data: r.blob()}
}

// AppendRequests implements giro.Store.
func (s *SQLite) AppendRequests(ctx context.Context, w giro.RequestWrites) error {
	return s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		err := insertRequest.rows(c, len(w.Rows), func(a *args, i int) {
			r := w.Rows[i]
			a.int(int64(r.Book)).id(r.ID).int(r.At).int(int64(r.Status)).orNull(r.Object).blob(r.Data)
		})
		if err != nil {
			return false, fmt.Errorf("write the request log: %w", err)
		}
		err = saveKeyUse.rows(c, len(w.Uses), func(a *args, i int) {
			a.id(w.Uses[i].Key).int(w.Uses[i].At).text(w.Uses[i].Address)
		})
		if err != nil {
			return false, fmt.Errorf("write the uses of keys: %w", err)
		}
		return true, saveTraffic(c, w.Traffic)
	})
}

// KeyUses implements giro.Store.
func (s *SQLite) KeyUses(ctx context.Context, keys []giro.UUID) (found []giro.KeyUse, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		for _, key := range keys {
			some, err := many(c, "SELECT key, at, address FROM key_use WHERE key = ?", func(a *args) { a.id(key) },
				plain(func(r *row) giro.KeyUse { return giro.KeyUse{Key: r.id(), At: r.int(), Address: r.text()} }))
			if err != nil {
				return fmt.Errorf("read the uses of keys: %w", err)
			}
			found = append(found, some...)
		}
		return nil
	})
	return found, err
}

// Requests implements giro.Store.
func (s *SQLite) Requests(ctx context.Context, q giro.RequestQuery) (found []*giro.RequestRow, err error) {
	w := &where{}
	w.addID("object = ?", q.Object)
	w.add("book = ?", func(a *args) { a.int(int64(q.Book)) })
	w.addID("id = ?", q.ID)
	w.addID("id < ?", q.Before)
	w.addID("id >= ?", q.Since)
	if q.From != 0 || q.To != 0 {
		w.add("status BETWEEN ? AND ?", func(a *args) { a.int(int64(q.From)).int(int64(q.To)) })
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, "SELECT "+requestColumns+" FROM request"+w.String()+" ORDER BY id DESC LIMIT ?",
			func(a *args) { w.bind(a); a.int(atMost(q.Limit)) }, plain((*row).request))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the request log: %w", err)
	}
	return found, nil
}

// SweepRequests implements giro.Store.
func (s *SQLite) SweepRequests(ctx context.Context, before int64, keep, limit int) (int, error) {
	total := 0
	err := s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		total = 0
		for _, condition := range []struct {
			sql  string
			bind func(*args)
		}{
			{"at < ?", func(a *args) { a.int(before).int(int64(limit)) }},
			{"at < coalesce((SELECT at FROM request ORDER BY at DESC LIMIT 1 OFFSET ?), 0)", func(a *args) { a.int(int64(keep)).int(int64(limit)) }},
		} {
			err := exec(c, "DELETE FROM request WHERE (book, id) IN (SELECT book, id FROM request WHERE "+condition.sql+" ORDER BY at LIMIT ?)", condition.bind)
			if err != nil {
				return false, err
			}
			total += c.Changes()
		}
		return total > 0, nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep the request log: %w", err)
	}
	return total, nil
}
