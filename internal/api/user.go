package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
)

// user is an identity.User in JSON.
type user struct {
	ID           *string    `json:"id,omitempty" readOnly:"true"`
	Login        *string    `json:"login,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9._@+-]+$" patternDescription:"letters, digits and . _ - @ +" doc:"Unique on the server; kept in lower case"`
	Name         *string    `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Role         *string    `json:"role,omitempty" enum:"viewer,operator,administrator" doc:"Default viewer"`
	SubscriberID *string    `json:"subscriber_id,omitempty" pattern:"^([a-z0-9][a-z0-9-]{0,63})?$" doc:"Whose user it is; empty: the server's; absent: of the subscriber that is acted in. Cannot be changed"`
	OIDCSubject  *string    `json:"oidc_subject,omitempty" maxLength:"255" doc:"Who it is at the OpenID provider; empty: whoever comes with the login as verified e-mail address"`
	Password     *string    `json:"password,omitempty" writeOnly:"true" maxLength:"256" doc:"12 to 256 characters; only with a new user. None: no login by password"`
	PasswordSet  *bool      `json:"password_set,omitempty" readOnly:"true"`
	LastLogin    *time.Time `json:"last_login,omitempty" readOnly:"true"`
	Archived     *bool      `json:"archived,omitempty" doc:"Cannot log in, and its tokens are refused"`
	Stamp
}

func showUser(u identity.User) user {
	return user{ID: &u.ID, Login: &u.Login, Name: &u.Name, Role: text(u.Role), SubscriberID: &u.SubscriberID, OIDCSubject: &u.OIDCSubject,
		PasswordSet: new(u.PasswordHash != ""), LastLogin: when(u.LastLogin), Archived: &u.Archived, Stamp: stampOf(u.CreatedAt, u.UpdatedAt, u.Revision)}
}

func (in *user) apply(u *identity.User) error {
	var r reader
	read(&r, "login", &u.Login, in.Login, identity.ParseLogin)
	set(&u.Name, in.Name)
	read(&r, "role", &u.Role, in.Role, identity.ParseRole)
	set(&u.SubscriberID, in.SubscriberID)
	set(&u.OIDCSubject, in.OIDCSubject)
	if in.Password != nil && u.Revision > 0 {
		r = append(r, &fleet.FieldError{Field: "password", Problem: "is not changed here", Hint: "PUT " + Prefix + "/users/{id}/password"})
	}
	set(&u.Archived, in.Archived)
	return r.err()
}

// createUser makes a user of the subscriber that is acted in, unless another is named.
func (a *api) createUser(ctx context.Context, in *user, u identity.User) (identity.User, error) {
	if in.SubscriberID == nil {
		u.SubscriberID = actorOf(ctx).SubscriberID
	}
	var password string
	set(&password, in.Password)
	return a.Service.CreateUser(ctx, u, password)
}

type passwordInput struct {
	KeyInput
	Body struct {
		Password string `json:"password" minLength:"12" maxLength:"256" doc:"The new one"`
		Current  string `json:"current,omitempty" maxLength:"256" doc:"The one that was good so far; needed for the own password"`
	}
}

// passwords registers what sets a password.
func (a *api) passwords() {
	register(a, identity.Self, huma.Operation{OperationID: "set-password", Method: http.MethodPut, Path: "/users/{id}/password", Tags: []string{"users"},
		Summary: "Set a password", Description: "The own one with `current`; that of others with the permission users:manage. All other sessions of the user end.",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusTooManyRequests}},
		func(ctx context.Context, in *passwordInput) (*struct{}, error) {
			return nil, a.Service.SetPassword(ctx, in.ID, in.Body.Current, in.Body.Password)
		})
}
