package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/engine"
)

// replica are the flags of servers that share a PostgreSQL database.
type replica struct {
	TTL   time.Duration `default:"10s" env:"STARLING_LEASE_TTL" placeholder:"DURATION" help:"How long after the last sign of life of a server others take its campaigns over: between 2s and 10m, the same for all (${env})."`
	Renew time.Duration `default:"3s" env:"STARLING_LEASE_RENEW" placeholder:"DURATION" help:"How often a server gives a sign of life; at most 40 % of the TTL, so that one may fail (${env})."`
}

// check finds what is wrong with the flags.
func (r *replica) check() error {
	if r.TTL < 2*time.Second || r.TTL > 10*time.Minute {
		return fmt.Errorf("%w: --lease-ttl %s is not between 2s and 10m", cli.ErrUsage, r.TTL)
	}
	if r.Renew <= 0 || r.Renew > r.TTL*4/10 {
		return fmt.Errorf("%w: --lease-renew %s is more than 40 %% of --lease-ttl %s, or nothing", cli.ErrUsage, r.Renew, r.TTL)
	}
	return nil
}

// lease returns how this server shares the campaigns of a database; nil for one that no other server can open.
func (r *replica) lease(database string) *engine.Lease {
	if strings.HasPrefix(database, "sqlite:") {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return &engine.Lease{TTL: r.TTL, Renew: r.Renew, Name: fmt.Sprintf("%s:%d", host, os.Getpid())}
}
