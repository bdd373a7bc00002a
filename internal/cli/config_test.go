package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

// configFile names a configuration file for a test; content "" makes none.
func configFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "starling", "config.yaml")
	t.Setenv("STARLING_CONFIG", path)
	if content != "" {
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestAConfigurationIsKeptForItsOwnerAlone(t *testing.T) {
	path := configFile(t, "")
	home := cli.Context{Name: "home", Server: "https://starling.example.org", Token: "stl_secret: # 'no'", Subscriber: "0123", CAFile: "/etc/ssl/home.pem"}
	for _, x := range []cli.Context{home, {Name: "lab", Server: "http://lab:8080"}, {Name: "lab", Server: "http://lab:9090"}} {
		if got, err := cli.SaveContext(x); err != nil || got != path {
			t.Fatalf("%s, %v", got, err)
		}
	}
	cfg, err := cli.LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Current != "home" || len(cfg.Contexts) != 2 || *cfg.Find("home") != home || cfg.Find("lab").Server != "http://lab:9090" || cfg.Find("no") != nil {
		t.Errorf("%+v", cfg)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestALinkedConfigurationStaysALink(t *testing.T) {
	link := configFile(t, "contexts: []\n")
	target := filepath.Join(t.TempDir(), "real.yaml")
	if err := os.Rename(link, target); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := cli.SaveContext(cli.Context{Name: "home"}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(target); err != nil || !strings.Contains(string(b), "home") {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestABadConfigurationIsRefused(t *testing.T) {
	for content, says := range map[string]string{
		"current: home\ncontexts:\n  - name: home\n    tokn: stl_secret\n":          `line 4: there is no key "tokn"`,
		"contexts:\n  - name: home\n    token: stl_secret\n    token: stl_secret\n": `line 4: cannot be read, write each key once`,
		"contexts:\n  - name: home\n    token: [stl_secret]\n":                      "line 3: cannot be read",
		"contexts:\n  - name: home\n    token: 'stl_secret\n":                       "line 3: cannot be read",
		"contexts:\n  - name: home\n   token: stl_secret\n":                         "cannot be read",
		"- stl_secret\n":                     "cannot be read",
		"contexts:\n  - token: stl_secret\n": "a context without a name",
		"contexts:\n  - name: home\n  - name: home\n    token: stl_secret\n":     `two contexts "home"`,
		"current: lab\ncontexts:\n  - name: home\n    token: stl_secret\n":       `no context "lab"`,
		"contexts:\n  - name: home\n    insecure: true\n    token: stl_secret\n": `line 3: there is no key "insecure"`,
	} {
		w := &world{T: t, dir: t.TempDir()}
		w.Setenv("STARLING_CONFIG", w.write("config.yaml", content))
		r := w.bare(cli.ExitUsage, "context", "list")
		if !strings.Contains(r.err, says) || strings.Contains(r.err, "stl_secret") || !strings.Contains(r.err, "config.yaml") {
			t.Errorf("%q: %s, want %q", content, r.err, says)
		}
	}
}

func TestAConfigurationThatOthersCanReadIsRefused(t *testing.T) {
	path := configFile(t, "contexts: []\n")
	w := &world{T: t}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if r := w.bare(cli.ExitUsage, "context", "list"); !strings.Contains(r.err, "chmod 600 "+path) {
			t.Errorf("%o: %s", mode, r.err)
		}
	}
}

func TestAnEmptyConfigurationSaysNothing(t *testing.T) {
	for _, content := range []string{"\n", "# nothing yet\n", "{}\n"} {
		configFile(t, content)
		w := &world{T: t}
		if out := w.bare(0, "context", "list", "-o", "json").out; out != "[]\n" {
			t.Errorf("%q: %q", content, out)
		}
	}
}

func TestContextsAreAddedUsedShownAndRemoved(t *testing.T) {
	configFile(t, "")
	w := &world{T: t}
	if r := w.bare(cli.ExitNotFound, "context", "show"); !strings.Contains(r.err, "starling login") {
		t.Errorf("%s", r.err)
	}
	w.bare(0, "context", "add", "home", "--server", "https://starling.example.org", "--subscriber", "acme")
	w.bareIn(0, "stl_secret\n", "context", "add", "lab", "--token-stdin")
	w.bare(cli.ExitConflict, "context", "add", "lab")
	w.bare(cli.ExitUsage, "context", "add", "bad", "--server", "starling.example.org")
	w.bare(cli.ExitUsage, "context", "add", "bad", "--server", "https://joe:password@starling.example.org")
	w.bare(cli.ExitUsage, "context", "add", "bad", "--ca-file", "/no/such/file")
	w.bareIn(cli.ExitUsage, "", "context", "add", "bad", "--token-stdin")

	list := w.bare(0, "context", "list", "-o", "csv").out
	want := "name,current,server,subscriber,token_set,ca_file\nhome,true,https://starling.example.org,acme,false,\nlab,false,http://127.0.0.1:8080,,true,\n"
	if list != want {
		t.Errorf("%q", list)
	}
	w.bare(0, "context", "use", "lab")
	w.bare(cli.ExitNotFound, "context", "use", "no")
	if out := w.bare(0, "context", "show", "-o", "json").out; !strings.Contains(out, `"name": "lab"`) || strings.Contains(out, "stl_secret") {
		t.Errorf("%s", out)
	}
	w.bare(0, "context", "remove", "lab")
	w.bare(cli.ExitNotFound, "context", "show", "lab")
	w.bare(cli.ExitNotFound, "context", "show") // the current one was it
	if out := w.bare(0, "context", "show", "home", "-o", "id").out; out != "home\n" {
		t.Errorf("%q", out)
	}
}
