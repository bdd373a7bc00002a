package smartdelta_test

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/device/smartdelta"
)

// refused checks that a block is refused with an error, at the first and at the second time, and
// that the old image is whole.
func refused(t *testing.T, c smartdelta.Config, u device.Update, want error) {
	t.Helper()
	before := bytes.Clone(u.Running)
	in := newInstaller(t, c)
	for range 2 {
		if _, err := in.Prepare(u); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if !bytes.Equal(u.Running, before) {
		t.Error("the old image was changed")
	}
}

func TestEachThingThatIsWrongHasItsRefusal(t *testing.T) {
	old, target, key, other := blinky.Image(v1), blinky.Image(v2), newKey(t), newKey(t)
	third := blinky.Image(v3)
	for _, f := range delta.Formats() {
		patch := create(t, old, target, f)
		block := seal(t, patch, old, target, key)
		id := delta.Identity{BaseVersion: v1, TargetVersion: v2, Profile: meter}
		foreign, newer, unsaid := id, id, id
		foreign.Profile = envelope.ProfileOf("Starling", "Meter", 2)
		newer.BaseVersion, newer.TargetVersion = v2, v3
		unsaid.BaseVersion, unsaid.TargetVersion = 0, 0
		broken := patch
		broken.Bytes = slices.Concat(patch.Bytes, []byte{0})
		mislabelled := patch
		mislabelled.Codec = map[delta.Format]envelope.Codec{delta.HPatchLite: envelope.Detools, delta.Detools: envelope.HPatchLite,
			delta.HPatchLiteRelocated: envelope.HPatchLite, delta.HPatchLiteInPlace: envelope.DetoolsInPlace, delta.DetoolsInPlace: envelope.HPatchLiteInPlace}[f]
		device1 := device.Update{Block: block, Running: old, Version: v1}
		with := func(change func(*smartdelta.Config)) smartdelta.Config {
			c := small(f, key)
			change(&c)
			return c
		}
		as := func(change func(*device.Update)) device.Update {
			u := device1
			change(&u)
			return u
		}
		cases := map[string]struct {
			c    smartdelta.Config
			u    device.Update
			want error
		}{
			"not signed":                {small(f, key), as(func(u *device.Update) { u.Block = patch.Bytes }), smartdelta.ErrUnsigned},
			"no key":                    {with(func(c *smartdelta.Config) { c.Key = nil }), device1, smartdelta.ErrUnsigned},
			"other key":                 {with(func(c *smartdelta.Config) { c.Key = &other.PublicKey }), device1, envelope.ErrSignature},
			"signed by another":         {small(f, key), as(func(u *device.Update) { u.Block = seal(t, patch, old, target, other) }), envelope.ErrSignature},
			"something behind it":       {small(f, key), as(func(u *device.Update) { u.Block = slices.Concat(block, []byte{0}) }), envelope.ErrSize},
			"no such decoder":           {with(func(c *smartdelta.Config) { c.Formats = []delta.Format{} }), device1, envelope.ErrCodec},
			"small slot":                {with(func(c *smartdelta.Config) { c.Slot = 4096 }), device1, envelope.ErrTooLarge},
			"little RAM":                {with(func(c *smartdelta.Config) { c.Window = 16 }), device1, envelope.ErrTooLarge},
			"other hardware":            {small(f, key), as(func(u *device.Update) { u.Block = sealAs(t, patch, old, target, foreign, key) }), device.ErrForeign},
			"hardware is not said":      {small(f, key), as(func(u *device.Update) { u.Block = sealAs(t, patch, old, target, delta.Identity{}, key) }), envelope.ErrProfile},
			"the same again":            {small(f, key), as(func(u *device.Update) { u.Running, u.Version = target, v2 }), envelope.ErrReplay},
			"an older one again":        {small(f, key), as(func(u *device.Update) { u.Running, u.Version = third, v3 }), envelope.ErrReplay},
			"versions are not said":     {small(f, key), as(func(u *device.Update) { u.Block = sealAs(t, patch, old, target, unsaid, key) }), envelope.ErrReplay},
			"for another version":       {small(f, key), as(func(u *device.Update) { u.Block = sealAs(t, patch, old, target, newer, key) }), envelope.ErrBase},
			"other base, same version":  {small(f, key), as(func(u *device.Update) { u.Running = third[:len(old)] }), envelope.ErrBase},
			"longer base":               {small(f, key), as(func(u *device.Update) { u.Running = slices.Concat(old, []byte{0xff}) }), envelope.ErrBase},
			"base unknown":              {small(f, key), as(func(u *device.Update) { u.Running = nil }), envelope.ErrBase},
			"signed, and broken":        {small(f, key), as(func(u *device.Update) { u.Block = seal(t, broken, old, target, key) }), smartdelta.ErrPatch},
			"signed, and another codec": {with(func(c *smartdelta.Config) { c.Formats = nil }), as(func(u *device.Update) { u.Block = seal(t, mislabelled, old, target, key) }), smartdelta.ErrPatch},
			"signed, and no patch": {small(f, key), as(func(u *device.Update) {
				p := patch
				p.Bytes = []byte("none")
				u.Block = seal(t, p, old, target, key)
			}), smartdelta.ErrPatch},
			"signed, and another target": {small(f, key), as(func(u *device.Update) { u.Block = seal(t, patch, old, third, key) }), envelope.ErrTarget},
			"image too large":            {small(f, key), as(func(u *device.Update) { u.Block = make([]byte, 6145) }), envelope.ErrTooLarge},
		}
		if patch.WindowLog == 0 {
			delete(cases, "little RAM") // crle needs none
		}
		for name, x := range cases {
			t.Run(string(f)+", "+name, func(t *testing.T) { refused(t, x.c, x.u, x.want) })
		}
	}
}

func TestInPlacePatchesMustFitFlash(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	u := device.Update{Block: seal(t, create(t, old, target, delta.DetoolsInPlace), old, target, key), Running: old, Version: v1}
	c := small(delta.DetoolsInPlace, key)
	c.Page = 512
	refused(t, c, u, smartdelta.ErrPages) // its segments are smaller
	c = small(delta.DetoolsInPlace, key)
	c.Slot = 5120
	refused(t, c, u, envelope.ErrTooLarge) // it wants memory of 6144 bytes
	target = grown(target)
	u.Block = seal(t, create(t, old, target, delta.HPatchLiteInPlace), old, target, key)
	c = small(delta.HPatchLiteInPlace, key)
	c.Extra = 1 // it holds back more
	refused(t, c, u, envelope.ErrTooLarge)
}

func TestWithoutAKeyOnlyWhatIsNotSealedIsTaken(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	patch := create(t, old, target, delta.Detools)
	c := small(delta.Detools, key)
	c.Key, c.Unsigned = nil, true
	image, _, _, err := install(newInstaller(t, c), device.Update{Block: patch.Bytes, Running: old})
	if err != nil || !bytes.Equal(image, target) {
		t.Errorf("%d bytes, %v", len(image), err)
	}
	refused(t, c, device.Update{Block: seal(t, patch, old, target, key), Running: old}, smartdelta.ErrUnsigned)
	c.Formats = []delta.Format{delta.HPatchLite}
	refused(t, c, device.Update{Block: patch.Bytes, Running: old}, envelope.ErrCodec)
}

func TestBareSignaturesAreTakenByWhoSaysSo(t *testing.T) {
	old, target, key, other := blinky.Image(v1), blinky.Image(v2), newKey(t), newKey(t)
	for _, f := range delta.Formats() {
		patch := create(t, old, target, f)
		sign := func(b []byte, by *ecdsa.PrivateKey) device.Update {
			signed, err := envelope.SignBare(b, by)
			if err != nil {
				t.Fatal(err)
			}
			return device.Update{Block: signed, Running: old, Version: v1}
		}
		c := small(f, key)
		c.Bare = true
		in := newInstaller(t, c)
		if image, version, _, err := install(in, sign(patch.Bytes, key)); err != nil || version != 0 || !bytes.Equal(image, target) {
			t.Errorf("%s: %d bytes, %v", f, len(image), err)
		}
		refused(t, c, sign(patch.Bytes, other), envelope.ErrSignature)
		refused(t, c, device.Update{Block: patch.Bytes, Running: old, Version: v1}, smartdelta.ErrUnsigned)
		refused(t, c, sign([]byte("a patch of a form that nobody knows"), key), smartdelta.ErrPatch)
		c.Slot = 4096
		refused(t, c, sign(patch.Bytes, key), envelope.ErrTooLarge)
		if image, _, _, err := install(in, device.Update{Block: target, Running: old, Version: v1}); err != nil || !bytes.Equal(image, target) {
			t.Errorf("%s, whole image: %v", f, err)
		}
		// HPatchLite is known by its first bytes, whoever has signed it.
		if f == delta.HPatchLite {
			refused(t, small(f, key), sign(patch.Bytes, key), smartdelta.ErrUnsigned)
		}
	}
	if _, err := smartdelta.New(smartdelta.Config{Bare: true}); !errors.Is(err, smartdelta.ErrConfig) {
		t.Error(err)
	}
}

func TestOlderVersionsAreTakenByWhoSaysSo(t *testing.T) {
	old, target, key := blinky.Image(v2), blinky.Image(v1), newKey(t)
	block := sealAs(t, create(t, old, target, delta.Detools), old, target, delta.Identity{BaseVersion: v2, TargetVersion: v1, Profile: meter}, key)
	c := small(delta.Detools, key)
	u := device.Update{Block: block, Running: old, Version: v2}
	refused(t, c, u, envelope.ErrReplay)
	c.AnyVersion = true
	if image, version, _, err := install(newInstaller(t, c), u); err != nil || version != v1 || !bytes.Equal(image, target) {
		t.Errorf("version %d, %v", version, err)
	}
}

func TestPatchesWithAnyByteWrongOrMissingAreRefused(t *testing.T) {
	old, target, key := blinky.Image(v1), blinky.Image(v2), newKey(t)
	for _, f := range delta.Formats() {
		in := newInstaller(t, small(f, key))
		block := seal(t, create(t, old, target, f), old, target, key)
		u := device.Update{Running: old, Version: v1}
		for i := range block {
			for bit := range 8 {
				u.Block = bytes.Clone(block)
				u.Block[i] ^= 1 << bit
				// Without its magic an envelope is a full image, which is for the boot loader to refuse.
				if p, err := in.Prepare(u); err == nil {
					image, _, err := p.Boot()
					if i >= len(envelope.Magic) || err != nil || !bytes.Equal(image, u.Block) {
						t.Fatalf("%s: byte %d of %d flipped: taken, %v", f, i, len(block), err)
					}
				}
			}
		}
		for n := len(envelope.Magic); n < len(block); n++ {
			u.Block = block[:n]
			if _, err := in.Prepare(u); !errors.Is(err, envelope.ErrShort) {
				t.Fatalf("%s: %d of %d bytes: %v", f, n, len(block), err)
			}
		}
	}
}

// FuzzPrepare shows that no block makes a device panic, or run anything but the image that is sent
// in full or the target of a patch that is signed for it.
func FuzzPrepare(f *testing.F) {
	old, target, key := blinky.Image(v1)[:1000], blinky.Image(v2)[:1100], newKey(f)
	var installers []*smartdelta.Installer
	for _, format := range delta.Formats() {
		patch := create(f, old, target, format)
		f.Add(seal(f, patch, old, target, key))
		f.Add(patch.Bytes)
		c := small(format, key)
		installers = append(installers, newInstaller(f, c))
		c.Unsigned = true
		installers = append(installers, newInstaller(f, c))
	}
	f.Add(target)
	f.Fuzz(func(t *testing.T, block []byte) {
		for i, in := range installers {
			image, _, _, err := install(in, device.Update{Block: block, Running: old, Version: v1})
			if err != nil {
				continue
			}
			if unsigned := i%2 == 1; !unsigned && !bytes.Equal(image, block) && !bytes.Equal(image, target) {
				t.Fatalf("%d bytes became another image", len(block))
			}
			if len(image) > 6144 {
				t.Fatalf("an image of %d bytes in a slot of 6144", len(image))
			}
		}
	})
}
