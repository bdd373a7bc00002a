package device_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

const frag = lorawan.Fragmentation

func TestBlockIsReceivedInSpiteOfLosses(t *testing.T) {
	for _, v := range []lorawan.Version{lorawan.V1, lorawan.V2} {
		s := quiet(t, func(c *device.Config) { c.Packages.Fragmentation = v })
		s.setUpGroup(0)
		block := someBlock(1003)
		x, ans := s.setUpTransfer(block, 40, nil)
		if ans.Refused() {
			t.Fatal(ans)
		}
		s.fragments(x, 1, 40, 2, 3, 11, 26, 30)
		got, complete := s.dev.Image()
		if !complete || !bytes.Equal(got, block) {
			t.Errorf("version %s: complete %t, right %t", v, complete, bytes.Equal(got, block))
		}
		if st := s.dev.Status(); st.MICError || !st.Complete || st.FragmentsNeeded != 0 {
			t.Errorf("version %s: %+v", v, st)
		}
	}
}

func TestBlockWithAWrongMICIsComplete(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(200), 20, nil)
	wrong := x.setup
	wrong.MIC[0] ^= 1
	answer[fragmentation.FragSessionSetupAns](s, frag, fragmentation.NextUplink, wrong)
	s.fragments(x, 1, 10)
	if st := s.dev.Status(); !st.Complete || !st.MICError {
		t.Errorf("%+v", st)
	}
	ans := answer[fragmentation.FragSessionStatusAns](s, frag, fragmentation.NextUplink,
		fragmentation.FragSessionStatusReq{Participants: true})
	if !ans.MICError || ans.MissingFrag != 0 {
		t.Error(ans)
	}
}

func TestSetupIsRefusedForAReason(t *testing.T) {
	base := fragmentation.FragSessionSetupReq{NbFrag: 20, FragSize: 50, SessionCnt: 1}
	with := func(change func(*fragmentation.FragSessionSetupReq)) fragmentation.FragSessionSetupReq {
		c := base
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name   string
		change func(*device.Config)
		req    fragmentation.FragSessionSetupReq
		want   fragmentation.FragSessionSetupAns
	}{
		{"good", nil, base, fragmentation.FragSessionSetupAns{}},
		{"good for LoRaMac-node", func(c *device.Config) { c.Stack = device.LoRaMacStock }, base, fragmentation.FragSessionSetupAns{}},
		{"algorithm", nil, with(func(c *fragmentation.FragSessionSetupReq) { c.FragAlgo = 1 }),
			fragmentation.FragSessionSetupAns{FragAlgoUnsupported: true}},
		{"too many fragments for LoRaMac-node", func(c *device.Config) { c.Stack = device.LoRaMacStock },
			with(func(c *fragmentation.FragSessionSetupReq) { c.NbFrag = 22 }),
			fragmentation.FragSessionSetupAns{NotEnoughMemory: true}},
		{"fragments too small for the WL55", func(c *device.Config) { c.Stack = device.ActilityWL55v1 },
			with(func(c *fragmentation.FragSessionSetupReq) { c.FragSize = 39 }),
			fragmentation.FragSessionSetupAns{NotEnoughMemory: true}},
		{"index", func(c *device.Config) { c.Stack.FragSessions = 1 },
			with(func(c *fragmentation.FragSessionSetupReq) { c.FragIndex = 3 }),
			fragmentation.FragSessionSetupAns{FragIndex: 3, FragIndexUnsupported: true}},
		{"padding is more than the block", nil,
			with(func(c *fragmentation.FragSessionSetupReq) { c.NbFrag, c.FragSize, c.Padding = 1, 10, 10 }),
			fragmentation.FragSessionSetupAns{NotEnoughMemory: true}},
		{"out of memory", func(c *device.Config) { c.Behaviour.RefusesSetup = true }, base,
			fragmentation.FragSessionSetupAns{NotEnoughMemory: true}},
	} {
		s := quiet(t, tt.change)
		if got := answer[fragmentation.FragSessionSetupAns](s, frag, fragmentation.NextUplink, tt.req); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestImpossibleSetupIsRefusedNotObeyed(t *testing.T) {
	s := quiet(t, nil)
	s.sendBytes(201, append([]byte{0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, make([]byte, 10)...)) // NbFrag 0
	s.advance(time.Minute)
	if got := s.parsed(frag, fragmentation.NextUplink); len(got) != 1 || !got[0].(fragmentation.FragSessionSetupAns).NotEnoughMemory {
		t.Error(got)
	}
}

func TestSessionCntIsUsedUpByTheFirstFragment(t *testing.T) {
	for _, tt := range []struct {
		stack  device.Stack
		reboot bool // does a reboot forget the counter?
	}{{device.Ideal, false}, {device.LBM, true}} {
		s := quiet(t, func(c *device.Config) { c.Stack = tt.stack })
		s.setUpGroup(0)
		block := someBlock(600)
		try := func(cnt uint16) (transfer, bool) {
			x, ans := s.setUpTransfer(block, 60, func(c *fragmentation.FragSessionSetupReq) { c.SessionCnt = cnt })
			return x, !ans.SessionCntReplay
		}
		x, ok := try(5)
		if _, again := try(5); !ok || !again {
			t.Errorf("%s: a setup that is repeated before any fragment is a replay", tt.stack.Name)
		}
		s.fragments(x, 1, 1)
		for _, cnt := range []uint16{5, 4, 0} {
			if _, ok := try(cnt); ok {
				t.Errorf("%s: SessionCnt %d accepted after 5 was used", tt.stack.Name, cnt)
			}
		}
		s.sendBytes(203, []byte{0x02, 0, 0, 0, 0}) // reboot now
		s.advance(time.Minute)
		if _, ok := try(5); ok != tt.reboot {
			t.Errorf("%s: SessionCnt 5 after a reboot: accepted %t", tt.stack.Name, ok)
		}
		if _, ok := try(6); !ok {
			t.Errorf("%s: SessionCnt 6 refused", tt.stack.Name)
		}
	}
}

func TestDeleteFreesTheSlot(t *testing.T) {
	s := quiet(t, nil)
	s.setUpTransfer(someBlock(100), 10, func(c *fragmentation.FragSessionSetupReq) { c.FragIndex = 2 })
	del := func() fragmentation.FragSessionDeleteAns {
		return answer[fragmentation.FragSessionDeleteAns](s, frag, fragmentation.NextUplink, fragmentation.FragSessionDeleteReq{FragIndex: 2})
	}
	if a := del(); a.SessionDoesNotExist || a.FragIndex != 2 {
		t.Errorf("first: %v", a)
	}
	if a := del(); !a.SessionDoesNotExist {
		t.Errorf("second: %v", a)
	}
}

func TestOtherIndexReplacesOrIsRefusedWhereThereIsOneDecoder(t *testing.T) {
	for _, tt := range []struct {
		stack   device.Stack
		refused bool
		deleted bool // is the first session gone?
	}{{device.Ideal, false, false}, {device.ActilityL476, false, true}, {device.Zephyr, true, false}} {
		s := quiet(t, func(c *device.Config) { c.Stack, c.Packages.Fragmentation = tt.stack, lorawan.V1 })
		s.setUpTransfer(someBlock(500), 50, nil)
		_, ans := s.setUpTransfer(someBlock(500), 50, func(c *fragmentation.FragSessionSetupReq) { c.FragIndex = 1 })
		if ans.FragIndexUnsupported != tt.refused {
			t.Errorf("%s: %v", tt.stack.Name, ans)
		}
		del := answer[fragmentation.FragSessionDeleteAns](s, frag, fragmentation.NextUplink, fragmentation.FragSessionDeleteReq{})
		if del.SessionDoesNotExist != tt.deleted {
			t.Errorf("%s: %v", tt.stack.Name, del)
		}
	}
}

func TestGroupMaskDecidesWhoFeedsASession(t *testing.T) {
	for _, tt := range []struct {
		stack device.Stack
		mask  uint8
		want  int
	}{{device.Ideal, 0b0001, 1}, {device.Ideal, 0b1110, 0}, {device.LoRaMacStock, 0b1110, 1}} {
		s := quiet(t, func(c *device.Config) { c.Stack = tt.stack })
		s.setUpGroup(0)
		x, _ := s.setUpTransfer(someBlock(100), 10, func(c *fragmentation.FragSessionSetupReq) { c.McGroupBitMask = tt.mask })
		s.fragments(x, 1, 1)
		if got := s.dev.Status().FragmentsHeard; got != tt.want {
			t.Errorf("%s, mask %04b: %d fragments heard, want %d", tt.stack.Name, tt.mask, got, tt.want)
		}
		data, _ := x.enc.Fragment(2, nil)
		s.send(frag, fragmentation.DataFragment{N: 2, Data: data})
		if got := s.dev.Status().FragmentsHeard; got != tt.want+1 {
			t.Errorf("%s, mask %04b: a unicast fragment was not taken", tt.stack.Name, tt.mask)
		}
	}
}

func TestParticipantsDecidesWhoAnswers(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(100), 10, nil)
	ask := func(participants bool) int {
		s.heard = nil
		s.multicast(fragmentation.FragSessionStatusReq{Participants: participants})
		s.advance(time.Minute)
		return len(s.heard)
	}
	if all, missing := ask(true), ask(false); all != 1 || missing != 1 {
		t.Errorf("incomplete: %d and %d answers, want 1 and 1", all, missing)
	}
	s.fragments(x, 1, 10)
	if all, missing := ask(true), ask(false); all != 1 || missing != 0 {
		t.Errorf("complete: %d and %d answers, want 1 and 0", all, missing)
	}
}

func TestStatusAnswersAreSpreadOverBlockAckDelay(t *testing.T) {
	var earliest, latest time.Duration = time.Hour, 0
	for seed := range uint64(60) {
		s := quiet(t, func(c *device.Config) { c.Seed = seed })
		s.setUpGroup(0)
		s.setUpTransfer(someBlock(100), 10, func(c *fragmentation.FragSessionSetupReq) { c.BlockAckDelay = 4 })
		s.heard = nil
		asked := s.now
		s.multicast(fragmentation.FragSessionStatusReq{Participants: true})
		s.advance(time.Minute)
		s.multicast(fragmentation.FragSessionStatusReq{Participants: true}) // impatience brings no second answer
		s.advance(5 * time.Minute)
		if len(s.heard) == 0 || len(s.heard) > 2 {
			t.Fatalf("%d answers", len(s.heard))
		}
		d := s.heard[0].at.Sub(asked)
		earliest, latest = min(earliest, d), max(latest, d)
	}
	if span := fragmentation.AckDelay(4); earliest > span/8 || latest < span*3/4 || latest > span+4*time.Second {
		t.Errorf("answers between %s and %s after the request, BlockAckDelay is %s", earliest, latest, span)
	}
}

func TestStatusIsAnsweredInTheStyleOfTheStack(t *testing.T) {
	status := func(stack device.Stack, v lorawan.Version, to int, lost ...int) []byte {
		s := quiet(t, func(c *device.Config) { c.Stack, c.Packages.Fragmentation = stack, v })
		s.setUpGroup(0)
		x, ans := s.setUpTransfer(someBlock(1000), 50, nil)
		if ans.Refused() {
			t.Fatalf("%s: %v", stack.Name, ans)
		}
		s.fragments(x, 1, to, lost...)
		s.heard = nil
		s.send(frag, fragmentation.FragSessionStatusReq{Participants: true})
		s.advance(time.Minute)
		for _, u := range s.heard {
			if u.fport == 201 {
				return u.payload
			}
		}
		t.Fatalf("%s: no answer", stack.Name)
		return nil
	}
	still := func(stack device.Stack) device.Stack { // one that does not leave for a reboot
		stack.RebootsItself = false
		return stack
	}
	for _, tt := range []struct {
		name  string
		stack device.Stack
		v     lorawan.Version
		to    int
		lost  []int
		want  []byte
	}{
		{"spec v1, on the way", device.Ideal, lorawan.V1, 10, []int{3}, []byte{1, 9, 0, 11, 0}},
		{"spec v2, on the way", device.Ideal, lorawan.V2, 10, []int{3}, []byte{1, 0, 9, 0, 11}},
		{"spec v2, done", device.Ideal, lorawan.V2, 20, nil, []byte{1, 0, 20, 0, 0}},
		{"LoRaMac-node, lost 2, on the way", device.LoRaMacStock, lorawan.V1, 10, []int{3, 4}, []byte{1, 10, 0, 2, 0}},
		{"LBM, loss-free", device.LBM, lorawan.V2, 20, nil, []byte{1, 0, 20, 0, 1}},
		{"WL55 v2 has the order of v1", still(device.ActilityWL55v2), lorawan.V2, 10, []int{3}, []byte{1, 10, 0, 1, 0}},
		{"Zephyr", device.Zephyr, lorawan.V1, 10, []int{3}, []byte{1, 9, 0, 11, 0}},
		{"too many lost for LoRaMac-node", device.LoRaMacStock, lorawan.V1, 21, []int{1, 2, 3, 4, 5, 6}, []byte{1, 21, 0, 6, 1}},
	} {
		if got := status(tt.stack, tt.v, tt.to, tt.lost...); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: % x, want % x", tt.name, got, tt.want)
		}
	}
}

func TestStatusWithoutASession(t *testing.T) {
	for _, tt := range []struct {
		stack device.Stack
		v     lorawan.Version
		want  []byte
	}{
		{device.Ideal, lorawan.V1, nil},
		{device.Ideal, lorawan.V2, []byte{1, 4}},
		{device.LBM, lorawan.V2, []byte{1, 4, 0, 0, 0}},
	} {
		s := quiet(t, func(c *device.Config) { c.Stack, c.Packages.Fragmentation = tt.stack, tt.v })
		s.send(frag, fragmentation.FragSessionStatusReq{Participants: true})
		s.advance(time.Minute)
		var got []byte
		if p := s.take(frag); len(p) > 0 {
			got = p[0]
		}
		if !bytes.Equal(got, tt.want) {
			t.Errorf("%s, version %s: % x, want % x", tt.stack.Name, tt.v, got, tt.want)
		}
	}
}

func TestCompleteBlockIsAnnouncedUntilTheServerAnswers(t *testing.T) {
	for answered, want := range []int{3, 1, 2, 3, 3} { // answered after so many; 0: never
		s := quiet(t, nil)
		s.setUpGroup(0)
		x, _ := s.setUpTransfer(someBlock(100), 10, func(c *fragmentation.FragSessionSetupReq) { c.AckReception = true })
		s.heard = nil
		s.fragments(x, 1, 10)
		n := 0
		for range 600 {
			s.advance(time.Second)
			for _, c := range s.parsed(frag, fragmentation.NextUplink) {
				if req := c.(fragmentation.FragDataBlockReceivedReq); req.MICError || req.FragIndex != 0 {
					t.Error(req)
				}
				if n++; n == answered {
					s.send(frag, fragmentation.FragDataBlockReceivedAns{})
				}
			}
		}
		if n != want {
			t.Errorf("answer to announcement %d: %d were sent, want %d", answered, n, want)
		}
	}
}

func TestFragmentsAfterTheEndAreDropped(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(100), 10, nil)
	s.fragments(x, 1, 10)
	heard := s.dev.Status().FragmentsHeard
	x.enc = mustEncoder(t, bytes.Repeat([]byte{0xee}, 100), 10)
	s.fragments(x, 1, 20)
	if got, _ := s.dev.Image(); !bytes.Equal(got, x.block) || s.dev.Status().FragmentsHeard != heard {
		t.Error("a fragment after the end was taken")
	}
}

func TestV2SetupConfusesAV1Device(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Packages.Fragmentation = lorawan.V1 })
	payload, err := fragmentation.FragSessionSetupReq{NbFrag: 10, FragSize: 50, MIC: [4]byte{3, 1, 0, 0}}.Append(nil, lorawan.V2)
	if err != nil {
		t.Fatal(err)
	}
	s.sendBytes(201, payload)
	s.advance(time.Minute)
	got := s.parsed(frag, fragmentation.NextUplink)
	// The first 11 bytes are a setup. SessionCnt is then read as two PackageVersionReq, and the
	// MIC as FragSessionDeleteReq of index 1 and two more.
	want := []string{"FragSessionSetupAns", "PackageVersionAns", "PackageVersionAns",
		"FragSessionDeleteAns", "PackageVersionAns", "PackageVersionAns"}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i, name := range want {
		if got[i].Name() != name {
			t.Errorf("answer %d: %v, want %s", i, got[i], name)
		}
	}
}

func TestDataFragmentMustBeAlone(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	s.setUpTransfer(someBlock(100), 10, nil)
	s.multicastBytes(201, append([]byte{1, 1, 8, 1, 0}, make([]byte, 10)...))
	if n := s.dev.Status().FragmentsHeard; n != 0 {
		t.Errorf("%d fragments heard behind another command", n)
	}
}

func TestMICErrorIsSilentWhereMissingFragIsWrong(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack = device.LBM })
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(200), 20, nil)
	wrong := x.setup
	wrong.MIC[0] ^= 1
	answer[fragmentation.FragSessionSetupAns](s, frag, fragmentation.NextUplink, wrong)
	s.fragments(x, 1, 10)
	ans := answer[fragmentation.FragSessionStatusAns](s, frag, fragmentation.NextUplink,
		fragmentation.FragSessionStatusReq{Participants: true})
	if ans.MICError || ans.MissingFrag != 1 {
		t.Error(ans)
	}
}
