package service

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Runner runs campaigns. Its methods return once the order is durable; what follows
// from it takes its time and is seen as progress.
type Runner interface {
	// Start plans a configured campaign and makes it RUNNING. Errors that an operator
	// can do something about are FieldErrors or wrap ErrState. What comes along is stored
	// in the transaction that makes it RUNNING.
	Start(ctx context.Context, campaignID string, along store.Along) error
	// Order gives a running campaign an order: one of the inputs of package campaign that
	// name who asks. The audit entries are stored in the transaction of what follows from
	// it. A refused order is a campaign.RefusedError; it changes nothing and leaves no entry.
	Order(ctx context.Context, campaignID string, in campaign.Input, audit ...store.AuditEntry) (campaign.Receipt, error)
}

// DefaultMaxContent is far above what fits a fragmentation session (16383 fragments
// of 255 bytes, 4 MB): files that deltas are made from may be larger.
const DefaultMaxContent = 64 << 20

// Config is what a Service works with.
type Config struct {
	Store      store.Store
	Runner     Runner
	Rotation   Rotation         // of the key that keys are sealed under
	Now        func() time.Time // of the network that campaigns run on; nil: time.Now
	Wall       func() time.Time // of people: sessions, the audit log, jobs; nil: time.Now
	Random     io.Reader        // for keys; nil: crypto/rand
	MaxContent int64            // bytes of one file; 0: DefaultMaxContent
	QueueAhead bool             // the network wants commands ahead of the uplink: it has no network.Caps.NextChance
}

// Service holds the use cases. It is safe for concurrent use.
type Service struct {
	Devices        *Resource[fleet.Device, lorawan.EUI64]
	DeviceSets     *Resource[fleet.DeviceSet, string]
	Groups         *Resource[fleet.MulticastGroup, lorawan.EUI64]
	Regions        *Resource[fleet.Region, string]
	Files          *Resource[fleet.File, string]
	Profiles       *Resource[fleet.DeviceProfile, string]
	SmartDeltaKeys *Resource[fleet.SmartDeltaKey, string]
	Campaigns      *Resource[fleet.Campaign, string]
	Subscribers    *Resource[fleet.Subscriber, string]
	Users          *Resource[identity.User, string]

	store      store.Store
	runner     Runner
	rotation   Rotation
	clock      func() time.Time
	wallClock  func() time.Time
	random     io.Reader
	maxContent int64
	queueAhead bool
	limiter    *identity.Limiter
	bulk       map[string]changeable // by collection; filled once, before the service is used
	queued     chan struct{}         // holds one wish that Work look for jobs

	planning chan struct{} // full while a plan is computed: one at a time
	starting sync.Mutex    // a start looks at all running campaigns: one at a time

	counting sync.Mutex
	counted  map[string]Progress // guarded by counting; of running campaigns, as last counted
}

// New returns a Service.
func New(cfg Config) *Service {
	s := &Service{store: cfg.Store, runner: cfg.Runner, rotation: cfg.Rotation, clock: cfg.Now, wallClock: cfg.Wall, random: cfg.Random, maxContent: cfg.MaxContent, queueAhead: cfg.QueueAhead,
		counted: map[string]Progress{}, bulk: map[string]changeable{}, queued: make(chan struct{}, 1), planning: make(chan struct{}, 1)}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.wallClock == nil {
		s.wallClock = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.maxContent == 0 {
		s.maxContent = DefaultMaxContent
	}
	s.limiter = identity.NewLimiter(s.wallClock)
	s.defineResources()
	return s
}

// now returns the time as the store keeps it.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// wall returns the time of people, which goes on at its own pace when that of a simulated
// network jumps: a session must not end because a campaign of days took seconds.
func (s *Service) wall() time.Time { return s.wallClock().UTC().Truncate(time.Microsecond) }

// newID returns an opaque identifier that sorts by time of creation (UUIDv7).
func newID() (string, error) {
	u, err := uuid.NewV7()
	return u.String(), err
}

// Ping reports whether the service can work.
func (s *Service) Ping(ctx context.Context) error { return s.store.Ping(ctx) }
