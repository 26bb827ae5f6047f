package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giro"
)

// querier is the pool, or one transaction where several reads belong together.
type querier interface {
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
}

// all reads every row of a query.
func all[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, arguments ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// first reads the first row of a query, or nil.
func first[T any](ctx context.Context, q querier, scan pgx.RowToFunc[*T], sql string, arguments ...any) (*T, error) {
	rows, err := q.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	row, err := pgx.CollectOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return row, err
}

// snapshot runs reads that have to see one state of the database.
func (p *Postgres) snapshot(ctx context.Context, read func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, read)
}

// statement builds a statement and its numbered arguments.
type statement struct {
	strings.Builder
	arguments []any
}

// argument returns the placeholder of a new argument.
func (s *statement) argument(value any) string {
	s.arguments = append(s.arguments, value)
	return "$" + strconv.Itoa(len(s.arguments))
}

// add appends text in which each ? stands for the next value.
func (s *statement) add(text string, values ...any) {
	for _, value := range values {
		before, after, _ := strings.Cut(text, "?")
		s.WriteString(before)
		s.WriteString(s.argument(value))
		text = after
	}
	s.WriteString(text)
}

// addSequence asks for one number, or for those after and before others; 0 asks
// for nothing.
func (s *statement) addSequence(one, after, before int64) {
	for _, bound := range []struct {
		term  string
		value int64
	}{{" AND sequence = ?", one}, {" AND sequence > ?", after}, {" AND sequence < ?", before}} {
		if bound.value > 0 {
			s.add(bound.term, bound.value)
		}
	}
}

// atMostRows is the argument of LIMIT; 0 stands for all rows.
func atMostRows(limit int) *int {
	if limit <= 0 {
		return nil
	}
	return &limit
}

// Movement is giro.Store's.
func (p *Postgres) Movement(ctx context.Context, book giro.Book, kind giro.Kind, id giro.UUID) (*giro.Movement, error) {
	m, err := first(ctx, p.pool, scanMovement,
		"SELECT "+pgMovementColumns+" FROM movement WHERE book = $1 AND kind = $2 AND id = $3", int64(book), string(kind), uuid(id))
	if m != nil || err != nil || kind != giro.KindTransfer {
		return m, err
	}
	return first(ctx, p.pool, scanMovement,
		"SELECT "+pgMovementColumns+" FROM movement WHERE peer = $1 AND peer <> 0 AND kind = $2 AND id = $3", int64(book), string(kind), uuid(id))
}

// MovementByReference is giro.Store's.
func (p *Postgres) MovementByReference(ctx context.Context, book giro.Book, kind giro.Kind, reference string) (*giro.Movement, error) {
	return first(ctx, p.pool, scanMovement,
		"SELECT "+pgMovementColumns+" FROM movement WHERE book = $1 AND kind = $2 AND reference = $3 AND reference <> ''", int64(book), string(kind), reference)
}

// movementOrders are the columns by which SmartFastPay's lists can be sorted.
var movementOrders = map[string]string{"": "", "updated": "updated", "amount": "amount", "status": "status"}

// pgMovementOrder is the ORDER BY of q, whose Sort is known; the id decides among
// equals.
func pgMovementOrder(q *giro.MovementQuery) string {
	direction := " DESC"
	if q.Ascending {
		direction = ""
	}
	if order := movementOrders[q.Sort]; order != "" {
		return " ORDER BY " + order + direction + ", id" + direction
	}
	return " ORDER BY id" + direction
}

// onlyLead reports whether q has no filter but its first.
func onlyLead(q *giro.MovementQuery) bool {
	if q.Amounts != nil || len(q.Metadata) > 0 || q.Match != nil {
		return false
	}
	n := 0
	for _, has := range []bool{len(q.References) > 0, !q.Parent.IsZero(), !q.Customer.IsZero(), len(q.Statuses) > 0, q.Currency != ""} {
		if has {
			n++
		}
	}
	return n == 1
}

// selectMovements builds the statement of a query. Transfers received, and each
// of several statuses, are walks of their own, in the order of an index and cut
// at limit rows, which are then merged: no walk reads more than it returns.
func selectMovements(s *statement, q *giro.MovementQuery, columns string, limit, skip int64) error {
	if _, ok := movementOrders[q.Sort]; !ok {
		return errors.New("movements cannot be sorted by " + strconv.Quote(q.Sort))
	}
	var walks []pgWalk
	for _, kind := range q.AllKinds() {
		walks = append(walks, pgWalks(q, kind, "book")...)
		if kind == giro.KindTransfer {
			walks = append(walks, pgWalks(q, kind, "peer")...)
		}
	}
	s.add("SELECT " + columns + " FROM (")
	for i, w := range walks {
		if i > 0 {
			s.add(" UNION ALL ")
		}
		s.addWalk(q, w, limit, skip)
	}
	s.add(") m")
	if len(walks) > 1 || walks[0].ranged == "" {
		s.add(pgMovementOrder(q))
	}
	if limit > 0 {
		s.add(" LIMIT ?", limit)
	}
	if skip > 0 {
		s.add(" OFFSET ?", skip)
	}
	return nil
}

// pgWalk is one ordered walk over an index of movements.
type pgWalk struct {
	kind     giro.Kind
	column   string // book: those it made; peer: those it received
	statuses []giro.Status
	// Of a status or a currency the server thinks that it knows how common it is,
	// and may walk all movements until it has met enough of them. Asked for as a
	// range, in whose order the rows shall come, it leaves only the index that has
	// this order.
	ranged, value string
}

// pgWalks are the walks for one side of a kind.
func pgWalks(q *giro.MovementQuery, kind giro.Kind, column string) []pgWalk {
	w := pgWalk{kind: kind, column: column, statuses: q.Statuses}
	own, lead := column == "book", q.Lead()
	if own && lead == "currency" && q.Sort == "" {
		w.ranged, w.value = lead, string(q.Currency)
	}
	switch {
	case q.Sifts() && (lead != "status" || !own):
		w.statuses = nil // pgSift looks at each
		return []pgWalk{w}
	case lead != "status":
		return []pgWalk{w}
	}
	list := slices.Clone(q.Statuses)
	slices.Sort(list)
	var walks []pgWalk
	for _, status := range slices.Compact(list) {
		one := w
		one.statuses = []giro.Status{status}
		if own && q.Sort == "" {
			one.ranged, one.value = lead, string(status)
		}
		walks = append(walks, one)
	}
	return walks
}

// addWalk adds the SELECT of a walk. What its index does not have is looked at in
// each row: here, or by pgSift where the rows that are looked at are counted.
func (s *statement) addWalk(q *giro.MovementQuery, w pgWalk, limit, skip int64) {
	own, each, lead := w.column == "book", !q.Sifts(), q.Lead()
	cursor, direction := "<", " DESC"
	if q.Ascending {
		cursor, direction = ">", ""
	}
	there := "NOT deleted"
	if own && lead == "" {
		// Said so that no index of some movements has it: the server may think
		// these small, and would sort all that they hold.
		there = "deleted IS NOT TRUE"
	}
	s.add("(SELECT "+pgMovementColumns+" FROM movement WHERE "+w.column+" = ? AND kind = ? AND "+there, int64(q.Book), string(w.kind))
	if !own {
		s.add(" AND peer <> 0")
	}
	order := pgMovementOrder(q)
	if w.ranged != "" {
		order = " ORDER BY " + w.ranged + direction + ", id" + direction
		s.add(" AND "+w.ranged+" BETWEEN ? AND ?", w.value, w.value)
	}
	if len(w.statuses) > 0 && w.ranged != "status" {
		s.addStatuses(w.statuses)
	}
	s.addEqual(q, func(filter string) bool { return filter != w.ranged && (each || lead == filter && own) })
	if q.IDs != nil {
		s.add(" AND id = ANY(?::uuid[])", column(q.IDs, func(u giro.UUID) uuid { return uuid(u) }))
	}
	bound := func(is string, id giro.UUID) {
		switch {
		case id.IsZero():
		case w.ranged != "":
			s.add(" AND ("+w.ranged+", id) "+is+" (?, ?)", w.value, uuid(id))
		default:
			s.add(" AND id "+is+" ?", uuid(id))
		}
	}
	bound(">=", q.From)
	bound("<=", q.To)
	bound(cursor, q.Before)
	if q.Since != 0 {
		s.add(" AND created >= ?", q.Since)
	}
	if q.Until != 0 {
		s.add(" AND created <= ?", q.Until)
	}
	s.add(order)
	if most := limit + skip; limit > 0 {
		if own && !each && q.Limit > 0 && onlyLead(q) {
			most = min(most, int64(q.Limit)+q.Skip+1) // all of them pass
		}
		s.add(" LIMIT ?", most)
	}
	s.add(")")
}

// addEqual adds the filters of q that ask for values of a column, status apart,
// and are among those that has names.
func (s *statement) addEqual(q *giro.MovementQuery, has func(filter string) bool) {
	if q.Currency != "" && has("currency") {
		s.add(" AND currency = ?", string(q.Currency))
	}
	if !q.Customer.IsZero() && has("customer") {
		s.add(" AND customer = ?", uuid(q.Customer))
	}
	if !q.Parent.IsZero() && has("parent") {
		s.add(" AND parent = ?", uuid(q.Parent))
	}
	if len(q.References) > 0 && has("reference") {
		s.add(" AND reference <> '' AND reference = ANY(?::text[])", q.References)
	}
}

// addStatuses asks for movements with one of the statuses.
func (s *statement) addStatuses(list []giro.Status) {
	if len(list) == 1 {
		s.add(" AND status = ?", string(list[0]))
		return
	}
	s.add(" AND status = ANY(?::text[])", column(list, func(v giro.Status) string { return string(v) }))
}

// pgSift builds the statement for columns of what passes the filters of q that the
// database can apply, among the first ScanMax rows, in their order: sorted again
// they would all have to be read for the first page.
func pgSift(s *statement, q *giro.MovementQuery, columns string) error {
	s.add("SELECT " + columns + " FROM (")
	if err := selectMovements(s, q, pgMovementColumns, int64(q.ScanMax), 0); err != nil {
		return err
	}
	s.add(") s WHERE true")
	if r := q.Amounts; r != nil {
		s.add(" AND amount BETWEEN ? AND ?", r.From, r.To)
	}
	if len(q.Statuses) > 0 {
		s.addStatuses(q.Statuses)
	}
	s.addEqual(q, func(string) bool { return true })
	for k, v := range q.Metadata {
		// As text first: most rows need not be read as JSON then.
		s.add(" AND CASE WHEN strpos(detail, ?) > 0 THEN detail::json -> 'metadata' ->> ? = ? ELSE false END", member(k, v), k, v)
	}
	for name, values := range q.Members {
		s.add(" AND (false")
		for _, v := range values {
			s.add(" OR strpos(detail, ?) > 0", member(name, v))
		}
		s.add(")")
	}
	return nil
}

// Movements is giro.Store's.
func (p *Postgres) Movements(ctx context.Context, q giro.MovementQuery) (page []*giro.Movement, more bool, err error) {
	if longRead(&q) {
		select {
		case p.long <- struct{}{}:
			defer func() { <-p.long }()
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	s := new(statement)
	// One row beyond what is wanted tells whether there is more.
	limit, skip := int64(q.Limit), q.Skip
	if limit > 0 {
		limit++
	}
	if q.Sifts() {
		err = pgSift(s, &q, pgMovementColumns)
	} else {
		err = selectMovements(s, &q, pgMovementColumns, limit, skip)
		skip = 0
	}
	if err != nil {
		return nil, false, err
	}
	if q.Sifts() && q.Match == nil {
		if limit > 0 {
			s.add(" LIMIT ?", limit)
		}
		s.add(" OFFSET ?", skip)
		skip = 0
	}
	rows, err := p.pool.Query(ctx, s.String(), s.arguments...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMovement(rows)
		if err != nil {
			return nil, false, err
		}
		if q.Match != nil {
			if !q.Match(m) {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
		}
		if q.Limit > 0 && len(page) == q.Limit {
			return page, true, nil
		}
		page = append(page, m)
	}
	if err := rows.Err(); err != nil || !q.Sifts() {
		return page, false, err
	}
	more, err = p.scannedAll(ctx, &q)
	return page, more, err
}

// scannedAll reports whether q has more rows than it looks at, and tells the last
// one that it does.
func (p *Postgres) scannedAll(ctx context.Context, q *giro.MovementQuery) (bool, error) {
	if q.ScanMax <= 0 {
		return false, nil
	}
	s := new(statement)
	if err := selectMovements(s, q, "id", 2, int64(q.ScanMax)-1); err != nil {
		return false, err
	}
	ids, err := all(ctx, p.pool, pgx.RowTo[uuid], s.String(), s.arguments...)
	if err != nil || len(ids) < 2 {
		return false, err
	}
	if q.Scanned != nil {
		*q.Scanned = giro.UUID(ids[0])
	}
	return true, nil
}

// CountMovements is giro.Store's.
func (p *Postgres) CountMovements(ctx context.Context, q giro.MovementQuery, limit int64) (int64, error) {
	if limit <= 0 {
		return 0, nil
	}
	if q.Match != nil {
		q.Limit, q.Skip = int(limit), 0
		page, _, err := p.Movements(ctx, q)
		return int64(len(page)), err
	}
	q.Sort = "" // so that an index ends the count at the limit
	s := new(statement)
	s.add("SELECT count(*) FROM (")
	var err error
	if q.Sifts() {
		q.Limit, q.Skip = int(limit), 0
		err = pgSift(s, &q, "id")
		s.add(" LIMIT ?", limit)
	} else {
		err = selectMovements(s, &q, "id", limit, 0)
	}
	if err != nil {
		return 0, err
	}
	s.add(") c")
	var n int64
	if err = p.pool.QueryRow(ctx, s.String(), s.arguments...).Scan(&n); err != nil || n == limit || !q.Sifts() {
		return n, err
	}
	_, err = p.scannedAll(ctx, &q)
	return n, err
}

// Doubts is giro.Store's.
func (p *Postgres) Doubts(ctx context.Context, book giro.Book) ([]giro.Doubts, error) {
	const doubtful = " FROM movement WHERE book = $1 AND kind = k AND in_doubt AND NOT deleted"
	list, err := all(ctx, p.pool, func(row pgx.CollectableRow) (giro.Doubts, error) {
		var d giro.Doubts
		err := row.Scan(&d.Kind, &d.Count, (*uuid)(&d.Oldest), (*uuid)(&d.Newest))
		return d, err
	}, "SELECT k, (SELECT count(*)"+doubtful+"), (SELECT id"+doubtful+" ORDER BY id LIMIT 1), (SELECT id"+doubtful+" ORDER BY id DESC LIMIT 1) FROM unnest($2::text[]) k",
		int64(book), column(giro.Kinds, func(k giro.Kind) string { return string(k) }))
	return slices.DeleteFunc(list, func(d giro.Doubts) bool { return d.Count == 0 }), err
}

// Head is giro.Store's.
func (p *Postgres) Head(ctx context.Context, book giro.Book) (*giro.BookHead, error) {
	return first(ctx, p.pool, scanHead, "SELECT "+pgBookColumns+" FROM book WHERE book = $1", int64(book))
}

// pgSequenceAt finds the last ledger transaction of book $1 up to an instant $2.
// Times never go back along a chain, so the sequence is halved again and again.
const pgSequenceAt = `WITH RECURSIVE half (low, high) AS (
	SELECT 0::bigint, sequence FROM book WHERE book = $1
	UNION ALL
	SELECT CASE WHEN t.at <= $2 THEN t.sequence ELSE low END, CASE WHEN t.at <= $2 THEN high ELSE t.sequence - 1 END
	FROM half JOIN ledger_transaction t ON t.book = $1 AND t.sequence = (low + high + 1) / 2
	WHERE low < high
) SELECT coalesce(max(low), 0) FROM half`

// Accounts is giro.Store's.
func (p *Postgres) Accounts(ctx context.Context, q giro.AccountQuery) (accounts []*giro.Account, sequence int64, err error) {
	err = p.snapshot(ctx, func(tx pgx.Tx) error {
		if q.At > 0 {
			err = tx.QueryRow(ctx, pgSequenceAt, int64(q.Book), q.At).Scan(&sequence)
		} else {
			err = tx.QueryRow(ctx, "SELECT coalesce(max(sequence), 0) FROM book WHERE book = $1", int64(q.Book)).Scan(&sequence)
		}
		if err != nil {
			return err
		}
		columns := pgAccountColumns
		s := new(statement)
		if q.At > 0 {
			columns = strings.Replace(columns, "balance", "coalesce((SELECT e.balance FROM entry e WHERE e.account = account.id AND e.sequence <= ? ORDER BY e.sequence DESC, e.n DESC LIMIT 1), 0)", 1)
			s.add("SELECT "+columns, sequence)
		} else {
			s.add("SELECT " + columns)
		}
		after, order := ">", ""
		if q.Descending {
			after, order = "<", " DESC"
		}
		s.add(" FROM account WHERE true")
		if q.Book != giro.AllBooks {
			s.add(" AND book = ?", int64(q.Book))
		}
		if q.IDs != nil {
			s.add(" AND id = ANY(?::uuid[])", column(q.IDs, func(u giro.UUID) uuid { return uuid(u) }))
		}
		if len(q.Roles) > 0 {
			if _, condition := accountIndex(q.Roles); condition != "" {
				s.add(" AND " + condition)
			}
			s.add(" AND role = ANY(?::text[])", column(q.Roles, func(r giro.Role) string { return string(r) }))
		}
		if !q.After.IsZero() {
			s.add(" AND id "+after+" ?", uuid(q.After))
		}
		s.add(" ORDER BY id" + order)
		s.add(" LIMIT ?", atMostRows(q.Limit))
		accounts, err = all(ctx, tx, scanAccount, s.String(), s.arguments...)
		return err
	})
	return accounts, sequence, err
}

// Entries is giro.Store's: newest first.
func (p *Postgres) Entries(ctx context.Context, account giro.UUID, before giro.EntryKey, limit int) ([]giro.Entry, error) {
	s := new(statement)
	s.add("SELECT "+pgEntryColumns+" FROM entry WHERE account = ?", uuid(account))
	if before != (giro.EntryKey{}) {
		s.add(" AND (sequence, n) < (?, ?)", before.Sequence, int64(before.N))
	}
	s.add(" ORDER BY sequence DESC, n DESC LIMIT ?", atMostRows(limit))
	return all(ctx, p.pool, scanEntry, s.String(), s.arguments...)
}

// LedgerTransactions is giro.Store's.
func (p *Postgres) LedgerTransactions(ctx context.Context, q giro.LedgerQuery) ([]*giro.LedgerTransaction, error) {
	s := new(statement)
	s.add("SELECT "+pgTransactionColumns+" FROM ledger_transaction WHERE book = ?", int64(q.Book))
	if q.Sequence > 0 {
		s.add(" AND sequence = ?", q.Sequence)
	}
	if !q.Object.IsZero() {
		s.add(" AND object = ?", uuid(q.Object))
	}
	if q.Before > 0 {
		s.add(" AND sequence < ?", q.Before)
	}
	if q.Object.IsZero() {
		s.add(" ORDER BY sequence DESC")
	} else {
		s.add(" ORDER BY sequence")
	}
	s.add(" LIMIT ?", atMostRows(q.Limit))
	return all(ctx, p.pool, scanTransaction, s.String(), s.arguments...)
}

// TrialBalance is giro.Store's.
func (p *Postgres) TrialBalance(ctx context.Context, book giro.Book) (*giro.TrialBalance, error) {
	t := new(giro.TrialBalance)
	err := p.snapshot(ctx, func(tx pgx.Tx) error {
		s := new(statement)
		s.add("SELECT currency, (-coalesce(sum(balance) FILTER (WHERE balance < 0), 0))::bigint, coalesce(sum(balance) FILTER (WHERE balance > 0), 0)::bigint FROM account")
		head, err := first(ctx, tx, scanHead, "SELECT "+pgBookColumns+" FROM book WHERE book = $1", int64(book))
		if err != nil {
			return err
		}
		if head != nil {
			t.Sequence, t.Hash = head.Sequence, head.Hash
		}
		s.add(" WHERE balance <> 0")
		if book != giro.Installation {
			s.add(" AND book = ?", int64(book))
		}
		s.add(" GROUP BY currency ORDER BY currency")
		t.Currencies, err = all(ctx, tx, func(row pgx.CollectableRow) (giro.TrialLine, error) {
			var line giro.TrialLine
			err := row.Scan(&line.Currency, &line.Debits, &line.Credits)
			return line, err
		}, s.String(), s.arguments...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Events is giro.Store's.
func (p *Postgres) Events(ctx context.Context, q giro.EventQuery) ([]*giro.Event, error) {
	s := new(statement)
	s.add("SELECT "+pgEventColumns+" FROM event WHERE book = ?", int64(q.Book))
	s.addSequence(q.Sequence, q.After, q.Before)
	if q.From > 0 {
		s.add(" AND sequence >= ?", q.From)
	}
	if q.To > 0 {
		s.add(" AND sequence <= ?", q.To)
	}
	if !q.Object.IsZero() {
		s.add(" AND object = ?", uuid(q.Object))
	}
	if q.Noticed {
		s.add(" AND notice <> ''")
	}
	if len(q.Types) > 0 {
		var exact, families []string
		for _, t := range q.Types {
			if family, found := strings.CutSuffix(t, "*"); found {
				families = append(families, strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(family)+"%")
			} else {
				exact = append(exact, t)
			}
		}
		s.add(" AND (type = ANY(?::text[]) OR type LIKE ANY(?::text[]))", exact, families)
	}
	s.add(" ORDER BY sequence")
	if !q.Ascending && q.After == 0 {
		s.add(" DESC")
	}
	s.add(" LIMIT ?", atMostRows(q.Limit))
	return all(ctx, p.pool, scanEvent, s.String(), s.arguments...)
}

// Idempotency is giro.Store's.
func (p *Postgres) Idempotency(ctx context.Context, book giro.Book, key string) (*giro.Idempotency, error) {
	return first(ctx, p.pool, scanIdempotency, pgIdempotencySelect+" WHERE book = $1 AND key = $2", int64(book), key)
}

// Document is giro.Store's.
func (p *Postgres) Document(ctx context.Context, kind giro.DocumentKind, id giro.UUID) (*giro.StoredDocument, error) {
	return first(ctx, p.pool, scanDocument, "SELECT "+pgDocumentColumns+" FROM document WHERE kind = $1 AND id = $2", string(kind), uuid(id))
}

// DocumentByLookup is giro.Store's.
func (p *Postgres) DocumentByLookup(ctx context.Context, kind giro.DocumentKind, lookup string) (*giro.StoredDocument, error) {
	return first(ctx, p.pool, scanDocument, "SELECT "+pgDocumentColumns+" FROM document WHERE kind = $1 AND lookup = $2 AND lookup <> ''", string(kind), lookup)
}

// Documents is giro.Store's.
func (p *Postgres) Documents(ctx context.Context, q giro.DocumentQuery) ([]*giro.StoredDocument, error) {
	s := new(statement)
	s.add("SELECT "+pgDocumentColumns+" FROM document WHERE kind = ?", string(q.Kind))
	if q.Book != giro.AllBooks {
		s.add(" AND book = ?", int64(q.Book))
	}
	if !q.Parent.IsZero() {
		s.add(" AND parent = ?", uuid(q.Parent))
	}
	if !q.Before.IsZero() {
		if q.Ascending {
			s.add(" AND id > ?", uuid(q.Before))
		} else {
			s.add(" AND id < ?", uuid(q.Before))
		}
	}
	if q.IDs != nil {
		s.add(" AND id = ANY(?::uuid[])", column(q.IDs, func(u giro.UUID) uuid { return uuid(u) }))
	}
	s.add(" ORDER BY id")
	if !q.Ascending {
		s.add(" DESC")
	}
	s.add(" LIMIT ?", atMostRows(q.Limit))
	return all(ctx, p.pool, scanDocument, s.String(), s.arguments...)
}

// ClaimJobs is giro.Store's. A job whose row another process holds just now is
// passed over, not waited for.
func (p *Postgres) ClaimJobs(ctx context.Context, owner giro.UUID, now, lease int64, limit int) ([]*giro.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	jobs, err := all(ctx, p.pool, scanJob, `UPDATE job SET leased = $3, owner = $1 FROM (
		SELECT object AS o, kind AS k FROM job WHERE greatest(due, leased) <= $2
		ORDER BY greatest(due, leased) LIMIT $4 FOR UPDATE SKIP LOCKED
	) ready WHERE object = o AND kind = k RETURNING `+pgJobColumns, uuid(owner), now, lease, int64(limit))
	slices.SortStableFunc(jobs, func(a, b *giro.Job) int { return cmp.Compare(a.Due, b.Due) })
	if err == nil && len(jobs) > 0 {
		p.attach(ctx, jobs)
	}
	return jobs, err
}

// attach reads what claimed jobs are about, all of it in one round trip. Where
// that fails the jobs are the caller's all the same, who then reads it himself.
func (p *Postgres) attach(ctx context.Context, jobs []*giro.Job) {
	movements, clocks := map[giro.UUID]*giro.Movement{}, map[giro.Book]giro.Clock{}
	books := column(jobs, func(j *giro.Job) int64 { return int64(j.Book) })
	var q pgx.Batch
	queueLoad(&q, scanMovement, func(m *giro.Movement) { movements[m.ID] = m },
		"SELECT "+pgMovementColumns+" FROM movement WHERE (book, kind, id) IN (SELECT * FROM unnest($1::bigint[], $2::text[], $3::uuid[]))", books,
		column(jobs, func(j *giro.Job) string { return string(j.MovementKind) }),
		column(jobs, func(j *giro.Job) uuid { return uuid(j.Object) }))
	queueLoad(&q, scanHead, func(h *giro.BookHead) { clocks[h.Book] = h.Clock },
		"SELECT "+pgBookColumns+" FROM book WHERE book = ANY($1::bigint[])", books)
	if p.pool.SendBatch(ctx, &q).Close() != nil {
		return
	}
	for _, j := range jobs {
		j.Movement, j.Clock = movements[j.Object], clocks[j.Book]
	}
}

// NextJob is giro.Store's. A leased job comes up when its lease ends.
func (p *Postgres) NextJob(ctx context.Context) (int64, error) {
	var at int64
	err := p.pool.QueryRow(ctx, "SELECT coalesce((SELECT greatest(due, leased, 1) FROM job ORDER BY greatest(due, leased) LIMIT 1), 0)").Scan(&at)
	return at, err
}

// Beat is giro.Store's. Times are the database's own, so that processes need
// no common clock.
func (p *Postgres) Beat(ctx context.Context, process giro.UUID, dead time.Duration) error {
	if p.closed.Load() {
		return giro.ErrClosed
	}
	_, err := p.pool.Exec(ctx, "INSERT INTO process (id, seen) VALUES ($1, clock_timestamp()) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen", uuid(process))
	if err != nil {
		return err
	}
	var gone bool
	err = p.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM process WHERE seen < clock_timestamp() - $1::bigint * interval '1 microsecond')", dead.Microseconds()).Scan(&gone)
	if err != nil || !gone {
		return err
	}
	// One statement: whoever is taken off the list has lost its leases.
	_, err = p.pool.Exec(ctx, `WITH gone AS (
			DELETE FROM process WHERE seen < clock_timestamp() - $1::bigint * interval '1 microsecond' RETURNING id
		) UPDATE job SET leased = 0, owner = NULL FROM gone WHERE owner = gone.id AND leased > 0`, dead.Microseconds())
	return err
}

// Alive is giro.Store's.
func (p *Postgres) Alive(ctx context.Context, process giro.UUID, within time.Duration) (alive bool, err error) {
	err = p.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM process WHERE id = $1 AND seen >= clock_timestamp() - $2::bigint * interval '1 microsecond')", uuid(process), within.Microseconds()).Scan(&alive)
	return alive, err
}

// Jobs is giro.Store's.
func (p *Postgres) Jobs(ctx context.Context, book giro.Book, due int64, limit int) ([]*giro.Job, error) {
	return all(ctx, p.pool, scanJob, "SELECT "+pgJobColumns+" FROM job WHERE book = $1 AND due <= $2 ORDER BY due, object, kind LIMIT $3", int64(book), due, atMostRows(limit))
}

// SandboxLog is giro.Store's.
func (p *Postgres) SandboxLog(ctx context.Context, book giro.Book, after int64, limit int, newest bool) ([]*giro.SandboxRow, error) {
	order := ""
	if newest {
		order = " DESC"
	}
	return all(ctx, p.pool, scanSandbox, "SELECT "+pgSandboxColumns+" FROM sandbox WHERE book = $1 AND number > $2 ORDER BY number"+order+" LIMIT $3", int64(book), after, atMostRows(limit))
}

// SweepEvents is giro.Store's.
func (p *Postgres) SweepEvents(ctx context.Context, before int64, limit int) (int, error) {
	books, err := all(ctx, p.pool, pgx.RowTo[int64], oldEvents+"$1 LIMIT $2", before, int64(limit))
	if err != nil {
		return 0, err
	}
	total := 0
	for _, book := range books {
		if total >= limit {
			break
		}
		var n int
		err := p.pool.QueryRow(ctx, `WITH gone AS (
				DELETE FROM event WHERE book = $1 AND sequence IN (SELECT sequence FROM (SELECT sequence, at FROM event WHERE book = $1 ORDER BY sequence LIMIT $2) oldest WHERE at < $3)
					AND sequence < (SELECT max(sequence) FROM event WHERE book = $1) RETURNING sequence
			), counted AS (SELECT count(*) AS n FROM gone)
			UPDATE book SET swept = swept + n FROM counted WHERE book = $1 RETURNING n`, book, int64(limit-total), before).Scan(&n)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// Sweep is giro.Store's.
func (p *Postgres) Sweep(ctx context.Context, idempotencyBefore, batchBefore int64, limit int) (int, error) {
	keys, err := p.pool.Exec(ctx, "DELETE FROM idempotency WHERE (book, key) IN (SELECT book, key FROM idempotency WHERE created < $1 ORDER BY created LIMIT $2)", idempotencyBefore, int64(limit))
	if err != nil {
		return 0, err
	}
	// Their ids are in the order of time.
	batches, err := p.pool.Exec(ctx, "DELETE FROM batch WHERE id IN (SELECT id FROM batch ORDER BY id LIMIT $2) AND at < $1", batchBefore, int64(limit))
	return int(keys.RowsAffected() + batches.RowsAffected()), err
}
