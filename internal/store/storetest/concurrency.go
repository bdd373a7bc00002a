package storetest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// oneStaysOnCall is write skew: two transactions read the same two rows and each
// writes the other one. One at a time they would leave one region; what merely reads
// snapshots would archive both.
func oneStaysOnCall(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for round := range 10 {
		ids := []string{fmt.Sprint("a", round), fmt.Sprint("b", round)}
		for _, id := range ids {
			must(t, s.Regions().Create(ctx, &fleet.Region{ID: id, Name: id}))
		}
		var wg sync.WaitGroup
		for mine := range ids {
			wg.Go(func() {
				err := s.Tx(ctx, func(o store.Objects) error {
					other, err := o.Regions().Find(ctx, ids[1-mine])
					if err != nil || other.Archived {
						return err
					}
					return o.Regions().Archive(ctx, ids[mine], day)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if a, b := find(t, s.Regions(), ids[0]), find(t, s.Regions(), ids[1]); a.Archived == b.Archived {
			t.Fatalf("round %d: archived %v and %v", round, a.Archived, b.Archived)
		}
	}
}

// refusedInTx shows that a refusal is no end: f may go on with something else.
func refusedInTx(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	first, second := testGroup(1), testGroup(2)
	must(t, s.Groups().Create(ctx, &first))
	must(t, s.Groups().Create(ctx, &second))
	must(t, s.Tx(ctx, func(o store.Objects) error {
		again, taken, third := testGroup(1), second, testGroup(3)
		again.McAddr = lorawan.DevAddr{7, 7, 7, 7}
		conflict(t, o.Groups().Create(ctx, &again), "dev_eui")
		taken.McAddr = first.McAddr
		conflict(t, o.Groups().Update(ctx, &taken), "mc_addr")
		stale := second
		stale.Revision = 7
		want(t, o.Groups().Update(ctx, &stale), store.ErrStale)
		_, err := o.Groups().Find(ctx, devEUI(9, 9))
		want(t, err, store.ErrNotFound)
		return o.Groups().Create(ctx, &third)
	}))
	find(t, s.Groups(), devEUI(2, 3))
	same(t, "refused", find(t, s.Groups(), second.DevEUI), second)
}

// wholeSnapshots loads a run again and again while steps are committed. Everything
// in a step tells the same number, so everything that is loaded must.
func wholeSnapshots(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	write := func(n int) error {
		number := []byte(strconv.Itoa(n))
		step := store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running, Header: number, WakeAt: day}
		for k := range 3 {
			step.Devices = append(step.Devices, store.Row{DevEUI: devEUI(1, k), State: number})
		}
		step.Groups = []store.Row{{DevEUI: devEUI(2, 1), State: number}}
		return s.CommitStep(ctx, step)
	}
	must(t, write(0))
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 60 {
			if err := write(n); err != nil {
				t.Error(err)
			}
		}
	})
	for range 60 {
		run, err := s.LoadRun(ctx, "c")
		must(t, err)
		for _, states := range []map[lorawan.EUI64][]byte{run.Devices, run.Groups} {
			for e, state := range states {
				if string(state) != string(run.Header) {
					t.Fatalf("%s is at step %s, the run at %s", e, state, run.Header)
				}
			}
		}
	}
	wg.Wait()
}

// crossingSteps lets campaigns with the same devices and groups step at the same time,
// and name them in opposite orders.
func crossingSteps(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	other := testCampaign("other")
	must(t, s.Campaigns().Create(ctx, &other))
	must(t, s.CreateRun(ctx, store.Run{CampaignID: "other", Epoch: 3}))
	g := testGroup(2)
	must(t, s.Groups().Create(ctx, &g))
	const rounds = 20
	var wg sync.WaitGroup
	for _, campaign := range []string{"c", "other"} {
		wg.Go(func() {
			for n := range rounds {
				step := store.Step{CampaignID: campaign, Epoch: 3, Status: fleet.Running,
					GroupFCnt: map[lorawan.EUI64]uint32{devEUI(2, 1): uint32(n), devEUI(2, 2): uint32(n)},
					Timeline:  []store.TimelineEntry{{Code: "step"}}}
				for k := range 3 {
					if campaign == "other" {
						k = 2 - k
					}
					step.SessionCnts = append(step.SessionCnts, store.SessionCnt{DevEUI: devEUI(1, k), Cnt: uint16(n)})
					step.Firmware = append(step.Firmware, store.FirmwareSeen{DevEUI: devEUI(1, k), Version: fleet.FreeFirmware(uint32(n)), At: day})
				}
				if err := s.CommitStep(ctx, step); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, campaign := range []string{"c", "other"} {
		if info, err := s.RunInfo(ctx, campaign); err != nil || info.Version != rounds || info.LastSeq != rounds {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if g := find(t, s.Groups(), devEUI(2, 2)); g.FCntDown != rounds-1 {
		t.Errorf("group counter %d", g.FCntDown)
	}
}
