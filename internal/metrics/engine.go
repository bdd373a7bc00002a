package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// engineMetrics count what goes over the air, and what came of it.
type engineMetrics struct {
	fragments, commands, uplinks, downlinks, campaigns, devices *prometheus.CounterVec
	command, kind, result, reason                               *words
}

// Limits of values that code of other packages chooses. There are some 40 commands and reasons.
const (
	maxCommands = 64
	maxTypes    = 16
	maxResults  = 16
	maxReasons  = 64
)

func newEngineMetrics() engineMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return engineMetrics{
		fragments: counter("fuota_fragments_sent_total", "Fragments handed to the network server.", "kind", "class"),
		commands:  counter("fuota_commands_total", "Commands sent to devices and groups, fragments apart.", "package", "command"),
		uplinks:   counter("fuota_uplinks_total", "Uplinks received from the network server.", "port"),
		downlinks: counter("fuota_downlinks_total", "Downlinks handed to the network server.", "port"),
		campaigns: counter("fuota_campaign_finished_total", "Campaigns that ended.", "type", "result"),
		devices:   counter("fuota_device_updates_total", "Devices whose part in a campaign ended.", "result", "reason"),
		command:   newWords(maxCommands), kind: newWords(maxTypes), result: newWords(maxResults), reason: newWords(maxReasons),
	}
}

func (e engineMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{e.fragments, e.commands, e.uplinks, e.downlinks, e.campaigns, e.devices}
}

// FragmentSent counts a fragment that was handed to the network server. kind is data
// (uncoded), parity or repair; class is the class of the session: A, B or C. Others count as "other".
func (r *Registry) FragmentSent(kind, class string) {
	if r == nil {
		return
	}
	r.engine.fragments.WithLabelValues(oneOf(kind, "data", "parity", "repair"), oneOf(class, "A", "B", "C")).Inc()
}

// CommandSent counts a command of a package: clocksync, fragmentation, multicast, firmware or multipackage.
// command is its name in the specification, such as FragSessionSetupReq.
func (r *Registry) CommandSent(pkg, command string) {
	if r == nil {
		return
	}
	r.engine.commands.WithLabelValues(oneOf(pkg, "clocksync", "fragmentation", "multicast", "firmware", "multipackage"), r.engine.command.value(command)).Inc()
}

// Uplink counts an uplink by its FPort.
func (r *Registry) Uplink(port uint8) {
	if r == nil {
		return
	}
	r.engine.uplinks.WithLabelValues(strconv.Itoa(int(port))).Inc()
}

// Downlink counts a downlink by its FPort.
func (r *Registry) Downlink(port uint8) {
	if r == nil {
		return
	}
	r.engine.downlinks.WithLabelValues(strconv.Itoa(int(port))).Inc()
}

// CampaignFinished counts a campaign that ended: its type, such as FOTA, and its final status.
func (r *Registry) CampaignFinished(typ, result string) {
	if r == nil {
		return
	}
	r.engine.campaigns.WithLabelValues(r.engine.kind.value(typ), r.engine.result.value(result)).Inc()
}

// DeviceUpdated counts a device whose part in a campaign ended: the outcome, and the
// stable code of its reason ("" counts as "none").
func (r *Registry) DeviceUpdated(result, reason string) {
	if r == nil {
		return
	}
	r.engine.devices.WithLabelValues(r.engine.result.value(result), r.engine.reason.value(reason)).Inc()
}
