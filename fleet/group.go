package fleet

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// PingSlotPeriodicity is the exponent of the class B ping-slot period: slots come
// every 2^n seconds, n in 0..7 (TS001). Its JSON and text forms are the seconds, 1 to 128.
type PingSlotPeriodicity uint8

// ParsePingSlotPeriodicity reads a period in seconds: 1, 2, 4, ... 128.
func ParsePingSlotPeriodicity(seconds int) (PingSlotPeriodicity, error) {
	if seconds < 1 || seconds > 128 || bits.OnesCount(uint(seconds)) != 1 {
		return 0, fmt.Errorf("ping slot periodicity of %d seconds: %w (use 1, 2, 4, 8, 16, 32, 64 or 128)", seconds, ErrText)
	}
	return PingSlotPeriodicity(bits.TrailingZeros(uint(seconds))), nil
}

// Seconds returns the period in seconds, 1..128.
func (p PingSlotPeriodicity) Seconds() int { return 1 << min(p, 7) }

// Period returns the time between two ping slots.
func (p PingSlotPeriodicity) Period() time.Duration { return time.Duration(p.Seconds()) * time.Second }

// String returns the period in seconds, such as "8".
func (p PingSlotPeriodicity) String() string { return fmt.Sprint(p.Seconds()) }

// MarshalJSON returns the period in seconds, or ErrText.
func (p PingSlotPeriodicity) MarshalJSON() ([]byte, error) {
	if p > 7 {
		return nil, fmt.Errorf("ping slot periodicity exponent %d: %w", uint8(p), ErrText)
	}
	return json.Marshal(p.Seconds())
}

// UnmarshalJSON reads a period in seconds.
func (p *PingSlotPeriodicity) UnmarshalJSON(b []byte) error {
	var s int
	err := json.Unmarshal(b, &s)
	if err == nil {
		*p, err = ParsePingSlotPeriodicity(s)
	}
	return err
}

// MulticastGroup is a reliable multicast group (TS005): the address, keys and radio
// settings that the devices of a campaign share. Its identifier is a DevEUI, which is
// not used on the radio but is how network servers know the group.
type MulticastGroup struct {
	DevEUI              lorawan.EUI64       `json:"dev_eui"`
	SubscriberID        string              `json:"subscriber_id,omitempty"`
	Tag                 string              `json:"tag,omitempty"`
	Name                string              `json:"name,omitempty"`
	Band                region.Band         `json:"band"`
	DwellTime           bool                `json:"dwell_time"` // the downlink dwell-time limit holds (400 ms)
	McAddr              lorawan.DevAddr     `json:"mc_addr"`    // unique in the network
	Frequency           uint32              `json:"frequency"`  // Hz; 0: the class B hopping sequence
	DataRate            uint8               `json:"data_rate"`  // DR index of the band, 0..15
	Redundancy          Redundancy          `json:"redundancy"`
	PingSlotPeriodicity PingSlotPeriodicity `json:"ping_slot_periodicity_s"` // class B only
	McKey               lorawan.AES128Key   `json:"-"`
	SessionClass        Class               `json:"session_class"` // B or C
	FCntDown            uint32              `json:"f_cnt_down"`    // the counter that the next frame takes
	Archived            bool                `json:"archived"`
	CreatedAt           time.Time           `json:"created_at,omitzero"`
	UpdatedAt           time.Time           `json:"updated_at,omitzero"`
	Revision            int64               `json:"revision"`
}

// minFrequency is the lowest frequency that can be given in TS005 session requests;
// values under 100 MHz are reserved there.
const minFrequency = 100_000_000

// maxFrequency bounds typing errors; LoRa at 2.4 GHz is the highest band.
const maxFrequency = 2_500_000_000

// Validate reports everything that is wrong with g, as joined FieldErrors. That the
// data rate and frequency exist in the band is checked by the planner, which knows bands.
func (g MulticastGroup) Validate() error {
	var c checks
	var anyBand region.Band
	c.that(!g.DevEUI.IsZero(), "dev_eui", "is missing", "give 16 hexadecimal digits that no other group or device has")
	c.text("tag", g.Tag, MaxName)
	c.name("name", g.Name, false)
	c.that(g.Band != anyBand, "band", "is missing", "name the band of the group, such as EU868")
	c.that(!g.McAddr.IsZero(), "mc_addr", "is missing", "reserve a group address in the network server and give its 8 hexadecimal digits")
	c.that(g.Frequency == 0 || g.Frequency >= minFrequency && g.Frequency <= maxFrequency,
		"frequency", "is not a frequency in Hz", "give Hz, such as 869525000")
	c.that(g.Frequency%100 == 0, "frequency", "is not a multiple of 100 Hz", "the radio commands carry steps of 100 Hz")
	c.that(g.DataRate <= 15, "data_rate", "is not within 0 to 15", "")
	c.that(int(g.Redundancy) < len(redundancyNames), "redundancy", "is unknown", "use one of "+quoted(redundancyNames))
	c.that(g.PingSlotPeriodicity <= 7, "ping_slot_periodicity_s", "is not a power of two within 1 to 128", "")
	c.that(g.SessionClass == ClassB || g.SessionClass == ClassC, "session_class", "is not a multicast class", `use "B" or "C"`)
	c.that(g.Frequency != 0 || g.SessionClass != ClassC, "frequency", "is missing", "a class C session listens on one frequency")
	return c.err()
}

// Region groups multicast groups into an area on which a campaign runs.
type Region struct {
	ID           string          `json:"id"`
	SubscriberID string          `json:"subscriber_id,omitempty"`
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	Groups       []lorawan.EUI64 `json:"groups"` // DevEUIs of multicast groups, each once
	Archived     bool            `json:"archived"`
	CreatedAt    time.Time       `json:"created_at,omitzero"`
	UpdatedAt    time.Time       `json:"updated_at,omitzero"`
	Revision     int64           `json:"revision"`
}

// Validate reports everything that is wrong with r, as joined FieldErrors.
func (r Region) Validate() error {
	var c checks
	c.name("name", r.Name, true)
	c.text("description", r.Description, MaxDescription)
	c.members("groups", r.Groups)
	return c.err()
}
