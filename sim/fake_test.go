package sim_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// radioDevice is the least device there is: it sends what it is told, listens when it is
// told, and writes down what it hears. What the radio and the network server do can be seen on it
// without the manners of a real device.
type radioDevice struct {
	cfg     device.Config
	session lorawan.Session
	uplinks []plannedUplink // ascending
	hears   func(device.Transmission) bool

	asked []device.Transmission // every Hears
	got   []reception
	up    uint32 // next uplink counter
}

type plannedUplink struct {
	at      time.Time
	payload []byte
	dr      uint8
	restart bool // begin counting anew
	repeat  bool // the previous counter again
}

type reception struct {
	at  time.Time
	phy []byte
}

func (d *radioDevice) NextWake() time.Time {
	if len(d.uplinks) == 0 {
		return time.Time{}
	}
	return d.uplinks[0].at
}

func (d *radioDevice) Wake(now time.Time) (out []device.Uplink) {
	for len(d.uplinks) > 0 && !d.uplinks[0].at.After(now) {
		u := d.uplinks[0]
		d.uplinks = d.uplinks[1:]
		switch {
		case u.restart:
			d.up = 0
		case u.repeat:
			d.up--
		}
		phy := d.session.Seal(lorawan.DataFrame{FCnt: d.up, FPort: 10, FRMPayload: u.payload})
		d.up++
		out = append(out, device.Uplink{PHYPayload: phy, DR: u.dr, Frequency: d.cfg.Band.UplinkChannels()[0].Frequency})
	}
	return out
}

func (d *radioDevice) Hears(tx device.Transmission) bool {
	d.asked = append(d.asked, tx)
	return d.hears == nil || d.hears(tx)
}

func (d *radioDevice) Receive(at time.Time, phy []byte) {
	d.got = append(d.got, reception{at, append([]byte(nil), phy...)})
}

// world is a network of radioDevices.
type world struct {
	*sim.Network
	t       *testing.T
	cfg     sim.Config
	devices []*radioDevice
}

func eui(i int) lorawan.EUI64 { return lorawan.EUI64{2, 0, 0, 0, 0, 0, byte(i >> 8), byte(i)} }

// newWorld makes n devices at DR 5, each linked to every gateway of cfg (one of EU868 if none), whose
// links lose what loss says; change may alter device i before it begins.
func newWorld(t *testing.T, n int, cfg sim.Config, loss sim.Loss, change func(i int, d *radioDevice)) *world {
	t.Helper()
	w := &world{t: t}
	cfg.Start = start
	if len(cfg.Gateways) == 0 {
		cfg.Gateways = []sim.Gateway{{ID: "gw", Band: region.EU868}}
	}
	for i := range n {
		d := &radioDevice{}
		w.devices = append(w.devices, d)
		spec := sim.DeviceSpec{Config: device.Config{
			DevEUI: eui(i), DevAddr: lorawan.DevAddr{0, 1, byte(i >> 8), byte(i)},
			NwkSKey: lorawan.AES128Key{1, byte(i)}, AppSKey: lorawan.AES128Key{2, byte(i)},
			Band: cfg.Gateways[0].Band, UplinkDR: 5,
		}}
		for _, g := range cfg.Gateways {
			spec.Links = append(spec.Links, sim.Link{Gateway: g.ID, Up: loss, Down: loss})
		}
		spec.New = func(c device.Config) sim.EndDevice {
			d.cfg, d.session = c, lorawan.NewSession(c.DevAddr, c.NwkSKey, c.AppSKey)
			if change != nil {
				change(i, d)
			}
			return d
		}
		cfg.Devices = append(cfg.Devices, spec)
	}
	w.cfg = cfg
	var err error
	if w.Network, err = sim.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// run advances for a while and returns every event; react, if any, sees each as it happens.
func (w *world) run(d time.Duration, react func(sim.Event)) []sim.Event {
	w.t.Helper()
	return advance(w.Network, d, react)
}

func advance(n *sim.Network, d time.Duration, react func(sim.Event)) (all []sim.Event) {
	until := n.Now().Add(d)
	for n.Now().Before(until) {
		for _, e := range n.Advance(until) {
			all = append(all, e)
			if react != nil {
				react(e)
			}
		}
	}
	return all
}

func (w *world) mustSend(i int, f sim.Frame) {
	w.t.Helper()
	if err := w.SendUnicast(eui(i), f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) mustGroup(g sim.Group) sim.Group {
	w.t.Helper()
	if g.ID == "" {
		g.ID = "g"
	}
	if g.Band == 0 {
		g.Band = w.cfg.Gateways[0].Band
	}
	g.McAddr = lorawan.DevAddr{1, 0, 0, 7}
	g.McNwkSKey, g.McAppSKey = lorawan.AES128Key{8}, lorawan.AES128Key{9}
	if err := w.EnsureGroup(g); err != nil {
		w.t.Fatal(err)
	}
	return g
}

func (w *world) mustMulticast(group string, f sim.Frame) uint32 {
	w.t.Helper()
	fcnt, err := w.SendMulticast(group, f)
	if err != nil {
		w.t.Fatal(err)
	}
	return fcnt
}

// every lists uplinks of one byte at a fixed distance.
func every(period time.Duration, n int, dr uint8) (list []plannedUplink) {
	for i := range n {
		list = append(list, plannedUplink{at: start.Add(time.Duration(i+1) * period), payload: []byte{byte(i)}, dr: dr})
	}
	return list
}

func kinds(events []sim.Event, kind sim.EventKind) (list []sim.Event) {
	for _, e := range events {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

func hash(events []sim.Event) string {
	h := sha256.New()
	for _, e := range events {
		fmt.Fprintln(h, e)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func airtime(b region.Band, dr uint8, n int) time.Duration {
	d, ok := b.DownlinkAirtime(dr, n)
	if !ok {
		panic("no such downlink")
	}
	return d
}

// listensC is a class C receiver on RX2.
func listensC(band region.Band) func(device.Transmission) bool {
	frequency, dr := band.RX2()
	return func(tx device.Transmission) bool { return tx.Frequency == frequency && tx.DR == dr }
}
