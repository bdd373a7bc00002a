package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/internal/store"
)

// addExport registers the export of a kind of object that has one form of table: a column for
// each field of its JSON form that can be seen, the fields of a field as "policy.retries", lists
// separated by blanks. The objects of the fleet have tables of their own.
func addExport[T, D any](a *api, l listing[T, D]) {
	columns := a.columns(reflect.TypeFor[D](), "")
	a.stream(l.read, &huma.Operation{OperationID: "export-" + l.plural, Method: http.MethodGet, Path: Prefix + "/" + l.plural + "/export", Tags: []string{l.plural},
		Summary: "Export " + words(l.plural), Description: "All that are not archived, as a table, without keys.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{csvType: {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}, func(w http.ResponseWriter, r *http.Request) error {
		page, err := l.list(r.Context(), store.Query{Limit: store.MaxLimit})
		if err != nil {
			return err
		}
		a.sendTable(r, w, l.plural+".csv", columns, func(row func(...string) error) error { return l.rows(r.Context(), page, columns, row) })
		return nil
	})
}

// rows goes through all pages from one on.
func (l listing[T, D]) rows(ctx context.Context, page store.Page[T], columns []string, row func(...string) error) error {
	for {
		for _, obj := range page.Items {
			cells, err := cells(l.show(obj), columns)
			if err == nil {
				err = row(cells...)
			}
			if err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		var err error
		if page, err = l.list(ctx, store.Query{Limit: store.MaxLimit, After: page.Next}); err != nil {
			return err
		}
	}
}

// columns returns the names of what can be seen of a type, in the order of its fields.
func (a *api) columns(t reflect.Type, prefix string) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, a.columns(f.Type, prefix)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case f.Tag.Get("writeOnly") == "true":
		case inner.Kind() == reflect.Struct && inner.String() != "time.Time":
			names = append(names, a.columns(inner, prefix+name+".")...)
		default:
			names = append(names, prefix+name)
		}
	}
	return names
}

// cells returns what the columns of one object hold.
func cells(obj any, columns []string) ([]string, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber() // large numbers stay as they are
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	out := make([]string, len(columns))
	for i, column := range columns {
		var value any = fields
		for name := range strings.SplitSeq(column, ".") {
			inner, _ := value.(map[string]any)
			value = inner[name]
		}
		out[i] = cell(value)
	}
	return out, nil
}

func cell(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		texts := each(v, cell)
		return strings.Join(texts, " ")
	case map[string]any:
		raw, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(raw)
	}
	return fmt.Sprint(value)
}
