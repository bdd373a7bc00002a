//go:build windows

package secret

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// errSharing is ERROR_SHARING_VIOLATION: another process has the file open.
const errSharing = syscall.Errno(32)

// checkMode accepts every file: Windows has no mode bits, its folders grant access.
func checkMode(string, fs.FileInfo) error { return nil }

// keepOwner does nothing: new files take the rights of their folder.
func keepOwner(*os.File, fs.FileInfo) error { return nil }

// tryLock takes the lock of the file at path. It returns nil, nil when another has it. An
// open file cannot be replaced here, so the lock is a file beside it that is open to one process.
func tryLock(path string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(path + ".lock")
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharing) {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "lock", Path: path + ".lock", Err: err}
	}
	return func() { _ = syscall.CloseHandle(h) }, nil
}

// syncDir does nothing: folders cannot be synced here.
func syncDir(string) error { return nil }

// syncRead does nothing, as syncDir.
func syncRead(string) error { return nil }
