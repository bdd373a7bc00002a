package crle

// Kinds of records.
const (
	scattered = 0
	repeated  = 1
)

// maxCount is the longest record: decoders of devices count in 32 bits with a sign.
const maxCount = 1<<31 - 1

// Append appends src, packed, to dst. No other split of src into records is shorter.
func Append(dst, src []byte) []byte {
	if len(src) == 0 {
		return append(dst, scattered, 0)
	}
	for i, p := 0, newPlan(src); i < len(src); {
		n := int(p.next[i])
		if n < 0 {
			n = -n
			dst = append(appendCount(append(dst, repeated), n), src[i])
		} else {
			dst = append(appendCount(append(dst, scattered), n), src[i:i+n]...)
		}
		i += n
	}
	return dst
}

// Size returns the length of what Append appends.
func Size(src []byte) int {
	if len(src) == 0 {
		return 2
	}
	return int(newPlan(src).cost[0])
}

// appendCount appends n in groups of seven bits, least significant first.
func appendCount(dst []byte, n int) []byte {
	for ; n >= 1<<7; n >>= 7 {
		dst = append(dst, byte(n)|1<<7)
	}
	return append(dst, byte(n))
}

// plan is the best split of an input. A walk from the end to the start knows what each tail costs:
//
//	repeated:   2 + |n| + cost(i+n)      for the longest run: a shorter tail never costs more
//	scattered:  1 + |n| + n + cost(i+n)  for every n: for each size of |n|, the least (i+n) + cost(i+n)
type plan struct {
	cost []int32 // of the tail from each byte on; one more than bytes
	next []int32 // length of its first record, negative when repeated
}

func newPlan(src []byte) plan {
	p := plan{cost: make([]int32, len(src)+1), next: make([]int32, len(src))}
	// One window of possible ends for each number of bytes that a count may take.
	ends := [...]lowest{{from: 1, to: 1<<7 - 1}, {from: 1 << 7, to: 1<<14 - 1}, {from: 1 << 14, to: 1<<21 - 1},
		{from: 1 << 21, to: 1<<28 - 1}, {from: 1 << 28, to: maxCount}}
	run := 0
	for i := len(src) - 1; i >= 0; i-- {
		if i+1 < len(src) && src[i+1] == src[i] && run < maxCount {
			run++
		} else {
			run = 1
		}
		p.cost[i] = 2 + countBytes(run) + p.cost[i+run]
		p.next[i] = int32(-run)
		for k := range ends {
			end, ok := ends[k].at(i, p.cost)
			if !ok {
				break
			}
			if c := int32(1+k+1+end-i) + p.cost[end]; c <= p.cost[i] {
				p.cost[i], p.next[i] = c, int32(end-i)
			}
		}
	}
	return p
}

// countBytes returns how many bytes appendCount appends.
func countBytes(n int) int32 {
	size := int32(1)
	for ; n >= 1<<7; n >>= 7 {
		size++
	}
	return size
}

// lowest finds, while i falls, the end in i+from..i+to with the least end + cost: a queue whose front is
// the answer and in which everything behind is nearer and dearer.
type lowest struct {
	from, to int
	queue    []int32
}

// at moves the window to i; false: no end of an input is so far away.
func (l *lowest) at(i int, cost []int32) (int, bool) {
	end := i + l.from
	if end >= len(cost) {
		return 0, false
	}
	sum := func(end int32) int32 { return end + cost[end] }
	for n := len(l.queue); n > 0 && sum(l.queue[n-1]) >= sum(int32(end)); n-- {
		l.queue = l.queue[:n-1]
	}
	l.queue = append(l.queue, int32(end))
	for int(l.queue[0]) > i+l.to {
		l.queue = l.queue[1:]
	}
	return int(l.queue[0]), true
}
