package lorawan_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
)

func TestMulticastFramesAreSealedAndOpened(t *testing.T) {
	var f struct {
		Cases []struct {
			McAddr     lorawan.DevAddr `json:"mc_addr"`
			McAppSKey  string          `json:"mc_app_s_key"`
			McNwkSKey  string          `json:"mc_nwk_s_key"`
			FCnt       uint32          `json:"fcnt32"`
			FPort      uint8           `json:"fport"`
			Clear      hexBytes        `json:"clear_hex"`
			FRMPayload hexBytes        `json:"frm_payload_hex"`
			PHYPayload hexBytes        `json:"phy_payload_hex"`
		}
	}
	readJSON(t, "multicast_frames.json", &f)
	if len(f.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range f.Cases {
		s := lorawan.NewSession(c.McAddr, lorawan.MustParseAES128Key(c.McNwkSKey), lorawan.MustParseAES128Key(c.McAppSKey))
		want := lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: c.FCnt, FPort: c.FPort, FRMPayload: c.Clear}
		phy := s.Seal(want)
		if !bytes.Equal(phy, c.PHYPayload) {
			t.Errorf("%s FCnt %d: sealed %x, want %x", c.McAddr, c.FCnt, phy, c.PHYPayload)
		}
		if frm := phy[lorawan.FrameOverhead-4 : len(phy)-4]; !bytes.Equal(frm, c.FRMPayload) {
			t.Errorf("%s FCnt %d: FRMPayload %x, want %x", c.McAddr, c.FCnt, frm, c.FRMPayload)
		}
		// The receiver knows the upper half of the counter from the frame before.
		next := c.FCnt - min(c.FCnt, 100)
		if got, err := s.Open(c.PHYPayload, next); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s FCnt %d: opened %+v, %v", c.McAddr, c.FCnt, got, err)
		}
	}
}

func testSession() lorawan.Session {
	return lorawan.NewSession(lorawan.MustParseDevAddr("01020304"), lorawan.AES128Key{1}, lorawan.AES128Key{2})
}

func TestEveryKindOfDataFrameRoundTrips(t *testing.T) {
	s := testSession()
	for _, dir := range []lorawan.Direction{lorawan.Uplink, lorawan.Downlink} {
		for _, flags := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
			for _, n := range []int{0, 1, 15, 16, 17, 242} {
				want := lorawan.DataFrame{
					Direction: dir, Confirmed: flags[0], ACK: flags[1],
					FCnt: 0x12345, FPort: 200, FRMPayload: bytes.Repeat([]byte{7}, n),
				}
				phy := s.Seal(want)
				if len(phy) != n+lorawan.FrameOverhead {
					t.Fatalf("%d bytes sealed to %d", n, len(phy))
				}
				got, err := s.Open(phy, 0x12340)
				if err != nil || got.Direction != want.Direction || got.Confirmed != want.Confirmed ||
					got.ACK != want.ACK || got.FCnt != want.FCnt || got.FPort != want.FPort ||
					!bytes.Equal(got.FRMPayload, want.FRMPayload) {
					t.Fatalf("opened %+v, %v; want %+v", got, err, want)
				}
			}
		}
	}
}

func TestCounterContinuesAcrossSixteenBits(t *testing.T) {
	s := testSession()
	for _, c := range []struct {
		name       string
		fcnt, next uint32
		opens      bool
	}{
		{"expected", 70000, 70000, true},
		{"some lost", 70010, 70000, true},
		{"65535 lost", 70000 + 65535, 70000, true},
		{"65536 lost", 70000 + 65536, 70000, false},
		{"repeated", 69999, 70000, false},
		{"wrap of the lower half", 0x1_0000, 0xffff, true},
		{"last of all", math.MaxUint32, math.MaxUint32, true},
		{"first again after the last", 5, math.MaxUint32, false},
		{"first again near the end", 5, math.MaxUint32 - 10, false},
	} {
		phy := s.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: c.fcnt, FPort: 1, FRMPayload: []byte{1}})
		f, err := s.Open(phy, c.next)
		switch {
		case c.opens && (err != nil || f.FCnt != c.fcnt):
			t.Errorf("%s: FCnt %d, %v; want %d", c.name, f.FCnt, err, c.fcnt)
		case !c.opens && !errors.Is(err, lorawan.ErrMIC):
			t.Errorf("%s: FCnt %d, %v; want ErrMIC", c.name, f.FCnt, err)
		}
	}
}

func TestAnyChangedBitIsRefused(t *testing.T) {
	s := testSession()
	phy := s.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: 3, FPort: 201, FRMPayload: []byte("fragment")})
	for bit := range 8 * len(phy) {
		bad := bytes.Clone(phy)
		bad[bit/8] ^= 1 << (bit % 8)
		if f, err := s.Open(bad, 0); err == nil {
			t.Errorf("bit %d changed: opened %+v", bit, f)
		}
	}
	for n := range phy {
		if f, err := s.Open(phy[:n], 0); err == nil {
			t.Errorf("cut to %d bytes: opened %+v", n, f)
		}
	}
}

func TestFrameAddrRefusesOtherFrames(t *testing.T) {
	phy := testSession().Seal(lorawan.DataFrame{FCnt: 1, FPort: 1})
	if addr, err := lorawan.FrameAddr(phy); err != nil || addr.String() != "01020304" {
		t.Errorf("%s, %v", addr, err)
	}
	for _, mtype := range []byte{0, 1, 6, 7} { // join request, join accept, rejoin, proprietary
		phy[0] = mtype << 5
		if _, err := lorawan.FrameAddr(phy); !errors.Is(err, lorawan.ErrFrame) {
			t.Errorf("MType %d: %v, want ErrFrame", mtype, err)
		}
	}
	if _, err := lorawan.FrameAddr(phy[:11]); !errors.Is(err, lorawan.ErrFrame) {
		t.Errorf("11 bytes: %v, want ErrFrame", err)
	}
	other := lorawan.NewSession(lorawan.DevAddr{9}, lorawan.AES128Key{1}, lorawan.AES128Key{2})
	if _, err := other.Open(testSession().Seal(lorawan.DataFrame{FPort: 1}), 0); !errors.Is(err, lorawan.ErrFrame) {
		t.Errorf("frame of another address: %v, want ErrFrame", err)
	}
}

func FuzzOpen(f *testing.F) {
	s := testSession()
	f.Add(s.Seal(lorawan.DataFrame{FCnt: 1, FPort: 1, FRMPayload: []byte{1, 2, 3}}), uint32(0))
	f.Add(s.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: math.MaxUint32, FPort: 201}), uint32(math.MaxUint32))
	f.Add([]byte{0x60, 4, 3, 2, 1, 0x0f, 0, 0, 0, 0, 0, 0}, uint32(7))
	f.Fuzz(func(t *testing.T, phy []byte, next uint32) {
		if got, err := s.Open(phy, next); err == nil && got.FCnt < next {
			t.Errorf("FCnt %d below %d", got.FCnt, next)
		}
	})
}

// BenchmarkSession is a fragment of 239 bytes: what a multicast session carries by the thousand.
func BenchmarkSession(b *testing.B) {
	s := testSession()
	f := lorawan.DataFrame{Direction: lorawan.Downlink, FPort: 201, FRMPayload: make([]byte, 242)}
	phy := s.Seal(f)
	b.Run("Seal", func(b *testing.B) {
		for b.Loop() {
			s.Seal(f)
		}
	})
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Open(phy, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
