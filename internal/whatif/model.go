package whatif

import "fmt"

// Model is how much a simulated device holds of what it receives.
type Model string

// Models. Both are the same device (package device) with the same luck and give the same
// report; a test holds that.
const (
	// Bytes has every device receive, decrypt and decode by itself, byte by byte.
	Bytes Model = "bytes"
	// Ranks has devices know which fragments they have and share what was in them (device.Crowd).
	Ranks Model = "ranks"
)

// mostBytes is how much the blocks of a fleet may hold together before ranks stand for them.
const mostBytes = 100_000_000

// modelFor returns the model of a fleet that does not name one.
func modelFor(devices int, size Size) Model {
	if int64(devices)*int64(size) > mostBytes {
		return Ranks
	}
	return Bytes
}

// UnmarshalText reads "bytes" or "ranks".
func (m *Model) UnmarshalText(b []byte) error {
	switch Model(b) {
	case Bytes, Ranks:
		*m = Model(b)
		return nil
	}
	return fmt.Errorf("there is no model %q of a device, use %s or %s", b, Bytes, Ranks)
}
