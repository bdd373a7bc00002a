package service_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/service"
)

// meanwhile does something when a reader gets to it.
type meanwhile func()

func (do meanwhile) Read([]byte) (int, error) {
	do()
	return 0, io.EOF
}

// What others store while a table is still being read makes bad rows: nothing is overwritten, and
// no set is there twice.
func TestImportsNoticeOthers(t *testing.T) {
	w := newWorld(t)
	var rows strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&rows, "set %d,%s,%s\n", i, strings.Repeat("x", 200), w.device.DevEUI)
	}
	others := meanwhile(func() {
		created(w, w.DeviceSets, fleet.DeviceSet{Name: "set 7"})
		if _, err := w.DeviceSets.Update(ctx, w.set.ID, service.AnyRevision, func(x *fleet.DeviceSet) error { x.Description += "theirs"; return nil }); err != nil {
			t.Error(err)
		}
	})
	load := func(first string) (report bulk.Report, reasons []string) {
		opt := service.ImportOptions{}
		opt.Outcome = func(o bulk.Outcome) error {
			for _, e := range o.Errors {
				reasons = append(reasons, e.Error())
			}
			return nil
		}
		report, err := w.ImportDeviceSets(ctx, io.MultiReader(strings.NewReader(first+rows.String()), others), opt)
		if err != nil {
			t.Fatal(err)
		}
		return report, reasons
	}
	if r, reasons := load(""); r.Written != 0 || r.Failed != 1 || len(reasons) != 1 || reasons[0] != "row 8: there is already a device set with this name" {
		t.Errorf("%+v, %q", r, reasons)
	}
	if r, reasons := load("all,ours," + w.device.DevEUI.String() + "\n"); r.Written != 0 || r.Failed != 1 || len(reasons) != 1 || !strings.HasPrefix(reasons[0], "row 1: device set "+w.set.ID+": changed meanwhile") {
		t.Errorf("%+v, %q", r, reasons)
	}
}
