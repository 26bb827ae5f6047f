package store_test

import (
	"testing"

	"giro"
	"giro/internal/pgtest"
	"giro/store"
)

func init() {
	stores["postgres"] = func(t *testing.T) giro.Store { return openPostgres(t, pgtest.Open(t), options()) }
}

func openPostgres(t *testing.T, url string, o store.Options) *store.Postgres {
	t.Helper()
	p, err := store.OpenPostgres(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
