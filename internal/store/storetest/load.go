package storetest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

var (
	loadDevices = flag.Int("load.devices", 10_000, "devices in the store for BenchmarkLoad, 1000 or more")
	loadRuns    = flag.Int("load.runs", 20, "how often BenchmarkLoad asks each question")
)

// Subscribers of Load: one of a thousand devices has the small one.
const (
	largeSubscriber = "large"
	smallSubscriber = "small"
)

// Load fills an empty store with devices of two subscribers, and prints how long imports, lists,
// filters, searches and counts take for each of them. analyze, if not nil, is what the engine does by itself
// some time after an import.
func Load(b *testing.B, s store.Store, analyze func() error) {
	ctx := b.Context()
	took := importDevices(b, s, *loadDevices)
	if analyze != nil {
		if err := analyze(); err != nil {
			b.Fatal(err)
		}
	}
	fmt.Printf("\n%d devices, the first %d imported at %.0f/s, all at %.0f/s\n\n", *loadDevices, took.first, float64(took.first)/took.ofFirst.Seconds(), float64(*loadDevices)/took.ofAll.Seconds())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug)
	fmt.Fprintf(w, "| question\t %d devices p50\t p99\t %d devices p50\t p99\t\n", *loadDevices-*loadDevices/1000, *loadDevices/1000)
	fmt.Fprintf(w, "| ---\t ---\t ---\t ---\t ---\t\n")
	for _, question := range questions(b, s) {
		fmt.Fprintf(w, "| %s\t", question.name)
		for _, subscriber := range []string{largeSubscriber, smallSubscriber} {
			var times []time.Duration
			began := time.Now()
			for run := 0; run < *loadRuns && (run < 3 || time.Since(began) < 20*time.Second); run++ {
				start := time.Now()
				if err := question.ask(ctx, s.Within(subscriber), run); err != nil {
					b.Fatalf("%s: %v", question.name, err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			fmt.Fprintf(w, " %s\t %s\t", milli(times[len(times)/2]), milli(times[(len(times)-1)*99/100]))
		}
		fmt.Fprintln(w)
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}

func milli(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

// loadDevice returns the n-th device. Identifiers come in batches of 10,000, as from a factory, and times rise, as in
// an import; all else is in no order.
func loadDevice(n int) fleet.Device {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	batch := rand.New(rand.NewPCG(uint64(n/10_000), 1)).Uint32()
	return fleet.Device{
		DevEUI: lorawan.EUI64{0x70, 0xb3, 0xd5, byte(batch), byte(batch >> 8), byte(n >> 16), byte(n >> 8), byte(n)},
		Name:   fmt.Sprintf("Meter %s %06d", []string{"Harbour", "Old Town", "Mill", "Station", "Hill"}[r.IntN(5)], r.IntN(1_000_000)), Tag: fmt.Sprintf("district-%02d", r.IntN(50)),
		ProfileID: fmt.Sprintf("01997c1e-5d6a-7c11-8e2f-0000000000%02d", r.IntN(20)), Firmware: fleet.DottedFirmware(uint32(1 + r.IntN(8)<<8)), FirmwareChanged: day.Add(-time.Duration(r.IntN(1e7)) * time.Second),
		Band: []region.Band{region.EU868, region.US915, region.AS923}[r.IntN(3)], Classes: []fleet.Classes{fleet.ClassesOf(fleet.ClassC), fleet.ClassesOf(fleet.ClassB, fleet.ClassC)}[r.IntN(2)],
		LoRaWANVersion: fleet.LoRaWANVersion(r.IntN(2)), RootKey: lorawan.AES128Key{1, byte(n >> 16), byte(n >> 8), byte(n)}, Archived: n%100 == 0,
		CreatedAt: day.Add(time.Duration(n/1000) * time.Minute), UpdatedAt: day.Add(time.Duration(n/1000) * time.Minute),
	}
}

type imported struct {
	first          int
	ofFirst, ofAll time.Duration
}

// importDevices stores devices in transactions of 1000, as an import does: the first 100,000 one after
// the other, which is the rate that is printed, and the rest four at a time.
func importDevices(b *testing.B, s store.Store, total int) (took imported) {
	b.Helper()
	put := func(from int) error {
		return s.Tx(b.Context(), func(o store.Objects) error {
			devices := map[string][]*fleet.Device{}
			for n := from; n < min(from+1000, total); n++ {
				d := loadDevice(n)
				subscriber := largeSubscriber
				if n%1000 == 999 {
					subscriber = smallSubscriber
				}
				devices[subscriber] = append(devices[subscriber], &d)
			}
			for subscriber, list := range devices {
				if _, err := o.Within(subscriber).Devices().CreateAll(b.Context(), list); err != nil {
					return err
				}
			}
			return nil
		})
	}
	start := time.Now()
	took.first = min(100_000, total)
	for from := 0; from < took.first; from += 1000 {
		if err := put(from); err != nil {
			b.Fatal(err)
		}
	}
	took.ofFirst = time.Since(start)
	rest := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for from := range rest {
				if err := put(from); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for from := took.first; from < total; from += 1000 {
		rest <- from
	}
	close(rest)
	wg.Wait()
	took.ofAll = time.Since(start)
	return took
}

type question struct {
	name string
	ask  func(ctx context.Context, o store.Objects, run int) error
}

func questions(b *testing.B, s store.Store) (all []question) {
	add := func(name string, ask func(ctx context.Context, o store.Objects, run int) error) {
		all = append(all, question{name, ask})
	}
	list := func(q store.Query) func(context.Context, store.Objects, int) error {
		return func(ctx context.Context, o store.Objects, _ int) error {
			_, err := o.Devices().List(ctx, q)
			return err
		}
	}
	count := func(q store.Query) func(context.Context, store.Objects, int) error {
		return func(ctx context.Context, o store.Objects, _ int) error {
			_, err := o.Devices().Count(ctx, q)
			return err
		}
	}
	type where = map[store.Field]string
	add("read one", func(ctx context.Context, o store.Objects, run int) error {
		_, err := o.Devices().FindAll(ctx, []lorawan.EUI64{loadDevice(run * 997 % *loadDevices).DevEUI})
		return err
	})
	add("first page of 100", list(store.Query{}))
	for _, f := range store.FieldsOf(store.KindDevice) {
		if f.Sort {
			add("sorted by "+string(f.Field), list(store.Query{Sort: []store.Sort{{Field: f.Field}}}))
			add("sorted by -"+string(f.Field), list(store.Query{Sort: []store.Sort{{Field: f.Field, Desc: true}}, Archived: f.Field == store.ByArchived}))
		}
	}
	add("sorted by tag, name", list(store.Query{Sort: []store.Sort{{Field: store.ByTag}, {Field: store.ByName}}}))
	add("sorted by tag, -updated_at", list(store.Query{Sort: []store.Sort{{Field: store.ByTag}, {Field: store.ByUpdated, Desc: true}}}))
	for _, by := range []store.Sort{{Field: store.ByDevEUI}, {Field: store.ByName}, {Field: store.ByUpdated, Desc: true}, {Field: store.ByClasses}} {
		deep := map[string]string{}
		for _, subscriber := range []string{largeSubscriber, smallSubscriber} {
			deep[subscriber] = deepCursor(b, s.Within(subscriber), by)
		}
		add(fmt.Sprintf("page in the middle, sorted by %s", by.Field), func(ctx context.Context, o store.Objects, _ int) error {
			q := store.Query{Sort: []store.Sort{by}, After: deep[largeSubscriber]}
			_, err := o.Devices().List(ctx, q)
			if err != nil { // the cursor is of the other subscriber
				q.After = deep[smallSubscriber]
				_, err = o.Devices().List(ctx, q)
			}
			return err
		})
	}
	d := loadDevice(1)
	wheres := []where{
		{store.ByTag: d.Tag}, {store.ByProfile: d.ProfileID}, {store.ByFirmware: d.Firmware.String()}, {store.ByBand: "EU868"}, {store.ByClasses: "C"}, {store.ByLoRaWANVersion: "1.1"},
		{store.ByName: d.Name}, {store.ByArchived: "true"}, {store.ByFirmwareChanged: "2026-02-01"}, {store.ByUpdated: "2026-03-01..2026-03-01T12:10:00Z"}, {store.ByTag: "none such"},
		{store.ByTag: d.Tag, store.ByProfile: d.ProfileID, store.ByBand: "US915"}, {store.ByProfile: d.ProfileID, store.ByFirmware: d.Firmware.String()},
	}
	for _, w := range wheres {
		add(fmt.Sprintf("filter %v", w), list(store.Query{Where: w}))
		add(fmt.Sprintf("count %v", w), count(store.Query{Where: w}))
	}
	byName := []store.Sort{{Field: store.ByName}}
	add("filter tag, sorted by name", list(store.Query{Where: where{store.ByTag: d.Tag}, Sort: byName}))
	add("filter a tag that nobody has, sorted by name", list(store.Query{Where: where{store.ByTag: "none such"}, Sort: byName}))
	add("count all", count(store.Query{}))
	add("count all, archived too", count(store.Query{Archived: true}))
	for _, search := range []struct{ name, text string }{{"all", "meter"}, {"one in five", "harbour"}, {"one", d.DevEUI.String()[6:]}, {"none", "no such device"}} {
		add("search that finds "+search.name, list(store.Query{Text: search.text}))
		add("search that finds "+search.name+", sorted by name", list(store.Query{Text: search.text, Sort: byName}))
		add("search that finds "+search.name+", counted", count(store.Query{Text: search.text}))
	}
	return all
}

// deepCursor pages to the middle of a list.
func deepCursor(b *testing.B, o store.Objects, by store.Sort) string {
	b.Helper()
	n, err := o.Devices().Count(b.Context(), store.Query{})
	if err != nil {
		b.Fatal(err)
	}
	q := store.Query{Limit: max(1, min(store.MaxLimit, n/4)), Sort: []store.Sort{by}}
	for seen := 0; seen < n/2; seen += q.Limit {
		page, err := o.Devices().List(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		q.After = page.Next
	}
	return q.After
}
