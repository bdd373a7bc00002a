package deltatest

import "runtime"

// Allocated returns how many bytes f takes from the heap, all in all. A decoder that believes a
// length of its input takes more than what it was allowed.
func Allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}
