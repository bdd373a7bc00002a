package device_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// twins are the same device twice: alone, and in a crowd.
type twins struct {
	cfg            device.Config
	alone, crowded *device.Device
	unicast        lorawan.Session
	down           uint32
	hears          float64 // share of multicast frames
	cnt            uint16
}

// story is a server that says all sorts of things to some twins, one of each pair in one crowd.
type story struct {
	t      *testing.T
	r      *rand.Rand
	now    time.Time
	twins  []*twins
	mc     lorawan.Session
	mcFCnt uint32
	blocks [][]byte // that the crowd knows
	block  int      // that is being sent
	next   int      // fragment
	index  uint8
	size   int
	strict bool // all devices check the MIC of blocks: fragments may be of no block, and of several

	completed, installed, wrongMIC int // comparisons in which a device was so
}

// TestADeviceInACrowdDoesWhatItWouldDoAlone plays random stories to devices of all stacks, versions
// and vices, and compares every frame, every wish to wake and every state with that of a twin
// that has the bytes.
func TestADeviceInACrowdDoesWhatItWouldDoAlone(t *testing.T) {
	var all story
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStory(t, seed)
			for range 400 {
				s.goOn()
			}
			all.completed, all.installed, all.wrongMIC = all.completed+s.completed, all.installed+s.installed, all.wrongMIC+s.wrongMIC
		})
	}
	if all.completed < 5000 || all.installed < 1000 || all.wrongMIC < 1000 {
		t.Errorf("complete blocks %d times, new images %d times, wrong MICs %d times: too little to show anything", all.completed, all.installed, all.wrongMIC)
	}
}

func newStory(t *testing.T, seed uint64) *story {
	r := rand.New(rand.NewPCG(seed, 7))
	pick := func(p float64) bool { return r.Float64() < p }
	s := &story{
		t: t, r: r, now: start, size: 40 + 8*r.IntN(2), strict: pick(0.3), block: r.IntN(2),
		mc: lorawan.NewSession(mcAddr, multicast.McNwkSKey(mcKey, mcAddr), multicast.McAppSKey(mcKey, mcAddr)),
	}
	n := s.size*(10+r.IntN(15)) - r.IntN(s.size)
	for i := range 2 {
		b := someBlock(n)
		b[n/2] ^= byte(i + 1)
		s.blocks = append(s.blocks, b)
	}
	crowd := device.NewCrowd()
	for _, b := range s.blocks {
		if err := crowd.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	stacks := []device.Stack{device.Ideal, device.LoRaMacStock, device.ActilityL476, device.ActilityWL55v1, device.ActilityWL55v2, device.LBM, device.Zephyr}
	for i := range 4 {
		cfg := config()
		cfg.DevEUI[7], cfg.DevAddr[3], cfg.Seed = byte(i), byte(i), r.Uint64()
		cfg.Stack = stacks[r.IntN(len(stacks))]
		cfg.Stack.Decoder.FragSize, cfg.Stack.Decoder.BlockSize = 0, 0
		if pick(0.3) {
			cfg.Stack.Decoder.MaxLost = 1 + r.IntN(3)
		}
		if !s.strict && pick(0.5) {
			cfg.Packages.ClockSync, cfg.Packages.McSetup, cfg.Packages.Fragmentation = lorawan.V1, lorawan.V1, lorawan.V1
		}
		cfg.UplinkPeriod, cfg.ClockOffset = 10*time.Minute, time.Duration(r.IntN(5))*time.Second
		cfg.Behaviour = device.Behaviour{
			Silent: pick(0.05), Duplicates: pick(0.1), RefusesSetup: pick(0.05), CorruptsImage: pick(0.1),
			FailsInstall: pick(0.1), WrongHardware: pick(0.05), ResetAfterFragments: r.IntN(2) * r.IntN(30),
		}
		if pick(0.3) {
			cfg.Install = device.InstallerFunc(func(block, running []byte) ([]byte, error) { return append(slices.Clone(running), block...), nil })
		}
		tw := &twins{cfg: cfg, alone: device.New(cfg), hears: 0.6 + 0.4*r.Float64(), unicast: lorawan.NewSession(cfg.DevAddr, cfg.NwkSKey, cfg.AppSKey)}
		cfg.Crowd = crowd
		tw.crowded = device.New(cfg)
		s.twins = append(s.twins, tw)
	}
	for _, tw := range s.twins {
		s.setUp(tw)
	}
	return s
}

// goOn is one step of the story.
func (s *story) goOn() {
	s.t.Helper()
	s.advance(time.Duration(1+s.r.IntN(20)) * time.Second)
	tw := s.twins[s.r.IntN(len(s.twins))]
	kind := s.r.IntN(100)
	switch {
	case kind < 80:
		s.fragment()
	case kind < 84:
		s.multicast(fragmentation.FragSessionStatusReq{FragIndex: s.index, Participants: s.r.IntN(2) == 0})
	case kind < 86:
		s.setUp(tw)
	case kind < 88:
		s.advance(time.Hour)
	case kind < 89:
		s.block, s.next = 1-s.block, 0 // another campaign
		for _, tw := range s.twins {
			s.setUpBlock(tw)
		}
	case kind < 90 && s.strict:
		s.block = 1 - s.block // fragments of two blocks in one session
	default:
		s.unicast(tw)
	}
}

// setUp makes the group and a session on a device.
func (s *story) setUp(tw *twins) {
	kek := multicast.McKEKey(multicast.McRootKey10(tw.cfg.RootKey))
	s.send(tw, lorawan.McSetup, multicast.McGroupSetupReq{
		McAddr: mcAddr, McKeyEncrypted: multicast.WrapMcKey(kek, mcKey), MinMcFCnt: uint32(s.r.IntN(3)), MaxMcFCnt: 1 << 20,
	})
	s.send(tw, lorawan.McSetup, multicast.McClassCSessionReq{
		SessionTime: lorawan.GPSSeconds32(s.now.Add(30 * time.Second)), TimeOut: 12, DLFrequency: 869525000, DR: 5,
	})
	s.setUpBlock(tw)
}

func (s *story) setUpBlock(tw *twins) {
	v := tw.cfg.Packages.Fragmentation
	block := s.blocks[s.block]
	nbFrag := (len(block) + s.size - 1) / s.size
	req := fragmentation.FragSessionSetupReq{
		FragIndex: s.index, McGroupBitMask: 1, NbFrag: uint16(nbFrag), FragSize: uint8(s.size), Padding: uint8(nbFrag*s.size - len(block)),
		BlockAckDelay: 1, Descriptor: [4]byte{byte(s.r.IntN(3))},
	}
	if v >= lorawan.V2 {
		tw.cnt++
		req.SessionCnt, req.AckReception = tw.cnt, s.r.IntN(2) == 0
		req.MIC = fragmentation.DataBlockMIC(fragmentation.DataBlockIntKey10(tw.cfg.RootKey), req.SessionCnt, req.FragIndex, req.Descriptor, block)
	}
	s.send(tw, lorawan.Fragmentation, req)
}

// fragment multicasts the next fragment, an earlier one, or nonsense.
func (s *story) fragment() {
	if s.next++; s.r.IntN(20) == 0 {
		s.next = 1 + s.r.IntN(s.next)
	}
	v := s.twins[0].cfg.Packages.Fragmentation // of the parity: who has the other one gets a wrong image
	enc, err := fec.NewEncoder(v, s.blocks[s.block], s.size)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.next > 3*enc.NbFrag() {
		s.next = 1
	}
	data, err := enc.Fragment(s.next, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	switch s.r.IntN(60) {
	case 0:
		data = data[1:]
	case 1:
		if s.strict {
			data[3] ^= 0x55
		}
	}
	if s.next > enc.NbFrag() && s.mixedVersions() {
		return // a wrong image without a MIC passes as one, and a crowd knows that it is none
	}
	s.multicast(fragmentation.DataFragment{FragIndex: s.index, N: uint16(s.next), Data: data})
}

func (s *story) mixedVersions() bool {
	return slices.ContainsFunc(s.twins, func(tw *twins) bool { return tw.cfg.Packages.Fragmentation != s.twins[0].cfg.Packages.Fragmentation })
}

func (s *story) unicast(tw *twins) {
	switch s.r.IntN(9) {
	case 0:
		s.send(tw, lorawan.Fragmentation, fragmentation.FragSessionStatusReq{FragIndex: s.index, Participants: true})
	case 1:
		s.send(tw, lorawan.Fragmentation, fragmentation.FragSessionDeleteReq{FragIndex: s.index})
	case 2:
		s.send(tw, lorawan.FirmwareMgmt, firmware.DevUpgradeImageReq{}, firmware.DevVersionReq{})
	case 3:
		s.send(tw, lorawan.FirmwareMgmt, firmware.DevRebootCountdownReq{Countdown: 1 + uint32(s.r.IntN(100))})
	case 4:
		s.send(tw, lorawan.FirmwareMgmt, firmware.DevDeleteImageReq{FirmwareToDeleteVersion: 1})
	case 5:
		s.send(tw, lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: 1})
	case 6:
		s.send(tw, lorawan.McSetup, multicast.McGroupStatusReq{ReqGroupMask: 15})
	case 7:
		if s.r.IntN(4) == 0 {
			s.send(tw, lorawan.McSetup, multicast.McGroupDeleteReq{})
		}
	case 8:
		garbage := make([]byte, 1+s.r.IntN(20))
		for i := range garbage {
			garbage[i] = byte(s.r.Uint32())
		}
		s.frame(garbage)
	}
}

func (s *story) send(tw *twins, id lorawan.PackageID, cmds ...lorawan.Command) {
	s.t.Helper()
	payload, err := lorawan.AppendAll(nil, tw.cfg.Packages.Of(id), cmds...)
	if err != nil {
		s.t.Fatal(err)
	}
	phy := tw.unicast.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: tw.down, FPort: tw.cfg.Ports.Of(id), FRMPayload: payload})
	tw.down++
	s.receive(tw, phy)
}

func (s *story) multicast(c lorawan.Command) {
	s.t.Helper()
	payload, err := c.Append(nil, s.twins[0].cfg.Packages.Fragmentation)
	if err != nil {
		s.t.Fatal(err)
	}
	s.frame(payload)
}

// frame multicasts a payload. Now and then a copy follows, as from another gateway.
func (s *story) frame(payload []byte) {
	phy := s.mc.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: s.mcFCnt, FPort: 201, FRMPayload: payload})
	s.mcFCnt++
	if s.r.IntN(50) == 0 {
		s.mcFCnt += 1 << 15 // the upper half of the counter
	}
	for range 1 + s.r.IntN(10)/9 {
		for _, tw := range s.twins {
			if s.r.Float64() < tw.hears {
				s.receive(tw, phy)
			}
		}
	}
}

func (s *story) receive(tw *twins, phy []byte) {
	s.t.Helper()
	if tx := (device.Transmission{Frequency: 869525000, DR: 5, Start: s.now.Add(-100 * time.Millisecond), Airtime: 100 * time.Millisecond}); tw.alone.Hears(tx) != tw.crowded.Hears(tx) {
		s.t.Fatalf("at %s %s hears, or does not", s.now, tw.cfg.Stack.Name)
	}
	tw.alone.Receive(s.now, bytes.Clone(phy))
	tw.crowded.Receive(s.now, phy)
	s.compare(tw)
}

// advance lets time pass.
func (s *story) advance(d time.Duration) {
	s.t.Helper()
	until := s.now.Add(d)
	for _, tw := range s.twins {
		for {
			next := tw.alone.NextWake()
			if next.IsZero() || next.After(until) {
				break
			}
			at := next
			if at.Before(s.now) {
				at = s.now
			}
			if a, b := tw.alone.Wake(at), tw.crowded.Wake(at); !reflect.DeepEqual(a, b) {
				s.t.Fatalf("at %s %s sends %x alone and %x in a crowd", at, tw.cfg.Stack.Name, a, b)
			}
			s.compare(tw)
		}
	}
	s.now = until
}

func (s *story) compare(tw *twins) {
	s.t.Helper()
	a, b := tw.alone.Status(), tw.crowded.Status()
	if a != b || tw.alone.NextWake() != tw.crowded.NextWake() {
		s.t.Fatalf("%s (%+v) alone is\n%+v, next %s\nin a crowd\n%+v, next %s", tw.cfg.Stack.Name, tw.cfg.Behaviour, a, tw.alone.NextWake(), b, tw.crowded.NextWake())
	}
	if x, y := tw.alone.RunningFirmware(), tw.crowded.RunningFirmware(); x != y || tw.alone.RunningImageSHA256() != tw.crowded.RunningImageSHA256() {
		s.t.Fatalf("%s runs %08x alone and %08x in a crowd", tw.cfg.Stack.Name, x, y)
	}
	x, _ := tw.alone.Image()
	if y, complete := tw.crowded.Image(); complete && !bytes.Equal(x, y) {
		s.t.Fatalf("%s has another image in a crowd", tw.cfg.Stack.Name)
	}
	if a.Complete {
		s.completed++
	}
	if a.MICError {
		s.wrongMIC++
	}
	if tw.alone.RunningFirmware() != tw.cfg.Firmware {
		s.installed++
	}
}

func TestABlockThatTheCrowdDoesNotKnowIsNoImage(t *testing.T) {
	known, unknown := someBlock(400), someBlock(380)
	for _, c := range []struct {
		block    []byte
		version  lorawan.Version
		image    bool
		micError bool
	}{
		{known, lorawan.V1, true, false}, {known, lorawan.V2, true, false}, {unknown, lorawan.V1, false, false}, {unknown, lorawan.V2, false, true},
	} {
		s := quiet(t, func(cfg *device.Config) {
			cfg.Packages.Fragmentation, cfg.Crowd = c.version, device.NewCrowd()
			if err := cfg.Crowd.Add(known); err != nil {
				t.Fatal(err)
			}
		})
		s.setUpGroup(0)
		x, _ := s.setUpTransfer(c.block, 40, nil)
		s.fragments(x, 1, x.enc.NbFrag()-1)
		if image, complete := s.dev.Image(); image != nil || complete {
			t.Errorf("%d bytes, version %d: an image before the end", len(c.block), c.version)
		}
		s.fragments(x, x.enc.NbFrag(), x.enc.NbFrag())
		image, complete := s.dev.Image()
		if complete != c.image || c.image && !bytes.Equal(image, c.block) {
			t.Errorf("%d bytes, version %d: complete %v, %d bytes", len(c.block), c.version, complete, len(image))
		}
		if st := s.dev.Status(); !st.Complete || st.MICError != c.micError || c.image != (st.ImageStatus == firmware.ImageValid) {
			t.Errorf("%d bytes, version %d: %+v", len(c.block), c.version, st)
		}
	}
}

func TestACrowdKnowsSoManyBlocks(t *testing.T) {
	c := device.NewCrowd()
	for i := range device.MaxCrowdBlocks {
		for range 2 { // the second time it is known
			if err := c.Add([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Add([]byte{255}); !errors.Is(err, device.ErrCrowd) {
		t.Errorf("one more: %v", err)
	}
}

// A crowd has keys inside, behind fields that package fmt would look into.
func TestACrowdPrintsNoKeys(t *testing.T) {
	cfg := config()
	cfg.Crowd = device.NewCrowd()
	s := serve(t, cfg)
	s.setUpGroup(0)
	for _, text := range []string{fmt.Sprint(cfg.Crowd), fmt.Sprintf("%+v", cfg.Crowd), fmt.Sprintf("%x", cfg.Crowd)} {
		if text != "crowd with 1 multicast groups and 0 blocks" || strings.Contains(text, "f0f1") {
			t.Errorf("it prints %q", text)
		}
	}
}
