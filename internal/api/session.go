package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
)

type loginInput struct {
	request *http.Request
	Body    struct {
		Login    string `json:"login" minLength:"1" maxLength:"64"`
		Password string `json:"password" minLength:"1" maxLength:"256" writeOnly:"true"`
	}
}

// Resolve notes the request: the cookie depends on the connection.
func (in *loginInput) Resolve(ctx huma.Context) []error {
	in.request, _ = humago.Unwrap(ctx)
	return nil
}

type loginOutput struct {
	SetCookie    string `header:"Set-Cookie" doc:"The session, for browsers"`
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Token     string     `json:"token" doc:"What to send as bearer token; it is shown this once"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
		User      user       `json:"user"`
	}
}

// me is who asks, and what that one may do.
type me struct {
	UserID       string                `json:"user_id"`
	Login        string                `json:"login"`
	Name         string                `json:"name,omitempty"`
	Role         string                `json:"role" enum:"viewer,operator,administrator"`
	Server       bool                  `json:"server" doc:"Of the server, not of a subscriber"`
	SubscriberID string                `json:"subscriber_id" doc:"The subscriber that is acted in"`
	TokenID      string                `json:"token_id"`
	Permissions  []identity.Permission `json:"permissions" doc:"What this token may do"`
}

type meOutput struct{ Body me }

type logoutOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"Takes the session away from browsers"`
}

// sessions registers logging in and out.
func (a *api) sessions() {
	s, tags := a.Service, []string{"session"}
	registerForAnybody(a, huma.Operation{OperationID: "login", Method: http.MethodPost, Path: "/session", Tags: tags, Summary: "Log in",
		Description: "Wrong passwords make the next attempt wait: 429. An Idempotency-Key has no meaning here.", DefaultStatus: http.StatusCreated,
		Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
		func(ctx context.Context, in *loginInput) (*loginOutput, error) {
			session, err := s.Login(ctx, in.Body.Login, in.Body.Password, actorOf(ctx).From)
			if errors.Is(err, service.ErrUnauthenticated) {
				return nil, newProblem(codeUnauthenticated, "Login or password is wrong.")
			}
			if err != nil {
				return nil, err
			}
			out := &loginOutput{SetCookie: a.sessionCookie(in.request, session).String(), CacheControl: "no-store"}
			out.Body.Token, out.Body.ExpiresAt, out.Body.User = session.Secret, when(session.Token.ExpiresAt), showUser(session.User)
			return out, nil
		})
	register(a, identity.Self, huma.Operation{OperationID: "show-session", Method: http.MethodGet, Path: "/session", Tags: tags, Summary: "Show who you are and what you may do"},
		func(ctx context.Context, _ *struct{}) (*meOutput, error) {
			u, actor, err := s.Me(ctx)
			return &meOutput{me{UserID: u.ID, Login: u.Login, Name: u.Name, Role: u.Role.String(), Server: actor.Server, SubscriberID: actor.SubscriberID,
				TokenID: actor.TokenID, Permissions: actor.Permissions.Slice()}}, err
		})
	register(a, identity.Self, huma.Operation{OperationID: "logout", Method: http.MethodDelete, Path: "/session", Tags: tags, Summary: "Log out",
		Description: "The session, or the token that this comes with, is of no use from then on.", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, _ *struct{}) (*logoutOutput, error) {
			gone := http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}
			return &logoutOutput{gone.String()}, s.Logout(ctx)
		})
	a.openID()
}

// sessionCookie keeps a session in a browser. Lax, not Strict: who comes from the OpenID provider,
// or from a link in a mail, is logged in too; changes from other origins are refused at the door.
func (a *api) sessionCookie(r *http.Request, session service.Session) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: session.Secret, Path: "/", Expires: session.Token.ExpiresAt, HttpOnly: true, Secure: a.secure(r), SameSite: http.SameSiteLaxMode}
}

// openID registers logging in through an OpenID provider. Browsers come here, so that the
// answers are redirects.
func (a *api) openID() {
	returnTo := &huma.Param{Name: "return_to", In: "query", Description: "Path of this server to go to afterwards; default /", Schema: &huma.Schema{Type: huma.TypeString}}
	redirect := func() map[string]*huma.Response {
		location := map[string]*huma.Param{"Location": {Description: "Where to go", Schema: &huma.Schema{Type: huma.TypeString}},
			"Set-Cookie": {Schema: &huma.Schema{Type: huma.TypeString}}}
		return map[string]*huma.Response{"302": {Description: "Go on there", Headers: location}}
	}
	refused := []int{http.StatusUnauthorized, http.StatusNotFound}
	a.streamForAnybody(&huma.Operation{OperationID: "begin-oidc-login", Method: http.MethodGet, Path: Prefix + "/session/oidc", Tags: []string{"session"},
		Summary: "Log in through the OpenID provider", Description: "404 without a provider.", Parameters: []*huma.Param{returnTo}, Responses: redirect(), Errors: refused}, a.beginOIDC)
	answer := []*huma.Param{}
	for _, name := range []string{"code", "state", "iss", "error", "error_description", "session_state"} {
		answer = append(answer, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	a.streamForAnybody(&huma.Operation{OperationID: "end-oidc-login", Method: http.MethodGet, Path: Prefix + "/session/oidc/callback", Tags: []string{"session"},
		Summary: "Come back from the OpenID provider", Description: "404 without a provider.", Parameters: answer, Responses: redirect(), Errors: refused}, a.endOIDC)
}

func (a *api) beginOIDC(w http.ResponseWriter, r *http.Request) error {
	if a.OIDC == nil {
		return newProblem(codeNotFound, "This server has no OpenID provider: log in by password.")
	}
	to, cookie, err := a.OIDC.Begin(r.Context(), r.URL.Query().Get("return_to"))
	if err != nil {
		return a.oidcProblem(r, err)
	}
	http.SetCookie(w, a.oidcCookie(r, cookie, int(identity.OIDCCookieLife.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusFound)
	return nil
}

func (a *api) endOIDC(w http.ResponseWriter, r *http.Request) error {
	if a.OIDC == nil {
		return newProblem(codeNotFound, "This server has no OpenID provider: log in by password.")
	}
	var kept string
	if c, err := r.Cookie(identity.OIDCCookie); err == nil {
		kept = c.Value
	}
	http.SetCookie(w, a.oidcCookie(r, "", -1)) // good for one attempt
	claims, returnTo, err := a.OIDC.Exchange(r.Context(), kept, r.URL.Query())
	if err != nil {
		return a.oidcProblem(r, err)
	}
	session, err := a.Service.LoginOIDC(r.Context(), claims, a.from(r))
	if errors.Is(err, service.ErrUnauthenticated) {
		return newProblem(codeUnauthenticated, "The provider knows you, but no user here is you. Ask an administrator.")
	}
	if err != nil {
		return err
	}
	http.SetCookie(w, a.sessionCookie(r, session))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, returnTo, http.StatusFound)
	return nil
}

func (a *api) oidcCookie(r *http.Request, value string, life int) *http.Cookie {
	return &http.Cookie{Name: identity.OIDCCookie, Value: value, Path: Prefix + "/session/oidc", MaxAge: life, HttpOnly: true, Secure: a.secure(r), SameSite: http.SameSiteLaxMode}
}

// oidcProblem says to people that it did not work, and to the log why.
func (a *api) oidcProblem(r *http.Request, err error) error {
	a.Log.WarnContext(r.Context(), "log-in through the OpenID provider", "request_id", requestID(r.Context()), "error", err)
	switch {
	case errors.Is(err, identity.ErrOIDCProvider):
		return newProblem(codeUnavailable, "The OpenID provider cannot be reached, or does not do its part. Log in by password, or try again later.")
	case errors.Is(err, identity.ErrOIDCState), errors.Is(err, identity.ErrOIDCDenied), errors.Is(err, identity.ErrOIDCToken):
		return newProblem(codeUnauthenticated, "Logging in through the provider did not work. Begin again.")
	}
	return err
}
