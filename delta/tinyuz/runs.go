package tinyuz

// Differences of firmware are runs of zeros with little between them. In a tree, the
// positions of a run hang one below the other, and each would cost a walk along the run.
// But a match that begins in a run either ends in it, and then distance 1 does as well,
// or it goes on behind it, and then the run that it copies ends where this one ends. So
// the positions of a run are not put into the trees, and the ends of the last runs are
// all there is to look at.

const (
	// shortRun is the number of equal bytes that are left when the trees take over.
	shortRun = 8

	// runEnds is the number of ends of runs that are remembered.
	runEnds = 96
)

// run is a sequence of equal bytes.
type run struct {
	end    int
	length int
	value  byte
}

// runs knows the run that the search is in, and the last ones before.
type runs struct {
	before [runEnds]run // a ring
	count  int          // runs that were seen
	now    run

	// The runs before that go on like this one, nearest first, and how many bytes they do.
	sources []source
	longest int // of the sources
}

type source struct {
	run
	beyond int
}

// at reports whether position at is in a run and far from its end. Positions come in
// ascending order.
func (r *runs) at(m *matcher, at int) bool {
	if at >= r.now.end {
		if r.now.length > 0 {
			r.before[r.count%runEnds] = r.now
			r.count++
		}
		d := m.data[at:]
		r.now = run{end: at, value: d[0]}
		if len(d) < shortRun || d[0] != d[shortRun-1] {
			return false
		}
		n := 1 + sameBytes(d[1:], d)
		if n < shortRun {
			return false
		}
		r.now.end, r.now.length = at+n, n
		r.find(m)
	}
	return r.now.length > 0 && r.now.end-at >= shortRun
}

// find looks for the sources of the run that the search is in.
func (r *runs) find(m *matcher) {
	r.sources, r.longest = r.sources[:0], 0
	for k := r.count - 1; k >= max(0, r.count-runEnds); k-- {
		s := source{run: r.before[k%runEnds]}
		if r.now.end-s.end > m.window+r.now.length {
			break
		}
		if s.value != r.now.value {
			continue
		}
		if r.now.end-s.end <= m.window {
			end := min(len(m.data), r.now.end+longEnough)
			s.beyond = sameBytes(m.data[r.now.end:end], m.data[s.end:])
			if s.beyond == longEnough {
				s.beyond = m.length(r.now.end, r.now.end-s.end)
			}
		}
		r.sources = append(r.sources, s)
		r.longest = max(r.longest, s.length)
	}
}

// matches appends what matches at a position in the run.
func (r *runs) matches(m *matcher, at int, found []match) []match {
	left := r.now.end - at
	best := 1
	note := func(distance, length int) {
		length = min(length, maxLength)
		if length > best && distance <= m.window && distance <= at && (length > minMatch || distance <= farDistance) {
			best = length
			found = append(found, match{distance: int32(distance), length: int32(length)})
		}
	}
	if left < r.now.length {
		note(1, left)
		if left > r.longest {
			return found
		}
	}
	for _, s := range r.sources {
		if left == r.now.length {
			// Nothing of this run has been put out yet: any other run begins it.
			same := min(left, s.length)
			note(at-(s.end-same), same)
		}
		if s.length >= left && s.beyond > 0 {
			note(r.now.end-s.end, left+s.beyond)
		}
	}
	return found
}
