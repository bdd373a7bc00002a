package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/store"
)

// sample returns a table of package bulk's tests.
func (s *server) sample(name string) string {
	s.Helper()
	b, err := os.ReadFile(filepath.Join("..", "bulk", "testdata", name))
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

// load imports a table and returns the report.
func (s *server) load(kind, query, table string) map[string]any {
	s.Helper()
	return s.ok(200, s.do("POST", "/api/v1/"+kind+"/import?"+query, table, "Content-Type", "text/csv"))
}

// counts fails the test unless a report has the counts.
func (s *server) counts(report map[string]any, created, updated, unchanged, failed, written int) {
	s.Helper()
	got := fmt.Sprint(report["created"], report["updated"], report["unchanged"], report["failed"], report["written"])
	if want := fmt.Sprint(created, updated, unchanged, failed, written); got != want {
		s.Fatalf("created, updated, unchanged, failed, written are %s, want %s: %v", got, want, report["errors"])
	}
}

// stored returns how many objects of a kind there are.
func (s *server) stored(kind string) int {
	s.Helper()
	return int(s.ok(200, s.do("GET", "/api/v1/"+kind+"?count=exact", ""))["total"].(float64))
}

// hardware makes the profiles that the samples refer to.
func (s *server) hardware() {
	s.Helper()
	for _, p := range []string{`"name":"meter","producer_id":"ACME","module_id":"M1","hw_revision":2`, `"name":"valve","producer_id":"ACME","module_id":"V7","hw_revision":255`} {
		s.ok(201, s.do("POST", "/api/v1/device-profiles", "{"+p+"}"))
	}
}

// fleetTable is a table of n devices of which every row that is a multiple of bad names a profile that does not exist.
func fleetTable(n, bad int) string {
	var b strings.Builder
	b.WriteString("dev_eui,name,lorawan_version,root_key,producer_id,module_id,hw_revision\r\n")
	for i := 1; i <= n; i++ {
		module := "M1"
		if bad > 0 && i%bad == 0 {
			module = "M9"
		}
		fmt.Fprintf(&b, "%016x,Meter %d,1.0,%s,ACME,%s,2\r\n", i, i, aKey, module)
	}
	return b.String()
}

func TestReferenceTablesComeInAndGoOutAsTheyAre(t *testing.T) {
	s := start(t)
	s.hardware()
	for _, table := range []struct{ kind, file string }{
		{"devices", "devices.reference.csv"}, {"device-sets", "sets.reference.csv"}, {"multicast-groups", "groups.reference.csv"},
	} {
		in := s.sample(table.file)
		for _, dry := range []int{0, 3} { // nothing is written by a dry run
			s.counts(s.load(table.kind, "format=reference&dry_run="+fmt.Sprint(dry == 0), in), 3, 0, 0, 0, dry)
		}
		s.counts(s.load(table.kind, "", in), 0, 0, 3, 0, 0)
		for _, format := range []string{"reference", "friendly"} {
			out := s.do("GET", "/api/v1/"+table.kind+"/export?format="+format, "")
			if out.StatusCode != 200 || out.Header.Get("Content-Disposition") != `attachment; filename=`+table.kind+`.csv` {
				t.Fatalf("%d %v", out.StatusCode, out.Header)
			}
			for _, key := range []string{"00112233445566778899aabbccddeeff", "0f0e0d0c0b0a09080706050403020100", "8e506b852f760ad66734c3a8d8ac639b", "ac993f5f214a8546b2e42341c91a7cc1", "79e226c720597bcdea3298d4a6122858"} {
				if strings.Contains(out.body, key) {
					t.Errorf("%s as %s shows a key", table.kind, format)
				}
			}
			s.counts(s.load(table.kind, "format="+format, out.body), 0, 0, 3, 0, 0)
		}
	}
}

func TestBadRowsKeepAllOrOnlyThemselvesOut(t *testing.T) {
	s := start(t)
	s.hardware()
	table := fleetTable(10000, 200)
	report := s.load("devices", "", table)
	s.counts(report, 9950, 0, 0, 50, 0)
	errs := report["errors"].([]any)
	first := errs[0].(map[string]any)
	if len(errs) != 50 || first["row"] != 201.0 || first["column"] != "E" || first["name"] != "producer_id" || first["reason"] == "" || first["hint"] == "" {
		t.Errorf("%d errors, the first is %v", len(errs), first)
	}
	if n := s.stored("devices"); n != 0 {
		t.Fatalf("%d devices stored by a table that is bad", n)
	}
	a := s.do("POST", "/api/v1/devices/import?mode=good_rows", table, "Content-Type", "text/csv; charset=utf-8", "Accept", "text/csv")
	if want := "rows=10000, created=9950, updated=0, unchanged=0, failed=50, written=9950"; a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/csv" || a.Header.Get("Import-Report") != want {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	if n := s.stored("devices"); n != 9950 {
		t.Fatalf("%d devices stored", n)
	}
	// What comes back can be corrected and sent as it is.
	lines := strings.Split(a.body, "\r\n")
	if len(lines) != 52 || !strings.HasSuffix(lines[0], ",import_error") || !strings.Contains(lines[1], "leads, with module_id and hw_revision, to no device profile") {
		t.Fatalf("%d lines, %q", len(lines), lines[:2])
	}
	s.counts(s.load("devices", "", strings.ReplaceAll(a.body, "M9", "M1")), 50, 0, 0, 0, 50)
	s.counts(s.load("devices", "", strings.ReplaceAll(table, "M9", "M1")), 0, 0, 10000, 0, 0)
	if log := s.log.String(); strings.Contains(log, aKey) {
		t.Error("the log has a key")
	}
}

func TestWhatARunningCampaignUsesIsABadRow(t *testing.T) {
	s := start(t)
	ids := s.fill()
	s.ok(202, s.do("POST", "/api/v1/campaigns/"+ids["campaigns"]+"/actions", `{"action":"start"}`))
	groups := "dev_eui,data_rate,mc_addr,frequency,session_class,band,redundancy,dwell_time\n" + grpEUI + ",3,01020304,869525000,C,EU868,ONE_TO_TWO,false\n" +
		"0004a30b000000ab,3,01020305,869525000,C,EU868,ONE_TO_TWO,false\n"
	report := s.load("multicast-groups", "", groups)
	s.counts(report, 1, 0, 0, 1, 0)
	if e := report["errors"].([]any)[0].(map[string]any); e["row"] != 2.0 || !strings.HasPrefix(e["reason"].(string), `is used by a running campaign: "spring"`) {
		t.Errorf("%v", e)
	}
	s.counts(s.load("multicast-groups", "dry_run=true", groups), 1, 0, 0, 1, 0)
	s.counts(s.load("multicast-groups", "mode=good_rows", groups), 1, 0, 0, 1, 1)
	s.counts(s.load("devices", "", "dev_eui,root_key\n"+devEUI+","+strings.Repeat("7", 32)+"\n"), 0, 0, 0, 1, 0)
	s.counts(s.load("device-sets", "", "name,devices\nall,\n"), 0, 0, 0, 1, 0)
	s.counts(s.load("multicast-groups", "", "dev_eui,name\n"+grpEUI+",texts may change\n"), 0, 1, 0, 0, 1)

	// What only the store can see is a bad row too, and keeps all from being stored.
	taken := strings.NewReplacer(grpEUI, "0004a30b000000ac", "0004a30b000000ab", "0004a30b000000ad", "01020305", "01020306").Replace(groups)
	report = s.load("multicast-groups", "", taken)
	s.counts(report, 1, 0, 0, 1, 0)
	if e := report["errors"].([]any)[0].(map[string]any); e["reason"] != "there is already a multicast group with this mc_addr" {
		t.Errorf("%v", e)
	}
	s.counts(s.load("multicast-groups", "mode=good_rows", taken), 1, 0, 0, 1, 1)
}

func TestImportsKeepTheRulesOfSingleObjects(t *testing.T) {
	s := start(t)
	ids := s.fill()
	group := "dev_eui,data_rate,mc_addr,frequency,session_class,band,redundancy,dwell_time,f_cnt_down\n%s,5,%s,869525000,C,EU868,ONE_TO_TWO,false,%d\n"
	s.counts(s.load("multicast-groups", "", fmt.Sprintf(group, "0004a30b000000ab", "01020305", 7)), 1, 0, 0, 0, 1)
	g := s.ok(200, s.do("GET", "/api/v1/multicast-groups/0004a30b000000ab", ""))
	if g["mc_key_set"] != true || g["revision"] != 1.0 || g["created_at"] == "0001-01-01T00:00:00Z" {
		t.Errorf("%v", g)
	}
	for name, bad := range map[string]string{
		"a counter that is set back": fmt.Sprintf(group, "0004a30b000000ab", "01020305", 6),
		"the DevEUI of a device":     fmt.Sprintf(group, devEUI, "01020306", 0),
	} {
		if r := s.load("multicast-groups", "", bad); r["failed"] != 1.0 {
			t.Errorf("%s: %v", name, r)
		}
	}
	// Archived profiles are not referred to anew; archived devices come back.
	s.counts(s.load("devices", "", "dev_eui,firmware\n"+devEUI+",1.0.0.0\n"), 0, 1, 0, 0, 1)
	d := s.ok(200, s.do("GET", "/api/v1/devices/"+devEUI, ""))
	if d["revision"] != 2.0 || d["firmware_changed"] != d["updated_at"] {
		t.Errorf("%v", d)
	}
	s.do("DELETE", "/api/v1/devices/"+devEUI, "")
	s.do("DELETE", "/api/v1/device-profiles/"+ids["device-profiles"], "")
	s.counts(s.load("devices", "", "dev_eui,name\n"+devEUI+",back\n0004a30b00112234,new\n"), 0, 1, 0, 1, 0)
	s.counts(s.load("devices", "mode=good_rows", "dev_eui,name\n"+devEUI+",back\n"), 0, 1, 0, 0, 1)
}

func TestTablesThatCannotBeImportedAreProblems(t *testing.T) {
	s := start(t)
	s.hardware()
	post := func(path, body string, headers ...string) answer {
		t.Helper()
		return s.do("POST", "/api/v1/"+path, body, append([]string{"Content-Type", "text/csv"}, headers...)...)
	}
	s.refused(415, "unsupported_media_type", post("devices/import", "dev_eui\n", "Content-Type", "application/json"))
	s.refused(413, "too_large", post("devices/import", strings.Repeat("x\n", 1<<19)+"x"))
	s.refused(422, "invalid", post("devices/import", "PK\x03\x04 a spreadsheet"))
	for query, where := range map[string]string{"format=xlsx": "query.format", "mode=some": "query.mode", "dry_run=perhaps": "query.dry_run", "colour=red": "query.colour", "map=EUI": "query.map"} {
		if p := s.refused(422, "invalid", post("devices/import?"+query, "dev_eui\n")); fmt.Sprint(at(p)) != "["+where+"]" {
			t.Errorf("%s: %v", query, at(p))
		}
	}
	for _, query := range []string{"keys=perhaps", "format=detect", "limit=1"} {
		p := s.refused(422, "invalid", s.do("GET", "/api/v1/devices/export?"+query, ""))
		if len(at(p)) != 1 {
			t.Errorf("%s: %v", query, p)
		}
	}
	if n := s.stored("devices"); n != 0 {
		t.Errorf("%d devices stored", n)
	}
	// A table that cannot be read to its end says what had been stored.
	broken := fleetTable(600, 0) + "\"never closed"
	if p := s.refused(422, "invalid", post("devices/import", broken)); strings.Contains(p["detail"].(string), "stored") || s.stored("devices") != 0 {
		t.Errorf("%v, %d stored", p, s.stored("devices"))
	}
	if p := s.refused(422, "invalid", post("devices/import?mode=good_rows", broken)); !strings.Contains(p["detail"].(string), "500 objects were stored") || s.stored("devices") != 500 {
		t.Errorf("%v, %d stored", p, s.stored("devices"))
	}
}

func TestAnUploadThatBreaksOffStoresNothing(t *testing.T) {
	s := start(t)
	s.hardware()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	table := fleetTable(1000, 0)
	fmt.Fprintf(conn, "POST /api/v1/devices/import HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", s.token, len(table)+1000, table)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 400 || !strings.Contains(string(body), "ended before it was complete") {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
	if n, err := s.store.Devices().Count(context.Background(), store.Query{}); err != nil || n != 0 {
		t.Errorf("%d devices stored, %v", n, err)
	}
}
