package bulk

import (
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// kind says what is particular about a kind of object T, its row R and its key K.
type kind[R, T any, K comparable] struct {
	columns     []column[R]
	width       int      // columns that a row of the reference format has at least
	exportWidth int      // columns that it is written with
	maxRecord   int      // bytes of a row
	header      []string // names that tell a header row from a row of the reference format
	key         func(*R) K
	load        func(T) R
	object      func(*R) *T
	archived    func(*R) *bool
	settle      func(*row[R]) // looks at several columns at once; may be nil
}

func itself[T any](obj T) T    { return obj }
func pointer[T any](obj *T) *T { return obj }

var deviceKind = kind[deviceRow, fleet.Device, lorawan.EUI64]{
	columns: deviceColumns, width: deviceWidth, exportWidth: deviceWidth, maxRecord: MaxRecord, header: []string{"dev_eui"},
	key:      func(r *deviceRow) lorawan.EUI64 { return r.DevEUI },
	load:     func(d fleet.Device) deviceRow { return deviceRow{Device: d} },
	object:   func(r *deviceRow) *fleet.Device { return &r.Device },
	archived: func(r *deviceRow) *bool { return &r.Archived },
	settle:   settleDevice,
}

var setKind = kind[fleet.DeviceSet, fleet.DeviceSet, string]{
	columns: setColumns, width: setWidth, exportWidth: setWidth, maxRecord: MaxSetRecord, header: []string{"name", "devices"},
	key:      func(s *fleet.DeviceSet) string { return s.Name },
	load:     itself[fleet.DeviceSet],
	object:   pointer[fleet.DeviceSet],
	archived: func(s *fleet.DeviceSet) *bool { return &s.Archived },
}

var groupKind = kind[group, group, lorawan.EUI64]{
	columns: groupColumns, width: groupWidth, exportWidth: groupExportWidth, maxRecord: MaxRecord, header: []string{"dev_eui"},
	key:      func(g *group) lorawan.EUI64 { return g.DevEUI },
	load:     itself[group],
	object:   pointer[group],
	archived: func(g *group) *bool { return &g.Archived },
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
		if c.read == nil && !c.key {
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
