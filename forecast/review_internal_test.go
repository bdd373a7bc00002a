package forecast

import (
	"math"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// reviewed is a campaign for devices of one profile, in EU868.
func reviewed(class fleet.Class, devices int) campaign.Request {
	r := campaign.Request{
		Campaign: fleet.Campaign{ID: "c", Type: fleet.BinaryCampaign, MaxDuration: 30 * 24 * time.Hour, SuccessThreshold: 80},
		File:     &fleet.File{ID: "f", Name: "file", Type: fleet.BinaryFile}, Payload: make([]byte, 4000), NextChance: true,
		Profiles: map[string]fleet.DeviceProfile{"p": {
			ID: "p", DefaultUplinkPeriod: 15 * time.Minute, TimeTolerance: 5 * time.Second, Power: fleet.Power{ReceiveMA: 11},
			Packages: fleet.Packages{ClockSync: lorawan.V1, McSetup: lorawan.V1, Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1},
		}},
		Groups: []fleet.MulticastGroup{{
			DevEUI: lorawan.EUI64{9}, Band: region.EU868, McAddr: lorawan.DevAddr{1, 0, 0, 1}, Frequency: 869525000, DataRate: 3, SessionClass: class,
			PingSlotPeriodicity: 2, McKey: lorawan.AES128Key{7},
		}},
	}
	for i := range devices {
		r.Devices = append(r.Devices, fleet.Device{DevEUI: lorawan.EUI64{1, byte(i)}, RootKey: lorawan.AES128Key{1, byte(i)}, ProfileID: "p",
			Classes: fleet.ClassesOf(class), Band: region.EU868})
	}
	return r
}

// What is computed from what reached the server is near what meters in the devices show.
func TestComputedEnergyIsNearTheMeters(t *testing.T) {
	for class, within := range map[fleet.Class]float64{fleet.ClassC: 3, fleet.ClassB: 15} {
		t.Run(class.String(), func(t *testing.T) {
			r := reviewed(class, 30)
			planned, err := campaign.Plan(r)
			if err != nil {
				t.Fatal(err)
			}
			a, err := Assumptions{}.complete()
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
			whole := sampleOf(planned, &a, 100)
			f := newFleet(&r)
			w, err := newWorld(f, &whole, &a, at.Add(-settling*longestPeriod(&whole, &a)), 5)
			if err != nil {
				t.Fatal(err)
			}
			d, err := newDriver(w, &whole, nil, 3_000_000)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.settle(at); err != nil {
				t.Fatal(err)
			}
			before := d.readings()
			if err := d.run(); err != nil {
				t.Fatal(err)
			}
			report := d.report()
			use := d.outcome(before).energy["p"]
			metered := use.joules - use.idle
			computed := workJoules(&report.Work[0], &report)
			if off := 100 * math.Abs(computed-metered) / metered; report.Work[0].Devices != 30 || off > within {
				t.Errorf("computed %g J, metered %g J: %.1f %% off; %+v", computed, metered, off, report.Work)
			} else {
				t.Logf("computed %.1f J, metered %.1f J: %.1f %% off", computed, metered, off)
			}
		})
	}
}
