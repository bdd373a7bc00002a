package firmware_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

// A server that plans a reboot and judges the answers.
func Example() {
	receivedAt := time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)
	reboot := firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(receivedAt.Add(time.Hour))}
	const target = 0x01020304

	downlink, err := lorawan.AppendAll(nil, lorawan.V1, firmware.DevUpgradeImageReq{}, reboot)
	fmt.Printf("% x %v\n", downlink, err)

	uplink := []byte{0x04, 0x03, 0x04, 0x03, 0x02, 0x01, 0x02, 0x0f, 0x0e, 0x00, 0x00}
	answers, err := firmware.ParseUplink(lorawan.V1, uplink)
	if err != nil {
		fmt.Println("kept what was readable:", err)
	}
	for _, c := range answers {
		switch ans := c.(type) {
		case firmware.DevUpgradeImageAns:
			fmt.Println(ans, firmware.ImageMatches(ans, target, firmware.Standard))
		case firmware.DevRebootTimeAns:
			fmt.Println(ans, firmware.RebootAnsAccepts(ans, reboot, receivedAt, time.Minute, firmware.Standard))
		}
	}
	// Output:
	// 04 02 42 c2 88 57 <nil>
	// DevUpgradeImageAns valid next=01020304 true
	// DevRebootTimeAns time=3599 true
}
