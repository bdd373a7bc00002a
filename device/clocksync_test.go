package device_test

import (
	"math"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
)

// wrongClock is a device whose clock is off.
func wrongClock(t *testing.T, offset time.Duration, ppm float64) *server {
	cfg := config()
	cfg.ClockOffset, cfg.ClockDriftPPM = offset, ppm
	return serve(t, cfg)
}

// timeRequests waits and returns the AppTimeReq that came.
func (s *server) timeRequests(wait time.Duration) (all []clocksync.AppTimeReq) {
	s.t.Helper()
	s.advance(wait)
	for _, c := range s.parsed(lorawan.ClockSync, clocksync.NextUplink) {
		req, ok := c.(clocksync.AppTimeReq)
		if !ok {
			s.t.Fatalf("%v, want AppTimeReq", c)
		}
		all = append(all, req)
	}
	return all
}

// syncTime answers the first AppTimeReq.
func (s *server) syncTime() {
	s.t.Helper()
	s.advance(61 * time.Second)
	for _, u := range s.heard {
		if u.fport != 202 {
			continue
		}
		cmds, err := clocksync.ParseUplink(lorawan.V2, u.payload)
		if err != nil {
			s.t.Fatal(err)
		}
		ans, ok := clocksync.Answer(cmds[0].(clocksync.AppTimeReq), u.at, 0)
		if !ok {
			s.t.Fatal("the first AppTimeReq does not require an answer")
		}
		s.send(lorawan.ClockSync, ans)
	}
	s.heard = nil
}

func TestClockIsWrongUntilTheServerCorrectsIt(t *testing.T) {
	s := wrongClock(t, -90*time.Minute, 0)
	if e := s.dev.Status().ClockError; e != -90*time.Minute {
		t.Fatalf("clock error %s at start", e)
	}
	s.syncTime()
	if e := s.dev.Status().ClockError; e.Abs() > time.Second {
		t.Errorf("clock error %s after AppTimeAns", e)
	}
}

func TestClockDriftsAway(t *testing.T) {
	s := wrongClock(t, 0, 20)
	s.syncTime()
	s.advance(24 * time.Hour)
	got := s.dev.Status().ClockError
	if want := 1728 * time.Millisecond; (got - want).Abs() > time.Second {
		t.Errorf("20 ppm for a day: clock error %s, want about %s", got, want)
	}
}

func TestFirstTimeRequestIsRepeatedEverMoreRarely(t *testing.T) {
	s := wrongClock(t, 0, 0)
	reqs := s.timeRequests(time.Minute + 3*128*time.Second)
	if len(reqs) != 3 {
		t.Fatalf("%d requests in the first minutes, want 3", len(reqs))
	}
	for _, r := range reqs {
		if !r.AnsRequired || r.TokenReq != 0 {
			t.Errorf("%v, want AnsRequired and token 0: nobody answered", r)
		}
	}
}

func TestTimeAnswerWithAnotherTokenIsIgnored(t *testing.T) {
	s := wrongClock(t, 0, 0)
	s.timeRequests(time.Minute)
	s.send(lorawan.ClockSync, clocksync.AppTimeAns{TimeCorrection: 1000, TokenAns: 1})
	if e := s.dev.Status().ClockError; e != 0 {
		t.Fatalf("clock error %s after an answer with a wrong token", e)
	}
	s.send(lorawan.ClockSync, clocksync.AppTimeAns{TimeCorrection: 1000, TokenAns: 0})
	s.send(lorawan.ClockSync, clocksync.AppTimeAns{TimeCorrection: 1000, TokenAns: 0})
	if e := s.dev.Status().ClockError; e != 1000*time.Second {
		t.Errorf("clock error %s, want 1000s: the second copy has an old token", e)
	}
}

func TestForcedResyncSendsAsManyRequestsAsAsked(t *testing.T) {
	for _, tt := range []struct {
		nb   uint8
		want int
	}{{0, 0}, {1, 1}, {3, 3}, {7, 7}} {
		s := wrongClock(t, 0, 0)
		s.syncTime()
		s.send(lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: tt.nb})
		reqs := s.timeRequests(5 * time.Minute)
		if len(reqs) != tt.want {
			t.Errorf("NbTransmissions %d: %d requests, want %d", tt.nb, len(reqs), tt.want)
		}
		for _, r := range reqs {
			if r.TokenReq != 1 {
				t.Errorf("token %d after one processed answer", r.TokenReq)
			}
		}
	}
}

func TestPeriodicityIsKept(t *testing.T) {
	s := wrongClock(t, 0, 0)
	s.syncTime()
	ans := answer[clocksync.DeviceAppTimePeriodicityAns](s, lorawan.ClockSync, clocksync.NextUplink,
		clocksync.DeviceAppTimePeriodicityReq{Period: 3})
	if ans.NotSupported {
		t.Fatal("not supported")
	}
	if n := len(s.timeRequests(10 * 1024 * time.Second)); n < 9 || n > 11 {
		t.Errorf("%d requests in 10 intervals", n)
	}
}

func TestPeriodicityIsRefusedByLoRaMac(t *testing.T) {
	cfg := config()
	cfg.Stack = device.LoRaMacStock
	s := serve(t, cfg)
	s.syncTime()
	ans := answer[clocksync.DeviceAppTimePeriodicityAns](s, lorawan.ClockSync, clocksync.NextUplink,
		clocksync.DeviceAppTimePeriodicityReq{Period: 0})
	if !ans.NotSupported {
		t.Error("supported")
	}
	if n := len(s.timeRequests(time.Hour)); n != 0 {
		t.Errorf("%d requests in an hour", n)
	}
}

func TestClampedCorrectionIsAskedForAgainInVersion2(t *testing.T) {
	for _, tt := range []struct {
		v    lorawan.Version
		want int
	}{{lorawan.V1, 0}, {lorawan.V2, 1}} {
		cfg := config()
		cfg.Packages.ClockSync = tt.v
		s := serve(t, cfg)
		s.timeRequests(time.Minute)
		s.send(lorawan.ClockSync, clocksync.AppTimeAns{TimeCorrection: math.MaxInt32})
		if n := len(s.timeRequests(time.Minute)); n != tt.want {
			t.Errorf("version %s: %d requests, want %d", tt.v, n, tt.want)
		}
	}
}

func TestDeviceTimeIsTakenAtTransmission(t *testing.T) {
	s := wrongClock(t, 0, 0)
	s.advance(time.Minute)
	for _, u := range s.heard {
		req, err := clocksync.ParseUplink(lorawan.V2, u.payload)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := req[0].(clocksync.AppTimeReq).DeviceTime, lorawan.GPSSeconds32(u.at); got != want {
			t.Errorf("DeviceTime %d in a frame sent at %d", got, want)
		}
	}
	if len(s.heard) == 0 {
		t.Error("no AppTimeReq in the first minute")
	}
}

func TestAnswerEndsAForcedResync(t *testing.T) {
	s := wrongClock(t, 0, 0)
	s.syncTime()
	s.send(lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: 7})
	first := s.timeRequests(10 * time.Second)
	if len(first) != 1 {
		t.Fatal(first)
	}
	s.send(lorawan.ClockSync, clocksync.AppTimeAns{TokenAns: first[0].TokenReq})
	if more := s.timeRequests(25 * time.Hour); len(more) != 1 || more[0].AnsRequired {
		t.Errorf("%v, want the daily one, which requires no answer", more)
	}
}
