package service

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Bounds of a value in the audit log: what is longer is named by its size and digest.
const maxAudited = 2048

// redacted stands for a key in the audit log.
var redacted = json.RawMessage(`"[redacted]"`)

// unaudited are fields that change with every change.
var unaudited = map[string]bool{"revision": true, "updated_at": true, "last_changed": true}

// diff returns what an object and its keys had before and have now, field by field. before
// nil is a new object. Keys are only said to have been there; nil if nothing changed.
func diff(before, after any, keysBefore, keysAfter map[string][]byte) (json.RawMessage, error) {
	was, err := fieldsOf(before)
	if err != nil {
		return nil, err
	}
	is, err := fieldsOf(after)
	if err != nil {
		return nil, err
	}
	// Written by hand: an import has an entry for each of its rows, and what is in it is JSON already.
	d := differences("{")
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if !unaudited[name] && !bytes.Equal(was[name], is[name]) {
			d.add(name, brief(was[name]), brief(is[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[name]; !ok && !unaudited[name] {
			d.add(name, brief(was[name]), nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(keysAfter)) {
		if old, key := keysBefore[name], keysAfter[name]; !bytes.Equal(old, key) {
			d.add(name, covered(old), covered(key))
		}
	}
	if len(d) == 1 {
		return nil, nil
	}
	return json.RawMessage(append(d, '}')), nil
}

// differences is a JSON object that grows: {"field":{"before":...,"after":...},...
type differences []byte

// add appends what became of one field. before and after are JSON, or nil for none; name
// is that of a field, which JSON needs no escapes for.
func (d *differences) add(name string, before, after json.RawMessage) {
	if len(*d) > 1 {
		*d = append(*d, ',')
	}
	*d = append(append(append(*d, '"'), name...), `":{`...)
	if before != nil {
		*d = append(append(*d, `"before":`...), before...)
	}
	if before != nil && after != nil {
		*d = append(*d, ',')
	}
	if after != nil {
		*d = append(append(*d, `"after":`...), after...)
	}
	*d = append(*d, '}')
}

func fieldsOf(obj any) (fields map[string]json.RawMessage, err error) {
	if obj == nil {
		return nil, nil
	}
	raw, err := json.Marshal(obj)
	if err == nil {
		err = json.Unmarshal(raw, &fields)
	}
	return fields, err
}

func brief(value json.RawMessage) json.RawMessage {
	if len(value) <= maxAudited {
		return value
	}
	var list []json.RawMessage
	what := fmt.Sprintf("%d bytes", len(value))
	if json.Unmarshal(value, &list) == nil {
		what = fmt.Sprintf("%d items", len(list))
	}
	text, _ := json.Marshal(fmt.Sprintf("%s, SHA-256 of its JSON %x", what, sha256.Sum256(value))) // a string
	return text
}

func covered(key []byte) json.RawMessage {
	if len(key) == 0 {
		return nil
	}
	return redacted
}
