package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

// anonymous is a world in which nobody has logged in yet.
func anonymous(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Setenv("STARLING_TOKEN", "")
	w.Setenv("STARLING_CONFIG", filepath.Join(w.dir, "config.yaml"))
	return w
}

func TestLoginIsKeptInTheContext(t *testing.T) {
	w := anonymous(t)
	if r := w.bare(cli.ExitForbidden, "device", "list", "--server", w.url); !strings.Contains(r.err, "starling login --server "+w.url) {
		t.Errorf("%s", r.err)
	}
	w.bare(cli.ExitForbidden, "whoami", "--server", w.url)
	r := w.bareIn(cli.ExitForbidden, "wrong password\n", "login", "--server", w.url, "--login", "admin", "--password-stdin")
	if strings.Contains(r.err, "wrong password") {
		t.Errorf("%s", r.err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "config.yaml")); !os.IsNotExist(err) {
		t.Errorf("a login that failed is kept: %v", err)
	}
	r = w.bareIn(0, aPassword+"\n", "login", "--server", w.url, "--context", "home", "--login", "admin", "--password-stdin", "-o", "json")
	kept, err := os.ReadFile(filepath.Join(w.dir, "config.yaml"))
	if err != nil || !strings.Contains(string(kept), "token: sts_") || strings.Contains(r.out+r.err, "sts_") || strings.Contains(string(kept)+r.out+r.err, aPassword) {
		t.Errorf("%s, %+v, %v", kept, r, err)
	}
	if out := w.bare(0, "whoami").out; !strings.Contains(out, "admin") || !strings.Contains(out, "server:manage") {
		t.Errorf("%s", out)
	}
	w.bare(0, "device", "list")

	// Again, in the same context: no second one is made.
	w.bareIn(0, aPassword+"\n", "login", "-l", "admin", "--password-stdin")
	if out := w.bare(0, "context", "list", "-o", "csv", "--no-headers").out; out != "home,true,"+w.url+",,true,\n" {
		t.Errorf("%q", out)
	}
	token := kept // of the first session
	w.bare(0, "logout")
	if kept, err = os.ReadFile(filepath.Join(w.dir, "config.yaml")); err != nil || strings.Contains(string(kept), "sts_") {
		t.Errorf("%s, %v", kept, err)
	}
	w.bare(cli.ExitForbidden, "whoami")
	w.bare(cli.ExitNotFound, "logout")

	// A session that has ended elsewhere can be forgotten.
	w.write("config.yaml", string(token))
	w.bare(0, "whoami")
	w.bare(0, "logout")
	w.write("config.yaml", string(token))
	w.bare(cli.ExitForbidden, "whoami")
	w.bare(0, "logout")
}

func TestLoginWithoutAnybodyThereSaysHow(t *testing.T) {
	w := anonymous(t)
	for args, says := range map[string]string{
		"login":                            "--login NAME",
		"login --login admin":              "--password-stdin",
		"login --password-stdin":           "--login NAME",
		"login --login a --server nowhere": "such as http://127.0.0.1:8080",
	} {
		if r := w.bare(cli.ExitUsage, append(strings.Fields(args), serverFlag(args, w.url)...)...); !strings.Contains(r.err, says) {
			t.Errorf("%s: %s", args, r.err)
		}
	}
	if r := w.bareIn(cli.ExitUsage, "", "login", "--login", "admin", "--password-stdin", "--server", w.url); !strings.Contains(r.err, "0 lines") {
		t.Errorf("%s", r.err)
	}
}

// serverFlag names a server unless the arguments do.
func serverFlag(args, url string) []string {
	if strings.Contains(args, "--server") {
		return nil
	}
	return []string{"--server", url}
}

func TestLogoutKeepsATokenThatTheServerWasNotToldAbout(t *testing.T) {
	w := anonymous(t)
	w.write("config.yaml", "current: home\ncontexts:\n  - name: home\n    server: http://127.0.0.1:1\n    token: sts_x\n")
	if r := w.bare(cli.ExitFailed, "logout"); !strings.Contains(r.err, "--forget") {
		t.Errorf("%s", r.err)
	}
	w.bare(0, "logout", "--forget")
	if out := w.bare(0, "context", "show", "-o", "json").out; !strings.Contains(out, `"token_set": false`) {
		t.Errorf("%s", out)
	}
}

func TestUsersAreManaged(t *testing.T) {
	w := newWorld(t)
	made := w.runIn(w.Context(), "joes first password\n", "user", "create", "--login", "joe", "--name", "Joe", "--role", "operator", "--password-stdin", "-o", "json")
	var joe map[string]any
	if err := json.Unmarshal([]byte(made.out), &joe); err != nil || made.code != 0 || joe["subscriber_id"] != "default" || joe["role"] != "operator" || joe["password_set"] != true {
		t.Fatalf("%+v, %v", made, err)
	}
	id := joe["id"].(string)
	if server := w.made("subscriber_id", "user", "create", "--login", "root", "--role", "administrator", "--of-subscriber="); server != "" {
		t.Errorf("a user of the server is of %q", server)
	}
	if out := w.run(0, "user", "list", "-f", "role=operator", "--sort=-login", "-o", "id").out; out != id+"\n" {
		t.Errorf("%q", out)
	}
	w.run(0, "user", "update", id, "--name", "Joe B.")
	if out := w.run(0, "user", "show", id).out; !strings.Contains(out, "Joe B.") {
		t.Errorf("%s", out)
	}
	if out := w.run(0, "user", "export").out; !strings.Contains(out, "joe") {
		t.Errorf("%s", out)
	}
	w.run(cli.ExitInvalid, "user", "create", "--login", "not a login")
	w.run(cli.ExitUsage, "user", "create", "--login", "x", "--role", "king")
	if r := w.runIn(w.Context(), "short\n", "user", "password", id, "--password-stdin"); r.code != cli.ExitInvalid || strings.Contains(r.err, "short\n") {
		t.Errorf("%+v", r)
	}
	if r := w.runIn(w.Context(), "joes second password\n", "user", "password", id, "--password-stdin"); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if r := w.run(cli.ExitUsage, "user", "password", id); !strings.Contains(r.err, "--password-stdin") {
		t.Errorf("%s", r.err)
	}

	// Joe sets his own: the current one first.
	config := filepath.Join(w.dir, "joe.yaml")
	w.Setenv("STARLING_TOKEN", "")
	w.Setenv("STARLING_CONFIG", config)
	w.bareIn(0, "joes second password\n", "login", "-l", "joe", "--password-stdin", "--server", w.url)
	w.bareIn(cli.ExitUsage, "joes third password\n", "user", "password", "--password-stdin")
	w.bareIn(0, "joes second password\njoes third password\n", "user", "password", "--password-stdin")
	w.bareIn(0, "joes third password\n", "login", "-l", "joe", "--password-stdin")
	w.bare(cli.ExitForbidden, "user", "list") // he is an operator
}

func TestTokensAreShownOnceOrKept(t *testing.T) {
	w := newWorld(t)
	secret := w.made("secret", "token", "create", "--name", "ci", "--scope", "fleet:read", "--expires-in", "1h")
	if !strings.HasPrefix(secret, "stl_") {
		t.Errorf("secret %.4s...", secret)
	}
	if out := w.run(0, "token", "list", "-o", "wide").out; strings.Contains(out, secret) || !strings.Contains(out, "fleet:read") {
		t.Errorf("%s", out)
	}
	r := w.runIn(w.Context(), "", "token", "create", "--name", "lab", "--into-context", "lab", "-o", "json")
	var made map[string]any
	if err := json.Unmarshal([]byte(r.out), &made); err != nil || r.code != 0 || made["secret"] != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	w.run(0, "token", "create", "--name", "later", "--expires", "2100-01-01T00:00:00Z")
	if r := w.run(cli.ExitUsage, "token", "create", "--name", "soon", "--expires", "90d"); !strings.Contains(r.err, "2026-03-01T02:00:00Z") {
		t.Errorf("%s", r.err)
	}
	w.run(cli.ExitUsage, "token", "create", "--name", "both", "--expires", "2100-01-01T00:00:00Z", "--expires-in", "1h")
	if out := w.runIn(w.Context(), "", "token", "create", "--name", "dry", "--dry-run").out; !strings.Contains(out, "dry") {
		t.Errorf("%s", out)
	}
	w.Setenv("STARLING_TOKEN", "")
	if out := w.bare(0, "whoami", "--context", "lab", "-o", "json").out; !strings.Contains(out, made["id"].(string)) {
		t.Errorf("%s", out)
	}
	w.bare(0, "token", "revoke", made["id"].(string))
	w.bare(cli.ExitForbidden, "whoami", "--context", "lab")
}

func TestSubscribersAreManagedAndActedIn(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.run(0, "subscriber", "create", "--id", "acme", "--name", "Acme", "--quota-devices", "1", "--default-band", "EU868", "--default-max-duration", "72h",
		"--version-max-age", "720h", "--as-key-file", w.write("as", "password of the network"))
	x := w.shown("subscriber", "acme")
	w.want(x, "quota", `{"devices":1,"groups":0,"running_campaigns":0}`)
	w.want(x, "version_max_age_s", "2592000")
	w.want(x, "as_key_set", "true")
	if out := w.run(0, "device", "list", "--subscriber", "acme", "-o", "id").out; out != "" {
		t.Errorf("acme sees %q", out)
	}
	profile := w.made("id", "profile", "create", "--name", "meter", "--producer", "acme", "--module", "m", "--subscriber", "acme")
	w.run(0, "device", "create", "--dev-eui", "0300000000000000", "--name", "theirs", "--profile", profile, "--subscriber", "acme")
	w.run(cli.ExitConflict, "device", "create", "--dev-eui", "0400000000000000", "--profile", profile, "--subscriber", "acme")
	w.run(cli.ExitNotFound, "device", "show", "0300000000000000")
	w.run(cli.ExitUsage, "subscriber", "update", "acme")
	w.run(0, "subscriber", "update", "acme", "--quota-devices", "0")
	if out := w.run(0, "subscriber", "list", "-q", "acme", "-o", "id").out; out != "acme\n" {
		t.Errorf("%q", out)
	}
	if out := w.run(0, "subscriber", "export").out; !strings.Contains(out, "acme") || strings.Contains(out, "password of") {
		t.Errorf("%s", out)
	}
}
