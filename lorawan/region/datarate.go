package region

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// Modulation tells how a data rate uses the radio.
type Modulation uint8

// The modulations of RP002. The zero value is none.
const (
	LoRa   Modulation = iota + 1 // chirp spread spectrum: SF and Bandwidth count
	FSK                          // BitRate counts
	LRFHSS                       // uplink only; neither is given here
)

// String returns "LoRa", "FSK" or "LR-FHSS".
func (m Modulation) String() string {
	switch m {
	case LoRa:
		return "LoRa"
	case FSK:
		return "FSK"
	case LRFHSS:
		return "LR-FHSS"
	}
	return fmt.Sprintf("Modulation(%d)", uint8(m))
}

// DataRate is what a data rate number (DR) means in a band.
type DataRate struct {
	Modulation Modulation
	SF         uint8  // spreading factor of LoRa, 7..12; else 0
	Bandwidth  uint32 // Hz, of LoRa; else 0
	BitRate    uint32 // bit/s, of FSK; else 0
}

// String returns "SF12/125kHz", "FSK 50000 bit/s" or "LR-FHSS".
func (d DataRate) String() string {
	switch d.Modulation {
	case LoRa:
		return fmt.Sprintf("SF%d/%dkHz", d.SF, d.Bandwidth/1000)
	case FSK:
		return fmt.Sprintf("FSK %d bit/s", d.BitRate)
	}
	return d.Modulation.String()
}

// DataRate returns the meaning of dr, in whichever direction it exists: DR 8 to 13 of
// US915 and AU915 are downlinks. It returns false for a number that b does not use.
func (b Band) DataRate(dr uint8) (DataRate, bool) {
	r, ok := b.rate(dr)
	return r.DataRate, ok
}

// Usable reports whether frames in direction d may use dr. A rate can be usable and
// still carry no payload under a dwell time: see MaxPayload.
func (b Band) Usable(dr uint8, d lorawan.Direction) bool {
	r, ok := b.rate(dr)
	return ok && (d == lorawan.Uplink && r.dir&up != 0 || d == lorawan.Downlink && r.dir&down != 0)
}

func (b Band) rate(dr uint8) (rate, bool) {
	rates := b.plan().rates
	if int(dr) >= len(rates) || rates[dr].dir == 0 {
		return rate{}, false
	}
	return rates[dr], true
}
