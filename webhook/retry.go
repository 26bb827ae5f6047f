package webhook

import (
	"net/http"
	"time"
)

// Schedule says when a failed delivery is tried again.
type Schedule struct {
	delays []time.Duration
	// spread is how far a delay may lie above its nominal length; below, it is a
	// fifth for all.
	spread func(time.Duration) time.Duration
	obeys  bool // Retry-After
}

// Standard is the schedule of v1: ten attempts in about three days, each delay
// ±20 %, Retry-After obeyed.
var Standard = Schedule{
	delays: []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	},
	spread: fifth,
	obeys:  true,
}

// SmartFastPay is the schedule of the SmartFastPay dialect: five retries within
// 72 hours. Its delays only shrink, by up to 20 %, and it does not wait for
// Retry-After: both could carry the last one past the third day.
var SmartFastPay = Schedule{
	delays: []time.Duration{5 * time.Minute, 30 * time.Minute, 3 * time.Hour, 20 * time.Hour, 46 * time.Hour},
	spread: func(time.Duration) time.Duration { return 0 },
}

// RetryAfterMax is how long a receiver can put an attempt off.
const RetryAfterMax = 24 * time.Hour

func fifth(d time.Duration) time.Duration { return d / 5 }

// Attempts returns how many attempts a delivery has before it is exhausted, the
// first included.
func (s Schedule) Attempts() int { return len(s.delays) + 1 }

// Next returns how long to wait after the given number of failed attempts (1:
// the first one failed); ok is false where the delivery is exhausted.
// retryAfter is what the receiver asked for, 0 for nothing. random(n) returns a
// number in [0, n), as math/rand/v2.Int64N does.
func (s Schedule) Next(failed int, retryAfter time.Duration, random func(n int64) int64) (delay time.Duration, ok bool) {
	if failed < 1 || failed > len(s.delays) {
		return 0, false
	}
	nominal := s.delays[failed-1]
	low, high := nominal-fifth(nominal), nominal+s.spread(nominal)
	delay = low + time.Duration(random(int64(high-low)+1))
	if s.obeys {
		delay = max(delay, min(retryAfter, RetryAfterMax))
	}
	return delay, true
}

// RetryAfter reads a Retry-After header: seconds, or a date (RFC 9110 §10.2.3).
// It returns at most [RetryAfterMax], and 0 for what is absent, past, negative
// or cannot be read.
func RetryAfter(value string, now time.Time) time.Duration {
	if seconds, ok := digits(value, 9); ok {
		return min(time.Duration(seconds)*time.Second, RetryAfterMax)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), RetryAfterMax)
	}
	return 0
}
