package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

type campaignReport struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
	To string `arg:"" optional:"" complete:"file" help:"With -o csv: file to write, which must not exist; none: standard output."`
}

// Help is shown below the summary of the command.
func (*campaignReport) Help() string {
	return "Below, what was predicted when it started stands beside what became of it; docs/reports.md explains the figures. With -o csv it writes the evidence: a row for every device, with the uplink that its outcome rests on."
}

// Run writes the report, or the evidence of every device.
func (r *campaignReport) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	if c.Output == "csv" {
		req, err := c.request(ctx, "GET", nil, nil, n.path, r.ID, "evidence")
		if err != nil {
			return err
		}
		return c.keep(req, r.To, std)
	}
	if r.To != "" {
		return fmt.Errorf("%w: a file is written with -o csv", ErrUsage)
	}
	raw, err := c.call(ctx, "GET", nil, nil, n.path, r.ID, "report")
	if err != nil {
		return err
	}
	if c.Output != "table" && c.Output != "wide" {
		return c.tree(std.Out, raw)
	}
	obj, err := object(raw)
	if err != nil {
		return err
	}
	for _, name := range []string{"name", "type", "status", "status_reason", "detail", "started", "ended", "duration_s", "devices", "verified", "failed", "stopped", "excluded",
		"active", "clean_up_not_confirmed", "verified_sha256", "delta_devices", "full_devices", "bytes_saved", "unicast_downlinks", "retries", "unicast_airtime_s", "multicast_airtime_s", "fragments", "coded"} {
		if text := c.cell(obj[name]); text != "" {
			fmt.Fprintf(std.Out, "%-23s %s\n", name, text)
		}
	}
	var parts struct {
		Stages   []json.RawMessage `json:"stages"`
		Groups   []json.RawMessage `json:"groups"`
		Failures []json.RawMessage `json:"failures"`
		Forecast struct {
			Missing *findingShown     `json:"missing"`
			Figures []json.RawMessage `json:"figures"`
		} `json:"forecast"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	if m := parts.Forecast.Missing; m != nil {
		fmt.Fprintf(std.Out, "%-23s %s (%s)\n", "not predicted", m.Text, m.Code)
	}
	lanes, err := lanesOf(parts.Groups)
	if err != nil {
		return err
	}
	return errors.Join(
		c.list(std.Out, columns{"stage", "passed", "p50_s", "p90_s", "p99_s", "max_s"}, parts.Stages),
		c.list(std.Out, columns{"dev_eui", "devices", "verified", "sessions", "frames", "airtime_s"}, parts.Groups),
		c.list(std.Out, columns{"group", "frag_index", "base", "size", "devices", "verified", "nb_frag", "sent", "coded", "needed"}, lanes),
		c.list(std.Out, columns{"reason", "count"}, parts.Failures),
		c.list(std.Out, columns{"figure", "of", "predicted", "actual", "deviation_percent"}, parts.Forecast.Figures))
}

// lanesOf returns the lanes of groups, each with its group.
func lanesOf(groups []json.RawMessage) (all []json.RawMessage, err error) {
	for _, raw := range groups {
		var group struct {
			DevEUI string           `json:"dev_eui"`
			Lanes  []map[string]any `json:"lanes"`
		}
		if err := json.Unmarshal(raw, &group); err != nil {
			return nil, err
		}
		for _, lane := range group.Lanes {
			lane["group"] = group.DevEUI
			text, err := json.Marshal(lane)
			if err != nil {
				return nil, err
			}
			all = append(all, text)
		}
	}
	return all, nil
}
