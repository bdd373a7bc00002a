package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/starling-fuota/starling/fleet"
)

// Permission is one thing that may be done, as "what:how". Every operation of the API
// names the one that it needs; tokens can be limited to some.
type Permission string

// Permissions.
const (
	ReadFleet    Permission = "fleet:read"    // devices, sets, groups, files, campaigns, jobs: all but keys
	WriteFleet   Permission = "fleet:write"   // create, change, archive and import them
	RunCampaigns Permission = "campaigns:run" // start, pause, resume and stop
	ReadReports  Permission = "reports:read"  // show, make and download reports
	RevealKeys   Permission = "keys:reveal"   // key material in clear; each use is in the audit log
	ReadAudit    Permission = "audit:read"    // who did what
	ManageUsers  Permission = "users:manage"  // users of the subscriber and their tokens
	ReadMetrics  Permission = "metrics:read"  // figures of the whole server; its users only
	ManageServer Permission = "server:manage" // subscribers and key rotation; its users only
	Self         Permission = "self"          // one's own password, tokens and log-out
)

// permissions in their order, which is that of the bits of Permissions.
var permissions = []Permission{
	ReadFleet, WriteFleet, RunCampaigns, ReadReports, RevealKeys,
	ReadAudit, ManageUsers, ReadMetrics, ManageServer, Self,
}

// AllPermissions returns every permission, always in the same order: what everybody
// has first, what few have later.
func AllPermissions() []Permission { return slices.Clone(permissions) }

// ParsePermission reads the text of a permission exactly, such as "fleet:read".
func ParsePermission(s string) (Permission, error) {
	if p := Permission(s); p.Known() {
		return p, nil
	}
	return "", fmt.Errorf("permission %q: %w (use one of %s)", s, fleet.ErrText, quoted(permissions))
}

// Known reports whether p is one of AllPermissions.
func (p Permission) Known() bool { return slices.Contains(permissions, p) }

// Permissions is a set of permissions. It is comparable; the zero value is the empty set.
// Its bits are an affair of the running program: stored and sent is the list of names.
type Permissions uint16

// PermissionsOf returns the set of the given permissions. Unknown ones are left out:
// what nobody asks for allows nothing.
func PermissionsOf(list ...Permission) Permissions {
	var set Permissions
	for _, p := range list {
		if i := slices.Index(permissions, p); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

// Has reports whether p is in the set. An unknown p is in no set.
func (s Permissions) Has(p Permission) bool { return s&PermissionsOf(p) != 0 }

// Contains reports whether all of other is in the set.
func (s Permissions) Contains(other Permissions) bool { return other&^s == 0 }

// Intersect returns what is in both sets.
func (s Permissions) Intersect(other Permissions) Permissions { return s & other }

// Slice returns the members in the order of AllPermissions; never nil.
func (s Permissions) Slice() []Permission {
	list := []Permission{}
	for i, p := range permissions {
		if s&(1<<i) != 0 {
			list = append(list, p)
		}
	}
	return list
}

// String returns the members separated by spaces, such as "fleet:read self".
func (s Permissions) String() string {
	var b strings.Builder
	for _, p := range s.Slice() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(p))
	}
	return b.String()
}

// MarshalJSON returns the list of the members. It never fails.
func (s Permissions) MarshalJSON() ([]byte, error) { return json.Marshal(s.Slice()) }

// UnmarshalJSON reads a list of permissions; one that is unknown is fleet.ErrText.
func (s *Permissions) UnmarshalJSON(b []byte) error {
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	var set Permissions
	for _, text := range list {
		p, err := ParsePermission(text)
		if err != nil {
			return err
		}
		set |= PermissionsOf(p)
	}
	*s = set
	return nil
}
