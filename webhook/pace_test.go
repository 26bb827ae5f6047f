package webhook

import (
	"runtime"
	"testing"
	"time"
)

// TestNextApart: payments come first where there is not time for both, and
// attempts get what is left.
func TestNextApart(t *testing.T) {
	t.Parallel()
	const full = time.Second * busyShare / 3000
	for _, c := range []struct {
		name string
		now  time.Duration
		rate int64
		used float64
		want time.Duration
	}{
		{"hardly any payments", full, fewFrom - 1, 1, 0},
		{"few payments, and there is time", 0, busyFrom - 1, 0.5, 0},
		{"few payments, and none is left", 0, fewFrom, 1, fewApart},
		{"few payments again", full, busyFrom - 1, 0.85, fewApart},
		{"just so many payments", 0, busyFrom, 1, busyApart},
		{"there is time", 0, 3000, 0.5, 0},
		{"there is hardly any", 0, 3000, 0.85, 0},
		{"none is left", 0, 3000, usedUp, full},
		{"still none", full, 3000, 1, full},
		{"enough for both as it is", full, 3000, 0.85, full},
		{"some is left again", full, 3000, 0.5, full * 4 / 5},
		{"hardly apart any more", apartLeast, 3000, 0.5, 0},
		{"more payments than before", full, 6000, 0.85, full / 2},
	} {
		if got := nextApart(c.now, c.rate, c.used); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestProcessorsInUse: a process that uses all of its processors is seen to.
func TestProcessorsInUse(t *testing.T) {
	done := make(chan struct{})
	defer close(done)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for {
				select {
				case <-done:
					return
				default:
				}
			}
		}()
	}
	var p processors
	p.look()
	giveUp := time.After(20 * time.Second)
	for used := 0.0; used < usedUp; used = p.look() {
		select {
		case <-time.After(paceLook):
		case <-giveUp:
			t.Fatalf("%.2f in use", used)
		}
	}
}

// TestPace: attempts that were taken open one after the other, also where that
// becomes faster or slower meanwhile, and all at once where it ends.
func TestPace(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var p pace
	if w := p.wait(now, p.take(now, 16)); w != 0 {
		t.Errorf("nothing is kept apart, and the wait is %s", w)
	}
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if (got - want).Abs() > time.Microsecond {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	p.set(now, time.Millisecond)
	one, two, three := p.take(now, 16), p.take(now, 4), p.take(now, 1)
	near("the first", p.wait(now, one), 0)
	near("the second", p.wait(now, two), 16*time.Millisecond)
	near("the third", p.wait(now, three), 20*time.Millisecond)
	now = now.Add(10 * time.Millisecond)
	near("the second, later", p.wait(now, two), 6*time.Millisecond)
	p.set(now, 100*time.Microsecond)
	near("the second, faster", p.wait(now, two), 600*time.Microsecond)
	p.set(now, 10*time.Millisecond)
	near("the third, slower", p.wait(now, three), 100*time.Millisecond)
	now = now.Add(time.Second)
	four, five := p.take(now, 1), p.take(now, 1)
	near("after a time in which nobody came", p.wait(now, four), 0)
	near("and the one after it", p.wait(now, five), 10*time.Millisecond)
	p.set(now, 0)
	near("when it ends", p.wait(now, five), 0)
}
