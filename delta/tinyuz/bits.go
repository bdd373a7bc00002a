package tinyuz

// bitWriter puts bits and plain bytes into one sequence. A type byte stands where its
// first bit was written, and is filled up while plain bytes follow it.
type bitWriter struct {
	out  []byte
	slot int  // index of the type byte
	used uint // bits of it, 8 when a new one is needed
}

func newBitWriter(out []byte) *bitWriter { return &bitWriter{out: out, used: 8} }

func (w *bitWriter) bit(b int) {
	if w.used == 8 {
		w.slot, w.used = len(w.out), 0
		w.out = append(w.out, 0)
	}
	w.out[w.slot] |= byte(b) << w.used
	w.used++
}

func (w *bitWriter) plain(b ...byte) { w.out = append(w.out, b...) }

// number writes U(k).
func (w *bitWriter) number(v, k int) {
	n := groups(v, k)
	parts := make([]int, n)
	for i := n - 1; i >= 0; i-- {
		parts[i] = v & (1<<k - 1)
		v = v>>k - 1
	}
	for i, part := range parts {
		for j := range k {
			w.bit(part >> j & 1)
		}
		if i < n-1 {
			w.bit(1)
		} else {
			w.bit(0)
		}
	}
}

// distance writes the plain byte of a distance and U(2) if there is more.
func (w *bitWriter) distance(d int) {
	if d < nearDistance {
		w.plain(byte(d))
		return
	}
	d -= nearDistance
	w.plain(byte(d&127 | nearDistance))
	w.number(d>>7, 2)
}

// control writes a control code.
func (w *bitWriter) control(code int, afterLiteral bool) {
	w.bit(0)
	w.number(code, 1)
	if afterLiteral {
		w.bit(0)
	}
	w.plain(0)
}
