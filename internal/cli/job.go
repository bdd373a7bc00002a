package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Job is "job".
type Job struct {
	Connection
	List   List      `cmd:"" help:"List jobs."`
	Show   Show      `cmd:"" help:"Show a job."`
	Cancel cancelJob `cmd:"" help:"Have a job ended before it is done."`
	Wait   waitJob   `cmd:"" help:"Wait until a job has ended."`
}

func (*Job) noun() *noun {
	return &noun{path: "jobs", fields: "archived, created_at, due_at, id, kind, name, state, subscriber_id, updated_at",
		columns: columns{"id", "kind", "state", "progress", "total", "created_at", "started_at", "ended_at"},
		wide:    columns{"error", "attempts", "due_at", "result"}}
}

type cancelJob struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
}

// Run cancels the job and writes it.
func (j *cancelJob) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, http.MethodPost, nil, map[string]string{"action": "cancel"}, n.path, j.ID, "actions")
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

type waitJob struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
}

// Help is shown below the summary of the command.
func (*waitJob) Help() string {
	return "Exit code 8 means that the job failed or was cancelled, or that some objects could not be changed."
}

// Run waits and writes the job.
func (j *waitJob) Run(ctx context.Context, c *Client, std *Streams) error {
	raw, err := c.wait(ctx, std, j.ID)
	if raw != nil {
		err = firstOf(c.show(std.Out, raw), err)
	}
	return err
}

// firstOf returns the first error that is one.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Bounds of how often a job is looked at: soon at first, as most are short.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = 2 * time.Second
)

// follow writes a job that the server has begun, when it has ended if that is waited for.
func (c *Client) follow(ctx context.Context, std *Streams, job json.RawMessage, wait bool) error {
	if !wait {
		return c.show(std.Out, job)
	}
	var begun struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(job, &begun); err != nil {
		return err
	}
	return (&waitJob{ID: begun.ID}).Run(ctx, c, std)
}

// wait shows how far a job is until it has ended. It takes as long as it takes. The job is
// returned with ErrUnsuccessful too.
func (c *Client) wait(ctx context.Context, std *Streams, id string) (json.RawMessage, error) {
	line := bar{out: std.Err, terminal: isTerminal(std.Err)}
	defer line.end()
	for pause := firstLook; ; pause = min(pause*2, lastLook) {
		raw, err := c.call(ctx, http.MethodGet, nil, nil, "jobs", id)
		if err != nil {
			return nil, err
		}
		var job struct {
			State    string `json:"state"`
			Progress int    `json:"progress"`
			Total    int    `json:"total"`
			Error    string `json:"error"`
			Result   struct {
				Matched int `json:"matched"`
				Failed  int `json:"failed"`
			} `json:"result"`
		}
		if err := json.Unmarshal(raw, &job); err != nil {
			return nil, err
		}
		switch job.State {
		case "done":
			if r := job.Result; r.Failed > 0 {
				return raw, fmt.Errorf("%w: %d of %d objects could not be changed, the job's result says why", ErrUnsuccessful, r.Failed, r.Matched)
			}
			return raw, nil
		case "failed":
			return raw, fmt.Errorf("%w: the job failed: %s", ErrUnsuccessful, job.Error)
		case "cancelled":
			return raw, fmt.Errorf("%w: the job was cancelled", ErrUnsuccessful)
		}
		line.show(job.State, job.Progress, job.Total)
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}
