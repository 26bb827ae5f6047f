package store

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
)

// writeBatches commits so many rows, one after the other, and counts them.
func writeBatches(t *testing.T, s *SQLite, written *byte, n int) {
	t.Helper()
	for range n {
		*written++
		err := s.write(t.Context(), func(c *sqlite.Conn) (bool, error) {
			return true, exec(c, "INSERT INTO batch (id, at) VALUES (?, 1)", func(a *args) { a.id([16]byte{*written}) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// writeDocument commits a document of so many bytes, over the one before.
func writeDocument(t *testing.T, s *SQLite, bytes int) {
	t.Helper()
	err := s.write(t.Context(), func(c *sqlite.Conn) (bool, error) {
		return true, exec(c, "REPLACE INTO document VALUES ('filling', zeroblob(16), 1, '', NULL, 1, 1, 1, zeroblob(?))", func(a *args) { a.int(int64(bytes)) })
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestALongLogBeginsAnew: where all of it is copied and nobody reads from it, and
// not before.
func TestALongLogBeginsAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenSQLite(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	written := byte(0)
	write := func() { writeBatches(t, s, &written, 1) }
	// rounds is how often the log was begun anew, as its header counts.
	rounds := func() uint32 {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(dir, "giro.db-wal"))
		if err != nil || len(content) < 32 {
			t.Fatalf("a log of %d bytes: %v", len(content), err)
		}
		return binary.BigEndian.Uint32(content[12:])
	}
	count := func() (n int64) {
		t.Helper()
		err := s.read(t.Context(), func(c *sqlite.Conn) error {
			return query(c, "SELECT count(*) FROM batch", nil, func(r *row) error { n = r.int(); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	write()
	first := rounds()
	s.log.restart = 1
	err = s.snapshot(t.Context(), func(c *sqlite.Conn) error {
		if err := query(c, "SELECT count(*) FROM batch", nil, func(*row) error { return nil }); err != nil {
			return err
		}
		write()
		s.log.run(s)
		write()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := rounds(); got != first {
		t.Errorf("a log that somebody reads was begun anew: %d, before %d", got, first)
	}
	s.log.run(s)
	write()
	if got := rounds(); got != first+1 {
		t.Errorf("a long log was not begun anew once: %d, before %d", got, first)
	}
	begun := s.log.begun
	s.log.run(s)
	if s.log.begun != begun {
		t.Error("a log that had just been begun anew was again")
	}
	s.log.begun = begun.Add(-restartPause)
	s.log.run(s)
	if !s.log.begun.After(begun) {
		t.Error("a log that was begun anew long ago was not again")
	}
	if n := count(); n != int64(written) {
		t.Errorf("%d of %d rows are left", n, written)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenSQLite(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != int64(written) {
		t.Errorf("opened again, %d of %d rows are left", n, written)
	}
}

// TestALogThatFillsQuicklyGetsRoom: its file is made longer, what is in it stays
// what it is, and whoever recovers it finds that and no more.
func TestALogThatFillsQuicklyGetsRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenSQLite(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, written := s.log, byte(0)
	write := func() { writeBatches(t, s, &written, 1) }
	// fill writes 3,000 frames, and a batch.
	fill := func() {
		t.Helper()
		writeDocument(t, s, 12<<20)
		write()
	}
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(filepath.Join(dir, "giro.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	// recovered is how many rows somebody finds who has the files as they are.
	recovered := func() (n int64) {
		t.Helper()
		to := t.TempDir()
		for _, name := range []string{"giro.db", "giro.db-wal"} {
			content, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(to, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := sqlite.OpenConn(filepath.Join(to, "giro.db"), sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := query(c, "SELECT count(*) FROM batch", nil, func(r *row) error { n = r.int(); return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	// run checkpoints, and leaves it to the next call to do so again: commits of
	// thousands of frames wake the store's own checkpoints otherwise.
	run := func() {
		l.run(s)
		l.next.Store(math.MaxInt64)
		l.room(s)
	}
	l.next.Store(math.MaxInt64)
	l.restart, l.longest = 1, 4000
	fill()
	l.plannedAt = time.Now().Add(-time.Hour)
	run()
	if small := size(); small > 3500*4120 {
		t.Fatalf("a log that fills slowly has a file of %d bytes", small)
	}
	l.begun = l.begun.Add(-restartPause)
	write()
	l.plannedAt = time.Now().Add(time.Hour) // a frame or two in no time
	run()
	if small := size(); small > 3500*4120 {
		t.Fatalf("a log of a frame or two has a file of %d bytes", small)
	}
	l.begun = l.begun.Add(-restartPause)
	fill()
	l.plannedAt = time.Now().Add(time.Hour) // all of them in no time
	l.run(s)
	small := size()
	l.next.Store(0)
	if l.room(s); size() != small {
		t.Errorf("with a checkpoint that is due the file went from %d bytes to %d", small, size())
	}
	l.next.Store(math.MaxInt64)
	l.room(s)
	room := size()
	if room < 5000*4120 || room > 5000*4120+roomPiece {
		t.Errorf("the file of a log that fills quickly has %d bytes, want room for 5000 frames", room)
	}
	for range 5 {
		write()
	}
	if n := recovered(); n != int64(written) {
		t.Errorf("%d of %d rows are in the files with room", n, written)
	}
	l.begun = l.begun.Add(-restartPause)
	fill()
	l.plannedAt = time.Now().Add(time.Hour)
	run()
	if got := size(); got != room {
		t.Errorf("a file with room went from %d bytes to %d", room, got)
	}
	// A file that does not take zeros at its end, as where the disk is full.
	wal := l.wal
	if l.wal, err = os.OpenFile(wal.Name(), os.O_RDWR|os.O_APPEND, 0); err != nil {
		t.Fatal(err)
	}
	l.wanted = 8000
	l.room(s)
	l.wal.Close()
	l.wal = wal
	write()
	if got := size(); got != room {
		t.Errorf("a file for which there was no more room went from %d bytes to %d", room, got)
	}
	if n := recovered(); n != int64(written) {
		t.Errorf("begun anew, %d of %d rows are in the files", n, written)
	}
}

// TestCheckpointsAreFramesApart: how many commits that is follows from how long
// the last ones were, whether the log was begun anew in between or not.
func TestCheckpointsAreFramesApart(t *testing.T) {
	t.Parallel()
	s, err := OpenSQLite(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	written := byte(0)
	write := func(n int) { writeBatches(t, s, &written, n) }
	l := s.log
	write(10)
	l.run(s)
	if l.due() {
		t.Error("a checkpoint is due right after one")
	}
	// All of the log is copied, so the next commit begins it anew.
	before := l.seen
	write(6)
	l.run(s)
	if l.seen.round != before.round+1 {
		t.Fatalf("the log is in round %d after %d", l.seen.round, before.round)
	}
	if want := checkpointFrames * 6 / l.seen.frames; l.every != want {
		t.Errorf("after 6 commits of %d frames in all the next checkpoint comes in %d commits, want %d", l.seen.frames, l.every, want)
	}
	// The writer begins it anew whenever a checkpoint has copied all of it, amid a
	// run too: most of the frames were in the round before.
	for range 40 {
		writeDocument(t, s, 12<<10)
	}
	earlier, err := l.checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	write(1)
	l.run(s)
	if want := checkpointFrames * 41 / (earlier + l.seen.frames); l.every != want || l.seen.frames*10 > earlier {
		t.Errorf("after 41 commits of %d frames and %d the next checkpoint comes in %d commits, want %d", earlier, l.seen.frames, l.every, want)
	}
	if earlier < 80 {
		t.Errorf("commits that each write a document have %d frames in all", earlier)
	}
	// A checkpoint that nothing was written before says nothing about commits.
	every := l.every
	l.run(s)
	if l.every != every {
		t.Errorf("after no commit the next checkpoint comes in %d commits, want %d", l.every, every)
	}
	// One that a reader keeps in the log does not begin it anew.
	err = s.snapshot(t.Context(), func(c *sqlite.Conn) error {
		write(1)
		if err := query(c, "SELECT count(*) FROM batch", nil, func(*row) error { return nil }); err != nil {
			return err
		}
		write(1)
		l.run(s)
		before = l.seen
		write(5)
		l.run(s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.seen.round != before.round {
		t.Fatalf("a log that somebody reads was begun anew: round %d after %d", l.seen.round, before.round)
	}
	if want := checkpointFrames * 5 / (l.seen.frames - before.frames); l.every != want {
		t.Errorf("after 5 commits of %d frames in all the next checkpoint comes in %d commits, want %d", l.seen.frames-before.frames, l.every, want)
	}
}
