package campaign_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// player plays a script: it is the operator, the network and the devices of one campaign.
//
//	campaign OPTION...        the fleet, see parseWorld
//	start, pause, resume      the operator; promote; stop by=NAME
//	extend DURATION [GROUP...], redundancy N|N% [GROUP...], exclude DEV...
//	retry [DEV...] [for=REASON...]
//	sent [WHO]                the network reports the oldest downlink to WHO, or to each, as sent
//	notsent WHO REASON        ... as not sent
//	uplink DEV [crowded] [COMMAND FIELD=VALUE FLAG ...]...
//	join DEV
//	advance DURATION          time passes, timers fire
//	wake [N]                  time passes until the next timer fires, N times
//	run GROUP [N]             the network sends fragments, one per 2 s, until something else happens
//	reach STAGE [without DEV...]  devices answer well until all are in STAGE, or "end", or "interval" between two phases
//	reach STAGE [leaving DEV...]  ... until all others are
//	reload                    the campaign is stored and loaded
//	status                    prints where everyone is
type player struct {
	t      testing.TB
	reload bool // after every step

	world
	c     *campaign.Campaign
	now   time.Time
	wake  time.Time
	shown time.Time // wake-up that was printed last
	// queue is what the network has and has not reported, oldest first.
	queue []campaign.Downlink
	fCnt  map[lorawan.EUI64]uint32
	upCnt uint32

	out      strings.Builder
	marked   time.Time           // last time mark printed
	quiet    bool                // print what concerns the campaign as a whole only
	fragment []campaign.Downlink // of a run, to be printed as ranges
	inRun    bool
	goal     string                 // of "reach"
	silent   map[lorawan.EUI64]bool // "reach without", "reach leaving"
	leaving  bool                   // nobody waits for them
}

// pace is how fast the network of the stories sends multicast frames.
const pace = 2 * time.Second

// do executes one line of a script.
func (p *player) do(line string) error {
	words := strings.Fields(line)
	args := words[1:]
	if words[0] == "campaign" {
		return p.begin(args)
	}
	if p.c == nil {
		return fmt.Errorf("no campaign yet")
	}
	switch words[0] {
	case "start":
		p.step(campaign.Start{})
	case "pause":
		p.step(campaign.PauseRequested{By: "alice"})
	case "resume":
		p.step(campaign.ResumeRequested{By: "alice"})
	case "promote":
		p.step(campaign.PromoteRequested{By: "alice"})
	case "stop":
		p.step(campaign.StopRequested{By: strings.TrimPrefix(args[0], "by=")})
	case "extend", "redundancy", "retry", "exclude":
		return p.order(words[0], args)
	case "sent":
		return p.sent(args)
	case "notsent":
		d, err := p.take(args[0])
		if err != nil {
			return err
		}
		p.step(campaign.NotSent{ID: d.ID, Reason: strings.Join(args[1:], " ")})
	case "uplink":
		return p.uplink(args)
	case "join":
		dev, err := who(args[0])
		if err != nil {
			return err
		}
		p.step(campaign.Joined{DevEUI: dev})
	case "advance":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		p.advance(p.now.Add(d))
	case "wake":
		return p.wakeUps(args)
	case "run":
		return p.run(args)
	case "reach":
		return p.reach(args)
	case "reload":
		p.reloaded()
	case "status":
		p.status()
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

// order gives one of the orders that are about devices or groups.
func (p *player) order(what string, args []string) error {
	var names []lorawan.EUI64
	var kinds []campaign.Reason
	var value string
	if what == "extend" || what == "redundancy" {
		value, args = args[0], args[1:]
	}
	for _, arg := range args {
		if kind, ok := strings.CutPrefix(arg, "for="); ok {
			kinds = append(kinds, campaign.Reason(kind))
			continue
		}
		eui, err := who(arg)
		if err != nil {
			return err
		}
		names = append(names, eui)
	}
	switch what {
	case "extend":
		d, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		p.step(campaign.ExtendRequested{By: "alice", For: d, Groups: names})
	case "redundancy":
		n, err := strconv.Atoi(strings.TrimSuffix(value, "%"))
		if err != nil {
			return err
		}
		in := campaign.RedundancyRequested{By: "alice", Fragments: n, Groups: names}
		if strings.HasSuffix(value, "%") {
			in.Fragments, in.Percent = 0, float64(n)
		}
		p.step(in)
	case "retry":
		p.step(campaign.RetryRequested{By: "alice", Devices: names, Kinds: kinds})
	case "exclude":
		p.step(campaign.ExcludeRequested{By: "alice", Devices: names})
	}
	return nil
}

// begin makes the campaign of the story.
func (p *player) begin(args []string) error {
	o, err := parseWorld(args)
	if err != nil {
		return err
	}
	p.world = newWorld(o)
	p.now, p.marked = base, base
	p.fCnt = make(map[lorawan.EUI64]uint32)
	for _, g := range p.spec.Groups {
		p.fCnt[g.DevEUI] = g.FirstFCnt
	}
	p.c, err = campaign.New(p.spec, p.material)
	return err
}

// step feeds one input to the campaign and prints what follows.
func (p *player) step(in campaign.Input) campaign.Output {
	out := p.c.Step(p.now, in)
	if err := campaign.CheckDerived(p.c); err != nil {
		p.t.Fatalf("%s: %v", in, err)
	}
	if !out.WakeAt.IsZero() && out.WakeAt.Before(p.now) {
		p.t.Fatalf("%s: wake-up at %s, which is past", in, p.mark(out.WakeAt))
	}
	if p.c.Done() && !out.WakeAt.IsZero() {
		p.t.Fatalf("%s: wake-up at %s of a campaign that is done", in, p.mark(out.WakeAt))
	}
	p.wake = out.WakeAt
	for _, r := range out.Receipt.Refused {
		p.say("refused: %v", &campaign.RefusedError{Refused: []campaign.Refusal{r}})
	}
	if n := out.Receipt.Reached; n > 0 {
		p.say("the order reaches %d", n)
	}
	for _, e := range out.Events {
		if e.Code == "device.asked" || e.Code == "device.incomplete" || e.Code == "device.cleaning_up" || e.Code == "device.reopened" {
			continue // the lines of the frames say it
		}
		if p.quiet && !e.DevEUI.IsZero() && (e.Code == "device.passed" || e.Code == "device.verified") {
			continue
		}
		p.say("%s", e)
	}
	for _, dev := range out.FlushDevices {
		p.flush(dev)
		if !p.quiet {
			p.say("flush %s", dev)
		}
	}
	for _, group := range out.FlushGroups {
		p.flush(group)
		p.say("flush %s", group)
	}
	for _, d := range out.Downlinks {
		if d.Flush {
			p.flush(d.DevEUI)
		}
		p.queue = append(p.queue, d)
		if p.quiet {
			continue
		}
		if _, ok := d.Commands[0].(fragmentation.DataFragment); ok && p.inRun {
			p.fragment = append(p.fragment, d)
			continue
		}
		flush := ""
		if d.Flush {
			flush = " flush"
		}
		p.say("%s%s", d, flush)
	}
	if p.reload {
		p.c = p.copyOf(p.c)
	}
	return out
}

func (p *player) flush(to lorawan.EUI64) {
	p.queue = slices.DeleteFunc(p.queue, func(d campaign.Downlink) bool { return d.DevEUI == to || d.Group == to })
}

// copyOf stores a campaign and loads it.
func (p *player) copyOf(c *campaign.Campaign) *campaign.Campaign {
	return reloadOf(p.t, p.world, c)
}

// stored is a campaign as a store keeps it.
type stored struct {
	Header  campaign.Header
	Devices []campaign.Device
	Groups  []campaign.Group
}

func storedOf(t testing.TB, c *campaign.Campaign) []byte {
	t.Helper()
	s := stored{Header: c.Header()}
	for i := range c.Spec().Devices {
		s.Devices = append(s.Devices, c.Device(i))
	}
	for i := range c.Spec().Groups {
		s.Groups = append(s.Groups, c.Group(i))
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reloadOf stores c, specification and all, loads it, and checks that nothing got lost.
func reloadOf(t testing.TB, w world, c *campaign.Campaign) *campaign.Campaign {
	t.Helper()
	text := storedOf(t, c)
	var s stored
	var spec campaign.Spec
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	specText, err := json.Marshal(c.Spec())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(specText, &spec); err != nil {
		t.Fatal(err)
	}
	again, err := campaign.Load(spec, w.material, s.Header, s.Devices, s.Groups)
	if err != nil {
		t.Fatal(err)
	}
	if have := storedOf(t, again); !bytes.Equal(have, text) {
		t.Fatalf("stored %s\nloaded %s", text, have)
	}
	return again
}

// reloaded loads the campaign for the rest of the story.
func (p *player) reloaded() {
	p.c = p.copyOf(p.c)
	p.say("nothing has changed")
}

// print returns what was said since the last time, and when the campaign wants to be woken.
func (p *player) print() string {
	if p.wake != p.shown {
		p.shown = p.wake
		if p.wake.IsZero() {
			p.write("no wake-up")
		} else {
			p.write("wake at " + p.mark(p.wake))
		}
	}
	s := p.out.String()
	p.out.Reset()
	if s == "" {
		return "ok\n"
	}
	return s
}

// mark writes a time as what has passed since the story began.
func (p *player) mark(t time.Time) string { return "+" + t.Sub(base).String() }

var gpsTimes = regexp.MustCompile(` (start|at|time)=(\d{9,})`)

// say prints one line, under a mark of the time if that has changed.
func (p *player) say(format string, args ...any) {
	if !p.now.Equal(p.marked) {
		p.marked = p.now
		p.write(p.mark(p.now))
	}
	p.write(fmt.Sprintf(format, args...))
}

func (p *player) write(line string) {
	line = gpsTimes.ReplaceAllStringFunc(line, func(s string) string {
		parts := strings.SplitN(s, "=", 2)
		n, _ := strconv.ParseInt(parts[1], 10, 64)
		return parts[0] + "=" + p.mark(lorawan.TimeFromGPS(n))
	})
	p.out.WriteString(friendly(line) + "\n")
}

// advance lets time pass and fires the timers that come.
func (p *player) advance(end time.Time) {
	for n := 0; !p.wake.IsZero() && !p.wake.After(end); n++ {
		if n == 10_000 {
			p.t.Fatalf("timers fire without end at %s", p.mark(p.now))
		}
		if p.wake.After(p.now) {
			p.now = p.wake
		}
		p.step(campaign.TimerFired{})
	}
	p.now = end
}

// wakeUps lets time pass until a timer has fired n times.
func (p *player) wakeUps(args []string) error {
	n := 1
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil {
			return err
		}
	}
	for range n {
		if p.wake.IsZero() {
			return fmt.Errorf("no wake-up is due")
		}
		p.advance(p.wake)
	}
	return nil
}

// who reads "dev1" or "group1".
func who(name string) (lorawan.EUI64, error) {
	for prefix, eui := range map[string]func(int) lorawan.EUI64{"dev": devEUI, "group": groupEUI} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			n, err := strconv.Atoi(rest)
			return eui(n), err
		}
	}
	return lorawan.EUI64{}, fmt.Errorf("no device or group %q", name)
}

// take removes the oldest downlink to someone from the network's queue.
func (p *player) take(name string) (campaign.Downlink, error) {
	to, err := who(name)
	if err != nil {
		return campaign.Downlink{}, err
	}
	i := slices.IndexFunc(p.queue, func(d campaign.Downlink) bool { return d.DevEUI == to || d.Group == to })
	if i < 0 {
		return campaign.Downlink{}, fmt.Errorf("the network has nothing for %s", name)
	}
	return p.remove(i), nil
}

func (p *player) remove(i int) campaign.Downlink {
	d := p.queue[i]
	p.queue = slices.Delete(p.queue, i, i+1)
	return d
}

// sent reports downlinks as sent.
func (p *player) sent(args []string) error {
	if len(args) == 0 {
		all := slices.Clone(p.queue)
		p.queue = nil
		for _, d := range all {
			p.report(d)
		}
		return nil
	}
	for _, name := range args {
		d, err := p.take(name)
		if err != nil {
			return err
		}
		p.report(d)
	}
	return nil
}

// report tells that d is on the air.
func (p *player) report(d campaign.Downlink) {
	in := campaign.Sent{ID: d.ID, At: p.now, Airtime: 100 * time.Millisecond}
	if !d.Group.IsZero() {
		in.FCnt = p.fCnt[d.Group]
		p.fCnt[d.Group]++
	}
	p.step(in)
}

// run lets a group send its fragments until something else happens.
func (p *player) run(args []string) error {
	group, err := who(args[0])
	if err != nil {
		return err
	}
	most := 1 << 20
	if len(args) > 1 {
		if most, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
	}
	start := p.out.Len()
	p.inRun = true
	defer func() { p.inRun = false }()
	for n := 0; n < most; n++ {
		i := slices.IndexFunc(p.queue, func(d campaign.Downlink) bool { return d.Group == group })
		if i < 0 {
			break
		}
		if _, ok := p.queue[i].Commands[0].(fragmentation.DataFragment); !ok {
			break
		}
		before := p.out.Len()
		p.advance(p.now.Add(pace))
		if i = slices.IndexFunc(p.queue, func(d campaign.Downlink) bool { return d.Group == group }); i >= 0 {
			p.report(p.remove(i))
		}
		if p.out.Len() > before {
			break
		}
	}
	p.summarise(start)
	return nil
}

// summarise prints the fragments of a run as ranges, before whatever was printed since start
// and ended the run.
func (p *player) summarise(start int) {
	all := p.out.String()
	p.out.Reset()
	p.out.WriteString(all[:start])
	for len(p.fragment) > 0 {
		first := p.fragment[0].Commands[0].(fragmentation.DataFragment)
		n := 1
		for n < len(p.fragment) {
			next := p.fragment[n].Commands[0].(fragmentation.DataFragment)
			if next.FragIndex != first.FragIndex || int(next.N) != int(first.N)+n {
				break
			}
			n++
		}
		p.write(fmt.Sprintf("server => %s DataFragment index=%d n=%d..%d", p.fragment[0].Group, first.FragIndex, first.N, int(first.N)+n-1))
		p.fragment = p.fragment[n:]
	}
	p.out.WriteString(all[start:])
}

// endsInSilence looks ahead: if nobody ever says anything again, the campaign must still
// end, whether it is stopped now or left alone.
func (p *player) endsInSilence(stopped bool) error {
	c, now := p.copyOf(p.c), p.now
	var out campaign.Output
	out = c.Step(now, campaign.TimerFired{})
	switch h := c.Header(); {
	case stopped:
		out = c.Step(now, campaign.StopRequested{By: "test"})
	case h.Status == fleet.Configured:
		out = c.Step(now, campaign.Start{})
	}
	for range 20_000 {
		if c.Done() {
			return nil
		}
		switch h := c.Header(); { // the operator does what is asked
		case !h.Paused.IsZero() || !h.Halted.At.IsZero():
			out = c.Step(now, campaign.ResumeRequested{By: "test"})
			continue
		case h.Interval.Manual:
			out = c.Step(now, campaign.PromoteRequested{By: "test"})
			continue
		}
		if out.WakeAt.IsZero() {
			return fmt.Errorf("nothing will ever wake it: %s", storedOf(p.t, c))
		}
		if out.WakeAt.Before(now) {
			return fmt.Errorf("it wants to be woken at %s, now is %s", p.mark(out.WakeAt), p.mark(now))
		}
		now = out.WakeAt
		out = c.Step(now, campaign.TimerFired{})
		if err := campaign.CheckDerived(c); err != nil {
			return err
		}
	}
	return fmt.Errorf("it does not end: %s", storedOf(p.t, c))
}

// status prints the stages and where everyone is.
func (p *player) status() {
	pr := p.c.Progress()
	p.say("%s: %d of %d verified, %d failed, fragments %d of %d, %d coded, %d unicast", strings.TrimSpace(fmt.Sprint(pr.Status, " ", pr.Reason)),
		pr.Verified, pr.Devices, pr.Failed, pr.FragmentsSent, pr.FragmentsPlan, pr.CodedSent, pr.UnicastSent)
	for _, w := range pr.Waves {
		p.say("  %s: %d of %d verified, from %s to %s", w.Name, w.Verified, w.Devices, p.mark(w.Started), p.mark(w.Ended))
	}
	if pr.Later > 0 {
		p.say("  %s goes on, %d devices later", pr.Wave, pr.Later)
	}
	if h := pr.Halted; h.Reason != "" {
		p.say("  halted since %s: %s (%s)", p.mark(h.At), h.Detail, h.Reason)
	}
	for _, s := range pr.Stages {
		state := "-"
		switch {
		case !s.Closed.IsZero():
			state = "closed"
		case !s.Opened.IsZero():
			state = "open"
		}
		p.say("  %-17s %-6s passed=%d working=%d failed=%d", s.Stage, state, s.Passed, s.Working, s.Failed)
	}
	for i := range p.c.Spec().Devices {
		d := p.c.Device(i)
		line := fmt.Sprintf("  %s %s, %s %s", p.c.Spec().Devices[i].DevEUI, d.Outcome, d.Stage, d.Phase)
		if d.Reason != "" {
			line += fmt.Sprintf(" (%s)", d.Reason)
		}
		if d.Was != "" {
			line += fmt.Sprintf(", was failed (%s)", d.Was)
		}
		p.say("%s", line)
	}
}
