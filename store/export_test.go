package store

import "time"

// SettleWithin changes how long the outcome of a lost COMMIT is asked for.
func (p *Postgres) SettleWithin(d time.Duration) { p.settleWithin = d }
