package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

func everyKindKeepsItsObjects(t *testing.T, open Open) {
	place := t.TempDir()
	s := open(t, place)

	device := testDevice(1)
	device.Tag, device.LoRaWANVersion, device.Band = "canary", fleet.LoRaWAN11, region.AS923_2
	device.Firmware, device.FirmwareChanged, device.FirmwareReported = fleet.MustParseFirmware("1.2.3.4"), day, day
	group := testGroup(1)
	group.Redundancy, group.PingSlotPeriodicity, group.FCntDown, group.DwellTime = fleet.OneToTwo, 7, 1<<32-1, true
	profile := fleet.DeviceProfile{ID: "p", Name: "meter", ProducerID: "acme", ModuleID: "m", HWRevision: 255, HWVersion: 1<<32 - 1,
		TimeTolerance: time.Second, DefaultUplinkPeriod: time.Minute, Packages: fleet.Packages{McSetup: 2}, CreatedAt: day, UpdatedAt: day}
	file := fleet.File{ID: "f", Name: "image", UploadedAt: day, Size: 3, SHA256: "ab", Type: fleet.DeltaFile, Descriptor: [4]byte{1},
		BaseVersion: fleet.FreeFirmware(1), Version: fleet.FreeFirmware(2), ProfileID: "p", CreatedAt: day, UpdatedAt: day}
	set := fleet.DeviceSet{ID: "s", Name: "all", Devices: []lorawan.EUI64{devEUI(1, 2), devEUI(1, 1)}, CreatedAt: day, UpdatedAt: day}
	zone := fleet.Region{ID: "r", Name: "east", Groups: []lorawan.EUI64{group.DevEUI}, CreatedAt: day, UpdatedAt: day}
	key := fleet.SmartDeltaKey{ID: "k", Name: "key", PublicKey: make([]byte, 64), PrivateKey: []byte{1, 2, 3}, CreatedAt: day, UpdatedAt: day}
	campaign := testCampaign("c")
	campaign.RebootAt, campaign.SessionStart, campaign.Paused = day.Add(time.Hour), day, true
	campaign.Policy = fleet.CampaignPolicy{Retries: 7, FlashTime: time.Minute}

	keeps(t, s.Devices(), device.DevEUI, &device, func(d *fleet.Device) { d.RootKey[0]++; d.Firmware = fleet.Firmware{}; d.Revision = 2 })
	keeps(t, s.Groups(), group.DevEUI, &group, func(g *fleet.MulticastGroup) { g.McAddr[0]++; g.McKey[0]++; g.Revision = 2 })
	keeps(t, s.Profiles(), "p", &profile, func(p *fleet.DeviceProfile) { p.ModuleID = "m2"; p.StatusStyle = fleet.StatusLBM; p.Revision = 2 })
	keeps(t, s.Files(), "f", &file, func(f *fleet.File) { f.Name = "renamed"; f.Revision = 2 })
	keeps(t, s.DeviceSets(), "s", &set, func(s *fleet.DeviceSet) { s.Devices = []lorawan.EUI64{devEUI(1, 3)}; s.Revision = 2 })
	keeps(t, s.Regions(), "r", &zone, func(r *fleet.Region) { r.Groups = []lorawan.EUI64{}; r.Revision = 2 })
	keeps(t, s.SmartDeltaKeys(), "k", &key, func(k *fleet.SmartDeltaKey) { k.Description = "rotated"; k.Revision = 2 })
	keeps(t, s.Campaigns(), "c", &campaign, func(c *fleet.Campaign) { c.Paused = false; c.Regions = []string{"r", "q"}; c.Revision = 2 })

	// Without closing: what was acknowledged is there for whoever opens the place next.
	again := open(t, place)
	same(t, "device after reopening", find(t, again.Devices(), device.DevEUI), device)
	same(t, "set after reopening", find(t, again.DeviceSets(), "s"), set)
	same(t, "key after reopening", find(t, again.SmartDeltaKeys(), "k"), key)
	same(t, "campaign after reopening", find(t, again.Campaigns(), "c"), campaign)
	must(t, again.Ping(context.Background()))
}

// keeps creates, reads, changes and reads one object, in three ways of reading.
func keeps[T any, K comparable](t *testing.T, c store.Collection[T, K], key K, obj *T, change func(*T)) {
	t.Helper()
	ctx := context.Background()
	_, err := c.Find(ctx, key)
	want(t, err, store.ErrNotFound)
	want(t, c.Update(ctx, obj), store.ErrNotFound)
	must(t, c.Create(ctx, obj))
	same(t, "created", find(t, c, key), *obj)
	want(t, c.Create(ctx, obj), store.ErrConflict)

	changed := *obj
	change(&changed) // and says which revision is expected
	*obj = changed
	reflect.ValueOf(obj).Elem().FieldByName("Revision").SetInt(1)
	must(t, c.Update(ctx, obj))
	same(t, "given back", *obj, changed)
	same(t, "updated", find(t, c, key), changed)
	all, err := c.FindAll(ctx, []K{key, key})
	must(t, err)
	same(t, "all of the keys", all, []T{changed})
	page, err := c.List(ctx, store.Query{})
	must(t, err)
	same(t, "listed", page, store.Page[T]{Items: []T{changed}})
}

func listsPage(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	const total = 25
	must(t, s.Tx(ctx, func(o store.Objects) error {
		for n := range total {
			d := testDevice((n * 7) % total) // not in order
			if err := o.Devices().Create(ctx, &d); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, limit := range []int{1, 5, 24, 25, 26} {
		var seen []lorawan.EUI64
		q := store.Query{Limit: limit}
		for pages := 0; ; pages++ {
			page, err := s.Devices().List(ctx, q)
			must(t, err)
			if len(page.Items) > limit || pages > total {
				t.Fatalf("page %d of limit %d has %d items", pages, limit, len(page.Items))
			}
			for _, d := range page.Items {
				seen = append(seen, d.DevEUI)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		for n := range total {
			if len(seen) != total || seen[n] != devEUI(1, n) {
				t.Fatalf("limit %d: saw %v", limit, seen)
			}
		}
	}
	for _, q := range []store.Query{{Limit: -1}, {Limit: store.MaxLimit + 1}, {After: "no such place"}} {
		_, err := s.Devices().List(ctx, q)
		want(t, err, store.ErrQuery)
	}
	keys := []lorawan.EUI64{devEUI(1, 9), devEUI(7, 7), devEUI(1, 2)}
	found, err := s.Devices().FindAll(ctx, keys)
	must(t, err)
	if len(found) != 2 || found[0].DevEUI != devEUI(1, 2) || found[1].DevEUI != devEUI(1, 9) {
		t.Fatalf("found %v", found)
	}
}

func listsFilter(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for n := range 6 {
		d := testDevice(n)
		d.Tag = []string{"canary", "Field 100%"}[n%2]
		d.ProfileID = []string{"a", "b", "c"}[n%3]
		must(t, s.Devices().Create(ctx, &d))
	}
	set := fleet.DeviceSet{ID: "s", Name: "two", Devices: []lorawan.EUI64{devEUI(1, 1), devEUI(1, 4)}}
	must(t, s.DeviceSets().Create(ctx, &set))
	for _, tc := range []struct {
		q    store.Query
		want int
	}{
		{store.Query{}, 6},
		{store.Query{Text: "CANARY"}, 3},
		{store.Query{Text: "0%"}, 3}, // no wildcard
		{store.Query{Text: "field 100% meter"}, 0},
		{store.Query{Text: devEUI(1, 5).String()[8:]}, 1},
		{store.Query{Where: map[store.Field]string{store.ByTag: "canary"}}, 3},
		{store.Query{Where: map[store.Field]string{store.ByTag: "canary", store.ByProfile: "a"}}, 1},
		{store.Query{Where: map[store.Field]string{store.ByName: "' OR 1 --"}}, 0},
		{store.Query{Where: map[store.Field]string{store.ByDeviceSet: "s"}}, 2},
	} {
		page, err := s.Devices().List(ctx, tc.q)
		must(t, err)
		n, err := s.Devices().Count(ctx, tc.q)
		must(t, err)
		if len(page.Items) != tc.want || n != tc.want {
			t.Errorf("%+v: %d items, count %d, want %d", tc.q, len(page.Items), n, tc.want)
		}
	}
	for device, sets := range map[string]int{devEUI(1, 4).String(): 1, devEUI(1, 2).String(): 0, "garbage": 0} {
		n, err := s.DeviceSets().Count(ctx, store.Query{Where: map[store.Field]string{store.ByDevice: device, store.ByID: "s"}})
		if err != nil || n != sets {
			t.Errorf("sets with device %s: %d, %v", device, n, err)
		}
	}
	_, err := s.Regions().List(ctx, store.Query{Where: map[store.Field]string{store.ByTag: "x"}})
	want(t, err, store.ErrQuery)
	_, err = s.Regions().Count(ctx, store.Query{Where: map[store.Field]string{"1=1; --": "x"}})
	want(t, err, store.ErrQuery)
}

// byteOrder has names on which locales and machines disagree.
func byteOrder(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	ordered := []string{"A-1", "B", "_", "a", "a b", "aa", "z", "\u00e4", "\u65e5"}
	for i := range ordered {
		id := ordered[(i*5)%len(ordered)]
		must(t, s.Regions().Create(ctx, &fleet.Region{ID: id, Name: id}))
	}
	var seen []string
	for q := (store.Query{Limit: 2}); ; {
		page, err := s.Regions().List(ctx, q)
		must(t, err)
		for _, r := range page.Items {
			seen = append(seen, r.ID)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	same(t, "listed", seen, ordered)
	found, err := s.Regions().FindAll(ctx, ordered)
	must(t, err)
	for i, r := range found {
		if r.ID != ordered[i] {
			t.Fatalf("found %q at %d, want %q", r.ID, i, ordered[i])
		}
	}
}

// oddText is what can come in a URL and has no place in every database.
func oddText(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for _, odd := range []string{"a\x00b", "a\xffb"} {
		_, err := s.Regions().Find(ctx, odd)
		want(t, err, store.ErrNotFound)
		want(t, s.Regions().Archive(ctx, odd, day), store.ErrNotFound)
		for _, q := range []store.Query{{Text: odd}, {After: odd}, {Where: map[store.Field]string{store.ByName: odd}}} {
			_, err := s.Regions().List(ctx, q)
			want(t, err, store.ErrQuery)
		}
		if err := s.Regions().Create(ctx, &fleet.Region{ID: "r", Name: odd}); err == nil {
			t.Errorf("%q is stored", odd)
		}
		if err := s.Regions().Create(ctx, &fleet.Region{ID: odd, Name: "r"}); err == nil {
			t.Errorf("%q is stored", odd)
		}
		_, err = s.LoadRun(ctx, odd)
		want(t, err, store.ErrNotFound)
		_, err = s.RunInfo(ctx, odd)
		want(t, err, store.ErrNotFound)
		_, err = s.OpenContent(ctx, odd)
		want(t, err, store.ErrNotFound)
		entries, err := s.Timeline(ctx, odd, store.TimelineQuery{})
		must(t, err)
		pending, err := s.PendingOutbox(ctx, odd)
		must(t, err)
		if len(entries)+len(pending) != 0 {
			t.Errorf("found %v, %v", entries, pending)
		}
		found, err := s.Regions().FindAll(ctx, []string{odd, "r"})
		must(t, err)
		if len(found) != 0 {
			t.Errorf("found %v", found)
		}
	}
}

func uniqueness(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	p := fleet.DeviceProfile{ID: "1", Name: "a", ProducerID: "acme", ModuleID: "m", HWRevision: 1}
	must(t, s.Profiles().Create(ctx, &p))
	p2 := p
	p2.ID = "2"
	conflict(t, s.Profiles().Create(ctx, &p2), "producer_id, module_id, hw_revision")
	p2.HWRevision = 2
	must(t, s.Profiles().Create(ctx, &p2))
	p2.HWRevision = 1
	conflict(t, s.Profiles().Update(ctx, &p2), "producer_id, module_id, hw_revision")
	if p2.Revision != 1 {
		t.Errorf("a refused update left revision %d", p2.Revision)
	}

	g := testGroup(1)
	must(t, s.Groups().Create(ctx, &g))
	other := testGroup(2)
	other.McAddr = g.McAddr
	conflict(t, s.Groups().Create(ctx, &other), "mc_addr")
	other = g
	other.McAddr = lorawan.DevAddr{7, 7, 7, 7}
	conflict(t, s.Groups().Create(ctx, &other), "dev_eui")
	other = testGroup(2)
	other.McAddr = g.McAddr

	// An archived object gives its place free, and cannot come back while it is taken.
	must(t, s.Groups().Archive(ctx, g.DevEUI, day))
	must(t, s.Groups().Create(ctx, &other))
	back := find(t, s.Groups(), g.DevEUI)
	back.Archived = false
	conflict(t, s.Groups().Update(ctx, &back), "mc_addr")
}

func conflict(t *testing.T, err error, field string) {
	t.Helper()
	want(t, err, store.ErrConflict)
	var c *store.Conflict
	if !errors.As(err, &c) || c.Field != field {
		t.Fatalf("got %v, want a conflict of %s", err, field)
	}
}

func staleUpdates(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	d := testDevice(1)
	must(t, s.Devices().Create(ctx, &d))
	mine, theirs := find(t, s.Devices(), d.DevEUI), find(t, s.Devices(), d.DevEUI)
	mine.Name, theirs.Name = "mine", "theirs"
	must(t, s.Devices().Update(ctx, &theirs))
	want(t, s.Devices().Update(ctx, &mine), store.ErrStale)
	if got := find(t, s.Devices(), d.DevEUI); got.Name != "theirs" || got.Revision != 2 || mine.Revision != 1 {
		t.Errorf("stored %+v, mine has revision %d", got, mine.Revision)
	}
}

func archiving(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	r := fleet.Region{ID: "r", Name: "east", UpdatedAt: day}
	must(t, s.Regions().Create(ctx, &r))
	want(t, s.Regions().Archive(ctx, "no", day), store.ErrNotFound)
	must(t, s.Regions().Archive(ctx, "r", day.Add(time.Hour)))
	must(t, s.Regions().Archive(ctx, "r", day.Add(2*time.Hour)))
	got := find(t, s.Regions(), "r")
	if !got.Archived || got.Revision != 2 || !got.UpdatedAt.Equal(day.Add(time.Hour)) {
		t.Errorf("archived twice: %+v", got)
	}
	for archived, count := range map[bool]int{false: 0, true: 1} {
		if n, err := s.Regions().Count(ctx, store.Query{Archived: archived}); err != nil || n != count {
			t.Errorf("archived %v: %d, %v", archived, n, err)
		}
	}
	got.Archived = false
	must(t, s.Regions().Update(ctx, &got))
	if n, err := s.Regions().Count(ctx, store.Query{}); err != nil || n != 1 {
		t.Errorf("back in the list: %d, %v", n, err)
	}
}

func failedTx(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	boom := errors.New("boom")
	half := func(o store.Objects) {
		d := testDevice(1)
		must(t, o.Devices().Create(ctx, &d))
		if got, err := o.Devices().Find(ctx, d.DevEUI); err != nil || got.Name != d.Name {
			t.Errorf("a transaction sees its own writes: %v, %v", got, err)
		}
	}
	want(t, s.Tx(ctx, func(o store.Objects) error { half(o); return boom }), boom)

	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic goes through")
			}
		}()
		_ = s.Tx(ctx, func(o store.Objects) error { half(o); panic("boom") })
	}()

	cancelled, cancel := context.WithCancel(ctx)
	if err := s.Tx(cancelled, func(o store.Objects) error { half(o); cancel(); return nil }); err == nil {
		t.Error("a cancelled transaction does not commit")
	}
	if n, err := s.Devices().Count(ctx, store.Query{Archived: true}); err != nil || n != 0 {
		t.Errorf("%d devices are left over, %v", n, err)
	}
	// The store still works.
	must(t, s.Tx(ctx, func(o store.Objects) error { half(o); return nil }))
	find(t, s.Devices(), devEUI(1, 1))
}

func concurrentWriters(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	r := fleet.Region{ID: "r", Name: "0"}
	must(t, s.Regions().Create(ctx, &r))
	const writers, rounds = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range rounds {
				err := s.Tx(ctx, func(o store.Objects) error {
					r, err := o.Regions().Find(ctx, "r")
					if err != nil {
						return err
					}
					r.Groups = append(r.Groups, devEUI(byte(w), n))
					return o.Regions().Update(ctx, &r)
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Regions().List(ctx, store.Query{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := find(t, s.Regions(), "r")
	seen := map[lorawan.EUI64]bool{}
	for _, e := range got.Groups {
		seen[e] = true
	}
	if len(seen) != writers*rounds || got.Revision != writers*rounds+1 {
		t.Errorf("%d of %d changes at revision %d", len(seen), writers*rounds, got.Revision)
	}

	// Without transactions, one of those who read the same revision wins.
	won := make(chan error, writers)
	for w := range writers {
		wg.Go(func() {
			mine := got
			mine.Name = fmt.Sprint(w)
			won <- s.Regions().Update(ctx, &mine)
		})
	}
	wg.Wait()
	close(won)
	winners := 0
	for err := range won {
		if err == nil {
			winners++
		} else {
			want(t, err, store.ErrStale)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
}
