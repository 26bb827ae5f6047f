package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"giro"
	"giro/ledger"
)

// Update implements giro.Store. One process writes, so decide runs once.
func (s *SQLite) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	var batch *giro.Batch
	var touched *giro.Writes
	var were *stored
	var refused error // decide's own error goes back as it is
	err := s.commit(ctx, func(c *sqlite.Conn) (bool, error) {
		at := giro.Micros(s.options.Now())
		batch = giro.NewBatch(s.options.NewID(at), at, s.options.NewID, s.options.Salt)
		var err error
		were, err = s.loadBatch(c, keys, batch)
		if err != nil {
			return false, fmt.Errorf("load: %w", err)
		}
		early := writeEarly(batch, func(w *giro.Writes) error { return saveLedger(c, w) })
		refused = decide(batch)
		if refused != nil {
			return false, early()
		}
		w := batch.Writes()
		if nothing(w) {
			return false, early()
		}
		err = s.save(c, w, were, early)
		if err != nil {
			return false, err
		}
		touched = w
		err = exec(c, "INSERT INTO batch (id, at) VALUES (?, ?)", func(a *args) { a.id(batch.ID).int(batch.At) })
		if err != nil {
			return false, fmt.Errorf("write the batch's row: %w", err)
		}
		return true, nil
	}, func() {
		batch.Accounts(s.known.bring)
		s.known.miss(were.missing)
		s.release(touched)
	})
	if refused != nil {
		return refused
	}
	if errors.Is(err, errCommit) {
		err = s.settle(batch.ID, err)
		if err == nil {
			s.release(touched)
		}
	}
	if err != nil {
		return err
	}
	batch.Committed()
	err = s.durable.wait()
	if err != nil {
		return errors.Join(giro.ErrCommitUnknown, err)
	}
	return nil
}

// settle finds out what became of a COMMIT that failed. After an I/O error the
// batch may be absent now and come back when the log is recovered, so only
// other errors can be decided by looking for its row.
func (s *SQLite) settle(batch giro.UUID, failure error) error {
	if sqlite.ErrCode(failure).ToPrimary() == sqlite.ResultIOErr {
		return errors.Join(giro.ErrCommitUnknown, failure)
	}
	found := false
	err := s.read(context.Background(), func(c *sqlite.Conn) error {
		return query(c, "SELECT 1 FROM batch WHERE id = ?", func(a *args) { a.id(batch) }, func(*row) error { found = true; return nil })
	})
	if err != nil {
		return errors.Join(giro.ErrCommitUnknown, failure, err)
	}
	if found {
		return nil
	}
	return failure
}

// stored is how rows stand that a batch has loaded.
type stored struct {
	movements map[giro.UUID]indexed
	accounts  map[giro.UUID]int64 // versions
	missing   []giro.UUID         // accounts that there were none of
}

// accounts are rows as they stand in the database, for the writer alone; nil is
// one that there is none of, such as the reserved side of a sub-account that only
// transfers touch. Nearly every payment changes two, and reading them took a
// twelfth of its time. A batch takes those that it loads away and brings them back
// when it is committed: what became of others is not known, and they are read
// again.
type accounts map[giro.UUID]*giro.Account

const accountsMax = 1 << 15

func (k accounts) take(id giro.UUID) (a *giro.Account, known bool) {
	a, known = k[id]
	delete(k, id)
	return a, known
}

func (k accounts) bring(a *giro.Account) { k.put(a.ID, a) }

// miss brings back those that were missing and that the batch has not made.
func (k accounts) miss(ids []giro.UUID) {
	for _, id := range ids {
		if _, made := k[id]; !made {
			k.put(id, nil)
		}
	}
}

func (k accounts) put(id giro.UUID, a *giro.Account) {
	if len(k) >= accountsMax {
		for other := range k { // any
			delete(k, other)
			break
		}
	}
	k[id] = a
}

// forget drops what is known of a book.
func (k accounts) forget(book giro.Book) {
	maps.DeleteFunc(k, func(_ giro.UUID, a *giro.Account) bool { return a != nil && a.Book == book })
}

// loadBatch hands the rows that keys names to the batch, and returns how they
// stand. Nobody else can write: the transaction has begun.
func (s *SQLite) loadBatch(c *sqlite.Conn, keys *giro.Keys, b *giro.Batch) (*stored, error) {
	were := &stored{
		movements: make(map[giro.UUID]indexed, len(keys.Movements)+len(keys.References)),
		accounts:  make(map[giro.UUID]int64, len(keys.Accounts)),
	}
	put := func(m *giro.Movement) {
		b.PutMovement(m)
		were.movements[m.ID] = indexed{m.Status, m.Deleted, m.Customer}
	}
	for _, book := range keys.Books {
		err := query(c, "SELECT "+headColumns+" FROM book WHERE book = ?",
			func(a *args) { a.int(int64(book)) },
			func(r *row) error { b.PutHead(r.head()); return nil })
		if err != nil {
			return nil, fmt.Errorf("book: %w", err)
		}
	}
	for _, id := range keys.Accounts {
		a, known := s.known.take(id)
		if !known {
			var err error
			a, err = accountOf(c, id)
			if err != nil {
				return nil, fmt.Errorf("account: %w", err)
			}
		}
		if a == nil {
			were.missing = append(were.missing, id)
			continue
		}
		b.PutAccount(a)
		were.accounts[id] = a.Version
	}
	for _, k := range keys.Movements {
		m, err := movementOf(c, k.Book, k.Kind, k.ID)
		if err != nil {
			return nil, fmt.Errorf("movement: %w", err)
		}
		if m != nil {
			put(m)
		}
	}
	for _, k := range keys.References {
		m, err := movementByReference(c, k.Book, k.Kind, k.Reference)
		if err != nil {
			return nil, fmt.Errorf("reference: %w", err)
		}
		if m != nil {
			b.PutReference(k, m.ID)
			put(m)
		}
	}
	for _, k := range keys.Idempotency {
		row, err := idempotencyOf(c, k.Book, k.Key)
		if err != nil {
			return nil, fmt.Errorf("idempotency: %w", err)
		}
		if row != nil {
			b.PutIdempotency(row)
		}
	}
	for _, k := range keys.Documents {
		var d *giro.StoredDocument
		var err error
		if k.Lookup != "" {
			d, err = documentByLookup(c, k.Kind, k.Lookup)
		} else {
			d, err = documentOf(c, k.Kind, k.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("document: %w", err)
		}
		if d != nil {
			b.PutDocument(d)
		}
	}
	for _, instruction := range keys.Sandbox {
		err := query(c, "SELECT "+sandboxColumns+" FROM sandbox WHERE instruction = ?",
			func(a *args) { a.text(instruction) },
			func(r *row) error { b.PutSandbox(r.sandbox()); return nil })
		if err != nil {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	for _, k := range keys.Jobs {
		err := query(c, "SELECT "+jobColumns+" FROM job WHERE object = ? AND kind = ?",
			func(a *args) { a.id(k.Object).text(string(k.Kind)) },
			func(r *row) error { b.PutJob(r.job()); return nil })
		if err != nil {
			return nil, fmt.Errorf("job: %w", err)
		}
	}
	return were, nil
}

// insertion is an INSERT of any number of rows. A statement costs more than a
// row, and inside one statement SQLite finds the end of a table once, so rows go
// in as many to a statement as there are. OR FAIL leaves the rows before a bad
// one, which saves SQLite a journal of the statement's own: whoever sees an error
// here rolls the whole transaction back. An upsert has such a journal all the
// same, so what is known to be new is inserted.
type insertion struct{ of [len(insertSizes)]string }

// insertSizes are the numbers of rows for which a statement is prepared.
var insertSizes = [...]int{64, 32, 16, 8, 4, 2, 1}

func newInsertion(table, columns, conflict string) (in insertion) {
	row := "(" + placeholders(strings.Count(columns, ",")+1) + ")"
	for i, n := range insertSizes {
		in.of[i] = "INSERT OR FAIL INTO " + table + " (" + columns + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", n), ", ") + conflict
	}
	return in
}

var (
	insertMovement    = newInsertion("movement", movementColumns, "")
	insertTransaction = newInsertion("ledger_transaction", transactionColumns+", debits, credits", "")
	insertEntry       = newInsertion("entry", entryColumns, "")
	insertEvent       = newInsertion("event", eventColumns, "")
	insertIdempotency = newInsertion("idempotency", idempotencyColumns, "")
	upsertIdempotency = newInsertion("idempotency", idempotencyColumns, ` ON CONFLICT (book, key) DO UPDATE SET fingerprint = excluded.fingerprint,
		members = excluded.members, executing = excluded.executing, owner = excluded.owner, status = excluded.status, body = excluded.body, event = excluded.event,
		location = excluded.location, kind = excluded.kind, object = excluded.object, created = excluded.created,
		place = CASE WHEN executing THEN place ELSE (SELECT max(place) + 1 FROM idempotency) END`)  // a key that begins anew is as young as the last
	insertJob = newInsertion("job", jobColumns, "")
	upsertJob = newInsertion("job", jobColumns, ` ON CONFLICT (object, kind) DO UPDATE SET book = excluded.book,
		movement_kind = excluded.movement_kind, due = excluded.due`)
)

// rows inserts n rows; bind binds the columns of the i-th.
func (in *insertion) rows(c *sqlite.Conn, n int, bind func(a *args, i int)) error {
	for done := 0; done < n; {
		size := 0
		for insertSizes[size] > n-done {
			size++
		}
		err := exec(c, in.of[size], func(a *args) {
			for i := range insertSizes[size] {
				bind(a, done+i)
			}
		})
		if err != nil {
			return err
		}
		done += insertSizes[size]
	}
	return nil
}

func idempotencyKey(r *giro.Idempotency) giro.IdempotencyKey {
	return giro.IdempotencyKey{Book: r.Book, Key: r.Key}
}

func nothing(w *giro.Writes) bool {
	return len(w.Heads) == 0 && len(w.Accounts) == 0 && len(w.Movements) == 0 && len(w.Rollups) == 0 && len(w.Transactions) == 0 &&
		len(w.Entries) == 0 && len(w.Events) == 0 && len(w.Idempotency) == 0 && len(w.Documents) == 0 &&
		len(w.Sandbox) == 0 && len(w.Jobs) == 0 && len(w.DropJobs) == 0 && len(w.ShiftJobs) == 0 && len(w.Dispatches) == 0 && len(w.Deliveries) == 0
}

// save writes what a batch decided, beside what early has. Rows come before those
// that refer to them.
func (s *SQLite) save(c *sqlite.Conn, w *giro.Writes, were *stored, early func() error) error {
	event, answer := packWrites(w)
	details, err := encodeDetails(w.Movements)
	err = errors.Join(early(), err)
	if err != nil {
		return err
	}
	for _, h := range w.Heads {
		err := saveHead(c, h)
		if err != nil {
			return fmt.Errorf("write book %d: %w", h.Book, err)
		}
	}
	for _, a := range w.Accounts {
		err := saveAccount(c, a, were.accounts[a.ID])
		if err != nil {
			return fmt.Errorf("write account %s: %w", a.ID, err)
		}
	}
	err = saveMovements(c, w.Movements, details, were.movements)
	if err != nil {
		return err
	}
	err = saveRollups(c, w.Rollups)
	if err != nil {
		return err
	}
	err = saveLedger(c, w)
	if err != nil {
		return err
	}
	err = insertEvent.rows(c, len(w.Events), func(a *args, i int) {
		e := &w.Events[i]
		a.int(int64(e.Book)).int(e.Sequence).id(e.ID).text(e.Type).orNull(e.Object).int(e.At).blob(event(i)).blob(e.Notice)
	})
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	first, again := split(latest(w.Idempotency, idempotencyKey), func(r *giro.Idempotency) bool { return r.New })
	for _, some := range []struct {
		into *insertion
		rows []*giro.Idempotency
	}{{&insertIdempotency, first}, {&upsertIdempotency, again}} {
		err = some.into.rows(c, len(some.rows), func(a *args, i int) {
			r := some.rows[i]
			a.int(int64(r.Book)).text(r.Key).blob(r.Fingerprint).text(r.Members).bool(r.Executing).id(r.Owner)
			a.int(int64(r.Status)).blob(answer(r)).int(r.Event).text(r.Location).text(string(r.Kind)).orNull(r.Object).int(r.Created)
		})
		if err != nil {
			return fmt.Errorf("write idempotency rows: %w", err)
		}
	}
	for _, d := range w.Documents {
		err := saveDocument(c, d)
		if err != nil {
			return fmt.Errorf("write %s %s: %w", d.Kind, d.ID, err)
		}
	}
	err = saveTerms(c, w.Terms)
	if err != nil {
		return err
	}
	for _, r := range w.Sandbox {
		err := saveSandbox(c, r)
		if err != nil {
			return fmt.Errorf("write sandbox row %s: %w", r.Instruction, err)
		}
	}
	err = saveJobs(c, w)
	if err != nil {
		return err
	}
	err = s.saveDeliveries(c, w)
	if err != nil {
		return err
	}
	return saveTraffic(c, w.Traffic)
}

func saveHead(c *sqlite.Conn, h *giro.BookHead) error {
	if h.New {
		return exec(c, "INSERT INTO book ("+headColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", func(a *args) {
			a.int(int64(h.Book)).id(h.Merchant).int(h.Sequence).blob(h.Hash[:]).int(h.LedgerAt).int(h.Events)
			a.int(h.Charges).int(h.Refunds).int(h.Payouts).int(h.Transfers).int(h.Clock.Ahead).int(h.Clock.Floor).int(h.Wiping).int(h.Wiped)
		})
	}
	return update(c, "UPDATE OR FAIL book SET merchant = ?, sequence = ?, hash = ?, ledger_at = ?, events = ?, charges = ?, refunds = ?, payouts = ?, transfers = ?, clock = ?, clock_floor = ?, wiping = ?, wiped = ? WHERE book = ?", func(a *args) {
		a.id(h.Merchant).int(h.Sequence).blob(h.Hash[:]).int(h.LedgerAt).int(h.Events)
		a.int(h.Charges).int(h.Refunds).int(h.Payouts).int(h.Transfers).int(h.Clock.Ahead).int(h.Clock.Floor).int(h.Wiping).int(h.Wiped).int(int64(h.Book))
	})
}

// saveAccount writes an account that was loaded at a version. The version is
// asked for again: what the writer knows and what is stored are the same.
func saveAccount(c *sqlite.Conn, r *giro.Account, loaded int64) error {
	if r.New {
		metadata := "{}"
		if len(r.Metadata) > 0 {
			var err error
			metadata, err = encode(r.Metadata)
			if err != nil {
				return err
			}
		}
		return exec(c, "INSERT INTO account ("+accountColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", func(a *args) {
			a.id(r.ID).int(int64(r.Book)).text(string(r.Currency)).text(string(r.Role)).orNull(r.Parent).text(r.Name)
			a.int(r.Balance).bool(r.Negative).bool(r.Closed).int(r.Created).int(r.Version).text(metadata)
		})
	}
	// Name and metadata never change. A column that is named costs its CHECK.
	return update(c, "UPDATE OR FAIL account SET balance = ?, negative = ?, closed = ?, version = ? WHERE id = ? AND version = ?", func(a *args) {
		a.int(r.Balance).bool(r.Negative).bool(r.Closed).int(r.Version).id(r.ID).int(loaded)
	})
}

func saveMovements(c *sqlite.Conn, movements []*giro.Movement, details []string, stored map[giro.UUID]indexed) error {
	var made []int
	for i, m := range movements {
		if m.New {
			made = append(made, i)
		}
	}
	err := insertMovement.rows(c, len(made), func(a *args, i int) {
		m, detail := movements[made[i]], details[made[i]]
		a.id(m.ID).int(int64(m.Book)).text(string(m.Kind)).text(string(m.Status)).bool(m.Sent).bool(m.InDoubt).bool(m.Deleted)
		a.int(m.Amount).int(m.Captured).int(m.Refunded).int(m.Fee).int(m.Reserved).text(string(m.Currency))
		a.int(m.Created).int(m.Updated).int(m.Version)
		a.orNull(m.Customer).text(m.Reference).orNull(m.Parent).int(int64(m.Peer)).text(detail)
	})
	if err != nil {
		return fmt.Errorf("write movements: %w", err)
	}
	for i, m := range movements {
		if m.New {
			continue
		}
		err := updateMovement(c, m, details[i], stored[m.ID])
		if err != nil {
			return fmt.Errorf("write %s %s: %w", m.Kind, m.ID, err)
		}
	}
	return nil
}

// indexed is what can change of a movement and stands in an index.
type indexed struct {
	status   giro.Status
	deleted  bool
	customer giro.UUID
}

// updateMovement writes a movement that was loaded as was.
func updateMovement(c *sqlite.Conn, m *giro.Movement, detail string, was indexed) error {
	// The reference, the currency and the other parties never change. A column
	// that is named costs its indexes, changed or not.
	if was == (indexed{m.Status, m.Deleted, m.Customer}) {
		return update(c, "UPDATE OR FAIL movement SET sent = ?, in_doubt = ?, amount = ?, amount_captured = ?, amount_refunded = ?, fee = ?, reserved = ?, updated = ?, version = ?, detail = ? WHERE book = ? AND kind = ? AND id = ?", func(a *args) {
			a.bool(m.Sent).bool(m.InDoubt).int(m.Amount).int(m.Captured).int(m.Refunded).int(m.Fee).int(m.Reserved)
			a.int(m.Updated).int(m.Version).text(detail).int(int64(m.Book)).text(string(m.Kind)).id(m.ID)
		})
	}
	return update(c, "UPDATE OR FAIL movement SET status = ?, sent = ?, in_doubt = ?, deleted = ?, amount = ?, amount_captured = ?, amount_refunded = ?, fee = ?, reserved = ?, updated = ?, version = ?, customer = ?, detail = ? WHERE book = ? AND kind = ? AND id = ?", func(a *args) {
		a.text(string(m.Status)).bool(m.Sent).bool(m.InDoubt).bool(m.Deleted)
		a.int(m.Amount).int(m.Captured).int(m.Refunded).int(m.Fee).int(m.Reserved)
		a.int(m.Updated).int(m.Version).orNull(m.Customer).text(detail)
		a.int(int64(m.Book)).text(string(m.Kind)).id(m.ID)
	})
}

// saveLedger writes the ledger transactions and their entries. It refuses
// entries that are not the two sides of the postings, pair by pair.
func saveLedger(c *sqlite.Conn, w *giro.Writes) error {
	sides, err := pairs(w)
	if err != nil {
		return err
	}
	var postings []byte
	err = insertTransaction.rows(c, len(w.Transactions), func(a *args, i int) {
		t := &w.Transactions[i]
		postings = ledger.AppendPostings(postings[:0], t.Postings)
		a.int(t.Book).int(t.Sequence).id(t.ID).int(t.At).text(t.Cause).orNull(t.Object).text(string(t.Kind)).text(t.Currency)
		a.blob(postings).blob(t.Hash[:]).int(sides[i].debits).int(sides[i].credits)
	})
	if err != nil {
		return fmt.Errorf("write ledger transactions: %w", err)
	}
	// Account by account, as the table keeps them.
	order := make([]int, len(w.Entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return bytes.Compare(w.Entries[i].Account[:], w.Entries[j].Account[:]) })
	err = insertEntry.rows(c, len(order), func(a *args, i int) {
		e := &w.Entries[order[i]]
		a.id(e.Account).int(e.Sequence).int(int64(e.N)).int(e.Amount).int(e.Balance).int(e.At)
	})
	if err != nil {
		return fmt.Errorf("write entries: %w", err)
	}
	return nil
}

func saveDocument(c *sqlite.Conn, d *giro.StoredDocument) error {
	if d.Gone {
		return exec(c, "DELETE FROM document WHERE kind = ? AND id = ?", func(a *args) { a.text(string(d.Kind)).id(d.ID) })
	}
	// Not INSERT OR REPLACE: that would push another document with the same
	// lookup out of the table instead of refusing this one.
	return exec(c, "INSERT INTO document ("+documentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, id) DO UPDATE SET book = excluded.book, lookup = excluded.lookup, parent = excluded.parent,
		version = excluded.version, created = excluded.created, updated = excluded.updated, data = excluded.data`, func(a *args) {
		a.text(string(d.Kind)).id(d.ID).int(int64(d.Book)).text(d.Lookup).orNull(d.Parent)
		a.int(d.Version).int(d.Created).int(d.Updated).blob(d.Data)
	})
}

func saveSandbox(c *sqlite.Conn, r *giro.SandboxRow) error {
	if r.New {
		return exec(c, "INSERT INTO sandbox ("+sandboxColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", func(a *args) {
			a.text(r.Instruction).int(r.Number).int(int64(r.Book)).text(string(r.Kind)).id(r.Object).int(r.Submits).int(r.Lookups)
			a.bool(r.Done).text(string(r.Verdict)).text(r.Code).int(r.Ready).bool(r.Absent).int(r.At)
		})
	}
	return update(c, "UPDATE OR FAIL sandbox SET submits = ?, lookups = ?, done = ?, verdict = ?, code = ?, ready = ?, absent = ?, at = ? WHERE instruction = ?", func(a *args) {
		a.int(r.Submits).int(r.Lookups).bool(r.Done).text(string(r.Verdict)).text(r.Code).int(r.Ready).bool(r.Absent).int(r.At).text(r.Instruction)
	})
}

// saveJobs drops, then shifts, then writes: a job that the batch scheduled
// stands where the batch put it.
func saveJobs(c *sqlite.Conn, w *giro.Writes) error {
	for _, k := range w.DropJobs {
		err := exec(c, "DELETE FROM job WHERE object = ? AND kind = ?", func(a *args) { a.id(k.Object).text(string(k.Kind)) })
		if err != nil {
			return fmt.Errorf("drop job: %w", err)
		}
	}
	for _, s := range w.ShiftJobs {
		err := exec(c, "UPDATE job SET due = CASE WHEN due <= ? THEN min(due, ?) ELSE due - ? END WHERE book = ?",
			func(a *args) { a.int(s.Until).int(s.Now).int(s.Earlier).int(int64(s.Book)) })
		if err != nil {
			return fmt.Errorf("shift jobs of book %d: %w", s.Book, err)
		}
	}
	made := make(map[giro.UUID]bool, len(w.Movements))
	for _, m := range w.Movements {
		made[m.ID] = m.New
	}
	jobs := latest(w.Jobs, func(j *giro.Job) giro.JobKey { return j.JobKey })
	jobs = slices.DeleteFunc(jobs, func(j *giro.Job) bool { return j.Due < 0 }) // dropped by the batch that wrote it
	first, again := split(jobs, func(j *giro.Job) bool { return made[j.Object] })
	for _, some := range []struct {
		into *insertion
		rows []*giro.Job
	}{{&insertJob, first}, {&upsertJob, again}} {
		err := some.into.rows(c, len(some.rows), func(a *args, i int) {
			j := some.rows[i]
			a.id(j.Object).text(string(j.Kind)).int(int64(j.Book)).text(string(j.MovementKind)).int(j.Due)
		})
		if err != nil {
			return fmt.Errorf("write jobs: %w", err)
		}
	}
	return nil
}

// update runs a statement that must change exactly one row. Like an insertion it
// says OR FAIL, which saves a journal.
func update(c *sqlite.Conn, sql string, bind func(*args)) error {
	err := exec(c, sql, bind)
	if err != nil {
		return err
	}
	if n := c.Changes(); n != 1 {
		return fmt.Errorf("%d rows changed instead of one", n)
	}
	return nil
}

// release forgets the leases of jobs that were written or dropped; a job that
// was written with a lease has that one.
func (s *SQLite) release(w *giro.Writes) {
	if w == nil || len(w.DropJobs) == 0 && len(w.Jobs) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range w.DropJobs {
		delete(s.leases, k)
	}
	for _, j := range w.Jobs {
		delete(s.leases, j.JobKey)
		if j.Due >= 0 && j.Leased > 0 {
			s.leases[j.JobKey] = lease{j.Owner, j.Leased}
		}
	}
}

// ClaimJobs implements giro.Store. Leases end with the process, whose jobs are
// then due again.
func (s *SQLite) ClaimJobs(ctx context.Context, owner giro.UUID, now, until int64, limit int) ([]*giro.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, l := range s.leases {
		if l.until <= now {
			delete(s.leases, k)
		}
	}
	var jobs []*giro.Job
	err := s.read(ctx, func(c *sqlite.Conn) error {
		// The index alone, past what is leased.
		var keys []giro.JobKey
		err := query(c, "SELECT object, kind FROM job WHERE due <= ? ORDER BY due, object, kind",
			func(a *args) { a.int(now) },
			func(r *row) error {
				k := giro.JobKey{Object: r.id(), Kind: giro.JobKind(r.text())}
				if _, leased := s.leases[k]; leased {
					return nil
				}
				keys = append(keys, k)
				if len(keys) == limit {
					return errEnough
				}
				return nil
			})
		if err = enough(err); err != nil {
			return err
		}
		clocks := map[giro.Book]giro.Clock{}
		for _, k := range keys {
			j, err := one(c, "SELECT "+jobColumns+" FROM job WHERE object = ? AND kind = ?",
				func(a *args) { a.id(k.Object).text(string(k.Kind)) }, plain((*row).job))
			if err != nil {
				return err
			}
			if j == nil {
				continue // done since
			}
			j.Movement, err = movementOf(c, j.Book, j.MovementKind, j.Object)
			if err != nil {
				return err
			}
			clock, known := clocks[j.Book]
			if !known && j.Movement != nil {
				head, err := headOf(c, j.Book)
				if err != nil {
					return err
				}
				if head != nil {
					clock = head.Clock
				}
				clocks[j.Book] = clock
			}
			j.Clock = clock
			jobs = append(jobs, j)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim jobs: %w", err)
	}
	for _, j := range jobs {
		j.Leased, j.Owner = until, owner
		s.leases[j.JobKey] = lease{owner, until}
	}
	return jobs, nil
}

// NextJob implements giro.Store: a leased job is due when its lease ends.
func (s *SQLite) NextJob(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next int64
	err := s.read(ctx, func(c *sqlite.Conn) error {
		return enough(query(c, "SELECT object, kind, due FROM job ORDER BY due", nil, func(r *row) error {
			k, due := giro.JobKey{Object: r.id(), Kind: giro.JobKind(r.text())}, r.int()
			if next > 0 && due >= next {
				return errEnough
			}
			l, leased := s.leases[k]
			at := max(due, 1) // 0 says that there is none
			if leased {
				at = max(at, l.until)
			}
			if next == 0 || at < next {
				next = at
			}
			if !leased {
				return errEnough
			}
			return nil
		}))
	})
	if err != nil {
		return 0, fmt.Errorf("next job: %w", err)
	}
	return next, nil
}

// Beat implements giro.Store. Only one process has the folder.
func (s *SQLite) Beat(context.Context, giro.UUID, time.Duration) error { return nil }

// Alive implements giro.Store: whoever else had the folder is gone.
func (s *SQLite) Alive(context.Context, giro.UUID, time.Duration) (bool, error) { return false, nil }

// oldEvents selects the books whose first event is from before a time and not
// their last.
const oldEvents = "SELECT book FROM book b WHERE events > swept + 1 AND (SELECT at FROM event WHERE book = b.book AND sequence = b.swept + 1) < "

// SweepEvents implements giro.Store. The books are looked for beside the writer,
// which is held for the rows alone that go.
func (s *SQLite) SweepEvents(ctx context.Context, before int64, limit int) (int, error) {
	var books []int64
	err := s.read(ctx, func(c *sqlite.Conn) (err error) {
		books, err = many(c, oldEvents+"? LIMIT ?", func(a *args) { a.int(before).int(int64(limit)) }, func(r *row) (int64, error) { return r.int(), nil })
		return err
	})
	if err != nil || len(books) == 0 {
		return 0, err
	}
	total := 0
	err = s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		total = 0
		for _, book := range books {
			if total >= limit {
				break
			}
			err := exec(c, "DELETE FROM event WHERE book = ? AND sequence IN (SELECT sequence FROM (SELECT sequence, at FROM event WHERE book = ? ORDER BY sequence LIMIT ?) WHERE at < ?)"+
				" AND sequence < (SELECT max(sequence) FROM event WHERE book = ?)",
				func(a *args) { a.int(book).int(book).int(int64(limit - total)).int(before).int(book) })
			if err != nil {
				return false, err
			}
			if n := c.Changes(); n > 0 {
				total += n
				if err := update(c, "UPDATE book SET swept = swept + ? WHERE book = ?", func(a *args) { a.int(int64(n)).int(book) }); err != nil {
					return false, err
				}
			}
		}
		return total > 0, nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep events: %w", err)
	}
	return total, nil
}

// sweepLook is how many of the oldest idempotency rows a sweep looks at in one
// step.
const sweepLook = 64

// Sweep implements giro.Store.
func (s *SQLite) Sweep(ctx context.Context, idempotencyBefore, batchBefore int64, limit int) (int, error) {
	total := 0
	err := s.write(ctx, func(c *sqlite.Conn) (bool, error) {
		total = 0
		// Places are in the order of time, give or take the wait for a rail, so the
		// oldest are looked at, and more while all of them go.
		for total < limit {
			look := min(sweepLook, limit-total)
			err := exec(c, "DELETE FROM idempotency WHERE place IN (SELECT place FROM idempotency ORDER BY place LIMIT +?) AND created < ?",
				func(a *args) { a.int(int64(look)).int(idempotencyBefore) })
			if err != nil {
				return false, err
			}
			n := c.Changes()
			total += n
			if n < look {
				break
			}
		}
		// Their ids are in the order of time.
		err := exec(c, "DELETE FROM batch WHERE id IN (SELECT id FROM batch ORDER BY id LIMIT +?) AND at < ?",
			func(a *args) { a.int(int64(limit)).int(batchBefore) })
		if err != nil {
			return false, err
		}
		total += c.Changes()
		return total > 0, nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	return total, nil
}
