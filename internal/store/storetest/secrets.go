package storetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// secretsComeBack stores every kind of secret, for several subscribers, and reads them in all ways.
func secretsComeBack(t *testing.T, open Open) {
	ctx, place := context.Background(), t.TempDir()
	s := open(t, place)
	for i, subscriber := range []string{"a", "b"} {
		o := s.Within(subscriber)
		d, g := testDevice(i), testGroup(i)
		none := testDevice(10 + i)
		none.RootKey = lorawan.AES128Key{}
		must(t, o.Devices().Create(ctx, &d))
		must(t, o.Devices().Create(ctx, &none))
		must(t, o.Groups().Create(ctx, &g))
		must(t, o.SmartDeltaKeys().Create(ctx, &fleet.SmartDeltaKey{ID: subscriber, Name: "k", PrivateKey: []byte{1, byte(i)}}))
		must(t, o.Subscribers().Create(ctx, &fleet.Subscriber{ID: subscriber, Name: "s", ASKey: []byte{2, byte(i)}}))
	}
	// Whoever sees all subscribers and forgets to say whose it is changes nothing about that.
	d := find(t, s.Devices(), devEUI(1, 1))
	d.SubscriberID, d.RootKey[5] = "a", 77
	must(t, s.Devices().Update(ctx, &d))
	d = find(t, s.Devices(), devEUI(1, 11))
	d.RootKey[5] = 78 // the first key of this device
	must(t, s.Devices().Update(ctx, &d))
	keys, err := s.DataKeys(ctx)
	must(t, err)
	var whose []string
	for _, k := range keys {
		whose = append(whose, k.SubscriberID)
	}
	same(t, "data keys", whose, []string{"a", "b"})

	for _, s := range []store.Store{s, open(t, place)} {
		all, err := s.Devices().FindAll(ctx, []lorawan.EUI64{devEUI(1, 0), devEUI(1, 1), devEUI(1, 10), devEUI(1, 11)})
		must(t, err)
		page, err := s.Devices().List(ctx, store.Query{})
		must(t, err)
		same(t, "listed", page.Items, all)
		expected := []lorawan.AES128Key{testDevice(0).RootKey, testDevice(1).RootKey, {}, {}}
		expected[1][5], expected[3][5] = 77, 78
		for i, d := range all {
			if d.RootKey != expected[i] || d.SubscriberID != []string{"a", "b"}[i%2] {
				t.Errorf("device %s of %s has key %x", d.DevEUI, d.SubscriberID, d.RootKey[:])
			}
		}
		for i, subscriber := range []string{"a", "b"} {
			same(t, "group key", find(t, s.Groups(), devEUI(2, i)).McKey, testGroup(i).McKey)
			same(t, "private key", find(t, s.SmartDeltaKeys(), subscriber).PrivateKey, []byte{1, byte(i)})
			same(t, "credentials", find(t, s.Subscribers(), subscriber).ASKey, []byte{2, byte(i)})
		}
	}
}

// anotherKEK opens a database with a key that it was not used with.
func anotherKEK(t *testing.T, open OpenWith) {
	ctx, place := context.Background(), t.TempDir()
	d := testDevice(1)
	must(t, open(t, place, KEK()).Devices().Create(ctx, &d))
	other, err := secret.OpenKeyring(filepath.Join(t.TempDir(), "keyring"), true)
	must(t, err)
	s := open(t, place, other)
	_, err = s.Devices().Find(ctx, d.DevEUI)
	want(t, err, secret.ErrUnknownKEK)
	if !strings.Contains(err.Error(), d.DevEUI.String()) || !strings.Contains(err.Error(), "root_key") {
		t.Errorf("%v names neither object nor column", err)
	}
	if _, err := s.Devices().List(ctx, store.Query{}); err == nil {
		t.Error("devices are listed without their keys")
	}
	e := testDevice(2)
	if err := s.Devices().Create(ctx, &e); err == nil {
		t.Error("a device is stored beside one that cannot be read")
	}
	if n, err := s.Devices().Count(ctx, store.Query{}); err != nil || n != 1 {
		t.Errorf("%d devices, %v", n, err)
	}
}

// limited is a KEK whose process dies after some wraps.
type limited struct {
	secret.KEK
	wraps int
}

var errDied = errors.New("the process dies here")

func (l *limited) Wrap(ctx context.Context, plain []byte) (string, []byte, error) {
	if l.wraps--; l.wraps < 0 {
		return "", nil, errDied
	}
	return l.KEK.Wrap(ctx, plain)
}

const rotated = 5 // subscribers, each with a data key

// manySubscribers stores a device for each, whose key tells whose it is.
func manySubscribers(t *testing.T, s store.Store) {
	for i := range rotated {
		d := testDevice(i)
		must(t, s.Within(fmt.Sprint("s", i)).Devices().Create(context.Background(), &d))
	}
}

func readSubscribers(s store.Store) error {
	page, err := s.Devices().List(context.Background(), store.Query{})
	if err != nil {
		return err
	}
	for i, d := range page.Items {
		if d.RootKey != testDevice(i).RootKey {
			return fmt.Errorf("device %s has another key", d.DevEUI)
		}
	}
	if len(page.Items) != rotated {
		return fmt.Errorf("%d devices", len(page.Items))
	}
	return nil
}

// rotation crashes after each number of keys there can be, and goes on.
func rotation(t *testing.T, open OpenWith) {
	ctx := context.Background()
	for crash := range rotated + 1 {
		place := t.TempDir()
		ring, err := secret.OpenKeyring(filepath.Join(t.TempDir(), "keyring"), true)
		must(t, err)
		manySubscribers(t, open(t, place, ring))
		before, err := ring.Primary(ctx)
		must(t, err)
		after, err := ring.Add(ctx)
		must(t, err)

		s := open(t, place, &limited{ring, crash})
		done, err := s.RewrapDataKeys(ctx)
		if crash < rotated {
			want(t, err, errDied)
		} else {
			must(t, err)
		}
		same(t, "done before the crash", done, store.Rotation{Total: rotated, Rewrapped: crash})

		s = open(t, place, ring)
		must(t, readSubscribers(s))
		keys, err := s.DataKeys(ctx)
		must(t, err)
		var under []string
		for _, k := range keys {
			under = append(under, k.KEKID)
		}
		same(t, "under", under, append(slices.Repeat([]string{after}, crash), slices.Repeat([]string{before}, rotated-crash)...))
		done, err = s.RewrapDataKeys(ctx)
		must(t, err)
		same(t, "done after it", done, store.Rotation{Total: rotated, Rewrapped: rotated - crash})
		must(t, ring.Remove(ctx, before))
		s = open(t, place, ring)
		must(t, readSubscribers(s))
		done, err = s.RewrapDataKeys(ctx)
		must(t, err)
		same(t, "done again", done, store.Rotation{Total: rotated})
	}
}

// rotationBesideReaders rotates again and again while others, who know none of the data keys
// yet, read, and while data keys are made.
func rotationBesideReaders(t *testing.T, open OpenWith) {
	ctx, place := context.Background(), t.TempDir()
	ring, err := secret.OpenKeyring(filepath.Join(t.TempDir(), "keyring"), true)
	must(t, err)
	manySubscribers(t, open(t, place, ring))
	var readers []store.Store
	for range 3 {
		readers = append(readers, open(t, place, ring))
	}
	s := open(t, place, ring)
	var wg sync.WaitGroup
	for _, r := range readers {
		wg.Go(func() {
			for i := range 5 {
				if err := readSubscribers(r); err != nil {
					t.Error(err)
				}
				g := testGroup(i)
				if err := r.Within(fmt.Sprint("new", i)).Groups().Create(ctx, &g); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		old, err := ring.IDs(ctx)
		must(t, err)
		_, err = ring.Add(ctx)
		must(t, err)
		_, err = s.RewrapDataKeys(ctx)
		must(t, err)
		keys, err := s.DataKeys(ctx)
		must(t, err)
		for _, id := range old {
			if !slices.ContainsFunc(keys, func(k secret.DataKey) bool { return k.KEKID == id }) {
				must(t, ring.Remove(ctx, id))
			}
		}
	}
	wg.Wait()
	again := open(t, place, ring)
	must(t, readSubscribers(again))
	groups, err := again.Groups().List(ctx, store.Query{})
	must(t, err)
	if len(groups.Items) != 5 {
		t.Errorf("%d groups", len(groups.Items))
	}
}

// rolledBackDataKey makes the first data key of a subscriber in a transaction that fails.
func rolledBackDataKey(t *testing.T, open OpenWith) {
	ctx, place := context.Background(), t.TempDir()
	s := open(t, place, KEK())
	boom := errors.New("boom")
	d := testDevice(1)
	want(t, s.Tx(ctx, func(o store.Objects) error {
		must(t, o.Within("x").Devices().Create(ctx, &d))
		e := testDevice(2)
		must(t, o.Within("x").Devices().Create(ctx, &e)) // under the same data key
		return boom
	}), boom)
	keys, err := s.DataKeys(ctx)
	must(t, err)
	if len(keys) != 0 {
		t.Fatalf("%v are left over", keys)
	}
	must(t, s.Tx(ctx, func(o store.Objects) error {
		if err := o.Within("x").Devices().Create(ctx, &d); err != nil {
			return err
		}
		want(t, o.Within("x").Devices().Create(ctx, &d), store.ErrConflict) // which is no reason to give up
		got, err := o.Devices().Find(ctx, d.DevEUI)
		if err == nil && got.RootKey != testDevice(1).RootKey {
			t.Error("a transaction reads another key than it wrote")
		}
		return err
	}))
	s = open(t, place, KEK())
	if got := find(t, s.Devices(), d.DevEUI); got.RootKey != testDevice(1).RootKey {
		t.Errorf("key %x", got.RootKey[:])
	}
	keys, err = s.DataKeys(ctx)
	must(t, err)
	if len(keys) != 1 {
		t.Errorf("%v", keys)
	}
}

// manyFirstWriters all seal the first secret of the same subscriber, from two processes.
func manyFirstWriters(t *testing.T, open OpenWith) {
	ctx, place := context.Background(), t.TempDir()
	stores := []store.Store{open(t, place, KEK()), open(t, place, KEK())}
	const writers = 8
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			d := testDevice(w)
			if err := stores[w%2].Within("x").Devices().Create(ctx, &d); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := open(t, place, KEK())
	for w := range writers {
		if got := find(t, s.Devices(), devEUI(1, w)); got.RootKey != testDevice(w).RootKey {
			t.Errorf("device %d has key %x", w, got.RootKey[:])
		}
	}
	keys, err := s.DataKeys(ctx)
	must(t, err)
	if len(keys) != 1 {
		t.Errorf("%v", keys)
	}
}

// DamagedSecrets is a test for engines: it changes sealed values behind the back of the store.
func DamagedSecrets(t *testing.T, s store.Store, exec func(query string) error) {
	ctx := context.Background()
	for n := range 4 {
		d := testDevice(n)
		must(t, s.Devices().Create(ctx, &d))
	}
	id := func(n int) string { // hexadecimal digits are understood by both engines in their own way
		return "(SELECT id FROM device WHERE search LIKE '%" + devEUI(1, n).String() + "')"
	}
	for _, change := range []string{
		"UPDATE device SET root_key = (SELECT root_key FROM device WHERE id = " + id(0) + ") WHERE id = " + id(1), // of another
		"UPDATE device SET subscriber_id = 'thief' WHERE id = " + id(2),                                           // to another
	} {
		must(t, exec(change))
	}
	for n := 1; n <= 2; n++ {
		_, err := s.Devices().Find(ctx, devEUI(1, n))
		want(t, err, secret.ErrSealed)
		if !strings.Contains(err.Error(), devEUI(1, n).String()) || !strings.Contains(err.Error(), "root_key") {
			t.Errorf("%v names neither object nor column", err)
		}
	}
	page, err := s.Devices().List(ctx, store.Query{})
	want(t, err, secret.ErrSealed)
	if !strings.Contains(err.Error(), devEUI(1, 1).String()) || !strings.Contains(err.Error(), "2 secrets") || len(page.Items) != 0 {
		t.Errorf("%v, %d items", err, len(page.Items))
	}
	find(t, s.Devices(), devEUI(1, 0))
	find(t, s.Devices(), devEUI(1, 3))

	must(t, exec("DELETE FROM data_key"))
	_, err = s.Devices().Find(ctx, devEUI(1, 3))
	must(t, err) // it is still open here
}
