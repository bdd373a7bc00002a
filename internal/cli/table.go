package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// importTable is "import" of nouns that come in tables.
type importTable struct {
	Table   string   `arg:"" complete:"file" help:"CSV file; - for standard input."`
	Format  string   `default:"detect" enum:"detect,reference,friendly" help:"Form of the table: ${enum}."`
	Mode    string   `default:"all_or_nothing" enum:"all_or_nothing,good_rows" help:"What bad rows do: keep everything from being stored, or only themselves (${enum})."`
	Map     []string `sep:"none" placeholder:"FIELD:COLUMN" help:"What the header row of a friendly table calls a field, such as dev_eui:EUI; repeated. :COLUMN leaves one out."`
	DryRun  bool     `help:"Say what would happen, and change nothing."`
	BadRows string   `placeholder:"FILE" complete:"file" help:"Write bad rows to this file, which must not exist, with a column that says why. It holds the keys that are in them."`
}

// tableReport is what a server says of an import.
type tableReport struct {
	Rows    int        `json:"rows"`
	Failed  int        `json:"failed"`
	Written int        `json:"written"`
	Errors  []rowError `json:"errors"`
}

type rowError struct {
	Row    int    `json:"row"`
	Column string `json:"column"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

// String returns "row 7, column W (lorawan_version): reason (hint)".
func (e rowError) String() string {
	out := fmt.Sprintf("row %d", e.Row)
	switch {
	case e.Column != "":
		out += fmt.Sprintf(", column %s (%s)", e.Column, e.Name)
	case e.Name != "":
		out += ", " + e.Name
	}
	out += ": " + e.Reason
	if e.Hint != "" {
		out += " (" + e.Hint + ")"
	}
	return out
}

// Run sends the table and writes what became of it.
func (im *importTable) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if im.BadRows != "" {
		// Looked at first: afterwards it is too late.
		if _, err := os.Lstat(im.BadRows); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: %s exists already, bad rows need a new file", ErrUsage, im.BadRows)
		}
	}
	res, err := im.send(ctx, c, n, std)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var raw json.RawMessage
	if im.BadRows != "" {
		raw, err = im.keepBadRows(res)
	} else {
		raw, err = io.ReadAll(res.Body)
	}
	if err != nil {
		return err
	}
	var report tableReport
	if err := json.Unmarshal(raw, &report); err != nil {
		return err
	}
	if c.Output != "json" && c.Output != "yaml" {
		for _, e := range report.Errors {
			fmt.Fprintln(std.Err, e)
		}
		if raw, err = without(raw, "errors"); err != nil {
			return err
		}
	}
	if err := c.show(std.Out, raw); err != nil {
		return err
	}
	return im.verdict(report)
}

// send sends the table. It takes as long as it takes.
func (im *importTable) send(ctx context.Context, c *Client, n *noun, std *Streams) (*http.Response, error) {
	in, size := std.In, int64(-1)
	if im.Table != "-" {
		f, err := os.Open(im.Table)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		defer func() { _ = f.Close() }() // it is only read
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if in = f; info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	in, done := metered(std, in, size)
	defer done()
	query := url.Values{"format": {im.Format}, "mode": {im.Mode}, "dry_run": {strconv.FormatBool(im.DryRun)}, "map": im.Map}
	req, err := c.request(ctx, http.MethodPost, query, io.NopCloser(in), n.path, "import")
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "text/csv")
	if im.BadRows != "" {
		req.Header.Set("Accept", "text/csv")
	}
	return c.send(req)
}

// keepBadRows writes the bad rows of an answer to their file, if there are any, and
// returns the report that came with them.
func (im *importTable) keepBadRows(res *http.Response) (json.RawMessage, error) {
	counts := map[string]int{}
	for part := range strings.SplitSeq(res.Header.Get("Import-Report"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, errors.New("the answer has no Import-Report: is the server older than this program?")
		}
		counts[name] = n
	}
	if counts["failed"] > 0 {
		// Rows hold keys: the file is for its owner alone.
		if err := save(im.BadRows, 0o600, res.Body); err != nil {
			return nil, err
		}
	}
	return json.Marshal(counts)
}

// verdict returns ErrInvalid if rows are bad.
func (im *importTable) verdict(r tableReport) error {
	if r.Failed == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d rows are bad", r.Failed, r.Rows)
	switch {
	case im.DryRun:
	case r.Written == 0:
		text += ", nothing was stored"
	default:
		text += fmt.Sprintf(", %d others were stored", r.Written)
	}
	if im.BadRows != "" {
		text += "; the bad ones are in " + im.BadRows
	} else {
		text += "; --bad-rows FILE keeps the bad ones"
	}
	return fmt.Errorf("%w: %s", ErrInvalid, text)
}

// without leaves a field out of a JSON object.
func without(raw json.RawMessage, field string) (json.RawMessage, error) {
	obj, err := object(raw)
	if err != nil {
		return nil, err
	}
	delete(obj, field)
	return json.Marshal(obj)
}

// exportTable is "export" of nouns that come in tables.
type exportTable struct {
	To     string `arg:"" optional:"" complete:"file" help:"File to write, which must not exist; none: standard output."`
	Format string `default:"friendly" enum:"friendly,reference" help:"Form of the table: ${enum}."`
	Keys   bool   `help:"Keys in clear too. It needs the permission keys:reveal, and the audit log keeps who did it."`
	Yes    bool   `help:"With --keys: do it without being asked."`
}

// Run writes the table as it comes.
func (e *exportTable) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	query, mode := url.Values{"format": {e.Format}}, os.FileMode(0o644)
	if e.Keys {
		if err := std.confirm(ctx, "write keys in clear", e.Yes); err != nil {
			return err
		}
		query.Set("keys", "true")
		mode = 0o600 // for its owner alone
	}
	req, err := c.request(ctx, http.MethodGet, query, nil, n.path, "export")
	if err != nil {
		return err
	}
	return c.keepAs(req, e.To, mode, std)
}

// exportList is "export" of nouns that have one form of table.
type exportList struct {
	To string `arg:"" optional:"" complete:"file" help:"File to write, which must not exist; none: standard output."`
}

// Run writes the table as it comes.
func (e *exportList) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	req, err := c.request(ctx, http.MethodGet, nil, nil, n.path, "export")
	if err != nil {
		return err
	}
	return c.keep(req, e.To, std)
}

// save writes a new file, whole or not at all.
func save(name string, mode os.FileMode, content io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	_, err = io.Copy(f, content)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(name)) // a part is no file
	}
	return err
}
