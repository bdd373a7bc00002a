package secret

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// environment is the KEKs of a variable: they change when the process starts again.
type environment struct{ keys *keySet }

// FromEnvironment reads keys as "id:base64,id:base64"; the first is the primary. An id has 1 to
// 40 letters, digits, '-', '_' or '.'; a key is 32 random bytes in standard base64 (`openssl rand
// -base64 32`). To rotate, put a new key in front, restart, rewrap, and take the others away.
//
// Anything else is ErrEnvironment; the error counts entries and repeats nothing of the text,
// because ids and keys get swapped.
func FromEnvironment(value string) (KEK, error) {
	entries := strings.Split(value, ",")
	set := &keySet{boxes: make(map[string]*box, len(entries))}
	seen := make(map[key]bool, len(entries))
	for i, entry := range entries {
		id, k, fault := parseEntry(strings.TrimSpace(entry))
		switch {
		case fault != "":
		case set.boxes[id] != nil:
			fault = "the id was there before"
		case seen[k]:
			fault = "the key was there before, under another id"
		}
		if fault != "" {
			return nil, fmt.Errorf("entry %d of %d: %s; want id:base64,id:base64: %w", i+1, len(entries), fault, ErrEnvironment)
		}
		seen[k] = true
		set.ids = append([]string{id}, set.ids...)
		set.boxes[id] = newBox(k)
	}
	set.primary = set.ids[len(set.ids)-1]
	return environment{set}, nil
}

// parseEntry returns what is wrong with an entry, or "".
func parseEntry(entry string) (string, key, string) {
	if entry == "" {
		return "", key{}, "it is empty"
	}
	id, text, found := strings.Cut(entry, ":")
	switch {
	case !found:
		return "", key{}, "there is no colon between id and key"
	case !validID(id):
		return "", key{}, fmt.Sprintf("the id is not 1 to %d letters, digits, '-', '_' or '.'", maxID)
	}
	k, fault := parseKey(text)
	return id, k, fault
}

// parseKey reads a key as standard base64 with padding. It returns what is wrong, or "".
func parseKey(text string) (key, string) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case err != nil:
		return key{}, "the key is not base64"
	case len(b) != keySize:
		return key{}, fmt.Sprintf("the key has %d bytes, not %d", len(b), keySize)
	case key(b) == key{}:
		return key{}, "the key is all zeros"
	}
	return key(b), ""
}

func (e environment) Primary(context.Context) (string, error) { return e.keys.primary, nil }

func (e environment) Wrap(_ context.Context, plain []byte) (string, []byte, error) {
	id, wrapped := e.keys.wrap(plain)
	return id, wrapped, nil
}

func (e environment) Unwrap(_ context.Context, kekID string, wrapped []byte) ([]byte, error) {
	plain, err := e.keys.unwrap(kekID, wrapped)
	if err != nil {
		return nil, fmt.Errorf("keys of the environment: %w", err)
	}
	return plain, nil
}

func (e environment) String() string               { return "keys of the environment" }
func (e environment) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, e.String()) }
func (e environment) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
