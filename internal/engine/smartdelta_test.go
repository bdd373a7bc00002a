package engine_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/device/smartdelta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/sim"
)

// makers are who signs patches here; nobody trusts the second one but the devices that are made to.
func makers(t *testing.T) (ours, theirs *ecdsa.PrivateKey) {
	t.Helper()
	for _, k := range []**ecdsa.PrivateKey{&ours, &theirs} {
		var err error
		if *k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	return ours, theirs
}

// signedDelta puts a delta from version 1.0.0.0 to 2.0.0.0 into the store, as file "delta".
func (w *world) signedDelta(old, target []byte, o delta.Options, key *ecdsa.PrivateKey) {
	w.t.Helper()
	patch, err := delta.Create(old, target, o)
	if err != nil {
		w.t.Fatal(err)
	}
	block, err := delta.Sign(patch, old, target, delta.Identity{BaseVersion: 1, TargetVersion: 2, Profile: envelope.ProfileOf("Starling", "Meter", 1)}, key)
	if err != nil {
		w.t.Fatal(err)
	}
	content, err := w.store.PutContent(w.t.Context(), bytes.NewReader(block))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Files().Create(w.t.Context(), &fleet.File{
		ID: "delta", Name: "delta", Size: content.Size, SHA256: content.SHA256, Type: fleet.DeltaFile,
		BaseVersion: fleet.MustParseFirmware("1.0.0.0"), Version: fleet.MustParseFirmware("2.0.0.0"), ProfileID: "profile-a",
	}); err != nil {
		w.t.Fatal(err)
	}
}

// send runs a campaign that names the delta, and returns how it ended and what is stored of its devices.
func (w *world) send(threshold float64) (fleet.Campaign, []campaign.Device) {
	w.t.Helper()
	ctx := w.t.Context()
	c := fleet.Campaign{
		ID: "c1", Name: "c1", Type: fleet.FOTACampaign, FileID: "delta", DeviceSets: []string{"all"}, Regions: []string{"north"},
		SuccessThreshold: threshold, MaxDuration: 14 * 24 * time.Hour, Policy: fleet.CampaignPolicy{Retries: 30, MaxRounds: 10},
	}
	if err := w.store.Campaigns().Create(ctx, &c); err != nil {
		w.t.Fatal(err)
	}
	if err := w.eng.Start(ctx, c.ID, store.Along{}); err != nil {
		w.t.Fatal(err)
	}
	w.wait()
	c, err := w.store.Campaigns().Find(ctx, c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	run, err := w.store.LoadRun(ctx, c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	devices := make([]campaign.Device, len(w.fleet.Devices))
	for i, spec := range w.fleet.Devices {
		if err := json.Unmarshal(run.Devices[spec.DevEUI], &devices[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	return c, devices
}

// TestDevicesRefuseWhatIsNotForThem: one signed delta goes to devices of which some may not take it. Each of those
// is left with the image that it has, and with the reason that TS006 can tell.
func TestDevicesRefuseWhatIsNotForThem(t *testing.T) {
	old, target := blinky.Image(1), blinky.Image(2)
	ours, theirs := makers(t)
	meter := envelope.ProfileOf("Starling", "Meter", 1)
	kinds := []struct {
		name    string
		key     *ecdsa.PrivateKey
		version uint8 // of the hardware
		runs    []byte
		refusal error // nil: it takes the delta
		reason  campaign.Reason
	}{
		{"for whom it is", ours, 1, old, nil, ""},
		{"that trust another key", theirs, 1, old, envelope.ErrSignature, campaign.ReasonImageCorrupt},
		{"of other hardware", ours, 2, old, envelope.ErrProfile, campaign.ReasonImageHardware},
		{"with another image of the same version", ours, 1, blinky.Image(7), envelope.ErrBase, campaign.ReasonImageCorrupt},
	}
	var mix []sim.Model
	for _, k := range kinds {
		hardware := meter
		if k.version != 1 {
			hardware = envelope.ProfileOf("Starling", "Meter", k.version)
		}
		install, err := smartdelta.New(smartdelta.Config{Key: &k.key.PublicKey, Hardware: hardware})
		if err != nil {
			t.Fatal(err)
		}
		m := sim.Standard
		m.Config.Image, m.Config.Install = k.runs, install
		mix = append(mix, m)
	}
	loss := sim.Independent{P: 0.2}
	w := newWorld(t, sim.FleetConfig{Devices: 3 * len(kinds), Seed: 4, Up: loss, Down: loss, Mix: mix}, 1)
	w.signedDelta(old, target, delta.Options{}, ours)
	c, devices := w.send(20)
	if c.Status != fleet.Succeeded {
		t.Errorf("the campaign is %s at a threshold of 20 %%", c.Status)
	}
	w.net.Inspect(func(n *sim.Network) {
		for i, spec := range w.fleet.Devices {
			k := kinds[i%len(kinds)]
			dev, image := n.Device(spec.DevEUI), k.runs
			if k.refusal == nil {
				image = target
			}
			sum := sha256.Sum256(image)
			if dev.RunningImageSHA256() != hex.EncodeToString(sum[:]) || !errors.Is(dev.Status().Refusal, k.refusal) {
				t.Errorf("device %d, of those %s, runs %.12s: %v", i, k.name, dev.RunningImageSHA256(), dev.Status().Refusal)
			}
			if devices[i].Reason != k.reason || (devices[i].Outcome == campaign.Verified) != (k.refusal == nil) {
				t.Errorf("device %d, of those %s: %s, %q, want %q", i, k.name, devices[i].Outcome, devices[i].Reason, k.reason)
			}
		}
	})
	if t.Failed() {
		w.timeline("c1")
	}
}

// TestADeltaThatNobodyMayTakeFailsItsCampaign: the campaign ends as soon as it cannot succeed any more, and no device has
// lost anything by it.
func TestADeltaThatNobodyMayTakeFailsItsCampaign(t *testing.T) {
	old, target := blinky.Image(1), blinky.Image(2)
	ours, theirs := makers(t)
	for reason, c := range map[campaign.Reason]smartdelta.Config{
		campaign.ReasonImageCorrupt:  {Key: &theirs.PublicKey},
		campaign.ReasonImageHardware: {Key: &ours.PublicKey, Hardware: envelope.ProfileOf("Starling", "Meter", 2)},
	} {
		install, err := smartdelta.New(c)
		if err != nil {
			t.Fatal(err)
		}
		m := sim.Standard
		m.Config.Image, m.Config.Install = old, install
		loss := sim.Independent{P: 0.2}
		w := newWorld(t, sim.FleetConfig{Devices: 5, Seed: 4, Up: loss, Down: loss, Mix: []sim.Model{m}}, 1)
		w.image = old
		w.signedDelta(old, target, delta.Options{}, ours)
		ended, devices := w.send(50)
		for _, d := range devices {
			if d.Outcome != campaign.Failed || d.Reason != reason && d.Reason != campaign.ReasonEnded {
				t.Errorf("%s: a device %s, %s", reason, d.Outcome, d.Reason)
			}
		}
		if refused := slices.IndexFunc(devices, func(d campaign.Device) bool { return d.Reason == reason }); ended.Status != fleet.Failed || refused < 0 {
			t.Errorf("%s: the campaign is %s", reason, ended.Status)
			w.timeline("c1")
		}
		w.verify() // that they run the old one
	}
}

// TestDeltasSurviveALossOfPower: power goes once on each device but the first, at another change of flash on each, while
// the delta is applied. All of them run the target in the end, but for those that have lost the block with their RAM: these
// run what they ran.
func TestDeltasSurviveALossOfPower(t *testing.T) {
	old, target := blinky.Image(1), blinky.Image(2)
	ours, _ := makers(t)
	for _, x := range []struct {
		name   string
		format delta.Format
		layout smartdelta.Layout
		forget bool // a reset takes the block
	}{
		{"two slots", delta.HPatchLite, smartdelta.TwoSlots, false},
		{"two slots, block in RAM", delta.HPatchLite, smartdelta.TwoSlots, true},
		{"detools in place", delta.DetoolsInPlace, smartdelta.InPlace, false},
		{"HPatchLite in place", delta.HPatchLiteInPlace, smartdelta.InPlace, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			install, err := smartdelta.New(smartdelta.Config{
				Key: &ours.PublicKey, Hardware: envelope.ProfileOf("Starling", "Meter", 1), Layout: x.layout, Slot: 8192, Page: 512, Scratch: 4096,
			})
			if err != nil {
				t.Fatal(err)
			}
			var mix []sim.Model
			for n := range 6 {
				m := sim.Standard
				m.Config.Image, m.Config.Install, m.Config.FlashTime = old, install, 10*time.Second
				m.Config.Stack.KeepsState = !x.forget
				m.Config.Behaviour = device.Behaviour{LosesPowerAt: 3 * n}
				mix = append(mix, m)
			}
			loss := sim.Independent{P: 0.1}
			w := newWorld(t, sim.FleetConfig{Devices: len(mix), Seed: 8, Up: loss, Down: loss, Mix: mix}, 1)
			w.signedDelta(old, target, delta.Options{Format: x.format, Segment: 512, Memory: 8192}, ours)
			c, devices := w.send(100)
			if (c.Status == fleet.Succeeded) == x.forget {
				t.Errorf("the campaign is %s", c.Status)
			}
			w.net.Inspect(func(n *sim.Network) {
				for i, spec := range w.fleet.Devices {
					image, outcome, reason := target, campaign.Verified, campaign.Reason("")
					if x.forget && i > 0 {
						image, outcome, reason = old, campaign.Failed, campaign.ReasonFragNoSession
					}
					sum := sha256.Sum256(image)
					if d := devices[i]; d.Outcome != outcome || d.Reason != reason || n.Device(spec.DevEUI).RunningImageSHA256() != hex.EncodeToString(sum[:]) {
						t.Errorf("device %d: %s, %s %s, runs %.12s", i, d.Outcome, d.Reason, d.Detail, n.Device(spec.DevEUI).RunningImageSHA256())
					}
				}
			})
			if t.Failed() {
				w.timeline("c1")
			}
		})
	}
}
