package campaign

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Campaign is one campaign as a state machine. It is not safe for concurrent use: one
// goroutine owns it at a time.
type Campaign struct {
	spec     Spec
	material Material
	stages   []Stage // of the type
	head     Header
	devices  []Device
	groups   []Group

	// What follows is derived from the state and rebuilt by Load.
	index       map[lorawan.EUI64]int
	groupIndex  map[lorawan.EUI64]int
	groupLanes  [][]int        // lanes of each group, indices into spec.Lanes
	members     [][]int        // devices of each lane, ascending
	encoders    []*fec.Encoder // per lane, made when first needed
	variants    map[variant]*Traits
	unsettled   []int          // per stage index: active devices in it
	tally       [outcomes]int  // devices by outcome
	stand       stand          // devices by what people see of them
	needing     []int          // per lane: devices that may need another fragment
	status      []statusCount  // per group: devices in the status stage
	statusAt    int            // index of StageStatus, or -1
	timers      timerHeap      // deadlines of devices; stale entries are skipped
	frames      map[string]int // unicast Downlink.ID under way -> device
	failures    [kinds]int     // failed devices by the kind of their reason
	fallen      []int          // failed devices, ascending
	fallenKnown bool           // fallen is right
	calendar    fleet.Calendar // when devices may be asked
	window      time.Duration  // for how long at most without interruption
	watched     bool           // turns is known
	turns       time.Time      // when the calendar opens or closes next; zero: never
	tag         uint32         // first half of Downlink.ID

	// The step under way.
	now           time.Time
	input         Input
	cause         string // input as text, made when an event needs it
	out           Output
	touched       map[int]bool
	touchedGroups map[int]bool
}

// New makes a campaign that waits for Start.
func New(spec Spec, material Material) (*Campaign, error) {
	c := &Campaign{spec: spec, material: material}
	if err := spec.check(material); err != nil {
		return nil, err
	}
	c.stages = stagesOf(&c.spec)
	c.head = Header{Status: fleet.Configured, Gate: -1}
	for _, s := range c.stages {
		c.head.Stages = append(c.head.Stages, StageState{Stage: s})
	}
	c.devices = make([]Device, len(spec.Devices))
	for i := range c.devices {
		c.devices[i].Probe.Done = c.stages[0] == StageProbe && !spec.Policy.Probe && !spec.Devices[i].Ask
		c.devices[i].Stage, c.devices[i].Wave = firstStage(c.stages, c.devices[i].Probe.Done), spec.Devices[i].Wave
		if spec.Devices[i].Wave > 0 {
			c.devices[i].Outcome = Later
		}
	}
	if err := c.derive(); err != nil {
		return nil, err
	}
	c.groups = c.newGroups()
	return c, nil
}

// newGroups returns groups that have sent nothing yet.
func (c *Campaign) newGroups() []Group {
	groups := make([]Group, len(c.spec.Groups))
	for i := range groups {
		groups[i].NextFCnt = c.spec.Groups[i].FirstFCnt
		groups[i].Lanes = make([]LaneState, len(c.groupLanes[i]))
	}
	return groups
}

// Load brings back a campaign from what was stored: devices and groups in the order
// of spec. It goes on exactly where it was.
func Load(spec Spec, material Material, head Header, devices []Device, groups []Group) (*Campaign, error) {
	if err := spec.check(material); err != nil {
		return nil, err
	}
	if len(devices) != len(spec.Devices) || len(groups) != len(spec.Groups) {
		return nil, fmt.Errorf("campaign %s: stored state has %d devices and %d groups, its specification %d and %d",
			spec.ID, len(devices), len(groups), len(spec.Devices), len(spec.Groups))
	}
	c := &Campaign{spec: spec, material: material, head: head, devices: devices, groups: groups}
	c.stages = stagesOf(&c.spec)
	if c.head.Still.IsZero() {
		c.head.Still = c.head.Paused // as stored by versions that knew pauses only
	}
	return c, c.derive()
}

// derive builds what the state implies.
func (c *Campaign) derive() (err error) {
	if c.calendar, err = c.spec.Schedule.Calendar(); err != nil {
		return fmt.Errorf("campaign %s: %w", c.spec.ID, err)
	}
	c.window = min(c.calendar.Longest(winter), c.calendar.Longest(summer))
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.spec.ID))
	c.tag = h.Sum32()
	c.index = make(map[lorawan.EUI64]int, len(c.devices))
	c.members = make([][]int, len(c.spec.Lanes))
	c.variants = map[variant]*Traits{}
	for i, m := range c.spec.Devices {
		c.index[m.DevEUI] = i
		c.members[c.laneOf(i)] = append(c.members[c.laneOf(i)], i)
	}
	c.groupIndex = make(map[lorawan.EUI64]int, len(c.spec.Groups))
	for i, g := range c.spec.Groups {
		c.groupIndex[g.DevEUI] = i
	}
	c.groupLanes = make([][]int, len(c.spec.Groups))
	for i, l := range c.spec.Lanes {
		c.groupLanes[l.Group] = append(c.groupLanes[l.Group], i)
	}
	c.encoders = make([]*fec.Encoder, len(c.spec.Lanes))
	c.recount()
	return nil
}

// recount rebuilds the counters and timers from the devices.
func (c *Campaign) recount() {
	c.unsettled = make([]int, len(c.stages))
	c.tally, c.stand, c.failures = [outcomes]int{}, stand{}, [kinds]int{}
	c.needing = make([]int, len(c.spec.Lanes))
	c.status = make([]statusCount, len(c.spec.Groups))
	c.statusAt = slices.Index(c.stages, StageStatus)
	c.timers = c.timers[:0]
	c.frames = make(map[string]int)
	for i := range c.devices {
		c.count(i, +1)
		if id := c.devices[i].Frame; id != "" {
			c.frames[id] = i
		}
		if at := c.devices[i].Deadline; !at.IsZero() {
			c.timers = append(c.timers, timer{at, i})
		}
	}
	heap.Init(&c.timers)
}

// Spec returns what the campaign was started with. It is not to be changed.
func (c *Campaign) Spec() *Spec { return &c.spec }

// Header returns the state of the campaign as a whole.
func (c *Campaign) Header() Header { return c.head }

// Device returns the state of device i of Spec.Devices.
func (c *Campaign) Device(i int) Device { return c.devices[i] }

// Group returns the state of group i of Spec.Groups.
func (c *Campaign) Group(i int) Group { return c.groups[i] }

// Format prints the campaign's ID and status under every verb: its keys are behind an
// unexported field, where fmt would print them in clear.
func (c *Campaign) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "campaign %s %s", c.spec.ID, c.head.Status)
}

// Done reports whether nothing is left to do: the campaign has ended and so has the
// clean-up, if there was one.
func (c *Campaign) Done() bool {
	return c.head.Status != fleet.Configured && c.head.Status != fleet.Running && !c.head.CleaningUp
}

// Step applies one input at time now and returns what must follow.
// It does no I/O, starts no goroutine, reads no clock. Same inputs, same outputs.
func (c *Campaign) Step(now time.Time, in Input) Output {
	c.now, c.input, c.cause = now, in, ""
	c.out = Output{}
	c.touched, c.touchedGroups = map[int]bool{}, map[int]bool{}

	c.watchClock()
	switch in := in.(type) {
	case Start:
		c.start()
	case Heard:
		c.heard(in)
	case Sent:
		c.sent(in)
	case NotSent:
		c.notSent(in)
	case Joined:
		c.joined(in)
	case StopRequested:
		c.stop(in)
	case PauseRequested:
		c.pause()
	case ResumeRequested:
		c.resume()
	case ExtendRequested:
		c.extend(in)
	case RedundancyRequested:
		c.addRedundancy(in)
	case RetryRequested:
		c.retry(in)
	case ExcludeRequested:
		c.exclude(in)
	case PromoteRequested:
		c.promoted(in)
	case TimerFired:
	}
	if !c.stands() && !c.Done() {
		c.fireTimers()
		for g := range c.groups {
			c.polled(g)
		}
		c.advance()
	}

	c.takeBack()
	if c.Done() {
		c.head.Held, c.head.Still = time.Time{}, time.Time{}
	}
	if len(c.out.FlushDevices)+len(c.out.FlushGroups) > 0 {
		c.head.Seq++ // the number of the step, by which its flushes are told from others
	}
	c.out.Devices = sortedKeys(c.touched)
	c.out.Groups = sortedKeys(c.touchedGroups)
	c.out.WakeAt = c.wakeAt()
	return c.out
}

// takeBack drops the questions of this step to which it wants no answer any more, as when the
// campaign ends in it: a flush comes before them, and would miss them.
func (c *Campaign) takeBack() {
	c.out.Downlinks = slices.DeleteFunc(c.out.Downlinks, func(d Downlink) bool {
		_, waits := c.frames[d.ID]
		if d.question && !waits {
			c.head.UnicastSent--
			return true
		}
		return false
	})
}

func sortedKeys(set map[int]bool) []int {
	keys := make([]int, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// change is the one way to alter a device: it keeps the counters, the timers and the
// list of changed rows right.
func (c *Campaign) change(i int, f func(d *Device)) {
	d := &c.devices[i]
	before, frame, outcome := d.Deadline, d.Frame, d.Outcome
	c.count(i, -1)
	f(d)
	c.count(i, +1)
	if d.Outcome != outcome {
		c.fallenKnown = false
	}
	if d.Frame != frame {
		delete(c.frames, frame)
		if d.Frame != "" {
			c.frames[d.Frame] = i
		}
	}
	c.touched[i] = true
	if !d.Deadline.IsZero() && !d.Deadline.Equal(before) {
		heap.Push(&c.timers, timer{d.Deadline, i})
	}
}

// count adds n to the counters that device i takes part in.
func (c *Campaign) count(i, n int) {
	d := &c.devices[i]
	c.tally[d.Outcome] += n
	stage, seen := d.seen()
	c.stand[stage][seen] += n
	if d.Outcome == Failed {
		c.failures[remedies[d.Reason].kind] += n
	}
	if d.Outcome != Active {
		return
	}
	at := c.at(d.Stage)
	c.unsettled[at] += n
	if c.statusAt < 0 || at > c.statusAt {
		return
	}
	if !d.Complete {
		c.needing[c.laneOf(i)] += n
	}
	if d.Stage == StageStatus {
		s := &c.status[c.lane(i).Group]
		switch d.Phase {
		case PhaseWaiting:
			s.silent += n
		case PhaseIncomplete:
			s.incomplete += n
		default:
			if d.Rides {
				s.aside += n
			} else {
				s.underWay += n
			}
		}
	}
}

// at returns the index of a stage in the order of this campaign.
func (c *Campaign) at(s Stage) int {
	i := slices.Index(c.stages, s)
	if i < 0 {
		panic(broken("stage %s is not one of %v", s, c.stages))
	}
	return i
}

// broken is what the machine panics with when it has contradicted itself: going on could harm devices. Its
// state is not to be stored any more; what was stored before is whole.
func broken(format string, args ...any) error {
	return fmt.Errorf("broken invariant: "+format, args...)
}

// must returns v of a function that cannot fail with what Plan has checked.
func must[T any](v T, err error) T {
	if err != nil {
		panic(broken("%w", err))
	}
	return v
}

// nextID returns a Downlink.ID that no other downlink of any campaign has.
func (c *Campaign) nextID() string {
	c.head.Seq++
	return fmt.Sprintf("%08x%08x", c.tag, c.head.Seq)
}

// tell adds an event about the campaign.
func (c *Campaign) tell(code, format string, args ...any) {
	if c.cause == "" {
		c.cause = c.input.String()
	}
	c.out.Events = append(c.out.Events, Event{At: c.now, Code: code, Text: fmt.Sprintf(format, args...), Cause: c.cause})
}

// tellDevice adds an event about device i.
func (c *Campaign) tellDevice(i int, code, format string, args ...any) {
	c.tell(code, format, args...)
	c.out.Events[len(c.out.Events)-1].DevEUI = c.spec.Devices[i].DevEUI
}

// tellGroup adds an event about group g.
func (c *Campaign) tellGroup(g int, code, format string, args ...any) {
	c.tell(code, format, args...)
	c.out.Events[len(c.out.Events)-1].Group = c.spec.Groups[g].DevEUI
}

// laneOf returns the index of the lane that device i is in.
func (c *Campaign) laneOf(i int) int {
	if i < len(c.devices) { // a plan has no devices yet
		return laneOf(&c.spec, i, &c.devices[i])
	}
	return c.spec.Devices[i].Lane
}

func (c *Campaign) lane(i int) *Lane   { return &c.spec.Lanes[c.laneOf(i)] }
func (c *Campaign) group(i int) *Group { return &c.groups[c.lane(i).Group] }

// traits returns what is known of device i, by its profile or by itself.
func (c *Campaign) traits(i int) *Traits {
	m := &c.spec.Devices[i]
	if i < len(c.devices) && c.devices[i].Probe.Packages != (lorawan.PackageVersions{}) {
		return c.variantOf(variant{m.Traits, c.devices[i].Probe.Packages})
	}
	return &c.spec.Traits[m.Traits]
}

// Lane returns the lane of device i of Spec.Devices, which a probe may have changed.
func (c *Campaign) Lane(i int) Lane { return *c.lane(i) }

// Traits returns what is known of device i of Spec.Devices, with what a probe has found.
func (c *Campaign) Traits(i int) Traits { return *c.traits(i) }

// TraitsOf returns the same of a device by its DevEUI; false if it takes no part.
func (c *Campaign) TraitsOf(dev lorawan.EUI64) (Traits, bool) {
	i, ok := c.index[dev]
	if !ok {
		return Traits{}, false
	}
	return *c.traits(i), true
}

// timer is a deadline of a device.
type timer struct {
	at     time.Time
	device int
}

// timerHeap orders deadlines by time and, for equal times, by device, so that the order
// of outputs never depends on the history of the heap.
type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return cmp.Or(h[i].at.Compare(h[j].at), cmp.Compare(h[i].device, h[j].device)) < 0
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(timer)) }

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	*h = (*h)[:last]
	return t
}

// fireTimers runs every deadline that has come.
func (c *Campaign) fireTimers() {
	if end := c.end(); !end.IsZero() && c.head.Status == fleet.Running && !c.now.Before(end) {
		c.runOut()
		return
	}
	for len(c.timers) > 0 && !c.timers[0].at.After(c.now) && !c.mute() {
		t := heap.Pop(&c.timers).(timer)
		if c.devices[t.device].Deadline.Equal(t.at) {
			c.deadline(t.device)
		}
	}
	for g := range c.groups {
		if at := c.groups[g].Deadline; !at.IsZero() && !at.After(c.now) && !c.stands() {
			c.groupDeadline(g)
		}
	}
}

// wakeAt returns the earliest deadline of anything, or zero. What this step made due, as
// when a session is armed late, is due now.
func (c *Campaign) wakeAt() time.Time {
	if c.Done() || c.head.Status == fleet.Configured || c.stands() {
		return time.Time{}
	}
	var at time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for len(c.timers) > 0 && !c.mute() {
		if t := c.timers[0]; c.devices[t.device].Deadline.Equal(t.at) {
			earlier(t.at)
			break
		}
		heap.Pop(&c.timers)
	}
	for g := range c.groups {
		earlier(c.groups[g].Deadline)
	}
	earlier(c.turns)
	if c.head.Status == fleet.Running {
		earlier(c.end())
		if !c.head.Interval.Manual {
			earlier(c.head.Interval.Until)
		}
		if s := c.firstOpen(); s >= 0 && !c.mute() {
			earlier(c.head.Stages[s].Grace)
		}
	}
	if !at.IsZero() && at.Before(c.now) {
		return c.now
	}
	return at
}

// end returns when the maximum duration is over; zero: never.
func (c *Campaign) end() time.Time {
	if c.spec.MaxDuration <= 0 || c.head.Started.IsZero() {
		return time.Time{}
	}
	return c.head.Started.Add(c.spec.MaxDuration + c.head.Extended)
}
