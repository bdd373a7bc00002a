package storetest

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// listable is a collection without its types, as far as lists need it.
type listable struct {
	create func(n int) error // the n-th object of a family in which values repeat
	list   func(store.Query) (page store.Page[map[string]any], err error)
	count  func(store.Query) (int, error)
}

// lists turns a collection into a listable. Objects are seen in their JSON form, in which
// fields are called as in queries.
func lists[T any, K comparable](ctx context.Context, c store.Collection[T, K], example func(n int) T) listable {
	return listable{
		create: func(n int) error { obj := example(n); return c.Create(ctx, &obj) },
		list: func(q store.Query) (out store.Page[map[string]any], err error) {
			page, err := c.List(ctx, q)
			for _, obj := range page.Items {
				b, err := json.Marshal(obj)
				if err != nil {
					return out, err
				}
				m := map[string]any{}
				if err := json.Unmarshal(b, &m); err != nil {
					return out, err
				}
				out.Items = append(out.Items, m)
			}
			out.Next = page.Next
			return out, err
		},
		count: func(q store.Query) (int, error) { return c.Count(ctx, q) },
	}
}

// pick returns one of some values, such that neighbours differ and values repeat.
func pick[T any](n int, of ...T) T { return of[n%len(of)] }

var versions = []string{"1.10.0.0", "1.2.0.0", "", "0000abcd", "0.255.0.1", "ffffffff"}

// everyKind returns a collection of every kind, each with objects that differ in every field.
func everyKind(ctx context.Context, o store.Objects) map[store.Kind]listable {
	id := func(n int) string { return fmt.Sprintf("id-%02d", n*7%23) }
	name := func(n int) string { return pick(n, "b", "a", "", "ä", "B") }
	at := func(n int) time.Time {
		return pick(n, day.Truncate(time.Second), day.Truncate(time.Hour), time.Time{}, day.Truncate(time.Hour).AddDate(0, 0, -n))
	}
	version := func(n int) fleet.Firmware { return fleet.MustParseFirmware(versions[n%len(versions)]) }
	return map[store.Kind]listable{
		store.KindDevice: lists(ctx, o.Devices(), func(n int) fleet.Device {
			return fleet.Device{DevEUI: devEUI(1, n*7%23), Name: name(n), Tag: pick(n, "x", "", "y"), ProfileID: pick(n, "p", "q"), Firmware: version(n),
				FirmwareChanged: at(n + 1), Band: pick(n, region.EU868, 0, region.AS923_2), Classes: pick(n, fleet.ClassesOf(fleet.ClassC), 0, fleet.ClassesOf(fleet.ClassB, fleet.ClassC)),
				LoRaWANVersion: pick(n, fleet.LoRaWAN10, fleet.LoRaWAN11), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindDeviceSet: lists(ctx, o.DeviceSets(), func(n int) fleet.DeviceSet {
			return fleet.DeviceSet{ID: id(n), Name: name(n), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindGroup: lists(ctx, o.Groups(), func(n int) fleet.MulticastGroup {
			return fleet.MulticastGroup{DevEUI: devEUI(2, n*7%23), Name: name(n), Tag: pick(n, "x", "", "y"), Band: pick(n, region.EU868, region.US915), McAddr: lorawan.DevAddr{byte(n * 5)},
				SessionClass: pick(n, fleet.ClassB, fleet.ClassC), DataRate: uint8(n % 4), Frequency: pick[uint32](n, 869525000, 0, 2_400_000_000), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindRegion: lists(ctx, o.Regions(), func(n int) fleet.Region {
			return fleet.Region{ID: id(n), Name: name(n), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindFile: lists(ctx, o.Files(), func(n int) fleet.File {
			return fleet.File{ID: id(n), Name: name(n), Type: pick(n, fleet.BinaryFile, fleet.FirmwareFile, fleet.DeltaFile), ProfileID: pick(n, "p", ""), Version: version(n),
				Size: pick[int64](n, 1<<40, 9, 10), UploadedAt: at(n + 1), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindProfile: lists(ctx, o.Profiles(), func(n int) fleet.DeviceProfile {
			return fleet.DeviceProfile{ID: id(n), Name: name(n), ProducerID: pick(n, "acme", "ACME"), ModuleID: fmt.Sprint(n), HWRevision: uint8(n * 11), MCUType: pick(n, "m4", "", "m0"),
				Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindSmartDeltaKey: lists(ctx, o.SmartDeltaKeys(), func(n int) fleet.SmartDeltaKey {
			return fleet.SmartDeltaKey{ID: id(n), Name: name(n), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindCampaign: lists(ctx, o.Campaigns(), func(n int) fleet.Campaign {
			return fleet.Campaign{ID: id(n), Name: name(n), Type: pick(n, fleet.FOTACampaign, fleet.MCGroupCampaign), Status: pick(n, fleet.Configured, fleet.Stopped, fleet.Succeeded), FileID: pick(n, "f", "", "g"),
				Paused: n%2 == 0, Started: at(n + 1), Ended: at(n + 3), Archived: n%5 == 0, Created: at(n + 2), LastChanged: at(n)}
		}),
		store.KindSubscriber: lists(ctx, o.Subscribers(), func(n int) fleet.Subscriber {
			return fleet.Subscriber{ID: id(n), Name: name(n), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindUser: lists(ctx, o.Users(), func(n int) identity.User {
			return identity.User{ID: id(n), Name: name(n), Login: fmt.Sprint("l", n*5%23), Role: pick(n, identity.Viewer, identity.Administrator), SubscriberID: pick(n, "", "a", "b"),
				Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindToken: lists(ctx, o.Tokens(), func(n int) identity.Token {
			return identity.Token{ID: id(n), Name: name(n), UserID: pick(n, "u", "v"), SubscriberID: pick(n, "", "a", "b"), Kind: pick(n, identity.KindAPI, identity.KindSession), Digest: fmt.Sprint(n),
				ExpiresAt: at(n + 1), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindJob: lists(ctx, o.Jobs(), func(n int) store.Job {
			return store.Job{ID: id(n), Kind: pick(n, "import", "export"), State: pick(n, store.JobQueued, store.JobDone, store.JobFailed), SubscriberID: pick(n, "", "a", "b"),
				DueAt: at(n + 1), Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
		store.KindReport: lists(ctx, o.Reports(), func(n int) store.Report {
			return store.Report{ID: id(n), Kind: pick(n, "general", "smart_delta"), Month: fmt.Sprintf("2026-%02d", n+1), SubscriberID: pick(n, "", "a", "b"),
				Archived: n%5 == 0, CreatedAt: at(n + 2), UpdatedAt: at(n)}
		}),
	}
}

// valueOf returns what an object has in a field, in a form that can be compared.
func valueOf(kind store.Kind, obj map[string]any, f store.FieldInfo) any {
	name := string(f.Field)
	switch {
	case kind == store.KindCampaign && f.Field == store.ByCreated:
		name = "created"
	case kind == store.KindCampaign && f.Field == store.ByUpdated:
		name = "last_changed"
	}
	v := obj[name]
	switch {
	case f.Type == store.BoolField:
		return v == true
	case f.Type == store.NumberField:
		n, _ := v.(float64)
		return n
	case kind == store.KindReport && f.Field == store.ByName:
		return fmt.Sprint(obj["kind"], " ", obj["month"])
	case kind == store.KindJob && f.Field == store.ByName:
		return obj["kind"]
	case v == nil:
		return ""
	}
	return v
}

// compareValues orders as a list should.
func compareValues(f store.FieldInfo, a, b any) int {
	switch a := a.(type) {
	case bool:
		return cmp.Compare(map[bool]int{true: 1}[a], map[bool]int{true: 1}[b.(bool)])
	case float64:
		return cmp.Compare(a, b.(float64))
	}
	if f.Field == store.ByFirmware || f.Field == store.ByVersion {
		order := []string{"", "0.255.0.1", "1.2.0.0", "1.10.0.0", "0000abcd", "ffffffff"}
		return cmp.Compare(slices.Index(order, a.(string)), slices.Index(order, b.(string)))
	}
	return strings.Compare(a.(string), b.(string))
}

const listed = 12 // objects of each kind

func fill(t *testing.T, s store.Objects) map[store.Kind]listable {
	kinds := everyKind(context.Background(), s)
	for _, kind := range store.Kinds() {
		for n := range listed {
			if err := kinds[kind].create(n); err != nil {
				t.Fatalf("%s %d: %v", kind, n, err)
			}
		}
	}
	return kinds
}

// pages reads a list to its end.
func pages(t *testing.T, l listable, q store.Query) (all []map[string]any) {
	t.Helper()
	for range 100 {
		page, err := l.list(q)
		must(t, err)
		if len(page.Items) > q.Limit {
			t.Fatalf("%d objects in a page of %d", len(page.Items), q.Limit)
		}
		all = append(all, page.Items...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
	t.Fatalf("%+v has no end", q)
	return nil
}

// everyOrder reads every kind in the order of every field there is, in both directions,
// and of some combinations, page by page.
func everyOrder(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	kinds := fill(t, s)
	for _, kind := range store.Kinds() {
		var sorts [][]store.Sort
		fields := store.FieldsOf(kind)
		for i, f := range fields {
			next := fields[(i+1)%len(fields)]
			if !f.Sort || !next.Sort {
				continue
			}
			for _, desc := range []bool{false, true} {
				sorts = append(sorts, []store.Sort{{Field: f.Field, Desc: desc}}, []store.Sort{{Field: f.Field, Desc: desc}, {Field: next.Field, Desc: desc}},
					[]store.Sort{{Field: f.Field, Desc: desc}, {Field: next.Field, Desc: !desc}},
					[]store.Sort{{Field: store.ByName, Desc: !desc}, {Field: f.Field, Desc: desc}, {Field: next.Field, Desc: !desc}})
			}
		}
		id, _ := store.FieldOf(kind, store.ByID)
		if id.Field == "" {
			id, _ = store.FieldOf(kind, store.ByDevEUI)
		}
		for _, by := range sorts {
			if by[0].Field == by[len(by)-1].Field && len(by) > 1 || len(by) == 3 && by[0].Field == by[1].Field {
				continue
			}
			all := pages(t, kinds[kind], store.Query{Limit: 5, Archived: true, Sort: by})
			if expected := listed + map[store.Kind]int{store.KindSubscriber: 1}[kind]; len(all) != expected {
				t.Fatalf("%s by %v: %d objects, want %d", kind, by, len(all), expected)
			}
			sorted := slices.IsSortedFunc(all, func(a, b map[string]any) int {
				for _, term := range append(slices.Clone(by), store.Sort{Field: id.Field, Desc: by[len(by)-1].Desc}) {
					f, _ := store.FieldOf(kind, term.Field)
					if d := compareValues(f, valueOf(kind, a, f), valueOf(kind, b, f)); d != 0 {
						return map[bool]int{false: d, true: -d}[term.Desc]
					}
				}
				t.Errorf("%s by %v: listed twice: %v", kind, by, a)
				return 0
			})
			if !sorted {
				t.Errorf("%s by %v is not sorted: %v", kind, by, all)
			}
		}
	}
}

// everyFilter asks every kind for every value of every field, and compares with what can be
// seen in the whole list.
func everyFilter(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	kinds := fill(t, s)
	for _, kind := range store.Kinds() {
		all := pages(t, kinds[kind], store.Query{Limit: 100, Archived: true})
		for _, f := range store.FieldsOf(kind) {
			if !f.Filter || f.Field == store.ByDeviceSet || f.Field == store.ByDevice || f.Field == store.ByDigest || f.Field == store.ByOIDCSubject {
				continue // these are no columns that can be seen
			}
			for _, one := range all {
				value := valueOf(kind, one, f)
				text := fmt.Sprint(value)
				if n, ok := value.(float64); ok {
					text = fmt.Sprintf("%.0f", n)
				}
				expected := 0
				for _, other := range all {
					if valueOf(kind, other, f) == value {
						expected++
					}
				}
				q := store.Query{Limit: 5, Archived: true, Where: map[store.Field]string{f.Field: text}}
				n, err := kinds[kind].count(q)
				if got := len(pages(t, kinds[kind], q)); err != nil || n != expected || got != expected {
					t.Errorf("%s with %s %q: %d listed, %d counted, %v; want %d", kind, f.Field, text, got, n, err, expected)
				}
				if q.Archived = false; f.Field == store.ByArchived { // asks for archived ones by itself
					if n, err := kinds[kind].count(q); err != nil || n != expected {
						t.Errorf("%s with %s %q: %d, %v; want %d", kind, f.Field, text, n, err, expected)
					}
				}
			}
		}
	}
}

func ranges(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for n := range 10 {
		f := fleet.File{ID: fmt.Sprint(n), Name: "f", Size: int64(n), UploadedAt: time.Date(2026, 3, 1, 6*n, 0, 0, 1000, time.UTC)}
		must(t, s.Files().Create(ctx, &f))
	}
	for _, tc := range []struct {
		field store.Field
		value string
		want  int
	}{
		{store.BySize, "3", 1}, {store.BySize, "3..5", 3}, {store.BySize, "3..", 7}, {store.BySize, "..3", 4}, {store.BySize, "..", 10}, {store.BySize, "5..3", 0},
		{store.BySize, "", 1}, // 0 stands for none
		{store.ByUploaded, "2026-03-01", 4}, {store.ByUploaded, "2026-03-01..2026-03-02", 8}, {store.ByUploaded, "2026-03-02..", 6},
		{store.ByUploaded, "..2026-03-01T06:00:00Z", 1}, {store.ByUploaded, "2026-03-01T07:00:00.000001+01:00", 1}, {store.ByUploaded, "", 0},
	} {
		n, err := s.Files().Count(ctx, store.Query{Where: map[store.Field]string{tc.field: tc.value}})
		if err != nil || n != tc.want {
			t.Errorf("%s %q: %d, %v; want %d", tc.field, tc.value, n, err, tc.want)
		}
	}
	for field, value := range map[store.Field]string{store.BySize: "3..x", store.ByUploaded: "yesterday", store.ByArchived: "maybe"} {
		_, err := s.Files().List(ctx, store.Query{Where: map[store.Field]string{field: value}})
		want(t, err, store.ErrQuery)
		if !strings.Contains(err.Error(), value) || !strings.Contains(err.Error(), string(field)) {
			t.Errorf("%v does not say what is wrong", err)
		}
	}
}

func unknownFields(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for _, kind := range store.Kinds() {
		l := everyKind(ctx, s)[kind]
		for _, q := range []store.Query{
			{Where: map[store.Field]string{"root_key": "x"}}, {Where: map[store.Field]string{"1=1; --": "x"}}, {Where: map[store.Field]string{"": ""}},
			{Sort: []store.Sort{{Field: "search"}}}, {Sort: []store.Sort{{Field: store.ByDeviceSet}}}, {Sort: []store.Sort{{Field: "name DESC --"}}},
		} {
			_, err := l.list(q)
			want(t, err, store.ErrQuery)
			for _, f := range store.FieldsOf(kind) {
				if (q.Sort == nil && f.Filter || q.Sort != nil && f.Sort) && !strings.Contains(err.Error(), string(f.Field)) {
					t.Errorf("%v does not name %s", err, f.Field)
				}
			}
			_, err = l.count(q)
			want(t, err, store.ErrQuery)
		}
		name := store.Sort{Field: store.ByName}
		for _, by := range [][]store.Sort{{name, name}, {name, {Field: store.ByCreated}, {Field: store.ByUpdated}, {Field: store.ByArchived}}} {
			_, err := l.list(store.Query{Sort: by})
			want(t, err, store.ErrQuery)
		}
	}
}

// oddCursors gives back what no page has given.
func oddCursors(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for n := range 5 {
		d := testDevice(n)
		must(t, s.Devices().Create(ctx, &d))
	}
	by := []store.Sort{{Field: store.ByName}, {Field: store.ByArchived}, {Field: store.ByCreated, Desc: true}}
	q := store.Query{Limit: 2, Archived: true, Sort: by, Where: map[store.Field]string{store.ByProfile: "profile"}}
	page, err := s.Devices().List(ctx, q)
	must(t, err)
	q.After, q.Limit = page.Next, 3 // the limit may change
	rest, err := s.Devices().List(ctx, q)
	must(t, err)
	if len(rest.Items) != 3 || rest.Next != "" {
		t.Fatalf("%d objects in the rest, next %q", len(rest.Items), rest.Next)
	}

	for name, change := range map[string]func(*store.Query){
		"another direction": func(q *store.Query) { q.Sort = slices.Clone(by); q.Sort[0].Desc = true },
		"another order":     func(q *store.Query) { q.Sort = by[:1] },
		"another filter":    func(q *store.Query) { q.Where = map[store.Field]string{store.ByProfile: "p"} },
		"no filter":         func(q *store.Query) { q.Where = nil },
		"another text":      func(q *store.Query) { q.Text = "m" },
		"not archived":      func(q *store.Query) { q.Archived = false },
	} {
		other := q
		change(&other)
		if _, err := s.Devices().List(ctx, other); err == nil {
			t.Errorf("a cursor goes on in a list with %s", name)
		} else {
			want(t, err, store.ErrQuery)
		}
	}
	_, err = s.Within("another").Devices().List(ctx, q)
	want(t, err, store.ErrQuery)
	_, err = s.Groups().List(ctx, store.Query{After: page.Next})
	want(t, err, store.ErrQuery)

	// Whatever the bytes are, the answer is a page or ErrQuery.
	raw, err := base64.RawURLEncoding.DecodeString(page.Next)
	must(t, err)
	odd := []string{"=", "AA", "no such place", strings.Repeat("A", 1<<16), page.Next + "A", page.Next + "AA==", devEUI(1, 1).String()}
	for i := range raw {
		odd = append(odd, base64.RawURLEncoding.EncodeToString(raw[:i]))
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := slices.Clone(raw)
			b[i] ^= flip
			odd = append(odd, base64.RawURLEncoding.EncodeToString(b))
		}
	}
	odd = append(odd, base64.RawURLEncoding.EncodeToString(append(slices.Clone(raw[:9]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00)))
	refused := 0
	for _, q.After = range odd {
		if q.After == "" {
			continue
		}
		page, err := s.Devices().List(ctx, q)
		if err != nil {
			want(t, err, store.ErrQuery)
			refused++
		} else if len(page.Items) > 5 {
			t.Errorf("%q gives %d objects", q.After, len(page.Items))
		}
	}
	if refused < len(raw) {
		t.Errorf("only %d of %d are refused", refused, len(odd))
	}
}

// pagesOverChanges pages while others create and archive: what is there all the time is seen once.
func pagesOverChanges(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for n := range 20 {
		d := testDevice(2 * n)
		d.Name = pick(n, "a", "b", "c")
		must(t, s.Devices().Create(ctx, &d))
	}
	for _, desc := range []bool{false, true} {
		seen := map[lorawan.EUI64]int{}
		for q := (store.Query{Limit: 3, Sort: []store.Sort{{Field: store.ByName, Desc: desc}}}); ; {
			page, err := s.Devices().List(ctx, q)
			must(t, err)
			for _, d := range page.Items {
				seen[d.DevEUI]++
			}
			if q.After = page.Next; q.After == "" {
				break
			}
			d := testDevice(2*len(seen) + 101 + map[bool]int{true: 200}[desc])
			d.Name = "b"
			must(t, s.Devices().Create(ctx, &d))
			must(t, s.Devices().Archive(ctx, page.Items[len(page.Items)-1].DevEUI, day)) // where the next page begins
			back := find(t, s.Devices(), page.Items[len(page.Items)-1].DevEUI)
			back.Archived = false
			must(t, s.Devices().Update(ctx, &back))
		}
		for n := range 20 {
			if seen[devEUI(1, 2*n)] != 1 {
				t.Errorf("desc %v: device %d is listed %d times", desc, n, seen[devEUI(1, 2*n)])
			}
		}
	}
	if reflect.DeepEqual(store.FieldsOf(store.KindDevice), store.FieldsOf("nothing")) || len(store.FieldsOf("nothing")) != 0 {
		t.Error("fields of an unknown kind")
	}
}

// filterSets asks for the members of sets in the two ways there are.
func filterSets(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	for n := range 30 {
		d := testDevice(n)
		d.Tag = pick(n, "north", "south", "")
		d.Band = pick(n, region.EU868, region.US915)
		d.Name = fmt.Sprintf("Meter %02d", n)
		d.Archived = n == 4
		must(t, s.Within(pick(n/10, "a", "a", "b")).Devices().Create(ctx, &d))
	}
	a := s.Within("a")
	for i, tc := range []struct {
		filter  *fleet.DeviceFilter
		devices []int
		members []int // of subscriber a
	}{
		{nil, []int{9, 4, 3}, []int{9, 4, 3}}, // in the order of the list, archived or not
		{nil, nil, nil},
		{&fleet.DeviceFilter{Where: map[string]string{"tag": "south"}}, nil, []int{1, 7, 10, 13, 16, 19}},
		{&fleet.DeviceFilter{Where: map[string]string{"tag": "south", "band": "EU868"}}, nil, []int{10, 16}},
		{&fleet.DeviceFilter{Text: "mETER 1", Where: map[string]string{"tag": "north"}}, nil, []int{12, 15, 18}},
		{&fleet.DeviceFilter{Text: "nothing"}, nil, nil},
	} {
		set := fleet.DeviceSet{ID: fmt.Sprint(i), Name: "s", Filter: tc.filter}
		for _, n := range tc.devices {
			set.Devices = append(set.Devices, devEUI(1, n))
		}
		must(t, a.DeviceSets().Create(ctx, &set))
		var expected []lorawan.EUI64
		for _, n := range tc.members {
			expected = append(expected, devEUI(1, n))
		}
		stored := find(t, a.DeviceSets(), set.ID)
		got, err := store.Members(ctx, s, stored) // of the set's subscriber, even when all are seen
		must(t, err)
		if !slices.Equal(got, expected) {
			t.Errorf("set %d has %v, want %v", i, got, expected)
		}
		q := store.Query{Archived: tc.filter == nil, Limit: 2, Where: map[store.Field]string{store.ByDeviceSet: set.ID}}
		var listed []lorawan.EUI64
		for {
			page, err := a.Devices().List(ctx, q)
			must(t, err)
			for _, d := range page.Items {
				listed = append(listed, d.DevEUI)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		slices.SortFunc(expected, lorawan.EUI64.Compare)
		if n, err := a.Devices().Count(ctx, q); err != nil || n != len(expected) || !slices.Equal(listed, expected) {
			t.Errorf("set %d lists %v, counts %d, %v", i, listed, n, err)
		}
		if n, err := s.Within("b").Devices().Count(ctx, q); err != nil || n != 0 {
			t.Errorf("another subscriber sees %d members of set %d, %v", n, i, err)
		}
	}
	for _, field := range fleet.DeviceFilterFields {
		if f, _ := store.FieldOf(store.KindDevice, store.Field(field)); !f.Filter {
			t.Errorf("a set may ask for %s, and a list may not", field)
		}
	}
	odd := fleet.DeviceSet{ID: "odd", Filter: &fleet.DeviceFilter{Where: map[string]string{"device_set": "odd"}}}
	must(t, a.DeviceSets().Create(ctx, &odd))
	_, err := a.Devices().List(ctx, store.Query{Where: map[store.Field]string{store.ByDeviceSet: "odd"}})
	want(t, err, store.ErrQuery)
}
