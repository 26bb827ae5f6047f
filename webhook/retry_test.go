package webhook_test

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"giro/webhook"
)

func lowest(int64) int64    { return 0 }
func highest(n int64) int64 { return n - 1 }
func middle(n int64) int64  { return n / 2 }

func TestStandardSchedule(t *testing.T) {
	t.Parallel()
	nominal := []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	if n := webhook.Standard.Attempts(); n != 10 {
		t.Fatalf("%d attempts, want 10", n)
	}
	for i, d := range nominal {
		for _, row := range []struct {
			name   string
			random func(int64) int64
			want   time.Duration
		}{{"lowest", lowest, d * 8 / 10}, {"highest", highest, d * 12 / 10}, {"middle", middle, d}} {
			if got, ok := webhook.Standard.Next(i+1, 0, row.random); !ok || got != row.want {
				t.Errorf("after %d failures, %s: %v %v, want %v", i+1, row.name, got, ok, row.want)
			}
		}
	}
	for _, failed := range []int{-1, 0, 10, 11} {
		if _, ok := webhook.Standard.Next(failed, time.Hour, middle); ok {
			t.Errorf("after %d failures there is another attempt", failed)
		}
	}
}

func TestStandardObeysRetryAfter(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		failed           int
		retryAfter, want time.Duration
	}{
		{1, time.Second, 5 * time.Second}, // sooner than the schedule: the schedule
		{1, time.Hour, time.Hour},
		{1, 999999 * time.Second, 24 * time.Hour},
		{9, time.Hour, 24 * time.Hour},
		{1, -time.Hour, 5 * time.Second},
	} {
		if got, ok := webhook.Standard.Next(row.failed, row.retryAfter, middle); !ok || got != row.want {
			t.Errorf("after %d failures, asked for %v: %v, want %v", row.failed, row.retryAfter, got, row.want)
		}
	}
}

func TestSmartFastPayScheduleEndsWithinThreeDays(t *testing.T) {
	t.Parallel()
	for _, random := range []func(int64) int64{lowest, middle, highest, rand.Int64N} {
		var total time.Duration
		n := 0
		for failed := 1; ; failed++ {
			d, ok := webhook.SmartFastPay.Next(failed, webhook.RetryAfterMax, random)
			if !ok {
				break
			}
			n++
			total += d
		}
		if n != 5 || total > 72*time.Hour || total < 55*time.Hour {
			t.Errorf("%d retries in %v, want 5 in at most 72 h", n, total)
		}
	}
	if d, _ := webhook.SmartFastPay.Next(1, 0, highest); d != 5*time.Minute {
		t.Errorf("the first retry comes after %v", d)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0":      0,
		"120":    2 * time.Minute,
		"86400":  24 * time.Hour,
		"999999": 24 * time.Hour,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(999 * time.Hour).Format(http.TimeFormat):  24 * time.Hour,
		"":        0,
		"-5":      0,
		"+5":      0,
		"1.5":     0,
		"5s":      0,
		"soon":    0,
		"９":       0,
		"1e9":     0,
		"120 120": 0,
	} {
		if got := webhook.RetryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
