package service_test

import (
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// BenchmarkTables imports 100,000 devices with keys, as an operator does who moves in: checked,
// sealed, stored and recorded in the audit log, all or nothing and in parts; and again when
// nothing changed, and out.
func BenchmarkTables(b *testing.B) {
	const rows = 100_000
	table := devicesTable(rows, none)
	for _, e := range engines {
		var s *server
		load := func(b *testing.B, mode bulk.Mode, written int) {
			r, err := s.ImportDevices(ctx, strings.NewReader(table), service.ImportOptions{Mode: mode})
			if err != nil || r.Written != written || r.Failed != 0 {
				b.Fatalf("%+v, %v", r, err)
			}
		}
		fresh := func(b *testing.B) {
			b.StopTimer()
			s = newServer(b, e.open(b))
			s.in("profiles", hardwareTable, service.ImportOptions{})
			b.StartTimer()
		}
		perRow := func(b *testing.B) {
			b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
		}
		b.Run(e.name+"/good rows", func(b *testing.B) {
			for b.Loop() {
				fresh(b)
				load(b, bulk.GoodRows, rows)
			}
			perRow(b)
		})
		b.Run(e.name+"/all or nothing", func(b *testing.B) {
			for b.Loop() {
				fresh(b)
				load(b, bulk.AllOrNothing, rows)
			}
			perRow(b)
		})
		b.Run(e.name+"/unchanged and out", func(b *testing.B) {
			b.StopTimer()
			fresh(b)
			load(b, bulk.AllOrNothing, rows)
			for b.Loop() {
				load(b, bulk.AllOrNothing, 0)
				if n, err := s.ExportDevices(ctx, discard{}, bulk.ExportOptions{Keys: true}); err != nil || n != rows {
					b.Fatal(n, err)
				}
			}
			perRow(b)
			if n, err := s.Devices.Count(ctx, store.Query{}); err != nil || n != rows {
				b.Fatal(n, err)
			}
		})
	}
}

// discard is io.Discard without its ReaderFrom.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
