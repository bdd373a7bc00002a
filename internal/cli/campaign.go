package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Campaigns are the commands for campaigns.
type Campaigns struct {
	Campaign Campaign `cmd:"" help:"Campaigns."`
}

// Campaign is "campaign".
type Campaign struct {
	Connection
	List       List                   `cmd:"" help:"List campaigns."`
	Show       Show                   `cmd:"" help:"Show the settings of a campaign."`
	Create     Create[campaignFields] `cmd:"" help:"Create a campaign."`
	Update     Update[campaignFields] `cmd:"" help:"Change a campaign, until it is started."`
	Copy       copyCampaign           `cmd:"" help:"Create a campaign with the settings of another."`
	Archive    Archive                `cmd:"" help:"Take campaigns out of the lists."`
	Plan       planCampaign           `cmd:"" help:"Say what a campaign will take, before it starts."`
	Start      order                  `cmd:"" help:"Start a campaign."`
	Schedule   scheduleStart          `cmd:"" help:"Have a campaign started at a time."`
	Unschedule order                  `cmd:"" help:"Take back that a campaign starts by itself."`
	Approve    approve                `cmd:"" help:"Approve a campaign of somebody else."`
	Promote    order                  `cmd:"" help:"Let the next phase of a running campaign begin."`
	Stop       stop                   `cmd:"" help:"Stop a running campaign, or all of them, and clean up on devices."`
	Pause      order                  `cmd:"" help:"Keep a running campaign from sending."`
	Resume     order                  `cmd:"" help:"Let a paused campaign go on."`
	Extend     extend                 `cmd:"" help:"Give a running campaign more time, and its groups another session."`
	Redundancy redundancy             `cmd:"" help:"Allow a running campaign more coded fragments."`
	Retry      retryFailed            `cmd:"" help:"Take failed devices of a running campaign up again."`
	Exclude    exclude                `cmd:"" help:"Take devices out of a running campaign for good."`
	Progress   campaignProgress       `cmd:"" help:"Show how far a campaign is."`
	Devices    campaignDevices        `cmd:"" help:"List the devices of a started campaign."`
	Groups     campaignGroups         `cmd:"" help:"List the multicast groups of a started campaign."`
	Timeline   campaignTimeline       `cmd:"" help:"List what happened in a campaign."`
	Report     campaignReport         `cmd:"" help:"Show what a campaign has come to."`
	Watch      watch                  `cmd:"" help:"Follow a campaign until it ends."`
	Export     exportList             `cmd:"" help:"Write all campaigns as a table."`
	Bulk       Bulk[campaignFields]   `cmd:"" help:"Archive, restore or change many campaigns."`
}

func (*Campaign) noun() *noun {
	return &noun{path: "campaigns", fields: "archived, created_at, ended, file_id, id, last_changed, name, paused, started, status, type, updated_at", guarded: true,
		columns: columns{"id", "name", "type", "status", "paused", "created", "started", "ended"},
		wide:    columns{"file_id", "device_sets", "regions", "max_duration_s", "success_threshold", "status_reason", "scheduled_for", "schedule", "phases", "abort", "catch_up", "needs_approval", "approval", "changed_by", "description", "archived", "revision", "last_changed"}}
}

// AfterApply tells the orders what they order.
func (x *Campaign) AfterApply() error {
	x.Start.action, x.Stop.action, x.Pause.action, x.Resume.action = "start", "stop", "pause", "resume"
	x.Unschedule.action, x.Promote.action = "unschedule", "promote"
	return nil
}

type campaignFields struct {
	noSecrets
	Name             *string      `json:"name,omitempty" help:"For people."`
	Description      *string      `json:"description,omitempty" help:"For people, longer."`
	Type             *string      `json:"type,omitempty" help:"FOTA, BINARY or MCGROUP."`
	DeviceSets       []string     `json:"device_sets,omitempty" name:"set" complete:"device-sets" help:"Identifiers of device sets."`
	Regions          []string     `json:"regions,omitempty" name:"region" complete:"regions" help:"Identifiers of regions."`
	FileID           *string      `json:"file_id,omitempty" name:"file" complete:"files" help:"Identifier of the file."`
	Delta            *string      `json:"delta,omitempty" placeholder:"MODE" help:"auto: each device gets the delta for what it runs, else the full image; off: all get the image; only: who has no delta does not take part."`
	RebootAt         *time.Time   `json:"reboot_at,omitempty" placeholder:"TIME" help:"When devices reboot, such as 2026-03-01T02:00:00Z; none: at once."`
	SessionStart     *time.Time   `json:"session_start,omitempty" placeholder:"TIME" help:"When the multicast session starts; none: computed."`
	MaxDuration      *seconds     `json:"max_duration_s,omitempty" placeholder:"TIME" help:"When it ends at the latest, such as 72h after its start; devices are back in class A by then."`
	SuccessThreshold *float64     `json:"success_threshold,omitempty" placeholder:"PERCENT" help:"Share of devices that must stay in at every stage."`
	Phases           []phaseFlag  `json:"phases,omitempty" name:"phase" sep:"none" placeholder:"PHASE" help:"Devices that go before the others, such as \"canary 10 min=95 soak=24h manual\" or \"25%\"."`
	Abort            []abortFlag  `json:"abort,omitempty" sep:"none" placeholder:"RULE" help:"What halts it, such as \"integrity 2%\" or \"any 10% sample=50\"."`
	CatchUp          catchUpFlags `json:"catch_up,omitzero" embed:""`
	NeedsApproval    *bool        `json:"needs_approval,omitempty" negatable:"" help:"It starts when a second person has approved it."`

	Schedule scheduleFlags `json:"schedule,omitzero" embed:""`

	Policy policyFlags `json:"policy,omitzero" embed:"" group:"Tuning; what is not given has recommended values:"`
}

type copyCampaign struct {
	ID   string `arg:"" complete:"ids" help:"Identifier."`
	Name string `help:"Name of the new campaign; none: the same."`
}

// Help is shown below the summary of the command.
func (*copyCampaign) Help() string {
	return "Times that were set for it, when to reboot and when to start the session, are not copied."
}

// Run makes the copy and writes it.
func (cp *copyCampaign) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, "POST", nil, map[string]string{"name": cp.Name}, n.path, cp.ID, "copies")
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

type order struct {
	ID     string `arg:"" complete:"ids" help:"Identifier."`
	Wait   bool   `help:"Follow the campaign until it ends."`
	action string
}

// Run gives the order, and follows what becomes of it if asked to.
func (o *order) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, "POST", nil, map[string]string{"action": o.action}, n.path, o.ID, "actions")
	if err != nil {
		return err
	}
	if o.Wait {
		return (&watch{ID: o.ID}).Run(ctx, c, std)
	}
	return c.show(std.Out, raw)
}

type campaignProgress struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
}

// Run writes the stages and how many devices are where.
func (p *campaignProgress) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, "GET", nil, nil, n.path, p.ID, "progress")
	if err != nil {
		return err
	}
	switch c.Output {
	case "json", "yaml":
		return c.tree(std.Out, raw)
	case "csv", "id":
		return fmt.Errorf("%w: progress is more than one table, use -o json or -o yaml", ErrUsage)
	}
	var parts struct {
		Status string            `json:"status"`
		Stages []json.RawMessage `json:"stages"`
		Tally  []json.RawMessage `json:"tally"`
		progressAttributes
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	fmt.Fprintln(std.Out, parts.Status+parts.attributes())
	return errors.Join(
		c.list(std.Out, columns{"position", "name", "status", "completed", "total", "started", "ended"}, parts.Stages),
		c.list(std.Out, columns{"stage", "outcome", "reason", "devices"}, parts.Tally))
}

type campaignDevices struct {
	ID      string `arg:"" complete:"ids" help:"Identifier."`
	Stage   string `help:"Only those in this stage."`
	Outcome string `help:"Only those with this outcome."`
	Reason  string `help:"Only those with this reason."`
}

// Run writes all pages.
func (d *campaignDevices) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	query := url.Values{"stage": {d.Stage}, "outcome": {d.Outcome}, "reason": {d.Reason}}
	items, err := c.pages(ctx, query, 0, n.path, d.ID, "devices")
	if err != nil {
		return err
	}
	return c.list(std.Out, columns{"dev_eui", "stage", "outcome", "reason", "at"}, items)
}

type campaignGroups struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
}

// Run writes the groups, which are few.
func (g *campaignGroups) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	raw, err := c.call(ctx, "GET", nil, nil, n.path, g.ID, "groups")
	if err != nil {
		return err
	}
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	return c.list(std.Out, columns{"dev_eui", "stage", "at"}, page.Items)
}

type campaignTimeline struct {
	ID     string `arg:"" complete:"ids" help:"Identifier."`
	Device string `help:"Only what is about this DevEUI."`
	Code   string `help:"Only entries with this code, such as device.verified; device. has all that begin with it."`
}

// Run writes the whole timeline.
func (t *campaignTimeline) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	shown := timelineColumns
	if t.Device != "" {
		shown = deviceTimelineColumns
	}
	query := url.Values{"limit": {"1000"}, "dev_eui": {t.Device}}
	if t.Code != "" {
		query.Set("code", t.Code)
	}
	var items []json.RawMessage
	for {
		raw, err := c.call(ctx, "GET", query, nil, n.path, t.ID, "timeline")
		if err != nil {
			return err
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		if len(page.Items) == 0 {
			return c.list(std.Out, shown, items)
		}
		items = append(items, page.Items...)
		var last struct {
			Seq json.Number `json:"seq"`
		}
		if err := json.Unmarshal(items[len(items)-1], &last); err != nil {
			return err
		}
		query.Set("after", last.Seq.String())
	}
}

var (
	timelineColumns       = columns{"seq", "at", "code", "dev_eui", "group", "text"}
	deviceTimelineColumns = columns{"at", "code", "text", "cause"}
)

type watch struct {
	ID string `arg:"" complete:"ids" help:"Identifier."`
}

// reconnectAfter is how long watch waits before it tries again.
const reconnectAfter = time.Second

// maxBroken is how many connections in a row may bring nothing.
const maxBroken = 10

// Run writes one line per event until the campaign has ended. A broken connection is
// taken up where it broke.
func (w *watch) Run(ctx context.Context, c *Client, std *Streams) error {
	if c.Output != "table" && c.Output != "json" {
		return fmt.Errorf("%w: what happens has no columns, use -o json, which gives an object per line", ErrUsage)
	}
	follow := follower{client: c, out: std.Out, id: w.ID}
	for broken := 0; ; {
		before := follow.lines
		err := follow.once(ctx)
		var p *Problem
		switch {
		case follow.status == "SUCCEEDED":
			return nil
		case follow.status == "FAILED" || follow.status == "STOPPED":
			return fmt.Errorf("%w: the campaign is %s", ErrUnsuccessful, follow.status)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &p):
			return err
		}
		if broken++; follow.lines > before {
			broken = 0
		}
		if broken >= maxBroken || follow.lines == 0 && err != nil {
			return err
		}
		fmt.Fprintln(std.Err, "starling: the connection broke, trying again")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reconnectAfter):
		}
	}
}

// follower reads the event stream of a campaign.
type follower struct {
	client *Client
	out    io.Writer
	id     string
	last   string // event id to continue after
	status string // of the campaign
	lines  int
}

// once reads one connection to its end.
func (f *follower) once(ctx context.Context) error {
	req, err := f.client.request(ctx, "GET", nil, nil, "campaigns", f.id, "events")
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if f.last != "" {
		req.Header.Set("Last-Event-ID", f.last)
	}
	res, err := f.client.send(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var event, id, data string
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			event = value
		case "id":
			id = value
		case "data":
			data += value
		case "": // the end of an event
			if data != "" {
				if err := f.show(event, data); err != nil {
					return err
				}
			}
			if id != "" {
				f.last = id
			}
			event, id, data = "", "", ""
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF // unless the status says that the campaign has ended
}

// show writes an event as a line.
func (f *follower) show(event, data string) error {
	obj, err := object([]byte(data))
	if err != nil {
		return err
	}
	f.lines++
	if event == "progress" {
		f.status, _ = obj["status"].(string)
	}
	switch {
	case event == "heartbeat":
		return nil
	case f.client.Output == "json":
		_, err = fmt.Fprintf(f.out, "{\"event\":%q,\"data\":%s}\n", event, data)
	case event == "timeline":
		_, err = fmt.Fprintln(f.out, cell(obj["at"]), cell(obj["code"]), cell(obj["dev_eui"]), cell(obj["text"]))
	case event == "progress":
		_, err = fmt.Fprintln(f.out, strings.TrimSpace(progressLine(obj)))
	}
	return err
}

// progressLine sums a progress up.
func progressLine(obj map[string]any) string {
	line := cell(obj["status"])
	if obj["paused"] == true {
		line += " (paused)"
	}
	stages, _ := obj["stages"].([]any)
	for _, s := range stages {
		if stage, ok := s.(map[string]any); ok {
			line += fmt.Sprintf("  %s %s %s/%s", cell(stage["name"]), cell(stage["status"]), cell(stage["completed"]), cell(stage["total"]))
		}
	}
	return line
}
