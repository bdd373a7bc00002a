package service_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// image makes a file with content.
func (s *server) image(f fleet.File, content []byte) fleet.File {
	s.Helper()
	f, err := s.Files.Create(ctx, f)
	if err != nil {
		s.Fatal(err)
	}
	if f, err = s.Upload(ctx, f.ID, bytes.NewReader(content), ""); err != nil {
		s.Fatal(err)
	}
	return f
}

func TestTheMatrixSaysWhatLeadsWhere(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(testing.TB) *server) {
		s := open(t)
		profile, err := s.Profiles.Create(ctx, fleet.DeviceProfile{Name: "meter", ProducerID: "acme", ModuleID: "m", HWRevision: 1})
		if err != nil {
			t.Fatal(err)
		}
		other, err := s.Profiles.Create(ctx, fleet.DeviceProfile{Name: "valve", ProducerID: "acme", ModuleID: "v", HWRevision: 1})
		if err != nil {
			t.Fatal(err)
		}
		v := fleet.MustParseFirmware
		firmware := func(version, profileID string) fleet.File {
			return fleet.File{Name: version, Type: fleet.FirmwareFile, Version: v(version), ProfileID: profileID}
		}
		old := s.image(firmware("2.0.0.0", profile.ID), make([]byte, 1000))
		latest := s.image(firmware("10.0.0.0", profile.ID), make([]byte, 2000))
		s.image(firmware("2.0.0.0", other.ID), make([]byte, 3000))
		if _, err := s.Files.Create(ctx, firmware("11.0.0.0", profile.ID)); err != nil { // no content
			t.Fatal(err)
		}
		patch := func(from, to string) fleet.File {
			return fleet.File{Name: from + to, Type: fleet.DeltaFile, BaseVersion: v(from), Version: v(to), ProfileID: profile.ID}
		}
		a := s.image(patch("2.0.0.0", "10.0.0.0"), make([]byte, 100))
		b := s.image(patch("1.0.0.0", "10.0.0.0"), make([]byte, 300))
		gone := s.image(patch("9.0.0.0", "10.0.0.0"), make([]byte, 300))
		if err := s.Files.Archive(ctx, gone.ID, service.AnyRevision); err != nil {
			t.Fatal(err)
		}
		// 00000002 is 2.0.0.0 in the other form.
		for i, version := range []string{"1.0.0.0", "2.0.0.0", "2.0.0.0", "00000002", "7.7.7.7", "", ""} {
			if _, err := s.Devices.Create(ctx, fleet.Device{DevEUI: lorawan.EUI64{1, byte(i)}, ProfileID: profile.ID, Firmware: v(version)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Devices.Create(ctx, fleet.Device{DevEUI: lorawan.EUI64{2}, ProfileID: other.ID, Firmware: v("2.0.0.0")}); err != nil {
			t.Fatal(err)
		}

		m, err := s.DeltaMatrix(ctx, profile.ID)
		if err != nil {
			t.Fatal(err)
		}
		if m.Devices != 7 || m.Unknown != 2 || m.Other != 1 {
			t.Errorf("%d devices, %d unknown, %d other", m.Devices, m.Unknown, m.Other)
		}
		if want := []service.DeltaBase{{v("1.0.0.0"), 1, ""}, {v("2.0.0.0"), 3, old.ID}, {v("10.0.0.0"), 0, latest.ID}}; fmt.Sprint(m.Bases) != fmt.Sprint(want) {
			t.Errorf("bases %v, want %v", m.Bases, want)
		}
		if len(m.Targets) != 2 || m.Targets[0].ID != old.ID || m.Targets[1].ID != latest.ID {
			t.Errorf("targets %v", m.Targets)
		}
		if len(m.Deltas) != 2 || m.Deltas[0].File.ID != b.ID || m.Deltas[1].File.ID != a.ID {
			t.Fatalf("deltas %v", m.Deltas)
		}
		if o := m.Deltas[1]; o.Ratio() != 0.05 || o.Devices != 3 || o.TargetID != latest.ID {
			t.Errorf("%+v, ratio %v", o, o.Ratio())
		}
		_, err = s.DeltaMatrix(ctx, "no")
		wantError(t, err, store.ErrNotFound)
	})
}
