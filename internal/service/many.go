package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// BulkChange is one change to many objects of a kind.
type BulkChange struct {
	Kind     string                 `json:"kind"`   // the collection, such as "devices"
	Action   string                 `json:"action"` // archive, restore or update
	IDs      []string               `json:"ids,omitempty"`
	Text     string                 `json:"text,omitempty"` // with Where, instead of IDs
	Where    map[store.Field]string `json:"where,omitempty"`
	Archived bool                   `json:"archived,omitempty"` // archived objects too
	Patch    json.RawMessage        `json:"patch,omitempty"`    // for update: JSON merge patch of each object
}

// maxIDs bounds the list of a BulkChange; a filter has no bound.
const maxIDs = 10_000

// maxBulkErrors bounds what is kept of objects that could not be changed.
const maxBulkErrors = 100

// BulkResult is what became of a BulkChange.
type BulkResult struct {
	Matched   int         `json:"matched"`
	Changed   int         `json:"changed"`
	Unchanged int         `json:"unchanged"`
	Failed    int         `json:"failed"`
	Errors    []BulkError `json:"errors,omitempty"` // the first hundred
}

// BulkError says why one object could not be changed.
type BulkError struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// changeable is a kind of object of which many can be changed at once.
type changeable interface {
	// ids returns the identifiers of a page of the objects that a change is about.
	ids(ctx context.Context, q store.Query) ([]string, string, error)
	// apply changes one object.
	apply(ctx context.Context, id string, ch BulkChange) (changed bool, err error)
	// count returns how many there are.
	count(ctx context.Context, q store.Query) (int, error)
}

// Patch reads a JSON merge patch into an object: the API knows the form, the service does not.
type Patch[T any] func(patch json.RawMessage, obj *T) error

// many is changeable over a Resource.
type many[T interface{ Validate() error }, K comparable] struct {
	*Resource[T, K]
	parse func(string) (K, error)
	patch Patch[T]
}

// Bulk lets the objects of a collection be changed by ChangeMany.
func Bulk[T interface{ Validate() error }, K comparable](s *Service, collection string, r *Resource[T, K], parse func(string) (K, error), patch Patch[T]) {
	s.bulk[collection] = many[T, K]{r, parse, patch}
}

func (m many[T, K]) ids(ctx context.Context, q store.Query) ([]string, string, error) {
	page, err := m.List(ctx, q)
	ids := make([]string, len(page.Items))
	for i := range page.Items {
		ids[i] = m.rules.id(&page.Items[i])
	}
	return ids, page.Next, err
}

func (m many[T, K]) count(ctx context.Context, q store.Query) (int, error) { return m.Count(ctx, q) }

func (m many[T, K]) apply(ctx context.Context, id string, ch BulkChange) (changed bool, err error) {
	key, err := m.parse(id)
	if err != nil {
		return false, fmt.Errorf("%s: %w", id, store.ErrNotFound)
	}
	before := int64(0)
	obj, err := m.Update(ctx, key, AnyRevision, func(obj *T) error {
		before, id = *m.rules.meta(obj).revision, m.rules.id(obj) // as it is written here, not as it was asked for
		switch ch.Action {
		case "archive":
			*m.rules.meta(obj).archived = true
		case "restore":
			*m.rules.meta(obj).archived = false
		default:
			if err := m.patch(ch.Patch, obj); err != nil {
				return err
			}
			if m.rules.id(obj) != id {
				return invalid("patch", "changes the identifier", "leave it out")
			}
		}
		return nil
	})
	return err == nil && *m.rules.meta(&obj).revision != before, err
}

// ChangeMany starts a job that changes many objects, one transaction each: those that cannot
// be changed are counted, and keep no other from it.
func (s *Service) ChangeMany(ctx context.Context, ch BulkChange) (job store.Job, err error) {
	objects, ok := s.bulk[ch.Kind]
	if !ok {
		return job, fmt.Errorf("%s: %w", ch.Kind, store.ErrNotFound)
	}
	switch {
	case ch.Action != "archive" && ch.Action != "restore" && ch.Action != "update":
		return job, invalid("action", "is unknown", "use archive, restore or update")
	case (len(ch.IDs) > 0) == (len(ch.Where) > 0 || ch.Text != ""):
		return job, invalid("ids", "and a filter are both given, or neither is", "say which objects, in one of the two ways")
	case len(ch.IDs) > maxIDs:
		return job, invalid("ids", fmt.Sprintf("are more than %d", maxIDs), "use a filter")
	case (ch.Action == "update") != (len(ch.Patch) > 0):
		return job, invalid("patch", "does not go with the action", "an update has one, nothing else does")
	}
	if len(ch.IDs) == 0 {
		// Asked now, so that a wrong filter is told to who wrote it.
		if _, err := objects.count(ctx, ch.query()); err != nil {
			return job, err
		}
	}
	err = s.change(ctx, identity.WriteFleet, func(c *changes) error {
		job, err = s.enqueue(ctx, c, jobChangeMany, ch)
		return err
	})
	s.wake()
	return job, err
}

func (ch BulkChange) query() store.Query {
	return store.Query{Limit: store.MaxLimit, Text: ch.Text, Where: ch.Where, Archived: ch.Archived || ch.Action == "restore"}
}

// changeMany does what ChangeMany started. Begun again, it finds what it has done unchanged.
func changeMany(ctx context.Context, s *Service, j *task) (any, error) {
	var ch BulkChange
	if err := json.Unmarshal(j.Args, &ch); err != nil {
		return nil, err
	}
	objects, ok := s.bulk[ch.Kind]
	if !ok {
		return nil, fmt.Errorf("%s: %w", ch.Kind, store.ErrNotFound)
	}
	var out BulkResult
	total := len(ch.IDs)
	if total == 0 {
		var err error
		if total, err = objects.count(ctx, ch.query()); err != nil {
			return nil, err
		}
	}
	each := func(ids []string) error {
		for _, id := range ids {
			out.Matched++
			changed, err := objects.apply(ctx, id, ch)
			switch {
			case err != nil && !isFinal(err) && !errors.Is(err, ErrQuota):
				return err
			case err != nil:
				out.Failed++
				if len(out.Errors) < maxBulkErrors {
					out.Errors = append(out.Errors, BulkError{id, err.Error()})
				}
			case changed:
				out.Changed++
			default:
				out.Unchanged++
			}
		}
		return j.report(out.Matched, max(total, out.Matched))
	}
	if len(ch.IDs) > 0 {
		for from := 0; from < len(ch.IDs); from += 500 {
			if err := each(ch.IDs[from:min(from+500, len(ch.IDs))]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	// Pages are in the order of identifiers: objects that leave the filter leave no gap.
	for q := ch.query(); ; {
		ids, next, err := objects.ids(ctx, q)
		if err != nil {
			return nil, err
		}
		if err := each(ids); err != nil {
			return nil, err
		}
		if q.After = next; q.After == "" {
			return out, nil
		}
	}
}
