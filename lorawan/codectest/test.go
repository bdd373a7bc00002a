package codectest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
)

// RoundTrip fails t where CheckWires finds something, and where there is nothing to check.
func RoundTrip(t *testing.T, directions ...Direction) {
	t.Helper()
	for _, d := range directions {
		if len(d.Versions) == 0 || len(d.Wires) == 0 {
			t.Errorf("%d commands in %d versions: nothing is checked", len(d.Wires), len(d.Versions))
		}
		if err := d.CheckWires(); err != nil {
			t.Error(err)
		}
	}
}

// Fuzz is the body of a fuzz target: CheckBytes on any bytes, starting from Wires and
// Seeds, in the versions of each direction.
func Fuzz(f *testing.F, directions ...Direction) {
	add := func(s string) {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, d := range directions {
		for _, w := range d.Wires {
			add(w.Hex)
			add(w.RFU)
		}
		for _, s := range d.Seeds {
			add(s)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, d := range directions {
			for _, v := range d.Versions {
				if err := d.CheckBytes(v, b); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// Refuses checks that no command can be written in any of the versions: the error is
// want, and what was there before is given back as it was.
func Refuses(t *testing.T, want error, versions []lorawan.Version, cmds ...lorawan.Command) {
	t.Helper()
	for _, v := range versions {
		for _, c := range cmds {
			if b, err := c.Append([]byte{0xaa}, v); !errors.Is(err, want) || len(b) != 1 || b[0] != 0xaa {
				t.Errorf("%s %v: % x, %v; want aa and %v", v, c, b, err, want)
			}
		}
	}
}

// Text checks how a command shows in a log.
func Text(t *testing.T, c fmt.Stringer, want string) {
	t.Helper()
	if got := c.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
