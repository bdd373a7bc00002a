package multicast_test

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/codectest"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

var versions = []lorawan.Version{lorawan.V1, lorawan.V2}

var mcAddr = lorawan.MustParseDevAddr("01020304")

// downlinks and uplinks hold one command of each kind. The layout is that of both versions.
var downlinks = codectest.Direction{
	Versions: versions,
	Parse:    multicast.ParseDownlink, Next: multicast.NextDownlink,
	Wires: []codectest.Wire{
		{Command: multicast.McGroupStatusReq{ReqGroupMask: 5}, Hex: "0105", RFU: "01f5"},
		{
			Command: multicast.McGroupSetupReq{McGroupID: 2, McAddr: mcAddr, McKeyEncrypted: [16]byte{0xaa, 15: 0xbb}, MinMcFCnt: 0x05060708, MaxMcFCnt: 0x090a0b0c},
			Hex:     "0202" + "04030201" + "aa0000000000000000000000000000bb" + "08070605" + "0c0b0a09",
			RFU:     "02fe" + "04030201" + "aa0000000000000000000000000000bb" + "08070605" + "0c0b0a09",
		},
		{Command: multicast.McGroupDeleteReq{McGroupID: 3}, Hex: "0303", RFU: "03ff"},
		{
			Command: multicast.McClassCSessionReq{McGroupID: 1, SessionTime: 0x01020304, TimeOut: 8, DLFrequency: 869525000, DR: 3},
			Hex:     "0401" + "04030201" + "08" + "d2ad84" + "03",
			RFU:     "04fd" + "04030201" + "f8" + "d2ad84" + "f3",
		},
		{
			Command: multicast.McClassBSessionReq{McGroupID: 1, SessionTime: 0x01020380, TimeOut: 3, Periodicity: 5, DR: 8},
			Hex:     "0501" + "80030201" + "53" + "000000" + "08",
			RFU:     "05fd" + "80030201" + "d3" + "000000" + "f8",
		},
	},
	// A device must be able to read a class B start that no server may send.
	Unsendable: func(c lorawan.Command) bool {
		req, classB := c.(multicast.McClassBSessionReq)
		return classB && req.SessionTime%128 != 0
	},
}

var uplinks = codectest.Direction{
	Versions: versions,
	Parse:    multicast.ParseUplink, Next: multicast.NextUplink,
	Wires: []codectest.Wire{
		{
			Command: multicast.McGroupStatusAns{AnsGroupMask: 6, NbTotalGroups: 3, Groups: []multicast.McGroup{{1, mcAddr}, {2, lorawan.DevAddr{}}}},
			Hex:     "0136" + "0104030201" + "0200000000",
			RFU:     "01b6" + "fd04030201" + "fe00000000",
		},
		{Command: multicast.McGroupStatusAns{}, Hex: "0100", RFU: "0180"},
		{Command: multicast.McGroupSetupAns{McGroupID: 1, IDError: true}, Hex: "0205", RFU: "02fd"},
		{Command: multicast.McGroupDeleteAns{McGroupID: 2, McGroupUndefined: true}, Hex: "0306", RFU: "03fe"},
		// The session answers have no RFU bits: what has no name yet is an error.
		{Command: multicast.McClassCSessionAns{McGroupID: 1, TimeToStart: 0x010203}, Hex: "0401030201", RFU: "0401030201"},
		{Command: multicast.McClassCSessionAns{McGroupID: 1, StartMissed: true}, Hex: "0421", RFU: "0421"},
		{Command: multicast.McClassBSessionAns{McGroupID: 3, TimeToStart: multicast.TimeToStartMax}, Hex: "0503ffffff", RFU: "0503ffffff"},
		{Command: multicast.McClassBSessionAns{DRError: true, FreqError: true, McGroupUndefined: true, StartMissed: true, Reserved: 3}, Hex: "05fc", RFU: "05fc"},
	},
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) { codectest.RoundTrip(t, downlinks, uplinks) }

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	group := multicast.McGroup{McGroupID: 4}
	codectest.Refuses(t, lorawan.ErrRange, versions,
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
	)
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
	codectest.Text(t, multicast.McGroupSetupReq{McAddr: mcAddr, MaxMcFCnt: 4294967295}, "McGroupSetupReq group=0 addr=01020304 fcnt=0..4294967295")
	codectest.Text(t, multicast.McGroupSetupAns{McGroupID: 1, IDError: true}, "McGroupSetupAns group=1 IDError")
	codectest.Text(t, multicast.McGroupStatusReq{ReqGroupMask: 5}, "McGroupStatusReq groups=0101")
	codectest.Text(t, multicast.McGroupStatusAns{AnsGroupMask: 4, NbTotalGroups: 1, Groups: []multicast.McGroup{{2, mcAddr}}}, "McGroupStatusAns total=1 2=01020304")
	codectest.Text(t, multicast.McGroupDeleteReq{}, "McGroupDeleteReq group=0")
	codectest.Text(t, multicast.McGroupDeleteAns{McGroupUndefined: true}, "McGroupDeleteAns group=0 McGroupUndefined")
	codectest.Text(t, multicast.McClassCSessionReq{SessionTime: 9, TimeOut: 8, DLFrequency: 869525000}, "McClassCSessionReq group=0 start=9 for=4m16s freq=869525000 dr=0")
	codectest.Text(t, multicast.McClassBSessionReq{SessionTime: 128, TimeOut: 3, DR: 3}, "McClassBSessionReq group=0 start=128 for=17m4s ping=1s dr=3")
	codectest.Text(t, multicast.McClassBSessionReq{DLFrequency: 100, Periodicity: 7}, "McClassBSessionReq group=0 start=0 for=2m8s ping=2m8s freq=100 dr=0")
	codectest.Text(t, multicast.McClassCSessionAns{TimeToStart: 60}, "McClassCSessionAns group=0 in=1m0s")
	codectest.Text(t, multicast.McClassBSessionAns{McGroupID: 1, StartMissed: true, Reserved: 2}, "McClassBSessionAns group=1 StartMissed reserved=2")
	codectest.Text(t, multicast.McClassCSessionAns{DRError: true, FreqError: true, McGroupUndefined: true}, "McClassCSessionAns group=0 DRError FreqError McGroupUndefined")
}

func FuzzParseDownlink(f *testing.F) { codectest.Fuzz(f, downlinks) }

func FuzzParseUplink(f *testing.F) { codectest.Fuzz(f, uplinks) }
