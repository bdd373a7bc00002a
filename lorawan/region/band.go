package region

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBand says that a text or number is not one of the bands of this package.
var ErrBand = errors.New("unknown band")

// Band is a regional channel plan of RP002. The zero value is no band: it has no
// data rates, no channels and no frequencies.
type Band uint8

// The bands, in the order in which Bands lists them.
const (
	EU868   Band = iota + 1 // Europe, 863-870 MHz
	US915                   // North America, 902-928 MHz
	AU915                   // Australia, South America, 915-928 MHz
	AS923                   // Asia, group AS923-1
	AS923_2                 // AS923 shifted by -1.8 MHz
	AS923_3                 // AS923 shifted by -6.6 MHz
	AS923_4                 // AS923 shifted by -5.9 MHz
	IN865                   // India, 865-867 MHz
	KR920                   // Korea, 920-923 MHz
	CN470                   // China, 470-510 MHz
	RU864                   // Russia, 864-870 MHz
	EU433                   // Europe, 433 MHz

	AS923_1 = AS923 // the group's full name
)

// Bands returns all bands. The slice is the caller's.
func Bands() []Band {
	all := make([]Band, 0, len(plans)-1)
	for b := EU868; int(b) < len(plans); b++ {
		all = append(all, b)
	}
	return all
}

// ParseBand reads a name such as "EU868" or "AS923-2". Case does not matter, "_"
// may stand for "-", and "AS923-1" is AS923. It returns ErrBand for anything else.
func ParseBand(s string) (Band, error) {
	name := strings.ReplaceAll(strings.ToUpper(s), "_", "-")
	if name == "AS923-1" {
		return AS923, nil
	}
	for _, b := range Bands() {
		if plans[b].name == name {
			return b, nil
		}
	}
	return 0, fmt.Errorf("band %q: %w, want one of %v", s, ErrBand, Bands())
}

// String returns the name of the specification, "EU868" or "AS923-2", and "none" for
// the zero value.
func (b Band) String() string {
	switch {
	case b == 0:
		return "none"
	case int(b) < len(plans):
		return plans[b].name
	}
	return fmt.Sprintf("Band(%d)", uint8(b))
}

// MarshalText returns the name, and empty text for the zero value. It returns
// ErrBand for a number that is no band.
func (b Band) MarshalText() ([]byte, error) {
	if b == 0 {
		return nil, nil
	}
	if int(b) >= len(plans) {
		return nil, fmt.Errorf("band number %d: %w", uint8(b), ErrBand)
	}
	return []byte(b.String()), nil
}

// UnmarshalText reads what ParseBand reads; empty text is the zero value.
func (b *Band) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*b = 0
		return nil
	}
	*b, err = ParseBand(string(text))
	return err
}

// plan returns the table of b, or an empty one.
func (b Band) plan() plan {
	if int(b) >= len(plans) {
		return plan{}
	}
	return plans[b]
}
