package engine

import (
	"context"
	"slices"

	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// others are the active runs that this process does not own, and where their devices and groups
// are: what an uplink needs to know, without asking the store each time. The members of a run never
// change, so a run is asked about once.
type others struct {
	active   []store.ActiveRun
	members  map[string][2][]lorawan.EUI64 // of runs: devices and groups
	byDevice map[lorawan.EUI64]string      // campaign
	byGroup  map[lorawan.EUI64]string      // campaign
}

// findOthers looks who runs what. What cannot be found out now is left as it was.
func (e *Engine) findOthers(ctx context.Context) {
	active, err := e.store.ActiveRuns(ctx)
	if err != nil {
		e.log.Warn("campaigns of other servers not looked up", "err", err)
		return
	}
	members, changed := map[string][2][]lorawan.EUI64{}, false
	for _, r := range active {
		if slices.ContainsFunc(e.runs, func(own *run) bool { return own.id == r.CampaignID }) {
			continue
		}
		m, known := e.others.members[r.CampaignID]
		if !known {
			devices, groups, err := e.store.RunMembers(ctx, r.CampaignID)
			if err != nil {
				e.log.Warn("devices of a campaign of another server not looked up", "campaign", r.CampaignID, "err", err)
				return
			}
			m, changed = [2][]lorawan.EUI64{devices, groups}, true
		}
		members[r.CampaignID] = m
	}
	e.others.active = active
	if !changed && len(members) == len(e.others.members) {
		return // as mostly
	}
	e.others = others{active: active, members: members, byDevice: map[lorawan.EUI64]string{}, byGroup: map[lorawan.EUI64]string{}}
	for id, m := range members {
		for _, dev := range m[0] {
			e.others.byDevice[dev] = id
		}
		for _, g := range m[1] {
			e.others.byGroup[g] = id
		}
	}
}

// campaigns returns the campaigns of all active runs that are known, never nil.
func (o *others) campaigns() []string {
	ids := make([]string, 0, len(o.active))
	for _, r := range o.active {
		ids = append(ids, r.CampaignID)
	}
	return ids
}

// elsewhere returns the campaign of another process that an event is about; "": none.
func (e *Engine) elsewhere(ev network.Event) string {
	if !ev.Group.IsZero() {
		if e.byGroup[ev.Group] != nil {
			return ""
		}
		return e.others.byGroup[ev.Group]
	}
	if e.byDevice[ev.DevEUI] != nil {
		return ""
	}
	return e.others.byDevice[ev.DevEUI]
}
