package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/secret"
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
