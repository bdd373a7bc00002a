package planning

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
)

// deltas returns the delta files that a campaign for a full image may send instead: for its version and profile, of
// formats that the profile names, and leading to these very bytes as far as they say so. Of each base it is the
// smallest. Whether they are wanted is for the plan to decide.
func deltas(ctx context.Context, s store.Store, own store.Objects, file fleet.File, image []byte) ([]campaign.Delta, error) {
	if file.Type != fleet.FirmwareFile || file.ProfileID == "" || len(image) == 0 {
		return nil, nil
	}
	profile, err := own.Profiles().Find(ctx, file.ProfileID)
	if err != nil {
		return nil, fmt.Errorf("device profile %s: %w", file.ProfileID, err)
	}
	if profile.With(file).Library != fleet.SmartDelta {
		return nil, nil
	}
	var candidates []fleet.File
	q := store.Query{Where: map[store.Field]string{store.ByProfile: file.ProfileID, store.ByType: fleet.DeltaFile.String()}}
	for f, err := range store.All(ctx, own.Files(), q) {
		if err != nil {
			return nil, fmt.Errorf("deltas to %s: %w", file.Version, err)
		}
		if f.Version.Uint32() == file.Version.Uint32() && f.HasContent() && !f.Archived && f.Size < int64(len(image)) {
			candidates = append(candidates, f)
		}
	}
	slices.SortFunc(candidates, func(a, b fleet.File) int {
		return cmp.Or(cmp.Compare(a.BaseVersion.Uint32(), b.BaseVersion.Uint32()), cmp.Compare(a.Size, b.Size), cmp.Compare(a.ID, b.ID))
	})
	var found []campaign.Delta
	for _, f := range candidates {
		if n := len(found); n > 0 && found[n-1].File.BaseVersion.Uint32() == f.BaseVersion.Uint32() {
			continue // there is a smaller one
		}
		payload, err := Payload(ctx, s, f.SHA256)
		if err != nil {
			return nil, err
		}
		if usable(profile, f, payload, image) {
			found = append(found, campaign.Delta{File: f, Payload: payload})
		}
	}
	return found, nil
}

// usable tells if devices of a profile decode a delta, and if it leads to an image as far as it says so. A format that
// is not ours is for a profile that names none: whoever has uploaded it knows.
func usable(profile fleet.DeviceProfile, f fleet.File, payload, image []byte) bool {
	if sealed, err := envelope.Parse(payload); err == nil {
		h := sealed.Header()
		i := slices.IndexFunc(delta.Formats(), func(f delta.Format) bool { return f.Codec() == h.Codec })
		return i >= 0 && profile.Decodes(delta.Formats()[i]) && h.CheckTarget(image) == nil &&
			(h.BaseVersion == 0 || uint32(h.BaseVersion) == f.BaseVersion.Uint32())
	}
	info, err := delta.Inspect(payload)
	if err != nil {
		return len(profile.DeltaFormats) == 0
	}
	return profile.Decodes(info.Format) && info.To == len(image)
}
