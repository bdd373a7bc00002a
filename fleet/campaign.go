package fleet

import (
	"encoding/json"
	"fmt"
	"time"
)

// CampaignType says what a campaign is for.
type CampaignType uint8

// Campaign types. The zero value is a firmware upgrade.
const (
	FOTACampaign    CampaignType = iota // bring devices to a firmware version
	BinaryCampaign                      // deliver a file
	MCGroupCampaign                     // configure multicast groups and a session, then leave
)

var campaignTypeNames = []string{"FOTA", "BINARY", "MCGROUP"}

// ParseCampaignType reads "FOTA", "BINARY" or "MCGROUP".
func ParseCampaignType(s string) (CampaignType, error) {
	return parseEnum[CampaignType]("campaign type", campaignTypeNames, s)
}

// String returns the name of the type.
func (t CampaignType) String() string { return enumText(campaignTypeNames, t) }

// MarshalText returns the name of the type, or ErrText.
func (t CampaignType) MarshalText() ([]byte, error) {
	return marshalEnum("campaign type", campaignTypeNames, t)
}

// UnmarshalText reads what ParseCampaignType reads.
func (t *CampaignType) UnmarshalText(b []byte) (err error) {
	*t, err = ParseCampaignType(string(b))
	return err
}

// Status is where a campaign stands.
//
//	CONFIGURED ── start ──> RUNNING ──> SUCCEEDED
//	                           ├──────> FAILED
//	                           └ stop ─> STOPPED
type Status uint8

// Campaign states. The zero value is a campaign that has not been started.
const (
	Configured Status = iota
	Running
	Stopped
	Failed
	Succeeded
)

var statusNames = []string{"CONFIGURED", "RUNNING", "STOPPED", "FAILED", "SUCCEEDED"}

// ParseStatus reads "CONFIGURED", "RUNNING", "STOPPED", "FAILED" or "SUCCEEDED".
func ParseStatus(s string) (Status, error) { return parseEnum[Status]("status", statusNames, s) }

// Ended reports whether the campaign is over: nothing leaves this state.
func (s Status) Ended() bool { return s == Stopped || s == Failed || s == Succeeded }

// String returns the name of the state.
func (s Status) String() string { return enumText(statusNames, s) }

// MarshalText returns the name of the state, or ErrText.
func (s Status) MarshalText() ([]byte, error) { return marshalEnum("status", statusNames, s) }

// UnmarshalText reads what ParseStatus reads.
func (s *Status) UnmarshalText(b []byte) (err error) {
	*s, err = ParseStatus(string(b))
	return err
}

// DeltaMode says if a campaign for a full firmware image may send deltas instead.
type DeltaMode uint8

// Delta modes. The zero value sends each device what is smallest for it.
const (
	DeltaAuto DeltaMode = iota // the delta for the version that the device runs, else the full image
	DeltaOff                   // the full image to all
	DeltaOnly                  // who has no delta does not take part
)

var deltaModeNames = []string{"auto", "off", "only"}

// ParseDeltaMode reads "auto", "off" or "only".
func ParseDeltaMode(s string) (DeltaMode, error) {
	return parseEnum[DeltaMode]("delta mode", deltaModeNames, s)
}

// String returns the name of the mode.
func (m DeltaMode) String() string { return enumText(deltaModeNames, m) }

// MarshalText returns the name of the mode, or ErrText.
func (m DeltaMode) MarshalText() ([]byte, error) {
	return marshalEnum("delta mode", deltaModeNames, m)
}

// UnmarshalText reads what ParseDeltaMode reads.
func (m *DeltaMode) UnmarshalText(b []byte) (err error) {
	*m, err = ParseDeltaMode(string(b))
	return err
}

// Campaign sends one file, or a group configuration, to the devices of its sets
// over the groups of its regions.
type Campaign struct {
	ID               string         `json:"id"`
	SubscriberID     string         `json:"subscriber_id,omitempty"`
	Name             string         `json:"name"`
	Description      string         `json:"description,omitempty"`
	Created          time.Time      `json:"created,omitzero"`
	Started          time.Time      `json:"started,omitzero"`
	LastChanged      time.Time      `json:"last_changed,omitzero"`
	Ended            time.Time      `json:"ended,omitzero"`
	Type             CampaignType   `json:"type"`
	DeviceSets       []string       `json:"device_sets"`
	Regions          []string       `json:"regions"`
	RebootAt         time.Time      `json:"reboot_at,omitzero"`     // FOTA only; zero: asked for at once, or by itself
	SessionStart     time.Time      `json:"session_start,omitzero"` // zero: computed from the stages before it
	FileID           string         `json:"file_id,omitempty"`      // none for MCGROUP
	Delta            DeltaMode      `json:"delta"`                  // FOTA with a full image only
	Status           Status         `json:"status"`
	StatusReason     string         `json:"status_reason,omitempty"` // stable code of why it ended as it did
	Paused           bool           `json:"paused"`                  // an attribute of RUNNING
	MaxDuration      time.Duration  `json:"-"`                       // "max_duration_s": then devices are back in class A
	SuccessThreshold float64        `json:"success_threshold"`       // percent of devices, 0..100, held at the end of every stage
	Policy           CampaignPolicy `json:"policy,omitzero"`
	Schedule         Schedule       `json:"schedule,omitzero"`
	Phases           []Phase        `json:"phases,omitempty"` // none: all devices at once
	Abort            []AbortRule    `json:"abort,omitempty"`
	CatchUp          CatchUp        `json:"catch_up,omitzero"`
	NeedsApproval    bool           `json:"needs_approval,omitempty"` // of a second person, before it starts
	Approval         Approval       `json:"approval,omitzero"`        // zero: none, or void because of a later change
	ChangedBy        Person         `json:"changed_by,omitzero"`      // who created it or changed it last
	ScheduledFor     time.Time      `json:"scheduled_for,omitzero"`   // an attribute of CONFIGURED: when it will be started; zero: not by itself
	Archived         bool           `json:"archived"`
	Revision         int64          `json:"revision"`
}

// Validate reports everything that is wrong with c, as joined FieldErrors.
func (c Campaign) Validate() error {
	var k checks
	k.name("name", c.Name, true)
	k.text("description", c.Description, MaxDescription)
	k.that(int(c.Type) < len(campaignTypeNames), "type", "is unknown", "use one of "+quoted(campaignTypeNames))
	k.ids("device_sets", c.DeviceSets, "create a device set first and name it here")
	k.ids("regions", c.Regions, "create a region with multicast groups first and name it here")
	if c.Type == MCGroupCampaign {
		k.that(c.FileID == "", "file_id", "is set", "a MCGROUP campaign sends no file")
	} else {
		k.that(c.FileID != "", "file_id", "is missing", "upload a file first and name it here")
	}
	k.that(int(c.Delta) < len(deltaModeNames), "delta", "is unknown", "use one of "+quoted(deltaModeNames))
	k.that(c.Delta == DeltaAuto || c.Type == FOTACampaign, "delta", "is set", "only FOTA campaigns send deltas")
	k.that(c.RebootAt.IsZero() || c.Type == FOTACampaign, "reboot_at", "is set", "only FOTA campaigns reboot devices")
	k.that(c.RebootAt.IsZero() || c.RebootAt.After(c.SessionStart), "reboot_at", "is not after session_start", "devices reboot once they have the image")
	k.that(c.MaxDuration != 0, "max_duration_s", "is missing", "say after how many seconds devices fall back to class A, such as 32760 for class C")
	k.span("max_duration_s", c.MaxDuration, 90*24*time.Hour)
	k.percent("success_threshold", c.SuccessThreshold)
	c.Policy.check(&k)
	c.checkSchedule(&k)
	c.checkPhases(&k)
	return k.err()
}

// ids checks a list of references: at least one, none empty, each once.
func (c *checks) ids(field string, list []string, hint string) {
	c.that(len(list) > 0, field, "is empty", hint)
	seen := make(map[string]bool, len(list))
	for i, id := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		c.that(id != "", at, "is empty", "")
		c.that(!seen[id], at, "is in the list twice", "remove one of them")
		seen[id] = true
	}
}

type campaignJSON Campaign

type campaignDoc struct {
	campaignJSON
	MaxDuration seconds `json:"max_duration_s"`
}

// MarshalJSON writes the durations in seconds.
func (c Campaign) MarshalJSON() ([]byte, error) {
	return json.Marshal(campaignDoc{campaignJSON(c), seconds(c.MaxDuration)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Campaign) UnmarshalJSON(b []byte) error {
	doc := campaignDoc{campaignJSON(*c), seconds(c.MaxDuration)}
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*c = Campaign(doc.campaignJSON)
	c.MaxDuration = time.Duration(doc.MaxDuration)
	return nil
}
