package bulk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

var setColumns = []column[fleet.DeviceSet]{
	boundedName(func(s *fleet.DeviceSet) *string { return &s.Name }, "A").called("set", "setname", "deviceset", "devlist"),
	textField("description", "B", func(s *fleet.DeviceSet) *string { return &s.Description }).called("comment"),
	euiList("devices", "C", func(s *fleet.DeviceSet) *[]lorawan.EUI64 { return &s.Devices }).called("deveuis", "members", "deveui", "euis"),
	filterColumn(),
}

const setWidth = 3 // A..C

// boundedName is a name that is a key. Its length is checked before anything is asked or
// remembered under it: the row of a list may be long.
func boundedName[R any](part func(*R) *string, letter string) column[R] {
	c := textField("name", letter, part).identifying()
	read := c.read
	c.read = func(cell string, r *R) *problem {
		if utf8.RuneCountInString(cell) > fleet.MaxName {
			return &problem{fmt.Sprintf("is longer than %d characters", fleet.MaxName), "shorten it"}
		}
		return read(cell, r)
	}
	return c
}

// filterColumn is the saved filter of a set: conditions "field=value" with semicolons between
// them, all of which must hold. The condition "text" is DeviceFilter.Text.
//
//	tag=north;band=EU868;text=meter
//
// A backslash takes the meaning from a semicolon, or a backslash, behind it.
func filterColumn() column[fleet.DeviceSet] {
	return column[fleet.DeviceSet]{
		name: "filter", reference: absent, friendly: true, text: false,
		read: func(cell string, s *fleet.DeviceSet) (p *problem) {
			s.Filter, p = readFilter(cell)
			return p
		},
		clear: func(s *fleet.DeviceSet) { s.Filter = nil },
		copy:  func(dst, src *fleet.DeviceSet) { dst.Filter = src.Filter },
		equal: func(a, b *fleet.DeviceSet) bool { return writeFilter(a.Filter) == writeFilter(b.Filter) },
		write: func(s *fleet.DeviceSet, _ Format) string { return writeFilter(s.Filter) },
	}
}

const filterText = "text" // what DeviceFilter.Text is called among the fields

func readFilter(cell string) (*fleet.DeviceFilter, *problem) {
	f := &fleet.DeviceFilter{}
	seen := map[string]bool{}
	for i, condition := range splitEscaped(cell) {
		if strings.TrimSpace(condition) == "" {
			continue
		}
		field, value, ok := strings.Cut(condition, "=")
		field = strings.TrimSpace(field)
		switch {
		case !ok:
			return nil, &problem{fmt.Sprintf("number %d is no condition", i+1), `give conditions such as tag=north;band=EU868`}
		case field != filterText && !slices.Contains(fleet.DeviceFilterFields, field):
			return nil, &problem{fmt.Sprintf("number %d asks for a field that devices are not filtered by", i+1), "use one of text, " + strings.Join(fleet.DeviceFilterFields, ", ")}
		case seen[field]:
			return nil, &problem{fmt.Sprintf("number %d asks for %s once more", i+1, field), "all conditions must hold: remove one of the two"}
		case field == filterText:
			f.Text = value
		default:
			if f.Where == nil {
				f.Where = map[string]string{}
			}
			f.Where[field] = value
		}
		seen[field] = true
	}
	return f, nil
}

func writeFilter(f *fleet.DeviceFilter) string {
	if f == nil {
		return ""
	}
	var conditions []string
	for _, field := range slices.Sorted(maps.Keys(f.Where)) {
		conditions = append(conditions, field+"="+filterEscapes.Replace(f.Where[field]))
	}
	if f.Text != "" {
		conditions = append(conditions, filterText+"="+filterEscapes.Replace(f.Text))
	}
	return strings.Join(conditions, ";")
}

var filterEscapes = strings.NewReplacer(`\`, `\\`, ";", `\;`)

// splitEscaped splits at semicolons and takes the escapes away.
func splitEscaped(s string) []string {
	var parts []string
	var part []byte
	escaped := false
	for _, c := range []byte(s) {
		switch {
		case !escaped && c == '\\':
			escaped = true
			continue
		case !escaped && c == ';':
			parts, part = append(parts, string(part)), part[:0]
		default:
			part = append(part, c)
		}
		escaped = false
	}
	return append(parts, string(part))
}

// membersExist notes the first member of every list that does not exist.
func membersExist[R any](ctx context.Context, existing func(context.Context, []lorawan.EUI64) ([]lorawan.EUI64, error), rows []*row[R],
	column string, what problem, members func(*R) []lorawan.EUI64) error {
	var ask []lorawan.EUI64
	asked := map[lorawan.EUI64]bool{}
	for _, r := range rows {
		for _, e := range members(&r.in) {
			if !asked[e] {
				asked[e] = true
				ask = append(ask, e)
			}
		}
	}
	known := make(map[lorawan.EUI64]bool, len(ask))
	for part := range slices.Chunk(ask, batchRows) {
		found, err := existing(ctx, part)
		if err != nil {
			return err
		}
		for _, e := range found {
			known[e] = true
		}
	}
	for _, r := range rows {
		for i, e := range members(&r.in) {
			if !known[e] {
				r.fail(column, problem{fmt.Sprintf("number %d %s", i+1, what.reason), what.hint})
				break
			}
		}
	}
	return nil
}
