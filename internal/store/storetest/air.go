package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan/region"
)

// spent returns a row of a minute of day.
func spent(campaignID, gateway string, minute int, ms int) store.AirSpent {
	return store.AirSpent{AirMinute: store.AirMinute{CampaignID: campaignID, Gateway: gateway, Band: region.EU868, SubBand: 868_000_000,
		Minute: day.Truncate(time.Minute).Add(time.Duration(minute) * time.Minute)}, Spent: time.Duration(ms) * time.Millisecond}
}

// allAir returns what is stored, in the order of minutes, campaigns and gateways.
func allAir(t *testing.T, s store.Store) []store.AirSpent {
	t.Helper()
	rows, _, err := s.SpentAir(context.Background(), 0)
	must(t, err)
	return rows
}

func spentAir(t *testing.T, open Open) {
	ctx, place := context.Background(), t.TempDir()
	s := open(t, place)
	for _, id := range []string{"c0", "c1"} {
		c := testCampaign(id)
		must(t, s.Campaigns().Create(ctx, &c))
		must(t, s.CreateRun(ctx, store.Run{CampaignID: id, Epoch: 1}))
	}
	step := func(s store.Store, id string, epoch int64, air ...store.AirSpent) error {
		return s.CommitStep(ctx, store.Step{CampaignID: id, Epoch: epoch, Status: fleet.Running, Air: air})
	}
	same(t, "nothing", len(allAir(t, s)), 0)
	must(t, step(s, "c0", 1, spent("", "roof", 0, 100), spent("", "roof", 1, 20), spent("", "roof", 0, 7), spent("", "mast\x00", 0, 1)))
	must(t, step(s, "c1", 1, spent("", "roof", 0, 30)))
	must(t, step(s, "c0", 1, spent("", "roof", 1, 3)))
	must(t, step(s, "c0", 1))
	want(t, step(s, "c0", 2, spent("", "roof", 1, 5)), store.ErrFenced)
	expected := []store.AirSpent{spent("c0", "mast\ufffd", 0, 1), spent("c0", "roof", 0, 107), spent("c1", "roof", 0, 30), spent("c0", "roof", 1, 23)}
	same(t, "spent", allAir(t, s), expected)

	// Another process, or the next life of this one, reads what has changed since it last looked.
	s = open(t, place)
	rows, mark, err := s.SpentAir(ctx, 0)
	must(t, err)
	same(t, "after a crash", rows, expected)
	must(t, step(s, "c1", 1, spent("", "roof", 2, 4)))
	rows, later, err := s.SpentAir(ctx, mark)
	must(t, err)
	if later < mark || !slices.Contains(rows, spent("c1", "roof", 2, 4)) {
		t.Errorf("since %d until %d: %+v", mark, later, rows)
	}
	if rows, _, err = s.SpentAir(ctx, later+store.AirMark(time.Hour.Microseconds())); err != nil || len(rows) > 0 {
		t.Errorf("nothing can have changed after the present: %+v, %v", rows, err)
	}

	// Campaigns that spend through the same gateway at once do not lose anything.
	var wg sync.WaitGroup
	for _, id := range []string{"c0", "c1"} {
		wg.Go(func() {
			for range 20 {
				if err := step(s, id, 1, spent("", "busy", 3, 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	rows = slices.DeleteFunc(allAir(t, s), func(a store.AirSpent) bool { return a.Gateway != "busy" })
	slices.SortFunc(rows, func(a, b store.AirSpent) int { return cmp.Compare(a.CampaignID, b.CampaignID) })
	same(t, "spent at once", rows, []store.AirSpent{spent("c0", "busy", 3, 20), spent("c1", "busy", 3, 20)})

	n, err := s.DropAir(ctx, spent("", "", 2, 0).Minute)
	must(t, err)
	same(t, "dropped", fmt.Sprint(n, len(allAir(t, s))), "4 3")
}
