package cli_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/cli"
)

// TestMain lets the test binary be the program, for shells to call it.
func TestMain(m *testing.M) {
	if os.Getenv("STARLING_TEST_PROGRAM") == "1" {
		os.Exit(cli.Run(context.Background(), &grammar{}, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

// completions returns the words that are offered for the last of some words.
func (w *world) completions(words ...string) (offered []string) {
	w.Helper()
	for line := range strings.Lines(w.bare(0, append([]string{"__complete", "--"}, words...)...).out) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		offered = append(offered, word)
	}
	return offered
}

func TestWordsAreOffered(t *testing.T) {
	configFile(t, "current: home\ncontexts:\n  - name: home\n    server: http://127.0.0.1:1\n  - name: lab\n")
	w := &world{T: t}
	for line, want := range map[string]string{
		"cam":                                "campaign",
		"c":                                  "campaign context completion",
		"__":                                 "",
		"device arch":                        "archive",
		"device --output json arch":          "archive",
		"device --output=json arch":          "archive",
		"device -o json arch":                "archive",
		"device -ojson arch":                 "archive",
		"device bulk ":                       "archive restore update",
		"device list --no":                   "--no-headers",
		"device list --no-headers --no":      "",
		"device list --filter a=b --filt":    "--filter", // once more
		"device list -o ":                    "table wide json yaml csv id",
		"device list -o j":                   "json",
		"device list --output=j":             "--output=json", // one word, as zsh and fish have it
		"device list --output = j":           "json",          // three, as bash has it
		"device list --output = ":            "table wide json yaml csv id",
		"device list --output json --arch":   "--archived",
		"device list -- --arch":              "",
		"device list extra":                  "",
		"profile update x --no-reb":          "--no-reboots-itself",
		"profile update x --packages ":       "v1 v2",
		"user create --role ad":              "administrator",
		"token rev":                          "",
		"token revoke --dry":                 "--dry-run",
		"completion ":                        "bash zsh fish",
		"completion bash ":                   "",
		"help exit":                          "exit-codes",
		"context use ":                       "home lab",
		"device list --context l":            "lab",
		"device list --context=l":            "--context=lab",
		"device create --root-key-file ":     ":file",
		"file upload x ":                     ":file",
		"device show 01":                     "", // no server answers
		"device list --no-such-flag --outpu": "--output",
		"nonsense here":                      "",
	} {
		words := strings.Split(line, " ")
		if got := w.completions(words...); strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if out := w.bare(0, "__complete", "--", "campaig").out; out != "campaign\tCampaigns.\n" {
		t.Errorf("%q", out)
	}
	if got := w.completions(); !slices.Contains(got, "device") {
		t.Errorf("%q", got)
	}
}

func TestIdentifiersAreOfferedLive(t *testing.T) {
	w := newWorld(t)
	campaign, file, profile := w.fill()
	w.Setenv("STARLING_SERVER", w.url)
	for line, want := range map[string]string{
		"device show ":                               "0100000000000000",
		"device show 01":                             "0100000000000000",
		"device show 02":                             "",
		"device archive 0100000000000000 ":           "0100000000000000",
		"device show 0100000000000000 ":              "",
		"campaign start ":                            campaign,
		"device create --profile ":                   profile,
		"device create --profile=":                   "--profile=" + profile,
		"campaign create --file ":                    file,
		"set create --device 01":                     "0100000000000000",
		"device show --server http://127.0.0.1:1 01": "",
	} {
		if got := w.completions(strings.Split(line, " ")...); strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if out := w.bare(0, "__complete", "--", "device", "show", "").out; out != "0100000000000000\tone\n" {
		t.Errorf("%q", out)
	}
}

func TestASlowServerDoesNotHoldTheShellUp(t *testing.T) {
	configFile(t, "")
	release := make(chan bool)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	w := &world{T: t}
	begin := time.Now()
	if got := w.completions("device", "show", "--server", silent.URL, ""); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// shell returns a command of a shell in which starling is this program. CI has all three shells;
// elsewhere a test is skipped for one that is not there.
func shell(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs %s to try its completion", name)
		}
		t.Skipf("%s is not here: its completion is not tried", name)
	}
	bin := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "starling")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "STARLING_TEST_PROGRAM=1", fmt.Sprintf("PATH=%s%c%s", bin, os.PathListSeparator, os.Getenv("PATH")))
	return cmd
}

func TestBashCompletes(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.Setenv("STARLING_SERVER", w.url)
	w.Setenv("STARLING_CONFIG", filepath.Join(w.dir, "config.yaml"))
	file := w.write("a key", aKey)
	for _, tc := range []struct{ words, want string }{
		{"starling cam", "campaign"},
		{"starling device show ''", "0100000000000000"},
		{"starling device list --output = js", "json"},
		{"starling device list --output =", "table\nwide\njson\nyaml\ncsv\nid"},
		{"starling device create --root-key-file '" + file[:len(file)-1] + "'", file},
		{"starling device show nothing", ""},
	} {
		script := `source <(starling completion bash)
complete -p starling >/dev/null || exit 1
COMP_WORDS=(` + tc.words + `) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_starling
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"`
		out, err := shell(t, "bash", "--norc", "-c", script).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != tc.want {
			t.Errorf("%s: %q, %v, want %q", tc.words, out, err, tc.want)
		}
	}
}

func TestZshReadsItsScript(t *testing.T) {
	cmd := shell(t, "zsh", "-f", "-c", `starling completion zsh > script && zsh -n script && autoload -U compinit && compinit -u -d dump && source ./script && print ${_comps[starling]}`)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "_starling\n" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestFishCompletes(t *testing.T) {
	configFile(t, "")
	cmd := shell(t, "fish", "--no-config", "-c", `starling completion fish | source; complete -C "starling device list --output=js"; complete -C "starling campai"`)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "--output=json\ncampaign\tCampaigns.\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// A port that nobody listens on refuses at once.
func TestNoServerIsNoErrorWhenCompleting(t *testing.T) {
	configFile(t, "")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t}
	if r := w.bare(0, "__complete", "--", "device", "show", "--server", at, ""); r.out != "" || r.err != "" {
		t.Errorf("%+v", r)
	}
}
