package sim_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// transfer plays the server of one multicast transfer by hand: no retry policy, no plan, only
// what the protocol needs.
type transfer struct {
	t       *testing.T
	net     *sim.Network
	fleet   sim.Fleet
	group   sim.Group
	mcKey   lorawan.AES128Key
	version lorawan.Version
	begins  time.Time // SessionTime
	timeOut uint8

	block    []byte
	encoder  *fec.Encoder
	stage    map[lorawan.EUI64]int  // commands answered so far
	finished map[lorawan.EUI64]bool // announced the complete block
	summary  []sim.Event
}

const setUpTime = 12 * time.Hour

func newTransfer(t *testing.T, cfg sim.FleetConfig, fanOut sim.FanOut, group sim.Group, blockLen int) *transfer {
	t.Helper()
	cfg.Start = start
	x := &transfer{
		t: t, fleet: newFleet(t, cfg), group: group,
		mcKey: lorawan.AES128Key{7, 7}, version: lorawan.V2,
		begins: lorawan.CeilBeacon(start.Add(setUpTime)), timeOut: 12,
		block: make([]byte, blockLen),
		stage: map[lorawan.EUI64]int{}, finished: map[lorawan.EUI64]bool{},
	}
	if group.ClassB {
		x.timeOut = 6
	}
	for i := range x.block {
		x.block[i] = byte(i*i + i>>8)
	}
	c := x.fleet.Config()
	c.FanOut = fanOut
	c.MulticastGap = 100 * time.Millisecond
	var err error
	if x.net, err = sim.New(c); err != nil {
		t.Fatal(err)
	}
	x.group.ID, x.group.McAddr, x.group.FCntDown = "g", lorawan.DevAddr{1, 2, 3, 4}, 1000
	x.group.McAppSKey = multicast.McAppSKey(x.mcKey, x.group.McAddr)
	x.group.McNwkSKey = multicast.McNwkSKey(x.mcKey, x.group.McAddr)
	if err := x.net.EnsureGroup(x.group); err != nil {
		t.Fatal(err)
	}
	size, _ := x.group.Band.MaxFragSize(x.group.DataRate, region.Options{})
	if x.encoder, err = fec.NewEncoder(x.version, x.block, min(size, 100)); err != nil {
		t.Fatal(err)
	}
	return x
}

// next returns the command that a device needs at its stage.
func (x *transfer) next(spec sim.DeviceSpec) (port uint8, c lorawan.Command) {
	switch x.stage[spec.DevEUI] {
	case 0:
		kek := multicast.McKEKey(multicast.McRootKey10(spec.RootKey))
		return 200, multicast.McGroupSetupReq{
			McAddr: x.group.McAddr, McKeyEncrypted: multicast.WrapMcKey(kek, x.mcKey),
			MinMcFCnt: x.group.FCntDown, MaxMcFCnt: x.group.FCntDown + 10000,
		}
	case 1:
		return 201, fragmentation.FragSessionSetupReq{
			McGroupBitMask: 1, NbFrag: uint16(x.encoder.NbFrag()), FragSize: uint8(x.encoder.FragSize()),
			// The gateways are deaf most of the time while fragments go out: announce later, over 1024 s.
			Padding: uint8(x.encoder.Padding()), AckReception: true, BlockAckDelay: 6, SessionCnt: 1,
			MIC: fragmentation.DataBlockMIC(fragmentation.DataBlockIntKey10(spec.RootKey), 1, 0, [4]byte{}, x.block),
		}
	case 2:
		at := lorawan.GPSSeconds32(x.begins)
		if x.group.ClassB {
			return 200, multicast.McClassBSessionReq{
				SessionTime: at, TimeOut: x.timeOut, Periodicity: x.group.PingSlotPeriodicity,
				DLFrequency: x.group.Frequency, DR: x.group.DataRate,
			}
		}
		return 200, multicast.McClassCSessionReq{
			SessionTime: at, TimeOut: x.timeOut, DLFrequency: x.group.Frequency, DR: x.group.DataRate,
		}
	}
	return 0, nil
}

func (x *transfer) send(dev lorawan.EUI64, port uint8, c lorawan.Command) {
	payload, err := c.Append(nil, x.version)
	if err != nil {
		x.t.Fatal(err)
	}
	if err := x.net.SendUnicast(dev, sim.Frame{ID: c.Name(), FPort: port, Payload: payload}); err != nil {
		x.t.Fatal(err)
	}
}

// react answers an uplink.
func (x *transfer) react(e sim.Event) {
	if e.Kind == sim.Summary {
		x.summary = append(x.summary, e)
	}
	if e.Kind != sim.Uplink {
		return
	}
	x.net.FlushUnicast(e.DevEUI) // what the device did not get is asked for again
	switch e.FPort {
	case 200:
		cmds, _ := multicast.ParseUplink(x.version, e.Payload)
		for _, c := range cmds {
			switch c := c.(type) {
			case multicast.McGroupSetupAns:
				x.answered(e, 0, c.IDError)
			case multicast.McClassCSessionAns:
				x.answered(e, 2, c.Refused())
			case multicast.McClassBSessionAns:
				x.answered(e, 2, c.Refused())
			}
		}
	case 201:
		cmds, _ := fragmentation.ParseUplink(x.version, e.Payload)
		for _, c := range cmds {
			switch c := c.(type) {
			case fragmentation.FragSessionSetupAns:
				x.answered(e, 1, c.Refused())
			case fragmentation.FragDataBlockReceivedReq:
				if c.MICError {
					x.t.Errorf("wrong block: %s", e)
				}
				x.finished[e.DevEUI] = true
				x.send(e.DevEUI, 201, fragmentation.FragDataBlockReceivedAns{})
				return
			}
		}
	case 202:
		cmds, _ := clocksync.ParseUplink(x.version, e.Payload)
		for _, c := range cmds {
			if req, ok := c.(clocksync.AppTimeReq); ok {
				if ans, ok := clocksync.Answer(req, e.Time, 0); ok {
					x.send(e.DevEUI, 202, ans)
					return
				}
			}
		}
	}
	for _, spec := range x.fleet.Devices {
		if spec.DevEUI == e.DevEUI {
			if port, c := x.next(spec); c != nil {
				x.send(e.DevEUI, port, c)
			}
		}
	}
}

func (x *transfer) answered(e sim.Event, stage int, refused bool) {
	if refused {
		x.t.Errorf("refused: %s", e)
	}
	if x.stage[e.DevEUI] == stage {
		x.stage[e.DevEUI]++
	}
}

// run sets all devices up, sends all fragments and as many coded ones, and waits.
func (x *transfer) run(coded int) []sim.Event {
	events := advance(x.net, x.begins.Sub(start)+3*time.Second, x.react)
	for i, spec := range x.fleet.Devices {
		if x.stage[spec.DevEUI] != 3 {
			x.t.Fatalf("device %d is at stage %d after %s", i, x.stage[spec.DevEUI], setUpTime)
		}
	}
	for i := 1; i <= x.encoder.NbFrag()+coded; i++ {
		data, err := x.encoder.Fragment(i, nil)
		if err != nil {
			x.t.Fatal(err)
		}
		payload, err := fragmentation.DataFragment{N: uint16(i), Data: data}.Append(nil, x.version)
		if err != nil {
			x.t.Fatal(err)
		}
		if fcnt, err := x.net.SendMulticast("g", sim.Frame{ID: fmt.Sprint(i), FPort: 201, Payload: payload}); err != nil || fcnt != uint32(999+i) {
			x.t.Fatalf("fragment %d: counter %d, %v", i, fcnt, err)
		}
	}
	return append(events, advance(x.net, 4*time.Hour, x.react)...)
}

func (x *transfer) check() {
	x.t.Helper()
	for i, e := range x.summary {
		if e.FrameID != fmt.Sprint(i+1) || e.FCnt != uint32(1000+i) || e.GwOK != e.GwTotal {
			x.t.Errorf("summary %d: %s", i, e)
		}
	}
	for i, spec := range x.fleet.Devices {
		dev := x.net.Device(spec.DevEUI)
		if block, complete := dev.Image(); !complete || !bytes.Equal(block, x.block) {
			x.t.Errorf("device %d: complete %v, same block %v; %+v", i, complete, bytes.Equal(block, x.block), dev.Status())
		}
	}
	// Three announcements of each device are on their way with the same loss as all else.
	if n, all := len(x.finished), len(x.fleet.Devices); n < all*3/4 {
		x.t.Errorf("%d of %d devices announced the block", n, all)
	}
}

func lossyFleet(devices int, bands ...region.Band) sim.FleetConfig {
	return sim.FleetConfig{
		Devices: devices, Seed: 5, Bands: bands, Gateways: 2, Reach: 1,
		Up: sim.Independent{P: 0.2}, Down: sim.Independent{P: 0.2},
		UplinkDRs: []uint8{3}, UplinkPeriod: 10 * time.Minute, UplinkJitter: time.Minute,
		ClockError: time.Minute, ClockDriftPPM: 20,
	}
}

func TestFleetReceivesABlockOverLossyLinks(t *testing.T) {
	for _, c := range []struct {
		name   string
		fanOut sim.FanOut
		loss   sim.Loss
		group  sim.Group
	}{
		{"class C", sim.Simultaneous, sim.Independent{P: 0.2}, sim.Group{Band: region.EU868, Frequency: rx2EU, DataRate: 3}},
		{"class C, staggered, bursts", sim.Staggered, sim.Bursty{Mean: 0.2, Burst: 5}, sim.Group{Band: region.EU868, Frequency: rx2EU, DataRate: 3}},
		{"class C, US915", sim.Simultaneous, sim.Independent{P: 0.2}, sim.Group{Band: region.US915, Frequency: 923300000, DataRate: 10}},
		{"class B", sim.Simultaneous, sim.Independent{P: 0.2}, sim.Group{Band: region.EU868, ClassB: true, PingSlotPeriodicity: 3, Frequency: rx2EU, DataRate: 3}},
		{"class B, hopping", sim.Simultaneous, sim.Independent{P: 0.2}, sim.Group{Band: region.US915, ClassB: true, PingSlotPeriodicity: 2, DataRate: 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := lossyFleet(20, c.group.Band)
			cfg.Up, cfg.Down = c.loss, c.loss
			x := newTransfer(t, cfg, c.fanOut, c.group, 6000)
			x.run(60)
			x.check()
			if len(x.summary) != x.encoder.NbFrag()+60 {
				t.Errorf("%d of %d frames done", len(x.summary), x.encoder.NbFrag()+60)
			}
		})
	}
}

func TestRealFleetIsDeterministic(t *testing.T) {
	run := func(seed uint64) string {
		cfg := lossyFleet(20, region.EU868)
		cfg.Seed = seed
		x := newTransfer(t, cfg, sim.Simultaneous, sim.Group{Band: region.EU868, Frequency: rx2EU, DataRate: 3}, 3000)
		return hash(x.run(20))
	}
	a := run(1)
	if a != run(1) {
		t.Error("two runs of the same fleet differ")
	}
	if a == run(2) {
		t.Error("two seeds give the same events")
	}
}

func TestRebootOfADeviceIsReportedAsAJoinBeforeItsNextUplink(t *testing.T) {
	cfg := lossyFleet(1, region.EU868)
	cfg.Start, cfg.Up, cfg.Down = start, nil, nil
	f := newFleet(t, cfg)
	at := start.Add(65 * time.Minute)
	f.Devices[0].Behaviour.ResetAt = at
	n, err := sim.New(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	events := advance(n, 2*time.Hour, nil)
	joins := kinds(events, sim.Joined)
	if len(joins) != 1 || joins[0].DevEUI != f.Devices[0].DevEUI || joins[0].Time.Before(at) {
		t.Fatalf("got %v, want one join after %s", joins, at)
	}
	for i, e := range events {
		if e.Kind != sim.Joined {
			continue
		}
		if next := events[i+1]; next.Kind != sim.Uplink || !next.Time.Equal(e.Time) || events[i-1].Time.After(at) {
			t.Errorf("join between %s and %s", events[i-1], next)
		}
	}
}
