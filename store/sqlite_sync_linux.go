//go:build linux && (amd64 || arm64)

package store

import (
	"os"
	"syscall"

	lib "modernc.org/sqlite/lib"
)

// syncsData says that the system has syncData.
const syncsData = true

// syncData puts a file of the system's VFS on the disk: its data, and of the
// rest what it takes to find them.
func syncData(file uintptr) int32 {
	for {
		switch syscall.Fdatasync(int(pointer[lib.TunixFile](file).Fh)) {
		case nil:
			return lib.SQLITE_OK
		case syscall.EINTR:
		default:
			return lib.SQLITE_IOERR_FSYNC
		}
	}
}

// The flags of sync_file_range(2): begin to write what has changed, and wait.
const sendAndWait = 1 | 2 | 4

// writeOut writes what has changed of a file to the disk, piece by piece: whoever
// syncs another file meanwhile waits for one piece at most, and what counts there
// are the pages that lie apart. It promises nothing: what is written may still wait
// in the disk.
func writeOut(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	piece := max(writeOutPiece, info.Size()/writeOutPieces)
	for at := int64(0); at < info.Size(); at += piece {
		for {
			err = syscall.SyncFileRange(int(f.Fd()), at, piece, sendAndWait)
			if err != syscall.EINTR {
				break
			}
		}
		if err != nil {
			return os.NewSyscallError("sync_file_range", err)
		}
	}
	return nil
}
