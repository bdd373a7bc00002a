package service

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Approval by a second person:
//
//	created or changed by anna ──> approved by ben ──> started by whoever may
//	        ^                            │
//	        └── any later change: void <─┘
//
// A change of what it names counts too: of its device sets, regions, multicast groups and file. Whom a set that is a
// filter finds is not looked at. A campaign needs an approval if it says so itself, or if its subscriber does. Who
// approves is a user, not the server, and not the one whose work it is.

// Approve approves a configured campaign. revision is the one that was looked at, or AnyRevision:
// ErrStale says that it is another by now. Approving what one has approved is no error.
func (s *Service) Approve(ctx context.Context, campaignID string, revision int64) (fleet.Campaign, error) {
	var approved fleet.Campaign
	err := s.change(ctx, identity.RunCampaigns, func(c *changes) error {
		found, err := c.configured(ctx, campaignID, "approving")
		approved = found
		switch {
		case err != nil:
			return err
		case revision != AnyRevision && revision != found.Revision:
			return fmt.Errorf("revision %d, stored is %d: %w", revision, found.Revision, store.ErrStale)
		case c.actor.UserID == "":
			return fmt.Errorf("approving a campaign without a user's account %w", ErrForbidden)
		case c.actor.UserID == found.ChangedBy.UserID:
			return fmt.Errorf("campaign %s was last changed by %s, approving one's own work %w: ask somebody else", found.ID, found.ChangedBy.Login, ErrForbidden)
		}
		of, err := revisionsOf(ctx, c, found)
		if err != nil {
			return err
		}
		if a := found.Approval; !a.At.IsZero() && a.By.UserID == c.actor.UserID && maps.Equal(a.Of, of) {
			return nil
		}
		approved.Approval = fleet.Approval{By: person(c.actor), At: c.now, Of: of}
		c.recordIn(found.SubscriberID, "campaign.approve", "campaign", found.ID, nil, fmt.Sprintf("revision %d", found.Revision))
		return c.Campaigns().Update(ctx, &approved)
	})
	return approved, err
}

// Approved returns ErrApproval if a campaign that needs an approval has none, or has one of something else than it would
// be now.
func Approved(ctx context.Context, o store.Objects, c fleet.Campaign) error {
	if c.Approval.At.IsZero() {
		return fmt.Errorf("campaign %s %w: somebody other than %s approves it", c.ID, ErrApproval, orServer(c.ChangedBy))
	}
	now, err := revisionsOf(ctx, o, c)
	if err != nil {
		return err
	}
	for _, what := range slices.Sorted(maps.Keys(now)) {
		if c.Approval.Of[what] != now[what] {
			return fmt.Errorf("campaign %s %w: %s was changed after %s had approved it: look at it, and approve it again", c.ID, ErrApproval, what, c.Approval.By.Login)
		}
	}
	return nil
}

// revisionsOf returns the revisions of what a campaign names, as in fleet.Approval.
func revisionsOf(ctx context.Context, o store.Objects, c fleet.Campaign) (map[string]int64, error) {
	of := map[string]int64{}
	sets, err := o.DeviceSets().FindAll(ctx, c.DeviceSets)
	if err != nil {
		return nil, err
	}
	for _, x := range sets {
		of["device set "+x.ID] = x.Revision
	}
	regions, err := o.Regions().FindAll(ctx, c.Regions)
	if err != nil {
		return nil, err
	}
	for _, x := range regions {
		of["region "+x.ID] = x.Revision
		groups, err := o.Groups().FindAll(ctx, x.Groups)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			of["multicast group "+g.DevEUI.String()] = g.Revision
		}
	}
	if c.FileID != "" {
		file, err := o.Files().Find(ctx, c.FileID)
		if err != nil {
			return nil, err
		}
		of["file "+file.ID] = file.Revision
	}
	return of, nil
}

func orServer(p fleet.Person) string {
	if p.Login == "" {
		return "who changed it last"
	}
	return p.Login
}

func person(a identity.Actor) fleet.Person { return fleet.Person{UserID: a.UserID, Login: a.Login} }

// authored notes whose work a campaign is. What somebody approved was another one.
func authored(c *fleet.Campaign, who fleet.Person) {
	if c.Status == fleet.Configured {
		c.ChangedBy, c.Approval = who, fleet.Approval{}
	}
}

// configured returns a campaign that can still be prepared, or ErrState.
func (c *changes) configured(ctx context.Context, campaignID, what string) (fleet.Campaign, error) {
	found, err := c.Campaigns().Find(ctx, campaignID)
	switch {
	case err != nil:
		return found, err
	case found.Archived:
		return found, fmt.Errorf("campaign %s is archived, %s it %w", found.ID, what, ErrState)
	case found.Status != fleet.Configured:
		return found, fmt.Errorf("campaign %s is %s, %s it %w", found.ID, found.Status, what, ErrState)
	}
	return found, nil
}
