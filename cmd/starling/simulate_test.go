package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/cli"
)

// TestMain lets the test binary be the program itself, so that tests can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("STARLING_TEST_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

// server is a server on a simulated network, and a command line that talks to it.
type server struct {
	*testing.T
	dir string
	url string
	end func() // ends the server, in good order or not
}

var address = regexp.MustCompile(`"address":"([^"]+)"`)

// serveHere runs a server in this process on the database of the test.
func (s *server) serveHere(flags ...string) {
	s.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	logs, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, &commands{}, s.args(flags), cli.Streams{Out: io.Discard, Err: w})
		_ = w.Close()
	}()
	s.await(logs)
	s.end = func() {
		interrupt()
		if c := <-code; c != cli.ExitOK {
			s.Errorf("serve ended with code %d", c)
		}
	}
	s.Cleanup(func() { interrupt() })
}

// serveApart runs a server in a process of its own, which end kills.
func (s *server) serveApart(flags ...string) {
	s.Helper()
	child := exec.Command(os.Args[0], s.args(flags)...)
	child.Env = append(os.Environ(), "STARLING_TEST_PROGRAM=1")
	logs, err := child.StderrPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := child.Start(); err != nil {
		s.Fatal(err)
	}
	s.await(logs)
	s.end = func() {
		_ = child.Process.Kill()
		_ = child.Wait() // killed, as it should be
	}
	s.Cleanup(s.end)
}

func (s *server) args(flags []string) []string {
	return append([]string{"serve", "--network", "simulated", "--listen", "127.0.0.1:0", "--log-json", "--database", "sqlite:" + filepath.Join(s.dir, "starling.db")}, flags...)
}

// await reads where the server listens, and whatever else it logs.
func (s *server) await(logs io.Reader) {
	s.Helper()
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			s.url = m[1]
			go func() { _, _ = io.Copy(io.Discard, logs) }()
			return
		}
	}
	s.Fatal("the server ended before it served")
}

// cli runs a command that must end with a code and returns what it wrote.
func (s *server) cli(code int, args ...string) (out, errs string) {
	s.Helper()
	got, out, errs := run(append(args, "--server", s.url)...)
	if got != code {
		s.Fatalf("starling %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out, errs
}

// made returns the identifier of what a command created.
func (s *server) made(args ...string) string {
	s.Helper()
	var obj map[string]any
	out, _ := s.cli(0, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &obj); err != nil {
		s.Fatal(err)
	}
	if id, ok := obj["id"].(string); ok {
		return id
	}
	return obj["dev_eui"].(string)
}

func (s *server) write(name string, content []byte) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// status returns the status of a campaign.
func (s *server) status(campaign string) string {
	s.Helper()
	var c struct{ Status string }
	out, _ := s.cli(0, "campaign", "show", campaign, "-o", "json")
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		s.Fatal(err)
	}
	return c.Status
}

// fill makes a fleet of devices, and what a campaign needs; it returns what all campaigns
// have in common. Profile flags can be given.
func (s *server) fill(devices int, profile ...string) (fota, binary []string) {
	s.Helper()
	p := s.made(append([]string{"profile", "create", "--name", "meter", "--producer", "acme", "--module", "m", "--uplink-period", "15m"}, profile...)...)
	key := s.write("key", []byte("000102030405060708090a0b0c0d0e0f\n"))
	set := []string{"set", "create", "--name", "all"}
	for i := range devices {
		eui := fmt.Sprintf("01000000000000%02x", i)
		s.cli(0, "device", "create", "--dev-eui", eui, "--classes", "C", "--profile", p, "--root-key-file", key, "--firmware", "1.0.0.0")
		set = append(set, "--device", eui)
	}
	all := s.made(set...)
	s.made("group", "create", "--dev-eui", "fe00000000000001", "--band", "EU868", "--mc-addr", "01000001", "--frequency", "869525000", "--data-rate", "5", "--class", "C")
	area := s.made("region", "create", "--name", "north", "--group", "fe00000000000001")
	image := s.write("image.bin", []byte(strings.Repeat("an image that is long enough to be cut ", 150)))
	firmware := s.made("file", "create", "--name", "image", "--type", "firmware", "--version", "2.0.0.0", "--profile", p, image)
	plain := s.made("file", "create", "--name", "image", "--type", "binary", image)
	create := []string{"campaign", "create", "--name", "spring", "--set", all, "--region", area, "--max-duration", "480h", "--success-threshold", "100", "--retries", "30"}
	return append(create[:len(create):len(create)], "--type", "FOTA", "--file", firmware), append(create, "--type", "BINARY", "--file", plain)
}

// start makes a database with an administrator, as whom the command line of the test asks.
func start(t *testing.T) *server {
	s := &server{T: t, dir: t.TempDir()}
	s.administer("sqlite:" + filepath.Join(s.dir, "starling.db"))
	return s
}

// administer makes the first administrator of a database, and gives its token to the commands of the test.
func (s *server) administer(database string) {
	s.Helper()
	file := filepath.Join(s.TempDir(), "token")
	if code, out, errs := run("admin", "init", "--database", database, "--token-file", file); code != 0 || strings.TrimSpace(out) == "" {
		s.Fatalf("admin init: exit code %d, %q %q", code, out, errs)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	s.Setenv("STARLING_TOKEN", strings.TrimSpace(string(token)))
}

// The whole way, with the command line alone.
func TestACampaignOnTheDevicesOfTheStore(t *testing.T) {
	s := start(t)
	s.serveHere("--sim-loss", "0.15", "--sim-seed", "7")
	fota, binary := s.fill(5, "--packages", "v2")
	campaign := s.made(fota...)
	out, _ := s.cli(0, "campaign", "start", campaign, "--wait")
	if !strings.Contains(out, "device.verified 0100000000000004") || !strings.Contains(out, "\nSUCCEEDED") {
		t.Errorf("start --wait:\n%s", out)
	}
	s.cli(0, "campaign", "watch", campaign) // an ended one too
	if out, _ := s.cli(0, "device", "list", "-f", "firmware=2.0.0.0", "--no-headers"); strings.Count(out, "\n") != 5 {
		t.Errorf("devices that run 2.0.0.0:\n%s", out)
	}
	if out, _ := s.cli(0, "campaign", "devices", campaign, "--outcome", "verified", "--no-headers"); strings.Count(out, "\n") != 5 {
		t.Errorf("verified devices:\n%s", out)
	}

	// There is nothing left to upgrade: it is blocked, and says why.
	again := s.made("campaign", "copy", campaign, "--name", "again")
	if _, errs := s.cli(cli.ExitInvalid, "campaign", "start", again); !strings.Contains(errs, "none of its 5 devices can take part") {
		t.Errorf("blocked: %q", errs)
	}
	if status := s.status(again); status != "CONFIGURED" {
		t.Errorf("a blocked campaign is %s", status)
	}

	// The same devices, a second time, in the same air.
	s.cli(0, "campaign", "start", s.made(binary...), "--wait")
	s.end()
}

// Devices of a profile with Smart Delta have the image of their version, and the key that it names: they apply what is signed
// with it, and nothing else.
func TestSignedDeltasOnTheDevicesOfTheStore(t *testing.T) {
	s := start(t)
	s.serveHere("--sim-loss", "0.1")
	key := func(name string) string {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		file := s.write(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		return s.made("key", "create", "--name", name, "--private-key-file", file)
	}
	makers, others := key("makers"), key("others")
	fota, _ := s.fill(4, "--packages", "v2", "--library", "smart_delta", "--key", makers)
	second := fota[len(fota)-1]
	ids, _ := s.cli(0, "profile", "list", "-o", "id")
	release := func(version, word string, more ...string) string {
		image := s.write(version, []byte(strings.Repeat("an image that is long enough to be cut ", 100)+word+strings.Repeat("an image that is long enough to be cut ", 50)))
		return s.made(append([]string{"file", "create", "--name", version, "--type", "firmware", "--version", version, "--profile", strings.TrimSpace(ids), image}, more...)...)
	}
	first, third := release("1.0.0.0", "old"), release("3.0.0.0", "new", "--key", others)
	s.cli(0, "file", "delta", second, "--from", first)
	s.cli(0, "file", "delta", third, "--from", second)

	sent := s.made(fota...)
	s.cli(0, "campaign", "start", sent, "--wait")
	if out, _ := s.cli(0, "campaign", "report", sent, "-o", "json"); !strings.Contains(out, `"delta_devices": 4`) {
		t.Errorf("report:\n%s", out)
	}

	// The third version is signed by others: nobody takes it, and all still run the second.
	sent = s.made(append(fota[:len(fota)-1:len(fota)-1], third)...)
	s.cli(cli.ExitUnsuccess, "campaign", "start", sent, "--wait")
	if out, _ := s.cli(0, "campaign", "devices", sent, "--outcome", "failed"); !strings.Contains(out, "image.corrupt") {
		t.Errorf("devices:\n%s", out)
	}
	if out, _ := s.cli(0, "device", "list", "-f", "firmware=2.0.0.0", "--no-headers"); strings.Count(out, "\n") != 4 {
		t.Errorf("devices that run 2.0.0.0:\n%s", out)
	}
	s.end()
}

func TestACampaignIsStoppedInTheMiddle(t *testing.T) {
	s := start(t)
	s.serveHere("--sim-pace", "follow")
	fota, _ := s.fill(3, "--packages", "v1")
	campaign := s.made(fota...)
	s.cli(0, "campaign", "start", campaign)
	s.cli(cli.ExitConflict, "campaign", "start", campaign)
	s.cli(0, "campaign", "pause", campaign)
	if status := s.status(campaign); status != "RUNNING" {
		t.Errorf("in the middle: %s", status)
	}
	s.cli(0, "campaign", "resume", campaign)
	if out, _ := s.cli(cli.ExitUnsuccess, "campaign", "stop", campaign, "--wait"); !strings.Contains(out, "STOPPED") {
		t.Errorf("stop --wait:\n%s", out)
	}
	s.cli(cli.ExitConflict, "campaign", "resume", campaign)
	s.end()
}

// Whatever the server is doing when it is killed, the next one goes on with the campaign
// and brings it to its end. Its devices have forgotten what they received, so that a campaign whose
// fragments were under way may end without success.
func TestACampaignGoesOnAfterAKill(t *testing.T) {
	s := start(t)
	s.serveApart("--sim-pace", "follow")
	fota, binary := s.fill(8, "--packages", "v2")
	early, late := s.made(fota...), ""
	s.cli(0, "campaign", "start", early)
	before := s.status(early)
	s.end()

	s.serveApart("--sim-loss", "0.1")
	if before != "RUNNING" {
		t.Errorf("killed while it was %s", before)
	}
	s.cli(0, "campaign", "watch", early)
	if out, _ := s.cli(0, "device", "list", "-f", "firmware=2.0.0.0", "--no-headers"); strings.Count(out, "\n") != 8 {
		t.Errorf("devices that run 2.0.0.0:\n%s", out)
	}

	// Once more, when fragments are on the air. Time runs fast: a large file, so that the kill does not come too
	// late, which it still may.
	large := s.made("file", "create", "--name", "large", "--type", "binary", s.write("large.bin", []byte(strings.Repeat("many fragments ", 12_000))))
	late = s.made(append(binary[:len(binary)-1:len(binary)-1], large)...)
	for try := 0; ; try++ {
		s.cli(0, "campaign", "start", late)
		for out := ""; !strings.Contains(out, "DataFragment: ") && s.status(late) == "RUNNING"; {
			out, _ = s.cli(0, "campaign", "timeline", late)
		}
		s.end()
		s.serveApart("--sim-loss", "0.1")
		if s.status(late) == "RUNNING" {
			break
		}
		if late = s.made("campaign", "copy", late); try == 20 {
			t.Fatal("the campaign was over before every kill")
		}
	}
	code, out, errs := run("campaign", "watch", late, "--server", s.url)
	if status := s.status(late); code != cli.ExitOK && code != cli.ExitUnsuccess || status != "SUCCEEDED" && status != "FAILED" {
		t.Errorf("exit code %d, status %s\n%s%s", code, status, out, errs)
	}
	// And the next one succeeds: nothing of the old life is in its way.
	s.cli(0, "campaign", "start", s.made("campaign", "copy", late), "--wait")
}

// Stacks of the field: their manners, with the limits of the profile.
func TestEveryStatusStyleCanBeRehearsed(t *testing.T) {
	for style, flags := range map[string][]string{
		"spec":    {"--packages", "v2"},
		"loramac": {"--packages", "v1", "--decoder-max-lost", "60", "--max-groups", "4"},
		"lbm":     {"--packages", "v2"},
		"zephyr":  {"--packages", "v1", "--clock-sync", "2", "--firmware-mgmt", "0", "--decoder-min-frag-size", "48"},
		"wl55v2":  {"--packages", "v2", "--firmware-dialect", "rc1", "--reboots-itself", "--decoder-max-lost", "200"},
	} {
		t.Run(style, func(t *testing.T) {
			s := start(t)
			s.serveHere("--sim-loss", "0.05")
			fota, binary := s.fill(2, append(flags, "--status-style", style)...)
			if style == "zephyr" {
				fota = binary // it has no firmware management to prove an upgrade with
			}
			s.cli(0, "campaign", "start", s.made(fota...), "--wait")
			s.end()
		})
	}
}

func TestOneServerPerDatabase(t *testing.T) {
	s := start(t)
	s.serveHere()
	code, _, errs := run(s.args(nil)...)
	if code != cli.ExitFailed || !strings.Contains(errs, "in use by another process") {
		t.Errorf("%d %q", code, errs)
	}
	res, err := http.Get(s.url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the first one: %d, %v", res.StatusCode, err)
	}
	s.end()
}

func TestWithoutANetworkNothingRunsAndTheErrorSaysHow(t *testing.T) {
	s := start(t)
	s.serveHere("--network", "none")
	fota, _ := s.fill(1, "--packages", "v2")
	if _, errs := s.cli(cli.ExitConflict, "campaign", "start", s.made(fota...)); !strings.Contains(errs, "--network simulated") {
		t.Errorf("%q", errs)
	}
	s.end()
	for _, args := range [][]string{{"--network", "nasa"}, {"--sim-loss", "1"}, {"--sim-loss", "NaN"}, {"--sim-pace", "warp"}} {
		if code, _, errs := run(s.args(args)...); code != cli.ExitUsage {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
}

// Virtual time never goes back, not even in the next process.
func TestVirtualTimeGoesOnWhereCampaignsLeftIt(t *testing.T) {
	s := start(t)
	s.serveHere()
	_, binary := s.fill(1, "--packages", "v2")
	first := s.made(binary...)
	s.cli(0, "campaign", "start", first, "--wait")
	s.end()
	s.serveHere()
	second := s.made("campaign", "copy", first)
	var a, b struct{ Ended, Created time.Time }
	for id, c := range map[string]any{first: &a, second: &b} {
		out, _ := s.cli(0, "campaign", "show", id, "-o", "json")
		if err := json.Unmarshal([]byte(out), c); err != nil {
			t.Fatal(err)
		}
	}
	if a.Ended.IsZero() || b.Created.Before(a.Ended) {
		t.Errorf("ended %s, its copy made %s", a.Ended, b.Created)
	}
	s.end()
}
