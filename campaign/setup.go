package campaign

import (
	"fmt"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// mcGroupID is the only group slot that is used: LoRaMac and its derivatives take their
// session timers from slot 0 whatever slot the session names.
const mcGroupID = 0

// mcGroupSetupReq gives device i the group's address and its McKey, wrapped for this device.
func (c *Campaign) mcGroupSetupReq(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	m := &c.spec.Devices[i]
	l := c.lane(i)
	gs, g := &c.spec.Groups[l.Group], &c.groups[l.Group]
	root := c.material.RootKeys[m.DevEUI]
	kek := multicast.McKEKey(mcRootKey(root))
	return lorawan.McSetup, []lorawan.Command{multicast.McGroupSetupReq{
		McGroupID: mcGroupID, McAddr: gs.McAddr,
		McKeyEncrypted: multicast.WrapMcKey(kek, c.material.McKeys[gs.DevEUI]),
		MinMcFCnt:      g.NextFCnt, MaxMcFCnt: c.maxFCnt(l.Group),
	}}, verdict{}
}

func mcRootKey(root RootKey) lorawan.AES128Key {
	if root.Version == fleet.LoRaWAN11 {
		return multicast.McRootKey11(root.Key)
	}
	return multicast.McRootKey10(root.Key)
}

// fCntValidity is how many times the expected frames the counter range of a group spans:
// the reference server's mcgroup_validity_coeff. Networks burn counters on rejected and
// flushed frames, so the range must not be tight; devices guess the upper 16 bits, so it
// must not be open.
const fCntValidity = 10

// maxFCnt returns the counter at which devices stop to accept frames of a group.
func (c *Campaign) maxFCnt(g int) uint32 {
	frames := uint64(100)
	for _, l := range c.groupLanes[g] {
		frames += uint64(c.spec.Lanes[l].NbFrag) + uint64(c.spec.Lanes[l].MaxCoded)
	}
	return uint32(min(uint64(c.groups[g].NextFCnt)+frames*fCntValidity, 0xFFFFFFFF))
}

// onMcGroupSetupAns judges the answer. A device that refuses the slot has no room for a group.
func (c *Campaign) onMcGroupSetupAns(i int, ans multicast.McGroupSetupAns) verdict {
	d := &c.devices[i]
	if d.Stage != StageMcGroupSetup || !c.outstanding(i) || ans.McGroupID != mcGroupID {
		return verdict{}
	}
	if ans.IDError {
		return verdict{kind: refused, reason: ReasonGroupIDRefused, text: fmt.Sprintf("the device has no multicast group %d", mcGroupID)}
	}
	c.change(i, func(d *Device) { d.SetUp = true })
	return verdict{kind: passed}
}

// outstanding tells if device i was asked in its present stage: answers carry no campaign
// id, and one from before the question proves nothing. What came in the same uplink as the
// answer that led to the question cannot be about it, nor can an uplink that was overtaken.
func (c *Campaign) outstanding(i int) bool {
	d := &c.devices[i]
	if c.heardAt(i).Before(d.Chance) {
		return false
	}
	left := d.Attempts - d.Unsent
	return d.Phase == PhaseAsked || left > 1 || left == 1 && !c.justAsked(d)
}

// justAsked tells if the command to d was queued at this very moment: it has not left yet.
func (c *Campaign) justAsked(d *Device) bool {
	return d.Phase == PhaseQueued && !c.now.After(d.Since)
}

// fragSessionSetupReq opens the fragmentation session on device i. A repetition is the
// very same request: a new SessionCnt is for a new session only.
func (c *Campaign) fragSessionSetupReq(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	l, d := c.lane(i), &c.devices[i]
	req := fragmentation.FragSessionSetupReq{
		FragIndex: l.FragIndex, McGroupBitMask: 1 << mcGroupID, NbFrag: l.NbFrag, FragSize: l.FragSize,
		BlockAckDelay: l.BlockAckDelay, Padding: l.Padding, Descriptor: l.Descriptor,
	}
	if l.Version >= lorawan.V2 {
		if (d.Attempts == 0 || d.Stage == StageMcGroupSetup) && d.Replays == 0 {
			c.change(i, func(d *Device) { d.SessionCnt = max(c.firstCnt(i), d.FirstCnt) })
		}
		req.AckReception = true
		req.SessionCnt = d.SessionCnt
		req.MIC = c.dataBlockMIC(i, d.SessionCnt)
	}
	return lorawan.Fragmentation, []lorawan.Command{req}, verdict{}
}

// dataBlockMIC is per device, because its key is.
func (c *Campaign) dataBlockMIC(i int, sessionCnt uint16) [4]byte {
	m, l := &c.spec.Devices[i], c.lane(i)
	root := c.material.RootKeys[m.DevEUI]
	key := fragmentation.DataBlockIntKey10(root.Key)
	if root.Version == fleet.LoRaWAN11 {
		key = fragmentation.DataBlockIntKey11(root.Key)
	}
	return fragmentation.DataBlockMIC(key, sessionCnt, l.FragIndex, l.Descriptor, c.material.Payloads[l.Payload])
}

// firstCnt is the least SessionCnt of device i for the lane that it is in.
func (c *Campaign) firstCnt(i int) uint16 {
	return c.spec.Devices[i].SessionCnts[c.lane(i).FragIndex]
}

// replayJumps is how far SessionCnt jumps after each refusal as a replay: the device has
// used counters that we do not know of, and one by one would take for ever.
var replayJumps = [...]uint16{1, 16, 256}

// onFragSessionSetupAns judges the answer.
func (c *Campaign) onFragSessionSetupAns(i int, ans fragmentation.FragSessionSetupAns) verdict {
	d, l := &c.devices[i], c.lane(i)
	if d.Stage != StageFragSetup || !c.outstanding(i) || ans.FragIndex != l.FragIndex {
		return verdict{}
	}
	switch {
	case ans.SessionCntReplay:
		if c.justAsked(d) {
			return verdict{} // a second copy: the next counter is on its way
		}
		if d.Replays == len(replayJumps) || d.SessionCnt > 0xFFFF-replayJumps[d.Replays] {
			return verdict{kind: refused, reason: ReasonFragReplay, text: fmt.Sprintf("SessionCnt %d is refused as a replay", d.SessionCnt)}
		}
		c.change(i, func(d *Device) {
			d.SessionCnt += replayJumps[d.Replays]
			d.Replays++
		})
		return verdict{kind: again}
	case ans.FragAlgoUnsupported:
		return verdict{kind: refused, reason: ReasonFragAlgo, text: "the device does not know the fragmentation algorithm"}
	case ans.NotEnoughMemory:
		return verdict{kind: refused, reason: ReasonFragMemory, text: fmt.Sprintf("the device cannot hold %d fragments of %d bytes", l.NbFrag, l.FragSize)}
	case ans.FragIndexUnsupported:
		if d.Phase == PhaseHolding || d.Outcome != Active {
			return verdict{} // a second copy: the deletion is on its way; or too late
		}
		if d.Cleared == maxCleared {
			return verdict{kind: refused, reason: ReasonFragIndex, text: fmt.Sprintf("the device has no fragmentation session %d", l.FragIndex)}
		}
		if c.mute() {
			return verdict{kind: again} // with resume; it will say the same then
		}
		// Version 1 stacks may say so as long as an old session is there, whose index may be that of another lane: delete
		// what there may be, until it says that it has.
		c.change(i, func(d *Device) { d.Session, d.Cleared = true, d.Cleared+1 })
		var deletions []lorawan.Command
		for index := range uint8(maxLanes) {
			deletions = append(deletions, fragmentation.FragSessionDeleteReq{FragIndex: index})
		}
		c.send(i, 1, c.downlink(i, lorawan.Fragmentation, deletions...))
		return verdict{kind: hold, until: c.now.Add(c.traits(i).UplinkPeriod)}
	case ans.WrongDescriptor:
		return verdict{kind: refused, reason: ReasonFragDescriptor, text: fmt.Sprintf("the device refuses descriptor % x", l.Descriptor)}
	}
	c.change(i, func(d *Device) { d.Session = true })
	return verdict{kind: passed}
}

// maxCleared is how often a device is told to delete old sessions, as long as it does not answer that.
const maxCleared = 3

// onFragSessionDeleteAns takes the end of an old session: the new one can be set up now.
func (c *Campaign) onFragSessionDeleteAns(i int) verdict {
	if d := &c.devices[i]; d.Stage == StageFragSetup && d.Phase == PhaseHolding {
		c.change(i, func(d *Device) { d.Cleared = maxCleared })
		return verdict{kind: again}
	}
	return c.onCleanUpAns(i, StageDeleteSession)
}
