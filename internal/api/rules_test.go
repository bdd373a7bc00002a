package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// forAnybody are the operations that need no token. Whoever adds one says here that it is meant.
var forAnybody = []string{"login", "begin-oidc-login", "end-oidc-login"}

func everyOperationIsCovered(c *contract) {
	for _, op := range c.operations {
		switch {
		case !strings.HasPrefix(op.path, "/api/v1/") || op.id == "":
			c.Errorf("%s %s has no place or no name", op.method, op.path)
		case op.open != slices.Contains(forAnybody, op.id):
			c.Errorf("%s: may anybody do this? The document and this test do not agree", op.id)
		case op.permission == "" && !op.open:
			c.Errorf("%s needs no permission", op.id)
		case !op.open && !op.permission.Known():
			c.Errorf("%s needs the permission %q, which nobody can have", op.id, op.permission)
		}
		want := []string{"422", "500", "503", "403"}
		if !op.open {
			want = append(want, "401")
		}
		if op.hasID() {
			want = append(want, "404")
		}
		if len(op.takes) > 0 {
			want = append(want, "400", "408", "413", "415")
		}
		if op.has("If-Match") {
			want = append(want, "412")
		}
		if op.method == http.MethodPost && !op.open {
			want = append(want, "409")
			if !op.has("Idempotency-Key") {
				c.Errorf("%s takes no Idempotency-Key", op.id)
			}
		}
		for _, status := range want {
			r, _ := op.responses[status].(map[string]any)
			if content, _ := r["content"].(map[string]any); content[problem] == nil {
				c.Errorf("%s does not say what %s is like", op.id, status)
			}
		}
		if _, ok := c.example(op, c.tokens["server administrator"]); !ok {
			c.Errorf("%s has no valid example: say in examples_test.go what one is like", op.id)
		}
	}
	// A route that is put beside the document does not exist.
	c.mux.HandleFunc("GET /api/v1/backdoor", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	res, err := direct.Get(c.url + "/api/v1/backdoor")
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		c.Errorf("a route without a door answers %d", res.StatusCode)
	}
	// Every method of every path is either described or refused.
	for _, op := range c.operations {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"} {
			if c.byRoute[method+" "+op.path] != nil {
				continue
			}
			r := httptest.NewRequest(method, strings.ReplaceAll(op.path, "{id}", "x"), nil)
			if _, pattern := c.mux.Handler(r); pattern != "/" && c.byRoute[pattern] == nil {
				c.Errorf("%s %s leads to %q, which the document does not have", method, op.path, pattern)
			}
		}
	}
}

func validIsDone(c *contract) {
	for _, op := range c.operations {
		r, ok := c.example(op, c.tokens["server administrator"])
		if !ok {
			continue
		}
		s := c.do(r)
		if slices.Contains(withoutProvider, op.id) {
			c.refused(s, http.StatusNotFound, "not_found")
			continue
		}
		c.succeeded(s)
	}
}

func nobodyPasses(c *contract) {
	expired := c.mint("expired", "", identity.Administrator)
	revoked := c.mint("revoked", "", identity.Administrator)
	archived := c.mint("archived", "", identity.Administrator)
	ctx := context.Background()
	for secret, change := range map[string]func(*identity.Token) error{
		expired: func(t *identity.Token) error {
			t.ExpiresAt = time.Now().Add(-time.Hour)
			return c.store.Tokens().Update(ctx, t)
		},
		revoked:  func(t *identity.Token) error { return c.store.Tokens().Archive(ctx, t.ID, time.Now()) },
		archived: func(t *identity.Token) error { return c.store.Users().Archive(ctx, t.UserID, time.Now()) },
	} {
		for _, t := range c.allTokens() {
			if t.Digest == identity.Digest(secret) {
				if err := change(&t); err != nil {
					c.Fatal(err)
				}
			}
		}
	}
	for _, op := range c.operations {
		if op.open {
			continue
		}
		for _, token := range []string{"", "nonsense", "stl_" + strings.Repeat("A", 43), expired, revoked, archived, strings.Repeat("x", 5000)} {
			s := c.do(request{op: op, id: "ffffffffffffffff", token: token})
			if c.refused(s, http.StatusUnauthorized, "unauthenticated") && s.header.Get("WWW-Authenticate") != "Bearer" {
				c.Errorf("%s: WWW-Authenticate is %q", op.id, s.header.Get("WWW-Authenticate"))
			}
		}
		basic := request{op: op, id: "x"}.with("Authorization", "Basic YWRtaW46YWRtaW4=")
		c.refused(c.do(basic), http.StatusUnauthorized, "unauthenticated")
	}
}

func (c *contract) allTokens() []identity.Token {
	c.Helper()
	page, err := c.store.Tokens().List(context.Background(), store.Query{Limit: store.MaxLimit})
	if err != nil {
		c.Fatal(err)
	}
	return page.Items
}

func rolesMay(c *contract) {
	for _, op := range c.operations {
		if op.open {
			continue
		}
		example, _ := c.example(op, c.tokens["administrator"])
		if op.id == "create-subscriber" || op.kind() == "subscribers" {
			example, _ = c.example(op, c.tokens["server administrator"])
		}
		for _, w := range who {
			if w.name == "foreigner" {
				continue
			}
			r := example
			r.token = c.tokens[w.name]
			if op.id == "logout" {
				r.token = c.mint("leaving", w.subscriber, w.role)
			}
			s := c.do(r)
			if !w.role.Permissions(w.subscriber == "").Has(op.permission) {
				if c.refused(s, http.StatusForbidden, "forbidden") && !strings.Contains(s.field("detail"), string(op.permission)) {
					c.Errorf("%s does not say what is missing: %s", op.id, s.field("detail"))
				}
			} else if s.status == http.StatusForbidden || s.status == http.StatusUnauthorized {
				c.Errorf("%s: a %s may do this:\n%s", op.id, w.name, s)
			}
		}
	}
}

// takesMore are operations that ask for more than their permission in some cases: nobody makes
// somebody who may do more than he may himself.
var takesMore = []string{"create-user", "update-user", "set-password", "archive-user", "create-token"}

func scopesMay(c *contract) {
	for _, p := range identity.AllPermissions() {
		token := c.mint("scoped", "", identity.Administrator, p)
		for _, op := range c.operations {
			if op.open || op.id == "logout" {
				continue
			}
			s := c.do(request{op: op, id: "ffffffffffffffff", token: token})
			switch {
			case op.permission != p:
				c.refused(s, http.StatusForbidden, "forbidden")
			case s.status == http.StatusForbidden && !slices.Contains(takesMore, op.id), s.status == http.StatusUnauthorized:
				c.Errorf("%s: a token with the scope %s may do this:\n%s", op.id, p, s)
			}
		}
	}
}

func subscribersAreApart(c *contract) {
	mine, theirs := c.tokens["administrator"], c.tokens["foreigner"]
	made := map[string]string{}
	for _, kind := range []string{"devices", "device-sets", "multicast-groups", "regions", "files", "device-profiles", "smart-delta-keys", "campaigns", "users", "tokens",
		"jobs", "reports", "subscribers"} {
		made[kind] = c.make(kind, theirs)
	}
	allowed := identity.Administrator.Permissions(false)
	for _, op := range c.operations {
		switch {
		case op.open || !allowed.Has(op.permission):
		case op.hasID():
			r, _ := c.example(op, mine)
			r.id = made[op.kind()]
			if r.id == "" {
				c.Errorf("%s: there is no foreign object of %s to try it with", op.id, op.kind())
				continue
			}
			c.refused(c.do(r), http.StatusNotFound, "not_found")
		case op.method == http.MethodGet:
			s := c.do(request{op: op, token: mine, query: map[string][]string{}})
			for kind, id := range made {
				if strings.Contains(string(s.body), `"`+id+`"`) || strings.Contains(string(s.body), id+",") {
					c.Errorf("%s shows the %s %s of another subscriber", op.id, kind, id)
				}
			}
		}
	}
	// Nor by acting in another subscriber, nor by referring to what is there.
	for _, op := range c.operations {
		if op.open {
			continue
		}
		s := c.do(request{op: op, id: made[op.kind()], token: mine}.with("Starling-Subscriber", "other"))
		c.refused(s, http.StatusForbidden, "forbidden")
	}
	device := c.body("devices", mine)
	device["profile_id"] = made["device-profiles"]
	c.refused(c.do(request{op: c.byRoute["POST /api/v1/devices"], body: encode(device), contentType: "application/json", token: mine}), http.StatusUnprocessableEntity, "invalid")
	// A user of the server acts where the header says.
	admin := c.tokens["server administrator"]
	show := request{op: c.byRoute["GET /api/v1/devices/{id}"], id: made["devices"], token: admin}
	c.refused(c.do(show), http.StatusNotFound, "not_found")
	c.succeeded(c.do(show.with("Starling-Subscriber", "other")))
	c.refused(c.do(show.with("Starling-Subscriber", "nobody")), http.StatusUnprocessableEntity, "invalid")
}

func unknownIsNotFound(c *contract) {
	for _, op := range c.operations {
		if !op.hasID() {
			continue
		}
		r, _ := c.example(op, c.tokens["server administrator"])
		for _, id := range []string{"ffffffffffffffff", "01990000-0000-7000-8000-000000000000", "no-such-thing"} {
			r.id = id
			c.refused(c.do(r), http.StatusNotFound, "not_found")
		}
	}
}

func staleTags(c *contract) {
	n := 0
	for _, op := range c.operations {
		if !op.has("If-Match") {
			continue
		}
		n++
		r, _ := c.example(op, c.tokens["server administrator"])
		for _, tag := range []string{`"999"`, `"0"`, "nonsense", `W/"1"`} {
			c.refused(c.do(r.with("If-Match", tag)), http.StatusPreconditionFailed, "stale")
		}
		without := r
		without.header = nil
		if op.responses["428"] != nil {
			c.refused(c.do(without), http.StatusPreconditionRequired, "precondition_required")
			c.refused(c.do(r.with("If-Match", "*")), http.StatusPreconditionRequired, "precondition_required")
		} else {
			c.succeeded(c.do(without))
			again, _ := c.example(op, c.tokens["server administrator"])
			c.succeeded(c.do(again.with("If-Match", "*")))
			continue
		}
		c.succeeded(c.do(r))
		if op.method == http.MethodPatch { // the tag was that of the state before
			r.body = []byte(`{"name":"another"}`)
			c.refused(c.do(r), http.StatusPreconditionFailed, "stale")
		}
	}
	if n < 16 {
		c.Errorf("only %d operations with If-Match", n)
	}
}

func notModified(c *contract) {
	n := 0
	for _, op := range c.operations {
		if op.responses["304"] == nil {
			continue
		}
		n++
		r, _ := c.example(op, c.tokens["server administrator"])
		first := c.do(r)
		tag := first.header.Get("ETag")
		if !c.succeeded(first) || tag == "" {
			c.Errorf("%s has no ETag", op.id)
			continue
		}
		for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			s := c.do(r.with("If-None-Match", known))
			if s.status != http.StatusNotModified || len(s.body) > 0 || s.header.Get("ETag") != tag {
				c.Errorf("%s with If-None-Match %s:\n%s", op.id, known, s)
			}
		}
		if s := c.do(r.with("If-None-Match", `"other"`)); s.status != http.StatusOK {
			c.Errorf("%s: %s", op.id, s)
		}
	}
	if n < 10 {
		c.Errorf("only %d operations with 304", n)
	}
}

func keysHaveOneEffect(c *contract) {
	admin := c.tokens["server administrator"]
	for _, op := range c.operations {
		if !op.has("Idempotency-Key") {
			continue
		}
		r, _ := c.example(op, admin)
		key := fmt.Sprint("key-", c.made.Add(1))
		keyed := r.with("Idempotency-Key", key)
		first := c.do(keyed)
		if !c.succeeded(first) || first.header.Get("Idempotency-Replayed") != "" {
			c.Errorf("%s was not done at first:\n%s", op.id, first)
			continue
		}
		second := c.do(keyed)
		if second.status != first.status || string(second.body) != string(first.body) || second.header.Get("Idempotency-Replayed") != "true" ||
			second.header.Get("Location") != first.header.Get("Location") || second.header.Get("ETag") != first.header.Get("ETag") {
			c.Errorf("%s: the same request has another answer:\n%s\n%s", op.id, first, second)
		}
		if len(r.body) > 0 {
			other := keyed
			other.body = append(slices.Clone(r.body), '\n')
			c.refused(c.do(other), http.StatusUnprocessableEntity, "idempotency_mismatch")
		}
		c.refused(c.do(keyed.where("surprise", "1")), http.StatusUnprocessableEntity, "idempotency_mismatch")
		for _, bad := range []string{"a b", strings.Repeat("x", 256), "ü"} {
			s := c.do(r.with("Idempotency-Key", bad))
			c.refused(s, http.StatusUnprocessableEntity, "invalid")
		}
		// What was refused is not kept: the key is still good for what is right.
		key = fmt.Sprint("key-", c.made.Add(1))
		wrong, _ := c.example(op, admin)
		right := wrong.with("Idempotency-Key", key)
		wrong = right.where("surprise", "1")
		c.refused(c.do(wrong), http.StatusUnprocessableEntity, "invalid")
		if s := c.do(right); s.header.Get("Idempotency-Replayed") != "" {
			c.Errorf("%s: a refusal was kept:\n%s", op.id, s)
		} else {
			c.succeeded(s)
		}
		c.atOnce(op, admin)
	}
}

// atOnce makes the same request several times at the same instant: one is done, and the others
// get its answer or are told that it has none yet.
func (c *contract) atOnce(op *operation, token string) {
	c.Helper()
	r, _ := c.example(op, token)
	r = r.with("Idempotency-Key", fmt.Sprint("key-", c.made.Add(1)))
	const n = 4
	answers := make([]sent, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s, err := c.send(r)
			if err != nil {
				c.Error(err)
			}
			answers[i] = s
		})
	}
	all.Wait()
	done := 0
	for _, s := range answers {
		c.check(s)
		switch {
		case s.status < 300 && s.header.Get("Idempotency-Replayed") == "":
			done++
		case s.status < 300, s.field("code") == "idempotency_pending":
		default:
			c.Errorf("%s at once:\n%s", op.id, s)
		}
	}
	if done != 1 {
		c.Errorf("%s was done %d times at once", op.id, done)
	}
}

func archivedObjects(c *contract) {
	admin := c.tokens["server administrator"]
	n := 0
	for _, op := range c.operations {
		one := c.byRoute["GET "+op.path]
		if op.method != http.MethodDelete || !op.hasID() || one == nil {
			continue
		}
		n++
		r, _ := c.example(op, admin)
		if s := c.do(r); s.status != http.StatusNoContent {
			c.Errorf("%s:\n%s", op.id, s)
			continue
		}
		shown := c.do(request{op: one, id: r.id, token: admin})
		if shown.status != http.StatusOK || shown.field("archived") != "true" {
			c.Errorf("%s: it is not shown as archived:\n%s", op.id, shown)
		}
		list := c.byRoute["GET /api/v1/"+op.kind()]
		for _, archived := range []bool{false, true} {
			q := request{op: list, token: admin}.where("archived", fmt.Sprint(archived)).where("limit", "1000")
			if in := strings.Contains(string(c.do(q).body), `"`+r.id+`"`); in != archived {
				c.Errorf("%s: in the list with archived=%v: %v", op.id, archived, in)
			}
		}
		again, _ := c.example(op, admin) // archiving twice is no error
		again.id = r.id
		if op.has("If-Match") {
			again = again.with("If-Match", shown.header.Get("ETag"))
		}
		c.succeeded(c.do(again))
		patch := c.byRoute["PATCH "+op.path]
		if patch == nil {
			continue
		}
		back := request{op: patch, id: r.id, token: admin, body: []byte(`{"archived":false}`), contentType: "application/json"}.with("If-Match", c.do(request{op: one, id: r.id, token: admin}).header.Get("ETag"))
		if s := c.do(back); s.status != http.StatusOK || s.field("archived") != "false" {
			c.Errorf("%s: it does not come back:\n%s", op.id, s)
		}
	}
	if n < 10 {
		c.Errorf("only %d kinds are archived", n)
	}
	// Nobody orders what is archived.
	id := c.make("campaigns", admin)
	gone, _ := c.example(c.byRoute["DELETE /api/v1/campaigns/{id}"], admin)
	gone.id = id
	gone = gone.with("If-Match", `"1"`)
	c.succeeded(c.do(gone))
	start := request{op: c.byRoute["POST /api/v1/campaigns/{id}/actions"], id: id, body: []byte(`{"action":"start"}`), contentType: "application/json", token: admin}
	c.refused(c.do(start), http.StatusConflict, "wrong_state")
}

// noKeyComesOut looks for the keys that were sent in everything that is shown to somebody who
// may reveal no keys, in the audit log, and in the server's log.
func noKeyComesOut(c *contract) {
	for _, op := range c.operations {
		if op.method != http.MethodGet || op.open || op.permission == identity.RevealKeys {
			continue
		}
		r, _ := c.example(op, c.tokens["server administrator"])
		if strings.Contains(strings.ToLower(string(c.do(r).body)), aKey) {
			c.Errorf("%s shows a key", op.id)
		}
	}
	if log := c.log.String(); strings.Contains(log, aKey) || strings.Contains(log, password) || strings.Contains(log, "stl_") {
		c.Error("the log shows a secret")
	}
	// Asked for by somebody who may, they do, and nobody on the way keeps them.
	r, _ := c.example(c.byRoute["GET /api/v1/devices/{id}/keys"], c.tokens["administrator"])
	if s := c.do(r); s.field("root_key") != aKey || s.header.Get("Cache-Control") != "no-store" {
		c.Errorf("%s", s)
	}
	audit := c.do(request{op: c.byRoute["GET /api/v1/audit"], token: c.tokens["administrator"]}.where("object_id", r.id).where("action", "device.reveal_keys"))
	var page struct{ Items []json.RawMessage }
	if err := json.Unmarshal(audit.body, &page); err != nil || len(page.Items) != 1 {
		c.Errorf("nobody knows who saw the key: %v\n%s", err, audit)
	}
}
