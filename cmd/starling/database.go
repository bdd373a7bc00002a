package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/sqlite"
)

// database are the flags of commands that open one.
type database struct {
	Database string `default:"sqlite:starling.db" env:"STARLING_DATABASE" placeholder:"ENGINE:PLACE" help:"Where everything is kept: sqlite:FILE, or postgres://USER@HOST/NAME; a password belongs into the variable, not on the command line (${env})."`
	Keys     string `env:"STARLING_KEYS" placeholder:"PLACE" help:"What the keys in the database are sealed under: file:FILE, a keyring that \"starling secret rotate\" can change, or env:VARIABLE, which holds id:base64 of 32 bytes. Default: the file beside an SQLite database, with .keys behind its name (${env})."`
}

// kek opens what the keys of a database are sealed under. A keyring is made together with its
// database; undo takes one back that was made for a database that has another.
func (d *database) kek() (_ secret.KEK, undo func() error, err error) {
	nothing := func() error { return nil }
	engine, place, _ := strings.Cut(d.Database, ":")
	how, where, _ := strings.Cut(d.Keys, ":")
	switch {
	case d.Keys == "" && engine == "sqlite" && place != "":
		how, where = "file", place+".keys"
	case d.Keys == "":
		return nil, nothing, fmt.Errorf("%w: --keys is missing: say file:FILE for a keyring, which all servers of this database need, or env:VARIABLE", cli.ErrUsage)
	}
	switch {
	case how == "env" && where != "":
		kek, err := secret.FromEnvironment(os.Getenv(where))
		if err != nil {
			return nil, nothing, fmt.Errorf("%w: --keys env:%s: %w", cli.ErrUsage, where, err)
		}
		return kek, nothing, nil
	case how != "file" || where == "":
		return nil, nothing, fmt.Errorf("%w: --keys is neither file:FILE nor env:VARIABLE", cli.ErrUsage)
	}
	_, err = os.Stat(where)
	made := errors.Is(err, fs.ErrNotExist)
	keyring, err := secret.OpenKeyring(where, made)
	if err != nil {
		return nil, nothing, err
	}
	if made {
		return keyring, func() error { return os.Remove(where) }, nil
	}
	return keyring, nothing, nil
}

// open opens the store that --database names, and what its keys are sealed under.
func (d *database) open(ctx context.Context) (store.Store, secret.KEK, error) {
	engine, place, _ := strings.Cut(d.Database, ":")
	if place == "" || engine != "sqlite" && engine != "postgres" && engine != "postgresql" {
		return nil, nil, fmt.Errorf("%w: --database %q is no database, use sqlite:FILE or postgres://USER@HOST/NAME", cli.ErrUsage, withoutPassword(d.Database))
	}
	kek, undo, err := d.kek()
	if err != nil {
		return nil, nil, err
	}
	var db store.Store
	if engine == "sqlite" {
		db, err = sqlite.Open(ctx, place, kek)
	} else {
		db, err = postgres.Open(ctx, d.Database, kek)
	}
	if err != nil {
		return nil, nil, errors.Join(err, undo())
	}
	if err := opens(ctx, kek, db); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the keys in this database are sealed under a key that --keys does not have: put the backup of its keyring back (beside an SQLite database, with .keys behind its name), or say with --keys where it is: %w", err), db.Close(), undo())
	}
	return db, kek, nil
}

// opens tries a key-encryption key before anything is served or sealed under it.
func opens(ctx context.Context, kek secret.KEK, db store.Store) error {
	keys, err := db.DataKeys(ctx)
	if err != nil {
		return err
	}
	sealer, tried := secret.NewSealer(kek, nil), map[string]bool{}
	for _, k := range keys {
		if !tried[k.KEKID] {
			tried[k.KEKID] = true
			if err := sealer.Open(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
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
