package device

import (
	"time"

	"github.com/starling-fuota/starling/lorawan/firmware"
)

// Status is what a test or a report wants to know and no command tells.
type Status struct {
	Now        time.Time     // true time of the last Wake or Receive
	ClockError time.Duration // device clock minus true time then

	FCntUp     uint32 // counter of the next uplink
	Groups     int    // multicast groups defined
	McSessions int    // multicast sessions accepted and not over

	FragSession     bool // a fragmentation session exists; what follows is of the youngest
	NbFrag          int
	FragmentsNeeded int  // independent fragments still missing
	Complete        bool // the decoder is done
	MICError        bool // and the MIC of the block is wrong

	ImageStatus firmware.ImageStatus
	Refusal     error     // why the last block that was firmware was refused, nil if it was not: no command tells
	RebootAt    time.Time // of a planned reboot, else zero

	Counters
}

// Counters count since Start.
type Counters struct {
	FragmentsHeard int           // DataFragment commands that a session took
	Reboots        int           // resets and reboots
	Uplinks        int           // frames sent
	Downlinks      int           // frames accepted, unicast and multicast
	Rejected       int           // frames with an address of the device, but a wrong MIC or counter
	Airtime        time.Duration // of all uplinks
}

// Counters returns the counters of Status, which costs less than all of it.
func (d *Device) Counters() Counters { return d.counters }

// Complete tells if the youngest fragmentation session has its block: Complete of Status, which costs
// less than all of it.
func (d *Device) Complete() bool { return d.session() != nil && d.youngest.complete }

// session returns the youngest fragmentation session, nil if it exists no more.
func (d *Device) session() *fragSession {
	if f := d.youngest; f != nil && d.frags[f.req.FragIndex] == f {
		return f
	}
	return nil
}

// Status returns the device's present state.
func (d *Device) Status() Status {
	s := Status{Now: d.now, Counters: d.counters}
	shown := d.clock.read(d.now)
	s.ClockError = shown.Sub(d.now)
	s.FCntUp = d.fcntUp
	for i := range d.groups {
		g := &d.groups[i]
		if g.defined {
			s.Groups++
		}
		if g.session.class != noSession && shown.Before(g.session.end) {
			s.McSessions++
		}
	}
	if f := d.session(); f != nil {
		s.FragSession = true
		s.NbFrag = f.dec.NbFrag()
		s.FragmentsNeeded = f.dec.Needed()
		s.Complete = f.complete
		s.MICError = f.micError
	}
	s.ImageStatus, s.Refusal = d.firmware.next.status, d.firmware.refusal
	s.RebootAt = earliest(d.agenda.when(errand{what: reboot}), d.agenda.when(errand{what: automaticReboot}))
	return s
}
