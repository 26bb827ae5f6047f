package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"zombiezen.com/go/sqlite"

	"giro"
)

// slowDisk makes each sync of a store's log say that it began, and wait for its
// release.
func slowDisk(s *SQLite) (began chan struct{}, release chan error) {
	began, release = make(chan struct{}), make(chan error)
	s.durable.sync = func(f *os.File) error {
		began <- struct{}{}
		if err := <-release; err != nil {
			return err
		}
		return syncLog(f)
	}
	return began, release
}

func openForTest(t *testing.T, dir string) *SQLite {
	t.Helper()
	s, err := OpenSQLite(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// remember writes a sandbox row, in a batch of its own.
func remember(ctx context.Context, s *SQLite, instruction string) error {
	return s.Update(ctx, &giro.Keys{}, func(b *giro.Batch) error {
		b.PutSandbox(&giro.SandboxRow{Instruction: instruction, Book: 2, Kind: giro.KindPayout, New: true})
		return nil
	})
}

func batches(ctx context.Context, s *SQLite) (n int64, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT count(*) FROM batch", nil, func(r *row) error { n = r.int(); return nil })
	})
	return n, err
}

// TestCommitsShareASync: while the disk has one the next are written, and one sync
// does for them. Nothing is told before: not a commit to its own caller, nor what a
// reader finds meanwhile.
func TestCommitsShareASync(t *testing.T) {
	t.Parallel()
	s := openForTest(t, t.TempDir())
	began, release := slowDisk(s)
	told := make(chan error)
	write := func(n int64) {
		deciding := make(chan struct{})
		go func() {
			err := s.Update(t.Context(), &giro.Keys{}, func(b *giro.Batch) error {
				close(deciding)
				b.PutSandbox(&giro.SandboxRow{Instruction: fmt.Sprint(n), Book: 2, Kind: giro.KindPayout, New: true})
				return nil
			})
			if synced := s.durable.synced.Load(); err == nil && synced < n {
				err = fmt.Errorf("commit %d was told with %d on the disk", n, synced)
			}
			told <- err
		}()
		<-deciding
		// Whoever has the writer next finds it written.
		err := s.commit(t.Context(), func(*sqlite.Conn) (bool, error) { return false, nil }, func() {})
		if err != nil {
			t.Error(err)
		}
	}
	write(1)
	<-began
	write(2)
	write(3)
	if placed, synced := s.durable.placed.Load(), s.durable.synced.Load(); placed != 3 || synced != 0 {
		t.Errorf("beside a sync %d commits are written, %d on the disk", placed, synced)
	}
	go func() {
		release <- nil
		<-began
		release <- nil
	}()
	n, err := batches(t.Context(), s)
	if synced := s.durable.synced.Load(); err != nil || n != 3 || synced != 3 {
		t.Errorf("a reader is told of %d commits, %d on the disk: %v", n, synced, err)
	}
	for range 3 {
		if err := <-told; err != nil {
			t.Error(err)
		}
	}
	s.durable.sync = syncLog
}

// TestADiskThatFails: what was being written then is unknown, and nothing is told or
// written any more until the store is opened anew; then all of it is there or not.
func TestADiskThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openForTest(t, dir)
	if err := remember(t.Context(), s, "first"); err != nil {
		t.Fatal(err)
	}
	began, release := slowDisk(s)
	failure := errors.New("the disk fails")
	go func() {
		<-began
		release <- failure
	}()
	if err := remember(t.Context(), s, "second"); !errors.Is(err, giro.ErrCommitUnknown) || !errors.Is(err, failure) {
		t.Errorf("the commit that the disk did not take: %v", err)
	}
	s.durable.sync = syncLog // it works again, but what it lost it does not say
	if err := remember(t.Context(), s, "third"); !errors.Is(err, failure) {
		t.Errorf("a commit after it: %v", err)
	}
	if _, err := batches(t.Context(), s); !errors.Is(err, failure) {
		t.Errorf("a reader after it: %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, failure) {
		t.Errorf("ready after it: %v", err)
	}
	if err := s.Close(); !errors.Is(err, failure) {
		t.Errorf("closed: %v", err)
	}
	s = openForTest(t, dir)
	if err := remember(t.Context(), s, "fourth"); err != nil {
		t.Fatal(err)
	}
	if n, err := batches(t.Context(), s); err != nil || n < 2 || n > 3 {
		t.Errorf("opened anew there are %d commits: %v", n, err)
	}
}
