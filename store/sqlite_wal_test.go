package store

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	"pgregory.net/rapid"
)

// memoryLog is the file below a log in these tests.
type memoryLog struct {
	content []byte
	synced  int
	full    bool // it takes nothing
}

var memoryLogs sync.Map // address of the file → *memoryLog

func memoryLogOf(file uintptr) *memoryLog {
	m, _ := memoryLogs.Load(file)
	return m.(*memoryLog)
}

func (m *memoryLog) write(p []byte, at int64) {
	if need := int(at) + len(p); need > len(m.content) {
		m.content = append(m.content, make([]byte, need-len(m.content))...)
	}
	copy(m.content[at:], p)
}

func memoryWrite(_ *libc.TLS, file, buffer uintptr, n int32, at int64) int32 {
	m := memoryLogOf(file)
	if m.full {
		return lib.SQLITE_FULL
	}
	m.write(unsafe.Slice(pointer[byte](buffer), n), at)
	return lib.SQLITE_OK
}

func memoryRead(_ *libc.TLS, file, buffer uintptr, n int32, at int64) int32 {
	m := memoryLogOf(file)
	into := unsafe.Slice(pointer[byte](buffer), n)
	clear(into)
	if at < int64(len(m.content)) && copy(into, m.content[at:]) == int(n) {
		return lib.SQLITE_OK
	}
	return lib.SQLITE_IOERR_SHORT_READ
}

func memorySync(_ *libc.TLS, file uintptr, _ int32) int32 {
	memoryLogOf(file).synced++
	return lib.SQLITE_OK
}

func memoryTruncate(_ *libc.TLS, file uintptr, size int64) int32 {
	m := memoryLogOf(file)
	if size < int64(len(m.content)) {
		m.content = m.content[:size]
	}
	return lib.SQLITE_OK
}

func memorySize(_ *libc.TLS, file, size uintptr) int32 {
	*pointer[int64](size) = int64(len(memoryLogOf(file).content))
	return lib.SQLITE_OK
}

func memoryClose(*libc.TLS, uintptr) int32 { return lib.SQLITE_OK }

// openMemoryLog makes a log over a file in memory.
func openMemoryLog(tls *libc.TLS) (file uintptr, m *memoryLog) {
	methods := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	*pointer[lib.Tsqlite3_io_methods](methods) = lib.Tsqlite3_io_methods{
		FxClose: address(memoryClose), FxRead: address(memoryRead), FxWrite: address(memoryWrite),
		FxTruncate: address(memoryTruncate), FxSync: address(memorySync), FxFileSize: address(memorySize),
	}
	file = libc.Xcalloc(tls, 1, libc.Tsize_t(files.size+unsafe.Sizeof(logFile{})))
	*logOf(file) = logFile{methods: methods, lost: -1}
	m = &memoryLog{}
	memoryLogs.Store(file, m)
	return file, m
}

func closeMemoryLog(tls *libc.TLS, file uintptr) {
	methods := logOf(file).methods
	logClose(tls, file)
	memoryLogs.Delete(file)
	libc.Xfree(tls, methods)
	libc.Xfree(tls, file)
}

// scratch is memory of SQLite's for what is written and read.
func scratch(t testing.TB, tls *libc.TLS) uintptr {
	p := libc.Xmalloc(tls, 8192)
	t.Cleanup(func() { libc.Xfree(tls, p) })
	return p
}

func testTLS(t testing.TB) *libc.TLS {
	if err := registerFiles(); err != nil {
		t.Fatal(err)
	}
	tls := libc.NewTLS()
	t.Cleanup(tls.Close)
	return tls
}

// TestLogReadsAsWritten: whatever is written, read, cut off and synced in
// whatever order, a log is the file that the same calls make of one without a
// buffer.
func TestLogReadsAsWritten(t *testing.T) {
	t.Parallel()
	tls := testTLS(t)
	memory := scratch(t, tls)
	rapid.Check(t, func(t *rapid.T) {
		file, below := openMemoryLog(tls)
		defer closeMemoryLog(tls, file)
		plain := &memoryLog{}
		end := int64(0)
		offset := rapid.OneOf(rapid.Just(int64(-1)), rapid.Int64Range(0, 300_000)) // -1: where the last one ended
		for i := range rapid.IntRange(1, 60).Draw(t, "calls") {
			switch rapid.SampledFrom([]string{"write", "write", "write", "write", "read", "sync", "truncate", "size"}).Draw(t, "call") {
			case "write":
				n := rapid.SampledFrom([]int{24, 4096, 32, 8192}).Draw(t, "n")
				at := offset.Draw(t, "at")
				if at < 0 {
					at = end
				}
				p := bytes.Repeat([]byte{byte(i + 1)}, n)
				copy(unsafe.Slice(pointer[byte](memory), n), p)
				if code := logWrite(tls, file, memory, int32(n), at); code != lib.SQLITE_OK {
					t.Fatalf("write: %d", code)
				}
				plain.write(p, at)
				end = at + int64(n)
			case "read":
				n, at := rapid.IntRange(1, 8192).Draw(t, "n"), rapid.Int64Range(0, 300_000).Draw(t, "at")
				logRead(tls, file, memory, int32(n), at)
				want := make([]byte, n)
				if at < int64(len(plain.content)) {
					copy(want, plain.content[at:])
				}
				if !bytes.Equal(unsafe.Slice(pointer[byte](memory), n), want) {
					t.Fatalf("%d bytes at %d are not those that were written", n, at)
				}
			case "sync":
				if code := logSync(tls, file, lib.SQLITE_SYNC_NORMAL); code != lib.SQLITE_OK {
					t.Fatalf("sync: %d", code)
				}
				if !bytes.Equal(below.content, plain.content) {
					t.Fatal("after a sync the file lacks what was written")
				}
			case "truncate":
				size := rapid.Int64Range(0, 300_000).Draw(t, "size")
				logTruncate(tls, file, size)
				plain.content = plain.content[:min(int64(len(plain.content)), size)]
			case "size":
				logSize(tls, file, memory)
				if got := *pointer[int64](memory); got != int64(len(plain.content)) {
					t.Fatalf("the size is %d, not %d", got, len(plain.content))
				}
			}
		}
	})
}

// TestLogThatIsFull: what the system does not take is never taken for written,
// and reaches the file neither then nor later.
func TestLogThatIsFull(t *testing.T) {
	t.Parallel()
	tls := testTLS(t)
	memory := scratch(t, tls)
	file, below := openMemoryLog(tls)
	defer closeMemoryLog(tls, file)
	write := func(b byte, at int64) int32 {
		for i := range unsafe.Slice(pointer[byte](memory), 4096) {
			*pointer[byte](memory + uintptr(i)) = b
		}
		return logWrite(tls, file, memory, 4096, at)
	}
	sync := func() int32 { return logSync(tls, file, lib.SQLITE_SYNC_NORMAL) }
	for at := range int64(2) {
		if write('a', at*4096) != lib.SQLITE_OK {
			t.Fatal("the first transaction is not taken")
		}
	}
	if sync() != lib.SQLITE_OK || below.synced != 1 || len(below.content) != 8192 {
		t.Fatalf("the first transaction is not on disk: %d bytes", len(below.content))
	}
	below.full = true
	write('b', 8192)
	write('b', 12288)
	if sync() == lib.SQLITE_OK {
		t.Fatal("a sync says that what was not taken is on disk")
	}
	below.full = false
	if sync() == lib.SQLITE_OK || write('b', 16384) == lib.SQLITE_OK || below.synced != 1 {
		t.Fatal("the transaction goes on behind what was lost")
	}
	if logRead(tls, file, memory, 4096, 8192) == lib.SQLITE_OK || logRead(tls, file, memory, 4096, 0) != lib.SQLITE_OK {
		t.Fatal("what was lost can be read, or what was not cannot")
	}
	if len(below.content) != 8192 {
		t.Fatalf("what was given up reached the file: %d bytes", len(below.content))
	}
	// The next transaction is written in its place.
	if write('c', 8192) != lib.SQLITE_OK || sync() != lib.SQLITE_OK {
		t.Fatal("the next transaction is not taken")
	}
	if want := append(bytes.Repeat([]byte("a"), 8192), bytes.Repeat([]byte("c"), 4096)...); !bytes.Equal(below.content, want) {
		t.Fatalf("the file has %d bytes that were not written", len(below.content))
	}
}

// TestLogSyncs: where somebody puts commits on the disk, the sync of one only
// hands over its frames, once the log has been synced at all; that of a header or
// of nothing, before a checkpoint, is done.
func TestLogSyncs(t *testing.T) {
	t.Parallel()
	tls := testTLS(t)
	memory := scratch(t, tls)
	file, below := openMemoryLog(tls)
	defer closeMemoryLog(tls, file)
	d := newDurable()
	defer d.forget()
	logOf(file).durable = d.number
	write := func(n int32, at int64) {
		if code := logWrite(tls, file, memory, n, at); code != lib.SQLITE_OK {
			t.Fatalf("write: %d", code)
		}
	}
	for i, step := range []struct {
		act    func()
		synced int
		placed int64
	}{
		{func() { write(32, 0); write(4096, 32) }, 1, 0}, // nobody does yet
		{func() { d.log = os.Stdin; write(4096, 4128) }, 1, 1},
		{func() { write(4096, 8224); write(4096, 12320) }, 1, 2},
		{func() {}, 2, 2},
		{func() { write(32, 0) }, 3, 2},
		{func() { write(4096, 32) }, 3, 3},
		{func() { logTruncate(tls, file, 32) }, 4, 3},
	} {
		step.act()
		if code := logSync(tls, file, lib.SQLITE_SYNC_NORMAL); code != lib.SQLITE_OK || below.synced != step.synced || d.placed.Load() != step.placed {
			t.Fatalf("step %d: %d, %d syncs, not %d; %d commits placed, not %d", i, code, below.synced, step.synced, d.placed.Load(), step.placed)
		}
		if logOf(file).length > 0 {
			t.Fatalf("step %d: frames are not in the file", i)
		}
	}
}
