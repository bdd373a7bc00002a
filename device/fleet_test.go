package device_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// BenchmarkFleet is a campaign's worth of fragments: 200 devices, 600 fragments of 239
// bytes, each asked for its next wake and whether it hears.
func BenchmarkFleet(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchmarkFleet(b, func() *device.Crowd { return nil }) })
	b.Run("crowd", func(b *testing.B) { benchmarkFleet(b, device.NewCrowd) })
}

func benchmarkFleet(b *testing.B, newCrowd func() *device.Crowd) {
	const devices, nbFrag, fragSize = 200, 600, 239
	for b.Loop() {
		crowd := newCrowd()
		var fleet []*server
		var x transfer
		for i := range devices {
			s := quiet(b, func(c *device.Config) { c.Seed, c.Crowd = uint64(i), crowd })
			s.setUpGroup(0)
			x, _ = s.setUpTransfer(someBlock(nbFrag*fragSize), fragSize, nil)
			fleet = append(fleet, s)
		}
		tx := device.Transmission{Frequency: 869525000, DR: 5, Start: start.Add(time.Hour), Airtime: airtime}
		for n := 1; n <= nbFrag; n++ {
			data, err := x.enc.Fragment(n, nil)
			if err != nil {
				b.Fatal(err)
			}
			payload, err := fragmentation.DataFragment{N: uint16(n), Data: data}.Append(nil, lorawan.V2)
			if err != nil {
				b.Fatal(err)
			}
			phy := fleet[0].mc.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: uint32(n - 1), FPort: 201, FRMPayload: payload})
			for _, s := range fleet {
				s.dev.Hears(tx)
				s.dev.Receive(tx.Start, phy)
				s.dev.NextWake()
			}
			tx.Start = tx.Start.Add(time.Second)
		}
		for _, s := range fleet {
			if !s.dev.Status().Complete {
				b.Fatal("a device is incomplete")
			}
		}
	}
}
