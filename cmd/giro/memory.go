package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a server keeps of memory that is not in use. Go collects when garbage has
// doubled what lives; little lives here, so that would be dozens of times a second
// under load, for a twelfth of the server's work.
const (
	garbageRoom = 96 << 20  // bytes of garbage that may gather
	memoryLimit = 192 << 20 // bytes at which Go collects whatever the room, unless more than half of it lives
	memoryLook  = time.Second
	memoryIdle  = 1 << 20 // bytes asked for between two looks: below, nothing is going on
	idleLooks   = 5       // so many of them, and what is free goes back to the system
)

// keepMemory lets garbage gather while there is work and gives memory back when
// there is none, until ctx ends. An operator's GOGC and GOMEMLIMIT stand.
func keepMemory(ctx context.Context) {
	gc, limit := os.Getenv("GOGC") == "", os.Getenv("GOMEMLIMIT") == ""
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	var asked uint64
	idle, given, percent := 0, false, 0
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		live, now := max(sample[0].Value.Uint64(), 1<<20), sample[1].Value.Uint64()
		quiet := now-asked < memoryIdle
		asked = now
		switch {
		case !quiet:
			idle, given = 0, false
			// Stopping the world to say nearly the same is not worth it.
			if want := garbagePercent(live); gc && (want > percent*5/4 || want < percent*4/5) {
				percent = want
				debug.SetGCPercent(percent)
			}
			if limit {
				debug.SetMemoryLimit(int64(max(memoryLimit, 2*live)))
			}
		case !given:
			if idle++; idle >= idleLooks {
				debug.FreeOSMemory()
				given = true
				metrics.Read(sample)
				asked = sample[1].Value.Uint64()
			}
		}
	}
}

// garbagePercent is the share of what lives that may gather as garbage: never
// less than Go's own, and no more than ten times of it.
func garbagePercent(live uint64) int { return int(min(1000, max(100, garbageRoom*100/live))) }
