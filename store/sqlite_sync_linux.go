//go:build linux && (amd64 || arm64)

package store

import (
	"os"
	"syscall"
	"time"

	lib "modernc.org/sqlite/lib"
)

// syncsData says that the system has syncData.
const syncsData = true

// syncData puts a file of the system's VFS on the disk: its data, and of the
// rest what it takes to find them.
func syncData(file uintptr) int32 {
	if fdatasync(int(pointer[lib.TunixFile](file).Fh)) != nil {
		return lib.SQLITE_IOERR_FSYNC
	}
	return lib.SQLITE_OK
}

// syncLog is syncData of a log's own descriptor.
func syncLog(f *os.File) error { return os.NewSyscallError("fdatasync", fdatasync(int(f.Fd()))) }

func fdatasync(fd int) error {
	for {
		err := syscall.Fdatasync(fd)
		if err != syscall.EINTR {
			return err
		}
	}
}

// unchanged is how long a part takes at most of which nothing is to be written.
const unchanged = 10 * time.Microsecond

// The flags of sync_file_range(2): begin to write what has changed, and wait.
const sendAndWait = 1 | 2 | 4

// writeOut writes what has changed of a file to the disk, part by part: whoever
// syncs another file meanwhile waits for one part at most, and what counts there
// are the pages that lie apart. After each it pauses for so many times as long as
// that took. It promises nothing: what is written may still wait in the disk.
func writeOut(f *os.File, parts, pause int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	part := max(writeOutPiece, info.Size()/parts)
	for at := int64(0); at < info.Size(); at += part {
		begun := time.Now()
		for {
			err = syscall.SyncFileRange(int(f.Fd()), at, part, sendAndWait)
			if err != syscall.EINTR {
				break
			}
		}
		if err != nil {
			return os.NewSyscallError("sync_file_range", err)
		}
		if took := time.Since(begun); took > unchanged {
			time.Sleep(took * time.Duration(pause))
		}
	}
	return nil
}
