package forecast_test

import (
	"fmt"

	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/sim"
)

// What will it take to bring a file of 10 kB to 50 devices, if links lose nothing?
func Example() {
	plan, err := forecast.New(request(50, 10_000), forecast.Options{At: start, Assumptions: forecast.Assumptions{Loss: &sim.Spread{}}})
	if err != nil {
		panic(err)
	}
	for _, l := range plan.Lanes {
		fmt.Printf("%d devices get %d fragments of %d bytes\n", l.Devices, l.NbFrag, l.FragSize)
	}
	fmt.Printf("%.0f %% of them verified, in %d session\n", plan.Prediction.VerifiedPercent, plan.Prediction.Sessions)
	// Output:
	// 50 devices get 42 fragments of 239 bytes
	// 100 % of them verified, in 1 session
}
