package device

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// noSessionCnt is what a device remembers that never had a fragment.
var noSessionCnt = [maxSlots]int{-1, -1, -1, -1}

// Device is one end-device. All times in and out of it are true time; its own clock,
// which is wrong, stays inside. It is not safe for concurrent use.
type Device struct {
	cfg Config
	rng *rand.Rand
	now time.Time // the last instant it lived through

	agenda  agenda
	outbox  []message
	batches int // downlinks that were answered

	radio    radio
	unicast  *lorawan.Session
	fcntUp   uint32 // next counter
	fcntDown uint32 // lowest counter still acceptable
	ack      bool   // a confirmed downlink waits for its acknowledgement

	uplinkPlan time.Time // of the next application uplink, before jitter
	bootedAt   time.Time // until then it neither hears nor sends

	clock clock
	sync  timeSync

	mcKEKey  lorawan.AES128Key
	blockKey lorawan.AES128Key // DataBlockIntKey
	groups   [maxSlots]group

	frags    [maxSlots]*fragSession
	youngest *fragSession
	lastCnt  [maxSlots]int // SessionCnt committed last, -1: none

	block    []byte // the last complete block
	firmware runningFirmware

	answers  answerBuffer
	counters Counters
}

// Format prints "device" and the DevEUI under every verb: what is inside has keys.
func (d *Device) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "device %s", d.cfg.DevEUI) }

// New switches a device on at cfg.Start.
func New(cfg Config) *Device {
	d := &Device{
		cfg:     cfg,
		rng:     rand.New(rand.NewPCG(cfg.Seed, binary.BigEndian.Uint64(cfg.DevEUI[:]))),
		now:     cfg.Start,
		unicast: cfg.UnicastSession(),
		lastCnt: noSessionCnt,
	}
	d.deriveKeys()
	d.firmware.version, d.firmware.image = cfg.Firmware, cfg.Image
	d.clock = d.factoryClock()
	if cfg.UplinkPeriod > 0 {
		d.uplinkPlan = cfg.Start.Add(time.Duration(d.rng.Int64N(int64(cfg.UplinkPeriod))))
		d.agenda.set(errand{what: applicationUplink}, d.uplinkPlan, d.sendApplication)
	}
	if at := cfg.Behaviour.ResetAt; !at.IsZero() {
		d.agenda.set(errand{what: reset}, at, d.reset)
	}
	d.startTimeSync(cfg.Start)
	return d
}

func (d *Device) deriveKeys() {
	if d.cfg.LoRaWAN11 {
		d.mcKEKey = multicast.McKEKey(multicast.McRootKey11(d.cfg.RootKey))
		d.blockKey = fragmentation.DataBlockIntKey11(d.cfg.RootKey)
		return
	}
	d.mcKEKey = multicast.McKEKey(multicast.McRootKey10(d.cfg.RootKey))
	d.blockKey = fragmentation.DataBlockIntKey10(d.cfg.RootKey)
}

func (d *Device) factoryClock() clock {
	return clock{start: d.cfg.Start, offset: d.cfg.ClockOffset, drift: d.cfg.ClockDriftPPM * 1e-6}
}

// NextWake returns the true time of the next thing the device will do by itself; zero:
// never. It changes after every Wake and Receive. Waking a device late or for nothing
// does no harm.
func (d *Device) NextWake() time.Time {
	next := d.agenda.next()
	if i := d.nextMessage(); i >= 0 {
		next = earliest(next, latest(d.outbox[i].at, d.radio.freeAt, d.radio.dutyAt))
	}
	return next
}

// Wake does everything that is due at now and returns the frames whose transmission
// begins at now: one at most, because there is one radio.
func (d *Device) Wake(now time.Time) []Uplink {
	d.now = latest(d.now, now)
	for {
		p, ok := d.agenda.due(now)
		if !ok {
			break
		}
		p.run(now)
	}
	if now.Before(d.radio.freeAt) || now.Before(d.radio.dutyAt) {
		return nil
	}
	up, ok := d.transmit(now)
	if !ok {
		return nil
	}
	return []Uplink{up}
}

// Uplink is a frame that the device transmits.
type Uplink struct {
	PHYPayload []byte
	DR         uint8
	Frequency  uint32 // Hz; 0 in CN470, whose channels the network decides
}

// Transmission is a downlink as a receiver finds it on the air.
type Transmission struct {
	Frequency uint32 // Hz
	DR        uint8
	Start     time.Time
	Airtime   time.Duration
}

// Receive takes a frame that arrived whole; at is its end. Answers come out of a later
// Wake. Frames for others, wrong frames and frames with nonsense inside change nothing
// but a counter. Whether the receiver was open is a question for Hears.
func (d *Device) Receive(at time.Time, phy []byte) {
	d.now = latest(d.now, at)
	if at.Before(d.bootedAt) {
		return
	}
	from, frame, ok := d.open(phy)
	if !ok {
		return
	}
	d.counters.Downlinks++
	if len(frame.FRMPayload) == 0 {
		return
	}
	id, ok := d.cfg.packageAt(frame.FPort)
	if !ok {
		return
	}
	d.dispatch(at, id, from, frame.FRMPayload)
}

// open finds the session of a frame and decrypts it.
func (d *Device) open(phy []byte) (origin, lorawan.DataFrame, bool) {
	addr, err := lorawan.FrameAddr(phy)
	if err != nil {
		return origin{}, lorawan.DataFrame{}, false
	}
	if addr == d.cfg.DevAddr {
		frame, err := d.unicast.Open(phy, d.fcntDown)
		if err != nil || frame.Direction != lorawan.Downlink {
			d.counters.Rejected++
			return origin{}, frame, false
		}
		d.fcntDown = frame.FCnt + 1
		d.ack = d.ack || frame.Confirmed
		return origin{}, frame, true
	}
	ours := false
	for id := range d.groups {
		g := &d.groups[id]
		if !g.defined || g.addr != addr {
			continue
		}
		if frame, err := g.open(phy, d.cfg.Crowd); err == nil {
			return origin{multicast: true, group: uint8(id)}, frame, true
		}
		ours = true // but another group may have the same address and the right key
	}
	if ours {
		d.counters.Rejected++
	}
	return origin{}, lorawan.DataFrame{}, false
}

// sendApplication is what the device is there for: a small payload that nobody looks at
// here. The schedule does not shift with the jitter of one uplink.
func (d *Device) sendApplication(now time.Time) {
	d.uplinkPlan = d.uplinkPlan.Add(d.cfg.UplinkPeriod)
	for !d.uplinkPlan.After(now) {
		d.uplinkPlan = d.uplinkPlan.Add(d.cfg.UplinkPeriod)
	}
	at := d.uplinkPlan.Add(d.within(-d.cfg.UplinkJitter, d.cfg.UplinkJitter))
	if !at.After(now) {
		at = d.uplinkPlan // jitter beyond the period
	}
	d.agenda.set(errand{what: applicationUplink}, at, d.sendApplication)
	d.post(message{
		at: now, fport: applicationPort, topic: errand{what: applicationUplink},
		make: func(time.Time, int) []byte {
			return binary.LittleEndian.AppendUint32([]byte{0x01}, d.fcntUp)
		},
	})
}

// applicationPort is the FPort of the application of every device here.
const applicationPort = 10

// within returns a random duration between lo and hi.
func (d *Device) within(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(d.rng.Int64N(int64(hi-lo)+1))
}
