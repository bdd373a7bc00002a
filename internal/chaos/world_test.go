package chaos_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

const campaignID = "chaos"

var (
	start   = time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)
	groupID = lorawan.EUI64{0xfe, 1}
	target  = fleet.MustParseFirmware("2.0.0.0")
)

// world is a small fleet, of which some misbehave, and a campaign for it.
type world struct {
	seed      uint64
	fleet     sim.Fleet
	net       *simulated.Network
	witness   *witness
	image     []byte
	threshold float64
	orders    []string // to the campaign, in this order
}

// misbehaviours are what some devices of a fleet do.
var misbehaviours = []func(*rand.Rand, *device.Config){
	func(_ *rand.Rand, c *device.Config) { c.Behaviour.Duplicates = true },
	func(r *rand.Rand, c *device.Config) {
		c.Behaviour.AnswerDelay = time.Duration(r.IntN(600)) * time.Second
	},
	func(r *rand.Rand, c *device.Config) { c.Behaviour.ResetAfterFragments = 1 + r.IntN(20) },
	func(r *rand.Rand, c *device.Config) {
		c.Behaviour.ResetAt = start.Add(time.Duration(r.IntN(6*3600)) * time.Second)
	},
	func(_ *rand.Rand, c *device.Config) { c.Behaviour.RefusesSetup = true },
	func(_ *rand.Rand, c *device.Config) { c.Behaviour.CorruptsImage = true },
	func(_ *rand.Rand, c *device.Config) { c.Behaviour.WrongHardware = true },
	func(r *rand.Rand, c *device.Config) { c.Behaviour.WrongVersion = 1 + r.Uint32()>>1 },
	func(_ *rand.Rand, c *device.Config) { c.Behaviour.FailsInstall = true },
	func(_ *rand.Rand, c *device.Config) { c.Behaviour.Silent = true },
	func(r *rand.Rand, c *device.Config) {
		c.ClockOffset, c.Behaviour.IgnoresTime = time.Duration(r.IntN(7200))*time.Second, r.IntN(2) == 0
	},
}

func newWorld(seed uint64) (*world, error) {
	r := rand.New(rand.NewPCG(seed, 3))
	loss := sim.Independent{P: 0.2 * r.Float64()}
	v1 := sim.Standard
	v1.Config.Packages = device.Packages{ClockSync: lorawan.V1, McSetup: lorawan.V1, Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1}
	fl, err := sim.NewFleet(sim.FleetConfig{
		Devices: 5 + r.IntN(4), Seed: seed, Start: start, Up: loss, Down: loss, Mix: []sim.Model{sim.Standard, v1},
		UplinkPeriod: 15 * time.Minute, UplinkJitter: 2 * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	w := &world{seed: seed, fleet: fl, witness: newWitness(), threshold: []float64{0, 50, 100}[r.IntN(3)], orders: []string{"start"}}
	for i := range fl.Devices {
		c := &fl.Devices[i].Config
		if r.IntN(2) == 0 {
			misbehaviours[r.IntN(len(misbehaviours))](r, c)
		}
		w.witness.v1[c.DevEUI] = c.Packages.Fragmentation == lorawan.V1
	}
	switch r.IntN(6) {
	case 0:
		w.orders = append(w.orders, "pause", "resume")
	case 1:
		w.orders = append(w.orders, "stop")
	}
	air, err := sim.New(fl.Config())
	if err != nil {
		return nil, err
	}
	w.net = simulated.New(air, time.Now)
	w.image = make([]byte, 1000+r.IntN(2000))
	for i := range w.image {
		w.image[i] = byte(r.Uint32())
	}
	return w, nil
}

// behaves tells if a device does as it should.
func behaves(spec sim.DeviceSpec) bool {
	return spec.Behaviour == device.Behaviour{} && spec.ClockOffset == 0
}

func (w *world) behaves() bool {
	return !slices.ContainsFunc(w.fleet.Devices, func(spec sim.DeviceSpec) bool { return !behaves(spec) })
}

// able returns how many devices will take part in a fragment session, as far as one can tell; 0 if the campaign may end before one.
func (w *world) able() (n int) {
	for _, spec := range w.fleet.Devices {
		if b := spec.Behaviour; !b.Silent && !b.RefusesSetup && !b.IgnoresTime && spec.ClockOffset == 0 {
			n++
		}
	}
	if 100*n < int(w.threshold)*len(w.fleet.Devices) {
		return 0
	}
	return n
}

// populate registers the fleet and the campaign as an operator would.
func (w *world) populate(ctx context.Context, s store.Store) error {
	var euis []lorawan.EUI64
	profiles := map[lorawan.Version]string{}
	for _, spec := range w.fleet.Devices {
		v := spec.Packages.Fragmentation
		if profiles[v] == "" {
			profiles[v] = fmt.Sprint("profile-", v)
			if err := s.Profiles().Create(ctx, &fleet.DeviceProfile{
				ID: profiles[v], Name: profiles[v], ProducerID: "test", ModuleID: profiles[v], DefaultUplinkPeriod: spec.UplinkPeriod, TimeTolerance: 5 * time.Second,
				Packages: spec.Packages, RebootsItself: spec.Stack.RebootsItself,
				Decoder: fleet.Decoder{
					MaxNbFrag: uint16(spec.Stack.Decoder.NbFrag), MaxFragSize: uint8(spec.Stack.Decoder.FragSize),
					MinFragSize: uint8(spec.Stack.Decoder.MinFragSize), MaxLost: uint16(spec.Stack.Decoder.MaxLost),
				},
			}); err != nil {
				return err
			}
		}
		if err := s.Devices().Create(ctx, &fleet.Device{
			DevEUI: spec.DevEUI, Name: spec.DevEUI.String(), Classes: fleet.ClassesOf(fleet.ClassC), RootKey: spec.RootKey, ProfileID: profiles[v], Band: spec.Band,
		}); err != nil {
			return err
		}
		euis = append(euis, spec.DevEUI)
	}
	frequency, _ := region.EU868.RX2()
	content, err := s.PutContent(ctx, bytes.NewReader(w.image))
	return errors.Join(err,
		s.DeviceSets().Create(ctx, &fleet.DeviceSet{ID: "all", Name: "all", Devices: euis}),
		s.Groups().Create(ctx, &fleet.MulticastGroup{DevEUI: groupID, Name: "north", Band: region.EU868, McAddr: lorawan.DevAddr{1, 2, 3, 4}, Frequency: frequency,
			DataRate: 5, Redundancy: fleet.OneToTwo, McKey: lorawan.AES128Key{7, 7, 7}, SessionClass: fleet.ClassC}),
		s.Regions().Create(ctx, &fleet.Region{ID: "north", Name: "north", Groups: []lorawan.EUI64{groupID}}),
		s.Files().Create(ctx, &fleet.File{ID: "file", Name: "image", Size: content.Size, SHA256: content.SHA256, Type: fleet.FirmwareFile, Version: target}),
		s.Campaigns().Create(ctx, &fleet.Campaign{ID: campaignID, Name: "chaos", Type: fleet.FOTACampaign, DeviceSets: []string{"all"}, Regions: []string{"north"}, FileID: "file",
			MaxDuration: 7 * 24 * time.Hour, SuccessThreshold: w.threshold,
			// Patience, so that no device that does as it should runs out of luck. A campaign left to itself accepts that in one of
			// twenty a device does not hear of the session in time, and each new owner costs those that it finds waiting a chance.
			Policy: fleet.CampaignPolicy{Retries: 15, MaxRounds: 40, MaxCodedPercent: 400, SessionLead: 3 * time.Hour}}),
	)
}

// timeline returns what happened, for a run that went wrong.
func (w *world) timeline(ctx context.Context, s store.Store) string {
	entries, err := s.Timeline(ctx, campaignID, store.TimelineQuery{Limit: store.MaxLimit})
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintln(&b, e.At.Format("02T15:04:05"), e.DevEUI, e.Group, e.Code, e.Text, "<-", e.Cause)
	}
	return b.String()
}

// check holds what is stored against what the devices know, and what the network has seen.
func (w *world) check(ctx context.Context, s store.Store) (wrong []string, err error) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	wrong = append(wrong, w.witness.wrong...)
	c, err := s.Campaigns().Find(ctx, campaignID)
	if err != nil {
		return wrong, err
	}
	page, err := s.DeviceProgress(ctx, campaignID, store.ProgressQuery{Limit: store.MaxLimit})
	if err != nil {
		return wrong, err
	}
	outcomes, reasons := map[lorawan.EUI64]string{}, map[lorawan.EUI64]store.Row{}
	verified := 0
	for _, row := range page.Items {
		outcomes[row.DevEUI], reasons[row.DevEUI] = row.Outcome, row
		if row.Outcome == "verified" {
			verified++
		}
	}
	if len(outcomes) != len(w.fleet.Devices) {
		complain("%d of %d devices took part", len(outcomes), len(w.fleet.Devices))
	}
	sum := sha256.Sum256(w.image)
	w.net.Inspect(func(n *sim.Network) {
		for _, spec := range w.fleet.Devices {
			runs := n.Device(spec.DevEUI).RunningImageSHA256() == hex.EncodeToString(sum[:])
			switch outcome := outcomes[spec.DevEUI]; {
			case outcome == "verified" && !runs:
				complain("device %s is verified and runs something else: %+v", spec.DevEUI, spec.Behaviour)
			case outcome == "verified":
			case c.Status == fleet.Failed && reasons[spec.DevEUI].Reason == string(campaign.ReasonEnded) && !w.behaves():
				// A stage that others did not pass closed on it.
			case c.Status != fleet.Stopped && behaves(spec):
				complain("device %s does as it should and is %s in %s: %s", spec.DevEUI, outcome, reasons[spec.DevEUI].Stage, reasons[spec.DevEUI].Reason)
			case outcome != "failed" && outcome != "stopped":
				complain("device %s is %q after the end", spec.DevEUI, outcome)
			}
		}
	})
	want := fleet.Failed
	switch enough := verified > 0 && 100*float64(verified) >= w.threshold*float64(len(page.Items))-1e-6; {
	case c.Status == fleet.Stopped && w.orders[len(w.orders)-1] == "stop":
		want = fleet.Stopped
	case enough:
		want = fleet.Succeeded
	}
	if c.Status != want {
		complain("campaign is %s (%s) with %d of %d devices verified, threshold %g", c.Status, c.StatusReason, verified, len(page.Items), w.threshold)
	}
	g, err := s.Groups().Find(ctx, groupID)
	if err != nil {
		return wrong, err
	}
	if next := w.witness.nextFCnt[groupID]; g.FCntDown < next {
		complain("the group's next counter is %d, %d was used", g.FCntDown, next-1)
	}
	var euis []lorawan.EUI64
	for _, spec := range w.fleet.Devices {
		euis = append(euis, spec.DevEUI)
	}
	stored, err := s.SessionCnts(ctx, euis)
	if err != nil {
		return wrong, err
	}
	for _, cnt := range stored {
		key := fragmentKey{eui: cnt.DevEUI, fragIndex: cnt.FragIndex}
		if cnt.Cnt < w.witness.cnt[key] {
			complain("the last SessionCnt of %s slot %d is %d, %d was used", cnt.DevEUI, cnt.FragIndex, cnt.Cnt, w.witness.cnt[key])
		}
		delete(w.witness.cnt, key)
	}
	for key, cnt := range w.witness.cnt {
		complain("SessionCnt %d of %s slot %d was used and is not stored", cnt, key.eui, key.fragIndex)
	}
	raw, err := s.RunHeader(ctx, campaignID)
	if err != nil {
		return wrong, err
	}
	var head campaign.Header
	if err := json.Unmarshal(raw, &head); err != nil {
		return wrong, err
	}
	for key, n := range w.witness.begun {
		if n > head.Wave {
			complain("fragments of slot %d began again %d times in %d further waves", key.fragIndex, n, head.Wave)
		}
	}
	outbox, err := s.PendingOutbox(ctx, "")
	if err != nil {
		return wrong, err
	}
	// Letters that were posted in the moment of the end are swept up by whoever looks next.
	err = s.Join(ctx, store.Replica{ID: "sweeper"}, time.Minute)
	if err != nil {
		return wrong, err
	}
	share, err := s.ClaimRuns(ctx, "sweeper")
	if err != nil {
		return wrong, err
	}
	letters, err := s.Letters(ctx, campaignID, 10)
	if err != nil {
		return wrong, err
	}
	if len(outbox)+len(letters)+len(share.Claimed) > 0 {
		complain("left over: %d frames, %d letters, %d runs", len(outbox), len(letters), len(share.Claimed))
	}
	return wrong, nil
}
