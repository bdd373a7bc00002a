package clocksync_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
)

// A server that answers AppTimeReq.
func Example() {
	uplink := []byte{0x01, 0xa8, 0x8a, 0x88, 0x57, 0x13} // FRMPayload of FPort 202
	receivedAt := time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)

	cmds, err := clocksync.ParseUplink(lorawan.V2, uplink)
	if err != nil {
		fmt.Println("kept what was readable:", err)
	}
	for _, c := range cmds {
		req, ok := c.(clocksync.AppTimeReq)
		if !ok {
			continue
		}
		ans, ok := clocksync.Answer(req, receivedAt, 2*time.Second)
		if !ok {
			continue
		}
		downlink, err := ans.Append(nil, lorawan.V2)
		fmt.Println(req)
		fmt.Println(ans)
		fmt.Printf("% x %v\n", downlink, err)
	}
	// Output:
	// AppTimeReq time=1468566184 token=3 AnsRequired
	// AppTimeAns correction=10634 token=3
	// 01 8a 29 00 00 03 <nil>
}
