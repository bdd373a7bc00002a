package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
)

// deltaSigning says what goes into the envelope beside the patch.
type deltaSigning struct {
	FromVersion   string `placeholder:"X.Y.Z.P" help:"Version of the old image, as devices report it, for the envelope."`
	ToVersion     string `placeholder:"X.Y.Z.P" help:"Version of the new image, for the envelope: devices can refuse what is no newer."`
	Producer      string `placeholder:"ID" help:"Producer of the hardware, for the envelope: devices can refuse what is for another."`
	Module        string `placeholder:"ID" help:"Module, with --producer."`
	HwRevision    *uint8 `placeholder:"N" help:"Hardware revision, 0 to 255, with --producer."`
	MCUboot       bool   `name:"mcuboot" help:"The images are MCUboot's: name them by the digests that the boot loader has."`
	BareSignature bool   `help:"No envelope: append the signature of the patch, r and s, 64 bytes. The device must know by other means which images the patch is for."`
}

// identity returns what the envelope says.
func (d deltaSigning) identity() (delta.Identity, error) {
	id := delta.Identity{MCUboot: d.MCUboot}
	var err error
	if id.BaseVersion, err = parseFirmwareVersion(d.FromVersion); err != nil {
		return id, fmt.Errorf("%w: --from-version %w", ErrUsage, err)
	}
	if id.TargetVersion, err = parseFirmwareVersion(d.ToVersion); err != nil {
		return id, fmt.Errorf("%w: --to-version %w", ErrUsage, err)
	}
	if set := d.Producer != "" || d.Module != "" || d.HwRevision != nil; set {
		if d.Producer == "" || d.Module == "" || d.HwRevision == nil {
			return id, fmt.Errorf("%w: --producer, --module and --hw-revision go together", ErrUsage)
		}
		id.Profile = envelope.ProfileOf(d.Producer, d.Module, *d.HwRevision)
	}
	return id, nil
}

// used reports whether a flag was given that has no effect without a key.
func (d deltaSigning) used() bool { return d != deltaSigning{} }

// seal signs a patch: in an envelope, or bare.
func (d deltaSigning) seal(p delta.Patch, old, target []byte, key *ecdsa.PrivateKey) ([]byte, error) {
	if d.BareSignature {
		if bare := (deltaSigning{BareSignature: true}); d != bare {
			return nil, fmt.Errorf("%w: --bare-signature has no envelope that versions and hardware could be in", ErrUsage)
		}
		return envelope.SignBare(p.Bytes, key)
	}
	id, err := d.identity()
	if err != nil {
		return nil, err
	}
	b, err := delta.Sign(p, old, target, id, key)
	if err != nil {
		return nil, deltaError(err)
	}
	return b, nil
}

// parseFirmwareVersion reads X.Y.Z.P, each 0 to 255; what is missing at the end is 0. "" is 0.
func parseFirmwareVersion(s string) (envelope.Version, error) {
	if s == "" {
		return 0, nil
	}
	parts := strings.Split(strings.TrimPrefix(s, "v"), ".")
	if len(parts) > 4 {
		return 0, fmt.Errorf("%q has more than four numbers, want X.Y.Z.P", s)
	}
	var v envelope.Version
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return 0, fmt.Errorf("%q: %q is no number from 0 to 255, want X.Y.Z.P", s, part)
		}
		v |= envelope.Version(n) << (8 * i)
	}
	if v == 0 {
		return 0, fmt.Errorf("%q stands for no version at all", s)
	}
	return v, nil
}

// signingKey reads a private key from a file; see parseSigningKey.
func (s *Streams) signingKey(name string) (*ecdsa.PrivateKey, error) {
	b, err := s.readFile(name)
	if err != nil {
		return nil, err
	}
	key, err := parseSigningKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one", ErrInvalid, name, err)
	}
	return key, nil
}

// parseSigningKey reads an ECDSA key on P-256 from PEM: PKCS#8, or SEC 1 with or without its
// parameters ahead.
func parseSigningKey(b []byte) (*ecdsa.PrivateKey, error) {
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			return nil, fmt.Errorf("no private key in PEM: %w", envelope.ErrKey)
		}
		b = rest
		var parsed any
		var err error
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, fmt.Errorf("it is encrypted, decrypt it first (openssl pkey): %w", envelope.ErrKey)
		case block.Type == "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		case block.Type == "PUBLIC KEY":
			return nil, fmt.Errorf("it is a public key, signing takes the private one: %w", envelope.ErrKey)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", envelope.ErrKey, err)
		}
		if key, ok := parsed.(*ecdsa.PrivateKey); ok && key.Curve == elliptic.P256() {
			return key, nil
		}
		return nil, fmt.Errorf("it is of another kind: %w", envelope.ErrKey)
	}
}

// verifyingKey reads a public key from a file.
func (s *Streams) verifyingKey(name string) (*ecdsa.PublicKey, error) {
	b, err := s.readFile(name)
	if err != nil {
		return nil, err
	}
	key, err := envelope.ParsePublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; openssl pkey -in KEY.pem -pubout writes it", ErrInvalid, name, err)
	}
	return key, nil
}
