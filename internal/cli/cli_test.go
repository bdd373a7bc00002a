package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
)

const (
	aKey      = "000102030405060708090a0b0c0d0e0f"
	aPassword = "correct horse battery"
)

// grammar is the client part of the command line.
type grammar struct {
	cli.Campaigns
	cli.Objects
	cli.Administration
	cli.Program
}

// runner makes campaigns RUNNING and STOPPED.
type runner struct {
	service.NoNetwork
	store.Store
}

func (r runner) Start(ctx context.Context, id string, along store.Along) error {
	spec, err := json.Marshal(campaign.Spec{ID: id, Devices: []campaign.Member{{DevEUI: lorawan.EUI64{1}}}, Lanes: []campaign.Lane{{}}, Traits: []campaign.Traits{{}}, Groups: []campaign.GroupSpec{{DevEUI: lorawan.EUI64{2}}}})
	if err != nil {
		return err
	}
	return r.CreateRun(ctx, store.Run{CampaignID: id, Started: time.Now(), Along: along, Spec: spec, Header: []byte(`{"status":"RUNNING","stages":[{"stage":"McGroupSetup"}]}`),
		Devices: map[lorawan.EUI64][]byte{{1}: []byte(`{"stage":"McGroupSetup","outcome":2,"reason":"device.no_answer","detail":"=no answer"}`)},
		Groups:  map[lorawan.EUI64][]byte{{2}: []byte(`{"lanes":[{}]}`)}})
}

func (r runner) Order(ctx context.Context, id string, in campaign.Input, audit ...store.AuditEntry) (campaign.Receipt, error) {
	switch in.(type) {
	case campaign.StopRequested:
	case campaign.PauseRequested, campaign.ResumeRequested:
		return r.NoNetwork.Order(ctx, id, in, audit...)
	default:
		refused := []campaign.Refusal{{DevEUI: lorawan.EUI64{9}, Code: campaign.ReasonOrderUnknown, Text: "takes no part in this campaign"}}
		return campaign.Receipt{Reached: 1, Refused: refused}, r.CommitStep(ctx, store.Step{CampaignID: id, Status: fleet.Running, Audit: audit})
	}
	return campaign.Receipt{}, r.CommitStep(ctx, store.Step{CampaignID: id, Status: fleet.Stopped, Audit: audit,
		Timeline: []store.TimelineEntry{{At: time.Now(), Code: "campaign.stopped", Text: "by the operator"}}})
}

// world is a server and a command line that talks to it.
type world struct {
	*testing.T
	store store.Store
	url   string
	dir   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	kek, err := secret.OpenKeyring(filepath.Join(dir, "starling.db.keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(context.Background(), filepath.Join(dir, "starling.db"), kek, sqlite.Unsynced())
	if err != nil {
		t.Fatal(err)
	}
	use := service.New(service.Config{Store: db, Runner: runner{Store: db}, Rotation: service.NewRotation(kek, db)})
	admin, err := use.FirstAdministrator(context.Background(), "admin", aPassword)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := use.CreateToken(service.As(context.Background(), identity.Actor{UserID: admin.ID, Login: admin.Login, Server: true, Permissions: admin.Permissions()}), identity.Token{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STARLING_TOKEN", token)
	h, _ := api.Handler(api.Config{Service: use, Claims: db, Log: slog.New(slog.DiscardHandler), Poll: 5 * time.Millisecond})
	srv := httptest.NewServer(h)
	working, stop := context.WithCancel(context.Background())
	ended := make(chan bool)
	go func() {
		use.Work(working, slog.New(slog.DiscardHandler))
		close(ended)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		srv.CloseClientConnections()
		srv.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t, db, srv.URL, dir}
}

// result is what a command left.
type result struct {
	code     int
	out, err string
}

// runIn runs a command line with an input.
func (w *world) runIn(ctx context.Context, in string, args ...string) result {
	w.Helper()
	w.Setenv("STARLING_SERVER", w.url)
	w.Setenv("STARLING_CONFIG", filepath.Join(w.dir, "config.yaml"))
	var out, errs bytes.Buffer
	code := cli.Run(ctx, &grammar{}, args, cli.Streams{In: strings.NewReader(in), Out: &out, Err: &errs})
	return result{code, out.String(), errs.String()}
}

// run runs a command that must end with a code.
func (w *world) run(code int, args ...string) result {
	w.Helper()
	r := w.runIn(context.Background(), "", args...)
	if r.code != code {
		w.Fatalf("starling %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	if code == 0 && r.err != "" && args[1] != "archive" {
		w.Errorf("starling %s says %q", strings.Join(args, " "), r.err)
	}
	// A plan with blockers is an answer, and so is a campaign that ended badly.
	if code != 0 && code != cli.ExitUnsuccess && !slices.Contains(args, "plan") && r.out != "" {
		w.Errorf("starling %s failed and wrote data: %q", strings.Join(args, " "), r.out)
	}
	return r
}

// made runs a create command and returns the value of a field of what it made.
func (w *world) made(field string, args ...string) string {
	w.Helper()
	var obj map[string]any
	if err := json.Unmarshal([]byte(w.run(0, append(args, "-o", "json")...).out), &obj); err != nil {
		w.Fatal(err)
	}
	return obj[field].(string)
}

// write makes a file and returns its path.
func (w *world) write(name, content string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// fill makes one of everything and returns the id of a campaign.
func (w *world) fill() (campaign, file, profile string) {
	w.Helper()
	profile = w.made("id", "profile", "create", "--name", "meter", "--producer", "acme", "--module", "m", "--hw-revision", "3",
		"--from", w.write("profile.json", `{"name":"flags win","packages":{"mc_setup":2}}`))
	w.made("dev_eui", "device", "create", "--dev-eui", "0100000000000000", "--name", "one", "--classes", "B,C", "--profile", profile,
		"--root-key-file", w.write("key", aKey+"\n"))
	set := w.made("id", "set", "create", "--name", "all", "--device", "0100000000000000")
	group := w.made("dev_eui", "group", "create", "--dev-eui", "0200000000000000", "--band", "EU868", "--mc-addr", "01020304", "--frequency", "869525000", "--class", "C")
	area := w.made("id", "region", "create", "--name", "east", "--group", group)
	file = w.made("id", "file", "create", "--name", "image", "--type", "firmware", "--version", "2.0.0.0", "--profile", profile, w.write("image.bin", "image"))
	campaign = w.made("id", "campaign", "create", "--name", "spring", "--set", set, "--region", area, "--file", file, "--max-duration", "3600", "--success-threshold", "95")
	return campaign, file, profile
}

func TestEveryNounListsShowsChangesAndArchives(t *testing.T) {
	w := newWorld(t)
	campaign, file, profile := w.fill()
	ids := map[string]string{"device": "0100000000000000", "group": "0200000000000000", "campaign": campaign, "file": file, "profile": profile}
	for noun, id := range ids {
		var items []map[string]any
		if err := json.Unmarshal([]byte(w.run(0, noun, "list", "-o", "json").out), &items); err != nil || len(items) != 1 {
			t.Errorf("%s list: %v, %v", noun, items, err)
		}
		table := w.run(0, noun, "list").out
		if lines := strings.Split(strings.TrimSpace(table), "\n"); len(lines) != 2 || lines[0] != strings.ToUpper(lines[0]) || !strings.Contains(lines[1], id) {
			t.Errorf("%s list:\n%s", noun, table)
		}
		if bare := w.run(0, noun, "list", "--no-headers").out; strings.Count(bare, "\n") != 1 {
			t.Errorf("%s list --no-headers:\n%s", noun, bare)
		}
		if out := w.run(0, noun, "update", id, "--name", "renamed", "--if-revision", fmt.Sprint(items[0]["revision"])).out; !strings.Contains(out, "renamed") {
			t.Errorf("%s update:\n%s", noun, out)
		}
		w.run(cli.ExitConflict, noun, "update", id, "--name", "mine", "--if-revision", "77")
		w.run(0, noun, "archive", id)
		if out := w.run(0, noun, "list", "-o", "json").out; out != "[]\n" {
			t.Errorf("%s list after archive: %q", noun, out)
		}
		if out := w.run(0, noun, "list", "--archived", "-q", "RENAMED", "-f", "name=renamed", "--limit", "1", "--no-headers").out; strings.Count(out, "\n") != 1 {
			t.Errorf("%s list --archived: %q", noun, out)
		}
		w.run(0, noun, "update", id, "--restore")
		if out := w.run(0, noun, "show", id).out; !strings.Contains(out, "archived") || !strings.Contains(out, "false") {
			t.Errorf("%s show:\n%s", noun, out)
		}
	}
}

func TestExitCodesSayWhatBecameOfIt(t *testing.T) {
	w := newWorld(t)
	campaign, file, profile := w.fill()
	for _, tc := range []struct {
		code int
		args string
		says string
	}{
		{cli.ExitUsage, "", "expected one of"},
		{cli.ExitUsage, "frobnicate", "unexpected argument frobnicate"},
		{cli.ExitUsage, "device lst", `did you mean "list"`},
		{cli.ExitUsage, "device list --colour", "starling device list --help"},
		{cli.ExitUsage, "device list -o xml", "must be one of"},
		{cli.ExitUsage, "device list --limit=-1", "use 0 for all"},
		{cli.ExitUsage, "device list --server nonsense", "such as http://127.0.0.1:8080"},
		{cli.ExitUsage, "device show", "expected \"<id>\""},
		{cli.ExitUsage, "device update 0100000000000000", "nothing to change"},
		{cli.ExitUsage, "device update 0100000000000000 --root-key-file /no/such/file", "no such file"},
		{cli.ExitUsage, "device create --from -", "not a JSON object"},
		{cli.ExitUsage, "file create --name x /no/such/file", "no such file"},
		{cli.ExitNotFound, "device show ffffffffffffffff", "There is no such object"},
		{cli.ExitNotFound, "campaign watch no", "There is no such object"},
		{cli.ExitNotFound, "campaign start no", "not found"},
		{cli.ExitNotFound, "file download no", "not found"},
		{cli.ExitConflict, "campaign stop " + campaign, "campaign " + campaign + " is CONFIGURED"},
		{cli.ExitConflict, "profile create --name x --producer acme --module m --hw-revision 3", "already"},
		{cli.ExitConflict, "file upload " + file + " " + w.write("other", "other"), "make a new file"},
		{cli.ExitInvalid, "device create", "dev_eui: is missing (give 16 hexadecimal digits"},
		{cli.ExitInvalid, "device create --dev-eui 77 --profile " + profile, "dev_eui: expected string"},
		{cli.ExitInvalid, "device list -f shoe=7", "use one of archived"},
		{cli.ExitInvalid, "campaign timeline " + campaign + " --device 1", "query.dev_eui"},
		{cli.ExitFailed, "device list --server http://127.0.0.1:1", "starling serve"},
	} {
		r := w.run(tc.code, strings.Fields(tc.args)...)
		if !strings.Contains(r.err, tc.says) {
			t.Errorf("starling %s says %q, want something with %q", tc.args, r.err, tc.says)
		}
	}
	if r := w.run(0, "device", "--help"); !strings.Contains(r.out, "device archive") {
		t.Errorf("help: %s", r.out)
	}
}

func TestTimeoutsAndInterruptionsHaveTheirCodes(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	release := make(chan bool)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	w.run(cli.ExitTimeout, "device", "list", "--timeout", "20ms", "--server", silent.URL)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"device", "list"}, {"campaign", "watch", campaign}} {
		if r := w.runIn(ctx, "", args...); r.code != cli.ExitInterrupted || !strings.Contains(r.err, "interrupted") {
			t.Errorf("%v: %+v", args, r)
		}
	}

	// Not every server is Starling.
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if r := w.run(cli.ExitNotFound, "device", "list", "--server", other.URL); !strings.Contains(r.err, "is --server right?") {
		t.Errorf("%+v", r)
	}
}

func TestKeysComeFromFilesOrStandardInput(t *testing.T) {
	w := newWorld(t)
	w.fill()
	if r := w.runIn(context.Background(), strings.ToUpper(aKey), "group", "update", "0200000000000000", "--mc-key-file", "-"); r.code != 0 || strings.Contains(r.out+r.err, aKey) {
		t.Fatalf("%+v", r)
	}
	d, err := w.store.Devices().Find(context.Background(), lorawan.EUI64{1})
	if err != nil || d.RootKey.Hex() != aKey {
		t.Errorf("device key, %v", err)
	}
	g, err := w.store.Groups().Find(context.Background(), lorawan.EUI64{2})
	if err != nil || g.McKey.Hex() != aKey {
		t.Errorf("group key, %v", err)
	}
	if r := w.runIn(context.Background(), aKey+"00", "group", "update", "0200000000000000", "--mc-key-file", "-"); r.code != cli.ExitInvalid || strings.Contains(r.err, aKey[:16]) {
		t.Errorf("%+v", r)
	}
}

func TestContentGoesUpAndComesDown(t *testing.T) {
	w := newWorld(t)
	_, file, profile := w.fill()
	if r := w.run(0, "file", "download", file); r.out != "image" {
		t.Errorf("%q", r.out)
	}
	to := filepath.Join(w.dir, "copy")
	w.run(0, "file", "download", file, to)
	if b, err := os.ReadFile(to); err != nil || string(b) != "image" {
		t.Errorf("%q, %v", b, err)
	}
	w.run(cli.ExitUsage, "file", "download", file, to) // it exists

	// A file whose content is refused is there all the same, and the message says so.
	empty := w.write("empty", "")
	r := w.run(cli.ExitInvalid, "file", "create", "--name", "x", "--type", "firmware", "--version", "3.0.0.0", "--profile", profile, empty)
	if !strings.Contains(r.err, "starling file upload") {
		t.Errorf("%q", r.err)
	}
	bare := w.made("id", "file", "create", "--name", "metadata", "--type", "firmware", "--version", "1.0.0.0", "--profile", profile)
	w.run(cli.ExitNotFound, "file", "download", bare)
	if r := w.run(0, "file", "upload", bare, w.write("b", "bytes"), "-o", "json"); !strings.Contains(r.out, `"size": 5`) {
		t.Errorf("%q", r.out)
	}

	// What cannot be run is taken, with a warning that scripts do not see.
	elf := w.write("image.elf", "\x7fELF\x01\x01\x01"+strings.Repeat("\x00", 57))
	if r := w.runIn(context.Background(), "", "file", "create", "--name", "elf", "--type", "firmware", "--version", "4.0.0.0", "--profile", profile, elf, "-o", "id"); r.code != 0 ||
		strings.Count(r.out, "\n") != 1 || !strings.Contains(r.err, "objcopy -O binary") {
		t.Errorf("%+v", r)
	}
}

func TestACampaignIsStartedWatchedAndStopped(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(0, "campaign", "start", campaign)
	ctx := context.Background()
	if err := w.store.CommitStep(ctx, store.Step{CampaignID: campaign, Status: fleet.Running,
		Devices:  []store.Row{{DevEUI: lorawan.EUI64{1}, Stage: "Verify", Outcome: "verified"}},
		Stages:   []store.StageProgress{{Position: 1, Name: "Verify", Status: "running", Total: 1, Completed: 1}},
		Timeline: []store.TimelineEntry{{At: time.Now(), Code: "device.verified", Text: "one\nline", DevEUI: lorawan.EUI64{1}}}}); err != nil {
		t.Fatal(err)
	}
	if out := w.run(0, "campaign", "progress", campaign).out; !strings.Contains(out, "RUNNING") || !strings.Contains(out, "verified") {
		t.Errorf("progress:\n%s", out)
	}
	if out := w.run(0, "campaign", "progress", campaign, "-o", "json").out; !json.Valid([]byte(out)) {
		t.Errorf("progress:\n%s", out)
	}
	if out := w.run(0, "campaign", "devices", campaign, "--outcome", "verified").out; strings.Count(out, "\n") != 2 {
		t.Errorf("devices:\n%s", out)
	}
	if out := w.run(cli.ExitUnsuccess, "campaign", "stop", campaign, "--wait").out; !strings.Contains(out, "device.verified 0100000000000000 one line\n") ||
		!strings.HasSuffix(out, "STOPPED  Verify running 1/1\n") {
		t.Errorf("stop --wait:\n%s", out)
	}
	if out := w.run(0, "campaign", "timeline", campaign).out; strings.Count(out, "\n") != 3 {
		t.Errorf("timeline:\n%s", out)
	}
	for line := range strings.Lines(w.run(cli.ExitUnsuccess, "campaign", "watch", campaign, "-o", "json").out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("watch -o json: %q", line)
		}
	}
}

// A stream that breaks is taken up where it broke, and success is exit code 0.
func TestWatchTakesUpABrokenStream(t *testing.T) {
	w := newWorld(t)
	var resumed []string
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.Header.Get("Last-Event-ID"))
		rw.Header().Set("Content-Type", "text/event-stream")
		if len(resumed) == 1 {
			fmt.Fprint(rw, "id: 7\nevent: timeline\ndata: {\"code\":\"a\"}\n\n")
			return
		}
		fmt.Fprint(rw, ": comment\n\nevent: progress\ndata: {\"status\":\"SUCCEEDED\"}\n\n")
	}))
	defer srv.Close()
	r := w.runIn(context.Background(), "", "campaign", "watch", "c", "--server", srv.URL)
	if r.code != 0 || r.out != "- a - -\nSUCCEEDED\n" || !strings.Contains(r.err, "trying again") || fmt.Sprint(resumed) != "[ 7]" {
		t.Errorf("%+v, resumed after %q", r, resumed)
	}
}
