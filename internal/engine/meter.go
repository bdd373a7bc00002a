package engine

import (
	"path"
	"reflect"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// Meter counts what an engine does. Its methods are called from the engine's goroutine and
// must be quick. Names are those of the specifications.
type Meter interface {
	Uplink(port uint8)
	Downlink(port uint8)                // handed to the network server
	FragmentSent(kind, class string)    // data or parity; B or C
	CommandSent(pkg, command string)    // fragments apart
	CampaignFinished(typ, state string) // with its final state
	DeviceUpdated(outcome, reason string)
}

// nobody counts nothing.
type nobody struct{}

func (nobody) Uplink(uint8)                    {}
func (nobody) Downlink(uint8)                  {}
func (nobody) FragmentSent(string, string)     {}
func (nobody) CommandSent(string, string)      {}
func (nobody) CampaignFinished(string, string) {}
func (nobody) DeviceUpdated(string, string)    {}

// countStep counts what a step wants to be sent. What is sent again after a crash is not
// counted again: these are figures for people, not accounts.
func (e *Engine) countStep(r *run, out campaign.Output) {
	for _, d := range out.Downlinks {
		for _, cmd := range d.Commands {
			fragment, ok := cmd.(fragmentation.DataFragment)
			if !ok {
				e.meter.CommandSent(path.Base(reflect.TypeOf(cmd).PkgPath()), cmd.Name())
				continue
			}
			kind, class := r.fragmentKind(d.Group, fragment)
			e.meter.FragmentSent(kind, class)
		}
	}
}

// fragmentKind returns what a fragment of a group is, and the class of its session.
func (r *run) fragmentKind(group lorawan.EUI64, f fragmentation.DataFragment) (kind, class string) {
	spec := r.c.Spec()
	for _, lane := range spec.Lanes {
		g := spec.Groups[lane.Group]
		if g.DevEUI != group || lane.FragIndex != f.FragIndex {
			continue
		}
		if f.N > lane.NbFrag {
			return "parity", g.Class.String()
		}
		return "data", g.Class.String()
	}
	return "", ""
}

// countEnd counts a campaign, and its devices, that ended.
func (e *Engine) countEnd(r *run) {
	spec, head := r.c.Spec(), r.c.Header()
	e.meter.CampaignFinished(spec.Type.String(), head.Status.String())
	for i := range spec.Devices {
		d := r.c.Device(i)
		e.meter.DeviceUpdated(d.Outcome.String(), string(d.Reason))
	}
}
