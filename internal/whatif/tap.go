package whatif

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// tap is a simulated network that counts the fragments on their way. Its methods belong
// to the goroutine of whoever drives the network.
type tap struct {
	*simulated.Network
	version lorawan.Version
	port    uint8           // FPort of TS004
	byFCnt  map[uint16]int  // place of the fragment that a multicast counter carries
	waiting map[string]bool // frames with fragments that were not reported yet
	sent    int             // fragments that were on the air

	// Places count the fragments of one fragmentation session from 1 on. They are N, but for
	// a carousel, whose N begins again.
	place int
	worst int // the place at which the last device had the block, of those that have it
	past  int // worst of the sessions before, summed
}

func newTap(version lorawan.Version, port uint8) *tap {
	return &tap{version: version, port: port, byFCnt: map[uint16]int{}, waiting: map[string]bool{}}
}

// SendUnicast looks for the set-up of a new fragmentation session.
func (t *tap) SendUnicast(ctx context.Context, dev lorawan.EUI64, f network.Frame, flush bool) error {
	if t.place > 0 && f.FPort == t.port {
		commands, _ := fragmentation.ParseDownlink(t.version, f.Payload)
		for _, c := range commands {
			if _, ok := c.(fragmentation.FragSessionSetupReq); ok {
				t.past += t.worst
				t.place, t.worst = 0, 0
			}
		}
	}
	return t.Network.SendUnicast(ctx, dev, f, flush)
}

// SendMulticast notes the place of a fragment.
func (t *tap) SendMulticast(ctx context.Context, group lorawan.EUI64, f network.Frame) (uint32, bool, error) {
	fcnt, known, err := t.Network.SendMulticast(ctx, group, f)
	if err != nil {
		return fcnt, known, err
	}
	delete(t.byFCnt, uint16(fcnt))
	commands, _ := fragmentation.ParseDownlink(t.version, f.Payload)
	if len(commands) == 1 {
		if _, ok := commands[0].(fragmentation.DataFragment); ok {
			t.place++
			t.byFCnt[uint16(fcnt)], t.waiting[f.ID] = t.place, true
		}
	}
	return fcnt, known, nil
}

// Wait counts the fragments that were sent.
func (t *tap) Wait(ctx context.Context, until time.Time) ([]network.Event, error) {
	events, err := t.Network.Wait(ctx, until)
	for _, e := range events {
		if e.Kind == network.Sent && !e.Group.IsZero() && t.waiting[e.FrameID] {
			delete(t.waiting, e.FrameID)
			t.sent++
		}
	}
	return events, err
}

// completed notes that a device has the block with the fragment at a place.
func (t *tap) completed(place int) { t.worst = max(t.worst, place) }

// hindsight returns how many fragments would have been enough for the devices that got
// theirs, over all sessions.
func (t *tap) hindsight() int { return t.past + t.worst }

// fragment returns the place of the fragment in a multicast frame, 0 if it carries none.
func (t *tap) fragment(phy []byte) int { return t.byFCnt[binary.LittleEndian.Uint16(phy[6:8])] }

var (
	_ network.Adapter = (*tap)(nil)
	_ network.Source  = (*tap)(nil)
)
