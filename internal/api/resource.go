package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// register adds an operation whose errors become problem documents. Beside those that it names,
// parameters and bodies can be wrong (422), bodies unreadable (400), and the server (500).
func register[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Path = Prefix + op.Path
	op.Errors = append(op.Errors, http.StatusUnprocessableEntity, http.StatusInternalServerError)
	if op.Method == http.MethodPost || op.Method == http.MethodPatch {
		op.Errors = append(op.Errors, http.StatusBadRequest)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problem(ctx, a.Log, err)
		}
		return out, nil
	})
}

// resource is how one kind of object T with identifier K appears as D.
type resource[T interface{ Validate() error }, K comparable, D any] struct {
	name, plural string // in paths and operations: "device-set", "device-sets"
	filters      string // for people
	use          *service.Resource[T, K]
	parse        func(string) (K, error)
	key          func(T) K
	revision     func(T) int64
	show         func(T) D
	brief        func(*D)           // leaves out of lists what is long; nil: nothing
	apply        func(*D, *T) error // sets what the client gave
}

type listInput struct {
	Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Objects per page"`
	Cursor   string   `query:"cursor" doc:"next_cursor of the page before"`
	Q        string   `query:"q" maxLength:"200" doc:"Part of the name, tag or identifier, in any case"`
	Archived bool     `query:"archived" doc:"Archived objects too"`
	Filter   []string `query:"filter,explode" doc:"field:value; all must hold"`
	Count    string   `query:"count" enum:"none,exact" default:"none" doc:"Whether to count all pages"`
}

func (in *listInput) query() (store.Query, error) {
	q := store.Query{After: in.Cursor, Limit: in.Limit, Archived: in.Archived, Text: in.Q}
	for _, f := range in.Filter {
		field, value, ok := strings.Cut(f, ":")
		if !ok {
			return q, badParameter("query.filter", "has no colon", "write field:value, such as tag:canary")
		}
		if q.Where == nil {
			q.Where = map[store.Field]string{}
		}
		q.Where[store.Field(field)] = value
	}
	return q, nil
}

type list[D any] struct {
	Items      []D    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Ask for the next page with it; absent on the last"`
	Total      *int   `json:"total,omitempty" doc:"Objects in all pages, with count=exact"`
}

type listOutput[D any] struct{ Body list[D] }

type createInput[D any] struct{ Body D }

// KeyInput names one object.
type KeyInput struct {
	ID string `path:"id" maxLength:"64"`
}

// ChangeInput names one object, as it was when the client saw it.
type ChangeInput struct {
	KeyInput
	IfMatch string `header:"If-Match" doc:"ETag that the object must still have"`
}

type updateInput[D any] struct {
	ChangeInput
	Body D
}

type objectOutput[D any] struct {
	ETag     string `header:"ETag" doc:"Revision of the object"`
	Location string `header:"Location" doc:"Address of a new object"`
	Body     D
}

// revision returns the revision that If-Match asks for.
func (in *ChangeInput) revision() (int64, error) {
	if in.IfMatch == "" || in.IfMatch == "*" {
		return service.AnyRevision, nil
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(in.IfMatch, "W/"), `"`), 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("If-Match is no ETag of this server: %w", store.ErrStale)
	}
	return n, nil
}

// add registers the operations that every kind of object has.
func add[T interface{ Validate() error }, K comparable, D any](a *api, r resource[T, K, D]) {
	path, one := "/"+r.plural, "/"+r.plural+"/{id}"
	tags := []string{r.plural}
	output := func(obj T) *objectOutput[D] {
		return &objectOutput[D]{ETag: fmt.Sprintf("%q", fmt.Sprint(r.revision(obj))), Body: r.show(obj)}
	}
	parse := func(id string) (K, error) {
		key, err := r.parse(id)
		if err != nil {
			// What cannot be an identifier identifies nothing.
			err = fmt.Errorf("%s: %w", strings.ReplaceAll(r.name, "-", " "), store.ErrNotFound)
		}
		return key, err
	}

	register(a, huma.Operation{OperationID: "list-" + r.plural, Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "List " + strings.ReplaceAll(r.plural, "-", " "), Description: "Filters: " + r.filters + "."},
		func(ctx context.Context, in *listInput) (*listOutput[D], error) {
			q, err := in.query()
			if err != nil {
				return nil, err
			}
			page, err := r.use.List(ctx, q)
			if err != nil {
				return nil, err
			}
			out := &listOutput[D]{Body: list[D]{Items: make([]D, len(page.Items)), NextCursor: page.Next}}
			for i, obj := range page.Items {
				out.Body.Items[i] = r.show(obj)
				if r.brief != nil {
					r.brief(&out.Body.Items[i])
				}
			}
			if in.Count == "exact" {
				n, err := r.use.Count(ctx, q)
				if err != nil {
					return nil, err
				}
				out.Body.Total = &n
			}
			return out, nil
		})

	register(a, huma.Operation{OperationID: "create-" + r.name, Method: http.MethodPost, Path: path, Tags: tags,
		Summary: "Create a " + strings.ReplaceAll(r.name, "-", " "), DefaultStatus: http.StatusCreated,
		MaxBodyBytes: maxBody, BodyReadTimeout: readTimeout, Errors: []int{http.StatusConflict}},
		func(ctx context.Context, in *createInput[D]) (*objectOutput[D], error) {
			var obj T
			applied := r.apply(&in.Body, &obj)
			if applied != nil {
				// Text that cannot be read and rules that do not hold are told together.
				return nil, joinOnce(applied, obj.Validate())
			}
			obj, err := r.use.Create(ctx, obj)
			if err != nil {
				return nil, err
			}
			out := output(obj)
			out.Location = fmt.Sprintf("%s%s/%v", Prefix, path, r.key(obj))
			return out, nil
		})

	register(a, huma.Operation{OperationID: "show-" + r.name, Method: http.MethodGet, Path: one, Tags: tags,
		Summary: "Show a " + strings.ReplaceAll(r.name, "-", " "), Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *KeyInput) (*objectOutput[D], error) {
			key, err := parse(in.ID)
			if err != nil {
				return nil, err
			}
			obj, err := r.use.Find(ctx, key)
			if err != nil {
				return nil, err
			}
			return output(obj), nil
		})

	register(a, huma.Operation{OperationID: "update-" + r.name, Method: http.MethodPatch, Path: one, Tags: tags,
		Summary: "Change a " + strings.ReplaceAll(r.name, "-", " "), Description: "Absent fields keep their value. `archived: false` brings an archived object back.",
		MaxBodyBytes: maxBody, BodyReadTimeout: readTimeout,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}},
		func(ctx context.Context, in *updateInput[D]) (*objectOutput[D], error) {
			key, err := parse(in.ID)
			if err != nil {
				return nil, err
			}
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			obj, err := r.use.Update(ctx, key, revision, func(obj *T) error {
				if err := r.apply(&in.Body, obj); err != nil {
					return err
				}
				if r.key(*obj) != key {
					return &fleet.FieldError{Field: "dev_eui", Problem: "cannot be changed", Hint: "create another one and archive this"}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			return output(obj), nil
		})

	register(a, huma.Operation{OperationID: "archive-" + r.name, Method: http.MethodDelete, Path: one, Tags: tags,
		Summary:     "Archive a " + strings.ReplaceAll(r.name, "-", " "),
		Description: "It leaves the lists and stays readable.", DefaultStatus: http.StatusNoContent,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}},
		func(ctx context.Context, in *ChangeInput) (*struct{}, error) {
			key, err := parse(in.ID)
			if err != nil {
				return nil, err
			}
			revision, err := in.revision()
			if err == nil && revision != service.AnyRevision {
				var obj T
				if obj, err = r.use.Find(ctx, key); err == nil && r.revision(obj) != revision {
					err = store.ErrStale
				}
			}
			if err == nil {
				err = r.use.Archive(ctx, key)
			}
			return nil, err
		})
}

// maxBody holds a device set of a hundred thousand devices.
const maxBody = 4 << 20

// joinOnce joins the FieldErrors of both, once per field.
func joinOnce(a, b error) error {
	seen := map[string]bool{}
	var all []error
	for _, f := range append(fleet.FieldErrors(a), fleet.FieldErrors(b)...) {
		if !seen[f.Field] {
			seen[f.Field] = true
			all = append(all, f)
		}
	}
	return errors.Join(all...)
}
