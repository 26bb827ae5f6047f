package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"

	"giro"
	"giro/ledger"
	"giro/money"
)

// pass is one reader's part of the work.
type pass struct {
	*whole
	tally
	from prover

	known     []account              // the first accounts, by number
	found     map[giro.UUID]*account // others, that were looked up
	strangers []giro.UUID            // of which nothing but the id is known yet
	behind    []giro.UUID            // whose balances are not known yet
	walk      walk
	route     []*account // of the page's postings, debit and credit by turns, and
	passed    int        // how many of them were followed

	checked map[movementID]giro.Kind // movements that were looked up and agree; empty: the book has made none of this id

	movementPages    [len(kindsInOrder)][]pageMovement
	transactionPages []pageTransaction
	eventPages       []pageEvent

	window   window
	open     giro.RollupCells
	lately   [len(kindsInOrder) * 8][2]*giro.Rollup // cells that were added to last, of the hour and of all hours
	suspects []suspect
	heard    []*resident
	subject  giro.Movement
	scratch  [512]byte
}

// account is an account, and its balance as far as the chain was followed.
type account struct {
	*place  // nil: it does not exist
	balance int64
	walk    int // in which the balance was known last
}

// walk is a way along a book's chain, over one piece or several that adjoin.
type walk struct {
	number    int
	book      giro.Book
	next      int64 // sequence
	beginning bool  // it began where the book does
}

// kindsInOrder puts a charge before its refund of the same instant.
var kindsInOrder = [...]giro.Kind{giro.KindCharge, giro.KindRefund, giro.KindPayout, giro.KindTransfer}

// resident is a movement in the window, with what has gone by. There are many of
// them, so it is what belongs, agree and ShowsAs read and no more.
type resident struct {
	id                              giro.UUID
	kind                            giro.Kind
	status                          giro.Status
	currency                        money.Currency
	amount, captured, refunded      int64
	fee, reserved, created, updated int64
	peer                            giro.Book
	rail                            string
	destination                     giro.UUID
	exchange                        *giro.Exchange

	behind int32 // in its chain of the window
	taken  bool
	lookUp bool // not all of it goes by in this book
	flows  flows
	back   int64 // given back by its refunds
	last   heard
	event  *pageEvent // the last one, of the page at hand, that was not compared yet
}

// sit makes a resident of a movement.
func (r *resident) sit(m *giro.Movement) {
	*r = resident{
		id: m.ID, kind: m.Kind, status: m.Status, currency: m.Currency, amount: m.Amount, captured: m.Captured, refunded: m.Refunded,
		fee: m.Fee, reserved: m.Reserved, created: m.Created, updated: m.Updated, peer: m.Peer,
		rail: m.Detail.Rail, destination: m.Detail.Destination, exchange: m.Detail.Exchange,
		taken: true, lookUp: m.Peer != 0,
	}
}

// movement returns a resident's movement, which the next call overwrites.
func (p *pass) movement(b *piece, r *resident) *giro.Movement {
	m := &p.subject
	m.ID, m.Book, m.Kind, m.Status, m.Currency, m.Peer = r.id, b.Book, r.kind, r.status, r.currency, r.peer
	m.Amount, m.Captured, m.Refunded, m.Fee, m.Reserved, m.Created, m.Updated = r.amount, r.captured, r.refunded, r.fee, r.reserved, r.created, r.updated
	m.Detail.Rail, m.Detail.Destination, m.Detail.Exchange = r.rail, r.destination, r.exchange
	return m
}

// window is the residents: a ring of them, and chains by a hash of their ids. A
// map would do, but every row that is read asks for one, and a map of this size
// takes twice as long.
type window struct {
	residents []resident
	next      int     // the seat to be taken next
	first     []int32 // by hash: one more than the seat of a chain's first; 0: there is none
}

func newWindow(size int) window {
	return window{residents: make([]resident, size), first: make([]int32, 1<<bits.Len(uint(2*size)))}
}

// chain returns the beginning of the chain that an id is in.
func (w *window) chain(id *giro.UUID) *int32 {
	return &w.first[maphash.Bytes(digestSeeds[0], id[:])&uint64(len(w.first)-1)]
}

// find returns a resident, or nil.
func (w *window) find(id giro.UUID) *resident {
	for n := *w.chain(&id); n != 0; {
		r := &w.residents[n-1]
		if r.id == id {
			return r
		}
		n = r.behind
	}
	return nil
}

// admit puts the resident of the next seat, which has an id now, into its chain.
func (w *window) admit() {
	r, chain := &w.residents[w.next], w.chain(&w.residents[w.next].id)
	w.next++
	r.behind, *chain = *chain, int32(w.next)
	w.next %= len(w.residents)
}

// dismiss takes a resident out of its chain.
func (w *window) dismiss(r *resident) {
	link := w.chain(&r.id)
	for &w.residents[*link-1] != r {
		link = &w.residents[*link-1].behind
	}
	*link = r.behind
}

// heard is what the last event says of a movement.
type heard byte

const (
	heardNothing heard = iota
	heardSo
	heardOtherwise
)

// suspect is a movement that has to be looked up.
type suspect struct {
	id   giro.UUID
	kind giro.Kind // it exists, or a ledger transaction needs it; empty: it may be of any, or not exist
}

type movementID struct {
	book giro.Book
	id   giro.UUID
}

func newPass(w *whole, from prover) *pass {
	p := &pass{
		whole: w, from: from, tally: newTally(),
		known: make([]account, len(w.stands)), found: map[giro.UUID]*account{}, checked: map[movementID]giro.Kind{},
		transactionPages: make([]pageTransaction, w.page), eventPages: make([]pageEvent, w.page),
		window: newWindow(w.limits.window), open: giro.RollupCells{},
	}
	for i, at := range w.stands {
		p.known[i].place = at
	}
	for i := range p.movementPages {
		p.movementPages[i] = make([]pageMovement, w.page)
	}
	return p
}

// account finds an account that was met, or nil.
func (p *pass) account(id giro.UUID) *account {
	if n, ok := p.numbers[id]; ok {
		return &p.known[n]
	}
	return p.found[id]
}

// approach is account for one that meet looks up, where nobody has met it.
func (p *pass) approach(id giro.UUID) *account {
	a := p.account(id)
	if a == nil {
		a = &account{}
		p.found[id] = a
		p.strangers = append(p.strangers, id)
	}
	return a
}

// meet looks up where the accounts stand that were approached.
func (p *pass) meet() error {
	if len(p.strangers) == 0 {
		return nil
	}
	err := p.from.places(p.strangers, func(id giro.UUID, at place) { p.found[id].place = &at })
	p.strangers = p.strangers[:0]
	return err
}

// setOut goes on with a piece, or begins another walk with it.
func (p *pass) setOut(b *piece) {
	if b.begin || b.Book != p.walk.book || b.first != p.walk.next {
		p.walk = walk{number: p.walk.number + 1, book: b.Book, beginning: b.begin}
	}
	p.walk.next = b.last + 1
}

// carry has the balances, as they are before a page of ledger transactions, of
// all accounts that it posts to.
func (p *pass) carry(page []pageTransaction) error {
	if len(p.found) >= p.places/4 {
		clear(p.found)
	}
	p.route, p.passed = p.route[:0], 0
	for i := range page {
		for _, posting := range page[i].Postings {
			for _, id := range [2]giro.UUID{posting.Debit, posting.Credit} {
				a := p.approach(id)
				p.route = append(p.route, a)
				if a.walk == p.walk.number {
					continue
				}
				a.walk, a.balance = p.walk.number, 0
				if _, numbered := p.numbers[id]; !numbered || !p.walk.beginning {
					p.behind = append(p.behind, id)
				}
			}
		}
	}
	if err := p.meet(); err != nil || len(p.behind) == 0 {
		return err
	}
	slices.SortFunc(p.behind, func(a, c giro.UUID) int { return bytes.Compare(a[:], c[:]) })
	err := p.from.balancesBefore(p.behind, page[0].Sequence, func(id giro.UUID, balance int64) { p.account(id).balance = balance })
	p.behind = p.behind[:0]
	return err
}

// rows hands out a table's rows in order, page by page. Its time never goes
// back, so that all rows up to a time are known once one behind it was read.
type rows[T any] struct {
	page    []T
	n, next int
	ended   bool
	now     int64 // of what was handed out
	until   int64 // of what was read
	read    func(page []T) (int, error)
	time    func(*T) int64
}

// fill reads the next page once the last one was handed out.
func (r *rows[T]) fill() error {
	if r.next < r.n || r.ended {
		return nil
	}
	n, err := r.read(r.page)
	if err != nil {
		return err
	}
	r.n, r.next, r.ended = n, 0, n < len(r.page)
	for i := range n {
		r.until = max(r.until, r.time(&r.page[i]))
	}
	if r.ended {
		r.until = math.MaxInt64
	}
	return nil
}

// take returns the next row up to a time, or nil.
func (r *rows[T]) take(until int64) *T {
	if r.next == r.n {
		return nil
	}
	row := &r.page[r.next]
	if r.now = max(r.now, r.time(row)); r.now > until {
		return nil
	}
	r.next++
	return row
}

func (r *rows[T]) done() bool { return r.ended && r.next == r.n }

// book checks a piece of a book.
func (p *pass) book(b *piece) error {
	var movements [len(kindsInOrder)]rows[pageMovement]
	for i, kind := range kindsInOrder {
		first, ended := b.from, false
		movements[i] = rows[pageMovement]{page: p.movementPages[i], time: func(m *pageMovement) int64 { return idTime(m.ID) },
			read: func(page []pageMovement) (n int, err error) {
				if ended {
					return 0, nil
				}
				n, err = p.from.movementPage(page, b.Book, kind, first, b.to)
				if n > 0 {
					first = after(page[n-1].ID)
					ended = page[n-1].ID == lastUUID
				}
				return n, err
			}}
	}
	p.setOut(b)
	link, err := p.linkBefore(b)
	if err != nil {
		return err
	}
	next := b.first
	transactions := rows[pageTransaction]{page: p.transactionPages, time: func(t *pageTransaction) int64 { return t.At },
		read: func(page []pageTransaction) (n int, err error) {
			n, err = p.from.transactionPage(page, b.Book, next, b.last)
			if n > 0 {
				next = page[n-1].Sequence + 1
				err = errors.Join(err, p.carry(page[:n]))
			}
			return n, err
		}}
	event := b.swept
	if !b.begin {
		event = b.firstEvent - 1
	}
	nextEvent := b.firstEvent
	events := rows[pageEvent]{page: p.eventPages, time: func(e *pageEvent) int64 { return e.at },
		read: func(page []pageEvent) (n int, err error) {
			n, err = p.from.eventPage(page, b.Book, nextEvent, b.event)
			if n > 0 {
				nextEvent = page[n-1].sequence + 1
			}
			return n, err
		}}

	for more := true; more; {
		if p.stopped.Load() {
			return nil
		}
		err := errors.Join(transactions.fill(), events.fill())
		until := min(transactions.until, events.until)
		more = !transactions.done() || !events.done()
		for i := range movements {
			err = errors.Join(err, movements[i].fill())
			until = min(until, movements[i].until)
			more = more || !movements[i].done()
		}
		if err != nil {
			return err
		}
		for i := range movements {
			for m := movements[i].take(until); m != nil; m = movements[i].take(until) {
				if err := p.enter(b, m); err != nil {
					return err
				}
			}
		}
		for t := transactions.take(until); t != nil; t = transactions.take(until) {
			if err := p.follow(b, &link, t); err != nil {
				return err
			}
		}
		for e := events.take(until); e != nil; e = events.take(until) {
			if event++; e.sequence != event {
				return unsound("book %d lacks event %d", b.Book, event)
			}
			if err := p.hear(b, e); err != nil {
				return err
			}
		}
		p.heed(b)
	}
	if b.end {
		switch {
		case link != chainLink{b.Sequence, b.LedgerAt, b.Hash}:
			return unsound("the chain of book %d does not end where its head says", b.Book)
		case event != b.Events:
			return unsound("the events of book %d end with %d, not %d", b.Book, event, b.Events)
		}
	} else if link.sequence != b.last || event != b.event {
		return unsound("book %d lacks rows", b.Book)
	}
	for i := range p.window.residents {
		if err := p.leave(b, &p.window.residents[i]); err != nil {
			return err
		}
	}
	p.closeCells()
	return p.lookUp(b)
}

// idTime is the time in an id (µs).
func idTime(u giro.UUID) int64 {
	return int64(binary.BigEndian.Uint64(u[:8])>>16) * 1000
}

// chainLink is how far a chain was followed.
type chainLink struct {
	sequence, at int64
	hash         ledger.Hash
}

// linkBefore returns the link that a piece begins after.
func (p *pass) linkBefore(b *piece) (link chainLink, err error) {
	if b.begin || b.first == 1 {
		return link, nil
	}
	page := p.transactionPages[:1]
	n, err := p.from.transactionPage(page, b.Book, b.first-1, b.first-1)
	if err == nil && n == 0 {
		err = unsound("book %d lacks ledger transaction %d", b.Book, b.first-1)
	}
	return chainLink{page[0].Sequence, page[0].At, page[0].Hash}, err
}

// enter gives a movement a place in the window.
func (p *pass) enter(b *piece, m *pageMovement) error {
	if m.damaged {
		return unsound("%s is damaged", m.ID.ID(m.Kind.Prefix()))
	}
	p.movements++
	if m.Reserved != 0 {
		p.reserved[bucket{m.Book, m.Currency}] -= m.Reserved
	}
	if !m.Deleted {
		i := slices.Index(giro.Kinds, m.Kind)
		p.counted(m.Book)[i]++
		if m.Peer != 0 {
			p.counted(m.Peer)[i]++
		}
		p.cell(&m.Movement)
	}
	if back := m.Captured - m.Refunded; m.Kind == giro.KindRefund && back != 0 && !m.Parent.IsZero() {
		if r := p.window.find(m.Parent); r != nil {
			r.back += back
		} else if err := p.suspect(b, suspect{id: m.Parent}); err != nil {
			return err
		}
	}
	if r := p.window.find(m.ID); r != nil { // of another kind
		r.lookUp = true
		return p.suspect(b, suspect{id: m.ID})
	}
	r := &p.window.residents[p.window.next]
	if err := p.leave(b, r); err != nil {
		return err
	}
	r.sit(&m.Movement)
	p.window.admit()
	return nil
}

// leave checks a movement that leaves the window.
func (p *pass) leave(b *piece, r *resident) error {
	if !r.taken {
		return nil
	}
	r.taken = false
	p.window.dismiss(r)
	silent := r.last == heardNothing && b.swept > 0 && r.updated <= b.keptAt // its last event was swept
	if !r.lookUp && (r.last == heardSo || silent) && r.flows.agree(p.movement(b, r), r.back) == "" {
		return nil
	}
	return p.suspect(b, suspect{r.id, r.kind})
}

// follow checks a ledger transaction and adds it to its movement.
func (p *pass) follow(b *piece, link *chainLink, t *pageTransaction) error {
	p.transactions++
	if t.damaged || t.Sequence != link.sequence+1 || t.At < link.at || !validKind(&t.LedgerTransaction) {
		return unsound("ledger transaction %d of book %d is damaged", t.Sequence, b.Book)
	}
	*link = chainLink{t.Sequence, t.At, ledger.Link(link.hash, &t.Transaction)}
	if link.hash != t.Hash {
		return unsound("ledger transaction %d of book %d is not what its link says", t.Sequence, b.Book)
	}
	r := p.window.find(t.Object)
	var m *giro.Movement
	if r != nil {
		m = p.movement(b, r)
		if _, message := belongs(m, &t.LedgerTransaction); message != "" {
			return unsound("%s %s", m.ID.ID(m.Kind.Prefix()), message)
		}
	}
	var sum int64
	for i, posting := range t.Postings {
		sum += posting.Amount
		for side, e := range [2]giro.Entry{
			{Account: posting.Debit, Sequence: t.Sequence, N: 2 * i, Amount: -posting.Amount, At: t.At},
			{Account: posting.Credit, Sequence: t.Sequence, N: 2*i + 1, Amount: posting.Amount, At: t.At},
		} {
			a := p.route[p.passed]
			p.passed++
			if a.place == nil || a.book != b.Book || string(a.currency) != t.Currency {
				return unsound("side %d of ledger transaction %d of book %d is on the wrong account", side, t.Sequence, b.Book)
			}
			var err error
			e.Balance, err = money.Add(a.balance, e.Amount)
			if err != nil {
				return unsound("ledger transaction %d of book %d leads account %s too far", t.Sequence, b.Book, accountName(e.Account))
			}
			a.balance = e.Balance
			p.posted.add(e)
			if r != nil {
				r.flows.add(m, &t.LedgerTransaction, e.Account, a.place, e.Amount)
			}
		}
	}
	if t.sides != (sides{sum, sum}) {
		return unsound("the sums of ledger transaction %d of book %d are not its postings'", t.Sequence, b.Book)
	}
	if r != nil || t.Object == (ledger.ID{}) {
		return nil
	}
	return p.suspect(b, suspect{t.Object, t.Kind})
}

// hear finds the movement that an event shows.
func (p *pass) hear(b *piece, e *pageEvent) error {
	if e.object.IsZero() {
		return nil
	}
	r := p.window.find(e.object)
	if r == nil {
		return p.suspect(b, suspect{id: e.object})
	}
	if r.event == nil {
		p.heard = append(p.heard, r)
	}
	r.event = e
	return nil
}

// heed compares movements with the last event that was heard of each.
func (p *pass) heed(b *piece) {
	for _, r := range p.heard {
		r.last = heardOtherwise
		if p.movement(b, r).ShowsAs(r.event.begin[:r.event.size], p.scratch[:]) {
			r.last = heardSo
		}
		r.event = nil
	}
	p.heard = p.heard[:0]
}

// suspect has a movement looked up. Once is enough: it is compared with all that
// the store has of it.
func (p *pass) suspect(b *piece, s suspect) error {
	if kind, known := p.checked[movementID{b.Book, s.id}]; known && (s.kind == "" || s.kind == kind) {
		return nil
	}
	p.suspects = append(p.suspects, s)
	if len(p.suspects) < p.limits.suspects {
		return nil
	}
	return p.lookUp(b)
}

// lookUp compares each suspect with all that it has to agree with.
func (p *pass) lookUp(b *piece) error {
	if len(p.suspects) == 0 {
		return nil
	}
	if len(p.checked) > len(p.window.residents) {
		clear(p.checked)
	}
	needed := map[suspect]bool{}
	of := map[giro.Kind][]giro.UUID{}
	for _, s := range p.suspects {
		of[s.kind] = append(of[s.kind], s.id)
		p.checked[movementID{b.Book, s.id}] = ""
		if s.kind != "" {
			needed[s] = true
		}
	}
	p.suspects = p.suspects[:0]
	var movements []auditedMovement
	for kind, ids := range of {
		kinds := kindsInOrder[:]
		if kind != "" {
			kinds = []giro.Kind{kind}
		}
		slices.SortFunc(ids, func(a, c giro.UUID) int { return bytes.Compare(a[:], c[:]) })
		found, err := p.from.movementsOf(b.Book, kinds, slices.Compact(ids))
		if err != nil {
			return err
		}
		movements = append(movements, found...)
	}
	for _, m := range movements {
		for _, t := range m.transactions {
			for _, posting := range t.Postings {
				p.approach(posting.Debit)
				p.approach(posting.Credit)
			}
		}
	}
	if err := p.meet(); err != nil {
		return err
	}
	for _, m := range movements {
		name := m.ID.ID(m.Kind.Prefix())
		if m.err != nil {
			return unsound("%s: %w", name, m.err)
		}
		if message := p.compare(b, &m); message != "" {
			return unsound("%s %s", name, message)
		}
		delete(needed, suspect{m.ID, m.Kind})
		p.checked[movementID{b.Book, m.ID}] = m.Kind
	}
	for _, kind := range kindsInOrder {
		var ids []giro.UUID
		for s := range needed {
			if s.kind == kind {
				ids = append(ids, s.id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		received, err := p.from.receivedBy(b.Book, kind, ids)
		if err != nil {
			return err
		}
		for _, id := range received {
			delete(needed, suspect{id, kind}) // its own book compares it
		}
	}
	for s := range needed {
		return unsound("%s has ledger transactions in book %d and does not exist", s.id.ID(s.kind.Prefix()), b.Book)
	}
	return nil
}

// compare returns what is wrong with a movement that was read whole, or nothing.
func (p *pass) compare(b *piece, m *auditedMovement) (message string) {
	var f flows
	for _, t := range m.transactions {
		if _, message := belongs(m.Movement, t); message != "" {
			return message
		}
		for _, e := range entriesOf(t) {
			if at := p.account(e.Account).place; at != nil { // else its chain is at fault
				f.add(m.Movement, t, e.Account, at, e.Amount)
			}
		}
	}
	if message := f.agree(m.Movement, m.refunded); message != "" {
		return message
	}
	if m.event == nil && b.swept > 0 && m.Updated <= b.keptAt {
		return "" // its last event was swept
	}
	return told(m.Movement, m.event)
}

// cell adds a movement to its cells, in most cases to those of the one before it
// of the same kind and status.
func (p *pass) cell(m *giro.Movement) {
	p.cellsOf(m.Book).grow(m.Amount)
	if m.Peer != 0 {
		p.cellsOf(m.Peer).grow(m.Amount)
	}
	slot := &p.lately[slices.Index(kindsInOrder[:], m.Kind)*8+slices.Index(giro.Statuses, m.Status)+1]
	if c := slot[0]; c != nil && m.Peer == 0 && c.Book == m.Book && c.Currency == m.Currency && c.Hour == giro.HourOf(m.Created) && c.Status == m.Status && m.Status != giro.StatusFailed {
		for _, c := range slot {
			c.Count++
			c.Amount += m.Amount
			c.Captured += m.Captured
			c.Refunded += m.Refunded
			c.Fee += m.Fee
		}
		return
	}
	*slot = [2]*giro.Rollup{}
	if len(p.open) > 4096 {
		p.closeCells()
	}
	for i, r := range m.Rollups() {
		if c := p.open.Add(&r, 1); i < 2 {
			slot[i] = c
		}
	}
}

// closeCells adds the open cells to the sums of their books.
func (p *pass) closeCells() {
	for _, c := range p.open {
		p.cellsOf(c.Book).add(c, 1)
	}
	clear(p.open)
	clear(p.lately[:])
}

// enterAll adds up the entries.
func (p *pass) enterAll() error {
	return p.from.everyEntry(func(e *giro.Entry) error {
		if p.entries++; p.entries%int64(p.limits.page) == 0 && p.stopped.Load() {
			return errUnsound // whoever stopped says why
		}
		p.entered.add(*e)
		p.folds.add(e.Account, e.Amount)
		return nil
	})
}
