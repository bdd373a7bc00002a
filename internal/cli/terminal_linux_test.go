package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminals stay open as long as the tests run: a read that was broken off still holds its
// file descriptor, which must not become that of another one.
var terminals []*os.File

// terminal is a pseudo-terminal: what a test types, and the end at which a command asks.
func terminal(t *testing.T) (typed, tty *os.File) {
	t.Helper()
	typed, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(typed.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	terminals = append(terminals, typed, tty)
	return typed, tty
}

// typist is a writer that types an answer after each question.
type typist struct {
	bytes.Buffer
	t       *testing.T
	typed   io.Writer
	tty     *os.File
	answers []string
}

// Write notes what is asked, and answers.
func (y *typist) Write(p []byte) (int, error) {
	if text := strings.TrimRight(string(p), " "); (strings.HasSuffix(text, ":") || strings.HasSuffix(text, "]")) && len(y.answers) > 0 {
		if _, err := io.WriteString(y.typed, y.answers[0]+"\n"); err != nil {
			y.t.Error(err)
		}
		y.answers = y.answers[1:]
	}
	return y.Buffer.Write(p)
}

// streams are those of a command at a terminal where somebody answers.
func streams(t *testing.T, answers ...string) (*Streams, *typist) {
	typed, tty := terminal(t)
	y := &typist{t: t, typed: typed, tty: tty, answers: answers}
	return &Streams{In: tty, Out: io.Discard, Err: y}, y
}

func TestQuestionsAreAnsweredAtTheTerminal(t *testing.T) {
	std, y := streams(t, "joe", "correct horse", "y", "No", "")
	ctx := context.Background()
	if name, err := std.ask(ctx, "Login: ", false); err != nil || name != "joe" {
		t.Errorf("%q, %v", name, err)
	}
	if password, err := std.ask(ctx, "Password: ", true); err != nil || password != "correct horse" {
		t.Errorf("%q, %v", password, err)
	}
	if err := std.confirm(ctx, "archive 3 devices", false); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := std.confirm(ctx, "archive 3 devices", false); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "nothing was done") {
			t.Error(err)
		}
	}
	if got, want := y.String(), "Login: Password: \n"+strings.Repeat("Archive 3 devices? [y/N] ", 3); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestANewPasswordIsTypedTwice(t *testing.T) {
	std, _ := streams(t, "correct horse", "correct horse")
	if p, err := std.newPassword(context.Background()); err != nil || p != "correct horse" {
		t.Errorf("%q, %v", p, err)
	}
	std, _ = streams(t, "correct horse", "correct house")
	if _, err := std.newPassword(context.Background()); !errors.Is(err, ErrUsage) {
		t.Error(err)
	}
}

// Whoever breaks a password off must see again what they type.
func TestAnInterruptedQuestionLeavesTheTerminalAsItWas(t *testing.T) {
	std, y := streams(t)
	before, err := term.GetState(int(y.tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(context.Background())
	go func() {
		// As soon as nothing that is typed can be seen.
		for now, err := before, error(nil); err == nil && *now == *before; runtime.Gosched() {
			now, err = term.GetState(int(y.tty.Fd()))
		}
		interrupt()
	}()
	if _, err := std.ask(ctx, "Password: ", true); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if after, err := term.GetState(int(y.tty.Fd())); err != nil || *after != *before {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestWithoutATerminalNobodyIsAsked(t *testing.T) {
	std := &Streams{In: strings.NewReader("y\n"), Err: &bytes.Buffer{}}
	if err := std.confirm(context.Background(), "archive 3 devices", false); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "--yes") {
		t.Error(err)
	}
	if err := std.confirm(context.Background(), "archive 3 devices", true); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreReadLineByLine(t *testing.T) {
	for in, want := range map[string][]string{"a\nb\n": {"a", "b"}, "a b \r\nc": {"a b ", "c"}, "a\n": nil, "\nb\n": nil, "": nil} {
		got, err := (&Streams{In: strings.NewReader(in)}).secretLines(2)
		if strings.Join(got, "|") != strings.Join(want, "|") || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
