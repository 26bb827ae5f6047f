package store

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	firstCheckpoint  = 32        // commits before the first checkpoint, when it is not known how long they are
	checkpointFrames = 4000      // of the log, 16 MiB, between checkpoints: a page that many commits change is copied once
	restartFrames    = 16000     // of the log, 64 MiB: then it is begun anew, but not soon after the last time
	restartFramesMax = 64000     // 256 MiB: then in any case
	restartRest      = 128       // frames that are copied while nobody writes, in about a millisecond; under load there are more
	restartPasses    = 4         // checkpoints beside the writer to come down to that, each shorter than the one before
	writeOutPiece    = 256 << 10 // bytes of the database that are on their way to the disk at once, at least

	// Parts of the database that go to the disk one after the other: after the
	// first pass, when there is much, and after the second. A part costs time
	// though little of it has changed, in which the log grows; what the later ones
	// leave goes in one.
	writeOutParts     = 512
	writeOutPartsRest = 32
	// The disk is left to the log for so many times as long as a part took.
	writeOutPause = 1
	// A log that grows waits for the file system's journal with each commit, and
	// most where the database goes to the disk at the same time. So one that fills
	// quickly gets a file in which it has room for a while.
	roomPiece = 1 << 20 // bytes that the file grows by at once, in which nobody writes

	// While all of the log goes into the database and that to the disk, commits
	// take longer. A machine that fills 64 MiB in half a second would do little else.
	restartPause = 2 * time.Second
)

// checkpointer copies what the write-ahead log holds into the database, beside
// the writer: done by the writer itself, every commit that meets it would wait
// for the copy and its sync. The log can begin anew only where all of it has
// been copied, which never happens while the writer runs ahead. So once the log
// is long the last short piece is copied while nobody writes.
type checkpointer struct {
	conn      *sqlite.Conn
	file      *os.File // the database; closed after all connections, whose locks in it end with it
	commits   atomic.Int64
	next      atomic.Int64 // commits at which to checkpoint
	every     int64        // commits between two checkpoints, as planned last
	restart   int64        // frames at which the log is begun anew
	longest   int64        // frames at which it is in any case
	begun     time.Time    // when it was
	wanted    int64        // frames for which its file is to have room; 0: it need not grow
	wal       *os.File     // the log, whose header tells its round; closed like the database
	seen      logPlace     // at the last checkpoint
	written   int64        // frames until then, of all rounds
	planned   int64        // frames when next was set
	plannedAt time.Time
	counted   int64 // commits then
	wake      chan struct{}
	quit      chan struct{}
	ended     chan struct{}
}

// logPlace is how far the log had come.
type logPlace struct {
	round  uint32 // how often it was begun anew, as its header counts
	frames int64
}

func (s *SQLite) startCheckpointer() (*checkpointer, error) {
	c, err := s.connect(sqlite.OpenReadWrite, nil)
	if err != nil {
		return nil, err
	}
	err = s.prepare(c)
	if err != nil {
		c.Close()
		return nil, err
	}
	f, err := os.Open(s.path)
	if err != nil {
		c.Close()
		return nil, err
	}
	wal, err := os.OpenFile(s.path+"-wal", os.O_RDWR, 0)
	if err != nil {
		c.Close()
		f.Close()
		return nil, err
	}
	if s.durable != nil {
		err = s.durable.open(wal)
		if err != nil {
			c.Close()
			f.Close()
			wal.Close()
			return nil, err
		}
	}
	l := &checkpointer{conn: c, file: f, wal: wal, every: firstCheckpoint, restart: restartFrames, longest: restartFramesMax, plannedAt: time.Now(), wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{})}
	l.next.Store(firstCheckpoint)
	go func() {
		defer close(l.ended)
		for {
			select {
			case <-l.quit:
				return
			case <-l.wake:
				if l.due() { // what was written while one ran has woken it once more
					l.run(s)
					l.room(s)
				}
			}
		}
	}()
	return l, nil
}

// wrote counts a commit.
func (l *checkpointer) wrote() {
	l.commits.Add(1)
	if !l.due() {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default: // one is running
	}
}

func (l *checkpointer) due() bool { return l.commits.Load() >= l.next.Load() }

// run checkpoints once, and begins the log anew where it is long. A failure
// leaves the log as it is; the writer's own checkpoint, far beyond, is the one
// whose failure shows.
func (l *checkpointer) run(s *SQLite) {
	if s.durable.broken() != nil {
		return
	}
	defer l.plan()
	fast := false
	for pass, rest := 0, int64(restartFrames); pass < restartPasses && rest > restartRest; pass++ {
		before := l.seen.frames
		frames, err := l.checkpoint()
		if err != nil || !l.long(frames) {
			return
		}
		// SQLite syncs the database where all of the log is copied, which is below,
		// while nobody writes: nearly all of it is on the disk by then.
		switch pass {
		case 0:
			fast = l.fast()
			err = writeOut(l.file, writeOutParts, writeOutPause)
		case 1:
			err = writeOut(l.file, writeOutPartsRest, 0)
		}
		if err != nil || l.file.Sync() != nil {
			return
		}
		rest = frames - before // the next pass finds what was written during this one
	}
	var frames int64
	if !l.still(s, func() { frames, _ = l.checkpoint() }) {
		return
	}
	l.begun = time.Now()
	if fast {
		l.wanted = min(max(frames, l.longest)*5/4, 2*l.longest) // beyond, it is a reader that keeps it long
	}
}

// still runs f while nobody writes. It reports false where the store is being
// closed.
func (l *checkpointer) still(s *SQLite, f func()) bool {
	select {
	case <-l.quit:
		return false
	case _, open := <-s.turn:
		if !open {
			return false
		}
	}
	defer func() { s.turn <- struct{}{} }()
	f()
	return true
}

// room makes the log's file so long that it has room for the frames that are wanted,
// a piece at a time until the next checkpoint is due, after which it goes on: behind
// large batches each piece waits for long. Zeros are no frames: whoever reads the log
// ends there, as at what is left of former rounds. Where the disk has no room for them
// the last are given back.
func (l *checkpointer) room(s *SQLite) {
	const header, frame = 32, 24 + 4096
	if l.wanted == 0 {
		return
	}
	before, err := l.wal.Stat()
	if err != nil || before.Size() >= l.wanted*frame {
		l.wanted = 0
		return
	}
	zeros := make([]byte, roomPiece)
	for l.wanted > 0 && !l.due() && s.durable.broken() == nil {
		begun := time.Now()
		open := l.still(s, func() {
			now, err := l.wal.Stat()
			if err != nil || now.Size() >= l.wanted*frame {
				l.wanted = 0
				return
			}
			_, err = l.wal.WriteAt(zeros, now.Size())
			if err == nil {
				return
			}
			l.wanted = 0
			if used, err := l.checkpoint(); err == nil {
				l.wal.Truncate(max(before.Size(), header+used*frame))
			}
		})
		if !open {
			return
		}
		time.Sleep(time.Since(begun) + time.Millisecond)
	}
}

// long reports whether a log of so many frames is to be begun anew.
func (l *checkpointer) long(frames int64) bool {
	return frames >= l.longest || frames >= l.restart && time.Since(l.begun) >= restartPause
}

// plan sets when to checkpoint next, by how long the commits since the last time
// were. None has less than a frame.
func (l *checkpointer) plan() {
	commits, grown := l.commits.Load(), l.grown()
	if n := commits - l.counted; n > 0 && grown > 0 {
		l.every = min(max(1, checkpointFrames*n/grown), checkpointFrames)
	}
	l.counted, l.planned, l.plannedAt = commits, l.written, time.Now()
	l.next.Store(commits + l.every)
}

// grown is how many frames were written since next was set, up to the last
// checkpoint.
func (l *checkpointer) grown() int64 { return l.written - l.planned }

// fast reports whether the log fills so quickly that it will be longer than
// restartFrames before it may begin anew. A few frames say nothing of that.
func (l *checkpointer) fast() bool {
	grown := l.grown()
	return grown > checkpointFrames/2 && float64(grown)*restartPause.Seconds() > restartFrames*time.Since(l.plannedAt).Seconds()
}

// checkpoint copies what no reader still needs from the log, and returns the
// log's length.
func (l *checkpointer) checkpoint() (frames int64, err error) {
	var header [16]byte // of the log: its round ends it
	l.wal.ReadAt(header[:], 0)
	err = query(l.conn, "PRAGMA wal_checkpoint(PASSIVE)", nil, func(r *row) error {
		r.int() // 1: another connection checkpoints just now
		frames = r.int()
		return nil
	})
	if err == nil {
		place := logPlace{binary.BigEndian.Uint32(header[12:]), frames}
		// A log is begun anew where all of it was copied: nothing of its last round is
		// missing here.
		if place.round != l.seen.round {
			l.written += frames
		} else {
			l.written += max(0, frames-l.seen.frames)
		}
		l.seen = place
	}
	return frames, err
}

// stop waits for a running checkpoint.
func (l *checkpointer) stop() error {
	close(l.quit)
	<-l.ended
	return l.conn.Close()
}
