package demo_test

import (
	"io"
	"log/slog"
	"testing"

	"github.com/starling-fuota/starling/internal/demo"
)

// BenchmarkDemo runs the three campaigns on 100 devices.
func BenchmarkDemo(b *testing.B) {
	for b.Loop() {
		_, w, err := demo.Run(b.Context(), demo.Options{Devices: 100, Loss: 0.3, Seed: 7, Progress: io.Discard}, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
