package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"giro"
	"giro/ledger"
)

// The columns of each PostgreSQL table, in the order of its scan function.
const (
	pgBookColumns        = "book, merchant, sequence, hash, ledger_at, events, charges, refunds, payouts, transfers, clock, clock_floor, wiping, wiped"
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

// Those of an UPDATE: what finds a row, and what may change.
const (
	pgAccountChanges  = "id, name, balance, negative, closed, version, metadata"
	pgMovementChanges = "book, kind, id, status, sent, in_doubt, deleted, amount, amount_captured, amount_refunded, fee, reserved, updated, version, customer, detail"
)

// What writes rows, given as one array per column.
var (
	pgInsertBook        = pgInsert("book", pgBookColumns, "bigint uuid bigint bytea bigint bigint bigint bigint bigint bigint bigint bigint bigint bigint")
	pgInsertAccount     = pgInsert("account", pgAccountColumns, "uuid bigint text text uuid text bigint boolean boolean bigint bigint text")
	pgInsertMovement    = pgInsert("movement", pgMovementColumns, "bigint text uuid text boolean boolean boolean bigint bigint bigint bigint bigint text bigint bigint bigint uuid text uuid bigint text")
	pgInsertTransaction = pgInsert("ledger_transaction", pgTransactionColumns+", debits, credits", "bigint bigint uuid bigint text uuid text text bytea bytea bigint bigint")
	pgInsertEntry       = pgInsert("entry", pgEntryColumns, "uuid bigint bigint bigint bigint bigint")
	pgInsertEvent       = pgInsert("event", pgEventColumns, "bigint bigint uuid text uuid bigint bytea bytea")
	pgInsertIdempotency = pgInsert("idempotency", pgIdempotencyColumns, "bigint text bytea text boolean uuid bigint bytea bigint text text uuid bigint")
	pgInsertSandbox     = pgInsert("sandbox", pgSandboxColumns, "text bigint bigint text uuid bigint bigint boolean text text bigint boolean bigint")
	pgInsertJob         = pgInsert("job", pgJobColumns, "uuid text bigint text bigint bigint uuid")

	pgUpsertIdempotency = pgInsertIdempotency + pgReplace("book, key", pgIdempotencyColumns)
	pgUpsertDocument    = pgInsert("document", pgDocumentColumns, "text uuid bigint text uuid bigint bigint bigint bytea") + pgReplace("kind, id", pgDocumentColumns)
	pgUpsertJob         = pgInsertJob + pgReplace("object, kind", pgJobColumns)

	pgMovementsByID        = pgByKey("book, kind, id", "bigint text uuid", "SELECT "+pgMovementColumns+" FROM movement WHERE true")
	pgMovementsByReference = pgByKey("book, kind, reference", "bigint text text", "SELECT "+pgMovementColumns+" FROM movement WHERE reference <> ''")
	pgIdempotencyByKey     = pgByKey("book, key", "bigint text", pgIdempotencySelect+" WHERE true")
	pgJobsByKey            = pgByKey("object, kind", "uuid text", "SELECT "+pgJobColumns+" FROM job WHERE true")

	pgUpdateBook     = pgUpdate("book", "book", pgBookColumns, "bigint uuid bigint bytea bigint bigint bigint bigint bigint bigint bigint bigint bigint bigint")
	pgUpdateAccount  = pgUpdate("account", "id", pgAccountChanges, "uuid text bigint boolean boolean bigint text")
	pgUpdateMovement = pgUpdate("movement", "book, kind, id", pgMovementChanges, "bigint text uuid text boolean boolean boolean bigint bigint bigint bigint bigint bigint bigint uuid text")
	pgUpdateSandbox  = pgUpdate("sandbox", "instruction", pgSandboxColumns, "text bigint bigint text uuid bigint bigint boolean text text bigint boolean bigint")
)

// pgRows is the SELECT of rows that are given as one array per column. Arrays
// in the list of a SELECT are walked in step; in FROM each would be copied to a
// table of its own first.
func pgRows(columns, types string) string {
	names := strings.Split(columns, ", ")
	list := make([]string, len(names))
	for i, t := range strings.Fields(types) {
		list[i] = fmt.Sprintf("unnest($%d::%s[]) AS %s", i+1, t, names[i])
	}
	return "SELECT " + strings.Join(list, ", ")
}

// pgByKey looks up the row of each key. The LIMIT keeps the server from reading
// the table once and looking for each of its rows among the keys, which it would
// rather do where it believes that there are few rows.
func pgByKey(key, types, sql string) string {
	for _, name := range strings.Split(key, ", ") {
		sql += " AND " + name + " = k." + name
	}
	return "SELECT found.* FROM (" + pgRows(key, types) + ") k, LATERAL (" + sql + " LIMIT 1) found"
}

// pgInsert inserts rows.
func pgInsert(table, columns, types string) string {
	return "INSERT INTO " + table + " (" + columns + ") " + pgRows(columns, types)
}

// pgReplace makes an INSERT one that replaces the row that has the key.
func pgReplace(key, columns string) string {
	return " ON CONFLICT (" + key + ") DO UPDATE SET " + pgSet(key, columns, "excluded")
}

// pgUpdate changes rows that exist. Its last argument is how many they are:
// where one of them does not exist the statement divides by zero, because by the
// time an answer could be looked at COMMIT has been sent.
func pgUpdate(table, key, columns, types string) string {
	var same []string
	for _, name := range strings.Split(key, ", ") {
		same = append(same, table+"."+name+" = v."+name)
	}
	update := "UPDATE " + table + " SET " + pgSet(key, columns, "v") + " FROM (" + pgRows(columns, types) + ") v WHERE " + strings.Join(same, " AND ")
	return fmt.Sprintf("WITH changed AS (%s RETURNING 1) SELECT 1 / (count(*) = $%d::bigint)::int FROM changed", update, len(strings.Fields(types))+1)
}

// pgSet sets all columns but the key's to those of another row.
func pgSet(key, columns, row string) string {
	var list []string
	for _, name := range strings.Split(columns, ", ") {
		if !slices.Contains(strings.Split(key, ", "), name) {
			list = append(list, name+" = "+row+"."+name)
		}
	}
	return strings.Join(list, ", ")
}

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
	q.Queue("BEGIN")
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
			pgMovementsByID,
			column(keys.Movements, func(k giro.MovementKey) int64 { return int64(k.Book) }),
			column(keys.Movements, func(k giro.MovementKey) string { return string(k.Kind) }),
			column(keys.Movements, func(k giro.MovementKey) uuid { return uuid(k.ID) }))
	}
	if len(keys.References) > 0 {
		queueLoad(&q, scanMovement, func(m *giro.Movement) {
			b.PutMovement(m)
			b.PutReference(giro.ReferenceKey{Book: m.Book, Kind: m.Kind, Reference: m.Reference}, m.ID)
		}, pgMovementsByReference,
			column(keys.References, func(k giro.ReferenceKey) int64 { return int64(k.Book) }),
			column(keys.References, func(k giro.ReferenceKey) string { return string(k.Kind) }),
			column(keys.References, func(k giro.ReferenceKey) string { return k.Reference }))
	}
	if len(keys.Idempotency) > 0 {
		queueLoad(&q, scanIdempotency, b.PutIdempotency,
			pgIdempotencyByKey,
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
			pgJobsByKey,
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
	event, answer := packWrites(w)
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
	writeEvents(q, w.Events, event)
	writeIdempotency(q, w.Idempotency, answer)
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
			column(rows, func(h *giro.BookHead) int64 { return h.Clock.Ahead }),
			column(rows, func(h *giro.BookHead) int64 { return h.Clock.Floor }),
			column(rows, func(h *giro.BookHead) int64 { return h.Wiping }),
			column(rows, func(h *giro.BookHead) int64 { return h.Wiped }),
		}
	}
	if len(inserts) > 0 {
		q.Queue(pgInsertBook, values(inserts)...)
	}
	if len(updates) > 0 {
		q.Queue(pgUpdateBook, append(values(updates), len(updates))...)
	}
}

func writeAccounts(q *pgx.Batch, accounts []*giro.Account) error {
	type T = *giro.Account
	inserts, updates := split(accounts, func(a T) bool { return a.New })
	ids := func(rows []T) []uuid { return column(rows, func(a T) uuid { return uuid(a.ID) }) }
	names := func(rows []T) []string { return column(rows, func(a T) string { return a.Name }) }
	balances := func(rows []T) []int64 { return column(rows, func(a T) int64 { return a.Balance }) }
	negative := func(rows []T) []bool { return column(rows, func(a T) bool { return a.Negative }) }
	closed := func(rows []T) []bool { return column(rows, func(a T) bool { return a.Closed }) }
	versions := func(rows []T) []int64 { return column(rows, func(a T) int64 { return a.Version }) }
	metadata := func(rows []T) ([]string, error) {
		texts := make([]string, len(rows))
		for i, a := range rows {
			texts[i] = "{}"
			if len(a.Metadata) > 0 {
				var err error
				if texts[i], err = encode(a.Metadata); err != nil {
					return nil, fmt.Errorf("write account %s: %w", a.ID, err)
				}
			}
		}
		return texts, nil
	}
	if rows := inserts; len(rows) > 0 {
		texts, err := metadata(rows)
		if err != nil {
			return err
		}
		q.Queue(pgInsertAccount, ids(rows),
			column(rows, func(a T) int64 { return int64(a.Book) }),
			column(rows, func(a T) string { return string(a.Currency) }),
			column(rows, func(a T) string { return string(a.Role) }),
			column(rows, func(a T) uuid { return uuid(a.Parent) }),
			names(rows), balances(rows), negative(rows), closed(rows),
			column(rows, func(a T) int64 { return a.Created }),
			versions(rows), texts)
	}
	if rows := updates; len(rows) > 0 {
		texts, err := metadata(rows)
		if err != nil {
			return err
		}
		q.Queue(pgUpdateAccount, ids(rows), names(rows), balances(rows), negative(rows), closed(rows), versions(rows), texts, len(rows))
	}
	return nil
}

func writeMovements(q *pgx.Batch, movements []*giro.Movement) error {
	type T = *giro.Movement
	inserts, updates := split(movements, func(m T) bool { return m.New })
	// Both begin with the same columns, up to what is reserved.
	begin := func(rows []T) []any {
		return []any{
			column(rows, func(m T) int64 { return int64(m.Book) }),
			column(rows, func(m T) string { return string(m.Kind) }),
			column(rows, func(m T) uuid { return uuid(m.ID) }),
			column(rows, func(m T) string { return string(m.Status) }),
			column(rows, func(m T) bool { return m.Sent }),
			column(rows, func(m T) bool { return m.InDoubt }),
			column(rows, func(m T) bool { return m.Deleted }),
			column(rows, func(m T) int64 { return m.Amount }),
			column(rows, func(m T) int64 { return m.Captured }),
			column(rows, func(m T) int64 { return m.Refunded }),
			column(rows, func(m T) int64 { return m.Fee }),
			column(rows, func(m T) int64 { return m.Reserved }),
		}
	}
	changed := func(rows []T) []int64 { return column(rows, func(m T) int64 { return m.Updated }) }
	versions := func(rows []T) []int64 { return column(rows, func(m T) int64 { return m.Version }) }
	customers := func(rows []T) []uuid { return column(rows, func(m T) uuid { return uuid(m.Customer) }) }
	if rows := inserts; len(rows) > 0 {
		details, err := encodeDetails(rows)
		if err != nil {
			return err
		}
		q.Queue(pgInsertMovement, append(begin(rows),
			column(rows, func(m T) string { return string(m.Currency) }),
			column(rows, func(m T) int64 { return m.Created }),
			changed(rows), versions(rows), customers(rows),
			column(rows, func(m T) string { return m.Reference }),
			column(rows, func(m T) uuid { return uuid(m.Parent) }),
			column(rows, func(m T) int64 { return int64(m.Peer) }),
			details)...)
	}
	if rows := updates; len(rows) > 0 {
		details, err := encodeDetails(rows)
		if err != nil {
			return err
		}
		q.Queue(pgUpdateMovement, append(begin(rows), changed(rows), versions(rows), customers(rows), details, len(rows))...)
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
		q.Queue(pgInsertTransaction,
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
		q.Queue(pgInsertEntry,
			column(entries, func(e giro.Entry) uuid { return uuid(e.Account) }),
			column(entries, func(e giro.Entry) int64 { return e.Sequence }),
			column(entries, func(e giro.Entry) int64 { return int64(e.N) }),
			column(entries, func(e giro.Entry) int64 { return e.Amount }),
			column(entries, func(e giro.Entry) int64 { return e.Balance }),
			column(entries, func(e giro.Entry) int64 { return e.At }))
	}
	return nil
}

func writeEvents(q *pgx.Batch, events []giro.Event, packed func(i int) []byte) {
	if len(events) == 0 {
		return
	}
	data := make([][]byte, len(events))
	for i := range events {
		data[i] = present(bytes.Clone(packed(i)))
	}
	q.Queue(pgInsertEvent,
		column(events, func(e giro.Event) int64 { return int64(e.Book) }),
		column(events, func(e giro.Event) int64 { return e.Sequence }),
		column(events, func(e giro.Event) uuid { return uuid(e.ID) }),
		column(events, func(e giro.Event) string { return e.Type }),
		column(events, func(e giro.Event) uuid { return uuid(e.Object) }),
		column(events, func(e giro.Event) int64 { return e.At }),
		data,
		column(events, func(e giro.Event) []byte { return present(e.Notice) }))
}

// present returns b, never nil: nil would be NULL.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func writeIdempotency(q *pgx.Batch, rows []*giro.Idempotency, packed func(*giro.Idempotency) []byte) {
	type T = *giro.Idempotency
	first, again := split(latest(rows, idempotencyKey), func(r T) bool { return r.New })
	for _, some := range []struct {
		sql  string
		rows []T
	}{{pgInsertIdempotency, first}, {pgUpsertIdempotency, again}} {
		if len(some.rows) == 0 {
			continue
		}
		q.Queue(some.sql,
			column(some.rows, func(r T) int64 { return int64(r.Book) }),
			column(some.rows, func(r T) string { return r.Key }),
			column(some.rows, func(r T) []byte { return present(r.Fingerprint) }),
			column(some.rows, func(r T) string { return r.Members }),
			column(some.rows, func(r T) bool { return r.Executing }),
			column(some.rows, func(r T) uuid { return uuid(r.Owner) }),
			column(some.rows, func(r T) int64 { return int64(r.Status) }),
			column(some.rows, func(r T) []byte { return present(bytes.Clone(packed(r))) }),
			column(some.rows, func(r T) int64 { return r.Event }),
			column(some.rows, func(r T) string { return r.Location }),
			column(some.rows, func(r T) string { return string(r.Kind) }),
			column(some.rows, func(r T) uuid { return uuid(r.Object) }),
			column(some.rows, func(r T) int64 { return r.Created }))
	}
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
		q.Queue(pgUpsertDocument,
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
	if len(inserts) > 0 {
		q.Queue(pgInsertSandbox, values(inserts)...)
	}
	if len(updates) > 0 {
		q.Queue(pgUpdateSandbox, append(values(updates), len(updates))...)
	}
}

func writeJobs(q *pgx.Batch, w *giro.Writes) {
	type T = *giro.Job
	for _, s := range w.ShiftJobs {
		q.Queue("UPDATE job SET due = CASE WHEN due <= $2 THEN least(due, $3) ELSE due - $4 END WHERE book = $1", int64(s.Book), s.Until, s.Now, s.Earlier)
	}
	drops := make(map[giro.JobKind][]uuid)
	for _, k := range w.DropJobs {
		drops[k.Kind] = append(drops[k.Kind], uuid(k.Object))
	}
	for kind, objects := range drops {
		q.Queue("DELETE FROM job WHERE object = ANY($1::uuid[]) AND kind = $2", objects, string(kind))
	}
	made := make(map[giro.UUID]bool, len(w.Movements))
	for _, m := range w.Movements {
		made[m.ID] = m.New
	}
	jobs := latest(w.Jobs, func(j T) giro.JobKey { return j.JobKey })
	jobs = slices.DeleteFunc(jobs, func(j T) bool { return j.Due < 0 }) // dropped by the batch that wrote it
	first, again := split(jobs, func(j T) bool { return made[j.Object] })
	for _, some := range []struct {
		sql  string
		rows []T
	}{{pgInsertJob, first}, {pgUpsertJob, again}} {
		if len(some.rows) == 0 {
			continue
		}
		q.Queue(some.sql,
			column(some.rows, func(j T) uuid { return uuid(j.Object) }),
			column(some.rows, func(j T) string { return string(j.Kind) }),
			column(some.rows, func(j T) int64 { return int64(j.Book) }),
			column(some.rows, func(j T) string { return string(j.MovementKind) }),
			column(some.rows, func(j T) int64 { return j.Due }),
			column(some.rows, func(j T) int64 { return j.Leased }),
			column(some.rows, func(j T) uuid { return uuid(j.Owner) }))
	}
}

// The scan functions return a row that cannot be decoded with errScan, as far
// as it was read.

func scanHead(row pgx.CollectableRow) (*giro.BookHead, error) {
	h := new(giro.BookHead)
	var hash []byte
	err := row.Scan(&h.Book, (*uuid)(&h.Merchant), &h.Sequence, &hash, &h.LedgerAt, &h.Events, &h.Charges, &h.Refunds, &h.Payouts, &h.Transfers, &h.Clock.Ahead, &h.Clock.Floor, &h.Wiping, &h.Wiped)
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
	if err == nil {
		err = unpackData(e)
	}
	return e, err
}

func scanIdempotency(row pgx.CollectableRow) (*giro.Idempotency, error) {
	r := new(giro.Idempotency)
	err := row.Scan(&r.Book, &r.Key, &r.Fingerprint, &r.Members, &r.Executing, (*uuid)(&r.Owner), &r.Status, &r.Body, &r.Event, &r.Location, &r.Kind, (*uuid)(&r.Object), &r.Created)
	if err == nil {
		r.Body, err = unpack(nil, r.Body)
	}
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
