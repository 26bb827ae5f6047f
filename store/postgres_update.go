package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"giro"
	"giro/ledger"
)

// The columns of each PostgreSQL table, in the order of its scan function.
const (
	pgBookColumns        = "book, merchant, sequence, hash, ledger_at, events, charges, refunds, payouts, transfers, clock"
	pgAccountColumns     = "id, book, currency, role, parent, name, balance, negative, closed, created, version, metadata"
	pgMovementColumns    = "book, kind, id, status, sent, in_doubt, deleted, amount, amount_captured, amount_refunded, fee, reserved, currency, created, updated, version, customer, reference, parent, peer, detail"
	pgTransactionColumns = "book, sequence, id, at, cause, object, kind, currency, postings, hash"
	pgEntryColumns       = "account, sequence, n, amount, balance, at"
	pgEventColumns       = "book, sequence, id, type, object, at, data, notice"
	pgIdempotencyColumns = "book, key, fingerprint, members, executing, owner, status, body, event, location, kind, object, created"
	pgDocumentColumns    = "kind, id, book, lookup, parent, version, created, updated, data"
	pgSandboxColumns     = "instruction, number, book, kind, object, submits, lookups, done, verdict, code, ready, absent, at"
	pgJobColumns         = "object, kind, book, movement_kind, due, leased, owner"
)

// pgIdempotencySelect reads a body from the event that has it.
const pgIdempotencySelect = "SELECT book, key, fingerprint, members, executing, owner, status," +
	" CASE event WHEN 0 THEN body ELSE (SELECT e.data FROM event e WHERE e.book = idempotency.book AND e.sequence = idempotency.event) END," +
	" event, location, kind, object, created FROM idempotency"

// errScan: a stored row is not what giro writes; nothing to try again.
var errScan = errors.New("a stored row cannot be read")

// loadKeys begins the transaction, locks the books and reads everything that keys
// names, in one round trip. The statements run one after the other: those after
// the lock see what the previous holder committed.
func loadKeys(ctx context.Context, c *pgxpool.Conn, keys *giro.Keys, b *giro.Batch) error {
	var q pgx.Batch
	q.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	if len(keys.Books) > 0 {
		// Always in one order, so that two batches never wait for each other.
		queueLoad(&q, scanHead, b.PutHead, "SELECT "+pgBookColumns+" FROM book WHERE book = ANY($1::bigint[]) ORDER BY book FOR UPDATE",
			column(keys.Books, func(k giro.Book) int64 { return int64(k) }))
	}
	if len(keys.Accounts) > 0 {
		queueLoad(&q, scanAccount, b.PutAccount, "SELECT "+pgAccountColumns+" FROM account WHERE id = ANY($1::uuid[])",
			column(keys.Accounts, func(k giro.UUID) uuid { return uuid(k) }))
	}
	if len(keys.Movements) > 0 {
		queueLoad(&q, scanMovement, b.PutMovement,
			"SELECT "+pgMovementColumns+" FROM movement WHERE (book, kind, id) IN (SELECT * FROM unnest($1::bigint[], $2::text[], $3::uuid[]))",
			column(keys.Movements, func(k giro.MovementKey) int64 { return int64(k.Book) }),
			column(keys.Movements, func(k giro.MovementKey) string { return string(k.Kind) }),
			column(keys.Movements, func(k giro.MovementKey) uuid { return uuid(k.ID) }))
	}
	if len(keys.References) > 0 {
		queueLoad(&q, scanMovement, func(m *giro.Movement) {
			b.PutMovement(m)
			b.PutReference(giro.ReferenceKey{Book: m.Book, Kind: m.Kind, Reference: m.Reference}, m.ID)
		}, "SELECT "+pgMovementColumns+" FROM movement WHERE reference <> '' AND (book, kind, reference) IN (SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]))",
			column(keys.References, func(k giro.ReferenceKey) int64 { return int64(k.Book) }),
			column(keys.References, func(k giro.ReferenceKey) string { return string(k.Kind) }),
			column(keys.References, func(k giro.ReferenceKey) string { return k.Reference }))
	}
	if len(keys.Idempotency) > 0 {
		queueLoad(&q, scanIdempotency, b.PutIdempotency,
			pgIdempotencySelect+" WHERE (book, key) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))",
			column(keys.Idempotency, func(k giro.IdempotencyKey) int64 { return int64(k.Book) }),
			column(keys.Idempotency, func(k giro.IdempotencyKey) string { return k.Key }))
	}
	var ids, lookups []giro.DocumentKey
	for _, k := range keys.Documents {
		if k.Lookup == "" {
			ids = append(ids, k)
		} else {
			lookups = append(lookups, k)
		}
	}
	// Documents are locked too: those of the installation have no book that
	// keeps other writers away.
	if len(ids) > 0 {
		queueLoad(&q, scanDocument, b.PutDocument,
			"SELECT "+pgDocumentColumns+" FROM document WHERE (kind, id) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) ORDER BY kind, id FOR UPDATE",
			column(ids, func(k giro.DocumentKey) string { return string(k.Kind) }),
			column(ids, func(k giro.DocumentKey) uuid { return uuid(k.ID) }))
	}
	if len(lookups) > 0 {
		queueLoad(&q, scanDocument, b.PutDocument,
			"SELECT "+pgDocumentColumns+" FROM document WHERE lookup <> '' AND (kind, lookup) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY kind, id FOR UPDATE",
			column(lookups, func(k giro.DocumentKey) string { return string(k.Kind) }),
			column(lookups, func(k giro.DocumentKey) string { return k.Lookup }))
	}
	if len(keys.Sandbox) > 0 {
		queueLoad(&q, scanSandbox, b.PutSandbox, "SELECT "+pgSandboxColumns+" FROM sandbox WHERE instruction = ANY($1::text[])", keys.Sandbox)
	}
	if len(keys.Jobs) > 0 {
		queueLoad(&q, scanJob, b.PutJob,
			"SELECT "+pgJobColumns+" FROM job WHERE (object, kind) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))",
			column(keys.Jobs, func(k giro.JobKey) uuid { return uuid(k.Object) }),
			column(keys.Jobs, func(k giro.JobKey) string { return string(k.Kind) }))
	}
	return send(ctx, c, &q)
}

func queueLoad[T any](q *pgx.Batch, scan pgx.RowToFunc[T], put func(T), sql string, arguments ...any) {
	q.Queue(sql, arguments...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			row, err := scan(rows)
			if err != nil {
				return err
			}
			put(row)
		}
		return rows.Err()
	})
}

// column turns rows into the array of one column.
func column[T, V any](rows []T, value func(T) V) []V {
	values := make([]V, len(rows))
	for i, row := range rows {
		values[i] = value(row)
	}
	return values
}

// latest keeps the last row of each key: what a batch writes twice is written
// once, as it was in the end.
func latest[K comparable, T any](rows []T, key func(T) K) []T {
	place := make(map[K]int, len(rows))
	kept := make([]T, 0, len(rows))
	for _, row := range rows {
		k := key(row)
		if i, seen := place[k]; seen {
			kept[i] = row
			continue
		}
		place[k] = len(kept)
		kept = append(kept, row)
	}
	return kept
}

// split parts rows that are new from rows that exist.
func split[T any](rows []T, isNew func(T) bool) (inserts, updates []T) {
	for _, row := range rows {
		if isNew(row) {
			inserts = append(inserts, row)
		} else {
			updates = append(updates, row)
		}
	}
	return inserts, updates
}

// queueWrites returns the statements that write a batch, COMMIT included: one
// per kind of row, whatever their number.
func queueWrites(b *giro.Batch, w *giro.Writes) (*pgx.Batch, error) {
	q := new(pgx.Batch)
	// First, so that whoever decides a lost COMMIT waits for this transaction.
	q.Queue("INSERT INTO batch (id, at) VALUES ($1, $2)", (*uuid)(&b.ID), b.At)
	writeHeads(q, w.Heads)
	if err := writeAccounts(q, w.Accounts); err != nil {
		return nil, err
	}
	if err := writeMovements(q, w.Movements); err != nil {
		return nil, err
	}
	writeRollups(q, w.Rollups)
	if err := writeLedger(q, w); err != nil {
		return nil, err
	}
	writeEvents(q, w.Events)
	writeIdempotency(q, w.Idempotency)
	writeDocuments(q, w.Documents)
	writeTerms(q, w.Terms)
	writeSandbox(q, w.Sandbox)
	writeJobs(q, w)
	if err := writeDeliveries(q, w); err != nil {
		return nil, err
	}
	writeTraffic(q, w.Traffic)
	q.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return errNotCommitted
		}
		return nil
	})
	return q, nil
}

// queueUpdate updates n rows. Where one of them does not exist the statement
// divides by zero, because by the time an answer could be looked at COMMIT has
// been sent.
func queueUpdate(q *pgx.Batch, n int, update string, arguments []any) {
	arguments = append(arguments, n)
	q.Queue("WITH changed AS ("+update+" RETURNING 1) SELECT 1 / (count(*) = $"+strconv.Itoa(len(arguments))+"::bigint)::int FROM changed", arguments...)
}

func writeHeads(q *pgx.Batch, heads []*giro.BookHead) {
	inserts, updates := split(heads, func(h *giro.BookHead) bool { return h.New })
	values := func(rows []*giro.BookHead) []any {
		return []any{
			column(rows, func(h *giro.BookHead) int64 { return int64(h.Book) }),
			column(rows, func(h *giro.BookHead) uuid { return uuid(h.Merchant) }),
			column(rows, func(h *giro.BookHead) int64 { return h.Sequence }),
			column(rows, func(h *giro.BookHead) []byte { return h.Hash[:] }),
			column(rows, func(h *giro.BookHead) int64 { return h.LedgerAt }),
			column(rows, func(h *giro.BookHead) int64 { return h.Events }),
			column(rows, func(h *giro.BookHead) int64 { return h.Charges }),
			column(rows, func(h *giro.BookHead) int64 { return h.Refunds }),
			column(rows, func(h *giro.BookHead) int64 { return h.Payouts }),
			column(rows, func(h *giro.BookHead) int64 { return h.Transfers }),
			column(rows, func(h *giro.BookHead) int64 { return h.Clock }),
		}
	}
	const table = "unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])"
	if len(inserts) > 0 {
		q.Queue("INSERT INTO book ("+pgBookColumns+") SELECT * FROM "+table, values(inserts)...)
	}
	if len(updates) > 0 {
		queueUpdate(q, len(updates), "UPDATE book SET merchant = v.merchant, sequence = v.sequence, hash = v.hash, ledger_at = v.ledger_at, events = v.events, charges = v.charges, refunds = v.refunds, payouts = v.payouts, transfers = v.transfers, clock = v.clock FROM "+
			table+" v ("+pgBookColumns+") WHERE book.book = v.book", values(updates))
	}
}

func writeAccounts(q *pgx.Batch, accounts []*giro.Account) error {
	inserts, updates := split(accounts, func(a *giro.Account) bool { return a.New })
	values := func(rows []*giro.Account) ([]any, error) {
		metadata := make([]string, len(rows))
		for i, a := range rows {
			metadata[i] = "{}"
			if len(a.Metadata) > 0 {
				var err error
				if metadata[i], err = encode(a.Metadata); err != nil {
					return nil, fmt.Errorf("write account %s: %w", a.ID, err)
				}
			}
		}
		return []any{
			column(rows, func(a *giro.Account) uuid { return uuid(a.ID) }),
			column(rows, func(a *giro.Account) int64 { return int64(a.Book) }),
			column(rows, func(a *giro.Account) string { return string(a.Currency) }),
			column(rows, func(a *giro.Account) string { return string(a.Role) }),
			column(rows, func(a *giro.Account) uuid { return uuid(a.Parent) }),
			column(rows, func(a *giro.Account) string { return a.Name }),
			column(rows, func(a *giro.Account) int64 { return a.Balance }),
			column(rows, func(a *giro.Account) bool { return a.Negative }),
			column(rows, func(a *giro.Account) bool { return a.Closed }),
			column(rows, func(a *giro.Account) int64 { return a.Created }),
			column(rows, func(a *giro.Account) int64 { return a.Version }),
			metadata,
		}, nil
	}
	const table = "unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::bigint[], $8::boolean[], $9::boolean[], $10::bigint[], $11::bigint[], $12::text[])"
	if len(inserts) > 0 {
		arguments, err := values(inserts)
		if err != nil {
			return err
		}
		q.Queue("INSERT INTO account ("+pgAccountColumns+") SELECT * FROM "+table, arguments...)
	}
	if len(updates) > 0 {
		arguments, err := values(updates)
		if err != nil {
			return err
		}
		queueUpdate(q, len(updates), "UPDATE account SET name = v.name, balance = v.balance, negative = v.negative, closed = v.closed, version = v.version, metadata = v.metadata FROM "+
			table+" v ("+pgAccountColumns+") WHERE account.id = v.id", arguments)
	}
	return nil
}

func writeMovements(q *pgx.Batch, movements []*giro.Movement) error {
	inserts, updates := split(movements, func(m *giro.Movement) bool { return m.New })
	values := func(rows []*giro.Movement) ([]any, error) {
		details := make([]string, len(rows))
		for i, m := range rows {
			var err error
			if details[i], err = encodeDetail(m); err != nil {
				return nil, fmt.Errorf("write %s %s: %w", m.Kind, m.ID, err)
			}
		}
		return []any{
			column(rows, func(m *giro.Movement) int64 { return int64(m.Book) }),
			column(rows, func(m *giro.Movement) string { return string(m.Kind) }),
			column(rows, func(m *giro.Movement) uuid { return uuid(m.ID) }),
			column(rows, func(m *giro.Movement) string { return string(m.Status) }),
			column(rows, func(m *giro.Movement) bool { return m.Sent }),
			column(rows, func(m *giro.Movement) bool { return m.InDoubt }),
			column(rows, func(m *giro.Movement) bool { return m.Deleted }),
			column(rows, func(m *giro.Movement) int64 { return m.Amount }),
			column(rows, func(m *giro.Movement) int64 { return m.Captured }),
			column(rows, func(m *giro.Movement) int64 { return m.Refunded }),
			column(rows, func(m *giro.Movement) int64 { return m.Fee }),
			column(rows, func(m *giro.Movement) int64 { return m.Reserved }),
			column(rows, func(m *giro.Movement) string { return string(m.Currency) }),
			column(rows, func(m *giro.Movement) int64 { return m.Created }),
			column(rows, func(m *giro.Movement) int64 { return m.Updated }),
			column(rows, func(m *giro.Movement) int64 { return m.Version }),
			column(rows, func(m *giro.Movement) uuid { return uuid(m.Customer) }),
			column(rows, func(m *giro.Movement) string { return m.Reference }),
			column(rows, func(m *giro.Movement) uuid { return uuid(m.Parent) }),
			column(rows, func(m *giro.Movement) int64 { return int64(m.Peer) }),
			details,
		}, nil
	}
	const table = "unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::boolean[], $6::boolean[], $7::boolean[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[], $17::uuid[], $18::text[], $19::uuid[], $20::bigint[], $21::text[])"
	if len(inserts) > 0 {
		arguments, err := values(inserts)
		if err != nil {
			return err
		}
		q.Queue("INSERT INTO movement ("+pgMovementColumns+") SELECT * FROM "+table, arguments...)
	}
	if len(updates) > 0 {
		arguments, err := values(updates)
		if err != nil {
			return err
		}
		queueUpdate(q, len(updates), "UPDATE movement SET status = v.status, sent = v.sent, in_doubt = v.in_doubt, deleted = v.deleted, amount = v.amount, amount_captured = v.amount_captured, amount_refunded = v.amount_refunded, fee = v.fee, reserved = v.reserved, updated = v.updated, version = v.version, customer = v.customer, detail = v.detail FROM "+
			table+" v ("+pgMovementColumns+") WHERE movement.book = v.book AND movement.kind = v.kind AND movement.id = v.id", arguments)
	}
	return nil
}

// writeLedger refuses entries that are not the two sides of the postings.
func writeLedger(q *pgx.Batch, w *giro.Writes) error {
	type T = giro.LedgerTransaction
	sums, err := pairs(w)
	if err != nil {
		return err
	}
	transactions, entries := w.Transactions, w.Entries
	if len(transactions) > 0 {
		q.Queue("INSERT INTO ledger_transaction ("+pgTransactionColumns+", debits, credits) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::bigint[], $12::bigint[])",
			column(transactions, func(t T) int64 { return t.Book }),
			column(transactions, func(t T) int64 { return t.Sequence }),
			column(transactions, func(t T) uuid { return uuid(t.ID) }),
			column(transactions, func(t T) int64 { return t.At }),
			column(transactions, func(t T) string { return t.Cause }),
			column(transactions, func(t T) uuid { return uuid(t.Object) }),
			column(transactions, func(t T) string { return string(t.Kind) }),
			column(transactions, func(t T) string { return t.Currency }),
			column(transactions, func(t T) []byte { return ledger.AppendPostings(nil, t.Postings) }),
			column(transactions, func(t T) []byte { return t.Hash[:] }),
			column(sums, func(s sides) int64 { return s.debits }),
			column(sums, func(s sides) int64 { return s.credits }))
	}
	if len(entries) > 0 {
		q.Queue("INSERT INTO entry ("+pgEntryColumns+") SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])",
			column(entries, func(e giro.Entry) uuid { return uuid(e.Account) }),
			column(entries, func(e giro.Entry) int64 { return e.Sequence }),
			column(entries, func(e giro.Entry) int64 { return int64(e.N) }),
			column(entries, func(e giro.Entry) int64 { return e.Amount }),
			column(entries, func(e giro.Entry) int64 { return e.Balance }),
			column(entries, func(e giro.Entry) int64 { return e.At }))
	}
	return nil
}

func writeEvents(q *pgx.Batch, events []giro.Event) {
	if len(events) == 0 {
		return
	}
	q.Queue("INSERT INTO event ("+pgEventColumns+") SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::bigint[], $7::bytea[], $8::bytea[])",
		column(events, func(e giro.Event) int64 { return int64(e.Book) }),
		column(events, func(e giro.Event) int64 { return e.Sequence }),
		column(events, func(e giro.Event) uuid { return uuid(e.ID) }),
		column(events, func(e giro.Event) string { return e.Type }),
		column(events, func(e giro.Event) uuid { return uuid(e.Object) }),
		column(events, func(e giro.Event) int64 { return e.At }),
		column(events, func(e giro.Event) []byte { return present(e.Data) }),
		column(events, func(e giro.Event) []byte { return present(e.Notice) }))
}

// present returns b, never nil: nil would be NULL.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func writeIdempotency(q *pgx.Batch, rows []*giro.Idempotency) {
	type T = *giro.Idempotency
	rows = latest(rows, idempotencyKey)
	if len(rows) == 0 {
		return
	}
	q.Queue("INSERT INTO idempotency ("+pgIdempotencyColumns+") SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::boolean[], $6::uuid[], $7::bigint[], $8::bytea[], $9::bigint[], $10::text[], $11::text[], $12::uuid[], $13::bigint[])"+
		" ON CONFLICT (book, key) DO UPDATE SET fingerprint = excluded.fingerprint, members = excluded.members, executing = excluded.executing, owner = excluded.owner, status = excluded.status, body = excluded.body, event = excluded.event, location = excluded.location, kind = excluded.kind, object = excluded.object, created = excluded.created",
		column(rows, func(r T) int64 { return int64(r.Book) }),
		column(rows, func(r T) string { return r.Key }),
		column(rows, func(r T) []byte { return present(r.Fingerprint) }),
		column(rows, func(r T) string { return r.Members }),
		column(rows, func(r T) bool { return r.Executing }),
		column(rows, func(r T) uuid { return uuid(r.Owner) }),
		column(rows, func(r T) int64 { return int64(r.Status) }),
		column(rows, func(r T) []byte { return present(ownBody(r)) }),
		column(rows, func(r T) int64 { return r.Event }),
		column(rows, func(r T) string { return r.Location }),
		column(rows, func(r T) string { return string(r.Kind) }),
		column(rows, func(r T) uuid { return uuid(r.Object) }),
		column(rows, func(r T) int64 { return r.Created }))
}

func writeDocuments(q *pgx.Batch, documents []*giro.StoredDocument) {
	type T = *giro.StoredDocument
	documents = latest(documents, func(d T) giro.DocumentKey { return giro.DocumentKey{Kind: d.Kind, ID: d.ID} })
	gone, rows := split(documents, func(d T) bool { return d.Gone })
	kinds := func(rows []T) []string { return column(rows, func(d T) string { return string(d.Kind) }) }
	ids := func(rows []T) []uuid { return column(rows, func(d T) uuid { return uuid(d.ID) }) }
	if len(gone) > 0 { // before the others, which may take over their look-ups
		q.Queue("DELETE FROM document WHERE (kind, id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))", kinds(gone), ids(gone))
	}
	if len(rows) > 0 {
		q.Queue("INSERT INTO document ("+pgDocumentColumns+") SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[])"+
			" ON CONFLICT (kind, id) DO UPDATE SET book = excluded.book, lookup = excluded.lookup, parent = excluded.parent, version = excluded.version, created = excluded.created, updated = excluded.updated, data = excluded.data",
			kinds(rows), ids(rows),
			column(rows, func(d T) int64 { return int64(d.Book) }),
			column(rows, func(d T) string { return d.Lookup }),
			column(rows, func(d T) uuid { return uuid(d.Parent) }),
			column(rows, func(d T) int64 { return d.Version }),
			column(rows, func(d T) int64 { return d.Created }),
			column(rows, func(d T) int64 { return d.Updated }),
			column(rows, func(d T) []byte { return present(d.Data) }))
	}
}

func writeSandbox(q *pgx.Batch, rows []*giro.SandboxRow) {
	type T = *giro.SandboxRow
	inserts, updates := split(rows, func(r T) bool { return r.New })
	values := func(rows []T) []any {
		return []any{
			column(rows, func(r T) string { return r.Instruction }),
			column(rows, func(r T) int64 { return r.Number }),
			column(rows, func(r T) int64 { return int64(r.Book) }),
			column(rows, func(r T) string { return string(r.Kind) }),
			column(rows, func(r T) uuid { return uuid(r.Object) }),
			column(rows, func(r T) int64 { return r.Submits }),
			column(rows, func(r T) int64 { return r.Lookups }),
			column(rows, func(r T) bool { return r.Done }),
			column(rows, func(r T) string { return string(r.Verdict) }),
			column(rows, func(r T) string { return r.Code }),
			column(rows, func(r T) int64 { return r.Ready }),
			column(rows, func(r T) bool { return r.Absent }),
			column(rows, func(r T) int64 { return r.At }),
		}
	}
	const table = "unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::boolean[], $9::text[], $10::text[], $11::bigint[], $12::boolean[], $13::bigint[])"
	if len(inserts) > 0 {
		q.Queue("INSERT INTO sandbox ("+pgSandboxColumns+") SELECT * FROM "+table, values(inserts)...)
	}
	if len(updates) > 0 {
		queueUpdate(q, len(updates), "UPDATE sandbox SET submits = v.submits, lookups = v.lookups, done = v.done, verdict = v.verdict, code = v.code, ready = v.ready, absent = v.absent, at = v.at FROM "+
			table+" v ("+pgSandboxColumns+") WHERE sandbox.instruction = v.instruction", values(updates))
	}
}

func writeJobs(q *pgx.Batch, w *giro.Writes) {
	type T = *giro.Job
	for book, delta := range w.ShiftJobs {
		q.Queue("UPDATE job SET due = due - $2 WHERE book = $1", int64(book), delta)
	}
	if len(w.DropJobs) > 0 {
		q.Queue("DELETE FROM job WHERE (object, kind) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))",
			column(w.DropJobs, func(k giro.JobKey) uuid { return uuid(k.Object) }),
			column(w.DropJobs, func(k giro.JobKey) string { return string(k.Kind) }))
	}
	var jobs []T
	for _, j := range w.Jobs {
		if j.Due >= 0 { // below: dropped again in this batch
			jobs = append(jobs, j)
		}
	}
	jobs = latest(jobs, func(j T) giro.JobKey { return j.JobKey })
	if len(jobs) == 0 {
		return
	}
	q.Queue("INSERT INTO job ("+pgJobColumns+") SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::uuid[])"+
		" ON CONFLICT (object, kind) DO UPDATE SET book = excluded.book, movement_kind = excluded.movement_kind, due = excluded.due, leased = excluded.leased, owner = excluded.owner",
		column(jobs, func(j T) uuid { return uuid(j.Object) }),
		column(jobs, func(j T) string { return string(j.Kind) }),
		column(jobs, func(j T) int64 { return int64(j.Book) }),
		column(jobs, func(j T) string { return string(j.MovementKind) }),
		column(jobs, func(j T) int64 { return j.Due }),
		column(jobs, func(j T) int64 { return j.Leased }),
		column(jobs, func(j T) uuid { return uuid(j.Owner) }))
}

// The scan functions return a row that cannot be decoded with errScan, as far
// as it was read.

func scanHead(row pgx.CollectableRow) (*giro.BookHead, error) {
	h := new(giro.BookHead)
	var hash []byte
	err := row.Scan(&h.Book, (*uuid)(&h.Merchant), &h.Sequence, &hash, &h.LedgerAt, &h.Events, &h.Charges, &h.Refunds, &h.Payouts, &h.Transfers, &h.Clock)
	if err == nil && copy(h.Hash[:], hash) != len(h.Hash) {
		err = fmt.Errorf("%w: hash of book %d", errScan, h.Book)
	}
	return h, err
}

func scanAccount(row pgx.CollectableRow) (*giro.Account, error) {
	a := new(giro.Account)
	var metadata string
	err := row.Scan((*uuid)(&a.ID), &a.Book, &a.Currency, &a.Role, (*uuid)(&a.Parent), &a.Name, &a.Balance, &a.Negative, &a.Closed, &a.Created, &a.Version, &metadata)
	if err != nil || metadata == "{}" {
		return a, err
	}
	if err := json.Unmarshal([]byte(metadata), &a.Metadata); err != nil {
		return a, fmt.Errorf("%w: metadata of account %s: %w", errScan, a.ID, err)
	}
	return a, nil
}

func scanMovement(row pgx.CollectableRow) (*giro.Movement, error) {
	m := new(giro.Movement)
	var detail string
	err := row.Scan(&m.Book, &m.Kind, (*uuid)(&m.ID), &m.Status, &m.Sent, &m.InDoubt, &m.Deleted, &m.Amount, &m.Captured, &m.Refunded, &m.Fee, &m.Reserved, &m.Currency, &m.Created, &m.Updated, &m.Version, (*uuid)(&m.Customer), &m.Reference, (*uuid)(&m.Parent), &m.Peer, &detail)
	if err != nil {
		return nil, err
	}
	if err := giro.DecodeDetail([]byte(detail), &m.Detail); err != nil {
		return m, fmt.Errorf("%w: detail of %s %s: %w", errScan, m.Kind, m.ID, err)
	}
	return m, nil
}

func scanTransaction(row pgx.CollectableRow) (*giro.LedgerTransaction, error) {
	return scanTransactionAnd(row)
}

// scanTransactionAnd scans further columns too.
func scanTransactionAnd(row pgx.CollectableRow, more ...any) (*giro.LedgerTransaction, error) {
	t := new(giro.LedgerTransaction)
	var postings, hash []byte
	err := row.Scan(append([]any{&t.Book, &t.Sequence, (*uuid)(&t.ID), &t.At, &t.Cause, (*uuid)(&t.Object), &t.Kind, &t.Currency, &postings, &hash}, more...)...)
	if err != nil {
		return nil, err
	}
	if copy(t.Hash[:], hash) != len(t.Hash) {
		return t, fmt.Errorf("%w: hash of ledger transaction %d", errScan, t.Sequence)
	}
	if t.Postings, err = ledger.DecodePostings(nil, postings); err != nil {
		return t, fmt.Errorf("%w: ledger transaction %d: %w", errScan, t.Sequence, err)
	}
	return t, nil
}

func scanEntry(row pgx.CollectableRow) (giro.Entry, error) {
	var e giro.Entry
	err := row.Scan((*uuid)(&e.Account), &e.Sequence, &e.N, &e.Amount, &e.Balance, &e.At)
	return e, err
}

func scanEvent(row pgx.CollectableRow) (*giro.Event, error) {
	e := new(giro.Event)
	err := row.Scan(&e.Book, &e.Sequence, (*uuid)(&e.ID), &e.Type, (*uuid)(&e.Object), &e.At, &e.Data, &e.Notice)
	return e, err
}

func scanIdempotency(row pgx.CollectableRow) (*giro.Idempotency, error) {
	r := new(giro.Idempotency)
	err := row.Scan(&r.Book, &r.Key, &r.Fingerprint, &r.Members, &r.Executing, (*uuid)(&r.Owner), &r.Status, &r.Body, &r.Event, &r.Location, &r.Kind, (*uuid)(&r.Object), &r.Created)
	return r, err
}

func scanDocument(row pgx.CollectableRow) (*giro.StoredDocument, error) {
	d := new(giro.StoredDocument)
	err := row.Scan(&d.Kind, (*uuid)(&d.ID), &d.Book, &d.Lookup, (*uuid)(&d.Parent), &d.Version, &d.Created, &d.Updated, &d.Data)
	return d, err
}

func scanSandbox(row pgx.CollectableRow) (*giro.SandboxRow, error) {
	r := new(giro.SandboxRow)
	err := row.Scan(&r.Instruction, &r.Number, &r.Book, &r.Kind, (*uuid)(&r.Object), &r.Submits, &r.Lookups, &r.Done, &r.Verdict, &r.Code, &r.Ready, &r.Absent, &r.At)
	return r, err
}

func scanJob(row pgx.CollectableRow) (*giro.Job, error) {
	j := new(giro.Job)
	err := row.Scan((*uuid)(&j.Object), &j.Kind, &j.Book, &j.MovementKind, &j.Due, &j.Leased, (*uuid)(&j.Owner))
	return j, err
}
