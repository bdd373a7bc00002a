package device_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

func TestGroupIsUsableAfterSetup(t *testing.T) {
	for _, lw11 := range []bool{false, true} {
		s := quiet(t, func(c *device.Config) { c.LoRaWAN11 = lw11 })
		kek := multicast.McKEKey(multicast.McRootKey10(rootKey))
		if lw11 {
			kek = multicast.McKEKey(multicast.McRootKey11(rootKey))
		}
		answer[multicast.McGroupSetupAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McGroupSetupReq{
			McAddr: mcAddr, McKeyEncrypted: multicast.WrapMcKey(kek, mcKey), MaxMcFCnt: 10,
		})
		before := s.dev.Status()
		s.multicast(fragmentation.FragSessionStatusReq{Participants: true})
		after := s.dev.Status()
		if after.Downlinks != before.Downlinks+1 || after.Rejected != 0 {
			t.Errorf("LoRaWAN 1.1 %t: %d frames accepted, %d rejected", lw11, after.Downlinks-before.Downlinks, after.Rejected)
		}
	}
}

func TestWrongRootKeyShowsOnlyAsFramesThatAreNotDecrypted(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.RootKey[3] ^= 1 })
	s.setUpGroup(0) // answers that all is well
	_, ans := s.setUpTransfer(someBlock(100), 10, nil)
	if ans.Refused() {
		t.Fatalf("%v", ans)
	}
	s.multicast(fragmentation.DataFragment{N: 1, Data: make([]byte, 10)})
	if st := s.dev.Status(); st.FragmentsHeard != 0 || st.Rejected != 1 {
		t.Errorf("%d fragments heard, %d frames rejected; want 0 and 1", st.FragmentsHeard, st.Rejected)
	}
}

func TestMulticastCounterMustBeInItsWindowAndRise(t *testing.T) {
	s := quiet(t, nil)
	kek := multicast.McKEKey(multicast.McRootKey10(rootKey))
	const low, high = 0x0001fff0, 0x00020010 // the upper half of the counter changes in between
	setup := multicast.McGroupSetupReq{
		McAddr: mcAddr, McKeyEncrypted: multicast.WrapMcKey(kek, mcKey), MinMcFCnt: low, MaxMcFCnt: high,
	}
	answer[multicast.McGroupSetupAns](s, lorawan.McSetup, multicast.NextUplink, setup)
	for _, tt := range []struct {
		fcnt     uint32
		accepted bool
		why      string
	}{
		{low - 1, false, "below minMcFCnt"},
		{low, true, "minMcFCnt"},
		{low, false, "replayed"},
		{0x00020001, true, "over the 16 bits of the air"},
		{0x0001ffff, false, "older than the last"},
		{high - 1, true, "the last of the window"},
		{high, false, "maxMcFCnt"},
		{low + 1, false, "replayed from the start"},
	} {
		before := s.dev.Status().Downlinks
		s.mcFCnt = tt.fcnt
		s.multicast(fragmentation.FragSessionStatusReq{})
		if got := s.dev.Status().Downlinks > before; got != tt.accepted {
			t.Errorf("counter %#x, %s: accepted %t", tt.fcnt, tt.why, got)
		}
	}
	// The setup comes again, because its answer was lost: no counter is taken twice.
	answer[multicast.McGroupSetupAns](s, lorawan.McSetup, multicast.NextUplink, setup)
	before := s.dev.Status().Downlinks
	s.mcFCnt = low
	s.multicast(fragmentation.FragSessionStatusReq{})
	if s.dev.Status().Downlinks != before {
		t.Error("a repeated setup opened the door to replays")
	}
}

func TestGroupNumbersBeyondTheStackAreRefused(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack.Groups = 2 })
	for id, refused := range []bool{false, false, true, true} {
		ans := answer[multicast.McGroupSetupAns](s, lorawan.McSetup, multicast.NextUplink,
			multicast.McGroupSetupReq{McGroupID: uint8(id), McAddr: mcAddr})
		if ans.IDError != refused || int(ans.McGroupID) != id {
			t.Errorf("group %d: %v", id, ans)
		}
	}
}

func TestGroupStatusListsWhatExistsAndFits(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	s.setUpGroup(3)
	ask := func(s *server, mask uint8) multicast.McGroupStatusAns {
		return answer[multicast.McGroupStatusAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McGroupStatusReq{ReqGroupMask: mask})
	}
	if a := ask(s, 0b1111); a.AnsGroupMask != 0b1001 || a.NbTotalGroups != 2 || a.Groups[1].McAddr != mcAddr {
		t.Errorf("all: %v", a)
	}
	if a := ask(s, 0b0110); a.AnsGroupMask != 0 || a.NbTotalGroups != 2 {
		t.Errorf("those that do not exist: %v", a)
	}

	// 11 bytes of payload in US915 DR0: one record of five bytes and then no second.
	s = quiet(t, func(c *device.Config) { c.Band, c.UplinkDR = region.US915, 0 })
	s.setUpGroup(1)
	s.setUpGroup(2)
	if a := ask(s, 0b1111); a.AnsGroupMask != 0b0010 || a.NbTotalGroups != 2 {
		t.Errorf("in 11 bytes: %v", a)
	}
}

func TestDeletedGroupIsDeaf(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	del := func() multicast.McGroupDeleteAns {
		return answer[multicast.McGroupDeleteAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McGroupDeleteReq{})
	}
	if a := del(); a.McGroupUndefined {
		t.Errorf("first: %v", a)
	}
	if a := del(); !a.McGroupUndefined {
		t.Errorf("second: %v", a)
	}
	before := s.dev.Status()
	s.multicast(fragmentation.FragSessionStatusReq{})
	if after := s.dev.Status(); after.Downlinks != before.Downlinks || after.Rejected != before.Rejected {
		t.Error("a frame of the deleted group was looked at")
	}
}

func TestSessionRequestIsAnsweredWithEveryError(t *testing.T) {
	soon := lorawan.GPSSeconds32(start.Add(time.Hour))
	past := lorawan.GPSSeconds32(start.Add(-time.Hour))
	for _, tt := range []struct {
		name  string
		stack device.Stack
		req   multicast.McClassCSessionReq
		want  multicast.McClassCSessionAns // TimeToStart is checked elsewhere
	}{
		{"good", device.Ideal, multicast.McClassCSessionReq{SessionTime: soon, DLFrequency: 869525000, DR: 3}, multicast.McClassCSessionAns{}},
		{"no group", device.Ideal, multicast.McClassCSessionReq{McGroupID: 2, SessionTime: soon, DLFrequency: 869525000},
			multicast.McClassCSessionAns{McGroupID: 2, McGroupUndefined: true}},
		{"frequency", device.Ideal, multicast.McClassCSessionReq{SessionTime: soon, DLFrequency: 915000000},
			multicast.McClassCSessionAns{FreqError: true}},
		{"data rate", device.Ideal, multicast.McClassCSessionReq{SessionTime: soon, DLFrequency: 869525000, DR: 14},
			multicast.McClassCSessionAns{DRError: true}},
		{"past", device.Ideal, multicast.McClassCSessionReq{SessionTime: past, DLFrequency: 869525000},
			multicast.McClassCSessionAns{StartMissed: true}},
		{"past, LoRaMac-node", device.LoRaMacStock, multicast.McClassCSessionReq{SessionTime: past, DLFrequency: 869525000},
			multicast.McClassCSessionAns{McGroupUndefined: true}},
		{"all", device.Ideal, multicast.McClassCSessionReq{McGroupID: 1, SessionTime: past, DLFrequency: 433000000, DR: 15},
			multicast.McClassCSessionAns{McGroupID: 1, McGroupUndefined: true, DRError: true, FreqError: true, StartMissed: true}},
	} {
		s := quiet(t, func(c *device.Config) { c.Stack = tt.stack })
		s.setUpGroup(0)
		got := answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink, tt.req)
		got.TimeToStart = 0
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTimeToStartShowsAWrongClock(t *testing.T) {
	for _, offset := range []time.Duration{0, 40 * time.Second, -40 * time.Second} {
		s := quiet(t, func(c *device.Config) { c.ClockOffset = offset })
		s.setUpGroup(0)
		sessionStart := s.now.Add(10 * time.Minute)
		req := multicast.McClassCSessionReq{SessionTime: lorawan.GPSSeconds32(sessionStart), TimeOut: 8, DLFrequency: 869525000, DR: 3}
		s.heard = nil
		s.send(lorawan.McSetup, req)
		s.advance(20 * time.Second)
		sent := s.heard[0].at
		ans := s.parsed(lorawan.McSetup, multicast.NextUplink)[0].(multicast.McClassCSessionAns)
		believed := sent.Add(time.Duration(ans.TimeToStart) * time.Second)
		if want := sessionStart.Add(-offset); believed.Sub(want).Abs() > time.Second {
			t.Errorf("clock off by %s: the device believes in %s, want %s", offset, believed, want)
		}
	}
	s := quiet(t, func(c *device.Config) { c.ClockOffset = -20 * 365 * 24 * time.Hour })
	s.setUpGroup(0)
	ans := answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink,
		multicast.McClassCSessionReq{SessionTime: lorawan.GPSSeconds32(start.Add(time.Hour)), DLFrequency: 869525000})
	if ans.TimeToStart != multicast.TimeToStartMax {
		t.Errorf("a clock that was never set: %v", ans)
	}
}

func TestOnlyFragmentationCommandsMayBeMulticast(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	s.setUpTransfer(someBlock(100), 10, nil)
	for _, tt := range []struct {
		name    string
		fport   uint8
		payload []byte
		answers int
	}{
		{"PackageVersionReq of TS005", 200, []byte{0}, 0},
		{"PackageVersionReq of TS004", 201, []byte{0}, 0},
		{"FragSessionDeleteReq", 201, []byte{3, 0}, 0},
		{"DevVersionReq", 203, []byte{1}, 0},
		{"DevPackageReq", 225, []byte{1, 0}, 0},
		{"FragSessionStatusReq", 201, []byte{1, 1}, 1},
	} {
		s.heard = nil
		s.multicastBytes(tt.fport, tt.payload)
		s.advance(time.Minute)
		if len(s.heard) != tt.answers {
			t.Errorf("%s: %d answers, want %d", tt.name, len(s.heard), tt.answers)
		}
	}
}

func TestSessionOfAClassTheDeviceLacksIsNoCommandOfIts(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.ClassB = false })
	s.setUpGroup(0)
	at := lorawan.GPSSeconds32(lorawan.CeilBeacon(start.Add(time.Hour)))
	if got := s.answers(lorawan.McSetup, multicast.NextUplink, time.Minute,
		multicast.McClassBSessionReq{SessionTime: at, DLFrequency: 869525000}); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestOneSessionTimerServesOneGroup(t *testing.T) {
	for _, tt := range []struct {
		stack device.Stack
		want  int
	}{{device.Ideal, 2}, {device.LoRaMacStock, 1}} {
		s := quiet(t, func(c *device.Config) { c.Stack = tt.stack })
		for id := range uint8(2) {
			s.setUpGroup(id)
			answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McClassCSessionReq{
				McGroupID: id, SessionTime: lorawan.GPSSeconds32(start.Add(time.Hour)), DLFrequency: 869525000,
			})
		}
		if got := s.dev.Status().McSessions; got != tt.want {
			t.Errorf("%s: %d sessions, want %d", tt.stack.Name, got, tt.want)
		}
	}
}

func TestRepeatedGroupSetupKeepsTheSession(t *testing.T) {
	s, from := classCSession(t, nil)
	s.setUpGroup(0)
	if !s.dev.Hears(device.Transmission{Frequency: 869525000, DR: 3, Start: from, Airtime: airtime}) {
		t.Error("the session is gone")
	}
	s.send(lorawan.McSetup, multicast.McGroupSetupReq{McAddr: mcAddr, MaxMcFCnt: 10}) // another key: another group
	if s.dev.Hears(device.Transmission{Frequency: 869525000, DR: 3, Start: from, Airtime: airtime}) {
		t.Error("the session outlived its group")
	}
}
