package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/lorawan"
)

// How virtual time passes while nobody waits for a point in it, such as when the owner of the campaign is dead:
// at a fixed ratio to the time on the wall.
const (
	dripEvery = 5 * time.Millisecond
	drip      = 200 * time.Millisecond
)

// hub is the network server that all replicas share. It hands every event to one of them, as a shared
// subscription does; to those who are stopped it hands nothing more, because they do not answer.
// Virtual time jumps to the next event when all who live wait for it.
type hub struct {
	net *simulated.Network
	w   *witness

	mu       sync.Mutex
	changed  *sync.Cond
	r        *rand.Rand
	seats    []*seat
	held     []network.Event // that come late, or have nobody to go to
	sends    int             // frames that owners of the campaign have handed over
	deeds    []*deed
	holds    int // deeds that will be done in a moment: virtual time waits for them, so that the campaign does
	dripping bool
	closed   bool
}

// seat is the place of one process.
type seat struct {
	name      string
	queue     []network.Event
	delivered []network.Event // not acknowledged: it has not asked for more
	until     time.Time
	idle      bool // in wait
	woken     bool
	stopped   bool
	gone      bool
}

func newHub(net *simulated.Network, w *witness, seed uint64) *hub {
	h := &hub{net: net, w: w, r: rand.New(rand.NewPCG(seed, 77))}
	h.changed = sync.NewCond(&h.mu)
	return h
}

// sit gives a process its place, unless it is dead.
func (h *hub) sit(s *seat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !s.gone {
		h.seats = append(h.seats, s)
		h.changed.Broadcast()
	}
}

// leave takes the place of a process that has ended. What it had not acknowledged goes to others.
func (h *hub) leave(s *seat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	h.seats = slices.DeleteFunc(h.seats, func(o *seat) bool { return o == s })
	h.distribute(slices.Concat(s.delivered, s.queue))
	h.changed.Broadcast()
}

// stop notes that a process does not run, and that it runs again.
func (h *hub) stop(s *seat, stopped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.stopped = stopped
	h.changed.Broadcast()
}

func (s *seat) isStopped(h *hub) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.stopped
}

// sent returns how many frames were handed over.
func (h *hub) sent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sends
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.changed.Broadcast()
}

// String says who waits for what.
func (h *hub) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d frames sent, %d events held", h.net.Now().Format(time.DateTime), h.sends, len(h.held))
	for _, s := range h.seats {
		fmt.Fprintf(&b, "; %s: idle %t, stopped %t, woken %t, %d events, until %s", s.name, s.idle, s.stopped, s.woken, len(s.queue), s.until.Format(time.DateTime))
	}
	return b.String()
}

func (h *hub) wake(s *seat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.woken = true
	h.changed.Broadcast()
}

// wait is network.Source.Wait of one process.
func (h *hub) wait(s *seat, until time.Time) (events []network.Event, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.delivered, s.until, s.idle = nil, until, true
	defer func() { s.idle = false }()
	for {
		now = h.net.Now()
		switch {
		case h.closed || s.gone:
			return nil, now
		case len(s.queue) > 0:
			s.delivered, s.queue, s.woken = s.queue, nil, false
			return s.delivered, now
		case s.woken || h.due(s):
			s.woken = false
			return nil, now
		}
		if !h.run() {
			h.changed.Wait()
		}
	}
}

func (h *hub) due(s *seat) bool { return !s.until.IsZero() && !h.net.Now().Before(s.until) }

// run lets virtual time pass if all who live wait, and tells if it did.
func (h *hub) run() bool {
	if h.holds > 0 {
		return false
	}
	var limit time.Time
	for _, s := range h.seats {
		switch {
		case s.stopped:
		case !s.idle || s.woken || len(s.queue) > 0 || h.due(s):
			return false
		case !s.until.IsZero() && (limit.IsZero() || s.until.Before(limit)):
			limit = s.until
		}
	}
	if limit.IsZero() {
		h.dripLater()
		return false
	}
	h.advance(limit)
	return true
}

// dripLater lets a little time pass in a while. The caller holds mu.
func (h *hub) dripLater() {
	if h.dripping || h.closed {
		return
	}
	h.dripping = true
	time.AfterFunc(dripEvery, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.dripping = false
		if h.holds > 0 {
			h.dripLater()
			return
		}
		h.advance(h.net.Now().Add(drip))
	})
}

// advance runs the network up to limit, or to the next event.
func (h *hub) advance(limit time.Time) {
	events, err := h.net.Wait(context.Background(), limit)
	if err != nil {
		h.w.complain("the network: %v", err)
	}
	h.distribute(events)
	h.changed.Broadcast()
}

// distribute hands events to processes that run: some twice, some late, and so some out of order.
func (h *hub) distribute(events []network.Event) {
	events = append(events, h.held...)
	h.held = nil
	var running []*seat
	for _, s := range h.seats {
		if !s.stopped {
			running = append(running, s)
		}
	}
	for _, ev := range events {
		if len(running) == 0 || h.r.IntN(30) == 0 {
			h.held = append(h.held, ev)
			continue
		}
		for again := true; again; again = h.r.IntN(25) == 0 {
			s := running[h.r.IntN(len(running))]
			s.queue = append(s.queue, ev)
		}
	}
}

// send hands a frame over, before or after which a process may meet its fate. A frame of a process that
// was killed before it is lost.
//
// Any process answers when a device asks for the time; all else is sent by the owner of the campaign, and only that counts.
func (h *hub) send(s *seat, port uint8, frame func()) {
	h.mu.Lock()
	var due []*deed
	if port != lorawan.ClockSync.DefaultFPort() {
		h.sends++
		due = h.takeDue()
	}
	h.mu.Unlock()
	h.do(due, before, s)
	h.mu.Lock()
	if !s.gone {
		frame()
	}
	h.mu.Unlock()
	h.do(due, after, s)
	h.do(due, soon, s)
}

// network.Adapter of one process, under the eyes of the witness.

func (h *hub) unicast(s *seat, dev lorawan.EUI64, f network.Frame, flush bool) (err error) {
	h.send(s, f.FPort, func() {
		h.w.unicast(dev, f)
		err = h.net.SendUnicast(context.Background(), dev, f, flush)
	})
	return err
}

func (h *hub) multicast(s *seat, group lorawan.EUI64, f network.Frame) (fcnt uint32, known bool, err error) {
	h.send(s, f.FPort, func() {
		fcnt, known, err = h.net.SendMulticast(context.Background(), group, f)
		if err == nil {
			h.w.multicast(s.name, group, f, fcnt)
		}
	})
	return fcnt, known, err
}

// locked does something else with the network.
func (h *hub) locked(f func() error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return f()
}
