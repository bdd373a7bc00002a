package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// everyFieldIsBounded looks at what clients send: no text without a length or a form, no number
// and no list without an end.
func everyFieldIsBounded(c *contract) {
	for _, op := range c.operations {
		if op.body != nil {
			c.bounded(op.id, op.body)
		}
		for _, p := range op.parameters {
			if p.in == "query" && !slices.Contains(withoutProvider, op.id) {
				c.bounded(op.id+" query "+p.name, p.schema)
			}
		}
	}
}

func (c *contract) bounded(at string, schema map[string]any) {
	c.Helper()
	schema = c.resolve(schema)
	if schema["readOnly"] == true || schema["enum"] != nil {
		return
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return schema[n] != nil })
	}
	switch schema["type"] {
	case "string":
		if !has("maxLength", "pattern", "format") {
			c.Errorf("%s: a text without an end", at)
		}
	case "integer", "number":
		if !has("minimum") || !has("maximum") {
			c.Errorf("%s: a number without bounds", at)
		}
	case "array":
		if !has("maxItems") {
			c.Errorf("%s: a list without an end", at)
		}
		c.bounded(at+"[]", schema["items"].(map[string]any))
	case "object":
		properties, _ := schema["properties"].(map[string]any)
		for name, p := range properties {
			c.bounded(at+"/"+name, p.(map[string]any))
		}
		if len(properties) > 0 && schema["additionalProperties"] != false {
			c.Errorf("%s: takes fields that it does not have", at)
		}
	}
}

// wrong is a body that is wrong at one place.
type wrong struct {
	at   string // JSON pointer
	what string
	body map[string]any
}

// wrongs returns what can be wrong with a body, one thing at a time.
func (c *contract) wrongs(base map[string]any, schema map[string]any, at string) (all []wrong) {
	schema = c.resolve(schema)
	properties, _ := schema["properties"].(map[string]any)
	set := func(name, what string, value any) {
		body := maps.Clone(base)
		body[name] = value
		all = append(all, wrong{at + "/" + name, what, body})
	}
	if schema["additionalProperties"] == false {
		set("surprise", "an unknown field", 1)
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		body := maps.Clone(base)
		delete(body, name.(string))
		all = append(all, wrong{at, "without " + name.(string), body})
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p := c.resolve(properties[name].(map[string]any))
		if p["readOnly"] == true {
			continue
		}
		set(name, "null", nil)
		for what, value := range c.wrongValues(p) {
			set(name, what, value)
		}
		if p["type"] == "object" && p["properties"] != nil {
			inner, _ := base[name].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			for _, w := range c.wrongs(inner, p, at+"/"+name) {
				body := maps.Clone(base)
				body[name] = w.body
				all = append(all, wrong{w.at, w.what, body})
			}
		}
	}
	return all
}

// wrongValues returns values that a schema does not allow, by what is wrong.
func (c *contract) wrongValues(p map[string]any) map[string]any {
	out := map[string]any{}
	number := func(name string) (float64, bool) {
		n, ok := p[name].(json.Number)
		f, err := n.Float64()
		return f, ok && err == nil
	}
	switch p["type"] {
	case "string":
		out["a number"] = 7
		if n, ok := number("maxLength"); ok && n <= 10000 {
			out["too long"] = strings.Repeat("a", int(n)+1)
		}
		if n, ok := number("minLength"); ok && n > 0 {
			out["too short"] = strings.Repeat("a", int(n)-1)
		}
		if text, ok := p["pattern"].(string); ok {
			pattern := regexp.MustCompile(text)
			for _, candidate := range []string{"\u0001", "!", "a b c"} {
				if !pattern.MatchString(candidate) {
					out["of another form"] = candidate
				}
			}
		}
		if p["format"] != nil {
			out["of another format"] = "nonsense"
		}
		if p["enum"] != nil {
			out["not one of those"] = "nonsense"
		}
		out["with a NUL"] = "a\u0000b"
	case "integer", "number":
		out["a text"] = "x"
		if n, ok := number("minimum"); ok {
			out["too small"] = n - 1
		}
		if n, ok := number("maximum"); ok {
			out["too large"] = n + 1
		}
		if p["type"] == "integer" || p["multipleOf"] != nil {
			out["a fraction"] = 1.5
		}
		out["huge"] = 1e300
	case "boolean":
		out["a text"] = "true"
	case "array":
		out["a text"] = "x"
		items := c.resolve(p["items"].(map[string]any))
		if n, ok := number("maxItems"); ok && n <= 1000 {
			out["too many"] = slices.Repeat([]any{"a"}, int(n)+1)
		}
		if n, ok := number("minItems"); ok && n > 0 {
			out["too few"] = []any{}
		}
		for what, value := range c.wrongValues(items) {
			out["an item that is "+what] = []any{value}
		}
		out["an item that is null"] = []any{nil}
	case "object":
		out["a number"] = 7
		out["a list"] = []any{}
	}
	return out
}

func wrongFieldsAreNamed(c *contract) {
	n := 0
	for _, op := range c.operations {
		if op.body == nil {
			continue
		}
		r, _ := c.example(op, c.tokens["server administrator"])
		var base map[string]any
		if err := json.Unmarshal(r.body, &base); err != nil {
			c.Fatal(err)
		}
		for _, w := range c.wrongs(base, op.body, "") {
			n++
			r.body = encode(w.body)
			s := c.do(r)
			if strings.HasSuffix(w.what, "NUL") {
				if s.status != http.StatusBadRequest && s.status != http.StatusUnprocessableEntity {
					c.Errorf("%s %s at %s:\n%s", op.id, w.what, w.at, s)
				}
				continue
			}
			if !c.refused(s, http.StatusUnprocessableEntity, "invalid") {
				c.Errorf("that was %s at %s", w.what, w.at)
				continue
			}
			var p struct {
				Errors []struct{ Pointer, Message string }
			}
			if err := json.Unmarshal(s.body, &p); err != nil {
				c.Fatal(err)
			}
			named := slices.ContainsFunc(p.Errors, func(e struct{ Pointer, Message string }) bool {
				return e.Message != "" && (e.Pointer == w.at || strings.HasPrefix(e.Pointer, w.at+"/"))
			})
			if !named {
				c.Errorf("%s: %s at %s is not named:\n%s", op.id, w.what, w.at, s)
			}
		}
	}
	if n < 1000 {
		c.Errorf("only %d bodies were tried", n)
	}
}

func wrongParametersAreNamed(c *contract) {
	n := 0
	for _, op := range c.operations {
		r, _ := c.example(op, c.tokens["server administrator"])
		if slices.Contains(withoutProvider, op.id) {
			continue
		}
		refused := func(what, name string, r request) {
			n++
			s := c.do(r)
			if s.status == http.StatusUnprocessableEntity && strings.Contains(string(s.body), name) {
				return
			}
			c.Errorf("%s with %s %s:\n%s", op.id, name, what, s)
		}
		refused("unknown", "query.surprise", r.where("surprise", "1"))
		refused("not text", "query", r.where("surprise", "\xff"))
		for _, p := range op.parameters {
			switch p.in {
			case "query":
				schema := p.schema
				list := schema["type"] == "array"
				if list {
					schema = c.resolve(schema["items"].(map[string]any))
				}
				for what, value := range c.wrongValues(schema) {
					text := fmt.Sprint(value)
					if f, ok := value.(float64); ok {
						text = fmt.Sprintf("%.1f", f)
						if f == float64(int64(f)) {
							text = fmt.Sprintf("%d", int64(f))
						}
					}
					// In an address everything is text, and so is a cursor.
					if schema["type"] == "string" && what == "a number" || schema["type"] == "boolean" && text == "true" {
						continue
					}
					refused(what, "query", r.where(p.name, text))
				}
				if !list {
					refused("twice", "query."+p.name, r.where(p.name, "1", "1"))
				}
				if schema["enum"] != nil || schema["type"] != "string" {
					refused("empty", "query."+p.name, r.where(p.name, ""))
				}
			case "path":
				for _, id := range []string{strings.Repeat("x", 300), "a b", "ü", "\x00", "..%2f"} {
					r := r
					r.id = id
					if s := c.do(r); s.status != http.StatusNotFound && s.status != http.StatusUnprocessableEntity {
						c.Errorf("%s of %q:\n%s", op.id, id, s)
					}
				}
			case "header":
				if p.name == "Starling-Subscriber" && op.id != "logout" {
					refused("unknown", p.name, r.with(p.name, "nobody"))
				}
			}
		}
		if p, ok := op.parameter("filter"); ok && p.in == "query" {
			refused("without a colon", "query.filter", r.where("filter", "name"))
			refused("of an unknown field", "query.filter", r.where("filter", "shoe:7"))
			refused("twice", "query.filter", r.where("filter", "name:a", "name:b"))
			refused("of an unknown field", "query.sort", r.where("sort", "shoe"))
			refused("of something secret", "query.filter", r.where("filter", "digest:00"))
			refused("of too much", "query.sort", r.where("sort", strings.Repeat("a,", 150)))
			if s := c.do(r.where("cursor", "nonsense")); s.status != http.StatusUnprocessableEntity {
				c.Errorf("%s with a cursor of nobody:\n%s", op.id, s)
			}
		}
	}
	if n < 300 {
		c.Errorf("only %d parameters were tried", n)
	}
}

func unreadable(c *contract) {
	for _, op := range c.operations {
		if len(op.takes) == 0 {
			continue
		}
		r, _ := c.example(op, c.tokens["server administrator"])
		other := r
		other.contentType = "application/xml"
		c.refused(c.do(other), http.StatusUnsupportedMediaType, "unsupported_media_type")
		other.contentType = "; nonsense"
		c.refused(c.do(other), http.StatusUnsupportedMediaType, "unsupported_media_type")
		if op.body == nil {
			continue
		}
		for _, body := range []string{"", "{", `{"name":`, "nonsense", "{\"name\":\"\xff\"}", `{"name":"a"} trailing`, "\x00"} {
			r.body = []byte(body)
			c.refused(c.do(r), http.StatusBadRequest, "malformed")
		}
		for _, body := range []string{`[]`, `"text"`, `null`, `7`} {
			r.body = []byte(body)
			c.refused(c.do(r), http.StatusUnprocessableEntity, "invalid")
		}
		r.body = []byte(`{"name":"` + strings.Repeat("a", 5<<20) + `"}`)
		c.refused(c.do(r), http.StatusRequestEntityTooLarge, "too_large")
	}
}
