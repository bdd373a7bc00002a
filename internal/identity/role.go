package identity

// Role is what a user is, and so what a user may do. Each role has all that the one
// before it has. The zero value is Viewer, the least.
type Role uint8

// Roles.
const (
	Viewer        Role = iota // sees the fleet and the reports
	Operator                  // changes the fleet and runs campaigns
	Administrator             // manages users, reads the audit log, reveals keys
)

var roleNames = []string{"viewer", "operator", "administrator"}

// Roles returns every role, the least first.
func Roles() []Role { return []Role{Viewer, Operator, Administrator} }

// ParseRole reads "viewer", "operator" or "administrator"; case does not matter.
func ParseRole(s string) (Role, error) { return parseEnum[Role]("role", roleNames, s) }

// String returns the name of the role.
func (r Role) String() string { return enumText(roleNames, r) }

// MarshalText returns the name of the role, or fleet.ErrText.
func (r Role) MarshalText() ([]byte, error) { return marshalEnum("role", roleNames, r) }

// UnmarshalText reads what ParseRole reads.
func (r *Role) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRole(string(b))
	return err
}

// Permissions returns what the role allows. server says that the user belongs to no
// subscriber; only such users can have ManageServer and ReadMetrics, because both show
// or change what belongs to all subscribers. A role that no constant stands for allows nothing.
func (r Role) Permissions(server bool) Permissions {
	if r > Administrator {
		return 0
	}
	set := PermissionsOf(ReadFleet, ReadReports, Self)
	if server {
		set |= PermissionsOf(ReadMetrics)
	}
	if r >= Operator {
		set |= PermissionsOf(WriteFleet, RunCampaigns)
	}
	if r >= Administrator {
		set |= PermissionsOf(RevealKeys, ReadAudit, ManageUsers)
		if server {
			set |= PermissionsOf(ManageServer)
		}
	}
	return set
}
