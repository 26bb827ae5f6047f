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

// Span is a stretch of time for figures, cut into the bars of a chart.
type Span struct {
	From, To int64 // µs
	Zone     *time.Location
	Step     time.Duration // of a bar; 0: a day in Zone
	Compare  bool          // with the stretch of the same length before
}

// cuts returns where the bars of a stretch begin, and its end.
func (p Span) cuts(from, to int64) []int64 {
	var list []int64
	for at := from; at < to; {
		list = append(list, at)
		if p.Step > 0 {
			step := p.Step.Microseconds()
			at += step - at%step
			continue
		}
		t := TimeOf(at).In(p.Zone)
		end := Micros(time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, p.Zone))
		if end <= at { // a day that a change of the clocks has eaten
			end = at + 24*time.Hour.Microseconds()
		}
		at = end
	}
	return append(list, to)
}

// bar returns the bar that an instant is in; -1: it is in none.
func bar(cuts []int64, at int64) int {
	i, found := slices.BinarySearch(cuts, at)
	if !found {
		i--
	}
	if i >= len(cuts)-1 {
		return -1
	}
	return i
}

// buckets returns the bars between cuts.
func buckets(cuts []int64) []Bucket {
	list := make([]Bucket, len(cuts)-1)
	for i := range list {
		list[i].At, list[i].End = cuts[i], cuts[i+1]
	}
	return list
}

// wholeHours takes From back, and puts To forward, to a whole hour: that is how
// fine the roll-ups of movements are.
func (p *Span) wholeHours() {
	hour := time.Hour.Microseconds()
	p.From, p.To = p.From-p.From%hour, (p.To+hour-1)/hour*hour
}

// Histogram returns how many movements of a kind were created in each bar of a
// span, by the status that they have now: of one currency, or of all where it is
// empty. The span is widened to whole hours; a bar holds the hours that begin in
// it.
func (e *Engine) Histogram(ctx context.Context, book Book, kind Kind, currency money.Currency, p Span) ([]HistogramBar, error) {
	p.wholeHours()
	cells, err := e.Store.Rollups(ctx, RollupQuery{Book: book, Kinds: []Kind{kind}, Currency: currency, From: HourOf(p.From), To: HourOf(p.To)})
	if err != nil {
		return nil, err
	}
	cuts := p.cuts(p.From, p.To)
	bars := make([]HistogramBar, len(cuts)-1)
	for i := range bars {
		bars[i] = HistogramBar{At: cuts[i], End: cuts[i+1], Counts: map[Status]int64{}}
	}
	for i := range cells {
		if n := bar(cuts, cells[i].Hour*time.Hour.Microseconds()); n >= 0 {
			bars[n].Counts[cells[i].Status] += cells[i].Count
		}
	}
	return bars, nil
}

// HistogramBar is one bar of a histogram.
type HistogramBar struct {
	At, End int64 // µs; End not included
	Counts  map[Status]int64
}

// Figures adds up the roll-ups of a book. From is taken back, and To put
// forward, to a whole hour: that is how fine roll-ups are. A bar holds the hours
// that begin in it.
func (e *Engine) Figures(ctx context.Context, book Book, currency money.Currency, p Span) (*Figures, error) {
	hour := time.Hour.Microseconds()
	p.wholeHours()
	f := &Figures{Currency: currency, Begin: p.From, End: p.To, Now: Micros(e.Now())}
	head, err := e.Store.Head(ctx, book)
	if err != nil {
		return nil, err
	}
	if head != nil {
		f.Now = head.Clock.At(f.Now)
	}
	cuts := p.cuts(f.Begin, f.End)
	f.Series = buckets(cuts)
	first := f.Begin
	var before []int64
	if p.Compare {
		// By the calendar: the days before, whatever their length in hours.
		first = f.Begin - (f.End - f.Begin)
		if p.Step == 0 {
			t := TimeOf(f.Begin).In(p.Zone)
			days := len(f.Series)
			first = Micros(time.Date(t.Year(), t.Month(), t.Day()-days, t.Hour(), t.Minute(), t.Second(), 0, p.Zone))
			first -= first % hour
		}
		f.PreviousBegin = first
		before = p.cuts(first, f.Begin)
		f.PreviousTimes = buckets(before)
	}
	cells, err := e.Store.Rollups(ctx, RollupQuery{Book: book, Currency: currency, From: HourOf(first), To: HourOf(f.End)})
	if err != nil {
		return nil, err
	}
	byStatus, byReason := tallySet{}, tallySet{}
	for i := range cells {
		r := &cells[i]
		at := r.Hour * hour
		if at < f.Begin {
			f.Previous.add(r)
			if n := bar(before, at); n >= 0 {
				f.PreviousTimes[n].add(r)
			}
			continue
		}
		f.Totals.add(r)
		if n := bar(cuts, at); n >= 0 {
			f.Series[n].add(r)
		}
		byStatus.add(r, "")
		if r.Status == StatusFailed {
			byReason.add(r, r.Reason)
		}
	}
	f.ByStatus, f.Failures = byStatus.list(), byReason.list()
	return f, nil
}

// tallySet adds cells up by kind, status and reason.
type tallySet map[tallyKey]*Tally

type tallyKey struct {
	kind   Kind
	status Status
	reason string
}

func (s tallySet) add(r *Rollup, reason string) {
	k := tallyKey{r.Kind, r.Status, reason}
	t := s[k]
	if t == nil {
		t = &Tally{Kind: r.Kind, Status: r.Status, Reason: reason}
		s[k] = t
	}
	t.Count += r.Count
	t.Amount += r.Amount
	t.Captured += r.Captured
	t.Refunded += r.Refunded
}

// list returns what there is of them, most first.
func (s tallySet) list() []Tally {
	list := make([]Tally, 0, len(s))
	for _, t := range s {
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
	sums := map[money.Currency]tallySet{}
	for i := range cells {
		r := &cells[i]
		if sums[r.Currency] == nil {
			sums[r.Currency] = tallySet{}
		}
		sums[r.Currency].add(r, "")
	}
	list := map[money.Currency][]Tally{}
	for c, m := range sums {
		list[c] = m.list()
	}
	return list, nil
}
