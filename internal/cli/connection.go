package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

// defaultServer is where "starling serve" listens if nobody says otherwise.
const defaultServer = "http://127.0.0.1:8080"

// Form holds the flags that say how data is written.
type Form struct {
	Output    string `short:"o" default:"table" enum:"table,wide,json,yaml,csv,id" help:"Form of the data: ${enum}. wide is a table with more columns, id is the identifier alone, for scripts."`
	NoHeaders bool   `help:"Leave the column names out of tables and CSV."`
}

func (f *Form) form() *Form { return f }

// Connection holds the flags of every command that talks to a server. What no flag
// says, the environment does, then the context, then a default.
type Connection struct {
	Form
	Server     string        `env:"STARLING_SERVER" placeholder:"URL" help:"Server to talk to (${env}); none: that of the context, else http://127.0.0.1:8080."`
	Context    string        `env:"STARLING_CONTEXT" placeholder:"NAME" complete:"contexts" help:"Context to take server, token and subscriber from (${env}); none: the current one."`
	Subscriber string        `env:"STARLING_SUBSCRIBER" placeholder:"ID" complete:"subscribers" help:"Subscriber to act in, for administrators of the server (${env}); none: that of the context."`
	CAFile     string        `placeholder:"FILE" complete:"file" help:"Certificates (PEM) to trust beside the system's; none: those of the context."`
	Timeout    time.Duration `default:"30s" help:"Give up after this time; 0: never. Watching and waiting are not limited."`
}

func (c *Connection) connection() *Connection { return c }

// tokenVariable is the environment variable for a token. There is no flag: others could
// read it in the list of processes.
const tokenVariable = "STARLING_TOKEN"

// resolve returns with whom to talk, and as whom. Name is that of the context, "" without one.
func (c *Connection) resolve(cfg *Config) (Context, error) {
	var to Context
	name := c.Context
	if name == "" {
		name = cfg.Current
	}
	if name != "" {
		known := cfg.Find(name)
		if known == nil {
			return to, fmt.Errorf("%w: there is no context %q, \"starling context list\" shows those that are", ErrUsage, name)
		}
		to = *known
	}
	return c.over(to)
}

// over lays flags and environment over a context. A server that is not the context's gets
// nothing of it: a token must not reach whoever is named by mistake.
func (c *Connection) over(to Context) (Context, error) {
	if to.Server == "" {
		to.Server = defaultServer
	}
	if c.Server != "" && c.Server != to.Server {
		to = Context{Name: to.Name, Server: c.Server}
	}
	if c.Subscriber != "" {
		to.Subscriber = c.Subscriber
	}
	if c.CAFile != "" {
		to.CAFile = c.CAFile
	}
	if token := os.Getenv(tokenVariable); token != "" {
		to.Token = token
	}
	return to, checkServer(to.Server)
}

// connect returns the client that the flags and the configuration describe.
func (c *Connection) connect(std *Streams) (*Client, error) {
	cfg, err := LoadConfig()
	if err != nil {
		return nil, err
	}
	to, err := c.resolve(cfg)
	if err != nil {
		return nil, err
	}
	return c.client(std, to)
}

// client returns a client for a context.
func (c *Connection) client(std *Streams, to Context) (*Client, error) {
	base, err := url.Parse(to.Server)
	if err != nil {
		return nil, err
	}
	through, err := transport(to.CAFile)
	if err != nil {
		return nil, err
	}
	return &Client{Connection: *c, to: to, base: base.JoinPath("/api/v1"), messages: std.Err, http: &http.Client{
		Transport: through,
		// An API does not move. Whoever sends clients elsewhere would get what they send.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// transport trusts the system's certificates, and those in a file.
func transport(caFile string) (http.RoundTripper, error) {
	if caFile == "" {
		return http.DefaultTransport, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("%w: certificates: %w", ErrUsage, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without any
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s has no certificate, it must be PEM", ErrUsage, caFile)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}
