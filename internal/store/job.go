package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// JobState is where a job stands.
//
//	queued ── claimed ──> running ──> done
//	   │  <── tried again ──┤ └─────> failed
//	   └────── cancelled <──┘
type JobState string

// States of a job.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Ended reports whether nothing leaves this state.
func (s JobState) Ended() bool { return s == JobDone || s == JobFailed || s == JobCancelled }

// MarshalText returns the name of the state.
func (s JobState) MarshalText() ([]byte, error) { return []byte(s), nil }

// UnmarshalText reads the name of a state.
func (s *JobState) UnmarshalText(b []byte) error {
	switch v := JobState(b); v {
	case JobQueued, JobRunning, JobDone, JobFailed, JobCancelled:
		*s = v
		return nil
	}
	return fmt.Errorf("job state %q is unknown", b)
}

// Job is a piece of work that outlives the request that asked for it. Whoever has claimed it
// holds it until LeaseUntil; then anybody may claim it again.
type Job struct {
	ID           string          `json:"id"`
	SubscriberID string          `json:"subscriber_id,omitempty"`
	Kind         string          `json:"kind"`
	State        JobState        `json:"state"`
	Args         json.RawMessage `json:"args,omitempty"`
	Result       json.RawMessage `json:"result,omitempty"`
	Progress     int             `json:"progress"` // of Total
	Total        int             `json:"total"`    // 0: not known
	Error        string          `json:"error,omitempty"`
	Attempts     int             `json:"attempts"`
	UserID       string          `json:"user_id,omitempty"` // who asked for it
	Login        string          `json:"login,omitempty"`
	DueAt        time.Time       `json:"due_at,omitzero"`
	StartedAt    time.Time       `json:"started_at,omitzero"`
	EndedAt      time.Time       `json:"ended_at,omitzero"`
	LeaseUntil   time.Time       `json:"lease_until,omitzero"`
	Archived     bool            `json:"archived"`
	CreatedAt    time.Time       `json:"created_at,omitzero"`
	UpdatedAt    time.Time       `json:"updated_at,omitzero"`
	Revision     int64           `json:"revision"`
}

// Validate reports what no job can be without.
func (j Job) Validate() error {
	if j.Kind == "" || j.State == "" {
		return errors.New("a job has a kind and a state")
	}
	return nil
}

// Report is a finished usage report.
type Report struct {
	ID           string    `json:"id"`
	SubscriberID string    `json:"subscriber_id,omitempty"` // whom it is about; "": all subscribers
	Kind         string    `json:"kind"`                    // general or smart_delta
	Month        string    `json:"month"`                   // such as 2026-10
	CSV          string    `json:"csv"`
	Archived     bool      `json:"archived"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	UpdatedAt    time.Time `json:"updated_at,omitzero"`
	Revision     int64     `json:"revision"`
}

// Validate reports what no report can be without.
func (r Report) Validate() error {
	if r.Kind == "" || r.Month == "" {
		return errors.New("a report has a kind and a month")
	}
	return nil
}
