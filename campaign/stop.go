package campaign

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// A campaign that was stopped, or has failed, sends nothing more of its own, and undoes on
// every device what it has done there. A device that an operator excludes is cleaned up in
// the same way while the campaign goes on with the others:
//
//	reboot time set            DevRebootTimeReq 0xFFFFFFFF   reference server, stages 1..4
//	fragments were sent        DevDeleteImageReq             reference server, stages 5..6
//	fragmentation session set  FragSessionDeleteReq          ours: frees the decoder
//	multicast group set        McGroupDeleteReq              ours: ends the session at once
//
// A device that may already be installing (DevReboot, DevVersion) is left alone. The
// status is STOPPED or FAILED from the first moment; the answers that prove the clean-up
// come in while Header.CleaningUp is true.
var cleanUpStages = []Stage{StageCancelReboot, StageDeleteImage, StageDeleteSession, StageDeleteGroup}

// Reasons of devices that are cleaned up.
const (
	ReasonCleanUp  Reason = "cleanup.not_confirmed" // a stopped device did not confirm all of it
	ReasonExcluded Reason = "excluded.by_operator"
)

// stop ends a running campaign and starts the clean-up.
func (c *Campaign) stop(in StopRequested) {
	switch {
	case c.head.Status == fleet.Configured:
		c.head.Status, c.head.Reason, c.head.Ended = fleet.Stopped, ReasonStopped, c.now
		c.tell("campaign.stopped", "stopped by %s before it was started", in.By)
		c.endDevices(func(i int) {
			c.change(i, func(d *Device) { d.Outcome, d.Reason = Stopped, ReasonStopped })
		})
		return
	case c.head.Status != fleet.Running:
		return
	}
	c.head.Status, c.head.Reason, c.head.Detail = fleet.Stopped, ReasonStopped, "stopped by "+in.By
	c.head.Ended, c.head.Paused, c.head.Halted, c.head.CleaningUp = c.now, time.Time{}, Halt{}, true
	c.head.Interval = Interval{}
	c.becomeMoving()
	c.silenceGroups()
	c.tell("campaign.stopped", "stopped by %s: cleaning up", in.By)
	c.withdrawAll(ReasonStopped)
}

// withdrawAll withdraws every device that is not verified and not withdrawn yet.
func (c *Campaign) withdrawAll(reason Reason) {
	for i := range c.devices {
		if o := c.devices[i].Outcome; o == Active || o == Failed || o == Later {
			c.withdraw(i, reason)
		}
	}
}

// withdraw takes device i out of the campaign for a reason, none meaning the one that it has
// failed for, and starts its clean-up. One that may be installing is left alone.
func (c *Campaign) withdraw(i int, reason Reason) {
	d := &c.devices[i]
	if d.Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
	if c.at(d.Stage) > c.at(lastStageBeforeInstall(c.stages)) {
		switch {
		case reason == ReasonExcluded:
			c.tellDevice(i, "device.excluded", "left as it is: it may be installing")
			c.change(i, func(d *Device) { d.become(ExcludedByOperator, reason) })
		case d.Outcome == Active:
			c.change(i, func(d *Device) { d.become(Stopped, reason) })
		}
		return
	}
	c.mayHold(i)
	c.change(i, func(d *Device) {
		if reason == ReasonNone {
			reason = d.Reason
		}
		d.become(Stopping, reason)
		d.Attempts, d.Stage, d.Reached = 0, StageCancelReboot, d.Stage
	})
	c.tellDevice(i, "device.cleaning_up", "what the campaign has left on it is undone")
	c.beginCleanUp(i)
}

// become ends what the device is doing. Why it had failed before is kept.
func (d *Device) become(o Outcome, reason Reason) {
	if d.Outcome == Failed && reason != d.Reason {
		d.Was = d.Reason
	}
	d.Outcome, d.Reason, d.Phase, d.Frame, d.Deadline = o, reason, PhaseWaiting, "", time.Time{}
}

// mayHold marks what device i may hold although it has not said so: it was asked, and the
// answer may be lost; fragments were sent, and it may have heard them.
func (c *Campaign) mayHold(i int) {
	d := &c.devices[i]
	asked := d.Attempts > 0
	switch d.Stage {
	case StageMcGroupSetup:
		d.SetUp = d.SetUp || asked
		d.Session = d.Session || asked && c.setsUpTogether(i)
	case StageRebootTime:
		d.RebootSet = d.RebootSet || asked
	case StageFragSetup:
		d.Session = d.Session || asked
	}
	sent := c.laneState(i).High > 0 || d.Wave < c.head.Wave
	d.Block = c.spec.Type == fleet.FOTACampaign && (d.Block || d.Session && sent)
}

// lastStageBeforeInstall returns the last stage in which a device certainly still runs
// its old firmware.
func lastStageBeforeInstall(stages []Stage) Stage {
	last := stages[0]
	for _, s := range stages {
		if s == StageReboot || s == StageVersion {
			break
		}
		last = s
	}
	return last
}

// beginCleanUp starts with the first thing there is to undo on device i.
func (c *Campaign) beginCleanUp(i int) {
	for _, s := range cleanUpStages {
		if !c.skips(i, s) {
			c.change(i, func(d *Device) { d.Stage = s })
			c.begin(i)
			return
		}
	}
	c.becomeStopped(i, "nothing to clean up")
}

// cleanUpReq returns what undoes the stage of device i.
func (c *Campaign) cleanUpReq(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	switch c.devices[i].Stage {
	case StageCancelReboot:
		return lorawan.FirmwareMgmt, []lorawan.Command{firmware.DevRebootTimeReq{RebootTime: firmware.RebootCancel}}, verdict{}
	case StageDeleteImage:
		return lorawan.FirmwareMgmt, []lorawan.Command{firmware.DevDeleteImageReq{FirmwareToDeleteVersion: c.spec.Firmware.Uint32()}}, verdict{}
	case StageDeleteSession:
		return lorawan.Fragmentation, []lorawan.Command{fragmentation.FragSessionDeleteReq{FragIndex: c.lane(i).FragIndex}}, verdict{}
	default:
		return lorawan.McSetup, []lorawan.Command{multicast.McGroupDeleteReq{McGroupID: mcGroupID}}, verdict{}
	}
}

// onCleanUpAns takes any answer as proof: "there was nothing to delete" is as good as "deleted".
func (c *Campaign) onCleanUpAns(i int, s Stage) verdict {
	d := &c.devices[i]
	if d.Outcome != Stopping || d.Stage != s || !c.outstanding(i) {
		return verdict{}
	}
	return verdict{kind: passed}
}

// cleanUpFailed goes on with the next thing to undo: a device that cannot cancel its
// reboot may still be able to drop the group.
func (c *Campaign) cleanUpFailed(i int, text string) {
	d := &c.devices[i]
	c.tellDevice(i, string(ReasonCleanUp), "%s: %s", d.Stage, text)
	c.change(i, func(d *Device) { d.Unproven = true })
	c.moveOn(i)
}

// becomeStopped ends the clean-up of device i, which is back where the campaign had left it.
func (c *Campaign) becomeStopped(i int, text string) {
	d := &c.devices[i]
	outcome, reason, code := Stopped, d.Reason, "device.stopped"
	switch {
	case d.Reason == ReasonExcluded:
		outcome, code = ExcludedByOperator, "device.excluded"
	case c.head.Status == fleet.Failed:
		outcome, code = Failed, "device.cleaned_up"
	case d.Unproven:
		reason = ReasonCleanUp
	}
	if d.Unproven {
		text = "not all of the clean-up was confirmed"
	}
	c.tellDevice(i, code, "%s", text)
	c.change(i, func(d *Device) {
		d.become(outcome, reason)
		d.Stage, d.Reached = d.Reached, StageNone
		if outcome != Failed {
			d.Detail = text
		}
	})
}

// advanceCleanUp ends the clean-up when no device has anything left to confirm.
func (c *Campaign) advanceCleanUp() {
	if c.tally[Stopping] > 0 {
		return
	}
	c.head.CleaningUp = false
	unproven := 0
	for i := range c.devices {
		if c.devices[i].Unproven {
			unproven++
		}
	}
	c.tell("campaign.cleaned_up", "%s", fmt.Sprintf("clean-up is over: %d devices did not confirm all of it", unproven))
}
