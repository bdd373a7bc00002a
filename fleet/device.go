package fleet

import (
	"fmt"
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
	Archived        bool              `json:"archived"`
	CreatedAt       time.Time         `json:"created_at,omitzero"`
	UpdatedAt       time.Time         `json:"updated_at,omitzero"`
	Revision        int64             `json:"revision"` // rises with every stored change
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

// DeviceSet is a list of devices that take part in campaigns together.
type DeviceSet struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Devices     []lorawan.EUI64 `json:"devices"` // each once
	Archived    bool            `json:"archived"`
	CreatedAt   time.Time       `json:"created_at,omitzero"`
	UpdatedAt   time.Time       `json:"updated_at,omitzero"`
	Revision    int64           `json:"revision"`
}

// Validate reports everything that is wrong with s, as joined FieldErrors.
func (s DeviceSet) Validate() error {
	var c checks
	c.name("name", s.Name, true)
	c.text("description", s.Description, MaxDescription)
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
