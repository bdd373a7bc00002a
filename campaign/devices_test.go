package campaign_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// vocabulary is what devices can say in a script.
var vocabulary = map[string]struct {
	pkg lorawan.PackageID
	cmd lorawan.Command
}{
	"PackageVersionAns":        {lorawan.McSetup, lorawan.PackageVersionAns{PackageIdentifier: lorawan.McSetup, PackageVersion: lorawan.V1}},
	"McGroupStatusAns":         {lorawan.McSetup, multicast.McGroupStatusAns{}},
	"OwnGroup":                 {lorawan.McSetup, multicast.McGroupStatusAns{AnsGroupMask: 1, NbTotalGroups: 1, Groups: []multicast.McGroup{{McAddr: lorawan.DevAddr{0xff, 0, 0, 1}}}}},
	"ForeignGroups":            {lorawan.McSetup, multicast.McGroupStatusAns{AnsGroupMask: 3, NbTotalGroups: 2, Groups: []multicast.McGroup{{McAddr: lorawan.DevAddr{1, 2, 3, 4}}, {McGroupID: 1, McAddr: lorawan.DevAddr{5, 6, 7, 8}}}}},
	"AppTimeReq":               {lorawan.ClockSync, clocksync.AppTimeReq{}},
	"McGroupSetupAns":          {lorawan.McSetup, multicast.McGroupSetupAns{}},
	"McGroupDeleteAns":         {lorawan.McSetup, multicast.McGroupDeleteAns{}},
	"McClassBSessionAns":       {lorawan.McSetup, multicast.McClassBSessionAns{}},
	"McClassCSessionAns":       {lorawan.McSetup, multicast.McClassCSessionAns{}},
	"FragSessionSetupAns":      {lorawan.Fragmentation, fragmentation.FragSessionSetupAns{}},
	"FragSessionStatusAns":     {lorawan.Fragmentation, fragmentation.FragSessionStatusAns{}},
	"FragSessionDeleteAns":     {lorawan.Fragmentation, fragmentation.FragSessionDeleteAns{}},
	"FragDataBlockReceivedReq": {lorawan.Fragmentation, fragmentation.FragDataBlockReceivedReq{}},
	"DevRebootTimeAns":         {lorawan.FirmwareMgmt, firmware.DevRebootTimeAns{}},
	"DevRebootCountdownAns":    {lorawan.FirmwareMgmt, firmware.DevRebootCountdownAns{}},
	"DevUpgradeImageAns":       {lorawan.FirmwareMgmt, firmware.DevUpgradeImageAns{}},
	"DevVersionAns":            {lorawan.FirmwareMgmt, firmware.DevVersionAns{}},
	"DevDeleteImageAns":        {lorawan.FirmwareMgmt, firmware.DevDeleteImageAns{}},
}

// uplink reads the commands of a device, takes them through their wire format, and gives
// them to the campaign in one input.
func (p *player) uplink(args []string) error {
	dev, err := who(args[0])
	if err != nil {
		return err
	}
	in := campaign.Heard{DevEUI: dev, At: p.now, FCnt: p.upCnt}
	p.upCnt++
	i := slices.IndexFunc(p.spec.Devices, func(m campaign.Member) bool { return m.DevEUI == dev })
	if len(args) > 1 && args[1] == "crowded" {
		in.Crowded = 2 * time.Hour
		args = args[1:]
	}
	for rest := args[1:]; len(rest) > 0; {
		word, ok := vocabulary[rest[0]]
		if !ok {
			return fmt.Errorf("devices do not say %q", rest[0])
		}
		n := 1
		for n < len(rest) && vocabulary[rest[n]].cmd == nil {
			n++
		}
		cmd, err := p.spoken(i, word.cmd, rest[1:n])
		if err != nil {
			return err
		}
		if ans, ok := cmd.(lorawan.PackageVersionAns); ok {
			word.pkg = ans.PackageIdentifier
		}
		through, err := p.overTheAir(i, word.pkg, cmd)
		if err != nil {
			return err
		}
		in.Commands = append(in.Commands, through...)
		rest = rest[n:]
	}
	texts := make([]string, 0, len(in.Commands))
	for _, c := range in.Commands {
		texts = append(texts, fmt.Sprint(c))
	}
	if len(texts) == 0 {
		texts = []string{"(application data)"}
	}
	if in.Crowded > 0 {
		texts = append(texts, "crowded")
	}
	p.say("%s -> server %s", dev, strings.Join(texts, ", "))
	p.step(in)
	return nil
}

// spoken fills in the fields of a command of device i.
func (p *player) spoken(i int, cmd lorawan.Command, fields []string) (lorawan.Command, error) {
	v := reflect.New(reflect.TypeOf(cmd)).Elem()
	v.Set(reflect.ValueOf(cmd))
	if f := v.FieldByName("FragIndex"); f.IsValid() && i >= 0 {
		f.SetUint(uint64(p.c.Lane(i).FragIndex))
	}
	for _, word := range fields {
		name, value, valued := strings.Cut(word, "=")
		f := v.FieldByName(name)
		switch {
		case !f.IsValid():
			return nil, fmt.Errorf("%s has no field %s", cmd.Name(), name)
		case !valued:
			f.SetBool(true)
		default:
			n, err := p.number(i, value)
			if err != nil {
				return nil, err
			}
			f.SetUint(n)
		}
	}
	return v.Interface().(lorawan.Command), nil
}

// number reads a value: a number, or or a word for one, with an optional
// "+n" or "-n" behind it.
func (p *player) number(i int, value string) (uint64, error) {
	word, offset := value, int64(0)
	if at := strings.IndexAny(value, "+-"); at > 0 {
		var err error
		if offset, err = strconv.ParseInt(value[at:], 10, 64); err != nil {
			return 0, err
		}
		word = value[:at]
	}
	seconds := func(t time.Time) (uint64, error) {
		return uint64(int64(t.Sub(p.now)/time.Second) + offset), nil
	}
	switch word {
	case "session": // seconds until it starts
		return seconds(p.c.Group(p.spec.Lanes[p.spec.Devices[i].Lane].Group).SessionTime)
	case "reboot": // seconds until then
		if p.spec.RebootAt.IsZero() {
			return seconds(p.c.Device(i).RebootAt)
		}
		return seconds(p.spec.RebootAt)
	case "echo": // the reboot time itself
		return uint64(int64(lorawan.GPSSeconds32(p.spec.RebootAt)) + offset), nil
	case "now": // GPS time
		return uint64(lorawan.GPSSeconds(p.now) + offset), nil
	case "cancelled":
		return uint64(firmware.RebootCancel), nil
	case "target", "old", "older", "other":
		return uint64(firmwares[word]), nil
	case "swapped":
		return 0x04030201, nil
	}
	return strconv.ParseUint(value, 0, 64)
}

// overTheAir encodes a command as the device would and reads it back as the server does.
func (p *player) overTheAir(i int, pkg lorawan.PackageID, cmd lorawan.Command) ([]lorawan.Command, error) {
	if i < 0 {
		return []lorawan.Command{cmd}, nil
	}
	t := p.c.Traits(i)
	v := t.Packages.Of(pkg)
	if _, ok := cmd.(fragmentation.FragSessionStatusAns); ok && t.StatusStyle == fleet.StatusWL55v2 {
		v = lorawan.V1
	}
	payload, err := cmd.Append(nil, v)
	if err != nil {
		return nil, err
	}
	return t.ParseUplink(t.FPort(pkg), payload)
}

// reach has every device answer well until all that are under way are in a stage, or all
// is over. Who is there already waits for the others.
func (p *player) reach(args []string) error {
	p.quiet = true
	defer func() { p.quiet = false }()
	p.silent, p.leaving = make(map[lorawan.EUI64]bool), false
	for k, name := range args[1:] {
		if k == 0 {
			p.leaving = name == "leaving" // else "without"
			continue
		}
		dev, err := who(name)
		if err != nil {
			return err
		}
		p.silent[dev] = true
	}
	p.goal = args[0]
	for n := 0; !p.there(); n++ {
		if n == 10_000 {
			return fmt.Errorf("nobody ever gets to %s", args[0])
		}
		if !p.goodTurn() && !p.there() {
			if p.wake.IsZero() {
				return fmt.Errorf("nothing happens any more")
			}
			p.advance(p.wake)
		}
	}
	return nil
}

// there tells if the goal of reach is reached.
func (p *player) there() bool {
	if h := p.c.Header(); p.c.Done() || !h.Halted.At.IsZero() || h.Interval.Manual || p.goal == "interval" && h.Interval.Next > 0 {
		return true
	}
	found := false
	for i := range p.spec.Devices {
		if o := p.c.Device(i).Outcome; o != campaign.Active && o != campaign.Stopping || p.leaving && p.silent[p.spec.Devices[i].DevEUI] {
			continue
		}
		if !p.waits(i) {
			return false
		}
		found = true
	}
	return found
}

// waits tells if device i is at the goal, with its gate open.
func (p *player) waits(i int) bool {
	stages := p.c.Header().Stages
	d := p.c.Device(i)
	index := func(name string) int {
		return slices.IndexFunc(stages, func(s campaign.StageState) bool { return s.Stage.String() == name })
	}
	goal, at := index(p.goal), index(d.Stage.String())
	if goal < 0 || at < 0 { // of the clean-up
		return d.Stage.String() == p.goal
	}
	return at >= goal && !stages[goal].Opened.IsZero()
}

// goodTurn has the network send one downlink, and its receivers answer. It tells if there
// was anything to do.
func (p *player) goodTurn() bool {
	waits := func(dev lorawan.EUI64) bool {
		i := slices.IndexFunc(p.spec.Devices, func(m campaign.Member) bool { return m.DevEUI == dev })
		return i >= 0 && (p.silent[dev] || p.waits(i))
	}
	if i := slices.IndexFunc(p.queue, func(d campaign.Downlink) bool { return !waits(d.DevEUI) }); i >= 0 {
		d := p.remove(i)
		p.pass(pace)
		p.report(d)
		for k, m := range p.spec.Devices {
			if !p.there() && (m.DevEUI == d.DevEUI || d.DevEUI.IsZero() && p.c.Device(k).Phase == campaign.PhaseAsked) {
				p.answer(k, d)
			}
		}
		return true
	}
	for k, m := range p.spec.Devices {
		if p.c.Device(k).Phase == campaign.PhaseListening && !waits(m.DevEUI) {
			p.step(campaign.Heard{DevEUI: m.DevEUI, At: p.now})
			return true
		}
	}
	return false
}

// pass lets time pass.
func (p *player) pass(d time.Duration) { p.advance(p.now.Add(d)) }

// answer has device i answer a downlink as a perfect device does.
func (p *player) answer(i int, d campaign.Downlink) {
	if p.silent[p.spec.Devices[i].DevEUI] {
		return
	}
	p.pass(pace)
	var answers []lorawan.Command
	for _, cmd := range d.Commands {
		if ans := perfectAnswer(p.c, i, p.c.Lane(i), cmd, p.now); ans != nil {
			answers = append(answers, ans)
		}
	}
	if len(answers) > 0 {
		p.step(campaign.Heard{DevEUI: p.spec.Devices[i].DevEUI, At: p.now, Commands: answers})
	}
}

// perfectAnswer is what device i answers to a command that it has carried out.
func perfectAnswer(c *campaign.Campaign, i int, lane campaign.Lane, cmd lorawan.Command, now time.Time) lorawan.Command {
	left := func(gps uint32) uint32 {
		return uint32(max(lorawan.TimeFromGPS32(gps, now).Sub(now), 0) / time.Second)
	}
	switch req := cmd.(type) {
	case multicast.McGroupSetupReq:
		return multicast.McGroupSetupAns{}
	case multicast.McGroupDeleteReq:
		return multicast.McGroupDeleteAns{}
	case multicast.McClassCSessionReq:
		return multicast.McClassCSessionAns{TimeToStart: left(req.SessionTime)}
	case multicast.McClassBSessionReq:
		return multicast.McClassBSessionAns{TimeToStart: left(req.SessionTime)}
	case fragmentation.FragSessionSetupReq:
		return fragmentation.FragSessionSetupAns{FragIndex: lane.FragIndex}
	case fragmentation.FragSessionDeleteReq:
		return fragmentation.FragSessionDeleteAns{FragIndex: lane.FragIndex}
	case fragmentation.FragSessionStatusReq:
		return fragmentation.FragSessionStatusAns{FragIndex: lane.FragIndex, NbFragReceived: lane.NbFrag}
	case firmware.DevRebootTimeReq:
		if req.RebootTime == firmware.RebootCancel {
			return firmware.DevRebootTimeAns(req)
		}
		return firmware.DevRebootTimeAns{RebootTime: left(req.RebootTime)}
	case firmware.DevRebootCountdownReq:
		return firmware.DevRebootCountdownAns(req)
	case firmware.DevUpgradeImageReq:
		return firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageValid, NextFirmwareVersion: c.Spec().Firmware.Uint32()}
	case firmware.DevDeleteImageReq:
		return firmware.DevDeleteImageAns{}
	case lorawan.PackageVersionReq:
		pkg := c.Device(i).Probe.Package()
		return lorawan.PackageVersionAns{PackageIdentifier: pkg, PackageVersion: c.Traits(i).Packages.Of(pkg)}
	case multicast.McGroupStatusReq:
		return multicast.McGroupStatusAns{}
	case clocksync.ForceDeviceResyncReq:
		return clocksync.AppTimeReq{DeviceTime: lorawan.GPSSeconds32(now)}
	case firmware.DevVersionReq:
		if s := c.Device(i).Stage; s == campaign.StageReboot || s == campaign.StageProbe {
			return firmware.DevVersionAns{FWVersion: oldFirmware}
		}
		return firmware.DevVersionAns{FWVersion: c.Spec().Firmware.Uint32()}
	}
	return nil
}
