package smartdelta_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/device/smartdelta"
)

// Versions of the tests, in the form of DevVersionAns: 1.0.0.0, 2.0.0.0 and 3.0.0.0.
const v1, v2, v3 = 1, 2, 3

var meter = envelope.ProfileOf("Starling", "Meter", 1)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// create makes a patch for flash of pages of 256 bytes.
func create(t testing.TB, old, target []byte, f delta.Format) delta.Patch {
	t.Helper()
	p, err := delta.Create(old, target, delta.Options{Format: f, Compression: 8, Extra: 300, Segment: 256, Memory: 6144, FlashBase: 0x08000000})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// seal signs a patch from version 1 to version 2.
func seal(t testing.TB, p delta.Patch, old, target []byte, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	return sealAs(t, p, old, target, delta.Identity{BaseVersion: v1, TargetVersion: v2, Profile: meter}, key)
}

func sealAs(t testing.TB, p delta.Patch, old, target []byte, id delta.Identity, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	b, err := delta.Sign(p, old, target, id, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// small is a device with pages of 256 bytes that has the decoder of f.
func small(f delta.Format, key *ecdsa.PrivateKey) smartdelta.Config {
	c := smartdelta.Config{Key: &key.PublicKey, Hardware: meter, Slot: 6144, Page: 256, Scratch: 2048, Window: 4096, Extra: 512, Formats: []delta.Format{f}}
	if f == delta.HPatchLiteInPlace || f == delta.DetoolsInPlace {
		c.Layout = smartdelta.InPlace
	}
	return c
}

func newInstaller(t testing.TB, c smartdelta.Config) *smartdelta.Installer {
	t.Helper()
	in, err := smartdelta.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// install prepares and boots.
func install(in *smartdelta.Installer, u device.Update) (image []byte, version uint32, losses int, err error) {
	p, err := in.Prepare(u)
	if err != nil {
		return nil, 0, 0, err
	}
	image, losses, err = p.Boot()
	return image, p.Version, losses, err
}

func TestPatchesOfEveryFormatLeadToTheTarget(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	for _, f := range delta.Formats() {
		patch := create(t, old, target, f)
		for name, block := range map[string][]byte{"signed": seal(t, patch, old, target, key), "bare": patch.Bytes} {
			c := small(f, key)
			c.Unsigned = true
			before := bytes.Clone(old)
			image, version, losses, err := install(newInstaller(t, c), device.Update{Block: block, Running: old, Version: v1})
			if err != nil || losses != 0 || !bytes.Equal(image, target) {
				t.Errorf("%s, %s: %d bytes, %d losses, %v", f, name, len(image), losses, err)
			}
			if want := map[string]uint32{"signed": v2}[name]; version != want {
				t.Errorf("%s, %s: version %d, want %d", f, name, version, want)
			}
			if !bytes.Equal(old, before) {
				t.Errorf("%s, %s: the old image was changed", f, name)
			}
		}
	}
}

func TestFullImagesAreTakenWithAndWithoutAnEnvelope(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	signed, err := envelope.Sign(target, envelope.Header{
		Codec: envelope.Full, TargetSize: uint32(len(target)), Target: envelope.DigestOf(target), TargetVersion: v2, Profile: meter,
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	noise := bytes.Repeat([]byte{0x00, 0x20, 0x00, 0x20, 0xc1, 0x01, 0x00, 0x08}, 100) // a vector table
	for _, f := range []delta.Format{delta.HPatchLite, delta.DetoolsInPlace} {
		in := newInstaller(t, small(f, key))
		for name, x := range map[string]struct{ block, image []byte }{"bare": {target, target}, "signed": {signed, target}, "vectors": {noise, noise}} {
			image, _, _, err := install(in, device.Update{Block: x.block, Running: old, Version: v1})
			if err != nil || !bytes.Equal(image, x.image) {
				t.Errorf("%s, %s: %d bytes, %v", f, name, len(image), err)
			}
		}
	}
}

// losesEverywhere installs a block with power that goes at change n, for all n, and then once more after
// each number of changes in again. Every time the target must run in the end.
func losesEverywhere(t *testing.T, in *smartdelta.Installer, u device.Update, target []byte, step func(n int) int) (changes int) {
	t.Helper()
	again := []int{0, 1, 3}
	for n := 1; ; n += step(n) {
		longest := 0
		for _, more := range again {
			u.PowerLosses = []int{n}
			if more > 0 {
				u.PowerLosses = []int{n, n + more}
			}
			p, err := in.Prepare(u)
			for errors.Is(err, device.ErrPowerLost) {
				longest = max(longest, 1)
				if u.PowerLosses = u.PowerLosses[1:]; len(u.PowerLosses) > 0 {
					u.PowerLosses = []int{more}
				}
				p, err = in.Prepare(u)
			}
			if err != nil {
				t.Fatalf("power lost at change %d and %d later: %v", n, more, err)
			}
			image, losses, err := p.Boot()
			if err != nil || !bytes.Equal(image, target) {
				t.Fatalf("power lost at change %d and %d later: not the target, %v", n, more, err)
			}
			longest = max(longest, losses)
		}
		if longest == 0 {
			return n - 1
		}
	}
}

func each(int) int { return 1 }

// grown is an image with 200 bytes more near its beginning.
func grown(b []byte) []byte {
	return slices.Concat(b[:300], bytes.Repeat([]byte("more"), 50), b[300:])
}

func TestUpdatesSurviveALossOfPowerAtEveryChangeOfFlash(t *testing.T) {
	old, target, key := blinky.Image(v1)[:3000], grown(blinky.Image(v2))[:3333], newKey(t)
	for _, x := range []struct{ old, target []byte }{{old, target}, {target, old}} {
		for _, f := range delta.Formats() {
			in := newInstaller(t, small(f, key))
			patch := create(t, x.old, x.target, f)
			if info, err := delta.Inspect(patch.Bytes); err != nil || f == delta.HPatchLiteInPlace && len(x.target) > len(x.old) && info.Extra < 100 {
				t.Fatalf("%d bytes held back, %v", info.Extra, err)
			}
			block := seal(t, patch, x.old, x.target, key)
			n := losesEverywhere(t, in, device.Update{Block: block, Running: x.old, Version: v1}, x.target, each)
			if n < 2*len(x.target)/256 {
				t.Errorf("%s: %d changes of flash for %d bytes", f, n, len(x.target))
			}
			t.Logf("%s, %d to %d bytes: %d changes of flash", f, len(x.old), len(x.target), n)
		}
	}
}

func TestSignedFullImagesSurviveALossOfPower(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	block, err := envelope.Sign(target, envelope.Header{
		Codec: envelope.Full, TargetSize: uint32(len(target)), Target: envelope.DigestOf(target), TargetVersion: v2, Profile: meter,
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []delta.Format{delta.HPatchLite, delta.DetoolsInPlace} {
		losesEverywhere(t, newInstaller(t, small(f, key)), device.Update{Block: block, Running: old, Version: v1}, target, each)
	}
}

func TestInPlacePatchesThatNeedScratchFlashAreRefusedWithout(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	block := seal(t, create(t, old, target, delta.HPatchLiteInPlace), old, target, key)
	c := small(delta.HPatchLiteInPlace, key)
	for _, scratch := range []int{0, 256} {
		c.Scratch = scratch
		if _, _, _, err := install(newInstaller(t, c), device.Update{Block: block, Running: old, Version: v1}); !errors.Is(err, smartdelta.ErrUnsafe) {
			t.Errorf("%d bytes of scratch: %v", scratch, err)
		}
	}
}

func TestDevicesShareTheImage(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	block := seal(t, create(t, old, target, delta.HPatchLite), old, target, key)
	in := newInstaller(t, small(delta.HPatchLite, key))
	var first []byte
	for i := range 5 {
		// Each has bytes of its own, as devices have that are on their own.
		image, _, _, err := install(in, device.Update{Block: bytes.Clone(block), Running: bytes.Clone(old), Version: v1})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = image
		}
		if &image[0] != &first[0] {
			t.Fatal("two devices hold one image twice")
		}
	}
	u := device.Update{Block: block, Running: old, Version: v1}
	work := testing.AllocsPerRun(100, func() {
		if _, err := in.Prepare(u); err != nil {
			t.Fatal(err)
		}
	})
	if work > 2 {
		t.Errorf("%v allocations for a device that does what others did", work)
	}
	u.PowerLosses = []int{5}
	p, err := in.Prepare(u)
	if errors.Is(err, device.ErrPowerLost) {
		u.PowerLosses = nil
		p, err = in.Prepare(u)
	}
	if err != nil {
		t.Fatal(err)
	}
	if image, _, _ := p.Boot(); &image[0] != &first[0] {
		t.Error("a device that lost power holds an image of its own")
	}
	for i := range uint32(200) { // and many images do no harm
		if image, _, _, err := install(in, device.Update{Block: blinky.Image(i + 1), Running: old, Version: v1}); err != nil || !bytes.Equal(image, blinky.Image(i+1)) {
			t.Fatal(i, err)
		}
	}
}

func TestDevicesThatCannotBeAreRefused(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]smartdelta.Config{
		"layout":         {Layout: 2},
		"page":           {Page: 100},
		"small page":     {Page: 32},
		"slot":           {Slot: 5000},
		"large slot":     {Slot: 1 << 28},
		"scratch":        {Scratch: 100},
		"window":         {Window: 8},
		"dictionary":     {DictField: 5},
		"key":            {Key: &curve.PublicKey},
		"other layout":   {Formats: []delta.Format{delta.DetoolsInPlace}},
		"other layout 2": {Layout: smartdelta.InPlace, Formats: []delta.Format{delta.HPatchLite}},
		"no format":      {Formats: []delta.Format{delta.Auto}},
	} {
		if _, err := smartdelta.New(c); !errors.Is(err, smartdelta.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := fmt.Sprint(smartdelta.TwoSlots, smartdelta.InPlace); got != "two-slots in-place" {
		t.Error(got)
	}
}
