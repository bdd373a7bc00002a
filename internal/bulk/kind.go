package bulk

import (
	"slices"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// kind says what is particular about a kind of object T, its row R and its key K.
type kind[R, T any, K comparable] struct {
	columns     []column[R]
	width       int      // columns that a row of the reference format has at least
	exportWidth int      // columns that it is written with
	maxRecord   int      // bytes of a row
	header      []string // names that tell a header row from a row of the reference format; none: there is no such format
	instead     string   // a name that does as well as the last of header; "": none
	keys        []string // columns that make the key, the first of them the one that errors name
	key         func(*R) K
	load        func(T) R
	object      func(*R) *T
	archived    func(*R) *bool
	settle      func(*row[R])        // looks at several columns at once; may be nil
	excused     func(*row[R]) string // name of a mandatory column that a row does without; may be nil
}

func itself[T any](obj T) T    { return obj }
func pointer[T any](obj *T) *T { return obj }

var deviceKind = kind[deviceRow, fleet.Device, lorawan.EUI64]{
	columns: deviceColumns, width: deviceWidth, exportWidth: deviceWidth, maxRecord: MaxRecord, header: []string{"dev_eui"}, keys: []string{"dev_eui"},
	key:      func(r *deviceRow) lorawan.EUI64 { return r.DevEUI },
	load:     func(d fleet.Device) deviceRow { return deviceRow{Device: d} },
	object:   func(r *deviceRow) *fleet.Device { return &r.Device },
	archived: func(r *deviceRow) *bool { return &r.Archived },
	settle:   settleDevice,
}

var setKind = kind[fleet.DeviceSet, fleet.DeviceSet, string]{
	columns: setColumns, width: setWidth, exportWidth: setWidth, maxRecord: MaxSetRecord, header: []string{"name", "devices"}, instead: "filter", keys: []string{"name"},
	key:      func(s *fleet.DeviceSet) string { return s.Name },
	load:     itself[fleet.DeviceSet],
	object:   pointer[fleet.DeviceSet],
	archived: func(s *fleet.DeviceSet) *bool { return &s.Archived },
	excused: func(r *row[fleet.DeviceSet]) string {
		if r.in.Filter != nil || r.failedAt("filter") {
			return "devices"
		}
		return ""
	},
}

var groupKind = kind[group, group, lorawan.EUI64]{
	columns: groupColumns, width: groupWidth, exportWidth: groupExportWidth, maxRecord: MaxRecord, header: []string{"dev_eui"}, keys: []string{"dev_eui"},
	key:      func(g *group) lorawan.EUI64 { return g.DevEUI },
	load:     itself[group],
	object:   pointer[group],
	archived: func(g *group) *bool { return &g.Archived },
}

var regionKind = kind[fleet.Region, fleet.Region, string]{
	columns: regionColumns, maxRecord: MaxSetRecord, keys: []string{"name"},
	key:      func(r *fleet.Region) string { return r.Name },
	load:     itself[fleet.Region],
	object:   pointer[fleet.Region],
	archived: func(r *fleet.Region) *bool { return &r.Archived },
}

var profileKind = kind[fleet.DeviceProfile, fleet.DeviceProfile, fleet.Triplet]{
	columns: profileColumns, maxRecord: MaxRecord, keys: []string{"producer_id", "module_id", "hw_revision"},
	key:      func(p *fleet.DeviceProfile) fleet.Triplet { return p.Triplet() },
	load:     itself[fleet.DeviceProfile],
	object:   pointer[fleet.DeviceProfile],
	archived: func(p *fleet.DeviceProfile) *bool { return &p.Archived },
}

var fileKind = kind[fleet.File, fleet.File, string]{
	columns: fileColumns, load: itself[fleet.File],
	archived: func(f *fleet.File) *bool { return &f.Archived },
}

var smartDeltaKeyKind = kind[fleet.SmartDeltaKey, fleet.SmartDeltaKey, string]{
	columns: smartDeltaKeyColumns, load: itself[fleet.SmartDeltaKey],
	archived: func(k *fleet.SmartDeltaKey) *bool { return &k.Archived },
}

var campaignKind = kind[fleet.Campaign, fleet.Campaign, string]{
	columns: campaignColumns, load: itself[fleet.Campaign],
	archived: func(c *fleet.Campaign) *bool { return &c.Archived },
}

// keyed reports whether a row says what its key is.
func (k *kind[R, T, K]) keyed(r *row[R]) bool {
	return !slices.ContainsFunc(k.keys, func(name string) bool { return !r.given(name) || r.failedAt(name) })
}

// withOthers returns a verb that is about the first column of the key, and names the others.
func (k *kind[R, T, K]) withOthers(verb string) string {
	if len(k.keys) == 1 {
		return verb
	}
	return verb + ", with " + strings.Join(k.keys[1:], " and ") + ","
}

// keyText returns the key of an object for people.
func (k *kind[R, T, K]) keyText(r *R) string {
	parts := make([]string, len(k.keys))
	for i, name := range k.keys {
		parts[i] = k.columns[k.column(name)].write(r, Friendly)
	}
	return strings.Join(parts, "/")
}

// column returns the index of a column by our name, or absent.
func (k *kind[R, T, K]) column(name string) int {
	for i, c := range k.columns {
		if c.name == name {
			return i
		}
	}
	return absent
}

// recognise returns the index of the column that a header cell means, or absent.
func (k *kind[R, T, K]) recognise(cell string) int {
	name := plain(cell)
	for i, c := range k.columns {
		if c.read == nil && !c.passed {
			continue
		}
		if plain(c.name) == name {
			return i
		}
	}
	for i, c := range k.columns {
		for _, alias := range c.aliases {
			if alias == name {
				return i
			}
		}
	}
	return absent
}
