package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

func run(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = cli.Run(context.Background(), &commands{}, args, cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func TestWrongUseSaysWhatToDo(t *testing.T) {
	for args, says := range map[string]string{
		"":                                   "starling --help",
		"serv":                               `did you mean one of "serve"`,
		"serve --database mysql:x":           "use sqlite:FILE",
		"serve --database sqlite:":           "use sqlite:FILE",
		"serve --log-level loud":             "must be one of",
		"serve --listen":                     "expected string value",
		"version --verbose":                  "starling version --help",
		"campaign start --forever campaign1": "starling campaign start --help",
	} {
		code, out, err := run(strings.Fields(args)...)
		if code != cli.ExitUsage || out != "" || !strings.Contains(err, says) {
			t.Errorf("starling %s: %d %q %q, want %q", args, code, out, err, says)
		}
	}
}

func TestVersion(t *testing.T) {
	if code, out, err := run("version"); code != 0 || err != "" || !strings.HasPrefix(out, "starling ") || strings.Count(out, "\n") != 1 {
		t.Errorf("%d %q %q", code, out, err)
	}
}

func TestServeSaysWhyItCannot(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "starling.db")
	if code, _, err := run("serve", "--listen", "256.0.0.1:1", "--database", db); code != cli.ExitFailed || !strings.Contains(err, "--listen") {
		t.Errorf("%d %q", code, err)
	}
	missing := filepath.Join(t.TempDir(), "no", "starling.db")
	if code, _, err := run("serve", "--database", "sqlite:"+missing); code != cli.ExitFailed || !strings.Contains(err, missing) {
		t.Errorf("%d %q", code, err)
	}
}

// The server answers, keeps what it was given over a restart, and an interruption is
// its orderly end.
func TestServeAnswersAndEnds(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "starling.db")
	(&server{T: t}).administer(db)
	for range 2 {
		ctx, interrupt := context.WithCancel(context.Background())
		logs, w := io.Pipe()
		ended := make(chan int)
		go func() {
			ended <- cli.Run(ctx, &commands{}, []string{"serve", "--listen", "127.0.0.1:0", "--database", db, "--log-json"}, cli.Streams{Out: io.Discard, Err: w})
			_ = w.Close()
		}()
		line := make([]byte, 4096)
		n, err := logs.Read(line)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, logs) }()
		m := regexp.MustCompile(`"address":"([^"]+)"`).FindSubmatch(line[:n])
		if m == nil {
			t.Fatalf("no address in %s", line[:n])
		}
		res, err := http.Get(string(m[1]) + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != 200 {
			t.Errorf("health %d, %v", res.StatusCode, err)
		}
		if code, out, errs := run("device", "list", "-o", "json", "--server", string(m[1])); code != 0 || out != "[]\n" {
			t.Errorf("%d %q %q", code, out, errs)
		}
		interrupt()
		if code := <-ended; code != cli.ExitOK {
			t.Errorf("exit code %d", code)
		}
	}
}

// The first administrator is made once, and whoever reaches the database gives another password.
func TestTheFirstAdministratorLogsIn(t *testing.T) {
	s := start(t)
	db := "sqlite:" + filepath.Join(s.dir, "starling.db")
	if code, _, errs := run("admin", "init", "--database", db); code != cli.ExitConflict || !strings.Contains(errs, "has an administrator") {
		t.Errorf("a second first one: %d %q", code, errs)
	}
	password := s.write("password", []byte("correct horse battery\n"))
	if code, _, errs := run("admin", "password", "nobody", "--database", db, "--password-file", password); code != cli.ExitNotFound {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := run("admin", "password", "admin", "--database", db, "--password-file", s.write("short", []byte("short\n"))); code != cli.ExitInvalid || !strings.Contains(errs, "12 characters") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := run("admin", "password", "admin", "--database", db, "--password-file", password); code != 0 {
		t.Fatalf("%d %q", code, errs)
	}
	s.serveHere()
	t.Setenv("STARLING_TOKEN", "")
	t.Setenv("STARLING_CONFIG", filepath.Join(t.TempDir(), "config.yaml"))
	stdin, err := os.Open(password)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var out, errs strings.Builder
	code := cli.Run(t.Context(), &commands{}, []string{"login", "--login", "admin", "--password-stdin", "--server", s.url}, cli.Streams{In: stdin, Out: &out, Err: &errs})
	if code != 0 {
		t.Fatalf("%d %s %s", code, out.String(), errs.String())
	}
	if out, _ := s.cli(0, "whoami", "-o", "json"); !strings.Contains(out, `"admin"`) {
		t.Error(out)
	}
	s.end()
}

// Passwords do not travel in clear over a network because nobody thought of it.
func TestPlainHTTPForOthersIsRefused(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "starling.db")
	code, _, errs := run("serve", "--listen", "0.0.0.0:0", "--database", db)
	if code != cli.ExitUsage || !strings.Contains(errs, "--tls-cert") {
		t.Errorf("%d %q", code, errs)
	}
}

// A keyring that is lost is not replaced by a new one, which could open nothing.
func TestALostKeyringIsMissed(t *testing.T) {
	s := start(t)
	s.serveHere()
	s.fill(1)
	s.end()
	db, keys := filepath.Join(s.dir, "starling.db"), filepath.Join(s.dir, "starling.db.keys")
	if err := os.Rename(keys, keys+".lost"); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := run("serve", "--listen", "127.0.0.1:0", "--database", "sqlite:"+db); code == 0 || !strings.Contains(errs, "key-encryption key") {
		t.Errorf("%d %q", code, errs)
	}
	if _, err := os.Stat(keys); err == nil {
		t.Error("a keyring was made that opens nothing")
	}
}

func TestNoPasswordIsNamed(t *testing.T) {
	for database, want := range map[string]string{
		"sqlite:starling.db":                     "sqlite:starling.db",
		"postgres://joe:secret@localhost/fleet":  "postgres://joe:xxxxx@localhost/fleet",
		"postgres://joe@localhost/fleet":         "postgres://joe@localhost/fleet",
		"postgres://joe:se%zzcret@localhost/net": "postgres:...",
	} {
		if got := withoutPassword(database); got != want {
			t.Errorf("%s is named %s, want %s", database, got, want)
		}
	}
}
