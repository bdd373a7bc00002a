package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"
)

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
