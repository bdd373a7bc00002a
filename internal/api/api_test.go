package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	machine "github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
)

const (
	aKey    = "000102030405060708090a0b0c0d0e0f"
	devEUI  = "0004a30b00112233"
	grpEUI  = "0004a30b000000aa"
	problem = "application/problem+json"
)

// What the runner stores of a campaign.
const (
	aHeader = `{"status":"RUNNING","gate":0,"stages":[{"stage":"McGroupSetup"}]}`
	aDevice = `{"stage":"McGroupSetup","outcome":2,"reason":"device.no_answer","detail":"no answer to 4 commands"}`
	aGroup  = `{"lanes":[{}]}`
)

// runner makes campaigns RUNNING and STOPPED.
type runner struct{ store.Store }

func (r runner) Start(ctx context.Context, id string, along store.Along) error {
	dev, group := lorawan.MustParseEUI64(devEUI), lorawan.MustParseEUI64(grpEUI)
	spec := machine.Spec{ID: id, Devices: []machine.Member{{DevEUI: dev}}, Lanes: []machine.Lane{{}}, Traits: []machine.Traits{{}}, Groups: []machine.GroupSpec{{DevEUI: group}}}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return r.CreateRun(ctx, store.Run{CampaignID: id, Started: time.Now(), Along: along, Spec: text, Header: []byte(aHeader),
		Devices: map[lorawan.EUI64][]byte{dev: []byte(aDevice)}, Groups: map[lorawan.EUI64][]byte{group: []byte(aGroup)}})
}

func (r runner) Order(ctx context.Context, id string, in machine.Input, audit ...store.AuditEntry) (machine.Receipt, error) {
	step := store.Step{CampaignID: id, Status: fleet.Running, Audit: audit, Header: []byte(aHeader)}
	switch in := in.(type) {
	case machine.StopRequested:
		step.Status, step.Timeline = fleet.Stopped, []store.TimelineEntry{{At: time.Now(), Code: "campaign.stopped", Text: "stopped"}}
	case machine.PauseRequested:
		step.Paused = true
	case machine.ResumeRequested:
		return machine.Receipt{}, errors.New("secret db error: " + aKey)
	case machine.RetryRequested:
		late := machine.Refusal{DevEUI: lorawan.MustParseEUI64(devEUI), Code: machine.ReasonOrderTooLate, Text: "has missed the session"}
		if len(in.Devices) == 0 {
			return machine.Receipt{}, &machine.RefusedError{Refused: []machine.Refusal{late}}
		}
		return machine.Receipt{Reached: 1, Refused: []machine.Refusal{late}}, r.CommitStep(ctx, step)
	}
	return machine.Receipt{Reached: 1}, r.CommitStep(ctx, step)
}

// server is a running API and what it has logged.
type server struct {
	*testing.T
	*httptest.Server
	store store.Store
	token string // of an administrator of the server
	log   bytes.Buffer
	mux   *http.ServeMux
}

func start(t *testing.T) *server {
	t.Helper()
	db, err := sqlite.Temporary(context.Background(), filepath.Join(t.TempDir(), "starling.db"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{T: t, store: db}
	s.token = s.user("admin", "", identity.Administrator)
	h, mux := api.Handler(api.Config{Service: service.New(service.Config{Store: db, Runner: runner{db}, MaxContent: 1 << 20}),
		Log: slog.New(slog.NewTextHandler(&s.log, nil)), Version: "test", Poll: 5 * time.Millisecond, Heartbeat: 20 * time.Millisecond})
	s.Server, s.mux = httptest.NewServer(h), mux
	t.Cleanup(func() {
		s.Server.CloseClientConnections()
		s.Server.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// user makes a user of a subscriber and returns the secret of a token with the scopes.
func (s *server) user(login, subscriber string, role identity.Role, scopes ...identity.Permission) string {
	s.Helper()
	ctx := context.Background()
	secret, digest, err := identity.NewSecret(rand.Reader, identity.KindAPI)
	if err != nil {
		s.Fatal(err)
	}
	u := identity.User{ID: "user-" + login, Login: login, SubscriberID: subscriber, Role: role}
	if err := s.store.Users().Create(ctx, &u); err != nil {
		s.Fatal(err)
	}
	if err := s.store.Tokens().Create(ctx, &identity.Token{ID: "token-" + login, Name: login, UserID: u.ID, SubscriberID: subscriber, Digest: digest, Scopes: scopes}); err != nil {
		s.Fatal(err)
	}
	return secret
}

// open asks with the token of s and leaves the answer to be read.
func (s *server) open(url string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	return http.DefaultClient.Do(req)
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

func (s *server) do(method, path, body string, headers ...string) answer {
	s.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{res, string(b)}
}

// ok fails the test unless the answer has the status, and returns its body.
func (s *server) ok(status int, a answer) map[string]any {
	s.Helper()
	if a.StatusCode != status {
		s.Fatalf("%s %s: %d %s, want %d", a.Request.Method, a.Request.URL, a.StatusCode, a.body, status)
	}
	out := map[string]any{}
	if a.body != "" {
		if err := json.Unmarshal([]byte(a.body), &out); err != nil {
			s.Fatalf("%v in %q", err, a.body)
		}
	}
	return out
}

// refused fails the test unless the answer is the problem document of a code.
func (s *server) refused(status int, code string, a answer) map[string]any {
	s.Helper()
	p := s.ok(status, a)
	if a.Header.Get("Content-Type") != problem || p["code"] != code || p["status"] != float64(status) || p["type"] != "urn:starling:problem:"+code || p["title"] == "" {
		s.Fatalf("got %s %s, want the problem %s", a.Header.Get("Content-Type"), a.body, code)
	}
	return p
}

// at returns where the errors of a problem are.
func at(p map[string]any) (out []string) {
	list, _ := p["errors"].([]any)
	for _, e := range list {
		m := e.(map[string]any)
		for _, k := range []string{"pointer", "parameter"} {
			if v, ok := m[k].(string); ok {
				out = append(out, v)
			}
		}
	}
	return out
}

// fill makes one of everything and returns the identifiers by kind.
func (s *server) fill() map[string]string {
	s.Helper()
	ids := map[string]string{}
	create := func(kind, key, body string) {
		s.Helper()
		a := s.do("POST", "/api/v1/"+kind, body)
		ids[kind] = s.ok(http.StatusCreated, a)[key].(string)
		if want := "/api/v1/" + kind + "/" + ids[kind]; a.Header.Get("Location") != want || a.Header.Get("ETag") != `"1"` {
			s.Fatalf("%s: Location %q, ETag %q", kind, a.Header.Get("Location"), a.Header.Get("ETag"))
		}
	}
	create("device-profiles", "id", `{"name":"meter","producer_id":"acme","module_id":"m","hw_revision":1,"default_uplink_period_s":600,"packages":{"mc_setup":2,"fragmentation":2}}`)
	create("devices", "dev_eui", fmt.Sprintf(`{"dev_eui":%q,"name":"one","classes":"B,C","root_key":%q,"profile_id":%q}`, devEUI, aKey, ids["device-profiles"]))
	create("device-sets", "id", fmt.Sprintf(`{"name":"all","devices":[%q]}`, devEUI))
	create("multicast-groups", "dev_eui", fmt.Sprintf(`{"dev_eui":%q,"band":"EU868","mc_addr":"01020304","frequency":869525000,"data_rate":5,"session_class":"C","mc_key":%q}`, grpEUI, aKey))
	create("regions", "id", fmt.Sprintf(`{"name":"east","groups":[%q]}`, grpEUI))
	create("files", "id", fmt.Sprintf(`{"name":"image","type":"firmware","version":"2.0.0.0","profile_id":%q}`, ids["device-profiles"]))
	create("campaigns", "id", fmt.Sprintf(`{"name":"spring","device_sets":[%q],"regions":[%q],"file_id":%q,"max_duration_s":32760,"success_threshold":95,"policy":{"retries":5}}`,
		ids["device-sets"], ids["regions"], ids["files"]))
	return ids
}

func TestEveryKindIsCreatedListedShownChangedAndArchived(t *testing.T) {
	s := start(t)
	ids := s.fill()
	changes := map[string]string{"files": `{"description":"d"}`}
	for kind, id := range ids {
		one := "/api/v1/" + kind + "/" + id
		shown := s.ok(200, s.do("GET", one, ""))
		if shown["revision"] != 1.0 || shown["archived"] != false {
			t.Errorf("%s: %v", kind, shown)
		}
		listed := s.ok(200, s.do("GET", "/api/v1/"+kind+"?count=exact", ""))
		if listed["total"] != 1.0 || len(listed["items"].([]any)) != 1 {
			t.Errorf("%s: %v", kind, listed)
		}
		change := changes[kind]
		if change == "" {
			change = `{"name":"renamed"}`
		}
		a := s.do("PATCH", one, change, "If-Match", `"1"`)
		if s.ok(200, a)["revision"] != 2.0 || a.Header.Get("ETag") != `"2"` {
			t.Errorf("%s: %s", kind, a.body)
		}
		s.refused(412, "stale", s.do("PATCH", one, `{"name":"mine"}`, "If-Match", `"1"`))
		s.refused(412, "stale", s.do("DELETE", one, "", "If-Match", `"1"`))
		s.refused(412, "stale", s.do("PATCH", one, `{"name":"mine"}`, "If-Match", "nonsense"))
		if d := s.do("DELETE", one, "", "If-Match", `"2"`); d.StatusCode != 204 || d.body != "" {
			t.Errorf("%s: %d %s", kind, d.StatusCode, d.body)
		}
		if s.ok(200, s.do("GET", one, ""))["archived"] != true {
			t.Errorf("%s is not archived", kind)
		}
		if items := s.ok(200, s.do("GET", "/api/v1/"+kind, ""))["items"].([]any); len(items) != 0 {
			t.Errorf("%s: still listed", kind)
		}
		if s.ok(200, s.do("PATCH", one, `{"archived":false}`, "If-Match", `"3"`))["archived"] != false {
			t.Errorf("%s does not come back", kind)
		}
		s.refused(404, "not_found", s.do("GET", "/api/v1/"+kind+"/ffffffffffffffff", ""))
		s.refused(404, "not_found", s.do("GET", "/api/v1/"+kind+"/no-such-thing", ""))
		s.refused(404, "not_found", s.do("DELETE", "/api/v1/"+kind+"/ffffffffffffffff", "", "If-Match", `"1"`))
	}
}

// What was shown can be sent back: read-only fields are ignored, nothing changes.
func TestWhatIsShownCanBeSentBack(t *testing.T) {
	s := start(t)
	for kind, id := range s.fill() {
		one := "/api/v1/" + kind + "/" + id
		shown := s.do("GET", one, "")
		back := s.ok(200, s.do("PATCH", one, shown.body, "If-Match", shown.Header.Get("ETag")))
		if back["revision"] != 1.0 {
			t.Errorf("%s changed by what it showed: %s", kind, shown.body)
		}
	}
}

func TestKeysGoInAndNeverComeOut(t *testing.T) {
	s := start(t)
	ids := s.fill()
	for _, path := range []string{"/devices", "/devices/" + devEUI, "/multicast-groups", "/multicast-groups/" + grpEUI} {
		a := s.do("GET", "/api/v1"+path, "")
		if strings.Contains(a.body, aKey) || strings.Contains(a.body, "redacted") || !strings.Contains(a.body, `_key_set":true`) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	d, err := s.store.Devices().Find(context.Background(), lorawan.MustParseEUI64(devEUI))
	if err != nil || d.RootKey.Hex() != aKey {
		t.Errorf("the key did not go in: %v", err)
	}
	// In the wrong place, or half of one: no answer and no log repeats it.
	for _, body := range []string{
		`{"root_key":"` + aKey + `00"}`, `{"root_key":["` + aKey + `"]}`, `{"name":"x","` + aKey + `":1}`,
		`{"classes":"` + aKey + `"}`, `{"band":"` + aKey + `"}`, `{"root_key":"` + aKey, `{"firmware":"` + aKey + `"}`, `"` + aKey + `"`,
	} {
		a := s.do("PATCH", "/api/v1/devices/"+devEUI, body, "Content-Type", "application/json")
		if a.StatusCode < 400 || a.StatusCode >= 500 || a.Header.Get("Content-Type") != problem {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.body)
		}
		if strings.Contains(a.body, aKey[:16]) && !strings.Contains(body, `"`+aKey+`":1`) {
			t.Errorf("%s is echoed: %s", body, a.body)
		}
	}
	s.ok(202, s.do("POST", "/api/v1/campaigns/"+ids["campaigns"]+"/actions", `{"action":"start"}`))
	if strings.Contains(s.log.String(), aKey) {
		t.Errorf("the log shows the key: %s", s.log.String())
	}
}

func TestAnUnknownErrorIsLoggedAndNotShown(t *testing.T) {
	s := start(t)
	one := "/api/v1/campaigns/" + s.fill()["campaigns"] + "/actions"
	s.ok(202, s.do("POST", one, `{"action":"start"}`))
	s.ok(202, s.do("POST", one, `{"action":"pause"}`))
	a := s.do("POST", one, `{"action":"resume"}`, "X-Request-Id", "req-7")
	p := s.refused(500, "internal", a)
	if strings.Contains(a.body, "secret") || p["request_id"] != "req-7" || a.Header.Get("X-Request-Id") != "req-7" {
		t.Errorf("shown: %s", a.body)
	}
	if log := s.log.String(); !strings.Contains(log, "secret db error") || !strings.Contains(log, "req-7") {
		t.Errorf("logged: %s", log)
	}
}

func TestAPanicIsAProblemToo(t *testing.T) {
	s := start(t)
	s.mux.HandleFunc("GET /boom", func(http.ResponseWriter, *http.Request) { panic("secret") })
	a := s.do("GET", "/boom", "", "X-Request-Id", "bad id;<script>")
	p := s.refused(500, "internal", a)
	if strings.Contains(a.body, "secret") || strings.Contains(a.body, "script") || len(p["request_id"].(string)) != 36 {
		t.Errorf("shown: %s", a.body)
	}
}

func TestWhatIsNotThereIsAProblemToo(t *testing.T) {
	s := start(t)
	s.refused(404, "no_route", s.do("GET", "/api/v1/nothing", ""))
	s.refused(404, "no_route", s.do("GET", "/elsewhere", ""))
	a := s.do("PUT", "/api/v1/devices", "{}")
	s.refused(405, "method_not_allowed", a)
	if a.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("Allow: %q", a.Header.Get("Allow"))
	}
}

func TestEverythingThatIsWrongIsNamed(t *testing.T) {
	s := start(t)
	s.fill()
	for _, tc := range []struct {
		method, path, body string
		status             int
		code               string
		at                 []string
	}{
		{"POST", "/devices", `{}`, 422, "invalid", []string{"/dev_eui", "/profile_id"}},
		{"POST", "/devices", `{"dev_eui":"xyz"}`, 422, "invalid", []string{"/dev_eui"}},
		{"POST", "/devices", `{"dev_eui":"0000000000000001","profile_id":"no"}`, 422, "invalid", []string{"/profile_id"}},
		{"POST", "/devices", `{"name":7,"surprise":1}`, 422, "invalid", []string{"/name", "/surprise"}},
		{"POST", "/devices", `{"classes":"A"}`, 422, "invalid", []string{"/classes"}},
		{"POST", "/device-sets", `{"name":"x","devices":["0004a30b00112233","nope"]}`, 422, "invalid", []string{"/devices/1"}},
		{"POST", "/device-profiles", `{"name":"x","producer_id":"p","module_id":"m","ports":{"fragmentation":300}}`, 422, "invalid", []string{"/ports/fragmentation"}},
		{"POST", "/device-profiles", `{"name":"x","producer_id":"p","module_id":"m","ports":{"fragmentation":200}}`, 422, "invalid", []string{"/ports/fragmentation"}},
		{"POST", "/campaigns", `{"name":"x","policy":{"flash_time_s":-1}}`, 422, "invalid", []string{"/policy/flash_time_s"}},
		{"POST", "/campaigns", `{"name":"x","reboot_at":"2026-13-01T00:00:00Z"}`, 422, "invalid", []string{"/reboot_at"}},
		{"PATCH", "/devices/" + devEUI, `{"dev_eui":"0000000000000002"}`, 422, "invalid", []string{"/dev_eui"}},
		{"POST", "/devices", `{"name":`, 400, "malformed", nil},
		{"POST", "/devices", ``, 400, "malformed", nil},
		{"GET", "/devices?limit=0", "", 422, "invalid", []string{"query.limit"}},
		{"GET", "/devices?limit=many", "", 422, "invalid", []string{"query.limit"}},
		{"GET", "/devices?surprise=1", "", 422, "invalid", []string{"query.surprise"}},
		{"GET", "/devices?filter=tag", "", 422, "invalid", []string{"query.filter"}},
		{"GET", "/devices?filter=shoe:7", "", 422, "invalid", nil},
		{"GET", "/devices?cursor=!", "", 422, "invalid", nil},
		{"POST", "/device-profiles", `{"name":"again","producer_id":"acme","module_id":"m","hw_revision":1}`, 409, "conflict", nil},
		{"POST", "/multicast-groups", `{"dev_eui":"0004a30b000000bb","band":"EU868","mc_addr":"01020304","frequency":869525000,"session_class":"C"}`, 409, "conflict", nil},
		{"POST", "/campaigns/no/actions", `{"action":"start"}`, 404, "not_found", nil},
		{"POST", "/campaigns/no/actions", `{"action":"explode"}`, 422, "invalid", []string{"/action"}},
		{"GET", "/campaigns/no/progress", "", 404, "not_found", nil},
		{"GET", "/campaigns/no/events", "", 404, "not_found", nil},
		{"GET", "/campaigns/no/timeline?dev_eui=1", "", 422, "invalid", []string{"query.dev_eui"}},
		{"GET", "/files/no/content", "", 404, "not_found", nil},
	} {
		p := s.refused(tc.status, tc.code, s.do(tc.method, "/api/v1"+tc.path, tc.body, "Content-Type", "application/json"))
		got := at(p)
		slices.Sort(got)
		if tc.at != nil && !slices.Equal(got, tc.at) {
			t.Errorf("%s %s %s: errors at %q, want %q: %v", tc.method, tc.path, tc.body, got, tc.at, p)
		}
	}
}

func TestListsPageAndFilter(t *testing.T) {
	s := start(t)
	ids := s.fill()
	for n := range 5 {
		s.ok(201, s.do("POST", "/api/v1/devices", fmt.Sprintf(`{"dev_eui":"00000000000000%02d","tag":"canary","profile_id":%q}`, n+1, ids["device-profiles"])))
	}
	var seen []string
	next := "/api/v1/devices?limit=4"
	for next != "" {
		page := s.ok(200, s.do("GET", next, ""))
		for _, item := range page["items"].([]any) {
			seen = append(seen, item.(map[string]any)["dev_eui"].(string))
		}
		cursor, _ := page["next_cursor"].(string)
		if next = ""; cursor != "" {
			next = "/api/v1/devices?limit=4&cursor=" + cursor
		}
	}
	if len(seen) != 6 || !slices.IsSorted(seen) {
		t.Errorf("saw %q", seen)
	}
	for query, want := range map[string]float64{"filter=tag:canary": 5, "filter=tag:canary&filter=name:x": 0, "q=ONE": 1,
		"filter=device_set:" + ids["device-sets"]: 1, "": 6} {
		if got := s.ok(200, s.do("GET", "/api/v1/devices?count=exact&"+query, ""))["total"]; got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	sets := s.ok(200, s.do("GET", "/api/v1/device-sets", ""))["items"].([]any)
	if set := sets[0].(map[string]any); set["devices"] != nil || set["device_count"] != 1.0 {
		t.Errorf("a list of sets counts devices: %v", set)
	}
}

func TestTheDocumentDescribesWhatIsServed(t *testing.T) {
	s := start(t)
	a := s.do("GET", "/openapi.json", "")
	doc := s.ok(200, a)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi %v", doc["openapi"])
	}
	if strings.Contains(a.body, "$schema") {
		t.Error("the document has schema links")
	}
	operations := map[string]bool{}
	for path, methods := range doc["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			id := op.(map[string]any)["operationId"].(string)
			if operations[id] || !strings.HasPrefix(path, "/api/v1/") {
				t.Errorf("%s %s %s", method, path, id)
			}
			operations[id] = true
			if _, ok := op.(map[string]any)["responses"].(map[string]any); !ok {
				t.Errorf("%s has no responses", id)
			}
		}
	}
	for _, id := range []string{"list-devices", "create-campaign", "upload-file", "download-file", "watch-campaign", "act-on-campaign"} {
		if !operations[id] {
			t.Errorf("no operation %s in the document", id)
		}
	}
	// Answers have no links either, whatever host the client claims.
	shown := s.do("GET", "/api/v1/devices", "", "Host", "evil.example")
	if strings.Contains(shown.body, "$schema") || shown.Header.Get("Link") != "" {
		t.Errorf("%s %v", shown.body, shown.Header)
	}
}

func TestHealth(t *testing.T) {
	s := start(t)
	if a := s.do("GET", "/healthz", ""); a.StatusCode != 200 || !strings.Contains(a.body, "ok") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.refused(503, "unavailable", s.do("GET", "/healthz", ""))
}

func TestServeFinishesWhatRunsAndEndsStreams(t *testing.T) {
	s := start(t)
	id := s.fill()["campaigns"]
	entered, release := make(chan bool), make(chan bool)
	s.mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		fmt.Fprint(w, "done")
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- api.Serve(ctx, ln, nil, s.Config.Handler, slog.New(slog.DiscardHandler)) }()

	get := func(path string) *http.Response {
		res, err := s.open("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Error(err)
			return &http.Response{Body: http.NoBody}
		}
		return res
	}
	slow := make(chan string)
	go func() {
		res := get("/slow")
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		slow <- fmt.Sprint(string(b), err)
	}()
	<-entered
	stream := get("/api/v1/campaigns/" + id + "/events")
	defer stream.Body.Close()
	if _, err := stream.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	stop()
	// The stream ends by itself, while the slow request still runs.
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("stream: %v", err)
	}
	close(release)
	if got := <-slow; got != "done<nil>" {
		t.Errorf("slow request: %s", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
