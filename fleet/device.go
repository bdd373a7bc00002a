package fleet

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// LoRaWANVersion says which root key protects the multicast keys of a device
// (TS005: GenAppKey before LoRaWAN 1.1, AppKey from it on).
type LoRaWANVersion uint8

// LoRaWAN versions. The zero value is 1.0.
const (
	LoRaWAN10 LoRaWANVersion = iota
	LoRaWAN11
)

var loRaWANVersionNames = []string{"1.0", "1.1"}

// ParseLoRaWANVersion reads "1.0" or "1.1".
func ParseLoRaWANVersion(s string) (LoRaWANVersion, error) {
	return parseEnum[LoRaWANVersion]("LoRaWAN version", loRaWANVersionNames, s)
}

// String returns "1.0" or "1.1".
func (v LoRaWANVersion) String() string { return enumText(loRaWANVersionNames, v) }

// MarshalText returns "1.0" or "1.1", or ErrText.
func (v LoRaWANVersion) MarshalText() ([]byte, error) {
	return marshalEnum("LoRaWAN version", loRaWANVersionNames, v)
}

// UnmarshalText reads what ParseLoRaWANVersion reads.
func (v *LoRaWANVersion) UnmarshalText(b []byte) (err error) {
	*v, err = ParseLoRaWANVersion(string(b))
	return err
}

// Device is an end-device that can be updated. Its identifier is its DevEUI.
type Device struct {
	DevEUI          lorawan.EUI64     `json:"dev_eui"`
	SubscriberID    string            `json:"subscriber_id,omitempty"` // whose it is; set by the store
	Name            string            `json:"name,omitempty"`
	Tag             string            `json:"tag,omitempty"`     // free text to search for
	Classes         Classes           `json:"classes"`           // multicast session classes it supports
	LoRaWANVersion  LoRaWANVersion    `json:"lorawan_version"`   // decides what RootKey is
	RootKey         lorawan.AES128Key `json:"-"`                 // GenAppKey (1.0) or AppKey (1.1); zero: not known yet
	ProfileID       string            `json:"profile_id"`        // DeviceProfile
	Band            region.Band       `json:"band,omitzero"`     // zero: any
	Packages        Packages          `json:"packages,omitzero"` // versions that differ from the profile's; 0: as the profile says
	Firmware        Firmware          `json:"firmware,omitzero"` // what it last reported or was recorded with
	FirmwareChanged time.Time         `json:"firmware_changed,omitzero"`
	// FirmwareReported is when the device itself has told its version last; zero: never, Firmware is what somebody has recorded.
	FirmwareReported time.Time `json:"firmware_reported,omitzero"`
	Archived         bool      `json:"archived"`
	CreatedAt        time.Time `json:"created_at,omitzero"`
	UpdatedAt        time.Time `json:"updated_at,omitzero"`
	Revision         int64     `json:"revision"` // rises with every stored change
}

// Validate reports everything that is wrong with d, as joined FieldErrors.
func (d Device) Validate() error {
	var c checks
	c.that(!d.DevEUI.IsZero(), "dev_eui", "is missing", "give 16 hexadecimal digits, as printed on the device")
	c.name("name", d.Name, false)
	c.text("tag", d.Tag, MaxName)
	c.that(d.Classes&^ClassesOf(ClassB, ClassC) == 0, "classes", "holds an unknown class", `use "B", "C" or "B,C"`)
	c.that(d.LoRaWANVersion <= LoRaWAN11, "lorawan_version", "is unknown", `use "1.0" or "1.1"`)
	c.that(d.ProfileID != "", "profile_id", "is missing", "create a device profile first and name it here")
	c.packages(d.Packages)
	return c.err()
}

// DeviceSet is a list of devices that take part in campaigns together, or a filter that
// finds them: then its members are the devices that match when a campaign starts.
type DeviceSet struct {
	ID           string          `json:"id"`
	SubscriberID string          `json:"subscriber_id,omitempty"`
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	Devices      []lorawan.EUI64 `json:"devices"`          // each once; none when there is a filter
	Filter       *DeviceFilter   `json:"filter,omitempty"` // nil: the list says who is a member
	Archived     bool            `json:"archived"`
	CreatedAt    time.Time       `json:"created_at,omitzero"`
	UpdatedAt    time.Time       `json:"updated_at,omitzero"`
	Revision     int64           `json:"revision"`
}

// DeviceFilter says which devices are members of a set. At least one condition is given, and all must hold.
type DeviceFilter struct {
	Text  string            `json:"text,omitempty"`  // part of the name, tag or DevEUI, in any case
	Where map[string]string `json:"where,omitempty"` // field -> value; the fields are DeviceFilterFields
}

// DeviceFilterFields are the fields of a device that a DeviceFilter can ask for.
var DeviceFilterFields = []string{"band", "classes", "firmware", "lorawan_version", "name", "profile_id", "tag"}

// check reports what is wrong with f.
func (f *DeviceFilter) check(c *checks) {
	c.text("filter.text", f.Text, MaxName)
	c.that(f.Text != "" || len(f.Where) > 0, "filter", "is empty", "a set of all devices is not meant by accident: name a profile, a tag or a text")
	for _, field := range slices.Sorted(maps.Keys(f.Where)) {
		c.that(slices.Contains(DeviceFilterFields, field), "filter.where."+field, "is no field of a filter", "use one of "+quoted(DeviceFilterFields))
		c.text("filter.where."+field, f.Where[field], MaxName)
	}
}

// Validate reports everything that is wrong with s, as joined FieldErrors.
func (s DeviceSet) Validate() error {
	var c checks
	c.name("name", s.Name, true)
	c.text("description", s.Description, MaxDescription)
	if s.Filter != nil {
		s.Filter.check(&c)
		c.that(len(s.Devices) == 0, "devices", "are listed beside a filter", "give a list or a filter")
	}
	c.members("devices", s.Devices)
	return c.err()
}

// members checks a list of identifiers: none zero, each once.
func (c *checks) members(field string, list []lorawan.EUI64) {
	seen := make(map[lorawan.EUI64]bool, len(list))
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		c.that(!e.IsZero(), at, "is missing", "give 16 hexadecimal digits")
		c.that(!seen[e], at, "is in the list twice: "+e.String(), "remove one of them")
		seen[e] = true
	}
}
