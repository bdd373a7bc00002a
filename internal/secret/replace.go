package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// lockPoll is how often a lock that another process has is tried again.
const lockPoll = 10 * time.Millisecond

// lock takes the lock of the file at path, or returns the error of ctx. It ends with the
// process at the latest.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("wait for another process that changes it: %w", err)
		}
		unlock, err := tryLock(path)
		if unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// writeNew writes a file that must not be there: fs.ErrExist otherwise. It is seen whole or not at
// all, also after a crash, which may leave a file with "-new-" in its name that nobody needs.
func writeNew(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if err := writeSynced(f, text); err != nil {
		return err
	}
	// A rename would silently replace what another process has put there; a link does not.
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replaceFile puts text in the place of a file, for the same owner, under the lock of path. A
// crash leaves the old file or the new one, and maybe one beside it, which the next call removes.
func replaceFile(path string, text []byte, old fs.FileInfo) (err error) {
	beside := path + ".next"
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		// The new file is not locked: after the rename another process may have its own file there.
		if !renamed {
			err = errors.Join(err, os.Remove(beside))
		}
	}()
	// An administrator may rotate the keys of a server that runs as another user.
	if err := keepOwner(f, old); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := writeSynced(f, text); err != nil {
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		return err
	}
	renamed = true
	return syncDir(filepath.Dir(path))
}

// writeSynced writes text, makes it durable and closes f.
func writeSynced(f *os.File, text []byte) error {
	_, err := f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
