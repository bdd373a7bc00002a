package demo_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/demo"
)

func run(t *testing.T, o demo.Options) *demo.Report {
	t.Helper()
	o.Progress = io.Discard
	r, w, err := demo.Run(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	return r
}

func TestEveryDeviceRunsTheFile(t *testing.T) {
	r := run(t, demo.Options{Devices: 24, Loss: 0.3, Seed: 7})
	sum := sha256.Sum256(blinky.Image(2))
	want := hex.EncodeToString(sum[:])
	for _, c := range r.Campaigns {
		if c.Status != fleet.Succeeded || c.Verified != 24 || c.Failed != 0 {
			t.Errorf("%s: %s, %d verified, %d failed: %s %v", c.Name, c.Status, c.Verified, c.Failed, c.Reason, c.FailedFor)
		}
		switch c.Type {
		case fleet.BinaryCampaign:
			if c.PayloadSHA256 != want || c.Image != nil {
				t.Errorf("%s sent %.12s, want %.12s", c.Name, c.PayloadSHA256, want)
			}
		case fleet.FOTACampaign:
			if d := c.Image.Delta; c.Image.SHA256 != want || d == nil || c.Image.DeltaDevices != 24 || c.Image.FullDevices != 0 || int64(d.SignedBytes) != c.PayloadBytes || c.PayloadBytes > c.Image.Bytes/10 {
				t.Errorf("%s sent %d bytes, %+v", c.Name, c.PayloadBytes, c.Image)
			}
		}
	}
	if len(r.Devices) != 24 {
		t.Errorf("%d devices in the report", len(r.Devices))
	}
	for _, d := range r.Devices {
		if d.PayloadSHA256 != want || d.FirmwareVersion != "2.0.0.0" {
			t.Errorf("device %s runs %.12s, version %s", d.DevEUI, d.PayloadSHA256, d.FirmwareVersion)
		}
	}
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesGoOutWholeUnlessTheirBaseIsNamed(t *testing.T) {
	old, target := write(t, "7.bin", blinky.Image(7)), write(t, "8.bin", blinky.Image(8))
	sum := sha256.Sum256(blinky.Image(8))
	for _, from := range []string{"", old} {
		r := run(t, demo.Options{Devices: 8, Loss: 0.1, Seed: 3, File: target, From: from})
		upgrade := r.Campaigns[2]
		if !r.Succeeded() || upgrade.Image.SHA256 != hex.EncodeToString(sum[:]) || (upgrade.Image.Delta != nil) != (from != "") || upgrade.Image.DeltaDevices != map[bool]int{true: 8}[from != ""] {
			t.Errorf("from %q: %+v, %+v", from, upgrade, upgrade.Image)
		}
		for _, d := range r.Devices {
			if d.PayloadSHA256 != upgrade.Image.SHA256 {
				t.Errorf("from %q: %s runs %.12s", from, d.DevEUI, d.PayloadSHA256)
			}
		}
		var table bytes.Buffer
		if err := r.WriteTable(&table); err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{true: "sent the image itself, 4760 bytes: with --from FILE", false: "sent a signed delta of "}[from == ""]
		if !strings.Contains(table.String(), want) || !strings.Contains(table.String(), "8 of 8 devices say that they run") {
			t.Errorf("from %q: %s", from, table.String())
		}
	}
}

func TestBasesWithoutADeltaAreRefused(t *testing.T) {
	noise := make([]byte, 4000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	target := write(t, "noise.bin", noise)
	for name, x := range map[string]struct{ from, says string }{
		"another image": {write(t, "blinky.bin", blinky.Image(2)), "too little in common"},
		"the same":      {target, "same bytes"},
	} {
		_, _, err := demo.Run(t.Context(), demo.Options{Devices: 4, File: target, From: x.from, Progress: io.Discard}, slog.New(slog.DiscardHandler))
		if !errors.Is(err, demo.ErrImage) || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameSeedGivesTheSameReport(t *testing.T) {
	var texts [3]string
	for i, seed := range []uint64{5, 5, 6} {
		var b bytes.Buffer
		if err := run(t, demo.Options{Devices: 12, Loss: 0.2, Seed: seed}).WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		texts[i] = b.String()
	}
	if texts[0] != texts[1] {
		t.Errorf("one seed gave two reports:\n%s\n%s", texts[0], texts[1])
	}
	if texts[0] == texts[2] {
		t.Error("two seeds gave one report: the seed does nothing")
	}
	if !json.Valid([]byte(texts[0])) {
		t.Error("the report is not JSON")
	}
}

func TestHopelessLossEndsWithReasons(t *testing.T) {
	r := run(t, demo.Options{Devices: 12, Loss: 0.95, Seed: 1})
	if r.Succeeded() {
		t.Fatal("succeeded at 95 % loss")
	}
	for _, c := range r.Campaigns {
		if c.Status == fleet.Failed && (c.Reason == "" || len(c.FailedFor) == 0) {
			t.Errorf("%s failed without saying why: %+v", c.Name, c)
		}
	}
}

func TestBadOptionsAreRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		o    demo.Options
		is   error
		says string
	}{
		"no devices":     {demo.Options{Devices: 0}, demo.ErrOptions, "--devices 0"},
		"many devices":   {demo.Options{Devices: 1e6}, demo.ErrOptions, "5000"},
		"loss 1":         {demo.Options{Devices: 5, Loss: 1}, demo.ErrOptions, "--loss 1"},
		"loss negative":  {demo.Options{Devices: 5, Loss: -0.1}, demo.ErrOptions, "--loss"},
		"missing file":   {demo.Options{Devices: 5, File: filepath.Join(dir, "nothing.bin")}, demo.ErrImage, "exists"},
		"a folder":       {demo.Options{Devices: 5, File: dir}, demo.ErrImage, "not a file"},
		"missing base":   {demo.Options{Devices: 5, File: file("a.bin", []byte("a")), From: filepath.Join(dir, "nothing.bin")}, demo.ErrImage, "exists"},
		"base alone":     {demo.Options{Devices: 5, From: file("b.bin", []byte("b"))}, demo.ErrOptions, "--from without --file"},
		"empty file":     {demo.Options{Devices: 5, File: file("empty.bin", nil)}, demo.ErrImage, "empty"},
		"ELF":            {demo.Options{Devices: 5, File: file("fw.elf", []byte("\x7fELF\x01\x01\x01"))}, demo.ErrImage, "objcopy"},
		"Intel HEX":      {demo.Options{Devices: 5, File: file("fw.hex", []byte(":020000040800F2\r\n:10000000"))}, demo.ErrImage, "objcopy"},
		"too large":      {demo.Options{Devices: 5, File: file("large.bin", make([]byte, 16384*239))}, demo.ErrImage, "too large"},
		"much too large": {demo.Options{Devices: 5, File: file("huge.bin", make([]byte, 16384*256))}, demo.ErrImage, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.Progress = io.Discard
			_, _, err := demo.Run(t.Context(), tt.o, slog.New(slog.DiscardHandler))
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v that says %q", err, tt.is, tt.says)
			}
		})
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
