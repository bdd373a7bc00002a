package identity_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/identity"
)

func TestSecretsAreInNoTextForm(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	config := identity.OIDCConfig{Issuer: "https://login.example", ClientID: clientID, ClientSecret: "SECRET", RedirectURL: redirectURL, CookieKey: key}
	o, err := identity.NewOIDC(config, rand.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	user := identity.User{ID: "u1", Login: "ada", PasswordHash: "SECRET"}
	token := identity.Token{ID: "t1", Name: "ci", UserID: "u1", Digest: "SECRET"}
	secrets := []string{"SECRET", string(key), fmt.Sprintf("%d", key), "0x30, 0x31, 0x32", "MDEyMzQ1Njc4"}
	for _, v := range []any{
		user, &user, []identity.User{user}, map[string]identity.User{"x": user}, struct{ U identity.User }{user},
		token, &token, []identity.Token{token}, struct{ T *identity.Token }{&token},
		config, &config, o, struct{ O *identity.OIDC }{o},
	} {
		var texts []string
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			texts = append(texts, fmt.Sprintf(format, v))
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		texts = append(texts, string(text))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		for _, text := range append(texts, log.String()) {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%T as %s", v, text)
				}
			}
		}
	}
}
