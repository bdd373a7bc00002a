package bulk

import (
	"strings"

	"github.com/starling-fuota/starling/fleet"
)

// ParseColumns makes Options.Columns of texts "field:header", such as "dev_eui:EUI": our name of
// a field, and what the header row of a file calls it. ":header" leaves a column out. It returns
// FieldErrors of "map". Whether the field exists is seen when a file is read.
func ParseColumns(pairs ...string) (map[string]string, error) {
	columns := make(map[string]string, len(pairs))
	fields := map[string]bool{}
	for _, pair := range pairs {
		field, header, ok := strings.Cut(pair, ":")
		field, header = strings.TrimSpace(field), strings.TrimSpace(header)
		_, twice := columns[header]
		switch {
		case !ok || header == "":
			return nil, &fleet.FieldError{Field: "map", Problem: "is not field:column", Hint: "give something like dev_eui:EUI"}
		case twice:
			return nil, &fleet.FieldError{Field: "map", Problem: "maps one column twice", Hint: "remove one of them"}
		case field != "" && fields[plain(field)]:
			return nil, &fleet.FieldError{Field: "map", Problem: "maps two columns to one field", Hint: "remove one of them"}
		}
		fields[plain(field)] = true
		columns[header] = field
	}
	return columns, nil
}
