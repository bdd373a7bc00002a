package envelope

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
)

// Errors about an envelope that is well formed and not for this device.
var (
	ErrTooLarge = errors.New("envelope: more than the device has room for")
	ErrCodec    = errors.New("envelope: the device has no such decoder")
	ErrProfile  = errors.New("envelope: for other hardware")
	ErrReplay   = errors.New("envelope: no newer than what the device runs")
	ErrBase     = errors.New("envelope: for another base image")
	ErrTarget   = errors.New("envelope: the result is not the target image")
)

// Unverified is an envelope of which nothing but the form has been checked. Its
// payload is out of reach until Verify.
type Unverified struct {
	header    Header
	signed    []byte // everything before r
	payload   []byte
	signature []byte // r and s
}

// Parse reads the form of an envelope: header, exactly the payload that it announces,
// signature block. It returns ErrMagic, ErrShort, ErrUnknown, ErrRange or ErrSize. The
// result refers to b.
func Parse(b []byte) (Unverified, error) {
	h, rest, err := parseHeader(b)
	if err != nil {
		return Unverified{}, err
	}
	if len(rest) < blockSize {
		return Unverified{}, fmt.Errorf("%d bytes after the header, the signature alone has %d: %w", len(rest), blockSize, ErrShort)
	}
	switch got := uint64(len(rest) - blockSize); {
	case got < uint64(h.PayloadSize):
		return Unverified{}, fmt.Errorf("payload: %d of %d bytes: %w", got, h.PayloadSize, ErrShort)
	case got > uint64(h.PayloadSize):
		return Unverified{}, fmt.Errorf("%d bytes more than the header says: %w", got-uint64(h.PayloadSize), ErrSize)
	}
	if a := rest[h.PayloadSize]; a != algorithmP256 {
		return Unverified{}, fmt.Errorf("signature algorithm %d: %w", a, ErrUnknown)
	}
	return Unverified{
		header:    h,
		signed:    b[:len(b)-SignatureSize],
		payload:   rest[:h.PayloadSize:h.PayloadSize],
		signature: b[len(b)-SignatureSize:],
	}, nil
}

// Header returns what the envelope claims.
func (u Unverified) Header() Header { return u.header }

// Verify returns the payload if pub has signed it and the header, else ErrKey or
// ErrSignature.
func (u Unverified) Verify(pub *ecdsa.PublicKey) ([]byte, error) {
	if err := verify(u.signed, u.signature, pub); err != nil {
		return nil, err
	}
	return u.payload, nil
}

// Verify returns header and payload of an envelope that pub has signed. It returns the
// errors of Parse, ErrKey or ErrSignature. It asks for no device: see Open.
func Verify(b []byte, pub *ecdsa.PublicKey) (Header, []byte, error) {
	u, err := Parse(b)
	if err != nil {
		return Header{}, nil, err
	}
	payload, err := u.Verify(pub)
	if err != nil {
		return Header{}, nil, err
	}
	return u.header, payload, nil
}

// Device is what a device knows of itself. What is zero is not checked.
type Device struct {
	Codecs       []Codec // that it can decode
	MaxPayload   uint32  // bytes it can store of a patch
	MaxTarget    uint32  // bytes of the slot that takes the new image
	MaxWindowLog uint8   // it can spare 2^MaxWindowLog bytes of RAM
	Profile      Profile // a header that names another or none is refused
	Version      Version // of the running image: a header that names another base is refused
	OnlyNewer    bool    // refuse targets that are no newer than Version, read as X.Y.Z.P, and those without a version
}

// Room returns ErrCodec or ErrTooLarge for what d cannot decode. The header need not be
// verified: these are the checks that save the device the work of verifying.
func (d Device) Room(h Header) error {
	switch {
	case len(d.Codecs) > 0 && !slices.Contains(d.Codecs, h.Codec):
		return fmt.Errorf("%s: %w", h.Codec, ErrCodec)
	case d.MaxPayload > 0 && h.PayloadSize > d.MaxPayload:
		return fmt.Errorf("payload of %d bytes, at most %d: %w", h.PayloadSize, d.MaxPayload, ErrTooLarge)
	case d.MaxTarget > 0 && h.TargetSize > d.MaxTarget:
		return fmt.Errorf("target of %d bytes, the slot has %d: %w", h.TargetSize, d.MaxTarget, ErrTooLarge)
	case d.MaxWindowLog > 0 && h.WindowLog > d.MaxWindowLog:
		return fmt.Errorf("window of 2^%d bytes, RAM for 2^%d: %w", h.WindowLog, d.MaxWindowLog, ErrTooLarge)
	}
	return nil
}

// Meant returns ErrProfile, ErrReplay or ErrBase for a verified header that is not for d.
func (d Device) Meant(h Header) error {
	switch {
	case d.Profile != Profile{} && h.Profile != d.Profile:
		return fmt.Errorf("profile %x, the device is %x: %w", h.Profile, d.Profile, ErrProfile)
	case d.OnlyNewer && (h.TargetVersion == 0 || !h.TargetVersion.Newer(d.Version)):
		return fmt.Errorf("target %s, the device runs %s: %w", h.TargetVersion, d.Version, ErrReplay)
	case h.BaseVersion != 0 && d.Version != 0 && h.BaseVersion != d.Version:
		return fmt.Errorf("base %s, the device runs %s: %w", h.BaseVersion, d.Version, ErrBase)
	}
	return nil
}

// CheckBase returns ErrBase unless base is the image that the patch starts from. A full
// image starts from any.
func (h Header) CheckBase(base []byte) error {
	if h.Codec == Full {
		return nil
	}
	return h.compare("base", base, h.BaseSize, h.Base, ErrBase)
}

// CheckTarget returns ErrTarget unless image is what the patch leads to.
func (h Header) CheckTarget(image []byte) error {
	return h.compare("target", image, h.TargetSize, h.Target, ErrTarget)
}

// compare returns fault unless image has the size and the digest.
func (h Header) compare(what string, image []byte, size uint32, digest Digest, fault error) error {
	if uint64(len(image)) != uint64(size) {
		return fmt.Errorf("%s of %d bytes, the header says %d: %w", what, len(image), size, fault)
	}
	got, err := h.of(image)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, fault, err)
	}
	if got != digest {
		return fmt.Errorf("%s with digest %s, the header says %s: %w", what, got, digest, fault)
	}
	return nil
}

// Open makes all checks that come before decoding, in the order in which a device makes
// them, and returns header and payload: form, room, signature, profile, versions, base.
// After decoding, CheckTarget is the last one.
func Open(b []byte, pub *ecdsa.PublicKey, d Device, base []byte) (Header, []byte, error) {
	u, err := Parse(b)
	if err != nil {
		return Header{}, nil, err
	}
	if err := d.Room(u.header); err != nil {
		return Header{}, nil, err
	}
	payload, err := u.Verify(pub)
	if err != nil {
		return Header{}, nil, err
	}
	if err := d.Meant(u.header); err != nil {
		return Header{}, nil, err
	}
	if err := u.header.CheckBase(base); err != nil {
		return Header{}, nil, err
	}
	return u.header, payload, nil
}
