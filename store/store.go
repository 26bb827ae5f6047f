// Package store is giro.Store on SQLite and on PostgreSQL: hand-written SQL for
// each, one suite of tests and one Verify for both.
package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"giro"
)

// Options are what a store does not decide by itself.
type Options struct {
	Now   func() time.Time         // real time; nil: the system's
	NewID func(at int64) giro.UUID // a new id of an instant (µs); nil: giro.UUIDs
	Salt  func() uint32            // fills the ids of ledger transactions and events; nil: random
	// ReadOnly opens an existing store for Verify, Backup and the readers alone,
	// beside a process that writes to it.
	ReadOnly bool
	// Loading fills a store that whoever fills it would begin anew after a crash:
	// on SQLite commits are not synced before Close, and the writer keeps more of
	// the database in memory. Nothing that was acknowledged to anybody belongs
	// into such a store before that.
	Loading bool
	// Doubt is told where the quick half of Verify gave up, and the other half
	// found nothing: the report is sound, and was slow. nil: nobody.
	Doubt func(error)
}

// encode writes a value of the domain as the JSON of its column.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// trafficNumbers are the columns of giro.Traffic that count, in the order of
// its fields.
var trafficNumbers = func() []string {
	names := []string{"answer_none", "answer_2xx", "answer_3xx", "answer_4xx", "answer_5xx", "delivered_1", "delivered_2", "delivered_3", "given_up"}
	for i := range len(giro.Traffic{}.Took) {
		names = append(names, "took_"+strconv.Itoa(i))
	}
	return names
}()

var trafficColumns = "subject, step, at, " + strings.Join(trafficNumbers, ", ")

// trafficAdds is the assignment that adds what is inserted to what is there.
var trafficAdds = func() string {
	var adds []string
	for _, name := range trafficNumbers {
		adds = append(adds, name+" = traffic."+name+" + excluded."+name)
	}
	return "ON CONFLICT (subject, step, at) DO UPDATE SET " + strings.Join(adds, ", ")
}()

// numbers returns the counts of a cell, in the order of trafficNumbers.
func numbers(t *giro.Traffic) []*int64 {
	list := make([]*int64, 0, len(trafficNumbers))
	for _, part := range [][]int64{t.Answers[:], t.Deliveries[:], t.Took[:]} {
		for i := range part {
			list = append(list, &part[i])
		}
	}
	return list
}

// accountIndex returns the index that has all accounts of these roles and not many
// others, of which there may be very many, and its condition; "": none has.
func accountIndex(roles []giro.Role) (name, condition string) {
	switch {
	case len(roles) == 0:
	case !slices.Contains(roles, giro.RoleSub) && !slices.Contains(roles, giro.RoleSubReserved):
		return "account_main", "role NOT IN ('sub', 'sub_reserved')"
	case !slices.ContainsFunc(roles, func(r giro.Role) bool { return r != giro.RoleAvailable && r != giro.RoleSub }):
		return "account_listed", "role IN ('available', 'sub')"
	}
	return "", ""
}

// longRead reports whether much is read for any page of q. One such list is read
// at a time, so that they do not take the readers from everything else.
func longRead(q *giro.MovementQuery) bool { return wholeSort(q) || q.Skip > longSkip }

// wholeSort reports whether q is sorted by what no index has, so that all that it
// selects is read: seconds, where no time bounds it.
func wholeSort(q *giro.MovementQuery) bool { return q.Sort == "amount" || q.Sort == "updated" }

// longSkip is how many rows are stepped over in some milliseconds.
const longSkip = 20_000

// newestOfLast turns terms that were read upwards, at most limit, into the order
// of FindTerms: the ids of each downwards. The last one may be of millions of
// objects of which the first were read, so its newest are read in their place.
func newestOfLast(found []giro.Term, limit int, newest func(term string, limit int) ([]giro.Term, error)) ([]giro.Term, error) {
	begin := 0
	for i := range found {
		if found[i].Term != found[begin].Term {
			slices.Reverse(found[begin:i])
			begin = i
		}
	}
	if len(found) < limit {
		slices.Reverse(found[begin:])
		return found, nil
	}
	last, err := newest(found[begin].Term, limit-begin)
	return append(found[:begin], last...), err
}

// member writes a member of an object as encode does.
func member(k, v string) string {
	b, err := json.Marshal(map[string]string{k: v})
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return string(b[1 : len(b)-1])
}

// detailSize is more than most details take.
const detailSize = 1024

// encodeDetails returns each movement's detail as its column has it.
func encodeDetails(movements []*giro.Movement) ([]string, error) {
	details, scratch := make([]string, len(movements)), make([]byte, 0, detailSize)
	for i, m := range movements {
		var err error
		scratch, err = m.Detail.AppendJSON(scratch[:0])
		if err != nil {
			return nil, fmt.Errorf("write %s %s: %w", m.Kind, m.ID, err)
		}
		details[i] = string(scratch)
	}
	return details, nil
}

// complete fills what the caller left out.
func (o Options) complete() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		ids := giro.UUIDs()
		o.NewID = func(at int64) giro.UUID { return ids(giro.TimeOf(at)) }
	}
	if o.Salt == nil {
		o.Salt = rand.Uint32
	}
	return o
}

// writeEarly has write called, on a goroutine of its own, with what batch hands over
// early. end waits for the last call and returns the first error; until then the
// connection is write's.
func writeEarly(batch *giro.Batch, write func(*giro.Writes) error) (end func() error) {
	var parts chan *giro.Writes
	var done chan error
	batch.WriteEarly(func(w *giro.Writes) {
		if parts == nil {
			parts, done = make(chan *giro.Writes, 16), make(chan error, 1)
			go func() {
				var err error
				for w := range parts {
					if err == nil {
						err = write(w)
					}
				}
				done <- err
			}()
		}
		parts <- w
	})
	return func() error {
		if parts == nil {
			return nil
		}
		close(parts)
		return <-done
	}
}

// sides are the sums of a ledger transaction's entries, modulo 2^64, for the
// database's own check that they are equal.
type sides struct{ debits, credits int64 }

// pairs returns the sides of each ledger transaction of w, and fails unless the
// entries are the debit and the credit of each posting, in order.
func pairs(w *giro.Writes) ([]sides, error) {
	sums := make([]sides, len(w.Transactions))
	rest := w.Entries
	for i := range w.Transactions {
		t := &w.Transactions[i]
		for n, p := range t.Postings {
			if len(rest) < 2 {
				return nil, fmt.Errorf("ledger transaction %d of book %d: entries are missing", t.Sequence, t.Book)
			}
			debit, credit := &rest[0], &rest[1]
			rest = rest[2:]
			if debit.Account != p.Debit || debit.Sequence != t.Sequence || debit.N != 2*n || debit.Amount != -p.Amount || debit.At != t.At ||
				credit.Account != p.Credit || credit.Sequence != t.Sequence || credit.N != 2*n+1 || credit.Amount != p.Amount || credit.At != t.At {
				return nil, fmt.Errorf("ledger transaction %d of book %d: entries are not those of its postings", t.Sequence, t.Book)
			}
			sums[i].debits -= debit.Amount
			sums[i].credits += credit.Amount
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d entries without a ledger transaction", len(rest))
	}
	return sums, nil
}
