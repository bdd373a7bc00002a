package device

import (
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// origin tells where a frame came from.
type origin struct {
	multicast bool
	group     uint8 // McGroupID, if multicast
}

// reply is the answer to one command, to be made when it is sent.
type reply struct {
	delay time.Duration // beyond the second or two that any answer takes
	topic errand        // unnamed: as many as there are commands

	// command may return nil: nothing to say any more.
	command func(now time.Time, room int) lorawan.Command
}

// say is a reply that does not depend on when it is sent.
func say(c lorawan.Command) *reply {
	return &reply{command: func(time.Time, int) lorawan.Command { return c }}
}

// An answer takes this long: the device wakes up, does what was asked and waits for its
// receive windows to pass.
const (
	soonest = 1 * time.Second
	soon    = 3 * time.Second
)

// dispatch carries the payload of one frame to its package and puts the answers into
// the outbox.
func (d *Device) dispatch(at time.Time, id lorawan.PackageID, from origin, payload []byte) {
	if from.multicast && id != lorawan.Fragmentation {
		return // no other package has commands that may be multicast
	}
	if id == lorawan.MultiPackage {
		d.takeMultiPackage(at, payload)
		return
	}
	cmds, err := d.parse(id, from, payload)
	if err != nil && d.cfg.Stack.DropsOnUnknown {
		return
	}
	d.batches++
	ready := at.Add(d.answerTime())
	for i, c := range cmds {
		if i > 0 && c.CID() == (fragmentation.DataFragment{}).CID() && id == lorawan.Fragmentation {
			return // it must be alone, because its length is that of the frame
		}
		if r := d.execute(at, id, from, c); r != nil {
			d.answer(id, ready, *r)
		}
	}
}

// answerTime returns how long the answers to one downlink take.
func (d *Device) answerTime() time.Duration {
	return d.within(soonest, soon) + d.cfg.Behaviour.AnswerDelay
}

// answer posts one reply on the FPort of its package.
func (d *Device) answer(id lorawan.PackageID, ready time.Time, r reply) {
	if d.cfg.Behaviour.Silent {
		return
	}
	version := d.cfg.Packages.Of(id)
	d.post(message{
		at: ready.Add(r.delay), fport: d.cfg.Ports.Of(id), topic: r.topic,
		batch: d.batches, limit: d.cfg.Stack.MaxAnswer[id],
		make: func(now time.Time, room int) []byte { return encode(r.command(now, room), version) },
	})
}

// encode returns the bytes of c, none if c is nil.
func encode(c lorawan.Command, v lorawan.Version) []byte {
	if c == nil {
		return nil
	}
	b, err := c.Append(nil, v)
	if err != nil {
		panic("device: " + err.Error()) // the device made it up itself, in range
	}
	return b
}

// parse cuts a payload into commands. An error, ErrUnknownCID among them, ends the list.
func (d *Device) parse(id lorawan.PackageID, from origin, payload []byte) (cmds []lorawan.Command, err error) {
	v := d.cfg.Packages.Of(id)
	if from.multicast && d.cfg.Crowd != nil {
		cmds, err = d.cfg.Crowd.parse(id, v)
	} else {
		cmds, err = parseDownlink(id, v, payload)
	}
	for i, c := range cmds {
		if !d.implements(c) {
			return cmds[:i], lorawan.ErrUnknownCID
		}
	}
	return cmds, err
}

// parseDownlink is the codec of a package.
func parseDownlink(id lorawan.PackageID, v lorawan.Version, payload []byte) (cmds []lorawan.Command, err error) {
	switch id {
	case lorawan.ClockSync:
		cmds, err = clocksync.ParseDownlink(v, payload)
	case lorawan.McSetup:
		cmds, err = multicast.ParseDownlink(v, payload)
	case lorawan.Fragmentation:
		cmds, err = fragmentation.ParseDownlink(v, payload)
	case lorawan.FirmwareMgmt:
		cmds, err = firmware.ParseDownlink(v, payload)
	}
	return cmds, err
}

// implements reports whether the stack knows a command of its package version at all.
func (d *Device) implements(c lorawan.Command) bool {
	switch c.(type) {
	case multicast.McGroupStatusReq:
		return !d.cfg.Stack.NoGroupStatus
	case multicast.McClassBSessionReq:
		return d.cfg.ClassB
	case multicast.McClassCSessionReq:
		return d.cfg.ClassC
	case firmware.DevRebootCountdownReq:
		return !d.cfg.Stack.NoCountdown
	}
	return true
}

// execute carries out one command and returns its answer, nil if it has none.
func (d *Device) execute(at time.Time, id lorawan.PackageID, from origin, c lorawan.Command) *reply {
	switch c := c.(type) {
	case fragmentation.DataFragment:
		d.takeFragment(at, from, c)
		return nil
	case fragmentation.FragSessionStatusReq:
		return d.fragStatus(c, from)
	}
	if from.multicast {
		return nil // dropped silently: only the two above may be multicast
	}
	switch c := c.(type) {
	case lorawan.PackageVersionReq:
		return say(lorawan.PackageVersionAns{PackageIdentifier: id, PackageVersion: d.cfg.Packages.Of(id)})

	case clocksync.AppTimeAns:
		d.takeTime(at, c)
	case clocksync.DeviceAppTimePeriodicityReq:
		return d.setPeriodicity(at, c)
	case clocksync.ForceDeviceResyncReq:
		d.resync(at, c)

	case multicast.McGroupStatusReq:
		return d.groupStatus(c)
	case multicast.McGroupSetupReq:
		return d.setUpGroup(c)
	case multicast.McGroupDeleteReq:
		return d.deleteGroup(c)
	case multicast.McClassCSessionReq:
		return d.setUpClassC(at, c)
	case multicast.McClassBSessionReq:
		return d.setUpClassB(at, c)

	case fragmentation.FragSessionSetupReq:
		return d.setUpFragSession(c)
	case fragmentation.FragSessionDeleteReq:
		return d.deleteFragSession(c)
	case fragmentation.FragDataBlockReceivedAns:
		d.stopAnnouncing(c.FragIndex)

	case firmware.DevVersionReq:
		return d.devVersion()
	case firmware.DevRebootTimeReq:
		return d.rebootTime(at, c)
	case firmware.DevRebootCountdownReq:
		return d.rebootCountdown(at, c)
	case firmware.DevUpgradeImageReq:
		return d.upgradeImage()
	case firmware.DevDeleteImageReq:
		return d.deleteImage(c)
	}
	return nil
}
