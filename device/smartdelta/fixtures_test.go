package smartdelta_test

import (
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/smartdelta"
)

// Real images, and patches that the reference tools made of them: power goes at changes of flash that
// are far apart, at other ones each time the seed is another.
func TestUpdatesOfRealImagesSurviveLossesOfPower(t *testing.T) {
	key := newKey(t)
	for _, pair := range deltatest.Pairs {
		old, target := deltatest.Pair(t, pair)
		for name, f := range map[string]delta.Format{
			"detools-inplace-heatshrink-w11.patch":             delta.DetoolsInPlace,
			"hpatchlite-inplace-tinyuz-dict2048-extra2048.hpi": delta.HPatchLiteInPlace,
			"hpatchlite-v1-tinyuz-dict2048.hpi":                delta.HPatchLite,
			"detools-seq-crle.patch":                           delta.Detools,
		} {
			patch := deltatest.File(t, pair, name)
			info, err := delta.Inspect(patch)
			if err != nil || info.Format != f {
				t.Fatalf("%s: %s, %v", name, info.Format, err)
			}
			c := smartdelta.Config{Key: &key.PublicKey, Hardware: meter, Slot: (max(info.Memory, len(old), len(target)) + 2047) / 2048 * 2048, Page: 2048, Scratch: 16 << 10, Window: 4096}
			if f == delta.HPatchLiteInPlace || f == delta.DetoolsInPlace {
				c.Layout = smartdelta.InPlace
			}
			block := seal(t, delta.Patch{Bytes: patch, From: len(old), To: len(target), Codec: f.Codec(), WindowLog: info.WindowLog()}, old, target, key)
			in := newInstaller(t, c)
			rnd := rand.New(rand.NewPCG(1, uint64(len(target))))
			attempts := 0
			changes := losesEverywhere(t, in, device.Update{Block: block, Running: old, Version: v1}, target, func(n int) int {
				attempts++
				return 1 + rnd.IntN(8+n/2)
			})
			t.Logf("%s, %s: %d times at up to %d changes of flash", pair, name, attempts, changes)
		}
	}
}
