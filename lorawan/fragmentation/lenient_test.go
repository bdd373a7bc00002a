package fragmentation_test

import (
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

func TestStatusOfAMixedUpDeviceIsReadAgain(t *testing.T) {
	asked := fragmentation.Expect{FragIndex: 1, FragmentsSent: 300}
	for _, c := range []struct {
		name string
		hex  string
		want fragmentation.Expect
		ans  fragmentation.FragSessionStatusAns
	}{
		{"order of 2.0.0", "01000e4105", asked, fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MissingFrag: 5}},
		{"order of 2.0.0 with errors", "01030e4100", asked, fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MemoryError: true, MICError: true}},
		{"order of 1.0.0", "010e410500", asked, fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MissingFrag: 5}},
		{"order of 1.0.0, memory error", "010e410501", asked, fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MissingFrag: 5, MemoryError: true}},
		{
			// Read as 2.0.0 this says that there is no session.
			"order of 1.0.0, 20 received", "0114000000", fragmentation.Expect{FragmentsSent: 20},
			fragmentation.FragSessionStatusAns{NbFragReceived: 20},
		},
		{
			"order of 1.0.0, few received, index tells", "0103400200", asked,
			fragmentation.FragSessionStatusAns{NbFragReceived: 3, FragIndex: 1, MissingFrag: 2},
		},
		{
			"order of 1.0.0, few received, nothing tells: the specification wins", "0103000000", fragmentation.Expect{FragmentsSent: 300},
			fragmentation.FragSessionStatusAns{MemoryError: true, MICError: true},
		},
		{
			"the same with a profile that knows", "0103000000", fragmentation.Expect{FragmentsSent: 300, V1Order: true},
			fragmentation.FragSessionStatusAns{NbFragReceived: 3},
		},
		{"neither plausible: the specification wins", "01ff0e81ff", asked, fragmentation.FragSessionStatusAns{MemoryError: true, MICError: true, SessionDoesNotExist: true}},
		{"no session, short", "0104", asked, fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}},
		{"no session, short, with a profile that knows", "0104", fragmentation.Expect{V1Order: true}, fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}},
		{"no session, padded", "0104000000", asked, fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}},
	} {
		b, _ := hex.DecodeString(c.hex)
		got, _, err := fragmentation.ParseStatusAnsLenient(b, c.want)
		if err != nil || got != c.ans {
			t.Errorf("%s %s: %v, %v; want %v", c.name, c.hex, got, err, c.ans)
		}
	}
}

// A device that follows the specification must not be read the other way round, as far
// as its numbers are possible.
func TestSpecificationOrderIsNeverReadAgain(t *testing.T) {
	for sent := uint16(1); sent < 2000; sent += 37 {
		for received := uint16(0); received <= sent; received += 13 {
			for _, missing := range []uint8{0, 1, 5, 255} {
				want := fragmentation.FragSessionStatusAns{NbFragReceived: received, FragIndex: 2, MissingFrag: missing}
				b, err := want.Append(nil, lorawan.V2)
				if err != nil {
					t.Fatal(err)
				}
				got, rest, err := fragmentation.ParseStatusAnsLenient(b, fragmentation.Expect{FragIndex: 2, FragmentsSent: sent})
				if err != nil || len(rest) > 0 || got != want {
					t.Fatalf("% x with %d sent: %v, %v; want %v", b, sent, got, err, want)
				}
			}
		}
	}
}

func TestLenientUplinkReadsTheOtherAnswersToo(t *testing.T) {
	b, _ := hex.DecodeString("0200" + "010e010500" + "0405" + "0104")
	got, err := fragmentation.ParseUplinkLenient(b, fragmentation.Expect{FragmentsSent: 300})
	want := []lorawan.Command{
		fragmentation.FragSessionSetupAns{},
		fragmentation.FragSessionStatusAns{NbFragReceived: 270, MissingFrag: 5},
		fragmentation.FragDataBlockReceivedReq{FragIndex: 1, MICError: true},
		fragmentation.FragSessionStatusAns{SessionDoesNotExist: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	got, err = fragmentation.ParseUplinkLenient([]byte{0x02, 0x00, 0x01, 0x00, 0x05}, fragmentation.Expect{})
	if len(got) != 1 || !errors.Is(err, lorawan.ErrShort) {
		t.Errorf("cut answer: %v, %v; want the first command and ErrShort", got, err)
	}
	if _, _, err := fragmentation.ParseStatusAnsLenient([]byte{0x02, 0x00}, fragmentation.Expect{}); !errors.Is(err, lorawan.ErrUnknownCID) {
		t.Errorf("another command: %v, want ErrUnknownCID", err)
	}
}

func FuzzParseUplinkLenient(f *testing.F) {
	for _, w := range slices.Concat(uplinksV1.Wires, uplinksV2.Wires) {
		b, _ := hex.DecodeString(w.Hex)
		f.Add(b, uint8(0), uint16(300), false)
	}
	f.Add([]byte{0x01, 0x14, 0, 0, 0}, uint8(0), uint16(20), true)
	f.Fuzz(func(t *testing.T, b []byte, index uint8, sent uint16, v1 bool) {
		got, err := fragmentation.ParseUplinkLenient(b, fragmentation.Expect{FragIndex: index, FragmentsSent: sent, V1Order: v1})
		if err == nil && len(got) == 0 && len(b) > 0 {
			t.Errorf("% x vanished", b)
		}
		for _, c := range got {
			if _, err := c.Append(nil, lorawan.V2); err != nil {
				t.Errorf("% x: %v: %v", b, c, err)
			}
		}
	})
}
