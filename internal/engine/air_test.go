package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-fuota/starling/airtime"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// uplinks is the sub-band of the uplinks (Hz), where a gateway has 36 s in each hour.
const uplinks = 868_000_000

// spentInStore returns what all campaigns have stored, in the last hour in that sub-band and in all, and through which gateway.
func (w *world) spentInStore() (recent, all time.Duration, gateway string) {
	w.t.Helper()
	rows, _, err := w.store.SpentAir(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		all, gateway = all+row.Spent, row.Gateway
		if row.SubBand == uplinks && w.net.Now().Sub(row.Minute) < airtime.Window+time.Minute {
			recent += row.Spent
		}
	}
	return recent, all, gateway
}

// crowded asks the engine about an uplink that is heard now.
func (w *world) crowded(gateway string) bool {
	w.t.Helper()
	wait, err := w.eng.Crowded(w.t.Context(), airtime.Chance{At: w.net.Now(), Gateways: []string{gateway}, Band: region.EU868, Frequency: 868_100_000, DataRate: 5})
	if err != nil {
		w.t.Fatal(err)
	}
	return wait > 0
}

// another is a campaign that another process runs.
func (w *world) another(id string) {
	w.t.Helper()
	if err := w.store.Join(w.t.Context(), store.Replica{ID: "runs " + id}, time.Hour); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Campaigns().Create(w.t.Context(), &fleet.Campaign{ID: id, Name: id}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.CreateRun(w.t.Context(), store.Run{CampaignID: id, Epoch: 1, Owner: "runs " + id}); err != nil {
		w.t.Fatal(err)
	}
}

// spends stores air time of another process in the sub-band of the uplinks, a minute ago. Its campaign ends with that.
func (w *world) spends(id, gateway string, airtime time.Duration) {
	w.t.Helper()
	at := store.AirMinute{Gateway: gateway, Band: region.EU868, SubBand: uplinks, Minute: w.net.Now().UTC().Truncate(time.Minute).Add(-time.Minute)}
	if err := w.store.CommitStep(w.t.Context(), store.Step{CampaignID: id, Epoch: 1, Status: fleet.Stopped, Air: []store.AirSpent{{AirMinute: at, Spent: airtime}}}); err != nil {
		w.t.Fatal(err)
	}
}

// The duty cycle of a gateway is one budget, whichever process has used it up, and however often it began anew.
func TestTheAirTimeOfOthersCounts(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 5, Seed: 8}, 2000)
	w.start(spring())
	w.mustSucceed(w.wait(), 5)
	recent, before, gateway := w.spentInStore()
	if before < 5*50*time.Millisecond || gateway == "" { // each of them was sent some commands
		t.Fatalf("%s spent through gateway %q", before, gateway)
	}
	if w.crowded(gateway) {
		t.Fatalf("crowded after %s", recent)
	}
	half := (36*time.Second - recent) / 2

	// A process that begins anew finds what was spent before, and what others spend while it runs.
	w.another("earlier")
	w.spends("earlier", gateway, half)
	w.stop()
	w.lease = &engine.Lease{TTL: time.Hour, Renew: time.Millisecond, Name: "here"}
	w.run()
	if w.crowded(gateway) {
		t.Errorf("crowded after %s and %s of 36 s", recent, half)
	}
	w.another("later")
	w.spends("later", gateway, half)
	for patience := time.Now().Add(hang); !w.crowded(gateway); time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("it has not heard of what others have spent")
		}
	}
	if _, after, _ := w.spentInStore(); after != before+2*half {
		t.Errorf("%s are stored, want %s more than %s", after, 2*half, before)
	}
}

// A row counts once, however often it is read: two readings of this one would be all there is.
func TestAirTimeIsRecalledOnce(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 1, Seed: 8}, 1000)
	w.stop()
	reader := &airReader{Store: w.store}
	w.store = reader
	w.lease = &engine.Lease{TTL: time.Hour, Renew: time.Millisecond, Name: "here"}
	w.another("c2")
	w.spends("c2", "roof", 18*time.Second)
	w.run()
	for patience := time.Now().Add(hang); reader.read.Load() < 20; time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("nobody reads")
		}
	}
	if w.crowded("roof") {
		t.Error("18 s of 36 s have become more")
	}
}

// airReader counts who reads the account.
type airReader struct {
	store.Store
	read atomic.Int64
}

func (a *airReader) SpentAir(ctx context.Context, since store.AirMark) ([]store.AirSpent, store.AirMark, error) {
	a.read.Add(1)
	return a.Store.SpentAir(ctx, since)
}
