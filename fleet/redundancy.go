package fleet

// Redundancy is the coding rate of a multicast group: which share of all fragments
// is coded, for devices to make up for lost ones (TS004).
type Redundancy uint8

// Coding rates of the reference server: uncoded to all fragments. The zero value
// sends no coded fragments.
const (
	NoRedundancy Redundancy = iota // FEC off
	SevenToEight                   // 12.5 % of all fragments are coded
	FiveToSix                      // 16.67 %
	ThreeToFour                    // 25 %
	OneToTwo                       // 50 %
)

var redundancyNames = []string{"NO_REDUNDANCY_ONE", "SEVEN_TO_EIGHT", "FIVE_TO_SIX", "THREE_TO_FOUR", "ONE_TO_TWO"}

// perCoded is the number of uncoded fragments for which one coded fragment is added.
var perCoded = [...]int{SevenToEight: 7, FiveToSix: 5, ThreeToFour: 3, OneToTwo: 1}

// ParseRedundancy reads the reference server's names, such as "THREE_TO_FOUR".
func ParseRedundancy(s string) (Redundancy, error) {
	return parseEnum[Redundancy]("redundancy", redundancyNames, s)
}

// Coded returns how many coded fragments follow nbFrag uncoded ones, rounded up.
func (r Redundancy) Coded(nbFrag int) int {
	if r == NoRedundancy || int(r) >= len(perCoded) || nbFrag <= 0 {
		return 0
	}
	return (nbFrag + perCoded[r] - 1) / perCoded[r]
}

// String returns the reference server's name.
func (r Redundancy) String() string { return enumText(redundancyNames, r) }

// MarshalText returns the reference server's name, or ErrText.
func (r Redundancy) MarshalText() ([]byte, error) {
	return marshalEnum("redundancy", redundancyNames, r)
}

// UnmarshalText reads what ParseRedundancy reads.
func (r *Redundancy) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRedundancy(string(b))
	return err
}
