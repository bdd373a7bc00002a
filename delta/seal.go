package delta

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/starling-fuota/starling/delta/envelope"
)

// Identity is what an envelope says of a patch beside the images. All of it is optional.
type Identity struct {
	BaseVersion, TargetVersion envelope.Version // of the firmware
	Profile                    envelope.Profile // hardware that the patch is for

	// MCUboot: the images are MCUboot's, and the envelope names them by the digests that
	// the boot loader has.
	MCUboot bool
}

// Sign puts p into an envelope that says which image it is for and which it makes. old and
// target are the images that p was made of. It returns ErrOptions for images that p was not
// made of, and the errors of package envelope.
func Sign(p Patch, old, target []byte, id Identity, key *ecdsa.PrivateKey) ([]byte, error) {
	if p.From != len(old) || p.To != len(target) {
		return nil, fmt.Errorf("patch from %d to %d bytes, images of %d and %d: %w", p.From, p.To, len(old), len(target), ErrOptions)
	}
	h := envelope.Header{
		Codec: p.Codec, WindowLog: p.WindowLog,
		BaseSize: uint32(len(old)), TargetSize: uint32(len(target)),
		BaseVersion: id.BaseVersion, TargetVersion: id.TargetVersion, Profile: id.Profile,
		MCUbootDigests: id.MCUboot,
	}
	var err error
	if h.Base, err = id.digest(old); err != nil {
		return nil, fmt.Errorf("old image: %w", err)
	}
	if h.Target, err = id.digest(target); err != nil {
		return nil, fmt.Errorf("new image: %w", err)
	}
	return envelope.Sign(p.Bytes, h, key)
}

func (id Identity) digest(image []byte) (envelope.Digest, error) {
	if id.MCUboot {
		return envelope.MCUbootDigest(image)
	}
	return envelope.DigestOf(image), nil
}

// Open does what a device does with an envelope: it checks form, room, signature, profile,
// versions and base, then applies the patch, and then checks the image that results. A payload
// that is the whole image is returned as it is. Errors are those of package envelope, which
// come before the patch is looked at, and of Apply.
func Open(b []byte, pub *ecdsa.PublicKey, d envelope.Device, old []byte, l Limits) ([]byte, envelope.Header, error) {
	h, payload, err := envelope.Open(b, pub, d, old)
	if err != nil {
		return nil, h, err
	}
	made := payload
	if h.Codec != envelope.Full {
		var info Info
		if made, info, err = Apply(old, payload, l); err != nil {
			return nil, h, err
		}
		if info.Format.Codec() != h.Codec {
			return nil, h, fmt.Errorf("patch is %s, the envelope says %s: %w", info.Format, h.Codec, ErrFormat)
		}
	}
	if err := h.CheckTarget(made); err != nil {
		return nil, h, err
	}
	return made, h, nil
}
