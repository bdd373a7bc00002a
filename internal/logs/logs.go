package logs

import (
	"io"
	"log/slog"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// New returns a logger that writes one line per record to out, as JSON or as
// key=value text, with the fields ts (RFC 3339, UTC), level, msg and the attributes.
// Secrets become "[redacted]".
//
// Records below level are dropped. With a *slog.LevelVar the level can change while
// the server runs. Each line is one call of out.Write; the logger is safe for concurrent use.
//
// Names of groups are written as they are: code chooses them, not data.
func New(out io.Writer, level slog.Leveler, json bool) *slog.Logger {
	w := writer{json: json}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: w.replace}
	if json {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// writer is what the rules need to know about the form of a line.
type writer struct{ json bool }

// replace is called by the handler for each attribute that is no group: its value is
// resolved, and groups are the names around it. Time, level and message come this way too.
func (w writer) replace(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Key = "ts"
	}
	if secretName(a.Key) || inSecretGroup(groups) {
		a.Value = slog.StringValue(redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		if s := a.Value.String(); suspect(s) {
			a.Value = slog.StringValue(redact(a.Key, s))
		}
	case slog.KindTime:
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	case slog.KindAny:
		a.Value = w.any(a.Key, a.Value)
	}
	a.Key = Redact(a.Key)
	return a
}

// inSecretGroup reports whether one of the groups is named like a secret: everything
// in it is one then.
func inSecretGroup(groups []string) bool {
	for _, g := range groups {
		if secretName(g) {
			return true
		}
	}
	return false
}

// Redact returns s with every secret that its shape gives away replaced by "[redacted]".
// It is for text that leaves the server by another way than the log.
func Redact(s string) string {
	if !suspect(s) {
		return s
	}
	return redact("", s)
}
