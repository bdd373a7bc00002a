package main

import (
	"errors"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/cli"
)

func TestALeaseIsRenewedInTime(t *testing.T) {
	for _, tt := range []struct {
		ttl, renew time.Duration
		ok         bool
	}{
		{10 * time.Second, 3 * time.Second, true},
		{2 * time.Second, 800 * time.Millisecond, true},
		{10 * time.Second, 5 * time.Second, false},
		{10 * time.Second, 0, false},
		{time.Second, 100 * time.Millisecond, false},
		{time.Hour, time.Second, false},
	} {
		if err := (&replica{tt.ttl, tt.renew}).check(); (err == nil) != tt.ok || err != nil && !errors.Is(err, cli.ErrUsage) {
			t.Errorf("TTL %s, renewed every %s: %v", tt.ttl, tt.renew, err)
		}
	}
}

func TestAFileIsServedAlone(t *testing.T) {
	r := &replica{10 * time.Second, 3 * time.Second}
	if l := r.lease("sqlite:starling.db"); l != nil {
		t.Errorf("a file has a lease: %+v", l)
	}
	if l := r.lease("postgres://starling@db/starling"); l == nil || l.TTL != r.TTL || l.Renew != r.Renew || l.Name == "" || l.Alone {
		t.Errorf("a database has %+v", l)
	}
}
