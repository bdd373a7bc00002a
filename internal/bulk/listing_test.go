package bulk_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/lorawan"
)

// only is a list of one object.
func only[T any](obj T) bulk.Objects[T] {
	return func(yield func(T, error) bool) { yield(obj, nil) }
}

// flat returns the texts of a JSON object by their path, lists with semicolons.
func flat(t *testing.T, obj any) map[string]string {
	t.Helper()
	raw, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var walk func(prefix string, doc map[string]any)
	walk = func(prefix string, doc map[string]any) {
		for name, value := range doc {
			switch v := value.(type) {
			case map[string]any:
				walk(prefix+name+".", v)
			case []any:
				parts := make([]string, len(v))
				for i := range v {
					parts[i] = fmt.Sprint(v[i])
				}
				out[prefix+name] = strings.Join(parts, ";")
			default:
				out[prefix+name] = fmt.Sprint(v)
			}
		}
	}
	walk("", doc)
	return out
}

// TestColumnsAreTheFieldsOfTheJSON exports objects of which every field is set: each field of the
// JSON has a column of its name with its value, and there are no others.
func TestColumnsAreTheFieldsOfTheJSON(t *testing.T) {
	day := time.Date(2026, 3, 1, 12, 30, 0, 123000, time.UTC)
	version := fleet.MustParseFirmware("1.2.3.4")
	descriptor, _ := fleet.ParseDescriptorTemplate("size-le")
	file := fleet.File{ID: "f", SubscriberID: "s", Name: "n", Description: "d", UploadedAt: day, Size: 5, SHA256: "ab", Format: fleet.BinaryImage, Type: fleet.DeltaFile,
		BaseVersion: version, Version: version, ProfileID: "p", TimeTolerance: 3 * time.Second, DefaultUplinkPeriod: time.Minute, Library: fleet.SmartDelta,
		SmartDeltaKeyID: "k", Descriptor: [4]byte{1, 2, 3, 4}, CreatedAt: day, UpdatedAt: day, Revision: 1}
	key := fleet.SmartDeltaKey{ID: "k", SubscriberID: "s", Name: "n", Description: "d", PublicKey: []byte{1, 2, 3}, PrivateKey: []byte("private"), CreatedAt: day, UpdatedAt: day, Revision: 1}
	campaign := fleet.Campaign{ID: "c", SubscriberID: "s", Name: "n", Description: "d", Created: day, Started: day, LastChanged: day, Ended: day, Type: fleet.BinaryCampaign,
		DeviceSets: []string{"a", "b"}, Regions: []string{"r"}, Delta: fleet.DeltaOnly, RebootAt: day, SessionStart: day, FileID: "f", Status: fleet.Failed, StatusReason: "why", Paused: true,
		MaxDuration: time.Hour, SuccessThreshold: 99.5, Revision: 1, Policy: fleet.CampaignPolicy{Setup: fleet.SequentialSetup, Redundancy: fleet.Carousel, Probe: true, CloseAtThreshold: true,
			Retries: -1, LateAnswer: time.Second, SessionLead: time.Second, BeaconsToWait: 1, FirstFragmentDelay: time.Second, MulticastDelay: 1500 * time.Millisecond, FragSize: 1,
			MaxCodedPercent: 1, MaxRounds: 1, StatusByMulticastAbove: 1, FlashTime: time.Second}}
	profile := fleet.DeviceProfile{ID: "p", SubscriberID: "s", Name: "n", Description: "d", ProducerID: "a", ModuleID: "m", HWRevision: 1, HWVersion: 2, TimeTolerance: time.Second,
		DefaultUplinkPeriod: time.Minute, MCUType: "M0", Library: fleet.OtherLibrary, SmartDeltaKeyID: "k", DeltaFormats: []delta.Format{delta.Detools}, Packages: fleet.Packages{ClockSync: 1, McSetup: 2, Fragmentation: 2, FirmwareMgmt: 1, MultiPackage: 1},
		Ports: fleet.Ports{ClockSync: 1, McSetup: 2, Fragmentation: 3, FirmwareMgmt: 4}, Decoder: fleet.Decoder{MaxNbFrag: 1, MinFragSize: 2, MaxFragSize: 3, FragSizeMultiple: 1, MaxLost: 5},
		StatusStyle: fleet.StatusLBM, RebootsItself: true, FirmwareDialect: fleet.TS006RC1, MaxGroups: 4, Descriptor: descriptor, Power: fleet.Power{Volts: 3, TransmitMA: 40, ReceiveMA: 10, SleepMA: 0.001, BatteryMAH: 2400}, CreatedAt: day, UpdatedAt: day, Revision: 1}
	region := fleet.Region{ID: "r", SubscriberID: "s", Name: "n", Description: "d", Groups: []lorawan.EUI64{{1}, {2}}, CreatedAt: day, UpdatedAt: day, Revision: 1}

	// What a table of what is imported does not say: whose it is, and when it changed.
	kept := []string{"subscriber_id", "archived", "revision"}
	stamps := append([]string{"created_at", "updated_at"}, kept...)
	for _, tc := range []struct {
		name   string
		obj    any
		export func(io.Writer, bulk.ExportOptions) (int, error)
		absent []string
	}{
		{"file", file, func(w io.Writer, o bulk.ExportOptions) (int, error) {
			return bulk.ExportFiles(context.Background(), w, only(file), o)
		}, kept},
		{"smart delta key", key, func(w io.Writer, o bulk.ExportOptions) (int, error) {
			return bulk.ExportSmartDeltaKeys(context.Background(), w, only(key), o)
		}, kept},
		{"campaign", campaign, func(w io.Writer, o bulk.ExportOptions) (int, error) {
			return bulk.ExportCampaigns(context.Background(), w, only(campaign), o)
		}, kept},
		{"device profile", profile, func(w io.Writer, o bulk.ExportOptions) (int, error) {
			return bulk.ExportProfiles(context.Background(), w, only(profile), o)
		}, stamps},
		{"region", region, func(w io.Writer, o bulk.ExportOptions) (int, error) {
			return bulk.ExportRegions(context.Background(), w, only(region), o)
		}, stamps},
	} {
		var b bytes.Buffer
		if n, err := tc.export(&b, bulk.ExportOptions{Keys: true}); n != 1 || err != nil {
			t.Fatalf("%s: %d, %v", tc.name, n, err)
		}
		if strings.Contains(b.String(), "private") {
			t.Errorf("%s: has the private key", tc.name)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%s: %v, %v", tc.name, rows, err)
		}
		want := flat(t, tc.obj)
		for i, name := range rows[0] {
			if got := strings.TrimPrefix(rows[1][i], "'"); got != want[name] {
				t.Errorf("%s: %s is %q, in JSON %q", tc.name, name, got, want[name])
			}
			delete(want, name)
		}
		for name := range want {
			if !slices.Contains(tc.absent, name) {
				t.Errorf("%s: no column %s", tc.name, name)
			}
		}
		if _, err := tc.export(io.Discard, bulk.ExportOptions{Format: bulk.Reference}); !errors.Is(err, bulk.ErrFile) {
			t.Errorf("%s as reference: %v", tc.name, err)
		}
	}
}

// TestAMillionRowsTakeNoMoreMemoryThanAThousand exports more than fits, and looks at the memory meanwhile.
func TestAMillionRowsTakeNoMoreMemoryThanAThousand(t *testing.T) {
	const rows = 1_000_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before, most uint64
	n := 0
	devices := func(yield func(fleet.Device, error) bool) {
		before = heap()
		for i := range rows {
			d := fleet.Device{DevEUI: lorawan.EUI64{1, 2, 3, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}, Name: fmt.Sprint("Meter ", i), ProfileID: "p1"}
			if i%200_000 == 199_999 {
				most = max(most, heap())
			}
			if !yield(d, nil) {
				return
			}
		}
	}
	written := 0
	n, err := bulk.ExportDevices(context.Background(), writerFunc(func(b []byte) (int, error) { written += len(b); return len(b), nil }), devices, newServer(), bulk.ExportOptions{Format: bulk.Friendly})
	if err != nil || n != rows || written < 40*rows {
		t.Fatalf("%d rows, %d bytes, %v", n, written, err)
	}
	if most > before+1<<20 {
		t.Errorf("%d bytes more in use after a while", most-before)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
