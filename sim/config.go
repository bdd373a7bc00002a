package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// Errors that callers test with errors.Is.
var (
	ErrConfig  = errors.New("not a possible network")
	ErrUnknown = errors.New("not known to the network server")
	ErrPayload = errors.New("payload does not fit the data rate")
	ErrPort    = errors.New("FPort is not for applications")
	ErrCounter = errors.New("multicast frame counter is used up")
	ErrBusy    = errors.New("group has frames in its queue")
)

// Config is a whole network. Slices are read by New and may be reused afterwards.
type Config struct {
	Seed     uint64    // of all luck: loss here, and devices whose own Seed is 0
	Start    time.Time // virtual time begins here; devices whose Start is zero are switched on then
	Gateways []Gateway
	Devices  []DeviceSpec

	// Collisions makes uplinks that overlap at a gateway on one frequency and data
	// rate destroy each other there. There is no capture: it is the pessimistic model.
	Collisions bool

	// DownlinkLead is how long before a receive window the network server must have
	// a frame for it; 0 is DefaultDownlinkLead. A frame handed over at the instant of
	// the uplink's event is in time for RX1 as long as this is below 1 s.
	DownlinkLead time.Duration

	FanOut FanOut
	// MulticastGap is the pause of a group from the end of one frame, on all its
	// gateways, to the next. Gateways are deaf while they transmit: without a gap, and
	// in a band without duty cycle, a full queue silences all uplinks.
	MulticastGap time.Duration
	// GatewayPatience is how long a multicast frame waits for a gateway that is busy or
	// out of duty cycle, from when it could have begun there, before it goes without
	// that one (GwOK < GwTotal); 0: for ever.
	GatewayPatience time.Duration
}

// DefaultDownlinkLead leaves room for the way to a gateway.
const DefaultDownlinkLead = 100 * time.Millisecond

// FanOut is how a multicast frame is spread over the gateways of its group.
type FanOut uint8

const (
	// Simultaneous has every gateway transmit as soon as it is free, all at one instant if
	// all are. A device in reach of several receives the frame if any link carries it.
	Simultaneous FanOut = iota
	// Staggered has one gateway transmit after the other, in the order of Group.Gateways; in class
	// B one per ping slot. No two gateways disturb each other, and it takes as many times longer.
	Staggered
)

// String returns "simultaneous" or "staggered".
func (f FanOut) String() string {
	if f == Staggered {
		return "staggered"
	}
	return "simultaneous"
}

// Gateway is one gateway. It receives on all channels and data rates of its band at
// once, is deaf while it transmits, transmits one frame at a time, and keeps to the
// duty cycle of each sub-band of its region.
type Gateway struct {
	ID          string
	Band        region.Band
	NoDutyCycle bool // ignore the region's duty cycle, for experiments
}

// EndDevice is what the radio needs of a device. *device.Device is one; a model that
// tracks ranks instead of bytes can be another.
type EndDevice interface {
	// NextWake is the true time of the next thing the device will do by itself; zero: never.
	NextWake() time.Time
	// Wake does what is due at now and returns what the device begins to transmit.
	Wake(now time.Time) []device.Uplink
	// Hears reports whether the receiver is open for tx.
	Hears(tx device.Transmission) bool
	// Receive takes a frame that arrived whole at its end. It must not keep or change phy.
	Receive(at time.Time, phy []byte)
}

// DeviceSpec is a device and where it is.
type DeviceSpec struct {
	device.Config
	Links []Link // gateways in reach; none: the device is out of coverage

	// New makes the device; nil: device.New. Seed and Start of the configuration
	// it is given are never zero.
	New func(device.Config) EndDevice
}

// Link is the radio path between a device and one gateway.
type Link struct {
	Gateway  string // Gateway.ID, of the device's band
	Up, Down Loss   // nil: nothing is lost
}

// Frame is an application payload to be sent, in clear.
type Frame struct {
	ID      string // the caller's name for it, returned in Sent, Failed and Summary
	FPort   uint8  // 1..255
	Payload []byte
}

// EventKind tells what happened.
type EventKind uint8

// What the network server reports.
const (
	Uplink  EventKind = iota + 1 // a device was heard; one event however many gateways heard it
	Sent                         // a unicast frame was transmitted; nobody knows if it was received
	Failed                       // a unicast frame was given up, see Err
	Joined                       // the device rebooted or began its counters anew: what it had in RAM is gone
	Summary                      // a multicast frame is done on all gateways of its group
)

// String returns the name of the constant.
func (k EventKind) String() string {
	switch k {
	case Uplink:
		return "Uplink"
	case Sent:
		return "Sent"
	case Failed:
		return "Failed"
	case Joined:
		return "Joined"
	case Summary:
		return "Summary"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// Event is one report of the network server. Fields that a kind does not name are zero.
type Event struct {
	Kind    EventKind
	Time    time.Time     // end of the transmission, or when the network server decided; UTC
	DevEUI  lorawan.EUI64 // Uplink, Sent, Failed, Joined
	Group   string        // Summary
	FrameID string        // Sent, Failed, Summary
	FCnt    uint32        // Uplink, Sent, Summary
	FPort   uint8         // Uplink
	Payload []byte        // Uplink, in clear; the caller's to keep
	// Gateways are those that heard the Uplink, or transmitted what was Sent. Not to be changed.
	Gateways  []string
	Frequency uint32        // Hz, of the Uplink, or of what was Sent
	DataRate  uint8         // likewise
	GwTotal   int           // Uplink: gateways in reach; Summary: gateways of the group
	GwOK      int           // Uplink: gateways that heard it; Summary: gateways that transmitted it
	Airtime   time.Duration // Sent, Summary: of all transmissions of the frame together
	Err       string        // Failed
	Window    uint8         // Sent: the receive window that it took, 1 or 2
}

// String returns one line for logs and tests.
func (e Event) String() string {
	at := e.Time.Format("2006-01-02T15:04:05.000000Z07:00")
	switch e.Kind {
	case Uplink:
		return fmt.Sprintf("%s %s %s FCnt=%d FPort=%d %x gateways=%d/%d", at, e.Kind, e.DevEUI, e.FCnt, e.FPort, e.Payload, e.GwOK, e.GwTotal)
	case Sent:
		return fmt.Sprintf("%s %s %s frame=%s FCnt=%d", at, e.Kind, e.DevEUI, e.FrameID, e.FCnt)
	case Failed:
		return fmt.Sprintf("%s %s %s frame=%s: %s", at, e.Kind, e.DevEUI, e.FrameID, e.Err)
	case Summary:
		return fmt.Sprintf("%s %s %s frame=%s FCnt=%d gateways=%d/%d", at, e.Kind, e.Group, e.FrameID, e.FCnt, e.GwOK, e.GwTotal)
	}
	return fmt.Sprintf("%s %s %s", at, e.Kind, e.DevEUI)
}
