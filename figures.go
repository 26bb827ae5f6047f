package giro

import (
	"cmp"
	"context"
	"slices"
	"time"

	"giro/money"
)

// Sums are what the movements of a stretch of time come to, by the hour of
// their creation and as they stand now.
type Sums struct {
	Gross           int64 // captured by charges, minor units
	Refunded        int64 // of that, given back
	Fees            int64
	Succeeded       int64 // charges that captured: succeeded or refunded since
	Failed          int64 // charges
	Charges         int64
	PayoutsSent     int64 // payouts that arrived, minor units
	PayoutsSentN    int64
	Payouts         map[Status]int64
	RefundsFinished int64 // refunds that arrived
}

// Net is what is left of the gross volume.
func (s *Sums) Net() int64 { return s.Gross - s.Refunded - s.Fees }

// SuccessRate returns succeeded ÷ (succeeded + failed) charges in hundredths of
// a percent; ok is false where there is none of either. What is pending counts
// on neither side.
func (s *Sums) SuccessRate() (bps int64, ok bool) {
	n := s.Succeeded + s.Failed
	if n == 0 {
		return 0, false
	}
	return (s.Succeeded*20_000 + n) / (2 * n), true
}

func (s *Sums) add(r *Rollup) {
	switch r.Kind {
	case KindCharge:
		s.Charges += r.Count
		s.Gross += r.Captured
		s.Refunded += r.Refunded
		s.Fees += r.Fee
		switch r.Status {
		case StatusSucceeded, StatusRefunded:
			s.Succeeded += r.Count
		case StatusFailed:
			s.Failed += r.Count
		}
	case KindRefund:
		if r.Status == StatusSucceeded {
			s.RefundsFinished += r.Count
		}
	case KindPayout:
		if s.Payouts == nil {
			s.Payouts = map[Status]int64{}
		}
		s.Payouts[r.Status] += r.Count
		if r.Status == StatusSucceeded {
			s.PayoutsSent += r.Captured
			s.PayoutsSentN += r.Count
		}
	}
}

// Bucket is one bar of a chart.
type Bucket struct {
	At, End int64 // µs; End not included
	Sums
}

// Tally counts the movements of one kind and status.
type Tally struct {
	Kind     Kind
	Status   Status
	Reason   string
	Count    int64
	Amount   int64
	Captured int64
	Refunded int64
}

// Figures are the numbers of a book in one currency over a stretch of time.
type Figures struct {
	Currency money.Currency
	Begin    int64 // µs, whole hours
	End      int64 // µs, not included
	Now      int64 // µs, of the book's clock
	Totals   Sums
	Series   []Bucket
	ByStatus []Tally
	Failures []Tally // of failed movements, by kind and reason, most first

	PreviousBegin int64 // µs; zero: not asked for
	Previous      Sums
	PreviousTimes []Bucket
}

// Span is a stretch of time for figures.
type Span struct {
	From, To int64 // µs
	Zone     *time.Location
	Hourly   bool // bars of an hour; else of a day in Zone
	Compare  bool // with the stretch of the same length before
}

// buckets cuts a stretch into bars.
func (p Span) buckets(from, to int64) []Bucket {
	var list []Bucket
	for at := from; at < to; {
		end := at + time.Hour.Microseconds()
		if !p.Hourly {
			t := TimeOf(at).In(p.Zone)
			end = Micros(time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, p.Zone))
			if end <= at { // a day that a change of the clocks has eaten
				end = at + 24*time.Hour.Microseconds()
			}
		}
		list = append(list, Bucket{At: at, End: min(end, to)})
		at = end
	}
	return list
}

// Figures adds up the roll-ups of a book. From is taken back, and To put
// forward, to a whole hour: that is how fine roll-ups are. A bar holds the hours
// that begin in it.
func (e *Engine) Figures(ctx context.Context, book Book, currency money.Currency, p Span) (*Figures, error) {
	hour := time.Hour.Microseconds()
	f := &Figures{Currency: currency, Begin: p.From - p.From%hour, End: (p.To + hour - 1) / hour * hour, Now: Micros(e.Now())}
	head, err := e.Store.Head(ctx, book)
	if err != nil {
		return nil, err
	}
	if head != nil {
		f.Now += head.Clock
	}
	f.Series = p.buckets(f.Begin, f.End)
	first := f.Begin
	if p.Compare {
		// By the calendar: the days before, whatever their length in hours.
		first = f.Begin - (f.End - f.Begin)
		if !p.Hourly {
			t := TimeOf(f.Begin).In(p.Zone)
			days := len(f.Series)
			first = Micros(time.Date(t.Year(), t.Month(), t.Day()-days, t.Hour(), t.Minute(), t.Second(), 0, p.Zone))
			first -= first % hour
		}
		f.PreviousBegin = first
		f.PreviousTimes = p.buckets(first, f.Begin)
	}
	cells, err := e.Store.Rollups(ctx, RollupQuery{Book: book, Currency: currency, From: HourOf(first), To: HourOf(f.End)})
	if err != nil {
		return nil, err
	}
	byStatus, byReason := map[RollupKey]*Tally{}, map[RollupKey]*Tally{}
	tally := func(m map[RollupKey]*Tally, k RollupKey, r *Rollup) {
		t := m[k]
		if t == nil {
			t = &Tally{Kind: k.Kind, Status: k.Status, Reason: k.Reason}
			m[k] = t
		}
		t.Count += r.Count
		t.Amount += r.Amount
		t.Captured += r.Captured
		t.Refunded += r.Refunded
	}
	for i := range cells {
		r := &cells[i]
		at := r.Hour * hour
		if at < f.Begin {
			f.Previous.add(r)
			place(f.PreviousTimes, at, r)
			continue
		}
		f.Totals.add(r)
		place(f.Series, at, r)
		tally(byStatus, RollupKey{Kind: r.Kind, Status: r.Status}, r)
		if r.Status == StatusFailed {
			tally(byReason, RollupKey{Kind: r.Kind, Status: r.Status, Reason: r.Reason}, r)
		}
	}
	f.ByStatus, f.Failures = tallies(byStatus), tallies(byReason)
	return f, nil
}

// place adds a cell to the bar that its hour begins in.
func place(bars []Bucket, at int64, r *Rollup) {
	i, found := slices.BinarySearchFunc(bars, at, func(b Bucket, at int64) int { return cmp.Compare(b.At, at) })
	if !found {
		i--
	}
	if i >= 0 && i < len(bars) && at < bars[i].End {
		bars[i].add(r)
	}
}

func tallies(m map[RollupKey]*Tally) []Tally {
	list := make([]Tally, 0, len(m))
	for _, t := range m {
		if t.Count != 0 {
			list = append(list, *t)
		}
	}
	slices.SortFunc(list, func(a, b Tally) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// Ever returns how many movements a book has of each kind, status and currency,
// deleted ones left out. Reasons are added up.
func (e *Engine) Ever(ctx context.Context, book Book) (map[money.Currency][]Tally, error) {
	cells, err := e.Store.Rollups(ctx, RollupQuery{Book: book})
	if err != nil {
		return nil, err
	}
	sums := map[money.Currency]map[RollupKey]*Tally{}
	for i := range cells {
		r := &cells[i]
		m := sums[r.Currency]
		if m == nil {
			m = map[RollupKey]*Tally{}
			sums[r.Currency] = m
		}
		k := RollupKey{Kind: r.Kind, Status: r.Status}
		t := m[k]
		if t == nil {
			t = &Tally{Kind: r.Kind, Status: r.Status}
			m[k] = t
		}
		t.Count += r.Count
		t.Amount += r.Amount
		t.Captured += r.Captured
		t.Refunded += r.Refunded
	}
	list := map[money.Currency][]Tally{}
	for c, m := range sums {
		list[c] = tallies(m)
	}
	return list, nil
}
