package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// User is "user".
type User struct {
	Connection
	List     List               `cmd:"" help:"List users."`
	Show     Show               `cmd:"" help:"Show a user."`
	Create   Create[newUser]    `cmd:"" help:"Create a user."`
	Update   Update[userFields] `cmd:"" help:"Change a user."`
	Archive  Archive            `cmd:"" help:"Keep users from logging in, and refuse their tokens."`
	Password setPassword        `cmd:"" help:"Set a password."`
	Export   exportList         `cmd:"" help:"Write all users as a table, without passwords."`
}

func (*User) noun() *noun {
	return &noun{path: "users", fields: "archived, created_at, id, login, name, role, subscriber_id, updated_at", only: "oidc_subject",
		columns: columns{"id", "login", "name", "role", "subscriber_id", "last_login"},
		wide:    append(columns{"oidc_subject", "password_set"}, stamps...)}
}

type userFields struct {
	noSecrets
	Login       *string `json:"login,omitempty" help:"What somebody logs in with: a-z, 0-9 and . _ - @ +."`
	Name        *string `json:"name,omitempty" help:"For people."`
	Role        *string `json:"role,omitempty" enum:"viewer,operator,administrator" placeholder:"ROLE" help:"viewer (reads), operator (changes and runs campaigns) or administrator (manages users and reveals keys)."`
	OIDCSubject *string `json:"oidc_subject,omitempty" name:"oidc-subject" placeholder:"SUB" help:"Who it is at the OpenID provider."`
}

// newUser is what only "create" can say.
type newUser struct {
	userFields
	SubscriberID  *string `json:"subscriber_id,omitempty" name:"of-subscriber" placeholder:"ID" complete:"subscribers" help:"Subscriber that the user belongs to; none: the one that is acted in; \"\": the server itself."`
	PasswordStdin bool    `json:"-" help:"Read a password from standard input; without, one can be set with \"starling user password\"."`
}

// secrets reads the first password.
func (u newUser) secrets(_ context.Context, std *Streams) (map[string]string, error) {
	if !u.PasswordStdin {
		return nil, nil
	}
	lines, err := std.secretLines(1)
	if err != nil {
		return nil, err
	}
	return map[string]string{"password": lines[0]}, nil
}

type setPassword struct {
	ID            string `arg:"" optional:"" complete:"ids" help:"Identifier of the user; none: your own password, for which the current one is asked too."`
	PasswordStdin bool   `help:"Read the password from standard input, for your own the current one in a line before it, instead of asking at the terminal."`
}

// Run sets the password. All sessions of the user end, says the server.
func (s *setPassword) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	id, body := s.ID, map[string]string{}
	own := id == ""
	if own {
		raw, err := c.call(ctx, http.MethodGet, nil, nil, "session")
		if err != nil {
			return err
		}
		var me struct {
			UserID string `json:"user_id"`
		}
		if err := json.Unmarshal(raw, &me); err != nil || me.UserID == "" {
			return errors.New("the server does not say who you are: name the user")
		}
		id = me.UserID
	}
	if err := s.read(ctx, std, own, body); err != nil {
		return err
	}
	if _, err := c.call(ctx, http.MethodPut, nil, body, n.path, id, "password"); err != nil {
		return err
	}
	fmt.Fprintln(std.Err, "the password is set")
	return nil
}

// read reads or asks for the passwords.
func (s *setPassword) read(ctx context.Context, std *Streams, own bool, body map[string]string) (err error) {
	names := []string{"password"}
	if own {
		names = []string{"current", "password"}
	}
	if s.PasswordStdin {
		lines, err := std.secretLines(len(names))
		for i, line := range lines {
			body[names[i]] = line
		}
		return err
	}
	if std.answers() == nil {
		return errNobody
	}
	if own {
		if body["current"], err = std.ask(ctx, "Current password: ", true); err != nil {
			return err
		}
	}
	body["password"], err = std.newPassword(ctx)
	return err
}

// Token is "token".
type Token struct {
	Connection
	List    List        `cmd:"" help:"List API tokens and sessions, without their secrets."`
	Show    Show        `cmd:"" help:"Show an API token, without its secret."`
	Create  createToken `cmd:"" help:"Create an API token."`
	Archive Archive     `cmd:"" aliases:"revoke" help:"Revoke tokens."`
}

func (*Token) noun() *noun {
	return &noun{path: "tokens", fields: "archived, created_at, expires_at, id, kind, name, subscriber_id, updated_at, user_id",
		columns: columns{"id", "name", "kind", "user_id", "scopes", "expires_at", "last_used"},
		wide:    append(columns{"subscriber_id"}, stamps...)}
}

type createToken struct {
	Name        string     `required:"" placeholder:"TEXT" help:"What it is for."`
	Scope       []string   `placeholder:"PERMISSION" complete:"permissions" help:"What it may do, such as fleet:read; none: all that you may."`
	Expires     *time.Time `placeholder:"TIME" xor:"expiry" help:"When it ends, such as 2027-01-01T00:00:00Z; none: never."`
	ExpiresIn   *seconds   `placeholder:"TIME" xor:"expiry" help:"After which time it ends, such as 90d."`
	IntoContext string     `placeholder:"NAME" complete:"contexts" help:"Keep it in this context, which is made if it is not there, instead of writing it."`
	DryRun      bool       `help:"Show what would be sent, and send nothing."`
}

// Help is shown below the summary of the command.
func (*createToken) Help() string {
	return "The secret is shown this once: nobody can read it again, only revoke it."
}

// Run creates the token, and writes it or keeps it in a context.
func (t *createToken) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	body := map[string]any{"name": t.Name}
	if len(t.Scope) > 0 {
		body["scopes"] = t.Scope
	}
	switch {
	case t.Expires != nil:
		body["expires_at"] = t.Expires.UTC()
	case t.ExpiresIn != nil:
		body["expires_at"] = time.Now().Add(time.Duration(float64(*t.ExpiresIn) * float64(time.Second))).UTC().Truncate(time.Second)
	}
	if t.DryRun {
		return c.wouldSend(std, body)
	}
	var cfg *Config
	if t.IntoContext != "" {
		// Looked at first: a secret that cannot be kept is lost.
		var err error
		if cfg, err = LoadConfig(); err != nil {
			return err
		}
	}
	raw, err := c.call(ctx, http.MethodPost, nil, body, n.path)
	if err != nil {
		return err
	}
	if cfg == nil {
		return c.show(std.Out, raw)
	}
	var made struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(raw, &made); err != nil || made.Secret == "" {
		return errors.New("the server answered without a secret: is it older than this program?")
	}
	x := c.to
	x.Name, x.Token = t.IntoContext, made.Secret
	cfg.Put(x)
	if err := cfg.Save(); err != nil {
		return fmt.Errorf("the token was made, but could not be kept; revoke it: %w", err)
	}
	if raw, err = without(raw, "secret"); err != nil {
		return err
	}
	return c.show(std.Out, raw)
}
