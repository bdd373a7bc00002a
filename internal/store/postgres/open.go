package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a store.Store in a PostgreSQL database.
type Store struct {
	relational.DB
	pool *pgxpool.Pool
}

var _ store.Store = (*Store)(nil)

// sessionDefaults are settings of PostgreSQL that dsn can change. A process that is stopped, or cut off, in the middle of
// a transaction would hold its locks, and with them its campaign, until PostgreSQL notices: so it has to notice.
var sessionDefaults = map[string]string{
	"application_name":                    "starling",
	"idle_in_transaction_session_timeout": "10s",
	"tcp_keepalives_idle":                 "10", // s; without effect on a local socket
	"tcp_keepalives_interval":             "3",
	"tcp_keepalives_count":                "3",
}

// Open connects to the database that dsn names, as a URL ("postgres://user@host/name") or
// as "key=value" pairs, and brings its schema up to date; replicas that start together do that
// one after the other. Secrets in it are sealed under data keys that kek wraps, which all replicas share; those of
// a database that held them in clear are sealed now. What dsn leaves open is taken from the variables of libpq, such
// as PGPASSWORD. A schema that a newer Starling wrote is refused and left as it is.
// The number of connections is pool_max_conns in dsn, by default 4 or the number of CPUs if that is more.
func Open(ctx context.Context, dsn string, kek secret.KEK) (_ *Store, err error) {
	if kek == nil {
		return nil, errors.New("database: there is no key-encryption key to open it with")
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err) // pgx leaves the password out
	}
	for name, value := range sessionDefaults {
		if config.ConnConfig.RuntimeParams[name] == "" {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	defer func() {
		if err != nil {
			pool.Close()
			err = fmt.Errorf("database %s on %s: %w", config.ConnConfig.Database, config.ConnConfig.Host, err)
		}
	}()
	if err := migrate(ctx, pool); err != nil {
		return nil, err
	}
	s := &Store{pool: pool}
	s.DB = relational.DB{
		Dialect: dialect,
		Reader:  queries{on: pool},
		Vault:   relational.NewVault(kek),
		View:    s.view,
		Write: func(ctx context.Context, f func(relational.Querier) error) error {
			return s.transact(ctx, func(t *transaction) error { return f(queries{on: t.Tx, in: t}) })
		},
		Once: func(_ context.Context, f func(relational.Querier) error) error { return f(queries{on: pool}) },
	}
	if err := s.SealClear(ctx); err != nil {
		return nil, err
	}
	return s, s.DropAbandonedUploads(ctx)
}

// migrationLock is the key of the advisory lock that replicas take to migrate: "Starling" in ASCII.
const migrationLock = 0x537461726c696e67

// migrate applies the migrations that the database lacks.
func migrate(ctx context.Context, pool *pgxpool.Pool) (err error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// Asked for four times a second, for five minutes: longer than a migration should take.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 60))
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	switch newest := sources[len(sources)-1].Version; {
	case at > newest:
		return fmt.Errorf("schema %d is newer than this program's %d: use a newer Starling, or restore a backup", at, newest)
	case at == newest:
		return nil
	}
	_, err = p.Up(ctx)
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Close waits for running calls and closes all connections. Closing twice is no error.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}
