package identity

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// MaxLogin is the longest login, in characters.
const MaxLogin = 64

// maxReference bounds identifiers that others make, such as the subject of an OpenID
// provider (at most 255 ASCII characters by OpenID Connect Core 1.0, "sub").
const maxReference = 255

// User is a person, or a program that somebody is responsible for.
type User struct {
	ID           string    `json:"id"`
	Login        string    `json:"login"` // as ParseLogin returns it; unique on the server
	Name         string    `json:"name,omitempty"`
	SubscriberID string    `json:"subscriber_id,omitempty"` // "": of the server
	Role         Role      `json:"role"`
	PasswordHash string    `json:"-"`                      // as HashPassword returns it; "": cannot log in by password
	OIDCSubject  string    `json:"oidc_subject,omitempty"` // "sub" of the OpenID provider; "": cannot log in by it
	Archived     bool      `json:"archived"`               // cannot log in, and its tokens are refused
	CreatedAt    time.Time `json:"created_at,omitzero"`
	UpdatedAt    time.Time `json:"updated_at,omitzero"`
	LastLogin    time.Time `json:"last_login,omitzero"`
	Revision     int64     `json:"revision"` // rises with every stored change
}

// ParseLogin returns the form of s in which logins are stored and compared: without
// blanks around it, A-Z as a-z. It returns a *fleet.FieldError of the field "login" if s
// is not 1 to MaxLogin characters out of a-z, 0-9 and . _ - @ +.
//
// Only ASCII is lower-cased: by the rules of Unicode the Kelvin sign becomes a k, and
// somebody else's login.
func ParseLogin(s string) (string, error) {
	login := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, strings.TrimSpace(s))
	var c checks
	c.login(login)
	if len(c) > 0 {
		return "", c[0]
	}
	return login, nil
}

// login checks a login in its stored form.
func (c *checks) login(s string) {
	const use = "use 1 to 64 characters: a-z, 0-9 and . _ - @ +"
	switch {
	case s == "":
		c.that(false, "login", "is missing", use)
	case len(s) > MaxLogin:
		c.that(false, "login", fmt.Sprintf("is longer than %d characters", MaxLogin), use)
	case strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-@+") != "":
		c.that(false, "login", "holds other characters", use)
	}
}

// Validate reports everything that is wrong with u, as joined FieldErrors.
func (u User) Validate() error {
	var c checks
	c.login(u.Login)
	c.text("name", u.Name, fleet.MaxName)
	c.text("subscriber_id", u.SubscriberID, maxReference)
	c.text("oidc_subject", u.OIDCSubject, maxReference)
	if u.PasswordHash != "" {
		_, err := parseHash(u.PasswordHash)
		c.that(err == nil, "password", "is not stored as an argon2id hash", "set the password again")
	}
	c.that(u.Role <= Administrator, "role", "is unknown", "use one of "+quoted(roleNames))
	return c.err()
}

// Server reports whether u belongs to no subscriber, but to the server.
func (u User) Server() bool { return u.SubscriberID == "" }

// Permissions returns what u may do; nothing when archived.
func (u User) Permissions() Permissions {
	if u.Archived {
		return 0
	}
	return u.Role.Permissions(u.Server())
}

// String returns login, role and subscriber: the password hash has no text form.
func (u User) String() string {
	in := u.SubscriberID
	if u.Server() {
		in = "the server"
	}
	return fmt.Sprintf("%s (%s of %s)", u.Login, u.Role, in)
}

// GoString keeps the hash out of %#v too.
func (u User) GoString() string { return fmt.Sprintf("identity.User{%q, %s}", u.ID, u) }

// LogValue returns what a log may know of u.
func (u User) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", u.ID), slog.String("login", u.Login),
		slog.String("subscriber_id", u.SubscriberID), slog.String("role", u.Role.String()),
	)
}
