package service

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Runner runs campaigns. Its methods return once the order is durable; what follows
// from it takes its time and is seen as progress.
type Runner interface {
	// Start plans a configured campaign and makes it RUNNING. Errors that an operator
	// can do something about are FieldErrors or wrap ErrState.
	Start(ctx context.Context, campaignID string) error
	// Stop ends a running campaign and cleans up on the devices. Stopping twice is no error.
	Stop(ctx context.Context, campaignID string) error
	// Pause keeps a running campaign from sending. Pausing twice is no error.
	Pause(ctx context.Context, campaignID string) error
	// Resume lets a paused campaign go on.
	Resume(ctx context.Context, campaignID string) error
}

// DefaultMaxContent is far above what fits a fragmentation session (16383 fragments
// of 255 bytes, 4 MB): files that deltas are made from may be larger.
const DefaultMaxContent = 64 << 20

// Config is what a Service works with.
type Config struct {
	Store      store.Store
	Runner     Runner
	Now        func() time.Time // nil: time.Now
	Random     io.Reader        // for keys; nil: crypto/rand
	MaxContent int64            // bytes of one file; 0: DefaultMaxContent
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

	store      store.Store
	runner     Runner
	clock      func() time.Time
	random     io.Reader
	maxContent int64

	starting sync.Mutex // a start looks at all running campaigns: one at a time

	counting sync.Mutex
	counted  map[string]Progress // guarded by counting; of running campaigns, as last counted
}

// New returns a Service.
func New(cfg Config) *Service {
	s := &Service{store: cfg.Store, runner: cfg.Runner, clock: cfg.Now, random: cfg.Random, maxContent: cfg.MaxContent,
		counted: map[string]Progress{}}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.maxContent == 0 {
		s.maxContent = DefaultMaxContent
	}
	s.defineResources()
	return s
}

// now returns the time as the store keeps it.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// newID returns an opaque identifier that sorts by time of creation (UUIDv7).
func newID() (string, error) {
	u, err := uuid.NewV7()
	return u.String(), err
}

// Ping reports whether the service can work.
func (s *Service) Ping(ctx context.Context) error { return s.store.Ping(ctx) }
