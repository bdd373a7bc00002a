package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/starling-fuota/starling/delta"
)

// deltaDevice says what the decoder of the device can do.
type deltaDevice struct {
	Compression int      `default:"11" placeholder:"N" help:"The decompressor may keep 2^N bytes in RAM: 4 to 31, detools up to 15."`
	Window      int      `placeholder:"N" help:"Heatshrink decoder with static memory: its window, 4 to 15. None: any within --compression."`
	Lookahead   int      `placeholder:"N" help:"Heatshrink decoder with static memory: its lookahead, 3 to one less than the window."`
	LiteralLine bool     `default:"true" negatable:"" help:"The tinyuz decoder knows literal lines, a build option of it."`
	DictField   int      `default:"4" placeholder:"N" help:"Bytes that the tinyuz decoder reads of the dictionary size, a build option of it: 1 to 4."`
	Extra       byteSize `placeholder:"BYTES" help:"RAM for output that is held back by hpatchlite-inplace; none: 2^N of --compression."`
	Memory      byteSize `placeholder:"BYTES" help:"Flash that the images of detools-inplace share; none: the larger image and two segments."`
	Segment     byteSize `default:"4096" placeholder:"BYTES" help:"Flash that is erased at a time, for detools-inplace."`
	FlashBase   uint32   `placeholder:"ADDRESS" help:"Address that the old image was linked for, for hpatchlite-relocated, such as 0x08000000; none: what its pointers say."`
	Compressor  []string `placeholder:"NAME" help:"Compressors that the decoder was built with: none, tinyuz, crle, heatshrink; none: all of the format."`
}

func (d deltaDevice) options() delta.Options {
	return delta.Options{
		Compression: d.Compression, Window: d.Window, Lookahead: d.Lookahead, LiteralLine: d.LiteralLine, DictField: d.DictField,
		Extra: int(d.Extra), Memory: int(d.Memory), Segment: int(d.Segment), FlashBase: d.FlashBase, Compressors: d.Compressor,
	}
}

// byteSize is a number of bytes, such as 2048, 0x800, 2K or 1M.
type byteSize int

// UnmarshalText reads it.
func (n *byteSize) UnmarshalText(b []byte) error {
	text, unit := strings.ToUpper(string(b)), 1
	if t, ok := strings.CutSuffix(text, "K"); ok {
		text, unit = t, 1<<10
	} else if t, ok := strings.CutSuffix(text, "M"); ok {
		text, unit = t, 1<<20
	}
	v, err := strconv.ParseInt(text, 0, 31)
	if err != nil || v < 0 || v > delta.MaxImage*4/int64(unit) {
		return fmt.Errorf("%q is no number of bytes such as 2048, 2K or 1M", b)
	}
	*n = byteSize(int(v) * unit)
	return nil
}

type deltaCreate struct {
	deltaImages
	Format string   `default:"auto" enum:"auto,hpatchlite,hpatchlite-inplace,hpatchlite-relocated,detools,detools-inplace" help:"Format of the patch: ${enum}. auto takes the smallest of --allow."`
	Allow  []string `default:"hpatchlite,detools" placeholder:"FORMAT" help:"Formats that the device can decode, for auto."`
	deltaDevice
	Key string `placeholder:"FILE" complete:"file" help:"Sign with this private key: ECDSA P-256, PEM, PKCS#8 or SEC 1; none: no signature."`
	deltaSigning
	JSON bool `name:"json" help:"Write what was made as JSON."`
	deltaOutput
}

// Help is shown below the summary of the command.
func (*deltaCreate) Help() string {
	return `The patch is applied before it is written. The same images and flags give the same bytes.
With --key it is in an envelope that names both images, so that a device can refuse it before
it decodes a byte.

  starling delta create --from 1.0.bin --to 1.1.bin --compression 11 --key KEY.pem -o 1.1.patch
  starling delta create --from 1.0.bin --to 1.1.bin --format detools --window 8 --lookahead 7 -o 1.1.patch`
}

// deltaMade is what was made.
type deltaMade struct {
	Format        delta.Format `json:"format"`
	Compressor    string       `json:"compressor"`
	FromBytes     int          `json:"from_bytes"`
	ToBytes       int          `json:"to_bytes"`
	PatchBytes    int          `json:"patch_bytes"` // of the file, with envelope and signature
	RAMBytes      int          `json:"ram_bytes"`
	Signed        bool         `json:"signed"`
	OverheadBytes int          `json:"overhead_bytes"` // of them, envelope and signature
	SHA256        string       `json:"sha256"`         // of the file
}

func made(p delta.Patch, file []byte) deltaMade {
	return deltaMade{
		Format: p.Format, Compressor: p.Compressor, FromBytes: p.From, ToBytes: p.To, PatchBytes: len(file), RAMBytes: p.RAM,
		Signed: len(file) > len(p.Bytes), OverheadBytes: len(file) - len(p.Bytes), SHA256: digestText(file),
	}
}

func digestText(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Run makes the patch.
func (d *deltaCreate) Run(std *Streams) error {
	if err := d.free(); err != nil {
		return err
	}
	if d.Key == "" && d.used() {
		return fmt.Errorf("%w: versions, hardware and --bare-signature are signed: --key is missing", ErrUsage)
	}
	if _, err := d.identity(); err != nil { // before the work, not after it
		return err
	}
	var key *ecdsa.PrivateKey
	if d.Key != "" {
		var err error
		if key, err = std.signingKey(d.Key); err != nil {
			return err
		}
	}
	old, target, err := d.read(std)
	if err != nil {
		return err
	}
	o := d.options()
	o.Format = delta.Format(d.Format)
	for _, name := range d.Allow {
		format, err := delta.ParseFormat(name)
		if err != nil || format == delta.Auto {
			return fmt.Errorf("%w: --allow %s: no such format", ErrUsage, name)
		}
		o.Allowed = append(o.Allowed, format)
	}
	p, err := delta.Create(old, target, o)
	if err != nil {
		return deltaError(err)
	}
	file := p.Bytes
	if key != nil {
		if file, err = d.seal(p, old, target, key); err != nil {
			return err
		}
	}
	if len(file) >= len(target) {
		fmt.Fprintf(std.Err, "starling: the patch has %d bytes, the new image %d: send the image\n", len(file), len(target))
	}
	if err := d.write(std, file); err != nil {
		return err
	}
	return d.report(std, d.JSON, made(p, file))
}

type deltaSign struct {
	deltaImages
	Patch string `required:"" complete:"file" placeholder:"FILE" help:"Patch without a signature."`
	Key   string `required:"" placeholder:"FILE" complete:"file" help:"Private key: ECDSA P-256, PEM, PKCS#8 or SEC 1."`
	deltaSigning
	DictField int  `default:"4" placeholder:"N" help:"Bytes of the dictionary size of tinyuz: 1 to 4."`
	JSON      bool `name:"json" help:"Write what was made as JSON."`
	deltaOutput
}

// Help is shown below the summary of the command.
func (*deltaSign) Help() string {
	return `The patch is applied first: one that does not make the new image of the old one is not signed.

  starling delta sign --from 1.0.bin --to 1.1.bin --patch bare.patch --key KEY.pem -o 1.1.patch`
}

// Run signs the patch.
func (d *deltaSign) Run(std *Streams) error {
	if err := d.free(); err != nil {
		return err
	}
	key, err := std.signingKey(d.Key)
	if err != nil {
		return err
	}
	old, target, err := d.read(std)
	if err != nil {
		return err
	}
	bare, err := std.readFile(d.Patch)
	if err != nil {
		return err
	}
	if isEnvelope(bare) {
		return fmt.Errorf("%w: %s is signed already: make it again with \"starling delta create\"", ErrInvalid, d.Patch)
	}
	got, info, err := delta.Apply(old, bare, delta.Limits{DictField: d.DictField})
	if err != nil {
		return deltaError(fmt.Errorf("%s: %w", d.Patch, err))
	}
	if !bytes.Equal(got, target) {
		return fmt.Errorf("%w: %s makes another image of %s than %s", ErrInvalid, d.Patch, d.From, d.To)
	}
	p := delta.Patch{
		Format: info.Format, Compressor: info.Compressor, Bytes: bare, From: len(old), To: len(target),
		RAM: info.RAM(), WindowLog: info.WindowLog(), Codec: info.Format.Codec(),
	}
	file, err := d.seal(p, old, target, key)
	if err != nil {
		return err
	}
	if err := d.write(std, file); err != nil {
		return err
	}
	return d.report(std, d.JSON, made(p, file))
}
