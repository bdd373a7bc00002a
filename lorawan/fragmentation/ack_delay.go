package fragmentation

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

const (
	maxBlockAckDelay = 7
	shortestAckDelay = 16 * time.Second
)

// AckDelay returns 2^(blockAckDelay+4) seconds, 16 s to 2048 s, or 0 if blockAckDelay is
// above 7. A device answers at a random moment of that span; so a server concludes
// nothing from silence before the span, one uplink interval and a margin (LoRa Basics
// Modem adds up to 3 s) have passed.
func AckDelay(blockAckDelay uint8) time.Duration {
	if blockAckDelay > maxBlockAckDelay {
		return 0
	}
	return shortestAckDelay << blockAckDelay
}

// BlockAckDelay returns the smallest exponent that spreads the answers over d or longer.
// It returns ErrRange if even the longest span is shorter than d.
func BlockAckDelay(d time.Duration) (uint8, error) {
	for e := range uint8(maxBlockAckDelay + 1) {
		if AckDelay(e) >= d {
			return e, nil
		}
	}
	return 0, fmt.Errorf("answer spread %s is above %s: %w", d, AckDelay(maxBlockAckDelay), lorawan.ErrRange)
}
