package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// printYAML writes JSON as YAML 1.2, of which it is a subset: objects and lists in blocks,
// everything else as in JSON. Strings keep their quotes, so that "1.10" and "no" stay strings.
func printYAML(w io.Writer, raw json.RawMessage) error {
	var v any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	var b strings.Builder
	if err := appendYAML(&b, v, 0); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// appendYAML writes v from where the writer is: after "key:", after "-", or at the beginning.
func appendYAML(b *strings.Builder, v any, depth int) error {
	indent := strings.Repeat("  ", depth)
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			break
		}
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString(indent)
			}
			b.WriteString(key + ":") // names of the API are plain words
			if err := appendUnder(b, v[key], depth); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if len(v) == 0 {
			break
		}
		for i, item := range v {
			if i > 0 {
				b.WriteString(indent)
			}
			b.WriteString("- ")
			if err := appendYAML(b, item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "%s\n", text)
	return nil
}

// appendUnder writes the value of a key: blocks on lines of their own, the rest beside it.
func appendUnder(b *strings.Builder, v any, depth int) error {
	block := false
	switch v := v.(type) {
	case map[string]any:
		block = len(v) > 0
	case []any:
		block = len(v) > 0
	}
	if !block {
		b.WriteString(" ")
		return appendYAML(b, v, depth)
	}
	b.WriteString("\n" + strings.Repeat("  ", depth+1))
	return appendYAML(b, v, depth+1)
}
