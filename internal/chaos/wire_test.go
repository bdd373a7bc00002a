package chaos_test

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"sync"
	"time"

	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/lorawan"
)

// A replica opens two connections to the hub: over the first it asks the network, over the second the
// test asks it. Each begins with a hello.
type hello struct {
	Name  string
	Order bool // the second
}

// Questions and answers, as net/rpc wants them.
type (
	WaitAnswer struct {
		Events []network.Event
		Now    time.Time
	}
	Sending struct {
		To    lorawan.EUI64 // device or group
		Frame network.Frame
		Flush bool
	}
	Sent struct {
		FCnt     uint32
		Known    bool
		Rejected string
	}
	Nothing struct{}
)

// AirService is the network as one process sees it, at the hub's end.
type AirService struct {
	h *hub
	s *seat
}

// Wait is network.Source.Wait.
func (a *AirService) Wait(until time.Time, answer *WaitAnswer) error {
	answer.Events, answer.Now = a.h.wait(a.s, until)
	return nil
}

// Now is network.Source.Now.
func (a *AirService) Now(_ Nothing, now *time.Time) error {
	*now = a.h.net.Now()
	return nil
}

// Wake is network.Source.Wake.
func (a *AirService) Wake(Nothing, *Nothing) error {
	a.h.wake(a.s)
	return nil
}

func rejected(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// SendUnicast is that of network.Adapter.
func (a *AirService) SendUnicast(q Sending, answer *Sent) error {
	answer.Rejected = rejected(a.h.unicast(a.s, q.To, q.Frame, q.Flush))
	return nil
}

// SendMulticast is that of network.Adapter.
func (a *AirService) SendMulticast(q Sending, answer *Sent) error {
	fcnt, known, err := a.h.multicast(a.s, q.To, q.Frame)
	*answer = Sent{fcnt, known, rejected(err)}
	return nil
}

// FlushUnicast is that of network.Adapter.
func (a *AirService) FlushUnicast(dev lorawan.EUI64, answer *Sent) error {
	answer.Rejected = rejected(a.h.locked(func() error { return a.h.net.FlushUnicast(context.Background(), dev) }))
	return nil
}

// FlushMulticast is that of network.Adapter.
func (a *AirService) FlushMulticast(group lorawan.EUI64, answer *Sent) error {
	answer.Rejected = rejected(a.h.locked(func() error { return a.h.net.FlushMulticast(context.Background(), group) }))
	return nil
}

// EnsureGroup is that of network.Adapter.
func (a *AirService) EnsureGroup(g network.Group, answer *Sent) error {
	answer.Rejected = rejected(a.h.locked(func() error { return a.h.net.EnsureGroup(context.Background(), g) }))
	return nil
}

// air is the network in a replica process.
type air struct {
	hub  *rpc.Client
	lazy bool

	mu  sync.Mutex
	now time.Time // time stands still while this process does not wait, or it is stopped anyway
}

var (
	_ network.Adapter = (*air)(nil)
	_ network.Source  = (*air)(nil)
)

// dial says hello to the hub.
func dial(socket string, h hello) (net.Conn, error) {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		err = gob.NewEncoder(conn).Encode(h)
	}
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1)) // whoever decodes the hello reads ahead
	}
	return conn, err
}

func newAir(conn net.Conn, lazy bool) (*air, error) {
	a := &air{hub: rpc.NewClient(conn), lazy: lazy}
	return a, a.hub.Call("AirService.Now", Nothing{}, &a.now)
}

func (a *air) ask(method string, question any) (Sent, error) {
	var answer Sent
	if err := a.hub.Call("AirService."+method, question, &answer); err != nil {
		return answer, fmt.Errorf("%w: %w", network.ErrUnreachable, err)
	}
	if answer.Rejected != "" {
		return answer, fmt.Errorf("%w: %s", network.ErrRejected, answer.Rejected)
	}
	return answer, nil
}

// Caps are those of the simulated network.
func (*air) Caps() network.Caps {
	return network.Caps{ClassB: true, ClassC: true, ProvisionsGroups: true, EncryptsItself: true, SentReports: network.PerFrame, NextChance: true}
}

func (a *air) SendUnicast(_ context.Context, dev lorawan.EUI64, f network.Frame, flush bool) error {
	_, err := a.ask("SendUnicast", Sending{dev, f, flush})
	return err
}

func (a *air) FlushUnicast(_ context.Context, dev lorawan.EUI64) error {
	_, err := a.ask("FlushUnicast", dev)
	return err
}

func (a *air) EnsureGroup(_ context.Context, g network.Group) error {
	_, err := a.ask("EnsureGroup", g)
	return err
}

func (*air) DeleteGroup(context.Context, lorawan.EUI64) error {
	return errors.New("no campaign deletes groups at the network")
}

func (a *air) SendMulticast(_ context.Context, group lorawan.EUI64, f network.Frame) (fcnt uint32, known bool, err error) {
	answer, err := a.ask("SendMulticast", Sending{group, f, false})
	return answer.FCnt, answer.Known, err
}

func (a *air) FlushMulticast(_ context.Context, group lorawan.EUI64) error {
	_, err := a.ask("FlushMulticast", group)
	return err
}

// Now returns virtual time.
func (a *air) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// Wait waits for the hub, or the end of ctx.
func (a *air) Wait(ctx context.Context, until time.Time) ([]network.Event, error) {
	var answer WaitAnswer
	call := a.hub.Go("AirService.Wait", until, &answer, make(chan *rpc.Call, 1))
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-call.Done:
	}
	if call.Error != nil {
		return nil, call.Error
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = answer.Now
	return answer.Events, nil
}

// Pending is false on a network whose next event nobody knows: each round is committed. Else
// the batch of a round waits for more, and may die with its process.
func (a *air) Pending() bool { return a.lazy }

// Wake ends the present or next Wait.
func (a *air) Wake() { a.hub.Go("AirService.Wake", Nothing{}, &Nothing{}, make(chan *rpc.Call, 1)) }
