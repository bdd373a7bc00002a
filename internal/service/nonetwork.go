package service

import (
	"context"
	"fmt"
)

// NoNetwork is the Runner of a server that no network server is connected to: it
// keeps objects and runs nothing.
type NoNetwork struct{}

// Start returns ErrState.
func (NoNetwork) Start(context.Context, string) error { return errNoNetwork }

// Stop returns ErrState.
func (NoNetwork) Stop(context.Context, string) error { return errNoNetwork }

// Pause returns ErrState.
func (NoNetwork) Pause(context.Context, string) error { return errNoNetwork }

// Resume returns ErrState.
func (NoNetwork) Resume(context.Context, string) error { return errNoNetwork }

var errNoNetwork = fmt.Errorf("no network server is connected, running campaigns %w: start the server with \"--network simulated\" to run them on simulated devices", ErrState)
