package logs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
)

// keyBytes is how many raw bytes are taken for a key: those of AES-128. An EUI has 8.
const keyBytes = 16

// any returns what is written for a value that slog has no kind for. What prints
// itself does so and the text is checked; anything else is taken apart as JSON, for
// the names and values in it to be checked one by one.
func (w writer) any(name string, v slog.Value) slog.Value {
	switch b := v.Any().(type) {
	case nil, slog.Level:
		return v
	case []byte:
		if len(b) >= keyBytes {
			return slog.StringValue(redacted)
		}
		return v
	}
	text, ok := printed(v.Any())
	if ok {
		return slog.StringValue(redactIn(name, text))
	}
	tree := redactTree(name, parsed(v.Any()))
	if w.json {
		return slog.AnyValue(tree)
	}
	if s, ok := tree.(string); ok {
		return slog.StringValue(s)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return slog.StringValue("!ERROR: " + Redact(err.Error()))
	}
	return slog.StringValue(string(bytes.TrimSpace(out.Bytes())))
}

// redactIn is redact with the quick check before it.
func redactIn(name, s string) string {
	if !suspect(s) {
		return s
	}
	return redact(name, s)
}

// printed returns the text of values that know their own.
func printed(v any) (text string, ok bool) {
	defer func() {
		// A nil pointer with a method on the value, mostly. A log line is no place to fail.
		if p := recover(); p != nil {
			text, ok = fmt.Sprintf("!PANIC: %v", p), true
		}
	}()
	switch v := v.(type) {
	case error:
		return v.Error(), true
	case encoding.TextMarshaler:
		b, err := v.MarshalText()
		if err != nil {
			return "!ERROR: " + err.Error(), true
		}
		return string(b), true
	case json.Marshaler: // has parts
		return "", false
	case fmt.Stringer:
		return v.String(), true
	}
	return "", false
}

// parsed returns v as JSON has it: maps, slices, strings, numbers, booleans, nil. It is
// by the JSON names that people know the fields, and what is not for JSON is not for the log.
func parsed(v any) (tree any) {
	defer func() {
		if p := recover(); p != nil {
			tree = fmt.Sprintf("!PANIC: %v", p)
		}
	}()
	text, err := json.Marshal(v)
	if err != nil {
		return "!ERROR: " + err.Error()
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return "!ERROR: " + err.Error()
	}
	return tree
}

// redactTree applies both rules to everything in a tree. The tree is used up.
func redactTree(name string, tree any) any {
	switch v := tree.(type) {
	case string:
		return redactIn(name, v)
	case []any:
		if rawKey(v) {
			return redacted
		}
		for i := range v {
			v[i] = redactTree(name, v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v)) // names change too: they can come from outside
		for key, value := range v {
			if secretName(key) {
				clean[Redact(key)] = redacted
			} else {
				clean[Redact(key)] = redactTree(key, value)
			}
		}
		return clean
	}
	return tree
}

// rawKey reports whether a list is an array of bytes as long as a key: that is how JSON
// writes a [16]byte.
func rawKey(list []any) bool {
	if len(list) < keyBytes {
		return false
	}
	for _, v := range list {
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		if i, err := n.Int64(); err != nil || i < 0 || i > 255 {
			return false
		}
	}
	return true
}
