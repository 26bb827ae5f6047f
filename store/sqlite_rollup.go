package store

import (
	"context"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"giro"
	"giro/money"
)

const rollupColumns = "book, kind, currency, hour, status, reason, n, amount, captured, refunded, fee"

func (r *row) rollup() giro.Rollup {
	book := giro.Book(r.int())
	return r.rollupOf(book, words{})
}

// words are texts that occur in many rows: each is made into a string once.
type words map[string]string

func (w words) next(r *row) string {
	var scratch [64]byte
	n := r.stmt.ColumnLen(r.n)
	if n > len(scratch) {
		return r.text()
	}
	b := scratch[:r.stmt.ColumnBytes(r.n, scratch[:n])]
	r.n++
	return w.of(b)
}

func (w words) of(b []byte) string {
	if s, known := w[string(b)]; known { // no string is made to look
		return s
	}
	s := string(b)
	w[s] = s
	return s
}

// rollupOf reads a cell but for its book. A page of figures reads ten thousand of
// them, with a handful of words.
func (r *row) rollupOf(book giro.Book, w words) (v giro.Rollup) {
	v.Book, v.Kind, v.Currency, v.Hour = book, giro.Kind(w.next(r)), money.Currency(w.next(r)), r.int()
	v.Status, v.Reason = giro.Status(w.next(r)), w.next(r)
	v.Count, v.Amount, v.Captured, v.Refunded, v.Fee = r.int(), r.int(), r.int(), r.int(), r.int()
	return v
}

// saveRollups adds to the cells. Sums stop at ±2^62: an addition of two such
// numbers stays an integer, and no figure ever refuses a payment.
func saveRollups(c *sqlite.Conn, cells []giro.Rollup) error {
	const most = "4611686018427387904"
	for i := range cells {
		v := &cells[i]
		err := exec(c, "INSERT INTO rollup ("+rollupColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (book, kind, currency, hour, status, reason) DO UPDATE SET n = n + excluded.n,
			amount = max(-`+most+`, min(`+most+`, amount + excluded.amount)), captured = max(-`+most+`, min(`+most+`, captured + excluded.captured)),
			refunded = max(-`+most+`, min(`+most+`, refunded + excluded.refunded)), fee = max(-`+most+`, min(`+most+`, fee + excluded.fee))`, func(a *args) {
			a.int(int64(v.Book)).text(string(v.Kind)).text(string(v.Currency)).int(v.Hour).text(string(v.Status)).text(v.Reason)
			a.int(v.Count).int(v.Amount).int(v.Captured).int(v.Refunded).int(v.Fee)
		})
		if err != nil {
			return fmt.Errorf("write roll-up: %w", err)
		}
	}
	return nil
}

// Rollups implements giro.Store.
func (s *SQLite) Rollups(ctx context.Context, q giro.RollupQuery) (found []giro.Rollup, err error) {
	kinds := q.Kinds
	if len(kinds) == 0 {
		kinds = giro.Kinds
	}
	w := &where{}
	w.add("book = ?", func(a *args) { a.int(int64(q.Book)) })
	w.add("kind IN ("+placeholders(len(kinds))+")", func(a *args) {
		for _, k := range kinds {
			a.text(string(k))
		}
	})
	index, ever := "", q.From == 0 && q.To == 0
	switch {
	case q.Currency != "":
		w.add("currency = ?", func(a *args) { a.text(string(q.Currency)) })
	case !ever: // by their names, so that the index leads to the hours of each
		w.add("currency IN (SELECT currency FROM rollup INDEXED BY rollup_ever WHERE book = ? AND hour = 0)", func(a *args) { a.int(int64(q.Book)) })
	}
	if ever {
		w.add("hour = 0", nil)
		index = " INDEXED BY rollup_ever"
	} else {
		w.add("hour >= ? AND hour < ? AND hour > 0", func(a *args) { a.int(q.From).int(q.To) })
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		seen := words{}
		found, err = many(c, "SELECT "+strings.TrimPrefix(rollupColumns, "book, ")+" FROM rollup"+index+w.String(), w.bind, plain(func(r *row) giro.Rollup { return r.rollupOf(q.Book, seen) }))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read roll-ups: %w", err)
	}
	return found, nil
}

func (s sqliteAudit) rollups(each func(giro.Rollup) error) error {
	return query(s.c, "SELECT "+rollupColumns+" FROM rollup", nil, func(r *row) error { return each(r.rollup()) })
}
