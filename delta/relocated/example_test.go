package relocated_test

import (
	"bytes"
	"fmt"

	"github.com/starling-fuota/starling/delta/relocated"
)

func Example() {
	// From offset 8 on everything has moved by 4.
	m := relocated.Map{FlashBase: 0x08000000, F: []relocated.Segment{{Start: 8, Delta: 4}}}
	sent, err := m.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("map % x\n", sent)

	// On the device: a pointer to 0x08000009, and BL to offset 12.
	old := []byte{0x09, 0x00, 0x00, 0x08, 0x00, 0xf0, 0x02, 0xf8, 0, 0, 0, 0, 0x70, 0x47, 0, 0}
	received, patch, err := relocated.Parse(append(sent, "patch"...))
	if err != nil {
		fmt.Println(err)
		return
	}
	view, err := relocated.NewView(bytes.NewReader(old), int64(len(old)), received)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 8)
	if _, err := view.ReadAt(b, 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("old  % x\nview % x\nthen %q\n", old[:8], b, patch)
	// Output:
	// map 10 1b 01 01 23 01 02
	// old  09 00 00 08 00 f0 02 f8
	// view 0d 00 00 08 00 f0 04 f8
	// then "patch"
}
