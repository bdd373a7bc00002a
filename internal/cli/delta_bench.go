package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/starling-fuota/starling/delta"
)

type deltaBench struct {
	deltaImages
	Formats []string `name:"format" placeholder:"FORMAT" help:"Formats to compare; none: all."`
	deltaDevice
	JSON bool `name:"json" help:"Write JSON."`
}

// Help is shown below the summary of the command.
func (*deltaBench) Help() string {
	return `Makes and applies a patch of each format. Sizes are without envelope, which is 117 bytes and more. A
format that these images have no patch in, such as for want of --memory, has a reason instead of a size.

  starling delta bench --from 1.0.bin --to 1.1.bin --compression 11`
}

// deltaTrial is one format.
type deltaTrial struct {
	Format     delta.Format `json:"format"`
	Compressor string       `json:"compressor,omitempty"`
	PatchBytes int          `json:"patch_bytes,omitempty"`
	Share      float64      `json:"share_percent,omitempty"` // of the new image
	RAMBytes   *int         `json:"ram_bytes,omitempty"`
	CreateMs   int64        `json:"create_ms"`
	ApplyMs    int64        `json:"apply_ms"`
	Error      string       `json:"error,omitempty"`
}

// Run makes all patches, one after the other, so that times can be compared.
func (d *deltaBench) Run(std *Streams) error {
	var formats []delta.Format
	for _, name := range d.Formats {
		f, err := delta.ParseFormat(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
		formats = append(formats, f)
	}
	if formats == nil {
		formats = delta.Formats()
	}
	old, target, err := d.read(std)
	if err != nil {
		return err
	}
	trials := make([]deltaTrial, 0, len(formats))
	var failed error
	for _, f := range formats {
		t, err := d.try(old, target, f)
		if err != nil {
			failed = err
			t.Error = err.Error()
		}
		trials = append(trials, t)
	}
	if failed != nil && !anyMade(trials) {
		return deltaError(failed)
	}
	if d.JSON {
		raw, err := json.Marshal(struct {
			FromBytes int          `json:"from_bytes"`
			ToBytes   int          `json:"to_bytes"`
			Formats   []deltaTrial `json:"formats"`
		}{len(old), len(target), trials})
		if err != nil {
			return err
		}
		return printJSON(std.Out, raw)
	}
	w := tabwriter.NewWriter(std.Out, 0, 8, 2, ' ', 0)
	deltaRow(w, "FORMAT", "COMPRESSOR", "PATCH_BYTES", "SHARE", "RAM_BYTES", "CREATE", "APPLY")
	for _, t := range trials {
		if t.Error != "" {
			deltaRow(w, t.Format, "-", "-", "-", "-", "-", "-")
			fmt.Fprintf(std.Err, "starling: %s\n", t.Error)
			continue
		}
		deltaRow(w, t.Format, t.Compressor, t.PatchBytes, fmt.Sprintf("%.2f %%", t.Share), *t.RAMBytes, fmt.Sprint(t.CreateMs, " ms"), fmt.Sprint(t.ApplyMs, " ms"))
	}
	return w.Flush()
}

func anyMade(trials []deltaTrial) bool {
	for _, t := range trials {
		if t.Error == "" {
			return true
		}
	}
	return false
}

// try makes and applies one patch.
func (d *deltaBench) try(old, target []byte, f delta.Format) (deltaTrial, error) {
	t := deltaTrial{Format: f}
	o := d.options()
	o.Format = f
	began := time.Now()
	p, err := delta.Create(old, target, o)
	t.CreateMs = time.Since(began).Milliseconds()
	if err != nil {
		return t, err
	}
	began = time.Now()
	if _, _, err := delta.Apply(old, p.Bytes, delta.Limits{DictField: d.DictField}); err != nil {
		return t, err
	}
	t.ApplyMs = time.Since(began).Milliseconds()
	t.Format, t.Compressor, t.PatchBytes, t.RAMBytes = p.Format, p.Compressor, len(p.Bytes), &p.RAM
	t.Share = 100 * float64(len(p.Bytes)) / float64(len(target))
	return t, nil
}
