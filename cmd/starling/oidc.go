package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/identity"
)

// openID are the flags for logging in through an OpenID provider.
type openID struct {
	Issuer           string `env:"STARLING_OIDC_ISSUER" placeholder:"URL" help:"OpenID provider that people log in through (${env})."`
	ClientID         string `name:"client-id" env:"STARLING_OIDC_CLIENT_ID" placeholder:"ID" help:"What the provider knows this server as (${env})."`
	ClientSecretFile string `env:"STARLING_OIDC_CLIENT_SECRET_FILE" placeholder:"FILE" help:"File that holds the secret of this server at the provider; none: a public client (${env})."`
	PublicURL        string `env:"STARLING_OIDC_PUBLIC_URL" placeholder:"URL" help:"Where browsers reach this server; the provider sends people back there (${env})."`
}

// provider returns the provider, or nil without one. It is asked when somebody logs in, so that
// the server starts without it.
func (o *openID) provider() (*identity.OIDC, error) {
	if o.Issuer == "" {
		return nil, nil
	}
	if o.PublicURL == "" {
		return nil, fmt.Errorf("%w: --oidc-public-url is missing: the provider must know where to send people back to", cli.ErrUsage)
	}
	var secret []byte
	if o.ClientSecretFile != "" {
		var err error
		if secret, err = os.ReadFile(o.ClientSecretFile); err != nil {
			return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
		}
	}
	// Of this process: who is at the provider when it ends begins again.
	cookieKey := make([]byte, identity.CookieKeySize)
	if _, err := rand.Read(cookieKey); err != nil {
		return nil, err
	}
	p, err := identity.NewOIDC(identity.OIDCConfig{CookieKey: cookieKey, Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: strings.TrimSpace(string(secret)),
		RedirectURL: strings.TrimSuffix(o.PublicURL, "/") + api.Prefix + "/session/oidc/callback"}, rand.Reader, time.Now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	return p, nil
}
