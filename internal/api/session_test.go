package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
)

// guarded is a running API behind a proxy that is trusted, and what it keeps.
func guarded(t *testing.T, trust bool) (*httptest.Server, *sqlite.Store, *service.Service) {
	t.Helper()
	db, err := sqlite.Temporary(context.Background(), filepath.Join(t.TempDir(), "starling.db"))
	if err != nil {
		t.Fatal(err)
	}
	use := service.New(service.Config{Store: db, Runner: runner{db}, MaxContent: 8 << 20})
	h, _ := api.Handler(api.Config{Service: use, Claims: db, Log: slog.New(slog.DiscardHandler), Version: "test", TrustProxy: trust,
		Poll: 5 * time.Millisecond, Heartbeat: 20 * time.Millisecond})
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := use.FirstAdministrator(context.Background(), "admin", password); err != nil {
		t.Fatal(err)
	}
	return server, db, use
}

// ask sends a request and reads the answer.
func ask(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := direct.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(b)}
}

func (a answer) cookie(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

const loginBody = `{"login":"admin","password":"` + password + `"}`

func TestASessionIsGoodUntilItEnds(t *testing.T) {
	s, _, _ := guarded(t, false)
	session := s.URL + "/api/v1/session"
	in := ask(t, "POST", session, loginBody)
	var got struct {
		Token string
		User  struct{ Login string }
	}
	if err := json.Unmarshal([]byte(in.body), &got); err != nil || in.StatusCode != 201 || got.User.Login != "admin" {
		t.Fatalf("%d %s", in.StatusCode, in.body)
	}
	cookie := in.cookie("starling_session")
	if cookie == nil || cookie.Value != got.Token || !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
		t.Fatalf("cookie %+v", cookie)
	}
	if in.Header.Get("Cache-Control") != "no-store" {
		t.Error("a token can be cached")
	}
	asToken, asCookie := []string{"Authorization", "bearer " + got.Token}, []string{"Cookie", cookie.String()}
	for _, as := range [][]string{asToken, asCookie} {
		me := ask(t, "GET", session, "", as...)
		if me.StatusCode != 200 || !strings.Contains(me.body, `"login":"admin"`) || !strings.Contains(me.body, `"server:manage"`) || !strings.Contains(me.body, `"subscriber_id":"default"`) {
			t.Errorf("%d %s", me.StatusCode, me.body)
		}
	}
	out := ask(t, "DELETE", session, "", asCookie...)
	if out.StatusCode != 204 || out.cookie("starling_session") == nil || out.cookie("starling_session").MaxAge >= 0 {
		t.Errorf("%d %v", out.StatusCode, out.Header)
	}
	for _, as := range [][]string{asToken, asCookie} {
		if a := ask(t, "GET", session, "", as...); a.StatusCode != 401 {
			t.Errorf("the session lives on: %d", a.StatusCode)
		}
	}
}

func TestPagesOfOtherOriginsDoNothingWithACookie(t *testing.T) {
	s, _, _ := guarded(t, false)
	cookie := ask(t, "POST", s.URL+"/api/v1/session", loginBody).cookie("starling_session").String()
	create := func(headers ...string) int {
		return ask(t, "POST", s.URL+"/api/v1/regions", `{"name":"x"}`, append(headers, "Cookie", cookie)...).StatusCode
	}
	for _, foreign := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		if status := create(foreign...); status != 403 {
			t.Errorf("%v: %d", foreign, status)
		}
	}
	for _, own := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", s.URL}, {}} {
		if status := create(own...); status != 201 && status != 422 {
			t.Errorf("%v: %d", own, status)
		}
	}
	if a := ask(t, "POST", s.URL+"/api/v1/session", loginBody, "Sec-Fetch-Site", "cross-site"); a.StatusCode != 403 {
		t.Errorf("another page logs somebody in: %d", a.StatusCode)
	}
}

func TestGuessingIsMadeToWait(t *testing.T) {
	s, _, _ := guarded(t, false)
	for range 5 {
		a := ask(t, "POST", s.URL+"/api/v1/session", `{"login":"admin","password":"wrong password"}`)
		if a.StatusCode != 401 || !strings.Contains(a.body, "Login or password is wrong") {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
	}
	a := ask(t, "POST", s.URL+"/api/v1/session", loginBody)
	if a.StatusCode != 429 || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, `"rate_limited"`) {
		t.Errorf("%d %v %s", a.StatusCode, a.Header, a.body)
	}
}

// Nobody who is unknown makes the server decode much.
func TestLoggingInTakesLittle(t *testing.T) {
	s, _, _ := guarded(t, false)
	body := `{"login":"admin","password":"` + password + `"`
	long := `,"password":"` + strings.Repeat(`\ud83d\ude00`, 256) + `"}`
	if a := ask(t, "POST", s.URL+"/api/v1/session", body+long); a.StatusCode != 401 {
		t.Errorf("the longest password: %d %s", a.StatusCode, a.body)
	}
	if a := ask(t, "POST", s.URL+"/api/v1/session", body+strings.Repeat(" ", 20<<10)+"}"); a.StatusCode != 413 {
		t.Errorf("20 KiB: %d %s", a.StatusCode, a.body)
	}
}

// Names are what people choose, and spreadsheets take some for formulas.
func TestExportsHoldNoFormulas(t *testing.T) {
	s, _, _ := guarded(t, false)
	var session struct{ Token string }
	if err := json.Unmarshal([]byte(ask(t, "POST", s.URL+"/api/v1/session", loginBody).body), &session); err != nil {
		t.Fatal(err)
	}
	as := []string{"Authorization", "Bearer " + session.Token}
	for i, name := range []string{"=1+1", "-2+3", "+1", "@x", "'=1"} {
		body := fmt.Sprintf(`{"login":"u%d","name":%q}`, i, name)
		if a := ask(t, "POST", s.URL+"/api/v1/users", body, as...); a.StatusCode != 201 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		if a := ask(t, "GET", s.URL+"/api/v1/users/export", "", as...); !strings.Contains(a.body, ",'"+name+",") {
			t.Errorf("%s is not defused:\n%s", name, a.body)
		}
	}
}

// What a client says about where it comes from counts only if a proxy has said it.
func TestTheAuditLogHasTheAddressThatCanBeBelieved(t *testing.T) {
	for _, trust := range []bool{false, true} {
		s, db, _ := guarded(t, trust)
		a := ask(t, "POST", s.URL+"/api/v1/session", loginBody, "X-Forwarded-For", "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto", "https")
		if got := a.cookie("starling_session").Secure; got != trust {
			t.Errorf("trust %v: Secure %v", trust, got)
		}
		page, err := db.Audit(context.Background(), store.AuditQuery{Action: "session.login"})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%v, %d entries", err, len(page.Items))
		}
		want := "127.0.0.1"
		if trust {
			want = "198.51.100.7"
		}
		if e := page.Items[0]; e.From != want || e.RequestID == "" {
			t.Errorf("trust %v: from %q, request %q", trust, e.From, e.RequestID)
		}
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	s := start(t)
	id := s.fill()["campaigns"]
	secret := s.user("watcher", fleet.DefaultSubscriber, identity.Viewer)
	req, err := http.NewRequest("GET", s.URL+"/api/v1/campaigns/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := res.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Tokens().Archive(context.Background(), "token-watcher", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil { // it would never end
		t.Error(err)
	}
}

// slow is a body that tells when it is read, and waits in between.
type slow struct {
	first, second io.Reader
	read          chan<- bool
	goOn          <-chan bool
}

func (s *slow) Read(p []byte) (int, error) {
	if n, err := s.first.Read(p); err == nil {
		return n, nil
	}
	if s.read != nil {
		close(s.read)
		s.read = nil
		<-s.goOn
	}
	return s.second.Read(p)
}

func TestAnImportWithAKeyStreamsAndIsDoneOnce(t *testing.T) {
	s, _, _ := guarded(t, false)
	var session struct{ Token string }
	if err := json.Unmarshal([]byte(ask(t, "POST", s.URL+"/api/v1/session", loginBody).body), &session); err != nil {
		t.Fatal(err)
	}
	as := []string{"Authorization", "Bearer " + session.Token, "Idempotency-Key", "one", "Content-Type", "text/csv"}
	profile := ask(t, "POST", s.URL+"/api/v1/device-profiles", `{"name":"meter","producer_id":"ACME","module_id":"M1","hw_revision":2}`, as[:2]...)
	if profile.StatusCode != 201 {
		t.Fatal(profile.body)
	}
	table := fleetTable(2000, 0)
	read, on := make(chan bool), make(chan bool)
	body := &slow{strings.NewReader(table[:100_000]), strings.NewReader(table[100_000:]), read, on}
	first := make(chan answer)
	go func() {
		req, _ := http.NewRequest("POST", s.URL+"/api/v1/devices/import", body)
		for i := 0; i < len(as); i += 2 {
			req.Header.Set(as[i], as[i+1])
		}
		// The body is sent when the server reads it, and that is after it has noted the key.
		req.Header.Set("Expect", "100-continue")
		patient := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
		res, err := patient.Do(req)
		if err != nil {
			t.Error(err)
			first <- answer{&http.Response{}, ""}
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		first <- answer{res, string(b)}
	}()
	<-read
	// While it arrives, the same comes again: it has no answer yet.
	pending := ask(t, "POST", s.URL+"/api/v1/devices/import", table, as...)
	if pending.StatusCode != 409 || !strings.Contains(pending.body, `"idempotency_pending"`) || !strings.Contains(pending.body, "unknown") || pending.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", pending.StatusCode, pending.body)
	}
	close(on)
	done := <-first
	if done.Response.StatusCode != 200 || !strings.Contains(done.body, `"created":2000`) {
		t.Fatalf("%d %.300s", done.StatusCode, done.body)
	}
	again := ask(t, "POST", s.URL+"/api/v1/devices/import", table, as...)
	if again.body != done.body || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Import-Report") != done.Header.Get("Import-Report") {
		t.Errorf("%d %v %.300s", again.StatusCode, again.Header, again.body)
	}
	if other := ask(t, "POST", s.URL+"/api/v1/devices/import", table+"x", as...); other.StatusCode != 422 || !strings.Contains(other.body, "idempotency_mismatch") {
		t.Errorf("%d %.300s", other.StatusCode, other.body)
	}
	// Keys of one user mean nothing to another.
	secret, digest, err := identity.NewSecret(rand.Reader, identity.KindAPI)
	if err != nil || digest == "" {
		t.Fatal(err)
	}
	if a := ask(t, "POST", s.URL+"/api/v1/devices/import", table, "Authorization", "Bearer "+secret, "Idempotency-Key", "one", "Content-Type", "text/csv"); a.StatusCode != 401 {
		t.Errorf("a replay without a token: %d", a.StatusCode)
	}
}

func TestAnAnswerTooLargeToKeepIsSentAndNotRepeated(t *testing.T) {
	s, _, _ := guarded(t, false)
	var session struct{ Token string }
	if err := json.Unmarshal([]byte(ask(t, "POST", s.URL+"/api/v1/session", loginBody).body), &session); err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	table.WriteString("dev_eui,name\r\n")
	for i := range 20_000 { // no row is good: there is no profile
		fmt.Fprintf(&table, "%016x,%s\r\n", i+1, strings.Repeat("n", 60))
	}
	as := []string{"Authorization", "Bearer " + session.Token, "Idempotency-Key", "large", "Content-Type", "text/csv", "Accept", "text/csv"}
	first := ask(t, "POST", s.URL+"/api/v1/devices/import", table.String(), as...)
	if first.StatusCode != 200 || len(first.body) < 1<<20 {
		t.Fatalf("%d, %d bytes", first.StatusCode, len(first.body))
	}
	if again := ask(t, "POST", s.URL+"/api/v1/devices/import", table.String(), as...); again.StatusCode != 409 || !strings.Contains(again.body, "idempotency_not_kept") {
		t.Errorf("%d %.300s", again.StatusCode, again.body)
	}
}
