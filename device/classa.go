package device

import (
	"math"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// Class A receive windows open this long after the end of an uplink (TS001-1.0.4,
// RECEIVE_DELAY1 and RECEIVE_DELAY2 as every band sets them).
const (
	rx1Delay = 1 * time.Second
	rx2Delay = 2 * time.Second
)

// windowTolerance is how far a downlink may begin from where the device expects it: the
// receiver opens a little early and waits for a few symbols of the preamble.
const windowTolerance = 20 * time.Millisecond

// radio is the half-duplex transceiver.
//
//	txStart   txEnd     rx1       rx2                     freeAt
//	   |=======|---------|=========|=======================|
//	   uplink     1 s      1 s       the longest downlink
type radio struct {
	txStart, txEnd time.Time
	rx1, rx2       window
	freeAt         time.Time // the next uplink may begin
	dutyAt         time.Time // the duty cycle allows the next uplink
	spent          []airtime // per sub-band
}

// window is a class A receive window; the zero value never opens.
type window struct {
	at        time.Time
	open      time.Duration // how long the receiver waits for a preamble
	frequency uint32        // Hz; 0: unknown here (CN470), any
	dr        uint8
}

// takes reports whether tx begins in the window as it should.
func (w window) takes(tx Transmission) bool {
	return !w.at.IsZero() && tx.DR == w.dr && (w.frequency == 0 || w.frequency == tx.Frequency) &&
		tx.Start.Sub(w.at).Abs() <= windowTolerance
}

// blocks reports whether the receiver leaves tx for the window.
func (w window) blocks(tx Transmission) bool {
	return overlap(tx, w.at, w.at.Add(w.open)) && (tx.DR != w.dr || tx.Frequency != w.frequency)
}

// overlap reports whether tx is on the air between from and to.
func overlap(tx Transmission, from, to time.Time) bool {
	return tx.Start.Before(to) && from.Before(tx.Start.Add(tx.Airtime))
}

// Hears reports whether the receiver is open for tx, from its preamble to its end: in
// RX1 or RX2 after the last uplink, in a class C window, in a class B ping slot. It is
// false while the device transmits or boots. An uplink that begins during tx is known
// once it began: who asks again at the end of tx misses none.
func (d *Device) Hears(tx Transmission) bool {
	r := &d.radio
	switch {
	case tx.Start.Before(d.bootedAt), overlap(tx, r.txStart, r.txEnd):
		return false
	case r.rx1.takes(tx), r.rx2.takes(tx):
		return true
	case r.rx1.blocks(tx), r.rx2.blocks(tx):
		return false // unicast class A goes before multicast
	}
	return d.hearsClassC(tx) || d.hearsClassB(tx)
}

// transmit sends what is due in the outbox, if the duty cycle of a channel allows it.
func (d *Device) transmit(now time.Time) (Uplink, bool) {
	if i := d.nextMessage(); i < 0 || d.outbox[i].at.After(now) {
		return Uplink{}, false
	}
	band, dr := d.cfg.Band, d.cfg.UplinkDR
	room, ok := band.MaxPayload(dr, d.cfg.Options)
	longest, usable := band.UplinkAirtime(dr, room)
	if !ok || !usable {
		d.outbox = nil // nothing at all can be sent at this data rate
		return Uplink{}, false
	}
	frequency, ok := d.channel(now, longest)
	if !ok {
		return Uplink{}, false
	}
	m, payload, ok := d.collect(now, room)
	if !ok {
		return Uplink{}, false
	}
	phy := d.unicast.Seal(lorawan.DataFrame{
		Direction: lorawan.Uplink, ACK: d.ack, FCnt: d.fcntUp, FPort: m.fport, FRMPayload: payload,
	})
	d.fcntUp++
	d.ack = false
	if d.cfg.Behaviour.Duplicates && m.batch != 0 {
		d.post(message{at: now.Add(soon), fport: m.fport, make: func(time.Time, int) []byte { return payload }})
	}
	duration, _ := band.UplinkAirtime(dr, len(payload))
	d.occupy(now, duration, frequency)
	return Uplink{PHYPayload: phy, DR: dr, Frequency: frequency}, true
}

// occupy plans the receive windows of an uplink that begins now.
func (d *Device) occupy(now time.Time, duration time.Duration, frequency uint32) {
	r, band := &d.radio, d.cfg.Band
	r.txStart, r.txEnd = now, now.Add(duration)
	r.rx1, r.rx2 = window{}, window{}
	if f, dr, ok := band.RX1(frequency, d.cfg.UplinkDR, d.cfg.Options); ok {
		r.rx1 = window{r.txEnd.Add(rx1Delay), preambleWait(band, dr), f, dr}
	}
	f, dr := band.RX2()
	r.rx2 = window{r.txEnd.Add(rx2Delay), preambleWait(band, dr), f, dr}

	// It cannot know whether a downlink will come, so it leaves room for the longest.
	n, _ := band.MaxPayload(dr, d.cfg.Options)
	longest, _ := band.DownlinkAirtime(dr, n)
	r.freeAt = r.rx2.at.Add(longest)

	if sub, ok := band.SubBand(frequency); ok {
		r.spend(sub, now, duration)
	}
	d.counters.Uplinks++
	d.counters.Airtime += duration
}

// preambleWait returns how long an empty receive window stays open: 8 symbols, the
// length of a preamble.
func preambleWait(band region.Band, dr uint8) time.Duration {
	const symbols = 8
	r, _ := band.DataRate(dr)
	if r.Modulation != region.LoRa {
		return 5 * 8 * time.Second / 50000 // the preamble of FSK, 5 bytes at 50 kbit/s
	}
	return symbols * (time.Second << r.SF) / time.Duration(r.Bandwidth)
}

// airtime counts what was sent in one sub-band. It decays as fast as the duty cycle
// permits to send, so an hour of silence always buys the air time of an hour.
type airtime struct {
	low  uint32        // Low of the sub-band
	used time.Duration // at the time at
	at   time.Time
}

// dutyWindow is the time over which a duty cycle is counted.
const dutyWindow = time.Hour

// wait returns how long the sub-band must rest before a transmission of length need.
func (r *radio) wait(sub region.SubBand, now time.Time, need time.Duration) time.Duration {
	if !sub.Limited() {
		return 0
	}
	excess := r.account(sub, now).used + need - max(sub.Airtime(dutyWindow), need)
	if excess <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(float64(excess) / sub.DutyCycle))
}

func (r *radio) spend(sub region.SubBand, now time.Time, d time.Duration) {
	if sub.Limited() {
		r.account(sub, now).used += d
	}
}

// account returns the account of a sub-band, brought up to now.
func (r *radio) account(sub region.SubBand, now time.Time) *airtime {
	for i := range r.spent {
		if a := &r.spent[i]; a.low == sub.Low {
			a.used = max(0, a.used-sub.Airtime(now.Sub(a.at)))
			a.at = now
			return a
		}
	}
	r.spent = append(r.spent, airtime{low: sub.Low, at: now})
	return &r.spent[len(r.spent)-1]
}

// channel picks a random uplink channel on which need may be sent now. If there is
// none, it notes when there will be. CN470 lists no channels: the frequency is 0 then.
func (d *Device) channel(now time.Time, need time.Duration) (frequency uint32, ok bool) {
	d.radio.dutyAt = time.Time{}
	var usable []region.Channel
	var rest time.Duration = math.MaxInt64
	for _, c := range d.channels() {
		sub, ok := d.cfg.Band.SubBand(c.Frequency)
		if !ok {
			continue
		}
		w := d.radio.wait(sub, now, need)
		rest = min(rest, w)
		if w == 0 {
			usable = append(usable, c)
		}
	}
	switch {
	case len(usable) > 0:
		return usable[d.rng.IntN(len(usable))].Frequency, true
	case rest == math.MaxInt64:
		return 0, true
	}
	d.radio.dutyAt = now.Add(rest)
	return 0, false
}

// channels returns the uplink channels that know the data rate.
func (d *Device) channels() []region.Channel {
	all := d.cfg.Band.UplinkChannels()
	fit := all[:0]
	for _, c := range all {
		if c.MinDR <= d.cfg.UplinkDR && d.cfg.UplinkDR <= c.MaxDR {
			fit = append(fit, c)
		}
	}
	return fit
}
