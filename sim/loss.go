package sim

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Loss is a model of how one direction of a link loses frames: Independent or
// Bursty. Loss is drawn once per frame that the receiver was open for; frames
// that nobody listened to do not touch it, and time does not either. A burst
// is therefore a run of frames, whatever their spacing: that is the worst case for
// the parity code, which does not care when its fragments were lost.
type Loss interface {
	// chain returns the Gilbert-Elliott transition probabilities of the model.
	chain() (toBad, toGood float64, err error)
}

// Independent loses every frame with probability P, 0..1, whatever went before.
type Independent struct{ P float64 }

// Bursty loses frames in runs (Gilbert-Elliott: all frames in the bad state are
// lost, none in the good one).
//
// With p = Mean and L = Burst the chain leaves the bad state with probability 1/L
// and enters it with p / (L (1-p)), so that it is bad p of the time and a run of
// losses has L frames on average.
type Bursty struct {
	Mean  float64 // part of all frames that is lost, 0 <= Mean < 1
	Burst float64 // mean length of a run of losses in frames, at least 1 and at least Mean/(1-Mean)
}

func (l Independent) chain() (toBad, toGood float64, err error) {
	if !(l.P >= 0 && l.P <= 1) {
		return 0, 0, fmt.Errorf("independent loss of %v: %w, want 0 to 1", l.P, ErrConfig)
	}
	// The next state does not depend on the present one.
	return l.P, 1 - l.P, nil
}

func (l Bursty) chain() (toBad, toGood float64, err error) {
	if !(l.Mean >= 0 && l.Mean < 1) {
		return 0, 0, fmt.Errorf("bursty loss of %v on average: %w, want 0 to below 1", l.Mean, ErrConfig)
	}
	toBad, toGood = l.Mean/(l.Burst*(1-l.Mean)), 1/l.Burst
	if !(l.Burst >= 1) || toBad > 1 {
		return 0, 0, fmt.Errorf("bursts of %v frames at a mean loss of %v: %w, want at least %v",
			l.Burst, l.Mean, ErrConfig, max(1, l.Mean/(1-l.Mean)))
	}
	return toBad, toGood, nil
}

// Spread describes the losses of many links. Link i loses Max * u^(Max/Mean - 1) of all frames, u
// uniform in 0..1: most links are good, few are near Max, and the mean is Mean.
type Spread struct {
	Mean  float64 // 0 <= Mean < 1
	Max   float64 // Mean <= Max < 1; Mean: all links are equal
	Burst float64 // mean length of a run of losses in frames; 0: independent
}

// Of returns the loss of the link that has drawn u, 0..1.
func (s Spread) Of(u float64) Loss {
	p := s.Mean
	if s.Mean > 0 && s.Max > s.Mean {
		p = s.Max * math.Pow(u, s.Max/s.Mean-1)
	}
	if s.Burst > 0 {
		return Bursty{Mean: p, Burst: max(s.Burst, 1)}
	}
	return Independent{P: p}
}

// channel is one direction of one link: a loss model with its state and its luck.
type channel struct {
	luck          rand.PCG
	toBad, toGood float64
	bad           bool
	heard, lost   int // frames drawn, frames lost of those
}

// newChannel starts in the stationary distribution, so that the first frame is lost as often as any other.
func newChannel(l Loss, seed, stream uint64) (channel, error) {
	if l == nil {
		l = Independent{}
	}
	toBad, toGood, err := l.chain()
	if err != nil {
		return channel{}, err
	}
	c := channel{luck: *rand.NewPCG(seed, stream), toBad: toBad, toGood: toGood}
	if sum := toBad + toGood; sum > 0 {
		c.bad = c.uniform() < toBad/sum
	}
	return c, nil
}

// loses draws the fate of one frame.
func (c *channel) loses() bool {
	c.heard++
	if u := c.uniform(); c.bad {
		c.bad = u >= c.toGood
	} else {
		c.bad = u < c.toBad
	}
	if c.bad {
		c.lost++
	}
	return c.bad
}

// uniform returns a number in [0, 1) of 53 random bits.
func (c *channel) uniform() float64 { return float64(c.luck.Uint64()>>11) / (1 << 53) }

// stream names a random stream. Names, not positions, so that devices can be added and reordered.
func stream(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}
