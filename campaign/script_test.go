package campaign_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts print now into testdata")

// block is one exchange of a script:
//
//	# why
//	command
//	----
//	what follows
type block struct {
	comment  []string
	commands []string
	want     string
}

// TestScripts runs the conversations of testdata. Each is run a second time with the
// campaign stored and loaded after every step, which must change nothing: that is what a
// crash does to the pure core.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			blocks, err := parseScript(string(text))
			if err != nil {
				t.Fatal(err)
			}
			got := perform(t, blocks, false)
			if *rewrite {
				if err := os.WriteFile(file, []byte(formatScript(blocks, got)), 0o644); err != nil {
					t.Fatal(err)
				}
			} else {
				for i, b := range blocks {
					if got[i] != b.want {
						t.Errorf("%s\n---- got\n%s---- want\n%s", strings.Join(b.commands, "\n"), got[i], b.want)
					}
				}
			}
			crashing := perform(t, blocks, true)
			for i, b := range blocks {
				if crashing[i] != got[i] {
					t.Errorf("with a reload after each step: %s\n---- got\n%s---- want\n%s", strings.Join(b.commands, "\n"), crashing[i], got[i])
				}
			}
		})
	}
}

// perform runs a script and returns what each block prints. Without reloads it also looks
// ahead from every block: whatever happens next, the campaign must end.
func perform(t *testing.T, blocks []block, reload bool) []string {
	t.Helper()
	p := &player{t: t, reload: reload}
	out := make([]string, len(blocks))
	for i, b := range blocks {
		if len(b.commands) == 0 {
			continue // a comment that stands alone
		}
		for _, line := range b.commands {
			if err := p.do(line); err != nil {
				t.Errorf("%s: %v", line, err)
				out[i] = p.print()
				return out
			}
		}
		out[i] = p.print()
		if reload || p.c == nil {
			continue
		}
		for _, stopped := range []bool{false, true} {
			if err := p.endsInSilence(stopped); err != nil {
				t.Fatalf("after %q, then silence (stopped: %t): %v", b.commands, stopped, err)
			}
		}
	}
	return out
}

// parseScript splits a script into its blocks.
func parseScript(text string) ([]block, error) {
	var blocks []block
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var b block
		lines := strings.Split(strings.Trim(part, "\n"), "\n")
		for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
			b.comment = append(b.comment, lines[0])
			lines = lines[1:]
		}
		for len(lines) > 0 && lines[0] != "----" {
			b.commands = append(b.commands, lines[0])
			lines = lines[1:]
		}
		if len(lines) > 1 {
			b.want = strings.Join(lines[1:], "\n") + "\n"
		}
		if len(b.commands) == 0 && len(b.comment) == 0 {
			return nil, fmt.Errorf("block without a command: %q", part)
		}
		blocks = append(blocks, b)
	}
	if len(blocks) == 0 || len(blocks[0].comment) == 0 {
		return nil, fmt.Errorf("a script begins with a comment that says why its story matters")
	}
	return blocks, nil
}

// formatScript is the inverse of parseScript, with other outputs.
func formatScript(blocks []block, out []string) string {
	var s strings.Builder
	for i, b := range blocks {
		if i > 0 {
			s.WriteString("\n")
		}
		for _, line := range b.comment {
			s.WriteString(line + "\n")
		}
		if len(b.commands) == 0 {
			continue
		}
		for _, line := range b.commands {
			s.WriteString(line + "\n")
		}
		s.WriteString("----\n" + out[i])
	}
	return s.String()
}
