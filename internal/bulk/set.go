package bulk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

var setColumns = []column[fleet.DeviceSet]{
	setName(),
	textField("description", "B", func(s *fleet.DeviceSet) *string { return &s.Description }).called("comment"),
	membersColumn(),
}

const setWidth = 3 // A..C

// setName is the key of a set. Its length is checked before anything is asked or remembered
// under it: the row of a set may be long.
func setName() column[fleet.DeviceSet] {
	c := textField("name", "A", func(s *fleet.DeviceSet) *string { return &s.Name }).
		identifying().called("set", "setname", "deviceset", "devlist")
	read := c.read
	c.read = func(cell string, s *fleet.DeviceSet) *problem {
		if utf8.RuneCountInString(cell) > fleet.MaxName {
			return &problem{fmt.Sprintf("is longer than %d characters", fleet.MaxName), "shorten it"}
		}
		return read(cell, s)
	}
	return c
}

// membersColumn is the list of DevEUIs. Their order means nothing.
func membersColumn() column[fleet.DeviceSet] {
	return column[fleet.DeviceSet]{
		name: "devices", reference: at("C"), friendly: true, required: true, aliases: []string{"deveuis", "members", "deveui", "euis"},
		read: func(cell string, s *fleet.DeviceSet) *problem {
			s.Devices = make([]lorawan.EUI64, 0, strings.Count(cell, ";")+1)
			i := 0
			for part := range strings.SplitSeq(cell, ";") {
				if i++; strings.TrimSpace(part) == "" {
					continue
				}
				e, p := readDevEUI(part)
				if p != nil {
					return &problem{fmt.Sprintf("number %d %s", i, p.reason), p.hint + "; separate DevEUIs by semicolons"}
				}
				s.Devices = append(s.Devices, e)
			}
			return nil
		},
		clear: func(s *fleet.DeviceSet) { s.Devices = nil },
		copy:  func(dst, src *fleet.DeviceSet) { dst.Devices = src.Devices },
		equal: func(a, b *fleet.DeviceSet) bool {
			return slices.Equal(sorted(a.Devices), sorted(b.Devices))
		},
		write: func(s *fleet.DeviceSet, _ Format) string {
			var b strings.Builder
			for i, e := range s.Devices {
				if i > 0 {
					b.WriteByte(';')
				}
				b.WriteString(e.String())
			}
			return b.String()
		},
	}
}

func sorted(list []lorawan.EUI64) []lorawan.EUI64 {
	return slices.SortedFunc(slices.Values(list), lorawan.EUI64.Compare)
}

// membersExist notes the first device of every set that does not exist.
func membersExist(ctx context.Context, in Devices, rows []*row[fleet.DeviceSet]) error {
	var ask []lorawan.EUI64
	asked := map[lorawan.EUI64]bool{}
	for _, r := range rows {
		for _, e := range r.in.Devices {
			if !asked[e] {
				asked[e] = true
				ask = append(ask, e)
			}
		}
	}
	known := make(map[lorawan.EUI64]bool, len(ask))
	for part := range slices.Chunk(ask, batchRows) {
		found, err := in.Existing(ctx, part)
		if err != nil {
			return err
		}
		for _, e := range found {
			known[e] = true
		}
	}
	for _, r := range rows {
		for i, e := range r.in.Devices {
			if !known[e] {
				r.fail("devices", problem{fmt.Sprintf("number %d is no device that exists", i+1), "import the device first, or take it out"})
				break
			}
		}
	}
	return nil
}
