package apidocs_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/apidocs"
)

var handler = apidocs.Handler("openapi.json")

func request(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func body(t *testing.T, resp *httptest.ResponseRecorder) string {
	t.Helper()
	var r io.Reader = resp.Body
	if resp.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if r, err = gzip.NewReader(resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// referred returns the addresses that the page refers to, apart from the document.
func referred(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(body(t, request(http.MethodGet, "/docs")), -1) {
		if m[1] != "openapi.json" {
			found = append(found, m[1])
		}
	}
	if len(found) < 5 {
		t.Fatalf("the page refers to %q only", found)
	}
	return found
}

func TestEverythingThatThePageRefersToIsServed(t *testing.T) {
	for _, ref := range referred(t) {
		if !strings.HasPrefix(ref, "docs/") {
			t.Errorf("%s is not below the page: it breaks behind a proxy that adds a prefix, or is somebody else's", ref)
			continue
		}
		for _, encoding := range []string{"", "gzip, br", "gzip;q=0", "deflate"} {
			resp := request(http.MethodGet, "/"+ref, "Accept-Encoding", encoding)
			content := body(t, resp)
			if resp.Code != http.StatusOK || len(content) < 20 {
				t.Errorf("%s: status %d, %d bytes", ref, resp.Code, len(content))
			}
			if got := resp.Header().Get("Content-Encoding"); got == "gzip" && encoding != "gzip, br" {
				t.Errorf("%s is compressed for a client that asked for %q", ref, encoding)
			}
			if strings.HasSuffix(ref, ".js") && !strings.HasPrefix(resp.Header().Get("Content-Type"), "text/javascript") {
				t.Errorf("%s has type %s: with nosniff it does not run", ref, resp.Header().Get("Content-Type"))
			}
			if got := resp.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
				t.Errorf("%s: Cache-Control %q", ref, got)
			}
		}
	}
}

func TestStyleSheetsReferToNothingElse(t *testing.T) {
	for _, ref := range referred(t) {
		if !strings.HasSuffix(ref, ".css") {
			continue
		}
		for _, m := range regexp.MustCompile(`url\(\s*["']?([^"')]{0,60})|@import`).FindAllStringSubmatch(body(t, request(http.MethodGet, "/"+ref)), -1) {
			if !strings.HasPrefix(m[1], "data:") {
				t.Errorf("%s refers to %s", ref, m[0])
			}
		}
	}
}

func TestEveryAnswerIsSafe(t *testing.T) {
	for _, path := range []string{"/docs", "/docs/", "/docs/x", "/" + referred(t)[0]} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			h := request(method, path).Header()
			if h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s can be sniffed", method, path)
			}
			csp := h.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
				if !strings.Contains(csp+";", want+";") {
					t.Errorf("%s %s: %q is not in the policy %q", method, path, want, csp)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || strings.Contains(csp, "*") {
				t.Errorf("the policy is open: %s", csp)
			}
		}
	}
}

func TestThePageIsAskedForAgainAndNotSentAgain(t *testing.T) {
	first := request(http.MethodGet, "/docs")
	if got := first.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control %q", got)
	}
	if again := request(http.MethodGet, "/docs", "If-None-Match", "W/"+first.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("status %d", again.Code)
	}
}

func TestAddresses(t *testing.T) {
	asset := "/" + referred(t)[0]
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/docs", 200}, {"HEAD", "/docs", 200}, {"HEAD", asset, 200}, {"POST", "/docs", 405}, {"GET", "/docs/", 308},
		{"GET", "/docs/index.html", 404}, {"GET", "/docs/../etc/passwd", 404}, {"GET", strings.Replace(asset, "/docs/", "/docs/0", 1), 404}, {"GET", asset + "/x", 404},
		{"GET", "/other", 404},
	} {
		resp := request(c.method, c.path)
		if resp.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, resp.Code, c.status)
		}
		if b := body(t, resp); c.method == "HEAD" && b != "" {
			t.Errorf("HEAD %s has a body", c.path)
		}
	}
	if got := request("GET", "/docs/").Header().Get("Location"); got != "../docs" {
		t.Errorf("/docs/ leads to %s", got)
	}
	if got := request("DELETE", "/docs").Header().Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow: %s", got)
	}
}

func TestTheDocumentsAddressIsEscaped(t *testing.T) {
	w := httptest.NewRecorder()
	apidocs.Handler(`x"><script>`).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs", nil))
	if strings.Contains(w.Body.String(), `x"><script>`) {
		t.Error(w.Body)
	}
}
