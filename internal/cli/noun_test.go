package cli

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/service"
)

// document is as much of the API's description as this needs.
type document struct {
	Paths map[string]map[string]struct {
		Description string
		RequestBody struct {
			Content map[string]struct{ Schema schema }
		}
		Responses map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct{ Schemas map[string]schema }
}

type schema struct {
	Ref        string `json:"$ref"`
	Properties map[string]schema
	ReadOnly   bool
	Items      *schema
}

func openAPI(t *testing.T) document {
	t.Helper()
	h, _ := api.Handler(api.Config{Service: service.New(service.Config{}), Log: slog.New(slog.DiscardHandler)})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var doc document
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%v in %.200s", err, rec.Body)
	}
	return doc
}

// resolve follows a reference.
func (d document) resolve(s schema) schema {
	if name := strings.TrimPrefix(s.Ref, "#/components/schemas/"); s.Ref != "" {
		return d.Components.Schemas[name]
	}
	return s
}

// allNouns returns the nouns of the grammar, by the names of their commands.
func allNouns() map[string]*noun {
	nouns := map[string]*noun{}
	for _, part := range []any{Campaigns{}, Objects{}, Administration{}} {
		v := reflect.New(reflect.TypeOf(part)).Elem()
		for i := range v.NumField() {
			if x, ok := v.Field(i).Addr().Interface().(interface{ noun() *noun }); ok {
				nouns[strings.ToLower(v.Type().Field(i).Name)] = x.noun()
			}
		}
	}
	return nouns
}

// What a list shows, looks for and sorts by is what the API has; a misspelled column would
// be empty for ever.
func TestNounsAreThoseOfTheAPI(t *testing.T) {
	doc, nouns := openAPI(t), allNouns()
	if len(nouns) != 14 {
		t.Errorf("%d nouns", len(nouns))
	}
	for name, n := range nouns {
		list, ok := doc.Paths["/api/v1/"+n.path]["get"]
		if !ok {
			t.Errorf("%s: the API has no %s", name, n.path)
			continue
		}
		page := doc.resolve(list.Responses["200"].Content["application/json"].Schema)
		if page.Properties["items"].Items == nil {
			t.Errorf("%s: no list", name)
			continue
		}
		fields := doc.resolve(*page.Properties["items"].Items).Properties
		for _, column := range append(slices.Clone(n.columns), n.wide...) {
			if _, ok := fields[column]; !ok {
				t.Errorf("%s: the API has no field %s", name, column)
			}
		}
		if name == "audit" {
			continue // which has parameters of its own
		}
		_, text, _ := strings.Cut(list.Description, "Filters: ")
		filters, text, _ := strings.Cut(text, ". ")
		_, sorts, _ := strings.Cut(text, "Sorted by: ")
		if got := words(n.fields, n.only); !slices.Equal(got, words(filters)) {
			t.Errorf("%s: filters are %q, the API says %q", name, got, words(filters))
		}
		if got := words(n.fields); !slices.Equal(got, words(strings.TrimSuffix(sorts, "."))) {
			t.Errorf("%s: sorted by %q, the API says %q", name, got, sorts)
		}
	}
}

// What can be set over the API can be set here. Keys come from files, and what is archived has
// commands of its own.
func TestEveryFieldOfTheAPIHasAFlag(t *testing.T) {
	doc, seen := openAPI(t), 0
	var compare func(where string, want schema, flags map[string]reflect.Type)
	compare = func(where string, want schema, flags map[string]reflect.Type) {
		for name, field := range doc.resolve(want).Properties {
			inner := doc.resolve(field)
			switch flag, ok := flags[name]; {
			case field.ReadOnly || name == "archived" || slices.Contains(secretFields, name):
			case !ok:
				t.Errorf("%s.%s has no flag", where, name)
			case len(inner.Properties) > 0:
				compare(where+"."+name, inner, jsonFields(flag))
			default:
				seen++
			}
		}
	}
	for _, part := range []any{Campaigns{}, Objects{}, Administration{}} {
		v := reflect.New(reflect.TypeOf(part)).Elem()
		for i := range v.NumField() {
			x, ok := v.Field(i).Addr().Interface().(interface{ noun() *noun })
			create, hasCreate := v.Field(i).Type().FieldByName("Create")
			if !ok || !hasCreate {
				continue
			}
			if fields, ok := create.Type.FieldByName("Fields"); ok {
				path := x.noun().path
				compare(path, doc.Paths["/api/v1/"+path]["post"].RequestBody.Content["application/json"].Schema, jsonFields(fields.Type))
			}
		}
	}
	if seen < 90 {
		t.Errorf("%d fields: the rule was applied to next to nothing", seen)
	}
}

// jsonFields returns the fields of a struct by the names that they have in JSON.
func jsonFields(of reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			fields[name] = f.Type
		}
	}
	return fields
}

// words returns what is separated by commas, in order.
func words(lists ...string) (all []string) {
	for _, list := range lists {
		if list != "" {
			all = append(all, strings.Split(list, ", ")...)
		}
	}
	slices.Sort(all)
	return all
}

// Every order of the API can be given here.
func TestEveryCollectionHasANoun(t *testing.T) {
	paths := map[string]bool{"session": true, "secrets": true, "openapi.json": true}
	for _, n := range allNouns() {
		paths[n.path] = true
	}
	for path := range openAPI(t).Paths {
		collection, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/"), "/")
		if strings.HasPrefix(path, "/api/v1/") && !paths[collection] {
			t.Errorf("%s has no command", path)
		}
	}
}
