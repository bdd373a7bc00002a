package chaos_test

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is a replica at work.
type process struct {
	cmd    *exec.Cmd
	log    *bytes.Buffer
	seat   *seat
	orders *rpc.Client
	ended  chan struct{}
	harmed bool // it is dying, or was stopped and has not shown what it does then

	fenced, lost int // from its log, when it has ended
}

// run is one campaign, those who run it, and what happens to them.
type run struct {
	seed     uint64
	r        *rand.Rand // of the story; the hub has its own
	world    *world
	hub      *hub
	replicas replicaConfig // of all of them, but for the name
	many     int

	listener net.Listener
	wg       sync.WaitGroup
	stopped  sync.WaitGroup // processes that will be let go on

	mu        sync.Mutex
	processes []*process // that live
	all       []*process
	names     int
	stopping  bool // an order to stop was given
	over      bool
	harms     []harm
	did       tally
}

// hang is when a run is given up. One takes seconds, on a busy machine too.
const hang = 2 * time.Minute

// listen lets replicas connect.
func (r *run) listen(dir string) (err error) {
	r.replicas.Socket = filepath.Join(dir, "hub")
	if r.listener, err = net.Listen("unix", r.replicas.Socket); err != nil {
		return err
	}
	r.wg.Go(func() {
		for {
			conn, err := r.listener.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(conn) })
		}
	})
	return nil
}

// serve talks to a process over one of its connections.
func (r *run) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var h hello
	if err := gob.NewDecoder(conn).Decode(&h); err != nil {
		return
	}
	r.mu.Lock()
	var p *process
	for _, known := range r.processes {
		if known.seat != nil && known.seat.name == h.Name {
			p = known
		}
	}
	r.mu.Unlock()
	if p == nil {
		return // it was killed just now
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return
	}
	if h.Order {
		r.mu.Lock()
		p.orders = rpc.NewClient(conn)
		r.mu.Unlock()
		<-p.ended
		return
	}
	server := rpc.NewServer()
	if err := server.Register(&AirService{r.hub, p.seat}); err != nil {
		r.hub.w.complain("%v", err)
		return
	}
	r.hub.sit(p.seat)
	defer r.hub.leave(p.seat)
	server.ServeConn(conn)
}

// begin starts a replica.
func (r *run) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil
	}
	r.names++
	cfg := r.replicas
	cfg.Name = fmt.Sprintf("replica-%d", r.names)
	if cfg.Postgres != "" {
		cfg.Postgres = impatient(cfg.Postgres)
	}
	raw, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	p := &process{cmd: exec.Command(os.Args[0]), log: &bytes.Buffer{}, seat: &seat{name: cfg.Name}, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), replicaVariable+"="+string(raw), "GOMAXPROCS=1")
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	r.processes, r.all = append(r.processes, p), append(r.all, p)
	r.wg.Go(func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.ended)
		r.hub.leave(p.seat)
		r.mu.Lock()
		for i, o := range r.processes {
			if o == p {
				r.processes = append(r.processes[:i:i], r.processes[i+1:]...)
				break
			}
		}
		over := r.over
		pause := time.Duration(r.r.IntN(200)) * time.Millisecond
		r.mu.Unlock()
		if over {
			return
		}
		time.Sleep(pause) // until whoever watches over servers starts another
		if err := r.begin(); err != nil {
			r.hub.w.complain("%v", err)
		}
	})
	return nil
}

// of returns the process at a seat, nil if it is dead.
func (r *run) of(s *seat) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		if p.seat == s {
			return p
		}
	}
	return nil
}

// pause is how long the operator waits between two orders.
func (r *run) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.r.IntN(400)) * time.Millisecond
}

// someone returns a process that takes orders.
func (r *run) someone() *rpc.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	var able []*rpc.Client
	for _, p := range r.processes {
		if p.orders != nil && !p.seat.isStopped(r.hub) {
			able = append(able, p.orders)
		}
	}
	if len(able) == 0 {
		return nil
	}
	return able[r.r.IntN(len(able))]
}

// ready tells how many processes take orders.
func (r *run) ready() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		if p.orders != nil {
			n++
		}
	}
	return n
}

// play runs the campaign to its end.
func (r *run) play(dir string) (err error) {
	if err := r.listen(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.finish()) }()
	for range r.many {
		if err := r.begin(); err != nil {
			return err
		}
	}
	patience := time.Now().Add(hang)
	orders := r.world.orders
	next := time.Now()
	for all := false; ; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(patience) {
			return fmt.Errorf("the campaign has not ended within reason; orders %q are left, %s", orders, r.stuck())
		}
		all = all || r.ready() == r.many
		to := r.someone()
		if !all || to == nil {
			continue
		}
		// What must happen to a process must happen before the campaign is stopped.
		held := len(orders) > 0 && orders[0] == "stop" && r.hub.ahead()
		if len(orders) > 0 && !held && time.Now().After(next) {
			if orders[0] == "stop" { // and something more when it is
				r.mu.Lock()
				r.stopping = true
				r.mu.Unlock()
				r.hub.add(r.deed(afterFrames(r.hub.sent()+1+r.luck(4)), false, syscall.SIGKILL))
			}
			// An order whose answer got lost is given again; given twice it does no harm.
			if call := to.Go("OrderService.Give", Order{orders[0], campaignID}, &Nothing{}, make(chan *rpc.Call, 1)); answered(call) == nil {
				orders, next = orders[1:], time.Now().Add(r.pause())
			}
			continue
		}
		var over bool
		if call := to.Go("OrderService.Over", campaignID, &over, make(chan *rpc.Call, 1)); answered(call) == nil && over && (len(orders) == 0 || held) {
			return nil
		}
	}
}

// stuck says where everyone is, and has the processes write down what they do.
func (r *run) stuck() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // which ends a Go program with all its stacks
	}
	return r.hub.String()
}

// answered waits for an answer, not for ever: whoever was asked may be stopped, or dead.
func answered(call *rpc.Call) error {
	select {
	case <-call.Done:
		return call.Error
	case <-time.After(3 * time.Second):
		return os.ErrDeadlineExceeded
	}
}

// finish ends all processes, in good order.
func (r *run) finish() error {
	r.stopped.Wait()
	r.mu.Lock()
	r.over = true
	processes := append([]*process(nil), r.processes...)
	r.mu.Unlock()
	for _, p := range processes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range processes {
		select {
		case <-p.ended:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.ended
			r.hub.w.complain("%s does not end on SIGTERM", p.seat.name)
		}
	}
	err := r.listener.Close()
	r.hub.close()
	r.wg.Wait()
	for _, p := range r.all {
		for lines := bufio.NewScanner(bytes.NewReader(p.log.Bytes())); lines.Scan(); {
			switch line := lines.Bytes(); {
			case bytes.Contains(line, []byte("run by another server now")):
				p.fenced++
			case bytes.Contains(line, []byte("lease has ended")):
				p.lost++
			case bytes.Contains(line, []byte("campaign goes on")):
				r.did.takenOver++
			}
		}
		r.did.fenced, r.did.lost = r.did.fenced+p.fenced, r.did.lost+p.lost
	}
	r.did.again = r.hub.w.again
	return err
}

// said returns what the processes have written.
func (r *run) said() string {
	var b bytes.Buffer
	for _, p := range r.all {
		b.Write(p.log.Bytes())
	}
	return b.String()
}
