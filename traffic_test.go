package giro

import (
	"testing"
	"time"
)

func TestTrafficWithin(t *testing.T) {
	t.Parallel()
	const ms = 1000
	for _, c := range []struct {
		name          string
		took          []int64
		p50, p95, p99 int64
	}{
		{name: "none"},
		{"one", []int64{800}, 1 * ms, 1 * ms, 1 * ms},
		{"a bound belongs to what is below it", []int64{250}, 250, 250, 250},
		{"spread over a part", []int64{60 * ms, 60 * ms, 60 * ms, 60 * ms, 60 * ms}, 80 * ms, 100 * ms, 100 * ms},
		{"two parts", append(repeated(80, 3*ms), repeated(20, 20*ms)...), 2*ms + 625, 15*ms + 7500, 15*ms + 9500},
		{"beyond the last bound", []int64{15_000 * ms}, 10_000 * ms, 10_000 * ms, 10_000 * ms},
		{"the slow tail", append(repeated(98, 0), repeated(2, 1_000*ms)...), 51, 96, 750 * ms},
	} {
		var a Traffic
		for _, took := range c.took {
			a.Note(200, took)
		}
		for percent, want := range map[int64]int64{50: c.p50, 95: c.p95, 99: c.p99} {
			got, ok := a.Within(percent)
			if got != want || ok != (len(c.took) > 0) {
				t.Errorf("%s: p%d is %d %t, want %d", c.name, percent, got, ok, want)
			}
		}
	}
}

func repeated(n int, v int64) (list []int64) {
	for range n {
		list = append(list, v)
	}
	return list
}

func TestTrafficNote(t *testing.T) {
	t.Parallel()
	var a, b Traffic
	for _, status := range []int{0, 200, 204, 301, 404, 429, 503, 599, 999, 101} {
		a.Note(status, 1)
	}
	b.Add(&a)
	b.Add(&a)
	if a.Answers != [TrafficClasses]int64{AnswerNone: 3, Answer2xx: 2, Answer3xx: 1, Answer4xx: 2, Answer5xx: 2} || b.Count() != 20 || b.Took[0] != 20 {
		t.Errorf("%+v, twice %+v", a, b)
	}
}

// TestDeliveryTraffic: an attempt counts in the hour in which it was made, a
// delivery where it ended, and what was only asked for counts nowhere.
func TestDeliveryTraffic(t *testing.T) {
	t.Parallel()
	one, two := UUID{1}, UUID{2}
	at := time.Date(2026, 3, 4, 5, 59, 59, 0, time.UTC)
	attempt := func(to UUID, state DeliveryState, attempts int64, at time.Time, status int) *Delivery {
		d := &Delivery{Endpoint: to, State: state, Attempts: attempts}
		d.Detail.Note(DeliveryAttempt{At: 1, Status: 500}) // one that was counted before
		d.Detail.Note(DeliveryAttempt{At: Micros(at), Status: status, Took: 300})
		return d
	}
	list := deliveryTraffic(nil, []*Delivery{
		attempt(two, DeliverySucceeded, 1, at, 200),
		attempt(one, DeliverySucceeded, 2, at, 204),
		attempt(one, DeliverySucceeded, 7, at, 200),
		attempt(one, DeliveryPending, 3, at, 503),
		attempt(one, DeliveryFailed, 10, at.Add(time.Second), 0),
		{Endpoint: one, State: DeliveryPending, Again: true, Detail: DeliveryDetail{Attempts: []DeliveryAttempt{{At: Micros(at), Status: 200}}}},
		{Endpoint: two, State: DeliveryPending},
	})
	hour := at.Truncate(time.Hour).Unix()
	want := []Traffic{
		{TrafficKey: TrafficKey{one, TrafficHour, hour}, Answers: [TrafficClasses]int64{Answer2xx: 2, Answer5xx: 1}, Deliveries: [TrafficEnds]int64{DeliveredSecond: 1, DeliveredLater: 1}},
		{TrafficKey: TrafficKey{one, TrafficHour, hour + 3600}, Answers: [TrafficClasses]int64{AnswerNone: 1}, Deliveries: [TrafficEnds]int64{DeliveryGivenUp: 1}},
		{TrafficKey: TrafficKey{two, TrafficHour, hour}, Answers: [TrafficClasses]int64{Answer2xx: 1}, Deliveries: [TrafficEnds]int64{DeliveredFirst: 1}},
	}
	if len(list) != len(want) {
		t.Fatalf("%d cells", len(list))
	}
	for i := range want {
		want[i].Took[2] = want[i].Count()
		if *list[i] != want[i] {
			t.Errorf("cell %d is %+v, want %+v", i, *list[i], want[i])
		}
	}
}
