package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"testing"

	"github.com/starling-fuota/starling/internal/secret"
)

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%p", "%T"}

// holder keeps them where package fmt cannot call their methods.
type holder struct {
	ring   *secret.Keyring
	sealer *secret.Sealer
	kek    secret.KEK
}

func TestNothingPrintsKeys(t *testing.T) {
	path := ringPath(t)
	ring := openRing(t, path, true)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kekBytes, err := base64.StdEncoding.DecodeString(regexp.MustCompile(`\S{43}=`).FindString(string(text)))
	if err != nil || len(kekBytes) != 32 {
		t.Fatal(len(kekBytes), err)
	}
	envBytes := make([]byte, 32)
	_, _ = seeded(1).Read(envBytes)
	dataBytes := make([]byte, 48) // an id, then the data key
	_, _ = seeded(9).Read(dataBytes)

	env := environment(t, entry("k1", 1))
	sealer := secret.NewSealer(ring, bytes.NewReader(dataBytes))
	dk := newDataKey(t, sealer, "a")
	values := []any{ring, sealer, env, &env, dk, &dk, []secret.DataKey{dk}, map[string]any{"ring": ring, "sealer": sealer, "env": env},
		holder{ring, sealer, env}, &holder{ring, sealer, env}, []holder{{ring, sealer, env}}}

	var out bytes.Buffer
	text1, json1 := slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)
	for _, v := range values {
		for _, verb := range verbs {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Errorf("JSON of %T: %v", v, err)
		}
		out.Write(append(b, '\n'))
		slog.New(text1).Info("text", "v", v)
		slog.New(json1).Info("json", "v", v)
	}
	for name, raw := range map[string][]byte{"the keyring's key": kekBytes, "the environment's key": envBytes, "the data key": dataBytes[16:]} {
		if leaks(out.String(), raw) {
			t.Errorf("%s is in what was printed", name)
		}
	}
	for _, raw := range []string{fmt.Sprintf("%d", kekBytes), fmt.Sprintf("%x", kekBytes), fmt.Sprintf("%#v", kekBytes), base64.StdEncoding.EncodeToString(kekBytes), string(kekBytes)} {
		if !leaks("before "+raw+" after", kekBytes) {
			t.Errorf("the test would not see a leak of the form %.12q", raw)
		}
	}
	for v, want := range map[any]string{ring: "keyring " + path, sealer: "sealer", env: "keys of the environment"} {
		if got := fmt.Sprintf("%x", v); got != want {
			t.Errorf("%T prints %q, want %q", v, got, want)
		}
	}
	if got, want := fmt.Sprintf("%+v", dk), "data key "+dk.ID+` of subscriber "a" under `+primary(t, ring); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
