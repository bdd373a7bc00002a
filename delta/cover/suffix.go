package cover

// suffixArray returns the positions of text in the order of the suffixes that start
// there. It sorts by induction (Nong, Zhang, Chan: Linear Suffix Array Construction
// by Almost Pure Induced-Sorting, 2009): linear time whatever the text, which prefix
// doubling is not for an erased flash page of a megabyte.
func suffixArray(text []byte) []int32 {
	wide := make([]int32, len(text))
	for i, b := range text {
		wide[i] = int32(b)
	}
	return sortSuffixes(wide, 256)
}

// sortSuffixes sorts the suffixes of text, whose letters are 0..letters-1. The end of
// the text counts as smaller than every letter.
func sortSuffixes(text []int32, letters int) []int32 {
	n := len(text)
	switch n {
	case 0:
		return nil
	case 1:
		return []int32{0}
	}
	s := &inducer{text: text, order: make([]int32, n), rising: make([]bool, n)}
	for i := n - 2; i >= 0; i-- {
		s.rising[i] = text[i] < text[i+1] || text[i] == text[i+1] && s.rising[i+1]
	}
	s.countLetters(letters)

	// A valley is a rising suffix after a falling one. Valleys are numbered from the left.
	number := make([]int32, n)
	var valleys []int32
	for i := range n {
		number[i] = -1
		if s.valley(i) {
			number[i] = int32(len(valleys))
			valleys = append(valleys, int32(i))
		}
	}
	s.induce(valleys)
	if len(valleys) == 0 {
		return s.order
	}

	// The valleys came out sorted by the text up to the next valley. Equal stretches
	// get equal names, and the text of names is sorted the same way.
	sorted := make([]int32, 0, len(valleys))
	for _, p := range s.order {
		if number[p] >= 0 {
			sorted = append(sorted, p)
		}
	}
	names := make([]int32, len(valleys))
	name := int32(0)
	for k := 1; k < len(sorted); k++ {
		if !s.sameStretch(sorted[k-1], sorted[k], valleys, number) {
			name++
		}
		names[number[sorted[k]]] = name
	}
	if int(name)+1 < len(valleys) {
		for k, v := range sortSuffixes(names, int(name)+1) {
			sorted[k] = valleys[v]
		}
	}
	s.induce(sorted)
	return s.order
}

// inducer holds one level of the sort.
type inducer struct {
	text   []int32
	order  []int32
	rising []bool // the suffix is smaller than the one after it

	falls []int32 // by letter: where its falling suffixes begin in order
	rises []int32 // by letter: where its rising suffixes begin in order
	next  []int32 // by letter: the working copy of one of the two
}

func (s *inducer) valley(i int) bool { return i > 0 && s.rising[i] && !s.rising[i-1] }

func (s *inducer) countLetters(letters int) {
	s.falls = make([]int32, letters+1)
	s.rises = make([]int32, letters+1)
	s.next = make([]int32, letters+1)
	rising := make([]int32, letters)
	falling := make([]int32, letters)
	for i, c := range s.text {
		if s.rising[i] {
			rising[c]++
		} else {
			falling[c]++
		}
	}
	at := int32(0)
	for c := range letters {
		s.falls[c] = at
		at += falling[c]
		s.rises[c] = at
		at += rising[c]
	}
	s.falls[letters] = at
	s.rises[letters] = at
}

// induce sorts all suffixes, given the valleys in their order.
func (s *inducer) induce(valleys []int32) {
	n := len(s.text)
	for i := range s.order {
		s.order[i] = -1
	}
	copy(s.next, s.rises)
	for _, v := range valleys {
		c := s.text[v]
		s.order[s.next[c]] = v
		s.next[c]++
	}
	copy(s.next, s.falls)
	last := s.text[n-1] // the shortest suffix falls and is the first of its letter
	s.order[s.next[last]] = int32(n - 1)
	s.next[last]++
	for i := range n {
		if v := s.order[i] - 1; v >= 0 && !s.rising[v] {
			c := s.text[v]
			s.order[s.next[c]] = v
			s.next[c]++
		}
	}
	copy(s.next, s.falls[1:]) // the rising suffixes of a letter end where the next letter begins
	for i := n - 1; i >= 0; i-- {
		if v := s.order[i] - 1; v >= 0 && s.rising[v] {
			c := s.text[v]
			s.next[c]--
			s.order[s.next[c]] = v
		}
	}
}

// sameStretch reports whether the text from valley a to the next valley, that one's
// letter included, is the same as from valley b. A stretch that reaches the end of the
// text is like no other.
func (s *inducer) sameStretch(a, b int32, valleys, number []int32) bool {
	ka, kb := int(number[a])+1, int(number[b])+1
	if ka == len(valleys) || kb == len(valleys) {
		return false
	}
	length := valleys[ka] - a
	if valleys[kb]-b != length {
		return false
	}
	for k := int32(0); k <= length; k++ {
		if s.text[a+k] != s.text[b+k] {
			return false
		}
	}
	return true
}
