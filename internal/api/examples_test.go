package api_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

const password = "four unrelated words"

// who are the users of the contract test: of the server, of the default subscriber, of another.
var who = []struct {
	name, subscriber string
	role             identity.Role
}{
	{"server administrator", "", identity.Administrator},
	{"server operator", "", identity.Operator},
	{"server viewer", "", identity.Viewer},
	{"administrator", fleet.DefaultSubscriber, identity.Administrator},
	{"operator", fleet.DefaultSubscriber, identity.Operator},
	{"viewer", fleet.DefaultSubscriber, identity.Viewer},
	{"foreigner", "other", identity.Administrator},
}

// people makes the users.
func (c *contract) people(use *service.Service) {
	c.Helper()
	ctx := context.Background()
	if err := c.store.Subscribers().Create(ctx, &fleet.Subscriber{ID: "other", Name: "Other"}); err != nil {
		c.Fatal(err)
	}
	for _, w := range who {
		c.tokens[w.name] = c.mint(strings.ReplaceAll(w.name, " ", "-"), w.subscriber, w.role)
	}
	c.login = "somebody"
	if _, err := use.CreateUser(service.As(ctx, identity.System("")), identity.User{Login: c.login, SubscriberID: fleet.DefaultSubscriber}, password); err != nil {
		c.Fatal(err)
	}
	// The device that runner puts into every run.
	body := c.body("devices", c.tokens["administrator"])
	body["dev_eui"] = devEUI
	c.create("devices", body, c.tokens["administrator"])
}

// mint makes a user and returns the secret of a token of his with the scopes.
func (c *contract) mint(login, subscriber string, role identity.Role, scopes ...identity.Permission) string {
	c.Helper()
	ctx := context.Background()
	secret, digest, err := identity.NewSecret(rand.Reader, identity.KindAPI)
	if err != nil {
		c.Fatal(err)
	}
	login = fmt.Sprintf("%s-%d", login, c.made.Add(1))
	if err := c.store.Users().Create(ctx, &identity.User{ID: "user-" + login, Login: login, SubscriberID: subscriber, Role: role}); err != nil {
		c.Fatal(err)
	}
	if err := c.store.Tokens().Create(ctx, &identity.Token{ID: "token-" + login, Name: login, UserID: "user-" + login, SubscriberID: subscriber,
		Digest: digest, Scopes: scopes}); err != nil {
		c.Fatal(err)
	}
	return secret
}

// body returns a valid body for a new object, unlike all others.
func (c *contract) body(kind, token string) map[string]any {
	c.Helper()
	n := c.made.Add(1)
	name := fmt.Sprintf("example %d", n)
	switch kind {
	case "device-profiles":
		return map[string]any{"name": name, "producer_id": "acme", "module_id": fmt.Sprint("m", n), "hw_revision": 1, "default_uplink_period_s": 600, "library": "smart_delta", "delta_formats": []any{"detools"},
			"packages": map[string]any{"mc_setup": 2, "fragmentation": 2}}
	case "devices":
		return map[string]any{"dev_eui": fmt.Sprintf("%016x", n), "name": name, "classes": "B,C", "root_key": aKey, "profile_id": c.profile(token), "firmware": "1.0.0.0", "band": "EU868"}
	case "device-sets":
		return map[string]any{"name": name, "devices": []any{c.make("devices", token)}}
	case "multicast-groups":
		return map[string]any{"dev_eui": fmt.Sprintf("%016x", n), "name": name, "band": "EU868", "mc_addr": fmt.Sprintf("%08x", n), "frequency": 869525000,
			"data_rate": 5, "session_class": "C", "mc_key": aKey}
	case "regions":
		return map[string]any{"name": name, "groups": []any{c.make("multicast-groups", token)}}
	case "files":
		return map[string]any{"name": name, "type": "firmware", "version": "2.0.0.0", "profile_id": c.profile(token)}
	case "smart-delta-keys":
		return map[string]any{"name": name, "private_key": aPrivateKey()}
	case "campaigns":
		return map[string]any{"name": name, "device_sets": []any{c.make("device-sets", token)}, "regions": []any{c.make("regions", token)},
			"file_id": c.make("files", token), "delta": "only", "max_duration_s": 32760, "success_threshold": 95, "policy": map[string]any{"retries": 5},
			"schedule": map[string]any{"windows": []any{map[string]any{"days": []any{"sat"}, "from": "22:00", "to": "05:30", "time_zone": "Europe/Paris"}}, "reboot": "countdown"},
			"phases":   []any{map[string]any{"name": "canary", "devices": 1, "promotion": map[string]any{"soak_s": 60}}},
			"abort":    []any{map[string]any{"kind": "any", "above_percent": 10}}, "catch_up": map[string]any{"rounds": 1}}
	case "users":
		return map[string]any{"login": fmt.Sprint("login", n), "name": name, "role": "viewer"}
	case "subscribers":
		return map[string]any{"id": fmt.Sprint("subscriber-", n), "name": name, "as_key": anASKey, "quota": map[string]any{"devices": 5}, "defaults": map[string]any{"band": "EU868"}}
	case "tokens":
		return map[string]any{"name": name, "scopes": []any{"self"}}
	}
	c.Fatalf("there is no example of a new object of %s: add one", kind)
	return nil
}

// profile returns a device profile that many examples of one token share.
func (c *contract) profile(token string) string {
	if c.profiles[token] == "" {
		c.profiles[token] = c.make("device-profiles", token)
	}
	return c.profiles[token]
}

// make makes an object of a kind and returns its identifier.
func (c *contract) make(kind, token string) string {
	c.Helper()
	ctx, id := context.Background(), fmt.Sprint("made-", c.made.Add(1))
	subscriber := fleet.DefaultSubscriber
	if token == c.tokens["foreigner"] {
		subscriber = "other"
	}
	var err error
	switch kind {
	case "jobs": // one that waits
		err = c.store.Jobs().Create(ctx, &store.Job{ID: id, SubscriberID: subscriber, Kind: "objects.change", State: store.JobQueued, DueAt: time.Now().Add(time.Hour)})
	case "reports":
		err = c.store.Reports().Create(ctx, &store.Report{ID: id, SubscriberID: subscriber, Kind: "general", Month: fmt.Sprintf("%04d-01", 1000+c.made.Add(1)%9000), CSV: "subscriber,devices\r\n"})
	case "subscribers":
		if subscriber == "other" {
			return subscriber // it can see itself, and make none
		}
		return c.create(kind, c.body(kind, c.tokens["server administrator"]), c.tokens["server administrator"]).field("id")
	default:
		s := c.create(kind, c.body(kind, token), token)
		if id = s.field("id"); id == "" {
			id = s.field("dev_eui")
		}
	}
	if err != nil {
		c.Fatal(err)
	}
	return id
}

func (c *contract) create(kind string, body map[string]any, token string) sent {
	c.Helper()
	op := c.byRoute["POST /api/v1/"+kind]
	if op == nil {
		c.Fatalf("nothing makes %s", kind)
	}
	s := c.do(request{op: op, body: encode(body), contentType: "application/json", token: token})
	if s.status != http.StatusCreated {
		c.Fatalf("no %s was made:\n%s", kind, s)
	}
	return s
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the test's own value
	}
	return b
}

// run starts a campaign, lets a device of it fail, and stops it if asked to.
func (c *contract) run(id, token string, stop bool) {
	c.Helper()
	op := c.byRoute["POST /api/v1/campaigns/{id}/actions"]
	c.succeeded(c.do(request{op: op, id: id, body: []byte(`{"action":"start"}`), contentType: "application/json", token: token}))
	err := c.store.CommitStep(context.Background(), store.Step{CampaignID: id, Status: fleet.Running, At: time.Now(), Header: []byte(aHeader),
		Devices:  []store.Row{{DevEUI: lorawan.MustParseEUI64(devEUI), State: []byte(aDevice), Stage: "McGroupSetup", Outcome: "failed", Reason: "no_answer", At: time.Now()}},
		Groups:   []store.Row{{DevEUI: lorawan.MustParseEUI64(grpEUI), State: []byte(aGroup), Stage: "McGroupSetup"}},
		Stages:   []store.StageProgress{{Position: 1, Name: "McGroupSetup", Status: "running", Started: time.Now(), Total: 1}},
		Timeline: []store.TimelineEntry{{At: time.Now(), Code: "setup.sent", Text: "asked"}}})
	if err != nil {
		c.Fatal(err)
	}
	if stop {
		c.succeeded(c.do(request{op: op, id: id, body: []byte(`{"action":"stop"}`), contentType: "application/json", token: token}))
	}
}

// fill gives a file its content.
func (c *contract) fill(id, content, token string) {
	c.Helper()
	c.succeeded(c.do(request{op: c.byRoute["PUT /api/v1/files/{id}/content"], id: id, token: token, body: []byte(content), contentType: "application/octet-stream"}))
}

// bodies are the valid bodies of operations that are not of a family.
var bodies = map[string]string{
	"act-on-campaign":    `{"action":"start"}`,
	"act-on-job":         `{"action":"cancel"}`,
	"copy-campaign":      `{"name":"a copy"}`,
	"extend-campaign":    `{"for_s":3600}`,
	"add-redundancy":     `{"percent":10}`,
	"retry-devices":      `{"devices":["` + devEUI + `"],"reasons":["device.no_answer"]}`,
	"exclude-devices":    `{"devices":["` + devEUI + `"]}`,
	"stop-all-campaigns": `{}`,
	"set-of-outcome":     `{"name":"again","outcomes":["failed"]}`,
	"set-password":       `{"password":"` + password + `"}`,
	"create-reports":     `{"month":"2026-01"}`,
	"plan-campaign":      `{"assumptions":{"loss_mean":0.2},"alternatives":false}`,
}

// withoutProvider are operations that a server without an OpenID provider does not do.
var withoutProvider = []string{"begin-oidc-login", "end-oidc-login"}

// example returns a valid request to an operation, made with objects of its own; ok is false
// if nobody has said what one is like.
func (c *contract) example(op *operation, token string) (r request, ok bool) {
	c.Helper()
	r = request{op: op, token: token}
	if op.hasID() {
		r.id = c.make(op.kind(), token)
	}
	switch {
	case op.kind() == "campaigns" && op.method == http.MethodGet && strings.Count(op.path, "/") > 4, op.id == "set-of-outcome":
		c.run(r.id, token, true)
	case slices.Contains([]string{"extend-campaign", "add-redundancy", "retry-devices", "exclude-devices"}, op.id):
		c.run(r.id, token, false)
	case op.id == "upload-file", op.id == "download-file":
		if op.id == "download-file" {
			up, _ := c.example(c.byRoute["PUT "+op.path], token)
			up.id = r.id
			c.succeeded(c.do(up))
		}
	case op.id == "generate-delta":
		c.fill(r.id, "the new image", token)
	case op.id == "logout":
		r.token = c.mint("leaving", fleet.DefaultSubscriber, identity.Viewer)
	}
	if p, ok := op.parameter("If-Match"); ok && p.in == "header" {
		shown := c.do(request{op: c.byRoute["GET "+op.path], id: r.id, token: c.tokens["server administrator"]})
		r = r.with("If-Match", shown.header.Get("ETag"))
	}
	switch {
	case slices.Contains(op.takes, "application/octet-stream"):
		r.body, r.contentType = []byte("content"), "application/octet-stream"
	case slices.Contains(op.takes, "text/csv"):
		r.body, r.contentType = []byte("dev_eui,name,producer_id,module_id,hw_revision\n0004a30b00112233,x,acme,imported,1\n"), "text/csv"
	case op.body == nil:
		return r, len(op.takes) == 0
	case op.id == "login":
		r.body = encode(map[string]any{"login": c.login, "password": password})
	case op.id == "plan-new-campaign":
		r.body = encode(c.body("campaigns", token))
	case op.id == "generate-delta":
		base := c.body("files", token)
		base["version"] = "1.0.0.0"
		id := c.create("files", base, token).field("id")
		c.fill(id, "the old image", token)
		r.body = encode(map[string]any{"from_file_id": id, "compression": 11})
	case bodies[op.id] != "":
		r.body = []byte(bodies[op.id])
	case op.method == http.MethodPost && strings.HasSuffix(op.path, "/bulk"):
		r.body = encode(map[string]any{"action": "archive", "ids": []any{c.make(op.kind(), token)}})
	case op.method == http.MethodPost && strings.Count(op.path, "/") == 3:
		r.body = encode(c.body(op.kind(), token))
	case op.method == http.MethodPatch:
		r.body = []byte(`{"name":"renamed"}`)
	default:
		return r, false
	}
	if r.contentType == "" {
		r.contentType = "application/json"
	}
	return r, true
}
