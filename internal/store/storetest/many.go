package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// createAll tries what CreateAll has beyond Create: order, all or nothing, and who is to blame.
func createAll(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	const n = 2500 // more than any engine takes at once
	devices, pointers := make([]fleet.Device, n), make([]*fleet.Device, n)
	for i := range devices {
		devices[i] = testDevice(i)
		pointers[i] = &devices[i]
	}
	acme := s.Within("acme")
	if refused, err := acme.Devices().CreateAll(ctx, pointers); err != nil {
		t.Fatalf("device %d: %v", refused, err)
	}
	for i, d := range devices {
		if d.Revision != 1 || d.SubscriberID != "acme" {
			t.Fatalf("device %d: %+v", i, d)
		}
	}
	stored, err := acme.Devices().Find(ctx, devices[n-1].DevEUI)
	if must(t, err); stored.RootKey != devices[n-1].RootKey {
		t.Error("a key did not come back")
	}
	count := func() int {
		t.Helper()
		c, err := s.Devices().Count(ctx, store.Query{})
		must(t, err)
		return c
	}
	if got := count(); got != n {
		t.Errorf("%d devices", got)
	}

	// One that is there already keeps all from being stored, and is named.
	more := []*fleet.Device{new(testDevice(n)), new(testDevice(n + 1)), new(testDevice(7)), new(testDevice(n + 2))}
	refused, err := acme.Devices().CreateAll(ctx, more)
	conflict(t, err, "dev_eui")
	if refused != 2 || count() != n {
		t.Errorf("device %d is refused, %d stored", refused, count()-n)
	}
	given := errors.New("given up")
	err = s.Tx(ctx, func(o store.Objects) error {
		if _, err := o.Devices().CreateAll(ctx, more[:2]); err != nil {
			return err
		}
		return given
	})
	if want(t, err, given); count() != n {
		t.Error("a transaction that was given up stored something")
	}
	odd := new(testDevice(n))
	odd.Name = "\x00"
	if refused, err := s.Devices().CreateAll(ctx, []*fleet.Device{more[0], odd}); err == nil || refused != 1 || count() != n {
		t.Errorf("device %d is refused, %v, %d stored", refused, err, count()-n)
	}
	if _, err := s.Devices().CreateAll(ctx, nil); err != nil {
		t.Error(err)
	}

	// What belongs to an object in other tables comes with it.
	sets := []*fleet.DeviceSet{{ID: "a", Name: "a", Devices: []lorawan.EUI64{devices[1].DevEUI}}, {ID: "b", Name: "b", Devices: []lorawan.EUI64{devices[2].DevEUI, devices[1].DevEUI}}}
	if refused, err := s.DeviceSets().CreateAll(ctx, sets); err != nil {
		t.Fatalf("set %d: %v", refused, err)
	}
	b, err := s.DeviceSets().Find(ctx, "b")
	if must(t, err); len(b.Devices) != 2 || b.Devices[0] != devices[2].DevEUI {
		t.Errorf("%+v", b)
	}
}
