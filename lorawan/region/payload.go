package region

import "github.com/starling-fuota/starling/lorawan"

// repeaterMaxPayload is what a repeater leaves of the longest frames: it encapsulates them.
const repeaterMaxPayload = 222

// fragmentOverhead is what DataFragment puts before the fragment: CID 1, Index&N 2 (TS004).
const fragmentOverhead = 3

// Options are the settings of a network that change the room in a frame.
type Options struct {
	// Repeater is set where devices may be reached through a repeater.
	Repeater bool
	// DwellTime400ms is set where TxParamSetupReq limits frames to 400 ms.
	// Bands other than AS923 and AU915 know no dwell time and ignore it.
	DwellTime400ms bool
}

// MaxPayload returns N of RP002: the bytes of application payload (FRMPayload) that
// fit a frame at dr with empty FOpts. A network server that adds MAC commands to a
// downlink shortens that one; multicast frames have none.
//
// It returns false if dr is not defined or carries no payload at all, as SF12 under a
// dwell time. It answers for either direction: see Usable.
func (b Band) MaxPayload(dr uint8, o Options) (n int, ok bool) {
	r, ok := b.rate(dr)
	if !ok {
		return 0, false
	}
	n = r.n
	if dwell := b.plan().dwell; o.DwellTime400ms && int(dr) < len(dwell) {
		n = dwell[dr]
	}
	if o.Repeater {
		n = min(n, repeaterMaxPayload)
	}
	return n, n > 0
}

// MaxFragSize returns the largest FragSize (TS004 FragSessionSetupReq) whose
// DataFragment fits a downlink at dr: N - 3 bytes. It returns false if dr is no
// downlink rate or leaves no room.
func (b Band) MaxFragSize(dr uint8, o Options) (size int, ok bool) {
	n, ok := b.MaxPayload(dr, o)
	if !ok || n <= fragmentOverhead || !b.Usable(dr, lorawan.Downlink) {
		return 0, false
	}
	return n - fragmentOverhead, true
}
