package multicast_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

var versions = []lorawan.Version{lorawan.V1, lorawan.V2}

// downlinks and uplinks hold one command of each kind and the same bytes with every RFU
// bit set. The layout is that of both versions.
type wire struct {
	cmd      lorawan.Command
	hex, rfu string
}

var mcAddr = lorawan.MustParseDevAddr("01020304")

var downlinks = []wire{
	{multicast.McGroupStatusReq{ReqGroupMask: 5}, "0105", "01f5"},
	{
		multicast.McGroupSetupReq{McGroupID: 2, McAddr: mcAddr, McKeyEncrypted: [16]byte{0xaa, 15: 0xbb}, MinMcFCnt: 0x05060708, MaxMcFCnt: 0x090a0b0c},
		"0202" + "04030201" + "aa0000000000000000000000000000bb" + "08070605" + "0c0b0a09",
		"02fe" + "04030201" + "aa0000000000000000000000000000bb" + "08070605" + "0c0b0a09",
	},
	{multicast.McGroupDeleteReq{McGroupID: 3}, "0303", "03ff"},
	{
		multicast.McClassCSessionReq{McGroupID: 1, SessionTime: 0x01020304, TimeOut: 8, DLFrequency: 869525000, DR: 3},
		"0401" + "04030201" + "08" + "d2ad84" + "03", "04fd" + "04030201" + "f8" + "d2ad84" + "f3",
	},
	{
		multicast.McClassBSessionReq{McGroupID: 1, SessionTime: 0x01020380, TimeOut: 3, Periodicity: 5, DR: 8},
		"0501" + "80030201" + "53" + "000000" + "08", "05fd" + "80030201" + "d3" + "000000" + "f8",
	},
}

var uplinks = []wire{
	{
		multicast.McGroupStatusAns{AnsGroupMask: 6, NbTotalGroups: 3, Groups: []multicast.McGroup{{1, mcAddr}, {2, lorawan.DevAddr{}}}},
		"0136" + "0104030201" + "0200000000", "01b6" + "fd04030201" + "fe00000000",
	},
	{multicast.McGroupStatusAns{}, "0100", "0180"},
	{multicast.McGroupSetupAns{McGroupID: 1, IDError: true}, "0205", "02fd"},
	{multicast.McGroupDeleteAns{McGroupID: 2, McGroupUndefined: true}, "0306", "03fe"},
	// The session answers have no RFU bits: what has no name yet is an error.
	{multicast.McClassCSessionAns{McGroupID: 1, TimeToStart: 0x010203}, "0401030201", "0401030201"},
	{multicast.McClassCSessionAns{McGroupID: 1, StartMissed: true}, "0421", "0421"},
	{multicast.McClassBSessionAns{McGroupID: 3, TimeToStart: multicast.TimeToStartMax}, "0503ffffff", "0503ffffff"},
	{multicast.McClassBSessionAns{DRError: true, FreqError: true, McGroupUndefined: true, StartMissed: true, Reserved: 3}, "05fc", "05fc"},
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) {
	check := func(v lorawan.Version, c wire, parse func(lorawan.Version, []byte) ([]lorawan.Command, error)) {
		t.Helper()
		if b, err := c.cmd.Append(nil, v); err != nil || hex.EncodeToString(b) != c.hex {
			t.Errorf("%v: wrote %x, %v; want %s", c.cmd, b, err, c.hex)
		}
		b, _ := hex.DecodeString(c.rfu)
		if got, err := parse(v, b); err != nil || !reflect.DeepEqual(got, []lorawan.Command{c.cmd}) {
			t.Errorf("%s: read %v, %v; want %v", c.rfu, got, err, c.cmd)
		}
	}
	for _, v := range versions {
		for _, c := range downlinks {
			check(v, c, multicast.ParseDownlink)
		}
		for _, c := range uplinks {
			check(v, c, multicast.ParseUplink)
		}
	}
}

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	group := multicast.McGroup{McGroupID: 4}
	for _, c := range []lorawan.Command{
		multicast.McGroupStatusReq{ReqGroupMask: 16},
		multicast.McGroupStatusAns{AnsGroupMask: 16, Groups: []multicast.McGroup{{}}},
		multicast.McGroupStatusAns{NbTotalGroups: 8},
		multicast.McGroupStatusAns{AnsGroupMask: 1},
		multicast.McGroupStatusAns{Groups: []multicast.McGroup{{}}},
		multicast.McGroupStatusAns{AnsGroupMask: 1, Groups: []multicast.McGroup{group}},
		multicast.McGroupSetupReq{McGroupID: 4},
		multicast.McGroupSetupAns{McGroupID: 4},
		multicast.McGroupDeleteReq{McGroupID: 4},
		multicast.McGroupDeleteAns{McGroupID: 4},
		multicast.McClassCSessionReq{McGroupID: 4},
		multicast.McClassCSessionReq{TimeOut: 16},
		multicast.McClassCSessionReq{DR: 16},
		multicast.McClassCSessionReq{DLFrequency: 869525050},
		multicast.McClassCSessionReq{DLFrequency: 1_200_000_000},
		multicast.McClassCSessionReq{DLFrequency: 2_399_999_900},
		multicast.McClassCSessionReq{DLFrequency: 2_400_000_100},
		multicast.McClassCSessionReq{DLFrequency: 3_355_443_200},
		multicast.McClassBSessionReq{McGroupID: 4},
		multicast.McClassBSessionReq{SessionTime: 127},
		multicast.McClassBSessionReq{TimeOut: 16},
		multicast.McClassBSessionReq{Periodicity: 8},
		multicast.McClassBSessionReq{DR: 16},
		multicast.McClassBSessionReq{DLFrequency: 1},
		multicast.McClassCSessionAns{McGroupID: 4},
		multicast.McClassCSessionAns{Reserved: 4},
		multicast.McClassCSessionAns{TimeToStart: 1 << 24},
		multicast.McClassCSessionAns{StartMissed: true, TimeToStart: 1},
		multicast.McClassBSessionAns{McGroupID: 4},
		multicast.McClassBSessionAns{Reserved: 1, TimeToStart: 1},
	} {
		for _, v := range versions {
			if b, err := c.Append([]byte{1}, v); !errors.Is(err, lorawan.ErrRange) || len(b) != 1 {
				t.Errorf("%v: % x, %v; want ErrRange", c, b, err)
			}
		}
	}
}

func TestFrequenciesSurviveTheWire(t *testing.T) {
	for _, hz := range []uint32{0, 100, 433_175_000, 868_100_000, 923_300_000, 1_199_999_900, 2_400_000_000, 2_403_000_200, 3_355_443_000} {
		want := multicast.McClassCSessionReq{DLFrequency: hz}
		b, err := want.Append(nil, lorawan.V1)
		if err != nil {
			t.Errorf("%d Hz: %v", hz, err)
			continue
		}
		if got, _, err := multicast.NextDownlink(lorawan.V1, b); err != nil || got != want {
			t.Errorf("%d Hz: %v, %v", hz, got, err)
		}
	}
}

func TestBadBeaconTimeIsReadByTheDevice(t *testing.T) {
	b, _ := hex.DecodeString("0501" + "81030201" + "53" + "000000" + "08")
	got, err := multicast.ParseDownlink(lorawan.V1, b)
	if err != nil || got[0].(multicast.McClassBSessionReq).SessionTime != 0x01020381 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestKeysStayOutOfTexts(t *testing.T) {
	c := multicast.McGroupSetupReq{McAddr: mcAddr, McKeyEncrypted: [16]byte{0xde, 0xad, 0xbe, 0xef}, MaxMcFCnt: 4294967295}
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %s\n", c, c, &c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("sent", "command", c)
	slog.New(slog.NewTextHandler(&out, nil)).Info("sent", "command", c)
	for _, leak := range []string{"dead", "222,173", "222 173", "Encrypted"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q shows the key: %s", leak, out.String())
		}
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		cmd  fmt.Stringer
		want string
	}{
		{multicast.McGroupSetupReq{McAddr: mcAddr, MaxMcFCnt: 4294967295}, "McGroupSetupReq group=0 addr=01020304 fcnt=0..4294967295"},
		{multicast.McGroupSetupAns{McGroupID: 1, IDError: true}, "McGroupSetupAns group=1 IDError"},
		{multicast.McGroupStatusReq{ReqGroupMask: 5}, "McGroupStatusReq groups=0101"},
		{multicast.McGroupStatusAns{AnsGroupMask: 4, NbTotalGroups: 1, Groups: []multicast.McGroup{{2, mcAddr}}}, "McGroupStatusAns total=1 2=01020304"},
		{multicast.McGroupDeleteReq{}, "McGroupDeleteReq group=0"},
		{multicast.McGroupDeleteAns{McGroupUndefined: true}, "McGroupDeleteAns group=0 McGroupUndefined"},
		{multicast.McClassCSessionReq{SessionTime: 9, TimeOut: 8, DLFrequency: 869525000}, "McClassCSessionReq group=0 start=9 for=4m16s freq=869525000 dr=0"},
		{multicast.McClassBSessionReq{SessionTime: 128, TimeOut: 3, DR: 3}, "McClassBSessionReq group=0 start=128 for=17m4s ping=1s dr=3"},
		{multicast.McClassBSessionReq{DLFrequency: 100, Periodicity: 7}, "McClassBSessionReq group=0 start=0 for=2m8s ping=2m8s freq=100 dr=0"},
		{multicast.McClassCSessionAns{TimeToStart: 60}, "McClassCSessionAns group=0 in=1m0s"},
		{multicast.McClassBSessionAns{McGroupID: 1, StartMissed: true, Reserved: 2}, "McClassBSessionAns group=1 StartMissed reserved=2"},
		{multicast.McClassCSessionAns{DRError: true, FreqError: true, McGroupUndefined: true}, "McClassCSessionAns group=0 DRError FreqError McGroupUndefined"},
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
			checkStable(t, v, b, multicast.NextDownlink)
		}
	})
}

func FuzzParseUplink(f *testing.F) {
	for _, c := range uplinks {
		b, _ := hex.DecodeString(c.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range versions {
			checkStable(t, v, b, multicast.NextUplink)
		}
	})
}

// checkStable requires of each command that what was read can be written, and reads the
// same again.
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
		// A device must be able to read a class B start that no server may send.
		req, classB := cmd.(multicast.McClassBSessionReq)
		if unsendable := classB && req.SessionTime%128 != 0; unsendable != (err != nil) {
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
