package service

import (
	"context"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// GroupKeys are the keys of a multicast group: the one that devices get, and the two that
// follow from it, which a network server needs (TS005, key derivation).
type GroupKeys struct {
	McKey, AppSKey, NwkSKey lorawan.AES128Key
}

// DeviceKey returns the GenAppKey or AppKey of a device in clear, and records that it did.
func (s *Service) DeviceKey(ctx context.Context, dev lorawan.EUI64) (key lorawan.AES128Key, err error) {
	err = s.reveal(ctx, "device", dev.String(), func(c *changes) error {
		d, err := c.Devices().Find(ctx, dev)
		key = d.RootKey
		return err
	})
	return key, err
}

// GroupKeys returns the keys of a multicast group in clear, and records that it did.
func (s *Service) GroupKeys(ctx context.Context, group lorawan.EUI64) (keys GroupKeys, err error) {
	err = s.reveal(ctx, "multicast_group", group.String(), func(c *changes) error {
		g, err := c.Groups().Find(ctx, group)
		if err == nil {
			keys = GroupKeys{g.McKey, multicast.McAppSKey(g.McKey, g.McAddr), multicast.McNwkSKey(g.McKey, g.McAddr)}
		}
		return err
	})
	return keys, err
}

// PrivateKey returns a Smart Delta key in clear (PKCS#8, DER), and records that it did.
func (s *Service) PrivateKey(ctx context.Context, id string) (der []byte, err error) {
	err = s.reveal(ctx, "smart_delta_key", id, func(c *changes) error {
		k, err := c.SmartDeltaKeys().Find(ctx, id)
		der = k.PrivateKey
		return err
	})
	return der, err
}

// reveal reads keys and records it: no key goes out without its entry.
func (s *Service) reveal(ctx context.Context, kind, id string, read func(*changes) error) error {
	return s.change(ctx, identity.RevealKeys, func(c *changes) error {
		if err := read(c); err != nil {
			return err
		}
		c.record(kind+".reveal_keys", kind, id, "")
		return nil
	})
}

// FirmwareHistory returns a page of what a device ran, the newest first.
func (s *Service) FirmwareHistory(ctx context.Context, dev lorawan.EUI64, q store.HistoryQuery) (store.Page[store.FirmwareEntry], error) {
	if _, err := s.Devices.Find(ctx, dev); err != nil {
		return store.Page[store.FirmwareEntry]{}, err
	}
	return s.store.FirmwareHistory(ctx, dev, q)
}

// Audit returns a page of the audit log of who asks's subscriber, for users of the server of
// all, the newest first.
func (s *Service) Audit(ctx context.Context, q store.AuditQuery) (store.Page[store.AuditEntry], error) {
	a, err := may(ctx, identity.ReadAudit)
	if err != nil {
		return store.Page[store.AuditEntry]{}, err
	}
	if !a.Server {
		q.SubscriberID = a.SubscriberID
	}
	return s.store.Audit(ctx, q)
}
