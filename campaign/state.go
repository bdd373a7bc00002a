package campaign

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// Header is the state of the campaign as a whole. With the states of all devices and
// groups it is everything that Load needs besides Spec and Material.
type Header struct {
	Status  fleet.Status `json:"status"`
	Reason  Reason       `json:"reason,omitempty"`
	Detail  string       `json:"detail,omitempty"`
	Started time.Time    `json:"started,omitzero"`
	Ended   time.Time    `json:"ended,omitzero"`
	Paused  time.Time    `json:"paused,omitzero"` // since when; zero: not paused
	Held    time.Time    `json:"held,omitzero"`   // by the clock, since when; zero: not held
	Halted  Halt         `json:"halted,omitzero"` // by a rule
	// Still is since when patience with devices stands still, for whatever of these; zero: it
	// does not. StoodStill is for how long it did before in this wave.
	Still      time.Time     `json:"still,omitzero"`
	StoodStill time.Duration `json:"stood_still,omitempty"`
	// Wave is the one under way, or the last one that was; Waves are those that are over.
	Wave        int         `json:"wave,omitempty"`
	WaveStarted time.Time   `json:"wave_started,omitzero"` // zero: with the campaign
	Waves       []WaveState `json:"waves,omitempty"`
	Interval    Interval    `json:"interval,omitzero"`   // before the next wave
	CaughtUp    int         `json:"caught_up,omitempty"` // waves for devices that had been away
	Overruled   []int       `json:"overruled,omitempty"` // abort rules that a resume has overruled in this wave; byThreshold
	// Gate is the index of the last stage that devices may work on; -1 before the start.
	Gate   int          `json:"gate"`
	Stages []StageState `json:"stages"`
	// CleaningUp is true from the end until each device that is cleaned up has answered or
	// used up its retries.
	CleaningUp bool          `json:"cleaning_up,omitempty"`
	Extended   time.Duration `json:"extended,omitempty"` // by ExtendRequested, beyond Spec.MaxDuration
	Seq        uint64        `json:"seq"`                // last number used in a Downlink.ID

	UnicastSent   int           `json:"unicast_sent"`
	FragmentsSent int           `json:"fragments_sent"`
	CodedSent     int           `json:"coded_sent"`
	FragmentsPlan int           `json:"fragments_planned,omitempty"` // of the waves that are over
	Retried       int           `json:"retried,omitempty"`           // of UnicastSent, those that repeat a question
	Airtime       time.Duration `json:"airtime"`                     // of all downlinks, as far as the network reports it
}

// Phase is where a device is within its stage.
type Phase uint8

// Phases of a unicast exchange; see exchange.go for the picture.
const (
	PhaseWaiting    Phase = iota // for the stage's gate, or for the group's fragments
	PhaseListening               // for an uplink, to know that it can be reached
	PhaseHolding                 // until Deadline: asking earlier makes no sense
	PhaseQueued                  // command handed to the network server
	PhaseSent                    // command on the air; waiting for the answer
	PhaseAsked                   // asked over multicast; the group keeps the time
	PhaseIncomplete              // answered that fragments are missing
)

var phaseNames = [...]string{"waiting", "listening", "holding", "queued", "sent", "asked", "incomplete"}

// String returns the phase's name, such as "queued".
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("Phase(%d)", uint8(p))
}

// Outcome is what has become of a device.
type Outcome uint8

// Outcomes. Active devices are under way; the others are final, but for a late answer
// that revives a failed device while its stage is still open.
const (
	Active   Outcome = iota
	Verified         // with evidence, see the package comment
	Failed
	Stopping // being cleaned up: it is excluded, or the campaign was stopped or has failed
	Stopped
	ExcludedByOperator
	Later    // in a wave that has not begun
	outcomes = iota
)

var outcomeNames = [...]string{"active", "verified", "failed", "stopping", "stopped", "excluded", "later"}

// String returns the outcome's name, such as "verified".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Device is the state of one device in the campaign: a row in the store.
type Device struct {
	Stage    Stage     `json:"stage"`
	Phase    Phase     `json:"phase,omitempty"`
	Outcome  Outcome   `json:"outcome,omitempty"`
	Reason   Reason    `json:"reason,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Attempts int       `json:"attempts,omitempty"` // of the present stage
	Unsent   int       `json:"unsent,omitempty"`   // of them, those that the network did not send
	Recalled int       `json:"recalled,omitempty"` // commands that were taken back when a window closed, and not counted
	Deadline time.Time `json:"deadline,omitzero"`  // end of patience in the present phase
	Frame    string    `json:"frame,omitempty"`    // ID of the command that is under way
	Since    time.Time `json:"since,omitzero"`     // when that command was sent, or the listening began
	Chance   time.Time `json:"chance,omitzero"`    // the uplink that its stage's first command answered, by the network's clock
	Heard    time.Time `json:"heard,omitzero"`     // first uplink since the start
	Asked    int       `json:"asked,omitempty"`    // commands sent to it in all stages
	Answered int       `json:"answered,omitempty"` // of them, those that were answered
	Uplinks  int       `json:"uplinks,omitempty"`  // of it that held an answer, or another command but a question for the time
	Together bool      `json:"together,omitempty"` // the latest frame also had the command of the next stage
	Rides    bool      `json:"rides,omitempty"`    // asked for the session, and its answer did not come: it may listen
	// What follows is learnt from its application uplinks, while it is waited for.
	LastUplink  time.Time     `json:"last_uplink,omitzero"`
	Period      time.Duration `json:"period,omitempty"` // mean of the latest gaps
	Gaps        int           `json:"gaps,omitempty"`
	ShortestGap time.Duration `json:"shortest_gap,omitempty"`

	Wave       int    `json:"wave,omitempty"` // in which it takes part
	Probe      Probe  `json:"probe,omitzero"`
	Lane       int    `json:"lane,omitempty"`        // 1 + index into Spec.Lanes, if the probe has moved it; 0: as Member has it
	SessionCnt uint16 `json:"session_cnt,omitempty"` // TS004 v2, of the latest set-up
	FirstCnt   uint16 `json:"first_cnt,omitempty"`   // least SessionCnt in this wave, because of an earlier one
	Replays    int    `json:"replays,omitempty"`     // refusals for SessionCnt
	Cleared    int    `json:"cleared,omitempty"`     // times that it was told to delete old fragmentation sessions; maxCleared: it has
	InSession  int    `json:"in_session,omitempty"`  // number of the latest session that it confirmed, from 1
	// Listened is how long the sessions are, of all waves, that it has confirmed or rides.
	Listened   time.Duration `json:"listened,omitempty"`
	Complete   bool          `json:"complete,omitempty"` // the device has the whole block
	Received   uint16        `json:"received,omitempty"` // as FragSessionStatusAns told
	Missing    uint16        `json:"missing,omitempty"`
	Loss       float64       `json:"loss,omitempty"`        // share of the first round that it lost
	ClockWrong bool          `json:"clock_wrong,omitempty"` // accepted the session, by a clock that is off
	Firmware   uint32        `json:"firmware,omitempty"`    // as DevVersionAns told
	Mismatches int           `json:"mismatches,omitempty"`
	RebootSet  bool          `json:"reboot_set,omitempty"`
	RebootAt   time.Time     `json:"reboot_at,omitzero"` // when it is expected to reboot
	// SetUp, Session and Block tell what the device holds that a clean-up must remove.
	SetUp    bool `json:"set_up,omitempty"`
	Session  bool `json:"session,omitempty"`
	Block    bool `json:"block,omitempty"`
	Unproven bool `json:"unproven,omitempty"` // of a clean-up: some of it was not confirmed
	// Was and Reached are for a device that is stopped or excluded: why it had failed before, if
	// it had, and, during its clean-up, the stage it was in.
	Was Reason `json:"was,omitempty"`
	// ProofAt and ProofFCnt are of the uplink that Detail is about: the one that verified the
	// device, or that it has failed for. Zero: it has failed for its silence.
	ProofAt   time.Time `json:"proof_at,omitzero"`
	ProofFCnt uint32    `json:"proof_f_cnt,omitempty"`
	// Passed are the seconds from the start of the campaign until the device passed each stage,
	// in the order of the stages and rounded up; 0: not passed, or not concerned.
	Passed  []uint32 `json:"passed,omitempty"`
	Reached Stage    `json:"reached,omitempty"`
}

// GroupPhase is what a group is doing.
type GroupPhase uint8

// Phases of a group; see transfer.go for the picture.
const (
	GroupIdle    GroupPhase = iota
	GroupArmed              // waits for the session to start
	GroupSending            // sends fragments
	GroupAsking             // asks for the status over multicast
	GroupPolling            // waits for the devices that are asked one by one
	GroupDone
)

var groupPhaseNames = [...]string{"idle", "armed", "sending", "asking", "polling", "done"}

// String returns the phase's name, such as "sending".
func (p GroupPhase) String() string {
	if int(p) < len(groupPhaseNames) {
		return groupPhaseNames[p]
	}
	return fmt.Sprintf("GroupPhase(%d)", uint8(p))
}

// Group is the state of one multicast group in the campaign: a row in the store.
type Group struct {
	Phase       GroupPhase    `json:"phase,omitempty"`
	SessionTime time.Time     `json:"session_time,omitzero"`
	SessionEnd  time.Time     `json:"session_end,omitzero"`
	TimeOut     uint8         `json:"time_out,omitempty"`   // TS005 exponent
	Lane        int           `json:"lane,omitempty"`       // index into Lanes: the one being sent or asked
	Lanes       []LaneState   `json:"lanes"`                // the group's lanes, in the order of Spec.Lanes
	Frame       string        `json:"frame,omitempty"`      // ID of the frame that is under way
	Deadline    time.Time     `json:"deadline,omitzero"`    // when the present phase goes on by itself
	Unreported  int           `json:"unreported,omitempty"` // frames in a row, up to the last one, that the network did not report
	NextFCnt    uint32        `json:"next_f_cnt"`           // next counter of the network, as far as known
	Reopened    int           `json:"reopened,omitempty"`   // sessions after the first
	Asked       int           `json:"asked,omitempty"`      // status requests over multicast in this round
	Silent      int           `json:"silent,omitempty"`     // devices that had not answered when the last of them went out
	AnswersBy   time.Time     `json:"answers_by,omitzero"`  // when the answers to them should be in
	Frames      int           `json:"frames,omitempty"`     // reported as sent, in all waves: fragments and status requests
	Airtime     time.Duration `json:"airtime,omitempty"`    // of them
	Before      int           `json:"before,omitempty"`     // sessions of the waves that are over
	// MoreSessions and MoreRounds were ordered beyond what the policy allows.
	MoreSessions int `json:"more_sessions,omitempty"`
	MoreRounds   int `json:"more_rounds,omitempty"`
}

// LaneState is how far a lane's fragments are. Fragment numbers never go back, but for
// the rounds of a carousel.
type LaneState struct {
	Next  int `json:"next"` // next fragment number, from 1
	Last  int `json:"last"` // last one of this round
	High  int `json:"high"` // highest number ever sent
	Round int `json:"round,omitempty"`
	More  int `json:"more,omitempty"` // coded fragments that were ordered beyond the lane's ceiling

	Before LaneWork `json:"before,omitzero"` // in the waves that are over
}

// LaneWork is what was sent of a lane.
type LaneWork struct {
	Sent   int `json:"sent,omitempty"`  // fragments
	Coded  int `json:"coded,omitempty"` // of them
	Rounds int `json:"rounds,omitempty"`
}

// done returns what was sent of a lane in all waves.
func (s *LaneState) done(l *Lane) LaneWork {
	if s.High == 0 {
		return s.Before
	}
	w := LaneWork{Sent: s.High, Coded: max(s.High-int(l.NbFrag), 0), Rounds: s.Round + 1}
	if l.Redundancy == fleet.Carousel {
		w.Sent = s.Round*int(l.NbFrag) + max(s.Next-1, 0)
	}
	return LaneWork{w.Sent + s.Before.Sent, w.Coded + s.Before.Coded, w.Rounds + s.Before.Rounds}
}

// sessions returns how many sessions a group has held or fixed in all waves.
func (g *Group) sessions() int {
	if g.SessionTime.IsZero() {
		return g.Before
	}
	return g.Before + g.Reopened + 1
}
