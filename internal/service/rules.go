package service

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// defineResources says what is particular about each kind of object.
func (s *Service) defineResources() {
	s.Devices = &Resource[fleet.Device, lorawan.EUI64]{s, rules[fleet.Device, lorawan.EUI64]{
		name: "device", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.Devices,
		id:         func(d *fleet.Device) string { return d.DevEUI.String() },
		keys:       func(d *fleet.Device) map[string][]byte { return map[string][]byte{"root_key": aesKey(d.RootKey)} },
		quota:      func(q fleet.Quota) int { return q.Devices },
		meta: func(d *fleet.Device) meta {
			return meta{&d.SubscriberID, &d.CreatedAt, &d.UpdatedAt, &d.Revision, &d.Archived}
		},
		check: checkDevice,
		free: func(d *fleet.Device) {
			d.Name, d.Tag, d.Firmware, d.FirmwareChanged, d.FirmwareReported = "", "", fleet.Firmware{}, time.Time{}, time.Time{}
		},
		frozen: deviceInUse,
		created: func(d *fleet.Device, _ fleet.SubscriberDefaults) error {
			firmwareChanged(&fleet.Device{}, d, d.CreatedAt)
			return nil
		},
		changed: firmwareChanged,
	}}
	s.DeviceSets = &Resource[fleet.DeviceSet, string]{s, rules[fleet.DeviceSet, string]{
		name: "device_set", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.DeviceSets,
		id:         func(x *fleet.DeviceSet) string { return x.ID },
		meta: func(x *fleet.DeviceSet) meta {
			return meta{&x.SubscriberID, &x.CreatedAt, &x.UpdatedAt, &x.Revision, &x.Archived}
		},
		created: func(x *fleet.DeviceSet, _ fleet.SubscriberDefaults) error { return setID(&x.ID) },
		check:   checkSet,
		free:    func(x *fleet.DeviceSet) { x.Name, x.Description = "", "" },
		frozen: func(ctx context.Context, o store.Objects, x *fleet.DeviceSet) error {
			return inUse(ctx, o, func(c fleet.Campaign) (bool, error) { return slices.Contains(c.DeviceSets, x.ID), nil })
		},
	}}
	s.Groups = &Resource[fleet.MulticastGroup, lorawan.EUI64]{s, rules[fleet.MulticastGroup, lorawan.EUI64]{
		name: "multicast_group", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.Groups,
		id:         func(g *fleet.MulticastGroup) string { return g.DevEUI.String() },
		keys:       func(g *fleet.MulticastGroup) map[string][]byte { return map[string][]byte{"mc_key": aesKey(g.McKey)} },
		quota:      func(q fleet.Quota) int { return q.Groups },
		meta: func(g *fleet.MulticastGroup) meta {
			return meta{&g.SubscriberID, &g.CreatedAt, &g.UpdatedAt, &g.Revision, &g.Archived}
		},
		created: s.generateMcKey,
		check:   checkGroup,
		free:    func(g *fleet.MulticastGroup) { g.Name, g.Tag = "", "" },
		frozen: func(ctx context.Context, o store.Objects, g *fleet.MulticastGroup) error {
			return inUse(ctx, o, func(c fleet.Campaign) (bool, error) { return usesGroup(ctx, o, c, g.DevEUI) })
		},
	}}
	s.Regions = &Resource[fleet.Region, string]{s, rules[fleet.Region, string]{
		name: "region", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.Regions,
		id:         func(r *fleet.Region) string { return r.ID },
		meta: func(r *fleet.Region) meta {
			return meta{&r.SubscriberID, &r.CreatedAt, &r.UpdatedAt, &r.Revision, &r.Archived}
		},
		created: func(r *fleet.Region, _ fleet.SubscriberDefaults) error { return setID(&r.ID) },
		check:   checkRegion,
		free:    func(r *fleet.Region) { r.Name, r.Description = "", "" },
		frozen: func(ctx context.Context, o store.Objects, r *fleet.Region) error {
			return inUse(ctx, o, func(c fleet.Campaign) (bool, error) { return slices.Contains(c.Regions, r.ID), nil })
		},
	}}
	s.Files = &Resource[fleet.File, string]{s, rules[fleet.File, string]{
		name: "file", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.Files,
		id:         func(f *fleet.File) string { return f.ID },
		meta: func(f *fleet.File) meta {
			return meta{&f.SubscriberID, &f.CreatedAt, &f.UpdatedAt, &f.Revision, &f.Archived}
		},
		created: func(f *fleet.File, _ fleet.SubscriberDefaults) error {
			if f.ID != "" {
				return nil // a delta: its job said before what it will be called
			}
			return setID(&f.ID)
		},
		check: checkFile,
		free:  func(f *fleet.File) { f.Name, f.Description = "", "" },
		frozen: func(ctx context.Context, o store.Objects, f *fleet.File) error {
			return inUse(ctx, o, func(c fleet.Campaign) (bool, error) { return c.FileID == f.ID, nil })
		},
	}}
	s.Profiles = &Resource[fleet.DeviceProfile, string]{s, rules[fleet.DeviceProfile, string]{
		name: "device_profile", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.Profiles,
		id:         func(p *fleet.DeviceProfile) string { return p.ID },
		meta: func(p *fleet.DeviceProfile) meta {
			return meta{&p.SubscriberID, &p.CreatedAt, &p.UpdatedAt, &p.Revision, &p.Archived}
		},
		created: func(p *fleet.DeviceProfile, defaults fleet.SubscriberDefaults) error {
			p.TimeTolerance = cmp.Or(p.TimeTolerance, defaults.TimeTolerance)
			p.DefaultUplinkPeriod = cmp.Or(p.DefaultUplinkPeriod, defaults.DefaultUplinkPeriod)
			return setID(&p.ID)
		},
		check: checkProfile,
		free:  func(p *fleet.DeviceProfile) { p.Name, p.Description, p.MCUType = "", "", "" },
		frozen: func(ctx context.Context, o store.Objects, p *fleet.DeviceProfile) error {
			return inUse(ctx, o, func(c fleet.Campaign) (bool, error) { return usesProfile(ctx, o, c, p.ID) })
		},
	}}
	s.SmartDeltaKeys = &Resource[fleet.SmartDeltaKey, string]{s, rules[fleet.SmartDeltaKey, string]{
		name: "smart_delta_key", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.SmartDeltaKeys,
		id:         func(k *fleet.SmartDeltaKey) string { return k.ID },
		keys:       func(k *fleet.SmartDeltaKey) map[string][]byte { return map[string][]byte{"private_key": k.PrivateKey} },
		meta: func(k *fleet.SmartDeltaKey) meta {
			return meta{&k.SubscriberID, &k.CreatedAt, &k.UpdatedAt, &k.Revision, &k.Archived}
		},
		created: func(k *fleet.SmartDeltaKey, _ fleet.SubscriberDefaults) error {
			if err := readPrivateKey(k); err != nil {
				return err
			}
			return setID(&k.ID)
		},
		check: func(context.Context, store.Objects, *fleet.SmartDeltaKey, *fleet.SmartDeltaKey) error { return nil },
		free:  func(k *fleet.SmartDeltaKey) { k.Name, k.Description = "", "" },
		// A running campaign sends what has been signed before.
		frozen: func(context.Context, store.Objects, *fleet.SmartDeltaKey) error { return nil },
	}}
	s.definePeople()
	s.Campaigns = &Resource[fleet.Campaign, string]{s, rules[fleet.Campaign, string]{
		name: "campaign", read: identity.ReadFleet, write: identity.WriteFleet,
		collection: store.Objects.Campaigns,
		id:         func(c *fleet.Campaign) string { return c.ID },
		meta: func(c *fleet.Campaign) meta {
			return meta{&c.SubscriberID, &c.Created, &c.LastChanged, &c.Revision, &c.Archived}
		},
		created: func(c *fleet.Campaign, defaults fleet.SubscriberDefaults) error {
			c.MaxDuration = cmp.Or(c.MaxDuration, defaults.MaxDuration)
			c.SuccessThreshold = cmp.Or(c.SuccessThreshold, defaults.SuccessThreshold)
			c.Status, c.StatusReason, c.Paused, c.ScheduledFor = fleet.Configured, "", false, time.Time{}
			return setID(&c.ID)
		},
		authored: authored,
		check:    checkCampaign,
		free:     func(c *fleet.Campaign) { c.Name, c.Description = "", "" },
		frozen:   campaignFrozen,
		kept:     campaignKept,
	}}
}

// firmwareChanged notes when a version was recorded, unless the caller says when, and that the device has not told it.
func firmwareChanged(before, d *fleet.Device, now time.Time) {
	if before.Firmware == d.Firmware {
		return
	}
	if before.FirmwareChanged.Equal(d.FirmwareChanged) {
		d.FirmwareChanged = now
	}
	d.FirmwareReported = time.Time{}
}

func setID(id *string) (err error) {
	*id, err = newID()
	return err
}

// aesKey returns the bytes of a key, none for none.
func aesKey(k lorawan.AES128Key) []byte {
	if k.IsZero() {
		return nil
	}
	return k[:]
}

// generateMcKey gives a group without a key a random one.
func (s *Service) generateMcKey(g *fleet.MulticastGroup, defaults fleet.SubscriberDefaults) error {
	g.Band = cmp.Or(g.Band, defaults.Band)
	if !g.McKey.IsZero() {
		return nil
	}
	_, err := io.ReadFull(s.random, g.McKey[:])
	return err
}

// readPrivateKey reads the PKCS#8 key, in DER or PEM, and derives its public half.
func readPrivateKey(k *fleet.SmartDeltaKey) error {
	if block, _ := pem.Decode(k.PrivateKey); block != nil {
		k.PrivateKey = block.Bytes
	}
	// The error of the parser is dropped: it can say what the bytes are like.
	parsed, err := x509.ParsePKCS8PrivateKey(k.PrivateKey)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || private.Curve != elliptic.P256() {
		return invalid("private_key", "is not a P-256 key in PKCS#8", "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return err
	}
	k.PublicKey = point[1:] // without the byte that says "uncompressed"
	return nil
}

func checkDevice(ctx context.Context, o store.Objects, before, d *fleet.Device) error {
	if before == nil {
		// Of whatever subscriber: network servers know DevEUIs, and no subscribers.
		if taken, err := exists(ctx, o.Within("").Groups(), d.DevEUI); err != nil || taken {
			return orInvalid(err, "dev_eui", "is that of a multicast group", "each DevEUI stands for one thing")
		}
	}
	if before == nil || before.ProfileID != d.ProfileID {
		return referTo(ctx, o.Profiles(), "profile_id", d.ProfileID, func(p fleet.DeviceProfile) bool { return p.Archived })
	}
	return nil
}

func checkSet(ctx context.Context, o store.Objects, _, x *fleet.DeviceSet) error {
	return referToAll(ctx, o.Devices(), "devices", x.Devices, func(d fleet.Device) lorawan.EUI64 { return d.DevEUI })
}

func checkGroup(ctx context.Context, o store.Objects, before, g *fleet.MulticastGroup) error {
	if before == nil {
		taken, err := exists(ctx, o.Within("").Devices(), g.DevEUI)
		if err != nil || taken {
			return orInvalid(err, "dev_eui", "is that of a device", "each DevEUI stands for one thing")
		}
		return nil
	}
	// Devices refuse counters that they have seen; with another key they start afresh, but
	// the store keeps the counter all the same: it costs nothing.
	if g.FCntDown < before.FCntDown {
		return invalid("f_cnt_down", "is lower than it was", "devices refuse counters that they have seen")
	}
	return nil
}

func checkRegion(ctx context.Context, o store.Objects, _, r *fleet.Region) error {
	return referToAll(ctx, o.Groups(), "groups", r.Groups, func(g fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI })
}

func checkFile(ctx context.Context, o store.Objects, before, f *fleet.File) error {
	if before != nil && before.HasContent() && before.SHA256 != f.SHA256 {
		return fmt.Errorf("file %s has its content, changing it %w: make a new file", f.ID, ErrState)
	}
	if f.ProfileID != "" && (before == nil || before.ProfileID != f.ProfileID) {
		if err := referTo(ctx, o.Profiles(), "profile_id", f.ProfileID, func(p fleet.DeviceProfile) bool { return p.Archived }); err != nil {
			return err
		}
	}
	if before != nil && before.SmartDeltaKeyID == f.SmartDeltaKeyID {
		return nil
	}
	return checkSmartDeltaKey(ctx, o, f.SmartDeltaKeyID)
}

func checkProfile(ctx context.Context, o store.Objects, before, p *fleet.DeviceProfile) error {
	if before != nil && before.SmartDeltaKeyID == p.SmartDeltaKeyID {
		return nil
	}
	return checkSmartDeltaKey(ctx, o, p.SmartDeltaKeyID)
}

func checkSmartDeltaKey(ctx context.Context, o store.Objects, id string) error {
	if id == "" {
		return nil
	}
	return referTo(ctx, o.SmartDeltaKeys(), "smart_delta_key_id", id, func(k fleet.SmartDeltaKey) bool { return k.Archived })
}

func checkCampaign(ctx context.Context, o store.Objects, before, c *fleet.Campaign) error {
	if before != nil && before.Status != fleet.Configured {
		return nil // only its texts can change, and what it refers to is history
	}
	if before != nil && !before.ScheduledFor.IsZero() && !before.Schedule.StartAt.Equal(c.Schedule.StartAt) {
		return fmt.Errorf("campaign %s is scheduled for %s, changing schedule.start_at %w: schedule it again, or unschedule it", c.ID, before.ScheduledFor.Format(time.RFC3339), ErrState)
	}
	for i, id := range c.DeviceSets {
		at := fmt.Sprintf("device_sets[%d]", i)
		if err := referTo(ctx, o.DeviceSets(), at, id, func(s fleet.DeviceSet) bool { return s.Archived }); err != nil {
			return err
		}
	}
	for i, id := range c.Regions {
		at := fmt.Sprintf("regions[%d]", i)
		if err := referTo(ctx, o.Regions(), at, id, func(r fleet.Region) bool { return r.Archived }); err != nil {
			return err
		}
	}
	if c.FileID == "" {
		return nil
	}
	var file fleet.File
	if err := referTo(ctx, o.Files(), "file_id", c.FileID, func(f fleet.File) bool { file = f; return f.Archived }); err != nil {
		return err
	}
	if (c.Type == fleet.FOTACampaign) == (file.Type == fleet.BinaryFile) {
		return invalid("file_id", fmt.Sprintf("is a %s file", file.Type), "FOTA campaigns send firmware or delta files, BINARY campaigns binary files")
	}
	if c.Delta == fleet.DeltaOff && file.Type == fleet.DeltaFile {
		return invalid("delta", "is off, and the file is a delta", "name the full image, or leave delta out")
	}
	return nil
}

// campaignFrozen keeps a campaign that was started as it was started.
func campaignFrozen(ctx context.Context, o store.Objects, c *fleet.Campaign) error {
	if err := campaignKept(ctx, o, c); err != nil {
		return err
	}
	if c.Status != fleet.Configured {
		return fmt.Errorf("campaign %s is %s, changing it %w: copy it instead", c.ID, c.Status, ErrState)
	}
	return nil
}

// campaignKept keeps a running campaign in the lists.
func campaignKept(_ context.Context, _ store.Objects, c *fleet.Campaign) error {
	if c.Status == fleet.Running {
		return fmt.Errorf("campaign %s is RUNNING, changing it %w: stop it first", c.ID, ErrState)
	}
	return nil
}
