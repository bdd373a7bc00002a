package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// etag returns the entity tag of a revision. It is strong: a revision has one form only.
func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// ShownInput names one object that the client may know already.
type ShownInput struct {
	KeyInput
	IfNoneMatch string `header:"If-None-Match" doc:"ETags that the client has; 304 if the object still has one of them"`
}

// ChangeInput names one object, as it was when the client saw it.
type ChangeInput struct {
	KeyInput
	IfMatch string `header:"If-Match" doc:"ETag that the object must still have"`
}

// revision returns the revision that If-Match asks for. guarded objects are not changed without
// one: * would be a way around.
func (in *ChangeInput) revision(guarded bool) (int64, error) {
	switch {
	case in.IfMatch == "" && guarded, in.IfMatch == "*" && guarded:
		return 0, newProblem(codePrecondition, "Send the ETag of the object as you saw it: If-Match. Then nobody's change gets lost.")
	case in.IfMatch == "", in.IfMatch == "*":
		return service.AnyRevision, nil
	}
	n, err := strconv.ParseInt(strings.Trim(in.IfMatch, `"`), 10, 64)
	if err != nil || n <= 0 || in.IfMatch != etag(n) {
		return 0, fmt.Errorf("If-Match is no ETag of this server: %w", store.ErrStale)
	}
	return n, nil
}

// known reports whether a list of entity tags holds one, by the weak comparison of RFC 9110.
func known(list, tag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}

// notModified says in the document that an operation can answer 304.
func notModified() map[string]*huma.Response {
	return map[string]*huma.Response{"304": {Description: "The client has the object as it is"}}
}

// preconditionRequired says in the document that an operation can answer 428; complete says how.
func preconditionRequired() map[string]*huma.Response {
	return map[string]*huma.Response{"428": {}}
}
