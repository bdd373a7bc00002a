package cover

import (
	"encoding/binary"
	"math/bits"
	"sort"
)

// Index is the old image prepared for the search. It is built once and serves any
// number of searches, also at the same time: searching does not change it.
// It takes about twelve bytes per byte of the old image.
type Index struct {
	old      []byte
	suffixes []int32 // positions in the order of the suffixes
	begins   []int32 // by the first two bytes: where their suffixes begin in that order

	// Positions of windows of seedLength bytes, grouped by hash, ascending in a group.
	groups    []int32 // group h is windows[groups[h]:groups[h+1]]
	windows   []int32
	hashShift uint
}

// seedLength is the number of equal bytes that draw attention to an alignment: two
// Thumb instructions, or one address.
const seedLength = 4

// NewIndex prepares old, which must not change afterwards.
func NewIndex(old []byte) *Index {
	x := &Index{old: old, suffixes: suffixArray(old)}
	x.groupSuffixes()
	x.groupWindows()
	return x
}

// Old is the image that the index was made of.
func (x *Index) Old() []byte { return x.old }

// groupSuffixes spares the search for the longest match its first steps, which are
// those that miss the cache.
func (x *Index) groupSuffixes() {
	n := len(x.old)
	x.begins = make([]int32, 1<<16+1)
	if n == 0 {
		return
	}
	for i := range n - 1 {
		x.begins[int(x.old[i])<<8|int(x.old[i+1])+1]++
	}
	// The last byte alone stands before all pairs that begin with it.
	x.begins[int(x.old[n-1])<<8]++
	for k := range 1 << 16 {
		x.begins[k+1] += x.begins[k]
	}
}

func (x *Index) groupWindows() {
	width := max(8, min(20, bits.Len(uint(len(x.old)))+1))
	x.hashShift = uint(32 - width)
	x.groups = make([]int32, 1<<width+1)
	n := max(0, len(x.old)-seedLength+1)
	x.windows = make([]int32, n)
	for i := range n {
		x.groups[x.hash(x.old[i:])+1]++
	}
	for h := range 1 << width {
		x.groups[h+1] += x.groups[h]
	}
	next := make([]int32, 1<<width)
	copy(next, x.groups)
	for i := range n {
		h := x.hash(x.old[i:])
		x.windows[next[h]] = int32(i)
		next[h]++
	}
}

// hash of the first seedLength bytes of b.
func (x *Index) hash(b []byte) uint32 {
	return binary.LittleEndian.Uint32(b) * 0x9E3779B1 >> x.hashShift
}

// near calls yield with positions of old that may hold the first seedLength bytes of b
// (the hash is the same), beginning with those next to centre, at most limit of them.
func (x *Index) near(b []byte, centre, limit int, yield func(pos int)) {
	h := x.hash(b)
	group := x.windows[x.groups[h]:x.groups[h+1]]
	if len(group) <= limit {
		for _, p := range group {
			yield(int(p))
		}
		return
	}
	right := sort.Search(len(group), func(i int) bool { return int(group[i]) >= centre })
	left := right - 1
	for range limit {
		if right == len(group) || left >= 0 && centre-int(group[left]) < int(group[right])-centre {
			yield(int(group[left]))
			left--
		} else {
			yield(int(group[right]))
			right++
		}
	}
}

// longest returns a position of old that shares the longest beginning with b, and the
// length of it; one that is shorter than two bytes does not count. Lengths are compared up to limit, which bounds the time on images that
// repeat themselves.
func (x *Index) longest(b []byte, limit int) (pos, length int) {
	if len(b) > limit {
		b = b[:limit]
	}
	// Every suffix between low and high shares min(lowLength, highLength) bytes with b.
	if len(b) < 2 {
		return 0, 0
	}
	pair := int(b[0])<<8 | int(b[1])
	low, high := int(x.begins[pair]), int(x.begins[pair+1])
	if n := len(x.old); n > 0 && pair+1 == int(x.old[n-1])<<8 {
		high-- // that is the last byte alone
	}
	lowLength, highLength := 2, 2
	for low < high {
		mid := int(uint(low+high) / 2)
		p := int(x.suffixes[mid])
		same := min(lowLength, highLength)
		same += equalBytes(x.old[p+same:], b[same:])
		if same > length {
			pos, length = p, same
		}
		if same == len(b) {
			break
		}
		if p+same == len(x.old) || x.old[p+same] < b[same] {
			low, lowLength = mid+1, same
		} else {
			high, highLength = mid, same
		}
	}
	return pos, length
}

// equalBytes returns how many bytes a and b share from their beginning.
func equalBytes(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if d := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); d != 0 {
			return i + bits.TrailingZeros64(d)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// equalBytesBefore returns how many bytes a and b share at their ends, up to limit.
func equalBytesBefore(a, b []byte, limit int) int {
	n := min(len(a), len(b), limit)
	i := 0
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}
