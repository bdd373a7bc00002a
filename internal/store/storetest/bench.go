package storetest

import (
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// benchDevices is how many devices the campaign of the benchmarks has.
const benchDevices = 100_000

// Benchmark measures what the engine asks of a store, on a campaign of 100,000 devices. open
// makes an empty store that lives as long as the benchmark.
func Benchmark(b *testing.B, open func(b *testing.B) store.Store) {
	s := open(b)
	devices := createBenchRun(b, s)
	b.Run("CommitStep", func(b *testing.B) { benchCommitStep(b, s, devices) })
	b.Run("LoadRun", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.LoadRun(b.Context(), "c"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Tally", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Tally(b.Context(), "c"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("FindAll", func(b *testing.B) { benchFindAll(b, s) })
	b.Run("SessionCnts", func(b *testing.B) { benchSessionCnts(b, s, devices) })
}

// createBenchRun stores a running campaign.
func createBenchRun(b *testing.B, s store.Store) []lorawan.EUI64 {
	b.Helper()
	if err := s.Campaigns().Create(b.Context(), &fleet.Campaign{ID: "c"}); err != nil {
		b.Fatal(err)
	}
	// Some 64 bytes per device, as the JSON of campaign.Spec has.
	run := store.Run{CampaignID: "c", Spec: make([]byte, 64*benchDevices), Devices: map[lorawan.EUI64][]byte{}}
	devices := make([]lorawan.EUI64, benchDevices)
	for i := range devices {
		devices[i] = lorawan.EUI64{1, byte(i * 7), byte(i >> 16), byte(i >> 8), byte(i)}
		run.Devices[devices[i]] = make([]byte, 100)
	}
	if err := s.CreateRun(b.Context(), run); err != nil {
		b.Fatal(err)
	}
	return devices
}

// benchCommitStep commits steps that share a transaction, 1 to 1000 of them: for each a device
// row, a frame that goes out and is marked, and a timeline entry.
func benchCommitStep(b *testing.B, s store.Store, devices []lorawan.EUI64) {
	for _, size := range []int{1, 16, 256, 1000} {
		b.Run(fmt.Sprintf("steps=%d", size), func(b *testing.B) {
			next := 0
			for b.Loop() {
				step := store.Step{CampaignID: "c", Status: fleet.Running, Header: []byte("h")}
				var sent []store.Sent
				for range size {
					next += 97
					e := devices[next%len(devices)]
					id := e.String()
					step.Devices = append(step.Devices, store.Row{DevEUI: e, State: make([]byte, 100), Stage: "FragSessionSetup", Outcome: "sent"})
					step.Outbox = append(step.Outbox, store.Outgoing{ID: id, DevEUI: e, FPort: 201, Payload: make([]byte, 20)})
					step.Timeline = append(step.Timeline, store.TimelineEntry{DevEUI: e, Code: "frag.setup.sent", Text: "FragSessionSetupReq"})
					sent = append(sent, store.Sent{ID: id})
				}
				if err := s.CommitStep(b.Context(), step); err != nil {
					b.Fatal(err)
				}
				if err := s.MarkSent(b.Context(), "c", 0, sent...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}

// benchSessionCnts asks for the counters of all devices, as a start does.
func benchSessionCnts(b *testing.B, s store.Store, devices []lorawan.EUI64) {
	step := store.Step{CampaignID: "c", Status: fleet.Running}
	for _, e := range devices {
		step.SessionCnts = append(step.SessionCnts, store.SessionCnt{DevEUI: e, Cnt: 1})
	}
	if err := s.CommitStep(b.Context(), step); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if got, err := s.SessionCnts(b.Context(), devices); err != nil || len(got) != len(devices) {
			b.Fatal(len(got), err)
		}
	}
}

// benchFindAll reads devices by their identifiers, as a start does, with their keys and without.
func benchFindAll(b *testing.B, s store.Store) {
	const devices = 10_000
	for _, keys := range []bool{false, true} {
		var euis []lorawan.EUI64
		err := s.Tx(b.Context(), func(o store.Objects) error {
			euis = euis[:0]
			for n := range devices {
				d := loadDevice(n)
				if d.DevEUI[0] = 2; !keys {
					d.DevEUI[0], d.RootKey = 3, lorawan.AES128Key{}
				}
				euis = append(euis, d.DevEUI)
				if err := o.Devices().Create(b.Context(), &d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("keys=%v", keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := s.Devices().FindAll(b.Context(), euis); err != nil || len(got) != devices {
					b.Fatal(len(got), err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/devices*1e6, "us/device")
		})
	}
}
