package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
)

// sessionCookie holds the secret of a session in browsers.
const sessionCookie = "starling_session"

// subscriberHeader names the subscriber that a user of the server acts in.
const subscriberHeader = "Starling-Subscriber"

// bounds of what is looked at before anybody is known.
const (
	maxCredential = 256 // characters of a token
	maxSubscriber = 64  // characters of an identifier
)

// door is what stands before one route.
type door struct {
	permission identity.Permission
	anybody    bool     // no token is needed: logging in
	once       bool     // an Idempotency-Key is understood
	takes      []string // media types of contents; none: no content
	parameters []*huma.Param
}

// admit puts a door before an operation and says in the document who may pass. Every way to
// register an operation leads through here; guard refuses what has no door.
func (a *api) admit(need identity.Permission, op *huma.Operation) {
	if !need.Known() {
		panic(fmt.Sprintf("api: %s needs no known permission: %q", op.OperationID, need))
	}
	a.doors[op.Method+" "+op.Path] = &door{permission: need, once: op.Method == http.MethodPost}
	op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	op.Extensions = map[string]any{"x-permission": string(need)}
}

// admitAnybody is admit for the few operations by which somebody becomes known.
func (a *api) admitAnybody(op *huma.Operation) {
	a.doors[op.Method+" "+op.Path] = &door{anybody: true}
	op.Security = []map[string][]string{{}}
}

// guard stands before all routes: there is no second way in. A route below Prefix that was
// registered without a door does not exist.
func (a *api) guard(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.EscapedPath(); strings.HasPrefix(p, "/api/") && path.Clean(p) != p {
			a.refuse(w, r, newProblem(codeNoRoute, "The address holds empty parts or dots, or ends with a slash."))
			return
		}
		if methods, ok := a.literal[r.URL.Path]; ok && !slices.Contains(methods, r.Method) && (r.Method != http.MethodHead || !slices.Contains(methods, http.MethodGet)) {
			// Other methods would take the last part of the path for an identifier.
			a.refuseMethod(w, r, methods)
			return
		}
		_, pattern := mux.Handler(r)
		_, place, _ := strings.Cut(pattern, " ")
		d, ok := a.doors[pattern]
		switch {
		case ok:
			a.enter(d, mux, w, r)
		case strings.HasPrefix(place, "/api/"):
			a.Log.ErrorContext(r.Context(), "a route has no door", "pattern", pattern)
			a.refuse(w, r, newProblem(codeNoRoute, ""))
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// enter lets a request pass if whoever makes it may do what it asks. Nothing of the body has
// been read so far.
func (a *api) enter(d *door, next http.Handler, w http.ResponseWriter, r *http.Request) {
	if err := d.readable(r); err != nil {
		a.refuse(w, r, err)
		return
	}
	if d.anybody {
		if err := a.crossOrigin.Check(r); err != nil {
			a.refuse(w, r, newProblem(codeForbidden, "A page of another origin asks for this."))
			return
		}
		if err := d.mediaType(r); err != nil {
			a.refuse(w, r, err)
			return
		}
		unknown := identity.Actor{From: a.from(r), RequestID: requestID(r.Context())}
		next.ServeHTTP(w, r.WithContext(service.As(r.Context(), unknown)))
		return
	}
	actor, err := a.who(r)
	if err == nil && !actor.May(d.permission) {
		err = fmt.Errorf("this needs the permission %s and %w", d.permission, service.ErrForbidden)
	}
	if err == nil {
		err = d.mediaType(r)
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	asked := r
	ctx := context.WithValue(service.As(r.Context(), actor), againKey{}, func() error {
		now, err := a.who(asked)
		if err == nil && !now.May(d.permission) {
			err = service.ErrForbidden
		}
		return err
	})
	r = r.WithContext(ctx)
	if d.once && len(r.Header.Values(idempotencyKey)) > 0 {
		a.atMostOnce(actor, next, w, r)
		return
	}
	next.ServeHTTP(w, r)
}

type againKey struct{}

// stillMay asks again whether the request that ctx belongs to may pass: what lasts longer than
// a moment outlives tokens otherwise.
func stillMay(ctx context.Context) error {
	again, ok := ctx.Value(againKey{}).(func() error)
	if !ok {
		return service.ErrUnauthenticated
	}
	return again()
}

// who returns who makes a request.
func (a *api) who(r *http.Request) (identity.Actor, error) {
	secret, fromCookie := credential(r)
	if secret == "" || len(secret) > maxCredential {
		return identity.Actor{}, service.ErrUnauthenticated
	}
	if fromCookie {
		// A browser sends the cookie whatever page asks; other programs send no Origin.
		if err := a.crossOrigin.Check(r); err != nil {
			return identity.Actor{}, newProblem(codeForbidden, "A page of another origin asks for this.")
		}
	}
	in := r.Header.Get(subscriberHeader)
	if given := r.Header.Values(subscriberHeader); len(given) > 1 || len(given) == 1 && in == "" {
		return identity.Actor{}, badParameter("header."+subscriberHeader, "names no subscriber, or several", "name one, or leave it out")
	}
	if len(in) > maxSubscriber {
		return identity.Actor{}, fmt.Errorf("acting in this subscriber %w", service.ErrForbidden)
	}
	actor, err := a.Service.Authenticate(r.Context(), secret, in)
	if fields := fleet.FieldErrors(err); len(fields) > 0 {
		err = badParameter("header."+fields[0].Field, fields[0].Problem, fields[0].Hint)
	}
	actor.From, actor.RequestID = a.from(r), requestID(r.Context())
	return actor, err
}

// credential returns the secret that a request carries, and whether a browser added it by itself.
func credential(r *http.Request) (secret string, fromCookie bool) {
	if header := r.Header.Values("Authorization"); len(header) > 0 {
		scheme, secret, _ := strings.Cut(header[0], " ")
		if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		return strings.TrimSpace(secret), false
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		return c.Value, true
	}
	return "", false
}

// from returns the network address that a request comes from, as far as it can be believed: what
// a proxy reports counts only if there is one, and then only what the last one has seen itself.
func (a *api) from(r *http.Request) string {
	if a.TrustProxy {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if ip := net.ParseIP(strings.TrimSpace(hops[len(hops)-1])); ip != nil {
			return ip.String()
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr // a socket
	}
	return host
}

// secure reports whether the browser's connection is encrypted, here or at the proxy.
func (a *api) secure(r *http.Request) bool {
	return r.TLS != nil || a.TrustProxy && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// readable refuses addresses that hold what no text can: no engine stores it. huma takes the first
// of several values, and an empty one for none.
func (d *door) readable(r *http.Request) error {
	if !isText(r.URL.Path) {
		return newProblem(codeNotFound, "The address is not text.")
	}
	for name, values := range r.URL.Query() {
		if !isText(name) {
			return badParameter("query", "has a name that is not text", "leave it out")
		}
		if slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			return badParameter("query."+name, "is not text", "send UTF-8 without NUL characters")
		}
		for _, p := range d.parameters {
			list := p.Schema.Type == huma.TypeArray
			switch {
			case p.In != "query" || p.Name != name:
			case list && slices.Contains(values, ""):
				return badParameter("query."+name, "is empty", "leave it out, or give it a value")
			case list:
			case len(values) > 1:
				return badParameter("query."+name, "is given more than once", "give it once")
			case values[0] == "" && (p.Schema.Type != huma.TypeString || len(p.Schema.Enum) > 0 || p.Schema.Format != ""):
				return badParameter("query."+name, "is empty", "leave it out, or give it a value")
			}
		}
	}
	return nil
}

// isText reports whether s is UTF-8 without NUL.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// refuse answers with the problem that err is.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, problem(r.Context(), a.Log, err))
}

// actorOf returns who asks; behind a door there is always somebody.
func actorOf(ctx context.Context) identity.Actor {
	actor, _ := service.ActorOf(ctx)
	return actor
}
