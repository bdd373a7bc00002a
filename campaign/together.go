package campaign

import (
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

// A device with multi-package access (TS007) is given its group and its fragmentation session in one frame, which
// saves it an uplink period and the network a receive window:
//
//	server                                      device
//	  | McGroupSetupReq, FragSessionSetupReq     |   FPort 225
//	  | ---------------------------------------> |
//	  |    McGroupSetupAns, FragSessionSetupAns  |   passes both stages
//	  | <--------------------------------------- |
//
//	  | McGroupSetupReq, FragSessionSetupReq     |   not answered: it may throw away the whole frame,
//	  | ---------------------------------------> |   because of the one command that it does not know
//	  | McGroupSetupReq                          |   FPort 200: every other attempt is alone
//	  | ---------------------------------------> |
//
// The frame has 50 bytes at most, which every data rate carries that McGroupSetupReq can go out at, but US915 DR8
// with MAC commands in it; the attempt alone is for that too.

// together tells if device i is to be asked for its fragmentation session in the frame that sets up its group.
func (c *Campaign) together(i int) bool {
	d := &c.devices[i]
	return d.Stage == StageMcGroupSetup && d.Attempts%2 == 0 && c.setsUpTogether(i)
}

// setsUpTogether tells if device i is one of those that are asked so.
func (c *Campaign) setsUpTogether(i int) bool {
	next := c.at(StageMcGroupSetup) + 1
	return c.spec.Policy.Setup == fleet.PipelinedSetup && c.stages[next] == StageFragSetup && c.traits(i).Packages.MultiPackage != 0
}

// withFragSetup adds the set-up of the fragmentation session to that of the group.
func (c *Campaign) withFragSetup(i int, group lorawan.Command) Downlink {
	_, frag, _ := c.fragSessionSetupReq(i)
	m := multipackage.Message{
		Items: []multipackage.Item{{Package: lorawan.McSetup, Command: group}, {Package: lorawan.Fragmentation, Command: frag[0]}},
		Token: uint8(c.devices[i].Attempts / 2 % multipackage.Tokens),
	}
	payload := must(m.Append(nil, c.traits(i).Packages))
	return c.frame(i, lorawan.MultiPackage, payload, group, frag[0])
}

// askedAlready lets device i, which has passed the set-up of its group, wait for the answer of its fragmentation
// session, which it was asked for in the same frame. It is most often in the same uplink.
func (c *Campaign) askedAlready(i int) {
	deadline := c.patience(c.now.Add(c.period(i) + answerMargin))
	c.change(i, func(d *Device) {
		d.Phase, d.Attempts, d.Unsent, d.Together, d.Deadline = PhaseSent, 1, 0, false, deadline
	})
}
