package cli

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// File is "file".
type File struct {
	Connection
	List     List               `cmd:"" help:"List files."`
	Show     Show               `cmd:"" help:"Show a file."`
	Create   createFile         `cmd:"" help:"Create a file and upload its content."`
	Update   Update[fileFields] `cmd:"" help:"Change what is known about a file."`
	Upload   upload             `cmd:"" help:"Give a file its content, once."`
	Download download           `cmd:"" help:"Get the content of a file."`
	Delta    generateDelta      `cmd:"" help:"Have a delta made that leads to a firmware file."`
	Archive  Archive            `cmd:"" help:"Take files out of the lists."`
	Export   exportList         `cmd:"" help:"Write what is known about all files as a table."`
	Bulk     Bulk[fileFields]   `cmd:"" help:"Archive, restore or change many files."`
}

func (*File) noun() *noun {
	return &noun{path: "files", fields: "archived, created_at, id, name, profile_id, size, type, updated_at, uploaded_at, version",
		columns: columns{"id", "name", "type", "version", "base_version", "size", "format", "profile_id", "uploaded_at"},
		wide:    append(columns{"sha256", "descriptor", "library", "smart_delta_key_id", "description"}, stamps...)}
}

type fileFields struct {
	noSecrets
	Name                *string  `json:"name,omitempty" help:"For people."`
	Description         *string  `json:"description,omitempty" help:"For people, longer."`
	Type                *string  `json:"type,omitempty" help:"binary, firmware or delta."`
	BaseVersion         *string  `json:"base_version,omitempty" help:"Delta: what the device must run."`
	Version             *string  `json:"version,omitempty" help:"What the device runs afterwards."`
	ProfileID           *string  `json:"profile_id,omitempty" name:"profile" complete:"device-profiles" help:"Identifier of the device profile."`
	Library             *string  `json:"library,omitempty" help:"smart_delta or other."`
	SmartDeltaKeyID     *string  `json:"smart_delta_key_id,omitempty" name:"key" complete:"smart-delta-keys" help:"Identifier of the smart delta key."`
	TimeTolerance       *seconds `json:"time_tolerance_s,omitempty" placeholder:"TIME" help:"Clock drift to allow for; 0: the profile's."`
	DefaultUplinkPeriod *seconds `json:"default_uplink_period_s,omitempty" name:"uplink-period" placeholder:"TIME" help:"Time between uplinks; 0: the profile's."`
	Descriptor          *string  `json:"descriptor,omitempty" help:"8 hexadecimal digits; none: made from the version."`
}

type createFile struct {
	Content string     `arg:"" optional:"" complete:"file" help:"File to upload; none: metadata only."`
	Fields  fileFields `embed:""`
	DryRun  bool       `help:"Show what would be sent, and send nothing."`
	From
}

// Run creates the file, uploads its content and writes what is known about it.
func (cr *createFile) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if cr.Content != "" {
		// Looked at first: better no file than one without its content.
		if _, err := os.Stat(cr.Content); err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
	}
	body, err := cr.body(ctx, std, cr.Fields)
	if err != nil {
		return err
	}
	if cr.DryRun {
		return c.wouldSend(std, body)
	}
	raw, err := c.call(ctx, "POST", nil, body, n.path)
	if err != nil {
		return err
	}
	if cr.Content != "" {
		var made struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &made); err != nil {
			return err
		}
		if raw, err = c.upload(ctx, std, made.ID, cr.Content); err != nil {
			// Beside the error: an interruption takes its place.
			fmt.Fprintf(std.Err, "starling: file %s is there, but without its content: \"starling file upload %[1]s FILE\" gives it one\n", made.ID)
			return err
		}
	}
	return c.show(std.Out, raw)
}

type upload struct {
	ID      string `arg:"" complete:"ids" help:"Identifier."`
	Content string `arg:"" complete:"file" help:"File to upload."`
}

// Run uploads the content.
func (u *upload) Run(ctx context.Context, c *Client, std *Streams) error {
	raw, err := c.upload(ctx, std, u.ID, u.Content)
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

// upload sends the content of a local file with its digest. It takes as long as it takes.
func (c *Client) upload(ctx context.Context, std *Streams, id, name string) (json.RawMessage, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	defer func() { _ = f.Close() }() // it is only read
	digest := sha256.New()
	size, err := io.Copy(digest, f)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	in, done := metered(std, f, size)
	defer done()
	req, err := c.request(ctx, "PUT", nil, io.NopCloser(in), "files", id, "content")
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(digest.Sum(nil))+":")
	res, err := c.send(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return raw, warn(std, raw)
}

// warn writes what the server thinks of a file that it has taken: whoever uploads an ELF should
// learn it now, and not when the campaign is refused.
func warn(std *Streams, raw json.RawMessage) error {
	var file struct {
		Warnings []struct{ What, Why, Hint string }
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return err
	}
	for _, w := range file.Warnings {
		fmt.Fprintf(std.Err, "starling: warning: %s\n  %s\n  %s\n", w.What, w.Why, w.Hint)
	}
	return nil
}

type download struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
	To string `arg:"" optional:"" complete:"file" help:"File to write, which must not exist; none: standard output."`
}

// Run writes the content.
func (d *download) Run(ctx context.Context, c *Client, std *Streams) error {
	req, err := c.request(ctx, "GET", nil, nil, "files", d.ID, "content")
	if err != nil {
		return err
	}
	return c.keep(req, d.To, std)
}

// keep writes the answer to a request into a new file, or to standard output if there is none.
func (c *Client) keep(req *http.Request, file string, std *Streams) error {
	return c.keepAs(req, file, 0o644, std)
}

// keepAs is keep with the mode of the new file.
func (c *Client) keepAs(req *http.Request, file string, mode os.FileMode, std *Streams) error {
	res, err := c.send(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if file == "" {
		_, err := io.Copy(std.Out, res.Body)
		return err
	}
	return save(file, mode, res.Body)
}
