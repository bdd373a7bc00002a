//go:build unix

package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// checkMode returns ErrMode if group or others have any right.
func checkMode(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("mode %#o lets others in, it must be 0600: chmod 600 %s, and rotate the keys if others may have read it: %w", mode, path, ErrMode)
	}
	return nil
}

// keepOwner gives f to the owner of old.
func keepOwner(f *os.File, old fs.FileInfo) error {
	was, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if is, ok := info.Sys().(*syscall.Stat_t); ok && is.Uid == was.Uid && is.Gid == was.Gid {
		return nil
	}
	return f.Chown(int(was.Uid), int(was.Gid))
}

// tryLock takes the lock of the file at path. It returns nil, nil when another has it.
// The lock lies on the file itself, so that only those who may read the keys can hold it.
func tryLock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // NFS wants a lock's file writable
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		var locked, there fs.FileInfo
		if locked, err = f.Stat(); err == nil {
			there, err = os.Stat(path)
		}
		if err == nil && os.SameFile(locked, there) {
			return func() { _ = f.Close() }, nil
		}
		// It was replaced between open and lock: what is locked is the old file.
	}
	closeErr := f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		err = nil
	}
	return nil, errors.Join(err, closeErr)
}

// syncDir makes a rename or link in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system that has no such thing
	}
	return errors.Join(err, d.Close())
}

// syncRead makes durable what was read at path, links resolved. A folder that this user may
// not open is left to who writes there.
func syncRead(path string) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(target)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
