package fleet

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
)

// DefaultSubscriber is the subscriber that every installation has from its beginning: who
// serves only himself never needs another.
const DefaultSubscriber = "default"

// Subscriber is a tenant: whose devices, files and campaigns these are. Nobody of one
// subscriber sees anything of another. Its identifier is a short name such as "acme-water".
type Subscriber struct {
	ID            string             `json:"id"`
	Name          string             `json:"name"`
	Description   string             `json:"description,omitempty"`
	Quota         Quota              `json:"quota,omitzero"`
	Defaults      SubscriberDefaults `json:"defaults,omitzero"`
	VersionMaxAge time.Duration      `json:"-"` // "version_max_age_s": older firmware versions are asked for again; 0: never
	// ApproveCampaigns has every campaign of the subscriber need the approval of a second person.
	ApproveCampaigns bool      `json:"approve_campaigns,omitempty"`
	NetworkURL       string    `json:"network_url,omitempty"` // of its network server
	ASID             string    `json:"as_id,omitempty"`       // how the network server knows this application server
	ASKey            []byte    `json:"-"`                     // what it authenticates with there
	Archived         bool      `json:"archived"`
	CreatedAt        time.Time `json:"created_at,omitzero"`
	UpdatedAt        time.Time `json:"updated_at,omitzero"`
	Revision         int64     `json:"revision"`
}

// Quota bounds what a subscriber may have; 0: unlimited. Archived objects do not count.
type Quota struct {
	Devices          int `json:"devices,omitempty"`
	Groups           int `json:"groups,omitempty"`
	RunningCampaigns int `json:"running_campaigns,omitempty"`
}

// SubscriberDefaults are what new objects of a subscriber get when they do not say otherwise.
type SubscriberDefaults struct {
	Band                region.Band   `json:"band,omitzero"` // of multicast groups
	TimeTolerance       time.Duration `json:"-"`             // "time_tolerance_s", of device profiles
	DefaultUplinkPeriod time.Duration `json:"-"`             // "default_uplink_period_s", of device profiles
	MaxDuration         time.Duration `json:"-"`             // "max_duration_s", of campaigns
	SuccessThreshold    float64       `json:"success_threshold,omitempty"`
}

// Bounds of a subscriber.
const (
	maxSubscriberID = 64
	maxASKey        = 4096 // bytes
	maxQuota        = 1_000_000_000
)

// Validate reports everything that is wrong with s, as joined FieldErrors.
func (s Subscriber) Validate() error {
	var c checks
	c.that(isSlug(s.ID), "id", "is not 1 to 64 lower-case letters, digits and hyphens", `give a short name such as "acme-water"`)
	c.name("name", s.Name, true)
	c.text("description", s.Description, MaxDescription)
	c.quota("quota.devices", s.Quota.Devices)
	c.quota("quota.groups", s.Quota.Groups)
	c.quota("quota.running_campaigns", s.Quota.RunningCampaigns)
	d := s.Defaults
	c.span("defaults.time_tolerance_s", d.TimeTolerance, 24*time.Hour)
	c.span("defaults.default_uplink_period_s", d.DefaultUplinkPeriod, 31*24*time.Hour)
	c.span("defaults.max_duration_s", d.MaxDuration, 90*24*time.Hour)
	c.percent("defaults.success_threshold", d.SuccessThreshold)
	c.span("version_max_age_s", s.VersionMaxAge, 10*365*24*time.Hour)
	c.that(s.NetworkURL == "" || isPlainURL(s.NetworkURL), "network_url", "is not a URL without credentials", "give something like https://network.example.com; the key goes into as_key")
	c.text("network_url", s.NetworkURL, MaxName)
	c.text("as_id", s.ASID, MaxName)
	c.that(len(s.ASKey) <= maxASKey, "as_key", "is longer than 4096 bytes", "")
	return c.err()
}

func (c *checks) quota(field string, n int) {
	c.that(n >= 0 && n <= maxQuota, field, "is not within 0 to 1000000000", "0 stands for unlimited")
}

// isPlainURL tells if s begins as a web address does, and holds no credentials. The rest of its form is seen where it is used.
func isPlainURL(s string) bool {
	scheme, rest, _ := strings.Cut(s, "://")
	host, _, _ := strings.Cut(rest, "/")
	return (scheme == "http" || scheme == "https") && host != "" && !strings.ContainsAny(host, "@ \t\"<>") && !strings.ContainsAny(s, " \t")
}

// isSlug tells if s can be part of an address without being escaped.
func isSlug(s string) bool {
	return s != "" && len(s) <= maxSubscriberID && s[0] != '-' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

type (
	subscriberJSON         Subscriber
	subscriberDefaultsJSON SubscriberDefaults
)

type subscriberDoc struct {
	subscriberJSON
	VersionMaxAge seconds `json:"version_max_age_s"`
}

type subscriberDefaultsDoc struct {
	subscriberDefaultsJSON
	TimeTolerance       seconds `json:"time_tolerance_s"`
	DefaultUplinkPeriod seconds `json:"default_uplink_period_s"`
	MaxDuration         seconds `json:"max_duration_s"`
}

// MarshalJSON writes the durations in seconds.
func (s Subscriber) MarshalJSON() ([]byte, error) {
	return json.Marshal(subscriberDoc{subscriberJSON(s), seconds(s.VersionMaxAge)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Subscriber) UnmarshalJSON(b []byte) error {
	doc := subscriberDoc{subscriberJSON(*s), seconds(s.VersionMaxAge)}
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*s = Subscriber(doc.subscriberJSON)
	s.VersionMaxAge = time.Duration(doc.VersionMaxAge)
	return nil
}

// MarshalJSON writes the durations in seconds.
func (d SubscriberDefaults) MarshalJSON() ([]byte, error) {
	return json.Marshal(subscriberDefaultsDoc{subscriberDefaultsJSON(d), seconds(d.TimeTolerance), seconds(d.DefaultUplinkPeriod), seconds(d.MaxDuration)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *SubscriberDefaults) UnmarshalJSON(b []byte) error {
	doc := subscriberDefaultsDoc{subscriberDefaultsJSON(*d), seconds(d.TimeTolerance), seconds(d.DefaultUplinkPeriod), seconds(d.MaxDuration)}
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*d = SubscriberDefaults(doc.subscriberDefaultsJSON)
	d.TimeTolerance, d.DefaultUplinkPeriod, d.MaxDuration = time.Duration(doc.TimeTolerance), time.Duration(doc.DefaultUplinkPeriod), time.Duration(doc.MaxDuration)
	return nil
}
