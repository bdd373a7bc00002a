package fragmentation

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

// Expect is what a server knows when the status answer of a version 2.0.0 device comes
// in. With it ParseStatusAnsLenient can tell the two byte orders apart.
type Expect struct {
	FragIndex     uint8  // the session that was asked about
	FragmentsSent uint16 // highest N sent so far; no device can have received more
	V1Order       bool   // the device profile says so: this model always sends the order of 1.0.0
}

// ParseUplinkLenient is ParseUplink for version 2.0.0, with status answers read by
// ParseStatusAnsLenient.
func ParseUplinkLenient(b []byte, want Expect) ([]lorawan.Command, error) {
	lenient := codec
	lenient.Up = func(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
		if cid == cidFragSessionStatus {
			return wire.Parsed(parseStatusAnsLenient(body, want))
		}
		return parseUplink(v, cid, body)
	}
	return lenient.ParseUplink(lorawan.V2, b)
}

// ParseStatusAnsLenient reads a FragSessionStatusAns, from its CID on, of a device that
// reports version 2.0.0, and returns what follows it. Actility's second STM32WL55
// firmware reports 2.0.0 and sends the byte order of 1.0.0.
//
//	as 2.0.0:  Status   Received&Index    Missing
//	          +--------+--------+--------+--------+
//	          |   0    |   1    |   2    |   3    |
//	          +--------+--------+--------+--------+
//	as 1.0.0:  Received&Index     Missing  Status
//
// A reading is plausible if its Status has no RFU bit set, its FragIndex is the one asked
// for, and it does not claim more fragments than were sent. The order of 1.0.0 is taken
// if it alone is plausible. If both are, as with 1 to 7 fragments received, or neither
// is, the specification wins; Expect.V1Order settles that for a known model. This is a
// heuristic: a wrong reading costs a round of status requests, not a block.
func ParseStatusAnsLenient(b []byte, want Expect) (FragSessionStatusAns, []byte, error) {
	if len(b) == 0 || b[0] != cidFragSessionStatus {
		return FragSessionStatusAns{}, b, fmt.Errorf("FragSessionStatusAns does not begin with its CID: %w", lorawan.ErrUnknownCID)
	}
	c, rest, err := parseStatusAnsLenient(b[1:], want)
	if err != nil {
		return FragSessionStatusAns{}, b, err
	}
	return c, rest, nil
}

func parseStatusAnsLenient(body []byte, want Expect) (FragSessionStatusAns, []byte, error) {
	order := lorawan.V2
	if len(body) >= statusAnsLen &&
		(want.V1Order || !want.plausibleV2(body) && want.plausibleV1(body)) {
		order = lorawan.V1
	}
	return parseFragSessionStatusAns(order, body)
}

func (w Expect) plausibleV1(b []byte) bool {
	return b[3]&^statusMemoryError == 0 && w.plausible(statusV1(b))
}

func (w Expect) plausibleV2(b []byte) bool {
	if b[0]&^statusDefinedBitsV2 != 0 {
		return false
	}
	if b[0]&statusDoesNotExist != 0 {
		return isPadding(b[1:]) || b[1] <= cidFragDataBlockReceived
	}
	return w.plausible(statusV2(b))
}

func (w Expect) plausible(c FragSessionStatusAns) bool {
	return c.FragIndex == w.FragIndex && c.NbFragReceived <= w.FragmentsSent
}
