package store

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The writer's log goes through a buffer. SQLite hands the frames of a
// transaction to the system in two writes each, 24 bytes and a page, and a batch
// of payments has hundreds of frames: the calls took a fifth of the server's
// time. What SQLite writes end to end waits here and goes out in one piece when
// the log is synced, which is before SQLite tells its other connections of the
// transaction: nobody can ask for what still waits but the writer, whose reads
// come through here.
//
// A log is begun anew where it stands, so most of it lies on blocks that it has
// had before. Its sync is one of the data alone, where the system has that:
// SQLite's own also writes the time of the last change, which on a file system
// with a journal is a commit of that journal, in which other files' data may have
// to be waited for.
//
// The sync of a commit is not the log's own doing: it says that the frames are in
// the file, and durable does the rest beside the writer. A sync that follows
// something else, the header of a log that is begun anew or nothing at all, as
// where a checkpoint begins, is done at once.

// logBuffer is how many bytes of a log wait at most. SQLite's own files take
// less than 128 KiB in one write.
const logBuffer = 124 << 10

// logFile is what is kept of an open log.
type logFile struct {
	methods uintptr // of the system's VFS
	buffer  uintptr // logBuffer bytes, made at the first write
	start   int64   // where in the file the bytes that wait belong
	length  int64
	lost    int64 // from where on the system did not take what was written; below 0: it took all
	own     bool  // its syncs are syncData
	synced  bool  // the system's VFS has synced it once, and the folder with it
	durable int64 // number of the one that puts commits on the disk; 0: this log does
	frames  bool  // were written last, since the last sync
}

func logOf(file uintptr) *logFile { return pointer[logFile](file + files.size) }

func (l *logFile) system() *lib.Tsqlite3_io_methods {
	return pointer[lib.Tsqlite3_io_methods](l.methods)
}

// flush hands over what waits. What the system does not take is dropped, as
// SQLite is told that it was not written: it must not reach the file after the
// transaction was given up.
func (l *logFile) flush(tls *libc.TLS, file uintptr) int32 {
	if l.length == 0 {
		return lib.SQLITE_OK
	}
	code := function[fileMove](l.system().FxWrite)(tls, file, l.buffer, int32(l.length), l.start)
	if code != lib.SQLITE_OK {
		l.lost = l.start
	}
	l.length = 0
	return code
}

func logWrite(tls *libc.TLS, file, buffer uintptr, n int32, at int64) int32 {
	l := logOf(file)
	l.frames = at > 0
	if l.lost >= 0 {
		if at > l.lost {
			return lib.SQLITE_IOERR_WRITE
		}
		l.lost = -1 // another transaction is written over what was lost
	}
	if at != l.start+l.length || l.length+int64(n) > logBuffer {
		if code := l.flush(tls, file); code != lib.SQLITE_OK {
			return code
		}
		l.start = at
	}
	if l.buffer == 0 {
		l.buffer = libc.Xmalloc(tls, logBuffer)
	}
	if l.buffer == 0 || n > logBuffer {
		return function[fileMove](l.system().FxWrite)(tls, file, buffer, n, at)
	}
	copy(unsafe.Slice(pointer[byte](l.buffer+uintptr(l.length)), n), unsafe.Slice(pointer[byte](buffer), n))
	l.length += int64(n)
	return lib.SQLITE_OK
}

func logRead(tls *libc.TLS, file, buffer uintptr, n int32, at int64) int32 {
	l := logOf(file)
	if at < l.start+l.length && l.start < at+int64(n) {
		if code := l.flush(tls, file); code != lib.SQLITE_OK {
			return code
		}
	}
	if l.lost >= 0 && at+int64(n) > l.lost {
		return lib.SQLITE_IOERR_READ
	}
	return function[fileMove](l.system().FxRead)(tls, file, buffer, n, at)
}

func logSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	l := logOf(file)
	if code := l.flush(tls, file); code != lib.SQLITE_OK {
		return code
	}
	if l.lost >= 0 {
		return lib.SQLITE_IOERR_WRITE
	}
	frames := l.frames
	l.frames = false
	if frames && l.synced && l.durable != 0 {
		if d, _ := durables.Load(l.durable); d.(*durable).placing() {
			return lib.SQLITE_OK
		}
	}
	var code int32
	if l.own && l.synced {
		code = syncData(file)
	} else {
		code = function[fileSync](l.system().FxSync)(tls, file, flags)
		l.synced = code == lib.SQLITE_OK
	}
	return code
}

func logTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	l := logOf(file)
	l.frames = false
	if code := l.flush(tls, file); code != lib.SQLITE_OK {
		return code
	}
	if size <= l.lost {
		l.lost = -1
	}
	return function[fileResize](l.system().FxTruncate)(tls, file, size)
}

func logSize(tls *libc.TLS, file, size uintptr) int32 {
	l := logOf(file)
	if code := l.flush(tls, file); code != lib.SQLITE_OK {
		return code
	}
	return function[fileSize](l.system().FxFileSize)(tls, file, size)
}

func logClose(tls *libc.TLS, file uintptr) int32 {
	l := logOf(file)
	written := l.flush(tls, file)
	libc.Xfree(tls, l.buffer)
	l.buffer = 0
	closed := function[fileClose](l.system().FxClose)(tls, file)
	if written != lib.SQLITE_OK {
		return written
	}
	return closed
}
