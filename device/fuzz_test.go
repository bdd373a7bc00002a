package device_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// FuzzReceive hands arbitrary bytes to a device inside valid frames, unicast and multicast,
// and as frames. A device must live through it, keep sending valid frames that fit, and come to rest.
func FuzzReceive(f *testing.F) {
	seed := func(port uint8, v lorawan.Version, cmds ...lorawan.Command) {
		b, err := lorawan.AppendAll(nil, v, cmds...)
		if err != nil {
			f.Fatal(err)
		}
		for stack := range uint8(7) {
			f.Add(b, port, stack, v == lorawan.V2)
		}
	}
	for _, v := range []lorawan.Version{lorawan.V1, lorawan.V2} {
		at := lorawan.GPSSeconds32(lorawan.CeilBeacon(start.Add(time.Hour)))
		seed(202, v, clocksync.AppTimeAns{TimeCorrection: -1 << 31}, clocksync.ForceDeviceResyncReq{NbTransmissions: 7},
			clocksync.DeviceAppTimePeriodicityReq{Period: 15})
		seed(200, v, multicast.McGroupSetupReq{McAddr: mcAddr, MaxMcFCnt: 9}, multicast.McGroupStatusReq{ReqGroupMask: 15},
			multicast.McClassCSessionReq{SessionTime: at, DLFrequency: 869525000},
			multicast.McClassBSessionReq{SessionTime: at, DLFrequency: 869525000, Periodicity: 7}, multicast.McGroupDeleteReq{})
		seed(201, v, fragmentation.FragSessionSetupReq{NbFrag: 3, FragSize: 2, McGroupBitMask: 1},
			fragmentation.FragSessionStatusReq{Participants: true}, fragmentation.FragSessionDeleteReq{})
		seed(201, v, fragmentation.DataFragment{N: 1, Data: []byte{1, 2}})
	}
	seed(201, lorawan.V2, fragmentation.FragDataBlockReceivedAns{FragIndex: 3})
	seed(203, lorawan.V1, firmware.DevVersionReq{}, firmware.DevUpgradeImageReq{}, firmware.DevDeleteImageReq{},
		firmware.DevRebootTimeReq{RebootTime: 5}, firmware.DevRebootCountdownReq{Countdown: 1 << 23})
	f.Add([]byte{0x01, 0x83, 0x00, 0x84, 0x01, 0x02, 0x03}, uint8(225), uint8(0), true)
	f.Add([]byte{0x02, 0x00, 0xff}, uint8(225), uint8(0), true)

	stacks := []device.Stack{device.Ideal, device.LoRaMacStock, device.ActilityL476, device.ActilityWL55v1,
		device.ActilityWL55v2, device.LBM, device.Zephyr}
	f.Fuzz(func(t *testing.T, payload []byte, port, stack uint8, v2 bool) {
		if len(payload) > 242 {
			return
		}
		cfg := config()
		cfg.Stack = stacks[int(stack)%len(stacks)]
		if !v2 {
			cfg.Packages.ClockSync, cfg.Packages.McSetup, cfg.Packages.Fragmentation = lorawan.V1, lorawan.V1, lorawan.V1
		}
		s := serve(t, cfg)
		s.setUpGroup(0)
		x, ans := s.setUpTransfer(someBlock(400), 40, nil)
		if ans.Refused() {
			x, ans = s.setUpTransfer(someBlock(480), 48, nil)
		}
		if ans.Refused() {
			t.Fatalf("%s: %v", cfg.Stack.Name, ans)
		}
		s.fragments(x, 1, 3)
		s.sendBytes(port, payload)
		s.multicastBytes(port, payload)
		s.dev.Receive(s.now, payload)
		s.fragments(x, 4, x.enc.NbFrag()) // completes the block, if the session is still there
		s.advance(time.Hour)
		for _, u := range s.heard {
			if len(u.payload) == 0 || len(u.payload) > 242 {
				t.Errorf("uplink of %d bytes on FPort %d", len(u.payload), u.fport)
			}
		}
		s.dev.Status()
		s.dev.Image()
	})
}
