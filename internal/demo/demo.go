package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// ErrOptions means that the options cannot be meant like this; ErrImage that the file is
// not a firmware image that devices could get. Nothing has been started then.
var (
	ErrOptions = errors.New("is out of range")
	ErrImage   = errors.New("firmware file")
)

// MaxDevices bounds a demo to what runs in minutes and a few hundred megabytes.
const MaxDevices = 5000

// Options are the flags of `starling demo`.
type Options struct {
	File    string  // path of the firmware; "": the example's
	From    string  // path of the firmware that devices run at the start; "": the example's if File is, too, else unknown
	Devices int     // 1..MaxDevices
	Loss    float64 // share of frames that every link loses, 0 <= Loss < 1
	Seed    uint64

	Progress io.Writer // where live progress goes
	Terminal bool      // Progress is a terminal

	image []byte
	base  []byte // nil: unknown
}

func (o *Options) fileName() string {
	if o.File == "" {
		return "blinky 2.0.0.0"
	}
	return filepath.Base(o.File)
}

func (o *Options) baseName() string {
	if o.From == "" {
		return "blinky 1.0.0.0"
	}
	return filepath.Base(o.From)
}

// check finds whatever is wrong with the options before anything is made.
func (o *Options) check() error {
	if o.Devices < 1 || o.Devices > MaxDevices {
		return fmt.Errorf("--devices %d %w: use 1 to %d", o.Devices, ErrOptions, MaxDevices)
	}
	if !(o.Loss >= 0 && o.Loss < 1) { // also catches NaN
		return fmt.Errorf("--loss %g %w: use a share from 0 to below 1, such as 0.2", o.Loss, ErrOptions)
	}
	if o.File == "" && o.From != "" {
		return fmt.Errorf("--from without --file %w: name the firmware to send, too", ErrOptions)
	}
	if o.File == "" {
		o.base, o.image = blinky.Image(oldVersion.Uint32()), blinky.Image(newVersion.Uint32())
		return nil
	}
	var err error
	if o.image, err = readImage(o.File); err != nil {
		return err
	}
	if o.From != "" {
		if o.base, err = readImage(o.From); err != nil {
			return err
		}
	}
	return o.fits()
}

// largestBlock is more than any group can carry: no need to read further.
const largestBlock = fec.MaxFragments * 255

func readImage(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("%w cannot be read: %w: name a file that exists and that you may read", ErrImage, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w cannot be read: %w", ErrImage, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w %s is not a file: name the firmware image itself", ErrImage, path)
	}
	image, err := io.ReadAll(io.LimitReader(f, largestBlock+1))
	if err != nil {
		return nil, fmt.Errorf("%w cannot be read: %w", ErrImage, err)
	}
	if len(image) == 0 {
		return nil, fmt.Errorf("%w %s is empty: there is nothing to send", ErrImage, path)
	}
	if format := fleet.DetectFormat(image); !format.Installable() {
		return nil, fmt.Errorf("%w %s is %s, which devices cannot run: convert it with objcopy -O binary", ErrImage, path, format.About())
	}
	return image, nil
}

// fits tells if each group can carry the image.
func (o *Options) fits() error {
	for _, g := range groups() {
		limit, _ := g.Band.MaxFragSize(g.DataRate, region.Options{})
		for _, v := range []lorawan.Version{lorawan.V1, lorawan.V2} {
			if _, err := fec.ChooseFragSize(v, len(o.image), limit); err != nil {
				return fmt.Errorf("%w %s is too large: at most %d fragments of %d bytes fit, %d bytes: %w",
					ErrImage, o.File, fec.MaxFragments, limit, fec.MaxFragments*limit, err)
			}
		}
	}
	return nil
}

// Run runs the three campaigns and returns what they have shown, and the world, which
// goes on until the caller closes it. An error means that the demo could not be run; a
// campaign that failed is no error, but in the report.
func Run(ctx context.Context, o Options, log *slog.Logger) (*Report, *World, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	ctx = service.As(ctx, identity.System(fleet.DefaultSubscriber))
	w, err := newWorld(ctx, o, log)
	if err != nil {
		return nil, nil, err
	}
	r, err := w.show(ctx, o)
	if err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	return r, w, nil
}

// show runs the campaigns one after the other: they share the groups.
func (w *World) show(ctx context.Context, o Options) (*Report, error) {
	b := &bars{out: o.Progress, terminal: o.Terminal}
	r := &Report{}
	for _, c := range w.campaigns() {
		b.begin(c.Name)
		c, p, err := w.run(ctx, c, b.show)
		if err != nil {
			return nil, err
		}
		row := w.campaignReport(c, p)
		if row.FailedFor, err = w.failedFor(ctx, c.ID); err != nil {
			return nil, err
		}
		if row.Image != nil {
			o, err := w.Service.Outcome(ctx, c.ID)
			if err != nil {
				return nil, err
			}
			row.Image.DeltaDevices, row.Image.FullDevices = o.Report.DeltaDevices, o.Report.FullDevices
		}
		r.Campaigns = append(r.Campaigns, row)
	}
	r.Devices = w.deviceReports()
	return r, nil
}

// failedFor counts the failed devices of a campaign by their reasons.
func (w *World) failedFor(ctx context.Context, campaignID string) (map[string]int, error) {
	progress, err := w.Service.Progress(ctx, campaignID)
	if err != nil {
		return nil, err
	}
	reasons := map[string]int{}
	for _, t := range progress.Tally {
		if t.Outcome == campaign.Failed.String() {
			reasons[t.Reason] += t.Devices
		}
	}
	return reasons, nil
}

// StayUp lets virtual time follow the clock on the wall, but for campaigns, which still run
// as fast as they can: a visitor should not have to wait for days.
func (w *World) StayUp() { w.network.SetPace(simulated.JumpThenFollow) }

// Ping tells if the world's store answers.
func (w *World) Ping(ctx context.Context) error { return w.store.Ping(ctx) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
