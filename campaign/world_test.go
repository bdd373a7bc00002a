package campaign_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// base is when every story begins: no multiple of 128 s, so that rounding to a beacon shows.
var base = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

const (
	otherFirmware  = 0x01020100
	olderFirmware  = 0x01020200
	oldFirmware    = 0x01020300
	targetFirmware = 0x01020304
)

// firmwares are the versions that scripts know by name.
var firmwares = map[string]uint32{"other": otherFirmware, "older": olderFirmware, "old": oldFirmware, "target": targetFirmware}

// world is a fleet whose devices and groups have names that people can read.
type world struct {
	spec     campaign.Spec
	material campaign.Material
}

func devEUI(n int) lorawan.EUI64 {
	return lorawan.MustParseEUI64(fmt.Sprintf("de%014x", n))
}

func groupEUI(n int) lorawan.EUI64 {
	return lorawan.MustParseEUI64(fmt.Sprintf("ee%014x", n))
}

var identifiers = regexp.MustCompile(`\b(de|ee)([0-9a-f]{14})\b`)

// friendly replaces identifiers with names: dev1, group1.
func friendly(s string) string {
	return identifiers.ReplaceAllStringFunc(s, func(id string) string {
		n, _ := strconv.ParseUint(id[2:], 16, 64)
		if strings.HasPrefix(id, "de") {
			return fmt.Sprintf("dev%d", n)
		}
		return fmt.Sprintf("group%d", n)
	})
}

// worldOptions are what a story may choose. Defaults are in newWorld.
type worldOptions struct {
	typ                   fleet.CampaignType
	devices, v2, groups   int
	class                 fleet.Class
	threshold             float64
	redundancy            fleet.RedundancyMode
	coded, maxCoded       uint16
	frag                  int
	period                time.Duration
	style                 fleet.StatusStyle
	rc1, rebootsItself    bool
	noClock, v11          bool
	noFirmware            bool
	nextChance, multi     bool
	session, reboot, last time.Duration
	cnt                   uint16
	interval              time.Duration
	policy                fleet.CampaignPolicy
	schedule              fleet.Schedule
	phases                []fleet.Phase
	abort                 []fleet.AbortRule
	catchUp               fleet.CatchUp
	deltas                []string       // names of firmwares that a delta leads from: of 5 fragments, 10, 15
	noFull, only          bool           // no lane has the full image; because only deltas are wanted
	ask                   map[int]bool   // devices by number whose version is to be asked
	on                    map[int]string // devices by number that have the lane of a delta
}

// parseWorld reads options such as "devices=3 setup=sequential".
func parseWorld(words []string) (worldOptions, error) {
	o := worldOptions{
		devices: 2, groups: 1, class: fleet.ClassC, threshold: 50, frag: 20, maxCoded: 20,
		period: 10 * time.Minute, interval: 2 * time.Second,
		// One device is asked alone: most scripts are about one by one, and have few devices.
		policy: fleet.CampaignPolicy{Retries: 2, MaxRounds: 5, FirstFragmentDelay: 10 * time.Second, StatusByMulticastAbove: 1},
	}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if err := o.set(key, value); err != nil {
			return o, fmt.Errorf("%s: %w", w, err)
		}
	}
	return o, nil
}

// set reads one option.
func (o *worldOptions) set(key, value string) (err error) {
	number := func(n *int) { *n, err = strconv.Atoi(value) }
	number16 := func(n *uint16) {
		var v uint64
		v, err = strconv.ParseUint(value, 10, 16)
		*n = uint16(v)
	}
	number8 := func(n *uint8) {
		var v uint64
		v, err = strconv.ParseUint(value, 10, 8)
		*n = uint8(v)
	}
	span := func(d *time.Duration) { *d, err = time.ParseDuration(value) }
	switch key {
	case "type":
		o.typ, err = fleet.ParseCampaignType(value)
	case "devices":
		number(&o.devices)
	case "v2": // so many of the devices, the last ones, speak version 2 of TS004
		number(&o.v2)
	case "groups":
		number(&o.groups)
	case "class":
		o.class, err = fleet.ParseClass(value)
	case "threshold":
		o.threshold, err = strconv.ParseFloat(value, 64)
	case "redundancy":
		o.redundancy, err = fleet.ParseRedundancyMode(value)
	case "coded":
		number16(&o.coded)
	case "max-coded":
		number16(&o.maxCoded)
	case "frag":
		number(&o.frag)
	case "period":
		span(&o.period)
	case "style":
		o.style, err = fleet.ParseStatusStyle(value)
	case "rc1":
		o.rc1 = true
	case "reboots-itself":
		o.rebootsItself = true
	case "no-clock":
		o.noClock = true
	case "no-firmware":
		o.noFirmware = true
	case "lorawan11":
		o.v11 = true
	case "next-chance":
		o.nextChance = true
	case "multi-package":
		o.multi = true
	case "session":
		span(&o.session)
	case "reboot":
		span(&o.reboot)
	case "max":
		span(&o.last)
	case "cnt":
		number16(&o.cnt)
	case "interval":
		span(&o.interval)
	case "setup":
		o.policy.Setup, err = fleet.ParseSetupMode(value)
	case "retries":
		number(&o.policy.Retries)
	case "late":
		span(&o.policy.LateAnswer)
	case "lead":
		span(&o.policy.SessionLead)
	case "beacons":
		number8(&o.policy.BeaconsToWait)
	case "close-at-threshold":
		o.policy.CloseAtThreshold = true
	case "probe":
		o.policy.Probe = true
	case "keep-on-failure":
		o.policy.KeepOnFailure = true
	case "first-fragment":
		span(&o.policy.FirstFragmentDelay)
	case "multicast-delay":
		span(&o.policy.MulticastDelay)
	case "rounds":
		number8(&o.policy.MaxRounds)
	case "status-above":
		number(&o.policy.StatusByMulticastAbove)
	case "flash":
		span(&o.policy.FlashTime)
	case "window", "quiet": // such as mon,fri_22:00-05:30_Europe/Paris
		list := &o.schedule.Windows
		if key == "quiet" {
			list = &o.schedule.QuietHours
		}
		var w fleet.Window
		w, err = fleet.ParseWindow(strings.ReplaceAll(value, "_", " "))
		*list = append(*list, w)
	case "reboot-mode":
		o.schedule.Reboot, err = fleet.ParseRebootMode(value)
	case "countdown":
		span(&o.schedule.RebootCountdown)
	case "patience":
		span(&o.schedule.RebootPatience)
	case "phase": // such as canary,devices:1,min:100,soak:1h,manual
		err = o.addPhase(value)
	case "abort": // such as no_answer,above:10,sample:3
		err = o.addAbort(value)
	case "catch-up":
		number(&o.catchUp.Rounds)
	case "deltas": // such as old,older
		o.deltas = strings.Split(value, ",")
	case "no-full":
		o.noFull = true
	case "only":
		o.noFull, o.only = true, true
	case "ask": // such as 1,3
		o.ask = map[int]bool{}
		err = parts(value, func(key, _ string, _ float64) error {
			n, err := strconv.Atoi(key)
			o.ask[n] = true
			return err
		})
	case "on": // such as 1:old,2:older
		o.on = map[int]string{}
		err = parts(value, func(key, value string, _ float64) error {
			n, err := strconv.Atoi(key)
			o.on[n] = value
			return err
		})
	case "wait":
		span(&o.catchUp.Wait)
	default:
		err = fmt.Errorf("no such option")
	}
	return err
}

// parts calls f for each "key:value" of a list with commas.
func parts(list string, f func(key, value string, n float64) error) error {
	for part := range strings.SplitSeq(list, ",") {
		key, value, _ := strings.Cut(part, ":")
		n, _ := strconv.ParseFloat(value, 64)
		if err := f(key, value, n); err != nil {
			return err
		}
	}
	return nil
}

func (o *worldOptions) addPhase(text string) error {
	var p fleet.Phase
	err := parts(text, func(key, value string, n float64) (err error) {
		switch key {
		case "devices":
			p.Devices = int(n)
		case "percent":
			p.Percent = n
		case "min":
			p.Promotion.MinVerifiedPercent = n
		case "soak":
			p.Promotion.Soak, err = time.ParseDuration(value)
		case "manual":
			p.Promotion.Manual = true
		default:
			p.Name = key
		}
		return err
	})
	o.phases = append(o.phases, p)
	return err
}

func (o *worldOptions) addAbort(text string) error {
	var r fleet.AbortRule
	err := parts(text, func(key, _ string, n float64) (err error) {
		switch key {
		case "above":
			r.AbovePercent = n
		case "sample":
			r.MinSample = int(n)
		default:
			r.Kind, err = fleet.ParseAbortKind(key)
		}
		return err
	})
	o.abort = append(o.abort, r)
	return err
}

// newWorld makes the specification that Plan would make for such a fleet, with round
// numbers: fragments of 10 bytes, one that lacks 3.
func newWorld(o worldOptions) world {
	const fragSize, padding = 10, 3
	size := o.frag*fragSize - padding
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i)
	}
	w := world{spec: campaign.Spec{
		ID: "story", Type: o.typ, Threshold: o.threshold, MaxDuration: o.last, NextChance: o.nextChance, Policy: o.policy.WithDefaults(),
		Schedule: o.schedule, Phases: o.phases, Abort: o.abort, CatchUp: o.catchUp,
	}}
	w.material = campaign.Material{
		RootKeys: map[lorawan.EUI64]campaign.RootKey{}, McKeys: map[lorawan.EUI64]lorawan.AES128Key{},
		Payloads: map[string][]byte{"block": payload},
	}
	if o.only {
		w.spec.Delta = fleet.DeltaOnly
	}
	if o.typ == fleet.FOTACampaign {
		w.spec.Firmware, w.spec.ImageSize = fleet.DottedFirmware(targetFirmware), size
	}
	if o.session != 0 {
		w.spec.SessionStart = base.Add(o.session)
	}
	if o.reboot != 0 {
		w.spec.RebootAt = base.Add(o.reboot)
	}
	for _, v := range []lorawan.Version{lorawan.V1, lorawan.V2} {
		t := campaign.Traits{
			Packages:    fleet.Packages{ClockSync: v, McSetup: v, Fragmentation: v, FirmwareMgmt: lorawan.V1},
			StatusStyle: o.style, RebootsItself: o.rebootsItself, UplinkPeriod: o.period, TimeTolerance: 10 * time.Second,
		}
		if o.rc1 {
			t.FirmwareDialect = fleet.TS006RC1
		}
		if o.noClock {
			t.Packages.ClockSync = 0
		}
		if o.multi {
			t.Packages.MultiPackage = lorawan.V1
		}
		if o.noFirmware {
			t.Packages.FirmwareMgmt = 0
		}
		w.spec.Traits = append(w.spec.Traits, t)
	}
	type place struct {
		group, traits int
		base          string
	}
	lanes := make(map[place]int)
	for g := range o.groups {
		gs := campaign.GroupSpec{
			DevEUI: groupEUI(g + 1), McAddr: lorawan.DevAddr{0xff, 0, 0, byte(g + 1)}, Class: o.class, Band: region.EU868,
			Frequency: 869525000, DataRate: 3, Periodicity: 1, FirstFCnt: 100, FrameInterval: o.interval,
		}
		w.material.McKeys[gs.DevEUI] = lorawan.AES128Key{byte(g + 1)}
		w.spec.Groups = append(w.spec.Groups, gs)
		index := uint8(0)
		for t, v := range []lorawan.Version{lorawan.V1, lorawan.V2} {
			if t == 0 && o.v2 == o.devices || t == 1 && o.v2 == 0 {
				continue
			}
			for k, base := range append(o.deltas, "") {
				l := campaign.Lane{
					Group: g, FragIndex: index, Version: v, Payload: "block", Size: size,
					FragSize: fragSize, NbFrag: uint16(o.frag), Padding: padding, Redundancy: o.redundancy,
					FPort: 201, Descriptor: [4]byte{1, 2, 3, 4}, BlockAckDelay: campaign.BlockAckDelay(o.devices),
				}
				if base != "" {
					l.Base, l.NbFrag = fleet.DottedFirmware(firmwares[base]), uint16(5*(k+1))
					l.Payload, l.Size = base, int(l.NbFrag)*fragSize-padding
					w.material.Payloads[base] = payload[:l.Size]
				} else if o.noFull {
					continue
				}
				switch o.redundancy {
				case fleet.FixedRedundancy:
					l.Coded = o.coded
				case fleet.AdaptiveRedundancy:
					l.MaxCoded = o.maxCoded
				}
				lanes[place{g, t, base}] = len(w.spec.Lanes)
				w.spec.Lanes = append(w.spec.Lanes, l)
				index++
			}
		}
	}
	for i := range o.devices {
		t := 0
		if i >= o.devices-o.v2 {
			t = 1
		}
		base := o.on[i+1]
		if o.noFull && base == "" {
			base = o.deltas[0]
		}
		m := campaign.Member{DevEUI: devEUI(i + 1), Lane: lanes[place{i % o.groups, t, base}], Traits: t, Ask: o.ask[i+1], SessionCnts: [4]uint16{o.cnt, o.cnt, o.cnt, o.cnt}}
		for m.Wave < len(o.phases) && i >= campaign.PhaseEnd(o.phases[m.Wave], o.devices) {
			m.Wave++ // in the order of their names, where Plan shuffles
		}
		w.spec.Devices = append(w.spec.Devices, m)
		key := campaign.RootKey{Key: lorawan.AES128Key{byte(i), byte(i >> 8), 1}}
		if o.v11 {
			key.Version = fleet.LoRaWAN11
		}
		w.material.RootKeys[m.DevEUI] = key
	}
	return w
}
