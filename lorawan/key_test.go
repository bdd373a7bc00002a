package lorawan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
)

const secret = "8e506b852f760ad66734c3a8d8ac639b"

// leaks reports whether text shows any four bytes of the key, in hexadecimal or decimal.
func leaks(text string) bool {
	k := lorawan.MustParseAES128Key(secret)
	text = strings.ToLower(text)
	for i := range len(k) - 3 {
		for _, format := range []string{"%02x%02x%02x%02x", "%d %d %d %d", "%d,%d,%d,%d", "0x%x, 0x%x, 0x%x, 0x%x"} {
			if strings.Contains(text, fmt.Sprintf(format, k[i], k[i+1], k[i+2], k[i+3])) {
				return true
			}
		}
	}
	return false
}

func TestKeysNeverPrintThemselves(t *testing.T) {
	k := lorawan.MustParseAES128Key(secret)
	type holder struct {
		Key  lorawan.AES128Key
		Keys []lorawan.AES128Key
		Ptr  *lorawan.AES128Key
		Map  map[string]lorawan.AES128Key
	}
	h := holder{k, []lorawan.AES128Key{k}, &k, map[string]lorawan.AES128Key{"k": k}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "% x", "%032x"} {
		for _, v := range []any{k, &k, h.Keys, h.Map, h} {
			if text := fmt.Sprintf(verb, v); leaks(text) {
				t.Errorf("%s of %T: %s", verb, v, text)
			}
		}
	}
	if text := fmt.Sprint(k); text != "[redacted]" {
		t.Errorf("printed as %q", text)
	}

	b, err := json.Marshal(h)
	if err != nil || leaks(string(b)) || !strings.Contains(string(b), "[redacted]") {
		t.Errorf("JSON %s, %v", b, err)
	}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("key", "key", k, "ptr", &k, "holder", h)
	}
	if leaks(out.String()) {
		t.Errorf("log: %s", out.String())
	}
}

// What holds keys in unexported fields must print itself.
type (
	careless struct{ key lorawan.AES128Key }
	careful  struct{ key lorawan.AES128Key }
	distant  struct{ key *lorawan.AES128Key }
)

func (careful) Format(f fmt.State, _ rune) { fmt.Fprint(f, "careful") }

func TestHoldersOfHiddenKeysMustFormatThemselves(t *testing.T) {
	k := lorawan.MustParseAES128Key(secret)
	if !leaks(fmt.Sprint(careless{k})) {
		t.Error("fmt respects unexported fields now: the rule at AES128Key can go")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{careful{k}, &careful{k}, []careful{{k}}, struct{ C careful }{careful{k}}} {
			if text := fmt.Sprintf(verb, v); leaks(text) {
				t.Errorf("%s of %T: %s", verb, v, text)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, distant{&k}); leaks(text) {
			t.Errorf("%s beyond a pointer: %s", verb, text)
		}
	}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("keys", "careful", careful{k}, "ptr", &careful{k}, "distant", distant{&k})
	}
	if leaks(out.String()) {
		t.Errorf("log: %s", out.String())
	}
}

func TestSessionsDoNotPrintTheirKeys(t *testing.T) {
	k := lorawan.MustParseAES128Key(secret)
	s := lorawan.NewSession(lorawan.MustParseDevAddr("01020304"), k, k)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{s, &s} {
			if got, want := fmt.Sprintf(verb, v), "session of 01020304"; got != want {
				t.Errorf("%s: %s, want %s", verb, got, want)
			}
		}
		if got, want := fmt.Sprintf(verb, lorawan.NewCipher(k)), "[redacted]"; got != want {
			t.Errorf("%s: %s, want %s", verb, got, want)
		}
	}
}

func TestHexIsTheOnlyDoor(t *testing.T) {
	k := lorawan.MustParseAES128Key(strings.ToUpper(secret))
	if k.Hex() != secret {
		t.Errorf("Hex %s, want %s", k.Hex(), secret)
	}
	if !leaks(k.Hex()) {
		t.Error("the test would not see a leak")
	}
}

func TestKeyErrorsDoNotRepeatTheText(t *testing.T) {
	for _, s := range []string{secret[:31], secret + "0", secret[:31] + "g", ""} {
		_, err := lorawan.ParseAES128Key(s)
		if !errors.Is(err, lorawan.ErrText) {
			t.Errorf("%d characters: %v, want ErrText", len(s), err)
		} else if leaks(err.Error()) {
			t.Errorf("error %q", err)
		}
	}
}

func TestKeysCompare(t *testing.T) {
	k := lorawan.MustParseAES128Key(secret)
	other := k
	other[15] ^= 1
	if !k.Equal(k) || k.Equal(other) || k.IsZero() || !(lorawan.AES128Key{}).IsZero() {
		t.Error("Equal or IsZero is wrong")
	}
}
