package giro

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"giro/ledger"
	"giro/money"
)

// Store keeps everything. It has two implementations, SQLite and PostgreSQL,
// with one suite of tests; both give these guarantees.
type Store interface {
	// Update loads the rows that keys names, holds their books against every
	// other writer, calls decide and writes all that the batch then holds,
	// durably or not at all. decide may run again on freshly loaded rows when
	// the database asks for it (serialisation failure, lost connection before
	// COMMIT), so it keeps nothing from an earlier run. An error of decide
	// writes nothing. ErrCommitUnknown: the answer to COMMIT was lost and the
	// batch's own row could not be read either, or the disk failed. decide may see
	// what others have written before it is durable; when Update returns it is.
	Update(ctx context.Context, keys *Keys, decide func(*Batch) error) error

	// Movement returns nil where the book neither made nor received it. A
	// deleted movement is returned too; callers decide who may see it.
	Movement(ctx context.Context, book Book, kind Kind, id UUID) (*Movement, error)
	// MovementByReference returns nil where no movement holds the reference.
	MovementByReference(ctx context.Context, book Book, kind Kind, reference string) (*Movement, error)
	Movements(ctx context.Context, q MovementQuery) (page []*Movement, more bool, err error)
	// CountMovements counts what q selects, at most to limit, among the first
	// ScanMax rows.
	CountMovements(ctx context.Context, q MovementQuery, limit int64) (int64, error)
	// Doubts counts a book's movements whose rail's answer is not known, kind by
	// kind; kinds without one are left out.
	Doubts(ctx context.Context, book Book) ([]Doubts, error)

	// Rollups returns the cells that q selects, in no order.
	Rollups(ctx context.Context, q RollupQuery) ([]Rollup, error)

	// Head returns a book's head, or nil.
	Head(ctx context.Context, book Book) (*BookHead, error)
	// Accounts returns accounts and the book's ledger sequence of one snapshot.
	Accounts(ctx context.Context, q AccountQuery) (accounts []*Account, sequence int64, err error)
	Entries(ctx context.Context, account UUID, before EntryKey, limit int) ([]Entry, error)
	LedgerTransactions(ctx context.Context, q LedgerQuery) ([]*LedgerTransaction, error)
	TrialBalance(ctx context.Context, book Book) (*TrialBalance, error) // Installation: of all books
	Events(ctx context.Context, q EventQuery) ([]*Event, error)
	Idempotency(ctx context.Context, book Book, key string) (*Idempotency, error)

	Document(ctx context.Context, kind DocumentKind, id UUID) (*StoredDocument, error)
	DocumentByLookup(ctx context.Context, kind DocumentKind, lookup string) (*StoredDocument, error)
	Documents(ctx context.Context, q DocumentQuery) ([]*StoredDocument, error)

	// ClaimJobs leases at most limit jobs that are due at now (µs) to owner
	// until the lease ends (µs); a job leased to another owner is left alone.
	ClaimJobs(ctx context.Context, owner UUID, now, lease int64, limit int) ([]*Job, error)
	// NextJob returns when the earliest job is due (µs); 0: there is none.
	NextJob(ctx context.Context) (int64, error)
	// Beat is a process' sign of life. It frees the jobs leased to processes
	// that have given none for so long.
	Beat(ctx context.Context, process UUID, dead time.Duration) error
	// Alive reports whether another process has given a sign of life so lately.
	Alive(ctx context.Context, process UUID, within time.Duration) (bool, error)
	// Jobs lists a book's jobs that are due at or before a time.
	Jobs(ctx context.Context, book Book, due int64, limit int) ([]*Job, error)
	SandboxLog(ctx context.Context, book Book, after int64, limit int, newest bool) ([]*SandboxRow, error)

	// Dispatch returns where the sending to an endpoint stands, or nil.
	Dispatch(ctx context.Context, endpoint UUID) (*Dispatch, error)
	// ClaimDispatches first gives back the leases of ended that are owner's, then
	// leases to owner, until lease (µs), at most limit dispatches that are on,
	// not leased at now and have something to send: events past their cursor or
	// deliveries that are due in their book's time. Those that waited longest
	// since their last claim come first.
	ClaimDispatches(ctx context.Context, owner UUID, now, lease int64, limit int, ended []UUID) ([]*Dispatch, error)
	// RenewDispatches puts the end of owner's unexpired leases off to lease (µs)
	// and returns the endpoints that are still owner's.
	RenewDispatches(ctx context.Context, owner UUID, now, lease int64) ([]UUID, error)
	Deliveries(ctx context.Context, q DeliveryQuery) ([]*Delivery, error)
	// SweepDeliveries removes deliveries that were last attempted before a time
	// (µs of their book's clock) and are not due, at most limit.
	SweepDeliveries(ctx context.Context, before int64, limit int) (int, error)

	// SweepEvents removes events from before a time (µs, of their book's clock):
	// the oldest of each book, never its last one, at most limit in all. It
	// returns how many went; what is left of a book has no gap.
	SweepEvents(ctx context.Context, before int64, limit int) (int, error)
	// FindTerms returns the terms of a book that begin with a folded prefix, at
	// most limit, the newest objects of each term first.
	FindTerms(ctx context.Context, book Book, prefix string, limit int) ([]Term, error)
	// TermIDs returns the ids of objects of a book that have one of the terms, in no
	// order, at most limit of each term; and up to which event terms had been
	// written before they were looked for.
	TermIDs(ctx context.Context, book Book, terms []string, limit int) (ids []UUID, sequence int64, err error)
	// TermBacklogs lists books whose events were not all read for terms.
	TermBacklogs(ctx context.Context, limit int) ([]TermBacklog, error)
	// AddTerms writes the terms of a book's events after from, up to and with to;
	// nothing, if another process has done that.
	AddTerms(ctx context.Context, book Book, from, to int64, terms []Term) error

	// AppendRequests writes lines of the request log, one that is there stays, adds
	// to the cells of traffic, and notes later uses of keys: together or not at all.
	AppendRequests(ctx context.Context, w RequestWrites) error
	// KeyUses returns the last uses of those of the keys that were used.
	KeyUses(ctx context.Context, keys []UUID) ([]KeyUse, error)
	Requests(ctx context.Context, q RequestQuery) ([]*RequestRow, error)
	// SweepRequests removes lines from before a time (µs), and the oldest beyond
	// keep, at most limit of each.
	SweepRequests(ctx context.Context, before int64, keep, limit int) (int, error)
	// Traffic returns the cells that q selects, each subject's in order of time.
	Traffic(ctx context.Context, q TrafficQuery) ([]*Traffic, error)
	// SweepTraffic removes cells of a step (s) that began before a time (Unix
	// seconds), at most limit.
	SweepTraffic(ctx context.Context, step, before int64, limit int) (int, error)

	// Sweep removes idempotency rows and batch rows older than before (µs), at
	// most limit of each, and returns how many went.
	Sweep(ctx context.Context, idempotencyBefore, batchBefore int64, limit int) (int, error)
	// WipingBooks lists the test books that are being wiped.
	WipingBooks(ctx context.Context) ([]*BookHead, error)
	// Entangled reports whether a book has transfers from or to another one.
	Entangled(ctx context.Context, book Book) (bool, error)
	// Wipe removes rows of a book that is being wiped, at most limit, and returns
	// the stage to go on with: it begins with 0, and WipeDone ends it. What is left
	// of the book then is what a wipe keeps; of its events it looks as if all were
	// swept. Any other book is refused, and one that is being wiped for another time:
	// its stages are not those of that wipe.
	Wipe(ctx context.Context, wiping *BookHead, stage, limit int) (next int, err error)
	Verify(ctx context.Context) (*Report, error)
	Ping(ctx context.Context) error
	Close() error
}

// What a store answers besides database errors.
var (
	ErrCommitUnknown = errors.New("the outcome of COMMIT is not known")
	ErrClosed        = errors.New("the store is closed")
	// ErrUnreachable: the database did not answer, whatever it was asked.
	ErrUnreachable = errors.New("the database does not answer")
)

// WipeDone is the stage after the last of a wipe.
const WipeDone = -1

// MovementKey names a movement.
type MovementKey struct {
	Book Book
	Kind Kind
	ID   UUID
}

// ReferenceKey names the holder of a caller's reference.
type ReferenceKey struct {
	Book      Book
	Kind      Kind
	Reference string
}

// IdempotencyKey names an idempotency row.
type IdempotencyKey struct {
	Book Book
	Key  string
}

// DocumentKey names a document by id, or by lookup where that is not empty.
type DocumentKey struct {
	Kind   DocumentKind
	ID     UUID
	Lookup string
}

// Keys names the rows that a batch needs. Repetitions are allowed.
type Keys struct {
	Books       []Book // locked in ascending order
	Accounts    []UUID
	Movements   []MovementKey // by the book that made them
	References  []ReferenceKey
	Idempotency []IdempotencyKey
	Documents   []DocumentKey
	Sandbox     []string // instruction ids
	Jobs        []JobKey
}

// add puts another command's rows beside these.
func (k *Keys) add(more *Keys) {
	k.Books = append(k.Books, more.Books...)
	k.Accounts = append(k.Accounts, more.Accounts...)
	k.Movements = append(k.Movements, more.Movements...)
	k.References = append(k.References, more.References...)
	k.Idempotency = append(k.Idempotency, more.Idempotency...)
	k.Documents = append(k.Documents, more.Documents...)
	k.Sandbox = append(k.Sandbox, more.Sandbox...)
	k.Jobs = append(k.Jobs, more.Jobs...)
}

// unite names once what several commands name: most of a batch need the same
// book and accounts. Accounts come in the order of their ids, as they stand in
// their table.
func (k *Keys) unite() {
	slices.SortFunc(k.Accounts, func(a, b UUID) int { return bytes.Compare(a[:], b[:]) })
	k.Books, k.Accounts = distinct(k.Books), slices.Compact(k.Accounts)
	k.Movements, k.References = distinct(k.Movements), distinct(k.References)
	k.Idempotency, k.Documents = distinct(k.Idempotency), distinct(k.Documents)
	k.Sandbox, k.Jobs = distinct(k.Sandbox), distinct(k.Jobs)
}

// distinct keeps the first of equal keys, in place.
func distinct[T comparable](keys []T) []T {
	if len(keys) < 2 {
		return keys
	}
	seen := make(map[T]struct{}, len(keys))
	kept := keys[:0]
	for _, k := range keys {
		if _, again := seen[k]; !again {
			seen[k] = struct{}{}
			kept = append(kept, k)
		}
	}
	return kept
}

// Account is a row of the chart with its balance.
type Account struct {
	ID       UUID
	Book     Book
	Currency money.Currency
	Role     Role
	Parent   UUID   // of a sub-account's side: the sub-account
	Name     string // of a sub-account; of a clearing account: the rail
	Balance  int64  // credits minus debits, minor units
	Negative bool   // may fall below zero
	Closed   bool
	Created  int64 // µs
	Version  int64
	Metadata map[string]string

	New, Dirty bool // for the store

	overdrawn bool // below zero, and no longer allowed to fall: it only takes
	span      int  // of the batch in which undoing was seen to; see Batch
}

// AccountQuery selects accounts of a book.
type AccountQuery struct {
	Book       Book   // AllBooks: of every book, which have no common sequence
	IDs        []UUID // nil: all of the book
	Roles      []Role // nil: all
	After      UUID   // ids above this one; below it, if Descending
	Descending bool   // the newest first
	Limit      int
	At         int64 // µs; > 0: with the balances of that instant
}

// EntryKey orders the entries of an account.
type EntryKey struct {
	Sequence int64
	N        int
}

// Entry is one line of an account's statement.
type Entry struct {
	Account  UUID
	Sequence int64 // of the ledger transaction, in the account's book
	N        int   // place inside the transaction
	Amount   int64 // > 0 credit, < 0 debit
	Balance  int64 // after it
	At       int64 // µs
}

// LedgerTransaction is a link of a book's chain.
type LedgerTransaction struct {
	ledger.Transaction
	Kind Kind // of the movement that caused it; empty: none
	Hash [32]byte
}

// LedgerQuery selects ledger transactions of a book, newest first.
type LedgerQuery struct {
	Book     Book
	Sequence int64 // > 0: this one alone
	Object   UUID  // only those of this movement, oldest first
	Before   int64 // sequences below; 0: from the newest
	Limit    int
}

// TrialBalance sums the balances of all accounts by sign; debits equal credits
// in every currency or the books are broken.
type TrialBalance struct {
	Sequence   int64
	Hash       [32]byte
	Currencies []TrialLine
}

// TrialLine is one currency of a trial balance.
type TrialLine struct {
	Currency money.Currency
	Debits   int64
	Credits  int64
}

// Event is one change, with the object as it was then.
type Event struct {
	Book     Book
	Sequence int64 // gapless per book
	ID       UUID
	Type     string // "payout.created"
	Object   UUID
	At       int64  // µs
	Data     []byte // JSON of the object
	Notice   []byte // a Notice as JSON; empty: none
}

// EventQuery selects events of a book: after a sequence oldest first, else
// newest first below Before.
type EventQuery struct {
	Book      Book
	Sequence  int64 // > 0: this one alone
	After     int64
	Ascending bool
	Before    int64
	Types     []string // exact, or "payout.*"
	Object    UUID
	Noticed   bool  // only those with a Notice
	From, To  int64 // bounds of the sequence, both included; 0: none
	Limit     int
}

// Idempotency is what an Idempotency-Key did.
type Idempotency struct {
	Book        Book
	Key         string
	Fingerprint []byte // of method, path and canonical body
	Members     string // digests of the body's members, to name what differs
	Executing   bool   // a rail is being waited for; there is no answer yet
	Owner       UUID   // the process that executes
	Status      int
	Body        []byte
	Event       int64 // > 0: Body is the data of this event of the book, and kept there alone
	Location    string
	Kind        Kind // of the movement, where there is one
	Object      UUID
	Created     int64 // µs

	New bool // for the store: there was no row of this key
}

// DocumentKind is a noun that carries no money and is stored as JSON.
type DocumentKind string

const (
	DocMerchant DocumentKind = "merchant"
	DocKey      DocumentKind = "api_key"
	DocClient   DocumentKind = "oauth_client"
	DocCustomer DocumentKind = "customer"
	DocSource   DocumentKind = "source"
	DocEndpoint DocumentKind = "webhook_endpoint"
	DocSetting  DocumentKind = "setting"
	DocQuote    DocumentKind = "quote"

	DocRailAccount DocumentKind = "rail_account" // lookup: merchant and rail
	DocRailMessage DocumentKind = "rail_message" // lookup: book, rail and the message's own id
	DocRailAnswer  DocumentKind = "rail_answer"  // to an attempt of a movement (parent); lookup: instruction, act and number

	DocPerson     DocumentKind = "person"     // lookup: the e-mail address
	DocMember     DocumentKind = "member"     // a person (parent) in a merchant's team
	DocInvitation DocumentKind = "invitation" // lookup: a link's hash
	DocSession    DocumentKind = "session"    // of a person (parent); lookup: the token's hash
	DocView       DocumentKind = "view"       // a saved list
	DocAct        DocumentKind = "act"        // a line of the audit log, about an object (parent)
)

// StoredDocument is a row of such a noun.
type StoredDocument struct {
	Kind    DocumentKind
	ID      UUID
	Book    Book   // Installation for what belongs to no merchant
	Lookup  string // unique per kind: a key's hash, "book/reference"; empty: none
	Parent  UUID   // a source's customer
	Version int64
	Created int64 // µs
	Updated int64 // µs
	Data    []byte

	Gone bool // for the store: delete the row
}

// DocumentQuery selects documents of a book, newest first.
type DocumentQuery struct {
	Kind      DocumentKind
	Book      Book // AllBooks: of every book
	Parent    UUID
	Before    UUID // ids below; zero: from the newest
	Limit     int
	Ascending bool
	IDs       []UUID // only these, in the query's order; nil: any
}

// AllBooks selects documents of every book.
const AllBooks Book = -1

// JobKind says what a job does.
type JobKind string

const (
	JobRail   JobKind = "rail"   // submit a movement's instruction, or ask for its outcome
	JobAsk    JobKind = "ask"    // ask a rail about a movement, because its provider sent a message
	JobExpire JobKind = "expire" // cancel what was not paid or posted in time
	JobSettle JobKind = "settle" // pending money becomes available
	JobVoid   JobKind = "void"   // let the rail go of what it holds of a card
)

// JobKey names a job: one per object and kind.
type JobKey struct {
	Object UUID
	Kind   JobKind
}

// Job is work to do once a commit has made it due.
type Job struct {
	JobKey
	Book         Book
	MovementKind Kind
	Due          int64 // µs, real time
	Leased       int64 // µs; until then it is its owner's, also where a batch writes it so
	Owner        UUID
	Movement     *Movement // of a claimed job, as it was then; nil: not read
	Clock        Clock     // the book's then, where Movement is set
}

// SandboxRow is what the sandbox rail knows of one instruction: the outside
// world's own memory, apart from the ledger.
type SandboxRow struct {
	Instruction string
	Number      int64 // order of arrival per book
	Book        Book
	Kind        Kind
	Object      UUID
	Submits     int64
	Lookups     int64
	Done        bool
	Verdict     Verdict // final outcome that was decided; pending: by hand
	Code        string
	Ready       int64 // µs of the book's clock, when the outcome is known
	Absent      bool  // not there: it has not arrived, or was lost on the way
	At          int64 // µs

	New, Dirty bool // for the store
}

// MovementQuery selects movements of a book that are not deleted, newest first.
type MovementQuery struct {
	Book       Book
	Kind       Kind
	Kinds      []Kind // several kinds in one order; Kind is not read then
	Statuses   []Status
	Currency   money.Currency
	Customer   UUID
	Parent     UUID // of refunds: the charge
	References []string
	From, To   UUID  // inclusive bounds of the id: times of creation; zero: none
	Since      int64 // µs, inclusive bounds of Created, beside those of the id, which know milliseconds alone; 0: none
	Until      int64
	Before     UUID // the cursor: ids below (above, if Ascending)
	Ascending  bool
	Sort       string // "", updated, amount, status: SmartFastPay's other orders
	Skip       int64
	Limit      int
	// The filters that no index has are looked for in at most ScanMax rows; see
	// Sifts.
	Amounts  *AmountRange
	Metadata map[string]string // all of them
	Match    func(*Movement) bool
	// Members are what Match wants of the detail's texts, by their names in its
	// JSON, each with one of the values: a store may leave out what has them nowhere.
	Members map[string][]string
	IDs     []UUID // only these, in the query's order; nil: any
	ScanMax int    // 0: all
	// Scanned receives the last id that was looked at when ScanMax ended the page
	// or the count.
	Scanned *UUID
}

// Doubts are the movements of one kind whose rail's answer is not known.
type Doubts struct {
	Kind           Kind
	Count          int64
	Oldest, Newest UUID
}

// AmountRange is a range of amounts in minor units, both ends included.
type AmountRange struct{ From, To int64 }

// Lead returns the filter whose index a query walks: that which selects least of
// those that it has. Empty: it has none, and walks all in the order of the ids.
func (q *MovementQuery) Lead() string {
	switch {
	case len(q.References) > 0:
		return "reference"
	case !q.Parent.IsZero():
		return "parent"
	case !q.Customer.IsZero():
		return "customer"
	case len(q.Statuses) > 0:
		return "status"
	case q.Currency != "":
		return "currency"
	}
	return ""
}

// Sifts reports whether rows are looked at one by one for a filter that the walk's
// index does not have: always for what no index has; where ScanMax bounds it, for
// any beside the first, and for all of received transfers, which one index lists.
func (q *MovementQuery) Sifts() bool {
	if q.Amounts != nil || len(q.Metadata) > 0 || q.Match != nil {
		return true
	}
	if q.ScanMax == 0 {
		return false
	}
	without := *q
	switch q.Lead() {
	case "":
		return false
	case "reference":
		without.References = nil
	case "parent":
		without.Parent = UUID{}
	case "customer":
		without.Customer = UUID{}
	case "status":
		without.Statuses = nil
	case "currency":
		without.Currency = ""
	}
	return without.Lead() != "" || slices.Contains(q.AllKinds(), KindTransfer)
}

// Passes applies the filters that no index has.
func (q *MovementQuery) Passes(m *Movement) bool {
	if r := q.Amounts; r != nil && (m.Amount < r.From || m.Amount > r.To) {
		return false
	}
	for k, v := range q.Metadata {
		if got, ok := m.Detail.Metadata[k]; !ok || got != v {
			return false
		}
	}
	return q.Match == nil || q.Match(m)
}

// AllKinds returns the kinds that a query is for.
func (q *MovementQuery) AllKinds() []Kind {
	if len(q.Kinds) > 0 {
		return q.Kinds
	}
	return []Kind{q.Kind}
}

// Report is what Verify found.
type Report struct {
	OK                 bool    `json:"ok"`
	Entries            int64   `json:"entries"`
	LedgerTransactions int64   `json:"ledger_transactions"`
	Movements          int64   `json:"movements"`
	Faults             []Fault `json:"faults"`
}

// Fault is one thing that does not add up.
type Fault struct {
	Merchant string `json:"merchant"`
	Mode     string `json:"mode"`
	Sequence int64  `json:"sequence"` // of the first bad ledger transaction; 0: none in particular
	Message  string `json:"message"`
}
