package cli

import (
	"context"
	"errors"
	"net/http"
)

// Exit codes; the package comment says what they mean.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitConflict    = 4
	ExitInvalid     = 5
	ExitForbidden   = 6
	ExitTimeout     = 7
	ExitUnsuccess   = 8
	ExitInterrupted = 130
)

// ErrUsage means that a command was used wrongly; the text says what to do.
var ErrUsage = errors.New("usage")

// ErrInvalid means that something was given that cannot be worked with; the text says what to do.
var ErrInvalid = errors.New("invalid")

// ErrNotFound means that there is no such thing, here and not at the server.
var ErrNotFound = errors.New("not found")

// ErrConflict means that something is in the way; the text says what.
var ErrConflict = errors.New("conflict")

// ErrUnsuccessful means that a campaign or job that was waited for ended without success.
var ErrUnsuccessful = errors.New("it ended without success")

// exitCode returns the exit code for what a command returned.
func exitCode(ctx context.Context, err error) int {
	var p *Problem
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.Is(err, ErrInvalid):
		return ExitInvalid
	case errors.Is(err, ErrNotFound):
		return ExitNotFound
	case errors.Is(err, ErrConflict):
		return ExitConflict
	case errors.Is(err, ErrUnsuccessful):
		return ExitUnsuccess
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	case ctx.Err() != nil:
		return ExitInterrupted
	case !errors.As(err, &p):
		return ExitFailed
	}
	switch p.Status {
	case http.StatusNotFound:
		return ExitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return ExitConflict
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return ExitInvalid
	case http.StatusUnauthorized, http.StatusForbidden:
		return ExitForbidden
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return ExitTimeout
	}
	return ExitFailed
}
