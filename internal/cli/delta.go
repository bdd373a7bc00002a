package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/fleet"
)

// Delta is "delta", which needs no server.
type Delta struct {
	Create  deltaCreate  `cmd:"" help:"Make a patch of two firmware images, and sign it."`
	Apply   deltaApply   `cmd:"" help:"Make the new image of the old one and a patch, as a device does."`
	Inspect deltaInspect `cmd:"" help:"Show what a patch says of itself."`
	Sign    deltaSign    `cmd:"" help:"Sign a patch that is there already."`
	Verify  deltaVerify  `cmd:"" help:"Check the signature of a patch, and which images it is for."`
	Bench   deltaBench   `cmd:"" help:"Compare sizes and times of all formats for two images."`
}

// Help is shown below the summary of the command.
func (*Delta) Help() string {
	return `Images are binaries as they lie in flash. Nothing is sent anywhere: no server is needed.

  starling delta create --from 1.0.bin --to 1.1.bin --key KEY.pem -o 1.1.patch
  starling delta apply --from 1.0.bin --patch 1.1.patch --public-key PUB.pem -o 1.1.bin

A file that is to be written must not exist. It appears when it is whole.`
}

// deltaImages are the two images of a patch.
type deltaImages struct {
	From string `required:"" placeholder:"OLD" complete:"file" help:"Image that devices have."`
	To   string `required:"" placeholder:"NEW" complete:"file" help:"Image that they should have."`
}

func (d deltaImages) read(std *Streams) (old, target []byte, err error) {
	if old, err = std.readImage(d.From); err != nil {
		return nil, nil, err
	}
	target, err = std.readImage(d.To)
	return old, target, err
}

// readImage reads a firmware image, and refuses what no device has in its flash.
func (s *Streams) readImage(name string) ([]byte, error) {
	b, err := s.readFile(name)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: %s is empty", ErrInvalid, name)
	}
	if format := fleet.DetectFormat(b); !format.Installable() {
		return nil, fmt.Errorf("%w: %s is %s, and patches are made of what lies in flash: make a binary of it, such as with: objcopy -O binary image.elf image.bin (-I ihex or -I srec for HEX and S-records)",
			ErrInvalid, name, format.About())
	}
	return b, nil
}

// deltaOutput is where a result goes.
type deltaOutput struct {
	Output string `required:"" short:"o" placeholder:"FILE" complete:"file" help:"File to write, which must not exist; - for standard output."`
}

// free returns an error if the file is there already: afterwards the work would be lost.
func (d deltaOutput) free() error {
	if d.Output == "-" {
		return nil
	}
	if _, err := os.Lstat(d.Output); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s exists already, the result needs a new file", ErrUsage, d.Output)
	}
	return nil
}

// write puts a result where it belongs. A file appears whole or not at all.
func (d deltaOutput) write(std *Streams, b []byte) (err error) {
	if d.Output == "-" {
		_, err := std.Out.Write(b)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(d.Output), "."+filepath.Base(d.Output)+"-*")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has its real name by now, or is of no use
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	// A link is refused if the name was taken meanwhile, which Rename would replace. Some file
	// systems have no links.
	if err = os.Link(f.Name(), d.Output); err == nil {
		return nil
	}
	if err := d.free(); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.Output)
}

// report writes what became of a command: JSON for programs, lines for people. Where the result
// itself goes to standard output, that has it alone.
func (d deltaOutput) report(std *Streams, asJSON bool, v any) error {
	out := std.Out
	if d.Output == "-" {
		out = std.Err
	}
	return deltaReport(out, asJSON, v)
}

func deltaReport(w io.Writer, asJSON bool, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, raw)
	}
	return (&Form{}).show(w, raw)
}

// deltaError gives an error of the engine its exit code, and says what to do.
func deltaError(err error) error {
	hint := ""
	for _, c := range []struct {
		is   error
		hint string
	}{
		{delta.ErrSame, "there is nothing to send"},
		{envelope.ErrBase, "--from must be the image that the patch was made of"},
		{envelope.ErrSignature, "is --public-key the counterpart of the key that signed it? If it is, the file has changed since"},
		{envelope.ErrMagic, "it is not signed, or with --bare-signature"},
		{delta.ErrApply, "is it the image that the patch was made of, and the whole patch?"},
		{delta.ErrFormat, "a patch begins with \"hI\", with a map, or with the header of detools"},
	} {
		if errors.Is(err, c.is) {
			hint = " (" + c.hint + ")"
			break
		}
	}
	kind := ErrInvalid
	if errors.Is(err, delta.ErrOptions) {
		kind = ErrUsage
	}
	return fmt.Errorf("%w: %w%s", kind, err, hint)
}

// deltaRow writes one line of a table.
func deltaRow(w *tabwriter.Writer, cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, c)
	}
	fmt.Fprintln(w)
}
