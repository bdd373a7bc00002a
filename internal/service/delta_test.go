package service_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// images returns two that have most in common.
func images() (old, target []byte) {
	r := mathrand.New(mathrand.NewPCG(1, 2))
	old = make([]byte, 12_000)
	for i := range old {
		old[i] = byte(r.Uint32())
	}
	target = append(append(bytes.Clone(old[:5000]), []byte("forty bytes of code that were not there.")...), old[5000:]...)
	for i := 100; i < len(target); i += 1000 {
		target[i]++
	}
	return old, target
}

// workshop is a service with two images that a delta can be made of.
type workshop struct {
	*server
	old, target []byte
	profile     fleet.DeviceProfile
	from, to    fleet.File
}

func newWorkshop(t testing.TB, s *server) *workshop {
	t.Helper()
	w := &workshop{server: s}
	w.old, w.target = images()
	var err error
	if w.profile, err = s.Profiles.Create(ctx, fleet.DeviceProfile{Name: "meter", ProducerID: "acme", ModuleID: "m", HWRevision: 1, TimeTolerance: time.Minute}); err != nil {
		t.Fatal(err)
	}
	w.from = s.image(w.firmware("1.0.0.0"), w.old)
	w.to = s.image(w.firmware("2.0.0.0"), w.target)
	return w
}

func (w *workshop) firmware(version string) fleet.File {
	return fleet.File{Name: "release " + version, Type: fleet.FirmwareFile, Version: fleet.MustParseFirmware(version), ProfileID: w.profile.ID}
}

// key makes a Smart Delta key.
func (w *workshop) key() (fleet.SmartDeltaKey, *ecdsa.PrivateKey) {
	w.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		w.Fatal(err)
	}
	k, err := w.SmartDeltaKeys.Create(ctx, fleet.SmartDeltaKey{Name: "key", PrivateKey: der})
	if err != nil {
		w.Fatal(err)
	}
	return k, private
}

func (w *workshop) order() service.DeltaOrder {
	return service.DeltaOrder{FromID: w.from.ID, ToID: w.to.ID}
}

// done has a delta made and returns its job as it ended.
func (w *workshop) done(o service.DeltaOrder) store.Job {
	w.Helper()
	job, err := w.GenerateDelta(ctx, o)
	if err != nil {
		w.Fatal(err)
	}
	for busy := true; busy; {
		if busy, err = w.WorkOnce(context.Background()); err != nil {
			w.Fatal(err)
		}
	}
	if job, err = w.FindJob(ctx, job.ID); err != nil {
		w.Fatal(err)
	}
	return job
}

// made is done for a delta that must come out. It returns the file and its bytes too.
func (w *workshop) made(o service.DeltaOrder) (service.DeltaResult, fleet.File, []byte) {
	w.Helper()
	job := w.done(o)
	var r service.DeltaResult
	if job.State != store.JobDone || job.Progress != job.Total || json.Unmarshal(job.Result, &r) != nil {
		w.Fatalf("%+v", job)
	}
	f, in, err := w.Download(ctx, r.FileID)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	b, err := io.ReadAll(in)
	if err != nil {
		w.Fatal(err)
	}
	return r, f, b
}

func (w *workshop) actions(object string) (found []string) {
	w.Helper()
	page, err := w.Audit(ctx, store.AuditQuery{ObjectID: object})
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range page.Items {
		found = append(found, e.Action)
	}
	return found
}

func TestADeltaIsMadeOfTwoFiles(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(testing.TB) *server) {
		w := newWorkshop(t, open(t))
		r, f, b := w.made(w.order())
		made, info, err := delta.Apply(w.old, b, delta.Limits{})
		if err != nil || !bytes.Equal(made, w.target) {
			t.Fatalf("the delta leads elsewhere: %v", err)
		}
		if f.Type != fleet.DeltaFile || f.BaseVersion != w.from.Version || f.Version != w.to.Version || f.ProfileID != w.profile.ID || f.Size != int64(len(b)) || f.SmartDeltaKeyID != "" {
			t.Errorf("%+v", f)
		}
		if r.Format != info.Format || r.Signature != "none" || r.FileBytes != len(b) || r.PatchBytes != len(b) || r.ToBytes != len(w.target) || r.Ratio <= 0 || r.Ratio > 0.05 || r.SHA256 != f.SHA256 {
			t.Errorf("%+v", r)
		}
		if len(r.Fragments) < 6 {
			t.Fatalf("%+v", r.Fragments)
		}
		for _, x := range r.Fragments {
			if x.Delta < 1 || x.Full <= x.Delta || x.FragSize*x.Delta < len(b) {
				t.Errorf("%+v", x)
			}
		}
		if got := w.actions(w.to.ID); got[0] != "file.generate_delta" {
			t.Errorf("%q", got)
		}
		// The same again is another file with the same bytes.
		if again, _, _ := w.made(w.order()); again.FileID == r.FileID || again.SHA256 != r.SHA256 {
			t.Errorf("%+v", again)
		}
		if m, err := w.DeltaMatrix(ctx, w.profile.ID); err != nil || len(m.Deltas) != 2 || m.Deltas[0].TargetID != w.to.ID {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

func TestADeltaIsSignedWithTheKeyOfTheFileOverThatOfTheProfile(t *testing.T) {
	w := newWorkshop(t, newServer(t, engines[0].open(t)))
	ofProfile, first := w.key()
	if _, err := w.Profiles.Update(ctx, w.profile.ID, service.AnyRevision, func(p *fleet.DeviceProfile) error { p.SmartDeltaKeyID = ofProfile.ID; return nil }); err != nil {
		t.Fatal(err)
	}
	opened := func(b []byte, key *ecdsa.PrivateKey) {
		t.Helper()
		sealed, err := envelope.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := sealed.Verify(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		h := sealed.Header()
		if h.Base != envelope.DigestOf(w.old) || h.BaseVersion.String() != "1.0.0.0" || h.TargetVersion.String() != "2.0.0.0" || h.Profile != envelope.ProfileOf("acme", "m", 1) {
			t.Errorf("%+v", h)
		}
		if made, _, err := delta.Apply(w.old, payload, delta.Limits{}); err != nil || !bytes.Equal(made, w.target) {
			t.Errorf("the delta leads elsewhere: %v", err)
		}
	}
	r, f, b := w.made(w.order())
	opened(b, first)
	if r.Signature != "envelope" || r.SmartDeltaKeyID != ofProfile.ID || f.SmartDeltaKeyID != ofProfile.ID || r.FileBytes != r.PatchBytes+133 {
		t.Errorf("%+v, %+v", r, f)
	}
	if got := w.actions(ofProfile.ID); got[0] != "smart_delta_key.sign" {
		t.Errorf("%q", got)
	}

	ofFile, second := w.key()
	if _, err := w.Files.Update(ctx, w.to.ID, service.AnyRevision, func(f *fleet.File) error { f.SmartDeltaKeyID = ofFile.ID; return nil }); err != nil {
		t.Fatal(err)
	}
	_, _, b = w.made(w.order())
	opened(b, second)
	o := w.order()
	o.Signature = service.SignatureBare
	_, _, b = w.made(o)
	if _, err := envelope.VerifyBare(b, &second.PublicKey); err != nil {
		t.Error(err)
	}
	o.Signature = service.SignatureNone
	if r, f, _ := w.made(o); r.FileBytes != r.PatchBytes || f.SmartDeltaKeyID != "" {
		t.Errorf("%+v", r)
	}
	if err := w.SmartDeltaKeys.Archive(ctx, ofFile.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	_, err := w.GenerateDelta(ctx, w.order())
	wantField(t, err, "smart_delta_key_id")
}

func TestPairsThatCannotBeAreRefusedAtOnce(t *testing.T) {
	w := newWorkshop(t, newServer(t, engines[0].open(t)))
	other, err := w.Profiles.Create(ctx, fleet.DeviceProfile{Name: "valve", ProducerID: "acme", ModuleID: "v", HWRevision: 1})
	if err != nil {
		t.Fatal(err)
	}
	foreign := w.firmware("1.0.0.0")
	foreign.ProfileID = other.ID
	archived := w.image(w.firmware("0.9.0.0"), w.old)
	if err := w.Files.Archive(ctx, archived.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	empty, err := w.Files.Create(ctx, w.firmware("0.8.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	patch := fleet.File{Name: "patch", Type: fleet.DeltaFile, BaseVersion: w.from.Version, Version: w.to.Version, ProfileID: w.profile.ID}
	from := func(f fleet.File) service.DeltaOrder { return service.DeltaOrder{FromID: f.ID, ToID: w.to.ID} }
	with := func(change func(*service.DeltaOrder)) service.DeltaOrder { o := w.order(); change(&o); return o }
	for name, tc := range map[string]struct {
		order service.DeltaOrder
		field string
	}{
		"other profile":     {from(w.image(foreign, w.old)), "from_file_id"},
		"same version":      {from(w.image(w.firmware("00000002"), w.old)), "from_file_id"}, // in its other form
		"same bytes":        {from(w.image(w.firmware("1.5.0.0"), w.target)), "from_file_id"},
		"ELF":               {from(w.image(w.firmware("1.1.0.0"), append([]byte("\x7fELF"), w.old...))), "from_file_id"},
		"Intel HEX":         {from(w.image(w.firmware("1.2.0.0"), []byte(":10010000214601360121470136007EFE09D2190140\n"))), "from_file_id"},
		"delta as base":     {from(w.image(patch, w.old[:100])), "from_file_id"},
		"binary":            {from(w.image(fleet.File{Name: "data"}, w.old[:50])), "from_file_id"},
		"archived":          {from(archived), "from_file_id"},
		"no content":        {from(empty), "from_file_id"},
		"itself":            {from(w.to), "from_file_id"},
		"nowhere":           {service.DeltaOrder{FromID: "no", ToID: w.to.ID}, "from_file_id"},
		"target archived":   {service.DeltaOrder{FromID: w.from.ID, ToID: archived.ID}, "id"},
		"target empty":      {service.DeltaOrder{FromID: w.from.ID, ToID: empty.ID}, "id"},
		"format":            {with(func(o *service.DeltaOrder) { o.Format = "bsdiff" }), "format"},
		"compression":       {with(func(o *service.DeltaOrder) { o.Compression = 3 }), "compression"},
		"window alone":      {with(func(o *service.DeltaOrder) { o.Window = 8 }), "window"},
		"size":              {with(func(o *service.DeltaOrder) { o.Memory = -1 }), "memory_bytes"},
		"signature":         {with(func(o *service.DeltaOrder) { o.Signature = "pgp" }), "signature"},
		"signed, by no key": {with(func(o *service.DeltaOrder) { o.Signature = service.SignatureEnvelope }), "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.GenerateDelta(ctx, tc.order)
			wantField(t, err, tc.field)
		})
	}
	_, err = w.GenerateDelta(ctx, service.DeltaOrder{FromID: w.from.ID, ToID: "no"})
	wantError(t, err, store.ErrNotFound)
	_, err = w.GenerateDelta(service.As(ctx, identity.Actor{Login: "nobody"}), w.order())
	wantError(t, err, service.ErrForbidden)
	if jobs, err := w.Jobs(ctx, store.Query{}); err != nil || len(jobs.Items) != 0 {
		t.Errorf("%+v, %v", jobs.Items, err)
	}
}

// What only the bytes tell is told by the job, and nothing is left behind.
func TestADeltaThatCannotBeMadeEndsItsJob(t *testing.T) {
	w := newWorkshop(t, newServer(t, engines[0].open(t)))
	unlike := make([]byte, len(w.target))
	r := mathrand.New(mathrand.NewPCG(3, 4))
	for i := range unlike {
		unlike[i] = byte(r.Uint32())
	}
	unlikely := w.image(w.firmware("1.5.0.0"), unlike)
	late := w.image(w.firmware("1.6.0.0"), append([]byte("late"), w.old...))
	if _, err := w.GenerateDelta(ctx, service.DeltaOrder{FromID: late.ID, ToID: w.to.ID}); err != nil {
		t.Fatal(err)
	}
	if err := w.Files.Archive(ctx, late.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	tight := w.order()
	tight.Format, tight.Memory, tight.Segment = delta.DetoolsInPlace, 4096, 4096
	for _, o := range []service.DeltaOrder{{FromID: unlikely.ID, ToID: w.to.ID}, tight} {
		if job := w.done(o); job.State != store.JobFailed || job.Attempts != 1 || job.Error == "" {
			t.Errorf("%+v", job)
		}
	}
	jobs, err := w.Jobs(ctx, store.Query{Where: map[store.Field]string{store.ByState: string(store.JobFailed)}})
	if err != nil || len(jobs.Items) != 3 {
		t.Errorf("%+v, %v", jobs.Items, err)
	}
	if m, err := w.DeltaMatrix(ctx, w.profile.ID); err != nil || len(m.Deltas) != 0 {
		t.Errorf("%+v, %v", m.Deltas, err)
	}
}

// interrupted is a store on which the process dies when the delta has been stored.
type interrupted struct {
	store.Store
	die func()
}

func (s interrupted) PutContent(ctx context.Context, r io.Reader) (store.Content, error) {
	c, err := s.Store.PutContent(ctx, r)
	s.die()
	return c, err
}

func TestADeltaThatWasInterruptedIsMadeOnce(t *testing.T) {
	w := newWorkshop(t, newServer(t, engines[0].open(t)))
	job, err := w.GenerateDelta(ctx, w.order())
	if err != nil {
		t.Fatal(err)
	}
	dying, die := context.WithCancel(context.Background())
	broken := service.New(service.Config{Store: interrupted{w.store, die}})
	if _, err := broken.WorkOnce(dying); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	// Another process comes when the lease is over.
	later := service.New(service.Config{Store: w.store, Wall: func() time.Time { return time.Now().Add(time.Hour) }})
	if busy, err := later.WorkOnce(context.Background()); !busy || err != nil {
		t.Fatal(err)
	}
	if job, err = w.FindJob(ctx, job.ID); err != nil || job.State != store.JobDone || job.Attempts != 2 {
		t.Fatalf("%+v, %v", job, err)
	}
	if m, err := w.DeltaMatrix(ctx, w.profile.ID); err != nil || len(m.Deltas) != 1 {
		t.Errorf("%+v, %v", m.Deltas, err)
	}
}

func TestACancelledDeltaIsNotMade(t *testing.T) {
	w := newWorkshop(t, newServer(t, engines[0].open(t)))
	job, err := w.GenerateDelta(ctx, w.order())
	if err != nil {
		t.Fatal(err)
	}
	// Cancelled while its images are read.
	cancelled := service.New(service.Config{Store: watched{w.store, func() {
		if _, err := w.CancelJob(ctx, job.ID); err != nil {
			t.Error(err)
		}
	}}})
	if _, err := cancelled.WorkOnce(context.Background()); err != nil {
		t.Fatal(err)
	}
	if job, err = w.FindJob(ctx, job.ID); err != nil || job.State != store.JobCancelled {
		t.Errorf("%+v, %v", job, err)
	}
	if m, err := w.DeltaMatrix(ctx, w.profile.ID); err != nil || len(m.Deltas) != 0 {
		t.Errorf("%+v, %v", m.Deltas, err)
	}
}

// watched is a store that tells when contents are read.
type watched struct {
	store.Store
	read func()
}

func (s watched) OpenContent(ctx context.Context, sha256 string) (io.ReadCloser, error) {
	s.read()
	return s.Store.OpenContent(ctx, sha256)
}
