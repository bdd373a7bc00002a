package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// redacted stands where a secret would.
const redacted = "[redacted]"

// secretFields are the fields of the API whose values nobody should read over a shoulder.
var secretFields = []string{"root_key", "mc_key", "private_key", "password", "current", "as_key"}

// nothingSent ends every rehearsal.
func nothingSent(std *Streams) { fmt.Fprintln(std.Err, "starling: nothing was changed (--dry-run)") }

// wouldSend writes what "create" would send. The server has not seen it: it may find it invalid.
func (c *Client) wouldSend(std *Streams, body map[string]any) error {
	raw, err := json.Marshal(withoutSecrets(body))
	if err != nil {
		return err
	}
	if err := c.show(std.Out, raw); err != nil {
		return err
	}
	nothingSent(std)
	return nil
}

// withoutSecrets returns a copy of an object in which secrets are redacted.
func withoutSecrets(body map[string]any) map[string]any {
	shown := maps.Clone(body)
	for _, name := range secretFields {
		if _, ok := shown[name]; ok {
			shown[name] = redacted
		}
	}
	return shown
}

// change is a field that "update" or "archive" would give another value.
type change struct {
	ID     string `json:"id,omitempty"`
	Field  string `json:"field"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// changes returns in what a patch differs from an object, deep fields as "packages.mc_setup".
// What cannot be read back, a secret, always counts as a change.
func changes(before, patch map[string]any, prefix string) (found []change) {
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		old, value := before[name], patch[name]
		inner, isObject := value.(map[string]any)
		was, _ := old.(map[string]any)
		switch {
		case isObject:
			found = append(found, changes(was, inner, prefix+name+".")...)
		case slices.Contains(secretFields, name):
			found = append(found, change{Field: prefix + name, Before: redacted, After: redacted})
		case !reflect.DeepEqual(old, value):
			found = append(found, change{Field: prefix + name, Before: old, After: value})
		}
	}
	return found
}

// wouldChange writes what a patch would change in an object.
func (c *Client) wouldChange(std *Streams, object json.RawMessage, patch map[string]any) error {
	found, err := changesOf(object, patch)
	if err != nil {
		return err
	}
	return c.listChanges(std, columns{"field", "before", "after"}, found)
}

// changesOf is changes for JSON. The patch goes through JSON too, so that the same number is the same.
func changesOf(raw json.RawMessage, patch map[string]any) ([]change, error) {
	before, err := object(raw)
	if err != nil {
		return nil, err
	}
	sent, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	after, err := object(sent)
	return changes(before, after, ""), err
}

func (c *Client) listChanges(std *Streams, cols columns, found []change) error {
	items := make([]json.RawMessage, len(found))
	for i, f := range found {
		raw, err := json.Marshal(f)
		if err != nil {
			return err
		}
		items[i] = raw
	}
	if err := c.list(std.Out, cols, items); err != nil {
		return err
	}
	nothingSent(std)
	return nil
}

// rehearse writes which objects would be archived; those that are already have no line.
func (a *Archive) rehearse(ctx context.Context, c *Client, n *noun, std *Streams) error {
	found := []change{}
	for _, id := range a.ID {
		raw, err := c.call(ctx, "GET", nil, nil, n.path, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		of, err := changesOf(raw, map[string]any{"archived": true})
		if err != nil {
			return err
		}
		for _, f := range of {
			f.ID = id
			found = append(found, f)
		}
	}
	return c.listChanges(std, columns{"id", "field", "before", "after"}, found)
}
