package cli

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// seconds is a time that the API takes in seconds, and people give as they like.
type seconds float64

// UnmarshalText reads a number of seconds, or a duration such as "90s", "12h" or "90d".
func (s *seconds) UnmarshalText(b []byte) error {
	if n, err := strconv.ParseFloat(string(b), 64); err == nil {
		*s = seconds(n)
		return nil
	}
	if number, days := strings.CutSuffix(string(b), "d"); days {
		if n, err := strconv.ParseFloat(number, 64); err == nil {
			*s = seconds(n * 24 * 60 * 60)
			return nil
		}
	}
	d, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no duration, use seconds or something like 90s, 15m, 12h or 90d", b)
	}
	*s = seconds(d.Seconds())
	return nil
}

// parseTime reads the value of a flag that is a *time.Time.
func parseTime(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("time", &text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("%q is no time, use something like 2026-03-01T02:00:00Z", text)
	}
	target.Set(reflect.ValueOf(&at))
	return nil
}

// packageFlags are the package versions of a device.
type packageFlags struct {
	Packages      string `json:"-" default:"" enum:",v1,v2" placeholder:"v1|v2" help:"Clock synchronisation, multicast set-up and fragmentation of this version, and firmware management; the flags below for what differs."`
	ClockSync     *uint8 `json:"clock_sync,omitempty" placeholder:"0|1|2" help:"Version of clock synchronisation; 0: the device does not have it."`
	McSetup       *uint8 `json:"mc_setup,omitempty" name:"mc-setup" placeholder:"0|1|2" help:"Version of multicast set-up."`
	Fragmentation *uint8 `json:"fragmentation,omitempty" placeholder:"0|1|2" help:"Version of fragmentation."`
	FirmwareMgmt  *uint8 `json:"firmware_mgmt,omitempty" name:"firmware-mgmt" placeholder:"0|1" help:"Version of firmware management."`
	MultiPackage  *uint8 `json:"multi_package,omitempty" placeholder:"0|1" help:"Version of multi-package access."`
}

// MarshalJSON writes the versions that the flags stand for.
func (f packageFlags) MarshalJSON() ([]byte, error) {
	if f.Packages != "" {
		version := f.Packages[1] - '0'
		for _, p := range []**uint8{&f.ClockSync, &f.McSetup, &f.Fragmentation} {
			if *p == nil {
				*p = &version
			}
		}
		if f.FirmwareMgmt == nil {
			f.FirmwareMgmt = new(uint8(1)) // it has one version
		}
	}
	type plain packageFlags // without this method
	return json.Marshal(plain(f))
}

// portFlags are the FPorts of packages.
type portFlags struct {
	ClockSync     *uint8 `json:"clock_sync,omitempty" placeholder:"FPORT" help:"FPort of clock synchronisation; 0: 202."`
	McSetup       *uint8 `json:"mc_setup,omitempty" name:"mc-setup" placeholder:"FPORT" help:"FPort of multicast set-up; 0: 200."`
	Fragmentation *uint8 `json:"fragmentation,omitempty" placeholder:"FPORT" help:"FPort of fragmentation; 0: 201."`
	FirmwareMgmt  *uint8 `json:"firmware_mgmt,omitempty" name:"firmware-mgmt" placeholder:"FPORT" help:"FPort of firmware management; 0: 203."`
}

// decoderFlags are the limits of a fragmentation decoder.
type decoderFlags struct {
	MaxNbFrag        *uint16 `json:"max_nb_frag,omitempty" name:"max-nb-frag" placeholder:"N" help:"Most uncoded fragments that the decoder takes; 0: unlimited."`
	MinFragSize      *uint8  `json:"min_frag_size,omitempty" placeholder:"BYTES" help:"Smallest fragment that it takes."`
	MaxFragSize      *uint8  `json:"max_frag_size,omitempty" placeholder:"BYTES" help:"Largest fragment that it takes; 0: unlimited."`
	FragSizeMultiple *uint8  `json:"frag_size_multiple,omitempty" placeholder:"BYTES" help:"The size of fragments must be a multiple of this."`
	MaxLost          *uint16 `json:"max_lost,omitempty" placeholder:"N" help:"Most lost fragments that it can make up for; 0: unlimited."`
}

// powerFlags are what the radio of a device draws.
type powerFlags struct {
	Volts      *float64 `json:"volts,omitempty" placeholder:"V" help:"Supply of the radio; 0: 3.3."`
	TransmitMA *float64 `json:"transmit_ma,omitempty" name:"transmit" placeholder:"MA" help:"Current while it transmits; 0: 25.5."`
	ReceiveMA  *float64 `json:"receive_ma,omitempty" name:"receive" placeholder:"MA" help:"Current while it receives; 0: 5.3."`
	SleepMA    *float64 `json:"sleep_ma,omitempty" name:"sleep" placeholder:"MA" help:"Current while it sleeps; 0: 0.0012."`
	BatteryMAH *float64 `json:"battery_mah,omitempty" name:"battery" placeholder:"MAH" help:"Capacity of the battery; 0: not known."`
}

// policyFlags tune a campaign.
type policyFlags struct {
	Setup                  *string  `json:"setup,omitempty" placeholder:"MODE" help:"pipelined (a device moves on as soon as it has answered) or sequential (stage by stage)."`
	Redundancy             *string  `json:"redundancy,omitempty" placeholder:"MODE" help:"adaptive (as many coded fragments as the worst device needs), fixed (the group's) or carousel (everything again)."`
	Probe                  *bool    `json:"probe,omitempty" negatable:"" help:"Ask each device for its version, packages, groups and clock before it is set up."`
	CloseAtThreshold       *bool    `json:"close_at_threshold,omitempty" negatable:"" help:"End a stage as soon as the success threshold is reached."`
	Retries                *int     `json:"retries,omitempty" placeholder:"N" help:"How often an unanswered command is repeated; 0: 3, negative: never."`
	MaxRounds              *uint8   `json:"max_rounds,omitempty" placeholder:"N" help:"Rounds of status and repair; 0: 5."`
	MaxCodedPercent        *uint16  `json:"max_coded_percent,omitempty" placeholder:"PERCENT" help:"Most coded fragments, of the uncoded ones; 0: 100."`
	FragSize               *uint8   `json:"frag_size,omitempty" placeholder:"BYTES" help:"Size of fragments; 0: computed."`
	StatusByMulticastAbove *int     `json:"status_by_multicast_above,omitempty" placeholder:"N" help:"Ask for the status by multicast if more devices are silent; 0: always."`
	LateAnswer             *seconds `json:"late_answer_s,omitempty" placeholder:"TIME" help:"Time for stragglers at the end of a stage; 0: 60s."`
	SessionLead            *seconds `json:"session_lead_s,omitempty" placeholder:"TIME" help:"Time before a computed session start; 0: 60s."`
	BeaconsToWait          *uint8   `json:"beacons_to_wait,omitempty" placeholder:"N" help:"Class B: beacon periods to lock on to; 0: 4."`
	FirstFragmentDelay     *seconds `json:"first_fragment_delay_s,omitempty" placeholder:"TIME" help:"From the session start to the first fragment; 0: the time tolerance."`
	MulticastDelay         *seconds `json:"multicast_delay_s,omitempty" placeholder:"TIME" help:"Least time between fragments; 0: as the network takes them."`
	FlashTime              *seconds `json:"flash_time_s,omitempty" placeholder:"TIME" help:"From a reboot to the first uplink of the new firmware; 0: 120s."`
}
