// Command blinky writes a small firmware image to try a campaign with:
//
//	go run ./examples/blinky 2.0.0.0 > blinky.bin
package main

import (
	"fmt"
	"os"

	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/fleet"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: blinky VERSION > FILE, with a version such as 2.0.0.0")
		os.Exit(2)
	}
	version, err := fleet.ParseFirmware(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "blinky:", err)
		os.Exit(2)
	}
	if _, err := os.Stdout.Write(blinky.Image(version.Uint32())); err != nil {
		fmt.Fprintln(os.Stderr, "blinky:", err)
		os.Exit(1)
	}
}
