package store

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"giro"
)

// durable puts the writer's commits on the disk, beside the writer. A COMMIT
// leaves its frames in the log's file and returns; whoever is to tell somebody of
// it, or of what he has read meanwhile, waits here first. So the next batch is
// decided while the disk works, and one sync does for all that were committed
// before it.
//
// After a sync that failed nobody knows what the disk has: nothing is told any
// more, and nothing written, until the store is opened anew.
type durable struct {
	number int64    // among durables
	log    *os.File // the writer's, by a descriptor of its own; nil: commits are synced as they come
	sync   func(*os.File) error
	placed atomic.Int64 // commits whose frames are in the file; counted before anybody can see them
	synced atomic.Int64 // of those, the ones that are on the disk
	mu     sync.Mutex   // held while the file is synced
	failed atomic.Pointer[error]
}

// durables are those that writers' logs report to, by number. A log lies in
// memory that is not Go's, so it knows a number.
var durables struct {
	sync.Map // int64 → *durable
	last     atomic.Int64
}

func newDurable() *durable {
	d := &durable{number: durables.last.Add(1), sync: syncLog}
	durables.Store(d.number, d)
	return d
}

// forget is called when the writer's log is closed.
func (d *durable) forget() { durables.Delete(d.number) }

// open begins to put commits on the disk. What another process left in the log is
// put there first: from now on it may be told.
func (d *durable) open(log *os.File) error {
	err := d.sync(log)
	if err != nil {
		return err
	}
	d.log = log
	return nil
}

// placing counts a commit whose frames are in the file. It reports whether
// somebody else puts them on the disk.
func (d *durable) placing() bool {
	if d.log == nil {
		return false
	}
	d.placed.Add(1)
	return true
}

// wait returns when all that was committed before is on the disk.
func (d *durable) wait() error {
	if d == nil || d.synced.Load() >= d.placed.Load() {
		return nil
	}
	seen := d.placed.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.synced.Load() >= seen {
		return nil
	}
	if err := d.broken(); err != nil {
		return err
	}
	seen = d.placed.Load()
	if err := d.sync(d.log); err != nil {
		err = fmt.Errorf("%w: its log could not be put on the disk, giro has to be started anew: %w", giro.ErrUnreachable, err)
		d.failed.Store(&err)
		return err
	}
	d.synced.Store(seen)
	return nil
}

// broken returns the failure of a sync, or nil.
func (d *durable) broken() error {
	if d == nil {
		return nil
	}
	if p := d.failed.Load(); p != nil {
		return *p
	}
	return nil
}
