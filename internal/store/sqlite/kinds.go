package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// objects are the collections over one querier: the whole store, or one transaction.
type objects struct {
	read  querier
	write func(context.Context, func(querier) error) error
}

func (o objects) Devices() store.Collection[fleet.Device, lorawan.EUI64] {
	return collection[fleet.Device, lorawan.EUI64]{deviceKind, o}
}

func (o objects) DeviceSets() store.Collection[fleet.DeviceSet, string] {
	return collection[fleet.DeviceSet, string]{setKind, o}
}

func (o objects) Groups() store.Collection[fleet.MulticastGroup, lorawan.EUI64] {
	return collection[fleet.MulticastGroup, lorawan.EUI64]{groupKind, o}
}

func (o objects) Regions() store.Collection[fleet.Region, string] {
	return collection[fleet.Region, string]{regionKind, o}
}

func (o objects) Files() store.Collection[fleet.File, string] {
	return collection[fleet.File, string]{fileKind, o}
}

func (o objects) Profiles() store.Collection[fleet.DeviceProfile, string] {
	return collection[fleet.DeviceProfile, string]{profileKind, o}
}

func (o objects) SmartDeltaKeys() store.Collection[fleet.SmartDeltaKey, string] {
	return collection[fleet.SmartDeltaKey, string]{keyKind, o}
}

func (o objects) Campaigns() store.Collection[fleet.Campaign, string] {
	return collection[fleet.Campaign, string]{campaignKind, o}
}

// byEUI and byID complete a kind with what its identifier needs.
func byEUI[T any](k kind[T, lorawan.EUI64]) *kind[T, lorawan.EUI64] {
	k.keyText = lorawan.EUI64.String
	k.bind = func(e lorawan.EUI64) any { return id(e) }
	k.parse = lorawan.ParseEUI64
	k.unique = withDefault(k.unique, "id", "dev_eui")
	return &k
}

func byID[T any](k kind[T, string]) *kind[T, string] {
	k.keyText = func(s string) string { return s }
	k.bind = func(s string) any { return s }
	k.parse = func(s string) (string, error) { return s, nil }
	k.unique = withDefault(k.unique, "id", "id")
	k.where = withDefault(k.where, store.ByID, "id = ?")
	return &k
}

func withDefault[K comparable](m map[K]string, key K, value string) map[K]string {
	out := map[K]string{key: value}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// lines joins what people search for; a line break keeps a search from spanning two values.
func lines(s ...string) string { return strings.Join(s, "\n") }

var deviceKind = byEUI(kind[fleet.Device, lorawan.EUI64]{
	name: "device", table: "device",
	common: func(d *fleet.Device) common {
		return common{lines(d.Name, d.Tag, d.DevEUI.String()), d.Name, &d.Archived, &d.Revision, &d.UpdatedAt}
	},
	key:     func(d *fleet.Device) lorawan.EUI64 { return d.DevEUI },
	columns: []string{"tag", "profile_id", "root_key", "firmware", "firmware_changed"},
	fields: func(d *fleet.Device) []any {
		return []any{&d.Tag, &d.ProfileID, secret{&d.RootKey}, text{&d.Firmware}, micros{&d.FirmwareChanged}}
	},
	where: map[store.Field]string{
		store.ByTag: "tag = ?", store.ByProfile: "profile_id = ?", store.ByFirmware: "firmware = ?",
		store.ByDeviceSet: "id IN (SELECT dev_eui FROM device_set_member WHERE set_id = ?)",
	},
})

var setKind = byID(kind[fleet.DeviceSet, string]{
	name: "device set", table: "device_set",
	common: func(s *fleet.DeviceSet) common {
		return common{lines(s.Name, s.ID), s.Name, &s.Archived, &s.Revision, &s.UpdatedAt}
	},
	key:    func(s *fleet.DeviceSet) string { return s.ID },
	doc:    func(s fleet.DeviceSet) fleet.DeviceSet { s.Devices = nil; return s },
	where:  map[store.Field]string{store.ByDevice: "id IN (SELECT set_id FROM device_set_member WHERE dev_eui = unhex(?))"},
	saved:  saveMembers,
	loaded: loadMembers,
})

// saveMembers replaces the members of a set.
func saveMembers(ctx context.Context, q querier, s *fleet.DeviceSet) error {
	if _, err := q.ExecContext(ctx, "DELETE FROM device_set_member WHERE set_id = ?", s.ID); err != nil {
		return err
	}
	position := 0
	return execAll(ctx, q, "INSERT INTO device_set_member (set_id, position, dev_eui) VALUES (?, ?, ?)", s.Devices,
		func(e lorawan.EUI64) []any {
			position++
			return []any{s.ID, position, id(e)}
		})
}

// loadMembers fills in the members of sets.
func loadMembers(ctx context.Context, q querier, sets []*fleet.DeviceSet) error {
	for _, s := range sets {
		s.Devices = []lorawan.EUI64{}
		err := each(ctx, q, func(rows *sql.Rows) error {
			var e lorawan.EUI64
			err := rows.Scan(eui{&e})
			s.Devices = append(s.Devices, e)
			return err
		}, "SELECT dev_eui FROM device_set_member WHERE set_id = ? ORDER BY position", s.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

var groupKind = byEUI(kind[fleet.MulticastGroup, lorawan.EUI64]{
	name: "multicast group", table: "multicast_group",
	common: func(g *fleet.MulticastGroup) common {
		return common{lines(g.Name, g.Tag, g.DevEUI.String(), g.McAddr.String()), g.Name, &g.Archived, &g.Revision, &g.UpdatedAt}
	},
	key:     func(g *fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI },
	columns: []string{"tag", "band", "mc_addr", "mc_key", "f_cnt_down"},
	fields: func(g *fleet.MulticastGroup) []any {
		return []any{&g.Tag, text{&g.Band}, text{&g.McAddr}, secret{&g.McKey}, &g.FCntDown}
	},
	raised: map[string]bool{"f_cnt_down": true},
	where: map[store.Field]string{
		store.ByTag: "tag = ?", store.ByBand: "band = ?", store.ByMcAddr: "mc_addr = ?",
	},
	unique: map[string]string{"mc_addr": "mc_addr"},
})

var regionKind = byID(kind[fleet.Region, string]{
	name: "region", table: "region",
	common: func(r *fleet.Region) common {
		return common{lines(r.Name, r.ID), r.Name, &r.Archived, &r.Revision, &r.UpdatedAt}
	},
	key: func(r *fleet.Region) string { return r.ID },
})

var fileKind = byID(kind[fleet.File, string]{
	name: "file", table: "file",
	common: func(f *fleet.File) common {
		return common{lines(f.Name, f.ID), f.Name, &f.Archived, &f.Revision, &f.UpdatedAt}
	},
	key:     func(f *fleet.File) string { return f.ID },
	columns: []string{"type", "profile_id"},
	fields:  func(f *fleet.File) []any { return []any{text{&f.Type}, &f.ProfileID} },
	where:   map[store.Field]string{store.ByType: "type = ?", store.ByProfile: "profile_id = ?"},
})

var profileKind = byID(kind[fleet.DeviceProfile, string]{
	name: "device profile", table: "device_profile",
	common: func(p *fleet.DeviceProfile) common {
		return common{lines(p.Name, p.ProducerID, p.ModuleID, p.ID), p.Name, &p.Archived, &p.Revision, &p.UpdatedAt}
	},
	key:     func(p *fleet.DeviceProfile) string { return p.ID },
	columns: []string{"producer_id", "module_id", "hw_revision"},
	fields:  func(p *fleet.DeviceProfile) []any { return []any{&p.ProducerID, &p.ModuleID, &p.HWRevision} },
	where:   map[store.Field]string{store.ByProducer: "producer_id = ?", store.ByModule: "module_id = ?"},
	unique:  map[string]string{"producer_id": "producer_id, module_id, hw_revision"},
})

var keyKind = byID(kind[fleet.SmartDeltaKey, string]{
	name: "smart delta key", table: "smart_delta_key",
	common: func(k *fleet.SmartDeltaKey) common {
		return common{lines(k.Name, k.ID), k.Name, &k.Archived, &k.Revision, &k.UpdatedAt}
	},
	key:     func(k *fleet.SmartDeltaKey) string { return k.ID },
	columns: []string{"private_key"},
	fields:  func(k *fleet.SmartDeltaKey) []any { return []any{&k.PrivateKey} },
})

var campaignKind = byID(kind[fleet.Campaign, string]{
	name: "campaign", table: "campaign",
	common: func(c *fleet.Campaign) common {
		return common{lines(c.Name, c.ID), c.Name, &c.Archived, &c.Revision, &c.LastChanged}
	},
	key:     func(c *fleet.Campaign) string { return c.ID },
	columns: []string{"type", "status", "status_reason", "paused", "started", "ended"},
	fields: func(c *fleet.Campaign) []any {
		return []any{text{&c.Type}, text{&c.Status}, &c.StatusReason, &c.Paused, micros{&c.Started}, micros{&c.Ended}}
	},
	where: map[store.Field]string{store.ByType: "type = ?", store.ByStatus: "status = ?"},
})
