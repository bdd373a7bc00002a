package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
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
