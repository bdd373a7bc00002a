package forecast_test

import (
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/forecast"
)

// BenchmarkPlan is what an operator waits for: 40 kB, without alternatives; see docs/performance.md.
func BenchmarkPlan(b *testing.B) {
	for _, devices := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			r := request(devices, 40_000)
			r.NextChance = true
			runs := 0
			for b.Loop() {
				p, err := forecast.New(r, forecast.Options{At: start})
				if err != nil {
					b.Fatal(err)
				}
				runs = p.Prediction.Runs
			}
			b.ReportMetric(float64(runs), "runs")
		})
	}
}
