package bulk

import (
	"context"
	"io"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Target is where imported objects go. It knows the rules of the server that go beyond
// one object and one file.
type Target[T any, K comparable] interface {
	// FindAll returns the objects of the keys that exist, in any order, with their keys
	// (RootKey, McKey). Devices, groups and profiles are returned archived or not; device sets and
	// regions, of which the key is the name, only if they are not archived. At most 500 keys are asked for.
	FindAll(ctx context.Context, keys []K) ([]T, error)

	// Check returns for each change why Write would refuse it, or nil; nil for "none". It
	// changes nothing. It may know less than Write.
	Check(ctx context.Context, changes []Change[T]) ([]error, error)

	// Tx runs f in one transaction and commits if it returns nil. f may run again from the start.
	Tx(ctx context.Context, f func(Writer[T]) error) error
}

// Writer writes inside of a transaction.
type Writer[T any] interface {
	// Write creates or updates objects in order, 1 to 500 of them. If one cannot be stored it returns
	// fleet.FieldErrors, or wraps ErrRefused, and which one it is; the transaction is given up then.
	Write(ctx context.Context, changes []Change[T]) (refused int, err error)
}

// Change is what an import wants to be stored.
type Change[T any] struct {
	Before *T // as FindAll returned it: its Revision must be the stored one; nil: create
	After  T
}

// Profiles finds device profiles, archived or not, in any order; missing ones are left out.
type Profiles interface {
	ByTriplet(ctx context.Context, hardware []fleet.Triplet) ([]fleet.DeviceProfile, error)
	ByID(ctx context.Context, ids []string) ([]fleet.DeviceProfile, error)
}

// Devices says which of the given devices exist, archived or not, in any order. At most
// 500 are asked for.
type Devices interface {
	Existing(ctx context.Context, devices []lorawan.EUI64) ([]lorawan.EUI64, error)
}

// Groups says which of the given multicast groups exist, as Devices does of devices.
type Groups interface {
	ExistingGroups(ctx context.Context, groups []lorawan.EUI64) ([]lorawan.EUI64, error)
}

// Format is the form of a table.
type Format uint8

// Formats.
const (
	Detect    Format = iota // import only: friendly if the first row names columns
	Reference               // the reference server's: no header, fixed columns
	Friendly                // a header row names the columns
)

// String returns "detect", "reference" or "friendly".
func (f Format) String() string { return [...]string{"detect", "reference", "friendly"}[f%3] }

// Options of an import. The zero value is good.
type Options struct {
	Format    Format
	Delimiter byte // 0: a comma in the reference format, detected in the friendly one

	// Columns maps names of the header row to ours, before aliases are looked at; "" leaves
	// a column out. Only used in the friendly format. ParseColumns makes it of texts.
	Columns map[string]string

	MaxRows  int                 // rows that are read; 0: MaxRows
	Outcome  func(Outcome) error // sees every row in order; its error ends the import
	BadRows  io.Writer           // gets the rows that failed as they were, and why
	Progress func(Progress)
}

// Progress is how far an import is. Written falls back if a transaction runs again.
type Progress struct {
	Rows    int // read and compared
	Written int // created or updated
}

// Action is what an import does with a row.
type Action uint8

// Actions.
const (
	Failed Action = iota
	Create
	Update
	Unchanged
)

// String returns "failed", "create", "update" or "unchanged".
func (a Action) String() string { return [...]string{"failed", "create", "update", "unchanged"}[a%4] }

// MarshalText returns what String returns. It never fails.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Outcome is what becomes of one row.
type Outcome struct {
	Row    int        // line on which it begins
	Action Action     // what the import does, or would do
	Key    string     // DevEUI, name or hardware; "" if it failed: the cell may hold anything
	Fields []string   // of an update: which change, by the names of our JSON
	Errors []RowError // if it failed, one or more
}

// Report is the result of an import.
type Report struct {
	Format    Format
	Delimiter byte
	Unknown   []string // columns of the header row that are not read, such as "C: colour"

	Rows                                int // Created + Updated + Unchanged + Failed
	Created, Updated, Unchanged, Failed int // planned or, after Apply, done unless nothing was written
	Written                             int // objects that have been stored
}

// Mode says what Apply does when rows fail.
type Mode uint8

// Modes.
const (
	AllOrNothing Mode = iota // one transaction; a row that fails keeps all from being stored
	GoodRows                 // rows that fail are left out; transactions of some hundred rows
)

// Importer imports one kind of object. It holds no state: it is safe for concurrent use
// if what it was made from is.
type Importer struct {
	run func(ctx context.Context, in io.Reader, opt Options, write *Mode) (Report, error)
}

// Plan says what Apply would do, and changes nothing.
func (im *Importer) Plan(ctx context.Context, in io.Reader, opt Options) (Report, error) {
	return im.run(ctx, in, opt, nil)
}

// Apply imports a file. Rows that fail are no error but outcomes; with AllOrNothing the
// report's Written is 0 then. AllOrNothing keeps what it is going to write in memory; GoodRows
// holds some hundred rows. If writing a row is refused although Check let it pass, GoodRows
// reports it as failed, and AllOrNothing reports it a second time, as failed, at the end.
//
// Errors are FileErrors, and those of reader, callbacks and Target. After an error
// AllOrNothing has stored nothing, and GoodRows what the report says.
func (im *Importer) Apply(ctx context.Context, in io.Reader, mode Mode, opt Options) (Report, error) {
	return im.run(ctx, in, opt, &mode)
}

// NewDevices returns an importer of devices.
func NewDevices(to Target[fleet.Device, lorawan.EUI64], in Profiles) *Importer {
	return &Importer{func(ctx context.Context, r io.Reader, opt Options, write *Mode) (Report, error) {
		p := &profiles{in, map[fleet.Triplet]fleet.DeviceProfile{}}
		e := engine[deviceRow, fleet.Device, lorawan.EUI64]{kind: deviceKind, target: to, resolve: p.resolve}
		return e.run(ctx, r, opt, write)
	}}
}

// NewProfiles returns an importer of device profiles. A profile is known by its hardware.
func NewProfiles(to Target[fleet.DeviceProfile, fleet.Triplet]) *Importer {
	return &Importer{func(ctx context.Context, r io.Reader, opt Options, write *Mode) (Report, error) {
		e := engine[fleet.DeviceProfile, fleet.DeviceProfile, fleet.Triplet]{kind: profileKind, target: to}
		return e.run(ctx, r, opt, write)
	}}
}

// NewDeviceSets returns an importer of device sets. A set is known by its name.
func NewDeviceSets(to Target[fleet.DeviceSet, string], in Devices) *Importer {
	return &Importer{func(ctx context.Context, r io.Reader, opt Options, write *Mode) (Report, error) {
		resolve := func(ctx context.Context, rows []*row[fleet.DeviceSet]) error {
			return membersExist(ctx, in.Existing, rows, "devices", problem{"is no device that exists", "import the device first, or take it out"},
				func(s *fleet.DeviceSet) []lorawan.EUI64 { return s.Devices })
		}
		e := engine[fleet.DeviceSet, fleet.DeviceSet, string]{kind: setKind, target: to, resolve: resolve}
		return e.run(ctx, r, opt, write)
	}}
}

// NewRegions returns an importer of regions. A region is known by its name.
func NewRegions(to Target[fleet.Region, string], in Groups) *Importer {
	return &Importer{func(ctx context.Context, r io.Reader, opt Options, write *Mode) (Report, error) {
		resolve := func(ctx context.Context, rows []*row[fleet.Region]) error {
			return membersExist(ctx, in.ExistingGroups, rows, "groups", problem{"is no multicast group that exists", "import the group first, or take it out"},
				func(r *fleet.Region) []lorawan.EUI64 { return r.Groups })
		}
		e := engine[fleet.Region, fleet.Region, string]{kind: regionKind, target: to, resolve: resolve}
		return e.run(ctx, r, opt, write)
	}}
}

// NewGroups returns an importer of multicast groups.
func NewGroups(to Target[fleet.MulticastGroup, lorawan.EUI64]) *Importer {
	return &Importer{func(ctx context.Context, r io.Reader, opt Options, write *Mode) (Report, error) {
		e := engine[group, group, lorawan.EUI64]{kind: groupKind, target: to}
		return e.run(ctx, r, opt, write)
	}}
}
