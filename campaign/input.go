package campaign

import (
	"fmt"
	"strings"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// Input is a fact that Step is told. Each prints itself in one line, which is also the
// cause that the timeline names.
type Input interface{ String() string }

// Start starts the campaign, once; repeated it does nothing.
type Start struct{}

// Heard is an uplink of a device: the commands of the FUOTA packages it held, or none
// for any other uplink (which still tells that the device can be reached now).
type Heard struct {
	DevEUI   lorawan.EUI64
	At       time.Time // when the network received it
	FCnt     uint32
	FPort    uint8
	Commands []lorawan.Command
	// Crowded is how long it is worth waiting for a better chance: the gateways that heard this
	// uplink have no air time left for the first receive window, so a command that answers it
	// would go out in the second one, at a multiple of the price. 0: it is a good chance.
	Crowded time.Duration
}

// Sent is the network's report that a downlink is on the air, or that a multicast
// frame has been through all gateways.
type Sent struct {
	ID      string // Downlink.ID
	At      time.Time
	FCnt    uint32        // multicast: the counter that the network used
	Airtime time.Duration // of all transmissions together; 0: not reported
}

// NotSent is the network's report that a downlink will not be sent.
type NotSent struct {
	ID     string
	Reason string
}

// Joined tells that a device (re)joined: groups and sessions in its RAM are gone.
type Joined struct{ DevEUI lorawan.EUI64 }

// TimerFired tells that Output.WakeAt has come. Early, late and repeated ones are harmless.
type TimerFired struct{}

// StopRequested stops the campaign and starts the clean-up of its devices. Repeated it does nothing.
type StopRequested struct{ By string }

// PauseRequested holds all sending until ResumeRequested. Answers still count.
type PauseRequested struct{ By string }

// ResumeRequested goes on after PauseRequested.
type ResumeRequested struct{ By string }

// ExtendRequested gives the campaign more time, and groups another session for the devices
// that miss fragments.
type ExtendRequested struct {
	By     string
	For    time.Duration   // that Spec.MaxDuration is longer from now on
	Groups []lorawan.EUI64 // none: all
}

// RedundancyRequested allows more coded fragments than planned, by a number or by a percentage
// of the block, whichever is more, and sends them to groups whose devices miss some.
type RedundancyRequested struct {
	By        string
	Fragments int
	Percent   float64
	Groups    []lorawan.EUI64 // none: all
}

// RetryRequested takes failed devices up again where they have failed.
type RetryRequested struct {
	By      string
	Devices []lorawan.EUI64 // none: all that have failed
	Kinds   []Reason        // that they have failed for; none: any
}

// ExcludeRequested takes devices out of the campaign for good, and cleans up on them.
type ExcludeRequested struct {
	By      string
	Devices []lorawan.EUI64
}

// PromoteRequested ends the time between two phases.
type PromoteRequested struct{ By string }

func (Start) String() string { return "start" }

func (in Heard) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "uplink %s FCnt %d FPort %d", in.DevEUI, in.FCnt, in.FPort)
	for _, c := range in.Commands {
		fmt.Fprintf(&b, " %v", c)
	}
	if in.Crowded > 0 {
		b.WriteString(" crowded")
	}
	return b.String()
}

func (in Sent) String() string           { return "sent " + in.ID }
func (in NotSent) String() string        { return fmt.Sprintf("not sent %s: %s", in.ID, in.Reason) }
func (in Joined) String() string         { return "join " + in.DevEUI.String() }
func (TimerFired) String() string        { return "timer" }
func (in StopRequested) String() string  { return "stop by " + in.By }
func (in PauseRequested) String() string { return "pause by " + in.By }

func (in ResumeRequested) String() string     { return "resume by " + in.By }
func (in ExtendRequested) String() string     { return fmt.Sprintf("extend for %s by %s", in.For, in.By) }
func (in RedundancyRequested) String() string { return "redundancy by " + in.By }
func (in RetryRequested) String() string      { return "retry by " + in.By }
func (in ExcludeRequested) String() string    { return "exclude by " + in.By }

func (in PromoteRequested) String() string { return "promote by " + in.By }

// Output is what must follow from an Input. It is stored whole before any of it is acted on.
type Output struct {
	Downlinks []Downlink // in sending order
	// FlushDevices and FlushGroups have queue entries at the network that must not go
	// out any more. They come before Downlinks.
	FlushDevices []lorawan.EUI64
	FlushGroups  []lorawan.EUI64
	Events       []Event   // for the timeline, the UI and webhooks
	Devices      []int     // indices of the devices whose state changed, ascending
	Groups       []int     // indices of the groups whose state changed, ascending
	WakeAt       time.Time // when to send the next TimerFired; zero: no timer
	Receipt      Receipt   // of an order of a person
}

// Downlink is a command, or several, on its way to a device or a multicast group.
type Downlink struct {
	ID       string        // 16 hexadecimal digits, unique over all campaigns; the network echoes it
	DevEUI   lorawan.EUI64 // zero for multicast
	Group    lorawan.EUI64 // zero for unicast
	FPort    uint8
	Payload  []byte // in clear; the network server encrypts
	Commands []lorawan.Command
	// Flush asks the network to drop what it still holds for the device: an older copy
	// of the same command must not follow this one.
	Flush   bool
	Attempt int // 1 for the first

	question bool // some device waits for its answer
}

// String returns one line: where to, the commands, and the attempt if it is not the first.
func (d Downlink) String() string {
	var b strings.Builder
	if d.Group.IsZero() {
		fmt.Fprintf(&b, "server -> %s ", d.DevEUI)
	} else {
		fmt.Fprintf(&b, "server => %s ", d.Group)
	}
	for i, c := range d.Commands {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, c)
	}
	if d.Attempt > 1 {
		fmt.Fprintf(&b, " try=%d", d.Attempt)
	}
	return b.String()
}

// Event is one line of the timeline: a change, why, and the frame or timer that caused it.
type Event struct {
	At     time.Time
	DevEUI lorawan.EUI64 // zero: not about one device
	Group  lorawan.EUI64 // zero: not about one group
	Code   string        // stable: "stage.opened", "device.passed", ... or a Reason
	Text   string        // for people
	Cause  string        // the Input, as it prints itself
}

// String returns code and text, and whom they are about.
func (e Event) String() string {
	who := "campaign"
	switch {
	case !e.DevEUI.IsZero():
		who = e.DevEUI.String()
	case !e.Group.IsZero():
		who = "group " + e.Group.String()
	}
	return fmt.Sprintf("%s: %s (%s)", who, e.Text, e.Code)
}
