// Package storetest gives tests throwaway stores: SQLite in a folder of the
// test, PostgreSQL in a database of its own (see internal/pgtest).
package storetest

import (
	"context"
	"testing"

	"giro"
	"giro/internal/pgtest"
	"giro/store"
)

// Database is where the stores of a test keep their data.
type Database struct {
	Folder string // of SQLite; else empty
	URL    string // of PostgreSQL; else empty
}

// SQLite is a new, empty folder.
func SQLite(t testing.TB) Database {
	t.Helper()
	return Database{Folder: t.TempDir()}
}

// Postgres is a new, empty database.
func Postgres(t testing.TB) Database {
	t.Helper()
	return Database{URL: pgtest.Open(t)}
}

// Fresh is another empty one of the same kind.
func (d Database) Fresh(t testing.TB) Database {
	t.Helper()
	if d.URL != "" {
		return Postgres(t)
	}
	return SQLite(t)
}

// Open opens a store, as one process does: on PostgreSQL several may be open at
// once. Whoever opens it closes it.
func (d Database) Open(t testing.TB, o store.Options) giro.Store {
	t.Helper()
	var s giro.Store
	var err error
	if d.URL != "" {
		s, err = store.OpenPostgres(context.Background(), d.URL, o)
	} else {
		s, err = store.OpenSQLite(d.Folder, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// OnBoth runs a test on each kind of database, side by side with each other and
// with other tests.
func OnBoth(t *testing.T, test func(t *testing.T, d Database)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}
