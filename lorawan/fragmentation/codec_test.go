package fragmentation_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

var versions = []lorawan.Version{lorawan.V1, lorawan.V2}

// wire is one command and the same bytes with every RFU bit set.
type wire struct {
	v        lorawan.Version
	cmd      lorawan.Command
	hex, rfu string
}

var downlinks = []wire{
	{1, fragmentation.FragSessionStatusReq{Participants: true, FragIndex: 2}, "0105", "01fd"},
	{2, fragmentation.FragSessionStatusReq{FragIndex: 1}, "0102", "01fa"},
	{
		1, fragmentation.FragSessionSetupReq{
			FragIndex: 2, McGroupBitMask: 5, NbFrag: 275, FragSize: 239, FragAlgo: 1, BlockAckDelay: 6,
			Padding: 9, Descriptor: [4]byte{1, 2, 3, 4},
		},
		"02251301ef0e0901020304", "02e51301efce0901020304",
	},
	{
		2, fragmentation.FragSessionSetupReq{
			FragIndex: 3, McGroupBitMask: 1, NbFrag: 275, FragSize: 239, BlockAckDelay: 7, AckReception: true,
			Padding: 9, Descriptor: [4]byte{1, 2, 3, 4}, SessionCnt: 0x0506, MIC: [4]byte{7, 8, 9, 10},
		},
		"02311301ef470901020304060507" + "08090a", "02f11301efc70901020304060507" + "08090a",
	},
	{1, fragmentation.FragSessionDeleteReq{FragIndex: 3}, "0303", "03ff"},
	{2, fragmentation.FragSessionDeleteReq{FragIndex: 1}, "0301", "03fd"},
	{2, fragmentation.FragDataBlockReceivedAns{FragIndex: 2}, "0402", "04fe"},
	{1, fragmentation.DataFragment{FragIndex: 1, N: 5, Data: []byte{9, 8}}, "0805400908", "0805400908"},
	{2, fragmentation.DataFragment{N: 16383, Data: []byte{9}}, "08ff3f09", "08ff3f09"},
}

var uplinks = []wire{
	{1, fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MissingFrag: 5, MemoryError: true}, "010e410501", "010e4105ff"},
	{2, fragmentation.FragSessionStatusAns{NbFragReceived: 270, FragIndex: 1, MissingFrag: 5, MICError: true}, "01020e4105", "01fa0e4105"},
	{2, fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}, "0104", "01fc"},
	{1, fragmentation.FragSessionSetupAns{FragIndex: 2, WrongDescriptor: true}, "0288", "02b8"},
	{2, fragmentation.FragSessionSetupAns{FragIndex: 3, SessionCntReplay: true}, "02d0", "02f0"},
	{1, fragmentation.FragSessionDeleteAns{FragIndex: 1, SessionDoesNotExist: true}, "0305", "03fd"},
	{2, fragmentation.FragDataBlockReceivedReq{FragIndex: 1, MICError: true}, "0405", "04fd"},
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) {
	check := func(c wire, parse func(lorawan.Version, []byte) ([]lorawan.Command, error)) {
		t.Helper()
		if b, err := c.cmd.Append(nil, c.v); err != nil || hex.EncodeToString(b) != c.hex {
			t.Errorf("%v: wrote %x, %v; want %s", c.cmd, b, err, c.hex)
		}
		b, _ := hex.DecodeString(c.rfu)
		if got, err := parse(c.v, b); err != nil || !reflect.DeepEqual(got, []lorawan.Command{c.cmd}) {
			t.Errorf("%s: read %v, %v; want %v", c.rfu, got, err, c.cmd)
		}
	}
	for _, c := range downlinks {
		check(c, fragmentation.ParseDownlink)
	}
	for _, c := range uplinks {
		check(c, fragmentation.ParseUplink)
	}
}

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	setup := fragmentation.FragSessionSetupReq{NbFrag: 1, FragSize: 1}
	with := func(change func(*fragmentation.FragSessionSetupReq)) lorawan.Command {
		c := setup
		change(&c)
		return c
	}
	for _, c := range []lorawan.Command{
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
	} {
		for _, v := range versions {
			if b, err := c.Append([]byte{1}, v); !errors.Is(err, lorawan.ErrRange) || len(b) != 1 {
				t.Errorf("%s %v: % x, %v; want ErrRange", v, c, b, err)
			}
		}
	}
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
	for _, c := range append(downlinks, uplinks...) {
		var want bool
		switch c.cmd.Name() {
		case "FragSessionStatusReq", "DataFragment":
			want = true
		}
		if got := fragmentation.MayBeMulticast(c.cmd); got != want {
			t.Errorf("%s: %v, want %v", c.cmd.Name(), got, want)
		}
	}
	if fragmentation.MayBeMulticast(lorawan.PackageVersionReq{}) {
		t.Error("PackageVersionReq may not be multicast")
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		cmd  fmt.Stringer
		want string
	}{
		{fragmentation.FragSessionSetupReq{NbFrag: 275, FragSize: 239, Padding: 9}, "FragSessionSetupReq index=0 nb=275 size=239 pad=9"},
		{
			fragmentation.FragSessionSetupReq{
				FragIndex: 1, McGroupBitMask: 5, NbFrag: 2, FragSize: 3, FragAlgo: 1, BlockAckDelay: 6,
				AckReception: true, Descriptor: [4]byte{1}, SessionCnt: 4, MIC: [4]byte{0xab},
			},
			"FragSessionSetupReq index=1 groups=0101 nb=2 size=3 algo=1 ackdelay=6 descriptor=01000000 cnt=4 mic=ab000000 AckReception",
		},
		{fragmentation.FragSessionSetupAns{}, "FragSessionSetupAns index=0"},
		{fragmentation.FragSessionSetupAns{NotEnoughMemory: true, SessionCntReplay: true}, "FragSessionSetupAns index=0 NotEnoughMemory SessionCntReplay"},
		{fragmentation.DataFragment{N: 12, Data: make([]byte, 48)}, "DataFragment index=0 n=12 size=48"},
		{fragmentation.FragSessionStatusReq{Participants: true}, "FragSessionStatusReq index=0 Participants"},
		{fragmentation.FragSessionStatusAns{NbFragReceived: 270, MissingFrag: 5}, "FragSessionStatusAns index=0 received=270 missing=5"},
		{fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}, "FragSessionStatusAns SessionDoesNotExist"},
		{fragmentation.FragSessionDeleteReq{FragIndex: 2}, "FragSessionDeleteReq index=2"},
		{fragmentation.FragSessionDeleteAns{SessionDoesNotExist: true}, "FragSessionDeleteAns index=0 SessionDoesNotExist"},
		{fragmentation.FragDataBlockReceivedReq{MICError: true}, "FragDataBlockReceivedReq index=0 MICError"},
		{fragmentation.FragDataBlockReceivedAns{}, "FragDataBlockReceivedAns index=0"},
	} {
		if got := c.cmd.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func FuzzParseDownlink(f *testing.F) {
	for _, c := range downlinks {
		b, _ := hex.DecodeString(c.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range versions {
			checkStable(t, v, b, fragmentation.NextDownlink)
		}
	})
}

func FuzzParseUplink(f *testing.F) {
	for _, c := range uplinks {
		b, _ := hex.DecodeString(c.hex)
		f.Add(b)
	}
	f.Add([]byte{0x01, 0x04, 0, 0, 0, 0x02, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range versions {
			checkStable(t, v, b, fragmentation.NextUplink)
		}
	})
}

// checkStable requires of each command that what was read can be written, and reads the
// same again. Commands are taken one by one because zeros after a session that does not
// exist read as its padding.
func checkStable(t *testing.T, v lorawan.Version, b []byte, next func(lorawan.Version, []byte) (lorawan.Command, []byte, error)) {
	t.Helper()
	for len(b) > 0 {
		cmd, rest, err := next(v, b)
		if err != nil {
			if len(rest) != len(b) {
				t.Fatalf("% x: error %v consumed bytes", b, err)
			}
			return
		}
		out, err := cmd.Append(nil, v)
		if unsendable(cmd) != (err != nil) {
			t.Fatalf("% x: %v: %v", b, cmd, err)
		}
		if err == nil {
			again, left, err := next(v, out)
			if err != nil || len(left) > 0 || !reflect.DeepEqual(again, cmd) {
				t.Fatalf("% x: %v, then %v, %v", b, cmd, again, err)
			}
		}
		b = rest
	}
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
