package relational

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Devices returns the collection.
func (d DB) Devices() store.Collection[fleet.Device, lorawan.EUI64] {
	return collection[fleet.Device, lorawan.EUI64]{deviceKind, d}
}

// DeviceSets returns the collection.
func (d DB) DeviceSets() store.Collection[fleet.DeviceSet, string] {
	return collection[fleet.DeviceSet, string]{setKind, d}
}

// Groups returns the collection.
func (d DB) Groups() store.Collection[fleet.MulticastGroup, lorawan.EUI64] {
	return collection[fleet.MulticastGroup, lorawan.EUI64]{groupKind, d}
}

// Regions returns the collection.
func (d DB) Regions() store.Collection[fleet.Region, string] {
	return collection[fleet.Region, string]{regionKind, d}
}

// Files returns the collection.
func (d DB) Files() store.Collection[fleet.File, string] {
	return collection[fleet.File, string]{fileKind, d}
}

// Profiles returns the collection.
func (d DB) Profiles() store.Collection[fleet.DeviceProfile, string] {
	return collection[fleet.DeviceProfile, string]{profileKind, d}
}

// SmartDeltaKeys returns the collection.
func (d DB) SmartDeltaKeys() store.Collection[fleet.SmartDeltaKey, string] {
	return collection[fleet.SmartDeltaKey, string]{keyKind, d}
}

// Campaigns returns the collection.
func (d DB) Campaigns() store.Collection[fleet.Campaign, string] {
	return collection[fleet.Campaign, string]{campaignKind, d}
}

// Subscribers returns the collection. Within one subscriber there is but itself.
func (d DB) Subscribers() store.Collection[fleet.Subscriber, string] {
	return collection[fleet.Subscriber, string]{subscriberKind, d}
}

// Users returns the collection.
func (d DB) Users() store.Collection[identity.User, string] {
	return collection[identity.User, string]{userKind, d}
}

// Tokens returns the collection.
func (d DB) Tokens() store.Collection[identity.Token, string] {
	return collection[identity.Token, string]{tokenKind, d}
}

// Jobs returns the collection.
func (d DB) Jobs() store.Collection[store.Job, string] {
	return collection[store.Job, string]{jobKind, d}
}

// Reports returns the collection.
func (d DB) Reports() store.Collection[store.Report, string] {
	return collection[store.Report, string]{reportKind, d}
}

// Within returns the collections as one subscriber sees them; "" is everybody.
func (d DB) Within(subscriberID string) store.Objects {
	d.subscriber = subscriberID
	return d
}

// byEUI and byID complete a kind with what its identifier needs.
func byEUI[T any](k kind[T, lorawan.EUI64]) *kind[T, lorawan.EUI64] {
	k.keyText = lorawan.EUI64.String
	k.bind = func(e lorawan.EUI64) any { return ID(e) }
	k.target = func(e *lorawan.EUI64) any { return EUI{e} }
	k.unique = withDefault(k.unique, "id", "dev_eui")
	k.rename = withDefault(k.rename, store.ByDevEUI, "id")
	return &k
}

func byID[T any](k kind[T, string]) *kind[T, string] {
	k.keyText = func(s string) string { return s }
	k.bind = func(s string) any { return s }
	k.target = func(s *string) any { return s }
	k.unique = withDefault(k.unique, "id", "id")
	return &k
}

func withDefault[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	out := map[K]V{key: value}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// lines joins what people search for; a line break keeps a search from spanning two values.
func lines(s ...string) string { return strings.Join(s, "\n") }

var deviceKind = byEUI(kind[fleet.Device, lorawan.EUI64]{
	kind: store.KindDevice, name: "device", table: "device",
	common: func(d *fleet.Device) common {
		return common{lines(d.Name, d.Tag, d.DevEUI.String()), d.Name, &d.SubscriberID, &d.Archived, &d.Revision, d.CreatedAt, &d.UpdatedAt}
	},
	key:     func(d *fleet.Device) lorawan.EUI64 { return d.DevEUI },
	columns: []string{"tag", "profile_id", "firmware", "firmware_changed", "firmware_reported"},
	fields: func(d *fleet.Device) []any {
		return []any{&d.Tag, &d.ProfileID, Text{&d.Firmware}, Micros{&d.FirmwareChanged}, Micros{&d.FirmwareReported}}
	},
	sealed:  []sealed[fleet.Device]{sealedKey("root_key", func(d *fleet.Device) *lorawan.AES128Key { return &d.RootKey })},
	mirrors: []string{"band", "classes", "lorawan_version", "firmware_order"},
	mirrored: func(d *fleet.Device) []any {
		return []any{Text{&d.Band}, Text{&d.Classes}, Text{&d.LoRaWANVersion}, FirmwareOrder(d.Firmware)}
	},
	ordered: map[store.Field]string{store.ByFirmware: "firmware_order"},
	special: map[store.Field]special{store.ByDeviceSet: inSet},
})

var setKind = byID(kind[fleet.DeviceSet, string]{
	kind: store.KindDeviceSet, name: "device set", table: "device_set",
	common: func(s *fleet.DeviceSet) common {
		return common{lines(s.Name, s.ID), s.Name, &s.SubscriberID, &s.Archived, &s.Revision, s.CreatedAt, &s.UpdatedAt}
	},
	key:     func(s *fleet.DeviceSet) string { return s.ID },
	doc:     func(s fleet.DeviceSet) fleet.DeviceSet { s.Devices = nil; return s },
	special: map[store.Field]special{store.ByDevice: lists},
	saved:   saveMembers,
	loaded:  loadMembers,
})

// lists adds the condition that a set lists a device.
func lists(_ context.Context, _ DB, cond condition, dev string, _ matcher) (condition, error) {
	return cond.and("id IN (SELECT set_id FROM device_set_member WHERE dev_eui = ?)", euiOrNone(dev)), nil
}

// inSet adds the condition that a device is a member of a set, listed by it or found by its filter.
// A set that this view does not see has no members.
func inSet(ctx context.Context, d DB, cond condition, id string, match matcher) (condition, error) {
	var set fleet.DeviceSet
	own, scope := d.own()
	err := one(ctx, d.Reader, []any{document{&set}}, "SELECT doc FROM device_set WHERE id = ?"+own, append([]any{id}, scope...)...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return cond.and("FALSE"), nil
	case err != nil:
		return cond, err
	case set.Filter == nil:
		return cond.and("id IN (SELECT dev_eui FROM device_set_member WHERE set_id = ?)", id), nil
	}
	q := store.QueryOf(*set.Filter)
	if err := q.Check(store.KindDevice); err != nil {
		return cond, err
	}
	if _, nested := q.Where[store.ByDeviceSet]; nested {
		return cond, fmt.Errorf("a set whose filter names a set: %w", store.ErrQuery)
	}
	return match(ctx, cond, q)
}

// saveMembers replaces the members of a set.
func saveMembers(ctx context.Context, q Querier, s *fleet.DeviceSet) error {
	if _, err := q.Exec(ctx, "DELETE FROM device_set_member WHERE set_id = ?", s.ID); err != nil {
		return err
	}
	_, err := q.ExecAll(ctx, "INSERT INTO device_set_member (set_id, position, dev_eui) VALUES (?, ?, ?)", len(s.Devices),
		func(i int) []any { return []any{s.ID, int64(i + 1), ID(s.Devices[i])} })
	return err
}

// loadMembers fills in the members of sets.
func loadMembers(ctx context.Context, d Dialect, q Querier, sets []*fleet.DeviceSet) error {
	byID, ids := map[string]*fleet.DeviceSet{}, make([]any, len(sets))
	for i, s := range sets {
		s.Devices = []lorawan.EUI64{}
		byID[s.ID], ids[i] = s, s.ID
	}
	cond, args := d.In("set_id", ids)
	return each(ctx, q, func(scan func(...any) error) error {
		var id string
		var e lorawan.EUI64
		if err := scan(&id, EUI{&e}); err != nil {
			return err
		}
		byID[id].Devices = append(byID[id].Devices, e)
		return nil
	}, "SELECT set_id, dev_eui FROM device_set_member WHERE "+cond+" ORDER BY set_id, position", args...)
}

var groupKind = byEUI(kind[fleet.MulticastGroup, lorawan.EUI64]{
	kind: store.KindGroup, name: "multicast group", table: "multicast_group",
	common: func(g *fleet.MulticastGroup) common {
		return common{lines(g.Name, g.Tag, g.DevEUI.String(), g.McAddr.String()), g.Name, &g.SubscriberID, &g.Archived, &g.Revision, g.CreatedAt, &g.UpdatedAt}
	},
	key:     func(g *fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI },
	columns: []string{"tag", "band", "mc_addr", "f_cnt_down"},
	fields: func(g *fleet.MulticastGroup) []any {
		return []any{&g.Tag, Text{&g.Band}, Text{&g.McAddr}, &g.FCntDown}
	},
	raised:  map[string]bool{"f_cnt_down": true},
	sealed:  []sealed[fleet.MulticastGroup]{sealedKey("mc_key", func(g *fleet.MulticastGroup) *lorawan.AES128Key { return &g.McKey })},
	mirrors: []string{"session_class", "data_rate", "frequency"},
	mirrored: func(g *fleet.MulticastGroup) []any {
		return []any{Text{&g.SessionClass}, &g.DataRate, &g.Frequency}
	},
	unique: map[string]string{"mc_addr": "mc_addr"},
})

var regionKind = byID(kind[fleet.Region, string]{
	kind: store.KindRegion, name: "region", table: "region",
	common: func(r *fleet.Region) common {
		return common{lines(r.Name, r.ID), r.Name, &r.SubscriberID, &r.Archived, &r.Revision, r.CreatedAt, &r.UpdatedAt}
	},
	key: func(r *fleet.Region) string { return r.ID },
})

var fileKind = byID(kind[fleet.File, string]{
	kind: store.KindFile, name: "file", table: "file",
	common: func(f *fleet.File) common {
		return common{lines(f.Name, f.ID), f.Name, &f.SubscriberID, &f.Archived, &f.Revision, f.CreatedAt, &f.UpdatedAt}
	},
	key:     func(f *fleet.File) string { return f.ID },
	columns: []string{"type", "profile_id"},
	fields:  func(f *fleet.File) []any { return []any{Text{&f.Type}, &f.ProfileID} },
	mirrors: []string{"version", "version_order", "size", "uploaded_at"},
	mirrored: func(f *fleet.File) []any {
		return []any{Text{&f.Version}, FirmwareOrder(f.Version), f.Size, Micros{&f.UploadedAt}}
	},
	ordered: map[store.Field]string{store.ByVersion: "version_order"},
})

var profileKind = byID(kind[fleet.DeviceProfile, string]{
	kind: store.KindProfile, name: "device profile", table: "device_profile",
	common: func(p *fleet.DeviceProfile) common {
		return common{lines(p.Name, p.ProducerID, p.ModuleID, p.ID), p.Name, &p.SubscriberID, &p.Archived, &p.Revision, p.CreatedAt, &p.UpdatedAt}
	},
	key:      func(p *fleet.DeviceProfile) string { return p.ID },
	columns:  []string{"producer_id", "module_id", "hw_revision"},
	fields:   func(p *fleet.DeviceProfile) []any { return []any{&p.ProducerID, &p.ModuleID, &p.HWRevision} },
	mirrors:  []string{"mcu_type"},
	mirrored: func(p *fleet.DeviceProfile) []any { return []any{&p.MCUType} },
	unique:   map[string]string{"subscriber_id": "producer_id, module_id, hw_revision"},
})

var keyKind = byID(kind[fleet.SmartDeltaKey, string]{
	kind: store.KindSmartDeltaKey, name: "smart delta key", table: "smart_delta_key",
	common: func(k *fleet.SmartDeltaKey) common {
		return common{lines(k.Name, k.ID), k.Name, &k.SubscriberID, &k.Archived, &k.Revision, k.CreatedAt, &k.UpdatedAt}
	},
	key:    func(k *fleet.SmartDeltaKey) string { return k.ID },
	sealed: []sealed[fleet.SmartDeltaKey]{sealedBytes("private_key", func(k *fleet.SmartDeltaKey) *[]byte { return &k.PrivateKey })},
})

var campaignKind = byID(kind[fleet.Campaign, string]{
	kind: store.KindCampaign, name: "campaign", table: "campaign",
	common: func(c *fleet.Campaign) common {
		return common{lines(c.Name, c.ID), c.Name, &c.SubscriberID, &c.Archived, &c.Revision, c.Created, &c.LastChanged}
	},
	key:     func(c *fleet.Campaign) string { return c.ID },
	columns: []string{"type", "status", "status_reason", "paused", "started", "ended"},
	fields: func(c *fleet.Campaign) []any {
		return []any{Text{&c.Type}, Text{&c.Status}, &c.StatusReason, &c.Paused, Micros{&c.Started}, Micros{&c.Ended}}
	},
	mirrors:  []string{"file_id"},
	mirrored: func(c *fleet.Campaign) []any { return []any{&c.FileID} },
	rename:   map[store.Field]string{store.ByLastChanged: "updated_at"},
})

var subscriberKind = byID(kind[fleet.Subscriber, string]{
	kind: store.KindSubscriber, name: "subscriber", table: "subscriber",
	common: func(s *fleet.Subscriber) common {
		return common{lines(s.Name, s.ID), s.Name, &s.ID, &s.Archived, &s.Revision, s.CreatedAt, &s.UpdatedAt}
	},
	key:    func(s *fleet.Subscriber) string { return s.ID },
	sealed: []sealed[fleet.Subscriber]{sealedBytes("as_key", func(s *fleet.Subscriber) *[]byte { return &s.ASKey })},
})

var userKind = byID(kind[identity.User, string]{
	kind: store.KindUser, name: "user", table: "account", shared: true,
	common: func(u *identity.User) common {
		return common{lines(u.Login, u.Name, u.ID), u.Name, &u.SubscriberID, &u.Archived, &u.Revision, u.CreatedAt, &u.UpdatedAt}
	},
	key:     func(u *identity.User) string { return u.ID },
	columns: []string{"login", "role", "password_hash", "oidc_subject"},
	fields: func(u *identity.User) []any {
		return []any{&u.Login, Text{&u.Role}, &u.PasswordHash, &u.OIDCSubject}
	},
	unique: map[string]string{"login": "login", "oidc_subject": "oidc_subject"},
})

var tokenKind = byID(kind[identity.Token, string]{
	kind: store.KindToken, name: "token", table: "token", shared: true,
	common: func(t *identity.Token) common {
		return common{lines(t.Name, t.ID), t.Name, &t.SubscriberID, &t.Archived, &t.Revision, t.CreatedAt, &t.UpdatedAt}
	},
	key:     func(t *identity.Token) string { return t.ID },
	columns: []string{"digest", "user_id", "kind", "expires_at"},
	fields: func(t *identity.Token) []any {
		return []any{&t.Digest, &t.UserID, Text{&t.Kind}, Micros{&t.ExpiresAt}}
	},
	unique: map[string]string{"digest": "digest"},
})

var jobKind = byID(kind[store.Job, string]{
	kind: store.KindJob, name: "job", table: "job", shared: true,
	common: func(j *store.Job) common {
		return common{lines(j.Kind, j.ID), j.Kind, &j.SubscriberID, &j.Archived, &j.Revision, j.CreatedAt, &j.UpdatedAt}
	},
	key:     func(j *store.Job) string { return j.ID },
	columns: []string{"kind", "state", "due_at", "lease_until"},
	fields: func(j *store.Job) []any {
		return []any{&j.Kind, Text{&j.State}, Micros{&j.DueAt}, Micros{&j.LeaseUntil}}
	},
})

var reportKind = byID(kind[store.Report, string]{
	kind: store.KindReport, name: "report", table: "report", shared: true,
	common: func(r *store.Report) common {
		return common{lines(r.Kind, r.Month, r.ID), r.Kind + " " + r.Month, &r.SubscriberID, &r.Archived, &r.Revision, r.CreatedAt, &r.UpdatedAt}
	},
	key:     func(r *store.Report) string { return r.ID },
	columns: []string{"kind", "month"},
	fields:  func(r *store.Report) []any { return []any{&r.Kind, &r.Month} },
	unique:  map[string]string{"month": "month, kind"},
})
