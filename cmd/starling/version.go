package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/starling-fuota/starling/internal/cli"
)

type version struct{}

// Run writes the version, and what it was built from and with.
func (version) Run(std *cli.Streams) error {
	v, commit := buildInfo()
	_, err := fmt.Fprintf(std.Out, "starling %s %s %s %s/%s\n", v, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildInfo returns what the Go tool noted in the program.
func buildInfo() (version, commit string) {
	version, commit = "(devel)", "(no commit)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return version, commit
}
