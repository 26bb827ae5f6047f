package giro

import (
	"bytes"
	"errors"
	"slices"

	"giro/ledger"
	"giro/money"
)

// Batch is what one Update loaded and what the decisions in it have changed.
// The store fills it through the Put methods, runs the decisions and writes
// what Writes returns. A command that is refused leaves nothing in it: each
// runs between Savepoint and, if it fails, Rollback.
type Batch struct {
	ID UUID  // names the batch's own row, by which a lost COMMIT is decided
	At int64 // µs, real time of the batch

	heads       map[Book]*BookHead
	accounts    map[UUID]*Account
	movements   map[UUID]*Movement
	references  map[ReferenceKey]UUID
	idempotency map[IdempotencyKey]*Idempotency
	documents   map[DocumentKey]*StoredDocument
	sandbox     map[string]*SandboxRow
	jobs        map[JobKey]*Job

	writes Writes
	handed []*Movement // by sendOff: to be submitted by this process after the commit
	undo   []func()
	span   int               // counts savepoints and rollbacks: what is undone since the last needs no undoing twice
	rolled map[UUID][]Rollup // the cells of the loaded movements as they were
	next   func()            // lets the engine's next batch begin
	early  func(*Writes)     // takes what is decided of the ledger before the rest is; nil: all is written at the end
	watch  *watch            // of a person's command; nil: nobody's audit log needs it
	newID  func(at int64) UUID
	salt   func() uint32
	notice func(m *Movement, typ string) *Notice // the engine's Notice
}

// Writes is everything that a batch has decided. Rows with New are inserted,
// the others updated; jobs and documents replace what is there.
type Writes struct {
	Heads        []*BookHead
	Accounts     []*Account
	Movements    []*Movement
	Rollups      []Rollup // to be added to the cells
	Terms        []Term   // those that exist stay
	Transactions []LedgerTransaction
	Entries      []Entry
	Events       []Event
	Idempotency  []*Idempotency
	Documents    []*StoredDocument // Gone: deleted
	Sandbox      []*SandboxRow
	Jobs         []*Job
	DropJobs     []JobKey
	ShiftJobs    []JobShift // before Jobs are written
	Dispatches   []*Dispatch
	Deliveries   []*Delivery
	Traffic      []*Traffic // to be added to the cells
}

// NewBatch returns an empty batch; for stores.
func NewBatch(id UUID, at int64, newID func(at int64) UUID, salt func() uint32) *Batch {
	return &Batch{
		ID: id, At: at, newID: newID, salt: salt, span: 1,
		heads: map[Book]*BookHead{}, accounts: map[UUID]*Account{}, movements: map[UUID]*Movement{},
		references: map[ReferenceKey]UUID{}, idempotency: map[IdempotencyKey]*Idempotency{},
		documents: map[DocumentKey]*StoredDocument{}, sandbox: map[string]*SandboxRow{}, jobs: map[JobKey]*Job{},
		rolled: map[UUID][]Rollup{},
	}
}

// The store hands over the rows that it found.
func (b *Batch) PutHead(h *BookHead)      { b.heads[h.Book] = h }
func (b *Batch) PutAccount(a *Account)    { b.accounts[a.ID] = a }
func (b *Batch) PutSandbox(r *SandboxRow) { b.sandbox[r.Instruction] = r }
func (b *Batch) PutJob(j *Job)            { b.jobs[j.JobKey] = j }
func (b *Batch) PutIdempotency(r *Idempotency) {
	b.idempotency[IdempotencyKey{r.Book, r.Key}] = r
}
func (b *Batch) PutReference(k ReferenceKey, id UUID) { b.references[k] = id }

// PutMovement hands over a movement as it is stored.
func (b *Batch) PutMovement(m *Movement) {
	b.movements[m.ID] = m
	if !m.New && !m.Dirty {
		b.rolled[m.ID] = m.Rollups()
	}
}

// PutDocument makes a document known by id and by lookup.
func (b *Batch) PutDocument(d *StoredDocument) {
	b.documents[DocumentKey{Kind: d.Kind, ID: d.ID}] = d
	if d.Lookup != "" {
		b.documents[DocumentKey{Kind: d.Kind, Lookup: d.Lookup}] = d
	}
}

// Committed tells the engine that the store takes its next batch, though this one
// is not on the disk yet and Update has not returned; for stores that can.
func (b *Batch) Committed() {
	if b.next != nil {
		b.next()
	}
}

// WriteEarly lets the store write while commands are still being decided: write is
// called with the ledger transactions of those that are, and their entries, some
// hundred at a time. What Writes returns in the end are the others. Nothing of a
// batch whose decision fails may stay.
func (b *Batch) WriteEarly(write func(*Writes)) { b.early = write }

// earlyEnough is how many ledger transactions are worth being written early.
const earlyEnough = 128

// decided ends a command: what it wrote of the ledger does not change any more.
func (b *Batch) decided() {
	w := &b.writes
	if b.early == nil || len(w.Transactions) < earlyEnough {
		return
	}
	b.early(&Writes{Transactions: w.Transactions, Entries: w.Entries})
	w.Transactions, w.Entries = nil, nil
}

// Accounts hands over the accounts that were loaded or made, as they stand in the
// store once the batch is committed. The batch is not used after that.
func (b *Batch) Accounts(each func(*Account)) {
	for _, a := range b.accounts {
		a.New, a.Dirty, a.overdrawn, a.span = false, false, false, 0
		each(a)
	}
}

// Writes returns what the store has to write. Accounts and movements are in the
// order of their ids: in tables and indexes each stands near the one before.
func (b *Batch) Writes() *Writes {
	w := &b.writes
	w.Heads, w.Accounts, w.Movements = w.Heads[:0], w.Accounts[:0], w.Movements[:0]
	for _, h := range b.heads {
		if h.New || h.Dirty {
			w.Heads = append(w.Heads, h)
		}
	}
	for _, a := range b.accounts {
		if a.New || a.Dirty {
			w.Accounts = append(w.Accounts, a)
		}
	}
	for _, m := range b.movements {
		if m.New || m.Dirty {
			w.Movements = append(w.Movements, m)
		}
	}
	slices.SortFunc(w.Accounts, func(a, c *Account) int { return bytes.Compare(a.ID[:], c.ID[:]) })
	slices.SortFunc(w.Movements, func(m, o *Movement) int { return bytes.Compare(m.ID[:], o.ID[:]) })
	w.Rollups = b.rollups(w.Rollups[:0])
	w.Terms = documentTerms(w.Documents)
	w.Traffic = deliveryTraffic(w.Traffic[:0], w.Deliveries)
	w.Sandbox = w.Sandbox[:0]
	for _, r := range b.sandbox {
		if r.New || r.Dirty {
			w.Sandbox = append(w.Sandbox, r)
		}
	}
	return w
}

// mark is the state of the batch's lists at a savepoint.
type mark struct {
	undo, transactions, entries, events, idempotency, documents, jobs, drops, dispatches, deliveries int
}

// Savepoint begins a command.
func (b *Batch) savepoint() mark {
	b.span++
	w := &b.writes
	return mark{len(b.undo), len(w.Transactions), len(w.Entries), len(w.Events), len(w.Idempotency), len(w.Documents), len(w.Jobs), len(w.DropJobs), len(w.Dispatches), len(w.Deliveries)}
}

// rollback undoes everything since the savepoint.
func (b *Batch) rollback(k mark) {
	for i := len(b.undo) - 1; i >= k.undo; i-- {
		b.undo[i]()
	}
	b.span++
	w := &b.writes
	b.undo = b.undo[:k.undo]
	w.Transactions, w.Entries, w.Events = w.Transactions[:k.transactions], w.Entries[:k.entries], w.Events[:k.events]
	w.Idempotency, w.Documents = w.Idempotency[:k.idempotency], w.Documents[:k.documents]
	w.Jobs, w.DropJobs = w.Jobs[:k.jobs], w.DropJobs[:k.drops]
	w.Dispatches, w.Deliveries = w.Dispatches[:k.dispatches], w.Deliveries[:k.deliveries]
}

// head returns a book's head for writing; it is made on first use.
func (b *Batch) head(book Book, merchant UUID) *BookHead {
	h := b.heads[book]
	if h == nil {
		h = &BookHead{Book: book, Merchant: merchant, New: true}
		b.heads[book] = h
		b.undo = append(b.undo, func() { delete(b.heads, book) })
		return h
	}
	if h.span != b.span {
		old := *h
		b.undo = append(b.undo, func() { *h = old })
		h.span = b.span
		h.Clock.tick(b.At)
	}
	h.Dirty = true
	return h
}

// now returns the book's own time in µs, by its test clock.
func (b *Batch) now(book Book) int64 {
	if h := b.heads[book]; h != nil {
		return h.Clock.At(b.At)
	}
	return b.At
}

// account returns an account of the chart for writing; it is made on first use.
func (b *Batch) account(want Account) *Account {
	if a := b.accounts[want.ID]; a != nil {
		b.touch(a)
		if a.Role == RoleAvailable && a.Negative != want.Negative && (want.Negative || a.Balance >= 0) {
			a.Negative, a.Dirty = want.Negative, true // the merchant's setting has changed
			a.Version++
		}
		return a
	}
	a := &want
	a.New, a.Created, a.Version = true, b.now(want.Book), 1
	b.accounts[a.ID] = a
	b.undo = append(b.undo, func() { delete(b.accounts, a.ID) })
	return a
}

// touch makes an account writable.
func (b *Batch) touch(a *Account) *Account {
	if a.span != b.span {
		old := *a
		b.undo = append(b.undo, func() { *a = old })
		a.span = b.span
	}
	return a
}

// movement returns a loaded movement for writing, or nil.
func (b *Batch) movement(id UUID) *Movement {
	m := b.movements[id]
	if m == nil {
		return nil
	}
	old := m.clone()
	b.watch.seen(m, &old)
	b.undo = append(b.undo, func() { *m = old })
	return m
}

// insert adds a new movement.
func (b *Batch) insert(m *Movement) {
	m.New, m.Version = true, 1
	b.watch.seen(m, nil)
	b.movements[m.ID] = m
	b.undo = append(b.undo, func() { delete(b.movements, m.ID) })
	if m.Reference != "" {
		k := ReferenceKey{m.Book, m.Kind, m.Reference}
		b.references[k] = m.ID
		b.undo = append(b.undo, func() { delete(b.references, k) })
	}
	*b.head(m.Book, UUID{}).Count(m.Kind)++
	if m.Peer != 0 {
		b.head(m.Peer, UUID{}).Transfers++
	}
}

// document returns a loaded document, or nil.
func (b *Batch) document(k DocumentKey) *StoredDocument {
	d := b.documents[k]
	if d == nil || d.Gone {
		return nil
	}
	return d
}

// write stores a document: the caller hands over a value of its own.
func (b *Batch) write(d *StoredDocument) {
	key := DocumentKey{Kind: d.Kind, ID: d.ID}
	old, had := b.documents[key]
	var oldLookup *StoredDocument
	if d.Lookup != "" {
		oldLookup = b.documents[DocumentKey{Kind: d.Kind, Lookup: d.Lookup}]
	}
	d.Version++
	if b.watch != nil {
		b.watch.documents = append(b.watch.documents, watched{old, d})
	}
	b.PutDocument(d)
	b.writes.Documents = append(b.writes.Documents, d)
	b.undo = append(b.undo, func() {
		delete(b.documents, key)
		if had {
			b.documents[key] = old
		}
		if d.Lookup != "" {
			k := DocumentKey{Kind: d.Kind, Lookup: d.Lookup}
			delete(b.documents, k)
			if oldLookup != nil {
				b.documents[k] = oldLookup
			}
		}
	})
}

// schedule makes a job due at a time of the book's clock; it replaces the one
// of the same object and kind.
func (b *Batch) schedule(j Job, at int64) {
	j.Due = at
	if h := b.heads[j.Book]; h != nil {
		j.Due = h.Clock.due(at, b.At)
	}
	old := b.jobs[j.JobKey]
	b.jobs[j.JobKey] = &j
	b.writes.Jobs = append(b.writes.Jobs, &j)
	b.undo = append(b.undo, func() { b.jobs[j.JobKey] = old })
}

// drop removes a job, if it is there.
func (b *Batch) drop(k JobKey) {
	old := b.jobs[k]
	b.jobs[k] = nil
	// A job that this batch wrote before is not written after it was dropped.
	for i, j := range b.writes.Jobs {
		if j.JobKey == k {
			dropped := *j
			dropped.Due = -1
			b.writes.Jobs[i] = &dropped
			b.undo = append(b.undo, func() { b.writes.Jobs[i] = j })
		}
	}
	b.writes.DropJobs = append(b.writes.DropJobs, k)
	b.undo = append(b.undo, func() { b.jobs[k] = old })
}

// hasJobs reports whether the batch made jobs due, now or some time, that anybody
// may take.
func (b *Batch) hasJobs() bool {
	return len(b.writes.ShiftJobs) > 0 || slices.ContainsFunc(b.writes.Jobs, func(j *Job) bool { return j.Leased <= b.At })
}

// entry is a posting in the making: accounts of one book, one amount.
type entry struct {
	debit, credit *Account
	amount        int64
}

// post writes one ledger transaction of a movement. Parts without an amount are
// left out; nothing at all is posted where none is left.
func (b *Batch) post(book Book, m *Movement, cause string, parts ...entry) error {
	return b.postIn(book, m, m.Currency, cause, parts...)
}

// postIn is post in a currency that need not be the movement's own.
func (b *Batch) postIn(book Book, m *Movement, currency money.Currency, cause string, parts ...entry) error {
	t := ledger.Transaction{Book: int64(book), Cause: cause, Object: m.ID, Currency: string(currency)}
	t.Postings = make([]ledger.Posting, 0, len(parts))
	for _, p := range parts {
		if p.amount == 0 {
			continue
		}
		t.Postings = append(t.Postings, ledger.Posting{Debit: p.debit.ID, Credit: p.credit.ID, Amount: p.amount})
	}
	if len(t.Postings) == 0 {
		return nil
	}
	h := b.head(book, UUID{})
	t.Sequence = h.Sequence + 1
	t.At = max(b.now(book), h.LedgerAt)
	t.ID = sequenceUUID(TimeOf(t.At), t.Sequence, b.salt())
	// The accounts' balances live in Account; ledger.Apply works on its own
	// narrow view of them.
	var views [4]ledger.Account
	var ids [4]UUID
	n := 0
	view := func(id ledger.ID) *ledger.Account {
		for i := range n {
			if ids[i] == id {
				return &views[i]
			}
		}
		a := b.accounts[id]
		if a == nil || n == len(views) {
			return nil
		}
		ids[n] = id
		views[n] = ledger.Account{Currency: string(a.Currency), Balance: a.Balance, Negative: a.Negative && !a.overdrawn}
		n++
		return &views[n-1]
	}
	var scratch [8]ledger.Entry
	entries, err := ledger.Apply(scratch[:0], &t, view)
	switch {
	case errors.Is(err, ledger.ErrFloor):
		return Refuse(CodeInsufficientFunds, "", "the account does not hold enough money for this amount")
	case errors.Is(err, ledger.ErrOverflow):
		return Refuse(CodeBalanceOverflow, "/amount", "the account's balance cannot grow by this amount")
	case err != nil:
		return err // ours: the chart or the batch is wrong
	}
	for i := range n {
		a := b.touch(b.accounts[ids[i]])
		a.Balance = views[i].Balance
		a.Version++
		a.Dirty = true
	}
	h.Sequence, h.LedgerAt = t.Sequence, t.At
	h.Hash = ledger.Link(h.Hash, &t)
	b.writes.Transactions = append(b.writes.Transactions, LedgerTransaction{Transaction: t, Kind: m.Kind, Hash: h.Hash})
	for i, e := range entries {
		b.writes.Entries = append(b.writes.Entries, Entry{
			Account: e.Account, Sequence: t.Sequence, N: i, Amount: e.Amount, Balance: e.Balance, At: t.At,
		})
	}
	return nil
}

// emit writes an event of a movement, with the movement as it is now, and returns
// how that shows it.
func (b *Batch) emit(m *Movement, what string) (data []byte) {
	data = m.AppendJSON(make([]byte, 0, 1024))
	typ := string(m.Kind) + "." + what
	e := b.tell(m.Book, m.ID, typ, data)
	if b.notice != nil {
		if n := b.notice(m, typ); n != nil {
			b.announce(e, n)
		}
	}
	if m.Peer != 0 {
		b.tell(m.Peer, m.ID, typ, data)
	}
	return data
}

// tell writes an event; what it returns stays valid until the next event.
func (b *Batch) tell(book Book, object UUID, typ string, data []byte) *Event {
	h := b.head(book, UUID{})
	h.Events++
	at := b.now(book)
	b.writes.Events = append(b.writes.Events, Event{
		Book: book, Sequence: h.Events, ID: sequenceUUID(TimeOf(at), h.Events, b.salt()),
		Type: typ, Object: object, At: at, Data: data,
	})
	return &b.writes.Events[len(b.writes.Events)-1]
}

// told returns the sequence of the book's event, of those from the n-th of the
// batch on, whose data are these bytes; 0: there is none.
func (b *Batch) told(book Book, n int, data []byte) int64 {
	for i := len(b.writes.Events) - 1; i >= n; i-- {
		if e := &b.writes.Events[i]; e.Book == book && bytes.Equal(e.Data, data) {
			return e.Sequence
		}
	}
	return 0
}

// sum adds two amounts; a sum that would overflow is refused.
func sum(a, c int64) (int64, error) {
	s, err := money.Add(a, c)
	if err != nil {
		return 0, Refuse(CodeBalanceOverflow, "/amount", "the sum leaves the range of amounts")
	}
	return s, nil
}
