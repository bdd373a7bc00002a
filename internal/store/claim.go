package store

import (
	"context"
	"time"
)

// Claims remembers requests that came with an Idempotency-Key, so that the same request made
// twice has one effect and one answer.
//
//	Claim ──> mine ──> the request is worked on ──> Answer    it succeeded
//	  │                                         └─> Unclaim   it had no effect: it may be made again
//	  └─────> somebody else's: pending, or with its answer
type Claims interface {
	// Claim stores a pending claim. If there is one with the same ID already, it
	// returns that one and false, and changes nothing.
	Claim(ctx context.Context, c Claim) (stored Claim, mine bool, err error)

	// Answer stores the hash of the request and the answer to it. It returns ErrNotFound without the claim.
	Answer(ctx context.Context, c Claim) error

	// Unclaim forgets a claim; one that is not there is no error.
	Unclaim(ctx context.Context, id ClaimID) error

	// DropClaims forgets the claims that were made before a time, and returns how many.
	DropClaims(ctx context.Context, before time.Time) (int, error)
}

// ClaimID names a claim: keys of one user mean nothing to another.
type ClaimID struct{ SubscriberID, UserID, Key string }

// Claim is a request and its answer.
type Claim struct {
	ClaimID
	Operation   string // which request, such as "POST /api/v1/devices"
	RequestHash []byte // of its content; none: it is still being worked on. Sealed at rest: of a content with a password the rest is easily guessed
	Status      int    // of the answer
	Answer      []byte // headers and body, as the caller wants them; sealed at rest, because an answer may hold a secret
	At          time.Time
}

// Pending reports whether the request is being worked on, or was when its server died.
func (c Claim) Pending() bool { return len(c.RequestHash) == 0 }
