package metrics

import (
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what the metrics need to know.
type Config struct {
	Version string // of the program; "": "unknown"
	Commit  string // it was built from; "": "unknown"

	// Count counts objects and jobs; nil: there are no gauges of them.
	Count Counter
	// Log gets the reason when a count failed; nil: nobody does.
	Log *slog.Logger
	// Now is the clock that ages counts; nil: the one on the wall.
	Now func() time.Time
}

// Registry holds the metrics of one server. It is safe for concurrent use. The methods that
// count do nothing on a nil Registry, so that a part of the server can be without.
type Registry struct {
	registry *prometheus.Registry
	http     httpMetrics
	engine   engineMetrics
}

// New makes the metrics. Each Registry is its own: two servers in one process do not mix.
func New(cfg Config) *Registry {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{registry: prometheus.NewRegistry(), http: newHTTPMetrics(), engine: newEngineMetrics()}
	r.registry.MustRegister(buildInfo(cfg), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.registry.MustRegister(r.http.collectors()...)
	r.registry.MustRegister(r.engine.collectors()...)
	if cfg.Count != nil {
		r.registry.MustRegister(newObjects(cfg))
	}
	return r
}

// buildInfo is the constant 1 with what runs in its labels: the way in which Prometheus joins
// a version to other series.
func buildInfo(cfg Config) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "fuota_build_info", Help: "What was built: always 1.",
		ConstLabels: prometheus.Labels{"version": orUnknown(cfg.Version), "commit": orUnknown(cfg.Commit), "goversion": runtime.Version()}})
	g.Set(1)
	return g
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// Scrapes are short; a scraper that asks in parallel without end is refused with 503.
const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// Handler serves the metrics in the text or the OpenMetrics format. Whoever mounts it checks the permission:
// counts tell about all subscribers.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // half of the metrics is better than none
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true,
	})
}
