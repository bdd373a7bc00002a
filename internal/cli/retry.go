package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Bounds of trying again.
const (
	maxAttempts = 5
	firstWait   = 250 * time.Millisecond // after a lost connection; doubles each time
	maxWait     = 30 * time.Second       // a server that wants more is not waited for
)

// persist sends a request until there is an answer. Again is tried what can do no harm twice,
// after a lost connection and when the server asks to come back. With whole, the answer has been
// read to its end when it returns.
func (c *Client) persist(req *http.Request, whole bool) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		res, err := c.http.Do(req)
		if err == nil && whole {
			err = readWhole(res)
		}
		wait, why := retry(req, res, err, attempt)
		if why == "" {
			return res, err
		}
		if err == nil {
			_ = res.Body.Close() // it has been looked at
		}
		fmt.Fprintf(c.messages, "starling: %s, trying again in %s\n", why, wait)
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// readWhole reads the body of an answer and puts what it read in its place.
func readWhole(res *http.Response) error {
	b, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil {
		res.Body = io.NopCloser(bytes.NewReader(b))
	}
	return err
}

// retry says how long to wait before the next attempt, and why there is one; "": there is none.
func retry(req *http.Request, res *http.Response, err error, attempt int) (wait time.Duration, why string) {
	wait = firstWait << (attempt - 1)
	switch {
	case attempt >= maxAttempts || req.Context().Err() != nil || !repeatable(req):
		return 0, ""
	case err != nil && lost(err, attempt):
		return wait, "the connection broke"
	case err != nil:
		return 0, ""
	case res.StatusCode == http.StatusConflict && attempt > 1 && pending(res):
		return wait, "the server is still busy with the first attempt"
	case res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable:
		return 0, ""
	}
	wait, ok := retryAfter(res.Header)
	if !ok || wait > maxWait {
		return 0, ""
	}
	return wait, "the server asks for patience (" + res.Status + ")"
}

// repeatable tells if a request does no harm when it arrives twice: the key of a POST
// lets the server recognise it. A body that has been read away cannot be sent again.
func repeatable(req *http.Request) bool {
	switch {
	case req.Body != nil && req.GetBody == nil:
		return false
	case req.Method == http.MethodPost:
		return req.Header.Get(idempotencyKey) != ""
	}
	return req.Method == http.MethodGet || req.Method == http.MethodPut
}

// lost tells if a connection was lost. One that never was is only a loss after another
// attempt: the server may be starting again.
func lost(err error, attempt int) bool {
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Op != "dial" || attempt > 1
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// pending tells if an answer is the problem "idempotency_pending". The body can be read again.
func pending(res *http.Response) bool {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	_ = res.Body.Close() // the rest is of no use
	res.Body = io.NopCloser(bytes.NewReader(b))
	var p Problem
	return err == nil && json.Unmarshal(b, &p) == nil && p.Code == "idempotency_pending"
}

// retryAfter reads a Retry-After header: seconds, or a date (RFC 9110).
func retryAfter(h http.Header) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, true
	}
	at, err := http.ParseTime(text)
	return max(0, time.Until(at)).Round(time.Second), err == nil
}

// sleep waits, or returns why not.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
