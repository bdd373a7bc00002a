package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shellBlocks returns the sh blocks of a Markdown file.
func shellBlocks(markdown string) (blocks []string) {
	for _, part := range strings.Split(markdown, "\n```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```\n")
		blocks = append(blocks, block)
	}
	return blocks
}

// scriptOf joins blocks to a script. A block that is a server has a terminal of its own,
// and takes the place of the server before it.
func scriptOf(blocks []string) string {
	script := "set -euo pipefail\nserver=\nstop() { if [ -n \"$server\" ]; then kill $server; wait $server; server=; fi; }\ntrap stop EXIT\n"
	for _, block := range blocks {
		if !strings.HasPrefix(block, "starling serve ") {
			script += "set -x\n" + block + "\n{ set +x; } 2>/dev/null\n"
			continue
		}
		script += "stop\n" + block + " &\nserver=$!\n" +
			"until starling device list >/dev/null 2>&1; do kill -0 $server; done\n"
	}
	return script
}

// Whoever copies the commands of docs/serve.md into a terminal gets what it says.
func TestTheCommandsOfTheDocumentWork(t *testing.T) {
	markdown, err := os.ReadFile(filepath.Join("..", "..", "docs", "serve.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := shellBlocks(string(markdown))
	if len(blocks) < 8 {
		t.Fatalf("%d blocks of commands in docs/serve.md", len(blocks))
	}
	bin, work := t.TempDir(), t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "starling")); err != nil {
		t.Fatal(err)
	}
	script := exec.Command("bash", "-c", scriptOf(blocks))
	script.Dir = work
	at := freeAddress(t)
	script.Env = append(os.Environ(), "STARLING_TEST_PROGRAM=1", "STARLING_LISTEN="+at, "STARLING_SERVER=http://"+at,
		fmt.Sprintf("PATH=%s%c%s", bin, os.PathListSeparator, os.Getenv("PATH")))
	out, err := script.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"device.verified 0100000000000005", "SUCCEEDED", "none of its 5 devices can take part"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
