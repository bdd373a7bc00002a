package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	machine "github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// Problem is an error as clients see it (RFC 9457).
type Problem struct {
	Type      string         `json:"type" doc:"Identifies the kind of problem: urn:starling:problem: and the code"`
	Title     string         `json:"title" doc:"The kind of problem, for people"`
	Status    int            `json:"status" minimum:"400" maximum:"599" doc:"HTTP status code"`
	Code      string         `json:"code" doc:"Stable code of the problem" example:"in_use"`
	Detail    string         `json:"detail,omitempty" doc:"What happened this time, and what to do"`
	RequestID string         `json:"request_id,omitempty" doc:"Names the request in the server's log"`
	Errors    []ProblemField `json:"errors,omitempty" doc:"Everything that is wrong with what was sent"`

	retryAfter time.Duration // 0: no need to wait
}

// ProblemField is one thing that is wrong with a request.
type ProblemField struct {
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer into the body" example:"/devices/3"`
	Parameter string `json:"parameter,omitempty" doc:"Parameter, when it is not the body" example:"query.limit"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty" doc:"What to do"`
}

// Error returns the title and detail.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetHeaders returns the headers that belong to the problem; huma asks for them.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Code == codeUnauthenticated {
		h.Set("Www-Authenticate", "Bearer")
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", fmt.Sprint(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	return h
}

// GetStatus returns the HTTP status; huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problem documents; huma asks for it.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// The closed set of codes. Clients test these; titles may change.
const (
	codeMalformed       = "malformed"
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
	codeNotFound        = "not_found"
	codeNoRoute         = "no_route"
	codeMethod          = "method_not_allowed"
	codeTimeout         = "timeout"
	codeConflict        = "conflict"
	codeInUse           = "in_use"
	codeWrongState      = "wrong_state"
	codeRefused         = "refused"
	codeQuota           = "quota"
	codePending         = "idempotency_pending"
	codeNotKept         = "idempotency_not_kept"
	codeStale           = "stale"
	codeTooLarge        = "too_large"
	codeMediaType       = "unsupported_media_type"
	codeInvalid         = "invalid"
	codeDigest          = "digest_mismatch"
	codeBlocked         = "blocked"
	codeApproval        = "needs_approval"
	codeMismatch        = "idempotency_mismatch"
	codePrecondition    = "precondition_required"
	codeRateLimited     = "rate_limited"
	codeInternal        = "internal"
	codeUnavailable     = "unavailable"

	problemURNPrefix = "urn:starling:problem:"
)

// kinds gives every code its status and title.
var kinds = map[string]struct {
	status int
	title  string
}{
	codeMalformed:       {http.StatusBadRequest, "The request cannot be read"},
	codeUnauthenticated: {http.StatusUnauthorized, "The server does not know who asks"},
	codeForbidden:       {http.StatusForbidden, "Who asks may not do this"},
	codeNotFound:        {http.StatusNotFound, "There is no such object"},
	codeNoRoute:         {http.StatusNotFound, "There is nothing at this address"},
	codeMethod:          {http.StatusMethodNotAllowed, "This address does not do that"},
	codeTimeout:         {http.StatusRequestTimeout, "The request took too long to arrive"},
	codeConflict:        {http.StatusConflict, "Something like this exists already"},
	codeInUse:           {http.StatusConflict, "A running campaign uses this"},
	codeWrongState:      {http.StatusConflict, "This is not possible now"},
	codeApproval:        {http.StatusConflict, "The campaign needs the approval of a second person"},
	codeRefused:         {http.StatusConflict, "The campaign can do nothing of this now"},
	codeQuota:           {http.StatusConflict, "The quota of the subscriber is used up"},
	codePending:         {http.StatusConflict, "A request with this key has no answer yet"},
	codeNotKept:         {http.StatusConflict, "The request was done, its answer was too large to be kept"},
	codeStale:           {http.StatusPreconditionFailed, "Somebody changed this meanwhile"},
	codeTooLarge:        {http.StatusRequestEntityTooLarge, "The content is too large"},
	codeMediaType:       {http.StatusUnsupportedMediaType, "The content has the wrong type"},
	codeInvalid:         {http.StatusUnprocessableEntity, "Something that was sent is not valid"},
	codeDigest:          {http.StatusUnprocessableEntity, "The content arrived damaged"},
	codeBlocked:         {http.StatusUnprocessableEntity, "The campaign cannot start as it is"},
	codeMismatch:        {http.StatusUnprocessableEntity, "This key came with another request before"},
	codePrecondition:    {http.StatusPreconditionRequired, "Say which state is to be changed"},
	codeRateLimited:     {http.StatusTooManyRequests, "This was tried too often"},
	codeInternal:        {http.StatusInternalServerError, "The server made a mistake"},
	codeUnavailable:     {http.StatusServiceUnavailable, "The server cannot answer now"},
}

func newProblem(code, detail string) *Problem {
	k := kinds[code]
	return &Problem{Type: problemURNPrefix + code, Title: k.title, Status: k.status, Code: code, Detail: detail}
}

// badParameter is the problem of one parameter.
func badParameter(name, message, hint string) *Problem {
	p := newProblem(codeInvalid, "")
	p.Errors = []ProblemField{{Parameter: name, Message: message, Hint: hint}}
	return p
}

// problem translates an error of a use case. What it does not know is logged and
// shown as "internal": its text may hold anything.
func problem(ctx context.Context, log *slog.Logger, err error) *Problem {
	p := translate(err)
	p.RequestID = requestID(ctx)
	if p.Code == codeInternal {
		log.ErrorContext(ctx, "request failed", "request_id", p.RequestID, "error", err)
		p.Detail = "The cause is in the server's log under this request_id."
	}
	return p
}

func translate(err error) *Problem {
	var told *Problem
	var wait *service.RetryError
	var refused *machine.RefusedError
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, service.ErrUnauthenticated):
		return newProblem(codeUnauthenticated, "Send a token that is valid: Authorization: Bearer TOKEN.")
	case errors.Is(err, service.ErrForbidden):
		return newProblem(codeForbidden, sentence(err))
	case errors.As(err, &refused):
		return newProblem(codeRefused, sentence(err))
	case errors.As(err, &wait):
		p := newProblem(codeRateLimited, "Wait before you try again.")
		p.retryAfter = wait.After
		return p
	case errors.Is(err, store.ErrNotFound):
		return newProblem(codeNotFound, err.Error())
	case errors.Is(err, store.ErrStale):
		return newProblem(codeStale, err.Error())
	case errors.Is(err, service.ErrInUse):
		return newProblem(codeInUse, err.Error())
	case errors.Is(err, service.ErrBlocked):
		return newProblem(codeBlocked, err.Error())
	case errors.Is(err, service.ErrApproval):
		return newProblem(codeApproval, sentence(err))
	case errors.Is(err, service.ErrQuota):
		return newProblem(codeQuota, sentence(err))
	case errors.Is(err, service.ErrState):
		return newProblem(codeWrongState, err.Error())
	case errors.Is(err, service.ErrAway):
		return newProblem(codeUnavailable, err.Error())
	case errors.Is(err, store.ErrConflict):
		return newProblem(codeConflict, err.Error())
	case errors.Is(err, service.ErrTooLarge):
		return newProblem(codeTooLarge, err.Error())
	case errors.Is(err, service.ErrDigest):
		return newProblem(codeDigest, err.Error())
	case errors.Is(err, store.ErrQuery), errors.Is(err, bulk.ErrFile):
		return newProblem(codeInvalid, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return newProblem(codeUnavailable, "The request was given up before it was done. Try again.")
	}
	fields := fleet.FieldErrors(err)
	if len(fields) == 0 {
		return newProblem(codeInternal, "")
	}
	p := newProblem(codeInvalid, "")
	for _, f := range fields {
		p.Errors = append(p.Errors, ProblemField{Pointer: pointer(f.Field), Message: f.Problem, Hint: f.Hint})
	}
	return p
}

// useProblems makes huma answer with Problems of its own accord too: for bodies that
// cannot be read, fields of the wrong type, unknown fields. huma keeps these hooks in
// variables of its package, so they are set once for the process.
var useProblems = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := huma.NewError(status, msg, errs...).(*Problem)
		p.RequestID = requestID(ctx.Context())
		return p
	}
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		p := newProblem(codeOf(status), "")
		if p.Code == codeInternal {
			return p // whatever the errors say stays here
		}
		for _, err := range errs {
			var d huma.ErrorDetailer
			if !errors.As(err, &d) {
				continue
			}
			// d.Value is what the client sent and stays out, and so does the text of a
			// decoding error, which can repeat it.
			detail := d.ErrorDetail()
			if p.Code == codeMalformed || strings.HasPrefix(detail.Message, "json:") {
				detail.Message = "cannot be read"
			}
			p.Errors = append(p.Errors, fieldAt(detail.Location, detail.Message))
		}
		return p
	}
})

// codeOf returns the code for a status that huma chose.
func codeOf(status int) string {
	for _, code := range []string{codeMalformed, codeNotFound, codeMethod, codeTimeout, codeConflict,
		codeTooLarge, codeMediaType, codeInvalid, codeUnavailable} {
		if kinds[code].status == status {
			return code
		}
	}
	return codeInternal
}

// fieldAt names a place in a request as huma does: "body.devices[3]", "query.limit".
func fieldAt(location, message string) ProblemField {
	if rest, ok := strings.CutPrefix(location, "body"); ok {
		return ProblemField{Pointer: pointer(strings.TrimPrefix(rest, ".")), Message: message}
	}
	return ProblemField{Parameter: location, Message: message}
}

var index = regexp.MustCompile(`\[(\d+)\]`)

// pointer turns "policy.steps[3].name" into the JSON pointer "/policy/steps/3/name".
func pointer(field string) string {
	if field == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(strings.TrimPrefix(index.ReplaceAllString(field, ".$1"), "."), ".", "/")
}

// sentence returns the text of an error as a sentence.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // nobody is left to tell
}
