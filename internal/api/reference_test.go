package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/postgres/pgtest"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

// walkedParameter is a row of testdata/reference-parameters.txt.
type walkedParameter struct {
	name, place, value, change string
}

// keys reports whether the parameter is only shown by the /keys address of its object.
func (p walkedParameter) keys() (string, bool) { return strings.CutPrefix(p.place, "keys:") }

// parametersOf returns the parameters of each object.
func parametersOf(t *testing.T) map[string][]walkedParameter {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "reference-parameters.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]walkedParameter{}
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.Split(line, " | ")
		if len(cells) != 5 {
			t.Fatalf("%q has %d cells", line, len(cells))
		}
		all[cells[0]] = append(all[cells[0]], walkedParameter{cells[1], cells[2], cells[3], cells[4]})
	}
	return all
}

// The documentation of the reference server is not part of this repository. Where it lies
// beside it, nothing of it may be missing here.
func TestEveryParameterOfTheReferenceServerIsListed(t *testing.T) {
	all := parametersOf(t)
	want := map[string]int{"Device": 10, "Device Set": 4, "Reliable Multicast group": 12, "Region": 4, "File": 13, "Device profile": 12, "Campaign": 18, "Smart Delta key": 4}
	for object, n := range want {
		if len(all[object]) != n {
			t.Errorf("%s: %d parameters, want %d", object, len(all[object]), n)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "seed", "server-objects.md"))
	if err != nil {
		return // a checkout of its own: the counts above hold
	}
	row, heading, object := regexp.MustCompile(`^\| \*\*(.+?)\*\*\s*\|`), regexp.MustCompile(`^## (.+)$`), ""
	found := map[string]int{}
	for _, line := range strings.Split(string(text), "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			object = m[1]
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		found[object]++
		if !slices.ContainsFunc(all[object], func(p walkedParameter) bool { return p.name == m[1] }) {
			t.Errorf("%s: no row for %s", object, m[1])
		}
	}
	if !maps.Equal(found, want) {
		t.Errorf("the documentation has %v, want %v", found, want)
	}
}

// TestEveryParameterOfTheReferenceServerIsSetAndReadBack makes each of the eight objects with all of
// its parameters, reads them back, and changes them one by one.
func TestEveryParameterOfTheReferenceServerIsSetAndReadBack(t *testing.T) {
	for engine, open := range map[string]func(t *testing.T) (store.Store, error){
		"SQLite": func(t *testing.T) (store.Store, error) {
			return sqlite.Temporary(t.Context(), filepath.Join(t.TempDir(), "starling.db"))
		},
		"PostgreSQL": func(t *testing.T) (store.Store, error) {
			return postgres.Open(t.Context(), pgtest.URL(pgtest.NewDatabase(t, "")), storetest.KEK())
		},
	} {
		t.Run(engine, func(t *testing.T) {
			db, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			s := &server{T: t, store: db}
			s.token = s.user("admin", "", identity.Administrator)
			h, mux := api.Handler(api.Config{Service: service.New(service.Config{Store: db, Runner: runner{db}, MaxContent: 1 << 20}),
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Version: "test"})
			s.Server, s.mux = httptest.NewServer(h), mux
			t.Cleanup(s.Server.Close)
			newReference(s).walk(parametersOf(t))
		})
	}
}

// reference is the walk through the parameters.
type reference struct {
	*server
	names map[string]string // "$profile" -> `"its identifier"`
}

func newReference(s *server) *reference {
	r := &reference{s, map[string]string{"$pem": quote(s, newPEM(s))}}
	made := func(name, plural, body string) {
		s.Helper()
		obj := s.ok(201, s.do("POST", "/api/v1/"+plural, r.fillIn(body)))
		id, ok := obj["id"].(string)
		if !ok {
			id = obj["dev_eui"].(string)
		}
		r.names[name] = quote(s, id)
	}
	for i, other := range []string{"", "other-"} {
		made("$"+other+"key", "smart-delta-keys", fmt.Sprintf(`{"name":"key %d","private_key":%s}`, i, quote(s, newPEM(s))))
		made("$"+other+"profile", "device-profiles", fmt.Sprintf(`{"name":"profile","producer_id":"x","module_id":"x","hw_revision":%d}`, i))
		made("$"+other+"device", "devices", fmt.Sprintf(`{"dev_eui":"0004a30b000000d%d","profile_id":$profile}`, i+1))
		made("$"+other+"group", "multicast-groups", fmt.Sprintf(`{"dev_eui":"70b3d57ed00000a%d","band":"EU868","mc_addr":"0a00000%d","frequency":869525000,"session_class":"C"}`, i+1, i+1))
		made("$"+other+"set", "device-sets", fmt.Sprintf(`{"name":"set %d","devices":[$device]}`, i))
		made("$"+other+"region", "regions", fmt.Sprintf(`{"name":"region %d","groups":[$%sgroup]}`, i, other))
		made("$"+other+"file", "files", fmt.Sprintf(`{"name":"file %d","type":"firmware","version":"2.0.0.%d","profile_id":$profile}`, i, i))
	}
	return r
}

func quote(s *server, text string) string {
	s.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

func newPEM(s *server) string {
	s.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

var named = regexp.MustCompile(`\$[a-z-]+`)

// fillIn replaces $names by the identifiers of objects.
func (r *reference) fillIn(text string) string {
	return named.ReplaceAllStringFunc(text, func(name string) string {
		id, ok := r.names[name]
		if !ok {
			r.Fatalf("nothing is called %s", name)
		}
		return id
	})
}

// walk makes an object of each kind and goes through its parameters.
func (r *reference) walk(all map[string][]walkedParameter) {
	for _, kind := range []struct{ object, plural, key string }{
		{"Smart Delta key", "smart-delta-keys", "id"}, {"Device profile", "device-profiles", "id"}, {"Device", "devices", "dev_eui"}, {"Device Set", "device-sets", "id"},
		{"Reliable Multicast group", "multicast-groups", "dev_eui"}, {"Region", "regions", "id"}, {"File", "files", "id"}, {"Campaign", "campaigns", "id"},
	} {
		fields := map[string]string{}
		for _, p := range all[kind.object] {
			name := p.place
			if key, ok := p.keys(); ok {
				name = key
			}
			if p.value != "read" {
				fields[name] = r.fillIn(p.value)
			}
		}
		var body []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			body = append(body, quote(r.server, name)+":"+fields[name])
		}
		made := r.ok(201, r.do("POST", "/api/v1/"+kind.plural, "{"+strings.Join(body, ",")+"}"))
		at := "/api/v1/" + kind.plural + "/" + made[kind.key].(string)
		for _, p := range all[kind.object] {
			if p.value != "read" {
				r.expect(kind.object, at, p, r.fillIn(p.value))
			}
		}
		for _, p := range all[kind.object] { // what is archived stands last
			if p.change == "-" {
				continue
			}
			name := strings.TrimPrefix(p.place, "keys:")
			etag := r.do("GET", at, "").Header.Get("ETag")
			r.ok(200, r.do("PATCH", at, "{"+quote(r.server, name)+":"+r.fillIn(p.change)+"}", "If-Match", etag))
			r.expect(kind.object, at, p, r.fillIn(p.change))
		}
		r.live(kind.object, at)
		for _, p := range all[kind.object] {
			if p.value == "read" {
				r.expect(kind.object, at, p, "")
			}
		}
	}
}

// live does to an object what makes the server set the parameters that are its own.
func (r *reference) live(object, at string) {
	switch object {
	case "File":
		r.ok(200, r.do("PUT", at+"/content", "the patch", "Content-Type", "application/octet-stream"))
	case "Campaign":
		etag := r.do("GET", at, "").Header.Get("ETag")
		r.ok(200, r.do("PATCH", at, `{"archived":false}`, "If-Match", etag))
		r.ok(202, r.do("POST", at+"/actions", `{"action":"start"}`))
		// It ends, which the runner of these tests does not do by itself.
		end := store.Step{CampaignID: strings.TrimPrefix(at, "/api/v1/campaigns/"), Status: fleet.Succeeded, Ended: time.Now()}
		if err := r.store.CommitStep(r.Context(), end); err != nil {
			r.Fatal(err)
		}
	}
}

// expect reads a parameter back. want is JSON; "": whatever the server has set, but something.
func (r *reference) expect(object, at string, p walkedParameter, want string) {
	r.Helper()
	name, secret := p.keys()
	if !secret {
		name = p.place
	} else {
		at += "/keys"
	}
	obj := r.ok(200, r.do("GET", at, ""))
	got, there := obj[name]
	if want == "" {
		if !there || reflect.ValueOf(got).IsZero() {
			r.Errorf("%s: %s (%s) is not set: %v", object, p.name, p.place, obj)
		}
		return
	}
	var value any
	if err := json.Unmarshal([]byte(want), &value); err != nil {
		r.Fatal(errors.Join(err, errors.New(want)))
	}
	if !reflect.DeepEqual(got, value) {
		r.Errorf("%s: %s (%s) reads %v, was set to %v", object, p.name, p.place, got, value)
	}
}
