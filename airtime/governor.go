package airtime

import (
	"slices"
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
)

// Governor keeps the budgets of all gateways that it is told of. It is shared by everything
// that sends through one network; it is not safe for concurrent use. The zero value is ready.
type Governor struct {
	accounts map[account]*Budget
	promised map[string][]promise      // by gateway: answers that are under way
	shut     map[account]time.Duration // not counted on before this moment
}

// promise is a receive window of a gateway for one answer.
type promise struct {
	interval
	low uint32 // Hz, of its sub-band
}

// account is one gateway in one sub-band.
type account struct {
	gateway string
	band    region.Band
	low     uint32 // Hz, of the sub-band
}

// shutFor is how long a gateway that has broken a promise is left alone.
const shutFor = 5 * time.Minute

// Spend books a transmission of airtime that began at that time on each of the gateways, at
// frequency (Hz). What cannot be placed, such as a frequency outside of the band, is not booked.
//
// An answer that was promised RX1 and went out in RX2 tells that others use that gateway,
// too: more is spent there than is known here.
func (g *Governor) Spend(gateways []string, band region.Band, frequency uint32, at time.Time, airtime time.Duration) {
	sub, ok := band.SubBand(frequency)
	if !ok {
		return
	}
	start := moment(at)
	for _, id := range gateways {
		g.budget(id, band, sub).Spend(start, airtime)
		for _, p := range g.promised[id] {
			if late := start - p.start; p.low != sub.Low && late > 0 && late < 2*rx1Delay {
				if g.shut == nil {
					g.shut = map[account]time.Duration{}
				}
				g.shut[account{id, band, p.low}] = start + shutFor
			}
		}
	}
}

// Recall books what a gateway has spent in the sub-band that begins at low (Hz) in the time before until, of which
// no more is known: before this process began, or through another one. It counts as if it were spent at the end of that time.
func (g *Governor) Recall(gateway string, band region.Band, low uint32, until time.Time, airtime time.Duration) {
	if sub, ok := band.SubBand(low); ok {
		g.budget(gateway, band, sub).Spend(moment(until)-airtime, airtime)
	}
}

// Chance is an uplink as far as answering it goes.
type Chance struct {
	At        time.Time
	Gateways  []string // that heard it
	Band      region.Band
	Frequency uint32 // Hz, of the uplink
	DataRate  uint8  // of the uplink
	Options   region.Options
}

// answerSize is what an answer is supposed to hold: the longest command of a set-up, in bytes.
const answerSize = 30

// Receive windows of class A after the end of an uplink (TS001, the defaults).
const (
	rx1Delay = 1 * time.Second
	rx2Delay = 2 * time.Second
)

const (
	// worth is how long each multiple of RX1's air time that RX2 takes on top is worth waiting for: at
	// SF7 RX2 costs 25 times as much, and a chance without it four hours; at SF10 four times, and half an hour.
	worth = 10 * time.Minute
	// tooDear is how long to wait while RX2 is used up as well: its channel carries the
	// multicast of most groups, and a gateway that sends there is deaf and has no RX1.
	tooDear = 12 * time.Hour
)

// answer is how an uplink could be answered.
type answer struct {
	rx1, rx2 slot
	wait     time.Duration // that RX1 is worth; 0: RX2 is as good, or nothing is known
}

// slot is one receive window.
type slot struct {
	region.SubBand
	interval
}

func (c *Chance) answer() (a answer) {
	f1, dr1, ok := c.Band.RX1(c.Frequency, c.DataRate, c.Options)
	f2, dr2 := c.Band.RX2()
	if !ok || len(c.Gateways) == 0 {
		return answer{}
	}
	rx1, ok1 := c.Band.DownlinkAirtime(dr1, answerSize)
	rx2, ok2 := c.Band.DownlinkAirtime(dr2, answerSize)
	sub1, ok3 := c.Band.SubBand(f1)
	sub2, ok4 := c.Band.SubBand(f2)
	if !ok1 || !ok2 || !ok3 || !ok4 || rx2 <= rx1 {
		return answer{}
	}
	at1, at2 := moment(c.At.Add(rx1Delay)), moment(c.At.Add(rx2Delay))
	return answer{
		rx1:  slot{sub1, interval{at1, at1 + rx1}},
		rx2:  slot{sub2, interval{at2, at2 + rx2}},
		wait: time.Duration(float64(worth) * float64(rx2-rx1) / float64(rx1)),
	}
}

// Crowded tells how long it is worth waiting for a better chance than this one, because a
// command that answered this uplink had to go out in RX2: every gateway that heard it is
// promised to another answer at that moment, or has no duty cycle left. It returns 0 for a
// chance that is good, or whose gateways or channel are not known.
func (g *Governor) Crowded(c Chance) time.Duration {
	switch a := c.answer(); {
	case a.wait == 0 || g.best(&c, a.rx1, 1) != "":
		return 0
	case g.best(&c, a.rx2, rx2Share) != "":
		return a.wait
	}
	return tooDear
}

// rx2Share is the part of RX2's duty cycle that answers may use.
const rx2Share = 0.5

// Reserve promises a receive window of the uplink to a command that has been handed over to answer it.
func (g *Governor) Reserve(c Chance) {
	a := c.answer()
	if a.wait == 0 {
		return
	}
	s := a.rx1
	id := g.best(&c, a.rx1, 1)
	if id == "" {
		s, id = a.rx2, c.Gateways[0]
	}
	if g.promised == nil {
		g.promised = map[string][]promise{}
	}
	kept := slices.DeleteFunc(g.promised[id], func(p promise) bool { return p.end <= moment(c.At)-reportedWithin })
	g.promised[id] = append(kept, promise{s.interval, s.Low})
}

// reportedWithin is how long after a promised answer the report of it is waited for.
const reportedWithin = 5 * time.Second

// best returns the first gateway that can answer c in a window and has used no more than its share
// of the duty cycle there, or "".
func (g *Governor) best(c *Chance, s slot, share float64) string {
	for _, id := range c.Gateways {
		free := s.DutyCycle == 1 || g.shut[account{id, c.Band, s.Low}] <= s.start
		need := s.end - s.start
		if s.Limited() {
			need += time.Duration((1 - share) * float64(s.Airtime(Window)))
		}
		for _, p := range g.promised[id] {
			if p.low == s.Low && p.end > moment(c.At) {
				need += p.end - p.start // not booked yet
			}
			free = free && (p.end <= s.start || s.end <= p.start)
		}
		if at, ok := g.budget(id, c.Band, s.SubBand).Earliest(s.start, need); free && ok && at <= s.start {
			return id
		}
	}
	return ""
}

// budget returns the account of a gateway in a sub-band.
func (g *Governor) budget(gateway string, band region.Band, sub region.SubBand) *Budget {
	key := account{gateway, band, sub.Low}
	b := g.accounts[key]
	if b == nil {
		if g.accounts == nil {
			g.accounts = map[account]*Budget{}
		}
		b = NewBudget(0)
		if sub.Limited() {
			b = NewBudget(sub.Airtime(Window))
		}
		g.accounts[key] = b
	}
	return b
}

// moment is a time as budgets count it.
func moment(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }
