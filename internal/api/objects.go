package api

import (
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// asID is the identifier of objects that the server names.
func asID(s string) (string, error) { return s, nil }

// addAll registers what is done with a kind of object of the fleet, one by one and many at once.
func addAll[T interface{ Validate() error }, K comparable, D any](a *api, use *service.Resource[T, K], r resource[T, K, D]) {
	r.use, r.read, r.write = use, identity.ReadFleet, identity.WriteFleet
	add(a, r)
	addMany(a, r, use)
}

// objects registers every kind of object.
func (a *api) objects() {
	s := a.Service
	addAll(a, s.Devices, resource[fleet.Device, lorawan.EUI64, device]{
		name: "device", plural: "devices", kind: store.KindDevice, keyField: "dev_eui",
		parse: lorawan.ParseEUI64, key: func(d fleet.Device) lorawan.EUI64 { return d.DevEUI },
		revision: func(d fleet.Device) int64 { return d.Revision }, show: showDevice, apply: (*device).apply,
	})
	addAll(a, s.DeviceSets, resource[fleet.DeviceSet, string, deviceSet]{
		name: "device-set", plural: "device-sets", kind: store.KindDeviceSet, keyField: "id",
		parse: asID, key: func(x fleet.DeviceSet) string { return x.ID },
		revision: func(x fleet.DeviceSet) int64 { return x.Revision }, show: showDeviceSet, apply: (*deviceSet).apply,
		brief: func(x *deviceSet) { x.Devices = nil },
	})
	addAll(a, s.Groups, resource[fleet.MulticastGroup, lorawan.EUI64, group]{
		name: "multicast-group", plural: "multicast-groups", kind: store.KindGroup, keyField: "dev_eui",
		parse: lorawan.ParseEUI64, key: func(g fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI },
		revision: func(g fleet.MulticastGroup) int64 { return g.Revision }, show: showGroup, apply: (*group).apply,
	})
	addAll(a, s.Regions, resource[fleet.Region, string, region]{
		name: "region", plural: "regions", kind: store.KindRegion, keyField: "id",
		parse: asID, key: func(r fleet.Region) string { return r.ID },
		revision: func(r fleet.Region) int64 { return r.Revision }, show: showRegion, apply: (*region).apply,
	})
	addAll(a, s.Files, resource[fleet.File, string, file]{
		name: "file", plural: "files", kind: store.KindFile, keyField: "id",
		parse: asID, key: func(f fleet.File) string { return f.ID },
		revision: func(f fleet.File) int64 { return f.Revision }, show: showFile, apply: (*file).apply,
	})
	addAll(a, s.Profiles, resource[fleet.DeviceProfile, string, profile]{
		name: "device-profile", plural: "device-profiles", kind: store.KindProfile, keyField: "id",
		parse: asID, key: func(p fleet.DeviceProfile) string { return p.ID },
		revision: func(p fleet.DeviceProfile) int64 { return p.Revision }, show: showProfile, apply: (*profile).apply,
	})
	addAll(a, s.SmartDeltaKeys, resource[fleet.SmartDeltaKey, string, smartDeltaKey]{
		name: "smart-delta-key", plural: "smart-delta-keys", kind: store.KindSmartDeltaKey, keyField: "id",
		parse: asID, key: func(k fleet.SmartDeltaKey) string { return k.ID },
		revision: func(k fleet.SmartDeltaKey) int64 { return k.Revision }, show: showSmartDeltaKey, apply: (*smartDeltaKey).apply,
	})
	addAll(a, s.Campaigns, resource[fleet.Campaign, string, campaign]{
		name: "campaign", plural: "campaigns", kind: store.KindCampaign, guarded: true, keyField: "id",
		parse: asID, key: func(c fleet.Campaign) string { return c.ID },
		revision: func(c fleet.Campaign) int64 { return c.Revision }, show: showCampaign, apply: (*campaign).apply,
	})
}
