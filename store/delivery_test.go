package store_test

import (
	"slices"
	"testing"

	"giro"
)

// TestDispatches: a dispatch is claimed while it has something to send, by one
// owner at a time, and what others record for it does not count.
func TestDispatches(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		write := func(set func(w *giro.Writes)) {
			t.Helper()
			if err := s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error { set(b.Writes()); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		one, two := k.id(), k.id()
		me, other := k.id(), k.id()
		m := &giro.Movement{ID: k.id(), Book: k.book, Kind: giro.KindCharge, Status: giro.StatusPending, Amount: 5, Currency: "BRL", Created: 1, Updated: 1, Version: 1, New: true}
		if err := k.write(step{m: m, event: "charge.created"}); err != nil { // event 1
			t.Fatal(err)
		}
		write(func(w *giro.Writes) {
			w.Dispatches = append(w.Dispatches,
				&giro.Dispatch{Endpoint: one, Book: k.book, On: true, New: true},
				&giro.Dispatch{Endpoint: two, Book: k.book, On: true, Cursor: 1, New: true})
		})
		write(func(w *giro.Writes) { // one that exists stays as it is
			w.Dispatches = append(w.Dispatches, &giro.Dispatch{Endpoint: one, Book: k.book, Cursor: 1, New: true})
		})
		claim := func(owner giro.UUID, now int64, limit int, ended []giro.UUID, want ...giro.UUID) []*giro.Dispatch {
			t.Helper()
			found, err := s.ClaimDispatches(ctx, owner, now, now+100, limit, ended)
			if err != nil {
				t.Fatal(err)
			}
			var got []giro.UUID
			for _, d := range found {
				got = append(got, d.Endpoint)
			}
			slices.SortFunc(got, func(a, b giro.UUID) int { return slices.Compare(a[:], b[:]) })
			slices.SortFunc(want, func(a, b giro.UUID) int { return slices.Compare(a[:], b[:]) })
			if !slices.Equal(got, want) {
				t.Fatalf("claimed %v, want %v", got, want)
			}
			return found
		}
		dispatch := func(id giro.UUID, want giro.Dispatch) {
			t.Helper()
			d, err := s.Dispatch(ctx, id)
			if err != nil || d == nil {
				t.Fatal(d, err)
			}
			want.Endpoint, want.Book = id, k.book
			if *d != want {
				t.Fatalf("%+v, want %+v", *d, want)
			}
		}
		if d, err := s.Dispatch(ctx, other); d != nil || err != nil {
			t.Fatal(d, err)
		}
		if d := claim(me, 1000, 9, nil, one); d[0].Cursor != 0 || !d[0].On || d[0].Book != k.book {
			t.Fatalf("%+v", d[0])
		}
		claim(other, 1050, 9, nil)              // leased
		claim(other, 1050, 9, []giro.UUID{one}) // not the other's to give back
		claim(me, 1050, 0, []giro.UUID{one})    // given back
		claim(other, 1060, 9, nil, one)         // until 1160
		claim(me, 1170, 9, nil, one)            // the lease has ended; until 1270
		if own, err := s.RenewDispatches(ctx, me, 1200, 1500); err != nil || !slices.Equal(own, []giro.UUID{one}) {
			t.Fatal(own, err)
		}
		if own, err := s.RenewDispatches(ctx, other, 1200, 1500); err != nil || len(own) != 0 {
			t.Fatal(own, err)
		}
		claim(other, 1400, 9, nil)

		// Progress counts from whoever holds the lease.
		progress := func(owner giro.UUID, cursor, failing int64) {
			write(func(w *giro.Writes) {
				w.Dispatches = append(w.Dispatches, &giro.Dispatch{Endpoint: one, Book: k.book, Cursor: cursor, Failing: failing, Owner: owner})
			})
		}
		progress(other, 1, 7)
		dispatch(one, giro.Dispatch{On: true})
		progress(me, 1, 7)
		dispatch(one, giro.Dispatch{On: true, Cursor: 1, Failing: 7})
		progress(me, 0, 0) // the cursor never goes back
		dispatch(one, giro.Dispatch{On: true, Cursor: 1})
		claim(me, 1410, 9, []giro.UUID{one}) // nothing to send

		// A delivery that is due in the book's time.
		row := func(sequence, attempts, due int64, state giro.DeliveryState, again bool) *giro.Delivery {
			return &giro.Delivery{
				Endpoint: two, Book: k.book, Sequence: sequence, Event: k.id(), Type: "charge.created", State: state,
				Attempts: attempts, Failed: attempts, Due: due, At: 5, Again: again, Detail: giro.DeliveryDetail{URL: "https://example.com", Attempts: []giro.DeliveryAttempt{{At: 5, Status: 500}}},
			}
		}
		deliver := func(rows ...*giro.Delivery) {
			t.Helper()
			write(func(w *giro.Writes) { w.Deliveries = append(w.Deliveries, rows...) })
		}
		deliver(row(1, 1, 2000, giro.DeliveryPending, false), row(2, 1, 0, giro.DeliverySucceeded, false), row(3, 1, 3000, giro.DeliveryPending, false))
		claim(me, 1999, 9, nil)
		claim(me, 2000, 9, nil, two)
		claim(me, 2010, 0, []giro.UUID{two})
		k.head.Clock.Ahead = 500 // the book's clock is ahead
		if err := k.write(); err != nil {
			t.Fatal(err)
		}
		claim(me, 1500, 9, nil, two)
		get := func(q giro.DeliveryQuery, want ...int64) []*giro.Delivery {
			t.Helper()
			q.Endpoint = two
			found, err := s.Deliveries(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, d := range found {
				got = append(got, d.Sequence)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%+v: %v, want %v", q, got, want)
			}
			return found
		}
		get(giro.DeliveryQuery{}, 3, 2, 1)
		get(giro.DeliveryQuery{Limit: 2}, 3, 2)
		get(giro.DeliveryQuery{Before: 3}, 2, 1)
		get(giro.DeliveryQuery{After: 1, Ascending: true}, 2, 3)
		get(giro.DeliveryQuery{After: 1, Before: 3}, 2)
		get(giro.DeliveryQuery{State: giro.DeliveryPending}, 3, 1)
		get(giro.DeliveryQuery{Due: 2999}, 1)
		get(giro.DeliveryQuery{Due: 3000}, 1, 3)
		if d := get(giro.DeliveryQuery{Sequence: 1}, 1)[0]; d.Detail.URL != "https://example.com" || len(d.Detail.Attempts) != 1 || d.Due != 2000 || d.Type != "charge.created" || d.Book != k.book {
			t.Fatalf("%+v", d)
		}

		// What was recorded first stays; what is asked for again goes again.
		deliver(row(1, 1, 0, giro.DeliverySucceeded, false))
		if d := get(giro.DeliveryQuery{Sequence: 1}, 1)[0]; d.State != giro.DeliveryPending {
			t.Fatalf("%+v", d)
		}
		deliver(row(1, 2, 0, giro.DeliveryFailed, false))
		get(giro.DeliveryQuery{State: giro.DeliveryFailed}, 1)
		get(giro.DeliveryQuery{State: giro.DeliveryPending}, 3)
		get(giro.DeliveryQuery{State: giro.DeliverySucceeded}, 2)
		if d := get(giro.DeliveryQuery{Sequence: 1}, 1)[0]; d.State != giro.DeliveryFailed || d.Attempts != 2 {
			t.Fatalf("%+v", d)
		}
		deliver(row(1, 0, 9000, giro.DeliveryPending, true), row(4, 0, 9000, giro.DeliveryPending, true))
		if d := get(giro.DeliveryQuery{Sequence: 1}, 1)[0]; d.State != giro.DeliveryPending || d.Attempts != 2 || d.Failed != 0 || d.Due != 9000 {
			t.Fatalf("%+v", d)
		}
		get(giro.DeliveryQuery{Due: 9000}, 3, 1, 4)

		// A change of the endpoint takes the lease away.
		claim(me, 10_000, 9, nil, two)
		write(func(w *giro.Writes) {
			w.Dispatches = append(w.Dispatches, &giro.Dispatch{Endpoint: two, Book: k.book, Set: true, Cursor: 1})
		})
		dispatch(two, giro.Dispatch{Cursor: 1})
		write(func(w *giro.Writes) {
			w.Dispatches = append(w.Dispatches, &giro.Dispatch{Endpoint: two, Book: k.book, Cursor: 9, Owner: me})
		})
		dispatch(two, giro.Dispatch{Cursor: 1})
		claim(me, 10_001, 9, nil) // off
		write(func(w *giro.Writes) {
			w.Dispatches = append(w.Dispatches, &giro.Dispatch{Endpoint: two, Book: k.book, On: true, Set: true, Cursor: 1})
		})
		claim(me, 10_002, 9, nil, two)
		write(func(w *giro.Writes) {
			w.Dispatches = append(w.Dispatches, &giro.Dispatch{Endpoint: two, Gone: true})
		})
		claim(me, 20_000, 9, nil)

		// Old ones are swept unless they are due.
		if n, err := s.SweepDeliveries(ctx, 5, 100); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := s.SweepDeliveries(ctx, 6, 100); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		get(giro.DeliveryQuery{}, 4, 3, 1)
	})
}

// TestNoticedEvents: an event keeps its notice, and is found by having one.
func TestNoticedEvents(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		k := newBooks(t, s, 1)
		k.alter = func(w *giro.Writes) {
			for i := range w.Events {
				if w.Events[i].Sequence == 2 {
					w.Events[i].Notice = []byte(`{"url":"https://example.com"}`)
				}
			}
		}
		m := &giro.Movement{ID: k.id(), Book: k.book, Kind: giro.KindCharge, Status: giro.StatusPending, Amount: 5, Currency: "BRL", Created: 1, Updated: 1, Version: 1, New: true}
		if err := k.write(step{m: m, event: "charge.created"}, step{m: m, event: "charge.updated"}, step{m: m, event: "charge.updated"}); err != nil {
			t.Fatal(err)
		}
		found, err := s.Events(ctx, giro.EventQuery{Book: k.book, Ascending: true, Noticed: true})
		if err != nil || len(found) != 1 || found[0].Sequence != 2 || string(found[0].Notice) != `{"url":"https://example.com"}` {
			t.Fatal(found, err)
		}
		if found, err = s.Events(ctx, giro.EventQuery{Book: k.book, Ascending: true}); err != nil || len(found) != 3 || len(found[0].Notice) != 0 {
			t.Fatal(found, err)
		}
	})
}
