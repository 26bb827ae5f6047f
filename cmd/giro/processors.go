package main

import (
	"os"
	"runtime"
)

// spareProcessors are how many more of Go's processors there are than the
// machine has, beside the embedded store. A goroutine in a system call keeps its
// processor for a while; whoever puts commits on the disk is in a sync half of the
// time, and the one that copies the log is busy for tens of milliseconds. On two
// processors these two leave none on which anybody looks whether a request has
// come: Go does that from aside, every 10 ms. With a spare one for each, the system
// shares the machine out.
const spareProcessors = 2

// spareForSyncs adds the spare processors. An operator's GOMAXPROCS stands.
func spareForSyncs() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareProcessors)
	}
}
