package lorawan_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// The vectors of all packages have one form, so one test reads them all: it stands here,
// above the packages, and imports them.

// next reads the first command of a payload; every package has one per direction.
type next func(lorawan.Version, []byte) (lorawan.Command, []byte, error)

var codecs = map[string]map[string]next{
	"TS003": {"downlink": clocksync.NextDownlink, "uplink": clocksync.NextUplink},
	"TS004": {"downlink": fragmentation.NextDownlink, "uplink": fragmentation.NextUplink},
	"TS005": {"downlink": multicast.NextDownlink, "uplink": multicast.NextUplink},
	"TS006": {"downlink": firmware.NextDownlink, "uplink": firmware.NextUplink},
}

// list reads a whole payload.
type list func(lorawan.Version, []byte) ([]lorawan.Command, error)

var lists = map[string]map[string]list{
	"TS003": {"downlink": clocksync.ParseDownlink, "uplink": clocksync.ParseUplink},
	"TS004": {"downlink": fragmentation.ParseDownlink, "uplink": fragmentation.ParseUplink},
	"TS005": {"downlink": multicast.ParseDownlink, "uplink": multicast.ParseUplink},
	"TS006": {"downlink": firmware.ParseDownlink, "uplink": firmware.ParseUplink},
}

// commands has an empty value of every command, by its name in the vectors.
var commands = map[string]lorawan.Command{
	"PackageVersionReq": lorawan.PackageVersionReq{},
	"PackageVersionAns": lorawan.PackageVersionAns{},

	"AppTimeReq":                  clocksync.AppTimeReq{},
	"AppTimeAns":                  clocksync.AppTimeAns{},
	"DeviceAppTimePeriodicityReq": clocksync.DeviceAppTimePeriodicityReq{},
	"DeviceAppTimePeriodicityAns": clocksync.DeviceAppTimePeriodicityAns{},
	"ForceDeviceResyncReq":        clocksync.ForceDeviceResyncReq{},
	"ForceDeviceResyncCmd":        clocksync.ForceDeviceResyncReq{}, // its name in 2.0.0

	"FragSessionStatusReq":     fragmentation.FragSessionStatusReq{},
	"FragSessionStatusAns":     fragmentation.FragSessionStatusAns{},
	"FragSessionSetupReq":      fragmentation.FragSessionSetupReq{},
	"FragSessionSetupAns":      fragmentation.FragSessionSetupAns{},
	"FragSessionDeleteReq":     fragmentation.FragSessionDeleteReq{},
	"FragSessionDeleteAns":     fragmentation.FragSessionDeleteAns{},
	"FragDataBlockReceivedReq": fragmentation.FragDataBlockReceivedReq{},
	"FragDataBlockReceivedAns": fragmentation.FragDataBlockReceivedAns{},
	"DataFragment":             fragmentation.DataFragment{},

	"McGroupStatusReq":   multicast.McGroupStatusReq{},
	"McGroupStatusAns":   multicast.McGroupStatusAns{},
	"McGroupSetupReq":    multicast.McGroupSetupReq{},
	"McGroupSetupAns":    multicast.McGroupSetupAns{},
	"McGroupDeleteReq":   multicast.McGroupDeleteReq{},
	"McGroupDeleteAns":   multicast.McGroupDeleteAns{},
	"McClassCSessionReq": multicast.McClassCSessionReq{},
	"McClassCSessionAns": multicast.McClassCSessionAns{},
	"McClassBSessionReq": multicast.McClassBSessionReq{},
	"McClassBSessionAns": multicast.McClassBSessionAns{},

	"DevVersionReq":         firmware.DevVersionReq{},
	"DevVersionAns":         firmware.DevVersionAns{},
	"DevRebootTimeReq":      firmware.DevRebootTimeReq{},
	"DevRebootTimeAns":      firmware.DevRebootTimeAns{},
	"DevRebootCountdownReq": firmware.DevRebootCountdownReq{},
	"DevRebootCountdownAns": firmware.DevRebootCountdownAns{},
	"DevUpgradeImageReq":    firmware.DevUpgradeImageReq{},
	"DevUpgradeImageAns":    firmware.DevUpgradeImageAns{},
	"DevDeleteImageReq":     firmware.DevDeleteImageReq{},
	"DevDeleteImageAns":     firmware.DevDeleteImageAns{},
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type version lorawan.Version

func (v *version) UnmarshalText(b []byte) error {
	switch string(b) {
	case "1.0.0":
		*v = version(lorawan.V1)
	case "2.0.0":
		*v = version(lorawan.V2)
	default:
		return errors.New("no such version")
	}
	return nil
}

type codecCase struct {
	Version   version
	Command   string
	Direction string
	CID       byte
	Hex       hexBytes
	Fields    map[string]any
	Why       string
}

type codecFile struct {
	Package      string
	Cases        []codecCase
	InvalidCases []codecCase `json:"invalid_cases"`
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func codecFiles(t *testing.T) []codecFile {
	var files []codecFile
	for _, name := range []string{"codec_ts003.json", "codec_ts004.json", "codec_ts005.json", "codec_ts006.json"} {
		var f codecFile
		readJSON(t, name, &f)
		if len(f.Cases) == 0 || len(f.InvalidCases) == 0 {
			t.Fatalf("%s has no cases", name)
		}
		files = append(files, f)
	}
	return files
}

// aliases are the fields whose name in the vectors is not ours without underscores.
var aliases = map[string]string{
	"not_enough_matrix_memory": "MemoryError",
	"dl_frequ":                 "DLFrequency",
	"min_mc_f_count":           "MinMcFCnt",
	"max_mc_f_count":           "MaxMcFCnt",
	"items":                    "Groups",
}

// goFields renames fields so that encoding/json, which ignores case, finds ours, and turns
// masks, which the vectors give as lists of booleans, into numbers.
func goFields(fields map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range fields {
		if list, ok := v.([]any); ok {
			if len(list) == 0 {
				continue
			}
			switch list[0].(type) {
			case bool:
				mask := 0
				for i, on := range list {
					if on.(bool) {
						mask |= 1 << i
					}
				}
				v = mask
			case map[string]any:
				for i := range list {
					list[i] = goFields(list[i].(map[string]any))
				}
			}
		}
		name, ok := aliases[k]
		if !ok {
			name = strings.ReplaceAll(k, "_", "")
		}
		out[name] = v
	}
	return out
}

// value returns the command that the fields of a vector describe.
func (c codecCase) value(t *testing.T) lorawan.Command {
	t.Helper()
	empty, ok := commands[c.Command]
	if !ok {
		t.Fatalf("no command %q", c.Command)
	}
	b, err := json.Marshal(goFields(c.Fields))
	if err != nil {
		t.Fatal(err)
	}
	p := reflect.New(reflect.TypeOf(empty))
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p.Interface()); err != nil {
		t.Fatalf("%s %s: %v", c.Command, b, err)
	}
	return p.Elem().Interface().(lorawan.Command)
}

func TestEveryVectorIsReadAndWritten(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range codecFiles(t) {
		for _, c := range f.Cases {
			v := lorawan.Version(c.Version)
			want := c.value(t)
			seen[c.Command] = true

			got, rest, err := codecs[f.Package][c.Direction](v, c.Hex)
			if err != nil || len(rest) > 0 {
				t.Errorf("%s %s %x: %v, %d bytes left", f.Package, v, c.Hex, err, len(rest))
				continue
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s %s %x:\n got %#v\nwant %#v", f.Package, v, c.Hex, got, want)
			}
			if b, err := want.Append(nil, v); err != nil || !slices.Equal(b, c.Hex) {
				t.Errorf("%s %s: wrote %x, %v; want %x", v, want, b, err, c.Hex)
			}
			if want.CID() != c.CID || want.Name() != strings.Replace(c.Command, "ResyncCmd", "ResyncReq", 1) {
				t.Errorf("%s: CID %d, name %s", c.Command, want.CID(), want.Name())
			}
		}
	}
	for name := range commands {
		if !seen[name] {
			t.Errorf("no vector for %s", name)
		}
	}
}

func TestInvalidVectorsAreRefused(t *testing.T) {
	for _, f := range codecFiles(t) {
		for _, c := range f.InvalidCases {
			// A strict reader of one command takes it only if nothing is left over.
			got, rest, err := codecs[f.Package][c.Direction](lorawan.Version(c.Version), c.Hex)
			if err == nil && len(rest) == 0 {
				t.Errorf("%s %x (%s): read as %v", f.Package, c.Hex, c.Why, got)
			}
			if err == nil {
				continue
			}
			if !errors.Is(err, lorawan.ErrShort) && !errors.Is(err, lorawan.ErrUnknownCID) {
				t.Errorf("%s %x (%s): %v", f.Package, c.Hex, c.Why, err)
			}
			if !slices.Equal(rest, c.Hex) {
				t.Errorf("%s %x: an error consumed bytes, %x left", f.Package, c.Hex, rest)
			}
		}
	}
}

func TestEveryShorterInputIsShort(t *testing.T) {
	for _, f := range codecFiles(t) {
		for _, c := range f.Cases {
			for n := range len(c.Hex) {
				// DataFragment takes what there is, from one byte of data on.
				if c.Command == "DataFragment" && n > fragmentation.FragOverhead {
					break
				}
				got, _, err := codecs[f.Package][c.Direction](lorawan.Version(c.Version), c.Hex[:n])
				if !errors.Is(err, lorawan.ErrShort) {
					t.Errorf("%s %x: %v, %v; want ErrShort", f.Package, c.Hex[:n], got, err)
				}
			}
		}
	}
}

func TestUnknownVersionReadsPackageVersionOnly(t *testing.T) {
	for _, f := range codecFiles(t) {
		for _, c := range f.Cases {
			for _, v := range []lorawan.Version{0, 3} {
				_, _, err := codecs[f.Package][c.Direction](v, c.Hex)
				if want := c.CID != 0; errors.Is(err, lorawan.ErrVersion) != want {
					t.Errorf("%s version %s %x: %v", f.Package, v, c.Hex, err)
				}
				if _, err := c.value(t).Append(nil, v); errors.Is(err, lorawan.ErrVersion) != (c.CID != 0) {
					t.Errorf("%s version %s, written: %v", c.Command, v, err)
				}
			}
		}
	}
}

func TestEveryCommandHasAOneLineText(t *testing.T) {
	for _, f := range codecFiles(t) {
		for _, c := range f.Cases {
			cmd := c.value(t)
			s, ok := cmd.(interface{ String() string })
			if !ok {
				t.Errorf("%s has no String", c.Command)
				continue
			}
			if text := s.String(); !strings.HasPrefix(text, cmd.Name()) || strings.ContainsAny(text, "\n{}%") {
				t.Errorf("%s: %q", c.Command, text)
			}
		}
	}
}

func TestSeveralAnswersInOneUplinkAreCut(t *testing.T) {
	var f struct {
		Cases []struct {
			Package   string
			Version   version
			Direction string
			Hex       hexBytes
			Split     []hexBytes
			Rest      hexBytes
			Why       string
		}
	}
	readJSON(t, "codec_multi.json", &f)
	for _, c := range f.Cases {
		v := lorawan.Version(c.Version)
		got, err := lists[c.Package][c.Direction](v, c.Hex)
		if len(c.Rest) == 0 && err != nil {
			t.Errorf("%s %x: %v", c.Package, c.Hex, err)
		}
		if len(c.Rest) > 0 && !errors.Is(err, lorawan.ErrUnknownCID) {
			t.Errorf("%s %x: %v, want ErrUnknownCID", c.Package, c.Hex, err)
		}
		var want []lorawan.Command
		for _, piece := range c.Split {
			cmd, rest, err := codecs[c.Package][c.Direction](v, piece)
			if err != nil || len(rest) > 0 {
				t.Fatalf("%s piece %x: %v, %d bytes left", c.Package, piece, err, len(rest))
			}
			want = append(want, cmd)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s %x (%s):\n got %v\nwant %v", c.Package, c.Hex, c.Why, got, want)
		}
	}
}
