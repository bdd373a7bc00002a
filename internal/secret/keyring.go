package secret

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Keyring is a KEK and Rotator in a file that several processes may share: each sees the
// keys that another adds, and none is lost when two change the file at once. It is safe for
// concurrent use. Processes on several machines need a file that all of them see, or a KMS.
//
//	Primary, Wrap, IDs   read the file, so that nothing is wrapped under a key that is gone
//	Unwrap               from memory; reads the file when the id is unknown
//	Add, Remove          lock, read, write beside, fsync, rename, fsync of the folder
type Keyring struct {
	path string

	mu   sync.Mutex // one reading or writing of the file at a time
	read atomic.Pointer[reading]
}

// reading is the file as it was read last. It does not change.
type reading struct {
	sum  [sha256.Size]byte // of the whole file
	keys *keySet
}

// OpenKeyring opens the keyring file at path. If there is none and create is true it makes one
// with one fresh key, mode 0600; of several processes that do so at once, one makes it and
// all open it. A caller that knows of wrapped data keys should not create: they need the old file.
//
// A missing file is fs.ErrNotExist, one that others may read or write ErrMode (not looked at on
// Windows, where folders grant access), one that is not as it was written ErrDamaged, one of a later
// version ErrVersion. Errors say what to do and never show keys.
func OpenKeyring(path string, create bool) (*Keyring, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	r := &Keyring{path: abs}
	_, err = r.load()
	if create && errors.Is(err, fs.ErrNotExist) {
		if err = createKeyring(abs); err == nil {
			_, err = r.load()
		}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// createKeyring writes a keyring of one key, or leaves the one that another process wrote meanwhile.
func createKeyring(path string) error {
	k, err := freshKey()
	if err != nil {
		return fmt.Errorf("keyring %s: %w", path, err)
	}
	text := keyFile{[]fileKey{k}, k.id}.encode()
	defer clear(text)
	if err := writeNew(path, text); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keyring %s cannot be made: make its folder, and let this user write there: %w", path, err)
	}
	return nil
}

// freshKey returns a random key with an id of 16 hexadecimal digits. Its time is for people who read
// the file; nothing depends on it, so the clock is not handed in.
func freshKey() (fileKey, error) {
	var id [8]byte
	if _, err := io.ReadFull(rand.Reader, id[:]); err != nil {
		return fileKey{}, fmt.Errorf("random id: %w", err)
	}
	k, err := newKey(rand.Reader)
	return fileKey{hex.EncodeToString(id[:]), time.Now().UTC().Truncate(time.Second), k}, err
}

// Primary returns the id of the primary as the file has it now.
func (r *Keyring) Primary(context.Context) (string, error) {
	keys, err := r.load()
	if err != nil {
		return "", err
	}
	return keys.primary, nil
}

// IDs returns the ids of all keys as the file has them now, oldest first.
func (r *Keyring) IDs(context.Context) ([]string, error) {
	keys, err := r.load()
	if err != nil {
		return nil, err
	}
	return slices.Clone(keys.ids), nil
}

// Wrap encrypts plain under the primary that the file has now.
func (r *Keyring) Wrap(_ context.Context, plain []byte) (string, []byte, error) {
	keys, err := r.load()
	if err != nil {
		return "", nil, err
	}
	id, wrapped := keys.wrap(plain)
	return id, wrapped, nil
}

// Unwrap decrypts what Wrap made, in this process or another.
func (r *Keyring) Unwrap(_ context.Context, kekID string, wrapped []byte) ([]byte, error) {
	plain, err := r.read.Load().keys.unwrap(kekID, wrapped)
	if errors.Is(err, ErrUnknownKEK) {
		keys, loadErr := r.load()
		if loadErr != nil {
			return nil, fmt.Errorf("key %.40q is unknown, and the file cannot be read again: %w", kekID, loadErr)
		}
		plain, err = keys.unwrap(kekID, wrapped)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", r.path, err)
	}
	return plain, nil
}

// Add makes a new key the primary. The old ones stay, for what is wrapped under them. It waits
// for other processes that change the file until ctx ends. After an error the key may be there or not: look at Primary.
func (r *Keyring) Add(ctx context.Context) (string, error) {
	var id string
	err := r.change(ctx, func(c *keyFile) (bool, error) {
		k, err := freshKey()
		if err != nil {
			return false, err
		}
		c.keys = append(c.keys, k)
		c.primary, id = k.id, k.id
		return true, nil
	})
	if err != nil {
		return "", fmt.Errorf("keyring %s: add a key: %w", r.path, err)
	}
	return id, nil
}

// Remove takes a key out of the file: see Rotator. What the file held may remain on the disk, as
// after any deletion. It waits as Add does.
func (r *Keyring) Remove(ctx context.Context, id string) error {
	err := r.change(ctx, func(c *keyFile) (bool, error) {
		if c.primary == id {
			return false, fmt.Errorf("add another first: %w", ErrPrimary)
		}
		n := len(c.keys)
		c.keys = slices.DeleteFunc(c.keys, func(k fileKey) bool { return k.id == id })
		return len(c.keys) < n, nil
	})
	if err != nil {
		return fmt.Errorf("keyring %s: remove key %.40q: %w", r.path, id, err)
	}
	return nil
}

// change edits the file under the lock that all processes respect: what edit gets is what the file
// holds, not what this process remembers. Nothing is written when edit returns false.
func (r *Keyring) change(ctx context.Context, edit func(*keyFile) (bool, error)) error {
	target, err := filepath.EvalSymlinks(r.path) // a rename would replace the link, not the file
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, target)
	if err != nil {
		return err
	}
	defer unlock()
	text, info, err := readFile(target)
	if err != nil {
		return err
	}
	defer clear(text)
	content, err := parseKeyFile(text)
	if err != nil {
		return err
	}
	changed, err := edit(&content)
	if err != nil {
		return err
	}
	if changed {
		edited := content.encode()
		defer clear(edited)
		if err := replaceFile(target, edited, info); err != nil {
			return err
		}
	}
	_, err = r.load()
	return err
}

// load reads the file, and makes new ciphers if it changed. A file that cannot be read leaves
// what is in memory, which Unwrap goes on with.
func (r *Keyring) load() (*keySet, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, _, err := readFile(r.path)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", r.path, err)
	}
	defer clear(text)
	sum := sha256.Sum256(text)
	if last := r.read.Load(); last != nil && last.sum == sum {
		return last.keys, nil
	}
	content, err := parseKeyFile(text)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w; put back a backup of it", r.path, err)
	}
	// Another process may have renamed the file and not yet synced the folder. What is wrapped
	// under a key that a power failure takes back would be lost.
	if err := syncRead(r.path); err != nil {
		return nil, fmt.Errorf("keyring %s: %w", r.path, err)
	}
	r.read.Store(&reading{sum, content.keySet()})
	return r.read.Load().keys, nil
}

// readFile reads a keyring file that only its owner can.
func readFile(path string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no such file; put back a backup of it, or have one made if the database is new: %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for a writer
		return nil, nil, fmt.Errorf("it is no regular file but %s: %w", info.Mode().Type(), ErrDamaged)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()      // only read: nothing to lose
	if info, err = f.Stat(); err != nil { // the file may have been replaced since
		return nil, nil, err
	}
	if err := checkMode(path, info); err != nil {
		return nil, nil, err
	}
	if info.Size() > maxFile {
		return nil, nil, fmt.Errorf("%d bytes are more than %d, so it is something else: %w", info.Size(), maxFile, ErrDamaged)
	}
	var text bytes.Buffer
	text.Grow(int(info.Size()) + bytes.MinRead) // ReadFrom then leaves no copies behind
	if _, err := text.ReadFrom(io.LimitReader(f, maxFile)); err != nil {
		return nil, nil, err
	}
	return text.Bytes(), info, nil
}

// String names the file.
func (r *Keyring) String() string { return "keyring " + r.path }

// Format prints String under every verb: what is in it are keys.
func (r *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// MarshalText returns String, for logs in JSON.
func (r *Keyring) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
