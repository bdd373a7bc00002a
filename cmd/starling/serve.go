package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/sqlite"
)

type serve struct {
	Network  string `default:"none" enum:"none,simulated" env:"STARLING_NETWORK" help:"Network server that campaigns run on: ${enum} (${env}). Without one, the server keeps objects and runs nothing."`
	Listen   string `default:"127.0.0.1:8080" env:"STARLING_LISTEN" placeholder:"ADDRESS" help:"Address to listen on (${env})."`
	Database string `default:"sqlite:starling.db" env:"STARLING_DATABASE" placeholder:"ENGINE:PLACE" help:"Where everything is kept: sqlite:FILE, or postgres://USER@HOST/NAME; a password belongs into the variable, not on the command line (${env})."`
	LogLevel string `default:"info" enum:"debug,info,warn,error" env:"STARLING_LOG_LEVEL" help:"Least level of log lines: ${enum} (${env})."`
	LogJSON  bool   `name:"log-json" env:"STARLING_LOG_JSON" help:"Log lines as JSON (${env})."`

	Sim simulation `embed:"" prefix:"sim-" group:"With --network simulated:"`
}

// Help is shown below the summary of the command.
func (*serve) Help() string {
	return `Serves the REST API, and runs campaigns if there is a network to run them on.

"--network simulated" runs them on simulated devices, for trying Starling out and for
rehearsing a campaign: each device of a campaign is made of what the server knows of it
and its profile, in a band with one gateway. Time runs fast there while a campaign runs, and
does not go back. The simulated devices live as long as the process: after a restart
they have forgotten what they received, and run the firmware that the server knows of.

One process serves a database; it ends in good order on Ctrl-C or SIGTERM, and nothing
is lost if it is killed.`
}

// Run serves until it is interrupted; that is its orderly end.
func (s *serve) Run(ctx context.Context, std *cli.Streams) (err error) {
	log := s.logger(std)
	db, err := openStore(ctx, s.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s, choose another address with --listen: %w", s.Listen, err)
	}
	defer func() { _ = ln.Close() }() // serving closes it too
	net, err := s.network(ctx, db, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.stop()) }()
	version, _ := buildInfo()
	handler, _ := api.Handler(api.Config{
		Service: service.New(service.Config{Store: db, Runner: net.Runner, Now: net.now}),
		Log:     log, Version: version,
	})
	log.Info("serving", "address", "http://"+ln.Addr().String(), "database", withoutPassword(s.Database), "network", s.Network, "version", version)
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(net.failed, cancel)() // without an engine, better no server than half of one
	err = api.Serve(serving, ln, handler, log)
	log.Info("stopped")
	return err
}

// network is what campaigns run on.
type network struct {
	service.Runner
	now    func() time.Time // nil: the clock on the wall
	failed context.Context  // ends when the engine does
	stop   func() error     // ends the engine and returns why it ended by itself, if it did
}

// network connects the network server.
func (s *serve) network(ctx context.Context, db store.Store, log *slog.Logger) (*network, error) {
	if s.Network == "simulated" {
		return s.Sim.run(ctx, db, log)
	}
	return &network{Runner: service.NoNetwork{}, failed: context.WithoutCancel(ctx), stop: func() error { return nil }}, nil
}

func (s *serve) logger(std *cli.Streams) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		panic(err) // the grammar lets only levels through
	}
	options := &slog.HandlerOptions{Level: level}
	if s.LogJSON {
		return slog.New(slog.NewJSONHandler(std.Err, options))
	}
	return slog.New(slog.NewTextHandler(std.Err, options))
}

// openStore opens the store that a --database names.
func openStore(ctx context.Context, database string) (store.Store, error) {
	engine, place, _ := strings.Cut(database, ":")
	switch {
	case place == "":
	case engine == "sqlite":
		kek, err := secret.OpenKeyring(place+".keys", true)
		if err != nil {
			return nil, err
		}
		return sqlite.Open(ctx, place, kek)
	case engine == "postgres" || engine == "postgresql":
		kek, err := secret.OpenKeyring("starling.keys", true)
		if err != nil {
			return nil, err
		}
		return postgres.Open(ctx, database, kek)
	}
	return nil, fmt.Errorf("%w: --database %q is no database, use sqlite:FILE or postgres://USER@HOST/NAME", cli.ErrUsage, withoutPassword(database))
}

// withoutPassword is how a database is named in logs and errors.
func withoutPassword(database string) string {
	u, err := url.Parse(database)
	switch {
	case err != nil:
		engine, _, _ := strings.Cut(database, ":")
		return engine + ":..." // a password may be why it cannot be read
	case u.User == nil:
		return database
	}
	return u.Redacted()
}
