package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"giro"
)

// Sound is the quick half of Verify: it proves that everything which a store
// keeps twice agrees, and says no more than that it does or does not. What does
// not is found and named by verify, which reads all of it once more.
//
// It checks what verify checks, with the same rules (belongs, agree, told), in
// one pass over each table and in memory that does not grow with them:
//
//   - The tables of a book are read side by side in the order of time. A movement
//     lies in a window for a while, in which most of its ledger transactions,
//     refunds and events go by; what goes by outside of it, and what does not
//     agree when it leaves, is looked up.
//   - Each posting says what its two entries have to be, the balances after them
//     included, for the accounts' balances are carried along the chain. Entries
//     may therefore be read in any order: that they are those of the postings,
//     that accounts end where their entries do, and that the roll-ups are those
//     of the movements, is shown by keyed sums.
//
// The work is cut into pieces, which several readers of one state take in turn.
// A reader that does not go on where it was takes the balances to carry from the
// last entries before. That proves as much: if the entries are those that the
// postings ask for, so are these.

// prover reads one snapshot for the quick half. A page is filled from its
// beginning; a page that is not full is the last. What cannot be decoded is
// marked as damaged.
type prover interface {
	audited
	// accountPage reads accounts in the order of their ids.
	accountPage(page []pageAccount, first giro.UUID) (int, error)
	// places reads where accounts stand that exist.
	places(ids []giro.UUID, each func(giro.UUID, place)) error
	// balancesBefore reads the balances of accounts after their last entries before
	// a sequence; those without any are left out.
	balancesBefore(ids []giro.UUID, sequence int64, each func(giro.UUID, int64)) error
	// everyEntry runs over all entries, in the order that costs least.
	everyEntry(each func(*giro.Entry) error) error
	// movementPage reads movements of a book and kind by id. Of the detail it
	// reads what giro.DecodeDetailCore does; it leaves out what verify ignores.
	movementPage(page []pageMovement, book giro.Book, kind giro.Kind, first, last giro.UUID) (int, error)
	transactionPage(page []pageTransaction, book giro.Book, first, last int64) (int, error)
	eventPage(page []pageEvent, book giro.Book, first, last int64) (int, error)

	// transactionAt and eventAt return the time of a row; false: there is none.
	transactionAt(book giro.Book, sequence int64) (int64, bool, error)
	eventAt(book giro.Book, sequence int64) (int64, bool, error)
	// otherKinds reports whether a book has movements of none of giro.Kinds.
	otherKinds(book giro.Book) (bool, error)
	// movementsOf reads movements whole, of these kinds, that a book has made, with
	// what they have to agree with. Each kind is a place of its own to look at.
	movementsOf(book giro.Book, kinds []giro.Kind, ids []giro.UUID) ([]auditedMovement, error)
	// receivedBy returns the movements of other books that have the book as peer.
	receivedBy(book giro.Book, kind giro.Kind, ids []giro.UUID) ([]giro.UUID, error)
}

type pageAccount struct {
	id giro.UUID
	place
	balance  int64
	negative bool
	damaged  bool
}

type pageMovement struct {
	giro.Movement
	damaged bool
}

type pageTransaction struct {
	giro.LedgerTransaction // its Postings are overwritten by the next page
	sides                  sides
	damaged                bool
}

type pageEvent struct {
	sequence, at int64
	object       giro.UUID
	size         int
	begin        [showsWithin]byte // of its data
}

// showsWithin is how much of an event's data is kept: more than a movement
// shows first, unless its amounts have fifty digits together.
const showsWithin = 224

// show takes an event's data from its stored form; of what is damaged, nothing.
func (e *pageEvent) show(scratch, stored []byte) {
	data, _ := unpack(scratch, stored)
	e.size = copy(e.begin[:], data)
}

// limits are what the quick half takes at once; all of its memory.
type limits struct {
	page                  int   // rows
	window                int   // movements
	pieceLeast, pieceMost int64 // ledger transactions or events of a book, in one piece of work
	places                int   // accounts that are remembered; more are looked up
	suspects              int   // movements that are looked up together
}

var usualLimits = limits{page: 2048, window: 32768, pieceLeast: 1 << 16, pieceMost: 1 << 19, places: 1 << 18, suspects: 256}

// errUnsound ends the pass where something does not agree.
var errUnsound = errors.New("something does not agree")

// unsound says what; the reason is for those who work on verify.
func unsound(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUnsound}, args...)...)
}

// verifyWith is Verify on readers of one state: the quick half on all of them,
// and where that does not suffice the one that names what is wrong. If that finds
// nothing, doubt is told why it was asked.
func verifyWith(readers []prover, l limits, doubt func(error)) (*giro.Report, error) {
	report, quick := sound(readers, l)
	if !errors.Is(quick, errUnsound) {
		return report, quick
	}
	var beside audited
	if len(readers) > 1 {
		beside = readers[1]
	}
	report, whole, err := verify(readers[0], beside)
	if err == nil && report.OK && whole && doubt != nil {
		doubt(fmt.Errorf("verify took the long way: %w", quick))
	}
	return report, err
}

// together runs f with n readers of one state, which open makes one by one; with
// fewer, where the store is too busy for that.
func together(open func(func(prover) error) error, n int, f func([]prover) error) error {
	return alongside(open, nil, n, f)
}

func alongside(open func(func(prover) error) error, have []prover, n int, f func([]prover) error) error {
	if len(have) == n {
		return f(have)
	}
	for range besideAttempts {
		ran := false
		err := open(func(p prover) error {
			if len(have) > 0 {
				same, err := sameHeads(have[0], p)
				if err != nil || !same {
					return err
				}
			}
			ran = true
			return alongside(open, append(have, p), n, f)
		})
		if ran || err != nil {
			return err
		}
	}
	return f(have)
}

// sound proves that a store is whole; an error that is errUnsound: it could not.
func sound(readers []prover, l limits) (*giro.Report, error) {
	w, err := newWhole(readers[0], l, len(readers))
	if err != nil {
		return nil, err
	}
	passes := make([]*pass, len(readers))
	errs := make([]error, len(readers))
	var wait sync.WaitGroup
	for i, reader := range readers {
		p := newPass(w, reader)
		passes[i] = p
		wait.Add(1)
		go func() {
			defer wait.Done()
			if i == 0 {
				errs[i] = p.enterAll()
			}
			for n := w.turns.after(-1); errs[i] == nil && n >= 0 && !w.stopped.Load(); n = w.turns.after(n) {
				errs[i] = p.book(&w.pieces[n])
			}
			if errs[i] != nil {
				w.stopped.Store(true)
			}
		}()
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, errUnsound) {
			return nil, err
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, p := range passes {
		w.total.merge(&p.tally)
	}
	return w.conclude(readers[0])
}

// conclude compares what the pieces have added up.
func (w *whole) conclude(from prover) (*giro.Report, error) {
	total := &w.total
	if total.posted != total.entered {
		return nil, unsound("the entries are not those of the postings")
	}
	if total.ends != total.folds {
		return nil, unsound("the accounts are not where their entries end")
	}
	for k, sum := range total.reserved {
		if sum != 0 {
			return nil, unsound("the reserved accounts of book %d hold %d %s that no movement reserves", k.book, sum, k.currency)
		}
	}
	for book, head := range w.heads {
		counts := total.counted(book)
		for i, kind := range giro.Kinds {
			if n := *head.Count(kind); n != counts[i] {
				return nil, unsound("book %d counts %d %s, not %d", book, n, kind.Plural(), counts[i])
			}
		}
		delete(total.counts, book)
	}
	if len(total.counts) > 0 {
		return nil, unsound("%d books that do not exist have movements", len(total.counts))
	}
	err := from.rollups(func(r giro.Rollup) error {
		total.cellsOf(r.Book).add(&r, math.MaxUint64) // less
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read roll-ups: %w", err)
	}
	for book, s := range total.cells {
		if s.counts != [2]uint64{} || s.total < giro.RollupMax && s.sums != [2]uint64{} {
			return nil, unsound("the roll-ups of book %d are not those of its movements", book)
		}
	}
	return &giro.Report{OK: true, Movements: total.movements, LedgerTransactions: total.transactions, Entries: total.entries, Faults: []giro.Fault{}}, nil
}

// whole is what all pieces of the work share; it does not change while they run.
type whole struct {
	limits
	total   tally // of what is read before the pieces, and of them at last
	heads   map[giro.Book]*bookState
	numbers map[giro.UUID]int32 // of the first accounts
	stands  []*place            // by number
	pieces  []piece
	turns   turns
	stopped atomic.Bool
}

// turns says who takes which piece. A reader goes on with the one behind its
// last, as long as nobody has it, for then it has the accounts' balances.
type turns struct {
	mu    sync.Mutex
	taken []bool
}

// after returns the next piece for a reader, or -1.
func (t *turns) after(last int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, most := last+1, 0
	if next == 0 || next == len(t.taken) || t.taken[next] {
		// The greatest stretch that is left is shared with whoever comes to it.
		next = -1
		for i, n := 0, 0; i < len(t.taken); i++ {
			if n++; t.taken[i] {
				n = 0
			} else if n > most {
				most, next = n, i-n+1
			}
		}
		if next < 0 {
			return -1
		}
		if next > 0 {
			next += most / 2
		}
	}
	t.taken[next] = true
	return next
}

// bookState is a book's head and what it has lost of its events.
type bookState struct {
	*giro.BookHead
	swept  int64
	keptAt int64 // time of the oldest event that is left, where some were swept
}

// newWhole reads the heads and the accounts, and cuts the work into pieces, a few
// for each reader.
func newWhole(r prover, l limits, readers int) (*whole, error) {
	w := &whole{limits: l, total: newTally(), heads: map[giro.Book]*bookState{}, numbers: map[giro.UUID]int32{}}
	swept, err := r.swept()
	if err != nil {
		return nil, err
	}
	var books []*bookState
	err = r.heads(func(h *giro.BookHead) error {
		b := &bookState{BookHead: h, swept: swept[h.Book]}
		w.heads[h.Book] = b
		books = append(books, b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	have, err := r.books()
	if err != nil {
		return nil, err
	}
	for _, book := range have {
		if w.heads[book] == nil {
			return nil, unsound("book %d has no head", book)
		}
	}
	total := int64(0)
	for _, b := range books {
		total += b.rows()
	}
	size := max(l.pieceLeast, min(l.pieceMost, total/int64(4*readers)))
	for _, b := range books {
		if err := w.cutBook(r, b, size); err != nil {
			return nil, err
		}
	}
	w.turns.taken = make([]bool, len(w.pieces))
	return w, w.readAccounts(r)
}

// readAccounts checks what accounts say of themselves, and remembers where they
// stand.
func (w *whole) readAccounts(r prover) error {
	page := make([]pageAccount, w.page)
	kinds := map[place]*place{} // most accounts stand where many others do
	for first, more := (giro.UUID{}), true; more; {
		n, err := r.accountPage(page, first)
		if err != nil {
			return err
		}
		for i := range page[:n] {
			a := &page[i]
			if a.damaged || !a.negative && a.balance < 0 {
				return unsound("account %s is damaged, or below its floor at %d", accountName(a.id), a.balance)
			}
			if a.role == giro.RoleReserved || a.role == giro.RoleSubReserved {
				w.total.reserved[bucket{a.book, a.currency}] += a.balance
			}
			w.total.ends.add(a.id, a.balance)
			if len(w.stands) == w.limits.places {
				continue
			}
			at := kinds[a.place]
			if at == nil {
				at = &place{}
				*at, kinds[a.place] = a.place, at
			}
			w.numbers[a.id] = int32(len(w.stands))
			w.stands = append(w.stands, at)
		}
		if more = n == len(page); more {
			first = after(page[n-1].id)
		}
	}
	return nil
}

var lastUUID = giro.UUID(bytes.Repeat([]byte{0xff}, 16))

// after returns the next id; that of the last one is the first.
func after(u giro.UUID) giro.UUID {
	for i := len(u) - 1; i >= 0; i-- {
		if u[i]++; u[i] != 0 {
			break
		}
	}
	return u
}

// piece is a span of time of one book: the movements that were made in it, and
// the ledger transactions and events of it.
type piece struct {
	*bookState
	from, to          giro.UUID // of movements, inclusive
	first, last       int64     // ledger transactions
	firstEvent, event int64     // events, the last one included
	begin             bool      // the book's first piece: first and firstEvent are open
	end               bool      // the book's last piece: last and event are open
}

// rows is the length of the longer sequence of a book.
func (b *bookState) rows() int64 { return max(b.Sequence, b.Events-b.swept) }

func (w *whole) cutBook(r prover, b *bookState, size int64) error {
	other, err := r.otherKinds(b.Book)
	if err != nil {
		return err
	}
	if other {
		return unsound("book %d has movements of another kind", b.Book)
	}
	if b.swept > 0 {
		at, ok, err := r.eventAt(b.Book, b.swept+1)
		if err != nil {
			return err
		}
		if !ok {
			return unsound("book %d lacks event %d", b.Book, b.swept+1)
		}
		b.keptAt = at
	}
	// Time is cut where the longer of the two sequences is cut evenly.
	begin, length, at := int64(0), b.rows(), r.transactionAt
	if length > b.Sequence {
		begin, at = b.swept, r.eventAt
	}
	count := length/size + 1
	one := piece{bookState: b, first: math.MinInt64, firstEvent: math.MinInt64, begin: true}
	for i := int64(1); i < count; i++ {
		t, ok, err := at(b.Book, begin+1+(length-1)*i/count)
		if err != nil {
			return err
		}
		if !ok {
			return unsound("book %d lacks row %d", b.Book, begin+1+(length-1)*i/count)
		}
		t -= t % 1000 // ids know milliseconds
		transaction, err := firstAt(r.transactionAt, b.Book, 1, b.Sequence, t)
		if err != nil {
			return err
		}
		event, err := firstAt(r.eventAt, b.Book, b.swept+1, b.Events, t)
		if err != nil {
			return err
		}
		next := piece{bookState: b, from: idAt(t), first: transaction, firstEvent: event}
		if bytes.Compare(next.from[:], one.from[:]) <= 0 || next.first < one.first || next.firstEvent < one.firstEvent {
			continue // nothing lies between, or a clock was set back
		}
		one.to, one.last, one.event = before(next.from), next.first-1, next.firstEvent-1
		w.pieces = append(w.pieces, one)
		one = next
	}
	one.to, one.last, one.event, one.end = lastUUID, math.MaxInt64, math.MaxInt64, true
	w.pieces = append(w.pieces, one)
	return nil
}

// idAt returns the smallest id of a time (µs).
func idAt(t int64) (u giro.UUID) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(max(t, 0)/1000))
	copy(u[:6], b[2:])
	return u
}

func before(u giro.UUID) giro.UUID {
	for i := len(u) - 1; i >= 0; i-- {
		u[i]--
		if u[i] != 0xff {
			break
		}
	}
	return u
}

// firstAt returns the first row of a sequence that is not before a time, by
// halves; which one it is matters only for speed.
func firstAt(at func(giro.Book, int64) (int64, bool, error), book giro.Book, low, high, t int64) (int64, error) {
	for low <= high {
		middle := low + (high-low)/2
		v, ok, err := at(book, middle)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, unsound("book %d lacks row %d", book, middle)
		}
		if v < t {
			low = middle + 1
		} else {
			high = middle - 1
		}
	}
	return low, nil
}

// tally is what the pieces add up.
type tally struct {
	movements, transactions, entries int64

	counts   map[giro.Book]*[4]int64 // in the order of giro.Kinds
	reserved map[bucket]int64        // by accounts, less what movements reserve
	posted   digest
	entered  digest
	ends     weighed // balances of accounts
	folds    weighed // amounts of entries
	cells    map[giro.Book]*cellSums
}

func newTally() tally {
	return tally{counts: map[giro.Book]*[4]int64{}, reserved: map[bucket]int64{}, cells: map[giro.Book]*cellSums{}}
}

// weighed is a sum of amounts, each times the keyed hash of its account, modulo
// 2^128. Two are equal where each account's amounts add up to the same, and
// otherwise by a chance of one in 2^64: what is amiss on one account, times its
// hash, is another number for each hash.
type weighed struct{ high, low uint64 }

func (w *weighed) add(account giro.UUID, amount int64) {
	hash := maphash.Bytes(digestSeeds[0], account[:])
	high, low := bits.Mul64(hash, uint64(amount))
	if amount < 0 {
		high -= hash // uint64 made it 2^64 more
	}
	w.join(weighed{high, low})
}

func (w *weighed) join(o weighed) {
	var carry uint64
	w.low, carry = bits.Add64(w.low, o.low, 0)
	w.high, _ = bits.Add64(w.high, o.high, carry)
}

// cellSums are keyed sums over the cells of a book as its movements say.
type cellSums struct {
	counts, sums [2]uint64
	total        int64 // of amounts, which stops at giro.RollupMax
}

// add adds a cell, sign times.
func (s *cellSums) add(c *giro.Rollup, sign uint64) {
	key := make([]byte, 0, 128)
	key = binary.BigEndian.AppendUint64(key, uint64(c.Book))
	key = binary.BigEndian.AppendUint64(key, uint64(c.Hour))
	for _, text := range []string{string(c.Kind), string(c.Currency), string(c.Status), c.Reason} {
		key = binary.BigEndian.AppendUint32(key, uint32(len(text)))
		key = append(key, text...)
	}
	for i, seed := range digestSeeds {
		s.counts[i] += sign * maphash.Bytes(seed, key) * uint64(c.Count)
		for n, v := range []int64{c.Amount, c.Captured, c.Refunded, c.Fee} {
			s.sums[i] += sign * maphash.Bytes(seed, append(key, byte(n))) * uint64(v)
		}
	}
}

// grow counts an amount for the cell of its hour and that of all hours.
func (s *cellSums) grow(amount int64) { s.total = min(giro.RollupMax, s.total+2*amount) }

func (d *digest) join(e digest) {
	var carry uint64
	d.low, carry = bits.Add64(d.low, e.low, 0)
	d.high, _ = bits.Add64(d.high, e.high, carry)
	d.count += e.count
}

func (t *tally) merge(o *tally) {
	t.movements, t.transactions, t.entries = t.movements+o.movements, t.transactions+o.transactions, t.entries+o.entries
	for book, counts := range o.counts {
		for i, n := range counts {
			t.counted(book)[i] += n
		}
	}
	for k, sum := range o.reserved {
		t.reserved[k] += sum
	}
	t.posted.join(o.posted)
	t.entered.join(o.entered)
	t.ends.join(o.ends)
	t.folds.join(o.folds)
	for book, s := range o.cells {
		to := t.cellsOf(book)
		for i := range to.counts {
			to.counts[i] += s.counts[i]
			to.sums[i] += s.sums[i]
		}
		to.total = min(giro.RollupMax, to.total+s.total)
	}
}

func (t *tally) counted(book giro.Book) *[4]int64 {
	c := t.counts[book]
	if c == nil {
		c = &[4]int64{}
		t.counts[book] = c
	}
	return c
}

func (t *tally) cellsOf(book giro.Book) *cellSums {
	s := t.cells[book]
	if s == nil {
		s = &cellSums{}
		t.cells[book] = s
	}
	return s
}

// otherKinds asks whether a book has a movement of none of giro.Kinds, by ranges
// that an index has.
func otherKinds(book string) string {
	spans, low := []string{}, ""
	for _, kind := range append(slices.Sorted(slices.Values(giro.Kinds)), "") {
		span := "EXISTS (SELECT 1 FROM movement WHERE book = " + book
		if low != "" {
			span += " AND kind > '" + low + "'"
		}
		if low = string(kind); low != "" {
			span += " AND kind < '" + low + "'"
		}
		spans = append(spans, span+")")
	}
	return "SELECT " + strings.Join(spans, " OR ")
}

// verifiers is how many readers a verification uses: all processors, or half of
// them beside the work of a process that writes.
func (o *Options) verifiers() int {
	n := runtime.GOMAXPROCS(0)
	if !o.ReadOnly {
		n = (n + 1) / 2
	}
	return min(n, 4)
}
