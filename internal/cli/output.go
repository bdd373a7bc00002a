package cli

import (
	"bytes"
	"encoding/csv"
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

// list writes objects as a JSON or YAML array, or as a table, which CSV is too.
func (c *Client) list(w io.Writer, cols columns, items []json.RawMessage) error {
	if c.Output == "json" || c.Output == "yaml" {
		raw, err := json.Marshal(items)
		if err != nil {
			return err
		}
		if items == nil {
			raw = []byte("[]")
		}
		return c.tree(w, raw)
	}
	if c.Output == "id" {
		cols = cols[:1]
	}
	var rows [][]string
	if !c.NoHeaders && c.Output != "id" {
		rows = append(rows, c.headers(cols))
	}
	for _, raw := range items {
		obj, err := object(raw)
		if err != nil {
			return err
		}
		row := make([]string, len(cols))
		for i, name := range cols {
			row[i] = c.cell(obj[name])
		}
		rows = append(rows, row)
	}
	return c.rows(w, rows)
}

// show writes one object as JSON or YAML, or as lines of field and value.
func (c *Client) show(w io.Writer, raw json.RawMessage) error {
	if c.Output == "json" || c.Output == "yaml" {
		return c.tree(w, raw)
	}
	obj, err := object(raw)
	if err != nil {
		return err
	}
	if c.Output == "id" {
		for _, name := range []string{"id", "dev_eui"} {
			if id, ok := obj[name]; ok {
				return c.rows(w, [][]string{{cell(id)}})
			}
		}
	}
	var rows [][]string
	if c.Output == "csv" && !c.NoHeaders {
		rows = append(rows, []string{"field", "value"})
	}
	for _, name := range slices.Sorted(maps.Keys(obj)) {
		rows = append(rows, []string{name, c.cell(obj[name])})
	}
	return c.rows(w, rows)
}

// tree writes what has no columns.
func (c *Client) tree(w io.Writer, raw json.RawMessage) error {
	if c.Output == "yaml" {
		return printYAML(w, raw)
	}
	return printJSON(w, raw)
}

// rows writes a table.
func (c *Client) rows(w io.Writer, rows [][]string) error {
	if c.Output == "csv" {
		return csv.NewWriter(w).WriteAll(rows) // which flushes
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// headers are the names of the columns: capitals for people, as in JSON for programs.
func (c *Client) headers(cols columns) []string {
	if c.Output == "csv" {
		return cols
	}
	return strings.Split(strings.ToUpper(strings.Join(cols, "\t")), "\t")
}

// cell is the text of a value in a table. CSV leaves nothing empty, as programs expect.
func (c *Client) cell(v any) string {
	if s := cell(v); c.Output != "csv" || s != "-" {
		return s
	}
	return ""
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
