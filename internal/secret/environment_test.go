package secret_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/secret"
)

func TestTheFirstKeyOfTheEnvironmentIsThePrimary(t *testing.T) {
	kek := environment(t, entry("new", 2)+", "+entry("old", 1))
	if id := primary(t, kek); id != "new" {
		t.Errorf("primary %q", id)
	}
	id, wrapped, err := environment(t, entry("old", 1)).Wrap(context.Background(), []byte("plain"))
	if err != nil || id != "old" {
		t.Fatal(id, err)
	}
	if plain, err := kek.Unwrap(context.Background(), id, wrapped); err != nil || string(plain) != "plain" {
		t.Errorf("%q, %v", plain, err)
	}
	_, err = kek.Unwrap(context.Background(), "gone", wrapped)
	if !errors.Is(err, secret.ErrUnknownKEK) || !strings.Contains(err.Error(), `"gone"`) {
		t.Errorf("%v, want ErrUnknownKEK with the id", err)
	}
}

func TestUnusableEnvironments(t *testing.T) {
	good := entry("k1", 1)
	raw := strings.TrimPrefix(good, "k1:")
	short := "k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 31)))
	for name, value := range map[string]string{
		"nothing":               "",
		"only commas":           ",",
		"an empty entry":        good + ",",
		"no id":                 raw,
		"an empty id":           ":" + raw,
		"swapped":               raw + ":k1",
		"swapped, no padding":   strings.NewReplacer("+", "x", "/", "x", "=", "").Replace(raw) + ":k1",
		"a long id":             strings.Repeat("i", 41) + ":" + raw,
		"a space in the id":     "k 1:" + raw,
		"hexadecimal":           "k1:" + strings.Repeat("0f", 32),
		"16 bytes":              "k1:" + base64.StdEncoding.EncodeToString(make([]byte, 16)),
		"31 bytes":              short,
		"zeros":                 "k1:" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"no padding":            strings.TrimRight(good, "="),
		"an id twice":           good + "," + entry("k1", 2),
		"a key twice":           good + ",k2:" + raw,
		"quoted by the shell":   `"` + good + `"`,
		"a line break in a key": good[:10] + "\n" + good[10:],
	} {
		_, err := secret.FromEnvironment(value)
		if name == "a line break in a key" { // encoding/base64 skips line breaks, and the key is the same
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, secret.ErrEnvironment) {
			t.Errorf("%s: %v, want ErrEnvironment", name, err)
			continue
		}
		for _, word := range []string{raw[:6], raw[10:16], "sssss", "0f0f"} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%s: the error repeats the text: %v", name, err)
			}
		}
	}
}
