package deltatest_test

import (
	"fmt"

	"github.com/starling-fuota/starling/delta/deltatest"
)

func Example() {
	fmt.Println(deltatest.Pairs[0])
	// Output: programmer-0.8.0-0.9.0
}
