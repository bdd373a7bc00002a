//go:build unix

package secret_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/starling-fuota/starling/internal/secret"
)

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestKeyringsThatOthersCouldReadAreRefused(t *testing.T) {
	path := ringPath(t)
	openRing(t, path, true)
	for mode, want := range map[fs.FileMode]error{0o600: nil, 0o400: nil, 0o640: secret.ErrMode, 0o604: secret.ErrMode, 0o620: secret.ErrMode, 0o601: secret.ErrMode, 0o666: secret.ErrMode} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.OpenKeyring(path, false)
		if !errors.Is(err, want) {
			t.Errorf("mode %o: %v, want %v", mode, err, want)
		}
		if want != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
}

// An administrator, often root, rotates the keys of a server that runs as another user.
func TestAKeyringKeepsItsOwnerAndMode(t *testing.T) {
	path := ringPath(t)
	r := openRing(t, path, true)
	if mode := stat(t, path).Mode().Perm(); mode != 0o600 {
		t.Errorf("made with mode %o", mode)
	}
	owner := os.Getuid()
	if owner == 0 { // only root can give files away; others see that theirs stay theirs
		owner = 12345
	}
	if err := os.Chown(path, owner, -1); err != nil {
		t.Fatal(err)
	}
	add(t, r)
	info := stat(t, path)
	if got := int(info.Sys().(*syscall.Stat_t).Uid); got != owner || info.Mode().Perm() != 0o600 {
		t.Errorf("owner %d, mode %o, want %d and 600", got, info.Mode().Perm(), owner)
	}
}
