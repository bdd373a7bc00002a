package whatif

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/sim"
)

// epoch is when virtual time begins. It is fixed, so that a run can be repeated exactly.
var epoch = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

// groupEUI and groupAddr name the multicast group. The address is outside of those of devices.
var (
	groupEUI  = lorawan.MustParseEUI64("fe00000000000001")
	groupAddr = lorawan.MustParseDevAddr("01000001")
)

// world is a network with its fleet, made anew for each strategy.
type world struct {
	sc     *Scenario
	fleet  sim.Fleet
	net    *tap
	meters []*meter
}

func newWorld(sc *Scenario) (*world, error) {
	w := &world{sc: sc}
	crowd, err := w.crowd()
	if err != nil {
		return nil, err
	}
	cfg := sim.FleetConfig{
		Devices: sc.Devices, Seed: sc.Seed, Start: epoch, Gateways: sc.Gateways, Reach: sc.Reach,
		UplinkJitter: time.Duration(sc.UplinkJitter), ClockError: time.Duration(sc.ClockError), ClockDriftPPM: 10,
	}
	for _, period := range sc.UplinkPeriods {
		v := sc.version()
		cfg.Mix = append(cfg.Mix, sim.Model{Config: device.Config{
			Band: sc.Band, UplinkDR: *sc.UplinkDataRate, ClassB: *sc.Class == fleet.ClassB, ClassC: *sc.Class == fleet.ClassC,
			Packages:     device.Packages{ClockSync: v, McSetup: v, Fragmentation: v, FirmwareMgmt: lorawan.V1},
			Stack:        device.Ideal,
			Firmware:     1,
			UplinkPeriod: time.Duration(period),
		}})
	}
	if w.fleet, err = sim.NewFleet(cfg); err != nil {
		return nil, err
	}
	w.net = newTap(sc.Band, *sc.UplinkDataRate, sc.version(), w.traits().FPort(lorawan.Fragmentation))
	for i := range w.fleet.Devices {
		spec := &w.fleet.Devices[i]
		for k := range spec.Links {
			loss := sc.Loss.of(sc.Seed, i, k)
			spec.Links[k].Up, spec.Links[k].Down = loss, loss
		}
		spec.Crowd = crowd
		spec.New = func(c device.Config) sim.EndDevice {
			m := newMeter(c, w.net)
			w.meters = append(w.meters, m)
			return m
		}
	}
	network, err := sim.New(w.fleet.Config())
	if err != nil {
		return nil, err
	}
	w.net.Network = simulated.New(network, time.Now)
	return w, nil
}

// crowd returns what all devices have in common, nil if they have nothing but the air.
func (w *world) crowd() (*device.Crowd, error) {
	if w.sc.DevicesModel != Ranks {
		return nil, nil
	}
	c := device.NewCrowd()
	for n := range w.sc.Campaigns {
		if err := c.Add(w.content(n + 1)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// of draws the loss of a link. It depends on the seed and the link only.
func (l Loss) of(seed uint64, device, link int) sim.Loss {
	luck := rand.New(rand.NewPCG(seed, uint64(device)<<16|uint64(link)))
	return sim.Spread(l).Of(luck.Float64())
}

// settle lets the fleet live for some uplink periods before anything is measured: clocks are
// set, as they are in every fleet that is in use.
func (w *world) settle(ctx context.Context) error {
	until := epoch.Add(4 * w.longestPeriod())
	for w.net.Now().Before(until) {
		events, err := w.net.Wait(ctx, until)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := w.answerClock(ctx, e); err != nil {
				return err
			}
		}
	}
	for _, d := range w.fleet.Devices {
		if err := w.net.FlushUnicast(ctx, d.DevEUI); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) longestPeriod() time.Duration {
	var longest Span
	for _, p := range w.sc.UplinkPeriods {
		longest = max(longest, p)
	}
	return time.Duration(longest)
}

// answerClock answers AppTimeReq, as all servers do.
func (w *world) answerClock(ctx context.Context, e network.Event) error {
	if e.Kind != network.Uplink {
		return nil
	}
	commands, err := w.traits().ParseUplink(e.FPort, e.Payload)
	if err != nil {
		return fmt.Errorf("uplink of %s: %w", e.DevEUI, err)
	}
	for _, c := range commands {
		req, ok := c.(clocksync.AppTimeReq)
		if !ok {
			continue
		}
		ans, due := clocksync.Answer(req, e.Time, time.Second)
		if !due {
			continue
		}
		payload, err := ans.Append(nil, w.sc.version())
		if err != nil {
			return err
		}
		f := network.Frame{ID: fmt.Sprintf("c10c%012x", e.FCnt), FPort: e.FPort, Payload: payload}
		if err := w.net.SendUnicast(ctx, e.DevEUI, f, false); err != nil {
			return fmt.Errorf("AppTimeAns to %s: %w", e.DevEUI, err)
		}
	}
	return nil
}

// traits are what the servers know of the devices.
func (w *world) traits() *campaign.Traits {
	t := campaign.TraitsOf(w.profile(0), nil)
	return &t
}

// profile returns the device profile of the devices with uplink period i.
func (w *world) profile(i int) fleet.DeviceProfile {
	v := w.sc.version()
	return fleet.DeviceProfile{
		Name: fmt.Sprintf("every %s", w.sc.UplinkPeriods[i]), ProducerID: "Starling", ModuleID: fmt.Sprintf("simulated %d", i),
		DefaultUplinkPeriod: time.Duration(w.sc.UplinkPeriods[i]), TimeTolerance: timeTolerance,
		Packages: fleet.Packages{ClockSync: v, McSetup: v, Fragmentation: v, FirmwareMgmt: lorawan.V1},
	}
}

// timeTolerance covers what AppTimeAns leaves of an error, one second, and the drift since.
const timeTolerance = 5 * time.Second

// group returns the multicast group.
func (w *world) group() fleet.MulticastGroup {
	g := fleet.MulticastGroup{
		DevEUI: groupEUI, Name: "What if", Band: w.sc.Band, McAddr: groupAddr, DataRate: *w.sc.DataRate, SessionClass: *w.sc.Class,
	}
	if *w.sc.Class == fleet.ClassC {
		g.Frequency, _ = w.sc.Band.RX2()
	} else {
		g.PingSlotPeriodicity, _ = fleet.ParsePingSlotPeriodicity(w.sc.PingSlotSeconds) // checked by Complete
	}
	return g
}

// content returns the file of campaign i: bytes that nothing compresses.
func (w *world) content(i int) []byte {
	rng := rand.New(rand.NewPCG(w.sc.Seed, 1<<63|uint64(i)))
	b := make([]byte, 0, int(w.sc.Size)+8)
	for len(b) < int(w.sc.Size) {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return b[:w.sc.Size]
}
