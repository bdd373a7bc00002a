package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/whatif"
)

// whatIf is "starling simulate". Flags win over the scenario's file.
type whatIf struct {
	Scenario     string            `arg:"" optional:"" placeholder:"SCENARIO" help:"Scenario in YAML; without one, the flags and their defaults say it all."`
	Devices      *int              `help:"Simulated devices (100)."`
	Size         *whatif.Size      `help:"Size of the file: bytes, or such as 40kB or 64KiB (40kB)."`
	DR           *uint8            `name:"dr" help:"Data rate of the multicast session (5 in EU868)."`
	Class        *fleet.Class      `help:"Class of the multicast session, B or C (C)."`
	Loss         *float64          `placeholder:"SHARE" help:"Mean share of frames that links lose, 0 to below 1; single links lose up to three times as much (0)."`
	UplinkPeriod *time.Duration    `placeholder:"TIME" help:"Time between two uplinks of a device (15m)."`
	Seed         *uint64           `help:"Of all luck (1)."`
	Strategies   []whatif.Strategy `placeholder:"NAME,..." help:"What to compare: starling, reference:R with R of 1/2, 3/4, 5/6, 7/8 and 1, chirpstack (all)."`
	JSON         bool              `name:"json" help:"Write the report as one JSON object."`
}

// Help is shown below the summary of the command.
func (*whatIf) Help() string {
	return `Runs ways to update a fleet one after the other on the same simulated network, in virtual
time, and shows what each takes: duration, air time of all downlinks, fragments, unicast
downlinks, energy of a device's radio, and how many devices are verified. HINDSIGHT is the
number of fragments that would have been enough for the device that was worst off.

The same scenario gives the same report. docs/simulate.md describes scenarios and strategies.`
}

// Run writes the report to standard output and what is going on to standard error.
func (w *whatIf) Run(ctx context.Context, std *cli.Streams) error {
	sc, err := w.scenario()
	if err == nil {
		err = sc.Complete()
	}
	switch {
	case errors.Is(err, whatif.ErrScenario) && w.Scenario != "":
		return fmt.Errorf("%w: %s: %w", cli.ErrInvalid, w.Scenario, err)
	case errors.Is(err, whatif.ErrScenario):
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	case err != nil:
		return err
	}
	report, err := whatif.Run(ctx, sc, func(line string) { fmt.Fprintln(std.Err, line) })
	if err != nil {
		return err
	}
	if w.JSON {
		return report.WriteJSON(std.Out)
	}
	return report.WriteTable(std.Out)
}

// scenario reads the file, if there is one, and applies the flags.
func (w *whatIf) scenario() (sc whatif.Scenario, err error) {
	if w.Scenario != "" {
		f, err := os.Open(w.Scenario)
		if errors.Is(err, os.ErrNotExist) {
			return sc, fmt.Errorf("%w: scenario %s: name a file that exists", cli.ErrNotFound, w.Scenario)
		}
		if err != nil {
			return sc, err
		}
		defer func() { _ = f.Close() }()
		if sc, err = whatif.ReadScenario(f); err != nil {
			return sc, err
		}
	}
	set(&sc.Devices, w.Devices)
	set(&sc.Size, w.Size)
	set(&sc.Seed, w.Seed)
	if w.Class != nil {
		sc.Class = w.Class
	}
	if w.DR != nil {
		sc.DataRate = w.DR
	}
	if w.Loss != nil {
		sc.Loss.Mean, sc.Loss.Max = *w.Loss, 0
	}
	if w.UplinkPeriod != nil {
		sc.UplinkPeriods = []whatif.Span{whatif.Span(*w.UplinkPeriod)}
	}
	if w.Strategies != nil {
		sc.Strategies = w.Strategies
	}
	return sc, nil
}

// set changes a field if the flag for it was given.
func set[T any](field, flag *T) {
	if flag != nil {
		*field = *flag
	}
}
