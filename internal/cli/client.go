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
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Client talks to one server.
type Client struct {
	Connection
	to       Context // with flags and environment laid over it
	base     *url.URL
	http     *http.Client
	messages io.Writer
}

// Problem is an error that the server answered (RFC 9457).
type Problem struct {
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Code      string         `json:"code"`
	Detail    string         `json:"detail"`
	RequestID string         `json:"request_id"`
	Errors    []ProblemField `json:"errors"`

	advice string // of this program
}

// ProblemField is one thing that is wrong with a request.
type ProblemField struct {
	Pointer   string `json:"pointer"`
	Parameter string `json:"parameter"`
	Message   string `json:"message"`
	Hint      string `json:"hint"`
}

// String returns "place: what is wrong (what to do)".
func (f ProblemField) String() string {
	out := strings.TrimPrefix(f.Pointer+f.Parameter, "/") + ": " + f.Message
	if f.Hint != "" {
		out += " (" + f.Hint + ")"
	}
	return out
}

// Error returns the title and detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// Headers that this client sends beside the usual ones.
const (
	idempotencyKey   = "Idempotency-Key"
	subscriberHeader = "Starling-Subscriber"
)

// maxProblem bounds how much of an error is read.
const maxProblem = 1 << 20

// request makes a request to a path below /api/v1.
func (c *Client) request(ctx context.Context, method string, query url.Values, body io.Reader, path ...string) (*http.Request, error) {
	escaped := make([]string, len(path))
	for i, p := range path {
		escaped[i] = url.PathEscape(p)
	}
	u := c.base.JoinPath(escaped...)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if c.to.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.to.Token)
	}
	if c.to.Subscriber != "" {
		req.Header.Set(subscriberHeader, c.to.Subscriber)
	}
	if method == http.MethodPost {
		req.Header.Set(idempotencyKey, uuid.NewString())
	}
	return req, nil
}

// send sends a request and returns the answer, whose body comes as it is read, or the
// problem that the server has with the request. The caller closes the body.
func (c *Client) send(req *http.Request) (*http.Response, error) { return c.answer(req, false) }

func (c *Client) answer(req *http.Request, whole bool) (*http.Response, error) {
	res, err := c.persist(req, whole)
	var refused *net.OpError
	switch {
	case errors.As(err, &refused) && refused.Op == "dial":
		return nil, fmt.Errorf("no server answers at %s: start one with \"starling serve\", or name another with --server: %w", c.to.Server, err)
	case err != nil:
		return nil, err
	case res.StatusCode < 300:
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	p := &Problem{}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxProblem)).Decode(p); err != nil || p.Status != res.StatusCode {
		// Whoever answers here, it is not Starling.
		p = &Problem{Title: "unexpected answer " + res.Status, Status: res.StatusCode, Detail: "is --server right?"}
	}
	if p.Status == http.StatusUnauthorized {
		p.advice = c.loginAdvice()
	}
	if wait, ok := retryAfter(res.Header); ok {
		p.advice = fmt.Sprintf("Try again in %s.", wait)
	}
	return nil, p
}

// loginAdvice says how to become somebody.
func (c *Client) loginAdvice() string {
	login := "starling login"
	if c.to.Name != "" {
		login += " --context " + c.to.Name
	}
	if c.Server != "" {
		login += " --server " + c.Server
	}
	if c.to.Token == "" {
		return fmt.Sprintf("There is no token for %s: use %q, or set %s.", c.to.Server, login, tokenVariable)
	}
	return fmt.Sprintf("The token is not, or no longer, valid: use %q, or set %s to another.", login, tokenVariable)
}

// call sends JSON and returns the JSON of the answer.
func (c *Client) call(ctx context.Context, method string, query url.Values, body any, path ...string) (json.RawMessage, error) {
	raw, _, err := c.callIf(ctx, method, "", query, body, path...)
	return raw, err
}

// callIf is call for an object that must still have an ETag; "": any. It returns the ETag
// of the answer too.
func (c *Client) callIf(ctx context.Context, method, etag string, query url.Values, body any, path ...string) (raw json.RawMessage, now string, err error) {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, "", err
		}
		r = bytes.NewReader(b)
	}
	req, err := c.request(ctx, method, query, r, path...)
	if err != nil {
		return nil, "", err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if etag != "" {
		req.Header.Set("If-Match", etag)
	}
	res, err := c.answer(req, true)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err = io.ReadAll(res.Body)
	return raw, res.Header.Get("ETag"), err
}

// current reads an object and its ETag.
func (c *Client) current(ctx context.Context, path ...string) (json.RawMessage, string, error) {
	return c.callIf(ctx, http.MethodGet, "", nil, nil, path...)
}

// etagOf returns the ETag of a revision; 0: none.
func etagOf(revision int64) string {
	if revision == 0 {
		return ""
	}
	return strconv.Quote(strconv.FormatInt(revision, 10))
}

// limit applies --timeout.
func (c *Client) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.Timeout)
}
