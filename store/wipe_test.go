package store

import (
	"testing"

	"zombiezen.com/go/sqlite"

	"giro/internal/pgtest"
)

// A live book, and the installation's, cannot even be said to be wiped.
func TestNoLiveBookIsWiped(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, merchant, hash string, do func(sql string) error) {
		for _, book := range []string{"1", "2", "3"} {
			if err := do("INSERT INTO book (book, merchant, sequence, hash, ledger_at, events, charges, refunds, payouts, transfers, clock) VALUES (" + book + ", " + merchant + ", 0, " + hash + ", 0, 0, 0, 0, 0, 0, 0)"); err != nil {
				t.Fatal(err)
			}
			err := do("UPDATE book SET wiping = 1 WHERE book = " + book)
			if test := book == "2"; test != (err == nil) {
				t.Errorf("book %s: %v", book, err)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		s, err := OpenSQLite(t.TempDir()+"/giro.db", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		check(t, "zeroblob(16)", "zeroblob(32)", func(sql string) error {
			return s.write(t.Context(), func(c *sqlite.Conn) (bool, error) {
				err := exec(c, sql, func(*args) {})
				return err == nil, err
			})
		})
	})
	t.Run("postgres", func(t *testing.T) {
		p, err := OpenPostgres(t.Context(), pgtest.Open(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		check(t, "gen_random_uuid()", "decode(repeat('00', 32), 'hex')", func(sql string) error {
			_, err := p.pool.Exec(t.Context(), sql)
			return err
		})
	})
}
