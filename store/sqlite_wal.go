package store

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// The writer's log goes through a buffer. SQLite hands the frames of a
// transaction to the system in two writes each, 24 bytes and a page, and a batch
// of payments has hundreds of frames: the calls took a fifth of the server's
// time. What SQLite writes end to end waits here and goes out in one piece when
// the log is synced, which is before SQLite tells its other connections of the
// transaction: nobody can ask for what still waits but the writer, whose reads
// come through here.
//
// SQLite is asked in its own terms: a VFS that is the system's but for the file
// of the log, whose methods stand below. What they keep of a file lies behind
// what the system's VFS keeps of it, in memory of SQLite's.

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
}

// logVFS is the VFS that the system's is wrapped in, made once.
var logVFS struct {
	once    sync.Once
	err     error
	under   uintptr // the system's
	size    uintptr // of one of its files
	mu      sync.Mutex
	methods map[uintptr]uintptr // the system's methods → those of a log
}

const logVFSName = "giro-log"

// pointer makes a pointer of an address that is not Go's to move or free.
func pointer[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function makes a Go function of SQLite's pointer to one.
func function[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{address})) }

// address makes SQLite's pointer to a Go function that is not a closure.
func address(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// The signatures of SQLite's methods.
type (
	vfsOpen    = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	fileClose  = func(tls *libc.TLS, file uintptr) int32
	fileMove   = func(tls *libc.TLS, file, buffer uintptr, n int32, at int64) int32
	fileResize = func(tls *libc.TLS, file uintptr, size int64) int32
	fileSync   = func(tls *libc.TLS, file uintptr, flags int32) int32
	fileSize   = func(tls *libc.TLS, file, size uintptr) int32
)

// registerLogVFS makes the VFS known to SQLite.
func registerLogVFS() error {
	v := &logVFS
	v.once.Do(func() {
		// The library is set up by its own user before it is asked for anything.
		c, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite)
		if err != nil {
			v.err = err
			return
		}
		c.Close()
		tls := libc.NewTLS()
		defer tls.Close()
		v.methods = map[uintptr]uintptr{}
		v.under = lib.Xsqlite3_vfs_find(tls, 0)
		wrapped := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
		name, err := libc.CString(logVFSName)
		if v.under == 0 || wrapped == 0 || err != nil {
			v.err = fmt.Errorf("wrap SQLite's files: %v", err)
			return
		}
		vfs := pointer[lib.Tsqlite3_vfs](wrapped)
		*vfs = *pointer[lib.Tsqlite3_vfs](v.under)
		v.size = uintptr(vfs.FszOsFile)
		vfs.FszOsFile += int32(unsafe.Sizeof(logFile{}))
		vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, name, address(logOpen)
		if code := lib.Xsqlite3_vfs_register(tls, wrapped, 0); code != lib.SQLITE_OK {
			v.err = sqlite.ResultCode(code).ToError()
		}
	})
	return v.err
}

// logURI names a database whose log is buffered.
func logURI(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?vfs=" + logVFSName
}

func logOf(file uintptr) *logFile { return pointer[logFile](file + logVFS.size) }

func logOpen(tls *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
	under := pointer[lib.Tsqlite3_vfs](logVFS.under)
	code := function[vfsOpen](under.FxOpen)(tls, logVFS.under, name, file, flags, out)
	if code != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
		return code
	}
	opened := pointer[lib.Tsqlite3_file](file)
	*logOf(file) = logFile{methods: opened.FpMethods, lost: -1}
	methods, err := logMethods(tls, opened.FpMethods)
	if err != nil {
		function[fileClose](pointer[lib.Tsqlite3_io_methods](opened.FpMethods).FxClose)(tls, file)
		opened.FpMethods = 0
		return lib.SQLITE_NOMEM
	}
	opened.FpMethods = methods
	return lib.SQLITE_OK
}

// logMethods returns the methods of a log whose file has these.
func logMethods(tls *libc.TLS, under uintptr) (uintptr, error) {
	logVFS.mu.Lock()
	defer logVFS.mu.Unlock()
	if made := logVFS.methods[under]; made != 0 {
		return made, nil
	}
	made := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	if made == 0 {
		return 0, fmt.Errorf("no memory")
	}
	m := pointer[lib.Tsqlite3_io_methods](made)
	*m = *pointer[lib.Tsqlite3_io_methods](under)
	m.FxClose, m.FxRead, m.FxWrite, m.FxTruncate = address(logClose), address(logRead), address(logWrite), address(logTruncate)
	m.FxSync, m.FxFileSize = address(logSync), address(logSize)
	logVFS.methods[under] = made
	return made, nil
}

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
	return function[fileSync](l.system().FxSync)(tls, file, flags)
}

func logTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	l := logOf(file)
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
