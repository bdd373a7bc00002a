package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// records registers what the server keeps about what it does: the audit log, jobs, reports,
// keys and secrets.
func (a *api) records() {
	a.audit()
	a.jobs()
	a.reports()
	a.keys()
	a.history()
	a.secrets()
}

type auditInput struct {
	Limit    int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Entries per page"`
	Cursor   string    `query:"cursor" maxLength:"2000" doc:"next_cursor of the page before"`
	Kind     string    `query:"kind" maxLength:"64" doc:"Of the object, such as device"`
	ObjectID string    `query:"object_id" maxLength:"255"`
	UserID   string    `query:"user_id" maxLength:"64" doc:"Who did it"`
	Action   string    `query:"action" maxLength:"64" doc:"Such as device.update, or device. for all that is done to devices"`
	Since    time.Time `query:"since" doc:"At or after this time"`
	Until    time.Time `query:"until" doc:"Before this time"`
	Accept   string    `header:"Accept" hidden:"true"`
}

// auditEntry is a store.AuditEntry in JSON.
type auditEntry struct {
	Seq          int64                   `json:"seq" doc:"Rises with every entry"`
	At           time.Time               `json:"at"`
	SubscriberID string                  `json:"subscriber_id,omitempty" doc:"In which it was done; none: in the server itself"`
	UserID       string                  `json:"user_id,omitempty"`
	Login        string                  `json:"login,omitempty" doc:"As it was then"`
	TokenID      string                  `json:"token_id,omitempty"`
	From         string                  `json:"from,omitempty" doc:"Network address"`
	RequestID    string                  `json:"request_id,omitempty"`
	Action       string                  `json:"action" doc:"Stable"`
	Kind         string                  `json:"kind,omitempty"`
	ObjectID     string                  `json:"object_id,omitempty"`
	Changes      map[string]fieldChanged `json:"changes,omitempty" doc:"By field; keys are [redacted]"`
	Note         string                  `json:"note,omitempty"`
}

type fieldChanged struct {
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

func showAudit(e store.AuditEntry) (auditEntry, error) {
	out := auditEntry{Seq: e.Seq, At: e.At, SubscriberID: e.SubscriberID, UserID: e.UserID, Login: e.Login, TokenID: e.TokenID, From: e.From,
		RequestID: e.RequestID, Action: e.Action, Kind: e.Kind, ObjectID: e.ObjectID, Note: e.Note}
	if len(e.Changes) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(e.Changes, &out.Changes); err != nil {
		return out, fmt.Errorf("audit entry %d: changes: %w", e.Seq, err)
	}
	return out, nil
}

// audit registers the audit log. It can be asked for as a table, which has all pages.
func (a *api) audit() {
	page := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[list[auditEntry]](), true, "")
	register(a, identity.ReadAudit, huma.Operation{OperationID: "list-audit", Method: http.MethodGet, Path: "/audit", Tags: []string{"audit"},
		Summary: "List who did what", Description: "The newest first. With `Accept: text/csv` it is a table of all pages.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			jsonType: {Schema: page}, csvType: {Schema: &huma.Schema{Type: huma.TypeString}}}}}},
		func(ctx context.Context, in *auditInput) (*huma.StreamResponse, error) {
			q := store.AuditQuery{After: in.Cursor, Limit: in.Limit, UserID: in.UserID, Action: in.Action, Kind: in.Kind, ObjectID: in.ObjectID, Since: in.Since, Until: in.Until}
			first, err := a.Service.Audit(ctx, q)
			if err != nil {
				return nil, err
			}
			out := list[auditEntry]{Items: make([]auditEntry, len(first.Items)), NextCursor: first.Next}
			for i, e := range first.Items {
				if out.Items[i], err = showAudit(e); err != nil {
					return nil, err
				}
			}
			return &huma.StreamResponse{Body: func(c huma.Context) {
				r, w := humago.Unwrap(c)
				if accepts(r, csvType) {
					a.auditTable(r, w, q, first)
					return
				}
				w.Header().Set("Content-Type", jsonType)
				_ = json.NewEncoder(w).Encode(out) // nobody is left to tell
			}}, nil
		})
}

var auditColumns = []string{"seq", "at", "subscriber_id", "user_id", "login", "token_id", "from", "request_id", "action", "kind", "object_id", "changes", "note"}

// auditTable writes all entries from a page on.
func (a *api) auditTable(r *http.Request, w http.ResponseWriter, q store.AuditQuery, page store.Page[store.AuditEntry]) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(contentTime)) // a connection without deadlines is no reason to refuse
	a.sendTable(r, w, "audit.csv", auditColumns, func(row func(...string) error) error {
		for {
			for _, e := range page.Items {
				if err := row(fmt.Sprint(e.Seq), e.At.UTC().Format(time.RFC3339Nano), e.SubscriberID, e.UserID, e.Login, e.TokenID, e.From, e.RequestID,
					e.Action, e.Kind, e.ObjectID, string(e.Changes), e.Note); err != nil {
					return err
				}
			}
			if page.Next == "" {
				return nil
			}
			q.After, q.Limit = page.Next, store.MaxLimit
			var err error
			if page, err = a.Service.Audit(r.Context(), q); err != nil {
				return err
			}
		}
	})
}

// sendTable answers with a table that is made while it is sent.
func (a *api) sendTable(r *http.Request, w http.ResponseWriter, name string, columns []string, fill func(row func(...string) error) error) {
	out := &attachment{ResponseWriter: w, name: name}
	table := csv.NewWriter(out)
	table.UseCRLF = true // RFC 4180
	row := func(cells ...string) error {
		for i, cell := range cells {
			cells[i] = bulk.Defuse(cell)
		}
		return table.Write(cells)
	}
	err := row(columns...)
	if err == nil {
		err = fill(row)
	}
	if err == nil {
		table.Flush()
		err = table.Error()
	}
	switch {
	case err == nil:
	case out.begun:
		a.breakOff(r, name, err)
	default:
		a.refuse(w, r, err)
	}
}

// breakOff ends the connection in the middle of an answer: it is too late for a problem document,
// and nobody may take a part for the whole.
func (a *api) breakOff(r *http.Request, what string, err error) {
	a.Log.WarnContext(r.Context(), what+" broke off", "request_id", requestID(r.Context()), "error", err)
	panic(http.ErrAbortHandler)
}

// job is a store.Job in JSON.
type job struct {
	ID           string     `json:"id"`
	SubscriberID string     `json:"subscriber_id,omitempty" doc:"Whose objects it is about; none: the server's"`
	Kind         string     `json:"kind" doc:"Stable, such as objects.change"`
	State        string     `json:"state" enum:"queued,running,done,failed,cancelled"`
	Progress     int        `json:"progress" minimum:"0" doc:"Of total"`
	Total        int        `json:"total" minimum:"0" doc:"0: not known"`
	Result       any        `json:"result,omitempty" doc:"What came of it; depends on the kind"`
	Error        string     `json:"error,omitempty"`
	Attempts     int        `json:"attempts" minimum:"0"`
	UserID       string     `json:"user_id,omitempty" doc:"Who asked for it"`
	Login        string     `json:"login,omitempty"`
	DueAt        *time.Time `json:"due_at,omitempty"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`
	CreatedAt    *time.Time `json:"created_at,omitempty"`
	UpdatedAt    *time.Time `json:"updated_at,omitempty"`
	Archived     bool       `json:"archived"`
	Revision     int64      `json:"revision"`
}

func showJob(j store.Job) job {
	out := job{ID: j.ID, SubscriberID: j.SubscriberID, Kind: j.Kind, State: string(j.State), Progress: j.Progress, Total: j.Total, Error: j.Error, Attempts: j.Attempts,
		UserID: j.UserID, Login: j.Login, DueAt: when(j.DueAt), StartedAt: when(j.StartedAt), EndedAt: when(j.EndedAt), CreatedAt: when(j.CreatedAt),
		UpdatedAt: when(j.UpdatedAt), Archived: j.Archived, Revision: j.Revision}
	if len(j.Result) > 0 {
		out.Result = j.Result
	}
	return out
}

type jobOutput struct {
	ETag     string `header:"ETag" doc:"Revision of the job"`
	Location string `header:"Location" doc:"Address of a new job"`
	Body     job
}

func jobAnswer(j store.Job) *jobOutput {
	return &jobOutput{etag(j.Revision), Prefix + "/jobs/" + j.ID, showJob(j)}
}

type jobActionInput struct {
	KeyInput
	Body struct {
		Action string `json:"action" enum:"cancel"`
	}
}

// jobs registers what is seen of jobs.
func (a *api) jobs() {
	s, tags := a.Service, []string{"jobs"}
	addList(a, listing[store.Job, job]{plural: "jobs", kind: store.KindJob, read: identity.ReadFleet, list: s.Jobs, show: showJob})
	register(a, identity.ReadFleet, huma.Operation{OperationID: "show-job", Method: http.MethodGet, Path: "/jobs/{id}", Tags: tags, Summary: "Show a job"},
		func(ctx context.Context, in *KeyInput) (*jobOutput, error) {
			j, err := s.FindJob(ctx, in.ID)
			return jobAnswer(j), err
		})
	register(a, identity.WriteFleet, huma.Operation{OperationID: "act-on-job", Method: http.MethodPost, Path: "/jobs/{id}/actions", Tags: tags,
		Summary: "Cancel a job", Description: "What it has done stays done.", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *jobActionInput) (*jobOutput, error) {
			j, err := s.CancelJob(ctx, in.ID)
			return jobAnswer(j), err
		})
}

// secrets is a service.SecretStatus in JSON.
type secrets struct {
	Primary string         `json:"primary" doc:"Key-encryption key that new data keys are wrapped under"`
	KEKs    []string       `json:"keks" doc:"Key-encryption keys that are known"`
	Wrapped map[string]int `json:"wrapped" doc:"Data keys by key-encryption key"`
}

type secretsOutput struct{ Body secrets }

// secrets registers what protects the keys in the store.
func (a *api) secrets() {
	s, tags := a.Service, []string{"secrets"}
	register(a, identity.ManageServer, huma.Operation{OperationID: "show-secrets", Method: http.MethodGet, Path: "/secrets", Tags: tags,
		Summary: "Show what protects the keys in the store", Description: "Identifiers only, no keys."},
		func(ctx context.Context, _ *struct{}) (*secretsOutput, error) {
			status, err := s.Secrets(ctx)
			out := &secretsOutput{secrets{status.Primary, append([]string{}, status.KEKs...), status.Wrapped}}
			if out.Body.Wrapped == nil {
				out.Body.Wrapped = map[string]int{}
			}
			return out, err
		})
	register(a, identity.ManageServer, huma.Operation{OperationID: "rotate-secrets", Method: http.MethodPost, Path: "/secrets/rotations", Tags: tags,
		Summary: "Protect all keys in the store by a new key-encryption key", Description: "Everything goes on meanwhile.", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, _ *struct{}) (*jobOutput, error) {
			j, err := s.RotateSecrets(ctx)
			return jobAnswer(j), err
		})
}
