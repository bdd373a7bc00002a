package cli

import (
	"context"
	"net/http"
	"net/url"
)

// revealKeys is "keys" of nouns that have them.
type revealKeys struct {
	ID  string `arg:"" complete:"ids" help:"Identifier."`
	Yes bool   `help:"Do it without being asked."`
}

// Help is shown below the summary of the command.
func (*revealKeys) Help() string {
	return "Writes keys in clear to standard output. It needs the permission keys:reveal, and the audit log keeps who did it."
}

// Run writes the keys.
func (r *revealKeys) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if err := std.confirm(ctx, "write the keys of "+r.ID+" in clear", r.Yes); err != nil {
		return err
	}
	raw, err := c.call(ctx, http.MethodGet, nil, nil, n.path, r.ID, "keys")
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

// firmwareHistory is "device firmware-history".
type firmwareHistory struct {
	ID    string `arg:"" complete:"ids" help:"DevEUI."`
	Limit int    `help:"At most this many, the newest first; 0: all." default:"0"`
}

// Run writes all pages.
func (f *firmwareHistory) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	items, err := c.pages(ctx, url.Values{}, f.Limit, n.path, f.ID, "firmware-history")
	if err != nil {
		return err
	}
	return c.list(std.Out, firmwareColumns, items)
}

// firmwareColumns are those of a device's firmware history.
var firmwareColumns = columns{"at", "firmware", "campaign_id"}
