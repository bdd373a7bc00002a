package cli

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// Audit is "audit".
type Audit struct {
	Connection
	List listAudit `cmd:"" help:"List who did what, when and from where, the newest first."`
}

func (*Audit) noun() *noun {
	return &noun{path: "audit",
		columns: columns{"at", "login", "action", "kind", "object_id", "from", "note"},
		wide:    columns{"seq", "subscriber_id", "user_id", "token_id", "request_id", "changes"}}
}

// moment is a time, or how long ago it was.
type moment struct {
	at  time.Time
	ago time.Duration
}

// UnmarshalText reads a time such as 2026-03-01T02:00:00Z, a day such as 2026-03-01, or a
// duration such as 24h, which is that long ago.
func (m *moment) UnmarshalText(b []byte) (err error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if m.at, err = time.Parse(layout, string(b)); err == nil {
			return nil
		}
	}
	if m.ago, err = time.ParseDuration(string(b)); err != nil || m.ago < 0 {
		return fmt.Errorf("%q is no time, use something like 2026-03-01T02:00:00Z, 2026-03-01, or 24h for that long ago", b)
	}
	return nil
}

// text returns the time as the API takes it; "" if none was given.
func (m *moment) text(now time.Time) string {
	switch {
	case m == nil:
		return ""
	case m.at.IsZero():
		m.at = now.Add(-m.ago)
	}
	return m.at.UTC().Format(time.RFC3339)
}

type listAudit struct {
	Kind   string  `placeholder:"KIND" help:"Only about objects of this kind, such as device."`
	Object string  `placeholder:"ID" help:"Only about this object."`
	User   string  `placeholder:"ID" complete:"users" help:"Only what this user did."`
	Action string  `placeholder:"ACTION" help:"Only this action, such as device.update."`
	Since  *moment `placeholder:"TIME" help:"Not before this time: 2026-03-01T02:00:00Z, 2026-03-01, or 24h for that long ago."`
	Until  *moment `placeholder:"TIME" help:"Before this time."`
	Limit  int     `help:"At most this many; 0: all." default:"0"`
}

// Run writes all pages.
func (l *listAudit) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if l.Limit < 0 {
		return fmt.Errorf("%w: --limit is negative, use 0 for all", ErrUsage)
	}
	query, now := url.Values{}, time.Now()
	for name, value := range map[string]string{"kind": l.Kind, "object_id": l.Object, "user_id": l.User, "action": l.Action,
		"since": l.Since.text(now), "until": l.Until.text(now)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	items, err := c.pages(ctx, query, l.Limit, n.path)
	if err != nil {
		return err
	}
	return c.list(std.Out, n.shown(&c.Form), items)
}
