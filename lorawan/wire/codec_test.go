package wire_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

var lamp = SetLamp{Lamp: 3, On: true} // 01 0b

func TestOneCommandIsReadAndTheRestIsLeft(t *testing.T) {
	answer := lorawan.PackageVersionAns{PackageIdentifier: 9, PackageVersion: 2}
	for _, c := range []struct {
		name string
		next func(lorawan.Version, []byte) (lorawan.Command, []byte, error)
		v    lorawan.Version
		b    []byte
		want lorawan.Command
		rest []byte
		err  error
	}{
		{"a command", lamps.NextDownlink, 2, []byte{1, 0x0b, 7}, lamp, []byte{7}, nil},
		{"RFU bits are ignored", lamps.NextUplink, 2, []byte{1, 0xfb}, lamp, nil, nil},
		{"a version request in any version", lamps.NextDownlink, 0, []byte{0, 7}, lorawan.PackageVersionReq{}, []byte{7}, nil},
		{"a version answer in any version", lamps.NextUplink, 7, []byte{0, 9, 2, 7}, answer, []byte{7}, nil},
		{"a cut version answer", lamps.NextUplink, 0, []byte{0, 9}, nil, []byte{0, 9}, lorawan.ErrShort},
		{"nothing, down", lamps.NextDownlink, 2, nil, nil, nil, lorawan.ErrShort},
		{"nothing, up", lamps.NextUplink, 2, nil, nil, nil, lorawan.ErrShort},
		{"a cut command", lamps.NextUplink, 2, []byte{1}, nil, []byte{1}, lorawan.ErrShort},
		{"an unknown command", lamps.NextUplink, 2, []byte{2, 7}, nil, []byte{2, 7}, lorawan.ErrUnknownCID},
		{"a command of a later version", lamps.NextUplink, 1, []byte{1, 7}, nil, []byte{1, 7}, lorawan.ErrUnknownCID},
		{"no version", lamps.NextUplink, 0, []byte{1, 7}, nil, []byte{1, 7}, lorawan.ErrVersion},
		{"a version to come", lamps.NextDownlink, 3, []byte{1, 7}, nil, []byte{1, 7}, lorawan.ErrVersion},
	} {
		got, rest, err := c.next(c.v, c.b)
		if got != c.want || !slices.Equal(rest, c.rest) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %x, %v; want %v, %x, %v", c.name, got, rest, err, c.want, c.rest, c.err)
		}
	}
}

func TestListEndsAtTheFirstError(t *testing.T) {
	b := []byte{1, 0x0b, 2, 1, 0x0b}
	for _, parse := range []func(lorawan.Version, []byte) ([]lorawan.Command, error){lamps.ParseDownlink, lamps.ParseUplink} {
		got, err := parse(lorawan.V2, b)
		if !reflect.DeepEqual(got, []lorawan.Command{lamp}) || !errors.Is(err, lorawan.ErrUnknownCID) {
			t.Errorf("%v, %v; want what came before and ErrUnknownCID", got, err)
		}
		if got, err := parse(lorawan.V2, nil); got != nil || err != nil {
			t.Errorf("nothing: %v, %v; want nothing", got, err)
		}
	}
}

func TestUnknownCommandIsNamed(t *testing.T) {
	_, _, err := lamps.NextUplink(lorawan.V1, []byte{0x7f})
	if got, want := err.Error(), "package 9 1.0.0, uplink with CID 0x7f: "; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want it to begin with %q", got, want)
	}
}

func TestFields(t *testing.T) {
	if err := wire.CheckMax("X", "F", uint16(300), 300); err != nil {
		t.Errorf("300 of 300: %v", err)
	}
	if err := wire.CheckMax("X", "F", uint16(301), 300); !errors.Is(err, lorawan.ErrRange) || !strings.HasPrefix(err.Error(), "X: F 301 is above 300") {
		t.Errorf("301 of 300: %v, want ErrRange", err)
	}
	if wire.Bit(true, 4) != 4 || wire.Bit(false, 4) != 0 {
		t.Error("Bit is wrong")
	}
	if got := wire.Flag(wire.Flag("X", false, "Off"), true, "On"); got != "X On" {
		t.Errorf("%q, want %q", got, "X On")
	}
	b := wire.AppendUint24([]byte{9}, 0x010203)
	if !slices.Equal(b, []byte{9, 3, 2, 1}) || wire.Uint24(b[1:]) != 0x010203 {
		t.Errorf("% x, %#x", b, wire.Uint24(b[1:]))
	}
}
