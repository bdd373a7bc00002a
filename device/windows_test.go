package device_test

import (
	"crypto/aes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

const airtime = 200 * time.Millisecond

// firstUplink runs a device with application uplinks until its first one is out.
func firstUplink(t *testing.T, change func(*device.Config)) (*server, uplink) {
	t.Helper()
	s := quiet(t, func(c *device.Config) {
		c.UplinkPeriod = 10 * time.Minute
		if change != nil {
			change(c)
		}
	})
	for len(s.heard) == 0 {
		s.advance(time.Second)
	}
	return s, s.heard[0]
}

func TestClassAWindowsOpenAfterAnUplink(t *testing.T) {
	s, up := firstUplink(t, nil)
	const rx2 = 869525000
	for _, tt := range []struct {
		name      string
		after     time.Duration
		frequency uint32
		dr        uint8
		want      bool
	}{
		{"RX1", time.Second, up.frequency, 5, true},
		{"RX1, a little late", time.Second + 10*time.Millisecond, up.frequency, 5, true},
		{"RX1, much too late", time.Second + 100*time.Millisecond, up.frequency, 5, false},
		{"RX1, another data rate", time.Second, up.frequency, 0, false},
		{"RX1, another frequency", time.Second, rx2, 5, false},
		{"RX2", 2 * time.Second, rx2, 0, true},
		{"RX2, data rate of RX1", 2 * time.Second, rx2, 5, false},
		{"between the windows", 1500 * time.Millisecond, up.frequency, 5, false},
		{"after both", 3 * time.Second, rx2, 0, false},
	} {
		tx := device.Transmission{Frequency: tt.frequency, DR: tt.dr, Start: up.end.Add(tt.after), Airtime: airtime}
		if got := s.dev.Hears(tx); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestUS915UplinkIsAnsweredOnItsPairedChannel(t *testing.T) {
	s, up := firstUplink(t, func(c *device.Config) { c.Band, c.UplinkDR = region.US915, 3 })
	f, dr, ok := region.US915.RX1(up.frequency, 3, region.Options{})
	if !ok || !s.dev.Hears(device.Transmission{Frequency: f, DR: dr, Start: up.end.Add(time.Second), Airtime: airtime}) {
		t.Errorf("uplink on %d: deaf on %d DR%d", up.frequency, f, dr)
	}
}

// classC makes group 0 and a class C session from start+10 min for 256 s.
func classCSession(t *testing.T, change func(*device.Config)) (*server, time.Time) {
	t.Helper()
	s := quiet(t, change)
	s.setUpGroup(0)
	from := start.Add(10 * time.Minute)
	ans := answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McClassCSessionReq{
		SessionTime: lorawan.GPSSeconds32(from), TimeOut: 8, DLFrequency: 869525000, DR: 3,
	})
	if ans.Refused() {
		t.Fatal(ans)
	}
	return s, from
}

func TestClassCWindowIsOpenFromStartToTimeOut(t *testing.T) {
	for _, offset := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
		s, from := classCSession(t, func(c *device.Config) { c.ClockOffset = offset })
		from = from.Add(-offset) // by the device's own clock
		for _, tt := range []struct {
			name      string
			at        time.Duration
			frequency uint32
			dr        uint8
			want      bool
		}{
			{"before", -time.Millisecond, 869525000, 3, false},
			{"first moment", 0, 869525000, 3, true},
			{"middle", 100 * time.Second, 869525000, 3, true},
			{"other frequency", 100 * time.Second, 868100000, 3, false},
			{"other data rate", 100 * time.Second, 869525000, 0, false},
			{"last moment", 256*time.Second - time.Millisecond, 869525000, 3, true},
			{"after", 256 * time.Second, 869525000, 3, false},
		} {
			tx := device.Transmission{Frequency: tt.frequency, DR: tt.dr, Start: from.Add(tt.at), Airtime: airtime}
			if got := s.dev.Hears(tx); got != tt.want {
				t.Errorf("clock off by %s, %s: %t, want %t", offset, tt.name, got, tt.want)
			}
		}
	}
}

func TestDeviceIsDeafWhileItTransmits(t *testing.T) {
	s, from := classCSession(t, func(c *device.Config) { c.UplinkPeriod = 30 * time.Second })
	s.heard = nil
	s.advance(from.Add(time.Minute).Sub(s.now))
	up := s.heard[len(s.heard)-1]
	hears := func(at time.Time) bool {
		return s.dev.Hears(device.Transmission{Frequency: 869525000, DR: 3, Start: at, Airtime: airtime})
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"over before the uplink", up.at.Add(-airtime), true},
		{"running into the uplink", up.at.Add(-airtime / 2), false},
		{"during the uplink", up.at.Add(time.Millisecond), false},
		{"after it", up.end, true},
		{"over RX1", up.end.Add(time.Second - airtime/2), false},
		{"over RX2", up.end.Add(2*time.Second - airtime/2), false},
		{"long after", up.end.Add(4 * time.Second), true},
	} {
		if got := hears(tt.at); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestCorrectedClockMovesTheSession(t *testing.T) {
	cfg := config()
	cfg.ClockOffset = -time.Hour
	s := serve(t, cfg)
	s.advance(61 * time.Second)
	s.setUpGroup(0)
	from := start.Add(10 * time.Minute)
	answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McClassCSessionReq{
		SessionTime: lorawan.GPSSeconds32(from), TimeOut: 8, DLFrequency: 869525000, DR: 3,
	})
	tx := device.Transmission{Frequency: 869525000, DR: 3, Start: from.Add(2 * time.Second), Airtime: airtime}
	if s.dev.Hears(tx) {
		t.Fatal("a clock one hour slow opened the session in time")
	}
	s.sendBytes(202, []byte{0x01, 0x10, 0x0e, 0, 0, 0}) // 3600 s, token 0
	if !s.dev.Hears(tx) {
		t.Error("the correction did not move the session")
	}
}

func TestPingSlotsFollowTheFormula(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	beacon := lorawan.CeilBeacon(start)
	for periodicity := range uint8(8) {
		for _, at := range []time.Time{beacon, beacon.Add(77 * time.Second), beacon.Add(128*time.Second - 1)} {
			var in, rand [16]byte
			binary.LittleEndian.PutUint32(in[:], lorawan.GPSSeconds32(beacon))
			copy(in[4:], []byte{0xef, 0xcd, 0xab, 0x01}) // 01abcdef, little endian
			block.Encrypt(rand[:], in[:])
			nb := 128 >> periodicity
			period := 4096 / nb
			offset := (int(rand[0]) + 256*int(rand[1])) % period

			slots := device.PingSlots(mcAddr, at, periodicity)
			if len(slots) != nb {
				t.Fatalf("periodicity %d: %d slots, want %d", periodicity, len(slots), nb)
			}
			for i, slot := range slots {
				want := beacon.Add(2120*time.Millisecond + time.Duration(offset+i*period)*30*time.Millisecond)
				if !slot.Equal(want) {
					t.Errorf("periodicity %d, slot %d: %s, want %s", periodicity, i, slot, want)
				}
			}
		}
	}
	if device.PingSlots(mcAddr, beacon, 8) != nil || !device.NextPingSlot(mcAddr, beacon, 8).IsZero() {
		t.Error("periodicity 8 has slots")
	}
}

func TestNextPingSlotWalksThroughAllSlots(t *testing.T) {
	beacon := lorawan.CeilBeacon(start)
	for periodicity := range uint8(8) {
		at := beacon
		for period := range 3 {
			for i, want := range device.PingSlots(mcAddr, beacon.Add(time.Duration(period)*lorawan.BeaconPeriod), periodicity) {
				got := device.NextPingSlot(mcAddr, at, periodicity)
				if !got.Equal(want) {
					t.Fatalf("periodicity %d, slot %d of period %d: %s, want %s", periodicity, i, period, got, want)
				}
				if !device.NextPingSlot(mcAddr, got, periodicity).Equal(got) {
					t.Fatalf("the slot at %s is not its own next", got)
				}
				at = got.Add(1)
			}
		}
	}
}

// classBSession makes group 0 and a class B session of two beacon periods.
func classBSession(t *testing.T, frequency uint32, band region.Band, dr uint8, lead time.Duration) (*server, time.Time) {
	t.Helper()
	s := quiet(t, func(c *device.Config) { c.Band, c.UplinkDR = band, 3 })
	s.setUpGroup(0)
	from := lorawan.CeilBeacon(s.now.Add(lead))
	ans := answer[multicast.McClassBSessionAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McClassBSessionReq{
		SessionTime: lorawan.GPSSeconds32(from), TimeOut: 1, Periodicity: 4, DLFrequency: frequency, DR: dr,
	})
	if ans.Refused() {
		t.Fatal(ans)
	}
	return s, from
}

func TestClassBListensInItsPingSlots(t *testing.T) {
	for _, band := range []region.Band{region.EU868, region.US915} {
		frequency, dr := band.PingSlot()
		s, from := classBSession(t, frequency, band, dr, 10*time.Minute)
		hears := func(at time.Time) bool {
			return s.dev.Hears(device.Transmission{Frequency: band.PingSlotFrequency(mcAddr, at), DR: dr, Start: at, Airtime: airtime})
		}
		for period := range 4 {
			beacon := from.Add(time.Duration(period-1) * lorawan.BeaconPeriod)
			inside := period == 1 || period == 2
			for _, slot := range device.PingSlots(mcAddr, beacon, 4) {
				if hears(slot) != inside {
					t.Errorf("%s: slot of period %d heard: %t", band, period, !inside)
				}
				if hears(slot.Add(100 * time.Millisecond)) {
					t.Errorf("%s: heard beside a slot", band)
				}
				if s.dev.Hears(device.Transmission{Frequency: 1, DR: dr, Start: slot, Airtime: airtime}) {
					t.Errorf("%s: heard on another frequency", band)
				}
			}
		}
	}
}

func TestClassBNeedsTimeToFindTheBeacon(t *testing.T) {
	s, from := classBSession(t, 869525000, region.EU868, 3, 30*time.Second)
	heard := func(beacon time.Time) bool {
		slot := device.PingSlots(mcAddr, beacon, 4)[0]
		return s.dev.Hears(device.Transmission{Frequency: 869525000, DR: 3, Start: slot, Airtime: airtime})
	}
	if heard(from) {
		t.Error("a session that begins within two beacon periods was heard from its first slot")
	}
}

func TestUplinksRespectTheDutyCycle(t *testing.T) {
	s := quiet(t, func(c *device.Config) {
		c.UplinkDR = 0                   // SF12: more than a second each
		c.UplinkPeriod = 5 * time.Second // far too many
	})
	s.advance(6 * time.Hour)
	var last time.Duration
	for _, u := range s.heard {
		if u.at.After(start.Add(5 * time.Hour)) {
			last += u.end.Sub(u.at)
		}
	}
	if last > 36*time.Second+3*time.Second || last < 30*time.Second {
		t.Errorf("%s on the air in one hour of a 1 %% sub-band", last)
	}
}

func TestApplicationUplinksKeepTheirSchedule(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.UplinkPeriod, c.UplinkJitter = time.Hour, 5*time.Minute })
	s.advance(100 * time.Hour)
	if len(s.heard) != 100 {
		t.Fatalf("%d uplinks in 100 periods", len(s.heard))
	}
	phase := s.heard[0].at
	for i, u := range s.heard {
		if d := u.at.Sub(phase) - time.Duration(i)*time.Hour; d.Abs() > 10*time.Minute {
			t.Errorf("uplink %d strays by %s", i, d)
		}
		if u.fport != 10 {
			t.Errorf("uplink %d on FPort %d", i, u.fport)
		}
	}
}

func TestConfirmedDownlinkIsAcknowledgedOnce(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.UplinkPeriod = time.Minute })
	s.dev.Receive(s.now, s.session.Seal(lorawan.DataFrame{
		Direction: lorawan.Downlink, Confirmed: true, FCnt: 0, FPort: 99, FRMPayload: []byte{1},
	}))
	s.advance(3 * time.Minute)
	for i, u := range s.heard {
		if u.ack != (i == 0) {
			t.Errorf("uplink %d: ACK %t", i, u.ack)
		}
	}
}

func TestUnicastReplayIsRejected(t *testing.T) {
	s := quiet(t, nil)
	phy := s.session.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: 3, FPort: 203, FRMPayload: []byte{0}})
	s.dev.Receive(s.now, phy)
	s.dev.Receive(s.now, phy)
	s.advance(time.Minute)
	if st := s.dev.Status(); st.Downlinks != 1 || st.Rejected != 1 || len(s.heard) != 1 {
		t.Errorf("%d accepted, %d rejected, %d answers", st.Downlinks, st.Rejected, len(s.heard))
	}
}

func TestAnswersOfOneDownlinkShareAFrameIfTheyFit(t *testing.T) {
	for _, tt := range []struct {
		band region.Band
		dr   uint8
		want int
	}{{region.EU868, 0, 1}, {region.US915, 0, 2}} {
		s := quiet(t, func(c *device.Config) { c.Band, c.UplinkDR = tt.band, tt.dr })
		s.sendBytes(203, []byte{0x01, 0x00, 0x04}) // 9 + 3 + 2 bytes
		s.advance(5 * time.Minute)
		if got := len(s.heard); got != tt.want {
			t.Errorf("%s DR%d: %d frames, want %d", tt.band, tt.dr, got, tt.want)
		}
	}
}

func TestCN470LeavesTheFrequencyToTheNetwork(t *testing.T) {
	s, up := firstUplink(t, func(c *device.Config) { c.Band, c.UplinkDR = region.CN470, 3 })
	_, dr := region.CN470.RX2()
	tx := device.Transmission{Frequency: 505300000, DR: dr, Start: up.end.Add(2 * time.Second), Airtime: airtime}
	if up.frequency != 0 || !s.dev.Hears(tx) {
		t.Errorf("uplink on %d Hz, RX2 heard %t", up.frequency, s.dev.Hears(tx))
	}
}

func TestDwellTimeCanLeaveNoRoomForUplinks(t *testing.T) {
	s := quiet(t, func(c *device.Config) {
		c.Band, c.UplinkDR, c.UplinkPeriod = region.AS923, 0, time.Minute
		c.Options.DwellTime400ms = true
	})
	s.advance(time.Hour)
	if len(s.heard) != 0 {
		t.Errorf("%d uplinks at SF12 under a dwell time", len(s.heard))
	}
}

func TestClassCSessionLeavesNoPingSlots(t *testing.T) {
	s, from := classBSession(t, 869525000, region.EU868, 3, 10*time.Minute)
	slot := device.NextPingSlot(mcAddr, from, 4)
	tx := device.Transmission{Frequency: 869525000, DR: 3, Start: slot, Airtime: airtime}
	if !s.dev.Hears(tx) {
		t.Fatal("deaf in the ping slot")
	}
	s.setUpGroup(1)
	answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McClassCSessionReq{
		McGroupID: 1, SessionTime: lorawan.GPSSeconds32(from), TimeOut: 8, DLFrequency: 868300000, DR: 5,
	})
	if s.dev.Hears(tx) {
		t.Error("the radio is on two channels")
	}
}
