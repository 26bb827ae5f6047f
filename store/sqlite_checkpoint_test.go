package store

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
)

// TestALongLogBeginsAnew: where all of it is copied and nobody reads from it, and
// not before.
func TestALongLogBeginsAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenSQLite(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	written := byte(0)
	write := func() {
		t.Helper()
		written++
		err := s.write(t.Context(), func(c *sqlite.Conn) (bool, error) {
			return true, exec(c, "INSERT INTO batch (id, at) VALUES (?, 1)", func(a *args) { a.id([16]byte{written}) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// rounds is how often the log was begun anew, as its header counts.
	rounds := func() uint32 {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(dir, "giro.db-wal"))
		if err != nil || len(content) < 32 {
			t.Fatalf("a log of %d bytes: %v", len(content), err)
		}
		return binary.BigEndian.Uint32(content[12:])
	}
	count := func() (n int64) {
		t.Helper()
		err := s.read(t.Context(), func(c *sqlite.Conn) error {
			return query(c, "SELECT count(*) FROM batch", nil, func(r *row) error { n = r.int(); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	write()
	first := rounds()
	s.log.restart = 1
	err = s.snapshot(t.Context(), func(c *sqlite.Conn) error {
		if err := query(c, "SELECT count(*) FROM batch", nil, func(*row) error { return nil }); err != nil {
			return err
		}
		write()
		s.log.run(s)
		write()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := rounds(); got != first {
		t.Errorf("a log that somebody reads was begun anew: %d, before %d", got, first)
	}
	s.log.run(s)
	write()
	if got := rounds(); got != first+1 {
		t.Errorf("a long log was not begun anew once: %d, before %d", got, first)
	}
	if n := count(); n != int64(written) {
		t.Errorf("%d of %d rows are left", n, written)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenSQLite(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != int64(written) {
		t.Errorf("opened again, %d of %d rows are left", n, written)
	}
}
