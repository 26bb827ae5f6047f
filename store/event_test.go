package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"giro"
	"giro/internal/storetest"
)

// TestEventsAreStoredPacked: they take less than half of their room; those that
// an older giro wrote plain are read beside them; and one that is damaged is
// named, by whoever reads it and by Verify.
func TestEventsAreStoredPacked(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		s := d.Open(t, options())
		lived(t, s)
		type place struct {
			book     giro.Book
			sequence int64
		}
		events := func() (all map[place]string, last map[giro.UUID]*giro.Event, size int) {
			t.Helper()
			all, last = map[place]string{}, map[giro.UUID]*giro.Event{}
			for _, book := range []giro.Book{2, 4} {
				list, err := s.Events(ctx, giro.EventQuery{Book: book, Ascending: true})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range list {
					all[place{book, e.Sequence}] = string(e.Data)
					last[e.Object] = e
					size += len(e.Data)
				}
			}
			return all, last, size
		}
		before, last, size := events()
		if len(before) < 80 {
			t.Fatalf("%d events", len(before))
		}
		number := behind(t, d)
		if stored := number("SELECT sum(length(data)) FROM event"); stored > int64(size)/2 {
			t.Errorf("%d events of %d bytes are stored in %d", len(before), size, stored)
		}

		rewrite := func(book giro.Book, sequence int64, data []byte) {
			t.Helper()
			literal := "x'"
			if d.URL != "" {
				literal = `'\x`
			}
			number(fmt.Sprintf("UPDATE event SET data = %s%x' WHERE book = %d AND sequence = %d RETURNING 1", literal, data, book, sequence))
		}
		// As they were stored before: every second one plain.
		for at, data := range before {
			if at.sequence%2 == 0 {
				rewrite(at.book, at.sequence, []byte(data))
			}
		}
		after, _, _ := events()
		for at, data := range before {
			if after[at] != data {
				t.Errorf("%v was %s and is %s", at, data, after[at])
			}
		}
		if r, err := s.Verify(ctx); err != nil || !r.OK {
			t.Fatalf("%+v, %v", r, err)
		}

		for _, e := range last {
			if !strings.HasPrefix(e.Type, "payout.") {
				continue
			}
			rewrite(e.Book, e.Sequence, []byte{1, 0xff, 0xff})
			if _, err := s.Events(ctx, giro.EventQuery{Book: e.Book}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("event %d of book %d", e.Sequence, e.Book)) {
				t.Errorf("a damaged event: %v", err)
			}
			r, err := s.Verify(ctx)
			if err != nil || r.OK || len(r.Faults) != 1 || !strings.Contains(r.Faults[0].Message, e.Object.ID("po")+" has a last event that cannot be read") {
				t.Errorf("a damaged event: %+v, %v", r, err)
			}
			break
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// behind opens a database behind the store's back. What it returns runs a
// statement, and returns its one number.
func behind(t *testing.T, d storetest.Database) func(statement string) int64 {
	t.Helper()
	if d.URL != "" {
		c, err := pgx.Connect(ctx, d.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(context.Background()) })
		return func(statement string) (n int64) {
			t.Helper()
			if err := c.QueryRow(ctx, statement).Scan(&n); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			return n
		}
	}
	c, err := sqlite.OpenConn(filepath.Join(d.Folder, "giro.db"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return func(statement string) int64 {
		t.Helper()
		n := int64(-1)
		err := sqlitex.ExecuteTransient(c, statement, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error { n = stmt.ColumnInt64(0); return nil }})
		if err != nil || n < 0 {
			t.Fatalf("%s: %d, %v", statement, n, err)
		}
		return n
	}
}
