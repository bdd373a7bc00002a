package engine

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// An order that cannot be written down would reach a campaign only if it is given to the right process.
func TestEveryOrderCanBePassedOn(t *testing.T) {
	files, err := filepath.Glob("../../campaign/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	declared := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^type (\w+Requested) struct`).FindAllSubmatch(source, -1) {
			declared++
			if orders[string(m[1])] == nil {
				t.Errorf("campaign.%s is missing in orders", m[1])
			}
		}
	}
	if declared != len(orders) {
		t.Errorf("%d orders are declared, %d can be passed on", declared, len(orders))
	}
}

func TestOrdersArriveAsTheyWereGiven(t *testing.T) {
	devices := []lorawan.EUI64{{1}, {2}}
	for _, in := range []campaign.Input{
		campaign.StopRequested{By: "ann"},
		campaign.ExtendRequested{By: "ann", For: time.Hour, Groups: devices},
		campaign.RedundancyRequested{By: "ann", Fragments: 3, Percent: 7.5, Groups: devices},
		campaign.RetryRequested{By: "ann", Devices: devices, Kinds: []campaign.Reason{campaign.ReasonEnded}},
		campaign.ExcludeRequested{By: "ann", Devices: devices},
	} {
		stored, err := orderLetter("c", in, []store.AuditEntry{{Action: "campaign.stop"}})
		if err != nil {
			t.Fatal(err)
		}
		l, err := readLetter(stored)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.order()
		if err != nil || !reflect.DeepEqual(got, in) || stored.CampaignID != "c" || len(l.Audit) != 1 {
			t.Errorf("%v arrives as %v, %v", in, got, err)
		}
	}
	for _, l := range []letter{{Order: "DanceRequested"}, {Order: "StopRequested", Input: []byte("7")}} {
		if in, err := l.order(); err == nil {
			t.Errorf("%+v arrives as %v", l, in)
		}
	}
	if _, err := orderLetter("c", campaign.Start{}, nil); err == nil {
		t.Error("what is no order is passed on")
	}
}
