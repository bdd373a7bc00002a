package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

type planCampaign struct {
	ID           string          `arg:"" name:"id-or-file" complete:"ids" help:"Identifier of a campaign, or a file with one that is not stored: JSON, as the API takes it; - for standard input."`
	Assumptions  assumptionFlags `embed:"" group:"What to assume; what is not given has a default:"`
	Alternatives bool            `default:"true" negatable:"" help:"Predict the other data rates and classes too."`
}

// assumptionFlags are what nobody knows of a network before.
type assumptionFlags struct {
	LossMean     *float64 `json:"loss_mean,omitempty" name:"loss" placeholder:"SHARE" help:"Share of the frames that links lose, on average, 0 to 0.9 (0.1)."`
	LossMax      *float64 `json:"loss_max,omitempty" placeholder:"SHARE" help:"Share that the worst link loses (three times --loss)."`
	LossBurst    *float64 `json:"loss_burst,omitempty" placeholder:"FRAMES" help:"Mean length of a run of losses (independent losses)."`
	Gateways     *int     `json:"gateways,omitempty" placeholder:"N" help:"Gateways of each multicast group (one for each 250 devices)."`
	Reach        *int     `json:"reach,omitempty" placeholder:"N" help:"Gateways that a device is linked to (1)."`
	UplinkDR     *uint8   `json:"uplink_dr,omitempty" name:"uplink-dr" placeholder:"DR" help:"Data rate of uplinks (3)."`
	UplinkPeriod *seconds `json:"uplink_period_s,omitempty" placeholder:"TIME" help:"Time between uplinks, such as 15m (that of the profiles)."`
	ClockError   *seconds `json:"clock_error_s,omitempty" placeholder:"TIME" help:"Of the devices' clocks, either way (1s)."`
	Seed         *uint64  `json:"seed,omitempty" placeholder:"N" help:"Of all luck: the same seed gives the same prediction (1)."`
}

// Help is shown below the summary of the command.
func (*planCampaign) Help() string {
	return "Nothing is changed. A campaign that is blocked ends with exit code 5. The figures are explained in docs/plan.md."
}

// body is the question that goes to the server, and where to.
func (p *planCampaign) body(n *noun, std *Streams) (body map[string]any, path []string, err error) {
	body, path = map[string]any{}, []string{n.path, p.ID, "plan"}
	if p.ID == "-" || strings.ContainsAny(p.ID, "./\\") { // no identifier has these
		raw, err := std.readFile(p.ID)
		if err != nil {
			return nil, nil, err
		}
		if body, err = object(raw); err != nil || body == nil {
			return nil, nil, fmt.Errorf("%w: %s is not a JSON object", ErrUsage, p.ID)
		}
		path = []string{n.path, "plan"}
	}
	raw, err := json.Marshal(map[string]any{"assumptions": p.Assumptions, "alternatives": p.Alternatives})
	if err != nil {
		return nil, nil, err
	}
	given, err := object(raw)
	if err != nil {
		return nil, nil, err
	}
	merge(body, given)
	return body, path, nil
}

// Run writes the plan.
func (p *planCampaign) Run(ctx context.Context, c *Client, n *noun, std *Streams) error {
	body, path, err := p.body(n, std)
	if err != nil {
		return err
	}
	raw, err := c.call(ctx, "POST", nil, body, path...)
	if err != nil {
		return err
	}
	var shown planShown
	if err := json.Unmarshal(raw, &shown); err != nil {
		return err
	}
	switch c.Output {
	case "json", "yaml":
		err = c.tree(std.Out, raw)
	case "csv", "id":
		return fmt.Errorf("%w: a plan is more than one table, use -o json or -o yaml", ErrUsage)
	default:
		err = shown.write(&c.Form, std.Out)
	}
	if err == nil && len(shown.Blockers) > 0 {
		err = fmt.Errorf("%w: the campaign is blocked", ErrInvalid)
	}
	return err
}

// planShown is what people see of a plan.
type planShown struct {
	Type         string            `json:"type"`
	Devices      int               `json:"devices"`
	Lanes        []json.RawMessage `json:"lanes"`
	Excluded     []json.RawMessage `json:"excluded"`
	ExcludedAll  int               `json:"excluded_count"`
	Blockers     []findingShown    `json:"blockers"`
	Warnings     []findingShown    `json:"warnings"`
	Prediction   *predictionShown  `json:"prediction"`
	Alternatives []struct {
		Band       string           `json:"band"`
		Class      string           `json:"class"`
		DataRate   int              `json:"data_rate"`
		Configured bool             `json:"configured"`
		Best       bool             `json:"best"`
		Devices    int              `json:"devices"`
		FragSize   int              `json:"frag_size"`
		NbFrag     int              `json:"nb_frag"`
		Prediction *predictionShown `json:"prediction"`
		Problem    *findingShown    `json:"problem"`
	} `json:"alternatives"`
	Delta *struct {
		Mode       string           `json:"delta"`
		FileID     string           `json:"file_id"`
		Type       string           `json:"type"`
		Size       int              `json:"size"`
		Prediction *predictionShown `json:"prediction"`
		Problem    *findingShown    `json:"problem"`
	} `json:"delta"`
}

type findingShown struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type predictionShown struct {
	Devices     int               `json:"devices"`
	Sampled     int               `json:"sampled"`
	Runs        int               `json:"runs"`
	DurationP50 float64           `json:"duration_p50_s"`
	DurationP90 float64           `json:"duration_p90_s"`
	Airtime     float64           `json:"airtime_s"`
	RX1         float64           `json:"rx1_airtime_s"`
	RX2         float64           `json:"rx2_airtime_s"`
	Multicast   float64           `json:"multicast_airtime_s"`
	Fragments   int               `json:"fragments"`
	Unicast     int               `json:"unicast_downlinks"`
	Sessions    int               `json:"sessions"`
	Verified    float64           `json:"verified_percent"`
	VerifiedLow float64           `json:"verified_low_percent"`
	Success     float64           `json:"success_probability"`
	Bands       []json.RawMessage `json:"bands"`
	Failures    []json.RawMessage `json:"failures"`
	Energy      []energyShown     `json:"energy"`
}

type energyShown struct {
	ProfileID string  `json:"profile_id"`
	Mean      float64 `json:"joules_mean"`
	Max       float64 `json:"joules_max"`
	Extra     float64 `json:"extra_joules_mean"`
	Battery   float64 `json:"battery_percent"`
}

// write writes the plan in sections; those without content are left out.
func (p *planShown) write(f *Form, w io.Writer) error {
	s := sections{f: f, w: w}
	s.findings("BLOCKED", p.Blockers)
	s.findings("WARNING", p.Warnings)
	s.list("Excluded devices", p.ExcludedAll, columns{"dev_eui", "reason", "detail"}, p.Excluded)
	s.list("Lanes", len(p.Lanes), columns{"group", "band", "class", "data_rate", "base", "devices", "asked", "size", "frag_size", "nb_frag", "redundancy", "frame_airtime_s"}, p.Lanes)
	if x := p.Prediction; x != nil {
		s.table("Prediction", x.rows())
		s.list("Air time per group and sub-band, and how much of the duty cycle the busiest hour takes", len(x.Bands),
			columns{"group", "low", "high", "gateways", "rx1_airtime_s", "rx2_airtime_s", "multicast_airtime_s", "duty_cycle", "busiest_hour_percent"}, x.Bands)
		s.list("Devices that are expected to fail", len(x.Failures), columns{"reason", "devices"}, x.Failures)
	}
	if len(p.Alternatives) > 0 {
		rows := [][]string{{"", "BAND", "CLASS", "DR", "DEVICES", "FRAGMENTS", "DURATION", "AIR TIME", "ENERGY", "VERIFIED", "SESSIONS"}}
		for _, a := range p.Alternatives {
			mark := ""
			switch {
			case a.Best && a.Configured:
				mark = "* best"
			case a.Best:
				mark = "best"
			case a.Configured:
				mark = "*"
			}
			rows = append(rows, append([]string{mark, a.Band, a.Class, fmt.Sprint(a.DataRate), fmt.Sprint(a.Devices), fmt.Sprintf("%d x %d", a.NbFrag, a.FragSize)},
				sideBySide(a.Prediction, a.Problem)...))
		}
		s.table("Data rates and classes side by side (* as configured)", rows)
	}
	if d := p.Delta; d != nil {
		s.table("With the other file, or another delta mode", [][]string{
			{"DELTA", "FILE", "TYPE", "SIZE", "DURATION", "AIR TIME", "ENERGY", "VERIFIED", "SESSIONS"},
			append([]string{d.Mode, d.FileID, d.Type, fmt.Sprint(d.Size)}, sideBySide(d.Prediction, d.Problem)...),
		})
	}
	return s.err
}

// rows are the figures of a prediction, one per line.
func (x *predictionShown) rows() [][]string {
	rows := [][]string{
		{"devices", fmt.Sprintf("%d, in %d runs of %d", x.Devices, x.Runs, x.Sampled)},
		{"duration", fmt.Sprintf("%s (P50), %s (P90)", span(x.DurationP50), span(x.DurationP90))},
		{"verified", fmt.Sprintf("%.1f %% of the devices, %.1f %% in the worst run", x.Verified, x.VerifiedLow)},
		{"success", fmt.Sprintf("%.0f %% of the runs", 100*x.Success)},
		{"air time", fmt.Sprintf("%.1f s: %.1f s multicast, %.1f s in RX1, %.1f s in RX2", x.Airtime, x.Multicast, x.RX1, x.RX2)},
		{"frames", fmt.Sprintf("%d fragments, %d unicast downlinks", x.Fragments, x.Unicast)},
		{"sessions", fmt.Sprint(x.Sessions)},
	}
	for _, e := range x.Energy {
		text := fmt.Sprintf("%.1f J (%.1f J at most), %.1f J of it for the campaign", e.Mean, e.Max, e.Extra)
		if e.Battery > 0 {
			text += fmt.Sprintf(": %.2f %% of the battery", e.Battery)
		}
		rows = append(rows, []string{"energy", text + ", profile " + e.ProfileID})
	}
	return rows
}

// sideBySide are the figures that are compared, or why there are none.
func sideBySide(x *predictionShown, problem *findingShown) []string {
	if x == nil {
		if problem == nil {
			return []string{"-", "-", "-", "-", "-"}
		}
		return []string{problem.Code, "-", "-", "-", "-"}
	}
	joules := 0.0
	for _, e := range x.Energy {
		joules = max(joules, e.Mean)
	}
	return []string{span(x.DurationP50), fmt.Sprintf("%.1f s", x.Airtime), fmt.Sprintf("%.1f J", joules), fmt.Sprintf("%.1f %%", x.Verified), fmt.Sprint(x.Sessions)}
}

// span writes a number of seconds for people, to the minute.
func span(s float64) string {
	d := (time.Duration(s) * time.Second).Round(time.Minute)
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	text := fmt.Sprintf("%dh%02dm", rest/time.Hour, rest%time.Hour/time.Minute)
	if days > 0 {
		text = fmt.Sprintf("%dd%s", days, text)
	}
	return text
}

// sections writes tables below headlines, until an error.
type sections struct {
	f     *Form
	w     io.Writer
	begun bool
	err   error
}

func (s *sections) headline(text string) {
	if s.begun {
		fmt.Fprintln(s.w)
	}
	s.begun = true
	fmt.Fprintln(s.w, text)
}

func (s *sections) findings(kind string, all []findingShown) {
	for _, f := range all {
		s.begun = true
		fmt.Fprintf(s.w, "%s %s: %s\n", kind, f.Code, f.Text)
	}
}

func (s *sections) list(headline string, n int, cols columns, items []json.RawMessage) {
	if n == 0 || s.err != nil {
		return
	}
	if n > len(items) {
		headline += fmt.Sprintf(" (%d of %d)", len(items), n)
	}
	s.headline(headline)
	s.err = s.f.list(s.w, cols, items)
}

func (s *sections) table(headline string, rows [][]string) {
	if s.err != nil {
		return
	}
	s.headline(headline)
	s.err = s.f.rows(s.w, rows)
}
