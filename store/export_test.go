package store

import (
	"context"
	"os"
	"time"

	"zombiezen.com/go/sqlite"

	"giro"
)

// SettleWithin changes how long the outcome of a lost COMMIT is asked for.
func (p *Postgres) SettleWithin(d time.Duration) { p.settleWithin = d }

// HoldLong keeps long reads waiting until it is released.
func (s *SQLite) HoldLong() (release func()) { return hold(s.long) }

// HoldLong keeps long reads waiting until it is released.
func (p *Postgres) HoldLong() (release func()) { return hold(p.long) }

func hold(turn chan struct{}) (release func()) {
	turn <- struct{}{}
	return func() { <-turn }
}

// Lock is the file whose lock keeps other processes from writing.
func (s *SQLite) Lock() *os.File { return s.lock }

// tight are limits at which a few rows already fill a page, leave the window and
// are cut into pieces.
var tight = limits{page: 2, window: 1, pieceLeast: 1, pieceMost: 2, places: 1, suspects: 1}

// VerifyTight is Verify that reads little at once.
func (s *SQLite) VerifyTight(ctx context.Context) (*giro.Report, error) { return s.verify(ctx, tight) }

// VerifyTight is Verify that reads little at once.
func (p *Postgres) VerifyTight(ctx context.Context) (*giro.Report, error) {
	return p.verify(ctx, tight)
}

// Patience is how long a reader of Verify may wait for the others.
func (p *Postgres) Patience(ctx context.Context) (patience string, err error) {
	err = p.reader(ctx, func(r prover) error {
		return r.(*postgresProver).tx.QueryRow(ctx, "SHOW idle_in_transaction_session_timeout").Scan(&patience)
	})
	return patience, err
}

// Named is Verify without its quick half.
func (s *SQLite) Named(ctx context.Context) (report *giro.Report, err error) {
	err = s.snapshot(ctx, func(c *sqlite.Conn) error {
		report, _, err = verify(sqliteAudit{c}, nil)
		return err
	})
	return report, err
}

// Turns hands out so many pieces of a verification; -1: none is left.
func Turns(pieces int) (after func(last int) int) {
	return (&turns{taken: make([]bool, pieces)}).after
}
