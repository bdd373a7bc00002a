//go:build !race

// Making patches is arithmetic without a goroutine, and ten times as slow under the race detector.

package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/internal/cli"
)

// workshop is a folder with two images and two keys, and a command line in it.
type workshop struct {
	*world
	dir         string
	old, target []byte
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	configFile(t, "")
	w := &workshop{world: &world{T: t}, dir: t.TempDir()}
	for i := range 3000 {
		w.old = append(w.old, byte(i*i>>3), byte(i))
	}
	w.target = bytes.Clone(w.old)
	copy(w.target[1000:], "a change")
	w.target = append(w.target, "and a little more"...)
	w.put("old.bin", w.old)
	w.put("new.bin", w.target)
	for _, name := range []string{"key", "other"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		sec1, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		public, err := envelope.PublicKeyPEM(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		w.put(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
		w.put(name+".sec1.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}))
		w.put(name+".pub.pem", public)
	}
	return w
}

func (w *workshop) put(name string, b []byte) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), b, 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *workshop) get(name string) []byte {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// run runs "delta" with words that have a dot, and do not start with one, in the folder.
func (w *workshop) run(code int, line string) result {
	w.Helper()
	words := []string{"delta"}
	for word := range strings.FieldsSeq(line) {
		if strings.Contains(word, ".") && word[0] != '.' && (word[0] < '0' || word[0] > '9') {
			word = filepath.Join(w.dir, word)
		}
		words = append(words, word)
	}
	r := w.bare(code, words...)
	if strings.Contains(r.err, "goroutine") || code != 0 && !strings.HasPrefix(r.err, "starling: ") {
		w.Errorf("delta %s: %s", line, r.err)
	}
	return r
}

func TestPatchesAreMadeSignedVerifiedAndApplied(t *testing.T) {
	w := newWorkshop(t)
	for _, format := range append(delta.Formats(), delta.Auto) {
		name := string(format)
		w.run(0, "create --from old.bin --to new.bin --format "+name+" -o "+name+".patch")
		w.run(0, "apply --from old.bin --patch "+name+".patch -o "+name+".bin")
		if !bytes.Equal(w.get(name+".bin"), w.target) {
			t.Errorf("%s makes another image", name)
		}
		// Made signed, or signed later, by either form of the key: the same bytes.
		w.run(0, "create --from old.bin --to new.bin --format "+name+" --key key.pem --from-version 1.0 --to-version 1.1.0.7 --producer acme --module m --hw-revision 0 -o "+name+".signed")
		w.run(0, "sign --from old.bin --to new.bin --patch "+name+".patch --key key.sec1.pem --from-version 1.0.0.0 --to-version 1.1.0.7 --producer acme --module m --hw-revision 0 -o "+name+".again")
		if !bytes.Equal(w.get(name+".signed"), w.get(name+".again")) {
			t.Errorf("%s: signed at once and later differ", name)
		}
		w.run(0, "verify "+name+".signed --public-key key.pub.pem --from old.bin --to new.bin")
		w.run(0, "apply --from old.bin --patch "+name+".signed --public-key key.pub.pem -o "+name+".again.bin")
		if !bytes.Equal(w.get(name+".again.bin"), w.target) {
			t.Errorf("%s, signed, makes another image", name)
		}
		if out := w.run(0, "inspect "+name+".signed --json").out; !strings.Contains(out, `"to_version": "1.1.0.7"`) || !strings.Contains(out, `"verified": false`) {
			t.Errorf("%s", out)
		}
		if out := w.run(0, "inspect "+name+".signed --public-key key.pub.pem --json").out; !strings.Contains(out, `"compressor"`) || !strings.Contains(out, `"verified": true`) {
			t.Errorf("%s", out)
		}
	}
	w.run(0, "create --from old.bin --to new.bin --key key.pem --bare-signature -o bare.patch")
	w.run(0, "verify bare.patch --public-key key.pub.pem --bare-signature")
	w.run(0, "apply --from old.bin --patch bare.patch --public-key key.pub.pem --bare-signature -o bare.bin")
	if !bytes.Equal(w.get("bare.bin"), w.target) {
		t.Error("with a bare signature: another image")
	}
}

func TestProgramsReadWhatWasMade(t *testing.T) {
	w := newWorkshop(t)
	out := w.run(0, "create --from old.bin --to new.bin --format detools --window 8 --lookahead 7 --compressor heatshrink --key key.pem --json -o signed.patch").out
	var got struct {
		Format, Compressor, SHA256 string
		Signed                     bool
		From                       int `json:"from_bytes"`
		To                         int `json:"to_bytes"`
		Patch                      int `json:"patch_bytes"`
		RAM                        int `json:"ram_bytes"`
		Overhead                   int `json:"overhead_bytes"`
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "detools" || got.Compressor != "heatshrink" || !got.Signed || got.From != 6000 || got.To != 6017 ||
		got.Patch != len(w.get("signed.patch")) || got.RAM != 256 || got.Overhead != 117 || len(got.SHA256) != 64 {
		t.Errorf("%s", out)
	}
	r := w.run(0, "create --from old.bin --to new.bin --format detools --window 8 --lookahead 7 --compressor heatshrink --key key.pem --json -o -")
	if r.out != string(w.get("signed.patch")) || !strings.Contains(r.err, `"patch_bytes"`) {
		t.Error("standard output has another patch, or more than it")
	}
	out = w.run(0, "bench --from old.bin --to new.bin --format hpatchlite --format detools-inplace --json").out
	var bench struct {
		Formats []struct {
			Format string
			Patch  int `json:"patch_bytes"`
		}
	}
	if err := json.Unmarshal([]byte(out), &bench); err != nil || len(bench.Formats) != 2 || bench.Formats[1].Format != "detools-inplace" || bench.Formats[1].Patch == 0 {
		t.Errorf("%s, %v", out, err)
	}
	if r := w.run(0, "bench --from old.bin --to new.bin --format hpatchlite --format detools-inplace --memory 4K"); !strings.Contains(r.out, "hpatchlite ") || !strings.Contains(r.err, "memory") {
		t.Errorf("%s%s", r.out, r.err)
	}
}

func TestWhatCannotBeUsedIsRefused(t *testing.T) {
	w := newWorkshop(t)
	w.run(0, "create --from old.bin --to new.bin -o bare.patch")
	w.run(0, "create --from old.bin --to new.bin --key key.pem -o signed.patch")
	w.put("image.elf", []byte("\x7fELF\x01\x01\x01"))
	w.put("image.hex", []byte(":020000040800F2\r\n:10000000"))
	w.put("empty.bin", nil)
	changed := w.get("signed.patch")
	changed[len(changed)/2] ^= 1
	w.put("changed.patch", changed)
	w.put("cut.patch", w.get("signed.patch")[:80])
	w.put("cutbare.patch", w.get("bare.patch")[:12])
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"create --from old.bin --to image.elf -o x.patch", cli.ExitInvalid, "objcopy -O binary"},
		{"create --from image.hex --to new.bin -o x.patch", cli.ExitInvalid, "Intel HEX"},
		{"create --from old.bin --to empty.bin -o x.patch", cli.ExitInvalid, "is empty"},
		{"create --from old.bin --to old.bin -o x.patch", cli.ExitInvalid, "the same"},
		{"create --from none.bin --to new.bin -o x.patch", cli.ExitUsage, "none.bin"},
		{"create --from old.bin --to new.bin -o new.bin", cli.ExitUsage, "exists already"},
		{"create --from old.bin --to new.bin --format bsdiff -o x.patch", cli.ExitUsage, "bsdiff"},
		{"create --from old.bin --to new.bin --allow bsdiff -o x.patch", cli.ExitUsage, "bsdiff"},
		{"create --from old.bin --to new.bin --compression 32 -o x.patch", cli.ExitUsage, "4 to 31"},
		{"create --from old.bin --to new.bin --format detools --compression 16 -o x.patch", cli.ExitUsage, "heatshrink"},
		{"create --from old.bin --to new.bin --format detools --window 8 -o x.patch", cli.ExitUsage, "lookahead"},
		{"create --from old.bin --to new.bin --extra much -o x.patch", cli.ExitUsage, "much"},
		{"create --from old.bin --to new.bin --key key.pub.pem -o x.patch", cli.ExitInvalid, "public key"},
		{"create --from old.bin --to new.bin --key old.bin -o x.patch", cli.ExitInvalid, "no private key"},
		{"create --from old.bin --to new.bin --bare-signature -o x.patch", cli.ExitUsage, "--key is missing"},
		{"create --from old.bin --to new.bin --key key.pem --producer acme -o x.patch", cli.ExitUsage, "go together"},
		{"create --from old.bin --to new.bin --key key.pem --to-version 1.256 -o x.patch", cli.ExitUsage, "255"},
		{"create --from old.bin --to new.bin --key key.pem --to-version 1.2 --bare-signature -o x.patch", cli.ExitUsage, "no envelope"},
		{"apply --from new.bin --patch signed.patch --public-key key.pub.pem -o x.bin", cli.ExitInvalid, "another base"},
		{"apply --from old.bin --patch signed.patch --public-key other.pub.pem -o x.bin", cli.ExitInvalid, "--public-key"},
		{"apply --from old.bin --patch signed.patch -o x.bin", cli.ExitUsage, "--public-key must say"},
		{"apply --from old.bin --patch bare.patch --public-key key.pub.pem -o x.bin", cli.ExitInvalid, "not signed"},
		{"apply --from old.bin --patch changed.patch --public-key key.pub.pem -o x.bin", cli.ExitInvalid, "changed since"},
		{"apply --from old.bin --patch cut.patch --public-key key.pub.pem -o x.bin", cli.ExitInvalid, "cut off"},
		{"apply --from old.bin --patch cutbare.patch -o x.bin", cli.ExitInvalid, "patch"},
		{"apply --from old.bin --patch key.pem -o x.bin", cli.ExitInvalid, "not a patch"},
		{"apply --from old.bin --patch empty.bin -o x.bin", cli.ExitInvalid, "is empty"},
		{"apply --from old.bin --patch bare.patch -o old.bin", cli.ExitUsage, "exists already"},
		{"verify signed.patch --public-key other.pub.pem", cli.ExitInvalid, "not signed with this key"},
		{"verify signed.patch --public-key key.pub.pem --from new.bin", cli.ExitInvalid, "another base"},
		{"verify signed.patch --public-key key.pub.pem --to old.bin", cli.ExitInvalid, "target"},
		{"verify signed.patch --public-key old.bin", cli.ExitInvalid, "P-256"},
		{"inspect key.pem", cli.ExitInvalid, "not a patch"},
		{"sign --from old.bin --to new.bin --patch signed.patch --key key.pem -o x.patch", cli.ExitInvalid, "signed already"},
		{"sign --from old.bin --to old.bin --patch bare.patch --key key.pem -o x.patch", cli.ExitInvalid, "another image"},
	} {
		if r := w.run(c.code, c.line); !strings.Contains(r.err, c.says) || r.out != "" {
			t.Errorf("delta %s: no %q in %s%s", c.line, c.says, r.err, r.out)
		}
	}
	left, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if strings.HasPrefix(f.Name(), ".") || strings.HasPrefix(f.Name(), "x.") {
			t.Errorf("%s was left behind", f.Name())
		}
	}
}
