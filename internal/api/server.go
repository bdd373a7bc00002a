package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// Prefix is where the API begins.
const Prefix = "/api/v1"

// Config is what the API works with.
type Config struct {
	Service *service.Service
	Log     *slog.Logger
	Version string // of the program

	Claims     store.Claims     // what remembers requests with an Idempotency-Key; nil: they are refused
	Now        func() time.Time // for claims; nil: time.Now
	OIDC       *identity.OIDC   // nil: people log in by password only
	Metrics    http.Handler     // what /metrics answers; nil: there are none
	TrustProxy bool             // a proxy stands before the server, and its X-Forwarded headers are true

	// Poll is how often event streams look for news; 0: half a second. It bounds how
	// often a viewer's page changes.
	Poll time.Duration
	// Heartbeat is how often a silent event stream shows that it lives; 0: 15 seconds.
	Heartbeat time.Duration
}

// api is what handlers share.
type api struct {
	Config
	huma        huma.API
	doors       map[string]*door    // by pattern of the mux; complete before the first request
	literal     map[string][]string // methods of the paths without parameters
	crossOrigin *http.CrossOriginProtection
	sweeper     sweeper
}

// Handler returns everything that the server answers. The mux is returned too, for
// the console to add its pages: what it does not serve is a problem document.
func Handler(cfg Config) (http.Handler, *http.ServeMux) {
	if cfg.Poll == 0 {
		cfg.Poll = 500 * time.Millisecond
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 15 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a, mux := newAPI(cfg)
	a.document(mux)
	a.watching(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.noRoute(mux, w, r) })
	return a.observe(a.guard(mux)), mux
}

// newAPI registers all operations.
func newAPI(cfg Config) (*api, *http.ServeMux) {
	useProblems()
	mux := http.NewServeMux()
	a := &api{Config: cfg, huma: humago.New(mux, newHuma(cfg.Version)), doors: map[string]*door{}, literal: map[string][]string{}, crossOrigin: http.NewCrossOriginProtection()}
	a.sessions()
	a.objects()
	a.contents()
	a.deltas()
	a.tables()
	a.campaigns()
	a.control()
	a.plans()
	a.outcomes()
	a.events()
	a.people()
	a.records()
	a.describe()
	return a, mux
}

// health says whether the server can answer: 200, or 503 without its store.
func (a *api) health(w http.ResponseWriter, r *http.Request) {
	if err := a.Service.Ping(r.Context()); err != nil {
		a.Log.ErrorContext(r.Context(), "health", "error", err)
		writeProblem(w, newProblem(codeUnavailable, "The store does not answer."))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
}

// noRoute answers what no pattern matches: 405 if another method would, else 404.
func (a *api) noRoute(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := mux.Handler(probe); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		a.refuseMethod(w, r, allowed)
		return
	}
	a.refuse(w, r, newProblem(codeNoRoute, "The API begins at "+Prefix+"; /openapi.json describes it."))
}

// refuseMethod says which methods there are.
func (a *api) refuseMethod(w http.ResponseWriter, r *http.Request, methods []string) {
	allowed := slices.Clone(methods)
	if slices.Contains(allowed, http.MethodGet) && !slices.Contains(allowed, http.MethodHead) {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.refuse(w, r, newProblem(codeMethod, "Use "+strings.Join(allowed, " or ")+" here."))
}

type requestIDKey struct{}

// requestID returns the id of the request that ctx belongs to.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// observe gives each request an id, logs it, and survives handlers that panic.
func (a *api) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		id := r.Header.Get("X-Request-Id")
		if !usableID(id) {
			id = uuid.NewString()
		}
		w.Header().Set("X-Request-Id", id)
		ctx := context.WithValue(r.Context(), requestIDKey{}, id)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v) // net/http's own way to end a connection
				}
				a.Log.ErrorContext(ctx, "handler panicked", "request_id", id, "panic", v)
				if rec.status == 0 {
					p := newProblem(codeInternal, "The cause is in the server's log under this request_id.")
					p.RequestID = id
					writeProblem(rec, p)
				}
			}
			a.Log.DebugContext(ctx, "request", "request_id", id, "method", r.Method, "path", r.URL.Path,
				"status", rec.status, "took", time.Since(begin))
		}()
		next.ServeHTTP(rec, r.WithContext(ctx))
	})
}

// usableID reports whether a client's request id can go into logs and headers as it is.
func usableID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", r)
	})
}

// recorder notes the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and passes it on.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write notes the status that a write without one implies.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Limits of the server. Event streams and contents set deadlines of their own.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	drainTimeout  = 10 * time.Second
	contentTime   = 30 * time.Minute // for one content to go in or out
)

// Serve answers on ln until ctx ends, then lets running requests finish for a while. With
// a secure configuration it speaks TLS, and HTTP/2 to who can.
// Event streams are told to end at once. It returns nil after an orderly end.
func Serve(ctx context.Context, ln net.Listener, secure *tls.Config, h http.Handler, log *slog.Logger) error {
	// Requests live on past ctx, so that they can finish, but not past the drain.
	base, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	srv := &http.Server{Handler: endStreams(ctx, h), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return base }, TLSConfig: secure}
	serve := srv.Serve
	if secure != nil {
		serve = func(ln net.Listener) error { return srv.ServeTLS(ln, "", "") }
	}

	failed := make(chan error, 1)
	go func() {
		if secure == nil {
			failed <- serve(ln)
			return
		}
		srv.TLSConfig = secure
		failed <- srv.ServeTLS(ln, "", "")
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(base, drainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		abort()
		err = errors.Join(err, srv.Close())
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// endStreams cancels event streams when ctx ends: they would never finish by themselves.
func endStreams(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(r.Header.Values("Accept"), "text/event-stream") || strings.HasSuffix(r.URL.Path, "/events") {
			stream, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			r = r.WithContext(stream)
		}
		next.ServeHTTP(w, r)
	})
}
