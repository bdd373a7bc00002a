package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/logs"
	"github.com/starling-fuota/starling/internal/metrics"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

type serve struct {
	Network string `default:"none" enum:"none,simulated" env:"STARLING_NETWORK" help:"Network server that campaigns run on: ${enum} (${env}). Without one, the server keeps objects and runs nothing."`
	Listen  string `default:"127.0.0.1:8080" env:"STARLING_LISTEN" placeholder:"ADDRESS" help:"Address to listen on (${env})."`
	database
	LogLevel string `default:"info" enum:"debug,info,warn,error" env:"STARLING_LOG_LEVEL" help:"Least level of log lines: ${enum} (${env})."`
	LogJSON  bool   `name:"log-json" env:"STARLING_LOG_JSON" help:"Log lines as JSON (${env})."`

	transport `group:"How the server is reached:"`
	Lease     replica    `embed:"" prefix:"lease-" group:"With several servers on one PostgreSQL database:"`
	OIDC      openID     `embed:"" prefix:"oidc-" group:"Logging in through an OpenID provider:"`
	Sim       simulation `embed:"" prefix:"sim-" group:"With --network simulated:"`
}

// Help is shown below the summary of the command.
func (*serve) Help() string {
	return `Serves the REST API, and runs campaigns if there is a network to run them on.

"--network simulated" runs them on simulated devices, for trying Starling out and for
rehearsing a campaign: each device of a campaign is made of what the server knows of it
and its profile, in a band with one gateway. Time runs fast there while a campaign runs, and
does not go back. The simulated devices live as long as the process: after a restart
they have forgotten what they received, and run the firmware that the server knows of.

One process serves an SQLite database. Any number of them serve a PostgreSQL database, and
share its campaigns; with simulated devices, which live in one process, it must be the only one.
A server ends in good order on Ctrl-C or SIGTERM, and nothing is lost if it is killed.`
}

// Run serves until it is interrupted; that is its orderly end.
func (s *serve) Run(ctx context.Context, std *cli.Streams) (err error) {
	log := s.logger(std)
	provider, err := s.OIDC.provider()
	if err != nil {
		return err
	}
	// All that can be wrong with the flags comes before a database is made.
	if err := errors.Join(s.Sim.check(), s.Lease.check()); err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s, choose another address with --listen: %w", s.Listen, err)
	}
	defer func() { _ = ln.Close() }() // serving closes it too
	secure, err := s.secure(ln.Addr())
	if err != nil {
		return err
	}
	db, kek, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	version, commit := buildInfo()
	var use *service.Service
	count := func(ctx context.Context) (counts []metrics.Count, err error) {
		// Nobody asks: whoever may read the metrics sees those of the whole server.
		found, err := use.Counts(service.As(ctx, identity.System("")))
		for _, c := range found {
			counts = append(counts, metrics.Count(c))
		}
		return counts, err
	}
	figures := metrics.New(metrics.Config{Version: version, Commit: commit, Count: count, Log: log})
	net, err := s.network(ctx, db, figures, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.stop()) }()
	use = service.New(service.Config{Store: db, Runner: net.Runner, Now: net.now, Rotation: service.NewRotation(kek, db)})
	handler, mux := api.Handler(api.Config{Service: use, Claims: db, OIDC: provider, Metrics: figures.Handler(), Log: log, Version: version, TrustProxy: s.TrustProxy})
	welcome(ctx, db, log)
	scheme := "http"
	if secure != nil {
		scheme = "https"
	}
	log.Info("serving", "address", scheme+"://"+ln.Addr().String(), "database", withoutPassword(s.Database), "network", s.Network, "version", version)
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(net.failed, cancel)() // without an engine, better no server than half of one
	worked := make(chan struct{})
	go func() { defer close(worked); use.Work(serving, log) }()
	err = api.Serve(serving, ln, secure, figures.Observe(handler, metrics.Routes(mux)), log)
	cancel()
	<-worked
	log.Info("stopped")
	return err
}

// welcome says what a server without users needs.
func welcome(ctx context.Context, db store.Store, log *slog.Logger) {
	if n, err := db.Users().Count(ctx, store.Query{}); err == nil && n == 0 {
		log.Warn("nobody can log in yet: stop the server and run \"starling admin init\" with the same --database")
	}
}

// network is what campaigns run on.
type network struct {
	service.Runner
	now    func() time.Time // nil: the clock on the wall
	failed context.Context  // ends when the engine does
	stop   func() error     // ends the engine and returns why it ended by itself, if it did
}

// network connects the network server.
func (s *serve) network(ctx context.Context, db store.Store, meter engine.Meter, log *slog.Logger) (*network, error) {
	if s.Network == "simulated" {
		return s.Sim.run(ctx, db, s.Lease.lease(s.Database), meter, log)
	}
	return &network{Runner: service.NoNetwork{}, failed: context.WithoutCancel(ctx), stop: func() error { return nil }}, nil
}

func (s *serve) logger(std *cli.Streams) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		panic(err) // the grammar lets only levels through
	}
	return logs.New(std.Err, level, s.LogJSON)
}
