package cli

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

// Decode is "decode", which needs no server.
type Decode struct {
	Port      uint8    `required:"" short:"p" placeholder:"FPORT" help:"FPort of the frame: 200 multicast set-up, 201 fragmentation, 202 clock synchronisation, 203 firmware management, 225 multi-package access."`
	Direction string   `required:"" short:"d" enum:"up,down" placeholder:"up|down" help:"Direction of the frame: ${enum}."`
	Version   uint8    `required:"" placeholder:"1|2" help:"Version of the package: the same bytes mean different things."`
	Package   string   `default:"" enum:",clock_sync,mc_setup,fragmentation,firmware_mgmt,multi_package" placeholder:"NAME" help:"Package, if it is not on its usual FPort: clock_sync, mc_setup, fragmentation, firmware_mgmt or multi_package."`
	Payload   []string `arg:"" name:"hex" help:"FRMPayload in clear, in hexadecimal digits; spaces do no harm."`
}

// Help is shown below the summary of the command.
func (*Decode) Help() string {
	return `Writes one line per command. What was understood is written even if the rest could not
be, which is exit code 5.

  starling decode --port 201 --direction down --version 1 01 00
  starling decode --port 200 --direction up --version 2 020100`
}

// packagesByName are what --package names.
var packagesByName = map[string]lorawan.PackageID{
	"clock_sync": lorawan.ClockSync, "mc_setup": lorawan.McSetup, "fragmentation": lorawan.Fragmentation,
	"firmware_mgmt": lorawan.FirmwareMgmt, "multi_package": lorawan.MultiPackage,
}

// parsers cut the payloads of a package: downlinks and uplinks.
var parsers = map[lorawan.PackageID][2]func(lorawan.Version, []byte) ([]lorawan.Command, error){
	lorawan.ClockSync:     {clocksync.ParseDownlink, clocksync.ParseUplink},
	lorawan.McSetup:       {multicast.ParseDownlink, multicast.ParseUplink},
	lorawan.Fragmentation: {fragmentation.ParseDownlink, fragmentation.ParseUplink},
	lorawan.FirmwareMgmt:  {firmware.ParseDownlink, firmware.ParseUplink},
}

// Run writes the commands of the payload.
func (d *Decode) Run(std *Streams) error {
	if d.Version != 1 && d.Version != 2 {
		return fmt.Errorf("%w: --version %d is none of 1 and 2", ErrUsage, d.Version)
	}
	text := strings.NewReplacer(" ", "", ":", "", "0x", "").Replace(strings.Join(d.Payload, ""))
	payload, err := hex.DecodeString(text)
	if err != nil {
		return fmt.Errorf("%w: the payload is not hexadecimal: %w", ErrUsage, err)
	}
	id, ok := packagesByName[d.Package]
	if !ok {
		if id, ok = (fleet.Ports{}).Package(d.Port); !ok {
			return fmt.Errorf("%w: FPort %d is usual for no package, say with --package which one uses it", ErrUsage, d.Port)
		}
	}
	if id == lorawan.MultiPackage {
		return d.multiPackage(std, payload)
	}
	parse := parsers[id][0]
	if d.Direction == "up" {
		parse = parsers[id][1]
	}
	commands, err := parse(lorawan.Version(d.Version), payload)
	for _, c := range commands {
		fmt.Fprintln(std.Out, c)
	}
	return notUnderstood(err)
}

// multiPackage writes the commands of a TS007 frame; the version is that of the packages in it.
func (d *Decode) multiPackage(std *Streams, payload []byte) error {
	v := lorawan.Version(d.Version)
	versions := multipackage.Versions{ClockSync: v, McSetup: v, Fragmentation: v, FirmwareMgmt: lorawan.V1}
	parse := multipackage.ParseDownlink
	if d.Direction == "up" {
		parse = multipackage.ParseUplink
	}
	m, err := parse(payload, versions)
	if err == nil && !m.NoToken {
		fmt.Fprintf(std.Out, "token=%d\n", m.Token)
	}
	for _, item := range m.Items {
		fmt.Fprintln(std.Out, item)
	}
	return notUnderstood(err)
}

func notUnderstood(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w payload: %w", ErrInvalid, err)
}
