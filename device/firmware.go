package device

import (
	"math/bits"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

// devVersion answers DevVersionReq.
func (d *Device) devVersion() *reply {
	return say(firmware.DevVersionAns{FWVersion: d.firmware.version, HWVersion: d.cfg.HWVersion})
}

// rebootTime plans a reboot by the device's clock, or cancels one. A reboot at once has
// no answer: the device is gone before it could give one.
func (d *Device) rebootTime(at time.Time, c firmware.DevRebootTimeReq) *reply {
	switch c.RebootTime {
	case firmware.RebootCancel:
		d.cancelReboot()
		return say(firmware.DevRebootTimeAns{RebootTime: firmware.RebootCancel})
	case firmware.RebootNow:
		return d.rebootNow(at)
	}
	left := d.untilReboot(at, c.RebootTime)
	if left <= 0 {
		return say(firmware.DevRebootTimeAns{RebootTime: 0}) // past, or the clock is wrong
	}
	d.planReboot(at.Add(left))
	if !d.cfg.Stack.RebootTimeIsUnix {
		d.firmware.rebootTime = lorawan.TimeFromGPS32(c.RebootTime, d.clock.read(at))
		d.clockChanged(at)
	}
	if d.cfg.Stack.EchoesRebootTime {
		return say(firmware.DevRebootTimeAns(c)) // the same four bytes back
	}
	return d.whenRebooting(func(seconds uint32) lorawan.Command {
		return firmware.DevRebootTimeAns{RebootTime: min(seconds, firmware.RebootCancel-1)}
	})
}

// untilReboot returns how long it is to an absolute RebootTime, as the device sees it.
func (d *Device) untilReboot(at time.Time, rebootTime uint32) time.Duration {
	shown := d.clock.read(at)
	if d.cfg.Stack.RebootTimeIsUnix {
		return time.Duration(rebootTime-uint32(shown.Unix())) * time.Second
	}
	return lorawan.TimeFromGPS32(rebootTime, shown).Sub(shown)
}

// rebootCountdown plans a reboot a while from now, or cancels one. The clock plays no part.
func (d *Device) rebootCountdown(at time.Time, c firmware.DevRebootCountdownReq) *reply {
	switch c.Countdown {
	case firmware.CountdownCancel:
		d.cancelReboot()
		return say(firmware.DevRebootCountdownAns{Countdown: firmware.CountdownCancel})
	case firmware.CountdownNow:
		return d.rebootNow(at)
	}
	d.planReboot(at.Add(time.Duration(c.Countdown) * time.Second))
	return d.whenRebooting(func(seconds uint32) lorawan.Command {
		return firmware.DevRebootCountdownAns{Countdown: min(seconds, firmware.CountdownCancel-1)}
	})
}

// rebootNow reboots in silence, or, on a stack that answers, as soon as there is a
// valid image and the answer is out.
func (d *Device) rebootNow(at time.Time) *reply {
	if !d.cfg.Stack.AnswersRebootNow {
		d.planReboot(at)
		return nil
	}
	d.forgetReboot()
	if d.firmware.next.status == firmware.ImageValid {
		d.planReboot(at.Add(soon + d.cfg.Behaviour.AnswerDelay + 10*time.Second))
	} else {
		d.firmware.whenValid = true
	}
	return say(firmware.DevRebootTimeAns{RebootTime: firmware.RebootNow})
}

// planReboot makes at the one planned reboot.
func (d *Device) planReboot(at time.Time) {
	d.forgetReboot()
	d.agenda.set(errand{what: reboot}, at, d.reboot)
}

// cancelReboot also keeps a device that reboots by itself from doing so.
func (d *Device) cancelReboot() {
	d.forgetReboot()
	d.firmware.held = true
}

func (d *Device) forgetReboot() {
	d.agenda.cancel(errand{what: reboot})
	d.agenda.cancel(errand{what: automaticReboot})
	d.firmware.rebootTime = time.Time{}
	d.firmware.held, d.firmware.whenValid = false, false
}

// whenRebooting makes an answer from the seconds that are left when it is sent. It says
// nothing if the plan was dropped meanwhile.
func (d *Device) whenRebooting(ans func(seconds uint32) lorawan.Command) *reply {
	return &reply{command: func(now time.Time, _ int) lorawan.Command {
		at := d.agenda.when(errand{what: reboot})
		if at.IsZero() {
			return nil
		}
		seconds := at.Sub(now).Round(time.Second) / time.Second
		return ans(uint32(min(max(seconds, 1), 1<<32-1))) // 0 would be a refusal
	}}
}

// upgradeImage answers DevUpgradeImageReq.
func (d *Device) upgradeImage() *reply {
	next := d.firmware.next
	ans := firmware.DevUpgradeImageAns{UpImageStatus: next.status}
	if next.status == firmware.ImageValid && !d.cfg.Stack.NoImageVersion {
		ans.NextFirmwareVersion = next.version
	}
	return say(ans)
}

// deleteImage forgets the waiting image. The release candidate does not look at the version.
func (d *Device) deleteImage(c firmware.DevDeleteImageReq) *reply {
	next := d.firmware.next
	var ans firmware.DevDeleteImageAns
	switch {
	case next.status != firmware.ImageValid:
		ans.ErrorNoValidImage = true
	case next.version != c.FirmwareToDeleteVersion && d.cfg.Stack.FirmwareDialect != RC1:
		ans.ErrorInvalidVersion = true
	default:
		d.firmware.next = nextImage{}
		d.firmware.held, d.firmware.whenValid = false, false
		d.agenda.cancel(errand{what: automaticReboot})
	}
	return say(ans)
}

// bootTime is how long a reboot takes at least.
const bootTime = 2 * time.Second

// After boot the release candidate reports the version unasked, after this long.
const (
	reportSoonest = 16 * time.Second
	reportLatest  = 128 * time.Second
)

// reboot installs a valid image and starts anew.
func (d *Device) reboot(now time.Time) {
	duration := bootTime
	if d.firmware.next.status == firmware.ImageValid {
		losses := d.install()
		duration += d.cfg.FlashTime + time.Duration(losses)*bootTime
		d.counters.Reboots += losses
	}
	d.restart(now, duration)
}

// reset is a reboot that nobody asked for: a watchdog, a battery. Nothing is installed.
func (d *Device) reset(now time.Time) {
	d.agenda.cancel(errand{what: reset})
	d.restart(now, bootTime)
}

// restart loses what is in RAM. Frame counters are in flash, as a session that is
// activated by personalisation needs them to be.
func (d *Device) restart(now time.Time, duration time.Duration) {
	d.counters.Reboots++
	d.bootedAt = now.Add(duration)
	d.radio = radio{freeAt: d.bootedAt, spent: d.radio.spent}
	d.outbox = nil
	d.ack = false
	d.agenda.keep(applicationUplink, reset)
	if !d.cfg.Stack.KeepsState {
		clear(d.groups[:])
		clear(d.frags[:])
		d.youngest = nil
		d.clock = d.factoryClock()
		d.firmware.next = nextImage{}
	}
	d.sync = timeSync{}
	d.answers = answerBuffer{}
	d.firmware.rebootTime = time.Time{}
	d.firmware.held, d.firmware.whenValid = false, false
	if d.cfg.Stack.SessionCntInRAM {
		d.lastCnt = noSessionCnt
	}
	d.agenda.set(errand{what: boot}, d.bootedAt, d.boot)
}

// boot is the first moment of a new life.
func (d *Device) boot(now time.Time) {
	d.startTimeSync(now)
	if d.cfg.Packages.FirmwareMgmt == 0 || d.cfg.Stack.FirmwareDialect != RC1 || d.cfg.Behaviour.Silent {
		return
	}
	d.post(message{
		at: now.Add(d.within(reportSoonest, reportLatest)), fport: d.cfg.Ports.Of(lorawan.FirmwareMgmt),
		make: func(time.Time, int) []byte {
			ans := firmware.DevVersionAns{FWVersion: d.firmware.version, HWVersion: d.cfg.HWVersion}
			if d.cfg.Stack.SwapsBootVersion {
				ans.FWVersion = bits.ReverseBytes32(ans.FWVersion)
			}
			return encode(ans, d.cfg.Packages.FirmwareMgmt)
		},
	})
}
