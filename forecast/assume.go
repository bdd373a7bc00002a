package forecast

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// ErrAssumptions means that the assumptions of a prediction cannot be; the text says which.
var ErrAssumptions = errors.New("assumptions")

// Assumptions are what nobody knows of a radio network before a campaign runs in it. The zero
// value of a field stands for the default that its comment names.
type Assumptions struct {
	// Loss is how many frames the links lose, in each direction. nil: 10 % on average and at most
	// 30 %, as `starling simulate --loss 0.1` has it. A Max of 0 is three times Mean, at most 95 %.
	Loss *sim.Spread
	// Gateways transmit the frames of a group, and hear its devices, for each group. 0: one for
	// each 250 devices. Groups do not share gateways.
	Gateways int
	Reach    int // gateways that a device is linked to; 0: 1
	// UplinkDR is the data rate of uplinks, where the band has it; nil: sim.UsualUplinkDR.
	UplinkDR *uint8
	// UplinkPeriod replaces that of the profiles; 0: that of the profiles.
	UplinkPeriod time.Duration
	ClockError   time.Duration // either way, when the campaign starts; 0: one second
	// Learnt tells what has been learnt of a device, if anything has; nil: of none.
	Learnt func(lorawan.EUI64) (Learnt, bool)
	Seed   uint64 // of all luck; 0: 1
}

// Learnt is what is known of one device by experience, in place of what is assumed of all. The
// zero value of a field: not known.
type Learnt struct {
	Loss         sim.Loss // of its links; nil: not known
	UplinkPeriod time.Duration
}

// Limits of assumptions.
const (
	maxGateways = 1000
	maxReach    = 10
	maxPeriod   = 31 * 24 * time.Hour
	minPeriod   = time.Second
	maxClock    = 24 * time.Hour
)

// devicesPerGateway is the default density of a network.
const devicesPerGateway = 250

// complete fills in the defaults and checks the result. It returns ErrAssumptions with all that is wrong.
func (a Assumptions) complete() (Assumptions, error) {
	if a.Loss == nil {
		a.Loss = &sim.Spread{Mean: 0.1, Max: 0.3}
	}
	loss := *a.Loss // the caller's stays as it is
	a.Loss = &loss
	if loss.Max == 0 {
		loss.Max = math.Round(min(3*loss.Mean, 0.95)*1e6) / 1e6
	}
	if a.Reach == 0 {
		a.Reach = 1
	}
	if a.ClockError == 0 {
		a.ClockError = time.Second
	}
	if a.Seed == 0 {
		a.Seed = 1
	}
	var wrong []error
	that := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	// The order of the comparisons also catches NaN.
	that(loss.Mean >= 0 && loss.Mean < 1, "loss mean of %g is no share, use 0 to below 1, such as 0.1", loss.Mean)
	that(loss.Max >= loss.Mean && loss.Max < 1, "loss maximum of %g, use the mean (%g) to below 1", loss.Max, loss.Mean)
	least := max(1, loss.Max/(1-loss.Max))
	that(loss.Burst == 0 || loss.Burst >= least && loss.Burst <= 1000, "loss in runs of %g frames, use %.2f to 1000, or 0 for independent losses", loss.Burst, least)
	that(a.Gateways >= 0 && a.Gateways <= maxGateways, "%d gateways, use 0 to %d", a.Gateways, maxGateways)
	that(a.Reach >= 1 && a.Reach <= maxReach, "%d gateways in reach, use 1 to %d", a.Reach, maxReach)
	that(a.Gateways == 0 || a.Reach <= a.Gateways, "%d gateways in reach of %d", a.Reach, a.Gateways)
	that(a.UplinkDR == nil || *a.UplinkDR <= 15, "uplink data rate is not within 0 to 15")
	that(a.UplinkPeriod == 0 || a.UplinkPeriod >= minPeriod && a.UplinkPeriod <= maxPeriod, "uplink period of %s, use %s to %s", a.UplinkPeriod, minPeriod, maxPeriod)
	that(a.ClockError >= 0 && a.ClockError <= maxClock, "clock error of %s, use at most %s", a.ClockError, maxClock)
	if len(wrong) > 0 {
		return a, fmt.Errorf("%w: %w", ErrAssumptions, errors.Join(wrong...))
	}
	return a, nil
}

// gatewaysFor returns how many gateways serve a group of n devices.
func (a *Assumptions) gatewaysFor(n int) int {
	g := a.Gateways
	if g == 0 {
		g = (n + devicesPerGateway - 1) / devicesPerGateway
	}
	return max(g, a.Reach)
}
