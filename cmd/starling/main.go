// Command starling is the FUOTA server and its command line.
//
//	starling demo             the main job, shown on a simulated fleet
//	starling simulate         ways to update a fleet, compared on a simulated network
//	starling serve            the server
//	starling admin init       its first administrator
//	starling campaign list    the client; likewise device, set, group, region, file, profile, key
//	starling login            who uses the server; likewise logout, whoami, context, user, token
//	starling job list         what the server does beside; likewise subscriber, audit, report, secret
//	starling completion bash  what completes all of that in a shell
//	starling help exit-codes  what exit codes, contexts and forms of output mean
//	starling decode           the commands in a payload, without a server
//	starling delta            patches between firmware images, without a server
//	starling version
//
// Exit codes are those of package cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // windows of campaigns have time zones, and containers and small machines often have none

	"github.com/starling-fuota/starling/internal/cli"
)

// commands is the grammar of the command line: a field per command, run by its Run method.
type commands struct {
	Demo    demoCommand `cmd:"" help:"Show the main job on a simulated fleet."`
	WhatIf  whatIf      `cmd:"" name:"simulate" help:"Compare ways to update a simulated fleet."`
	Serve   serve       `cmd:"" help:"Run the server."`
	Admin   admin       `cmd:"" help:"Make the first administrator, or give a user another password, on the database itself."`
	Decode  cli.Decode  `cmd:"" help:"Show the commands in the payload of a frame."`
	Version version     `cmd:"" help:"Show the version of this program."`
	cli.Campaigns
	cli.Objects
	cli.Administration
	cli.Program
}

func main() {
	// A second signal ends the program at once: stop gives signals their usual effect back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, &commands{}, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
