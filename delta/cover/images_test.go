package cover_test

import "math/rand/v2"

// random returns bytes of a seed, of the first letters values only.
func random(seed uint64, size, letters int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.IntN(letters))
	}
	return b
}

// edited returns a copy of old in which blocks have moved, grown and changed.
func edited(old []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	out := append([]byte(nil), old...)
	for range 3 + len(old)/4096 {
		if len(out) < 64 {
			break
		}
		at, n := r.IntN(len(out)-32), 1+r.IntN(31)
		switch r.IntN(4) {
		case 0: // insert
			out = append(out[:at:at], append(random(seed+7, n, 256), out[at:]...)...)
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

// hostile are images that break algorithms that are fast on average only.
func hostile(size int) map[string][2][]byte {
	period := func(unit []byte, size int) []byte {
		b := make([]byte, 0, size+len(unit))
		for len(b) < size {
			b = append(b, unit...)
		}
		return b[:size]
	}
	fibonacci := func(size int) []byte {
		a, b := []byte{0}, []byte{0, 1}
		for len(b) < size {
			a, b = b, append(append([]byte(nil), b...), a...)
		}
		return b[:size]
	}
	broken := period([]byte("abcdefgh"), size)
	for i := 29; i < len(broken); i += 37 {
		broken[i] = byte(i)
	}
	return map[string][2][]byte{
		"zero":          {make([]byte, size), make([]byte, size)},
		"erased-zero":   {period([]byte{0xff}, size), make([]byte, size)},
		"random":        {random(1, size, 256), random(2, size, 256)},
		"two letters":   {random(3, size, 2), random(4, size, 2)},
		"period 8":      {period([]byte("abcdefgh"), size), broken},
		"period 257":    {period(random(5, 257, 256), size), period(random(5, 256, 256), size)},
		"fibonacci":     {fibonacci(size), fibonacci(size)[size/3:]},
		"edited":        {random(6, size, 256), edited(random(6, size, 256), 6)},
		"all to little": {random(8, size, 256), random(9, 100, 256)},
	}
}
