package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

var (
	packagesV1 = device.Packages{ClockSync: lorawan.V1, McSetup: lorawan.V1, Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1}
	packagesV2 = device.Packages{ClockSync: lorawan.V2, McSetup: lorawan.V2, Fragmentation: lorawan.V2, FirmwareMgmt: lorawan.V1}
	zephyr     = device.Packages{ClockSync: lorawan.V2, McSetup: lorawan.V1, Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1}
)

// The stacks of the field, with their limits, lies and habits, are brought to a new
// firmware: each says in its own way what it has, and each is believed only as far as that goes.
func TestEveryStackOfTheFieldIsUpdated(t *testing.T) {
	for _, tt := range []struct {
		name     string
		stack    device.Stack
		packages device.Packages
		size     int // bytes of the image
		loss     float64
	}{
		{"LoRaMac-node", device.LoRaMacStock, packagesV1, 1000, 0.05}, // 21 fragments of 50 bytes, 5 lost
		{"Actility STM32L476", device.ActilityL476, packagesV1, 20000, 0.1},
		{"Actility STM32WL55 v1", device.ActilityWL55v1, packagesV1, 20000, 0.1},
		{"Actility STM32WL55 v2", device.ActilityWL55v2, packagesV2, 20000, 0.1},
		{"LoRa Basics Modem v1", device.LBM, packagesV1, 20000, 0.2},
		{"LoRa Basics Modem v2", device.LBM, packagesV2, 20000, 0.2},
		{"Zephyr", device.Zephyr, zephyr, 20000, 0.1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := sim.Standard
			m.Config.Stack, m.Config.Packages = tt.stack, tt.packages
			loss := sim.Independent{P: tt.loss}
			w := newWorld(t, sim.FleetConfig{Devices: 12, Seed: 4, Up: loss, Down: loss, Mix: []sim.Model{m}}, tt.size)
			w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
			w.mustSucceed(w.wait(), 12)
			w.verify()
		})
	}
}

// Devices with multi-package access are set up with one frame each, of a size that the slowest downlink carries.
func TestMultiPackageAccessSavesTheSecondSetUpFrame(t *testing.T) {
	m := sim.Standard
	m.Config.UplinkDR, m.Config.Packages = 0, packagesV2
	m.Config.Packages.MultiPackage = lorawan.V1
	w := newWorld(t, sim.FleetConfig{Devices: 12, Seed: 4, Mix: []sim.Model{m}}, 2000)
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100})
	w.mustSucceed(w.wait(), 12)
	w.verify()
	asked := map[string]int{}
	for _, spec := range w.fleet.Devices {
		entries, err := w.store.Timeline(t.Context(), "c1", store.TimelineQuery{DevEUI: spec.DevEUI, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Code == "device.asked" && strings.Contains(e.Text, "Setup") {
				asked[e.Text]++
			}
		}
	}
	if len(asked) != 1 || asked["McGroupSetupReq, FragSessionSetupReq"] != 12 {
		t.Errorf("12 devices were set up with %v", asked)
	}
}

// Devices that misbehave fail for the right reason, or are brought home all the same,
// and never keep the others from their firmware.
func TestMisbehavingDevicesDoNotSpoilTheCampaign(t *testing.T) {
	behaves := sim.Standard
	behaves.Weight = 3
	mix := []sim.Model{behaves}
	var want []string // outcome or reason, in the order of mix
	misbehave := func(reason campaign.Reason, change func(c *device.Config)) {
		m := sim.Standard
		change(&m.Config)
		mix = append(mix, m)
		want = append(want, string(reason))
	}
	verified := campaign.ReasonNone
	misbehave(campaign.ReasonNoAnswer, func(c *device.Config) { c.Behaviour.Silent = true })
	misbehave(verified, func(c *device.Config) { c.Behaviour.AnswerDelay = 20 * time.Minute })
	misbehave(verified, func(c *device.Config) { c.Behaviour.Duplicates = true })
	misbehave(campaign.ReasonFragMemory, func(c *device.Config) { c.Behaviour.RefusesSetup = true })
	misbehave(campaign.ReasonFragMIC, func(c *device.Config) { c.Behaviour.CorruptsImage = true })
	misbehave(campaign.ReasonImageCorrupt, func(c *device.Config) { c.Behaviour.CorruptsImage, c.Packages = true, packagesV1 })
	misbehave(campaign.ReasonImageHardware, func(c *device.Config) { c.Behaviour.WrongHardware = true })
	misbehave(campaign.ReasonVersionMismatch, func(c *device.Config) { c.Behaviour.WrongVersion = 0x0909 })
	misbehave(campaign.ReasonVersionMismatch, func(c *device.Config) { c.Behaviour.FailsInstall = true })
	misbehave(verified, func(c *device.Config) { c.Behaviour.ResetAt = start.Add(90 * time.Minute) })
	misbehave(verified, func(c *device.Config) { c.Behaviour.ResetAfterFragments = 10 })
	misbehave(campaign.ReasonClockWrong, func(c *device.Config) { c.Behaviour.IgnoresTime = true })

	devices := 2 * (3 + len(want))
	loss := sim.Independent{P: 0.05}
	w := newWorld(t, sim.FleetConfig{Devices: devices, Seed: 11, Up: loss, Down: loss, Mix: mix, ClockError: 5 * time.Minute}, 8000)
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 40, Policy: fleet.CampaignPolicy{Retries: 6}})
	p := w.wait()
	if p.Status != fleet.Succeeded {
		w.timeline("c1")
		t.Fatalf("ended %s: %s", p.Status, p.Detail)
	}
	rows, err := w.store.DeviceProgress(t.Context(), "c1", store.ProgressQuery{Limit: devices})
	if err != nil {
		t.Fatal(err)
	}
	reached := map[lorawan.EUI64]store.Row{}
	for _, r := range rows.Items {
		reached[r.DevEUI] = r
	}
	for i, spec := range w.fleet.Devices {
		k := i%(3+len(want)) - 3
		expected := ""
		if k >= 0 {
			expected = want[k]
		}
		if got := reached[spec.DevEUI]; got.Reason != expected || (expected == "") != (got.Outcome == campaign.Verified.String()) {
			t.Errorf("device %s, behaviour %+v: %s %q in %s, want reason %q", spec.DevEUI, spec.Behaviour, got.Outcome, got.Reason, got.Stage, expected)
			w.deviceTimeline("c1", spec.DevEUI)
		}
	}
}

// deviceTimeline prints what happened to one device.
func (w *world) deviceTimeline(id string, dev lorawan.EUI64) {
	w.t.Helper()
	entries, err := w.store.Timeline(w.t.Context(), id, store.TimelineQuery{DevEUI: dev, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		w.t.Log(e.At.Format("02T15:04:05"), e.Code, e.Text, "<-", e.Cause)
	}
}
