package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"math/bits"
	"slices"

	"giro"
	"giro/ledger"
	"giro/money"
)

// audited is what Verify reads of a store, all of it from one snapshot. A row
// that cannot be decoded is handed over with its error, as far as it was read.
type audited interface {
	heads(each func(*giro.BookHead) error) error
	accounts(each func(*giro.Account, error) error) error
	// transactions runs over a book's sequences from first to last, ascending;
	// the error is that of decoding, or of checkSides.
	transactions(book giro.Book, first, last int64, each func(*giro.LedgerTransaction, error) error) error
	// books returns the books that have ledger transactions, events or movements.
	books() ([]giro.Book, error)
	// entries runs over one account's (zero: all accounts'), ordered by account,
	// sequence and n.
	entries(account giro.UUID, first, last int64, each func(giro.Entry) error) error
	movements(each func(auditedMovement) error) error
	// orphans runs over the ledger transactions whose movement does not exist.
	orphans(each func(book giro.Book, sequence int64) error) error
	// rollups runs over the cells of the roll-ups, in no order.
	rollups(each func(giro.Rollup) error) error
	// events returns how many events a book has, the first and last sequence, the
	// time of the first, and how many were swept before it.
	events(book giro.Book) (eventSpan, error)
	// swept returns how many events of each book were swept.
	swept() (map[giro.Book]int64, error)
}

// eventSpan is what a book has of its events.
type eventSpan struct{ count, first, last, at, swept int64 }

// auditedMovement is a movement with what it has to agree with.
type auditedMovement struct {
	*giro.Movement
	err          error                     // of decoding
	transactions []*giro.LedgerTransaction // that name it, in every book
	refunded     int64                     // given back by its refunds
	event        []byte                    // data of its last event; nil: none
}

// maxFaults ends a report: whoever has a thousand faults has one cause.
const maxFaults = 1000

// audit is one run of Verify.
type audit struct {
	from     audited
	report   *giro.Report
	heads    map[giro.Book]*giro.BookHead
	wiping   map[giro.Book]bool // test books that are just being wiped: what is left of them adds up to nothing
	spans    map[giro.Book]eventSpan
	accounts map[giro.UUID]*auditedAccount
	counts   map[giro.Book]*[4]int64 // movements that are not deleted, in the order of giro.Kinds
	reserved map[bucket]reservation
	cells    giro.RollupCells    // as the movements say
	total    map[giro.Book]int64 // of their amounts, which stops at giro.RollupMax
}

type bucket struct {
	book     giro.Book
	currency money.Currency
}

type reservation struct{ accounts, movements int64 }

// place is what of an account says where it stands.
type place struct {
	book     giro.Book
	currency money.Currency
	role     giro.Role
	name     string
}

// auditedAccount is an account, what its entries fold to and what the postings
// say that its entries are.
type auditedAccount struct {
	place
	balance  int64
	negative bool

	posted, entered digest
	fold            int64
	bad             bool // its entries are at fault: one fault is enough
	wiping          bool // and they go
}

// digest is a sum of hashes modulo 2^128: equal for equal multisets of entries,
// whatever their order. The hashes' keys are made anew by each process, so that
// nobody can choose entries whose sums agree.
type digest struct {
	high, low uint64
	count     int64
}

var digestSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func (d *digest) add(e giro.Entry) {
	var b [16 + 5*8]byte
	copy(b[:], e.Account[:])
	binary.BigEndian.PutUint64(b[16:], uint64(e.Sequence))
	binary.BigEndian.PutUint64(b[24:], uint64(e.N))
	binary.BigEndian.PutUint64(b[32:], uint64(e.Amount))
	binary.BigEndian.PutUint64(b[40:], uint64(e.At))
	binary.BigEndian.PutUint64(b[48:], uint64(e.Balance))
	var carry uint64
	d.low, carry = bits.Add64(d.low, maphash.Bytes(digestSeeds[0], b[:]), 0)
	d.high, _ = bits.Add64(d.high, maphash.Bytes(digestSeeds[1], b[:]), carry)
	d.count++
}

// errFaults ends an audit that has found enough.
var errFaults = fmt.Errorf("more than %d faults", maxFaults)

// verify recomputes everything that a store keeps twice: chain, entries,
// balances, movements, reservations and counters. It says what does not agree,
// and asks for memory for each account; see sound for the other half.
//
// beside is nil, or reads the same state on a connection of its own: then what
// concerns movements is checked while the ledger is.
//
// whole is false where test books are left out because they are being wiped.
func verify(from, beside audited) (report *giro.Report, whole bool, err error) {
	a := &audit{
		from: from, report: &giro.Report{Faults: []giro.Fault{}},
		heads: map[giro.Book]*giro.BookHead{}, wiping: map[giro.Book]bool{}, accounts: map[giro.UUID]*auditedAccount{},
		counts: map[giro.Book]*[4]int64{}, reserved: map[bucket]reservation{},
		spans: map[giro.Book]eventSpan{},
		cells: giro.RollupCells{}, total: map[giro.Book]int64{},
	}
	err = inOrder(a.loadHeads, a.loadAccounts)
	if err != nil && err != errFaults {
		return nil, false, err
	}
	// The heads, and what is known of accounts so far, are only read from here on.
	m := &audit{
		from: beside, report: &giro.Report{},
		heads: a.heads, wiping: a.wiping, accounts: a.accounts, counts: a.counts, reserved: a.reserved, spans: a.spans, cells: a.cells, total: a.total,
	}
	movements := make(chan error, 1)
	check := func() { movements <- inOrder(m.checkMovements, m.checkBooks, m.checkRollups) }
	if err == nil && beside != nil {
		go check()
	}
	if err == nil {
		err = inOrder(a.checkChains, a.checkEntries)
	}
	located := len(a.report.Faults) // of the chain and the entries, which name the very sequence
	if beside == nil && err == nil {
		m.from = from
		check()
	}
	if beside != nil || err == nil {
		if failure := <-movements; err == nil || err == errFaults {
			err = failure
		}
	}
	if err != nil && err != errFaults {
		return nil, false, err
	}
	a.report.Movements = m.report.Movements
	a.report.Faults = append(a.report.Faults, m.report.Faults...)
	a.report.OK = len(a.report.Faults) == 0
	// What a movement shows is often no more than the consequence of a fault
	// along the chain, which therefore stands in front.
	slices.SortStableFunc(a.report.Faults[:located], bySequence)
	slices.SortStableFunc(a.report.Faults[located:], bySequence)
	slices.SortStableFunc(a.report.Faults, byMerchant)
	a.report.Faults = a.report.Faults[:min(len(a.report.Faults), maxFaults)]
	return a.report, len(a.wiping) == 0, nil
}

func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// sameHeads reports whether two snapshots show the same books. Whatever the
// audits of the two compare with each other, reservations and what the ledger
// moved, changes no row without changing a head.
func sameHeads(a, b audited) (bool, error) {
	heads := func(from audited) (all []giro.BookHead, err error) {
		err = from.heads(func(h *giro.BookHead) error { all = append(all, *h); return nil })
		return all, err
	}
	one, err := heads(a)
	if err != nil {
		return false, err
	}
	two, err := heads(b)
	if err != nil || !slices.Equal(one, two) {
		return false, err
	}
	sweptOne, err := a.swept()
	if err != nil {
		return false, err
	}
	sweptTwo, err := b.swept()
	return maps.Equal(sweptOne, sweptTwo), err
}

// besideAttempts is how often Verify asks for a second snapshot of the state of
// the first. Between two commits there is time enough for it.
const besideAttempts = 20

// bySequence puts the first bad sequence in front, and what belongs to none at
// the end.
func bySequence(f, g giro.Fault) int {
	return cmp.Compare(uint64(f.Sequence)-1, uint64(g.Sequence)-1) // 0 becomes the greatest
}

// byMerchant puts what belongs to no merchant at the end.
func byMerchant(f, g giro.Fault) int {
	if (f.Merchant == "") != (g.Merchant == "") {
		return cmp.Compare(g.Merchant, f.Merchant)
	}
	return cmp.Or(cmp.Compare(f.Merchant, g.Merchant), cmp.Compare(f.Mode, g.Mode))
}

// fault notes what does not add up in a book.
func (a *audit) fault(book giro.Book, sequence int64, format string, args ...any) error {
	f := giro.Fault{Mode: "test", Sequence: sequence, Message: fmt.Sprintf(format, args...)}
	if book.Live() {
		f.Mode = "live"
	}
	head := a.heads[book]
	if head == nil {
		head = a.heads[book^1] // the same merchant's in the other mode
	}
	if head != nil {
		f.Merchant = head.Merchant.ID("mer")
	} else {
		f.Message += fmt.Sprintf(" (book %d)", book)
	}
	a.report.Faults = append(a.report.Faults, f)
	if len(a.report.Faults) >= maxFaults {
		return errFaults
	}
	return nil
}

func (a *audit) loadHeads() error {
	err := a.from.heads(func(h *giro.BookHead) error {
		if h.Wiping > 0 && !h.Book.Live() {
			a.wiping[h.Book] = true
			return nil
		}
		a.heads[h.Book] = h
		return nil
	})
	if err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	books, err := a.from.books()
	if err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	for _, book := range books {
		if a.heads[book] != nil || a.wiping[book] {
			continue
		}
		err := a.fault(book, 0, "the book has rows and no head")
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) loadAccounts() error {
	return a.from.accounts(func(r *giro.Account, err error) error {
		a.accounts[r.ID] = &auditedAccount{place: place{r.Book, r.Currency, r.Role, r.Name}, balance: r.Balance, negative: r.Negative}
		if a.wiping[r.Book] {
			a.accounts[r.ID].wiping = true
			return nil
		}
		switch {
		case err != nil:
			return a.fault(r.Book, 0, "account %s cannot be read: %v", accountName(r.ID), err)
		case !r.Negative && r.Balance < 0:
			return a.fault(r.Book, 0, "account %s is at %d, below its floor", accountName(r.ID), r.Balance)
		}
		if r.Role == giro.RoleReserved || r.Role == giro.RoleSubReserved {
			k := bucket{r.Book, r.Currency}
			sum := a.reserved[k]
			sum.accounts += r.Balance
			a.reserved[k] = sum
		}
		return nil
	})
}

func accountName(id giro.UUID) string { return id.ID("acct") }

// checkChains recomputes each book's chain, and gathers what its postings say
// of the entries.
func (a *audit) checkChains() error {
	for _, book := range slices.Sorted(maps.Keys(a.heads)) {
		err := a.checkChain(book, a.heads[book])
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) checkChain(book giro.Book, head *giro.BookHead) error {
	var hash ledger.Hash
	var sequence, at int64
	broken := false // the chain is broken once; every later link would differ too
	say := func(n int64, format string, args ...any) error {
		if broken {
			return nil
		}
		broken = true
		return a.fault(book, n, format, args...)
	}
	err := a.from.transactions(book, 1, math.MaxInt64, func(t *giro.LedgerTransaction, decode error) error {
		a.report.LedgerTransactions++
		if decode != nil {
			err := say(t.Sequence, "the ledger transaction is damaged: %v", decode)
			if err != nil {
				return err
			}
		}
		var err error
		switch hash = ledger.Link(hash, &t.Transaction); {
		case t.Sequence != sequence+1:
			err = say(sequence+1, "ledger transaction %d is missing", sequence+1)
		case t.At < at:
			err = say(t.Sequence, "the ledger transaction's time is before its predecessor's")
		case hash != t.Hash:
			err = say(t.Sequence, "the ledger transaction is not what its link of the chain says")
		case !validKind(t):
			err = say(t.Sequence, "the ledger transaction says it belongs to a %q", t.Kind)
		}
		if err != nil {
			return err
		}
		hash, sequence, at = t.Hash, t.Sequence, t.At
		return a.gather(book, t)
	})
	if err != nil {
		return err
	}
	switch {
	case head.Sequence != sequence:
		return say(min(head.Sequence, sequence)+1, "the book says that its last ledger transaction is %d, and it is %d", head.Sequence, sequence)
	case head.Hash != hash:
		return say(sequence, "the book's hash is not that of its last ledger transaction")
	case head.LedgerAt != at:
		return say(sequence, "the book's time is not that of its last ledger transaction")
	}
	return nil
}

// checkSides compares a stored transaction's sums with its postings.
func checkSides(t *giro.LedgerTransaction, stored sides) error {
	var sum int64
	for _, p := range t.Postings {
		sum += p.Amount
	}
	if stored != (sides{sum, sum}) {
		return fmt.Errorf("its debits are %d, its credits %d and its postings move %d", stored.debits, stored.credits, sum)
	}
	return nil
}

// validKind reports whether the kind of movement, which the chain does not
// cover, can be true: checkMovements compares it with the movement itself.
func validKind(t *giro.LedgerTransaction) bool {
	if t.Kind == "" {
		return t.Object == ledger.ID{}
	}
	return slices.Contains(giro.Kinds, t.Kind)
}

// gather adds the entries that a ledger transaction must have.
func (a *audit) gather(book giro.Book, t *giro.LedgerTransaction) error {
	for _, e := range entriesOf(t) {
		account := a.accounts[e.Account]
		if account == nil {
			err := a.fault(book, t.Sequence, "a posting names account %s, which does not exist", accountName(e.Account))
			if err != nil {
				return err
			}
			continue
		}
		if account.book != book || string(account.currency) != t.Currency {
			err := a.fault(book, t.Sequence, "a posting names account %s of another book or currency", accountName(e.Account))
			if err != nil {
				return err
			}
		}
		account.posted.add(e)
	}
	return nil
}

// entriesOf returns the entries that t must have, without balances.
func entriesOf(t *giro.LedgerTransaction) []giro.Entry {
	entries := make([]giro.Entry, 0, 2*len(t.Postings))
	for i, p := range t.Postings {
		entries = append(entries,
			giro.Entry{Account: p.Debit, Sequence: t.Sequence, N: 2 * i, Amount: -p.Amount, At: t.At},
			giro.Entry{Account: p.Credit, Sequence: t.Sequence, N: 2*i + 1, Amount: p.Amount, At: t.At})
	}
	return entries
}

// checkEntries folds each account's entries to its balance, and compares them
// with what the postings say.
func (a *audit) checkEntries() error {
	err := a.from.entries(giro.UUID{}, 1, math.MaxInt64, func(e giro.Entry) error {
		account := a.accounts[e.Account]
		if account != nil && account.wiping {
			return nil
		}
		a.report.Entries++
		if account == nil {
			return a.fault(0, e.Sequence, "an entry names account %s, which does not exist", accountName(e.Account))
		}
		balance := e.Balance
		e.Balance = 0 // which the postings do not say by themselves
		account.entered.add(e)
		fold, err := money.Add(account.fold, e.Amount)
		if err == nil {
			account.fold = fold
		}
		if (err != nil || fold != balance) && !account.bad {
			account.bad = true
			return a.fault(account.book, e.Sequence, "the balance of account %s after entry %d is %d, and its entries fold to %d", accountName(e.Account), e.N, balance, fold)
		}
		return nil
	})
	if err != nil {
		return err
	}
	byID := func(a, b giro.UUID) int { return bytes.Compare(a[:], b[:]) }
	for _, id := range slices.SortedFunc(maps.Keys(a.accounts), byID) {
		account := a.accounts[id]
		var err error
		switch {
		case account.wiping:
		case account.posted != account.entered:
			err = a.locate(id, account)
		case account.fold != account.balance && !account.bad:
			err = a.fault(account.book, 0, "the balance of account %s is %d, and its entries fold to %d", accountName(id), account.balance, account.fold)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// locate finds the first ledger transaction whose entries of an account are not
// those of its postings. It reads both again, a span of sequences at a time.
func (a *audit) locate(id giro.UUID, account *auditedAccount) error {
	const span = 1 << 14
	head := a.heads[account.book]
	last := int64(0)
	if head != nil {
		last = head.Sequence
	}
	for first := int64(1); first <= last; first += span {
		end := first + span - 1
		if first+span > last {
			end = math.MaxInt64 - 1 // entries beyond the chain are at fault too
		}
		var posted, entered []giro.Entry
		err := a.from.transactions(account.book, first, end, func(t *giro.LedgerTransaction, _ error) error {
			for _, e := range entriesOf(t) {
				if e.Account == id {
					posted = append(posted, e)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = a.from.entries(id, first, end, func(e giro.Entry) error {
			e.Balance = 0
			entered = append(entered, e)
			return nil
		})
		if err != nil {
			return err
		}
		for i := range max(len(posted), len(entered)) {
			switch {
			case i < len(posted) && i < len(entered) && posted[i] == entered[i]:
				continue
			case i >= len(entered) || i < len(posted) && posted[i].Sequence < entered[i].Sequence:
				return a.fault(account.book, posted[i].Sequence, "account %s lacks an entry that the ledger transaction's postings make", accountName(id))
			}
			return a.fault(account.book, entered[i].Sequence, "an entry of account %s is not what the ledger transaction's postings make", accountName(id))
		}
	}
	return a.fault(account.book, 0, "the entries of account %s are not those that the postings make", accountName(id))
}

// checkMovements compares each movement with the postings that it caused.
func (a *audit) checkMovements() error {
	err := a.from.movements(func(m auditedMovement) error {
		if a.wiping[m.Book] {
			return nil
		}
		a.report.Movements++
		a.count(m.Movement)
		var sequence int64
		var message string
		if m.err != nil {
			message = fmt.Sprintf("cannot be read: %v", m.err)
		} else {
			sequence, message = a.compare(m)
		}
		if message == "" {
			return nil
		}
		for _, t := range m.transactions {
			if sequence == 0 && giro.Book(t.Book) == m.Book {
				sequence = t.Sequence
			}
		}
		return a.fault(m.Book, sequence, "%s %s", m.ID.ID(m.Kind.Prefix()), message)
	})
	if err != nil {
		return err
	}
	err = a.from.orphans(func(book giro.Book, sequence int64) error {
		if a.wiping[book] {
			return nil
		}
		return a.fault(book, sequence, "the movement of the ledger transaction does not exist")
	})
	if err != nil {
		return err
	}
	byBook := func(k, l bucket) int {
		return cmp.Or(cmp.Compare(k.book, l.book), cmp.Compare(k.currency, l.currency))
	}
	for _, k := range slices.SortedFunc(maps.Keys(a.reserved), byBook) {
		sum := a.reserved[k]
		if sum.accounts == sum.movements {
			continue
		}
		err := a.fault(k.book, 0, "the reserved accounts hold %d %s, and the movements reserve %d", sum.accounts, k.currency, sum.movements)
		if err != nil {
			return err
		}
	}
	return nil
}

// count adds a movement to the counters of its books and to what is reserved.
func (a *audit) count(m *giro.Movement) {
	for _, r := range m.Rollups() {
		a.cells.Add(&r, 1)
		a.total[r.Book] = min(giro.RollupMax, a.total[r.Book]+r.Amount)
	}
	k := bucket{m.Book, m.Currency}
	sum := a.reserved[k]
	sum.movements += m.Reserved
	a.reserved[k] = sum
	if m.Deleted {
		return
	}
	add := func(book giro.Book) {
		if a.counts[book] == nil {
			a.counts[book] = &[4]int64{}
		}
		for i, kind := range giro.Kinds {
			if kind == m.Kind {
				a.counts[book][i]++
			}
		}
	}
	add(m.Book)
	if m.Peer != 0 {
		add(m.Peer)
	}
}

// flows are the sums of a movement's postings, credits less debits.
type flows struct {
	reserved int64 // on the reserved accounts
	outside  int64 // on accounts that stand for the world outside the book
	arrived  int64 // on a transfer's destination
	peer     int64 // outside, in the receiver's books

	exchanged int64 // at the rail, in the currency of the movement's exchange
}

// flow sums the postings of a movement.
func (a *audit) flow(m *auditedMovement) (f flows) {
	for _, t := range m.transactions {
		for _, e := range entriesOf(t) {
			if account := a.accounts[e.Account]; account != nil { // else noted by gather
				f.add(m.Movement, t, e.Account, &account.place, e.Amount)
			}
		}
	}
	return f
}

// add adds one entry of one of the movement's ledger transactions. Sums wrap
// like the sums of the accounts would have to: Verify compares, it does not
// spend.
func (f *flows) add(m *giro.Movement, t *giro.LedgerTransaction, id giro.UUID, account *place, amount int64) {
	if t.Currency != string(m.Currency) {
		if m.Detail.Exchange != nil && account.role == giro.RoleClearing && account.name == m.Detail.Rail {
			f.exchanged += amount
		}
		return
	}
	switch {
	case giro.Book(t.Book) != m.Book:
		if account.role.Outside() {
			f.peer += amount
		}
		return
	case account.role == giro.RoleReserved || account.role == giro.RoleSubReserved:
		f.reserved += amount
	case account.role.Outside():
		f.outside += amount
	}
	if destination(m, id, account.role) {
		f.arrived += amount
	}
}

// destination reports whether an account is where a transfer goes inside its
// book; the absent account is the main one.
func destination(m *giro.Movement, id giro.UUID, role giro.Role) bool {
	if m.Kind != giro.KindTransfer || m.Peer != 0 {
		return false
	}
	if m.Detail.Destination.IsZero() {
		return role == giro.RoleAvailable
	}
	return id == m.Detail.Destination
}

// compare returns what is wrong with a movement, or nothing, and the ledger
// transaction that shows it, or 0 for the movement's first.
func (a *audit) compare(m auditedMovement) (sequence int64, message string) {
	for _, t := range m.transactions {
		if sequence, message := belongs(m.Movement, t); message != "" {
			return sequence, message
		}
	}
	f := a.flow(&m)
	if message := f.agree(m.Movement, m.refunded); message != "" {
		return 0, message
	}
	if m.event == nil {
		kept, err := a.kept(m.Book)
		if err != nil {
			return 0, fmt.Sprintf("has events that cannot be read: %v", err)
		}
		if kept.first > 1 && m.Updated <= kept.at {
			return 0, "" // its last event was swept
		}
	}
	return 0, told(m.Movement, m.event)
}

// belongs returns why a ledger transaction cannot be the movement's, or nothing.
func belongs(m *giro.Movement, t *giro.LedgerTransaction) (sequence int64, message string) {
	book := giro.Book(t.Book)
	if book != m.Book && (m.Peer == 0 || book != m.Peer) {
		return 0, fmt.Sprintf("has a ledger transaction in book %d, which is not one of its own", book)
	}
	other := t.Currency != string(m.Currency) && (m.Detail.Exchange == nil || t.Currency != string(m.Detail.Exchange.Currency))
	if t.Kind != m.Kind || other {
		return t.Sequence, "has a ledger transaction of another kind or currency"
	}
	return 0, ""
}

// agree returns what of a movement its postings and its refunds contradict, or
// nothing.
func (f *flows) agree(m *giro.Movement, refunded int64) string {
	net := m.Captured - m.Refunded
	switch {
	case m.Refunded < 0 || m.Refunded > m.Captured || m.Captured > m.Amount:
		return "has amounts that contradict each other"
	case f.reserved != m.Reserved:
		return fmt.Sprintf("reserves %d, and its postings reserve %d", m.Reserved, f.reserved)
	}
	moved := int64(0)
	switch {
	case m.Kind == giro.KindCharge: // its refunds post under their own name
		moved = -f.outside - refunded
	case m.Kind == giro.KindTransfer && m.Peer == 0:
		moved = f.arrived
	default:
		moved = f.outside
	}
	if x := m.Detail.Exchange; x != nil {
		// All of it was exchanged, or has come back, or nothing was.
		want := int64(0)
		if m.Captured > 0 && (m.Kind == giro.KindCharge || net > 0) {
			want = x.Amount
		}
		if f.exchanged != want && f.exchanged != -want {
			return fmt.Sprintf("exchanged %d %s, and its postings exchanged %d", want, x.Currency, f.exchanged)
		}
	}
	switch {
	case moved != net:
		return fmt.Sprintf("moved %d, and its postings moved %d", net, moved)
	case m.Peer != 0 && f.peer != -net:
		return fmt.Sprintf("moved %d, and the receiver's books got %d", net, -f.peer)
	}
	return ""
}

// kept returns what a book has of its events, which is read once.
func (a *audit) kept(book giro.Book) (eventSpan, error) {
	if span, ok := a.spans[book]; ok {
		return span, nil
	}
	span, err := a.from.events(book)
	if err == nil {
		a.spans[book] = span
	}
	return span, err
}

// told compares a movement with its last event, which shows it as it was after
// its last change.
func told(m *giro.Movement, event []byte) string {
	if event == nil {
		return "has no event"
	}
	if m.ShowsAs(event, nil) {
		return ""
	}
	var then struct {
		Status   giro.Status `json:"status"`
		Amount   int64       `json:"amount"`
		Captured int64       `json:"amount_captured"`
		Refunded int64       `json:"amount_refunded"`
		Fee      int64       `json:"fee"`
		Currency string      `json:"currency"`
	}
	err := json.Unmarshal(event, &then)
	if err != nil {
		return fmt.Sprintf("has a last event that cannot be read: %v", err)
	}
	switch {
	case then.Status != m.Status:
		return fmt.Sprintf("is %s, and its last event says %s", m.Status, then.Status)
	case then.Amount != m.Amount || then.Captured != m.Captured || then.Refunded != m.Refunded || then.Fee != m.Fee || then.Currency != m.Currency.Lower():
		return "has other amounts than its last event says"
	}
	return ""
}

// checkBooks compares the counters and the gapless sequence of events.
func (a *audit) checkBooks() error {
	for _, book := range slices.Sorted(maps.Keys(a.heads)) {
		head, counts := a.heads[book], a.counts[book]
		if counts == nil {
			counts = &[4]int64{}
		}
		for i, kind := range giro.Kinds {
			if n := *head.Count(kind); n != counts[i] {
				err := a.fault(book, 0, "the book counts %d %s, and there are %d", n, kind.Plural(), counts[i])
				if err != nil {
					return err
				}
			}
		}
		kept, err := a.kept(book)
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		// The oldest may have been swept; what is left has no gap and ends with the last.
		if kept.last != head.Events || kept.count != kept.last-kept.swept || kept.count > 0 && kept.first != kept.swept+1 {
			err := a.fault(book, 0, "the book has %d events from %d to %d, and says that the last is %d", kept.count, kept.first, kept.last, head.Events)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRollups compares the roll-ups with the movements that they count. Where
// a book's amounts went beyond what a cell holds, only the numbers of movements
// are compared; where the book is at fault anyway, nothing is.
func (a *audit) checkRollups() error {
	if len(a.report.Faults) > 0 {
		return nil
	}
	stored := map[giro.RollupKey]giro.Rollup{}
	err := a.from.rollups(func(r giro.Rollup) error {
		if a.wiping[r.Book] {
			return nil
		}
		stored[r.RollupKey] = r
		return nil
	})
	if err != nil {
		return fmt.Errorf("read roll-ups: %w", err)
	}
	told := map[giro.Book]bool{}
	compare := func(key giro.RollupKey, have, want giro.Rollup) error {
		have.RollupKey, want.RollupKey = key, key
		if a.total[key.Book] >= giro.RollupMax {
			have.Amount, have.Captured, have.Refunded, have.Fee = want.Amount, want.Captured, want.Refunded, want.Fee
		}
		if have == want || told[key.Book] {
			return nil
		}
		told[key.Book] = true
		return a.fault(key.Book, 0, "the roll-up of %s %s %s in hour %d counts %d movements of %d, and there are %d of %d", key.Currency, key.Status, key.Kind.Plural(), key.Hour, have.Count, have.Amount, want.Count, want.Amount)
	}
	for key, c := range a.cells {
		if _, known := stored[key]; !known {
			stored[key] = giro.Rollup{RollupKey: c.RollupKey}
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(stored), giro.RollupKey.Compare) {
		want := giro.Rollup{}
		if c := a.cells[key]; c != nil {
			want = *c
		}
		if err := compare(key, stored[key], want); err != nil {
			return err
		}
	}
	return nil
}
