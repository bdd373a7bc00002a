package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Token is an identity.Token in JSON, without its secret. It is exported only because huma
// passes over embedded types that are not.
type Token struct {
	ID           string                `json:"id"`
	Name         string                `json:"name,omitempty"`
	Kind         string                `json:"kind" enum:"api,session"`
	UserID       string                `json:"user_id"`
	SubscriberID string                `json:"subscriber_id,omitempty" doc:"That of the user"`
	Scopes       []identity.Permission `json:"scopes,omitempty" doc:"What it may do; none: all that its user may"`
	ExpiresAt    *time.Time            `json:"expires_at,omitempty" pattern:"^(19[7-9][0-9]|20[0-9][0-9]|21[0-8][0-9])-" patternDescription:"a time within the years 1970 to 2189" doc:"None: never"`
	LastUsed     *time.Time            `json:"last_used,omitempty" doc:"To the minute"`
	Archived     bool                  `json:"archived" doc:"Revoked"`
	CreatedAt    *time.Time            `json:"created_at,omitempty"`
	UpdatedAt    *time.Time            `json:"updated_at,omitempty"`
	Revision     int64                 `json:"revision"`
}

func showToken(t identity.Token) Token {
	return Token{ID: t.ID, Name: t.Name, Kind: t.Kind.String(), UserID: t.UserID, SubscriberID: t.SubscriberID, Scopes: t.Scopes, ExpiresAt: when(t.ExpiresAt),
		LastUsed: when(t.LastUsed), Archived: t.Archived, CreatedAt: when(t.CreatedAt), UpdatedAt: when(t.UpdatedAt), Revision: t.Revision}
}

type newToken struct {
	Token
	Secret string `json:"secret" doc:"What to send as bearer token; it is shown this once"`
}

type tokenInput struct {
	Body struct {
		Name      string     `json:"name" minLength:"1" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"What it is for"`
		Scopes    []string   `json:"scopes,omitempty" maxItems:"10" uniqueItems:"true" enum:"fleet:read,fleet:write,campaigns:run,reports:read,keys:reveal,audit:read,users:manage,metrics:read,server:manage,self" doc:"Permissions that you have yourself; none: all of them"`
		ExpiresAt *time.Time `json:"expires_at,omitempty" pattern:"^(19[7-9][0-9]|20[0-9][0-9]|21[0-8][0-9])-" patternDescription:"a time within the years 1970 to 2189" doc:"In the future; none: never"`
	}
}

type newTokenOutput struct {
	Location     string `header:"Location" doc:"Address of the token"`
	CacheControl string `header:"Cache-Control"`
	Body         newToken
}

type tokenOutput struct {
	ETag string `header:"ETag" doc:"Revision of the token"`
	Body Token
}

// tokens registers what is done with API tokens and sessions.
func (a *api) tokens() {
	s, tags := a.Service, []string{"tokens"}
	addList(a, listing[identity.Token, Token]{plural: "tokens", kind: store.KindToken, read: identity.Self, list: s.Tokens, show: showToken,
		description: "Your own, or with the permission users:manage those of all users whom you manage."})
	register(a, identity.Self, huma.Operation{OperationID: "create-token", Method: http.MethodPost, Path: "/tokens", Tags: tags,
		Summary: "Create an API token", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, in *tokenInput) (*newTokenOutput, error) {
			var r reader
			t := identity.Token{Name: in.Body.Name}
			readTime(&r, "expires_at", &t.ExpiresAt, in.Body.ExpiresAt)
			for _, p := range in.Body.Scopes {
				t.Scopes = append(t.Scopes, identity.Permission(p))
			}
			if err := r.err(); err != nil {
				return nil, err
			}
			secret, t, err := s.CreateToken(ctx, t)
			if err != nil {
				return nil, err
			}
			return &newTokenOutput{Prefix + "/tokens/" + t.ID, "no-store", newToken{showToken(t), secret}}, nil
		})
	register(a, identity.Self, huma.Operation{OperationID: "show-token", Method: http.MethodGet, Path: "/tokens/{id}", Tags: tags, Summary: "Show a token"},
		func(ctx context.Context, in *KeyInput) (*tokenOutput, error) {
			t, err := s.FindToken(ctx, in.ID)
			return &tokenOutput{etag(t.Revision), showToken(t)}, err
		})
	register(a, identity.Self, huma.Operation{OperationID: "revoke-token", Method: http.MethodDelete, Path: "/tokens/{id}", Tags: tags,
		Summary: "Revoke a token", Description: "It is of no use from then on. Revoking twice is no error.", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, in *KeyInput) (*struct{}, error) { return nil, s.RevokeToken(ctx, in.ID) })
}
