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
// under load, for a twelfth of the server's work. Thousands of connections live in
// stacks: a limit that left them no room would have Go do nothing but collect.
const (
	garbageRoom = 96 << 20               // bytes of garbage that may gather
	garbageMin  = 64 << 20               // bytes of it for which there is room whatever lives
	memoryLimit = 192 << 20              // bytes at which Go collects whatever the room, unless that leaves less than garbageMin
	memoryLook  = 250 * time.Millisecond // a flood fills it in less than a second
	memoryIdle  = 256 << 10              // bytes asked for between two looks: below, nothing is going on
	idleLooks   = 20                     // so many of them, and what is free goes back to the system
)

// keepMemory lets garbage gather while there is work and gives memory back when
// there is none, until ctx ends. An operator's GOGC and GOMEMLIMIT stand.
func keepMemory(ctx context.Context) {
	gc, limit := os.Getenv("GOGC") == "", os.Getenv("GOMEMLIMIT") == ""
	sample := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	bytes := func(i int) uint64 { return sample[i].Value.Uint64() }
	var asked, ceiling uint64
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
		now, live := bytes(0), bytes(1)
		// Stacks, and what else the runtime holds that is no object and not free.
		beside := bytes(4) - bytes(5) - bytes(6) - bytes(7)
		quiet := now-asked < memoryIdle
		asked = now
		switch {
		case !quiet:
			idle, given = 0, false
			// Stopping the world to say nearly the same is not worth it.
			if want := garbagePercent(live + bytes(2) + bytes(3)); gc && (want > percent*5/4 || want < percent*4/5) {
				percent = want
				debug.SetGCPercent(percent)
			}
			if want := max(memoryLimit, live+beside+garbageMin); limit && (want > ceiling*17/16 || want < ceiling*3/4) {
				ceiling = want
				debug.SetMemoryLimit(int64(ceiling))
			}
		case !given:
			if idle++; idle >= idleLooks {
				debug.FreeOSMemory()
				given = true
				metrics.Read(sample)
				asked = bytes(0)
			}
		}
	}
}

// garbagePercent is the share of what Go reads to find garbage, the objects that
// live and the roots, that may gather as garbage: never less than Go's own, and no
// more than ten times of it.
func garbagePercent(read uint64) int {
	return int(min(1000, max(100, garbageRoom*100/max(read, 1))))
}
