package identity_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
)

// The whole table, written out: whoever changes what a role may do changes it here too.
func TestEachRoleMayDoExactlyThis(t *testing.T) {
	const (
		never  = ""
		server = "server" // users of the server only
		both   = "both"
	)
	table := map[identity.Permission][3]string{ // viewer, operator, administrator
		identity.ReadFleet:    {both, both, both},
		identity.WriteFleet:   {never, both, both},
		identity.RunCampaigns: {never, both, both},
		identity.ReadReports:  {both, both, both},
		identity.RevealKeys:   {never, never, both},
		identity.ReadAudit:    {never, never, both},
		identity.ManageUsers:  {never, never, both},
		identity.ReadMetrics:  {server, server, server},
		identity.ManageServer: {never, never, server},
		identity.Self:         {both, both, both},
	}
	if len(table) != len(identity.AllPermissions()) {
		t.Fatalf("the table has %d permissions, there are %d", len(table), len(identity.AllPermissions()))
	}
	for _, p := range identity.AllPermissions() {
		for _, r := range identity.Roles() {
			who := table[p][r]
			for _, ofServer := range []bool{false, true} {
				want := who == both || who == server && ofServer
				if got := r.Permissions(ofServer).Has(p); got != want {
					t.Errorf("%s, server %t: %s is %t, want %t", r, ofServer, p, got, want)
				}
			}
		}
	}
}

func TestEachRoleHasAllOfTheOneBefore(t *testing.T) {
	roles := identity.Roles()
	for _, server := range []bool{false, true} {
		for i := 1; i < len(roles); i++ {
			if !roles[i].Permissions(server).Contains(roles[i-1].Permissions(server)) {
				t.Errorf("%s lacks something that %s has", roles[i], roles[i-1])
			}
		}
	}
}

func TestAnUnknownRoleMayDoNothing(t *testing.T) {
	if got := identity.Role(3).Permissions(true); got != 0 {
		t.Errorf("role 3 may %s", got)
	}
	if _, err := json.Marshal(identity.Role(3)); !errors.Is(err, fleet.ErrText) {
		t.Errorf("role 3 as JSON: %v", err)
	}
}

func TestNamesAreReadBack(t *testing.T) {
	for _, r := range identity.Roles() {
		if got, err := identity.ParseRole(r.String()); err != nil || got != r {
			t.Errorf("%s read as %v, %v", r, got, err)
		}
	}
	for _, k := range []identity.TokenKind{identity.KindAPI, identity.KindSession} {
		if got, err := identity.ParseTokenKind(k.String()); err != nil || got != k {
			t.Errorf("%s read as %v, %v", k, got, err)
		}
	}
	for _, p := range identity.AllPermissions() {
		if got, err := identity.ParsePermission(string(p)); err != nil || got != p {
			t.Errorf("%s read as %v, %v", p, got, err)
		}
	}
	for _, text := range []string{"", "root", "admin", "fleet:*", "FLEET:READ"} {
		if _, err := identity.ParseRole(text); !errors.Is(err, fleet.ErrText) {
			t.Errorf("role %q: %v", text, err)
		}
		if _, err := identity.ParsePermission(text); !errors.Is(err, fleet.ErrText) {
			t.Errorf("permission %q: %v", text, err)
		}
	}
}

func TestPermissionsAreASet(t *testing.T) {
	all := identity.AllPermissions()
	set := identity.PermissionsOf(all...)
	if !slices.Equal(set.Slice(), all) {
		t.Errorf("all are %v", set.Slice())
	}
	slices.Reverse(all)
	if identity.PermissionsOf(all...) != set || slices.Equal(identity.AllPermissions(), all) {
		t.Error("the order of a caller's list matters")
	}
	some := identity.PermissionsOf(identity.Self, identity.ReadFleet, identity.Self, "fleet:*", "")
	if got := some.String(); got != "fleet:read self" {
		t.Errorf("some are %q", got)
	}
	if some.Has("fleet:*") || some.Has("") || set.Has("root") {
		t.Error("an unknown permission is in a set")
	}
	if got := some.Intersect(identity.PermissionsOf(identity.Self, identity.ReadAudit)); got != identity.PermissionsOf(identity.Self) {
		t.Errorf("intersection %s", got)
	}
	if some.Contains(set) || !set.Contains(some) || !some.Contains(0) {
		t.Error("contains is wrong")
	}
}

func TestPermissionsAreAListInJSON(t *testing.T) {
	for _, tc := range []struct {
		set  identity.Permissions
		text string
	}{
		{0, `[]`},
		{identity.PermissionsOf(identity.Self, identity.ReadFleet), `["fleet:read","self"]`},
	} {
		text, err := json.Marshal(tc.set)
		if err != nil || string(text) != tc.text {
			t.Errorf("%v: %s, %v", tc.set, text, err)
		}
		back := identity.PermissionsOf(identity.ManageServer)
		if err := json.Unmarshal(text, &back); err != nil || back != tc.set {
			t.Errorf("%s: %v, %v", text, back, err)
		}
	}
	kept := identity.PermissionsOf(identity.Self)
	for _, text := range []string{`["fleet:read","root"]`, `"self"`, `1`, `[1]`} {
		if err := json.Unmarshal([]byte(text), &kept); err == nil || kept != identity.PermissionsOf(identity.Self) {
			t.Errorf("%s was read as %v, %v", text, kept, err)
		}
	}
}
