// Package store is giro.Store on SQLite and on PostgreSQL: hand-written SQL for
// each, one suite of tests and one Verify for both.
package store

import (
	"encoding/json"
	"math/rand/v2"
	"time"

	"giro"
)

// Options are what a store does not decide by itself.
type Options struct {
	Now   func() time.Time         // real time; nil: the system's
	NewID func(at int64) giro.UUID // a new id of an instant (µs); nil: giro.UUIDs
	Salt  func() uint32            // fills the ids of ledger transactions and events; nil: random
	// ReadOnly opens an existing store for Verify, Backup and the readers alone,
	// beside a process that writes to it.
	ReadOnly bool
}

// encode writes a value of the domain as the JSON of its column.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// complete fills what the caller left out.
func (o Options) complete() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		ids := giro.UUIDs()
		o.NewID = func(at int64) giro.UUID { return ids(giro.TimeOf(at)) }
	}
	if o.Salt == nil {
		o.Salt = rand.Uint32
	}
	return o
}
