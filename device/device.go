package device

import "time"

// Device is one end-device. It is not safe for concurrent use.
type Device struct {
	cfg Config
}

// New switches a device on at cfg.Start.
func New(cfg Config) *Device { return &Device{cfg: cfg} }

// NextWake returns the true time of the next thing the device will do by itself; zero: never.
func (d *Device) NextWake() time.Time { return time.Time{} }

// Wake does everything that is due at now and returns what the device begins to transmit at now.
func (d *Device) Wake(now time.Time) []Uplink { return nil }

// Uplink is a frame that the device transmits.
type Uplink struct {
	PHYPayload []byte
	DR         uint8
	Frequency  uint32 // Hz
}

// Transmission is a downlink as a receiver finds it on the air.
type Transmission struct {
	Frequency uint32 // Hz
	DR        uint8
	Start     time.Time
	Airtime   time.Duration
}

// Hears reports whether the receiver is open for tx, from its preamble to its end.
func (d *Device) Hears(tx Transmission) bool { return false }

// Receive takes a frame that arrived whole at its end.
func (d *Device) Receive(at time.Time, phy []byte) {}

// Image returns the last complete block, or the youngest incomplete one.
func (d *Device) Image() (block []byte, complete bool) { return nil, false }

// RunningFirmware returns the version that runs.
func (d *Device) RunningFirmware() uint32 { return d.cfg.Firmware }

// RunningImageSHA256 returns the hash of the image that runs, in hexadecimal.
func (d *Device) RunningImageSHA256() string { return "" }

// Status returns what no command tells.
func (d *Device) Status() Status { return Status{} }
