package region

import "slices"

// plan is one band of RP002: the one place where its numbers are written.
type plan struct {
	name  string
	rates []rate // by DR
	// dwell is the payload per DR under a dwell time of 400 ms, nil where the band
	// knows no dwell time. Rates beyond its end do not change.
	dwell []int

	rx2, ping, beacon slot

	limits   []SubBand // covering the band, ascending
	channels []Channel // what a device joins on
	// fixed is the shape of US915 and AU915: 64+8 uplink channels, and eight downlink channels over
	// which RX1, ping slots and beacons are spread.
	fixed bool
}

// rate is one row of the data rate table.
type rate struct {
	DataRate
	n   int // bytes of application payload with empty FOpts, not repeater compatible
	dir direction
}

// slot is a place to listen: Hz (0: hopping, or left to the network) and DR.
type slot struct {
	frequency uint32
	dr        uint8
}

type direction uint8

const (
	up direction = 1 << iota
	down
	both = up | down
)

func lora(sf uint8, bandwidth uint32, n int, dir direction) rate {
	return rate{DataRate{Modulation: LoRa, SF: sf, Bandwidth: bandwidth}, n, dir}
}

// fsk is the one FSK rate of all bands.
var fsk = rate{DataRate{Modulation: FSK, BitRate: 50000}, 242, both}

func lrfhss(n int) rate { return rate{DataRate{Modulation: LRFHSS}, n, up} }

// european is the table that EU868, EU433 and RU864 share; some stop earlier or go on.
var european = []rate{
	lora(12, 125e3, 51, both),
	lora(11, 125e3, 51, both),
	lora(10, 125e3, 51, both),
	lora(9, 125e3, 115, both),
	lora(8, 125e3, 242, both), // one network server has 222 here also without repeaters: a slip of its table
	lora(7, 125e3, 242, both),
	lora(7, 250e3, 242, both),
	fsk,
}

// asian has 115 bytes at DR 2 where revisions before RP002-1.0.3 are said to have
// had 51. A device built to an old revision needs that limit in its profile.
var asian = []rate{
	lora(12, 125e3, 51, both),
	lora(11, 125e3, 51, both),
	lora(10, 125e3, 115, both),
	lora(9, 125e3, 115, both),
	lora(8, 125e3, 242, both),
	lora(7, 125e3, 242, both),
	lora(7, 250e3, 242, both),
	fsk,
}

// asianDwell: at SF12 and SF11 no frame with an application payload fits 400 ms.
var asianDwell = []int{0, 0, 11, 53, 125}

// wideDownlink is DR 8 to 13 of US915 and AU915: 500 kHz, on which a dwell time has no effect.
var wideDownlink = []rate{
	lora(12, 500e3, 53, down),
	lora(11, 500e3, 129, down),
	lora(10, 500e3, 242, down),
	lora(9, 500e3, 242, down),
	lora(8, 500e3, 242, down),
	lora(7, 500e3, 242, down),
}

// plans is indexed by Band.
//
// Powers are in doubt everywhere: codebases mix ERP and EIRP and state different
// figures for the same country. They are defaults for planning; the operator's
// configuration is what counts.
var plans = [...]plan{
	EU868: {
		name: "EU868",
		rates: slices.Concat(european, []rate{
			lrfhss(50), lrfhss(115), lrfhss(50), lrfhss(115),
		}),
		rx2:    slot{869525000, 0},
		ping:   slot{869525000, 3},
		beacon: slot{869525000, 3},
		limits: []SubBand{
			// Device stacks allow 0.1 % below 865 MHz; LoRaWAN puts no default channel there.
			{863000000, 865000000, 0.001, 16},
			{865000000, 868000000, 0.01, 16},
			{868000000, 868700000, 0.01, 16},
			{868700000, 869200000, 0.001, 16},
			{869200000, 869400000, 0.01, 16},
			{869400000, 869650000, 0.1, 29}, // 27 dBm ERP for gateways
			{869650000, 870000000, 0.01, 16},
		},
		channels: channels(868100000, 868300000, 868500000),
	},
	US915: {
		name: "US915",
		rates: slices.Concat([]rate{
			lora(10, 125e3, 11, up),
			lora(9, 125e3, 53, up),
			lora(8, 125e3, 125, up),
			lora(7, 125e3, 242, up),
			lora(8, 500e3, 242, up),
			lrfhss(50),
			lrfhss(125),
			{}, // DR 7 is not defined
		}, wideDownlink),
		rx2:      slot{923300000, 8},
		ping:     slot{0, 8},
		beacon:   slot{0, 8},
		limits:   []SubBand{{902000000, 928000000, 1, 26}}, // gateways 20 to 26 dBm, depending on who is asked; devices 30
		channels: slices.Concat(ladder(64, 902300000, 200000, 0, 3), ladder(8, 903000000, 1600000, 4, 4)),
		fixed:    true,
	},
	AU915: {
		name: "AU915",
		rates: slices.Concat([]rate{
			lora(12, 125e3, 51, up),
			lora(11, 125e3, 51, up),
			lora(10, 125e3, 51, up),
			lora(9, 125e3, 115, up),
			lora(8, 125e3, 242, up),
			lora(7, 125e3, 242, up),
			lora(8, 500e3, 242, up),
			lrfhss(50),
		}, wideDownlink),
		dwell:    asianDwell,
		rx2:      slot{923300000, 8},
		ping:     slot{0, 8},
		beacon:   slot{0, 8},
		limits:   []SubBand{{915000000, 928000000, 1, 30}},
		channels: slices.Concat(ladder(64, 915200000, 200000, 0, 5), ladder(8, 915900000, 1600000, 6, 6)),
		fixed:    true,
	},
	AS923:   as923("AS923", 0),
	AS923_2: as923("AS923-2", 1800000),
	AS923_3: as923("AS923-3", 6600000),
	AS923_4: as923("AS923-4", 5900000),
	IN865: {
		name: "IN865",
		rates: []rate{
			lora(12, 125e3, 51, both),
			lora(11, 125e3, 51, both),
			lora(10, 125e3, 51, both),
			lora(9, 125e3, 115, both),
			lora(8, 125e3, 242, both),
			lora(7, 125e3, 242, both),
			{}, // DR 6 is not defined
			fsk,
		},
		rx2:      slot{866550000, 2},
		ping:     slot{866550000, 4},
		beacon:   slot{866550000, 4},
		limits:   []SubBand{{865000000, 867000000, 1, 30}},
		channels: channels(865062500, 865402500, 865985000),
	},
	KR920: {
		name:     "KR920",
		rates:    european[:6],
		rx2:      slot{921900000, 0},
		ping:     slot{923100000, 3},
		beacon:   slot{923100000, 3},
		limits:   []SubBand{{920900000, 923300000, 1, 23}}, // listen before talk instead of a duty cycle; devices 14 dBm
		channels: channels(922100000, 922300000, 922500000),
	},
	CN470: {
		name: "CN470",
		// As in RP002. Regional parameters 1.0 had 51, 51, 51, 115, 242, 242: a device built to
		// them needs the smaller of both in its profile.
		rates: []rate{
			lora(12, 125e3, 0, both),
			lora(11, 125e3, 23, both),
			lora(10, 125e3, 86, both),
			lora(9, 125e3, 184, both),
			lora(8, 125e3, 242, both),
			lora(7, 125e3, 242, both),
			lora(7, 500e3, 242, both), // the bandwidth is known from one source only
			fsk,
		},
		// The frequencies depend on the sub-plan (20 or 26 MHz, A or B) and on the join channel.
		// 505.3 MHz DR 0 was the answer before RP002, and DR 0 carries nothing since.
		rx2:    slot{0, 1},
		ping:   slot{0, 2},
		beacon: slot{0, 2},
		limits: []SubBand{{470000000, 510000000, 1, 19}},
	},
	RU864: {
		name:     "RU864",
		rates:    european,
		rx2:      slot{869100000, 0},
		ping:     slot{868900000, 3},
		beacon:   slot{869100000, 3},
		limits:   []SubBand{{864000000, 870000000, 0.01, 16}},
		channels: channels(868900000, 869100000),
	},
	EU433: {
		name:     "EU433",
		rates:    european,
		rx2:      slot{434665000, 0},
		ping:     slot{434665000, 3},
		beacon:   slot{434665000, 3},
		limits:   []SubBand{{433050000, 434790000, 0.01, 12}},
		channels: channels(433175000, 433375000, 433575000),
	},
}

// as923 is the plan of one AS923 group, whose frequencies lie shift Hz lower than those of AS923-1.
func as923(name string, shift uint32) plan {
	return plan{
		name:     name,
		rates:    asian,
		dwell:    asianDwell,
		rx2:      slot{923200000 - shift, 2},
		ping:     slot{923400000 - shift, 3},
		beacon:   slot{923400000 - shift, 3},
		limits:   []SubBand{{915000000, 928000000, 0.01, 16}}, // of all groups together; each country permits less
		channels: channels(923200000-shift, 923400000-shift),
	}
}

// channels lists uplink channels for DR 0 to 5, as every band but US915 and AU915 has them.
func channels(frequencies ...uint32) []Channel {
	var list []Channel
	for _, f := range frequencies {
		list = append(list, Channel{f, 0, 5})
	}
	return list
}

// ladder lists n uplink channels, step Hz apart.
func ladder(n int, first, step uint32, minDR, maxDR uint8) []Channel {
	var list []Channel
	for i := range n {
		list = append(list, Channel{first + uint32(i)*step, minDR, maxDR})
	}
	return list
}
