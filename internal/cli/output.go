package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
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
func (f *Form) list(w io.Writer, cols columns, items []json.RawMessage) error {
	if f.Output == "json" || f.Output == "yaml" {
		raw, err := json.Marshal(items)
		if err != nil {
			return err
		}
		if items == nil {
			raw = []byte("[]")
		}
		return f.tree(w, raw)
	}
	if f.Output == "id" {
		cols = cols[:1]
	}
	var rows [][]string
	if !f.NoHeaders && f.Output != "id" {
		rows = append(rows, f.headers(cols))
	}
	for _, raw := range items {
		obj, err := object(raw)
		if err != nil {
			return err
		}
		row := make([]string, len(cols))
		for i, name := range cols {
			row[i] = f.cell(obj[name])
		}
		rows = append(rows, row)
	}
	return f.rows(w, rows)
}

// show writes one object as JSON or YAML, or as lines of field and value.
func (f *Form) show(w io.Writer, raw json.RawMessage) error {
	if f.Output == "json" || f.Output == "yaml" {
		return f.tree(w, raw)
	}
	obj, err := object(raw)
	if err != nil {
		return err
	}
	if f.Output == "id" {
		for _, name := range []string{"id", "dev_eui", "name"} {
			if id, ok := obj[name]; ok {
				return f.rows(w, [][]string{{cell(id)}})
			}
		}
	}
	var rows [][]string
	if f.Output == "csv" && !f.NoHeaders {
		rows = append(rows, []string{"field", "value"})
	}
	for _, name := range slices.Sorted(maps.Keys(obj)) {
		rows = append(rows, []string{name, f.cell(obj[name])})
	}
	return f.rows(w, rows)
}

// tree writes what has no columns.
func (f *Form) tree(w io.Writer, raw json.RawMessage) error {
	if f.Output == "yaml" {
		return printYAML(w, raw)
	}
	return printJSON(w, raw)
}

// rows writes a table.
func (f *Form) rows(w io.Writer, rows [][]string) error {
	if f.Output == "csv" {
		return csv.NewWriter(w).WriteAll(rows) // which flushes
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// headers are the names of the columns: capitals for people, as in JSON for programs.
func (f *Form) headers(cols columns) []string {
	if f.Output == "csv" {
		return cols
	}
	return strings.Split(strings.ToUpper(strings.Join(cols, "\t")), "\t")
}

// cell is the text of a value in a table. CSV leaves nothing empty, as programs expect.
func (f *Form) cell(v any) string {
	if f.Output != "csv" {
		return text(v, short)
	}
	if s := text(v, json.Number.String); s != "-" {
		return s
	}
	return ""
}

// short is a number with as many digits as people read: whole ones have all of theirs.
func short(n json.Number) string {
	f, err := n.Float64()
	if whole := !strings.ContainsAny(n.String(), ".eE"); whole || err != nil {
		return n.String()
	}
	digits := 3
	if math.Abs(f) < 1 {
		digits = 4
	}
	s := strconv.FormatFloat(f, 'f', digits, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
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
func cell(v any) string { return text(v, json.Number.String) }

// text is cell with numbers in a form of their own.
func text(v any, number func(json.Number) string) string {
	var s string
	switch v := v.(type) {
	case nil:
	case string:
		s = v
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = text(x, number)
		}
		s = strings.Join(parts, ",")
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+"="+text(v[k], number))
		}
		s = strings.Join(parts, " ")
	case json.Number:
		s = number(v)
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
