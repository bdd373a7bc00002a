package relational

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
)

const isClaim = "subscriber_id = ? AND user_id = ? AND key = ?"

func claimArgs(id store.ClaimID) []any { return []any{id.SubscriberID, id.UserID, id.Key} }

// keepableClaim reports whether anybody can have stored such a claim.
func keepableClaim(id store.ClaimID) bool {
	return keepable(id.SubscriberID) && keepable(id.UserID) && keepable(id.Key)
}

// aboutClaim names the claim in an error. The key is the client's choice and stays out of it.
func aboutClaim(id store.ClaimID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("claim of user %q of subscriber %q: %w", id.UserID, id.SubscriberID, err)
}

// Claim stores a pending claim, or returns the one that is there.
func (d DB) Claim(ctx context.Context, c store.Claim) (stored store.Claim, mine bool, err error) {
	if !keepableClaim(c.ClaimID) || !keepable(c.Operation) {
		return stored, false, aboutClaim(c.ClaimID, errText)
	}
	err = d.Write(ctx, func(q Querier) error {
		n, err := q.Exec(ctx, `INSERT INTO claim (subscriber_id, user_id, key, operation, request_hash, status, answer, at) VALUES (?, ?, ?, ?, ?, 0, ?, ?)
			ON CONFLICT (subscriber_id, user_id, key) DO NOTHING`, append(claimArgs(c.ClaimID), c.Operation, []byte{}, []byte{}, At(c.At))...)
		if err != nil {
			return err
		}
		if mine = n == 1; mine {
			stored = store.Claim{ClaimID: c.ClaimID, Operation: c.Operation, At: c.At}
			return nil
		}
		stored = store.Claim{ClaimID: c.ClaimID}
		err = one(ctx, q, []any{&stored.Operation, &stored.RequestHash, &stored.Status, &stored.Answer, Micros{&stored.At}},
			"SELECT operation, request_hash, status, answer, at FROM claim WHERE "+isClaim, claimArgs(c.ClaimID)...)
		if err == nil {
			stored.RequestHash, err = d.unsealHash(ctx, q, c.ClaimID, stored.RequestHash)
		}
		if err == nil {
			stored.Answer, err = d.unseal(ctx, q, stored.Answer, claimPlace(c.ClaimID, "answer"))
		}
		return err
	})
	if err != nil {
		return store.Claim{}, false, aboutClaim(c.ClaimID, err)
	}
	return stored, mine, nil
}

// Answer stores the answer to a claim.
func (d DB) Answer(ctx context.Context, c store.Claim) error {
	if c.Pending() {
		return aboutClaim(c.ClaimID, errors.New("answered without a hash of its request"))
	}
	if !keepableClaim(c.ClaimID) {
		return aboutClaim(c.ClaimID, store.ErrNotFound)
	}
	return aboutClaim(c.ClaimID, d.Write(ctx, func(q Querier) error {
		// The hash too: of a request that holds a password nearly all is known, and to guess the rest
		// by it is a million times cheaper than by what is kept of the password.
		hash, err := d.seal(ctx, q, c.SubscriberID, c.RequestHash, claimPlace(c.ClaimID, "request_hash"))
		if err != nil {
			return err
		}
		answer, err := d.seal(ctx, q, c.SubscriberID, c.Answer, claimPlace(c.ClaimID, "answer"))
		if err != nil {
			return err
		}
		n, err := q.Exec(ctx, "UPDATE claim SET request_hash = ?, status = ?, answer = ? WHERE "+isClaim,
			append([]any{hash, int64(c.Status), answer}, claimArgs(c.ClaimID)...)...)
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		return err
	}))
}

// clearHash is the size of hashes that earlier versions kept in clear, for a day. What is sealed is larger.
const clearHash = sha256.Size

// unsealHash returns the hash of the request of a claim; none if it is pending.
func (d DB) unsealHash(ctx context.Context, q Querier, id store.ClaimID, kept []byte) ([]byte, error) {
	if len(kept) == clearHash {
		return kept, nil
	}
	return d.unseal(ctx, q, kept, claimPlace(id, "request_hash"))
}

// claimPlace is what a sealed column of a claim is bound to.
func claimPlace(id store.ClaimID, column string) []byte {
	return secret.AAD(id.SubscriberID, "claim", id.UserID, id.Key, column)
}

// Unclaim forgets a claim.
func (d DB) Unclaim(ctx context.Context, id store.ClaimID) error {
	if !keepableClaim(id) {
		return nil
	}
	return aboutClaim(id, d.Write(ctx, func(q Querier) error {
		_, err := q.Exec(ctx, "DELETE FROM claim WHERE "+isClaim, claimArgs(id)...)
		return err
	}))
}

// DropClaims forgets what was claimed before a time.
func (d DB) DropClaims(ctx context.Context, before time.Time) (n int, err error) {
	err = d.Write(ctx, func(q Querier) error {
		dropped, err := q.Exec(ctx, "DELETE FROM claim WHERE at < ?", At(before))
		n = int(dropped)
		return err
	})
	return n, err
}
