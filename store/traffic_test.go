package store_test

import (
	"testing"

	"giro"
)

// TestTraffic: cells add up whoever writes them, are read by subject, step and
// time, and go by their age.
func TestTraffic(t *testing.T) {
	onAll(t, func(t *testing.T, s giro.Store) {
		ids := giro.UUIDs()
		book, endpoint := giro.RequestsOf(giro.BookOf(3, true)), ids(clock)
		hour := clock.Unix() - clock.Unix()%3600
		cell := func(subject giro.UUID, step, at, n int64) *giro.Traffic {
			c := &giro.Traffic{TrafficKey: giro.TrafficKey{Subject: subject, Step: step, At: at}}
			for i := range c.Answers {
				c.Answers[i] = n * int64(i+1)
			}
			for i := range c.Deliveries {
				c.Deliveries[i] = n * int64(i+10)
			}
			for i := range c.Took {
				c.Took[i] = n * int64(i+100)
			}
			return c
		}
		row := &giro.RequestRow{Book: giro.BookOf(3, true), ID: ids(clock), At: giro.Micros(clock), Status: 200, Data: []byte("{}")}
		for _, n := range []int64{1, 2} {
			err := s.AppendRequests(ctx, giro.RequestWrites{Rows: []*giro.RequestRow{row}, Traffic: []*giro.Traffic{cell(book, 60, hour+120, n), cell(book, 3600, hour, n), cell(book, 3600, hour+3600, n)}})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.AppendRequests(ctx, giro.RequestWrites{Traffic: []*giro.Traffic{cell(book, 3600, hour, 4)}}); err != nil {
			t.Fatal(err)
		}
		// An attempt is counted in the commit that records it.
		for range 2 {
			err := s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error {
				d := &giro.Delivery{Endpoint: endpoint, Book: 6, Sequence: 1, Event: ids(clock), Type: "charge.created", State: giro.DeliverySucceeded, Attempts: 1, At: giro.Micros(clock)}
				d.Detail.Note(giro.DeliveryAttempt{At: giro.Micros(clock), Took: 700, Status: 200})
				w := b.Writes()
				w.Deliveries = append(w.Deliveries, d)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		read := func(step, from, to int64, subjects ...giro.UUID) []*giro.Traffic {
			t.Helper()
			found, err := s.Traffic(ctx, giro.TrafficQuery{Subjects: subjects, Step: step, From: from, To: to})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		same := func(got []*giro.Traffic, want ...*giro.Traffic) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("%d cells, want %d", len(got), len(want))
			}
			for i := range want {
				if *got[i] != *want[i] {
					t.Errorf("cell %d is %+v, want %+v", i, *got[i], *want[i])
				}
			}
		}
		same(read(60, hour, hour+3600, book), cell(book, 60, hour+120, 3))
		same(read(3600, hour, hour+7200, book), cell(book, 3600, hour, 7), cell(book, 3600, hour+3600, 3))
		same(read(3600, hour, hour+3600, book), cell(book, 3600, hour, 7))
		same(read(3600, hour, hour+3600))
		attempts := &giro.Traffic{TrafficKey: giro.TrafficKey{Subject: endpoint, Step: 3600, At: hour}}
		attempts.Note(200, 700)
		attempts.Note(200, 700)
		attempts.Deliveries[giro.DeliveredFirst] = 2
		same(read(3600, hour, hour+1, endpoint), attempts)
		if got := read(3600, hour, hour+7200, endpoint, book); len(got) != 3 {
			t.Errorf("%d cells of both", len(got))
		}
		for _, sweep := range []struct {
			step, before int64
			limit, gone  int
		}{{3600, hour, 9, 0}, {60, hour + 180, 9, 1}, {3600, hour + 3601, 2, 2}, {3600, hour + 3601, 9, 1}} {
			if n, err := s.SweepTraffic(ctx, sweep.step, sweep.before, sweep.limit); err != nil || n != sweep.gone {
				t.Errorf("swept %d %v, want %d", n, err, sweep.gone)
			}
		}
	})
}
