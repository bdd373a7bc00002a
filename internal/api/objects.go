package api

import (
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// asID is the identifier of objects that the server names.
func asID(s string) (string, error) { return s, nil }

// objects registers every kind of object.
func (a *api) objects() {
	s := a.Service
	add(a, resource[fleet.Device, lorawan.EUI64, device]{
		name: "device", plural: "devices", kind: store.KindDevice, read: identity.ReadFleet, write: identity.WriteFleet, keyField: "dev_eui",
		use: s.Devices, parse: lorawan.ParseEUI64, key: func(d fleet.Device) lorawan.EUI64 { return d.DevEUI },
		revision: func(d fleet.Device) int64 { return d.Revision }, show: showDevice, apply: (*device).apply,
	})
	add(a, resource[fleet.DeviceSet, string, deviceSet]{
		name: "device-set", plural: "device-sets", kind: store.KindDeviceSet, read: identity.ReadFleet, write: identity.WriteFleet, keyField: "id",
		use: s.DeviceSets, parse: asID, key: func(x fleet.DeviceSet) string { return x.ID },
		revision: func(x fleet.DeviceSet) int64 { return x.Revision }, show: showDeviceSet, apply: (*deviceSet).apply,
		brief: func(x *deviceSet) { x.Devices = nil },
	})
	add(a, resource[fleet.MulticastGroup, lorawan.EUI64, group]{
		name: "multicast-group", plural: "multicast-groups", kind: store.KindGroup, read: identity.ReadFleet, write: identity.WriteFleet, keyField: "dev_eui",
		use: s.Groups, parse: lorawan.ParseEUI64, key: func(g fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI },
		revision: func(g fleet.MulticastGroup) int64 { return g.Revision }, show: showGroup, apply: (*group).apply,
	})
	add(a, resource[fleet.Region, string, region]{
		name: "region", plural: "regions", kind: store.KindRegion, read: identity.ReadFleet, write: identity.WriteFleet, keyField: "id",
		use: s.Regions, parse: asID, key: func(r fleet.Region) string { return r.ID },
		revision: func(r fleet.Region) int64 { return r.Revision }, show: showRegion, apply: (*region).apply,
	})
	add(a, resource[fleet.File, string, file]{
		name: "file", plural: "files", kind: store.KindFile, read: identity.ReadFleet, write: identity.WriteFleet, keyField: "id",
		use: s.Files, parse: asID, key: func(f fleet.File) string { return f.ID },
		revision: func(f fleet.File) int64 { return f.Revision }, show: showFile, apply: (*file).apply,
	})
	add(a, resource[fleet.DeviceProfile, string, profile]{
		name: "device-profile", plural: "device-profiles", kind: store.KindProfile, read: identity.ReadFleet, write: identity.WriteFleet, keyField: "id",
		use: s.Profiles, parse: asID, key: func(p fleet.DeviceProfile) string { return p.ID },
		revision: func(p fleet.DeviceProfile) int64 { return p.Revision }, show: showProfile, apply: (*profile).apply,
	})
	add(a, resource[fleet.SmartDeltaKey, string, smartDeltaKey]{
		name: "smart-delta-key", plural: "smart-delta-keys", kind: store.KindSmartDeltaKey, read: identity.ReadFleet, write: identity.WriteFleet, keyField: "id",
		use: s.SmartDeltaKeys, parse: asID, key: func(k fleet.SmartDeltaKey) string { return k.ID },
		revision: func(k fleet.SmartDeltaKey) int64 { return k.Revision }, show: showSmartDeltaKey, apply: (*smartDeltaKey).apply,
	})
	add(a, resource[fleet.Campaign, string, campaign]{
		name: "campaign", plural: "campaigns", kind: store.KindCampaign, read: identity.ReadFleet, write: identity.WriteFleet, guarded: true, keyField: "id",
		use: s.Campaigns, parse: asID, key: func(c fleet.Campaign) string { return c.ID },
		revision: func(c fleet.Campaign) int64 { return c.Revision }, show: showCampaign, apply: (*campaign).apply,
	})
}
