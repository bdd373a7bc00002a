package whatif

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/region"
)

// tap is a simulated network that counts the fragments on their way. Its methods belong
// to the goroutine of whoever drives the network.
type tap struct {
	*simulated.Network
	band     region.Band
	version  lorawan.Version
	port     uint8 // FPort of TS004
	uplinkDR uint8
	byFCnt   map[uint16]int  // place of the fragment that a multicast counter carries
	waiting  map[string]bool // frames with fragments that were not reported yet
	sent     int             // fragments that were on the air

	lengths  map[string]int // bytes of unicast frames that were not reported yet
	rx1, rx2 airtime        // of unicast downlinks, by receive window

	// Places count the fragments of one fragmentation session from 1 on. They are N, but for
	// a carousel, whose N begins again.
	place int
	worst int // the place at which the last device had the block, of those that have it
	past  int // worst of the sessions before, summed
}

// airtime is what some downlinks took.
type airtime struct {
	frames int
	total  time.Duration
}

func (a *airtime) add(d time.Duration) { a.frames, a.total = a.frames+1, a.total+d }

func newTap(band region.Band, uplinkDR uint8, version lorawan.Version, port uint8) *tap {
	return &tap{band: band, uplinkDR: uplinkDR, version: version, port: port, byFCnt: map[uint16]int{}, waiting: map[string]bool{}, lengths: map[string]int{}}
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
	t.lengths[f.ID] = len(f.Payload)
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
		switch {
		case e.Kind != network.Sent:
		case e.Group.IsZero():
			t.sentUnicast(e)
		case t.waiting[e.FrameID]:
			delete(t.waiting, e.FrameID)
			t.sent++
		}
	}
	return events, err
}

// sentUnicast tells by its air time which receive window a frame took: where both have the same
// data rate, it counts as RX1.
func (t *tap) sentUnicast(e network.Event) {
	_, dr := t.band.RX2()
	inRX2, _ := t.band.DownlinkAirtime(dr, t.lengths[e.FrameID])
	delete(t.lengths, e.FrameID)
	if e.Airtime == inRX2 && dr != t.uplinkDR {
		t.rx2.add(e.Airtime)
		return
	}
	t.rx1.add(e.Airtime)
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
