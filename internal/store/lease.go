package store

import (
	"context"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// Leases says which process runs which campaign. A replica is one process that runs campaigns; it lives as
// long as it renews its lease, and owns the runs that it has claimed or created.
//
//	Join ──> Renew ──> Renew ──> ...  the lease ends by the store's own clock
//	  │        └ ErrFenced: it has ended, and stays so. Forget everything, Join under another ID
//	  ├──> ClaimRuns: runs that nobody living owns become its own, each with the next epoch
//	  └──> Release some, or Leave: others may claim them at once
//
// The epoch of a run rises with each claim, and every commit checks it: who was stopped, cut off or slow
// finds out at the latest when it writes.
type Leases interface {
	// Join makes r one of the replicas until ttl from now, by the clock of the store. It returns ErrConflict
	// if the ID is taken, and ErrAlone if another replica lives and r, or that one, must be the only one.
	Join(ctx context.Context, r Replica, ttl time.Duration) error

	// Renew makes the lease of a replica end ttl from now. It returns ErrFenced if it has ended already.
	Renew(ctx context.Context, replicaID string, ttl time.Duration) error

	// ClaimRuns gives a replica runs that have something left to do (see ActiveRuns) and no living owner, until it
	// has its fair share: the runs divided by the living replicas, rounded up. It returns ErrFenced if the
	// lease of the replica has ended.
	ClaimRuns(ctx context.Context, replicaID string) (Share, error)

	// Release gives runs back that a replica owns; others are left alone.
	Release(ctx context.Context, replicaID string, campaignIDs ...string) error

	// Leave ends the lease of a replica, and with it its ownership. Leaving twice is no error.
	Leave(ctx context.Context, replicaID string) error

	// EndLeases ends all leases: for a process that knows that no other lives, such as the one that holds
	// the lock of a file.
	EndLeases(ctx context.Context) error

	// ActiveRuns returns the runs that have something left to do, ordered by campaign: those of RUNNING campaigns,
	// ended ones that still wait for a time (Step.WakeAt), such as a stopped campaign that cleans up its
	// devices, and those that have frames in the outbox.
	ActiveRuns(ctx context.Context) ([]ActiveRun, error)

	// RunMembers returns the devices and groups of a run, each ordered; none without the run.
	RunMembers(ctx context.Context, campaignID string) (devices, groups []lorawan.EUI64, err error)
}

// Replica is a process that runs campaigns.
type Replica struct {
	ID    string // of this life of the process: never used again
	Name  string // for people, such as "host:pid"
	Alone bool   // it must be the only one, because its network is in its memory
}

// Share is what a replica has got from ClaimRuns.
type Share struct {
	Claimed []ActiveRun // in the order of their campaigns
	Surplus int         // how many runs it owns above its fair share: it should release them
}

// ActiveRun is a run that has something left to do.
type ActiveRun struct {
	CampaignID string
	Owner      string // ID of a living replica; "": none
	Epoch      int64
}

// Inbox carries what reached one replica to the owner of a campaign. The owner names the letters in
// the step that takes account of them (Step.Inbox, Step.Replies), so that each has its effect once.
type Inbox interface {
	// Post stores letters, in order, and wakes those who Listen, once. Letters to runs that have nothing left to
	// do are dropped. It returns the Seq of those that were kept, in order.
	Post(ctx context.Context, letters ...Letter) ([]int64, error)

	// Letters returns the oldest letters to a campaign, at most limit.
	Letters(ctx context.Context, campaignID string, limit int) ([]Letter, error)

	// Reply returns the reply to a letter, and forgets it. Waiting: it has not been taken account of yet.
	// Neither: it went without a reply. Replies that nobody asks for are forgotten after some minutes.
	Reply(ctx context.Context, seq int64) (reply []byte, waiting bool, err error)

	// Listen calls posted whenever a process has posted letters, and shared whenever one has started a
	// run or given runs back, until ctx ends. A call may get lost: who listens looks from time to time as well.
	Listen(ctx context.Context, posted, shared func())
}

// Letter is something that the owner of a campaign must know. Its body is opaque here.
type Letter struct {
	Seq        int64 // given by Post
	CampaignID string
	Body       []byte
}
