package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// benchRun opens a store with a running campaign of n devices.
func benchRun(b *testing.B, n int) (store.Store, []lorawan.EUI64) {
	b.Helper()
	ctx := context.Background()
	s := openDatabase(b, newDatabase(b, ""))
	if err := s.Campaigns().Create(ctx, &fleet.Campaign{ID: "c"}); err != nil {
		b.Fatal(err)
	}
	run := store.Run{CampaignID: "c", Devices: map[lorawan.EUI64][]byte{}}
	devices := make([]lorawan.EUI64, n)
	for i := range devices {
		devices[i] = lorawan.EUI64{1, byte(i * 7), byte(i >> 16), byte(i >> 8), byte(i)}
		run.Devices[devices[i]] = make([]byte, 100)
	}
	if err := s.CreateRun(ctx, run); err != nil {
		b.Fatal(err)
	}
	return s, devices
}

// BenchmarkCommitStep commits steps that share a transaction, 1 to 1000 of them: for each a
// device row, a frame that goes out and is marked, and a timeline entry.
func BenchmarkCommitStep(b *testing.B) {
	s, devices := benchRun(b, 100_000)
	ctx := context.Background()
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
				if err := s.CommitStep(ctx, step); err != nil {
					b.Fatal(err)
				}
				if err := s.MarkSent(ctx, "c", sent...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}

// BenchmarkLoadRun loads a campaign of 100,000 devices, as a new owner does.
func BenchmarkLoadRun(b *testing.B) {
	s, _ := benchRun(b, 100_000)
	b.ResetTimer()
	for b.Loop() {
		if _, err := s.LoadRun(context.Background(), "c"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTally counts a campaign of 100,000 devices, as its progress does.
func BenchmarkTally(b *testing.B) {
	s, _ := benchRun(b, 100_000)
	b.ResetTimer()
	for b.Loop() {
		if _, err := s.Tally(context.Background(), "c"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSessionCnts asks for the counters of 100,000 devices, as a start does.
func BenchmarkSessionCnts(b *testing.B) {
	s, devices := benchRun(b, 100_000)
	ctx := context.Background()
	step := store.Step{CampaignID: "c", Status: fleet.Running}
	for _, e := range devices {
		step.SessionCnts = append(step.SessionCnts, store.SessionCnt{DevEUI: e, Cnt: 1})
	}
	if err := s.CommitStep(ctx, step); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if got, err := s.SessionCnts(ctx, devices); err != nil || len(got) != len(devices) {
			b.Fatal(len(got), err)
		}
	}
}
