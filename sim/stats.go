package sim

import (
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// Counts are the totals of a network since its start.
type Counts struct {
	Steps int // things that happened inside: the measure of the simulator's own work

	UplinksSent     int // frames that devices transmitted
	UplinksReceived int // reported, once each
	UplinkCopies    int // gateways that heard them, summed
	UplinksLost     int // that no gateway heard
	UplinksRejected int // heard, but repeated or with a wrong MIC
	Joins           int

	UnicastSent     int // transmitted
	UnicastReceived int // that reached the device's receiver
	UnicastFailed   int // given up
	WindowsMissed   int // receive windows for which a frame waited and no gateway was free

	MulticastFrames        int // done on all gateways
	MulticastTransmissions int // of gateways
	MulticastReceived      int // by devices, each copy of a frame counted that reached a receiver

	UplinkAirtime time.Duration // of all devices
}

// Stats is what happened on the air.
type Stats struct {
	Counts
	Airtime         []GatewayAirtime // per gateway and sub-band that was used, in the order of Config.Gateways, then as added
	DownlinkAirtime time.Duration    // of all gateways
}

// GatewayAirtime is the transmission time of one gateway in one sub-band.
type GatewayAirtime struct {
	Gateway string
	SubBand region.SubBand
	Airtime time.Duration
	// Busiest is the most air time that any hour held, where the sub-band is limited. An hour
	// is filled to its limit at most, so the rest of the limit is the headroom. 0: not limited.
	Busiest time.Duration
}

// LinkStats is what happened on one link. Sums hold: a frame is counted in one field of its direction.
type LinkStats struct {
	DevEUI  lorawan.EUI64
	Gateway string

	UplinksHeard, UplinksLost int // by the gateway; lost to the loss model
	UplinksDeaf               int // the gateway was transmitting
	UplinksCollided           int
	DownlinksHeard            int // while the device listened
	DownlinksLost             int // to the loss model
	DownlinksDeaf             int // the device transmitted while they were on the air
}

// Stats returns the counts and air times so far.
func (n *Network) Stats() Stats {
	s := Stats{Counts: n.counts}
	for _, gw := range n.gateways {
		for _, b := range gw.budgets {
			if b.Total() == 0 {
				continue
			}
			s.Airtime = append(s.Airtime, GatewayAirtime{gw.ID, b.SubBand, b.Total(), b.Busiest()})
			s.DownlinkAirtime += b.Total()
		}
	}
	return s
}

// LinkStats returns every link, in the order of Config.Devices, then of AddDevice, and DeviceSpec.Links.
func (n *Network) LinkStats() []LinkStats {
	var all []LinkStats
	for _, d := range n.devices {
		for _, l := range d.links {
			all = append(all, LinkStats{
				DevEUI: d.DevEUI, Gateway: l.gw.ID,
				UplinksHeard: l.up.heard - l.up.lost, UplinksLost: l.up.lost,
				UplinksDeaf: l.upDeaf, UplinksCollided: l.collided,
				DownlinksHeard: l.down.heard - l.down.lost, DownlinksLost: l.down.lost,
				DownlinksDeaf: l.downDeaf,
			})
		}
	}
	return all
}
