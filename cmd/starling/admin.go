package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// admin are the commands for who can reach the database itself, when nobody can log in.
type admin struct {
	Init     adminInit     `cmd:"" help:"Make the first administrator of a server."`
	Password adminPassword `cmd:"" help:"Give a user another password, without the current one."`
}

// newPassword says where a password comes from. It is never on the command line, where
// other users of the machine could read it.
type newPassword struct {
	PasswordFile  string `placeholder:"FILE" help:"File whose first line is the password."`
	PasswordStdin bool   `help:"The first line of standard input is the password."`
}

// read returns the password, and whether it was made up because none was given.
func (p newPassword) read(std *cli.Streams) (password string, made bool, err error) {
	var from io.Reader
	switch {
	case p.PasswordFile != "" && p.PasswordStdin:
		return "", false, fmt.Errorf("%w: --password-file and --password-stdin are both given", cli.ErrUsage)
	case p.PasswordFile != "":
		f, err := os.Open(p.PasswordFile)
		if err != nil {
			return "", false, fmt.Errorf("%w: %w", cli.ErrUsage, err)
		}
		defer func() { _ = f.Close() }() // it is only read
		from = f
	case p.PasswordStdin:
		from = std.In
	default:
		password, err = identity.NewPassword(rand.Reader)
		return password, true, err
	}
	text, err := io.ReadAll(io.LimitReader(from, 4096))
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), false, err
}

type adminInit struct {
	database
	newPassword
	Login     string `default:"admin" help:"Name to log in with."`
	Context   string `placeholder:"NAME" help:"Make an API token too, and keep it in this context of the configuration file: then the client's commands work at once."`
	Server    string `default:"http://127.0.0.1:8080" env:"STARLING_SERVER" placeholder:"URL" help:"Where the server will answer, for --context (${env})."`
	TokenFile string `placeholder:"FILE" help:"Make an API token too, and write it to this new file, which only its owner can read."`
}

// Help is shown below the summary of the command.
func (*adminInit) Help() string {
	return `Works on the database itself, so an SQLite database must not be in use by a server. Without a
password it makes one up and shows it once. It refuses if there is an administrator already.`
}

// Run makes the administrator.
func (a *adminInit) Run(ctx context.Context, std *cli.Streams) error {
	return a.with(ctx, func(s *service.Service) error {
		password, made, err := a.read(std)
		if err != nil {
			return err
		}
		u, err := s.FirstAdministrator(ctx, a.Login, password)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.Err, "%s administers the server.\n", u.Login)
		if made {
			fmt.Fprintln(std.Err, "Its password, which is shown this once:")
			fmt.Fprintln(std.Out, password)
		}
		return a.token(ctx, s, u, std)
	})
}

// token makes an API token, if one is wanted, and puts it where it is wanted.
func (a *adminInit) token(ctx context.Context, s *service.Service, u identity.User, std *cli.Streams) error {
	if a.Context == "" && a.TokenFile == "" {
		return nil
	}
	as := service.As(ctx, identity.Actor{UserID: u.ID, Login: u.Login, Server: true, Permissions: u.Permissions()})
	secret, _, err := s.CreateToken(as, identity.Token{Name: "made by starling admin init"})
	if err != nil {
		return err
	}
	if a.TokenFile != "" {
		f, err := os.OpenFile(a.TokenFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("%w: %w", cli.ErrUsage, err)
		}
		_, err = fmt.Fprintln(f, secret)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(std.Err, "Its token is in", a.TokenFile)
	}
	if a.Context != "" {
		path, err := cli.SaveContext(cli.Context{Name: a.Context, Server: a.Server, Token: secret})
		if err != nil {
			return err
		}
		fmt.Fprintf(std.Err, "Its token is in context %s of %s\n", a.Context, path)
	}
	return nil
}

type adminPassword struct {
	database
	newPassword
	Login string `arg:"" help:"Name that the user logs in with."`
}

// Run sets the password.
func (a *adminPassword) Run(ctx context.Context, std *cli.Streams) error {
	return a.with(ctx, func(s *service.Service) error {
		password, made, err := a.read(std)
		if err != nil {
			return err
		}
		if err := s.ResetPassword(ctx, a.Login, password); err != nil {
			return err
		}
		fmt.Fprintf(std.Err, "%s has another password, and all of its sessions have ended.\n", a.Login)
		if made {
			fmt.Fprintln(std.Out, password)
		}
		return nil
	})
}

// with runs f on a service over the database alone.
func (d *database) with(ctx context.Context, f func(*service.Service) error) (err error) {
	db, _, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return refusal(f(service.New(service.Config{Store: db, Runner: service.NoNetwork{}})))
}

// refusal gives what the service does not take the exit code that it has over the API.
func refusal(err error) error {
	switch {
	case len(fleet.FieldErrors(err)) > 0:
		return fmt.Errorf("%w: %w", cli.ErrInvalid, err)
	case errors.Is(err, service.ErrState):
		return fmt.Errorf("%w: %w", cli.ErrConflict, err)
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: %w", cli.ErrNotFound, err)
	}
	return err
}
