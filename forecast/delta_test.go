package forecast_test

import (
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/sim"
)

// mixed is a firmware campaign for devices of which a third runs 1.0.0.0, a third 1.1.0.0, and of the rest nobody knows
// what they run.
func mixed(devices int) campaign.Request {
	r := change(request(devices, 20000), func(p *fleet.DeviceProfile) { p.Library = fleet.SmartDelta })
	r.Campaign.Type, r.At = fleet.FOTACampaign, start
	r.File.Type, r.File.Version, r.File.ProfileID = fleet.FirmwareFile, fleet.MustParseFirmware("2.0.0.0"), "p"
	for i, v := range []string{"1.0.0.0", "1.1.0.0"} {
		base := fleet.MustParseFirmware(v)
		r.Deltas = append(r.Deltas, campaign.Delta{File: fleet.File{ID: v, Type: fleet.DeltaFile, ProfileID: "p", BaseVersion: base, Version: r.File.Version}, Payload: bytesOf(1000 * (i + 1))})
		for k := i; k < devices; k += 3 {
			r.Devices[k].Firmware, r.Devices[k].FirmwareReported = base, start.Add(-time.Hour)
		}
	}
	return r
}

// Each lane is predicted with its own block: where no link loses anything, the fragments are those of the lanes, and a few
// for who was transmitting himself.
func TestLanesOfDifferentSizeArePredicted(t *testing.T) {
	r := mixed(12)
	none := forecast.Assumptions{Loss: &sim.Spread{}}
	p, err := forecast.New(r, forecast.Options{At: start, Assumptions: none})
	if err != nil || p.Prediction == nil {
		t.Fatalf("%v: %+v", err, p)
	}
	fragments := 0
	for i, want := range []struct {
		base                 string
		size, devices, asked int
	}{{"1.0.0.0", 1000, 4, 0}, {"1.1.0.0", 2000, 4, 0}, {"", 20000, 4, 4}} {
		l := p.Lanes[i]
		if l.Base.String() != want.base || l.Size != want.size || l.Devices != want.devices || l.Asked != want.asked {
			t.Errorf("lane %d: %+v", i, l)
		}
		fragments += int(l.NbFrag)
	}
	if p.Asked != 4 || p.Prediction.Fragments < fragments || p.Prediction.Fragments > fragments+fragments/20 || p.Prediction.VerifiedPercent != 100 {
		t.Errorf("%d asked, lanes of %d fragments: %+v", p.Asked, fragments, p.Prediction)
	}
	if p.Prediction.Stages[0].Stage != campaign.StageProbe || p.Prediction.Stages[0].P90 <= 0 {
		t.Errorf("the question takes time: %+v", p.Prediction.Stages)
	}
	if slices.Contains(codes(p.Warnings), forecast.ReasonDeltasOnTop) {
		t.Errorf("whoever is asked may need no full image: %+v", p.Warnings)
	}
	// Beside it stands the full image to all. As some need that anyway, it is less to send: here the deltas do not pay.
	if d := p.Delta; d == nil || d.Mode != fleet.DeltaOff || d.Prediction == nil || d.Prediction.Fragments >= fragments || d.Prediction.Fragments < int(p.Lanes[2].NbFrag) {
		t.Errorf("%+v", p.Delta)
	}
}

func TestDeltasBesideAFullImageAreWarnedOf(t *testing.T) {
	r := mixed(12)
	r.Devices[2].Firmware, r.Devices[2].FirmwareReported = fleet.MustParseFirmware("1.7.0.0"), start
	p, err := forecast.New(r, forecast.Options{At: start})
	if err != nil || !slices.Contains(codes(p.Warnings), forecast.ReasonDeltasOnTop) {
		t.Errorf("%v: %+v", err, p.Warnings)
	}
}

func TestACampaignWithoutDeltasIsComparedWithOneThatHasThem(t *testing.T) {
	r := mixed(12)
	for i := range r.Devices { // of all of them it is known
		r.Devices[i].Firmware, r.Devices[i].FirmwareReported = fleet.MustParseFirmware("1.0.0.0"), start
	}
	r.Campaign.Delta = fleet.DeltaOff
	o := forecast.Options{At: start}
	p, err := forecast.New(r, o)
	if err != nil || p.Asked != 0 || len(p.Lanes) != 1 || p.Delta == nil || p.Delta.Mode != fleet.DeltaAuto || p.Delta.Prediction.Multicast >= p.Prediction.Multicast/5 {
		t.Fatalf("%v: %+v", err, p.Delta)
	}
	// One that names a delta itself is compared with its full image.
	r.Campaign.Delta, r.Deltas = fleet.DeltaAuto, nil
	full := forecast.OtherFile{File: *r.File, Payload: r.Payload}
	delta := *r.File
	delta.ID, delta.Type, delta.BaseVersion = "d", fleet.DeltaFile, fleet.MustParseFirmware("1.0.0.0")
	r.File, r.Payload, o.Other = &delta, bytesOf(1000), &full
	if p, err = forecast.New(r, o); err != nil || p.Lanes[0].Base.String() != "1.0.0.0" || p.Delta == nil || p.Delta.Mode != fleet.DeltaOff || p.Delta.Prediction.Multicast <= 5*p.Prediction.Multicast {
		t.Errorf("%v: %+v", err, p.Delta)
	}
	// Where no device could use a delta, there is no other way.
	r = change(mixed(3), func(p *fleet.DeviceProfile) { p.Library = fleet.OtherLibrary })
	if p, err = forecast.New(r, forecast.Options{At: start}); err != nil || p.Delta != nil {
		t.Errorf("%v: %+v", err, p.Delta)
	}
}
