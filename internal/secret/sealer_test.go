package secret_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/internal/secret"
)

// newSealer returns a sealer on fixed keys with the data keys of subscribers "a" and "b".
func newSealer(t testing.TB) (s *secret.Sealer, a, b secret.DataKey) {
	t.Helper()
	s = secret.NewSealer(environment(t, entry("k1", 1)), seeded(9))
	return s, newDataKey(t, s, "a"), newDataKey(t, s, "b")
}

func place(parts ...string) []byte { return secret.AAD(parts...) }

func TestWhatIsSealedIsUnsealed(t *testing.T) {
	s, a, _ := newSealer(t)
	for _, plain := range []string{"", "x", "0123456789abcdef", strings.Repeat("long ", 1000)} {
		for _, aad := range [][]byte{nil, {}, place("a", "device", "1", "app_key")} {
			sealed := seal(t, s, a, plain, aad)
			if got, want := len(sealed), len(plain)+45; got != want {
				t.Errorf("%d bytes sealed to %d, want %d", len(plain), got, want)
			}
			if id, err := secret.KeyOf(sealed); err != nil || id != a.ID {
				t.Errorf("KeyOf %q, %v, want %q", id, err, a.ID)
			}
			expectPlain(t, s, sealed, plain, aad)
		}
	}
}

func TestSealingTwiceGivesDifferentBytes(t *testing.T) {
	s, a, _ := newSealer(t)
	if bytes.Equal(seal(t, s, a, "same", nil), seal(t, s, a, "same", nil)) {
		t.Error("equal secrets can be told from their sealed values")
	}
}

func TestUnsealDoesNotChangeOrKeepItsInput(t *testing.T) {
	s, a, _ := newSealer(t)
	aad := append(make([]byte, 0, 100), "here"...)
	sealed := append(make([]byte, 0, 200), seal(t, s, a, "plain", aad)...)
	before := bytes.Clone(sealed)
	plain, err := s.Unseal(sealed, aad)
	if err != nil || !bytes.Equal(sealed, before) {
		t.Fatalf("%v, or the input was changed", err)
	}
	clear(sealed)
	if string(plain) != "plain" {
		t.Errorf("%q lies in the caller's bytes", plain)
	}
}

// Every byte and every bit pattern of one: refused. The id may also point to no key at all.
func TestTamperedValuesAreRefused(t *testing.T) {
	s, a, _ := newSealer(t)
	aad := place("a", "device", "1", "app_key")
	sealed := seal(t, s, a, "sixteen bytes ok", aad)
	for i := range sealed {
		for flip := 1; flip < 256; flip++ {
			bad := bytes.Clone(sealed)
			bad[i] ^= byte(flip)
			want := secret.ErrSealed
			if 1 <= i && i <= 16 {
				want = secret.ErrNoDataKey
			}
			if plain, err := s.Unseal(bad, aad); !errors.Is(err, want) || plain != nil {
				t.Fatalf("byte %d ^ %#x: %q, %v, want %v", i, flip, plain, err, want)
			}
		}
	}
	for n := range sealed {
		if _, err := s.Unseal(sealed[:n], aad); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("first %d of %d bytes: %v, want ErrSealed", n, len(sealed), err)
		}
		if _, err := secret.KeyOf(sealed[:n]); n < 45 && !errors.Is(err, secret.ErrSealed) {
			t.Errorf("KeyOf %d of %d bytes: %v, want ErrSealed", n, len(sealed), err)
		}
	}
	if _, err := s.Unseal(append(sealed, 0), aad); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("a byte more: %v, want ErrSealed", err)
	}
}

func TestValuesCannotMove(t *testing.T) {
	s, a, b := newSealer(t)
	sealed := seal(t, s, a, "app key of 1", place("a", "device", "1", "app_key"))
	for name, aad := range map[string][]byte{
		"another subscriber": place("b", "device", "1", "app_key"),
		"another table":      place("a", "file", "1", "app_key"),
		"another row":        place("a", "device", "2", "app_key"),
		"another column":     place("a", "device", "1", "gen_app_key"),
		"parts joined":       place("adevice", "1", "app_key"),
		"parts shifted":      place("a", "device1", "", "app_key"),
		"a part more":        place("a", "device", "1", "app_key", ""),
		"nowhere":            nil,
	} {
		if _, err := s.Unseal(sealed, aad); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%s: %v, want ErrSealed", name, err)
		}
	}
	// The id of another open key in the header, as who moves a row to a subscriber would write it.
	other := seal(t, s, b, "", nil)
	copy(sealed[1:17], other[1:17])
	if _, err := s.Unseal(sealed, place("a", "device", "1", "app_key")); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("under the key of b: %v, want ErrSealed", err)
	}
}

func TestAADTellsEveryListApart(t *testing.T) {
	long := strings.Repeat("x", 300)
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"a", "b", "c"},
		{"\x01a"}, {"\x01", "a"}, {"a\x00"}, {long}, {long, ""}, {long + "x"}, {"\xac\x02" + long},
	} {
		key := string(secret.AAD(parts...))
		if before, ok := seen[key]; ok {
			t.Errorf("%q and %q give the same", before, parts)
		}
		seen[key] = parts
	}
}

func TestAKeyThatIsNotOpenIsNamedAndCanBeOpened(t *testing.T) {
	s, a, _ := newSealer(t)
	sealed := seal(t, s, a, "plain", nil)

	later := secret.NewSealer(environment(t, entry("k1", 1)), nil)
	for range 2 {
		_, unsealErr := later.Unseal(sealed, nil)
		_, sealErr := later.Seal(a.ID, nil, nil)
		for _, err := range []error{unsealErr, sealErr} {
			if !errors.Is(err, secret.ErrNoDataKey) || !strings.Contains(err.Error(), a.ID) {
				t.Fatalf("%v, want ErrNoDataKey that names %s", err, a.ID)
			}
		}
	}
	for range 2 {
		if err := later.Open(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	expectPlain(t, later, sealed, "plain", nil)
	expectPlain(t, s, seal(t, later, a, "answer", nil), "answer", nil)
}

func TestDataKeysOfOthersAreRefused(t *testing.T) {
	_, a, b := newSealer(t)
	changed := func(f func(*secret.DataKey)) secret.DataKey {
		dk := a
		dk.Wrapped = bytes.Clone(a.Wrapped)
		f(&dk)
		return dk
	}
	for name, c := range map[string]struct {
		dk   secret.DataKey
		want error
	}{
		"another subscriber":   {changed(func(dk *secret.DataKey) { dk.SubscriberID = "b" }), secret.ErrSealed},
		"no subscriber":        {changed(func(dk *secret.DataKey) { dk.SubscriberID = "" }), secret.ErrSealed},
		"another id":           {changed(func(dk *secret.DataKey) { dk.ID = b.ID }), secret.ErrSealed},
		"the wrapped key of b": {changed(func(dk *secret.DataKey) { dk.Wrapped = b.Wrapped }), secret.ErrSealed},
		"an upper-case id":     {changed(func(dk *secret.DataKey) { dk.ID = strings.ToUpper(a.ID[:35]) + "F" }), secret.ErrSealed},
		"an id in braces":      {changed(func(dk *secret.DataKey) { dk.ID = "{" + a.ID + "}" }), secret.ErrSealed},
		"no id":                {changed(func(dk *secret.DataKey) { dk.ID = "" }), secret.ErrSealed},
		"nothing wrapped":      {changed(func(dk *secret.DataKey) { dk.Wrapped = nil }), secret.ErrSealed},
		"cut":                  {changed(func(dk *secret.DataKey) { dk.Wrapped = dk.Wrapped[:20] }), secret.ErrSealed},
		"another KEK":          {changed(func(dk *secret.DataKey) { dk.KEKID = "k2" }), secret.ErrSealed},
		"an unknown KEK":       {changed(func(dk *secret.DataKey) { dk.KEKID = "k7" }), secret.ErrUnknownKEK},
	} {
		fresh := secret.NewSealer(environment(t, entry("k2", 2)+","+entry("k1", 1)), nil)
		if err := fresh.Open(context.Background(), c.dk); !errors.Is(err, c.want) {
			t.Errorf("Open %s: %v, want %v", name, err, c.want)
		}
		if c.dk.KEKID == "k2" || name == "an upper-case id" {
			continue // Rewrap does not look at what is under the primary already
		}
		if dk, changed, err := fresh.Rewrap(context.Background(), c.dk); !errors.Is(err, c.want) || changed || !bytes.Equal(dk.Wrapped, c.dk.Wrapped) {
			t.Errorf("Rewrap %s: %t, %v, want %v", name, changed, err, c.want)
		}
	}
	for i := range a.Wrapped {
		bad := changed(func(dk *secret.DataKey) { dk.Wrapped[i] ^= 1 })
		if err := secret.NewSealer(environment(t, entry("k1", 1)), nil).Open(context.Background(), bad); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("byte %d of the wrapped key: %v, want ErrSealed", i, err)
		}
	}
}

// Being open already must not let through what would be refused otherwise.
func TestAnOpenKeyKeepsItsSubscriber(t *testing.T) {
	s, a, _ := newSealer(t)
	a.SubscriberID = "b"
	if err := s.Open(context.Background(), a); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("%v, want ErrSealed", err)
	}
}

func TestRewrapMovesToThePrimaryOnce(t *testing.T) {
	s, a, _ := newSealer(t)
	sealed := seal(t, s, a, "plain", nil)
	both := secret.NewSealer(environment(t, entry("k2", 2)+","+entry("k1", 1)), nil)
	moved, changed, err := both.Rewrap(context.Background(), a)
	if err != nil || !changed || moved.KEKID != "k2" || a.KEKID != "k1" {
		t.Fatalf("%v -> %v, %t, %v", a, moved, changed, err)
	}
	if moved.ID != a.ID || moved.SubscriberID != a.SubscriberID || !moved.CreatedAt.Equal(a.CreatedAt) {
		t.Errorf("%v became %v", a, moved)
	}
	if again, changed, err := both.Rewrap(context.Background(), moved); err != nil || changed || !bytes.Equal(again.Wrapped, moved.Wrapped) {
		t.Errorf("again: %t, %v", changed, err)
	}
	only := secret.NewSealer(environment(t, entry("k2", 2)), nil)
	if err := only.Open(context.Background(), moved); err != nil {
		t.Fatal(err)
	}
	expectPlain(t, only, sealed, "plain", nil)
}

// oneWay is a KMS that lets us encrypt and not decrypt, as its permissions can be set.
type oneWay struct{ secret.KEK }

var errDenied = errors.New("denied")

func (oneWay) Unwrap(context.Context, string, []byte) ([]byte, error) { return nil, errDenied }

// wrong is a KEK that gives back something else.
type wrong struct{ secret.KEK }

func (w wrong) Unwrap(ctx context.Context, id string, wrapped []byte) ([]byte, error) {
	plain, err := w.KEK.Unwrap(ctx, id, wrapped)
	return append(plain, 0), err
}

func TestWhatCannotBeUnwrappedIsNotHandedOut(t *testing.T) {
	for _, c := range []struct {
		kek  secret.KEK
		want error
	}{
		{oneWay{environment(t, entry("k1", 1))}, errDenied},
		{wrong{environment(t, entry("k1", 1))}, secret.ErrSealed},
	} {
		dk, err := secret.NewSealer(c.kek, nil).NewDataKey(context.Background(), "a", made)
		if !errors.Is(err, c.want) || dk.Wrapped != nil {
			t.Errorf("%T: %v, %v, want %v", c.kek, dk, err, c.want)
		}
	}
}

func TestADryRandomSourceMakesNoKey(t *testing.T) {
	for _, n := range []int{0, 15, 16, 47} {
		s := secret.NewSealer(environment(t, entry("k1", 1)), bytes.NewReader(make([]byte, n)))
		if _, err := s.NewDataKey(context.Background(), "a", made); err == nil {
			t.Errorf("a key of %d random bytes", n)
		}
	}
}

func TestASealerIsForMany(t *testing.T) {
	s, a, _ := newSealer(t)
	fresh := secret.NewSealer(environment(t, entry("k1", 1)), seeded(3))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			own, err := fresh.NewDataKey(context.Background(), "c", made)
			if err == nil {
				err = fresh.Open(context.Background(), a)
			}
			if err != nil {
				t.Error(err)
				return
			}
			for _, dk := range []secret.DataKey{own, a} {
				sealed, err := fresh.Seal(dk.ID, []byte("plain"), nil)
				if err != nil {
					t.Error(err)
					continue
				}
				if plain, err := fresh.Unseal(sealed, nil); err != nil || string(plain) != "plain" {
					t.Errorf("%q, %v", plain, err)
				}
			}
		})
	}
	wg.Wait()
	expectPlain(t, fresh, seal(t, s, a, "x", nil), "x", nil)
}

func BenchmarkSealUnseal(b *testing.B) {
	s, a, _ := newSealer(b)
	aad, plain := place("a", "device", "0102030405060708", "app_key"), make([]byte, 16)
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := s.Seal(a.ID, plain, aad)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Unseal(sealed, aad); err != nil {
			b.Fatal(err)
		}
	}
}
