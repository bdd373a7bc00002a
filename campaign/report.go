package campaign

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Report is what a campaign has come to: what is kept of it, summed up. It can be made of a
// campaign that still runs, and is final when Ended is set and CleaningUp is not. Times and
// air times are in seconds.
type Report struct {
	CampaignID string             `json:"campaign_id"`
	Type       fleet.CampaignType `json:"type"`
	Status     fleet.Status       `json:"status"`
	Reason     Reason             `json:"status_reason,omitempty"`
	Detail     string             `json:"detail,omitempty"`
	Started    time.Time          `json:"started,omitzero"`
	Ended      time.Time          `json:"ended,omitzero"`
	CleaningUp bool               `json:"cleaning_up"`
	Duration   float64            `json:"duration_s"` // until it ended; 0: it runs
	Threshold  float64            `json:"success_threshold"`
	Firmware   string             `json:"firmware,omitempty"` // target version

	Devices  int `json:"devices"` // that took part: the sum of what follows
	Verified int `json:"verified"`
	Failed   int `json:"failed"`
	Stopped  int `json:"stopped"`
	Excluded int `json:"excluded"`
	Active   int `json:"active"` // under way
	// Unproven are devices that did not confirm all of their clean-up.
	Unproven int `json:"clean_up_not_confirmed"`
	// VerifiedDigest is the SHA-256, in hexadecimal, of the DevEUIs of the verified devices in
	// ascending order, 16 lower-case digits and a line feed each.
	VerifiedDigest string `json:"verified_sha256"`

	// DeltaDevices and FullDevices are the verified devices of a FOTA campaign by what they were sent, and BytesSaved is by how
	// much the deltas are smaller than as many full images; 0 if nobody knows how large that is.
	DeltaDevices int   `json:"delta_devices"`
	FullDevices  int   `json:"full_devices"`
	BytesSaved   int64 `json:"bytes_saved"`

	UnicastDownlinks int     `json:"unicast_downlinks"`
	Retries          int     `json:"retries"`           // of them, those that repeat a question
	UnicastAirtime   float64 `json:"unicast_airtime_s"` // as far as the network reports it
	MulticastAirtime float64 `json:"multicast_airtime_s"`
	Fragments        int     `json:"fragments"` // sent over multicast
	Coded            int     `json:"coded"`     // of them

	Stages   []StageReport `json:"stages"`
	Groups   []GroupReport `json:"groups"`
	Failures []Failure     `json:"failures"` // the most frequent reason first
	Work     []WorkReport  `json:"work"`     // in the order of groups and profiles
}

// StageReport is how long devices took for a stage: from when it was open and the device had passed
// the stage before, until it passed. Quantiles are of the devices that did; of P90, 10 % took longer. With phases and
// catch-up, each device counts with the wave that it took part in, the latest of several: a stage was opened with
// its first wave, and is closed when the last one is.
type StageReport struct {
	Stage  Stage     `json:"stage"`
	Opened time.Time `json:"opened,omitzero"`
	Closed time.Time `json:"closed,omitzero"`
	Passed int       `json:"passed"`
	P50    float64   `json:"p50_s"`
	P90    float64   `json:"p90_s"`
	P99    float64   `json:"p99_s"`
	Max    float64   `json:"max_s"`
}

// GroupReport is what a multicast group has done.
type GroupReport struct {
	DevEUI   lorawan.EUI64 `json:"dev_eui"`
	Devices  int           `json:"devices"`
	Verified int           `json:"verified"`
	Sessions int           `json:"sessions"` // that were held
	Frames   int           `json:"frames"`   // fragments and status requests
	Airtime  float64       `json:"airtime_s"`
	Lanes    []LaneReport  `json:"lanes"`
}

// LaneReport is what the devices of a group that share fragments have got.
type LaneReport struct {
	FragIndex uint8          `json:"frag_index"`
	Base      fleet.Firmware `json:"base,omitzero"` // what devices ran, for a delta; zero: the full image
	Size      int            `json:"size"`          // bytes of the block
	Devices   int            `json:"devices"`       // that were in it at the end
	Verified  int            `json:"verified"`
	NbFrag    int            `json:"nb_frag"` // of the block, uncoded
	FragSize  int            `json:"frag_size"`
	Sent      int            `json:"sent"` // the highest number; of a carousel, over all rounds
	Coded     int            `json:"coded"`
	Rounds    int            `json:"rounds"`
	// WorstMissing is the largest number of fragments that a verified device has told to miss
	// after the first round, and Needed the fragments that it would have taken to make up for
	// them at the loss that this device has had. That is hindsight: nobody knows it before.
	WorstMissing int `json:"worst_missing"`
	Needed       int `json:"needed"`
}

// Failure is a reason for which devices have failed, or had failed before they were stopped.
type Failure struct {
	Reason  Reason          `json:"reason"`
	Count   int             `json:"count"`
	Devices []lorawan.EUI64 `json:"devices"` // the first 1000, ascending
}

// maxFailed is how many devices a report names per reason. The evidence has all.
const maxFailed = 1000

// NewReport sums up what is stored of a campaign, in the order of spec.
func NewReport(spec *Spec, head Header, devices []Device, groups []Group) Report {
	r := Report{
		CampaignID: spec.ID, Type: spec.Type, Status: head.Status, Reason: head.Reason, Detail: head.Detail, Threshold: spec.Threshold,
		Started: head.Started, Ended: head.Ended, CleaningUp: head.CleaningUp, Devices: len(devices),
		UnicastDownlinks: head.UnicastSent, Retries: head.Retried, Fragments: head.FragmentsSent, Coded: head.CodedSent,
	}
	if !head.Ended.IsZero() {
		r.Duration = head.Ended.Sub(head.Started).Seconds()
	}
	if spec.Type == fleet.FOTACampaign {
		r.Firmware = spec.Firmware.String()
	}
	r.countDevices(spec, devices)
	r.Stages = stageReports(head, devices)
	r.Groups = groupReports(spec, devices, groups)
	r.countDeltas(spec)
	r.Work = workReports(spec, devices)
	for _, g := range r.Groups {
		r.MulticastAirtime += g.Airtime
	}
	r.UnicastAirtime = max(head.Airtime.Seconds()-r.MulticastAirtime, 0)
	return r
}

// countDevices counts what has become of the devices, and why.
func (r *Report) countDevices(spec *Spec, devices []Device) {
	digest := sha256.New()
	failures := map[Reason]*Failure{}
	for i := range devices {
		d, eui := &devices[i], spec.Devices[i].DevEUI
		if d.Unproven {
			r.Unproven++
		}
		reason := d.Was
		switch _, sight := d.seen(); {
		case sight == seenExcluded:
			r.Excluded++
		case d.Outcome == Verified:
			r.Verified++
			_, _ = digest.Write([]byte(eui.String() + "\n"))
		case d.Outcome == Failed || d.Outcome == Stopping && r.Status == fleet.Failed:
			r.Failed++
			reason = d.Reason
		case d.Outcome == Active:
			r.Active++
		default:
			r.Stopped++
		}
		if reason == ReasonNone {
			continue
		}
		f := failures[reason]
		if f == nil {
			f = &Failure{Reason: reason}
			failures[reason] = f
		}
		if f.Count++; f.Count <= maxFailed {
			f.Devices = append(f.Devices, eui)
		}
	}
	r.VerifiedDigest = hex.EncodeToString(digest.Sum(nil))
	r.Failures = make([]Failure, 0, len(failures))
	for _, reason := range slices.Sorted(maps.Keys(failures)) {
		r.Failures = append(r.Failures, *failures[reason])
	}
	slices.SortStableFunc(r.Failures, func(a, b Failure) int { return cmp.Compare(b.Count, a.Count) })
}

// countDeltas sums up what the lanes have brought.
func (r *Report) countDeltas(spec *Spec) {
	for _, g := range r.Groups {
		for _, l := range g.Lanes {
			switch {
			case spec.Type != fleet.FOTACampaign:
			case l.Base.IsZero():
				r.FullDevices += l.Verified
			default:
				r.DeltaDevices += l.Verified
				r.BytesSaved += int64(l.Verified) * int64(max(spec.ImageSize-l.Size, 0))
			}
		}
	}
}

// stageReports returns how long devices took for each stage.
func stageReports(head Header, devices []Device) []StageReport {
	waves := stagesByWave(head)
	out := make([]StageReport, len(head.Stages))
	for s, st := range head.Stages {
		out[s] = StageReport{Stage: st.Stage, Opened: st.Opened, Closed: st.Closed}
		if len(head.Waves) > 0 && len(head.Waves[0].Stages) > 0 {
			out[s].Opened = head.Waves[0].Stages[s].Opened
		}
		var took []float64
		for i := range devices {
			passed := devices[i].Passed
			if s >= len(passed) || passed[s] == 0 {
				continue
			}
			out[s].Passed++
			stages, ok := waves[devices[i].Wave]
			if !ok {
				continue // stored by a version that did not keep when its wave came so far
			}
			from := uint32(max(stages[s].Opened.Sub(head.Started), 0) / time.Second)
			for _, before := range passed[:s] {
				from = max(from, before)
			}
			took = append(took, float64(passed[s])-float64(min(from, passed[s])))
		}
		slices.Sort(took)
		out[s].P50, out[s].P90, out[s].P99, out[s].Max = quantile(took, 0.5), quantile(took, 0.9), quantile(took, 0.99), quantile(took, 1)
	}
	return out
}

// stagesByWave returns how far the stages are, or were, in the waves that have begun.
func stagesByWave(head Header) map[int][]StageState {
	waves := map[int][]StageState{head.Wave: head.Stages}
	for _, w := range head.Waves {
		if len(w.Stages) > 0 {
			waves[w.Wave] = w.Stages
		}
	}
	return waves
}

// quantile returns the value that a share q of the sorted values does not exceed; of none, 0.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

// groupReports returns what each group has done.
func groupReports(spec *Spec, devices []Device, groups []Group) []GroupReport {
	out := make([]GroupReport, len(groups))
	lanes := make([]LaneReport, len(spec.Lanes))
	needed := make([]map[int]int, len(spec.Lanes)) // by wave: each sends the block anew
	for i := range devices {
		d := &devices[i]
		k := laneOf(spec, i, d)
		lane, l := &spec.Lanes[k], &lanes[k]
		g := &out[lane.Group]
		g.Devices++
		l.Devices++
		if d.Outcome != Verified {
			continue
		}
		g.Verified++
		l.Verified++
		if needed[k] == nil {
			needed[k] = map[int]int{}
		}
		enough := int(lane.NbFrag)
		if missing := int(math.Round(d.Loss * float64(lane.NbFrag))); missing > 0 && d.Loss < 1 {
			l.WorstMissing = max(l.WorstMissing, missing)
			enough += int(math.Ceil(float64(missing) / (1 - d.Loss)))
		}
		needed[k][d.Wave] = max(needed[k][d.Wave], enough)
	}
	next := make([]int, len(groups)) // lane of each group
	for k := range spec.Lanes {
		lane := &spec.Lanes[k]
		work := groups[lane.Group].Lanes[next[lane.Group]].done(lane)
		next[lane.Group]++
		l := &lanes[k]
		l.Base, l.Size = lane.Base, lane.Size
		l.FragIndex, l.NbFrag, l.FragSize = lane.FragIndex, int(lane.NbFrag), int(lane.FragSize)
		l.Sent, l.Coded, l.Rounds = work.Sent, work.Coded, work.Rounds
		for _, n := range needed[k] {
			l.Needed += n
		}
		l.Needed = max(l.Needed, l.NbFrag)
		out[lane.Group].Lanes = append(out[lane.Group].Lanes, *l)
	}
	for g := range groups {
		grp := &groups[g]
		out[g].DevEUI, out[g].Frames, out[g].Airtime, out[g].Sessions = spec.Groups[g].DevEUI, grp.Frames, grp.Airtime.Seconds(), grp.sessions()
	}
	return out
}

// laneOf returns the lane of device i, which it may have moved to.
func laneOf(spec *Spec, i int, d *Device) int {
	if d.Lane > 0 {
		return d.Lane - 1
	}
	return spec.Devices[i].Lane
}

// WorkReport is what the devices of one profile in one group were made to do: what their energy
// can be computed from. It is what reached the server, and not what they did.
type WorkReport struct {
	Group     GroupSpec     `json:"group"`
	ProfileID string        `json:"profile_id"`
	Power     fleet.Power   `json:"power,omitzero"` // as the profile had it when the campaign started
	Devices   int           `json:"devices"`
	Asked     int           `json:"asked"`    // commands that were sent to them one by one
	Uplinks   int           `json:"uplinks"`  // of theirs, with answers and other commands
	Listened  time.Duration `json:"listened"` // sum of the lengths of the sessions that they knew of
}

// workReports sums up what devices were made to do.
func workReports(spec *Spec, devices []Device) []WorkReport {
	type kind struct{ group, traits int }
	at := map[kind]*WorkReport{}
	for i := range devices {
		m, d := &spec.Devices[i], &devices[i]
		k := kind{spec.Lanes[m.Lane].Group, m.Traits}
		w := at[k]
		if w == nil {
			t := &spec.Traits[k.traits]
			w = &WorkReport{Group: spec.Groups[k.group], ProfileID: t.ProfileID, Power: t.Power}
			at[k] = w
		}
		w.Devices, w.Asked, w.Uplinks, w.Listened = w.Devices+1, w.Asked+d.Asked, w.Uplinks+d.Uplinks, w.Listened+d.Listened
	}
	out := make([]WorkReport, 0, len(at))
	for _, k := range slices.SortedFunc(maps.Keys(at), func(a, b kind) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.traits, b.traits)) }) {
		out = append(out, *at[k])
	}
	return out
}

// Evidence is what is known of one device, and by which uplink.
type Evidence struct {
	DevEUI   lorawan.EUI64
	Group    lorawan.EUI64
	Outcome  string
	Reason   Reason    // why it is not verified
	Was      Reason    // why it had failed before it was stopped or excluded
	Stage    Stage     // that it has come to
	At       time.Time // of the uplink that the outcome rests on; zero: it rests on silence, or on an order
	FCnt     uint32    // of that uplink
	Text     string    // what that uplink said, or what did not come
	Received uint16    // fragments, as it told
	Missing  uint16
	Base     fleet.Firmware // of the delta that it was for, as far as it came to that; zero: the full image, or no firmware
	CleanUp  string         // of a device that was cleaned up: confirmed, not_confirmed or under_way
}

// EvidenceOf returns what is known of device i of a campaign.
func EvidenceOf(spec *Spec, i int, d *Device) Evidence {
	stage := d.Stage
	if d.Outcome == Stopping {
		stage = d.Reached
	}
	lane := &spec.Lanes[laneOf(spec, i, d)]
	e := Evidence{
		DevEUI: spec.Devices[i].DevEUI, Group: spec.Groups[lane.Group].DevEUI, Base: lane.Base, Outcome: d.Outcome.String(),
		Reason: d.Reason, Was: d.Was, Stage: stage, At: d.ProofAt, FCnt: d.ProofFCnt, Text: d.Detail, Received: d.Received, Missing: d.Missing,
	}
	switch {
	case d.Outcome == Stopping:
		e.CleanUp = "under_way"
	case d.Unproven:
		e.CleanUp = "not_confirmed"
	case d.Outcome == Stopped || d.Outcome == ExcludedByOperator && d.Reason == ReasonExcluded:
		e.CleanUp = "confirmed"
	}
	return e
}
