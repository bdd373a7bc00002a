package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

// asked is what a server was asked once.
type asked struct{ method, key, body string }

// scripted is a server that answers one request after the other by its steps, the last
// one for ever. got returns what it was asked so far: with a connection that is lost, nothing else
// says that the server is done.
func scripted(t *testing.T, steps ...http.HandlerFunc) (url string, got func() []asked) {
	t.Helper()
	var mu sync.Mutex
	var all []asked // guarded by mu
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		all = append(all, asked{r.Method, r.Header.Get("Idempotency-Key"), string(b)})
		step := steps[min(len(all), len(steps))-1]
		mu.Unlock()
		step(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []asked {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// lose ends the connection without an answer.
func lose(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// answer answers with a status, headers as "Name: value" and a body.
func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// problem answers with a problem document.
func problem(status int, code string, headers ...string) http.HandlerFunc {
	return answer(status, fmt.Sprintf(`{"title":"Not now","status":%d,"code":%q}`, status, code), headers...)
}

// broken answers with less than it promised.
func broken(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	fmt.Fprint(w, `{"dev_eui":`)
}

func TestWhatDoesNoHarmIsTriedAgain(t *testing.T) {
	made := answer(201, `{"dev_eui":"01"}`)
	for _, tc := range []struct {
		name     string
		args     string
		steps    []http.HandlerFunc
		code     int
		requests int
		says     string
	}{
		{"a lost connection", "device create --name x", []http.HandlerFunc{lose, made}, 0, 2, "the connection broke, trying again in 250ms"},
		{"a broken answer", "device create --name x", []http.HandlerFunc{broken, made}, 0, 2, "the connection broke"},
		{"a server that wants patience", "device create --name x", []http.HandlerFunc{problem(429, "rate_limited", "Retry-After: 0"), made}, 0, 2, "asks for patience (429"},
		{"a server that starts", "device list", []http.HandlerFunc{problem(503, "unavailable", "Retry-After: 0"), answer(200, `{"items":[]}`)}, 0, 2, "asks for patience (503"},
		{"a date that is over", "device list", []http.HandlerFunc{problem(503, "unavailable", "Retry-After: Mon, 02 Jan 2006 15:04:05 GMT"), answer(200, `{"items":[]}`)}, 0, 2, "in 0s"},
		{"the first attempt is still going on", "device create --name x", []http.HandlerFunc{lose, problem(409, "idempotency_pending"), made}, 0, 3, "busy with the first attempt"},
		{"it ends after a while", "device list", []http.HandlerFunc{problem(503, "unavailable", "Retry-After: 0")}, cli.ExitFailed, 5, "Not now"},
		{"a server that does not say when", "device list", []http.HandlerFunc{problem(503, "unavailable")}, cli.ExitFailed, 1, "Not now"},
		{"more patience than there is", "device list", []http.HandlerFunc{problem(429, "rate_limited", "Retry-After: 31")}, cli.ExitFailed, 1, "Try again in 31s"},
		{"a conflict of its own", "device create --name x", []http.HandlerFunc{problem(409, "conflict")}, cli.ExitConflict, 1, "Not now"},
		{"a pending request of somebody else", "device create --name x", []http.HandlerFunc{problem(409, "idempotency_pending")}, cli.ExitConflict, 1, "Not now"},
		{"a change may have been done", "device update 01 --name x", []http.HandlerFunc{lose, made}, cli.ExitFailed, 1, "EOF"},
		{"an archive may have been done", "device archive 01", []http.HandlerFunc{lose, made}, cli.ExitFailed, 1, "EOF"},
		{"a table that came through a pipe", "device import -", []http.HandlerFunc{lose, made}, cli.ExitFailed, 1, "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			configFile(t, "")
			url, asks := scripted(t, tc.steps...)
			w := &world{T: t}
			r := w.bareIn(tc.code, "rows", append(strings.Fields(tc.args), "--server", url)...)
			got := asks()
			if len(got) != tc.requests || !strings.Contains(r.err, tc.says) {
				t.Errorf("%d requests, want %d; says %q, want %q", len(got), tc.requests, r.err, tc.says)
			}
			for _, g := range got {
				if first := got[0]; g != first || (g.method == "POST") != (g.key != "") {
					t.Errorf("%+v after %+v", g, first)
				}
			}
		})
	}
}

func TestEveryPostHasAKeyOfItsOwn(t *testing.T) {
	configFile(t, "")
	url, got := scripted(t, answer(201, `{}`))
	w := &world{T: t}
	for range 2 {
		w.bare(0, "device", "create", "--name", "x", "--server", url)
	}
	if a, b := got()[0].key, got()[1].key; len(a) != 36 || a == b {
		t.Errorf("%q and %q", a, b)
	}
}

func TestPatienceEndsWithTheTimeout(t *testing.T) {
	configFile(t, "")
	url, _ := scripted(t, problem(429, "rate_limited", "Retry-After: 20"))
	w := &world{T: t}
	w.bare(cli.ExitTimeout, "device", "list", "--server", url, "--timeout", "50ms")
}

func TestWhoIsNobodyIsToldHowToLogIn(t *testing.T) {
	url, _ := scripted(t, problem(401, "unauthenticated"))
	configFile(t, "current: home\ncontexts:\n  - name: home\n    server: "+url+"\n")
	w := &world{T: t}
	if r := w.bare(cli.ExitForbidden, "device", "list"); !strings.Contains(r.err, `There is no token for `+url+`: use "starling login --context home"`) {
		t.Errorf("%s", r.err)
	}
	t.Setenv("STARLING_TOKEN", "old")
	if r := w.bare(cli.ExitForbidden, "device", "list"); !strings.Contains(r.err, "no longer, valid") {
		t.Errorf("%s", r.err)
	}
}
