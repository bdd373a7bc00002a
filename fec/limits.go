package fec

import "fmt"

// Limits is what a decoder can hold and how it departs from an ideal one. The zero value
// is the ideal decoder: any order, no limit. Zero in a number means "no limit known".
//
// Limits are compile-time constants of a firmware. The presets are the values that the
// stacks ship with; a device profile that knows better copies one and changes it.
type Limits struct {
	NbFrag      int // most uncoded fragments
	FragSize    int // largest fragment, bytes
	MinFragSize int // smallest fragment, bytes
	BlockSize   int // most bytes NbFrag times FragSize, padding included
	MaxLost     int // most uncoded fragments that may be lost

	// MaxLostPercent is MaxLost as a share of NbFrag of these limits or, if that is not
	// known, of NbFrag of the session, which is never more. MaxLost goes first.
	MaxLostPercent int

	// DropsLower: an uncoded fragment below the highest number seen is discarded, so a
	// repeated round or a swapped pair never repairs. Coded fragments may come in any order.
	DropsLower bool

	// SpoiledByUncoded: an uncoded fragment after the first coded one is taken for a coded
	// one of a row that was never sent, and ruins the image. Before that, any order is fine.
	SpoiledByUncoded bool

	// FinishesOverLimit: beyond MaxLost the decoder reports that it is done, with the
	// matrix error set and a wrong image. Other decoders stay unfinished.
	FinishesOverLimit bool

	// Style is how FragSessionStatusAns is filled in.
	Style Style
}

// Presets of the stacks in the field, as they are built if nobody changes them.
var (
	// LoRaMacStock is LoRaMac-node with its own header (FRAG_MAX_NB 21,
	// FRAG_MAX_REDUNDANCY 5): a demonstration, every product raises it.
	LoRaMacStock = Limits{NbFrag: 21, FragSize: 50, MaxLost: 5,
		DropsLower: true, FinishesOverLimit: true, Style: StyleLoRaMac}

	// LBMDefault is LoRa Basics Modem, both package versions; the numbers are build options.
	LBMDefault = Limits{NbFrag: 100, FragSize: 242, MaxLostPercent: 100,
		DropsLower: true, Style: StyleLBM}

	// ActilityL476 is Actility's firmware for the STM32L476, derived from LoRaMac-node.
	ActilityL476 = Limits{NbFrag: 1000, FragSize: 230, MaxLost: 60,
		DropsLower: true, FinishesOverLimit: true, Style: StyleLoRaMac}

	// ActilityWL55v1 is Actility's firmware for the STM32WL55, package version 1. Its
	// smallest FragSize is the constant that dimensions NbFrag.
	ActilityWL55v1 = Limits{NbFrag: 2151, FragSize: 240, MinFragSize: 40, MaxLost: 216,
		DropsLower: true, FinishesOverLimit: true, Style: StyleLoRaMac}

	// ActilityWL55v2 is the same firmware with package version 2. NbFrag, MinFragSize and
	// BlockSize (the image slot) are build constants of the product: set them from the
	// device profile.
	ActilityWL55v2 = Limits{DropsLower: true, FinishesOverLimit: true, Style: StyleLoRaMac}

	// Zephyr is its low-memory decoder. NbFrag is the slot size divided by MinFragSize.
	Zephyr = Limits{FragSize: 232, MinFragSize: 48, MaxLostPercent: 20,
		SpoiledByUncoded: true, Style: StyleZephyr}
)

// Lossable returns how many of nbFrag uncoded fragments a device may lose and still
// decode, 0..nbFrag.
func (l Limits) Lossable(nbFrag int) int {
	lost := nbFrag
	switch {
	case l.MaxLost > 0:
		lost = l.MaxLost
	case l.MaxLostPercent > 0 && l.NbFrag > 0:
		lost = l.NbFrag * l.MaxLostPercent / 100
	case l.MaxLostPercent > 0:
		lost = nbFrag * l.MaxLostPercent / 100
	}
	return min(lost, nbFrag)
}

// Check returns ErrLimit, with the limit that is broken, if a device with these limits
// would refuse a session of nbFrag fragments of fragSize bytes.
func (l Limits) Check(nbFrag, fragSize int) error {
	switch {
	case l.NbFrag > 0 && nbFrag > l.NbFrag:
		return fmt.Errorf("fec: NbFrag %d, the device takes %d: %w", nbFrag, l.NbFrag, ErrLimit)
	case l.FragSize > 0 && fragSize > l.FragSize:
		return fmt.Errorf("fec: FragSize %d, the device takes %d: %w", fragSize, l.FragSize, ErrLimit)
	case fragSize < l.MinFragSize:
		return fmt.Errorf("fec: FragSize %d, the device needs %d: %w", fragSize, l.MinFragSize, ErrLimit)
	case l.BlockSize > 0 && nbFrag*fragSize > l.BlockSize:
		return fmt.Errorf("fec: %d fragments of %d bytes, the device holds %d bytes: %w", nbFrag, fragSize, l.BlockSize, ErrLimit)
	}
	return nil
}
