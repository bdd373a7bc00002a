package chaos_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// What happens to processes goes by how far the campaign is, not by the clock on the wall: then it happens while the
// campaign runs, on a slow machine and on a fast one. Whoever hands over a frame has the campaign, so
// deeds meet its owner.
//
//	frame handed over ──> takeDue ──> before ──> the network has it ──> after ──> soon: some ms later, in the database perhaps
//	                         ^                                                     while virtual time waits
//	                         └── a deed that could not be done, because its victim is dead: again at the next frame

// deed is what is done to a process.
type deed struct {
	due   func(h *hub) bool // asked at each frame, with the hub's lock; once true, it stays so
	when  moment
	delay time.Duration    // of soon
	do    func(*seat) bool // tells if it was done
	must  bool             // a run without it shows nothing
	taken bool
	done  bool
}

// moment is when a deed is done, seen from the frame at which it is due.
type moment int

const (
	before moment = iota // it is not sent, if its sender is killed
	after                // it is sent, and nobody has marked it
	soon
)

// add plans a deed.
func (h *hub) add(d *deed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deeds = append(h.deeds, d)
}

// takeDue returns the deeds that meet a frame. The caller holds mu.
func (h *hub) takeDue() (due []*deed) {
	for _, d := range h.deeds {
		if !d.taken && d.due(h) {
			d.taken = true
			due = append(due, d)
		}
	}
	return due
}

// do does the deeds of one moment.
func (h *hub) do(due []*deed, when moment, s *seat) {
	for _, d := range due {
		switch {
		case d.when != when:
		case when == soon:
			h.hold(1)
			go func() {
				defer h.hold(-1)
				time.Sleep(d.delay)
				h.did(d, d.do(s))
			}()
		default:
			h.did(d, d.do(s))
		}
	}
}

func (h *hub) hold(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds += n
	h.changed.Broadcast()
}

func (h *hub) did(d *deed, done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.done, d.taken = done, done
}

// ahead tells if something must still happen.
func (h *hub) ahead() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.deeds, func(d *deed) bool { return d.must && !d.done })
}

// afterFrames is due at frame n, from 1.
func afterFrames(n int) func(*hub) bool { return func(h *hub) bool { return h.sends >= n } }

// inBlock is due when a part of the uncoded fragments of a session has been handed over, at least one.
func inBlock(part float64) func(*hub) bool { return func(h *hub) bool { return h.w.block() > part } }

// harm is a deed that was done.
type harm struct {
	signal   syscall.Signal
	at       time.Time // virtual
	middle   bool      // of a fragment session: its block was on the air, and not whole
	stopping bool      // an order to stop was given
	to       *process
}

// tally is what happened, for those who wonder if anything did.
type tally struct {
	kills, stops       int // while the campaign ran; SIGKILL and SIGSTOP
	killsMid, stopsMid int // of them, in the middle of a fragment session
	terms              int
	late               int // kills and stops after the end of the campaign
	again              int // frames that were sent more than once
	fenced             int // writes that the database refused
	lost               int // leases whose end their owner found out before it wrote
	takenOver          int
}

func (t *tally) add(o tally) {
	t.kills, t.stops, t.terms, t.late = t.kills+o.kills, t.stops+o.stops, t.terms+o.terms, t.late+o.late
	t.killsMid, t.stopsMid = t.killsMid+o.killsMid, t.stopsMid+o.stopsMid
	t.again, t.fenced, t.lost, t.takenOver = t.again+o.again, t.fenced+o.fenced, t.lost+o.lost, t.takenOver+o.takenOver
}

// luck draws a number below n.
func (r *run) luck(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.IntN(n)
}

// decide makes the fates of the run: one kill and, among several processes, one stop that it shows nothing without,
// at points that every campaign of this world comes to, and some more anywhere.
func (r *run) decide(more int) {
	r.hub.add(r.deed(r.surely(), true, syscall.SIGKILL))
	if r.many > 1 {
		r.hub.add(r.deed(r.surely(), true, syscall.SIGSTOP))
	}
	for range more {
		signal := syscall.SIGKILL
		switch n := r.luck(10); {
		case n < 2:
			signal = syscall.SIGTERM
		case n < 4 && r.many > 1:
			signal = syscall.SIGSTOP
		}
		r.hub.add(r.deed(afterFrames(1+r.luck(80)), false, signal))
	}
}

// surely draws a point in the campaign that comes before its end: two of three in a fragment session, if there will be one.
func (r *run) surely() func(*hub) bool {
	able := r.world.able()
	switch {
	case able == 0:
		return afterFrames(1 + r.luck(len(r.world.fleet.Devices)-1)) // each gets a frame at least
	case r.luck(3) == 0:
		return afterFrames(1 + r.luck(2*able))
	}
	return inBlock(float64(r.luck(90)) / 100)
}

func (r *run) deed(due func(*hub) bool, must bool, signal syscall.Signal) *deed {
	d := &deed{due: due, must: must, when: moment(r.luck(3)), delay: time.Duration(r.luck(10)) * time.Millisecond}
	// Others notice at the first renewal after the lease has ended.
	length := time.Duration(float64(r.replicas.TTL) * (1.4 + float64(r.luck(100))/100))
	d.do = func(s *seat) bool {
		if signal == syscall.SIGSTOP {
			return r.stop(s, length)
		}
		return r.kill(s, signal)
	}
	return d
}

// kill ends a process, in good order or not.
func (r *run) kill(s *seat, signal syscall.Signal) bool {
	if !r.harm(s, signal) {
		return false
	}
	if signal == syscall.SIGKILL {
		r.hub.leave(s)
	}
	return true
}

// stop stops a process for longer than its lease.
func (r *run) stop(s *seat, length time.Duration) bool {
	r.hub.stop(s, true)
	if !r.harm(s, syscall.SIGSTOP) {
		r.hub.stop(s, false)
		return false
	}
	p := r.of(s)
	r.stopped.Go(func() {
		time.Sleep(length)
		r.hub.stop(s, false)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		time.Sleep(toNotice)
		r.mu.Lock()
		defer r.mu.Unlock()
		p.harmed = false
	})
	return true
}

// toNotice is how long a process that was stopped is left alone, so that it writes what it had in mind.
const toNotice = 500 * time.Millisecond

// harm sends a signal to the process at a seat, unless it is dead, or was stopped and has not shown yet what it does then.
func (r *run) harm(s *seat, signal syscall.Signal) bool {
	middle, at := r.hub.w.inBlock(), r.hub.net.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.processes, func(p *process) bool { return p.seat == s })
	if i < 0 || r.over {
		return false
	}
	p := r.processes[i]
	if p.harmed {
		return false
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		if !errors.Is(err, os.ErrProcessDone) {
			r.hub.w.complain("%v", err)
		}
		return false
	}
	p.harmed = true
	r.harms = append(r.harms, harm{signal, at, middle, r.stopping, p})
	return true
}

// count adds up what was done, and tells if it was too little. The processes have ended.
func (r *run) count(c *fleet.Campaign) error {
	noticed := false
	for _, h := range r.harms {
		running := !h.stopping && (c.Status == fleet.Stopped || h.at.Before(c.Ended))
		switch {
		case h.signal == syscall.SIGTERM:
			r.did.terms++
		case !running:
			r.did.late++
		case h.signal == syscall.SIGKILL:
			r.did.kills++
			if h.middle {
				r.did.killsMid++
			}
		default:
			r.did.stops++
			if h.middle {
				r.did.stopsMid++
			}
			noticed = noticed || h.to.fenced+h.to.lost > 0
		}
	}
	must := slices.ContainsFunc(r.hub.deeds, func(d *deed) bool { return d.must })
	switch {
	case !must:
	case r.did.kills == 0:
		return fmt.Errorf("nobody was killed while the campaign ran: %+v", r.did)
	case r.many > 1 && r.did.stops == 0:
		return fmt.Errorf("nobody was stopped while the campaign ran: %+v", r.did)
	case r.many > 1 && !noticed:
		return fmt.Errorf("whoever was stopped has not noticed that it was replaced: %+v", r.did)
	}
	return nil
}
