package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// scheduleFlags say when a campaign does what.
type scheduleFlags struct {
	StartAt         *time.Time   `json:"start_at,omitempty" placeholder:"TIME" help:"When \"campaign schedule\" starts it."`
	Windows         []windowFlag `json:"windows,omitempty" name:"window" sep:"none" placeholder:"WINDOW" help:"When it may send, such as \"mon,fri 22:00-05:30 Europe/Paris\"; none: always."`
	QuietHours      []windowFlag `json:"quiet_hours,omitempty" name:"quiet" sep:"none" placeholder:"WINDOW" help:"When it may not."`
	Reboot          *string      `json:"reboot,omitempty" placeholder:"MODE" help:"auto, at (--reboot-at), countdown, immediate or manual."`
	RebootCountdown *seconds     `json:"reboot_countdown_s,omitempty" placeholder:"TIME" help:"From the command to the reboot; 0: 60s."`
	RebootPatience  *seconds     `json:"reboot_patience_s,omitempty" placeholder:"TIME" help:"How long a manual reboot is waited for; 0: 7d."`
}

// catchUpFlags are about devices that were away.
type catchUpFlags struct {
	Rounds *int     `json:"rounds,omitempty" name:"catch-up" placeholder:"N" help:"Further sessions for devices that were away or missed too much; 0: one for those that were there; -1: none."`
	Wait   *seconds `json:"wait_s,omitempty" name:"catch-up-wait" placeholder:"TIME" help:"How long they are waited for before each; 0: 1d."`
}

// windowFlag is a span of local time that comes again.
type windowFlag struct{ fleet.Window }

// UnmarshalText reads "mon,fri 22:00-05:30 Europe/Paris".
func (w *windowFlag) UnmarshalText(b []byte) (err error) {
	w.Window, err = fleet.ParseWindow(string(b))
	return err
}

// MarshalJSON writes the window as the API takes it.
func (w windowFlag) MarshalJSON() ([]byte, error) { return json.Marshal(w.Window) }

// phaseFlag is a phase of a campaign.
type phaseFlag struct{ fleet.Phase }

// UnmarshalText reads "NAME SIZE min=PERCENT soak=TIME manual", of which all but the size can be left out.
func (p *phaseFlag) UnmarshalText(b []byte) error {
	for i, word := range strings.Fields(string(b)) {
		key, value, has := strings.Cut(word, "=")
		number, percent := strings.CutSuffix(word, "%")
		n, err := strconv.ParseFloat(number, 64)
		switch {
		case err == nil && percent:
			p.Percent = n
		case err == nil && n == float64(int(n)):
			p.Devices = int(n)
		case word == "manual":
			p.Promotion.Manual = true
		case key == "min" && has:
			if p.Promotion.MinVerifiedPercent, err = strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64); err != nil {
				return fmt.Errorf("%q is no percentage", value)
			}
		case key == "soak" && has:
			var s seconds
			if err := s.UnmarshalText([]byte(value)); err != nil {
				return err
			}
			p.Promotion.Soak = time.Duration(float64(s) * float64(time.Second))
		case i == 0:
			p.Name = word
		default:
			return fmt.Errorf("%q is no part of a phase, use something like \"canary 10 min=95 soak=24h manual\"", word)
		}
	}
	return nil
}

// MarshalJSON writes the phase as the API takes it.
func (p phaseFlag) MarshalJSON() ([]byte, error) { return json.Marshal(p.Phase) }

// abortFlag is a rule that halts a campaign.
type abortFlag struct{ fleet.AbortRule }

// UnmarshalText reads "KIND PERCENT% sample=N", of which the sample can be left out.
func (a *abortFlag) UnmarshalText(b []byte) error {
	words := strings.Fields(string(b))
	problem := fmt.Errorf("%q is no rule, use something like \"any 10%% sample=50\"", b)
	if len(words) < 2 || len(words) > 3 {
		return problem
	}
	var err error
	if a.Kind, err = fleet.ParseAbortKind(words[0]); err != nil {
		return err
	}
	if a.AbovePercent, err = strconv.ParseFloat(strings.TrimSuffix(words[1], "%"), 64); err != nil {
		return problem
	}
	if len(words) == 3 {
		number, ok := strings.CutPrefix(words[2], "sample=")
		if a.MinSample, err = strconv.Atoi(number); err != nil || !ok {
			return problem
		}
	}
	return nil
}

// MarshalJSON writes the rule as the API takes it.
func (a abortFlag) MarshalJSON() ([]byte, error) { return json.Marshal(a.AbortRule) }

type scheduleStart struct {
	ID string     `arg:"" complete:"ids" help:"Identifier."`
	At *time.Time `placeholder:"TIME" help:"When, such as 2026-03-01T02:00:00Z; none: the start_at of its schedule."`
}

// Help is shown below the summary of the command.
func (*scheduleStart) Help() string {
	return "The server starts it then, also if it was restarted in between. A start that is blocked is told in status_reason and in the audit log; \"campaign unschedule\" takes the order back."
}

// Run gives the order.
func (s *scheduleStart) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	body := map[string]any{"action": "schedule"}
	if s.At != nil {
		body["start_at"] = s.At
	}
	return c.act(ctx, n, std, s.ID, body)
}

type approve struct {
	ID       string `arg:"" complete:"ids" help:"Identifier."`
	Revision int64  `placeholder:"N" help:"The revision that you looked at; none: whichever there is."`
}

// Help is shown below the summary of the command.
func (*approve) Help() string {
	return "Whoever created or last changed a campaign cannot approve it. Any later change makes the approval void."
}

// Run gives the order.
func (a *approve) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	return c.act(ctx, n, std, a.ID, map[string]any{"action": "approve", "revision": a.Revision})
}

// act gives an order that is not a word alone, and writes the campaign.
func (c *Client) act(ctx context.Context, n *noun, std *Streams, id string, body map[string]any) error {
	raw, err := c.call(ctx, "POST", nil, body, n.path, id, "actions")
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

// progressAttributes are what a campaign is besides its status.
type progressAttributes struct {
	Paused       bool   `json:"paused"`
	ScheduledFor string `json:"scheduled_for"`
	Held         string `json:"held"`
	Halted       *struct {
		Detail string `json:"detail"`
		Reason string `json:"reason"`
	} `json:"halted"`
	Interval *struct {
		Until  string `json:"until"`
		Manual bool   `json:"manual"`
	} `json:"interval"`
}

// attributes writes them behind the status, for people.
func (p progressAttributes) attributes() string {
	var b strings.Builder
	switch {
	case p.Halted != nil:
		fmt.Fprintf(&b, ", halted: %s (%s)", p.Halted.Detail, p.Halted.Reason)
	case p.Paused:
		b.WriteString(", paused")
	}
	if p.Held != "" {
		b.WriteString(", held outside of its hours since " + p.Held)
	}
	if p.ScheduledFor != "" {
		b.WriteString(", scheduled for " + p.ScheduledFor)
	}
	switch i := p.Interval; {
	case i == nil:
	case i.Manual:
		b.WriteString(", waits for somebody to promote the phase that is over")
	default:
		b.WriteString(", waits until " + i.Until)
	}
	return b.String()
}
