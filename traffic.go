package giro

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"time"
)

// Traffic counts answers of one subject in one stretch of real time: what a book
// was answered to its requests, or what a webhook endpoint answered to attempts.
// It is a cell of a roll-up, or what a write adds to one.
type Traffic struct {
	TrafficKey
	Answers    [TrafficClasses]int64      // by the first digit of the status; AnswerNone: there was none
	Deliveries [TrafficEnds]int64         // deliveries that came to an end, of an endpoint
	Took       [len(TookBounds) + 1]int64 // answers, and attempts without one, by how long they took; the last one: longer than all bounds
}

// TrafficKey names a cell. A request counts in its minute and in its hour, an
// attempt in its hour.
type TrafficKey struct {
	Subject UUID  // an endpoint, or RequestsOf a book
	Step    int64 // seconds: a minute or an hour
	At      int64 // Unix seconds at which the stretch begins
}

// The steps of the cells, in seconds.
const (
	TrafficMinute int64 = 60
	TrafficHour   int64 = 3600
)

// Places in Traffic.Answers.
const (
	AnswerNone = iota // no whole answer: refused, lost, too late
	Answer2xx
	Answer3xx
	Answer4xx
	Answer5xx
	TrafficClasses
)

// Places in Traffic.Deliveries.
const (
	DeliveredFirst  = iota // at the first attempt
	DeliveredSecond        // at the second
	DeliveredLater         // at a later one
	DeliveryGivenUp        // not at all
	TrafficEnds
)

// TookBounds part the answers by how long they took (µs): each bound belongs to
// the part below it.
var TookBounds = [...]int64{100, 250, 500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000}

// RequestsOf is the subject of a book's requests.
func RequestsOf(book Book) (id UUID) {
	copy(id[:], "requests") // no UUIDv7 of an endpoint looks like this
	binary.BigEndian.PutUint64(id[8:], uint64(book))
	return id
}

// Note counts an answer with a status, 0 for none, that took so long (µs).
func (t *Traffic) Note(status int, took int64) {
	class := AnswerNone
	if status >= 200 && status <= 599 {
		class = status/100 - 1
	}
	t.Answers[class]++
	i, _ := slices.BinarySearch(TookBounds[:], took)
	t.Took[i]++
}

// Add adds another's numbers.
func (t *Traffic) Add(o *Traffic) {
	for i, n := range o.Answers {
		t.Answers[i] += n
	}
	for i, n := range o.Deliveries {
		t.Deliveries[i] += n
	}
	for i, n := range o.Took {
		t.Took[i] += n
	}
}

// Count returns how many answers there are, lost ones too.
func (t *Traffic) Count() (n int64) {
	for _, c := range t.Answers {
		n += c
	}
	return n
}

// Within returns the time (µs) within which so many hundredths of the answers
// were there, as if those between two bounds lay evenly; beyond the last bound,
// that bound. ok is false where nothing was answered.
func (t *Traffic) Within(percent int64) (us int64, ok bool) {
	var all int64
	for _, n := range t.Took {
		all += n
	}
	if all == 0 {
		return 0, false
	}
	rank := (all*percent + 99) / 100
	var below int64
	for i, n := range t.Took {
		if below+n < rank {
			below += n
			continue
		}
		if i == len(TookBounds) {
			break
		}
		var from int64
		if i > 0 {
			from = TookBounds[i-1]
		}
		return from + (TookBounds[i]-from)*(rank-below)/n, true
	}
	return TookBounds[len(TookBounds)-1], true
}

// TrafficCells gathers cells by their keys.
type TrafficCells map[TrafficKey]*Traffic

// At returns the cell of a subject that an instant (µs) is in.
func (c TrafficCells) At(subject UUID, step, at int64) *Traffic {
	seconds := at / time.Second.Microseconds()
	k := TrafficKey{subject, step, seconds - seconds%step}
	t := c[k]
	if t == nil {
		t = &Traffic{TrafficKey: k}
		c[k] = t
	}
	return t
}

// List returns the cells in the one order in which they are written, so that
// two processes never wait for each other.
func (c TrafficCells) List(into []*Traffic) []*Traffic {
	for _, t := range c {
		into = append(into, t)
	}
	slices.SortFunc(into, func(a, b *Traffic) int {
		return cmp.Or(slices.Compare(a.Subject[:], b.Subject[:]), cmp.Compare(a.Step, b.Step), cmp.Compare(a.At, b.At))
	})
	return into
}

// deliveryTraffic counts the attempts among deliveries that are written.
func deliveryTraffic(into []*Traffic, deliveries []*Delivery) []*Traffic {
	if len(deliveries) == 0 {
		return into
	}
	cells := TrafficCells{}
	for _, d := range deliveries {
		n := len(d.Detail.Attempts)
		if d.Again || n == 0 {
			continue
		}
		last := d.Detail.Attempts[n-1]
		t := cells.At(d.Endpoint, TrafficHour, last.At)
		t.Note(last.Status, last.Took)
		switch {
		case d.State == DeliveryFailed:
			t.Deliveries[DeliveryGivenUp]++
		case d.State == DeliverySucceeded:
			t.Deliveries[min(max(d.Attempts, 1)-1, DeliveredLater)]++
		}
	}
	return cells.List(into)
}

// TrafficQuery selects cells of subjects.
type TrafficQuery struct {
	Subjects []UUID
	Step     int64 // seconds
	From, To int64 // Unix seconds; To not included
}

// TrafficBar is the traffic of one bar of a chart.
type TrafficBar struct {
	At, End int64 // µs; End not included
	Traffic
}

// Traffic returns what was answered by each of the subjects, and by all of them
// together, in each bar of a span of real time. The span is widened to whole
// cells: minutes where its bars are shorter than an hour, else hours. A bar holds
// the cells that begin in it.
func (e *Engine) Traffic(ctx context.Context, subjects []UUID, p *Span) (all []TrafficBar, of [][]TrafficBar, err error) {
	step := TrafficHour
	if p.Step > 0 && p.Step < time.Hour {
		step = TrafficMinute
	}
	second := time.Second.Microseconds()
	p.From, p.To = p.From-p.From%(step*second), (p.To+step*second-1)/(step*second)*(step*second)
	cells, err := e.Store.Traffic(ctx, TrafficQuery{Subjects: subjects, Step: step, From: p.From / second, To: p.To / second})
	if err != nil {
		return nil, nil, err
	}
	cuts := p.cuts(p.From, p.To)
	empty := func() []TrafficBar {
		bars := make([]TrafficBar, len(cuts)-1)
		for i := range bars {
			bars[i].At, bars[i].End = cuts[i], cuts[i+1]
		}
		return bars
	}
	all, of = empty(), make([][]TrafficBar, len(subjects))
	place := make(map[UUID]int, len(subjects))
	for i, s := range subjects {
		place[s], of[i] = i, empty()
	}
	for _, t := range cells {
		if n := bar(cuts, t.At*second); n >= 0 {
			all[n].Add(t)
			of[place[t.Subject]][n].Add(t)
		}
	}
	return all, of, nil
}
