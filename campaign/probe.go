package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// The probe is stage 0: each device is asked what its profile only
// claims, one question after the other, before anything is set up on it.
//
//	server                          device
//	  | DevVersionReq                 |
//	  | ----------------------------> |
//	  |              DevVersionAns    |   the target version: excluded.up_to_date
//	  | <---------------------------- |
//	  | PackageVersionReq, FPort 200  |
//	  | ----------------------------> |
//	  |          PackageVersionAns    |   another than its profile has: used from here on;
//	  | <---------------------------- |   of TS004 with a move to the lane of that version
//	  | ... FPort 201, 203, 202       |
//	  | McGroupStatusReq              |   alone in its frame: some stacks take its mask
//	  | ----------------------------> |   for a command
//	  |           McGroupStatusAns    |
//	  | <---------------------------- |
//	  | ForceDeviceResyncReq          |
//	  | ----------------------------> |
//	  |                AppTimeReq     |   how far its clock is off; it is corrected anyway
//	  | <---------------------------- |
//
// A question without an answer is left out, and a device that is silent is not asked further: it goes on as
// its profile says. The probe never costs a device its update, but for a campaign that has nothing but deltas: there a
// device must tell what it runs.
//
// If the policy does not want it, stage 0 is for those devices only whose lane depends on what they run and of which
// nobody knows that for sure (Member.Ask), and has the first question only.

// Codes of what a probe finds. None of them is a failure.
const (
	ReasonProbeVersion  Reason = "probe.package_version"
	ReasonProbeUnusable Reason = "probe.version_unusable"
	ReasonProbeClock    Reason = "probe.clock_wrong"
	ReasonProbePresent  Reason = "probe.group_present"
	ReasonProbeForeign  Reason = "probe.group_foreign"
	ReasonProbeSilent   Reason = "probe.no_answer"
	ReasonProbeFull     Reason = "probe.full_image"
)

// Probe is what the probe of a device has found.
type Probe struct {
	Question int  `json:"question,omitempty"` // index into questions: the one it is at
	Done     bool `json:"done,omitempty"`
	Silent   int  `json:"silent,omitempty"` // questions that it has not answered
	// Packages are the versions that are other than those of its profile.
	Packages lorawan.PackageVersions `json:"packages,omitzero"`
	Clock    bool                    `json:"clock,omitempty"`     // ClockOff is known
	ClockOff time.Duration           `json:"clock_off,omitempty"` // by how much the clock is late
	Present  bool                    `json:"present,omitempty"`   // it has the group of the campaign in its slot already
	Foreign  []lorawan.DevAddr       `json:"foreign,omitempty"`   // McAddr of the other groups that it has
}

// Package returns the package that the present question is about.
func (p Probe) Package() lorawan.PackageID { return questions[p.Question].pkg }

// question is one that a probe asks.
type question struct {
	pkg lorawan.PackageID
	req lorawan.Command
}

// questions in their order. The version that runs comes first: with the right one there is no need
// for the others. The clock comes last: an answer to the device takes the next receive window.
var questions = []question{
	{lorawan.FirmwareMgmt, firmware.DevVersionReq{}},
	{lorawan.McSetup, lorawan.PackageVersionReq{}},
	{lorawan.Fragmentation, lorawan.PackageVersionReq{}},
	{lorawan.FirmwareMgmt, lorawan.PackageVersionReq{}},
	{lorawan.ClockSync, lorawan.PackageVersionReq{}},
	{lorawan.McSetup, multicast.McGroupStatusReq{ReqGroupMask: 0b1111}},
	{lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: 1}},
}

// How much a probe costs at most.
const (
	probeAttempts = 3 // of each question
	probePeriods  = 3 // uplink periods that a device may be silent
)

// attempts is how often device i is asked in its stage.
func (c *Campaign) attempts(i int) int {
	n := c.spec.Policy.Attempts()
	if c.devices[i].Stage == StageProbe && !c.decides(i) {
		n = min(n, probeAttempts)
	}
	return n
}

// decides tells if the lane of device i depends on the question that it is asked. Such a device is given the patience of any
// stage: one full image for the last that is silent costs more than all the deltas have saved.
func (c *Campaign) decides(i int) bool {
	d := &c.devices[i]
	return c.spec.Devices[i].Ask && d.Firmware == 0 && d.Probe.Question == 0
}

// probing tells if device i is being probed.
func (c *Campaign) probing(i int) bool {
	d := &c.devices[i]
	return d.Stage == StageProbe && d.Outcome == Active
}

// probeReq returns the question that device i is at.
func (c *Campaign) probeReq(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	q := questions[c.devices[i].Probe.Question]
	return q.pkg, []lorawan.Command{q.req}, verdict{}
}

// probed takes what an uplink of device i, which is being probed, tells of it. It returns false if that
// answers nothing that was asked.
func (c *Campaign) probed(i int, in Heard) bool {
	q, answered := questions[c.devices[i].Probe.Question], false
	for _, cmd := range in.Commands {
		var to question
		switch ans := cmd.(type) {
		case lorawan.PackageVersionAns:
			to = question{ans.PackageIdentifier, lorawan.PackageVersionReq{}}
			c.foundVersion(i, ans)
		case multicast.McGroupStatusAns:
			to = questions[5]
			c.foundGroups(i, ans)
		case clocksync.AppTimeReq:
			to = questions[6]
			c.foundClock(i, in, ans)
		case firmware.DevVersionAns:
			to = questions[0]
			if q == to && c.outstanding(i) && (c.upToDate(i, ans) || c.baseless(i)) {
				return true
			}
		}
		answered = answered || to == q
	}
	if !answered || !c.outstanding(i) {
		return false
	}
	c.change(i, func(d *Device) { d.Answered = min(d.Answered+1, d.Asked) })
	c.nextQuestion(i)
	return true
}

// nextQuestion takes device i to its next question, or to the end of its probe.
func (c *Campaign) nextQuestion(i int) {
	if c.devices[i].Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
	next := c.devices[i].Probe.Question + 1
	if !c.spec.Policy.Probe {
		next = len(questions) // what it runs is all that is asked
	}
	for next < len(questions) && c.traits(i).Packages.Of(questions[next].pkg) == 0 {
		next++
	}
	if next == len(questions) {
		c.change(i, func(d *Device) { d.Phase = PhaseWaiting })
		c.endProbe(i)
		return
	}
	c.change(i, func(d *Device) {
		d.Probe.Question = next
		d.Phase, d.Attempts, d.Deadline, d.Frame = PhaseWaiting, 0, time.Time{}, ""
	})
	c.ask(i)
}

// beginProbe finds the first question that device i can be asked: each has TS005, or a plan would have left it out.
func (c *Campaign) beginProbe(i int) {
	for c.traits(i).Packages.Of(c.devices[i].Probe.Package()) == 0 {
		c.change(i, func(d *Device) { d.Probe.Question++ })
	}
}

// probeSilent goes on with device i, which did not answer: with the next question if it has just been heard, and
// without the probe if not, because each question would take hours. It returns false for what is no silence.
func (c *Campaign) probeSilent(i int, reason Reason, text string) bool {
	if !c.probing(i) || !slices.Contains([]Reason{ReasonNoAnswer, ReasonNoUplink, ReasonNotSent, ReasonLate}, reason) {
		return false
	}
	d := &c.devices[i]
	if d.Probe.Question == 0 && c.mustTell(i) {
		return false
	}
	c.change(i, func(d *Device) { d.Probe.Silent++ })
	c.tellDevice(i, string(ReasonProbeSilent), "%s, asked for %s: goes on as its profile says", text, questions[d.Probe.Question].req)
	if c.heardAt(i).IsZero() {
		c.endProbe(i)
		return true
	}
	c.nextQuestion(i)
	return true
}

// endProbe lets device i go on to the set-up.
func (c *Campaign) endProbe(i int) {
	c.change(i, func(d *Device) { d.Probe.Done = true })
	if c.spec.Devices[i].Ask && c.devices[i].Firmware == 0 {
		c.tellDevice(i, string(ReasonProbeFull), "nobody knows what it runs: it gets the full image")
	}
	c.becomePassed(i)
}

// upToDate takes device i out of the campaign if it runs the target version already.
func (c *Campaign) upToDate(i int, ans firmware.DevVersionAns) bool {
	c.change(i, func(d *Device) { d.Firmware = ans.FWVersion })
	if c.spec.Firmware.IsZero() || !firmware.VersionMatches(ans, c.spec.Firmware.Uint32(), false, c.traits(i).dialect()) {
		return false
	}
	c.leaveOut(i, ReasonUpToDate, fmt.Sprintf("runs %s already", c.spec.Firmware))
	return true
}

// leaveOut takes device i out of the campaign for what it has answered, before anything is set up on it.
func (c *Campaign) leaveOut(i int, reason Reason, text string) {
	if c.devices[i].Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
	c.tellDevice(i, string(reason), "does not take part: %s", text)
	c.noteProof(i)
	c.change(i, func(d *Device) {
		d.Answered = min(d.Answered+1, d.Asked)
		d.Outcome, d.Phase, d.Reason, d.Detail, d.Deadline, d.Frame = ExcludedByOperator, PhaseWaiting, reason, text, time.Time{}, ""
	})
}

// leftOut tells if a device takes no part because of what it has answered to the probe.
func (d *Device) leftOut() bool {
	return d.Outcome == ExcludedByOperator && (d.Reason == ReasonUpToDate || d.Reason == ReasonNoDelta || d.Reason == ReasonWrongBase)
}

// foundVersion notes the version of a package of device i. One that is other than its profile has is used
// from here on, if it can be.
func (c *Campaign) foundVersion(i int, ans lorawan.PackageVersionAns) {
	pkg, v := ans.PackageIdentifier, ans.PackageVersion
	was := c.traits(i).Packages.Of(pkg)
	if v == was || was == 0 {
		return
	}
	if v != lorawan.V1 && (v != lorawan.V2 || pkg == lorawan.FirmwareMgmt) {
		c.tellDevice(i, string(ReasonProbeUnusable), "has %s %s, which is not known: goes on with %s", pkg, v, was)
		return
	}
	if pkg == lorawan.Fragmentation && !c.toVersion(i, v) {
		c.tellDevice(i, string(ReasonProbeUnusable), "has %s %s, and its group has no lane for that: goes on with %s", pkg, v, was)
		return
	}
	c.change(i, func(d *Device) { d.Probe.Packages.Set(pkg, v) })
	c.tellDevice(i, string(ReasonProbeVersion), "has %s %s, and not %s", pkg, v, was)
}

// foundGroups notes the multicast groups that device i has.
func (c *Campaign) foundGroups(i int, ans multicast.McGroupStatusAns) {
	ours := c.spec.Groups[c.lane(i).Group].McAddr
	present, foreign := false, []lorawan.DevAddr(nil)
	for _, g := range ans.Groups {
		if g.McAddr == ours {
			present = true
			continue
		}
		foreign = append(foreign, g.McAddr)
	}
	c.change(i, func(d *Device) { d.Probe.Present, d.Probe.Foreign = present, foreign })
	if present {
		c.tellDevice(i, string(ReasonProbePresent), "has the group %s already: it is set up anew", ours)
	}
	if len(foreign) > 0 {
		c.tellDevice(i, string(ReasonProbeForeign), "has groups of others: %v; that in slot %d is replaced", foreign, mcGroupID)
	}
}

// foundClock notes how far the clock of device i is off.
func (c *Campaign) foundClock(i int, in Heard, req clocksync.AppTimeReq) {
	off := in.At.Sub(lorawan.TimeFromGPS32(req.DeviceTime, in.At)).Round(time.Second)
	c.change(i, func(d *Device) { d.Probe.Clock, d.Probe.ClockOff = true, off })
	// The uplink itself takes up to three seconds.
	if off.Abs() > c.traits(i).TimeTolerance+3*time.Second {
		c.tellDevice(i, string(ReasonProbeClock), "its clock is %s late: it is corrected", off)
	}
}

// variant is the traits of a kind of device with other package versions.
type variant struct {
	traits   int
	packages lorawan.PackageVersions
}

// variantOf returns traits with the versions that a probe has found.
func (c *Campaign) variantOf(v variant) *Traits {
	t := c.variants[v]
	if t == nil {
		t = new(c.spec.Traits[v.traits])
		t.Packages = v.packages.Over(t.Packages)
		c.variants[v] = t
	}
	return t
}

// firstStage returns the stage in which a device begins that was probed, or was not.
func firstStage(stages []Stage, probed bool) Stage {
	if probed && stages[0] == StageProbe {
		return stages[1]
	}
	return stages[0]
}
