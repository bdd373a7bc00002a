package campaign_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// bigCampaign returns a campaign with n devices that wait for their first uplink.
func bigCampaign(tb testing.TB, n int) (*campaign.Campaign, world) {
	tb.Helper()
	o, err := parseWorld(nil)
	if err != nil {
		tb.Fatal(err)
	}
	o.devices, o.frag, o.period, o.typ = n, 5000, time.Hour, fleet.BinaryCampaign
	w := newWorld(o)
	c, err := campaign.New(w.spec, w.material)
	if err != nil {
		tb.Fatal(err)
	}
	c.Step(base, campaign.Start{})
	return c, w
}

const many = 10_000

// BenchmarkHeard is an uplink that tells nothing: the bulk of what a campaign is told.
func BenchmarkHeard(b *testing.B) {
	c, w := bigCampaign(b, many)
	for i := range w.spec.Devices {
		c.Step(base, campaign.Heard{DevEUI: w.spec.Devices[i].DevEUI, At: base})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Step(base, campaign.Heard{DevEUI: w.spec.Devices[i%many].DevEUI, At: base})
		i++
	}
}

// BenchmarkExchange is one command: asked, sent, answered.
func BenchmarkExchange(b *testing.B) {
	b.ReportAllocs()
	c, w := bigCampaign(b, many)
	now, i := base, 0
	for b.Loop() {
		if i == many {
			b.StopTimer()
			c, w = bigCampaign(b, many)
			now, i = base, 0
			b.StartTimer()
		}
		dev := w.spec.Devices[i].DevEUI
		out := c.Step(now, campaign.Heard{DevEUI: dev, At: now})
		c.Step(now, campaign.Sent{ID: out.Downlinks[0].ID, At: now})
		now = now.Add(time.Millisecond)
		lane := w.spec.Lanes[0]
		ans := perfectAnswer(c, i, lane, out.Downlinks[0].Commands[0], now)
		c.Step(now, campaign.Heard{DevEUI: dev, At: now, Commands: []lorawan.Command{ans}})
		i++
	}
}

// BenchmarkFragment is a report that brings the next fragment.
func BenchmarkFragment(b *testing.B) {
	b.ReportAllocs()
	var c *campaign.Campaign
	var now time.Time
	id := ""
	for b.Loop() {
		if id == "" {
			b.StopTimer()
			c, now, id = sendingCampaign(b)
			b.StartTimer()
		}
		out := c.Step(now, campaign.Sent{ID: id, At: now})
		id = ""
		if len(out.Downlinks) == 1 {
			id = out.Downlinks[0].ID
		}
	}
}

// sendingCampaign returns a campaign whose first fragment is with the network: every
// device has answered everything.
func sendingCampaign(tb testing.TB) (c *campaign.Campaign, now time.Time, first string) {
	tb.Helper()
	c, w := bigCampaign(tb, many)
	now = base
	var queue []campaign.Downlink
	feed := func(in campaign.Input) campaign.Output {
		out := c.Step(now, in)
		queue = append(queue, out.Downlinks...)
		return out
	}
	for _, m := range w.spec.Devices {
		feed(campaign.Heard{DevEUI: m.DevEUI, At: now})
	}
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		i := int(d.DevEUI[6])<<8 + int(d.DevEUI[7]) - 1
		now = now.Add(time.Millisecond)
		ans := perfectAnswer(c, i, w.spec.Lanes[0], d.Commands[0], now)
		feed(campaign.Heard{DevEUI: d.DevEUI, At: now, Commands: []lorawan.Command{ans}})
	}
	for len(queue) == 0 {
		now = feed(campaign.TimerFired{}).WakeAt
	}
	return c, now, queue[0].ID
}
