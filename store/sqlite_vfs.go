package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// The connections that write reach the log through a VFS that is the system's but
// for that file, whose methods stand in sqlite_wal.go. What they keep of a file
// lies behind what the system's VFS keeps of it, in memory of SQLite's.

// files is the VFS that the system's is wrapped in, made once.
var files struct {
	once      sync.Once
	err       error
	under     uintptr // the system's
	size      uintptr // of one of its files
	parameter uintptr // durableParameter, in C
	mu        sync.Mutex
	methods   map[uintptr]uintptr // the system's methods → those of a log
}

const (
	filesName        = "giro"
	durableParameter = "durable"
)

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

// registerFiles makes the VFS known to SQLite.
func registerFiles() error {
	v := &files
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
		made := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
		name, err := libc.CString(filesName)
		var wrong error
		v.parameter, wrong = libc.CString(durableParameter)
		if err = errors.Join(err, wrong); v.under == 0 || made == 0 || err != nil {
			v.err = fmt.Errorf("wrap SQLite's files: %v", err)
			return
		}
		vfs := pointer[lib.Tsqlite3_vfs](made)
		*vfs = *pointer[lib.Tsqlite3_vfs](v.under)
		v.size = uintptr(vfs.FszOsFile)
		vfs.FszOsFile += int32(unsafe.Sizeof(logFile{}))
		vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, name, address(openFile)
		if code := lib.Xsqlite3_vfs_register(tls, made, 0); code != lib.SQLITE_OK {
			v.err = sqlite.ResultCode(code).ToError()
		}
	})
	return v.err
}

// wrappedURI names a database whose files are wrapped. d puts its commits on the
// disk; nil: each is when it returns.
func wrappedURI(path string, d *durable) string {
	number := int64(0)
	if d != nil {
		number = d.number
	}
	return fmt.Sprintf("file:%s?vfs=%s&%s=%d", strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path), filesName, durableParameter, number)
}

// openFile is the VFS' method to open a file.
func openFile(tls *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
	under := pointer[lib.Tsqlite3_vfs](files.under)
	code := function[vfsOpen](under.FxOpen)(tls, files.under, name, file, flags, out)
	if code != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
		return code
	}
	opened := pointer[lib.Tsqlite3_file](file)
	*logOf(file) = logFile{
		methods: opened.FpMethods, lost: -1, own: syncsData,
		durable: lib.Xsqlite3_uri_int64(tls, name, files.parameter, 0),
	}
	methods := logMethods(tls, opened.FpMethods)
	if methods == 0 {
		function[fileClose](pointer[lib.Tsqlite3_io_methods](opened.FpMethods).FxClose)(tls, file)
		opened.FpMethods = 0
		return lib.SQLITE_NOMEM
	}
	opened.FpMethods = methods
	return lib.SQLITE_OK
}

// logMethods returns the methods of a log whose file has these; 0: there is no
// memory.
func logMethods(tls *libc.TLS, under uintptr) uintptr {
	files.mu.Lock()
	defer files.mu.Unlock()
	if made := files.methods[under]; made != 0 {
		return made
	}
	made := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	if made == 0 {
		return 0
	}
	m := pointer[lib.Tsqlite3_io_methods](made)
	*m = *pointer[lib.Tsqlite3_io_methods](under)
	m.FxClose, m.FxRead, m.FxWrite, m.FxTruncate = address(logClose), address(logRead), address(logWrite), address(logTruncate)
	m.FxSync, m.FxFileSize = address(logSync), address(logSize)
	files.methods[under] = made
	return made
}
