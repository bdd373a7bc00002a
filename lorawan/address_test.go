package lorawan_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
)

func TestEUI64TextForms(t *testing.T) {
	const want = "70b3d57ed0041dab"
	for _, s := range []string{want, "70B3D57ED0041DAB", "70-B3-D5-7E-D0-04-1D-AB", "70:b3:d5:7e:d0:04:1d:ab", " 70b3d57ed0041dab\n"} {
		e, err := lorawan.ParseEUI64(s)
		if err != nil || e.String() != want {
			t.Errorf("%q: %s, %v", s, e, err)
		}
	}
	for _, s := range []string{"", "70b3d57ed0041da", "70b3d57ed0041dabc", "70b3d57ed0041dax", "70b3d57ed0041dabab"} {
		if e, err := lorawan.ParseEUI64(s); !errors.Is(err, lorawan.ErrText) || !e.IsZero() {
			t.Errorf("%q: %s, %v; want ErrText", s, e, err)
		}
	}
}

func TestAddressesSurviveJSON(t *testing.T) {
	type device struct {
		DevEUI  lorawan.EUI64
		DevAddr lorawan.DevAddr
	}
	want := device{lorawan.MustParseEUI64("70b3d57ed0041dab"), lorawan.MustParseDevAddr("260b1234")}
	b, err := json.Marshal(want)
	if err != nil || string(b) != `{"DevEUI":"70b3d57ed0041dab","DevAddr":"260b1234"}` {
		t.Fatalf("%s, %v", b, err)
	}
	var got device
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"DevEUI":"70b3"}`), &got); !errors.Is(err, lorawan.ErrText) {
		t.Errorf("short DevEUI: %v, want ErrText", err)
	}
	if err := json.Unmarshal([]byte(`{"DevAddr":"zz0b1234"}`), &got); !errors.Is(err, lorawan.ErrText) {
		t.Errorf("bad DevAddr: %v, want ErrText", err)
	}
}

func TestDevAddrIsLittleEndianOnTheAir(t *testing.T) {
	a := lorawan.MustParseDevAddr("01020304")
	wire, err := a.AppendBinary([]byte{9})
	if err != nil || string(wire) != "\x09\x04\x03\x02\x01" {
		t.Errorf("% x, %v", wire, err)
	}
	if back := lorawan.DevAddrFromWire([4]byte(wire[1:])); back != a {
		t.Errorf("back to %s", back)
	}
	if a.Uint32() != 0x01020304 || a.IsZero() || !(lorawan.DevAddr{}).IsZero() {
		t.Error("Uint32 or IsZero is wrong")
	}
}

func TestEUI64OrderIsThatOfTheText(t *testing.T) {
	a, b := lorawan.MustParseEUI64("00000000000000ff"), lorawan.MustParseEUI64("0100000000000000")
	if a.Compare(b) != -1 || b.Compare(a) != 1 || a.Compare(a) != 0 {
		t.Error("Compare is wrong")
	}
}
