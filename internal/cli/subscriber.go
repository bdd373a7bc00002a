package cli

import "context"

// Subscriber is "subscriber". The flag --subscriber of a connection has nothing to do with it.
type Subscriber struct {
	Connection
	List    List                     `cmd:"" help:"List subscribers."`
	Show    Show                     `cmd:"" help:"Show a subscriber."`
	Create  Create[newSubscriber]    `cmd:"" help:"Create a subscriber."`
	Update  Update[subscriberFields] `cmd:"" help:"Change a subscriber."`
	Archive Archive                  `cmd:"" help:"Take subscribers out of the lists."`
	Export  exportList               `cmd:"" help:"Write all subscribers as a table."`
}

func (*Subscriber) noun() *noun {
	return &noun{path: "subscribers", fields: "archived, created_at, id, name, updated_at",
		columns: columns{"id", "name", "quota", "description"},
		wide:    append(columns{"defaults", "version_max_age_s", "approve_campaigns", "network_url", "as_id", "as_key_set"}, stamps...)}
}

type quotaFlags struct {
	Devices          *int `json:"devices,omitempty" placeholder:"N" help:"Most devices; 0: unlimited."`
	Groups           *int `json:"groups,omitempty" placeholder:"N" help:"Most multicast groups; 0: unlimited."`
	RunningCampaigns *int `json:"running_campaigns,omitempty" placeholder:"N" help:"Most campaigns at once; 0: unlimited."`
}

type defaultFlags struct {
	Band                *string  `json:"band,omitempty" help:"Of multicast groups, such as EU868."`
	TimeTolerance       *seconds `json:"time_tolerance_s,omitempty" placeholder:"TIME" help:"Of device profiles: clock drift to allow for."`
	DefaultUplinkPeriod *seconds `json:"default_uplink_period_s,omitempty" name:"uplink-period" placeholder:"TIME" help:"Of device profiles: time between uplinks."`
	MaxDuration         *seconds `json:"max_duration_s,omitempty" placeholder:"TIME" help:"Of campaigns."`
	SuccessThreshold    *float64 `json:"success_threshold,omitempty" placeholder:"PERCENT" help:"Of campaigns."`
}

type subscriberFields struct {
	Name             *string  `json:"name,omitempty" help:"For people."`
	Description      *string  `json:"description,omitempty" help:"For people, longer."`
	ApproveCampaigns *bool    `json:"approve_campaigns,omitempty" negatable:"" help:"Every campaign starts only when a second person has approved it."`
	VersionMaxAge    *seconds `json:"version_max_age_s,omitempty" placeholder:"TIME" help:"Older firmware versions are asked for again, such as 30d; 0: never."`
	NetworkURL       *string  `json:"network_url,omitempty" name:"network-url" placeholder:"URL" help:"Its network server."`
	ASID             *string  `json:"as_id,omitempty" name:"as-id" placeholder:"TEXT" help:"How the network server knows this application server."`
	ASKeyFile        string   `json:"-" name:"as-key-file" placeholder:"FILE" complete:"file" help:"File with what it authenticates with there; - for standard input."`

	Quota    quotaFlags   `json:"quota,omitzero" embed:"" prefix:"quota-" group:"Quotas:"`
	Defaults defaultFlags `json:"defaults,omitzero" embed:"" prefix:"default-" group:"What new objects get when they do not say otherwise:"`
}

func (f subscriberFields) secrets(_ context.Context, std *Streams) (map[string]string, error) {
	return secret(std, "as_key", f.ASKeyFile)
}

// newSubscriber is what only "create" can say.
type newSubscriber struct {
	ID *string `json:"id,omitempty" name:"id" placeholder:"NAME" help:"Short name that stays, such as acme-water."`
	subscriberFields
}
