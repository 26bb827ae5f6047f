package webhook

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

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

// nextApart returns how far attempts are to be kept apart: from how far they are
// now (0: not at all), the commands per second, and the part of processor time
// in use. Where payments leave none, one attempt goes out per busyShare commands,
// and beside few payments one per apartFew; from there it becomes more, step by
// step, for as long as there is some left.
func nextApart(now time.Duration, rate int64, used float64) time.Duration {
	most := time.Second * busyShare / time.Duration(max(rate, 1))
	switch {
	case rate < fewFrom:
		return 0
	case rate < busyFrom:
		most = apartFew
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
