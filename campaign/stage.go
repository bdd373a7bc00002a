package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// Stage is one step that every device of a campaign takes in order. Texts are the
// names that people see.
type Stage uint8

// Stages in the order of the reference server, with the probe before them; the last four are the clean-up after a stop.
const (
	StageNone Stage = iota
	StageProbe
	StageMcGroupSetup
	StageRebootTime
	StageFragSetup
	StageMcSession
	StageData
	StageStatus
	StageUpgradeImage
	StageReboot
	StageVersion

	StageCancelReboot
	StageDeleteImage
	StageDeleteSession
	StageDeleteGroup
	stages = iota
)

var stageNames = [...]string{
	StageNone:         "",
	StageProbe:        "Probe",
	StageMcGroupSetup: "McGroupSetup",
	StageRebootTime:   "DevRebootTime",
	StageFragSetup:    "FragSessionSetup",
	StageMcSession:    "McSession",
	StageData:         "DataFragment",
	StageStatus:       "FragSessionStatus",
	StageUpgradeImage: "DevUpgradeImage",
	StageReboot:       "DevReboot",
	StageVersion:      "DevVersion",

	StageCancelReboot:  "CancelReboot",
	StageDeleteImage:   "DevDeleteImage",
	StageDeleteSession: "FragSessionDelete",
	StageDeleteGroup:   "McGroupDelete",
}

// String returns the stage's name, such as "FragSessionSetup".
func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return fmt.Sprintf("Stage(%d)", uint8(s))
}

// MarshalText returns the stage's name.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a stage's name.
func (s *Stage) UnmarshalText(b []byte) error {
	for i, name := range stageNames {
		if name == string(b) {
			*s = Stage(i)
			return nil
		}
	}
	return fmt.Errorf("unknown campaign stage %q", b)
}

// stagesOf returns the stages that a campaign of this specification walks.
func stagesOf(spec *Spec) []Stage {
	if spec.Policy.Probe || slices.ContainsFunc(spec.Devices, func(m Member) bool { return m.Ask }) {
		return append([]Stage{StageProbe}, stagesOfType(spec)...)
	}
	return stagesOfType(spec)
}

func stagesOfType(spec *Spec) []Stage {
	switch spec.Type {
	case fleet.MCGroupCampaign:
		return []Stage{StageMcGroupSetup, StageMcSession}
	case fleet.BinaryCampaign:
		return []Stage{StageMcGroupSetup, StageFragSetup, StageMcSession, StageData, StageStatus}
	default:
		stages := []Stage{StageMcGroupSetup}
		if !spec.RebootAt.IsZero() {
			stages = append(stages, StageRebootTime)
		}
		stages = append(stages, StageFragSetup, StageMcSession, StageData, StageStatus, StageUpgradeImage)
		if spec.RebootAt.IsZero() && spec.Schedule.Reboot != fleet.RebootManual {
			stages = append(stages, StageReboot)
		}
		return append(stages, StageVersion)
	}
}

// StageState is how far a stage is: zero times mean "not yet".
type StageState struct {
	Stage  Stage     `json:"stage"`
	Opened time.Time `json:"opened,omitzero"`
	// Grace is the end of the late-answer time, once nobody needs to be asked any more.
	Grace  time.Time `json:"grace,omitzero"`
	Closed time.Time `json:"closed,omitzero"`
}
