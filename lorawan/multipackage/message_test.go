package multipackage_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

var (
	v1 = multipackage.Versions{ClockSync: 1, McSetup: 1, Fragmentation: 1, FirmwareMgmt: 1, MultiPackage: 1}
	v2 = multipackage.Versions{ClockSync: 2, McSetup: 2, Fragmentation: 2, FirmwareMgmt: 1, MultiPackage: 1}
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type packaged struct {
	Package lorawan.PackageID
	Hex     hexBytes
}

type vector struct {
	What, Why, Direction string
	Hex                  hexBytes
	Parse                struct {
		Commands  []packaged
		Answers   []packaged
		Packages  [][3]uint8
		Token     *uint8
		BaseByte  *uint8 `json:"base_byte"`
		Buffer    hexBytes
		StartByte *uint8 `json:"start_byte"`
		StopByte  uint8  `json:"stop_byte"`
		Error     bool
	}
}

func readVectors(t *testing.T) (cases, invalid []vector) {
	var f struct {
		Cases   []vector
		Invalid []vector `json:"invalid_cases"`
	}
	b, err := os.ReadFile("testdata/codec_ts007.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil || len(f.Cases) == 0 || len(f.Invalid) == 0 {
		t.Fatalf("%d and %d cases, %v", len(f.Cases), len(f.Invalid), err)
	}
	return f.Cases, f.Invalid
}

func parse(direction string, b []byte, vs multipackage.Versions) (multipackage.Message, error) {
	if direction == "downlink" {
		return multipackage.ParseDownlink(b, vs)
	}
	return multipackage.ParseUplink(b, vs)
}

func TestVectorsAreReadAndWritten(t *testing.T) {
	cases, _ := readVectors(t)
	for _, c := range cases {
		m, err := parse(c.Direction, c.Hex, v2)
		if err != nil {
			t.Errorf("%s: %v", c.What, err)
			continue
		}
		if m.NoToken != (c.Parse.Token == nil) || !m.NoToken && m.Token != *c.Parse.Token {
			t.Errorf("%s: token %d, absent %v", c.What, m.Token, m.NoToken)
		}
		var want []multipackage.Item
		switch p := c.Parse; {
		case p.Packages != nil:
			var ans multipackage.DevPackageAns
			for _, r := range p.Packages {
				ans.Packages = append(ans.Packages, multipackage.PackageInfo{
					PackageIdentifier: lorawan.PackageID(r[0]), PackageVersion: lorawan.Version(r[1]), FPort: r[2],
				})
			}
			want = []multipackage.Item{{Command: ans}}
		case p.BaseByte != nil:
			want = []multipackage.Item{{Command: multipackage.MultiPackBufferFrag{BaseByte: *p.BaseByte, Buffer: p.Buffer}}}
		case p.StartByte != nil:
			want = []multipackage.Item{{Command: multipackage.MultiPackBufferReq{StartByte: *p.StartByte, StopByte: p.StopByte}}}
		case p.Error:
			want = []multipackage.Item{{Command: multipackage.MultiPackBufferFrag{Error: true}}}
		default:
			items := slices.Concat(p.Commands, p.Answers)
			if len(m.Items) != len(items) {
				t.Errorf("%s: %v, want %d commands", c.What, m, len(items))
				continue
			}
			for i, w := range items {
				got, err := m.Items[i].Command.Append(nil, v2.Of(w.Package))
				if err != nil || m.Items[i].Package != w.Package || !slices.Equal(got, w.Hex) {
					t.Errorf("%s: item %d is %v, %x, %v; want %d:%x", c.What, i, m.Items[i], got, err, w.Package, w.Hex)
				}
			}
			want = m.Items
		}
		if !reflect.DeepEqual(m.Items, want) {
			t.Errorf("%s: %v, want %v", c.What, m.Items, want)
		}
		if b, err := m.Append(nil, v2); err != nil || !slices.Equal(b, c.Hex) {
			t.Errorf("%s: wrote %x, %v; want %x", c.What, b, err, c.Hex)
		}
	}
}

func TestInvalidVectorsAreRefused(t *testing.T) {
	_, invalid := readVectors(t)
	for _, c := range invalid {
		if m, err := parse(c.Direction, c.Hex, v2); err == nil {
			t.Errorf("%x (%s): read as %v", c.Hex, c.Why, m)
		}
	}
}

func TestEveryPackageIsCutByItsOwnCodec(t *testing.T) {
	down := multipackage.Message{Token: 3, Items: []multipackage.Item{
		{lorawan.MultiPackage, multipackage.DevPackageReq{}},
		{lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: 2}},
		{lorawan.McSetup, multicast.McGroupDeleteReq{McGroupID: 1}},
		{lorawan.McSetup, multicast.McGroupStatusReq{ReqGroupMask: 15}},
		{lorawan.FirmwareMgmt, firmware.DevVersionReq{}},
		{lorawan.Fragmentation, fragmentation.FragSessionSetupReq{NbFrag: 3, FragSize: 4}},
		{lorawan.MultiPackage, lorawan.PackageVersionReq{}},
	}}
	up := multipackage.Message{Items: []multipackage.Item{
		{lorawan.McSetup, multicast.McGroupSetupAns{}},
		{lorawan.McSetup, multicast.McClassCSessionAns{StartMissed: true}},
		{lorawan.Fragmentation, fragmentation.FragSessionSetupAns{}},
		{lorawan.ClockSync, clocksync.DeviceAppTimePeriodicityAns{NotSupported: true}},
		{lorawan.FirmwareMgmt, firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageNone}},
		{lorawan.MultiPackage, lorawan.PackageVersionAns{PackageVersion: 1}},
		{lorawan.MultiPackage, multipackage.DevPackageAns{}},
	}}
	for _, vs := range []multipackage.Versions{v1, v2} {
		for direction, want := range map[string]multipackage.Message{"downlink": down, "uplink": up} {
			b, err := want.Append(nil, vs)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parse(direction, b, vs); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s % x: %v, %v; want %v", direction, b, got, err, want)
			}
		}
	}
}

func TestNoSessionAnswerIsCutBesideOtherPackages(t *testing.T) {
	no := fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}
	want := multipackage.Message{Items: []multipackage.Item{
		{lorawan.Fragmentation, no}, {lorawan.McSetup, multicast.McGroupSetupAns{}},
	}}
	for _, s := range []string{"83" + "0104" + "82" + "0200" + "00", "83" + "0104000000" + "82" + "0200" + "00"} {
		b, _ := hex.DecodeString(s)
		if got, err := multipackage.ParseUplink(b, v2); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v; want %v", s, got, err, want)
		}
	}
}

func TestWhatCameBeforeAnErrorIsKept(t *testing.T) {
	for _, c := range []struct {
		name, direction, hex string
		want                 error
		kept                 int
	}{
		{"empty", "downlink", "", lorawan.ErrShort, 0},
		{"a token only", "downlink", "01", lorawan.ErrShort, 0},
		{"a token only", "uplink", "01", lorawan.ErrShort, 0},
		{"PackageID without a command", "downlink", "0082" + "00", lorawan.ErrShort, 1},
		{"PackageID of package 0 without a command", "downlink", "0080" + "00", lorawan.ErrShort, 1},
		{"PackageID of package 0 without an answer", "uplink", "000001" + "80" + "00", lorawan.ErrShort, 1},
		{"two PackageIDs", "downlink", "8182" + "00" + "00", lorawan.ErrUnknownCID, 0},
		{"unknown package", "downlink", "8100" + "8500" + "00", multipackage.ErrUnknownPackage, 1},
		{"unknown package", "uplink", "81000101" + "8500" + "00", multipackage.ErrUnknownPackage, 1},
		{"unknown CID", "downlink", "8100" + "7f" + "00", lorawan.ErrUnknownCID, 1},
		{"unknown CID of package 0", "downlink", "00" + "7f" + "00", lorawan.ErrUnknownCID, 1},
		{"unknown CID of package 0", "uplink", "7f" + "00", lorawan.ErrUnknownCID, 0},
		{"cut answer", "uplink", "82" + "0200" + "0400" + "00", lorawan.ErrShort, 1},
		{"cut list of packages", "uplink", "01" + "00", lorawan.ErrShort, 0},
		{"fragment among commands", "downlink", "83" + "08010001" + "00", lorawan.ErrTrailing, 0},
		{"buffer request after a command", "downlink", "00" + "020407", lorawan.ErrTrailing, 1},
		{"cut buffer request", "downlink", "0204", lorawan.ErrShort, 0},
		{"buffer piece after an answer", "uplink", "000001" + "02000102", lorawan.ErrTrailing, 1},
		{"cut buffer piece", "uplink", "020000", lorawan.ErrShort, 0},
		{"nothing after the CID of a piece", "uplink", "02", lorawan.ErrShort, 0},
		{"piece beyond the buffer", "uplink", "027f0102" + "00", lorawan.ErrRange, 0},
		{"error with more than a token", "uplink", "02ff0000", lorawan.ErrTrailing, 0},
	} {
		b, _ := hex.DecodeString(c.hex)
		m, err := parse(c.direction, b, v2)
		if !errors.Is(err, c.want) || len(m.Items) != c.kept {
			t.Errorf("%s, %s %s: %v, %v; want %d items and %v", c.name, c.direction, c.hex, m, err, c.kept, c.want)
		}
	}
}

func TestPackageIDOfTS007MayBeWritten(t *testing.T) {
	for _, c := range []struct{ direction, with, without string }{
		{"downlink", "80" + "020407", "020407"},
		{"downlink", "80" + "0101", "0101"},
		{"uplink", "80" + "0208830200" + "03", "0208830200" + "03"},
		{"uplink", "80" + "02ff", "02ff"},
	} {
		a, _ := hex.DecodeString(c.with)
		b, _ := hex.DecodeString(c.without)
		got, err := parse(c.direction, a, v2)
		want, err2 := parse(c.direction, b, v2)
		if err != nil || err2 != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v; want %v, %v", c.with, got, err, want, err2)
		}
	}
}

func TestErrorPieceMayHaveAToken(t *testing.T) {
	frag := multipackage.MultiPackBufferFrag{Error: true}
	for hexText, want := range map[string]multipackage.Message{
		"02ff":   {Items: []multipackage.Item{{lorawan.MultiPackage, frag}}, NoToken: true},
		"02ff03": {Items: []multipackage.Item{{lorawan.MultiPackage, frag}}, Token: 3},
	} {
		b, _ := hex.DecodeString(hexText)
		got, err := multipackage.ParseUplink(b, multipackage.Versions{})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v; want %v", hexText, got, err, want)
		}
		if out, err := got.Append(nil, v1); err != nil || hex.EncodeToString(out) != hexText {
			t.Errorf("%s: wrote %x, %v", hexText, out, err)
		}
	}
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	version := multipackage.Item{Package: lorawan.ClockSync, Command: lorawan.PackageVersionReq{}}
	req := multipackage.Item{Command: multipackage.MultiPackBufferReq{StartByte: 1, StopByte: 2}}
	frag := multipackage.Item{Command: multipackage.MultiPackBufferFrag{Buffer: []byte{1}}}
	for _, c := range []struct {
		name string
		m    multipackage.Message
		want error
	}{
		{"nothing", multipackage.Message{}, lorawan.ErrRange},
		{"token too large", multipackage.Message{Items: []multipackage.Item{version}, Token: 4}, lorawan.ErrRange},
		{"no token", multipackage.Message{Items: []multipackage.Item{version}, NoToken: true}, lorawan.ErrRange},
		{"piece without a token", multipackage.Message{Items: []multipackage.Item{frag}, NoToken: true}, lorawan.ErrRange},
		{"buffer request and more", multipackage.Message{Items: []multipackage.Item{req, version}}, lorawan.ErrTrailing},
		{"piece and more", multipackage.Message{Items: []multipackage.Item{version, frag}}, lorawan.ErrTrailing},
		{"fragment", multipackage.Message{Items: []multipackage.Item{{lorawan.Fragmentation, fragmentation.DataFragment{N: 1, Data: []byte{1}}}}}, lorawan.ErrTrailing},
		{"unknown package", multipackage.Message{Items: []multipackage.Item{{5, lorawan.PackageVersionReq{}}}}, multipackage.ErrUnknownPackage},
		{"field beyond its bits", multipackage.Message{Items: []multipackage.Item{{lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: 8}}}}, lorawan.ErrRange},
		{"too many packages", multipackage.Message{Items: []multipackage.Item{{Command: multipackage.DevPackageAns{Packages: make([]multipackage.PackageInfo, 16)}}}}, lorawan.ErrRange},
		{"empty range", multipackage.Message{Items: []multipackage.Item{{Command: multipackage.MultiPackBufferReq{StartByte: 2, StopByte: 1}}}}, lorawan.ErrRange},
		{"range beyond the buffer", multipackage.Message{Items: []multipackage.Item{{Command: multipackage.MultiPackBufferReq{StopByte: 128}}}}, lorawan.ErrRange},
		{"empty piece", multipackage.Message{Items: []multipackage.Item{{Command: multipackage.MultiPackBufferFrag{}}}}, lorawan.ErrRange},
		{"piece beyond the buffer", multipackage.Message{Items: []multipackage.Item{{Command: multipackage.MultiPackBufferFrag{BaseByte: 127, Buffer: []byte{1, 2}}}}}, lorawan.ErrRange},
		{"error with a piece", multipackage.Message{Items: []multipackage.Item{{Command: multipackage.MultiPackBufferFrag{Error: true, Buffer: []byte{1}}}}}, lorawan.ErrRange},
	} {
		if b, err := c.m.Append([]byte{9}, v2); !errors.Is(err, c.want) || len(b) != 1 {
			t.Errorf("%s: % x, %v; want %v", c.name, b, err, c.want)
		}
	}
}

func TestUnknownVersionsAllowTheVersionRequestOnly(t *testing.T) {
	var none multipackage.Versions
	b, _ := hex.DecodeString("81008200830084" + "0002")
	if m, err := multipackage.ParseDownlink(b, none); err != nil || len(m.Items) != 4 {
		t.Errorf("%v, %v", m, err)
	}
	m := multipackage.Message{Items: []multipackage.Item{{lorawan.FirmwareMgmt, firmware.DevVersionReq{}}}}
	if _, err := m.Append(nil, none); !errors.Is(err, lorawan.ErrVersion) {
		t.Errorf("%v, want ErrVersion", err)
	}
	if _, err := (multipackage.DevPackageReq{}).Append(nil, lorawan.V2); !errors.Is(err, lorawan.ErrVersion) {
		t.Errorf("TS007 2.0.0: %v, want ErrVersion", err)
	}
	if none.Of(9) != 0 {
		t.Error("package 9 has no version")
	}
}

func TestDeviceListGivesVersions(t *testing.T) {
	ans := multipackage.DevPackageAns{Packages: []multipackage.PackageInfo{
		{lorawan.MultiPackage, 1, 225}, {lorawan.ClockSync, 2, 202}, {lorawan.McSetup, 2, 200},
		{lorawan.Fragmentation, 1, 201}, {lorawan.FirmwareMgmt, 1, 203}, {9, 7, 210},
	}}
	want := multipackage.Versions{ClockSync: 2, McSetup: 2, Fragmentation: 1, FirmwareMgmt: 1, MultiPackage: 1}
	if got := ans.Versions(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTexts(t *testing.T) {
	m := multipackage.Message{Token: 2, Items: []multipackage.Item{
		{lorawan.MultiPackage, multipackage.DevPackageReq{}},
		{lorawan.McSetup, multicast.McGroupDeleteReq{McGroupID: 1}},
	}}
	for _, c := range []struct{ got, want string }{
		{m.String(), "token=2 0:DevPackageReq 2:McGroupDeleteReq group=1"},
		{multipackage.Message{NoToken: true, Items: m.Items[:1]}.String(), "0:DevPackageReq"},
		{multipackage.DevPackageAns{Packages: []multipackage.PackageInfo{{1, 2, 202}, {3, 1, 201}}}.String(), "DevPackageAns 1:v2@202 3:v1@201"},
		{multipackage.MultiPackBufferReq{StartByte: 4, StopByte: 7}.String(), "MultiPackBufferReq 4..7"},
		{multipackage.MultiPackBufferFrag{BaseByte: 8, Buffer: make([]byte, 3)}.String(), "MultiPackBufferFrag base=8 size=3"},
		{multipackage.MultiPackBufferFrag{Error: true}.String(), "MultiPackBufferFrag error"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
