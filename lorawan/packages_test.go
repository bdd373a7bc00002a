package lorawan_test

import (
	"encoding/json"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
)

func TestEveryPackageHasItsOwnVersion(t *testing.T) {
	var p lorawan.PackageVersions
	for i, id := range lorawan.AllPackages() {
		if int(id) != i {
			t.Errorf("package %d is %s", i, id)
		}
		p.Set(id, lorawan.Version(i+1))
	}
	p.Set(9, 9)
	if want := (lorawan.PackageVersions{MultiPackage: 1, ClockSync: 2, McSetup: 3, Fragmentation: 4, FirmwareMgmt: 5}); p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
	for i, id := range lorawan.AllPackages() {
		if p.Of(id) != lorawan.Version(i+1) {
			t.Errorf("%s: version %d", id, p.Of(id))
		}
	}
	if p.Of(9) != 0 {
		t.Error("package 9 has no version")
	}
}

func TestWhatADeviceToldStandsOverWhatItsProfileSays(t *testing.T) {
	base := lorawan.PackageVersions{ClockSync: 1, McSetup: 1, Fragmentation: 1, FirmwareMgmt: 1, MultiPackage: 1}
	if got := (lorawan.PackageVersions{}).Over(base); got != base {
		t.Errorf("%+v, want %+v", got, base)
	}
	told := lorawan.PackageVersions{ClockSync: 2, McSetup: 3, Fragmentation: 4, FirmwareMgmt: 5, MultiPackage: 6}
	if got := told.Over(base); got != told {
		t.Errorf("%+v, want %+v", got, told)
	}
}

func TestPortsAreDefaultsUnlessSet(t *testing.T) {
	set := lorawan.PackagePorts{ClockSync: 2, McSetup: 3, Fragmentation: 4, FirmwareMgmt: 5}
	for _, c := range []struct {
		id            lorawan.PackageID
		standard, set uint8
	}{
		{lorawan.MultiPackage, 225, 225}, {lorawan.ClockSync, 202, 2}, {lorawan.McSetup, 200, 3},
		{lorawan.Fragmentation, 201, 4}, {lorawan.FirmwareMgmt, 203, 5},
	} {
		if got := (lorawan.PackagePorts{}).Of(c.id); got != c.standard {
			t.Errorf("%s: FPort %d, want %d", c.id, got, c.standard)
		}
		if got, ok := set.Package(c.set); got != c.id || !ok || set.Of(c.id) != c.set {
			t.Errorf("%s: FPort %d, and there is %s", c.id, set.Of(c.id), got)
		}
	}
	for _, fport := range []uint8{0, 1, 201} {
		if id, ok := set.Package(fport); ok {
			t.Errorf("FPort %d belongs to %s", fport, id)
		}
	}
}

// Profiles are stored and served in this form.
func TestPackagesHaveNamesInJSON(t *testing.T) {
	b, err := json.Marshal(struct {
		V lorawan.PackageVersions
		P lorawan.PackagePorts
	}{lorawan.PackageVersions{ClockSync: 1, McSetup: 2, Fragmentation: 3, FirmwareMgmt: 4}, lorawan.PackagePorts{Fragmentation: 210}})
	const want = `{"V":{"clock_sync":1,"mc_setup":2,"fragmentation":3,"firmware_mgmt":4,"multi_package":0},"P":{"fragmentation":210}}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
}
