package cli_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

// heard is a server that notes what it is asked, and has nothing in its lists.
func heard(t *testing.T, serve func(http.Handler) *httptest.Server) (srv *httptest.Server, last func() *http.Request) {
	t.Helper()
	var request *http.Request
	srv = serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request = r
		fmt.Fprint(w, `{"items":[]}`)
	}))
	t.Cleanup(srv.Close)
	return srv, func() *http.Request { return request }
}

func TestFlagsWinOverTheEnvironmentAndThatOverTheContext(t *testing.T) {
	srv, last := heard(t, httptest.NewServer)
	other, lastOther := heard(t, httptest.NewServer)
	configFile(t, fmt.Sprintf("current: home\ncontexts:\n  - name: home\n    server: %s\n    token: of-home\n    subscriber: acme\n"+
		"  - name: lab\n    server: %s\n    token: of-lab\n", srv.URL, other.URL))
	for _, tc := range []struct {
		name              string
		env               map[string]string
		args              string
		from              func() *http.Request
		token, subscriber string
	}{
		{"the current context", nil, "", last, "of-home", "acme"},
		{"another context by flag", nil, "--context lab", lastOther, "of-lab", ""},
		{"another context by environment", map[string]string{"STARLING_CONTEXT": "lab"}, "", lastOther, "of-lab", ""},
		{"flag over environment", map[string]string{"STARLING_CONTEXT": "lab"}, "--context home", last, "of-home", "acme"},
		{"token of the environment", map[string]string{"STARLING_TOKEN": "of-env"}, "", last, "of-env", "acme"},
		{"subscriber of the environment", map[string]string{"STARLING_SUBSCRIBER": "b"}, "", last, "of-home", "b"},
		{"subscriber by flag", map[string]string{"STARLING_SUBSCRIBER": "b"}, "--subscriber c", last, "of-home", "c"},
		{"the same server named again", map[string]string{"STARLING_SERVER": srv.URL}, "", last, "of-home", "acme"},
		{"a server that is not the context's gets nothing of it", map[string]string{"STARLING_SERVER": other.URL}, "", lastOther, "", ""},
		{"server by flag over environment", map[string]string{"STARLING_SERVER": srv.URL}, "--server " + other.URL, lastOther, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			w := &world{T: t}
			w.bare(0, strings.Fields("device list "+tc.args)...)
			r := tc.from()
			want := ""
			if tc.token != "" {
				want = "Bearer " + tc.token
			}
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("authorization %q, want %q", got, want)
			}
			if got := r.Header.Get("Starling-Subscriber"); got != tc.subscriber {
				t.Errorf("subscriber %q, want %q", got, tc.subscriber)
			}
		})
	}
	w := &world{T: t}
	if r := w.bare(cli.ExitUsage, "device", "list", "--context", "no"); !strings.Contains(r.err, "starling context list") {
		t.Errorf("%s", r.err)
	}
}

func TestCertificatesComeFromAFile(t *testing.T) {
	configFile(t, "")
	srv, last := heard(t, httptest.NewTLSServer)
	w := &world{T: t, dir: t.TempDir()}
	w.bare(cli.ExitFailed, "device", "list", "--server", srv.URL) // who signed this?
	if last() != nil {
		t.Fatal("a server that nobody vouches for was asked")
	}
	ca := w.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	w.bare(0, "device", "list", "--server", srv.URL, "--ca-file", ca)
	w.bare(0, "context", "add", "home", "--server", srv.URL, "--ca-file", ca)
	w.bare(0, "device", "list")
	w.bare(cli.ExitUsage, "device", "list", "--ca-file", w.write("none.pem", "nothing"))
}

// A token goes to the server that was named, and not to where that one points.
func TestRedirectionsAreNotFollowed(t *testing.T) {
	configFile(t, "")
	thief, last := heard(t, httptest.NewServer)
	srv := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	t.Setenv("STARLING_TOKEN", "stl_secret")
	w := &world{T: t}
	if r := w.bare(cli.ExitFailed, "device", "list", "--server", srv.URL); !strings.Contains(r.err, "307") || strings.Contains(r.err, "stl_secret") {
		t.Errorf("%s", r.err)
	}
	if last() != nil {
		t.Error("the redirection was followed")
	}
}

func TestWithoutAPlaceForTheConfigurationThatIsSaid(t *testing.T) {
	for _, name := range []string{"STARLING_CONFIG", "HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{T: t}
	if r := w.bare(cli.ExitUsage, "context", "list"); !strings.Contains(r.err, "STARLING_CONFIG") {
		t.Errorf("%s", r.err)
	}
}
