package demo_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/starling-fuota/starling/internal/demo"
)

// BenchmarkDemo runs all three campaigns with a 64 KiB image at 30 % loss: server, store,
// network and the code of every device. ms/device must not grow with the fleet.
func BenchmarkDemo(b *testing.B) {
	image := make([]byte, 64<<10)
	rng := rand.New(rand.NewPCG(7, 0))
	for i := range image {
		image[i] = byte(rng.Uint32())
	}
	path := filepath.Join(b.TempDir(), "firmware.bin")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		b.Fatal(err)
	}
	for _, devices := range []int{100, 200, 400} {
		b.Run(fmt.Sprint(devices), func(b *testing.B) {
			for b.Loop() {
				o := demo.Options{File: path, Devices: devices, Loss: 0.3, Seed: 7, Progress: io.Discard}
				r, w, err := demo.Run(b.Context(), o, slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				if !r.Succeeded() {
					b.Fatal("a campaign did not succeed")
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N)/float64(devices), "ms/device")
		})
	}
}
