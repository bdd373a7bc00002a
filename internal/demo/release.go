package demo

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/smartdelta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// The product of the demo's fleet, of which patches say that they are for it.
const (
	producer = "Starling"
	module   = "Demo meter"
)

// makersKey is the key that the demo signs deltas with. It follows from the seed, so that the signature does
// and a run can be repeated: nobody else should trust it.
func makersKey(seed uint64) (*ecdsa.PrivateKey, error) {
	raw := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("Smart Delta key of starling demo"), seed))
	raw[0] = 0 // below the order of the curve
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), raw[:])
}

// devicesOf gives devices the image that they run and what installs the next one. Devices whose image
// nobody has named take whole images only.
func (o *Options) devicesOf(models []model, key *ecdsa.PrivateKey) error {
	if o.base == nil {
		return nil
	}
	install, err := smartdelta.New(smartdelta.Config{Key: &key.PublicKey, Hardware: envelope.ProfileOf(producer, module, 0), Slot: slotOf(o)})
	if err != nil {
		return err
	}
	for i := range models {
		models[i].config.Image, models[i].config.Install = o.base, device.Installer(install)
	}
	return nil
}

// slotOf returns the room for an image that devices have: whole pages, and some to grow.
func slotOf(o *Options) int {
	const page = smartdelta.DefaultPage
	return (max(len(o.base), len(o.image), smartdelta.DefaultSlot) + page - 1) / page * page
}

// addFiles uploads the target, once as a file and once as firmware. If the base is known it has the server make
// a signed delta between the two.
func (w *World) addFiles(ctx context.Context, o Options, profile fleet.DeviceProfile, log *slog.Logger) (err error) {
	// The same bytes twice: a BINARY campaign delivers them, a FOTA campaign has them run.
	if w.file, err = w.upload(ctx, fleet.File{Name: o.fileName() + " (binary)", Type: fleet.BinaryFile}, o.image); err != nil {
		return err
	}
	release := fleet.File{Name: o.fileName(), Type: fleet.FirmwareFile, Version: newVersion, ProfileID: profile.ID}
	if w.firmware, err = w.upload(ctx, release, o.image); err != nil || o.base == nil {
		return err
	}
	release.Name, release.Version = o.baseName(), oldVersion
	base, err := w.upload(ctx, release, o.base)
	if err != nil {
		return err
	}
	return w.makeDelta(ctx, base, log)
}

func (w *World) upload(ctx context.Context, f fleet.File, content []byte) (fleet.File, error) {
	f, err := w.Service.Files.Create(ctx, f)
	if err == nil {
		f, err = w.Service.Upload(ctx, f.ID, bytes.NewReader(content), "")
	}
	if err != nil {
		return f, fmt.Errorf("file %q: %w", f.Name, err)
	}
	return f, nil
}

// makeDelta orders a delta as an operator would, and waits for the job.
func (w *World) makeDelta(ctx context.Context, base fleet.File, log *slog.Logger) error {
	job, err := w.Service.GenerateDelta(ctx, service.DeltaOrder{FromID: base.ID, ToID: w.firmware.ID, LiteralLine: true, Signature: service.SignatureEnvelope})
	if err != nil {
		return fmt.Errorf("%w: no delta leads from %s to %s: %w", ErrImage, base.Name, w.firmware.Name, err)
	}
	working, cancel := context.WithCancel(ctx)
	worked := make(chan struct{})
	go func() { defer close(worked); w.Service.Work(working, log) }()
	defer func() { cancel(); <-worked }()
	for !job.State.Ended() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
		if job, err = w.Service.FindJob(ctx, job.ID); err != nil {
			return err
		}
	}
	if job.State != store.JobDone {
		return fmt.Errorf("%w: no delta leads from %s to %s: %s", ErrImage, base.Name, w.firmware.Name, job.Error)
	}
	w.made = &service.DeltaResult{}
	if err := json.Unmarshal(job.Result, w.made); err != nil {
		return err
	}
	w.delta, err = w.Service.Files.Find(ctx, w.made.FileID)
	return err
}

// addKey registers the maker's key, as an operator would upload it.
func (w *World) addKey(ctx context.Context, key *ecdsa.PrivateKey) (fleet.SmartDeltaKey, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fleet.SmartDeltaKey{}, err
	}
	k, err := w.Service.SmartDeltaKeys.Create(ctx, fleet.SmartDeltaKey{Name: "Demo", PrivateKey: der})
	if err != nil {
		return k, fmt.Errorf("smart delta key: %w", err)
	}
	return k, nil
}
