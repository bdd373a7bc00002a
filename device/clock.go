package device

import "time"

// clock is a crystal: it was set wrong once and goes wrong at a constant rate.
//
//	reading(t) = t + offset + drift * (t - start)
type clock struct {
	start  time.Time
	offset time.Duration
	drift  float64 // seconds gained per second
}

// read returns what the clock shows at true time t.
func (c clock) read(t time.Time) time.Time {
	return t.Add(c.offset + time.Duration(float64(t.Sub(c.start))*c.drift))
}

// when returns the true time at which the clock shows x.
func (c clock) when(x time.Time) time.Time {
	shown := x.Sub(c.start) - c.offset
	return c.start.Add(time.Duration(float64(shown) / (1 + c.drift)))
}

// correct moves the clock forward by d, or back. The rate stays as wrong as it was.
func (c *clock) correct(d time.Duration) { c.offset += d }

// earliest returns the first of some times; zero times do not count.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// latest returns the last of some times.
func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
