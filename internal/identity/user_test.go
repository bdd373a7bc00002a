package identity_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
)

// noon is the time of these tests.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fields returns the fields that err complains about.
func fields(err error) []string {
	var out []string
	for _, f := range fleet.FieldErrors(err) {
		out = append(out, f.Field)
	}
	return out
}

func TestLoginsAreComparedInOneForm(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"ada", "ada"},
		{"  Ada.Lovelace@Example.ORG ", "ada.lovelace@example.org"},
		{"0_-+@.", "0_-+@."},
		{strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{strings.Repeat("x", 65), ""},
		{"", ""},
		{" ", ""},
		{"ada lovelace", ""},
		{"ada\n", "ada"},
		{"a\x00a", ""},
		{"zo\u00eb", ""},
		{"\u212aate", ""}, // the Kelvin sign is no k, though lower-casing makes it one
		{"\u0430da", ""},  // a Cyrillic a
		{identity.SystemLogin, ""},
	} {
		got, err := identity.ParseLogin(tc.text)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%q: %q, %v", tc.text, got, err)
		}
		var f *fleet.FieldError
		if err != nil && (!errors.As(err, &f) || f.Field != "login" || f.Hint == "") {
			t.Errorf("%q: %v does not say what to do with the login", tc.text, err)
		}
	}
}

func TestUserValidate(t *testing.T) {
	const hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, tc := range []struct {
		name string
		user identity.User
		want []string
	}{
		{"least", identity.User{Login: "ada"}, nil},
		{"all", identity.User{Login: "ada", Name: "Ada Lovelace", SubscriberID: "default", Role: identity.Administrator, PasswordHash: hash, OIDCSubject: "248289761001"}, nil},
		{"empty", identity.User{}, []string{"login"}},
		{"not the stored form", identity.User{Login: "Ada"}, []string{"login"}},
		{"password in clear", identity.User{Login: "ada", PasswordHash: "correct horse battery staple"}, []string{"password"}},
		{"everything", identity.User{Login: "a b", Name: "a\nb", SubscriberID: "a\x00", OIDCSubject: strings.Repeat("x", 256), Role: 9},
			[]string{"login", "name", "subscriber_id", "oidc_subject", "role"}},
		{"long name", identity.User{Login: "ada", Name: strings.Repeat("é", fleet.MaxName+1)}, []string{"name"}},
		{"not UTF-8", identity.User{Login: "ada", Name: "\xff"}, []string{"name"}},
	} {
		if got := fields(tc.user.Validate()); !slices.Equal(got, tc.want) {
			t.Errorf("%s: complaints about %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestTokenValidate(t *testing.T) {
	digest := identity.Digest("x")
	good := identity.Token{Name: "ci", UserID: "u1", Digest: digest, CreatedAt: noon}
	with := func(change func(*identity.Token)) identity.Token {
		tok := good
		change(&tok)
		return tok
	}
	for _, tc := range []struct {
		name  string
		token identity.Token
		want  []string
	}{
		{"api", good, nil},
		{"session", identity.Token{Kind: identity.KindSession, UserID: "u1", Digest: digest, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}, nil},
		{"empty", identity.Token{}, []string{"name", "user_id", "digest"}},
		{"session for ever", with(func(k *identity.Token) { k.Kind = identity.KindSession }), []string{"expires_at"}},
		{"expired at birth", with(func(k *identity.Token) { k.ExpiresAt = noon }), []string{"expires_at"}},
		{"unknown kind", with(func(k *identity.Token) { k.Kind = 2 }), []string{"kind"}},
		{"secret instead of digest", with(func(k *identity.Token) { k.Digest = "stl_x" }), []string{"digest"}},
		{"digest in upper case", with(func(k *identity.Token) { k.Digest = strings.ToUpper(digest) }), []string{"digest"}},
		{"scopes", with(func(k *identity.Token) { k.Scopes = identity.AllPermissions() }), nil},
		{"bad scopes", with(func(k *identity.Token) { k.Scopes = []identity.Permission{"self", "root", "self"} }), []string{"scopes[1]", "scopes[2]"}},
	} {
		if got := fields(tc.token.Validate()); !slices.Equal(got, tc.want) {
			t.Errorf("%s: complaints about %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestJSONIsSnakeCaseAndComesBack(t *testing.T) {
	u := identity.User{ID: "u1", Login: "ada", SubscriberID: "s1", Role: identity.Operator, OIDCSubject: "sub", CreatedAt: noon, Revision: 2}
	text, err := json.Marshal(u)
	const wantUser = `{"id":"u1","login":"ada","subscriber_id":"s1","role":"operator","oidc_subject":"sub","archived":false,"created_at":"2026-03-01T12:00:00Z","revision":2}`
	if err != nil || string(text) != wantUser {
		t.Errorf("user %s, %v", text, err)
	}
	var back identity.User
	if err := json.Unmarshal(text, &back); err != nil || back != u {
		t.Errorf("user came back as %+v, %v", back, err)
	}
	text, err = json.Marshal(identity.Token{ID: "t1", Name: "ci", UserID: "u1", Scopes: []identity.Permission{identity.Self}, ExpiresAt: noon})
	const wantToken = `{"id":"t1","name":"ci","user_id":"u1","kind":"api","scopes":["self"],"expires_at":"2026-03-01T12:00:00Z","archived":false,"revision":0}`
	if err != nil || string(text) != wantToken {
		t.Errorf("token %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"role":"root"}`), &back); !errors.Is(err, fleet.ErrText) {
		t.Errorf("role root: %v", err)
	}
}
