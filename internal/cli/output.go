package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// columns are the fields of a table, by their names in JSON. Headers are the same
// names in capitals, so that scripts can rely on them.
type columns []string

// printJSON writes JSON, indented.
func printJSON(w io.Writer, raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// list writes objects as a JSON array or as a table.
func (c *Client) list(w io.Writer, cols columns, items []json.RawMessage) error {
	if c.Output == "json" {
		raw, err := json.Marshal(items)
		if err != nil {
			return err
		}
		if items == nil {
			raw = []byte("[]")
		}
		return printJSON(w, raw)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if !c.NoHeaders {
		fmt.Fprintln(t, strings.ToUpper(strings.Join(cols, "\t")))
	}
	for _, raw := range items {
		obj, err := object(raw)
		if err != nil {
			return err
		}
		cells := make([]string, len(cols))
		for i, name := range cols {
			cells[i] = cell(obj[name])
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// show writes one object as JSON or as lines of field and value.
func (c *Client) show(w io.Writer, raw json.RawMessage) error {
	if c.Output == "json" {
		return printJSON(w, raw)
	}
	obj, err := object(raw)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(obj)) {
		fmt.Fprintf(t, "%s\t%s\n", name, cell(obj[name]))
	}
	return t.Flush()
}

// object reads a JSON object; numbers keep their digits.
func object(raw json.RawMessage) (map[string]any, error) {
	var obj map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return obj, d.Decode(&obj)
}

// cell is the text of a value in a table: "-" for nothing, and nothing that moves the
// cursor or breaks the table.
func cell(v any) string {
	var s string
	switch v := v.(type) {
	case nil:
	case string:
		s = v
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = cell(x)
		}
		s = strings.Join(parts, ",")
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+"="+cell(v[k]))
		}
		s = strings.Join(parts, " ")
	default:
		s = fmt.Sprint(v)
	}
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
