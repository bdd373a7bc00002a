package device

import (
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// mcSession is the time in which a group is listened to, by the device's own clock: a
// clock that is wrong opens and closes it at the wrong time, and correcting the clock
// puts that right. The zero value is no session.
type mcSession struct {
	class       class
	start, end  time.Time // device clock
	frequency   uint32    // Hz; class B: 0 is the hopping ping channel
	dr          uint8
	periodicity uint8     // class B
	lockedAt    time.Time // class B, true time: when the beacon was found
}

type class uint8

const (
	noSession class = iota
	classC
	classB
)

// during reports whether the session is open when the device's clock shows t.
func (s *mcSession) during(t time.Time) bool {
	return s.class != noSession && !t.Before(s.start) && t.Before(s.end)
}

// accept checks a session request and stores it. It returns the answer, which is the
// same for both classes; TimeToStart is added when the answer is sent.
func (d *Device) accept(at time.Time, id uint8, sessionTime uint32, s mcSession, length time.Duration) multicast.McClassCSessionAns {
	shown := d.clock.read(at)
	s.start = lorawan.TimeFromGPS32(sessionTime, shown)
	s.end = s.start.Add(length)

	g := &d.groups[id]
	ans := multicast.McClassCSessionAns{
		McGroupID:        id,
		McGroupUndefined: !g.defined,
		DRError:          !d.cfg.Band.Usable(s.dr, lorawan.Downlink),
		FreqError:        !d.tunes(s, g.addr, at),
	}
	if s.start.Before(shown) {
		if d.cfg.Stack.PastIsUndefined {
			ans.McGroupUndefined = true
		} else {
			ans.StartMissed = true
		}
	}
	if ans.Refused() {
		return ans
	}
	if d.cfg.Stack.OneSessionTimer {
		for i := range d.groups {
			d.groups[i].session = mcSession{}
		}
	}
	g.session = s
	return ans
}

// tunes reports whether the radio can listen at the frequency of a session.
func (d *Device) tunes(s mcSession, addr lorawan.DevAddr, at time.Time) bool {
	if s.class == classB && s.frequency == 0 {
		return d.cfg.Band.PingSlotFrequency(addr, at) != 0
	}
	_, ok := d.cfg.Band.SubBand(s.frequency)
	return ok
}

// timeToStart returns whole seconds from now to the start of s, as the device sees them.
func (d *Device) timeToStart(start, now time.Time) uint32 {
	left := start.Sub(d.clock.read(now)).Round(time.Second) / time.Second
	return uint32(min(max(left, 0), multicast.TimeToStartMax))
}

// sessionReply makes the answer of either class.
func (d *Device) sessionReply(ans multicast.McClassCSessionAns, wrap func(multicast.McClassCSessionAns) lorawan.Command) *reply {
	if ans.Refused() {
		return say(wrap(ans))
	}
	start := d.groups[ans.McGroupID].session.start
	return &reply{command: func(now time.Time, _ int) lorawan.Command {
		ans.TimeToStart = d.timeToStart(start, now)
		return wrap(ans)
	}}
}

// endSessions leaves all multicast sessions.
func (d *Device) endSessions() {
	for i := range d.groups {
		d.groups[i].session = mcSession{}
	}
}
