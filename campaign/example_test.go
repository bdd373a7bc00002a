package campaign_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

// A campaign that opens a multicast session on one device: what the caller does is store
// each Output, send its Downlinks, and come back with what the network says.
func Example() {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	meter := fleet.Device{
		DevEUI: lorawan.MustParseEUI64("0004a30b00112233"), ProfileID: "meter", Classes: fleet.ClassesOf(fleet.ClassC),
		RootKey: lorawan.MustParseAES128Key("000102030405060708090a0b0c0d0e0f"),
	}
	plan, err := campaign.Plan(campaign.Request{
		Campaign: fleet.Campaign{ID: "c1", Type: fleet.MCGroupCampaign, SuccessThreshold: 100, MaxDuration: 24 * time.Hour},
		Devices:  []fleet.Device{meter},
		Profiles: map[string]fleet.DeviceProfile{"meter": {ID: "meter", Packages: fleet.Packages{McSetup: 2}}},
		Groups: []fleet.MulticastGroup{{
			DevEUI: lorawan.MustParseEUI64("0004a30b000000aa"), McAddr: lorawan.MustParseDevAddr("ff000001"),
			Band: region.EU868, Frequency: 869525000, DataRate: 3, SessionClass: fleet.ClassC,
			McKey: lorawan.MustParseAES128Key("0f0e0d0c0b0a09080706050403020100"),
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := campaign.New(plan.Spec, plan.Material)
	if err != nil {
		fmt.Println(err)
		return
	}
	step := func(in campaign.Input) {
		out := c.Step(now, in)
		for _, d := range out.Downlinks {
			fmt.Println(d)
		}
	}
	heard := func(answers ...lorawan.Command) {
		now = now.Add(30 * time.Second)
		step(campaign.Heard{DevEUI: meter.DevEUI, At: now, Commands: answers})
	}

	step(campaign.Start{})
	heard() // any uplink: the device is there
	heard(multicast.McGroupSetupAns{})
	left := c.Group(0).SessionTime.Sub(now.Add(30 * time.Second))
	heard(multicast.McClassCSessionAns{TimeToStart: uint32(left / time.Second)})
	fmt.Println(c.Header().Status, c.Header().Detail)
	// Output:
	// server -> 0004a30b00112233 McGroupSetupReq group=0 addr=ff000001 fcnt=0..1000
	// server -> 0004a30b00112233 McClassCSessionReq group=0 start=1456488258 for=8m32s freq=869525000 dr=3
	// SUCCEEDED 1 of 1 devices verified
}
