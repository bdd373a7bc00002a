// Package simulated is the network of package sim as an adapter: the demo, the what-if
// and the tests run on it.
//
//	engine ──Wait──> sim.Network runs until something happens   (virtual time)
//	       <─events─
//	       ──Send──> its queues
//
// How virtual time runs is a Pace: it can jump from event to event while the engine
// waits for something, or follow the clock on the wall.
//
// The devices are those of the network that New was given. With Grow, members of groups
// are added as the engine names them. They live as long as the process: in the next one
// they begin anew, with what their server knows of them, and their first uplink is a join.
package simulated

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// Pace is how virtual time runs.
type Pace int32

const (
	// Jump goes from event to event while the engine waits for a point in time; while it
	// waits for nothing, time stands still. The same calls give the same run.
	Jump Pace = iota
	// JumpThenFollow is Jump, but while the engine waits for nothing time follows the wall clock.
	JumpThenFollow
	// Follow is always with the wall clock.
	Follow
)

// Network is both network.Adapter and network.Source. All methods but Now, Wake, SetPace and
// Inspect belong to the goroutine of the engine.
type Network struct {
	pace atomic.Int32
	wall func() time.Time
	wake chan struct{}

	growth *growth // nil: the devices are those of sim, for ever

	mu  sync.Mutex // guards sim: Inspect looks in from other goroutines
	sim *sim.Network
}

// SetPace changes how virtual time runs, from the next Wait on. The zero value is Jump.
func (n *Network) SetPace(p Pace) {
	n.pace.Store(int32(p))
	n.Wake()
}

// tick is how often virtual time follows the wall clock.
const tick = 50 * time.Millisecond

// New wraps a simulated network. wall is the wall clock, time.Now outside of tests.
func New(n *sim.Network, wall func() time.Time) *Network {
	return &Network{sim: n, wall: wall, wake: make(chan struct{}, 1)}
}

// Inspect calls f with the simulated network while nothing moves in it.
func (n *Network) Inspect(f func(*sim.Network)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n.sim)
}

// Caps returns what the simulated network can do: everything.
func (n *Network) Caps() network.Caps {
	return network.Caps{ClassB: true, ClassC: true, ProvisionsGroups: true, EncryptsItself: true, SentReports: network.PerFrame, NextChance: true}
}

// Now returns virtual time.
func (n *Network) Now() (t time.Time) {
	n.Inspect(func(s *sim.Network) { t = s.Now() })
	return t
}

// Pending tells if virtual time is free to run: then the next event is at hand, however
// far away it is.
func (n *Network) Pending() bool { return Pace(n.pace.Load()) != Follow }

// Wake ends the present or next Wait.
func (n *Network) Wake() {
	select {
	case n.wake <- struct{}{}:
	default: // one is enough
	}
}

// Wait runs virtual time, see the package comment.
func (n *Network) Wait(ctx context.Context, until time.Time) ([]network.Event, error) {
	began, base := n.wall(), n.Now()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-n.wake:
			return nil, nil
		default:
		}
		limit := until
		pace := Pace(n.pace.Load())
		if pace == Follow || until.IsZero() {
			if err := n.nap(ctx); err != nil {
				return nil, err
			}
			if pace == Jump {
				continue
			}
			if paced := base.Add(n.wall().Sub(began)); until.IsZero() || paced.Before(until) {
				limit = paced
			}
		}
		var events []sim.Event
		n.Inspect(func(s *sim.Network) { events = s.Advance(limit) })
		if len(events) > 0 {
			return n.translate(events)
		}
		if !until.IsZero() && !n.Now().Before(until) {
			return nil, nil
		}
	}
}

// nap sleeps for a tick, or until Wake or the end of ctx.
func (n *Network) nap(ctx context.Context) error {
	t := time.NewTimer(tick)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.wake:
		n.Wake() // for Wait to see
	case <-t.C:
	}
	return nil
}

func (n *Network) translate(events []sim.Event) ([]network.Event, error) {
	out := make([]network.Event, 0, len(events))
	for _, e := range events {
		ev := network.Event{Time: e.Time, DevEUI: e.DevEUI, FrameID: e.FrameID, FCnt: e.FCnt, FPort: e.FPort, Payload: e.Payload, Airtime: e.Airtime, Err: e.Err,
			Gateways: e.Gateways, Frequency: e.Frequency, DataRate: e.DataRate}
		if e.Group != "" {
			group, err := lorawan.ParseEUI64(e.Group)
			if err != nil {
				return nil, fmt.Errorf("simulated network: group of %s: %w", e, err)
			}
			ev.Group = group
		}
		switch e.Kind {
		case sim.Uplink:
			ev.Kind = network.Uplink
		case sim.Sent, sim.Summary:
			ev.Kind = network.Sent
		case sim.Failed:
			ev.Kind = network.NotSent
		case sim.Joined:
			ev.Kind = network.Joined
		}
		out = append(out, ev)
	}
	return out, nil
}

// SendUnicast queues a frame for a device.
func (n *Network) SendUnicast(_ context.Context, dev lorawan.EUI64, f network.Frame, flush bool) error {
	return n.do(func(s *sim.Network) error {
		if flush {
			s.FlushUnicast(dev)
		}
		return s.SendUnicast(dev, sim.Frame(f))
	})
}

// FlushUnicast empties the queue of a device.
func (n *Network) FlushUnicast(_ context.Context, dev lorawan.EUI64) error {
	n.Inspect(func(s *sim.Network) { s.FlushUnicast(dev) })
	return nil
}

// EnsureGroup makes a group and, after Grow, the members that the network does not have.
func (n *Network) EnsureGroup(ctx context.Context, g network.Group) error {
	if err := n.admit(ctx, g); err != nil {
		return err
	}
	return n.do(func(s *sim.Network) error {
		return s.EnsureGroup(sim.Group{
			ID: g.DevEUI.String(), Band: g.Band, Options: region.Options{DwellTime400ms: g.DwellTime},
			McAddr: g.McAddr, McNwkSKey: g.NwkSKey, McAppSKey: g.AppSKey,
			ClassB: g.ClassB, PingSlotPeriodicity: g.Periodicity,
			Frequency: g.Frequency, DataRate: g.DataRate, FCntDown: g.FCntDown,
		})
	})
}

// DeleteGroup drops a group.
func (n *Network) DeleteGroup(_ context.Context, group lorawan.EUI64) error {
	return n.do(func(s *sim.Network) error { return s.DeleteGroup(group.String()) })
}

// SendMulticast queues a frame for a group and returns the counter it will have.
func (n *Network) SendMulticast(_ context.Context, group lorawan.EUI64, f network.Frame) (fcnt uint32, known bool, err error) {
	err = n.do(func(s *sim.Network) (err error) {
		fcnt, err = s.SendMulticast(group.String(), sim.Frame(f))
		return err
	})
	return fcnt, err == nil, err
}

// FlushMulticast empties the queue of a group.
func (n *Network) FlushMulticast(_ context.Context, group lorawan.EUI64) error {
	return n.do(func(s *sim.Network) error { return s.FlushMulticast(group.String()) })
}

// do runs f and marks its error as final: a simulated network does not change its mind.
func (n *Network) do(f func(*sim.Network) error) (err error) {
	n.Inspect(func(s *sim.Network) { err = f(s) })
	if err != nil && !errors.Is(err, network.ErrRejected) {
		err = fmt.Errorf("%w: %w", network.ErrRejected, err)
	}
	return err
}

var (
	_ network.Adapter = (*Network)(nil)
	_ network.Source  = (*Network)(nil)
)
