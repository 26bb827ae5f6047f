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
