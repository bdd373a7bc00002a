package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// stop is "campaign stop": of one, or of all.
type stop struct {
	ID             string `arg:"" optional:"" complete:"ids" help:"Identifier."`
	All            bool   `help:"An emergency stop: every campaign that runs or is scheduled."`
	AllSubscribers bool   `help:"With --all: those of all subscribers, for users of the server."`
	Yes            bool   `help:"With --all: do it without being asked."`
	Wait           bool   `help:"Follow the campaign until it ends."`
	action         string
}

// Help is shown below the summary of the command.
func (*stop) Help() string {
	return "What the campaign has left on devices is undone there, and the answers of the devices prove it; see \"starling campaign progress\"."
}

// Run stops one campaign, or all.
func (s *stop) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	switch {
	case s.All == (s.ID != ""):
		return fmt.Errorf("%w: name a campaign, or give --all", ErrUsage)
	case !s.All && s.AllSubscribers:
		return fmt.Errorf("%w: --all-subscribers goes with --all", ErrUsage)
	case !s.All:
		return (&order{ID: s.ID, Wait: s.Wait, action: s.action}).Run(ctx, c, n, std)
	}
	what := "stop every running campaign and take back every scheduled start"
	if s.AllSubscribers {
		what += ", of all subscribers"
	}
	if err := std.confirm(ctx, what, s.Yes); err != nil {
		return err
	}
	raw, err := c.call(ctx, "POST", nil, map[string]bool{"all_subscribers": s.AllSubscribers}, n.path, "stop-all")
	if err != nil {
		return err
	}
	var answer struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	if err := c.list(std.Out, columns{"campaign_id", "name", "subscriber_id", "result", "detail"}, answer.Items); err != nil {
		return err
	}
	failed := 0
	for _, item := range answer.Items {
		if obj, err := object(item); err == nil && obj["result"] == "failed" {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d campaigns could not be stopped", ErrUnsuccessful, failed, len(answer.Items))
	}
	return nil
}

// ordered gives an order to a campaign and writes what has become of it.
func (c *Client) ordered(ctx context.Context, n *noun, std *Streams, id, what string, body map[string]any) error {
	maps.DeleteFunc(body, func(_ string, v any) bool { list, ok := v.([]string); return ok && len(list) == 0 })
	raw, err := c.call(ctx, "POST", nil, body, n.path, id, what)
	if err != nil {
		return err
	}
	if c.Output == "json" || c.Output == "yaml" {
		return c.tree(std.Out, raw)
	}
	var receipt struct {
		Reached int               `json:"reached"`
		Total   int               `json:"refused_total"`
		Refused []json.RawMessage `json:"refused"`
	}
	if err := json.Unmarshal(raw, &receipt); err != nil {
		return err
	}
	if c.Output == "table" {
		fmt.Fprintf(std.Out, "the order reaches %d, and is refused for %d\n", receipt.Reached, receipt.Total)
	}
	if receipt.Total == 0 {
		return nil
	}
	return c.list(std.Out, columns{"dev_eui", "group", "code", "text"}, receipt.Refused)
}

type extend struct {
	ID     string   `arg:"" complete:"ids" help:"Identifier."`
	For    seconds  `required:"" placeholder:"TIME" help:"How much longer it may last, such as 6h."`
	Groups []string `name:"group" help:"DevEUI of a group; none: all."`
}

// Help is shown below the summary of the command.
func (*extend) Help() string {
	return "Devices that miss fragments get another session, also those that have failed for it. A session that is open ends as the devices were told: no command can make it longer."
}

// Run gives the order.
func (x *extend) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	return c.ordered(ctx, n, std, x.ID, "extensions", map[string]any{"for_s": x.For, "groups": x.Groups})
}

type redundancy struct {
	ID     string   `arg:"" complete:"ids" help:"Identifier."`
	More   string   `arg:"" help:"Fragments, such as 50, or percent of the block, such as 20%."`
	Groups []string `name:"group" help:"DevEUI of a group; none: all."`
}

// Run gives the order.
func (r *redundancy) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	field := "fragments"
	number, percent := strings.CutSuffix(r.More, "%")
	if percent {
		field = "percent"
	}
	if !json.Valid([]byte(number)) {
		return fmt.Errorf("%w: %q is no number of fragments, and no percentage", ErrUsage, r.More)
	}
	return c.ordered(ctx, n, std, r.ID, "redundancy", map[string]any{field: json.Number(number), "groups": r.Groups})
}

type retryFailed struct {
	ID      string   `arg:"" complete:"ids" help:"Identifier."`
	Devices []string `arg:"" optional:"" help:"DevEUIs; none: all that have failed."`
	Reasons []string `name:"reason" placeholder:"CODE" help:"Only those that have failed for it, such as device.no_answer."`
}

// Run gives the order.
func (r *retryFailed) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	return c.ordered(ctx, n, std, r.ID, "retries", map[string]any{"devices": r.Devices, "reasons": r.Reasons})
}

type exclude struct {
	ID      string   `arg:"" complete:"ids" help:"Identifier."`
	Devices []string `arg:"" help:"DevEUIs."`
	Yes     bool     `help:"Do it without being asked."`
}

// Help is shown below the summary of the command.
func (*exclude) Help() string {
	return "They are cleaned up as after a stop, and thresholds count without them."
}

// Run gives the order.
func (x *exclude) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if err := std.confirm(ctx, fmt.Sprintf("take %d devices out of campaign %s for good", len(x.Devices), x.ID), x.Yes); err != nil {
		return err
	}
	return c.ordered(ctx, n, std, x.ID, "exclusions", map[string]any{"devices": x.Devices})
}
