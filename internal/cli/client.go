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
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Connection holds the flags of every command that talks to a server.
type Connection struct {
	Server    string        `default:"http://127.0.0.1:8080" env:"STARLING_SERVER" placeholder:"URL" help:"Server to talk to (${env})."`
	Output    string        `short:"o" default:"table" enum:"table,json,yaml,csv,id" help:"Form of the data: ${enum}. id is the identifier alone, for scripts."`
	NoHeaders bool          `help:"Leave the column names out of tables and CSV."`
	Timeout   time.Duration `default:"30s" help:"Give up after this time; 0: never. Watching is not limited."`
}

// bind makes the client and the noun known to the command's Run.
func (c Connection) bind(k *kong.Context, n *noun) error {
	base, err := url.Parse(c.Server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return fmt.Errorf("--server: %q is no address, use a URL such as http://127.0.0.1:8080", c.Server)
	}
	k.Bind(&Client{Connection: c, base: base.JoinPath("/api/v1")}, n)
	return nil
}

// Client talks to one server.
type Client struct {
	Connection
	base *url.URL
}

// Problem is an error that the server answered (RFC 9457).
type Problem struct {
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Code      string         `json:"code"`
	Detail    string         `json:"detail"`
	RequestID string         `json:"request_id"`
	Errors    []ProblemField `json:"errors"`
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

// request makes a request to a path below /api/v1.
func (c *Client) request(ctx context.Context, method string, query url.Values, body io.Reader, path ...string) (*http.Request, error) {
	for i, p := range path {
		path[i] = url.PathEscape(p)
	}
	u := c.base.JoinPath(path...)
	u.RawQuery = query.Encode()
	return http.NewRequestWithContext(ctx, method, u.String(), body)
}

// send sends a request and returns the answer, or the problem that the server has with
// it. The caller closes the body.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(req)
	var refused *net.OpError
	switch {
	case errors.As(err, &refused) && refused.Op == "dial":
		return nil, fmt.Errorf("no server answers at %s: start one with \"starling serve\", or name another with --server: %w", c.Server, err)
	case err != nil:
		return nil, err
	case res.StatusCode < 300:
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	p := &Problem{}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(p); err != nil || p.Status != res.StatusCode {
		// Whoever answers here, it is not Starling.
		p = &Problem{Title: "unexpected answer " + res.Status, Status: res.StatusCode, Detail: "is --server right?"}
	}
	return nil, p
}

// call sends JSON and returns the JSON of the answer.
func (c *Client) call(ctx context.Context, method string, query url.Values, body any, path ...string) (json.RawMessage, error) {
	return c.callIf(ctx, method, 0, query, body, path...)
}

// callIf is call for an object that must still have a revision; 0: any.
func (c *Client) callIf(ctx context.Context, method string, revision int64, query url.Values, body any, path ...string) (json.RawMessage, error) {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := c.request(ctx, method, query, r, path...)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if revision > 0 {
		req.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(revision)))
	}
	res, err := c.send(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	return io.ReadAll(res.Body)
}

// limit applies --timeout.
func (c *Client) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.Timeout)
}
