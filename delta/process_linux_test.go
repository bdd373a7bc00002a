package delta_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/deltatest"
)

var processImages = flag.String("images", "firmware", "images that BenchmarkProcess takes, by name and with commas between them")

// BenchmarkProcess measures `starling delta create` from start to end as a process of its own
// on one core: all CPU time, garbage collection and verification included, and the most memory
// that it had from the system. "x" is the CPU time by that for images of half the size.
func BenchmarkProcess(b *testing.B) {
	dir := b.TempDir()
	starling := filepath.Join(dir, "starling")
	if out, err := exec.Command("go", "build", "-o", starling, "../cmd/starling").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for _, name := range strings.Split(*processImages, ",") {
		for _, format := range append(delta.Formats(), delta.Auto) {
			before := 0.0
			for size := 64 << 10; size <= 4<<20; size *= 2 {
				b.Run(fmt.Sprintf("%s/%s/%dKiB", strings.ReplaceAll(name, " ", "-"), format, size>>10), func(b *testing.B) {
					from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
					old, target := images(b, name, size)
					for path, image := range map[string][]byte{from: old, to: target} {
						if err := os.WriteFile(path, image, 0o600); err != nil {
							b.Fatal(err)
						}
					}
					for b.Loop() {
						create := exec.Command(starling, "delta", "create", "--from", from, "--to", to, "--format", string(format), "-o", "-")
						var patch, complaint bytes.Buffer
						create.Stdout, create.Stderr = &patch, &complaint
						create.Env = append(os.Environ(), "GOMAXPROCS=1")
						if err := create.Run(); err != nil {
							b.Fatalf("%v: %s", err, complaint.Bytes())
						}
						used := create.ProcessState
						cpu := (used.UserTime() + used.SystemTime()).Seconds()
						b.ReportMetric(cpu, "cpu-s/op")
						b.ReportMetric(float64(used.SysUsage().(*syscall.Rusage).Maxrss)/1024, "MiB-rss")
						b.ReportMetric(float64(patch.Len()), "patch-bytes")
						if before > 0 {
							b.ReportMetric(cpu/before, "x")
						}
						before = cpu
					}
				})
			}
		}
	}
}

// images returns a pair by its name.
func images(b *testing.B, name string, size int) (old, target []byte) {
	b.Helper()
	switch name {
	case "firmware":
		return deltatest.Firmware(b, size)
	case "release":
		return deltatest.Release(b, size)
	case "code":
		return deltatest.Code(size)
	}
	pair, ok := deltatest.Hostile(size)[name]
	if !ok {
		b.Fatalf("no images %q", name)
	}
	if bytes.Equal(pair[0], pair[1]) {
		pair[1][size/2]++ // there is nothing to send otherwise
	}
	return pair[0], pair[1]
}
