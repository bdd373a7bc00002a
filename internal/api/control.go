package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	machine "github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/lorawan"
)

// maxRefused is how many refusals an answer lists; there can be one for every device.
const maxRefused = 1000

// receipt is a machine.Receipt in JSON.
type receipt struct {
	Reached      int       `json:"reached" doc:"Devices or groups that the order has changed something for"`
	RefusedTotal int       `json:"refused_total" doc:"Devices or groups that it could not be obeyed for"`
	Refused      []refusal `json:"refused" doc:"The first 1000 of them"`
}

type refusal struct {
	DevEUI string `json:"dev_eui,omitempty" doc:"None: not about one device"`
	Group  string `json:"group,omitempty" doc:"None: not about one group"`
	Code   string `json:"code" doc:"Stable, such as order.too_late"`
	Text   string `json:"text" doc:"Why, and what to do instead"`
}

type receiptOutput struct{ Body receipt }

func showReceipt(r machine.Receipt) *receiptOutput {
	out := receipt{Reached: r.Reached, RefusedTotal: len(r.Refused)}
	out.Refused = each(r.Refused[:min(len(r.Refused), maxRefused)], func(f machine.Refusal) refusal {
		return refusal{shownEUI(f.DevEUI), shownEUI(f.Group), string(f.Code), f.Text}
	})
	return &receiptOutput{out}
}

// shownEUI is the text of an identifier, none for zero.
func shownEUI(e lorawan.EUI64) string {
	if e.IsZero() {
		return ""
	}
	return e.String()
}

type extendInput struct {
	KeyInput
	Body struct {
		For    float64  `json:"for_s" minimum:"1" maximum:"7776000" multipleOf:"1" doc:"How much longer it may last"`
		Groups []string `json:"groups,omitempty" maxItems:"1000" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"None: all"`
	}
}

type redundancyInput struct {
	KeyInput
	Body struct {
		Fragments int      `json:"fragments,omitempty" minimum:"0" maximum:"16383" doc:"Coded fragments"`
		Percent   float64  `json:"percent,omitempty" minimum:"0" maximum:"1000" doc:"The same, of the block; the greater of both counts"`
		Groups    []string `json:"groups,omitempty" maxItems:"1000" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"None: all"`
	}
}

type retryInput struct {
	KeyInput
	Body struct {
		Devices []string `json:"devices,omitempty" maxItems:"100000" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"None: all that have failed"`
		Reasons []string `json:"reasons,omitempty" maxItems:"100" pattern:"^[a-z_.]{1,64}$" patternDescription:"a reason code" doc:"Only those that have failed for one of them; none: for any"`
	}
}

type excludeInput struct {
	KeyInput
	Body struct {
		Devices []string `json:"devices" minItems:"1" maxItems:"100000" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits"`
	}
}

type stopAllInput struct {
	Body struct {
		AllSubscribers bool `json:"all_subscribers,omitempty" doc:"Not only in the subscriber that is acted in; for users of the server"`
	}
}

// halted is what an emergency stop has done with one campaign.
type halted struct {
	CampaignID   string `json:"campaign_id"`
	SubscriberID string `json:"subscriber_id"`
	Name         string `json:"name"`
	Result       string `json:"result" enum:"stopped,unscheduled,failed"`
	Detail       string `json:"detail,omitempty" doc:"Why it could not be stopped"`
}

// control registers the orders to campaigns that run, beyond those of the actions.
func (a *api) control() {
	s, tags := a.Service, []string{"campaigns"}
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "extend-campaign", Method: http.MethodPost, Path: "/campaigns/{id}/extensions", Tags: tags,
		Summary: "Give a running campaign more time", Description: "Groups get another session for devices that miss fragments, also for those that have failed for it.",
		DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *extendInput) (*receiptOutput, error) {
			groups, err := euis("groups", in.Body.Groups)
			if err != nil {
				return nil, err
			}
			r, err := s.Extend(ctx, in.ID, time.Duration(in.Body.For)*time.Second, groups...)
			return showReceipt(r), err
		})
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "add-redundancy", Method: http.MethodPost, Path: "/campaigns/{id}/redundancy", Tags: tags,
		Summary: "Allow a running campaign more coded fragments", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *redundancyInput) (*receiptOutput, error) {
			groups, err := euis("groups", in.Body.Groups)
			if err != nil {
				return nil, err
			}
			r, err := s.AddRedundancy(ctx, in.ID, in.Body.Fragments, in.Body.Percent, groups...)
			return showReceipt(r), err
		})
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "retry-devices", Method: http.MethodPost, Path: "/campaigns/{id}/retries", Tags: tags,
		Summary: "Take failed devices of a running campaign up again", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *retryInput) (*receiptOutput, error) {
			devices, err := euis("devices", in.Body.Devices)
			if err != nil {
				return nil, err
			}
			r, err := s.Retry(ctx, in.ID, devices, each(in.Body.Reasons, func(code string) machine.Reason { return machine.Reason(code) })...)
			return showReceipt(r), err
		})
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "exclude-devices", Method: http.MethodPost, Path: "/campaigns/{id}/exclusions", Tags: tags,
		Summary: "Take devices out of a running campaign for good", Description: "They are cleaned up; thresholds count without them.", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *excludeInput) (*receiptOutput, error) {
			devices, err := euis("devices", in.Body.Devices)
			if err != nil {
				return nil, err
			}
			r, err := s.Exclude(ctx, in.ID, devices...)
			return showReceipt(r), err
		})
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "stop-all-campaigns", Method: http.MethodPost, Path: "/campaigns/stop-all", Tags: tags,
		Summary:     "Stop every campaign that runs",
		Description: "An emergency stop: campaigns that were to start by themselves are not scheduled any more either. One that cannot be stopped does not keep the others from it."},
		func(ctx context.Context, in *stopAllInput) (*listOutput[halted], error) {
			all, err := s.StopAll(ctx, in.Body.AllSubscribers)
			return &listOutput[halted]{list[halted]{Items: each(all, func(h service.Halted) halted { return a.showHalted(ctx, h) })}}, err
		})
}

func (a *api) showHalted(ctx context.Context, h service.Halted) halted {
	out := halted{CampaignID: h.Campaign.ID, SubscriberID: h.Campaign.SubscriberID, Name: h.Campaign.Name, Result: "unscheduled"}
	switch {
	case h.Err != nil:
		p := problem(ctx, a.Log, h.Err)
		out.Result, out.Detail = "failed", p.Error()
	case h.Campaign.Status.String() == "RUNNING":
		out.Result = "stopped"
	}
	return out
}

// euis reads the identifiers of a field, which the schema has let through.
func euis(field string, texts []string) ([]lorawan.EUI64, error) {
	out := make([]lorawan.EUI64, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = lorawan.ParseEUI64(text); err != nil {
			return nil, badParameter("body."+field, "cannot be read", "give 16 hexadecimal digits")
		}
	}
	return out, nil
}
