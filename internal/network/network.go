package network

import (
	"context"
	"errors"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// Errors by what the engine does about them; adapters wrap them.
var (
	// ErrRejected: the request is wrong and will stay so. The frame is given up.
	ErrRejected = errors.New("network server refuses the request")
	// ErrUnreachable: nobody knows, or it is too busy. The frame is tried again.
	ErrUnreachable = errors.New("network server cannot be reached")
)

// Report says how well a network tells what became of a multicast frame.
type Report uint8

// Kinds of reports.
const (
	NoReport   Report = iota // the frame vanishes; the engine goes by time
	BestEffort               // may get lost
	PerFrame                 // one summary per frame, always
)

// Caps is what a network can do.
type Caps struct {
	ClassB, ClassC   bool
	ProvisionsGroups bool          // EnsureGroup makes the group; else a person has to
	EncryptsItself   bool          // multicast payloads go over in clear
	SentReports      Report        // of multicast frames; unicast ones are always reported
	MinLead          time.Duration // least time from SendMulticast to the air
	// NextChance: a frame handed over when an uplink is reported makes the receive
	// windows of that same uplink.
	NextChance bool
}

// Group is a multicast group as the network server must know it.
type Group struct {
	DevEUI      lorawan.EUI64 // ours
	Name        string
	McAddr      lorawan.DevAddr
	NwkSKey     lorawan.AES128Key
	AppSKey     lorawan.AES128Key
	FCntDown    uint32 // next counter; the network must never go below it
	ClassB      bool   // else class C
	Band        region.Band
	DwellTime   bool
	Frequency   uint32 // Hz; 0: class B hopping
	DataRate    uint8
	Periodicity uint8           // class B: ping period 2^n s
	Members     []lorawan.EUI64 // some networks want to know
}

// Frame is an application payload on its way down.
type Frame struct {
	ID      string // ours, 16 hexadecimal digits, repeated in every report
	FPort   uint8
	Payload []byte // in clear
}

// Adapter sends. It is used by one goroutine at a time. Calls return when the network
// server has taken the request, or with an error that wraps ErrRejected or ErrUnreachable.
type Adapter interface {
	Caps() Caps
	// SendUnicast queues a frame for a device. flush drops what is queued there first,
	// in the same breath if the network can.
	SendUnicast(ctx context.Context, dev lorawan.EUI64, f Frame, flush bool) error
	FlushUnicast(ctx context.Context, dev lorawan.EUI64) error
	// EnsureGroup makes or updates a group. It may be called again with the same group.
	EnsureGroup(ctx context.Context, g Group) error
	DeleteGroup(ctx context.Context, group lorawan.EUI64) error
	// SendMulticast queues a frame for a group. known tells if fcnt is the counter that
	// the network will use.
	SendMulticast(ctx context.Context, group lorawan.EUI64, f Frame) (fcnt uint32, known bool, err error)
	FlushMulticast(ctx context.Context, group lorawan.EUI64) error
}

// Source is where the engine waits: for events of its networks, and for time to pass. It
// is what makes a simulated network run in virtual time under the very same engine.
type Source interface {
	// Now is the time of the network's world.
	Now() time.Time
	// Wait returns the events that have come. It returns none when until has come (zero:
	// no limit), when Wake was called, or with the error of ctx.
	Wait(ctx context.Context, until time.Time) ([]Event, error)
	// Pending tells if Wait would return at once: what can wait for more events may do so.
	Pending() bool
	// Wake ends the present or next Wait. It may be called from anywhere.
	Wake()
}

// Kind tells what happened.
type Kind uint8

// Kinds of events.
const (
	Uplink  Kind = iota + 1
	Sent         // a frame is on the air; for multicast, through all gateways
	NotSent      // a frame was given up
	Joined
)

// Event is one report of a network server. Fields that a kind does not name are zero.
type Event struct {
	Kind    Kind
	Time    time.Time     // by the gateway or the network, never by us
	DevEUI  lorawan.EUI64 // Uplink, Joined, Sent and NotSent of unicast frames
	Group   lorawan.EUI64 // Sent and NotSent of multicast frames
	FrameID string        // Sent, NotSent
	FCnt    uint32        // Uplink, Sent
	// Gateways are those that heard the Uplink, best first, or transmitted what was Sent to a device;
	// with Frequency they tell what is left of the duty cycle. None: the network does not say.
	Gateways  []string
	Frequency uint32        // Hz, of the Uplink, or of what was Sent
	DataRate  uint8         // likewise
	FPort     uint8         // Uplink
	Payload   []byte        // Uplink, in clear
	Airtime   time.Duration // Sent: of all transmissions together; 0: not reported
	Err       string        // NotSent
}
