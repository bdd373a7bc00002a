package bulk

import (
	"strconv"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

type group = fleet.MulticastGroup

var groupColumns = []column[group]{
	field("dev_eui", "A", func(g *group) *lorawan.EUI64 { return &g.DevEUI }, readDevEUI, writeStringer[lorawan.EUI64]).
		identifying().called("eui", "groupeui"),
	field("session_class", "B", func(g *group) *fleet.Class { return &g.SessionClass }, readSessionClass, writeStringer[fleet.Class]).
		needed().called("class"),
	keyField("mc_key", "C", func(g *group) *lorawan.AES128Key { return &g.McKey }).called("mckey", "key"),
	mcAddrColumn(),
	field("frequency", "E", func(g *group) *uint32 { return &g.Frequency },
		readNumber[uint32](1<<32-1, "give Hz, such as 869525000"), writeNumber[uint32]).
		needed().called("freq", "multicastfrequency", "frequencyhz"),
	field("data_rate", "F", func(g *group) *uint8 { return &g.DataRate }, readDataRate, writeNumber[uint8]).
		needed().called("dr", "multicastdatarate"),
	field("band", "G", func(g *group) *region.Band { return &g.Band }, readBand, writeBand).needed().called("ismband", "region"),
	field("redundancy", "H", func(g *group) *fleet.Redundancy { return &g.Redundancy }, readRedundancy, writeStringer[fleet.Redundancy]).
		needed().called("codingrate"),
	field("dwell_time", "I", func(g *group) *bool { return &g.DwellTime }, readDwellTime, writeDwellTime).
		needed().called("dldwelltime", "downlinkdwelltime"),
	field("ping_slot_periodicity_s", "J", func(g *group) *fleet.PingSlotPeriodicity { return &g.PingSlotPeriodicity },
		readPeriodicity, writeStringer[fleet.PingSlotPeriodicity]).keeping().called("pingslotperiodicity", "pingslotperiod"),
	textField("name", "K", func(g *group) *string { return &g.Name }).called("groupname"),
	textField("tag", "L", func(g *group) *string { return &g.Tag }).called("tags"),
	field("f_cnt_down", "M", func(g *group) *uint32 { return &g.FCntDown },
		readNumber[uint32](1<<32-1, "give the counter that the next frame takes"), writeNumber[uint32]).
		keeping().called("initialfcntdown", "fcnt"),
	derivedKey("mc_app_s_key", "N", multicast.McAppSKey).called("appskey"),
	derivedKey("mc_nwk_s_key", "O", multicast.McNwkSKey).called("nwkskey"),
}

const (
	groupWidth       = 13 // A..M, what is imported
	groupExportWidth = 15 // A..O
)

func mcAddrColumn() column[group] {
	c := field("mc_addr", "D", func(g *group) *lorawan.DevAddr { return &g.McAddr }, readMcAddr, writeStringer[lorawan.DevAddr]).
		needed().called("devaddr", "groupaddress", "multicastaddress")
	c.unique = true
	return c
}

// derivedKey is a session key that operators copy into their network server. It follows
// from McKey and McAddr, so it is not read.
func derivedKey(name, letter string, derive func(lorawan.AES128Key, lorawan.DevAddr) lorawan.AES128Key) column[group] {
	return column[group]{name: name, reference: at(letter), friendly: true, key: true, passed: true,
		write: func(g *group, _ Format) string {
			if g.McKey.IsZero() {
				return ""
			}
			return derive(g.McKey, g.McAddr).Hex()
		}}
}

func readSessionClass(cell string) (fleet.Class, *problem) {
	c, err := fleet.ParseClass(cell)
	if err != nil || c == fleet.ClassA {
		return 0, &problem{"is no multicast class", "use B or C"}
	}
	return c, nil
}

// readDataRate reads an index with or without the "DR" that people write before it.
func readDataRate(cell string) (uint8, *problem) {
	text := strings.ToUpper(strings.TrimSpace(cell))
	return readNumber[uint8](15, "give the index of the data rate in the band, such as 3")(strings.TrimPrefix(text, "DR"))
}

func readRedundancy(cell string) (fleet.Redundancy, *problem) {
	r, err := fleet.ParseRedundancy(cell)
	if err != nil {
		return 0, &problem{"is no redundancy", "use NO_REDUNDANCY_ONE, SEVEN_TO_EIGHT, FIVE_TO_SIX, THREE_TO_FOUR or ONE_TO_TWO"}
	}
	return r, nil
}

func readDwellTime(cell string) (bool, *problem) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "true", "1", "yes", "on", "400", "400ms", "400 ms":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, &problem{"does not say whether the dwell-time limit holds", "use true or false"}
}

func writeDwellTime(v bool, _ Format) string { return strconv.FormatBool(v) }

func readPeriodicity(cell string) (fleet.PingSlotPeriodicity, *problem) {
	n, err := strconv.Atoi(strings.TrimSpace(cell))
	if err == nil {
		var p fleet.PingSlotPeriodicity
		if p, err = fleet.ParsePingSlotPeriodicity(n); err == nil {
			return p, nil
		}
	}
	return 0, &problem{"is no ping slot periodicity", "give seconds: 1, 2, 4, 8, 16, 32, 64 or 128"}
}
