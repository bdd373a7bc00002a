package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
)

// newHuma returns what decodes, validates and describes requests.
func newHuma(version string) huma.Config {
	hc := huma.DefaultConfig("Starling", version)
	hc.Info.Description = "Firmware updates over the air for LoRaWAN fleets. Errors are problem documents (RFC 9457) with a stable `code`; docs/api.md tells what they mean. " +
		"Every operation names the permission that it needs in `x-permission`."
	hc.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	hc.OpenAPIPath = ""  // it is made once, at the start: see document
	hc.DocsPath = ""     // its page loads scripts from elsewhere
	hc.SchemasPath = ""  // schemas are in the document
	hc.CreateHooks = nil // no $schema links: they would name whatever host the client claims
	hc.RejectUnknownQueryParameters = true
	strict := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: readJSON}
	hc.Formats = map[string]huma.Format{jsonType: strict, "json": strict}
	return hc
}

var errText = errors.New("holds text that is not UTF-8, or a NUL character")

// readJSON decodes JSON more strictly than Go does, which replaces what is not UTF-8, so that
// something else would be stored than was sent, and takes null for anything. huma has it decode
// everything twice: into maps that it validates, then into the type of the body.
func readJSON(data []byte, v any) error {
	if !isText(string(data)) {
		return errText
	}
	err := json.Unmarshal(data, v)
	if maps, ok := v.(*any); ok {
		if err == nil && bytes.Contains(data, []byte(`\u0000`)) && holdsNUL(*maps) {
			err = errText // no engine stores it
		}
		*maps = withoutNull(*maps)
		return err
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		// 1.0 is an integer in JSON Schema, and written as 1 it is one for Go too.
		var maps any
		if err := json.Unmarshal(data, &maps); err != nil {
			return err
		}
		plain, err := json.Marshal(maps)
		if err != nil {
			return err
		}
		return json.Unmarshal(plain, v)
	}
	return err
}

// holdsNUL looks for a NUL character in decoded JSON.
func holdsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for name, value := range v {
			if holdsNUL(name) || holdsNUL(value) {
				return true
			}
		}
	}
	return false
}

// null stands for null in what is validated: it is of none of the types that a schema names. huma
// takes nil for a field that is not there.
type null struct{}

func withoutNull(v any) any {
	switch v := v.(type) {
	case nil:
		return null{}
	case []any:
		for i := range v {
			v[i] = withoutNull(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = withoutNull(v[name])
		}
	}
	return v
}

// describe completes the document with what holds for all operations, so that none can forget
// it, and tells the doors which contents their operations take.
func (a *api) describe() {
	doc := a.huma.OpenAPI()
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "The secret of an API token or of a session."},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "Set by logging in, for browsers. Pages of other origins are refused."},
	}
	a.tags()
	for path, item := range doc.Paths {
		for _, op := range operations(item) {
			a.complete(op)
			if !strings.Contains(path, "{") {
				a.literal[path] = append(a.literal[path], op.Method)
			}
		}
	}
}

// operations returns those of one path.
func operations(item *huma.PathItem) (found []*huma.Operation) {
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
		if op != nil {
			found = append(found, op)
		}
	}
	return found
}

// complete adds to one operation which problems it can have, and the headers that it understands
// because of its door.
func (a *api) complete(op *huma.Operation) {
	d := a.doors[op.Method+" "+op.Path]
	if d == nil {
		panic("api: " + op.OperationID + " has no door")
	}
	statuses := []int{http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusForbidden}
	if !d.anybody {
		statuses = append(statuses, http.StatusUnauthorized)
		op.Parameters = append(op.Parameters, subscriberParam())
	}
	if strings.Contains(op.Path, "{") {
		statuses = append(statuses, http.StatusNotFound)
	}
	if op.Method != http.MethodGet && !d.anybody {
		statuses = append(statuses, http.StatusConflict)
	}
	d.parameters = op.Parameters
	if op.RequestBody != nil {
		d.takes = slices.Sorted(maps.Keys(op.RequestBody.Content))
		statuses = append(statuses, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if hasParam(op, "If-Match") {
		statuses = append(statuses, http.StatusPreconditionFailed)
	}
	for _, status := range slices.Concat(statuses, op.Errors, preset(op)) {
		a.addProblem(op, status)
	}
	if d.once {
		onceInDocument(op)
	}
}

// preset returns the statuses of problems that an operation has named itself.
func preset(op *huma.Operation) (statuses []int) {
	for text, r := range op.Responses {
		if status, err := strconv.Atoi(text); err == nil && status >= 400 && r.Content[problemType] == nil {
			statuses = append(statuses, status)
		}
	}
	return statuses
}

func hasParam(op *huma.Operation, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == name })
}

// addProblem says that an operation can answer with a problem of a status. What that is like is
// said once for all.
func (a *api) addProblem(op *huma.Operation, status int) {
	components := a.huma.OpenAPI().Components
	name := "Problem" + strconv.Itoa(status)
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	if components.Responses[name] == nil {
		components.Responses[name] = a.problemResponse(status)
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + name}
}

func (a *api) problemResponse(status int) *huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	r := &huma.Response{Content: map[string]*huma.MediaType{problemType: {Schema: schema}}}
	var codes []string
	for code, kind := range kinds {
		if kind.status == status && code != codeNoRoute {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	r.Description = http.StatusText(status) + ": code " + strings.Join(codes, ", ")
	switch status {
	case http.StatusUnauthorized:
		r.Headers = map[string]*huma.Param{"WWW-Authenticate": {Description: "Bearer", Schema: &huma.Schema{Type: huma.TypeString}}}
	case http.StatusTooManyRequests:
		r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait", Schema: &huma.Schema{Type: huma.TypeInteger}}}
	}
	return r
}

func subscriberParam() *huma.Param {
	return &huma.Param{Name: subscriberHeader, In: "header", Description: "The subscriber to act in, for users of the server; default: `default`. Others act in their own.",
		Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[a-z0-9][a-z0-9-]{0,63}$"}}
}

// onceInDocument says that an operation understands an Idempotency-Key.
func onceInDocument(op *huma.Operation) {
	one, most := 1, 255
	op.Parameters = append(op.Parameters, &huma.Param{Name: idempotencyKey, In: "header",
		Description: "A key that the client makes up, such as a UUID. The same request with the same key has one effect, and for 24 hours one answer.",
		Schema:      &huma.Schema{Type: huma.TypeString, MinLength: &one, MaxLength: &most, Pattern: "^[!-~]+$"}})
	for status, r := range op.Responses {
		if status[0] != '2' {
			continue
		}
		if r.Headers == nil {
			r.Headers = map[string]*huma.Param{}
		}
		r.Headers[idempotencyReplayed] = &huma.Param{Description: "true: the request was done before, this is its answer again", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}}
	}
}

// tags lists the tags with what they hold.
func (a *api) tags() {
	seen := map[string]bool{}
	for _, item := range a.huma.OpenAPI().Paths {
		for _, op := range operations(item) {
			for _, tag := range op.Tags {
				seen[tag] = true
			}
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(seen)) {
		a.huma.OpenAPI().Tags = append(a.huma.OpenAPI().Tags, &huma.Tag{Name: tag})
	}
}

// mediaType returns why the content of a request has the wrong type, or nil. JSON may come
// without saying so.
func (d *door) mediaType(r *http.Request) error {
	if len(d.takes) == 0 {
		return nil
	}
	header := r.Header.Get("Content-Type")
	if header == "" && slices.Contains(d.takes, jsonType) {
		return nil
	}
	if media, _, err := mime.ParseMediaType(header); err == nil && slices.Contains(d.takes, media) {
		return nil
	}
	return newProblem(codeMediaType, fmt.Sprintf("Send %s.", strings.Join(d.takes, " or ")))
}
