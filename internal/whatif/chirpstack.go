package whatif

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

// chirpstack plays the FUOTA deployments of ChirpStack v4 (source of mid-2026):
//
//	new group ─ McGroupSetup ─ FragSessionSetup ─ McSession ─ all fragments from SessionTime on
//	          ─ FragSessionStatus, after the end of the session ─ group deleted on the server
//
// A stage asks every device that has not answered once per uplink interval, up to 1 +
// retries times; who is silent then is dropped with an error. There is no threshold. The
// session time is fixed once, (retries + 1) uplink intervals after McSession began.
//
// Kinder than the original: a copy of a command that is still queued is replaced and not
// piled up; a stage in which all have answered ends at once; class B sessions start with the
// beacon after the computed time, not before it; the session is long enough for the duty
// cycle of the gateways, which ChirpStack does not look at; and weak fragment counts are
// avoided, as our engine does.
type chirpstack struct {
	*world
	tell    func(string)
	content []byte
	devices []csDevice
	index   map[lorawan.EUI64]int

	attempt    uint16 // SessionCnt of TS004 version 2: it is raised by every attempt
	deployment int
	frames     int // numbers of frames
}

// csDevice is a device as ChirpStack sees it.
type csDevice struct {
	eui     lorawan.EUI64
	rootKey lorawan.AES128Key
	in      bool // still in the deployment
	said    bool // has answered in this stage
	done    bool // has the block
}

func newChirpStack(w *world, tell func(string)) *chirpstack {
	c := &chirpstack{world: w, tell: tell, index: map[lorawan.EUI64]int{}}
	for i, spec := range w.fleet.Devices {
		c.devices = append(c.devices, csDevice{eui: spec.DevEUI, rootKey: spec.RootKey})
		c.index[spec.DevEUI] = i
	}
	return c
}

func (c *chirpstack) close() error { return nil }

// upgrade delivers file n to all devices: one deployment, and those for the devices that failed.
func (c *chirpstack) upgrade(ctx context.Context, n int) (verified int, err error) {
	c.content = c.world.content(n)
	for i := range c.devices {
		c.devices[i].done = false
	}
	for run := 0; run <= *c.sc.Reruns && verified < len(c.devices); run++ {
		verified = 0
		if err := c.deploy(ctx); err != nil {
			return 0, fmt.Errorf("deployment %d: %w", c.deployment, err)
		}
		for _, d := range c.devices {
			if d.done {
				verified++
			}
		}
	}
	return verified, nil
}

// csGroup is the group and the session of one deployment.
type csGroup struct {
	network.Group
	mcKey       lorawan.AES128Key
	choice      fec.Choice
	coded       int
	interval    time.Duration // from one fragment to the next
	start, end  time.Time
	sessionReq  lorawan.Command
	fragPort    uint8
	mcSetupPort uint8
}

// deploy runs one deployment for all devices that do not have the block.
func (c *chirpstack) deploy(ctx context.Context) error {
	c.deployment++
	g, err := c.newGroup(ctx)
	if err != nil {
		return err
	}
	for i := range c.devices {
		c.devices[i].in = !c.devices[i].done
	}
	mcSetup := func(d *csDevice) (uint8, lorawan.Command) {
		return g.mcSetupPort, multicast.McGroupSetupReq{
			McAddr: g.McAddr, McKeyEncrypted: multicast.WrapMcKey(multicast.McKEKey(multicast.McRootKey10(d.rootKey)), g.mcKey), MaxMcFCnt: 1<<32 - 1,
		}
	}
	if err := c.stage(ctx, "McGroupSetup", mcSetup, func(cmd lorawan.Command) bool {
		ans, ok := cmd.(multicast.McGroupSetupAns)
		return ok && !ans.IDError
	}); err != nil {
		return err
	}
	if err := c.stage(ctx, "FragSessionSetup", func(d *csDevice) (uint8, lorawan.Command) { return g.fragPort, c.fragSetup(d, g) }, func(cmd lorawan.Command) bool {
		ans, ok := cmd.(fragmentation.FragSessionSetupAns)
		return ok && !ans.Refused()
	}); err != nil {
		return err
	}
	c.fixSession(g)
	if err := c.stage(ctx, "McSession", func(*csDevice) (uint8, lorawan.Command) { return g.mcSetupPort, g.sessionReq }, func(cmd lorawan.Command) bool {
		switch ans := cmd.(type) {
		case multicast.McClassCSessionAns:
			return !ans.Refused()
		case multicast.McClassBSessionAns:
			return !multicast.McClassCSessionAns(ans).Refused()
		}
		return false
	}); err != nil {
		return err
	}
	if err := c.send(ctx, g); err != nil {
		return err
	}
	if err := c.pass(ctx, g.end); err != nil {
		return err
	}
	if err := c.stage(ctx, "FragSessionStatus", func(*csDevice) (uint8, lorawan.Command) {
		return g.fragPort, fragmentation.FragSessionStatusReq{Participants: true}
	}, func(cmd lorawan.Command) bool {
		_, ok := cmd.(fragmentation.FragSessionStatusAns)
		return ok
	}); err != nil {
		return err
	}
	return c.net.DeleteGroup(ctx, g.DevEUI)
}

// newGroup makes a group with an address and a key that no deployment had.
func (c *chirpstack) newGroup(ctx context.Context) (*csGroup, error) {
	mg := c.group()
	g := &csGroup{fragPort: c.traits().FPort(lorawan.Fragmentation), mcSetupPort: c.traits().FPort(lorawan.McSetup)}
	g.mcKey = lorawan.AES128Key{0: byte(c.deployment), 15: 1}
	addr := mg.McAddr
	addr[3] += byte(c.deployment - 1)
	g.Group = network.Group{
		DevEUI: mg.DevEUI, Name: mg.Name, McAddr: addr, NwkSKey: multicast.McNwkSKey(g.mcKey, addr), AppSKey: multicast.McAppSKey(g.mcKey, addr),
		ClassB: mg.SessionClass == fleet.ClassB, Band: mg.Band, Frequency: mg.Frequency, DataRate: mg.DataRate, Periodicity: uint8(mg.PingSlotPeriodicity),
	}
	limit, _ := mg.Band.MaxFragSize(mg.DataRate, region.Options{}) // checked by Complete
	choice, err := fec.ChooseFragSize(c.sc.version(), len(c.content), limit)
	if err != nil {
		return nil, err
	}
	g.choice, g.coded = choice, (choice.NbFrag*c.sc.ChirpStack.RedundancyPercent+99)/100
	airtime, _ := mg.Band.DownlinkAirtime(mg.DataRate, choice.FragSize+3) // 3: CID and Index&N
	g.interval = max(time.Duration(c.sc.ChirpStack.Margin), airtime)
	if g.ClassB {
		g.interval = mg.PingSlotPeriodicity.Period()
	}
	if sub, ok := mg.Band.SubBand(mg.Frequency); ok && sub.Limited() {
		g.interval = max(g.interval, time.Duration(float64(airtime)/sub.DutyCycle))
	}
	return g, c.net.EnsureGroup(ctx, g.Group)
}

// fragSetup makes the set-up of one attempt.
func (c *chirpstack) fragSetup(d *csDevice, g *csGroup) lorawan.Command {
	req := fragmentation.FragSessionSetupReq{
		McGroupBitMask: 1, NbFrag: uint16(g.choice.NbFrag), FragSize: uint8(g.choice.FragSize), Padding: uint8(g.choice.Padding),
	}
	if c.sc.version() >= lorawan.V2 {
		c.attempt = max(c.attempt, 1)
		req.SessionCnt = c.attempt
		req.MIC = fragmentation.DataBlockMIC(fragmentation.DataBlockIntKey10(d.rootKey), req.SessionCnt, 0, req.Descriptor, c.content)
	}
	return req
}

// fixSession fixes when the session starts and ends: (n + 1) intervals for n fragments.
func (c *chirpstack) fixSession(g *csGroup) {
	g.start = c.net.Now().Add(time.Duration(c.sc.ChirpStack.Retries+1) * c.longestPeriod())
	length := time.Duration(g.choice.NbFrag+g.coded+1) * g.interval
	const longest = 15 // exponent
	if g.ClassB {
		g.start = lorawan.CeilBeacon(g.start)
		timeOut, err := multicast.ClassBTimeOut(length + lorawan.BeaconPeriod)
		if err != nil {
			timeOut = longest
		}
		g.end = g.start.Add(multicast.ClassBDuration(timeOut))
		g.sessionReq = multicast.McClassBSessionReq{
			SessionTime: lorawan.GPSSeconds32(g.start), TimeOut: timeOut, Periodicity: g.Periodicity, DLFrequency: g.Frequency, DR: g.DataRate,
		}
		return
	}
	g.start = lorawan.TimeFromGPS(lorawan.GPSSeconds(g.start))
	timeOut, err := multicast.ClassCTimeOut(length)
	if err != nil {
		timeOut = longest
	}
	g.end = g.start.Add(multicast.ClassCDuration(timeOut))
	g.sessionReq = multicast.McClassCSessionReq{
		SessionTime: lorawan.GPSSeconds32(g.start), TimeOut: timeOut, DLFrequency: g.Frequency, DR: g.DataRate,
	}
}

// send sends all fragments, one per interval or as fast as the network takes them.
func (c *chirpstack) send(ctx context.Context, g *csGroup) error {
	enc, err := fec.NewEncoder(c.sc.version(), c.content, g.choice.FragSize)
	if err != nil {
		return err
	}
	// The margin is also what ChirpStack leaves before the first one.
	if err := c.pass(ctx, g.start.Add(time.Duration(c.sc.ChirpStack.Margin))); err != nil {
		return err
	}
	for n := 1; n <= g.choice.NbFrag+g.coded && c.net.Now().Before(g.end); n++ {
		data, err := enc.Fragment(n, nil)
		if err != nil {
			return err
		}
		payload, err := fragmentation.DataFragment{N: uint16(n), Data: data}.Append(nil, c.sc.version())
		if err != nil {
			return err
		}
		id := c.nextID()
		if _, _, err := c.net.SendMulticast(ctx, g.DevEUI, network.Frame{ID: id, FPort: g.fragPort, Payload: payload}); err != nil {
			return err
		}
		next := c.net.Now()
		if !g.ClassB {
			next = next.Add(time.Duration(c.sc.ChirpStack.Margin))
		}
		for sent := false; !sent; { // the group's queue is served in the order of time
			err := c.listen(ctx, g.end, func(e network.Event) bool { sent = e.FrameID == id && e.Kind == network.Sent; return sent })
			if err != nil {
				return err
			}
			if !c.net.Now().Before(g.end) {
				break
			}
		}
		if err := c.pass(ctx, next); err != nil {
			return err
		}
	}
	return c.net.FlushMulticast(ctx, g.DevEUI)
}

// stage asks all devices of the deployment until they have answered or are dropped.
func (c *chirpstack) stage(ctx context.Context, name string, ask func(*csDevice) (uint8, lorawan.Command), answers func(lorawan.Command) bool) error {
	waiting := 0
	for i := range c.devices {
		c.devices[i].said = false
		if c.devices[i].in {
			waiting++
		}
	}
	began, members := c.net.Now(), waiting
	for range c.sc.ChirpStack.Retries + 1 {
		if waiting == 0 {
			break
		}
		c.attempt++
		for i := range c.devices {
			d := &c.devices[i]
			if !d.in || d.said {
				continue
			}
			port, cmd := ask(d)
			payload, err := cmd.Append(nil, c.sc.version())
			if err != nil {
				return err
			}
			if err := c.net.SendUnicast(ctx, d.eui, network.Frame{ID: c.nextID(), FPort: port, Payload: payload}, true); err != nil && !errors.Is(err, network.ErrRejected) {
				return err
			}
		}
		err := c.listen(ctx, c.net.Now().Add(c.longestPeriod()), func(e network.Event) bool {
			waiting -= c.heard(e, answers)
			return waiting == 0
		})
		if err != nil {
			return err
		}
	}
	c.tell(fmt.Sprintf("%s: %d of %d devices after %s", name, members-waiting, members, hours(c.net.Now().Sub(began))))
	for i := range c.devices {
		if d := &c.devices[i]; d.in && !d.said {
			d.in = false
			if err := c.net.FlushUnicast(ctx, d.eui); err != nil {
				return err
			}
		}
	}
	return nil
}

// heard takes an uplink and returns how many devices have answered for the first time with it.
func (c *chirpstack) heard(e network.Event, answers func(lorawan.Command) bool) int {
	i, ok := c.index[e.DevEUI]
	if !ok || e.Kind != network.Uplink {
		return 0
	}
	d := &c.devices[i]
	commands, _ := c.traits().ParseUplink(e.FPort, e.Payload) // the network server drops what it cannot read
	k := slices.IndexFunc(commands, answers)
	if k < 0 || d.said || !d.in {
		return 0
	}
	if ans, ok := commands[k].(fragmentation.FragSessionStatusAns); ok {
		d.done = ans.MissingFrag == 0 && !ans.MICError && !ans.SessionDoesNotExist
	}
	d.said = true
	return 1
}

// pass lets time pass.
func (c *chirpstack) pass(ctx context.Context, until time.Time) error {
	return c.listen(ctx, until, func(network.Event) bool { return false })
}

// listen hands events to take until it returns true or the time has come. Events of the
// same instant are all handed over.
func (c *chirpstack) listen(ctx context.Context, until time.Time, take func(network.Event) bool) error {
	for c.net.Now().Before(until) {
		events, err := c.net.Wait(ctx, until)
		if err != nil {
			return err
		}
		enough := false
		for _, e := range events {
			if err := c.answerClock(ctx, e); err != nil {
				return err
			}
			enough = take(e) || enough
		}
		if enough {
			return nil
		}
	}
	return nil
}

func (c *chirpstack) nextID() string {
	c.frames++
	return fmt.Sprintf("%016x", c.frames)
}
