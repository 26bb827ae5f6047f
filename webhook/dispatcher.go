package webhook

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"giro"
)

const (
	inFlightMax = 16 // attempts at once per endpoint
	lanesMax    = 512
	leaseFor    = 3 * time.Second // of an endpoint; how soon another process takes over from one that died
	renewEvery  = time.Second
	scanIdle    = 500 * time.Millisecond // retries that become due, and commits of other processes, wake nobody
	scanGap     = 10 * time.Millisecond  // between two scans, at least
	scanGapBusy = 100 * time.Millisecond // where payments need the machine
	turnFor     = 2 * time.Second        // of a lane, where others wait for one
	stopWithin  = 5 * time.Second        // attempts under way have so long when the dispatcher ends

	deliveriesKept = 30 * 24 * time.Hour
	sweepEvery     = 10 * time.Second
	sweepStep      = 1000
)

// Dispatcher sends events to webhook endpoints, and notices to the addresses
// that movements brought themselves. Any number of processes may run one over
// the same store: each endpoint is served by whoever leases it, and everything
// that has to be known after a crash is in the store. An attempt is made at
// least once for every event of an enabled endpoint; one whose outcome was
// recorded is not made again before it is due.
//
// The exported fields are set before Run and not changed after it.
type Dispatcher struct {
	Engine *giro.Engine
	Client *Client
	Logf   func(format string, args ...any)
	// SignNotice returns the headers of one attempt to send a notice.
	SignNotice func(book giro.Book, profile string, at time.Time, body []byte) (http.Header, error)
	// Lanes is how many endpoints are served at once; 0: 512.
	Lanes int

	mu      sync.Mutex
	lanes   map[giro.UUID]*lane
	ended   []giro.UUID // leases to give back
	crowded atomic.Bool // endpoints may be waiting for a lane
	wake    chan struct{}
	busy    atomic.Bool // attempts are kept apart
	pace    pace
	running sync.WaitGroup
	posts   context.Context // ends when attempts under way are given up
}

// Run sends until ctx ends, then lets attempts under way finish for at most five
// seconds. The engine has to run until Run has returned.
func (d *Dispatcher) Run(ctx context.Context) {
	if d.Lanes == 0 {
		d.Lanes = lanesMax
	}
	if d.Logf == nil {
		d.Logf = func(string, ...any) {}
	}
	d.lanes, d.wake = map[giro.UUID]*lane{}, make(chan struct{}, 1)
	posts, giveUp := context.WithCancel(context.Background())
	d.posts = posts
	defer giveUp()

	idle := time.NewTimer(scanIdle)
	defer idle.Stop()
	go d.watch(posts)
	var renewed, swept, next time.Time
	for {
		committed := d.Engine.Committed() // before the scan, so that no commit falls between
		if wait := time.Until(next); wait > 0 {
			idle.Reset(wait)
			select {
			case <-idle.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			break
		}
		if time.Since(renewed) > renewEvery {
			renewed = time.Now()
			d.renew(ctx)
		}
		if time.Since(swept) > sweepEvery {
			swept = time.Now()
			if _, err := d.Engine.Store.SweepDeliveries(ctx, giro.Micros(d.Engine.Now().Add(-deliveriesKept)), sweepStep); err != nil && ctx.Err() == nil {
				d.Logf("sweep deliveries: %v", err)
			}
		}
		began := time.Now()
		d.scan(ctx)
		// However many endpoints there are, looking through them takes a tenth of
		// the time at most.
		gap := scanGap
		if d.busy.Load() {
			gap = scanGapBusy
		}
		next = time.Now().Add(max(gap, 9*time.Since(began)))
		idle.Reset(scanIdle)
		select {
		case <-committed:
		case <-d.wake:
		case <-idle.C:
		case <-ctx.Done():
		}
	}
	d.mu.Lock()
	for _, l := range d.lanes {
		l.stop()
	}
	d.mu.Unlock()
	patience := time.AfterFunc(stopWithin, giveUp)
	defer patience.Stop()
	d.running.Wait()
	d.claim(context.WithoutCancel(ctx), 0)
}

// scan starts a lane for each endpoint that has something to send.
func (d *Dispatcher) scan(ctx context.Context) {
	if d.Engine.Healthy() != nil {
		return
	}
	d.mu.Lock()
	free := d.Lanes - len(d.lanes)
	d.mu.Unlock()
	found := d.claim(ctx, free)
	d.crowded.Store(len(found) >= free)
	for _, p := range found {
		d.mu.Lock()
		if d.lanes[p.Endpoint] != nil {
			// Its lane is about to end: the endpoint was changed under it.
			d.ended = append(d.ended, p.Endpoint)
			d.mu.Unlock()
			continue
		}
		l := newLane(d, p)
		d.lanes[p.Endpoint] = l
		d.running.Add(1)
		d.mu.Unlock()
		go func() {
			defer d.running.Done()
			l.run()
			d.mu.Lock()
			delete(d.lanes, p.Endpoint)
			d.ended = append(d.ended, p.Endpoint)
			d.mu.Unlock()
			select {
			case d.wake <- struct{}{}:
			default:
			}
		}()
	}
}

// claim gives back the leases of lanes that have ended and takes new ones.
func (d *Dispatcher) claim(ctx context.Context, limit int) []*giro.Dispatch {
	d.mu.Lock()
	ended := d.ended
	d.ended = nil
	d.mu.Unlock()
	now := d.Engine.Now()
	found, err := d.Engine.Store.ClaimDispatches(ctx, d.Engine.Process(), giro.Micros(now), giro.Micros(now.Add(leaseFor)), limit, ended)
	if err != nil {
		d.mu.Lock()
		d.ended = append(d.ended, ended...)
		d.mu.Unlock()
		if ctx.Err() == nil {
			d.Logf("claim endpoints: %v", err)
		}
		return nil
	}
	return found
}

// renew puts off the end of this process's leases. A lane whose lease is lost
// sends nothing more.
func (d *Dispatcher) renew(ctx context.Context) {
	d.mu.Lock()
	none := len(d.lanes) == 0
	d.mu.Unlock()
	if none {
		return
	}
	now := d.Engine.Now()
	until := giro.Micros(now.Add(leaseFor))
	own, err := d.Engine.Store.RenewDispatches(ctx, d.Engine.Process(), giro.Micros(now), until)
	if err != nil {
		d.Logf("renew leases: %v", err) // they end by themselves if this goes on
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range own {
		if l := d.lanes[id]; l != nil {
			l.lease.Store(until)
		}
	}
}

// breath is how often a lane that waits for its receiver looks for more.
func (d *Dispatcher) breath() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return 50*time.Millisecond + time.Duration(len(d.lanes))*time.Millisecond
}
