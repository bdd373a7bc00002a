package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/postgres/pgtest"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// The contract is the document: whatever it says of an operation is tried over HTTP, on both
// databases, and every answer is held against the schema that it has there.
//
//	/openapi.json ──> operations ──> valid, invalid, unknown, forbidden, ... : one request each
//	                                      │
//	answer ──> status in the document? ── type in the document? ── schema holds?
//
// An operation without a valid example, or without a permission, fails: a new route needs both.
func TestContract(t *testing.T) {
	engines := map[string]func(*testing.T) (store.Store, dump){
		"sqlite": func(t *testing.T) (store.Store, dump) {
			path := filepath.Join(t.TempDir(), "starling.db")
			db, err := sqlite.Temporary(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			return db, files(path)
		},
		"postgres": func(t *testing.T) (store.Store, dump) {
			name := pgtest.NewDatabase(t, "")
			db, err := postgres.Open(context.Background(), pgtest.URL(name), storetest.KEK())
			if err != nil {
				t.Fatal(err)
			}
			return db, tables(name)
		},
	}
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			db, content := open(t)
			c := newContract(t, db)
			c.content = content
			for _, part := range []struct {
				name string
				test func(*contract)
			}{
				{"EveryOperationHasARuleAndAnExample", everyOperationIsCovered},
				{"EveryFieldIsBounded", everyFieldIsBounded},
				{"WhatIsValidIsDone", validIsDone},
				{"NobodyPassesWithoutAToken", nobodyPasses},
				{"EachRoleMayWhatItsPermissionsSay", rolesMay},
				{"ATokenMayNoMoreThanItsScopes", scopesMay},
				{"OneSubscriberSeesNothingOfAnother", subscribersAreApart},
				{"WhatIsUnknownIsNotFound", unknownIsNotFound},
				{"AStaleTagChangesNothing", staleTags},
				{"WhatIsKnownIsNotSentAgain", notModified},
				{"AKeyHasOneEffect", keysHaveOneEffect},
				{"ArchivedObjectsLeaveTheListsAndStayReadable", archivedObjects},
				{"EveryWrongFieldIsNamed", wrongFieldsAreNamed},
				{"EveryWrongParameterIsNamed", wrongParametersAreNamed},
				{"WhatCannotBeReadIsRefused", unreadable},
				{"NoKeyComesOutUnasked", noKeyComesOut},
				{"NoSecretIsKeptInClear", noSecretIsKept},
			} {
				ok := t.Run(part.name, func(t *testing.T) { part.test(c.in(t)) })
				if !ok && part.name == "EveryOperationHasARuleAndAnExample" {
					return // the rest would only say so again
				}
			}
		})
	}
}

// contract is a running server and what its document says.
type contract struct {
	*testing.T
	url        string
	store      store.Store
	content    dump              // of the database
	tokens     map[string]string // by what their users are
	login      string            // of a user who can log in with password
	made       *atomic.Int64     // counts what was made, so that it has names of its own
	profiles   map[string]string // one per token
	operations []*operation
	byRoute    map[string]*operation
	components map[string]any
	schemas    *schemas
	mux        *http.ServeMux
	log        *lockedBuffer
}

// in returns the same contract in another test.
func (c *contract) in(t *testing.T) *contract {
	other := *c
	other.T = t
	return &other
}

// lockedBuffer is a log that goroutines share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newContract(t *testing.T, db store.Store) *contract {
	t.Helper()
	c := &contract{T: t, store: db, tokens: map[string]string{}, made: &atomic.Int64{}, profiles: map[string]string{}, byRoute: map[string]*operation{}, log: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	use := service.New(service.Config{Store: db, Runner: runner{db}, Rotation: stillKeys{}, MaxContent: 1 << 20})
	h, mux := api.Handler(api.Config{Service: use, Claims: db, Log: log, Version: "test", Poll: 5 * time.Millisecond, Heartbeat: 20 * time.Millisecond,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") })})
	server := httptest.NewServer(h)
	c.url, c.mux = server.URL, mux
	ctx, stop := context.WithCancel(context.Background())
	worked := make(chan struct{})
	go func() { defer close(worked); use.Work(ctx, log) }()
	t.Cleanup(func() {
		stop()
		<-worked
		server.CloseClientConnections()
		server.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	c.readDocument()
	c.people(use)
	return c
}

// stillKeys is a service.Rotation of a store whose keys stay as they are.
type stillKeys struct{}

func (stillKeys) Status(context.Context) (service.SecretStatus, error) {
	return service.SecretStatus{Primary: "one", KEKs: []string{"one"}, Wrapped: map[string]int{"one": 2}}, nil
}

func (k stillKeys) Rotate(ctx context.Context, _ func(int, int) error) (service.SecretStatus, error) {
	return k.Status(ctx)
}

// operation is what the document says of one method of one path.
type operation struct {
	id, method, path string
	permission       identity.Permission // "": nobody needs one
	open             bool                // security says that nobody needs a token
	parameters       []parameter
	body             map[string]any // schema of a JSON body; nil: none
	takes            []string       // media types of the body
	responses        map[string]any
}

type parameter struct {
	name, in string
	schema   map[string]any
}

// kind is the collection that a path begins with.
func (o *operation) kind() string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(o.path, "/api/v1/"), "/")
	return kind
}

func (o *operation) hasID() bool { return strings.Contains(o.path, "{id}") }

// parameter returns one by name.
func (o *operation) parameter(name string) (parameter, bool) {
	i := slices.IndexFunc(o.parameters, func(p parameter) bool { return p.name == name })
	if i < 0 {
		return parameter{}, false
	}
	return o.parameters[i], true
}

func (o *operation) has(parameter string) bool { _, ok := o.parameter(parameter); return ok }

func (c *contract) readDocument() {
	c.Helper()
	res, err := http.Get(c.url + "/openapi.json")
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := jsonschema.UnmarshalJSON(res.Body)
	if err != nil {
		c.Fatal(err)
	}
	root := doc.(map[string]any)
	c.components = root["components"].(map[string]any)["schemas"].(map[string]any)
	c.schemas = newSchemas(c.T, root)
	shared := root["components"].(map[string]any)["responses"].(map[string]any)
	for path, methods := range root["paths"].(map[string]any) {
		for method, raw := range methods.(map[string]any) {
			c.operations = append(c.operations, readOperation(method, path, raw.(map[string]any), shared))
		}
	}
	slices.SortFunc(c.operations, func(a, b *operation) int { return strings.Compare(a.id, b.id) })
	for _, o := range c.operations {
		c.byRoute[o.method+" "+o.path] = o
	}
	if len(c.operations) < 90 {
		c.Fatalf("only %d operations in the document", len(c.operations))
	}
}

func readOperation(method, path string, raw, shared map[string]any) *operation {
	o := &operation{method: strings.ToUpper(method), path: path, responses: map[string]any{}}
	for status, r := range raw["responses"].(map[string]any) {
		if ref, ok := r.(map[string]any)["$ref"].(string); ok {
			r = shared[strings.TrimPrefix(ref, "#/components/responses/")]
		}
		o.responses[status] = r
	}
	o.id, _ = raw["operationId"].(string)
	permission, _ := raw["x-permission"].(string)
	o.permission = identity.Permission(permission)
	if security, ok := raw["security"].([]any); ok && len(security) == 1 {
		o.open = len(security[0].(map[string]any)) == 0
	}
	list, _ := raw["parameters"].([]any)
	for _, p := range list {
		m := p.(map[string]any)
		schema, _ := m["schema"].(map[string]any)
		o.parameters = append(o.parameters, parameter{m["name"].(string), m["in"].(string), schema})
	}
	body, _ := raw["requestBody"].(map[string]any)
	contents, _ := body["content"].(map[string]any)
	for media, content := range contents {
		o.takes = append(o.takes, media)
		if media == "application/json" {
			o.body = content.(map[string]any)["schema"].(map[string]any)
		}
	}
	return o
}

// resolve follows a reference to a schema.
func (c *contract) resolve(schema map[string]any) map[string]any {
	if ref, ok := schema["$ref"].(string); ok {
		return c.components[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
	}
	return schema
}

// schemas compiles the schemas of the answers once.
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

func newSchemas(t *testing.T, root any) *schemas {
	t.Helper()
	s := &schemas{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	s.compiler.AssertFormat()
	if err := s.compiler.AddResource("openapi.json", root); err != nil {
		t.Fatal(err)
	}
	return s
}

// validate holds a body against the schema at a place in the document.
func (s *schemas) validate(pointer string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	schema := s.compiled[pointer]
	if schema == nil {
		var err error
		if schema, err = s.compiler.Compile("openapi.json#" + pointer); err != nil {
			return err
		}
		s.compiled[pointer] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// request is one request to one operation.
type request struct {
	op          *operation
	id          string // for {id}
	query       url.Values
	header      http.Header
	body        []byte
	contentType string
	token       string // "": none
}

// with returns the request with another header.
func (r request) with(name, value string) request {
	r.header = r.header.Clone()
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(name, value)
	return r
}

// where returns the request with another query parameter.
func (r request) where(name string, values ...string) request {
	query := url.Values{}
	for k, v := range r.query {
		query[k] = v
	}
	query[name] = values
	r.query = query
	return r
}

// sent is an answer that has been read.
type sent struct {
	request
	status int
	header http.Header
	body   []byte
}

func (s sent) String() string {
	return fmt.Sprintf("%s %s %s\n%.500s\n--> %d %.1000s", s.op.method, s.op.path, s.query.Encode(), s.request.body, s.status, s.body)
}

// field returns one field of a JSON answer.
func (s sent) field(name string) string {
	var m map[string]any
	if json.Unmarshal(s.body, &m) != nil || m[name] == nil {
		return ""
	}
	return fmt.Sprint(m[name])
}

// do sends a request and holds the answer against the document.
func (c *contract) do(r request) sent {
	c.Helper()
	s, err := c.send(r)
	if err != nil {
		c.Fatalf("%s: %v", r.op.id, err)
	}
	c.check(s)
	return s
}

func (c *contract) send(r request) (sent, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := c.url + strings.ReplaceAll(r.op.path, "{id}", url.PathEscape(r.id))
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.op.method, address, bytes.NewReader(r.body))
	if err != nil {
		return sent{}, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	res, err := direct.Do(req)
	if err != nil {
		return sent{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return sent{r, res.StatusCode, res.Header, body}, err
}

// direct goes where it is told and follows nobody elsewhere.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// check fails the test unless the document says that there is such an answer.
func (c *contract) check(s sent) {
	c.Helper()
	status := strconv.Itoa(s.status)
	if s.status >= 500 {
		c.Errorf("%s: the server made a mistake:\n%s", s.op.id, s)
	}
	described, ok := s.op.responses[status].(map[string]any)
	if !ok {
		c.Errorf("%s: the document has no status %s:\n%s", s.op.id, status, s)
		return
	}
	content, _ := described["content"].(map[string]any)
	media, _, _ := strings.Cut(s.header.Get("Content-Type"), ";")
	c.tellsNothing(s)
	if len(s.body) == 0 {
		if len(content) > 0 && s.status != http.StatusOK {
			c.Errorf("%s: an answer %s without a body", s.op.id, status)
		}
		return
	}
	if content[media] == nil {
		c.Errorf("%s: the document has no %q for status %s:\n%s", s.op.id, media, status, s)
		return
	}
	if !strings.HasSuffix(media, "json") {
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace
	if media == problem {
		if err := c.schemas.validate("/components/schemas/Problem", s.body); err != nil {
			c.Errorf("%s: %v\n%s", s.op.id, err, s)
		}
		return
	}
	pointer := fmt.Sprintf("/paths/%s/%s/responses/%s/content/%s/schema", escape(s.op.path), strings.ToLower(s.op.method), status, escape(media))
	if err := c.schemas.validate(pointer, s.body); err != nil {
		c.Errorf("%s: %v\n%s", s.op.id, err, s)
	}
}

// refused fails the test unless the answer is a problem of a status and code.
func (c *contract) refused(s sent, status int, code string) bool {
	c.Helper()
	if s.status != status || s.field("code") != code {
		c.Errorf("%s: want %d %s:\n%s", s.op.id, status, code, s)
		return false
	}
	return true
}

// succeeded fails the test unless the answer is one of success.
func (c *contract) succeeded(s sent) bool {
	c.Helper()
	if s.status < 200 || s.status > 399 {
		c.Errorf("%s did not succeed:\n%s", s.op.id, s)
		return false
	}
	return true
}
