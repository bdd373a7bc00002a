package fragmentation_test

import (
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/codectest"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

var versions = []lorawan.Version{lorawan.V1, lorawan.V2}

// One command of each kind, by direction and version.
var downlinksV1 = codectest.Direction{
	Versions: []lorawan.Version{lorawan.V1},
	Parse:    fragmentation.ParseDownlink, Next: fragmentation.NextDownlink,
	Wires: []codectest.Wire{
		{Command: fragmentation.FragSessionStatusReq{Participants: true, FragIndex: 2}, Hex: "0105", RFU: "01fd"},
		{
			Command: fragmentation.FragSessionSetupReq{
				FragIndex: 2, McGroupBitMask: 5, NbFrag: 275, FragSize: 239, FragAlgo: 1, BlockAckDelay: 6,
				Padding: 9, Descriptor: [4]byte{1, 2, 3, 4},
			},
			Hex: "02251301ef0e0901020304",
			RFU: "02e51301efce0901020304",
		},
		{Command: fragmentation.FragSessionDeleteReq{FragIndex: 3}, Hex: "0303", RFU: "03ff"},
		{Command: fragmentation.DataFragment{FragIndex: 1, N: 5, Data: []byte{9, 8}}, Hex: "0805400908", RFU: "0805400908"},
	},
	Unsendable: unsendable,
}

var downlinksV2 = codectest.Direction{
	Versions: []lorawan.Version{lorawan.V2},
	Parse:    fragmentation.ParseDownlink, Next: fragmentation.NextDownlink,
	Wires: []codectest.Wire{
		{Command: fragmentation.FragSessionStatusReq{FragIndex: 1}, Hex: "0102", RFU: "01fa"},
		{
			Command: fragmentation.FragSessionSetupReq{
				FragIndex: 3, McGroupBitMask: 1, NbFrag: 275, FragSize: 239, BlockAckDelay: 7, AckReception: true,
				Padding: 9, Descriptor: [4]byte{1, 2, 3, 4}, SessionCnt: 0x0506, MIC: [4]byte{7, 8, 9, 10},
			},
			Hex: "02311301ef470901020304060507" + "08090a",
			RFU: "02f11301efc70901020304060507" + "08090a",
		},
		{Command: fragmentation.FragSessionDeleteReq{FragIndex: 1}, Hex: "0301", RFU: "03fd"},
		{Command: fragmentation.FragDataBlockReceivedAns{FragIndex: 2}, Hex: "0402", RFU: "04fe"},
		{Command: fragmentation.DataFragment{N: 16383, Data: []byte{9}}, Hex: "08ff3f09", RFU: "08ff3f09"},
	},
	Unsendable: unsendable,
}

var uplinksV1 = codectest.Direction{
	Versions: []lorawan.Version{lorawan.V1},
	Parse:    fragmentation.ParseUplink, Next: fragmentation.NextUplink,
	Wires: []codectest.Wire{
		{Command: fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MissingFrag: 5, MemoryError: true}, Hex: "010e410501", RFU: "010e4105ff"},
		{Command: fragmentation.FragSessionSetupAns{FragIndex: 2, WrongDescriptor: true}, Hex: "0288", RFU: "02b8"},
		{Command: fragmentation.FragSessionDeleteAns{FragIndex: 1, SessionDoesNotExist: true}, Hex: "0305", RFU: "03fd"},
	},
	Seeds: []string{"0104000000" + "0200"},
}

var uplinksV2 = codectest.Direction{
	Versions: []lorawan.Version{lorawan.V2},
	Parse:    fragmentation.ParseUplink, Next: fragmentation.NextUplink,
	Wires: []codectest.Wire{
		{Command: fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MissingFrag: 5, MICError: true}, Hex: "01020e4105", RFU: "01fa0e4105"},
		{Command: fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}, Hex: "0104", RFU: "01fc"},
		{Command: fragmentation.FragSessionSetupAns{FragIndex: 3, SessionCntReplay: true}, Hex: "02d0", RFU: "02f0"},
		{Command: fragmentation.FragDataBlockReceivedReq{FragIndex: 1, MICError: true}, Hex: "0405", RFU: "04fd"},
	},
	Seeds: []string{"0104000000" + "0200"},
	// Zeros after a session that does not exist read as its padding.
	OpenEnded: func(c lorawan.Command) bool {
		ans, status := c.(fragmentation.FragSessionStatusAns)
		return status && ans.SessionDoesNotExist
	},
}

// unsendable tells the commands that a device must be able to read, to refuse them, and
// that no server may send.
func unsendable(cmd lorawan.Command) bool {
	switch c := cmd.(type) {
	case fragmentation.FragSessionSetupReq:
		return c.NbFrag == 0 || c.NbFrag > fragmentation.MaxNbFrag || c.FragSize == 0
	case fragmentation.DataFragment:
		return c.N == 0
	}
	return false
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) {
	codectest.RoundTrip(t, downlinksV1, downlinksV2, uplinksV1, uplinksV2)
}

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	setup := fragmentation.FragSessionSetupReq{NbFrag: 1, FragSize: 1}
	with := func(change func(*fragmentation.FragSessionSetupReq)) lorawan.Command {
		c := setup
		change(&c)
		return c
	}
	codectest.Refuses(t, lorawan.ErrRange, versions,
		fragmentation.FragSessionStatusReq{FragIndex: 4},
		fragmentation.FragSessionStatusAns{FragIndex: 4},
		fragmentation.FragSessionStatusAns{NbFragReceived: 16384},
		fragmentation.FragSessionSetupAns{FragIndex: 4},
		fragmentation.FragSessionDeleteReq{FragIndex: 4},
		fragmentation.FragSessionDeleteAns{FragIndex: 4},
		fragmentation.DataFragment{FragIndex: 4, N: 1, Data: []byte{1}},
		fragmentation.DataFragment{N: 0, Data: []byte{1}},
		fragmentation.DataFragment{N: 16384, Data: []byte{1}},
		fragmentation.DataFragment{N: 1},
		fragmentation.DataFragment{N: 1, Data: make([]byte, 256)},
		with(func(c *fragmentation.FragSessionSetupReq) { c.FragIndex = 4 }),
		with(func(c *fragmentation.FragSessionSetupReq) { c.McGroupBitMask = 16 }),
		with(func(c *fragmentation.FragSessionSetupReq) { c.NbFrag = 0 }),
		with(func(c *fragmentation.FragSessionSetupReq) { c.NbFrag = 16384 }),
		with(func(c *fragmentation.FragSessionSetupReq) { c.FragSize = 0 }),
		with(func(c *fragmentation.FragSessionSetupReq) { c.FragAlgo = 8 }),
		with(func(c *fragmentation.FragSessionSetupReq) { c.BlockAckDelay = 8 }),
	)
	for _, v := range versions {
		if _, err := setup.Append(nil, v); err != nil {
			t.Errorf("%s %v: %v", v, setup, err)
		}
	}
}

func TestVersion1RefusesWhatItCannotSay(t *testing.T) {
	for _, c := range []lorawan.Command{
		fragmentation.FragSessionSetupReq{NbFrag: 1, FragSize: 1, AckReception: true},
		fragmentation.FragSessionSetupReq{NbFrag: 1, FragSize: 1, SessionCnt: 1},
		fragmentation.FragSessionSetupReq{NbFrag: 1, FragSize: 1, MIC: [4]byte{1}},
		fragmentation.FragSessionSetupAns{SessionCntReplay: true},
		fragmentation.FragSessionStatusAns{MICError: true},
		fragmentation.FragSessionStatusAns{SessionDoesNotExist: true},
	} {
		if b, err := c.Append(nil, lorawan.V1); !errors.Is(err, lorawan.ErrRange) || len(b) > 0 {
			t.Errorf("%v in 1.0.0: % x, %v; want ErrRange", c, b, err)
		}
		if _, err := c.Append(nil, lorawan.V2); err != nil {
			t.Errorf("%v in 2.0.0: %v", c, err)
		}
	}
	for _, c := range []lorawan.Command{fragmentation.FragDataBlockReceivedReq{}, fragmentation.FragDataBlockReceivedAns{}} {
		if _, err := c.Append(nil, lorawan.V1); !errors.Is(err, lorawan.ErrVersion) {
			t.Errorf("%v in 1.0.0: %v, want ErrVersion", c, err)
		}
	}
	if _, err := (fragmentation.FragDataBlockReceivedReq{FragIndex: 4}).Append(nil, lorawan.V2); !errors.Is(err, lorawan.ErrRange) {
		t.Errorf("FragIndex 4: %v, want ErrRange", err)
	}
	if _, err := (fragmentation.FragDataBlockReceivedAns{FragIndex: 4}).Append(nil, lorawan.V2); !errors.Is(err, lorawan.ErrRange) {
		t.Errorf("FragIndex 4: %v, want ErrRange", err)
	}
	if _, err := (fragmentation.FragSessionStatusAns{SessionDoesNotExist: true, NbFragReceived: 1}).Append(nil, lorawan.V2); !errors.Is(err, lorawan.ErrRange) {
		t.Errorf("fragments of a session that does not exist: %v, want ErrRange", err)
	}
}

func TestNoSessionAnswerIsShortOrPadded(t *testing.T) {
	no := fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}
	setup := fragmentation.FragSessionSetupAns{}
	version := lorawan.PackageVersionAns{PackageIdentifier: lorawan.Fragmentation, PackageVersion: 2}
	for _, c := range []struct {
		name, hex string
		want      []lorawan.Command
	}{
		{"short", "0104", []lorawan.Command{no}},
		{"short, then another answer", "0104" + "0200", []lorawan.Command{no, setup}},
		{"short, then a version", "0104" + "000302", []lorawan.Command{no, version}},
		{"short, then two answers", "0104" + "0200" + "0300", []lorawan.Command{no, setup, fragmentation.FragSessionDeleteAns{}}},
		{"padded with zeros", "0104" + "000000", []lorawan.Command{no}},
		{"padded, FragIndex kept", "0104" + "00c000", []lorawan.Command{no}},
		{"padded, then another answer", "0104" + "000000" + "0200", []lorawan.Command{no, setup}},
		{"padded, then a version", "0104" + "000000" + "000302", []lorawan.Command{no, version}},
		{"padded with numbers", "0104" + "140005", []lorawan.Command{no}},
	} {
		b, _ := hex.DecodeString(c.hex)
		if got, err := fragmentation.ParseUplink(lorawan.V2, b); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s: %v, %v; want %v", c.name, c.hex, got, err, c.want)
		}
	}
}

func TestRefusedIsAnyErrorBit(t *testing.T) {
	if (fragmentation.FragSessionSetupAns{FragIndex: 3}).Refused() {
		t.Error("no error bit, but refused")
	}
	for bit := range 5 {
		got, _, err := fragmentation.NextUplink(lorawan.V2, []byte{0x02, 1 << bit})
		if err != nil || !got.(fragmentation.FragSessionSetupAns).Refused() {
			t.Errorf("bit %d: %v, %v; want refused", bit, got, err)
		}
	}
}

func TestDeviceReadsSetupsItMustRefuse(t *testing.T) {
	for _, body := range []string{"0200" + "0000" + "01" + "000001020304", "0200" + "ffff" + "00" + "000001020304"} {
		b, _ := hex.DecodeString(body)
		if got, err := fragmentation.ParseDownlink(lorawan.V1, b); err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

func TestFragmentTakesTheRestOfTheFrame(t *testing.T) {
	b := []byte{0x01, 0x01, 0x08, 0x01, 0x00, 0x02, 0x00}
	got, err := fragmentation.ParseDownlink(lorawan.V1, b)
	want := []lorawan.Command{
		fragmentation.FragSessionStatusReq{Participants: true},
		fragmentation.DataFragment{N: 1, Data: []byte{0x02, 0x00}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	// Appending to the data must not write into the payload it was cut from.
	long := append(b[:len(b):len(b)], 0xee)[:len(b)]
	got, _ = fragmentation.ParseDownlink(lorawan.V1, long)
	_ = append(got[1].(fragmentation.DataFragment).Data, 0)
	if long[:len(b)+1][len(b)] != 0xee {
		t.Error("the payload was overwritten")
	}
	if _, err := fragmentation.ParseDownlink(lorawan.V1, make([]byte, 0)); err != nil {
		t.Errorf("nothing: %v", err)
	}
	tooLong := append([]byte{0x08, 1, 0}, make([]byte, 256)...)
	if _, err := fragmentation.ParseDownlink(lorawan.V1, tooLong); !errors.Is(err, lorawan.ErrRange) {
		t.Errorf("256 bytes of data: %v, want ErrRange", err)
	}
}

func TestBlockSizeLeavesOutThePadding(t *testing.T) {
	c := fragmentation.FragSessionSetupReq{NbFrag: 275, FragSize: 239, Padding: 9}
	if got := c.BlockSize(); got != 65716 {
		t.Errorf("%d bytes, want 65716", got)
	}
}

func TestOnlyStatusRequestsAndFragmentsMayBeMulticast(t *testing.T) {
	for _, w := range slices.Concat(downlinksV1.Wires, downlinksV2.Wires, uplinksV1.Wires, uplinksV2.Wires) {
		var want bool
		switch w.Command.Name() {
		case "FragSessionStatusReq", "DataFragment":
			want = true
		}
		if got := fragmentation.MayBeMulticast(w.Command); got != want {
			t.Errorf("%s: %v, want %v", w.Command.Name(), got, want)
		}
	}
	if fragmentation.MayBeMulticast(lorawan.PackageVersionReq{}) {
		t.Error("PackageVersionReq may not be multicast")
	}
}

func TestTexts(t *testing.T) {
	codectest.Text(t, fragmentation.FragSessionSetupReq{NbFrag: 275, FragSize: 239, Padding: 9}, "FragSessionSetupReq index=0 nb=275 size=239 pad=9")
	codectest.Text(t, fragmentation.FragSessionSetupReq{
		FragIndex: 1, McGroupBitMask: 5, NbFrag: 2, FragSize: 3, FragAlgo: 1, BlockAckDelay: 6,
		AckReception: true, Descriptor: [4]byte{1}, SessionCnt: 4, MIC: [4]byte{0xab},
	},
		"FragSessionSetupReq index=1 groups=0101 nb=2 size=3 algo=1 ackdelay=6 descriptor=01000000 cnt=4 mic=ab000000 AckReception")
	codectest.Text(t, fragmentation.FragSessionSetupAns{}, "FragSessionSetupAns index=0")
	codectest.Text(t, fragmentation.FragSessionSetupAns{NotEnoughMemory: true, SessionCntReplay: true}, "FragSessionSetupAns index=0 NotEnoughMemory SessionCntReplay")
	codectest.Text(t, fragmentation.DataFragment{N: 12, Data: make([]byte, 48)}, "DataFragment index=0 n=12 size=48")
	codectest.Text(t, fragmentation.FragSessionStatusReq{Participants: true}, "FragSessionStatusReq index=0 Participants")
	codectest.Text(t, fragmentation.FragSessionStatusAns{NbFragReceived: 270, MissingFrag: 5}, "FragSessionStatusAns index=0 received=270 missing=5")
	codectest.Text(t, fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}, "FragSessionStatusAns SessionDoesNotExist")
	codectest.Text(t, fragmentation.FragSessionDeleteReq{FragIndex: 2}, "FragSessionDeleteReq index=2")
	codectest.Text(t, fragmentation.FragSessionDeleteAns{SessionDoesNotExist: true}, "FragSessionDeleteAns index=0 SessionDoesNotExist")
	codectest.Text(t, fragmentation.FragDataBlockReceivedReq{MICError: true}, "FragDataBlockReceivedReq index=0 MICError")
	codectest.Text(t, fragmentation.FragDataBlockReceivedAns{}, "FragDataBlockReceivedAns index=0")
}

func FuzzParseDownlink(f *testing.F) { codectest.Fuzz(f, downlinksV1, downlinksV2) }

func FuzzParseUplink(f *testing.F) { codectest.Fuzz(f, uplinksV1, uplinksV2) }
