package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

func TestACampaignIsOrderedAndFollowed(t *testing.T) {
	s := start(t)
	ids := s.fill()
	one := "/api/v1/campaigns/" + ids["campaigns"]
	s.refused(409, "wrong_state", s.do("POST", one+"/actions", `{"action":"stop"}`))
	if c := s.ok(202, s.do("POST", one+"/actions", `{"action":"start"}`)); c["status"] != "RUNNING" || c["started"] == nil {
		t.Errorf("%v", c)
	}
	s.refused(409, "in_use", s.do("PATCH", "/api/v1/devices/"+devEUI, `{"classes":"B"}`))
	s.refused(409, "wrong_state", s.do("PATCH", one, `{"success_threshold":1}`, "If-Match", `"2"`))
	if err := s.store.CommitStep(context.Background(), store.Step{CampaignID: ids["campaigns"], Status: fleet.Running, At: time.Now(),
		Devices:  []store.Row{{DevEUI: lorawan.MustParseEUI64(devEUI), Stage: "McGroupSetup", Outcome: "failed", Reason: "no_answer", At: time.Now()}},
		Groups:   []store.Row{{DevEUI: lorawan.MustParseEUI64(grpEUI), Stage: "McGroupSetup"}},
		Stages:   []store.StageProgress{{Position: 1, Name: "McGroupSetup", Status: "running", Started: time.Now(), Total: 1}},
		Timeline: []store.TimelineEntry{{At: time.Now(), DevEUI: lorawan.MustParseEUI64(devEUI), Code: "setup.sent", Text: "asked"}, {At: time.Now(), Code: "x"}}}); err != nil {
		t.Fatal(err)
	}
	p := s.ok(200, s.do("GET", one+"/progress", ""))
	if p["devices"] != 1.0 || p["last_seq"] != 2.0 || len(p["stages"].([]any)) != 1 || len(p["tally"].([]any)) != 1 {
		t.Errorf("%v", p)
	}
	for path, want := range map[string]int{"/devices": 1, "/devices?outcome=verified": 0, "/groups": 1, "/timeline": 2, "/timeline?after=1": 1, "/timeline?dev_eui=" + devEUI: 1} {
		if items := s.ok(200, s.do("GET", one+path, ""))["items"].([]any); len(items) != want {
			t.Errorf("%s: %v", path, items)
		}
	}
	if set := s.ok(201, s.do("POST", one+"/device-sets", `{"name":"again","outcomes":["failed"]}`)); set["device_count"] != 1.0 {
		t.Errorf("%v", set)
	}
	if c := s.ok(201, s.do("POST", one+"/copies", `{}`)); c["status"] != "CONFIGURED" || c["id"] == ids["campaigns"] {
		t.Errorf("%v", c)
	}
}

// events reads an event stream to its end as "event id data" lines.
func (s *server) events(path string, headers ...string) (out []string) {
	s.Helper()
	a := s.do("GET", path, "", append(headers, "Accept", "text/event-stream")...)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/event-stream" {
		s.Fatalf("%d %s", a.StatusCode, a.body)
	}
	for block := range strings.SplitSeq(strings.TrimSpace(a.body), "\n\n") {
		var event, id string
		var data map[string]any
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "event":
				event = value
			case "id":
				id = " " + value
			case "data":
				if err := json.Unmarshal([]byte(value), &data); err != nil {
					s.Fatal(err)
				}
			}
		}
		if event == "progress" {
			id = " " + data["status"].(string)
		}
		if event != "heartbeat" {
			out = append(out, event+id)
		}
	}
	return out
}

func TestEventsContinueWhereTheViewerLeft(t *testing.T) {
	s := start(t)
	id := s.fill()["campaigns"]
	one := "/api/v1/campaigns/" + id
	live := make(chan []string)
	go func() { live <- s.events(one + "/events") }() // from before the start to the end
	s.ok(202, s.do("POST", one+"/actions", `{"action":"start"}`))
	if err := s.store.CommitStep(context.Background(), store.Step{CampaignID: id, Status: fleet.Running, Timeline: []store.TimelineEntry{{Code: "a"}, {Code: "b"}}}); err != nil {
		t.Fatal(err)
	}
	s.ok(202, s.do("POST", one+"/actions", `{"action":"stop"}`))
	got := <-live
	var entries []string
	for _, e := range got {
		if strings.HasPrefix(e, "timeline") {
			entries = append(entries, e)
		}
	}
	if !slices.Equal(entries, []string{"timeline 1", "timeline 2", "timeline 3"}) || got[len(got)-1] != "progress STOPPED" {
		t.Errorf("live: %q", got)
	}
	if again := s.events(one+"/events", "Last-Event-ID", "2"); !slices.Equal(again, []string{"timeline 3", "progress STOPPED"}) {
		t.Errorf("resumed: %q", again)
	}
}

func TestASilentStreamShowsThatItLives(t *testing.T) {
	s := start(t)
	one := "/api/v1/campaigns/" + s.fill()["campaigns"]
	res, err := s.open(s.URL + one + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if lines.Text() == "event: heartbeat" {
			return
		}
	}
	t.Error("the stream ended without a heartbeat")
}
