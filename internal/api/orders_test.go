package api_test

import "testing"

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
