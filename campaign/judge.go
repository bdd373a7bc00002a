package campaign

import (
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// judge tells what a command from device i means. Answers are matched by kind, group and
// session, never by order: several can share an uplink, and any can come twice.
func (c *Campaign) judge(i int, in Heard, cmd lorawan.Command) verdict {
	switch ans := cmd.(type) {
	case clocksync.AppTimeReq:
		return c.onAppTimeReq(i, in, ans)
	case multicast.McGroupSetupAns:
		return c.onMcGroupSetupAns(i, ans)
	case multicast.McClassBSessionAns:
		return c.onSessionAns(i, in, multicast.McClassCSessionAns(ans))
	case multicast.McClassCSessionAns:
		return c.onSessionAns(i, in, ans)
	case multicast.McGroupDeleteAns:
		return c.onCleanUpAns(i, StageDeleteGroup)
	case fragmentation.FragSessionSetupAns:
		return c.onFragSessionSetupAns(i, ans)
	case fragmentation.FragSessionStatusAns:
		return c.onStatusAns(i, ans)
	case fragmentation.FragDataBlockReceivedReq:
		return c.onDataBlockReceived(i, ans)
	case fragmentation.FragSessionDeleteAns:
		return c.onFragSessionDeleteAns(i)
	case firmware.DevRebootTimeAns:
		return c.onRebootTimeAns(i, in, ans)
	case firmware.DevRebootCountdownAns:
		return c.onRebootCountdownAns(i, ans)
	case firmware.DevUpgradeImageAns:
		return c.onUpgradeImageAns(i, ans)
	case firmware.DevVersionAns:
		return c.onVersionAns(i, ans)
	case firmware.DevDeleteImageAns:
		return c.onCleanUpAns(i, StageDeleteImage)
	}
	return verdict{}
}
