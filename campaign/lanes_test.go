package campaign_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// mixedFleet returns the request of fleetOf for devices that run some versions, by their number of devices, which they
// have told yesterday; "" is a device of which nobody knows. Their library applies deltas.
func mixedFleet(versions ...string) campaign.Request {
	r := fleetOf(len(versions))
	p := r.Profiles["p1"]
	p.Library = fleet.SmartDelta
	r.Profiles["p1"] = p
	r.At = base
	r.File.Type = fleet.FirmwareFile
	for i, v := range versions {
		if v != "" {
			r.Devices[i].Firmware, r.Devices[i].FirmwareReported = fleet.MustParseFirmware(v), base.Add(-24*time.Hour)
		}
	}
	return r
}

// deltaFrom adds a delta of some size to a request.
func deltaFrom(r *campaign.Request, version string, size int) {
	r.Deltas = append(r.Deltas, campaign.Delta{
		File:    fleet.File{ID: fmt.Sprintf("d%d", len(r.Deltas)), Type: fleet.DeltaFile, ProfileID: "p1", BaseVersion: fleet.MustParseFirmware(version), Version: r.File.Version},
		Payload: bytes.Repeat([]byte{'d'}, size),
	})
}

// laneTexts writes what each lane is for, and how many devices it has.
func laneTexts(s campaign.Spec) []string {
	var out []string
	for i, l := range s.Lanes {
		n, ask := 0, 0
		for _, m := range s.Devices {
			if m.Lane == i {
				n++
				if m.Ask {
					ask++
				}
			}
		}
		out = append(out, fmt.Sprintf("%d v%d %s %d: %d, %d asked", l.FragIndex, l.Version, cmp.Or(l.Base.String(), "full"), l.Size, n, ask))
	}
	return out
}

func excludedTexts(p campaign.Planned) []string {
	var out []string
	for _, e := range p.Excluded {
		out = append(out, fmt.Sprintf("%s %s", friendly(e.DevEUI.String()), e.Reason))
	}
	return out
}

func TestEachDeviceGetsTheDeltaForWhatItRuns(t *testing.T) {
	for _, tc := range []struct {
		name     string
		request  func() campaign.Request
		lanes    []string
		excluded []string
	}{
		{"the delta, else the full image, and who is not known is asked", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.1.0.0", "1.0.0.0", "1.5.0.0", "", "1.2.3.4")
			deltaFrom(&r, "1.0.0.0", 900)
			deltaFrom(&r, "1.1.0.0", 800)
			deltaFrom(&r, "1.1.0.0", 700)
			return r
		}, []string{"0 v1 1.1.0.0 700: 1, 0 asked", "1 v1 1.0.0.0 900: 2, 0 asked", "2 v1 full 10000: 2, 1 asked"}, []string{"dev6 excluded.up_to_date"}},

		{"there is no full image that nobody needs, unless there is room", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.1.0.0", "1.2.0.0", "1.3.0.0")
			for i, v := range []string{"1.0.0.0", "1.1.0.0", "1.2.0.0", "1.3.0.0"} {
				deltaFrom(&r, v, 100+i)
			}
			return r
		}, []string{"0 v1 1.0.0.0 100: 1, 0 asked", "1 v1 1.1.0.0 101: 1, 0 asked", "2 v1 1.2.0.0 102: 1, 0 asked", "3 v1 1.3.0.0 103: 1, 0 asked"}, nil},

		{"who loses its lane gets the full image, and those stay that save most", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.1.0.0", "1.1.0.0", "1.2.0.0", "1.3.0.0", "1.4.0.0")
			for i, v := range []string{"1.0.0.0", "1.1.0.0", "1.2.0.0", "1.3.0.0", "1.4.0.0"} {
				deltaFrom(&r, v, 5000+1000*i) // saves 5000, 2 * 4000, 3000, 2000, 1000
			}
			return r
		}, []string{"0 v1 1.0.0.0 5000: 1, 0 asked", "1 v1 1.1.0.0 6000: 2, 0 asked", "2 v1 1.2.0.0 7000: 1, 0 asked", "3 v1 full 10000: 2, 0 asked"}, nil},

		{"both versions of TS004 have what they need, and who can get nothing else is not asked", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.0.0.0", "1.0.0.0", "1.1.0.0", "1.1.0.0", "1.4.0.0", "1.0.0.0", "")
			for _, i := range []int{6, 7} {
				r.Devices[i].Packages.Fragmentation = lorawan.V2
			}
			deltaFrom(&r, "1.0.0.0", 500)
			deltaFrom(&r, "1.1.0.0", 600)
			return r
		}, []string{"0 v1 1.0.0.0 500: 3, 0 asked", "1 v1 1.1.0.0 600: 2, 0 asked", "2 v1 full 10000: 1, 0 asked", "3 v2 full 10000: 2, 0 asked"}, nil},

		{"what nobody is known to run may be what somebody runs", func() campaign.Request {
			r := mixedFleet("", "")
			deltaFrom(&r, "1.1.0.0", 600)
			deltaFrom(&r, "1.0.0.0", 500)
			return r
		}, []string{"0 v1 1.0.0.0 500: 0, 0 asked", "1 v1 1.1.0.0 600: 0, 0 asked", "2 v1 full 10000: 2, 2 asked"}, nil},

		{"a version that was told long ago, or not by the device, is asked for", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.0.0.0", "1.0.0.0")
			r.Devices[1].FirmwareReported = base.Add(-31 * 24 * time.Hour)
			r.Devices[2].FirmwareReported, r.Devices[2].FirmwareChanged = time.Time{}, base
			deltaFrom(&r, "1.0.0.0", 500)
			return r
		}, []string{"0 v1 1.0.0.0 500: 1, 0 asked", "1 v1 full 10000: 2, 2 asked"}, nil},

		{"off", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "")
			deltaFrom(&r, "1.0.0.0", 500)
			r.Campaign.Delta = fleet.DeltaOff
			return r
		}, []string{"0 v1 full 10000: 2, 0 asked"}, nil},

		{"a library that applies none", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "")
			deltaFrom(&r, "1.0.0.0", 500)
			p := r.Profiles["p1"]
			p.Library = fleet.OtherLibrary
			r.Profiles["p1"] = p
			return r
		}, []string{"0 v1 full 10000: 2, 0 asked"}, nil},

		{"deltas of another target, for other hardware, without bytes, larger than the image", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "")
			for range 4 {
				deltaFrom(&r, "1.0.0.0", 500)
			}
			r.Deltas[0].File.Version = fleet.MustParseFirmware("1.2.3.5")
			r.Deltas[1].File.ProfileID = "p2"
			r.Deltas[2].Payload = nil
			r.Deltas[3].Payload = make([]byte, 10000)
			return r
		}, []string{"0 v1 full 10000: 2, 0 asked"}, nil},

		{"devices that count the fragments of other lanes have the full image", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.1.0.0", "1.5.0.0", "")
			p := r.Profiles["p1"]
			p.StatusStyle = fleet.StatusZephyr
			r.Profiles["p1"] = p
			deltaFrom(&r, "1.0.0.0", 500)
			deltaFrom(&r, "1.1.0.0", 500)
			return r
		}, []string{"0 v1 full 10000: 4, 0 asked"}, nil},

		{"or one delta and nothing beside it", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.0.0.0")
			p := r.Profiles["p1"]
			p.StatusStyle = fleet.StatusZephyr
			r.Profiles["p1"] = p
			deltaFrom(&r, "1.0.0.0", 500)
			deltaFrom(&r, "1.1.0.0", 500)
			return r
		}, []string{"0 v1 1.0.0.0 500: 2, 0 asked"}, nil},

		{"only: who has none does not take part", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.9.0.0", "", "1.0.0.0", "1.1.0.0")
			r.Devices[4].FirmwareReported = time.Time{}
			deltaFrom(&r, "1.0.0.0", 500)
			deltaFrom(&r, "1.1.0.0", 600)
			r.Campaign.Delta = fleet.DeltaOnly
			return r
		}, []string{"0 v1 1.0.0.0 500: 3, 1 asked", "1 v1 1.1.0.0 600: 1, 1 asked"}, []string{"dev2 excluded.no_delta"}},

		{"only: five versions are one too many", func() campaign.Request {
			versions := []string{"1.0.0.0", "1.1.0.0", "1.2.0.0", "1.3.0.0", "1.4.0.0"}
			r := mixedFleet(versions...)
			for i, v := range versions {
				deltaFrom(&r, v, 500+i)
			}
			r.Campaign.Delta = fleet.DeltaOnly
			return r
		}, []string{"0 v1 1.0.0.0 500: 1, 0 asked", "1 v1 1.1.0.0 501: 1, 0 asked", "2 v1 1.2.0.0 502: 1, 0 asked", "3 v1 1.3.0.0 503: 1, 0 asked"}, []string{"dev5 excluded.no_lane"}},

		{"only: each version of TS004 has one", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.1.0.0", "1.2.0.0", "1.3.0.0", "")
			r.Devices[4].Packages.Fragmentation = lorawan.V2
			for i, v := range []string{"1.0.0.0", "1.1.0.0", "1.2.0.0", "1.3.0.0"} {
				deltaFrom(&r, v, 500+i)
			}
			r.Campaign.Delta = fleet.DeltaOnly
			return r
		}, []string{"0 v1 1.0.0.0 500: 1, 0 asked", "1 v1 1.1.0.0 501: 1, 0 asked", "2 v1 1.2.0.0 502: 1, 0 asked", "3 v2 1.0.0.0 500: 1, 1 asked"}, []string{"dev4 excluded.no_lane"}},

		{"a delta that the campaign names", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.1.0.0", "", "1.2.3.4", "1.1.0.0")
			r.Devices[4].FirmwareReported = time.Time{}
			r.File.Type, r.File.BaseVersion = fleet.DeltaFile, fleet.MustParseFirmware("1.0.0.0")
			deltaFrom(&r, "1.1.0.0", 500)
			return r
		}, []string{"0 v1 1.0.0.0 10000: 3, 2 asked"}, []string{"dev2 excluded.wrong_base", "dev4 excluded.up_to_date"}},

		{"a decoder for nothing but a delta", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.1.0.0", "")
			p := r.Profiles["p1"]
			p.Decoder = fleet.Decoder{MaxNbFrag: 30, MaxFragSize: 50}
			r.Profiles["p1"] = p
			deltaFrom(&r, "1.0.0.0", 500)
			return r
		}, []string{"0 v1 1.0.0.0 500: 2, 1 asked"}, []string{"dev2 excluded.decoder_too_small"}},

		{"a probe may find another version of TS004, and another firmware", func() campaign.Request {
			r := mixedFleet("1.0.0.0", "1.0.0.0")
			r.Campaign.Policy.Probe = true
			deltaFrom(&r, "1.0.0.0", 500)
			return r
		}, []string{"0 v1 1.0.0.0 500: 2, 0 asked", "1 v1 full 10000: 0, 0 asked", "2 v2 1.0.0.0 500: 0, 0 asked", "3 v2 full 10000: 0, 0 asked"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := tc.request()
			r.SessionCnt = func(_ lorawan.EUI64, index uint8) uint16 { return 10 + uint16(index) }
			p, err := campaign.Plan(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := laneTexts(p.Spec); !slices.Equal(got, tc.lanes) {
				t.Errorf("lanes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.lanes, "\n"))
			}
			if got := excludedTexts(p); !slices.Equal(got, tc.excluded) {
				t.Errorf("excluded %q, want %q", got, tc.excluded)
			}
			if _, err := campaign.New(p.Spec, p.Material); err != nil {
				t.Errorf("it cannot start: %v", err)
			}
			for _, m := range p.Spec.Devices {
				for index := range p.Spec.Lanes {
					if m.SessionCnts[index] != 10+uint16(index) {
						t.Errorf("device %s has the counters %v", m.DevEUI, m.SessionCnts)
					}
				}
			}
			for seed := range uint64(3) {
				rnd := rand.New(rand.NewPCG(seed, 0))
				rnd.Shuffle(len(r.Deltas), func(i, j int) { r.Deltas[i], r.Deltas[j] = r.Deltas[j], r.Deltas[i] })
				rnd.Shuffle(len(r.Devices), func(i, j int) { r.Devices[i], r.Devices[j] = r.Devices[j], r.Devices[i] })
				if again, err := campaign.Plan(r); err != nil || !slices.Equal(laneTexts(again.Spec), tc.lanes) {
					t.Errorf("in another order it is %q, %v", laneTexts(again.Spec), err)
				}
			}
		})
	}
}

func TestNoDeltaAtAllBlocksACampaignOfDeltas(t *testing.T) {
	for hint, change := range map[string]func(r *campaign.Request){
		"no delta to 1.2.3.4": func(*campaign.Request) {},
		"is not smart_delta": func(r *campaign.Request) {
			p := r.Profiles["p1"]
			p.Library = fleet.LibraryUnset
			r.Profiles["p1"] = p
		},
	} {
		r := mixedFleet("1.0.0.0", "")
		r.Campaign.Delta = fleet.DeltaOnly
		change(&r)
		if p, err := campaign.Plan(r); err == nil || !strings.Contains(err.Error(), hint) || len(p.Excluded) != 2 || p.Excluded[0].Reason != campaign.ReasonNoDelta {
			t.Errorf("%v, %v, want %q", p.Excluded, err, hint)
		}
	}
}

// The descriptor of a lane is that of its own file, and answers are spread for as many devices as may come.
func TestALaneIsCutForItsOwnFile(t *testing.T) {
	versions := make([]string, 500)
	versions[0] = "1.0.0.0"
	r := mixedFleet(versions...)
	p := r.Profiles["p1"]
	p.Descriptor, _ = fleet.ParseDescriptorTemplate("size-le")
	r.Profiles["p1"] = p
	deltaFrom(&r, "1.0.0.0", 500)
	r.Deltas[0].File.Size, r.File.Size = 500, 10000
	out, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	delta, full := out.Spec.Lanes[0], out.Spec.Lanes[1]
	if delta.Descriptor != [4]byte{0xf4, 1} || full.Descriptor != [4]byte{0x10, 0x27} || delta.NbFrag >= full.NbFrag || delta.BlockAckDelay != full.BlockAckDelay {
		t.Errorf("%+v\n%+v", delta, full)
	}
	if out.Spec.ImageSize != 10000 || len(out.Material.Payloads) != 2 {
		t.Errorf("image of %d bytes, %d payloads", out.Spec.ImageSize, len(out.Material.Payloads))
	}
}
