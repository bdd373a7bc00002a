package codectest_test

import (
	"strings"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/codectest"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// uplinks is a direction without fault: AppTimeReq and the periodicity answer of TS003.
func uplinks() codectest.Direction {
	return codectest.Direction{
		Versions: []lorawan.Version{lorawan.V1},
		Parse:    clocksync.ParseUplink, Next: clocksync.NextUplink,
		Wires: []codectest.Wire{{Command: clocksync.AppTimeReq{TokenReq: 6}, Hex: "010000000006", RFU: "0100000000e6"}},
	}
}

func TestEveryFaultIsFound(t *testing.T) {
	input := []byte{1, 0, 0, 0, 0, 6, 2, 0, 0, 0, 0, 0}
	cut := []byte{1, 0}
	type next = func(lorawan.Version, []byte) (lorawan.Command, []byte, error)
	wrap := func(change func(lorawan.Command, []byte, error) (lorawan.Command, []byte, error)) next {
		return func(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
			return change(clocksync.NextUplink(v, b))
		}
	}
	yes := func(lorawan.Command) bool { return true }
	if d := uplinks(); d.CheckWires() != nil || d.CheckBytes(1, input) != nil || d.CheckBytes(1, cut) != nil {
		t.Fatalf("no fault: %v, %v, %v", d.CheckWires(), d.CheckBytes(1, input), d.CheckBytes(1, cut))
	}
	for _, c := range []struct {
		name  string
		spoil func(*codectest.Direction)
		input []byte // nil: CheckWires must find it
		want  string
	}{
		{"other bytes", func(d *codectest.Direction) { d.Wires[0].Hex = "010000000016" }, nil, "wrote 010000000006"},
		{"RFU bits that count", func(d *codectest.Direction) { d.Wires[0].RFU = "0100000000f6" }, nil, "AnsRequired"},
		{"no such version", func(d *codectest.Direction) { d.Versions = []lorawan.Version{3} }, nil, "package version"},
		{"no hexadecimal digits", func(d *codectest.Direction) { d.Wires[0].RFU = "x" }, nil, "encoding/hex"},
		{"Next reads something else", func(d *codectest.Direction) {
			d.Next = wrap(func(_ lorawan.Command, b []byte, err error) (lorawan.Command, []byte, error) {
				return clocksync.AppTimeReq{}, b, err
			})
		}, input, "command 0 of the list"},
		{"Parse stops early", func(d *codectest.Direction) {
			d.Parse = func(v lorawan.Version, b []byte) ([]lorawan.Command, error) { return clocksync.ParseUplink(v, b[:6]) }
		}, input, "Next left 02"},
		{"an error that consumes", func(d *codectest.Direction) {
			d.Next = wrap(func(c lorawan.Command, b []byte, err error) (lorawan.Command, []byte, error) {
				if err != nil {
					return c, b[1:], err
				}
				return c, b, nil
			})
		}, cut, "consumes nothing"},
		{"written though unsendable", func(d *codectest.Direction) { d.Unsendable = yes }, input, "want a refusal"},
		{"not written though sendable", func(d *codectest.Direction) {
			d.Parse, d.Next = multicast.ParseDownlink, multicast.NextDownlink
		}, []byte{5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, "not a multiple"},
	} {
		d := uplinks()
		c.spoil(&d)
		err := d.CheckWires()
		if c.input != nil {
			err = d.CheckBytes(lorawan.V1, c.input)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOpenEndedCommandsAreCheckedAlone(t *testing.T) {
	d := uplinks()
	again := 0
	parse := d.Parse
	d.Parse = func(v lorawan.Version, b []byte) ([]lorawan.Command, error) { again++; return parse(v, b) }
	d.OpenEnded = func(lorawan.Command) bool { return true }
	if err := d.CheckBytes(lorawan.V1, []byte{1, 0, 0, 0, 0, 6}); err != nil || again != 1 {
		t.Errorf("%v, list read %d times, want once", err, again)
	}
}
