package giro

import (
	"cmp"
	"slices"
	"time"

	"giro/money"
)

// RollupKey names a cell of the roll-ups: the movements of a book of one kind,
// currency, status and reason that were created in one hour, or ever.
type RollupKey struct {
	Book     Book
	Kind     Kind
	Currency money.Currency
	Hour     int64 // hours since the Unix epoch, of the movements' creation; RollupEver: of all hours
	Status   Status
	Reason   string // the failure code of failed movements
}

// Compare puts the cells in one order, that of the store's key.
func (k RollupKey) Compare(o RollupKey) int {
	return cmp.Or(cmp.Compare(k.Book, o.Book), cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Currency, o.Currency),
		cmp.Compare(k.Hour, o.Hour), cmp.Compare(k.Status, o.Status), cmp.Compare(k.Reason, o.Reason))
}

// RollupEver is the Hour of the cells that count a book's whole life, so that
// the counts beside a list do not add up years of hours.
const RollupEver int64 = 0

// Rollup is a cell, or what a batch adds to it. A movement that changes its
// status leaves one cell and enters another; one that is deleted leaves. Sums
// stop at ±RollupMax: no payment is refused for a figure's sake.
type Rollup struct {
	RollupKey
	Count    int64
	Amount   int64
	Captured int64
	Refunded int64
	Fee      int64
}

// RollupMax bounds the sums of a cell, in minor units.
const RollupMax int64 = 1 << 62

// HourOf returns the hour of an instant (µs).
func HourOf(micros int64) int64 {
	return micros / time.Hour.Microseconds()
}

// Rollups returns the cells that a movement stands in: those of its book, and of
// the book that received a transfer. A deleted one stands in none.
func (m *Movement) Rollups() []Rollup {
	if m.Deleted {
		return nil
	}
	r := Rollup{RollupKey{m.Book, m.Kind, m.Currency, HourOf(m.Created), m.Status, ""}, 1, m.Amount, m.Captured, m.Refunded, m.Fee}
	if m.Status == StatusFailed {
		r.Reason = m.Detail.FailureCode
	}
	ever := r
	ever.Hour = RollupEver
	cells := []Rollup{r, ever}
	if m.Peer != 0 {
		r.Book, ever.Book = m.Peer, m.Peer
		cells = append(cells, r, ever)
	}
	return cells
}

// Add adds another's numbers; a sum stays within ±RollupMax.
func (r *Rollup) Add(o *Rollup, sign int64) {
	r.Count += sign * o.Count
	for _, p := range [...]struct {
		to   *int64
		from int64
	}{{&r.Amount, o.Amount}, {&r.Captured, o.Captured}, {&r.Refunded, o.Refunded}, {&r.Fee, o.Fee}} {
		// Both are within ±2^62, so their sum is within the range of int64.
		*p.to = max(-RollupMax, min(RollupMax, *p.to+sign*p.from))
	}
}

// RollupCells gathers roll-ups, cell by cell.
type RollupCells map[RollupKey]*Rollup

// Add adds to the roll-up's cell, or takes from it, and returns the cell.
func (cells RollupCells) Add(r *Rollup, sign int64) *Rollup {
	c := cells[r.RollupKey]
	if c == nil {
		c = &Rollup{RollupKey: r.RollupKey}
		cells[r.RollupKey] = c
	}
	c.Add(r, sign)
	return c
}

// rollups returns what the batch adds to the cells, merged and in one order.
func (b *Batch) rollups(into []Rollup) []Rollup {
	cells := RollupCells{}
	add := func(list []Rollup, sign int64) {
		for i := range list {
			cells.Add(&list[i], sign)
		}
	}
	for id, m := range b.movements {
		if !m.New && !m.Dirty {
			continue
		}
		add(b.rolled[id], -1)
		add(m.Rollups(), 1)
	}
	for _, c := range cells {
		if c.Count != 0 || c.Amount != 0 || c.Captured != 0 || c.Refunded != 0 || c.Fee != 0 {
			into = append(into, *c)
		}
	}
	slices.SortFunc(into, func(a, c Rollup) int { return a.Compare(c.RollupKey) })
	return into
}

// RollupQuery selects cells of a book.
type RollupQuery struct {
	Book     Book
	Kinds    []Kind         // nil: all
	Currency money.Currency // empty: all
	From, To int64          // hours, To not included; both 0: the cells of all hours together
}
