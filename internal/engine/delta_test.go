package engine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// patches is the installer of devices that apply deltas: a patch on the wrong image is refused, as by a signed one.
type patches struct{ target [32]byte }

var errWrongBase = errors.New("the patch is for another image")

func (p patches) install(block, running []byte) ([]byte, error) {
	image := block
	if _, err := delta.Inspect(block); err == nil {
		if image, _, err = delta.Apply(running, block, delta.Limits{}); err != nil {
			return nil, err
		}
	}
	if sha256.Sum256(image) != p.target {
		return nil, errWrongBase
	}
	return image, nil
}

// imageOf returns the image of version n: each has most in common with the others.
func imageOf(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 8000)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	for i := range n * 5 {
		b[100*n+i]++
	}
	return b
}

// mixed are the kinds of devices of a mixed fleet: what they run, and what the server has of that.
var mixed = []struct {
	runs, known string
	image       int
	reported    time.Duration // before the start; 0: never, somebody has recorded it
	base        string        // of the delta that they get; "": the full image
	upToDate    bool
}{
	{runs: "1.0.0.0", known: "1.0.0.0", image: 1, reported: time.Hour, base: "1.0.0.0"},
	{runs: "1.1.0.0", known: "1.1.0.0", image: 2, reported: time.Hour, base: "1.1.0.0"},
	{runs: "1.2.0.0", known: "1.2.0.0", image: 3, reported: time.Hour, base: "1.2.0.0"},
	{runs: "1.1.0.0", image: 2, base: "1.1.0.0"},                                                  // nobody knows
	{runs: "1.2.0.0", known: "1.0.0.0", image: 3, reported: 60 * 24 * time.Hour, base: "1.2.0.0"}, // it has told long ago
	{runs: "1.9.0.0", known: "1.9.0.0", image: 5, reported: time.Hour},                            // there is no delta from that
	{runs: "2.0.0.0", known: "1.0.0.0", image: 4, upToDate: true},                                 // somebody was wrong
}

// newMixedWorld returns a fleet of these kinds, two of each, and a campaign's file with three deltas to it.
func newMixedWorld(t *testing.T, seed uint64, change func(*device.Config)) *world {
	t.Helper()
	target := imageOf(4)
	var mix []sim.Model
	for _, kind := range mixed {
		m := sim.Standard
		m.Config.Firmware, m.Config.Image = fleet.MustParseFirmware(kind.runs).Uint32(), imageOf(kind.image)
		m.Config.Install = device.InstallerFunc(patches{sha256.Sum256(target)}.install)
		change(&m.Config)
		mix = append(mix, m)
	}
	loss := sim.Independent{P: 0.15}
	w := newWorld(t, sim.FleetConfig{Devices: 2 * len(mixed), Seed: seed, Up: loss, Down: loss, Mix: mix}, 1)
	w.image = target
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	profile, err := w.store.Profiles().Find(ctx, "profile-a")
	must(err)
	profile.Library = fleet.SmartDelta
	must(w.store.Profiles().Update(ctx, &profile))
	file := func(f fleet.File, b []byte) fleet.File {
		content, err := w.store.PutContent(ctx, bytes.NewReader(b))
		must(err)
		f.Name, f.Size, f.SHA256, f.ProfileID, f.Version = f.ID, content.Size, content.SHA256, "profile-a", fleet.MustParseFirmware("2.0.0.0")
		must(w.store.Files().Create(ctx, &f))
		return f
	}
	w.file = file(fleet.File{ID: "image", Type: fleet.FirmwareFile}, target)
	for n, version := range []string{"1.0.0.0", "1.1.0.0", "1.2.0.0"} {
		patch, err := delta.Create(imageOf(n+1), target, delta.Options{})
		must(err)
		file(fleet.File{ID: "from-" + version, Type: fleet.DeltaFile, BaseVersion: fleet.MustParseFirmware(version)}, patch.Bytes)
	}
	for i, spec := range w.fleet.Devices {
		kind := mixed[i%len(mixed)]
		edit(t, w.store, spec.DevEUI, func(d *fleet.Device) {
			if kind.known != "" {
				d.Firmware, d.FirmwareChanged = fleet.MustParseFirmware(kind.known), start.Add(-kind.reported)
			}
			if kind.reported > 0 {
				d.FirmwareReported = d.FirmwareChanged
			}
		})
	}
	return w
}

// outcome returns what is stored of a campaign.
func (w *world) outcome(id string) (campaign.Spec, campaign.Report, map[lorawan.EUI64]campaign.Device) {
	w.t.Helper()
	run, err := w.store.LoadRun(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	var spec campaign.Spec
	var head campaign.Header
	if err := errors.Join(json.Unmarshal(run.Spec, &spec), json.Unmarshal(run.Header, &head)); err != nil {
		w.t.Fatal(err)
	}
	devices, groups := make([]campaign.Device, len(spec.Devices)), make([]campaign.Group, len(spec.Groups))
	byEUI := map[lorawan.EUI64]campaign.Device{}
	for i, m := range spec.Devices {
		if err := json.Unmarshal(run.Devices[m.DevEUI], &devices[i]); err != nil {
			w.t.Fatal(err)
		}
		byEUI[m.DevEUI] = devices[i]
	}
	for i, g := range spec.Groups {
		if err := json.Unmarshal(run.Groups[g.DevEUI], &groups[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	return spec, campaign.NewReport(&spec, head, devices, groups), byEUI
}

// TestAMixedFleetGetsItsDeltas: three versions with a delta each, one without, devices of which nobody knows or of which
// the server knows something wrong. One campaign for the full image brings all of them to the target, whatever happens to
// the process meanwhile.
func TestAMixedFleetGetsItsDeltas(t *testing.T) {
	for name, deaths := range map[string]bool{"in one go": false, "killed again and again": true} {
		t.Run(name, func(t *testing.T) {
			w := newMixedWorld(t, 5, func(*device.Config) {})
			w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, FileID: "image", SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
			rng := rand.New(rand.NewPCG(1, 9))
			died, ended := 0, deaths
			for ; ended; died++ {
				w.stop()
				dead := make(chan struct{})
				w.runFor(1+rng.IntN(150), sync.OnceFunc(func() { close(dead) }))
				select {
				case <-dead:
				case p := <-w.ended:
					w.ended <- p
					ended = false
				case <-time.After(hang):
					t.Fatal("neither died nor ended within reason")
				}
			}
			if deaths && died < 5 {
				t.Errorf("only %d deaths: too few to show anything", died)
			}
			w.mustSucceed(w.wait(), 2*(len(mixed)-1))
			w.verify()
			spec, report, devices := w.outcome("c1")
			for i, s := range w.fleet.Devices {
				kind, d := mixed[i%len(mixed)], devices[s.DevEUI]
				if kind.upToDate {
					if d.Reason != campaign.ReasonUpToDate {
						t.Errorf("%s is %s, %s", s.DevEUI, d.Outcome, d.Reason)
					}
					continue
				}
				k := d.Lane - 1
				for m := range spec.Devices {
					if spec.Devices[m].DevEUI == s.DevEUI && d.Lane == 0 {
						k = spec.Devices[m].Lane
					}
				}
				if got := spec.Lanes[k].Base.String(); got != kind.base {
					t.Errorf("%s, which runs %s, was sent the delta from %q, want %q", s.DevEUI, kind.runs, got, kind.base)
				}
				if now := stored(t, w.store, s.DevEUI); now.Firmware != w.file.Version || !now.FirmwareReported.After(start) {
					t.Errorf("the store says that %s runs %s, reported at %s", s.DevEUI, now.Firmware, now.FirmwareReported)
				}
			}
			if report.DeltaDevices != 10 || report.FullDevices != 2 || report.BytesSaved < 10*7000 || report.Excluded != 2 {
				t.Errorf("%+v", report)
			}
			if n := len(report.Groups[0].Lanes); n != 4 || report.Groups[0].Lanes[3].Size != len(w.image) {
				t.Errorf("%+v", report.Groups[0].Lanes)
			}
		})
	}
}

// A campaign of deltas only leaves out who has none, and asks the others as ever.
func TestACampaignOfDeltasOnly(t *testing.T) {
	w := newMixedWorld(t, 6, func(*device.Config) {})
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, FileID: "image", Delta: fleet.DeltaOnly, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
	w.mustSucceed(w.wait(), 10)
	_, report, devices := w.outcome("c1")
	if report.FullDevices != 0 || report.DeltaDevices != 10 || len(devices) != 12 {
		t.Errorf("%+v", report)
	}
	entries, err := w.store.Timeline(t.Context(), "c1", store.TimelineQuery{Code: string(campaign.ReasonNoDelta), Limit: 10})
	if err != nil || len(entries) != 2 {
		t.Errorf("%+v, %v", entries, err)
	}
}

// A stack that has one session at a time may refuse a new one while there is an old one of another FragIndex, as Zephyr
// does: one that an earlier campaign has left is deleted first.
func TestAnOldSessionIsNotInTheWayOfAnotherLane(t *testing.T) {
	w := newMixedWorld(t, 7, func(c *device.Config) {
		c.Stack, c.Packages = device.Stack{Name: "one session", SharedDecoder: true, KeepsSession: true}, packagesV1
	})
	content, err := w.store.PutContent(t.Context(), bytes.NewReader(imageOf(9)[:500]))
	if err != nil {
		t.Fatal(err)
	}
	blob := fleet.File{ID: "blob", Name: "blob", Type: fleet.BinaryFile, Size: content.Size, SHA256: content.SHA256}
	if err := w.store.Files().Create(t.Context(), &blob); err != nil {
		t.Fatal(err)
	}
	w.start(fleet.Campaign{ID: "c0", Name: "c0", Type: fleet.BinaryCampaign, FileID: "blob", SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
	w.mustSucceed(w.wait(), 2*len(mixed))
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, FileID: "image", SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
	w.mustSucceed(w.wait(), 2*(len(mixed)-1))
	w.verify()
}
