package engine

import (
	"context"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// notePackages notes with devices the package versions that their probe has found, so that later plans know
// them. The campaign has them in its own state: what cannot be noted now is tried again with the next
// commit, and when the campaign is loaded.
func (e *Engine) notePackages(ctx context.Context, r *run) {
	if len(r.found) == 0 {
		return
	}
	found := map[lorawan.EUI64]fleet.Packages{}
	spec := r.c.Spec()
	for i, m := range spec.Devices {
		if p := r.c.Device(i).Probe.Packages; p != (fleet.Packages{}) {
			found[m.DevEUI] = p
		}
	}
	err := e.store.Tx(ctx, func(o store.Objects) error {
		devices, err := o.Devices().FindAll(ctx, r.found)
		if err != nil {
			return err
		}
		for _, d := range devices {
			known := found[d.DevEUI].Over(d.Packages)
			if known == d.Packages {
				continue
			}
			d.Packages = known
			if err := o.Devices().Update(ctx, &d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e.log.Warn("package versions are not noted with their devices", "campaign", r.id, "err", err)
		return
	}
	r.found = nil
}
