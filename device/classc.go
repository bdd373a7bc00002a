package device

import (
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// setUpClassC accepts or refuses a class C window.
func (d *Device) setUpClassC(at time.Time, c multicast.McClassCSessionReq) *reply {
	s := mcSession{class: classC, frequency: c.DLFrequency, dr: c.DR}
	ans := d.accept(at, c.McGroupID, c.SessionTime, s, multicast.ClassCDuration(c.TimeOut))
	return d.sessionReply(ans, func(a multicast.McClassCSessionAns) lorawan.Command { return a })
}

// hearsClassC: in a class C session the receiver is open all the time, on one channel. If
// the sessions of two groups overlap, the lower McGroupID has the radio.
func (d *Device) hearsClassC(tx Transmission) bool {
	s := d.classCSession(tx.Start)
	return s != nil && s.frequency == tx.Frequency && s.dr == tx.DR
}

// inClassC reports whether a class C session is open at true time t.
func (d *Device) inClassC(t time.Time) bool { return d.classCSession(t) != nil }

func (d *Device) classCSession(t time.Time) *mcSession {
	shown := d.clock.read(t)
	for i := range d.groups {
		if s := &d.groups[i].session; s.class == classC && s.during(shown) {
			return s
		}
	}
	return nil
}
