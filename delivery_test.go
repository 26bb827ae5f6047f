package giro_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"giro"
)

// TestCountMissed: what is said before a recovery is what it sends, in any time
// range; where not all was looked at it says so.
func TestCountMissed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		p, err := b.CreateEndpoint(ctx, b.call, giro.Endpoint{URL: "https://example.com/", Events: []string{"payout.created", "payout.failed"}, Enabled: true}, "whsec_"+string(make([]byte, 40)))
		if err != nil {
			t.Fatal(err)
		}
		const payouts = 700
		var all sync.WaitGroup
		for range payouts {
			all.Go(func() {
				if _, err := b.CreatePayoutWith(ctx, b.call, pixPayout(100), "succeeded", ""); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		events, err := b.Store.Events(ctx, giro.EventQuery{Book: b.call.Book(), Ascending: true, Limit: 5000})
		if err != nil || len(events) < 2*payouts {
			t.Fatal(len(events), err)
		}
		wanted := map[int64]bool{}
		for _, e := range events {
			wanted[e.Sequence] = p.Wants(e.Type)
		}
		// A third of them has arrived.
		var attempts []*giro.Delivery
		for i, e := range events {
			if !wanted[e.Sequence] || i%3 > 0 {
				continue
			}
			wanted[e.Sequence] = false
			attempts = append(attempts, &giro.Delivery{Endpoint: p.ID, Book: p.Book, Sequence: e.Sequence, Event: e.ID, Type: e.Type, State: giro.DeliverySucceeded, Attempts: 1, At: e.At})
		}
		now := giro.Micros(time.Now())
		leased, err := b.Store.ClaimDispatches(ctx, b.Process(), now, now+time.Hour.Microseconds(), 1, nil)
		if err != nil || len(leased) != 1 {
			t.Fatal(leased, err)
		}
		if err := b.RecordDeliveries(ctx, leased[0], attempts); err != nil {
			t.Fatal(err)
		}
		if rows, err := b.Store.Deliveries(ctx, giro.DeliveryQuery{Endpoint: p.ID, Limit: 1000}); err != nil || len(rows) != len(attempts) {
			t.Fatal(len(rows), len(attempts), err)
		}
		n := len(events)
		for _, span := range [][2]int64{
			{0, math.MaxInt64}, {events[0].At, events[n-1].At}, {events[n/2].At, math.MaxInt64}, {0, events[n/2].At}, {events[n/4].At, events[n/3].At},
			{events[n-1].At + 1, math.MaxInt64}, {0, events[0].At - 1}, {events[n-1].At, events[n-1].At},
		} {
			want := 0
			for _, e := range events {
				if e.At >= span[0] && e.At <= span[1] && wanted[e.Sequence] {
					want++
				}
			}
			if got, capped, err := b.CountMissed(ctx, p, span[0], span[1], 10_000); err != nil || capped || got != want {
				t.Errorf("%v: %d %v %v, want %d", span, got, capped, err, want)
			}
		}
		missed, _, err := b.CountMissed(ctx, p, 0, math.MaxInt64, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if got, capped, err := b.CountMissed(ctx, p, 0, math.MaxInt64, 1); err != nil || !capped || got == 0 || got >= missed {
			t.Errorf("looked at a page: %d %v %v", got, capped, err)
		}
		if got, capped, err := b.CountMissed(ctx, p, 0, math.MaxInt64, n); err != nil || capped || got != missed {
			t.Errorf("looked at all: %d %v %v, want %d", got, capped, err, missed)
		}
		if sent, err := b.RecoverEndpoint(ctx, b.call, p, 0, math.MaxInt64); err != nil || sent != missed {
			t.Errorf("%d were sent, %d were said, %v", sent, missed, err)
		}
	})
}
