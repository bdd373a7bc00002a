package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
)

// Contexts is "context".
type Contexts struct {
	Form
	List   listContexts  `cmd:"" help:"List contexts."`
	Show   showContext   `cmd:"" help:"Show a context."`
	Use    useContext    `cmd:"" help:"Make a context the current one."`
	Add    addContext    `cmd:"" help:"Add a context."`
	Remove removeContext `cmd:"" help:"Remove a context, and forget its token."`
}

// Help is shown below the summary of the command.
func (*Contexts) Help() string {
	return `A context is a server to work with, and as whom. Contexts are kept in a file that only its
owner can read: $STARLING_CONFIG, or starling/config.yaml in the user's configuration
directory. A flag wins over the environment (STARLING_SERVER, STARLING_TOKEN,
STARLING_SUBSCRIBER, STARLING_CONTEXT), and the environment over a context. The token
of a context is only sent to the server of that context. Tokens are never shown.`
}

// contextColumns are what can be seen of contexts.
var contextColumns = columns{"name", "current", "server", "subscriber", "token_set", "ca_file"}

// visible returns what can be seen of a context.
func (c *Config) visible(x Context) (json.RawMessage, error) {
	return json.Marshal(map[string]any{"name": x.Name, "current": x.Name == c.Current, "server": firstText(x.Server, defaultServer),
		"subscriber": x.Subscriber, "token_set": x.Token != "", "ca_file": x.CAFile})
}

type listContexts struct{}

// Run writes all contexts.
func (listContexts) Run(f *Form, std *Streams) error {
	cfg, err := LoadConfig()
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(cfg.Contexts))
	for i, x := range cfg.Contexts {
		if items[i], err = cfg.visible(x); err != nil {
			return err
		}
	}
	return f.list(std.Out, contextColumns, items)
}

// pick returns a context by name; "" is the current one.
func pick(name string) (*Config, *Context, error) {
	cfg, err := LoadConfig()
	if err != nil {
		return nil, nil, err
	}
	if name = firstText(name, cfg.Current); name == "" {
		return nil, nil, fmt.Errorf("%w: there is no context, \"starling login\" or \"starling context add\" makes one", ErrNotFound)
	}
	if x := cfg.Find(name); x != nil {
		return cfg, x, nil
	}
	return nil, nil, fmt.Errorf("%w: there is no context %q, \"starling context list\" shows those that are", ErrNotFound, name)
}

type showContext struct {
	Name string `arg:"" optional:"" complete:"contexts" help:"Name; none: the current one."`
}

// Run writes a context.
func (s *showContext) Run(f *Form, std *Streams) error {
	cfg, x, err := pick(s.Name)
	if err != nil {
		return err
	}
	raw, err := cfg.visible(*x)
	if err != nil {
		return err
	}
	return f.show(std.Out, raw)
}

type useContext struct {
	Name string `arg:"" complete:"contexts" help:"Name."`
}

// Run makes a context the current one.
func (u *useContext) Run(std *Streams) error {
	cfg, x, err := pick(u.Name)
	if err != nil {
		return err
	}
	cfg.Current = x.Name
	if err := cfg.Save(); err != nil {
		return err
	}
	fmt.Fprintln(std.Err, "using context", x.Name)
	return nil
}

type addContext struct {
	Name       string `arg:"" help:"Name of the new context."`
	Server     string `placeholder:"URL" help:"Server; none: http://127.0.0.1:8080."`
	Subscriber string `placeholder:"ID" help:"Subscriber to act in, for administrators of the server."`
	CAFile     string `placeholder:"FILE" complete:"file" help:"Certificates (PEM) to trust beside the system's."`
	TokenStdin bool   `help:"Read a token from standard input; without, \"starling login\" gets one."`
	Use        bool   `help:"Make it the current one; the first is in any case."`
}

// Run adds the context. What cannot work is refused now.
func (a *addContext) Run(std *Streams) error {
	cfg, err := LoadConfig()
	if err != nil {
		return err
	}
	if cfg.Find(a.Name) != nil {
		return fmt.Errorf("%w: there is a context %q already, remove it first", ErrConflict, a.Name)
	}
	x := Context{Name: a.Name, Server: firstText(a.Server, defaultServer), Subscriber: a.Subscriber, CAFile: a.CAFile}
	if err := checkServer(x.Server); err != nil {
		return err
	}
	if _, err := transport(x.CAFile); err != nil {
		return err
	}
	if a.TokenStdin {
		lines, err := std.secretLines(1)
		if err != nil {
			return err
		}
		x.Token = lines[0]
	}
	cfg.Put(x)
	if a.Use {
		cfg.Current = x.Name
	}
	if err := cfg.Save(); err != nil {
		return err
	}
	fmt.Fprintln(std.Err, "added context", x.Name)
	return nil
}

// checkServer returns what is wrong with the address of a server.
func checkServer(server string) error {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return fmt.Errorf("%w: server %q is no address, use a URL such as http://127.0.0.1:8080", ErrUsage, server)
	}
	return nil
}

type removeContext struct {
	Name string `arg:"" complete:"contexts" help:"Name."`
}

// Run removes the context. Its session ends by itself, or before by "starling logout".
func (r *removeContext) Run(std *Streams) error {
	cfg, x, err := pick(r.Name)
	if err != nil {
		return err
	}
	name := x.Name
	cfg.Remove(name)
	if err := cfg.Save(); err != nil {
		return err
	}
	fmt.Fprintln(std.Err, "removed context", name)
	return nil
}
