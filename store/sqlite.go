package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"giro"
)

// SQLite is giro.Store in one file, for one writing process. Writes go through
// one connection, readers through a pool; with WAL they do not wait for each
// other.
type SQLite struct {
	path    string
	options Options
	lock    *os.File // held while this process may write; nil when read-only
	closed  atomic.Bool

	turn    chan struct{} // holds a token while nobody writes
	long    chan struct{} // holds a token during a longRead
	writer  *sqlite.Conn
	readers *sqlitex.Pool
	known   accounts      // the writer's
	log     *checkpointer // nil when read-only
	durable *durable      // nil where commits are on the disk when they return, or not at all

	verifying chan struct{} // holds a token while Verify runs
	limits    limits        // of Verify

	mu     sync.Mutex
	leases map[giro.JobKey]lease // a single process needs no leases on disk

	dispatches map[giro.UUID]dispatchLease // by endpoint; likewise
	turns      int64                       // claims of dispatches so far
}

type lease struct {
	owner giro.UUID
	until int64 // µs
}

// oldestSQLite is the oldest release of the library that giro trusts with
// money.
var oldestSQLite = [3]int{3, 53, 3}

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// ErrLocked says that another process has the data folder open for writing.
var ErrLocked = errors.New("another process has the data folder open")

// OpenSQLite opens dir/giro.db, makes or migrates it, and keeps every other
// process from writing to the folder until Close; ErrLocked: one already does.
func OpenSQLite(dir string, o Options) (*SQLite, error) {
	s := &SQLite{
		path: filepath.Join(dir, "giro.db"), options: o.complete(),
		turn: make(chan struct{}, 1), long: make(chan struct{}, 1), verifying: make(chan struct{}, 1), known: accounts{}, leases: map[giro.JobKey]lease{}, dispatches: map[giro.UUID]dispatchLease{},
	}
	s.turn <- struct{}{}
	err := s.open(dir)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open %s: %w", s.path, err)
	}
	return s, nil
}

func (s *SQLite) open(dir string) error {
	flags := sqlite.OpenReadWrite | sqlite.OpenCreate
	if s.options.ReadOnly {
		if _, err := os.Stat(s.path); err != nil {
			return err
		}
		flags = sqlite.OpenReadOnly
	} else {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		var err error
		s.lock, err = lockFile(filepath.Join(dir, "giro.lock"))
		if err != nil {
			return err
		}
	}
	var err error
	if !s.options.ReadOnly && !s.options.Loading {
		s.durable = newDurable()
	}
	s.writer, err = s.connect(flags, s.durable)
	if err != nil {
		return err
	}
	err = s.prepare(s.writer)
	if err != nil {
		return err
	}
	if s.options.ReadOnly {
		err = checkMigrated(s.writer)
	} else {
		err = migrate(s.writer, giro.Micros(s.options.Now()))
	}
	if err != nil {
		return err
	}
	s.readers, err = sqlitex.NewPool(s.path, sqlitex.PoolOptions{
		Flags:    flags &^ sqlite.OpenCreate,
		PoolSize: max(4, 2*runtime.GOMAXPROCS(0)),
		PrepareConn: func(c *sqlite.Conn) error {
			err := s.prepare(c)
			if err != nil {
				return err
			}
			return pragma(c, "PRAGMA query_only = ON")
		},
	})
	if err != nil {
		return err
	}
	if !s.options.ReadOnly {
		s.log, err = s.startCheckpointer()
		if err != nil {
			return err
		}
	}
	return nil
}

// connect opens a connection that writes, or that stands for it where nothing is
// written. A buffered log reaches the others with its sync, so one that is not
// synced has no buffer.
func (s *SQLite) connect(flags sqlite.OpenFlags, d *durable) (*sqlite.Conn, error) {
	if s.options.ReadOnly || s.options.Loading {
		return sqlite.OpenConn(s.path, flags)
	}
	if err := registerFiles(); err != nil {
		return nil, err
	}
	return sqlite.OpenConn(wrappedURI(s.path, d), flags|sqlite.OpenURI)
}

// prepare sets what SQLite forgets with each connection.
func (s *SQLite) prepare(c *sqlite.Conn) error {
	c.SetBusyTimeout(10 * time.Second)
	statements := []string{
		"PRAGMA foreign_keys = ON",
		"PRAGMA synchronous = FULL", // in WAL, NORMAL loses commits that were answered
		"PRAGMA fullfsync = ON",     // macOS
		"PRAGMA temp_store = MEMORY",
		fmt.Sprintf("PRAGMA cache_size = -%d", s.cacheKiB(c)),
	}
	if s.options.Loading {
		statements = append(statements, "PRAGMA synchronous = OFF")
	}
	if c == s.writer && !s.options.ReadOnly {
		statements = append(statements, "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 256000")
	}
	for _, statement := range statements {
		err := pragma(c, statement)
		if err != nil {
			return err
		}
	}
	var version, mode string
	err := query(c, "SELECT sqlite_version()", nil, func(r *row) error { version = r.text(); return nil })
	if err != nil {
		return err
	}
	if older(version, oldestSQLite) {
		return fmt.Errorf("the SQLite library is %s, giro needs %d.%d.%d or later", version, oldestSQLite[0], oldestSQLite[1], oldestSQLite[2])
	}
	err = query(c, "PRAGMA journal_mode", nil, func(r *row) error { mode = r.text(); return nil })
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("journal mode is %q, not wal", mode)
	}
	return nil
}

// cacheKiB is how much of the database a connection keeps. A commit looks
// through the whole cache while the file is below 1 GiB (SQLite lends the page
// number of the lock byte to pages that trade places, and drops what lies behind
// the end of the file), so a small file gets a small one. There are several
// readers, and the system's cache stands behind them.
func (s *SQLite) cacheKiB(c *sqlite.Conn) int {
	if c != s.writer {
		return 8 << 10
	}
	if s.options.Loading {
		return 512 << 10
	}
	if info, err := os.Stat(s.path); err == nil && info.Size() > 1<<30 {
		return 64 << 10
	}
	return 16 << 10
}

func pragma(c *sqlite.Conn, statement string) error {
	return sqlitex.ExecuteTransient(c, statement, nil)
}

// older reports whether a dotted version is below another, or cannot be read.
func older(version string, than [3]int) bool {
	parts := strings.Split(version, ".")
	for i, want := range than {
		if i >= len(parts) {
			return want > 0
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < want {
			return true
		}
		if n > want {
			return false
		}
	}
	return false
}

// sqliteFiles returns the embedded files in order; a file's number is its
// version.
func sqliteFiles() ([]string, error) {
	return fs.Glob(sqliteMigrations, "migrations/sqlite/*.sql")
}

// migrated returns the version of a database; 0: empty.
func migrated(c *sqlite.Conn) (version int64, err error) {
	found := false
	err = query(c, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'", nil, func(*row) error { found = true; return nil })
	if err != nil || !found {
		return 0, err
	}
	err = query(c, "SELECT coalesce(max(version), 0) FROM migration", nil, func(r *row) error { version = r.int(); return nil })
	return version, err
}

// migrate brings a database to this binary's schema, all or nothing. A database
// of a newer binary is left as it is: migrations only add.
func migrate(c *sqlite.Conn, now int64) (err error) {
	end, err := sqlitex.ImmediateTransaction(c)
	if err != nil {
		return err
	}
	defer end(&err)
	err = sqlitex.ExecuteTransient(c, "CREATE TABLE IF NOT EXISTS migration (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL) STRICT", nil)
	if err != nil {
		return err
	}
	have, err := migrated(c)
	if err != nil {
		return err
	}
	files, err := sqliteFiles()
	if err != nil {
		return err
	}
	for i, file := range files {
		version := int64(i + 1)
		if version <= have {
			continue
		}
		script, err := sqliteMigrations.ReadFile(file)
		if err != nil {
			return err
		}
		err = sqlitex.ExecuteScript(c, string(script), nil)
		if err != nil {
			return fmt.Errorf("migration %s: %w", filepath.Base(file), err)
		}
		err = exec(c, "INSERT INTO migration (version, name, at) VALUES (?, ?, ?)", func(a *args) {
			a.int(version).text(filepath.Base(file)).int(now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkMigrated refuses a database that lacks tables which the readers need.
func checkMigrated(c *sqlite.Conn) error {
	have, err := migrated(c)
	if err != nil {
		return err
	}
	files, err := sqliteFiles()
	if err != nil {
		return err
	}
	if have < int64(len(files)) {
		return fmt.Errorf("the schema is at version %d of %d: start the server once to migrate it", have, len(files))
	}
	return nil
}

// Close waits for the running write, releases the folder and closes the file.
func (s *SQLite) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.stop())
	}
	if s.readers != nil {
		<-s.turn // never given back: whoever waits to write sees closed
		close(s.turn)
		errs = append(errs, s.durable.wait())
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	if s.durable != nil {
		s.durable.forget()
	}
	if s.log != nil {
		errs = append(errs, s.log.file.Close(), s.log.wal.Close())
	}
	if s.options.Loading {
		errs = append(errs, syncFile(s.path))
	}
	if s.lock != nil {
		errs = append(errs, unlockFile(s.lock))
	}
	return errors.Join(errs...)
}

// Ping reads from the database.
func (s *SQLite) Ping(ctx context.Context) error {
	return s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT max(version) FROM migration", nil, func(*row) error { return nil })
	})
}

// read runs f on a reader. Statements of f see one snapshot each; see snapshot.
func (s *SQLite) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	if s.closed.Load() {
		return giro.ErrClosed
	}
	c, err := s.readers.Take(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.closed.Load() {
			return giro.ErrClosed
		}
		return fmt.Errorf("take a reader: %w", err)
	}
	err = f(c)
	s.readers.Put(c)
	if err != nil && ctx.Err() != nil && sqlite.ErrCode(err) == sqlite.ResultInterrupt {
		return ctx.Err()
	}
	if failure := s.durable.wait(); failure != nil {
		return errors.Join(err, failure)
	}
	return err
}

// snapshot runs f on a reader whose statements all see the same state.
func (s *SQLite) snapshot(ctx context.Context, f func(*sqlite.Conn) error) error {
	return s.read(ctx, func(c *sqlite.Conn) (err error) {
		defer sqlitex.Transaction(c)(&err)
		return f(c)
	})
}

// errCommit marks the errors of COMMIT itself.
var errCommit = errors.New("commit")

// write runs f alone on the writer, in one transaction. f's transaction is
// committed if it returns true, and on the disk when write returns.
func (s *SQLite) write(ctx context.Context, f func(*sqlite.Conn) (commit bool, err error)) error {
	err := s.commit(ctx, f, func() {})
	if err != nil {
		return err
	}
	return s.durable.wait()
}

// commit is write without the disk: what f has done, or only read, is not to be
// told before durable.wait. Once the transaction is committed it runs then, before
// anybody else writes.
func (s *SQLite) commit(ctx context.Context, f func(*sqlite.Conn) (commit bool, err error), then func()) error {
	if s.options.ReadOnly {
		return errors.New("the store is open for reading alone")
	}
	err := errors.Join(ctx.Err(), s.durable.broken())
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case _, open := <-s.turn:
		if !open {
			return giro.ErrClosed
		}
	}
	defer func() { s.turn <- struct{}{} }()
	// From here on the caller's context has no say: a transaction is not
	// abandoned half-way because somebody no longer waits for its answer.
	err = exec(s.writer, "BEGIN IMMEDIATE", nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if !s.writer.AutocommitEnabled() {
			exec(s.writer, "ROLLBACK", nil) // a failure shows at the next BEGIN
		}
	}()
	commit, err := f(s.writer)
	if err != nil || !commit {
		return err
	}
	err = exec(s.writer, "COMMIT", nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	then()
	s.log.wrote()
	return nil
}

// Backup writes a consistent copy of the database to path, which must not
// exist, while the store goes on working. The copy is on disk when it returns.
func (s *SQLite) Backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("backup to %s: %w", path, fs.ErrExist)
	}
	part := path + ".part"
	err = os.Remove(part)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.Remove(part)
	// Inside a snapshot the pages do not change under the copy, so it never
	// starts over however busy the writer is.
	err = s.snapshot(ctx, func(c *sqlite.Conn) error {
		err := query(c, "SELECT max(version) FROM migration", nil, func(*row) error { return nil })
		if err != nil {
			return err
		}
		return copyDatabase(ctx, part, c)
	})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	err = syncFile(part)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	err = os.Rename(part, path)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return syncFile(filepath.Dir(path))
}

func copyDatabase(ctx context.Context, path string, from *sqlite.Conn) (err error) {
	to, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	backup, err := sqlite.NewBackup(to, "main", from, "main")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	for more := true; more; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		more, err = backup.Step(1000)
		if err != nil {
			return err
		}
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
