package giro

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestClocks: whatever a test clock is told, and however much real time passes, it
// never goes back, and a job is due exactly from when it shows the job's time.
func TestClocks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := Micros(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		span := rapid.Int64Range(0, 100_000_000)
		var c Clock
		shown := c.At(now)
		type job struct{ at, due int64 }
		var jobs []job
		tell := func(to ClockChange) {
			next, shift, err := c.change(2, to, now)
			if err != nil {
				if to.Freeze || to.Reset || to.Advance > 0 || to.To.After(TimeOf(shown)) {
					t.Fatal(to, err)
				}
				return
			}
			for i, j := range jobs {
				jobs[i].due = shift.due(j.due)
				if late, now := j.due <= shift.Until, jobs[i].due <= now; late != now {
					t.Fatalf("a job is due: %v, as it was foretold: %v", now, late)
				}
			}
			c = next
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"real", "advance", "to", "freeze", "freeze to", "reset", "job"}).Draw(t, "step") {
			case "real":
				now += span.Draw(t, "by")
			case "job":
				at := shown + span.Draw(t, "at")
				jobs = append(jobs, job{at, c.due(at, now)})
			case "advance":
				tell(ClockChange{Advance: time.Duration(span.Draw(t, "by")) * time.Microsecond})
			case "to":
				tell(ClockChange{To: TimeOf(shown + span.Draw(t, "to"))})
			case "freeze":
				tell(ClockChange{Freeze: true})
			case "freeze to":
				tell(ClockChange{Freeze: true, To: TimeOf(shown + span.Draw(t, "to"))})
			case "reset":
				tell(ClockChange{Reset: true})
				if r := c.read(now); r.Ahead < 0 || r.Ahead > 0 && r.State != ClockWaiting {
					t.Fatalf("after a reset the clock shows %+v", r)
				}
			}
			if c.At(now) < shown {
				t.Fatalf("the clock went back from %d to %d", shown, c.At(now))
			}
			shown = c.At(now)
			for _, j := range jobs {
				if (j.due <= now) != (j.at <= shown) {
					t.Fatalf("at %d a job of %d is due at the real time %d, and it is %d", shown, j.at, j.due, now)
				}
			}
		}
	})
}
