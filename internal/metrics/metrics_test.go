package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/starling-fuota/starling/internal/metrics"
)

// scrape returns what Prometheus would read: the text, and the families in it by name.
func scrape(t *testing.T, r *metrics.Registry) (string, map[string]*dto.MetricFamily) {
	t.Helper()
	rec := httptest.NewRecorder()
	r.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	text := rec.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return text, families
}

// series returns the values of a family by their labels, "a=1 b=2". Histograms count observations.
func series(families map[string]*dto.MetricFamily, name string) map[string]float64 {
	got := map[string]float64{}
	for _, m := range families[name].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		got[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return got
}

func expect(t *testing.T, r *metrics.Registry, name string, want map[string]float64) {
	t.Helper()
	if _, families := scrape(t, r); !maps.Equal(series(families, name), want) {
		t.Errorf("%s is %v, want %v", name, series(families, name), want)
	}
}

// busy is a registry that has seen something of everything.
func busy() *metrics.Registry {
	r := metrics.New(metrics.Config{Version: "1.2.3", Commit: "abc", Count: func(context.Context) ([]metrics.Count, error) {
		return []metrics.Count{{"device", "ACTIVE", 7}, {"campaign", "RUNNING", 2}, {"job", "queued", 3}}, nil
	}})
	r.FragmentSent("data", "C")
	r.CommandSent("fragmentation", "FragSessionSetupReq")
	r.Uplink(201)
	r.Downlink(201)
	r.CampaignFinished("FOTA", "SUCCEEDED")
	r.DeviceUpdated("verified", "")
	serve(r, "/api/v1/devices/{id}", http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {})
	return r
}

// serve sends one request through the middleware.
func serve(r *metrics.Registry, route, method string, h http.HandlerFunc) {
	defer func() { _ = recover() }()
	r.Observe(h, func(*http.Request) string { return route }).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/x", nil))
}

func TestMetricsFollowTheRulesOfPrometheus(t *testing.T) {
	text, families := scrape(t, busy())
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	for name := range families {
		if !strings.HasPrefix(name, "fuota_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") && !strings.HasPrefix(name, "promhttp_") {
			t.Errorf("%s has no prefix", name)
		}
	}
	for _, want := range []string{"fuota_build_info", "fuota_http_requests_total", "fuota_http_request_duration_seconds", "fuota_sse_clients", "fuota_objects", "fuota_campaigns",
		"fuota_jobs", "fuota_fragments_sent_total", "fuota_commands_total", "fuota_uplinks_total", "fuota_downlinks_total", "fuota_campaign_finished_total",
		"fuota_device_updates_total", "fuota_object_count_failures_total", "go_goroutines", "process_start_time_seconds"} {
		if families[want] == nil {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestEventsAreCounted(t *testing.T) {
	r := busy()
	r.FragmentSent("parity", "B")
	r.FragmentSent("parity", "B")
	r.DeviceUpdated("left", "no_answer")
	for name, want := range map[string]map[string]float64{
		"fuota_fragments_sent_total":    {"class=C kind=data": 1, "class=B kind=parity": 2},
		"fuota_commands_total":          {"command=FragSessionSetupReq package=fragmentation": 1},
		"fuota_uplinks_total":           {"port=201": 1},
		"fuota_downlinks_total":         {"port=201": 1},
		"fuota_campaign_finished_total": {"result=SUCCEEDED type=FOTA": 1},
		"fuota_device_updates_total":    {"reason=none result=verified": 1, "reason=no_answer result=left": 1},
		"fuota_objects":                 {"kind=device state=ACTIVE": 7, "kind=campaign state=RUNNING": 2},
		"fuota_campaigns":               {"state=RUNNING": 2},
		"fuota_jobs":                    {"state=queued": 3},
	} {
		expect(t, r, name, want)
	}
	if text, _ := scrape(t, r); !strings.Contains(text, `fuota_build_info{commit="abc",goversion="go1.`) || !strings.Contains(text, `version="1.2.3"} 1`) {
		t.Error("the build is not in fuota_build_info")
	}
}

func TestRequestsAreCountedByRouteMethodAndCode(t *testing.T) {
	r := metrics.New(metrics.Config{})
	ok := func(http.ResponseWriter, *http.Request) {}
	serve(r, "/a", http.MethodGet, ok)
	serve(r, "/a", http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x"); w.WriteHeader(500) })
	serve(r, "/a", http.MethodPost, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(201) })
	serve(r, "/a", http.MethodGet, func(http.ResponseWriter, *http.Request) { panic("x") })
	serve(r, "", http.MethodGet, ok)
	serve(r, "/a", "BREW", ok)
	serve(r, "/a/0004a30b00112233", http.MethodGet, ok) // somebody gave the path
	serve(r, "/a", http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) })
	want := map[string]float64{"code=200 method=GET route=/a": 2, "code=201 method=POST route=/a": 1, "code=500 method=GET route=/a": 1,
		"code=200 method=GET route=other": 2, "code=200 method=other route=/a": 1, "code=other method=GET route=/a": 1}
	expect(t, r, "fuota_http_requests_total", want)
	expect(t, r, "fuota_http_request_duration_seconds", want)
}

func TestRoutesAreThePatternsOfTheMux(t *testing.T) {
	mux := http.NewServeMux()
	nothing := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /devices/{id}", nothing)
	mux.HandleFunc("/docs/", nothing)
	mux.HandleFunc("/", nothing)
	route := metrics.Routes(mux)
	for path, want := range map[string]string{"/devices/1": "/devices/{id}", "/docs/x.js": "/docs/", "/what": ""} {
		if got := route(httptest.NewRequest(http.MethodGet, path, nil)); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func TestStreamsAreOpenUntilTheirHandlerReturns(t *testing.T) {
	r := metrics.New(metrics.Config{})
	for name, begin := range map[string]func(http.ResponseWriter){
		"header": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"write":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, ":\n\n") },
		"flush":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			serve(r, "/events", http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
				begin(w)
				expect(t, r, "fuota_sse_clients", map[string]float64{"": 1})
				panic(http.ErrAbortHandler)
			})
			expect(t, r, "fuota_sse_clients", map[string]float64{"": 0})
		})
	}
	expect(t, r, "fuota_http_requests_total", map[string]float64{"code=200 method=GET route=/events": 3})
	expect(t, r, "fuota_http_request_duration_seconds", map[string]float64{})
}

func TestObserveKeepsTheConnectionReachable(t *testing.T) {
	r := metrics.New(metrics.Config{})
	server := httptest.NewServer(r.Observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
	}), func(*http.Request) string { return "/" }))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// Whatever comes in, the number of series stays bounded and no identifier is in them.
func TestLabelsAreBounded(t *testing.T) {
	r := metrics.New(metrics.Config{Count: func(context.Context) ([]metrics.Count, error) {
		var all []metrics.Count
		for i := range 1000 {
			all = append(all, metrics.Count{Kind: fmt.Sprint("kind", i), State: fmt.Sprint("state", i), N: 1},
				metrics.Count{Kind: fmt.Sprintf("%016x", i), State: "ACTIVE", N: 1})
		}
		return all, nil
	}})
	for i := range 1000 {
		eui := fmt.Sprintf("%016x", i)
		for _, v := range []string{eui, "x" + eui, fmt.Sprint("word", i), "a b", "\xff", strings.Repeat("x", 1000)} {
			r.FragmentSent(v, v)
			r.CommandSent(v, v)
			r.CampaignFinished(v, v)
			r.DeviceUpdated(v, v)
			r.Uplink(uint8(i))
			r.Downlink(uint8(i))
			serve(r, "/"+v, http.MethodGet, func(http.ResponseWriter, *http.Request) {})
		}
	}
	text, families := scrape(t, r)
	if strings.Contains(text, "00000000000003e7") {
		t.Error("a DevEUI is in a label")
	}
	for name, limit := range map[string]int{"fuota_fragments_sent_total": 1, "fuota_commands_total": 65, "fuota_uplinks_total": 256, "fuota_downlinks_total": 256,
		"fuota_campaign_finished_total": 17 * 17, "fuota_device_updates_total": 17 * 65, "fuota_http_requests_total": 257, "fuota_objects": 200} {
		if n := len(families[name].GetMetric()); n == 0 || n > limit {
			t.Errorf("%s has %d series, want at most %d", name, n, limit)
		}
	}
	var objects float64
	for _, n := range series(families, "fuota_objects") {
		objects += n
	}
	if objects != 2000 {
		t.Errorf("%v objects, want 2000: what has no series of its own counts as other", objects)
	}
}

func TestScrapesDoNotLoadTheDatabase(t *testing.T) {
	var mu sync.Mutex
	now, counted := time.Unix(0, 0), 0
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	advance := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	r := metrics.New(metrics.Config{Now: clock, Count: func(ctx context.Context) ([]metrics.Count, error) {
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > 5*time.Second {
			t.Error("the count has no deadline")
		}
		counted++
		return []metrics.Count{{"device", "ACTIVE", int64(counted)}}, nil
	}})
	var all sync.WaitGroup
	for range 3 { // as many as are let in at once, and this one
		all.Go(func() { scrape(t, r) })
	}
	all.Wait()
	advance(14 * time.Second)
	expect(t, r, "fuota_objects", map[string]float64{"kind=device state=ACTIVE": 1})
	advance(time.Second)
	expect(t, r, "fuota_objects", map[string]float64{"kind=device state=ACTIVE": 2})
	if counted != 2 {
		t.Errorf("%d counts, want 2", counted)
	}
}

func TestACountThatFailsLeavesTheGaugesOut(t *testing.T) {
	now, fail := time.Unix(0, 0), false
	calls := 0
	r := metrics.New(metrics.Config{Now: func() time.Time { return now }, Count: func(context.Context) ([]metrics.Count, error) {
		calls++
		if fail {
			return nil, errors.New("no database")
		}
		return []metrics.Count{{"device", "ACTIVE", 1}}, nil
	}})
	one := map[string]float64{"kind=device state=ACTIVE": 1}
	expect(t, r, "fuota_objects", one)
	fail, now = true, now.Add(time.Minute)
	expect(t, r, "fuota_objects", map[string]float64{})
	expect(t, r, "fuota_object_count_failures_total", map[string]float64{"": 1}) // not asked again at once
	fail, now = false, now.Add(time.Minute)
	expect(t, r, "fuota_objects", one)
	if calls != 3 {
		t.Errorf("%d counts, want 3", calls)
	}
}

func TestWithoutMetricsNothingIsCounted(t *testing.T) {
	var r *metrics.Registry
	r.FragmentSent("data", "C")
	r.CommandSent("fragmentation", "FragStatusReq")
	r.Uplink(1)
	r.Downlink(1)
	r.CampaignFinished("FOTA", "FAILED")
	r.DeviceUpdated("verified", "")
	reached := false
	serve(r, "/a", http.MethodGet, func(http.ResponseWriter, *http.Request) { reached = true })
	if !reached {
		t.Error("the handler was not reached")
	}
}

func TestScrapersGetTheFormatThatTheyAskFor(t *testing.T) {
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	rec := httptest.NewRecorder()
	busy().Handler().ServeHTTP(rec, req)
	if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") || !slices.Contains(strings.Split(rec.Body.String(), "\n"), "# EOF") {
		t.Errorf("content type %q", got)
	}
}
