package fleet_test

import (
	"fmt"

	"github.com/starling-fuota/starling/fleet"
)

func Example() {
	campaign := fleet.Campaign{Name: "spring update", Type: fleet.BinaryCampaign, Regions: []string{"east"}}
	for _, e := range fleet.FieldErrors(campaign.Validate()) {
		fmt.Println(e)
	}
	old, next := fleet.MustParseFirmware("1.9.0.0"), fleet.MustParseFirmware("1.10.0.0")
	order, ordered := old.Compare(next)
	fmt.Println(order, ordered, fleet.ThreeToFour.Coded(300))
	// Output:
	// device_sets: is empty (create a device set first and name it here)
	// file_id: is missing (upload a file first and name it here)
	// max_duration_s: is missing (say after how many seconds devices fall back to class A, such as 32760 for class C)
	// -1 true 100
}
