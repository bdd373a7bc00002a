package airtime_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/airtime"
	"github.com/starling-fuota/starling/lorawan/region"
)

// A gateway that has used its hour of the uplink channels would answer at SF12.
func Example() {
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var g airtime.Governor
	g.Spend([]string{"roof"}, region.EU868, 868_100_000, start, 36*time.Second)
	uplink := airtime.Chance{At: start.Add(10 * time.Minute), Gateways: []string{"roof"}, Band: region.EU868, Frequency: 868_500_000, DataRate: 5}
	fmt.Println(g.Crowded(uplink) > 0)
	uplink.At = start.Add(time.Hour + time.Minute)
	fmt.Println(g.Crowded(uplink) > 0)
	// Output:
	// true
	// false
}
