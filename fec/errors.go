package fec

import "errors"

// Errors that callers test with errors.Is. They come wrapped with the numbers at hand.
var (
	ErrVersion  = errors.New("unknown package version")
	ErrBlock    = errors.New("block cannot be cut into fragments")
	ErrIndex    = errors.New("fragment number out of range")
	ErrFragment = errors.New("fragment has the wrong size")
	ErrLimit    = errors.New("beyond the limits of the decoder")

	// ErrMatrix is the failure of a decoder that lost more uncoded fragments than its
	// matrix has rows for. It is final: no coded fragment helps any more.
	ErrMatrix = errors.New("more fragments lost than the decoder can recover")

	// ErrOrder is the failure of a decoder that takes an uncoded fragment for a coded one.
	ErrOrder = errors.New("uncoded fragment after a coded one spoils the image")

	// ErrChoice says that no FragSize satisfies the constraints.
	ErrChoice = errors.New("no fragment size fits")
)
