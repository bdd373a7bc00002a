package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a store.Store in one SQLite file.
type Store struct {
	relational.DB
	writer, reader *sql.DB
	vault          *relational.Vault
	lock           *os.File // beside the database, see Open
	steps          statements
}

// ErrLocked means that another process has the database open.
var ErrLocked = errors.New("in use by another process: stop that one first, or name another database")

var _ store.Store = (*Store)(nil)

// Option changes how Open opens a file.
type Option func(*options)

type options struct{ synchronous string }

// Unsynced gives up the promise that a commit survives a loss of power. It survives the end of the process.
func Unsynced() Option { return func(o *options) { o.synchronous = "OFF" } }

// Temporary opens a new database that does not outlive the process, such as the demo's: it is Unsynced, and
// sealed under a key that nobody else has, so that the file cannot be opened again.
func Temporary(ctx context.Context, path string) (*Store, error) {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, err
	}
	kek, err := secret.FromEnvironment("temporary:" + base64.StdEncoding.EncodeToString(key[:]))
	if err != nil {
		return nil, err
	}
	return Open(ctx, path, kek, Unsynced())
}

// Open opens the file at path, creates it if it is missing, and brings its schema up
// to date. Secrets in it are sealed under data keys that kek wraps; those of a database that held them in
// clear are sealed now, which rewrites the file once and for that needs as much room again. The file belongs to this process until Close or its end, which a lock on
// the file path + ".lock" sees to: Open returns ErrLocked while another process has it. That
// file stays when the process ends, and means nothing without its lock. A file that a newer
// Starling wrote is refused and left as it is. A new file is readable by its owner only,
// because it holds keys; SQLite makes the files beside it alike.
func Open(ctx context.Context, path string, kek secret.KEK, opts ...Option) (_ *Store, err error) {
	if kek == nil {
		return nil, fmt.Errorf("database %s: there is no key-encryption key to open it with", path)
	}
	// Taken before anything is touched. Not on the database itself: closing any handle of
	// that would take the locks away that SQLite has there.
	locked, err := lock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, locked.Close())
		}
	}()
	made, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := made.Close(); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	o := options{synchronous: "FULL"}
	for _, set := range opts {
		set(&o)
	}
	writer, err := open(path, 1, "_txlock", "immediate",
		"_pragma", "busy_timeout(10000)", "_pragma", "journal_mode(WAL)", "_pragma", "synchronous("+o.synchronous+")",
		"_pragma", "foreign_keys(1)", "_pragma", "cache_size(-65536)",
		// What a statement can take back stays in memory: with a trigger, every statement keeps a copy of each page it changes.
		"_pragma", "temp_store(MEMORY)")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("database %s: %w", path, err), writer.Close())
		}
	}()
	if err := migrate(ctx, writer); err != nil {
		return nil, err
	}
	reader, err := open(path, 4, "_pragma", "busy_timeout(10000)", "_pragma", "query_only(1)", "_pragma", "cache_size(-65536)")
	if err != nil {
		return nil, err
	}
	s := &Store{writer: writer, reader: reader, lock: locked, vault: relational.NewVault(kek)}
	s.DB = s.database()
	err = s.sealClear(ctx)
	if err == nil {
		err = s.DropAbandonedUploads(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return s, nil
}

func open(path string, conns int, params ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	for i := 0; i < len(params); i += 2 {
		query.Add(params[i], params[i+1])
	}
	// As a URL, so that a path with "?", "#" or "%" stays a path.
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// migrate applies the migrations that the file lacks.
func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; at > newest {
		return fmt.Errorf("schema %d is newer than this program's %d: use a newer Starling, or restore a backup", at, newest)
	}
	_, err = p.Up(ctx)
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.reader.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// Close closes the database and gives the file back. Closing twice is no error.
func (s *Store) Close() error {
	err := errors.Join(s.steps.close(), s.reader.Close(), s.writer.Close())
	if unlocked := s.lock.Close(); !errors.Is(unlocked, os.ErrClosed) {
		err = errors.Join(err, unlocked)
	}
	return err
}

// Tx runs f in one transaction; see store.Store.
func (s *Store) Tx(ctx context.Context, f func(store.Objects) error) error {
	return s.transact(ctx, func(q queries) error { return f(s.inside(q)) })
}

// transact runs f in a transaction on the writer. The lock is taken at once: f reads
// what it will overwrite, and a lock taken later could find that it changed.
func (s *Store) transact(ctx context.Context, f func(queries) error) error {
	return s.within(ctx, func(tx *sql.Tx) querier { return tx }, f)
}

// step is transact for what the engine does all the time, with the same few statements.
func (s *Store) step(ctx context.Context, f func(queries) error) error {
	var missed []string
	err := s.within(ctx, func(tx *sql.Tx) querier { return keeper{tx, &s.steps, &missed} }, f)
	if err == nil && len(missed) > 0 {
		s.steps.keep(ctx, s.writer, missed)
	}
	return err
}

func (s *Store) within(ctx context.Context, as func(*sql.Tx) querier, f func(queries) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	in, committed := &transaction{prepared: map[string]*sql.Stmt{}}, false
	defer func() {
		// After Commit this does nothing; after an error or a panic it leaves nothing behind.
		_ = tx.Rollback()
		in.work.End(committed)
	}()
	if err := f(queries{as(tx), in}); err != nil {
		return err
	}
	err = tx.Commit()
	committed = err == nil
	return err
}

// snapshot runs f on one unchanging view of the database.
func (s *Store) snapshot(ctx context.Context, f func(querier) error) error {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return f(tx)
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}
