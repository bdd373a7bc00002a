package identity

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// TokenKind says what a token is for. The zero value is KindAPI.
type TokenKind uint8

// Kinds of tokens. Both are stored, listed and revoked in the same way.
const (
	KindAPI     TokenKind = iota // made by a user for a program
	KindSession                  // made by logging in
)

var kindNames = []string{"api", "session"}

// ParseTokenKind reads "api" or "session"; case does not matter.
func ParseTokenKind(s string) (TokenKind, error) {
	return parseEnum[TokenKind]("token kind", kindNames, s)
}

// String returns "api" or "session".
func (k TokenKind) String() string { return enumText(kindNames, k) }

// MarshalText returns "api" or "session", or fleet.ErrText.
func (k TokenKind) MarshalText() ([]byte, error) { return marshalEnum("token kind", kindNames, k) }

// UnmarshalText reads what ParseTokenKind reads.
func (k *TokenKind) UnmarshalText(b []byte) (err error) {
	*k, err = ParseTokenKind(string(b))
	return err
}

// Token is a right to act as a user without the password. Its secret is known to the
// holder alone; here is only the digest.
type Token struct {
	ID           string       `json:"id"`
	Name         string       `json:"name,omitempty"` // what it is for, or where the session began
	UserID       string       `json:"user_id"`
	SubscriberID string       `json:"subscriber_id,omitempty"` // that of the user
	Kind         TokenKind    `json:"kind"`
	Scopes       []Permission `json:"scopes,omitempty"` // empty: all that the user may
	Digest       string       `json:"-"`                // as Digest returns it: 64 hexadecimal digits
	CreatedAt    time.Time    `json:"created_at,omitzero"`
	UpdatedAt    time.Time    `json:"updated_at,omitzero"`
	ExpiresAt    time.Time    `json:"expires_at,omitzero"` // zero: never; sessions always have one
	LastUsed     time.Time    `json:"last_used,omitzero"`
	Archived     bool         `json:"archived"` // revoked
	Revision     int64        `json:"revision"` // rises with every stored change
}

// Validate reports everything that is wrong with t, as joined FieldErrors.
func (t Token) Validate() error {
	var c checks
	c.that(t.Kind <= KindSession, "kind", "is unknown", "use one of "+quoted(kindNames))
	c.that(t.Kind == KindSession || t.Name != "", "name", "is empty", "say what the token is for: you will want to know which one to revoke")
	c.text("name", t.Name, fleet.MaxName)
	c.text("subscriber_id", t.SubscriberID, maxReference)
	c.that(t.UserID != "", "user_id", "is missing", "a token acts as a user")
	raw, err := hex.DecodeString(t.Digest)
	c.that(err == nil && len(raw) == digestSize && hex.EncodeToString(raw) == t.Digest, "digest", "is not a digest of a token", "")
	seen := make(map[Permission]bool, len(t.Scopes))
	for i, p := range t.Scopes {
		at := fmt.Sprintf("scopes[%d]", i)
		c.that(p.Known(), at, "is unknown", "use some of "+quoted(permissions))
		c.that(!seen[p], at, "is in the list twice", "remove one of them")
		seen[p] = true
	}
	c.that(t.Kind != KindSession || !t.ExpiresAt.IsZero(), "expires_at", "is missing", "a session ends by itself")
	c.that(t.ExpiresAt.IsZero() || t.ExpiresAt.After(t.CreatedAt), "expires_at", "is not after the token was made", "give a time in the future, or none")
	return c.err()
}

// Live reports whether t can be used at now: neither revoked nor expired.
func (t Token) Live(now time.Time) bool {
	return !t.Archived && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// Permissions returns what t allows to a user who may do all of user. Scopes that are
// all unknown, as after a permission was given up, allow nothing rather than everything.
func (t Token) Permissions(user Permissions) Permissions {
	if len(t.Scopes) == 0 {
		return user
	}
	return user.Intersect(PermissionsOf(t.Scopes...))
}

// String returns kind, identifier and name: neither secret nor digest has a text form.
func (t Token) String() string {
	if t.Name == "" {
		return fmt.Sprintf("%s token %s", t.Kind, t.ID)
	}
	return fmt.Sprintf("%s token %s (%s)", t.Kind, t.ID, t.Name)
}

// GoString keeps the digest out of %#v too.
func (t Token) GoString() string { return fmt.Sprintf("identity.Token{%s}", t) }

// LogValue returns what a log may know of t.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", t.ID), slog.String("kind", t.Kind.String()), slog.String("user_id", t.UserID))
}
