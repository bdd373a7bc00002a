package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/identity"
)

// A server that is started with a provider sends people there, with a cookie that it can open again.
func TestPeopleAreSentToTheProvider(t *testing.T) {
	mux := http.NewServeMux()
	provider := httptest.NewServer(mux)
	defer provider.Close()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": provider.URL, "authorization_endpoint": provider.URL + "/authorize",
			"token_endpoint": provider.URL + "/token", "jwks_uri": provider.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	s := start(t)
	s.serveHere("--oidc-issuer", provider.URL, "--oidc-client-id", "starling", "--oidc-public-url", "https://starling.example.org")
	defer s.end()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(s.url + "/api/v1/session/oidc")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	to, cookies := res.Header.Get("Location"), res.Cookies()
	if res.StatusCode != http.StatusFound || !strings.HasPrefix(to, provider.URL+"/authorize?") || len(cookies) != 1 || cookies[0].Name != identity.OIDCCookie {
		t.Errorf("%d, to %q with %v", res.StatusCode, to, cookies)
	}
}
