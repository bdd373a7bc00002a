package service_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
)

// keyed is a service on a database and a keyring that are files.
type keyed struct {
	*testing.T
	*service.Service
	database, ring string
	keyring        *secret.Keyring
	store          store.Store
}

func newKeyed(t *testing.T) *keyed {
	k := &keyed{T: t, database: filepath.Join(t.TempDir(), "starling.db"), ring: filepath.Join(t.TempDir(), "keys")}
	k.open(true, func(kek secret.KEK) secret.KEK { return kek })
	t.Cleanup(func() { _ = k.store.Close() })
	return k
}

// open begins as a new process does: from the files.
func (k *keyed) open(create bool, through func(secret.KEK) secret.KEK) {
	k.Helper()
	var err error
	if k.keyring, err = secret.OpenKeyring(k.ring, create); err != nil {
		k.Fatal(err)
	}
	kek := through(k.keyring)
	if k.store, err = sqlite.Open(context.Background(), k.database, kek); err != nil {
		k.Fatal(err)
	}
	k.Service = service.New(service.Config{Store: k.store, Runner: service.NoNetwork{}, Rotation: service.NewRotation(kek, k.store)})
}

// reopen ends the process, however that was, and begins another.
func (k *keyed) reopen(through func(secret.KEK) secret.KEK) {
	k.Helper()
	if err := k.store.Close(); err != nil {
		k.Fatal(err)
	}
	k.open(false, through)
}

// opensNot tries the database with a keyring from before the rotation.
func (k *keyed) opensNot(ring []byte) {
	k.Helper()
	path := filepath.Join(k.TempDir(), "old")
	if err := os.WriteFile(path, ring, 0o600); err != nil {
		k.Fatal(err)
	}
	keyring, err := secret.OpenKeyring(path, false)
	if err != nil {
		k.Fatal(err)
	}
	if err := k.store.Close(); err != nil {
		k.Fatal(err)
	}
	stale, err := sqlite.Open(context.Background(), k.database, keyring)
	if err == nil {
		_, err = stale.Devices().List(context.Background(), store.Query{})
		err = errors.Join(err, stale.Close())
	}
	if !errors.Is(err, secret.ErrUnknownKEK) {
		k.Errorf("a keyring from before the rotation: %v", err)
	}
	k.open(false, func(kek secret.KEK) secret.KEK { return kek })
}

// tearing is a keyring that breaks at the n-th Wrap, as a process does that is killed there.
type tearing struct {
	secret.Rotator
	left int
}

var errTorn = errors.New("killed")

func (t *tearing) Wrap(ctx context.Context, plain []byte) (string, []byte, error) {
	if t.left--; t.left < 0 {
		return "", nil, errTorn
	}
	return t.Rotator.Wrap(ctx, plain)
}

func TestRotationGoesOnAfterACrashAnywhere(t *testing.T) {
	const subscribers = 4
	for crash := range subscribers + 1 {
		k := newKeyed(t)
		server := service.As(context.Background(), identity.System(""))
		keys := map[lorawan.EUI64]lorawan.AES128Key{}
		for n := range subscribers {
			id := string(rune('a' + n))
			if _, err := k.Subscribers.Create(server, fleet.Subscriber{ID: id, Name: id}); err != nil {
				t.Fatal(err)
			}
			in := service.As(context.Background(), identity.System(id))
			p, err := k.Profiles.Create(in, fleet.DeviceProfile{Name: "meter", ProducerID: "acme", ModuleID: "m", HWRevision: 1})
			if err != nil {
				t.Fatal(err)
			}
			d := fleet.Device{DevEUI: lorawan.EUI64{1, byte(n)}, ProfileID: p.ID, RootKey: lorawan.AES128Key{7, byte(n)}}
			if _, err := k.Devices.Create(in, d); err != nil {
				t.Fatal(err)
			}
			keys[d.DevEUI] = d.RootKey
		}
		before, err := k.Secrets(server)
		if err != nil || before.Wrapped[before.Primary] != subscribers {
			t.Fatalf("%+v, %v", before, err)
		}
		old, err := os.ReadFile(k.ring)
		if err != nil {
			t.Fatal(err)
		}
		k.reopen(func(kek secret.KEK) secret.KEK { return &tearing{kek.(secret.Rotator), crash} })
		quiet := func(int, int) error { return nil }
		if _, err := service.NewRotation(k.keyring, k.store).Rotate(server, quiet); crash < subscribers && !errors.Is(err, errTorn) {
			t.Fatalf("crash %d: %v", crash, err)
		}
		k.reopen(func(kek secret.KEK) secret.KEK { return kek })
		after, err := service.NewRotation(k.keyring, k.store).Rotate(server, quiet)
		if err != nil {
			t.Fatalf("crash %d: %v", crash, err)
		}
		if after.Primary == before.Primary || after.Wrapped[after.Primary] != subscribers || len(after.Wrapped) != 1 || len(after.KEKs) != 1 {
			t.Errorf("crash %d: %+v, before %+v", crash, after, before)
		}
		k.opensNot(old)
		k.reopen(func(kek secret.KEK) secret.KEK { return kek })
		for dev, key := range keys {
			d, err := k.store.Devices().Find(context.Background(), dev)
			if err != nil || d.RootKey != key {
				t.Errorf("crash %d: device %s: %v", crash, dev, err)
			}
		}
	}
}

func TestRotationIsAJob(t *testing.T) {
	k := newKeyed(t)
	server := service.As(context.Background(), identity.System(""))
	in := service.As(context.Background(), identity.System(fleet.DefaultSubscriber))
	p, err := k.Profiles.Create(in, fleet.DeviceProfile{Name: "meter", ProducerID: "acme", ModuleID: "m", HWRevision: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Devices.Create(in, fleet.Device{DevEUI: lorawan.EUI64{1}, ProfileID: p.ID, RootKey: lorawan.AES128Key{1}}); err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(k.ring)
	if err != nil {
		t.Fatal(err)
	}
	job, err := k.RotateSecrets(server)
	if err != nil {
		t.Fatal(err)
	}
	if job = k.done(server, job.ID); job.State != store.JobDone {
		t.Errorf("%+v", job)
	}
	if is, err := os.ReadFile(k.ring); err != nil || string(is) == string(was) {
		t.Errorf("the keyring is as it was, %v", err)
	}
}

// done works until a job has ended.
func (k *keyed) done(ctx context.Context, id string) store.Job {
	k.Helper()
	working, cancel := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan struct{})
	go func() { defer close(ended); k.Work(working, slog.New(slog.DiscardHandler)) }()
	defer func() { cancel(); <-ended }()
	for working.Err() == nil {
		j, err := k.FindJob(ctx, id)
		if err != nil {
			k.Fatal(err)
		}
		if j.State.Ended() {
			return j
		}
		time.Sleep(time.Millisecond)
	}
	k.Fatal("the job does not end")
	return store.Job{}
}

func TestWhoMayNotRotateDoesNotCancelIt(t *testing.T) {
	w := newWorld(t)
	job, err := w.RotateSecrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CancelJob(w.person("otto", identity.Operator, ""), job.ID)
	wantError(t, err, service.ErrForbidden)
	if job, err = w.CancelJob(ctx, job.ID); err != nil || job.State != store.JobCancelled {
		t.Errorf("an administrator of the server: %s, %v", job.State, err)
	}
}

// breaking is a Rotation that panics.
type breaking struct{ service.Rotation }

func (breaking) Rotate(context.Context, func(done, total int) error) (service.SecretStatus, error) {
	panic("with a secret in it")
}

// written is a log that ends something with its first line.
type written func()

func (w written) Write(b []byte) (int, error) { w(); return len(b), nil }

func TestAJobThatPanicsHasFailed(t *testing.T) {
	w := newWorld(t)
	s := service.New(service.Config{Store: w.store, Runner: w.runner, Rotation: breaking{}})
	job, err := s.RotateSecrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	working, told := context.WithTimeout(context.Background(), time.Minute)
	defer told()
	s.Work(working, slog.New(slog.NewTextHandler(written(told), nil)))
	job, err = s.FindJob(ctx, job.ID)
	if err != nil || job.State != store.JobQueued || job.Attempts != 1 || job.Error == "" || strings.Contains(job.Error, "secret") {
		t.Errorf("%+v, %v: it is to be tried again", job, err)
	}
}
