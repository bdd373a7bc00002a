package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// clearLine takes back what a terminal shows in its last line.
const clearLine = "\r\x1b[K"

// metered shows on a terminal how much of in has been read, until done is called.
func metered(std *Streams, in io.Reader, size int64) (metered io.Reader, done func()) {
	if !isTerminal(std.Err) {
		return in, func() {}
	}
	return &meter{in: in, out: std.Err, size: size}, func() { fmt.Fprint(std.Err, clearLine) }
}

// meter shows on a terminal how much has been read.
type meter struct {
	in         io.Reader
	out        io.Writer
	size, sent int64 // bytes; size -1: not known
	shown      string
}

// Read reads on, and writes a line over the one before if it says something else.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.sent += int64(n)
	line := fmt.Sprintf("%d MB sent", m.sent>>20)
	switch {
	case errors.Is(err, io.EOF) || m.sent == m.size:
		line = "sent, waiting for the server"
	case m.size > 0:
		line = fmt.Sprintf("%d%% sent", m.sent*100/m.size)
	}
	if line != m.shown {
		m.shown = line
		fmt.Fprint(m.out, clearLine+line)
	}
	return n, err
}

// barWidth is how many characters a full bar has.
const barWidth = 30

// bar is one line that says how far a job is: drawn over itself on a terminal, and
// otherwise written when the state changes.
type bar struct {
	out      io.Writer
	terminal bool
	shown    string
}

// show draws the bar; total 0: nobody knows how much there is to do.
func (b *bar) show(state string, done, total int) {
	line := state
	if b.terminal && total > 0 {
		filled := min(max(done, 0), total) * barWidth / total
		line = fmt.Sprintf("%s [%s%s] %d/%d", state, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, total)
	}
	if line == b.shown {
		return
	}
	b.shown = line
	if b.terminal {
		line = clearLine + line
	} else {
		line = "starling: the job is " + line + "\n"
	}
	fmt.Fprint(b.out, line)
}

// end takes the line of a terminal back.
func (b *bar) end() {
	if b.terminal && b.shown != "" {
		fmt.Fprint(b.out, clearLine)
	}
}
