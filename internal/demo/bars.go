package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
)

// bars draws the stages of a campaign, in place on a terminal, else one line whenever a
// stage has closed.
type bars struct {
	out      io.Writer
	terminal bool
	drawn    int             // lines to go back over
	said     map[string]bool // stages whose closing line is out
}

const barWidth = 32

// begin announces a campaign.
func (b *bars) begin(name string) {
	fmt.Fprintf(b.out, "\n%s\n", name)
	b.drawn, b.said = 0, map[string]bool{}
}

// show draws the progress.
func (b *bars) show(p campaign.Progress) {
	if !b.terminal {
		for _, s := range p.Stages {
			if name := s.Stage.String(); !s.Closed.IsZero() && !b.said[name] {
				b.said[name] = true
				fmt.Fprintf(b.out, "  %-17s %d of %d devices after %s\n", name, s.Passed, p.Devices, seconds(s.Closed.Sub(p.Started).Seconds()))
			}
		}
		return
	}
	var text strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", b.drawn)
	}
	for _, s := range p.Stages {
		full := 0
		if p.Devices > 0 {
			full = barWidth * s.Passed / p.Devices
		}
		state := "waiting"
		switch {
		case !s.Closed.IsZero() || p.Status == fleet.Succeeded:
			state = "done"
		case p.Status.Ended() && !s.Opened.IsZero():
			state = "ended"
		case !s.Opened.IsZero() && s.Stage == campaign.StageData && p.FragmentsSent > 0:
			state = fmt.Sprintf("fragment %d of %d", p.FragmentsSent, p.FragmentsPlan)
		case !s.Opened.IsZero():
			state = "running"
		}
		if s.Failed > 0 {
			state += fmt.Sprintf(", %d failed", s.Failed)
		}
		fmt.Fprintf(&text, "\x1b[2K  %-17s %s%s %5d/%d  %s\n", s.Stage, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), s.Passed, p.Devices, state)
	}
	b.drawn = len(p.Stages)
	fmt.Fprint(b.out, text.String())
}
