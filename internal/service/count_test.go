package service_test

import (
	"context"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
)

func TestCountsAreOfTheWholeServer(t *testing.T) {
	w := newWorld(t)
	w.subscriber("acme")
	created(w, w.Regions, fleet.Region{Name: "west", Groups: w.region.Groups})
	if err := w.Regions.Archive(ctx, w.region.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReportUsage(ctx, "2026-10"); err != nil {
		t.Fatal(err)
	}
	got, err := w.Counts(w.person("root", identity.Viewer, ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []service.Count{
		{Kind: "device", State: "ACTIVE", N: 1}, {Kind: "region", State: "ACTIVE", N: 1}, {Kind: "region", State: "ARCHIVED", N: 1},
		{Kind: "campaign", State: "CONFIGURED", N: 1}, {Kind: "subscriber", State: "ACTIVE", N: 2}, {Kind: "user", State: "ACTIVE", N: 1}, {Kind: "job", State: "queued", N: 1},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%+v is not among %+v", want, got)
		}
	}
	_, err = w.Counts(w.person("anna", identity.Administrator, "acme"))
	wantError(t, err, service.ErrForbidden)
	_, err = w.Counts(context.Background())
	wantError(t, err, service.ErrUnauthenticated)
}
