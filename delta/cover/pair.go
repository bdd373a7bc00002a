package cover

import "slices"

// Pair is an old and a new image, prepared for several searches that share what they find.
// Unlike an Index it is for one goroutine at a time.
type Pair struct {
	index  *Index
	target []byte
	found  map[plain]result
}

// result is what a search found, and the work that it was.
type result struct {
	covers []Cover
	work   int
}

// plain are Params that can be compared.
type plain struct {
	change, first, mismatch, equal, literal, repeat, minimum int
}

// NewPair prepares two images, which must not change afterwards.
func NewPair(old, target []byte) *Pair { return NewIndex(old).Pair(target) }

// Pair is NewPair with an index that exists already.
func (x *Index) Pair(target []byte) *Pair {
	return &Pair{index: x, target: target, found: make(map[plain]result)}
}

// Old is the old image.
func (p *Pair) Old() []byte { return p.index.old }

// Target is the new image.
func (p *Pair) Target() []byte { return p.target }

// Index is that of the old image.
func (p *Pair) Index() *Index { return p.index }

// Find is Index.Find. The same costs are searched with once: formats that ask for the same
// covers share the search.
func (p *Pair) Find(c Params) []Cover {
	covers, _ := p.FindWork(c)
	return covers
}

// FindWork is Find, and says how much work the search is: the alignments that were followed,
// over all bytes of the new image. It is the same number each time, so that it can decide
// whether another search is made.
func (p *Pair) FindWork(c Params) (covers []Cover, work int) {
	if c.Floor != nil || c.Difference != nil || c.Byte != nil {
		return p.index.find(p.target, c)
	}
	key := plain{c.Switch, c.FirstMismatch, c.Mismatch, c.Equal, c.Literal, c.Repeat, c.MinLength}
	r, ok := p.found[key]
	if !ok {
		r.covers, r.work = p.index.find(p.target, c)
		p.found[key] = r
	}
	return slices.Clone(r.covers), r.work
}

// Greedy is Index.Greedy, which is shared in the same way.
func (p *Pair) Greedy(c Params) []Cover {
	if c.Floor != nil {
		return p.index.Greedy(p.target, c)
	}
	key := plain{change: greedyKey, minimum: c.MinLength}
	r, ok := p.found[key]
	if !ok {
		r.covers = p.index.Greedy(p.target, c)
		p.found[key] = r
	}
	return slices.Clone(r.covers)
}

// greedyKey is no cost that anything has.
const greedyKey = -1 << 62

// Brisk are the costs to search with where there is time for one search only, as in images of
// a megabyte: what it finds is best for both formats, of all that were tried.
func Brisk() Params { return Params{Switch: 160, FirstMismatch: 72, MinLength: 4} }
