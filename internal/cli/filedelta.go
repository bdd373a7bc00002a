package cli

import (
	"context"
	"encoding/json"
	"net/http"
)

// generateDelta is "file delta".
type generateDelta struct {
	ID     string      `arg:"" complete:"ids" help:"Identifier of the firmware file that devices shall run."`
	Order  deltaFields `embed:""`
	NoWait bool        `help:"Write the job and do not wait for its end."`
}

type deltaFields struct {
	FromID      string `json:"from_file_id" name:"from" required:"" complete:"files" help:"Identifier of the firmware file that they run now."`
	Name        string `json:"name,omitempty" help:"Of the new file; none: made from the versions."`
	Format      string `json:"format,omitempty" help:"auto, hpatchlite, hpatchlite-inplace, hpatchlite-relocated, detools or detools-inplace."`
	Compression int    `json:"compression,omitempty" placeholder:"N" help:"The decompressor may keep 2^N bytes of RAM, 4 to 31; 0: 11."`
	Window      int    `json:"window,omitempty" placeholder:"N" help:"Of a heatshrink decoder with static memory, exponent of two."`
	Lookahead   int    `json:"lookahead,omitempty" placeholder:"N" help:"As window, and given with it."`
	LiteralLine bool   `json:"literal_line,omitempty" help:"The tinyuz decoder knows literal lines."`
	Extra       int    `json:"extra_bytes,omitempty" placeholder:"BYTES" help:"hpatchlite-inplace: output that the device can hold back in RAM."`
	Memory      int    `json:"memory_bytes,omitempty" placeholder:"BYTES" help:"detools-inplace: flash that both images share."`
	Segment     int    `json:"segment_bytes,omitempty" placeholder:"BYTES" help:"detools-inplace: flash that is erased at a time; 0: 4096."`
	FlashBase   uint32 `json:"flash_base,omitempty" placeholder:"ADDRESS" help:"hpatchlite-relocated: address that the image was linked for."`
	Signature   string `json:"signature,omitempty" help:"auto, envelope, bare or none."`
}

// Help is shown below the summary of the command.
func (*generateDelta) Help() string {
	return "The server makes the delta, signs it with the Smart Delta key of the file or of its device profile, applies it, and keeps it as a new file of type delta. " +
		"The result of the job says what it saves. Exit code 8 means that it could not be made."
}

// Run has the delta made, which is a job.
func (g *generateDelta) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, http.MethodPost, nil, g.Order, n.path, g.ID, "delta")
	if err != nil {
		return err
	}
	if g.NoWait || c.Output != "table" && c.Output != "wide" {
		return c.follow(ctx, std, raw, !g.NoWait)
	}
	var job struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &job); err != nil {
		return err
	}
	if raw, err = c.wait(ctx, std, job.ID); err != nil {
		return err
	}
	return g.showResult(c, std, raw)
}

// showResult writes what a job has made: the delta, and what it saves at each data rate.
func (*generateDelta) showResult(c *Client, std *Streams, job json.RawMessage) error {
	var done struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(job, &done); err != nil {
		return err
	}
	var made struct {
		Fragments []json.RawMessage `json:"fragments"`
	}
	if err := json.Unmarshal(done.Result, &made); err != nil {
		return err
	}
	rest, err := without(done.Result, "fragments")
	if err != nil {
		return err
	}
	return firstOf(
		c.show(std.Out, rest),
		c.list(std.Out, columns{"band", "data_rate", "frag_size", "delta", "full"}, made.Fragments),
	)
}

// listDeltas is "profile deltas".
type listDeltas struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
}

// Help is shown below the summary of the command.
func (*listDeltas) Help() string {
	return "As a table the deltas alone: JSON and YAML have the versions that devices run, and the images that they could go to, too."
}

// Run writes what deltas there are.
func (l *listDeltas) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, http.MethodGet, nil, nil, n.path, l.ID, "deltas")
	if err != nil {
		return err
	}
	if c.Output == "json" || c.Output == "yaml" {
		return c.tree(std.Out, raw)
	}
	var m struct {
		Deltas []json.RawMessage `json:"deltas"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	return c.list(std.Out, columns{"file_id", "base_version", "version", "size", "target_size", "ratio", "devices", "smart_delta_key_id"}, m.Deltas)
}
