package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/goccy/go-yaml"
)

// FuzzYAMLSaysWhatJSONSays reads what is written with a YAML library: it must be the same
// value, down to strings that look like numbers, dates or truths.
func FuzzYAMLSaysWhatJSONSays(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `"no"`, `{"a":"0004a30b00112233","b":"00000000000012e4","c":"1.10","d":"~","e":"2026-03-01","f":""}`,
		`{"a":{"b":[{"c":1,"d":[[],{},[1,[2]]]},{"e":null}]},"f":-1.5e300,"g":true}`,
		`{"a":"# no: comment","b":"line\nline","c":"tab\there \"quoted\" <&> \u0000 \u2028","d":"- x"}`,
		`[[["a"],["b"]],[{"a":[{"b":"c"}]}]]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want any
		if json.Unmarshal([]byte(text), &want) != nil || !plainKeys(want) {
			return
		}
		var b bytes.Buffer
		if err := printYAML(&b, json.RawMessage(text)); err != nil {
			t.Fatal(err)
		}
		var got any
		if err := yaml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%v in\n%s", err, b.Bytes())
		}
		// Through JSON, as the library has more kinds of numbers.
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var read any
		if err := json.Unmarshal(again, &read); err != nil || !reflect.DeepEqual(read, want) {
			t.Errorf("%s became\n%s, read as %s", text, b.Bytes(), again)
		}
	})
}

// plainKeys tells if all keys are names as the API has them.
func plainKeys(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if !plainKeys(x) {
				return false
			}
		}
	case map[string]any:
		for k, x := range v {
			for _, r := range k {
				if r < 'a' || r > 'z' {
					return false
				}
			}
			if k == "" || !plainKeys(x) {
				return false
			}
		}
	}
	return true
}
