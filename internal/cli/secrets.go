package cli

import (
	"context"
	"net/http"
)

// Secret is "secret": how the keys of all objects are kept.
type Secret struct {
	Connection
	Status secretStatus `cmd:"" help:"Show which keys seal the secrets of the server."`
	Rotate rotate       `cmd:"" help:"Seal all secrets under a new key-encryption key."`
}

type secretStatus struct{}

// Run writes the key-encryption keys and what is sealed under them, by identifiers.
func (secretStatus) Run(ctx context.Context, c *Client, std *Streams) error {
	raw, err := c.call(ctx, http.MethodGet, nil, nil, "secrets")
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

type rotate struct {
	Yes    bool `help:"Do it without being asked."`
	NoWait bool `help:"Write the job and do not wait for its end."`
}

// Help is shown below the summary of the command.
func (*rotate) Help() string {
	return `The server goes on meanwhile. Keep a copy of the keyring with each backup of the database:
a backup from before needs the key from before.`
}

// Run begins the rotation and waits for its end.
func (r *rotate) Run(ctx context.Context, c *Client, std *Streams) error {
	if err := std.confirm(ctx, "seal all secrets under a new key", r.Yes); err != nil {
		return err
	}
	raw, err := c.call(ctx, http.MethodPost, nil, nil, "secrets", "rotations")
	if err != nil {
		return err
	}
	return c.follow(ctx, std, raw, !r.NoWait)
}
