package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/starling-fuota/starling/internal/cli"
)

// transport are the flags for how the server is reached.
type transport struct {
	TLSCert    string `env:"STARLING_TLS_CERT" placeholder:"FILE" help:"Certificate chain, PEM; read again when it changes (${env})."`
	TLSKey     string `env:"STARLING_TLS_KEY" placeholder:"FILE" help:"Private key of the certificate, PEM (${env})."`
	PlainHTTP  bool   `name:"plain-http" env:"STARLING_PLAIN_HTTP" help:"Listen without TLS on an address that other machines reach: passwords and keys then travel in clear unless something else protects them (${env})."`
	TrustProxy bool   `env:"STARLING_TRUST_PROXY" help:"A proxy stands before the server: its X-Forwarded-For and X-Forwarded-Proto are true. Implies --plain-http (${env})."`
}

// secure returns how to speak TLS, or nil for plain HTTP. Plain HTTP that others can listen to
// is refused unless it is asked for.
func (t *transport) secure(listen net.Addr) (*tls.Config, error) {
	switch {
	case (t.TLSCert == "") != (t.TLSKey == ""):
		return nil, fmt.Errorf("%w: --tls-cert and --tls-key belong together", cli.ErrUsage)
	case t.TLSCert != "":
		c := &certificate{cert: t.TLSCert, key: t.TLSKey}
		if _, err := c.current(nil); err != nil {
			return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.current}, nil
	case t.PlainHTTP || t.TrustProxy || isLoopback(listen):
		return nil, nil
	}
	return nil, fmt.Errorf("%w: %s is reached by other machines, and passwords would travel there in clear: give --tls-cert and --tls-key, "+
		"or --trust-proxy if a proxy in front speaks TLS, or --plain-http if nobody can listen", cli.ErrUsage, listen)
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// certificate is a certificate in files, which whoever renews it replaces.
type certificate struct {
	cert, key string

	mu     sync.Mutex // guards what follows
	loaded *tls.Certificate
	from   [2]time.Time // when the files were last changed, as of loaded
	looked time.Time
}

// lookAgain bounds how often the files are looked at.
const lookAgain = 10 * time.Second

// current returns the certificate. One that cannot be read does not replace one that could:
// whoever renews writes two files, and not at the same instant.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded != nil && time.Since(c.looked) < lookAgain {
		return c.loaded, nil
	}
	c.looked = time.Now()
	var changed [2]time.Time
	for i, name := range []string{c.cert, c.key} {
		if info, err := os.Stat(name); err == nil {
			changed[i] = info.ModTime()
		}
	}
	if c.loaded != nil && changed == c.from {
		return c.loaded, nil
	}
	fresh, err := tls.LoadX509KeyPair(c.cert, c.key)
	switch {
	case err == nil:
		c.loaded, c.from = &fresh, changed
	case c.loaded == nil:
		return nil, err
	}
	return c.loaded, nil
}
