package simulated

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device/smartdelta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/sim"
)

// Stock is what a server has that its devices were made with.
type Stock interface {
	// Firmware finds the full image of a version for devices of a profile, and its bytes; nil bytes: there
	// is none.
	Firmware(ctx context.Context, profileID string, version fleet.Firmware) (fleet.File, []byte, error)
	// PublicKey returns the public half of a Smart Delta key.
	PublicKey(ctx context.Context, id string) (*ecdsa.PublicKey, error)
}

// Equip gives devices whose profile has Smart Delta the image of their version, and what installs the next one: with the key that
// their image or profile names they take signed patches only, without one any. Devices whose image is not in
// stock run whatever they are sent, as all do without Equip. It is called before the engine runs.
func (n *Network) Equip(s Stock) {
	n.growth.stock, n.growth.outfits = s, map[outfitOf]*outfit{}
}

// outfitOf is what devices have in common that have one outfit.
type outfitOf struct {
	profileID string
	version   fleet.Firmware
}

// outfit is an image and its installer, shared by all who run it.
type outfit struct {
	image   []byte
	install *smartdelta.Installer
}

// equip looks up the outfit of a device.
func (gr *growth) equip(ctx context.Context, spec *sim.DeviceSpec, d fleet.Device, p fleet.DeviceProfile) error {
	if gr.stock == nil || p.Library != fleet.SmartDelta || d.Firmware.IsZero() {
		return nil
	}
	of := outfitOf{p.ID, d.Firmware}
	o := gr.outfits[of]
	if o == nil {
		file, image, err := gr.stock.Firmware(ctx, p.ID, d.Firmware)
		if err != nil || image == nil {
			return err
		}
		o = &outfit{image: image}
		if o.install, err = gr.installer(ctx, p, file); err != nil {
			return err
		}
		gr.outfits[of] = o
	}
	spec.Image, spec.Install = o.image, o.install
	return nil
}

// Flash of simulated devices: more than any patch asks for, since no profile says how much there is.
const (
	slotSize    = 4 << 20
	pageSize    = 256
	scratchSize = 1 << 20
	decoderRAM  = 1 << 30
)

// installer returns what devices have that were made with a file.
func (gr *growth) installer(ctx context.Context, p fleet.DeviceProfile, made fleet.File) (*smartdelta.Installer, error) {
	cfg := smartdelta.Config{
		Hardware: envelope.ProfileOf(p.ProducerID, p.ModuleID, p.HWRevision), Slot: slotSize, Page: pageSize, Scratch: scratchSize, Window: decoderRAM, Extra: scratchSize / 4,
	}
	_, ordered := made.Version.Compare(fleet.DottedFirmware(1))
	cfg.AnyVersion = !ordered // of a form that has no order
	for _, f := range p.DeltaFormats {
		if slices.Contains(smartdelta.InPlace.Formats(), f) {
			cfg.Layout = smartdelta.InPlace // nobody has decoders for one slot and two of them
		}
	}
	for _, f := range p.DeltaFormats {
		if slices.Contains(cfg.Layout.Formats(), f) {
			cfg.Formats = append(cfg.Formats, f)
		}
	}
	id := p.With(made).SmartDeltaKeyID
	if cfg.Unsigned = id == ""; cfg.Unsigned {
		return smartdelta.New(cfg)
	}
	cfg.Bare = true
	var err error
	if cfg.Key, err = gr.stock.PublicKey(ctx, id); err != nil {
		return nil, fmt.Errorf("smart delta key %s: %w", id, err)
	}
	return smartdelta.New(cfg)
}
