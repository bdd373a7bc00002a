package wire_test

import (
	"cmp"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

// lamps is a package that nobody specified: one command, from version 2.0.0 on.
var lamps = wire.Codec{Package: 9, Newest: lorawan.V2, Down: parseLamps, Up: parseLamps}

// SetLamp switches a lamp. CID 0x01, 1 byte follows: RFU[7:4] On[3] Lamp[2:0].
type SetLamp struct {
	Lamp uint8 // 0..7
	On   bool
}

func (SetLamp) CID() byte        { return 0x01 }
func (SetLamp) Name() string     { return "SetLamp" }
func (c SetLamp) String() string { return wire.Flag(fmt.Sprintf("SetLamp %d", c.Lamp), c.On, "On") }

func (c SetLamp) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(lamps.CheckVersion(v), wire.CheckMax("SetLamp", "Lamp", c.Lamp, 7)); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.Lamp|wire.Bit(c.On, 1<<3)), nil
}

func parseLamps(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	if cid == 0x01 && v == lorawan.V2 {
		return wire.Parsed(parseSetLamp(body))
	}
	return wire.Unknown()
}

func parseSetLamp(b []byte) (SetLamp, []byte, error) {
	if len(b) < 1 {
		return SetLamp{}, b, wire.TooShort("SetLamp", len(b), 1)
	}
	return SetLamp{Lamp: b[0] & 7, On: b[0]&(1<<3) != 0}, b[1:], nil
}

// A package of one command.
func Example() {
	b, err := lorawan.AppendAll(nil, lorawan.V2, SetLamp{Lamp: 3}, SetLamp{Lamp: 4, On: true})
	fmt.Printf("% x %v\n", b, err)
	fmt.Println(lamps.ParseDownlink(lorawan.V2, b))

	fmt.Println(SetLamp{Lamp: 8}.Append(nil, lorawan.V2))
	fmt.Println(lamps.ParseDownlink(lorawan.V2, []byte{0x01, 0x03, 0x01}))
	// Output:
	// 01 03 01 0c <nil>
	// [SetLamp 3 SetLamp 4 On] <nil>
	// [] SetLamp: Lamp 8 is above 7: value does not fit its field
	// [SetLamp 3] SetLamp: 0 of 1 bytes: command too short
}
