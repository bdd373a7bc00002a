// Package identity knows who somebody is and what they may do: people, roles,
// permissions, passwords, tokens, the brake on guessing, and log-in through an OpenID
// provider.
//
//	password ── CheckPassword ──┐
//	OpenID provider ── OIDC ────┼──> User ──> Token (session or api)
//	                            │     │ Role        │ Scopes
//	       Limiter: how long    │     v             v
//	       to wait before that ─┘    Role.Permissions(server) ∩ scopes
//	                                        │
//	   request with a token ── NewActor ──> Actor ── May("campaigns:run")? ──> use case
//
// A user belongs to one subscriber, or to none: then it is a user of the server, which
// acts in one subscriber at a time and may have the two permissions that no subscriber
// gives (server:manage, metrics:read). A token never allows more than its user may at
// the moment of the request: a role taken away is taken away from the tokens too.
//
// Secrets are kept as little as possible: a password as an argon2id hash (RFC 9106), a
// token as its SHA-256 digest. Neither has a JSON, text or log form.
//
// The package does not store anything, reads no clock and no random numbers but those it
// is given, and knows no HTTP but that which an OpenID provider speaks (oidc.go). Who may
// see which object is a rule of the use cases: here is only what somebody may do.
package identity
