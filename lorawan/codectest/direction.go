package codectest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"

	"github.com/starling-fuota/starling/lorawan"
)

// Wire is one command and its bytes, in hexadecimal digits.
type Wire struct {
	Command lorawan.Command
	Hex     string // as Append writes them
	RFU     string // the same with every RFU bit set
}

// Direction is the half of a codec that reads what one side sends.
type Direction struct {
	Versions []lorawan.Version // in which Wires are written so
	Parse    func(lorawan.Version, []byte) ([]lorawan.Command, error)
	Next     func(lorawan.Version, []byte) (lorawan.Command, []byte, error)
	Wires    []Wire
	Seeds    []string // further input for Fuzz, in hexadecimal digits

	// Unsendable tells the commands that one side must be able to read, to refuse them,
	// and that the other may not write. nil: none.
	Unsendable func(lorawan.Command) bool
	// OpenEnded tells the commands whose end depends on what follows, so that they are
	// not read from a list as they are alone. nil: none.
	OpenEnded func(lorawan.Command) bool
}

// CheckWires checks that every command of Wires is written as its Hex, and that both its
// forms are read as the command. It returns what is wrong, joined, or nil.
func (d Direction) CheckWires() error {
	var found []error
	for _, v := range d.Versions {
		for _, w := range d.Wires {
			if b, err := w.Command.Append(nil, v); err != nil || hex.EncodeToString(b) != w.Hex {
				found = append(found, wrong("%s %v: wrote %x, %v; want %s", v, w.Command, b, err, w.Hex))
			}
			for _, s := range []string{w.Hex, w.RFU} {
				if err := d.checkRead(v, s, w.Command); err != nil {
					found = append(found, err)
				}
			}
		}
	}
	return errors.Join(found...)
}

func (d Direction) checkRead(v lorawan.Version, s string, want lorawan.Command) error {
	b, err := hex.DecodeString(s)
	if err != nil {
		return err
	}
	if got, err := d.Parse(v, b); err != nil || !reflect.DeepEqual(got, []lorawan.Command{want}) {
		return wrong("%s %s: read %v, %v; want %v", v, s, got, err, want)
	}
	return nil
}

// CheckBytes checks, for any bytes, that Parse and Next agree, that an error consumes
// nothing, and that each command that was read, and their list, can be written and is
// read again as the same. It returns the first thing that is wrong, or nil.
func (d Direction) CheckBytes(v lorawan.Version, b []byte) error {
	cmds, err := d.Parse(v, b)
	rest, writable := b, true
	for i, want := range cmds {
		cmd, left, err := d.Next(v, rest)
		if err != nil || !reflect.DeepEqual(cmd, want) {
			return wrong("%s % x: command %d of the list is %v, alone %v, %v", v, b, i, want, cmd, err)
		}
		if has(d.Unsendable, cmd) || has(d.OpenEnded, cmd) {
			writable = false
		}
		if err := d.checkCommand(v, cmd); err != nil {
			return err
		}
		rest = left
	}
	if err == nil {
		if len(rest) > 0 {
			return wrong("%s % x: Parse read all, Next left % x", v, b, rest)
		}
	} else if cmd, left, err := d.Next(v, rest); err == nil || len(left) != len(rest) {
		return wrong("%s % x: %v, %v, % x left; want an error that consumes nothing of % x", v, b, cmd, err, left, rest)
	}
	if !writable {
		return nil
	}
	out, err := lorawan.AppendAll(nil, v, cmds...)
	if err != nil {
		return wrong("%s % x: %v: %v", v, b, cmds, err)
	}
	if again, err := d.Parse(v, out); err != nil || !reflect.DeepEqual(again, cmds) {
		return wrong("%s % x: %v, then %v, %v", v, b, cmds, again, err)
	}
	return nil
}

// checkCommand checks that what was read can be written, and reads the same again.
func (d Direction) checkCommand(v lorawan.Version, cmd lorawan.Command) error {
	out, err := cmd.Append(nil, v)
	if has(d.Unsendable, cmd) {
		if err == nil {
			return wrong("%s %v: written as % x, want a refusal", v, cmd, out)
		}
		return nil
	}
	if err != nil {
		return wrong("%s %v: %v", v, cmd, err)
	}
	again, left, err := d.Next(v, out)
	if err != nil || len(left) > 0 || !reflect.DeepEqual(again, cmd) {
		return wrong("%s %v: written as % x and read as %v, % x left, %v", v, cmd, out, again, left, err)
	}
	return nil
}

func has(property func(lorawan.Command) bool, c lorawan.Command) bool {
	return property != nil && property(c)
}

// finding is what is wrong with a codec. It wraps nothing: an error of the codec is a part
// of the finding, and often there should have been one and is none.
type finding string

func (f finding) Error() string { return string(f) }

func wrong(format string, args ...any) error { return finding(fmt.Sprintf(format, args...)) }
