package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giro"
	"giro/internal/pgtest"
	"giro/store"
)

func init() {
	stores["postgres"] = func(t *testing.T) giro.Store { return openPostgres(t, pgtest.Open(t), options()) }
}

func openPostgres(t *testing.T, url string, o store.Options) *store.Postgres {
	t.Helper()
	p, err := store.OpenPostgres(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// fault is what a line does to the next commit.
type fault int

const (
	none      fault = iota
	loseWrite       // the statements never arrive
	loseReply       // they are committed, and the answer is lost
	loseAll         // as loseReply, and then nobody can be reached
	cut             // they arrive, and while they run the client is gone, when told
)

// line is a network between a store and its database that fails on request.
type line struct {
	url    string
	listen net.Listener
	server string

	mu   sync.Mutex
	next fault
	dead bool
	last giro.UUID // of the newest batch: its write carries it
	ids  func(time.Time) giro.UUID
	gone chan struct{} // closed: cut now
}

func newLine(t *testing.T, database string) *line {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{server: u.Host, ids: giro.UUIDs(), gone: make(chan struct{})}
	if l.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.listen.Close() })
	u.Host = l.listen.Addr().String()
	l.url = u.String()
	go func() {
		for {
			client, err := l.listen.Accept()
			if err != nil {
				return
			}
			go l.carry(client)
		}
	}()
	return l
}

// options gives every batch an id that the line knows.
func (l *line) options() store.Options {
	o := options()
	o.NewID = func(int64) giro.UUID {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.last = l.ids(clock)
		return l.last
	}
	return o
}

func (l *line) fail(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = f
}

// strike returns the fault for what a client sends: each happens once.
func (l *line) strike(sent []byte) fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == none || !bytes.Contains(sent, l.last[:]) {
		return none
	}
	f := l.next
	l.next = none
	l.dead = f == loseAll
	return f
}

func (l *line) carry(client net.Conn) {
	defer client.Close()
	l.mu.Lock()
	dead := l.dead
	l.mu.Unlock()
	if dead {
		return
	}
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mu sync.Mutex
	deaf := false // answers are lost
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer client.Close()
		b := make([]byte, 1<<16)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			lost := deaf
			mu.Unlock()
			if !lost {
				if _, err := client.Write(b[:n]); err != nil {
					return
				}
				continue
			}
			if bytes.HasSuffix(b[:n], []byte{'Z', 0, 0, 0, 5, 'I'}) { // ready for the next query
				return
			}
		}
	}()
	b := make([]byte, 1<<16)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		if n == 16 && bytes.Equal(b[4:8], []byte{0x04, 0xd2, 0x16, 0x2e}) {
			return // a request to cancel: the driver sends one when it loses a connection
		}
		f := l.strike(b[:n])
		if f == loseWrite {
			return
		}
		if f != none {
			mu.Lock()
			deaf = true
			mu.Unlock()
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
		if f == cut {
			<-l.gone
			client.Close()
			<-answered // the server does not know that the client is gone
			return
		}
	}
}

// A commit whose answer was lost is found, or made, once.
func TestLostCommitIsDecided(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"not done": loseWrite, "done": loseReply} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, pgtest.Open(t))
			s := openPostgres(t, l.url, l.options())
			k := newBooks(t, s, 1)
			k.charge(100)
			for i := range 3 {
				l.fail(f)
				k.payout(int64(i + 1))
			}
			if got, err := s.CountMovements(ctx, giro.MovementQuery{Book: k.book, Kind: giro.KindPayout}, 100); got != 3 || err != nil {
				t.Errorf("%d payouts, %v", got, err)
			}
			k.audit()
		})
	}
}

// A commit that is still running when its answer is lost is waited for.
func TestLostCommitThatStillRuns(t *testing.T) {
	t.Parallel()
	l := newLine(t, pgtest.Open(t))
	s := openPostgres(t, l.url, l.options())
	k := newBooks(t, s, 1)
	k.charge(100)
	job := giro.Job{JobKey: giro.JobKey{Object: k.id(), Kind: giro.JobRail}, Book: k.book, MovementKind: giro.KindPayout, Due: 1}
	holder, err := pgx.Connect(ctx, l.url)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(ctx)
	tx, err := holder.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO job (object, kind, book, movement_kind, due, leased) VALUES ($1, 'rail', 0, '', 0, 0)", [16]byte(job.Object)); err != nil {
		t.Fatal(err)
	}
	k.alter = func(w *giro.Writes) { w.Jobs = append(w.Jobs, &job) }
	l.fail(cut)
	done := make(chan error)
	m := k.movement(giro.KindPayout, 5)
	m.Reserved = 5
	go func() {
		done <- k.write(step{m, "reserved", []part{{giro.RoleAvailable, giro.RoleReserved, 5}}, "created"})
	}()
	watcher, err := pgx.Connect(ctx, l.url)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close(ctx)
	waiting := func(want int) {
		t.Helper()
		for n := 0; n < want; {
			err := watcher.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				t.Fatal("answered before the outcome could be known:", err)
			default:
			}
		}
	}
	waiting(1) // the write, for the holder
	close(l.gone)
	waiting(2) // and whoever asks for its outcome, for the write
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	k.audit()
}

// What cannot be known is not called failed.
func TestUnknownCommit(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t)
	l := newLine(t, database)
	s := openPostgres(t, l.url, l.options())
	s.SettleWithin(50 * time.Millisecond)
	k := newBooks(t, s, 1)
	k.charge(100)
	m := k.movement(giro.KindPayout, 5)
	m.Reserved = 5
	l.fail(loseAll)
	err := k.write(step{m, "reserved", []part{{giro.RoleAvailable, giro.RoleReserved, 5}}, "created"})
	if !errors.Is(err, giro.ErrCommitUnknown) {
		t.Fatalf("got %v, want ErrCommitUnknown", err)
	}
	if got, err := openPostgres(t, database, options()).Movement(ctx, k.book, m.Kind, m.ID); err != nil || got == nil {
		t.Errorf("it was committed: %v, %v", got, err)
	}
}

// Several processes change the same rows, and no change is lost.
func TestProcessesShareADatabase(t *testing.T) {
	t.Parallel()
	const processes, rounds = 4, 25
	url := pgtest.Open(t)
	book := giro.BookOf(1, true)
	document := giro.DocumentKey{Kind: giro.DocSetting, Lookup: "counter"}
	// One of those that make the same row at once wins; the others, who had
	// found nothing, are told.
	var made atomic.Int64
	run(t, processes, func(i int) error {
		s, err := store.OpenPostgres(ctx, url, options())
		if err != nil {
			return err
		}
		defer s.Close()
		err = s.Update(ctx, &giro.Keys{Books: []giro.Book{book}, Documents: []giro.DocumentKey{document}}, func(b *giro.Batch) error {
			b.PutHead(&giro.BookHead{Book: book, New: true})
			w := b.Writes()
			w.Documents = append(w.Documents, &giro.StoredDocument{
				Kind: document.Kind, ID: b.ID, Lookup: document.Lookup, Version: 1, Data: []byte("0"),
			})
			return nil
		})
		if err == nil {
			made.Add(1)
		}
		return nil
	})
	if n := made.Load(); n != 1 {
		t.Fatalf("%d processes made the same rows", n)
	}
	run(t, processes, func(int) error {
		s, err := store.OpenPostgres(ctx, url, options())
		if err != nil {
			return err
		}
		defer s.Close()
		for range rounds {
			err := s.Update(ctx, &giro.Keys{Books: []giro.Book{book}}, func(b *giro.Batch) error {
				h, err := s.Head(ctx, book) // stable: the batch holds it
				if err != nil {
					return err
				}
				h.Clock.Ahead++
				h.Dirty = true
				b.PutHead(h)
				return nil
			})
			if err != nil {
				return fmt.Errorf("head: %w", err)
			}
			err = s.Update(ctx, &giro.Keys{Documents: []giro.DocumentKey{document}}, func(b *giro.Batch) error {
				d, err := s.DocumentByLookup(ctx, document.Kind, document.Lookup)
				if err != nil {
					return err
				}
				n, err := strconv.Atoi(string(d.Data))
				if err != nil {
					return err
				}
				d.Data = []byte(strconv.Itoa(n + 1))
				d.Version++
				w := b.Writes()
				w.Documents = append(w.Documents, d)
				return nil
			})
			if err != nil {
				return fmt.Errorf("document: %w", err)
			}
		}
		return nil
	})
	s := openPostgres(t, url, options())
	h, err := s.Head(ctx, book)
	if err != nil || h.Clock.Ahead != processes*rounds {
		t.Errorf("head: %+v, %v", h, err)
	}
	d, err := s.DocumentByLookup(ctx, document.Kind, document.Lookup)
	if err != nil || string(d.Data) != strconv.Itoa(processes*rounds) {
		t.Errorf("document: %+v, %v", d, err)
	}
}

// run calls f n times at once.
func run(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if err := f(i); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// A job belongs to one process at a time, until its lease ends.
func TestJobsAreLeasedOnce(t *testing.T) {
	t.Parallel()
	const processes, jobs = 4, 60
	url := pgtest.Open(t)
	s := openPostgres(t, url, options())
	ids := giro.UUIDs()
	err := s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error {
		w := b.Writes()
		for i := range jobs {
			w.Jobs = append(w.Jobs, &giro.Job{JobKey: giro.JobKey{Object: ids(clock), Kind: giro.JobRail}, Book: 2, MovementKind: giro.KindPayout, Due: int64(i + 1)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	claims := func(now, lease int64) map[giro.JobKey]int {
		claimed := map[giro.JobKey]int{}
		run(t, processes, func(int) error {
			p, err := store.OpenPostgres(ctx, url, options())
			if err != nil {
				return err
			}
			defer p.Close()
			owner := ids(clock)
			for {
				mine, err := p.ClaimJobs(ctx, owner, now, lease, 7)
				if err != nil || len(mine) == 0 {
					return err
				}
				if !slices.IsSortedFunc(mine, func(a, b *giro.Job) int { return int(a.Due - b.Due) }) {
					t.Error("not by due time")
				}
				mu.Lock()
				for _, j := range mine {
					claimed[j.JobKey]++
					if j.Owner != owner || j.Leased != lease {
						t.Errorf("lease of %v: %v until %d", j.JobKey, j.Owner, j.Leased)
					}
				}
				mu.Unlock()
			}
		})
		return claimed
	}
	for _, now := range []int64{100, 200} { // at 200 the first leases have ended
		claimed := claims(now, now+100)
		if len(claimed) != jobs {
			t.Errorf("%d of %d jobs were claimed", len(claimed), jobs)
		}
		for k, n := range claimed {
			if n != 1 {
				t.Errorf("%v was claimed %d times", k, n)
			}
		}
		if next, err := s.NextJob(ctx); err != nil || next != now+100 {
			t.Errorf("the next job comes at %d (%v), want when the leases end", next, err)
		}
	}
}

func TestReadOnlyPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.Open(t)
	o := options()
	o.ReadOnly = true
	if s, err := store.OpenPostgres(ctx, url, o); err == nil {
		s.Close()
		t.Error("an empty database was opened for reading")
	}
	k := newBooks(t, openPostgres(t, url, options()), 1)
	k.charge(100)
	k.s = openPostgres(t, url, o)
	k.audit()
	if err := k.write(step{m: k.movement(giro.KindPayout, 5), event: "created"}); err == nil {
		t.Error("written")
	}
	if _, err := k.s.ClaimJobs(ctx, k.id(), 1, 2, 3); err == nil {
		t.Error("claimed")
	}
}

// inPostgres says in PostgreSQL's words what a tampering does.
var inPostgres = strings.NewReplacer(
	"randomblob(16)", "gen_random_uuid()",
	"zeroblob(32)", "decode(repeat('00', 32), 'hex')",
	"CAST(substr(postings, 1, 41) || x'07' AS BLOB)", `substr(postings, 1, 41) || '\x07'::bytea`,
	"x'00'", `'\x00'::bytea`, "x'0000'", `'\x0000'::bytea`,
	"deleted = 1", "deleted = true",
)

// TestVerifyWaitsForItsReaders: one that has nothing left to read is not cut off
// while another still reads.
func TestVerifyWaitsForItsReaders(t *testing.T) {
	t.Parallel()
	s := openPostgres(t, pgtest.Open(t)+"&idle_in_transaction_session_timeout=1000", options())
	if patience, err := s.Patience(ctx); err != nil || patience != "1h" {
		t.Errorf("a reader may be idle for %s (%v)", patience, err)
	}
}

func TestVerifyFindsEveryTamperingInPostgres(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t)
	k := newBooks(t, openPostgres(t, database, options()), 1)
	charge := k.charge(1000)
	k.sent(k.payout(200))
	k.payout(50)
	k.refund(charge, 100)
	k.audit()
	c, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	o := options()
	o.ReadOnly = true
	for i, tampering := range append(slices.Clone(tamperings[:1:1]), tamperings...) {
		// Copies of the tables in a schema of their own, without the checks. Their
		// rows lie in another order than they were written, as they may.
		schema := fmt.Sprintf("copy_%d", i)
		script := "CREATE SCHEMA " + schema + ";"
		for _, table := range []string{"migration", "book", "account", "movement", "ledger_transaction", "entry", "event", "rollup"} {
			script += fmt.Sprintf("CREATE TABLE %s.%s AS SELECT * FROM public.%[2]s AS t ORDER BY md5(t::text);", schema, table)
		}
		if _, err := c.PgConn().Exec(ctx, script+"SET search_path = "+schema).ReadAll(); err != nil {
			t.Fatal(err)
		}
		if i > 0 { // the first copy is left sound
			if tag, err := c.Exec(ctx, inPostgres.Replace(tampering.script)); err != nil || tag.RowsAffected() == 0 {
				t.Fatalf("%s: %v %v", tampering.script, tag, err)
			}
		}
		s, err := store.OpenPostgres(ctx, database+"&search_path="+schema, o)
		if err != nil {
			t.Fatal(err)
		}
		r := verified(t, s)
		s.Close()
		switch {
		case i == 0:
			if !r.OK {
				t.Fatalf("sound books: %+v", r)
			}
		case r.OK || len(r.Faults) == 0:
			t.Errorf("%s: not found", tampering.script)
		case tampering.sequence != anyone && r.Faults[0].Sequence != tampering.sequence:
			t.Errorf("%s: the first fault names sequence %d, want %d: %+v", tampering.script, r.Faults[0].Sequence, tampering.sequence, r.Faults)
		}
	}
}
