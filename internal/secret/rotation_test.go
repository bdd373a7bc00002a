package secret_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/internal/secret"
)

// errCrash ends a rotation in the middle.
var errCrash = errors.New("crash")

// world is what survives a crash: the keyring file and the rows of the database.
type world struct {
	path   string
	rows   []secret.DataKey
	values []value
}

type value struct {
	sealed, aad []byte
	plain       string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{path: ringPath(t)}
	s := secret.NewSealer(openRing(t, w.path, true), nil)
	for i := range 4 {
		dk := newDataKey(t, s, fmt.Sprint("subscriber ", i))
		w.rows = append(w.rows, dk)
		for row := range 3 {
			v := value{aad: secret.AAD(dk.SubscriberID, "device", fmt.Sprint(row), "app_key"), plain: fmt.Sprint("key ", row)}
			v.sealed = seal(t, s, dk, v.plain, v.aad)
			w.values = append(w.values, v)
		}
	}
	return w
}

// rotate does what the store does, and calls after following each step.
func (w *world) rotate(ctx context.Context, kek secret.Rotator, after func() error) error {
	if _, err := kek.Add(ctx); err != nil {
		return err
	}
	if err := after(); err != nil {
		return err
	}
	s := secret.NewSealer(kek, nil)
	inUse := map[string]bool{}
	for i, dk := range w.rows {
		dk, changed, err := s.Rewrap(ctx, dk)
		if err != nil {
			return err
		}
		w.rows[i] = dk
		inUse[dk.KEKID] = true
		if changed {
			if err := after(); err != nil {
				return err
			}
		}
	}
	all, err := kek.IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range all {
		if inUse[id] {
			continue
		}
		if err := kek.Remove(ctx, id); err != nil {
			return err
		}
		if err := after(); err != nil {
			return err
		}
	}
	return nil
}

// check starts a process anew and unseals everything.
func (w *world) check(t *testing.T) {
	t.Helper()
	s := secret.NewSealer(openRing(t, w.path, false), nil)
	for _, dk := range w.rows {
		if err := s.Open(context.Background(), dk); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range w.values {
		expectPlain(t, s, v.sealed, v.plain, v.aad)
	}
}

func TestRotationSurvivesACrashAfterEveryStep(t *testing.T) {
	for crash := 1; ; crash++ {
		w := newWorld(t)
		before := primary(t, openRing(t, w.path, false))
		steps := 0
		err := w.rotate(context.Background(), openRing(t, w.path, false), func() error {
			if steps++; steps == crash {
				return errCrash
			}
			return nil
		})
		w.check(t)
		if err == nil {
			if want := 1 + len(w.rows) + 1; steps != want {
				t.Errorf("%d steps, want %d: some were not tried", steps, want)
			}
			break
		}
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		if err := w.rotate(context.Background(), openRing(t, w.path, false), func() error { return nil }); err != nil {
			t.Fatalf("again, after a crash at step %d: %v", crash, err)
		}
		w.check(t)
		r := openRing(t, w.path, false)
		now := primary(t, r)
		if got := ids(t, r); !slices.Equal(got, []string{now}) || now == before {
			t.Errorf("after a crash at step %d and again: keys %q, primary %s, before %s", crash, got, now, before)
		}
		for _, dk := range w.rows {
			if dk.KEKID != now {
				t.Errorf("after a crash at step %d and again: %v, primary %s", crash, dk, now)
			}
		}
	}
}

// A crash at every step of every attempt: keys pile up until one attempt gets through.
func TestRotationSurvivesOneCrashAfterAnother(t *testing.T) {
	w := newWorld(t)
	for crash := 1; ; crash++ {
		steps := 0
		err := w.rotate(context.Background(), openRing(t, w.path, false), func() error {
			if steps++; steps == crash {
				return errCrash
			}
			return nil
		})
		w.check(t)
		if err == nil {
			break
		}
	}
	if got := ids(t, openRing(t, w.path, false)); len(got) != 1 {
		t.Errorf("keys %q remain", got)
	}
}

// The server runs on while a command rotates, with what it opened before.
func TestARotationDoesNotDisturbARunningServer(t *testing.T) {
	w := newWorld(t)
	server := secret.NewSealer(openRing(t, w.path, false), nil)
	for _, dk := range w.rows {
		if err := server.Open(context.Background(), dk); err != nil {
			t.Fatal(err)
		}
	}
	late := secret.NewSealer(openRing(t, w.path, false), nil) // opens nothing until later
	err := w.rotate(context.Background(), openRing(t, w.path, false), func() error {
		for _, v := range w.values {
			expectPlain(t, server, v.sealed, v.plain, v.aad)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.rows = append(w.rows, newDataKey(t, server, "new"))
	for _, dk := range w.rows {
		if err := late.Open(context.Background(), dk); err != nil {
			t.Error(err)
		}
	}
	w.check(t)
}
