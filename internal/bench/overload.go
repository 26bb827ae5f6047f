package bench

import (
	"context"
	"fmt"
	"time"
)

// floodTimes is how far beyond what the server can take the flood is.
const floodTimes = 4

// watched is how many seconds before the flood and after it are looked at, one by
// one.
const watched = 8

// floodTurns is how often the peak and the floods take turns: the machine is
// faster in one minute than in the next.
const floodTurns = 4

// overload floods the server with payouts, four times as many as it can take,
// and looks at what it still does beside what it does at its peak, in turns, at
// how soon it refuses the rest and at how long it takes to answer as before; and
// at the same of clients who wait after a refusal as long as they are told. With
// count each turn sends so many requests.
func (w *world) overload(ctx context.Context, hot bool, clients, count int, duration time.Duration, r *Result) error {
	run := func(l load) (sample, error) {
		s, err := drive(ctx, w.server.address, l, w.requests("payouts", hot))
		w.acknowledge(s)
		r.Errors += s.errors
		return s, err
	}
	few := max(clients/4, 1)
	first, err := run(load{clients: few, count: count, warm: duration / 4, duration: duration})
	if err != nil {
		return err
	}
	// At half of that, second by second, before the flood and after it.
	second := func(when string, i int) (sample, float64, error) {
		one, err := run(load{clients: few, rate: first.perSecond() / 2, count: count / watched, duration: time.Second})
		var r Result
		one.fill(&r)
		fmt.Fprintf(w.log, "second %d %s the flood: p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n", i+1, when, r.P50, r.P99, r.Max)
		return one, r.P99, err
	}
	o := &Overload{}
	r.Overload = o
	var normal sample
	worst := 10.0 // ms: what nobody calls slow
	for i := range watched {
		one, p99, err := second("before", i)
		if err != nil {
			return err
		}
		normal.add(one)
		worst = max(worst, p99)
	}
	var calm Result
	normal.fill(&calm)
	o.NormalP99 = calm.P99

	turn := duration / floodTurns
	best := load{clients: few, count: count, duration: turn}
	most := load{clients: clients, rate: floodTimes * first.perSecond(), count: count, duration: turn, cut: true}
	patient := most
	patient.obey = true
	var peak, flood, obeying sample
	var cpu time.Duration
	var commands, batches float64
	for range floodTurns { // a flood comes last: what follows is how the server gets over it
		one, err := run(patient)
		if err != nil {
			return err
		}
		obeying.add(one)
		if one, err = run(best); err != nil {
			return err
		}
		peak.add(one)
		before := w.server.figures()
		if one, err = run(most); err != nil {
			return err
		}
		flood.add(one)
		after := w.server.figures()
		cpu += after.cpu - before.cpu
		commands += after.commands - before.commands
		batches += after.batches - before.batches
		r.RSS = round(float64(after.rss)/(1<<20), 1)
	}
	errors := r.Errors
	flood.fill(r)
	r.Errors = errors
	o.Peak = round(peak.perSecond(), 1)
	o.Offered = round(float64(len(flood.all)+len(flood.refused)+flood.errors)/flood.seconds, 1)
	o.Goodput = round(flood.perSecond()/peak.perSecond(), 3)
	r.CPU = round(cpu.Seconds()*1e6/max(1, float64(r.Requests)), 1)
	r.Batch = round(commands/max(1, batches), 1)
	var polite Result
	obeying.fill(&polite)
	o.ObeyingGoodput, o.ObeyingRefused, o.ObeyingRefuseP99 = round(obeying.perSecond()/peak.perSecond(), 3), polite.Refused, polite.RefuseP99

	o.Recovered = watched
	calmly := 0 // seconds in a row that were as before
	for i := range watched {
		_, p99, err := second("after", i)
		if err != nil {
			return err
		}
		if i == 0 {
			o.AfterP99 = p99
		}
		// One second may be as before by chance, and a later one disturbed by something
		// else than the flood.
		if p99 > max(2*o.NormalP99, worst) {
			calmly = 0
		} else if calmly++; calmly == 2 && o.Recovered == watched {
			o.Recovered = i - 1
		}
	}
	return nil
}
