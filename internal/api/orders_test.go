package api_test

import (
	"fmt"
	"strings"
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

// What an order could not be obeyed for is in its answer; an order of which nothing came is a problem.
func TestOrdersSayWhatCameOfThem(t *testing.T) {
	s := start(t)
	ids := s.fill()
	one := "/api/v1/campaigns/" + ids["campaigns"]
	s.refused(409, "wrong_state", s.do("POST", one+"/extensions", `{"for_s":60}`))
	s.ok(202, s.do("POST", one+"/actions", `{"action":"start"}`))
	s.ok(202, s.do("POST", one+"/extensions", `{"for_s":60,"groups":["`+grpEUI+`"]}`))
	s.ok(202, s.do("POST", one+"/redundancy", `{"fragments":3}`))
	s.ok(202, s.do("POST", one+"/exclusions", `{"devices":["`+devEUI+`"]}`))
	got := s.ok(202, s.do("POST", one+"/retries", `{"devices":["`+devEUI+`"]}`))
	if got["reached"] != 1.0 || got["refused_total"] != 1.0 || !strings.Contains(fmt.Sprint(got["refused"]), "order.too_late") {
		t.Errorf("%v", got)
	}
	s.refused(409, "refused", s.do("POST", one+"/retries", `{}`))
	s.refused(422, "invalid", s.do("POST", one+"/redundancy", `{}`))
	s.refused(422, "invalid", s.do("POST", one+"/extensions", `{}`))
	s.refused(422, "invalid", s.do("POST", one+"/exclusions", `{"devices":["x"]}`))
	s.refused(404, "not_found", s.do("POST", "/api/v1/campaigns/none/retries", `{}`))
	all := s.ok(200, s.do("POST", "/api/v1/campaigns/stop-all", `{"all_subscribers":true}`))
	if items, _ := all["items"].([]any); len(items) != 1 || !strings.Contains(fmt.Sprint(items), "result:stopped") {
		t.Errorf("%v", all)
	}
	s.refused(409, "wrong_state", s.do("POST", one+"/retries", `{}`))
}
