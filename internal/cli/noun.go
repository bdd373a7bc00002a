package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// noun is a kind of object on the command line.
type noun struct {
	path    string // in the API
	columns columns
}

// List is "list" of every noun.
type List struct {
	Text     string            `short:"q" name:"search" help:"Part of the name, tag or identifier."`
	Filter   map[string]string `short:"f" mapsep:"," help:"Fields that must have a value, such as tag=canary."`
	Archived bool              `help:"Archived ones too."`
	Limit    int               `help:"At most this many; 0: all." default:"0"`
}

// Run writes all pages.
func (l *List) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if l.Limit < 0 {
		return fmt.Errorf("%w: --limit is negative, use 0 for all", ErrUsage)
	}
	query := url.Values{"q": {l.Text}, "archived": {strconv.FormatBool(l.Archived)}}
	for field, value := range l.Filter {
		query.Add("filter", field+":"+value)
	}
	items, err := c.pages(ctx, query, l.Limit, n.path)
	if err != nil {
		return err
	}
	return c.list(std.Out, n.columns, items)
}

// pages reads the pages of a list up to limit objects; 0: all.
func (c *Client) pages(ctx context.Context, query url.Values, limit int, path ...string) ([]json.RawMessage, error) {
	var items []json.RawMessage
	for {
		if left := limit - len(items); limit > 0 {
			query.Set("limit", strconv.Itoa(min(left, 1000)))
		} else {
			query.Set("limit", "1000")
		}
		raw, err := c.call(ctx, "GET", query, nil, path...)
		if err != nil {
			return nil, err
		}
		var page struct {
			Items      []json.RawMessage `json:"items"`
			NextCursor string            `json:"next_cursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.NextCursor == "" || limit > 0 && len(items) >= limit {
			return items, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// Show is "show" of every noun.
type Show struct {
	ID string `arg:"" help:"Identifier."`
}

// Run writes one object.
func (s *Show) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, "GET", nil, nil, n.path, s.ID)
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

// Archive is "archive" of every noun.
type Archive struct {
	ID []string `arg:"" help:"Identifiers."`
}

// Run archives one object after the other and stops at the first that cannot be.
func (a *Archive) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	for _, id := range a.ID {
		if _, err := c.call(ctx, "DELETE", nil, nil, n.path, id); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		fmt.Fprintln(std.Err, "archived", id)
	}
	return nil
}

// fields are the flags that describe an object. Their JSON is what the API takes.
type fields interface {
	// secrets reads what flags only point to, into the names that the API has for it.
	secrets(std *Streams) (map[string]string, error)
}

// noSecrets is for objects without keys.
type noSecrets struct{}

func (noSecrets) secrets(*Streams) (map[string]string, error) { return nil, nil }

// From is the flag for what has no flag of its own.
type From struct {
	From string `placeholder:"FILE" help:"JSON object with more fields, as the API takes them; - for standard input. Flags win."`
}

// body merges the JSON of a file with that of the flags.
func (f From) body(std *Streams, flags fields) (map[string]any, error) {
	body := map[string]any{}
	if f.From != "" {
		raw, err := std.readFile(f.From)
		if err != nil {
			return nil, err
		}
		if body, err = object(raw); err != nil || body == nil {
			return nil, fmt.Errorf("%w: --from %s is not a JSON object", ErrUsage, f.From)
		}
	}
	raw, err := json.Marshal(flags)
	if err != nil {
		return nil, err
	}
	given, err := object(raw)
	if err != nil {
		return nil, err
	}
	merge(body, given)
	secrets, err := flags.secrets(std)
	for name, value := range secrets {
		body[name] = value
	}
	return body, err
}

// merge copies src over dst, field by field down to where one of them is no object.
func merge(dst, src map[string]any) {
	for name, value := range src {
		into, ok := dst[name].(map[string]any)
		from, ok2 := value.(map[string]any)
		if ok && ok2 {
			merge(into, from)
			continue
		}
		dst[name] = value
	}
}

// Create is "create" of a noun with the flags F.
type Create[F fields] struct {
	Fields F `embed:""`
	From
}

// Run creates the object and writes it.
func (cr *Create[F]) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	body, err := cr.body(std, cr.Fields)
	if err != nil {
		return err
	}
	raw, err := c.call(ctx, "POST", nil, body, n.path)
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

// Update is "update" of a noun with the flags F.
type Update[F fields] struct {
	ID         string `arg:"" help:"Identifier."`
	Fields     F      `embed:""`
	IfRevision int64  `help:"Only if nobody changed it since this revision."`
	Restore    bool   `help:"Bring it back into the lists."`
	From
}

// Run changes the object and writes it.
func (u *Update[F]) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	body, err := u.body(std, u.Fields)
	if err != nil {
		return err
	}
	if u.Restore {
		body["archived"] = false
	}
	if len(body) == 0 {
		return fmt.Errorf("%w: nothing to change, name a field or use --from", ErrUsage)
	}
	raw, err := c.callIf(ctx, "PATCH", u.IfRevision, nil, body, n.path, u.ID)
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}
