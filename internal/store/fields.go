package store

import (
	"fmt"
	"slices"
	"strings"
)

// Kind names a kind of object, as the audit log does.
type Kind string

// Kinds of objects.
const (
	KindDevice        Kind = "device"
	KindDeviceSet     Kind = "device_set"
	KindGroup         Kind = "multicast_group"
	KindRegion        Kind = "region"
	KindFile          Kind = "file"
	KindProfile       Kind = "device_profile"
	KindSmartDeltaKey Kind = "smart_delta_key"
	KindCampaign      Kind = "campaign"
	KindSubscriber    Kind = "subscriber"
	KindUser          Kind = "user"
	KindToken         Kind = "token"
	KindJob           Kind = "job"
	KindReport        Kind = "report"
)

// Kinds returns all of them.
func Kinds() []Kind {
	return []Kind{KindDevice, KindDeviceSet, KindGroup, KindRegion, KindFile, KindProfile, KindSmartDeltaKey, KindCampaign,
		KindSubscriber, KindUser, KindToken, KindJob, KindReport}
}

// Field names something to filter or to order a list by, as it is called in JSON.
type Field string

// Fields. FieldsOf says which kind has which.
const (
	ByID              Field = "id"      // every kind but devices and groups
	ByDevEUI          Field = "dev_eui" // devices, groups
	ByName            Field = "name"
	ByArchived        Field = "archived"
	ByCreated         Field = "created_at"
	ByUpdated         Field = "updated_at"
	ByTag             Field = "tag"
	ByProfile         Field = "profile_id"
	ByDeviceSet       Field = "device_set" // members of the set with this ID, listed or found by its filter
	ByFirmware        Field = "firmware"
	ByFirmwareChanged Field = "firmware_changed"
	ByBand            Field = "band"
	ByClasses         Field = "classes"
	ByLoRaWANVersion  Field = "lorawan_version"
	ByDevice          Field = "device" // sets that list this DevEUI
	ByMcAddr          Field = "mc_addr"
	BySessionClass    Field = "session_class"
	ByDataRate        Field = "data_rate"
	ByFrequency       Field = "frequency"
	ByType            Field = "type"
	ByVersion         Field = "version"
	BySize            Field = "size"
	ByUploaded        Field = "uploaded_at"
	ByProducer        Field = "producer_id"
	ByModule          Field = "module_id"
	ByHWRevision      Field = "hw_revision"
	ByMCUType         Field = "mcu_type"
	ByStatus          Field = "status"
	ByPaused          Field = "paused"
	ByStarted         Field = "started"
	ByEnded           Field = "ended"
	ByLastChanged     Field = "last_changed"
	ByFile            Field = "file_id"
	ByLogin           Field = "login"
	ByRole            Field = "role"
	ByOIDCSubject     Field = "oidc_subject"
	BySubscriber      Field = "subscriber_id"
	ByDigest          Field = "digest"
	ByUser            Field = "user_id"
	ByExpires         Field = "expires_at"
	ByKind            Field = "kind"
	ByState           Field = "state"
	ByDue             Field = "due_at"
	ByMonth           Field = "month"
)

// FieldType says how the value of a filter is written.
type FieldType uint8

// Types of fields. Numbers and times may be ranges, "from..to", both included; either end may
// be left out. An empty value stands for no value: "tag" of "" finds what has no tag.
const (
	TextField   FieldType = iota // as it is; equal to the letter
	NumberField                  // a whole number
	TimeField                    // RFC 3339, or a date, which is that whole day in UTC
	BoolField                    // true or false
	EUIField                     // 16 hexadecimal digits
)

var fieldTypeNames = []string{"text", "number", "time", "boolean", "eui"}

// String returns "text", "number", "time", "boolean" or "eui".
func (t FieldType) String() string { return fieldTypeNames[min(int(t), len(fieldTypeNames)-1)] }

// FieldInfo is what can be done with a field of one kind of object.
type FieldInfo struct {
	Field  Field
	Type   FieldType
	Filter bool // it can stand in Query.Where
	Sort   bool // it can stand in Query.Sort
}

// FieldsOf returns the fields of a kind of object, sorted by name; none of an unknown kind.
func FieldsOf(kind Kind) []FieldInfo { return slices.Clone(fields[kind]) }

// FieldOf returns one field of a kind of object.
func FieldOf(kind Kind, field Field) (FieldInfo, bool) {
	i, found := slices.BinarySearchFunc(fields[kind], field, func(f FieldInfo, name Field) int { return strings.Compare(string(f.Field), string(name)) })
	if !found {
		return FieldInfo{}, false
	}
	return fields[kind][i], true
}

// Check returns ErrQuery, which tells the fields there are, if q filters or orders by one that objects
// of this kind do not have, orders by one twice, or by more than MaxSort. Values are not looked at.
func (q Query) Check(kind Kind) error {
	for field := range q.Where {
		if f, _ := FieldOf(kind, field); !f.Filter {
			return unknownField(kind, field, "filtered", func(f FieldInfo) bool { return f.Filter })
		}
	}
	if len(q.Sort) > MaxSort {
		return fmt.Errorf("sorted by %d fields, and %d at most: %w", len(q.Sort), MaxSort, ErrQuery)
	}
	for i, s := range q.Sort {
		if f, _ := FieldOf(kind, s.Field); !f.Sort {
			return unknownField(kind, s.Field, "sorted", func(f FieldInfo) bool { return f.Sort })
		}
		if slices.ContainsFunc(q.Sort[:i], func(before Sort) bool { return before.Field == s.Field }) {
			return fmt.Errorf("sorted by %s twice: %w", s.Field, ErrQuery)
		}
	}
	return nil
}

func unknownField(kind Kind, field Field, what string, is func(FieldInfo) bool) error {
	var known []string
	for _, f := range fields[kind] {
		if is(f) {
			known = append(known, string(f.Field))
		}
	}
	return fmt.Errorf("%ss are not %s by %q, but by %s: %w", strings.ReplaceAll(string(kind), "_", " "), what, field, strings.Join(known, ", "), ErrQuery)
}

// fields is the one place that says what lists can be asked for.
var fields = func() map[Kind][]FieldInfo {
	both := func(t FieldType, names ...Field) (out []FieldInfo) {
		for _, n := range names {
			out = append(out, FieldInfo{n, t, true, true})
		}
		return out
	}
	filter := func(t FieldType, names ...Field) (out []FieldInfo) {
		for _, n := range names {
			out = append(out, FieldInfo{n, t, true, false})
		}
		return out
	}
	all := slices.Concat(both(TextField, ByName), both(BoolField, ByArchived), both(TimeField, ByCreated, ByUpdated))
	eui, id := both(EUIField, ByDevEUI), both(TextField, ByID)
	table := map[Kind][]FieldInfo{
		KindDevice: slices.Concat(all, eui, both(TextField, ByTag, ByProfile, ByFirmware, ByBand, ByClasses, ByLoRaWANVersion),
			both(TimeField, ByFirmwareChanged), filter(TextField, ByDeviceSet)),
		KindDeviceSet: slices.Concat(all, id, filter(EUIField, ByDevice)),
		KindGroup: slices.Concat(all, eui, both(TextField, ByTag, ByBand, ByMcAddr, BySessionClass),
			both(NumberField, ByDataRate, ByFrequency)),
		KindRegion: slices.Concat(all, id),
		KindFile: slices.Concat(all, id, both(TextField, ByType, ByProfile, ByVersion), both(NumberField, BySize),
			both(TimeField, ByUploaded)),
		KindProfile:       slices.Concat(all, id, both(TextField, ByProducer, ByModule, ByMCUType), both(NumberField, ByHWRevision)),
		KindSmartDeltaKey: slices.Concat(all, id),
		KindCampaign: slices.Concat(all, id, both(TextField, ByType, ByStatus, ByFile), both(BoolField, ByPaused),
			both(TimeField, ByStarted, ByEnded, ByLastChanged)),
		KindSubscriber: slices.Concat(all, id),
		KindUser:       slices.Concat(all, id, both(TextField, ByLogin, ByRole, BySubscriber), filter(TextField, ByOIDCSubject)),
		KindToken: slices.Concat(all, id, both(TextField, ByKind, ByUser, BySubscriber), both(TimeField, ByExpires),
			filter(TextField, ByDigest)),
		KindJob:    slices.Concat(all, id, both(TextField, ByKind, ByState, BySubscriber), both(TimeField, ByDue)),
		KindReport: slices.Concat(all, id, both(TextField, ByKind, ByMonth, BySubscriber)),
	}
	for _, list := range table {
		slices.SortFunc(list, func(a, b FieldInfo) int { return strings.Compare(string(a.Field), string(b.Field)) })
	}
	return table
}()
