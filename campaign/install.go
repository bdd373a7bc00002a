package campaign

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

// countdown is what a device gets between the command and its reboot. The default is enough for
// the answer to go out; with none there is no answer.
func (c *Campaign) countdown() time.Duration {
	if c.spec.Schedule.Reboot == fleet.RebootNow {
		return 0
	}
	return c.spec.Schedule.WithDefaults().RebootCountdown
}

// maxMismatches is how often a device may report another version before we believe it:
// a first report can come from before the reboot.
const maxMismatches = 3

func (t *Traits) dialect() firmware.Dialect {
	if t.FirmwareDialect == fleet.TS006RC1 {
		return firmware.ReleaseCandidate
	}
	return firmware.Standard
}

// rebootTimeReq sets the reboot time that the operator chose.
func (c *Campaign) rebootTimeReq(int) (lorawan.PackageID, []lorawan.Command, verdict) {
	if !c.now.Before(c.spec.RebootAt) {
		return 0, nil, verdict{kind: refused, reason: ReasonRebootRefused, text: fmt.Sprintf("the reboot time %s has passed", c.spec.RebootAt.Format(time.RFC3339))}
	}
	return lorawan.FirmwareMgmt, []lorawan.Command{firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(c.spec.RebootAt)}}, verdict{}
}

// upgradeImageReq asks what the device thinks of the image it has received.
func (c *Campaign) upgradeImageReq() (lorawan.PackageID, []lorawan.Command, verdict) {
	return lorawan.FirmwareMgmt, []lorawan.Command{firmware.DevUpgradeImageReq{}}, verdict{}
}

// rebootReq has the device reboot into its new image. If the answer to that is lost, the
// next two questions are which version runs: a second countdown would reboot it twice, and
// take with it the answer of a device that is slow to give one.
func (c *Campaign) rebootReq(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	if d := &c.devices[i]; !d.RebootAt.IsZero() && d.Attempts%3 != 0 {
		return c.versionReq()
	}
	at := c.now.Add(c.traits(i).UplinkPeriod + c.countdown())
	c.change(i, func(d *Device) { d.RebootAt = at })
	if c.traits(i).FirmwareDialect == fleet.TS006RC1 {
		// Devices on the release candidate may not know the countdown.
		req := firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(at)}
		if c.countdown() == 0 {
			req.RebootTime = firmware.RebootNow
		}
		return lorawan.FirmwareMgmt, []lorawan.Command{req}, verdict{}
	}
	return lorawan.FirmwareMgmt, []lorawan.Command{c.countdownReq()}, verdict{}
}

func (c *Campaign) countdownReq() firmware.DevRebootCountdownReq {
	return firmware.DevRebootCountdownReq{Countdown: uint32(c.countdown() / time.Second)}
}

// versionReq asks which firmware runs.
func (c *Campaign) versionReq() (lorawan.PackageID, []lorawan.Command, verdict) {
	return lorawan.FirmwareMgmt, []lorawan.Command{firmware.DevVersionReq{}}, verdict{}
}

// beginVersion gives device i time to reboot before it is asked. Many announce their
// version by themselves, and then need not be asked at all.
func (c *Campaign) beginVersion(i int) {
	if c.manual(i) {
		c.beginManual(i)
		return
	}
	at := c.now
	switch {
	case !c.spec.RebootAt.IsZero():
		at = c.spec.RebootAt
	case c.traits(i).RebootsItself:
		at = at.Add(answerSpread(c.lane(i)))
	default:
		at = c.devices[i].RebootAt
	}
	if at.Before(c.now) {
		at = c.now
	}
	c.becomeHolding(i, at.Add(c.spec.Policy.FlashTime))
}

// onRebootTimeAns judges the answer to a reboot time, whichever stage set it.
func (c *Campaign) onRebootTimeAns(i int, in Heard, ans firmware.DevRebootTimeAns) verdict {
	d, t := &c.devices[i], c.traits(i)
	if !c.outstanding(i) {
		return verdict{}
	}
	accepts := func(rebootTime uint32) bool {
		return firmware.RebootAnsAccepts(ans, firmware.DevRebootTimeReq{RebootTime: rebootTime}, in.At, t.TimeTolerance+answerMargin, t.dialect())
	}
	switch d.Stage {
	case StageCancelReboot:
		if accepts(firmware.RebootCancel) {
			c.change(i, func(d *Device) { d.RebootSet = false })
			return verdict{kind: passed}
		}
	case StageRebootTime, StageReboot:
		at := c.spec.RebootAt
		if d.Stage == StageReboot {
			at = d.RebootAt
		}
		if accepts(lorawan.GPSSeconds32(at)) {
			c.change(i, func(d *Device) { d.RebootSet, d.RebootAt = true, at })
			return verdict{kind: passed}
		}
		return verdict{kind: refused, reason: ReasonRebootRefused, text: fmt.Sprintf("asked to reboot at %s, the device says %s: its clock may be wrong", at.Format(time.RFC3339), ans)}
	}
	return verdict{}
}

// onRebootCountdownAns judges the answer to a countdown.
func (c *Campaign) onRebootCountdownAns(i int, ans firmware.DevRebootCountdownAns) verdict {
	d := &c.devices[i]
	if d.Stage != StageReboot || !c.outstanding(i) {
		return verdict{}
	}
	// Who answers an immediate reboot, which it need not, has not refused it.
	if c.countdown() > 0 && !firmware.CountdownAnsAccepts(ans, c.countdownReq(), min(c.countdown(), time.Minute)) {
		return verdict{kind: refused, reason: ReasonRebootRefused, text: fmt.Sprintf("the device answers %s to a countdown of %s", ans, c.countdown())}
	}
	at := c.now.Add(c.countdown())
	c.change(i, func(d *Device) { d.RebootSet, d.RebootAt = true, at })
	return verdict{kind: passed}
}

// onUpgradeImageAns judges what the device thinks of its image.
func (c *Campaign) onUpgradeImageAns(i int, ans firmware.DevUpgradeImageAns) verdict {
	d := &c.devices[i]
	if d.Stage != StageUpgradeImage || !c.outstanding(i) {
		return verdict{}
	}
	switch ans.UpImageStatus {
	case firmware.ImageNone:
		return verdict{kind: refused, reason: ReasonImageNone, text: "the device has no image"}
	case firmware.ImageCorrupt:
		return verdict{kind: refused, reason: ReasonImageCorrupt, text: "the device says that the image is corrupt or its signature wrong"}
	case firmware.ImageForeign:
		return verdict{kind: refused, reason: ReasonImageHardware, text: "the device says that the image is for other hardware"}
	}
	if !firmware.ImageMatches(ans, c.spec.Firmware.Uint32(), c.traits(i).dialect()) {
		return verdict{kind: refused, reason: ReasonImageVersion, text: fmt.Sprintf("the device holds an image of version %s, not %s", c.spec.Firmware.With(ans.NextFirmwareVersion), c.spec.Firmware)}
	}
	return verdict{kind: passed}
}

// onVersionAns takes a version, asked for or announced after boot.
func (c *Campaign) onVersionAns(i int, ans firmware.DevVersionAns) verdict {
	d := &c.devices[i]
	c.change(i, func(d *Device) { d.Firmware = ans.FWVersion })
	if c.spec.Type != fleet.FOTACampaign || c.head.CleaningUp || d.Outcome == Stopping {
		return verdict{}
	}
	// While it is held, the device has answered, or may have rebooted: what it says now it says by itself.
	asked := c.outstanding(i) && d.Phase != PhaseHolding &&
		(d.Stage == StageVersion || d.Stage == StageReboot || d.Stage == StageStatus && c.mayHaveRebooted(i))
	if firmware.VersionMatches(ans, c.spec.Firmware.Uint32(), !asked, c.traits(i).dialect()) {
		return verdict{kind: verified, text: fmt.Sprintf("runs firmware %s", c.spec.Firmware)}
	}
	if !asked {
		c.toRightLane(i)
		return verdict{}
	}
	if c.manual(i) {
		return c.notYet(i, fmt.Sprintf("runs firmware %s, not %s", c.spec.Firmware.With(ans.FWVersion), c.spec.Firmware))
	}
	switch d.Stage {
	case StageReboot: // it has not rebooted: the countdown did not arrive
		c.change(i, func(d *Device) { d.RebootAt = time.Time{} })
		return verdict{kind: again}
	case StageStatus: // it has not rebooted: then it can say what it has
		return verdict{kind: again}
	}
	c.change(i, func(d *Device) { d.Mismatches++ })
	text := fmt.Sprintf("runs firmware %s, not %s", c.spec.Firmware.With(ans.FWVersion), c.spec.Firmware)
	if d.Mismatches >= maxMismatches || d.Attempts >= c.spec.Policy.Attempts() {
		return verdict{kind: refused, reason: ReasonVersionMismatch, text: text}
	}
	c.tellDevice(i, string(ReasonVersionMismatch), "%s; asked again later", text)
	return verdict{kind: hold, until: c.now.Add(c.traits(i).UplinkPeriod)}
}
