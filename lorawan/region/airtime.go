package region

import (
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// TimeOnAir returns how long a PHYPayload of phyLen bytes (13 more than the
// FRMPayload, lorawan.FrameOverhead) occupies the channel. The result is exact: every
// symbol of the bandwidths in use is a whole number of nanoseconds.
//
// LoRa frames have 8 preamble symbols, an explicit header and coding rate 4/5; only
// uplinks carry a PHY CRC; low data rate optimisation is on from 16 ms a symbol:
//
//	symbols = 8 + 4.25 + 8 + max(0, ceil((8 phyLen - 4 SF + 28 + 16 CRC) / (4 (SF - 2 DE))) * 5)
//	time    = symbols * 2^SF / Bandwidth
//
// FSK frames have 5 bytes of preamble, 3 of synchronisation, 1 of length and 2 of CRC
// in both directions. LR-FHSS and the zero DataRate give 0: their time is not computed.
func (d DataRate) TimeOnAir(phyLen int, uplink bool) time.Duration {
	phyLen = max(phyLen, 0)
	switch d.Modulation {
	case LoRa:
		return d.loraTime(phyLen, uplink)
	case FSK:
		const framing = 5 + 3 + 1 + 2
		bits := int64(phyLen+framing) * 8
		return time.Duration(bits * int64(time.Second) / int64(d.BitRate))
	}
	return 0
}

func (d DataRate) loraTime(phyLen int, uplink bool) time.Duration {
	sf := int64(d.SF)
	bits := 8*int64(phyLen) - 4*sf + 28
	if uplink {
		bits += 16
	}
	bitsPerBlock := 4 * sf // a block is 5 symbols at coding rate 4/5
	if d.symbolTime() >= 16*time.Millisecond {
		bitsPerBlock = 4 * (sf - 2)
	}
	blocks := int64(0)
	if bits > 0 {
		blocks = (bits + bitsPerBlock - 1) / bitsPerBlock
	}
	// Quarter symbols, because the preamble ends in a quarter: 4 (8 + 4.25 + 8) = 81.
	quarters := 81 + 4*5*blocks
	return time.Duration(quarters) * d.symbolTime() / 4
}

// symbolTime is 2^SF / Bandwidth.
func (d DataRate) symbolTime() time.Duration {
	return (time.Second << d.SF) / time.Duration(d.Bandwidth)
}

// DownlinkAirtime returns the time on air of a downlink, unicast or multicast, that
// carries frmPayload bytes and no FOpts. It returns false if dr is no downlink rate.
func (b Band) DownlinkAirtime(dr uint8, frmPayload int) (time.Duration, bool) {
	return b.airtime(dr, frmPayload, lorawan.Downlink)
}

// UplinkAirtime returns the time on air of an uplink that carries frmPayload bytes and
// no FOpts. It returns false if dr is no uplink rate, or one of LR-FHSS.
func (b Band) UplinkAirtime(dr uint8, frmPayload int) (time.Duration, bool) {
	return b.airtime(dr, frmPayload, lorawan.Uplink)
}

func (b Band) airtime(dr uint8, frmPayload int, d lorawan.Direction) (time.Duration, bool) {
	r, ok := b.DataRate(dr)
	if !ok || !b.Usable(dr, d) || r.Modulation == LRFHSS {
		return 0, false
	}
	return r.TimeOnAir(frmPayload+lorawan.FrameOverhead, d == lorawan.Uplink), true
}
