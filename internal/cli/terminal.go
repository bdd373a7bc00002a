package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// isTerminal tells if w is a terminal that can redraw a line.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// answers returns the terminal at which somebody can answer, or nil.
func (s *Streams) answers() *os.File {
	if f, ok := s.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// ask asks a question at the terminal. An answer that is secret is not shown.
func (s *Streams) ask(ctx context.Context, question string, secret bool) (string, error) {
	tty := s.answers()
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	fmt.Fprint(s.Err, question)
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	// A read from a terminal cannot be broken off: after an interruption it lives on until
	// the process ends, which is soon.
	go func() {
		if secret {
			b, err := term.ReadPassword(fd)
			answered <- answer{string(b), err}
			return
		}
		line, err := readLine(tty)
		answered <- answer{line, err}
	}()
	select {
	case a := <-answered:
		if secret {
			fmt.Fprintln(s.Err) // the one that was typed was not shown
		}
		return a.text, a.err
	case <-ctx.Done():
		fmt.Fprintln(s.Err)
		return "", errors.Join(ctx.Err(), term.Restore(fd, before)) // or nothing typed would be seen in the shell
	}
}

// readLine reads one line and not a byte more: what follows belongs to the next question.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n', errors.Is(err, io.EOF) && len(line) > 0:
			return strings.TrimSuffix(string(line), "\r"), nil
		case err != nil:
			return "", err
		}
		line = append(line, b[:n]...)
	}
}

// confirm asks whether to do something, unless --yes has said so.
func (s *Streams) confirm(ctx context.Context, question string, yes bool) error {
	if yes {
		return nil
	}
	if s.answers() == nil {
		return fmt.Errorf("%w: nobody is there to confirm it, give --yes to %s", ErrUsage, question)
	}
	answer, err := s.ask(ctx, strings.ToUpper(question[:1])+question[1:]+"? [y/N] ", false)
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return fmt.Errorf("%w: not confirmed, nothing was done", ErrUsage)
	}
	return nil
}

// maxSecretLine bounds what is read as a password or token.
const maxSecretLine = 4096

// secretLines reads n secrets, one per line, from standard input.
func (s *Streams) secretLines(n int) ([]string, error) {
	lines := make([]string, 0, n)
	in := bufio.NewReader(io.LimitReader(s.In, int64(n)*maxSecretLine))
	for range n {
		line, err := in.ReadBytes('\n')
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: standard input has %d lines, it should have %d", ErrUsage, len(lines), n)
		}
		lines = append(lines, string(line))
	}
	return lines, nil
}

// newPassword reads a new password: from standard input, or twice at the terminal, as nobody
// sees what was typed.
func (s *Streams) newPassword(ctx context.Context) (string, error) {
	first, err := s.ask(ctx, "New password: ", true)
	if err != nil {
		return "", err
	}
	second, err := s.ask(ctx, "Once more: ", true)
	if err == nil && first != second {
		err = fmt.Errorf("%w: the two passwords differ, nothing was changed", ErrUsage)
	}
	return first, err
}

// errNobody means that a password can neither be read nor asked for.
var errNobody = fmt.Errorf("%w: nobody is there to type the password, give it with --password-stdin", ErrUsage)
