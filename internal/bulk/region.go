package bulk

import (
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// regionColumns are those of a region, which the reference server has no table of.
var regionColumns = []column[fleet.Region]{
	informing("id", func(r *fleet.Region) string { return r.ID }),
	boundedName(func(r *fleet.Region) *string { return &r.Name }, "").called("region", "regionname"),
	textField("description", "", func(r *fleet.Region) *string { return &r.Description }).called("comment"),
	optional(euiList("groups", "", func(r *fleet.Region) *[]lorawan.EUI64 { return &r.Groups }).called("multicastgroups", "members", "deveuis")),
}

// optional makes a list that a new object need not have: regions are filled later.
func optional[R any](c column[R]) column[R] { c.required = false; return c }
