package webhook

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Payments come before attempts where there is not processor time for both.
const (
	paceLook = 100 * time.Millisecond

	usedUp   = 0.9 // part of the processor time in use from which there is none left
	someLeft = 0.8 // and below which there is some

	fullBatch = 8 // commands in a commit: so many wait for each, and for what is written beside

	// Beside so many commands per second, which may be all that the processors
	// can do, one attempt goes out per busyShare of them, and no fewer than one per
	// busyApart. What is left goes later.
	busyFrom  = 800
	busyShare = 5
	busyApart = 3 * time.Millisecond
	// Beside fewer, whose callers would wait, attempts are so far apart, at which
	// the events of those commands go out in time; beside next to none, not at all.
	fewFrom  = 10
	fewApart = 500 * time.Microsecond

	apartLeast = 100 * time.Microsecond // closer together they need not be kept apart
)

// watch sees whether payments leave processor time, and room in the engine's
// commits. Where they do not they come first: attempts go out at a pace that they
// can bear, and the rest later.
func (d *Dispatcher) watch(ctx context.Context) {
	tick := time.NewTicker(paceLook)
	defer tick.Stop()
	batches, commands := d.Engine.BatchStats()
	var p processors
	rate := int64(0) // commands per second, lately: a commit may take longer than a look
	for apart := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b, c := d.Engine.BatchStats()
		used := p.look()
		if b > batches && (c-commands)/(b-batches) >= fullBatch {
			used = 1 // of the commits, in which outcomes are written, too
		}
		rate += ((c-commands)*int64(time.Second/paceLook) - rate) / 8
		apart = nextApart(apart, rate, used)
		d.pace.set(time.Now(), apart)
		d.busy.Store(apart != 0)
		batches, commands = b, c
	}
}

// pace keeps attempts apart. They are numbered, and open one after the other; how
// fast may change while lanes wait for theirs. The zero value keeps nothing apart.
type pace struct {
	mu    sync.Mutex
	apart time.Duration
	at    time.Time
	open  float64 // attempts that may have begun by then
	taken float64
}

// set changes how far attempts are apart; 0: not at all, whoever waits goes.
func (p *pace) set(now time.Time, apart time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	p.apart = apart
}

func (p *pace) advance(now time.Time) {
	if p.apart == 0 {
		p.open = p.taken
	} else {
		p.open += float64(now.Sub(p.at)) / float64(p.apart)
	}
	p.at = now
}

// take takes so many attempts and returns the number of the first.
func (p *pace) take(now time.Time, n int) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	first := max(p.taken, p.open) // what nobody took is gone
	p.taken = first + float64(n)
	return first
}

// wait returns how long it is until an attempt may begin, as far as is known.
func (p *pace) wait(now time.Time, number float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	return max(0, time.Duration((number-p.open)*float64(p.apart)))
}

// nextApart returns how far attempts are to be kept apart: from how far they are
// now (0: not at all), the commands per second, and the part of processor time
// in use. Where none is left they are as far apart as payments need; from there
// they become more, step by step, for as long as there is some.
func nextApart(now time.Duration, rate int64, used float64) time.Duration {
	most := fewApart
	switch {
	case rate < fewFrom:
		return 0
	case rate >= busyFrom:
		most = min(busyApart, time.Second*busyShare/time.Duration(rate))
	}
	switch {
	case used >= usedUp:
		return most
	case used < someLeft:
		if now = now * 4 / 5; now < apartLeast {
			return 0
		}
	}
	return min(now, most)
}

// processors watches how much of the processor time there is is in use: by
// everybody, where the system says so, and by this process of what it may have.
// The greater part counts, because either can be what there is none left of.
type processors struct {
	at          time.Time
	own         time.Duration
	ticks, idle int64 // of the machine
	used        float64
}

// look returns the part in use, 0 to 1, lately: each look counts half of what is
// known, the one before a quarter, and so on.
func (p *processors) look() float64 {
	now := time.Now()
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	own := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	ticks, idle := machineTicks()
	part := float64(own-p.own) / float64(now.Sub(p.at)) / float64(runtime.GOMAXPROCS(0))
	if ticks > p.ticks {
		part = max(part, 1-float64(idle-p.idle)/float64(ticks-p.ticks))
	}
	if !p.at.IsZero() {
		p.used = (p.used + min(part, 1)) / 2
	}
	p.at, p.own, p.ticks, p.idle = now, own, ticks, idle
	return p.used
}

// machineTicks returns the processor time of the machine since its start, in a
// unit of its own, and how much of it nobody used; 0 where it is not known.
func machineTicks() (all, idle int64) {
	stat, err := os.ReadFile("/proc/stat") // Linux
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line) // cpu user nice system idle iowait irq softirq steal guest guest_nice
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, 0
	}
	for i, f := range fields[1:9] { // guests are counted as users, too
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, 0
		}
		all += n
		if i == 3 || i == 4 {
			idle += n
		}
	}
	return all, idle
}
