package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// beginStatus lets device i into the status stage. Who has announced the complete block
// need not be asked; the others are asked by their group (transfer.go).
func (c *Campaign) beginStatus(i int) {
	if c.devices[i].Complete {
		c.becomePassed(i)
	}
}

// statusReq asks device i alone. Participants=1: it shall answer whatever it has.
//
// A device that reboots itself may be past that question: it has forgotten the session,
// and version 1 stacks say nothing to that. So every other question is which firmware runs.
func (c *Campaign) statusReq(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	if c.mayHaveRebooted(i) && c.devices[i].Attempts%2 == 1 {
		return c.versionReq()
	}
	return lorawan.Fragmentation, []lorawan.Command{fragmentation.FragSessionStatusReq{FragIndex: c.lane(i).FragIndex, Participants: true}}, verdict{}
}

// mayHaveRebooted tells if device i may have installed its image already, without being told to.
func (c *Campaign) mayHaveRebooted(i int) bool {
	return c.spec.Type == fleet.FOTACampaign && c.traits(i).RebootsItself && c.spec.RebootAt.IsZero()
}

// onStatusAns judges what device i says it has received.
func (c *Campaign) onStatusAns(i int, ans fragmentation.FragSessionStatusAns) verdict {
	d, l := &c.devices[i], c.lane(i)
	if d.Stage != StageStatus || !c.outstanding(i) && d.Phase != PhaseIncomplete && !d.Rides || ans.FragIndex != l.FragIndex && !ans.SessionDoesNotExist {
		return verdict{} // the answer that there is no session may come without its FragIndex
	}
	if ans.SessionDoesNotExist {
		if c.mayHaveRebooted(i) {
			// It has forgotten the session because it has rebooted: the version will tell.
			return verdict{kind: passed}
		}
		return verdict{kind: refused, reason: ReasonFragNoSession, text: "the device has no such session any more: it may have reset"}
	}
	lossy := d.Missing > 0 // as it told before
	c.change(i, func(d *Device) { d.Received, d.Missing = ans.NbFragReceived, uint16(ans.MissingFrag) })
	if ans.MemoryError {
		return verdict{kind: refused, reason: ReasonFragDecoder, text: fmt.Sprintf("the device lost more fragments than its decoder can repair (received %d, missing %d)", ans.NbFragReceived, ans.MissingFrag)}
	}
	if d.Rides && ans.NbFragReceived == 0 {
		return verdict{kind: refused, reason: ReasonSessionMissed, text: "it had not heard of the session: it has received nothing"}
	}
	c.change(i, func(d *Device) { d.Rides = false }) // it listens
	lacks := unresolved(c.traits(i).StatusStyle, ans, int(l.NbFrag), c.laneState(i).High, lossy)
	if lacks == 0 {
		if ans.MICError && l.Version >= lorawan.V2 {
			return verdict{kind: refused, reason: ReasonFragMIC, text: "the block is complete, but its MIC is wrong"}
		}
		c.change(i, func(d *Device) { d.Complete = true })
		return verdict{kind: passed}
	}
	c.change(i, func(d *Device) {
		d.Missing = uint16(lacks)
		if c.laneState(i).Round == 0 {
			d.Loss = float64(lacks) / float64(l.NbFrag)
		}
	})
	return verdict{kind: missing, reason: ReasonFragIncomplete, text: fmt.Sprintf("%d of %d fragments are missing", lacks, l.NbFrag)}
}

// proofGap is how many fragments a stack that freezes its answer when the block is
// complete must have let pass before we believe that it is complete, not deaf. At 50 %
// loss, that many in a row are lost once in 65 000 times.
const proofGap = 16

// missingSaturated is where MissingFrag stops to count: it has one byte. What was received
// then tells more.
const missingSaturated = 255

// zephyrSpare is how many frames beyond M we want of a stack that counts frames instead of
// ranks. With 7, one block in 50 was not complete; with 11, fewer than one in 200
// (simulated, up to 30 % loss, blocks of 25 to 125 fragments).
const zephyrSpare = 11

// unresolved returns how many fragments the device still needs, as far as its stack's
// answer can be trusted; 0 means complete. nbFrag is M, high the highest fragment number
// that was sent, lossy tells that the device has reported losses before.
//
//	stack     NbFragReceived             MissingFrag                      so complete is
//	spec      received                   still missing                    missing = 0
//	lbm       last number - lost         right, but 1 after no loss       missing = 0, or received = M at once
//	loramac   last number that it took   ever lost, never falls           missing = 0, or the last number
//	wl55v2                                                                stands still since proofGap
//	zephyr    frames seen                max(M - seen, 0)                 all seen, or zephyrSpare beyond M
//
// (measured and read in the sources of these stacks)
func unresolved(style fleet.StatusStyle, ans fragmentation.FragSessionStatusAns, nbFrag, high int, lossy bool) int {
	received, missing := int(ans.NbFragReceived), int(ans.MissingFrag)
	if missing == missingSaturated {
		missing = max(missing, nbFrag-received)
	}
	switch style {
	case fleet.StatusLBM:
		// After some losses the same two numbers can mean that one row is still missing.
		if received == nbFrag && missing == 1 && !lossy {
			return 0
		}
	case fleet.StatusLoRaMac, fleet.StatusWL55v2:
		if received >= nbFrag+missing && high-received >= proofGap {
			return 0
		}
		if missing == 0 && received < nbFrag {
			return nbFrag - received // the end of the block is lost, which the count leaves out
		}
		if missing > 0 && received > nbFrag {
			// Enough rows may be there; let it show by standing still.
			return max(missing-(received-nbFrag), proofGap)
		}
	case fleet.StatusZephyr:
		if missing == 0 && received < min(high, nbFrag+zephyrSpare) {
			return nbFrag + zephyrSpare - received
		}
	}
	return missing
}

func (c *Campaign) laneState(i int) *LaneState { return c.laneStateOf(c.laneOf(i)) }

func (c *Campaign) laneStateOf(lane int) *LaneState {
	g := c.spec.Lanes[lane].Group
	return &c.groups[g].Lanes[slices.Index(c.groupLanes[g], lane)]
}

// becomeIncomplete records that device i needs more fragments. Its group decides what follows.
func (c *Campaign) becomeIncomplete(i int, reason Reason, text string) {
	flush := c.devices[i].Phase == PhaseQueued
	c.tellDevice(i, "device.incomplete", "%s", text)
	c.change(i, func(d *Device) {
		d.Phase, d.Reason, d.Detail = PhaseIncomplete, reason, text
		d.Frame = ""
		d.Deadline = time.Time{}
	})
	if flush {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
}

// onDataBlockReceived takes the announcement of a version 2 device. Each copy is
// answered: the device repeats it until it hears the answer.
func (c *Campaign) onDataBlockReceived(i int, req fragmentation.FragDataBlockReceivedReq) verdict {
	d, l := &c.devices[i], c.lane(i)
	if req.FragIndex != l.FragIndex || l.Version < lorawan.V2 || !d.Session {
		return verdict{}
	}
	if !c.mute() {
		c.reply(i, lorawan.Fragmentation, fragmentation.FragDataBlockReceivedAns{FragIndex: req.FragIndex})
	}
	if c.head.CleaningUp || d.Outcome == Stopping || c.at(d.Stage) > c.at(StageStatus) || d.Complete {
		return verdict{}
	}
	if req.MICError {
		return verdict{kind: refused, reason: ReasonFragMIC, text: "the block is complete, but its MIC is wrong"}
	}
	c.change(i, func(d *Device) { d.Complete, d.Missing = true, 0 })
	if d.Stage == StageStatus {
		return verdict{kind: passed}
	}
	return verdict{}
}
