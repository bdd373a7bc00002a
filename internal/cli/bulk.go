package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Bulk is "bulk" of a noun with the flags F: one order for many objects, which the server
// carries out as a job.
type Bulk[F fields] struct {
	Archive bulkArchive   `cmd:"" help:"Take them out of the lists."`
	Restore bulkRestore   `cmd:"" help:"Bring them back into the lists."`
	Update  bulkUpdate[F] `cmd:"" help:"Give all of them the same values."`
}

// bulkTarget says which objects are meant, and how sure somebody is.
type bulkTarget struct {
	Filter  map[string]string `short:"f" mapsep:"," placeholder:"FIELD=VALUE" xor:"which" help:"Fields that they must have, such as tag=canary; all must hold."`
	IDsFrom string            `name:"ids-from" placeholder:"FILE" complete:"file" xor:"which" help:"File with identifiers, one per line; - for standard input."`
	DryRun  bool              `help:"Say how many there are, and change nothing."`
	Yes     bool              `help:"Do it without being asked."`
	NoWait  bool              `help:"Write the job and do not wait for its end."`
}

type bulkArchive struct{ bulkTarget }

// Run archives them.
func (b *bulkArchive) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	return b.order(ctx, c, n, std, "archive", nil)
}

type bulkRestore struct{ bulkTarget }

// Run brings them back.
func (b *bulkRestore) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	return b.order(ctx, c, n, std, "restore", nil)
}

type bulkUpdate[F fields] struct {
	Fields F `embed:"" group:"New values:"`
	From
	bulkTarget
}

// Run changes them.
func (b *bulkUpdate[F]) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if b.IDsFrom == "-" && b.From.From == "-" {
		return fmt.Errorf("%w: --ids-from and --from cannot both be standard input", ErrUsage)
	}
	patch, err := b.body(ctx, std, b.Fields)
	if err != nil {
		return err
	}
	if len(patch) == 0 {
		return fmt.Errorf("%w: nothing to change, name a field or use --from", ErrUsage)
	}
	return b.order(ctx, c, n, std, "update", patch)
}

// order counts the objects, asks, and gives the order.
func (b *bulkTarget) order(ctx context.Context, c *Client, n *noun, std *Streams, action string, patch map[string]any) error {
	body := map[string]any{"action": action}
	if patch != nil {
		body["patch"] = patch
	}
	count, err := b.choose(ctx, c, n, std, body)
	if err != nil {
		return err
	}
	objects := fmt.Sprintf("%d %s", count, strings.ReplaceAll(n.path, "-", " "))
	switch {
	case b.DryRun:
		raw, err := json.Marshal(map[string]any{"action": action, "count": count})
		if err != nil {
			return err
		}
		if err := c.show(std.Out, raw); err != nil {
			return err
		}
		nothingSent(std)
		return nil
	case count == 0:
		return fmt.Errorf("%w: none of the %s is meant, nothing was done", ErrNotFound, strings.ReplaceAll(n.path, "-", " "))
	}
	if err := std.confirm(ctx, action+" "+objects, b.Yes); err != nil {
		return err
	}
	raw, err := c.call(ctx, http.MethodPost, nil, body, n.path, "bulk")
	if err != nil {
		return err
	}
	return c.follow(ctx, std, raw, !b.NoWait)
}

// choose says in the body which objects are meant, and returns how many they are.
func (b *bulkTarget) choose(ctx context.Context, c *Client, n *noun, std *Streams, body map[string]any) (int, error) {
	switch {
	case b.IDsFrom != "":
		content, err := std.readFile(b.IDsFrom)
		if err != nil {
			return 0, err
		}
		ids := strings.Fields(string(content))
		body["ids"] = ids
		return len(ids), nil
	case len(b.Filter) > 0:
		filter := []string{}
		query := url.Values{"count": {"exact"}, "limit": {"1"}}
		if body["action"] == "restore" {
			query.Set("archived", "true")
		}
		for field, value := range b.Filter {
			filter = append(filter, field+":"+value)
		}
		body["filter"], query["filter"] = filter, filter
		return c.count(ctx, query, n.path)
	}
	return 0, fmt.Errorf("%w: say which: --filter FIELD=VALUE or --ids-from FILE", ErrUsage)
}

// count returns how many objects a list has.
func (c *Client) count(ctx context.Context, query url.Values, path ...string) (int, error) {
	raw, err := c.call(ctx, http.MethodGet, query, nil, path...)
	if err != nil {
		return 0, err
	}
	var page struct {
		Total int `json:"total"`
	}
	return page.Total, json.Unmarshal(raw, &page)
}
