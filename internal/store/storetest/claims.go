package storetest

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
)

func testClaim(key string) store.Claim {
	return store.Claim{ClaimID: store.ClaimID{SubscriberID: "a", UserID: "u", Key: key}, Operation: "POST /devices", At: day}
}

// claims follows a request that is made twice, from before its answer until after it.
func claims(t *testing.T, open Open) {
	ctx, place := context.Background(), t.TempDir()
	s := open(t, place)
	c := testClaim("k")
	stored, mine, err := s.Claim(ctx, c)
	must(t, err)
	if !mine || !stored.Pending() || stored.ClaimID != c.ClaimID {
		t.Fatalf("first: %+v, mine %v", stored, mine)
	}
	again := c
	again.Operation, again.At = "DELETE /devices", day.Add(time.Hour)
	stored, mine, err = s.Claim(ctx, again)
	must(t, err)
	if mine || !stored.Pending() || stored.Operation != c.Operation || !stored.At.Equal(day) {
		t.Fatalf("while it is pending: %+v, mine %v", stored, mine)
	}
	for _, other := range []store.ClaimID{{SubscriberID: "b", UserID: "u", Key: "k"}, {SubscriberID: "a", UserID: "v", Key: "k"}, {SubscriberID: "a", UserID: "u", Key: "K"}, {Key: "k"}} {
		if _, mine, err := s.Claim(ctx, store.Claim{ClaimID: other, At: day}); err != nil || !mine {
			t.Errorf("%v is another claim: %v, %v", other, mine, err)
		}
	}

	if err := s.Answer(ctx, c); err == nil {
		t.Error("an answer without a hash leaves the claim pending for ever")
	}
	c.RequestHash, c.Status, c.Answer = []byte{1, 2}, 201, []byte("a secret token")
	must(t, s.Answer(ctx, c))
	want(t, s.Answer(ctx, store.Claim{ClaimID: store.ClaimID{Key: "never"}, RequestHash: []byte{1}}), store.ErrNotFound)
	stored, mine, err = open(t, place).Claim(ctx, again) // by somebody who has just started
	must(t, err)
	if mine || stored.Pending() || stored.Status != 201 || !bytes.Equal(stored.Answer, c.Answer) || !bytes.Equal(stored.RequestHash, c.RequestHash) {
		t.Errorf("replayed: %+v, mine %v", stored, mine)
	}

	// Of many at once, one does the work.
	var won atomic.Int32
	var wg sync.WaitGroup
	s = open(t, place)
	for range 8 {
		wg.Go(func() {
			_, mine, err := s.Claim(ctx, testClaim("race"))
			if err != nil {
				t.Error(err)
			}
			if mine {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d made the claim", won.Load())
	}
	for _, odd := range []store.ClaimID{{Key: "a\x00"}, {UserID: "a\xff", Key: "k"}} {
		if _, _, err := s.Claim(ctx, store.Claim{ClaimID: odd}); err == nil {
			t.Errorf("%q is claimed", odd)
		}
		want(t, s.Answer(ctx, store.Claim{ClaimID: odd, RequestHash: []byte{1}}), store.ErrNotFound)
		must(t, s.Unclaim(ctx, odd))
	}
}

func forgottenClaims(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	c := testClaim("k")
	_, _, err := s.Claim(ctx, c)
	must(t, err)
	must(t, s.Unclaim(ctx, c.ClaimID))
	must(t, s.Unclaim(ctx, c.ClaimID))
	if _, mine, err := s.Claim(ctx, c); err != nil || !mine {
		t.Fatalf("after it was forgotten: %v, %v", mine, err)
	}
	late := testClaim("late")
	late.At = day.Add(time.Hour)
	_, _, err = s.Claim(ctx, late)
	must(t, err)
	if n, err := s.DropClaims(ctx, day); err != nil || n != 0 {
		t.Errorf("%d dropped that are not older, %v", n, err)
	}
	if n, err := s.DropClaims(ctx, late.At); err != nil || n != 1 {
		t.Errorf("%d dropped, %v", n, err)
	}
	if _, mine, err := s.Claim(ctx, late); err != nil || mine {
		t.Errorf("the late one is kept: %v, %v", mine, err)
	}
}

// DamagedClaims is a test for engines: it changes what is kept of requests behind the back of the
// store. blob writes bytes as SQL does.
func DamagedClaims(t *testing.T, s store.Store, exec func(query string) error, blob func([]byte) string) {
	ctx := context.Background()
	for _, key := range []string{"a", "b", "c"} {
		c := testClaim(key)
		_, _, err := s.Claim(ctx, c)
		must(t, err)
		c.RequestHash, c.Status, c.Answer = bytes.Repeat([]byte(key), 32), 201, []byte("a secret token")
		must(t, s.Answer(ctx, c))
	}
	// A hash that can be moved can be read, and tells which of a list of passwords was in the request.
	for key, column := range map[string]string{"a": "request_hash", "b": "answer"} {
		must(t, exec("UPDATE claim SET "+column+" = (SELECT "+column+" FROM claim WHERE key = 'c') WHERE key = '"+key+"'"))
		_, _, err := s.Claim(ctx, testClaim(key))
		want(t, err, secret.ErrSealed)
	}
	// Earlier versions kept the hash as it is.
	old := bytes.Repeat([]byte{7}, 32)
	must(t, exec("UPDATE claim SET request_hash = "+blob(old)+" WHERE key = 'c'"))
	stored, mine, err := s.Claim(ctx, testClaim("c"))
	must(t, err)
	if mine || !bytes.Equal(stored.RequestHash, old) || string(stored.Answer) != "a secret token" {
		t.Errorf("a claim of an earlier version: %+v, mine %v", stored, mine)
	}
}
