package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// BenchmarkCampaignsSideBySide commits steps of 256 devices in four campaigns at once.
func BenchmarkCampaignsSideBySide(b *testing.B) {
	ctx := context.Background()
	database := newDatabase(b, "")
	s := openDatabase(b, database)
	const campaigns, size = 4, 256
	for c := range campaigns {
		id := fmt.Sprint(c)
		if err := s.Campaigns().Create(ctx, &fleet.Campaign{ID: id}); err != nil {
			b.Fatal(err)
		}
		if err := s.CreateRun(ctx, store.Run{CampaignID: id, Epoch: 1}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		var wg sync.WaitGroup
		for c := range campaigns {
			wg.Go(func() {
				step := store.Step{CampaignID: fmt.Sprint(c), Epoch: 1, Status: fleet.Running}
				for k := range size {
					e := lorawan.EUI64{byte(c), byte(k)}
					step.Devices = append(step.Devices, store.Row{DevEUI: e, State: make([]byte, 100)})
					step.Outbox = append(step.Outbox, store.Outgoing{ID: e.String(), DevEUI: e, Payload: make([]byte, 20)})
					step.Timeline = append(step.Timeline, store.TimelineEntry{DevEUI: e, Code: "sent"})
					step.SessionCnts = append(step.SessionCnts, store.SessionCnt{DevEUI: e, Cnt: 1})
					step.Sent = append(step.Sent, store.Sent{ID: e.String()})
				}
				if err := s.CommitStep(ctx, step); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(b.N*campaigns*size)/b.Elapsed().Seconds(), "rows/s")
	conn := connect(b, database)
	defer conn.Close(ctx)
	var rolledBack float64
	if err := conn.QueryRow(ctx, "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()").Scan(&rolledBack); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(rolledBack/float64(b.N*campaigns), "collisions/step")
}
