package service

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// A delta is made by a job:
//
//	GenerateDelta ── may the two be a pair? ── job jobDelta, with the identifier of the new file
//	                                             │ Work, of whichever process comes first
//	  read both ── delta.Create ── Sign ── Open and apply, as a device does ── file of type delta
//
// It is CPU time and nothing else until the file is stored, in one transaction: a job that was
// interrupted begins again, makes the same bytes, and finds the file that is there already.

// Signatures of a delta.
const (
	SignatureAuto     = "auto"     // an envelope if there is a Smart Delta key, else none
	SignatureEnvelope = "envelope" // of package delta/envelope
	SignatureBare     = "bare"     // the patch, then r and s
	SignatureNone     = "none"     // the patch alone
)

// DeltaOrder says which delta is wanted. The zero value of whatever is not an identifier is a default.
type DeltaOrder struct {
	FromID      string       `json:"from_file_id"` // full image that devices run
	ToID        string       `json:"to_file_id"`   // full image that they shall run
	Name        string       `json:"name,omitempty"`
	Format      delta.Format `json:"format,omitempty"`      // "": delta.Auto
	Compression int          `json:"compression,omitempty"` // see delta.Options, as all below
	Window      int          `json:"window,omitempty"`
	Lookahead   int          `json:"lookahead,omitempty"`
	LiteralLine bool         `json:"literal_line,omitempty"`
	Extra       int          `json:"extra_bytes,omitempty"`
	Memory      int          `json:"memory_bytes,omitempty"`
	Segment     int          `json:"segment_bytes,omitempty"`
	FlashBase   uint32       `json:"flash_base,omitempty"`
	Signature   string       `json:"signature,omitempty"` // "": SignatureAuto
}

// deltaArgs are the arguments of a jobDelta.
type deltaArgs struct {
	DeltaOrder
	FileID string `json:"file_id"` // of the delta, fixed before the first attempt so that a second one makes no other
}

// DeltaResult is what a jobDelta leaves.
type DeltaResult struct {
	FileID          string           `json:"file_id"`
	SHA256          string           `json:"sha256"`
	Format          delta.Format     `json:"format"`
	Compressor      string           `json:"compressor"`
	Signature       string           `json:"signature"` // envelope, bare or none
	SmartDeltaKeyID string           `json:"smart_delta_key_id,omitempty"`
	FromBytes       int              `json:"from_bytes"`
	ToBytes         int              `json:"to_bytes"`
	PatchBytes      int              `json:"patch_bytes"` // without envelope and signature
	FileBytes       int              `json:"file_bytes"`  // with them: what is sent
	Ratio           float64          `json:"ratio"`       // FileBytes by ToBytes
	RAMBytes        int              `json:"ram_bytes"`   // that the decoder needs
	Fragments       []DeltaFragments `json:"fragments"`   // of the bands of the multicast groups; EU868 if there are none
}

// DeltaFragments says what a delta saves at one data rate, in uncoded fragments.
type DeltaFragments struct {
	Band     region.Band `json:"band"`
	DataRate uint8       `json:"data_rate"`
	FragSize int         `json:"frag_size"` // bytes, of the delta
	Delta    int         `json:"delta"`     // 0: devices of the profile do not take it at this data rate
	Full     int         `json:"full"`      // of the full image; 0 as above
}

// Bounds of making deltas.
const (
	// maxDeltaImage is what a fragmentation session carries, 16383 fragments of 255 bytes, and
	// bounds the memory of the job.
	maxDeltaImage = 4 << 20
	// deltaRenewed is how often the lease of the job is renewed, and how soon a cancelled one ends.
	deltaRenewed = 5 * time.Second
	deltaSteps   = 4 // read, made, verified, stored
)

// errDeltaFatal is of a job that was begun too often: every time, the server ended over it.
var errDeltaFatal = errors.New("the delta was begun too often")

// GenerateDelta starts a job that makes a delta file of two firmware files; its result is a DeltaResult.
// Pairs that cannot be are refused at once, with FieldErrors that say why. The delta is signed with the
// Smart Delta key of the target or else of its profile.
func (s *Service) GenerateDelta(ctx context.Context, order DeltaOrder) (job store.Job, err error) {
	err = s.change(ctx, identity.WriteFleet, func(c *changes) error {
		pair, err := s.pairOf(ctx, c, order)
		if err != nil {
			return err
		}
		args := deltaArgs{DeltaOrder: order}
		if args.FileID, err = newID(); err != nil {
			return err
		}
		if job, err = s.enqueue(ctx, c, jobDelta, args); err != nil {
			return err
		}
		c.recordIn(pair.to.SubscriberID, "file.generate_delta", "file", pair.to.ID, nil, "from "+pair.from.ID+", job "+job.ID)
		return nil
	})
	if err == nil {
		s.wake()
	}
	return job, err
}

// deltaPair is what a delta is made of.
type deltaPair struct {
	from, to  fleet.File
	profile   fleet.DeviceProfile
	signature string // not SignatureAuto
	key       fleet.SmartDeltaKey
}

// pairOf looks up what an order names, and returns FieldErrors if no delta can be made of it.
func (s *Service) pairOf(ctx context.Context, o store.Objects, order DeltaOrder) (p deltaPair, err error) {
	if p.to, err = o.Files().Find(ctx, order.ToID); err != nil {
		return p, err
	}
	if err := referTo(ctx, o.Files(), "from_file_id", order.FromID, func(f fleet.File) bool { p.from = f; return f.Archived }); err != nil {
		return p, err
	}
	if err := errors.Join(order.check(), image("id", p.to), image("from_file_id", p.from)); err != nil {
		return p, err
	}
	if err := p.check(); err != nil {
		return p, err
	}
	if p.profile, err = o.Profiles().Find(ctx, p.to.ProfileID); err != nil {
		return p, err
	}
	return p, p.chooseSignature(ctx, o, order.Signature)
}

// check returns why a delta from one image to the other makes no sense, or nil.
func (p deltaPair) check() error {
	switch {
	case p.from.ID == p.to.ID:
		return invalid("from_file_id", "is the target itself", "name the image that devices run now")
	case p.from.ProfileID != p.to.ProfileID:
		return invalid("from_file_id", "is for another device profile than the target", "a delta is for one kind of hardware")
	case p.from.Version.Uint32() == p.to.Version.Uint32():
		return invalid("from_file_id", "has the version of the target, "+p.to.Version.String(), "devices could not tell before from after: give each image a version of its own")
	case p.from.SHA256 == p.to.SHA256:
		return invalid("from_file_id", "has the same bytes as the target", "there is nothing to send")
	}
	return nil
}

// image returns what keeps a file from being one end of a delta, or nil.
func image(field string, f fleet.File) error {
	switch {
	case f.Archived:
		return invalid(field, "is archived", "bring it back, or choose another")
	case f.Type == fleet.DeltaFile:
		return invalid(field, "is a delta itself", "name full images: those that its ends were made of")
	case f.Type != fleet.FirmwareFile:
		return invalid(field, fmt.Sprintf("is a %s file", f.Type), "deltas lead from firmware to firmware")
	case !f.HasContent():
		return invalid(field, "has no content", "upload it first")
	case !f.Format.Installable():
		return invalid(field, "is "+f.Format.About(), "a delta needs the bytes as they are in flash: make a binary with objcopy -O binary")
	case f.Size > maxDeltaImage:
		return invalid(field, fmt.Sprintf("has %d bytes, at most %d", f.Size, maxDeltaImage), "no fragmentation session carries more")
	}
	return nil
}

// check returns what is wrong with an order in itself. The rest is for package delta to know.
func (o DeltaOrder) check() error {
	if o.Format != "" {
		if _, err := delta.ParseFormat(string(o.Format)); err != nil {
			return invalid("format", "is unknown", fmt.Sprintf("use %s or one of %q", delta.Auto, delta.Formats()))
		}
	}
	switch {
	case o.Compression != 0 && (o.Compression < delta.MinCompression || o.Compression > delta.MaxCompression):
		return invalid("compression", "is out of range", fmt.Sprintf("%d to %d: the decoder keeps 2^n bytes", delta.MinCompression, delta.MaxCompression))
	case (o.Window == 0) != (o.Lookahead == 0):
		return invalid("window", "and lookahead go together", "give both, as the decoder was built, or none")
	case o.Extra < 0 || o.Memory < 0 || o.Segment < 0 || max(o.Extra, o.Memory, o.Segment) > 2*maxDeltaImage:
		return invalid("memory_bytes", "or another size is out of range", fmt.Sprintf("0 to %d bytes", 2*maxDeltaImage))
	case o.Signature != "" && !slices.Contains([]string{SignatureAuto, SignatureEnvelope, SignatureBare, SignatureNone}, o.Signature):
		return invalid("signature", "is unknown", "use auto, envelope, bare or none")
	}
	return nil
}

// chooseSignature finds the key that signs.
func (p *deltaPair) chooseSignature(ctx context.Context, o store.Objects, wanted string) error {
	id := p.profile.With(p.to).SmartDeltaKeyID
	switch {
	case wanted == SignatureNone, id == "" && (wanted == "" || wanted == SignatureAuto):
		p.signature = SignatureNone
		return nil
	case id == "":
		return invalid("signature", "has no key", "set smart_delta_key_id on the target or on its device profile")
	case wanted == SignatureBare:
		p.signature = SignatureBare
	default:
		p.signature = SignatureEnvelope
	}
	return referTo(ctx, o.SmartDeltaKeys(), "smart_delta_key_id", id, func(k fleet.SmartDeltaKey) bool { p.key = k; return k.Archived })
}

// generateDelta is the work of a jobDelta.
func generateDelta(ctx context.Context, s *Service, j *task) (any, error) {
	var args deltaArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return nil, fmt.Errorf("arguments of job %s: %w", j.ID, err)
	}
	if j.Attempts > jobAttempts {
		return nil, errDeltaFatal
	}
	o := s.store.Within(j.SubscriberID)
	p, err := s.pairOf(ctx, o, args.DeltaOrder) // again: it may have been archived
	if err != nil {
		return nil, err
	}
	old, err := s.readImage(ctx, "from_file_id", p.from)
	if err != nil {
		return nil, err
	}
	target, err := s.readImage(ctx, "id", p.to)
	if err != nil {
		return nil, err
	}
	if err := j.report(1, deltaSteps); err != nil {
		return nil, err
	}
	patch, err := meanwhile(ctx, func() error { return j.report(1, deltaSteps) }, func() (delta.Patch, error) {
		return delta.Create(old, target, args.options(p.profile))
	})
	if err != nil {
		return nil, deltaRefused(err)
	}
	if err := j.report(2, deltaSteps); err != nil {
		return nil, err
	}
	content, err := p.seal(patch, old, target)
	if err != nil {
		return nil, err
	}
	if len(content) >= len(target) {
		return nil, invalid("from_file_id", fmt.Sprintf("has too little in common with the target: the delta has %d bytes, the image %d", len(content), len(target)), "send the image itself")
	}
	if err := j.report(3, deltaSteps); err != nil {
		return nil, err
	}
	file, err := s.publishDelta(ctx, p, args, content)
	if err != nil {
		return nil, err
	}
	result := DeltaResult{FileID: file.ID, SHA256: file.SHA256, Format: patch.Format, Compressor: patch.Compressor, Signature: p.signature,
		FromBytes: len(old), ToBytes: len(target), PatchBytes: len(patch.Bytes), FileBytes: len(content), Ratio: float64(len(content)) / float64(len(target)), RAMBytes: patch.RAM}
	if p.signature != SignatureNone {
		result.SmartDeltaKeyID = p.key.ID
	}
	if result.Fragments, err = deltaFragments(ctx, o, p.profile, len(content), len(target)); err != nil {
		return nil, err
	}
	return result, j.report(deltaSteps, deltaSteps)
}

// options are those of an order for devices of a profile. Of the formats that a profile names, delta.Auto tries all.
func (o DeltaOrder) options(p fleet.DeviceProfile) delta.Options {
	return delta.Options{Format: o.Format, Compression: o.Compression, Window: o.Window, Lookahead: o.Lookahead, LiteralLine: o.LiteralLine,
		Extra: o.Extra, Memory: o.Memory, Segment: o.Segment, FlashBase: o.FlashBase,
		Allowed: p.DeltaFormats}
}

// deltaRefused tells people what package delta has against their order. Other errors stay as they are.
func deltaRefused(err error) error {
	switch {
	case errors.Is(err, delta.ErrOptions):
		return invalid("format", "and the options give no delta: "+err.Error(), "change what it says, or leave it out")
	case errors.Is(err, delta.ErrSame), errors.Is(err, delta.ErrEmpty), errors.Is(err, delta.ErrTooLarge):
		return invalid("from_file_id", "and the target give no delta: "+err.Error(), "choose other images")
	}
	return err
}

// readImage reads the bytes of an image, and looks at them once more: a file that came before formats
// were told apart says nothing of its own.
func (s *Service) readImage(ctx context.Context, field string, f fleet.File) ([]byte, error) {
	r, err := s.store.OpenContent(ctx, f.SHA256)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // it was only read
	b, err := io.ReadAll(&limitedReader{r: r, left: maxDeltaImage})
	if err != nil {
		return nil, err
	}
	f.Format = fleet.DetectFormat(b)
	return b, image(field, f)
}

// meanwhile computes something that takes long, and calls renew every few seconds until it is there. An
// error of renew ends it once the computation has: two of them would share the memory that one may take.
func meanwhile[T any](ctx context.Context, renew func() error, compute func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil { // it must not end the server
				done <- outcome{err: fmt.Errorf("panicked: %v", v)}
			}
		}()
		value, err := compute()
		done <- outcome{value, err}
	}()
	tick := time.NewTicker(deltaRenewed)
	defer tick.Stop()
	var gone error
	for {
		select {
		case o := <-done:
			if gone != nil {
				o.err = gone
			}
			return o.value, o.err
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		case <-tick.C:
			if gone == nil {
				gone = renew()
			}
		}
	}
}

// seal signs a patch as wanted, and then does what a device would with the result: a delta that does not
// lead to the target is not offered.
func (p deltaPair) seal(patch delta.Patch, old, target []byte) (content []byte, err error) {
	if p.signature == SignatureNone {
		return patch.Bytes, checkDelta(old, patch.Bytes, target)
	}
	private, err := privateKey(p.key)
	if err != nil {
		return nil, err
	}
	if p.signature == SignatureBare {
		if content, err = envelope.SignBare(patch.Bytes, private); err != nil {
			return nil, err
		}
		payload, err := envelope.VerifyBare(content, &private.PublicKey)
		if err != nil {
			return nil, err
		}
		return content, checkDelta(old, payload, target)
	}
	id := delta.Identity{BaseVersion: envelope.Version(p.from.Version.Uint32()), TargetVersion: envelope.Version(p.to.Version.Uint32()),
		Profile: envelope.ProfileOf(p.profile.ProducerID, p.profile.ModuleID, p.profile.HWRevision)}
	if content, err = delta.Sign(patch, old, target, id, private); err != nil {
		return nil, err
	}
	sealed, err := envelope.Parse(content)
	if err != nil {
		return nil, err
	}
	payload, err := sealed.Verify(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	return content, errors.Join(checkDelta(old, payload, target), sealed.Header().CheckTarget(target))
}

// checkDelta applies a patch.
func checkDelta(old, patch, target []byte) error {
	made, _, err := delta.Apply(old, patch, delta.Limits{Image: maxDeltaImage})
	if err == nil && !bytes.Equal(made, target) {
		err = errors.New("the delta leads to another image than the target")
	}
	return err
}

// privateKey reads a Smart Delta key.
func privateKey(k fleet.SmartDeltaKey) (*ecdsa.PrivateKey, error) {
	// The error of the parser is dropped: it can say what the bytes are like.
	parsed, err := x509.ParsePKCS8PrivateKey(k.PrivateKey)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("smart delta key %s cannot be read", k.ID)
	}
	return private, nil
}

// publishDelta stores a delta and returns it. Doing it twice is no error.
func (s *Service) publishDelta(ctx context.Context, p deltaPair, args deltaArgs, content []byte) (fleet.File, error) {
	stored, err := s.store.PutContent(ctx, bytes.NewReader(content))
	if err != nil {
		return fleet.File{}, err
	}
	var file fleet.File
	err = s.change(ctx, identity.WriteFleet, func(c *changes) (err error) {
		if file, err = c.Files().Find(ctx, args.FileID); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		to := p.to
		file = fleet.File{ID: args.FileID, Name: args.Name, Description: fmt.Sprintf("Made from %s (%s) and %s (%s).", p.from.Name, p.from.ID, to.Name, to.ID),
			UploadedAt: s.now(), Size: stored.Size, SHA256: stored.SHA256, Format: fleet.DetectFormat(content), Type: fleet.DeltaFile,
			BaseVersion: p.from.Version, Version: to.Version, ProfileID: to.ProfileID, TimeTolerance: to.TimeTolerance,
			DefaultUplinkPeriod: to.DefaultUplinkPeriod, Library: to.Library, Descriptor: to.Descriptor}
		if file.Name == "" {
			file.Name = fmt.Sprintf("Delta %s to %s", p.from.Version, to.Version)
		}
		if p.signature != SignatureNone {
			file.SmartDeltaKeyID = p.key.ID
			c.recordIn(to.SubscriberID, "smart_delta_key.sign", "smart_delta_key", p.key.ID, nil, "file "+file.ID+", "+p.signature)
		}
		return s.Files.insert(ctx, c, &file)
	})
	return file, err
}

// deltaFragments counts the fragments of both at each data rate that devices of a profile could be sent them at.
func deltaFragments(ctx context.Context, o store.Objects, p fleet.DeviceProfile, patch, full int) ([]DeltaFragments, error) {
	var bands []region.Band
	for _, b := range region.Bands() {
		n, err := o.Groups().Count(ctx, store.Query{Where: map[store.Field]string{store.ByBand: b.String()}})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			bands = append(bands, b)
		}
	}
	if len(bands) == 0 {
		bands = []region.Band{region.EU868}
	}
	var out []DeltaFragments
	for _, b := range bands {
		for dr := range uint8(16) {
			limit, ok := b.MaxFragSize(dr, region.Options{})
			if !ok {
				continue
			}
			row := DeltaFragments{Band: b, DataRate: dr}
			row.FragSize, row.Delta = cutFor(p, patch, limit)
			_, row.Full = cutFor(p, full, limit)
			out = append(out, row)
		}
	}
	return out, nil
}

// cutFor returns size and count of the fragments of a block for devices of a profile; 0 if they do not take it.
func cutFor(p fleet.DeviceProfile, block, limit int) (size, count int) {
	d := p.Decoder
	if d.MaxFragSize > 0 {
		limit = min(limit, int(d.MaxFragSize))
	}
	opts := []fec.Option{fec.Within(fec.Limits{NbFrag: int(d.MaxNbFrag), FragSize: int(d.MaxFragSize), MinFragSize: int(d.MinFragSize), MaxLost: int(d.MaxLost)})}
	if d.FragSizeMultiple > 1 {
		opts = append(opts, fec.MultipleOf(int(d.FragSizeMultiple)))
	}
	choice, err := fec.ChooseFragSize(max(p.Packages.Fragmentation, lorawan.V1), block, limit, opts...)
	if err != nil {
		return 0, 0
	}
	return choice.FragSize, choice.NbFrag
}
