package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// defaultContext is what the first context is called if nobody gives it a name.
const defaultContext = "default"

// Login is "login".
type Login struct {
	Connection
	Login         string `short:"l" placeholder:"NAME" help:"Who logs in; none: asked for at the terminal."`
	PasswordStdin bool   `help:"Read the password from standard input, instead of asking for it at the terminal."`
}

// Help is shown below the summary of the command.
func (*Login) Help() string {
	return `Keeps a session in the context, which is made if it is not there, and becomes the
current one. A password is never given on the command line, where others can read it.

  starling login --server https://starling.example.org --context home --login joe`
}

// Run begins a session.
func (l *Login) Run(ctx context.Context, std *Streams) error {
	cfg, err := LoadConfig()
	if err != nil {
		return err
	}
	to, err := l.target(cfg)
	if err != nil {
		return err
	}
	anonymous := to
	anonymous.Token = "" // the old one may be why somebody logs in
	c, err := l.client(std, anonymous)
	if err != nil {
		return err
	}
	if c.base.Scheme == "http" && !onThisMachine(c.base.Hostname()) {
		fmt.Fprintf(std.Err, "starling: %s is not encrypted: others on the network can read the password and the token\n", to.Server)
	}
	login, password, err := l.credentials(ctx, std)
	if err != nil {
		return err
	}
	raw, err := c.call(ctx, http.MethodPost, nil, map[string]string{"login": login, "password": password}, "session")
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusUnauthorized {
		p.advice = "" // to log in is what was just tried
	}
	if err != nil {
		return err
	}
	var session struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(raw, &session); err != nil || session.Token == "" {
		return errors.New("the server answered without a token: is it older than this program?")
	}
	to.Token = session.Token
	cfg.Put(to)
	cfg.Current = to.Name
	if err := cfg.Save(); err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "logged in at %s, context %s\n", to.Server, to.Name)
	if raw, err = without(raw, "token"); err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

// target returns the context to log in with, which may be a new one.
func (l *Login) target(cfg *Config) (Context, error) {
	name := firstText(l.Context, cfg.Current, defaultContext)
	if known := cfg.Find(name); known != nil {
		return l.over(*known)
	}
	return l.over(Context{Name: name})
}

// firstText returns the first text that is not empty.
func firstText(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// onThisMachine tells if what is sent to a host stays on the machine.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// credentials reads or asks for login and password.
func (l *Login) credentials(ctx context.Context, std *Streams) (login, password string, err error) {
	login = l.Login
	switch {
	case login == "" && (l.PasswordStdin || std.answers() == nil):
		return "", "", fmt.Errorf("%w: who logs in? give --login NAME", ErrUsage)
	case l.PasswordStdin:
		lines, err := std.secretLines(1)
		if err != nil {
			return "", "", err
		}
		return login, lines[0], nil
	case std.answers() == nil:
		return "", "", errNobody
	case login == "":
		if login, err = std.ask(ctx, "Login: ", false); err != nil {
			return "", "", err
		}
	}
	password, err = std.ask(ctx, "Password: ", true)
	return login, password, err
}

// Logout is "logout".
type Logout struct {
	Connection
	Forget bool `help:"Forget the token even if the server cannot be told, where it stays valid until it expires."`
}

// Run ends the session at the server, then forgets its token.
func (l *Logout) Run(ctx context.Context, c *Client, std *Streams) error {
	if c.to.Token == "" {
		return fmt.Errorf("%w: nobody is logged in at %s", ErrNotFound, c.to.Server)
	}
	_, err := c.call(ctx, http.MethodDelete, nil, nil, "session")
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusUnauthorized {
		err = nil // it had ended already
	}
	if err != nil && !l.Forget {
		return fmt.Errorf("the token is kept; --forget forgets it all the same: %w", err)
	}
	cfg, err := LoadConfig()
	if err != nil {
		return err
	}
	if known := cfg.Find(c.to.Name); known != nil && known.Token == c.to.Token {
		known.Token = ""
		if err := cfg.Save(); err != nil {
			return err
		}
	}
	fmt.Fprintf(std.Err, "logged out at %s\n", c.to.Server)
	return nil
}

// Whoami is "whoami".
type Whoami struct{ Connection }

// Help is shown below the summary of the command.
func (*Whoami) Help() string {
	return "Exit code 6 means that nobody is: the token is missing or no longer valid."
}

// Run writes who the server takes this for.
func (*Whoami) Run(ctx context.Context, c *Client, std *Streams) error {
	raw, err := c.call(ctx, http.MethodGet, nil, nil, "session")
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}
