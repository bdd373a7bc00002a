package sim

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan/region"
)

// A class C session costs all of its time; a request that comes later replaces it.
func TestSessionsCostTheirTime(t *testing.T) {
	at := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	m := NewMeter(device.Config{Band: region.EU868, Start: at})
	before := m.Read()
	m.open(at, told{start: at.Add(time.Hour)}, 1024*time.Second)
	m.open(at, told{start: at.Add(2 * time.Hour)}, 512*time.Second)
	if got := m.Read().Receive - before.Receive; got != 512*time.Second {
		t.Errorf("of two requests the later costs %s", got)
	}
	if !m.inClassC(at.Add(2*time.Hour)) || m.inClassC(at.Add(time.Hour)) || m.inClassC(at.Add(3*time.Hour)) {
		t.Error("it is in class C at the wrong time")
	}
	m.closeSessions(at.Add(2*time.Hour + 100*time.Second))
	if got := m.Read().Receive - before.Receive; got != 100*time.Second {
		t.Errorf("a session that was closed costs %s", got)
	}
	m.open(at.Add(time.Hour), told{start: at}, time.Hour)
	if got := m.Read().Receive - before.Receive; got != 100*time.Second {
		t.Errorf("one that is past costs %s", got)
	}
	m.open(at.Add(3*time.Hour), told{start: at.Add(4 * time.Hour), listening: Listening{ClassB: true, Band: region.EU868, DR: 3}}, 256*time.Second)
	if got, want := m.Read().Receive-before.Receive, 100*time.Second+2*(beaconReceived+128*32768*time.Microsecond); got != want {
		t.Errorf("class B costs %s, want %s", got, want)
	}
}
