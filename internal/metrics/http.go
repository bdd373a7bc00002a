package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxRoutes is how many routes have series of their own; the API has some 100.
const maxRoutes = 256

type httpMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	streams  prometheus.Gauge
	route    *words
}

func newHTTPMetrics() httpMetrics {
	labels := []string{"route", "method", "code"}
	return httpMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fuota_http_requests_total", Help: "HTTP requests that were answered."}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "fuota_http_request_duration_seconds",
			Help: "Time until the answer was written. Event streams are left out: they last as long as somebody looks.", Buckets: prometheus.DefBuckets}, labels),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "fuota_sse_clients", Help: "Event streams that are open."}),
		route:   newRoutes(maxRoutes),
	}
}

func (h httpMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{h.requests, h.duration, h.streams}
}

// Routes names a request by the pattern of the mux that serves it, without method: "/api/v1/devices/{id}". What
// only the catch-all "/" takes has no route: "".
func Routes(mux *http.ServeMux) func(*http.Request) string {
	return func(r *http.Request) string {
		_, pattern := mux.Handler(r)
		if _, path, ok := strings.Cut(pattern, " "); ok {
			pattern = path
		}
		if pattern == "/" {
			return ""
		}
		return pattern
	}
}

// Observe counts what next answers. route names a request by its pattern, never by its path;
// what it does not know ("") counts as "other", and so does everything beyond a number of routes
// that no sane program has. Methods outside of RFC 9110 and PATCH count as "other" too.
//
// An answer of type text/event-stream is a stream: it counts as open until next returns.
func (r *Registry) Observe(next http.Handler, route func(*http.Request) string) http.Handler {
	if r == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		begin := time.Now()
		// Before next: a handler may change the request.
		name, method := other, oneOf(req.Method, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
			http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace)
		if p := route(req); p != "" {
			name = r.http.route.value(p)
		}
		rec := &recorder{ResponseWriter: w, streams: r.http.streams}
		returned := false
		defer func() { // also when next panics: its owner answers, or net/http ends the connection
			if rec.stream {
				r.http.streams.Dec()
			}
			if rec.code == 0 {
				rec.code = http.StatusOK
				if !returned {
					rec.code = http.StatusInternalServerError
				}
			}
			labels := []string{name, method, code(rec.code)}
			r.http.requests.WithLabelValues(labels...).Inc()
			if !rec.stream {
				r.http.duration.WithLabelValues(labels...).Observe(time.Since(begin).Seconds())
			}
		}()
		next.ServeHTTP(rec, req)
		returned = true
	})
}

// code is the label for a status: the registered range is from 100 to 599.
func code(status int) string {
	if status < 100 || status > 599 {
		return other
	}
	return strconv.Itoa(status)
}

// recorder notes the status and whether the answer is a stream.
type recorder struct {
	http.ResponseWriter
	streams prometheus.Gauge
	code    int // 0: nothing was written yet
	stream  bool
}

func (r *recorder) note(code int) {
	if r.code != 0 {
		return
	}
	r.code = code
	if strings.HasPrefix(r.Header().Get("Content-Type"), "text/event-stream") {
		r.stream = true
		r.streams.Inc()
	}
}

// WriteHeader notes the status; those below 200 announce another, except for 101.
func (r *recorder) WriteHeader(code int) {
	if code >= http.StatusOK || code == http.StatusSwitchingProtocols {
		r.note(code)
	}
	r.ResponseWriter.WriteHeader(code)
}

// Write notes the status that a write without one implies.
func (r *recorder) Write(b []byte) (int, error) {
	r.note(http.StatusOK)
	return r.ResponseWriter.Write(b)
}

// FlushError sends what was written, and the header before anything was.
func (r *recorder) FlushError() error {
	r.note(http.StatusOK)
	return http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
