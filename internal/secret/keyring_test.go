package secret_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/secret"
)

// helper is the variable that makes this test binary add keys to the keyring it names.
const helper = "STARLING_SECRET_TEST_KEYRING"

const added = 5 // keys by each helper

func TestMain(m *testing.M) {
	path := os.Getenv(helper)
	if path == "" {
		os.Exit(m.Run())
	}
	r, err := secret.OpenKeyring(path, true)
	for range added {
		if err == nil {
			var id string
			id, err = r.Add(context.Background())
			fmt.Println(id)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func add(t testing.TB, r *secret.Keyring) string {
	t.Helper()
	id, err := r.Add(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAKeyringIsMadeOnce(t *testing.T) {
	path := ringPath(t)
	if _, err := secret.OpenKeyring(path, false); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Fatalf("%v, want fs.ErrNotExist with the path", err)
	}
	id := primary(t, openRing(t, path, true))
	for _, create := range []bool{true, false} {
		if again := primary(t, openRing(t, path, create)); again != id {
			t.Errorf("create %t: primary %s, want %s", create, again, id)
		}
	}
	onlyFile(t, path)
}

// onlyFile fails if something is left beside the keyring.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the keyring: %v, %v", entries, err)
	}
}

func TestAFolderThatIsMissingIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "keyring")
	if _, err := secret.OpenKeyring(path, true); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "make its folder") {
		t.Errorf("%v", err)
	}
}

func TestManyThatCreateGetOneKeyring(t *testing.T) {
	path := ringPath(t)
	found := make([]string, 16)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() {
			r, err := secret.OpenKeyring(path, true)
			if err == nil {
				found[i], err = r.Primary(context.Background())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.Sort(found); len(slices.Compact(found)) != 1 {
		t.Errorf("primaries %q", found)
	}
	onlyFile(t, path)
}

func TestWhatIsNoKeyringIsRefused(t *testing.T) {
	path := ringPath(t)
	r := openRing(t, path, true)
	add(t, r)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(from, to string) []byte { return bytes.Replace(text, []byte(from), []byte(to), 1) }
	lines := bytes.SplitAfter(text, []byte("\n"))
	cases := map[string]struct {
		text []byte
		want error
	}{
		"empty":            {nil, secret.ErrDamaged},
		"something else":   {[]byte("-----BEGIN PRIVATE KEY-----\n"), secret.ErrDamaged},
		"zeros":            {make([]byte, len(text)), secret.ErrDamaged},
		"a byte more":      {append(bytes.Clone(text), '\n'), secret.ErrDamaged},
		"other line ends":  {bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), secret.ErrDamaged},
		"a key less":       {bytes.Join(slices.Delete(slices.Clone(lines), 3, 4), nil), secret.ErrDamaged},
		"a later version":  {edit("keyring 1\n", "keyring 2\n"), secret.ErrVersion},
		"version 01":       {edit("keyring 1\n", "keyring 01\n"), secret.ErrDamaged},
		"version x":        {edit("keyring 1\n", "keyring x\n"), secret.ErrDamaged},
		"far too long":     {bytes.Repeat([]byte("x"), 1<<20+1), secret.ErrDamaged},
		"another primary":  {edit("primary ", "primary 0"), secret.ErrDamaged},
		"an upper-case id": {bytes.ToUpper(text), secret.ErrDamaged},
	}
	for n := range text {
		cases[fmt.Sprintf("the first %d bytes", n)] = struct {
			text []byte
			want error
		}{text[:n], secret.ErrDamaged}
		bad := bytes.Clone(text)
		bad[n] ^= 1
		cases[fmt.Sprintf("byte %d changed", n)] = struct {
			text []byte
			want error
		}{bad, secret.ErrDamaged}
	}
	versionAt := bytes.IndexByte(text, '\n') - 1 // '1' ^ 1 is '0'
	cases[fmt.Sprintf("byte %d changed", versionAt)] = struct {
		text []byte
		want error
	}{edit("keyring 1\n", "keyring 0\n"), secret.ErrVersion}
	before := ids(t, r)
	for name, c := range cases {
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, openErr := secret.OpenKeyring(path, true)
		_, addErr := r.Add(context.Background())
		for _, err := range []error{openErr, addErr} {
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want %v with the path", name, err, c.want)
			} else if leaks(err.Error(), bytes.Fields(lines[3])[3]) || leaks(err.Error(), bytes.Fields(lines[4])[3]) {
				t.Errorf("%s: the error shows a key: %v", name, err)
			}
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, c.text) {
			t.Fatalf("%s: the file was changed, %v", name, err)
		}
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if after := ids(t, r); !slices.Equal(before, after) {
		t.Errorf("the backup has keys %q, want %q", after, before)
	}
}

func TestAFolderIsNoKeyring(t *testing.T) {
	if _, err := secret.OpenKeyring(t.TempDir(), true); !errors.Is(err, secret.ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
}

func TestAddedKeysBecomeThePrimary(t *testing.T) {
	path := ringPath(t)
	r := openRing(t, path, true)
	want := ids(t, r)
	for range 3 {
		want = append(want, add(t, r))
		if got := primary(t, r); got != want[len(want)-1] {
			t.Errorf("primary %s, want the newest of %q", got, want)
		}
	}
	if got := ids(t, openRing(t, path, false)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	onlyFile(t, path)
}

func TestRemovedKeysAreGone(t *testing.T) {
	path := ringPath(t)
	r := openRing(t, path, true)
	old, wrapped, err := r.Wrap(context.Background(), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(context.Background(), old); !errors.Is(err, secret.ErrPrimary) {
		t.Errorf("%v, want ErrPrimary", err)
	}
	kept := add(t, r)
	for range 2 { // the second time it is gone already
		if err := r.Remove(context.Background(), old); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []*secret.Keyring{r, openRing(t, path, false)} {
		if got := ids(t, r); !slices.Equal(got, []string{kept}) {
			t.Errorf("%q, want %q", got, kept)
		}
		if _, err := r.Unwrap(context.Background(), old, wrapped); !errors.Is(err, secret.ErrUnknownKEK) || !strings.Contains(err.Error(), old) {
			t.Errorf("%v, want ErrUnknownKEK that names %s", err, old)
		}
	}
	if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte(old)) {
		t.Errorf("the file still has key %s, %v", old, err)
	}
}

// A stale process must not wrap under a key that is no longer there: nobody could unwrap it after a restart.
func TestAnotherProcessIsSeen(t *testing.T) {
	path := ringPath(t)
	server := openRing(t, path, true)
	first := primary(t, server)
	command := openRing(t, path, false)
	second := add(t, command)
	_, underSecond, err := command.Wrap(context.Background(), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := server.Unwrap(context.Background(), second, underSecond); err != nil || string(plain) != "plain" {
		t.Fatalf("%q, %v", plain, err)
	}
	third := add(t, command)
	if err := command.Remove(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	if id, _, err := server.Wrap(context.Background(), []byte("plain")); err != nil || id != third {
		t.Errorf("wrapped under %s, %v, want %s", id, err, third)
	}
	if got := ids(t, server); !slices.Equal(got, []string{second, third}) {
		t.Errorf("%q, want %q and %q", got, second, third)
	}
}

func TestWithoutItsFileAKeyringUnwrapsButDoesNotWrap(t *testing.T) {
	path := ringPath(t)
	r := openRing(t, path, true)
	id, wrapped, err := r.Wrap(context.Background(), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if plain, err := r.Unwrap(context.Background(), id, wrapped); err != nil || string(plain) != "plain" {
		t.Errorf("%q, %v", plain, err)
	}
	_, _, wrapErr := r.Wrap(context.Background(), nil)
	_, primaryErr := r.Primary(context.Background())
	_, idsErr := r.IDs(context.Background())
	_, addErr := r.Add(context.Background())
	_, unwrapErr := r.Unwrap(context.Background(), "other", wrapped)
	for _, err := range []error{wrapErr, primaryErr, idsErr, addErr, r.Remove(context.Background(), "other"), unwrapErr} {
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, secret.ErrUnknownKEK) {
			t.Errorf("%v, want fs.ErrNotExist", err)
		}
	}
}

func TestWrappedKeysAreOfOneKEK(t *testing.T) {
	r := openRing(t, ringPath(t), true)
	first, wrapped, err := r.Wrap(context.Background(), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	second := add(t, r)
	if _, err := r.Unwrap(context.Background(), second, wrapped); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("under the other key: %v, want ErrSealed", err)
	}
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1
		if _, err := r.Unwrap(context.Background(), first, bad); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("byte %d: %v, want ErrSealed", i, err)
		}
		if _, err := r.Unwrap(context.Background(), first, wrapped[:i]); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%d bytes: %v, want ErrSealed", i, err)
		}
	}
}

func TestProcessesThatAddAtOnceLoseNoKey(t *testing.T) {
	path := ringPath(t)
	const processes = 3
	var mu sync.Mutex
	var want []string
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), helper+"="+path)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%v: %s", err, &stderr)
			}
			mu.Lock()
			defer mu.Unlock()
			want = append(want, strings.Fields(string(out))...)
		})
	}
	// One more, in this process, makes keys and takes them away again.
	r := openRing(t, path, true)
	for range added {
		id := add(t, r)
		want = append([]string{add(t, r)}, want...)
		if err := r.Remove(context.Background(), id); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	got := ids(t, r)
	if len(got) != (processes+1)*added+1 { // and the one that it was made with
		t.Errorf("%d keys, want %d", len(got), (processes+1)*added+1)
	}
	for _, id := range want {
		if !slices.Contains(got, id) {
			t.Errorf("key %s is lost", id)
		}
	}
	onlyFile(t, path)
}

func TestAddEndsWithItsContext(t *testing.T) {
	r := openRing(t, ringPath(t), true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Add(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if n := len(ids(t, r)); n != 1 {
		t.Errorf("%d keys", n)
	}
}

func TestAnUnfinishedReplacementIsNoHindrance(t *testing.T) {
	path := ringPath(t)
	r := openRing(t, path, true)
	if err := os.WriteFile(path+".next", []byte("starling keyring 1\nkey "), 0o600); err != nil {
		t.Fatal(err)
	}
	id := add(t, r)
	if got := primary(t, openRing(t, path, false)); got != id {
		t.Errorf("primary %s, want %s", got, id)
	}
	onlyFile(t, path)
}

func TestALinkToAKeyringStaysALink(t *testing.T) {
	path := ringPath(t)
	openRing(t, path, true)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	id := add(t, openRing(t, link, false))
	if got := primary(t, openRing(t, path, false)); got != id {
		t.Errorf("primary %s, want %s", got, id)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("%v, %v", info, err)
	}
}

func TestKeysAreDated(t *testing.T) {
	path := ringPath(t)
	before := time.Now().UTC().Truncate(time.Second)
	openRing(t, path, true)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, strings.Fields(strings.Split(string(text), "\n")[3])[2])
	if err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("made %v, %v, not at %v", at, err, before)
	}
}
