package metrics

import (
	"slices"
	"sync"
)

// other is the value of a label for whatever has no value of its own.
const other = "other"

// oneOf returns v if it is one of the known values.
func oneOf(v string, known ...string) string {
	if slices.Contains(known, v) {
		return v
	}
	return other
}

// words bounds a label whose values are words of the code that is not known here: states,
// reasons, routes. The first max different ones are kept.
type words struct {
	max    int  // different values
	length int  // characters of one
	route  bool // slashes and braces too

	mu   sync.RWMutex
	seen map[string]bool
}

func newWords(limit int) *words { return &words{max: limit, length: 48, seen: map[string]bool{}} }

func newRoutes(limit int) *words {
	return &words{max: limit, length: 128, route: true, seen: map[string]bool{}}
}

// value returns v, "none" if it is empty, or "other" if it is no word or one too many.
func (w *words) value(v string) string {
	if v == "" {
		return "none"
	}
	w.mu.RLock()
	seen, full := w.seen[v], len(w.seen) >= w.max
	w.mu.RUnlock()
	switch {
	case seen:
		return v
	case full || len(v) > w.length || !w.word(v):
		return other
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) >= w.max && !w.seen[v] {
		return other
	}
	w.seen[v] = true
	return v
}

// word reports whether v is written like a word of the code and not like data: letters,
// digits and marks, and nothing in it that could be a DevEUI (16 hexadecimal digits in a row).
func (w *words) word(v string) bool {
	digits := 0
	for i := range len(v) {
		c := v[i]
		switch {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			if digits++; digits == 16 {
				return false
			}
			continue
		case c >= 'g' && c <= 'z' || c >= 'G' && c <= 'Z' || c == '_' || c == '-' || c == '.':
		case w.route && (c == '/' || c == '{' || c == '}' || c == '$'):
		default:
			return false
		}
		digits = 0
	}
	return true
}
