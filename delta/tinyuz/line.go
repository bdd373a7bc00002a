package tinyuz

// A literal line of m bytes costs 8m bits, a constant, and 3 bits for each group of
// U(2) that m-15 takes. Which start is the best for a line that ends at i would be a
// question of i answers; but for all lines with the same number of groups the order of
// the starts is that of (cost there - 8*position), whatever i is. So there is a queue
// for each number of groups, in which a start stands as long as no later one is as
// good and no line with that many groups reaches from it.

// lineClasses is the number of queues: eight groups are enough for maxLength.
const lineClasses = 8

// lineStart is a position from which a line may begin.
type lineStart struct {
	at     int
	key    int32 // cost of the line before its bytes, minus 8 bits for each byte before it
	last   int32
	parent uint8
}

// lineQueue holds the starts that may still win, best first, for each class.
type lineQueue struct {
	starts  []lineStart // by position
	queues  [lineClasses][]lineStart
	entered [lineClasses]int // starts[:entered] were put into the queue
}

func (q *lineQueue) reset() {
	q.starts = q.starts[:0]
	for c := range q.queues {
		q.queues[c] = q.queues[c][:0]
		q.entered[c] = 0
	}
}

// push notes the best start at position i.
func (q *lineQueue) push(i int, here []arrival) {
	s := lineStart{at: -1}
	for j := range here {
		key := here[j].cost - int32(8*i)
		if here[j].literal {
			key++
		}
		if s.at < 0 || key < s.key {
			s = lineStart{at: i, key: key, last: here[j].last, parent: uint8(j)}
		}
	}
	q.starts = append(q.starts, s)
}

// lineReach is the longest line of a class: minLine and as much as so many groups hold.
func lineReach(class int) int {
	most := 0
	for range class + 1 {
		most = most*4 + 4
	}
	return minLine + most - 1
}

// best returns the best start of a class for a line that ends at position i. Positions
// must be asked in ascending order.
func (q *lineQueue) best(class, i int) (lineStart, bool) {
	queue := q.queues[class]
	for ; q.entered[class] <= i-minLine && q.entered[class] < len(q.starts); q.entered[class]++ {
		s := q.starts[q.entered[class]]
		if s.at < 0 {
			continue
		}
		for len(queue) > 0 && queue[len(queue)-1].key >= s.key {
			queue = queue[:len(queue)-1]
		}
		queue = append(queue, s)
	}
	reach := lineReach(class)
	for len(queue) > 0 && i-queue[0].at > reach {
		queue = queue[1:]
	}
	q.queues[class] = queue
	if len(queue) == 0 {
		return lineStart{}, false
	}
	return queue[0], true
}
