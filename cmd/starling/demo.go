package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/starling-fuota/starling/internal/api"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/demo"
)

type demoCommand struct {
	File    string  `placeholder:"PATH" help:"Firmware to send, a plain binary; without it a small image that Starling makes itself."`
	From    string  `placeholder:"PATH" help:"Firmware that the devices run at the start: what leads from it to --file goes out as a signed delta."`
	Devices int     `default:"100" help:"Simulated devices."`
	Loss    float64 `default:"0.2" help:"Share of frames that every radio link loses, 0 to below 1."`
	Seed    uint64  `default:"1" help:"Of all luck: the same seed gives the same report."`
	Exit    bool    `help:"End when the campaigns have ended, instead of keeping the API up."`
	JSON    bool    `name:"json" help:"Write the report as one JSON object; progress goes to standard error."`
	Listen  string  `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address of the API that stays up."`
}

// Help is shown below the summary of the command.
func (*demoCommand) Help() string {
	return `Starts Starling on a fresh temporary database with a simulated fleet: two regions,
a class B and a class C group, devices of package versions 1 and 2. Three campaigns
run one after the other, in virtual time: multicast groups are configured, a binary
file is delivered, the firmware is upgraded, by a signed delta if it is known what
devices run (--from, or no --file at all). Then each device says what it runs.

Exit code 8 means that a campaign did not succeed.`
}

// Run shows the demo. Data goes to standard output, everything else to standard error.
func (d *demoCommand) Run(ctx context.Context, std *cli.Streams) (err error) {
	var ln net.Listener
	if !d.Exit {
		// Before the campaigns: nobody should wait for them to learn that the port is taken.
		if ln, err = (&net.ListenConfig{}).Listen(ctx, "tcp", d.Listen); err != nil {
			return fmt.Errorf("%w: cannot listen on %s, choose another address with --listen or do without with --exit: %w", cli.ErrUsage, d.Listen, err)
		}
		defer func() { _ = ln.Close() }()
	}
	log := slog.New(slog.NewTextHandler(std.Err, &slog.HandlerOptions{Level: slog.LevelError}))
	progress := std.Out
	if d.JSON {
		progress = std.Err
	}
	report, world, err := demo.Run(ctx, demo.Options{
		File: d.File, From: d.From, Devices: d.Devices, Loss: d.Loss, Seed: d.Seed, Progress: progress, Terminal: isTerminal(progress),
	}, log)
	switch {
	case errors.Is(err, demo.ErrOptions):
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	case errors.Is(err, demo.ErrImage):
		return fmt.Errorf("%w: %w", cli.ErrInvalid, err)
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	if d.JSON {
		err = report.WriteJSON(std.Out)
	} else {
		err = report.WriteTable(std.Out)
	}
	if err != nil {
		return err
	}
	if ln != nil {
		if err := d.stayUp(ctx, std, ln, world, log); err != nil {
			return err
		}
	}
	if !report.Succeeded() {
		return cli.ErrUnsuccessful
	}
	return nil
}

// stayUp serves the API of the demo's world until it is interrupted, which is its orderly end.
func (d *demoCommand) stayUp(ctx context.Context, std *cli.Streams, ln net.Listener, world *demo.World, log *slog.Logger) error {
	world.StayUp()
	version, _ := buildInfo()
	token, err := world.Token(ctx)
	if err != nil {
		return err
	}
	handler, _ := api.Handler(api.Config{Service: world.Service, Claims: world.Claims(), Log: log, Version: version})
	fmt.Fprintf(std.Err, `
The API stays up on http://%s until Ctrl-C; /docs shows it. With
    export STARLING_TOKEN=%s
"starling campaign list" and the other commands talk to it. The token ends with the demo.
`, ln.Addr(), token)
	working, cancel := context.WithCancel(ctx)
	worked := make(chan struct{})
	go func() { defer close(worked); world.Service.Work(working, log) }()
	defer func() { cancel(); <-worked }()
	return api.Serve(ctx, ln, nil, handler, log)
}

// isTerminal tells if w is a terminal that can redraw lines.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
