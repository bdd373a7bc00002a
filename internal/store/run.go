package store

import (
	"context"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Runs keeps running campaigns for the engine that owns them. States are opaque here.
//
//	CreateRun ──> CommitStep ──> CommitStep ──> ... status leaves RUNNING
//	                  │ outbox: PendingOutbox ──> send ──> MarkSent
//	                  └ timeline, progress: for people
type Runs interface {
	// CreateRun stores a new run, makes its campaign RUNNING and records its Audit, in one
	// transaction. It returns ErrNotFound without the campaign, and ErrConflict if
	// the campaign is not CONFIGURED or is archived. It returns ErrStale if there is an active run
	// that the caller did not know of, see Run.Beside, and ErrQuota if the subscriber of the campaign
	// has as many RUNNING campaigns as it may, whoever starts others at the same time.
	CreateRun(ctx context.Context, run Run) error

	// LoadRun returns the run of a campaign, ended or not, or ErrNotFound.
	LoadRun(ctx context.Context, campaignID string) (Run, error)

	// CommitStep stores everything that follows from one step in one transaction. It
	// returns ErrNotFound without the run, ErrFenced if the run's epoch is another, and
	// ErrConflict for an outbox ID that the campaign has pending already. After any error
	// the owner must load the run again: whether it was stored is unknown if the engine went away.
	CommitStep(ctx context.Context, step Step) error

	// PendingOutbox returns what has been committed and not yet marked as sent, in
	// the order of commit; of all campaigns if campaignID is "". Ended campaigns
	// may have pending clean-up commands too.
	PendingOutbox(ctx context.Context, campaignID string) ([]Outgoing, error)

	// MarkSent takes frames out of the outbox and raises the counters of their
	// groups past the ones used, in one transaction. Unknown IDs are no error: marking twice is harmless.
	// It returns ErrNotFound without the run, and ErrFenced if the run's epoch is another.
	MarkSent(ctx context.Context, campaignID string, epoch int64, sent ...Sent) error

	// SessionCnts returns the last used fragmentation session counters of the
	// given devices, in no particular order; a slot that was never used has no entry.
	SessionCnts(ctx context.Context, devices []lorawan.EUI64) ([]SessionCnt, error)

	// RunInfo returns what is known of a run without its state, or ErrNotFound.
	RunInfo(ctx context.Context, campaignID string) (RunInfo, error)

	// RunHeader returns the Header of a run as the last step left it, or ErrNotFound.
	RunHeader(ctx context.Context, campaignID string) ([]byte, error)

	// Stages returns the stages of a run in their order.
	Stages(ctx context.Context, campaignID string) ([]StageProgress, error)

	// Tally counts the devices of a run by stage, outcome and reason, ordered by these.
	Tally(ctx context.Context, campaignID string) ([]Tally, error)

	// DeviceProgress returns a page of the devices of a run ordered by DevEUI.
	DeviceProgress(ctx context.Context, campaignID string, q ProgressQuery) (Page[Row], error)

	// GroupProgress returns the groups of a run ordered by DevEUI.
	GroupProgress(ctx context.Context, campaignID string) ([]Row, error)

	// KeepForecast stores what was expected of a run, unless something is stored already: the first one
	// stays. It returns ErrNotFound without the run.
	KeepForecast(ctx context.Context, campaignID string, forecast []byte) error

	// Forecast returns what KeepForecast has stored of a run, or ErrNotFound.
	Forecast(ctx context.Context, campaignID string) ([]byte, error)

	// Timeline returns entries in the order in which they were committed.
	Timeline(ctx context.Context, campaignID string, q TimelineQuery) ([]TimelineEntry, error)
}

// Run is the stored form of a running campaign.
type Run struct {
	CampaignID string
	Started    time.Time // becomes Campaign.Started
	Spec       []byte    // written once
	Header     []byte    // replaced by every step
	Epoch      int64     // fencing: steps of another epoch are refused
	Owner      string    // ID of the replica that runs it; "": none yet. Not returned
	// Beside names the campaigns of the active runs that were known when this one was planned: devices and groups
	// of theirs are not its own. Nil: it does not matter. Not returned.
	Beside  []string
	Devices map[lorawan.EUI64][]byte
	Groups  map[lorawan.EUI64][]byte
	WakeAt  time.Time // of the last step
	Along             // whose order it was; written by CreateRun, not returned
	// Timeline is what the plan found, such as devices that do not take part. Written by CreateRun, not
	// returned. Seq is given by the store.
	Timeline []TimelineEntry
}

// Along is what is stored in the transaction that starts a campaign, beside its run.
type Along struct {
	Audit []AuditEntry
	Jobs  []Job // with identifiers
}

// Step is what one step of a campaign changes. Rows that are not named stay as they are.
type Step struct {
	CampaignID   string
	Epoch        int64        // must be the run's
	At           time.Time    // when the step was taken; zero leaves Campaign.LastChanged as it is
	Status       fleet.Status // of the campaign after the step
	StatusReason string
	Paused       bool
	Started      time.Time // zero leaves it as it is
	Ended        time.Time // zero leaves it as it is
	Header       []byte
	Devices      []Row
	Groups       []Row
	Stages       []StageProgress          // replace the stages of the same Position
	GroupFCnt    map[lorawan.EUI64]uint32 // next downlink counters; lower than stored ones are ignored
	SessionCnts  []SessionCnt             // used counters; lower than stored ones are ignored
	Sent         []Sent                   // frames of earlier steps that are on their way, as MarkSent
	Outbox       []Outgoing
	Timeline     []TimelineEntry // Seq is given by the store
	Firmware     []FirmwareSeen  // older sightings than the stored one are ignored
	WakeAt       time.Time       // zero: no timer
	Audit        []AuditEntry    // of orders of people in this step, as Objects.Record
	Inbox        []int64         // Seq of the letters that the step took account of: they go with it
	Air          []AirSpent      // since the last step; rows of the same minute are added up
	Replies      []Letter        // to letters that the step took account of, by their Seq: see Inbox.Reply
}

// Row is one device or group of a run: the engine's state, and what people see of it.
type Row struct {
	DevEUI  lorawan.EUI64
	State   []byte // not returned by progress queries
	Stage   string
	Outcome string // stable, such as "verified"
	Reason  string // stable code of why
	At      time.Time
}

// SessionCnt is the last used counter of one fragmentation slot of a device (TS004-2.0.0).
type SessionCnt struct {
	DevEUI    lorawan.EUI64
	FragIndex uint8
	Cnt       uint16
}

// Outgoing is a frame that is to be sent, or a wish to empty a queue.
type Outgoing struct {
	CampaignID string        // set by PendingOutbox
	ID         string        // unique in the campaign's pending frames; recognised by adapters when repeated
	DevEUI     lorawan.EUI64 // of the device; zero for multicast
	Group      lorawan.EUI64 // of the multicast group; zero for unicast
	FPort      uint8
	Payload    []byte
	Flush      bool // drop what is queued for this destination first; without payload, only that
}

// Sent says that a frame of the outbox has been handed to the network server.
type Sent struct {
	ID    string
	Group lorawan.EUI64 // zero for unicast
	FCnt  uint32        // the counter it took, when Group is set
}

// TimelineEntry is one thing that happened, for people and for webhooks.
type TimelineEntry struct {
	Seq    int64 // rises by commit order within the campaign, from 1
	At     time.Time
	DevEUI lorawan.EUI64 // zero: not about one device
	Group  lorawan.EUI64 // zero: not about one group
	Code   string        // stable
	Text   string
	Cause  string // the frame or timer that caused it
}

// FirmwareSeen is a version that a device reported.
type FirmwareSeen struct {
	DevEUI  lorawan.EUI64
	Version fleet.Firmware
	At      time.Time
}

// StageProgress is how far a stage of a campaign is.
type StageProgress struct {
	Position         int // 1 is the first
	Name             string
	Status           string // pending, running, done, failed, ended
	Started, Ended   time.Time
	Total, Completed int // operations
}

// RunInfo is what a viewer needs to know to see whether to ask for more.
type RunInfo struct {
	CampaignID string
	Version    int64 // rises with every committed step
	LastSeq    int64 // of the timeline
	WakeAt     time.Time
}

// Tally is a number of devices.
type Tally struct {
	Stage, Outcome, Reason string
	Devices                int
}

// ProgressQuery selects devices of a run. Empty fields select all.
type ProgressQuery struct {
	After                  string
	Limit                  int // 1..MaxLimit; 0: DefaultLimit
	Stage, Outcome, Reason string
}

// PageLimit returns the limit to apply, or ErrQuery.
func (q ProgressQuery) PageLimit() (int, error) { return pageLimit(q.Limit) }

// TimelineQuery selects entries of a timeline.
type TimelineQuery struct {
	After  int64         // Seq of the last entry seen; 0: from the beginning
	Limit  int           // 1..MaxLimit; 0: DefaultLimit
	DevEUI lorawan.EUI64 // only entries about this device; zero: all
	Code   string        // only entries with this code, or one that begins with it if it ends with a dot; "": all
}

// PageLimit returns the limit to apply, or ErrQuery.
func (q TimelineQuery) PageLimit() (int, error) { return pageLimit(q.Limit) }
