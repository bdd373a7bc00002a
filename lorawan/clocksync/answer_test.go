package clocksync_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
)

func TestCorrectionVectors(t *testing.T) {
	var f struct {
		Cases []struct {
			DeviceTime     uint32 `json:"device_time"`
			NowGPS         int64  `json:"now_gps"`
			TimeCorrection int32  `json:"time_correction"`
			Note           string
		} `json:"time_correction_cases"`
	}
	b, err := os.ReadFile("testdata/gps_time.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil || len(f.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(f.Cases), err)
	}
	for _, c := range f.Cases {
		if got := clocksync.Correction(c.DeviceTime, lorawan.TimeFromGPS(c.NowGPS)); got != c.TimeCorrection {
			t.Errorf("device %d, now %d (%s): %d, want %d", c.DeviceTime, c.NowGPS, c.Note, got, c.TimeCorrection)
		}
	}
}

func TestCorrectionAcrossTheEraAndAtTheLimits(t *testing.T) {
	const era = int64(1) << 32
	for _, c := range []struct {
		name   string
		device uint32
		now    int64
		want   int32
	}{
		{"right after the wrap", 16, era + 16, 0},
		{"slow device, now past the wrap", math.MaxUint32, era, 1},
		{"fast device past the wrap", 100, era + 90, -10},
		{"never set, in the next era", 0, era + 2208643218, math.MaxInt32},
		{"largest that fits", 0, math.MaxInt32, math.MaxInt32},
		{"one more", 0, math.MaxInt32 + 1, math.MaxInt32},
		{"smallest that fits", 1 << 31, 0, math.MinInt32},
		{"one less", 1<<31 + 1, 0, math.MinInt32},
	} {
		if got := clocksync.Correction(c.device, lorawan.TimeFromGPS(c.now)); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestServerAnswersOnlyWhoAsksOrIsWrong(t *testing.T) {
	now := time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)
	right := lorawan.GPSSeconds32(now)
	for _, c := range []struct {
		name      string
		off       int32 // seconds that the device is slow
		required  bool
		tolerance time.Duration
		answered  bool
	}{
		{"right and silent", 0, false, 0, false},
		{"right and asking", 0, true, time.Second, true},
		{"slow within tolerance", 2, false, 2 * time.Second, false},
		{"slow beyond tolerance", 3, false, 2 * time.Second, true},
		{"fast within tolerance", -2, false, 2 * time.Second, false},
		{"fast beyond tolerance", -3, false, 2 * time.Second, true},
		{"within tolerance and asking", 1, true, time.Minute, true},
	} {
		req := clocksync.AppTimeReq{DeviceTime: right - uint32(c.off), TokenReq: 11, AnsRequired: c.required}
		ans, answered := clocksync.Answer(req, now, c.tolerance)
		want := clocksync.AppTimeAns{}
		if c.answered {
			want = clocksync.AppTimeAns{TimeCorrection: c.off, TokenAns: 11}
		}
		if answered != c.answered || ans != want {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, ans, answered, want, c.answered)
		}
	}
}

func TestClockThatWasNeverSetIsAnswered(t *testing.T) {
	now := time.Date(2055, 1, 1, 0, 0, 0, 0, time.UTC)
	ans, ok := clocksync.Answer(clocksync.AppTimeReq{DeviceTime: 7}, now, time.Hour)
	if !ok || ans.TimeCorrection != math.MaxInt32 {
		t.Errorf("%v, %v; want the largest correction", ans, ok)
	}
}
