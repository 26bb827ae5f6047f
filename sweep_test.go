package giro_test

import (
	"testing"
	"time"

	"giro"
)

// TestSweptEvents: old events go, their sequence goes on, and the books still
// add up without them.
func TestSweptEvents(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		target, err := b.CreateAccount(ctx, b.call, "a", "BRL", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		transfer := func() {
			t.Helper()
			if _, err := b.CreateTransfer(ctx, b.call, giro.Request{Amount: 5, Currency: "BRL", Destination: target.ID}); err != nil {
				t.Fatal(err)
			}
		}
		left := func() (first, last int64, n int) {
			t.Helper()
			list, err := b.Store.Events(ctx, giro.EventQuery{Book: b.call.Book(), Ascending: true, Limit: 100})
			if err != nil || len(list) == 0 {
				t.Fatal(list, err)
			}
			return list[0].Sequence, list[len(list)-1].Sequence, len(list)
		}
		sweep := func(before int64, limit, want int) {
			t.Helper()
			n, err := b.Store.SweepEvents(ctx, before, limit)
			if err != nil || n != want {
				t.Fatalf("%d events went, %v; want %d", n, err, want)
			}
			b.verify(t)
		}
		for range 3 {
			transfer() // two events each
		}
		then := giro.Micros(b.Now())
		transfer()
		sweep(0, 100, 0)
		sweep(then, 4, 4) // a step
		if first, last, n := left(); first != 5 || last != 8 || n != 4 {
			t.Errorf("%d events from %d to %d are left", n, first, last)
		}
		sweep(then, 100, 2)
		sweep(then, 100, 0)
		// The last one stays, whatever its age: the sequence never begins again.
		sweep(giro.Micros(b.Now().Add(time.Hour)), 100, 1)
		if first, last, n := left(); first != 8 || last != 8 || n != 1 {
			t.Errorf("%d events from %d to %d are left", n, first, last)
		}
		transfer()
		if first, last, n := left(); first != 8 || last != 10 || n != 3 {
			t.Errorf("%d events from %d to %d are there after another change", n, first, last)
		}
	})
}
