package bench

import (
	"context"
	"fmt"
	"time"
)

// floodTimes is how far beyond what the server can take the flood is.
const floodTimes = 4

// watched is how many seconds after the flood are looked at, one by one.
const watched = 8

// overload floods the server with payouts, four times as many as it can take,
// and looks at what it still does, how soon it refuses the rest and how long it
// takes to answer as before; then the same of clients who wait after a refusal as
// long as they are told. With count each phase sends so many requests.
func (w *world) overload(ctx context.Context, hot bool, clients, count int, duration time.Duration, r *Result) error {
	run := func(l load) (sample, error) {
		s, err := drive(ctx, w.server.address, l, w.requests("payouts", hot))
		w.acknowledge(s)
		r.Errors += s.errors
		return s, err
	}
	peak, err := run(load{clients: max(clients/4, 1), count: count, warm: duration / 4, duration: duration})
	if err != nil {
		return err
	}
	o := &Overload{Peak: round(peak.perSecond(), 1)}
	r.Overload = o
	half := load{clients: max(clients/4, 1), rate: o.Peak / 2, count: count, duration: duration}
	normal, err := run(half)
	if err != nil {
		return err
	}
	var calm Result
	normal.fill(&calm)
	o.NormalP99 = calm.P99

	before := w.server.figures()
	flood, err := run(load{clients: clients, rate: floodTimes * o.Peak, count: count, duration: duration, cut: true})
	if err != nil {
		return err
	}
	after := w.server.figures()
	errors := r.Errors
	flood.fill(r)
	r.Errors = errors
	o.Offered = round(float64(len(flood.all)+len(flood.refused)+flood.errors)/flood.seconds, 1)
	o.Goodput = round(r.PerSecond/o.Peak, 3)
	r.CPU = round((after.cpu-before.cpu).Seconds()*1e6/max(1, float64(r.Requests)), 1)
	r.Batch = round((after.commands-before.commands)/max(1, after.batches-before.batches), 1)
	r.RSS = round(float64(after.rss)/(1<<20), 1)

	half.duration, half.count = time.Second, count/watched
	o.Recovered = watched
	calmly := 0 // seconds in a row that were as before
	for i := range watched {
		one, err := run(half)
		if err != nil {
			return err
		}
		var now Result
		one.fill(&now)
		if i == 0 {
			o.AfterP99 = now.P99
		}
		fmt.Fprintf(w.log, "second %d after the flood: p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n", i+1, now.P50, now.P99, now.Max)
		// One second may be as before by chance, and a later one disturbed by something
		// else than the flood.
		if now.P99 > max(2*o.NormalP99, 10) {
			calmly = 0
		} else if calmly++; calmly == 2 && o.Recovered == watched {
			o.Recovered = i - 1
		}
	}

	obeying, err := run(load{clients: clients, rate: floodTimes * o.Peak, count: count, duration: duration, cut: true, obey: true})
	if err != nil {
		return err
	}
	var polite Result
	obeying.fill(&polite)
	o.ObeyingGoodput, o.ObeyingRefused, o.ObeyingRefuseP99 = round(polite.PerSecond/o.Peak, 3), polite.Refused, polite.RefuseP99
	return nil
}
