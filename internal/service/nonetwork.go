package service

import (
	"context"
	"fmt"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/store"
)

// NoNetwork is the Runner of a server that no network server is connected to: it
// keeps objects and runs nothing.
type NoNetwork struct{}

// Start returns ErrState.
func (NoNetwork) Start(context.Context, string, store.Along) error { return errNoNetwork }

// Order returns ErrState.
func (NoNetwork) Order(context.Context, string, campaign.Input, ...store.AuditEntry) (campaign.Receipt, error) {
	return campaign.Receipt{}, errNoNetwork
}

var errNoNetwork = fmt.Errorf("no network server is connected, running campaigns %w: start the server with \"--network simulated\" to run them on simulated devices", ErrState)
