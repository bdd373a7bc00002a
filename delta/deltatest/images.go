package deltatest

import (
	"math/rand/v2"
	"testing"
)

// Random returns size bytes of a seed, of the values 0..letters-1 only.
func Random(seed uint64, size, letters int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.IntN(letters))
	}
	return b
}

// Edited returns a copy of old in which blocks have moved, grown and changed.
func Edited(old []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	out := append([]byte(nil), old...)
	for range 3 + len(old)/4096 {
		if len(out) < 64 {
			break
		}
		at, n := r.IntN(len(out)-32), 1+r.IntN(31)
		switch r.IntN(4) {
		case 0: // insert
			out = append(out[:at:at], append(Random(seed+7, n, 256), out[at:]...)...)
		case 1: // remove
			out = append(out[:at:at], out[at+n:]...)
		case 2: // change
			out[at] += byte(n)
		case 3: // swap two blocks
			half := len(out) / 2
			out = append(append([]byte(nil), out[half:]...), out[:half]...)
		}
	}
	return out
}

// Hostile returns pairs of images of size bytes, old and new by name, that break algorithms
// which are fast on average only.
func Hostile(size int) map[string][2][]byte {
	noise := Random(6, size, 256)
	broken := periodic([]byte("abcdefgh"), size)
	for i := 29; i < len(broken); i += 37 {
		broken[i] = byte(i)
	}
	return map[string][2][]byte{
		"zero":          {make([]byte, size), make([]byte, size)},
		"erased-zero":   {periodic([]byte{0xff}, size), make([]byte, size)},
		"random":        {Random(1, size, 256), Random(2, size, 256)},
		"two letters":   {Random(3, size, 2), Random(4, size, 2)},
		"four letters":  {Random(3, size, 4), Random(4, size, 4)},
		"shifted":       {noise, append(Random(7, size/1000+1, 256), noise...)[:size]},
		"period 8":      {periodic([]byte("abcdefgh"), size), broken},
		"period 257":    {periodic(Random(5, 257, 256), size), periodic(Random(5, 256, 256), size)},
		"fibonacci":     {fibonacci(size), fibonacci(size)[size/3:]},
		"edited":        {noise, Edited(noise, 6)},
		"all to little": {Random(8, size, 256), Random(9, 100, 256)},
	}
}

func periodic(unit []byte, size int) []byte {
	b := make([]byte, 0, size+len(unit))
	for len(b) < size {
		b = append(b, unit...)
	}
	return b[:size]
}

func fibonacci(size int) []byte {
	a, b := []byte{0}, []byte{0, 1}
	for len(b) < size {
		a, b = b, append(append([]byte(nil), b...), a...)
	}
	return b[:size]
}

// Firmware returns a pair of size bytes made of the real images, each time in another
// disguise, so that the parts do not match one another.
func Firmware(t testing.TB, size int) (old, target []byte) {
	t.Helper()
	for mask := byte(0); len(old) < size || len(target) < size; mask += 37 {
		for _, name := range Pairs {
			o, n := Pair(t, name)
			for _, v := range o {
				old = append(old, v+mask)
			}
			for _, v := range n {
				target = append(target, v+mask)
			}
		}
	}
	return old[:size], target[:size]
}

// Release returns a pair of size bytes: the functions of a real image, repeated with other
// addresses in each copy, and the next version of that. Some functions grew, and some of the
// addresses of those behind moved.
func Release(t testing.TB, size int) (old, target []byte) {
	t.Helper()
	old = grown(1, File(t, Pairs[len(Pairs)-1], "old.bin"), size)
	return old, released(2, old)
}

func grown(seed uint64, image []byte, size int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 8))
	b := make([]byte, 0, size+len(image))
	for len(b) < size {
		for at := 0; at+4 <= len(image); at += 4 {
			word := [4]byte(image[at:])
			if rnd.IntN(6) == 0 {
				word[rnd.IntN(4)] = byte(rnd.IntN(256))
			}
			b = append(b, word[:]...)
		}
	}
	return b[:size]
}

func released(seed uint64, old []byte) []byte {
	rnd := rand.New(rand.NewPCG(seed, 9))
	var b []byte
	for at, shift := 0, 0; at < len(old); {
		n := min(200+rnd.IntN(3000), len(old)-at)
		for k, c := range old[at : at+n] {
			if k%24 == 2 && rnd.IntN(3) > 0 {
				c += byte(shift)
			}
			b = append(b, c)
		}
		if rnd.IntN(4) == 0 {
			for range 2 * rnd.IntN(30) {
				b = append(b, byte(rnd.IntN(256)))
				shift++
			}
		}
		at += n
	}
	return b[:min(len(b), len(old))]
}
