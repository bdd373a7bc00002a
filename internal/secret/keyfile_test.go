package secret

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// sample returns a file of n keys, the last of them primary.
func sample(n int) keyFile {
	var c keyFile
	for i := range n {
		k := fileKey{id: fmt.Sprintf("%016x", i), created: time.Date(2026, 10, 1, 12, 0, i, 0, time.UTC), key: key{0: byte(i), 31: 0xa5}}
		c.keys = append(c.keys, k)
		c.primary = k.id
	}
	return c
}

func equal(a, b keyFile) bool {
	if a.primary != b.primary || len(a.keys) != len(b.keys) {
		return false
	}
	for i, k := range a.keys {
		if o := b.keys[i]; k.id != o.id || !k.created.Equal(o.created) || k.key != o.key {
			return false
		}
	}
	return true
}

func TestFilesAreReadAsWritten(t *testing.T) {
	for n := 1; n < 5; n++ {
		got, err := parseKeyFile(sample(n).encode())
		if err != nil || !equal(got, sample(n)) {
			t.Errorf("%d keys: %v, %v", n, got, err)
		}
	}
}

// These have a good sum: they are what a program with an error could write.
func TestFilesThatContradictThemselvesAreDamaged(t *testing.T) {
	whole := sample(2).encode()
	body := string(whole[:bytes.LastIndex(whole, []byte("sum "))])
	lines := strings.SplitAfter(body, "\n")
	first, second, last := lines[3], lines[4], lines[5]
	for name, c := range map[string]struct{ old, new, want string }{
		"no primary":               {last, "", "no line names the primary"},
		"a primary that is no key": {last, "primary 00000000000000ff\n", "line 6: the primary is none"},
		"two primaries":            {last, last + last, "line 7: the primary must be the last"},
		"a primary in front":       {first, last + first, "line 4: the primary is none"},
		"no keys":                  {first + second, "", "line 4: the primary is none"},
		"a key twice":              {second, first, "line 5: the id or the key was there before"},
		"a key under two ids":      {second, strings.Replace(first, "0000000000000000", "0000000000000001", 1), "line 5: the id or the key"},
		"an id with a slash":       {"key 0000000000000000", "key ../etc", "line 4: the id is not valid"},
		"a date":                   {"2026-10-01T12:00:00Z", "2026-10-01", "line 4: the time"},
		"another time zone":        {"2026-10-01T12:00:00Z", "2026-10-01T12:00:00+02:00", "line 4: the time"},
		"a short key":              {"AAAA", "", "line 4: the key has 29 bytes"},
		"no base64":                {"AAAAA", "!!!!!", "line 4: the key is not base64"},
		"two spaces":               {"key 0", "key  0", "line 4: neither"},
		"an empty line":            {first, first + "\n", "line 5: neither"},
		"an unknown word":          {first, first + "next 1\n", "line 5: neither"},
	} {
		changed := strings.Replace(body, c.old, c.new, 1)
		if changed == body {
			t.Fatalf("%s: %q is not in the file", name, c.old)
		}
		_, err := parseKeyFile(appendSum([]byte(changed)))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ErrDamaged and %q", name, err, c.want)
		}
	}
}

// The two types that hold keys in clear do not leave the package, but logs in here could show them.
func TestKeysInClearNeverPrintThemselves(t *testing.T) {
	c := sample(1)
	var out bytes.Buffer
	timeless := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { // its digits may be those of a key
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	for _, v := range []any{c, &c, c.keys, c.keys[0], c.keys[0].key, &c.keys[0].key, newBox(c.keys[0].key), struct{ B *box }{newBox(c.keys[0].key)}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, timeless)).Info("json", "v", v)
		slog.New(slog.NewTextHandler(&out, timeless)).Info("text", "v", v)
	}
	for _, leak := range []string{"a5", "A5", "165", "0 0 0", "0, 0", "AAAA", "0000000000000000a5", "\xa5"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in\n%s", leak, &out)
		}
	}
	if got := c.keys[0].key.String(); got != redacted {
		t.Errorf("printed as %q", got)
	}
}

// FuzzKeyFile gives the body a good sum, or nothing but the sum would ever be tried: no panic, a
// known error that repeats no key, and what is accepted is written and read as the same.
func FuzzKeyFile(f *testing.F) {
	for n := 1; n < 4; n++ {
		whole := sample(n).encode()
		f.Add(whole[:bytes.LastIndex(whole, []byte("sum "))])
		f.Add(whole)
	}
	f.Add([]byte("starling keyring 2\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, text := range [][]byte{body, appendSum(bytes.Clone(body))} {
			c, err := parseKeyFile(text)
			if err != nil {
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
					t.Errorf("%v", err)
				}
				continue
			}
			if !c.has(c.primary) {
				t.Errorf("primary %q is no key", c.primary)
			}
			again, err := parseKeyFile(c.encode())
			if err != nil || !equal(c, again) {
				t.Errorf("%v, written and read: %v, %v", c, again, err)
			}
		}
	})
}
