package bulk

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// ExportOptions say how objects are written. The zero value has no keys, and is the reference format
// where there is one: the reference server has tables of devices, device sets and multicast groups.
type ExportOptions struct {
	Format    Format // Detect is the format of the zero value
	Delimiter byte   // 0: a comma; only used in the friendly format
	Keys      bool   // write key material; without it the columns of keys are empty
}

// Objects is a list of objects in which an error ends the list.
type Objects[T any] = iter.Seq2[T, error]

// ExportDevices writes devices and returns how many. Archived ones are left out.
func ExportDevices(ctx context.Context, w io.Writer, devices Objects[fleet.Device], in Profiles, opt ExportOptions) (int, error) {
	known := map[string]fleet.Triplet{}
	hardwareOf := func(r *deviceRow) error {
		t, ok := known[r.ProfileID]
		if !ok {
			found, err := in.ByID(ctx, []string{r.ProfileID})
			if err != nil {
				return err
			}
			if len(found) != 1 {
				return fmt.Errorf("device %s: its profile %s does not exist", r.DevEUI, r.ProfileID)
			}
			t = found[0].Triplet()
			known[r.ProfileID] = t
		}
		r.hardware = hardware{t, true}
		return nil
	}
	return export(ctx, w, &deviceKind, devices, hardwareOf, opt)
}

// Members returns who belongs to a device set with a filter, at this time.
type Members func(ctx context.Context, s fleet.DeviceSet) ([]lorawan.EUI64, error)

// ExportDeviceSets writes device sets and returns how many. Archived ones are left out. The friendly
// format writes a filter as it is; the reference format, which knows none, those who match it now.
func ExportDeviceSets(ctx context.Context, w io.Writer, sets Objects[fleet.DeviceSet], members Members, opt ExportOptions) (int, error) {
	listed := func(s *fleet.DeviceSet) (err error) {
		if s.Filter != nil && opt.Format != Friendly {
			s.Devices, err = members(ctx, *s)
		}
		return err
	}
	return export(ctx, w, &setKind, sets, listed, opt)
}

// ExportGroups writes multicast groups and returns how many. Archived ones are left out.
func ExportGroups(ctx context.Context, w io.Writer, groups Objects[fleet.MulticastGroup], opt ExportOptions) (int, error) {
	return export(ctx, w, &groupKind, groups, nil, opt)
}

// ExportRegions writes regions and returns how many, in the friendly format. Archived ones are left out.
func ExportRegions(ctx context.Context, w io.Writer, regions Objects[fleet.Region], opt ExportOptions) (int, error) {
	return export(ctx, w, &regionKind, regions, nil, opt)
}

// ExportProfiles writes device profiles, as ExportRegions does.
func ExportProfiles(ctx context.Context, w io.Writer, profiles Objects[fleet.DeviceProfile], opt ExportOptions) (int, error) {
	return export(ctx, w, &profileKind, profiles, nil, opt)
}

// ExportFiles writes what is known of files, without their bytes, as ExportRegions does.
func ExportFiles(ctx context.Context, w io.Writer, files Objects[fleet.File], opt ExportOptions) (int, error) {
	return export(ctx, w, &fileKind, files, nil, opt)
}

// ExportSmartDeltaKeys writes the public halves of keys, as ExportRegions does. The private ones
// are never written.
func ExportSmartDeltaKeys(ctx context.Context, w io.Writer, keys Objects[fleet.SmartDeltaKey], opt ExportOptions) (int, error) {
	return export(ctx, w, &smartDeltaKeyKind, keys, nil, opt)
}

// ExportCampaigns writes the settings and states of campaigns, as ExportRegions does.
func ExportCampaigns(ctx context.Context, w io.Writer, campaigns Objects[fleet.Campaign], opt ExportOptions) (int, error) {
	return export(ctx, w, &campaignKind, campaigns, nil, opt)
}

func export[R, T any, K comparable](ctx context.Context, w io.Writer, k *kind[R, T, K], objects Objects[T], complete func(*R) error, opt ExportOptions) (int, error) {
	switch {
	case len(k.header) > 0 && opt.Format != Friendly:
		opt.Format, opt.Delimiter = Reference, ','
	case opt.Format == Reference:
		return 0, errOnlyFriendly
	default:
		opt.Format = Friendly
	}
	if opt.Delimiter == 0 {
		opt.Delimiter = ','
	}
	out, n := bufio.NewWriterSize(w, bufferSize), 0
	columns := exported(k, opt.Format)
	cells := make([]string, len(columns))
	if opt.Format == Friendly {
		for i, c := range columns {
			cells[i] = c.name
		}
		if err := writeRow(out, cells, opt); err != nil {
			return 0, err
		}
	}
	for obj, err := range objects {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return n, err
		}
		r := k.load(obj)
		if *k.archived(&r) {
			continue
		}
		if complete != nil {
			if err := complete(&r); err != nil {
				return n, err
			}
		}
		for i, c := range columns {
			cells[i] = ""
			if c != nil && (opt.Keys || !c.key) {
				cells[i] = c.write(&r, opt.Format)
			}
		}
		if err := writeRow(out, cells, opt); err != nil {
			return n, err
		}
		n++
	}
	return n, out.Flush()
}

// exported returns the columns to write in their order; nil is one that stays empty.
func exported[R, T any, K comparable](k *kind[R, T, K], f Format) []*column[R] {
	fixed, named := make([]*column[R], k.exportWidth), []*column[R](nil)
	for i := range k.columns {
		c := &k.columns[i]
		if c.reference != absent {
			fixed[c.reference] = c
		}
		if c.friendly {
			named = append(named, c)
		}
	}
	if f == Friendly {
		return named
	}
	return fixed
}

// writeRow writes one row that ends with CRLF, as RFC 4180 has it.
func writeRow(out *bufio.Writer, cells []string, opt ExportOptions) error {
	line := out.AvailableBuffer()
	for i, cell := range cells {
		if i > 0 {
			line = append(line, opt.Delimiter)
		}
		if opt.Format == Friendly {
			cell = Defuse(cell)
		}
		line = appendCell(line, cell, opt.Delimiter)
	}
	_, err := out.Write(append(line, "\r\n"...))
	return err
}

// appendCell appends a cell, in quotes if it needs them: a byte order mark that is part of
// the first name must not be taken for that of the file.
func appendCell(line []byte, cell string, delimiter byte) []byte {
	if strings.IndexByte(cell, delimiter) < 0 && !strings.ContainsAny(cell, "\"\r\n\ufeff") {
		return append(line, cell...)
	}
	line = append(line, '"')
	line = append(line, strings.ReplaceAll(cell, `"`, `""`)...)
	return append(line, '"')
}
