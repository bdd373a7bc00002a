package whatif

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteJSON writes the report as one object.
func (r Report) WriteJSON(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteTable writes the report for people: one line per strategy, then what each group
// would have needed.
func (r Report) WriteTable(out io.Writer) error {
	s := &r.Scenario
	fmt.Fprintf(out, "%d devices, %d bytes, %s DR%d class %s, %g %% mean loss, uplinks every %s, seed %d\n\n",
		s.Devices, s.Size, s.Band, *s.DataRate, *s.Class, 100*s.Loss.Mean, s.UplinkPeriods, s.Seed)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "STRATEGY\tVERIFIED\tDURATION\tAIR TIME\tFRAGMENTS\tHINDSIGHT\tUNICAST\tENERGY\t")
	for _, res := range r.Results {
		hindsight := 0
		for _, g := range res.Groups {
			hindsight += g.HindsightFragments
		}
		fmt.Fprintf(t, "%s\t%d/%d\t%s\t%.1fs\t%d\t%d\t%d\t%.2fJ\t\n", res.Strategy, res.Verified, res.Devices,
			hours(time.Duration(res.DurationSeconds*float64(time.Second))), res.AirtimeSeconds, res.FragmentsSent, hindsight, res.UnicastDownlinks, res.EnergyJoulesMean)
	}
	return t.Flush()
}
