package store

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giro"
	"giro/internal/pgtest"
)

// Plans outlive the state of the tables that they were made for. On one in which
// hardly anything stands, and of which the server believes that nothing ever
// will, each statement of a batch looks its rows up by their keys all the same.
func TestPlansOfABatchLookUpKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := planned(t)
	seedPlans(t, p, "insert into account select gen_random_uuid(), 2, 'BRL', 'available', null, '', 0, false, false, 1, 1, '{}' from generate_series(1, 2)",
		"insert into movement select 2, 'transfer', gen_random_uuid(), 'succeeded', false, false, false, 1, 1, 0, 0, 0, 'BRL', 1, 1, 1, null, '', null, 0, '{}' from generate_series(1, 60)",
		"analyze")
	c, err := p.writers.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	for name, sql := range map[string]string{
		"movements by id": pgMovementsByID, "movements by reference": pgMovementsByReference, "keys": pgIdempotencyByKey, "jobs": pgJobsByKey,
		"change accounts": pgUpdateAccount, "change movements": pgUpdateMovement,
	} {
		plan := explain(t, c.Conn(), name, sql)
		if strings.Contains(plan, "Seq Scan") || walksWhole(plan) {
			t.Errorf("%s: a table is read as a whole:\n%s", name, plan)
		}
	}
}

// A list of movements of a kind that was not there when the server counted rows
// is walked in the order of its index: it is not sorted, however few it thinks.
// Nor is the beginning of a long one whose rows it knows.
func TestListsAreNotSorted(t *testing.T) {
	t.Parallel()
	p := planned(t)
	seedPlans(t, p, "insert into movement select 2, 'transfer', gen_random_uuid(), 'pending', false, false, false, 1, 0, 0, 0, 1, 'BRL', 1, 1, 1, null, '', null, 0, '{}' from generate_series(1, 3000)",
		"insert into movement select 3, 'refund', gen_random_uuid(), 'pending', false, false, false, 1, 0, 0, 0, 1, 'BRL', 1, 1, 1, null, '', null, 0, repeat('x', 500) from generate_series(1, 6000)",
		"vacuum analyze movement")
	c, err := p.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	for name, q := range map[string]giro.MovementQuery{
		"all":         {Book: 2, Kind: giro.KindPayout, Limit: 100},
		"by status":   {Book: 2, Kind: giro.KindPayout, Limit: 100, Statuses: []giro.Status{giro.StatusPending}},
		"by currency": {Book: 2, Kind: giro.KindPayout, Limit: 100, Currency: "BRL"},
		"counted":     {Book: 3, Kind: giro.KindRefund, Limit: 1000},
	} {
		s := new(statement)
		if err := selectMovements(s, &q, "id", int64(q.Limit)+1, 0); err != nil {
			t.Fatal(err)
		}
		plan := explain(t, c.Conn(), strings.ReplaceAll(name, " ", "_"), s.String(), s.arguments...)
		if strings.Contains(plan, "Sort") {
			t.Errorf("%s: all rows are sorted for the first page:\n%s", name, plan)
		}
	}
}

// A wipe's steps read no more than a range of what the book has, by an index,
// whatever other books have. Few are the jobs that wait, and the endpoints: they
// are read as a whole.
func TestAWipeReadsRanges(t *testing.T) {
	t.Parallel()
	p := planned(t)
	each := func(rows string) string { return rows + " from generate_series(1, 5000) n, unnest(array[2, 4]) b" }
	seedPlans(t, p,
		"insert into book (book, sequence, hash, ledger_at, events, charges, refunds, payouts, transfers, clock) select 2 * n, 0, '', 0, 5000, 0, 0, 0, 0, 0 from generate_series(1, 100) n",
		each("insert into account select gen_random_uuid(), b, 'BRL', 'sub', null, '', 0, false, false, 1, 1, '{}'"),
		"insert into entry select id, 1, 0, 1, 1, 1 from account",
		"insert into entry select id, 2, 0, 1, 1, 1 from account",
		each("insert into ledger_transaction (book, sequence, id, at, cause, object, kind, currency, postings, debits, credits, hash) select b, n, gen_random_uuid(), 1, '', gen_random_uuid(), 'payout', 'BRL', '', 1, 1, ''"),
		each("insert into movement select b, 'payout', gen_random_uuid(), 'succeeded', false, false, false, 1, 1, 0, 0, 0, 'BRL', 1, 1, 1, null, '', null, 0, '{}'"),
		each("insert into event (book, sequence, id, type, object, at, data) select b, n, gen_random_uuid(), 'payout.created', gen_random_uuid(), 1, ''"),
		each("insert into idempotency select b, n::text, '', '', false, null, 201, '', n, '', 'payout', gen_random_uuid(), 1"),
		each("insert into document select unnest(array['customer', 'source', 'quote', 'rail_message']), gen_random_uuid(), b, '', null, 1, 1, 1, ''"),
		each("insert into sandbox select b || '.' || n, n, b, 'submit', gen_random_uuid(), 1, 0, true, '', '', 0, false, 1"),
		each("insert into job select gen_random_uuid(), 'step', b, 'payout', 1, 0, null"),
		"insert into dispatch select gen_random_uuid(), 2 * n, true, 5000, 0, 0, null, 0 from generate_series(1, 100) n",
		"insert into delivery select d.endpoint, n, d.book, gen_random_uuid(), 'payout.created', 'succeeded', 1, 0, 0, 1, '{}' from dispatch d, generate_series(1, 200) n",
		each("insert into rollup select b, 'payout', 'BRL', n, 'succeeded', '', 1, 1, 1, 0, 0"),
		each("insert into term select b, n::text, gen_random_uuid(), 'payout'"),
		"insert into term_cursor select book, 0 from book",
		each("insert into request select b, gen_random_uuid(), 1, 200, null, ''"),
		"analyze")
	c, err := p.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if _, err := c.Exec(t.Context(), strings.Replace(pgWipeByRows, "SET LOCAL", "SET", 1)); err != nil {
		t.Fatal(err)
	}
	values := []int64{2, 1000, 1 << 60}
	few := regexp.MustCompile(`(Seq Scan|Index Scan using \w+) on (job|dispatch)\b`) // jobs that wait, endpoints
	look := func(name, sql string) {
		plan := few.ReplaceAllString(explain(t, c.Conn(), name, wipeSQL(sql, values)), "$2")
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") || strings.Contains(plan, "Bitmap") || walksWhole(plan) {
			t.Errorf("%s: more is read than a step removes:\n%s", name, plan)
		}
	}
	for i, w := range wipeStages {
		name := fmt.Sprint(w.table, i)
		look(name, w.some())
		if !w.singly {
			look(name+"rest", w.rest())
		}
	}
	for i, sql := range wipeFirst {
		look(fmt.Sprint("first", i), sql)
	}
}

func planned(t *testing.T) *Postgres {
	t.Helper()
	p, err := OpenPostgres(t.Context(), pgtest.Open(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func seedPlans(t *testing.T, p *Postgres, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := p.pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// explain returns the plan of a prepared statement; without arguments they are
// NULL.
func explain(t *testing.T, c *pgx.Conn, name, sql string, arguments ...any) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	name = `"` + name + `"`
	described, err := c.Prepare(ctx, "", sql)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var values []string
	for i := range described.ParamOIDs {
		value := "NULL"
		if i < len(arguments) {
			value = fmt.Sprintf("'%v'", arguments[i])
		}
		values = append(values, value)
	}
	if _, err := c.Exec(ctx, "PREPARE "+name+" AS "+sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	execute := name
	if len(values) > 0 {
		execute += "(" + strings.Join(values, ", ") + ")"
	}
	rows, err := c.Query(ctx, "EXPLAIN EXECUTE "+execute, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.Join(lines, "\n")
}

var scanOfIndex = regexp.MustCompile(`Index (Only )?Scan[^\n]*\n`)

// walksWhole reports an index that is read from its one end to the other.
func walksWhole(plan string) bool {
	for _, at := range scanOfIndex.FindAllStringIndex(plan, -1) {
		if next := strings.TrimSpace(plan[at[1]:]); !strings.HasPrefix(next, "Index Cond") {
			return true
		}
	}
	return false
}
