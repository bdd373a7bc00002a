package cover_test

import (
	"fmt"

	"github.com/starling-fuota/starling/delta/cover"
)

func ExampleFind() {
	old := []byte("Starling updates firmware over LoRaWAN, one fragment at a time.")
	target := []byte("one fragment at a time: Starling updates firmware over LoRaWAN.")
	for _, c := range cover.Find(old, target, cover.Params{}) {
		fmt.Printf("%d bytes from %d of the old image to %d: %q\n", c.Length, c.Old, c.New, target[c.New:c.NewEnd()])
	}
	// Output:
	// 22 bytes from 40 of the old image to 0: "one fragment at a time"
	// 38 bytes from 0 of the old image to 24: "Starling updates firmware over LoRaWAN"
}
