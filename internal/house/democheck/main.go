// Command democheck runs `starling demo` on firmware images and checks its report:
// CI's proof that the command on the first screen of the README does what it says.
//
//	democheck IMAGE... OLD:NEW...
//	             |        |
//	             |        +- --from OLD --file NEW: a delta goes out; right and the same
//	             +- go run ./cmd/starling demo ... --file IMAGE    report is right
//	             +- the same once more                             report is the same
//	             +- the same with --loss 0.95                      exit code 8
//
// It must run in the root of the module. It does not look inside of the server: the
// report on standard output and the exit code are all it knows.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What the demo is run with, as the README shows it.
const (
	devices = 200
	loss    = "0.3"
	seed    = "7"
)

// belowThreshold is the exit code of a campaign that ended below its success threshold.
const belowThreshold = 8

// patience is far more than a run takes: it turns a demo that hangs into a failure with a name.
const patience = 5 * time.Minute

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: democheck IMAGE... OLD:NEW...")
		os.Exit(2)
	}
	if err := checkAll(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "democheck:", err)
		os.Exit(1)
	}
}

func checkAll(ctx context.Context, images []string) error {
	dir, err := os.MkdirTemp("", "democheck")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder that stays harms nobody

	// go run hides the exit code of the program, so all runs but the first use a binary.
	binary := filepath.Join(dir, "starling")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/starling")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/starling: %w: %s", err, out)
	}
	asInReadme := program("go", "run", "./cmd/starling")
	built := program(binary)

	for _, arg := range images {
		f := firmware{path: arg}
		if from, path, pair := strings.Cut(arg, ":"); pair {
			f = firmware{path: path, from: from}
		}
		if f.image, err = os.ReadFile(f.path); err != nil {
			return err
		}
		start := time.Now()
		if err := checkImage(ctx, asInReadme, built, f); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		fmt.Printf("demo of %s (%d bytes): right, repeatable%s; %v\n", f, len(f.image), map[bool]string{true: ", honest about failure"}[f.from == ""], time.Since(start).Round(time.Millisecond))
	}
	return nil
}

// firmware is what one demo sends.
type firmware struct {
	path  string
	from  string // of the image that devices run; "": unknown
	image []byte // what stands in path
}

// String names the files without their folders.
func (f firmware) String() string {
	if f.from == "" {
		return filepath.Base(f.path)
	}
	return filepath.Base(f.from) + " to " + filepath.Base(f.path)
}

// runner runs the program with arguments; the exit code is not an error.
type runner func(ctx context.Context, args ...string) (stdout []byte, exitCode int, err error)

// program returns the runner of a command, whose messages on standard error become part of an error.
func program(command ...string) runner {
	return func(ctx context.Context, args ...string) ([]byte, int, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, command[0], append(command[1:len(command):len(command)], args...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.WaitDelay = time.Second // go run leaves a child behind that holds the pipes
		err := cmd.Run()
		var exit *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return nil, 0, fmt.Errorf("%q did not end within %v: %s", cmd.Args, patience, stderr.Bytes())
		case errors.As(err, &exit):
			return stdout.Bytes(), exit.ExitCode(), nil
		case err != nil:
			return nil, 0, fmt.Errorf("%q: %w", cmd.Args, err)
		}
		return stdout.Bytes(), 0, nil
	}
}

// checkImage runs the demo with a firmware and checks what it says.
func checkImage(ctx context.Context, asInReadme, built runner, f firmware) error {
	args := func(loss string) []string {
		a := []string{
			"demo", "--devices", strconv.Itoa(devices), "--loss", loss, "--seed", seed,
			"--exit", "--json", "--file", f.path,
		}
		if f.from != "" {
			a = append(a, "--from", f.from)
		}
		return a
	}

	first, code, err := asInReadme(ctx, args(loss)...)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("loss %s: exit code %d, want 0: %s", loss, code, first)
	}
	r, err := parse(first)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(f.image)
	if err := r.check(devices, hex.EncodeToString(sum[:]), f.from != ""); err != nil {
		return err
	}

	second, code, err := built(ctx, args(loss)...)
	if err != nil {
		return err
	}
	if code != 0 || !bytes.Equal(first, second) {
		return fmt.Errorf("seed %s twice: exit codes 0 and %d, reports differ: %s", seed, code, difference(first, second))
	}

	if f.from != "" {
		return nil // how failure looks does not depend on what was sent
	}
	const hopeless = "0.95"
	third, code, err := built(ctx, args(hopeless)...)
	if err != nil {
		return err
	}
	if code != belowThreshold {
		return fmt.Errorf("loss %s: exit code %d, want %d", hopeless, code, belowThreshold)
	}
	if r, err = parse(third); err != nil {
		return fmt.Errorf("loss %s: %w", hopeless, err)
	}
	if r.succeeded() {
		return fmt.Errorf("loss %s: exit code %d, yet the report says that all campaigns succeeded", hopeless, code)
	}
	return nil
}

// difference shows where two reports part.
func difference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	near := func(s []byte) []byte { return s[max(0, i-60):min(len(s), i+60)] }
	return fmt.Sprintf("at byte %d: %q, %q", i, near(a), near(b))
}
