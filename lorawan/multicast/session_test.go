package multicast_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

func TestEveryErrorBitRefusesAndSuppressesTimeToStart(t *testing.T) {
	for _, v := range versions {
		for cid := byte(4); cid <= 5; cid++ {
			for bit := 2; bit < 8; bit++ {
				got, rest, err := multicast.NextUplink(v, []byte{cid, 1 << bit, 0x03, 0x00})
				if err != nil || len(rest) != 2 {
					t.Errorf("CID %d bit %d: %v, %d bytes left, %v; want the next command left", cid, bit, got, len(rest), err)
					continue
				}
				if !got.(interface{ Refused() bool }).Refused() {
					t.Errorf("CID %d bit %d: %v is not refused", cid, bit, got)
				}
			}
		}
	}
}

func TestBusyIsExactlyTheLoRaMacPattern(t *testing.T) {
	for status := range 256 {
		b := []byte{4, byte(status), 0, 0, 0}
		got, _, err := multicast.NextUplink(lorawan.V1, b)
		if err != nil {
			t.Fatal(err)
		}
		c := got.(multicast.McClassCSessionAns)
		if want := status&^3 == 0x1c; c.Busy() != want || multicast.McClassBSessionAns(c).Busy() != want {
			t.Errorf("status %#02x: busy %v, want %v", status, c.Busy(), want)
		}
	}
}

func TestTimeToStartChecksTheClockOfTheDevice(t *testing.T) {
	receivedAt := time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)
	const tolerance = 5 * time.Second
	for _, c := range []struct {
		name   string
		ans    multicast.McClassCSessionAns
		start  time.Time // the session, as asked for
		agrees bool
	}{
		{"exact", multicast.McClassCSessionAns{TimeToStart: 600}, receivedAt.Add(10 * time.Minute), true},
		{"at the tolerance, late", multicast.McClassCSessionAns{TimeToStart: 605}, receivedAt.Add(10 * time.Minute), true},
		{"at the tolerance, early", multicast.McClassCSessionAns{TimeToStart: 595}, receivedAt.Add(10 * time.Minute), true},
		{"beyond, late", multicast.McClassCSessionAns{TimeToStart: 606}, receivedAt.Add(10 * time.Minute), false},
		{"beyond, early", multicast.McClassCSessionAns{TimeToStart: 594}, receivedAt.Add(10 * time.Minute), false},
		{"starts now", multicast.McClassCSessionAns{}, receivedAt, true},
		{"start is past", multicast.McClassCSessionAns{}, receivedAt.Add(-10 * time.Second), false},
		{"clock unknown", multicast.McClassCSessionAns{TimeToStart: multicast.TimeToStartMax}, receivedAt.Add(multicast.TimeToStartMax * time.Second), false},
		{"refused", multicast.McClassCSessionAns{DRError: true}, receivedAt, false},
	} {
		sessionTime := lorawan.GPSSeconds32(c.start)
		if got := c.ans.ClockAgrees(receivedAt, sessionTime, tolerance); got != c.agrees {
			t.Errorf("%s: %v, want %v", c.name, got, c.agrees)
		}
		if got := multicast.McClassBSessionAns(c.ans).ClockAgrees(receivedAt, sessionTime, tolerance); got != c.agrees {
			t.Errorf("%s, class B: %v, want %v", c.name, got, c.agrees)
		}
	}
	at, ok := multicast.McClassBSessionAns{TimeToStart: 60}.StartsAt(receivedAt)
	if !ok || at.Sub(receivedAt) != time.Minute {
		t.Errorf("starts at %s, %v", at, ok)
	}
}
