package fec

// Style is how a stack fills in FragSessionStatusAns. No two agree, so a server must not
// take MissingFrag at face value and a simulator must be able to lie as they do.
type Style uint8

// The styles in the field.
const (
	// StyleSpec: NbFragReceived counts all fragments received, coded, uncoded and
	// repeated; MissingFrag is how many independent fragments are still needed.
	StyleSpec Style = iota

	// StyleLoRaMac: NbFragReceived is the number of the last fragment seen; MissingFrag
	// is how many uncoded fragments were ever lost, so it stays above 0 after recovery.
	StyleLoRaMac

	// StyleLBM: NbFragReceived is the number of the last fragment less the lost ones;
	// MissingFrag is right while coded fragments are decoded, but 1 after a reception
	// without loss (measured with LoRa Basics Modem 4.8).
	StyleLBM

	// StyleZephyr: NbFragReceived counts frames, those after completion too; MissingFrag
	// is NbFrag less that count, so it is 0 once enough frames came, decodable or not.
	StyleZephyr
)

// String returns the name of the stack.
func (s Style) String() string {
	switch s {
	case StyleSpec:
		return "TS004"
	case StyleLoRaMac:
		return "LoRaMac-node"
	case StyleLBM:
		return "LoRa Basics Modem"
	case StyleZephyr:
		return "Zephyr"
	}
	return "unknown style"
}

// Report is the part of FragSessionStatusAns that the decoder decides.
type Report struct {
	NbFragReceived uint16 // 14 bits
	MissingFrag    uint8  // saturates at 255
	MatrixError    bool   // not enough matrix memory
}

// report returns what a device with this elimination tells a server that asks now.
func (s *elimination) report() Report {
	received, missing := s.received, s.needed()
	matrixError := s.failed != nil
	switch s.limits.Style {
	case StyleLoRaMac:
		received, missing = s.lastN, s.lost
	case StyleLBM:
		// Never negative: a real modem wraps here, after a dropped low fragment only.
		received, missing = max(s.lastN-s.lost, 0), s.lbmMissing
	case StyleZephyr:
		received, missing = s.frames, max(s.nbFrag-s.frames, 0)
		matrixError = false // its low-memory decoder has no such flag
	}
	return Report{
		NbFragReceived: uint16(min(received, MaxFragments)),
		MissingFrag:    uint8(min(missing, 255)),
		MatrixError:    matrixError,
	}
}
