package bulk

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// The objects below are exported for people and other programs. There is no import: a file
// is its bytes, a key is its private half, and a campaign is of one server.

var fileColumns = []column[fleet.File]{
	informing("id", func(f *fleet.File) string { return f.ID }),
	informing("name", func(f *fleet.File) string { return f.Name }),
	informing("description", func(f *fleet.File) string { return f.Description }),
	informing("type", func(f *fleet.File) string { return f.Type.String() }),
	informing("format", func(f *fleet.File) string { return f.Format.String() }),
	informing("size", func(f *fleet.File) string { return strconv.FormatInt(f.Size, 10) }),
	informing("sha256", func(f *fleet.File) string { return f.SHA256 }),
	informing("uploaded_at", func(f *fleet.File) string { return writeTime(f.UploadedAt) }),
	informing("version", func(f *fleet.File) string { return f.Version.String() }),
	informing("base_version", func(f *fleet.File) string { return f.BaseVersion.String() }),
	informing("profile_id", func(f *fleet.File) string { return f.ProfileID }),
	informing("time_tolerance_s", func(f *fleet.File) string { return writeSeconds(f.TimeTolerance, Friendly) }),
	informing("default_uplink_period_s", func(f *fleet.File) string { return writeSeconds(f.DefaultUplinkPeriod, Friendly) }),
	informing("library", func(f *fleet.File) string { return f.Library.String() }),
	informing("smart_delta_key_id", func(f *fleet.File) string { return f.SmartDeltaKeyID }),
	informing("descriptor", func(f *fleet.File) string {
		if f.Descriptor == [4]byte{} {
			return ""
		}
		return hex.EncodeToString(f.Descriptor[:])
	}),
	informing("created_at", func(f *fleet.File) string { return writeTime(f.CreatedAt) }),
	informing("updated_at", func(f *fleet.File) string { return writeTime(f.UpdatedAt) }),
}

// smartDeltaKeyColumns have no column for the private key, whoever asks: it leaves the server
// one at a time, not as a table.
var smartDeltaKeyColumns = []column[fleet.SmartDeltaKey]{
	informing("id", func(k *fleet.SmartDeltaKey) string { return k.ID }),
	informing("name", func(k *fleet.SmartDeltaKey) string { return k.Name }),
	informing("description", func(k *fleet.SmartDeltaKey) string { return k.Description }),
	informing("public_key", func(k *fleet.SmartDeltaKey) string { return base64.StdEncoding.EncodeToString(k.PublicKey) }),
	informing("created_at", func(k *fleet.SmartDeltaKey) string { return writeTime(k.CreatedAt) }),
	informing("updated_at", func(k *fleet.SmartDeltaKey) string { return writeTime(k.UpdatedAt) }),
}

var campaignColumns = []column[fleet.Campaign]{
	informing("id", func(c *fleet.Campaign) string { return c.ID }),
	informing("name", func(c *fleet.Campaign) string { return c.Name }),
	informing("description", func(c *fleet.Campaign) string { return c.Description }),
	informing("type", func(c *fleet.Campaign) string { return c.Type.String() }),
	informing("status", func(c *fleet.Campaign) string { return c.Status.String() }),
	informing("status_reason", func(c *fleet.Campaign) string { return c.StatusReason }),
	informing("paused", func(c *fleet.Campaign) string { return strconv.FormatBool(c.Paused) }),
	informing("device_sets", func(c *fleet.Campaign) string { return strings.Join(c.DeviceSets, ";") }),
	informing("regions", func(c *fleet.Campaign) string { return strings.Join(c.Regions, ";") }),
	informing("file_id", func(c *fleet.Campaign) string { return c.FileID }),
	informing("delta", func(c *fleet.Campaign) string { return c.Delta.String() }),
	informing("created", func(c *fleet.Campaign) string { return writeTime(c.Created) }),
	informing("started", func(c *fleet.Campaign) string { return writeTime(c.Started) }),
	informing("last_changed", func(c *fleet.Campaign) string { return writeTime(c.LastChanged) }),
	informing("ended", func(c *fleet.Campaign) string { return writeTime(c.Ended) }),
	informing("session_start", func(c *fleet.Campaign) string { return writeTime(c.SessionStart) }),
	informing("reboot_at", func(c *fleet.Campaign) string { return writeTime(c.RebootAt) }),
	informing("max_duration_s", func(c *fleet.Campaign) string { return writeSeconds(c.MaxDuration, Friendly) }),
	informing("success_threshold", func(c *fleet.Campaign) string { return strconv.FormatFloat(c.SuccessThreshold, 'f', -1, 64) }),
	informing("policy.setup", func(c *fleet.Campaign) string { return c.Policy.Setup.String() }),
	informing("policy.redundancy", func(c *fleet.Campaign) string { return c.Policy.Redundancy.String() }),
	informing("policy.probe", func(c *fleet.Campaign) string { return strconv.FormatBool(c.Policy.Probe) }),
	informing("policy.close_at_threshold", func(c *fleet.Campaign) string { return strconv.FormatBool(c.Policy.CloseAtThreshold) }),
	policyNumber("retries", func(p *fleet.CampaignPolicy) int { return p.Retries }),
	policyTime("late_answer_s", func(p *fleet.CampaignPolicy) time.Duration { return p.LateAnswer }),
	policyTime("session_lead_s", func(p *fleet.CampaignPolicy) time.Duration { return p.SessionLead }),
	policyNumber("beacons_to_wait", func(p *fleet.CampaignPolicy) int { return int(p.BeaconsToWait) }),
	policyTime("first_fragment_delay_s", func(p *fleet.CampaignPolicy) time.Duration { return p.FirstFragmentDelay }),
	policyTime("multicast_delay_s", func(p *fleet.CampaignPolicy) time.Duration { return p.MulticastDelay }),
	policyNumber("frag_size", func(p *fleet.CampaignPolicy) int { return int(p.FragSize) }),
	policyNumber("max_coded_percent", func(p *fleet.CampaignPolicy) int { return int(p.MaxCodedPercent) }),
	policyNumber("max_rounds", func(p *fleet.CampaignPolicy) int { return int(p.MaxRounds) }),
	policyNumber("status_by_multicast_above", func(p *fleet.CampaignPolicy) int { return p.StatusByMulticastAbove }),
	policyTime("flash_time_s", func(p *fleet.CampaignPolicy) time.Duration { return p.FlashTime }),
}

// policyNumber and policyTime return columns of settings. One that was not set is an empty
// cell, because 0 stands for its default.
func policyNumber(name string, part func(*fleet.CampaignPolicy) int) column[fleet.Campaign] {
	return informing("policy."+name, func(c *fleet.Campaign) string {
		n := part(&c.Policy)
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	})
}

func policyTime(name string, part func(*fleet.CampaignPolicy) time.Duration) column[fleet.Campaign] {
	return informing("policy."+name, func(c *fleet.Campaign) string {
		d := part(&c.Policy)
		if d == 0 {
			return ""
		}
		return writeSeconds(d, Friendly)
	})
}
