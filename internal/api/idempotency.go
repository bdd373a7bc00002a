package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

const (
	idempotencyKey      = "Idempotency-Key"
	idempotencyReplayed = "Idempotency-Replayed"

	claimLife  = 24 * time.Hour
	claimSweep = time.Hour // how often old claims are dropped
	maxAnswer  = 1 << 20   // bytes of a body that are kept
	claimTime  = 10 * time.Second
)

// keptHeaders are those that belong to the answer, not to the connection or the request.
var keptHeaders = []string{"Content-Type", "Location", "ETag", "Cache-Control", "Import-Report"}

// keptAnswer is an answer that can be given again.
type keptAnswer struct {
	Header   map[string]string `json:"header,omitempty"`
	Body     []byte            `json:"body,omitempty"`
	TooLarge bool              `json:"too_large,omitempty"` // the body was, and is not here
}

// atMostOnce has one effect and one answer for all requests of an actor with one
// Idempotency-Key.
//
//	Claim ── mine ──> work ── 2xx ──> keep the answer, then send it
//	  │                  ├─── else ──> forget the claim: nothing happened
//	  │                  └─── died ──> the claim stays pending: nobody knows what happened
//	  └─ not mine ──> pending: 409. Another request: 422. The same: its answer, again
//
// The body is hashed while the operation reads it, so that imports stream as they do without
// a key. The answer is stored before it is sent: a client that has seen it, and asks again,
// finds it.
func (a *api) atMostOnce(actor identity.Actor, next http.Handler, w http.ResponseWriter, r *http.Request) {
	key, err := keyOf(r)
	if err == nil && a.Claims == nil {
		err = newProblem(codeUnavailable, "This server keeps no "+idempotencyKey+".")
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	now := a.Now()
	a.dropClaims(r.Context(), now)
	mine := store.Claim{ClaimID: store.ClaimID{SubscriberID: actor.SubscriberID, UserID: actor.UserID, Key: key},
		Operation: r.Method + " " + r.URL.Path, At: now.UTC().Truncate(time.Microsecond)}
	body := newHashedBody(r)
	r.Body = body

	stored, first, err := a.Claims.Claim(r.Context(), mine)
	switch {
	case err != nil:
		a.refuse(w, r, fmt.Errorf("claim: %w", err))
	case first:
		a.work(mine, body, next, w, r)
	case stored.Operation != mine.Operation:
		a.refuse(w, r, otherRequest())
	case stored.Pending():
		p := newProblem(codePending, fmt.Sprintf("A request with this key came at %s and has no answer yet. Ask again with the same key in a moment. "+
			"If this stays so, its server ended before it could answer, and the outcome is unknown: see whether what it should do is done, and repeat it with a new key if not.",
			stored.At.UTC().Format(time.RFC3339)))
		p.retryAfter = time.Second
		a.refuse(w, r, p)
	default:
		a.replay(stored, body, w, r)
	}
}

// work does what the request asks and keeps the answer.
func (a *api) work(claim store.Claim, body *hashedBody, next http.Handler, w http.ResponseWriter, r *http.Request) {
	// What the client has asked for is finished, whether or not it still waits.
	ctx := context.WithoutCancel(r.Context())
	out := &keeper{ResponseWriter: w}
	next.ServeHTTP(out, r) // if it panics, nobody knows what happened: the claim stays pending
	out.WriteHeader(http.StatusOK)

	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	var err error
	if out.status >= 200 && out.status < 300 {
		claim.RequestHash, claim.Status = body.sum(), out.status
		if claim.Answer, err = out.kept(); err == nil {
			err = a.Claims.Answer(ctx, claim)
		}
	} else {
		err = a.Claims.Unclaim(ctx, claim.ClaimID)
	}
	if err != nil {
		a.Log.ErrorContext(ctx, "an answer could not be kept under its key", "request_id", requestID(ctx), "operation", claim.Operation, "error", err)
	}
	out.release()
}

// replay gives the answer again if the request is the same.
func (a *api) replay(stored store.Claim, body *hashedBody, w http.ResponseWriter, r *http.Request) {
	// An upload takes its time to be seen to be the same.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(contentTime)) // a connection without deadlines is no reason to refuse
	if !bytes.Equal(body.sum(), stored.RequestHash) {
		a.refuse(w, r, otherRequest())
		return
	}
	var kept keptAnswer
	if err := json.Unmarshal(stored.Answer, &kept); err != nil {
		a.refuse(w, r, fmt.Errorf("kept answer: %w", err))
		return
	}
	if kept.TooLarge {
		a.refuse(w, r, newProblem(codeNotKept, fmt.Sprintf("The request of %s was done with status %d.", stored.At.UTC().Format(time.RFC3339), stored.Status)))
		return
	}
	for name, value := range kept.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set(idempotencyReplayed, "true")
	w.WriteHeader(stored.Status)
	_, _ = w.Write(kept.Body) // nobody is left to tell
}

func otherRequest() *Problem {
	return newProblem(codeMismatch, "This key came with another request before. Use a new key for each thing to be done, and the same only to repeat it.")
}

// keyOf returns the key of a request.
func keyOf(r *http.Request) (string, error) {
	keys := r.Header.Values(idempotencyKey)
	visible := func(c rune) bool { return c < '!' || c > '~' }
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > 255 || strings.ContainsFunc(keys[0], visible) {
		return "", badParameter("header."+idempotencyKey, "is not one key of 1 to 255 visible ASCII characters", "a random UUID is good")
	}
	return keys[0], nil
}

// sweeper remembers when old claims were last dropped.
type sweeper struct {
	mu   sync.Mutex
	last time.Time // guarded by mu
}

// due reports whether it is time, and if so, takes the turn.
func (s *sweeper) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.last) < claimSweep {
		return false
	}
	s.last = now
	return true
}

// dropClaims forgets old claims now and then.
func (a *api) dropClaims(ctx context.Context, now time.Time) {
	if !a.sweeper.due(now) {
		return
	}
	if _, err := a.Claims.DropClaims(ctx, now.Add(-claimLife)); err != nil {
		a.Log.WarnContext(ctx, "old idempotency keys stay", "error", err)
	}
}

// hashedBody hashes what makes a request the one that it is, while it is read.
type hashedBody struct {
	io.ReadCloser
	hash hash.Hash
}

func newHashedBody(r *http.Request) *hashedBody {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("Accept")} {
		fmt.Fprintf(h, "%d:%s,", len(part), part) // a hash never fails
	}
	return &hashedBody{r.Body, h}
}

// Read reads and hashes.
func (b *hashedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.hash.Write(p[:n])
	return n, err
}

// Close does nothing: what an operation has not read still has to be hashed. The server closes
// the body after the request.
func (b *hashedBody) Close() error { return nil }

// sum returns the hash of the whole request.
func (b *hashedBody) sum() []byte {
	_, _ = io.Copy(io.Discard, b) // a body that breaks off is another one
	return b.hash.Sum(nil)
}

// keeper holds an answer back until it is kept. One that is too large to be kept goes
// out as it comes.
type keeper struct {
	http.ResponseWriter
	status  int
	body    bytes.Buffer
	passing bool
}

// WriteHeader notes the status.
func (k *keeper) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

// Write keeps b, or passes it on.
func (k *keeper) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	if !k.passing && k.body.Len()+len(b) <= maxAnswer {
		return k.body.Write(b)
	}
	k.release()
	return k.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// release sends what was held back.
func (k *keeper) release() {
	if k.passing {
		return
	}
	k.passing = true
	k.ResponseWriter.WriteHeader(k.status)
	_, _ = k.ResponseWriter.Write(k.body.Bytes()) // nobody is left to tell
}

// kept returns the answer in the form in which it is stored.
func (k *keeper) kept() ([]byte, error) {
	answer := keptAnswer{Header: map[string]string{}, Body: k.body.Bytes(), TooLarge: k.passing}
	if k.passing {
		answer.Body = nil
	}
	for _, name := range keptHeaders {
		if v := k.Header().Get(name); v != "" {
			answer.Header[name] = v
		}
	}
	return json.Marshal(answer)
}
