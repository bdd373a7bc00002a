package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// noun is a kind of object on the command line.
type noun struct {
	path    string // in the API
	columns columns
	wide    columns // that -o wide adds
	fields  string  // to look for and to sort by; "": none
	only    string  // fields only to look for; "": none
	guarded bool    // changes need If-Match
}

// Fields that every object has, for -o wide.
var stamps = columns{"archived", "revision", "created_at", "updated_at"}

// describe adds to the help of "list" what its noun knows, for all commands below a node.
func describe(node *kong.Node) {
	x, ok := node.Target.Addr().Interface().(interface{ noun() *noun })
	for _, child := range node.Children {
		if ok && child.Name == "list" {
			child.Detail = strings.TrimSpace(child.Detail + "\n\n" + x.noun().help())
		}
		describe(child)
	}
}

// help says what "list" can show and look for.
func (n *noun) help() string {
	var parts []string
	if n.fields != "" {
		parts = append(parts, "Filters (-f field=value, repeated: all must hold; numbers and times can be ranges, from..to) and order (--sort): "+n.fields+".")
	}
	if n.only != "" {
		parts = append(parts, "Only filters: "+n.only+".")
	}
	parts = append(parts, "Columns: "+strings.Join(n.columns, ", ")+".")
	if len(n.wide) > 0 {
		parts = append(parts, "-o wide adds "+strings.Join(n.wide, ", ")+".")
	}
	return strings.Join(parts, "\n\n")
}

// List is "list" of every noun.
type List struct {
	Text     string            `short:"q" name:"search" placeholder:"TEXT" help:"Part of the name, tag or identifier."`
	Filter   map[string]string `short:"f" mapsep:"," placeholder:"FIELD=VALUE" help:"Fields that must have a value, such as tag=canary."`
	Sort     string            `placeholder:"FIELDS" help:"Fields to sort by, such as --sort=-created_at,name; with a minus, the greatest first."`
	Archived bool              `help:"Archived ones too."`
	Limit    int               `help:"At most this many; 0: all." default:"0"`
}

// query returns what the API calls it.
func (l *List) query() (url.Values, error) {
	if l.Limit < 0 {
		return nil, fmt.Errorf("%w: --limit is negative, use 0 for all", ErrUsage)
	}
	query := url.Values{"q": {l.Text}, "archived": {strconv.FormatBool(l.Archived)}}
	for field, value := range l.Filter {
		query.Add("filter", field+":"+value)
	}
	if l.Sort != "" {
		query.Set("sort", l.Sort)
	}
	return query, nil
}

// Run writes all pages.
func (l *List) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	query, err := l.query()
	if err != nil {
		return err
	}
	items, err := c.pages(ctx, query, l.Limit, n.path)
	if err != nil {
		return err
	}
	return c.list(std.Out, n.shown(&c.Form), items)
}

// shown are the columns of a form.
func (n *noun) shown(f *Form) columns {
	if f.Output == "wide" {
		return append(n.columns[:len(n.columns):len(n.columns)], n.wide...)
	}
	return n.columns
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
	ID string `arg:"" complete:"ids" help:"Identifier."`
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
	ID     []string `arg:"" complete:"ids" help:"Identifiers."`
	DryRun bool     `help:"Say what would change, and change nothing."`
}

// Run archives one object after the other and stops at the first that cannot be.
func (a *Archive) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if a.DryRun {
		return a.rehearse(ctx, c, n, std)
	}
	for _, id := range a.ID {
		var etag string
		if n.guarded {
			var err error
			if _, etag, err = c.current(ctx, n.path, id); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		}
		if _, _, err := c.callIf(ctx, http.MethodDelete, etag, nil, nil, n.path, id); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		fmt.Fprintln(std.Err, "archived", id)
	}
	return nil
}

// fields are the flags that describe an object. Their JSON is what the API takes.
type fields interface {
	// secrets reads what flags only point to, into the names that the API has for it.
	secrets(ctx context.Context, std *Streams) (map[string]string, error)
}

// noSecrets is for objects without keys.
type noSecrets struct{}

func (noSecrets) secrets(context.Context, *Streams) (map[string]string, error) { return nil, nil }

// From is the flag for what has no flag of its own.
type From struct {
	From string `placeholder:"FILE" complete:"file" help:"JSON object with more fields, as the API takes them; - for standard input. Flags win."`
}

// body merges the JSON of a file with that of the flags.
func (f From) body(ctx context.Context, std *Streams, flags fields) (map[string]any, error) {
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
	secrets, err := flags.secrets(ctx, std)
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
	Fields F    `embed:""`
	DryRun bool `help:"Show what would be sent, and send nothing."`
	From
}

// Run creates the object and writes it.
func (cr *Create[F]) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
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
	return c.show(std.Out, raw)
}

// Update is "update" of a noun with the flags F.
type Update[F fields] struct {
	ID         string `arg:"" complete:"ids" help:"Identifier."`
	Fields     F      `embed:""`
	IfRevision int64  `placeholder:"N" help:"Only if nobody changed it since this revision."`
	Restore    bool   `help:"Bring it back into the lists."`
	DryRun     bool   `help:"Show what would change, and change nothing."`
	From
}

// Run changes the object and writes it.
func (u *Update[F]) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	body, err := u.body(ctx, std, u.Fields)
	if err != nil {
		return err
	}
	if u.Restore {
		body["archived"] = false
	}
	if len(body) == 0 {
		return fmt.Errorf("%w: nothing to change, name a field or use --from", ErrUsage)
	}
	etag := etagOf(u.IfRevision)
	if u.DryRun || n.guarded && etag == "" {
		raw, now, err := c.current(ctx, n.path, u.ID)
		switch {
		case err != nil:
			return err
		case u.DryRun && etag != "" && etag != now:
			return fmt.Errorf("%w: it has the ETag %s, not revision %d", ErrConflict, now, u.IfRevision)
		case u.DryRun:
			return c.wouldChange(std, raw, body)
		}
		etag = now
	}
	raw, _, err := c.callIf(ctx, "PATCH", etag, nil, body, n.path, u.ID)
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}
