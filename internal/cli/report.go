package cli

import (
	"context"
	"net/http"
)

// Report is "report".
type Report struct {
	Connection
	List     List           `cmd:"" help:"List usage reports."`
	Show     Show           `cmd:"" help:"Show what a usage report is about."`
	Create   createReport   `cmd:"" help:"Have the usage reports of a month made."`
	Download downloadReport `cmd:"" help:"Get a usage report as a table."`
}

func (*Report) noun() *noun {
	return &noun{path: "reports", fields: "archived, created_at, id, kind, month, name, subscriber_id, updated_at",
		columns: columns{"id", "kind", "month", "subscriber_id", "created_at"},
		wide:    columns{"archived", "revision", "updated_at"}}
}

type createReport struct {
	Month  string `required:"" placeholder:"YYYY-MM" help:"Month, such as 2026-10."`
	NoWait bool   `help:"Write the job and do not wait for its end."`
}

// Run has the reports made, which is a job.
func (r *createReport) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, http.MethodPost, nil, map[string]string{"month": r.Month}, n.path)
	if err != nil {
		return err
	}
	return c.follow(ctx, std, raw, !r.NoWait)
}

type downloadReport struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
	To string `arg:"" optional:"" complete:"file" help:"File to write, which must not exist; none: standard output."`
}

// Run writes the table as it comes.
func (d *downloadReport) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	req, err := c.request(ctx, http.MethodGet, nil, nil, n.path, d.ID, "content")
	if err != nil {
		return err
	}
	return c.keep(req, d.To, std)
}
