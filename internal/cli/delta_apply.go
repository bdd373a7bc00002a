package cli

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
)

// isEnvelope reports whether a file is a signed patch.
func isEnvelope(b []byte) bool { return bytes.HasPrefix(b, []byte(envelope.Magic)) }

// deltaTrust says what is believed of a patch.
type deltaTrust struct {
	PublicKey     string `placeholder:"FILE" complete:"file" help:"Public key that the patch must be signed with: PEM, DER, or 64 bytes X and Y. A signed patch is not looked into without it."`
	BareSignature bool   `help:"The signature is the last 64 bytes of the patch, and there is no envelope."`
	DictField     int    `default:"4" placeholder:"N" help:"Bytes of the dictionary size of tinyuz: 1 to 4."`
}

// open returns the bare patch after the signature is verified, and the header of its envelope,
// which is zero for a patch without one.
func (d deltaTrust) open(std *Streams, name string) ([]byte, envelope.Header, error) {
	var h envelope.Header
	b, err := std.readFile(name)
	if err != nil {
		return nil, h, err
	}
	if len(b) == 0 {
		return nil, h, fmt.Errorf("%w: %s is empty", ErrInvalid, name)
	}
	if d.PublicKey == "" {
		if d.BareSignature || isEnvelope(b) {
			return nil, h, fmt.Errorf("%w: %s is signed: --public-key must say by whom", ErrUsage, name)
		}
		return b, h, nil
	}
	pub, err := std.verifyingKey(d.PublicKey)
	if err != nil {
		return nil, h, err
	}
	if d.BareSignature {
		b, err = envelope.VerifyBare(b, pub)
	} else {
		h, b, err = envelope.Verify(b, pub)
	}
	if err != nil {
		return nil, h, deltaError(fmt.Errorf("%s: %w", name, err))
	}
	return b, h, nil
}

type deltaApply struct {
	From  string `required:"" placeholder:"OLD" complete:"file" help:"Image that the device has."`
	Patch string `required:"" placeholder:"FILE" complete:"file" help:"Patch, in an envelope or not."`
	deltaTrust
	JSON bool `name:"json" help:"Write what was made as JSON."`
	deltaOutput
}

// Help is shown below the summary of the command.
func (*deltaApply) Help() string {
	return `An envelope is verified, and the old image compared with what it names, before the patch is decoded;
the new image is compared before it is written. A patch without envelope knows no images: compare the
SHA-256 of the result.

  starling delta apply --from 1.0.bin --patch 1.1.patch --public-key PUB.pem -o 1.1.bin`
}

// deltaApplied is what became of the patch.
type deltaApplied struct {
	Format     delta.Format `json:"format"`
	Compressor string       `json:"compressor"`
	FromBytes  int          `json:"from_bytes"`
	ToBytes    int          `json:"to_bytes"`
	PatchBytes int          `json:"patch_bytes"` // without envelope and signature
	Signed     bool         `json:"signed"`      // and by the key that was given
	SHA256     string       `json:"sha256"`      // of the new image
}

// Run makes the new image.
func (d *deltaApply) Run(std *Streams) error {
	if err := d.free(); err != nil {
		return err
	}
	old, err := std.readImage(d.From)
	if err != nil {
		return err
	}
	patch, h, err := d.open(std, d.Patch)
	if err != nil {
		return err
	}
	image, info, err := d.apply(old, patch, h)
	if err != nil {
		return deltaError(fmt.Errorf("%s: %w", d.Patch, err))
	}
	if err := d.write(std, image); err != nil {
		return err
	}
	return d.report(std, d.JSON, deltaApplied{
		Format: info.Format, Compressor: info.Compressor, FromBytes: len(old), ToBytes: len(image), PatchBytes: len(patch),
		Signed: d.PublicKey != "", SHA256: digestText(image),
	})
}

// apply makes the checks that come after the signature, and the new image.
func (d deltaTrust) apply(old, patch []byte, h envelope.Header) ([]byte, delta.Info, error) {
	sealed := h != envelope.Header{}
	if sealed {
		if err := h.CheckBase(old); err != nil {
			return nil, delta.Info{}, err
		}
		if h.Codec == envelope.Full {
			return patch, delta.Info{Format: "full", Compressor: delta.None, To: len(patch)}, h.CheckTarget(patch)
		}
	}
	image, info, err := delta.Apply(old, patch, delta.Limits{DictField: d.DictField})
	if err != nil {
		return nil, info, err
	}
	if sealed {
		if info.Format.Codec() != h.Codec {
			return nil, info, fmt.Errorf("patch is %s, the envelope says %s: %w", info.Format, h.Codec, delta.ErrFormat)
		}
		err = h.CheckTarget(image)
	}
	return image, info, err
}

type deltaVerify struct {
	Patch         string `arg:"" complete:"file" help:"Signed patch."`
	PublicKey     string `required:"" placeholder:"FILE" complete:"file" help:"Public key that the patch must be signed with: PEM, DER, or 64 bytes X and Y."`
	BareSignature bool   `help:"The signature is the last 64 bytes of the patch, and there is no envelope."`
	From          string `placeholder:"OLD" complete:"file" help:"Image that the patch must be for; none: any."`
	To            string `placeholder:"NEW" complete:"file" help:"Image that the patch must make, by its digest; none: any."`
	JSON          bool   `name:"json" help:"Write what was found as JSON."`
}

// Help is shown below the summary of the command.
func (*deltaVerify) Help() string {
	return `Ends with exit code 5 if the signature is not that of the key, or the images are others. The patch is not
applied.

  starling delta verify 1.1.patch --public-key PUB.pem --from 1.0.bin`
}

// Run verifies.
func (d *deltaVerify) Run(std *Streams) error {
	trust := deltaTrust{PublicKey: d.PublicKey, BareSignature: d.BareSignature}
	if d.BareSignature && (d.From != "" || d.To != "") {
		return fmt.Errorf("%w: a patch with a bare signature does not say which images it is for: leave out --from and --to", ErrUsage)
	}
	patch, h, err := trust.open(std, d.Patch)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name  string
		check func([]byte) error
	}{{d.From, h.CheckBase}, {d.To, h.CheckTarget}} {
		if c.name == "" {
			continue
		}
		image, err := std.readImage(c.name)
		if err != nil {
			return err
		}
		if err := c.check(image); err != nil {
			return deltaError(fmt.Errorf("%s: %w", c.name, err))
		}
	}
	found := deltaFound{Signed: true, Verified: true, PatchBytes: len(patch)}
	if !d.BareSignature {
		found.sealed(h)
	}
	return deltaReport(std.Out, d.JSON, found)
}

// deltaFound is what a patch says of itself. What does not apply to a format is left out.
type deltaFound struct {
	Format     string `json:"format,omitempty"`
	Compressor string `json:"compressor,omitempty"`
	FromBytes  int    `json:"from_bytes,omitempty"`
	ToBytes    int    `json:"to_bytes,omitempty"`
	PatchBytes int    `json:"patch_bytes"` // without envelope and signature
	RAMBytes   *int   `json:"ram_bytes,omitempty"`
	Signed     bool   `json:"signed"`
	Verified   bool   `json:"verified"`

	WindowBytes int `json:"window_bytes,omitempty"` // in an envelope: rounded up to a power of two
	Lookahead   int `json:"lookahead,omitempty"`
	Extra       int `json:"extra_bytes,omitempty"`
	Memory      int `json:"memory_bytes,omitempty"`
	Segment     int `json:"segment_bytes,omitempty"`
	Shift       int `json:"shift_bytes,omitempty"`
	Map         int `json:"map_bytes,omitempty"`
	MapSegments int `json:"map_segments,omitempty"`

	FromDigest  string `json:"from_digest,omitempty"`
	ToDigest    string `json:"to_digest,omitempty"`
	FromVersion string `json:"from_version,omitempty"`
	ToVersion   string `json:"to_version,omitempty"`
	Profile     string `json:"profile,omitempty"`
	MCUboot     bool   `json:"mcuboot,omitempty"`
}

// sealed takes over what an envelope says.
func (d *deltaFound) sealed(h envelope.Header) {
	d.Signed, d.Format, d.FromBytes, d.ToBytes, d.PatchBytes = true, h.Codec.String(), int(h.BaseSize), int(h.TargetSize), int(h.PayloadSize)
	d.FromDigest, d.ToDigest, d.MCUboot = h.Base.String(), h.Target.String(), h.MCUbootDigests
	if h.WindowLog > 0 {
		d.WindowBytes = 1 << h.WindowLog
	}
	if h.BaseVersion != 0 {
		d.FromVersion = h.BaseVersion.String()
	}
	if h.TargetVersion != 0 {
		d.ToVersion = h.TargetVersion.String()
	}
	if h.Profile != (envelope.Profile{}) {
		d.Profile = fmt.Sprintf("%x", h.Profile[:])
	}
}

// bare takes over what the patch itself says.
func (d *deltaFound) bare(info delta.Info, size int) {
	ram := info.RAM()
	d.Format, d.Compressor, d.PatchBytes, d.RAMBytes = string(info.Format), info.Compressor, size, &ram
	d.ToBytes, d.WindowBytes, d.Lookahead, d.Extra = info.To, info.Window, info.Lookahead, info.Extra
	d.Memory, d.Segment, d.Shift = info.Memory, info.Segment, info.Shift
	d.Map, d.MapSegments = info.MapSize, len(info.Map.F)+len(info.Map.R)
	if info.From != 0 {
		d.FromBytes = info.From
	}
}

type deltaInspect struct {
	Patch         string `arg:"" complete:"file" help:"Patch, in an envelope or not."`
	PublicKey     string `placeholder:"FILE" complete:"file" help:"Public key that the patch must be signed with; none: show what the envelope claims."`
	BareSignature bool   `help:"The signature is the last 64 bytes of the patch, and there is no envelope."`
	JSON          bool   `name:"json" help:"Write JSON."`
}

// Help is shown below the summary of the command.
func (*deltaInspect) Help() string {
	return `Shows the header of a patch. Of a signed one, without --public-key, it shows what the envelope claims and not
what is in it: "verified" says which. Digests are the first half of SHA-256.

  starling delta inspect 1.1.patch --json`
}

// Run shows the headers.
func (d *deltaInspect) Run(std *Streams) error {
	var found deltaFound
	b, err := std.readFile(d.Patch)
	if err != nil {
		return err
	}
	if d.PublicKey == "" && isEnvelope(b) {
		u, err := envelope.Parse(b)
		if err != nil {
			return deltaError(fmt.Errorf("%s: %w", d.Patch, err))
		}
		found.sealed(u.Header())
		return deltaReport(std.Out, d.JSON, found)
	}
	if d.Patch == "-" && d.PublicKey != "" {
		return fmt.Errorf("%w: a patch that is verified must be a file", ErrUsage)
	}
	b, h, err := deltaTrust{PublicKey: d.PublicKey, BareSignature: d.BareSignature}.open(std, d.Patch)
	if err != nil {
		return err
	}
	if h != (envelope.Header{}) {
		found.sealed(h)
	}
	found.Signed = d.PublicKey != ""
	found.Verified = found.Signed
	info, err := delta.Inspect(b)
	switch {
	case err == nil:
		found.bare(info, len(b))
	case h.Codec != envelope.Full || h == (envelope.Header{}) || !errors.Is(err, delta.ErrFormat):
		return deltaError(fmt.Errorf("%s: %w", d.Patch, err))
	}
	return deltaReport(std.Out, d.JSON, found)
}
