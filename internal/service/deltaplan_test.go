package service_test

import (
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// campaignFor makes what a campaign for the target of a workshop needs: a device that has told that it runs the base, and a group.
func (w *workshop) campaignFor() fleet.Campaign {
	w.Helper()
	ok := func(err error) {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
	}
	w.edit(func(p *fleet.DeviceProfile) {
		p.Library, p.Packages = fleet.SmartDelta, fleet.Packages{ClockSync: 1, McSetup: 1, Fragmentation: 1, FirmwareMgmt: 1}
	})
	dev := lorawan.EUI64{1, 2, 3}
	d, err := w.Devices.Create(ctx, fleet.Device{DevEUI: dev, ProfileID: w.profile.ID, RootKey: lorawan.AES128Key{1}, Classes: fleet.ClassesOf(fleet.ClassC), Firmware: w.from.Version})
	ok(err)
	d.FirmwareReported = time.Now()
	ok(w.store.Devices().Update(ctx, &d))
	set, err := w.DeviceSets.Create(ctx, fleet.DeviceSet{Name: "all", Devices: []lorawan.EUI64{dev}})
	ok(err)
	g, err := w.Groups.Create(ctx, fleet.MulticastGroup{DevEUI: lorawan.EUI64{2, 9}, Band: region.EU868, McAddr: lorawan.DevAddr{9}, Frequency: 869525000, DataRate: 5, SessionClass: fleet.ClassC})
	ok(err)
	r, err := w.Regions.Create(ctx, fleet.Region{Name: "east", Groups: []lorawan.EUI64{g.DevEUI}})
	ok(err)
	return fleet.Campaign{Name: "spring", DeviceSets: []string{set.ID}, Regions: []string{r.ID}, FileID: w.to.ID, MaxDuration: 72 * time.Hour, SuccessThreshold: 90}
}

// edit changes the profile.
func (w *workshop) edit(change func(p *fleet.DeviceProfile)) {
	w.Helper()
	if _, err := w.Profiles.Update(ctx, w.profile.ID, service.AnyRevision, func(p *fleet.DeviceProfile) error { change(p); return nil }); err != nil {
		w.Fatal(err)
	}
}

// sent is how many bytes the device of a campaign would get, and from which version they lead.
func (w *workshop) sent(c fleet.Campaign) (int, string) {
	w.Helper()
	p, err := w.PlanNew(ctx, c, service.PlanOptions{})
	if err != nil || len(p.Lanes) != 1 {
		w.Fatalf("%+v, %v", p, err)
	}
	return p.Lanes[0].Size, p.Lanes[0].Base.String()
}

func TestAPlanFindsTheDeltasThatDevicesDecode(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(testing.TB) *server) {
		w := newWorkshop(t, open(t))
		c := w.campaignFor()
		full := func(why string) {
			t.Helper()
			if n, base := w.sent(c); n != len(w.target) || base != "" {
				t.Errorf("%s: %d bytes from %q", why, n, base)
			}
		}
		full("there is no delta")
		_, f, b := w.made(w.order())
		if n, base := w.sent(c); n != len(b) || base != "1.0.0.0" {
			t.Errorf("%d bytes from %q, the delta has %d", n, base, len(b))
		}
		info, err := delta.Inspect(b)
		if err != nil {
			t.Fatal(err)
		}
		others := slices.DeleteFunc(delta.Formats(), func(f delta.Format) bool { return f == info.Format })
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats = others })
		full("they do not decode that")
		// Auto makes what they decode.
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats = []delta.Format{delta.Detools} })
		r, _, detools := w.made(w.order())
		if n, _ := w.sent(c); r.Format != delta.Detools || n != len(detools) {
			t.Errorf("%d bytes, of %+v", n, r)
		}
		// Any: the smaller one, and if that is gone, the other.
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats = nil })
		if n, _ := w.sent(c); n != min(len(b), len(detools)) {
			t.Errorf("%d bytes, of deltas of %d and %d", n, len(b), len(detools))
		}
		for _, id := range []string{f.ID, r.FileID} {
			if err := w.Files.Archive(ctx, id, service.AnyRevision); err != nil {
				t.Fatal(err)
			}
		}
		full("they are archived")
		// Signed, in an envelope that says what it is.
		key, _ := w.key()
		w.edit(func(p *fleet.DeviceProfile) { p.SmartDeltaKeyID = key.ID })
		signed, _, sealed := w.made(w.order())
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats = []delta.Format{signed.Format} })
		if n, base := w.sent(c); n != len(sealed) || base != "1.0.0.0" {
			t.Errorf("%d bytes from %q, the signed delta has %d", n, base, len(sealed))
		}
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats = others })
		full("they do not decode what is signed")
		// Another build of the same version: what leads to one does not lead to the other.
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats = nil })
		build := slices.Clone(w.target)
		build[7]++
		c.FileID = w.image(w.firmware("2.0.0.0"), build).ID
		full("it leads to another build")
		// Of what is not ours only those know something who uploaded it.
		foreign := w.image(fleet.File{Name: "foreign", Type: fleet.DeltaFile, BaseVersion: w.from.Version, Version: w.to.Version, ProfileID: w.profile.ID}, []byte("a patch of their own make"))
		if n, _ := w.sent(c); n != int(foreign.Size) {
			t.Errorf("%d bytes of a foreign delta of %d", n, foreign.Size)
		}
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats = delta.Formats() })
		full("a format that has no name")
		w.edit(func(p *fleet.DeviceProfile) { p.DeltaFormats, p.Library = nil, fleet.OtherLibrary })
		full("their library applies none")
		c.FileID, c.Delta = foreign.ID, fleet.DeltaOff
		_, err = w.PlanNew(ctx, c, service.PlanOptions{})
		wantField(t, err, "delta")
	})
}

// Whoever enters a version takes the place of what the device has told.
func TestAnEnteredVersionIsNotReported(t *testing.T) {
	w := newWorld(t)
	d := w.device
	d.Firmware, d.FirmwareReported = fleet.MustParseFirmware("1.0.0.0"), w.clock
	if err := w.store.Devices().Update(ctx, &d); err != nil {
		t.Fatal(err)
	}
	set := func(change func(d *fleet.Device)) fleet.Device {
		t.Helper()
		d, err := w.Devices.Update(ctx, w.device.DevEUI, service.AnyRevision, func(d *fleet.Device) error { change(d); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := set(func(d *fleet.Device) { d.Name = "renamed" }); d.FirmwareReported.IsZero() {
		t.Errorf("%+v", d)
	}
	if d := set(func(d *fleet.Device) { d.Firmware = fleet.MustParseFirmware("1.1.0.0") }); !d.FirmwareReported.IsZero() || d.FirmwareChanged.IsZero() {
		t.Errorf("%+v", d)
	}
}
