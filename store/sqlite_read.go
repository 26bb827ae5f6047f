package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"giro"
	"giro/money"
)

var _ giro.Store = (*SQLite)(nil)

// errEnough stops a query whose caller has what it wants.
var errEnough = errors.New("enough")

func enough(err error) error {
	if err == errEnough {
		return nil
	}
	return err
}

// where gathers the conditions of a query and what they bind.
type where struct {
	terms []string
	binds []func(*args)
}

func (w *where) add(term string, bind func(*args)) {
	w.terms = append(w.terms, term)
	if bind != nil {
		w.binds = append(w.binds, bind)
	}
}

func (w *where) addID(term string, id giro.UUID) {
	if !id.IsZero() {
		w.add(term, func(a *args) { a.id(id) })
	}
}

// addIDs asks for these ids; nil asks for nothing.
func (w *where) addIDs(ids []giro.UUID) {
	if len(ids) == 1 {
		w.addID("id = ?", ids[0])
	} else if ids != nil {
		list := make([]string, len(ids))
		for i, id := range ids {
			list[i] = hex.EncodeToString(id[:])
		}
		text := texts(list)
		w.add("id IN (SELECT unhex(value) FROM json_each(?))", func(a *args) { a.text(text) })
	}
}

// addSequence asks for one number, or for those after and before others; 0 asks
// for nothing.
func (w *where) addSequence(one, after, before int64) {
	for _, bound := range []struct {
		term  string
		value int64
	}{{"sequence = ?", one}, {"sequence > ?", after}, {"sequence < ?", before}} {
		if bound.value > 0 {
			w.add(bound.term, func(a *args) { a.int(bound.value) })
		}
	}
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

func (w *where) bind(a *args) {
	for _, bind := range w.binds {
		bind(a)
	}
}

// placeholders returns n comma-separated question marks.
func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// direction returns the SQL direction.
func direction(ascending bool) string {
	if ascending {
		return " ASC"
	}
	return " DESC"
}

// atMost turns a limit of 0 into SQL's "no limit". It is bound as +?: SQLite
// plans a statement with LIMIT ? again for each value, which takes twenty times
// as long as to find a row.
func atMost(limit int) int64 {
	if limit <= 0 {
		return -1
	}
	return int64(limit)
}

// one runs a query for at most one row.
func one[T any](c *sqlite.Conn, sql string, bind func(*args), scan func(*row) (*T, error)) (found *T, err error) {
	err = query(c, sql, bind, func(r *row) error {
		v, err := scan(r)
		found = v
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// many runs a query and gathers its rows.
func many[T any](c *sqlite.Conn, sql string, bind func(*args), scan func(*row) (T, error)) (found []T, err error) {
	err = query(c, sql, bind, func(r *row) error {
		v, err := scan(r)
		if len(found) == cap(found) {
			found = slices.Grow(found, len(found)+1) // twice as many: figures read tens of thousands
		}
		found = append(found, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// plain adapts a scan that cannot fail.
func plain[T any](scan func(*row) T) func(*row) (T, error) {
	return func(r *row) (T, error) { return scan(r), nil }
}

func accountOf(c *sqlite.Conn, id giro.UUID) (*giro.Account, error) {
	return one(c, "SELECT "+accountColumns+" FROM account WHERE id = ?", func(a *args) { a.id(id) }, (*row).account)
}

func movementOf(c *sqlite.Conn, book giro.Book, kind giro.Kind, id giro.UUID) (*giro.Movement, error) {
	return one(c, "SELECT "+movementColumns+" FROM movement WHERE book = ? AND kind = ? AND id = ?",
		func(a *args) { a.int(int64(book)).text(string(kind)).id(id) }, (*row).movement)
}

func movementByReference(c *sqlite.Conn, book giro.Book, kind giro.Kind, reference string) (*giro.Movement, error) {
	return one(c, "SELECT "+movementColumns+" FROM movement INDEXED BY movement_reference WHERE book = ? AND kind = ? AND reference = ? AND reference <> ''",
		func(a *args) { a.int(int64(book)).text(string(kind)).text(reference) }, (*row).movement)
}

func idempotencyOf(c *sqlite.Conn, book giro.Book, key string) (*giro.Idempotency, error) {
	found, err := one(c, "SELECT "+idempotencyColumns+" FROM idempotency WHERE book = ? AND key = ?",
		func(a *args) { a.int(int64(book)).text(key) }, plain((*row).idempotency))
	if err != nil || found == nil {
		return nil, err
	}
	if found.Event > 0 {
		err = query(c, "SELECT data FROM event WHERE book = ? AND sequence = ?",
			func(a *args) { a.int(int64(book)).int(found.Event) },
			func(r *row) error { found.Body = r.blob(); return nil })
		if err != nil {
			return nil, err
		}
	}
	found.Body, err = unpack(nil, found.Body)
	return found, err
}

func documentOf(c *sqlite.Conn, kind giro.DocumentKind, id giro.UUID) (*giro.StoredDocument, error) {
	return one(c, "SELECT "+documentColumns+" FROM document WHERE kind = ? AND id = ?",
		func(a *args) { a.text(string(kind)).id(id) }, plain((*row).document))
}

func documentByLookup(c *sqlite.Conn, kind giro.DocumentKind, lookup string) (*giro.StoredDocument, error) {
	return one(c, "SELECT "+documentColumns+" FROM document INDEXED BY document_lookup WHERE kind = ? AND lookup = ? AND lookup <> ''",
		func(a *args) { a.text(string(kind)).text(lookup) }, plain((*row).document))
}

func headOf(c *sqlite.Conn, book giro.Book) (*giro.BookHead, error) {
	return one(c, "SELECT "+headColumns+" FROM book WHERE book = ?",
		func(a *args) { a.int(int64(book)) }, plain((*row).head))
}

// Movement implements giro.Store.
func (s *SQLite) Movement(ctx context.Context, book giro.Book, kind giro.Kind, id giro.UUID) (m *giro.Movement, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		m, err = movementOf(c, book, kind, id)
		if err != nil || m != nil || book == 0 {
			return err
		}
		m, err = one(c, "SELECT "+movementColumns+" FROM movement INDEXED BY movement_peer WHERE peer = ? AND kind = ? AND id = ? AND peer <> 0",
			func(a *args) { a.int(int64(book)).text(string(kind)).id(id) }, (*row).movement)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	return m, nil
}

// MovementByReference implements giro.Store.
func (s *SQLite) MovementByReference(ctx context.Context, book giro.Book, kind giro.Kind, reference string) (m *giro.Movement, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		m, err = movementByReference(c, book, kind, reference)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s by reference: %w", kind, err)
	}
	return m, nil
}

// movementWalk is one ordered walk over an index of movements: those that the
// book made or, with peer, that it received; with one of the statuses.
func movementWalk(q *giro.MovementQuery, kind giro.Kind, peer bool, status giro.Status) (index string, w *where) {
	w = &where{}
	if peer {
		w.add("peer = ? AND peer <> 0 AND book <> ?", func(a *args) { a.int(int64(q.Book)).int(int64(q.Book)) })
	} else {
		w.add("book = ?", func(a *args) { a.int(int64(q.Book)) })
	}
	w.add("kind = ?", func(a *args) { a.text(string(kind)) })
	w.add("deleted = 0", nil)
	// SQLite keeps no statistics here and would walk the primary key, so the index
	// is named. What else is asked for is looked at in each row: here, or by the
	// sieve where the rows that are looked at are counted.
	lead := q.Lead()
	each := !q.Sifts()
	has := func(filter string) bool { return each || lead == filter && !peer }
	if status != "" {
		w.add("status = ?", func(a *args) { a.text(string(status)) })
	}
	w.addEqual(q, has)
	switch {
	case peer:
		index = "movement_peer"
	case lead != "":
		index = "movement_" + lead
	case q.Sort == "status":
		index = "movement_status" // which has that order
	}
	w.addIDs(q.IDs)
	w.addID("id >= ?", q.From)
	w.addID("id <= ?", q.To)
	if q.Since != 0 {
		w.add("created >= ?", func(a *args) { a.int(q.Since) })
	}
	if q.Until != 0 {
		w.add("created <= ?", func(a *args) { a.int(q.Until) })
	}
	if q.Ascending {
		w.addID("id > ?", q.Before)
	} else {
		w.addID("id < ?", q.Before)
	}
	return index, w
}

// addEqual adds the filters of q that ask for values of a column, status apart,
// and are among those that has names.
func (w *where) addEqual(q *giro.MovementQuery, has func(filter string) bool) {
	if q.Currency != "" && has("currency") {
		w.add("currency = ?", func(a *args) { a.text(string(q.Currency)) })
	}
	if has("customer") {
		w.addID("customer = ?", q.Customer)
	}
	if has("parent") {
		w.addID("parent = ?", q.Parent)
	}
	if len(q.References) > 0 && has("reference") {
		list := texts(q.References)
		w.add("reference <> '' AND reference IN (SELECT value FROM json_each(?))", func(a *args) { a.text(list) })
	}
}

// texts is a JSON array for json_each, which keeps a statement the same for any
// number of values.
func texts[T ~string](list []T) string {
	b, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return string(b)
}

// movementSelect returns the query for columns of what q selects: one walk per
// status, and the received transfers, which SQLite merges in the order that is
// asked for. inColumns are what the columns bind.
func movementSelect(q *giro.MovementQuery, columns string, inColumns ...func(*args)) (sql string, bind func(*args)) {
	var walks []string
	var binds []func(*args)
	add := func(kind giro.Kind, peer bool, status giro.Status) {
		index, w := movementWalk(q, kind, peer, status)
		binds = append(binds, inColumns...)
		if index != "" {
			index = " INDEXED BY " + index
		}
		walks = append(walks, "SELECT "+columns+" FROM movement"+index+w.String())
		binds = append(binds, w.bind)
	}
	for _, kind := range q.AllKinds() {
		sides := []bool{false}
		if kind == giro.KindTransfer && q.Book != 0 {
			sides = append(sides, true)
		}
		for _, peer := range sides {
			statuses := slices.Clone(q.Statuses)
			slices.Sort(statuses)
			if statuses = slices.Compact(statuses); len(statuses) == 0 || q.Sifts() && (peer || q.Lead() != "status") {
				statuses = []giro.Status{""}
			}
			for _, status := range statuses {
				add(kind, peer, status)
			}
		}
	}
	return strings.Join(walks, " UNION ALL "), func(a *args) {
		for _, bind := range binds {
			bind(a)
		}
	}
}

// movementOrder returns the ORDER BY of q; the id decides among equals.
func movementOrder(q *giro.MovementQuery) (string, error) {
	d := direction(q.Ascending)
	switch q.Sort {
	case "":
		return " ORDER BY id" + d, nil
	case "updated", "amount", "status":
		return " ORDER BY " + q.Sort + d + ", id" + d, nil
	}
	return "", fmt.Errorf("movements cannot be sorted by %q", q.Sort)
}

// Movements implements giro.Store.
func (s *SQLite) Movements(ctx context.Context, q giro.MovementQuery) (page []*giro.Movement, more bool, err error) {
	order, err := movementOrder(&q)
	if err != nil {
		return nil, false, err
	}
	if longRead(&q) {
		select {
		case s.long <- struct{}{}:
			defer func() { <-s.long }()
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	if q.Sifts() {
		err = s.read(ctx, func(c *sqlite.Conn) error {
			page, more = nil, false
			skipped := int64(0)
			return sift(c, &q, order, func(m *giro.Movement) error {
				if skipped < q.Skip {
					skipped++
					return nil
				}
				if q.Limit > 0 && len(page) == q.Limit {
					more = true
					return errEnough
				}
				page = append(page, m)
				return nil
			}, &more)
		})
		if err != nil {
			return nil, false, fmt.Errorf("list movements: %w", err)
		}
		return page, more, nil
	}
	selected, bind := movementSelect(&q, movementColumns)
	sql := selected + order + " LIMIT +? OFFSET +?"
	rows, offset := int64(-1), q.Skip
	if q.Limit > 0 {
		rows = int64(q.Limit) + 1
	}
	if one := len(q.Statuses) <= 1 && len(q.Kinds) <= 1; (offset > 0 || wholeSort(&q)) && (one || q.Sort == "") && !slices.Contains(q.AllKinds(), giro.KindTransfer) {
		// The skipped rows are stepped over in the indexes, without their details.
		// The join is written as one that SQLite does not turn round: else it may
		// walk all movements and look each up among the keys.
		keys, _ := movementSelect(&q, "book AS key_book, kind AS key_kind, id AS key_id")
		sql = "SELECT " + movementColumns + " FROM (" + keys + order + " LIMIT +? OFFSET +?) CROSS JOIN movement ON book = key_book AND kind = key_kind AND id = key_id" + order
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		page, more = nil, false
		return enough(query(c, sql, func(a *args) { bind(a); a.int(rows).int(offset) }, func(r *row) error {
			if q.Limit > 0 && len(page) == q.Limit {
				more = true
				return errEnough
			}
			m, err := r.movement()
			if err == nil {
				page = append(page, m)
			}
			return err
		}))
	})
	if err != nil {
		return nil, false, fmt.Errorf("list movements: %w", err)
	}
	return page, more, nil
}

// sift calls each with the movements that q selects, in order, until it returns
// errEnough. What is looked for in details is looked for as bytes, here, in half
// the time of SQLite's instr; only what has it is read as a movement. more becomes
// true where ScanMax rows were looked at and there are others.
func sift(c *sqlite.Conn, q *giro.MovementQuery, order string, each func(*giro.Movement) error, more *bool) error {
	fits, bindFits := sieve(q)
	columns, wanted := fits, membersOf(q)
	if len(wanted) > 0 {
		columns += ", detail"
	}
	selected, bind := movementSelect(q, columns+", book, kind, id", bindFits)
	rows := int64(-1)
	if q.ScanMax > 0 {
		rows = int64(q.ScanMax) + 1
	}
	scanned := 0
	var last giro.UUID
	var detail []byte
	return enough(query(c, selected+order+" LIMIT +?", func(a *args) { bind(a); a.int(rows) }, func(r *row) error {
		if q.ScanMax > 0 && scanned == q.ScanMax {
			*more = true
			if q.Scanned != nil {
				*q.Scanned = last
			}
			return errEnough
		}
		scanned++
		fits := r.bool()
		if len(wanted) > 0 {
			fits = hasEach(r.bytes(&detail), wanted) && fits
		}
		if !fits && scanned != q.ScanMax {
			return nil
		}
		book, kind := giro.Book(r.int()), giro.Kind(r.text())
		last = r.id()
		if !fits {
			return nil
		}
		m, err := movementOf(c, book, kind, last)
		if err != nil || m == nil || !q.Passes(m) {
			return err
		}
		return each(m)
	}))
}

// membersOf returns what a detail must have to pass the filters of q: of each list
// one.
func membersOf(q *giro.MovementQuery) (wanted [][][]byte) {
	for k, v := range q.Metadata {
		wanted = append(wanted, [][]byte{[]byte(member(k, v))})
	}
	for name, values := range q.Members {
		var either [][]byte
		for _, v := range values {
			either = append(either, []byte(member(name, v)))
		}
		wanted = append(wanted, either)
	}
	return wanted
}

// hasEach reports whether a detail has one of each list.
func hasEach(detail []byte, wanted [][][]byte) bool {
	for _, either := range wanted {
		if !slices.ContainsFunc(either, func(text []byte) bool { return bytes.Contains(detail, text) }) {
			return false
		}
	}
	return true
}

// sieve is a condition on columns that all movements fulfil which pass the filters
// of q.
func sieve(q *giro.MovementQuery) (sql string, bind func(*args)) {
	w := &where{}
	w.add("1", nil)
	if r := q.Amounts; r != nil {
		w.add("amount BETWEEN ? AND ?", func(a *args) { a.int(r.From).int(r.To) })
	}
	if len(q.Statuses) > 0 {
		w.add("status IN (SELECT value FROM json_each(?))", func(a *args) { a.text(texts(q.Statuses)) })
	}
	w.addEqual(q, func(string) bool { return true })
	return strings.Join(w.terms, " AND "), w.bind
}

// CountMovements implements giro.Store.
func (s *SQLite) CountMovements(ctx context.Context, q giro.MovementQuery, limit int64) (n int64, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		n = 0
		if !q.Sifts() {
			selected, bind := movementSelect(&q, "1")
			return query(c, "SELECT count(*) FROM ("+selected+" LIMIT +?)",
				func(a *args) { bind(a); a.int(limit) },
				func(r *row) error { n = r.int(); return nil })
		}
		more := false
		return sift(c, &q, " ORDER BY id"+direction(q.Ascending), func(*giro.Movement) error {
			if n == limit {
				return errEnough
			}
			n++
			return nil
		}, &more)
	})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", q.Kind.Plural(), err)
	}
	return n, nil
}

// Doubts implements giro.Store.
func (s *SQLite) Doubts(ctx context.Context, book giro.Book) (list []giro.Doubts, err error) {
	const doubtful = " FROM movement INDEXED BY movement_doubt WHERE book = ?1 AND kind = value AND in_doubt = 1 AND deleted = 0"
	err = s.read(ctx, func(c *sqlite.Conn) error {
		list = nil
		return query(c, "SELECT value, (SELECT count(*)"+doubtful+") AS n, (SELECT id"+doubtful+" ORDER BY id LIMIT 1), (SELECT id"+doubtful+" ORDER BY id DESC LIMIT 1) FROM json_each(?2) WHERE n > 0",
			func(a *args) { a.int(int64(book)).text(texts(giro.Kinds)) },
			func(r *row) error {
				list = append(list, giro.Doubts{Kind: giro.Kind(r.text()), Count: r.int(), Oldest: r.id(), Newest: r.id()})
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("count doubts: %w", err)
	}
	return list, nil
}

// Head implements giro.Store.
func (s *SQLite) Head(ctx context.Context, book giro.Book) (h *giro.BookHead, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		h, err = headOf(c, book)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read book %d: %w", book, err)
	}
	return h, nil
}

// Accounts implements giro.Store.
func (s *SQLite) Accounts(ctx context.Context, q giro.AccountQuery) (accounts []*giro.Account, sequence int64, err error) {
	w := &where{}
	if q.Book != giro.AllBooks {
		w.add("book = ?", func(a *args) { a.int(int64(q.Book)) })
	}
	w.addIDs(q.IDs)
	index := ""
	if len(q.Roles) > 0 {
		if name, condition := accountIndex(q.Roles); name != "" && q.Book != giro.AllBooks && q.IDs == nil {
			w.add(condition, nil)
			index = " INDEXED BY " + name
		}
		w.add("role IN ("+placeholders(len(q.Roles))+")", func(a *args) {
			for _, role := range q.Roles {
				a.text(string(role))
			}
		})
	}
	if q.Descending {
		w.addID("id < ?", q.After)
	} else {
		w.addID("id > ?", q.After)
	}
	err = s.snapshot(ctx, func(c *sqlite.Conn) error {
		accounts, err = many(c, "SELECT "+accountColumns+" FROM account"+index+w.String()+" ORDER BY id"+direction(!q.Descending)+" LIMIT +?",
			func(a *args) { w.bind(a); a.int(atMost(q.Limit)) }, (*row).account)
		if err != nil {
			return err
		}
		head, err := headOf(c, q.Book)
		if err != nil || head == nil {
			return err
		}
		sequence = head.Sequence
		if q.At <= 0 || q.At >= head.LedgerAt {
			return nil
		}
		sequence, err = sequenceAt(c, q.Book, head.Sequence, q.At)
		if err != nil {
			return err
		}
		for _, account := range accounts {
			account.Balance = 0 // nothing was posted yet
			err = query(c, "SELECT balance FROM entry WHERE account = ? AND sequence <= ? ORDER BY sequence DESC, n DESC LIMIT 1",
				func(a *args) { a.id(account.ID).int(sequence) },
				func(r *row) error { account.Balance = r.int(); return nil })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read accounts of book %d: %w", q.Book, err)
	}
	return accounts, sequence, nil
}

// sequenceAt returns the last ledger sequence of a book whose time is not after
// at; 0: none. Times never go back along the gapless sequence, so it halves.
func sequenceAt(c *sqlite.Conn, book giro.Book, last, at int64) (int64, error) {
	low, high := int64(0), last // the answer is in [low, high]
	for low < high {
		middle := low + (high-low+1)/2
		var then int64
		found := false
		err := query(c, "SELECT at FROM ledger_transaction WHERE book = ? AND sequence = ?",
			func(a *args) { a.int(int64(book)).int(middle) },
			func(r *row) error { then, found = r.int(), true; return nil })
		if err != nil {
			return 0, err
		}
		if !found {
			return 0, fmt.Errorf("ledger transaction %d of book %d is missing", middle, book)
		}
		if then <= at {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low, nil
}

// Entries implements giro.Store: newest first, below before; the zero key
// starts at the newest.
func (s *SQLite) Entries(ctx context.Context, account giro.UUID, before giro.EntryKey, limit int) (entries []giro.Entry, err error) {
	sql := "SELECT " + entryColumns + " FROM entry WHERE account = ? AND (sequence, n) < (?, ?) ORDER BY sequence DESC, n DESC LIMIT +?"
	if before == (giro.EntryKey{}) {
		before.Sequence = 1<<63 - 1
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		entries, err = many(c, sql, func(a *args) {
			a.id(account).int(before.Sequence).int(int64(before.N)).int(atMost(limit))
		}, plain((*row).entry))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	return entries, nil
}

// LedgerTransactions implements giro.Store.
func (s *SQLite) LedgerTransactions(ctx context.Context, q giro.LedgerQuery) (found []*giro.LedgerTransaction, err error) {
	w := &where{}
	w.add("book = ?", func(a *args) { a.int(int64(q.Book)) })
	index, order := "", " DESC"
	switch {
	case q.Sequence > 0:
		w.add("sequence = ?", func(a *args) { a.int(q.Sequence) })
	case !q.Object.IsZero():
		w.addID("object = +?", q.Object)
		index, order = " INDEXED BY ledger_transaction_object", " ASC"
	}
	if q.Before > 0 {
		w.add("sequence < ?", func(a *args) { a.int(q.Before) })
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, "SELECT "+transactionColumns+" FROM ledger_transaction"+index+w.String()+" ORDER BY sequence"+order+" LIMIT +?",
			func(a *args) { w.bind(a); a.int(atMost(q.Limit)) }, (*row).transaction)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger transactions of book %d: %w", q.Book, err)
	}
	return found, nil
}

// TrialBalance implements giro.Store.
func (s *SQLite) TrialBalance(ctx context.Context, book giro.Book) (*giro.TrialBalance, error) {
	t := &giro.TrialBalance{}
	w := &where{}
	if book != giro.Installation {
		w.add("book = ?", func(a *args) { a.int(int64(book)) })
	}
	w.add("balance <> 0", nil)
	lines := map[money.Currency]*giro.TrialLine{}
	err := s.snapshot(ctx, func(c *sqlite.Conn) error {
		head, err := headOf(c, book)
		if err != nil {
			return err
		}
		if head != nil {
			t.Sequence, t.Hash = head.Sequence, head.Hash
		}
		return query(c, "SELECT currency, balance FROM account"+w.String(), w.bind, func(r *row) error {
			return addTrial(lines, money.Currency(r.text()), r.int())
		})
	})
	if err != nil {
		return nil, fmt.Errorf("trial balance: %w", err)
	}
	for _, line := range lines {
		if line.Debits, err = money.Sub(0, line.Debits); err != nil {
			return nil, fmt.Errorf("trial balance: %w", err)
		}
		t.Currencies = append(t.Currencies, *line)
	}
	slices.SortFunc(t.Currencies, func(a, b giro.TrialLine) int { return cmp.Compare(a.Currency, b.Currency) })
	return t, nil
}

// addTrial adds an account's balance to its currency's line.
func addTrial(lines map[money.Currency]*giro.TrialLine, currency money.Currency, balance int64) error {
	line := lines[currency]
	if line == nil {
		line = &giro.TrialLine{Currency: currency}
		lines[currency] = line
	}
	var err error
	if balance > 0 {
		line.Credits, err = money.Add(line.Credits, balance)
	} else {
		// Debits are summed below zero: the smallest balance has no opposite.
		line.Debits, err = money.Add(line.Debits, balance)
	}
	return err
}

// Events implements giro.Store.
func (s *SQLite) Events(ctx context.Context, q giro.EventQuery) (found []*giro.Event, err error) {
	w := &where{}
	w.add("book = ?", func(a *args) { a.int(int64(q.Book)) })
	ascending := q.Ascending || q.After > 0
	w.addSequence(q.Sequence, q.After, q.Before)
	if q.From > 0 {
		w.add("sequence >= ?", func(a *args) { a.int(q.From) })
	}
	if q.To > 0 {
		w.add("sequence <= ?", func(a *args) { a.int(q.To) })
	}
	index := ""
	if q.Noticed {
		w.add("notice <> x''", nil)
		index = " INDEXED BY event_notice"
	}
	if !q.Object.IsZero() {
		w.addID("object = +?", q.Object)
		index = " INDEXED BY event_object"
	}
	if len(q.Types) > 0 {
		terms := make([]string, len(q.Types))
		for i, t := range q.Types {
			terms[i] = "type = ?"
			if strings.HasSuffix(t, "*") {
				terms[i] = "substr(type, 1, length(?)) = ?"
			}
		}
		w.add("("+strings.Join(terms, " OR ")+")", func(a *args) {
			for _, t := range q.Types {
				if prefix, any := strings.CutSuffix(t, "*"); any {
					a.text(prefix).text(prefix)
				} else {
					a.text(t)
				}
			}
		})
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, "SELECT "+eventColumns+" FROM event"+index+w.String()+" ORDER BY sequence"+direction(ascending)+" LIMIT +?",
			func(a *args) { w.bind(a); a.int(atMost(q.Limit)) }, (*row).event)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events of book %d: %w", q.Book, err)
	}
	return found, nil
}

// Idempotency implements giro.Store.
func (s *SQLite) Idempotency(ctx context.Context, book giro.Book, key string) (found *giro.Idempotency, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = idempotencyOf(c, book, key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read idempotency row: %w", err)
	}
	return found, nil
}

// Document implements giro.Store.
func (s *SQLite) Document(ctx context.Context, kind giro.DocumentKind, id giro.UUID) (d *giro.StoredDocument, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		d, err = documentOf(c, kind, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	return d, nil
}

// DocumentByLookup implements giro.Store.
func (s *SQLite) DocumentByLookup(ctx context.Context, kind giro.DocumentKind, lookup string) (d *giro.StoredDocument, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		d, err = documentByLookup(c, kind, lookup)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", kind, err)
	}
	return d, nil
}

// Documents implements giro.Store.
func (s *SQLite) Documents(ctx context.Context, q giro.DocumentQuery) (found []*giro.StoredDocument, err error) {
	w := &where{}
	w.add("kind = ?", func(a *args) { a.text(string(q.Kind)) })
	index := ""
	if q.Book != giro.AllBooks {
		w.add("book = ?", func(a *args) { a.int(int64(q.Book)) })
		index = " INDEXED BY document_book"
	}
	if !q.Parent.IsZero() {
		w.addID("parent = ?", q.Parent)
		index = " INDEXED BY document_parent"
	}
	if q.IDs != nil {
		w.addIDs(q.IDs)
		index = ""
	}
	if q.Ascending {
		w.addID("id > ?", q.Before)
	} else {
		w.addID("id < ?", q.Before)
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, "SELECT "+documentColumns+" FROM document"+index+w.String()+" ORDER BY id"+direction(q.Ascending)+" LIMIT +?",
			func(a *args) { w.bind(a); a.int(atMost(q.Limit)) }, plain((*row).document))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", q.Kind, err)
	}
	return found, nil
}

// Jobs implements giro.Store.
func (s *SQLite) Jobs(ctx context.Context, book giro.Book, due int64, limit int) (jobs []*giro.Job, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		jobs, err = many(c, "SELECT "+jobColumns+" FROM job WHERE book = ? AND due <= ? ORDER BY due, object, kind LIMIT +?",
			func(a *args) { a.int(int64(book)).int(due).int(atMost(limit)) }, plain((*row).job))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs of book %d: %w", book, err)
	}
	return jobs, nil
}

// SandboxLog implements giro.Store.
func (s *SQLite) SandboxLog(ctx context.Context, book giro.Book, after int64, limit int, newest bool) (found []*giro.SandboxRow, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found, err = many(c, "SELECT "+sandboxColumns+" FROM sandbox WHERE book = ? AND number > ? ORDER BY number"+direction(!newest)+" LIMIT +?",
			func(a *args) { a.int(int64(book)).int(after).int(atMost(limit)) }, plain((*row).sandbox))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sandbox rows of book %d: %w", book, err)
	}
	return found, nil
}
