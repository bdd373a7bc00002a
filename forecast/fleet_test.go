package forecast_test

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// start is when the campaigns here would start.
var start = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

func eui(n int) (e lorawan.EUI64) {
	binary.BigEndian.PutUint64(e[:], uint64(n))
	return e
}

func key(n int) (k lorawan.AES128Key) {
	binary.BigEndian.PutUint64(k[:], uint64(n)+1)
	return k
}

// bytesOf returns a file that nothing compresses.
func bytesOf(size int) []byte {
	luck := rand.New(rand.NewPCG(1, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(luck.Uint32())
	}
	return b
}

// request is a campaign that delivers a file to devices in EU868, over one group of class C at DR5.
func request(devices, size int) campaign.Request {
	r := campaign.Request{
		Campaign: fleet.Campaign{ID: "c", Type: fleet.BinaryCampaign, MaxDuration: 30 * 24 * time.Hour, SuccessThreshold: 80},
		File:     &fleet.File{ID: "f", Name: "file", Type: fleet.BinaryFile},
		Payload:  bytesOf(size),
		Profiles: map[string]fleet.DeviceProfile{"p": {
			ID: "p", Name: "meter", DefaultUplinkPeriod: 15 * time.Minute, TimeTolerance: 5 * time.Second,
			Packages: fleet.Packages{ClockSync: lorawan.V1, McSetup: lorawan.V1, Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1},
			Power:    fleet.Power{BatteryMAH: 2400},
		}},
		Groups: []fleet.MulticastGroup{{
			DevEUI: eui(0xfe00), Band: region.EU868, McAddr: lorawan.DevAddr{1, 0, 0, 1}, Frequency: 869525000, DataRate: 5,
			SessionClass: fleet.ClassC, Redundancy: fleet.ThreeToFour, McKey: key(7),
		}},
	}
	for i := range devices {
		r.Devices = append(r.Devices, fleet.Device{DevEUI: eui(1 + i), RootKey: key(100 + i), ProfileID: "p", Classes: fleet.ClassesOf(fleet.ClassC), Band: region.EU868})
	}
	return r
}

// change changes the profile of a request.
func change(r campaign.Request, f func(*fleet.DeviceProfile)) campaign.Request {
	p := r.Profiles["p"]
	f(&p)
	r.Profiles = map[string]fleet.DeviceProfile{"p": p}
	return r
}
