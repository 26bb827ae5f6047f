package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"giro"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

const (
	// roundTimeout bounds one round trip of an Update, waiting for the locks of
	// other processes included.
	roundTimeout = 30 * time.Second
	// settleTimeout bounds how long the outcome of a lost COMMIT is asked for.
	settleTimeout = 5 * time.Second
	// updateAttempts is how often one Update runs when the database asks for
	// it again; the pauses between sum up to about a quarter of a second.
	updateAttempts = 7
)

// Postgres is giro.Store on PostgreSQL, for any number of processes that share
// one database. It relies on row locks and unique keys alone, so it also runs
// on distributed databases that speak the protocol.
type Postgres struct {
	long         chan struct{} // holds a token during a longRead
	pool         *pgxpool.Pool
	writers      *pgxpool.Pool // for Update: reads never take the connection that commits, nor its plans
	options      Options
	settleWithin time.Duration
	closed       atomic.Bool
	verifying    chan struct{} // holds a token while Verify runs
	limits       limits        // of Verify
}

var _ giro.Store = (*Postgres)(nil)

// OpenPostgres connects to the database that url names (a URL or a key=value
// string, as libpq reads them) and brings its schema up to date; several
// processes may do that at once. With Options.ReadOnly nothing is written.
func OpenPostgres(ctx context.Context, url string, o Options) (*Postgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = 16
	}
	parameters := config.ConnConfig.RuntimeParams
	for name, value := range map[string]string{
		"application_name": "giro",
		// A process that froze or was cut off must not hold its books for ever.
		"idle_in_transaction_session_timeout": strconv.FormatInt(roundTimeout.Milliseconds(), 10),
		// Plans are made on a new database, while its tables are empty and a walk
		// of a whole one is cheapest, and stay until the server has counted rows.
		// All that giro asks for in a batch stands in an index. What walks a table
		// all the same (verify) looks dear then, and must not be compiled for it.
		"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
	} {
		if parameters[name] == "" {
			parameters[name] = value
		}
	}
	if o.ReadOnly {
		parameters["default_transaction_read_only"] = "on"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	// One commits, as long as nobody calls Update side by side.
	config = config.Copy()
	config.MinConns, config.MaxConns = 0, 4
	for name, value := range map[string]string{
		"default_transaction_isolation": "read committed",
		// Rows are found by whole keys and written by arrays: a plan for other
		// values would be the same, and is not made again for each batch. But it
		// lasts, and may be made when a table has hardly any rows, so reading rows
		// looks dearer than it is: looked up by its key each is right at any size.
		"plan_cache_mode": "force_generic_plan", "cpu_tuple_cost": "10", "cpu_index_tuple_cost": "10",
		"enable_bitmapscan": "off", "enable_memoize": "off",
	} {
		if config.ConnConfig.RuntimeParams[name] == "" {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	writers, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	p := &Postgres{pool: pool, writers: writers, options: o.complete(), settleWithin: settleTimeout, verifying: make(chan struct{}, 1), long: make(chan struct{}, 1)}
	if err := p.migrate(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close waits for running calls and closes all connections.
func (p *Postgres) Close() error {
	if !p.closed.Swap(true) {
		p.writers.Close()
		p.pool.Close()
	}
	return nil
}

// Ping reports whether the database answers.
func (p *Postgres) Ping(ctx context.Context) error {
	if p.closed.Load() {
		return giro.ErrClosed
	}
	return p.pool.Ping(ctx)
}

// pgMigration is one step of the schema. Steps only add: the previous program
// runs on the new schema.
type pgMigration struct {
	version int64
	sql     string
}

func pgMigrations(files fs.FS, folder string) ([]pgMigration, error) {
	names, err := fs.Glob(files, folder+"/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var steps []pgMigration
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, pgMigration{version, string(text)})
	}
	return steps, nil
}

func (p *Postgres) migrate(ctx context.Context) error {
	steps, err := pgMigrations(postgresMigrations, "migrations/postgres")
	if err != nil {
		return err
	}
	if p.options.ReadOnly {
		var version int64
		err := p.pool.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM migration").Scan(&version)
		if err != nil {
			return fmt.Errorf("read the schema's version: %w", err)
		}
		if last := steps[len(steps)-1].version; version < last {
			return fmt.Errorf("the schema is at version %d, this program needs %d: start giro on it once", version, last)
		}
		return nil
	}
	for attempt := 0; ; attempt++ {
		err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error { return p.migrateSteps(ctx, tx, steps) })
		// Two processes that create the first table at once: one is refused.
		if err == nil || attempt == updateAttempts || !transient(err) && sqlState(err) != "42P07" {
			if err != nil {
				return fmt.Errorf("bring the schema up to date: %w", err)
			}
			return nil
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (p *Postgres) migrateSteps(ctx context.Context, tx pgx.Tx, steps []pgMigration) error {
	// Row 0 is the lock: whoever holds it migrates, the others wait and find
	// nothing left to do.
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS migration (version bigint PRIMARY KEY, at bigint NOT NULL)",
		"INSERT INTO migration (version, at) VALUES (0, 0) ON CONFLICT DO NOTHING",
		"SELECT version FROM migration WHERE version = 0 FOR UPDATE",
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	var version int64
	if err := tx.QueryRow(ctx, "SELECT max(version) FROM migration").Scan(&version); err != nil {
		return err
	}
	for _, step := range steps {
		if step.version <= version {
			continue
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, step.sql).ReadAll(); err != nil {
			return fmt.Errorf("step %d: %w", step.version, err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO migration (version, at) VALUES ($1, $2)",
			step.version, giro.Micros(p.options.Now())); err != nil {
			return err
		}
	}
	return nil
}

// Update is giro.Store's. It takes two round trips: one begins, locks the books
// and loads; one writes and commits.
func (p *Postgres) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	for attempt := 0; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.closed.Load() {
			return giro.ErrClosed
		}
		if p.options.ReadOnly {
			return errors.New("the store is open for reading alone")
		}
		// Once begun a batch runs to its end, whoever has left.
		again, err := p.update(context.WithoutCancel(ctx), keys, decide)
		if err == nil || !again || attempt == updateAttempts-1 {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// update runs a batch once. again says that it wrote nothing and may succeed
// when it is run once more.
func (p *Postgres) update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) (again bool, err error) {
	at := giro.Micros(p.options.Now())
	id := p.options.NewID(at)
	c, err := p.acquire(ctx)
	if err != nil {
		return transient(err), fmt.Errorf("connect: %w", unanswered(err))
	}
	// A connection that is not idle by then is closed, which rolls back.
	defer c.Release()
	batch := giro.NewBatch(id, at, p.options.NewID, p.options.Salt)
	if err := loadKeys(ctx, c, keys, batch); err != nil {
		rollback(ctx, c)
		return transient(err), fmt.Errorf("load: %w", unanswered(err))
	}
	var wrong error // of rows that cannot be written; the server was not asked
	early := writeEarly(batch, func(w *giro.Writes) error {
		var q pgx.Batch
		if wrong = writeLedger(&q, w); wrong != nil {
			return wrong
		}
		return send(ctx, c, &q)
	})
	err = decide(batch)
	var writes *giro.Writes
	var statements *pgx.Batch
	if err == nil {
		writes = batch.Writes()
		statements, err = queueWrites(batch, writes)
	}
	failed := early()
	if err == nil {
		err = wrong
	}
	switch {
	case err != nil || failed == nil && nothing(writes):
		rollback(ctx, c)
		return false, err
	case failed != nil: // COMMIT was not sent
		rollback(ctx, c)
		return transient(failed), fmt.Errorf("write: %w", unanswered(failed))
	}
	err = send(ctx, c, statements)
	switch {
	case err == nil:
		return false, nil
	case refused(err):
		rollback(ctx, c)
		if sqlState(err) == "22012" { // see pgUpdate
			return false, fmt.Errorf("write: a row to update does not exist: %w", err)
		}
		return transient(err), fmt.Errorf("write: %w", err)
	}
	c.Conn().Close(ctx)
	committed, unknown := p.settle(ctx, id, at)
	switch {
	case unknown != nil:
		return false, fmt.Errorf("%w: %w; then: %w", giro.ErrCommitUnknown, err, unknown)
	case committed:
		return false, nil
	}
	return true, fmt.Errorf("write: %w", unanswered(err))
}

func (p *Postgres) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	return p.writers.Acquire(ctx)
}

// send runs statements in one round trip.
func send(ctx context.Context, c *pgxpool.Conn, statements *pgx.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	return c.SendBatch(ctx, statements).Close()
}

// rollback ends a transaction of which nothing is to stay. Where it fails the connection
// is not idle and will be closed.
func rollback(ctx context.Context, c *pgxpool.Conn) {
	if c.Conn().IsClosed() || c.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	if _, err := c.Exec(ctx, "ROLLBACK"); err != nil {
		c.Conn().Close(ctx)
	}
}

// settle decides, on a connection of its own, whether a batch whose answer was
// lost has been committed. It inserts a void row under the batch's id: where
// the batch is still being committed that waits for its end; where it was
// committed its own row is found; and otherwise the batch can never commit any
// more, because its id is taken.
func (p *Postgres) settle(ctx context.Context, id giro.UUID, at int64) (committed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.settleWithin)
	defer cancel()
	for attempt := 0; ; attempt++ {
		if committed, err = p.settleOnce(ctx, id, at); err == nil {
			return committed, nil
		}
		if pause(ctx, min(attempt, 4)) != nil {
			return false, err
		}
	}
}

func (p *Postgres) settleOnce(ctx context.Context, id giro.UUID, at int64) (committed bool, err error) {
	c, err := pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, "INSERT INTO batch (id, at, void) VALUES ($1, $2, true) ON CONFLICT (id) DO NOTHING", (*uuid)(&id), at)
	if err != nil {
		return false, err
	}
	var void bool
	err = c.QueryRow(ctx, "SELECT void FROM batch WHERE id = $1", (*uuid)(&id)).Scan(&void)
	return err == nil && !void, err
}

// pause waits before the next attempt, longer each time and never in step with
// the others.
func pause(ctx context.Context, attempt int) error {
	t := time.NewTimer(time.Millisecond + rand.N(4*time.Millisecond<<attempt))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// sqlState returns the code of the server's own error, or "".
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// refused reports an answer of the server that proves that the transaction was
// not committed. A fatal error ends the connection and proves nothing, and
// 40003 says so itself.
func refused(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Severity == "ERROR" && e.Code != "40003" || errors.Is(err, errNotCommitted)
}

// errNotCommitted: COMMIT answered ROLLBACK.
var errNotCommitted = errors.New("the transaction had failed and was rolled back")

// transient reports errors after which the same work may succeed: conflicts
// with other processes (serialisation failure, deadlock, unique key) and a
// server that went away or is starting.
func transient(err error) bool {
	switch state := sqlState(err); {
	case state == "40001", state == "40P01", state == "40003", state == "23505":
		return true
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P0"):
		return true
	case state != "":
		return false
	}
	// No answer of the server. A deadline has already waited long enough.
	return !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errScan)
}

// unanswered marks an error that says nothing of what was asked: no server, no
// connection, no answer in time.
func unanswered(err error) error {
	state := sqlState(err)
	if strings.HasPrefix(state, "08") || strings.HasPrefix(state, "57P") || state == "" && !errors.Is(err, errScan) {
		return fmt.Errorf("%w: %w", giro.ErrUnreachable, err)
	}
	return err
}

// uuid is giro.UUID for pgx: the zero id is NULL.
type uuid giro.UUID

var (
	_ pgtype.UUIDScanner = (*uuid)(nil)
	_ pgtype.UUIDValuer  = uuid{}
)

// ScanUUID implements pgtype.UUIDScanner.
func (u *uuid) ScanUUID(v pgtype.UUID) error {
	*u = uuid(v.Bytes) // zero where it is NULL
	return nil
}

// UUIDValue implements pgtype.UUIDValuer.
func (u uuid) UUIDValue() (pgtype.UUID, error) {
	return pgtype.UUID{Bytes: u, Valid: u != uuid{}}, nil
}
