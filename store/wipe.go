package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"zombiezen.com/go/sqlite"

	"giro"
)

// wipeStage is a table with data of a test book: the rows that where picks, by the
// book ($1) and, where it says so, by the time at which the wipe began ($3). They
// go in the order of key's columns, by an index that begins with what where
// picks. Where there is none, singly: each by its key.
type wipeStage struct {
	table, key, where string
	singly            bool
}

// wipeStages are all such tables, in an order in which no row is left without the
// one that it is found by: answers under a key before the events that hold them,
// entries before their accounts. What people have set up stays: keys, endpoints,
// the team, views, rates; and the audit log.
var wipeStages = []wipeStage{
	{"job", "object, kind", "book = $1", true},
	// The wipe's own key stays, and is none of these, whatever the clocks of other
	// processes say.
	{"idempotency", "key", "book = $1 AND (created < $3 OR event > 0 OR executing)", false},
	{"delivery", "endpoint, sequence", "endpoint IN (SELECT d.endpoint FROM dispatch AS d WHERE d.book = $1)", true},
	{"sandbox", "number", "book = $1", false},
	{"rollup", "kind, currency, hour, status, reason", "book = $1", false},
	{"document", "id", "kind = 'customer' AND book = $1", false},
	{"document", "id", "kind = 'source' AND book = $1", false},
	{"document", "id", "kind = 'quote' AND book = $1", false},
	{"document", "id", "kind = 'rail_message' AND book = $1", false},
	{"document", "id", "kind = 'rail_answer' AND book = $1", false},
	{"entry", "account, sequence, n", "account IN (SELECT a.id FROM account AS a WHERE a.book = $1)", true},
	{"ledger_transaction", "sequence", "book = $1", false},
	{"event", "sequence", "book = $1", false},
	{"movement", "kind, id", "book = $1", false},
	{"account", "id", "book = $1", false},
	{"term", "term, id", "book = $1", false},
	{"request", "id", "book = $1 AND at < $3", false},
}

// wipeAccounts is the stage of the accounts.
var wipeAccounts = slices.IndexFunc(wipeStages, func(w wipeStage) bool { return w.table == "account" })

// some removes the first rows, up to the one after $2 of them; nothing, where
// there are no more than that. They are named by their range: by their keys SQLite
// would look at all that the book has, again in each step.
func (w *wipeStage) some() string {
	of := " FROM " + w.table + " WHERE " + w.where
	if w.singly {
		return "DELETE FROM " + w.table + " WHERE (" + w.key + ") IN (SELECT " + w.key + of + " LIMIT $2)"
	}
	return "DELETE" + of + " AND (" + w.key + ") <= (SELECT " + w.key + of + " ORDER BY " + w.key + " LIMIT 1 OFFSET $2)"
}

// rest removes all that are left.
func (w *wipeStage) rest() string { return "DELETE FROM " + w.table + " WHERE " + w.where }

// wipeFirst lets a book ($1) stand as one whose events were all swept: its sequence
// goes on, so that what is known of an old event is not taken for a new one's. It
// comes before the rows, so that nobody makes terms and deliveries of them again.
var wipeFirst = [...]string{
	"UPDATE book SET swept = events WHERE book = $1",
	"INSERT INTO term_cursor (book, sequence) SELECT book, events FROM book WHERE book = $1 ON CONFLICT (book) DO UPDATE SET sequence = excluded.sequence",
	"UPDATE dispatch SET failing = 0, cursor = (SELECT b.events FROM book AS b WHERE b.book = $1) WHERE book = $1",
}

// wipe takes a book's wipe on from a stage; run runs a statement with the values
// of $1, $2 and $3, and returns how many rows it changed. since is what the store
// knows of the book.
func wipe(wiping *giro.BookHead, since int64, stage, limit int, run func(sql string, values ...int64) (int, error)) (next int, err error) {
	book := wiping.Book
	if book.Live() || since == 0 || since != wiping.Wiping {
		return stage, errors.New("the book is not being wiped")
	}
	if stage == 0 {
		for _, sql := range wipeFirst {
			if _, err := run(sql, int64(book), 0, 0); err != nil {
				return stage, err
			}
		}
	}
	for ; stage < len(wipeStages); stage++ {
		w := &wipeStages[stage]
		n, err := run(w.some(), int64(book), int64(limit), since)
		if err == nil && n == 0 && !w.singly {
			n, err = run(w.rest(), int64(book), 0, since)
		}
		if err != nil {
			return stage, fmt.Errorf("table %s: %w", w.table, err)
		}
		if limit -= n; limit <= 0 {
			return stage, nil // there may be more of it
		}
	}
	return giro.WipeDone, nil
}

// WipingBooks implements giro.Store.
func (s *SQLite) WipingBooks(ctx context.Context) (books []*giro.BookHead, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		books, err = many(c, "SELECT "+headColumns+" FROM book WHERE wiping <> 0 ORDER BY book", nil, plain((*row).head))
		return err
	})
	return books, err
}

// Entangled implements giro.Store.
func (s *SQLite) Entangled(ctx context.Context, book giro.Book) (found bool, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found = false
		return query(c, "SELECT 1 FROM movement WHERE peer <> 0 AND (peer = ?1 OR book = ?1) LIMIT 1", func(a *args) { a.int(int64(book)) },
			func(*row) error { found = true; return nil })
	})
	return found, err
}

// Wipe implements giro.Store.
func (s *SQLite) Wipe(ctx context.Context, wiping *giro.BookHead, stage, limit int) (next int, err error) {
	err = s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		var since int64
		err := query(c, "SELECT wiping FROM book WHERE book = ?", func(a *args) { a.int(int64(wiping.Book)) }, func(r *row) error { since = r.int(); return nil })
		if err != nil {
			return false, err
		}
		next, err = wipe(wiping, since, stage, limit, func(sql string, values ...int64) (int, error) {
			err := exec(c, strings.ReplaceAll(sql, "$", "?"), func(a *args) {
				for _, v := range values[:a.stmt.BindParamCount()] {
					a.int(v)
				}
			})
			return c.Changes(), err
		})
		if next == giro.WipeDone || next >= wipeAccounts {
			s.known.forget(wiping.Book)
		}
		return err == nil, err
	})
	if err != nil {
		return stage, fmt.Errorf("wipe book %d: %w", wiping.Book, err)
	}
	return next, nil
}

// WipingBooks is giro.Store's.
func (p *Postgres) WipingBooks(ctx context.Context) ([]*giro.BookHead, error) {
	return all(ctx, p.pool, scanHead, "SELECT "+pgBookColumns+" FROM book WHERE wiping <> 0 ORDER BY book")
}

// Entangled is giro.Store's.
func (p *Postgres) Entangled(ctx context.Context, book giro.Book) (found bool, err error) {
	err = p.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM movement WHERE peer <> 0 AND (peer = $1 OR book = $1))", int64(book)).Scan(&found)
	return found, err
}

// wipeSQL writes the values into a statement as numbers: not every one has all
// three.
func wipeSQL(sql string, values []int64) string {
	for i, v := range values {
		sql = strings.ReplaceAll(sql, "$"+strconv.Itoa(i+1), strconv.FormatInt(v, 10))
	}
	return sql
}

// pgWipeByRows lets a step end with its last row: a bitmap is made of all that
// there are.
const pgWipeByRows = "SET LOCAL enable_bitmapscan = off"

// Wipe is giro.Store's. The lock on the book keeps it from being opened again
// between the look and the removal.
func (p *Postgres) Wipe(ctx context.Context, wiping *giro.BookHead, stage, limit int) (next int, err error) {
	err = pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		var since int64
		err := tx.QueryRow(ctx, "SELECT coalesce(max(wiping), 0) FROM (SELECT wiping FROM book WHERE book = $1 FOR UPDATE) held", int64(wiping.Book)).Scan(&since)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, pgWipeByRows); err != nil {
			return err
		}
		next, err = wipe(wiping, since, stage, limit, func(sql string, values ...int64) (int, error) {
			tag, err := tx.Exec(ctx, wipeSQL(sql, values))
			return int(tag.RowsAffected()), err
		})
		return err
	})
	if err != nil {
		return stage, fmt.Errorf("wipe book %d: %w", wiping.Book, err)
	}
	return next, nil
}
