package logs_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/starling-fuota/starling/internal/logs"
)

// spellings returns the ways in which a key is written.
func spellings(key []byte) []string {
	pairs := make([]string, len(key))
	for i, b := range key {
		pairs[i] = fmt.Sprintf("%02x", b)
	}
	h := hex.EncodeToString(key)
	return []string{h, strings.ToUpper(h), strings.Join(pairs, ":"), strings.Join(pairs, "-"), strings.ToUpper(strings.Join(pairs, "-")),
		base64.StdEncoding.EncodeToString(key), base64.URLEncoding.EncodeToString(key)}
}

// A key that is written into anything, with anything around it, does not come out. Of a
// hexadecimal spelling not even half comes out.
func FuzzNoKeyComesOut(f *testing.F) {
	for _, around := range [][2]string{{"", ""}, {"key ", "!"}, {"12:34-", "56"}, {"stl_", "=="}, {"postgres://u:", "@h/db"}, {"http://", "://x:y@z"},
		{"01a208ed-4142-73ca-896f-076b059ec5", "-00"}, {"01a208ed-4142-73ca-896f-", "-4142-73ca-896f-076b059ec58d"}, {"abcdefABCDEF0123456789", "/x"},
		{"-----BEGIN ", "-----END x-----"}, {"bearer ", ","}, {"password='", "'"}, {"\x00\xff\"", "\n"}, {"{\"a\":\"", "\"}"}} {
		f.Add(rawKey[:], around[0], around[1])
	}
	f.Fuzz(func(t *testing.T, key []byte, before, after string) {
		if len(key) != 16 && len(key) != 32 || !utf8.ValidString(before) || !utf8.ValidString(after) {
			return
		}
		for _, spelled := range spellings(key) {
			text := before + spelled + after
			if got := logs.Redact(text); strings.Contains(got, spelled) {
				t.Fatalf("%q came out of %q: %s", spelled, text, got)
			}
			for _, json := range []bool{false, true} {
				got := line(json, func(l *slog.Logger) {
					l.With("with", text).WithGroup("g").Info(text, "value", text, "error", errors.New(text), text, 1, slog.Group("h", "x", text),
						"strings", []string{text}, "map", map[string]any{text: text}, "struct", struct{ A any }{text}, "stringer", speaking{text},
						"bytes", key, "app_s_key", text)
				})
				if strings.Contains(got, spelled) {
					t.Fatalf("%q came out of %q: %s", spelled, text, got)
				}
				if half := spelled[:len(spelled)/2]; strings.Trim(half, "0123456789abcdefABCDEF") == "" && strings.Contains(got, half) && !strings.Contains(before+after, half) {
					t.Fatalf("half of %q came out of %q: %s", spelled, text, got)
				}
			}
		}
	})
}
