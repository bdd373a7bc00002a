package device_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

// server plays the server and the network for one device, over real frames.
type server struct {
	t       testing.TB
	cfg     device.Config
	dev     *device.Device
	now     time.Time
	session lorawan.Session
	up      uint32 // next uplink counter
	down    uint32
	mc      lorawan.Session
	mcFCnt  uint32
	heard   []uplink
}

// uplink is a frame that the server opened.
type uplink struct {
	at        time.Time
	end       time.Time
	fport     uint8
	payload   []byte
	ack       bool
	frequency uint32
}

// Keys of the tests. Nothing depends on their values.
var (
	rootKey = lorawan.MustParseAES128Key("000102030405060708090a0b0c0d0e0f")
	mcKey   = lorawan.MustParseAES128Key("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
	mcAddr  = lorawan.MustParseDevAddr("01abcdef")
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// config is a well-behaved device of the newest versions, EU868, SF7, with no
// application uplinks.
func config() device.Config {
	return device.Config{
		DevEUI:  lorawan.MustParseEUI64("0004a30b001c0530"),
		DevAddr: lorawan.MustParseDevAddr("26011234"),
		NwkSKey: lorawan.MustParseAES128Key("11111111111111111111111111111111"),
		AppSKey: lorawan.MustParseAES128Key("22222222222222222222222222222222"),
		RootKey: rootKey,
		Band:    region.EU868, UplinkDR: 5, ClassB: true, ClassC: true,
		Packages: device.Packages{
			ClockSync: lorawan.V2, McSetup: lorawan.V2, Fragmentation: lorawan.V2,
			FirmwareMgmt: lorawan.V1, MultiPackage: lorawan.V1,
		},
		Firmware: 0x04030201, HWVersion: 7, FlashTime: 30 * time.Second,
		Start: start, Seed: 1,
	}
}

// serve switches a device on.
func serve(t testing.TB, cfg device.Config) *server {
	return &server{
		t: t, cfg: cfg, dev: device.New(cfg), now: cfg.Start,
		session: lorawan.NewSession(cfg.DevAddr, cfg.NwkSKey, cfg.AppSKey),
		mc:      lorawan.NewSession(mcAddr, multicast.McNwkSKey(mcKey, mcAddr), multicast.McAppSKey(mcKey, mcAddr)),
	}
}

// quiet is serve without clock synchronisation, for tests of anything else.
func quiet(t testing.TB, change func(*device.Config)) *server {
	cfg := config()
	cfg.Packages.ClockSync = 0
	if change != nil {
		change(&cfg)
	}
	return serve(t, cfg)
}

// advance lets time pass and opens every uplink.
func (s *server) advance(d time.Duration) {
	s.t.Helper()
	until := s.now.Add(d)
	for i := 0; ; i++ {
		next := s.dev.NextWake()
		if next.IsZero() || next.After(until) {
			break
		}
		if next.Before(s.now) {
			next = s.now
		}
		if i > 100000 {
			s.t.Fatalf("the device wakes again and again at %s", next)
		}
		s.now = next
		for _, up := range s.dev.Wake(s.now) {
			s.open(up)
		}
	}
	s.now = until
	for _, up := range s.dev.Wake(s.now) {
		s.open(up)
	}
}

func (s *server) open(up device.Uplink) {
	s.t.Helper()
	frame, err := s.session.Open(up.PHYPayload, s.up)
	if err != nil {
		s.t.Fatalf("uplink: %v", err)
	}
	if frame.Direction != lorawan.Uplink || frame.FCnt != s.up {
		s.t.Fatalf("uplink %+v, want counter %d", frame, s.up)
	}
	s.up++
	airtime, _ := s.cfg.Band.UplinkAirtime(up.DR, len(frame.FRMPayload))
	s.heard = append(s.heard, uplink{
		at: s.now, end: s.now.Add(airtime), fport: frame.FPort, payload: frame.FRMPayload, ack: frame.ACK, frequency: up.Frequency,
	})
}

// take returns what was heard on an FPort, and forgets all that was heard.
func (s *server) take(id lorawan.PackageID) (payloads [][]byte) {
	for _, u := range s.heard {
		if u.fport == s.cfg.Ports.Of(id) {
			payloads = append(payloads, u.payload)
		}
	}
	s.heard = nil
	return payloads
}

// send sends commands of one package in one unicast frame.
func (s *server) send(id lorawan.PackageID, cmds ...lorawan.Command) {
	s.t.Helper()
	payload, err := lorawan.AppendAll(nil, s.cfg.Packages.Of(id), cmds...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.sendBytes(s.cfg.Ports.Of(id), payload)
}

func (s *server) sendBytes(fport uint8, payload []byte) {
	s.dev.Receive(s.now, s.session.Seal(lorawan.DataFrame{
		Direction: lorawan.Downlink, FCnt: s.down, FPort: fport, FRMPayload: payload,
	}))
	s.down++
}

// multicast sends one command of TS004 to the group.
func (s *server) multicast(c lorawan.Command) {
	s.t.Helper()
	payload, err := c.Append(nil, s.cfg.Packages.Fragmentation)
	if err != nil {
		s.t.Fatal(err)
	}
	s.multicastBytes(s.cfg.Ports.Of(lorawan.Fragmentation), payload)
}

func (s *server) multicastBytes(fport uint8, payload []byte) {
	s.dev.Receive(s.now, s.mc.Seal(lorawan.DataFrame{
		Direction: lorawan.Downlink, FCnt: s.mcFCnt, FPort: fport, FRMPayload: payload,
	}))
	s.mcFCnt++
}

// nextParser is NextUplink of a package.
type nextParser func(lorawan.Version, []byte) (lorawan.Command, []byte, error)

// answers sends commands, waits, and returns the commands that come back.
func (s *server) answers(id lorawan.PackageID, next nextParser, wait time.Duration, cmds ...lorawan.Command) []lorawan.Command {
	s.t.Helper()
	s.heard = nil
	s.send(id, cmds...)
	s.advance(wait)
	return s.parsed(id, next)
}

func (s *server) parsed(id lorawan.PackageID, next nextParser) (all []lorawan.Command) {
	s.t.Helper()
	for _, b := range s.take(id) {
		for len(b) > 0 {
			c, rest, err := next(s.cfg.Packages.Of(id), b)
			if err != nil {
				s.t.Fatalf("%x: %v", b, err)
			}
			all, b = append(all, c), rest
		}
	}
	return all
}

// answer is answers for exactly one.
func answer[C lorawan.Command](s *server, id lorawan.PackageID, next nextParser, cmd lorawan.Command) C {
	s.t.Helper()
	all := s.answers(id, next, 20*time.Second, cmd)
	if len(all) != 1 {
		s.t.Fatalf("%v was answered with %v, want one answer", cmd, all)
	}
	c, ok := all[0].(C)
	if !ok {
		s.t.Fatalf("%v was answered with %v", cmd, all[0])
	}
	return c
}

// setUpGroup makes group id and checks that the device agrees.
func (s *server) setUpGroup(id uint8) {
	s.t.Helper()
	kek := multicast.McKEKey(multicast.McRootKey10(rootKey))
	ans := answer[multicast.McGroupSetupAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McGroupSetupReq{
		McGroupID: id, McAddr: mcAddr, McKeyEncrypted: multicast.WrapMcKey(kek, mcKey),
		MinMcFCnt: s.mcFCnt, MaxMcFCnt: s.mcFCnt + 10000,
	})
	if ans.IDError || ans.McGroupID != id {
		s.t.Fatalf("group %d: %v", id, ans)
	}
}

// transfer is a block on its way.
type transfer struct {
	block []byte
	setup fragmentation.FragSessionSetupReq
	enc   *fec.Encoder
}

// setUpTransfer opens a fragmentation session for group 0 and returns how the device answered.
func (s *server) setUpTransfer(block []byte, fragSize int, change func(*fragmentation.FragSessionSetupReq)) (transfer, fragmentation.FragSessionSetupAns) {
	s.t.Helper()
	v := s.cfg.Packages.Fragmentation
	enc, err := fec.NewEncoder(v, block, fragSize)
	if err != nil {
		s.t.Fatal(err)
	}
	setup := fragmentation.FragSessionSetupReq{
		McGroupBitMask: 1, NbFrag: uint16(enc.NbFrag()), FragSize: uint8(fragSize),
		Padding: uint8(enc.NbFrag()*fragSize - len(block)), Descriptor: [4]byte{2, 0, 0, 0},
	}
	if v >= lorawan.V2 {
		setup.SessionCnt = 1
	}
	if change != nil {
		change(&setup)
	}
	if v >= lorawan.V2 {
		key := fragmentation.DataBlockIntKey10(rootKey)
		setup.MIC = fragmentation.DataBlockMIC(key, setup.SessionCnt, setup.FragIndex, setup.Descriptor, block)
	}
	return transfer{block, setup, enc}, answer[fragmentation.FragSessionSetupAns](s, lorawan.Fragmentation, fragmentation.NextUplink, setup)
}

// fragments multicasts fragments from..to, but not those of skip, one a second.
func (s *server) fragments(x transfer, from, to int, skip ...int) {
	s.t.Helper()
	lost := make(map[int]bool)
	for _, n := range skip {
		lost[n] = true
	}
	for n := from; n <= to; n++ {
		data, err := x.enc.Fragment(n, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if !lost[n] {
			s.multicast(fragmentation.DataFragment{FragIndex: x.setup.FragIndex, N: uint16(n), Data: data})
		}
		s.advance(time.Second)
	}
}

// someBlock is n bytes that are not all alike.
func someBlock(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func mustEncoder(t testing.TB, block []byte, fragSize int) *fec.Encoder {
	t.Helper()
	enc, err := fec.NewEncoder(lorawan.V2, block, fragSize)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}
