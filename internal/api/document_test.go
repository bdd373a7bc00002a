package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

// operation is what the document says of one method of one path.
type operation struct {
	method, path, id string
	responses        map[string]any
}

// document returns the operations of /openapi.json.
func (s *server) document() (all []operation) {
	s.Helper()
	for path, methods := range s.ok(200, s.do("GET", "/openapi.json", ""))["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			o := op.(map[string]any)
			all = append(all, operation{strings.ToUpper(method), path, o["operationId"].(string), o["responses"].(map[string]any)})
		}
	}
	return all
}

// address puts an identifier that exists into the path of an operation.
func (o operation) address(ids map[string]string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(o.path, "/api/v1/"), "/")
	return strings.Replace(o.path, "{id}", ids[kind], 1)
}

func TestEveryOperationNamesItsProblems(t *testing.T) {
	s := start(t)
	for _, o := range s.document() {
		want := []string{"500"}
		if strings.Contains(o.path, "{id}") {
			want = append(want, "404")
		}
		if o.method == "POST" || o.method == "PATCH" || o.method == "PUT" {
			want = append(want, "400", "422")
		}
		switch {
		case o.method == "PATCH", o.method == "DELETE":
			want = append(want, "409", "412")
		case strings.HasPrefix(o.id, "create-"), o.id == "act-on-campaign", o.id == "upload-file":
			want = append(want, "409")
		}
		for _, status := range want {
			r, _ := o.responses[status].(map[string]any)
			if content, _ := r["content"].(map[string]any); content[problem] == nil {
				t.Errorf("%s %s (%s) does not say what %s is like", o.method, o.path, o.id, status)
			}
		}
		if !slices.ContainsFunc([]string{"200", "201", "202", "204"}, func(code string) bool { return o.responses[code] != nil }) {
			t.Errorf("%s %s does not say how it succeeds", o.method, o.path)
		}
	}
}

func TestEveryGetOfTheDocumentAnswers(t *testing.T) {
	s := start(t)
	ids := s.fill()
	ids["smart-delta-keys"] = s.ok(201, s.do("POST", "/api/v1/smart-delta-keys", string(newKey(t))))["id"].(string)
	s.ok(200, s.do("PUT", "/api/v1/files/"+ids["files"]+"/content", "bytes", "Content-Type", "application/octet-stream"))
	one := "/api/v1/campaigns/" + ids["campaigns"]
	s.ok(202, s.do("POST", one+"/actions", `{"action":"start"}`))
	s.ok(202, s.do("POST", one+"/actions", `{"action":"stop"}`)) // or its events would never end
	gets := 0
	for _, o := range s.document() {
		if o.method != "GET" {
			continue
		}
		gets++
		a := s.do("GET", o.address(ids), "")
		r, _ := o.responses["200"].(map[string]any)
		content, _ := r["content"].(map[string]any)
		if a.StatusCode != 200 || content[a.Header.Get("Content-Type")] == nil {
			t.Errorf("%s: %d %s, the document has %v", o.id, a.StatusCode, a.Header.Get("Content-Type"), content)
		}
		if strings.Contains(o.path, "{id}") {
			s.refused(404, "not_found", s.do("GET", strings.Replace(o.path, "{id}", "ffffffffffffffff", 1), ""))
		}
	}
	if gets < 20 {
		t.Errorf("only %d GETs in the document", gets)
	}
}

func TestOrdersThatCannotBeAreProblems(t *testing.T) {
	s := start(t)
	ids := s.fill()
	one := "/api/v1/campaigns/" + ids["campaigns"] + "/actions"
	for _, action := range []string{"stop", "pause", "resume"} {
		s.refused(409, "wrong_state", s.do("POST", one, `{"action":"`+action+`"}`))
	}
	s.refused(404, "not_found", s.do("POST", "/api/v1/campaigns/none/actions", `{"action":"start"}`))
	s.refused(405, "method_not_allowed", s.do("GET", one, ""))
	s.refused(405, "method_not_allowed", s.do("DELETE", one, ""))
	s.refused(422, "invalid", s.do("POST", one, `{"action":"explode"}`))
	s.refused(422, "invalid", s.do("POST", one, `{}`))
	s.refused(400, "malformed", s.do("POST", one, `{"action"`))
	s.ok(202, s.do("POST", one, `{"action":"start"}`))
	s.refused(409, "wrong_state", s.do("POST", one, `{"action":"start"}`))
	s.ok(202, s.do("POST", one, `{"action":"stop"}`))
	s.ok(202, s.do("POST", one, `{"action":"stop"}`)) // twice is no error
	for _, action := range []string{"start", "pause", "resume"} {
		s.refused(409, "wrong_state", s.do("POST", one, `{"action":"`+action+`"}`))
	}
	s.refused(404, "not_found", s.do("POST", "/api/v1/campaigns/none/copies", `{}`))
	s.refused(404, "not_found", s.do("POST", "/api/v1/campaigns/none/device-sets", `{"name":"x","outcomes":["failed"]}`))
	s.refused(422, "invalid", s.do("POST", "/api/v1/campaigns/"+ids["campaigns"]+"/device-sets", `{"name":"x","outcomes":[]}`))
}

// newKey returns the body that makes a smart delta key.
func newKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"name": "k", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
