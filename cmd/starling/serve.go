package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
)

type serve struct {
	Listen   string `default:"127.0.0.1:8080" env:"STARLING_LISTEN" placeholder:"ADDRESS" help:"Address to listen on (${env})."`
	Database string `default:"sqlite:starling.db" env:"STARLING_DATABASE" placeholder:"ENGINE:PLACE" help:"Where everything is kept: sqlite:FILE (${env})."`
	LogLevel string `default:"info" enum:"debug,info,warn,error" env:"STARLING_LOG_LEVEL" help:"Least level of log lines: ${enum} (${env})."`
	LogJSON  bool   `name:"log-json" env:"STARLING_LOG_JSON" help:"Log lines as JSON (${env})."`
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
	version, _ := buildInfo()
	handler, _ := api.Handler(api.Config{
		Service: service.New(service.Config{Store: db, Runner: service.NoNetwork{}}),
		Log:     log, Version: version,
	})
	log.Info("serving", "address", "http://"+ln.Addr().String(), "database", s.Database, "version", version)
	err = api.Serve(ctx, ln, handler, log)
	log.Info("stopped")
	return err
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
	if engine != "sqlite" || place == "" {
		return nil, fmt.Errorf("%w: --database %q is no database, use sqlite:FILE", cli.ErrUsage, database)
	}
	return sqlite.Open(ctx, place)
}
