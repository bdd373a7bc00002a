package api

import (
	"context"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// usageReport is a store.Report in JSON, without its table.
type usageReport struct {
	ID           string     `json:"id"`
	SubscriberID string     `json:"subscriber_id,omitempty" doc:"Whom it is about; none: all subscribers"`
	Kind         string     `json:"kind" enum:"general,smart_delta"`
	Month        string     `json:"month" example:"2026-10"`
	Archived     bool       `json:"archived" doc:"Replaced by a later one"`
	CreatedAt    *time.Time `json:"created_at,omitempty"`
	UpdatedAt    *time.Time `json:"updated_at,omitempty"`
	Revision     int64      `json:"revision"`
}

func showReport(r store.Report) usageReport {
	return usageReport{r.ID, r.SubscriberID, r.Kind, r.Month, r.Archived, when(r.CreatedAt), when(r.UpdatedAt), r.Revision}
}

type reportInput struct {
	Body struct {
		Month string `json:"month" pattern:"^(19[7-9][0-9]|20[0-9][0-9]|21[0-8][0-9])-(0[1-9]|1[0-2])$" patternDescription:"a month such as 2026-10" doc:"In UTC, not in the future" example:"2026-10"`
	}
}

type reportOutput struct {
	ETag string `header:"ETag" doc:"Revision of the report"`
	Body usageReport
}

// reports registers the monthly usage reports.
func (a *api) reports() {
	s, tags := a.Service, []string{"reports"}
	addList(a, listing[store.Report, usageReport]{plural: "reports", kind: store.KindReport, read: identity.ReadReports, list: s.Reports, show: showReport})
	register(a, identity.ReadReports, huma.Operation{OperationID: "create-reports", Method: http.MethodPost, Path: "/reports", Tags: tags,
		Summary: "Make the usage reports of a month", Description: "This is a job. For users of the server the reports are about all subscribers, for others about their own.",
		DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *reportInput) (*jobOutput, error) {
			j, err := s.ReportUsage(ctx, in.Body.Month)
			return jobAnswer(j), err
		})
	register(a, identity.ReadReports, huma.Operation{OperationID: "show-report", Method: http.MethodGet, Path: "/reports/{id}", Tags: tags,
		Summary: "Show what a usage report is about"},
		func(ctx context.Context, in *KeyInput) (*reportOutput, error) {
			r, err := s.FindReport(ctx, in.ID)
			return &reportOutput{etag(r.Revision), showReport(r)}, err
		})
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9A-Za-z_-]+$"}}
	a.stream(identity.ReadReports, &huma.Operation{OperationID: "download-report", Method: http.MethodGet, Path: Prefix + "/reports/{id}/content", Tags: tags,
		Summary: "Download a usage report", Parameters: []*huma.Param{id},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{csvType: {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}, func(w http.ResponseWriter, r *http.Request) error {
		report, err := s.FindReport(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", csvType)
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": report.Kind + "-" + report.Month + ".csv"}))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = io.WriteString(w, report.CSV) // nobody is left to tell
		return nil
	})
}
