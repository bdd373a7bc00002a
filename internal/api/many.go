package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/service"
)

type manyInput[D any] struct{ Body many[D] }

// many is one order for many objects.
type many[D any] struct {
	Action   string   `json:"action" enum:"archive,restore,update"`
	IDs      []string `json:"ids,omitempty" maxItems:"10000" pattern:"^[0-9A-Za-z_-]{1,64}$" patternDescription:"an identifier" doc:"Which objects, or else:"`
	Filter   []string `json:"filter,omitempty" maxItems:"20" doc:"field:value, as in the list of these objects; all must hold"`
	Archived bool     `json:"archived,omitempty" doc:"Archived objects too; with restore always"`
	Patch    *D       `json:"patch,omitempty" doc:"For update: what all of them get. Keys are changed one by one only"`
}

// addMany registers one order for many objects, and tells the service how to read a patch.
func addMany[T interface{ Validate() error }, K comparable, D any](a *api, r resource[T, K, D], use *service.Resource[T, K]) {
	service.Bulk(a.Service, r.plural, use, r.parse, func(patch json.RawMessage, obj *T) error {
		var in D
		if err := json.Unmarshal(patch, &in); err != nil {
			return err
		}
		return r.apply(&in, obj)
	})
	register(a, r.write, huma.Operation{OperationID: "change-many-" + r.plural, Method: http.MethodPost, Path: "/" + r.plural + "/bulk", Tags: []string{r.plural},
		Summary:     "Archive, restore or change many " + words(r.plural),
		Description: "This is a job: objects that cannot be changed are counted in its result, and keep no other from it.", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *manyInput[D]) (*jobOutput, error) {
			ch := service.BulkChange{Kind: r.plural, Action: in.Body.Action, IDs: in.Body.IDs, Archived: in.Body.Archived}
			where, err := readFilter(r.kind, in.Body.Filter)
			if err != nil {
				return nil, err
			}
			if len(where) > 0 {
				ch.Where = where
			}
			if in.Body.Patch != nil {
				if ch.Patch, err = a.patch(in.Body.Patch); err != nil {
					return nil, err
				}
			}
			j, err := a.Service.ChangeMany(ctx, ch)
			if err != nil {
				return nil, err
			}
			return jobAnswer(j), nil
		})
}

// patch returns a patch as the job keeps it. A job is no place for keys: it is kept as it is, for
// everybody who sees jobs.
func (a *api) patch(in any) (json.RawMessage, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, err
	}
	schemas := a.huma.OpenAPI().Components.Schemas
	properties := schemas.Schema(reflect.TypeOf(in), false, "").Properties
	for name := range given {
		if p := properties[name]; p != nil && p.WriteOnly {
			return nil, &fleet.FieldError{Field: "patch." + name, Problem: "is a key, and is not changed for many at once", Hint: "change the objects one by one, or import a table"}
		}
	}
	if len(given) == 0 {
		return nil, &fleet.FieldError{Field: "patch", Problem: "is empty", Hint: "name what is to be changed"}
	}
	return raw, nil
}
