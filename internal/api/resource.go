package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// register adds an operation that needs a permission. Its errors become problem documents.
func register[I, O any](a *api, need identity.Permission, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Path = Prefix + op.Path
	a.admit(need, &op)
	operate(a, op, handle)
}

// registerForAnybody adds an operation by which somebody becomes known.
func registerForAnybody[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Path = Prefix + op.Path
	op.MaxBodyBytes = maxStranger
	a.admitAnybody(&op)
	operate(a, op, handle)
}

func operate[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Errors = append(op.Errors, http.StatusInternalServerError) // complete adds the others
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = readTimeout
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problem(ctx, a.Log, err)
		}
		return out, nil
	})
}

// useCases are those of one kind of object; *service.Resource has them.
type useCases[T any, K comparable] interface {
	Create(context.Context, T) (T, error)
	Find(context.Context, K) (T, error)
	List(context.Context, store.Query) (store.Page[T], error)
	Count(context.Context, store.Query) (int, error)
	Update(ctx context.Context, key K, revision int64, change func(*T) error) (T, error)
	Archive(ctx context.Context, key K, revision int64) error
}

// resource is how one kind of object T with identifier K appears as D.
type resource[T interface{ Validate() error }, K comparable, D any] struct {
	name, plural string     // in paths and operations: "device-set", "device-sets"
	kind         store.Kind // says what lists can be asked for
	read, write  identity.Permission
	guarded      bool // changes need If-Match
	use          useCases[T, K]
	parse        func(string) (K, error)
	key          func(T) K
	keyField     string // that holds the identifier
	revision     func(T) int64
	show         func(T) D
	brief        func(*D)                                // leaves out of lists what is long; nil: nothing
	apply        func(*D, *T) error                      // sets what the client gave
	create       func(context.Context, *D, T) (T, error) // nil: use.Create
}

// listing is the list of these objects.
func (r resource[T, K, D]) listing() listing[T, D] {
	return listing[T, D]{plural: r.plural, kind: r.kind, read: r.read, list: r.use.List, count: r.use.Count, show: func(obj T) D {
		d := r.show(obj)
		if r.brief != nil {
			r.brief(&d)
		}
		return d
	}}
}

// words is a name as people read it.
func words(name string) string { return strings.ReplaceAll(name, "-", " ") }

type createInput[D any] struct{ Body D }

// KeyInput names one object.
type KeyInput struct {
	ID string `path:"id" minLength:"1" maxLength:"64" pattern:"^[0-9A-Za-z_-]+$" doc:"Identifier"`
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

type shownOutput[D any] struct {
	Status int
	ETag   string `header:"ETag" doc:"Revision of the object"`
	Body   *D
}

// add registers the operations that every kind of object has.
func add[T interface{ Validate() error }, K comparable, D any](a *api, r resource[T, K, D]) {
	path, one := "/"+r.plural, "/"+r.plural+"/{id}"
	tags := []string{r.plural}
	output := func(obj T) *objectOutput[D] {
		return &objectOutput[D]{ETag: etag(r.revision(obj)), Body: r.show(obj)}
	}
	parse := func(id string) (K, error) {
		key, err := r.parse(id)
		if err != nil {
			// What cannot be an identifier identifies nothing.
			err = fmt.Errorf("%s: %w", words(r.name), store.ErrNotFound)
		}
		return key, err
	}
	addList(a, r.listing())

	create := r.create
	if create == nil {
		create = func(ctx context.Context, _ *D, obj T) (T, error) { return r.use.Create(ctx, obj) }
	}
	register(a, r.write, huma.Operation{OperationID: "create-" + r.name, Method: http.MethodPost, Path: path, Tags: tags,
		Summary: "Create a " + words(r.name), DefaultStatus: http.StatusCreated},
		func(ctx context.Context, in *createInput[D]) (*objectOutput[D], error) {
			var obj T
			applied := r.apply(&in.Body, &obj)
			if applied != nil {
				// Text that cannot be read and rules that do not hold are told together.
				return nil, joinOnce(applied, obj.Validate())
			}
			obj, err := create(ctx, &in.Body, obj)
			if err != nil {
				return nil, err
			}
			out := output(obj)
			out.Location = fmt.Sprintf("%s%s/%v", Prefix, path, r.key(obj))
			return out, nil
		})

	register(a, r.read, huma.Operation{OperationID: "show-" + r.name, Method: http.MethodGet, Path: one, Tags: tags,
		Summary: "Show a " + words(r.name), Responses: notModified()},
		func(ctx context.Context, in *ShownInput) (*shownOutput[D], error) {
			key, err := parse(in.ID)
			if err != nil {
				return nil, err
			}
			obj, err := r.use.Find(ctx, key)
			if err != nil {
				return nil, err
			}
			out := &shownOutput[D]{Status: http.StatusOK, ETag: etag(r.revision(obj))}
			if known(in.IfNoneMatch, out.ETag) {
				out.Status = http.StatusNotModified
				return out, nil
			}
			out.Body = new(r.show(obj))
			return out, nil
		})

	required := func() map[string]*huma.Response { return nil }
	if r.guarded {
		required = preconditionRequired
	}
	register(a, r.write, huma.Operation{OperationID: "update-" + r.name, Method: http.MethodPatch, Path: one, Tags: tags,
		Summary: "Change a " + words(r.name), Description: "Absent fields keep their value. `archived: false` brings an archived object back.",
		Responses: required()},
		func(ctx context.Context, in *updateInput[D]) (*objectOutput[D], error) {
			key, err := parse(in.ID)
			if err != nil {
				return nil, err
			}
			revision, err := in.revision(r.guarded)
			if err != nil {
				return nil, err
			}
			obj, err := r.use.Update(ctx, key, revision, func(obj *T) error {
				if err := r.apply(&in.Body, obj); err != nil {
					return err
				}
				if r.key(*obj) != key {
					return &fleet.FieldError{Field: r.keyField, Problem: "cannot be changed", Hint: "create another one and archive this"}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			return output(obj), nil
		})

	register(a, r.write, huma.Operation{OperationID: "archive-" + r.name, Method: http.MethodDelete, Path: one, Tags: tags,
		Summary:     "Archive a " + words(r.name),
		Description: "It leaves the lists and stays readable.", DefaultStatus: http.StatusNoContent, Responses: required()},
		func(ctx context.Context, in *ChangeInput) (*struct{}, error) {
			key, err := parse(in.ID)
			if err != nil {
				return nil, err
			}
			revision, err := in.revision(r.guarded)
			if err != nil {
				return nil, err
			}
			return nil, r.use.Archive(ctx, key, revision)
		})
}

// Bounds of bodies, in bytes. Decoded, one takes many times as much memory.
const (
	maxBody     = 4 << 20  // holds a device set of a hundred thousand devices
	maxStranger = 16 << 10 // holds a login and a password, however they are escaped: nobody is known yet who could be stopped
)

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
