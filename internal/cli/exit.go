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

// ErrUnsuccessful means that a campaign that was waited for ended as FAILED or STOPPED.
var ErrUnsuccessful = errors.New("the campaign ended without success")

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
	case http.StatusConflict, http.StatusPreconditionFailed:
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
