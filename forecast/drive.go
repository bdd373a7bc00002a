package forecast

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/airtime"
	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// errSteps means that a run is longer than what may be spent on it.
var errSteps = errors.New("the campaign takes more steps than a prediction may")

// driver runs a campaign against a model network, as the engine does it: events go to the
// machine in their order, what follows is sent when the round is through, and a frame for a
// device that was just heard makes the receive windows of that uplink.
type driver struct {
	*world
	c         *campaign.Campaign
	air       airtime.Governor
	interrupt func() error
	steps     int // of the network, at most
	rounds    int // of events, so far

	index  map[lorawan.EUI64]int
	groups map[string]int
	out    []campaign.Output // not yet acted on
	wakeAt time.Time

	fragments map[string]bool // frames with fragments, by ID
	use       []groupUse
}

// groupUse is what was on the air for a group.
type groupUse struct {
	fragments int
	bands     []bandUse // that were used, in the order of their first use
}

// bandUse is the air time of a group in one sub-band, of all its gateways together.
type bandUse struct {
	region.SubBand
	rx1, rx2, multicast used
	busiest             time.Duration // of the gateway that had the busiest hour
}

// used is some air time.
type used struct {
	frames  int
	airtime time.Duration
}

func (u *used) add(d time.Duration) { u.frames, u.airtime = u.frames+1, u.airtime+d }

// in returns the use of a sub-band.
func (u *groupUse) in(sub region.SubBand) *bandUse {
	for i := range u.bands {
		if u.bands[i].Low == sub.Low {
			return &u.bands[i]
		}
	}
	u.bands = append(u.bands, bandUse{SubBand: sub})
	return &u.bands[len(u.bands)-1]
}

func newDriver(w *world, s *sample, interrupt func() error, steps int) (*driver, error) {
	c, err := campaign.New(s.planned.Spec, s.planned.Material)
	if err != nil {
		return nil, err
	}
	d := &driver{
		world: w, c: c, interrupt: interrupt, steps: steps,
		index: make(map[lorawan.EUI64]int, len(s.planned.Spec.Devices)), groups: make(map[string]int, len(s.planned.Spec.Groups)),
		fragments: map[string]bool{}, use: make([]groupUse, len(s.planned.Spec.Groups)),
	}
	for i, m := range s.planned.Spec.Devices {
		d.index[m.DevEUI] = i
	}
	for g := range s.planned.Spec.Groups {
		d.groups[s.planned.Spec.Groups[g].DevEUI.String()] = g
	}
	return d, nil
}

// settle lets the fleet live until the campaign starts, and answers its clocks.
func (d *driver) settle(until time.Time) error {
	for d.net.Now().Before(until) {
		if err := d.allowed(); err != nil {
			return err
		}
		for _, e := range d.net.Advance(until) {
			if e.Kind == sim.Uplink {
				d.answerClock(e, d.commands(e))
			}
		}
	}
	for _, m := range d.c.Spec().Devices {
		d.net.FlushUnicast(m.DevEUI)
	}
	return nil
}

// roundsPerLook is how many rounds of events pass between two looks at what a run has cost.
const roundsPerLook = 64

// allowed returns why the run cannot go on, if it cannot.
func (d *driver) allowed() error {
	if d.rounds++; d.rounds%roundsPerLook != 0 {
		return nil
	}
	if d.net.Stats().Steps > d.steps {
		return errSteps
	}
	if d.interrupt == nil {
		return nil
	}
	return d.interrupt()
}

// run starts the campaign and takes it to its end, or to a halt, which a person would have to look at.
// Phases that wait for a person are promoted at once.
func (d *driver) run() error {
	d.step(campaign.Start{})
	d.settleOutputs()
	for {
		head := d.c.Header()
		if head.Status.Ended() || !head.Halted.At.IsZero() {
			return nil
		}
		if err := d.allowed(); err != nil {
			return err
		}
		if head.Interval.Manual && !d.net.Now().Before(head.Interval.Until) {
			d.step(campaign.PromoteRequested{By: "prediction"})
			d.settleOutputs()
			continue
		}
		until := d.wakeAt
		switch {
		case head.Interval.Manual:
			until = head.Interval.Until
		case until.IsZero():
			until = d.net.Now().Add(24 * time.Hour) // nothing is due: only the network can bring something
		}
		for _, e := range d.net.Advance(until) {
			d.handle(e)
		}
		if !d.wakeAt.IsZero() && !d.wakeAt.After(d.net.Now()) {
			d.step(campaign.TimerFired{})
		}
		d.settleOutputs()
	}
}

// report sums up what the campaign has come to.
func (d *driver) report() campaign.Report {
	spec := d.c.Spec()
	devices, groups := make([]campaign.Device, len(spec.Devices)), make([]campaign.Group, len(spec.Groups))
	for i := range devices {
		devices[i] = d.c.Device(i)
	}
	for g := range groups {
		groups[g] = d.c.Group(g)
	}
	return campaign.NewReport(spec, d.c.Header(), devices, groups)
}

func (d *driver) step(in campaign.Input) campaign.Output {
	out := d.c.Step(d.net.Now(), in)
	d.wakeAt = out.WakeAt
	d.out = append(d.out, out)
	return out
}

// band is that of the campaign's groups.
func (d *driver) band() region.Band { return d.c.Spec().Groups[0].Band }

// settleOutputs sends what the machine wishes. A refusal of the network becomes an input,
// which may bring more to send.
func (d *driver) settleOutputs() {
	for len(d.out) > 0 {
		out := d.out[0]
		d.out = d.out[1:]
		for _, dev := range out.FlushDevices {
			d.net.FlushUnicast(dev)
		}
		for _, g := range out.FlushGroups {
			_ = d.net.FlushMulticast(g.String()) // it knows its groups
		}
		for _, f := range out.Downlinks {
			if err := d.send(f); err != nil {
				d.step(campaign.NotSent{ID: f.ID, Reason: err.Error()})
			}
		}
	}
}

func (d *driver) send(f campaign.Downlink) error {
	frame := sim.Frame{ID: f.ID, FPort: f.FPort, Payload: f.Payload}
	if f.Group.IsZero() {
		if f.Flush {
			d.net.FlushUnicast(f.DevEUI)
		}
		return d.net.SendUnicast(f.DevEUI, frame)
	}
	if _, ok := f.Commands[0].(fragmentation.DataFragment); ok {
		d.fragments[f.ID] = true
	}
	_, err := d.net.SendMulticast(f.Group.String(), frame)
	return err
}

// handle takes one event of the network to the machine.
func (d *driver) handle(e sim.Event) {
	switch e.Kind {
	case sim.Uplink:
		commands := d.commands(e)
		d.answerClock(e, commands)
		chance := airtime.Chance{At: e.Time, Gateways: e.Gateways, Band: d.band(), Frequency: e.Frequency, DataRate: e.DataRate}
		asked := d.step(campaign.Heard{DevEUI: e.DevEUI, At: e.Time, FCnt: e.FCnt, FPort: e.FPort, Commands: commands, Crowded: d.air.Crowded(chance)})
		if slices.ContainsFunc(asked.Downlinks, func(f campaign.Downlink) bool { return f.DevEUI == e.DevEUI }) {
			d.air.Reserve(chance)
		}
	case sim.Sent:
		d.air.Spend(e.Gateways, d.band(), e.Frequency, e.Time.Add(-e.Airtime), e.Airtime)
		d.countUnicast(e)
		d.step(campaign.Sent{ID: e.FrameID, At: e.Time, FCnt: e.FCnt, Airtime: e.Airtime})
	case sim.Summary:
		d.countMulticast(e)
		d.step(campaign.Sent{ID: e.FrameID, At: e.Time, FCnt: e.FCnt, Airtime: e.Airtime})
	case sim.Failed:
		d.step(campaign.NotSent{ID: e.FrameID, Reason: e.Err})
	case sim.Joined:
		d.step(campaign.Joined{DevEUI: e.DevEUI})
	}
}

func (d *driver) countUnicast(e sim.Event) {
	g := d.members[d.index[e.DevEUI]].group
	b := d.bandOf(g, e.Frequency)
	if e.Window == 1 {
		b.rx1.add(e.Airtime)
		return
	}
	b.rx2.add(e.Airtime)
}

func (d *driver) countMulticast(e sim.Event) {
	g := d.groups[e.Group]
	if e.GwOK > 0 {
		d.bandOf(g, e.Frequency).multicast.add(e.Airtime)
	}
	if d.fragments[e.FrameID] {
		delete(d.fragments, e.FrameID)
		d.use[g].fragments++
	}
}

// bandOf returns the use of the sub-band that a frequency (Hz) is in, for a group.
func (d *driver) bandOf(g int, frequency uint32) *bandUse {
	sub, _ := d.c.Spec().Groups[g].Band.SubBand(frequency) // the network sends nowhere else
	return d.use[g].in(sub)
}

// commands reads an uplink as the server would. What was understood before an error counts.
func (d *driver) commands(e sim.Event) []lorawan.Command {
	commands, _ := d.members[d.index[e.DevEUI]].traits.ParseUplink(e.FPort, e.Payload)
	return commands
}

// answerClock answers TS003, as the engine does at all times.
func (d *driver) answerClock(e sim.Event, commands []lorawan.Command) {
	t := d.members[d.index[e.DevEUI]].traits
	for _, c := range commands {
		req, ok := c.(clocksync.AppTimeReq)
		if !ok {
			continue
		}
		ans, due := clocksync.Answer(req, e.Time, time.Second)
		if !due {
			continue
		}
		if payload, err := ans.Append(nil, t.Packages.ClockSync); err == nil {
			// A frame that does not fit is not sent: the device asks again.
			_ = d.net.SendUnicast(e.DevEUI, sim.Frame{ID: fmt.Sprintf("c10c%012x", e.FCnt), FPort: t.FPort(lorawan.ClockSync), Payload: payload})
		}
	}
}
