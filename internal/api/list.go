package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// ListInput selects, orders and pages objects.
type ListInput struct {
	Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Objects per page"`
	Cursor   string   `query:"cursor" maxLength:"2000" doc:"next_cursor of the page before, with the same filters and order"`
	Q        string   `query:"q" maxLength:"200" doc:"Part of the name, tag or identifier, in any case"`
	Archived bool     `query:"archived" doc:"Archived objects too"`
	Filter   []string `query:"filter,explode" maxItems:"20" doc:"field:value; all must hold"`
	Sort     string   `query:"sort" maxLength:"200" doc:"Fields to order by, the most important first; with a minus, the greatest first"`
}

// CountedInput is ListInput for lists that can be counted.
type CountedInput struct {
	ListInput
	Count string `query:"count" enum:"none,exact" default:"none" doc:"Whether to count all pages"`
}

// hidden are fields of the store that are nobody's to ask for.
var hidden = []store.Field{store.ByDigest}

// query returns what the store is asked for a kind of object.
func (in *ListInput) query(kind store.Kind) (store.Query, error) {
	q := store.Query{After: in.Cursor, Limit: in.Limit, Archived: in.Archived, Text: in.Q}
	where, err := readFilter(kind, in.Filter)
	if err != nil {
		return q, err
	}
	q.Where = where
	for name := range strings.SplitSeq(in.Sort, ",") {
		field, desc := strings.CutPrefix(name, "-")
		// What a field has decided once it cannot decide again.
		if in.Sort == "" || slices.ContainsFunc(q.Sort, func(s store.Sort) bool { return string(s.Field) == field }) {
			continue
		}
		if !slices.Contains(fieldNames(kind, sorts), field) {
			return q, badParameter("query.sort", "names a field that these are not sorted by", "use one of "+strings.Join(fieldNames(kind, sorts), ", "))
		}
		q.Sort = append(q.Sort, store.Sort{Field: store.Field(field), Desc: desc})
	}
	if len(q.Sort) > store.MaxSort {
		return q, badParameter("query.sort", fmt.Sprintf("names more than %d fields", store.MaxSort), "leave out the least important")
	}
	return q, nil
}

// readFilter reads a list of "field:value".
func readFilter(kind store.Kind, filter []string) (map[store.Field]string, error) {
	where := map[store.Field]string{}
	for _, f := range filter {
		field, value, ok := strings.Cut(f, ":")
		switch _, twice := where[store.Field(field)]; {
		case !ok:
			return nil, badParameter("query.filter", "has no colon", "write field:value, such as name:east")
		case !slices.Contains(fieldNames(kind, filters), field):
			return nil, badParameter("query.filter", "names a field that these are not filtered by", "use one of "+strings.Join(fieldNames(kind, filters), ", "))
		case twice:
			return nil, badParameter("query.filter", "names a field twice", "all must hold: name each once")
		}
		where[store.Field(field)] = value
	}
	return where, nil
}

func filters(f store.FieldInfo) bool { return f.Filter }
func sorts(f store.FieldInfo) bool   { return f.Sort }

// fieldNames returns the fields of a kind that can be used so.
func fieldNames(kind store.Kind, usable func(store.FieldInfo) bool) (names []string) {
	for _, f := range store.FieldsOf(kind) {
		if usable(f) && !slices.Contains(hidden, f.Field) {
			names = append(names, string(f.Field))
		}
	}
	return names
}

// valuePatterns are the values of filters as regular expressions, by type.
var valuePatterns = map[store.FieldType]string{
	store.TextField:   `.*`,
	store.NumberField: `(-?[0-9]{1,15})?(\.\.(-?[0-9]{1,15})?)?`,
	store.TimeField:   timePattern + `?(\.\.` + timePattern + `?)?`,
	store.BoolField:   `(true|false)`,
	store.EUIField:    `[0-9a-fA-F]{16}`,
}

const timePattern = `([12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z)?)`

// filterPattern is what a filter of a kind looks like.
func filterPattern(kind store.Kind) string {
	var parts []string
	for _, f := range store.FieldsOf(kind) {
		if f.Filter && !slices.Contains(hidden, f.Field) {
			parts = append(parts, string(f.Field)+":"+valuePatterns[f.Type])
		}
	}
	return "^(" + strings.Join(parts, "|") + ")$"
}

// sortPattern is what an order of a kind looks like.
func sortPattern(kind store.Kind) string {
	one := "-?(" + strings.Join(fieldNames(kind, sorts), "|") + ")"
	return fmt.Sprintf("^%s(,%s){0,%d}$", one, one, store.MaxSort-1)
}

// describeFields tells in the document of a list what it is filtered and sorted by. The schemas are
// copies: what is wrong is told better by readFilter than by a pattern.
func (a *api) describeFields(path string, kind store.Kind) {
	op := a.huma.OpenAPI().Paths[Prefix+path].Get
	op.Description = strings.TrimSpace(op.Description + "\n\nFilters: " + strings.Join(fieldNames(kind, filters), ", ") +
		". Numbers and times can be ranges: from..to. Sorted by: " + strings.Join(fieldNames(kind, sorts), ", ") + ".")
	for _, p := range op.Parameters {
		switch p.Name {
		case "filter":
			list, item := *p.Schema, *p.Schema.Items
			item.Pattern, list.Items = filterPattern(kind), &item
			p.Schema = &list
		case "sort":
			text := *p.Schema
			text.Pattern = sortPattern(kind)
			p.Schema = &text
		}
	}
}

type list[D any] struct {
	Items      []D    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Ask for the next page with it; absent on the last"`
	Total      *int   `json:"total,omitempty" minimum:"0" doc:"Objects in all pages, with count=exact"`
}

type listOutput[D any] struct{ Body list[D] }

// listing is a list of objects T that appear as D.
type listing[T, D any] struct {
	plural      string
	description string
	kind        store.Kind
	read        identity.Permission
	list        func(context.Context, store.Query) (store.Page[T], error)
	count       func(context.Context, store.Query) (int, error) // nil: they are not counted
	show        func(T) D
}

// addList registers the list of a kind of object.
func addList[T, D any](a *api, l listing[T, D]) {
	op := huma.Operation{OperationID: "list-" + l.plural, Method: http.MethodGet, Path: "/" + l.plural, Tags: []string{l.plural},
		Summary: "List " + words(l.plural), Description: l.description}
	page := func(ctx context.Context, in *ListInput, total bool) (*listOutput[D], error) {
		q, err := in.query(l.kind)
		if err != nil {
			return nil, err
		}
		found, err := l.list(ctx, q)
		if err != nil {
			return nil, err
		}
		out := &listOutput[D]{list[D]{Items: each(found.Items, l.show), NextCursor: found.Next}}
		if total {
			n, err := l.count(ctx, q)
			if err != nil {
				return nil, err
			}
			out.Body.Total = &n
		}
		return out, nil
	}
	if l.count == nil {
		register(a, l.read, op, func(ctx context.Context, in *ListInput) (*listOutput[D], error) { return page(ctx, in, false) })
	} else {
		register(a, l.read, op, func(ctx context.Context, in *CountedInput) (*listOutput[D], error) {
			return page(ctx, &in.ListInput, in.Count == "exact")
		})
	}
	a.describeFields("/"+l.plural, l.kind)
}
