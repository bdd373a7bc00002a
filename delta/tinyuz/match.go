package tinyuz

import (
	"encoding/binary"
	"math/bits"
)

// match says that length bytes are the same as those distance bytes before them.
type match struct{ distance, length int32 }

// matcher finds, for each position in turn, the nearest place of each length of match
// within the window. It keeps the positions of a window in binary trees, one for each
// pair of first bytes: a tree is ordered by what follows the position, and a child is
// older than its parent, so that a walk from the root meets nearer places first.
type matcher struct {
	data   []byte
	window int
	depth  int // most nodes that are visited for a position

	roots [1 << 16]int32 // position + 1, 0 for none
	left  []int32        // by position modulo the window: smaller suffixes
	right []int32

	runs runs

	// By distance: data[from:to] is the same as what is distance bytes before it, and
	// data[to] is not. It makes the question for the length at a distance cheap.
	from, to []int32
}

func newMatcher(data []byte, window, depth int) *matcher {
	window = max(1, min(window, len(data)))
	return &matcher{
		data: data, window: window, depth: depth,
		left: make([]int32, window+1), right: make([]int32, window+1),
		from: make([]int32, window+1), to: make([]int32, window+1),
	}
}

// length returns how many bytes from position at on are those that are distance bytes
// before, up to the most that a match has.
func (m *matcher) length(at, distance int) int {
	if distance > at || distance > m.window {
		return 0
	}
	if from, to := int(m.from[distance]), int(m.to[distance]); at < from || at > to || to == 0 {
		m.from[distance] = int32(at)
		m.to[distance] = int32(at + sameBytes(m.data[at:], m.data[at-distance:]))
	}
	return min(int(m.to[distance])-at, maxLength)
}

// insert adds position at, which must be the one after that of the last call, and
// appends to found what matches there, by increasing length and distance.
func (m *matcher) insert(at int, found []match) []match {
	d := m.data
	if at+minMatch > len(d) {
		return found
	}
	if m.runs.at(m, at) {
		return m.runs.matches(m, at, found)
	}
	key := binary.LittleEndian.Uint16(d[at:])
	ring := len(m.left)
	node := int(m.roots[key]) - 1
	m.roots[key] = int32(at + 1)

	// Both subtrees of the new root are built while the walk goes down: whatever is
	// smaller hangs below left, and the shared length of a side only grows.
	less, more := &m.left[at%ring], &m.right[at%ring]
	sharedLess, sharedMore := minMatch, minMatch
	best := 1
	for range m.depth {
		if node < 0 || at-node > m.window {
			break
		}
		same := min(sharedLess, sharedMore)
		same += m.sameFrom(at, node, same)
		if same > best && (same > minMatch || at-node <= farDistance) {
			best = same
			found = append(found, match{distance: int32(at - node), length: int32(same)})
		}
		if same >= longEnough || at+same == len(d) {
			// Nothing behind this node can serve better than the node, which the new root replaces.
			*less, *more = m.left[node%ring], m.right[node%ring]
			return m.stretch(at, found)
		}
		if d[node+same] < d[at+same] {
			*less = int32(node + 1)
			less = &m.right[node%ring]
			sharedLess = same
			node = int(*less) - 1
		} else {
			*more = int32(node + 1)
			more = &m.left[node%ring]
			sharedMore = same
			node = int(*more) - 1
		}
	}
	*less, *more = 0, 0
	return found
}

// longEnough is the length at which the search for a longer match ends.
const longEnough = 512

func (m *matcher) sameFrom(at, node, skip int) int {
	end := min(len(m.data), at+longEnough)
	return sameBytes(m.data[at+skip:end], m.data[node+skip:])
}

// stretch gives the last match its full length.
func (m *matcher) stretch(at int, found []match) []match {
	if k := len(found) - 1; k >= 0 {
		found[k].length = int32(max(int(found[k].length), m.length(at, int(found[k].distance))))
	}
	return found
}

func sameBytes(a, b []byte) int {
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
