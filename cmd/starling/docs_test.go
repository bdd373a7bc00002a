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
		if !strings.HasPrefix(block, "starling serve") {
			script += "set -x\n" + block + "\n{ set +x; } 2>/dev/null\n"
			continue
		}
		script += "stop\n" + block + " &\nserver=$!\n" +
			"until starling device list >/dev/null 2>&1; do kill -0 $server; done\n"
	}
	return script
}

// Whoever copies the commands of a document into a terminal gets what it says.
func TestTheCommandsOfTheDocumentsWork(t *testing.T) {
	for _, doc := range []struct {
		name   string
		blocks int // at least
		says   []string
	}{
		{"serve.md", 9, []string{"device.verified 0100000000000005", "SUCCEEDED", "none of its 5 devices can take part"}},
		{"bulk.md", 6, []string{"row 4, column G (producer_id): leads", "1 of 3 rows are bad, 2 others were stored", "unchanged        3", `"unchanged":3`,
			"North,Meters of the north side,0004a30b00112201;0004a30b00112202", "fe00000000000001,C,,01000001,869525000"}},
		{"security.md", 6, []string{"joe@example.org", "fleet:read", "user.create"}},
		{"api.md", 8, []string{`"permissions":[`, `"dev_eui":"0004a30b00112201"`, `"state":"`, `"success_threshold":90`, "Idempotency-Replayed: true", `"status":"SUCCEEDED"`}},
	} {
		t.Run(doc.name, func(t *testing.T) { followDocument(t, doc.name, doc.blocks, doc.says) })
	}
}

// needTools skips a test on a machine without the tools that a document uses; CI has them.
func needTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs %s to follow the documents", tool)
		}
		t.Skipf("%s is not here: the commands of the document are not tried", tool)
	}
}

// followDocument runs the commands of a document and looks for what they say.
func followDocument(t *testing.T, name string, atLeast int, says []string) {
	markdown, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	blocks := shellBlocks(string(markdown))
	if len(blocks) < atLeast {
		t.Fatalf("%d blocks of commands in docs/%s", len(blocks), name)
	}
	needTools(t, "bash", "curl", "od")
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
	// An error of the API ends the script, as one of the command line does.
	if err := os.WriteFile(filepath.Join(work, ".curlrc"), []byte("fail-with-body\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := freeAddress(t)
	script.Env = append(os.Environ(), "STARLING_TEST_PROGRAM=1", "STARLING_LISTEN="+at, "STARLING_SERVER=http://"+at, "CURL_HOME="+work,
		"STARLING_CONFIG="+filepath.Join(work, "config.yaml"),
		fmt.Sprintf("PATH=%s%c%s", bin, os.PathListSeparator, os.Getenv("PATH")))
	out, err := script.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range says {
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
