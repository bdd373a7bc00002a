package device

import (
	"math"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
)

// timeSync is the state of TS003 on the device.
type timeSync struct {
	token    uint8 // TokenReq; counts processed answers, mod 16
	synced   bool  // an answer was processed since boot
	interval time.Duration
	patience time.Duration // until an unanswered first request is repeated
	forced   int           // requests that ForceDeviceResyncReq still wants
}

const (
	firstRequest   = time.Minute // after boot, at most
	resyncSpacing  = 10 * time.Second
	defaultSyncing = 24 * time.Hour // Zephyr; LoRa Basics Modem has 36 h
)

// startTimeSync begins the life of the clock after boot: it asks for the time soon.
func (d *Device) startTimeSync(now time.Time) {
	if d.cfg.Packages.ClockSync == 0 {
		return
	}
	d.sync.interval = d.cfg.Stack.TimeSyncInterval
	if d.sync.interval <= 0 {
		d.sync.interval = defaultSyncing
	}
	d.sync.patience = clocksync.AppTimeInterval(0)
	d.askTimeAt(now.Add(d.within(soonest, firstRequest)))
}

func (d *Device) askTimeAt(at time.Time) {
	d.agenda.set(errand{what: timeRequest}, at, d.askTime)
}

// askTime posts AppTimeReq and plans the next one. Until the first correction an answer
// is required and the request is repeated, ever more rarely.
func (d *Device) askTime(now time.Time) {
	s := &d.sync
	required := !s.synced || s.forced > 0
	switch {
	case s.forced > 1:
		s.forced--
		d.askTimeAt(now.Add(d.within(resyncSpacing, 2*resyncSpacing)))
	case !s.synced && s.patience < s.interval:
		s.forced = 0
		d.askTimeAt(now.Add(s.patience))
		s.patience *= 2
	default:
		s.forced = 0
		d.askTimeAt(now.Add(s.interval + d.within(-clocksync.AppTimeJitter, clocksync.AppTimeJitter)))
	}
	if d.cfg.Behaviour.Silent || d.cfg.Stack.QuietInClassC && d.inClassC(now) {
		return
	}
	d.post(message{
		at: now, fport: d.cfg.Ports.Of(lorawan.ClockSync), topic: errand{what: timeRequest},
		make: func(now time.Time, _ int) []byte {
			return encode(clocksync.AppTimeReq{
				DeviceTime:  lorawan.GPSSeconds32(d.clock.read(now)),
				TokenReq:    s.token,
				AnsRequired: required,
			}, d.cfg.Packages.ClockSync)
		},
	})
}

// takeTime processes AppTimeAns. An answer with another token is one to an older
// request: its correction was made already.
func (d *Device) takeTime(at time.Time, c clocksync.AppTimeAns) {
	s := &d.sync
	if c.TokenAns != s.token || d.cfg.Behaviour.IgnoresTime {
		return
	}
	s.token = (s.token + 1) & 0x0f
	s.synced, s.forced = true, 0
	d.clock.correct(time.Duration(c.TimeCorrection) * time.Second)
	d.clockChanged(at)

	next := at.Add(s.interval + d.within(-clocksync.AppTimeJitter, clocksync.AppTimeJitter))
	if clamped := c.TimeCorrection == math.MaxInt32 || c.TimeCorrection == math.MinInt32; clamped && d.cfg.Packages.ClockSync >= lorawan.V2 {
		s.synced = false // there is more to correct: TS003-2.0.0 wants another request
		next = at.Add(d.within(soonest, resyncSpacing))
	}
	d.withdraw(errand{what: timeRequest})
	d.askTimeAt(next)
}

func (d *Device) setPeriodicity(at time.Time, c clocksync.DeviceAppTimePeriodicityReq) *reply {
	if !d.cfg.Stack.NoPeriodicity {
		d.sync.interval = clocksync.AppTimeInterval(c.Period)
		d.askTimeAt(at.Add(d.sync.interval + d.within(-clocksync.AppTimeJitter, clocksync.AppTimeJitter)))
	}
	return &reply{command: func(now time.Time, _ int) lorawan.Command {
		return clocksync.DeviceAppTimePeriodicityAns{
			NotSupported: d.cfg.Stack.NoPeriodicity,
			Time:         lorawan.GPSSeconds32(d.clock.read(now)),
		}
	}}
}

// resync has no answer: the AppTimeReq is the answer. Zero transmissions are none.
func (d *Device) resync(at time.Time, c clocksync.ForceDeviceResyncReq) {
	if c.NbTransmissions == 0 {
		return
	}
	d.sync.forced = int(c.NbTransmissions)
	d.withdraw(errand{what: timeRequest})
	d.askTimeAt(at.Add(d.answerTime()))
}

// clockChanged moves what was planned by the device's clock. Multicast sessions look at
// the clock all the time and need no move.
func (d *Device) clockChanged(now time.Time) {
	if t := d.firmware.rebootTime; !t.IsZero() {
		d.agenda.set(errand{what: reboot}, latest(now, d.clock.when(t)), d.reboot)
	}
}
