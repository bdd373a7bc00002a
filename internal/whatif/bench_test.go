package whatif_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/whatif"
)

var benchDevices = flag.Int("simulate.devices", 0, "devices of BenchmarkSimulate; 0: 1,000 and 10,000")

// BenchmarkSimulate is a whole campaign of Starling for fleets of different sizes: 40 kB, 10 % mean
// loss. What a device costs must not depend on how many there are; see docs/performance.md.
func BenchmarkSimulate(b *testing.B) {
	fleets := []int{1_000, 10_000}
	if *benchDevices > 0 {
		fleets = []int{*benchDevices}
	}
	for _, devices := range fleets {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			sc, err := whatif.ReadScenario(strings.NewReader(fmt.Sprintf("devices: %d\ndevices_model: ranks\nloss: {mean: 0.1}\nstrategies: [starling]\n", devices)))
			if err == nil {
				err = sc.Complete()
			}
			if err != nil {
				b.Fatal(err)
			}
			var steps int
			var live uint64
			for b.Loop() {
				r, err := whatif.Run(b.Context(), sc, func(string) {
					runtime.GC() // at the end of every stage: what is left is needed
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					live = max(live, m.HeapAlloc)
				})
				if err != nil {
					b.Fatal(err)
				}
				steps += r.Results[0].Steps
			}
			b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(float64(steps)/float64(b.N*devices), "steps/device")
			b.ReportMetric(float64(live)/float64(devices), "live-B/device")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*devices), "µs/device")
		})
	}
}
